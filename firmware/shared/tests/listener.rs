//! The listener between real stacks: what clients do to it, kind and unkind ones.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

mod wire;

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;

use edge_nal::{Close, Readable, TcpAccept, TcpShutdown, TcpSplit};
use embassy_net::Stack;
use embassy_net::tcp::TcpSocket;
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_io_async::{Read, Write};
use futures_lite::future::{block_on, or, poll_once, zip};
use ossp_embassy::{HANDSHAKE_TIMEOUT, Listener, Pool};
use plug::platform::Acceptor;
use wire::{Network, SOCKETS};

const PORT: u16 = 80;
/// Nothing here takes that long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

type Buffers<const N: usize> = &'static Pool<N, 512, 256>;

fn pool<const N: usize>() -> Buffers<N> {
    Box::leak(Box::new(Pool::new()))
}

/// A socket of the client's.
fn socket(stack: Stack<'static>) -> TcpSocket<'static> {
    let buffer = || Box::leak(Box::new([0; 512])).as_mut_slice();
    TcpSocket::new(stack, buffer(), buffer())
}

/// Runs `test` while the networks work.
fn run<F: Future>(networks: &[&Network], test: F) -> F::Output {
    let work = async {
        match networks {
            [one] => one.run().await,
            [one, two] => {
                zip(one.run(), two.run()).await;
            }
            _ => {}
        }
        std::future::pending().await
    };
    block_on(or(async { with_timeout(PATIENCE, test).await.expect("it hangs") }, work))
}

/// A worker: echoes what comes until the client ends, like the web layer closes.
async fn echo<const STACKS: usize>(listener: &Listener<STACKS>, served: &Cell<usize>) {
    loop {
        let (_, mut socket) = listener.accept().await.unwrap();
        let mut bytes = [0; 64];
        while let Ok(length @ 1..) = socket.read(&mut bytes).await {
            if socket.write_all(&bytes[..length]).await.is_err() {
                break;
            }
        }
        let _ = with_timeout(Duration::from_millis(200), socket.close(Close::Both)).await;
        served.set(served.get() + 1);
    }
}

/// Sends a word and reads it back.
async fn ask(network: &Network) {
    let mut client = socket(network.client);
    client.connect((network.address, PORT)).await.unwrap();
    client.write_all(b"hello").await.unwrap();
    let mut answer = [0; 5];
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"hello");
    client.close();
    assert_eq!(client.read(&mut answer).await, Ok(0));
    let _ = with_timeout(Duration::from_millis(200), client.flush()).await;
}

/// A few turns of everything.
async fn a_moment() {
    Timer::after(Duration::from_millis(20)).await;
}

#[test]
fn two_hundred_clients_of_which_every_other_resets_at_once() {
    let network = Network::new(1);
    let listener = Listener::new(PORT, pool::<2>(), [(network.plug, 2)]);
    let served = Cell::new(0);
    let clients = async {
        for _ in 0..100 {
            let mut rude = socket(network.client);
            rude.connect((network.address, PORT)).await.unwrap();
            rude.abort();
            rude.flush().await.unwrap();
            drop(rude);
            ask(&network).await;
        }
    };
    run(
        &[&network],
        or(clients, async {
            let _ = zip(echo(&listener, &served), echo(&listener, &served)).await;
        }),
    );
    assert!((99..=200).contains(&served.get()), "served {}", served.get());
}

/// The reset arrives with the acknowledgement, before anybody looks: the client is gone when `accept` is polled.
#[test]
fn a_client_that_is_gone_before_anybody_looked_is_not_a_client() {
    let network = Network::new(1);
    let listener = Listener::new(PORT, pool::<1>(), [(network.plug, 1)]);
    run(&[&network], async {
        let mut accept = Box::pin(listener.accept());
        assert!(poll_once(&mut accept).await.is_none());
        for _ in 0..10 {
            let mut rude = socket(network.client);
            rude.connect((network.address, PORT)).await.unwrap();
            rude.abort();
            rude.flush().await.unwrap();
            a_moment().await;
            // Only now does the worker get a turn.
            assert!(poll_once(&mut accept).await.is_none());
            assert_eq!(listener.listening(0), 1);
        }
        let ((peer, _), ()) = zip(async { accept.await.unwrap() }, async {
            let mut client = socket(network.client);
            client.connect((network.address, PORT)).await.unwrap();
            a_moment().await;
        })
        .await;
        assert_eq!(peer.ip(), core::net::Ipv4Addr::new(10, 0, 1, 2));
    });
}

