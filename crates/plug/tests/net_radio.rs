//! The network task with a radio that refuses, hangs and loses, in simulated time.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests may fail loudly")]

mod idle_clock;

use std::cell::RefCell;
use std::future::{Future, pending};
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use idle_clock::IdleClock;
use metering::calibration::Calibration;
use plug::access::{Ha1, Kept};
use plug::core::{Core, Moment};
use plug::limits;
use plug::net::{Birth, LinkState, WifiStatus, factory_access_point, run};
use plug::platform::{Address, Clock, Credentials, Known, LinkError, Network, Security, Wifi};
use plug::settings::Hardware;
use plug::settings::schema::AccessPointWhen;
use plug::state::State;

const HARDWARE: Hardware = Hardware::BARE;

/// At which second, and what.
type Happening = (u64, fn(&State));

const ID: &str = "a1b2c3d4e5f6";

/// What the radio does at a second.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Good,
    WrongPassword,
    Absent,
    OpenTwinOnly,
    ScanHangs,
    JoinHangs,
}

struct Radio<'a> {
    clock: &'a IdleClock,
    mood: &'a dyn Fn(u64) -> Mood,
    joined: bool,
    access_point: bool,
    refuse_access_point: bool,
    calls: &'a RefCell<Vec<(u64, &'static str)>>,
}

impl Radio<'_> {
    fn second(&self) -> u64 {
        self.clock.now.get().as_secs()
    }

    fn mood(&self) -> Mood {
        (self.mood)(self.second())
    }

    fn call(&self, name: &'static str) {
        self.calls.borrow_mut().push((self.second(), name));
    }

    async fn takes(&self, seconds: u64) {
        self.clock.sleep_until(self.clock.now().after(Duration::from_secs(seconds))).await;
    }
}

impl Wifi for Radio<'_> {
    async fn scan(&mut self) -> Result<Vec<Network>, LinkError> {
        self.call("scan");
        self.takes(2).await;
        let network = |security| Network { ssid: ssid("home"), signal_dbm: -50, security, channel: 6 };
        let mut found = Vec::new();
        match self.mood() {
            Mood::ScanHangs => pending().await,
            Mood::Absent => {}
            Mood::OpenTwinOnly => found.push(network(Security::Open)),
            _ => found.extend([network(Security::Open), network(Security::Wpa2)]),
        }
        Ok(found)
    }

    async fn join(&mut self, network: &Known, host: &str) -> Result<Address, LinkError> {
        self.call("join");
        assert_eq!(network.credentials.ssid, known().ssid);
        assert!(!host.is_empty());
        self.takes(3).await;
        match self.mood() {
            Mood::JoinHangs => pending().await,
            Mood::WrongPassword => Err(LinkError::WrongPassword),
            _ => {
                self.joined = true;
                Ok(Address { ip: [10, 0, 0, 7].into(), prefix: 24, gateway: None, time_server: None })
            }
        }
    }

    async fn leave(&mut self) {
        self.call("leave");
        self.joined = false;
    }

    async fn lost(&mut self) -> LinkError {
        while self.joined && self.mood() == Mood::Good {
            self.takes(1).await;
        }
        LinkError::Lost
    }

    fn signal_dbm(&self) -> Option<i8> {
        self.joined.then_some(-50 - (self.second() / 10 % 20) as i8)
    }

    async fn open_access_point(&mut self, network: &Credentials) -> Result<(), LinkError> {
        self.call("open");
        match network.ssid.as_str() {
            "OSSP" => assert_eq!(network.password.as_deref(), Some("justepourtester")),
            "OSSP-E5F6" => assert_eq!(network.password.as_deref(), Some("my own secret")),
            other => panic!("{other}"),
        }
        if self.refuse_access_point {
            pending::<()>().await;
        }
        self.access_point = true;
        Ok(())
    }

    async fn close_access_point(&mut self) -> Result<(), LinkError> {
        self.call("close");
        self.access_point = false;
        Ok(())
    }

    fn associated(&self) -> u8 {
        0
    }
}

fn ssid(name: &str) -> plug::platform::Ssid {
    name.try_into().unwrap()
}

fn known() -> Credentials {
    Credentials { ssid: ssid("home"), password: Some("very-secret".try_into().unwrap()) }
}

