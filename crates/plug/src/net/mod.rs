//! The network side of the plug: joining a network, the access point, and addresses for whoever comes to it.

pub mod addresses;
pub mod choose;
pub mod station;
mod words;

use core::fmt::{self, Write};
use core::future::pending;
use core::time::Duration;

use embassy_futures::select::{Either, Either3, select, select3};
use heapless::{String, Vec};
use serde::Serialize;

pub use words::sentence;

use crate::limits;
use crate::platform::{Address, Clock, Credentials, Instant, LinkError, Network, Ssid, Wifi};
use crate::state::State;
use station::{Errand, Event, Station};

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

/// Keeps the plug on the `known` network, and opens the access point `own` where that fails (see [`station`]). Tells
/// [`State::wifi`]. Runs for ever; dropping the future leaves the radio as it is.
pub async fn run<W: Wifi, C: Clock>(
    wifi: &mut W,
    clock: &C,
    state: &State,
    known: Option<&Credentials>,
    own: &Credentials,
) -> ! {
    let mut station = Station::new(known);
    let mut radio = Radio { wifi, clock, known, own };
    let mut log = Log { clock, state, known, own, last_error: None, access_point_refused: false };
    let mut actions = station.handle(clock.now(), Event::Start);
    loop {
        state.wifi.replace(Some(status(&station, &radio)));
        if state.access_point_wanted.try_take().is_some() {
            // An errand that is due comes afterwards.
            actions.access_point = station.handle(clock.now(), Event::Asked).access_point;
        }
        if let Some(open) = actions.access_point {
            let result = radio.access_point(open).await;
            log.access_point(open, result);
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
                let result = radio.join().await;
                log.joined(result, radio.wifi.signal_dbm());
                station.handle(clock.now(), Event::Joined(result))
            }
            None => {
                let asked = state.access_point_wanted.wait();
                let event = radio.wait(station.poll_at(), station.address().is_some(), asked).await;
                station.handle(clock.now(), event)
            }
        };
        log.error(station.last_error());
    }
}

/// The radio with what it needs for the machine's errands; each call is bounded.
struct Radio<'a, W, C> {
    wifi: &'a mut W,
    clock: &'a C,
    known: Option<&'a Credentials>,
    own: &'a Credentials,
}

impl<W: Wifi, C: Clock> Radio<'_, W, C> {
    async fn access_point(&mut self, open: bool) -> Result<(), LinkError> {
        let (clock, late) = (self.clock, LinkError::Radio);
        if open {
            bounded(clock, limits::RADIO_TIMEOUT, late, self.wifi.open_access_point(self.own)).await
        } else {
            bounded(clock, limits::JOIN_TIMEOUT, late, self.wifi.close_access_point()).await
        }
    }

    async fn join(&mut self) -> Result<Address, LinkError> {
        // The machine never joins what it does not know.
        let known = self.known.ok_or(LinkError::NotFound)?;
        let result = bounded(self.clock, limits::JOIN_TIMEOUT, LinkError::Lost, self.wifi.join(known)).await;
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

    /// Waits until `due`, until somebody has `asked` for the access point, or while joined until it is time to look at
    /// the signal or the network is lost.
    async fn wait(
        &mut self,
        due: Option<Instant>,
        joined: bool,
        asked: impl Future<Output = ()>,
    ) -> Event<'static> {
        let look = joined.then(|| self.clock.now().after(limits::SIGNAL_INTERVAL));
        let due = [due, look].into_iter().flatten().min();
        let sleep = async {
            match due {
                Some(due) => self.clock.sleep_until(due).await,
                None => pending().await,
            }
        };
        let lost = async { if joined { self.wifi.lost().await } else { pending().await } };
        match select3(lost, asked, sleep).await {
            Either3::First(error) => {
                self.leave().await;
                Event::Lost(error)
            }
            Either3::Second(()) => Event::Asked,
            Either3::Third(()) => Event::Tick,
        }
    }
}

/// `action`, or `late` if it takes longer than `limit`.
async fn bounded<C: Clock, T>(
    clock: &C,
    limit: Duration,
    late: LinkError,
    action: impl Future<Output = Result<T, LinkError>>,
) -> Result<T, LinkError> {
    match select(action, clock.sleep_until(clock.now().after(limit))).await {
        Either::First(result) => result,
        Either::Second(()) => Err(late),
    }
}

fn status<W: Wifi, C: Clock>(station: &Station<'_>, radio: &Radio<'_, W, C>) -> WifiStatus {
    let address = station.address();
    WifiStatus {
        link: station.link(),
        ssid: radio.known.map(|known| known.ssid.clone()),
        signal_dbm: address.and_then(|_| radio.wifi.signal_dbm()),
        address,
        last_error: station.last_error(),
        retry_at: station.retry_at(),
        access_point_open: station.access_point_open(),
        access_point_ssid: radio.own.ssid.clone(),
    }
}

/// Tells the plug's log what changed; what stays wrong is told once. A password never gets here.
struct Log<'a, C> {
    clock: &'a C,
    state: &'a State,
    known: Option<&'a Credentials>,
    own: &'a Credentials,
    last_error: Option<LinkError>,
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

    fn name(&self) -> &str {
        self.known.map_or("", |known| known.ssid.as_str())
    }

    fn joined(&self, result: Result<Address, LinkError>, signal: Option<i8>) {
        let Ok(address) = result else { return };
        match signal {
            Some(signal) => {
                self.line(format_args!("Wi-Fi \"{}\": joined as {} ({signal} dBm)", self.name(), address.ip));
            }
            None => self.line(format_args!("Wi-Fi \"{}\": joined as {}", self.name(), address.ip)),
        }
    }

    fn error(&mut self, error: Option<LinkError>) {
        if self.last_error != error
            && let Some(error) = error
        {
            self.line(format_args!("Wi-Fi \"{}\": {}", self.name(), words::short(error)));
        }
        self.last_error = error;
    }

    fn access_point(&mut self, open: bool, result: Result<(), LinkError>) {
        let word = if open { "open" } else { "closed" };
        if result.is_ok() {
            self.line(format_args!("access point \"{}\" is {word}", self.own.ssid));
        } else if !self.access_point_refused {
            let word = if open { "opened" } else { "closed" };
            self.line(format_args!("access point \"{}\" cannot be {word} now", self.own.ssid));
        }
        self.access_point_refused = result.is_err();
    }
}

/// The radio of a shell that has none: there is no value of this type.
#[derive(Clone, Copy, Debug)]
pub enum NoWifi {}

impl Wifi for NoWifi {
    async fn scan(&mut self) -> Result<Vec<Network, { limits::NETWORKS }>, LinkError> {
        match *self {}
    }

    async fn join(&mut self, _: &Credentials) -> Result<Address, LinkError> {
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
}
