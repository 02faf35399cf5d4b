//! The refrigerator: an induction motor that starts hard, runs quietly and rests.

use core::f64::consts::{SQRT_2, TAU};

use super::{Load, Moment, Norton, Rating, Tick};
use crate::sim::random::Random;
use crate::sim::scenario::schema;

/// Power factor of the blocked rotor with its starting winding.
const START_POWER_FACTOR: f64 = 0.75;
/// How fast the start-up current falls once the rotor is up to speed.
const PULL_IN_S: f64 = 0.03;
/// How much more than in proportion the iron's magnetising current grows: gives the third harmonic of small motors.
const SATURATION: f64 = 0.3;
/// Without mains for longer than this the rotor has stopped.
const COAST_S: f64 = 0.2;

/// A compressor with its thermostat, as one resistor and one saturating inductor whose values follow the rotor.
pub(super) struct Fridge {
    settings: schema::Fridge,
    rating: Rating,
    /// Volts over running current.
    ohm: f64,
    /// Peak flux when running; saturation counts from here.
    rated_flux: f64,
    resistance: f64,
    inductance: f64,
    flux: f64,
    now: Norton,
    state: Compressor,
    without_mains_s: f64,
}

/// What the compressor is doing; each with the seconds since it does.
///
/// ```text
/// Resting -- thermostat --> Running -- thermostat --> Resting;  Running -- mains gone --> Running from the start
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
enum Compressor {
    Resting(f64),
    Running(f64),
}

impl Fridge {
    pub(super) fn new(settings: &schema::Fridge, rating: Rating) -> Self {
        let ohm = rating.volts * rating.volts * settings.power_factor / settings.power_w;
        let sin = libm::sqrt(1.0 - settings.power_factor * settings.power_factor);
        let rated_flux = SQRT_2 * rating.volts * sin / (TAU * rating.hertz);
        let rested = settings.pause_s - settings.first_start_s;
        let mut fridge = Self {
            settings: settings.clone(),
            rating,
            ohm,
            rated_flux,
            resistance: 0.0,
            inductance: 1.0,
            flux: 0.0,
            now: Norton::default(),
            state: Compressor::Resting(rested),
            without_mains_s: 0.0,
        };
        fridge.follow_rotor(0.0);
        fridge
    }

    /// Resistance and inductance at `time_s` after the start.
    fn follow_rotor(&mut self, time_s: f64) {
        let slow = (1.0 + libm::exp((time_s - self.settings.start_s) / PULL_IN_S)).recip();
        let running = self.settings.power_factor;
        let ohm = self.ohm / (1.0 + (self.settings.inrush - 1.0) * slow);
        let cos = running + (START_POWER_FACTOR - running) * slow;
        self.resistance = ohm * cos;
        self.inductance = ohm * libm::sqrt(1.0 - cos * cos) / (TAU * self.rating.hertz);
    }

    fn stop(&mut self) {
        self.flux = 0.0;
        self.now = Norton::default();
    }
}

impl Load for Fridge {
    fn tick(&mut self, tick: &Tick, _: &mut Random) {
        self.without_mains_s = if tick.is_connected { 0.0 } else { self.without_mains_s + tick.duration_s };
        self.state = match self.state {
            Compressor::Running(_) if self.without_mains_s > COAST_S => Compressor::Running(0.0),
            Compressor::Running(time) if time > self.settings.run_s => {
                self.stop();
                Compressor::Resting(0.0)
            }
            Compressor::Resting(time) if time >= self.settings.pause_s => Compressor::Running(0.0),
            Compressor::Running(time) => Compressor::Running(time + tick.duration_s),
            Compressor::Resting(time) => Compressor::Resting(time + tick.duration_s),
        };
        if let Compressor::Running(time) = self.state {
            // Long after the start nothing changes any more.
            if time < self.settings.start_s + 40.0 * PULL_IN_S {
                self.follow_rotor(time);
            }
        }
    }

    fn norton(&mut self, _: &Moment) -> Norton {
        if matches!(self.state, Compressor::Resting(_)) {
            self.now = Norton::default();
            return self.now;
        }
        let relative = self.flux / self.rated_flux;
        // The fundamental of x + s x^3 is 1 + 3/4 s.
        let shape = (1.0 + SATURATION * relative * relative) / (1.0 + 0.75 * SATURATION);
        // flux' = voltage - resistance * current and current = flux * shape / inductance, by backward Euler.
        let per_flux = shape / self.inductance;
        let damped = per_flux / (1.0 + self.rating.step_s * self.resistance * per_flux);
        self.now = Norton { siemens: damped * self.rating.step_s, amperes: damped * self.flux };
        self.now
    }

    fn step(&mut self, volts: f64) -> f64 {
        let amperes = self.now.siemens * volts + self.now.amperes;
        if let Compressor::Running(_) = self.state {
            self.flux += self.rating.step_s * (volts - self.resistance * amperes);
        }
        amperes
    }

    fn interrupt(&mut self) {
        self.stop();
    }
}
