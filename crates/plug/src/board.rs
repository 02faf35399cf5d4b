//! A board as values: which pin is what, and how volts and amperes become counts on the way to the converter.
//!
//! ```text
//! mains --> Sensor --> Network (divider or bias, RC filter) --> pin --> Converter --> counts
//!            V/V, V/A   V/V, corner                             volts    counts a volt
//! ```
//!
//! From these values follow what [`metering`] needs: a [`FrontEnd`], and the [`Calibration`] of version 0 that a plug
//! has which nobody ever calibrated. Its uncertainties are those of the parts as they come from the reel. The formulas
//! are written out in docs/boards.md; `tests/boards.rs` makes the error budget of the same values.

use heapless::String;
use metering::calibration::{Calibration, ChannelCalibration};
use metering::front_end::{ChannelRange, FrontEnd};
pub use metering::units::{Amperes, Degrees, Hertz, Seconds, Volts};

/// Where filters and phases are stated.
pub const MAINS: Hertz = Hertz(50.0);

/// A number and its standard uncertainty (GUM 4.3), in the same unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The best guess.
    pub value: f64,
    /// Its standard uncertainty.
    pub uncertainty: f64,
}

impl Estimate {
    /// Somewhere within `value` plus or minus `half_width`, anywhere equally likely (GUM 4.3.7).
    #[must_use]
    pub const fn within(value: f64, half_width: f64) -> Self {
        /// One over the square root of 3.
        const RECTANGLE: f64 = 0.577_350_269_189_625_8;
        Self { value, uncertainty: half_width * RECTANGLE }
    }

    /// Standard uncertainty in percent of the value.
    #[must_use]
    pub fn percent(self) -> f64 {
        100.0 * libm::fabs(self.uncertainty / self.value)
    }
}

/// Everything that differs between boards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Board {
    /// `ossp-devkit-c3`, ...: as `/api/v1/info` shows it.
    pub name: &'static str,
    /// The chip it is made for: `esp32c3`, ...
    pub chip: &'static str,
    /// What it measures with, in words, for [`crate::platform::Identity::source`].
    pub source: &'static str,
    /// The measuring part; `None`: this board cannot measure, and says so.
    pub analog: Option<Analog>,
    /// The switch.
    pub relay: RelayPin,
    /// The button, if there is one.
    pub button: Option<Pin>,
    /// The light, if there is one.
    pub led: Option<Pin>,
    /// Mains voltage that it is made for.
    pub nominal_voltage: Volts,
    /// Largest RMS current that it may carry for ever: the smallest rating of fuse, relay, sensor and conductors.
    pub maximum_current: Amperes,
}

/// A pin for on and off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    /// GPIO number.
    pub gpio: u8,
    /// Pressed or lit when low.
    pub active_low: bool,
}

/// The relay's pin. A resistor outside the chip holds it inactive while the chip does not drive it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RelayPin {
    /// GPIO number.
    pub gpio: u8,
    /// Closed when high.
    pub active_high: bool,
    /// Longest time from the command to the contact, either way.
    pub delay: Seconds,
}

/// The chip's converter and the two channels in front of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Analog {
    /// Pairs a second; the converter is started twice as often.
    pub pairs_per_second: u32,
    /// How much later the current of a pair is sampled than its voltage.
    pub skew: Seconds,
    /// The converter, the same for both.
    pub converter: Converter,
    /// Mains voltage.
    pub voltage: Channel,
    /// Current of the load.
    pub current: Channel,
}

/// A voltage and the counts that the converter makes of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReferencePoint {
    /// Volts at the pin.
    pub volts: Volts,
    /// Counts.
    pub counts: f64,
}

/// A converter that is nearly straight: `volts = line - curve(line)` with `line = counts * volts / counts` of the reference
/// point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Converter {
    /// Codes are 0 to `2^bits - 1`.
    pub bits: u8,
    /// Of a chip that nobody measured.
    pub typical: ReferencePoint,
    /// Standard uncertainty of its gain, in percent: chip against chip.
    pub typical_uncertainty_pct: f64,
    /// Standard uncertainty of the gain once the chip's own reference point is known, in percent.
    pub measured_uncertainty_pct: f64,
    /// Error of the straight line in volts, as a polynomial of the line's volts: constant first.
    pub curve: [f64; 5],
    /// Where it can be believed; what lies outside is flagged as clipped.
    pub usable: (Volts, Volts),
    /// Offset of the whole characteristic, in volts.
    pub offset: Estimate,
    /// Noise of one conversion, RMS, in counts.
    pub noise_counts: f64,
    /// Limit of the integral non-linearity about the curve, in counts.
    pub inl_counts: f64,
    /// Limit of the differential non-linearity, in counts.
    pub dnl_counts: f64,
}

