//! The energy's memory: totals appended to a ring of sectors, so that a power cut at any byte leaves the old ones or
//! the new ones.
//!
//! Glossary: a *sector* holds a header and records after it; its *sequence* number is one more than that of the
//! sector before. The *newest* sector is the one with the highest number. The sector *ahead* is the next in the
//! ring, erased before it is needed: an append is a few words and no erase, as it has to be when the mains vanish.
//!
//! ```text
//!          maintain: erase, then stamp          append: header             append: as many sectors later
//!   old ------------------------------> ahead ---------------> newest -------------------------------> old
//!    ^                                   |  cut: no stamp, or something beside it
//!    +-----------------------------------+  (erased again before it is used)
//! ```
//!
//! Records that a cut left half-written are known by their checks (`record.rs`), are stepped over, and are never
//! written again in the same place. After each start, and after each failure, the first record is a full one: were
//! half-written bits to change their minds later, nothing is built upon them.

use embedded_storage_async::nor_flash::NorFlash;

use super::layout::SECTOR;
use super::totals::Totals;
use record::{
    BLANK, FIRST_RECORD, FULL, FULL_SLOTS, HEADER, HEADER_SLOT, Header, Position, SLOT, SLOTS, STAMP,
};

mod policy;
mod record;

pub use policy::{IDLE_INTERVAL, JournalPolicy, LONGEST_LOSS, LOSS_ENERGY_WH, WRITE_INTERVAL};

/// Records of one step each that a sector holds, the one in its header too.
pub(super) const STEPS_A_SECTOR: u32 = 1 + (SLOTS - FIRST_RECORD) as u32;
/// Full records that a sector holds, the one in its header too.
pub(super) const FULLS_A_SECTOR: u32 = 1 + ((SLOTS - FIRST_RECORD) / FULL_SLOTS) as u32;
/// Bytes of a record of one step.
pub(super) const STEP_BYTES: u32 = SLOT as u32;
/// Bytes of a full record.
pub(super) const FULL_BYTES: u32 = FULL as u32;
/// Bytes that a new sector takes, with the record in its header.
pub(super) const SECTOR_BYTES: u32 = (SLOT + HEADER) as u32;
/// Sectors that the ring needs at least: newest, ahead, and one to step over.
const FEWEST_SECTORS: u32 = 3;
/// How often an append is tried in new places: a few bad cells are no reason to give up.
const ATTEMPTS: u32 = 4;

/// Why the journal does not do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalError {
    /// The flash does not read, write or erase.
    Flash,
    /// The flash says it did, and what is there is something else: worn out.
    Worn,
    /// Energy or time would go back: never written.
    GoesBack,
    /// The place is too small for a journal.
    TooSmall,
}

impl core::fmt::Display for JournalError {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str(match self {
            Self::Flash => "the flash does not answer: energy is not kept",
            Self::Worn => "the flash does not hold what is written: energy is not kept",
            Self::GoesBack => "the energy is less than what was kept before: it is not written",
            Self::TooSmall => "there is no room for the energy's journal",
        })
    }
}

impl core::error::Error for JournalError {}

/// The journal of one meter.
#[derive(Clone, Debug)]
pub struct Journal<F> {
    flash: F,
    meter: u32,
    sectors: u32,
    /// What the flash is known to hold; `None` before a survey, and where something failed or was cut since.
    known: Option<Known>,
    /// The sector that is known to be blank.
    ahead: Option<u32>,
    /// Sectors after the newest that did not take an erase or a header: stepped over.
    bad: u32,
}

/// What a survey found.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// The newest sector of any meter, and its sequence number.
    newest: Option<(u32, u32)>,
    /// The newest sector of this meter.
    home: Option<u32>,
    /// The newest totals of this meter.
    totals: Option<Totals>,
    /// The slot for the next record, if the newest sector is this meter's.
    slot: Option<u16>,
    /// Whether the newest record was written by this start: a step may stand upon it.
    sure: bool,
}

impl<F: NorFlash> Journal<F> {
    /// The journal in all of `flash` (sectors of 4,096 bytes) for the meter with this tag
    /// ([`super::meter_id::MeterId::tag`]), and the newest totals of it: `None` where it has none yet. Reads only.
    /// If that fails, each later call tries again, and [`Self::newest`] tells what was found then.
    ///
    /// Dropping the future costs nothing.
    pub async fn open(flash: F, meter: u32) -> (Self, Result<Option<Totals>, JournalError>) {
        const { assert!(F::ERASE_SIZE == SECTOR as usize && 4_usize.is_multiple_of(F::WRITE_SIZE)) };
        let sectors = flash.capacity() as u32 / SECTOR;
        let mut journal = Self { flash, meter, sectors, known: None, ahead: None, bad: 0 };
        let found = journal.survey().await.map(|known| known.totals);
        (journal, found)
    }

