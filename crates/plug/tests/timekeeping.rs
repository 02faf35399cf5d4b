//! A plug without a clock among time servers that fail in every way, in simulated time.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail loudly")]

mod time_support;

use std::cell::{Cell, RefCell};
use std::time::Duration;

use plug::limits;
use plug::net::{LinkState, WifiStatus};
use plug::platform::{Address, Clock};
use plug::settings::schema::TimeSource;
use plug::timekeeping::{Answer, Source, Verdict};
use time_support::{Happening, Mood, START_S, World, play};

const HOUR_S: f64 = 3600.0;
const SERVER: &str = "ntp.example";

fn near(off_s: Option<f64>, wanted: f64) -> bool {
    off_s.is_some_and(|off_s| (off_s - wanted).abs() < 0.02)
}

#[test]
fn a_plug_learns_the_time_and_asks_once_an_hour() {
    let seen = play(10.5 * HOUR_S, SERVER, &|_, _| Mood::Good(0.0), &[]);
    assert!(near(seen.off_s, 0.0), "{:?}", seen.off_s);
    assert!((9..=14).contains(&seen.asked.len()), "{:?}", seen.asked);
    assert!(seen.asked[0].0 <= limits::TIME_FIRST.as_secs_f64() + 0.1);
    // One more after the first, in case that was wrong; from then on once an hour.
    assert!(seen.asked[1].0 - seen.asked[0].0 < 85.0);
    for pair in seen.asked[1..].windows(2) {
        let pause_s = pair[1].0 - pair[0].0;
        assert!((0.75 * HOUR_S..=1.25 * HOUR_S + 3.0).contains(&pause_s), "{pause_s}");
    }
    let mut cookies = seen.cookies.clone();
    cookies.sort_unstable();
    cookies.dedup();
    assert_eq!(cookies.len(), seen.asked.len(), "no cookie is used twice");
    assert_eq!(seen.log, ["the time is known, from ntp, to 0.01 s"]);
}

#[test]
fn nobody_is_asked_where_the_settings_name_nobody() {
    let seen = play(48.0 * HOUR_S, "", &|_, _| Mood::Good(0.0), &[]);
    assert_eq!((seen.asked.len(), seen.off_s), (0, None));
    let off = |source| move |world: &World<'_>| world.state.settings.borrow_mut().time.source = source;
    for source in [TimeSource::None, TimeSource::Browser, TimeSource::Server, TimeSource::Dhcp] {
        let seen = play(48.0 * HOUR_S, SERVER, &|_, _| Mood::Good(0.0), &[(10_000.0, &off(source))]);
        assert!(
            !seen.asked.is_empty() && seen.asked.iter().all(|(second, _)| *second < 10_002.0),
            "{source:?}"
        );
        assert!(near(seen.off_s, 0.0), "what was learned holds");
    }
}

