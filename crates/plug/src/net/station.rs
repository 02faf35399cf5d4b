//! The station: joins one of the known networks and stays on it; opens the access point where that fails.
//!
//! ```text
//!  no network known            found               joined
//!      Idle         Looking ---------> Joining ------------> Joined
//!       ^            ^ ^ |              |   ^ |                 |
//!       |            | | | not there,   |   +-+ the next one    | lost
//!       |  back-off  | | | no scan      | all refused           |
//!       |   is over  | | v              v                       |
//!       |            | +----- Waiting <-+<--- soon after it ----+
//!       |            |                                          |
//!       |            +-------------- after it had held ---------+
//!       |            |
//!       +--------- Leaving <-- other networks, a test, its end
//! ```
//! Glossary: a *round* is a scan and, one after the other in their order, the attempts to join what is worth it. A network
//! that is joined is not left because one before it in the list is back. A *failure* is a round that ended in `Waiting`; the
//! *back-off* grows with each, has a part of chance, and begins anew once a network has *held* ([`limits::NETWORK_HOLDS`]).
//!
//! As a *fallback* the *access point* opens at once where no network is known and with the first failure after the start;
//! where a network had held, [`Plan::after_loss`] after it was lost. It closes [`Plan::linger`] after joining. Whoever
//! *asks* for it gets it at once, in any state, for [`limits::ACCESS_POINT_ASKED`]. Where it is not a fallback, it is open for
//! whoever asked and nobody else; a plug that nobody owns counts each start as asking, and asking for
//! [`limits::ACCESS_POINT_SETUP`].
//!
//! While somebody on the access point *uses* the page ([`limits::PAGE_IN_USE`]), no scan and no attempt begins, since the
//! radio would leave the channel and phones drop; and it does not close, but on a plug that nobody owns (its password is known
//! to all) and where it has no password any more. What somebody has just asked for is done all the same, once: joining other
//! networks, a test, and the way back from it.
//!
//! A *test* (see [`super::trial_join`]) puts one network in the place of all that are known until it is confirmed or ends;
//! meanwhile the access point neither opens by itself nor closes. A new [`Plan`] makes an open access point close and open
//! anew where its name or password is another, and leaves a network only if that is not in it any more. Nothing in here
//! restarts the plug, stores anything or knows of the relay.

mod types;
mod view;

use alloc::boxed::Box;
use core::time::Duration;

pub use types::{Actions, Errand, Event, Plan, Policy};

use crate::limits;
use crate::net::access_point::AccessPoint;
use crate::net::choose::{Errors, choose_all};
use crate::net::trial_join::{Trial, TrialState};
use crate::platform::{Address, Instant, Known, LinkError, Network};
use crate::settings::schema::NETWORKS;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Joined {
    index: u8,
    address: Address,
    since: Instant,
    /// Past failures are forgotten.
    held: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No network is known.
    Idle,
    Leaving {
        at: Instant,
    },
    Looking,
    /// A bit for each network that is worth it; the lowest one is being joined.
    Joining {
        left: u8,
    },
    Waiting {
        until: Instant,
    },
    Joined(Joined),
}

/// The machine drawn above.
#[derive(Clone, Debug)]
pub struct Station {
    plan: Box<Plan>,
    state: State,
    access_point: AccessPoint,
    /// Failures since a network last held.
    failures: u32,
    errors: Errors,
    trial: Option<Trial>,
    /// Until when somebody on the access point counts as using the page.
    in_use_until: Option<Instant>,
    /// Somebody asked for this round: it does not wait for whoever uses the page.
    urgent: bool,
}

impl Station {
    /// Before [`Event::Start`].
    #[must_use]
    pub fn new(plan: Box<Plan>) -> Self {
        Self {
            plan,
            state: State::Idle,
            access_point: AccessPoint::default(),
            failures: 0,
            errors: Errors::default(),
            trial: None,
            in_use_until: None,
            urgent: false,
        }
    }

    /// Until when somebody on the access point counts as using the page; `None`: nobody is on it. To be said before
    /// [`Station::handle`].
    pub fn set_in_use(&mut self, until: Option<Instant>) {
        self.in_use_until = until;
    }

