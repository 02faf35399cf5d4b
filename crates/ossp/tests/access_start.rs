//! How a plug comes by its owner and loses it, with the real program: `--password`, `--reset-password`, the button,
//! and `kill -9` in the middle of it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may fail loudly")]

mod virtual_plug;

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use plug::storage::layout;
use serde_json::{Value, json};
use virtual_plug::client::ask;
use virtual_plug::{Folder, Knows, PASSWORD, PATIENCE, Plug};

/// A start that must not become one: status and words.
fn refused(state: &Path, more: &[&str], variable: Option<&str>) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ossp"));
    command.args(["run", "--listen", "127.0.0.1:0", "--state"]).arg(state).args(more);
    if let Some(password) = variable {
        command.env("OSSP_PASSWORD", password);
    }
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert!(stdout.is_empty(), "nothing is served");
    (status.code().unwrap(), String::from_utf8(stderr).unwrap())
}

/// Whether somebody with this password gets in.
fn knows(plug: &mut Plug, password: &str) -> bool {
    plug.knows(Knows::Password(password.to_owned()));
    plug.ask("GET /api/v1/settings", "", "").unwrap().status == 200 && is_owned(plug)
}

fn is_owned(plug: &Plug) -> bool {
    plug.json("/api/v1/info")["setup_complete"].as_bool().unwrap()
}

#[test]
fn a_password_at_the_start_is_the_owners() {
    let folder = Folder::new("given");
    let mut plug = Plug::start(&folder.0, &[]);
    assert!(knows(&mut plug, PASSWORD));
    let wifi = &plug.json("/api/v1/settings")["wifi"];
    assert_eq!(wifi["access_point_password"], "set", "{wifi}");
    drop(plug);
    // The same again, or none, or in the environment.
    for more in [&["--password", PASSWORD][..], &[]] {
        let mut plug = Plug::start_bare(&folder.0, more);
        assert!(knows(&mut plug, PASSWORD), "{more:?}");
    }
    let (status, words) = refused(&folder.0, &["--password", "quite another one"], None);
    assert_eq!(status, 2, "{words}");
    assert!(words.contains("another password") && words.contains("--reset-password"), "{words}");
    assert!(!words.contains("quite"), "{words}");
    assert_eq!(refused(&folder.0, &[], Some("quite another one")).0, 2);
    let mut plug = Plug::start_bare(&folder.0, &[]);
    assert!(knows(&mut plug, PASSWORD));
}

#[test]
fn a_password_that_cannot_be_is_refused_before_anything_is_made() {
    let folder = Folder::new("unfit");
    for (password, word) in [
        ("", "10"),
        ("too short", "10"),
        ("tabs are\tnot fine", "printable"),
        ("a line\nand another", "printable"),
    ] {
        let (status, words) = refused(&folder.0, &["--password", password], None);
        assert_eq!(status, 2, "{password:?}: {words}");
        assert!(words.contains(word) && words.lines().count() == 1, "{password:?}: {words}");
        assert!(!folder.flash().exists());
    }
    // Good for an owner, not for an access point: the page asks for one of its own then.
    for password in ["Schlüsselbund", &"x".repeat(64)] {
        let (status, words) = refused(&folder.0, &["--password", password], None);
        assert_eq!(status, 2, "{words}");
        assert!(words.contains("access point"), "{words}");
    }
    let plug = Plug::start_bare(&folder.0, &[]);
    assert!(!is_owned(&plug));
}

