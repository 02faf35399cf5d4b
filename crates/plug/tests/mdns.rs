//! How the plug takes its name, keeps it and answers to it: RFC 6762 and 6763 on a simulated cable.
#![allow(clippy::indexing_slicing, reason = "tests may fail loudly")]

mod mdns_support;

use std::collections::BTreeSet;
use std::net::SocketAddrV4;

use mdns_support::*;
use plug::limits;
use plug::net::mdns::{Event, Facts, Place};

const HOST: &str = "ossp-cdef.local";
const HTTP: &str = "ossp-cdef._http._tcp.local";
const OSSP: &str = "ossp-cdef._ossp._tcp.local";
const WORDS: &str = "id=0123456789ABCDEF version=0.1.0 board=virtual path=/";
/// Somebody in the group, and somebody who is not.
const NEIGHBOUR: SocketAddrV4 = SocketAddrV4::new(std::net::Ipv4Addr::new(192, 0, 2, 200), 5353);
const STRANGER: SocketAddrV4 = SocketAddrV4::new(std::net::Ipv4Addr::new(192, 0, 2, 200), 40_000);

fn record(name: &str, kind: u16, class: u16, ttl: u32, data: &str) -> Record {
    Record { name: name.to_owned(), kind, class, ttl, data: data.to_owned() }
}

/// All that is said of a plug.
fn everything() -> Vec<Record> {
    vec![
        record(HOST, A, 0x8001, 120, "192.0.2.7"),
        record(HOST, NSEC, 0x8001, 120, "ossp-cdef.local 1"),
        record(HTTP, TXT, 0x8001, 4500, WORDS),
        record(HTTP, SRV, 0x8001, 120, "ossp-cdef.local 80"),
        record(HTTP, NSEC, 0x8001, 120, &format!("{HTTP} 16 33")),
        record(OSSP, TXT, 0x8001, 4500, WORDS),
        record(OSSP, SRV, 0x8001, 120, "ossp-cdef.local 80"),
        record(OSSP, NSEC, 0x8001, 120, &format!("{OSSP} 16 33")),
        record("_http._tcp.local", PTR, 1, 4500, HTTP),
        record("_ossp._tcp.local", PTR, 1, 4500, OSSP),
        record("_services._dns-sd._udp.local", PTR, 1, 4500, "_http._tcp.local"),
        record("_services._dns-sd._udp.local", PTR, 1, 4500, "_ossp._tcp.local"),
    ]
}

#[test]
fn a_name_is_asked_for_three_times_and_said_twice() {
    let mut starts = BTreeSet::new();
    for chance in 0..50 {
        let mut cable = Cable::new();
        let plug = cable.add(7, FACTS, chance * 7_919);
        cable.pass(5);
        assert_eq!(cable.plugs[plug].1.poll_at(), None);
        cable.be(plug, "ossp-cdef");
        assert_eq!(cable.labels(), [None]);
        cable.pass(10_000);
        let packets = cable.taken();
        let times: Vec<_> = packets.iter().map(|packet| packet.time - packets[0].time).collect();
        assert_eq!(times, [0, 250, 500, 750, 1_750]);
        assert!(packets[0].time < 5 + 250 + 2, "{}", packets[0].time);
        starts.insert(packets[0].time);
        assert!(packets.iter().all(|packet| packet.to == GROUP));
        for (index, probe) in packets[..3].iter().enumerate() {
            let probe = probe.read();
            let class = if index == 0 { 0x8001 } else { 1 };
            assert_eq!(probe.flags, 0);
            assert_eq!(probe.questions, [HOST, HTTP, OSSP].map(|name| (name.to_owned(), ANY, class)));
            let mut claimed = everything();
            claimed.retain(|record| record.class == 0x8001 && record.kind != NSEC);
            claimed.iter_mut().for_each(|record| record.class = 1);
            assert_eq!(probe.authority, claimed);
        }
        for announcement in &packets[3..] {
            let said = announcement.read();
            assert_eq!((said.flags, said.id, said.questions.len()), (0x8400, 0, 0));
            assert_eq!(said.answers, everything());
        }
        assert_eq!(cable.labels(), [Some("ossp-cdef")]);
    }
    assert!(starts.len() > 20, "the start is not random: {starts:?}");
}