    /// Takes an event; the effects are the caller's to carry out. `chance` is any number: plugs that lost the same router
    /// do not all come back at once.
    #[must_use]
    pub fn handle(&mut self, now: Instant, chance: u8, event: Event<'_>) -> Actions {
        match (self.state, event) {
            (State::Idle, Event::Start) => self.start(now),
            (State::Leaving { at }, Event::Left) if at <= now => self.left(now),
            (State::Looking, Event::Scanned(found)) => self.scanned(now, chance, found),
            (State::Joining { left }, Event::Joined(result)) => self.joined(now, chance, left, result),
            (State::Joined(joined), Event::Lost(error)) => self.lost(now, chance, joined, error),
            (State::Waiting { until }, Event::Tick) if until <= now && !self.is_in_use(now) => self.look(),
            (State::Joined(joined), Event::Tick) => self.hold(now, joined),
            (_, Event::Asked) => self.asked(now),
            (_, Event::Planned(plan)) => self.planned(now, plan, false),
            (_, Event::Try(network)) => self.begin_trial(now, network),
            (_, Event::TakenBack) => self.end_trial(now, TrialState::Reverted, limits::TEST_DELAY),
            (_, Event::Confirmed(network, plan)) => {
                // It took a while to store it, and another test may be under way: that one was not meant.
                let is_ours = self.report().is_some_and(|report| report.ssid == network.credentials.ssid);
                self.planned(now, plan, is_ours);
            }
            (_, Event::AccessPoint(open, result)) => self.access_point_done(now, open, result),
            _ => {}
        }
        let due = self.access_point.next(self.kept_open_until()).filter(|(_, due)| *due <= now);
        let errand = match self.state {
            State::Leaving { at } if at <= now => Some(Errand::Leave),
            State::Looking => Some(Errand::Scan),
            State::Joining { .. } => Some(Errand::Join),
            _ => None,
        };
        Actions { access_point: due.map(|(open, _)| open), errand }
    }

    /// When [`Event::Tick`] is due; `None`: not until something else happens.
    #[must_use]
    pub fn poll_at(&self) -> Option<Instant> {
        let station = match self.state {
            State::Leaving { at } => Some(at),
            State::Waiting { .. } => self.retry_at(),
            State::Joined(_) if self.is_testing() => self.report().and_then(|report| report.confirm_by),
            State::Joined(joined) => (!joined.held).then(|| held_at(joined)),
            State::Idle | State::Looking | State::Joining { .. } => None,
        };
        let access_point = self.access_point.next(self.kept_open_until()).map(|(_, due)| due);
        [station, access_point].into_iter().flatten().min()
    }

    /// The networks to join now, the most wanted first.
    fn wanted(&self) -> &[Known] {
        match self.trial.as_ref().and_then(Trial::network) {
            Some(network) => core::slice::from_ref(network),
            None => self.plan.known.get(..NETWORKS).unwrap_or(&self.plan.known),
        }
    }

    /// Of all that went wrong what a person should hear first: that a network is not there is the least of it.
    fn trouble(&self) -> Option<(usize, LinkError)> {
        let over = matches!(self.state, State::Joined(joined) if joined.held);
        let mut all = self.errors.iter().enumerate().filter_map(|(index, error)| Some((index, (*error)?)));
        let first = all.clone().next().filter(|_| !over && !self.is_testing())?;
        Some(all.find(|(_, error)| *error != LinkError::NotFound).unwrap_or(first))
    }

    fn is_in_use(&self, now: Instant) -> bool {
        self.access_point.may_be_open() && self.in_use_until.is_some_and(|until| now < until)
    }

    /// Whether the station has to be still.
    fn rests(&self, now: Instant) -> bool {
        self.is_in_use(now) && !self.urgent && !self.is_testing()
    }

    /// Until when the access point does not close for anybody else's sake.
    fn kept_open_until(&self) -> Option<Instant> {
        match self.plan.policy {
            Policy::Fallback | Policy::Button => self.in_use_until,
            Policy::Setup | Policy::Never => None,
        }
    }

    fn is_fallback(&self) -> bool {
        self.plan.policy == Policy::Fallback
    }

    fn start(&mut self, now: Instant) {
        if self.plan.policy == Policy::Setup {
            // Whoever gives it mains may want to claim it.
            self.access_point.asked_until = Some(now.after(limits::ACCESS_POINT_SETUP));
        }
        self.left(now);
    }

    fn left(&mut self, now: Instant) {
        if self.wanted().is_empty() {
            self.state = State::Idle;
        } else {
            self.look();
        }
        self.access_point.next = self.wish(now);
    }

