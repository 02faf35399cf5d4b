//! Updates of the running program: an image is uploaded, tried, confirmed or gone back from, as on a chip; only that the
//! processor is not the image's.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may fail loudly")]

mod virtual_plug;

use ossp::pack::image::{Flags, image};
use plug::limits;
use plug::storage::layout;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use virtual_plug::client::ask;
use virtual_plug::{Folder, Plug, number};

/// Simulated seconds in a real one: ten minutes are six seconds.
const SPEED: [&str; 2] = ["--speed", "100"];

const GOOD: Flags =
    Flags { crash_after_s: None, panic_at_start: false, never_joins: false, measures_nothing: false };

fn made(version: &str, flags: &Flags) -> Vec<u8> {
    image(version, flags, 4096)
}

/// Uploads an image, which must be taken.
#[track_caller]
fn update(plug: &Plug, query: &str, image: &[u8]) {
    let answer = plug.upload(query, image);
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["image_sha256"], json!(hex(image)));
}

fn hex(image: &[u8]) -> String {
    Sha256::digest(image).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What `GET /api/v1/update` says once that pleases.
#[track_caller]
fn found(plug: &Plug, pleases: impl Fn(&Value) -> bool) -> Value {
    plug.await_json("/api/v1/update", pleases)
}

fn runs(version: &'static str, state: &'static str) -> impl Fn(&Value) -> bool {
    move |update| update["running"]["version"] == version && update["running"]["state"] == state
}

#[test]
fn an_image_that_works_is_confirmed_and_stays() {
    let folder = Folder::new("update-good");
    let plug = Plug::start(&folder.0, &SPEED);
    let update_of = |plug: &Plug| plug.json("/api/v1/update");
    let before = update_of(&plug);
    assert_eq!(before["running"]["state"], "unrecorded");
    assert_eq!((&before["other"], &before["last"]), (&Value::Null, &Value::Null));
    let first = made("0.8.0", &GOOD);
    update(&plug, "", &first);
    let now = found(&plug, runs("0.8.0", "confirmed"));
    assert_eq!((&now["running"]["slot"], &now["running"]["probation"]), (&json!(1), &Value::Null));
    assert_eq!((&now["last"]["result"], &now["last"]["version"]), (&json!("confirmed"), &json!("0.8.0")));
    // The program itself lies in the other slot: no image.
    assert_eq!(now["other"], Value::Null);
    let info = plug.await_json("/api/v1/info", |info| !info["image_sha256"].is_null());
    assert_eq!((&info["version"], &info["image_sha256"]), (&json!("0.8.0"), &json!(hex(&first))));
    assert_eq!((&info["reset_reason"], &info["safe_mode"]), (&json!("software"), &json!(false)));
    // Whoever compares builds need not be the owner: nothing in this one is secret.
    let told = ask(&plug.address, "GET /api/v1/info", "", "").unwrap().json();
    for name in ["git", "rustc", "espflash", "image_sha256"] {
        assert_eq!(told[name], info[name], "{name}");
    }
    assert_eq!(told.get("last_fault"), None, "{told}");
    // The next one goes to the slot that is free; the one before lies beside it.
    update(&plug, "", &made("0.9.0", &GOOD));
    let now = found(&plug, runs("0.9.0", "confirmed"));
    assert_eq!(now["running"]["slot"], 0);
    assert_eq!(now["other"], json!({"version": "0.8.0", "state": "former"}));
    // Older ones have to be meant.
    assert_eq!(plug.upload("", &first).json()["error"]["code"], "older_version");
    drop(plug);
    let plug = Plug::start(&folder.0, &SPEED);
    assert!(runs("0.9.0", "confirmed")(&update_of(&plug)));
    // When that was is known still.
    let last = update_of(&plug)["last"].clone();
    assert_eq!((&last["result"], &last["uptime_s"]), (&json!("confirmed"), &Value::Null));
    let (told, kept) = (number(&now["last"]["time"]), number(&last["time"]));
    assert!((told - 60.0..=told).contains(&kept), "{told} became {kept}");
    update(&plug, "?allow_downgrade=true", &first);
    found(&plug, runs("0.8.0", "confirmed"));
}

#[test]
fn an_image_that_crashes_is_gone_back_from_after_the_third_time() {
    for flags in [Flags { crash_after_s: Some(2.0), ..GOOD }, Flags { panic_at_start: true, ..GOOD }] {
        let folder = Folder::new("update-crash");
        let plug = Plug::start(&folder.0, &SPEED);
        plug.switch(r#"{"on":true}"#);
        update(&plug, "", &made("0.9.0", &flags));
        let now = found(&plug, |update| update["last"]["result"] == "went_back");
        assert_eq!(now["running"]["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(now["other"], json!({"version": "0.9.0", "state": "went_back"}));
        assert_eq!((&now["last"]["version"], &now["last"]["code"]), (&json!("0.9.0"), &json!("crashed")));
        let info = plug.json("/api/v1/info");
        assert_eq!((&info["reset_reason"], &info["bad_starts_in_a_row"]), (&json!("software"), &json!(0)));
        // The third crash's, not the second's: one start went back, and one is this.
        let starts = info["starts"].as_u64().unwrap();
        let fault = json!({"start": starts - 2, "reason": "panic", "detail": "this image was made to crash"});
        assert_eq!(info["last_fault"], fault);
        // At its start a plug does not know the time.
        assert_eq!((&now["last"]["time"], &now["last"]["uptime_s"]), (&Value::Null, &Value::Null));
        // It may be tried again.
        update(&plug, "", &made("0.9.1", &GOOD));
        found(&plug, runs("0.9.1", "confirmed"));
    }
}

#[test]
fn an_image_that_measures_nothing_is_gone_back_from_after_ten_minutes_and_takes_no_other() {
    let folder = Folder::new("update-blind");
    let plug = Plug::start(&folder.0, &SPEED);
    let blind = made("0.9.0", &Flags { measures_nothing: true, ..GOOD });
    update(&plug, "", &blind);
    let trial = found(&plug, runs("0.9.0", "on_probation"))["running"]["probation"].clone();
    assert_eq!((&trial["windows"], &trial["stores_open"]), (&json!(0), &json!(true)));
    assert_eq!(trial["network"], "access_point");
    assert!((0.0..=600.0).contains(&number(&trial["gives_up_in_s"])));
    // The other slot is the way back.
    assert_eq!(plug.upload("", &blind).json()["error"]["code"], "on_probation");
    let now = found(&plug, |update| update["last"]["result"] == "went_back");
    assert_eq!((&now["last"]["code"], &now["running"]["slot"]), (&json!("not_confirmed"), &json!(0)));
    assert_eq!(plug.json("/api/v1/info")["reset_reason"], "software");
}

#[test]
fn the_time_of_a_trial_goes_on_over_restarts() {
    let folder = Folder::new("update-restarts");
    let plug = Plug::start(&folder.0, &SPEED);
    update(&plug, "", &made("0.9.0", &Flags { measures_nothing: true, ..GOOD }));
    let left = |update: &Value| update["running"]["probation"]["gives_up_in_s"].as_f64();
    let mut before = 600.0;
    for _ in 0..3 {
        let now = found(&plug, |update| left(update).is_some_and(|left| left < before - 60.0));
        before = left(&now).unwrap();
        let starts = plug.json("/api/v1/info")["starts"].as_u64().unwrap();
        assert_eq!(plug.request("POST /api/v1/restart", "{}").0, 202);
        plug.await_json("/api/v1/info", |info| info["starts"] == starts + 1);
        let after = left(&found(&plug, |update| left(update).is_some())).unwrap();
        // A stretch that is not over is not counted, but the restart is.
        assert!(after <= before, "{before} s were left, {after} s are");
    }
    assert!(before < 420.0);
    let now = found(&plug, |update| update["last"]["result"] == "went_back");
    assert_eq!(now["last"]["code"], "not_confirmed");
}

#[test]
fn a_trial_writes_nothing_that_the_image_before_could_not_read() {
    let folder = Folder::new("update-forms");
    let plug = Plug::start(&folder.0, &SPEED);
    plug.set(r#"{"device":{"name":"before"},"relay":{"power_on":"on"}}"#);
    let energy =
        number(&plug.reading(|reading| number(&reading["energy_import_wh"]) > 0.5)["energy_import_wh"]);
    assert_eq!(plug.stop(), Some(0));
    let parts = |path| {
        let bytes = std::fs::read(path).unwrap();
        [layout::SETTINGS, layout::ACCESS, layout::CALIBRATION, layout::METER]
            .map(|place| bytes[place.from as usize..][..place.length as usize].to_vec())
    };
    let before = parts(folder.flash());
    let plug = Plug::start(&folder.0, &SPEED);
    update(&plug, "", &made("0.9.0", &Flags { crash_after_s: Some(3.0), ..GOOD }));
    found(&plug, |update| update["last"]["result"] == "went_back");
    assert_eq!(plug.json("/api/v1/settings")["device"]["name"], "before");
    // Time, energy and starts go on in the same journal.
    let after = number(&plug.reading(|_| true)["energy_import_wh"]);
    assert!(after >= energy, "{energy} Wh became {after}");
    assert_eq!(plug.stop(), Some(0));
    assert!(parts(folder.flash()) == before, "a start wrote settings, access, calibration or identity");
}

#[test]
fn a_network_that_was_joined_must_be_joined_again() {
    let folder = Folder::new("update-network");
    let plug = Plug::start(&folder.0, &["--scenario", "first-start", SPEED[0], SPEED[1]]);
    plug.set(r#"{"wifi":{"ssid":"home","password":"by-the-window"}}"#);
    plug.await_json("/api/v1/wifi", |wifi| wifi["state"] == "joined");
    update(&plug, "", &made("0.9.0", &Flags { never_joins: true, ..GOOD }));
    let trial = found(&plug, runs("0.9.0", "on_probation"))["running"]["probation"].clone();
    assert_ne!(trial["network"], "access_point", "an open access point is not enough");
    let now = found(&plug, |update| update["last"]["result"] == "went_back");
    assert_eq!(now["last"]["code"], "not_confirmed");
    plug.await_json("/api/v1/wifi", |wifi| wifi["state"] == "joined");
    update(&plug, "", &made("0.9.1", &GOOD));
    found(&plug, runs("0.9.1", "confirmed"));
}

/// An owner who has the networks forgotten does not want the image thrown away for not joining any.
#[test]
fn networks_that_were_forgotten_need_not_be_joined() {
    let (reset, remove) = (
        r#"POST /api/v1/reset {"confirm":"factory reset"}"#,
        r#"PATCH /api/v1/settings {"wifi":{"ssid":"","password":null}}"#,
    );
    for (number, forget) in [reset, remove].into_iter().enumerate() {
        let folder = Folder::new(&format!("update-forget-{number}"));
        let plug = Plug::start(&folder.0, &["--scenario", "first-start", SPEED[0], SPEED[1]]);
        plug.set(r#"{"wifi":{"ssid":"home","password":"by-the-window"}}"#);
        plug.await_json("/api/v1/wifi", |wifi| wifi["state"] == "joined");
        update(&plug, "", &made("0.9.0", &Flags { never_joins: true, ..GOOD }));
        found(&plug, |update| {
            runs("0.9.0", "on_probation")(update) && update["running"]["probation"]["windows"] == 20
        });
        let (head, body) = forget.split_once(" {").unwrap();
        let (status, answer) = plug.request(head, &format!("{{{body}"));
        assert!(matches!(status, 200 | 202), "{status} {answer}");
        let now = found(&plug, |update| update["running"]["state"] == "confirmed");
        assert_eq!(
            (&now["last"]["result"], &now["running"]["version"]),
            (&json!("confirmed"), &json!("0.9.0"))
        );
    }
}

/// The restart forgets it.
#[test]
fn a_network_under_test_need_not_be_joined_again() {
    let folder = Folder::new("update-test");
    let plug = Plug::start(&folder.0, &["--scenario", "first-start", SPEED[0], SPEED[1]]);
    let (status, answer) =
        plug.request("POST /api/v1/wifi/test", r#"{"ssid":"home","password":"by-the-window"}"#);
    assert_eq!(status, 202, "{answer}");
    plug.await_json("/api/v1/wifi", |wifi| wifi["test"]["state"] == "succeeded");
    update(&plug, "", &made("0.9.0", &GOOD));
    let now = found(&plug, |update| !update["last"].is_null() && update["last"]["result"] != "activated");
    assert_eq!((&now["last"]["result"], &now["running"]["version"]), (&json!("confirmed"), &json!("0.9.0")));
}

/// Updated by its own access point, which opens for whoever holds the button: after the restart nobody does.
#[test]
fn an_access_point_that_waits_for_the_button_need_not_be_open() {
    let folder = Folder::new("update-button");
    let plug = Plug::start(&folder.0, &["--scenario", "first-start", SPEED[0], SPEED[1]]);
    plug.set(r#"{"wifi":{"access_point":"button"}}"#);
    update(&plug, "", &made("0.9.0", &GOOD));
    let now = found(&plug, |update| !update["last"].is_null() && update["last"]["result"] != "activated");
    assert_eq!((&now["last"]["result"], &now["running"]["version"]), (&json!("confirmed"), &json!("0.9.0")));
    assert_eq!(plug.json("/api/v1/wifi")["access_point"]["open"], false);
}

#[test]
fn whoever_does_not_want_to_wait_goes_back_at_once() {
    let folder = Folder::new("update-back");
    // In real time: the trial lasts for longer than the test.
    let plug = Plug::start(&folder.0, &[]);
    let (status, answer) = plug.request("DELETE /api/v1/update", "");
    assert_eq!((status, answer.contains("no_other_firmware")), (409, true), "{answer}");
    update(&plug, "", &made("0.9.0", &Flags { measures_nothing: true, ..GOOD }));
    found(&plug, runs("0.9.0", "on_probation"));
    assert_eq!(plug.request("DELETE /api/v1/update", "").0, 202);
    let now = found(&plug, |update| update["last"]["result"] == "went_back");
    assert_eq!((&now["last"]["code"], &now["last"]["version"]), (&json!("asked"), &json!("0.9.0")));
    assert_eq!(now["running"]["state"], "confirmed");
    // It is not lost: whoever asks again has it tried again.
    assert_eq!(plug.request("DELETE /api/v1/update", "").0, 202);
    let now = found(&plug, runs("0.9.0", "on_probation"));
    assert_eq!(now["last"]["result"], "activated");
    assert_eq!(plug.request("DELETE /api/v1/update", "").0, 202);
    found(&plug, |update| update["running"]["slot"] == 0);
    update(&plug, "", &made("0.9.1", &GOOD));
    found(&plug, runs("0.9.1", "confirmed"));
}

/// With an image in each slot, 0.8.0 and the newer 0.9.0 that runs.
fn with_two(folder: &Folder, newer: &Flags) -> Plug {
    let plug = Plug::start(&folder.0, &SPEED);
    update(&plug, "", &made("0.8.0", &GOOD));
    found(&plug, runs("0.8.0", "confirmed"));
    update(&plug, "", &made("0.9.0", newer));
    plug
}

#[test]
fn an_owner_who_does_not_like_the_new_version_has_the_one_before() {
    let folder = Folder::new("update-dislike");
    let plug = with_two(&folder, &GOOD);
    found(&plug, runs("0.9.0", "confirmed"));
    plug.switch(r#"{"on":true}"#);
    let (status, answer) = plug.request("DELETE /api/v1/update", "");
    assert_eq!((status, answer.contains("older_version")), (422, true), "{answer}");
    let (status, answer) = plug.request("DELETE /api/v1/update?allow_downgrade=true", "");
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!((status, &answer["state"]), (202, &json!("activated")));
    assert_eq!(answer["other"], json!({"version": "0.8.0", "state": "activated"}));
    let now = found(&plug, runs("0.8.0", "confirmed"));
    let last = &now["last"];
    assert_eq!(
        (&last["result"], &last["code"], &last["version"]),
        (&json!("went_back"), &json!("asked"), &json!("0.9.0"))
    );
    assert_eq!(now["other"], json!({"version": "0.9.0", "state": "went_back"}));
    // A restart knows it too, and the newer one can be had again.
    drop(plug);
    let plug = Plug::start(&folder.0, &SPEED);
    let now = plug.json("/api/v1/update");
    assert_eq!((&now["last"]["code"], &now["running"]["state"]), (&json!("asked"), &json!("confirmed")));
    assert_eq!(plug.request("DELETE /api/v1/update", "").0, 202);
    let now = found(&plug, runs("0.9.0", "confirmed"));
    assert_eq!(now["last"]["result"], "confirmed");
}

#[test]
fn power_cuts_say_nothing_about_an_image_on_trial() {
    let folder = Folder::new("update-kill");
    // In real time: the trial lasts for longer than the test.
    let mut plug = Plug::start(&folder.0, &[]);
    update(&plug, "", &made("0.9.0", &Flags { measures_nothing: true, ..GOOD }));
    for _ in 0..5 {
        found(&plug, runs("0.9.0", "on_probation"));
        // As kill -9.
        drop(plug);
        plug = Plug::start(&folder.0, &[]);
    }
    let now = found(&plug, runs("0.9.0", "on_probation"));
    assert_eq!(now["last"]["result"], "activated");
}

#[test]
fn a_plug_that_crashes_again_and_again_can_be_mended() {
    let folder = Folder::new("update-safe");
    let plug = Plug::start(&folder.0, &SPEED);
    plug.switch(r#"{"on":true}"#);
    // Confirmed after 4 s, and still it crashes.
    update(&plug, "", &made("0.9.0", &Flags { crash_after_s: Some(30.0), ..GOOD }));
    let info = plug.await_json("/api/v1/info", |info| info["safe_mode"] == true);
    assert_eq!(info["bad_starts_in_a_row"], limits::SAFE_MODE_STARTS);
    assert_eq!((&info["version"], &info["reset_reason"]), (&json!("0.9.0"), &json!("panic")));
    assert_eq!(info["reset_detail"], "this image was made to crash");
    // There is no relay to ask for, and nothing measured; the light says why.
    assert_eq!(plug.relay()["error"]["code"], "safe_mode");
    assert_eq!(plug.json("/api/v1/reading")["error"]["code"], "safe_mode");
    let line = plug.json("/api/v1/update");
    assert_eq!((&line["safe_mode"], &line["running"]["state"]), (&json!(true), &json!("confirmed")));
    // A restart that somebody asks for ends it; this image crashes on.
    assert_eq!(plug.request("POST /api/v1/restart", "{}").0, 202);
    plug.await_json("/api/v1/info", |info| info["safe_mode"] == false && info["reset_reason"] == "software");
    plug.await_json("/api/v1/info", |info| info["safe_mode"] == true);
    // So does a power cut.
    drop(plug);
    let plug = Plug::start(&folder.0, &SPEED);
    assert_eq!(plug.json("/api/v1/info")["safe_mode"], false);
    plug.await_json("/api/v1/info", |info| info["safe_mode"] == true);
    // There is no image before it to go back to: the program itself is none.
    assert!(plug.request("DELETE /api/v1/update", "").1.contains("no_other_firmware"));
    // And an update is what mends it.
    update(&plug, "", &made("0.9.1", &GOOD));
    found(&plug, runs("0.9.1", "confirmed"));
    let info = plug.json("/api/v1/info");
    assert_eq!((&info["safe_mode"], &info["bad_starts_in_a_row"]), (&json!(false), &json!(0)));
}

#[test]
fn the_firmware_before_mends_a_plug_that_crashes_again_and_again() {
    let folder = Folder::new("update-safe-back");
    let plug = with_two(&folder, &Flags { crash_after_s: Some(30.0), ..GOOD });
    plug.await_json("/api/v1/info", |info| info["safe_mode"] == true);
    let now = plug.json("/api/v1/update");
    assert_eq!(
        (&now["running"]["version"], &now["running"]["state"]),
        (&json!("0.9.0"), &json!("confirmed"))
    );
    assert_eq!(now["other"], json!({"version": "0.8.0", "state": "former"}));
    assert_eq!(plug.request("DELETE /api/v1/update?allow_downgrade=true", "").0, 202);
    let now = found(&plug, runs("0.8.0", "confirmed"));
    assert_eq!((&now["last"]["code"], &now["safe_mode"]), (&json!("asked"), &json!(false)));
    plug.reading(|_| true);
}
