//! Finding rows in a ring, and the times of those that were written before their start knew the time.

use embedded_storage_async::nor_flash::NorFlash;
use heapless::{Vec, VecView};

use super::HistoryError;
use super::merge::joined;
use super::record::{Base, Based, Head, Item, RECORD, decode, tenths};
use super::ring::{Key, LAST_SLOT, Ring, key_of};
use super::row::{Row, Unplaced};
use crate::storage::sector::{BUFFER, Buffer, ERASED, Words};

/// Slots that are read at once.
const GROUP: u8 = (BUFFER / RECORD as usize) as u8;
/// Starts whose offset is remembered.
const OFFSETS: usize = 4;
/// Starts without a time that are told.
const UNPLACED: usize = 16;
/// Places where somebody left off reading: the uplink and the web.
const SPOTS: usize = 2;

/// Where reading goes on: this slot, behind this base.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    sequence: u32,
    slot: u8,
    based: Based,
}

/// From where rows are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    /// Rows with a later time.
    Time(u32),
    /// Rows that were written later.
    Key(Key),
}

/// Offsets of starts, in tenths of a second: Unix time at their beginning. `None`: never learned.
pub(super) struct Offsets(Vec<(u32, Option<i64>), OFFSETS>);

impl Offsets {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

/// Where those who read left off.
pub(super) struct Spots(Vec<(After, Spot), SPOTS>);

impl Spots {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    fn take(&mut self, after: After) -> Option<Spot> {
        let index = self.0.iter().position(|(known, _)| *known == after)?;
        Some(self.0.remove(index).1)
    }

    fn put(&mut self, after: After, spot: Spot) {
        self.take(after);
        if self.0.is_full() {
            self.0.remove(0);
        }
        // There is room by now.
        let _ = self.0.push((after, spot));
    }
}

/// Something that was found, and where.
pub(super) struct Found {
    pub(super) sequence: u32,
    pub(super) item: Item,
    spot: Spot,
}

/// Goes from record to record.
pub(super) struct Walker {
    head: Option<Head>,
    spot: Spot,
    buffer: Buffer,
    /// What the buffer holds.
    loaded: Option<(u32, u8)>,
    last_used: u8,
}

impl Walker {
    /// At the beginning of the sector with this head.
    pub(super) fn begin(head: &Head) -> Result<Self, HistoryError> {
        Self::at(head, Spot { sequence: head.sequence, slot: 1, based: head.based })
    }

    fn at(head: &Head, spot: Spot) -> Result<Self, HistoryError> {
        let buffer = Buffer::new::<()>().map_err(|_| HistoryError::NoMemory)?;
        Ok(Self { head: Some(*head), spot, buffer, loaded: None, last_used: 0 })
    }

    /// Goes on with the next sector.
    const fn skip_sector(&mut self) {
        self.spot.slot = LAST_SLOT + 1;
    }

    /// The last slot of the sector in which anything was written, as far as it was seen.
    pub(super) const fn last_used(&self) -> u8 {
        self.last_used
    }

    /// The next row or base; `None` behind the newest.
    pub(super) async fn next<F: NorFlash>(
        &mut self,
        ring: &mut Ring<F>,
    ) -> Result<Option<Found>, HistoryError> {
        let Some(tail) = ring.tail() else { return Ok(None) };
        loop {
            let newest = self.spot.sequence >= tail.head.sequence;
            let end = if newest { tail.slot } else { LAST_SLOT + 1 };
            match self.head.filter(|_| self.spot.slot < end) {
                None if newest => return Ok(None),
                None => {
                    self.spot.sequence += 1;
                    self.spot.slot = 1;
                    self.head = ring.head(self.spot.sequence).await?;
                    if let Some(head) = self.head {
                        self.spot.based = head.based;
                    }
                }
                Some(head) => {
                    let spot = self.spot;
                    self.spot.slot += 1;
                    if let Some(item) = self.read(ring, &head, spot).await? {
                        if let Item::Base(based) = item {
                            self.spot.based = based;
                        }
                        return Ok(Some(Found { sequence: spot.sequence, item, spot }));
                    }
                }
            }
        }
    }

