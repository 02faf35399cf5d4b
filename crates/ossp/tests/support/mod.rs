//! Runs a simulation and measures it in plain double arithmetic, independently of the metering.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test file uses what it needs")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may fail loudly")]

use std::f64::consts::TAU;

use metering::front_end::Pair;
use ossp::sim::{Scenario, Simulation};

/// A running simulation whose pairs become volts and amperes.
pub struct Bench {
    pub simulation: Simulation,
    pub rate: f64,
    volts: (f64, f64),
    amperes: (f64, f64),
}

/// Volts and amperes, one after the other, and how many pairs were lost.
#[derive(Default)]
pub struct Samples {
    pub volts: Vec<f64>,
    pub amperes: Vec<f64>,
    pub lost: u32,
}

/// What was measured over whole cycles of the nominal frequency.
#[derive(Debug)]
pub struct Measured {
    pub volts: f64,
    pub amperes: f64,
    pub watts: f64,
    pub power_factor: f64,
    /// Displacement: positive when the current is late.
    pub phase_deg: f64,
    pub thd_voltage_pct: f64,
    pub thd_current_pct: f64,
    pub peak_amperes: f64,
    pub mean_amperes: f64,
}

impl Bench {
    /// A built-in scenario with the relay closed.
    pub fn builtin(name: &str) -> Self {
        Self::new(&Scenario::builtin(name).unwrap(), 1)
    }

    /// A scenario file's text with the relay closed.
    pub fn text(text: &str) -> Self {
        Self::new(&Scenario::from_text("test.toml", text).unwrap(), 1)
    }

    pub fn new(scenario: &Scenario, seed: u64) -> Self {
        let mut simulation = Simulation::new(scenario, seed);
        simulation.set_relay(true);
        let calibration = simulation.true_calibration();
        Self {
            rate: simulation.front_end().sample_rate.0,
            volts: (calibration.voltage.gain, calibration.voltage.zero_raw),
            amperes: (calibration.current.gain, calibration.current.zero_raw),
            simulation,
        }
    }

    pub fn pairs(&mut self, seconds: f64) -> (Vec<Pair>, u32) {
        let mut wanted = (seconds * self.rate).round() as usize;
        let (mut all, mut lost) = (Vec::new(), 0);
        let mut block = [Pair::default(); 512];
        while wanted > 0 {
            let length = wanted.min(block.len());
            let filled = self.simulation.fill(&mut block[..length]);
            all.extend_from_slice(&block[..filled.pairs]);
            lost += filled.lost_before;
            wanted = wanted.saturating_sub(filled.pairs + filled.lost_before as usize);
        }
        (all, lost)
    }

    pub fn run(&mut self, seconds: f64) -> Samples {
        let (pairs, lost) = self.pairs(seconds);
        Samples {
            volts: pairs.iter().map(|pair| self.volts.0 * (f64::from(pair.voltage) - self.volts.1)).collect(),
            amperes: pairs
                .iter()
                .map(|pair| self.amperes.0 * (f64::from(pair.current) - self.amperes.1))
                .collect(),
            lost,
        }
    }

    pub fn measure(&mut self, seconds: f64) -> Measured {
        let rate = self.rate;
        let samples = self.run(seconds);
        samples.measure(rate)
    }
}

pub fn rms(values: &[f64]) -> f64 {
    (values.iter().map(|value| value * value).sum::<f64>() / values.len() as f64).sqrt()
}

pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Real and imaginary part of one component's RMS phasor, under a raised cosine so that a frequency that
/// is a little off does no harm.
pub fn component(values: &[f64], hertz: f64, rate: f64) -> (f64, f64) {
    let count = values.len() as f64;
    let (mut re, mut im) = (0.0, 0.0);
    for (index, value) in values.iter().enumerate() {
        let window = 1.0 - (TAU * (index as f64 + 0.5) / count).cos();
        let (sin, cos) = (TAU * hertz * index as f64 / rate).sin_cos();
        re += window * value * cos;
        im -= window * value * sin;
    }
    let scale = 2f64.sqrt() / count;
    (re * scale, im * scale)
}

/// The frequency from the first to the last rising zero crossing.
pub fn frequency(volts: &[f64], rate: f64) -> f64 {
    let crossings = crossings(volts);
    (crossings.len() - 1) as f64 * rate / (crossings.last().unwrap() - crossings[0])
}

/// Rising zero crossings, with hysteresis, in samples.
pub fn crossings(volts: &[f64]) -> Vec<f64> {
    let mut armed = false;
    let mut found = Vec::new();
    for (index, pair) in volts.windows(2).enumerate() {
        armed |= pair[0] < -50.0;
        if armed && pair[0] < 0.0 && pair[1] >= 0.0 {
            found.push(index as f64 + pair[0] / (pair[0] - pair[1]));
            armed = false;
        }
    }
    found
}

impl Samples {
    pub fn measure(&self, rate: f64) -> Measured {
        let hertz = frequency(&self.volts, rate);
        // As many whole cycles as there are, of those that nearly are whole samples.
        let most = (self.volts.len() as f64 * hertz / rate + 1e-6).floor() as u32;
        let length = |cycles: u32| f64::from(cycles) * rate / hertz;
        let misfit = |cycles: u32| (length(cycles) - length(cycles).round()).abs();
        let cycles = (most / 2..=most).rev().min_by(|a, b| misfit(*a).total_cmp(&misfit(*b))).unwrap();
        let count = length(cycles).round() as usize;
        let (volts, amperes) = (&self.volts[..count], &self.amperes[..count]);
        let watts = volts.iter().zip(amperes).map(|(u, i)| u * i).sum::<f64>() / count as f64;
        let magnitude = |values: &[f64], order: u32| {
            let (re, im) = component(values, f64::from(order) * hertz, rate);
            (re * re + im * im).sqrt()
        };
        let highest = (0.35 * rate / hertz) as u32;
        let thd = |values: &[f64]| {
            let squares: f64 = (2..=highest).map(|order| magnitude(values, order).powi(2)).sum();
            100.0 * squares.sqrt() / magnitude(values, 1)
        };
        let angle = |values: &[f64]| {
            let (re, im) = component(values, hertz, rate);
            im.atan2(re).to_degrees()
        };
        let phase = (angle(volts) - angle(amperes) + 540.0).rem_euclid(360.0) - 180.0;
        Measured {
            volts: rms(volts),
            amperes: rms(amperes),
            watts,
            power_factor: watts / (rms(volts) * rms(amperes)),
            phase_deg: phase,
            thd_voltage_pct: thd(volts),
            thd_current_pct: thd(amperes),
            peak_amperes: amperes.iter().fold(0.0, |peak, i| peak.max(i.abs())),
            mean_amperes: mean(amperes),
        }
    }
}

/// Mains that do not wander.
pub const QUIET: &str = "[mains]\nvolts_wander_pct = 0\nhertz_wander = 0\nvolts_drift_pct = 0\nhertz_drift = 0\nsource_ohm = 0.25\n";
/// A converter that does not round visibly.
pub const FINE: &str = "[front_end]\nbits = 24\nsigned = true\nvoltage_lsb_v = 1e-4\ncurrent_lsb_a = 2e-5\n\
    voltage_noise = 0\ncurrent_noise = 0\nskew_us = 0\n";

/// `value` is within `tolerance` of `expected`.
#[track_caller]
pub fn near(value: f64, expected: f64, tolerance: f64) {
    assert!((value - expected).abs() <= tolerance, "{value} is not {expected} +- {tolerance}");
}

/// The largest magnitude.
pub fn peak(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |peak, value| peak.max(value.abs()))
}
