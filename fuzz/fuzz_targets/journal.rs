//! Any bytes at all where the energy's journal is, then appends with and without power cuts: what was kept is there
//! after the next start, and nothing ever goes back.
#![no_main]

use futures_lite::future::block_on;
use libfuzzer_sys::fuzz_target;
use metering::energy::Energy;
use ossp::sim::flash::SimFlash;
use plug::storage::journal::Journal;
use plug::storage::layout::ENERGY;
use plug::storage::totals::Totals;

fuzz_target!(|input: (Vec<(u16, u32)>, Vec<(u64, u32, Option<u8>)>, u64)| {
    let (words, appends, seed) = input;
    let mut flash = SimFlash::new(ENERGY.length as usize / 4096, seed);
    for (at, word) in words {
        let at = usize::from(at) * 4 % ENERGY.length as usize;
        flash.bytes()[at..at + 4].copy_from_slice(&word.to_le_bytes());
    }
    let (mut journal, found) = block_on(Journal::open(flash, 1));
    let mut kept = found.expect("a flash that works is read");
    for (import, unmeasured, cut) in appends.into_iter().take(40) {
        let more = Totals { import: Energy(import), unmeasured_us: unmeasured.into(), ..Totals::default() };
        let next = kept.unwrap_or_default().plus(more);
        if let Some(steps) = cut {
            journal.flash().cut_power_after(steps.into());
        }
        let result = block_on(journal.append(&next)).and(block_on(journal.maintain()));
        assert!(result.is_ok() || cut.is_some(), "{result:?}");
        journal.flash().restore_power();
        if cut.is_some() {
            let found;
            (journal, found) = block_on(Journal::open(journal.flash().clone(), 1));
            let found = found.expect("a flash that works is read");
            assert!(found == kept || found == Some(next));
            kept = found;
        } else {
            kept = Some(next);
        }
    }
    assert_eq!(block_on(Journal::open(journal.flash().clone(), 1)).1, Ok(kept));
});
