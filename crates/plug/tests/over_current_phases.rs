//! Over-current at any phase: what is 1.05 times the limit or more is commanded off within half a cycle and one block,
//! what is at the limit never is.
//!
//! "1.05 times the limit" is what every half cycle of the current has: a current with a direct or even part has a
//! strong and a weak half, and a step that begins with the weak one must trip all the same. "At the limit" is what its
//! strong half has. Without crossings the length of a half cycle is that of the last good frequency; at 50 Hz there
//! need not have been any.

#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

use std::f64::consts::TAU;

use metering::calibration::Calibration;
use metering::front_end::{ChannelRange, FrontEnd, Pair};
use metering::history::Storage;
use metering::meter::Meter;
use metering::units::{Amperes, Hertz, Seconds, Volts};
use plug::core::instant::InstantGuard;
use plug::core::protection::{OverCurrent, Trip};

const RATE: f64 = 4000.0;
/// Two milliseconds.
const BLOCK: usize = 8;
const LIMIT: f64 = 16.0;
const VOLTS_A_COUNT: f64 = 0.2;
const AMPERES_A_COUNT: f64 = 0.01;
const PHASES: u32 = 64;
/// Before the step: windows enough for a good frequency.
const BEFORE_S: f64 = 0.5;

/// When the relay closes: from then on there is a current before the step.
const CLOSED_S: f64 = 0.1;

/// The components of a current: order and amplitude; order 0 is the direct part.
type Shape = &'static [(f64, f64)];

const SHAPES: [(&str, Shape); 5] = [
    ("sine", &[(1.0, 1.0)]),
    ("direct part", &[(1.0, 1.0), (0.0, 0.15)]),
    ("negative direct part", &[(1.0, 1.0), (0.0, -0.4)]),
    ("odd harmonics", &[(1.0, 1.0), (3.0, -0.5), (5.0, 0.3), (7.0, -0.1)]),
    ("even harmonics", &[(1.0, 1.0), (2.0, 0.3), (3.0, 0.2)]),
];

/// How the voltage is.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Crossings {
    /// There throughout.
    Present,
    /// There at first, gone from a crossing some 0.2 s before the step on.
    Lost,
    /// There at first, gone from 0.2 s before the step on, at any phase: that looks like a crossing.
    Torn,
    /// Never there.
    Never,
}

fn value(shape: Shape, angle: f64) -> f64 {
    shape
        .iter()
        .map(|(order, amplitude)| amplitude * if *order == 0.0 { 1.0 } else { (order * angle).sin() })
        .sum()
}

/// Least and greatest RMS over a half cycle, wherever it begins.
fn half_cycles(shape: Shape) -> (f64, f64) {
    const STEPS: u32 = 720;
    let angle = |step: u32| TAU * f64::from(step) / f64::from(STEPS);
    let rms = |first: u32| {
        let squares = (first..first + STEPS / 2).map(|step| value(shape, angle(step)).powi(2));
        (squares.sum::<f64>() / f64::from(STEPS / 2)).sqrt()
    };
    (0..STEPS).map(rms).fold((f64::MAX, 0.0), |(least, most), rms| (rms.min(least), rms.max(most)))
}

/// A step of the current, at a phase of the voltage.
#[derive(Clone, Copy, Debug)]
struct Step {
    frequency: f64,
    crossings: Crossings,
    shape: Shape,
    /// What the shape is multiplied with before and after.
    scale: [f64; 2],
    phase: u32,
}

impl Step {
    /// When it comes, in samples.
    fn row(&self) -> f64 {
        let cycle = RATE / self.frequency;
        // A whole number of cycles and the phase; blocks begin anywhere in it.
        (BEFORE_S * self.frequency).round() * cycle + cycle * f64::from(self.phase) / f64::from(PHASES)
    }

    /// When the voltage goes.
    fn lost_row(&self) -> f64 {
        let cycle = RATE / self.frequency;
        ((self.row() - 0.2 * RATE) / cycle).floor() * cycle
    }

    fn pair(&self, row: usize) -> Pair {
        let row = row as f64;
        let angle = TAU * self.frequency * row / RATE;
        let there = match self.crossings {
            Crossings::Present => true,
            Crossings::Lost => row < self.lost_row(),
            Crossings::Torn => row < self.row() - 0.2 * RATE,
            Crossings::Never => false,
        };
        let volts = if there { 230.0 * 2_f64.sqrt() * angle.sin() } else { 0.0 };
        // No plug closes its relay before it has measured for a while.
        let is_closed = row >= CLOSED_S * RATE;
        let [before, after] = self.scale;
        let scale = match (is_closed, row >= self.row()) {
            (false, _) => 0.0,
            (true, false) => before,
            (true, true) => after,
        };
        let amperes = scale * value(self.shape, angle);
        Pair {
            voltage: (volts / VOLTS_A_COUNT).round() as i32,
            current: (amperes / AMPERES_A_COUNT).round() as i32,
        }
    }

