//! Frames as a client sends them and servers answer them, and whatever else there is on a network.

use super::*;
use alloc::vec;
use alloc::vec::Vec;
use edge_dhcp::{DhcpOption, Packet};
use proptest::prelude::*;

const HARDWARE: [u8; 6] = [2, 0, 0, 0xaa, 0xbb, 0xcc];
const TRANSACTION: [u8; 4] = [1, 2, 3, 4];

/// A message in a frame with right checksums.
fn frame(operation: u8, options: &[u8]) -> Vec<u8> {
    let mut message = vec![0; FIXED];
    message[..3].copy_from_slice(&[operation, 1, 6]);
    message[4..8].copy_from_slice(&TRANSACTION);
    message[28..34].copy_from_slice(&HARDWARE);
    message[236..].copy_from_slice(&COOKIE);
    message.extend_from_slice(options);
    let (from, to) = if operation == 1 { (68_u16, 67_u16) } else { (67, 68) };
    let mut frame = vec![0xff; 12];
    frame.extend_from_slice(&IPV4);
    frame.extend_from_slice(&[0x45, 0]);
    frame.extend_from_slice(&(28 + message.len() as u16).to_be_bytes());
    frame.extend_from_slice(&[0, 7, 0x40, 0, 64, UDP, 0, 0]);
    frame.extend_from_slice(&[0, 0, 0, 0, 255, 255, 255, 255]);
    frame.extend_from_slice(&from.to_be_bytes());
    frame.extend_from_slice(&to.to_be_bytes());
    frame.extend_from_slice(&(8 + message.len() as u16).to_be_bytes());
    frame.extend_from_slice(&[0, 0]);
    frame.extend_from_slice(&message);
    let checksum = checksum(&frame);
    frame[40..42].copy_from_slice(&checksum.to_be_bytes());
    frame
}

/// The UDP checksum that a frame should have (RFC 768), computed in another way than above.
fn checksum(frame: &[u8]) -> u16 {
    let mut bytes = frame[26..].to_vec();
    bytes[14..16].fill(0);
    let length = u16::from_be_bytes([frame[38], frame[39]]);
    bytes.extend_from_slice(&vec![0; bytes.len() % 2]);
    bytes.extend_from_slice(&[0, UDP]);
    bytes.extend_from_slice(&length.to_be_bytes());
    let mut sum = 0_u16;
    for pair in bytes.chunks(2) {
        let (next, carry) = sum.overflowing_add(u16::from_be_bytes([pair[0], pair[1]]));
        sum = next + u16::from(carry);
    }
    if sum == 0xffff { 0xffff } else { !sum }
}

/// As smoltcp sends it.
const DISCOVER: &[u8] = &[
    53, 1, 1, 61, 7, 1, 2, 0, 0, 0xaa, 0xbb, 0xcc, 57, 2, 0x05, 0xc0, 55, 3, 1, 3, 6, 12, 4, b'o', b's',
    b's', b'p', 255,
];
const ACK: &[u8] = &[53, 1, 5, 54, 4, 10, 0, 0, 1, 42, 8, 10, 0, 0, 3, 10, 0, 0, 4, 255];

fn conversation() -> Conversation {
    Conversation { transaction: TRANSACTION, hardware: HARDWARE }
}

#[test]
fn the_list_is_one_longer_and_the_frame_is_not() {
    let before = frame(1, DISCOVER);
    let mut sent = before.clone();
    assert_eq!(ask(&mut sent), Some(conversation()));
    assert_eq!(sent.len(), before.len());
    assert_eq!(sent[..40], before[..40]);
    let options = [
        53, 1, 1, 61, 7, 1, 2, 0, 0, 0xaa, 0xbb, 0xcc, 55, 4, 1, 3, 6, 42, 12, 4, b'o', b's', b's', b'p',
        255, 0, 0, 0,
    ];
    assert_eq!(sent[42 + FIXED..], options);
    assert_eq!(u16::from_be_bytes([sent[40], sent[41]]), checksum(&sent));
    // A server understands it.
    let packet = Packet::decode(&sent[42..]).unwrap();
    let list = packet.options.iter().find_map(|option| match option {
        DhcpOption::ParameterRequestList(list) => Some(list),
        _ => None,
    });
    assert_eq!(list, Some(&[1, 3, 6, 42][..]));
    // Once is enough.
    let again = sent.clone();
    assert_eq!(ask(&mut sent), Some(conversation()));
    assert_eq!(sent, again);
}

#[test]
fn the_order_of_the_options_does_not_matter() {
    for options in [
        &[53, 1, 3, 55, 2, 1, 3, 50, 4, 10, 0, 0, 9, 57, 2, 5, 192, 255][..],
        &[0, 57, 2, 5, 192, 0, 53, 1, 3, 55, 2, 1, 3, 255, 0, 0],
        &[55, 2, 1, 3, 57, 2, 5, 192, 53, 1, 3, 255],
    ] {
        let mut sent = frame(1, options);
        assert!(ask(&mut sent).is_some());
        let found = find(&sent[42 + FIXED..], WANTED).unwrap();
        assert_eq!(sent[42 + FIXED..][found], [1, 3, 42]);
        assert_eq!(find(&sent[42 + FIXED..], LARGEST), None);
        assert!(find(&sent[42 + FIXED..], MESSAGE_TYPE).is_some());
        assert_eq!(u16::from_be_bytes([sent[40], sent[41]]), checksum(&sent));
    }
}

