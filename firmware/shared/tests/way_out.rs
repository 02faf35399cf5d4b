//! The gate of the plug over the chip's sockets: a server that answers, one that does not, names, datagrams.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code,
    reason = "tests"
)]

mod wire;

use std::cell::RefCell;
use std::future::Future;

use edge_nal::Dns;
use embassy_net::Stack;
use embassy_net::tcp::TcpSocket;
use embassy_net::udp::{PacketMetadata, UdpSocket};
use embassy_time::{Duration, with_timeout};
use embedded_io_async::{Read, Write};
use futures_lite::future::{block_on, or, zip};
use ossp_embassy::{EmbassyClock, WayOut, WayOutBuffers};
use plug::ledger::{Ledger, Outcome, Outside, OutsideError, Purpose};
use plug::platform::{self, Clock};
use wire::Network;

/// Nothing here takes that long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);
const PORT: u16 = 80;

/// How much faster the gate's time-outs pass than the network.
const HASTE: u32 = 20;

type Gate<'a> = Outside<'a, WayOut, EmbassyClock, Hasty>;

/// A clock that hurries.
struct Hasty;

impl Clock for Hasty {
    fn now(&self) -> platform::Instant {
        platform::Instant::from_start(EmbassyClock.now().since_start() * HASTE)
    }

    async fn sleep_until(&self, moment: platform::Instant) {
        EmbassyClock.sleep_until(platform::Instant::from_start(moment.since_start() / HASTE)).await;
    }

    fn time_of_day(&self) -> Option<f64> {
        None
    }
}

/// Runs `test` with a gate of the plug's, and `server` beside it, while the network works.
fn run<O>(test: impl AsyncFnOnce(&Gate<'_>) -> O, server: impl AsyncFnOnce(Stack<'static>)) -> (O, Ledger) {
    let network = Network::new(1);
    let ledger = RefCell::new(Ledger::new());
    let out = WayOut::new(network.plug, Box::leak(Box::new(WayOutBuffers::new())));
    let output = {
        let gate = Outside::new(&out, &EmbassyClock, &Hasty, &ledger);
        let served = async {
            server(network.client).await;
            std::future::pending().await
        };
        let test = async { with_timeout(PATIENCE, test(&gate)).await.expect("it hangs") };
        block_on(or(test, or(served, forever(network.run()))))
    };
    (output, ledger.into_inner())
}

async fn forever<O>(work: impl Future<Output = ()>) -> O {
    work.await;
    std::future::pending().await
}

fn server(stack: Stack<'static>) -> TcpSocket<'static> {
    let buffer = || Box::leak(Box::new([0; 512])).as_mut_slice();
    TcpSocket::new(stack, buffer(), buffer())
}

/// Answers questions for addresses with `address`, as RFC 1035 §4 has it.
async fn name_server(stack: Stack<'static>, address: [u8; 4]) {
    let metadata = || Box::leak(Box::new([PacketMetadata::EMPTY; 4])).as_mut_slice();
    let buffer = || Box::leak(Box::new([0; 512])).as_mut_slice();
    let mut socket = UdpSocket::new(stack, metadata(), buffer(), metadata(), buffer());
    socket.bind(53).unwrap();
    loop {
        let mut bytes = [0; 512];
        let (length, from) = socket.recv_from(&mut bytes).await.unwrap();
        let mut answer = bytes[..length].to_vec();
        // A response without an error, with one record behind the question: a pointer to its name, A, IN, an hour.
        answer[2..4].copy_from_slice(&[0x81, 0x80]);
        answer[7] = 1;
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 14, 16, 0, 4]);
        answer.extend(address);
        socket.send_to(&answer, from).await.unwrap();
    }
}

/// Says what comes back to the end.
async fn exchange(gate: &Gate<'_>, host: &str) -> Result<Vec<u8>, OutsideError> {
    let mut connection = gate.connect(Purpose::Emoncms, host, PORT).await?;
    connection.write_all(b"hello").await?;
    connection.flush().await?;
    let mut all = Vec::new();
    let mut buffer = [0; 64];
    loop {
        match connection.read(&mut buffer).await? {
            0 => break,
            length => all.extend(&buffer[..length]),
        }
    }
    connection.finish(Outcome::Ok).await;
    Ok(all)
}

