//! Electronic supplies: a rectifier with a capacitor that takes short pulses at the top of the voltage.

use super::{Load, Moment, Norton, Rating, Tick};
use crate::sim::random::{Random, Wander};
use crate::sim::scenario::schema;

/// Two diodes of the bridge.
const DIODES_V: f64 = 1.6;
/// Resistance in series with the interference capacitor; damps it.
const X_OHM: f64 = 10.0;
/// A converter starts above this share of the rated peak and gives up below the other one.
const START_SHARE: f64 = 0.7;
const STOP_SHARE: f64 = 0.25;
/// How soon an inrush limiter is warm.
const WARM_S: f64 = 0.5;
/// How slowly the power wanders.
const WANDER_S: f64 = 2.0;

/// A bridge rectifier, its capacitor, and a converter behind it that takes constant power.
pub(super) struct Supply {
    settings: schema::Supply,
    rating: Rating,
    farads: f64,
    x_farads: f64,
    /// Voltage of the capacitor behind the bridge.
    volts: f64,
    /// Voltage of the interference capacitor.
    x_volts: f64,
    ohm: f64,
    /// 0 cold, 1 warm.
    warmth: f64,
    /// Watts that the converter takes now; 0 while it is off.
    power: f64,
    started_s: Option<f64>,
    wander: Wander,
    /// -1, 0 or 1: through which diodes current may flow in this step.
    conducts: f64,
}

impl Supply {
    pub(super) fn new(settings: &schema::Supply, rating: Rating) -> Self {
        Self {
            farads: settings.capacitor_uf * 1e-6,
            x_farads: settings.x_capacitor_uf * 1e-6,
            volts: 0.0,
            x_volts: 0.0,
            ohm: settings.series_ohm + settings.cold_ohm,
            warmth: 0.0,
            power: 0.0,
            started_s: None,
            wander: Wander::new(settings.wander_pct / 100.0, WANDER_S),
            conducts: 0.0,
            settings: settings.clone(),
            rating,
        }
    }

    /// Resistance of a capacitor over one step, beside what is in series (backward Euler).
    fn of_step(&self, farads: f64) -> f64 {
        self.rating.step_s / farads
    }

    fn bridge_siemens(&self) -> f64 {
        (self.ohm + self.of_step(self.farads)).recip()
    }

    fn x_siemens(&self) -> f64 {
        if self.x_farads > 0.0 { (X_OHM + self.of_step(self.x_farads)).recip() } else { 0.0 }
    }

    /// The converter empties the capacitor.
    fn discharge(&mut self) {
        if self.power > 0.0 {
            self.volts -= self.power / self.volts.max(1.0) * self.of_step(self.farads);
            self.volts = self.volts.max(0.0);
        }
    }
}

impl Load for Supply {
    fn tick(&mut self, tick: &Tick, random: &mut Random) {
        let peak = core::f64::consts::SQRT_2 * self.rating.volts;
        self.wander.step(tick.duration_s, random);
        self.started_s = match self.started_s {
            None if self.volts > START_SHARE * peak => Some(0.0),
            Some(_) if self.volts < STOP_SHARE * peak => None,
            other => other.map(|time| time + tick.duration_s),
        };
        let is_on = self.started_s.is_some_and(|time| time >= self.settings.start_s);
        self.power =
            if is_on { self.settings.power_w * (1.0 + self.wander.value()).clamp(0.1, 3.0) } else { 0.0 };
        let target = if tick.is_connected { 1.0 } else { 0.0 };
        self.warmth += (target - self.warmth) * (tick.duration_s / WARM_S).min(1.0);
        self.ohm = self.settings.series_ohm + self.settings.cold_ohm * (1.0 - self.warmth);
    }

    fn norton(&mut self, moment: &Moment) -> Norton {
        let threshold = self.volts + DIODES_V;
        self.conducts = if moment.volts > threshold {
            1.0
        } else if moment.volts < -threshold {
            -1.0
        } else {
            0.0
        };
        let bridge = self.conducts.abs() * self.bridge_siemens();
        let x = self.x_siemens();
        Norton { siemens: bridge + x, amperes: -bridge * self.conducts * threshold - x * self.x_volts }
    }

    fn step(&mut self, volts: f64) -> f64 {
        let threshold = self.volts + DIODES_V;
        // Diodes do not conduct backwards.
        let into =
            self.conducts.abs() * (self.bridge_siemens() * (self.conducts * volts - threshold)).max(0.0);
        self.volts += into * self.of_step(self.farads);
        self.discharge();
        let x = self.x_siemens() * (volts - self.x_volts);
        if self.x_farads > 0.0 {
            self.x_volts += x * self.of_step(self.x_farads);
        }
        self.conducts * into + x
    }

    fn interrupt(&mut self) {
        self.discharge();
    }
}
