//! The air around the plug: which networks are in reach, who lets it in, and what is lost on the way. Pure: time is an
//! argument, chance is seeded.
//!
//! Whatever is said over the air is tried [`TRIES`] times. A network loses what its `loss_pct` says, and below
//! [`WEAK_DBM`] more with each decibel, so that one that is hardly heard can be found and not be joined.

use std::net::Ipv4Addr;
use std::time::Duration;

use plug::limits;
use plug::platform::{Address, LinkError, Network, Security, StaticAddress};

use super::random::{Random, stream};
use super::scenario::schema;

/// How often each thing is said before it counts as lost.
const TRIES: i32 = 4;
/// Below this a signal loses frames by itself: this share of them with each decibel.
const WEAK_DBM: f64 = -80.0;
const LOSS_A_DB: f64 = 0.05;
/// How much a signal changes from one look to the next, in decibels (standard deviation).
const FADING_DB: f64 = 1.5;
/// Thirteen channels, as long on each as an access point takes to say its name.
const SCAN: Duration = Duration::from_millis(1950);
/// Finding each other and agreeing on a key ...
const JOIN: Duration = Duration::from_millis(900);
/// ... and how long a radio goes on before it takes the password for wrong, or nobody for there.
const REFUSED: Duration = Duration::from_millis(3500);
/// How often it is looked whether a joined network is still there.
pub(crate) const LOOK: Duration = Duration::from_secs(1);
/// How long nothing may be heard of it: about as long as an ESP32 waits for beacons.
const SILENCE_LOOKS: i32 = 6;

/// The air, as a scenario has it.
pub(crate) struct Radio {
    networks: Vec<schema::Network>,
    phones: Vec<schema::Recurring>,
    chance: Random,
}

/// An access point that let the plug in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Link(usize);

/// What something took, and what came of it.
pub(crate) type Took<T> = (Duration, T);

impl Radio {
    pub(crate) fn new(settings: &schema::Radio, seed: u64) -> Self {
        Self {
            networks: settings.network.clone(),
            phones: settings.phone.iter().map(schema::Phone::when).collect(),
            chance: Random::new(seed, stream::RADIO),
        }
    }

    /// Every network that is heard, the strongest first; those that hide their names without them.
    pub(crate) fn scan(&mut self, time_s: f64) -> Took<Vec<Network>> {
        let mut found = Vec::new();
        for network in self.networks.iter().filter(|network| network.when().is_on(time_s)) {
            if self.chance.fraction() <= silence(network) {
                continue;
            }
            let name = if network.hidden { "" } else { network.ssid.as_str() };
            found.push(Network {
                ssid: name.try_into().unwrap_or_default(),
                signal_dbm: faded(network, &mut self.chance),
                security: looks(network),
                channel: network.channel as u8,
            });
        }
        found.sort_by_key(|network| core::cmp::Reverse(network.signal_dbm));
        (SCAN, found)
    }

    /// Joins the strongest access point of this name that lets the plug in, hidden or not.
    pub(crate) fn join(
        &mut self,
        time_s: f64,
        ssid: &str,
        password: Option<&str>,
    ) -> Took<Result<Link, LinkError>> {
        let wanted = if password.is_some() { schema::Security::Wpa2 } else { schema::Security::Open };
        let named = |network: &schema::Network| network.ssid == ssid && network.when().is_on(time_s);
        let strongest = |fits: &dyn Fn(&schema::Network) -> bool| {
            let heard =
                self.networks.iter().enumerate().filter(|(_, network)| named(network) && fits(network));
            heard.max_by(|a, b| a.1.signal_dbm.total_cmp(&b.1.signal_dbm)).map(|(number, _)| number)
        };
        let Some(number) = strongest(&|network| network.security == wanted) else {
            let other = strongest(&|_| true).and_then(|number| self.networks.get(number));
            return (REFUSED, Err(other.map_or(LinkError::NotFound, refusal)));
        };
        let Some(network) = self.networks.get(number) else { return (REFUSED, Err(LinkError::NotFound)) };
        if self.chance.fraction() <= silence(network) {
            (REFUSED, Err(LinkError::Lost))
        } else if password.is_some() && network.password.as_deref() != password {
            (REFUSED, Err(LinkError::WrongPassword))
        } else {
            (JOIN, Ok(Link(number)))
        }
    }

