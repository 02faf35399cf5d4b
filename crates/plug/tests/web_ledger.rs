//! The ledger over the web: what it says, at its fullest, and while it changes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

mod web_support;

use std::io::Write;
use std::rc::Rc;
use std::time::Duration;

use plug::ledger::{Kept, Ledger, Outcome, Place, Purpose, Record};
use plug::limits;
use plug::platform::{Clock, Instant};
use plug::uplink::{State, UplinkStatus};
use serde_json::{Value, json};
use web_support::{Plug, chunks, signed, until};

fn place(host: &str, purpose: Purpose, lookup: bool) -> Rc<Place> {
    Rc::new(Place { host: host.into(), port: if lookup { 53 } else { 65_535 }, purpose, lookup })
}

fn record(place: &Rc<Place>, seconds: u64, body: Option<&[u8]>) -> Record {
    Record {
        place: place.clone(),
        began: Instant::from_start(Duration::from_secs(seconds)),
        took: Duration::from_millis(1_234),
        bytes_out: 300,
        bytes_in: 21,
        outcome: Outcome::Ok,
        body: body.map(|bytes| Kept { bytes: bytes.to_vec(), cut: false }),
    }
}

/// More than there is room for, of 16 destinations.
const HOURS: u64 = 44;

/// As much of everything as there can be, with the longest names.
fn fill(ledger: &mut Ledger, until_s: u64) {
    let places: Vec<_> = (0..16)
        .map(|number| {
            let host = format!("{number:02}{}", "x".repeat(limits::OUTSIDE_HOST - 2));
            place(&host, [Purpose::EmoncmsTest, Purpose::TimeServer][number % 2], number % 3 == 0)
        })
        .collect();
    for hour in (0..HOURS).rev() {
        for place in &places {
            let mut record = record(place, until_s - 3600 * hour, Some(&[1; limits::LEDGER_BODY]));
            (record.bytes_out, record.bytes_in, record.outcome) = (u32::MAX, u32::MAX, Outcome::Unreachable);
            record.took = Duration::MAX;
            ledger.note(record);
        }
    }
}

#[test]
fn a_plug_that_never_called_anybody_has_nothing_to_tell() {
    let plug = Plug::start(1.0);
    let answer = plug.get("/api/v1/ledger");
    assert_eq!(answer.header("Content-Type"), Some("application/json"));
    let mut page = answer.json();
    assert!(page["since"].as_f64().unwrap() > 1_794_999_000.0);
    assert!(page["uptime_s"].as_f64().unwrap() >= 0.0);
    page["since"].take();
    page["uptime_s"].take();
    let nothing = json!({"count": 0, "failed": 0, "bytes_out": 0, "bytes_in": 0});
    assert_eq!(
        page,
        json!({
            "since_uptime_s": 0, "since": null, "uptime_s": null, "total": nothing, "dropped_hours": 0,
            "forgotten_destinations": 0, "destinations": [], "connections": [], "bodies": []
        })
    );
}

#[test]
fn what_left_is_told_where_to_when_and_why() {
    let plug = Plug::start(1.0);
    plug.inside(|inside| {
        inside.put_forward(Duration::from_secs(10_000));
        let mut ledger = inside.state.ledger.borrow_mut();
        let emoncms = place("emon.example.org", Purpose::Emoncms, false);
        ledger.note(record(&place("emon.example.org", Purpose::Emoncms, true), 3_599, None));
        ledger.note(record(&emoncms, 3_600, Some(b"data=[[1,\"a\\b\",{\"x\":1}]]\xff")));
        let mut failed = record(&emoncms, 9_000, None);
        failed.outcome = Outcome::TimedOut;
        ledger.note(failed);
    });
    let page = plug.get("/api/v1/ledger").json();
    let start = page["since"].as_f64().unwrap();
    let destinations = page["destinations"].as_array().unwrap();
    let told: Vec<_> = destinations
        .iter()
        .map(|destination| {
            let fields = ["host", "port", "purpose", "setting"];
            let hours = destination["hours"].as_array().unwrap();
            let hours: Vec<_> = hours
                .iter()
                .map(|hour| {
                    let begin = hour["uptime_s"].as_f64().unwrap();
                    assert!((hour["time"].as_f64().unwrap() - start - begin).abs() < 0.1, "{hour} {start}");
                    ["uptime_s", "count", "failed", "bytes_out", "bytes_in"].map(|name| hour[name].clone())
                })
                .collect();
            (fields.map(|name| destination[name].clone()), hours)
        })
        .collect();
    let numbers = |numbers: [u32; 5]| numbers.map(Value::from);
    assert_eq!(
        told,
        [
            (
                [json!("emon.example.org"), json!(53), json!("dns"), json!("emoncms.enabled")],
                vec![numbers([0, 1, 0, 300, 21])]
            ),
            (
                [json!("emon.example.org"), json!(65_535), json!("emoncms"), json!("emoncms.enabled")],
                vec![numbers([3600, 1, 0, 300, 21]), numbers([7200, 1, 1, 300, 21])]
            ),
        ]
    );
    assert_eq!(destinations[1]["why"], "sends what was measured to Emoncms");
    assert_eq!(page["total"], json!({"count": 3, "failed": 1, "bytes_out": 900, "bytes_in": 63}));
    let mut newest = page["connections"][0].clone();
    let time = newest["time"].take().as_f64().unwrap();
    assert!((time - start - 9_000.0).abs() < 0.1, "{time} {start}");
    assert_eq!(
        newest,
        json!({
            "number": 3, "time": null, "uptime_s": 9000, "host": "emon.example.org", "port": 65535,
            "purpose": "emoncms", "result": "timed_out", "bytes_out": 300, "bytes_in": 21, "took_s": 1.234
        })
    );
    let numbers: Vec<_> =
        page["connections"].as_array().unwrap().iter().map(|entry| &entry["number"]).collect();
    assert_eq!(numbers, [3, 2, 1]);
    let body = &page["bodies"][0];
    assert_eq!((&body["number"], &body["cut"]), (&json!(2), &json!(false)));
    assert_eq!(body["body"], "data=[[1,\"a\\b\",{\"x\":1}]]\u{fffd}");
}

