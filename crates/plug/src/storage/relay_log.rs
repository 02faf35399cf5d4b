//! The relay's log in the flash: every change with its cause, in a ring of sectors; the oldest sector makes room.
//! The newest entry is also the relay's memory over a restart.
//!
//! A queue of `sequential-storage` cannot do this: it reads the oldest first, and takes a sector whose erase was cut
//! short for the newest one if chance leaves its first word written and its last word erased. Here the sectors are
//! numbered, and whatever is not whole does not count:
//!
//! ```text
//!   word 0      1          2                  3                from word 4
//!   clean mark  sequence   first number in it CRC of 1 and 2   records, one after the other
//! ```
//! A record that the power cut short keeps its room, and reading goes on behind it. With causes of 40 characters a
//! sector holds some 35 changes, and the eight of the plug 210 to 280.

mod record;

use alloc::vec::Vec;

use embedded_storage_async::nor_flash::NorFlash;

pub use self::record::StoredChange;
use self::record::{HEADER, Header, encode, number};
use super::layout::SECTOR;
use super::sector::{
    Buffer, Crc, ERASED, StoreError, WORD, Words, erase, is_erased, is_marked, mark, read_word, strike_out,
};

/// Where the records of a sector begin.
const RECORDS: u32 = 4 * WORD;
/// Sectors that are tried for one change before the flash counts as worn out.
const ATTEMPTS: u32 = 3;
/// From this fill on the next sector is erased ahead: late, so that the oldest entries stay long.
const ERASE_AHEAD: u32 = SECTOR / 2;

/// Where the log goes on.
#[derive(Clone, Copy, Debug)]
struct End {
    /// The newest sector.
    sector: u32,
    /// Its place in the order of all sectors ever begun; 0 if there is none yet.
    sequence: u32,
    /// Where the next record goes in it; [`SECTOR`] if it is full.
    at: u32,
    /// Number of the newest change.
    number: u32,
    /// Whether the next sector is clean.
    ahead: bool,
}

/// The log. One operation at a time; dropping the future of one is like a power cut in it.
#[derive(Debug)]
pub struct RelayLog<F> {
    flash: F,
    /// `None` after an operation that did not come to its end: it is looked up anew.
    end: Option<End>,
}

impl<F: NorFlash> RelayLog<F> {
    /// Finds the end of the log in `flash`, which is [`super::layout::RELAY_LOG`] or another number of whole sectors
    /// from two on. Whatever lies there, it is a log afterwards, if an empty one; nothing is written.
    ///
    /// # Errors
    /// If the flash cannot be read, or there is no memory.
    pub async fn open(flash: F) -> Result<Self, StoreError<F::Error>> {
        let mut log = Self { flash, end: None };
        let mut buffer = Buffer::new()?;
        let end = log.find_end(&mut buffer).await?;
        log.end = Some(end);
        Ok(log)
    }

    /// The newest change: how the relay was when the power went; `None` if there is none.
    ///
    /// # Errors
    /// If the flash cannot be read, or there is no memory.
    pub async fn newest(&mut self) -> Result<Option<StoredChange>, StoreError<F::Error>> {
        let mut newest = None;
        self.read_newest_first(0, 1, |change| newest = Some(change.clone())).await?;
        Ok(newest)
    }

    /// Number of the newest change; 0 if there never was one.
    #[must_use]
    pub fn newest_number(&self) -> u32 {
        self.end.map_or(0, |end| end.number)
    }

    /// Writes a change behind all others; its number, which the log gives (that in `change` counts for nothing). A
    /// power cut in it leaves the log with or without it. Erases a sector if none is clean: once in some 35 changes,
    /// unless [`Self::maintain`] was faster.
    ///
    /// # Errors
    /// If the flash fails, or there is no memory; the change is then not kept, or not for sure.
    pub async fn append(&mut self, change: &StoredChange) -> Result<u32, StoreError<F::Error>> {
        let mut buffer = Buffer::new()?;
        let mut end = self.take_end(&mut buffer).await?;
        let number = end.number.saturating_add(1);
        for _ in 0..ATTEMPTS {
            let length = encode(change, number, &mut buffer) as u32;
            if end.at + length > SECTOR {
                end = self.begin_sector(end).await?;
            }
            let at = end.sector * SECTOR + end.at;
            if end.at + length <= SECTOR {
                self.flash.write(at, buffer.start(length as usize)).await.map_err(StoreError::Flash)?;
                let kept = self.read(at, &mut buffer).await?;
                if kept.is_some_and(|kept| kept.number(&buffer) == number) {
                    self.end = Some(End { at: end.at + length, number, ..end });
                    return Ok(number);
                }
            }
            end.at = SECTOR;
        }
        self.end = Some(end);
        Err(StoreError::NotKept)
    }

