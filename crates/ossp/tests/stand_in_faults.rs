//! What the stand-in does wrong on purpose, as bytes and over a real socket, and its own pages.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

mod stand_in_support;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use ossp::stand_in::fault::{Fault, NAMES, Planned};
use ossp::stand_in::server::{self, SharedStandIn, serve};
use ossp::stand_in::{Manner, StandIn};
use stand_in_support::{
    Answer, BEARER, FORM, NOW, READ_KEY, WRITE_KEY, ask, bulk, get, newest, post, refusal, request, stand_in,
};

const ROWS: &str = r#"[[10,"n",1],[20,"n",2],[30,"n",3],[40,"n",4]]"#;

fn with(fault: Fault) -> StandIn {
    let mut emoncms = stand_in();
    emoncms.faults.push(Planned::always(fault));
    emoncms
}

fn stored(emoncms: &StandIn) -> usize {
    emoncms.account.stored.len()
}

#[test]
fn every_fault_has_a_name_that_means_it() {
    for (name, number, _) in NAMES {
        let text = if number.is_some() { format!("{name}=123") } else { name.to_owned() };
        let fault: Fault = text.parse().unwrap();
        assert_eq!(fault.to_string(), text);
        let planned: Planned = format!("{text}*2").parse().unwrap();
        assert_eq!((planned.fault, planned.times), (fault, Some(2)));
    }
    assert!("nonsense".parse::<Planned>().unwrap_err().contains("wrong-key"));
    assert!("refuse-time".parse::<Fault>().is_err());
    assert!("freeze*x".parse::<Planned>().is_err());
}

#[test]
fn keys_can_be_refused() {
    let mut emoncms = with(Fault::WrongKey);
    let answer = bulk(&mut emoncms, ROWS, "&time=0");
    assert_eq!((answer.status, answer.body.as_str(), stored(&emoncms)), (401, "Invalid API key", 0));
    let mut emoncms = with(Fault::ReadKey);
    let answer = bulk(&mut emoncms, ROWS, "&time=0");
    assert_eq!((answer.status, answer.body.as_str(), stored(&emoncms)), (200, "", 0));
    assert_eq!(get(&mut emoncms, "/input/get/n").body, r#""Node does not exist""#, "it still reads");
}

#[test]
fn php_can_give_up() {
    let mut emoncms = with(Fault::Fatal);
    let answer = bulk(&mut emoncms, ROWS, "&time=0");
    assert_eq!((answer.status, stored(&emoncms)), (200, 0));
    assert!(answer.body.contains("<b>Fatal error</b>"));
    let mut emoncms = with(Fault::ServerError);
    let answer = bulk(&mut emoncms, ROWS, "&time=0");
    assert_eq!((answer.status, answer.body.as_str(), stored(&emoncms)), (500, "", 0));
    assert!(answer.head.starts_with("HTTP/1.0 500"));
    let mut emoncms = with(Fault::HalfBulk);
    let answer = bulk(&mut emoncms, ROWS, "&time=0");
    assert!(answer.body.contains("<b>Fatal error</b>"));
    assert_eq!((newest(&emoncms, "n", "1"), stored(&emoncms)), (Some((20, 2.0)), 2));
    emoncms.faults.clear();
    bulk(&mut emoncms, ROWS, "&time=0");
    assert_eq!(stored(&emoncms), 6, "a fault's limits end with it");
}

#[test]
fn rows_can_be_refused() {
    let mut emoncms = with(Fault::RefuseTime(30));
    let answer = bulk(&mut emoncms, ROWS, "&time=0");
    assert_eq!(answer.body, refusal("Format error, this time is refused"));
    assert_eq!(newest(&emoncms, "n", "1"), Some((20, 2.0)));
    let mut emoncms = with(Fault::NodeLimit);
    let answer = bulk(&mut emoncms, ROWS, "&time=0");
    assert!(answer.body.contains("limit is 32. Node 'n' was ignored."), "{}", answer.body);
    assert_eq!(stored(&emoncms), 0);
}

#[test]
fn somebody_else_can_answer() {
    let mut emoncms = with(Fault::Redirect);
    let answer = bulk(&mut emoncms, ROWS, "&time=0");
    assert_eq!((answer.status, answer.header("Location")), (302, Some("https://elsewhere.invalid/")));
    let mut emoncms = with(Fault::Html);
    let answer = bulk(&mut emoncms, ROWS, "&time=0");
    assert!(answer.status == 200 && answer.body.contains("<html>"));
    let mut emoncms = with(Fault::NotFound);
    assert_eq!(bulk(&mut emoncms, ROWS, "&time=0").status, 404);
    assert_eq!(stored(&emoncms), 0);
}

#[test]
fn faults_are_met_one_after_the_other() {
    let mut emoncms = stand_in();
    emoncms.faults = vec![Planned::times(Fault::Fatal, 2), Planned::times(Fault::WrongKey, 1)];
    let answers: Vec<u16> = (0..4).map(|_| post(&mut emoncms, "/input/post", "data=1").status).collect();
    assert_eq!(answers, [200, 200, 401, 200]);
    assert_eq!((stored(&emoncms), emoncms.requests, emoncms.received.len()), (1, 4, 4));
    assert!(emoncms.received[0].answered.ends_with("(fatal)"));
    assert!(!format!("{:?}", emoncms.received).contains(stand_in_support::WRITE_KEY), "keys are not kept");
}

#[test]
fn what_is_delivered_otherwise_is_stored_or_not() {
    let form = request("POST", "/input/post", &[FORM, BEARER], b"data=1");
    for (fault, manner, count) in [
        (Fault::Freeze, Manner::Never, 0),
        (Fault::StoreThenFreeze, Manner::Never, 1),
        (Fault::ResetAnswer(5), Manner::Reset, 1),
        (Fault::Slow(7), Manner::Slowly(Duration::from_secs(7)), 1),
    ] {
        let mut emoncms = with(fault);
        let delivery = emoncms.handle(&form, NOW).unwrap();
        assert_eq!((delivery.manner, stored(&emoncms)), (manner, count), "{fault}");
        let length = match fault {
            Fault::Slow(_) => delivery.bytes.len(),
            Fault::ResetAnswer(bytes) => bytes,
            _ => 0,
        };
        assert_eq!(delivery.bytes.len(), length);
    }
    assert_eq!(with(Fault::Reset(100)).resets_after(), Some(100));
}

fn running() -> (SocketAddr, SharedStandIn) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let shared = Arc::new(Mutex::new(stand_in()));
    let served = Arc::clone(&shared);
    std::thread::spawn(move || serve(&listener, &served, false));
    (address, shared)
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// What comes until the connection ends, and how it ends.
fn all(stream: &mut TcpStream) -> (Vec<u8>, Option<ErrorKind>) {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 1024]);
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return (bytes, None),
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            Err(error) => return (bytes, Some(error.kind())),
        }
    }
}

