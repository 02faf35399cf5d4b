use super::*;
use crate::core::civil::Date;
use crate::settings::schema::{At, ScheduleEntry};

extern crate std;

const UPTIME_OF_MIDNIGHT_S: f64 = 100_000.0;

/// Tuesday 2026-11-24, 00:00 UTC.
fn midnight() -> f64 {
    (Date { year: 2026, month: 11, day: 24 }.day_number() * DAY_S) as f64
}

/// `hours` after that midnight, by a clock that is right.
fn at(hours: f64) -> Moment {
    clock_off(hours, 0.0)
}

/// The same with a clock that is `off_s` ahead.
fn clock_off(hours: f64, off_s: f64) -> Moment {
    let uptime = Duration::from_secs_f64(UPTIME_OF_MIDNIGHT_S + hours * 3_600.0);
    Moment { instant: Instant::from_start(uptime), time: Some(midnight() + hours * 3_600.0 + off_s) }
}

fn untrusted(hours: f64) -> Moment {
    Moment { time: None, ..at(hours) }
}

fn entry(text: &str, on: bool) -> ScheduleEntry {
    ScheduleEntry { enabled: true, days: ALL_DAYS, at: text.parse().unwrap(), on, random_s: 0 }
}

fn settings(entries: &[ScheduleEntry]) -> ScheduleSettings {
    ScheduleSettings { enabled: true, entries: entries.iter().copied().collect() }
}

fn schedule(entries: &[ScheduleEntry]) -> Schedule {
    let mut schedule = Schedule::new();
    schedule.set(&settings(entries), &TimeSettings::default(), 7);
    schedule
}

/// On at 06:00, off at 22:00.
fn day_and_night() -> Schedule {
    schedule(&[entry("06:00", true), entry("22:00", false)])
}

fn wants(poll: &Poll) -> Option<bool> {
    poll.claim.as_ref().map(|claim| claim.on)
}

#[test]
fn what_came_before_the_start_is_claimed_but_is_no_edge() {
    let mut schedule = day_and_night();
    let poll = schedule.poll(at(1.0));
    assert_eq!((wants(&poll), poll.edge), (Some(false), false));
    let claim = poll.claim.unwrap();
    assert_eq!((claim.entry, claim.time), (1, midnight() - 7_200.0));
    assert_eq!(claim.cause, "schedule entry 2: off at 22:00");
    let status = schedule.status(at(1.0));
    assert_eq!(status.state, ScheduleState::Running);
    assert_eq!(status.reason, "schedule entry 2: off at 22:00");
    assert_eq!(status.next, Some(NextEdge { time: midnight() + 21_600.0, on: true, entry: 0 }));
}

#[test]
fn an_edge_is_told_once() {
    let mut schedule = day_and_night();
    let _ = schedule.poll(at(5.0));
    let poll = schedule.poll(at(5.9999));
    assert_eq!((wants(&poll), poll.edge), (Some(false), false));
    let poll = schedule.poll(at(6.0));
    assert_eq!((wants(&poll), poll.edge), (Some(true), true));
    let poll = schedule.poll(at(6.0));
    assert_eq!((wants(&poll), poll.edge), (Some(true), false));
    assert_eq!(wants(&schedule.poll(at(21.9))), Some(true));
    assert!(schedule.poll(at(22.5)).edge);
}

#[test]
fn it_asks_to_be_polled_at_the_edge_and_once_an_hour() {
    let mut schedule = day_and_night();
    assert_eq!(schedule.poll_at(at(4.5)), Some(at(4.5).instant));
    let _ = schedule.poll(at(4.5));
    assert_eq!(schedule.poll_at(at(4.5)), Some(at(5.5).instant));
    let wait = schedule.poll_at(at(5.5)).unwrap().since(at(5.5).instant);
    assert!(wait > Duration::from_secs(1_800) && wait < Duration::from_millis(1_800_010), "{wait:?}");
    assert_eq!(schedule.poll_at(untrusted(5.5)), Some(at(5.5).instant.after(Duration::from_secs(10))));
    assert_eq!(Schedule::new().poll_at(at(0.0)), None);
}

#[test]
fn polling_only_when_asked_misses_nothing() {
    let mut schedule = day_and_night();
    let mut now = at(0.25);
    let mut edges = std::vec![];
    while now.instant < at(72.0).instant {
        let poll = schedule.poll(now);
        if poll.edge {
            edges.push(now.time.unwrap() - poll.claim.unwrap().time);
        }
        let then = schedule.poll_at(now).unwrap();
        assert!(then > now.instant);
        let later = then.since(now.instant).as_secs_f64();
        now = Moment { instant: then, time: now.time.map(|time| time + later) };
    }
    assert_eq!(edges.len(), 6);
    assert!(edges.iter().all(|late| (0.0..0.01).contains(late)), "{edges:?}");
}

