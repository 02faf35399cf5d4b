//! What the flash tells at the start.

use crate::core::claims::Memory;
use metering::energy::Resumed;

/// What was found of the time before the start.
pub struct Before {
    /// Of the relay.
    pub memory: Memory,
    /// Of the meter.
    pub energy: Resumed,
    /// What was imported today; `None` if nobody knows which day it is, or it has not begun.
    pub used_today_wh: Option<(i64, f64)>,
    /// Number of the next trip.
    pub next_trip: u32,
    /// The newest day that has a mark, from 1970-01-01 in local time.
    pub newest_day: Option<i64>,
}
