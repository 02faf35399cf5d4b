//! Pairs a second through the meter: the always-on path, and everything with harmonics.
//!
//! `cargo bench -p metering`. EmonLib's loop, for comparison, does about 220 million pairs a second on one core of a
//! 2-core cloud machine, and computes five quantities without energy, frequency, reactive power or distortion.

use divan::Bencher;
use divan::counter::ItemsCount;
use metering::calibration::Calibration;
use metering::front_end::{ChannelRange, FrontEnd, Pair};
use metering::history::Storage;
use metering::meter::Meter;
use metering::units::{Hertz, Seconds, Volts};

fn main() {
    divan::main();
}

/// A second of a 2 kW load on 50 Hz at `rate`, in 12 bit or 24 bit counts.
fn pairs(rate: usize, scale: f64) -> Vec<Pair> {
    (0..rate)
        .map(|n| {
            let turns = 50.0 * n as f64 / rate as f64;
            let sine = |order: f64| libm::sin(std::f64::consts::TAU * (order * turns + 0.1));
            let noise = ((n * 7919) % 5) as f64 - 2.0;
            Pair {
                voltage: (scale * (1600.0 * sine(1.0) + 40.0 * sine(5.0)) + noise) as i32,
                current: (scale * (800.0 * sine(1.0) + 200.0 * sine(3.0)) + noise) as i32,
            }
        })
        .collect()
}

fn run(bencher: Bencher<'_, '_>, rate: usize, scale: f64, skew: f64, harmonics: bool, block: usize) {
    let pairs = pairs(rate, scale);
    let range = ChannelRange { lowest: -(1 << 23), highest: (1 << 23) - 1, dc_coupled: true };
    let front_end = FrontEnd {
        sample_rate: Hertz(rate as f64),
        voltage: range,
        current: range,
        channel_skew: Seconds(skew),
        nominal_voltage: Volts(230.0),
    };
    let calibration = Calibration::ideal(0.2 / scale, 0.0, 0.0147 / scale, 0.0);
    let rows = Meter::rows_needed(rate as f64);
    let (mut voltage, mut current) = (vec![0; rows], vec![0; rows]);
    let storage = Storage { voltage: &mut voltage, current: &mut current };
    let Ok(mut meter) = Meter::new(front_end, calibration, storage) else { return };
    meter.set_harmonics(harmonics);
    bencher.counter(ItemsCount::new(pairs.len())).bench_local(|| {
        let mut readings = 0;
        for block in pairs.chunks(block) {
            meter.push(0, block, |_, _| readings += 1);
            divan::black_box(meter.half_cycle());
        }
        readings
    });
}

/// 12 bit, 4 kHz, 50 us skew, blocks of 2 ms: as on the reference board.
#[divan::bench]
fn always_on(bencher: Bencher<'_, '_>) {
    run(bencher, 4000, 1.0, 50e-6, false, 8);
}

/// The same with harmonics and THD.
#[divan::bench]
fn everything(bencher: Bencher<'_, '_>) {
    run(bencher, 4000, 1.0, 50e-6, true, 8);
}

/// Simultaneous sampling in blocks of 64, as a replay does it.
#[divan::bench]
fn always_on_no_skew_long_blocks(bencher: Bencher<'_, '_>) {
    run(bencher, 4000, 1.0, 0.0, false, 64);
}

/// 50 kHz, where the work once a window hardly counts.
#[divan::bench]
fn always_on_50_khz(bencher: Bencher<'_, '_>) {
    run(bencher, 50_000, 1.0, 0.0, false, 100);
}

/// 24 bit samples take the long way through the multipliers.
#[divan::bench]
fn always_on_24_bit(bencher: Bencher<'_, '_>) {
    run(bencher, 4000, 4096.0, 50e-6, false, 8);
}

/// 50 kHz with everything.
#[divan::bench]
fn everything_50_khz(bencher: Bencher<'_, '_>) {
    run(bencher, 50_000, 1.0, 50e-6, true, 100);
}
