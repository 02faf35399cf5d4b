use alloc::vec::Vec;

use futures_lite::future::block_on;
use metering::energy::Energy;
use metering::units::{Amperes, Hertz, Seconds, VoltAmperes, Volts, Watts};
use proptest::prelude::*;

use super::*;

/// Unix time of a start; no multiple of anything.
const START: f64 = 1_795_000_003.6;

/// A window of 0.2 s that ends at `uptime_s`, told at Unix time `time`.
fn reading(uptime_s: f64, time: Option<f64>, watts: f64) -> Reading {
    Reading {
        time,
        uptime: Seconds(uptime_s),
        voltage: Volts(230.0),
        current: Amperes(1.0),
        active_power: Watts(watts),
        apparent_power: VoltAmperes(230.0),
        power_factor: Some(0.5),
        frequency: Some(Hertz(50.0)),
        // The uptime, so that a row says which reading was its last.
        energy_import: Energy((uptime_s * 1e9) as u64),
        relay: true,
        ..Reading::NONE
    }
}

/// The rows of readings from `from` to `to`, whose clock is `offset(uptime)` ahead of their uptime.
fn run(
    windows: &mut Windows,
    (from, to): (f64, f64),
    interval_s: u16,
    offset: impl Fn(f64) -> Option<f64>,
) -> Vec<Row> {
    let count = ((to - from) * 5.0).round() as u32;
    (1..=count)
        .filter_map(|index| {
            let uptime_s = from + f64::from(index) * 0.2;
            let time = offset(uptime_s).map(|offset| uptime_s + offset);
            windows.handle(&reading(uptime_s, time, uptime_s), interval_s, true)
        })
        .collect()
}

fn times(rows: &[Row]) -> Vec<Option<u32>> {
    rows.iter().map(|row| row.time).collect()
}

#[test]
fn windows_stand_on_the_clocks_grid_and_take_each_reading_once() {
    let mut windows = Windows::default();
    let rows = run(&mut windows, (0.0, 60.0), 10, |_| Some(START));
    // 03.6 to 10, then 10 s each.
    let expected: Vec<_> = (1..=6).map(|index| Some(1_795_000_000 + index * 10)).collect();
    assert_eq!(times(&rows), expected);
    assert!((rows[0].measured - 0.64).abs() < 1e-9 && (rows[1].measured - 1.0).abs() < 1e-9);
    assert!((rows[1].uptime_s - 16.4).abs() < 1e-6, "{}", rows[1].uptime_s);
    // The counters of the last reading in it; mean, least and greatest of all of them.
    assert_eq!(rows[1].import, Energy(16_400_000_000));
    assert!((rows[1].active_power_w - 11.5).abs() < 1e-9);
    assert_eq!((rows[1].power_min_w * 10.0).round(), 66.0);
    assert_eq!((rows[1].power_max_w * 10.0).round(), 164.0);
    assert!((rows[1].voltage_v.unwrap() - 230.0).abs() < 1e-9);
    assert!((rows[1].frequency_hz.unwrap() - 50.0).abs() < 1e-9);
}

#[test]
fn without_the_time_windows_stand_on_the_uptimes_grid() {
    let mut windows = Windows::default();
    let rows = run(&mut windows, (0.0, 31.0), 10, |_| None);
    assert_eq!(times(&rows), [None; 3]);
    assert_eq!(rows.iter().map(|row| row.uptime_s).collect::<Vec<_>>(), [10.0, 20.0, 30.0]);
    let last = windows.close().unwrap();
    assert_eq!((last.uptime_s, last.import), (40.0, Energy(31_000_000_000)));
    assert!((last.measured - 0.1).abs() < 1e-9);
    assert_eq!(windows.close(), None);
}

#[test]
fn a_clock_that_arrives_late_moves_the_grid_and_nothing_is_lost_or_counted_twice() {
    let mut windows = Windows::default();
    let rows = run(&mut windows, (0.0, 60.0), 10, |uptime_s| (uptime_s > 25.0).then_some(START));
    assert_eq!(
        rows[..2].iter().map(|row| (row.time, row.uptime_s)).collect::<Vec<_>>(),
        [(None, 10.0), (None, 20.0)]
    );
    // At 20 s it is 23.6 by the clock: the window goes on to 30, that is 26.4 s.
    assert_eq!(times(&rows[2..]), [3, 4, 5, 6].map(|index| Some(1_795_000_000 + index * 10)));
    assert!((rows[2].uptime_s - 26.4).abs() < 1e-6 && (rows[2].measured - 0.64).abs() < 1e-9);
    // Its first rows, told by the clock, stay before the first one on the grid.
    assert!((START + rows[1].uptime_s).floor() < 1_795_000_030.0);
    let measured: f64 = rows.iter().chain(&windows.close()).map(|row| row.measured * 10.0).sum();
    assert!((measured - 60.0).abs() < 1e-6, "{measured}");
}