    async fn read<F: NorFlash>(
        &mut self,
        ring: &mut Ring<F>,
        head: &Head,
        spot: Spot,
    ) -> Result<Option<Item>, HistoryError> {
        let group = spot.slot / GROUP;
        if self.loaded != Some((spot.sequence, group)) {
            self.loaded = None;
            ring.group(spot.sequence, group, &mut self.buffer).await?;
            self.loaded = Some((spot.sequence, group));
        }
        let at = usize::from(spot.slot % GROUP) * RECORD as usize;
        let bytes = self.buffer.get(at..).and_then(|bytes| bytes.first_chunk());
        let Some(record) = bytes.map(|bytes| Words(*bytes)) else { return Ok(None) };
        if record.0.iter().any(|byte| *byte != 0xff) {
            self.last_used = spot.slot;
        }
        if record.0.ends_with(&ERASED) {
            return Ok(None);
        }
        Ok(decode(&record, head, &spot.based, spot.slot))
    }
}

impl<F: NorFlash> Ring<F> {
    /// Puts the first rows behind `after` into `rows`, with their times where these are known; with [`After::Time`] only
    /// rows with a time up to `until`, in rising order, and of two windows of different starts with the same end one is
    /// made.
    ///
    /// # Errors
    /// If the flash cannot be read, or there is no memory.
    pub(super) async fn read(
        &mut self,
        after: After,
        until: u32,
        rows: &mut VecView<Row>,
    ) -> Result<(), HistoryError> {
        rows.clear();
        let newest = self.end().await?.newest_time;
        if matches!(after, After::Time(after) if newest.is_none_or(|newest| newest <= after)) {
            return Ok(());
        }
        let Some(mut walker) = self.seek(after).await? else { return Ok(()) };
        let mut left_off = None;
        while let Some(found) = walker.next(self).await? {
            let Item::Row(mut row) = found.item else { continue };
            row.time = self.time_of(&row, found.sequence).await?;
            let timeless = row.time.is_none() && matches!(after, After::Time(_));
            if timeless && found.spot.slot == 1 && self.goes_on(&row, found.sequence).await? {
                walker.skip_sector();
                continue;
            }
            let done = match after {
                After::Time(after) => {
                    let limit = self.limit(found.sequence);
                    let Some(time) = row.time.filter(|time| *time > after && *time < limit) else { continue };
                    match rows.last_mut() {
                        Some(last) if last.time == Some(time) => {
                            *last = joined(last, &row);
                            continue;
                        }
                        Some(last) if last.time > Some(time) => continue,
                        _ => time > until || rows.push(row).is_err(),
                    }
                }
                After::Key(key) => key_of(&row) > key && rows.push(row).is_err(),
            };
            if done {
                left_off = Some(found.spot);
                break;
            }
        }
        let next = match (after, rows.last()) {
            (After::Time(after), last) => After::Time(last.and_then(|last| last.time).unwrap_or(after)),
            (After::Key(key), last) => After::Key(last.map_or(key, key_of)),
        };
        // Who asks for the very first row only wants to know when it was.
        if after != After::Time(0) {
            self.spots.put(next, left_off.unwrap_or(walker.spot));
        }
        Ok(())
    }

    /// Whether the start of this row, which did not know the time, goes on in the next sector without it.
    async fn goes_on(&mut self, row: &Row, sequence: u32) -> Result<bool, HistoryError> {
        let next = self.head(sequence + 1).await?;
        Ok(next.is_some_and(|next| next.based.base.boot == row.boot && next.based.base.time.is_none()))
    }

    /// The oldest row with a time.
    pub(super) async fn first(&mut self) -> Result<Option<Row>, HistoryError> {
        let mut rows: Vec<Row, 1> = Vec::new();
        self.read(After::Time(0), u32::MAX, &mut rows).await?;
        Ok(rows.pop())
    }

    /// The oldest row's key; of the oldest sector that is there.
    pub(super) async fn oldest_key(&mut self) -> Result<Option<Key>, HistoryError> {
        let Some(newest) = self.end().await?.tail.map(|tail| tail.head.sequence) else { return Ok(None) };
        for sequence in self.oldest(newest)..=newest {
            if let Some(head) = self.head(sequence).await? {
                return Ok(Some((head.based.base.boot, head.based.base.uptime_ds)));
            }
        }
        Ok(None)
    }

    /// Whether rows made room already: the very first sector is gone, even if nothing has come in its place yet.
    pub(super) async fn has_lost(&mut self) -> Result<bool, HistoryError> {
        Ok(self.tail().is_some() && self.head(1).await?.is_none())
    }

