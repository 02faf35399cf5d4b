//! `emoncms`: where readings go, under which names, and what a server's address and a name can be.

use alloc::boxed::Box;
use core::fmt;

/// How a request is protected on its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// `encrypted`: as Emoncms does it by itself; no key ever leaves the plug.
    #[default]
    Encrypted,
    /// `plain`: everybody on the way reads the readings and the write key.
    Plain,
}

/// What is sent where the server, the node or the key is another than before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Begin {
    /// `now`: what is measured from now on.
    #[default]
    Now,
    /// `oldest`: the whole log.
    Oldest,
}

/// Longest `url`, in bytes.
pub const URL: usize = 64;
/// Longest `node`: what emoncms.org takes.
pub const NODE: usize = 16;
/// Longest name of an input.
pub const INPUT: usize = 16;

/// What can be sent, in the order in which it stands in a row: first what every row has, the most telling first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// Energy that was used, in Wh.
    Energy,
    /// The same in kWh.
    EnergyKwh,
    /// Energy that was given back, in Wh.
    EnergyExport,
    /// Mean power of the row, in W.
    Power,
    /// The least power.
    PowerMin,
    /// The most power.
    PowerMax,
    /// 1: on, 0: off.
    Relay,
    /// Mean current, in A.
    Current,
    /// Mean voltage, in V.
    Voltage,
    /// Mean power factor.
    PowerFactor,
    /// Mean frequency, in Hz.
    Frequency,
}

/// How many there are.
pub const QUANTITIES: usize = 11;

impl Quantity {
    /// All of them, in their order.
    pub const ALL: [Self; QUANTITIES] = [
        Self::Energy,
        Self::EnergyKwh,
        Self::EnergyExport,
        Self::Power,
        Self::PowerMin,
        Self::PowerMax,
        Self::Relay,
        Self::Current,
        Self::Voltage,
        Self::PowerFactor,
        Self::Frequency,
    ];

    /// Its name where nobody gave another; empty: not sent.
    #[must_use]
    pub const fn default_name(self) -> &'static str {
        match self {
            Self::Energy => "energy",
            Self::Power => "power",
            Self::Current => "current",
            Self::Voltage => "voltage",
            Self::PowerFactor => "power_factor",
            Self::Frequency => "frequency",
            Self::EnergyKwh | Self::EnergyExport | Self::PowerMin | Self::PowerMax | Self::Relay => "",
        }
    }

    /// Whether every row has it.
    #[must_use]
    pub const fn is_always_there(self) -> bool {
        !matches!(self, Self::Current | Self::Voltage | Self::PowerFactor | Self::Frequency)
    }
}

/// `emoncms`. Texts lie on the heap, and take nothing there where nobody set them.
#[derive(Clone, PartialEq, Eq)]
pub struct EmoncmsSettings {
    /// `enabled`: whether readings are sent.
    pub enabled: bool,
    /// `url`: the server with its path; empty: none.
    pub url: Box<str>,
    /// `node`: empty: `ossp-` and the end of the plug's identity.
    pub node: Box<str>,
    /// `write_key`: a secret, 32 hexadecimal digits.
    pub write_key: Option<Box<str>>,
    /// `read_key`: a secret; where it is set, questions are asked with it.
    pub read_key: Option<Box<str>>,
    /// `user_id`: whose account, for the encrypted transport.
    pub user_id: Option<u32>,
    /// `transport`: `encrypted` or `plain`.
    pub transport: Transport,
    /// `interval_s`: from one row to the next.
    pub interval_s: u16,
    /// `send_every_s`: from one post to the next.
    pub send_every_s: u16,
    /// `begin`: `now` or `oldest`.
    pub begin: Begin,
    /// `input_...`; `None`: its default. Most plugs have them all at their defaults.
    inputs: Option<Box<[Option<Box<str>>; QUANTITIES]>>,
}

impl Default for EmoncmsSettings {
    fn default() -> Self {
        Self {
            enabled: false,
            url: Box::default(),
            node: Box::default(),
            write_key: None,
            read_key: None,
            user_id: None,
            transport: Transport::Encrypted,
            interval_s: 10,
            send_every_s: 10,
            begin: Begin::Now,
            inputs: None,
        }
    }
}

/// The keys keep to themselves.
impl fmt::Debug for EmoncmsSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = |key: &Option<Box<str>>| key.as_ref().map(|_| "set");
        formatter
            .debug_struct("EmoncmsSettings")
            .field("enabled", &self.enabled)
            .field("url", &self.url)
            .field("node", &self.node)
            .field("write_key", &told(&self.write_key))
            .field("read_key", &told(&self.read_key))
            .field("user_id", &self.user_id)
            .field("transport", &self.transport)
            .field("interval_s", &self.interval_s)
            .field("send_every_s", &self.send_every_s)
            .field("begin", &self.begin)
            .field("inputs", &self.inputs)
            .finish()
    }
}

impl EmoncmsSettings {
    /// The name under which a quantity is sent; empty: it is not.
    #[must_use]
    pub fn input(&self, quantity: Quantity) -> &str {
        let given = self.inputs.as_deref().and_then(|inputs| inputs.get(quantity as usize)?.as_deref());
        given.unwrap_or(quantity.default_name())
    }

