//! Protection: everything that opens the relay whatever anybody wishes, what follows, and what is only an alarm.
//!
//! Glossary
//! - *limit in force*: what the owner set, within what the board can carry ([`Limits::of`]).
//! - *instant trip*: over-current in a half cycle; found in [`crate::core::protection`] with every block of samples, or
//!   below the core with every sample, and told to the guard, which keeps no limit of its own for it.
//! - *slow protections*: inverse time, over-power, over- and under-voltage, energy budget, chip temperature, sensor
//!   fault; looked at with every reading, five times a second. They trip only while the relay is commanded closed.
//! - *verdict*: what a protection says of what it has seen; asking for it changes nothing.
//! - *condition*: what caused the trip. It is *clear* when the protection that tripped says so (each has its own way
//!   back: hysteresis, cooling, the next day), when no other protection would trip at once, and when no contact is
//!   welded.
//! - *locked out*: the relay stays open, no claim can beat that. A *retry* ends it by itself, a *re-arm* by hand.
//! - *alarm*: something is wrong, shown for as long as it is so; it switches nothing.
//!
//! ```text
//!                  trip, retries left                pause over and condition clear
//!   Watching ----------------------------> Waiting --------------------------------> Retrying
//!    ^  ^  |                               | | ^ ^                                    | |  |
//!    |  |  |                               | | | |   trip, retries left (longer pause)| |  |
//!    |  |  |                               | | | +------------------------------------+ |  |
//!    |  |  |              re-arm           | | |  a further trip                        |  |
//!    |  +----------------------------------+ | +-- (the pause starts anew)              |  |
//!    |  |  |                                 |                                          |  |
//!    |  |  | trip, no retries left           | cancel, or fewer retries set             |  |
//!    |  |  +-----------------> LockedOut <---+                                          |  |
//!    |  |                       |   ^  ^   trip, no retries left or cancelled            |  |
//!    |  |      re-arm           |   |  +------------------------------------------------+  |
//!    |  +-----------------------+   |                                                      |
//!    |                              +-- start, if it was locked out before                 |
//!    |                                                                                     |
//!    |      stayed on for the pause, at least 60 s: all retries are back                   |
//!    +-------------------------------------------------------------------------------------+
//! ```
//! Each input first goes to the protections, which only take it in; then they are asked, and at most one transition is
//! made (`lock_out.rs` has one function for each).

mod budget;
pub mod inverse_time;
mod limits;
mod lock_out;
mod power;
mod sensor;
mod status;
mod stretch;
mod temperature;
mod voltage;
mod weld;

#[cfg(test)]
mod tests;

use metering::reading::Reading;
use metering::units::Amperes;

pub use limits::{LONGEST_PAUSE, Limits, MOST_INSTANT, SHORTEST_PAUSE};
pub use status::{Alarm, AlarmKind, BudgetStatus, GuardState, Margins, ProtectionStatus, RetryWaits};

use self::budget::Budget;
use self::inverse_time::InverseTime;
use self::lock_out::LockOut;
use self::power::OverPower;
use self::sensor::Sensor;
use self::status::Seen;
use self::temperature::Temperature;
use self::voltage::Voltage;
use self::weld::Weld;
use crate::core::Moment;
use crate::core::protection::{Cause, Trip, sentence};
use crate::number::Places;
use crate::platform::Instant;
use crate::settings::schema::{Hardware, ProtectionSettings};

/// What the guard is told.
#[derive(Clone, Debug)]
pub enum Input<'a> {
    /// What the storage knows of before the start.
    Start {
        /// Why it was locked out, if it was.
        locked_out: Option<Cause>,
        /// Energy imported on `day`, in watt-hours.
        budget_used_wh: f64,
        /// The local day that the energy belongs to (a number that grows by one a day); `None`: not known.
        day: Option<i64>,
    },
    /// A window was measured.
    Reading {
        /// It.
        reading: &'a Reading,
        /// Whether the relay is commanded closed now.
        on: bool,
        /// The local day, if the clock is trusted.
        day: Option<i64>,
    },
    /// The relay has to be, or already is, opened at once: over-current, or no samples as seen below the core, where
    /// the relay was opened whatever is set. Always a trip.
    Instant(Trip),
    /// No block came for so long that something must be wrong: a trip if `sensor_fault` is set, else an alarm.
    Silence,
    /// The chip's temperature in degrees Celsius.
    Temperature(f64),
    /// Somebody wants to use the relay again, by button or web.
    Rearm,
    /// Somebody wants it to stay open.
    CancelRetries,
    /// The relay was commanded.
    Commanded {
        /// To what.
        on: bool,
    },
    /// Nothing but time went by (see [`Guard::poll_at`]).
    Tick,
}

