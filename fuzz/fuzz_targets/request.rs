//! Any bytes at all from a client, over a connection in memory: every answer is whole, the connection ends, and without
//! the credentials of somebody who may do all nothing in the plug changes, whether it has an owner or not.
#![no_main]

mod request_support;

use std::sync::Once;

use libfuzzer_sys::fuzz_target;
use request_support::{Bench, answers, line};

static SOUND: Once = Once::new();

/// In the first byte: the plug belongs to nobody yet.
const FRESH: u8 = 0x80;

// The other bits of the first byte say into what pieces the network cuts the rest. A byte of 1 stands for a line with a
// token that may only read, one of 2 for one that may do all.
fuzz_target!(|input: &[u8]| {
    SOUND.call_once(the_bench_is_sound);
    let Some((first, rest)) = input.split_first() else { return };
    let (fresh, piece) = (first & FRESH != 0, usize::from(first & !FRESH) + 1);
    let mut bytes = Vec::with_capacity(rest.len());
    for byte in rest {
        match byte {
            1 | 2 => bytes.extend_from_slice(line(*byte).as_bytes()),
            _ => bytes.push(*byte),
        }
    }
    let may_all = !fresh && rest.contains(&2);
    let bench = Bench::new(bytes, piece, fresh);
    let written = bench.serve();
    for status in answers(&written) {
        assert!((200..600).contains(&status), "{status}");
    }
    assert!(may_all || !(bench.something_changed() || bench.slots.is_chosen()));
});

/// A bench on which nothing can happen would find nothing.
fn the_bench_is_sound() {
    let change = format!(
        "PATCH /api/v1/settings HTTP/1.1\r\nHost: localhost\r\n{}Content-Type: application/json\r\n\
         Content-Length: 27\r\n\r\n{{\"relay\":{{\"inching_s\":2.5}}}}",
        line(2)
    );
    let bench = Bench::new(change.into_bytes(), 7, false);
    assert_eq!(answers(&bench.serve()), [200]);
    assert!(bench.something_changed());
}
