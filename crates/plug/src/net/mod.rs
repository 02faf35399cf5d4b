//! The network side of the plug: joining a network, the access point, and addresses and names for whoever comes to it.

mod access_point;
pub mod addresses;
pub mod choose;
mod datagrams;
pub mod desk;
mod log;
pub mod mdns;
pub mod names;
pub mod station;
mod task;
pub mod trial_join;
mod words;

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use heapless::String;
use serde::Serialize;

pub use task::run;
pub use words::{error_word, security_word, sentence};

use crate::platform::{Address, Credentials, Instant, Known, LinkError, Network, Ssid, Wifi};
use crate::settings::Settings;
use crate::settings::schema::AccessPointWhen;
use crate::state::State;
use station::{Plan, Policy};
use trial_join::Report;

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkState {
    /// Joined, with an address.
    Joined,
    /// On the way.
    Joining,
    /// It failed; the next attempt is planned.
    Waiting,
    /// There is none to join.
    #[default]
    NoNetworkKnown,
}

impl LinkState {
    /// As JSON has it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Joined => "joined",
            Self::Joining => "joining",
            Self::Waiting => "waiting",
            Self::NoNetworkKnown => "no_network_known",
        }
    }
}

/// What the world is told of the radio.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WifiStatus {
    /// How it stands.
    pub link: LinkState,
    /// The network that is joined or being joined, else the one that `last_error` is about.
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
    /// Whether it stays closed until somebody asks for it, or for ever.
    pub access_point_when_asked: bool,
    /// Whether the last scan heard any network at all.
    pub hears: bool,
    /// The access point's name.
    pub access_point_ssid: Ssid,
    /// Phones and computers on it.
    pub access_point_clients: u8,
    /// All networks that are known, the most wanted first, each with why it was last not joined.
    pub networks: alloc::vec::Vec<(Ssid, Option<LinkError>)>,
    /// The test of a network: the one that is active, or the last one since the start.
    pub test: Option<Report>,
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
    /// Any number, another one with each start.
    pub seed: u32,
}

impl Birth<'_> {
    /// What there is to be done, as the settings are now.
    fn plan(&self, state: &State) -> Box<Plan> {
        let settings = state.settings.borrow();
        let wifi = &settings.wifi;
        let mut known = wifi.networks();
        if known.is_empty() {
            known.extend(self.known.cloned().map(Known::from));
        }
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
        let after_loss = Duration::from_secs(wifi.access_point_after_loss_s.into());
        let linger = Duration::from_secs(wifi.access_point_linger_s.into());
        Box::new(Plan { known, own, policy, after_loss, linger })
    }
}

/// The plug's name in the network: for DHCP, for mDNS and in `Host`.
#[must_use]
pub fn host_name(settings: &Settings, id: &str) -> String<32> {
    // The settings take no longer one.
    let mut host = String::try_from(&*settings.device.host).unwrap_or_default();
    if host.is_empty() {
        // Nine characters fit.
        let _ = host.push_str("ossp-");
        let _ = host.push_str(id.get(id.len().saturating_sub(4)..).unwrap_or(id));
    }
    host
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

/// The radio of a shell that has none: there is no value of this type.
#[derive(Clone, Copy, Debug)]
pub enum NoWifi {}

impl Wifi for NoWifi {
    async fn scan(&mut self) -> Result<Vec<Network>, LinkError> {
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
