//! A live stream ends with the right to it, whichever way that ends.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

mod web_support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use plug::access::SESSION_LIFE;
use serde_json::json;
use web_support::{Plug, READ, bearer, until};

const JSON: &str = "Content-Type: application/json";
const NOBODY: &str = "X-Nothing: 1";

/// A live stream with this credential, up to its first event.
fn stream(plug: &Plug, header: &str) -> TcpStream {
    let mut stream = plug.connect();
    let head = format!("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let begin = until(&mut stream, "event: relay");
    assert!(begin.starts_with("HTTP/1.1 200 ") && begin.contains("\r\nConnection: close\r\n"), "{begin}");
    stream
}

/// The stream ends, with nothing of what was measured since.
fn ended(plug: &Plug, mut stream: TcpStream, why: &str) {
    plug.measure(77);
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap_or_else(|error| panic!("{why}: {error}: {rest}"));
    assert!(!rest.contains("id: 77"), "{why}: {rest}");
}

/// It goes on.
fn lives(plug: &Plug, stream: &mut TcpStream) {
    plug.measure(55);
    until(stream, "id: 55");
    plug.measure(56);
    until(stream, "id: 56");
}

fn by_digest(plug: &Plug) -> String {
    plug.challenge().header("GET", "/api/v1/events")
}

#[test]
fn a_claim_ends_what_everybody_saw() {
    let plug = Plug::start_fresh();
    let mut stranger = stream(&plug, NOBODY);
    lives(&plug, &mut stranger);
    let claim = json!({"password": "correct horse"}).to_string();
    assert_eq!(plug.ask_plainly("POST", "/api/v1/setup", &[JSON], &claim).status, 200);
    ended(&plug, stranger, "set-up");
}

#[test]
fn closed_reading_ends_what_strangers_saw() {
    let plug = Plug::start(1.0);
    plug.open_reading(true);
    let mut stranger = stream(&plug, NOBODY);
    // Nobody loses anything by this.
    assert_eq!(plug.patch_settings(&[], "{\"device\":{\"name\":\"lamp\"}}").status, 200);
    lives(&plug, &mut stranger);
    plug.open_reading(false);
    ended(&plug, stranger, "reading was closed");
}

#[test]
fn a_revoked_token_sees_no_more() {
    let plug = Plug::start(1.0);
    let mut program = stream(&plug, &bearer(READ));
    lives(&plug, &mut program);
    assert_eq!(plug.ask("DELETE", "/api/v1/tokens/1", &[], "").status, 200);
    ended(&plug, program, "revoked");
    // Whoever still may comes again.
    let mut owner = stream(&plug, &by_digest(&plug));
    lives(&plug, &mut owner);
}

#[test]
fn a_session_that_ends_sees_no_more() {
    let plug = Plug::start(1.0);
    let cookie = plug.session();
    let mut page = stream(&plug, &cookie);
    let mut client = plug.challenge();
    // Another browser signs in: that is nothing to this one.
    assert_eq!(plug.post_signed(&mut client, "/api/v1/session", "{}").status, 200);
    lives(&plug, &mut page);
    assert_eq!(plug.ask_plainly("DELETE", "/api/v1/session", &[&cookie], "").status, 200);
    ended(&plug, page, "signed out");

    let page = stream(&plug, &plug.session());
    plug.inside(|inside| inside.put_forward(SESSION_LIFE - Duration::from_secs(60)));
    let late = plug.session();
    plug.inside(|inside| inside.put_forward(Duration::from_secs(61)));
    ended(&plug, page, "half a day");
    let mut page = stream(&plug, &late);
    lives(&plug, &mut page);

    // Eight others that come later push it out.
    let mut client = plug.challenge();
    for _ in 0..8 {
        assert_eq!(plug.post_signed(&mut client, "/api/v1/session", "{}").status, 200);
    }
    ended(&plug, page, "the ninth session");
}

#[test]
fn another_password_ends_all_streams() {
    let plug = Plug::start(1.0);
    let streams = [stream(&plug, &plug.session()), stream(&plug, &by_digest(&plug))];
    let mut client = plug.challenge();
    let changed = plug.post_signed(&mut client, "/api/v1/password", "{\"password\":\"a better one\"}");
    assert_eq!(changed.status, 200);
    for stream in streams {
        ended(&plug, stream, "another password");
    }
}
