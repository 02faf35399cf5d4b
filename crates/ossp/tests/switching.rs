//! Switching and protecting as their user meets them, over restarts: trips, lock-out, alarms, times, power-on state.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may fail loudly")]

mod virtual_plug;

use serde_json::{Value, json};
use virtual_plug::{Folder, Plug, number, run};

const FAST: [&str; 2] = ["--speed", "20"];

fn start(folder: &Folder, source: &str) -> Plug {
    Plug::start(&folder.0, &["--source", source, FAST[0], FAST[1]])
}

/// The newest change of the relay, once it is kept and pleases.
#[track_caller]
fn newest_change(plug: &Plug, pleases: impl Fn(&Value) -> bool) -> Value {
    let newest = |log: &Value| log["changes"].get(0).cloned().unwrap_or(Value::Null);
    newest(&plug.await_json("/api/v1/relay/log", |log| pleases(&newest(log))))
}

/// Switches, and waits until the flash has it.
#[track_caller]
fn switch_for_good(plug: &Plug, on: bool) {
    plug.switch(&json!({"on": on}).to_string());
    newest_change(plug, |change| change["on"] == on);
}

/// The relay of a plug that has begun.
#[track_caller]
fn relay_after_start(plug: &Plug) -> Value {
    plug.reading(|_| true);
    plug.relay()
}

