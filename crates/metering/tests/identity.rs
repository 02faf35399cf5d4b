//! The same samples give the same bits: however they are cut into blocks, cut out of the stream, on any machine.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

mod common;

use common::{Converter, Noise, Signal, with_meter};
use metering::calibration::Calibration;
use metering::checksum::Checksum;
use metering::front_end::{ChannelRange, FrontEnd, Pair};
use metering::history::View;
use metering::quality::Flag;
use metering::reading::{Harmonics, Reading};
use metering::units::{Hertz, Seconds, Volts};
use proptest::prelude::*;

/// A recording in physical units as CONTRACT.md says: 0.1 mV and 10 uA a count.
fn recording(text: &str) -> (FrontEnd, Calibration, Vec<Pair>) {
    let rate =
        text.lines().find_map(|line| line.strip_prefix("# sample_rate_hz:")).unwrap().trim().parse().unwrap();
    let count = |text: &str, lsb: f64| libm::round(text.parse::<f64>().unwrap() / lsb) as i32;
    let pairs = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.starts_with("voltage"))
        .map(|line| {
            let (voltage, current) = line.split_once(',').unwrap();
            Pair { voltage: count(voltage, 1e-4), current: count(current, 1e-5) }
        })
        .collect();
    let range = ChannelRange { lowest: -(1 << 23), highest: 1 << 23, dc_coupled: true };
    let front_end = FrontEnd {
        sample_rate: Hertz(rate),
        voltage: range,
        current: range,
        channel_skew: Seconds(0.0),
        nominal_voltage: Volts(230.0),
    };
    (front_end, Calibration::ideal(1e-4, 0.0, 1e-5, 0.0), pairs)
}

const RECORDINGS: [(&str, u64); 3] = [
    (include_str!("data/kettle_start_2k.csv"), 0xafd6_c3d5_9fc1_af12),
    (include_str!("data/fridge_start_2k.csv"), 0xd9fa_c29e_2f97_83eb),
    (include_str!("data/television_start_2k.csv"), 0xa172_b431_48b0_3e24),
];

#[test]
fn checksums_over_recordings_are_frozen() {
    let found: Vec<u64> = RECORDINGS
        .iter()
        .map(|(text, _)| {
            let (front_end, calibration, pairs) = recording(text);
            let mut checksum = Checksum::default();
            for (reading, harmonics) in common::measure_with(front_end, calibration, &pairs) {
                checksum.add(&reading, &harmonics);
            }
            checksum.value()
        })
        .collect();
    let frozen: Vec<u64> = RECORDINGS.iter().map(|(_, frozen)| *frozen).collect();
    assert_eq!(found, frozen, "the numbers changed: was that meant? {found:#x?}");
}

/// A stream with something of everything: harmonics, a sag to nothing, lost pairs short and long, a frequency jump.
fn eventful(converter: &Converter, seed: u64) -> Vec<(u32, Vec<Pair>)> {
    let mut signal = Signal::sine(50.0, 230.0, 4.0, 35.0);
    signal.current.push((3, 1.5, 20.0));
    let pairs = converter.pairs(3.0, seed, |time| {
        let (voltage, current) = if time < 2.0 { signal.at(time) } else { signal.at(time * 1.07) };
        if (0.9..1.07).contains(&time) { (0.01 * voltage, 0.0) } else { (voltage, current) }
    });
    let at = |seconds: f64| (seconds * converter.rate) as usize;
    vec![
        (0, pairs[..at(0.31)].to_vec()),
        (3, pairs[at(0.31) + 3..at(1.5)].to_vec()),
        (at(0.1) as u32, pairs[at(1.6)..at(2.5)].to_vec()),
        (1, pairs[at(2.5) + 1..].to_vec()),
    ]
}

fn run(
    converter: &Converter,
    parts: &[(u32, Vec<Pair>)],
    mut sizes: impl FnMut() -> usize,
) -> Vec<(Reading, Harmonics)> {
    with_meter(converter.front_end(), converter.calibration(), |meter| {
        let mut readings = Vec::new();
        for (lost, pairs) in parts {
            let mut rest = pairs.as_slice();
            let mut lost = *lost;
            while !rest.is_empty() {
                let (now, later) = rest.split_at(sizes().clamp(1, rest.len()));
                meter.push(std::mem::take(&mut lost), now, |reading, harmonics| {
                    readings.push((reading.clone(), harmonics.clone()));
                });
                rest = later;
            }
        }
        readings
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn blocks_of_any_size_give_the_same_bits(seed in 1_u64..1000, largest in 1_usize..3000, rate in 0_usize..3) {
        let converter = Converter { rate: [1000.0, 4000.0, 9615.4][rate], ..Converter::TWELVE_BIT };
        let parts = eventful(&converter, seed);
        let whole = run(&converter, &parts, || usize::MAX);
        prop_assert!(whole.len() > 12);
        let mut noise = Noise::new(seed);
        let cut = run(&converter, &parts, || 1 + (noise.uniform() * largest as f64) as usize);
        prop_assert_eq!(&whole, &cut);
        let single = run(&converter, &parts, || 1);
        prop_assert_eq!(&whole, &single);
    }
}

/// Running totals, sequence and time apart.
fn own_numbers(reading: &Reading) -> Reading {
    Reading {
        sequence: 0,
        uptime: Seconds(0.0),
        energy_import: Default::default(),
        energy_export: Default::default(),
        energy_below_noise: Default::default(),
        unmeasured: Seconds(0.0),
        relay: false,
        quality: Default::default(),
        ..reading.clone()
    }
}

#[test]
fn a_readings_own_samples_give_it_again() {
    let converter = Converter::TWELVE_BIT;
    let mut compared = 0;
    with_meter(converter.front_end(), converter.calibration(), |meter| {
        for (lost, pairs) in eventful(&converter, 7) {
            let mut lost = lost;
            for block in pairs.chunks(5) {
                let mut fresh = false;
                meter.push(std::mem::take(&mut lost), block, |_, _| fresh = true);
                if !fresh {
                    continue;
                }
                // After a long gap the samples are gone.
                let Some((reading, span, view)) = meter.newest() else { continue };
                // Nothing but the rows that a capture holds, in memory of their own.
                let (voltage, current) = (view.voltage.to_vec(), view.current.to_vec());
                let cut = View { base: 0, voltage: &voltage, current: &current };
                let again = meter.setup().analyse(
                    cut,
                    span.counted_from(view.base),
                    Some(&mut Harmonics::NONE.clone()),
                );
                assert_eq!(own_numbers(reading), own_numbers(&again));
                compared += 1;
            }
        }
    });
    assert!(compared > 10, "{compared}");
}

#[test]
fn the_meter_reads_nothing_outside_what_a_capture_holds() {
    // Other rows before the lead and after the end change nothing.
    let converter = Converter::TWELVE_BIT;
    let pairs: Vec<Pair> = eventful(&converter, 3).remove(3).1;
    with_meter(converter.front_end(), converter.calibration(), |meter| {
        meter.push(0, &pairs, |_, _| {});
        let (reading, span, view) = meter.newest().unwrap();
        let frame = |channel: &[i32]| [&[77; 100], channel, &[-99; 100]].concat();
        let (voltage, current) = (frame(view.voltage), frame(view.current));
        let cut = View { base: view.base - 100, voltage: &voltage, current: &current };
        let again = meter.setup().analyse(cut, span, Some(&mut Harmonics::NONE.clone()));
        assert_eq!(own_numbers(reading), own_numbers(&again));
        assert!(!reading.quality.has(Flag::NoSync));
    });
}
