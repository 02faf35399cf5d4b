//! Over-temperature of the chip, where it can tell.

use super::Limits;
use crate::core::protection::Trip;

/// So many kelvin below the limit it counts as cool again.
const HYSTERESIS_K: f64 = 10.0;

/// What is known of the chip's temperature.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Temperature {
    newest_c: Option<f64>,
}

impl Temperature {
    /// It was measured; what is not a number was not.
    pub(super) fn take(&mut self, temperature_c: f64) {
        if temperature_c.is_finite() {
            self.newest_c = Some(temperature_c);
        }
    }

    /// Whether it is too hot.
    pub(super) fn verdict(&self, limits: &Limits) -> Option<Trip> {
        let (temperature_c, limit_c) = (self.newest_c?, limits.chip_temperature_max_c?);
        (temperature_c > limit_c).then_some(Trip::OverTemperature { temperature_c, limit_c })
    }

    /// Whether it has cooled down.
    pub(super) fn is_clear(&self, limits: &Limits) -> bool {
        let both = self.newest_c.zip(limits.chip_temperature_max_c);
        both.is_none_or(|(newest, limit)| newest <= limit - HYSTERESIS_K)
    }

    /// The newest, in degrees Celsius.
    pub(super) fn newest_c(&self) -> Option<f64> {
        self.newest_c
    }
}
