//! The ledger itself: pure, in RAM, bounded. It takes memory only for what there was.
//!
//! Destinations are few and known by host, port and purpose; of each there are hours, counted from the plug's start. What
//! does not fit any more goes, the oldest first, and leaves a count behind.

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::time::Duration;

use super::purpose::{Outcome, Place};
use crate::limits;
use crate::platform::Instant;

/// Hours for which a destination asks memory at once: not each hour, and never much more than it needs.
const HOURS_STEP: usize = 12;
/// The same of connections.
const CONNECTIONS_STEP: usize = 10;

/// One connection that ended, as the gate tells it.
#[derive(Clone, Debug)]
pub struct Record {
    /// Where it went.
    pub place: Rc<Place>,
    /// When it began, in the plug's time.
    pub began: Instant,
    /// How long it took, in the network's time.
    pub took: Duration,
    /// What was sent, without the network's own overhead. Of a lookup the network itself counts nothing.
    pub bytes_out: u32,
    /// What came back.
    pub bytes_in: u32,
    /// What became of it.
    pub outcome: Outcome,
    /// The beginning of what was sent, if it was shown to the gate; secrets are masked.
    pub body: Option<Kept>,
}

/// The beginning of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// As it was sent, but for secrets.
    pub bytes: Vec<u8>,
    /// There was more.
    pub cut: bool,
}

/// One connection, as it is kept.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Counts connections since the start, from 1.
    pub number: u32,
    place: Rc<Place>,
    /// In tenths of a second since the start: for 13 years.
    began: u32,
    took_ms: u32,
    /// What was sent.
    pub bytes_out: u32,
    /// What came back.
    pub bytes_in: u32,
    /// What became of it.
    pub outcome: Outcome,
}

impl Entry {
    /// Where it went.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// When it began, in seconds after the start.
    #[must_use]
    pub fn uptime_s(&self) -> f64 {
        f64::from(self.began) / 10.0
    }

    /// How long it took, in seconds.
    #[must_use]
    pub fn took_s(&self) -> f64 {
        f64::from(self.took_ms) / 1000.0
    }
}

/// What was sent with one of the last connections that had a body.
#[derive(Clone, Debug)]
pub struct Body {
    /// The connection.
    pub entry: Entry,
    /// What is kept of it.
    pub kept: Kept,
}

/// What went to a destination in an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hour {
    /// Which hour since the start; those after seven years are one.
    hour: u16,
    /// Connections; no more are counted than there is room for.
    pub count: u16,
    /// Those of them that did not do what they were for.
    pub failed: u16,
    /// In two halves, so that an hour takes 14 bytes.
    bytes_out: [u16; 2],
    bytes_in: [u16; 2],
}

impl Hour {
    const fn new(hour: u16) -> Self {
        Self { hour, count: 0, failed: 0, bytes_out: [0; 2], bytes_in: [0; 2] }
    }

    fn add(&mut self, record: &Record) {
        self.count = self.count.saturating_add(1);
        self.failed = self.failed.saturating_add(u16::from(record.outcome != Outcome::Ok));
        self.bytes_out = halves(self.bytes_out().saturating_add(record.bytes_out));
        self.bytes_in = halves(self.bytes_in().saturating_add(record.bytes_in));
    }

    /// When it begins, in seconds after the start.
    #[must_use]
    pub fn uptime_s(&self) -> u32 {
        u32::from(self.hour) * 3600
    }

    /// What was sent.
    #[must_use]
    pub fn bytes_out(&self) -> u32 {
        whole(self.bytes_out)
    }

    /// What came back.
    #[must_use]
    pub fn bytes_in(&self) -> u32 {
        whole(self.bytes_in)
    }
}

const fn halves(number: u32) -> [u16; 2] {
    [(number >> 16) as u16, number as u16]
}

fn whole([high, low]: [u16; 2]) -> u32 {
    u32::from(high) << 16 | u32::from(low)
}

