//! The virtual plug without a clock, as a chip is: it learns the time from a browser and from a time server, nothing that
//! needs the time runs before, and a restart forgets it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail loudly")]

mod virtual_plug;

use std::net::UdpSocket;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use virtual_plug::{Folder, Plug, number};

const TIME: &str = "/api/v1/time";
/// What the time server is ahead: no other clock on this machine says so.
const AHEAD_S: f64 = 500.0;

fn unix_s() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

/// A plug that does not know what time it is.
fn start(state: &Folder) -> Plug {
    std::fs::create_dir_all(&state.0).unwrap();
    let scenario = state.0.join("no_clock.toml");
    std::fs::write(&scenario, "[clock]\nknown = false\n\n[[load.heater]]\npower_w = 100.0\n").unwrap();
    Plug::start(&state.0, &["--scenario", scenario.to_str().unwrap()])
}

/// Whether a time is `ahead_s` before the clock on the wall; the machine may be busy.
fn is_now(time: &Value, ahead_s: f64) -> bool {
    time.as_f64().is_some_and(|time| (time - unix_s() - ahead_s).abs() < 30.0)
}

fn flags(reading: &Value) -> Vec<&str> {
    reading["quality"].as_array().unwrap().iter().map(|flag| flag.as_str().unwrap()).collect()
}

#[test]
fn a_browser_tells_it_and_the_schedule_waits_for_that() {
    let state = Folder::new("time-browser");
    let plug = start(&state);
    let entries = json!([{"at": "00:00", "on": true}]);
    let patch = json!({"relay": {"power_on": "off"}, "schedule": {"enabled": true, "entries": entries},
        "time": {"source": "browser"}});
    plug.set(&patch.to_string());
    plug.stop();
    let plug = start(&state);
    let reading = plug.reading(|reading| reading["sequence"].as_u64() > Some(3));
    assert_eq!(reading["time"], Value::Null);
    assert!(flags(&reading).contains(&"clock_untrusted"), "{reading}");
    let page = plug.json(TIME);
    assert_eq!(
        (&page["time"], &page["from"], &page["source"]),
        (&Value::Null, &Value::Null, &json!("browser"))
    );
    let relay = plug.relay();
    assert_eq!((&relay["on"], &relay["schedule"]["state"]), (&json!(false), &json!("clock_untrusted")));
    assert_eq!(plug.json("/api/v1/info")["time"], Value::Null);
    // Somebody opens the page.
    let say =
        |time: f64| plug.ask(&format!("POST {TIME}"), "", &json!({ "time": time }).to_string()).unwrap();
    let page = say(unix_s()).json();
    assert_eq!((&page["taken"], &page["verdict"]), (&json!(true), &json!("first")));
    assert!(is_now(&page["time"], 0.0), "{page}");
    // The core has it too: readings carry it, and what the schedule wants since midnight holds.
    let reading = plug.reading(|reading| !reading["time"].is_null());
    assert!(is_now(&reading["time"], 0.0) && !flags(&reading).contains(&"clock_untrusted"), "{reading}");
    let relay = plug.await_json("/api/v1/relay", |relay| relay["on"] == true);
    assert_eq!(
        (&relay["commanded_by"], &relay["schedule"]["state"]),
        (&json!("schedule"), &json!("running"))
    );
    let change = &plug.changes()[0];
    assert!(is_now(&change["time"], 0.0), "{change}");
    let energy = plug.await_json("/api/v1/energy", |energy| !energy["days"].as_array().unwrap().is_empty());
    assert!(energy["days"][0]["date"].is_string(), "{energy}");
    // A step of hours needs three, and three within a moment are one.
    let answers: Vec<Value> =
        (0..3).map(|_| say(unix_s() + 86_400.0).json()["doubt"]["answers"].clone()).collect();
    assert_eq!(answers, [1, 1, 1]);
    assert!(is_now(&plug.json(TIME)["time"], 0.0));
    assert_eq!(say(12.0).status, 422);
    // A restart forgets it, and the schedule waits again.
    plug.stop();
    let plug = start(&state);
    assert_eq!(plug.json(TIME)["time"], Value::Null);
    assert_eq!(plug.relay()["schedule"]["state"], "clock_untrusted");
    // But the flash knows what time it was at least.
    let say = |time: f64| {
        plug.ask(&format!("POST {TIME}"), "", &json!({ "time": time }).to_string()).unwrap().json()
    };
    let page = say(unix_s() - 30.0 * 86_400.0);
    assert_eq!(
        (&page["verdict"], &page["time"], &page["doubt"]["first"]),
        (&json!("doubted"), &Value::Null, &json!(true))
    );
    let page = say(unix_s());
    assert_eq!((&page["verdict"], &page["doubt"]), (&json!("first"), &Value::Null));
}

