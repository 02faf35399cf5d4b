//! Any packets at all at the plug's name on its network, and at whoever looks for plugs: packets that hold together, never
//! more often than they may be, and a name in the end.
//!
//! The input is packets: two bytes for the length, one for who sends and how long after the one before.
#![no_main]

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use ossp::discover::Plugs;
use plug::limits::MDNS_SAYS;
use plug::net::mdns::wire::{GROUP, Message, PORT};
use plug::net::mdns::{Event, Facts, Place, Responder};
use plug::platform::Instant;

/// What the plug says to whatever happened; how often to everybody.
fn told(plug: &mut Responder<'_>, now: Instant, event: Event<'_>) -> u32 {
    let (mut event, mut to_all) = (Some(event), 0);
    let mut out = [0; MDNS_SAYS];
    for turn in 0.. {
        assert!(turn < 8, "it does not come to an end");
        let Some(sending) = plug.handle(now, event.take().unwrap_or(Event::Tick), &mut out) else { break };
        let message = Message::parse(&out[..sending.length]).expect("what is said holds together");
        assert!(sending.to.ip() == &GROUP || message.is_response(), "questions go to all");
        to_all += u32::from(sending.to.ip() == &GROUP);
    }
    to_all
}

fuzz_target!(|input: &[u8]| {
    let facts = Facts { id: "0123456789ABCDEF", version: "0.1.0", board: "virtual", web_port: 80 };
    let mut plug = Responder::new(facts, 1);
    let mut plugs = Plugs::default();
    let mut now = Instant::default();
    told(
        &mut plug,
        now,
        Event::Be(Some(Place { host: "ossp-cdef", ip: Ipv4Addr::new(192, 0, 2, 7), prefix: 24 })),
    );
    let (mut rest, mut said, mut packets) = (input, 0, 0_u32);
    while let [how, high, low, behind @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]) % 1473).min(behind.len());
        let (packet, after) = behind.split_at(length);
        rest = after;
        let port = if how & 1 == 0 { PORT } else { 40_000 };
        let from = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 200 + (how >> 1 & 1)), port);
        now = now.after(Duration::from_millis([0, 10, 100, 1_000][usize::from(how >> 2 & 3)]));
        said += told(&mut plug, now, Event::Tick);
        said += told(&mut plug, now, Event::Heard(from, packet));
        plugs.hear(packet);
        packets += 1;
    }
    // Each packet makes it speak once at the most, and time now and then.
    assert!(said <= 2 * packets + 5, "{said} to {packets}");
    let _ = plugs.found();
    for _ in 0..400 {
        now = now.after(Duration::from_millis(50));
        told(&mut plug, now, Event::Tick);
    }
    assert!(plug.label().is_some_and(|label| label.starts_with("ossp-cdef")));
});
