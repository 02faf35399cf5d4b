//! The station against a radio and a network that a test plays, hour by hour.

mod networks;
mod properties;

use super::*;
use crate::net::{LinkState, factory_access_point};
use crate::platform::{Credentials, Security};
use alloc::vec::Vec;
use core::net::Ipv4Addr;

const ADDRESS: Address = Address {
    ip: Ipv4Addr::new(10, 0, 0, 7),
    prefix: 24,
    gateway: Some(Ipv4Addr::new(10, 0, 0, 1)),
    time_server: None,
};

fn known() -> Credentials {
    Credentials { ssid: "home".try_into().unwrap(), password: Some("eight888".try_into().unwrap()) }
}

fn plan(known: Option<Credentials>, policy: Policy) -> Box<Plan> {
    plan_for(known, factory_access_point(), policy)
}

fn plan_for(known: Option<Credentials>, own: Credentials, policy: Policy) -> Box<Plan> {
    let known = known.into_iter().map(Known::from).collect();
    let (after_loss, linger) = (Duration::from_secs(300), Duration::from_secs(60));
    Box::new(Plan { known, own, policy, after_loss, linger })
}

/// A station whose access point is a fallback.
fn fallback(known: Option<Credentials>) -> Station {
    Station::new(plan(known, Policy::Fallback))
}

fn network(security: Security) -> Network {
    Network { ssid: "home".try_into().unwrap(), signal_dbm: -50, security, channel: 1 }
}

fn at(seconds: u64) -> Instant {
    Instant::from_start(Duration::from_secs(seconds))
}

/// What happened, and when.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Did {
    Scan,
    Join,
    Open,
    Close,
}

/// A radio in a world: what scans, joins and the access point give at a second.
struct World<F, G, H> {
    scan: F,
    join: G,
    access_point: H,
    /// Seconds at which the network goes away.
    losses: Vec<u64>,
}

impl<F, G, H> World<F, G, H>
where
    F: Fn(u64) -> Result<Security, LinkError>,
    G: Fn(u64) -> Result<Address, LinkError>,
    H: Fn(u64) -> Result<(), LinkError>,
{
    /// Plays until `end`; scans take 3 s, joining 2 s.
    fn play(&self, station: &mut Station, end: u64) -> Vec<(u64, Did)> {
        self.play_on(station, 0, Event::Start, end)
    }

    /// Plays on from an event at a second.
    fn play_on(&self, station: &mut Station, from: u64, event: Event<'_>, end: u64) -> Vec<(u64, Did)> {
        let mut done = Vec::new();
        let mut second = from;
        let mut steps = 0;
        let mut actions = station.handle(at(from), 0, event);
        loop {
            steps += 1;
            assert!(steps < 100_000, "it does not come to rest");
            if let Some(open) = actions.access_point {
                done.push((second, if open { Did::Open } else { Did::Close }));
                actions =
                    station.handle(at(second), 0, Event::AccessPoint(open, (self.access_point)(second)));
                continue;
            }
            actions = match actions.errand {
                Some(Errand::Leave) => station.handle(at(second), 0, Event::Left),
                Some(Errand::Scan) => {
                    done.push((second, Did::Scan));
                    second += 3;
                    let found = (self.scan)(second).map(network);
                    let found = found.as_ref().map(core::slice::from_ref).map_err(|error| *error);
                    station.handle(at(second), 0, Event::Scanned(found))
                }
                Some(Errand::Join) => {
                    done.push((second, Did::Join));
                    second += 2;
                    station.handle(at(second), 0, Event::Joined((self.join)(second)))
                }
                None => {
                    let joined = station.link() == LinkState::Joined;
                    let loss = self.losses.iter().copied().find(|loss| joined && *loss > second);
                    let due = station.poll_at().map(|due| due.since_start().as_secs().max(second));
                    let lost = loss.is_some_and(|loss| due.is_none_or(|due| loss <= due));
                    let Some(next) = (if lost { loss } else { due }).filter(|next| *next <= end) else {
                        return done;
                    };
                    second = next;
                    let event = if lost { Event::Lost(LinkError::Lost) } else { Event::Tick };
                    station.handle(at(second), 0, event)
                }
            };
        }
    }
}