    /// The newest totals that are known to be kept.
    #[must_use]
    pub fn newest(&self) -> Option<Totals> {
        self.known.and_then(|known| known.totals)
    }

    /// The flash, for who wants to look at it.
    pub const fn flash(&mut self) -> &mut F {
        &mut self.flash
    }

    /// Keeps these totals; returns when they are in the flash and were read back. Some words, and an erase only
    /// where nobody called [`Self::maintain`] before. Totals that are kept already cost nothing.
    ///
    /// Dropping the future is a power cut: the old or the new totals are kept.
    ///
    /// # Errors
    /// If they go back, or if the flash fails: then the old ones are kept, or the new ones nevertheless.
    pub async fn append(&mut self, totals: &Totals) -> Result<(), JournalError> {
        for _ in 0..ATTEMPTS {
            let known = self.survey().await?;
            match known.totals {
                Some(kept) if kept == *totals => return Ok(()),
                Some(kept) if !totals.covers(&kept) => return Err(JournalError::GoesBack),
                _ => {}
            }
            self.known = None;
            self.known = self.write_record(&known, totals).await?;
            if self.known.is_some() {
                return Ok(());
            }
        }
        Err(JournalError::Worn)
    }

    /// Makes sure that an erased sector is ahead; `true` if one had to be erased. To be called after each append and
    /// after opening, when nothing is urgent.
    ///
    /// Dropping the future is a power cut: the sector is erased again before it is used.
    ///
    /// # Errors
    /// If the flash fails.
    pub async fn maintain(&mut self) -> Result<bool, JournalError> {
        let known = self.survey().await?;
        let next = self.next_sector(&known)?;
        if self.ahead == Some(next) {
            return Ok(false);
        }
        self.prepare(next).await
    }

    /// What the flash holds: from memory, or read anew.
    async fn survey(&mut self) -> Result<Known, JournalError> {
        if let Some(known) = self.known {
            return Ok(known);
        }
        if self.sectors < FEWEST_SECTORS {
            return Err(JournalError::TooSmall);
        }
        self.ahead = None;
        let mut known = Known::default();
        let mut own: Option<Header> = None;
        for sector in 0..self.sectors {
            let Some(header) = Header::from_bytes(&self.read(sector, HEADER_SLOT).await?) else { continue };
            if known.newest.is_none_or(|(_, sequence)| header.sequence > sequence) {
                known.newest = Some((sector, header.sequence));
            }
            let newer = own.is_none_or(|own| header.sequence > own.sequence);
            if header.meter == self.meter && newer {
                own = Some(header);
                known.home = Some(sector);
            }
        }
        if let (Some(home), Some(header)) = (known.home, own) {
            let (totals, slot) = self.scan(home, &header).await?;
            known.totals = Some(totals);
            known.slot = known.newest.is_some_and(|(sector, _)| sector == home).then_some(slot);
        }
        self.known = Some(known);
        Ok(known)
    }

    /// The newest totals of a sector, and the slot after everything that was ever written to it.
    async fn scan(&mut self, sector: u32, header: &Header) -> Result<(Totals, u16), JournalError> {
        let mut totals = header.totals;
        let (mut slot, mut end) = (FIRST_RECORD, FIRST_RECORD);
        while slot < SLOTS {
            let at = Position { sequence: header.sequence, slot };
            let bytes: [u8; SLOT] = self.read(sector, slot).await?;
            let long = record::begins_full(&bytes) && slot + FULL_SLOTS <= SLOTS;
            let found = if long {
                record::full_from(at, &self.read(sector, slot).await?)
            } else {
                record::after_step(at, &totals, &bytes)
            };
            totals = found.filter(|found| found.covers(&totals)).unwrap_or(totals);
            slot += if long { FULL_SLOTS } else { 1 };
            if bytes != BLANK {
                end = slot;
            }
        }
        Ok((totals, end))
    }