#[test]
fn all_that_can_be_asked_is_answered() {
    for (name, kind, wanted, more) in [
        (HOST, A, vec![(HOST, A)], vec![(HOST, NSEC)]),
        ("OSSP-CdeF.LOCAL", A, vec![(HOST, A)], vec![(HOST, NSEC)]),
        (HOST, ANY, vec![(HOST, A)], vec![(HOST, NSEC)]),
        (HOST, AAAA, vec![(HOST, NSEC)], vec![(HOST, A)]),
        (HOST, TXT, vec![(HOST, NSEC)], vec![(HOST, A)]),
        (HTTP, SRV, vec![(HTTP, SRV)], vec![(HOST, A), (HOST, NSEC)]),
        (OSSP, TXT, vec![(OSSP, TXT)], vec![]),
        (OSSP, A, vec![(OSSP, NSEC)], vec![]),
        (HTTP, ANY, vec![(HTTP, TXT), (HTTP, SRV)], vec![(HOST, A), (HOST, NSEC)]),
        (
            "_ossp._tcp.local",
            PTR,
            vec![("_ossp._tcp.local", PTR)],
            vec![(OSSP, TXT), (OSSP, SRV), (OSSP, NSEC), (HOST, A), (HOST, NSEC)],
        ),
        (
            "_http._tcp.local",
            ANY,
            vec![("_http._tcp.local", PTR)],
            vec![(HTTP, TXT), (HTTP, SRV), (HTTP, NSEC), (HOST, A), (HOST, NSEC)],
        ),
        ("_services._dns-sd._udp.local", PTR, vec![("_services._dns-sd._udp.local", PTR); 2], vec![]),
    ] {
        for class in [1, 255] {
            let mut cable = held(FACTS);
            let begin = cable.now;
            let answers = cable.answers(NEIGHBOUR, &Made::query().ask_as(name, kind, class).0);
            assert_eq!(answers.len(), 1, "{name} {kind}");
            let said = answers[0].read();
            let sorted = |mut list: Vec<(&'static str, u16)>| {
                list.sort_unstable();
                list
            };
            assert_eq!(said.kinds(), sorted(wanted.clone()), "{name} {kind}");
            assert_eq!(kinds(&said.additional), sorted(more.clone()), "{name} {kind}");
            assert!(said.answers.iter().chain(&said.additional).all(|record| everything().contains(record)));
            assert_eq!((answers[0].to, said.flags, said.id), (GROUP, 0x8400, 0));
            // What is the plug's alone is said at once, what several may answer a moment later.
            let took = answers[0].time - begin;
            let shared = wanted[0].1 == PTR;
            assert!(if shared { (20..=121).contains(&took) } else { took <= 1 }, "{name} {kind}: {took}");
        }
    }
}

#[test]
fn what_does_not_concern_the_plug_is_not_answered() {
    let mut cable = held(FACTS);
    for (name, kind, class) in [
        ("ossp-cdee.local", A, 1),
        ("ossp-cdef", A, 1),
        ("x.ossp-cdef.local", A, 1),
        ("ossp-cdef.local.local", A, 1),
        ("local", ANY, 1),
        ("_tcp.local", PTR, 1),
        ("_ipp._tcp.local", PTR, 1),
        ("_http._udp.local", PTR, 1),
        (HOST, A, 3),
    ] {
        let packet = Made::query().ask_as(name, kind, class).0;
        assert_eq!(cable.answers(NEIGHBOUR, &packet).len(), 0, "{name} {kind} {class}");
        assert_eq!(cable.answers(STRANGER, &packet).len(), 0, "{name} {kind} {class}");
    }
    // Nobody from another network is answered, nor has a say.
    let elsewhere = |port| SocketAddrV4::new(std::net::Ipv4Addr::new(198, 51, 100, 1), port);
    let question = Made::query().ask(HOST, A).0;
    assert_eq!(cable.answers(elsewhere(5353), &question).len(), 0);
    assert_eq!(cable.answers(elsewhere(40_000), &question).len(), 0);
    let lie = Made::response().answer(HOST, A, 120, &[192, 0, 2, 9]).0;
    assert_eq!(cable.answers(elsewhere(5353), &lie).len(), 0);
    assert_eq!(cable.answers(STRANGER, &lie).len(), 0);
    assert_eq!(cable.labels(), [Some("ossp-cdef")]);
}