#[test]
fn what_has_no_room_or_no_list_stays_as_it_is() {
    for options in [
        &[53, 1, 1, 55, 2, 1, 3, 255][..],
        &[53, 1, 1, 57, 2, 5, 192, 255],
        &[53, 1, 1, 55, 2, 1, 42, 57, 2, 5, 192, 255],
        &[],
    ] {
        let before = frame(1, options);
        let mut sent = before.clone();
        assert_eq!(ask(&mut sent), Some(conversation()));
        assert_eq!(sent, before);
    }
    // Without a checksum there stays none.
    let mut sent = frame(1, DISCOVER);
    sent[40..42].fill(0);
    assert!(ask(&mut sent).is_some());
    assert_eq!(sent[40..42], [0, 0]);
}

#[test]
fn the_first_time_server_of_an_answer_to_us_is_read() {
    let server = Ipv4Addr::new(10, 0, 0, 3);
    assert_eq!(read(&frame(2, ACK), &conversation()), Some(Some(server)));
    let without = [53, 1, 5, 54, 4, 10, 0, 0, 1, 255];
    assert_eq!(read(&frame(2, &without), &conversation()), Some(None));
    for nobody in [[0, 0, 0, 0], [255, 255, 255, 255], [224, 0, 1, 1], [127, 0, 0, 1]] {
        let options = [&[53, 1, 5, 42, 4][..], &nobody, &[255]].concat();
        assert_eq!(read(&frame(2, &options), &conversation()), Some(None), "{nobody:?}");
    }
    let short = [53, 1, 5, 42, 3, 10, 0, 0, 255];
    assert_eq!(read(&frame(2, &short), &conversation()), Some(None));
}

#[test]
fn what_is_not_an_acknowledgement_to_us_says_nothing() {
    let good = frame(2, ACK);
    let others = [
        Conversation { transaction: [1, 2, 3, 5], hardware: HARDWARE },
        Conversation { transaction: TRANSACTION, hardware: [2, 0, 0, 0xaa, 0xbb, 0xcd] },
    ];
    for other in &others {
        assert_eq!(read(&good, other), None);
    }
    // An offer, a refusal, a request, other protocols, other ports, a fragment, no cookie.
    assert_eq!(read(&frame(2, &[53, 1, 2, 42, 4, 10, 0, 0, 3, 255]), &conversation()), None);
    assert_eq!(read(&frame(2, &[53, 1, 6, 42, 4, 10, 0, 0, 3, 255]), &conversation()), None);
    assert_eq!(read(&frame(1, ACK), &conversation()), None);
    for (at, byte) in
        [(12, 0x86), (14, 0x65), (14, 0x44), (20, 0x20), (21, 1), (23, 6), (35, 66), (37, 69), (278, 0)]
    {
        let mut wrong = good.clone();
        wrong[at] = byte;
        assert_eq!(read(&wrong, &conversation()), None, "{at}");
        let mut sent = frame(1, DISCOVER);
        sent[at] = byte;
        let before = sent.clone();
        assert_eq!((ask(&mut sent), sent), (None, before), "{at}");
    }
    for length in 0..good.len() {
        let cut = read(&good[..length], &conversation());
        assert!(cut.is_none(), "{length}: the frame ends before its own length says so");
    }
}

proptest! {
    /// Whatever is sent and received: no panic, no other length, and nothing before the options but the checksum changes.
    #[test]
    fn any_frame_at_all(
        options in prop::collection::vec(any::<u8>(), 0..80),
        noise in prop::collection::vec((0..42_usize, any::<u8>()), 0..3),
        operation in 1..3_u8,
    ) {
        let mut sent = frame(operation, &options);
        for (at, byte) in noise {
            sent[at] = byte;
        }
        let before = sent.clone();
        let _ = read(&sent, &conversation());
        let asked = ask(&mut sent);
        prop_assert_eq!(sent.len(), before.len());
        prop_assert_eq!(&sent[..40], &before[..40]);
        prop_assert_eq!(&sent[42..42 + FIXED], &before[42..42 + FIXED]);
        if asked.is_none() {
            prop_assert_eq!(sent, before);
        } else if sent != before {
            prop_assert!(find(&sent[42 + FIXED..], WANTED).is_some());
        }
    }

    #[test]
    fn any_bytes_at_all(mut bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let before = bytes.clone();
        prop_assert!(read(&bytes, &conversation()).is_none());
        prop_assert!(ask(&mut bytes).is_none());
        prop_assert_eq!(bytes, before);
    }
}