    /// Writes `totals` as the shortest record that will do; what is known then, or `None` if it did not hold.
    async fn write_record(&mut self, known: &Known, totals: &Totals) -> Result<Option<Known>, JournalError> {
        let (Some((sector, sequence)), Some(slot)) = (known.newest, known.slot) else {
            return self.begin_sector(known, totals).await;
        };
        let at = Position { sequence, slot };
        let before = known.totals.filter(|_| known.sure && slot < SLOTS);
        let step = before.and_then(|before| record::step(at, &before, totals));
        let (holds, used) = match step {
            Some(step) => (self.write(sector, slot, &step).await?, 1),
            None if slot + FULL_SLOTS <= SLOTS => {
                (self.write(sector, slot, &record::full(at, totals)).await?, FULL_SLOTS)
            }
            None => return self.begin_sector(known, totals).await,
        };
        let after = Known { totals: Some(*totals), slot: Some(slot + used), sure: true, ..*known };
        Ok(holds.then_some(after))
    }

    /// Writes `totals` as the header of the sector ahead.
    async fn begin_sector(&mut self, known: &Known, totals: &Totals) -> Result<Option<Known>, JournalError> {
        let sector = self.next_sector(known)?;
        if self.ahead != Some(sector) {
            self.prepare(sector).await?;
        }
        if self.ahead.take() != Some(sector) {
            return Ok(None);
        }
        let sequence = known.newest.map_or(0, |(_, sequence)| sequence) + 1;
        if sequence > record::LAST_SEQUENCE {
            return Err(JournalError::Worn);
        }
        let header = Header { sequence, meter: self.meter, totals: *totals };
        if !self.write(sector, HEADER_SLOT, &header.bytes()).await? {
            self.bad += 1;
            return Ok(None);
        }
        self.bad = 0;
        Ok(Some(Known {
            newest: Some((sector, sequence)),
            home: Some(sector),
            totals: Some(*totals),
            slot: Some(FIRST_RECORD),
            sure: true,
        }))
    }

    /// The sector that comes after the newest; never the one that holds this meter's newest totals.
    fn next_sector(&mut self, known: &Known) -> Result<u32, JournalError> {
        if self.bad + 2 > self.sectors {
            // All of them were tried; from the first again, should anybody ask again.
            self.bad = 0;
            return Err(JournalError::Worn);
        }
        let first = known.newest.map_or(0, |(sector, _)| sector + 1);
        let next = (first + self.bad) % self.sectors;
        Ok(if known.home == Some(next) { (next + 1) % self.sectors } else { next })
    }

    /// Makes `sector` the one ahead, by an erase if it is not blank; `true` if it was erased. Where that does not
    /// help, the sector counts as bad.
    async fn prepare(&mut self, sector: u32) -> Result<bool, JournalError> {
        self.ahead = None;
        if self.is_blank(sector, true).await? {
            self.ahead = Some(sector);
            return Ok(false);
        }
        let from = sector * SECTOR;
        self.flash.erase(from, from + SECTOR).await.map_err(|_| JournalError::Flash)?;
        if self.is_blank(sector, false).await? && self.write(sector, 0, &STAMP).await? {
            self.ahead = Some(sector);
        } else {
            self.bad += 1;
        }
        Ok(true)
    }

    /// Whether nothing is in a sector, but for the stamp where that has to be there.
    async fn is_blank(&mut self, sector: u32, stamped: bool) -> Result<bool, JournalError> {
        const PART: u16 = 8;
        let first: [u8; SLOT] = self.read(sector, 0).await?;
        let mut blank = first == if stamped { STAMP } else { BLANK };
        for slot in (0..SLOTS).step_by(PART.into()) {
            if !blank {
                return Ok(false);
            }
            let bytes: [u8; SLOT * PART as usize] = self.read(sector, slot).await?;
            let skip = if slot == 0 { SLOT } else { 0 };
            blank = bytes.iter().skip(skip).all(|byte| *byte == 0xff);
        }
        Ok(blank)
    }

    async fn read<const N: usize>(&mut self, sector: u32, slot: u16) -> Result<[u8; N], JournalError> {
        let mut bytes = [0; N];
        let from = address(sector, slot);
        self.flash.read(from, &mut bytes).await.map_err(|_| JournalError::Flash)?;
        Ok(bytes)
    }

    /// Writes and reads back; `false` if something else is there.
    async fn write<const N: usize>(
        &mut self,
        sector: u32,
        slot: u16,
        bytes: &[u8; N],
    ) -> Result<bool, JournalError> {
        let to = address(sector, slot);
        self.flash.write(to, bytes).await.map_err(|_| JournalError::Flash)?;
        Ok(self.read::<N>(sector, slot).await? == *bytes)
    }
}

fn address(sector: u32, slot: u16) -> u32 {
    sector * SECTOR + u32::from(slot) * SLOT as u32
}
