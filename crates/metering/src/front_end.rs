//! What the measuring hardware is, as opposed to how it was calibrated: sample rate, rails, skew.

use crate::units::{Hertz, Seconds, Volts};

/// One simultaneous (but for the known skew) pair of raw converter counts.
///
/// Unsigned converters deliver 0 to full scale, signed ones negative and positive counts; the calibrated zero
/// tells which. At most 24 bits: `|raw - zero| <= 2^24`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Pair {
    /// Raw counts of the voltage channel.
    pub voltage: i32,
    /// Raw counts of the current channel.
    pub current: i32,
}

impl Pair {
    /// Stands for a pair that was lost, where rows must keep their places. No converter of 24 bits delivers it.
    pub const LOST: Self = Self { voltage: i32::MIN, current: i32::MIN };

    /// Whether this is [`Self::LOST`].
    #[must_use]
    pub const fn is_lost(self) -> bool {
        self.voltage == Self::LOST.voltage
    }
}

/// What one channel of the converter can express.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelRange {
    /// Lowest code; a sample at or below it counts as clipped.
    pub lowest: i32,
    /// Highest code; a sample at or above it counts as clipped.
    pub highest: i32,
    /// Whether the sensor sees direct current or voltage (a transformer does not).
    pub dc_coupled: bool,
}

/// Lowest sample rate.
pub const SLOWEST_HZ: f64 = 1e3;
/// Highest sample rate.
pub const FASTEST_HZ: f64 = 50e3;

/// The measuring hardware in front of this crate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FrontEnd {
    /// Pairs a second, 1 kHz to 50 kHz.
    pub sample_rate: Hertz,
    /// The voltage channel's codes.
    pub voltage: ChannelRange,
    /// The current channel's codes.
    pub current: ChannelRange,
    /// How much later the current of a pair was sampled than its voltage; negative if earlier. A pure delay.
    pub channel_skew: Seconds,
    /// Nominal mains voltage: below a tenth of it there is `no_voltage`. Not used for anything else but the
    /// hysteresis of the zero crossings.
    pub nominal_voltage: Volts,
}

/// Why a [`FrontEnd`] cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrontEndError {
    /// Not 1 kHz to 50 kHz.
    SampleRate,
    /// Beyond 10 ms either way.
    ChannelSkew,
    /// Not above zero.
    NominalVoltage,
}

impl core::fmt::Display for FrontEndError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::SampleRate => "the sample rate must lie between 1000 and 50000 pairs a second",
            Self::ChannelSkew => "the channel skew must lie between -10 ms and 10 ms",
            Self::NominalVoltage => "the nominal voltage must be above zero",
        })
    }
}

impl FrontEnd {
    /// Whether this crate is made for it.
    ///
    /// # Errors
    /// Names the first field that is out of range.
    pub fn check(&self) -> Result<(), FrontEndError> {
        if !(SLOWEST_HZ..=FASTEST_HZ).contains(&self.sample_rate.0) {
            return Err(FrontEndError::SampleRate);
        }
        if !(-0.010..=0.010).contains(&self.channel_skew.0) {
            return Err(FrontEndError::ChannelSkew);
        }
        if !(self.nominal_voltage.0 > 0.0 && self.nominal_voltage.0.is_finite()) {
            return Err(FrontEndError::NominalVoltage);
        }
        Ok(())
    }
}