#[test]
fn the_server_answers_twice_on_one_connection_and_closes_when_asked() {
    let (address, shared) = running();
    let mut stream = connect(address);
    let form = request("POST", "/input/post", &[FORM, BEARER], b"data=1");
    let last = request("POST", "/input/post", &[FORM, BEARER, ("Connection", "close")], b"data=2");
    stream.write_all(&form[..50]).unwrap();
    stream.write_all(&form[50..]).unwrap();
    stream.write_all(&last).unwrap();
    let (bytes, error) = all(&mut stream);
    assert_eq!((String::from_utf8(bytes).unwrap().matches("\r\n\r\nok").count(), error), (2, None));
    assert_eq!(stored(&shared.lock().unwrap()), 2);
}

#[test]
fn the_server_resets_and_freezes() {
    let (address, shared) = running();
    let form = request("POST", "/input/post", &[FORM, BEARER], b"data=1");
    let fault = |fault| shared.lock().unwrap().faults = vec![Planned::always(fault)];

    fault(Fault::Reset(60));
    let mut stream = connect(address);
    stream.write_all(&form).unwrap();
    assert_eq!(all(&mut stream), (Vec::new(), Some(ErrorKind::ConnectionReset)));
    assert_eq!(stored(&shared.lock().unwrap()), 0);

    fault(Fault::ResetAnswer(17));
    let mut stream = connect(address);
    stream.write_all(&form).unwrap();
    let (bytes, error) = all(&mut stream);
    // A reset may overtake what was sent before it.
    assert!(b"HTTP/1.1 200 OK\r\n".starts_with(&bytes), "{bytes:?}");
    assert_eq!(error, Some(ErrorKind::ConnectionReset));
    assert_eq!(stored(&shared.lock().unwrap()), 1);

    fault(Fault::Freeze);
    let mut stream = connect(address);
    stream.write_all(&form).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let (bytes, error) = all(&mut stream);
    assert!(
        bytes.is_empty() && matches!(error, Some(ErrorKind::WouldBlock | ErrorKind::TimedOut)),
        "{error:?}"
    );
    assert_eq!(stored(&shared.lock().unwrap()), 1);
}

