//! The ledger against a plain list of all that ever left, and its bounds.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail loudly")]

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use plug::ledger::{Kept, Ledger, Outcome, Place, Purpose, Record};
use plug::limits;
use plug::platform::Instant;
use proptest::prelude::*;

const WEEK_H: u64 = 7 * 24;

fn place(number: u32) -> Rc<Place> {
    let purpose = [Purpose::Emoncms, Purpose::EmoncmsTest, Purpose::TimeServer][number as usize % 3];
    let host = format!("host-{}", number / 6).into_boxed_str();
    Rc::new(Place { host, port: 80, purpose, lookup: number % 2 == 1 })
}

/// A connection that was over at once.
fn record(place: Rc<Place>, seconds: f64, bytes: u32, outcome: Outcome) -> Record {
    Record {
        place,
        began: Instant::from_start(Duration::from_secs_f64(seconds)),
        took: Duration::from_millis(150),
        bytes_out: bytes,
        bytes_in: bytes / 2,
        outcome,
        body: None,
    }
}

/// All that left, and what of it should be told.
#[derive(Default)]
struct Oracle {
    /// Place, hour, bytes, whether it failed.
    all: Vec<(Rc<Place>, u64, u32, bool)>,
}

type Hours = BTreeMap<u64, (u64, u64, u64, u64)>;

impl Oracle {
    /// Those that are still known, in the order in which they came, each since it came (again).
    fn destinations(&self) -> Vec<(Rc<Place>, usize)> {
        let mut known: Vec<(Rc<Place>, usize, usize)> = Vec::new();
        for (at, (place, ..)) in self.all.iter().enumerate() {
            if let Some(there) = known.iter_mut().find(|(known, ..)| known == place) {
                there.2 = at;
                continue;
            }
            if known.len() == limits::LEDGER_DESTINATIONS {
                let least = known.iter().map(|(_, _, last)| *last).min().unwrap();
                known.retain(|(_, _, last)| *last != least);
            }
            known.push((place.clone(), at, at));
        }
        known.into_iter().map(|(place, since, _)| (place, since)).collect()
    }

    fn hours(&self, place: &Rc<Place>, since: usize) -> Hours {
        let newest = self.all.last().unwrap().1;
        let mut hours = Hours::new();
        for (other, hour, bytes, failed) in &self.all[since..] {
            if other == place && hour + WEEK_H > newest {
                let sums = hours.entry(*hour).or_default();
                let (bytes, failed) = (u64::from(*bytes), u64::from(*failed));
                *sums = (sums.0 + 1, sums.1 + failed, sums.2 + bytes, sums.3 + bytes / 2);
            }
        }
        hours
    }
}

