//! What the tests of the guard stand on: a bench with a relay, and windows to give it.

extern crate std;

mod lock_out;
mod protections;

use core::time::Duration;

use metering::quality::Flag;
use metering::reading::Reading;
use metering::units::{Amperes, Seconds, Volts, Watts};

use super::{Guard, Input, Outcome};
use crate::core::Moment;
use crate::core::protection::Trip;
use crate::platform::Instant;
use crate::settings::schema::{Hardware, ProtectionSettings};

pub(super) fn at(seconds: f64) -> Moment {
    Moment { instant: Instant::from_start(Duration::from_secs_f64(seconds)), time: None }
}

/// A window of 0.2 s at 230 V with nothing flowing and the relay off, ending at `end`.
pub(super) fn reading(end: f64) -> Reading {
    Reading { uptime: Seconds(end), voltage: Volts(230.0), ..Reading::NONE }
}

const HARDWARE: Hardware = Hardware { confirms_setup: false, can_hold: false, ..Hardware::ANY };

/// A guard with a relay that obeys it and whose owner always wants it on.
struct Bench {
    guard: Guard,
    settings: ProtectionSettings,
    seconds: f64,
    on: bool,
    day: Option<i64>,
}

impl Bench {
    fn new(set: impl FnOnce(&mut ProtectionSettings)) -> Self {
        let mut settings = ProtectionSettings::default();
        set(&mut settings);
        let guard = Guard::new(HARDWARE);
        let mut bench = Self { guard, settings, seconds: 0.0, on: false, day: None };
        bench.set(|_| ());
        let start = Input::Start { locked_out: None, budget_used_wh: 0.0, day: None };
        assert_eq!(bench.tell(start), Outcome::default());
        bench.switch(true);
        bench
    }

    fn set(&mut self, set: impl FnOnce(&mut ProtectionSettings)) {
        set(&mut self.settings);
        self.guard.set_settings(at(self.seconds), &self.settings);
    }

    fn tell(&mut self, input: Input<'_>) -> Outcome {
        let outcome = self.guard.handle(at(self.seconds), input);
        if outcome.tripped.is_some() {
            self.switch(false);
        }
        if outcome.retry || outcome.rearmed {
            self.switch(true);
        }
        outcome
    }

    fn switch(&mut self, on: bool) {
        self.on = on;
        let _ = self.guard.handle(at(self.seconds), Input::Commanded { on });
    }

    /// The next window of 0.2 s.
    fn window(&mut self, change: impl Fn(&mut Reading)) -> Outcome {
        self.seconds += 0.2;
        let mut reading = reading(self.seconds);
        reading.relay = self.on;
        change(&mut reading);
        self.tell(Input::Reading { reading: &reading, on: self.on, day: self.day })
    }

    /// Windows until something comes of it, at most for this long; says what and after how many seconds.
    fn windows(&mut self, seconds: f64, change: impl Fn(&mut Reading)) -> Option<(f64, Outcome)> {
        let start = self.seconds;
        while self.seconds - start < seconds - 0.01 {
            let outcome = self.window(&change);
            if outcome != Outcome::default() {
                return Some((self.seconds - start, outcome));
            }
        }
        None
    }

    /// Windows until it trips; says why and after how many seconds.
    fn trips(&mut self, seconds: f64, change: impl Fn(&mut Reading)) -> Option<(f64, &'static str)> {
        self.windows(seconds, change)
            .and_then(|(after, outcome)| outcome.tripped.map(|trip| (round(after), trip.kind())))
    }

    /// Nothing but windows without anything until a retry.
    fn retries_after(&mut self, seconds: f64, change: impl Fn(&mut Reading)) -> Option<f64> {
        let (after, outcome) = self.windows(seconds, change)?;
        assert!(outcome.retry, "{outcome:?}");
        Some(round(after))
    }
}

fn round(seconds: f64) -> f64 {
    (seconds * 10.0).round() / 10.0
}

fn volts(volts: f64) -> impl Fn(&mut Reading) {
    move |reading| reading.voltage = Volts(volts)
}

fn watts(watts: f64) -> impl Fn(&mut Reading) {
    move |reading| reading.active_power = Watts(watts)
}

fn amperes(amperes: f64) -> impl Fn(&mut Reading) {
    move |reading| reading.current = Amperes(amperes)
}

fn flags(flags: &'static [Flag], about_zero_a: f64) -> impl Fn(&mut Reading) {
    move |reading| {
        flags.iter().for_each(|flag| reading.quality.set(*flag));
        reading.half_cycle.current_min = Some(Amperes(about_zero_a));
    }
}

const SHORT: Trip = Trip::OverCurrent { current: Amperes(40.0), limit: Amperes(16.0) };
