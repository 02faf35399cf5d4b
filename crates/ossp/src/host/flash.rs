//! The plug's data partition as a file in the state folder: the same rules as a chip's flash, kept over restarts.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use embedded_storage_async::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use plug::storage::layout::{self, SECTORS};
use thiserror::Error;

use crate::file::{self, Readers};

/// Bytes of the data partition on the chip.
pub const DATA_PARTITION: u32 = SECTORS * layout::SECTOR;
/// Bytes of the history's partition there.
pub const LOG_PARTITION: u32 = plug::history::SECTORS * layout::SECTOR;
const WORD: usize = 4;
const SECTOR: usize = 4096;
/// What a PC whose power goes may lose beside what the plug's own rules allow.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// Why the file does not do it.
#[derive(Debug, Error)]
pub enum FileFlashError {
    /// Outside, or not whole words or sectors: a fault of whoever asks.
    #[error("outside the flash, or not whole words or sectors")]
    BadPlace,
    /// Another process has it open.
    #[error("another plug is using it")]
    InUse,
    /// It has more bytes than the flash.
    #[error("it is larger than the flash")]
    TooLarge,
    /// It is larger than the flash, and what is kept of an earlier one has the name that it would get.
    #[error("it is larger than the flash, and {} is there already", .0.display())]
    KeptBefore(PathBuf),
    /// The operating system says no.
    #[error("{0}")]
    System(#[from] io::Error),
}

impl NorFlashError for FileFlashError {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

/// An open file that is a flash.
#[derive(Debug)]
pub struct FileFlash {
    file: File,
    size: u32,
    cut_at: Option<u64>,
    synced: Instant,
}

impl FileFlash {
    /// Opens the file, making it if need be; what it lacks to `size` bytes is erased flash. All of it is written at
    /// once, so that a disk that is full says so here and not in the middle of something.
    ///
    /// # Errors
    /// If the operating system does not let it, another process has it open, or it has more bytes.
    pub fn open(path: &Path, size: u32) -> Result<Self, FileFlashError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        // There are passwords of networks in it.
        let mut file = file::open(&mut options, path, Readers::Owner)?;
        lock(&file)?;
        let there = file.seek(SeekFrom::End(0))?;
        if there > u64::from(size) {
            return Err(FileFlashError::TooLarge);
        }
        io::copy(&mut io::repeat(0xff).take(u64::from(size) - there), &mut file)?;
        file.sync_all()?;
        let cut_at = (there > 0 && there < u64::from(size)).then_some(there);
        Ok(Self { file, size, cut_at, synced: Instant::now() })
    }

    /// Gives a file that has more than `size` bytes another name, which is returned: it is from before the table of
    /// partitions changed (decision 19), and what stands in it stands elsewhere now.
    ///
    /// # Errors
    /// If the operating system does not let it, another process has it open, or an earlier one was kept already. It stays
    /// as it is then.
    pub fn set_aside(path: &Path, size: u32) -> Result<Option<PathBuf>, FileFlashError> {
        let mut options = OpenOptions::new();
        let file = match file::open(options.read(true).write(true), path, Readers::Owner) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        if file.metadata()?.len() <= u64::from(size) {
            return Ok(None);
        }
        // Whoever opened it before this and has the lock after it finds `kept`: it does not rename the new one.
        lock(&file)?;
        let kept = path.with_added_extension("before");
        if kept.symlink_metadata().is_ok() {
            return Err(FileFlashError::KeptBefore(kept));
        }
        std::fs::rename(path, &kept)?;
        Ok(Some(kept))
    }

    /// How many bytes there were, if some were missing when it was opened.
    #[must_use]
    pub const fn cut_at(&self) -> Option<u64> {
        self.cut_at
    }

    /// The operating system has what was written, whatever becomes of this program; the disk gets it now and then: a
    /// disk takes longer for it than a chip for a whole page.
    fn sync(&mut self) -> Result<(), FileFlashError> {
        if self.synced.elapsed() >= SYNC_INTERVAL {
            self.file.sync_data()?;
            self.synced = Instant::now();
        }
        Ok(())
    }

    /// Goes to `from`, if `length` bytes from there are whole units inside.
    fn seek(&mut self, from: u32, length: usize, unit: usize) -> Result<(), FileFlashError> {
        let whole = (from as usize).is_multiple_of(unit) && length.is_multiple_of(unit);
        if !whole || u64::from(from) + length as u64 > u64::from(self.size) {
            return Err(FileFlashError::BadPlace);
        }
        self.file.seek(SeekFrom::Start(u64::from(from)))?;
        Ok(())
    }
}

fn lock(file: &File) -> Result<(), FileFlashError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(std::fs::TryLockError::WouldBlock) => Err(FileFlashError::InUse),
        Err(std::fs::TryLockError::Error(error)) => Err(error.into()),
    }
}

impl ErrorType for FileFlash {
    type Error = FileFlashError;
}

impl ReadNorFlash for FileFlash {
    const READ_SIZE: usize = WORD;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), FileFlashError> {
        self.seek(offset, bytes.len(), WORD)?;
        Ok(self.file.read_exact(bytes)?)
    }

    fn capacity(&self) -> usize {
        self.size as usize
    }
}

