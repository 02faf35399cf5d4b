//! What is plugged in: each load is a current that follows from the voltage and from what the load went through.

mod motor;
mod phase_cut;
mod resistive;
mod solar;
mod supply;

use super::random::{Random, stream};
use super::scenario::schema::{self, Switched};

/// What a load knows when a step begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// The voltage that is to be expected; decides which diodes conduct.
    pub(super) volts: f64,
    /// Position in the mains cycle, 0 to 1.
    pub(super) phase: f64,
    /// Part of a cycle that the step takes.
    pub(super) advance: f64,
}

/// A load for the length of one step: `amperes + siemens * voltage` flow into it (Norton's equivalent).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Norton {
    pub(super) siemens: f64,
    pub(super) amperes: f64,
}

/// What the mains are meant to be: loads are rated for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rating {
    pub(super) volts: f64,
    pub(super) hertz: f64,
    /// Length of a step.
    pub(super) step_s: f64,
}

/// A thing with a plug.
pub(super) trait Load: Send {
    /// Slow changes, once a sample: temperatures, thermostats, fingers on triggers.
    fn tick(&mut self, tick: &Tick, random: &mut Random);
    /// How much current will flow in the coming step.
    fn norton(&mut self, moment: &Moment) -> Norton;
    /// Goes through the step with the voltage that came of it; the answer is the current that really flows.
    fn step(&mut self, volts: f64) -> f64;
    /// The plug is pulled or the contact open: no current, but time goes on.
    fn interrupt(&mut self);
}

/// Time, as loads need it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tick {
    /// Since the load was plugged in.
    pub(super) time_s: f64,
    /// Since the last tick.
    pub(super) duration_s: f64,
    /// Whether it has a connection to the mains.
    pub(super) is_connected: bool,
}

/// Everything that is plugged in.
pub(super) struct Loads {
    plugged: Vec<Plugged>,
}

struct Plugged {
    load: Box<dyn Load>,
    when: Switched,
    random: Random,
    is_on: bool,
}

impl Loads {
    pub(super) fn new(settings: &schema::Loads, rating: Rating, seed: u64) -> Self {
        let mut plugged: Vec<Plugged> = Vec::new();
        let mut add = |when: &Switched, load: Box<dyn Load>| {
            let random = Random::new(seed, stream::LOADS + plugged.len() as u64);
            plugged.push(Plugged { load, when: *when, random, is_on: false });
        };
        for heater in &settings.heater {
            add(&heater.when(), Box::new(resistive::Resistor::heater(heater, rating)));
        }
        for heater in &settings.half_wave {
            add(&heater.when(), Box::new(resistive::Resistor::half_wave(heater, rating)));
        }
        for short in &settings.short {
            add(&short.when(), Box::new(resistive::Resistor::short(short)));
        }
        for kettle in &settings.kettle {
            add(&kettle.when(), Box::new(resistive::Kettle::new(kettle, rating)));
        }
        for fridge in &settings.fridge {
            add(&fridge.when(), Box::new(motor::Fridge::new(fridge, rating)));
        }
        for supply in &settings.supply {
            add(&supply.when(), Box::new(supply::Supply::new(supply, rating)));
        }
        for dimmer in &settings.dimmer {
            add(&dimmer.when(), Box::new(phase_cut::Dimmer::new(dimmer, rating)));
        }
        for drill in &settings.drill {
            add(&drill.when(), Box::new(phase_cut::Drill::new(drill, rating)));
        }
        for solar in &settings.solar {
            add(&solar.when(), Box::new(solar::Solar::new(solar, rating)));
        }
        Self { plugged }
    }

    pub(super) fn tick(&mut self, time_s: f64, duration_s: f64, relay_is_closed: bool) {
        for plugged in &mut self.plugged {
            plugged.is_on = plugged.when.is_on(time_s);
            let is_connected = plugged.is_on && relay_is_closed;
            let time_s = plugged.when.time_on(time_s);
            plugged.load.tick(&Tick { time_s, duration_s, is_connected }, &mut plugged.random);
        }
    }

    #[inline]
    pub(super) fn norton(&mut self, moment: &Moment) -> Norton {
        self.plugged.iter_mut().filter(|plugged| plugged.is_on).fold(Norton::default(), |sum, plugged| {
            let more = plugged.load.norton(moment);
            Norton { siemens: sum.siemens + more.siemens, amperes: sum.amperes + more.amperes }
        })
    }

    #[inline]
    pub(super) fn step(&mut self, volts: f64) -> f64 {
        self.plugged.iter_mut().fold(0.0, |sum, plugged| {
            if plugged.is_on {
                return sum + plugged.load.step(volts);
            }
            plugged.load.interrupt();
            sum
        })
    }

    #[inline]
    pub(super) fn interrupt(&mut self) {
        self.plugged.iter_mut().for_each(|plugged| plugged.load.interrupt());
    }
}
