//! Instant over-current: the RMS of the last half cycle against a limit, once a block of samples.
//!
//! A current of at least 1.05 times the limit reaches the threshold before it has flowed for half a cycle; the
//! block adds at most 2 ms. A clipped current counts as over the limit: what it really is nobody knows.

use metering::meter::{HalfCycle, Meter};
use metering::units::Amperes;

use crate::platform::{InstantLimit, InstantTrip};

/// Rated current of the plug: what it opens at.
pub const DEFAULT_LIMIT: Amperes = Amperes(16.0);
/// Where between the limit (never a trip) and 1.05 times it (always one) the threshold lies.
const THRESHOLD: f64 = 1.025;

/// Why protection opened the relay.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Trip {
    /// Half-cycle RMS current over the limit.
    OverCurrent {
        /// What was seen.
        current: Amperes,
        /// What is allowed.
        limit: Amperes,
    },
    /// The current channel touched its rail.
    ClippedCurrent {
        /// What is allowed.
        limit: Amperes,
    },
    /// No samples come: an over-current would go unseen.
    NoSamples,
}

/// Limits in raw counts: compared with integers only.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OverCurrent {
    limit: Amperes,
    amperes_a_count: f64,
    threshold_counts: u32,
}

impl OverCurrent {
    /// For a limit and the current channel's gain.
    #[must_use]
    pub fn new(limit: Amperes, amperes_a_count: f64) -> Self {
        let gain = if amperes_a_count < 0.0 { -amperes_a_count } else { amperes_a_count };
        Self { limit, amperes_a_count: gain, threshold_counts: (limit.0 * THRESHOLD / gain) as u32 }
    }

    /// The same limit for another gain; costs a comparison when it is the same.
    #[must_use]
    pub fn with_gain(self, amperes_a_count: f64) -> Self {
        if self.amperes_a_count == amperes_a_count || self.amperes_a_count == -amperes_a_count {
            return self;
        }
        Self::new(self.limit, amperes_a_count)
    }

    /// Looks at the newest half cycle.
    #[must_use]
    pub fn check(&self, half_cycle: &HalfCycle) -> Option<Trip> {
        let limit = self.limit;
        if half_cycle.current.rms_at_least(self.threshold_counts) {
            let current = Amperes(self.amperes_a_count * half_cycle.current.rms_counts());
            return Some(Trip::OverCurrent { current, limit });
        }
        half_cycle.current_clipped.then_some(Trip::ClippedCurrent { limit })
    }

    /// The same limit for whatever takes the samples in below the core.
    #[must_use]
    pub fn instant_limit(&self, meter: &Meter<'_>) -> InstantLimit {
        let range = meter.front_end().current;
        InstantLimit {
            zero: meter.current_zero(),
            threshold: self.threshold_counts,
            half_cycle: u16::try_from(meter.half_cycle_rows()).unwrap_or(u16::MAX),
            lowest: range.lowest,
            highest: range.highest,
        }
    }

    /// What the core makes of a trip that came from below.
    #[must_use]
    pub fn instant_trip(&self, trip: InstantTrip) -> Trip {
        let limit = self.limit;
        match trip {
            InstantTrip::OverCurrent(counts) => {
                Trip::OverCurrent { current: Amperes(self.amperes_a_count * f64::from(counts)), limit }
            }
            InstantTrip::Clipped => Trip::ClippedCurrent { limit },
            InstantTrip::NoSamples => Trip::NoSamples,
        }
    }
}
