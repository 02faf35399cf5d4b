//! Signals for tests: sums of sines with known answers, seen through an ideal converter with seeded noise.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "a module shared by test programs, each of which uses its own part"
)]

use metering::calibration::Calibration;
use metering::front_end::{ChannelRange, FrontEnd, Pair};
use metering::history::Storage;
use metering::meter::Meter;
use metering::reading::{Harmonics, Reading};
use metering::units::{Hertz, Seconds, Volts};

/// A small generator with good statistics (xorshift64*, Vigna 2016): the same numbers on every machine.
pub struct Noise(u64);

impl Noise {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Normal: the sum of twelve uniform ones is near enough, and quick with 16 bits each.
    pub fn normal(&mut self) -> f64 {
        let mut sum = 0;
        for _ in 0..3 {
            let bits = self.next();
            sum += (bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48);
        }
        (sum as f64 + 6.0) / 65536.0 - 6.0
    }
}

/// One component: order, RMS, phase of its sine in degrees.
pub type Line = (u32, f64, f64);

#[derive(Clone, Debug)]
pub struct Signal {
    pub frequency: f64,
    pub voltage: Vec<Line>,
    pub current: Vec<Line>,
    pub voltage_dc: f64,
    pub current_dc: f64,
    /// Phase of the start, turns.
    pub start: f64,
}

fn value(lines: &[Line], turns: f64) -> f64 {
    lines
        .iter()
        .map(|&(order, rms, phase)| {
            let turns = f64::from(order) * turns + phase / 360.0;
            std::f64::consts::SQRT_2 * rms * libm::sin(std::f64::consts::TAU * (turns - libm::floor(turns)))
        })
        .sum()
}

fn rms(lines: &[Line]) -> f64 {
    lines.iter().map(|line| line.1 * line.1).sum::<f64>().sqrt()
}

fn thd(lines: &[Line]) -> f64 {
    let first = lines.iter().find(|line| line.0 == 1).unwrap().1;
    100.0 * lines.iter().filter(|line| line.0 > 1).map(|line| line.1 * line.1).sum::<f64>().sqrt() / first
}

impl Signal {
    pub fn sine(frequency: f64, volts: f64, amperes: f64, lag_degrees: f64) -> Self {
        Self {
            frequency,
            voltage: vec![(1, volts, 0.0)],
            current: vec![(1, amperes, -lag_degrees)],
            voltage_dc: 0.0,
            current_dc: 0.0,
            start: 0.9,
        }
    }

    pub fn at(&self, time: f64) -> (f64, f64) {
        let turns = self.frequency * time + self.start;
        (self.voltage_dc + value(&self.voltage, turns), self.current_dc + value(&self.current, turns))
    }

    pub fn volts(&self) -> f64 {
        rms(&self.voltage)
    }

    pub fn amperes(&self) -> f64 {
        rms(&self.current)
    }

    fn power(&self, select: impl Fn(f64) -> f64, orders: impl Fn(u32) -> bool) -> f64 {
        let mut sum = 0.0;
        for &(order, volts, voltage_phase) in self.voltage.iter().filter(|line| orders(line.0)) {
            for &(_, amperes, phase) in self.current.iter().filter(|line| line.0 == order) {
                sum += volts * amperes * select((voltage_phase - phase).to_radians());
            }
        }
        sum
    }

    pub fn watts(&self) -> f64 {
        self.power(libm::cos, |_| true)
    }

    pub fn vars(&self) -> f64 {
        self.power(libm::sin, |order| order == 1)
    }

    pub fn thd_voltage(&self) -> f64 {
        thd(&self.voltage)
    }

    pub fn thd_current(&self) -> f64 {
        thd(&self.current)
    }
}

/// A converter: what it is and how it sees.
#[derive(Clone, Copy, Debug)]
pub struct Converter {
    pub rate: f64,
    pub bits: u32,
    pub volts_a_count: f64,
    pub amperes_a_count: f64,
    pub noise_counts: f64,
    pub skew: f64,
    pub zero: i32,
}

