//! Any bytes at all from a client, over a connection in memory: every answer is whole, the connection ends, and without
//! the credentials of a person nothing in the plug changes.
#![no_main]

mod request_support;

use libfuzzer_sys::fuzz_target;
use request_support::{Bench, KEY, answers};

// The first byte says into what pieces the network cuts the rest. A byte of 1 stands for a line with a token that may
// only read, one of 2 for one that may do all.
fuzz_target!(|input: &[u8]| {
    let Some((cut, rest)) = input.split_first() else { return };
    let mut bytes = Vec::with_capacity(rest.len());
    for byte in rest {
        match byte {
            1 => bytes.extend_from_slice(KEY.0.as_bytes()),
            2 => bytes.extend_from_slice(KEY.1.as_bytes()),
            _ => bytes.push(*byte),
        }
    }
    let may_all = rest.contains(&2);
    let bench = Bench::new(bytes, usize::from(*cut) + 1);
    let written = bench.serve();
    for answer in answers(&written) {
        assert!((200..600).contains(&answer.status), "{}", answer.status);
    }
    assert!(may_all || !bench.something_changed());
});
