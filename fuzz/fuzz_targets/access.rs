//! Any text where it is stored whose plug it is, and any bytes beside it: nothing panics, what is understood is stored
//! and read back as the same, and what is there but not understood never makes the plug nobody's.
#![no_main]

use futures_lite::future::block_on;
use libfuzzer_sys::fuzz_target;
use ossp::sim::flash::SimFlash;
use plug::access::AccessStore;
use sequential_storage::cache::Cache;
use sequential_storage::map::{MapConfig, MapStorage};

/// One for the log of erases, three for the map.
const SECTORS: usize = 4;
const SECTOR: usize = 4096;
/// Ends the text: in no text.
const END: u8 = 0xff;

// What is stored, and what else stands in the flash.
fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(2, |byte| *byte == END);
    let stored = parts.next().unwrap_or(&[]);
    let noise = parts.next().unwrap_or(&[]);
    let mut flash = with(stored);
    for word in noise.chunks_exact(6) {
        let at = usize::from(u16::from_le_bytes([word[0], word[1]])) * 4 % (SECTORS * SECTOR);
        flash.bytes()[at..at + 4].copy_from_slice(&word[2..]);
    }
    let mut store = AccessStore::new(flash);
    let Ok(kept) = block_on(store.load()) else { return };
    if noise.len() < 6 && stored.len() <= 1280 {
        assert!(stored.starts_with(b"ossp-access 1\n"));
    }
    block_on(store.save(&kept)).expect("what was understood has room");
    assert_eq!(block_on(store.load()), Ok(kept));
});

/// A flash in which this text is stored, as the plug stores it.
fn with(text: &[u8]) -> SimFlash {
    let mut small = SimFlash::new(SECTORS - 1, 1);
    let end = ((SECTORS - 1) * SECTOR) as u32;
    let config = MapConfig::try_new(0..end).expect("whole sectors");
    let mut map: MapStorage<u8, _, _> = MapStorage::new(&mut small, config, Cache::new_uncached());
    // What is too long is not stored.
    let _ = block_on(map.store_item(&mut [0; SECTOR], &1, &text));
    let mut flash = SimFlash::new(SECTORS, 1);
    flash.bytes()[SECTOR..].copy_from_slice(small.bytes());
    flash
}
