//! Any bytes at all where the starts are counted, then starts with and without power cuts: after a start that is let
//! finish, the next one counts one more.
#![no_main]

use futures_lite::future::block_on;
use libfuzzer_sys::fuzz_target;
use ossp::sim::flash::SimFlash;
use plug::limits::STARTS_REGION;
use plug::starts::count;

fuzz_target!(|input: (Vec<(u16, u32)>, Vec<(bool, u8)>, u64)| {
    let (words, starts, seed) = input;
    let mut flash = SimFlash::new(STARTS_REGION as usize / 4096, seed);
    for (at, word) in words {
        let at = usize::from(at) * 4 % STARTS_REGION as usize;
        flash.bytes()[at..at + 4].copy_from_slice(&word.to_le_bytes());
    }
    for (fault, steps) in starts.into_iter().take(50) {
        flash.cut_power_after(u32::from(steps));
        let reason = if fault { "panic" } else { "power_on" };
        let starts = block_on(count(&mut flash, reason, "last words"));
        assert!(starts.crashes_in_a_row <= starts.bad_in_a_row, "each crash is a bad end");
        flash.restore_power();
    }
    let number = block_on(count(&mut flash, "power_on", "")).number;
    assert!(number > 0, "a flash that works is used");
    let next = block_on(count(&mut flash, "power_on", ""));
    assert_eq!((next.number, next.trouble), (number.saturating_add(1), None));
});
