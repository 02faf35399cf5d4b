//! The radio of a scenario: everything under `[radio]`.

use std::net::Ipv4Addr;

use serde::Deserialize;

use super::super::number::{above_zero, whole, within};
use super::super::words;
use super::{Recurring, Switched};

settings! {
    /// What is in the air around the plug.
    Radio {
        network: Vec<Network> = Vec::new(),
        phone: Vec<Phone> = Vec::new(),
    }
}

/// How a network is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Security {
    /// Not at all.
    Open,
    /// WPA2, alone or beside WPA3.
    Wpa2,
    /// WPA3 only.
    Wpa3,
    /// WEP or the first WPA.
    Outdated,
    /// With a user name.
    Enterprise,
}

settings! {
    /// A network, or one of several access points with the same name.
    Network + Switched {
        #[serde(deserialize_with = "words::ssid")]
        ssid: String = "home".to_owned(),
        security: Security = Security::Wpa2,
        /// `None`: nobody here knows it.
        #[serde(deserialize_with = "words::password")]
        password: Option<String> = None,
        #[serde(deserialize_with = "within::<-100, 0, _>")]
        signal_dbm: f64 = -55.0,
        #[serde(deserialize_with = "whole::<1, 13, _>")]
        channel: u32 = 6,
        /// It does not say its name.
        hidden: bool = false,
        /// It looks open to the plug, as WPA3 does to some radios.
        scans_as_open: bool = false,
        /// Of what is sent, beside what a weak signal loses.
        #[serde(deserialize_with = "within::<0, 100, _>")]
        loss_pct: f64 = 0.0,
        /// Whether it hands out addresses ...
        dhcp: bool = true,
        /// ... and how long it takes to.
        #[serde(deserialize_with = "above_zero::<1_000_000, _>")]
        dhcp_s: f64 = 0.5,
        /// The plug's, of a network of 24 bits whose router is at .1.
        #[serde(deserialize_with = "words::address")]
        address: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 50),
    }
}

settings! {
    /// A phone on the plug's access point, if that is open.
    Phone + Recurring {}
}