fn told(ledger: &Ledger) -> Vec<(Place, Hours)> {
    let destinations = ledger.destinations().iter();
    destinations
        .map(|destination| {
            let hours = destination.hours().map(|hour| {
                let sums =
                    (hour.count.into(), hour.failed.into(), hour.bytes_out().into(), hour.bytes_in().into());
                (u64::from(hour.uptime_s()) / 3600, sums)
            });
            (destination.place().clone(), hours.collect())
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn it_tells_what_a_list_of_everything_would(
        steps in prop::collection::vec((0_u32..36, 0_u32..200_000, 0_u32..5_000, any::<bool>()), 1..300),
    ) {
        let (mut ledger, mut oracle, mut now) = (Ledger::new(), Oracle::default(), 0.0);
        for (number, pause, bytes, failed) in steps {
            // Mostly minutes, now and then days.
            now += if pause < 190_000 { f64::from(pause) / 100.0 } else { f64::from(pause) };
            let outcome = if failed { Outcome::TimedOut } else { Outcome::Ok };
            let record = record(place(number), now, bytes, outcome);
            oracle.all.push((record.place.clone(), (now / 3600.0) as u64, bytes, failed));
            ledger.note(record);
        }
        let wanted: Vec<_> = oracle
            .destinations()
            .into_iter()
            .map(|(place, since)| ((*place).clone(), oracle.hours(&place, since)))
            .collect();
        prop_assert_eq!(told(&ledger), wanted);
        prop_assert_eq!(ledger.dropped_hours(), 0);
        let last: Vec<_> = oracle.all.iter().rev().take(100).collect();
        prop_assert_eq!(ledger.connections().len(), last.len());
        for (entry, (place, _, bytes, failed)) in ledger.connections().zip(last) {
            prop_assert_eq!(entry.place(), &**place);
            prop_assert_eq!((entry.bytes_out, entry.bytes_in), (*bytes, bytes / 2));
            prop_assert_eq!(entry.outcome != Outcome::Ok, *failed);
            prop_assert!((entry.took_s() - 0.15).abs() < 1e-9);
        }
        let sums = ledger.sums();
        prop_assert_eq!(sums.connections as usize, oracle.all.len());
        let bytes: u64 = oracle.all.iter().map(|(_, _, bytes, _)| u64::from(*bytes)).sum();
        prop_assert_eq!(sums.bytes_out, bytes);
    }
}

#[test]
fn a_week_of_posts_every_ten_seconds_is_told_hour_by_hour() {
    let mut ledger = Ledger::new();
    for number in 0..60_480_u32 * 2 {
        ledger.note(record(place(0), f64::from(number) * 10.0, 200, Outcome::Ok));
    }
    let all = told(&ledger);
    let (_, hours) = &all[0];
    assert_eq!((all.len(), hours.len()), (1, 168));
    assert!(hours.values().all(|sums| *sums == (360, 0, 72_000, 36_000)), "{hours:?}");
    assert_eq!(hours.keys().next(), Some(&168));
    assert_eq!(ledger.dropped_hours(), 0);
    // Nothing left for a while: the hours grow old without anything new.
    ledger.forget_old(Instant::from_start(Duration::from_secs(14 * 86_400 + 86_400)));
    // The hour that has just begun is one of the 168.
    assert_eq!(told(&ledger)[0].1.len(), 143);
}

#[test]
fn what_ends_late_belongs_to_the_hour_in_which_it_began() {
    let mut ledger = Ledger::new();
    for (seconds, bytes) in [(7_300.0, 1), (7_100.0, 2), (3_500.0, 3), (7_400.0, 4)] {
        ledger.note(record(place(0), seconds, bytes, Outcome::Ok));
    }
    let hours: Vec<_> = told(&ledger)[0].1.iter().map(|(hour, sums)| (*hour, sums.2)).collect();
    assert_eq!(hours, [(0, 3), (1, 2), (2, 5)]);
}

#[test]
fn all_hours_together_are_bounded_and_the_oldest_go() {
    let mut ledger = Ledger::new();
    for hour in 0..WEEK_H as u32 {
        for number in 0..16 {
            ledger.note(record(place(number), f64::from(hour) * 3600.0, 1, Outcome::Ok));
        }
    }
    let all = told(&ledger);
    let hours: usize = all.iter().map(|(_, hours)| hours.len()).sum();
    assert_eq!((all.len(), hours), (16, limits::LEDGER_ALL_HOURS));
    assert_eq!(ledger.dropped_hours() as usize, 16 * WEEK_H as usize - limits::LEDGER_ALL_HOURS);
    for (place, hours) in &all {
        let (first, last) = (hours.keys().next().unwrap(), hours.keys().next_back().unwrap());
        assert_eq!(*last, WEEK_H - 1, "{place:?}");
        assert!(*first >= WEEK_H - limits::LEDGER_ALL_HOURS as u64 / 16 - 1, "{place:?} from {first}");
        assert_eq!(hours.len() as u64, last - first + 1, "without a hole");
    }
}

#[test]
fn counts_end_where_there_is_no_more_room() {
    let mut ledger = Ledger::new();
    for _ in 0..70_000 {
        ledger.note(record(place(0), 1.0, u32::MAX / 4, Outcome::Broken));
    }
    let all = told(&ledger);
    assert_eq!(all[0].1[&0], (65_535, 65_535, u32::MAX.into(), u32::MAX.into()));
    assert_eq!((ledger.sums().connections, ledger.sums().failed), (70_000, 70_000));
    assert_eq!(ledger.sums().bytes_out, 70_000 * u64::from(u32::MAX / 4));
}

#[test]
fn five_bodies_are_kept_whatever_comes_without_one() {
    let mut ledger = Ledger::new();
    for number in 0..200_u32 {
        let mut record = record(place(0), f64::from(number), 10, Outcome::Ok);
        if number < 8 {
            let bytes = format!("data={number}").into_bytes();
            record.body = Some(Kept { bytes, cut: number % 2 == 0 });
        }
        ledger.note(record);
    }
    let bodies: Vec<_> = ledger
        .bodies()
        .map(|body| (body.entry.number, String::from_utf8(body.kept.bytes.clone()).unwrap(), body.kept.cut))
        .collect();
    let wanted: Vec<_> =
        (3..8).rev().map(|number| (number + 1, format!("data={number}"), number % 2 == 0)).collect();
    assert_eq!(bodies, wanted);
    let numbers: Vec<_> = ledger.connections().map(|entry| entry.number).collect();
    assert_eq!(numbers, (101..=200).rev().collect::<Vec<_>>());
}
