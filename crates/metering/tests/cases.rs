//! What can go wrong on the mains or in the front end: each has its flag, and no number is edited for it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

mod common;

use common::{Converter, Line, Signal, measure, measure_with, with_meter};
use metering::energy::{Energy, Resumed};
use metering::front_end::Pair;
use metering::quality::Flag;
use metering::reading::{Harmonics, Reading};
use metering::units::{Amperes, Degrees, Seconds};

fn readings(converter: &Converter, pairs: &[Pair]) -> Vec<Reading> {
    measure(converter, pairs).into_iter().map(|(reading, _)| reading).collect()
}

fn close(is: f64, should: f64, tolerance: f64) {
    assert!((is - should).abs() <= tolerance, "{is} is not {should} +- {tolerance}");
}

#[test]
fn no_voltage() {
    let converter = Converter::TWELVE_BIT;
    let pairs = converter.pairs(2.0, 1, |time| (0.0, Signal::sine(50.0, 230.0, 2.0, 0.0).at(time).1));
    let readings = readings(&converter, &pairs);
    assert_eq!(readings.len(), 9);
    for reading in &readings {
        assert!(reading.quality.has(Flag::NoVoltage) && reading.quality.has(Flag::NoSync));
        assert_eq!(reading.window.cycles, None);
        close(reading.window.duration.0, 0.2, 1e-9);
        // The current goes on being measured, the voltage is what it is: noise, not zero.
        close(reading.current.0, 2.0, 0.01);
        assert!(reading.voltage.0 > 0.1 && reading.voltage.0 < 0.3);
        assert_eq!(
            (reading.frequency, reading.reactive_power, reading.displacement_power_factor),
            (None, None, None)
        );
        assert_eq!(
            (reading.thd_voltage, reading.thd_current, reading.harmonics_max_order),
            (None, None, None)
        );
        assert!(reading.power_factor.is_some());
    }
}

#[test]
fn voltage_vanishing_for_one_to_ten_cycles() {
    let converter = Converter::TWELVE_BIT;
    let signal = Signal::sine(50.0, 230.0, 2.0, 0.0);
    for cycles in 1..=10 {
        for phase in 0..8 {
            let from = 1.0 + 0.0025 * f64::from(phase);
            let to = from + 0.02 * f64::from(cycles);
            let pairs = converter
                .pairs(2.5, 1, |time| if (from..to).contains(&time) { (0.0, 0.0) } else { signal.at(time) });
            let readings = readings(&converter, &pairs);
            let lost: Vec<_> = readings.iter().filter(|r| r.quality.has(Flag::NoSync)).collect();
            assert!(!lost.is_empty() || cycles < 2, "{cycles} cycles from phase {phase}");
            // Whatever the windows, the dip is seen, and the energy is that of the time with voltage.
            let least =
                readings.iter().filter_map(|r| r.half_cycle.voltage_min).fold(f64::MAX, |a, v| a.min(v.0));
            assert!(least < 5.0, "{least}");
            // A window that holds part of a cycle has a mean, whose product active power leaves out by definition.
            let direct = |r: &Reading| r.voltage_dc.unwrap().0 * r.current_dc.unwrap().0;
            let energy: f64 =
                readings.iter().map(|r| (r.active_power.0 + direct(r)) * r.window.duration.0).sum();
            let time: f64 = readings.iter().map(|r| r.window.duration.0).sum();
            let expected = 460.0 * (time - (to - from));
            assert!((energy - expected).abs() < 3.0, "{energy} J, {expected} J expected");
            // No window without a flag has a wrong voltage; the last ones are clean again.
            let last = readings.last().unwrap();
            close(last.voltage.0, 230.0, 0.1);
            assert_eq!(last.quality.iter().count(), 0);
            for pair in readings.windows(2) {
                close(pair[1].uptime.0 - pair[0].uptime.0, pair[1].window.duration.0, 1e-6);
            }
        }
    }
}

