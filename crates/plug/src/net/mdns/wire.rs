//! DNS messages as multicast DNS has them (RFC 1035 §4, RFC 6762 §18), read without trust: names may point anywhere,
//! lengths may be anything. A message that does not hold together is none.

use core::net::Ipv4Addr;

/// Where multicast DNS is spoken (RFC 6762 §3).
pub const PORT: u16 = 5353;
/// The group that hears it.
pub const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
/// Longest message that is read: what a packet of a usual network holds (RFC 6762 §17).
pub const LONGEST: usize = 1472;

/// An IPv4 address.
pub const A: u16 = 1;
/// Another name.
pub const PTR: u16 = 12;
/// Words of a service.
pub const TXT: u16 = 16;
/// Host and port of a service.
pub const SRV: u16 = 33;
/// Which kinds of record there are of a name, and so which there are not.
pub const NSEC: u16 = 47;
/// A question for all kinds.
pub const ANY: u16 = 255;
/// The internet's class of records.
pub const IN: u16 = 1;
/// Of a record's class: it replaces what was known. Of a question's: the answer may be sent to whoever asks.
pub(super) const TOP: u16 = 0x8000;
/// Length of a message's head.
pub(super) const HEAD: usize = 12;

/// Longest name, with its lengths (RFC 1035 §2.3.4).
const NAME: usize = 255;
/// Most pointers in a name: usual are one or two, and each is work for whoever reads it.
const POINTERS: u8 = 16;

/// Where in a message something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// What is asked for.
    Question,
    /// What is answered, or what whoever asks knows already.
    Answer,
    /// What whoever asks means to claim.
    Authority,
    /// What may be of use.
    Additional,
}

/// A message that holds together.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a>(&'a [u8]);

/// A question or a record.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Where it stands.
    pub section: Section,
    /// Whose it is.
    pub name: Name<'a>,
    /// Its kind.
    pub kind: u16,
    /// Its class, without the top bit.
    pub class: u16,
    /// The class's top bit.
    pub top: bool,
    /// For how many seconds it holds; 0 takes it back.
    pub ttl: u32,
    message: &'a [u8],
    data: (usize, usize),
}

/// A name in a message.
#[derive(Clone, Copy, Debug)]
pub struct Name<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Message<'a> {
    /// `None` if it does not hold together, or is something else than a question or an answer (RFC 6762 §18.3, §18.11).
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let message = Self(bytes);
        let flags = number(bytes, 2)?;
        // Kind of the question, and error of the answer.
        if flags & 0x780f != 0 {
            return None;
        }
        let (counts, mut found) = (message.counts()?, 0_u32);
        for entry in message.entries() {
            entry?;
            found += 1;
        }
        (counts.iter().map(|count| u32::from(*count)).sum::<u32>() == found).then_some(message)
    }

    /// Number by which whoever asks knows the answer; not used in the group.
    #[must_use]
    pub fn id(self) -> u16 {
        number(self.0, 0).unwrap_or(0)
    }

    /// Whether it answers.
    #[must_use]
    pub fn is_response(self) -> bool {
        number(self.0, 2).unwrap_or(0) & 0x8000 != 0
    }

    /// Whether more of what is known follows.
    pub(super) fn is_truncated(self) -> bool {
        number(self.0, 2).unwrap_or(0) & 0x0200 != 0
    }

    /// Questions and records in their order.
    pub fn all(self) -> impl Iterator<Item = Entry<'a>> {
        self.entries().flatten()
    }

    /// How many things are asked, and how they stand in the message.
    pub(super) fn questions(self) -> (u16, &'a [u8]) {
        let (mut end, count) = (HEAD, self.counts().map_or(0, |[count, ..]| count));
        for _ in 0..count {
            // A message that was read holds together.
            end = Name::read(self.0, end).map_or(end, |(_, behind)| behind + 4);
        }
        (count, self.0.get(HEAD..end).unwrap_or(&[]))
    }

    fn counts(self) -> Option<[u16; 4]> {
        let at = |index: usize| number(self.0, 4 + 2 * index);
        Some([at(0)?, at(1)?, at(2)?, at(3)?])
    }

    /// Ends behind the first that does not hold together.
    fn entries(self) -> impl Iterator<Item = Option<Entry<'a>>> {
        let mut left = self.counts().unwrap_or_default();
        let mut at = HEAD;
        core::iter::from_fn(move || {
            let sections = [Section::Question, Section::Answer, Section::Authority, Section::Additional];
            let (left, section) = left.iter_mut().zip(sections).find(|(left, _)| **left > 0)?;
            *left -= 1;
            let entry = Entry::read(self.0, at, section);
            // What does not hold together is found out before anything is done with it.
            at = entry.map_or(usize::MAX, |(_, end)| end);
            Some(entry.map(|(entry, _)| entry))
        })
        .scan(false, |ended, entry| {
            let over = *ended;
            *ended = entry.is_none();
            (!over).then_some(entry)
        })
    }
}

