//! A NOR flash in RAM: like the chip's, it erases sectors to ones, writes words of which it can only clear bits, and
//! wants both aligned. Like no flash, it is empty after each start.

use embedded_storage_async::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};

/// Where the partitions lie: beyond the 200 KB, since a chip's flash takes no RAM.
const DATA: usize = 0x80a0_0000;
const LOG: usize = 0x80b0_0000;
const SECTOR: usize = 4096;
const WORD: usize = 4;
/// As the chip's partitions: 320 KB and 1 MB.
const DATA_SECTORS: usize = plug::storage::layout::SECTORS as usize;
const LOG_SECTORS: usize = plug::history::SECTORS as usize;
const ERASED: u8 = 0xff;

/// A partition.
pub struct RamFlash(&'static mut [u8]);

impl RamFlash {
    /// The data partition and the history's, all erased; `None` the second time.
    #[must_use]
    pub fn take() -> Option<[Self; 2]> {
        static TAKEN: portable_atomic::AtomicBool = portable_atomic::AtomicBool::new(false);
        if TAKEN.swap(true, portable_atomic::Ordering::Relaxed) {
            return None;
        }
        Some([(DATA, DATA_SECTORS), (LOG, LOG_SECTORS)].map(|(at, sectors)| {
            // SAFETY: these parts of QEMU's memory are nobody else's (memory.x, network.rs), and they are taken once.
            let memory = unsafe { core::slice::from_raw_parts_mut(at as *mut u8, sectors * SECTOR) };
            memory.fill(ERASED);
            Self(memory)
        }))
    }

    /// The bytes from `from` to `to`, if they are whole units of `unit`.
    fn range(&mut self, from: u32, to: usize, unit: usize) -> Result<&mut [u8], NorFlashErrorKind> {
        let from = from as usize;
        if !from.is_multiple_of(unit) || !to.is_multiple_of(unit) {
            return Err(NorFlashErrorKind::NotAligned);
        }
        self.0.get_mut(from..to).ok_or(NorFlashErrorKind::OutOfBounds)
    }
}

impl ErrorType for RamFlash {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for RamFlash {
    const READ_SIZE: usize = WORD;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        let found = self.range(offset, (offset as usize).saturating_add(bytes.len()), WORD)?;
        bytes.copy_from_slice(found);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.len()
    }
}

impl NorFlash for RamFlash {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = SECTOR;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        self.range(from, to as usize, SECTOR)?.fill(ERASED);
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        let cells = self.range(offset, (offset as usize).saturating_add(bytes.len()), WORD)?;
        cells.iter_mut().zip(bytes).for_each(|(cell, byte)| *cell &= byte);
        Ok(())
    }
}
