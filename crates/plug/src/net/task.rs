//! The task around the station: carries out what the machine wants, and tells the world.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::future::pending;
use core::time::Duration;

use embassy_futures::select::{Either3, Either4, select3, select4};

use super::desk::{RadioDesk, Wish};
use super::log::Log;
use super::station::{Errand, Event, Plan, Policy, Station};
use super::{Birth, WifiStatus, host_name};
use crate::apart::apart;
use crate::limits;
use crate::platform::{Address, Clock, Credentials, Instant, LinkError, Network, Wifi};
use crate::state::State;

/// Keeps the plug on its network, and opens its access point where that fails (see [`super::station`]); both are as the
/// settings say, also when these change. Tells [`State::wifi`]; does what [`State::radio`] asks for. Runs for ever; dropping
/// the future leaves the radio as it is.
pub async fn run<W: Wifi, C: Clock>(wifi: &mut W, clock: &C, state: &State, birth: &Birth<'_>) -> ! {
    let mut station = Station::new(birth.plan(state));
    let mut radio = Radio { wifi, clock, desk: &state.radio, hears: false };
    let mut log = Log::new(clock, state);
    let mut changing = Changing { since: None };
    let mut dice = birth.seed;
    let mut actions = station.handle(clock.now(), 0, Event::Start);
    loop {
        let found;
        let event = if let Some(event) = wished(clock.now(), state, birth, &station, &mut changing) {
            if let Event::Asked = event {
                log.asked(&station);
            }
            event
        } else {
            publish(state, &station, &radio);
            match (actions.access_point, actions.errand) {
                (Some(open), _) => {
                    let own = &station.plan().own;
                    let result = radio.access_point(open, own).await;
                    log.access_point(open, &own.ssid, result);
                    Event::AccessPoint(open, result)
                }
                (None, Some(Errand::Leave)) => {
                    radio.leave().await;
                    Event::Left
                }
                (None, Some(Errand::Scan)) => {
                    found = radio.scan().await;
                    state.touch();
                    found
                        .as_ref()
                        .map_or(Event::Tick, |found| Event::Scanned(found.as_deref().map_err(|error| *error)))
                }
                (None, Some(Errand::Join)) => {
                    let host = host_name(&state.settings.borrow(), birth.id);
                    match radio.join(&station, &host).await {
                        Some(result) => {
                            log.joined(station.ssid(), result, radio.wifi.signal_dbm());
                            Event::Joined(result)
                        }
                        None => Event::Tick,
                    }
                }
                (None, None) if state.radio.wants_scan() => {
                    let _ = radio.scan().await;
                    state.touch();
                    Event::Tick
                }
                (None, None) => radio.wait(station.poll_at(), station.address().is_some(), state).await,
            }
        };
        state.radio.forget_old(clock.now());
        station.set_in_use(in_use_until(state, radio.wifi.associated()));
        dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        actions = station.handle(clock.now(), (dice >> 24) as u8, event);
        log.tell(&station);
    }
}

/// Until when somebody on the access point counts as using the page.
fn in_use_until(state: &State, associated: u8) -> Option<Instant> {
    let used = state.last_use_by_access_point.get().filter(|_| associated > 0);
    used.map(|at| at.after(limits::PAGE_IN_USE))
}

/// What somebody wants of the station.
fn wished(
    now: Instant,
    state: &State,
    birth: &Birth<'_>,
    station: &Station,
    changing: &mut Changing,
) -> Option<Event<'static>> {
    match state.radio.take_wish() {
        Some(Wish::Try(network)) => return Some(Event::Try(network)),
        Some(Wish::TakeBack) => return Some(Event::TakenBack),
        Some(Wish::Confirmed(network)) => return Some(Event::Confirmed(network, birth.plan(state))),
        None => {}
    }
    // Changes of the settings wait for the end of a test: they are what it goes back to.
    if !station.is_testing() {
        state.radio.forget();
        if let Some(plan) = changing.due(now, station.plan(), || birth.plan(state)) {
            return Some(Event::Planned(plan));
        }
    }
    state.access_point_wanted.try_take().map(|()| Event::Asked)
}

/// A change of the plan that waits for its time: since when it was seen.
struct Changing {
    since: Option<Instant>,
}

impl Changing {
    /// The new plan, once it has been another than `current` for [`limits::NETWORK_CHANGE`].
    fn due(&mut self, now: Instant, current: &Plan, plan: impl Fn() -> Box<Plan>) -> Option<Box<Plan>> {
        let plan = Some(plan()).filter(|plan| **plan != *current);
        self.since = plan.as_ref().map(|_| self.since.unwrap_or(now));
        let due = self.since.is_some_and(|since| since.after(limits::NETWORK_CHANGE) <= now);
        plan.filter(|_| due).inspect(|_| self.since = None)
    }
}

