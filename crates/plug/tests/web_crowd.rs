//! More clients than workers: who is served then, who makes room, and how long a live stream stays welcome.

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

use plug::limits;
use web_support::{ADMIN, Plug, READ, bearer, digest, read_response, signed, until};

/// Takes so many workers: each waits for the rest of a request.
fn take(plug: &Plug, workers: usize) -> Vec<TcpStream> {
    (0..workers)
        .map(|_| {
            let mut stream = plug.connect();
            stream.write_all(b"G").unwrap();
            stream
        })
        .collect()
}

#[test]
fn the_last_free_worker_is_for_getting_in() {
    let plug = Plug::start_patient();
    plug.measure(1);
    let mut client: digest::Client = plug.challenge();
    let held = take(&plug, limits::WEB_WORKERS - 1);
    let ask = |method: &str, path: &str, header: &str| plug.ask_plainly(method, path, &[header], "");
    for path in ["/", "/app.js", "/api/v1/info", "/api/v1/session", "/favicon.svg"] {
        let answer = ask("GET", path, &bearer(READ));
        assert_eq!((answer.status, answer.header("Connection")), (200, Some("close")), "{path}");
    }
    let sign_in = ask("POST", "/api/v1/session", &client.header("POST", "/api/v1/session"));
    assert!(sign_in.status != 503 && sign_in.header("Connection") == Some("close"), "{sign_in:?}");
    for path in ["/api/v1/reading", "/api/v1/relay", "/api/v1/events", "/metrics"] {
        let answer = ask("GET", path, &bearer(ADMIN));
        assert_eq!((answer.status, answer.code().as_str()), (503, "busy"), "{path}");
        assert_eq!((answer.header("Retry-After"), answer.header("Connection")), (Some("1"), Some("close")));
    }
    drop(held);
    let mut answers =
        std::iter::repeat_with(|| ask("GET", "/api/v1/reading", &bearer(READ)).status).take(1000);
    assert!(answers.any(|status| status == 200), "they are free again");
}

#[test]
fn who_only_keeps_a_connection_makes_room() {
    let plug = Plug::start_patient();
    plug.measure(1);
    let mut kept: Vec<_> = (1..limits::WEB_WORKERS)
        .map(|_| {
            let mut stream = plug.connect();
            stream.write_all(&signed("GET /api/v1/reading HTTP/1.1\r\n\r\n")).unwrap();
            let answer = read_response(&mut stream, false).unwrap();
            assert_eq!((answer.status, answer.header("Connection")), (200, Some("keep-alive")));
            stream
        })
        .collect();
    for _ in 0..3 {
        let answer = plug.get("/api/v1/reading");
        assert_eq!(answer.status, 200, "idle connections are no reason to wait: {answer:?}");
    }
    for stream in &mut kept {
        assert!(read_response(stream, false).is_none(), "they were ended at once");
    }
}

/// A live stream with this credential, up to its first event.
fn stream(plug: &Plug, header: &str) -> TcpStream {
    let mut stream = plug.connect();
    let head = format!("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    until(&mut stream, "event: relay");
    stream
}

#[test]
fn strangers_do_not_read_the_log() {
    let plug = Plug::start(1.0);
    plug.open_reading(true);
    let mut stranger = stream(&plug, "X-Nothing: 1");
    let mut reader = stream(&plug, &bearer(READ));
    plug.inside(|inside| inside.state.put_log(None, 1.0, "joined the network home"));
    until(&mut reader, "joined the network home");
    plug.measure(7);
    let all = until(&mut stranger, "id: 7");
    assert!(!all.contains("event: log") && !all.contains("home"), "{all}");
}

#[test]
fn a_stream_ends_with_the_right_to_it() {
    let ended = |mut stream: TcpStream| {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    };
    let plug = Plug::start(1.0);
    plug.open_reading(true);
    let stranger = stream(&plug, "X-Nothing: 1");
    plug.open_reading(false);
    ended(stranger);
    let program = stream(&plug, &bearer(READ));
    plug.inside(|inside| {
        let mut kept = inside.state.access.kept().clone();
        kept.tokens.retain(|token| token.id != 1);
        inside.state.access.put(kept);
        inside.state.touch();
    });
    ended(program);
    let page = stream(&plug, &plug.session());
    plug.inside(|inside| inside.put_forward(plug::access::SESSION_LIFE + Duration::from_secs(1)));
    ended(page);
}
