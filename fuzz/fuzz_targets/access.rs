//! Any text where it is stored whose plug it is, and any bytes beside it: nothing panics, what is understood is stored
//! and read back as the same, and what is there but not understood never makes the plug nobody's.
#![no_main]

use futures_lite::future::block_on;
use libfuzzer_sys::fuzz_target;
use ossp::sim::flash::SimFlash;
use plug::access::AccessStore;

/// Two of each half: the second is never used.
const SECTORS: usize = 4;
const SECTOR: usize = 4096;
/// Where the two halves begin.
const HALVES: [usize; 2] = [0, 2 * SECTOR];
/// What a half begins with if it holds.
const COMMITTED: u64 = 0x9c35_e8d2_6a87_4d1b;
/// Longest text that is stored.
const MOST: usize = 1280;
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
    if noise.len() < 6 && stored.len() <= MOST {
        assert!(stored.starts_with(b"ossp-access 1\n"));
    }
    block_on(store.save(&kept)).expect("what was understood has room");
    assert_eq!(block_on(store.load()), Ok(kept));
});

/// A flash in which this text is stored, as the plug stores it; the whole one is in either half.
fn with(text: &[u8]) -> SimFlash {
    let mut flash = SimFlash::new(SECTORS, 1);
    // What is too long is cut.
    let text = &text[..text.len().min(MOST)];
    let mut record = b"oac\x01".to_vec();
    record.extend(1_u32.to_le_bytes());
    record.extend((text.len() as u32).to_le_bytes());
    let mut padded = text.to_vec();
    padded.resize(text.len().next_multiple_of(4), 0);
    let sum = crc(&[&record[..], &padded].concat());
    record.extend(sum.to_le_bytes());
    record.extend(padded);
    let at = HALVES[text.len() % 2];
    flash.bytes()[at..at + 8].copy_from_slice(&COMMITTED.to_le_bytes());
    flash.bytes()[at + 8..at + 8 + record.len()].copy_from_slice(&record);
    flash
}

/// CRC-32 as in ZIP, bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}
