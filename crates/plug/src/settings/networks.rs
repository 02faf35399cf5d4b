//! Networks in JSON: an address that is set, the list of further networks, and one that is to be tested.

use alloc::vec::Vec;
use core::fmt::{Result as Written, Write};
use core::net::Ipv4Addr;

use super::field::{self, SET, Secrets};
use super::fields::{WPA2_PASSWORD, is_wpa2_password};
use super::patch::Refusal;
use super::schema::{MORE_NETWORKS, WifiSettings};
use super::wrong::{Part, Wanted, Why, Wrong, WrongField};
use crate::json::{self, Quoted};
use crate::platform::{Credentials, Known, Ssid, StaticAddress};

/// What an address must be.
pub(super) const ADDRESS: &str = "an object such as {\"ip\":\"192.168.1.20\",\"prefix\":24,\"gateway\":\"192.168.1.1\",\
                                  \"dns\":null}, with a prefix from 8 to 30 and a gateway of the same network, or null";
const LIST: Why = Why::MustBe(Wanted::Phrase("a list of at most 3 networks"));
const NETWORK: Why = Why::MustBe(Wanted::Phrase("an object with ssid, password, hidden and address"));
const NAME: Why =
    Why::MustBe(Wanted::Phrase("the name of a network, a text of 1 to 32 bytes without control characters"));
const GIVE: Why = Why::Rule("be given: no password of this network is set");

/// Reads an address; `None` if it cannot be one.
pub(super) fn address(value: &str) -> Option<StaticAddress> {
    let (mut ip, mut prefix, mut gateway, mut dns) = (None, None, None, None);
    let mut good = true;
    json::members(value, |name, value| {
        let dotted = || field::text(value).and_then(|text| text.parse::<Ipv4Addr>().ok());
        good &= match name {
            "ip" => ip.is_none() && put(&mut ip, dotted()),
            "prefix" => prefix.is_none() && put(&mut prefix, value.parse::<u8>().ok()),
            "gateway" => gateway.is_none() && (value == "null" || put(&mut gateway, dotted())),
            "dns" => dns.is_none() && (value == "null" || put(&mut dns, dotted())),
            _ => false,
        };
    })
    .ok()?;
    let address = StaticAddress { ip: ip?, prefix: prefix?, gateway, dns };
    (good && can_be(&address)).then_some(address)
}

/// `false` if there is nothing to put.
fn put<T>(place: &mut Option<T>, value: Option<T>) -> bool {
    *place = value;
    place.is_some()
}

/// Whether a plug can have this address: neither the network itself nor all of it (RFC 1122 §3.2.1.3).
fn can_be(address: &StaticAddress) -> bool {
    let StaticAddress { ip, prefix, gateway, dns } = *address;
    if !(8..=30).contains(&prefix) {
        return false;
    }
    let hosts = u32::MAX >> prefix;
    let of_a_host = |ip: Ipv4Addr| {
        let part = u32::from(ip) & hosts;
        let first = ip.octets()[0];
        part != 0 && part != hosts && first != 0 && first != 127 && first < 224
    };
    let same = |other: Ipv4Addr| u32::from(other) & !hosts == u32::from(ip) & !hosts;
    let reached = gateway.is_none_or(|gateway| of_a_host(gateway) && same(gateway) && gateway != ip);
    of_a_host(ip) && reached && dns.is_none_or(|dns| !dns.is_unspecified() && !dns.is_multicast())
}

/// A field of a network that cannot be so: of one in the list, or of one alone.
fn fault(place: Option<u8>, name: &'static str, why: Why) -> WrongField {
    match place {
        Some(index) => WrongField::new("wifi", Part::Network(index), name, why),
        None => WrongField::section(name, why),
    }
}

/// Reads a network; `None`, and each fault told to `wrong`, if it is none. A password that is to stay is [`SET`].
fn read_network(value: &str, place: Option<u8>, wrong: &mut dyn FnMut(WrongField)) -> Option<Known> {
    const FIELDS: [&str; 4] = ["ssid", "password", "hidden", "address"];
    let mut known = Known {
        credentials: Credentials { ssid: Ssid::new(), password: None },
        hidden: false,
        address: None,
    };
    let (mut given, mut good) = (0_u8, true);
    let whole = json::members(value, |name, value| {
        let Some(index) = FIELDS.iter().position(|field| *field == name) else {
            good = false;
            return wrong(match place {
                Some(index) => WrongField::unknown("wifi", Part::Network(index), name),
                None => WrongField::unknown_section(name),
            });
        };
        let result =
            if given & 1 << index != 0 { Err(Why::Repeated) } else { take(&mut known, index, value) };
        given |= 1 << index;
        if let Err(why) = result {
            good = false;
            wrong(fault(place, FIELDS.get(index).copied().unwrap_or(""), why));
        }
    });
    if whole.is_err() {
        wrong(match place {
            Some(index) => WrongField::part("wifi", Part::Network(index), NETWORK),
            None => WrongField::section("network", NETWORK),
        });
        return None;
    }
    if given & 1 == 0 {
        wrong(fault(place, "ssid", NAME));
        return None;
    }
    good.then_some(known)
}