#[test]
fn a_clock_that_is_lost_again_is_kept_by_uptime() {
    let mut windows = Windows::default();
    let rows = run(&mut windows, (0.0, 60.0), 10, |uptime_s| (uptime_s < 20.0).then_some(START));
    assert!(rows.len() == 6 && rows.iter().all(|row| row.time.is_some()));
}

#[test]
fn a_stall_is_no_step_of_the_clock_and_drift_is_followed() {
    let mut windows = Windows::default();
    let rows = run(&mut windows, (0.0, 600.0), 10, |uptime_s| {
        let stalled = (300.0..301.5).contains(&uptime_s);
        Some(START + uptime_s * 100e-6 + if stalled { 2.0 } else { 0.0 })
    });
    let expected: Vec<_> = (1..=60).map(|index| Some(1_795_000_000 + index * 10)).collect();
    assert_eq!(times(&rows), expected);
    let offset = windows.offset.unwrap() - START;
    assert!((offset - 0.06).abs() < 0.001, "{offset}");
}

#[test]
fn a_step_forward_leaves_a_gap_in_time_and_none_in_energy() {
    let mut windows = Windows::default();
    let rows = run(&mut windows, (0.0, 120.0), 10, |uptime_s| {
        Some(START + if uptime_s > 50.0 { 3600.0 } else { 0.0 })
    });
    let steps: Vec<u32> = rows.windows(2).map(|pair| pair[1].time.unwrap() - pair[0].time.unwrap()).collect();
    assert_eq!(steps.iter().filter(|step| **step != 10).collect::<Vec<_>>(), [&3610]);
    let measured: f64 = rows.iter().chain(&windows.close()).map(|row| row.measured * 10.0).sum();
    assert!(measured > 115.0, "the window with the step in it is longer than it says: {measured}");
    assert!(rows.is_sorted_by(|one, other| one.import < other.import));
}

#[test]
fn a_small_step_back_is_waited_for_and_a_large_one_is_followed() {
    for (back, waits) in [(12.0, true), (55.0, true), (3600.0, false)] {
        let mut windows = Windows::default();
        let rows = run(&mut windows, (0.0, 300.0), 10, |uptime_s| {
            Some(START - if uptime_s > 150.0 { back } else { 0.0 })
        });
        let rising = rows.is_sorted_by(|one, other| one.time < other.time);
        assert_eq!(rising, waits, "{back}");
        let all = times(&rows);
        let last = rows.last().unwrap().time.unwrap();
        assert!((f64::from(last) - (START + 300.0 - back)).abs() < 10.0);
        if waits {
            assert!(
                all.windows(2).all(|pair| pair[1].unwrap() - pair[0].unwrap() == 10),
                "no slot is left out"
            );
        }
        assert!(rows.is_sorted_by(|one, other| one.import < other.import));
    }
}

#[test]
fn another_interval_holds_from_the_next_end_on() {
    let mut windows = Windows::default();
    let mut rows = run(&mut windows, (0.0, 32.0), 10, |_| Some(START));
    rows.extend(run(&mut windows, (32.0, 150.0), 60, |_| Some(START)));
    rows.extend(run(&mut windows, (150.0, 160.0), 1, |_| Some(START)));
    let told: Vec<_> = rows.iter().map(|row| (row.time.unwrap() - 1_795_000_000, row.interval_s)).collect();
    assert_eq!(told[..4], [(10, 10), (20, 10), (30, 10), (80, 60)]);
    assert_eq!(told[4..7], [(140, 60), (154, 1), (155, 1)]);
    let measured: f64 = rows.iter().map(|row| row.measured * f64::from(row.interval_s)).sum();
    // What of the last minute was measured before the change counts in a window of a second.
    assert!((140.0 - 3.6..155.0).contains(&measured), "{measured}");
}

