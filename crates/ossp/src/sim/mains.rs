//! The socket: a voltage that wanders in height and frequency, with harmonics and the grid's bad moments.

use super::random::{Random, Wander, stream};
use super::scenario::schema;

/// Points of the table that holds one cycle; cubic interpolation in it is exact to about 1e-11 for the fundamental.
const POINTS: usize = 4096;

/// The source behind the wires, without what the load makes of it.
#[derive(Clone, Debug)]
pub(super) struct Mains {
    settings: schema::Mains,
    /// When which share of the voltage is there.
    voltage_events: Vec<(schema::Recurring, f64)>,
    frequency_events: Vec<schema::Frequency>,
    /// One cycle of amplitude 1 in `1..=POINTS`, with a point before and two behind for the interpolation.
    shape: Vec<f64>,
    random: Random,
    volts_wander: Wander,
    hertz_wander: Wander,
    step_s: f64,
    /// Position in the cycle, 0 to 1; the fundamental rises through zero at 0.
    phase: f64,
    /// How far the phase goes in one step.
    advance: f64,
    peak: f64,
    /// What sags, swells and interruptions leave.
    factor: f64,
    time_s: f64,
}

impl Mains {
    pub(super) fn new(settings: &schema::Mains, events: &schema::Events, step_s: f64, seed: u64) -> Self {
        let sags = events.sag.iter().map(|sag| (sag.when(), sag.to_percent / 100.0));
        let swells = events.swell.iter().map(|swell| (swell.when(), swell.to_percent / 100.0));
        let interruptions = events.interruption.iter().map(|gone| (gone.when(), 0.0));
        let voltage_events = sags.chain(swells).chain(interruptions).collect();
        let mut mains = Self {
            volts_wander: Wander::new(settings.volts_wander_pct / 100.0, settings.volts_wander_s),
            hertz_wander: Wander::new(settings.hertz_wander, settings.hertz_wander_s),
            settings: settings.clone(),
            voltage_events,
            frequency_events: events.frequency.clone(),
            shape: shape(&settings.harmonic),
            random: Random::new(seed, stream::MAINS),
            step_s,
            phase: settings.start_deg / 360.0,
            advance: 0.0,
            peak: 0.0,
            factor: 1.0,
            time_s: 0.0,
        };
        mains.new_cycle(0.0);
        mains
    }

    /// Position in the cycle, 0 to 1.
    pub(super) fn phase(&self) -> f64 {
        self.phase
    }

    /// Part of a cycle that one step takes.
    pub(super) fn advance(&self) -> f64 {
        self.advance
    }

    /// Tells the time, so that events begin and end. Often enough: once a sample.
    pub(super) fn tick(&mut self, time_s: f64) {
        self.time_s = time_s;
        if !self.voltage_events.is_empty() {
            self.factor = self
                .voltage_events
                .iter()
                .filter(|(when, _)| when.is_on(time_s))
                .fold(1.0, |factor, (_, left)| factor * left);
        }
    }

    /// Goes on by one step and gives the voltage there.
    #[inline]
    pub(super) fn step(&mut self) -> f64 {
        self.phase += self.advance;
        if self.phase >= 1.0 {
            self.phase -= 1.0;
            // Height and frequency change where the sine is zero: without a jump.
            self.new_cycle(self.advance.recip() * self.step_s);
        }
        self.peak * self.factor * self.at(self.phase) + self.settings.dc_v
    }

    fn new_cycle(&mut self, since_last_s: f64) {
        let settings = &self.settings;
        self.volts_wander.step(since_last_s, &mut self.random);
        self.hertz_wander.step(since_last_s, &mut self.random);
        let slow = libm::sin(core::f64::consts::TAU * self.time_s / settings.drift_period_s);
        let volts =
            settings.volts * (1.0 + settings.volts_drift_pct / 100.0 * slow + self.volts_wander.value());
        let stated = self.frequency_events.iter().rfind(|event| event.when().is_on(self.time_s));
        let middle = stated.map_or(settings.hertz, |event| event.hertz);
        // Not a step of the grid, but what a generator or a test may do.
        let hertz = middle + settings.hertz_drift * slow + self.hertz_wander.value();
        self.peak = core::f64::consts::SQRT_2 * volts.max(0.0);
        self.advance = hertz.clamp(30.0, 90.0) * self.step_s;
    }

    /// The shape at a position in the cycle (Catmull and Rom's cubic through four points).
    #[inline]
    fn at(&self, phase: f64) -> f64 {
        let position = phase * POINTS as f64;
        let index = position as usize;
        let x = position - index as f64;
        match self.shape.get(index..) {
            Some(&[a, b, c, d, ..]) => {
                b + 0.5 * x * (c - a + x * (2.0 * a - 5.0 * b + 4.0 * c - d + x * (3.0 * (b - c) + d - a)))
            }
            _ => 0.0,
        }
    }
}

/// One cycle of amplitude 1 at the fundamental.
fn shape(harmonics: &[schema::Harmonic]) -> Vec<f64> {
    let at = |index: usize| {
        let angle = core::f64::consts::TAU * (index as f64 - 1.0) / POINTS as f64;
        harmonics.iter().fold(libm::sin(angle), |sum, harmonic| {
            let phase = harmonic.phase_deg.to_radians();
            sum + harmonic.percent / 100.0 * libm::sin(f64::from(harmonic.order) * angle + phase)
        })
    };
    (0..POINTS + 3).map(at).collect()
}
