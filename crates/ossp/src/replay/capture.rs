//! A recording that a plug gave away as `?window=last`: one window with its edges and its reading in the header.

use metering::calibration::Calibration;
use metering::front_end::{FrontEnd, Pair};
use metering::history::View;
use metering::position::{Position, distance};
use metering::reading::{Harmonics, Reading};
use metering::units::Degrees;
use metering::window::{Setup, Span};
use serde_json::Value;

use crate::recording::Header;

/// What the raw samples do not tell: sequence, totals, time, relay and the flags that come from outside.
const NOT_IN_THE_SAMPLES: [&str; 9] = [
    "sequence",
    "time",
    "uptime_s",
    "energy_import_wh",
    "energy_export_wh",
    "energy_below_noise_wh",
    "unmeasured_s",
    "relay",
    "quality",
];

/// The header lines that make a recording a captured window.
pub(super) struct CapturedWindow {
    span: Span,
    /// What a plug tells of its calibration beyond what any recording does.
    told: CalibrationFacts,
    /// The plug's reading, if the file holds one.
    reading: Option<Value>,
}

impl CapturedWindow {
    /// Reads the header; `None` for any other recording.
    ///
    /// # Errors
    /// A sentence on the header line that makes no sense.
    pub(super) fn of(header: &Header) -> Result<Option<Self>, String> {
        let Some(first) = header.get("window_first_edge") else { return Ok(None) };
        let edge = |key: &str, text: Option<&str>| {
            text.and_then(|text| text.parse::<f64>().ok())
                .filter(|rows| (0.0..1e9).contains(rows))
                .map(|rows| Position::default().after(distance(rows)))
                .ok_or_else(|| format!("header line {key} must be a number of rows"))
        };
        let first = edge("window_first_edge", Some(first))?;
        let last = edge("window_last_edge", header.get("window_last_edge"))?;
        if last <= first {
            return Err("window_last_edge must lie after window_first_edge".to_owned());
        }
        let cycles = match header.get("window_cycles") {
            None | Some("none") => None,
            Some(text) => match text.parse() {
                Ok(cycles @ 1..=100) => Some(cycles),
                _ => return Err("header line window_cycles must be a whole number, or none".to_owned()),
            },
        };
        let told = CalibrationFacts::of(header)?;
        let reading = header.get("reading").and_then(|text| serde_json::from_str(text).ok());
        Ok(Some(Self { span: Span { first, last, cycles }, told, reading }))
    }

    /// The last edge in rows.
    pub(super) fn last_edge(&self) -> f64 {
        self.span.last.samples()
    }

    /// Computes the window from its rows, each with the count of pairs lost before it.
    ///
    /// # Errors
    /// If the file does not hold the whole window.
    pub(super) fn analyse(
        &self,
        front_end: FrontEnd,
        mut calibration: Calibration,
        rows: &[(u32, Pair)],
        harmonics: &mut Harmonics,
    ) -> Result<Reading, String> {
        let (mut voltage, mut current) = (Vec::new(), Vec::new());
        for (lost, pair) in rows {
            for pair in (0..*lost).map(|_| Pair::LOST).chain([*pair]) {
                voltage.push(pair.voltage);
                current.push(pair.current);
            }
        }
        self.told.put_into(&mut calibration);
        front_end.check().map_err(|error| error.to_string())?;
        let view = View { base: 0, voltage: &voltage, current: &current };
        if view.end() < self.span.end_row() {
            return Err(format!("the window ends with row {}, the file before it", self.span.end_row()));
        }
        Ok(Setup::new(front_end, calibration).analyse(view, self.span, Some(harmonics)))
    }

    /// Compares with the plug's own reading: `Some(true)` if every number that the samples decide is the same to
    /// the last bit.
    pub(super) fn compare(&self, again: &Reading) -> Option<bool> {
        let Value::Object(was) = self.reading.as_ref()? else { return None };
        let Ok(Value::Object(again)) = serde_json::to_value(again) else { return None };
        Some(
            again
                .iter()
                .filter(|(key, _)| !NOT_IN_THE_SAMPLES.contains(&key.as_str()))
                .all(|(key, value)| was.get(key) == Some(value)),
        )
    }
}

/// Version and uncertainties of the plug's calibration.
struct CalibrationFacts {
    version: Option<u32>,
    phase_uncertainty: f64,
    /// Gain in percent and zero in counts, of the voltage and of the current.
    channels: [(f64, f64); 2],
}

impl CalibrationFacts {
    fn of(header: &Header) -> Result<Self, String> {
        let number = |key: &str| match header.get(key) {
            None => Ok(0.0),
            Some(text) => match text.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(number),
                _ => Err(format!("header line {key} must be a number")),
            },
        };
        let version = match header.get("calibration_version") {
            None => None,
            Some(text) => Some(
                text.parse()
                    .map_err(|_| "header line calibration_version must be a whole number".to_owned())?,
            ),
        };
        Ok(Self {
            version,
            phase_uncertainty: number("phase_uncertainty_deg")?,
            channels: [
                (number("voltage_gain_uncertainty_pct")?, number("voltage_zero_uncertainty_raw")?),
                (number("current_gain_uncertainty_pct")?, number("current_zero_uncertainty_raw")?),
            ],
        })
    }

    fn put_into(&self, calibration: &mut Calibration) {
        calibration.version = self.version.unwrap_or(calibration.version);
        calibration.phase_uncertainty = Degrees(self.phase_uncertainty);
        let [voltage, current] = self.channels;
        for (channel, (gain, zero)) in
            [(&mut calibration.voltage, voltage), (&mut calibration.current, current)]
        {
            channel.gain_uncertainty_pct = gain;
            channel.zero_uncertainty_raw = zero;
        }
    }
}
