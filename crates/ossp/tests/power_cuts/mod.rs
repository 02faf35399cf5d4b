//! What the tests of power cuts share: how many, chance, and what an action costs in steps.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use metering::energy::Energy;
use ossp::sim::flash::{SECTOR, SimFlash};
use plug::platform::Random;
use plug::storage::layout::Place;
use plug::storage::totals::Totals;

pub const METER_TAG: u32 = 0x0551_0001;

pub fn cuts() -> u32 {
    std::env::var("OSSP_POWER_CUTS").map_or(700, |cuts| cuts.parse().unwrap())
}

/// A seeded generator (xorshift64*).
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn roll(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }

    pub fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }
}

impl Random for Dice {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill_with(|| self.roll() as u8);
    }
}

pub fn progress(what: &str, done: u32, of: u32) {
    if done.is_multiple_of(500) || done == of {
        eprintln!("{what}: {done} of {of} power cuts");
    }
}

pub fn flash(place: Place, seed: u64) -> SimFlash {
    SimFlash::new(place.length as usize / SECTOR, seed)
}

/// Steps of a power cut that an action takes.
pub fn steps(before: &SimFlash, after: &SimFlash) -> u32 {
    let words = after.words_written() - before.words_written();
    (words + 4 * (after.erases() - before.erases())) as u32
}

/// Totals a little later: mostly one energy grew, as under a load; sometimes more, or a lot.
pub fn later(totals: &Totals, dice: &mut Dice) -> Totals {
    let mut more = Totals::default();
    let energy = Energy(match dice.below(20) {
        0 => dice.below(1 << 40),
        1..4 => dice.below(1 << 20),
        _ => dice.below(11_000_000_000),
    });
    if dice.one_in(8) {
        more.export = energy
    } else {
        more.import = energy
    }
    if dice.one_in(25) {
        more.below_noise = energy;
        more.unmeasured_us = dice.below(100_000);
    }
    totals.plus(more)
}