#[test]
fn faults_are_switched_while_it_runs() {
    let (address, _) = running();
    let send = |bytes: &[u8]| {
        let mut stream = connect(address);
        stream.write_all(bytes).unwrap();
        String::from_utf8(all(&mut stream).0).unwrap()
    };
    let closed = ("Connection", "close");
    let own = |path: &str, body: &str| {
        let method = if body.is_empty() { "GET" } else { "POST" };
        send(&request(method, path, &[closed], body.as_bytes()))
    };
    let form = request("POST", "/input/post", &[FORM, BEARER, closed], b"data=1");
    assert!(own("/stand-in/fault", r#"{"fault":"reset=10"}"#).contains(r#""faults":["reset=10"]"#));
    assert_eq!(send(&form), "");
    assert!(own("/stand-in/fault", r#"{"fault":"fatal","times":1}"#).contains(r#""faults":["fatal*1"]"#));
    assert!(send(&form).contains("<b>Fatal error</b>"));
    assert!(send(&form).ends_with("\r\n\r\nok"));
    assert!(
        own("/stand-in/fault", r#"{"faults":["freeze*2","html"]}"#)
            .contains(r#""faults":["freeze*2","html"]"#)
    );
    assert!(own("/stand-in/fault", r#"{"fault":null}"#).contains(r#""faults":[]"#));
    assert!(own("/stand-in/fault", r#"{"fault":"x"}"#).starts_with("HTTP/1.1 400"));
    let state = own("/stand-in/state", "");
    let json: serde_json::Value = serde_json::from_str(state.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!((&json["rows"], &json["requests"]), (&1.into(), &3.into()));
    assert_eq!(json["inputs"][0]["value"], 1);
    assert!(own("/stand-in/clear", "{}").contains(r#""rows":0"#));
    assert!(own("/stand-in/x", "").starts_with("HTTP/1.1 404"));
}

#[test]
fn the_state_has_no_keys() {
    let state = ask(&mut stand_in(), "GET", "/stand-in/state", &[], "").body;
    assert!(state.contains("\"user_id\":4"), "{state}");
    assert!(!state.contains(WRITE_KEY) && !state.contains(READ_KEY) && !state.contains("_key"), "{state}");
}

/// A page in a browser on this machine must neither read nor change anything.
#[test]
fn its_own_pages_are_not_for_other_pages() {
    let mut emoncms = stand_in();
    let mut status = |lines: &str| {
        let request = format!("POST /stand-in/clear HTTP/1.1\r\n{lines}Content-Length: 0\r\n\r\n");
        Answer::of(&emoncms.handle(request.as_bytes(), NOW).unwrap()).status
    };
    for own in [
        "",
        "Host: 127.0.0.1:8090\r\n",
        "Host: 127.0.0.1\r\n",
        "Host: [::1]:8090\r\n",
        "Host: [::1]\r\n",
        "Host: localhost:8090\r\n",
        "Host: 10.0.0.2:8090\r\nOrigin: http://10.0.0.2:8090\r\n",
    ] {
        assert_eq!(status(own), 200, "{own}");
    }
    for foreign in [
        "Host: evil.example.org:8090\r\n",
        "Host: evil.example.org\r\n",
        "Host: 127.0.0.1.evil.example.org:8090\r\n",
        "Host: localhost.evil.example.org\r\n",
        "Host: \r\n",
        "Host: 127.0.0.1:8090\r\nOrigin: http://evil.example.org\r\n",
        "Host: 127.0.0.1:8090\r\nOrigin: http://127.0.0.1:8080\r\n",
        "Host: 127.0.0.1:8090\r\nOrigin: null\r\n",
    ] {
        assert_eq!(status(foreign), 403, "{foreign}");
    }
    // A plug may know the server by any name.
    let plugs = format!("GET /input/list?apikey={WRITE_KEY} HTTP/1.1\r\nHost: emonpi.home\r\n\r\n");
    assert_eq!(Answer::of(&emoncms.handle(plugs.as_bytes(), NOW).unwrap()).status, 200);
}

#[test]
fn more_connections_than_it_has_threads_for_are_closed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let shared = Arc::new(Mutex::new(stand_in()));
    thread::spawn(move || server::serve(&listener, &shared, false));
    let asks = |stream: &mut TcpStream| {
        let sent = stream.write_all(b"GET /stand-in/state HTTP/1.1\r\n\r\n");
        let mut start = [0; 9];
        sent.and_then(|()| stream.read_exact(&mut start)).is_ok() && start == *b"HTTP/1.1 "
    };
    let mut streams: Vec<_> =
        (0..server::CONNECTIONS_MOST).map(|_| TcpStream::connect(address).unwrap()).collect();
    assert!(streams.iter_mut().all(asks));
    assert!(!asks(&mut TcpStream::connect(address).unwrap()));
    streams.pop();
    // Its thread may need a moment to notice.
    while !asks(&mut TcpStream::connect(address).unwrap()) {
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_state_holds_feeds_with_their_points() {
    let mut emoncms = stand_in();
    emoncms.account.feed_interval_s = Some(10);
    bulk(&mut emoncms, r#"[[1700000000,"n",{"power":1}],[1700000020,"n",{"power":2.5}]]"#, "&time=0");
    let answer: Answer = ask(&mut emoncms, "GET", "/stand-in/state", &[], "");
    let json: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(json["feeds"][0]["points"].to_string(), "[[1700000000,1],[1700000020,2.5]]");
    assert_eq!(
        (&json["feeds"][0]["slots"], &json["inputs"][0]["process_list"]),
        (&3.into(), &"process__log_to_feed:1".into())
    );
}