/// Each fault: no time is learned from it, it is told once, and asked about again with growing pauses.
#[test]
fn no_fault_sets_the_clock() {
    for (mood, words) in [
        (Mood::Silent, "time server ntp.example: the other side took too long"),
        (Mood::Unknown, "time server ntp.example: no address was found for this name"),
        (Mood::Stranger, "time server ntp.example: the other side took too long"),
        (Mood::Echo, "time server ntp.example: its answer is to another question"),
        (Mood::Cut(47), "time server ntp.example: this is no answer of a time server"),
        (Mood::Cut(0), "time server ntp.example: this is no answer of a time server"),
        (Mood::Wrong(24, &[0; 8]), "time server ntp.example: its answer is to another question"),
        (Mood::Wrong(0, &[4 << 3 | 5]), "time server ntp.example: this is no answer of a time server"),
        (Mood::Wrong(0, &[3 << 6 | 4 << 3 | 4]), "time server ntp.example: its own clock is not set"),
        (Mood::Wrong(1, &[16]), "time server ntp.example: its own clock is not set"),
        (
            Mood::Wrong(8, &[0, 2, 0, 0]),
            "time server ntp.example: its own clock may be more than a second off",
        ),
        (Mood::Wrong(40, &[0; 8]), "time server ntp.example: this is no answer of a time server"),
        (Mood::Good(-1e8), "time server ntp.example: its time is before 2025 or after 2099"),
        (Mood::Good(3e9), "time server ntp.example: its time is before 2025 or after 2099"),
        (Mood::Far(2.0, 1.5), "time server ntp.example: the other side took too long"),
    ] {
        let seen = play(12.0 * HOUR_S, SERVER, &|_, _| mood, &[]);
        assert_eq!(seen.off_s, None, "{mood:?}");
        assert_eq!(seen.log, [words], "{mood:?}");
        let pauses: Vec<f64> = seen.asked.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
        assert!((15..=25).contains(&seen.asked.len()), "{mood:?}: {pauses:?}");
        // That there is no such name holds for a minute; the next question after that is the fourth.
        let first_s = if matches!(mood, Mood::Unknown) { 150.0 } else { 25.0 };
        assert!(
            pauses[0] < first_s
                && pauses.iter().all(|pause_s| (11.0..=1.25 * HOUR_S + 15.0).contains(pause_s))
        );
        assert!(pauses[9..].iter().all(|pause_s| *pause_s > 0.75 * HOUR_S), "{mood:?}: {pauses:?}");
    }
}

#[test]
fn a_server_that_comes_back_is_heard() {
    let servers = |_: &str, second: f64| if second < 5000.0 { Mood::Silent } else { Mood::Good(0.0) };
    let seen = play(3.0 * HOUR_S, SERVER, &servers, &[]);
    assert!(near(seen.off_s, 0.0));
    assert_eq!(
        seen.log,
        ["time server ntp.example: the other side took too long", "the time is known, from ntp, to 0.01 s"]
    );
}

#[test]
fn kisses_of_death_are_obeyed() {
    for code in [b"DENY", b"RSTR"] {
        let seen = play(1000.0 * HOUR_S, SERVER, &|_, _| Mood::Kiss(code), &[]);
        assert_eq!((seen.asked.len(), seen.off_s), (1, None));
        assert_eq!(seen.log, ["time server ntp.example: it does not want to be asked"]);
    }
    let seen = play(100.0 * HOUR_S, SERVER, &|_, _| Mood::Kiss(b"RATE"), &[]);
    let pauses: Vec<f64> =
        seen.asked.windows(2).map(|pair| ((pair[1].0 - pair[0].0) / HOUR_S).floor()).collect();
    assert_eq!(pauses, [2.0, 4.0, 8.0, 16.0, 24.0, 24.0]);
    // The other server is asked as ever.
    let servers = |name: &str, _: f64| if name == "a" { Mood::Kiss(b"DENY") } else { Mood::Good(0.0) };
    let seen = play(10.0 * HOUR_S, "a b", &servers, &[]);
    let count = |wanted: &str| seen.asked.iter().filter(|(_, name)| name == wanted).count();
    assert!(count("a") == 1 && count("b") >= 7 && near(seen.off_s, 0.0));
}

#[test]
fn servers_are_asked_in_turn_with_their_ports() {
    let seen = play(6.0 * HOUR_S, "a 192.168.1.1 c:1123", &|_, _| Mood::Good(0.0), &[]);
    let names: Vec<&str> = seen.asked.iter().map(|(_, name)| name.as_str()).take(5).collect();
    assert_eq!(names, ["a", "192.168.1.1", "c:1123", "a", "192.168.1.1"]);
}

