//! One channel of a recording: its column, and how the text there becomes counts.

use metering::calibration::ChannelCalibration;
use metering::front_end::ChannelRange;

use super::error::{Problem, shown};
use super::header::Header;

/// 24 bits about the zero: the rails of a channel whose file does not state any. 838.8608 V, 83.88608 A.
const HALF_RANGE: i32 = 1 << 23;
/// The farthest from zero that the metering computes with (`metering::front_end::Pair`).
const FARTHEST: f64 = (1 << 24) as f64;

/// The names under which one quantity appears in a file.
pub(super) struct Names {
    /// Column in physical units.
    physical: &'static str,
    /// Column in counts.
    raw: &'static str,
    /// Counts in one volt or ampere for the physical column: 0.1 mV and 10 uA.
    counts_per_unit: f64,
    lsb: &'static str,
    zero: &'static str,
    lowest: &'static str,
    highest: &'static str,
    because: &'static str,
}

/// How voltage appears.
pub(super) const VOLTAGE: Names = Names {
    physical: "voltage_v",
    raw: "voltage_raw",
    counts_per_unit: 1e4,
    lsb: "voltage_lsb_v",
    zero: "voltage_zero_raw",
    lowest: "voltage_raw_min",
    highest: "voltage_raw_max",
    because: ", since the column `voltage_raw` is in counts",
};
/// How current appears.
pub(super) const CURRENT: Names = Names {
    physical: "current_a",
    raw: "current_raw",
    counts_per_unit: 1e5,
    lsb: "current_lsb_a",
    zero: "current_zero_raw",
    lowest: "current_raw_min",
    highest: "current_raw_max",
    because: ", since the column `current_raw` is in counts",
};

/// One channel as the file describes it.
#[derive(Clone, Debug)]
pub(super) struct Channel {
    name: &'static str,
    /// Which value of a row.
    pub(super) column: usize,
    /// For a physical column.
    counts_per_unit: Option<f64>,
    /// What the file has beyond these is set to them, at a rail if there is one, and so flagged as clipped.
    lowest: f64,
    highest: f64,
    /// The codes at which the channel clips.
    pub(super) range: ChannelRange,
    /// Counts to volts or amperes.
    pub(super) calibration: ChannelCalibration,
}

impl Channel {
    /// Finds the channel among the column names and its scale in the header. `None` if no column has its name,
    /// or two have.
    pub(super) fn find(
        names: &Names,
        columns: &[String],
        header: &Header,
        dc_coupled: bool,
    ) -> Result<Option<Self>, Problem> {
        let mut found = columns
            .iter()
            .enumerate()
            .filter(|(_, name)| name.as_str() == names.physical || name.as_str() == names.raw);
        let (Some((column, name)), None) = (found.next(), found.next()) else { return Ok(None) };
        if name == names.raw {
            return Self::raw(names, column, header, dc_coupled).map(Some);
        }
        header.check_units()?;
        Ok(Some(Self {
            name: names.physical,
            column,
            counts_per_unit: Some(names.counts_per_unit),
            lowest: f64::from(-HALF_RANGE),
            highest: f64::from(HALF_RANGE),
            range: ChannelRange { lowest: -HALF_RANGE, highest: HALF_RANGE, dc_coupled },
            calibration: exact(names.counts_per_unit.recip(), 0.0),
        }))
    }

    fn raw(names: &Names, column: usize, header: &Header, dc_coupled: bool) -> Result<Self, Problem> {
        let gain = header.required(
            names.lsb,
            names.because,
            |gain| gain != 0.0 && gain.abs() <= 1e6,
            "the volts or amperes of one count, not 0",
        )?;
        let zero = header.required(
            names.zero,
            names.because,
            |zero| zero.abs() <= FARTHEST,
            "the count that stands for zero, within 24 bits",
        )?;
        let near = |rail: f64| (rail - zero).abs() <= FARTHEST && rail.fract() == 0.0;
        let expected = "a whole number of counts within 24 bits of the zero";
        let lowest = header.number_that(names.lowest, near, expected)?;
        let above = "a whole number of counts within 24 bits of the zero and above the lower rail";
        let highest = header.number_that(names.highest, |rail| near(rail) && Some(rail) > lowest, above)?;
        // A rail that the file states is where the converter clips; nothing lies beyond it that would have to be
        // changed, unless it is farther away than can be computed with.
        let rail = |stated: Option<f64>, half: i32| stated.unwrap_or(zero.round() + f64::from(half));
        let range = ChannelRange {
            // Both are whole and within 26 bits.
            lowest: rail(lowest, -HALF_RANGE) as i32,
            highest: rail(highest, HALF_RANGE) as i32,
            dc_coupled,
        };
        Ok(Self {
            name: names.raw,
            column,
            counts_per_unit: None,
            lowest: lowest.map_or(f64::from(range.lowest), |_| (zero - FARTHEST).ceil()),
            highest: highest.map_or(f64::from(range.highest), |_| (zero + FARTHEST).floor()),
            range,
            calibration: exact(gain, zero),
        })
    }

    /// Whether the column has counts rather than volts or amperes.
    pub(super) fn is_raw(&self) -> bool {
        self.counts_per_unit.is_none()
    }

    /// The counts that one value of a row stands for.
    #[inline]
    pub(super) fn counts(&self, text: &str, line: u64) -> Result<i32, Problem> {
        let text = text.trim_ascii();
        let number = match text.parse::<f64>() {
            Ok(number) if number.is_finite() => number,
            _ => return Err(Problem::Value { line, column: self.name, found: shown(text) }),
        };
        let counts = match self.counts_per_unit {
            Some(steps) => (number * steps).round(),
            None if number.fract() == 0.0 => number,
            None => return Err(Problem::Count { line, column: self.name, found: shown(text) }),
        };
        // Whole, and within 26 bits by the clamp.
        Ok(counts.clamp(self.lowest, self.highest) as i32)
    }
}

/// A channel taken as exactly what the file says.
fn exact(gain: f64, zero_raw: f64) -> ChannelCalibration {
    ChannelCalibration { gain, gain_uncertainty_pct: 0.0, zero_raw, zero_uncertainty_raw: 0.0 }
}