    /// What the access point is to become next, as things stand.
    fn wish(&self, now: Instant) -> Option<(bool, Instant)> {
        let access_point = self.access_point;
        let opens = (!access_point.is_surely_open()).then_some((true, now));
        if access_point.is_asked_for(now) && opens.is_some() {
            return opens;
        }
        if self.is_testing() {
            return None;
        }
        let closes = |at| access_point.may_be_open().then_some((false, access_point.closes_at(at)));
        match (self.plan.policy, self.state) {
            (Policy::Fallback, State::Idle | State::Waiting { .. }) => opens,
            // The end of the round decides.
            (Policy::Fallback, State::Leaving { .. } | State::Looking | State::Joining { .. }) => None,
            (Policy::Fallback, State::Joined(joined)) => closes(joined.since.after(self.plan.linger)),
            (Policy::Setup | Policy::Button | Policy::Never, _) => closes(now),
        }
    }

    fn look(&mut self) {
        self.state = State::Looking;
    }

    fn scanned(&mut self, now: Instant, chance: u8, found: Result<&[Network], LinkError>) {
        let wanted = self.wanted();
        let (left, errors) = match found {
            Ok(found) => choose_all(found, wanted),
            Err(error) => (0, core::array::from_fn(|index| wanted.get(index).map(|_| error))),
        };
        match &mut self.trial {
            Some(trial) if trial.network().is_some() => match errors {
                [Some(error), ..] => trial.fail(error),
                _ => trial.joins(),
            },
            // What can be joined by its looks was perhaps not joined last time: that holds until it is.
            _ => self.errors.iter_mut().zip(errors).for_each(|(place, error)| *place = error.or(*place)),
        }
        self.join_next(now, chance, left);
    }

    fn join_next(&mut self, now: Instant, chance: u8, left: u8) {
        self.state = match left {
            0 => return self.fail(now, chance),
            // Whoever began to use the page meanwhile is not thrown out.
            _ if self.rests(now) => State::Waiting { until: now },
            left => State::Joining { left },
        };
    }

    fn note(&mut self, index: u8, error: LinkError) {
        match &mut self.trial {
            Some(trial) if trial.network().is_some() => trial.fail(error),
            _ => self.errors.iter_mut().skip(index.into()).take(1).for_each(|place| *place = Some(error)),
        }
    }

    fn joined(&mut self, now: Instant, chance: u8, left: u8, result: Result<Address, LinkError>) {
        let index = left.trailing_zeros() as u8;
        match result {
            Ok(address) => {
                if let Some(trial) = self.trial.as_mut().filter(|trial| trial.network().is_some()) {
                    trial.succeed(now, address.ip);
                }
                self.urgent = false;
                self.state = State::Joined(Joined { index, address, since: now, held: false });
                // Open, or perhaps: it lingers. To be opened: not any more, unless somebody asked.
                let access_point = self.access_point;
                let waits = access_point.is_asked_for(now) && !access_point.is_surely_open();
                if self.is_fallback() && !waits {
                    self.access_point.next = self.wish(now);
                }
            }
            Err(error) => {
                self.note(index, error);
                self.join_next(now, chance, left & left.wrapping_sub(1));
            }
        }
    }

    /// A round ended without a network.
    fn fail(&mut self, now: Instant, chance: u8) {
        if self.is_testing() {
            return self.end_trial(now, TrialState::Failed, Duration::ZERO);
        }
        let longer = 2_u32.saturating_pow(self.failures);
        let wait = limits::RETRY_FIRST.saturating_mul(longer).min(limits::RETRY_LONGEST);
        // Up to a quarter more.
        let wait = wait + wait * u32::from(chance) / 1024;
        self.failures = self.failures.saturating_add(1);
        self.urgent = false;
        self.state = State::Waiting { until: now.after(wait) };
        let opens = matches!(self.access_point.next, Some((true, _)));
        if self.is_fallback() && (self.access_point.is_surely_open() || !opens) {
            self.access_point.next = self.wish(now);
        }
    }

    fn lost(&mut self, now: Instant, chance: u8, joined: Joined, error: LinkError) {
        self.note(joined.index, error);
        if self.is_testing() || now < held_at(joined) {
            // It lets us in only to throw us out: no better than being refused.
            return self.fail(now, chance);
        }
        self.failures = 0;
        if !self.is_fallback() {
            // It does not depend on the network.
        } else if self.access_point.is_surely_open() {
            self.access_point.next = None;
        } else if !self.access_point.is_asked_for(now) {
            self.access_point.next = Some((true, now.after(self.plan.after_loss)));
        }
        self.state = if self.rests(now) { State::Waiting { until: now } } else { State::Looking };
    }

