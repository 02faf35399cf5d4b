//! Numbers with their limits, refused with a sentence while the place in the file is still known.

use core::fmt;

use serde::de::{Deserializer, Error, Visitor};

/// What a number must be.
struct Limits {
    low: f64,
    high: f64,
    low_is_included: bool,
}

impl fmt::Display for Limits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.low_is_included {
            write!(formatter, "a number from {} to {}", self.low, self.high)
        } else {
            write!(formatter, "a number above {} and at most {}", self.low, self.high)
        }
    }
}

impl Visitor<'_> for Limits {
    type Value = f64;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<f64, E> {
        // The comparisons are false for what is no number.
        let is_above = number > self.low || (self.low_is_included && number >= self.low);
        if is_above && number <= self.high {
            Ok(number)
        } else {
            Err(E::custom(format_args!("{number} is not {self}")))
        }
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<f64, E> {
        // Beyond 2^53 the limits refuse it anyway.
        self.visit_f64(number as f64)
    }
}

/// From `LOW` to `HIGH`, both included.
pub(super) fn within<'de, const LOW: i64, const HIGH: i64, D: Deserializer<'de>>(
    from: D,
) -> Result<f64, D::Error> {
    from.deserialize_f64(Limits { low: LOW as f64, high: HIGH as f64, low_is_included: true })
}

/// Above 0, up to `HIGH`.
pub(super) fn above_zero<'de, const HIGH: i64, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    from.deserialize_f64(Limits { low: 0.0, high: HIGH as f64, low_is_included: false })
}

/// As [`within`], for a field whose default depends on others.
pub(super) fn some_within<'de, const LOW: i64, const HIGH: i64, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<f64>, D::Error> {
    within::<LOW, HIGH, D>(from).map(Some)
}

/// A power factor that a motor can have.
pub(super) fn power_factor<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    from.deserialize_f64(Limits { low: 0.05, high: 0.99, low_is_included: true })
}

/// What a short circuit has left.
pub(super) fn short_ohm<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    from.deserialize_f64(Limits { low: 0.01, high: 100.0, low_is_included: true })
}

/// A whole number from `LOW` to `HIGH`.
pub(super) fn whole<'de, const LOW: i64, const HIGH: i64, D: Deserializer<'de>>(
    from: D,
) -> Result<u32, D::Error> {
    let number = within::<LOW, HIGH, D>(from)?;
    if number.fract() == 0.0 {
        // The limits are those of a small number.
        Ok(number as u32)
    } else {
        Err(D::Error::custom(format_args!("{number} is not a whole number")))
    }
}
