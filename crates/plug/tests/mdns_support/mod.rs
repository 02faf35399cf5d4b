//! One network cable in simulated time, with plugs and with whoever else speaks on it; and a reader of packets that is
//! not the plug's own.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test file uses what it needs")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests may fail loudly"
)]

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use plug::limits;
use plug::net::mdns::{Event, Facts, Place, Responder};
use plug::platform::Instant;

pub const GROUP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(224, 0, 0, 251), 5353);
pub const FACTS: Facts<'static> =
    Facts { id: "0123456789ABCDEF", version: "0.1.0", board: "virtual", web_port: 80 };

pub const A: u16 = 1;
pub const PTR: u16 = 12;
pub const TXT: u16 = 16;
pub const AAAA: u16 = 28;
pub const SRV: u16 = 33;
pub const NSEC: u16 = 47;
pub const ANY: u16 = 255;

pub fn at(milliseconds: u64) -> Instant {
    Instant::from_start(Duration::from_millis(milliseconds))
}

pub fn ip(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, last)
}

/// What was on the cable.
#[derive(Clone, Debug)]
pub struct Packet {
    pub time: u64,
    pub from: SocketAddrV4,
    pub to: SocketAddrV4,
    pub bytes: Vec<u8>,
}

impl Packet {
    #[track_caller]
    pub fn read(&self) -> Read {
        read(&self.bytes)
    }
}

/// Plugs on a cable. A packet arrives 1 ms later, also at whoever sent it.
pub struct Cable<'a> {
    pub now: u64,
    pub plugs: Vec<(Ipv4Addr, Responder<'a>)>,
    pub packets: Vec<Packet>,
    /// Not arrived yet, as a place in `packets`.
    under_way: Vec<usize>,
    /// Neither end hears the other.
    pub parted: Vec<(Ipv4Addr, Ipv4Addr)>,
}

impl<'a> Cable<'a> {
    pub fn new() -> Self {
        Self { now: 0, plugs: Vec::new(), packets: Vec::new(), under_way: Vec::new(), parted: Vec::new() }
    }

    /// Adds a plug that is not called anything yet.
    pub fn add(&mut self, last: u8, facts: Facts<'a>, chance: u32) -> usize {
        self.plugs.push((ip(last), Responder::new(facts, chance)));
        self.plugs.len() - 1
    }

    pub fn be(&mut self, plug: usize, host: &str) {
        let ip = self.plugs[plug].0;
        self.happen(plug, Event::Be(Some(Place { host, ip, prefix: 24 })));
    }

    pub fn happen(&mut self, plug: usize, event: Event<'_>) {
        let mut event = Some(event);
        let mut out = vec![0; limits::MDNS_SAYS];
        let (ip, responder) = &mut self.plugs[plug];
        for turn in 0.. {
            assert!(turn < 10, "it does not come to an end");
            let Some(sending) = responder.handle(at(self.now), event.take().unwrap_or(Event::Tick), &mut out)
            else {
                return;
            };
            let bytes = out[..sending.length].to_vec();
            let from = SocketAddrV4::new(*ip, 5353);
            self.under_way.push(self.packets.len());
            self.packets.push(Packet { time: self.now, from, to: sending.to, bytes });
        }
    }

    /// Somebody says something to everybody; what follows happens as time goes on.
    pub fn say(&mut self, from: SocketAddrV4, bytes: &[u8]) {
        self.under_way.push(self.packets.len());
        self.packets.push(Packet { time: self.now, from, to: GROUP, bytes: bytes.to_vec() });
    }

    /// Lets time pass.
    pub fn pass(&mut self, milliseconds: u64) {
        let end = self.now + milliseconds;
        while self.now < end {
            self.now += 1;
            for index in std::mem::take(&mut self.under_way) {
                let Packet { from, to, bytes, .. } = self.packets[index].clone();
                for plug in 0..self.plugs.len() {
                    let ip = self.plugs[plug].0;
                    let apart =
                        self.parted.iter().any(|pair| *pair == (ip, *from.ip()) || *pair == (*from.ip(), ip));
                    if !apart && (to == GROUP || to == SocketAddrV4::new(ip, 5353)) {
                        self.happen(plug, Event::Heard(from, &bytes));
                    }
                }
            }
            for plug in 0..self.plugs.len() {
                if self.plugs[plug].1.poll_at().is_some_and(|due| due <= at(self.now)) {
                    self.happen(plug, Event::Tick);
                }
            }
        }
    }

    pub fn labels(&self) -> Vec<Option<&str>> {
        self.plugs.iter().map(|(_, responder)| responder.label()).collect()
    }

    /// What was said since the last time that somebody looked.
    pub fn taken(&mut self) -> Vec<Packet> {
        assert!(self.under_way.is_empty(), "something has not arrived yet");
        std::mem::take(&mut self.packets)
    }

    /// Lets go of everything that is on the cable.
    pub fn forget(&mut self) {
        self.packets.clear();
        self.under_way.clear();
    }

    /// What plugs answer to a packet, within a second.
    pub fn answers(&mut self, from: SocketAddrV4, bytes: &[u8]) -> Vec<Packet> {
        self.taken();
        self.say(from, bytes);
        self.pass(1_000);
        self.taken().split_off(1)
    }
}

