//! embassy-net's own DHCP client behind the driver that asks for a time server too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, dead_code, reason = "tests")]

mod wire;

use std::cell::RefCell;
use std::future::poll_fn;
use std::net::Ipv4Addr;
use std::task::Poll;

use embassy_net::driver::{Driver, RxToken, TxToken};
use embassy_net::{Config, StackResources};
use embassy_time::{Duration, with_timeout};
use futures_lite::future::{block_on, or};
use ossp_embassy::{AskingForTime, NamedTimeServer};
use wire::Card;

/// From the beginning of a frame to that of a DHCP message, and of that to its options.
const MESSAGE: usize = 42;
const OPTIONS: usize = 240;
const SERVER: [u8; 4] = [10, 0, 0, 2];
const CLIENT: [u8; 4] = [10, 0, 0, 77];

async fn receive(card: &mut Card) -> Vec<u8> {
    poll_fn(|context| match card.receive(context) {
        Some((token, _)) => Poll::Ready(token.consume(|frame| frame.to_vec())),
        None => Poll::Pending,
    })
    .await
}

async fn send(card: &mut Card, frame: &[u8]) {
    poll_fn(|context| match card.transmit(context) {
        Some(token) => {
            token.consume(frame.len(), |room| room.copy_from_slice(frame));
            Poll::Ready(())
        }
        None => Poll::Pending,
    })
    .await;
}

fn option(message: &[u8], wanted: u8) -> Option<Vec<u8>> {
    let mut at = OPTIONS;
    while let Some([code, length]) = message.get(at..at + 2) {
        match (*code, usize::from(*length)) {
            (0, _) => at += 1,
            (255, _) => return None,
            (code, length) if code == wanted => return Some(message[at + 2..at + 2 + length].to_vec()),
            (_, length) => at += 2 + length,
        }
    }
    None
}

/// The ones' complement sum of words (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let sum: u32 =
        bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded & 0xffff) + (folded >> 16)) as u16
}

/// Whether the checksum of a UDP datagram is right: with it the sum of all is nothing.
fn is_whole(frame: &[u8]) -> bool {
    let mut bytes = frame[26..].to_vec();
    bytes.extend_from_slice(&vec![0; bytes.len() % 2]);
    bytes.extend_from_slice(&[0, 17, frame[38], frame[39]]);
    checksum(&bytes) == 0
}

/// The answer to a client's message.
fn answer(asked: &[u8], hardware: [u8; 6], options: &[u8]) -> Vec<u8> {
    let mut message = asked[MESSAGE..MESSAGE + OPTIONS].to_vec();
    message[0] = 2;
    message[16..20].copy_from_slice(&CLIENT);
    message[28..34].copy_from_slice(&hardware);
    message.extend_from_slice(options);
    message.extend_from_slice(&[54, 4]);
    message.extend_from_slice(&SERVER);
    message.extend_from_slice(&[1, 4, 255, 255, 255, 0, 51, 4, 0, 0, 14, 16, 255]);
    let length = message.len() as u16;
    let mut frame = [[0xff; 6], [2, 0, 0, 0, 9, 2]].concat();
    frame.extend_from_slice(&[8, 0, 0x45, 0]);
    frame.extend_from_slice(&(length + 28).to_be_bytes());
    frame.extend_from_slice(&[0, 0, 0, 0, 64, 17, 0, 0]);
    frame.extend_from_slice(&SERVER);
    frame.extend_from_slice(&[255; 4]);
    let header = checksum(&frame[14..34]);
    frame[24..26].copy_from_slice(&header.to_be_bytes());
    frame.extend_from_slice(&[0, 67, 0, 68]);
    frame.extend_from_slice(&(length + 8).to_be_bytes());
    frame.extend_from_slice(&[0, 0]);
    frame.extend_from_slice(&message);
    frame
}

/// Hands out an address; with the acknowledgement goes `more`. What it was asked for.
fn join(more: &'static [u8]) -> (Option<Ipv4Addr>, Vec<Vec<u8>>) {
    let named: &'static NamedTimeServer = Box::leak(Box::new(NamedTimeServer::new()));
    let (card, mut router) = wire::cards(9);
    let resources = Box::leak(Box::new(StackResources::<4>::new()));
    let driver = AskingForTime::new(card, named);
    let (stack, mut runner) = embassy_net::new(driver, Config::dhcpv4(Default::default()), resources, 7);
    let asked = RefCell::new(Vec::new());
    let serve = async {
        loop {
            let frame = receive(&mut router).await;
            if frame.len() < MESSAGE + OPTIONS || frame[34..38] != [0, 68, 0, 67] {
                continue;
            }
            assert!(is_whole(&frame), "a server drops what has a wrong checksum");
            let message = &frame[MESSAGE..];
            asked.borrow_mut().push(option(message, 55).expect("it says what it wants"));
            let hardware: [u8; 6] = message[28..34].try_into().unwrap();
            if option(message, 53).unwrap() == [1] {
                // An offer names another one, which does not count.
                send(&mut router, &answer(&frame, hardware, &[53, 1, 2, 42, 4, 10, 0, 0, 99])).await;
            } else {
                // Somebody else's acknowledgement comes first.
                send(&mut router, &answer(&frame, [2, 9, 9, 9, 9, 9], &[53, 1, 5, 42, 4, 10, 0, 0, 98]))
                    .await;
                send(&mut router, &answer(&frame, hardware, &[&[53, 1, 5], more].concat())).await;
                // And one that somebody made who heard it: the client has its answer.
                send(&mut router, &answer(&frame, hardware, &[53, 1, 5, 42, 4, 10, 0, 0, 97])).await;
            }
        }
    };
    let up = async {
        let address = async {
            stack.wait_config_up().await;
            stack.config_v4().unwrap().address.address()
        };
        with_timeout(Duration::from_secs(20), address).await.expect("an address")
    };
    let address = block_on(or(up, or(serve, async { runner.run().await })));
    assert_eq!(address, Ipv4Addr::from(CLIENT));
    (named.get(), asked.into_inner())
}

#[test]
fn the_client_asks_for_it_and_it_is_read() {
    let (named, asked) = join(&[42, 8, 10, 0, 0, 3, 10, 0, 0, 4]);
    assert_eq!(named, Some(Ipv4Addr::new(10, 0, 0, 3)));
    assert_eq!(asked.len(), 2, "one to discover, one to request");
    for list in &asked {
        assert_eq!(list, &[1, 3, 6, 42], "what it asks for anyway, and 42");
    }
}

#[test]
fn a_network_that_names_none_names_none() {
    assert_eq!(join(&[]).0, None);
}
