//! Chance for start values of the encryption and for jitter: drawn from a seed that is random at each start.

use super::crypt::{BLOCK, hmac};

/// HMAC-SHA-256 of a counter, keyed with the seed: nobody who knows some of its values can tell others.
pub(super) struct Chance {
    seed: [u8; 32],
    drawn: u64,
}

impl Chance {
    pub(super) const fn new(seed: [u8; 32]) -> Self {
        Self { seed, drawn: 0 }
    }

    /// A start value that was never used before.
    pub(super) fn block(&mut self) -> [u8; BLOCK] {
        self.drawn = self.drawn.wrapping_add(1);
        let mac = hmac(&self.seed, &[&self.drawn.to_le_bytes()]);
        let mut block = [0; BLOCK];
        block.iter_mut().zip(mac).for_each(|(to, from)| *to = from);
        block
    }

    /// From 0 to 1.
    pub(super) fn part(&mut self) -> f64 {
        let [a, b, c, d, ..] = self.block();
        f64::from(u32::from_le_bytes([a, b, c, d])) / f64::from(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_comes_twice() {
        let (mut one, mut other) = (Chance::new([1; 32]), Chance::new([2; 32]));
        let mut seen = alloc::collections::BTreeSet::new();
        for _ in 0..1000 {
            assert!(seen.insert(one.block()) && seen.insert(other.block()));
        }
        let parts: alloc::vec::Vec<f64> = (0..1000).map(|_| one.part()).collect();
        assert!(parts.iter().all(|part| (0.0..=1.0).contains(part)));
        let mean = parts.iter().sum::<f64>() / 1000.0;
        assert!((0.45..0.55).contains(&mean), "{mean}");
    }
}
