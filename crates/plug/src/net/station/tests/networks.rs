//! Several networks, hidden ones, whoever uses the page, and tests of a network: each rule by itself.

use super::*;
use crate::net::trial_join::Step;

fn named(ssid: &str) -> Known {
    Credentials { ssid: ssid.try_into().unwrap(), password: Some("eight888".try_into().unwrap()) }.into()
}

fn hidden(ssid: &str) -> Known {
    Known { hidden: true, ..named(ssid) }
}

fn plan_of(known: &[Known], policy: Policy) -> Box<Plan> {
    let known = known.to_vec();
    Box::new(Plan { known, ..*plan(None, policy) })
}

fn in_range(names: &[&str]) -> Vec<Network> {
    let network =
        |ssid: &&str| Network { ssid: (*ssid).try_into().unwrap(), ..super::network(Security::Wpa2) };
    names.iter().map(network).collect()
}

fn scanned(station: &mut Station, second: u64, names: &[&str]) -> Actions {
    station.handle(at(second), 0, Event::Scanned(Ok(&in_range(names))))
}

fn refused(station: &mut Station, second: u64, error: LinkError) -> Actions {
    station.handle(at(second), 0, Event::Joined(Err(error)))
}

fn accepted(station: &mut Station, second: u64) -> Actions {
    station.handle(at(second), 0, Event::Joined(Ok(ADDRESS)))
}

fn started(known: &[Known], policy: Policy) -> Station {
    let mut station = Station::new(plan_of(known, policy));
    assert_eq!(station.handle(at(0), 0, Event::Start).errand, Some(Errand::Scan));
    station
}

/// On the first of these networks, its access point open for nobody.
fn on_first(known: &[Known], policy: Policy) -> Station {
    let mut station = started(known, policy);
    let _ = scanned(&mut station, 3, &[&known[0].credentials.ssid]);
    let _ = accepted(&mut station, 5);
    let _ = station.handle(at(65), 0, Event::Tick);
    assert_eq!((station.link(), station.poll_at()), (LinkState::Joined, None));
    station
}

#[test]
fn the_first_of_those_in_range_is_joined_and_the_next_where_it_refuses() {
    let mut station = started(&[named("a"), named("b"), named("c"), named("d")], Policy::Fallback);
    assert_eq!(scanned(&mut station, 3, &["d", "c", "b"]).errand, Some(Errand::Join));
    assert_eq!(station.ssid(), "b");
    assert_eq!(refused(&mut station, 5, LinkError::WrongPassword).errand, Some(Errand::Join));
    assert_eq!(station.ssid(), "c");
    assert_eq!(accepted(&mut station, 7), Actions::default());
    assert_eq!((station.ssid(), station.link()), ("c", LinkState::Joined));
    let (missing, wrong) = (Some(LinkError::NotFound), Some(LinkError::WrongPassword));
    assert_eq!(station.errors(), [missing, wrong, None, None]);
    // Until it has held, what went wrong most is told; then it is over, but each network's own stays.
    assert_eq!(station.last_error(), wrong);
    assert_eq!(station.handle(at(67), 0, Event::Tick), Actions::default());
    assert_eq!((station.last_error(), station.errors()[1], station.poll_at()), (None, wrong, None));
}

#[test]
fn all_that_refuse_are_one_failure() {
    let mut station = started(&[named("a"), named("b")], Policy::Fallback);
    let _ = scanned(&mut station, 3, &["a", "b"]);
    let _ = refused(&mut station, 5, LinkError::NoAddress);
    assert_eq!(refused(&mut station, 7, LinkError::Lost).access_point, Some(true));
    assert_eq!((station.link(), station.retry_at()), (LinkState::Waiting, Some(at(12))));
    assert_eq!((station.ssid(), station.last_error()), ("a", Some(LinkError::NoAddress)));
    // What is not there says less than what does not work.
    let _ = station.handle(at(12), 0, Event::Tick);
    let _ = scanned(&mut station, 15, &["b"]);
    let _ = refused(&mut station, 17, LinkError::WrongPassword);
    assert_eq!((station.ssid(), station.last_error()), ("b", Some(LinkError::WrongPassword)));
    assert_eq!(station.errors()[0], Some(LinkError::NotFound));
    // A radio that fails says so of all.
    let _ = station.handle(station.retry_at().unwrap(), 0, Event::Tick);
    let _ = station.handle(at(100), 0, Event::Scanned(Err(LinkError::Radio)));
    assert_eq!(station.errors()[..3], [Some(LinkError::Radio), Some(LinkError::Radio), None]);
}