/// What became of an input.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The relay has to be open now: log it, keep its waveform.
    pub tripped: Option<Trip>,
    /// The lock-out ended by itself: the relay may be closed again if anybody still wants it.
    pub retry: bool,
    /// The lock-out ended by hand.
    pub rearmed: bool,
    /// There is another alarm, or none any more.
    pub alarm_changed: bool,
}

/// The machine drawn above, with the protections around it.
#[derive(Clone, Debug)]
pub struct Guard {
    hardware: Hardware,
    limits: Limits,
    lock_out: LockOut,
    inverse_time: InverseTime,
    over_power: OverPower,
    voltage: Voltage,
    budget: Budget,
    temperature: Temperature,
    sensor: Sensor,
    weld: Weld,
    alarm: Option<Alarm>,
    seen: Option<Seen>,
}

impl Guard {
    /// Watching with the default settings.
    #[must_use]
    pub fn new(hardware: Hardware) -> Self {
        Self {
            hardware,
            limits: Limits::of(&ProtectionSettings::default(), &hardware),
            lock_out: LockOut::new(),
            inverse_time: InverseTime::default(),
            over_power: OverPower::default(),
            voltage: Voltage::default(),
            budget: Budget::default(),
            temperature: Temperature::default(),
            sensor: Sensor::default(),
            weld: Weld::default(),
            alarm: None,
            seen: None,
        }
    }

    /// Other settings hold from now on; what was measured so far counts on. Retries that are no longer allowed are
    /// cancelled; more of them do not end a lock-out.
    pub fn set_settings(&mut self, _now: Moment, settings: &ProtectionSettings) {
        self.limits = Limits::of(settings, &self.hardware);
        self.lock_out.settings_changed(&self.limits);
    }

    /// What a count of the current channel stands for; without it, a stuck channel is judged in amperes.
    pub fn set_gain(&mut self, amperes_a_count: f64) {
        self.sensor.set_gain(amperes_a_count);
    }

    /// Takes an input; the effects are the caller's to carry out.
    #[must_use]
    pub fn handle(&mut self, now: Moment, input: Input<'_>) -> Outcome {
        let mut outcome = Outcome::default();
        match input {
            Input::Start { locked_out, budget_used_wh, day } => {
                self.budget.start(now, budget_used_wh, day);
                if let Some(cause) = locked_out {
                    self.lock_out.resume(cause);
                }
            }
            Input::Reading { reading, on, day } => {
                self.take(now, reading, on, day);
                outcome = self.decide(now);
            }
            Input::Instant(trip) => {
                if trip == Trip::NoSamples {
                    self.sensor.fall_silent();
                }
                outcome.tripped = self.trip(now, trip);
            }
            Input::Silence => {
                self.sensor.fall_silent();
                outcome = self.decide(now);
            }
            Input::Temperature(temperature_c) => {
                self.temperature.take(temperature_c);
                outcome = self.decide(now);
            }
            Input::Rearm => outcome.rearmed = self.lock_out.rearm(),
            Input::CancelRetries => self.lock_out.cancel_retries(),
            Input::Commanded { on } => self.commanded(now, on),
            Input::Tick => {
                self.budget.tick(now);
                outcome = self.decide(now);
            }
        }
        outcome.alarm_changed = self.follow_alarm(now);
        outcome
    }

    /// When [`Input::Tick`] is due at the latest; `None`: not until something else happens.
    #[must_use]
    pub fn poll_at(&self) -> Option<Instant> {
        let Some(retry_at) = self.lock_out.retry_at() else {
            return self.lock_out.proved_at();
        };
        if self.is_clear() {
            return Some(retry_at);
        }
        // Readings and temperatures come by themselves; the end of a day without a clock does not.
        let waits_for_day = matches!(self.lock_out.waits_for(), Some(Trip::EnergyBudget { .. }));
        self.budget.period_ends().filter(|_| waits_for_day)
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> GuardState {
        self.lock_out.state()
    }

    /// Whether the relay has to stay open.
    #[must_use]
    pub fn is_locked_out(&self) -> bool {
        self.lock_out.is_locked_out()
    }

    /// Why it is locked out.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        self.lock_out.cause()
    }

    /// When the pause before the next retry ends; the retry then waits for the condition to be clear.
    #[must_use]
    pub fn retry_at(&self) -> Option<Instant> {
        self.lock_out.retry_at()
    }

    /// Retries that are left.
    #[must_use]
    pub fn retries_left(&self) -> u8 {
        self.lock_out.retries_left(&self.limits)
    }

