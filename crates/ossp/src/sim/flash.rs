//! A NOR flash as chips have it, with what can go wrong: bits that are only cleared, sectors that wear, and a power
//! cut at any step of a write or an erase.

use std::time::Duration;

use embedded_storage_async::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use thiserror::Error;

use super::random::{Random, stream};

/// Bytes of a word: reads and writes are whole ones (the ESP32's flash driver wants it so).
pub const WORD: usize = 4;
/// Bytes of a sector: what an erase takes.
pub const SECTOR: usize = 4096;
/// Steps of an erase between which a power cut can come.
const ERASE_STEPS: u32 = 4;
/// How long a sector takes at the least, how much longer on average, and at the most: common 4 MB chips state 45 ms
/// typical and 400 ms at the most for a sector of 4 KB.
const ERASE_LEAST_S: f64 = 0.045;
const ERASE_MORE_S: f64 = 0.020;
const ERASE_MOST_S: f64 = 0.400;
/// One in so many takes the longest time: a worn sector.
const ERASES_A_LONGEST: f64 = 50.0;

/// How long the erases of a flash take, one after the other. [`SimFlash`] itself knows no time.
#[derive(Clone, Debug)]
pub struct EraseTimes(Random);

impl EraseTimes {
    /// The same seed gives the same times.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Random::new(seed, stream::ERASE_TIMES))
    }

    /// Of the next sector.
    pub fn draw(&mut self) -> Duration {
        let longest = self.0.fraction() * ERASES_A_LONGEST <= 1.0;
        let more = self.0.waiting_time(ERASE_MORE_S);
        let seconds = if longest { ERASE_MOST_S } else { (ERASE_LEAST_S + more).min(ERASE_MOST_S) };
        Duration::from_secs_f64(seconds)
    }
}

/// Why the flash does not do it.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum SimFlashError {
    /// Outside, or not whole words or sectors: a fault of whoever asks.
    #[error("outside the flash, or not whole words or sectors")]
    BadPlace,
    /// The power is gone, until [`SimFlash::restore_power`].
    #[error("the power is gone")]
    NoPower,
    /// The chip does not answer (see [`SimFlash::break_down`]).
    #[error("the flash is broken")]
    Broken,
}

impl NorFlashError for SimFlashError {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

/// The flash. Its contents stay over a power cut, as do its counters.
#[derive(Clone, Debug)]
pub struct SimFlash {
    bytes: Vec<u8>,
    /// Erases of each sector.
    erases: Vec<u32>,
    words_written: u64,
    /// Steps until the power goes.
    steps_left: Option<u32>,
    powered: bool,
    broken: bool,
    random: Random,
}

impl SimFlash {
    /// An erased one of this many sectors; `seed` decides what a power cut leaves behind.
    #[must_use]
    pub fn new(sectors: usize, seed: u64) -> Self {
        Self {
            bytes: vec![0xff; sectors * SECTOR],
            erases: vec![0; sectors],
            words_written: 0,
            steps_left: None,
            powered: true,
            broken: false,
            random: Random::new(seed, stream::FLASH),
        }
    }

    /// The power goes after so many steps: a word written is one, an erased sector four. The step that it meets is
    /// done half.
    pub fn cut_power_after(&mut self, steps: u32) {
        self.steps_left = Some(steps);
    }

    /// Whether the power went.
    #[must_use]
    pub fn is_off(&self) -> bool {
        !self.powered
    }

    /// The power is there, and stays.
    pub fn restore_power(&mut self) {
        self.powered = true;
        self.steps_left = None;
    }

    /// From now on nothing works.
    pub fn break_down(&mut self) {
        self.broken = true;
    }

