//! Who the plug is on its network, as a machine without socket and clock.
//!
//! ```text
//!             address                  3 questions, nobody objects          2 announcements
//!   Silent ------------> Probing ---------------------------------> Announcing ------------> Held
//!                        ^  ^  |                                        |                     |
//!                        |  |  | somebody has the name: the next one    | somebody says       |
//!                        |  +--+ a rival comes first: 1 s later         | something else      |
//!                        +----------------------------------------------+---------------------+
//! ```
//!
//! The names of the host and of its two services are one choice: `ossp-a1b2`, and where somebody has one of them,
//! `ossp-a1b2-2` for all. Nothing is stored: after a restart the first choice is tried first.

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;

use heapless::String;

use super::records::{
    ALL, Facts, ITEMS, Item, Plain, Set, UNIQUE, Voice, Writer, chosen, of_use_with, those,
};
use super::wire::{A, ANY, Entry, GROUP, HEAD, IN, Message, NSEC, PORT, SRV, Section, TOP, TXT};
use crate::limits;
use crate::platform::Instant;

/// Between two questions whether a name is taken, and how many there are (RFC 6762 §8.1).
const PROBE_INTERVAL: Duration = Duration::from_millis(250);
const PROBES: u8 = 3;
/// Between two announcements, and how many there are (RFC 6762 §8.3).
const ANNOUNCE_INTERVAL: Duration = Duration::from_secs(1);
const ANNOUNCEMENTS: u8 = 2;
/// Before a name is asked for again which a rival asked for at the same time (RFC 6762 §8.2).
const GIVE_WAY: Duration = Duration::from_secs(1);
/// From so many names that were taken on, each attempt waits so long (RFC 6762 §8.1).
const MANY: u8 = 15;
const MANY_PAUSE: Duration = Duration::from_secs(5);
/// How soon a record may be said again (RFC 6762 §6), also to whoever means to take it.
const AGAIN: Duration = Duration::from_secs(1);
const AGAIN_TO_RIVAL: Duration = Duration::from_millis(250);
/// Longest that whoever asks without belonging to the group may keep an answer, in seconds (RFC 6762 §6.7).
const STRANGER_TTL: u32 = 10;
/// A response that knows what it says (RFC 6762 §18).
const RESPONSE: u16 = 0x8400;
/// Last number behind a name.
const LAST_NUMBER: u8 = 99;

/// A label of the plug's own.
pub type Label = String<{ limits::MDNS_LABEL }>;

/// What happened.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// Where the plug is, and how it is to be called.
    Be(Option<Place<'a>>),
    /// The plug is about to leave, or is not to be found any more.
    Part,
    /// Somebody said something.
    Heard(SocketAddrV4, &'a [u8]),
    /// It is time.
    Tick,
}

/// A place on a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The name that is tried first.
    pub host: &'a str,
    /// Ours.
    pub ip: Ipv4Addr,
    /// Bits of the network part.
    pub prefix: u8,
}

/// What is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sending {
    /// Where to.
    pub to: SocketAddrV4,
    /// How much of the room was filled.
    pub length: usize,
}

const EVERYBODY: SocketAddrV4 = SocketAddrV4::new(GROUP, PORT);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nowhere.
    Silent,
    Probing {
        sent: u8,
        due: Instant,
    },
    Announcing {
        sent: u8,
        due: Instant,
    },
    Held,
}

/// Answers that wait for a moment in which several become one.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    items: Set,
    due: Instant,
    /// Whoever asked means to take the name.
    rival: bool,
    /// Who asked, if it was one alone: only what this one knows need not be said.
    asked_by: Option<SocketAddrV4>,
}

/// How something is said.
#[derive(Clone, Copy)]
enum Manner<'a> {
    /// As it is.
    Plain,
    /// It is taken back.
    Gone,
    /// To somebody who knows nothing of the group and asked this, as a name server would (RFC 6762 §6.7).
    Stranger(Message<'a>),
}