    /// The plug's address where it was let in.
    pub(crate) fn address(
        &mut self,
        link: Link,
        set: Option<&StaticAddress>,
    ) -> Took<Result<Address, LinkError>> {
        if let Some(StaticAddress { ip, prefix, gateway, .. }) = set {
            // Whether it fits the network nobody says.
            let address = Address { ip: *ip, prefix: *prefix, gateway: *gateway, time_server: None };
            return (Duration::ZERO, Ok(address));
        }
        let late = (limits::ADDRESS_TIMEOUT, Err(LinkError::NoAddress));
        let Some(network) = self.networks.get(link.0) else { return late };
        let takes = Duration::from_secs_f64(network.dhcp_s);
        // Discover, offer, request, acknowledgement.
        let is_lost = (0..4).any(|_| self.chance.fraction() <= silence(network));
        if !network.dhcp || takes > limits::ADDRESS_TIMEOUT || is_lost {
            return late;
        }
        let [a, b, c, _] = network.address.octets();
        let gateway = Some(Ipv4Addr::new(a, b, c, 1));
        (takes, Ok(Address { ip: network.address, prefix: 24, gateway, time_server: None }))
    }

    /// Whether a joined network is gone; asked each [`LOOK`].
    pub(crate) fn is_lost(&mut self, time_s: f64, link: Link) -> bool {
        let Some(network) = self.networks.get(link.0) else { return true };
        !network.when().is_on(time_s) || self.chance.fraction() <= silence(network).powi(SILENCE_LOOKS)
    }

    /// How strongly it is received now.
    pub(crate) fn signal_dbm(&self, time_s: f64, link: Link) -> Option<i8> {
        // Whoever looks changes nothing: the same fading at the same time.
        let mut chance = Random::new(time_s.to_bits(), stream::RADIO);
        self.networks.get(link.0).map(|network| faded(network, &mut chance))
    }

    /// Where it is.
    pub(crate) fn channel(&self, link: Link) -> Option<u32> {
        self.networks.get(link.0).map(|network| network.channel)
    }

    /// Phones that want to be on the plug's access point.
    pub(crate) fn phones(&self, time_s: f64) -> u8 {
        let there = self.phones.iter().filter(|phone| phone.is_on(time_s)).count();
        u8::try_from(there).unwrap_or(u8::MAX)
    }
}

/// The share of things said that never arrive, however often they are repeated.
fn silence(network: &schema::Network) -> f64 {
    let weak = (WEAK_DBM - network.signal_dbm).max(0.0) * LOSS_A_DB;
    (network.loss_pct / 100.0 + weak).min(1.0).powi(TRIES)
}

fn faded(network: &schema::Network, chance: &mut Random) -> i8 {
    // The limits are those of the field.
    (network.signal_dbm + FADING_DB * chance.normal()).round().clamp(-110.0, 0.0) as i8
}

/// What a scan tells of its protection.
fn looks(network: &schema::Network) -> Security {
    match network.security {
        _ if network.scans_as_open => Security::Open,
        schema::Security::Open => Security::Open,
        schema::Security::Wpa2 => Security::Wpa2,
        schema::Security::Wpa3 => Security::Wpa3,
        schema::Security::Outdated => Security::Outdated,
        schema::Security::Enterprise => Security::Enterprise,
    }
}

/// Why a network that is there does not let the plug in as it comes.
fn refusal(network: &schema::Network) -> LinkError {
    match network.security {
        schema::Security::Wpa2 => LinkError::PasswordMissing,
        schema::Security::Wpa3 => LinkError::OnlyWpa3,
        schema::Security::Open => LinkError::ScansAsOpen,
        schema::Security::Outdated | schema::Security::Enterprise => LinkError::Unsupported,
    }
}
