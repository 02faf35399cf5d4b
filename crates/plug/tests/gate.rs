//! The gate over a network that behaves badly: each thing ends in time, and stands in the ledger as what it was.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

mod outside;

use std::cell::RefCell;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use edge_nal::TcpConnect;
use embedded_io_async::{Read, Write};
use outside::{Comes, Does, Net, Time};
use plug::ledger::{Ledger, Outcome, Outside, OutsideError, Purpose};
use plug::limits;
use plug::platform::Clock;

const HOST: &str = "emon.example.org";
const KEY: &str = "fa8e3b689295332c560bbea31afb61d0";
/// The address at which the network finds every host.
const THERE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);

type Gate<'a> = Outside<'a, Net, Time, Time>;
type Connection<'o, 'a> = plug::ledger::Connection<'o, 'a, Net, Time, Time>;

/// What stands in the ledger, oldest first: host, purpose, result, bytes out and in.
fn entries(ledger: &RefCell<Ledger>) -> Vec<(String, &'static str, Outcome, u32, u32)> {
    let ledger = ledger.borrow();
    let mut all: Vec<_> = ledger
        .connections()
        .map(|entry| {
            let place = entry.place();
            (place.host.to_string(), place.purpose(), entry.outcome, entry.bytes_out, entry.bytes_in)
        })
        .collect();
    all.reverse();
    all
}

