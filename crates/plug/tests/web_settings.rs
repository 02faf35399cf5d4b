//! The settings over HTTP: what is shown, changed, refused, and what happens with two tabs, a slow and a broken flash.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

mod web_support;

use std::io::Write;
use std::time::Duration;

use plug::limits;
use serde_json::{Value, json};
use web_support::{ADMIN, Plug, Response, bearer, read_response, signed};

const PATH: &str = "/api/v1/settings";

fn tag(response: &Response) -> String {
    response.header("ETag").unwrap_or_else(|| panic!("{} {}", response.status, response.text())).to_owned()
}

fn fields(response: &Response) -> Vec<String> {
    assert_eq!((response.status, response.code()), (422, "bad_settings".to_owned()));
    let json = response.json();
    let fields = json["error"]["fields"].as_array().unwrap();
    fields
        .iter()
        .map(|one| format!("{} {}", one["field"].as_str().unwrap(), one["message"].as_str().unwrap()))
        .collect()
}

#[test]
fn a_change_is_stored_told_and_shown() {
    let plug = Plug::start(1.0);
    let before = plug.get(PATH);
    assert_eq!((before.status, before.header("Cache-Control")), (200, Some("no-store")));
    assert_eq!(before.json()["relay"]["power_on"], "last");
    let after = plug.patch_settings(&[], "{\"device\":{\"name\":\"Küche\"},\"relay\":{\"inching_s\":2.5}}");
    assert_eq!(after.status, 200);
    assert_eq!(after.json()["device"]["name"], "Küche");
    assert_ne!(tag(&after), tag(&before));
    let shown = plug.get(PATH);
    assert_eq!((shown.text(), tag(&shown)), (after.text(), tag(&after)));
    let told = plug.inside(|inside| inside.told.borrow().clone());
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].relay.inching, Some(Duration::from_millis(2500)));
    // The same again is nothing new: the flash and the core are left alone.
    let again = plug.patch_settings(&[], after.text());
    assert_eq!((again.status, tag(&again)), (200, tag(&after)));
    assert_eq!(plug.inside(|inside| inside.told.borrow().len()), 1);
    let head = plug.ask("HEAD", PATH, &[], "");
    assert_eq!((head.status, tag(&head)), (200, tag(&after)));
}

#[test]
fn secrets_never_come_out() {
    let plug = Plug::start(1.0);
    let secret = "correct horse";
    let first = plug.patch_settings(&[], &json!({"wifi": {"ssid": "home", "password": secret}}).to_string());
    assert_eq!(first.json()["wifi"]["ssid"], "home");
    assert_eq!(first.json()["wifi"]["password"], "set");
    let other = plug.patch_settings(&[], "{\"wifi\":{\"password\":\"battery staple\"}}");
    // Nobody sees the difference but in the tag.
    assert_eq!(other.text(), first.text());
    assert_ne!(tag(&other), tag(&first));
    let kept = plug.patch_settings(&[], "{\"wifi\":{\"ssid\":\"garden\",\"password\":\"set\"}}");
    assert_eq!(kept.json()["wifi"]["password"], "set");
    let password = plug.inside(|inside| inside.state.settings.borrow().wifi.password.clone());
    assert_eq!(password.as_deref(), Some("battery staple"));
    let cleared = plug.patch_settings(&[], "{\"wifi\":{\"password\":null}}");
    assert_eq!(cleared.json()["wifi"]["password"], Value::Null);
    for path in [PATH, "/api/v1/info", "/api/v1/wifi", "/metrics"] {
        assert!(!plug.get(path).text().contains("staple"), "{path}");
    }
}

#[test]
fn of_two_tabs_the_second_is_told() {
    let plug = Plug::start(1.0);
    let seen = tag(&plug.get(PATH));
    let header = format!("If-Match: {seen}");
    let first = plug.patch_settings(&[&header], "{\"relay\":{\"inching_s\":1}}");
    assert_eq!(first.status, 200);
    let second = plug.patch_settings(&[&header], "{\"relay\":{\"inching_s\":2}}");
    assert_eq!((second.status, second.code()), (412, "changed_meanwhile".into()));
    assert_eq!(plug.get(PATH).json()["relay"]["inching_s"], 1);
    for header in [format!("If-Match: \"x\", {}", tag(&first)), "If-Match: *".to_owned()] {
        assert_eq!(plug.patch_settings(&[&header], "{\"relay\":{\"inching_s\":1}}").status, 200, "{header}");
    }
    // A weak tag names nothing (RFC 9110 §13.1.1).
    let weak = format!("If-Match: W/{}", tag(&first));
    assert_eq!(plug.patch_settings(&[&weak], "{}").status, 412);
    // Without a tag nobody asks.
    assert_eq!(plug.patch_settings(&[], "{\"relay\":{\"inching_s\":3}}").status, 200);
}

