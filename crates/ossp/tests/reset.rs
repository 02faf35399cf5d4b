//! The factory reset on simulated flashes: what goes, what stays, and what becomes of it if the history cannot be erased.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

use embedded_storage_async::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use futures_lite::future::block_on;
use ossp::sim::flash::{SECTOR, SimFlash, SimFlashError};
use plug::storage::layout::{CALIBRATION, Place, SETTINGS, STARTS};
use plug::storage::reset::{MARK, Reset, begin_reset, finish_if_begun};

const DATA_SECTORS: usize = plug::storage::layout::SECTORS as usize;
const LOG_SECTORS: usize = 8;
const OLD: u8 = 0x5a;
const NEW: u8 = 0x3c;

/// A flash of which a sector cannot be erased.
struct Stubborn {
    flash: SimFlash,
    refuses: Option<usize>,
}

impl Stubborn {
    fn used(sectors: usize) -> Self {
        let mut flash = SimFlash::new(sectors, 1);
        flash.bytes().fill(OLD);
        Self { flash, refuses: None }
    }

    fn part(&mut self, place: Place) -> &mut [u8] {
        &mut self.flash.bytes()[place.from as usize..][..place.length as usize]
    }

    /// Sectors in which something stands.
    fn full(&mut self) -> Vec<usize> {
        let sectors = self.flash.bytes().chunks(SECTOR).enumerate();
        sectors
            .filter(|(_, bytes)| bytes.iter().any(|byte| *byte != 0xff))
            .map(|(number, _)| number)
            .collect()
    }
}

impl ErrorType for Stubborn {
    type Error = SimFlashError;
}

impl ReadNorFlash for Stubborn {
    const READ_SIZE: usize = SimFlash::READ_SIZE;

    async fn read(&mut self, from: u32, bytes: &mut [u8]) -> Result<(), SimFlashError> {
        self.flash.read(from, bytes).await
    }

    fn capacity(&self) -> usize {
        self.flash.capacity()
    }
}

impl NorFlash for Stubborn {
    const WRITE_SIZE: usize = SimFlash::WRITE_SIZE;
    const ERASE_SIZE: usize = SimFlash::ERASE_SIZE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), SimFlashError> {
        let refused =
            self.refuses.is_some_and(|sector| (from as usize..to as usize).contains(&(sector * SECTOR)));
        if refused { Err(SimFlashError::Broken) } else { self.flash.erase(from, to).await }
    }

    async fn write(&mut self, from: u32, bytes: &[u8]) -> Result<(), SimFlashError> {
        self.flash.write(from, bytes).await
    }
}

fn finish(flash: &mut Stubborn, log: &mut Stubborn) -> Reset {
    block_on(finish_if_begun(flash, Some(log))).unwrap()
}

#[test]
fn a_reset_leaves_nothing_but_calibration_and_starts() {
    let (mut flash, mut log) = (Stubborn::used(DATA_SECTORS), Stubborn::used(LOG_SECTORS));
    let mut untouched = flash.flash.clone();
    assert_eq!(finish(&mut flash, &mut log), Reset::None);
    untouched.bytes()[MARK.from as usize..].fill(0xff);
    assert!(flash.flash.bytes() == untouched.bytes(), "nothing was begun");
    assert_eq!(log.full().len(), LOG_SECTORS);
    block_on(begin_reset(&mut flash)).unwrap();
    assert_eq!(log.full().len(), LOG_SECTORS, "the next start erases");
    assert_eq!(finish(&mut flash, &mut log), Reset::Done);
    assert_only_what_stays(&mut flash);
    assert!(log.full().is_empty());
    assert_eq!(finish(&mut flash, &mut log), Reset::None);
}

#[test]
fn a_plug_without_a_history_is_reset_too() {
    let mut flash = Stubborn::used(DATA_SECTORS);
    block_on(begin_reset(&mut flash)).unwrap();
    assert_eq!(block_on(finish_if_begun(&mut flash, None)), Ok(Reset::Done));
    assert_only_what_stays(&mut flash);
}

fn assert_only_what_stays(flash: &mut Stubborn) {
    for (at, byte) in flash.flash.bytes().iter().enumerate() {
        let stays = [STARTS, CALIBRATION]
            .iter()
            .any(|place| (place.from..place.from + place.length).contains(&(at as u32)));
        assert_eq!(*byte, if stays { OLD } else { 0xff }, "at {at}");
    }
}

#[test]
fn a_history_that_cannot_be_erased_keeps_neither_the_keys_nor_its_other_sectors() {
    let (mut flash, mut log) = (Stubborn::used(DATA_SECTORS), Stubborn::used(LOG_SECTORS));
    log.refuses = Some(2);
    block_on(begin_reset(&mut flash)).unwrap();
    assert_eq!(finish(&mut flash, &mut log), Reset::ButLog);
    assert_eq!(log.full(), [2]);
    let mark = flash.part(MARK).to_vec();
    flash.part(MARK).fill(0xff);
    assert_only_what_stays(&mut flash);
    flash.part(MARK).copy_from_slice(&mark);

    // What the plug keeps from now on is not taken by the starts that try again.
    flash.part(SETTINGS).fill(NEW);
    assert_eq!(finish(&mut flash, &mut log), Reset::StillLog);
    assert!(flash.part(SETTINGS).iter().all(|byte| *byte == NEW));
    log.refuses = None;
    assert_eq!(finish(&mut flash, &mut log), Reset::LogGone);
    assert!(log.full().is_empty());
    assert!(flash.part(SETTINGS).iter().all(|byte| *byte == NEW));
    assert!(flash.part(MARK).iter().all(|byte| *byte == 0xff));
    assert_eq!(finish(&mut flash, &mut log), Reset::None);
}

#[test]
fn a_second_reset_erases_all_again_where_the_first_left_the_history() {
    let (mut flash, mut log) = (Stubborn::used(DATA_SECTORS), Stubborn::used(LOG_SECTORS));
    log.refuses = Some(2);
    block_on(begin_reset(&mut flash)).unwrap();
    assert_eq!(finish(&mut flash, &mut log), Reset::ButLog);
    flash.part(SETTINGS).fill(NEW);
    block_on(begin_reset(&mut flash)).unwrap();
    assert_eq!(finish(&mut flash, &mut log), Reset::ButLog);
    assert!(flash.part(SETTINGS).iter().all(|byte| *byte == 0xff));
}

/// The note that only the history is left is written where the power may go, too.
#[test]
fn a_cut_while_the_note_is_written_only_begins_anew() {
    for steps in 0..2000 {
        let (mut flash, mut log) = (Stubborn::used(DATA_SECTORS), Stubborn::used(LOG_SECTORS));
        log.refuses = Some(2);
        block_on(begin_reset(&mut flash)).unwrap();
        flash.flash.cut_power_after(steps);
        let whole = block_on(finish_if_begun(&mut flash, Some(&mut log))).is_ok();
        flash.flash.restore_power();
        if whole {
            assert!(steps > 100, "the cuts met something");
            return;
        }
        assert_eq!(finish(&mut flash, &mut log), Reset::ButLog, "{steps}");
        log.refuses = None;
        assert_eq!(finish(&mut flash, &mut log), Reset::LogGone, "{steps}");
        assert_only_what_stays(&mut flash);
    }
    panic!("it never became whole");
}
