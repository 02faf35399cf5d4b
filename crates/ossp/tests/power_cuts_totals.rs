//! The days' marks and the meter's identity over power cuts; see `power_cuts_energy.rs`.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

use futures_lite::future::block_on;
use metering::energy::Energy;
use ossp::sim::flash::SimFlash;
use plug::platform::Random;
use plug::storage::layout::{METER, TOTALS};
use plug::storage::meter_id::{self, MeterKept};
use plug::storage::totals::{DayMarks, Row, Rows, Totals};
use power_cuts::{Dice, METER_TAG, cuts, flash, later, progress, steps};

mod power_cuts;

fn list(marks: &mut DayMarks<&mut SimFlash>, mut rows: Rows) -> Vec<Row> {
    let mut list = Vec::new();
    loop {
        let some = block_on(marks.next_rows(&mut rows)).unwrap();
        if some.is_empty() {
            return list;
        }
        list.extend(some);
    }
}

/// What the rows should be, from all that was noted: (day, totals) of each first moment of a day.
fn expected(noted: &[(i64, Totals)], now: &Totals) -> Vec<(i32, u64)> {
    let mut end = *now;
    let mut rows = Vec::new();
    for (day, begin) in noted.iter().rev() {
        rows.push((*day as i32, end.import.0 - begin.import.0));
        end = *begin;
    }
    rows
}

fn short(rows: &[Row]) -> Vec<(i32, u64)> {
    rows.iter().map(|row| (row.day, row.import.0)).collect()
}

/// 2026-01-01.
const NEW_YEAR: i64 = 20_454;

#[test]
fn a_cut_while_a_day_begins_changes_no_days_energy() {
    let wanted = cuts() / 5;
    let mut dice = Dice::new(31);
    let mut image = flash(TOTALS, 3);
    let (mut noted, mut total, mut day, mut done) = (Vec::new(), Totals::default(), NEW_YEAR, 0);
    while done < wanted {
        let mut whole = image.clone();
        let (mut marks, opened) = block_on(DayMarks::open(&mut whole, METER_TAG));
        assert_eq!(opened, Ok(()));
        assert!(marks.wants(day) && block_on(marks.note(day, &total)).unwrap());
        assert!(!marks.wants(day) && !block_on(marks.note(day, &later(&total, &mut dice))).unwrap());
        noted.push((day, total));
        let now = later(&total, &mut dice);
        let steps = steps(&image, &whole);
        for after in (0..steps).filter(|_| dice.one_in(6)).collect::<Vec<_>>() {
            let mut fork = image.clone();
            fork.cut_power_after(after);
            let (mut marks, _) = block_on(DayMarks::open(&mut fork, METER_TAG));
            assert!(block_on(marks.note(day, &total)).is_err(), "after {after} of {steps}");
            fork.restore_power();
            let (mut marks, opened) = block_on(DayMarks::open(&mut fork, METER_TAG));
            assert_eq!(opened, Ok(()));
            block_on(marks.note(day, &total)).unwrap();
            check_rows(&mut marks, &noted, &now);
            done += 1;
            progress("days", done, wanted);
        }
        image = whole;
        total = now;
        // Most days follow each other; sometimes the plug is away for some.
        day += if dice.one_in(15) { 1 + dice.below(40) as i64 } else { 1 };
    }
}

fn check_rows(marks: &mut DayMarks<&mut SimFlash>, noted: &[(i64, Totals)], now: &Totals) {
    let days = marks.days(now);
    let rows = short(&list(marks, days));
    let expected = expected(noted, now);
    let kept = expected.iter().take_while(|(day, _)| i64::from(*day) > noted.last().unwrap().0 - 65).count();
    assert_eq!(rows[..kept], expected[..kept]);
    assert_eq!(rows, expected[..rows.len()]);
}

#[test]
fn days_and_months_are_kept_for_long_and_add_up() {
    let mut image = flash(TOTALS, 3);
    let (mut marks, _) = block_on(DayMarks::open(&mut image, METER_TAG));
    // 10 Wh a day for four years, the first of them with a late beginning.
    let at = |day: i64| Totals { import: Energy((day - NEW_YEAR) as u64 * 10 + 7), ..Totals::default() };
    for day in NEW_YEAR..NEW_YEAR + 1461 {
        assert!(block_on(marks.note(day, &at(day))).unwrap());
    }
    let today = NEW_YEAR + 1460;
    let now = Totals { import: Energy(at(today).import.0 + 4), ..Totals::default() };
    let rows = marks.days(&now);
    let days = list(&mut marks, rows);
    assert!(days.len() >= 62, "{} days", days.len());
    for (back, row) in days.iter().enumerate() {
        let energy = if back == 0 { 4 } else { 10 };
        assert_eq!((i64::from(row.day), row.import.0), (today - back as i64, energy));
        assert!(row.exact);
    }
    let rows = marks.months(&now);
    let months = list(&mut marks, rows);
    assert!(months.len() >= 36, "{} months", months.len());
    let lengths = [31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 28, 31];
    for (row, length) in months.iter().skip(1).zip(lengths.iter().skip(1)) {
        assert_eq!((row.import.0, row.exact), (length * 10, true), "month from {}", row.day);
    }
    assert_eq!(months[0].import.0, 304, "30 days of December and what came today");
    assert_eq!(marks.today(today, &now).unwrap().import, Energy(4));
    assert_eq!(marks.used_today_wh(today, &now), Some(4e-9));
    assert_eq!(marks.today(today + 1, &now), None);
    // Another meter has none of it.
    let (mut other, _) = block_on(DayMarks::open(&mut image, METER_TAG + 1));
    let rows = other.days(&now);
    assert_eq!(list(&mut other, rows), []);
    assert!(image.most_erases() < 30, "{} erases in four years", image.most_erases());
}