#[test]
fn every_wrong_field_is_named_and_nothing_is_taken() {
    let plug = Plug::start(1.0);
    let before = plug.get(PATH);
    let body = "{\"relay\":{\"inching_s\":5},\"protection\":{\"rated_current_a\":17,\"voltage_min_v\":\"230\"},\"x\":1}";
    assert_eq!(
        fields(&plug.patch_settings(&[], body)),
        [
            "protection.rated_current_a must be a number from 0.1 to 16, or null",
            "protection.voltage_min_v must be a number from 50 to 500, or null",
            "x is not a field that this plug knows",
        ]
    );
    let one = plug.patch_settings(&[], "{\"relay\":{\"power_on\":\"maybe\"}}");
    assert_eq!(
        one.json()["error"]["message"],
        "The field relay.power_on must be \"off\", \"on\" or \"last\"."
    );
    assert_eq!(fields(&one).len(), 1);
    let entries = ["{\"at\":\"sunset\",\"on\":1}"; 16].join(",");
    assert_eq!(
        fields(&plug.patch_settings(&[], &format!("{{\"schedule\":{{\"entries\":[{entries}]}}}}"))).len(),
        16
    );
    assert_eq!((plug.get(PATH).text(), tag(&plug.get(PATH))), (before.text(), tag(&before)));
    let document = plug.get("/api/v1/openapi.json").json();
    let codes = &document["components"]["schemas"]["ErrorCode"]["enum"];
    assert!(codes.as_array().unwrap().contains(&"bad_settings".into()));
}

#[test]
fn a_calibration_goes_the_same_way() {
    let plug = Plug::start(1.0);
    let board = plug.get(PATH).json()["calibration"].clone();
    let after = plug.patch_settings(&[], "{\"calibration\":{\"current\":{\"zero_raw\":2050.5}}}").json();
    assert_eq!(after["calibration"]["current"]["zero_raw"], 2050.5);
    assert_eq!(after["calibration"]["date"], 1_795_000_000);
    assert_eq!(after["calibration"]["voltage"], board["voltage"]);
    let reset = plug.patch_settings(&[], "{\"calibration\":{\"reset\":true}}").json();
    assert_eq!(reset["calibration"], board);
    let told = plug.inside(|inside| inside.told.borrow().clone());
    assert_eq!(told[1].calibration.earlier.len(), 1);
}

