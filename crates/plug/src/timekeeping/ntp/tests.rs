//! What a client must not believe, one fault at a time, and what it makes of what it believes.

use super::*;
use alloc::vec::Vec;
use proptest::prelude::*;

const COOKIE: u64 = 0x1234_5678_9abc_def0;
/// 2026-11-30 00:00:00.25 as NTP writes it.
const SENT: u64 = (1_795_996_800 + 2_208_988_800) << 32 | 0x4000_0000;

/// A good answer: stratum 2, root delay 30 ms, root dispersion 10 ms, the request came 1/16 s before.
fn good() -> [u8; PACKET] {
    let mut packet = [0; PACKET];
    packet[0] = 4 << 3 | 4;
    packet[1] = 2;
    packet[4..8].copy_from_slice(&0x0000_07ae_u32.to_be_bytes());
    packet[8..12].copy_from_slice(&0x0000_028f_u32.to_be_bytes());
    packet[12..16].copy_from_slice(&[192, 168, 1, 1]);
    packet[24..32].copy_from_slice(&COOKIE.to_be_bytes());
    packet[32..40].copy_from_slice(&(SENT - 0x1000_0000).to_be_bytes());
    packet[40..48].copy_from_slice(&SENT.to_be_bytes());
    packet
}

fn with(offset: usize, bytes: &[u8]) -> Result<Reply, NtpError> {
    let mut packet = good();
    packet[offset..offset + bytes.len()].copy_from_slice(bytes);
    read(&packet, COOKIE)
}

#[test]
fn a_request_says_nothing_but_its_cookie() {
    let packet = request(COOKIE);
    assert_eq!(packet[0], 0x23);
    assert!(packet[1..40].iter().all(|byte| *byte == 0));
    assert_eq!(packet[40..], COOKIE.to_be_bytes());
}

#[test]
fn a_good_answer_is_understood() {
    let reply = read(&good(), COOKIE).unwrap();
    assert_eq!((reply.sent_s, reply.stayed_s, reply.stratum), (1_795_996_800.25, 0.0625, 2));
    assert!((reply.distance_s - 0.025).abs() < 1e-4, "{reply:?}");
    let at = Instant::from_start(Duration::from_secs(7));
    let answer = reply.answer(Source::Dhcp, Duration::from_millis(562), at).unwrap();
    assert_eq!((answer.source, answer.at), (Source::Dhcp, at));
    // Half of the way of 0.4995 s, from when it was sent.
    assert!((answer.unix_s - 1_795_996_800.499_75).abs() < 1e-6, "{answer:?}");
    assert!((answer.uncertainty_s - (0.249_75 + reply.distance_s)).abs() < 1e-9);
}

#[test]
fn each_fault_is_found() {
    use NtpError::{KissDenied, KissRate, Malformed, NotOurs, NotSynchronized, TooUncertain};
    assert!(with(0, &[4 << 3 | 4]).is_ok());
    // Version 3 answers too; a leap second that is announced is no fault.
    assert!(with(0, &[3 << 3 | 4]).is_ok() && with(0, &[1 << 6 | 4 << 3 | 4]).is_ok());
    for (offset, bytes, error) in [
        (0, &[4 << 3 | 3][..], Malformed),
        (0, &[4 << 3 | 5], Malformed),
        (0, &[4 << 3 | 6], Malformed),
        (0, &[5 << 3 | 4], Malformed),
        (0, &[2 << 3 | 4], Malformed),
        (0, &[3 << 6 | 4 << 3 | 4], NotSynchronized),
        (1, &[16], NotSynchronized),
        (1, &[255], NotSynchronized),
        // Root delay 2.5 s; dispersion 1.5 s; both are unsigned.
        (4, &[0, 2, 0x80, 0], TooUncertain),
        (8, &[0, 1, 0x80, 0], TooUncertain),
        (4, &[0xff, 0xff, 0xff, 0xff], TooUncertain),
        (24, &[0], NotOurs),
        (31, &[0], NotOurs),
        (32, &[0; 8], Malformed),
        (40, &[0; 8], Malformed),
    ] {
        assert_eq!(with(offset, bytes), Err(error), "{bytes:?} at {offset}");
    }
    for (code, error) in [
        (b"RATE", KissRate),
        (b"DENY", KissDenied),
        (b"RSTR", KissDenied),
        (b"INIT", NotSynchronized),
        (b"STEP", NotSynchronized),
        (b"\0\0\0\0", NotSynchronized),
    ] {
        let mut packet = good();
        packet[1] = 0;
        packet[12..16].copy_from_slice(code);
        assert_eq!(read(&packet, COOKIE), Err(error));
        // Nobody can bar a server who has not seen the request.
        assert_eq!(read(&packet, COOKIE ^ 1), Err(NotOurs));
    }
    let long: Vec<u8> = good().into_iter().chain([0; 4]).collect();
    assert_eq!(read(&long, COOKIE), Err(Malformed));
    for length in 0..PACKET {
        assert_eq!(read(&good()[..length], COOKIE), Err(Malformed), "{length}");
    }
    // The request itself, sent back.
    assert_eq!(read(&request(COOKIE), COOKIE), Err(NotOurs));
}

