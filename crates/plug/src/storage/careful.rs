//! A flash whose erases are done or not done, for stores that do not expect one that a power cut left half-done.
//!
//! Bits that an erase half raised can be anything, also something that looks like data, or like nothing. So the first
//! sector keeps a log: `begin` before an erase, `done` after it. If the newest entry is a `begin` at the first use
//! after a start, that sector is erased again before anybody sees it; nothing can be lost by that, since nobody was
//! told yet that it was erased.
//!
//! ```text
//!             begin                erase, done
//!   at rest --------> erasing --------------------> at rest
//!                        |  power cut                  ^
//!                        +--------> recover -----------+
//!                                   erase again, done
//! ```
//!
//! An entry is a word and its complement, so no write or erase that was cut makes an entry of another: bits too many,
//! or too few, show in one of the two.

use embedded_storage_async::nor_flash::{ErrorType, NorFlash, ReadNorFlash};

use super::layout::SECTOR;

/// Bytes of an entry.
const ENTRY: u32 = 8;
/// Entries of the log.
const ENTRIES: u32 = SECTOR / ENTRY;
/// Entries that are free before an erase begins, at least: `begin`, `done`, and some that a cut spoils.
const ROOM: u32 = 8;
/// First word of a `begin`, with the sector's number in the low half; its complement follows.
const BEGIN: u32 = 0xb61e_0000;
/// First word of a `done`.
const DONE: u32 = 0xd07e_0000;
const BLANK: [u8; ENTRY as usize] = [0xff; ENTRY as usize];

/// All of a flash but its first sector, which keeps the log.
#[derive(Clone, Debug)]
pub struct Careful<F> {
    flash: F,
    /// What lies before the flash that others see: the log's sector, or nothing.
    before: u32,
    /// The first free entry; `None` before the log was looked at, and where something failed or was cut since.
    free: Option<u32>,
}

/// What the log holds.
#[derive(Default)]
struct Log {
    /// The sector of the newest entry, if that is a `begin`.
    pending: Option<u32>,
    /// Whether the newest entry is one that a cut spoiled.
    spoiled: bool,
    /// The first free entry.
    free: u32,
}

impl<F: NorFlash> Careful<F> {
    /// Around `flash` (sectors of 4,096 bytes). The log is looked at with the first use.
    pub const fn new(flash: F) -> Self {
        Self { flash, before: SECTOR, free: None }
    }

    /// Around `flash` too, but all of it and without a log: for places that were laid out before there was one, and
    /// which the library for maps is to see as the same kind of flash as the others.
    pub(crate) const fn plain(flash: F) -> Self {
        Self { flash, before: 0, free: None }
    }

    /// The flash, with the log.
    pub fn into_flash(self) -> F {
        self.flash
    }

    /// Repairs what a cut left, if that was not done yet; the first free entry.
    async fn recover(&mut self) -> Result<u32, F::Error> {
        if let Some(free) = self.free {
            return Ok(free);
        }
        if self.before == 0 {
            return Ok(0);
        }
        let log = self.read_log().await?;
        let mut free = log.free;
        if let Some(sector) = log.pending {
            self.erase_sector(sector).await?;
        }
        if log.pending.is_some() || log.spoiled {
            if free == ENTRIES {
                free = self.clear_log().await?;
            } else {
                // Also after a spoiled entry: were its bits to change their minds, it is not the newest any more.
                self.note(free, DONE | log.pending.unwrap_or(0)).await?;
                free += 1;
            }
        }
        self.free = Some(free);
        Ok(free)
    }

    async fn read_log(&mut self) -> Result<Log, F::Error> {
        let mut log = Log::default();
        for at in 0..ENTRIES {
            let bytes = self.entry(at).await?;
            if bytes == BLANK {
                continue;
            }
            log.free = at + 1;
            let word = valid(bytes);
            log.spoiled = word.is_none();
            log.pending = match word {
                Some(word) => self.begun(word),
                None => log.pending,
            };
        }
        Ok(log)
    }

    /// The sector of a `begin`.
    fn begun(&self, word: u32) -> Option<u32> {
        let sector = word & 0xffff;
        let inside = sector > 0 && (sector as usize) < self.flash.capacity() / SECTOR as usize;
        (word & 0xffff_0000 == BEGIN && inside).then_some(sector)
    }

    /// Empties the log; nothing is pending, or what was is erased. Each `begin` is struck out first: an erase of the
    /// log that is cut leaves none of them the newest.
    async fn clear_log(&mut self) -> Result<u32, F::Error> {
        for at in 0..ENTRIES {
            if valid(self.entry(at).await?).is_some_and(|word| self.begun(word).is_some()) {
                self.flash.write(at * ENTRY, &[0; ENTRY as usize]).await?;
            }
        }
        self.erase_sector(0).await?;
        Ok(0)
    }

    async fn entry(&mut self, at: u32) -> Result<[u8; ENTRY as usize], F::Error> {
        let mut bytes = BLANK;
        self.flash.read(at * ENTRY, &mut bytes).await?;
        Ok(bytes)
    }

    async fn note(&mut self, at: u32, word: u32) -> Result<(), F::Error> {
        self.flash.write(at * ENTRY, &entry(word)).await
    }

    async fn erase_sector(&mut self, sector: u32) -> Result<(), F::Error> {
        self.flash.erase(sector * SECTOR, (sector + 1) * SECTOR).await
    }
}

const fn entry(word: u32) -> [u8; ENTRY as usize] {
    (word as u64 | ((!word as u64) << 32)).to_le_bytes()
}

/// The word of an entry that is one.
fn valid(bytes: [u8; ENTRY as usize]) -> Option<u32> {
    let word = u64::from_le_bytes(bytes) as u32;
    (entry(word) == bytes).then_some(word)
}

impl<F: ErrorType> ErrorType for Careful<F> {
    type Error = F::Error;
}

impl<F: NorFlash> ReadNorFlash for Careful<F> {
    const READ_SIZE: usize = F::READ_SIZE;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        self.recover().await?;
        self.flash.read(offset.saturating_add(self.before), bytes).await
    }

    fn capacity(&self) -> usize {
        self.flash.capacity().saturating_sub(self.before as usize)
    }
}

impl<F: NorFlash> NorFlash for Careful<F> {
    const WRITE_SIZE: usize = F::WRITE_SIZE;
    const ERASE_SIZE: usize = F::ERASE_SIZE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        const { assert!(F::ERASE_SIZE == SECTOR as usize && 4_usize.is_multiple_of(F::WRITE_SIZE)) };
        if self.before == 0 {
            return self.flash.erase(from, to).await;
        }
        for sector in 1 + from / SECTOR..1 + to / SECTOR {
            let mut free = self.recover().await?;
            self.free = None;
            if free + ROOM > ENTRIES {
                free = self.clear_log().await?;
            }
            self.note(free, BEGIN | sector).await?;
            self.erase_sector(sector).await?;
            self.note(free + 1, DONE | sector).await?;
            self.free = Some(free + 2);
        }
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        self.recover().await?;
        self.flash.write(offset.saturating_add(self.before), bytes).await
    }
}