    /// A network that has held makes past failures forgotten; one that is tested has its time to be confirmed.
    fn hold(&mut self, now: Instant, joined: Joined) {
        if self.trial.as_ref().is_some_and(|trial| trial.is_late(now)) {
            self.end_trial(now, TrialState::Reverted, Duration::ZERO);
        } else if held_at(joined) <= now && !self.is_testing() {
            self.failures = 0;
            self.errors.iter_mut().skip(joined.index.into()).take(1).for_each(|error| *error = None);
            self.state = State::Joined(Joined { held: true, ..joined });
        }
    }

    /// Somebody stands at the plug.
    fn asked(&mut self, now: Instant) {
        let long = match self.plan.policy {
            Policy::Never => return,
            Policy::Setup => limits::ACCESS_POINT_SETUP,
            Policy::Fallback | Policy::Button => limits::ACCESS_POINT_ASKED,
        };
        self.access_point.asked_until = Some(now.after(long));
        self.access_point.next = self.wish(now);
    }

    fn begin_trial(&mut self, now: Instant, network: Box<Known>) {
        if self.is_testing() {
            return;
        }
        self.trial = Some(Trial::new(network, self.address().map(|address| address.ip)));
        self.leave(now.after(limits::TEST_DELAY));
        self.access_point.next = self.wish(now);
    }

    fn end_trial(&mut self, now: Instant, state: TrialState, delay: Duration) {
        let Some(trial) = self.trial.as_mut().filter(|trial| trial.network().is_some()) else { return };
        trial.end(state);
        self.leave(now.after(delay));
        self.access_point.next = self.wish(now);
    }

    /// What comes afterwards somebody asked for.
    fn leave(&mut self, at: Instant) {
        self.failures = 0;
        self.urgent = true;
        self.state = State::Leaving { at };
    }

    /// Takes a new plan: other networks are looked for as after a start, but what is joined and in it is kept; an access
    /// point that was open under another name or password closes, to open anew where it is wanted.
    fn planned(&mut self, now: Instant, plan: Box<Plan>, confirmed: bool) {
        // What was confirmed too late is looked for as anything else that is new.
        let stays = matches!(self.state, State::Joined(_)) && (self.is_testing() || !confirmed);
        let current = self.network().filter(|_| stays).cloned();
        if let Some(trial) = self.trial.as_mut().filter(|_| confirmed) {
            trial.end(TrialState::Confirmed);
        }
        let before = core::mem::replace(&mut self.plan, plan);
        if before.policy != self.plan.policy {
            let access_point = &mut self.access_point;
            access_point.asked_until = match (before.policy, self.plan.policy) {
                (_, Policy::Never) => None,
                (_, Policy::Setup) => Some(now.after(limits::ACCESS_POINT_SETUP)),
                // Whoever claimed the plug on its access point finds it again.
                (Policy::Setup, _) if access_point.is_asked_for(now) => {
                    Some(now.after(limits::ACCESS_POINT_ASKED))
                }
                _ => access_point.asked_until,
            };
        }
        if before.known != self.plan.known {
            self.errors = Errors::default();
            self.keep_or_leave(now, current);
        }
        if before.own != self.plan.own && self.access_point.may_be_open() {
            self.access_point.anew = true;
            self.access_point.next = Some((false, now));
        } else {
            self.access_point.next = self.wish(now);
        }
    }

    /// Stays on the network that is joined if it is still known.
    fn keep_or_leave(&mut self, now: Instant, current: Option<Known>) {
        if self.is_testing() {
            // The new networks are what its end goes back to.
            return;
        }
        let found = current.and_then(|known| self.wanted().iter().position(|other| *other == known));
        match (self.state, found) {
            (State::Joined(joined), Some(index)) => {
                self.state = State::Joined(Joined { index: index as u8, ..joined });
            }
            _ => self.leave(now),
        }
    }

    fn access_point_done(&mut self, now: Instant, open: bool, result: Result<(), LinkError>) {
        let before = self.access_point;
        if result.is_ok() {
            self.access_point = AccessPoint { open, doubtful: false, next: None, anew: false, ..before };
            self.access_point.next = self.wish(now);
        } else {
            // As it was, as far as is known; once more, unless nobody wants it open any more.
            let no_network = self.is_fallback() && !matches!(self.state, State::Joined(_));
            let needed = no_network || before.is_asked_for(now);
            let next = Some((open && needed, now.after(ACCESS_POINT_RETRY)));
            self.access_point = AccessPoint { doubtful: true, next, ..before };
        }
    }
}

/// When a network that was joined has held.
fn held_at(joined: Joined) -> Instant {
    joined.since.after(limits::NETWORK_HOLDS)
}

/// How long the access point waits after the radio did not open or close it.
const ACCESS_POINT_RETRY: Duration = limits::RETRY_FIRST;

#[cfg(test)]
mod tests;