#[test]
fn a_server_cannot_have_had_it_for_longer_than_it_took() {
    let reply = read(&good(), COOKIE).unwrap();
    let at = Instant::default();
    assert_eq!(reply.answer(Source::Ntp, Duration::from_millis(61), at), Err(NtpError::Malformed));
    // Within a millisecond it is the clocks.
    let answer = reply.answer(Source::Ntp, Duration::from_millis(62), at).unwrap();
    assert_eq!((answer.unix_s, answer.uncertainty_s), (reply.sent_s, reply.distance_s));
    // Sent before it was received.
    let back = with(32, &(SENT + 1).to_be_bytes()).unwrap();
    assert_eq!(back.answer(Source::Ntp, Duration::from_secs(1), at), Err(NtpError::Malformed));
}

/// The number of seconds overflows on 2036-02-07.
#[test]
fn the_second_era_begins_in_2036() {
    let at = |unix: u64| {
        let time = (unix + 2_208_988_800) << 32;
        let mut packet = good();
        packet[32..40].copy_from_slice(&(time + 1).to_be_bytes());
        packet[40..48].copy_from_slice(&(time + 2).to_be_bytes());
        read(&packet, COOKIE).map(|reply| reply.sent_s)
    };
    for unix in [1_735_689_600, 2_085_978_495, 2_085_978_496, 2_085_978_497, 4_102_444_799] {
        let found = at(unix).unwrap();
        assert!((found - unix as f64).abs() < 1e-6, "{unix}: {found}");
    }
}

proptest! {
    /// Whatever comes: what is believed repeats the cookie, and is from a server that is synchronised and near.
    #[test]
    fn only_what_is_ours_is_believed(
        mut packet in prop::collection::vec(any::<u8>(), PACKET),
        ours in prop::bool::weighted(0.8),
        plain in prop::bool::weighted(0.8),
    ) {
        if ours {
            packet[24..32].copy_from_slice(&COOKIE.to_be_bytes());
        }
        if plain {
            packet[0] = 4 << 3 | 4;
            packet[1] %= 18;
            packet[4..6].fill(0);
            packet[8..10].fill(0);
        }
        if let Ok(reply) = read(&packet, COOKIE) {
            prop_assert!(ours);
            prop_assert!((1..16).contains(&reply.stratum) && (0.0..=FARTHEST_S).contains(&reply.distance_s));
            prop_assert!(reply.sent_s.is_finite() && reply.stayed_s.is_finite());
            if let Ok(answer) = reply.answer(Source::Ntp, Duration::from_secs(2), Instant::default()) {
                prop_assert!((reply.distance_s..=reply.distance_s + 1.0).contains(&answer.uncertainty_s));
            }
        }
    }
}
