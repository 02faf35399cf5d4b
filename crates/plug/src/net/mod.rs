//! The network side of the plug: joining a network, the access point, and addresses and names for whoever comes to it.

pub mod addresses;
pub mod choose;
mod datagrams;
pub mod mdns;
pub mod names;
pub mod station;
mod words;

use alloc::boxed::Box;
use core::fmt::{self, Write};
use core::future::pending;
use core::time::Duration;

use embassy_futures::select::{Either, Either3, select, select3};
use heapless::{String, Vec};
use serde::Serialize;

pub use words::sentence;

use crate::apart::apart;
use crate::limits;
use crate::platform::{Address, Clock, Credentials, Instant, Known, LinkError, Network, Ssid, Wifi};
use crate::settings::schema::AccessPointWhen;
use crate::state::State;
use station::{Actions, Errand, Event, Plan, Policy, Station};

/// Name of the access point of a plug without an owner: the same on all, so that a leaflet can say it.
pub const FACTORY_SSID: &str = "OSSP";
/// Its password. It is public and protects nothing but the radio link against a listener who does not know it; it
/// is there because phones warn of open networks. It holds until the plug has an owner.
pub const FACTORY_PASSWORD: &str = "justepourtester";

/// The access point of a plug without an owner.
#[must_use]
pub fn factory_access_point() -> Credentials {
    Credentials {
        ssid: FACTORY_SSID.try_into().unwrap_or_default(),
        password: FACTORY_PASSWORD.try_into().ok(),
    }
}

/// How it stands with the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// Joined, with an address.
    Joined,
    /// On the way.
    Joining,
    /// It failed; the next attempt is planned.
    Waiting,
    /// There is none to join.
    NoNetworkKnown,
}

/// What the world is told of the radio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WifiStatus {
    /// How it stands.
    pub link: LinkState,
    /// The known network.
    pub ssid: Option<Ssid>,
    /// How strongly it is received, while joined and where the radio can tell.
    pub signal_dbm: Option<i8>,
    /// Ours, while joined.
    pub address: Option<Address>,
    /// Why the network was last not joined or left; forgotten when it has held for a while.
    pub last_error: Option<LinkError>,
    /// When the next attempt is.
    pub retry_at: Option<Instant>,
    /// Whether the access point is open.
    pub access_point_open: bool,
    /// The access point's name.
    pub access_point_ssid: Ssid,
}

/// What the radio goes by where the settings say nothing.
#[derive(Clone, Copy, Debug)]
pub struct Birth<'a> {
    /// The network to join.
    pub known: Option<&'a Credentials>,
    /// The access point until the plug has an owner.
    pub own: &'a Credentials,
    /// The plug's identity.
    pub id: &'a str,
}

impl Birth<'_> {
    /// What there is to be done, as the settings are now.
    fn plan(&self, state: &State) -> Box<Plan> {
        let settings = state.settings.borrow();
        let wifi = &settings.wifi;
        let known = wifi.credentials().or_else(|| self.known.cloned());
        let (own, policy) = if state.access.has_owner() {
            let ssid = match wifi.access_point_ssid.as_str() {
                "" => proposed_ssid(self.id),
                _ => wifi.access_point_ssid.clone(),
            };
            let policy = match (&wifi.access_point_password, wifi.access_point) {
                (None, _) => Policy::Never,
                (Some(_), AccessPointWhen::Fallback) => Policy::Fallback,
                (Some(_), AccessPointWhen::Button) => Policy::Button,
            };
            (Credentials { ssid, password: wifi.access_point_password.clone() }, policy)
        } else {
            (self.own.clone(), Policy::Setup)
        };
        Box::new(Plan { known, own, policy })
    }
}

/// The access point's name where its owner gave it none.
#[must_use]
pub fn proposed_ssid(id: &str) -> Ssid {
    let mut ssid = Ssid::new();
    // Four characters of an identity fit.
    let _ = ssid.push_str("OSSP-");
    id.get(id.len().saturating_sub(4)..)
        .unwrap_or(id)
        .chars()
        .for_each(|character| drop(ssid.push(character.to_ascii_uppercase())));
    ssid
}

