//! A ring of sectors with rows in it, oldest first; the oldest sector makes room.
//!
//! Glossary: a sector's *sequence* counts all sectors ever begun, from 1, and says where it lies: sequence mod number of
//! sectors. Slot 0 of a sector is its head, slots 1 to 127 are rows and bases (`record.rs`). A sector is erased when it is
//! needed, never ahead: nobody waits for a row, since the readings go on being gathered meanwhile.
//!
//! ```text
//!            strike out              erase                mark              head
//!   oldest ------------> struck out -------> blank ------------> clean ------------> newest
//!     cut here: it does not count, and the next start does all of this again with it
//! ```
//! A record that the power cut short keeps its slot. Each start begins with a base of its own, as does each row that
//! cannot be told against the base before it.

use embedded_storage_async::nor_flash::NorFlash;
use heapless::Deque;

use super::HistoryError;
use super::record::{
    BODY, Based, Head, Item, LAST_SEQUENCE, RECORD, Record, encode_base, encode_row, tenths,
};
use super::row::Row;
use super::walk::{Offsets, Spots, Walker};
use crate::storage::layout::SECTOR;
use crate::storage::sector::{Words, erase, mark, strike_out};

/// The last slot of a sector.
pub(super) const LAST_SLOT: u8 = (SECTOR / RECORD - 1) as u8;
/// Slots or sectors that are tried for one row before the flash counts as worn out.
const ATTEMPTS: u32 = 3;
/// A row that is so much earlier than the newest one says that the clock was put back. Less is a clock that two starts
/// took from different places.
const PUT_BACK_S: u32 = 60;
/// How often the clock was put back, of all that the ring still holds, as far as anybody remembers.
const PUT_BACKS: usize = 4;

/// The order of rows that no clock can change: start and tenths of a second after it.
pub(super) type Key = (u32, u32);

/// Where the ring goes on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tail {
    pub(super) head: Head,
    /// The base in force.
    pub(super) based: Based,
    /// The next slot; one more than [`LAST_SLOT`] if the sector is full.
    pub(super) slot: u8,
}

/// What is known of the ring's end.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct End {
    /// `None`: nothing was ever written.
    pub(super) tail: Option<Tail>,
    /// The newest row.
    pub(super) newest: Key,
    /// The newest start, even if no row of it was written.
    pub(super) boot: u32,
    /// The newest time.
    pub(super) newest_time: Option<u32>,
}

/// The ring. One operation at a time; dropping the future of one that writes is like a power cut in it.
pub(super) struct Ring<F> {
    pub(super) flash: F,
    pub(super) end: Option<End>,
    /// Sectors at whose beginning the clock was put back, and to when.
    pub(super) put_backs: Deque<(u32, u32), PUT_BACKS>,
    pub(super) offsets: Offsets,
    pub(super) spots: Spots,
    /// Rows after this time are still wanted by the uplink.
    pub(super) wanted_after: Option<u32>,
    /// Rows that made room and were still wanted.
    pub(super) dropped: u32,
}

impl<F: NorFlash> Ring<F> {
    /// A ring in all of `flash`, of which nothing is known yet.
    pub(super) fn new(flash: F) -> Self {
        Self {
            flash,
            end: None,
            put_backs: Deque::new(),
            offsets: Offsets::new(),
            spots: Spots::new(),
            wanted_after: None,
            dropped: 0,
        }
    }

    pub(super) fn sectors(&self) -> u32 {
        (self.flash.capacity() as u32 / SECTOR).max(1)
    }

    /// The oldest sequence that can still be there.
    pub(super) fn oldest(&self, newest: u32) -> u32 {
        (newest + 1).saturating_sub(self.sectors()).max(1)
    }

    /// Where the ring goes on, as far as it was looked for.
    pub(super) fn tail(&self) -> Option<Tail> {
        self.end.and_then(|end| end.tail)
    }

    fn address(&self, sequence: u32) -> u32 {
        sequence % self.sectors() * SECTOR
    }

    /// Reads what lies at `slot` of a sector.
    async fn record(&mut self, sequence: u32, slot: u8) -> Result<Record, HistoryError> {
        let mut record = Words([0; RECORD as usize]);
        let at = self.address(sequence) + u32::from(slot) * RECORD;
        self.flash.read(at, &mut record.0).await.map_err(|_| HistoryError::Flash)?;
        Ok(record)
    }