/// Everything as it was exported comes back, also with spaces, and in as many pieces as a network likes.
#[test]
fn an_export_is_an_import() {
    let plug = Plug::start(1.0);
    let entry = json!({"enabled": false, "days": ["mon", "tue", "wed", "thu", "fri", "sat"], "at": "06:30", "on": true, "random_s": 60});
    let full = json!({"schedule": {"entries": vec![entry; 16]}, "device": {"name": "x".repeat(32)}});
    assert_eq!(plug.patch_settings(&[], &full.to_string()).status, 200);
    let exported = plug.get(PATH);
    assert!(exported.body.len() > 2600, "longer than a worker's buffer: {}", exported.body.len());
    assert_eq!(plug.patch_settings(&[], "{\"schedule\":null,\"device\":null}").status, 200);
    let mut stream = plug.connect();
    let head = format!(
        "PATCH {PATH} HTTP/1.1\r\nHost: {}\r\n{}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        plug.address,
        bearer(ADMIN),
        exported.body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    for piece in exported.body.chunks(700) {
        stream.write_all(piece).unwrap();
        std::thread::sleep(Duration::from_millis(3));
    }
    // And another request behind it on the same connection.
    stream.write_all(&signed(&format!("GET {PATH} HTTP/1.1\r\n\r\n"))).unwrap();
    let imported = read_response(&mut stream, false).unwrap();
    assert_eq!((imported.status, imported.text()), (200, exported.text()));
    assert_eq!(read_response(&mut stream, false).unwrap().text(), exported.text());
}

#[test]
fn bodies_that_cannot_be_settings_are_refused() {
    let plug = Plug::start(1.0);
    for body in ["", "[]", "{\"relay\":", "null", "\"x\""] {
        let answer = plug.patch_settings(&[], body);
        assert_eq!((answer.status, answer.code()), (400, "bad_json".into()), "{body}");
    }
    let long = format!("{{{}}}", " ".repeat(limits::SETTINGS_BODY - 2));
    assert_eq!(plug.patch_settings(&[], &long).status, 200);
    let longer = format!("{long} ");
    let answer = plug.patch_settings(&[], &longer);
    assert_eq!((answer.status, answer.code()), (413, "body_too_long".into()));
    let answer = plug.ask("PATCH", PATH, &["Content-Type: text/plain"], "{}");
    assert_eq!((answer.status, answer.code()), (415, "not_json".into()));
    let answer = plug.ask("PUT", PATH, &["Content-Type: application/json"], "{}");
    assert_eq!((answer.status, answer.header("Allow")), (405, Some("GET, HEAD, PATCH")));
    let answer = plug.patch_settings(&["Origin: http://elsewhere.example"], "{}");
    assert_eq!((answer.status, answer.code()), (403, "wrong_origin".into()));
}

#[test]
fn one_change_at_a_time_and_none_is_lost() {
    let plug = Plug::start(1.0);
    plug.inside(|inside| inside.flash.stalled.set(true));
    let bodies =
        ["{\"relay\":{\"inching_s\":7}}", "{\"device\":{\"name\":\"b\"}}", "{\"device\":{\"led_off\":true}}"];
    let answers = std::thread::scope(|scope| {
        let asked: Vec<_> =
            bodies.map(|body| scope.spawn(|| plug.patch_settings(&[], body))).into_iter().collect();
        std::thread::sleep(Duration::from_millis(100));
        // Reading goes on meanwhile, and shows what holds.
        assert_eq!(plug.get(PATH).json()["relay"]["inching_s"], Value::Null);
        plug.inside(|inside| inside.flash.stalled.set(false));
        asked.into_iter().map(|one| one.join().unwrap().status).collect::<Vec<_>>()
    });
    assert_eq!(answers, [200; 3]);
    let after = plug.get(PATH).json();
    assert_eq!((&after["relay"]["inching_s"], &after["device"]["name"]), (&json!(7), &json!("b")));
    assert_eq!(after["device"]["led_off"], true);
}

#[test]
fn a_flash_that_stands_still_is_not_waited_for_for_ever() {
    let plug = Plug::start(20.0);
    plug.inside(|inside| inside.flash.stalled.set(true));
    let answer = plug.patch_settings(&[], "{\"relay\":{\"inching_s\":7}}");
    assert_eq!((answer.status, answer.code()), (503, "settings_busy".into()));
    let next = plug.patch_settings(&[], "{\"relay\":{\"inching_s\":8}}");
    assert_eq!((next.status, next.header("Retry-After")), (503, Some("1")));
    plug.inside(|inside| inside.flash.stalled.set(false));
    // The first one was under way and is stored after all; the second never began.
    let mut shown = Value::Null;
    for _ in 0..200 {
        shown = plug.get(PATH).json()["relay"]["inching_s"].clone();
        if shown == 7 {
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(shown, 7);
    assert_eq!(plug.patch_settings(&[], "{\"relay\":{\"inching_s\":8}}").status, 200);
}

#[test]
fn what_is_not_stored_does_not_hold() {
    let plug = Plug::start(1.0);
    plug.inside(|inside| inside.flash.broken.set(true));
    let before = plug.get(PATH);
    let answer = plug.patch_settings(&[], "{\"relay\":{\"inching_s\":7}}");
    assert_eq!((answer.status, answer.code()), (500, "not_stored".into()));
    assert_eq!((plug.get(PATH).text(), tag(&plug.get(PATH))), (before.text(), tag(&before)));
    assert_eq!(plug.inside(|inside| inside.told.borrow().len()), 0);
    plug.inside(|inside| inside.flash.broken.set(false));
    assert_eq!(plug.patch_settings(&[], "{\"relay\":{\"inching_s\":7}}").status, 200);
}