#[test]
fn everything_at_its_longest_is_told() {
    let plug = Plug::start(1.0);
    plug.inside(|inside| {
        inside.put_forward(Duration::from_secs(400_000));
        let now = inside.clock.now().since_start().as_secs();
        fill(&mut inside.state.ledger.borrow_mut(), now);
    });
    let answer = plug.get("/api/v1/ledger");
    assert!(answer.body.len() > 5 * limits::ANSWER_HEAP, "{} bytes", answer.body.len());
    let page = answer.json();
    let destinations = page["destinations"].as_array().unwrap();
    let hours: usize = destinations.iter().map(|to| to["hours"].as_array().unwrap().len()).sum();
    assert_eq!((destinations.len(), hours), (16, limits::LEDGER_ALL_HOURS));
    assert_eq!(page["dropped_hours"], 16 * HOURS as usize - limits::LEDGER_ALL_HOURS);
    assert_eq!(page["connections"].as_array().unwrap().len(), limits::LEDGER_CONNECTIONS);
    let bodies = page["bodies"].as_array().unwrap();
    assert_eq!(bodies.len(), limits::LEDGER_BODIES);
    assert!(bodies.iter().all(|body| body["body"] == "\u{1}".repeat(limits::LEDGER_BODY)));
}

/// More leaves while the client reads: it gets one whole answer, of the first moment or of the last.
#[test]
fn it_may_change_while_it_is_told() {
    let plug = Plug::start(1.0);
    plug.inside(|inside| {
        inside.put_forward(Duration::from_secs(400_000));
        let now = inside.clock.now().since_start().as_secs();
        fill(&mut inside.state.ledger.borrow_mut(), now);
    });
    let mut stream = plug.connect();
    stream.write_all(&signed("GET /api/v1/ledger HTTP/1.1\r\n\r\n")).unwrap();
    until(&mut stream, "\r\n\r\n");
    for round in 0..50 {
        let part = until(&mut stream, "\r\n");
        let length = usize::from_str_radix(part.trim_end(), 16).unwrap();
        let mut chunk = vec![0; length + 2];
        std::io::Read::read_exact(&mut stream, &mut chunk).unwrap();
        if length == 0 {
            panic!("it was over after {round} chunks");
        }
        plug.inside(move |inside| {
            let now = inside.clock.now().since_start().as_secs();
            let host = format!("new-{round}");
            let new = place(&host, Purpose::Emoncms, false);
            inside.state.ledger.borrow_mut().note(record(&new, now, Some(b"new")));
        });
    }
    assert!(chunks(&mut stream).is_some());
    let page = plug.get("/api/v1/ledger").json();
    assert_eq!(page["forgotten_destinations"], 50);
    assert_eq!(page["connections"][0]["host"], "new-49");
}

#[test]
fn metrics_count_what_left() {
    let plug = Plug::start(1.0);
    plug.inside(|inside| {
        let mut ledger = inside.state.ledger.borrow_mut();
        let emoncms = place("emon.example.org", Purpose::Emoncms, false);
        ledger.note(record(&emoncms, 0, None));
        let mut failed = record(&emoncms, 1, None);
        failed.outcome = Outcome::Broken;
        ledger.note(failed);
    });
    let answer = plug.get("/metrics");
    let text = answer.text();
    assert!(!text.contains("ossp_uplink"), "nobody wants an uplink");
    plug.keep_everything();
    plug.measure(41);
    plug.inside(|inside| {
        inside.state.uplink.status.replace(UplinkStatus {
            state: State::CatchingUp,
            last_success: Some(1_794_999_999.123_456),
            queued: 26_000,
            sent_rows: 12,
            set_aside: 3,
            ..UplinkStatus::default()
        });
    });
    let answer = plug.get("/metrics");
    assert_eq!(answer.status, 200, "it does not fit");
    let more = answer.text();
    // The longest numbers would take a little more.
    assert!(more.len() < 8192 - 256, "{} bytes", more.len());
    for line in [
        "ossp_uplink_queued_rows 26000.0",
        "ossp_uplink_sent_rows_total 12.0",
        "ossp_uplink_refused_rows_total 3.0",
        "ossp_uplink_success_time_seconds 1794999999.123456",
    ] {
        assert!(more.lines().any(|told| told == line), "{line} is missing in {more}");
    }
    for line in [
        "ossp_outbound_connections_total 2",
        "ossp_outbound_failures_total 1",
        "ossp_outbound_sent_bytes_total 600",
        "ossp_outbound_received_bytes_total 42",
    ] {
        assert!(text.lines().any(|told| told.trim_end_matches(".0") == line), "{line} is missing in {text}");
    }
}