fn good(_: u64) -> Result<Security, LinkError> {
    Ok(Security::Wpa2)
}

fn joins(_: u64) -> Result<Address, LinkError> {
    Ok(ADDRESS)
}

fn works(_: u64) -> Result<(), LinkError> {
    Ok(())
}

#[test]
fn without_a_known_network_the_access_point_opens_at_once_and_stays() {
    let mut station = fallback(None);
    let world = World { scan: good, join: joins, access_point: works, losses: Vec::new() };
    assert_eq!(world.play(&mut station, 1_000_000), [(0, Did::Open)]);
    assert_eq!((station.link(), station.poll_at()), (LinkState::NoNetworkKnown, None));
    assert!(station.access_point_open());
}

#[test]
fn a_good_network_is_joined_and_no_access_point_ever_opens() {
    let mut station = fallback(Some(known()));
    let world = World { scan: good, join: joins, access_point: works, losses: Vec::new() };
    assert_eq!(world.play(&mut station, 1_000_000), [(0, Did::Scan), (3, Did::Join)]);
    assert_eq!((station.link(), station.address()), (LinkState::Joined, Some(ADDRESS)));
    assert_eq!((station.poll_at(), station.last_error()), (None, None));
}

#[test]
fn the_back_off_doubles_up_to_five_minutes_beside_the_open_access_point() {
    let mut station = fallback(Some(known()));
    let refused = |_| Err(LinkError::WrongPassword);
    let world = World { scan: good, join: refused, access_point: works, losses: Vec::new() };
    let done = world.play(&mut station, 3000);
    assert_eq!(done[..3], [(0, Did::Scan), (3, Did::Join), (5, Did::Open)]);
    let scans: Vec<_> = done.iter().filter(|(_, did)| *did == Did::Scan).map(|(at, _)| *at).collect();
    let waits: Vec<_> = scans.windows(2).map(|pair| pair[1] - pair[0] - 5).collect();
    assert_eq!(waits[..8], [5, 10, 20, 40, 80, 160, 300, 300]);
    assert!(done.iter().all(|(_, did)| *did != Did::Close));
    assert_eq!((station.link(), station.last_error()), (LinkState::Waiting, Some(LinkError::WrongPassword)));
    assert_eq!(station.retry_at(), station.poll_at());
    // For ever means for ever: no number overflows.
    station.failures = u32::MAX;
    let _ = world.play(&mut station, 6000);
    assert_eq!((station.failures, station.link()), (u32::MAX, LinkState::Waiting));
}

#[test]
fn the_access_point_closes_a_minute_after_joining() {
    let mut station = fallback(Some(known()));
    // The router starts after the plug, as after a power cut.
    let late = |second| if second < 30 { Err(LinkError::NotFound) } else { Ok(Security::Wpa2) };
    let world = World { scan: late, join: joins, access_point: works, losses: Vec::new() };
    let done = world.play(&mut station, 10_000);
    let joined = done.iter().find(|(_, did)| *did == Did::Join).unwrap().0 + 2;
    assert_eq!(done[1], (3, Did::Open));
    assert_eq!(done.last(), Some(&(joined + 60, Did::Close)));
    assert_eq!((station.last_error(), station.poll_at()), (None, None));
}

#[test]
fn a_lost_network_is_looked_for_at_once_and_the_access_point_waits_five_minutes() {
    let mut station = fallback(Some(known()));
    let gone = |second| if second < 1000 { Ok(Security::Wpa2) } else { Err(LinkError::NotFound) };
    let world = World { scan: gone, join: joins, access_point: works, losses: [1000].into() };
    let done = world.play(&mut station, 2000);
    assert_eq!(done[2], (1000, Did::Scan));
    let open = done.iter().find(|(_, did)| *did == Did::Open).unwrap().0;
    assert!((1300..=1305).contains(&open), "{open}");
    assert!(done.iter().filter(|(at, did)| *did == Did::Scan && *at < open).count() >= 5);
    // A short loss opens none.
    let mut station = fallback(Some(known()));
    let world = World { scan: good, join: joins, access_point: works, losses: [500, 900].into() };
    let done = world.play(&mut station, 10_000);
    assert_eq!(done.len(), 6, "{done:?}");
    assert!(done.iter().all(|(_, did)| *did != Did::Open));
}