#[test]
fn a_hidden_network_is_not_missing_before_it_was_called() {
    let mut station = started(&[named("a"), hidden("b")], Policy::Fallback);
    assert_eq!(scanned(&mut station, 3, &[]).errand, Some(Errand::Join));
    assert_eq!((station.ssid(), station.errors()[1]), ("b", None));
    let _ = refused(&mut station, 5, LinkError::NotFound);
    assert_eq!(station.errors()[1], Some(LinkError::NotFound));
    assert_eq!(station.link(), LinkState::Waiting);
}

#[test]
fn a_network_that_works_is_not_left_for_a_better_one_but_lost_for_it() {
    let mut station = started(&[named("a"), named("b")], Policy::Fallback);
    let _ = scanned(&mut station, 3, &["b"]);
    let _ = accepted(&mut station, 5);
    for second in (10..100_000).step_by(997) {
        assert_eq!(station.handle(at(second), 0, Event::Tick).errand, None);
    }
    assert_eq!(station.handle(at(100_000), 0, Event::Lost(LinkError::Lost)).errand, Some(Errand::Scan));
    let _ = scanned(&mut station, 100_003, &["a", "b"]);
    assert_eq!(station.ssid(), "a");
}

#[test]
fn chance_makes_waits_longer_by_a_quarter_at_most() {
    for chance in 0..=255 {
        let mut station = started(&[named("a")], Policy::Fallback);
        let found = Event::Scanned(Err(LinkError::NotFound));
        for failures in 0..12 {
            let _ = station.handle(at(0), chance, found.clone());
            let wait = station.retry_at().unwrap().since_start().as_secs_f64();
            let least = (5.0 * 2_f64.powi(failures)).min(300.0);
            let expected = least * (1.0 + f64::from(chance) / 1024.0);
            assert!((wait - expected).abs() < 0.001, "{failures} {chance}: {wait}");
            assert_eq!(station.handle(at(1000), 0, Event::Tick).errand, Some(Errand::Scan));
        }
    }
}

#[test]
fn the_times_are_the_owners() {
    let mut settings = plan_of(&[named("a")], Policy::Fallback);
    (settings.after_loss, settings.linger) = (Duration::from_secs(7), Duration::from_secs(1000));
    let mut station = Station::new(settings);
    let _ = station.handle(at(0), 0, Event::Start);
    assert_eq!(scanned(&mut station, 3, &[]), OPEN);
    let _ = station.handle(at(3), 0, Event::AccessPoint(true, Ok(())));
    let _ = station.handle(at(8), 0, Event::Tick);
    let _ = scanned(&mut station, 11, &["a"]);
    let _ = accepted(&mut station, 13);
    assert_eq!(station.handle(at(1012), 0, Event::Tick), Actions::default());
    assert_eq!(station.handle(at(1013), 0, Event::Tick), CLOSE);
    let _ = station.handle(at(1013), 0, Event::AccessPoint(false, Ok(())));
    let lost = station.handle(at(2000), 0, Event::Lost(LinkError::Lost));
    assert_eq!((lost.errand, station.poll_at()), (Some(Errand::Scan), Some(at(2007))));
}

/// Its access point is open and its network is not there.
fn stranded(policy: Policy) -> Station {
    let mut station = started(&[named("a")], policy);
    let _ = station.handle(at(0), 0, Event::Asked);
    let _ = station.handle(at(0), 0, Event::AccessPoint(true, Ok(())));
    let _ = scanned(&mut station, 3, &[]);
    assert!(station.access_point_open() && station.link() == LinkState::Waiting);
    station
}