#[test]
fn nothing_measured_is_no_row() {
    let mut windows = Windows::default();
    let mut rows = run(&mut windows, (0.0, 20.0), 10, |_| Some(START));
    let mut nothing = reading(20.1, Some(START + 20.1), 0.0);
    nothing.window.duration = Seconds(0.0);
    rows.extend(windows.handle(&nothing, 10, true));
    rows.extend(run(&mut windows, (300.0, 330.0), 10, |_| Some(START)));
    assert_eq!(times(&rows), [10, 20, 30, 310, 320, 330].map(|seconds| Some(1_795_000_000 + seconds)));
    let mut windows = Windows::default();
    assert_eq!(windows.handle(&nothing, 10, true), None);
    assert_eq!(windows.close(), None);
}

#[test]
fn flags_and_the_relay_are_those_of_all_readings() {
    let mut windows = Windows::default();
    for index in 1..=5 {
        let mut one = reading(f64::from(index) * 0.2, None, 1.0);
        one.quality.set_if(Flag::Clipped, index == 2);
        one.relay = index < 4;
        one.frequency = one.frequency.filter(|_| index == 3);
        windows.handle(&one, 1, true);
    }
    let row = windows.close().unwrap();
    assert!(row.quality.has(Flag::Clipped) && !row.relay && row.relay_changed);
    assert!((row.frequency_hz.unwrap() - 50.0).abs() < 1e-9);
}

#[test]
fn without_room_a_window_goes_on() {
    let intake = Intake::new();
    for index in 1..=200 {
        intake.take(&reading(f64::from(index) * 0.2, None, 1.0), 1);
    }
    let mut ends = Vec::new();
    for _ in 0..limits::HISTORY_QUEUE {
        ends.push(block_on(intake.next()).uptime_s);
        intake.done();
    }
    assert_eq!(ends, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert!(intake.is_empty());
    intake.close();
    let last = block_on(intake.next());
    assert_eq!((last.uptime_s, last.import, last.measured), (40.0, Energy(40_000_000_000), 1.0));
}

proptest! {
    #[test]
    fn whatever_the_clock_does_each_reading_is_in_one_row(
        interval_s in 1..40_u16,
        steps in prop::collection::vec((1..400_u32, prop::option::of(-200.0..200.0_f64)), 1..8),
    ) {
        let mut windows = Windows::default();
        let (mut uptime_s, mut sum, mut rows) = (0.0, 0.0, Vec::new());
        for (count, offset) in steps {
            for _ in 0..count {
                uptime_s += 0.2;
                sum += uptime_s * 0.2;
                let time = offset.map(|offset| START + offset + uptime_s);
                rows.extend(windows.handle(&reading(uptime_s, time, uptime_s), interval_s, true));
            }
        }
        rows.extend(windows.close());
        prop_assert!(rows.is_sorted_by(|one, other| one.import < other.import));
        prop_assert_eq!(rows.last().unwrap().import, Energy((uptime_s * 1e9) as u64));
        // Each row's mean is that of the readings between the counters' ends.
        let (mut from, mut told) = (0.0, 0.0);
        for row in &rows {
            let to = row.import.watt_hours();
            told += row.active_power_w * (to - from);
            from = to;
        }
        prop_assert!((told - sum).abs() < 1e-3 * sum, "{} {}", told, sum);
        // What is known of the time stays known, and is on the grid.
        let known = rows.iter().position(|row| row.time.is_some()).unwrap_or(rows.len());
        prop_assert!(rows[known..].iter().all(|row| row.time.unwrap() % u32::from(interval_s) == 0));
        prop_assert!(rows[..known].iter().all(|row| row.uptime_s % f64::from(interval_s) == 0.0));
    }
}

#[test]
fn a_step_just_when_a_window_is_over_does_not_join_it_with_the_next() {
    let mut windows = Windows::default();
    // The tenth reading that tells of it is the first one of a new window.
    let rows = run(&mut windows, (0.0, 40.0), 10, |uptime_s| {
        Some(if uptime_s < 13.9 { START } else { START + 0.75 })
    });
    let expected: Vec<_> = (1..=4).map(|index| Some(1_795_000_000 + index * 10)).collect();
    assert_eq!(times(&rows), expected);
    assert_eq!(rows[1].import, Energy(15_600_000_000));
    assert!((rows[1].measured - 0.92).abs() < 1e-9 && (rows[2].measured - 1.0).abs() < 1e-9, "{rows:?}");
}