#[test]
fn what_was_said_just_now_is_not_said_again() {
    let mut cable = held(FACTS);
    let question = Made::query().ask(HOST, A).0;
    for _ in 0..20 {
        cable.say(NEIGHBOUR, &question);
        cable.pass(100);
    }
    let times: Vec<_> =
        cable.taken().iter().filter(|packet| packet.from != NEIGHBOUR).map(|packet| packet.time).collect();
    assert_eq!(times.len(), 2, "{times:?}");
    assert!(times[1] - times[0] >= 1_000);
}

#[test]
fn whoever_wants_it_is_answered_directly_if_all_heard_it_lately() {
    let question = Made::query().ask_directly(HOST, A).0;
    // A quarter of 120 s.
    for (after, to) in [(5_000, NEIGHBOUR), (25_000, NEIGHBOUR), (31_000, GROUP)] {
        let mut cable = held(FACTS);
        // Announced last in the third second.
        cable.pass(after - 7_000_u64.min(after));
        let begin = cable.now;
        let answers = cable.answers(NEIGHBOUR, &question);
        assert_eq!(answers.len(), 1);
        assert_eq!(answers[0].to, to, "{after}: {begin}");
        assert_eq!(answers[0].read().kinds(), [(HOST, A)]);
    }
    // One of two questions wants all to hear it.
    let mut cable = held(FACTS);
    let both = Made::query().ask_directly(HOST, A).ask(HTTP, SRV).0;
    assert_eq!(cable.answers(NEIGHBOUR, &both)[0].to, GROUP);
    // A question that does not concern the plug does not count.
    let mut cable = held(FACTS);
    let other = Made::query().ask_directly(HOST, A).ask("x.local", A).0;
    assert_eq!(cable.answers(NEIGHBOUR, &other)[0].to, NEIGHBOUR);
}

#[test]
fn what_is_known_is_not_said() {
    let ask = || Made::query().ask("_ossp._tcp.local", PTR);
    let known = labels(OSSP);
    let mut cable = held(FACTS);
    assert_eq!(cable.answers(NEIGHBOUR, &ask().answer("_ossp._tcp.local", PTR, 2250, &known).0).len(), 0);
    // Not for long enough, or something else.
    let late = ask().answer("_ossp._tcp.local", PTR, 2249, &known).0;
    assert_eq!(cable.answers(NEIGHBOUR, &late).len(), 1);
    cable.pass(1_000);
    let other = ask().answer("_ossp._tcp.local", PTR, 4500, &labels("ossp-0000._ossp._tcp.local")).0;
    assert_eq!(cable.answers(NEIGHBOUR, &other).len(), 1);
    // Of several the rest is said.
    cable.pass(1_000);
    let both = ask().ask("_http._tcp.local", PTR).answer("_ossp._tcp.local", PTR, 4500, &known).0;
    assert_eq!(cable.answers(NEIGHBOUR, &both)[0].read().kinds(), [("_http._tcp.local", PTR)]);
}

#[test]
fn more_of_what_is_known_may_follow() {
    let known = Made::query().answer("_ossp._tcp.local", PTR, 4500, &labels(OSSP)).0;
    let begun = Made::query().cut().ask("_ossp._tcp.local", PTR).0;
    // Somebody else's knowledge does not help whoever asked.
    let somebody = SocketAddrV4::new(ip(201), 5353);
    for (from, said) in [(NEIGHBOUR, 0), (somebody, 1)] {
        let mut cable = held(FACTS);
        cable.say(NEIGHBOUR, &begun);
        cable.pass(300);
        let begin = cable.now - 300;
        assert_eq!(cable.taken().len(), 1);
        cable.say(from, &known);
        cable.pass(1_000);
        let answers = cable.taken().split_off(1);
        assert_eq!(answers.len(), said);
        assert!(answers.iter().all(|answer| (400..=502).contains(&(answer.time - begin))));
    }
    // Two ask: what the one knows the other does not.
    let mut cable = held(FACTS);
    cable.say(NEIGHBOUR, &begun);
    cable.say(somebody, &begun);
    cable.pass(10);
    cable.say(NEIGHBOUR, &known);
    cable.pass(1_000);
    assert_eq!(cable.taken().len(), 4);
}

