//! The platform's flash: the data partition as an `embedded-storage-async` NorFlash, and the one place that erases.
//!
//! While the chip erases or writes, code in flash cannot be read: whoever needs it then would read rubbish. So for
//! that long only the sampling interrupt is let through, whose path lies in RAM (`sampler.rs`); everything else
//! waits. Between two sectors others get their turn. What an erase costs the samples is counted.

use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use embassy_futures::yield_now;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;
use embedded_storage_async::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use esp_bootloader_esp_idf::partitions::{PARTITION_TABLE_MAX_LEN, read_partition_table};
use esp_hal::interrupt::{ElevatedRunLevel, Priority, RunLevel};
use esp_hal::peripherals::FLASH;
use esp_hal::time::Instant;
use esp_storage::{FlashStorage, FlashStorageError, ll};
use plug::platform::FlashUse;
use static_cell::StaticCell;

use crate::analog;

/// Bytes of a sector, the least that can be erased.
pub const SECTOR: u32 = FlashStorage::SECTOR_SIZE;
/// Everything but the sampling interrupt, which has the highest priority, is masked at this level.
const ALL_BUT_SAMPLING: ElevatedRunLevel = ElevatedRunLevel::from_priority(BELOW_HIGHEST);
#[cfg(target_arch = "riscv32")]
const BELOW_HIGHEST: Priority = Priority::Priority14;
#[cfg(not(target_arch = "riscv32"))]
const BELOW_HIGHEST: Priority = Priority::Priority2;

static UNLOCKED: AtomicBool = AtomicBool::new(false);
static ERASES: AtomicU32 = AtomicU32::new(0);
static LONGEST_MICROSECONDS: AtomicU32 = AtomicU32::new(0);

/// What the flash cost the samples since the start.
pub fn flash_use() -> FlashUse {
    FlashUse {
        erases: ERASES.load(Ordering::Relaxed),
        longest_erase_s: f64::from(LONGEST_MICROSECONDS.load(Ordering::Relaxed)) * 1e-6,
        lost_pairs: analog::lost_in_erases(),
    }
}

/// Runs `action` while nothing but the sampling interrupt is let through.
pub fn alone<R>(action: impl FnOnce() -> R) -> R {
    // SAFETY: thread code raises the level and puts it back.
    let before = unsafe { RunLevel::change(RunLevel::Interrupt(ALL_BUT_SAMPLING)) };
    let result = action();
    // SAFETY: as above.
    unsafe { RunLevel::change(before) };
    result
}

/// Runs `action`, which erases a sector, and counts what it cost.
pub fn counted<R>(action: impl FnOnce() -> R) -> R {
    analog::erasing();
    let began = Instant::now();
    let result = alone(action);
    let took = u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX);
    ERASES.store(ERASES.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    LONGEST_MICROSECONDS.store(LONGEST_MICROSECONDS.load(Ordering::Relaxed).max(took), Ordering::Relaxed);
    result
}

/// The chip, shared by the partitions: one of them has its turn at a time.
pub type Shared = Mutex<NoopRawMutex, FlashStorage<'static>>;

/// Bytes of [`Words`].
const WORDS: usize = 64;

/// What does not lie on a word's border goes through this.
#[repr(align(4))]
struct Words([u8; WORDS]);

// Not by the driver's `read_nor` and `write_nor`: for what does not lie on a word's border they have a sector ready on the
// stack, and take these 4 KB in each call.

fn said(result: Result<(), i32>) -> Result<(), FlashError> {
    result.map_err(|code| FlashError(FlashStorageError::Other(code)))
}

/// Reads whole words to a word's border.
fn read_words(at: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
    check(at, bytes)?;
    // SAFETY: both ends lie on words' borders, as was looked at, and `find` gives no part beyond the chip's end.
    said(alone(|| unsafe { ll::spiflash_read(at, bytes.as_mut_ptr().cast(), bytes.len() as u32) }))
}

/// Writes whole words from a word's border.
fn write_words(at: u32, bytes: &[u8]) -> Result<(), FlashError> {
    check(at, bytes)?;
    alone(|| {
        // Once here, and once by the driver's first erase: it writes a register of the flash that outlasts the power.
        if !UNLOCKED.load(Ordering::Relaxed) {
            // SAFETY: takes nothing; it clears the chip's protection against writing.
            said(unsafe { ll::spiflash_unlock() })?;
            UNLOCKED.store(true, Ordering::Relaxed);
        }
        // SAFETY: as in `read_words`.
        said(unsafe { ll::spiflash_write(at, bytes.as_ptr().cast(), bytes.len() as u32) })
    })
}

fn check(at: u32, bytes: &[u8]) -> Result<(), FlashError> {
    let fits = at.is_multiple_of(4) && bytes.len().is_multiple_of(4) && is_aligned(bytes);
    if fits { Ok(()) } else { Err(FlashError(FlashStorageError::NotAligned)) }
}

fn is_aligned(bytes: &[u8]) -> bool {
    bytes.as_ptr().addr().is_multiple_of(4)
}

