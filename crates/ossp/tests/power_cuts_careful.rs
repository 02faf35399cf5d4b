//! Erases over power cuts: whoever uses a careful flash never sees one half-done.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may fail loudly")]

use embedded_storage_async::nor_flash::{NorFlash, ReadNorFlash};
use futures_lite::future::block_on;
use ossp::sim::flash::{SECTOR, SimFlash};
use plug::storage::careful::Careful;
use power_cuts::{Dice, cuts, progress, steps};

mod power_cuts;

const SECTORS: usize = 5;

fn contents(image: SimFlash) -> Vec<u8> {
    let mut careful = Careful::new(image);
    let mut bytes = vec![0; careful.capacity()];
    block_on(careful.read(0, &mut bytes)).unwrap();
    bytes
}

/// A sector is erased, filled, erased, ...; the log's own sector is turned over again and again.
#[test]
fn an_erase_is_done_or_not_done() {
    let wanted = cuts();
    let mut dice = Dice::new(5);
    let mut image = SimFlash::new(SECTORS, 8);
    let (mut done, mut turns) = (0, 0);
    while done < wanted {
        let sector = dice.below(SECTORS as u64 - 1) as u32;
        let (from, to) = (sector * SECTOR as u32, (sector + 1) * SECTOR as u32);
        let before = contents(image.clone());
        let mut after = before.clone();
        after[from as usize..to as usize].fill(0xff);
        let mut whole = Filled(image.clone()).erase(from, to, None);
        assert_eq!(contents(whole.clone()), after);
        let steps = steps(&image, &whole);
        let turn = whole.erases() > image.erases() + 1;
        turns += u32::from(turn);
        for cut in (0..steps).filter(|_| turn || dice.one_in(40)).collect::<Vec<_>>() {
            let mut fork = Filled(image.clone()).erase(from, to, Some(cut));
            assert!(fork.is_off());
            // The repair may be cut too.
            for _ in 0..dice.below(4) {
                fork.restore_power();
                fork.cut_power_after(dice.below(10) as u32);
                let mut careful = Careful::new(fork);
                let _ = block_on(careful.read(0, &mut [0; 4]));
                fork = careful.into_flash();
            }
            fork.restore_power();
            let found = contents(fork.clone());
            assert!(found == before || found == after, "cut {cut} of {steps}");
            if dice.one_in(30) {
                whole = fork;
            }
            done += 1;
            progress("erases", done, wanted);
        }
        image = Filled(whole).write(from, &mut dice);
    }
    assert!(turns > 0, "the log was never full");
}

/// A flash for one action.
struct Filled(SimFlash);

impl Filled {
    fn erase(mut self, from: u32, to: u32, cut: Option<u32>) -> SimFlash {
        if let Some(cut) = cut {
            self.0.cut_power_after(cut);
        }
        let mut careful = Careful::new(self.0);
        assert_eq!(block_on(careful.erase(from, to)).is_err(), cut.is_some());
        careful.into_flash()
    }

    /// Something in some places of what was erased, if it was.
    fn write(self, from: u32, dice: &mut Dice) -> SimFlash {
        let mut careful = Careful::new(self.0);
        for _ in 0..8 {
            let at = from + dice.below(SECTOR as u64 / 4) as u32 * 4;
            block_on(careful.write(at, &(dice.roll() as u32).to_le_bytes())).unwrap();
        }
        careful.into_flash()
    }
}
