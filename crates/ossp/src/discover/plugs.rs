//! Plugs out of the answers to one question, without a socket.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use crate::printable::printable;
use plug::net::mdns::wire::{A, Entry, IN, Message, Name, PTR, SRV, TXT};

/// What plugs offer.
const SERVICE: [&str; 3] = ["_ossp", "_tcp", "local"];
/// Plugs that are kept: nobody fills this machine's memory.
const MOST: usize = 1000;

/// A plug.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Its host's name.
    pub name: String,
    /// Its address, if it was told.
    pub address: Option<Ipv4Addr>,
    /// Where its web is.
    pub port: u16,
    /// Its identity.
    pub id: String,
    /// What it runs.
    pub version: String,
    /// What it is.
    pub board: String,
}

impl Found {
    /// Address, or name where that is not known, and port unless it is the usual one.
    #[must_use]
    pub fn place(&self) -> String {
        let host = self.address.map_or_else(|| self.name.clone(), |address| address.to_string());
        if self.port == 80 { host } else { format!("{host}:{}", self.port) }
    }
}

/// What was heard.
#[derive(Clone, Debug, Default)]
pub struct Plugs {
    /// By the names of their services.
    services: BTreeMap<String, Found>,
    /// By the names of their hosts.
    addresses: BTreeMap<String, Ipv4Addr>,
}

/// The question for all of them, to be answered directly.
#[must_use]
pub fn question() -> Vec<u8> {
    ask(SERVICE.into_iter(), PTR)
}

/// The question for the address of a host.
#[must_use]
pub fn host_question(name: &str) -> Vec<u8> {
    ask(name.split('.').filter(|label| !label.is_empty()), A)
}

