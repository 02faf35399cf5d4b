//! The relay: who wants it on or off, who of them decides, and why it is as it is.
//!
//! Everyone who wants something has a *claim* here. The highest class that has one decides (it *holds*); the others
//! wait below it. The state after a start is a claim as well and always there, so exactly one holds at any time.
//!
//! ```text
//!   class        filed by                         ends with
//!   Protection   protect(Some)                    protect(None), retry, rearmed
//!   Manual       command, rearmed                 its time, edge of the schedule, release, a newer one, idle
//!   Timer        a for_s over a Manual claim      edge of the schedule, release, a Manual one for good, idle
//!   Schedule     schedule(Some)                   schedule(None); rests after idle until the next edge
//!   PowerOn      start                            (never; idle turns it to off)
//!
//!                  the one that holds wants it on
//!              +-------------------------------------+
//!              |                                     v    no delay stands
//!    Off ------+                                  Waiting -----------------> On
//!     ^                                              |    against it (tick)   |
//!     +----------------------------------------------+------------------------+
//!                  the one that holds wants it off (never delayed)
//! ```
//! Waiting takes no time where nothing stands against it. An on by hand does not wait: it is refused with the time
//! left. A `for_s` keeps what was wished by hand before it as a claim of class Timer; without one, whoever is below
//! decides at its end. So it goes back to what was before, unless the schedule has had an edge meanwhile.

mod delays;
mod standing;
mod status;
mod types;
mod words;

use core::time::Duration;

use metering::reading::Reading;

use self::delays::{Delay, Delays};
use self::standing::{Claim, Filed, Protection, Scheduled, View, power_on_state};
pub use self::status::{ClaimStatus, RelayStatus, TripSeen, Until};
pub use self::types::{
    Actions, Cause, Class, DelayReason, Memory, Refusal, RelayChange, RelayCommand, ScheduleClaim, Source,
    Wish,
};
use self::words::{Prompt, Why, Words, text};
use crate::core::Moment;
use crate::number::tenths;
use crate::platform::Instant;
use crate::settings::schema::{ManualUntil, RelaySettings};

/// What a person is told who wishes it on before the start; it takes less.
const UNTIL_STARTED: Duration = Duration::from_secs(1);

/// The newest change of the state or of who decides.
#[derive(Clone, Debug)]
struct Decision {
    /// Of the claim that holds.
    number: u32,
    source: Source,
    cause: Cause,
    since: Moment,
    waits_for: Option<DelayReason>,
}

/// What is kept of the newest reading for the log.
#[derive(Clone, Copy, Debug)]
struct Seen {
    sequence: u64,
    active_power_w: f64,
    current_a: f64,
    voltage_v: f64,
}

/// The machine drawn above.
#[derive(Clone, Debug)]
pub struct Claims {
    settings: RelaySettings,
    protection: Option<Protection>,
    manual: Option<Claim>,
    timer: Option<Claim>,
    schedule: Option<Scheduled>,
    power_on: Claim,
    /// How many claims were filed.
    filed: u32,
    delays: Delays,
    decision: Decision,
    on: bool,
    switch_count: u32,
    /// Since when it has been on and the load idle.
    idle_since: Option<Instant>,
    seen: Option<Seen>,
}

impl Default for Claims {
    fn default() -> Self {
        Self::new()
    }
}

impl Claims {
    /// Open, with default settings; nothing switches it on before [`Self::start`].
    #[must_use]
    pub fn new() -> Self {
        let filed = Filed { number: 0, at: Moment::default() };
        let why = Why::NotStarted;
        let decision = Decision {
            number: 0,
            source: Source::PowerOn,
            cause: text(format_args!("{}", Words::Own(why, false))),
            since: filed.at,
            waits_for: None,
        };
        Self {
            settings: RelaySettings::default(),
            protection: None,
            manual: None,
            timer: None,
            schedule: None,
            power_on: Claim { on: false, why, source: Source::PowerOn, filed, ends_at: None },
            filed: 0,
            delays: Delays::default(),
            decision,
            on: false,
            switch_count: 0,
            idle_since: None,
            seen: None,
        }
    }

