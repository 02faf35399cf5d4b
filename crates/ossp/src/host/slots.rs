//! The two places for firmware as files in the state folder. Nothing in them runs on a PC: the program stays what it
//! is, and the record says what a plug would run, so that updates can be tried.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use plug::platform::{ImageState, UpdateSlots};
use thiserror::Error;

/// Bytes of a slot on the chip (DESIGN "Space").
const CAPACITY: u32 = 0x14_7000;
const SECTOR: u32 = 4096;
const WORD: u32 = 4;
const RECORD: &str = "slots";

/// Why a slot does not do it.
#[derive(Debug, Error)]
pub enum SlotError {
    /// Outside, or not whole words or sectors.
    #[error("outside the slot, or not whole words or sectors")]
    BadPlace,
    /// The operating system says no.
    #[error("{0}")]
    System(#[from] io::Error),
}

/// What the record says of the chosen slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Nobody kept a record.
    Unrecorded,
    /// Activated; it runs from the next start on.
    New,
    /// It was started; without a confirmation the next start goes back.
    Tried,
    /// It proved itself.
    Confirmed,
}

impl Standing {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Unrecorded, "unrecorded"),
        (Self::New, "new"),
        (Self::Tried, "tried"),
        (Self::Confirmed, "confirmed"),
    ];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(standing, _)| *standing == self).map_or("", |(_, name)| *name)
    }
}

/// The record: which slot is chosen, how it stands, and how the other one stood before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Record {
    slot: u8,
    standing: Standing,
    other: Standing,
}

impl Record {
    const FIRST: Self = Self { slot: 0, standing: Standing::Unrecorded, other: Standing::Unrecorded };

    /// One line: slot, standing, the other's standing.
    fn parse(text: &str) -> Option<Self> {
        let mut words = text.strip_suffix('\n')?.split(' ');
        let slot = words.next()?.parse().ok().filter(|slot| *slot < 2)?;
        let mut standing = || {
            let word = words.next()?;
            Standing::ALL.iter().find(|(_, name)| *name == word).map(|(standing, _)| *standing)
        };
        Some(Self { slot, standing: standing()?, other: standing()? })
    }
}

/// The slots.
#[derive(Debug)]
pub struct FileSlots {
    folder: PathBuf,
    record: Record,
    running: u8,
}

impl FileSlots {
    /// Does what a plug's boot loader does at a start: tries a new image once, and goes back from one that was
    /// tried and not confirmed. A record that cannot be understood is none.
    ///
    /// # Errors
    /// If the operating system does not let it.
    pub fn boot(folder: &Path) -> Result<Self, SlotError> {
        let found = match fs::read(folder.join(RECORD)) {
            Ok(bytes) => String::from_utf8(bytes).ok().and_then(|text| Record::parse(&text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error.into()),
        };
        let mut slots = Self { folder: folder.to_owned(), record: Record::FIRST, running: 0 };
        slots.record = found.unwrap_or(Record::FIRST);
        let record = slots.record;
        match record.standing {
            Standing::New => slots.keep(Record { standing: Standing::Tried, ..record })?,
            Standing::Tried => slots.keep(Record {
                slot: 1 - record.slot,
                standing: record.other,
                other: Standing::Unrecorded,
            })?,
            Standing::Unrecorded | Standing::Confirmed => {}
        }
        slots.running = slots.record.slot;
        Ok(slots)
    }

    /// Keeps a record, whole or not at all.
    fn keep(&mut self, record: Record) -> Result<(), SlotError> {
        let (path, fresh) = (self.folder.join(RECORD), self.folder.join("slots.new"));
        let mut file = File::create(&fresh)?;
        writeln!(file, "{} {} {}", record.slot, record.standing.name(), record.other.name())?;
        file.sync_all()?;
        fs::rename(&fresh, &path)?;
        self.record = record;
        Ok(())
    }

    /// The other slot's file, at `offset`.
    fn other(&self, offset: u32, length: usize, unit: u32) -> Result<File, SlotError> {
        let length = u32::try_from(length).map_err(|_| SlotError::BadPlace)?;
        let end = offset.checked_add(length).filter(|end| *end <= CAPACITY).ok_or(SlotError::BadPlace)?;
        if !offset.is_multiple_of(unit) || !end.is_multiple_of(unit) {
            return Err(SlotError::BadPlace);
        }
        let path = self.folder.join(format!("slot-{}.bin", 1 - self.running));
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let there = file.seek(SeekFrom::End(0))?;
        // What was never written is erased.
        io::copy(&mut io::repeat(0xff).take(u64::from(CAPACITY).saturating_sub(there)), &mut file)?;
        file.seek(SeekFrom::Start(u64::from(offset)))?;
        Ok(file)
    }
}

impl UpdateSlots for FileSlots {
    type Error = SlotError;

    fn running(&self) -> u8 {
        self.running
    }

    fn capacity(&self) -> u32 {
        CAPACITY
    }