    /// What is wrong beside trips.
    #[must_use]
    pub fn alarm(&self) -> Option<&Alarm> {
        self.alarm.as_ref()
    }

    /// The limits in force.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Lets every protection take a window in; nothing is decided here.
    fn take(&mut self, now: Moment, reading: &Reading, on: bool, day: Option<i64>) {
        if on != self.lock_out.is_on() {
            self.commanded(now, on);
        }
        self.inverse_time.take(reading);
        self.over_power.take(reading, on, &self.limits);
        self.voltage.take(reading, &self.limits);
        self.budget.take(now, reading, day);
        self.sensor.take(reading, on);
        self.weld.take(reading, on);
        let half_cycle = reading.half_cycle.current_max.unwrap_or(reading.current);
        self.seen = Some(Seen { current_a: half_cycle.0, power_w: reading.active_power.0 });
    }

    fn commanded(&mut self, now: Moment, on: bool) {
        self.lock_out.commanded(now.instant, on);
        if on {
            self.weld.commanded_on();
        }
    }

    /// Looks at everything, then makes at most one transition.
    fn decide(&mut self, now: Moment) -> Outcome {
        if self.lock_out.is_locked_out() {
            let is_clear = self.is_clear();
            return Outcome { retry: self.lock_out.tick(now.instant, is_clear), ..Outcome::default() };
        }
        let verdict = if self.lock_out.is_on() { self.verdict() } else { None };
        let tripped = verdict.and_then(|trip| self.trip(now, trip));
        if tripped.is_none() {
            self.lock_out.tick(now.instant, false);
        }
        Outcome { tripped, ..Outcome::default() }
    }

    fn trip(&mut self, now: Moment, trip: Trip) -> Option<Trip> {
        self.lock_out.trip(now.instant, trip, &self.limits).then_some(trip)
    }

    /// The first protection that would open the relay.
    fn verdict(&self) -> Option<Trip> {
        let limits = &self.limits;
        self.overload()
            .or_else(|| self.voltage.verdict(limits))
            .or_else(|| self.over_power.verdict(limits))
            .or_else(|| self.temperature.verdict(limits))
            .or_else(|| self.budget.verdict(limits))
            .or_else(|| self.sensor.fault().filter(|_| limits.sensor_fault))
    }

    fn overload(&self) -> Option<Trip> {
        let rated = self.limits.rated_current.filter(|rated| self.inverse_time.trips(*rated))?;
        Some(Trip::InverseTime { current: self.inverse_time.current(), rated })
    }

    /// Whether what is waited for is over, and nothing else stands against closing.
    fn is_clear(&self) -> bool {
        let limits = &self.limits;
        let cause_is_clear = match self.lock_out.waits_for() {
            Some(Trip::InverseTime { .. }) => {
                limits.rated_current.is_none_or(|rated| self.inverse_time.is_clear(rated))
            }
            Some(Trip::OverVoltage { .. }) => self.voltage.is_low_enough(limits),
            Some(Trip::UnderVoltage { .. }) => self.voltage.is_high_enough(limits),
            Some(Trip::OverTemperature { .. }) => self.temperature.is_clear(limits),
            Some(Trip::NoSamples | Trip::StuckSensor(_)) => self.sensor.fault().is_none(),
            // The verdict below knows the budget; of the rest nothing is left once the relay is open.
            _ => true,
        };
        cause_is_clear && self.weld.current().is_none() && self.verdict().is_none()
    }

    /// Keeps the alarm as things are; returns whether it changed.
    fn follow_alarm(&mut self, now: Moment) -> bool {
        let kind = match (self.weld.current(), self.sensor.fault()) {
            (Some(_), _) => Some(AlarmKind::Welded),
            (None, Some(Trip::NoSamples)) => Some(AlarmKind::NoSamples),
            (None, fault) => fault.map(|_| AlarmKind::StuckSensor),
        };
        if kind == self.alarm.as_ref().map(|alarm| alarm.kind) {
            return false;
        }
        self.alarm = kind.map(|kind| Alarm {
            kind,
            cause: self.alarm_cause(),
            since: now.time,
            since_uptime_s: now.instant.since_start().as_secs_f64(),
        });
        true
    }

    fn alarm_cause(&self) -> Cause {
        match (self.weld.current(), self.sensor.fault()) {
            (Some(current), _) => welded(Amperes(current)),
            (None, fault) => fault.map(|fault| fault.cause()).unwrap_or_default(),
        }
    }
}

fn welded(current: Amperes) -> Cause {
    sentence(format_args!(
        "welded: commanded off, and {} A flow all the same; pull the plug",
        Places(current.0, 2)
    ))
}