impl<'a> Entry<'a> {
    fn read(message: &'a [u8], at: usize, section: Section) -> Option<(Self, usize)> {
        let (name, at) = Name::read(message, at)?;
        let (kind, class) = (number(message, at)?, number(message, at + 2)?);
        let (ttl, data) = if section == Section::Question {
            (0, (at + 4, at + 4))
        } else {
            let [high, low] = [number(message, at + 4)?, number(message, at + 6)?];
            let start = at + 10;
            (u32::from(high) << 16 | u32::from(low), (start, start + usize::from(number(message, at + 8)?)))
        };
        let (top, class) = (class & TOP != 0, class & !TOP);
        let entry = Self { section, name, kind, class, top, ttl, message, data };
        (data.1 <= message.len()).then_some((entry, data.1))
    }

    /// What it says, names in it as they stand.
    #[must_use]
    pub fn data(&self) -> &'a [u8] {
        self.message.get(self.data.0..self.data.1).unwrap_or(&[])
    }

    /// Where the name in what it says begins, if there is one, and the name.
    fn target_at(&self) -> Option<(usize, Name<'a>)> {
        let fixed = match self.kind {
            PTR => 0,
            SRV => 6,
            _ => return None,
        };
        let (name, end) = Name::read(self.message, self.data.0 + fixed)?;
        (end == self.data.1).then_some((fixed, name))
    }

    /// The name that it leads to.
    #[must_use]
    pub fn target(&self) -> Option<Name<'a>> {
        self.target_at().map(|(_, name)| name)
    }

    /// Gives what it says piece by piece, names written out.
    pub(super) fn written_out(&self, mut take: impl FnMut(&[u8])) {
        match self.target_at() {
            None => take(self.data()),
            Some((fixed, name)) => {
                take(self.data().get(..fixed).unwrap_or(&[]));
                for label in name.labels() {
                    take(&[u8::try_from(label.len()).unwrap_or(u8::MAX)]);
                    take(label);
                }
                take(&[0]);
            }
        }
    }
}

/// What stands at a place in a name.
enum Step<'a> {
    Label(&'a [u8], usize),
    Elsewhere(usize),
    End,
}

impl<'a> Name<'a> {
    /// A whole name and where it ends.
    fn read(message: &'a [u8], at: usize) -> Option<(Self, usize)> {
        let (mut place, mut lowest, mut end, mut length, mut pointers) = (at, at, None, 1, 0);
        loop {
            match step(message, place)? {
                Step::End => return Some((Self { message, at }, end.unwrap_or(place + 1))),
                Step::Label(label, next) => {
                    length += label.len() + 1;
                    if length > NAME {
                        return None;
                    }
                    place = next;
                }
                Step::Elsewhere(target) => {
                    // Always further to the front: it cannot go round.
                    pointers += 1;
                    if target >= lowest || pointers > POINTERS {
                        return None;
                    }
                    end.get_or_insert(place + 2);
                    (place, lowest) = (target, target);
                }
            }
        }
    }

    /// Its parts.
    pub fn labels(self) -> impl Iterator<Item = &'a [u8]> {
        let mut place = self.at;
        // A name that was read ends.
        core::iter::from_fn(move || {
            loop {
                match step(self.message, place)? {
                    Step::End => return None,
                    Step::Label(label, next) => {
                        place = next;
                        return Some(label);
                    }
                    Step::Elsewhere(target) => place = target,
                }
            }
        })
    }
}

fn step(message: &[u8], at: usize) -> Option<Step<'_>> {
    let first = *message.get(at)?;
    match first >> 6 {
        0 if first == 0 => Some(Step::End),
        0 => {
            let next = at + 1 + usize::from(first);
            message.get(at + 1..next).map(|label| Step::Label(label, next))
        }
        3 => number(message, at).map(|pointer| Step::Elsewhere(usize::from(pointer & 0x3fff))),
        _ => None,
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u16> {
    let end = at.checked_add(2)?;
    bytes.get(at..end)?.try_into().ok().map(u16::from_be_bytes)
}