#[test]
fn a_network_that_throws_the_plug_out_again_and_again_counts_as_failing() {
    let mut station = fallback(Some(known()));
    let losses = (0..3000).map(|index| index * 10).collect();
    let world = World { scan: good, join: joins, access_point: works, losses };
    let done = world.play(&mut station, 3000);
    let scans = done.iter().filter(|(_, did)| *did == Did::Scan).count();
    assert!(scans < 20, "{scans} scans in 50 minutes");
    assert_eq!(done.iter().filter(|(_, did)| *did == Did::Open).count(), 1);
    assert!(station.access_point_open());
    assert!(done.iter().all(|(_, did)| *did != Did::Close));
}

#[test]
fn a_radio_that_refuses_the_access_point_is_asked_again() {
    let mut station = fallback(Some(known()));
    let never = |_| Err(LinkError::NotFound);
    let later = |second| if second < 60 { Err(LinkError::Radio) } else { Ok(()) };
    let world = World { scan: never, join: joins, access_point: later, losses: Vec::new() };
    let done = world.play(&mut station, 600);
    let opens: Vec<_> = done.iter().filter(|(_, did)| *did == Did::Open).map(|(at, _)| *at).collect();
    assert!(opens.len() > 3 && opens.last().is_some_and(|last| (60..75).contains(last)), "{opens:?}");
    assert!(opens.windows(2).all(|pair| pair[1] - pair[0] >= 5));
    assert!(station.access_point_open());
}

/// A driver starts anew to close the access point, does not find the network again, and says it failed.
#[test]
fn an_access_point_that_may_have_closed_is_opened_again_where_it_is_wanted() {
    let mut station = fallback(Some(known()));
    let late = |second| if second < 30 { Err(LinkError::NotFound) } else { Ok(Security::Wpa2) };
    let world = World { scan: late, join: joins, access_point: works, losses: Vec::new() };
    let _ = world.play(&mut station, 60);
    assert_eq!((station.link(), station.access_point_open()), (LinkState::Joined, true));
    assert_eq!(station.handle(at(1000), 0, Event::Tick).access_point, Some(false));
    let done = Event::AccessPoint(false, Err(LinkError::Lost));
    assert_eq!(station.handle(at(1010), 0, done), Actions::default());
    let lost = station.handle(at(1010), 0, Event::Lost(LinkError::Lost));
    assert_eq!(lost, Actions { access_point: None, errand: Some(Errand::Scan) });
    let failed = station.handle(at(1013), 0, Event::Scanned(Err(LinkError::Radio)));
    assert_eq!((failed.access_point, station.link()), (None, LinkState::Waiting));
    // It is not believed to be open for ever: five minutes after the loss it is told so again.
    let opened = loop {
        let second = station.poll_at().unwrap().since_start().as_secs();
        let actions = station.handle(at(second), 0, Event::Tick);
        if actions.access_point.is_some() {
            break (second, actions.access_point);
        }
        assert_eq!(actions.errand, Some(Errand::Scan));
        let found = Event::Scanned(Err(LinkError::NotFound));
        assert_eq!(station.handle(at(second), 0, found).errand, None);
    };
    assert_eq!(opened, (1310, Some(true)));
}

/// A station that has been on its network since second 5.
fn joined(policy: Policy) -> Station {
    let mut station = Station::new(plan(Some(known()), policy));
    let world = World { scan: good, join: joins, access_point: works, losses: Vec::new() };
    assert_eq!(world.play(&mut station, 1000), [(0, Did::Scan), (3, Did::Join)]);
    station
}

const OPEN: Actions = Actions { access_point: Some(true), errand: None };
const CLOSE: Actions = Actions { access_point: Some(false), errand: None };
const ASKED: u64 = limits::ACCESS_POINT_ASKED.as_secs();