/// The way there and back are not equally long: the time is off by no more than is told.
#[test]
fn the_uncertainty_holds_what_the_way_costs() {
    for (there_s, back_s) in [(0.0, 0.0), (0.2, 0.0), (0.0, 1.0), (1.4, 1.4), (2.8, 0.0)] {
        let told = Cell::new(None);
        let look = |world: &World<'_>| {
            let quality = world.state.timekeeping.keeper.borrow().quality(world.clock.now());
            told.set(Some((world.off_s().unwrap(), quality.unwrap())));
        };
        play(10.5, SERVER, &|_, _| Mood::Far(there_s, back_s), &[(10.0, &look)]);
        let (off_s, quality) = told.get().unwrap();
        assert!(off_s.abs() <= quality.uncertainty_s + 1e-6, "{there_s} {back_s}: {off_s} {quality:?}");
        assert!((off_s - (back_s - there_s) / -2.0).abs() < 1e-6, "{there_s} {back_s}: {off_s}");
    }
}

#[test]
fn a_wrong_server_of_three_never_sets_the_clock_wrong_for_long() {
    // The first to be asked is wrong by two hours: the time is wrong at first, and right within minutes.
    let servers = |name: &str, _: f64| Mood::Good(if name == "a" { 2.0 * HOUR_S } else { 0.0 });
    let seen = play(450.0, "a b c", &servers, &[]);
    assert!(near(seen.off_s, 0.0), "{:?} {:?}", seen.off_s, seen.asked);
    let seen = play(200.0 * HOUR_S, "a b c", &servers, &[]);
    assert!(near(seen.off_s, 0.0));
    let steps: Vec<&String> = seen.log.iter().filter(|line| line.starts_with("the clock was set")).collect();
    assert_eq!(steps, ["the clock was set back by 7200 s, as ntp says"]);
    // Any other place is harmless.
    let servers = |name: &str, _: f64| Mood::Good(if name == "c" { -1e6 } else { 0.0 });
    let seen = play(200.0 * HOUR_S, "a b c", &servers, &[]);
    assert!(near(seen.off_s, 0.0) && !seen.log.iter().any(|line| line.starts_with("the clock was set")));
}

/// The server's clock jumps by a day: the plug follows after three answers, and asks for them within minutes.
#[test]
fn a_step_is_taken_when_three_answers_agree() {
    let servers = |_: &str, second: f64| Mood::Good(if second < 5.0 * HOUR_S { 0.0 } else { 86_400.0 });
    let seen = play(7.0 * HOUR_S, SERVER, &servers, &[]);
    assert!(near(seen.off_s, 86_400.0));
    let after: Vec<f64> = seen.asked.iter().map(|(at, _)| *at).filter(|at| *at >= 5.0 * HOUR_S).collect();
    assert!(after[2] - after[0] < 170.0, "{after:?}");
    assert_eq!(
        seen.log[1],
        "somebody says that the clock is off by so much: 86400 s; two more have to agree"
    );
    assert_eq!(seen.log[2..], ["the clock was set forward by 86400 s, as ntp says"]);
}

#[test]
fn small_steps_are_followed_at_once_and_quietly() {
    let servers = |_: &str, second: f64| Mood::Good(if second < 5.0 * HOUR_S { 0.0 } else { -1.5 });
    let seen = play(7.0 * HOUR_S, SERVER, &servers, &[]);
    assert!(near(seen.off_s, -1.5));
    assert_eq!(seen.log.len(), 1);
}

/// A browser counts where the settings name it, and nowhere else; NTP corrects it as soon as the settings name that.
#[test]
fn a_browser_counts_where_it_is_the_source() {
    let verdicts = RefCell::new(Vec::new());
    let browser = |world: &World<'_>| {
        let (at, off_s) = (world.clock.now(), 30.0);
        let unix_s = START_S + world.clock.seconds() + off_s;
        let answer = Answer { source: Source::Browser, unix_s, uncertainty_s: 1.0, at };
        verdicts.borrow_mut().push(world.state.offer_time(answer));
    };
    let set = |source| move |world: &World<'_>| world.state.settings.borrow_mut().time.source = source;
    let (to_browser, to_ntp) = (set(TimeSource::Browser), set(TimeSource::Ntp));
    let off_s = [const { Cell::new(None) }; 4];
    let look = |index: usize| {
        let off_s = &off_s[index];
        move |world: &World<'_>| off_s.set(world.off_s())
    };
    let (first, second, third, fourth) = (look(0), look(1), look(2), look(3));
    let happens: [Happening<'_>; 10] = [
        (0.0, &to_browser),
        (100.0, &browser),
        (103.0, &first),
        (1000.0, &to_ntp),
        (1100.0, &second),
        (1101.0, &browser),
        (1104.0, &third),
        (2000.0, &to_browser),
        (2010.0, &browser),
        (2013.0, &fourth),
    ];
    play(2014.0, SERVER, &|_, _| Mood::Good(0.0), &happens);
    assert!(
        matches!(verdicts.borrow()[..], [Verdict::First, Verdict::Unwanted, Verdict::Moved(_)]),
        "{verdicts:?}"
    );
    let off_s: Vec<Option<f64>> = off_s.iter().map(Cell::get).collect();
    assert!(near(off_s[0], 30.0) && near(off_s[1], 0.0) && near(off_s[2], 0.0), "{off_s:?}");
    assert!(near(off_s[3], 30.0), "{off_s:?}");
}

