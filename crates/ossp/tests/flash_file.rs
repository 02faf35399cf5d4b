//! A state folder whose flash file is cut off or full of something else: the plug starts, says what it could not
//! read, works, and keeps what it is told from then on.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may fail loudly")]

mod virtual_plug;

use std::process::Stdio;

use plug::storage::layout::{self, Place};
use serde_json::{Value, json};
use virtual_plug::{Folder, Plug, number, owned, spawn};

const ARGUMENTS: [&str; 4] = ["--source", "sim:heater", "--speed", "20"];

/// Splitmix64 (<https://prng.di.unimi.it/splitmix64.c>).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) as usize % sides
    }
}

/// A flash in which a plug has been for a while.
fn used_flash(folder: &Folder) -> Vec<u8> {
    let plug = Plug::start(&folder.0, &ARGUMENTS);
    plug.set(
        r#"{"device":{"name":"before"},"relay":{"switchings_a_minute":0},"calibration":{"phase_deg":0.25}}"#,
    );
    plug.reading(|reading| number(&reading["uptime_s"]) > 25.0);
    for _ in 0..3 {
        plug.switch(r#"{"toggle":true}"#);
    }
    plug.switch(r#"{"on":true}"#);
    plug.await_json("/api/v1/relay/log", |log| log["changes"][0]["on"] == true);
    drop(plug);
    std::fs::read(folder.flash()).unwrap()
}

/// The plug starts on it and works; what it said of it.
#[track_caller]
fn starts_and_works(folder: &Folder, flash: &[u8], what: &str) -> String {
    std::fs::write(folder.flash(), flash).unwrap();
    let words = folder.0.join("words");
    // Its owner may be lost with the rest.
    let plug = Plug::start_telling(&folder.0, &[&["--reset-password"], &ARGUMENTS[..]].concat(), &words);
    plug.reading(|_| true);
    plug.set(r#"{"device":{"name":"after"},"relay":{"switchings_a_minute":0},"protection":{"power_limit_w":null}}"#);
    let relay = plug.relay();
    if relay["locked_out"] == true {
        plug.switch(r#"{"rearm":true}"#);
    }
    plug.switch(r#"{"on":true}"#);
    let first = plug.reading(|reading| number(&reading["current_a"]) > 4.0);
    let uptime_s = number(&first["uptime_s"]) + 12.0;
    let last = plug.reading(|reading| number(&reading["uptime_s"]) > uptime_s);
    assert!(number(&last["energy_import_wh"]) > number(&first["energy_import_wh"]), "{what}");
    plug.switch(r#"{"on":false}"#);
    plug.await_json("/api/v1/relay/log", |log| log["changes"][0]["on"] == false);
    drop(plug);
    // What was said then is kept from now on.
    let plug = Plug::start(&folder.0, &ARGUMENTS);
    let again = plug.reading(|_| true);
    let least = number(&first["energy_import_wh"]).max(number(&last["energy_import_wh"]) - 5.0);
    assert!(number(&again["energy_import_wh"]) >= least, "{what}: {again} after {last}");
    assert_eq!(plug.json("/api/v1/settings")["device"]["name"], "after", "{what}");
    assert_eq!(plug.relay()["on"], false, "{what}");
    assert!(!plug.json("/api/v1/info")["starts"].is_null(), "{what}");
    std::fs::read_to_string(words).unwrap()
}

#[test]
fn a_flash_file_that_is_cut_off_is_said_so() {
    let folder = Folder::new("cut");
    let flash = used_flash(&folder);
    let mut dice = Dice(1);
    for round in 0..6 {
        let length = if round == 0 { 1 } else { dice.roll(flash.len()) };
        let words = starts_and_works(&folder, &flash[..length], &format!("cut after {length}"));
        assert!(words.contains(&format!("ends after {length} bytes")), "{length}: {words}");
    }
}

#[test]
fn foreign_bytes_are_said_and_the_plug_works() {
    let folder = Folder::new("foreign");
    let flash = used_flash(&folder);
    let mut dice = Dice(2);
    let places: [(Place, &str); 7] = [
        (layout::STARTS, "count of starts"),
        (layout::SETTINGS, "settings"),
        (layout::CALIBRATION, "calibration"),
        (layout::METER, "meter's identity"),
        (layout::ENERGY, "no energy was found"),
        (layout::TOTALS, "daily totals"),
        (layout::RELAY_LOG, ""),
    ];
    for (place, wanted) in places {
        let mut spoilt = flash.clone();
        spoilt[place.from as usize..(place.from + place.length) as usize].fill_with(|| dice.roll(256) as u8);
        let words = starts_and_works(&folder, &spoilt, &format!("{place:?}"));
        assert!(words.contains(wanted), "{place:?}: {words}");
    }
}

#[test]
fn single_wrong_bytes_anywhere_stop_nothing() {
    let folder = Folder::new("wrong-bytes");
    let flash = used_flash(&folder);
    let mut dice = Dice(3);
    for every in [5000, 300, 20, 1] {
        let mut spoilt = flash.clone();
        for at in (dice.roll(every)..spoilt.len()).step_by(every) {
            spoilt[at] = dice.roll(256) as u8;
        }
        std::fs::write(folder.flash(), &spoilt).unwrap();
        let bare = Plug::start_bare(&folder.0, &ARGUMENTS);
        bare.await_json("/api/v1/info", |info| number(&info["uptime_s"]) > 1.0);
        drop(bare);
        starts_and_works(&folder, &spoilt, &format!("each {every}th byte"));
    }
}

#[test]
fn without_a_flash_file_it_runs_and_says_so() {
    let folder = Folder::new("no-file");
    std::fs::create_dir_all(folder.flash()).unwrap();
    let words = folder.0.join("words");
    let plug = Plug::begin(&folder.0, &ARGUMENTS, std::fs::File::create(&words).unwrap().into());
    plug.reading(|reading| number(&reading["current_a"]) > 4.0);
    assert_eq!(plug.json("/api/v1/info")["starts"], Value::Null);
    // It cannot have an owner, and nobody else may change anything.
    for (head, body, status, code) in [
        ("PUT /api/v1/relay", r#"{"on":false}"#, 403, "setup_required"),
        ("POST /api/v1/setup", r#"{"password":"never kept"}"#, 500, "not_stored"),
    ] {
        let refused = plug.ask(head, "", body).unwrap();
        assert_eq!((refused.status, &refused.json()["error"]["code"]), (status, &json!(code)), "{head}");
    }
    assert_eq!(plug.json("/api/v1/info")["setup_complete"], false);
    drop(plug);
    let told = std::fs::read_to_string(words).unwrap();
    assert!(told.contains("cannot be used") && told.contains("nothing is kept"), "{told}");
    // A password that could not be kept is not taken.
    let mut refused = spawn(&folder.0, &owned(&ARGUMENTS), Stdio::null());
    assert_eq!(refused.wait().unwrap().code(), Some(1));
}

#[test]
fn a_larger_flash_file_is_kept_and_never_lost() {
    let folder = Folder::new("larger");
    let before = folder.0.join("flash.bin.before");
    let words = folder.0.join("words");
    let larger = vec![0x33; (layout::SECTORS * layout::SECTOR + 4096) as usize];
    std::fs::create_dir_all(&folder.0).unwrap();
    let start = || {
        std::fs::write(folder.flash(), &larger).unwrap();
        let plug = Plug::begin(&folder.0, &ARGUMENTS, std::fs::File::create(&words).unwrap().into());
        plug.reading(|_| true);
        let starts = plug.json("/api/v1/info")["starts"].clone();
        drop(plug);
        (starts, std::fs::read_to_string(&words).unwrap())
    };
    std::fs::write(&before, "an older one").unwrap();
    let (starts, told) = start();
    assert_eq!(starts, Value::Null);
    assert!(told.contains("flash.bin.before is there already") && told.contains("nothing is kept"), "{told}");
    assert_eq!(std::fs::read(&before).unwrap(), b"an older one");
    assert!(std::fs::read(folder.flash()).unwrap() == larger);
    std::fs::remove_file(&before).unwrap();
    let (starts, told) = start();
    assert_eq!(starts, 1);
    assert!(told.contains("kept as") && told.contains("begins anew"), "{told}");
    assert!(std::fs::read(&before).unwrap() == larger);
}

/// The flash of a plug holds passwords of networks.
#[cfg(unix)]
#[test]
fn nobody_else_on_this_pc_reads_a_plugs_flash() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new("flash-modes");
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    let plug = Plug::start(&folder.0, &ARGUMENTS);
    // By then it has all of its files.
    plug.await_json("/api/v1/update", |update| !update["running"].is_null());
    drop(plug);
    assert_eq!(mode(&folder.0), 0o700);
    let files =
        || std::fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let names: Vec<_> = files().iter().map(|path| path.file_name().unwrap().to_owned()).collect();
    for name in ["flash.bin", "log.bin", "slot-0.bin", "slot-1.bin", "otadata.bin", "id"] {
        assert!(names.iter().any(|there| there == name), "{name}: {names:?}");
    }
    for path in files() {
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
    // One of an earlier version, which was not so careful; the folder is whoever's made it.
    std::fs::set_permissions(folder.flash(), PermissionsExt::from_mode(0o644)).unwrap();
    std::fs::set_permissions(&folder.0, PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::File::options().append(true).open(folder.flash()).unwrap().set_len(1 << 20).unwrap();
    drop(Plug::start(&folder.0, &[&["--reset-password"], &ARGUMENTS[..]].concat()));
    assert_eq!((mode(&folder.flash()), mode(&folder.0)), (0o600, 0o755));
    assert_eq!(mode(&folder.flash().with_added_extension("before")), 0o600);
}