#[test]
fn frequency_jumping() {
    let converter = Converter::TWELVE_BIT;
    for (before, after) in [(50.0, 52.0), (50.0, 60.0), (60.0, 50.0), (47.0, 64.0)] {
        let pairs = converter.pairs(3.0, 2, |time| {
            let turns = if time < 1.11 { before * time } else { before * 1.11 + after * (time - 1.11) };
            Signal::sine(1.0, 230.0, 3.0, 20.0).at(turns)
        });
        let readings = readings(&converter, &pairs);
        let jumps: Vec<_> = readings.iter().filter(|r| r.quality.has(Flag::FrequencyUnstable)).collect();
        assert_eq!(jumps.len(), 1, "{before} to {after}");
        let (first, last) = (&readings[0], readings.last().unwrap());
        close(first.frequency.unwrap().0, before, 0.003);
        close(last.frequency.unwrap().0, after, 0.003);
        assert_eq!(last.window.cycles, Some(if after > 55.0 { 12 } else { 10 }));
        for reading in &readings {
            assert!(reading.window.duration.0 <= 0.25);
            close(reading.voltage.0, 230.0, 0.8);
        }
    }
}

#[test]
fn ten_or_twelve_cycles_with_hysteresis() {
    let converter = Converter { noise_counts: 0.0, ..Converter::TWELVE_BIT };
    let cycles_at = |frequency: f64| {
        let pairs = converter.pairs(1.0, 2, |time| Signal::sine(frequency, 230.0, 3.0, 0.0).at(time));
        readings(&converter, &pairs)[1].window.cycles.unwrap()
    };
    assert_eq!([45.0, 54.9, 55.1, 65.0].map(cycles_at), [10, 10, 12, 12]);
    // A slow sweep up changes over at 55.5 Hz, down at 54.5 Hz.
    for (from, to, border) in [(54.0, 56.0, 55.5), (56.0, 54.0, 54.5)] {
        let sweep = |time: f64| from * time + (to - from) * time * time / 40.0;
        let pairs = converter.pairs(20.0, 2, |time| Signal::sine(1.0, 230.0, 3.0, 0.0).at(sweep(time)));
        let readings = readings(&converter, &pairs);
        let change = readings.windows(2).find(|pair| pair[0].window.cycles != pair[1].window.cycles).unwrap();
        close(change[1].frequency.unwrap().0, border, 0.05);
    }
}

#[test]
fn clipping_of_either_channel() {
    let converter = Converter::TWELVE_BIT;
    let of = |volts: f64, amperes: f64| {
        let pairs = converter.pairs(1.0, 3, |time| Signal::sine(50.0, volts, amperes, 0.0).at(time));
        readings(&converter, &pairs)
    };
    assert!(of(230.0, 15.0).iter().all(|reading| !reading.quality.has(Flag::Clipped)));
    assert!(of(300.0, 15.0).iter().all(|reading| reading.quality.has(Flag::Clipped)));
    assert!(of(230.0, 25.0).iter().all(|reading| reading.quality.has(Flag::Clipped)));
}

#[test]
fn a_sensors_offset_and_real_direct_current_are_told_apart() {
    let converter = Converter { noise_counts: 0.5, ..Converter::TWELVE_BIT };
    // A heater behind a diode: half the RMS squared of the alternating part is the square of the mean.
    let half_wave = converter.pairs(2.0, 4, |time| {
        let (voltage, current) = Signal::sine(50.0, 230.0, 8.0, 0.0).at(time);
        (voltage, current.max(0.0))
    });
    let peak = 8.0 * std::f64::consts::SQRT_2;
    for reading in readings(&converter, &half_wave) {
        assert!(reading.quality.has(Flag::DcCurrent));
        close(reading.current_dc.unwrap().0, peak / std::f64::consts::PI, 0.01);
        close(reading.current_total.unwrap().0, peak / 2.0, 0.01);
        close(reading.current.0, (peak * peak / 4.0 - (peak / std::f64::consts::PI).powi(2)).sqrt(), 0.01);
        close(reading.active_power.0, 230.0 * 8.0 / 2.0, 1.0);
    }
    // A sensor 20 counts beside its stated zero: within the zero's uncertainty nothing is claimed, beyond it is.
    let beside: Vec<Pair> = converter
        .pairs(2.0, 5, |time| Signal::sine(50.0, 230.0, 1.0, 0.0).at(time))
        .into_iter()
        .map(|pair| Pair { current: pair.current + 20, voltage: pair.voltage + 30 })
        .collect();
    let mut calibration = converter.calibration();
    for (uncertainty, flagged) in [(25.0, false), (5.0, true)] {
        calibration.current.zero_uncertainty_raw = uncertainty;
        for (reading, _) in measure_with(converter.front_end(), calibration.clone(), &beside) {
            assert_eq!(reading.quality.has(Flag::DcCurrent), flagged);
            close(reading.current_dc.unwrap().0, 20.0 * 0.0147, 0.005);
            // The alternating part and the power know nothing of it.
            close(reading.current.0, 1.0, 0.003);
            close(reading.active_power.0, 230.0, 0.7);
            close(reading.voltage_dc.unwrap().0, 6.0, 0.1);
            close(reading.frequency.unwrap().0, 50.0, 0.01);
        }
    }
    let mut transformer = converter.front_end();
    transformer.current.dc_coupled = false;
    let (reading, _) = &measure_with(transformer, calibration, &beside)[0];
    assert_eq!((reading.current_dc, reading.current_total), (None, None));
}