#[test]
fn whoever_asks_gets_the_access_point_for_ten_minutes_beside_a_good_network() {
    let mut station = joined(Policy::Fallback);
    assert_eq!(station.handle(at(2000), 0, Event::Asked), OPEN);
    assert_eq!(station.handle(at(2001), 0, Event::AccessPoint(true, Ok(()))), Actions::default());
    assert_eq!((station.link(), station.access_point_open()), (LinkState::Joined, true));
    assert_eq!(station.poll_at(), Some(at(2000 + ASKED)));
    // Asked again, it begins anew.
    assert_eq!(station.handle(at(2100), 0, Event::Asked), Actions::default());
    assert_eq!(station.handle(at(2000 + ASKED), 0, Event::Tick), Actions::default());
    assert_eq!(station.handle(at(2100 + ASKED), 0, Event::Tick), CLOSE);
    assert_eq!(station.handle(at(2701), 0, Event::AccessPoint(false, Ok(()))), Actions::default());
    assert_eq!((station.access_point_open(), station.poll_at()), (false, None));
}

#[test]
fn an_access_point_that_was_asked_for_outlives_a_loss_and_a_new_join() {
    let mut station = joined(Policy::Fallback);
    let _ = station.handle(at(2000), 0, Event::Asked);
    let _ = station.handle(at(2000), 0, Event::AccessPoint(true, Ok(())));
    assert_eq!(station.handle(at(2100), 0, Event::Lost(LinkError::Lost)).errand, Some(Errand::Scan));
    let found = network(Security::Wpa2);
    let scanned = Event::Scanned(Ok(core::slice::from_ref(&found)));
    assert_eq!(station.handle(at(2103), 0, scanned).errand, Some(Errand::Join));
    assert_eq!(station.handle(at(2105), 0, Event::Joined(Ok(ADDRESS))), Actions::default());
    assert_eq!(station.handle(at(2165), 0, Event::Tick), Actions::default());
    assert_eq!(station.handle(at(2000 + ASKED), 0, Event::Tick), CLOSE);
}

#[test]
fn it_opens_at_once_while_a_lost_network_is_looked_for() {
    let mut station = joined(Policy::Fallback);
    let _ = station.handle(at(2000), 0, Event::Lost(LinkError::Lost));
    let _ = station.handle(at(2003), 0, Event::Scanned(Err(LinkError::NotFound)));
    assert_eq!(station.handle(at(2004), 0, Event::Asked), OPEN);
    assert_eq!(station.handle(at(2004), 0, Event::AccessPoint(true, Ok(()))).access_point, None);
    // Without a network it stays open, also after the ten minutes.
    let mut second = 2004;
    while second < 2004 + 3 * ASKED {
        let failed = station.handle(at(second + 3), 0, Event::Scanned(Err(LinkError::NotFound)));
        second = station.poll_at().unwrap().since_start().as_secs();
        let next = station.handle(at(second), 0, Event::Tick);
        assert_eq!((failed.access_point, next.access_point), (None, None));
    }
    assert!(station.access_point_open());
}

#[test]
fn a_radio_that_does_not_open_it_is_asked_again_while_somebody_wants_it() {
    let mut station = joined(Policy::Fallback);
    let mut actions = station.handle(at(2000), 0, Event::Asked);
    let (mut opened, mut closed) = (0, 0);
    let mut second = 2000;
    while second < 2000 + 2 * ASKED {
        match actions.access_point {
            Some(open) => {
                assert!(!open || second < 2000 + ASKED + 10, "{second}");
                (opened, closed) = (opened + u64::from(open), closed + u64::from(!open));
                let result = if open { Err(LinkError::Radio) } else { Ok(()) };
                actions = station.handle(at(second), 0, Event::AccessPoint(open, result));
            }
            None => {
                let Some(due) = station.poll_at() else { break };
                second = due.since_start().as_secs();
                actions = station.handle(at(second), 0, Event::Tick);
            }
        }
    }
    // Each 5 s, the first and the last too; and as it may be open all the same, it is closed in the end.
    assert_eq!((opened, closed), (ASKED / 5 + 1, 1));
    assert_eq!((station.access_point_open(), station.poll_at()), (false, None));
}

