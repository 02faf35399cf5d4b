//! The relay: who wants it on or off, and why it is as it is.
//!
//! ```text
//!              wish: on                  trip
//!   Off  <-----------------> On  -----------------> LockedOut
//!    ^        wish: off      |     (from Off too)       |
//!    |     end of a hold     |                          | re-arm
//!    +-----------------------+--------------------------+
//! ```
//! A hold (`for_s`) remembers the state before it and goes back to it; any later wish ends the hold.

use core::fmt::Write;
use core::time::Duration;

use heapless::String;
use metering::reading::Reading;
use serde::Serialize;

use crate::core::protection::Trip;
use crate::core::{Actions, Moment};
use crate::platform::Instant;

/// A sentence that says why.
pub type Cause = String<96>;

/// Where a wish to switch comes from; later steps add more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The state after power-up.
    PowerOn,
    /// Somebody through the web interface.
    Web,
    /// The end of a `for_s`.
    Timer,
    /// The protection.
    Protection,
}

/// What a person asks of the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Closed or open.
    Set(bool),
    /// The other way round.
    Toggle,
    /// End the lock-out after a trip; the relay stays open.
    Rearm,
}

/// A wish with its time limit (`for_s`): afterwards the relay goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelayCommand {
    /// What is asked.
    pub wish: Wish,
    /// For how long; `None` for good.
    pub duration: Option<Duration>,
    /// Who asks.
    pub source: Source,
}

/// `GET /api/v1/relay`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RelayStatus {
    /// Whether the relay is commanded closed.
    pub on: bool,
    /// Whether the contact was seen closed; null where the hardware cannot tell.
    pub measured: Option<bool>,
    /// Who commanded it.
    pub commanded_by: Source,
    /// Why, in words.
    pub reason: Cause,
    /// Since when, Unix seconds; null before the clock is trusted.
    pub since: Option<f64>,
    /// Since when, seconds after start.
    pub since_uptime_s: f64,
    /// Seconds until a `for_s` ends; null without one.
    pub remaining_s: Option<f64>,
    /// Whether protection holds it open until somebody re-arms.
    pub locked_out: bool,
    /// Changes since start.
    pub switch_count: u32,
}

/// One line of `GET /api/v1/relay/log`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RelayChange {
    /// When, Unix seconds; null before the clock is trusted.
    pub time: Option<f64>,
    /// When, seconds after start.
    pub uptime_s: f64,
    /// What it became.
    pub on: bool,
    /// Who.
    pub source: Source,
    /// Why, in words.
    pub cause: Cause,
    /// `sequence` of the newest reading when it happened; null before the first.
    pub reading_sequence: Option<u64>,
    /// Active power in that reading.
    pub active_power_w: Option<f64>,
    /// Current in that reading.
    pub current_a: Option<f64>,
}

/// A limited wish that is running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hold {
    until: Instant,
    then: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Open or closed as wished.
    Wished { on: bool, hold: Option<Hold> },
    /// Open after a trip.
    LockedOut,
}

/// What is kept of the newest reading for the log.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Seen {
    sequence: u64,
    active_power_w: f64,
    current_a: f64,
}

/// The machine drawn above.
#[derive(Clone, Debug)]
pub struct RelayMachine {
    state: State,
    power_on: bool,
    commanded_by: Source,
    reason: Cause,
    since: Moment,
    switch_count: u32,
    seen: Option<Seen>,
}

impl RelayMachine {
    /// Open; [`Self::start`] brings it to `power_on`.
    #[must_use]
    pub fn new(power_on: bool) -> Self {
        Self {
            state: State::Wished { on: false, hold: None },
            power_on,
            commanded_by: Source::PowerOn,
            reason: text(format_args!("open until the plug has started")),
            since: Moment::default(),
            switch_count: 0,
            seen: None,
        }
    }

    /// Whether it is commanded closed.
    #[must_use]
    pub fn is_on(&self) -> bool {
        matches!(self.state, State::Wished { on: true, .. })
    }

    /// The power-on state is taken.
    pub fn start(&mut self, now: Moment) -> Actions {
        let state = State::Wished { on: self.power_on, hold: None };
        let word = if self.power_on { "on" } else { "off" };
        let mut actions =
            self.enter(now, state, Source::PowerOn, text(format_args!("{word} after power-up, as set")));
        // The pin is driven in any case: nobody knows how it was left.
        actions.relay = Some(self.power_on);
        actions
    }

    /// Remembers what was measured, for the log.
    pub fn note(&mut self, reading: &Reading) {
        self.seen = Some(Seen {
            sequence: reading.sequence,
            active_power_w: reading.active_power.0,
            current_a: reading.current.0,
        });
    }

    /// Somebody wishes something. While locked out only a re-arm is heard.
    pub fn command(&mut self, now: Moment, command: RelayCommand) -> Actions {
        let on = self.is_on();
        match (self.state, command.wish) {
            (State::LockedOut, Wish::Rearm) => self.rearm(now, command.source),
            (State::LockedOut, _) | (State::Wished { .. }, Wish::Rearm) => Actions::default(),
            (State::Wished { .. }, Wish::Set(wished)) => self.wish(now, wished, command),
            (State::Wished { .. }, Wish::Toggle) => self.wish(now, !on, command),
        }
    }

    /// Protection opens the relay, whatever anybody wishes.
    pub fn trip(&mut self, now: Moment, trip: &Trip) -> Actions {
        if self.state == State::LockedOut {
            return Actions::default();
        }
        let cause = trip.cause();
        let mut actions = self.enter(now, State::LockedOut, Source::Protection, cause);
        actions.relay = Some(false);
        actions
    }

