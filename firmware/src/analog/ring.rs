//! Pairs on their way from the sampling interrupt to the core: one writer, one reader, no lock. Everything in here
//! is inlined into the interrupt, so that it lies in RAM with it.

use core::sync::atomic::{AtomicU32, Ordering};

/// Pairs that wait at the most: half a second at 4 kHz, longer than the longest erase of a sector (400 ms).
pub const CAPACITY: usize = 2048;
/// No count has this: a converter of 12 bits.
const LOST: u32 = 0xffff;
/// Most that one entry can tell lost.
const MOST_LOST: u32 = 0xffff;

/// What the reader finds next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A pair of raw counts.
    Pair { voltage: u16, current: u16 },
    /// So many pairs are missing here.
    Lost(u32),
}

/// The ring.
pub struct Ring {
    entries: [AtomicU32; CAPACITY],
    /// Entries ever written; only the interrupt writes it.
    written: AtomicU32,
    /// Entries ever read; only the core writes it.
    read: AtomicU32,
}

impl Ring {
    pub const fn new() -> Self {
        Self {
            entries: [const { AtomicU32::new(0) }; CAPACITY],
            written: AtomicU32::new(0),
            read: AtomicU32::new(0),
        }
    }

    /// Appends a pair; `false` if there is no room.
    #[inline(always)]
    pub fn push_pair(&self, voltage: u16, current: u16) -> bool {
        self.push(u32::from(voltage) | u32::from(current) << 16)
    }

    /// Appends up to 65,535 lost pairs and says how many there was room to tell.
    #[inline(always)]
    pub fn push_lost(&self, count: u32) -> u32 {
        let count = count.min(MOST_LOST);
        if self.push(LOST | count << 16) { count } else { 0 }
    }

    #[inline(always)]
    fn push(&self, entry: u32) -> bool {
        let written = self.written.load(Ordering::Relaxed);
        if written.wrapping_sub(self.read.load(Ordering::Acquire)) as usize >= CAPACITY {
            return false;
        }
        if let Some(place) = self.entries.get(written as usize % CAPACITY) {
            place.store(entry, Ordering::Relaxed);
        }
        self.written.store(written.wrapping_add(1), Ordering::Release);
        true
    }

    /// Entries that wait.
    pub fn waiting(&self) -> usize {
        self.written.load(Ordering::Acquire).wrapping_sub(self.read.load(Ordering::Relaxed)) as usize
    }

    /// The oldest entry.
    pub fn peek(&self) -> Option<Entry> {
        if self.waiting() == 0 {
            return None;
        }
        let read = self.read.load(Ordering::Relaxed);
        let entry = self.entries.get(read as usize % CAPACITY)?.load(Ordering::Relaxed);
        let (low, high) = (entry & 0xffff, entry >> 16);
        Some(match low {
            LOST => Entry::Lost(high),
            _ => Entry::Pair { voltage: low as u16, current: high as u16 },
        })
    }

    /// Takes what [`Self::peek`] showed.
    pub fn drop_oldest(&self) {
        let read = self.read.load(Ordering::Relaxed);
        self.read.store(read.wrapping_add(1), Ordering::Release);
    }
}