    async fn state(&mut self) -> Result<ImageState, SlotError> {
        let standing =
            if self.record.slot == self.running { self.record.standing } else { self.record.other };
        Ok(match standing {
            Standing::Unrecorded | Standing::New => ImageState::Unrecorded,
            Standing::Tried => ImageState::OnProbation,
            Standing::Confirmed => ImageState::Confirmed,
        })
    }

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), SlotError> {
        let length = to.checked_sub(from).ok_or(SlotError::BadPlace)?;
        let mut file = self.other(from, length as usize, SECTOR)?;
        io::copy(&mut io::repeat(0xff).take(u64::from(length)), &mut file)?;
        Ok(file.sync_data()?)
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), SlotError> {
        let mut file = self.other(offset, bytes.len(), WORD)?;
        let mut cells = vec![0; bytes.len()];
        file.read_exact(&mut cells)?;
        cells.iter_mut().zip(bytes).for_each(|(cell, byte)| *cell &= byte);
        file.seek(SeekFrom::Start(u64::from(offset)))?;
        Ok(file.write_all(&cells)?)
    }

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), SlotError> {
        Ok(self.other(offset, bytes.len(), WORD)?.read_exact(bytes)?)
    }

    async fn activate(&mut self) -> Result<(), SlotError> {
        // What was written is on the disk before the record says so.
        self.other(0, 0, WORD)?.sync_all()?;
        let running = if self.record.slot == self.running { self.record.standing } else { self.record.other };
        self.keep(Record { slot: 1 - self.running, standing: Standing::New, other: running })
    }

    async fn confirm(&mut self) -> Result<(), SlotError> {
        if self.record.slot == self.running && self.record.standing == Standing::Tried {
            self.keep(Record { standing: Standing::Confirmed, ..self.record })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::scratch::Scratch;
    use futures_lite::future::block_on;

    fn boot(folder: &Scratch) -> (FileSlots, u8, ImageState) {
        let mut slots = FileSlots::boot(folder.path()).unwrap();
        let (running, state) = (slots.running(), block_on(slots.state()).unwrap());
        (slots, running, state)
    }

    #[test]
    fn a_new_image_is_tried_once_and_stays_if_it_is_confirmed() {
        let folder = Scratch::new("slots-try");
        let (mut slots, running, state) = boot(&folder);
        assert_eq!((running, state), (0, ImageState::Unrecorded));
        block_on(slots.erase(0, 8192)).unwrap();
        block_on(slots.write(4096, b"firmware")).unwrap();
        let mut back = [0; 12];
        block_on(slots.read(4092, &mut back)).unwrap();
        assert_eq!(&back, b"\xff\xff\xff\xfffirmware");
        block_on(slots.activate()).unwrap();
        assert_eq!(block_on(slots.state()).unwrap(), ImageState::Unrecorded);
        // Not confirmed: back.
        assert_eq!(boot(&folder).1, 1);
        let (mut slots, running, state) = boot(&folder);
        assert_eq!((running, state), (0, ImageState::Unrecorded));
        // Confirmed: it stays, and the next one goes to the other slot.
        block_on(slots.activate()).unwrap();
        let (mut slots, running, state) = boot(&folder);
        assert_eq!((running, state), (1, ImageState::OnProbation));
        block_on(slots.confirm()).unwrap();
        let (mut slots, running, state) = boot(&folder);
        assert_eq!((running, state), (1, ImageState::Confirmed));
        block_on(slots.activate()).unwrap();
        assert_eq!(boot(&folder).1, 0);
        let (_, running, state) = boot(&folder);
        assert_eq!((running, state), (1, ImageState::Confirmed));
    }

    #[test]
    fn places_outside_are_refused() {
        let folder = Scratch::new("slots-places");
        let (mut slots, ..) = boot(&folder);
        for (from, to) in [(0, 100), (4096, 0), (0, CAPACITY + 4096), (100, 4196)] {
            assert!(matches!(block_on(slots.erase(from, to)), Err(SlotError::BadPlace)), "{from} {to}");
        }
        assert!(matches!(block_on(slots.write(CAPACITY, &[0; 4])), Err(SlotError::BadPlace)));
        assert!(matches!(block_on(slots.write(2, &[0; 4])), Err(SlotError::BadPlace)));
        assert!(matches!(block_on(slots.read(u32::MAX - 3, &mut [0; 8])), Err(SlotError::BadPlace)));
    }

    #[test]
    fn a_record_that_was_cut_off_is_none() {
        let folder = Scratch::new("slots-cut");
        let (mut slots, ..) = boot(&folder);
        block_on(slots.activate()).unwrap();
        let record = fs::read(folder.path().join(RECORD)).unwrap();
        assert_eq!(record, b"1 new unrecorded\n");
        for end in 0..record.len() {
            fs::write(folder.path().join(RECORD), &record[..end]).unwrap();
            let (_, running, state) = boot(&folder);
            assert_eq!((running, state), (0, ImageState::Unrecorded), "cut to {end}");
        }
        // A cut before the new record is in its place leaves the old one.
        fs::write(folder.path().join(RECORD), &record).unwrap();
        fs::write(folder.path().join("slots.new"), b"0 confi").unwrap();
        assert_eq!(boot(&folder).1, 1);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_leaves_the_running_image_chosen() {
        let folder = Scratch::new("slots-full");
        let (mut slots, ..) = boot(&folder);
        std::os::unix::fs::symlink("/dev/full", folder.path().join("slots.new")).unwrap();
        assert!(block_on(slots.activate()).is_err());
        assert_eq!((boot(&folder).1, slots.record), (0, Record::FIRST));
        fs::remove_file(folder.path().join("slot-1.bin")).unwrap();
        std::os::unix::fs::symlink("/dev/full", folder.path().join("slot-1.bin")).unwrap();
        assert!(block_on(slots.write(0, &[0; 4])).is_err());
    }
}
