//! From counts to volts and amperes: gains, zeros, phase, noise; versioned, hashed, with their stated uncertainty.

use heapless::String;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::units::{Amperes, Degrees};

/// Calibration of one channel. SI value = `gain * (raw - zero_raw)`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ChannelCalibration {
    /// Volts or amperes a count.
    pub gain: f64,
    /// Standard uncertainty of the gain, in percent of it.
    pub gain_uncertainty_pct: f64,
    /// The code that stands for zero; fractions are kept.
    pub zero_raw: f64,
    /// Standard uncertainty of the zero, in counts.
    pub zero_uncertainty_raw: f64,
}

/// All that turns counts into SI values. Version 0 means that nobody ever calibrated this plug.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Calibration {
    /// Rises by one with every change; 0 is the default of the board, never calibrated.
    pub version: u32,
    /// When it was made, in Unix seconds.
    pub date: Option<u64>,
    /// Against what: an instrument and its serial number, "as stated by the file", ...
    pub reference: String<48>,
    /// Voltage channel, volts a count.
    pub voltage: ChannelCalibration,
    /// Current channel, amperes a count.
    pub current: ChannelCalibration,
    /// By how much the current channel is late at the fundamental, in degrees, beside the skew; -90 to 90.
    #[serde(rename = "phase_deg")]
    pub phase: Degrees,
    /// Standard uncertainty of the phase in degrees.
    #[serde(rename = "phase_uncertainty_deg")]
    pub phase_uncertainty: Degrees,
    /// RMS of the current channel with nothing flowing, if it was measured.
    #[serde(rename = "current_noise_floor_a")]
    pub current_noise_floor: Option<Amperes>,
}

/// What a reading says of the calibration it was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct CalibrationId {
    /// [`Calibration::version`].
    pub version: u32,
    /// First eight bytes of the SHA-256 of all numbers, in hexadecimal.
    #[serde(serialize_with = "crate::calibration::hex")]
    pub hash: [u8; 8],
}

/// Writes bytes as lower-case hexadecimal.
pub(crate) fn hex<S: serde::Serializer>(bytes: &[u8; 8], serializer: S) -> Result<S::Ok, S::Error> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text: String<16> = String::new();
    for byte in bytes {
        for nibble in [byte >> 4, byte & 15] {
            let digit = DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'?');
            // Sixteen digits fit by construction.
            let _ = text.push(char::from(digit));
        }
    }
    serializer.serialize_str(&text)
}

impl Calibration {
    /// A calibration that takes the channels as exact: gains as given, zeros as given, nothing else known.
    #[must_use]
    pub fn ideal(volts_a_count: f64, voltage_zero: f64, amperes_a_count: f64, current_zero: f64) -> Self {
        let channel = |gain, zero_raw| ChannelCalibration {
            gain,
            gain_uncertainty_pct: 0.0,
            zero_raw,
            zero_uncertainty_raw: 0.0,
        };
        Self {
            version: 1,
            date: None,
            reference: String::new(),
            voltage: channel(volts_a_count, voltage_zero),
            current: channel(amperes_a_count, current_zero),
            phase: Degrees(0.0),
            phase_uncertainty: Degrees(0.0),
            current_noise_floor: None,
        }
    }

    /// Version and hash over the bits of every number that takes part in a reading.
    #[must_use]
    pub fn id(&self) -> CalibrationId {
        let mut hasher = Sha256::new();
        hasher.update(self.version.to_le_bytes());
        for channel in [&self.voltage, &self.current] {
            for number in
                [channel.gain, channel.gain_uncertainty_pct, channel.zero_raw, channel.zero_uncertainty_raw]
            {
                hasher.update(number.to_bits().to_le_bytes());
            }
        }
        for number in [self.phase.0, self.phase_uncertainty.0] {
            hasher.update(number.to_bits().to_le_bytes());
        }
        hasher.update(self.current_noise_floor.map_or(u64::MAX, |noise| noise.0.to_bits()).to_le_bytes());
        let digest = hasher.finalize();
        let mut hash = [0; 8];
        hash.iter_mut().zip(digest.iter()).for_each(|(to, from)| *to = *from);
        CalibrationId { version: self.version, hash }
    }
}