#[test]
fn export_is_negative_and_said() {
    let converter = Converter::TWELVE_BIT;
    let pairs = converter.pairs(2.0, 6, |time| Signal::sine(50.0, 230.0, 2.0, 180.0).at(time));
    let readings = readings(&converter, &pairs);
    for reading in &readings {
        assert!(reading.quality.has(Flag::Export));
        close(reading.active_power.0, -460.0, 0.5);
        close(reading.power_factor.unwrap(), -1.0, 1e-4);
        close(reading.displacement_power_factor.unwrap(), -1.0, 1e-6);
    }
    let last = readings.last().unwrap();
    assert_eq!(last.energy_import.0, 0);
    close(last.energy_export.watt_hours(), 460.0 * 0.2 * readings.len() as f64 / 3600.0, 1e-4);
}

#[test]
fn lost_samples_are_counted_and_their_time_is_unmeasured() {
    let converter = Converter::TWELVE_BIT;
    let signal = Signal::sine(50.0, 230.0, 5.0, 40.0);
    let pairs = converter.pairs(6.0, 7, |time| signal.at(time));
    // Gaps: one pair; five pairs; ten pairs in one window (over 1 %); 30 pairs (over a quarter cycle); a second.
    let gaps = [(1000, 1), (2203, 5), (4011, 10), (8007, 30), (12_000, 4000), (20_017, 1)];
    let mut readings: Vec<Reading> = Vec::new();
    let mut first = None;
    with_meter(converter.front_end(), converter.calibration(), |meter| {
        let (mut from, mut lost) = (0, 0);
        for (at, count) in gaps.into_iter().chain([(pairs.len(), 0)]) {
            for block in pairs[from..at].chunks(8) {
                meter.push(std::mem::take(&mut lost), block, |reading, _| {
                    first.get_or_insert(reading.uptime.0 - reading.window.duration.0);
                    readings.push(reading.clone());
                });
            }
            (from, lost) = (at + count, count as u32);
        }
        assert_eq!(meter.lost_pairs(), gaps.iter().map(|gap| gap.1 as u64).sum::<u64>());
    });
    let last = readings.last().unwrap();
    let measured: f64 = readings.iter().map(|reading| reading.window.duration.0).sum();
    close(measured + last.unmeasured.0, last.uptime.0 - first.unwrap(), 1e-6);
    let all_lost: usize = gaps.iter().map(|gap| gap.1).sum();
    close(last.unmeasured.0, all_lost as f64 / 4000.0, 1e-9);
    let energy: f64 = readings.iter().map(|r| r.active_power.0 * r.window.duration.0 / 3600.0).sum();
    close(last.energy_import.watt_hours() - last.energy_export.watt_hours(), energy, 1e-8);

    let lossy: Vec<_> = readings.iter().filter(|reading| reading.window.lost > 0).collect();
    assert_eq!(lossy.iter().map(|reading| reading.window.lost).collect::<Vec<_>>(), [1, 5, 10, 1]);
    for reading in lossy {
        assert!(reading.quality.has(Flag::LostSamples));
        close(reading.voltage.0, 230.0, 2.5);
        let many = reading.window.lost == 10;
        assert_eq!(reading.frequency.is_none(), many);
        assert_eq!(reading.thd_voltage.is_none(), many);
        if !many {
            close(reading.frequency.unwrap().0, 50.0, 0.01);
            close(reading.reactive_power.unwrap().0, signal.vars(), 8.0);
            assert!(reading.thd_voltage.unwrap().0 < 0.8, "{:?}", reading.thd_voltage);
        }
    }
}