/// A sensor on its way to a pin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Channel {
    /// GPIO number.
    pub gpio: u8,
    /// Number of the converter's channel on that pin.
    pub adc_channel: u8,
    /// What makes a small voltage of it.
    pub sensor: Sensor,
    /// What is between sensor and pin.
    pub network: Network,
}

/// What turns mains voltage or current into a voltage that electronics can bear.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sensor {
    /// Type.
    pub name: &'static str,
    /// Volts at its output for one volt, or one ampere, at its input.
    pub gain: Estimate,
    /// Volts at its output with nothing at its input. Of no meaning where the [`Network`] makes the rest.
    pub rest: Estimate,
    /// How late the output is at [`MAINS`], in degrees: negative if it leads.
    pub late: Estimate,
    /// Noise at the output behind this channel's filter, RMS, in volts.
    pub noise: Volts,
    /// Whether it sees direct voltage or current.
    pub dc_coupled: bool,
    /// Largest momentary input that it follows, in volts or amperes.
    pub largest_peak: f64,
}

/// What fits a sensor to the converter. The capacitor stands from the pin to ground in both.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Network {
    /// For an output that rests too high: `output -- top --+-- pin`, `bottom` from the pin to ground.
    Divider {
        /// From the output to the pin.
        top: Part,
        /// From the pin to ground.
        bottom: Part,
        /// From the pin to ground.
        capacitor: Part,
    },
    /// For a winding without a rest of its own: its one end lies on a divided supply, its other goes through `series` to the
    /// pin.
    Bias {
        /// The supply that is divided.
        supply: Estimate,
        /// From the supply to the winding's end.
        top: Part,
        /// From there to ground, bridged by a large capacitor.
        bottom: Part,
        /// From the winding's other end to the pin.
        series: Part,
        /// From the pin to ground.
        capacitor: Part,
    },
}

/// A resistor in ohms or a capacitor in farads, with its tolerance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    /// Ohms or farads.
    pub value: f64,
    /// As printed on the reel: the limit, plus or minus, in percent.
    pub tolerance_pct: f64,
}

impl Part {
    /// A part of this value and tolerance.
    #[must_use]
    pub const fn new(value: f64, tolerance_pct: f64) -> Self {
        Self { value, tolerance_pct }
    }

    /// Standard uncertainty in percent: rectangular (GUM 4.3.7).
    #[must_use]
    pub fn percent(self) -> f64 {
        Estimate::within(100.0, self.tolerance_pct).uncertainty
    }
}

/// Root of the sum of squares (GUM 5.1.2, independent inputs).
#[must_use]
pub fn combine(parts: &[f64]) -> f64 {
    libm::sqrt(parts.iter().map(|part| part * part).sum())
}

impl Network {
    /// What a slow signal is divided by, as a factor up to 1, and its standard uncertainty in percent.
    #[must_use]
    pub fn gain(&self) -> (f64, f64) {
        match self {
            Self::Divider { top, bottom, .. } => {
                let share = top.value / (top.value + bottom.value);
                // d(gain)/gain = share * (d bottom / bottom - d top / top)
                (1.0 - share, share * combine(&[top.percent(), bottom.percent()]))
            }
            Self::Bias { .. } => (1.0, 0.0),
        }
    }

    /// Volts at the pin with nothing at the sensor's input.
    #[must_use]
    pub fn rest(&self, sensor: &Sensor) -> Estimate {
        let (source, factor, factor_pct) = match self {
            Self::Divider { .. } => {
                let (gain, percent) = self.gain();
                (sensor.rest, gain, percent)
            }
            Self::Bias { supply, top, bottom, .. } => {
                let share = top.value / (top.value + bottom.value);
                (*supply, 1.0 - share, share * combine(&[top.percent(), bottom.percent()]))
            }
        };
        let value = source.value * factor;
        Estimate { value, uncertainty: combine(&[source.uncertainty * factor, value * factor_pct / 100.0]) }
    }

    /// The resistance that the capacitor sees; the sensor's own is left out.
    #[must_use]
    pub fn source_ohms(&self) -> f64 {
        match self {
            Self::Divider { top, bottom, .. } => top.value * bottom.value / (top.value + bottom.value),
            Self::Bias { series, .. } => series.value,
        }
    }