#[test]
fn a_forgotten_password_is_forgotten_with_all_that_hangs_on_it() {
    let folder = Folder::new("forgotten");
    let plug = Plug::start(&folder.0, &[]);
    plug.set(r#"{"device":{"name":"Kitchen"}}"#);
    let made = plug.ask("POST /api/v1/tokens", "", r#"{"name":"t","scope":"admin"}"#).unwrap();
    let bearer = format!("Authorization: Bearer {}\r\n", made.json()["token"].as_str().unwrap());
    // A plug that runs keeps its flash to itself.
    let (status, words) = refused(&folder.0, &["--reset-password"], None);
    assert_eq!(status, 1, "{words}");
    assert!(words.contains("another plug is using it"), "{words}");
    drop(plug);

    let mut plug = Plug::start_bare(&folder.0, &["--reset-password"]);
    assert!(!is_owned(&plug));
    let settings = plug.json("/api/v1/settings");
    assert_eq!(
        (&settings["device"]["name"], &settings["wifi"]["access_point_password"]),
        (&json!("Kitchen"), &Value::Null),
        "{settings}"
    );
    drop(plug);
    // Both at once: a new password in place of one that nobody knows.
    plug = Plug::start_bare(&folder.0, &["--reset-password", "--password", "the second one"]);
    assert_eq!(ask(&plug.address, "GET /api/v1/reading", &bearer, "").unwrap().status, 401);
    assert!(knows(&mut plug, "the second one"));
    assert!(!knows(&mut plug, PASSWORD));
}

#[test]
fn what_cannot_be_understood_lets_nobody_in() {
    let folder = Folder::new("spoilt");
    drop(Plug::start(&folder.0, &[]));
    // The energy's place is left alone.
    let mut flash = std::fs::read(folder.flash()).unwrap();
    let access = layout::ACCESS;
    let place = access.from as usize..(access.from + access.length) as usize;
    let mut random = 1_u32;
    flash[place].fill_with(|| {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (random >> 24) as u8
    });
    std::fs::write(folder.flash(), &flash).unwrap();
    let mut plug = Plug::start_bare(&folder.0, &[]);
    let info = plug.json("/api/v1/info");
    assert!(info["setup_complete"] == true && info["reading"] == "closed", "{info}");
    assert!(!knows(&mut plug, PASSWORD));
    let form = json!({"password": "taken over now"}).to_string();
    assert_eq!(ask(&plug.address, "POST /api/v1/setup", "", &form).unwrap().status, 401);
    drop(plug);
    let (status, words) = refused(&folder.0, &["--password", PASSWORD], None);
    assert!(status == 2 && words.contains("--reset-password"), "{status}: {words}");
    let mut plug = Plug::start_bare(&folder.0, &["--reset-password", "--password", PASSWORD]);
    assert!(knows(&mut plug, PASSWORD));
}

#[test]
fn killed_while_it_is_set_up_it_has_its_owner_or_none() {
    let (mut owned, mut free) = (0, 0);
    for kill in 0..12_u64 {
        let folder = Folder::new(&format!("set-up-{kill}"));
        let mut plug = Plug::start_bare(&folder.0, &["--source", "sim:heater"]);
        plug.reading(|_| true);
        let form = json!({"password": PASSWORD, "name": "Heater"}).to_string();
        let request = format!(
            "POST /api/v1/setup HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{form}",
            plug.address,
            form.len()
        );
        let mut stream = TcpStream::connect(&plug.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        // Spread over the writes, which take some milliseconds together.
        std::thread::sleep(Duration::from_micros(kill * kill * 120));
        plug.child.kill().unwrap();
        plug.child.wait().unwrap();
        drop(plug);
        let mut plug = Plug::start_bare(&folder.0, &["--source", "sim:heater"]);
        if is_owned(&plug) {
            owned += 1;
            assert!(knows(&mut plug, PASSWORD), "kill {kill}");
            assert_eq!(plug.json("/api/v1/settings")["device"]["name"], "Heater", "kill {kill}");
        } else {
            free += 1;
            let again = ask(&plug.address, "POST /api/v1/setup", "", &form).unwrap();
            assert_eq!(again.status, 200, "kill {kill}: {again:?}");
            assert!(knows(&mut plug, PASSWORD), "kill {kill}");
        }
    }
    eprintln!("{owned} with an owner, {free} without");
}

/// In simulated seconds, and long enough to be seen by a busy machine. The first press is for the set-up.
const BUTTON: &str =
    "[[load.heater]]\npower_w = 1000\n[[event.button]]\nat_s = 40\nfor_s = 0.7\nevery_s = 20\n";

/// A plug that waits for its button since before it is pressed; on a machine that is too busy it is tried again.
fn waiting_for_its_button(folder: &Folder, form: &str) -> Plug {
    let scenario = folder.0.with_extension("toml");
    std::fs::write(&scenario, BUTTON).unwrap();
    let begin = Instant::now();
    loop {
        let _ = std::fs::remove_dir_all(&folder.0);
        let more = ["--scenario", scenario.to_str().unwrap(), "--speed", "4"];
        let plug = Plug::start_bare(&folder.0, &more);
        assert_eq!(plug.json("/api/v1/setup")["button"], true);
        let offered = plug.ask("POST /api/v1/setup", "", form).unwrap();
        let other = Command::new("curl")
            .args([
                "--silent",
                "--interface",
                "127.0.0.2",
                "-H",
                "Content-Type: application/json",
                "-d",
                form,
            ])
            .arg(format!("http://{}/api/v1/setup", plug.address))
            .output()
            .unwrap();
        let waits = plug.json("/api/v1/setup");
        if plug.json("/api/v1/info")["uptime_s"].as_f64().unwrap() < 40.0 {
            let _ = std::fs::remove_file(&scenario);
            let told = offered.json();
            assert_eq!((offered.status, &told["waiting_for"]), (202, &json!("button")), "{told}");
            assert!(!waits["waiting"].is_null() && waits["setup_complete"] == false, "{waits}");
            let other: Value = serde_json::from_slice(&other.stdout).unwrap();
            assert_eq!(other["error"]["code"], "setup_pending", "{other}");
            return plug;
        }
        assert!(begin.elapsed() < PATIENCE, "the machine is too busy");
    }
}

#[test]
fn a_press_finishes_the_set_up_and_does_not_switch() {
    let folder = Folder::new("press");
    let form = json!({"password": PASSWORD, "name": "Heater"}).to_string();
    let mut plug = waiting_for_its_button(&folder, &form);
    assert_eq!(plug.ask("PUT /api/v1/relay", "", r#"{"on":false}"#).unwrap().status, 403);
    let done = plug.await_json("/api/v1/info", |info| info["setup_complete"] == true);
    assert!(done["uptime_s"].as_f64().unwrap() >= 40.0, "{done}");
    assert!(knows(&mut plug, PASSWORD));
    assert_eq!(plug.json("/api/v1/settings")["device"]["name"], "Heater");
    // The next press switches again: it is the first that did.
    plug.await_json("/api/v1/relay/log", |log| log["changes"][0]["source"] == "button");
    let changes = plug.changes();
    let first = changes.iter().rfind(|change| change["source"] == "button").unwrap();
    assert!(first["uptime_s"].as_f64().unwrap() >= 60.0, "{first}");
}