/// Runs a test with a gate, and how long it took in the network's time.
fn with<O>(net: &Net, ledger: &RefCell<Ledger>, test: impl AsyncFnOnce(&Gate<'_>) -> O) -> (O, Duration) {
    let gate = Outside::new(net, &net.time, &net.time, ledger);
    let begin = net.time.now();
    let output = net.time.run(test(&gate));
    assert_eq!(net.open.get(), 0, "a socket stays open");
    assert!(net.most_open.get() <= 1, "the chip has one socket");
    (output, net.time.now().since(begin))
}

/// Connects, sends and reads to the end, as a client does that gives up at the first error.
async fn exchange(gate: &Gate<'_>) -> Result<Vec<u8>, OutsideError> {
    let mut connection = gate.connect(Purpose::Emoncms, HOST, 80).await?;
    let result = talk(&mut connection).await;
    if result.is_ok() {
        connection.finish(Outcome::Ok).await;
    }
    result
}

async fn talk(connection: &mut Connection<'_, '_>) -> Result<Vec<u8>, OutsideError> {
    connection.write_all(&[b'x'; 250]).await?;
    connection.flush().await?;
    let mut all = Vec::new();
    let mut buffer = [0; 8];
    loop {
        match connection.read(&mut buffer).await? {
            0 => return Ok(all),
            length => all.extend(&buffer[..length]),
        }
    }
}

fn host(outcome: Outcome, out: u32, back: u32) -> (String, &'static str, Outcome, u32, u32) {
    (HOST.to_owned(), "emoncms", outcome, out, back)
}

fn lookup(outcome: Outcome) -> (String, &'static str, Outcome, u32, u32) {
    (HOST.to_owned(), "dns", outcome, 0, 0)
}

#[test]
fn a_good_exchange_is_counted_and_its_address_kept_for_a_while() {
    let (net, ledger) = (Net::new(), RefCell::default());
    let ((), took) = with(&net, &ledger, async |gate| {
        for _ in 0..2 {
            net.comes.borrow_mut().extend([Comes::Bytes(b"HTTP/1.1 200 OK\r\n\r\nok"), Comes::End]);
            assert_eq!(exchange(gate).await.unwrap(), b"HTTP/1.1 200 OK\r\n\r\nok");
        }
        assert_eq!(
            net.asked(),
            [
                "lookup emon.example.org IPv4",
                "connect 192.0.2.7:80",
                "close Both",
                "connect 192.0.2.7:80",
                "close Both"
            ]
        );
        net.time.pass(limits::OUTSIDE_ADDRESS_KEPT);
        net.comes.borrow_mut().extend([Comes::End]);
        exchange(gate).await.unwrap();
        assert_eq!(net.asked()[0], "lookup emon.example.org IPv4");
    });
    assert_eq!(took, limits::OUTSIDE_ADDRESS_KEPT);
    assert_eq!(
        entries(&ledger),
        [
            lookup(Outcome::Ok),
            host(Outcome::Ok, 250, 21),
            host(Outcome::Ok, 250, 21),
            lookup(Outcome::Ok),
            host(Outcome::Ok, 250, 0)
        ]
    );
    assert_eq!(net.written.borrow().len(), 750);
}

#[test]
fn a_name_without_an_address_and_a_silent_name_server_end_it() {
    for (does, error, outcome, took) in [
        (Does::Fails, OutsideError::NoAddress, Outcome::NoAddress, Duration::ZERO),
        (Does::Nothing, OutsideError::TimedOut, Outcome::TimedOut, limits::OUTSIDE_LOOKUP),
    ] {
        let (net, ledger) = (Net::new(), RefCell::default());
        net.lookup.replace(does);
        let found = with(&net, &ledger, async |gate| exchange(gate).await);
        assert_eq!(found, (Err(error), took));
        assert_eq!(entries(&ledger), [lookup(outcome)]);
        assert_eq!(net.asked(), ["lookup emon.example.org IPv4"], "nobody is connected to");
    }
}

#[test]
fn who_is_not_there_costs_the_time_to_connect_and_no_more() {
    for (does, error, outcome, took) in [
        (Does::Fails, OutsideError::Unreachable, Outcome::Unreachable, Duration::ZERO),
        (Does::Nothing, OutsideError::TimedOut, Outcome::TimedOut, limits::OUTSIDE_CONNECT),
    ] {
        let (net, ledger) = (Net::new(), RefCell::default());
        net.connecting.replace(does);
        let (first, time) = with(&net, &ledger, async |gate| exchange(gate).await);
        assert_eq!((first, time), (Err(error), took));
        assert_eq!(entries(&ledger), [lookup(Outcome::Ok), host(outcome, 0, 0)]);
    }
}

#[test]
fn an_address_that_does_not_answer_is_asked_for_anew_but_not_at_once() {
    let (net, ledger) = (Net::new(), RefCell::default());
    with(&net, &ledger, async |gate| {
        net.comes.borrow_mut().extend([Comes::End, Comes::Reset, Comes::Reset, Comes::End]);
        exchange(gate).await.unwrap();
        assert_eq!(exchange(gate).await, Err(OutsideError::Broken));
        net.address.set(Ipv4Addr::new(192, 0, 2, 8).into());
        assert_eq!(exchange(gate).await, Err(OutsideError::Broken));
        net.time.pass(limits::OUTSIDE_LOOKUP_PAUSE);
        exchange(gate).await.unwrap();
    });
    let connects: Vec<_> = net.asked().into_iter().filter(|line| !line.starts_with("close")).collect();
    assert_eq!(
        connects,
        [
            "lookup emon.example.org IPv4",
            "connect 192.0.2.7:80",
            "connect 192.0.2.7:80",
            "connect 192.0.2.7:80",
            "lookup emon.example.org IPv4",
            "connect 192.0.2.8:80"
        ]
    );
}

/// A server that is down, and posts every 10 s: the name server hears of it once a minute.
#[test]
fn a_server_that_is_down_does_not_trouble_the_name_server() {
    let (net, ledger) = (Net::new(), RefCell::default());
    net.connecting.replace(Does::Fails);
    with(&net, &ledger, async |gate| {
        for _ in 0..60 {
            assert_eq!(exchange(gate).await, Err(OutsideError::Unreachable));
            net.time.pass(Duration::from_secs(10));
        }
    });
    let lookups = net.asked().into_iter().filter(|line| line.starts_with("lookup")).count();
    assert_eq!(lookups, 10);
}

#[test]
fn that_a_name_has_no_address_holds_for_a_minute_but_not_for_whoever_tries_it() {
    let (net, ledger) = (Net::new(), RefCell::default());
    with(&net, &ledger, async |gate| {
        for (does, error) in [(Does::Fails, OutsideError::NoAddress), (Does::Nothing, OutsideError::TimedOut)]
        {
            net.lookup.replace(does);
            assert_eq!(exchange(gate).await, Err(error));
            assert_eq!(net.asked().len(), 1);
            assert_eq!(exchange(gate).await, Err(error));
            assert_eq!(net.asked(), [""; 0]);
            net.time.pass(limits::OUTSIDE_LOOKUP_PAUSE);
        }
        net.lookup.replace(Does::Fails);
        assert_eq!(exchange(gate).await, Err(OutsideError::NoAddress));
        net.lookup.replace(Does::Well);
        gate.connect(Purpose::EmoncmsTest, HOST, 80).await.unwrap().finish(Outcome::Ok).await;
        // What it found is for all.
        net.asked();
        net.comes.borrow_mut().extend([Comes::End]);
        exchange(gate).await.unwrap();
        assert_eq!(net.asked(), ["connect 192.0.2.7:80", "close Both"]);
    });
    // What was not asked does not stand in the ledger.
    assert_eq!(entries(&ledger).iter().filter(|entry| entry.1 == "dns").count(), 4);
}

/// A server that accepts and never answers costs nothing but that time, and the next one finds the socket free.
#[test]
fn a_server_that_never_answers_costs_its_time() {
    let (net, ledger) = (Net::new(), RefCell::default());
    let ((), took) = with(&net, &ledger, async |gate| {
        assert_eq!(exchange(gate).await, Err(OutsideError::TimedOut));
        net.comes.borrow_mut().extend([Comes::Bytes(b"ok"), Comes::End]);
        assert_eq!(exchange(gate).await.unwrap(), b"ok");
    });
    assert_eq!(took, limits::OUTSIDE_SILENCE);
    let all = entries(&ledger);
    assert_eq!(all[1], host(Outcome::TimedOut, 250, 0));
    assert_eq!(all[2], host(Outcome::Ok, 250, 2));
    let told = ledger.borrow().connections().nth(1).unwrap().took_s();
    assert!((told - limits::OUTSIDE_SILENCE.as_secs_f64()).abs() < 0.01, "{told}");
}

#[test]
fn a_server_that_drips_is_cut_off_in_the_end() {
    let (net, ledger) = (Net::new(), RefCell::default());
    for _ in 0..100 {
        net.comes.borrow_mut().extend([Comes::Pause(Duration::from_secs(10)), Comes::Bytes(b"x")]);
    }
    let found = with(&net, &ledger, async |gate| exchange(gate).await);
    assert_eq!(found, (Err(OutsideError::TimedOut), limits::OUTSIDE_CONNECTION));
    // The last byte comes with the end.
    assert_eq!(entries(&ledger)[1], host(Outcome::TimedOut, 250, 6));
}

#[test]
fn a_server_that_does_not_read_is_cut_off() {
    for (does, error, outcome, took) in [
        (Does::Fails, OutsideError::Broken, Outcome::Broken, Duration::ZERO),
        (Does::Nothing, OutsideError::TimedOut, Outcome::TimedOut, limits::OUTSIDE_SILENCE),
        // 250 bytes go in three steps.
        (
            Does::Late(Duration::from_secs(14)),
            OutsideError::TimedOut,
            Outcome::TimedOut,
            Duration::from_secs(56 + 4),
        ),
    ] {
        let (net, ledger) = (Net::new(), RefCell::default());
        net.writing.replace(does);
        let (result, time) = with(&net, &ledger, async |gate| exchange(gate).await);
        assert_eq!((result, entries(&ledger)[1].2, time), (Err(error), outcome, took));
    }
}

#[test]
fn a_reset_in_the_middle_is_told_with_what_went() {
    let (net, ledger) = (Net::new(), RefCell::default());
    net.comes.borrow_mut().extend([Comes::Bytes(b"HTTP/1.1 2"), Comes::Reset]);
    let (result, _) = with(&net, &ledger, async |gate| exchange(gate).await);
    assert_eq!(result, Err(OutsideError::Broken));
    assert_eq!(entries(&ledger)[1], host(Outcome::Broken, 250, 10));
}

/// A server that keeps its end open: the plug waits a moment, resets it, and says what it came for.
#[test]
fn a_server_that_does_not_close_is_reset() {
    let (net, ledger) = (Net::new(), RefCell::default());
    net.closing.replace(Does::Nothing);
    net.comes.borrow_mut().extend([Comes::End]);
    let (result, took) = with(&net, &ledger, async |gate| exchange(gate).await);
    assert_eq!((result.unwrap().len(), took), (0, 2 * limits::OUTSIDE_CLOSE));
    assert_eq!(&net.asked()[2..], ["close Both", "abort"]);
    assert_eq!(entries(&ledger)[1].2, Outcome::Ok);
}

#[test]
fn who_gives_up_himself_is_told_too() {
    let (net, ledger) = (Net::new(), RefCell::default());
    let gate = Outside::new(&net, &net.time, &net.time, &ledger);
    assert_eq!(net.time.run_for(Duration::from_secs(5), exchange(&gate)), None);
    net.connecting.replace(Does::Nothing);
    assert_eq!(net.time.run_for(Duration::from_secs(5), exchange(&gate)), None);
    net.lookup.replace(Does::Nothing);
    net.time.pass(limits::OUTSIDE_ADDRESS_KEPT);
    assert_eq!(net.time.run_for(Duration::from_secs(5), exchange(&gate)), None);
    let abandoned = Outcome::Abandoned;
    assert_eq!(
        entries(&ledger),
        [lookup(Outcome::Ok), host(abandoned, 250, 0), host(abandoned, 0, 0), lookup(abandoned)]
    );
    assert_eq!(net.open.get(), 0);
}

#[test]
fn one_connection_waits_for_the_other() {
    let (net, ledger) = (Net::new(), RefCell::default());
    let pause = Duration::from_secs(4);
    let answer = [Comes::Pause(pause), Comes::Bytes(b"ok"), Comes::End];
    net.comes.borrow_mut().extend(answer.clone().into_iter().chain(answer));
    let ((first, second), took) =
        with(&net, &ledger, async |gate| embassy_futures::join::join(exchange(gate), exchange(gate)).await);
    assert_eq!((first.unwrap(), second.unwrap(), took), (b"ok".to_vec(), b"ok".to_vec(), 2 * pause));
}

#[test]
fn an_address_needs_no_lookup_and_nonsense_goes_nowhere() {
    let (net, ledger) = (Net::new(), RefCell::default());
    with(&net, &ledger, async |gate| {
        for host in ["10.0.0.9", "fe80::7"] {
            net.comes.borrow_mut().extend([Comes::End]);
            gate.connect(Purpose::EmoncmsTest, host, 8080).await.unwrap().finish(Outcome::Refused).await;
        }
        let long = "x".repeat(limits::OUTSIDE_HOST + 1);
        for host in ["", " ", "a b", "a\r\nb", "a/b", "ä.de", "a@b", "[::1]", &long] {
            assert_eq!(
                gate.connect(Purpose::Emoncms, host, 80).await.err(),
                Some(OutsideError::BadHost),
                "{host}"
            );
            let time = gate.udp(Purpose::TimeServer, host, 123, &[], &mut []).await;
            assert_eq!(time, Err(OutsideError::BadHost));
        }
    });
    assert_eq!(net.asked(), ["connect 10.0.0.9:8080", "close Both", "connect [fe80::7]:8080", "close Both"]);
    assert_eq!(entries(&ledger).len(), 2);
    assert_eq!(entries(&ledger)[0], ("10.0.0.9".to_owned(), "emoncms_test", Outcome::Refused, 0, 0));
}

/// A body in pieces, cut in the middle of a secret.
#[test]
fn a_body_is_kept_without_its_secrets() {
    let (net, ledger) = (Net::new(), RefCell::default());
    with(&net, &ledger, async |gate| {
        let mut connection = gate.connect(Purpose::Emoncms, HOST, 80).await.unwrap();
        connection.hide(KEY);
        connection.hide("");
        connection.body(b"apikey=");
        connection.body(&KEY.as_bytes()[..20]);
        connection.body(&KEY.as_bytes()[20..]);
        connection.body(b"&data=");
        connection.body(&[b'.'; limits::LEDGER_BODY - 45 - 5]);
        connection.body(KEY.as_bytes());
        connection.body(b"and more");
        connection.finish(Outcome::Ok).await;
        let mut connection = gate.connect(Purpose::Emoncms, HOST, 80).await.unwrap();
        connection.hide(KEY);
        connection.body(b"data=[]fa");
        connection.finish(Outcome::Ok).await;
    });
    let ledger = ledger.borrow();
    let bodies: Vec<_> = ledger.bodies().map(|body| (body.kept.bytes.clone(), body.kept.cut)).collect();
    let dots = ".".repeat(limits::LEDGER_BODY - 50);
    let long = format!("apikey={}&data={dots}*****", "*".repeat(32));
    assert_eq!(long.len(), limits::LEDGER_BODY);
    assert_eq!(bodies, [(b"data=[]fa".to_vec(), false), (long.into_bytes(), true)]);
}

#[test]
fn a_datagram_is_answered_by_whom_it_was_sent_to() {
    let (net, ledger) = (Net::new(), RefCell::default());
    let there = SocketAddr::new(THERE.into(), 123);
    let second = Duration::from_secs(1);
    let stranger = SocketAddr::new(Ipv4Addr::new(203, 0, 113, 9).into(), 123);
    let port = SocketAddr::new(THERE.into(), 124);
    net.datagrams.borrow_mut().extend([
        (second / 4, stranger, vec![1; 48]),
        (second / 4, port, vec![2; 48]),
        (second / 4, there, vec![3; 60]),
    ]);
    let (answer, took) = with(&net, &ledger, async |gate| {
        let mut answer = [0; 48];
        let answered = gate.udp(Purpose::TimeServer, "pool.example.org", 123, &[0; 48], &mut answer).await;
        (answered.unwrap(), answer)
    });
    assert_eq!(
        (answer.0.length, answer.0.took, answer.1, took),
        (48, second * 3 / 4, [3; 48], second * 3 / 4)
    );
    assert_eq!(answer.0.address, THERE);
    let entry = |purpose, out, back| ("pool.example.org".to_owned(), purpose, Outcome::Ok, out, back);
    assert_eq!(entries(&ledger), [entry("dns", 0, 0), entry("time_server", 48, 60)]);
    assert_eq!(net.asked()[1..], ["bind 0.0.0.0:0", "send 192.0.2.7:123 48"]);
}

/// On the chip a datagram that is too long is an error, whoever sent it.
#[test]
fn what_strangers_send_ends_no_question() {
    let (net, ledger) = (Net::new(), RefCell::default());
    let there = SocketAddr::new(THERE.into(), 123);
    let ask = async |gate: &Gate<'_>| {
        let answered = gate.udp(Purpose::TimeServer, "pool.example.org", 123, &[0; 48], &mut [0; 48]).await;
        answered.map(|answered| answered.length)
    };
    let error = (Duration::ZERO, there, Vec::new());
    net.datagrams.borrow_mut().extend(vec![error.clone(); limits::OUTSIDE_STRANGERS]);
    net.datagrams.borrow_mut().push_back((Duration::ZERO, there, vec![3; 48]));
    // A socket that does nothing but fail must not hold up the rest.
    net.datagrams.borrow_mut().extend(vec![error; limits::OUTSIDE_STRANGERS + 1]);
    let ((first, second), took) = with(&net, &ledger, async |gate| (ask(gate).await, ask(gate).await));
    assert_eq!((first, second, took), (Ok(48), Err(OutsideError::Unreachable), Duration::ZERO));
    // The second one needed no lookup.
    let purposes: Vec<_> = entries(&ledger).into_iter().map(|entry| entry.1).collect();
    assert_eq!(purposes, ["dns", "time_server", "time_server"]);
}

