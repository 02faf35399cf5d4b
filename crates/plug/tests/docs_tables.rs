//! Tables of docs/protection.md and docs/storage.md are the code's. They print themselves:
//!
//! ```sh
//! cargo test -p plug --test docs_tables -- --nocapture
//! ```

#![allow(clippy::print_stdout, reason = "it prints the tables for the pages")]

use std::time::Duration;

use metering::reading::Reading;
use metering::units::{Amperes, Seconds};
use plug::core::Moment;
use plug::core::guard::inverse_time::{TIME_CONSTANT_S, TRIP_LEVEL};
use plug::core::guard::{Guard, Input};
use plug::core::protection::Trip;
use plug::platform::Instant;
use plug::settings::Hardware;
use plug::settings::schema::ProtectionSettings;
use plug::storage::budget::WriteBudget;
use plug::storage::layout::{
    ACCESS, CALIBRATION, ENERGY, IMPORT, METER, RELAY_LOG, SECTOR, SETTINGS, STARTS, TOTALS, TRIPS, UPLINK,
};

const RATED_A: f64 = 10.0;
/// Readings of so long.
const WINDOW_S: f64 = 0.2;

/// Compares the first columns of the table after `header` with `rows`.
fn compare(page: &str, header: &str, rows: &[String]) {
    println!("{header}\n{}\n", rows.join("\n"));
    let table: Vec<&str> = page
        .lines()
        .skip_while(|line| *line != header)
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .collect();
    assert_eq!(table.len(), rows.len(), "{header}");
    for (line, row) in table.iter().zip(rows) {
        assert!(line.starts_with(row.as_str()), "the page says\n{line}\nand the code\n{row}");
    }
}

/// After how many seconds of a current the guard trips, from cold; `None`: not within two hours.
fn trips_after(multiple: f64) -> Option<f64> {
    let hardware = Hardware {
        maximum_current_a: RATED_A,
        has_button: false,
        confirms_setup: false,
        has_led: false,
        can_hold: false,
    };
    let mut guard = Guard::new(hardware);
    let moment =
        |seconds| Moment { instant: Instant::from_start(Duration::from_secs_f64(seconds)), time: None };
    guard.set_settings(moment(0.0), &ProtectionSettings::default());
    let _ = guard.handle(moment(0.0), Input::Commanded { on: true });
    (1..=36_000).map(|window| WINDOW_S * f64::from(window)).find(|now| {
        let reading = reading(*now, multiple * RATED_A);
        let outcome = guard.handle(moment(*now), Input::Reading { reading: &reading, on: true, day: None });
        matches!(outcome.tripped, Some(Trip::InverseTime { .. }))
    })
}

#[test]
fn the_inverse_times_curve_is_the_guards() {
    let rows: Vec<String> = [1.13, 1.2, 1.25, 1.45, 2.0, 2.55, 4.0, 5.0]
        .into_iter()
        .map(|multiple: f64| {
            let seen = trips_after(multiple);
            let square = multiple * multiple;
            let formula = TIME_CONSTANT_S * (square / (square - TRIP_LEVEL)).ln();
            if let Some(seen) = seen {
                assert!((-1e-6..WINDOW_S + 1e-6).contains(&(seen - formula)), "{multiple}: {seen} {formula}");
            }
            let time = if seen.is_some() { format!("{formula:.1} s") } else { "never".to_owned() };
            format!("| {multiple:.2} | {time} |")
        })
        .collect();
    compare(include_str!("../../../docs/protection.md"), "| k | trips after, from cold |", &rows);
}

#[test]
fn the_places_in_the_flash_are_the_layouts() {
    let places = [
        ("starts", STARTS),
        ("settings", SETTINGS),
        ("access", ACCESS),
        ("energy", ENERGY),
        ("totals", TOTALS),
        ("relay log", RELAY_LOG),
        ("trips", TRIPS),
        ("calibration", CALIBRATION),
        ("meter", METER),
        ("uplink", UPLINK),
        ("import", IMPORT),
    ];
    let rows: Vec<String> = places
        .iter()
        .map(|(name, place)| {
            let (first, count) = (place.from / SECTOR, place.length / SECTOR);
            format!("| {name} | {first}–{} | {} KB |", first + count - 1, place.length / 1024)
        })
        .collect();
    let header = "| place | sectors | size | what | form | factory reset |";
    compare(include_str!("../../../docs/storage.md"), header, &rows);
}

#[test]
fn the_write_budget_is_the_journals() {
    let rows: Vec<String> = [
        ("rated load that never stops", WriteBudget::journal_rated()),
        ("next to no load, everything within the noise", WriteBudget::journal_idle()),
        ("rated load, and samples lost in each 10 s of it", WriteBudget::journal_worst()),
    ]
    .into_iter()
    .map(|(load, budget)| {
        format!(
            "| {load} | {:.0} | {:.1} | {:.1} | {:.1} | {:.0} |",
            budget.writes_a_day,
            budget.bytes_a_day / 1000.0,
            budget.erases_a_day,
            budget.life_years_10k,
            budget.life_years_100k
        )
    })
    .collect();
    let header =
        "| load | writes a day | KB a day | erases a day | years at 10,000 erases | years at 100,000 |";
    compare(include_str!("../../../docs/storage.md"), header, &rows);
}

#[test]
fn the_write_budget_of_the_log_is_the_rings() {
    let rows: Vec<String> = [
        ("10 s", WriteBudget::history(10)),
        ("1 s", WriteBudget::history(1)),
        ("5-minute means", WriteBudget::history_means()),
    ]
    .into_iter()
    .map(|(rows, budget)| {
        format!(
            "| {rows} | {:.0} | {:.1} | {:.1} | {:.0} | {:.0} |",
            budget.writes_a_day,
            budget.bytes_a_day / 1000.0,
            budget.erases_a_day,
            budget.life_years_10k,
            budget.life_years_100k
        )
    })
    .collect();
    let header = "| rows | a day | KB a day | erases a day | years at 10,000 erases | years at 100,000 |";
    compare(include_str!("../../../docs/storage.md"), header, &rows);
}

/// A window that ends at `end` with this current.
fn reading(end: f64, current: f64) -> Reading {
    Reading { uptime: Seconds(end), current: Amperes(current), relay: true, ..Reading::NONE }
}
