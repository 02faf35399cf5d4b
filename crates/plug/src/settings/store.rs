//! The settings in the flash, so that a power cut leaves the old or the new ones, never a mixture.
//!
//! All settings are one item of a map: its writing is the moment at which a change holds. The calibration has a place
//! of its own, which a factory reset leaves alone. So that both change in one step, a new calibration goes into the
//! settings' item first and to its own place afterwards; a start that finds it only in the item finishes the work.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt::Write;

use embedded_storage_async::nor_flash::NorFlash;

use super::migrate::STEPS;
use super::packed::unpack;
use super::packer::pack;
use super::schema::{Basis, CalibrationSettings, Settings, VERSION};
use super::stored::{self, Stored};
use super::write::{Beside, write_in_use, write_stored};
use super::wrong::Wrong;
use crate::json::NotJson;
use crate::storage::careful::Careful;
use crate::storage::item::{Found, Out, SaveError, fetch, put};

/// Longest text that is stored: what fits into one sector with what the map needs for itself.
pub const STORED_MOST: usize = 4032;

/// What was wrong when the settings were read; the plug runs all the same.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trouble {
    /// With the settings.
    pub settings: Found,
    /// With the calibration.
    pub calibration: Found,
    /// Fields that could not be as they were stored: they are at their defaults.
    pub wrong: Wrong,
    /// Something of a newer version was too long to be kept.
    pub dropped: bool,
}

impl Trouble {
    /// Gives each thing to be said to `say`: for the plug's log.
    pub fn tell(&self, mut say: impl FnMut(&str)) {
        for (found, corrupt, unreadable) in [
            (
                self.settings,
                "the settings could not be understood: defaults hold",
                "the settings could not be read: defaults hold",
            ),
            (
                self.calibration,
                "the calibration could not be understood: the board's own holds",
                "the calibration could not be read: the board's own holds",
            ),
        ] {
            match found {
                Found::Whole => {}
                Found::Corrupt => say(corrupt),
                Found::Unreadable => say(unreadable),
            }
        }
        for field in self.wrong.fields() {
            let mut text: heapless::String<96> = heapless::String::new();
            // As much as fits: the name stands first.
            let _ = write!(text, "a stored setting was left out: {}", field.field());
            say(&text);
        }
        if self.dropped {
            say("some settings of a newer version were too long to be kept");
        }
    }
}

/// Reads and writes the settings; one task has it.
pub struct SettingsStore<S, K> {
    settings: Careful<S>,
    calibration: Careful<K>,
    beside: Beside,
    /// What the calibration's own place holds: its version in use, and how many are kept beside it. `None`: not known
    /// to be what is wanted.
    settled: Option<Settled>,
}

/// Enough to tell whether the calibration changed: the version rises with each one.
type Settled = (Option<u32>, Option<u32>, usize);

fn settled(calibration: &CalibrationSettings) -> Settled {
    let newest = calibration.earlier.last().map(|earlier| earlier.version);
    (calibration.in_use.as_ref().map(|in_use| in_use.version), newest, calibration.earlier.len())
}

impl<S: NorFlash, K: NorFlash> SettingsStore<S, K> {
    /// A store in two flashes of at least three sectors each (see [`crate::storage::layout`]).
    pub const fn new(settings: S, calibration: K) -> Self {
        Self {
            settings: Careful::new(settings),
            calibration: Careful::new(calibration),
            beside: Beside { revision: 0, kept: Vec::new() },
            settled: None,
        }
    }

    /// How often the settings were stored; part of their entity tag.
    #[must_use]
    pub const fn revision(&self) -> u32 {
        self.beside.revision
    }

