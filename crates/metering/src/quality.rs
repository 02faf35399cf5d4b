//! What is to be said of a reading beside its numbers. A value is never replaced without one of these.

use serde::ser::{Serialize, SerializeSeq, Serializer};

macro_rules! flags {
    ($($(#[$doc:meta])* $name:ident = $bit:literal, $text:literal;)+) => {
        /// One thing that a reader of the numbers must know.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Flag {
            $($(#[$doc])* $name = $bit),+
        }

        impl Flag {
            /// Every flag there is, in the order of their bits.
            pub const ALL: &'static [Flag] = &[$(Flag::$name),+];

            /// The public name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Flag::$name => $text),+ }
            }
        }
    };
}

flags! {
    /// A sample of either channel lay at or beyond a rail: the true value was larger.
    Clipped = 0, "clipped";
    /// The voltage was below a tenth of nominal.
    NoVoltage = 1, "no_voltage";
    /// No usable zero crossings: the window has a fixed length and what needs cycles is null.
    NoSync = 2, "no_sync";
    /// The current cannot be told from the noise of the channel.
    BelowNoise = 3, "below_noise";
    /// Pairs were lost inside the window.
    LostSamples = 4, "lost_samples";
    /// Direct current flows (beyond 5 % of the alternating part and the zero's uncertainty).
    DcCurrent = 5, "dc_current";
    /// Nobody ever calibrated this plug.
    Uncalibrated = 6, "uncalibrated";
    /// The relay was switched inside the window.
    RelayChanged = 7, "relay_changed";
    /// The first window under a new calibration.
    CalibrationChanged = 8, "calibration_changed";
    /// The time of day is not known well enough.
    ClockUntrusted = 9, "clock_untrusted";
    /// The periods of the cycles in this window differ by more than 2 %: the frequency is a mean of something.
    FrequencyUnstable = 10, "frequency_unstable";
    /// The voltage channel did not move by a count.
    VoltageStuck = 11, "voltage_stuck";
    /// The current channel did not move by a count.
    CurrentStuck = 12, "current_stuck";
    /// The active power is negative: energy was exported, or the current sensor is reversed.
    Export = 13, "export";
    /// The window ended early, at its last whole cycle.
    ShortWindow = 14, "short_window";
}

/// The set of flags of one reading; serialised as a list of names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quality(u32);

impl Quality {
    /// Nothing to be said.
    pub const NONE: Self = Self(0);

    /// Adds a flag.
    pub fn set(&mut self, flag: Flag) {
        self.0 |= 1 << flag as u32;
    }

    /// Adds a flag if `condition` holds.
    pub fn set_if(&mut self, flag: Flag, condition: bool) {
        if condition {
            self.set(flag);
        }
    }

    /// Whether the flag is there.
    #[must_use]
    pub const fn has(self, flag: Flag) -> bool {
        self.0 & (1 << flag as u32) != 0
    }

    /// The flags of both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The flags as bits.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The flags, in the order of their bits.
    pub fn iter(self) -> impl Iterator<Item = Flag> {
        Flag::ALL.iter().copied().filter(move |flag| self.has(*flag))
    }
}

impl Serialize for Quality {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.iter().count()))?;
        for flag in self.iter() {
            list.serialize_element(flag.name())?;
        }
        list.end()
    }
}