#[test]
fn a_program_that_knows_only_name_servers_is_answered_like_by_one() {
    let mut cable = held(FACTS);
    for _ in 0..3 {
        // As often as it asks: nobody else hears it.
        let question = Made::query().id(0xbeef).ask("Ossp-CDEF.local", A).0;
        let answers = cable.answers(STRANGER, &question);
        assert_eq!((answers.len(), answers[0].to), (1, STRANGER));
        let said = answers[0].read();
        assert_eq!((said.id, said.flags), (0xbeef, 0x8400));
        assert_eq!(said.questions, [("Ossp-CDEF.local".to_owned(), A, 1)]);
        assert_eq!(said.answers, [record(HOST, A, 1, 10, "192.0.2.7")]);
    }
    // Two questions, the second one's name a pointer into the first.
    let mut both = Made::query().ask("_http._tcp.local", PTR).ask(HOST, A).0;
    let second = both.len() - 4 - labels(HOST).len();
    both.splice(second.., [9].into_iter().chain(*b"ossp-cdef").chain([0xc0, 12 + 11, 0, 1, 0, 1]));
    let said = cable.answers(STRANGER, &both)[0].read();
    assert_eq!(said.questions[1], (HOST.to_owned(), A, 1));
    assert_eq!(said.kinds(), [("_http._tcp.local", PTR), (HOST, A)]);
    assert!(said.answers.iter().chain(&said.additional).all(|record| record.ttl == 10 && record.class == 1));
}

/// Plugs of one name that start so many milliseconds after one another, and what they are called in the end.
fn rivals(starts: &[u64], seed: u32) -> Vec<String> {
    let mut cable = Cable::new();
    for (index, _) in starts.iter().enumerate() {
        let chance = seed.wrapping_mul(2_654_435_761).wrapping_add(index as u32 * 40_503);
        cable.add(10 + index as u8, FACTS, chance);
    }
    for now in 0..30_000 {
        for (index, start) in starts.iter().enumerate() {
            if *start == now {
                cable.be(index, "ossp-cdef");
            }
        }
        cable.pass(1);
    }
    let labels: Vec<_> = cable.labels().into_iter().map(|label| label.unwrap_or("none").to_owned()).collect();
    // Nobody goes on asking or complaining.
    cable.taken();
    cable.pass(5_000);
    assert_eq!(cable.taken().len(), 0, "{labels:?}");
    labels
}

#[test]
fn whoever_has_the_name_keeps_it() {
    for seed in 0..40 {
        assert_eq!(rivals(&[0, 5_000], seed), ["ossp-cdef", "ossp-cdef-2"]);
        assert_eq!(rivals(&[0, 5_000, 10_000], seed), ["ossp-cdef", "ossp-cdef-2", "ossp-cdef-3"]);
    }
}

#[test]
fn of_plugs_that_start_at_once_each_has_a_name_in_the_end() {
    for seed in 0..60 {
        for starts in [&[0, 0][..], &[0, 0, 0], &[0, 100, 200], &[0, 400, 800], &[0, 740, 760]] {
            let mut names = rivals(starts, seed);
            names.sort_unstable();
            let wanted = ["ossp-cdef", "ossp-cdef-2", "ossp-cdef-3"];
            assert_eq!(names, wanted[..starts.len()], "{seed}: {starts:?}");
        }
    }
}

