//! `/api/v1/time`: what it tells, who may say what time it is, and what becomes of that.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail loudly")]

mod web_support;

use std::time::Duration;

use plug::ledger::OutsideError;
use plug::platform::Instant;
use plug::timekeeping::{Answer, AskError, Asked, Source, Verdict};
use serde_json::{Value, json};
use web_support::Plug;

const PATH: &str = "/api/v1/time";
/// 2026-11-30.
const NOW_S: f64 = 1_795_996_800.0;

fn say(plug: &Plug, unix_s: f64) -> Value {
    plug.post(PATH, &json!({ "time": unix_s }).to_string()).json()
}

/// A plug that is told the time by browsers.
fn start() -> Plug {
    let plug = Plug::start(1.0);
    set(&plug, "browser");
    plug
}

fn set(plug: &Plug, source: &str) {
    let patch = json!({"time": {"source": source}}).to_string();
    let answer = plug.ask("PATCH", "/api/v1/settings", &["Content-Type: application/json"], &patch);
    assert_eq!(answer.status, 200, "{}", answer.json());
}

fn near(value: &Value, wanted: f64) -> bool {
    value.as_f64().is_some_and(|value| (value - wanted).abs() < 10.0)
}

#[test]
fn the_first_time_is_taken_and_later_steps_are_doubted() {
    let plug = start();
    let page = plug.get(PATH).json();
    // The test's clock says what time it is; nobody else did.
    assert_eq!((&page["time"], &page["source"]), (&json!(1_795_000_000.5), &json!("browser")));
    for field in ["from", "uncertainty_s", "age_s", "doubt", "network_server", "asked", "next_question_s"] {
        assert_eq!(page[field], Value::Null, "{field}");
    }
    assert!(page.get("taken").is_none() && page.get("verdict").is_none());
    let page = say(&plug, NOW_S);
    assert_eq!(
        (&page["taken"], &page["verdict"], &page["from"]),
        (&json!(true), &json!("first"), &json!("browser"))
    );
    assert!(
        near(&page["time"], NOW_S) && near(&page["age_s"], 0.0) && near(&page["uncertainty_s"], 1.0),
        "{page}"
    );
    // A few seconds at once; hours when three agree.
    assert_eq!(say(&plug, NOW_S + 100.0)["verdict"], "moved");
    let page = say(&plug, NOW_S + 1e6);
    assert_eq!((&page["taken"], &page["verdict"]), (&json!(false), &json!("doubted")));
    assert!(near(&page["time"], NOW_S + 100.0), "{page}");
    let doubt = &page["doubt"];
    assert!(doubt["answers"] == 1 && doubt["needed"] == 3 && near(&doubt["by_s"], 999_900.0), "{page}");
    assert_eq!(doubt["first"], false);
    // Who says it again at once says nothing new; later it counts.
    for _ in 0..3 {
        assert_eq!(say(&plug, NOW_S + 1e6)["doubt"]["answers"], 1);
    }
    let later = |minutes: u32| {
        plug.inside(move |inside| {
            let at = Instant::from_start(Duration::from_secs(64 * u64::from(minutes) + 60));
            let unix_s = NOW_S + 1e6 + at.since_start().as_secs_f64();
            inside.state.offer_time(Answer { source: Source::Browser, unix_s, uncertainty_s: 1.0, at })
        })
    };
    assert!(matches!(later(1), Verdict::Doubted { missing: 1, .. }));
    assert!(matches!(later(2), Verdict::Moved(_)));
    let page = plug.get(PATH).json();
    assert_eq!(page["doubt"], Value::Null);
    assert!(near(&page["time"], NOW_S + 1e6));
}

#[test]
fn a_time_that_nobody_asked_for_is_unwanted() {
    let plug = Plug::start(1.0);
    for source in ["none", "dhcp", "ntp", "server"] {
        set(&plug, source);
        let page = say(&plug, NOW_S);
        assert_eq!(
            (&page["taken"], &page["verdict"], &page["from"]),
            (&json!(false), &json!("unwanted"), &Value::Null)
        );
    }
}