    /// Whether [`Self::maintain`] has something to do.
    #[must_use]
    pub fn wants_maintenance(&self) -> bool {
        self.end.is_none_or(|end| !end.ahead && end.at >= ERASE_AHEAD)
    }

    /// Erases the next sector ahead, if the newest is half full: at most one erase. To be called when an erase does
    /// no harm. A power cut in it loses nothing but the oldest sector.
    ///
    /// # Errors
    /// If the flash fails, or there is no memory.
    pub async fn maintain(&mut self) -> Result<(), StoreError<F::Error>> {
        let end = match self.end {
            Some(end) => end,
            None => self.take_end(&mut Buffer::new()?).await?,
        };
        if !end.ahead && end.at >= ERASE_AHEAD {
            self.end = None;
            self.make_clean(self.after(end.sector)).await?;
            self.end = Some(End { ahead: true, ..end });
        } else {
            self.end = Some(end);
        }
        Ok(())
    }

    /// Gives up to `take` changes to `give`, newest first, after leaving out the `skip` newest; how many. Reads each
    /// sector forwards first: two reads an entry.
    ///
    /// # Errors
    /// If the flash cannot be read, or there is no memory.
    pub async fn read_newest_first(
        &mut self,
        mut skip: usize,
        take: usize,
        mut give: impl FnMut(&StoredChange),
    ) -> Result<usize, StoreError<F::Error>> {
        let mut buffer = Buffer::new()?;
        let end = self.take_end(&mut buffer).await?;
        self.end = Some(end);
        let (mut given, mut sequence) = (0, end.sequence.saturating_add(1));
        let mut places = Vec::new();
        for back in 0..self.sectors() {
            let sector = (end.sector + self.sectors() - back) % self.sectors();
            match self.sector_head(sector).await? {
                Some(head) if head.sequence < sequence => sequence = head.sequence,
                _ => continue,
            }
            places.clear();
            self.read_sector(sector, &mut buffer, |at, whole, buffer| {
                if whole.change(buffer).is_some() && places.try_reserve(1).is_ok() {
                    places.push(at);
                }
            })
            .await?;
            for at in places.iter().rev().skip(skip) {
                if given == take {
                    return Ok(given);
                }
                let whole = self.read(*at, &mut buffer).await?;
                if let Some(change) = whole.and_then(|whole| whole.change(&buffer)) {
                    give(&change);
                    given += 1;
                }
            }
            skip = skip.saturating_sub(places.len());
        }
        Ok(given)
    }

    /// The flash, back again.
    pub fn into_flash(self) -> F {
        self.flash
    }

    fn sectors(&self) -> u32 {
        (self.flash.capacity() as u32 / SECTOR).max(1)
    }

    fn after(&self, sector: u32) -> u32 {
        (sector + 1) % self.sectors()
    }

    /// The end, for an operation that puts it back when it is done.
    async fn take_end(&mut self, buffer: &mut Buffer) -> Result<End, StoreError<F::Error>> {
        match self.end.take() {
            Some(end) => Ok(end),
            None => self.find_end(buffer).await,
        }
    }

    /// Looks for the newest sector, and for the end of its records.
    async fn find_end(&mut self, buffer: &mut Buffer) -> Result<End, StoreError<F::Error>> {
        let last = self.sectors() - 1;
        let mut end = End { sector: last, sequence: 0, at: SECTOR, number: 0, ahead: false };
        for sector in 0..self.sectors() {
            if let Some(head) = self.sector_head(sector).await?
                && head.sequence > end.sequence
            {
                let number = head.first_number.saturating_sub(1);
                end = End { sector, sequence: head.sequence, number, ..end };
            }
        }
        if end.sequence > 0 {
            let mut number = end.number;
            let newest = |_, whole: Whole, buffer: &Buffer| number = number.max(whole.number(buffer));
            let records_end = self.read_sector(end.sector, buffer, newest).await?;
            let limit = (end.sector + 1) * SECTOR;
            let free = is_erased(&mut self.flash, records_end, limit, buffer).await?;
            end.at = if free { records_end - end.sector * SECTOR } else { SECTOR };
            end.number = number;
        }
        let next = self.after(end.sector) * SECTOR;
        end.ahead = is_marked(&mut self.flash, next).await?
            && is_erased(&mut self.flash, next + WORD, next + SECTOR, buffer).await?;
        Ok(end)
    }

