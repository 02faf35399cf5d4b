//! The station: joins the known network and stays on it; opens the access point where that fails.
//!
//! ```text
//!  no network known            found               joined
//!      Idle         Looking ---------> Joining ------------> Joined
//!                    ^ ^ |                |                     |
//!         back-off   | | | not there,     | refused,            | lost
//!           over     | | | no scan        | no answer           |
//!                    | | v                v                     |
//!                    | +----- Waiting <---+<--- soon after it --+
//!                    |                                          |
//!                    +-------------- after it had held ---------+
//! ```
//! Glossary: a *failure* is a round that ended in `Waiting`; the *back-off* grows with each and begins anew once a
//! network has *held* ([`limits::ACCESS_POINT_LINGER`]). As a *fallback* the *access point* opens at once where no network
//! is known and with the first failure after the start; where a network had held, [`limits::ACCESS_POINT_AFTER_LOSS`]
//! after it was lost. It closes when a network has held. Whoever *asks* for it gets it at once, in any state, for
//! [`limits::ACCESS_POINT_ASKED`]. Where it is not a fallback, it is open for whoever asked and nobody else; a plug that
//! nobody owns counts each start as asking, and asking for [`limits::ACCESS_POINT_SETUP`]. Trying goes on all the while:
//! whoever stands on the access point may see it pause for the seconds of a scan. A new [`Plan`] makes an open access point
//! close and open anew, where it is still wanted. Nothing in here restarts the plug or knows of the relay.

use alloc::boxed::Box;
use core::time::Duration;

use crate::limits;
use crate::net::LinkState;
use crate::net::choose::choose;
use crate::platform::{Address, Credentials, Instant, LinkError, Network};

/// When the access point is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Nobody owns the plug: after the start and after each asking, whatever becomes of the network.
    Setup,
    /// Where there is no network, and for whoever asks.
    Fallback,
    /// Only for whoever asks.
    Button,
    /// Not even then: it has no password.
    Never,
}

/// What there is to be done in all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The network to join.
    pub known: Option<Credentials>,
    /// Name and password of the access point.
    pub own: Credentials,
    /// When that is open.
    pub policy: Policy,
}

/// What the station is told.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// The plug starts.
    Start,
    /// A scan ended.
    Scanned(Result<&'a [Network], LinkError>),
    /// An attempt to join ended.
    Joined(Result<Address, LinkError>),
    /// The joined network is gone.
    Lost(LinkError),
    /// The access point was told to open (`true`) or to close, and did or did not.
    AccessPoint(bool, Result<(), LinkError>),
    /// Somebody asks for the access point.
    Asked,
    /// Somebody changed the plan. If it is another network, the radio has left the one before.
    Planned(Box<Plan>),
    /// Nothing but time went by (see [`Station::poll_at`]).
    Tick,
}

/// What the radio shall do next as a station.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand {
    /// Look for networks; the answer is [`Event::Scanned`].
    Scan,
    /// Join the known network; the answer is [`Event::Joined`].
    Join,
}

/// What is to be done, the access point first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Actions {
    /// Open or close the access point; the answer is [`Event::AccessPoint`].
    pub access_point: Option<bool>,
    /// Something that takes seconds.
    pub errand: Option<Errand>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Waiting {
    until: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Joined {
    address: Address,
    since: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// No network is known.
    Idle,
    Looking,
    Joining,
    Waiting(Waiting),
    Joined(Joined),
}

/// The access point: as it is, and what it is to be when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct AccessPoint {
    open: bool,
    /// It was told to change and said that it did not: a driver that starts anew for it may be anywhere.
    doubtful: bool,
    next: Option<(bool, Instant)>,
    /// Somebody asked for it: until when it stays open, whatever becomes of the network.
    asked_until: Option<Instant>,
}

impl AccessPoint {
    fn is_surely_open(self) -> bool {
        self.open && !self.doubtful
    }

    fn may_be_open(self) -> bool {
        self.open || self.doubtful
    }

    /// When it may close on a network that has held from an instant on.
    fn closes_at(self, held: Instant) -> Instant {
        self.asked_until.map_or(held, |until| until.max(held))
    }

    fn is_asked_for(self, now: Instant) -> bool {
        self.asked_until.is_some_and(|until| now < until)
    }
}

/// The machine drawn above.
#[derive(Clone, Debug)]
pub struct Station {
    plan: Box<Plan>,
    state: State,
    access_point: AccessPoint,
    /// Failures since a network last held.
    failures: u32,
    last_error: Option<LinkError>,
}