/// A server that answers each client with what it said, and closes.
async fn echo(stack: Stack<'static>) {
    loop {
        let mut socket = server(stack);
        socket.accept(PORT).await.unwrap();
        let mut word = [0; 5];
        socket.read_exact(&mut word).await.unwrap();
        socket.write_all(&word).await.unwrap();
        socket.close();
        // The plug closes, too: its end is seen, not a time-out.
        assert_eq!(socket.read(&mut word).await, Ok(0));
        socket.flush().await.unwrap();
    }
}

#[test]
fn a_hundred_exchanges_need_one_socket_and_one_lookup() {
    let (answers, ledger) = run(
        async |gate| {
            let mut answers = Vec::new();
            for _ in 0..100 {
                answers.push(exchange(gate, "emon.example.org").await.unwrap());
            }
            answers
        },
        async |stack| {
            zip(echo(stack), name_server(stack, [10, 0, 1, 2])).await;
        },
    );
    assert!(answers.iter().all(|answer| answer == b"hello"), "{answers:?}");
    assert_eq!(ledger.sums().connections, 101);
    assert_eq!((ledger.sums().failed, ledger.sums().bytes_out, ledger.sums().bytes_in), (0, 500, 500));
}

/// The stack's own resolver would panic.
#[test]
fn nobody_is_asked_for_the_name_of_an_address() {
    let network = Network::new(4);
    let out = WayOut::new(network.plug, Box::leak(Box::new(WayOutBuffers::new())));
    assert!(block_on(out.get_host_by_address([10, 0, 4, 2].into(), &mut [0; 16])).is_err());
}

/// A server that accepts and says nothing, one where nobody listens, a name that nobody knows: the socket is free afterwards.
#[test]
fn trouble_leaves_the_socket_free() {
    let (results, ledger) = run(
        async |gate| {
            let silent = exchange(gate, "10.0.1.2").await;
            let refused = exchange(gate, "10.0.1.2").await;
            let unknown = exchange(gate, "nobody.example.org").await;
            let absent = exchange(gate, "10.0.1.77").await;
            [silent, refused, unknown, absent]
        },
        async |stack| {
            let mut socket = server(stack);
            socket.accept(PORT).await.unwrap();
            // Until the plug resets it.
            let mut word = [0; 5];
            socket.read_exact(&mut word).await.unwrap();
            assert_eq!(&word, b"hello");
            let end = socket.read(&mut word).await;
            assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
            drop(socket);
        },
    );
    assert_eq!(results[0], Err(OutsideError::TimedOut));
    assert_eq!(results[1], Err(OutsideError::Unreachable));
    // Nobody answers on port 53.
    assert!(matches!(results[2], Err(OutsideError::NoAddress | OutsideError::TimedOut)), "{:?}", results[2]);
    assert!(
        matches!(results[3], Err(OutsideError::Unreachable | OutsideError::TimedOut)),
        "{:?}",
        results[3]
    );
    assert_eq!(ledger.sums().failed, 4);
}

#[test]
fn a_datagram_is_answered() {
    let (answers, ledger) = run(
        async |gate| {
            let mut answers = Vec::new();
            for round in 0..20 {
                let mut answer = [0; 48];
                let asked = [round; 48];
                let answered =
                    gate.udp(Purpose::TimeServer, "10.0.1.2", 123, &asked, &mut answer).await.unwrap();
                answers.push((answered.length, answer[47] == round));
            }
            answers
        },
        async |stack| {
            let metadata = || Box::leak(Box::new([PacketMetadata::EMPTY; 4])).as_mut_slice();
            let buffer = || Box::leak(Box::new([0; 512])).as_mut_slice();
            let mut socket = UdpSocket::new(stack, metadata(), buffer(), metadata(), buffer());
            socket.bind(123).unwrap();
            loop {
                let mut bytes = [0; 64];
                let (length, from) = socket.recv_from(&mut bytes).await.unwrap();
                socket.send_to(&bytes[..length], from).await.unwrap();
            }
        },
    );
    assert_eq!(answers, [(48, true); 20]);
    assert_eq!((ledger.sums().connections, ledger.sums().failed), (20, 0));
}
