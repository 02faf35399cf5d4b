//! Any bytes as a time server's answer, as a `Date` header and as a DHCP frame: nothing panics, and what is believed is what
//! a right one would say.
#![no_main]

use core::net::Ipv4Addr;
use core::time::Duration;

use libfuzzer_sys::fuzz_target;
use plug::platform::Instant;
use plug::timekeeping::servers::{are_servers, servers};
use plug::timekeeping::{Answer, Source, Timekeeper, Verdict, date, ntp, option42};

const AT: Instant = Instant::from_start(Duration::from_secs(100));

fuzz_target!(|input: &[u8]| {
    answer(input);
    if let Ok(text) = core::str::from_utf8(input) {
        header(text);
        let named = servers(text).count();
        assert!(!are_servers(text) || (1..=3).contains(&named));
    }
    frame(input);
});

fn answer(input: &[u8]) {
    // Chance repeats itself so seldom that nothing would ever be read.
    let repeated = input.get(24..32).and_then(|bytes| bytes.first_chunk::<8>());
    let cookie = repeated.map_or(1, |bytes| u64::from_be_bytes(*bytes));
    assert!(ntp::read(input, cookie ^ 1).is_err());
    let Ok(reply) = ntp::read(input, cookie) else { return };
    assert_eq!(input.len(), ntp::PACKET);
    assert_eq!(input[0] & 7, 4);
    assert!((1..16).contains(&reply.stratum) && (0.0..=1.0).contains(&reply.distance_s));
    let took = Duration::from_secs(3);
    if let Ok(answer) = reply.answer(Source::Ntp, took, AT) {
        assert!((0.0..=2.5).contains(&answer.uncertainty_s), "{answer:?}");
        believe(answer);
    }
}

fn header(text: &str) {
    let Some(answer) = Answer::of_date(text, Duration::from_secs(1), AT) else { return };
    assert_eq!(text.len(), 29);
    assert!(date::parse(text).is_some());
    believe(answer);
}

fn believe(answer: Answer) {
    let mut keeper = Timekeeper::new();
    let verdict = keeper.handle(answer);
    assert_eq!(verdict == Verdict::First, keeper.offset_s().is_some());
    if let Some(offset_s) = keeper.offset_s() {
        assert!((1.7e9..4.2e9).contains(&offset_s), "{offset_s}");
    }
}

fn frame(input: &[u8]) {
    let mut sent = input.to_vec();
    let ours = option42::ask(&mut sent);
    assert_eq!(sent.len(), input.len());
    if ours.is_none() {
        assert_eq!(sent, input);
    }
    let Some(ours) = ours else { return };
    // Asked once, it is asked for.
    let again = sent.clone();
    assert_eq!(option42::ask(&mut sent), Some(ours));
    assert!(sent == again || sent != input);
    // The same bytes as an answer.
    for (at, byte) in [(35, 67), (37, 68), (42, 2)] {
        if let Some(place) = sent.get_mut(at) {
            *place = byte;
        }
    }
    if let Some(Some(server)) = option42::read(&sent, &ours) {
        assert!(server != Ipv4Addr::UNSPECIFIED && server != Ipv4Addr::BROADCAST);
    }
}
