//! One handle of the slots for each of two tasks: what the running image is hashed with, and what writes the other one.

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;

use crate::platform::UpdateSlots;

/// Slots that each has in its turn, for one call at a time.
pub(super) struct Turns<'a, S>(Mutex<NoopRawMutex, &'a mut S>, u8, u32);

impl<'a, S: UpdateSlots> Turns<'a, S> {
    pub(super) fn new(slots: &'a mut S) -> Self {
        let (running, capacity) = (slots.running(), slots.capacity());
        Self(Mutex::new(slots), running, capacity)
    }
}

impl<S: UpdateSlots> UpdateSlots for &Turns<'_, S> {
    type Error = S::Error;

    fn running(&self) -> u8 {
        self.1
    }

    fn capacity(&self) -> u32 {
        self.2
    }

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), S::Error> {
        self.0.lock().await.erase(from, to).await
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), S::Error> {
        self.0.lock().await.write(offset, bytes).await
    }

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), S::Error> {
        self.0.lock().await.read(offset, bytes).await
    }

    async fn read_running(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), S::Error> {
        self.0.lock().await.read_running(offset, bytes).await
    }

    async fn read_record(&mut self, sector: u8, offset: u32, bytes: &mut [u8]) -> Result<(), S::Error> {
        self.0.lock().await.read_record(sector, offset, bytes).await
    }

    async fn erase_record(&mut self, sector: u8) -> Result<(), S::Error> {
        self.0.lock().await.erase_record(sector).await
    }

    async fn write_record(&mut self, sector: u8, offset: u32, bytes: &[u8]) -> Result<(), S::Error> {
        self.0.lock().await.write_record(sector, offset, bytes).await
    }
}