    /// Corner of the filter, `1 / (2 pi R C)`, and its standard uncertainty in percent.
    #[must_use]
    pub fn corner(&self) -> (Hertz, f64) {
        let (resistor_pct, capacitor) = match self {
            Self::Divider { top, bottom, capacitor } => {
                let share = top.value / (top.value + bottom.value);
                (combine(&[(1.0 - share) * top.percent(), share * bottom.percent()]), capacitor)
            }
            Self::Bias { series, capacitor, .. } => (series.percent(), capacitor),
        };
        let corner = 1.0 / (core::f64::consts::TAU * self.source_ohms() * capacitor.value);
        (Hertz(corner), combine(&[resistor_pct, capacitor.percent()]))
    }

    /// What the filter leaves of a component: `1 / sqrt(1 + (f/fc)^2)`.
    #[must_use]
    pub fn filter_gain(&self, frequency: Hertz) -> f64 {
        let ratio = frequency.0 / self.corner().0.0;
        1.0 / libm::sqrt(1.0 + ratio * ratio)
    }

    /// How late the filter makes a component: `atan(f/fc)`.
    #[must_use]
    pub fn filter_late(&self, frequency: Hertz) -> Degrees {
        Degrees(libm::atan(frequency.0 / self.corner().0.0).to_degrees())
    }
}

impl Channel {
    /// Volts at the pin for a volt or an ampere at [`MAINS`], and its standard uncertainty in percent.
    #[must_use]
    pub fn gain(&self) -> (f64, f64) {
        let (network, network_pct) = self.network.gain();
        let gain = self.sensor.gain.value * network * self.network.filter_gain(MAINS);
        (gain, combine(&[self.sensor.gain.percent(), network_pct]))
    }

    /// Volts at the pin with nothing at the input.
    #[must_use]
    pub fn rest(&self) -> Estimate {
        self.network.rest(&self.sensor)
    }

    /// Lowest and highest volts at the pin for a wave of this peak, in volts or amperes.
    #[must_use]
    pub fn swing(&self, peak: f64) -> (Volts, Volts) {
        let (rest, half) = (self.rest().value, libm::fabs(self.gain().0) * peak);
        (Volts(rest - half), Volts(rest + half))
    }

    /// How late it is at [`MAINS`], in degrees.
    #[must_use]
    pub fn late(&self) -> Estimate {
        let (corner, corner_pct) = self.network.corner();
        let ratio = MAINS.0 / corner.0;
        // d atan(x) = dx / (1 + x^2)
        let filter = (ratio / (1.0 + ratio * ratio) * corner_pct / 100.0).to_degrees();
        Estimate {
            value: self.sensor.late.value + self.network.filter_late(MAINS).0,
            uncertainty: combine(&[self.sensor.late.uncertainty, filter]),
        }
    }

    /// Largest peak, in volts or amperes, that is neither clipped nor beyond the sensor.
    #[must_use]
    pub fn largest_peak(&self, converter: &Converter) -> f64 {
        let rest = self.rest().value;
        let (low, high) = (rest - converter.usable.0.0, converter.usable.1.0 - rest);
        let room = if low < high { low } else { high };
        (room / libm::fabs(self.gain().0)).min(self.sensor.largest_peak)
    }

    fn range(&self, converter: &Converter, of: ReferencePoint) -> ChannelRange {
        ChannelRange {
            lowest: libm::floor(converter.counts(of, converter.usable.0)) as i32,
            highest: libm::ceil(converter.counts(of, converter.usable.1)) as i32,
            dc_coupled: self.sensor.dc_coupled,
        }
    }

    fn calibration(&self, converter: &Converter, of: ReferencePoint, gain_pct: f64) -> ChannelCalibration {
        let (rest, (gain, channel_pct)) = (self.rest(), self.gain());
        let volts_a_count = converter.volts_a_count(of, Volts(rest.value));
        ChannelCalibration {
            gain: volts_a_count / gain,
            gain_uncertainty_pct: combine(&[channel_pct, gain_pct]),
            zero_raw: converter.counts(of, Volts(rest.value)),
            zero_uncertainty_raw: combine(&[rest.uncertainty, converter.offset.uncertainty]) / volts_a_count,
        }
    }
}

impl Converter {
    fn line_error(&self, line: f64) -> f64 {
        self.curve.iter().rev().fold(0.0, |sum, coefficient| sum * line + coefficient)
    }

    fn line_error_slope(&self, line: f64) -> f64 {
        let [_, first, second, third, fourth] = self.curve;
        first + line * (2.0 * second + line * (3.0 * third + line * 4.0 * fourth))
    }

