//! What the plug says of itself: eleven records, and how they are written (RFC 1035 §4.1, RFC 6762 §10, RFC 6763).

use core::net::Ipv4Addr;

use heapless::Vec;

use super::wire::{A, Entry, IN, NSEC, Name, PTR, SRV, TOP, TXT};

/// A name of which the plug speaks: a label in front of another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Own {
    Local,
    Tcp,
    Udp,
    Discovery,
    Services,
    Http,
    Ossp,
    Host,
    HttpInstance,
    OsspInstance,
}

const OWN: usize = 10;
/// Those that are the plug's alone, in the order in which rivals for them are compared.
pub(super) const UNIQUE: [Own; 3] = [Own::Host, Own::HttpInstance, Own::OsspInstance];

impl Own {
    /// Its first label and what follows; `host` is the plug's own label.
    const fn parts(self, host: &str) -> (&str, Option<Self>) {
        match self {
            Self::Local => ("local", None),
            Self::Tcp => ("_tcp", Some(Self::Local)),
            Self::Udp => ("_udp", Some(Self::Local)),
            Self::Discovery => ("_dns-sd", Some(Self::Udp)),
            Self::Services => ("_services", Some(Self::Discovery)),
            Self::Http => ("_http", Some(Self::Tcp)),
            Self::Ossp => ("_ossp", Some(Self::Tcp)),
            Self::Host => (host, Some(Self::Local)),
            Self::HttpInstance => (host, Some(Self::Http)),
            Self::OsspInstance => (host, Some(Self::Ossp)),
        }
    }

    pub(super) fn is(self, name: Name<'_>, host: &str) -> bool {
        let mut own = Some(self);
        for label in name.labels() {
            let Some((ours, rest)) = own.map(|own| own.parts(host)) else { return false };
            if !label.eq_ignore_ascii_case(ours.as_bytes()) {
                return false;
            }
            own = rest;
        }
        own.is_none()
    }

    pub(super) fn is_unique(self) -> bool {
        UNIQUE.contains(&self)
    }
}

/// A record: whose, which kind, where it leads, and which others are of use with it.
pub(super) struct Item {
    pub(super) name: Own,
    pub(super) kind: u16,
    target: Own,
    pub(super) with: Set,
}

/// A choice of [`ITEMS`].
pub(super) type Set = u16;

const fn item(name: Own, kind: u16, target: Own, with: Set) -> Item {
    Item { name, kind, target, with }
}

const HOST: Set = 0b11;
const HTTP: Set = 0b1_1100;
const OSSP: Set = 0b1110_0000;

/// Everything, the kinds of a name in rising order.
pub(super) const ITEMS: [Item; 12] = [
    item(Own::Host, A, Own::Host, 0b10),
    item(Own::Host, NSEC, Own::Host, 0b1),
    item(Own::HttpInstance, TXT, Own::Host, 0),
    item(Own::HttpInstance, SRV, Own::Host, HOST),
    item(Own::HttpInstance, NSEC, Own::HttpInstance, 0),
    item(Own::OsspInstance, TXT, Own::Host, 0),
    item(Own::OsspInstance, SRV, Own::Host, HOST),
    item(Own::OsspInstance, NSEC, Own::OsspInstance, 0),
    item(Own::Http, PTR, Own::HttpInstance, HTTP | HOST),
    item(Own::Ossp, PTR, Own::OsspInstance, OSSP | HOST),
    item(Own::Services, PTR, Own::Http, 0),
    item(Own::Services, PTR, Own::Ossp, 0),
];
/// All of them.
pub(super) const ALL: Set = (1 << ITEMS.len()) - 1;

impl Item {
    /// For how long it holds: what names a host shorter than the rest (RFC 6762 §10).
    pub(super) const fn ttl(&self) -> u32 {
        match self.kind {
            PTR | TXT => 4500,
            _ => 120,
        }
    }
}

/// The chosen ones with their places.
pub(super) fn chosen(set: Set) -> impl Iterator<Item = (usize, &'static Item)> {
    ITEMS.iter().enumerate().filter(move |(index, _)| set & (1 << index) != 0)
}

/// Those that pass a test of place and item.
pub(super) fn those(test: &dyn Fn(usize, &Item) -> bool) -> Set {
    chosen(ALL).fold(0, |set, (index, item)| if test(index, item) { set | 1 << index } else { set })
}

/// What goes with them, but for themselves.
pub(super) fn of_use_with(set: Set) -> Set {
    chosen(set).fold(0, |with, (_, item)| with | item.with) & !set
}

/// What the records say.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The plug's identity.
    pub id: &'a str,
    /// What it runs.
    pub version: &'a str,
    /// What it is.
    pub board: &'a str,
    /// Where its web is.
    pub web_port: u16,
}

/// The facts under a name at an address.
#[derive(Clone, Copy)]
pub(super) struct Voice<'a> {
    pub(super) facts: Facts<'a>,
    pub(super) host: &'a str,
    pub(super) ip: Ipv4Addr,
}

