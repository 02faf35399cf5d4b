//! Sunrise and sunset against an ephemeris that is a thousand times as exact.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests may fail loudly")]

use plug::core::civil::sun::{Position, SunTimes};
use plug::core::civil::{Date, Zone};

/// What is promised between 65° S and 65° N.
const WITHIN_S: i64 = 120;
/// What is reached there: the reason why the promise is not in danger.
const SEEN_S: i64 = 15;

struct Row {
    place: String,
    position: Position,
    noon: i64,
    expected: SunTimes,
}

fn rows(table: &str) -> Vec<Row> {
    let rows = table.lines().filter(|line| !line.starts_with('#')).skip(1);
    rows.map(|line| {
        let fields: Vec<&str> = line.split(',').collect();
        let [place, latitude, longitude, noon, rise, set] = fields[..] else { panic!("{line}") };
        Row {
            place: place.to_owned(),
            position: Position::new(latitude.parse().ok(), longitude.parse().ok()).unwrap(),
            noon: noon.parse().unwrap(),
            expected: SunTimes { rise: rise.parse().ok(), set: set.parse().ok() },
        }
    })
    .collect()
}

#[test]
fn agrees_with_an_ephemeris() {
    let rows = rows(include_str!("data/sun.csv"));
    assert_eq!(rows.len(), 200);
    let mut worst = 0;
    for Row { place, position, noon, expected } in rows {
        let found = SunTimes::of_day(noon, position);
        for (found, expected) in [(found.rise, expected.rise), (found.set, expected.set)] {
            assert_eq!(found.is_some(), expected.is_some(), "{place} {noon}");
            let error = found.unwrap_or(0).abs_diff(expected.unwrap_or(0));
            // Tromsø, at nearly 70° N, is in no promise, but it keeps to it.
            assert!(error <= WITHIN_S as u64, "{place} {noon}: {error} s");
            worst = worst.max(error);
        }
    }
    assert!(worst <= SEEN_S as u64, "{worst} s");
}

/// HM Nautical Almanac Office, for Greenwich on 2024-06-21: 03:43 and 20:21.
#[test]
fn agrees_with_the_almanac_to_the_minute() {
    let greenwich = Position::new(Some(51.4779), Some(0.0)).unwrap();
    let midnight = Date { year: 2024, month: 6, day: 21 }.day_number() * 86_400;
    let sun = SunTimes::of_day(midnight + 43_200, greenwich);
    let minute = |unix: Option<i64>| (unix.unwrap() - midnight + 30) / 60;
    assert_eq!(minute(sun.rise), 3 * 60 + 43);
    assert_eq!(minute(sun.set), 20 * 60 + 21);
}

#[test]
fn no_day_lacks_its_sun_between_65_south_and_65_north() {
    for latitude in -65..=65 {
        let position = Position::new(Some(f64::from(latitude)), Some(11.0)).unwrap();
        let mut before = None;
        for day in 20_454..20_454 + 366 {
            let noon = day * 86_400 + 43_200;
            let SunTimes { rise: Some(rise), set: Some(set) } = SunTimes::of_day(noon, position) else {
                panic!("{latitude} {day}")
            };
            assert!(rise < set && set - rise < 86_400, "{latitude} {day}");
            // No day is left out or counted twice: the sun moves by minutes from one to the next.
            if let Some((rise_before, set_before)) = before {
                assert!((86_400 - 400..86_400 + 400).contains(&(rise - rise_before)), "{latitude} {day}");
                assert!((86_400 - 400..86_400 + 400).contains(&(set - set_before)), "{latitude} {day}");
            }
            before = Some((rise, set));
        }
    }
}

#[test]
fn the_sun_of_a_day_is_the_one_around_its_noon() {
    // Kiritimati's clock is 14 h ahead of UTC, though it lies in the west: its days are not those of its longitude.
    let zone = Zone::parse("<+14>-14").unwrap();
    let position = Position::new(Some(1.87), Some(-157.4)).unwrap();
    for day in 20_454..20_454 + 366 {
        let sun = SunTimes::of_day(zone.resolve(day, 43_200), position);
        for (event, hours) in [(sun.rise, 5..8), (sun.set, 17..20)] {
            let local = zone.local(event.unwrap());
            assert_eq!(local.day_number, day);
            assert!(hours.contains(&(local.seconds_of_day / 3_600)));
        }
    }
}

#[test]
fn odd_places_have_times_or_none_but_no_nonsense() {
    assert_eq!(Position::new(Some(90.1), Some(0.0)), None);
    assert_eq!(Position::new(Some(f64::NAN), Some(0.0)), None);
    assert_eq!(Position::new(Some(0.0), Some(-180.1)), None);
    assert_eq!(Position::new(Some(0.0), None), None);
    for latitude in [-90.0, -89.9, -66.5, 0.0, 66.5, 89.9, 90.0] {
        for longitude in [-180.0, 0.0, 180.0] {
            let position = Position::new(Some(latitude), Some(longitude)).unwrap();
            for noon in (0..400).map(|step| step * 86_400 * 30).chain([i64::MIN, i64::MAX]) {
                let sun = SunTimes::of_day(noon, position);
                assert_eq!(sun.rise.is_some(), sun.set.is_some());
                if let (Some(rise), Some(set)) = (sun.rise, sun.set) {
                    assert!(rise <= set, "{latitude} {longitude} {noon}");
                }
            }
        }
    }
}