/// The machine.
pub struct Responder<'a> {
    facts: Facts<'a>,
    random: u32,
    first: Label,
    label: Label,
    number: u8,
    /// Names in a row that were taken.
    taken: u8,
    ip: Ipv4Addr,
    prefix: u8,
    phase: Phase,
    waiting: Option<Waiting>,
    /// When each record was last said to everybody.
    said: [Option<Instant>; ITEMS.len()],
}

impl<'a> Responder<'a> {
    /// Nowhere yet.
    #[must_use]
    pub fn new(facts: Facts<'a>, chance: u32) -> Self {
        Self {
            facts: Facts { version: cut(facts.version), board: cut(facts.board), ..facts },
            // Xorshift stays at 0.
            random: chance | 1,
            first: Label::new(),
            label: Label::new(),
            number: 1,
            taken: 0,
            ip: Ipv4Addr::UNSPECIFIED,
            prefix: 0,
            phase: Phase::Silent,
            waiting: None,
            said: [None; ITEMS.len()],
        }
    }

    /// The host's label once it is the plug's.
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        matches!(self.phase, Phase::Announcing { .. } | Phase::Held).then_some(&*self.label)
    }

    /// When [`Event::Tick`] is due.
    #[must_use]
    pub fn poll_at(&self) -> Option<Instant> {
        let phase = match self.phase {
            Phase::Silent | Phase::Held => None,
            Phase::Probing { due, .. } | Phase::Announcing { due, .. } => Some(due),
        };
        phase.into_iter().chain(self.waiting.map(|waiting| waiting.due)).min()
    }

    /// Takes what happened; what is to be sent is written to `out`, whose rest is filled with anything. To be called with
    /// [`Event::Tick`] until there is nothing more to be sent.
    pub fn handle(&mut self, now: Instant, event: Event<'_>, out: &mut [u8]) -> Option<Sending> {
        match event {
            Event::Be(place) => self.be(now, place),
            Event::Part => return self.part(out),
            Event::Heard(from, bytes) => {
                if let Some(sending) = self.hear(now, from, bytes, out) {
                    return Some(sending);
                }
            }
            Event::Tick => {}
        }
        self.tick(now, out)
    }

    fn be(&mut self, now: Instant, place: Option<Place<'_>>) {
        let Some(place) = place else {
            self.fall_silent();
            return;
        };
        let named = self.first == place.host;
        if named && self.phase != Phase::Silent && (self.ip, self.prefix) == (place.ip, place.prefix) {
            return;
        }
        if !named {
            self.first.clear();
            let _ = self.first.push_str(place.host);
            (self.number, self.taken) = (1, 0);
        }
        (self.ip, self.prefix) = (place.ip, place.prefix);
        self.choose();
        self.probe(now, Duration::ZERO);
    }

    fn fall_silent(&mut self) {
        (self.phase, self.waiting) = (Phase::Silent, None);
    }

    /// Takes back what was said.
    fn part(&mut self, out: &mut [u8]) -> Option<Sending> {
        let said = self.label().is_some();
        self.fall_silent();
        said.then(|| self.say(out, EVERYBODY, ALL, Manner::Gone)).flatten()
    }

    /// The name with its number.
    fn choose(&mut self) {
        self.label.clear();
        // There is room for it.
        let _ = self.label.push_str(&self.first);
        if self.number > 1 {
            let digit = |value: u8| char::from(b'0' + value % 10);
            let _ = self.label.push('-');
            if self.number > 9 {
                let _ = self.label.push(digit(self.number / 10));
            }
            let _ = self.label.push(digit(self.number));
        }
    }

    /// Asks from now on whether the name is taken; a moment later, since a whole house starts at once after an outage.
    fn probe(&mut self, now: Instant, pause: Duration) {
        let due = now.after(pause).after(self.chance(0, 250));
        (self.phase, self.waiting) = (Phase::Probing { sent: 0, due }, None);
        self.said = [None; ITEMS.len()];
    }

    fn tick(&mut self, now: Instant, out: &mut [u8]) -> Option<Sending> {
        match self.phase {
            Phase::Probing { sent: PROBES, due } if due <= now => {
                self.phase = Phase::Announcing { sent: 0, due };
                self.tick(now, out)
            }
            Phase::Probing { sent, due } if due <= now => {
                self.phase = Phase::Probing { sent: sent + 1, due: now.after(PROBE_INTERVAL) };
                self.ask(out, sent == 0)
            }
            Phase::Announcing { sent, due } if due <= now => {
                self.phase = if sent + 1 == ANNOUNCEMENTS {
                    self.taken = 0;
                    Phase::Held
                } else {
                    Phase::Announcing { sent: sent + 1, due: now.after(ANNOUNCE_INTERVAL) }
                };
                self.mark(now, ALL);
                self.say(out, EVERYBODY, ALL, Manner::Plain)
            }
            _ => self.answer(now, out),
        }
    }

    /// Says what waited.
    fn answer(&mut self, now: Instant, out: &mut [u8]) -> Option<Sending> {
        let waiting = self.waiting.take_if(|waiting| waiting.due <= now)?;
        let pause = if waiting.rival { AGAIN_TO_RIVAL } else { AGAIN };
        let items = waiting.items & !self.said_since(now, &|_| pause);
        if items == 0 {
            return None;
        }
        self.mark(now, items | of_use_with(items));
        self.say(out, EVERYBODY, items, Manner::Plain)
    }

    fn mark(&mut self, now: Instant, items: Set) {
        for (index, said) in self.said.iter_mut().enumerate() {
            if items & (1 << index) != 0 {
                *said = Some(now);
            }
        }
    }

    /// What was said within a time.
    fn said_since(&self, now: Instant, time: &dyn Fn(&Item) -> Duration) -> Set {
        those(&|index, item| {
            let said = self.said.get(index).copied().flatten();
            said.is_some_and(|said| now.since(said) < time(item))
        })
    }

    fn hear(&mut self, now: Instant, from: SocketAddrV4, bytes: &[u8], out: &mut [u8]) -> Option<Sending> {
        // Nobody from elsewhere has a say here (RFC 6762 §11), and nobody makes the plug send elsewhere.
        let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix.min(32))).unwrap_or(0);
        if self.phase == Phase::Silent || (u32::from(*from.ip()) ^ u32::from(self.ip)) & mask != 0 {
            return None;
        }
        let message = Message::parse(bytes)?;
        if message.is_response() {
            if from.port() == PORT && message.all().any(|entry| self.contradicts(&entry)) {
                self.yield_name(now);
            }
            return None;
        }
        if let Phase::Probing { sent, .. } = self.phase {
            if sent > 0 && self.comes_after(message) {
                self.probe(now, GIVE_WAY);
            }
            return None;
        }
        self.asked(now, from, message, out)
    }

    fn voice(&self) -> Voice<'_> {
        Voice { facts: self.facts, host: &self.label, ip: self.ip }
    }

    /// Whether somebody else says something else under one of our names.
    fn contradicts(&self, entry: &Entry<'_>) -> bool {
        let probing = matches!(self.phase, Phase::Probing { .. });
        let of_a_kind = match entry.kind {
            NSEC => false,
            A | TXT | SRV => true,
            _ => probing,
        };
        if entry.section == Section::Question || entry.class != IN || entry.ttl == 0 || !of_a_kind {
            return false;
        }
        let Some(own) = UNIQUE.into_iter().find(|own| own.is(entry.name, &self.label)) else { return false };
        let ours = ITEMS.iter().find(|item| item.name == own && item.kind == entry.kind);
        // What we say ourselves comes back where several share a machine.
        ours.map_or(probing, |ours| Plain::ours(ours, &self.voice()) != Plain::of(entry))
    }

    fn yield_name(&mut self, now: Instant) {
        if !matches!(self.phase, Phase::Probing { .. }) {
            // Whoever is right shows when both ask again (RFC 6762 §9).
            self.probe(now, Duration::ZERO);
            return;
        }
        self.number = if self.number < LAST_NUMBER { self.number + 1 } else { 2 };
        self.taken = self.taken.saturating_add(1);
        self.choose();
        let pause = if self.taken >= MANY { MANY_PAUSE } else { Duration::ZERO };
        self.probe(now, pause);
    }

    /// Whether somebody asks for one of our names at the same time and goes first (RFC 6762 §8.2): of the first name
    /// for which both have something else to say, the greater one does.
    fn comes_after(&self, message: Message<'_>) -> bool {
        let voice = self.voice();
        for own in UNIQUE {
            let theirs = |after: Option<&Plain>| {
                let of_name = message
                    .all()
                    .filter(|entry| entry.section == Section::Authority && own.is(entry.name, &self.label));
                least(of_name.map(|entry| Plain::of(&entry)), after)
            };
            let ours = |after: Option<&Plain>| {
                let of_name = ITEMS.iter().filter(|item| item.name == own && item.kind != NSEC);
                least(of_name.map(|item| Plain::ours(item, &voice)), after)
            };
            let (mut our, mut their) = (ours(None), theirs(None));
            if their.is_none() {
                continue;
            }
            while our == their && our.is_some() {
                (our, their) = (ours(our.as_ref()), theirs(their.as_ref()));
            }
            if our != their {
                // Who has nothing more to say comes before whoever has.
                return our < their;
            }
        }
        false
    }

    fn asked(
        &mut self,
        now: Instant,
        from: SocketAddrV4,
        message: Message<'_>,
        out: &mut [u8],
    ) -> Option<Sending> {
        let (mut items, mut known, mut rival, mut to_all, mut questions) = (0, 0, false, false, false);
        for entry in message.all() {
            match entry.section {
                Section::Question => {
                    let wanted = self.wanted(&entry);
                    items |= wanted;
                    to_all |= wanted != 0 && !entry.top;
                    questions = true;
                }
                Section::Answer => known |= self.knows(&entry),
                Section::Authority => rival = true,
                Section::Additional => {}
            }
        }
        if from.port() != PORT {
            let manner = Manner::Stranger(message);
            return (items != 0).then(|| self.say(out, from, items, manner)).flatten();
        }
        if !questions {
            // The rest of what somebody knows who asked before (RFC 6762 §7.2).
            if let Some(waiting) = &mut self.waiting
                && waiting.asked_by == Some(from)
            {
                waiting.items &= !known;
            }
            return None;
        }
        items &= !known;
        if items == 0 {
            return None;
        }
        // Whoever means to take the name is answered so that all hear it: several may share a machine.
        if !to_all && !rival && items & !self.said_since(now, &|item| quarter(item.ttl())) == 0 {
            return self.say(out, from, items, Manner::Plain);
        }
        let shared = items & those(&|_, item| !item.name.is_unique()) != 0;
        let pause = match (rival, message.is_truncated(), shared) {
            (true, ..) => Duration::ZERO,
            (_, true, _) => self.chance(400, 500),
            (_, _, true) => self.chance(20, 120),
            _ => Duration::ZERO,
        };
        let fresh = Waiting { items, due: now.after(pause), rival, asked_by: Some(from) };
        self.waiting = Some(match self.waiting {
            None => fresh,
            Some(before) => Waiting {
                items: before.items | items,
                due: before.due.min(fresh.due),
                rival: before.rival || rival,
                asked_by: fresh.asked_by.filter(|_| before.asked_by == Some(from)),
            },
        });
        None
    }

    /// What a question asks for. Of what there is not under a name that is ours alone, that there is not (RFC 6762 §6.1).
    fn wanted(&self, question: &Entry<'_>) -> Set {
        if !matches!(question.class, IN | ANY) {
            return 0;
        }
        let of_name = those(&|_, item| item.name.is(question.name, &self.label));
        let of_kind = those(&|_, item| match question.kind {
            ANY => item.kind != NSEC,
            kind => item.kind == kind,
        });
        match of_name & of_kind {
            0 => of_name & those(&|_, item| item.kind == NSEC),
            found => found,
        }
    }

    /// What whoever asks knows already, and for long enough (RFC 6762 §7.1).
    fn knows(&self, record: &Entry<'_>) -> Set {
        let said = Plain::of(record);
        those(&|_, item| {
            record.ttl >= item.ttl() / 2
                && item.kind == record.kind
                && item.name.is(record.name, &self.label)
                && Plain::ours(item, &self.voice()) == said
        })
    }

    /// The questions of RFC 6762 §8.1. The first one would like to be answered directly, which gets through better where
    /// the air is full; the others want everybody to hear it, since a direct answer may reach another program on a machine
    /// that several share.
    fn ask(&self, out: &mut [u8], directly: bool) -> Option<Sending> {
        let voice = self.voice();
        let mut writer = Writer::new(out);
        let mut claims = 0;
        head(&mut writer, 0, 0)?;
        writer.amend(4, UNIQUE.len() as u16);
        for own in UNIQUE {
            writer.name(own, &self.label)?;
            writer.number(ANY)?;
            writer.number(if directly { IN | TOP } else { IN })?;
        }
        for item in ITEMS.iter().filter(|item| item.name.is_unique() && item.kind != NSEC) {
            writer.record(item, &voice, item.ttl(), false)?;
            claims += 1;
        }
        writer.amend(8, claims);
        Some(Sending { to: EVERYBODY, length: writer.written().len() })
    }

    /// Records, with others that may be of use as far as there is room.
    fn say(&self, out: &mut [u8], to: SocketAddrV4, items: Set, manner: Manner<'_>) -> Option<Sending> {
        let mut writer = Writer::new(out);
        let (id, questions) = match manner {
            Manner::Stranger(message) => (message.id(), message.questions()),
            _ => (0, (0, &[][..])),
        };
        head(&mut writer, id, RESPONSE)?;
        // At the same place, so that names in them lead where they did.
        writer.amend(4, questions.0);
        writer.bytes(questions.1)?;
        let voice = self.voice();
        for (set, counter, needed) in [(items, 6, true), (of_use_with(items), 10, false)] {
            let mut count = 0;
            for (_, item) in chosen(set) {
                let (ttl, replaces) = match manner {
                    Manner::Plain => (item.ttl(), item.name.is_unique()),
                    Manner::Gone => (0, item.name.is_unique()),
                    Manner::Stranger(_) => (item.ttl().min(STRANGER_TTL), false),
                };
                match writer.record(item, &voice, ttl, replaces) {
                    Some(()) => count += 1,
                    None if needed => return None,
                    None => {}
                }
            }
            writer.amend(counter, count);
        }
        Some(Sending { to, length: writer.written().len() })
    }

    /// A random time, in milliseconds (Marsaglia 2003, Xorshift RNGs).
    fn chance(&mut self, from: u32, to: u32) -> Duration {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        Duration::from_millis((from + self.random % (to - from)).into())
    }
}

fn head(writer: &mut Writer<'_>, id: u16, flags: u16) -> Option<()> {
    writer.number(id)?;
    writer.number(flags)?;
    writer.bytes(&[0; HEAD - 4])
}

/// Its beginning: what is said of the plug has to fit.
fn cut(text: &str) -> &str {
    (0..=32.min(text.len())).rev().find_map(|end| text.get(..end)).unwrap_or("")
}

/// A quarter of the time for which a record holds.
const fn quarter(ttl: u32) -> Duration {
    Duration::from_secs(ttl as u64 / 4)
}

/// The least one after another.
fn least(all: impl Iterator<Item = Plain>, after: Option<&Plain>) -> Option<Plain> {
    all.filter(|plain| after.is_none_or(|after| plain > after)).min()
}