#[test]
fn noise_on_the_zero_crossing_makes_no_cycles() {
    // Noise of 5 V at 20 kHz, where the voltage rises by 5 V a sample: several changes of sign at each crossing.
    let converter = Converter { rate: 20_000.0, noise_counts: 25.0, ..Converter::TWELVE_BIT };
    let pairs = converter.pairs(5.0, 8, |time| Signal::sine(50.0, 230.0, 5.0, 0.0).at(time));
    let readings = readings(&converter, &pairs);
    assert!(readings.len() >= 24);
    for reading in &readings {
        assert_eq!(reading.window.cycles, Some(10));
        close(reading.frequency.unwrap().0, 50.0, 0.06);
        assert_eq!(reading.quality.iter().count(), 0);
    }
    // A commutation notch through zero in the middle of each half wave is not a cycle either.
    let quiet = Converter::TWELVE_BIT;
    let notched = quiet.pairs(3.0, 9, |time| {
        let (voltage, current) = Signal::sine(50.0, 230.0, 5.0, 0.0).at(time);
        let turn = (50.0 * time + 0.9).fract();
        (if (0.13..0.15).contains(&turn) { -60.0 } else { voltage }, current)
    });
    for reading in self::readings(&quiet, &notched) {
        close(reading.frequency.unwrap().0, 50.0, 0.01);
    }
}

#[test]
fn forty_five_to_sixty_five_hertz_without_being_told() {
    for rate in [1000.0, 2000.0, 4000.0, 9615.4, 50_000.0] {
        let converter = Converter { rate, skew: 0.0, ..Converter::TWELVE_BIT };
        for frequency in [45.0, 48.3, 50.0, 55.0, 60.0, 65.0] {
            let signal = Signal::sine(frequency, 230.0, 5.0, 60.0);
            let pairs = converter.pairs(2.0, 10, |time| signal.at(time));
            for reading in readings(&converter, &pairs) {
                assert_eq!(reading.quality.iter().count(), 0, "{rate} {frequency}");
                close(reading.frequency.unwrap().0, frequency, 0.01);
                close(reading.voltage.0, 230.0, 0.06);
                let coarse = 1500.0 / rate;
                close(reading.active_power.0, signal.watts(), 0.4 + coarse);
                close(reading.reactive_power.unwrap().0, signal.vars(), 0.4 + coarse);
                let highest = (1..=40).rev().find(|&h| f64::from(h) * frequency < rate / 2.0).unwrap();
                // At half the sample rate to a hair the measured frequency decides.
                assert!(reading.harmonics_max_order.unwrap().abs_diff(highest) <= 1);
                close(reading.half_cycle.voltage_min.unwrap().0, 230.0, 0.4 + coarse);
                close(reading.half_cycle.voltage_max.unwrap().0, 230.0, 0.4 + coarse);
            }
        }
    }
}

#[test]
fn relay_and_calibration_changing_inside_a_window() {
    let converter = Converter::TWELVE_BIT;
    let pairs = converter.pairs(3.0, 11, |time| Signal::sine(50.0, 230.0, 2.0, 0.0).at(time));
    let mut readings: Vec<Reading> = Vec::new();
    with_meter(converter.front_end(), converter.calibration(), |meter| {
        for (at, block) in pairs.chunks(8).enumerate() {
            if at == 540 {
                meter.set_relay(true);
            }
            if at == 1000 {
                let mut doubled = converter.calibration();
                doubled.current.gain *= 2.0;
                doubled.version += 1;
                meter.calibrate(doubled);
            }
            meter.push(0, block, |reading, _| readings.push(reading.clone()));
        }
    });
    let with = |flag| readings.iter().filter(|reading| reading.quality.has(flag)).collect::<Vec<_>>();
    assert_eq!(with(Flag::RelayChanged).len(), 1);
    let switched = with(Flag::RelayChanged)[0];
    assert!(switched.relay && switched.uptime.0 > 1.08 && switched.uptime.0 < 1.3);
    assert_eq!(with(Flag::CalibrationChanged).len(), 1);
    let changed = with(Flag::CalibrationChanged)[0].sequence as usize;
    assert_eq!(readings[changed - 1].calibration.version, 1);
    close(readings[changed - 1].current.0, 2.0, 0.01);
    assert_eq!(readings[changed].calibration.version, 2);
    assert_ne!(readings[changed].calibration.hash, readings[changed - 1].calibration.hash);
    close(readings[changed].current.0, 4.0, 0.02);
}

