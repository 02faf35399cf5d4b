//! `ossp plug URL backup` and `restore` against the virtual plug; and what there is to do with one in safe mode.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly, their helpers too"
)]

mod virtual_plug;

use std::path::Path;

use ossp::pack::image::{Flags, image};
use serde_json::{Value, json};
use virtual_plug::said::{ask, ossp, with};
use virtual_plug::{Folder, PASSWORD, Plug};

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn a_backup_is_given_back() {
    let folder = Folder::new("remote-backup");
    let plug = Plug::start(&folder.0, &["--source", "sim:kettle"]);
    plug.reading(|_| true);
    let wanted = plug.set(
        r#"{"device":{"name":"Kettle"},"time":{"source":"browser"},"protection":{"power_limit_w":2900},"wifi":{"ssid":"Home","password":"12345678"},
        "schedule":{"enabled":true,"entries":[{"days":["mon"],"at":"06:30","on":true}]},
        "emoncms":{"enabled":true,"url":"http://192.0.2.1/emoncms","write_key":"fa8e3b689295332c560bbea31afb61d0","transport":"plain"}}"#,
    );
    let file = folder.0.join("backup.json");
    let name = file.to_str().unwrap();
    let said = ask(&plug, &["backup", "-o", name]).done();
    assert!(said.words.contains("emoncms.write_key") && said.words.contains("wifi.password"), "{said:?}");
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&file.metadata().unwrap()) & 0o777, 0o600);
    let backup = text(&file);
    for secret in ["12345678", "fa8e3b", PASSWORD] {
        assert!(!backup.contains(secret), "{secret}");
    }
    let parsed: Value = serde_json::from_str(&backup).unwrap();
    assert_eq!((&parsed["format"], &parsed["settings"]), (&json!("ossp-backup"), &wanted));
    assert!(parsed["energy"]["energy_import_wh"].is_number());

    // Changed, and as before again: the secrets are still there.
    plug.set(
        r#"{"device":null,"protection":null,"schedule":null,"emoncms":{"enabled":false,"interval_s":60}}"#,
    );
    let said = ask(&plug, &["restore", name]).done();
    assert!(said.out.contains("0 left out"), "{said:?}");
    assert_eq!(plug.json("/api/v1/settings"), wanted);
    assert!(ask(&plug, &["restore", name]).done().out.starts_with("0 settings restored"));

    // A new plug has no secrets: what needs them is left out, and said.
    let other = Folder::new("remote-restore");
    let fresh = Plug::start(&other.0, &["--source", "sim:kettle"]);
    let said = ask(&fresh, &["restore", name]).done();
    for left in ["wifi.password", "wifi.ssid", "emoncms.write_key", "emoncms.enabled"] {
        assert!(said.words.contains(&format!("not restored: {left} ")), "{left}: {said:?}");
    }
    let settings = fresh.json("/api/v1/settings");
    assert_eq!((&settings["device"]["name"], &settings["wifi"]["ssid"]), (&json!("Kettle"), &json!("")));
    assert_eq!(settings["schedule"], wanted["schedule"]);
    assert_eq!(settings["emoncms"]["url"], wanted["emoncms"]["url"]);
    assert_eq!(settings["emoncms"]["enabled"], false);

    // What the plug does not take does not keep the rest away.
    let mut odd = parsed;
    odd["settings"]["protection"]["rated_current_a"] = json!(9_000);
    odd["settings"]["device"]["name"] = json!("Lamp");
    odd["settings"]["device"]["of_later"] = json!(1);
    std::fs::write(&file, odd.to_string()).unwrap();
    let said = ask(&plug, &["restore", name]);
    assert!(said.words.contains("protection.rated_current_a"), "{said:?}");
    said.fails(1, "device.of_later");
    assert_eq!(plug.json("/api/v1/settings")["device"]["name"], "Lamp");
}

