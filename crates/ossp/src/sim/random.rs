//! Seeded randomness with the same bits on every machine.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};

/// One stream of random numbers. Streams of the same seed are independent of each other, so that a load more or
/// less does not change the mains or the noise.
#[derive(Clone, Debug)]
pub(super) struct Random(ChaCha8Rng);

/// Which stream is for what; loads count up from the last.
pub(super) mod stream {
    pub(in crate::sim) const MAINS: u64 = 0;
    pub(in crate::sim) const NOISE: u64 = 1;
    pub(in crate::sim) const LOSSES: u64 = 2;
    pub(in crate::sim) const RELAY: u64 = 3;
    pub(in crate::sim) const FLASH: u64 = 4;
    pub(in crate::sim) const ERASE_TIMES: u64 = 5;
    pub(in crate::sim) const RADIO: u64 = 6;
    pub(in crate::sim) const LOADS: u64 = 16;
}

impl Random {
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        // Spelled out rather than `seed_from_u64`, whose expansion is not part of the algorithm.
        let mut key = [0; 32];
        for (to, from) in key.iter_mut().zip(seed.to_le_bytes()) {
            *to = from;
        }
        let mut generator = ChaCha8Rng::from_seed(key);
        generator.set_stream(stream);
        Self(generator)
    }

    /// Evenly from above 0 to 1.
    pub(super) fn fraction(&mut self) -> f64 {
        const STEPS: f64 = (1_u64 << 53) as f64;
        ((self.0.next_u64() >> 11) + 1) as f64 / STEPS
    }

    /// Two independent standard normal numbers (Box and Muller 1958).
    pub(super) fn normal_pair(&mut self) -> (f64, f64) {
        let radius = libm::sqrt(-2.0 * libm::log(self.fraction()));
        let (sin, cos) = libm::sincos(core::f64::consts::TAU * self.fraction());
        (radius * cos, radius * sin)
    }

    /// A standard normal number.
    pub(super) fn normal(&mut self) -> f64 {
        self.normal_pair().0
    }

    /// Time until the next event of a Poisson process with this mean.
    pub(super) fn waiting_time(&mut self, mean: f64) -> f64 {
        -mean * libm::log(self.fraction())
    }
}

/// A value that wanders about zero and forgets where it was (an Ornstein-Uhlenbeck process).
#[derive(Clone, Debug)]
pub(super) struct Wander {
    value: f64,
    spread: f64,
    memory_s: f64,
}

impl Wander {
    /// `spread` is the standard deviation, `memory_s` the time after which 37 % is left.
    pub(super) fn new(spread: f64, memory_s: f64) -> Self {
        Self { value: 0.0, spread, memory_s }
    }

    pub(super) fn value(&self) -> f64 {
        self.value
    }

    pub(super) fn step(&mut self, duration_s: f64, random: &mut Random) {
        if self.spread > 0.0 {
            let kept = libm::exp(-duration_s / self.memory_s);
            self.value = kept * self.value + self.spread * libm::sqrt(1.0 - kept * kept) * random.normal();
        }
    }
}