#[test]
fn a_meter_goes_on_where_an_earlier_run_ended() {
    let converter = Converter::TWELVE_BIT;
    let pairs = converter.pairs(2.0, 12, |time| Signal::sine(50.0, 230.0, 2.0, 0.0).at(time));
    let fresh = readings(&converter, &pairs);
    let before = Resumed {
        import: Energy(5_000_000_000),
        export: Energy(7),
        below_noise: Energy(9),
        unmeasured: Seconds(12.5),
    };
    let mut resumed: Vec<Reading> = Vec::new();
    with_meter(converter.front_end(), converter.calibration(), |meter| {
        for (at, block) in pairs.chunks(8).enumerate() {
            if at == 300 {
                meter.resume(&before);
            }
            meter.push(0, block, |reading, _| resumed.push(reading.clone()));
        }
    });
    let (last, same) = (resumed.last().unwrap(), fresh.last().unwrap());
    assert_eq!(last.energy_import, Energy(same.energy_import.0 + 5_000_000_000));
    assert_eq!((last.energy_export, last.energy_below_noise), (Energy(7), Energy(9)));
    assert_eq!(last.unmeasured.0, same.unmeasured.0 + 12.5);
    // All else is as it would have been.
    assert_eq!(last.active_power, same.active_power);
}

#[test]
fn rows_that_are_asked_for_stay_for_half_a_second() {
    let converter = Converter::TWELVE_BIT;
    let pairs = converter.pairs(5.0, 12, |time| Signal::sine(50.0, 230.0, 2.0, 0.0).at(time));
    for start in (2000..12_000).step_by(333) {
        let mut found = None;
        with_meter(converter.front_end(), converter.calibration(), |meter| {
            for block in pairs.chunks(8) {
                let from = meter.rows().saturating_sub(800);
                meter.push(0, block, |_, _| {});
                if meter.rows() / 8 == start / 8 {
                    meter.keep_rows_from(Some(from));
                    found = Some(from);
                }
                if let Some(from) = found.filter(|from| meter.rows() >= from + 2000) {
                    let view = meter.rows_between(from, from + 2000);
                    assert_eq!((view.base, view.voltage.len()), (from, 2000), "from {start}");
                    let wanted = pairs[from as usize..].iter().map(|pair| pair.current);
                    assert!(view.current.iter().copied().eq(wanted.take(2000)));
                    meter.keep_rows_from(None);
                    found = None;
                }
            }
        });
        assert_eq!(found, None);
    }
}

#[test]
fn a_channel_stuck_or_disconnected() {
    let converter = Converter::TWELVE_BIT;
    let pairs = converter.pairs(1.0, 12, |time| Signal::sine(50.0, 230.0, 2.0, 0.0).at(time));
    let stuck = |voltage: Option<i32>, current: Option<i32>| {
        let pairs: Vec<Pair> = pairs
            .iter()
            .map(|pair| Pair {
                voltage: voltage.unwrap_or(pair.voltage),
                current: current.unwrap_or(pair.current),
            })
            .collect();
        readings(&converter, &pairs).last().unwrap().clone()
    };
    let current = stuck(None, Some(2100));
    assert!(current.quality.has(Flag::CurrentStuck));
    assert_eq!(current.current.0, 0.0);
    assert_eq!((current.power_factor, current.crest_factor_current, current.thd_current), (None, None, None));
    close(current.current_dc.unwrap().0, 52.0 * 0.0147, 1e-9);
    let voltage = stuck(Some(0), None);
    assert!(voltage.quality.has(Flag::VoltageStuck) && voltage.quality.has(Flag::Clipped));
    assert!(voltage.quality.has(Flag::NoVoltage) && voltage.quality.has(Flag::NoSync));
}