/// The radio with what it needs for the machine's errands; each call is bounded.
struct Radio<'a, W, C> {
    wifi: &'a mut W,
    clock: &'a C,
    desk: &'a RadioDesk,
    /// The last scan heard somebody.
    hears: bool,
}

impl<W: Wifi, C: Clock> Radio<'_, W, C> {
    async fn access_point(&mut self, open: bool, own: &Credentials) -> Result<(), LinkError> {
        let change = async {
            if open { self.wifi.open_access_point(own).await } else { self.wifi.close_access_point().await }
        };
        let done = bounded(self.clock, limits::JOIN_TIMEOUT, LinkError::Radio, change, pending()).await;
        done.unwrap_or(Err(LinkError::Radio))
    }

    /// `None`: somebody wants something else.
    async fn scan(&mut self) -> Option<Result<Vec<Network>, LinkError>> {
        let Self { wifi, clock, desk, hears } = self;
        let found =
            bounded(*clock, limits::SCAN_TIMEOUT, LinkError::Radio, wifi.scan(), desk.wished()).await?;
        *hears = matches!(&found, Ok(found) if !found.is_empty());
        desk.put(clock.now(), found.as_deref().map_err(|error| *error));
        Some(found)
    }

    /// `None`: somebody wants something else.
    async fn join(&mut self, station: &Station, host: &str) -> Option<Result<Address, LinkError>> {
        // The machine never joins what it does not know.
        let Some(known) = station.network() else { return Some(Err(LinkError::NotFound)) };
        let Self { wifi, clock, desk, .. } = self;
        let join = wifi.join(known, host);
        let result = bounded(*clock, limits::JOIN_TIMEOUT, LinkError::Lost, join, desk.wished()).await;
        if !matches!(result, Some(Ok(_))) {
            self.leave().await;
        }
        result
    }

    /// Half joined is not joined: the next attempt begins afresh.
    async fn leave(&mut self) {
        let left = async {
            self.wifi.leave().await;
            Ok(())
        };
        // A radio that does not even leave shows it at the next attempt.
        let _ = bounded(self.clock, limits::RADIO_TIMEOUT, LinkError::Radio, left, pending()).await;
    }

    /// Waits until `due`, until somebody asks for something, until the network is lost where one is joined, or until it is
    /// time to look at the signal, at the settings and at who is on the access point.
    async fn wait(&mut self, due: Option<Instant>, joined: bool, state: &State) -> Event<'static> {
        let look = self.clock.now().after(limits::SIGNAL_INTERVAL);
        let sleep = self.clock.sleep_until(due.map_or(look, |due| due.min(look)));
        let lost = async { if joined { self.wifi.lost().await } else { pending().await } };
        match select4(lost, state.access_point_wanted.wait(), sleep, self.desk.woken()).await {
            Either4::First(error) => {
                self.leave().await;
                Event::Lost(error)
            }
            Either4::Second(()) => {
                // Whoever waits for it looks whether somebody asked, and hears it there.
                state.access_point_wanted.signal(());
                Event::Tick
            }
            Either4::Third(()) | Either4::Fourth(()) => Event::Tick,
        }
    }
}

/// `action`, or `late` if it takes longer than `limit`, or `None` if something else is wanted first. Apart: one of them runs
/// at a time.
async fn bounded<C: Clock, T>(
    clock: &C,
    limit: Duration,
    late: LinkError,
    action: impl Future<Output = Result<T, LinkError>>,
    other: impl Future<Output = ()>,
) -> Option<Result<T, LinkError>> {
    match select3(apart(|| action), clock.sleep_until(clock.now().after(limit)), other).await {
        Either3::First(result) => Some(result),
        Either3::Second(()) => Some(Err(late)),
        Either3::Third(()) => None,
    }
}

fn publish<W: Wifi, C: Clock>(state: &State, station: &Station, radio: &Radio<'_, W, C>) {
    let (address, plan) = (station.address(), station.plan());
    let known = plan.known.iter().zip(station.errors());
    let status = WifiStatus {
        link: station.link(),
        ssid: station.network().map(|known| known.credentials.ssid.clone()),
        signal_dbm: address.and_then(|_| radio.wifi.signal_dbm()),
        address,
        last_error: station.last_error(),
        retry_at: station.retry_at(),
        access_point_open: station.access_point_open(),
        access_point_when_asked: matches!(plan.policy, Policy::Button | Policy::Never),
        hears: radio.hears,
        access_point_ssid: plan.own.ssid.clone(),
        access_point_clients: if station.access_point_open() { radio.wifi.associated() } else { 0 },
        networks: known.map(|(known, error)| (known.credentials.ssid.clone(), error)).collect(),
        test: station.report().cloned(),
    };
    let before = state.wifi.replace(Some(status));
    // Whoever waits for a test to begin or to end.
    if before.and_then(|before| before.test).map(|test| test.state) != station.report().map(|test| test.state)
    {
        state.touch();
    }
}