    /// Reads the settings, and finishes a change of the calibration that a power cut has interrupted. Takes some
    /// milliseconds. Dropping the future is a power cut.
    pub async fn load(&mut self, basis: &Basis) -> (Box<Settings>, Option<Trouble>) {
        let mut trouble = Trouble::default();
        let (mut settings, pending) = self.load_settings(basis, &mut trouble).await;
        settings.calibration = self.load_calibration(basis, &mut trouble).await;
        self.settled = (trouble.calibration == Found::Whole).then(|| settled(&settings.calibration));
        if let Some(calibration) = pending
            && calibration != settings.calibration.in_use
        {
            settings.calibration.put(calibration);
            // If it fails it stays with the settings.
            self.settled = None;
            let _ = self.settle(&settings.calibration).await;
        }
        let trouble = (trouble != Trouble::default()).then_some(trouble);
        (settings, trouble)
    }

    /// The settings without the calibration, and a calibration that was on its way.
    async fn load_settings(
        &mut self,
        basis: &Basis,
        trouble: &mut Trouble,
    ) -> (Box<Settings>, Option<Option<metering::calibration::Calibration>>) {
        let mut read = None;
        let found = fetch(&mut self.settings, STORED_MOST, &mut |bytes| {
            read = Some(
                unpack(bytes)
                    .and_then(|text| stored::read(&text, basis, &STEPS).map_err(|NotJson| Found::Corrupt)),
            );
        })
        .await;
        match found.map(|()| read) {
            Ok(None) => {}
            Ok(Some(Ok(Stored { settings, beside, calibration, wrong, dropped }))) => {
                self.beside = beside;
                trouble.wrong = wrong;
                trouble.dropped = dropped;
                return (settings, calibration);
            }
            Ok(Some(Err(found))) | Err(found) => trouble.settings = found,
        }
        (Box::default(), None)
    }

    async fn load_calibration(&mut self, basis: &Basis, trouble: &mut Trouble) -> CalibrationSettings {
        let wrong = &mut trouble.wrong;
        let mut read = None;
        let found = fetch(&mut self.calibration, STORED_MOST, &mut |bytes| {
            let text = stored::text(bytes);
            read = Some(text.and_then(|text| stored::read_calibrations(text, &basis.board, wrong)));
        })
        .await;
        match found.map(|()| read) {
            Ok(None) => {}
            Ok(Some(Ok(calibration))) => return calibration,
            Ok(Some(Err(_))) => trouble.calibration = Found::Corrupt,
            Err(found) => trouble.calibration = found,
        }
        CalibrationSettings::default()
    }

    /// Stores the settings. Once this returns `Ok` they are what the next start reads; until then, and after a power
    /// cut in here, it reads the old or the new ones. Takes some 10 ms, and an erase each one or two times. Dropping
    /// the future is a power cut.
    ///
    /// # Errors
    /// Why it did not work; the old ones hold.
    pub async fn save(&mut self, settings: &Settings) -> Result<(), SaveError> {
        let with_calibration = self.settled != Some(settled(&settings.calibration));
        let revision = self.beside.revision;
        self.beside.revision = revision.wrapping_add(1);
        let default: Box<Settings> = Box::default();
        let beside = &self.beside;
        let text = |out: &mut dyn Write| write_stored(settings, &default, beside, with_calibration, out);
        if let Err(error) = put(&mut self.settings, STORED_MOST, &|out| pack(&text, out)).await {
            self.beside.revision = revision;
            return Err(error);
        }
        if with_calibration {
            // It holds by now: if this fails, it stays with the settings and is tried again.
            self.settled = None;
            let _ = self.settle(&settings.calibration).await;
        }
        Ok(())
    }