#[test]
fn without_a_known_network_it_is_open_anyway() {
    let mut station = fallback(None);
    assert_eq!(station.handle(at(0), 0, Event::Start), OPEN);
    let _ = station.handle(at(1), 0, Event::AccessPoint(true, Ok(())));
    assert_eq!(station.handle(at(100), 0, Event::Asked), Actions::default());
    assert_eq!((station.poll_at(), station.access_point_open()), (None, true));
}

#[test]
fn what_cannot_happen_changes_nothing() {
    let mut station = fallback(Some(known()));
    let scan = Actions { access_point: None, errand: Some(Errand::Scan) };
    assert_eq!(station.handle(at(0), 0, Event::Start), scan);
    for event in [
        Event::Start,
        Event::Left,
        Event::Joined(Ok(ADDRESS)),
        Event::Lost(LinkError::Lost),
        Event::TakenBack,
        Event::Tick,
    ] {
        assert_eq!(station.handle(at(1), 0, event), scan);
        assert_eq!(station.link(), LinkState::Joining);
    }
}

const SETUP: u64 = limits::ACCESS_POINT_SETUP.as_secs();

#[test]
fn a_plug_that_nobody_owns_is_open_for_half_an_hour_after_each_start_and_each_press() {
    for known in [None, Some(known())] {
        let mut station = Station::new(plan(known.clone(), Policy::Setup));
        let world = World { scan: good, join: joins, access_point: works, losses: Vec::new() };
        let mut expected = alloc::vec![(0, Did::Open)];
        if known.is_some() {
            expected.extend([(0, Did::Scan), (3, Did::Join)]);
        }
        expected.push((SETUP, Did::Close));
        assert_eq!(world.play(&mut station, 100_000), expected);
        let again = world.play_on(&mut station, 100_000, Event::Asked, 200_000);
        assert_eq!(again, [(100_000, Did::Open), (100_000 + SETUP, Did::Close)]);
        assert_eq!((station.access_point_open(), station.poll_at()), (false, None));
    }
    // Also where the known network is not there.
    let mut station = Station::new(plan(Some(known()), Policy::Setup));
    let never = |_| Err(LinkError::NotFound);
    let world = World { scan: never, join: joins, access_point: works, losses: Vec::new() };
    let done = world.play(&mut station, 10_000);
    let access_point: Vec<_> = done.iter().filter(|(_, did)| *did != Did::Scan).copied().collect();
    assert_eq!(access_point, [(0, Did::Open), (SETUP, Did::Close)]);
    assert!(done.len() > 30, "the network is looked for all the while");
}

#[test]
fn with_the_button_alone_it_opens_for_whoever_presses_and_never_by_itself() {
    let never = |_| Err(LinkError::NotFound);
    let world = World { scan: never, join: joins, access_point: works, losses: Vec::new() };
    for known in [None, Some(known())] {
        let mut station = Station::new(plan(known, Policy::Button));
        let done = world.play(&mut station, 5000);
        assert!(done.iter().all(|(_, did)| *did == Did::Scan), "{done:?}");
        let mut done = world.play_on(&mut station, 5000, Event::Asked, 10_000);
        done.retain(|(_, did)| *did != Did::Scan);
        assert_eq!(done[0], (5000, Did::Open));
        // A scan that is under way comes to its end first.
        assert!(done.len() == 2 && (5000 + ASKED..5010 + ASKED).contains(&done[1].0), "{done:?}");
    }
    // A loss opens none.
    let mut station = Station::new(plan(Some(known()), Policy::Button));
    let gone = |second| if second < 1000 { Ok(Security::Wpa2) } else { Err(LinkError::NotFound) };
    let world = World { scan: gone, join: joins, access_point: works, losses: [1000].into() };
    assert!(world.play(&mut station, 5000).iter().all(|(_, did)| !matches!(did, Did::Open | Did::Close)));
}

#[test]
fn without_a_password_it_does_not_open_even_when_asked() {
    let mut station = Station::new(plan(None, Policy::Never));
    assert_eq!(station.handle(at(0), 0, Event::Start), Actions::default());
    assert_eq!(station.handle(at(1), 0, Event::Asked), Actions::default());
    assert_eq!((station.access_point_open(), station.poll_at()), (false, None));
}

