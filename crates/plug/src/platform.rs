//! The small traits that a shell implements: the chip in `firmware/`, a PC in `crates/ossp`. Read this first.
//!
//! Sockets are not here: the traits of `edge-nal` (`TcpBind`, later `TcpConnect`, `UdpBind`, `Dns`) are used as
//! they are. Flash, Wi-Fi and update slots join with the steps that use them.

use core::time::Duration;

use metering::front_end::{FrontEnd, Pair};

/// A moment of a [`Clock`]: time since the plug started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(Duration);

impl Instant {
    /// The moment `since_start` after the start.
    #[must_use]
    pub const fn from_start(since_start: Duration) -> Self {
        Self(since_start)
    }

    /// How long after the start this is.
    #[must_use]
    pub const fn since_start(self) -> Duration {
        self.0
    }

    /// The moment `by` later.
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(by))
    }

    /// How much later this is than `earlier`; zero if it is not.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// The only way to know or to wait for time. Real on a plug, simulated in tests and at `--speed`.
pub trait Clock {
    /// Now. Never goes back.
    fn now(&self) -> Instant;
    /// Returns at or soon after `moment`. Dropping the future cancels the wait.
    async fn sleep_until(&self, moment: Instant);
    /// Unix seconds, if this platform knows the time of day by itself (a PC does, the chip does not).
    fn time_of_day(&self) -> Option<f64>;
}

/// A run of consecutive pairs.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    /// How many pairs were lost just before this block.
    pub lost_before: u32,
    /// The pairs, oldest first; at most 2 ms of them, since protection is evaluated once a block.
    pub pairs: &'a [Pair],
}

/// Where samples come from.
pub trait Samples {
    /// What the hardware in front of the samples is.
    fn front_end(&self) -> FrontEnd;
    /// Waits for the next block; `None` when there will be no more (never on a plug).
    /// Dropping the future loses no samples.
    async fn next(&mut self) -> Option<Block<'_>>;
}

/// The switch.
pub trait Relay {
    /// Commands the contact; takes effect after the relay's own delay.
    fn set(&mut self, closed: bool);
    /// Whether the contact was seen closed, where the hardware can tell.
    fn measured(&self) -> Option<bool> {
        None
    }
}

/// Random numbers fit for secrets.
pub trait Random {
    /// Fills `bytes`.
    fn fill(&mut self, bytes: &mut [u8]);
}

/// What this plug is; constant while it runs.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Unique, stable: `ossp-XXXX` is made of its last four characters.
    pub id: heapless::String<16>,
    /// Board name, `virtual` on a PC.
    pub board: &'static str,
    /// Chip name, `pc` on a PC.
    pub chip: &'static str,
    /// Commit this was built from, or `unknown`.
    pub git: &'static str,
    /// Build profile and target.
    pub build: &'static str,
    /// Why the plug started.
    pub reset_reason: &'static str,
    /// What it measures, in words ("simulated kettle", "recording fridge.csv", "ZMPT101B and ACS712-20A").
    pub source: heapless::String<64>,
}
