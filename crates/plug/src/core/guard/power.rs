//! Over-power: active power over a limit, in either direction, without a break for as long as was set.

use metering::reading::Reading;
use metering::units::{Seconds, Watts};

use super::Limits;
use super::stretch::{Stretch, Window};
use crate::core::protection::Trip;

/// What is known of the power.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct OverPower {
    power: f64,
    over: Stretch,
}

impl OverPower {
    /// A window was measured. An open relay ends the stretch: what is left of the power is of before.
    pub(super) fn take(&mut self, reading: &Reading, on: bool, limits: &Limits) {
        self.power = reading.active_power.0;
        let over = limits.power_limit.is_some_and(|limit| libm::fabs(self.power) > limit.0);
        self.over.follow(on && over, Window::of(reading));
    }

    /// Whether it lasted long enough.
    pub(super) fn verdict(&self, limits: &Limits) -> Option<Trip> {
        let limit = limits.power_limit?;
        let lasted = Seconds(self.over.seconds()?);
        let trip = Trip::OverPower { power: Watts(self.power), limit, lasted };
        self.over.lasts(limits.power_hold.0).then_some(trip)
    }

    /// How long the power has been over the limit; `None` when it is not.
    pub(super) fn lasted(&self) -> Option<f64> {
        self.over.seconds()
    }
}
