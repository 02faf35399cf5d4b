//! The program as its user meets it: started, asked over the network, stopped.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail loudly")]

mod virtual_plug;

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::time::Instant;

use plug::storage::layout::{ACCESS, IMPORT, SECTOR};
use serde_json::Value;
use virtual_plug::{Folder, PATIENCE, Plug, run, sequence};

#[test]
fn the_relay_cuts_the_load_and_the_voltage_stays() {
    let state = Folder::new("relay");
    let plug = Plug::start(&state.0, &["--source", "sim:heater", "--speed", "20"]);
    let on = plug.reading(|reading| reading["current_a"].as_f64().unwrap() > 4.0);
    assert!(on["relay"].as_bool().unwrap());
    let (status, body) = plug.request("PUT /api/v1/relay", "{\"on\":false}");
    assert_eq!(status, 200, "{body}");
    let off = plug.reading(|reading| reading["current_a"].as_f64().unwrap() < 0.1);
    assert!(off["voltage_v"].as_f64().unwrap() > 200.0);
    let log = plug.json("/api/v1/relay/log");
    assert_eq!(log["changes"][0]["source"], "web");
    assert!(log["changes"][0]["current_a"].as_f64().unwrap() > 4.0);
    // With the relay open the channel's zero and noise are offered.
    plug.reading(|reading| sequence(reading) > sequence(&off) + 10);
    let offered = &plug.json("/api/v1/calibration")["offered"];
    assert!(offered["windows"].as_u64().unwrap() > 3, "{offered}");
    assert!(offered["current_noise_floor_a"].as_f64().unwrap() < 0.05, "{offered}");
}

#[test]
fn a_short_circuit_trips_locks_out_and_is_rearmed() {
    let state = Folder::new("trip");
    let plug = Plug::start(&state.0, &["--source", "sim:short"]);
    let begin = Instant::now();
    let tripped = loop {
        let relay = plug.json("/api/v1/relay");
        if relay["locked_out"] == true {
            break relay;
        }
        assert!(begin.elapsed() < PATIENCE, "{relay}");
    };
    assert_eq!((&tripped["on"], &tripped["commanded_by"]), (&Value::from(false), &Value::from("protection")));
    assert_eq!(plug.request("PUT /api/v1/relay", "{\"on\":true}").0, 409);
    assert_eq!(plug.request("PUT /api/v1/relay", "{\"rearm\":true}").0, 200);
    let relay = plug.json("/api/v1/relay");
    assert_eq!((&relay["locked_out"], &relay["on"]), (&Value::from(false), &Value::from(false)));
}

#[test]
fn a_forgotten_password_is_erased_and_nothing_else() {
    let state = Folder::new("password");
    // It answers when its flash is there.
    let run_once = |more: &[&str]| {
        Plug::start_bare(&state.0, more).json("/api/v1/info");
    };
    run_once(&[]);
    let file = state.0.join("flash.bin");
    let mut flash = std::fs::read(&file).unwrap();
    let access = ACCESS;
    // Behind the store's own log of erases, which it puts in order by itself.
    let (from, to) = ((access.from + SECTOR) as usize, (access.from + access.length) as usize);
    // Nobody uses this one: it lies behind the mark of a reset.
    let other = (IMPORT.from + IMPORT.length - 1) as usize;
    flash[from..to].fill(0x22);
    flash[other] = 0x33;
    std::fs::write(&file, &flash).unwrap();
    // Not without being asked.
    run_once(&[]);
    assert!(std::fs::read(&file).unwrap()[from..to].iter().all(|byte| *byte == 0x22));
    run_once(&["--reset-password"]);
    let after = std::fs::read(&file).unwrap();
    assert!(after[from..to].iter().all(|byte| *byte == 0xff));
    assert_eq!(after[other], 0x33);
}

#[test]
fn a_reading_is_computed_again_from_its_own_samples() {
    let state = Folder::new("capture");
    std::fs::create_dir_all(&state.0).unwrap();
    for source in ["sim:laptop", "sim:half_wave", "sim:none"] {
        let plug = Plug::start(&state.0, &["--source", source, "--speed", "5"]);
        plug.reading(|reading| sequence(reading) > 5);
        let (status, capture) = plug.request("GET /api/v1/waveform?window=last", "");
        assert_eq!(status, 200, "{capture}");
        let file = state.0.join("window.csv");
        std::fs::write(&file, &capture).unwrap();
        let replayed = run(&["replay", "--format", "json", file.to_str().unwrap()]);
        assert!(replayed.status.success(), "{}", String::from_utf8_lossy(&replayed.stderr));
        let replayed: Value = serde_json::from_slice(&replayed.stdout).unwrap();
        assert_eq!(replayed["reproduced"], true, "{source}: {replayed}");
        let told = capture.lines().find_map(|line| line.strip_prefix("# reading: ")).unwrap();
        let told: Value = serde_json::from_str(told).unwrap();
        for key in ["voltage_v", "current_a", "active_power_w", "thd_current_pct", "calibration"] {
            assert_eq!(replayed["readings"][0][key], told[key], "{source}: {key}");
        }
        // One changed sample is noticed.
        let last = capture.trim_end().rsplit_once('\n').unwrap().0.rsplit_once('\n').unwrap();
        let spoilt = capture.replacen(&format!("\n{}\n", last.1), "\n2100,2100\n", 1);
        std::fs::write(&file, spoilt).unwrap();
        let replayed = run(&["replay", "--format", "json", file.to_str().unwrap()]);
        let replayed: Value = serde_json::from_slice(&replayed.stdout).unwrap();
        assert_eq!(replayed["reproduced"], false, "{source}");
    }
}