fn claimed(known: Option<Credentials>, policy: Policy) -> Event<'static> {
    let own =
        Credentials { ssid: "mine".try_into().unwrap(), password: Some("my password".try_into().unwrap()) };
    Event::Planned(plan_for(known, own, policy))
}

#[test]
fn a_claim_closes_the_access_point_and_opens_it_anew_for_whoever_claimed() {
    for policy in [Policy::Fallback, Policy::Button] {
        let mut station = Station::new(plan(None, Policy::Setup));
        let world = World { scan: good, join: joins, access_point: works, losses: Vec::new() };
        assert_eq!(world.play(&mut station, 600), [(0, Did::Open)]);
        let done = world.play_on(&mut station, 600, claimed(Some(known()), policy), 10_000);
        let expected = [
            (600, Did::Close),
            (600, Did::Open),
            (600, Did::Scan),
            (603, Did::Join),
            (600 + ASKED, Did::Close),
        ];
        assert_eq!(done, expected, "{policy:?}");
        assert_eq!(station.link(), LinkState::Joined);
    }
    // Where the network cannot be joined, it is open as the settings say.
    for (policy, stays) in [(Policy::Fallback, true), (Policy::Button, false)] {
        let mut station = Station::new(plan(None, Policy::Setup));
        let refused = |_| Err(LinkError::WrongPassword);
        let world = World { scan: good, join: refused, access_point: works, losses: Vec::new() };
        let _ = world.play(&mut station, 600);
        let _ = world.play_on(&mut station, 600, claimed(Some(known()), policy), 10_000);
        assert_eq!((station.access_point_open(), station.link()), (stays, LinkState::Waiting));
    }
    // One that was closed stays closed.
    let mut station = Station::new(plan(Some(known()), Policy::Setup));
    let world = World { scan: good, join: joins, access_point: works, losses: Vec::new() };
    let _ = world.play(&mut station, 5000);
    assert_eq!(world.play_on(&mut station, 5000, claimed(Some(known()), Policy::Fallback), 10_000), []);
}

#[test]
fn a_new_password_closes_an_access_point_that_does_not_open_without_one() {
    let mut station = fallback(None);
    let world = World { scan: good, join: joins, access_point: works, losses: Vec::new() };
    let _ = world.play(&mut station, 600);
    let anew = world.play_on(&mut station, 600, claimed(None, Policy::Fallback), 700);
    assert_eq!(anew, [(600, Did::Close), (600, Did::Open)]);
    let closed = world.play_on(&mut station, 700, claimed(None, Policy::Never), 10_000);
    assert_eq!(closed, [(700, Did::Close)]);
    assert_eq!(
        world.play_on(&mut station, 10_000, claimed(None, Policy::Fallback), 10_001),
        [(10_000, Did::Open)]
    );
    assert_eq!(
        world.play_on(&mut station, 10_001, claimed(None, Policy::Button), 10_002),
        [(10_001, Did::Close)]
    );
}

#[test]
fn another_network_is_looked_for_at_once_and_none_is_peace() {
    let mut station = fallback(Some(known()));
    let refused = |_| Err(LinkError::WrongPassword);
    let world = World { scan: good, join: refused, access_point: works, losses: Vec::new() };
    let _ = world.play(&mut station, 3000);
    assert!(station.failures > 5);
    // The same network with another password.
    let better = Credentials { password: Some("new password".try_into().unwrap()), ..known() };
    let world = World { scan: good, join: joins, access_point: works, losses: Vec::new() };
    let done =
        world.play_on(&mut station, 3000, Event::Planned(plan(Some(better), Policy::Fallback)), 10_000);
    assert_eq!(done, [(3000, Did::Scan), (3003, Did::Join), (3065, Did::Close)]);
    assert_eq!((station.last_error(), station.link()), (None, LinkState::Joined));
    let done = world.play_on(&mut station, 10_000, Event::Planned(plan(None, Policy::Fallback)), 20_000);
    assert_eq!(done, [(10_000, Did::Open)]);
    assert_eq!((station.link(), station.poll_at()), (LinkState::NoNetworkKnown, None));
}