#[test]
fn no_schedule_runs_on_an_untrusted_clock() {
    let mut schedule = day_and_night();
    assert_eq!(schedule.poll(untrusted(7.0)), Poll::default());
    let status = schedule.status(untrusted(7.0));
    assert_eq!(status.state, ScheduleState::ClockUntrusted);
    assert_eq!(status.reason, "the clock is not trusted yet: no schedule runs");
    assert_eq!(status.next, None);
    let poll = schedule.poll(at(7.0));
    assert_eq!((wants(&poll), poll.edge), (Some(true), false));
    // Lost and found again: what came meanwhile is an edge, what ran before is none.
    assert_eq!(schedule.poll(untrusted(21.0)), Poll::default());
    assert!(!schedule.poll(at(21.5)).edge);
    assert_eq!(schedule.poll(untrusted(21.6)), Poll::default());
    let poll = schedule.poll(at(23.0));
    assert_eq!((wants(&poll), poll.edge), (Some(false), true));
    // A time that is no number is none.
    assert_eq!(schedule.poll(Moment { time: Some(f64::NAN), ..at(23.0) }), Poll::default());
}

#[test]
fn a_clock_that_jumps_ahead_runs_the_newest_edge_once() {
    let mut schedule = day_and_night();
    let _ = schedule.poll(at(5.0));
    // Over 06:00 and 22:00 at once.
    let poll = schedule.poll(clock_off(5.1, 18.0 * 3_600.0));
    assert_eq!((wants(&poll), poll.edge), (Some(false), true));
    assert!(!schedule.poll(clock_off(5.2, 18.0 * 3_600.0)).edge);
}

#[test]
fn a_clock_that_goes_back_runs_nothing_twice() {
    let mut schedule = schedule(&[entry("06:00", true), entry("06:01", false), entry("22:00", true)]);
    let _ = schedule.poll(at(5.0));
    assert!(schedule.poll(at(6.005)).edge);
    assert!(schedule.poll(at(6.02)).edge);
    // The fish were fed: they are not fed again an hour later.
    for minutes in 2..200 {
        let poll = schedule.poll(clock_off(6.0 + f64::from(minutes) / 60.0, -3_600.0));
        assert_eq!((wants(&poll), poll.edge), (Some(false), false), "{minutes}");
    }
    let back = schedule.status(clock_off(6.03, -3_600.0));
    assert!(back.reason.starts_with("the clock went back by "), "{}", back.reason);
    assert_eq!(back.next.map(|next| next.entry), Some(2));
    let poll = schedule.poll(clock_off(23.0, -3_600.0));
    assert_eq!((wants(&poll), poll.edge), (Some(true), true));
}

#[test]
fn a_clock_that_goes_back_by_more_than_a_day_was_wrong() {
    let mut schedule = day_and_night();
    let year_s = 365.0 * 86_400.0;
    assert_eq!(wants(&schedule.poll(clock_off(12.0, year_s))), Some(true));
    let poll = schedule.poll(at(12.0));
    assert_eq!((wants(&poll), poll.edge), (Some(true), false));
    let poll = schedule.poll(at(22.0));
    assert_eq!((wants(&poll), poll.edge), (Some(false), true));
}

#[test]
fn a_clock_that_is_put_right_bit_by_bit_disturbs_nothing() {
    let mut schedule = day_and_night();
    let mut edges = 0;
    for step in 0..48_000 {
        // Slower by 20 s a day, put right each hour.
        let hours = f64::from(step) / 1_000.0;
        let poll = schedule.poll(clock_off(hours, -(hours % 1.0) * 20.0 / 24.0));
        edges += u32::from(poll.edge);
    }
    assert_eq!(edges, 4);
}