#[test]
fn noise_is_never_subtracted_silently() {
    let converter = Converter::TWELVE_BIT;
    let mut calibration = converter.calibration();
    calibration.current_noise_floor = Some(Amperes(0.0153));
    let of = |amperes: f64| {
        let pairs = converter.pairs(4.0, 13, |time| Signal::sine(50.0, 230.0, amperes, 0.0).at(time));
        measure_with(converter.front_end(), calibration.clone(), &pairs)
    };
    for (reading, _) in of(0.0) {
        assert!(reading.quality.has(Flag::BelowNoise), "{}", reading.current.0);
        close(reading.current.0, 0.0153, 0.001);
        assert_eq!(
            (reading.power_factor, reading.thd_current, reading.crest_factor_current),
            (None, None, None)
        );
        assert!(reading.active_power.0 != 0.0);
    }
    let noise = of(0.0).last().unwrap().0.clone();
    assert!(noise.energy_below_noise.0 > 0);
    for (reading, _) in of(0.05) {
        assert!(!reading.quality.has(Flag::BelowNoise));
        close(reading.current_noise_corrected.unwrap().0, 0.05, 0.002);
        close(reading.current.0, (0.05_f64.powi(2) + 0.0153_f64.powi(2)).sqrt(), 0.002);
    }
}

#[test]
fn an_open_relay_offers_zero_and_noise_and_applies_nothing() {
    let converter = Converter::TWELVE_BIT;
    let drifted: Vec<Pair> = converter
        .pairs(4.0, 14, |time| (Signal::sine(50.0, 230.0, 2.0, 0.0).at(time).0, 0.0))
        .into_iter()
        .map(|pair| Pair { current: pair.current + 7, ..pair })
        .collect();
    with_meter(converter.front_end(), converter.calibration(), |meter| {
        meter.push(0, &drifted, |_, _| {});
        let idle = meter.idle();
        assert!(idle.windows > 15);
        close(idle.current_zero_raw.unwrap(), 2055.0, 0.05);
        close(idle.current_noise_floor_a.unwrap(), 0.0153, 0.0003);
        close(meter.setup().calibration().current.zero_raw, 2048.0, 0.0);
        meter.set_relay(true);
        assert_eq!(meter.idle().windows, 0);
    });
}

/// A window closes some rows after its end. A command in between belongs to the next one.
#[test]
fn a_window_that_ended_before_the_command_is_none_of_an_open_relay() {
    let converter = Converter::TWELVE_BIT;
    let mut end_rows = Vec::new();
    let cut_at = |cut: Option<usize>, each: &mut dyn FnMut(&Reading)| {
        let opened = cut.map_or(f64::INFINITY, |row| row as f64 / converter.rate + 0.012);
        let pairs = converter.pairs(1.0, 14, |time| {
            let (voltage, current) = Signal::sine(50.0, 230.0, 2.0, 0.0).at(time);
            (voltage, if time < opened { current } else { 0.0 })
        });
        with_meter(converter.front_end(), converter.calibration(), |meter| {
            meter.set_relay(true);
            for (row, pair) in pairs.iter().enumerate() {
                if cut == Some(row) {
                    meter.set_relay(false);
                }
                meter.push(0, &[*pair], |reading, _| each(reading));
            }
            *meter.idle()
        })
    };
    cut_at(None, &mut |reading| end_rows.push((reading.uptime.0 * converter.rate) as usize));
    for after_the_end in 0..100 {
        let cut = end_rows[1] + after_the_end;
        let mut told = Vec::new();
        let idle = cut_at(Some(cut), &mut |reading| told.push(reading.clone()));
        for reading in &told {
            let end = (reading.uptime.0 * converter.rate) as usize;
            assert_eq!(reading.relay, end < cut, "{after_the_end}");
        }
        assert!(idle.windows > 0, "{after_the_end}");
        close(idle.current_noise_floor_a.unwrap(), 0.0153, 0.002);
    }
}