struct Outcome {
    calls: Vec<(u64, &'static str)>,
    status: WifiStatus,
    log: Vec<String>,
}

impl Outcome {
    fn when(&self, name: &str) -> Vec<u64> {
        self.calls.iter().filter(|(_, call)| *call == name).map(|(second, _)| *second).collect()
    }
}

/// Stores that the plug has an owner, whose access point is a fallback or not.
fn own(state: &State, access_point: AccessPointWhen, wifi: Option<&Credentials>) {
    let kept = Kept { ha1: Some(Ha1::of(ID, "my own secret")), ..Kept::new() };
    state.access.open(Ok(kept), ID, [0; 32]);
    let mut settings = state.settings.borrow_mut();
    settings.wifi.access_point = access_point;
    settings.wifi.access_point_password = Some("my own secret".try_into().unwrap());
    if let Some(wifi) = wifi {
        settings.wifi.ssid = wifi.ssid.clone();
        settings.wifi.password.clone_from(&wifi.password);
    }
}

/// Runs the task to `end`, in seconds, for a plug with an owner.
fn play(end: u64, known: Option<&Credentials>, refuse: bool, mood: impl Fn(u64) -> Mood) -> Outcome {
    play_asking(end, known, refuse, mood, &[])
}

/// The same, with somebody who asks for the access point at these seconds.
fn play_asking(
    end: u64,
    known: Option<&Credentials>,
    refuse: bool,
    mood: impl Fn(u64) -> Mood,
    asks: &[u64],
) -> Outcome {
    let asks: Vec<Happening> = asks.iter().map(|second| (*second, ask as fn(&State))).collect();
    play_with(end, known, refuse, mood, |state| own(state, AccessPointWhen::Fallback, None), &asks)
}

fn ask(state: &State) {
    state.access_point_wanted.signal(());
}

/// The same, with what is known at the start and what happens at which second.
fn play_with(
    end: u64,
    known: Option<&Credentials>,
    refuse: bool,
    mood: impl Fn(u64) -> Mood,
    begin: impl Fn(&State),
    happens: &[Happening],
) -> Outcome {
    let mut happens = happens.iter().peekable();
    let (clock, calls) = (IdleClock::default(), RefCell::default());
    let relay = Core::new(HARDWARE).relay_status(Moment::default(), None);
    let state = State::new(relay, Calibration::ideal(1.0, 0.0, 1.0, 0.0));
    let mut radio = Radio {
        clock: &clock,
        mood: &mood,
        joined: false,
        access_point: false,
        refuse_access_point: refuse,
        calls: &calls,
    };
    begin(&state);
    let own = factory_access_point();
    let birth = Birth { known, own: &own, id: ID, seed: 0 };
    let mut log: Vec<String> = Vec::new();
    {
        let task = run(&mut radio, &clock, &state, &birth);
        // Two lists of a scan's networks, and little else: memory of a chip.
        assert!(size_of_val(&task) <= 3 * 1024, "the task has {} bytes", size_of_val(&task));
        let mut task = pin!(task);
        let mut context = Context::from_waker(Waker::noop());
        let mut told = 0;
        while clock.now.get().as_secs() <= end {
            assert!(task.as_mut().poll(&mut context).is_pending());
            for line in state.log.borrow().iter().filter(|line| line.sequence >= told) {
                log.push(line.message.to_string());
            }
            told = log.len() as u32;
            let planned = happens.peek().map(|(second, _)| Duration::from_secs(*second));
            let Some(next) = clock.next.take().into_iter().chain(planned).min() else { break };
            clock.now.set(next);
            if let Some((_, happen)) = happens.next_if(|(second, _)| *second <= next.as_secs()) {
                happen(&state);
            }
        }
    }
    let status = state.wifi.borrow().clone().unwrap();
    assert_eq!(status.access_point_open, radio.access_point);
    for line in &log {
        assert!(!line.contains("secret") && !line.contains("justepourtester"), "{line}");
    }
    Outcome { calls: calls.take(), status, log }
}

#[test]
fn a_good_network_is_joined_and_its_signal_followed() {
    let outcome = play(101, Some(&known()), false, |_| Mood::Good);
    assert_eq!(outcome.calls, [(0, "scan"), (2, "join")]);
    assert_eq!(outcome.status.link, LinkState::Joined);
    assert_eq!(outcome.status.address.unwrap().ip.to_string(), "10.0.0.7");
    assert_eq!(outcome.status.signal_dbm, Some(-60));
    assert_eq!(outcome.log, ["Wi-Fi \"home\": joined as 10.0.0.7 (-50 dBm)"]);
}

#[test]
fn the_button_opens_the_access_point_whatever_the_radio_does() {
    let outcome = play_asking(5000, Some(&known()), false, |_| Mood::Good, &[1000]);
    assert_eq!(outcome.calls, [(0, "scan"), (2, "join"), (1000, "open"), (1600, "close")]);
    assert_eq!(outcome.status.link, LinkState::Joined);
    // In the middle of joining: as soon as that has an end.
    let early = play_asking(300, Some(&known()), false, |_| Mood::Good, &[3]);
    assert_eq!(early.calls, [(0, "scan"), (2, "join"), (5, "open")]);
    assert!(early.status.access_point_open);
    let alone = play_asking(5000, None, false, |_| Mood::Good, &[1000]);
    assert_eq!(alone.calls, [(0, "open")]);
}

#[test]
fn without_a_network_there_is_the_access_point_and_peace() {
    let outcome = play(100_000, None, false, |_| Mood::Good);
    assert_eq!(outcome.calls, [(0, "open")]);
    assert_eq!(outcome.status.link, LinkState::NoNetworkKnown);
    assert_eq!(outcome.log, ["access point \"OSSP-E5F6\" is open"]);
}

#[test]
fn a_wrong_password_is_told_once_and_tried_for_ever() {
    let outcome = play(2000, Some(&known()), false, |_| Mood::WrongPassword);
    assert_eq!(outcome.calls[..4], [(0, "scan"), (2, "join"), (5, "leave"), (5, "open")]);
    // With up to a quarter of chance.
    for (begin, least) in outcome.when("scan").windows(2).zip([5, 10, 20, 40, 80, 160, 300]) {
        let pause = begin[1] - begin[0] - 5;
        assert!((least..=least + least / 4 + 1).contains(&pause), "{pause} {least}");
    }
    assert_eq!(outcome.log, ["Wi-Fi \"home\": wrong password", "access point \"OSSP-E5F6\" is open"]);
    assert_eq!(outcome.status.last_error, Some(LinkError::WrongPassword));
    assert!(outcome.status.retry_at.is_some());
}

#[test]
fn a_radio_that_hangs_is_given_up_each_time() {
    let scans = play(600, Some(&known()), false, |_| Mood::ScanHangs);
    assert_eq!(scans.when("scan")[..2], [0, 15]);
    assert_eq!(scans.status.last_error, Some(LinkError::Radio));
    let joins = play(600, Some(&known()), false, |_| Mood::JoinHangs);
    assert_eq!(joins.when("leave")[0], 2 + limits::JOIN_TIMEOUT.as_secs());
    assert_eq!(joins.status.last_error, Some(LinkError::Lost));
    let access_point = play(600, Some(&known()), true, |_| Mood::Absent);
    assert_eq!(access_point.when("open")[..2], [2, 2 + limits::JOIN_TIMEOUT.as_secs() + 5]);
    assert!(access_point.when("scan").len() > 4, "joining goes on");
    assert_eq!(
        access_point.log,
        ["Wi-Fi \"home\": not in range", "access point \"OSSP-E5F6\" cannot be opened now"]
    );
}

#[test]
fn an_open_twin_is_never_joined() {
    let outcome = play(3600, Some(&known()), false, |_| Mood::OpenTwinOnly);
    assert_eq!(outcome.when("join"), []);
    assert_eq!(outcome.status.last_error, Some(LinkError::ScansAsOpen));
}

#[test]
fn a_day_with_a_router_that_restarts_at_noon() {
    let noon = 43_200..43_200 + 900;
    let outcome =
        play(
            86_400,
            Some(&known()),
            false,
            |second| if noon.contains(&second) { Mood::Absent } else { Mood::Good },
        );
    assert_eq!(outcome.status.link, LinkState::Joined);
    assert_eq!((outcome.when("open").len(), outcome.when("close").len()), (1, 1));
    let (open, close) = (outcome.when("open")[0], outcome.when("close")[0]);
    assert!((43_500..43_520).contains(&open), "{open}");
    let joined = *outcome.when("join").last().unwrap() + 3;
    assert!(joined < noon.end + 310 && close == joined + 60, "{joined} {close}");
    assert_eq!((outcome.status.last_error, outcome.status.access_point_open), (None, false));
    assert_eq!(outcome.log.len(), 6, "{:?}", outcome.log);
}

fn nobodys(state: &State) {
    state.access.open(Ok(Kept::new()), ID, [0; 32]);
}

#[test]
fn a_plug_that_nobody_owns_is_open_for_half_an_hour() {
    let half_an_hour = limits::ACCESS_POINT_SETUP.as_secs();
    let outcome = play_with(10_000, None, false, |_| Mood::Good, nobodys, &[(5000, ask)]);
    let (open, close) = (outcome.when("open"), outcome.when("close"));
    assert_eq!((open, close), (vec![0, 5000], vec![half_an_hour, 5000 + half_an_hour]));
    assert_eq!(outcome.log[..2], ["access point \"OSSP\" is open", "access point \"OSSP\" is closed"]);
}

#[test]
fn a_claim_takes_the_access_point_and_the_network_without_a_restart() {
    let claim: fn(&State) = |state| own(state, AccessPointWhen::Button, Some(&known()));
    let outcome = play_with(2000, None, false, |_| Mood::Good, nobodys, &[(100, claim)]);
    let calls: Vec<_> = outcome.calls.iter().map(|(_, call)| *call).collect();
    assert_eq!(calls, ["open", "close", "open", "leave", "scan", "join", "close"]);
    // Not before the answer to whoever claimed is out.
    let change = outcome.when("leave")[0];
    assert!((105..=111).contains(&change), "{change}");
    assert_eq!(outcome.when("close")[1], change + limits::ACCESS_POINT_ASKED.as_secs());
    assert_eq!(outcome.status.link, LinkState::Joined);
    assert_eq!(outcome.status.access_point_ssid, "OSSP-E5F6");
    assert_eq!(
        outcome.log[..3],
        [
            "access point \"OSSP\" is open",
            "access point \"OSSP\" is closed",
            "access point \"OSSP-E5F6\" is open"
        ]
    );
}

#[test]
fn a_new_password_of_the_network_is_tried_at_once() {
    let better: fn(&State) = |state| {
        let mut settings = state.settings.borrow_mut();
        settings.wifi.ssid = known().ssid;
        settings.wifi.password = Some("another secret".try_into().unwrap());
    };
    let mood = |second| if second < 1000 { Mood::WrongPassword } else { Mood::Good };
    let begin = |state: &State| own(state, AccessPointWhen::Fallback, Some(&known()));
    let outcome = play_with(2000, None, false, mood, begin, &[(1000, better)]);
    let again = outcome.when("scan").into_iter().find(|second| *second > 1000).unwrap();
    assert!((1005..=1011).contains(&again), "{again}");
    assert_eq!(outcome.status.link, LinkState::Joined);
}

/// Something else in the middle of an attempt to join loses nothing of it.
#[test]
fn a_new_name_of_the_access_point_does_not_stop_the_attempt_to_join() {
    let renamed: fn(&State) = |state| {
        state.settings.borrow_mut().wifi.access_point = AccessPointWhen::Button;
    };
    for second in 0..12 {
        let begin = |state: &State| own(state, AccessPointWhen::Fallback, None);
        let outcome = play_with(100, Some(&known()), false, |_| Mood::Good, begin, &[(second, renamed)]);
        assert_eq!(outcome.status.link, LinkState::Joined, "{second}");
        assert_eq!(outcome.calls.len(), 2, "{:?}", outcome.calls);
    }
}

#[test]
fn an_owner_without_a_password_for_the_access_point_has_none() {
    let begin = |state: &State| {
        own(state, AccessPointWhen::Fallback, None);
        state.settings.borrow_mut().wifi.access_point_password = None;
    };
    let outcome = play_with(1000, None, false, |_| Mood::Good, begin, &[(100, ask)]);
    assert_eq!(outcome.calls, []);
    assert_eq!(outcome.log, ["the access point has no password: it stays closed"]);
}
