//! A plug-in solar inverter: power that flows the other way.

use core::f64::consts::{SQRT_2, TAU};

use super::{Load, Moment, Norton, Rating, Tick};
use crate::sim::random::{Random, Wander};
use crate::sim::scenario::schema;

/// It stops outside 80 % to 115 % of the rated voltage (as VDE-AR-N 4105 asks).
const LOWEST_SHARE: f64 = 0.80;
const HIGHEST_SHARE: f64 = 1.15;
/// How fast the voltage is judged.
const JUDGE_S: f64 = 0.04;
/// How slowly clouds move.
const CLOUD_S: f64 = 8.0;
/// How soon full power is reached after the start.
const RAMP_S: f64 = 2.0;

/// An inverter that gives a sine of current in step with the mains.
pub(super) struct Solar {
    settings: schema::Solar,
    rating: Rating,
    /// Peak of the current that it gives.
    peak: f64,
    now: f64,
    clouds: Wander,
    /// Mean square of the voltage, relative to the rated one.
    squares: f64,
    mean_square: f64,
    /// Since the voltage is right.
    good_s: f64,
}

impl Solar {
    pub(super) fn new(settings: &schema::Solar, rating: Rating) -> Self {
        Self {
            clouds: Wander::new(settings.clouds_pct / 100.0, CLOUD_S),
            settings: settings.clone(),
            rating,
            peak: 0.0,
            now: 0.0,
            squares: 0.0,
            mean_square: 0.0,
            good_s: 0.0,
        }
    }
}

impl Load for Solar {
    fn tick(&mut self, tick: &Tick, random: &mut Random) {
        self.clouds.step(tick.duration_s, random);
        let rated = self.rating.volts * self.rating.volts;
        let now = self.squares / tick.duration_s / rated;
        self.squares = 0.0;
        self.mean_square += (now - self.mean_square) * (tick.duration_s / JUDGE_S).min(1.0);
        let is_good = tick.is_connected
            && (LOWEST_SHARE * LOWEST_SHARE..HIGHEST_SHARE * HIGHEST_SHARE).contains(&self.mean_square);
        self.good_s = if is_good { self.good_s + tick.duration_s } else { 0.0 };
        let ramp = ((self.good_s - self.settings.start_s) / RAMP_S).clamp(0.0, 1.0);
        let sun = (1.0 + self.clouds.value()).clamp(0.05, 1.2);
        self.peak = SQRT_2 * self.settings.power_w * ramp * sun / self.rating.volts;
    }

    fn norton(&mut self, moment: &Moment) -> Norton {
        if self.peak > 0.0 {
            self.now = -self.peak * libm::sin(TAU * moment.phase);
        } else {
            self.now = 0.0;
        }
        Norton { siemens: 0.0, amperes: self.now }
    }

    fn step(&mut self, volts: f64) -> f64 {
        self.squares += volts * volts * self.rating.step_s;
        self.now
    }

    fn interrupt(&mut self) {
        self.squares = 0.0;
    }
}