impl NorFlash for FileFlash {
    const WRITE_SIZE: usize = WORD;
    const ERASE_SIZE: usize = SECTOR;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), FileFlashError> {
        let length = to.checked_sub(from).ok_or(FileFlashError::BadPlace)?;
        self.seek(from, length as usize, SECTOR)?;
        io::copy(&mut io::repeat(0xff).take(u64::from(length)), &mut self.file)?;
        self.sync()
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FileFlashError> {
        let mut cells = vec![0; bytes.len()];
        self.seek(offset, bytes.len(), WORD)?;
        self.file.read_exact(&mut cells)?;
        // Bits are only cleared, as in a real one: a fault in the plug shows here too.
        cells.iter_mut().zip(bytes).for_each(|(cell, byte)| *cell &= byte);
        self.seek(offset, bytes.len(), WORD)?;
        self.file.write_all(&cells)?;
        self.sync()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::scratch::Scratch;
    use futures_lite::future::block_on;
    use plug::starts::{Trouble, count};

    fn starts(path: &Path) -> u32 {
        let mut flash = FileFlash::open(path, DATA_PARTITION).unwrap();
        let starts = block_on(count(&mut flash, "power_on", ""));
        assert_eq!(starts.trouble, None);
        starts.number
    }

    #[test]
    fn it_keeps_what_was_written_and_only_clears_bits() {
        let folder = Scratch::new("flash-keeps");
        let path = folder.path().join("flash.bin");
        {
            let mut flash = FileFlash::open(&path, DATA_PARTITION).unwrap();
            block_on(flash.write(8192, &[0xf0, 1, 2, 3])).unwrap();
            block_on(flash.write(8192, &[0x0f, 0xff, 0xff, 0xff])).unwrap();
            assert!(matches!(FileFlash::open(&path, DATA_PARTITION), Err(FileFlashError::InUse)));
            for bad in [(1, 4), (0, 3), (DATA_PARTITION, 4), (DATA_PARTITION - 4, 8)] {
                let result = block_on(flash.write(bad.0, &vec![0; bad.1]));
                assert!(matches!(result, Err(FileFlashError::BadPlace)), "{bad:?}");
            }
            assert!(block_on(flash.erase(0, 100)).is_err());
        }
        let mut flash = FileFlash::open(&path, DATA_PARTITION).unwrap();
        let mut word = [0; 8];
        block_on(flash.read(8192, &mut word)).unwrap();
        assert_eq!(word, [0, 1, 2, 3, 0xff, 0xff, 0xff, 0xff]);
        block_on(flash.erase(8192, 12_288)).unwrap();
        block_on(flash.read(8192, &mut word)).unwrap();
        assert_eq!(word, [0xff; 8]);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), u64::from(DATA_PARTITION));
    }

    #[test]
    fn starts_are_counted_on_it_wherever_it_was_cut_off() {
        let folder = Scratch::new("flash-cut");
        let path = folder.path().join("flash.bin");
        for number in 1..10 {
            assert_eq!(starts(&path), number);
        }
        // A file that was cut off keeps what is before the cut; the rest is erased flash.
        let mut last = 9;
        for length in [20_000, 4096, 100, 0] {
            File::options().write(true).open(&path).unwrap().set_len(length).unwrap();
            let found = starts(&path);
            assert!((1..=last + 1).contains(&found), "{found} after a cut to {length}");
            last = found;
        }
        assert_eq!(last, 1);
        assert_eq!(starts(&path), 2);
    }

    #[test]
    fn a_larger_file_is_kept_under_another_name_once() {
        let folder = Scratch::new("flash-larger");
        let path = folder.path().join("flash.bin");
        let kept = folder.path().join("flash.bin.before");
        let aside = || FileFlash::set_aside(&path, DATA_PARTITION);
        let length = |path: &Path| std::fs::metadata(path).unwrap().len();
        let larger = u64::from(DATA_PARTITION) + 1;
        assert!(matches!(aside(), Ok(None)));
        assert_eq!(starts(&path), 1);
        assert!(matches!(aside(), Ok(None)));
        // Somebody has it.
        let held = FileFlash::open(&path, DATA_PARTITION).unwrap();
        held.file.set_len(larger).unwrap();
        assert!(matches!(aside(), Err(FileFlashError::InUse)));
        drop(held);
        assert!(matches!(FileFlash::open(&path, DATA_PARTITION), Err(FileFlashError::TooLarge)));
        assert_eq!((length(&path), kept.exists()), (larger, false));
        #[cfg(unix)]
        let set_mode = |mode| {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        };
        #[cfg(unix)]
        set_mode(0o644);
        assert_eq!(aside().unwrap(), Some(kept.clone()));
        #[cfg(unix)]
        assert_eq!(std::os::unix::fs::MetadataExt::mode(&kept.metadata().unwrap()) & 0o777, 0o600);
        assert_eq!((length(&kept), path.exists()), (larger, false));
        // Another one: the first is not lost to it.
        File::create(&path).unwrap().set_len(larger + 1).unwrap();
        assert!(matches!(aside(), Err(FileFlashError::KeptBefore(there)) if there == kept));
        assert_eq!((length(&kept), length(&path)), (larger, larger + 1));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_an_error_and_not_a_panic() {
        // Every write to it fails with "no space left on device".
        let full = FileFlash::open(Path::new("/dev/full"), DATA_PARTITION);
        assert!(matches!(full, Err(FileFlashError::System(_))), "{full:?}");
        let folder = Scratch::new("flash-full");
        let path = folder.path().join("flash.bin");
        let mut flash = FileFlash::open(&path, DATA_PARTITION).unwrap();
        flash.file = File::options().read(true).write(true).open("/dev/full").unwrap();
        assert!(block_on(flash.write(0, &[0; 4])).is_err());
        assert_eq!(block_on(count(&mut flash, "power_on", "")).trouble, Some(Trouble::Flash));
    }
}
