//! Any text as a change of the settings, any text as what is stored, any bytes where they are stored: nothing panics,
//! the plug starts, and what is taken comes back.
#![no_main]

use futures_lite::future::block_on;
use libfuzzer_sys::fuzz_target;
use metering::calibration::Calibration;
use ossp::sim::flash::SimFlash;
use plug::settings::{
    Basis, Hardware, Refusal, Secrets, Settings, SettingsStore, network, patch, write_json,
};
use sequential_storage::cache::Cache;
use sequential_storage::map::{MapConfig, MapStorage};

const SECTORS: usize = 4;

/// Ends a part of the input: in no text.
const END: u8 = 0xff;

// A change, the stored settings, the stored calibrations, and what else stands in the flash.
fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(4, |byte| *byte == END);
    let mut text = || core::str::from_utf8(parts.next().unwrap_or(&[])).unwrap_or("");
    let (change, stored, calibration) = (text(), text(), text());
    let basis = basis();
    let mut flashes = [stored, calibration].map(with);
    for (index, word) in parts.next().unwrap_or(&[]).chunks_exact(6).enumerate() {
        let at = usize::from(u16::from_le_bytes([word[0], word[1]])) * 4 % (SECTORS * 4096);
        flashes[index % 2].bytes()[at..at + 4].copy_from_slice(&word[2..]);
    }
    let [settings_flash, calibration_flash] = flashes;
    let mut store = SettingsStore::new(settings_flash, calibration_flash);
    let (before, _) = block_on(store.load(&basis));
    // The same text as a network that is to be tested: what is taken can be put first of all.
    if let Ok(known) = network(&before.wifi, change) {
        let mut first = before.clone();
        first.wifi.put_first(&known);
        let shown = shown(&first, &basis);
        assert!(patch(&first, &shown, &basis, None).is_ok_and(|again| again == first), "{shown}");
    }
    let after = match patch(&before, change, &basis, Some(1.8e9)) {
        Ok(after) => after,
        Err(Refusal::NotJson) => return,
        Err(Refusal::Wrong(wrong)) => {
            assert!(!wrong.is_empty() && !wrong.to_string().is_empty());
            return;
        }
    };
    let shown = shown(&after, &basis);
    // What is shown can be sent back, and is no change.
    assert!(patch(&after, &shown, &basis, None).is_ok_and(|again| again == after), "{shown}");
    // Whatever was taken fits, with whatever a newer version left.
    assert_eq!(block_on(store.save(&after)), Ok(()));
    let (again, _) = block_on(store.load(&basis));
    assert_eq!(again, after);
});

fn basis() -> Basis {
    Basis {
        hardware: Hardware { confirms_setup: false, ..Hardware::ANY },
        board: Calibration { version: 0, ..Calibration::ideal(0.2, 2047.5, 0.0147, 2048.25) },
        zone: |text| text.len() > 3,
    }
}

fn shown(settings: &Settings, basis: &Basis) -> String {
    let mut text = String::new();
    write_json(settings, &basis.board, Secrets::Hide, &mut text).expect("a string takes all");
    text
}

/// A flash in which this text is stored.
fn with(text: &str) -> SimFlash {
    let mut flash = SimFlash::new(SECTORS, 1);
    let config = MapConfig::try_new(0..(SECTORS * 4096) as u32).expect("whole sectors");
    let mut map: MapStorage<u8, _, _> = MapStorage::new(&mut flash, config, Cache::new_uncached());
    // What is too long is not stored.
    let _ = block_on(map.store_item(&mut [0; 4096], &1, &text.as_bytes()));
    flash
}