/// Keeps the plug on its network, and opens its access point where that fails (see [`station`]); both are as the
/// settings say, also when these change. Tells [`State::wifi`]. Runs for ever; dropping the future leaves the radio as it
/// is.
pub async fn run<W: Wifi, C: Clock>(wifi: &mut W, clock: &C, state: &State, birth: &Birth<'_>) -> ! {
    let mut station = Station::new(birth.plan(state));
    let mut radio = Radio { wifi, clock };
    let mut log =
        Log { clock, state, last_error: None, access_point: Ssid::new(), access_point_refused: false };
    let mut changing = Changing { since: None };
    let mut actions = station.handle(clock.now(), Event::Start);
    loop {
        state.wifi.replace(Some(status(&station, &radio)));
        if let Some(plan) = changing.due(clock.now(), station.plan(), || birth.plan(state)) {
            let elsewhere = plan.known != station.plan().known;
            if elsewhere {
                radio.leave().await;
            }
            let next = station.handle(clock.now(), Event::Planned(plan));
            // An errand for the same network is still due.
            let errand = if elsewhere { next.errand } else { actions.errand };
            actions = Actions { errand, ..next };
        }
        if state.access_point_wanted.try_take().is_some() {
            log.asked(&station);
            // An errand that is due comes afterwards.
            actions.access_point = station.handle(clock.now(), Event::Asked).access_point;
        }
        if let Some(open) = actions.access_point {
            let own = &station.plan().own;
            let result = radio.access_point(open, own).await;
            log.access_point(open, &own.ssid, result);
            let next = station.handle(clock.now(), Event::AccessPoint(open, result));
            actions.access_point = next.access_point;
            continue;
        }
        actions = match actions.errand {
            Some(Errand::Scan) => {
                let found = bounded(clock, limits::SCAN_TIMEOUT, LinkError::Radio, radio.wifi.scan()).await;
                let found = found.as_deref().map_err(|error| *error);
                station.handle(clock.now(), Event::Scanned(found))
            }
            Some(Errand::Join) => {
                let result = radio.join(station.plan().known.as_ref(), birth.id).await;
                log.joined(&station, result, radio.wifi.signal_dbm());
                station.handle(clock.now(), Event::Joined(result))
            }
            None => {
                let event = radio.wait(station.poll_at(), station.address().is_some(), state).await;
                station.handle(clock.now(), event)
            }
        };
        log.error(&station);
    }
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
}

impl<W: Wifi, C: Clock> Radio<'_, W, C> {
    async fn access_point(&mut self, open: bool, own: &Credentials) -> Result<(), LinkError> {
        let change = async {
            if open { self.wifi.open_access_point(own).await } else { self.wifi.close_access_point().await }
        };
        bounded(self.clock, limits::JOIN_TIMEOUT, LinkError::Radio, change).await
    }

    async fn join(&mut self, known: Option<&Credentials>, host: &str) -> Result<Address, LinkError> {
        // The machine never joins what it does not know.
        let known = Known::from(known.ok_or(LinkError::NotFound)?.clone());
        let joined = self.wifi.join(&known, host);
        let result = bounded(self.clock, limits::JOIN_TIMEOUT, LinkError::Lost, joined).await;
        if result.is_err() {
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
        let _ = bounded(self.clock, limits::RADIO_TIMEOUT, LinkError::Radio, left).await;
    }

    /// Waits until `due`, until somebody asks for the access point, until the network is lost where one is joined, or
    /// until it is time to look at the signal and at the settings.
    async fn wait(&mut self, due: Option<Instant>, joined: bool, state: &State) -> Event<'static> {
        let look = self.clock.now().after(limits::SIGNAL_INTERVAL);
        let sleep = self.clock.sleep_until(due.map_or(look, |due| due.min(look)));
        let lost = async { if joined { self.wifi.lost().await } else { pending().await } };
        match select3(lost, state.access_point_wanted.wait(), sleep).await {
            Either3::First(error) => {
                self.leave().await;
                Event::Lost(error)
            }
            Either3::Second(()) => {
                // Whoever waits for it looks whether somebody asked, and hears it there.
                state.access_point_wanted.signal(());
                Event::Tick
            }
            Either3::Third(()) => Event::Tick,
        }
    }
}