impl Station {
    /// Before [`Event::Start`].
    #[must_use]
    pub fn new(plan: Box<Plan>) -> Self {
        Self { plan, state: State::Idle, access_point: AccessPoint::default(), failures: 0, last_error: None }
    }

    /// Takes an event; the effects are the caller's to carry out.
    #[must_use]
    pub fn handle(&mut self, now: Instant, event: Event<'_>) -> Actions {
        let errand = match (self.state, event) {
            (State::Idle, Event::Start) => self.start(now),
            (State::Looking, Event::Scanned(found)) => self.scanned(now, found),
            (State::Joining, Event::Joined(result)) => self.joined(now, result),
            (State::Joined(joined), Event::Lost(error)) => self.lost(now, joined, error),
            (State::Waiting(waiting), Event::Tick) if waiting.until <= now => self.look(),
            (State::Joined(joined), Event::Tick) => self.hold(now, joined),
            (_, Event::Asked) => self.asked(now),
            (_, Event::Planned(plan)) => self.planned(now, plan),
            (_, Event::AccessPoint(open, result)) => self.access_point_done(now, open, result),
            _ => None,
        };
        let due = self.access_point.next.filter(|(_, due)| *due <= now);
        Actions { access_point: due.map(|(open, _)| open), errand }
    }

    /// When [`Event::Tick`] is due; `None`: not until something else happens.
    #[must_use]
    pub fn poll_at(&self) -> Option<Instant> {
        let station = match self.state {
            State::Waiting(waiting) => Some(waiting.until),
            // What was said of failures is forgotten once it has held.
            State::Joined(joined) => self.last_error.map(|_| held_at(joined)),
            State::Idle | State::Looking | State::Joining => None,
        };
        [station, self.access_point.next.map(|(_, due)| due)].into_iter().flatten().min()
    }

    /// What it goes by.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// How it stands.
    #[must_use]
    pub fn link(&self) -> LinkState {
        match self.state {
            State::Idle => LinkState::NoNetworkKnown,
            State::Looking | State::Joining => LinkState::Joining,
            State::Waiting(_) => LinkState::Waiting,
            State::Joined(_) => LinkState::Joined,
        }
    }

    /// Our address, while joined.
    #[must_use]
    pub fn address(&self) -> Option<Address> {
        match self.state {
            State::Joined(joined) => Some(joined.address),
            _ => None,
        }
    }

    /// When the next attempt is, while waiting.
    #[must_use]
    pub fn retry_at(&self) -> Option<Instant> {
        match self.state {
            State::Waiting(waiting) => Some(waiting.until),
            _ => None,
        }
    }

    /// Why the network was last not joined or left; `None` once it has held.
    #[must_use]
    pub fn last_error(&self) -> Option<LinkError> {
        self.last_error
    }

    /// Whether the access point is open.
    #[must_use]
    pub fn access_point_open(&self) -> bool {
        self.access_point.open
    }

    fn start(&mut self, now: Instant) -> Option<Errand> {
        if self.plan.policy == Policy::Setup {
            // Whoever gives it mains may want to claim it.
            self.access_point.asked_until = Some(now.after(limits::ACCESS_POINT_SETUP));
        }
        let errand = if self.plan.known.is_some() { self.look() } else { None };
        self.access_point.next = self.wish(now);
        errand
    }

