//! What only the inside of a meter can tell: the half cycle as it slides.

#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

extern crate std;
use super::*;
use crate::front_end::ChannelRange;
use crate::units::{Hertz, Volts};
use proptest::prelude::*;
use std::{vec, vec::Vec};

/// 49 to 51 Hz, so that the half cycle's rows change; 12 or 16 bits.
fn pairs(count: usize, scale: f64) -> Vec<Pair> {
    let sine = |n: usize| libm::sin(n as f64 * (0.0785 + 1e-3 * libm::sin(n as f64 / 900.0)));
    let noise = |n: usize| (n * 7919 % 11) as i32;
    (0..count)
        .map(|n| Pair {
            voltage: 2048 + (scale * sine(n)) as i32 + noise(n),
            current: 2048 + (scale * sine(n + 9)) as i32 - noise(n),
        })
        .collect()
}

proptest! {
    #[test]
    fn the_sliding_half_cycle_is_that_of_the_newest_rows(
        blocks in proptest::collection::vec((0_usize..5, 1_usize..90), 1..150),
        lost in proptest::collection::vec(0_u32..40, 150),
        scale in proptest::sample::select(vec![1900.0, 7000.0, 30_000.0]),
    ) {
        let range = ChannelRange { lowest: -40_000, highest: 40_000, dc_coupled: true };
        let front_end = FrontEnd {
            sample_rate: Hertz(4000.0),
            voltage: range,
            current: range,
            channel_skew: Seconds(0.0),
            nominal_voltage: Volts(230.0),
        };
        let calibration = Calibration::ideal(325.0 / scale, 2048.0, 0.01, 2048.0);
        let (mut voltage, mut current) = (vec![0; 2664], vec![0; 2664]);
        let storage = Storage { voltage: &mut voltage, current: &mut current };
        let mut meter = Meter::new(front_end, calibration, storage).unwrap();
        let pairs = pairs(150 * 90, scale);
        let mut rest = pairs.as_slice();
        for (&(kind, odd), lost) in blocks.iter().zip(lost) {
            let (now, later) = rest.split_at(if kind == 0 { odd } else { 8 });
            rest = later;
            meter.push(if kind == 4 { lost } else { 0 }, now, |_, _| {});
            let current = meter.history.current();
            let fresh = Sliding::start(current, meter.setup.zeros, meter.half_length);
            prop_assert_eq!(meter.half_cycle().current, fresh.value(current));
            let known = meter.history.view(meter.history.base(), meter.history.end());
            let narrow = |row: u64| {
                known.pair(row).is_some_and(|pair| fresh.is_narrow(&pair))
            };
            let rows = (known.base..known.end()).filter(|&row| meter.history.is_narrow_from(row));
            prop_assert!(rows.clone().all(narrow));
        }
    }
}
