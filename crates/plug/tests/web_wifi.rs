//! The radio over the web: what is in range, a test of a network, its confirmation, and the way back.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

mod web_support;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use web_support::Plug;

const WIFI: &str = "/api/v1/wifi";
const SCAN: &str = "/api/v1/wifi/scan";
const TEST: &str = "/api/v1/wifi/test";
const CONFIRM: &str = "/api/v1/wifi/confirm";

/// Asks until the answer is as wanted.
fn wifi_until(plug: &Plug, wanted: impl Fn(&Value) -> bool) -> Value {
    let begin = Instant::now();
    loop {
        let page = plug.get(WIFI).json();
        if wanted(&page) {
            return page;
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "{page}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn tested(plug: &Plug, state: &str) -> Value {
    wifi_until(plug, |page| page["test"]["state"] == state)
}

/// A plug that is on its network `home`.
fn at_home() -> Plug {
    let plug = Plug::start_with_radio();
    let home = json!({"wifi": {"ssid": "home", "password": "correct horse"}}).to_string();
    assert_eq!(plug.patch_settings(&[], &home).status, 200);
    wifi_until(&plug, |page| page["state"] == "joined");
    plug
}

fn wifi_settings(plug: &Plug) -> Value {
    plug.get("/api/v1/settings").json()["wifi"].clone()
}

fn begin(plug: &Plug, network: &Value) {
    let answer = plug.post(TEST, &network.to_string());
    assert_eq!(answer.status, 202, "{}", answer.text());
    let test = answer.json();
    assert_eq!((&test["state"], &test["step"]), (&"running".into(), &"searching".into()));
    assert_eq!(test["ssid"], network["ssid"]);
}

#[test]
fn a_scan_tells_each_network_once_the_strongest_first() {
    let plug = Plug::start_with_radio();
    wifi_until(&plug, |page| page["available"] == true);
    let page = plug.get(SCAN).json();
    let networks = page["networks"].as_array().unwrap();
    let of =
        |index: usize| (networks[index]["ssid"].as_str().unwrap(), networks[index]["signal_dbm"].as_i64());
    assert_eq!(
        (0..networks.len()).map(of).collect::<Vec<_>>(),
        [
            ("home", Some(-45)),
            ("home", Some(-50)),
            ("garden", Some(-51)),
            ("guests", Some(-52)),
            ("fort", Some(-53)),
            ("silent", Some(-54))
        ]
    );
    // An open one of the same name is told apart from it.
    assert_eq!((&networks[0]["security"], &networks[1]["security"]), (&"open".into(), &"wpa2".into()));
    assert_eq!((&networks[4]["security"], &networks[4]["joinable"]), (&"wpa3".into(), &false.into()));
    assert_eq!((&networks[1]["joinable"], &page["hidden"]), (&true.into(), &1.into()));
    let document = plug.get("/api/v1/openapi.json").json();
    for name in document["components"]["schemas"]["WifiScan"]["required"].as_array().unwrap() {
        assert!(page.get(name.as_str().unwrap()).is_some(), "{name}");
    }
}

fn scans(plug: &Plug) -> usize {
    plug.inside(|inside| inside.house.calls.borrow().iter().filter(|call| *call == "scan").count())
}

#[test]
fn a_scan_is_told_again_for_a_while() {
    let plug = Plug::start_with_radio_at(1.0);
    wifi_until(&plug, |page| page["available"] == true);
    let before = scans(&plug);
    let first = plug.get(SCAN).json();
    assert_eq!((plug.get(SCAN).json(), scans(&plug)), (first.clone(), before + 1));
    plug.inside(|inside| inside.put_forward(Duration::from_secs(10)));
    assert_eq!((plug.get(SCAN).json(), scans(&plug)), (first, before + 2));
}

#[test]
fn a_radio_that_does_not_answer_is_busy() {
    let plug = Plug::start_with_radio();
    wifi_until(&plug, |page| page["available"] == true);
    plug.inside(|inside| inside.house.dead.set(true));
    let answer = plug.get(SCAN);
    assert_eq!((answer.status, answer.code().as_str()), (409, "wifi_busy"));
}

#[test]
fn a_plug_without_a_radio_says_so_everywhere() {
    let plug = Plug::start(1.0);
    let network = json!({"ssid": "x"}).to_string();
    for answer in [
        plug.get(SCAN),
        plug.post(TEST, &network),
        plug.ask("DELETE", TEST, &[], ""),
        plug.post(CONFIRM, "{}"),
    ] {
        assert_eq!((answer.status, answer.code().as_str()), (503, "wifi_unavailable"));
    }
}

#[test]
fn a_network_that_works_is_kept_once_it_is_confirmed() {
    let plug = at_home();
    let before = wifi_settings(&plug);
    begin(&plug, &json!({"ssid": "garden", "password": "battery staple"}));
    let page = tested(&plug, "succeeded");
    assert_eq!((&page["address"], &page["ssid"]), (&"10.0.0.8".into(), &"garden".into()));
    let test = &page["test"];
    assert_eq!((&test["address"], &test["address_before"]), (&"10.0.0.8".into(), &"10.0.0.7".into()));
    assert_eq!((&test["step"], &test["error"]), (&"done".into(), &Value::Null));
    let left = test["confirm_within_s"].as_f64().unwrap();
    assert!((100.0..=180.0).contains(&left), "{left}");
    // Nothing is stored before.
    assert_eq!(wifi_settings(&plug), before);
    let stored = plug.post(CONFIRM, "{}");
    assert_eq!(stored.status, 200, "{}", stored.text());
    let page = stored.json();
    assert_eq!((&page["test"]["state"], &page["state"]), (&"confirmed".into(), &"joined".into()));
    assert_eq!((&page["address"], &page["networks"]), (&"10.0.0.8".into(), &json!(["garden", "home"])));
    let settings = wifi_settings(&plug);
    assert_eq!((&settings["ssid"], &settings["password"]), (&"garden".into(), &"set".into()));
    let home = json!([{"ssid": "home", "password": "set", "hidden": false, "address": null}]);
    assert_eq!(settings["more"], home);
    let password = plug.inside(|inside| inside.state.settings.borrow().wifi.password.clone());
    assert_eq!(password.as_deref(), Some("battery staple"));
    // The change of the settings throws nobody off the network that is joined.
    std::thread::sleep(Duration::from_millis(500));
    let calls = plug.inside(|inside| inside.house.calls.borrow().clone());
    assert_eq!(calls.last().unwrap(), "join garden as ossp-ef56", "{calls:?}");
    // Twice is once too often.
    let again = plug.post(CONFIRM, "{}");
    assert_eq!((again.status, again.code().as_str()), (409, "no_wifi_test"));
}

#[test]
fn each_step_that_fails_is_named_and_the_plug_goes_back() {
    let plug = at_home();
    let before = wifi_settings(&plug);
    for (network, step, error, words) in [
        (json!({"ssid": "nowhere"}), "searching", "not_found", "is in range"),
        (json!({"ssid": "nowhere", "hidden": true}), "searching", "not_found", "whether it is hidden"),
        (json!({"ssid": "fort", "password": "correct horse"}), "searching", "only_wpa3", "allow WPA2"),
        (json!({"ssid": "guests", "password": "correct horse"}), "searching", "scans_as_open", "looks open"),
        (json!({"ssid": "garden"}), "searching", "password_missing", "set it"),
        (json!({"ssid": "garden", "password": "wrong horse"}), "joining", "wrong_password", "capitals"),
        (json!({"ssid": "silent", "password": "correct horse"}), "address", "no_address", "DHCP"),
    ] {
        begin(&plug, &network);
        let page = tested(&plug, "failed");
        let test = &page["test"];
        assert_eq!((&test["step"], &test["error"]), (&step.into(), &error.into()), "{network}");
        assert!(test["message"].as_str().unwrap().contains(words), "{test}");
        assert_eq!((&test["address"], &test["confirm_within_s"]), (&Value::Null, &Value::Null));
        let page = wifi_until(&plug, |page| page["state"] == "joined");
        assert_eq!((&page["address"], &page["ssid"]), (&"10.0.0.7".into(), &"home".into()));
        assert_eq!(
            (&page["test"]["address_before"], &page["last_error"]),
            (&"10.0.0.7".into(), &Value::Null)
        );
        assert_eq!(wifi_settings(&plug), before);
        let late = plug.post(CONFIRM, "{}");
        assert_eq!((late.status, late.code().as_str()), (409, "no_wifi_test"));
    }
}

#[test]
fn hidden_networks_and_set_addresses_work() {
    let plug = at_home();
    begin(&plug, &json!({"ssid": "cellar", "password": "under the house", "hidden": true}));
    assert_eq!(tested(&plug, "succeeded")["test"]["address"], "10.0.0.11");
    plug.ask("DELETE", TEST, &[], "");
    let address = json!({"ip": "10.0.0.99", "prefix": 24, "gateway": "10.0.0.1", "dns": "10.0.0.1"});
    let network = json!({"ssid": "silent", "password": "correct horse", "address": address});
    wifi_until(&plug, |page| page["state"] == "joined");
    begin(&plug, &network);
    assert_eq!(tested(&plug, "succeeded")["address"], "10.0.0.99");
    assert_eq!(plug.post(CONFIRM, "{}").status, 200);
    assert_eq!(wifi_settings(&plug)["address"], address);
}

#[test]
fn without_a_confirmation_it_goes_back() {
    let plug = at_home();
    let before = wifi_settings(&plug);
    begin(&plug, &json!({"ssid": "guests"}));
    tested(&plug, "succeeded");
    plug.inside(|inside| inside.put_forward(Duration::from_secs(180)));
    tested(&plug, "reverted");
    let page = wifi_until(&plug, |page| page["state"] == "joined");
    assert_eq!((&page["ssid"], wifi_settings(&plug)), (&"home".into(), before));
    assert_eq!(page["test"]["address"], "10.0.0.9");
}

#[test]
fn a_test_is_taken_back_at_once() {
    let plug = at_home();
    for wait in [false, true] {
        begin(&plug, &json!({"ssid": "guests"}));
        if wait {
            tested(&plug, "succeeded");
        }
        let answer = plug.ask("DELETE", TEST, &[], "");
        assert_eq!((answer.status, &answer.json()["state"]), (200, &"reverted".into()));
        let page = wifi_until(&plug, |page| page["state"] == "joined");
        assert_eq!(page["ssid"], "home");
        let again = plug.ask("DELETE", TEST, &[], "");
        assert_eq!((again.status, again.code().as_str()), (409, "no_wifi_test"));
    }
}

#[test]
fn one_test_at_a_time() {
    let plug = at_home();
    let guests = json!({"ssid": "guests"});
    begin(&plug, &guests);
    for state in ["running", "succeeded"] {
        let busy = plug.post(TEST, &json!({"ssid": "garden", "password": "battery staple"}).to_string());
        assert_eq!((busy.status, busy.code().as_str()), (409, "wifi_busy"), "{state}");
        if state == "running" {
            assert_eq!(plug.get(SCAN).status, 409);
            tested(&plug, "succeeded");
        }
    }
    assert_eq!(plug.post(CONFIRM, "{}").json()["ssid"], "guests");
    begin(&plug, &guests);
}

/// What is set while a test runs is what its end goes back to, and what a confirmation is laid on.
#[test]
fn settings_that_change_meanwhile_hold_afterwards() {
    let garden = json!({"wifi": {"ssid": "garden", "password": "battery staple"}}).to_string();
    let plug = at_home();
    begin(&plug, &json!({"ssid": "guests"}));
    tested(&plug, "succeeded");
    assert_eq!(plug.patch_settings(&[], &garden).status, 200);
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(plug.get(WIFI).json()["ssid"], "guests", "the test goes on");
    plug.ask("DELETE", TEST, &[], "");
    wifi_until(&plug, |page| page["state"] == "joined" && page["ssid"] == "garden");
    let plug = at_home();
    begin(&plug, &json!({"ssid": "guests"}));
    tested(&plug, "succeeded");
    assert_eq!(plug.patch_settings(&[], &garden).status, 200);
    assert_eq!(plug.post(CONFIRM, "{}").json()["networks"], json!(["guests", "garden"]));
}

#[test]
fn what_the_flash_does_not_take_is_not_confirmed() {
    let plug = at_home();
    begin(&plug, &json!({"ssid": "guests"}));
    tested(&plug, "succeeded");
    plug.inside(|inside| inside.flash.broken.set(true));
    let answer = plug.post(CONFIRM, "{}");
    assert_eq!((answer.status, answer.code().as_str()), (500, "not_stored"));
    assert_eq!(plug.get(WIFI).json()["test"]["state"], "succeeded");
    plug.inside(|inside| inside.flash.broken.set(false));
    assert_eq!(plug.post(CONFIRM, "{}").json()["test"]["state"], "confirmed");
}

#[test]
fn wrong_fields_are_named() {
    let plug = at_home();
    let told = |network: Value| {
        let answer = plug.post(TEST, &network.to_string());
        assert_eq!((answer.status, answer.code().as_str()), (422, "bad_settings"), "{network}");
        let fields = answer.json()["error"]["fields"].clone();
        let names =
            fields.as_array().unwrap().iter().map(|field| field["field"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(told(json!({"ssid": ""})), ["ssid"]);
    assert_eq!(told(json!({"password": "12345678"})), ["ssid"]);
    assert_eq!(told(json!({"ssid": "x", "password": "1234567"})), ["password"]);
    assert_eq!(told(json!({"ssid": "x", "password": "set"})), ["password"]);
    assert_eq!(told(json!({"ssid": "x", "speed": 1, "hidden": 1})), ["hidden", "speed"]);
    assert_eq!(told(json!({"ssid": "x", "address": {"ip": "10.0.0.2"}})), ["address"]);
    assert_eq!(plug.post(TEST, "[]").code(), "bad_json");
    assert_eq!(plug.ask("POST", TEST, &[], "{\"ssid\":\"x\"}").code(), "not_json");
    assert_eq!(plug.post(TEST, &format!("{{\"ssid\":\"{}\"}}", "x".repeat(1100))).status, 413);
    // Nothing of this began anything; the password that is set works under its name.
    assert_eq!(plug.get(WIFI).json()["test"], Value::Null);
    begin(&plug, &json!({"ssid": "home", "password": "set"}));
    tested(&plug, "succeeded");
}

/// While a phone uses the page, the station does not look for a network; when it leaves, it does.
#[test]
fn a_phone_that_uses_the_page_is_not_disturbed() {
    let plug = Plug::start_with_radio();
    let home =
        json!({"wifi": {"ssid": "home", "password": "wrong horse", "access_point_password": "12345678"}});
    assert_eq!(plug.patch_settings(&[], &home.to_string()).status, 200);
    wifi_until(&plug, |page| page["state"] == "waiting" && page["access_point"]["open"] == true);
    plug.get("/");
    let clients = plug.inside(|inside| {
        inside.house.phones.set(1);
        inside.state.last_use_by_access_point.get().is_some()
    });
    assert!(clients, "opening the page by the access point is using it");
    // A round that is under way ends.
    let page = wifi_until(&plug, |page| page["state"] == "waiting" && page["access_point"]["clients"] == 1);
    assert!(page["retry_in_s"].as_f64().unwrap() > 500.0, "{page}");
    let scans = || scans(&plug);
    let before = scans();
    // A minute for the plug.
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(scans(), before);
    // Somebody's wish is done all the same.
    assert_eq!(plug.get(SCAN).status, 200);
    assert_eq!(scans(), before + 1);
    plug.inside(|inside| inside.house.phones.set(0));
    let begin = Instant::now();
    while scans() == before + 1 {
        assert!(begin.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// An open page asks again and again, and tells the time: nobody need be there.
#[test]
fn only_what_a_person_does_is_use() {
    let plug = Plug::start_with_radio();
    wifi_until(&plug, |page| page["available"] == true);
    let used = || plug.inside(|inside| inside.state.last_use_by_access_point.take().is_some());
    used();
    for path in [
        WIFI,
        "/api/v1/info",
        "/api/v1/update",
        "/api/v1/reading",
        "/api/v1/setup",
        "/metrics",
        "/",
        "/app.css",
    ] {
        plug.get(path);
        assert!(!used(), "{path}");
    }
    plug.post("/api/v1/time", r#"{"time":1790000000}"#);
    assert!(!used());
    for path in ["/app.js", "/pages.js", "/update", SCAN] {
        plug.ask("GET", path, &["Accept: text/html"], "");
        assert!(used(), "{path}");
    }
    // A test for the internet gets that far, but has been nowhere before.
    plug.ask("GET", "/", &["Accept: text/html"], "");
    assert!(!used());
    plug.ask("GET", "/", &["Accept: text/html", "If-None-Match: \"1\""], "");
    assert!(used());
    plug.patch_settings(&[], r#"{"device":{"name":"x"}}"#);
    assert!(used());
    plug.ask("DELETE", TEST, &[], "");
    assert!(used());
}

/// The old fields, and those of each network.
#[test]
fn why_each_network_is_not_joined_is_told() {
    let plug = Plug::start_with_radio();
    let settings = json!({"wifi": {"ssid": "nowhere", "more": [{"ssid": "garden", "password": "wrong horse"},
        {"ssid": "guests"}]}, "device": {"host": "Cellar-2", "mdns": false}});
    assert_eq!(plug.patch_settings(&[], &settings.to_string()).status, 200);
    let page = wifi_until(&plug, |page| page["state"] == "joined");
    assert_eq!((&page["ssid"], &page["host"]), (&"guests".into(), &"Cellar-2".into()));
    assert_eq!(page["networks"], json!(["nowhere", "garden", "guests"]));
    let errors = page["errors"].as_array().unwrap();
    assert_eq!((&errors[0]["ssid"], &errors[0]["error"]), (&"nowhere".into(), &"not_found".into()));
    assert_eq!((&errors[1]["ssid"], &errors[1]["error"]), (&"garden".into(), &"wrong_password".into()));
    assert!(errors.len() == 2 && errors[1]["message"].as_str().unwrap().contains("\"garden\""));
    let calls = plug.inside(|inside| inside.house.calls.borrow().clone());
    assert!(calls.contains(&"join garden as Cellar-2".to_owned()), "{calls:?}");
    // Under its own name it is asked; under another it is not.
    let named = |host: &str| plug.ask_plainly("GET", "/api/v1/info", &[&format!("Host: {host}")], "").status;
    assert_eq!((named("cellar-2.local"), named("cellar-3.example")), (200, 302));
}

#[test]
fn only_the_owner_tests_networks() {
    let plug = at_home();
    let reader = web_support::bearer(web_support::READ);
    let body = json!({"ssid": "guests"}).to_string();
    let headers = [reader.as_str(), "Content-Type: application/json"];
    assert_eq!(plug.ask_plainly("POST", TEST, &headers, &body).status, 403);
    assert_eq!(plug.ask_plainly("POST", TEST, &headers[1..], &body).status, 401);
    assert_eq!(plug.ask_plainly("DELETE", TEST, &headers, "").status, 403);
    assert_eq!(plug.ask_plainly("POST", CONFIRM, &headers, "{}").status, 403);
    assert_eq!(plug.ask_plainly("GET", SCAN, &headers, "").status, 200);
    assert_eq!(plug.ask_plainly("GET", SCAN, &[], "").status, 401);
}
