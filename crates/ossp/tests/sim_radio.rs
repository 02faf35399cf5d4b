//! The simulated radio: each network of a scenario as the plug meets it, and the program with one.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly, their helpers too"
)]

#[path = "../../plug/tests/idle_clock/mod.rs"]
mod idle_clock;
mod virtual_plug;

use std::future::Future;
use std::net::{Ipv4Addr, UdpSocket};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use idle_clock::IdleClock;
use ossp::host::{AccessPoint, SimWifi};
use ossp::sim::Scenario;
use plug::limits::ADDRESS_TIMEOUT;
use plug::net::factory_access_point;
use plug::platform::{Clock, Credentials, Instant, Known, LinkError, Security, StaticAddress, Wifi};
use serde_json::Value;
use virtual_plug::{Folder, Plug, number};

/// A radio in the air of a scenario, with a clock that goes on when everybody waits.
struct Bench {
    wifi: SimWifi<Shared>,
    access_point: Rc<AccessPoint>,
    clock: Shared,
}

/// A clock that the radio and the test share.
#[derive(Clone, Default)]
struct Shared(Rc<IdleClock>);

impl Clock for Shared {
    fn now(&self) -> Instant {
        self.0.now()
    }

    async fn sleep_until(&self, moment: Instant) {
        self.0.sleep_until(moment).await;
    }

    fn time_of_day(&self) -> Option<f64> {
        None
    }
}

impl Bench {
    fn new(scenario: &str) -> Self {
        let scenario = Scenario::from_text("air.toml", scenario).unwrap();
        let (clock, access_point) = (Shared::default(), Rc::<AccessPoint>::default());
        let wifi = SimWifi::new(&scenario, 7, 0.0, clock.clone(), access_point.clone()).unwrap();
        Self { wifi, access_point, clock }
    }

    /// What `action` comes to, and how many seconds it took.
    fn run<T>(&mut self, action: impl AsyncFnOnce(&mut SimWifi<Shared>, &Shared) -> T) -> (T, f64) {
        let clock = &self.clock.0;
        let begin = clock.seconds();
        let mut action = pin!(action(&mut self.wifi, &self.clock));
        let mut context = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(done) = action.as_mut().poll(&mut context) {
                return (done, clock.seconds() - begin);
            }
            clock.now.set(clock.next.take().unwrap());
        }
    }

    fn join(&mut self, ssid: &str, password: Option<&str>) -> (Result<Ipv4Addr, LinkError>, f64) {
        self.join_known(&known(ssid, password))
    }

    fn join_known(&mut self, known: &Known) -> (Result<Ipv4Addr, LinkError>, f64) {
        let (joined, took) = self.run(async |wifi, _| wifi.join(known, "ossp-ef56").await);
        assert_eq!(self.wifi.way_out().is_there(), joined.is_ok());
        assert_eq!(self.wifi.signal_dbm().is_some(), joined.is_ok());
        (joined.map(|address| address.ip), took)
    }

    fn pass(&mut self, seconds: u64) {
        let pause = Duration::from_secs(seconds);
        self.run(async |_, clock| clock.sleep_until(clock.now().after(pause)).await);
    }
}

fn known(ssid: &str, password: Option<&str>) -> Known {
    let password = password.map(|text| text.try_into().unwrap());
    Credentials { ssid: ssid.try_into().unwrap(), password }.into()
}

fn first_start() -> Bench {
    Bench::new(include_str!("../scenarios/first_start.toml"))
}

