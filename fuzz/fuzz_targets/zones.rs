//! Any text as the rules of a time zone, as the time of a schedule's entry, as a day: nothing panics, what is understood
//! is printed and read back as the same, and the zone's clock agrees with itself.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| assert!(plug::core::schedule::round_trips(input)));