    /// Begins the next sector, which it erases if it is not clean.
    async fn begin_sector(&mut self, end: End) -> Result<End, StoreError<F::Error>> {
        let sector = self.after(end.sector);
        if !end.ahead {
            self.make_clean(sector).await?;
        }
        let head = SectorHead {
            sequence: end.sequence.saturating_add(1),
            first_number: end.number.saturating_add(1),
        };
        let at = sector * SECTOR + WORD;
        self.flash.write(at, &Words(head.bytes()).0).await.map_err(StoreError::Flash)?;
        let kept = self.sector_head(sector).await? == Some(head);
        let at = if kept { RECORDS } else { SECTOR };
        Ok(End { sector, sequence: head.sequence, at, ahead: false, ..end })
    }

    async fn make_clean(&mut self, sector: u32) -> Result<(), StoreError<F::Error>> {
        let at = sector * SECTOR;
        strike_out(&mut self.flash, at).await?;
        erase(&mut self.flash, at).await?;
        mark(&mut self.flash, at).await
    }

    async fn sector_head(&mut self, sector: u32) -> Result<Option<SectorHead>, StoreError<F::Error>> {
        let at = sector * SECTOR;
        if !is_marked(&mut self.flash, at).await? {
            return Ok(None);
        }
        let mut bytes = Words([0; 12]);
        self.flash.read(at + WORD, &mut bytes.0).await.map_err(StoreError::Flash)?;
        Ok(SectorHead::of(&bytes.0))
    }

    /// Gives every whole record of a sector with its address; the address after the last one that was begun.
    async fn read_sector(
        &mut self,
        sector: u32,
        buffer: &mut Buffer,
        mut give: impl FnMut(u32, Whole, &Buffer),
    ) -> Result<u32, StoreError<F::Error>> {
        let (mut at, end) = (sector * SECTOR + RECORDS, (sector + 1) * SECTOR);
        while at < end {
            if let Some(whole) = self.read(at, buffer).await? {
                give(at, whole, buffer);
                at += whole.length();
            } else if let Some(next) = self.behind_broken(at).await? {
                at = next;
            } else {
                break;
            }
        }
        Ok(at)
    }

    /// Reads the record at `at` into the buffer, if there is a whole one.
    async fn read(&mut self, at: u32, buffer: &mut Buffer) -> Result<Option<Whole>, StoreError<F::Error>> {
        let Some(header) = Header::of(read_word(&mut self.flash, at).await?) else { return Ok(None) };
        if at % SECTOR + HEADER + header.rest() > SECTOR {
            return Ok(None);
        }
        let rest = buffer.start(header.rest() as usize);
        self.flash.read(at + HEADER, rest).await.map_err(StoreError::Flash)?;
        Ok(header.payload(rest).map(|_| Whole(header)))
    }

    /// Where to go on behind what is no whole record; `None` if nothing was ever written at `at`. A record that was
    /// begun has its room, behind a broken first word anything can come.
    async fn behind_broken(&mut self, at: u32) -> Result<Option<u32>, StoreError<F::Error>> {
        let word = read_word(&mut self.flash, at).await?;
        let end = at - at % SECTOR + SECTOR;
        let room = Header::of(word).map_or(WORD, |header| HEADER + header.rest());
        Ok((word != ERASED).then_some(if at + room <= end { at + room } else { at + WORD }))
    }
}

/// A record of which all is there; what it says is still in the buffer, so that no future has to hold it.
#[derive(Clone, Copy)]
struct Whole(Header);

impl Whole {
    fn length(self) -> u32 {
        HEADER + self.0.rest()
    }

    fn number(self, buffer: &Buffer) -> u32 {
        number(buffer).unwrap_or(0)
    }

    /// `None` for a version that this program does not know.
    fn change(self, buffer: &Buffer) -> Option<StoredChange> {
        self.0.change(buffer)
    }
}

/// What a sector says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct SectorHead {
    sequence: u32,
    first_number: u32,
}

impl SectorHead {
    fn bytes(self) -> [u8; 12] {
        let (mut bytes, numbers) = ([0; 12], [self.sequence.to_le_bytes(), self.first_number.to_le_bytes()]);
        let crc = Crc::new().with(numbers.as_flattened()).sum();
        bytes.iter_mut().zip(numbers.as_flattened().iter().chain(&crc)).for_each(|(to, from)| *to = *from);
        bytes
    }

    /// `None` for what is none. The highest sequences are not: nothing could come after them.
    fn of(bytes: &[u8; 12]) -> Option<Self> {
        let mut take = super::code::Take(bytes);
        let head = Self { sequence: take.u32()?, first_number: take.u32()? };
        (head.bytes() == *bytes && (1..u32::MAX - ATTEMPTS).contains(&head.sequence)).then_some(head)
    }
}