/// Somebody whom the plug contacted.
#[derive(Clone, Debug)]
pub struct Destination {
    /// Counts them, from 1.
    pub number: u32,
    place: Rc<Place>,
    hours: VecDeque<Hour>,
    /// Number of its newest connection.
    newest: u32,
}

impl Destination {
    /// Who.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What went there, oldest first; hours without a connection are not in it.
    pub fn hours(&self) -> impl Iterator<Item = &Hour> {
        self.hours.iter()
    }

    fn oldest_hour(&self) -> Option<u16> {
        self.hours.front().map(|hour| hour.hour)
    }

    fn drop_oldest_hour(&mut self) {
        self.hours.pop_front();
        if self.hours.is_empty() {
            self.hours = VecDeque::new();
        }
    }
}

/// All connections together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// How many.
    pub connections: u32,
    /// Those of them that did not do what they were for.
    pub failed: u32,
    /// What was sent.
    pub bytes_out: u64,
    /// What came back.
    pub bytes_in: u64,
}

/// All that left the plug since its start.
#[derive(Debug, Default)]
pub struct Ledger {
    destinations: Vec<Destination>,
    connections: VecDeque<Entry>,
    bodies: VecDeque<Body>,
    sums: Sums,
    /// Destinations that there ever were.
    numbers: u32,
    /// Hours that went before their week was over, and destinations.
    dropped_hours: u32,
    forgotten: u32,
}