fn joined(world: &World<'_>, time_server: Option<[u8; 4]>, link: LinkState) {
    let address = Address {
        ip: [192, 168, 1, 7].into(),
        prefix: 24,
        gateway: None,
        time_server: time_server.map(Into::into),
    };
    world.state.wifi.replace(Some(WifiStatus {
        link,
        address: (link == LinkState::Joined).then_some(address),
        ..WifiStatus::default()
    }));
}

#[test]
fn the_server_that_the_network_names_is_asked() {
    let begin = |world: &World<'_>| {
        world.state.settings.borrow_mut().time.source = TimeSource::Dhcp;
        joined(world, None, LinkState::Joined);
    };
    let named = |world: &World<'_>| joined(world, Some([192, 168, 1, 1]), LinkState::Joined);
    let seen = play(8000.0, SERVER, &|_, _| Mood::Good(0.0), &[(0.0, &begin), (1000.0, &named)]);
    assert!(seen.asked.len() >= 2, "{:?}", seen.asked);
    for (second, name) in &seen.asked {
        assert!(*second >= 1000.0 && name == "192.168.1.1", "{second} {name}");
    }
    assert!(seen.asked[0].0 < 1005.0);
    assert_eq!(seen.log, ["the time is known, from dhcp, to 0.01 s"]);
}

/// Without a network nobody is asked, and whoever is back asks at once, however long the pauses had become.
#[test]
fn the_network_comes_and_goes() {
    let lost = |world: &World<'_>| joined(world, None, LinkState::Waiting);
    let back = |world: &World<'_>| joined(world, None, LinkState::Joined);
    let servers = |_: &str, second: f64| if second < 20_500.0 { Mood::Silent } else { Mood::Good(0.0) };
    let happens: [Happening<'_>; 4] = [(0.0, &lost), (100.0, &back), (20_000.0, &lost), (20_600.0, &back)];
    let seen = play(21_000.0, SERVER, &servers, &happens);
    assert!(seen.asked[0].0 >= 100.0 && seen.asked[0].0 < 105.0, "{:?}", seen.asked);
    let again = seen.asked.iter().map(|(second, _)| *second).find(|second| *second > 20_000.0).unwrap();
    assert!((20_600.0..20_605.0).contains(&again), "{:?}", seen.asked);
    assert!(near(seen.off_s, 0.0));
}

#[test]
fn other_servers_are_asked_as_soon_as_they_are_set() {
    let change = |world: &World<'_>| world.state.settings.borrow_mut().time.ntp_servers = "b".into();
    let seen = play(
        1200.0,
        "a",
        &|name, _| if name == "a" { Mood::Silent } else { Mood::Good(0.0) },
        &[(1000.0, &change)],
    );
    let first_b = seen.asked.iter().find(|(_, name)| name == "b").unwrap().0;
    assert!((1000.0..1005.0).contains(&first_b), "{first_b}");
    assert!(Duration::from_secs_f64(first_b) > Duration::ZERO && near(seen.off_s, 0.0));
}
