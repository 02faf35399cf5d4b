//! Questions as resolvers send them, and as they should not.

use super::*;
use alloc::vec::Vec;

/// A question of this type and class for a name, as RFC 1035 §4.1 has it, with EDNS behind it (RFC 6891) as most have.
fn asked(name: &str, kind: u16, class: u16) -> Vec<u8> {
    let mut bytes = alloc::vec![0xca, 0xfe, 0x01, 0x20, 0, 1, 0, 0, 0, 0, 0, 1];
    for label in name.split('.').filter(|label| !label.is_empty()) {
        bytes.push(label.len() as u8);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes.extend(kind.to_be_bytes());
    bytes.extend(class.to_be_bytes());
    bytes.extend([0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0]);
    bytes
}

/// What a packet is answered with.
fn told(question: &[u8]) -> Option<Vec<u8>> {
    let mut packet = [0xee; limits::NAMES_PACKET];
    packet[..question.len()].copy_from_slice(question);
    let length = answer(&mut packet, question.len())?;
    Some(packet[..length].to_vec())
}

#[test]
fn an_address_of_any_name_is_the_plugs_and_good_for_no_time() {
    let longest = [["a"; 63].concat(), ["b"; 63].concat(), ["c"; 63].concat(), ["d"; 61].concat()].join(".");
    for name in ["connectivitycheck.gstatic.com", "CaPtIvE.apple.COM", "wpad", "", longest.as_str()] {
        for kind in [TYPE_A, TYPE_ANY] {
            let question = asked(name, kind, 1);
            let end = question.len() - 11;
            let mut expected = alloc::vec![0xca, 0xfe, 0x85, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
            // The name as it was asked for, capitals too: resolvers compare them.
            expected.extend(&question[12..end]);
            expected.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, 192, 168, 4, 1]);
            assert_eq!(told(&question), Some(expected), "{name}");
        }
    }
}

#[test]
fn of_anything_else_there_is_none() {
    // AAAA, PTR, MX, TXT, SVCB, HTTPS.
    for kind in [28, 12, 15, 16, 64, 65] {
        let question = asked("www.google.com", kind, 1);
        let mut expected = alloc::vec![0xca, 0xfe, 0x85, 0x80, 0, 1, 0, 0, 0, 0, 0, 0];
        expected.extend(&question[12..question.len() - 11]);
        assert_eq!(told(&question), Some(expected), "{kind}");
    }
    // Chaos and any class.
    for class in [3, 255] {
        let answer = told(&asked("version.bind", 16, class)).unwrap();
        assert_eq!((&answer[..4], &answer[4..8]), (&[0xca, 0xfe, 0x85, 0x85][..], &[0, 1, 0, 0][..]));
    }
}

#[test]
fn what_is_no_question_is_refused_or_left_alone() {
    let good = asked("example.org", 1, 1);
    let changed = |place: usize, byte: u8| {
        let mut packet = good.clone();
        packet[place] = byte;
        packet
    };
    let malformed = Some(alloc::vec![0xca, 0xfe, 0x85, 0x81, 0, 0, 0, 0, 0, 0, 0, 0]);
    // No question, two of them, a pointer instead of a name, and within one; a label longer than any.
    for packet in
        [changed(5, 0), changed(5, 2), changed(4, 1), changed(12, 0xc0), changed(20, 0xc0), changed(12, 64)]
    {
        assert_eq!(told(&packet), malformed, "{packet:?}");
    }
    // A name that is one byte too long.
    let too_long = [["a"; 63].concat(), ["b"; 63].concat(), ["c"; 63].concat(), ["d"; 62].concat()].join(".");
    assert_eq!(told(&asked(&too_long, 1, 1)), malformed);
    // Cut anywhere: as long as there is a head, it is said.
    for length in 0..good.len() - 11 {
        let expected = malformed.clone().filter(|_| length >= 12);
        assert_eq!(told(&good[..length]), expected, "{length}");
    }
    // An answer is nobody's question, whatever else it is.
    assert_eq!(told(&changed(2, 0x81)), None);
    // A notification, an update.
    assert_eq!(told(&changed(2, 0x20)).unwrap(), [0xca, 0xfe, 0xa4, 0x84, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(told(&changed(2, 0x29)).unwrap()[2..4], [0xad, 0x84]);
    // Nothing is said in less room than it takes.
    let mut short = good[..good.len() - 11].to_vec();
    let length = short.len();
    assert_eq!(answer(&mut short, length), None);
    assert_eq!(answer(&mut [], 1), None);
}

/// Changed bytes, cut ends, wrong lengths: an answer or none, never a panic, and never an answer to an answer.
#[test]
fn nothing_that_arrives_ends_it() {
    let mut seed = 1_u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    for _ in 0..50_000 {
        let mut packet = asked("connectivitycheck.gstatic.com", [1, 28, 255][random(3)], 1);
        for _ in 0..random(6) {
            let length = packet.len();
            packet[random(length)] = random(256) as u8;
        }
        packet.truncate(random(packet.len() + 20));
        if let Some(answer) = told(&packet) {
            assert!((12..=packet.len().max(12) + 16).contains(&answer.len()));
            assert_eq!((&answer[..2], answer[2] & 0x80), (&packet[..2], 0x80));
            assert_eq!(told(&answer), None);
        }
    }
}
