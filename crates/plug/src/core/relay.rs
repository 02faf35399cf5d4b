//! Who wants the relay on or off, and why it is as it is.

use core::time::Duration;

use serde::Serialize;

/// Where a wish to switch comes from; later steps add more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The state after power-up.
    PowerOn,
    /// Somebody through the web interface.
    Web,
    /// The end of a `for_s`.
    Timer,
    /// The protection.
    Protection,
}

/// What a person asks of the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Closed or open.
    Set(bool),
    /// The other way round.
    Toggle,
}

/// A wish with its time limit (`for_s`): afterwards the relay goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelayCommand {
    /// What is asked.
    pub wish: Wish,
    /// For how long; `None` for good.
    pub duration: Option<Duration>,
    /// Who asks.
    pub source: Source,
}

/// `GET /api/v1/relay`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RelayStatus {
    /// Whether the relay is commanded closed.
    pub on: bool,
    /// Whether the contact was seen closed; null where the hardware cannot tell.
    pub measured: Option<bool>,
    /// Who commanded it.
    pub commanded_by: Source,
    /// Why, in words.
    pub reason: heapless::String<96>,
    /// Since when, Unix seconds; null before the clock is trusted.
    pub since: Option<f64>,
    /// Since when, seconds after start.
    pub since_uptime_s: f64,
    /// Seconds until a `for_s` ends; null without one.
    pub remaining_s: Option<f64>,
    /// Whether protection holds it open until somebody re-arms.
    pub locked_out: bool,
    /// Changes since start.
    pub switch_count: u32,
}

/// One line of `GET /api/v1/relay/log`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RelayChange {
    /// When, Unix seconds; null before the clock is trusted.
    pub time: Option<f64>,
    /// When, seconds after start.
    pub uptime_s: f64,
    /// What it became.
    pub on: bool,
    /// Who.
    pub source: Source,
    /// Why, in words.
    pub cause: heapless::String<96>,
    /// `sequence` of the newest reading when it happened; null before the first.
    pub reading_sequence: Option<u64>,
    /// Active power in that reading.
    pub active_power_w: Option<f64>,
    /// Current in that reading.
    pub current_a: Option<f64>,
}