/// `action`, or `late` if it takes longer than `limit`. Apart: one of them runs at a time.
async fn bounded<C: Clock, T>(
    clock: &C,
    limit: Duration,
    late: LinkError,
    action: impl Future<Output = Result<T, LinkError>>,
) -> Result<T, LinkError> {
    match select(apart(|| action), clock.sleep_until(clock.now().after(limit))).await {
        Either::First(result) => result,
        Either::Second(()) => Err(late),
    }
}

fn status<W: Wifi, C: Clock>(station: &Station, radio: &Radio<'_, W, C>) -> WifiStatus {
    let (address, plan) = (station.address(), station.plan());
    WifiStatus {
        link: station.link(),
        ssid: plan.known.as_ref().map(|known| known.ssid.clone()),
        signal_dbm: address.and_then(|_| radio.wifi.signal_dbm()),
        address,
        last_error: station.last_error(),
        retry_at: station.retry_at(),
        access_point_open: station.access_point_open(),
        access_point_ssid: plan.own.ssid.clone(),
    }
}

/// Tells the plug's log what changed; what stays wrong is told once. A password never gets here.
struct Log<'a, C> {
    clock: &'a C,
    state: &'a State,
    last_error: Option<LinkError>,
    /// As it was last opened.
    access_point: Ssid,
    access_point_refused: bool,
}

impl<C: Clock> Log<'_, C> {
    fn line(&self, arguments: fmt::Arguments<'_>) {
        let mut text: String<96> = String::new();
        // What does not fit is cut: the beginning says what it is about.
        let _ = text.write_fmt(arguments);
        let uptime = self.clock.now().since_start().as_secs_f64();
        self.state.put_log(self.clock.time_of_day(), uptime, &text);
    }

    fn joined(&self, station: &Station, result: Result<Address, LinkError>, signal: Option<i8>) {
        let Ok(address) = result else { return };
        let name = name(station);
        match signal {
            Some(signal) => {
                self.line(format_args!("Wi-Fi \"{name}\": joined as {} ({signal} dBm)", address.ip));
            }
            None => self.line(format_args!("Wi-Fi \"{name}\": joined as {}", address.ip)),
        }
    }

    fn error(&mut self, station: &Station) {
        let error = station.last_error();
        if self.last_error != error
            && let Some(error) = error
        {
            self.line(format_args!("Wi-Fi \"{}\": {}", name(station), words::short(error)));
        }
        self.last_error = error;
    }

    fn asked(&self, station: &Station) {
        if station.plan().policy == Policy::Never {
            self.line(format_args!("the access point has no password: it stays closed"));
        }
    }

    fn access_point(&mut self, open: bool, ssid: &Ssid, result: Result<(), LinkError>) {
        if open {
            self.access_point.clone_from(ssid);
        }
        let ssid = &self.access_point;
        let word = if open { "open" } else { "closed" };
        if result.is_ok() {
            self.line(format_args!("access point \"{ssid}\" is {word}"));
        } else if !self.access_point_refused {
            let word = if open { "opened" } else { "closed" };
            self.line(format_args!("access point \"{ssid}\" cannot be {word} now"));
        }
        self.access_point_refused = result.is_err();
    }
}

fn name(station: &Station) -> &str {
    station.plan().known.as_ref().map_or("", |known| known.ssid.as_str())
}

/// The radio of a shell that has none: there is no value of this type.
#[derive(Clone, Copy, Debug)]
pub enum NoWifi {}

impl Wifi for NoWifi {
    async fn scan(&mut self) -> Result<Vec<Network, { limits::NETWORKS }>, LinkError> {
        match *self {}
    }

    async fn join(&mut self, _: &Known, _: &str) -> Result<Address, LinkError> {
        match *self {}
    }

    async fn leave(&mut self) {
        match *self {}
    }

    async fn lost(&mut self) -> LinkError {
        match *self {}
    }

    fn signal_dbm(&self) -> Option<i8> {
        match *self {}
    }

    async fn open_access_point(&mut self, _: &Credentials) -> Result<(), LinkError> {
        match *self {}
    }

    async fn close_access_point(&mut self) -> Result<(), LinkError> {
        match *self {}
    }

    fn associated(&self) -> u8 {
        match *self {}
    }
}