#[test]
fn twenty_stalled_connections_disturb_no_sample() {
    let state = Folder::new("stalled");
    let plug = Plug::start(&state.0, &["--source", "sim:kettle"]);
    let before = plug.reading(|_| true);
    let stalled: Vec<TcpStream> = (0..20)
        .map(|_| {
            let mut stream = TcpStream::connect(&plug.address).unwrap();
            stream.write_all(b"GET /api/v1/rea").unwrap();
            stream
        })
        .collect();
    // Answered once the stalled ones are dropped; all the while the plug measures.
    let after = plug.reading(|reading| sequence(reading) > sequence(&before) + 10);
    let windows = sequence(&after) - sequence(&before);
    let seconds = after["uptime_s"].as_f64().unwrap() - before["uptime_s"].as_f64().unwrap();
    assert!((seconds / windows as f64 - 0.2).abs() < 0.002, "{windows} windows in {seconds} s");
    assert_eq!((&after["unmeasured_s"], &after["window"]["lost"]), (&Value::from(0.0), &Value::from(0)));
    assert_eq!(plug.json("/api/v1/info")["lost_samples"], 0);
    drop(stalled);
}

#[test]
fn a_recording_is_played_and_measured_as_what_it_is() {
    let state = Folder::new("wave");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../metering/tests/data/kettle_start_2k.csv");
    let source = format!("wave:{}", file.display());
    let plug = Plug::start(&state.0, &["--source", &source, "--speed", "5"]);
    let reading = plug.reading(|reading| {
        reading["active_power_w"].as_f64().unwrap() > 1800.0 && reading["quality"] == Value::Array(Vec::new())
    });
    assert!((reading["voltage_v"].as_f64().unwrap() - 232.5).abs() < 2.0, "{reading}");
    assert!((reading["active_power_w"].as_f64().unwrap() - 1912.0).abs() < 30.0, "{reading}");
}

#[cfg(unix)]
#[test]
fn it_stops_cleanly_and_stays_the_same_plug() {
    let state = Folder::new("stop");
    let plug = Plug::start(&state.0, &[]);
    let id = plug.json("/api/v1/info")["id"].clone();
    assert_eq!(plug.stop(), Some(0));
    let again = Plug::start(&state.0, &[]);
    assert_eq!(again.json("/api/v1/info")["id"], id);
}

#[test]
fn wrong_use_is_explained() {
    let says = |arguments: &[&str], status: i32, words: &str| {
        let output = run(arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {text}");
        assert!(text.contains(words), "{arguments:?}: {text}");
        assert!(output.stdout.is_empty());
    };
    says(&["run", "--source", "sim:toaster"], 2, "kettle, fridge, laptop");
    says(&["run", "--source", "tap:water"], 2, "sim:");
    says(&["run", "--speed", "0"], 2, "0.01 to 10000");
    says(&["run", "--listen", "here"], 2, "--listen");
    says(&["run", "--source", "wave:/no/such.csv"], 2, "no such file");
    says(&["replay"], 2, "FILE");
    says(&["replay", "/no/such.csv"], 1, "no such file");
    says(&["fly"], 2, "fly");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let state = Folder::new("taken");
    says(
        &["run", "--listen", &address, "--state", state.0.to_str().unwrap()],
        2,
        "name another with --listen",
    );
}

#[test]
fn each_start_is_counted_and_a_second_plug_in_the_same_folder_counts_nothing() {
    let state = Folder::new("starts");
    for number in 1..4 {
        let plug = Plug::start(&state.0, &["--source", "sim:kettle"]);
        let info = plug.json("/api/v1/info");
        assert_eq!((&info["starts"], &info["last_fault"]), (&number.into(), &Value::Null));
        assert_eq!(info["image"], serde_json::json!({"slot": 0, "state": "unrecorded"}));
        assert_eq!(info["build_defaults"], serde_json::json!([]));
        assert_eq!(plug.json("/api/v1/wifi")["available"], false);
        let second = Plug::start_bare(&state.0, &["--source", "sim:kettle"]);
        assert_eq!(second.json("/api/v1/info")["starts"], Value::Null);
        // Dropping kills them: no chance to tidy up.
    }
    std::fs::write(state.0.join("flash.bin"), [0x5a; 100_000]).unwrap();
    // Nobody can tell any more whose it was.
    let plug = Plug::start(&state.0, &["--reset-password", "--source", "sim:kettle"]);
    assert_eq!(plug.json("/api/v1/info")["starts"], 1);
}