#[test]
fn a_trip_outlives_a_restart_and_ends_with_a_rearm() {
    let folder = Folder::new("trip-story");
    let plug = start(&folder, "sim:short");
    let tripped = plug.await_json("/api/v1/relay", |relay| relay["locked_out"] == true);
    let cause = tripped["trip"]["cause"].as_str().unwrap().to_owned();
    assert_eq!((&tripped["on"], &tripped["trip"]["kind"]), (&json!(false), &json!("clipped")), "{tripped}");
    assert_eq!(
        (&tripped["commanded_by"], &tripped["reason"]),
        (&json!("protection"), &json!(cause)),
        "{tripped}"
    );
    assert_eq!(tripped["claims"][0]["class"], "protection", "{tripped}");
    let refused = plug.put_relay(r#"{"on":true}"#);
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (409, &json!("locked_out")));
    let change = newest_change(&plug, |change| change["source"] == "protection");
    assert_eq!(
        (&change["on"], &change["locked_out"], &change["cause"]),
        (&json!(false), &json!(true), &json!(cause))
    );
    drop(plug);

    // The lamp without the short circuit: what was locked out stays so.
    let plug = start(&folder, "sim:heater");
    let relay = relay_after_start(&plug);
    assert_eq!((&relay["on"], &relay["locked_out"]), (&json!(false), &json!(true)), "{relay}");
    let told = relay["reason"].as_str().unwrap();
    assert!(relay.to_string().contains(cause.as_str()), "{cause} is missing in {relay}");
    assert!(!told.is_empty());
    let told = told.to_owned();
    // However often it starts, and whatever is wished in vain.
    plug.switch(r#"{"on":false}"#);
    newest_change(&plug, |change| change["source"] == "web");
    drop(plug);
    let plug = start(&folder, "sim:heater");
    assert_eq!(relay_after_start(&plug)["reason"], json!(told));
    assert_eq!(plug.put_relay(r#"{"toggle":true}"#).json()["error"]["code"], "locked_out");
    let rearmed = plug.switch(r#"{"rearm":true}"#);
    assert_eq!((&rearmed["on"], &rearmed["locked_out"]), (&json!(false), &json!(false)), "{rearmed}");
    assert_eq!(plug.switch(r#"{"on":true}"#)["on"], true);
    plug.reading(|reading| number(&reading["current_a"]) > 4.0);
    newest_change(&plug, |change| change["on"] == true);
    drop(plug);

    // Re-armed is re-armed.
    let relay = relay_after_start(&start(&folder, "sim:heater"));
    assert_eq!((&relay["on"], &relay["locked_out"]), (&json!(true), &json!(false)), "{relay}");
}

#[test]
fn a_welded_contact_is_an_alarm() {
    let folder = Folder::new("welded");
    let plug = start(&folder, "sim:welded");
    assert_eq!(relay_after_start(&plug)["alarm"], Value::Null);
    plug.reading(|reading| number(&reading["uptime_s"]) > 11.0);
    plug.switch(r#"{"on":false}"#);
    let relay = plug.await_json("/api/v1/relay", |relay| !relay["alarm"].is_null());
    assert_eq!(
        (&relay["on"], &relay["measured"], &relay["alarm"]["kind"]),
        (&json!(false), &json!(true), &json!("welded"))
    );
    let cause = &relay["alarm"]["cause"];
    let change = newest_change(&plug, |change| change["cause"] == *cause);
    assert_eq!((&change["on"], &change["source"]), (&json!(false), &json!("protection")));
    assert!(number(&change["current_a"]) > 4.0, "{change}");
}

#[test]
fn a_switching_for_some_time_ends_by_itself() {
    let folder = Folder::new("for-s");
    let plug = start(&folder, "sim:heater");
    plug.reading(|_| true);
    let off = plug.switch(r#"{"on":false,"for_s":20}"#);
    assert!((19.0..=20.0).contains(&number(&off["remaining_s"])), "{off}");
    let back = newest_change(&plug, |change| change["source"] == "timer");
    let before = plug.changes().into_iter().find(|change| change["source"] == "web").unwrap();
    let seconds = number(&back["uptime_s"]) - number(&before["uptime_s"]);
    assert!(back["on"] == true && (seconds - 20.0).abs() < 0.01, "{seconds} s: {back}");
}

#[test]
fn too_soon_says_how_long_to_wait() {
    let folder = Folder::new("too-soon");
    let plug = start(&folder, "sim:heater");
    plug.set(r#"{"relay":{"minimum_off_s":3600}}"#);
    plug.reading(|_| true);
    plug.switch(r#"{"on":false}"#);
    let refused = plug.put_relay(r#"{"on":true}"#);
    let error = &refused.json()["error"];
    let wait_s = number(&error["wait_s"]);
    assert_eq!((refused.status, &error["code"]), (409, &json!("too_soon")), "{refused:?}");
    assert!(
        (1.0..=3600.0).contains(&wait_s) && error["message"].as_str().unwrap().contains("minimum"),
        "{error}"
    );
    assert_eq!(refused.header("retry-after").unwrap(), format!("{}", wait_s.ceil()));
    assert_eq!(plug.relay()["on"], false);
    plug.set(r#"{"relay":{"minimum_off_s":20}}"#);
    while plug.put_relay(r#"{"on":true}"#).status == 409 {}
    let changes = plug.changes();
    let seconds = number(&changes[0]["uptime_s"]) - number(&changes[1]["uptime_s"]);
    assert!(
        changes[0]["on"] == true && changes[1]["on"] == false && seconds >= 20.0,
        "{seconds} s: {changes:?}"
    );
    // Off is never delayed.
    plug.set(r#"{"relay":{"minimum_on_s":3600}}"#);
    assert_eq!(plug.switch(r#"{"on":false}"#)["on"], false);
}

#[test]
fn the_power_on_state_is_as_set() {
    let folder = Folder::new("power-on");
    // Nobody has switched it yet.
    drop({
        let plug = start(&folder, "sim:heater");
        assert_eq!(relay_after_start(&plug)["on"], true);
        plug
    });
    for (power_on, before, after) in [
        ("last", false, false),
        ("last", true, true),
        ("off", true, false),
        ("on", false, true),
        ("last", true, true),
    ] {
        let plug = start(&folder, "sim:heater");
        plug.reading(|_| true);
        plug.set(&json!({"relay": {"power_on": power_on}}).to_string());
        switch_for_good(&plug, before);
        drop(plug);
        let relay = relay_after_start(&start(&folder, "sim:heater"));
        assert_eq!(relay["on"], after, "{power_on} after {before}: {relay}");
    }
    let plug = start(&folder, "sim:heater");
    plug.set(r#"{"relay":{"power_on":"on","start_delay_s":3600}}"#);
    drop(plug);
    let relay = relay_after_start(&start(&folder, "sim:heater"));
    assert_eq!((&relay["on"], &relay["delay_reason"]), (&json!(false), &json!("start_delay")), "{relay}");
    assert!((1.0..=3600.0).contains(&number(&relay["delayed_s"])), "{relay}");
}

#[test]
fn a_trip_keeps_its_waveform() {
    let folder = Folder::new("trip-waveform");
    let plug = start(&folder, "sim:short");
    let kept = |trips: &Value| trips["trips"][0]["complete"] == true;
    let trips = plug.await_json("/api/v1/trips", kept);
    let trip = &trips["trips"][0];
    assert_eq!((&trip["number"], &trip["kind"]), (&json!(1), &json!("clipped")), "{trip}");
    assert!((0.15..=0.3).contains(&number(&trip["before_s"])), "{trip}");
    drop(plug);

    let plug = start(&folder, "sim:heater");
    assert_eq!(plug.await_json("/api/v1/trips", kept)["trips"][0], *trip);
    let waveform = plug.ask("GET /api/v1/trips/1/waveform", "", "").unwrap();
    assert_eq!(waveform.status, 200, "{waveform:?}");
    let file = folder.0.join("trip.csv");
    std::fs::write(&file, &waveform.body).unwrap();
    let replayed = run(&["replay", "--format", "json", file.to_str().unwrap()]);
    assert!(replayed.status.success(), "{}", String::from_utf8_lossy(&replayed.stderr));
    let replayed: Value = serde_json::from_slice(&replayed.stdout).unwrap();
    assert!(number(&replayed["summary"]["voltage_v"]) > 100.0, "{replayed}");
}

/// Has the plug start anew by itself; the program goes on.
#[track_caller]
fn start_anew(plug: &Plug, path: &str, body: &str) {
    let starts = plug.json("/api/v1/info")["starts"].as_u64().unwrap();
    let answer = plug.ask(&format!("POST {path}"), "", body).unwrap();
    assert_eq!(answer.status, 202, "{answer:?}");
    plug.await_json("/api/v1/info", |info| info["starts"] == starts + 1);
}

#[test]
fn a_planned_restart_loses_nothing() {
    let folder = Folder::new("restart");
    let plug = start(&folder, "sim:heater");
    for hold in [false, true] {
        plug.set(&json!({"relay": {"hold_on_restart": hold}}).to_string());
        plug.switch(r#"{"on":true}"#);
        let before = plug.reading(|reading| number(&reading["current_a"]) > 4.0);
        start_anew(&plug, "/api/v1/restart", "{}");
        let after = plug.reading(|reading| number(&reading["current_a"]) > 4.0);
        assert!(
            number(&after["energy_import_wh"]) >= number(&before["energy_import_wh"]),
            "{before} {after}"
        );
        assert_eq!(plug.json("/api/v1/info")["reset_reason"], "software");
        let kept = plug.relay()["reason"].as_str().unwrap().contains("held over");
        assert_eq!(kept, hold, "{}", plug.relay());
    }
}

#[test]
fn a_factory_reset_leaves_nothing_of_its_owner() {
    let folder = Folder::new("reset");
    let plug = start(&folder, "sim:short");
    plug.set(r#"{"device":{"name":"the owner's"},"wifi":{"ssid":"his network","password":"secret words"},"calibration":{"phase_deg":0.25}}"#);
    plug.await_json("/api/v1/trips", |trips| trips["trips"][0]["complete"] == true);
    plug.switch(r#"{"rearm":true}"#);
    let (energy, id) = (plug.json("/api/v1/energy"), plug.json("/api/v1/info")["id"].clone());
    let calibration = plug.json("/api/v1/calibration")["in_use"].clone();
    let refused = plug.ask("POST /api/v1/reset", "", "{}").unwrap();
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (422, &json!("bad_field")));
    assert_eq!(plug.json("/api/v1/settings")["device"]["name"], "the owner's");
    start_anew(&plug, "/api/v1/reset", r#"{"confirm":"factory reset"}"#);

    plug.reading(|_| true);
    // Whoever resets a plug does not ask it to switch on.
    assert_eq!(plug.json("/api/v1/relay")["on"], false);
    let settings = plug.json("/api/v1/settings");
    assert_eq!(
        (&settings["device"]["name"], &settings["wifi"]["ssid"]),
        (&json!(""), &json!("")),
        "{settings}"
    );
    assert_eq!(plug.json("/api/v1/calibration")["in_use"], calibration);
    let anew = plug.json("/api/v1/energy");
    assert!(anew["meter_id"].is_string() && anew["meter_id"] != energy["meter_id"], "{anew}");
    assert!(number(&anew["energy_import_wh"]) < number(&energy["energy_import_wh"]), "{anew} {energy}");
    let starts = plug.json("/api/v1/info")["starts"].clone();
    let trips = plug.json("/api/v1/trips")["trips"].clone();
    assert!(trips.as_array().unwrap().iter().all(|trip| trip["start"] == starts), "{trips}");
    assert!(plug.changes().iter().all(|change| change["start"] == starts), "{:?}", plug.changes());
    assert_eq!(plug.json("/api/v1/info")["id"], id);
    drop(plug);
    let flash = std::fs::read(folder.flash()).unwrap();
    for words in ["the owner's", "his network", "secret words"] {
        assert!(!flash.windows(words.len()).any(|bytes| bytes == words.as_bytes()), "{words}");
    }
    let plug = start(&folder, "sim:heater");
    plug.reading(|_| true);
    assert_eq!(plug.json("/api/v1/energy")["meter_id"], anew["meter_id"]);
}

#[cfg(unix)]
#[test]
fn a_clean_stop_keeps_the_newest_energy() {
    let folder = Folder::new("clean-stop");
    let plug = start(&folder, "sim:heater");
    let energy = |reading: &Value| number(&reading["energy_import_wh"]);
    let shown = energy(&plug.reading(|reading| energy(reading) > 1.5));
    assert_eq!(plug.stop(), Some(0));
    let plug = start(&folder, "sim:none");
    let kept = energy(&plug.reading(|_| true));
    assert!(kept >= shown, "{shown} Wh were shown, {kept} Wh are left");
}

/// Else the page says for a moment that the relay does not obey.
#[test]
fn what_was_opened_for_a_restart_is_told_open() {
    let folder = Folder::new("told-in-restart");
    // In real time: what is kept over the restart takes its time, with the relay open.
    let plug = Plug::start(&folder.0, &["--source", "sim:heater"]);
    relay_after_start(&plug);
    plug.set(r#"{"relay":{"hold_on_restart":false,"power_on":"last"}}"#);
    switch_for_good(&plug, true);
    assert_eq!(plug.ask("POST /api/v1/restart", "", "{}").unwrap().status, 202);
    let mut seen = 0;
    let after = loop {
        let Ok(answer) = plug.ask("GET /api/v1/relay", "", "") else { continue };
        let relay = answer.json();
        let reason = relay["reason"].as_str().unwrap_or_default();
        assert!(!reason.contains("by hand") || relay["measured"] == true, "{relay}");
        if reason.contains("restart that is due") {
            assert_eq!(relay["on"], false, "{relay}");
            seen += 1;
        }
        if reason.contains("power-up") {
            break relay;
        }
    };
    assert!(seen > 0, "the relay was opened and nobody told it");
    assert_eq!(after["on"], true, "{after}");
}

#[test]
fn what_is_switched_off_while_a_restart_is_due_stays_off() {
    let folder = Folder::new("off-in-restart");
    // In real time: the restart comes half a second after the order.
    let plug = Plug::start(&folder.0, &["--source", "sim:heater"]);
    relay_after_start(&plug);
    plug.set(r#"{"relay":{"hold_on_restart":true}}"#);
    switch_for_good(&plug, true);
    assert_eq!(plug.ask("POST /api/v1/restart", "", "{}").unwrap().status, 202);
    switch_for_good(&plug, false);
    plug.await_json("/api/v1/info", |info| info["starts"] == 2);
    let relay = relay_after_start(&plug);
    assert_eq!(relay["on"], false, "{relay}");
}

#[test]
fn trips_that_come_quickly_keep_their_numbers() {
    let folder = Folder::new("quick-trips");
    let plug = Plug::start(&folder.0, &["--source", "sim:stuck_heater"]);
    for number in 1..6 {
        let tripped = plug.await_json("/api/v1/relay", |relay| relay["locked_out"] == true);
        assert_eq!(tripped["trip"]["number"], number, "{tripped}");
        plug.switch(r#"{"rearm":true}"#);
        // 409 if it trips before the answer.
        plug.put_relay(r#"{"on":true}"#);
        plug.await_json("/api/v1/relay", |relay| relay["trip"]["number"] == number + 1);
    }
    let newest = plug.await_json("/api/v1/relay", |relay| relay["locked_out"] == true);
    let number = &newest["trip"]["number"];
    plug.await_json("/api/v1/trips", |list| {
        let trip = &list["trips"][0];
        trip["number"] == *number && trip["complete"] == true
    });
    let list = plug.json("/api/v1/trips");
    assert_eq!(list["trips"][0]["cause"], newest["trip"]["cause"], "{list}");
}

#[test]
fn however_fast_the_readings_come_the_relay_is_told() {
    let folder = Folder::new("fast");
    let plug = Plug::start(&folder.0, &["--source", "sim:heater", "--speed", "10000"]);
    plug.reading(|reading| number(&reading["uptime_s"]) > 100.0);
    plug.await_json("/api/v1/relay", |relay| relay["on"] == true && relay["measured"] == true);
    plug.json("/api/v1/protection")["limits"].as_object().unwrap();
}