/// Room for what the longest of ours says, its words, and one byte more.
const PLAIN: usize = 128;

/// A record as it is compared: names written out; in the order of RFC 6762 §8.2.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Plain {
    class: u16,
    kind: u16,
    /// Its beginning; ours are shorter.
    data: Vec<u8, PLAIN>,
}

impl Plain {
    pub(super) fn of(entry: &Entry<'_>) -> Self {
        let mut data = Vec::new();
        entry.written_out(|piece| {
            let room = (data.capacity() - data.len()).min(piece.len());
            // There is room.
            let _ = data.extend_from_slice(piece.get(..room).unwrap_or(&[]));
        });
        Self { class: entry.class, kind: entry.kind, data }
    }

    pub(super) fn ours(item: &Item, voice: &Voice<'_>) -> Self {
        let mut room = [0; PLAIN - 1];
        let mut writer = Writer::new(&mut room);
        writer.shortens = false;
        let _ = writer.data(item, voice);
        let mut data = Vec::new();
        let _ = data.extend_from_slice(writer.written());
        Self { class: IN, kind: item.kind, data }
    }
}

/// Writes a message; what does not fit is `None`.
pub(super) struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
    /// Where names stand already; 0: nowhere.
    seen: [u16; OWN],
    shortens: bool,
}

impl<'a> Writer<'a> {
    pub(super) fn new(out: &'a mut [u8]) -> Self {
        Self { out, at: 0, seen: [0; OWN], shortens: true }
    }

    pub(super) fn written(&self) -> &[u8] {
        self.out.get(..self.at).unwrap_or(&[])
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.at + bytes.len();
        self.out.get_mut(self.at..end)?.copy_from_slice(bytes);
        self.at = end;
        Some(())
    }

    pub(super) fn number(&mut self, number: u16) -> Option<()> {
        self.bytes(&number.to_be_bytes())
    }

    /// Puts a number where there is one already.
    pub(super) fn amend(&mut self, at: usize, number: u16) {
        if let Some(place) = self.out.get_mut(at..at + 2) {
            place.copy_from_slice(&number.to_be_bytes());
        }
    }

    fn text(&mut self, key: &str, value: &str) -> Option<()> {
        self.bytes(&[u8::try_from(key.len() + value.len()).ok()?])?;
        self.bytes(key.as_bytes())?;
        self.bytes(value.as_bytes())
    }

    pub(super) fn name(&mut self, name: Own, host: &str) -> Option<()> {
        let mut next = Some(name);
        while let Some(name) = next {
            let here = u16::try_from(self.at).ok()?;
            let seen = self.seen.get_mut(name as usize)?;
            if self.shortens && *seen != 0 {
                let pointer = 0xc000 | *seen;
                return self.number(pointer);
            }
            *seen = here;
            let (label, rest) = name.parts(host);
            self.text("", label)?;
            next = rest;
        }
        self.bytes(&[0])
    }

    fn data(&mut self, item: &Item, voice: &Voice<'_>) -> Option<()> {
        match item.kind {
            A => self.bytes(&voice.ip.octets()),
            PTR => self.name(item.target, voice.host),
            SRV => {
                // Neither priority nor weight: there is one.
                self.bytes(&[0; 4])?;
                self.number(voice.facts.web_port)?;
                self.name(item.target, voice.host)
            }
            TXT => {
                self.text("id=", voice.facts.id)?;
                self.text("version=", voice.facts.version)?;
                self.text("board=", voice.facts.board)?;
                self.text("path=", "/")
            }
            _ => {
                self.name(item.target, voice.host)?;
                // Block 0, its length, a bit for each kind that there is, the first kind's in front (RFC 4034 §4.1.2).
                self.bytes(if item.name == Own::Host { &[0, 1, 0x40] } else { &[0, 5, 0, 0, 0x80, 0, 0x40] })
            }
        }
    }

    /// A record that holds for `ttl` seconds.
    pub(super) fn record(&mut self, item: &Item, voice: &Voice<'_>, ttl: u32, replaces: bool) -> Option<()> {
        let (begin, seen) = (self.at, self.seen);
        let whole = self.try_record(item, voice, ttl, replaces);
        if whole.is_none() {
            (self.at, self.seen) = (begin, seen);
        }
        whole
    }

    fn try_record(&mut self, item: &Item, voice: &Voice<'_>, ttl: u32, replaces: bool) -> Option<()> {
        self.name(item.name, voice.host)?;
        self.number(item.kind)?;
        self.number(if replaces { IN | TOP } else { IN })?;
        self.bytes(&ttl.to_be_bytes())?;
        let length = self.at;
        self.number(0)?;
        self.data(item, voice)?;
        self.amend(length, u16::try_from(self.at - length - 2).ok()?);
        Some(())
    }
}