#[test]
fn nothing_is_looked_for_while_somebody_uses_the_page() {
    let mut station = stranded(Policy::Fallback);
    station.set_in_use(Some(at(604)));
    assert_eq!((station.retry_at(), station.poll_at()), (Some(at(604)), Some(at(604))));
    for second in [8, 100, 603] {
        assert_eq!(station.handle(at(second), 0, Event::Tick), Actions::default());
    }
    // Each use begins the time anew; without one it is over.
    station.set_in_use(Some(at(1200)));
    assert_eq!(station.handle(at(604), 0, Event::Tick), Actions::default());
    assert_eq!(station.handle(at(1200), 0, Event::Tick).errand, Some(Errand::Scan));
    // Whoever begins during the scan is not thrown out by joining.
    station.set_in_use(Some(at(1800)));
    assert_eq!(scanned(&mut station, 1203, &["a"]), Actions::default());
    assert_eq!((station.link(), station.last_error()), (LinkState::Waiting, Some(LinkError::NotFound)));
    // Nobody is on it any more.
    station.set_in_use(None);
    assert_eq!(station.handle(at(1300), 0, Event::Tick).errand, Some(Errand::Scan));
}

#[test]
fn it_does_not_close_on_somebody_who_uses_it() {
    for policy in [Policy::Fallback, Policy::Button] {
        let mut station = stranded(policy);
        let _ = station.handle(at(8), 0, Event::Tick);
        let _ = scanned(&mut station, 11, &["a"]);
        let _ = accepted(&mut station, 13);
        station.set_in_use(Some(at(900)));
        assert_eq!(station.handle(at(ASKED), 0, Event::Tick), Actions::default());
        assert_eq!(station.poll_at(), Some(at(900)));
        station.set_in_use(Some(at(1000)));
        assert_eq!(station.handle(at(900), 0, Event::Tick), Actions::default());
        assert_eq!(station.handle(at(1000), 0, Event::Tick), CLOSE);
    }
    // A plug that nobody owns has a password that all know.
    let mut station = Station::new(plan(None, Policy::Setup));
    assert_eq!(station.handle(at(0), 0, Event::Start), OPEN);
    let _ = station.handle(at(0), 0, Event::AccessPoint(true, Ok(())));
    station.set_in_use(Some(at(SETUP + 500)));
    assert_eq!(station.handle(at(SETUP), 0, Event::Tick), CLOSE);
    // Another password, or none any more.
    for policy in [Policy::Fallback, Policy::Never] {
        let mut station = stranded(Policy::Fallback);
        station.set_in_use(Some(at(900)));
        assert_eq!(station.handle(at(20), 0, claimed(Some(known()), policy)).access_point, Some(false));
    }
}

#[test]
fn what_somebody_has_just_asked_for_does_not_wait() {
    let mut station = stranded(Policy::Fallback);
    station.set_in_use(Some(at(900)));
    let errand = |station: &mut Station, second, event| station.handle(at(second), 0, event).errand;
    let plan = plan_of(&[named("b")], Policy::Fallback);
    assert_eq!(errand(&mut station, 20, Event::Planned(plan)), Some(Errand::Leave));
    assert_eq!(errand(&mut station, 20, Event::Left), Some(Errand::Scan));
    assert_eq!(scanned(&mut station, 23, &["b"]).errand, Some(Errand::Join));
    // Once.
    assert_eq!(refused(&mut station, 25, LinkError::WrongPassword), Actions::default());
    assert_eq!(errand(&mut station, 30, Event::Tick), None);
    assert_eq!(station.retry_at(), Some(at(900)));
}

fn try_at(station: &mut Station, second: u64, known: Known) {
    let begins = station.handle(at(second), 0, Event::Try(Box::new(known)));
    // The answer gets out first.
    assert_eq!(begins, Actions::default());
    assert_eq!(station.poll_at(), Some(at(second + 1)));
    assert_eq!(station.handle(at(second + 1), 0, Event::Tick).errand, Some(Errand::Leave));
    assert_eq!(station.handle(at(second + 1), 0, Event::Left).errand, Some(Errand::Scan));
    assert!(station.is_testing());
}