    /// What is in it, past all rules: a test makes a mess or looks.
    pub fn bytes(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// Erases of the sector that was erased most often.
    #[must_use]
    pub fn most_erases(&self) -> u32 {
        self.erases.iter().copied().max().unwrap_or(0)
    }

    /// Erases of all sectors together.
    #[must_use]
    pub fn erases(&self) -> u64 {
        self.erases.iter().map(|count| u64::from(*count)).sum()
    }

    /// Words written so far.
    #[must_use]
    pub fn words_written(&self) -> u64 {
        self.words_written
    }

    fn range(&self, from: u32, length: usize, unit: usize) -> Result<core::ops::Range<usize>, SimFlashError> {
        let from = usize::try_from(from).map_err(|_| SimFlashError::BadPlace)?;
        let whole = from.is_multiple_of(unit) && length.is_multiple_of(unit);
        match from.checked_add(length) {
            Some(to) if whole && to <= self.bytes.len() => Ok(from..to),
            _ => Err(SimFlashError::BadPlace),
        }
    }

    fn ready(&self) -> Result<(), SimFlashError> {
        if self.broken {
            Err(SimFlashError::Broken)
        } else if self.powered {
            Ok(())
        } else {
            Err(SimFlashError::NoPower)
        }
    }

    /// One step; an error if the power goes in it.
    fn step(&mut self) -> Result<(), SimFlashError> {
        match self.steps_left {
            Some(0) => {
                self.powered = false;
                Err(SimFlashError::NoPower)
            }
            Some(left) => {
                self.steps_left = Some(left - 1);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Some bits, about half of them.
    fn some_bits(&mut self) -> u8 {
        (self.random.fraction() * 256.0) as u8
    }

    /// Writes one word's bytes; a power cut clears only some of the bits.
    fn write_word(&mut self, at: usize, word: &[u8]) -> Result<(), SimFlashError> {
        let cut = self.step();
        for (offset, byte) in word.iter().enumerate() {
            let not_reached = if cut.is_err() { self.some_bits() } else { 0 };
            if let Some(cell) = self.bytes.get_mut(at + offset) {
                *cell &= byte | not_reached;
            }
        }
        self.words_written += 1;
        cut
    }

    /// Erases one sector; a power cut leaves some bits as they were.
    fn erase_sector(&mut self, sector: usize) -> Result<(), SimFlashError> {
        if let Some(count) = self.erases.get_mut(sector) {
            *count += 1;
        }
        let cells = sector * SECTOR..(sector + 1) * SECTOR;
        for step in 0..ERASE_STEPS {
            if let Err(cut) = self.step() {
                for at in cells {
                    // A quarter of the bits more with each step, each bit by chance.
                    let raised = match step {
                        0 => 0,
                        1 => self.some_bits() & self.some_bits(),
                        2 => self.some_bits(),
                        _ => self.some_bits() | self.some_bits(),
                    };
                    if let Some(cell) = self.bytes.get_mut(at) {
                        *cell |= raised;
                    }
                }
                return Err(cut);
            }
        }
        if let Some(cells) = self.bytes.get_mut(cells) {
            cells.fill(0xff);
        }
        Ok(())
    }
}

impl ErrorType for SimFlash {
    type Error = SimFlashError;
}

impl ReadNorFlash for SimFlash {
    const READ_SIZE: usize = WORD;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), SimFlashError> {
        self.ready()?;
        let range = self.range(offset, bytes.len(), WORD)?;
        bytes.copy_from_slice(self.bytes.get(range).ok_or(SimFlashError::BadPlace)?);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl NorFlash for SimFlash {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = SECTOR;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), SimFlashError> {
        self.ready()?;
        let length = to.checked_sub(from).ok_or(SimFlashError::BadPlace)?;
        let range = self.range(from, length as usize, SECTOR)?;
        (range.start / SECTOR..range.end / SECTOR).try_for_each(|sector| self.erase_sector(sector))
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), SimFlashError> {
        self.ready()?;
        let range = self.range(offset, bytes.len(), WORD)?;
        range.step_by(WORD).zip(bytes.chunks(WORD)).try_for_each(|(at, word)| self.write_word(at, word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::block_on;

    fn read(flash: &mut SimFlash, at: u32) -> [u8; 4] {
        let mut word = [0; 4];
        block_on(flash.read(at, &mut word)).unwrap();
        word
    }

    #[test]
    fn erases_take_45_to_400_ms() {
        let mut times = EraseTimes::new(1);
        let mut all: Vec<u128> = (0..1000).map(|_| times.draw().as_millis()).collect();
        all.sort_unstable();
        assert_eq!((all[0], all[999]), (45, 400));
        assert!((50..70).contains(&all[500]) && all[900] < 150, "{all:?}");
    }

    #[test]
    fn writing_only_clears_bits_and_erasing_sets_them() {
        let mut flash = SimFlash::new(2, 1);
        block_on(flash.write(8, &[0xf0, 0x0f, 0xff, 0])).unwrap();
        block_on(flash.write(8, &[0xff, 0xf0, 0x55, 0xff])).unwrap();
        assert_eq!(read(&mut flash, 8), [0xf0, 0, 0x55, 0]);
        block_on(flash.erase(0, 4096)).unwrap();
        assert_eq!(read(&mut flash, 8), [0xff; 4]);
        assert_eq!((flash.erases(), flash.most_erases(), flash.words_written()), (1, 1, 2));
    }

    #[test]
    fn what_is_not_whole_or_outside_is_refused() {
        let mut flash = SimFlash::new(2, 1);
        let bad = Err(SimFlashError::BadPlace);
        assert_eq!(block_on(flash.write(2, &[0; 4])), bad);
        assert_eq!(block_on(flash.write(0, &[0; 3])), bad);
        assert_eq!(block_on(flash.write(8192, &[0; 4])), bad);
        assert_eq!(block_on(flash.read(8190, &mut [0; 4])), bad);
        assert_eq!(block_on(flash.erase(0, 100)), bad);
        assert_eq!(block_on(flash.erase(4096, 0)), bad);
        assert_eq!(block_on(flash.erase(4096, 12_288)), bad);
        flash.break_down();
        assert_eq!(block_on(flash.read(0, &mut [0; 4])), Err(SimFlashError::Broken));
    }

    #[test]
    fn a_power_cut_leaves_the_rest_undone_and_one_step_half_done() {
        let mut flash = SimFlash::new(1, 7);
        flash.cut_power_after(2);
        assert_eq!(block_on(flash.write(0, &[0; 16])), Err(SimFlashError::NoPower));
        assert!(flash.is_off());
        assert_eq!(block_on(flash.read(0, &mut [0; 4])), Err(SimFlashError::NoPower));
        flash.restore_power();
        assert_eq!((read(&mut flash, 0), read(&mut flash, 4)), ([0; 4], [0; 4]));
        assert_ne!(read(&mut flash, 8), [0; 4]);
        assert_eq!(read(&mut flash, 12), [0xff; 4]);
        flash.bytes().fill(0);
        flash.cut_power_after(2);
        assert_eq!(block_on(flash.erase(0, 4096)), Err(SimFlashError::NoPower));
        let set: u32 = flash.bytes().iter().map(|byte| byte.count_ones()).sum();
        assert!((14_000..18_000).contains(&set), "about half of the bits: {set}");
    }
}