#[test]
fn skew_is_a_delay_and_phase_belongs_to_the_fundamental() {
    for skew in [-125e-6, -50e-6, 0.0, 50e-6, 125e-6, 800e-6] {
        let converter = Converter { skew, ..Converter::TWENTY_FOUR_BIT };
        let mut signal = Signal::sine(50.0, 230.0, 5.0, 30.0);
        signal.voltage.push((5, 11.5, 100.0));
        let harmonic: Line = (5, 2.0, 40.0);
        signal.current.push(harmonic);
        let pairs = converter.pairs(2.0, 15, |time| signal.at(time));
        for (reading, harmonics) in measure(&converter, &pairs) {
            close(reading.active_power.0, signal.watts(), 0.02);
            close(reading.reactive_power.unwrap().0, signal.vars(), 0.02);
            close(harmonics.current[0].phase.0, -30.0, 0.01);
            close(harmonics.current[4].phase.0, 40.0, 0.05);
            close(harmonics.voltage[4].phase.0, 100.0, 0.05);
            close(harmonics.current[4].rms, 2.0, 0.0005);
        }
    }
    // A current sensor that is 3 degrees late at the fundamental.
    let converter = Converter::TWENTY_FOUR_BIT;
    let seen = Signal::sine(50.0, 230.0, 5.0, 33.0);
    let mut calibration = converter.calibration();
    calibration.phase = Degrees(3.0);
    let pairs = converter.pairs(2.0, 16, |time| seen.at(time));
    for (reading, _) in measure_with(converter.front_end(), calibration, &pairs) {
        let truth = Signal::sine(50.0, 230.0, 5.0, 30.0);
        close(reading.active_power.0, truth.watts(), 0.02);
        close(reading.reactive_power.unwrap().0, truth.vars(), 0.02);
        close(reading.current.0, 5.0, 1e-4);
    }
}

#[test]
fn a_whole_harmonic_spectrum() {
    let converter = Converter { rate: 10_000.0, ..Converter::TWENTY_FOUR_BIT };
    let mut signal = Signal::sine(50.0, 230.0, 5.0, 10.0);
    for order in 2..=40_u32 {
        signal.current.push((order, 2.0 / f64::from(order), 7.0 * f64::from(order)));
        signal.voltage.push((order, 5.0 / f64::from(order), -9.0 * f64::from(order)));
    }
    let pairs = converter.pairs(1.0, 17, |time| signal.at(time));
    let degrees = |angle: f64| angle - 360.0 * (angle / 360.0).round();
    for (reading, harmonics) in measure(&converter, &pairs) {
        assert_eq!(harmonics.max_order, 40);
        close(reading.thd_current.unwrap().0, signal.thd_current(), 0.02);
        for &(order, rms, phase) in &signal.current {
            let found = harmonics.current[order as usize - 1];
            close(found.rms, rms, 0.003);
            close(degrees(found.phase.0 - phase), 0.0, 3.0);
        }
        for &(order, rms, _) in &signal.voltage {
            close(harmonics.voltage[order as usize - 1].rms, rms, 0.02);
        }
    }
}

#[test]
fn the_first_window_does_not_wait_for_ever() {
    // A stream that begins without voltage and then gets it.
    let converter = Converter::TWELVE_BIT;
    let pairs = converter.pairs(1.0, 18, |time| {
        if time < 0.35 { (0.0, 0.0) } else { Signal::sine(50.0, 230.0, 2.0, 0.0).at(time) }
    });
    let readings = readings(&converter, &pairs);
    assert!(readings[0].quality.has(Flag::NoSync));
    close(readings[0].uptime.0, 0.2, 1e-9);
    assert_eq!(readings.last().unwrap().window.cycles, Some(10));
}

#[test]
fn a_meter_says_what_it_needs() {
    use metering::history::Storage;
    use metering::meter::{Meter, MeterError};
    let front_end = Converter::TWELVE_BIT.front_end();
    let calibration = Converter::TWELVE_BIT.calibration();
    let mut small = ([0; 100], [0; 100]);
    let storage = Storage { voltage: &mut small.0, current: &mut small.1 };
    let needed = Meter::rows_needed(4000.0);
    assert_eq!(Meter::new(front_end, calibration, storage).err(), Some(MeterError::Storage(needed)));
    let _: Harmonics = Harmonics::NONE;
}