    /// Reads 16 slots, of which `group` is the number.
    pub(super) async fn group(
        &mut self,
        sequence: u32,
        group: u8,
        bytes: &mut [u8],
    ) -> Result<(), HistoryError> {
        let at = self.address(sequence) + u32::from(group) * bytes.len() as u32;
        self.flash.read(at, bytes).await.map_err(|_| HistoryError::Flash)
    }

    /// The head of the sector with this sequence, if it is there.
    pub(super) async fn head(&mut self, sequence: u32) -> Result<Option<Head>, HistoryError> {
        let record = self.record(sequence, 0).await?;
        Ok(Head::decode(&record).filter(|head| head.sequence == sequence))
    }

    /// The end; looked for where it is not known.
    ///
    /// # Errors
    /// If the flash cannot be read, or there is no memory.
    pub(super) async fn end(&mut self) -> Result<End, HistoryError> {
        if let Some(end) = self.end {
            return Ok(end);
        }
        self.forget();
        let mut newest: Option<Head> = None;
        for sector in 0..self.sectors() {
            let head = Head::decode(&self.record(sector, 0).await?);
            let head = head.filter(|head| head.sequence % self.sectors() == sector);
            newest = newest.into_iter().chain(head).max_by_key(|head| head.sequence);
        }
        let mut end = End::default();
        if let Some(head) = newest {
            end = self.survey(head).await?;
        }
        self.end = Some(end);
        Ok(end)
    }

    fn forget(&mut self) {
        self.put_backs.clear();
        self.learned();
    }

    /// A start may know its time from here on: rows that were passed over without one may be wanted now.
    fn learned(&mut self) {
        self.offsets.clear();
        self.spots.clear();
    }

    /// Reads the newest sector to its end, and looks for what the heads of the others say of the clock.
    async fn survey(&mut self, head: Head) -> Result<End, HistoryError> {
        let newest = head.sequence;
        for sequence in self.oldest(newest)..=newest {
            if let Some(head) = self.head(sequence).await?.filter(|head| head.put_back)
                && let Some(time) = head.based.base.time
            {
                self.note_put_back(sequence, time);
            }
        }
        let tail = Tail { head, based: head.based, slot: LAST_SLOT + 1 };
        let mut end = End { tail: Some(tail), boot: head.based.base.boot, ..End::default() };
        // As if it were full, to see all slots.
        self.end = Some(end);
        let mut walker = Walker::begin(&head)?;
        while let Some(found) = walker.next(self).await? {
            if let Item::Base(based) = found.item {
                end.tail = Some(Tail { based, ..tail });
                end.boot = end.boot.max(based.base.boot);
            }
        }
        if let Some(tail) = &mut end.tail {
            tail.slot = walker.last_used() + 1;
        }
        self.end = Some(end);
        (end.newest, end.newest_time) = self.newest(newest).await?;
        Ok(end)
    }

    fn note_put_back(&mut self, sequence: u32, time: u32) {
        crate::state::keep(&mut self.put_backs, (sequence, time));
    }

    /// Before which time a row in this sector counts: the clock may have been put back to it later.
    pub(super) fn limit(&self, sequence: u32) -> u32 {
        let later = self.put_backs.iter().filter(|(later, _)| *later > sequence);
        later.map(|(_, time)| *time).min().unwrap_or(u32::MAX)
    }

    /// Writes a row behind all others. A power cut in it leaves the ring with or without it.
    ///
    /// # Errors
    /// If the flash fails, or there is no memory; the row is then not kept, or not for sure.
    pub(super) async fn append(&mut self, row: &Row) -> Result<(), HistoryError> {
        let end = self.end().await?;
        // Until all is done, nothing is known for sure.
        self.end = None;
        let put_back = match (row.time, end.newest_time) {
            (Some(time), Some(newest)) => time.saturating_add(PUT_BACK_S) < newest,
            _ => false,
        };
        let mut tail = match end.tail {
            Some(tail) if !put_back => tail,
            _ => self.begin_sector(end, row, put_back).await?,
        };
        for _ in 0..ATTEMPTS {
            if let Some(tail) = self.try_append(&mut tail, row).await? {
                let newest_time = if put_back { row.time } else { row.time.max(end.newest_time) };
                self.end = Some(End { tail: Some(tail), newest: key_of(row), newest_time, boot: row.boot });
                return Ok(());
            }
            if tail.slot > LAST_SLOT {
                tail = self.begin_sector(End { tail: Some(tail), ..end }, row, false).await?;
            }
        }
        self.end = Some(End { tail: Some(tail), ..end });
        Err(HistoryError::Flash)
    }

