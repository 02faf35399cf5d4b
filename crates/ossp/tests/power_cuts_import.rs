//! Power cuts while a plug is provisioned: at each step of it, and at each step of the start after it. In the end the plug has
//! settings and owner, never one without the other for good, and the password that came is nowhere in the flash.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may fail loudly")]

mod power_cuts;

use std::cell::RefCell;

use embedded_storage_async::nor_flash::NorFlash;
use futures_lite::future::block_on;
use metering::calibration::Calibration;
use ossp::sim::flash::SimFlash;
use plug::access::{AccessStore, Ha1, Kept};
use plug::defaults::Defaults;
use plug::settings::{Basis, Hardware, Settings, SettingsStore};
use plug::storage::import::{self, RECORD, record};
use plug::storage::layout::{ACCESS, CALIBRATION, IMPORT, SECTOR, SETTINGS};
use plug::storage::region::{Region, Shared};
use power_cuts::{cuts, progress, steps};

const ID: &str = "0a1b2c3d";
const PASSWORD: &str = "a password of the owner";
/// The access point has another one, since that is kept as it is.
const TEXT: &str = "{\"password\":\"a password of the owner\",\"device\":{\"name\":\"plug {id}\"},\"wifi\":{\"ssid\":\"class\",\
    \"password\":\"network word\",\"access_point_password\":\"another word\"},\"emoncms\":{\"node\":\"n-{id}\"}}";

/// What is said before the reason.
const NOT: &str = "this plug was not provisioned and has no owner; what came for it is erased, since";

fn basis() -> Basis {
    Basis { hardware: Hardware::ANY, board: Calibration::ideal(1.0, 0.0, 1.0, 0.0), zone: |_| true }
}

/// A flash with a record in it.
fn flash_with(record: &[u8], seed: u64) -> SimFlash {
    let mut flash = SimFlash::new(((IMPORT.from + IMPORT.length) / SECTOR) as usize, seed);
    block_on(flash.write(RECORD.from, record)).unwrap();
    flash
}

/// A start, as far as it takes what came by cable; what it says.
fn start(flash: SimFlash) -> (SimFlash, Vec<String>) {
    let flash = Shared::new(Some(flash));
    let part = |place| Region::new(&flash, place);
    let mut store = SettingsStore::new(part(SETTINGS), part(CALIBRATION));
    let said = RefCell::new(Vec::new());
    let mut say = |text: &str| said.borrow_mut().push(text.to_owned());
    block_on(import::take(&flash, &mut store, &basis(), &Defaults::default(), ID, &mut say));
    drop(store);
    (flash.into_inner().unwrap(), said.into_inner())
}

/// What is kept: the settings, and whose it is.
fn kept(flash: SimFlash) -> (SimFlash, Settings, Kept) {
    let flash = Shared::new(Some(flash));
    let part = |place| Region::new(&flash, place);
    let (settings, trouble) = block_on(SettingsStore::new(part(SETTINGS), part(CALIBRATION)).load(&basis()));
    assert_eq!(trouble, None);
    let access = block_on(AccessStore::new(part(ACCESS)).load()).unwrap();
    (flash.into_inner().unwrap(), *settings, access)
}

/// Whether these letters lie anywhere in the flash.
fn lies_in(flash: &mut SimFlash, word: &str) -> bool {
    memchr::memmem::find(flash.bytes(), word.as_bytes()).is_some()
}

fn is_blank(flash: &mut SimFlash) -> bool {
    let from = RECORD.from as usize;
    flash.bytes()[from..from + RECORD.length as usize].iter().all(|byte| *byte == 0xff)
}

/// The plug has everything that came, and nothing is left of it where it lay.
#[track_caller]
fn assert_provisioned(flash: SimFlash) -> SimFlash {
    let (mut flash, settings, access) = kept(flash);
    assert_eq!(access.ha1, Some(Ha1::of(ID, PASSWORD)));
    assert_eq!((settings.device.name.as_str(), settings.wifi.ssid.as_str()), ("plug 2c3d", "class"));
    assert_eq!(settings.wifi.access_point_password.as_deref(), Some("another word"));
    assert_eq!(&*settings.emoncms.node, "n-2c3d");
    assert!(is_blank(&mut flash));
    assert!(!lies_in(&mut flash, PASSWORD));
    flash
}

#[test]
fn a_first_start_takes_what_came_by_cable() {
    let (flash, said) = start(flash_with(&record(TEXT).unwrap(), 1));
    assert_eq!(said, ["this plug was provisioned: it has settings and an owner"]);
    let flash = assert_provisioned(flash);
    // The next one finds nothing.
    let (flash, said) = start(flash);
    assert_eq!(said, Vec::<String>::new());
    assert_provisioned(flash);
}

