//! The platform's update slots: the two application partitions and the record of which one the bootloader starts.

use embassy_futures::yield_now;
use esp_bootloader_esp_idf::ota::{Ota, OtaImageState};
use esp_bootloader_esp_idf::partitions::{
    AppPartitionSubType, DataPartitionSubType, Error as TableError, PartitionType, read_partition_table,
};
use esp_storage::FlashStorage;
use plug::platform::{ImageState, UpdateSlots};

use crate::flash::{FlashError, Part, Shared, alone, counted, find, table_buffer};
use crate::hold;

/// Application partitions of `partitions.csv`.
const SLOTS: [&str; 2] = ["ota_0", "ota_1"];

/// Both slots.
pub struct EspSlots<'a> {
    flash: &'a Shared,
    running: u8,
    other: Part,
}

/// What can go wrong. Told through `Debug`.
#[derive(Debug)]
#[allow(dead_code, reason = "the compiler does not count Debug as a reader")]
pub enum SlotError {
    /// The flash says.
    Flash(FlashError),
    /// The table or the record says.
    Record(TableError),
}

impl From<FlashError> for SlotError {
    fn from(error: FlashError) -> Self {
        Self::Flash(error)
    }
}

impl From<TableError> for SlotError {
    fn from(error: TableError) -> Self {
        Self::Record(error)
    }
}

impl<'a> EspSlots<'a> {
    /// Finds out which slot runs; `None` if the table in the flash is not ours.
    pub async fn find(flash: &'a Shared) -> Option<Self> {
        let mut storage = flash.lock().await;
        let mut buffer = table_buffer();
        let table = alone(|| read_partition_table(&mut storage, &mut buffer)).ok()?;
        let booted = table.booted_partition().ok()??;
        let [first, second] = SLOTS;
        let (running, other) = if booted.label_as_str() == second { (1, first) } else { (0, second) };
        let other = find(&mut storage, other)?;
        drop(storage);
        Some(Self { flash, running, other })
    }

    async fn record<R>(
        &self,
        action: impl FnOnce(&mut Ota<'_, 'static>) -> Result<R, TableError>,
    ) -> Result<R, SlotError> {
        let mut flash = self.flash.lock().await;
        Ok(with_record(&mut flash, action)?)
    }
}

/// Not inlined: it reads the table through the driver, which takes 4 KB of the stack.
#[inline(never)]
fn with_record<R>(
    flash: &mut FlashStorage<'static>,
    action: impl FnOnce(&mut Ota<'_, 'static>) -> Result<R, TableError>,
) -> Result<R, TableError> {
    let mut buffer = table_buffer();
    let table = alone(|| read_partition_table(flash, &mut buffer))?;
    let entry = table.find_partition(PartitionType::Data(DataPartitionSubType::Ota))?;
    let region = entry.ok_or(TableError::Invalid)?.as_flash_region(flash);
    let mut record = Ota::new(region, SLOTS.len())?;
    alone(|| action(&mut record))
}

impl UpdateSlots for EspSlots<'_> {
    type Error = SlotError;

    fn running(&self) -> u8 {
        self.running
    }

    fn capacity(&self) -> u32 {
        self.other.length()
    }

    async fn state(&mut self) -> Result<ImageState, SlotError> {
        match self.record(|record| record.current_ota_state()).await {
            Ok(OtaImageState::Valid) => Ok(ImageState::Confirmed),
            Ok(OtaImageState::New | OtaImageState::PendingVerify) => Ok(ImageState::OnProbation),
            // Nothing was ever written: the image came by cable.
            Ok(_) | Err(SlotError::Record(TableError::InvalidState)) => Ok(ImageState::Unrecorded),
            Err(error) => Err(error),
        }
    }

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), SlotError> {
        Ok(self.other.erase(self.flash, from, to).await?)
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), SlotError> {
        Ok(self.other.write(self.flash, offset, bytes).await?)
    }

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), SlotError> {
        Ok(self.other.read(self.flash, offset, bytes).await?)
    }

    async fn activate(&mut self) -> Result<(), SlotError> {
        let other = if self.running == 0 { AppPartitionSubType::Ota1 } else { AppPartitionSubType::Ota0 };
        hold::forbid();
        // Two erases, and others have their turn in between: together they could outlast what the samples can wait.
        self.record(|record| counted(|| record.set_current_app_partition(other))).await?;
        yield_now().await;
        self.record(|record| counted(|| record.set_current_ota_state(OtaImageState::New))).await
    }

    async fn confirm(&mut self) -> Result<(), SlotError> {
        self.record(|record| counted(|| record.set_current_ota_state(OtaImageState::Valid))).await
    }
}