/// A client that says its first word and is never heard of again keeps the socket for a few seconds only.
#[test]
fn a_half_open_connection_ends_by_itself() {
    let network = Network::new(1);
    let listener = Listener::new(PORT, pool::<1>(), [(network.plug, 1)]);
    let served = Cell::new(0);
    let clients = async {
        ask(&network).await;
        network.cut_after(Some(1));
        let start = Instant::now();
        let mut mute = socket(network.client);
        let connected = with_timeout(Duration::from_secs(1), mute.connect((network.address, PORT))).await;
        // The plug's answer comes, ours to it does not.
        assert_eq!(connected, Ok(Ok(())));
        drop(mute);
        Timer::at(start + HANDSHAKE_TIMEOUT + Duration::from_secs(1)).await;
        network.cut_after(None);
        ask(&network).await;
    };
    run(&[&network], or(clients, echo(&listener, &served)));
    assert!(served.get() >= 1);
}

#[test]
fn who_finds_no_buffers_waits_for_them() {
    let network = Network::new(1);
    let listener = Listener::new(PORT, pool::<1>(), [(network.plug, 2)]);
    run(&[&network], async {
        let mut client = socket(network.client);
        let (accepted, connected) = zip(listener.accept(), client.connect((network.address, PORT))).await;
        connected.unwrap();
        let (_, first) = accepted.unwrap();
        let mut second = Box::pin(listener.accept());
        assert!(poll_once(&mut second).await.is_none());
        assert_eq!(listener.listening(0), 0);
        drop(first);
        assert!(poll_once(&mut second).await.is_none());
        assert_eq!(listener.listening(0), 1);
    });
}

/// smoltcp panics when a socket is one too many: the listener never opens it.
#[test]
fn no_more_sockets_than_the_stack_has() {
    let network = Network::new(1);
    let listener = Listener::new(PORT, pool::<20>(), [(network.plug, SOCKETS)]);
    run(&[&network], async {
        let mut accepts: Vec<_> = (0..20).map(|_| Box::pin(listener.accept())).collect();
        for accept in &mut accepts {
            assert!(poll_once(accept).await.is_none());
        }
        assert_eq!(listener.listening(0), SOCKETS);
        accepts.clear();
        assert_eq!(listener.listening(0), 0);
        assert!(poll_once(pin!(listener.accept())).await.is_none());
    });
}

/// `Readable` returns for data, and for the end, on the whole socket and on its half.
#[test]
fn the_end_is_readable() {
    let network = Network::new(1);
    let listener = Listener::new(PORT, pool::<1>(), [(network.plug, 1)]);
    run(&[&network], async {
        let mut client = socket(network.client);
        let (accepted, connected) = zip(listener.accept(), client.connect((network.address, PORT))).await;
        connected.unwrap();
        let (_, mut socket) = accepted.unwrap();
        assert!(poll_once(socket.readable()).await.is_none());
        assert!(poll_once(socket.split().0.readable()).await.is_none());
        client.write_all(b"x").await.unwrap();
        socket.split().0.readable().await.unwrap();
        socket.readable().await.unwrap();
        let mut bytes = [0; 8];
        assert_eq!(socket.read(&mut bytes).await, Ok(1));
        client.close();
        socket.split().0.readable().await.unwrap();
        socket.readable().await.unwrap();
        assert_eq!(socket.read(&mut bytes).await, Ok(0));
    });
}

#[test]
fn an_abort_reaches_the_client() {
    let network = Network::new(1);
    let listener = Listener::new(PORT, pool::<1>(), [(network.plug, 1)]);
    run(&[&network], async {
        let mut client = socket(network.client);
        let (accepted, connected) = zip(listener.accept(), client.connect((network.address, PORT))).await;
        connected.unwrap();
        accepted.unwrap().1.abort().await.unwrap();
        let mut bytes = [0; 8];
        assert!(client.read(&mut bytes).await.is_err());
    });
}

/// Lets each of `accepts` look, as a change would.
async fn look<F: Future>(accepts: &mut [std::pin::Pin<Box<F>>]) {
    // Twice: what the first one gives up, the last one may want.
    for _ in 0..2 {
        for accept in accepts.iter_mut() {
            assert!(poll_once(accept).await.is_none());
        }
    }
}

