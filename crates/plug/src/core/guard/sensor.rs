//! Sensor faults: no samples, or a channel that stands still. Whoever cannot measure cannot protect.
//!
//! What is a fault, and what is not:
//! - A current channel at one constant count, more than two counts from its zero, for a second: no current looks like
//!   that, it is a broken wire, a dead sensor or a converter at its rail.
//! - A current channel at one constant count at its zero is *no* fault: it is what a quiet channel shows while nothing
//!   flows, and most of the time nothing flows. A channel that died exactly at its zero cannot be told from it.
//! - A voltage channel at one constant count while current flows through the closed relay, for a second: what drives
//!   the current cannot be constant. It stays a fault until the channel moves.
//! - A voltage channel at one constant count while nothing flows is *no* fault: the mains may be gone.

use metering::quality::Flag;
use metering::reading::Reading;

use super::stretch::{Stretch, Window};
use super::weld::is_flowing;
use crate::core::protection::{Channel, Trip};

/// How far from its zero a constant current channel may stand: the zero is rounded and drifts a little.
const ZERO_COUNTS: f64 = 2.0;
/// The same where nobody has said what a count is, in amperes.
const ZERO_A: f64 = 0.05;
/// How long a channel must stand still, in seconds.
const STUCK_S: f64 = 1.0;

/// What is known of the sensors.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sensor {
    /// Of the current channel.
    amperes_a_count: Option<f64>,
    silent: bool,
    current: Stretch,
    voltage: Stretch,
    voltage_failed: bool,
}

impl Sensor {
    pub(super) fn set_gain(&mut self, amperes_a_count: f64) {
        self.amperes_a_count = Some(libm::fabs(amperes_a_count)).filter(|gain| gain.is_finite());
    }

    /// No samples come.
    pub(super) fn fall_silent(&mut self) {
        self.silent = true;
    }

    /// A window was measured.
    pub(super) fn take(&mut self, reading: &Reading, on: bool) {
        self.silent = false;
        let window = Window::of(reading);
        self.current.follow(self.current_is_stuck(reading), window);
        let stuck = reading.quality.has(Flag::VoltageStuck);
        let closed = on && reading.relay && !reading.quality.has(Flag::RelayChanged);
        self.voltage.follow(stuck && closed && is_flowing(reading), window);
        self.voltage_failed = stuck && (self.voltage_failed || self.voltage.lasts(STUCK_S));
    }

    /// At one count, away from zero. Half cycles are about the calibrated zero: they show it on any sensor.
    fn current_is_stuck(&self, reading: &Reading) -> bool {
        let about_zero = reading.half_cycle.current_min.or(reading.current_dc);
        let allowed = self.amperes_a_count.map_or(ZERO_A, |gain| ZERO_COUNTS * gain);
        reading.quality.has(Flag::CurrentStuck)
            && about_zero.is_some_and(|current| libm::fabs(current.0) > allowed)
    }

    /// What is wrong.
    pub(super) fn fault(&self) -> Option<Trip> {
        if self.silent {
            Some(Trip::NoSamples)
        } else if self.current.lasts(STUCK_S) {
            Some(Trip::StuckSensor(Channel::Current))
        } else {
            self.voltage_failed.then_some(Trip::StuckSensor(Channel::Voltage))
        }
    }
}