#[test]
fn a_test_that_succeeds_waits_for_its_confirmation() {
    let mut station = on_first(&[named("a")], Policy::Fallback);
    try_at(&mut station, 100, named("b"));
    assert_eq!((station.ssid(), station.link()), ("b", LinkState::Joining));
    assert_eq!(scanned(&mut station, 104, &["a", "b"]).errand, Some(Errand::Join));
    assert_eq!(accepted(&mut station, 106), Actions::default());
    let report = station.report().unwrap();
    assert_eq!(
        (report.state, report.step, report.before),
        (TrialState::Succeeded, Step::Done, Some(ADDRESS.ip))
    );
    assert_eq!((report.address, station.poll_at()), (Some(ADDRESS.ip), Some(at(286))));
    // Another one has to wait.
    assert_eq!(station.handle(at(150), 0, Event::Try(Box::new(named("c")))), Actions::default());
    assert_eq!(station.ssid(), "b");
    let stored = plan_of(&[named("b"), named("a")], Policy::Fallback);
    assert_eq!(
        station.handle(at(200), 0, Event::Confirmed(Box::new(named("b")), stored)),
        Actions::default()
    );
    assert_eq!((station.ssid(), station.link()), ("b", LinkState::Joined));
    assert_eq!(station.report().unwrap().state, TrialState::Confirmed);
    assert_eq!(station.handle(at(300), 0, Event::Tick), Actions::default());
    assert_eq!(station.poll_at(), None);
    // It is a network as any other.
    assert_eq!(station.handle(at(400), 0, Event::Lost(LinkError::Lost)).errand, Some(Errand::Scan));
}

#[test]
fn a_confirmation_that_was_stored_late_is_not_that_of_the_next_test() {
    let mut station = on_first(&[named("a")], Policy::Fallback);
    try_at(&mut station, 100, named("b"));
    let _ = scanned(&mut station, 104, &["b"]);
    let _ = accepted(&mut station, 106);
    // Confirmed, and taken back by somebody else before it was stored.
    let _ = station.handle(at(150), 0, Event::TakenBack);
    try_at(&mut station, 152, named("c"));
    let stored = plan_of(&[named("b"), named("a")], Policy::Fallback);
    let _ = station.handle(at(154), 0, Event::Confirmed(Box::new(named("b")), stored));
    let report = station.report().unwrap();
    assert_eq!((report.ssid.as_str(), report.state), ("c", TrialState::Running));
    assert!(station.is_testing());
    // It is what the end of that one goes back to.
    let _ = scanned(&mut station, 156, &["a", "b"]);
    assert_eq!(station.report().unwrap().state, TrialState::Failed);
    let _ = station.handle(at(156), 0, Event::Left);
    let _ = scanned(&mut station, 160, &["a", "b"]);
    assert_eq!(station.ssid(), "b");
}

#[test]
fn a_test_that_ends_goes_back_to_the_old_networks() {
    for end in 0..5 {
        let mut station = on_first(&[named("a")], Policy::Fallback);
        try_at(&mut station, 100, named("b"));
        let (second, actions, state) = match end {
            0 => (104, scanned(&mut station, 104, &["a"]), TrialState::Failed),
            1 => {
                let _ = scanned(&mut station, 104, &["b"]);
                (106, refused(&mut station, 106, LinkError::WrongPassword), TrialState::Failed)
            }
            _ => {
                let _ = scanned(&mut station, 104, &["b"]);
                let _ = accepted(&mut station, 106);
                match end {
                    2 => (286, station.handle(at(286), 0, Event::Tick), TrialState::Reverted),
                    3 => (150, station.handle(at(150), 0, Event::Lost(LinkError::Lost)), TrialState::Failed),
                    _ => {
                        let soon = station.handle(at(150), 0, Event::TakenBack);
                        assert_eq!((soon, station.poll_at()), (Actions::default(), Some(at(151))));
                        (151, station.handle(at(151), 0, Event::Tick), TrialState::Reverted)
                    }
                }
            }
        };
        assert_eq!(actions.errand, Some(Errand::Leave), "{end}");
        assert_eq!((station.report().unwrap().state, station.is_testing()), (state, false));
        assert_eq!(station.handle(at(second), 0, Event::Left).errand, Some(Errand::Scan));
        let _ = scanned(&mut station, second + 3, &["a", "b"]);
        assert_eq!(station.ssid(), "a");
        let _ = accepted(&mut station, second + 5);
        assert_eq!((station.link(), station.last_error()), (LinkState::Joined, None));
        assert_eq!(station.report().unwrap().state, state, "it stays to be read");
        // It does not end twice.
        assert_eq!(station.handle(at(1000), 0, Event::TakenBack), Actions::default());
        assert_eq!(station.report().unwrap().state, state);
    }
}

