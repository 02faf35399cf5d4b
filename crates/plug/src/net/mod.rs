//! The network side of the plug: joining a network, the access point, and addresses for whoever comes to it.

pub mod addresses;
pub mod choose;
pub mod station;
mod words;

use core::future::pending;

use heapless::Vec;
use serde::Serialize;

pub use words::sentence;

use crate::limits;
use crate::platform::{Address, Clock, Credentials, Instant, LinkError, Network, Ssid, Wifi};
use crate::state::State;

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
    _wifi: &mut W,
    _clock: &C,
    _state: &State,
    _known: Option<&Credentials>,
    _own: &Credentials,
) -> ! {
    pending().await
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
