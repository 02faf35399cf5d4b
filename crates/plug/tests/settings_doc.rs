//! The tables of docs/settings.md are the code's. They print themselves:
//!
//! ```sh
//! cargo test -p plug --test settings_doc -- --nocapture
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests may fail loudly; it prints the tables for the page"
)]

use std::collections::BTreeMap;

use metering::calibration::Calibration;
use plug::core::civil::Zone;
use plug::settings::{Basis, Hardware, Refusal, Secrets, Settings, patch, write_json};
use serde_json::{Value, json};

const PAGE: &str = include_str!("../../../docs/settings.md");

/// The board of the page: 16 A, and everything that a board can have.
fn basis() -> Basis {
    let board = Calibration { version: 0, ..Calibration::ideal(0.2, 2048.0, 0.0147, 2048.0) };
    let hardware = Hardware { confirms_setup: false, ..Hardware::ANY };
    Basis { hardware, board, zone: |text| Zone::parse(text).is_ok() }
}

/// The settings of a new plug, as the plug shows them.
fn defaults() -> Value {
    let mut text = String::new();
    write_json(&Settings::default(), &basis().board, Secrets::Hide, &mut text).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Every field under `value`, with its path and its default.
fn leaves(path: &str, value: &Value, found: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let dot = if path.is_empty() { "" } else { "." };
                leaves(&format!("{path}{dot}{name}"), value, found);
            }
        }
        other => found.push((path.to_owned(), other.clone())),
    }
}

/// What the plug says of a field that is given as `value`, without the "must be".
fn must_be(field: &str, body: &Value) -> String {
    match patch(&Settings::default(), &body.to_string(), &basis(), None) {
        Err(Refusal::Wrong(wrong)) => {
            let told = wrong.fields().iter().find(|one| one.field().to_string() == field);
            let message = told.unwrap_or_else(|| panic!("{field}: {wrong:?}")).message().to_string();
            message.strip_prefix("must be ").unwrap_or(&message).to_owned()
        }
        other => panic!("{field}: {other:?}"),
    }
}

/// `a.b.c` with `value` in it.
fn nested(path: &str, value: Value) -> Value {
    path.rsplit('.').fold(value, |inner, name| json!({ name: inner }))
}

/// The first three columns of a section's rows.
fn rows() -> BTreeMap<String, String> {
    let mut found = Vec::new();
    leaves("", &defaults(), &mut found);
    // No field takes an object with a member of no meaning.
    let wrong = json!({ "?": 1 });
    let mut rows: BTreeMap<String, String> = found
        .into_iter()
        .filter(|(path, _)| path != "schema")
        .map(|(path, default)| {
            let wanted = must_be(&path, &nested(&path, wrong.clone()));
            let default = if path.starts_with("calibration.") {
                "the board's".to_owned()
            } else {
                format!("`{default}`")
            };
            (path.clone(), format!("| `{path}` | {wanted} | {default} |"))
        })
        .collect();
    let wanted = must_be("calibration.reset", &nested("calibration.reset", json!(1)));
    rows.insert("calibration.reset".to_owned(), format!("| `calibration.reset` | {wanted} | – |"));
    for (name, value, default) in [
        ("enabled", json!(1), "`true`"),
        ("days", json!(1), "all"),
        ("at", json!(1), "–"),
        ("on", json!(1), "–"),
        ("random_s", json!(-1), "`0`"),
    ] {
        let body = nested("schedule.entries", json!([{ name: value }]));
        let wanted = must_be(&format!("schedule.entries[0].{name}"), &body);
        let path = format!("schedule.entries[].{name}");
        rows.insert(path.clone(), format!("| `{path}` | {wanted} | {default} |"));
    }
    rows
}

#[test]
fn the_tables_are_the_codes() {
    let rows = rows();
    for row in rows.values() {
        println!("{row}");
    }
    let mut seen = 0;
    for line in PAGE.lines().filter(|line| line.starts_with("| `")) {
        let path = line.split('`').nth(1).unwrap();
        let row = rows.get(path).unwrap_or_else(|| panic!("the code knows no {path}"));
        assert!(line.starts_with(row.as_str()), "the page says\n{line}\nand the code\n{row}");
        assert!(line.len() > row.len() + 12, "{path} has no meaning");
        seen += 1;
    }
    assert_eq!(seen, rows.len(), "fields that the page does not have, or has twice");
}