#[test]
fn a_cut_at_any_step_is_made_good_by_the_next_start() {
    let wanted = cuts();
    let mut done = 0;
    let (mut before_the_owner, mut behind) = (0, 0);
    // A short record and one that fills both sectors.
    let long = TEXT.replace("{\"password\"", &format!("{}{{\"password\"", " ".repeat(5000)));
    for seed in 0.. {
        if done >= wanted {
            break;
        }
        for text in [TEXT, long.as_str()] {
            let before = flash_with(&record(text).unwrap(), seed);
            let (after, _) = start(before.clone());
            let steps = steps(&before, &after);
            assert!(steps > 20, "{steps}");
            for step in 0..steps {
                let mut flash = before.clone();
                flash.cut_power_after(step);
                let (mut flash, _) = start(flash);
                flash.restore_power();
                let (next, settings, access) = kept(flash);
                flash = next;
                // An owner is never there without the settings.
                let owned = access.ha1.is_some();
                assert!(!owned || settings.device.name == "plug 2c3d", "step {step} of {steps}");
                *if owned { &mut behind } else { &mut before_the_owner } += 1;
                // The start after it may be cut, too; now and then.
                if step % 3 == 0 {
                    flash.cut_power_after(step % 17);
                    (flash, _) = start(flash);
                    flash.restore_power();
                }
                let (flash, _) = start(flash);
                assert_provisioned(flash);
                done += 1;
                progress("import", done, wanted);
            }
        }
    }
    assert!(before_the_owner > 50 && behind > 10, "{before_the_owner} {behind}");
}

#[test]
fn whoever_owns_the_plug_keeps_it() {
    let owner = Kept { ha1: Some(Ha1::of(ID, "somebody else's")), ..Kept::new() };
    let flash = Shared::new(Some(flash_with(&record(TEXT).unwrap(), 3)));
    block_on(AccessStore::new(Region::new(&flash, ACCESS)).save(&owner)).unwrap();
    let before = flash.into_inner().unwrap();
    let (after, said) = start(before.clone());
    assert_eq!(said, ["this plug has an owner: what was to provision it is erased"]);
    for step in 0..=steps(&before, &after) {
        let mut flash = before.clone();
        flash.cut_power_after(step);
        let (mut flash, _) = start(flash);
        flash.restore_power();
        let (flash, _) = start(flash);
        let (mut flash, settings, access) = kept(flash);
        assert_eq!((access, settings), (owner.clone(), Settings::default()), "{step}");
        assert!(is_blank(&mut flash) && !lies_in(&mut flash, PASSWORD), "{step}");
    }
}

#[test]
fn what_is_damaged_or_wrong_is_told_and_erased() {
    let whole = record(TEXT).unwrap();
    let mut flipped = whole.clone();
    flipped[40] ^= 1;
    let damaged = &["what was to provision this plug is damaged; it is erased"][..];
    for (record, words) in [
        (flipped, damaged),
        (whole[..whole.len() - 8].to_vec(), damaged),
        ([0x33; 4].to_vec(), damaged),
        (record("hello").unwrap(), &[NOT, "it is no JSON"]),
        (record("").unwrap(), &[NOT, "it is no JSON"]),
        (
            record("{\"password\":\"0123456789\",\"protection\":{\"retries\":99}}").unwrap(),
            &[NOT, "protection.retries must be a whole number from 0 to 20."],
        ),
        (
            // The build has no key of its own.
            record("{\"password\":\"0123456789\",\"update\":{\"accept\":\"signed\",\"keys\":[]}}").unwrap(),
            &[NOT, "update.keys must leave a key that is accepted while only signed packages are taken."],
        ),
        (
            record("{\"wifi\":{\"ssid\":\"class\"}}").unwrap(),
            &[
                NOT,
                "password must be a text of 10 to 128 characters (Unicode code points) without control",
                "characters.",
            ],
        ),
    ] {
        let before = flash_with(&record, 5);
        let (after, said) = start(before.clone());
        assert_eq!(said, words);
        let (mut after, settings, access) = kept(after);
        assert_eq!((settings, access), (Settings::default(), Kept::new()));
        assert!(is_blank(&mut after));
        for step in 0..=steps(&before, &after) {
            let mut flash = before.clone();
            flash.cut_power_after(step);
            let (mut flash, _) = start(flash);
            flash.restore_power();
            let (mut flash, _) = start(flash);
            assert!(is_blank(&mut flash), "{step}");
        }
    }
    // Something behind the first sector alone, as half an erase leaves it.
    let mut flash = flash_with(&[], 6);
    flash.bytes()[(RECORD.from + RECORD.length - 1) as usize] = 0xfe;
    let (mut flash, said) = start(flash);
    assert_eq!(said, damaged);
    assert!(is_blank(&mut flash));
}

#[test]
fn a_factory_reset_takes_it_along() {
    let mut flash = flash_with(&record(TEXT).unwrap(), 7);
    block_on(plug::storage::reset::begin_reset(&mut flash)).unwrap();
    block_on(plug::storage::reset::finish_if_begun(&mut flash, None)).unwrap();
    assert!(is_blank(&mut flash) && !lies_in(&mut flash, PASSWORD));
}

#[test]
fn what_does_not_fit_the_board_is_told() {
    let text = "{\"password\":\"0123456789\",\"protection\":{\"rated_current_a\":20}}";
    let (mut flash, said) = start(flash_with(&record(text).unwrap(), 8));
    assert_eq!(said, [NOT, "protection.rated_current_a must be a number from 0.1 to 16, or null."]);
    assert!(is_blank(&mut flash));
}