fn take(known: &mut Known, field: usize, value: &str) -> Result<(), Why> {
    match field {
        0 => {
            let text = field::text(value).filter(|text| !text.is_empty());
            known.credentials.ssid = text.and_then(|text| Ssid::try_from(text.as_str()).ok()).ok_or(NAME)?;
        }
        _ if value == "null" => {}
        1 => {
            let text = field::text(value).filter(|text| *text == SET || is_wpa2_password(text));
            known.credentials.password = Some(text.ok_or(Why::MustBe(Wanted::Phrase(WPA2_PASSWORD)))?);
        }
        2 => known.hidden = field::flag(value).map_err(Why::MustBe)?,
        _ => known.address = Some(address(value).ok_or(Why::MustBe(Wanted::Phrase(ADDRESS)))?),
    }
    Ok(())
}

/// Reads the list; `None`, and each fault told to `wrong`, if it is none.
pub(super) fn read(value: &str, wrong: &mut dyn FnMut(WrongField)) -> Option<Vec<Known>> {
    let (mut more, mut index, mut good) = (Vec::new(), 0_u8, true);
    let whole = json::items(value, |item| {
        if usize::from(index) < MORE_NETWORKS {
            match read_network(item, Some(index), wrong) {
                Some(known) => more.push(known),
                None => good = false,
            }
        }
        index = index.saturating_add(1);
    });
    if whole.is_err() || usize::from(index) > MORE_NETWORKS {
        wrong(WrongField::new("wifi", Part::Top, "more", LIST));
        return None;
    }
    good.then_some(more)
}

/// The network that `text` is: `{"ssid":...,"password":...,"hidden":...,"address":...}`. A password that is `"set"` is the
/// one that the settings have for that name.
///
/// # Errors
/// What is wrong.
pub fn network(before: &WifiSettings, text: &str) -> Result<Known, Refusal> {
    let mut wrong = Wrong::new();
    json::members(text, |_, _| {}).map_err(|json::NotJson| Refusal::NotJson)?;
    if let Some(mut known) = read_network(text, None, &mut |field| wrong.push(field)) {
        if keep_password(before, &mut known) {
            return Ok(known);
        }
        wrong.push(fault(None, "password", GIVE));
    }
    Err(Refusal::Wrong(wrong))
}

/// Gives a network the password that was set for its name, if it says so; `false` where there is none.
fn keep_password(before: &WifiSettings, known: &mut Known) -> bool {
    let Credentials { ssid, password } = &mut known.credentials;
    if password.as_deref() != Some(SET) {
        return true;
    }
    let stored = before.password_of(ssid);
    *password = stored.flatten().cloned();
    stored.is_some()
}

/// A password that is to stay goes with its network, wherever that stands now. `stays`: the first one's does.
pub(super) fn keep_passwords(
    before: &WifiSettings,
    after: &mut WifiSettings,
    stays: bool,
    wrong: &mut Wrong,
) {
    if stays && let Some(password) = before.password_of(&after.ssid) {
        after.password = password.cloned();
    }
    for (known, index) in after.more.iter_mut().zip(0..) {
        if !keep_password(before, known) {
            wrong.push(fault(Some(index), "password", GIVE));
        }
    }
}

/// Writes an address.
pub(super) fn write_address(address: Option<&StaticAddress>, out: &mut dyn Write) -> Written {
    let Some(StaticAddress { ip, prefix, gateway, dns }) = address else { return out.write_str("null") };
    write!(out, "{{\"ip\":\"{ip}\",\"prefix\":{prefix}")?;
    for (name, address) in [("gateway", gateway), ("dns", dns)] {
        match address {
            Some(address) => write!(out, ",\"{name}\":\"{address}\"")?,
            None => write!(out, ",\"{name}\":null")?,
        }
    }
    out.write_char('}')
}

/// Writes the list: every field, or for the flash only those that are not as if left out.
pub(super) fn write(more: &[Known], secrets: Secrets, out: &mut dyn Write) -> Written {
    let every_field = secrets == Secrets::Hide;
    out.write_char('[')?;
    for (index, Known { credentials, hidden, address }) in more.iter().enumerate() {
        out.write_str(if index > 0 { ",{\"ssid\":" } else { "{\"ssid\":" })?;
        write!(out, "{}", Quoted(&credentials.ssid))?;
        match &credentials.password {
            Some(password) => {
                let told = if every_field { SET } else { password };
                write!(out, ",\"password\":{}", Quoted(told))?;
            }
            None if every_field => out.write_str(",\"password\":null")?,
            None => {}
        }
        if every_field || *hidden {
            write!(out, ",\"hidden\":{hidden}")?;
        }
        if every_field || address.is_some() {
            out.write_str(",\"address\":")?;
            write_address(address.as_ref(), out)?;
        }
        out.write_char('}')?;
    }
    out.write_char(']')
}