    /// Brings the calibration to its own place.
    async fn settle(&mut self, calibration: &CalibrationSettings) -> Result<(), SaveError> {
        let text = |out: &mut dyn Out| {
            write!(out, "{{\"schema\":{VERSION},\"in_use\":")?;
            write_in_use(calibration.in_use.as_ref(), out)?;
            out.write_str(",\"earlier\":[")?;
            for (index, earlier) in calibration.earlier.iter().enumerate() {
                out.write_str(if index > 0 { "," } else { "" })?;
                write_in_use(Some(earlier), out)?;
            }
            out.write_str("]}")
        };
        put(&mut self.calibration, STORED_MOST, &text).await?;
        self.settled = Some(settled(calibration));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::write::Kept;
    use crate::storage::item::tests::Ram;
    use embedded_storage_async::nor_flash::{ErrorType, NorFlashErrorKind, ReadNorFlash};
    use futures_lite::future::block_on;

    /// Erased, and not to be written.
    struct Untouched;

    impl ErrorType for Untouched {
        type Error = NorFlashErrorKind;
    }

    impl ReadNorFlash for Untouched {
        const READ_SIZE: usize = 4;
        async fn read(&mut self, _: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
            bytes.fill(0xff);
            Ok(())
        }
        fn capacity(&self) -> usize {
            8 * 4096
        }
    }

    impl NorFlash for Untouched {
        const WRITE_SIZE: usize = 4;
        const ERASE_SIZE: usize = 4096;
        async fn erase(&mut self, _: u32, _: u32) -> Result<(), NorFlashErrorKind> {
            panic!("erased")
        }
        async fn write(&mut self, _: u32, _: &[u8]) -> Result<(), NorFlashErrorKind> {
            panic!("written")
        }
    }

    #[test]
    fn what_is_too_long_never_reaches_the_flash() {
        let mut store = SettingsStore::new(Untouched, Untouched);
        let text = alloc::format!("\"x\":\"{}\"", "x".repeat(STORED_MOST));
        store.beside.kept.push(Kept { section: None, text });
        assert_eq!(block_on(store.save(&Settings::default())), Err(SaveError::TooLarge));
        assert_eq!(store.revision(), 0);
    }

    /// The first versions stored plain text.
    #[test]
    fn plain_text_is_read_and_packed_with_the_next_change() {
        let text = "{\"schema\":1,\"revision\":7,\"device\":{\"name\":\"old\"},\"new\":{\"a\": 1}}";
        let mut flashes = [(); 2].map(|()| Ram(alloc::vec![0xff; 8 * 4096]));
        let [settings, calibration] = &mut flashes;
        let mut place = Careful::new(settings);
        block_on(put(&mut place, STORED_MOST, &|out| out.write_str(text))).unwrap();
        let mut store = SettingsStore::new(place.into_flash(), calibration);
        let (before, trouble) = block_on(store.load(&basis()));
        assert_eq!((before.device.name.as_str(), store.revision(), trouble), ("old", 7, None));
        block_on(store.save(&before)).unwrap();
        let (after, trouble) = block_on(store.load(&basis()));
        assert_eq!((after, store.revision(), trouble), (before, 8, None));
        let SettingsStore { mut settings, .. } = store;
        let mut read = |bytes: &[u8]| {
            assert_eq!(bytes.first(), Some(&0));
            assert!(unpack(bytes).unwrap().ends_with(",\"new\":{\"a\": 1}}"));
        };
        block_on(fetch(&mut settings, STORED_MOST, &mut read)).unwrap();
    }

    #[test]
    fn every_trouble_has_a_line_for_the_log() {
        let wrong = stored::read("{\"relay\":{\"inching_s\":-1}}", &basis(), &STEPS).ok().unwrap().wrong;
        let trouble =
            Trouble { settings: Found::Corrupt, calibration: Found::Unreadable, wrong, dropped: true };
        let mut lines = Vec::new();
        trouble.tell(|line| lines.push(alloc::string::String::from(line)));
        assert_eq!(
            lines,
            [
                "the settings could not be understood: defaults hold",
                "the calibration could not be read: the board's own holds",
                "a stored setting was left out: relay.inching_s",
                "some settings of a newer version were too long to be kept",
            ]
        );
        assert!(lines.iter().all(|line| line.len() <= 96));
    }

    fn basis() -> Basis {
        Basis {
            hardware: crate::settings::Hardware::BARE,
            board: metering::calibration::Calibration::ideal(1.0, 0.0, 1.0, 0.0),
            zone: |_| true,
        }
    }
}