impl Ledger {
    /// Nothing left.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            destinations: Vec::new(),
            connections: VecDeque::new(),
            bodies: VecDeque::new(),
            sums: Sums { connections: 0, failed: 0, bytes_out: 0, bytes_in: 0 },
            numbers: 0,
            dropped_hours: 0,
            forgotten: 0,
        }
    }

    /// Takes down what ended. Without memory, parts of it are lost: what leaves does not wait for it.
    pub fn note(&mut self, record: Record) {
        let Some(place) = self.add(&record) else { return };
        let tenths = record.began.since_start().as_millis() / 100;
        let entry = Entry {
            number: self.sums.connections,
            place,
            began: u32::try_from(tenths).unwrap_or(u32::MAX),
            took_ms: u32::try_from(record.took.as_millis()).unwrap_or(u32::MAX),
            bytes_out: record.bytes_out,
            bytes_in: record.bytes_in,
            outcome: record.outcome,
        };
        if let Some(kept) = record.body {
            let body = Body { entry: entry.clone(), kept };
            keep(&mut self.bodies, body, limits::LEDGER_BODIES, limits::LEDGER_BODIES);
        }
        keep(&mut self.connections, entry, limits::LEDGER_CONNECTIONS, CONNECTIONS_STEP);
    }

    /// Takes down in sums and hours, and not one by one, what anybody on the network can cause: it would take the place of
    /// what the plug does by itself.
    pub fn note_often(&mut self, record: &Record) {
        self.add(record);
    }

    fn add(&mut self, record: &Record) -> Option<Rc<Place>> {
        self.sums.connections = self.sums.connections.saturating_add(1);
        self.sums.failed = self.sums.failed.saturating_add(u32::from(record.outcome != Outcome::Ok));
        self.sums.bytes_out = self.sums.bytes_out.saturating_add(record.bytes_out.into());
        self.sums.bytes_in = self.sums.bytes_in.saturating_add(record.bytes_in.into());
        self.forget_old(record.began);
        self.count(record)
    }

    /// Lets go of the hours that are over a week old.
    pub fn forget_old(&mut self, now: Instant) {
        let oldest = hour_of(now).saturating_sub(limits::LEDGER_HOURS - 1);
        for destination in &mut self.destinations {
            while destination.oldest_hour().is_some_and(|hour| hour < oldest) {
                destination.drop_oldest_hour();
            }
        }
    }

    /// Destinations, in the order in which they came.
    #[must_use]
    pub fn destinations(&self) -> &[Destination] {
        &self.destinations
    }

    /// The last connections, newest first.
    pub fn connections(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.connections.iter().rev()
    }

    /// The last bodies, newest first.
    pub fn bodies(&self) -> impl ExactSizeIterator<Item = &Body> {
        self.bodies.iter().rev()
    }

    /// All that ever left.
    #[must_use]
    pub fn sums(&self) -> Sums {
        self.sums
    }

    /// Hours that had to go before their week was over.
    #[must_use]
    pub fn dropped_hours(&self) -> u32 {
        self.dropped_hours
    }

    /// Destinations that had to make room for others.
    #[must_use]
    pub fn forgotten(&self) -> u32 {
        self.forgotten
    }

    /// Hours and connections, as many as there are now.
    #[must_use]
    pub fn row_count(&self) -> u32 {
        let hours: usize = self.destinations.iter().map(|destination| destination.hours.len()).sum();
        u32::try_from(hours + self.connections.len()).unwrap_or(u32::MAX)
    }

    /// Counts it where it belongs; `None` without memory.
    fn count(&mut self, record: &Record) -> Option<Rc<Place>> {
        let hour = hour_of(record.began);
        let newest = self.sums.connections;
        let at = self.place(&record.place)?;
        let destination = self.destinations.get_mut(at)?;
        destination.newest = newest;
        let place = destination.place.clone();
        // What began earlier ends later now and then, and belongs to the hour in which it began.
        match destination.hours.binary_search_by_key(&hour, |hour| hour.hour) {
            Ok(there) => destination.hours.get_mut(there)?.add(record),
            Err(there) => {
                if reserve(&mut destination.hours, HOURS_STEP) {
                    let mut first = Hour::new(hour);
                    first.add(record);
                    destination.hours.insert(there, first);
                } else {
                    self.dropped_hours = self.dropped_hours.saturating_add(1);
                }
                self.bound_hours();
            }
        }
        Some(place)
    }

    /// Where a destination stands; a new one takes the place of the one that was longest not contacted.
    fn place(&mut self, place: &Rc<Place>) -> Option<usize> {
        let known = self.destinations.iter().position(|destination| destination.place == *place);
        if known.is_some() {
            return known;
        }
        if self.destinations.len() >= limits::LEDGER_DESTINATIONS {
            let (least, _) =
                self.destinations.iter().enumerate().min_by_key(|(_, destination)| destination.newest)?;
            self.destinations.remove(least);
            self.forgotten = self.forgotten.saturating_add(1);
        }
        self.destinations.try_reserve_exact(1).ok()?;
        self.numbers = self.numbers.saturating_add(1);
        let (number, place) = (self.numbers, place.clone());
        self.destinations.push(Destination { number, place, hours: VecDeque::new(), newest: 0 });
        Some(self.destinations.len() - 1)
    }

    /// All hours together take no more than their memory.
    fn bound_hours(&mut self) {
        let all: usize = self.destinations.iter().map(|destination| destination.hours.len()).sum();
        if all <= limits::LEDGER_ALL_HOURS {
            return;
        }
        let oldest = self.destinations.iter_mut().min_by_key(|destination| {
            // Of several the one that has most of them.
            (destination.oldest_hour().unwrap_or(u16::MAX), usize::MAX - destination.hours.len())
        });
        if let Some(destination) = oldest {
            destination.drop_oldest_hour();
            self.dropped_hours = self.dropped_hours.saturating_add(1);
        }
    }
}

fn hour_of(moment: Instant) -> u16 {
    u16::try_from(moment.since_start().as_secs() / 3600).unwrap_or(u16::MAX)
}

/// Makes room for one more; `false` without memory.
fn reserve<T>(list: &mut VecDeque<T>, step: usize) -> bool {
    list.len() < list.capacity() || list.try_reserve_exact(step).is_ok()
}

/// Adds at the back; drops the front where there are `most`. Without memory it is lost.
fn keep<T>(list: &mut VecDeque<T>, item: T, most: usize, step: usize) {
    while list.len() >= most {
        list.pop_front();
    }
    if reserve(list, step) {
        list.push_back(item);
    }
}