    /// The line's volts that belong to volts at the pin: `line = volts + curve(line)`, solved by repetition. The curve's
    /// slope is below 0.1, so 16 rounds leave nothing.
    fn line(&self, volts: Volts) -> f64 {
        (0..16).fold(volts.0, |line, _| volts.0 + self.line_error(line))
    }

    /// Counts that volts at the pin give; may lie outside the codes.
    #[must_use]
    pub fn counts(&self, of: ReferencePoint, volts: Volts) -> f64 {
        self.line(volts) * of.counts / of.volts.0
    }

    /// Volts at the pin that give these counts.
    #[must_use]
    pub fn volts(&self, of: ReferencePoint, counts: f64) -> Volts {
        let line = counts * of.volts.0 / of.counts;
        Volts(line - self.line_error(line))
    }

    /// Volts a count about this voltage, for small signals.
    #[must_use]
    pub fn volts_a_count(&self, of: ReferencePoint, about: Volts) -> f64 {
        of.volts.0 / of.counts * (1.0 - self.line_error_slope(self.line(about)))
    }
}

impl Analog {
    /// What [`metering`] is told of the hardware. `measured` is the chip's own reference point, if it has one.
    #[must_use]
    pub fn front_end(&self, measured: Option<ReferencePoint>, nominal_voltage: Volts) -> FrontEnd {
        let of = measured.unwrap_or(self.converter.typical);
        FrontEnd {
            sample_rate: Hertz(f64::from(self.pairs_per_second)),
            voltage: self.voltage.range(&self.converter, of),
            current: self.current.range(&self.converter, of),
            channel_skew: self.skew,
            nominal_voltage,
        }
    }

    /// What a plug knows before anybody calibrated it: version 0, with the uncertainties of the parts.
    #[must_use]
    pub fn calibration(&self, measured: Option<ReferencePoint>) -> Calibration {
        let (of, gain_pct) = match measured {
            Some(point) => (point, self.converter.measured_uncertainty_pct),
            None => (self.converter.typical, self.converter.typical_uncertainty_pct),
        };
        let (voltage, current) = (self.voltage.late(), self.current.late());
        let mut reference = String::new();
        // Fits: see the test.
        let _ = reference.push_str("none: nominal values of the parts");
        Calibration {
            version: 0,
            date: None,
            reference,
            voltage: self.voltage.calibration(&self.converter, of, gain_pct),
            current: self.current.calibration(&self.converter, of, gain_pct),
            phase: Degrees(current.value - voltage.value),
            phase_uncertainty: Degrees(combine(&[current.uncertainty, voltage.uncertainty])),
            current_noise_floor: None,
        }
    }

    /// Expected RMS of the current channel with nothing flowing: sensor, converter and rounding. Estimated, not measured:
    /// a calibration takes the measured one.
    #[must_use]
    pub fn expected_noise(&self) -> Amperes {
        let channel = &self.current;
        let of = self.converter.typical;
        let amperes_a_count =
            self.converter.volts_a_count(of, Volts(channel.rest().value)) / libm::fabs(channel.gain().0);
        let rounding = Estimate::within(0.0, 0.5).uncertainty;
        Amperes(combine(&[
            channel.sensor.noise.0 / libm::fabs(channel.sensor.gain.value),
            self.converter.noise_counts * amperes_a_count,
            rounding * amperes_a_count,
        ]))
    }
}

impl Board {
    /// [`Analog::front_end`] of a board that can measure.
    #[must_use]
    pub fn front_end(&self, measured: Option<ReferencePoint>) -> Option<FrontEnd> {
        self.analog.as_ref().map(|analog| analog.front_end(measured, self.nominal_voltage))
    }