#[test]
fn a_scan_of_the_first_start_shows_the_neighbourhood() {
    let mut bench = first_start();
    let (found, took) = bench.run(async |wifi, _| wifi.scan().await.unwrap());
    assert!((1.9..2.5).contains(&took), "{took}");
    let strengths: Vec<_> = found.iter().map(|network| network.signal_dbm).collect();
    assert!(strengths.is_sorted_by(|a, b| a >= b) && (-57..-47).contains(&strengths[0]), "{strengths:?}");
    let count = |name: &str, security| {
        found.iter().filter(|network| network.ssid == name && network.security == security).count()
    };
    assert_eq!(count("home", Security::Wpa2), 2);
    assert_eq!(count("", Security::Wpa2), 1, "the hidden one does not say its name");
    assert_eq!(count("attic", Security::Wpa2), 0);
    assert_eq!(count("Glass Tower", Security::Wpa3), 1);
    assert_eq!(count("Cafe downstairs", Security::Open), 1);
    assert_eq!(count("Flat 12", Security::Wpa2), 1);
}

#[test]
fn each_network_of_the_first_start_lets_the_plug_in_or_says_why_not() {
    let mut bench = first_start();
    let mut outcomes = Vec::new();
    for (ssid, password) in [
        ("home", Some("by-the-window")),
        ("home", Some("By-the-window")),
        ("home", None),
        ("attic", Some("up-the-ladder")),
        ("Glass Tower", Some("look-at-the-view")),
        ("Cafe downstairs", None),
        ("Cafe downstairs", Some("espresso")),
        ("Flat 12", Some("a guess or two")),
        ("nobody", Some("a guess or two")),
    ] {
        let (joined, took) = bench.join(ssid, password);
        assert!(took < if joined == Err(LinkError::NoAddress) { 22.0 } else { 5.0 }, "{ssid}: {took}");
        outcomes.push(joined.map(|ip| ip.to_string()));
    }
    assert_eq!(
        outcomes,
        [
            Ok("192.168.178.50".to_owned()),
            Err(LinkError::WrongPassword),
            Err(LinkError::PasswordMissing),
            Ok("10.0.3.17".to_owned()),
            Err(LinkError::OnlyWpa3),
            Err(LinkError::NoAddress),
            Err(LinkError::ScansAsOpen),
            Err(LinkError::WrongPassword),
            Err(LinkError::NotFound),
        ]
    );
    // Across the street: hardly ever.
    let joined = (0..10).filter(|_| bench.join("across the street", Some("nine-lives")).0.is_ok()).count();
    assert!(joined <= 4, "{joined} of 10");
}

#[test]
fn a_set_address_does_without_the_networks() {
    let mut bench = first_start();
    let ip = Ipv4Addr::new(10, 9, 8, 7);
    let address = StaticAddress { ip, prefix: 24, gateway: None, dns: None };
    let known = Known { address: Some(address), ..known("Cafe downstairs", None) };
    let (joined, took) = bench.join_known(&known);
    assert_eq!(joined, Ok(ip));
    assert!(took < 3.0, "{took}");
}

#[test]
fn a_slow_router_is_waited_for_as_long_as_the_plug_waits() {
    let air = |seconds: f64| format!("[[radio.network]]\nsecurity = \"open\"\ndhcp_s = {seconds}\n");
    let (joined, took) = Bench::new(&air(15.0)).join("home", None);
    assert!(joined.is_ok() && (15.0..18.0).contains(&took), "{joined:?} {took}");
    let (joined, took) = Bench::new(&air(21.0)).join("home", None);
    let limit = ADDRESS_TIMEOUT.as_secs_f64();
    assert_eq!(joined, Err(LinkError::NoAddress));
    assert!((limit..limit + 3.0).contains(&took), "{took}");
}