fn ask<'a>(labels: impl Iterator<Item = &'a str>, kind: u16) -> Vec<u8> {
    // One question; nothing else.
    let mut bytes = vec![0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in labels {
        let label = label.as_bytes();
        // No host has a longer one (RFC 1035 §2.3.4).
        let label = label.get(..63).unwrap_or(label);
        bytes.push(label.len() as u8);
        bytes.extend(label);
    }
    bytes.push(0);
    bytes.extend(kind.to_be_bytes());
    bytes.extend((IN | 0x8000).to_be_bytes());
    bytes
}

impl Plugs {
    /// Takes an answer; what is none is nothing.
    pub fn hear(&mut self, bytes: &[u8]) {
        let Some(message) = Message::parse(bytes).filter(|message| message.is_response()) else { return };
        for entry in message.all().filter(|entry| entry.class == IN && entry.ttl > 0) {
            self.take(&entry);
        }
    }

    fn take(&mut self, entry: &Entry<'_>) {
        let name = words(entry.name);
        let of_a_plug =
            entry.name.labels().skip(1).map(<[u8]>::to_ascii_lowercase).eq(SERVICE.map(Vec::from));
        match entry.kind {
            A if self.addresses.len() < MOST => {
                if let Ok(octets) = <[u8; 4]>::try_from(entry.data()) {
                    self.addresses.insert(name.to_ascii_lowercase(), Ipv4Addr::from(octets));
                }
            }
            SRV if of_a_plug => {
                if let (Some(target), [_, _, _, _, high, low, ..], Some(found)) =
                    (entry.target(), entry.data(), self.service(name))
                {
                    found.name = words(target);
                    found.port = u16::from_be_bytes([*high, *low]);
                }
            }
            TXT if of_a_plug => {
                if let Some(found) = self.service(name) {
                    found.read(entry.data());
                }
            }
            _ => {}
        }
    }

    fn service(&mut self, name: String) -> Option<&mut Found> {
        let room = self.services.len() < MOST || self.services.contains_key(&name);
        room.then(|| self.services.entry(name).or_default())
    }

    /// Where the web of the plug on a host is, if it was told.
    #[must_use]
    pub fn port(&self, name: &str) -> Option<u16> {
        self.services.values().find(|plug| plug.name.eq_ignore_ascii_case(name)).map(|plug| plug.port)
    }

    /// A host's address, if it was told.
    #[must_use]
    pub fn address(&self, name: &str) -> Option<Ipv4Addr> {
        self.addresses.get(&name.to_ascii_lowercase()).copied()
    }

    /// Plugs whose host is known, by their names.
    #[must_use]
    pub fn found(&self) -> Vec<Found> {
        let mut found: Vec<_> =
            self.services.values().filter(|plug| !plug.name.is_empty()).cloned().collect();
        for plug in &mut found {
            plug.address = self.address(&plug.name);
        }
        found.sort_by(|one, other| one.name.cmp(&other.name));
        found
    }
}

impl Found {
    /// Texts with a byte for their length, each `key=value` (RFC 6763 §6.3).
    fn read(&mut self, mut texts: &[u8]) {
        while let [length, rest @ ..] = texts {
            let (text, behind) = rest.split_at_checked(usize::from(*length)).unwrap_or((rest, &[]));
            texts = behind;
            let text = printable(&String::from_utf8_lossy(text));
            match text.split_once('=') {
                Some(("id", value)) => self.id = value.to_owned(),
                Some(("version", value)) => self.version = value.to_owned(),
                Some(("board", value)) => self.board = value.to_owned(),
                _ => {}
            }
        }
    }
}

fn words(name: Name<'_>) -> String {
    name.labels().map(|label| printable(&String::from_utf8_lossy(label))).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;
    use plug::net::mdns::{Event, Facts, Place, Responder};
    use plug::platform::Instant;
    use std::net::SocketAddrV4;

    /// What a plug of this name answers.
    fn answer(host: &str, last: u8, version: &str) -> Vec<u8> {
        let facts = Facts { id: "0123456789ABCDEF", version, board: "virtual", web_port: 8080 };
        let mut plug = Responder::new(facts, 1);
        let ip = Ipv4Addr::new(192, 0, 2, last);
        let mut out = [0; 640];
        plug.handle(Instant::default(), Event::Be(Some(Place { host, ip, prefix: 24 })), &mut out);
        let mut now = Instant::default();
        for _ in 0..10 {
            now = now.after(Duration::from_secs(1));
            while plug.handle(now, Event::Tick, &mut out).is_some() {}
        }
        let from = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 200), 40_000);
        let sending = plug.handle(now, Event::Heard(from, &question()), &mut out).unwrap();
        assert_eq!(sending.to, from);
        out[..sending.length].to_vec()
    }

    #[test]
    fn plugs_are_found_by_what_they_answer() {
        let mut plugs = Plugs::default();
        for (host, last) in [("ossp-cdef-2", 8), ("ossp-cdef", 7), ("ossp-cdef", 7)] {
            plugs.hear(&answer(host, last, "0.1.0"));
        }
        let found = plugs.found();
        let names: Vec<_> = found.iter().map(|plug| (&*plug.name, plug.place())).collect();
        assert_eq!(
            names,
            [
                ("ossp-cdef-2.local", "192.0.2.8:8080".to_owned()),
                ("ossp-cdef.local", "192.0.2.7:8080".to_owned())
            ]
        );
        let plug = &found[1];
        assert_eq!((&*plug.id, &*plug.version, &*plug.board), ("0123456789ABCDEF", "0.1.0", "virtual"));
    }

    #[test]
    fn what_is_no_answer_is_nothing() {
        let mut plugs = Plugs::default();
        plugs.hear(b"");
        plugs.hear(&question());
        let good = answer("ossp-cdef", 7, "0.1.0");
        for end in 0..good.len() {
            plugs.hear(&good[..end]);
        }
        assert_eq!(plugs.found(), []);
    }

    #[test]
    fn nobody_steers_the_terminal() {
        let mut plugs = Plugs::default();
        plugs.hear(&answer("ossp-cdef", 7, "\u{1b}[2J"));
        assert_eq!(plugs.found()[0].version, "\u{fffd}[2J");
    }
}
