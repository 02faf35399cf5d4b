//! `ossp plug URL ...` against the virtual plug, and against whoever is none.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly, their helpers too"
)]

mod virtual_plug;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use virtual_plug::said::{ask, ossp, with};
use virtual_plug::{Folder, PASSWORD, Plug};

#[test]
fn a_plug_tells_how_it_is_and_is_switched() {
    let folder = Folder::new("remote-status");
    let plug = Plug::start(&folder.0, &["--source", "sim:kettle"]);
    plug.reading(|_| true);
    let info = plug.json("/api/v1/info");
    let status = ask(&plug, &["status"]).done().out;
    for part in [
        info["name"].as_str().unwrap(),
        info["id"].as_str().unwrap(),
        "relay     on (",
        " W, ",
        " V, ",
        "kWh consumed",
        "no radio",
        info["version"].as_str().unwrap(),
        "up        0 min",
    ] {
        assert!(status.contains(part), "{part}: {status}");
    }
    let all: Value = serde_json::from_str(&ask(&plug, &["status", "--json"]).done().out).unwrap();
    assert_eq!(all["info"]["id"], info["id"]);
    for (name, field) in [
        ("relay", "on"),
        ("reading", "voltage_v"),
        ("energy", "meter_id"),
        ("wifi", "available"),
        ("update", "running"),
    ] {
        assert!(!all[name][field].is_null(), "{name}: {all}");
    }
    let said = ask(&plug, &["off"]).done().out;
    assert!(said.contains(" is off ("), "{said}");
    assert_eq!(plug.relay()["on"], false);
    let said = ask(&plug, &["on", "--for", "60"]).done().out;
    assert!(said.contains(" is on (") && said.contains(" s more"), "{said}");
    assert!(plug.relay()["remaining_s"].as_f64().is_some_and(|left| left > 30.0));
    // With a scheme and a slash, and with a token.
    let token = plug.ask("POST /api/v1/tokens", "", r#"{"name":"t","scope":"read"}"#).unwrap().json();
    let url = format!("http://{}/", plug.address);
    let token = token["token"].as_str().unwrap();
    ossp(None, &["plug", &url, "--token", token, "status"]).done();
    ossp(None, &["plug", &url, "--token", token, "off"]).fails(1, &plug.address);
    assert_eq!(plug.relay()["on"], true);
}

#[test]
fn a_wish_that_has_to_wait_is_told() {
    let folder = Folder::new("remote-wait");
    let plug = Plug::start(&folder.0, &["--source", "sim:kettle"]);
    plug.set(r#"{"relay":{"minimum_off_s":600}}"#);
    ask(&plug, &["off"]).done();
    ask(&plug, &["on"]).fails(1, "off");
    assert_eq!(plug.relay()["on"], false);
}

#[test]
fn a_capture_is_a_recording() {
    let folder = Folder::new("remote-capture");
    let plug = Plug::start(&folder.0, &["--source", "sim:kettle"]);
    plug.reading(|_| true);
    let file = folder.0.join("last.csv");
    let name = file.to_str().unwrap();
    ask(&plug, &["capture", "--last", "-o", name]).done();
    let replayed: Value =
        serde_json::from_str(&ossp(None, &["replay", "--format", "json", name]).done().out).unwrap();
    assert!(replayed["readings"][0]["active_power_w"].as_f64().is_some_and(|power| power > 1_000.0));
    let out = ask(&plug, &["capture", "--cycles", "4"]).done().out;
    assert!(out.starts_with("# ") && out.contains("\nvoltage_raw,current_raw\n"));
    assert!(out.lines().filter(|line| !line.starts_with('#')).count() > 4 * 70);
    ask(&plug, &["capture", "--cycles", "4", "--last"]).fails_wrongly();
    ask(&plug, &["capture", "--cycles", "100000"]).fails(1, "cycles");
    ask(&plug, &["capture", "-o", "/nowhere/at/all"]).fails(1, "cannot be written");
}

fn image(folder: &Folder, version: &str, more: &[&str]) -> String {
    let file = folder.0.join(format!("{version}.bin")).to_str().unwrap().to_owned();
    ossp(None, &[&["image", "--version", version, "-o", &file], more].concat()).done();
    file
}

#[test]
fn an_update_is_followed_to_its_end() {
    let folder = Folder::new("remote-update");
    let plug = Plug::start(&folder.0, &["--source", "sim:kettle"]);
    plug.reading(|_| true);
    let new = image(&folder, "7.2.0", &[]);
    let said = ask(&plug, &["update", &new]).done();
    assert_eq!(said.out, "7.2.0 runs and is confirmed\n");
    assert!(said.words.contains("7.2.0 was taken"), "{said:?}");
    assert_eq!(plug.json("/api/v1/info")["version"], "7.2.0");
    let old = image(&folder, "7.1.0", &[]);
    ask(&plug, &["update", &old]).fails(1, "--allow-downgrade");
    let said = ask(&plug, &["update", &old, "--allow-downgrade"]).done();
    assert_eq!(said.out, "7.1.0 runs and is confirmed\n");
    // One that crashes: the plug goes back, and it is told.
    let bad = image(&folder, "7.3.0", &["--crash-after", "1"]);
    ask(&plug, &["update", &bad]).fails(1, "7.3.0 did not prove itself, 7.1.0 runs again");
    assert_eq!(plug.json("/api/v1/info")["version"], "7.1.0");
    // The same once more: what the plug tells of it is the same.
    let last = plug.json("/api/v1/update")["last"].clone();
    ask(&plug, &["update", &bad]).fails(1, "7.1.0 runs again: The firmware on trial crashed three times");
    assert_eq!(plug.json("/api/v1/update")["last"], last);
    // What it went back from can be tried again, and the one before be had back: nobody sends a file.
    ask(&plug, &["update", "--back"]).fails(1, "7.3.0 did not prove itself, 7.1.0 runs again");
    let good = image(&folder, "7.4.0", &[]);
    ask(&plug, &["update", &good]).done();
    ask(&plug, &["update", "--back"]).fails(1, "--allow-downgrade");
    let said = ask(&plug, &["update", "--back", "--allow-downgrade"]).done();
    assert_eq!(said.out, "7.1.0 runs and is confirmed\n");
    assert_eq!(plug.json("/api/v1/update")["last"]["code"], "asked");
    for both_or_none in [&["update", "--back", &good][..], &["update"]] {
        assert_eq!(ask(&plug, both_or_none).status, 2);
    }
    let no_image = folder.0.join("no.bin");
    std::fs::write(&no_image, vec![7; 5000]).unwrap();
    ask(&plug, &["update", no_image.to_str().unwrap()]).fails(1, "no firmware");
    std::fs::write(&no_image, []).unwrap();
    ask(&plug, &["update", no_image.to_str().unwrap()]).fails(1, "empty");
    ask(&plug, &["update", "/nowhere/at/all"]).fails(1, "cannot be read");
}

#[test]
fn whoever_does_not_know_the_password_does_nothing() {
    let folder = Folder::new("remote-password");
    let plug = Plug::start(&folder.0, &["--source", "sim:kettle"]);
    let new = image(&folder, "7.2.0", &[]);
    let address = plug.address.clone();
    for verb in [&["status"][..], &["off"], &["backup"], &["update", &new]] {
        ossp(None, &with(&address, verb)).fails(2, "OSSP_PASSWORD");
    }
    // A plug does not listen to many of these.
    ossp(Some("not the words"), &with(&address, &["off"])).fails(1, "the password is wrong");
    ossp(Some("not the words"), &with(&address, &["update", &new])).fails(1, "the password is wrong");
    ossp(None, &with(&address, &["--token", "ossp_0000000000000000000000", "off"]))
        .fails(1, "the token in OSSP_TOKEN");
    assert_eq!(plug.relay()["on"], true);
}

/// What was sent to it, request by request.
type Heard = Arc<Mutex<Vec<String>>>;

/// Somebody who keeps what he hears.
fn listener(times: usize, answer: impl Fn(&str) -> String + Send + 'static) -> (String, Heard) {
    let heard = Heard::default();
    let kept = heard.clone();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for _ in 0..times {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = [0; 4096];
            let length = stream.read(&mut head).unwrap();
            let head = String::from_utf8_lossy(&head[..length]).to_ascii_lowercase();
            kept.lock().unwrap().push(head.clone());
            let _ = stream.write_all(answer(head.split(' ').nth(1).unwrap_or_default()).as_bytes());
        }
    });
    (address, heard)
}