    /// Whether the relay is commanded closed.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.on
    }

    /// When [`Self::tick`] is due; `None`: not until something else happens.
    #[must_use]
    pub fn poll_at(&self) -> Option<Instant> {
        let time_over = self.manual.as_ref().and_then(|manual| manual.ends_at);
        let wait_over = self.waits().and_then(|delay| delay.until);
        [time_over, wait_over].into_iter().flatten().min()
    }

    /// Takes new settings: at once for what waits, the others with what comes next. `power_on` and the start delay
    /// count at the start only.
    pub fn set_settings(&mut self, now: Moment, settings: &RelaySettings) -> Actions {
        self.settings = settings.clone();
        self.decide(now, Prompt::None, None)
    }

    /// The power-on state is taken; the pin is driven in any case, since nobody knows how it was left. `random` from
    /// 0 to 1 is the part of `start_delay_random_s` that is waited. A lock-out in `memory` is a protection claim from
    /// here on, so that nothing closes before the guard speaks.
    pub fn start(&mut self, now: Moment, memory: &Memory, random: f64) -> Actions {
        let (on, why) = power_on_state(self.settings.power_on, memory);
        let part = if random > 0.0 { random.min(1.0) } else { 0.0 };
        let by_chance = self.settings.start_delay_random.as_secs_f64() * part;
        let by_chance = Duration::try_from_secs_f64(by_chance).unwrap_or_default();
        let kept = why == Why::Kept;
        let delay = if kept { Duration::ZERO } else { self.settings.start_delay.saturating_add(by_chance) };
        self.delays.start(now.instant, delay, kept);
        // It has been on all the time: no switching, and nothing to wait for.
        self.on = kept;
        self.power_on = Claim { on, why, source: Source::PowerOn, filed: self.file(now), ends_at: None };
        let mut actions = match &memory.locked_out {
            Some(cause) if self.protection.is_none() => {
                self.protection = Some(Protection { cause: cause.clone(), filed: self.file(now) });
                self.decide(now, Prompt::StillLockedOut, Some(Source::PowerOn))
            }
            _ => self.decide(now, Prompt::None, None),
        };
        actions.relay = Some(self.on);
        actions
    }

    /// Somebody wishes something.
    ///
    /// # Errors
    /// Why an on is refused. Nothing has changed then, and an off is never refused.
    pub fn command(&mut self, now: Moment, command: RelayCommand) -> Result<Actions, Refusal> {
        match command.wish {
            Wish::Set(on) => self.switch(now, on, &command),
            Wish::Toggle => self.switch(now, !self.on, &command),
            Wish::Release => Ok(self.release(now, command.source)),
            Wish::Rearm | Wish::CancelRetries => Ok(Actions::default()),
        }
    }

    /// Protection wants it open (and why), or has nothing against it any more. The same cause again changes nothing.
    pub fn protect(&mut self, now: Moment, cause: Option<Cause>) -> Actions {
        match cause {
            Some(cause) if self.protection.as_ref().is_some_and(|standing| standing.cause == cause) => {
                Actions::default()
            }
            Some(cause) => {
                self.protection = Some(Protection { cause, filed: self.file(now) });
                self.decide(now, Prompt::None, None)
            }
            None => {
                self.protection = None;
                self.decide(now, Prompt::Lifted, Some(Source::Protection))
            }
        }
    }

    /// Somebody re-armed after a trip: it stays off until somebody wants it on. Without a lock-out nothing happens.
    pub fn rearmed(&mut self, now: Moment, source: Source) -> Actions {
        if self.protection.take().is_none() {
            return Actions::default();
        }
        self.timer = None;
        let filed = self.file(now);
        self.manual = Some(Claim { on: false, why: Why::Rearmed, source, filed, ends_at: None });
        self.decide(now, Prompt::None, None)
    }

    /// Protection tries again after a trip: whoever stands below it decides.
    pub fn retry(&mut self, now: Moment) -> Actions {
        if self.protection.take().is_none() {
            return Actions::default();
        }
        self.decide(now, Prompt::Retry, Some(Source::Retry))
    }

    /// What the schedule wants from now on. An edge ends what was wished by hand, but for a `for_s` that still runs.
    pub fn schedule(&mut self, now: Moment, claim: Option<ScheduleClaim>) -> Actions {
        let Some(claim) = claim else {
            if self.schedule.take().is_none() {
                // Whatever else may be due is not the schedule's doing.
                return Actions::default();
            }
            return self.decide(now, Prompt::NoSchedule, Some(Source::Schedule));
        };
        if claim.edge && self.settings.manual_until == ManualUntil::Schedule {
            self.manual = self.manual.take().filter(|manual| manual.ends_at.is_some());
            self.timer = None;
        }
        match &mut self.schedule {
            Some(standing) if standing.on == claim.on && !claim.edge => standing.cause = claim.cause,
            _ => {
                let filed = self.file(now);
                self.schedule = Some(Scheduled { on: claim.on, cause: claim.cause, filed, rests: false });
            }
        }
        self.decide(now, Prompt::None, None)
    }

    /// Remembers what was measured, for the log, and switches off what has been idle for long enough.
    pub fn note(&mut self, now: Moment, reading: &Reading) -> Actions {
        self.seen = Some(Seen {
            sequence: reading.sequence,
            active_power_w: reading.active_power.0,
            current_a: reading.current.0,
            voltage_v: reading.voltage.0,
        });
        let below_w = self.settings.idle_off_below_w.filter(|_| self.on);
        let Some(below_w) = below_w.filter(|below_w| reading.active_power.0.abs() < *below_w) else {
            self.idle_since = None;
            return Actions::default();
        };
        let since = *self.idle_since.get_or_insert(now.instant);
        if now.instant.since(since) < self.settings.idle_off_after {
            return Actions::default();
        }
        self.idle(now, below_w)
    }

    /// Time went by.
    pub fn tick(&mut self, now: Moment) -> Actions {
        let over = |manual: &Claim| manual.ends_at.is_some_and(|end| end <= now.instant);
        if self.manual.as_ref().is_some_and(over) {
            self.manual = None;
            return self.decide(now, Prompt::TimeOver, Some(Source::Timer));
        }
        self.decide(now, Prompt::None, None)
    }

    /// A wish for on or off.
    fn switch(&mut self, now: Moment, on: bool, command: &RelayCommand) -> Result<Actions, Refusal> {
        if on {
            self.may_switch_on_by_hand(now.instant)?;
        }
        let (duration, why) = match (command.duration, self.settings.inching) {
            (None, Some(inching)) if on => (Some(inching), Why::Inching(inching)),
            (duration, _) => (duration, Why::Hand(duration)),
        };
        self.timer = duration.and_then(|_| self.before_the_time(now));
        if let Why::Inching(_) = why {
            // Each on by hand ends: there is none to go back to.
            self.timer = self.timer.take().filter(|before| !before.on);
        }
        let ends_at = duration.map(|duration| now.instant.after(duration));
        let manual = Claim { on, why, source: command.source, filed: self.file(now), ends_at };
        self.manual = Some(manual);
        let actions = self.decide(now, Prompt::None, None);
        Ok(self.or_noted(now, actions, command.source, Words::Own(why, on)))
    }

    /// Give up what was wished by hand.
    fn release(&mut self, now: Moment, source: Source) -> Actions {
        let (manual, timer) = (self.manual.take(), self.timer.take());
        if manual.is_none() && timer.is_none() {
            return Actions::default();
        }
        let actions = self.decide(now, Prompt::Released, Some(source));
        self.or_noted(now, actions, source, "released by hand")
    }

    /// The load was idle: every claim for on ends, from the top, until one for off holds.
    fn idle(&mut self, now: Moment, below_w: f64) -> Actions {
        while self.holder().on {
            match self.holder().class {
                // Never for on.
                Class::Protection => break,
                Class::Manual => self.manual = None,
                Class::Timer => self.timer = None,
                Class::Schedule => {
                    if let Some(schedule) = &mut self.schedule {
                        schedule.rests = true;
                    }
                }
                Class::PowerOn => {
                    let filed = self.file(now);
                    let why = Why::Idle;
                    self.power_on = Claim { on: false, why, source: Source::Idle, filed, ends_at: None };
                }
            }
        }
        let prompt = Prompt::Idle { below_w, after: self.settings.idle_off_after };
        self.decide(now, prompt, Some(Source::Idle))
    }

    /// Whether a person may switch on; where it is on already there is nothing to switch.
    fn may_switch_on_by_hand(&self, now: Instant) -> Result<(), Refusal> {
        if self.protection.is_some() {
            return Err(Refusal::LockedOut);
        }
        match self.delays.now(now, &self.settings, Class::Manual).filter(|_| !self.on) {
            None => Ok(()),
            Some(Delay { until, reason: why }) => {
                let wait = until.map_or(UNTIL_STARTED, |until| until.since(now));
                Err(Refusal::TooSoon { wait, why })
            }
        }
    }

    /// What a `for_s` that begins now goes back to by itself: the wish by hand that it replaces, or where it follows
    /// another `for_s`, what that one would have gone back to.
    fn before_the_time(&mut self, now: Moment) -> Option<Claim> {
        match self.manual {
            Some(Claim { on, ends_at: None, .. }) => {
                let (why, source) = (Why::BeforeTheTime, Source::Timer);
                Some(Claim { on, why, source, filed: self.file(now), ends_at: None })
            }
            _ => self.timer,
        }
    }

    fn file(&mut self, at: Moment) -> Filed {
        self.filed = self.filed.wrapping_add(1);
        Filed { number: self.filed, at }
    }

    /// What keeps it from going on, if the one that decides wants it on.
    fn waits(&self) -> Option<Delay> {
        let holder = self.holder();
        if !holder.on || self.on { None } else { self.delays.latest(&self.settings, holder.class) }
    }

    /// Compares what was decided with what the claims now say, and acts on the difference: the one place where the
    /// state changes. Without a `source` it is the one of the claim that holds.
    fn decide(&mut self, now: Moment, prompt: Prompt, source: Option<Source>) -> Actions {
        let holder = self.holder();
        let (class, number) = (holder.class, holder.number);
        let closes = holder.on && !self.on;
        let delay = self.delays.now(now.instant, &self.settings, class).filter(|_| closes);
        let on = holder.on && delay.is_none();
        let same_holder = number == self.decision.number;
        if on == self.on && same_holder {
            return Actions::default();
        }
        let waited = self.decision.waits_for.filter(|_| same_holder).map(Prompt::Waited);
        let prompt = waited.unwrap_or(prompt);
        let source = source.unwrap_or(if same_holder { self.decision.source } else { holder.source });
        let words = holder.words;
        let cause = match delay {
            None => text(format_args!("{prompt}{words}")),
            Some(Delay { until: None, reason }) => {
                text(format_args!("{prompt}waits ({}); {words}", words::delay(reason)))
            }
            Some(Delay { until: Some(until), reason }) => text(format_args!(
                "{prompt}waits {} s ({}); {words}",
                tenths(until.since(now.instant).as_secs_f64()),
                words::delay(reason)
            )),
        };
        let waits_for = delay.map(|delay| delay.reason);
        let switched = on != self.on;
        self.decision = Decision { number, source, cause: cause.clone(), since: now, waits_for };
        if switched {
            self.on = on;
            self.switch_count = self.switch_count.saturating_add(1);
            self.delays.switched(now.instant, on);
            self.idle_since = None;
        }
        Actions { relay: switched.then_some(on), change: Some(self.change(now, source, cause)) }
    }

    /// A wish by hand that a lock-out stands against: nothing changes, but the log says who wished it.
    fn or_noted(
        &self,
        now: Moment,
        actions: Actions,
        source: Source,
        wish: impl core::fmt::Display,
    ) -> Actions {
        if actions.change.is_some() {
            return actions;
        }
        let cause = text(format_args!("{wish}; still {}", self.holder().words));
        Actions { change: Some(self.change(now, source, cause)), ..actions }
    }

    /// A line for the log on what changes nothing here.
    #[must_use]
    pub fn remark(&self, now: Moment, source: Source, cause: Cause) -> RelayChange {
        self.change(now, source, cause)
    }

    fn change(&self, now: Moment, source: Source, cause: Cause) -> RelayChange {
        RelayChange {
            number: 0,
            time: now.time,
            uptime_s: now.instant.since_start().as_secs_f64(),
            start: 0,
            on: self.on,
            source,
            class: self.holder().class,
            cause,
            locked_out: self.protection.is_some(),
            reading_sequence: self.seen.map(|seen| seen.sequence),
            active_power_w: self.seen.map(|seen| seen.active_power_w),
            current_a: self.seen.map(|seen| seen.current_a),
            voltage_v: self.seen.map(|seen| seen.voltage_v),
        }
    }
}