#[test]
fn whose_firmware_is_taken_is_restored_only_where_asked_and_never_by_a_token() {
    let folder = Folder::new("remote-token");
    let plug = Plug::start(&folder.0, &["--source", "sim:kettle"]);
    let key = "07".repeat(32);
    plug.set(&json!({"device": {"name": "Kettle"}, "update": {"accept": "any", "keys": [key], "retired": [key], "warn_above_a": 2}}).to_string());
    let file = folder.0.join("backup.json");
    let name = file.to_str().unwrap();
    ask(&plug, &["backup", "-o", name]).done();
    plug.set(r#"{"device":null,"update":null}"#);
    let made = plug.ask("POST /api/v1/tokens", "", r#"{"name":"mine","scope":"admin"}"#).unwrap().json();
    let token = made["token"].as_str().unwrap();
    let with_token = |more: &[&str]| ossp(None, &with(&plug.address, &[&["--token", token], more].concat()));
    for (more, given, why) in [
        (&["restore", name][..], 2, "whose firmware is taken stays as it is; see --update-keys"),
        (&["restore", name, "--update-keys"], 0, "needs the password"),
    ] {
        let said = with_token(more).done();
        assert!(said.out.starts_with(&format!("{given} settings restored, 3 left out")), "{said:?}");
        for left in ["accept", "keys", "retired"] {
            let wanted = format!("not restored: update.{left} ({why}");
            assert!(said.words.contains(&wanted), "{left}: {said:?}");
        }
    }
    let now = plug.json("/api/v1/settings");
    assert_eq!((&now["device"]["name"], &now["update"]["accept"]), (&json!("Kettle"), &json!("default")));
    assert_eq!((&now["update"]["warn_above_a"], &now["update"]["keys"]), (&json!(2), &json!([])));
    // The password restores the rest, where it is asked to.
    let said = ask(&plug, &["restore", name]).done();
    assert!(said.out.starts_with("0 settings restored, 3 left out"), "{said:?}");
    let said = ask(&plug, &["restore", name, "--update-keys"]).done();
    assert!(said.out.starts_with("3 settings restored, 0 left out"), "{said:?}");
    assert_eq!(plug.json("/api/v1/settings")["update"]["keys"], json!([key]));
    // What would shut out all firmware is named like another wrong field.
    let mut odd: Value = serde_json::from_str(&text(&file)).unwrap();
    odd["settings"]["update"] = json!({"accept": "signed", "keys": []});
    odd["settings"]["device"]["name"] = json!("Lamp");
    std::fs::write(&file, odd.to_string()).unwrap();
    ask(&plug, &["restore", name, "--update-keys"]).fails(1, "update.keys must leave a key");
}

#[test]
fn what_is_no_backup_is_refused() {
    let folder = Folder::new("remote-no-backup");
    let plug = Plug::start(&folder.0, &["--source", "sim:kettle"]);
    let file = folder.0.join("b.json");
    for (content, part) in [
        ("", "no backup"),
        ("{}", "no backup"),
        (r#"{"format":"ossp-backup"}"#, "no backup"),
        (r#"{"format":"ossp-backup","format_version":2,"settings":{}}"#, "newer ossp"),
    ] {
        std::fs::write(&file, content).unwrap();
        ask(&plug, &["restore", file.to_str().unwrap()]).fails(1, part);
    }
    ask(&plug, &["restore", "/nowhere/at/all"]).fails(1, "cannot be read");
}

#[test]
fn a_plug_is_sent_to_no_network_that_it_cannot_join() {
    let folder = Folder::new("remote-networks");
    let plug = Plug::start(&folder.0, &["--source", "sim:kettle"]);
    plug.reading(|_| true);
    let backup = |name: &str| {
        let file = folder.0.join(name).to_str().unwrap().to_owned();
        ask(&plug, &["backup", "-o", &file]).done();
        file
    };
    let without = backup("without.json");
    plug.set(r#"{"wifi":{"ssid":"Cafe downstairs"}}"#);
    let open = backup("open.json");
    plug.set(r#"{"wifi":{"ssid":"Home","password":"12345678"}}"#);
    // An open one is given without the password of another.
    let said = ask(&plug, &["restore", &open]).done();
    assert!(said.out.starts_with("2 settings restored, 0 left out"), "{said:?}");
    let wifi = plug.json("/api/v1/settings")["wifi"].clone();
    assert_eq!((&wifi["ssid"], &wifi["password"]), (&json!("Cafe downstairs"), &Value::Null));
    // A backup from before it had a network takes it out of none, and the rest is restored.
    plug.set(r#"{"device":{"name":"Lamp"},"wifi":{"ssid":"Home","password":"12345678"}}"#);
    let said = ask(&plug, &["restore", &without]).done();
    assert!(said.words.contains("not restored: wifi.ssid (the backup has no network"), "{said:?}");
    let now = plug.json("/api/v1/settings");
    assert_eq!((&now["device"]["name"], &now["wifi"]["ssid"]), (&json!(""), &json!("Home")));
    // What the plug refuses takes along what belongs to it.
    let mut odd: Value = serde_json::from_str(&text(Path::new(&open))).unwrap();
    odd["settings"]["wifi"]["ssid"] = json!("x".repeat(33));
    odd["settings"]["wifi"]["hidden"] = json!(true);
    std::fs::write(&open, odd.to_string()).unwrap();
    let said = ask(&plug, &["restore", &open]);
    assert!(said.words.contains("not restored: wifi.hidden (goes with wifi.ssid)"), "{said:?}");
    said.fails(1, "not restored: wifi.ssid must be");
    assert_eq!(plug.json("/api/v1/settings")["wifi"], now["wifi"]);
}

#[test]
fn a_plug_in_safe_mode_says_so_and_is_backed_up() {
    let folder = Folder::new("remote-safe");
    let plug = Plug::start(&folder.0, &["--speed", "100"]);
    let name = plug.set(r#"{"device":{"name":"Kettle"}}"#)["device"]["name"].clone();
    // Confirmed after 4 s, and still it crashes.
    let crashes = image("0.9.0", &Flags { crash_after_s: Some(30.0), ..Flags::default() }, 4096);
    assert_eq!(plug.upload("", &crashes).status, 200);
    plug.await_json("/api/v1/info", |info| info["safe_mode"] == true);
    let status = ask(&plug, &["status"]).done().out;
    for part in
        ["plug      Kettle, ", "relay     open: safe mode\n", "now       nothing is measured\n", "SAFE MODE"]
    {
        assert!(status.contains(part), "{part}: {status}");
    }
    let all: Value = serde_json::from_str(&ask(&plug, &["status", "--json"]).done().out).unwrap();
    assert_eq!(
        (&all["update"]["safe_mode"], &all["relay"], &all["energy"]),
        (&json!(true), &Value::Null, &Value::Null)
    );
    let said = ask(&plug, &["backup"]).done();
    assert!(said.words.contains("nor is the energy: the plug is in safe mode"), "{said:?}");
    let backup: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((&backup["settings"]["device"]["name"], &backup["energy"]), (&name, &Value::Null));
    ask(&plug, &["on"]).fails(1, "crashed again and again");
    // Whoever may not know is told no more than before.
    ossp(Some("not the words"), &with(&plug.address, &["status"])).fails(1, "the password is wrong");
}
