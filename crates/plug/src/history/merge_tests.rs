use alloc::vec::Vec;

use metering::energy::Energy;
use metering::quality::Flag;

use super::*;

const NOON: u32 = 1_795_003_200;

/// Ten seconds that end at this time, in a start at noon.
fn row(time: Option<u32>, uptime_s: f64, watts: f64) -> Row {
    Row {
        boot: 1,
        uptime_s,
        time,
        interval_s: 10,
        measured: 1.0,
        import: Energy((uptime_s * 1e9) as u64),
        export: Energy(0),
        active_power_w: watts,
        power_min_w: watts - 1.0,
        power_max_w: watts + 1.0,
        voltage_v: Some(230.0),
        current_a: Some(watts / 230.0),
        power_factor: None,
        frequency_hz: Some(50.0),
        relay: true,
        relay_changed: false,
        quality: Quality::NONE,
    }
}

fn at(seconds: u32, watts: f64) -> Row {
    row(Some(NOON + seconds), f64::from(seconds), watts)
}

fn merged(step_s: u32, rows: &[Row]) -> Vec<Row> {
    let mut merge = Merge::new(step_s);
    let mut all: Vec<Row> = rows.iter().filter_map(|row| merge.push(row)).collect();
    all.extend(merge.finish());
    assert_eq!(merge.finish(), None);
    all
}

fn near(found: Option<f64>, expected: f64) {
    assert!((found.unwrap() - expected).abs() < 1e-9, "{found:?} {expected}");
}

#[test]
fn means_are_weighted_by_the_measured_time_and_counters_are_the_last() {
    let short = Row { measured: 0.5, frequency_hz: None, relay: false, ..at(20, 400.0) };
    let rows = merged(30, &[at(10, 100.0), short, at(40, 7.0)]);
    assert_eq!(rows.len(), 2);
    let first = rows[0];
    assert_eq!((first.time, first.uptime_s, first.interval_s), (Some(NOON + 30), 30.0, 30));
    near(Some(first.measured), 0.5);
    near(Some(first.active_power_w), 200.0);
    assert_eq!((first.power_min_w, first.power_max_w, first.import), (99.0, 401.0, short.import));
    near(first.voltage_v, 230.0);
    near(
        first.current_a,
        ((100.0_f64 / 230.0).powi(2) / 1.5 + (400.0_f64 / 230.0).powi(2) * 0.5 / 1.5).sqrt(),
    );
    near(first.frequency_hz, 50.0);
    assert_eq!((first.power_factor, first.relay, first.relay_changed), (None, false, true));
    // The last window is told with its regular end.
    assert_eq!((rows[1].time, rows[1].uptime_s), (Some(NOON + 60), 60.0));
}

#[test]
fn gaps_leave_windows_out_and_longer_rows_stay_as_they_are() {
    let long = Row { interval_s: 3600, ..at(7200, 5.0) };
    let rows = merged(60, &[at(10, 1.0), at(60, 2.0), at(610, 3.0), long, at(7210, 4.0)]);
    let told: Vec<_> = rows.iter().map(|row| (row.time.unwrap() - NOON, row.interval_s)).collect();
    assert_eq!(told, [(60, 60), (660, 60), (7200, 3600), (7260, 60)]);
    assert_eq!(rows[2], long);
    assert_eq!(merged(10, &[at(10, 1.0), at(20, 2.0)]).len(), 2);
    assert_eq!(merged(300, &[]), []);
}

#[test]
fn two_starts_share_a_window_where_both_know_the_time() {
    let mut flagged = Row { boot: 2, ..row(Some(NOON + 50), 3.0, 9.0) };
    flagged.quality.set(Flag::Clipped);
    let rows = merged(300, &[at(10, 1.0), flagged]);
    assert_eq!(rows.len(), 1);
    assert!(rows[0].boot == 2 && rows[0].quality.has(Flag::Clipped));
}

#[test]
fn without_the_time_windows_are_those_of_one_start() {
    let timeless = |boot, uptime_s| Row { boot, ..row(None, uptime_s, 1.0) };
    let rows = merged(60, &[timeless(1, 10.0), timeless(1, 70.0), timeless(2, 20.0), at(30, 1.0)]);
    let told: Vec<_> = rows.iter().map(|row| (row.boot, row.time, row.uptime_s)).collect();
    // A window that is cut short ends with its last row.
    assert_eq!(told, [(1, None, 60.0), (1, None, 70.0), (2, None, 20.0), (1, Some(NOON + 60), 60.0)]);
}

#[test]
fn where_the_clock_was_put_back_uptime_goes_on_rising() {
    let back = row(Some(NOON - 3590), 30.0, 1.0);
    let rows = merged(300, &[at(10, 1.0), at(20, 1.0), back]);
    assert_eq!((rows[0].time, rows[0].uptime_s), (Some(NOON + 300), 30.0));
    assert_eq!(rows[1].time, Some(NOON - 3300));
}

#[test]
fn two_rows_with_one_end_become_one() {
    let one = Row { measured: 0.25, ..at(10, 100.0) };
    let other = Row { boot: 2, measured: 0.75, ..at(10, 200.0) };
    let both = joined(&one, &other);
    assert_eq!((both.boot, both.time, both.measured), (2, Some(NOON + 10), 1.0));
    near(Some(both.active_power_w), 175.0);
}
