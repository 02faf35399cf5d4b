//! Clients as they are: slow, broken, rude, many. None of them may keep the plug from the others.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

mod web_support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use plug::limits;
use serde_json::Value;
use web_support::{Plug, read_response, signed};

/// The next event of a stream: its name, id and data. Comments are skipped.
fn next_event(reader: &mut impl BufRead) -> Option<(String, Option<u64>, Value)> {
    let (mut name, mut id, mut data) = (None, None, None);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end_matches('\n');
        match line.split_once(": ").unwrap_or((line, "")) {
            ("", "") if data.is_some() => return Some((name?, id, data?)),
            ("event", value) => name = Some(value.to_owned()),
            ("id", value) => id = Some(value.parse().unwrap()),
            ("data", value) => data = Some(serde_json::from_str(value).unwrap()),
            ("" | "retry", _) => {}
            other => panic!("{other:?}"),
        }
    }
}

fn open_stream(plug: &Plug) -> Option<BufReader<TcpStream>> {
    let mut stream = plug.connect();
    stream.write_all(&signed("GET /api/v1/events HTTP/1.1\r\n\r\n")).unwrap();
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap() == 0 {
            return None;
        }
    }
    if !head.starts_with("HTTP/1.1 200") {
        return None;
    }
    assert!(head.contains("\r\nContent-Type: text/event-stream\r\n"), "{head}");
    assert!(head.contains("\r\nCache-Control: no-store\r\n"), "{head}");
    Some(reader)
}

/// Waits until `done` or panics.
fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what} never happened");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_stream_brings_every_reading_relay_change_and_log_line() {
    let plug = Plug::start(1.0);
    plug.measure(100);
    let mut events = open_stream(&plug).unwrap();
    for sequence in 100..110 {
        let (name, id, data) = next_event(&mut events).unwrap();
        assert_eq!(
            (name.as_str(), id, data["sequence"].as_u64()),
            ("reading", Some(sequence), Some(sequence))
        );
        if sequence == 100 {
            let (name, _, data) = next_event(&mut events).unwrap();
            assert_eq!((name.as_str(), data["on"].as_bool()), ("relay", Some(false)));
        }
        plug.measure(sequence + 1);
    }
    next_event(&mut events).unwrap();
    assert_eq!(plug.put_relay("{\"on\":true}").status, 200);
    let (name, id, data) = next_event(&mut events).unwrap();
    assert_eq!((name.as_str(), id, data["on"].as_bool()), ("relay", None, Some(true)));
    plug.inside(|inside| inside.state.put_log(None, 1.5, "first\nline"));
    plug.inside(|inside| inside.state.put_log(None, 1.6, &"ä".repeat(100)));
    let (name, _, data) = next_event(&mut events).unwrap();
    assert_eq!((name.as_str(), data["message"].as_str()), ("log", Some("first\nline")));
    let (_, _, data) = next_event(&mut events).unwrap();
    assert_eq!(
        (data["sequence"].as_u64(), data["message"].as_str()),
        (Some(1), Some("ä".repeat(48).as_str()))
    );
}

#[test]
fn a_silent_stream_says_that_it_is_alive() {
    let plug = Plug::start(10.0);
    let mut events = open_stream(&plug).unwrap();
    let mut lines = String::new();
    while !lines.contains("\n: alive\n") {
        assert!(events.read_line(&mut lines).unwrap() > 0);
    }
}

#[test]
fn streams_are_few_and_their_places_come_back() {
    let plug = Plug::start(1.0);
    plug.measure(1);
    let mut streams: Vec<_> = (0..limits::EVENT_STREAMS).map(|_| open_stream(&plug).unwrap()).collect();
    streams.iter_mut().for_each(|stream| assert!(next_event(stream).is_some()));
    let refused = plug.get("/api/v1/events");
    assert_eq!((refused.status, refused.header("Retry-After")), (503, Some("5")));
    assert_eq!(refused.code(), "too_many_streams");
    assert_eq!(plug.get("/api/v1/info").json()["event_streams"], limits::EVENT_STREAMS);
    drop(streams.pop());
    eventually("a free place", || {
        open_stream(&plug).is_some_and(|mut stream| next_event(&mut stream).is_some())
    });
    drop(streams);
    eventually("the end of all streams", || plug.inside(|inside| inside.state.streams.get()) == 0);
}