    /// About how many rows have a time in (`after`, `until`]: the slots in between.
    ///
    /// # Errors
    /// If the flash cannot be read, or there is no memory.
    pub(super) async fn count(&mut self, after: u32, until: u32) -> Result<u32, HistoryError> {
        if self.end().await?.newest_time.is_none_or(|newest| newest <= after) {
            return Ok(0);
        }
        let (from, to) = (self.place(after).await?, self.place(until).await?);
        Ok(to.saturating_sub(from))
    }

    /// The place of the first row after this time, in slots.
    async fn place(&mut self, after: u32) -> Result<u32, HistoryError> {
        let place = |sequence: u32, slot: u8| sequence * u32::from(LAST_SLOT) + u32::from(slot);
        let end = self.end().await?;
        let last = end.tail.map_or(0, |tail| place(tail.head.sequence, tail.slot));
        if end.newest_time.is_none_or(|newest| newest <= after) {
            return Ok(last);
        }
        let Some(mut walker) = self.seek(After::Time(after)).await? else { return Ok(last) };
        while let Some(found) = walker.next(self).await? {
            let Item::Row(row) = found.item else { continue };
            let time = self.time_of(&row, found.sequence).await?;
            if time.is_some_and(|time| time > after && time < self.limit(found.sequence)) {
                return Ok(place(found.sequence, found.spot.slot));
            }
        }
        Ok(last)
    }

    /// The starts that never learned the time, oldest first; the newest where there are more than a few.
    ///
    /// # Errors
    /// If the flash cannot be read, or there is no memory.
    pub(super) async fn unplaced(&mut self) -> Result<alloc::vec::Vec<Unplaced>, HistoryError> {
        let mut starts: alloc::vec::Vec<Unplaced> = alloc::vec::Vec::new();
        starts.try_reserve_exact(UNPLACED).map_err(|_| HistoryError::NoMemory)?;
        let Some(tail) = self.end().await?.tail else { return Ok(starts) };
        for sequence in self.oldest(tail.head.sequence)..=tail.head.sequence {
            let Some(head) = self.head(sequence).await? else { continue };
            let base = &head.based.base;
            let next = self.head(sequence + 1).await?;
            if base.time.is_some() && next.is_some_and(|next| next.based.base.boot == base.boot) {
                // Once a start knows the time, it does not forget it.
                continue;
            }
            let mut walker = Walker::begin(&head)?;
            while let Some(found) = walker.next(self).await?.filter(|found| found.sequence == sequence) {
                let Item::Row(row) = found.item else { continue };
                if self.time_of(&row, sequence).await?.is_none() {
                    note(&mut starts, &row);
                }
            }
        }
        Ok(starts)
    }

