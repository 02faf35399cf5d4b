//! The first minutes over HTTP: claims that are granted, refused, and wait for the button.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

mod web_support;

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use plug::access::Ha1;
use plug::limits;
use plug::platform::Clock;
use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};
use web_support::{Plug, Response, identity, read_response};

const JSON: &str = "Content-Type: application/json";

fn claim(plug: &Plug, body: &Value) -> Response {
    plug.ask_plainly("POST", "/api/v1/setup", &[JSON], &body.to_string())
}

fn status(plug: &Plug) -> Value {
    let answer = plug.ask_plainly("GET", "/api/v1/setup", &[], "");
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// The same claim from another address of this machine.
fn claim_from(plug: &Plug, address: Ipv4Addr, body: &Value) -> Response {
    use std::io::Write;
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((address, 0)).into()).unwrap();
    socket.connect(&plug.address.into()).unwrap();
    let mut stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let body = body.to_string();
    let head = format!(
        "POST /api/v1/setup HTTP/1.1\r\nHost: {}\r\n{JSON}\r\nContent-Length: {}\r\n\r\n",
        plug.address,
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).unwrap();
    read_response(&mut stream, false).expect("an answer")
}

fn press(plug: &Plug) -> bool {
    plug.inside(|inside| inside.state.setup.confirm(inside.clock.now()))
}