#[test]
fn a_reversed_voltage_sensor_with_a_negative_gain_measures_the_same() {
    let converter = Converter::TWENTY_FOUR_BIT;
    let mut signal = Signal::sine(50.0, 230.0, 5.0, 30.0);
    signal.current.push((5, 1.0, 40.0));
    let mirrored: Vec<Pair> = converter
        .pairs(1.0, 20, |time| signal.at(time))
        .into_iter()
        .map(|pair| Pair { voltage: -pair.voltage, ..pair })
        .collect();
    let mut calibration = converter.calibration();
    calibration.voltage.gain = -calibration.voltage.gain;
    for (reading, harmonics) in measure_with(converter.front_end(), calibration, &mirrored) {
        close(reading.active_power.0, signal.watts(), 0.02);
        close(reading.reactive_power.unwrap().0, signal.vars(), 0.1);
        close(harmonics.voltage[0].phase.0, 0.0, 1e-6);
        close(harmonics.current[0].phase.0, -30.0, 0.01);
        close(harmonics.current[4].phase.0, 40.0, 0.05);
    }
}

#[test]
fn a_window_that_ends_early_says_so_and_none_is_longer_than_a_quarter_second() {
    let converter = Converter::TWELVE_BIT;
    // 60 Hz that stops after eleven cycles of a window.
    let pairs = converter.pairs(1.0, 21, |time| {
        if time < 0.39 { Signal::sine(60.0, 230.0, 3.0, 0.0).at(time) } else { (0.0, 0.0) }
    });
    let short: Vec<_> =
        readings(&converter, &pairs).into_iter().filter(|r| r.quality.has(Flag::ShortWindow)).collect();
    assert_eq!(short.len(), 1);
    assert!(short[0].window.cycles.unwrap() < 12);
    // A generator that runs down.
    let slowing = |time: f64| 48.0 * time - 3.0 * time * time;
    let pairs = converter.pairs(3.0, 22, |time| Signal::sine(1.0, 230.0, 3.0, 0.0).at(slowing(time)));
    for reading in readings(&converter, &pairs) {
        assert!(reading.window.duration.0 <= 0.25, "{}", reading.window.duration.0);
    }
}

#[test]
fn noise_is_no_direct_current() {
    let converter = Converter::TWELVE_BIT;
    let mut calibration = converter.calibration();
    calibration.current_noise_floor = Some(Amperes(0.0153));
    let pairs = converter.pairs(60.0, 23, |time| (Signal::sine(50.0, 230.0, 0.0, 0.0).at(time).0, 0.0));
    let flagged = measure_with(converter.front_end(), calibration, &pairs)
        .iter()
        .filter(|(reading, _)| reading.quality.has(Flag::DcCurrent))
        .count();
    // Three standard deviations: about one window in 370.
    assert!(flagged <= 4, "{flagged} of 300");
}

#[test]
fn many_short_gaps_in_a_cycle_are_a_long_one() {
    let converter = Converter::TWELVE_BIT;
    let pairs = converter.pairs(1.5, 24, |time| Signal::sine(50.0, 230.0, 3.0, 0.0).at(time));
    with_meter(converter.front_end(), converter.calibration(), |meter| {
        let mut readings = Vec::new();
        meter.push(0, &pairs[..4003], |reading, _| readings.push(reading.clone()));
        // Nineteen of twenty pairs are missing for a while.
        for at in (4003..4403).step_by(20) {
            meter.push(19, &pairs[at + 19..at + 20], |reading, _| readings.push(reading.clone()));
        }
        meter.push(0, &pairs[4403..], |reading, _| readings.push(reading.clone()));
        // What is measured there is said to be without sync, in pieces, and the lost time is counted.
        assert!(readings.iter().all(|reading| reading.window.lost <= 20));
        close(meter.unmeasured().0, 380.0 / 4000.0, 1e-9);
        let last = readings.last().unwrap();
        close(last.voltage.0, 230.0, 0.1);
    });
}
