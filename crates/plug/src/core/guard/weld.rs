//! A welded relay: commanded off, and current flows all the same.
//!
//! ```text
//!            flows for 1 s in windows wholly after "off"
//!   Fine ------------------------------------------------> Welded
//!    ^                                                       |
//!    |        does not flow for 1 s, or commanded on         |
//!    +-------------------------------------------------------+
//! ```
//! A window counts if the meter says that the relay was off and no switching can have had an effect in it (the command
//! and 30 ms after it, see `relay_changed`); the meter counts that in samples, so no delay on the way here matters.

use metering::quality::Flag;
use metering::reading::Reading;

use super::stretch::{Stretch, Window};

/// Less than this is never taken for a current: snubbers and filters leak.
const LEAST_A: f64 = 0.05;
/// The channel's noise where nobody measured it: a Hall sensor of 20 A on the chip's own converter has about that, and a
/// false alarm each time the relay opens would teach people to overlook it.
const UNKNOWN_NOISE_A: f64 = 0.1;
/// A current must be so many times the channel's noise.
const TIMES_NOISE: f64 = 3.0;
/// How long it must flow, or not flow.
const LASTS_S: f64 = 1.0;

/// Whether a reading shows a current beyond doubt.
pub(super) fn is_flowing(reading: &Reading) -> bool {
    let noise = reading.current_noise_floor.map_or(UNKNOWN_NOISE_A, |noise| noise.0);
    !reading.quality.has(Flag::BelowNoise) && reading.current.0 > LEAST_A.max(TIMES_NOISE * noise)
}

/// What is known of the contact.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Weld {
    flows: Stretch,
    gone: Stretch,
    welded: bool,
    current: f64,
}

impl Weld {
    /// A window was measured.
    pub(super) fn take(&mut self, reading: &Reading, on: bool) {
        if on {
            self.commanded_on();
            return;
        }
        if reading.relay || reading.quality.has(Flag::RelayChanged) {
            return;
        }
        let (flows, window) = (is_flowing(reading), Window::of(reading));
        self.flows.follow(flows, window);
        self.gone.follow(!flows, window);
        if !self.welded && self.flows.lasts(LASTS_S) {
            self.current = reading.current.0;
            self.welded = true;
        } else if self.gone.lasts(LASTS_S) {
            self.welded = false;
        }
    }

    /// A closed contact may carry current.
    pub(super) fn commanded_on(&mut self) {
        *self = Self::default();
    }

    /// The current that flowed when it was found, in amperes; `None`: not welded.
    pub(super) fn current(&self) -> Option<f64> {
        self.welded.then_some(self.current)
    }
}