impl Converter {
    /// The one of the accuracy table: 12 bit, 0.2 V and 14.7 mA a count, 1 count of noise, 50 us of skew.
    pub const TWELVE_BIT: Self = Self {
        rate: 4000.0,
        bits: 12,
        volts_a_count: 0.2,
        amperes_a_count: 0.0147,
        noise_counts: 1.0,
        skew: 50e-6,
        zero: 2048,
    };

    /// 24 bit over the same ranges, free of noise.
    pub const TWENTY_FOUR_BIT: Self = Self {
        rate: 4000.0,
        bits: 24,
        volts_a_count: 0.2 / 4096.0,
        amperes_a_count: 0.0147 / 4096.0,
        noise_counts: 0.0,
        skew: 50e-6,
        zero: 0,
    };

    pub fn range(&self) -> (i32, i32) {
        let full = 1_i64 << self.bits;
        let lowest = if self.zero > 0 { 0 } else { -full / 2 };
        (lowest as i32, (lowest + full - 1) as i32)
    }

    pub fn front_end(&self) -> FrontEnd {
        let (lowest, highest) = self.range();
        let range = ChannelRange { lowest, highest, dc_coupled: true };
        FrontEnd {
            sample_rate: Hertz(self.rate),
            voltage: range,
            current: range,
            channel_skew: Seconds(self.skew),
            nominal_voltage: Volts(230.0),
        }
    }

    pub fn calibration(&self) -> Calibration {
        Calibration::ideal(self.volts_a_count, self.zero.into(), self.amperes_a_count, self.zero.into())
    }

    pub fn count(&self, value: f64, lsb: f64, noise: &mut Noise) -> i32 {
        let noise = if self.noise_counts > 0.0 { self.noise_counts * noise.normal() } else { 0.0 };
        let (lowest, highest) = self.range();
        let count = libm::round(value / lsb + noise) + f64::from(self.zero);
        (count as i64).clamp(lowest.into(), highest.into()) as i32
    }

    /// The pairs that this converter makes of volts and amperes as functions of time.
    pub fn pairs(&self, seconds: f64, seed: u64, signal: impl Fn(f64) -> (f64, f64)) -> Vec<Pair> {
        self.convert(&self.sample(seconds, signal), seed)
    }

    /// Volts and amperes at the moments when this converter looks.
    pub fn sample(&self, seconds: f64, signal: impl Fn(f64) -> (f64, f64)) -> Vec<(f64, f64)> {
        let times = (0..(seconds * self.rate) as u64).map(|n| n as f64 / self.rate);
        times.map(|time| (signal(time).0, signal(time + self.skew).1)).collect()
    }

    /// Counts, with the noise of a seed.
    pub fn convert(&self, samples: &[(f64, f64)], seed: u64) -> Vec<Pair> {
        let mut noise = Noise::new(seed);
        samples
            .iter()
            .map(|&(volts, amperes)| Pair {
                voltage: self.count(volts, self.volts_a_count, &mut noise),
                current: self.count(amperes, self.amperes_a_count, &mut noise),
            })
            .collect()
    }
}

/// Runs `work` with a meter.
pub fn with_meter<R>(
    front_end: FrontEnd,
    calibration: Calibration,
    work: impl FnOnce(&mut Meter<'_>) -> R,
) -> R {
    let rows = Meter::rows_needed(front_end.sample_rate.0);
    let (mut voltage, mut current) = (vec![0; rows], vec![0; rows]);
    let storage = Storage { voltage: &mut voltage, current: &mut current };
    let mut meter = Meter::new(front_end, calibration, storage).unwrap();
    work(&mut meter)
}

/// All readings of some pairs.
pub fn measure(converter: &Converter, pairs: &[Pair]) -> Vec<(Reading, Harmonics)> {
    measure_with(converter.front_end(), converter.calibration(), pairs)
}

pub fn measure_with(
    front_end: FrontEnd,
    calibration: Calibration,
    pairs: &[Pair],
) -> Vec<(Reading, Harmonics)> {
    with_meter(front_end, calibration, |meter| {
        let mut readings = Vec::new();
        for block in pairs.chunks(8) {
            meter.push(0, block, |reading, harmonics| readings.push((reading.clone(), harmonics.clone())));
        }
        readings
    })
}