#[test]
fn what_is_lost_on_the_way_is_lost() {
    let air = |loss: u32| format!("[[radio.network]]\npassword = \"eight888\"\nloss_pct = {loss}\n");
    let joined = |loss: u32| {
        let mut bench = Bench::new(&air(loss));
        (0..20).filter(|_| bench.join("home", Some("eight888")).0.is_ok()).count()
    };
    assert_eq!((joined(0), joined(100)), (20, 0));
    // Five things are said, each four times: 0.7^4 of them are lost.
    let some = joined(70);
    assert!((1..12).contains(&some), "{some} of 20");
    assert_eq!(Bench::new(&air(100)).join("home", Some("eight888")).0, Err(LinkError::Lost));
    let found = Bench::new(&air(100)).run(async |wifi, _| wifi.scan().await.unwrap()).0;
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn a_network_goes_off_the_air_and_comes_back() {
    let mut bench = Bench::new(
        "[[radio.network]]\nsecurity = \"open\"\noff_at_s = 60\n[[radio.network]]\nsecurity = \"open\"\non_at_s = 200\n",
    );
    assert!(bench.join("home", None).0.is_ok());
    let (error, took) = bench.run(async |wifi, _| wifi.lost().await);
    assert_eq!(error, LinkError::Lost);
    assert!((56.0..62.0).contains(&took), "{took}");
    assert!(!bench.wifi.way_out().is_there() && bench.wifi.signal_dbm().is_none());
    assert_eq!(bench.join("home", None).0, Err(LinkError::NotFound));
    bench.pass(150);
    assert!(bench.join("home", None).0.is_ok());
    bench.run(async |wifi, _| wifi.leave().await);
    assert!(!bench.wifi.way_out().is_there());
}

#[test]
fn what_looks_open_and_is_not_is_told_as_it_looks() {
    let mut bench = Bench::new("[[radio.network]]\nsecurity = \"wpa3\"\nscans_as_open = true\n");
    let found = bench.run(async |wifi, _| wifi.scan().await.unwrap()).0;
    assert_eq!(found[0].security, Security::Open);
    assert_eq!(bench.join("home", None).0, Err(LinkError::OnlyWpa3));
}

#[test]
fn phones_are_on_the_access_point_while_it_is_open_and_lose_it_when_it_moves() {
    let mut bench = Bench::new(
        "[[radio.network]]\nsecurity = \"open\"\nchannel = 11\n[[radio.phone]]\nfor_s = 100\n[[radio.phone]]\nat_s = 50\nfor_s = 10\n",
    );
    assert_eq!(bench.wifi.associated(), 0);
    bench.run(async |wifi, _| wifi.open_access_point(&factory_access_point()).await.unwrap());
    assert!(bench.access_point.is_open());
    assert_eq!(bench.wifi.associated(), 1);
    // It follows the network's channel.
    bench.join("home", None).0.unwrap();
    assert_eq!(bench.wifi.associated(), 0);
    bench.pass(10);
    assert_eq!(bench.wifi.associated(), 1);
    // The second time it is there already.
    bench.join("home", None).0.unwrap();
    assert_eq!(bench.wifi.associated(), 1);
    bench.pass(38);
    assert_eq!(bench.wifi.associated(), 2);
    bench.run(async |wifi, _| wifi.close_access_point().await.unwrap());
    assert_eq!(bench.wifi.associated(), 0);
    bench.run(async |wifi, _| wifi.open_access_point(&factory_access_point()).await.unwrap());
    let access_point = bench.access_point.clone();
    drop(bench);
    assert!(!access_point.is_open(), "a plug without power has no access point");
}

#[test]
fn without_the_section_there_is_no_radio() {
    let scenario = Scenario::builtin("kettle").unwrap();
    assert!(SimWifi::new(&scenario, 1, 0.0, Shared::default(), Rc::default()).is_none());
}

/// The page of the radio as soon as it is in this state.
fn until(plug: &Plug, state: &str) -> Value {
    plug.await_json("/api/v1/wifi", |wifi| wifi["state"] == state)
}

const FAST: [&str; 4] = ["--scenario", "first-start", "--speed", "20"];

#[test]
fn the_program_joins_what_its_owner_says_and_keeps_it() {
    let folder = Folder::new("first-start");
    let plug = Plug::start(&folder.0, &FAST);
    until(&plug, "no_network_known");
    plug.await_json("/api/v1/wifi", |wifi| wifi["access_point"]["open"] == true);
    plug.set(r#"{"wifi":{"ssid":"home","password":"a wrong one"}}"#);
    plug.await_json("/api/v1/wifi", |wifi| wifi["last_error"] == "wrong_password");
    plug.set(r#"{"wifi":{"ssid":"home","password":"by-the-window"}}"#);
    let joined = until(&plug, "joined");
    assert_eq!((&joined["ssid"], &joined["address"]), (&"home".into(), &"192.168.178.50".into()));
    assert!((-60..-45).contains(&joined["signal_dbm"].as_i64().unwrap()), "{joined}");
    // Killed, not stopped.
    drop(plug);
    let plug = Plug::start(&folder.0, &FAST);
    assert_eq!(until(&plug, "joined")["ssid"], "home");
}

#[test]
fn a_network_that_was_tested_is_kept_once_it_is_confirmed() {
    let folder = Folder::new("tested");
    let test = |plug: &Plug, network: &str| {
        let answer = plug.ask("POST /api/v1/wifi/test", "", network).unwrap();
        assert_eq!(answer.status, 202, "{answer:?}");
    };
    let ends = |plug: &Plug, state: &str| {
        plug.await_json("/api/v1/wifi", |wifi| wifi["test"]["state"] == state)["test"].clone()
    };
    let plug = Plug::start(&folder.0, &FAST);
    until(&plug, "no_network_known");
    test(&plug, r#"{"ssid":"Glass Tower","password":"look-at-the-view"}"#);
    let failed = ends(&plug, "failed");
    assert_eq!((&failed["step"], &failed["error"]), (&"searching".into(), &"only_wpa3".into()));
    test(&plug, r#"{"ssid":"Cafe downstairs","password":null}"#);
    assert_eq!(ends(&plug, "failed")["error"], "no_address");
    test(&plug, r#"{"ssid":"attic","password":"up-the-ladder","hidden":true}"#);
    assert_eq!(ends(&plug, "succeeded")["address"], "10.0.3.17");
    // Killed before anybody confirmed: as before.
    drop(plug);
    let plug = Plug::start(&folder.0, &FAST);
    until(&plug, "no_network_known");
    test(&plug, r#"{"ssid":"attic","password":"up-the-ladder","hidden":true}"#);
    ends(&plug, "succeeded");
    assert_eq!(plug.request("POST /api/v1/wifi/confirm", "").0, 200);
    drop(plug);
    let plug = Plug::start(&folder.0, &FAST);
    let joined = until(&plug, "joined");
    assert_eq!((&joined["ssid"], &joined["address"]), (&"attic".into(), &"10.0.3.17".into()));
}

/// Whoever has a radio and no network has no way out.
#[test]
fn nothing_leaves_before_a_network_is_joined() {
    let folder = Folder::new("no-way-out");
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_nonblocking(true).unwrap();
    let hears = || server.recv(&mut [0; 100]).is_ok();
    // A plug that knows the time asks nobody.
    let scenario = format!("{}\n[clock]\nknown = false\n", include_str!("../scenarios/first_start.toml"));
    std::fs::create_dir_all(&folder.0).unwrap();
    let file = folder.0.join("unknowing.toml");
    std::fs::write(&file, scenario).unwrap();
    let plug = Plug::start(&folder.0, &["--speed", "20", "--scenario", file.to_str().unwrap()]);
    let address = server.local_addr().unwrap();
    plug.set(&format!(r#"{{"time":{{"source":"ntp","ntp_servers":"{address}"}}}}"#));
    // It does not even try.
    let begun = number(&plug.json("/api/v1/info")["uptime_s"]);
    plug.await_json("/api/v1/info", |info| number(&info["uptime_s"]) > begun + 120.0);
    assert!(!hears());
    assert_eq!(plug.json("/api/v1/ledger")["total"]["count"], 0);
    plug.set(r#"{"wifi":{"ssid":"home","password":"by-the-window"}}"#);
    until(&plug, "joined");
    let begin = std::time::Instant::now();
    while !hears() {
        assert!(begin.elapsed() < virtual_plug::PATIENCE, "nothing comes");
        std::thread::sleep(Duration::from_millis(20));
    }
}