#[test]
fn chance_stays_what_it_was_and_differs_each_day() {
    let random = ScheduleEntry { random_s: 3_600, ..entry("06:00", true) };
    let mut offsets = std::collections::BTreeSet::new();
    for day in 0..50 {
        let start = f64::from(day) * 24.0;
        let mut found = std::vec![];
        // Looked for anew each time, from before and from after it.
        for hours in [0.0, 3.0, 5.9, 7.1, 12.0, 23.0] {
            let mut schedule = schedule(&[random]);
            let claim = schedule.poll(at(start + hours)).claim.unwrap().time;
            let next = schedule.status(at(start + hours)).next.unwrap().time;
            found.push(if hours < 6.0 { next } else { claim });
        }
        assert!(found.iter().all(|time| *time == found[0]), "{found:?}");
        let offset = found[0] - midnight() - start * 3_600.0 - 21_600.0;
        assert!((0.0..=3_600.0).contains(&offset), "{offset}");
        offsets.insert(offset as i64);
    }
    assert!(offsets.len() > 45, "{offsets:?}");
    let mean = offsets.iter().sum::<i64>() / offsets.len() as i64;
    assert!((1_300..2_300).contains(&mean), "{mean}");
    let cause = schedule(&[random]).poll(at(12.0)).claim.unwrap().cause;
    assert!(cause.starts_with("schedule entry 1: on at 06:00, this time 06:"), "{cause}");
}

#[test]
fn chance_of_the_evening_may_lead_into_the_next_day() {
    let late = ScheduleEntry { random_s: 3_600, ..entry("23:59:59", true) };
    let mut schedule = schedule(&[late]);
    let _ = schedule.poll(at(0.0));
    let edges: u32 = (0..2_400).map(|step| u32::from(schedule.poll(at(f64::from(step) / 10.0)).edge)).sum();
    // Monday's comes on Tuesday; of the tenth day none yet.
    assert_eq!(edges, 10);
}

#[test]
fn of_two_at_once_the_later_entry_wins() {
    let mut schedule = schedule(&[entry("12:00", true), entry("12:00", false), entry("12:00", true)]);
    let _ = schedule.poll(at(11.0));
    assert_eq!(schedule.status(at(11.0)).next.unwrap().entry, 2);
    let poll = schedule.poll(at(12.0));
    assert_eq!((poll.claim.unwrap().entry, poll.edge), (2, true));
    assert!(!schedule.poll(at(12.1)).edge);
}

#[test]
fn the_days_of_the_week_are_kept() {
    // Only Thursdays; the newest one before Tuesday 24 was on the 19th.
    let thursdays = ScheduleEntry { days: day_bit("thu").unwrap(), ..entry("12:00", true) };
    let mut schedule = schedule(&[thursdays]);
    let claim = schedule.poll(at(0.0)).claim.unwrap();
    assert_eq!(claim.time, midnight() - 4.5 * 86_400.0);
    assert_eq!(schedule.status(at(0.0)).next.unwrap().time, midnight() + 2.5 * 86_400.0);
}

#[test]
fn reasons_of_a_schedule_without_edges() {
    let reason = |entries: &[ScheduleEntry], latitude_deg: Option<f64>| {
        let mut schedule = Schedule::new();
        let time = TimeSettings { latitude_deg, longitude_deg: Some(19.0), ..TimeSettings::default() };
        schedule.set(&settings(entries), &time, 7);
        assert_eq!(schedule.poll(at(12.0)).claim, None);
        let status = schedule.status(at(12.0));
        assert_eq!((status.state, status.next), (ScheduleState::NoEdges, None));
        std::string::String::from(status.reason.as_str())
    };
    assert_eq!(reason(&[], None), "no entry is enabled on any day");
    let noon = entry("12:00", true);
    assert_eq!(reason(&[ScheduleEntry { enabled: false, ..noon }], None), "no entry is enabled on any day");
    assert_eq!(reason(&[ScheduleEntry { days: 0x80, ..noon }], None), "no entry is enabled on any day");
    let sunset = entry("sunset", true);
    let unknown = "entry 1 needs the plug's position: sunrise and sunset are unknown";
    assert_eq!(reason(&[sunset], None), unknown);
    assert_eq!(reason(&[sunset], Some(91.0)), unknown);
    // Polar night in Tromsø begins on 21 November or so; a week later it is long since the last sunset.
    assert_eq!(reason(&[sunset], Some(75.0)), "the sun neither rises nor sets within 8 days");

    let mut off = Schedule::new();
    off.set(&ScheduleSettings { enabled: false, ..settings(&[noon]) }, &TimeSettings::default(), 7);
    assert_eq!(off.poll(at(12.0)), Poll::default());
    assert_eq!(off.status(at(12.0)).state, ScheduleState::Off);
    assert_eq!(off.status(at(12.0)).reason, "the schedule is switched off");
}