#[test]
fn a_stream_that_nobody_reads_ends() {
    let plug = Plug::start(20.0);
    plug.measure(0);
    let stream = open_stream(&plug).unwrap();
    let mut sequence = 0;
    eventually("the end of the stream", || {
        sequence += 1;
        plug.measure(sequence);
        plug.inside(|inside| inside.state.streams.get()) == 0
    });
    drop(stream);
}

#[test]
fn an_answer_that_is_fetched_in_crumbs_ends() {
    let plug = Plug::start(20.0);
    let whole = plug.get("/app.js").body.len();
    let mut stream = plug.connect();
    stream.write_all(&signed("GET /app.js HTTP/1.1\r\n\r\n")).unwrap();
    let (mut crumb, mut eaten) = ([0; 256], 0);
    while let Ok(length @ 1..) = stream.read(&mut crumb) {
        eaten += length;
        std::thread::sleep(Duration::from_millis(40));
    }
    assert!(eaten < whole, "a minute is enough for {eaten} of {whole} bytes");
}

#[test]
fn twenty_stalled_clients_are_dropped_and_others_served() {
    let plug = Plug::start(5.0);
    let mut stalled: Vec<_> = (0..20)
        .map(|_| {
            let mut stream = plug.connect();
            stream.write_all(b"G").unwrap();
            stream
        })
        .collect();
    assert_eq!(plug.get("/api/v1/info").status, 200, "served once the stalled ones are gone");
    for stream in &mut stalled {
        assert!(!matches!(stream.read(&mut [0]), Ok(1)), "a stalled client gets nothing");
    }
}

#[test]
fn a_byte_at_a_time_is_too_slow() {
    let plug = Plug::start(10.0);
    let mut stream = plug.connect();
    let start = Instant::now();
    let slow = b"GET /api/v1/info HTTP/1.1\r\n".iter().cycle();
    for byte in slow {
        if stream.write_all(&[*byte]).is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
        assert!(start.elapsed() < Duration::from_secs(5), "one byte a second is not dropped");
    }
    assert_eq!(plug.get("/api/v1/info").status, 200);
}

#[test]
fn a_body_that_does_not_come_is_not_waited_for() {
    let plug = Plug::start(10.0);
    let mut stream = plug.connect();
    let head = "PUT /api/v1/relay HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n";
    stream.write_all(&signed(&format!("{head}{{\"on\""))).unwrap();
    let answer = read_response(&mut stream, false).unwrap();
    assert_eq!((answer.status, answer.code().as_str()), (400, "body_missing"));
    assert!(read_response(&mut stream, false).is_none(), "the connection ends");
    assert_eq!(plug.get("/api/v1/relay").json()["on"], false, "half a request switches nothing");
}

