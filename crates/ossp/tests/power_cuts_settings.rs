//! Power cuts while settings are stored: at any step of a write or an erase, also in the repair, over a long history of
//! changes. Afterwards the plug has the old or the new settings, calibration included, and goes on.
//!
//! `OSSP_POWER_CUTS` is how many cuts (600; 35,000 in `./ci.sh long`).

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may fail loudly")]

use futures_lite::future::block_on;
use metering::calibration::Calibration;
use ossp::sim::flash::SimFlash;
use plug::settings::{Basis, Found, Hardware, SaveError, Settings, SettingsStore, patch};
use plug::storage::layout::Place;
use plug::storage::region::{Region, Shared};

const SETTINGS: Place = Place { from: 0, length: 8 * 4096 };
const CALIBRATION: Place = Place { from: 8 * 4096, length: 4 * 4096 };
const SECTORS: usize = 13;

fn basis() -> Basis {
    Basis {
        hardware: Hardware { confirms_setup: false, ..Hardware::ANY },
        board: Calibration { version: 0, ..Calibration::ideal(0.2, 2047.5, 0.0147, 2048.25) },
        zone: |text| !text.is_empty(),
    }
}

/// A plug that starts with this flash, and what it stores; the flash comes back.
struct Plug {
    flash: Shared<SimFlash>,
}

type Store<'f> = SettingsStore<Region<'f, SimFlash>, Region<'f, SimFlash>>;

impl Plug {
    fn new(flash: SimFlash) -> Self {
        Self { flash: Shared::new(Some(flash)) }
    }

    /// Reads, and lets `then` go on.
    fn start<T>(&self, then: impl FnOnce(&mut Store<'_>, Settings) -> T) -> T {
        let region = |place| Region::new(&self.flash, place);
        let mut store = SettingsStore::new(region(SETTINGS), region(CALIBRATION));
        let (settings, trouble) = block_on(store.load(&basis()));
        let off = self.flash.try_lock().unwrap().as_ref().unwrap().is_off();
        assert!(trouble.is_none() || off, "{trouble:?}");
        then(&mut store, *settings)
    }

    fn settings(&self) -> Settings {
        self.start(|_, settings| settings)
    }

    fn save(&self, settings: &Settings) -> Result<(), SaveError> {
        self.start(|store, _| block_on(store.save(settings)))
    }

    fn into_flash(self) -> SimFlash {
        self.flash.into_inner().unwrap()
    }
}

/// Numbers by chance that come again.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

/// A change: short ones, long ones, the calibration, both together.
fn change(dice: &mut Dice, before: &Settings) -> Settings {
    let number = dice.roll(100_000);
    let name = "n".repeat(dice.roll(33) as usize);
    let entries: Vec<_> = (0..dice.roll(17))
        .map(|_| {
            format!(
                "{{\"at\":\"{:02}:{:02}\",\"on\":true,\"days\":[\"mon\",\"fri\"]}}",
                dice.roll(24),
                dice.roll(60)
            )
        })
        .collect();
    let text = match dice.roll(8) {
        0 => format!("{{\"schedule\":{{\"entries\":[{}]}}}}", entries.join(",")),
        1 => format!("{{\"calibration\":{{\"phase_deg\":{}}}}}", number as f64 / 1e4),
        2 => format!(
            "{{\"calibration\":{{\"current\":{{\"zero_raw\":{number}.25}}}},\"device\":{{\"name\":\"{name}\"}}}}"
        ),
        3 if number.is_multiple_of(3) => "{\"calibration\":null,\"relay\":null}".to_owned(),
        4 => format!("{{\"wifi\":{{\"ssid\":\"x{name:.20}\",\"password\":\"{number:08}\"}}}}"),
        _ => format!("{{\"relay\":{{\"inching_s\":{}}},\"device\":{{\"name\":\"{name}\"}}}}", number + 1),
    };
    *patch(before, &text, &basis(), Some(1_795_000_000.0)).unwrap()
}

/// What storing `next` does to the flash, in steps.
fn steps(flash: &SimFlash, next: &Settings) -> u32 {
    let plug = Plug::new(flash.clone());
    plug.save(next).unwrap();
    let after = plug.into_flash();
    (after.words_written() - flash.words_written() + 4 * (after.erases() - flash.erases())) as u32
}

#[test]
fn after_any_power_cut_there_are_the_old_or_the_new_settings() {
    let wanted: u32 = std::env::var("OSSP_POWER_CUTS").map_or(600, |text| text.parse().unwrap());
    let mut dice = Dice(0x5eed_0f0f_1234_5678);
    let mut plug = Plug::new(SimFlash::new(SECTORS, 42));
    let mut old = Settings::default();
    let (mut cuts, mut kept, mut taken, mut repairs) = (0, 0, 0, 0);
    while cuts < wanted {
        let new = change(&mut dice, &old);
        let flash = plug.into_flash();
        let steps = steps(&flash, &new);
        for _ in 0..4 {
            let after = dice.roll(u64::from(steps.max(1))) as u32;
            let repair = (dice.roll(3) == 0).then(|| dice.roll(12) as u32);
            repairs += u32::from(repair.is_some());
            let found = cut(&flash, after, repair, &new);
            assert!(found == old || found == new, "cut {cuts} after {after} of {steps} steps: a mixture");
            *if found == new { &mut taken } else { &mut kept } += 1;
            cuts += 1;
        }
        plug = Plug::new(flash);
        plug.save(&new).unwrap();
        assert_eq!(plug.settings(), new);
        old = new;
    }
    assert!(kept > wanted / 8 && taken > wanted / 20 && repairs > wanted / 5, "{kept} kept, {taken} taken");
    let flash = plug.into_flash();
    assert!(flash.erases() > u64::from(wanted) / 40, "{} erases", flash.erases());
}

/// What a start finds after one whose saving was cut off after so many steps, and perhaps the next start as well.
fn cut(flash: &SimFlash, after: u32, repair: Option<u32>, new: &Settings) -> Settings {
    let plug = Plug::new(flash.clone());
    let outcome = plug.start(|store, _| {
        plug.flash.try_lock().unwrap().as_mut().unwrap().cut_power_after(after);
        block_on(store.save(new))
    });
    let mut flash = plug.into_flash();
    flash.restore_power();
    if let Some(after) = repair {
        flash.cut_power_after(after);
        let plug = Plug::new(flash);
        let _ = plug.settings();
        flash = plug.into_flash();
        flash.restore_power();
    }
    let plug = Plug::new(flash);
    let found = plug.settings();
    assert!(outcome.is_err() || found == *new, "stored, and not there");
    assert_eq!(plug.settings(), found, "a start changes nothing");
    // It goes on as if nothing had been.
    plug.save(new).unwrap();
    assert_eq!(plug.settings(), *new);
    found
}

#[test]
fn a_broken_flash_says_so_and_the_plug_starts() {
    let mut flash = SimFlash::new(SECTORS, 1);
    flash.break_down();
    let plug = Plug { flash: Shared::new(Some(flash)) };
    let region = |place| Region::new(&plug.flash, place);
    let mut store = SettingsStore::new(region(SETTINGS), region(CALIBRATION));
    let (settings, trouble) = block_on(store.load(&basis()));
    let trouble = trouble.unwrap();
    assert_eq!((*settings, trouble.settings), (Settings::default(), Found::Unreadable));
    assert_eq!(trouble.calibration, Found::Unreadable);
    assert_eq!(block_on(store.save(&Settings::default())), Err(SaveError::Flash));
}

/// What another program left there is not understood, and must not end this one.
#[test]
fn foreign_bytes_are_told_and_cleared_away() {
    let mut corrupt = 0;
    for seed in 1..200_u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let plug = Plug::new(SimFlash::new(SECTORS, seed));
        let mut settings = Settings::default();
        for _ in 0..dice.roll(12) {
            settings = change(&mut dice, &settings);
            plug.save(&settings).unwrap();
        }
        let mut flash = plug.into_flash();
        let every = [1, 3, 50, 1000][seed as usize % 4];
        for byte in flash.bytes()[..12 * 4096].iter_mut().step_by(every) {
            let noise = dice.roll(256) as u8;
            *byte = if seed % 8 < 4 { noise } else { *byte & noise };
        }
        let plug = Plug { flash: Shared::new(Some(flash)) };
        let region = |place| Region::new(&plug.flash, place);
        let mut store = SettingsStore::new(region(SETTINGS), region(CALIBRATION));
        let (found, trouble) = block_on(store.load(&basis()));
        corrupt += u32::from(trouble.is_some_and(|trouble| trouble.settings == Found::Corrupt));
        let next = change(&mut dice, &found);
        block_on(store.save(&next)).unwrap();
        assert_eq!(plug.settings(), next, "seed {seed}");
    }
    assert!(corrupt > 5, "{corrupt}");
}