#[test]
fn a_datagram_without_an_answer_costs_its_time() {
    let (net, ledger) = (Net::new(), RefCell::default());
    let ask =
        async |gate: &Gate<'_>| gate.udp(Purpose::TimeServer, "10.0.0.1", 123, &[0; 48], &mut [0; 48]).await;
    assert_eq!(with(&net, &ledger, ask), (Err(OutsideError::TimedOut), limits::OUTSIDE_DATAGRAM));
    net.writing.replace(Does::Fails);
    assert_eq!(with(&net, &ledger, ask), (Err(OutsideError::Unreachable), Duration::ZERO));
    net.connecting.replace(Does::Nothing);
    assert_eq!(with(&net, &ledger, ask), (Err(OutsideError::TimedOut), limits::OUTSIDE_DATAGRAM));
    let all: Vec<_> = entries(&ledger).into_iter().map(|entry| (entry.2, entry.3)).collect();
    assert_eq!(all, [(Outcome::TimedOut, 48), (Outcome::Unreachable, 0), (Outcome::TimedOut, 0)]);
}

/// The test's own network: what it must notice, it notices.
#[test]
fn the_fake_counts_its_sockets() {
    let net = Net::new();
    let (one, two) = net.time.run(async {
        let address = SocketAddr::new(THERE.into(), 1);
        (net.connect(address).await.unwrap(), net.connect(address).await.unwrap())
    });
    assert_eq!((net.open.get(), net.most_open.get()), (2, 2));
    drop((one, two));
    assert_eq!(net.open.get(), 0);
}