#[test]
fn early_resets_do_no_harm() {
    let plug = Plug::start(1.0);
    for round in 0..100 {
        let mut stream = plug.connect();
        match round % 4 {
            0 => {}
            1 => stream.write_all(b"GET /metrics HT").unwrap(),
            2 => stream.write_all(&signed("GET /api/v1/waveform?cycles=15 HTTP/1.1\r\n\r\n")).unwrap(),
            _ => stream
                .write_all(&signed("PUT /api/v1/relay HTTP/1.1\r\nContent-Length: 400\r\n\r\n"))
                .unwrap(),
        }
        if round % 2 == 0 {
            // Closing with unread bytes is a reset.
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(stream);
    }
    eventually("an answer", || plug.get("/api/v1/waveform").status == 200);
}

#[test]
fn the_capture_buffer_comes_back_from_a_client_that_goes_away() {
    let plug = Plug::start(5.0);
    for _ in 0..5 {
        let mut stream = plug.connect();
        stream.write_all(&signed("GET /api/v1/waveform?cycles=15 HTTP/1.1\r\n\r\n")).unwrap();
        stream.read_exact(&mut [0; 100]).unwrap();
    }
    eventually("the buffer", || plug.get("/api/v1/waveform").status == 200);
}

#[test]
fn waveforms_at_the_same_time_wait_for_each_other() {
    let plug = Plug::start(1.0);
    std::thread::scope(|scope| {
        let askers: Vec<_> =
            (0..6).map(|_| scope.spawn(|| plug.get("/api/v1/waveform?cycles=10").status)).collect();
        let answers: Vec<_> = askers.into_iter().map(|asker| asker.join().unwrap()).collect();
        assert_eq!(answers, [200; 6]);
    });
}

#[test]
fn broken_requests_get_one_clear_answer_and_the_end() {
    let plug = Plug::start(1.0);
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(limits::REQUEST_HEAD));
    let headers = format!("GET / HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(limits::REQUEST_HEAD / 6));
    let get = "GET / HTTP/1.1\r\n";
    for (request, status, code) in [
        (long, 431, "head_too_long"),
        (headers, 431, "head_too_long"),
        ("nonsense\r\n\r\n".to_owned(), 400, "bad_request"),
        ("\r\n".to_owned(), 400, "bad_request"),
        ("GET  HTTP/1.1\r\n\r\n".to_owned(), 400, "bad_request"),
        ("GET / HTTP/1.1 x\r\n\r\n".to_owned(), 400, "bad_request"),
        ("\x16\x03\x01\x02\x00".to_owned(), 400, "bad_request"),
        (format!("{get}no colon\r\n\r\n"), 400, "bad_request"),
        (format!("{get}A: b\r\n c\r\n\r\n"), 400, "bad_request"),
        (format!("{get}Content-Length: 18446744073709551615\r\n\r\n"), 400, "bad_content_length"),
        (format!("{get}Content-Length: 5\r\nContent-Length: 6\r\n\r\n"), 400, "bad_content_length"),
        (
            "PUT /api/v1/relay HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".to_owned(),
            411,
            "length_required",
        ),
    ] {
        let mut stream = plug.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let answer =
            read_response(&mut stream, false).unwrap_or_else(|| panic!("no answer to {request:.60}"));
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{request:.60}");
        assert_eq!(answer.header("Connection"), Some("close"));
        assert!(read_response(&mut stream, false).is_none(), "the connection ends after {request:.60}");
    }
    let mut stream = plug.connect();
    stream.write_all(&signed("GET /api/v1/info HTTP/1.1\r\nContent-Length: 900000000\r\n\r\n")).unwrap();
    drop(stream);
    assert_eq!(plug.get("/api/v1/info").status, 200);
}

#[test]
fn a_long_body_is_refused_before_it_comes() {
    let plug = Plug::start(1.0);
    let mut stream = plug.connect();
    let head = "PUT /api/v1/relay HTTP/1.1\r\nContent-Type: application/json\r\n";
    stream.write_all(&signed(&format!("{head}Content-Length: 100000000\r\n\r\n"))).unwrap();
    let start = Instant::now();
    assert_eq!(read_response(&mut stream, false).unwrap().code(), "body_too_long");
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[test]
fn requests_may_share_a_connection() {
    let plug = Plug::start(1.0);
    let mut stream = plug.connect();
    let json = "Content-Type: application/json";
    for round in 0..20 {
        let body = format!("{{\"on\":{}}}", round % 2 == 0);
        let put =
            format!("PUT /api/v1/relay HTTP/1.1\r\n{json}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(&signed(&put)).unwrap();
        let answer = read_response(&mut stream, false).unwrap();
        assert_eq!(answer.header("Connection"), Some("keep-alive"));
        assert_eq!(answer.json()["on"], round % 2 == 0);
    }
    // Several in one go, the next one split anywhere.
    let get = "GET /api/v1/info HTTP/1.1\r\n\r\n";
    let put = format!("PUT /api/v1/relay HTTP/1.1\r\n{json}\r\nContent-Length: 12\r\n\r\n{{\"on\": false");
    let all = signed(&[get, &put, get, "HEAD / HTTP/1.1\r\n\r\n", get].concat());
    for cut in [1, 50, 90, 120, 200, all.len() - 1] {
        let mut stream = plug.connect();
        stream.write_all(&all[..cut]).unwrap();
        std::thread::sleep(Duration::from_millis(20));
        stream.write_all(&all[cut..]).unwrap();
        for (status, head) in [(200, false), (400, false), (200, false), (200, true), (200, false)] {
            assert_eq!(read_response(&mut stream, head).unwrap().status, status, "cut at {cut}");
        }
    }
}

#[test]
fn connections_end_when_they_should() {
    let plug = Plug::start(10.0);
    for request in [
        "GET / HTTP/1.0\r\nHost: localhost\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    ] {
        let mut stream = plug.connect();
        stream.write_all(request.as_bytes()).unwrap();
        assert_eq!(read_response(&mut stream, false).unwrap().header("Connection"), Some("close"));
        assert!(read_response(&mut stream, false).is_none());
    }
    let mut idle = plug.connect();
    idle.write_all(&signed("GET / HTTP/1.1\r\n\r\n")).unwrap();
    assert!(read_response(&mut idle, false).is_some());
    let start = Instant::now();
    assert!(read_response(&mut idle, false).is_none(), "an idle connection ends");
    assert!(start.elapsed() < Duration::from_secs(2));
}

/// Numbers without a meaning, the same in every run.
struct Noise(u64);

impl Noise {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit.max(1)
    }
}

#[test]
fn damaged_requests_bring_nothing_down() {
    let plug = Plug::start(10.0);
    plug.measure(1);
    let json = "Content-Type: application/json\r\nContent-Length: 11\r\n\r\n{\"on\":true}";
    let whole = [
        "GET /api/v1/waveform?cycles=3&window=x HTTP/1.1\r\nIf-None-Match: W/\"1\"\r\n\r\n".to_owned(),
        format!("PUT /api/v1/relay HTTP/1.1\r\nOrigin: http://localhost\r\n{json}"),
        "HEAD http://plug/app.js?v=1#x HTTP/1.0\r\nConnection: close, upgrade\r\nExpect: 100-continue\r\n\r\n".to_owned(),
    ];
    let pieces: [&[u8]; 8] = [
        b"\r\n",
        b"\n\n",
        b"\0",
        b": ",
        b"Content-Length: 7\r\n",
        b"\xff\xfe",
        b"%00",
        b"Transfer-Encoding: x",
    ];
    let mut noise = Noise(20_261_122);
    for _ in 0..500 {
        let mut request: Vec<u8> =
            (0..=noise.below(2)).flat_map(|_| signed(&whole[noise.below(3)])).collect();
        for _ in 0..=noise.below(4) {
            let at = noise.below(request.len());
            match noise.below(4) {
                0 => request[at] = noise.below(256) as u8,
                1 => drop(request.drain(at..(at + noise.below(20)).min(request.len()))),
                2 => request.truncate(at.max(1)),
                _ => drop(request.splice(at..at, pieces[noise.below(8)].iter().copied())),
            }
        }
        let mut stream = plug.connect();
        // The plug may have ended the connection at any point, and that is its right.
        let _ = stream.write_all(&request);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(
            answer.is_empty() || answer.starts_with(b"HTTP/1.1 "),
            "{:?}",
            String::from_utf8_lossy(&answer)
        );
    }
    eventually("the end of all requests", || plug.get("/api/v1/waveform").status == 200);
}

#[test]
fn many_clients_are_all_served() {
    let plug = Plug::start(1.0);
    plug.measure(1);
    let failed = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                for path in ["/", "/api/v1/reading", "/metrics", "/app.js", "/api/v1/relay/log"].repeat(6) {
                    // The last worker is kept for signing in: whoever gets it with something else comes again.
                    let answers = std::iter::repeat_with(|| plug.get(path)).take(1000);
                    let answer = answers.into_iter().find(|answer| answer.status != 503);
                    if answer.is_none_or(|answer| answer.status != 200) {
                        failed.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert!(!failed.load(Ordering::Relaxed));
}
