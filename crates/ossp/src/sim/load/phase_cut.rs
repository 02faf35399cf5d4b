//! Loads behind a triac that fires late in each half cycle: a dimmed lamp, a drill with its trigger.

use core::f64::consts::TAU;

use super::{Load, Moment, Norton, Rating, Tick};
use crate::sim::random::{Random, Wander};
use crate::sim::scenario::schema;

/// A hand on the knob: the firing angle goes to and fro between two limits.
struct Firing {
    from_deg: f64,
    to_deg: f64,
    period_s: f64,
    /// Part of the half cycle that is cut off, 0 to 1.
    cut: f64,
}

impl Firing {
    fn new(from_deg: f64, to_deg: f64, period_s: f64) -> Self {
        Self { from_deg, to_deg, period_s, cut: from_deg / 180.0 }
    }

    fn tick(&mut self, time_s: f64) {
        let way = 0.5 * (1.0 - libm::cos(TAU * time_s / self.period_s));
        self.cut = (self.from_deg + (self.to_deg - self.from_deg) * way) / 180.0;
    }

    /// Which part of the step that ends at this moment lies behind the firing, 0 to 1: so that the firing is not
    /// rounded to steps.
    fn share(&self, moment: &Moment) -> f64 {
        let doubled = 2.0 * moment.phase;
        let position = doubled - doubled.floor();
        ((position - self.cut) / (2.0 * moment.advance)).clamp(0.0, 1.0)
    }
}

/// A lamp behind a dimmer.
pub(super) struct Dimmer {
    siemens: f64,
    firing: Firing,
    now: f64,
}

impl Dimmer {
    pub(super) fn new(settings: &schema::Dimmer, rating: Rating) -> Self {
        Self {
            siemens: settings.power_w / (rating.volts * rating.volts),
            firing: Firing::new(settings.angle_from_deg, settings.angle_to_deg, settings.period_s),
            now: 0.0,
        }
    }
}

impl Load for Dimmer {
    fn tick(&mut self, tick: &Tick, _: &mut Random) {
        self.firing.tick(tick.time_s);
    }

    fn norton(&mut self, moment: &Moment) -> Norton {
        self.now = self.siemens * self.firing.share(moment);
        Norton { siemens: self.now, amperes: 0.0 }
    }

    fn step(&mut self, volts: f64) -> f64 {
        self.now * volts
    }

    fn interrupt(&mut self) {}
}

/// Of the rated power, what the windings' resistance takes.
const COPPER_SHARE: f64 = 0.25;
/// Power factor of the motor itself at rated speed; the rest is its inductance.
const MOTOR_POWER_FACTOR: f64 = 0.94;
/// Seconds in which the motor takes up speed.
const SPIN_UP_S: f64 = 0.4;

/// A universal motor: field and armature in series, so the back voltage goes with speed times current, like a
/// resistor that grows with the speed.
pub(super) struct Drill {
    firing: Firing,
    step_s: f64,
    copper_ohm: f64,
    /// At rated speed.
    back_ohm: f64,
    henry: f64,
    rated_amperes: f64,
    /// 1 at rated power.
    speed: f64,
    torque: Wander,
    amperes: f64,
    is_fired: bool,
    /// Part of this step's voltage that is behind the firing.
    share: f64,
    /// Integral of the squared current since the last tick.
    squares: f64,
}

impl Drill {
    pub(super) fn new(settings: &schema::Drill, rating: Rating) -> Self {
        let rated_amperes = settings.power_w / (rating.volts * MOTOR_POWER_FACTOR);
        let ohm = settings.power_w / (rated_amperes * rated_amperes);
        let reactance =
            rating.volts / rated_amperes * libm::sqrt(1.0 - MOTOR_POWER_FACTOR * MOTOR_POWER_FACTOR);
        Self {
            firing: Firing::new(settings.angle_from_deg, settings.angle_to_deg, settings.period_s),
            step_s: rating.step_s,
            copper_ohm: COPPER_SHARE * ohm,
            back_ohm: (1.0 - COPPER_SHARE) * ohm,
            henry: reactance / (TAU * rating.hertz),
            rated_amperes,
            speed: 0.0,
            torque: Wander::new(settings.wander_pct / 100.0, 0.3),
            amperes: 0.0,
            is_fired: false,
            share: 0.0,
            squares: 0.0,
        }
    }

    fn ohm(&self) -> f64 {
        self.copper_ohm + self.back_ohm * self.speed
    }
}

impl Load for Drill {
    fn tick(&mut self, tick: &Tick, random: &mut Random) {
        self.firing.tick(tick.time_s);
        self.torque.step(tick.duration_s, random);
        let driving = self.squares / tick.duration_s / (self.rated_amperes * self.rated_amperes);
        self.squares = 0.0;
        let braking = (0.1 + 0.9 * self.speed * self.speed) * (1.0 + self.torque.value());
        let change = (driving - braking) * tick.duration_s / SPIN_UP_S;
        self.speed = (self.speed + change).clamp(0.0, 3.0);
    }

    fn norton(&mut self, moment: &Moment) -> Norton {
        let share = self.firing.share(moment);
        if !self.is_fired && share == 0.0 {
            return Norton::default();
        }
        // In the step in which it fires the voltage is there for a part of it.
        self.share = if self.is_fired { 1.0 } else { share };
        self.is_fired = true;
        let inertia = self.henry / self.step_s;
        let siemens = (inertia + self.ohm()).recip();
        Norton { siemens: siemens * self.share, amperes: siemens * inertia * self.amperes }
    }

    fn step(&mut self, volts: f64) -> f64 {
        if !self.is_fired {
            return 0.0;
        }
        let inertia = self.henry / self.step_s;
        let before = self.amperes;
        let after = (self.share * volts + inertia * before) / (inertia + self.ohm());
        // A triac goes out when the current comes to zero.
        if before * after < 0.0 {
            self.interrupt();
            return 0.0;
        }
        self.amperes = after;
        self.squares += after * after * self.step_s;
        self.amperes
    }

    fn interrupt(&mut self) {
        self.amperes = 0.0;
        self.is_fired = false;
    }
}