#[test]
fn of_two_that_ask_at_the_same_time_the_greater_goes_first() {
    // Address of the rival: greater, smaller, our own with another kind of record besides, and exactly the same claim.
    let more: &[u8] = &[0; 16];
    let cases: [(u8, Option<&[u8]>, bool); 4] =
        [(8, None, true), (6, None, false), (7, Some(more), true), (7, None, false)];
    for (last, aaaa, gives_way) in cases {
        let mut cable = Cable::new();
        let plug = cable.add(7, FACTS, 3);
        cable.be(plug, "ossp-cdef");
        cable.pass(260);
        assert!(!cable.taken().is_empty());
        let mut probe = Made::query().ask(HOST, ANY);
        if let Some(aaaa) = aaaa {
            // Out of order: what counts is the order of kinds.
            probe = probe.claim(HOST, AAAA, aaaa);
        }
        let begin = cable.now;
        cable.say(NEIGHBOUR, &probe.claim(HOST, A, &[192, 0, 2, last]).0);
        cable.pass(5_000);
        let packets: Vec<_> = cable.taken().into_iter().filter(|packet| packet.from != NEIGHBOUR).collect();
        let first = packets[0].time - begin;
        assert_eq!(first >= 1_000, gives_way, "{last}: {first}");
        // Nobody objects after all.
        assert_eq!(cable.labels(), [Some("ossp-cdef")]);
        assert_eq!(packets.len() == 5, gives_way, "{last}");
    }
}

#[test]
fn a_rival_that_never_rests_does_not_keep_the_plug_busy() {
    let mut cable = Cable::new();
    let plug = cable.add(7, FACTS, 3);
    cable.be(plug, "ossp-cdef");
    // Somebody who has whatever name is asked for.
    let (mut objections, mut looked) = (0, 0);
    for _ in 0..60_000 {
        cable.pass(1);
        for index in looked..cable.packets.len() {
            if cable.packets[index].from == NEIGHBOUR {
                continue;
            }
            let name = cable.packets[index].read().questions[0].0.clone();
            objections += 1;
            cable.say(NEIGHBOUR, &Made::response().answer(&name, A, 120, &[192, 0, 2, 9]).0);
        }
        looked = cable.packets.len();
    }
    assert_eq!(cable.labels(), [None]);
    assert!((20..=30).contains(&objections), "{objections}");
}

#[test]
fn two_networks_that_become_one() {
    for seed in 0..40 {
        let mut cable = Cable::new();
        cable.parted = vec![(ip(10), ip(11))];
        for index in 0..2 {
            let plug = cable.add(10 + index, FACTS, seed * 31 + u32::from(index));
            cable.be(plug, "ossp-cdef");
        }
        cable.pass(5_000);
        assert_eq!(cable.labels(), [Some("ossp-cdef"); 2]);
        cable.parted.clear();
        // Found out as soon as either says something.
        cable.say(NEIGHBOUR, &Made::query().ask(HOST, A).0);
        cable.pass(10_000);
        let mut labels = cable.labels();
        labels.sort_unstable();
        assert_eq!(labels, [Some("ossp-cdef"), Some("ossp-cdef-2")], "{seed}");
    }
}

#[test]
fn a_network_comes_and_goes() {
    let mut cable = held(FACTS);
    cable.happen(0, Event::Be(None));
    assert_eq!((cable.labels()[0], cable.plugs[0].1.poll_at()), (None, None));
    assert_eq!(cable.answers(NEIGHBOUR, &Made::query().ask(HOST, A).0).len(), 0);
    // The same network again, or another one: asked for anew.
    for last in [7, 8] {
        cable.happen(0, Event::Be(Some(Place { host: "ossp-cdef", ip: ip(last), prefix: 24 })));
        cable.pass(5_000);
        let packets = cable.taken();
        assert_eq!(packets.len(), 5);
        assert_eq!(packets[4].read().answers[0].data, format!("192.0.2.{last}"));
    }
    // Nothing new.
    cable.happen(0, Event::Be(Some(Place { host: "ossp-cdef", ip: ip(8), prefix: 24 })));
    cable.pass(5_000);
    assert_eq!(cable.taken().len(), 0);
    // A number behind the name stays, a new name begins without one.
    cable.happen(0, Event::Heard(NEIGHBOUR, &Made::response().answer(HOST, A, 120, &[192, 0, 2, 9]).0));
    cable.pass(100);
    cable.happen(0, Event::Heard(NEIGHBOUR, &Made::response().answer(HOST, A, 120, &[192, 0, 2, 9]).0));
    cable.pass(5_000);
    assert_eq!(cable.labels(), [Some("ossp-cdef-2")]);
    cable.happen(0, Event::Be(None));
    cable.be(0, "ossp-cdef");
    cable.pass(5_000);
    assert_eq!(cable.labels(), [Some("ossp-cdef-2")]);
    cable.be(0, "kettle");
    cable.pass(5_000);
    assert_eq!(cable.labels(), [Some("kettle")]);
}

