//! Mains, contact and loads together: voltage at the socket and current through the plug, step by step.

use metering::units::Seconds;

use super::filter::{Decimator, Kind};
use super::front_end::Sensors;
use super::load::{Loads, Moment, Rating};
use super::mains::Mains;
use super::relay::Contact;
use super::scenario::schema;

/// Steps of the physics a second, at least: rectifiers and triacs need it.
const STEPS_PER_S: f64 = 32_000.0;
/// Steps a sample, at least: the filter needs it.
const LEAST_STEPS: u32 = 4;

/// The physics.
pub(super) struct Model {
    mains: Mains,
    contact: Contact,
    loads: Loads,
    sensors: Sensors,
    filter: Decimator,
    relay_delay_s: f64,
    /// Of the nominal frequency over one step.
    nominal_angle: f64,
    source_ohm: f64,
    /// The source's inductance over one step.
    source_inertia_ohm: f64,
    amperes: f64,
    steps: u32,
    sample_s: f64,
    samples: u64,
}

impl Model {
    pub(super) fn new(settings: &schema::Settings, seed: u64) -> Self {
        let front_end = &settings.front_end;
        let steps = match front_end.oversampling {
            0 => LEAST_STEPS.max((STEPS_PER_S / front_end.sample_rate_hz).ceil() as u32),
            stated => stated,
        };
        let sample_s = front_end.sample_rate_hz.recip();
        let step_s = sample_s / f64::from(steps);
        let kind = match front_end.filter {
            schema::Filter::Steep => Kind::Steep,
            schema::Filter::Rc => Kind::Rc(front_end.rc_corner_hz),
            schema::Filter::None => Kind::None,
        };
        let rating = Rating { volts: settings.mains.volts, hertz: settings.mains.hertz, step_s };
        let mut model = Self {
            mains: Mains::new(&settings.mains, &settings.event, step_s, seed),
            contact: Contact::new(&settings.relay, &settings.event, step_s.recip(), seed),
            loads: Loads::new(&settings.load, rating, seed),
            sensors: Sensors::new(front_end, settings.mains.hertz, step_s),
            filter: Decimator::new(kind, steps as usize, step_s, front_end.skew_us * 1e-6 / step_s),
            nominal_angle: core::f64::consts::TAU * settings.mains.hertz * step_s,
            relay_delay_s: settings.relay.delay_ms * 1e-3,
            source_ohm: settings.mains.source_ohm,
            source_inertia_ohm: settings.mains.source_mh * 1e-3 / step_s,
            amperes: 0.0,
            steps,
            sample_s,
            samples: 0,
        };
        // The filter is full before the first sample: the plug is switched on, not the grid.
        for _ in 0..model.filter.settling_steps() {
            let volts = model.mains.step();
            let (voltage, current) = model.sensors.pass(volts, 0.0);
            model.filter.push(voltage, current);
        }
        model
    }

    /// What the filter leaves at the nominal frequency.
    pub(super) fn filter_gain(&self) -> f64 {
        self.filter.gain(self.nominal_angle)
    }

    /// By how much the current is late at the nominal frequency, beside the skew.
    pub(super) fn lag_deg(&self) -> f64 {
        self.sensors.lag_deg()
    }

    pub(super) fn contact(&mut self) -> &mut Contact {
        &mut self.contact
    }

    pub(super) fn is_closed(&self) -> bool {
        self.contact.is_closed()
    }

    pub(super) fn relay_delay(&self) -> Seconds {
        Seconds(self.relay_delay_s)
    }

    pub(super) fn delay_s(&self) -> f64 {
        self.filter.delay_s()
    }

    /// Goes on by one sample: volts and amperes as they arrive at the converter.
    pub(super) fn sample(&mut self) -> (f64, f64) {
        let time_s = self.samples as f64 * self.sample_s;
        self.samples += 1;
        self.mains.tick(time_s);
        self.loads.tick(time_s, self.sample_s, self.contact.is_closed());
        for _ in 0..self.steps {
            let (volts, amperes) = self.step();
            let (voltage, current) = self.sensors.pass(volts, amperes);
            self.filter.push(voltage, current);
        }
        self.filter.sample()
    }

    /// One step. Source: emf - R i - L di/dt, with backward Euler for the inductance; loads: their Norton
    /// equivalents; the voltage between them solves both.
    #[inline]
    fn step(&mut self) -> (f64, f64) {
        let emf = self.mains.step();
        if !self.contact.step() {
            self.loads.interrupt();
            self.amperes = 0.0;
            return (emf, 0.0);
        }
        let moment = Moment {
            volts: emf - self.source_ohm * self.amperes,
            phase: self.mains.phase(),
            advance: self.mains.advance(),
        };
        let load = self.loads.norton(&moment);
        let ohm = self.source_ohm + self.source_inertia_ohm;
        let behind = emf + self.source_inertia_ohm * self.amperes;
        let volts = (behind - ohm * load.amperes) / (1.0 + ohm * load.siemens);
        self.amperes = self.loads.step(volts);
        (volts, self.amperes)
    }
}
