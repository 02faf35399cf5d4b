//! The group for names over two of embassy's stacks: who is in it hears it, who left does not.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code,
    reason = "tests"
)]

mod wire;

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};

use edge_nal::{UdpReceive, UdpSend};
use embassy_time::{Duration, Timer, with_timeout};
use futures_lite::future::{block_on, or};
use ossp_embassy::{Group, GroupBuffers, GroupError};
use plug::platform::Multicast;
use wire::Network;

const GROUP: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(224, 0, 0, 251)), 5353);
/// Nothing here takes that long unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);
/// What is on its way for longer does not come.
const SILENCE: Duration = Duration::from_millis(200);

async fn forever<O>(work: impl Future<Output = ()>) -> O {
    work.await;
    std::future::pending().await
}

/// Runs `test` with the group as the plug and as another host see it.
fn run(test: impl AsyncFnOnce(&Group, &Group)) {
    let network = Network::new(1);
    let group = |stack| Group::of_cable(stack, Box::leak(Box::new(GroupBuffers::new())));
    let (plug, other) = (group(network.plug), group(network.client));
    let test = async { with_timeout(PATIENCE, test(&plug, &other)).await.expect("it hangs") };
    block_on(or(test, forever(network.run())));
}

#[test]
fn whoever_is_in_it_hears_it_and_whoever_left_does_not() {
    run(async |plug, other| {
        let (ip, bits) = plug.place().unwrap();
        assert!(bits > 0);
        let mut other = other.join(Ipv4Addr::UNSPECIFIED).await.unwrap();
        let mut bytes = [0; 64];
        for round in 0..20_u8 {
            let mut socket = plug.join(ip).await.unwrap();
            assert_eq!(plug.join(ip).await.err(), Some(GroupError::InUse));
            socket.send(GROUP, &[round, 1]).await.unwrap();
            let (length, from) = other.receive(&mut bytes).await.unwrap();
            assert_eq!((&bytes[..length], from), (&[round, 1][..], SocketAddr::from((ip, 5353))));
            // Its answer goes to all of the group, the next to the plug alone.
            for to in [GROUP, from] {
                other.send(to, &[round, 2]).await.unwrap();
                let (length, _) = socket.receive(&mut bytes).await.unwrap();
                assert_eq!(bytes[..length], [round, 2]);
            }
            drop(socket);
            other.send(GROUP, &[round, 3]).await.unwrap();
            Timer::after(SILENCE / 10).await;
        }
        // Nothing that was said meanwhile waits for whoever comes back.
        let mut socket = plug.join(ip).await.unwrap();
        let heard = with_timeout(SILENCE, socket.receive(&mut bytes)).await;
        assert!(heard.is_err(), "{heard:?}");
    });
}

#[test]
fn a_packet_that_is_too_long_for_its_reader_is_an_error_and_the_next_one_comes() {
    run(async |plug, other| {
        let mut socket = plug.join(Ipv4Addr::UNSPECIFIED).await.unwrap();
        let mut other = other.join(Ipv4Addr::UNSPECIFIED).await.unwrap();
        other.send(GROUP, &[7; 40]).await.unwrap();
        let mut bytes = [0; 16];
        assert!(matches!(socket.receive(&mut bytes).await, Err(GroupError::Receive(_))));
        other.send(GROUP, &[8; 16]).await.unwrap();
        assert_eq!(socket.receive(&mut bytes).await.unwrap().0, 16);
    });
}