#[test]
fn each_error_has_its_step() {
    for (error, step) in [
        (LinkError::NotFound, Step::Searching),
        (LinkError::WrongPassword, Step::Joining),
        (LinkError::Lost, Step::Joining),
        (LinkError::NoAddress, Step::Address),
    ] {
        let mut station = Station::new(plan_of(&[], Policy::Fallback));
        assert_eq!(station.handle(at(0), 0, Event::Start), OPEN);
        let _ = station.handle(at(1), 0, Event::AccessPoint(true, Ok(())));
        try_at(&mut station, 10, hidden("b"));
        let _ = scanned(&mut station, 14, &[]);
        let _ = refused(&mut station, 16, error);
        let report = station.report().unwrap();
        assert_eq!((report.step, report.error, report.state), (step, Some(error), TrialState::Failed));
        // Without another network there is peace again.
        assert_eq!(station.handle(at(16), 0, Event::Left), Actions::default());
        assert_eq!((station.link(), station.access_point_open()), (LinkState::NoNetworkKnown, true));
    }
}

#[test]
fn the_access_point_stays_as_it_is_during_a_test() {
    let mut station = stranded(Policy::Fallback);
    try_at(&mut station, 20, named("b"));
    let _ = scanned(&mut station, 24, &["b"]);
    let _ = accepted(&mut station, 26);
    assert_eq!(station.handle(at(100), 0, Event::Tick), Actions::default());
    assert_eq!(station.handle(at(205), 0, Event::Tick), Actions::default());
    let stored = plan_of(&[named("b"), named("a")], Policy::Fallback);
    let _ = station.handle(at(205), 0, Event::Confirmed(Box::new(named("b")), stored));
    assert_eq!(station.handle(at(205), 0, Event::Tick).access_point, None, "it was asked for");
    assert_eq!(station.handle(at(ASKED), 0, Event::Tick), CLOSE);
    // One that is closed stays closed, but for whoever asks.
    let mut station = on_first(&[named("a")], Policy::Fallback);
    try_at(&mut station, 100, named("b"));
    let _ = scanned(&mut station, 104, &["b"]);
    let _ = accepted(&mut station, 106);
    assert_eq!(station.handle(at(110), 0, Event::Asked), OPEN);
}

#[test]
fn a_plan_that_keeps_the_network_keeps_the_plug_on_it() {
    let mut station = on_first(&[named("a")], Policy::Fallback);
    let more = plan_of(&[named("x"), named("a")], Policy::Fallback);
    assert_eq!(station.handle(at(100), 0, Event::Planned(more)), Actions::default());
    assert_eq!((station.ssid(), station.link()), ("a", LinkState::Joined));
    let gone = plan_of(&[named("x")], Policy::Fallback);
    assert_eq!(station.handle(at(200), 0, Event::Planned(gone)).errand, Some(Errand::Leave));
    // An address that is set is another way to join.
    let mut station = on_first(&[named("a")], Policy::Fallback);
    let set =
        crate::platform::StaticAddress { ip: [10, 0, 0, 9].into(), prefix: 24, gateway: None, dns: None };
    let moved = plan_of(&[Known { address: Some(set), ..named("a") }], Policy::Fallback);
    assert_eq!(station.handle(at(100), 0, Event::Planned(moved)).errand, Some(Errand::Leave));
}

#[test]
fn a_new_plan_during_a_test_is_what_its_end_goes_back_to() {
    let mut station = on_first(&[named("a")], Policy::Fallback);
    try_at(&mut station, 100, named("b"));
    let other = plan_of(&[named("c")], Policy::Fallback);
    assert_eq!(station.handle(at(102), 0, Event::Planned(other)).errand, Some(Errand::Scan));
    assert_eq!(station.ssid(), "b");
    let _ = scanned(&mut station, 104, &["c"]);
    let _ = station.handle(at(104), 0, Event::Left);
    let _ = scanned(&mut station, 107, &["c"]);
    assert_eq!(station.ssid(), "c");
}
