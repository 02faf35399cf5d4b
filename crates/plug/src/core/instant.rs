//! The instant trip below the core: the half-cycle RMS of the current once more, small enough for the interrupt that
//! takes the samples. It goes on while the flash is erased and nothing else runs.
//!
//! The shell calls [`InstantGuard::take`] with every current sample and opens the relay itself when it says so; the
//! core learns of it through [`crate::platform::Relay::tripped`]. The sum is taken over a whole number of samples,
//! so that it moves with two multiplications; at 4 kHz the length is then at most 1.3 % off, the RMS 0.7 %, and the
//! threshold lies 2.5 % above the limit.

use crate::platform::{InstantLimit, InstantTrip};

/// Half cycles of up to this many pairs: 45 Hz at 5.7 kHz.
pub const LONGEST_HALF_CYCLE: usize = 64;

/// The sliding sum of squares, and the limit that it is held against.
///
/// ```text
///               set_limit                take: sum >= limit
///   without ---------------> watching -----------------------> says so with every sample,
///   a limit                     ^  |                           for as long as it is so
///                               +--+  take
/// ```
#[derive(Clone, Debug)]
pub struct InstantGuard {
    limit: InstantLimit,
    /// The sum at which it trips: `threshold^2 * half_cycle`. `u64::MAX` without a limit.
    trip_at: u64,
    counts: [i32; LONGEST_HALF_CYCLE],
    /// Where the next count goes.
    at: usize,
    sum: u64,
}

impl InstantGuard {
    /// Without a limit: never trips.
    #[must_use]
    pub const fn new() -> Self {
        let limit =
            InstantLimit { zero: 0, threshold: 0, half_cycle: 0, lowest: i32::MIN, highest: i32::MAX };
        Self { limit, trip_at: u64::MAX, counts: [0; LONGEST_HALF_CYCLE], at: 0, sum: 0 }
    }

    /// From the next sample on this limit holds, over the samples that are already there. A half cycle that is too
    /// long is cut: the trip then comes earlier, never later.
    pub fn set_limit(&mut self, limit: InstantLimit) {
        let half_cycle = limit.half_cycle.clamp(1, LONGEST_HALF_CYCLE as u16);
        let limit = InstantLimit { half_cycle, ..limit };
        if limit == self.limit {
            return;
        }
        if self.trip_at == u64::MAX {
            self.counts = [limit.zero; LONGEST_HALF_CYCLE];
        }
        self.limit = limit;
        let threshold = u64::from(limit.threshold);
        self.trip_at = threshold.saturating_mul(threshold).saturating_mul(half_cycle.into());
        self.sum = 0;
        for back in 1..=usize::from(half_cycle) {
            self.sum += self.square(self.before(back));
        }
    }

    /// Takes the next current sample; `true`: the relay has to be open, at once.
    ///
    /// Always inlined, so that it lies where its caller lies: in RAM.
    #[inline(always)]
    #[must_use]
    pub fn take(&mut self, count: i32) -> bool {
        let oldest = self.before(self.limit.half_cycle as usize);
        self.sum = self.sum.wrapping_add(self.square(count)).wrapping_sub(self.square(oldest));
        if let Some(place) = self.counts.get_mut(self.at) {
            *place = count;
        }
        self.at = (self.at + 1) % LONGEST_HALF_CYCLE;
        self.sum >= self.trip_at || (self.trip_at != u64::MAX && self.clipped(count))
    }

    /// What is seen now: to be kept at the moment when [`Self::take`] says `true`.
    #[inline(always)]
    #[must_use]
    pub fn seen(&self) -> Seen {
        Seen { sum: self.sum, half_cycle: self.limit.half_cycle, clipped: self.clipped(self.before(1)) }
    }

    /// The count `back` samples ago; 1 is the newest.
    #[inline(always)]
    fn before(&self, back: usize) -> i32 {
        let at = (self.at + LONGEST_HALF_CYCLE - back) % LONGEST_HALF_CYCLE;
        self.counts.get(at).copied().unwrap_or(self.limit.zero)
    }

    #[inline(always)]
    fn square(&self, count: i32) -> u64 {
        let deviation = i64::from(count) - i64::from(self.limit.zero);
        (deviation * deviation) as u64
    }

    #[inline(always)]
    fn clipped(&self, count: i32) -> bool {
        count <= self.limit.lowest || count >= self.limit.highest
    }
}

/// What an [`InstantGuard`] saw, raw: dividing and taking roots is for whoever has time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    sum: u64,
    half_cycle: u16,
    clipped: bool,
}

impl Seen {
    /// As the core wants it.
    #[must_use]
    pub fn trip(self) -> InstantTrip {
        if self.clipped {
            return InstantTrip::Clipped;
        }
        let mean = self.sum / u64::from(self.half_cycle.max(1));
        InstantTrip::OverCurrent(mean.isqrt() as u32)
    }
}

impl Default for InstantGuard {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;

    const LIMIT: InstantLimit =
        InstantLimit { zero: 2000, threshold: 500, half_cycle: 40, lowest: 0, highest: 4095 };

    fn guard() -> InstantGuard {
        let mut guard = InstantGuard::new();
        guard.set_limit(LIMIT);
        guard
    }

    fn sine(row: usize, rms: f64, phase: f64) -> i32 {
        2000 + (rms * 2_f64.sqrt() * (core::f64::consts::PI * row as f64 / 40.0 + phase).sin()) as i32
    }

    #[test]
    fn trips_within_half_a_cycle_at_any_phase_and_not_below() {
        for step in 0..80 {
            let phase = core::f64::consts::TAU * f64::from(step) / 80.0;
            let mut above = guard();
            let tripped = (0..80).position(|row| above.take(sine(row, 513.0, phase)));
            assert!(tripped.is_some_and(|row| row < 40), "phase {phase}: {tripped:?}");
            let seen = above.seen().trip();
            assert!(matches!(seen, InstantTrip::OverCurrent(495..515)), "{seen:?}");
            let mut below = guard();
            assert!((0..400).all(|row| !below.take(sine(row, 487.0, phase))), "phase {phase}");
        }
    }

    #[test]
    fn a_new_limit_looks_at_what_was_there() {
        let mut guard = guard();
        for row in 0..400 {
            assert!(!guard.take(sine(row, 300.0, 0.0)));
        }
        guard.set_limit(InstantLimit { threshold: 200, half_cycle: 33, ..LIMIT });
        assert!(guard.take(2000));
        // And with the old one all is as before: the sum is the same as if there had been no other.
        guard.set_limit(LIMIT);
        for row in 0..400 {
            assert!(!guard.take(sine(row, 300.0, 0.0)));
        }
        let seen = guard.seen().trip();
        assert!(matches!(seen, InstantTrip::OverCurrent(298..=302)), "{seen:?}");
    }

    #[test]
    fn a_clipped_sample_trips_at_once_and_nothing_trips_without_a_limit() {
        assert!(guard().take(4095) && guard().take(0) && !guard().take(4094));
        let mut clipped = guard();
        assert!(clipped.take(4095) && clipped.seen().trip() == InstantTrip::Clipped);
        let mut guard = InstantGuard::new();
        assert!((0..100).all(|_| !guard.take(i32::MAX)));
        let mut long = InstantGuard::new();
        long.set_limit(InstantLimit { half_cycle: 1000, ..LIMIT });
        assert!((0..200).all(|_| !long.take(2000)));
    }
}