    /// Lets it run to `seconds` after the step; how long after it the core commands the relay off, and how long after
    /// it the interrupt below the core would.
    fn run(&self, seconds: f64) -> [Option<f64>; 2] {
        let range = ChannelRange { lowest: -(1 << 17), highest: 1 << 17, dc_coupled: true };
        let front_end = FrontEnd {
            sample_rate: Hertz(RATE),
            voltage: range,
            current: range,
            channel_skew: Seconds(0.0),
            nominal_voltage: Volts(230.0),
        };
        let calibration = Calibration::ideal(VOLTS_A_COUNT, 0.0, AMPERES_A_COUNT, 0.0);
        let rows = Meter::rows_needed(RATE);
        let (mut voltage, mut current) = (vec![0; rows], vec![0; rows]);
        let storage = Storage { voltage: &mut voltage, current: &mut current };
        let mut meter = Meter::new(front_end, calibration, storage).unwrap();
        meter.set_harmonics(false);
        let protection = OverCurrent::new(Amperes(LIMIT), AMPERES_A_COUNT);
        let mut below = InstantGuard::new();
        let mut off = [None; 2];
        let end = self.row() + seconds * RATE;
        let mut row = 0;
        while (row as f64) < end {
            below.set_limit(protection.instant_limit(&meter));
            let pairs: [Pair; BLOCK] = std::array::from_fn(|at| self.pair(row + at));
            for (at, pair) in pairs.iter().enumerate() {
                if below.take(pair.current) && off[1].is_none() {
                    off[1] = Some(((row + at) as f64 - self.row()) / RATE);
                }
            }
            meter.push(0, &pairs, |_, _| ());
            row += BLOCK;
            if off[0].is_none()
                && let Some(trip) = protection.check(&meter.half_cycle())
            {
                assert!(matches!(trip, Trip::OverCurrent { .. }), "{trip:?}");
                // The last pair of the block is there when it was sampled.
                off[0] = Some(((row - 1) as f64 - self.row()) / RATE);
            }
        }
        off
    }
}

fn each_step(scales: impl Fn(Shape) -> Vec<[f64; 2]>, check: impl Fn(&str, &Step)) {
    let grid = [
        (50.0, Crossings::Present),
        (50.0, Crossings::Lost),
        (50.0, Crossings::Torn),
        (50.0, Crossings::Never),
        (60.0, Crossings::Present),
        (60.0, Crossings::Lost),
        (60.0, Crossings::Torn),
    ];
    for (frequency, crossings) in grid {
        for (name, shape) in SHAPES {
            for scale in scales(shape) {
                for phase in 0..PHASES {
                    check(name, &Step { frequency, crossings, shape, scale, phase });
                }
            }
        }
    }
}

#[test]
fn from_105_percent_on_it_is_off_within_half_a_cycle_and_a_block() {
    let scales = |shape: Shape| {
        let (least, most) = half_cycles(shape);
        let before = [0.0, 0.95 * LIMIT / most];
        let after = [1.05, 4.0].map(|times| times * LIMIT / least);
        before.iter().flat_map(|before| after.map(|after| [*before, after])).collect()
    };
    each_step(scales, |name, step| {
        let allowed = if step.frequency == 50.0 { 0.012 } else { 0.0104 };
        let [core, below] = step.run(0.02);
        assert!(core.is_some_and(|after| (0.0..=allowed).contains(&after)), "{name}: {core:?} s, {step:?}");
        let half_cycle = 0.5 / step.frequency + 1.0 / RATE;
        assert!(
            below.is_some_and(|after| (0.0..=half_cycle).contains(&after)),
            "{name}: {below:?} s, {step:?}"
        );
    });
}

#[test]
fn at_the_limit_it_never_is() {
    let scales = |shape: Shape| {
        let limit = LIMIT / half_cycles(shape).1;
        vec![[0.0, limit], [0.5 * limit, limit], [limit, 0.0]]
    };
    each_step(scales, |name, step| {
        assert_eq!(step.run(0.3), [None; 2], "{name}: {step:?}");
    });
}

#[test]
fn a_clipped_sample_trips_only_if_so_set() {
    let range = ChannelRange { lowest: -2048, highest: 2047, dc_coupled: true };
    let front_end = FrontEnd {
        sample_rate: Hertz(RATE),
        voltage: range,
        current: range,
        channel_skew: Seconds(0.0),
        nominal_voltage: Volts(230.0),
    };
    let rows = Meter::rows_needed(RATE);
    let (mut voltage, mut current) = (vec![0; rows], vec![0; rows]);
    let storage = Storage { voltage: &mut voltage, current: &mut current };
    let calibration = Calibration::ideal(VOLTS_A_COUNT, 0.0, AMPERES_A_COUNT, 0.0);
    let mut meter = Meter::new(front_end, calibration, storage).unwrap();
    meter.push(0, &[Pair { voltage: 0, current: 2047 }, Pair::default()], |_, _| ());
    let limit = Amperes(LIMIT);
    let set = OverCurrent::new(limit, AMPERES_A_COUNT);
    assert_eq!(set.check(&meter.half_cycle()), Some(Trip::ClippedCurrent { limit }));
    let not_set = set.with_clipped_trips(false);
    assert_eq!(not_set.check(&meter.half_cycle()), None);
    for (protection, trips) in [(set, true), (not_set, false)] {
        let mut below = InstantGuard::new();
        below.set_limit(protection.instant_limit(&meter));
        assert_eq!([below.take(2047), below.take(-2048)], [trips; 2]);
    }
}
