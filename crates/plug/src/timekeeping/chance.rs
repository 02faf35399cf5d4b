//! Chance for cookies and pauses: a counter behind SHA-256, from a seed of the platform's. Whoever sees some of it knows
//! nothing of the rest.

use sha2::{Digest, Sha256};

/// Bytes of the seed.
pub const SEED: usize = 16;

/// Chance without an end.
pub(crate) struct Chance {
    seed: [u8; SEED],
    drawn: u64,
}

impl Chance {
    /// From a seed that nobody knows.
    #[must_use]
    pub(crate) const fn new(seed: [u8; SEED]) -> Self {
        Self { seed, drawn: 0 }
    }

    /// Any number.
    pub(crate) fn number(&mut self) -> u64 {
        self.drawn += 1;
        let mut hash = Sha256::new();
        hash.update(self.seed);
        hash.update(self.drawn.to_le_bytes());
        hash.finalize().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }

    /// From 0 to 1.
    pub(crate) fn part(&mut self) -> f64 {
        self.number() as f64 / u64::MAX as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn no_two_are_the_same() {
        let mut numbers = BTreeSet::new();
        for seed in [[0; SEED], [1; SEED]] {
            let mut chance = Chance::new(seed);
            for _ in 0..500 {
                assert!(numbers.insert(chance.number()));
                assert!((0.0..=1.0).contains(&chance.part()));
            }
        }
    }
}