    /// Behind which record the first row after `after` lies, at the latest.
    async fn seek(&mut self, after: After) -> Result<Option<Walker>, HistoryError> {
        let Some(tail) = self.end().await?.tail else { return Ok(None) };
        if let Some(spot) = self.spots.take(after)
            && let Some(head) = self.head(spot.sequence).await?
        {
            return Walker::at(&head, spot).map(Some);
        }
        let (mut low, mut high) = (self.oldest(tail.head.sequence), tail.head.sequence);
        // The last sector that begins at or before it; all rows before that one are before it too.
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if self.begins_by(middle, after).await? {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        // A head that is gone is passed over.
        for sequence in low..=tail.head.sequence {
            if let Some(head) = self.head(sequence).await? {
                return Walker::begin(&head).map(Some);
            }
        }
        Ok(None)
    }

    /// Whether this sector, or the next one of which that can be said, begins at or before it.
    async fn begins_by(&mut self, sequence: u32, after: After) -> Result<bool, HistoryError> {
        let newest = self.tail().map_or(0, |tail| tail.head.sequence);
        for sequence in sequence..=newest {
            let Some(head) = self.head(sequence).await? else { continue };
            let base = &head.based.base;
            match after {
                After::Key(key) => return Ok((base.boot, base.uptime_ds) <= key),
                After::Time(after) => {
                    let offset = self.offset(base, sequence).await?;
                    if let Some(time) = base.time.or(offset.map(|offset| at(offset, base.uptime_ds))) {
                        return Ok(time.min(self.limit(sequence)) <= after);
                    }
                }
            }
        }
        Ok(false)
    }

    /// The time of a row in this sector, if its start ever learned it.
    pub(super) async fn time_of(&mut self, row: &Row, sequence: u32) -> Result<Option<u32>, HistoryError> {
        if row.time.is_some() {
            return Ok(row.time);
        }
        let offset = self.offset_of(row.boot, sequence).await?;
        Ok(offset.map(|offset| at(offset, tenths(row.uptime_s))))
    }

    async fn offset(&mut self, base: &Base, sequence: u32) -> Result<Option<i64>, HistoryError> {
        match base.time {
            Some(_) => Ok(offset_in(base)),
            None => self.offset_of(base.boot, sequence).await,
        }
    }

    /// What a start that did not know the time in this sector learned of it later.
    async fn offset_of(&mut self, boot: u32, sequence: u32) -> Result<Option<i64>, HistoryError> {
        if let Some((_, offset)) = self.offsets.0.iter().find(|(known, _)| *known == boot) {
            return Ok(*offset);
        }
        let offset = self.find_offset(boot, sequence).await?;
        if self.offsets.0.is_full() {
            self.offsets.0.remove(0);
        }
        // There is room by now.
        let _ = self.offsets.0.push((boot, offset));
        Ok(offset)
    }

    /// It stands in the bases with a time, from the last sector on that this start began without one. The last one of that
    /// sector and the next two counts: the first answer may have been wrong, and was put right by then; much later the
    /// crystal would have run away.
    async fn find_offset(&mut self, boot: u32, mut sequence: u32) -> Result<Option<i64>, HistoryError> {
        let newest = self.tail().map_or(0, |tail| tail.head.sequence);
        for later in sequence + 1..=newest {
            let Some(head) = self.head(later).await? else { continue };
            let base = &head.based.base;
            if base.boot != boot || base.time.is_some() {
                break;
            }
            sequence = later;
        }
        let Some(head) = self.head(sequence).await? else { return Ok(None) };
        let mut walker = Walker::begin(&head)?;
        let mut offset = None;
        while let Some(found) = walker.next(self).await?.filter(|found| found.sequence <= sequence + 2) {
            // A sector's own base shows in its rows.
            let (start, told) = match found.item {
                Item::Base(Based { base, .. }) => (base.boot, offset_in(&base)),
                Item::Row(row) => (row.boot, row.time.map(|time| offset_at(time, tenths(row.uptime_s)))),
            };
            if start == boot {
                offset = told.or(offset);
            } else if offset.is_some() {
                break;
            }
        }
        Ok(offset)
    }

    /// The newest row, which a sector that was only begun does not have, and the newest time, in a ring of which this is
    /// the newest sector. The sector before may have a newer one: a start's clock may be a little behind that of the last.
    pub(super) async fn newest(&mut self, newest: u32) -> Result<(Key, Option<u32>), HistoryError> {
        let (mut key, mut newest_time) = (None, None);
        for sequence in (self.oldest(newest)..=newest).rev() {
            let Some(head) = self.head(sequence).await? else { continue };
            let limit = self.limit(sequence);
            let mut walker = Walker::begin(&head)?;
            let (mut last, mut time) = (None, None);
            while let Some(found) = walker.next(self).await?.filter(|found| found.sequence == sequence) {
                if let Item::Row(row) = found.item {
                    last = Some(key_of(&row));
                    time = self.time_of(&row, sequence).await?.filter(|time| *time < limit).max(time);
                }
            }
            key = key.or(last);
            if newest_time.is_some() {
                newest_time = newest_time.max(time);
                break;
            }
            newest_time = time;
        }
        Ok((key.unwrap_or_default(), newest_time))
    }
}

/// Takes a row into the list of starts without a time.
pub(super) fn note(starts: &mut alloc::vec::Vec<Unplaced>, row: &Row) {
    if let Some(last) = starts.last_mut().filter(|last| last.boot == row.boot) {
        last.to_uptime_s = row.uptime_s;
        last.rows += 1;
        return;
    }
    if starts.len() == UNPLACED {
        starts.remove(0);
    }
    let from_uptime_s = (row.uptime_s - f64::from(row.interval_s)).max(0.0);
    starts.push(Unplaced { boot: row.boot, from_uptime_s, to_uptime_s: row.uptime_s, rows: 1 });
}

/// Unix time at the beginning of a start, in tenths of a second.
fn offset_in(base: &Base) -> Option<i64> {
    base.time.map(|time| offset_at(time, base.uptime_ds))
}

fn offset_at(time: u32, uptime_ds: u32) -> i64 {
    i64::from(time) * 10 - i64::from(uptime_ds)
}

/// The second in which a window ended: cut off, so that it is before the next one on the clock.
fn at(offset: i64, uptime_ds: u32) -> u32 {
    u32::try_from((offset + i64::from(uptime_ds)).div_euclid(10)).unwrap_or(0)
}