#[test]
fn two_networks_share_those_who_listen() {
    let (station, access_point) = (Network::new(1), Network::new(2));
    let listener = Listener::new(PORT, pool::<8>(), [(station.plug, 8), (access_point.plug, 4)]);
    let listening = || (listener.listening(0), listener.listening(1));
    listener.set_active(1, false);
    run(&[&station, &access_point], async {
        let mut accepts: Vec<_> = (0..8).map(|_| Box::pin(listener.accept())).collect();
        look(&mut accepts).await;
        assert_eq!(listening(), (8, 0));
        listener.set_active(1, true);
        look(&mut accepts).await;
        assert_eq!(listening(), (4, 4));
        listener.set_active(0, false);
        look(&mut accepts).await;
        assert_eq!(listening(), (0, 4), "the access point has four sockets only");
        listener.set_active(1, false);
        look(&mut accepts).await;
        assert_eq!(listening(), (0, 0));
        listener.set_active(0, true);
        look(&mut accepts).await;
        assert_eq!(listening(), (8, 0));
        drop(accepts);
        assert_eq!(listening(), (0, 0));
    });
}

/// Those who listen follow the clients: as long as two listen, no network is without one.
#[test]
fn clients_on_one_network_do_not_lock_out_the_other() {
    let (station, access_point) = (Network::new(1), Network::new(2));
    let listener = Listener::new(PORT, pool::<4>(), [(station.plug, 4), (access_point.plug, 4)]);
    let served = Cell::new(0);
    let worker = || echo(&listener, &served);
    let workers = async {
        let _ = zip(zip(worker(), worker()), zip(worker(), worker())).await;
    };
    let clients = async {
        a_moment().await;
        // These stay: they say nothing.
        let mut silent = Vec::new();
        for _ in 0..2 {
            let mut client = socket(station.client);
            client.connect((station.address, PORT)).await.unwrap();
            silent.push(client);
            a_moment().await;
        }
        assert_eq!((listener.listening(0), listener.listening(1)), (1, 1));
        ask(&access_point).await;
        ask(&station).await;
        a_moment().await;
        // The last one listens where fewer are served.
        let mut third = socket(station.client);
        third.connect((station.address, PORT)).await.unwrap();
        a_moment().await;
        assert_eq!((listener.listening(0), listener.listening(1)), (0, 1));
        ask(&access_point).await;
        drop(silent);
    };
    run(&[&station, &access_point], or(clients, workers));
}

/// A network that goes down and comes back while clients are served on the other.
#[test]
fn networks_come_and_go_under_load() {
    let (station, access_point) = (Network::new(1), Network::new(2));
    let listener = Listener::new(PORT, pool::<3>(), [(station.plug, 3), (access_point.plug, 3)]);
    let served = Cell::new(0);
    let worker = || echo(&listener, &served);
    let workers = async {
        let _ = zip(zip(worker(), worker()), worker()).await;
    };
    let clients = async {
        for turn in 0..50 {
            ask(&station).await;
            listener.set_active(1, turn % 3 != 0);
            a_moment().await;
            if turn % 3 != 0 {
                ask(&access_point).await;
            }
        }
    };
    run(&[&station, &access_point], or(clients, workers));
    assert!(served.get() >= 80);
}

#[test]
fn whoever_comes_by_the_access_point_is_known() {
    let (station, access_point) = (Network::new(1), Network::new(2));
    let stacks = [(station.plug, 2), (access_point.plug, 2)];
    let listener = Listener::new(PORT, pool::<2>(), stacks).with_access_point(1);
    run(&[&station, &access_point], async {
        for (network, expected) in [(&station, false), (&access_point, true), (&station, false)] {
            let mut client = socket(network.client);
            let accept = async {
                let (_, socket) = listener.accept().await.unwrap();
                listener.by_access_point(&socket)
            };
            // The other one listens on the other network.
            let both = or(accept, async {
                let (_, socket) = listener.accept().await.unwrap();
                listener.by_access_point(&socket)
            });
            let (by_access_point, connected) = zip(both, client.connect((network.address, PORT))).await;
            connected.unwrap();
            assert_eq!(by_access_point, expected);
        }
    });
}