#[test]
fn the_others_run_when_one_lacks_its_position_or_the_sun() {
    let entries = [entry("sunset", true), entry("12:00", false)];
    let mut schedule = schedule(&entries);
    assert_eq!(wants(&schedule.poll(at(13.0))), Some(false));
    let status = schedule.status(at(13.0));
    assert_eq!(status.state, ScheduleState::Running);
    assert_eq!(status.reason, "entry 1 needs the plug's position: sunrise and sunset are unknown");
    assert_eq!(status.next.unwrap().entry, 1);
}

#[test]
fn a_zone_that_cannot_be_read_runs_nothing() {
    let mut schedule = Schedule::new();
    let time = TimeSettings { posix: String::try_from("CET-1CEST").unwrap(), ..TimeSettings::default() };
    schedule.set(&settings(&[entry("12:00", true)]), &time, 7);
    assert_eq!(schedule.poll(at(13.0)), Poll::default());
    let status = schedule.status(at(13.0));
    assert_eq!(status.state, ScheduleState::NoEdges);
    assert!(status.reason.starts_with("the time zone must say when summer time begins"), "{}", status.reason);
}

#[test]
fn a_claim_ends_when_it_is_older_than_eight_days() {
    // In Tromsø the last sunset of 2026 is in the end of November.
    let mut schedule = Schedule::new();
    let time =
        TimeSettings { latitude_deg: Some(69.65), longitude_deg: Some(18.96), ..TimeSettings::default() };
    schedule.set(&settings(&[entry("sunset", true)]), &time, 7);
    let mut last = None;
    let mut lost = None;
    for hour in 0..40 * 24 {
        let now = at(f64::from(hour));
        match schedule.poll(now).claim {
            Some(claim) => last = Some(claim.time),
            None => lost = lost.or(now.time),
        }
    }
    let (last, lost) = (last.unwrap(), lost.unwrap());
    let days = (lost - last) / 86_400.0;
    assert!((8.0..8.1).contains(&days), "{days}");
    // Once the sun is back it runs again, and the first sunset is an edge.
    let first = (40 * 24..80 * 24).find(|&hour| schedule.poll(at(f64::from(hour))).edge).unwrap();
    // Mid-January.
    assert!((50..55).contains(&(first / 24)), "{}", first / 24);
}

#[test]
fn the_same_settings_again_disturb_nothing() {
    let mut schedule = day_and_night();
    let _ = schedule.poll(at(5.0));
    schedule.set(&settings(&[entry("06:00", true), entry("22:00", false)]), &TimeSettings::default(), 7);
    assert!(schedule.poll(at(6.0)).edge);
    // Others begin anew: what was due at 07:00 is claimed, but nobody's claim ends by it.
    schedule.set(&settings(&[entry("07:00", false)]), &TimeSettings::default(), 7);
    let poll = schedule.poll(at(8.0));
    assert_eq!((wants(&poll), poll.edge), (Some(false), false));
    schedule.set(&ScheduleSettings { enabled: false, ..settings(&[]) }, &TimeSettings::default(), 7);
    assert_eq!(schedule.poll(at(8.0)), Poll::default());
}

#[test]
fn it_is_small() {
    let beside = size_of::<Schedule>() - size_of::<ScheduleSettings>();
    assert!(beside <= 300, "{beside} bytes");
}

#[test]
fn what_is_told_is_json() {
    let mut schedule = day_and_night();
    let _ = schedule.poll(at(7.0));
    assert_eq!(
        serde_json::to_value(schedule.status(at(7.0))).unwrap(),
        serde_json::json!({
            "state": "running",
            "reason": "schedule entry 1: on at 06:00",
            "next": {"time": midnight() + 79_200.0, "on": false, "entry": 1},
        })
    );
    assert_eq!(serde_json::to_value(ScheduleState::ClockUntrusted).unwrap(), "clock_untrusted");
    assert_eq!(serde_json::to_value(ScheduleState::NoEdges).unwrap(), "no_edges");
}

#[test]
fn an_event_that_the_clock_cannot_name_is_never_lost_as_a_whole() {
    let far = ScheduleEntry { at: At::Sunset(-21_599), random_s: 3_600, ..entry("12:00", false) };
    let mut schedule = Schedule::new();
    let time =
        TimeSettings { latitude_deg: Some(-45.0), longitude_deg: Some(170.0), ..TimeSettings::default() };
    schedule.set(&settings(&[far; 16]), &time, 7);
    let claim = schedule.poll(at(13.0)).claim.unwrap();
    assert!(claim.cause.contains(": off at sunset-05:59:59, this time "), "{}", claim.cause);
}