/// Waits until the plug has an owner.
fn granted(plug: &Plug) {
    while status(plug)["setup_complete"] != true {
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn without_a_button_a_claim_is_granted_at_once() {
    let plug = Plug::start_fresh();
    assert_eq!(
        status(&plug),
        json!({
            "setup_complete": false, "button": false, "waiting": null,
            "proposed": {"name": "ossp-ef56", "access_point_ssid": "OSSP-EF56"}, "password_characters": 10
        })
    );
    let given = json!({
        "password": "correct horse", "name": "Küche", "wifi": {"ssid": "home", "password": "battery staple"},
        "time": {"zone": "Europe/Berlin", "posix": "CET-1CEST,M3.5.0,M10.5.0/3", "source": "browser"}
    });
    let answer = claim(&plug, &given);
    assert_eq!((answer.status, answer.json()), (200, json!({"setup_complete": true})));
    plug.inside(|inside| {
        let settings = inside.state.settings.borrow();
        assert_eq!((settings.device.name.as_str(), settings.wifi.ssid.as_str()), ("Küche", "home"));
        assert_eq!(settings.wifi.access_point_password.as_deref(), Some("correct horse"));
        assert_eq!(inside.state.access.kept().ha1, Some(Ha1::of(&identity().id, "correct horse")));
        let secret = |text: &str| text.contains("horse") || text.contains("staple");
        assert!(inside.state.log.borrow().iter().all(|line| !secret(&line.message)));
    });
    // From now on it is somebody's.
    assert_eq!(status(&plug)["setup_complete"], true);
    assert_eq!(claim(&plug, &given).status, 401);
    assert_eq!(plug.ask_plainly("GET", "/api/v1/reading", &[], "").status, 401);
    assert_eq!(plug.ask_plainly("GET", "/api/v1/settings", &[], "").status, 401);
}

#[test]
fn with_one_a_claim_waits_for_it() {
    let plug = Plug::start_fresh_with_button();
    assert_eq!(status(&plug)["button"], true);
    let answer = claim(&plug, &json!({"password": "correct horse"}));
    let waits = json!({"setup_complete": false, "waiting_for": "button", "expires_in_s": 120.0});
    assert_eq!((answer.status, answer.json()), (202, waits));
    let left = status(&plug)["waiting"]["expires_in_s"].as_f64().unwrap();
    assert!((60.0..=120.0).contains(&left), "{left}");
    assert!(plug.inside(|inside| {
        let log = inside.state.log.borrow();
        log.back().unwrap().message.starts_with("set-up from 127.0.0.1: ")
    }));
    // Nothing is changed meanwhile, and others wait.
    assert!(plug.inside(|inside| inside.state.settings.borrow().wifi.access_point_password.is_none()));
    let other = claim_from(&plug, Ipv4Addr::new(127, 0, 0, 2), &json!({"password": "their password"}));
    assert_eq!((other.status, other.code()), (409, "setup_pending".to_owned()));
    // The same one may think again.
    assert_eq!(claim(&plug, &json!({"password": "better horse"})).status, 202);
    assert!(press(&plug));
    granted(&plug);
    assert!(plug.inside(|inside| {
        inside.state.access.kept().ha1 == Some(Ha1::of(&identity().id, "better horse"))
    }));
    assert_eq!(status(&plug)["waiting"], Value::Null);
    assert!(!press(&plug), "a press is a press again");
}

#[test]
fn a_claim_that_nobody_confirms_is_forgotten() {
    let plug = Plug::start_fresh_with_button();
    assert_eq!(claim(&plug, &json!({"password": "correct horse"})).status, 202);
    plug.inside(|inside| inside.put_forward(limits::CLAIM));
    assert_eq!(status(&plug)["waiting"], Value::Null);
    assert!(!press(&plug));
    let other = claim_from(&plug, Ipv4Addr::new(127, 0, 0, 2), &json!({"password": "their password"}));
    assert_eq!(other.status, 202);
    assert_eq!(status(&plug)["setup_complete"], false);
}

#[test]
fn what_is_wrong_is_named_and_nothing_is_taken() {
    let plug = Plug::start_fresh();
    let wrong = claim(&plug, &json!({"password": "short", "name": 1, "time": {"posix": "nonsense"}, "x": 1}));
    assert_eq!((wrong.status, wrong.code()), (422, "bad_settings".to_owned()));
    let mut fields: Vec<_> = wrong.json()["error"]["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| field["field"].as_str().unwrap().to_owned())
        .collect();
    fields.sort_unstable();
    assert_eq!(fields, ["name", "password", "time.posix", "x"]);
    let long = json!({"password": "x".repeat(limits::SETUP_BODY)});
    for (body, headers, status, code) in [
        ("[]", &[JSON][..], 400, "bad_json"),
        ("{}", &[], 415, "not_json"),
        (&*long.to_string(), &[JSON], 413, "body_too_long"),
        ("{}", &[JSON, "Origin: http://evil.example"], 403, "wrong_origin"),
    ] {
        let answer = plug.ask_plainly("POST", "/api/v1/setup", headers, body);
        assert_eq!((answer.status, answer.code()), (status, code.to_owned()), "{body:.20}");
    }
    assert_eq!(status(&plug)["setup_complete"], false);
    // A flash that takes nothing makes no owner.
    plug.inside(|inside| inside.flash.broken.set(true));
    let answer = claim(&plug, &json!({"password": "correct horse"}));
    assert_eq!((answer.status, answer.code()), (500, "not_stored".to_owned()));
    assert_eq!(status(&plug)["setup_complete"], false);
    plug.inside(|inside| inside.flash.broken.set(false));
    assert_eq!(claim(&plug, &json!({"password": "correct horse"})).status, 200);
}

#[test]
fn an_owned_plug_cannot_be_claimed() {
    let plug = Plug::start(1.0);
    let given = json!({"password": "correct horse"});
    assert_eq!(claim(&plug, &given).status, 401);
    let answer = plug.post("/api/v1/setup", &given.to_string());
    assert_eq!((answer.status, answer.code()), (409, "already_set_up".to_owned()));
    // The status tells no more than that.
    assert_eq!(status(&plug)["proposed"]["name"], "ossp-ef56");
    // One whose owner is unknown neither.
    let plug = Plug::start_closed();
    assert_eq!(claim(&plug, &given).status, 401);
    assert_eq!(status(&plug)["setup_complete"], true);
}