    /// Time went by.
    pub fn tick(&mut self, now: Moment) -> Actions {
        match self.state {
            State::Wished { hold: Some(hold), .. } if hold.until <= now.instant => {
                let state = State::Wished { on: hold.then, hold: None };
                self.enter(now, state, Source::Timer, text(format_args!("the time asked for is over")))
            }
            _ => Actions::default(),
        }
    }

    /// When [`Self::tick`] is due.
    #[must_use]
    pub fn poll_at(&self) -> Option<Instant> {
        match self.state {
            State::Wished { hold, .. } => hold.map(|hold| hold.until),
            State::LockedOut => None,
        }
    }

    /// How it is told to the world.
    #[must_use]
    pub fn status(&self, now: Instant, measured: Option<bool>) -> RelayStatus {
        RelayStatus {
            on: self.is_on(),
            measured,
            commanded_by: self.commanded_by,
            reason: self.reason.clone(),
            since: self.since.time,
            since_uptime_s: self.since.instant.since_start().as_secs_f64(),
            remaining_s: self.poll_at().map(|until| until.since(now).as_secs_f64()),
            locked_out: self.state == State::LockedOut,
            switch_count: self.switch_count,
        }
    }

    fn wish(&mut self, now: Moment, on: bool, command: RelayCommand) -> Actions {
        // A hold on top of a hold goes back to where the first one would have gone.
        let before = match self.state {
            State::Wished { hold: Some(hold), .. } => hold.then,
            _ => self.is_on(),
        };
        let hold = command.duration.map(|duration| Hold { until: now.instant.after(duration), then: before });
        let word = if on { "on" } else { "off" };
        let cause = match command.duration {
            None => text(format_args!("switched {word} by hand")),
            Some(duration) => {
                text(format_args!("switched {word} by hand for {:.1} s", duration.as_secs_f64()))
            }
        };
        self.enter(now, State::Wished { on, hold }, command.source, cause)
    }

    fn rearm(&mut self, now: Moment, source: Source) -> Actions {
        let state = State::Wished { on: false, hold: None };
        self.enter(now, state, source, text(format_args!("re-armed by hand; still off")))
    }

    /// The one place where the state changes.
    fn enter(&mut self, now: Moment, state: State, source: Source, cause: Cause) -> Actions {
        let was_on = self.is_on();
        self.state = state;
        self.commanded_by = source;
        self.reason = cause;
        self.since = now;
        let on = self.is_on();
        if on != was_on {
            self.switch_count = self.switch_count.saturating_add(1);
        }
        let mut actions = Actions { relay: (on != was_on).then_some(on), ..Actions::default() };
        // One change fits the list.
        let _ = actions.changes.push(RelayChange {
            time: now.time,
            uptime_s: now.instant.since_start().as_secs_f64(),
            on,
            source,
            cause: self.reason.clone(),
            reading_sequence: self.seen.map(|seen| seen.sequence),
            active_power_w: self.seen.map(|seen| seen.active_power_w),
            current_a: self.seen.map(|seen| seen.current_a),
        });
        actions
    }
}

/// A sentence; what does not fit is cut, never lost as a whole.
fn text(arguments: core::fmt::Arguments<'_>) -> Cause {
    let mut cause = Cause::new();
    let _ = cause.write_fmt(arguments);
    cause
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment { instant: Instant::from_start(Duration::from_secs(seconds)), time: None }
    }

    fn command(wish: Wish, seconds: Option<u64>) -> RelayCommand {
        RelayCommand { wish, duration: seconds.map(Duration::from_secs), source: Source::Web }
    }

    #[test]
    fn a_hold_goes_back_to_what_was_before_the_first_one() {
        let mut relay = RelayMachine::new(false);
        assert_eq!(relay.start(at(0)).relay, Some(false));
        assert_eq!(relay.command(at(1), command(Wish::Set(true), Some(10))).relay, Some(true));
        assert_eq!(relay.command(at(5), command(Wish::Set(true), Some(10))).relay, None);
        assert_eq!(relay.poll_at(), Some(at(15).instant));
        assert_eq!(relay.tick(at(14)).relay, None);
        assert_eq!(relay.tick(at(15)).relay, Some(false));
        assert_eq!(relay.status(at(16).instant, None).commanded_by, Source::Timer);
        assert_eq!(relay.poll_at(), None);
    }

    #[test]
    fn a_later_wish_ends_a_hold() {
        let mut relay = RelayMachine::new(true);
        let _ = relay.start(at(0));
        assert_eq!(relay.command(at(1), command(Wish::Toggle, Some(10))).relay, Some(false));
        assert_eq!(relay.command(at(2), command(Wish::Set(false), None)).relay, None);
        assert_eq!(relay.poll_at(), None);
        assert_eq!(relay.tick(at(100)), Actions::default());
    }

    #[test]
    fn nothing_but_a_rearm_ends_a_lock_out() {
        let mut relay = RelayMachine::new(true);
        let _ = relay.start(at(0));
        let trip = Trip::OverCurrent {
            current: metering::units::Amperes(40.0),
            limit: metering::units::Amperes(16.0),
        };
        let actions = relay.trip(at(1), &trip);
        assert_eq!(actions.relay, Some(false));
        assert_eq!(actions.changes[0].cause, "over-current: 40.0 A in a half cycle, 16.0 A allowed");
        assert_eq!(relay.command(at(2), command(Wish::Set(true), None)), Actions::default());
        assert_eq!(relay.trip(at(2), &trip), Actions::default());
        assert!(relay.status(at(2).instant, None).locked_out);
        assert_eq!(relay.command(at(3), command(Wish::Rearm, None)).relay, None);
        assert!(!relay.is_on());
        assert_eq!(relay.command(at(4), command(Wish::Set(true), None)).relay, Some(true));
    }
}