    /// Takes a new plan: another network is looked for as after a start, and an access point that was open under another
    /// name or password closes, to open anew where it is wanted.
    fn planned(&mut self, now: Instant, plan: Box<Plan>) -> Option<Errand> {
        let before = core::mem::replace(&mut self.plan, plan);
        let access_point = &mut self.access_point;
        if before.policy != self.plan.policy {
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
        let mut errand = None;
        if before.known != self.plan.known {
            (self.failures, self.last_error) = (0, None);
            self.state = State::Idle;
            if self.plan.known.is_some() {
                errand = self.look();
            }
        }
        let anew = before.own != self.plan.own && self.access_point.may_be_open();
        self.access_point.next = if anew { Some((false, now)) } else { self.wish(now) };
        errand
    }

    /// What the access point is to become next, as things stand.
    fn wish(&self, now: Instant) -> Option<(bool, Instant)> {
        let access_point = self.access_point;
        let opens = (!access_point.is_surely_open()).then_some((true, now));
        if access_point.is_asked_for(now) && opens.is_some() {
            return opens;
        }
        let closes = |at| access_point.may_be_open().then_some((false, at));
        match (self.plan.policy, self.state) {
            (Policy::Fallback, State::Idle | State::Waiting(_)) => opens,
            // The end of the round decides.
            (Policy::Fallback, State::Looking | State::Joining) => None,
            (Policy::Fallback, State::Joined(joined)) => closes(access_point.closes_at(held_at(joined))),
            (Policy::Setup | Policy::Button | Policy::Never, _) => closes(access_point.closes_at(now)),
        }
    }

    fn look(&mut self) -> Option<Errand> {
        self.state = State::Looking;
        Some(Errand::Scan)
    }

    fn scanned(&mut self, now: Instant, found: Result<&[Network], LinkError>) -> Option<Errand> {
        let known = self.plan.known.as_ref()?;
        match found.and_then(|found| choose(found, known)) {
            Ok(_) => {
                self.state = State::Joining;
                Some(Errand::Join)
            }
            Err(error) => self.fail(now, error),
        }
    }

    fn joined(&mut self, now: Instant, result: Result<Address, LinkError>) -> Option<Errand> {
        match result {
            Ok(address) => {
                let joined = Joined { address, since: now };
                self.state = State::Joined(joined);
                // Open, or perhaps: it lingers. To be opened: not any more, unless somebody asked.
                let access_point = self.access_point;
                let waits = access_point.is_asked_for(now) && !access_point.is_surely_open();
                if self.is_fallback() && !waits {
                    self.access_point.next = self.wish(now);
                }
                None
            }
            Err(error) => self.fail(now, error),
        }
    }

    /// A round ended without a network.
    fn fail(&mut self, now: Instant, error: LinkError) -> Option<Errand> {
        let longer = 2_u32.saturating_pow(self.failures);
        let wait = limits::RETRY_FIRST.saturating_mul(longer).min(limits::RETRY_LONGEST);
        self.failures = self.failures.saturating_add(1);
        self.last_error = Some(error);
        self.state = State::Waiting(Waiting { until: now.after(wait) });
        let opens = matches!(self.access_point.next, Some((true, _)));
        if self.is_fallback() && (self.access_point.is_surely_open() || !opens) {
            self.access_point.next = self.wish(now);
        }
        None
    }

    fn lost(&mut self, now: Instant, joined: Joined, error: LinkError) -> Option<Errand> {
        if now < held_at(joined) {
            // It lets us in only to throw us out: no better than being refused.
            return self.fail(now, error);
        }
        self.failures = 0;
        self.last_error = Some(error);
        if !self.is_fallback() {
            // It does not depend on the network.
        } else if self.access_point.is_surely_open() {
            self.access_point.next = None;
        } else if !self.access_point.is_asked_for(now) {
            self.access_point.next = Some((true, now.after(limits::ACCESS_POINT_AFTER_LOSS)));
        }
        self.look()
    }

    /// A network that has held makes past failures forgotten.
    fn hold(&mut self, now: Instant, joined: Joined) -> Option<Errand> {
        if held_at(joined) <= now {
            self.failures = 0;
            self.last_error = None;
        }
        None
    }

    /// Somebody stands at the plug.
    fn asked(&mut self, now: Instant) -> Option<Errand> {
        let long = match self.plan.policy {
            Policy::Never => return None,
            Policy::Setup => limits::ACCESS_POINT_SETUP,
            Policy::Fallback | Policy::Button => limits::ACCESS_POINT_ASKED,
        };
        self.access_point.asked_until = Some(now.after(long));
        self.access_point.next = self.wish(now);
        None
    }

    fn is_fallback(&self) -> bool {
        self.plan.policy == Policy::Fallback
    }

    fn access_point_done(
        &mut self,
        now: Instant,
        open: bool,
        result: Result<(), LinkError>,
    ) -> Option<Errand> {
        let before = self.access_point;
        if result.is_ok() {
            self.access_point = AccessPoint { open, doubtful: false, next: None, ..before };
            self.access_point.next = self.wish(now);
        } else {
            // As it was, as far as is known; once more, unless nobody wants it open any more.
            let no_network = self.is_fallback() && !matches!(self.state, State::Joined(_));
            let needed = no_network || before.is_asked_for(now);
            let next = Some((open && needed, now.after(ACCESS_POINT_RETRY)));
            self.access_point = AccessPoint { doubtful: true, next, ..before };
        }
        None
    }
}

/// When a network that was joined has held.
fn held_at(joined: Joined) -> Instant {
    joined.since.after(limits::ACCESS_POINT_LINGER)
}

/// How long the access point waits after the radio did not open or close it.
const ACCESS_POINT_RETRY: Duration = limits::RETRY_FIRST;

#[cfg(test)]
mod tests;