/// The log has a row of that time: an earlier one is not the first to be believed.
#[test]
fn a_first_time_before_the_log_is_doubted() {
    let plug = start();
    plug.inside(|inside| inside.state.timekeeping.keeper.borrow_mut().set_floor(Some(NOW_S)));
    let page = say(&plug, NOW_S - 86_400.0);
    assert_eq!((&page["taken"], &page["verdict"]), (&json!(false), &json!("doubted")));
    let doubt = &page["doubt"];
    assert!(doubt["first"] == true && near(&doubt["by_s"], -86_400.0), "{page}");
    assert_eq!(say(&plug, NOW_S + 60.0)["verdict"], "first");
    assert_eq!(plug.get(PATH).json()["doubt"], Value::Null);
}

#[test]
fn a_better_source_is_not_displaced() {
    let plug = start();
    let verdict = plug.inside(|inside| {
        let at = Instant::from_start(Duration::from_millis(1));
        inside.state.offer_time(Answer { source: Source::Ntp, unix_s: NOW_S, uncertainty_s: 0.01, at })
    });
    assert_eq!(verdict, Verdict::First);
    let page = say(&plug, NOW_S + 50.0);
    assert_eq!(
        (&page["taken"], &page["verdict"], &page["from"]),
        (&json!(false), &json!("lesser"), &json!("ntp"))
    );
    assert!(near(&page["time"], NOW_S));
}

#[test]
fn what_no_clock_says_is_refused() {
    let plug = start();
    for unix_s in [0.0, 1_735_689_599.0, 4_102_444_800.0, -1.0, 1.795e12] {
        let answer = plug.post(PATH, &json!({ "time": unix_s }).to_string());
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (422, &json!("bad_field")), "{unix_s}");
    }
    assert_eq!(plug.get(PATH).json()["from"], Value::Null);
    let answer = plug.ask("PUT", PATH, &[], "{\"time\":1795996800}");
    assert_eq!(answer.status, 405);
}

/// A date in an answer of Emoncms counts where it is the source, and nowhere else.
#[test]
fn date_headers_count_only_where_they_are_the_source() {
    let plug = Plug::start(1.0);
    let offer = || {
        plug.inside(|inside| {
            let (took, at) = (Duration::from_secs(1), Instant::from_start(Duration::from_secs(9)));
            let answer = Answer::of_date("Mon, 30 Nov 2026 00:00:00 GMT", took, at).unwrap();
            inside.state.offer_time(answer)
        })
    };
    assert_eq!(offer(), Verdict::Unwanted);
    set(&plug, "server");
    assert_eq!(offer(), Verdict::First);
    let page = plug.get(PATH).json();
    assert_eq!((&page["source"], &page["from"]), (&json!("server"), &json!("server")));
}

/// With the longest of everything the answer still has room.
#[test]
fn the_longest_answer_fits() {
    let plug = start();
    say(&plug, NOW_S + 0.123_456_7);
    say(&plug, NOW_S + 1_234_567.891_234_5);
    plug.inside(|inside| {
        let at = Instant::from_start(Duration::from_micros(1));
        inside.state.timekeeping.asked.replace(Some(Asked {
            server: "z".repeat(96).into(),
            error: Some(AskError::Outside(OutsideError::BadHost)),
            at,
        }));
        inside.state.timekeeping.next_question.set(Some(Instant::from_start(Duration::from_secs(4000))));
    });
    let answer = plug.get(PATH);
    assert_eq!(answer.status, 200);
    let page = answer.json();
    assert_eq!(page["asked"]["server"].as_str().unwrap().len(), 96);
    assert_eq!(page["asked"]["error"]["code"], "no_address");
    assert_eq!(page["asked"]["error"]["message"], "this is neither a host's name nor its address");
    assert!(page["next_question_s"].as_f64().unwrap() > 3000.0);
}
