//! Words with their limits, refused with a sentence while the place in the file is still known.

use std::net::Ipv4Addr;

use serde::Deserialize;
use serde::de::{Deserializer, Error};

/// The longest name of a network, in bytes.
const LONGEST_SSID: usize = 32;
/// Characters of a WPA2 password.
const PASSWORD: core::ops::RangeInclusive<usize> = 8..=63;

/// The name of a network.
pub(super) fn ssid<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    if text.is_empty() || text.len() > LONGEST_SSID {
        return Err(D::Error::custom(format_args!("`{text}` is not a name of 1 to {LONGEST_SSID} bytes")));
    }
    Ok(text)
}

/// The password of a network.
pub(super) fn password<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(from)?;
    let printable = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if !printable || !PASSWORD.contains(&text.len()) {
        let (least, most) = (PASSWORD.start(), PASSWORD.end());
        return Err(D::Error::custom(format_args!(
            "`{text}` is not a password of {least} to {most} ASCII characters"
        )));
    }
    Ok(Some(text))
}

/// An IPv4 address.
pub(super) fn address<'de, D: Deserializer<'de>>(from: D) -> Result<Ipv4Addr, D::Error> {
    let text = String::deserialize(from)?;
    text.parse().map_err(|_| D::Error::custom(format_args!("`{text}` is not an address like 192.168.1.50")))
}
