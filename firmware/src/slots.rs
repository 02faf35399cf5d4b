//! The platform's update slots: the two application partitions and the record of which one the boot loader starts, raw.
//! What is written into the record is decided in `plug::update`.

use embassy_futures::block_on;
use esp_bootloader_esp_idf::partitions::read_partition_table;
use plug::platform::UpdateSlots;
use plug::update::trial::{self, Begin};

use crate::flash::{FlashError, Part, SECTOR, Shared, alone, find, table_buffer};
use crate::hold;

/// Application partitions of `partitions.csv`.
const SLOTS: [&str; 2] = ["ota_0", "ota_1"];
/// The record's.
const RECORD: &str = "otadata";

/// Both slots.
pub struct EspSlots<'a> {
    flash: &'a Shared,
    running: u8,
    parts: [Part; 2],
    record: Part,
}

/// Finds the slots and counts a crash of a new image: before anything else that could crash. If that was one too many, it
/// restarts once `last_words` has kept what it said. `None` if the table in the flash is not ours. Not inlined: what it takes of the stack is free again when
/// it is done; and it waits for nothing, since the scheduler does not run yet.
#[inline(never)]
pub fn begin(
    flash: &'static Shared,
    reset_reason: &str,
    last_words: impl FnOnce(),
) -> Option<EspSlots<'static>> {
    let mut slots = EspSlots::find(flash)?;
    match block_on(trial::begin(&mut slots, reset_reason)) {
        Begin::Runs(_) => Some(slots),
        Begin::WentBack => {
            last_words();
            hold::restart(false)
        }
    }
}

impl<'a> EspSlots<'a> {
    fn find(flash: &'a Shared) -> Option<Self> {
        let [first, second] = SLOTS;
        let parts = [find(flash, first)?, find(flash, second)?];
        Some(Self { flash, running: running(flash)?, parts, record: find(flash, RECORD)? })
    }

    fn part(&self, slot: u8) -> Part {
        let [first, second] = self.parts;
        if slot == 0 { first } else { second }
    }

    fn other(&self) -> Part {
        self.part(1 - self.running)
    }
}

/// Which slot is mapped where programs run.
fn running(flash: &Shared) -> Option<u8> {
    let mut flash = flash.try_lock().ok()?;
    let mut buffer = table_buffer();
    let table = alone(|| read_partition_table(&mut flash, &mut buffer)).ok()?;
    let booted = table.booted_partition().ok()??;
    SLOTS.iter().position(|name| *name == booted.label_as_str()).map(|slot| slot as u8)
}

impl UpdateSlots for EspSlots<'_> {
    type Error = FlashError;

    fn running(&self) -> u8 {
        self.running
    }

    fn capacity(&self) -> u32 {
        self.other().length()
    }

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashError> {
        self.other().erase(self.flash, from, to).await
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        self.other().write(self.flash, offset, bytes).await
    }

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        self.other().read(self.flash, offset, bytes).await
    }

    async fn read_running(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        self.part(self.running).read(self.flash, offset, bytes).await
    }

    async fn read_record(&mut self, sector: u8, offset: u32, bytes: &mut [u8]) -> Result<(), FlashError> {
        self.record.read(self.flash, u32::from(sector) * SECTOR + offset, bytes).await
    }

    async fn erase_record(&mut self, sector: u8) -> Result<(), FlashError> {
        // From here on the next start may be the other image's.
        hold::forbid();
        let from = u32::from(sector) * SECTOR;
        self.record.erase(self.flash, from, from + SECTOR).await
    }

    async fn write_record(&mut self, sector: u8, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        self.record.write(self.flash, u32::from(sector) * SECTOR + offset, bytes).await
    }
}