/// Somebody who answers so many requests and is no plug.
fn stranger(times: usize, answer: impl Fn(&str) -> String + Send + 'static) -> String {
    listener(times, answer).0
}

fn http(status: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )
}

#[test]
fn who_is_no_plug_is_told_so() {
    let answers = [
        http("200 OK", "text/html", "<h1>It works!</h1>"),
        http("404 Not Found", "text/html", "nothing"),
        http("200 OK", "application/json", r#"{"id":"a","name":"b"}"#),
        http("302 Found", "text/html", ""),
        http("401 Unauthorized", "text/html", "who are you"),
        "220 mail.example.org ESMTP\r\n".to_owned(),
        String::new(),
    ];
    for answer in answers {
        let copy = answer.clone();
        let address = stranger(1, move |_| copy.clone());
        let said = ossp(Some(PASSWORD), &["plug", &address, "status"]);
        let fits = said.words.contains("not as an OSSP plug") || said.words.contains("cannot be reached");
        assert!(said.status == 1 && fits, "{answer:?}: {said:?}");
    }
}

#[test]
fn only_a_plug_is_shown_a_token_or_a_proof() {
    let token = ["--token", "ossp_0123456789abcdef0123456789abcdef"];
    for answer in [
        http("200 OK", "text/html", "<h1>It works!</h1>"),
        http("200 OK", "application/json", r#"{"id":"a","name":"b"}"#),
        http("401 Unauthorized", "application/json", "{}"),
        "HTTP/1.1 302 Found\r\nLocation: /api/v1/relay\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            .to_owned(),
    ] {
        let copy = answer.clone();
        let (address, heard) = listener(3, move |_| copy.clone());
        ossp(None, &with(&address, &[&token[..], &["off"]].concat())).fails(1, "not as an OSSP plug does");
        let heard = heard.lock().unwrap();
        assert_eq!(heard.len(), 1, "{answer:?}: {heard:?}");
        assert!(
            heard[0].starts_with("get /api/v1/info ") && !heard[0].contains("authorization"),
            "{heard:?}"
        );
    }
    let info = r#"{"id":"a1b2","name":"b","version":"0.1.0","board":"virtual"}"#;
    // Whoever says that he is one is shown it.
    let (address, heard) = listener(2, move |path| match path {
        "/api/v1/info" => http("200 OK", "application/json", info),
        _ => http("200 OK", "application/json", r#"{"on":false,"reason":"\u001b]0;x\u0007"}"#),
    });
    let said = ossp(None, &with(&address, &[&token[..], &["off"]].concat())).done();
    assert_eq!(said.out, "b is off (\u{fffd}]0;x\u{fffd})\n");
    assert!(heard.lock().unwrap()[1].contains("authorization: bearer ossp_0123"));
    // A proof is for the plug's own realm alone.
    for (realm, shown) in [("ossp-a1b2", true), ("ossp-ffff", false)] {
        let challenge = format!(
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"{realm}\", qop=\"auth\", algorithm=SHA-256, \
             nonce=\"ab\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        let (address, heard) = listener(4, move |path| match path {
            "/api/v1/info" => http("200 OK", "application/json", info),
            _ => challenge.clone(),
        });
        let said = ossp(Some(PASSWORD), &with(&address, &["off"]));
        said.fails(1, if shown { "the password is wrong" } else { "not as an OSSP plug does" });
        let proofs = heard.lock().unwrap().iter().filter(|head| head.contains("authorization:")).count();
        assert_eq!(proofs, usize::from(shown), "{realm}");
    }
}

#[test]
fn a_plug_of_before_is_too_old() {
    let info = r#"{"id":"a1b2c3d4e5f6","name":"Old \u001b[2J","version":"0.0.1","board":"virtual"}"#;
    let error = r#"{"error":{"code":"not_found","message":"There is nothing here."}}"#;
    let address = stranger(2, move |path| match path {
        "/api/v1/info" => http("200 OK", "application/json", info),
        _ => http("404 Not Found", "application/json", error),
    });
    let said = ossp(None, &["plug", &address, "update", file!().trim_start_matches("crates/ossp/")]);
    assert!(!said.words.contains('\u{1b}'), "{said:?}");
    said.fails(1, "(0.0.1) is too old for this");
}

#[test]
fn where_nobody_is_is_told() {
    // Somebody was there just now.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    ossp(None, &["plug", &address, "status"]).fails(1, "nobody listens there");
    ossp(None, &["plug", "no-such-host.invalid", "status"]).fails(1, "no host of that name is known here");
    ossp(None, &["plug", "ossp-nobody.local", "status"])
        .fails(1, "nobody on this machine's networks answers");
    ossp(None, &["plug", "https://127.0.0.1/", "status"]).fails(2, "not https");
    ossp(None, &["plug", "http://admin:words@127.0.0.1/", "status"]).fails(2, "OSSP_PASSWORD");
    ossp(None, &["plug", "127.0.0.1"]).fails_wrongly();
    ossp(None, &["plug", "127.0.0.1", "explode"]).fails_wrongly();
    for verb in ["status", "on", "off", "update", "capture", "backup", "restore"] {
        assert!(ossp(None, &["plug", "x", verb, "--help"]).done().out.contains("Usage"), "{verb}");
    }
    ossp(None, &["discover", "--seconds", "0"]).fails_wrongly();
    assert!(ossp(None, &["discover", "--help"]).done().out.contains("--json"));
}