    /// [`Analog::calibration`] of a board that can measure.
    #[must_use]
    pub fn calibration(&self, measured: Option<ReferencePoint>) -> Option<Calibration> {
        self.analog.as_ref().map(|analog| analog.calibration(measured))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENSOR: Sensor = Sensor {
        name: "test",
        gain: Estimate { value: 0.1, uncertainty: 0.003 },
        rest: Estimate { value: 2.5, uncertainty: 0.03 },
        late: Estimate { value: -1.0, uncertainty: 0.5 },
        noise: Volts(0.0),
        dc_coupled: true,
        largest_peak: 50.0,
    };
    const DIVIDER: Network = Network::Divider {
        top: Part::new(3000.0, 1.0),
        bottom: Part::new(1000.0, 1.0),
        capacitor: Part::new(1e-6, 5.0),
    };
    const CONVERTER: Converter = Converter {
        bits: 12,
        typical: ReferencePoint { volts: Volts(2.0), counts: 2000.0 },
        typical_uncertainty_pct: 4.0,
        measured_uncertainty_pct: 1.0,
        curve: [0.001, 0.02, -0.03, 0.01, 0.0],
        usable: (Volts(0.1), Volts(2.4)),
        offset: Estimate { value: 0.0, uncertainty: 0.0 },
        noise_counts: 0.0,
        inl_counts: 0.0,
        dnl_counts: 0.0,
    };

    fn near(is: f64, should: f64) {
        assert!((is - should).abs() <= 1e-9 * (1.0 + should.abs()), "{is}, not {should}");
    }

    #[test]
    fn uncertainties_combine() {
        near(combine(&[3.0, 4.0, 0.0]), 5.0);
        near(Estimate::within(10.0, 3.0).uncertainty, libm::sqrt(3.0));
        near(Estimate { value: -2.0, uncertainty: 0.1 }.percent(), 5.0);
        // Three quarters of the voltage fall on the top: that is how much of the resistors' tolerance gets through.
        let (gain, percent) = DIVIDER.gain();
        near(gain, 0.25);
        near(percent, 0.75 * libm::sqrt(2.0 / 3.0));
        near(DIVIDER.rest(&SENSOR).value, 0.625);
    }

    #[test]
    fn filters_are_those_of_the_book() {
        near(DIVIDER.source_ohms(), 750.0);
        let (corner, _) = DIVIDER.corner();
        near(corner.0, 1.0 / (core::f64::consts::TAU * 750e-6));
        near(DIVIDER.filter_gain(corner), libm::sqrt(0.5));
        near(DIVIDER.filter_late(corner).0, 45.0);
        let bias = Network::Bias {
            supply: Estimate { value: 3.0, uncertainty: 0.03 },
            top: Part::new(2000.0, 0.0),
            bottom: Part::new(1000.0, 0.0),
            series: Part::new(750.0, 1.0),
            capacitor: Part::new(1e-6, 5.0),
        };
        assert_eq!((bias.gain(), bias.corner().0), ((1.0, 0.0), corner));
        near(bias.rest(&SENSOR).value, 1.0);
        near(bias.rest(&SENSOR).uncertainty, 0.01);
    }

    #[test]
    fn counts_and_volts_are_inverse() {
        let of = ReferencePoint { volts: Volts(2.0), counts: 2100.0 };
        for step in 0..=24 {
            let volts = Volts(0.1 * f64::from(step));
            let counts = CONVERTER.counts(of, volts);
            near(CONVERTER.volts(of, counts).0, volts.0);
            let slope = CONVERTER.volts(of, counts + 0.5).0 - CONVERTER.volts(of, counts - 0.5).0;
            assert!((slope - CONVERTER.volts_a_count(of, volts)).abs() < 1e-8);
        }
    }

    #[test]
    fn the_smaller_side_clips_first() {
        let channel = Channel { gpio: 0, adc_channel: 0, sensor: SENSOR, network: DIVIDER };
        let gain = channel.gain().0;
        near(channel.largest_peak(&CONVERTER), (0.625 - 0.1) / gain);
        near(channel.swing(1.0).1.0, 0.625 + gain);
        let weak = Channel { sensor: Sensor { largest_peak: 3.0, ..SENSOR }, ..channel };
        near(weak.largest_peak(&CONVERTER), 3.0);
    }

    #[test]
    fn the_default_calibration_says_what_is_not_known() {
        let channel = Channel { gpio: 0, adc_channel: 0, sensor: SENSOR, network: DIVIDER };
        let leading = Channel {
            sensor: Sensor { late: Estimate { value: 2.0, uncertainty: 0.0 }, ..SENSOR },
            ..channel
        };
        let analog = Analog {
            pairs_per_second: 4000,
            skew: Seconds(125e-6),
            converter: CONVERTER,
            voltage: leading,
            current: channel,
        };
        let calibration = analog.calibration(None);
        assert_eq!((calibration.version, calibration.date), (0, None));
        assert!(!calibration.reference.is_empty());
        // The current leads by 1 degree, the voltage is late by 2: the current is 3 early.
        near(calibration.phase.0, -3.0);
        near(calibration.current.gain_uncertainty_pct, combine(&[3.0, channel.network.gain().1, 4.0]));
        let measured = analog.calibration(Some(CONVERTER.typical));
        near(measured.current.gain_uncertainty_pct, combine(&[3.0, channel.network.gain().1, 1.0]));
        near(measured.current.gain, calibration.current.gain);
    }
}