#[test]
fn a_plug_that_leaves_takes_back_what_it_said() {
    let mut cable = held(FACTS);
    cable.happen(0, Event::Part);
    cable.pass(1_000);
    let packets = cable.taken();
    assert_eq!(packets.len(), 1);
    let mut gone = everything();
    gone.iter_mut().for_each(|record| record.ttl = 0);
    assert_eq!(packets[0].read().answers, gone);
    // Nobody heard of a plug that was not through yet.
    let mut cable = Cable::new();
    let plug = cable.add(7, FACTS, 3);
    cable.be(plug, "ossp-cdef");
    cable.pass(600);
    cable.taken();
    cable.happen(plug, Event::Part);
    cable.pass(1_000);
    assert_eq!(cable.taken().len(), 0);
    // Who leaves does not contradict whoever has the name.
    let mut cable = held(FACTS);
    assert_eq!(cable.answers(NEIGHBOUR, &Made::response().answer(HOST, A, 0, &[192, 0, 2, 9]).0).len(), 0);
}

#[test]
fn whoever_claims_the_name_hears_that_it_is_taken() {
    let mut cable = held(FACTS);
    let probe = Made::query().ask_directly(HOST, ANY).claim(HOST, A, &[192, 0, 2, 9]).0;
    let mut times = Vec::new();
    for _ in 0..3 {
        cable.say(NEIGHBOUR, &probe);
        let begin = cable.now;
        cable.pass(250);
        let answers: Vec<_> = cable.taken().into_iter().filter(|packet| packet.from != NEIGHBOUR).collect();
        assert_eq!((answers.len(), answers[0].to), (1, GROUP));
        times.push(answers[0].time - begin);
    }
    assert!(times.iter().all(|time| *time <= 1), "{times:?}");
    assert_eq!(cable.labels(), [Some("ossp-cdef")]);
}

#[test]
fn the_longest_names_fit() {
    let long = "x".repeat(60);
    let facts = Facts { id: &"F".repeat(16), version: &long, board: &long, web_port: 65_535 };
    let host = "h".repeat(32);
    let mut cable = Cable::new();
    let plug = cable.add(7, facts, 1);
    cable.be(plug, &host);
    cable.pass(260);
    for _ in 0..15 {
        // Each one is taken, until the number has two digits.
        let name = cable.taken().last().unwrap().read().questions[0].0.clone();
        cable.happen(
            plug,
            Event::Heard(NEIGHBOUR, &Made::response().answer(&name, A, 120, &[192, 0, 2, 9]).0),
        );
        cable.pass(if cable.plugs[plug].1.poll_at() > Some(at(cable.now + 1_000)) { 5_260 } else { 260 });
    }
    cable.pass(5_000);
    assert_eq!(cable.labels(), [Some(&*format!("{host}-16"))]);
    let packets = cable.taken();
    let said = packets.last().unwrap();
    assert_eq!(said.read().answers.len(), everything().len());
    assert!(said.read().answers.iter().any(|record| record.data.contains(&"x".repeat(32))));
    assert!((500..=limits::MDNS_SAYS).contains(&said.bytes.len()), "{}", said.bytes.len());
    // A stranger's question is repeated; what is of use besides is left out as soon as there is no room.
    let mut question = Made::query().ask(&format!("{host}-16._ossp._tcp.local"), ANY);
    for number in 0..2 {
        question = question.ask(&format!("{}{number}.local", "q".repeat(60)), A);
    }
    let answers = cable.answers(STRANGER, &question.0);
    assert_eq!(answers[0].read().answers.len(), 2);
}