/// A time server on this machine that is a little ahead; answers until the test ends.
fn time_server() -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let mut packet = [0; 128];
        while let Ok((48, from)) = socket.recv_from(&mut packet) {
            let time = unix_s() + AHEAD_S;
            let stamp =
                ((time.floor() as u64 + 2_208_988_800) << 32) | (time.fract() * 4_294_967_296.0) as u64;
            let mut answer = [0; 48];
            answer[..2].copy_from_slice(&[4 << 3 | 4, 1]);
            answer[24..32].copy_from_slice(&packet[40..48]);
            answer[32..40].copy_from_slice(&stamp.to_be_bytes());
            answer[40..48].copy_from_slice(&stamp.to_be_bytes());
            socket.send_to(&answer, from).unwrap();
        }
    });
    address
}

#[test]
fn a_time_server_tells_it() {
    let state = Folder::new("time-ntp");
    let plug = start(&state);
    let server = time_server();
    plug.set(&json!({"time": {"source": "ntp", "ntp_servers": server}}).to_string());
    let page = plug.await_json(TIME, |page| page["from"] == "ntp");
    assert!(is_now(&page["time"], AHEAD_S), "{page}");
    // The way on this machine, and nothing else.
    assert!((0.0..3.0).contains(&number(&page["uncertainty_s"])), "{page}");
    let asked = plug.await_json(TIME, |page| !page["asked"].is_null())["asked"].clone();
    assert_eq!((&asked["server"], &asked["error"]), (&json!("127.0.0.1"), &Value::Null));
    plug.reading(|reading| is_now(&reading["time"], AHEAD_S));
    // A browser is not asked.
    let body = json!({ "time": unix_s() }).to_string();
    let page = plug.ask(&format!("POST {TIME}"), "", &body).unwrap().json();
    assert_eq!((&page["taken"], &page["verdict"]), (&json!(false), &json!("unwanted")));
    // A restart forgets the time and knows whom to ask.
    plug.stop();
    let plug = start(&state);
    plug.await_json(TIME, |page| page["from"] == "ntp" && is_now(&page["time"], AHEAD_S));
}

#[test]
fn nobody_answers_and_the_page_says_why() {
    let state = Folder::new("time-silent");
    let plug = start(&state);
    // Bound, and silent.
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let server = socket.local_addr().unwrap().to_string();
    plug.set(&json!({"time": {"source": "ntp", "ntp_servers": server}}).to_string());
    let page = plug.await_json(TIME, |page| !page["asked"].is_null());
    assert_eq!(page["asked"]["error"]["code"], "timed_out");
    assert_eq!(page["time"], Value::Null);
    let page = plug.await_json(TIME, |page| !page["next_question_s"].is_null());
    assert!((0.0..=20.0).contains(&number(&page["next_question_s"])), "{page}");
    let mut packet = [0; 64];
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    assert_eq!(socket.recv_from(&mut packet).unwrap().0, 48);
    assert_eq!(packet[0], 0x23);
}

#[test]
fn a_plug_with_a_clock_wants_no_other() {
    let state = Folder::new("time-platform");
    let plug = Plug::start(&state.0, &["--source", "sim:kettle"]);
    let page = plug.json(TIME);
    assert!(is_now(&page["time"], 0.0), "{page}");
    assert_eq!((&page["from"], &page["uncertainty_s"]), (&json!("platform"), &Value::Null));
    let body = json!({ "time": unix_s() + 1000.0 }).to_string();
    let page = plug.ask(&format!("POST {TIME}"), "", &body).unwrap().json();
    assert_eq!((&page["taken"], &page["verdict"]), (&json!(false), &json!("unwanted")));
    assert!(is_now(&page["time"], 0.0), "{page}");
}