    /// Writes a base where one is needed, and the row. `None` if there is no room, or a slot did not keep it; `tail`
    /// then is behind that slot.
    async fn try_append(&mut self, tail: &mut Tail, row: &Row) -> Result<Option<Tail>, HistoryError> {
        let mut record = Words([0; RECORD as usize]);
        if !encode_row(row, &tail.based, tail.slot, &mut record) {
            if tail.slot >= LAST_SLOT {
                tail.slot = LAST_SLOT + 1;
                return Ok(None);
            }
            let based = encode_base(row, &tail.head, tail.slot, &mut record);
            let kept = self.put(tail, &record).await?;
            tail.slot += 1;
            if !kept {
                return Ok(None);
            }
            self.learned();
            tail.based = based;
        }
        if tail.slot > LAST_SLOT || !encode_row(row, &tail.based, tail.slot, &mut record) {
            return Ok(None);
        }
        let kept = self.put(tail, &record).await?;
        tail.slot += 1;
        Ok(kept.then_some(*tail))
    }

    /// Writes a record into the tail's slot, its last word last; whether it reads back.
    async fn put(&mut self, tail: &Tail, record: &Record) -> Result<bool, HistoryError> {
        let at = self.address(tail.head.sequence) + u32::from(tail.slot) * RECORD;
        self.write(at, record).await?;
        Ok(self.record(tail.head.sequence, tail.slot).await?.0 == record.0)
    }

    async fn write(&mut self, at: u32, record: &Record) -> Result<(), HistoryError> {
        let (body, word) = record.0.split_at(BODY);
        self.flash.write(at, body).await.map_err(|_| HistoryError::Flash)?;
        self.flash.write(at + BODY as u32, word).await.map_err(|_| HistoryError::Flash)
    }

    /// Begins the next sector, with `row` as its base.
    async fn begin_sector(&mut self, end: End, row: &Row, put_back: bool) -> Result<Tail, HistoryError> {
        let before = end.tail.map_or(0, |tail| tail.head.sequence);
        for sequence in before.saturating_add(1)..=before.saturating_add(ATTEMPTS).min(LAST_SEQUENCE) {
            self.count_wanted(sequence, end).await?;
            let at = self.address(sequence);
            strike_out(&mut self.flash, at).await?;
            erase(&mut self.flash, at).await?;
            mark(&mut self.flash, at).await?;
            let head = Head::new(sequence, row, put_back);
            let mut record = Words([0; RECORD as usize]);
            head.encode(&mut record);
            self.write(at, &record).await?;
            self.learned();
            if self.head(sequence).await? == Some(head) {
                if let Some(time) = row.time.filter(|_| put_back) {
                    self.note_put_back(sequence, time);
                }
                return Ok(Tail { head, based: head.based, slot: 1 });
            }
        }
        Err(HistoryError::Flash)
    }

    /// Counts the rows that make room for a new sector and are still wanted.
    async fn count_wanted(&mut self, sequence: u32, end: End) -> Result<(), HistoryError> {
        let Some(wanted_after) = self.wanted_after else { return Ok(()) };
        let Some(old) = sequence.checked_sub(self.sectors()) else { return Ok(()) };
        let Some(head) = self.head(old).await? else { return Ok(()) };
        self.end = Some(end);
        let mut walker = Walker::begin(&head)?;
        while let Some(found) = walker.next(self).await?.filter(|found| found.sequence == old) {
            if let Item::Row(row) = found.item
                && self.time_of(&row, old).await?.is_some_and(|time| time > wanted_after)
            {
                self.dropped = self.dropped.saturating_add(1);
            }
        }
        self.end = None;
        Ok(())
    }
}

pub(super) fn key_of(row: &Row) -> Key {
    (row.boot, tenths(row.uptime_s))
}
