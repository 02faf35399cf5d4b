//! Any datagram at all at the access point's name server: an answer that fits, or none, and never one to an answer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plug::limits::{ACCESS_POINT_ADDRESS, NAMES_PACKET};
use plug::net::names::answer;

fuzz_target!(|question: &[u8]| {
    let question = &question[..question.len().min(NAMES_PACKET)];
    // The rest of the buffer is what was there before: nothing of it counts.
    let [first, second] = [0x00, 0xff].map(|filling| {
        let mut buffer = [filling; NAMES_PACKET];
        buffer[..question.len()].copy_from_slice(question);
        answer(&mut buffer, question.len()).map(|length| buffer[..length].to_vec())
    });
    assert_eq!(first, second);
    let Some(given) = first else { return };
    assert!(given.len() >= 12 && given.len() <= question.len() + 16);
    assert_eq!(given[..2], question[..2], "to the one who asked");
    assert!(given[2] & 0x80 != 0, "an answer");
    if given[7] == 1 {
        assert!(given.ends_with(&ACCESS_POINT_ADDRESS.octets()));
        assert_eq!(given[12..given.len() - 16], question[12..given.len() - 16]);
    } else {
        assert_eq!(given[7], 0);
    }
    let mut again = [0; NAMES_PACKET];
    again[..given.len()].copy_from_slice(&given);
    assert_eq!(answer(&mut again, given.len()), None);
});