/// A part of the flash.
#[derive(Clone, Copy, Debug)]
pub struct Part {
    offset: u32,
    length: u32,
}

/// The chip's flash, for all. Once.
pub fn take(flash: FLASH<'static>) -> &'static Shared {
    static SHARED: StaticCell<Shared> = StaticCell::new();
    SHARED.init(Mutex::new(FlashStorage::new(flash)))
}

/// Memory for the partition table, 3 KB: on the heap, for as long as it is needed.
pub fn table_buffer() -> Vec<u8> {
    vec![0; PARTITION_TABLE_MAX_LEN]
}

/// The partition of this name, as the table in the flash has it. For the start, when nobody else uses the flash.
pub fn find(flash: &Shared, label: &str) -> Option<Part> {
    let mut flash = flash.try_lock().ok()?;
    let mut buffer = table_buffer();
    let capacity = flash.capacity();
    let table = alone(|| read_partition_table(&mut flash, &mut buffer)).ok()?;
    table
        .iter()
        .find(|entry| entry.label_as_str() == label)
        .map(|entry| Part { offset: entry.offset(), length: entry.len() })
        .filter(|part| part.offset.checked_add(part.length).is_some_and(|end| end as usize <= capacity))
}

impl Part {
    /// Bytes in it.
    pub fn length(self) -> u32 {
        self.length
    }

    fn place(self, offset: u32, length: usize) -> Result<u32, FlashError> {
        let length = u32::try_from(length).map_err(|_| FlashError(FlashStorageError::OutOfBounds))?;
        let end = offset.checked_add(length).filter(|&end| end <= self.length);
        end.map(|_| self.offset + offset).ok_or(FlashError(FlashStorageError::OutOfBounds))
    }

    /// Reads whole words.
    pub async fn read(self, flash: &Shared, offset: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        let at = self.place(offset, bytes.len())?;
        let _turn = flash.lock().await;
        if is_aligned(bytes) {
            return read_words(at, bytes);
        }
        for (piece, at) in bytes.chunks_mut(WORDS).zip((at..).step_by(WORDS)) {
            let mut words = Words([0; WORDS]);
            let part = words.0.get_mut(..piece.len()).unwrap_or(&mut []);
            read_words(at, part)?;
            piece.copy_from_slice(part);
        }
        Ok(())
    }

    /// Writes whole words, a page at a time.
    pub async fn write(self, flash: &Shared, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        /// A page is programmed in about a millisecond; others get their turn in between.
        const PAGE: usize = 256;
        let at = self.place(offset, bytes.len())?;
        let page_size = if is_aligned(bytes) { PAGE } else { WORDS };
        for (page, offset) in bytes.chunks(page_size).zip((at..).step_by(page_size)) {
            let turn = flash.lock().await;
            let mut words = Words([0; WORDS]);
            let page = match words.0.get_mut(..page.len()).filter(|_| !is_aligned(page)) {
                Some(part) => {
                    part.copy_from_slice(page);
                    part
                }
                None => page,
            };
            write_words(offset, page)?;
            drop(turn);
            yield_now().await;
        }
        Ok(())
    }

    /// Erases whole sectors, one at a time.
    pub async fn erase(self, flash: &Shared, from: u32, to: u32) -> Result<(), FlashError> {
        let length = to.checked_sub(from).ok_or(FlashError(FlashStorageError::OutOfBounds))?;
        let at = self.place(from, length as usize)?;
        if !from.is_multiple_of(SECTOR) || !to.is_multiple_of(SECTOR) {
            return Err(FlashError(FlashStorageError::NotAligned));
        }
        for sector in (at..at + length).step_by(SECTOR as usize) {
            let mut flash = flash.lock().await;
            counted(|| flash.erase(sector, sector + SECTOR)).map_err(FlashError)?;
            drop(flash);
            yield_now().await;
        }
        Ok(())
    }
}

/// What `esp-storage` says.
#[derive(Clone, Copy, Debug)]
pub struct FlashError(pub FlashStorageError);

impl NorFlashError for FlashError {
    fn kind(&self) -> NorFlashErrorKind {
        match self.0 {
            FlashStorageError::NotAligned => NorFlashErrorKind::NotAligned,
            FlashStorageError::OutOfBounds => NorFlashErrorKind::OutOfBounds,
            _ => NorFlashErrorKind::Other,
        }
    }
}

/// A partition as the application wants it.
pub struct EspFlash<'a> {
    pub flash: &'a Shared,
    pub part: Part,
}

impl ErrorType for EspFlash<'_> {
    type Error = FlashError;
}

impl ReadNorFlash for EspFlash<'_> {
    const READ_SIZE: usize = 4;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        self.part.read(self.flash, offset, bytes).await
    }

    fn capacity(&self) -> usize {
        self.part.length as usize
    }
}

impl NorFlash for EspFlash<'_> {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = SECTOR as usize;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashError> {
        self.part.erase(self.flash, from, to).await
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        self.part.write(self.flash, offset, bytes).await
    }
}
