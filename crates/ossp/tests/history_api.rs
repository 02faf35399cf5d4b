//! The history as a user meets it: rows that the running program wrote, over a restart, as JSON and as CSV.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly, their helpers too"
)]

mod virtual_plug;

use std::time::{Duration, Instant};

use serde_json::Value;
use virtual_plug::{Folder, PATIENCE, Plug, number};

/// A kettle without end, and a row every second.
const SOURCE: [&str; 2] = ["--source", "sim:kettle"];
const ROWS: usize = 6;

/// The history, once it has so many rows that were measured.
fn rows(plug: &Plug, wanted: usize) -> Value {
    let begin = Instant::now();
    loop {
        let page = plug.json("/api/v1/history?step=1");
        let measured = column(&page, "measured").iter().filter(|part| !part.is_null()).count();
        if measured >= wanted {
            return page;
        }
        assert!(begin.elapsed() < PATIENCE, "{page}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn column(page: &Value, name: &str) -> Vec<Value> {
    let at = page["columns"].as_array().unwrap().iter().position(|column| column == name).unwrap();
    page["rows"].as_array().unwrap().iter().map(|row| row[at].clone()).collect()
}

#[test]
fn rows_are_there_over_a_restart_and_the_gap_is_seen() {
    let folder = Folder::new("history-api");
    let plug = Plug::start(&folder.0, &SOURCE);
    plug.set(r#"{"history":{"interval_s":1}}"#);
    plug.switch(r#"{"on":true}"#);
    let before = rows(&plug, ROWS);
    let newest = column(&before, "time").last().unwrap().as_u64().unwrap();
    assert_eq!(plug.stop(), Some(0));
    // Longer than a row.
    std::thread::sleep(Duration::from_secs(3));
    let plug = Plug::start(&folder.0, &SOURCE);
    let page = rows(&plug, 2 * ROWS);

    // A row a second, without a hole in the list.
    let times: Vec<_> = column(&page, "time").iter().map(|time| time.as_u64().unwrap()).collect();
    assert!(times.windows(2).all(|pair| pair[1] == pair[0] + 1), "{times:?}");
    let power = column(&page, "active_power_w");
    let gaps = power.iter().filter(|watts| watts.is_null()).count();
    assert!(gaps >= 2, "{power:?}");
    // What was told before the restart is told after it.
    let (old, then) = (column(&before, "energy_import_wh"), column(&page, "energy_import_wh"));
    let at = times.iter().position(|time| *time == newest).unwrap();
    assert_eq!(old.last(), Some(&then[at]));
    // The meter never goes back, not even over a restart by more than it promises.
    let counted: Vec<_> = then.iter().filter(|energy| !energy.is_null()).map(number).collect();
    assert!(counted.windows(2).all(|pair| pair[0] <= pair[1]), "{counted:?}");
    assert!(
        counted.last().unwrap() - counted[0] > 1.0,
        "a kettle takes half a watt-hour a second: {counted:?}"
    );

    let span = format!("/api/v1/history?start={}&end={}", times[0] - 1, times[times.len() - 1]);
    let table = plug.ask(&format!("GET {span}&step=1&format=csv"), "", "").unwrap();
    assert_eq!(table.header("content-type").as_deref(), Some("text/csv; charset=utf-8"));
    assert_eq!(table.body.lines().count(), times.len() + 1);
    let empty = table.body.lines().filter(|line| line.ends_with(&",".repeat(13))).count();
    assert_eq!(empty, gaps);
    // Longer steps say the same of the meter.
    for step in [5, 60] {
        let long = plug.json(&format!("{span}&step={step}"));
        let shown = column(&long, "energy_import_wh").into_iter().rfind(|energy| !energy.is_null()).unwrap();
        let newest = column(&long, "time").last().unwrap().as_u64().unwrap();
        assert!(newest.is_multiple_of(step) && number(&shown) >= *counted.last().unwrap(), "{long}");
    }
}