#[test]
fn what_was_not_seen_is_said() {
    let mut image = flash(TOTALS, 3);
    let total = |import| Totals { import: Energy(import), ..Totals::default() };
    let day = NEW_YEAR;
    let (mut marks, _) = block_on(DayMarks::open(&mut image, METER_TAG));
    block_on(marks.note(day, &total(100))).unwrap();
    block_on(marks.note(day + 1, &total(110))).unwrap();
    block_on(marks.note(day + 2, &total(130))).unwrap();
    // Off over midnight, and the time comes late.
    let (mut marks, _) = block_on(DayMarks::open(&mut image, METER_TAG));
    assert_eq!(marks.today(day + 3, &total(190)), None);
    block_on(marks.note(day + 3, &total(200))).unwrap();
    block_on(marks.note(day + 4, &total(250))).unwrap();
    let rows = marks.days(&total(255));
    let rows = list(&mut marks, rows);
    let told: Vec<_> = rows.iter().map(|row| (i64::from(row.day) - day, row.import.0, row.exact)).collect();
    assert_eq!(told, [(4, 5, true), (3, 50, false), (2, 70, false), (1, 20, true), (0, 10, false)]);
}

#[test]
fn a_clock_that_was_wrong_is_put_right() {
    let mut image = flash(TOTALS, 3);
    let total = |import| Totals { import: Energy(import), ..Totals::default() };
    let day = NEW_YEAR + 100;
    let (mut marks, _) = block_on(DayMarks::open(&mut image, METER_TAG));
    block_on(marks.note(day, &total(100))).unwrap();
    block_on(marks.note(day + 1, &total(110))).unwrap();
    // A zone to the west: the day before once more; it waits.
    assert!(!marks.wants(day) && !block_on(marks.note(day, &total(115))).unwrap());
    assert!(!marks.would_forget(day) && !marks.would_forget(day - 1) && marks.would_forget(day - 2));
    assert!(!block_on(marks.note(day + 1, &total(120))).unwrap());
    // Twenty years ahead, and back.
    assert!(block_on(marks.note(day + 7305, &total(130))).unwrap());
    assert!(marks.wants(day + 2) && block_on(marks.note(day + 2, &total(140))).unwrap());
    for reopened in [false, true] {
        if reopened {
            marks = block_on(DayMarks::open(&mut image, METER_TAG)).0;
        }
        let rows = marks.days(&total(150));
        let rows = short(&list(&mut marks, rows));
        let day = day as i32;
        assert_eq!(rows, [(day + 2, 10), (day + 1, 30), (day, 10)]);
        let months = marks.months(&total(150));
        assert_eq!(list(&mut marks, months).len(), 1);
    }
}

#[test]
fn foreign_bytes_are_no_days() {
    for seed in 0..100 {
        let mut dice = Dice::new(seed);
        let mut image = flash(TOTALS, seed);
        for byte in image.bytes().iter_mut().step_by([1, 3, 50, 1000][seed as usize % 4]) {
            *byte = dice.roll() as u8;
        }
        let (mut marks, _) = block_on(DayMarks::open(&mut image, METER_TAG));
        block_on(marks.note(NEW_YEAR, &Totals::default())).unwrap();
        let rows = marks.days(&Totals::default());
        assert_eq!(list(&mut marks, rows).len(), 1, "seed {seed}");
    }
}

#[test]
fn a_meters_identity_is_the_old_or_the_new_one() {
    let mut dice = Dice::new(77);
    let mut image = flash(METER, 2);
    let (mut id, kept) = block_on(meter_id::open(&mut image, &mut dice));
    assert_eq!(kept, MeterKept::Made);
    let mut done = 0;
    for _ in 0..800 {
        let mut whole = image.clone();
        let new = block_on(meter_id::renew(&mut whole, &mut dice)).unwrap();
        assert_ne!(new, id);
        let steps = steps(&image, &whole);
        let cut = steps > 6 || dice.one_in(8);
        for after in 0..if cut { steps } else { 0 } {
            let mut fork = image.clone();
            fork.cut_power_after(after);
            let mut same = Fixed(new.to_string());
            assert_eq!(block_on(meter_id::renew(&mut fork, &mut same)), None);
            fork.restore_power();
            let (found, kept) = block_on(meter_id::open(&mut fork, &mut dice));
            assert_eq!(kept, MeterKept::Found);
            assert!(found == id || found == new, "{found} after {after} steps");
            done += 1;
        }
        (image, id) = (whole, new);
        assert_eq!(block_on(meter_id::open(&mut image, &mut dice)), (id, MeterKept::Found));
    }
    assert!(done > 500 && image.erases() > 2, "{done} cuts, {} erases", image.erases());
    image.break_down();
    assert_eq!(block_on(meter_id::open(&mut image, &mut dice)).1, MeterKept::NotKept);
}

/// Random numbers that are known before: those of this identity.
struct Fixed(String);

impl Random for Fixed {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.copy_from_slice(&u64::from_str_radix(&self.0, 16).unwrap().to_be_bytes());
    }
}