/// A plug that has had its name for a while, which it has not said lately.
pub fn held(facts: Facts<'_>) -> Cable<'_> {
    let mut cable = Cable::new();
    let plug = cable.add(7, facts, 1);
    cable.be(plug, "ossp-cdef");
    cable.pass(10_000);
    assert_eq!(cable.labels(), [Some("ossp-cdef")]);
    cable.taken();
    cable
}

/// A packet, read.
#[derive(Clone, Debug, Default)]
pub struct Read {
    pub id: u16,
    pub flags: u16,
    /// Name, kind, class.
    pub questions: Vec<(String, u16, u16)>,
    pub answers: Vec<Record>,
    pub authority: Vec<Record>,
    pub additional: Vec<Record>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record {
    pub name: String,
    pub kind: u16,
    pub class: u16,
    pub ttl: u32,
    /// Names written out, texts one behind the other.
    pub data: String,
}

impl Read {
    /// Names and kinds of the answers, sorted.
    pub fn kinds(&self) -> Vec<(&str, u16)> {
        kinds(&self.answers)
    }
}

pub fn kinds(records: &[Record]) -> Vec<(&str, u16)> {
    let mut all: Vec<_> = records.iter().map(|record| (&*record.name, record.kind)).collect();
    all.sort_unstable();
    all
}

#[track_caller]
pub fn read(bytes: &[u8]) -> Read {
    let word = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    let mut found = Read { id: word(0), flags: word(2), ..Read::default() };
    let mut at = 12;
    for _ in 0..word(4) {
        let name = name(bytes, &mut at);
        found.questions.push((name, word(at), word(at + 2)));
        at += 4;
    }
    for (count, list) in [(6, &mut found.answers), (8, &mut found.authority), (10, &mut found.additional)] {
        for _ in 0..word(count) {
            let name = name(bytes, &mut at);
            let (kind, class, length) = (word(at), word(at + 2), usize::from(word(at + 8)));
            let ttl = u32::from_be_bytes(bytes[at + 4..at + 8].try_into().unwrap());
            at += 10;
            let data = data(bytes, kind, at, at + length);
            at += length;
            list.push(Record { name, kind, class, ttl, data });
        }
    }
    assert_eq!(at, bytes.len(), "something is left over");
    found
}

fn data(bytes: &[u8], kind: u16, mut at: usize, end: usize) -> String {
    match kind {
        A => std::net::Ipv4Addr::from(<[u8; 4]>::try_from(&bytes[at..end]).unwrap()).to_string(),
        PTR => name(bytes, &mut at),
        SRV => {
            let port = u16::from_be_bytes([bytes[at + 4], bytes[at + 5]]);
            assert_eq!(bytes[at..at + 4], [0; 4]);
            at += 6;
            format!("{} {port}", name(bytes, &mut at))
        }
        TXT => {
            let mut texts = Vec::new();
            while at < end {
                let next = at + 1 + usize::from(bytes[at]);
                texts.push(String::from_utf8(bytes[at + 1..next].to_vec()).unwrap());
                at = next;
            }
            texts.join(" ")
        }
        NSEC => {
            let mut text = name(bytes, &mut at);
            assert_eq!(bytes[at], 0);
            for (index, byte) in bytes[at + 2..at + 2 + usize::from(bytes[at + 1])].iter().enumerate() {
                for bit in (0..8).filter(|bit| byte & (0x80 >> bit) != 0) {
                    text += &format!(" {}", index * 8 + bit);
                }
            }
            text
        }
        _ => format!("{:?}", &bytes[at..end]),
    }
}

fn name(bytes: &[u8], at: &mut usize) -> String {
    let mut labels = Vec::new();
    let (mut place, mut behind) = (*at, None);
    loop {
        let length = usize::from(bytes[place]);
        if length >= 0xc0 {
            behind.get_or_insert(place + 2);
            place = (length & 0x3f) << 8 | usize::from(bytes[place + 1]);
        } else if length == 0 {
            *at = behind.unwrap_or(place + 1);
            return labels.join(".");
        } else {
            labels.push(String::from_utf8_lossy(&bytes[place + 1..=place + length]).into_owned());
            place += 1 + length;
        }
    }
}

/// Makes packets as others send them, without pointers.
#[derive(Clone, Debug)]
pub struct Made(pub Vec<u8>);

impl Made {
    pub fn query() -> Self {
        Self(vec![0; 12])
    }

    pub fn response() -> Self {
        let mut made = Self::query();
        made.0[2] = 0x84;
        made
    }

    pub fn id(mut self, id: u16) -> Self {
        self.0[..2].copy_from_slice(&id.to_be_bytes());
        self
    }

    /// More of what is known follows.
    pub fn cut(mut self) -> Self {
        self.0[2] |= 2;
        self
    }

    pub fn ask(self, name: &str, kind: u16) -> Self {
        self.ask_as(name, kind, 1)
    }

    /// The answer may come directly.
    pub fn ask_directly(self, name: &str, kind: u16) -> Self {
        self.ask_as(name, kind, 0x8001)
    }

    pub fn ask_as(mut self, name: &str, kind: u16, class: u16) -> Self {
        self.0[5] += 1;
        self.name(name);
        self.0.extend(kind.to_be_bytes());
        self.0.extend(class.to_be_bytes());
        self
    }

    pub fn answer(self, name: &str, kind: u16, ttl: u32, data: &[u8]) -> Self {
        self.record(7, name, kind, ttl, data)
    }

    pub fn claim(self, name: &str, kind: u16, data: &[u8]) -> Self {
        self.record(9, name, kind, 120, data)
    }

    fn record(mut self, counter: usize, name: &str, kind: u16, ttl: u32, data: &[u8]) -> Self {
        self.0[counter] += 1;
        self.name(name);
        self.0.extend(kind.to_be_bytes());
        self.0.extend([0, 1]);
        self.0.extend(ttl.to_be_bytes());
        self.0.extend((data.len() as u16).to_be_bytes());
        self.0.extend(data);
        self
    }

    fn name(&mut self, name: &str) {
        self.0.extend(labels(name));
    }
}

/// A name as it is written.
pub fn labels(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(label.len() as u8);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}
