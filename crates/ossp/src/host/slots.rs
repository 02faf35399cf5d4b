//! The two places for firmware, and the record of which one is started, as three files in the state folder. The
//! processor does not run what is in them: the program stays what it is, takes the image's version for its own, and
//! does what the image says of itself.

use std::path::Path;

use embedded_storage_async::nor_flash::NorFlash;
use plug::platform::UpdateSlots;
use plug::update::image::{AppImage, ChipId, Walk};

use super::boot::{BootLoader, boot};
use super::flash::{FileFlash, FileFlashError};

/// Bytes of a slot on the chip (DESIGN "Space").
pub const SLOT: u32 = 0x15_0000;
/// Bytes of the record: `otadata` of the partition table.
pub const RECORD: u32 = 2 * SECTOR;
const SECTOR: u32 = 4096;
const WORD: usize = 4;
/// Bytes of an image that are read at once.
const PIECE: usize = 4096;

/// The slots in any flash: files, or one whose power can be cut.
#[derive(Debug)]
pub struct VirtualSlots<F> {
    slots: [F; 2],
    record: F,
    running: u8,
}

/// The slots in files.
pub type FileSlots = VirtualSlots<FileFlash>;

impl FileSlots {
    /// Opens the files, making them if need be, and does what a plug's boot loader does at a start.
    ///
    /// # Errors
    /// If the operating system does not let it, or another process has them open.
    pub async fn open(folder: &Path) -> Result<Self, FileFlashError> {
        let file = |name: &str, size| FileFlash::open(&folder.join(name), size);
        let slots = [file("slot-0.bin", SLOT)?, file("slot-1.bin", SLOT)?];
        Self::boot(slots, file("otadata.bin", RECORD)?, BootLoader::Plain).await
    }
}

impl<F: NorFlash> VirtualSlots<F> {
    /// Does what a plug's boot loader does at a start. Slot 0 without an image stands for the program itself, and so does
    /// a plug in which no image is whole.
    ///
    /// # Errors
    /// If the flash fails.
    pub async fn boot(mut slots: [F; 2], mut record: F, boot_loader: BootLoader) -> Result<Self, F::Error> {
        let mut is_whole = [false; 2];
        for (slot, whole) in slots.iter_mut().zip(&mut is_whole) {
            *whole = is_bootable(slot).await?;
        }
        let mut first = [0; WORD];
        slots[0].read(0, &mut first).await?;
        is_whole[0] |= first == [0xff; WORD];
        let running = boot(&mut record, is_whole, boot_loader).await?.unwrap_or(0);
        Ok(Self { slots, record, running })
    }

    /// As they are after a start of the slot `running`.
    pub const fn started(slots: [F; 2], record: F, running: u8) -> Self {
        Self { slots, record, running }
    }

    /// The flashes, for the next start.
    pub fn into_parts(self) -> ([F; 2], F) {
        (self.slots, self.record)
    }

    fn other(&mut self) -> &mut F {
        let [first, second] = &mut self.slots;
        if self.running == 0 { second } else { first }
    }
}

/// Whether a slot holds a whole image for this machine.
async fn is_bootable<F: NorFlash>(slot: &mut F) -> Result<bool, F::Error> {
    let mut piece = [0; PIECE];
    slot.read(0, &mut piece).await?;
    let ours = AppImage::parse(&piece).ok().flatten().is_some_and(|image| image.chip == ChipId::PC);
    let mut walk = Walk::new(SLOT);
    let mut at = 0;
    while ours && at < SLOT && walk.whole().is_none() {
        slot.read(at, &mut piece).await?;
        if walk.feed(&piece).is_err() {
            return Ok(false);
        }
        at += PIECE as u32;
    }
    Ok(walk.whole().is_some())
}

impl<F: NorFlash<Error: std::fmt::Debug>> UpdateSlots for VirtualSlots<F> {
    type Error = F::Error;

    fn running(&self) -> u8 {
        self.running
    }

    fn capacity(&self) -> u32 {
        SLOT
    }

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), F::Error> {
        self.other().erase(from, to).await
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), F::Error> {
        self.other().write(offset, bytes).await
    }

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), F::Error> {
        self.other().read(offset, bytes).await
    }

    async fn read_running(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), F::Error> {
        let [first, second] = &mut self.slots;
        if self.running == 0 { first } else { second }.read(offset, bytes).await
    }

    async fn read_record(&mut self, sector: u8, offset: u32, bytes: &mut [u8]) -> Result<(), F::Error> {
        self.record.read(u32::from(sector) * SECTOR + offset, bytes).await
    }

    async fn erase_record(&mut self, sector: u8) -> Result<(), F::Error> {
        let from = u32::from(sector) * SECTOR;
        self.record.erase(from, from + SECTOR).await
    }

    async fn write_record(&mut self, sector: u8, offset: u32, bytes: &[u8]) -> Result<(), F::Error> {
        self.record.write(u32::from(sector) * SECTOR + offset, bytes).await
    }
}
