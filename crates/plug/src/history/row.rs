//! One row of the log, as everybody outside of it sees it.

use heapless::Vec;
use metering::energy::Energy;
use metering::quality::Quality;

/// Rows that are read at once: 1.4 KB.
pub const CHUNK: usize = 8;

/// Rows that were read, oldest first.
pub type Chunk = Vec<Row, CHUNK>;

/// What was measured in one window, (end - interval, end]. A window in which nothing was measured has none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    /// Number of the start in which it was measured.
    pub boot: u32,
    /// The window's end, seconds after that start.
    pub uptime_s: f64,
    /// The window's end, Unix seconds: a multiple of the interval, unless the time became known only later. `None` if
    /// that start never learned the time.
    pub time: Option<u32>,
    /// How long the window is.
    pub interval_s: u32,
    /// The part of it that was measured, 0 to 1.
    pub measured: f64,
    /// What the meter showed at the end: consumed.
    pub import: Energy,
    /// What the meter showed at the end: delivered.
    pub export: Energy,
    /// Mean over the measured time.
    pub active_power_w: f64,
    /// The least of the readings in it.
    pub power_min_w: f64,
    /// The greatest of the readings in it.
    pub power_max_w: f64,
    /// Root of the mean square over the measured time.
    pub voltage_v: Option<f64>,
    /// Root of the mean square over the measured time.
    pub current_a: Option<f64>,
    /// Mean over the time in which there was one.
    pub power_factor: Option<f64>,
    /// Mean over the time in which there was one.
    pub frequency_hz: Option<f64>,
    /// Whether the relay was closed at the end.
    pub relay: bool,
    /// Whether it was switched in the window.
    pub relay_changed: bool,
    /// What is to be said of any of the readings in it.
    pub quality: Quality,
}

/// The rows of a start that never learned the time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Unplaced {
    /// Number of the start.
    pub boot: u32,
    /// Where the first of its windows begins, seconds after the start.
    pub from_uptime_s: f64,
    /// Where the last one ends.
    pub to_uptime_s: f64,
    /// How many there are.
    pub rows: u32,
}