    /// Gives a quantity a name.
    pub fn set_input(&mut self, quantity: Quantity, name: &str) {
        let inputs = self.inputs.get_or_insert_default();
        if let Some(place) = inputs.get_mut(quantity as usize) {
            *place = (name != quantity.default_name()).then(|| name.into());
        }
        if inputs.iter().all(Option::is_none) {
            self.inputs = None;
        }
    }

    /// Whether a request can be made at all.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let user = self.transport == Transport::Plain || self.user_id.is_some();
        !self.url.is_empty() && self.write_key.is_some() && user
    }

    /// Whether two quantities would be sent under one name.
    pub(super) fn has_a_name_twice(&self) -> bool {
        Quantity::ALL.iter().enumerate().any(|(index, one)| {
            let name = self.input(*one);
            let others = Quantity::ALL.iter().skip(index + 1);
            !name.is_empty() && others.into_iter().any(|other| self.input(*other) == name)
        })
    }

    /// Whether anything is sent that says how much is used.
    pub(super) fn says_something(&self) -> bool {
        [Quantity::Energy, Quantity::EnergyKwh, Quantity::Power, Quantity::Voltage, Quantity::Current]
            .into_iter()
            .any(|quantity| !self.input(quantity).is_empty())
    }
}

/// Where a server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Server<'a> {
    /// Its name or address.
    pub host: &'a str,
    /// Its port.
    pub port: u16,
    /// Where Emoncms is on it, without a slash at the end: empty or `/emoncms`.
    pub path: &'a str,
}

impl<'a> Server<'a> {
    /// Reads `http://HOST[:PORT][/PATH]`; also `https://`, so that it can be refused with the right words. An address
    /// of IPv6 is not taken: the plug has none.
    #[must_use]
    pub fn parse(url: &'a str) -> Option<Self> {
        let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"))?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, port.parse().ok().filter(|port| *port > 0)?),
            None => (authority, 80),
        };
        let of_a_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        let of_a_path = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'"' | b'\\');
        let fits = !host.is_empty() && host.bytes().all(of_a_host) && path.bytes().all(of_a_path);
        fits.then_some(Self { host, port, path: path.trim_end_matches('/') })
    }
}

/// Whether `url` may be stored.
pub(crate) fn is_url(url: &str) -> bool {
    url.is_empty() || url.len() <= URL && Server::parse(url).is_some()
}

/// Whether Emoncms keeps all of this name: what else it has it drops silently, so that two could become one.
pub(super) fn is_name(name: &str) -> bool {
    let kept = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b' ');
    name.bytes().all(kept) && name.trim() == name
}

/// Whether this is a key of Emoncms.
pub(super) fn is_key(key: &str) -> bool {
    key.len() == 32 && key.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_host_port_and_path() {
        let at = |host, port, path| Some(Server { host, port, path });
        for (url, wanted) in [
            ("http://emonpi", at("emonpi", 80, "")),
            ("http://emonpi/", at("emonpi", 80, "")),
            ("http://192.168.1.2:8080/emoncms", at("192.168.1.2", 8080, "/emoncms")),
            ("http://a.b/c/d//", at("a.b", 80, "/c/d")),
            ("https://emoncms.org", at("emoncms.org", 80, "")),
            ("", None),
            ("emonpi", None),
            ("http://", None),
            ("http:///emoncms", None),
            ("http://a:0", None),
            ("http://a:65536", None),
            ("http://a:", None),
            ("http://a:b", None),
            ("http://user@a", None),
            ("http://a b", None),
            ("http://a/b c", None),
            ("http://a/?x=1", None),
            ("http://a/#x", None),
            ("http://[::1]/", None),
            ("HTTP://a", None),
            ("ftp://a", None),
            ("http://a/\u{e4}", None),
            ("http://a/\r\nx", None),
        ] {
            assert_eq!(Server::parse(url), wanted, "{url}");
        }
    }

    #[test]
    fn every_quantity_has_a_place_and_a_name_of_its_own() {
        let mut settings = EmoncmsSettings::default();
        assert!(!settings.has_a_name_twice() && settings.says_something());
        for (index, quantity) in Quantity::ALL.into_iter().enumerate() {
            assert_eq!(quantity as usize, index);
            settings.set_input(quantity, "x");
            assert_eq!(settings.input(quantity), "x");
            assert_eq!(settings.has_a_name_twice(), index > 0);
        }
        for quantity in Quantity::ALL {
            settings.set_input(quantity, quantity.default_name());
        }
        assert_eq!(settings, EmoncmsSettings::default());
        for quantity in Quantity::ALL {
            settings.set_input(quantity, "");
        }
        assert!(!settings.has_a_name_twice() && !settings.says_something());
    }

    #[test]
    fn debug_tells_no_key() {
        let key = || Some("fa8e3b689295332c560bbea31afb61d0".into());
        let settings = EmoncmsSettings { write_key: key(), read_key: key(), ..EmoncmsSettings::default() };
        assert!(!alloc::format!("{settings:?}").contains("fa8e"));
    }
}