#[test]
fn what_a_factory_reset_erases_and_what_stays() {
    let mut dice = Dice(7);
    let plug = Plug::new(SimFlash::new(SECTORS, 7));
    let mut settings = Settings::default();
    while settings.calibration.earlier.len() < 4 || settings.calibration.in_use.is_none() {
        settings = change(&mut dice, &settings);
        plug.save(&settings).unwrap();
    }
    let mut flash = plug.into_flash();
    flash.bytes()[..8 * 4096].fill(0xff);
    let found = Plug::new(flash).settings();
    assert_eq!(found, Settings { calibration: settings.calibration, ..Settings::default() });
}

/// Everything at its longest.
const LONGEST: &str = include_str!("../../plug/tests/data/longest-settings.json");

fn longest() -> Box<Settings> {
    patch(&Settings::default(), LONGEST, &basis(), None).unwrap()
}

/// The same again, with another calibration on its way.
fn longest_again() -> Box<Settings> {
    patch(&longest(), "{\"calibration\":{\"phase_deg\":1.2345678901234567}}", &basis(), None).unwrap()
}

#[test]
fn the_longest_settings_are_kept() {
    let plug = Plug::new(SimFlash::new(SECTORS, 7));
    for settings in [longest(), longest_again()].iter().cycle().take(20) {
        plug.save(settings).unwrap();
        assert_eq!(plug.settings(), **settings);
    }
}

/// Over a few settings and over as many: at the first and the last steps, and at many of the words in between.
#[test]
fn a_power_cut_leaves_the_old_or_the_longest() {
    let few = patch(&Settings::default(), "{\"device\":{\"name\":\"few\"}}", &basis(), None).unwrap();
    for (old, new) in [(few, longest()), (longest(), longest_again())] {
        let plug = Plug::new(SimFlash::new(SECTORS, 3));
        // A sector that is nearly full, so that an erase is among it.
        for _ in 0..3 {
            plug.save(&old).unwrap();
        }
        let flash = plug.into_flash();
        let (steps, mut taken) = (steps(&flash, &new), 0);
        let looked_at = |after: &u32| *after < 40 || after + 40 > steps || after.is_multiple_of(29);
        for after in (0..steps).filter(looked_at) {
            let found = cut(&flash, after, None, &new);
            assert!(found == *old || found == *new, "after {after} of {steps} steps: a mixture");
            taken += u32::from(found == *new);
        }
        assert!((1..steps).contains(&taken), "{taken} of {steps}");
    }
}
