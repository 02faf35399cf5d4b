//! What nobody should send: packets that do not hold together, and any packet with anything in it changed.
#![allow(clippy::indexing_slicing, reason = "tests may fail loudly")]

mod mdns_support;

use std::net::SocketAddrV4;

use mdns_support::*;
use plug::net::mdns::wire::{LONGEST, Message};

const NEIGHBOUR: SocketAddrV4 = SocketAddrV4::new(std::net::Ipv4Addr::new(192, 0, 2, 200), 5353);

/// A question with this name, written as it is.
fn with_name(name: &[u8]) -> Vec<u8> {
    let mut bytes = Made::query().0;
    bytes[5] = 1;
    bytes.extend(name);
    bytes.extend([0, 1, 0, 1]);
    bytes
}

#[test]
fn what_does_not_hold_together_is_nothing() {
    let good = Made::query().ask("ossp-cdef.local", A).0;
    assert!(Message::parse(&good).is_some());
    for end in 0..good.len() {
        assert!(Message::parse(&good[..end]).is_none(), "{end}");
    }
    let answer = Made::response().answer("ossp-cdef.local", A, 120, &[192, 0, 2, 9]).0;
    for end in 0..answer.len() {
        assert!(Message::parse(&answer[..end]).is_none(), "{end}");
    }
    // One more is promised than there is.
    for counter in [5, 7, 9, 11] {
        let mut bytes = good.clone();
        bytes[counter] += 1;
        assert!(Message::parse(&bytes).is_none(), "{counter}");
    }
    // Another kind of question, and an error.
    for (at, bits) in [(2, 0x08), (2, 0x40), (3, 0x01), (3, 0x0f)] {
        let mut bytes = good.clone();
        bytes[at] |= bits;
        assert!(Message::parse(&bytes).is_none(), "{at} {bits}");
    }
    // What follows is no business of ours.
    assert!(Message::parse(&[&good[..], b"more"].concat()).is_some());
}

#[test]
fn names_lead_forwards_only() {
    for name in [
        &[0xc0, 12][..],
        &[0xc0, 14, 0],
        &[1, b'a', 0xc0, 12],
        &[1, b'a', 0xc0, 14],
        &[0xc0],
        &[0xff, 0xff],
        &[0x40, 0],
        &[0x80, 0],
        &[63, b'a'],
    ] {
        assert!(Message::parse(&with_name(name)).is_none(), "{name:?}");
    }
    // Into the head: zeros, which end a name.
    assert!(Message::parse(&with_name(&[0xc0, 6])).is_some());
    // A name of 255 bytes, and one of 256.
    let label = [&[49][..], &[b'a'; 49]].concat();
    let mut name = label.repeat(5);
    name.extend([3, b'a', b'a', b'a', 0]);
    assert_eq!(name.len(), 255);
    assert!(Message::parse(&with_name(&name)).is_some());
    name.splice(250..251, [4, b'a']);
    assert!(Message::parse(&with_name(&name)).is_none());
    // As many pointers as there may be, each to the one before it, and one more.
    for (pointers, good) in [(16_u8, true), (17, false)] {
        let mut bytes = Made::response().0;
        bytes[7] = pointers + 1;
        let rest = [0, 16, 0, 1, 0, 0, 0, 9, 0, 0];
        bytes.extend([1, b'a', 0]);
        bytes.extend(rest);
        let mut last = 12;
        for _ in 0..pointers {
            let here = bytes.len() as u8;
            bytes.extend([0xc0, last]);
            bytes.extend(rest);
            last = here;
        }
        assert_eq!(Message::parse(&bytes).is_some(), good, "{pointers}");
    }
}

/// A packet as it may come: something that makes sense, changed.
struct Noise(u64);

impl Noise {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    fn packet(&mut self, seen: &[Packet]) -> Vec<u8> {
        let names = ["ossp-cdef.local", "ossp-cdef._ossp._tcp.local", "_http._tcp.local", "x.local", "local"];
        let kinds = [A, PTR, TXT, SRV, NSEC, AAAA, ANY];
        let mut made = if self.below(2) == 0 { Made::query() } else { Made::response() };
        for _ in 0..self.below(4) {
            made = made.ask_as(names[self.below(5)], kinds[self.below(7)], [1, 0x8001, 255][self.below(3)]);
        }
        for _ in 0..self.below(4) {
            let name = names[self.below(5)];
            let data = match self.below(3) {
                0 => vec![192, 0, 2, self.below(256) as u8],
                1 => [&[0; 6][..], &labels(names[self.below(5)])].concat(),
                _ => labels(names[self.below(5)]),
            };
            made = if self.below(2) == 0 {
                made.answer(name, kinds[self.below(7)], self.below(5000) as u32, &data)
            } else {
                made.claim(name, kinds[self.below(7)], &data)
            };
        }
        let mut bytes = if self.below(3) == 0 { seen[self.below(seen.len())].bytes.clone() } else { made.0 };
        for _ in 0..self.below(4) {
            let at = self.below(bytes.len());
            bytes[at] = [0, 1, 0xc0, 0xff, 12, 63, self.below(256) as u8][self.below(7)];
        }
        if self.below(5) == 0 {
            let length = self.below(bytes.len() + 1);
            bytes.truncate(length);
        }
        bytes.resize(bytes.len().min(LONGEST), 0);
        bytes
    }
}

#[test]
fn nothing_that_arrives_ends_it_or_makes_it_talk_without_end() {
    let mut noise = Noise(1);
    let mut seen = Cable::new();
    let plug = seen.add(7, FACTS, 9);
    seen.be(plug, "ossp-cdef");
    seen.pass(5_000);
    let seen = seen.taken();
    let mut held = held(FACTS);
    let mut said = 0;
    for _ in 0..30_000 {
        let packet = noise.packet(&seen);
        let port = [5353, 5353, 40_000][noise.below(3)];
        held.say(SocketAddrV4::new(*NEIGHBOUR.ip(), port), &packet);
        held.pass(1);
        for packet in held.packets.iter().filter(|packet| packet.from.ip() != NEIGHBOUR.ip()) {
            read(&packet.bytes);
            said += usize::from(packet.to == GROUP);
        }
        held.forget();
    }
    // Half a minute of noise: a record is said once a second at the most, and four times to rivals.
    assert!((30..30 * 4 * 12).contains(&said), "{said}");
    // Then there is peace, and it has a name.
    held.pass(20_000);
    assert!(held.labels()[0].is_some_and(|label| label.starts_with("ossp-cdef")));
}
