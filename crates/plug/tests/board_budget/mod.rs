//! The error budget of a board after GUM (JCGM 100:2008), in percent: what each part leaves uncertain. Estimated from
//! data sheets and from the board's values, not measured.

use std::f64::consts::{PI, SQRT_2, TAU};

use metering::units::Volts;
use plug::board::{Analog, Board, Channel, Estimate, combine};

/// Where the budget is evaluated, in amperes.
pub(crate) const CURRENTS: [f64; 4] = [0.1, 1.0, 5.0, 10.0];
/// Where the plug is calibrated.
const CALIBRATED_AT: f64 = 5.0;
/// Mains is within 10 % of nominal (EN 50160).
const MAINS_RANGE: f64 = 0.1;
/// Pairs in a window of ten cycles at 50 Hz.
const WINDOW: f64 = 800.0;

/// A limit, plus or minus, as standard uncertainty: rectangular (GUM 4.3.7).
fn limit(half_width: f64) -> f64 {
    Estimate::within(0.0, half_width).uncertainty
}

/// Limits that no data sheet of the board's parts states in this form: percent, unless said otherwise.
mod assumed {
    /// The meter that the plug is calibrated against: voltage, current and power alike.
    pub(crate) const METER: f64 = 0.5;
    /// Kelvin around calibration.
    pub(crate) const KELVIN: f64 = 10.0;
    /// The converter's reference a kelvin.
    pub(crate) const REFERENCE_A_KELVIN: f64 = 0.02;
    /// The module's trimmer and resistors a kelvin.
    pub(crate) const MODULE_A_KELVIN: f64 = 0.03;
    /// Three times the typical 0.017 mV/A/K of the ACS712-20A.
    pub(crate) const HALL_A_KELVIN: f64 = 0.05;
    /// Two resistors of 100 ppm/K in a divider by two.
    pub(crate) const DIVIDER_A_KELVIN: f64 = 0.01;
    /// The SCT-013's core and burden a kelvin.
    pub(crate) const TRANSFORMER_A_KELVIN: f64 = 0.02;
    /// The 5 V supply after calibration, over load and temperature.
    pub(crate) const SUPPLY: f64 = 0.5;
    /// A year, each channel.
    pub(crate) const YEAR: f64 = 0.3;
    /// ZMPT101B, linearity (data sheet).
    pub(crate) const VOLTAGE_LINEARITY: f64 = 0.2;
    /// ACS712: gain at full scale against half scale (data sheet, typical).
    pub(crate) const HALL_LINEARITY: f64 = 1.5;
    /// Half of the limit of the differential non-linearity: that one is for the worst of all codes.
    pub(crate) const STEP_SHARE: f64 = 0.5;
    /// How well the noise floor is known, of itself.
    pub(crate) const FLOOR: f64 = 10.0;
    /// What the current channel sees of the voltage at its neighbour's pin.
    pub(crate) const COUPLING: f64 = 0.01;
    /// Degrees that the module's phase moves with voltage and temperature.
    pub(crate) const MODULE_PHASE: f64 = 0.2;
    /// Microseconds by which the skew is not what it should be.
    pub(crate) const SKEW_US: f64 = 1.0;
}

/// One line of a budget: standard uncertainties in percent.
pub(crate) struct Line<const N: usize> {
    pub(crate) what: &'static str,
    pub(crate) percent: [f64; N],
}

pub(crate) fn total<const N: usize>(lines: &[Line<N>]) -> [f64; N] {
    std::array::from_fn(|at| combine(&lines.iter().map(|line| line.percent[at]).collect::<Vec<_>>()))
}

/// How the converter's shape bears on a sine of `peak` volts at the pin of `channel`.
struct Shape<'a> {
    analog: &'a Analog,
    rest: f64,
}

impl<'a> Shape<'a> {
    fn new(analog: &'a Analog, channel: &Channel) -> Self {
        Self { analog, rest: channel.rest().value }
    }

    /// Counts a volt of the fundamental, through Espressif's typical curve.
    fn curve(&self, peak: f64) -> f64 {
        const STEPS: u32 = 720;
        let converter = &self.analog.converter;
        let sum: f64 = (0..STEPS)
            .map(|step| (TAU * (f64::from(step) + 0.5) / f64::from(STEPS)).sin())
            .map(|sine| sine * converter.counts(converter.typical, Volts(self.rest + peak * sine)))
            .sum();
        2.0 * sum / f64::from(STEPS) / peak
    }

    fn curve_percent(&self, peak: f64, calibrated: f64) -> f64 {
        limit(100.0 * (self.curve(peak) / self.curve(calibrated) - 1.0).abs())
    }

    /// The integral non-linearity as the worst smooth shape of that size: `k (x - x^3)` over the usable range. Its extreme
    /// is `0.385 k`; the gain of a sine of amplitude x is `1 + k (1 - 0.75 x^2)`.
    fn bow_percent(&self, peak: f64, calibrated: f64) -> f64 {
        let converter = &self.analog.converter;
        let half = (converter.usable.1.0 - converter.usable.0.0) / 2.0;
        let half_counts = half * converter.typical.counts / converter.typical.volts.0;
        let slope = converter.inl_counts / 0.385 / half_counts;
        limit(75.0 * slope * ((peak / half).powi(2) - (calibrated / half).powi(2)).abs())
    }

    /// A step of `d` counts in the middle of the swing adds `2 d / (pi A)` to the gain of a sine of A counts.
    fn step_percent(&self, peak: f64, calibrated: f64) -> f64 {
        let converter = &self.analog.converter;
        let counts = |volts: f64| volts * converter.typical.counts / converter.typical.volts.0;
        let step = assumed::STEP_SHARE * converter.dnl_counts;
        limit(100.0 * 2.0 / PI * step * (1.0 / counts(peak) - 1.0 / counts(calibrated)).abs())
    }
}

/// Volts or amperes of one count.
fn count_of(analog: &Analog, channel: &Channel) -> f64 {
    let converter = &analog.converter;
    converter.volts_a_count(converter.typical, Volts(channel.rest().value)) / channel.gain().0
}

/// RMS noise of the voltage channel in volts.
fn voltage_noise(analog: &Analog) -> f64 {
    let sensor = &analog.voltage.sensor;
    let count = count_of(analog, &analog.voltage);
    combine(&[
        sensor.noise.0 / sensor.gain.value,
        analog.converter.noise_counts * count,
        count / 12_f64.sqrt(),
    ])
}

/// Voltage of `board`: nominal parts, with the chip's own reference point, calibrated.
pub(crate) fn voltage(board: &Board, analog: &Analog) -> Vec<Line<3>> {
    let channel = &analog.voltage;
    let (nominal, shape) = (board.nominal_voltage.0, Shape::new(analog, channel));
    let calibrated = SQRT_2 * nominal * channel.gain().0;
    let other = calibrated * (1.0 + MAINS_RANGE);
    let always = |percent: f64| [percent; 3];
    let line = |what, percent| Line { what, percent };
    vec![
        line(
            "trimmer of the module, ratio of the ZMPT101B",
            [channel.sensor.gain.percent(), channel.sensor.gain.percent(), 0.0],
        ),
        line("divider, 1 %", [channel.network.gain().1, channel.network.gain().1, 0.0]),
        line(
            "converter's reference",
            [analog.converter.typical_uncertainty_pct, analog.converter.measured_uncertainty_pct, 0.0],
        ),
        line("reference meter, ±0.5 %", [0.0, 0.0, limit(assumed::METER)]),
        line("converter's typical curve, not corrected", always(shape.curve_percent(other, calibrated))),
        line("converter's INL, ±12 counts", always(shape.bow_percent(other, calibrated))),
        line("converter's DNL", always(shape.step_percent(other, calibrated))),
        line("ZMPT101B, linearity 0.2 %", always(limit(assumed::VOLTAGE_LINEARITY))),
        line("module, ±10 K", always(limit(assumed::MODULE_A_KELVIN * assumed::KELVIN))),
        line("divider, ±10 K", always(limit(assumed::DIVIDER_A_KELVIN * assumed::KELVIN))),
        line("converter's reference, ±10 K", always(limit(assumed::REFERENCE_A_KELVIN * assumed::KELVIN))),
        line("one year", [0.0, 0.0, limit(assumed::YEAR)]),
        line(
            "noise and rounding, one window of 0.2 s",
            always(100.0 * voltage_noise(analog) / nominal / WINDOW.sqrt()),
        ),
    ]
}

/// Which lines both channels have in common: they count twice in the power.
pub(crate) const SHARED: [&str; 2] = ["converter's reference", "converter's reference, ±10 K"];

/// What the current sensor adds by itself: linearity, temperature, supply.
fn sensor(channel: &Channel, amperes: f64) -> [(&'static str, f64); 3] {
    if channel.sensor.dc_coupled {
        // Gain moves by the stated non-linearity from 10 A to 20 A of peak: in proportion to the peak.
        let peaks = SQRT_2 * (amperes - CALIBRATED_AT).abs() / 10.0;
        return [
            ("ACS712, linearity 1.5 %", limit(assumed::HALL_LINEARITY * peaks)),
            ("ACS712, ±10 K", limit(assumed::HALL_A_KELVIN * assumed::KELVIN)),
            ("5 V supply, ±0.5 %, ratiometric", limit(assumed::SUPPLY)),
        ];
    }
    // 1 % from a tenth of its range on (data sheet), 2 points more a decade below: the core's permeability falls.
    let linearity = match amperes {
        same if same == CALIBRATED_AT => 0.0,
        large if large >= 3.0 => 1.0,
        small => 1.0 + 2.0 * (3.0 / small).log10(),
    };
    [
        ("SCT-013, linearity 1 %, more below 3 A", limit(linearity)),
        ("SCT-013, ±10 K", limit(assumed::TRANSFORMER_A_KELVIN * assumed::KELVIN)),
        ("position of the conductor in the core, ±0.5 %", limit(0.5)),
    ]
}

/// Current of a calibrated board, at [`CURRENTS`].
pub(crate) fn current(analog: &Analog) -> Vec<Line<4>> {
    let channel = &analog.current;
    let shape = Shape::new(analog, channel);
    let peak = |amperes: f64| SQRT_2 * amperes * channel.gain().0;
    let calibrated = peak(CALIBRATED_AT);
    let noise = analog.expected_noise().0;
    let line = |what, percent: &dyn Fn(f64) -> f64| Line { what, percent: CURRENTS.map(percent) };
    let mut lines = vec![
        line("reference meter, ±0.5 %", &|_| limit(assumed::METER)),
        line("converter's typical curve, not corrected", &|amperes| {
            shape.curve_percent(peak(amperes), calibrated)
        }),
        line("converter's INL, ±12 counts", &|amperes| shape.bow_percent(peak(amperes), calibrated)),
        line("converter's DNL", &|amperes| shape.step_percent(peak(amperes), calibrated)),
        line("converter's reference, ±10 K", &|_| limit(assumed::REFERENCE_A_KELVIN * assumed::KELVIN)),
    ];
    for at in 0..3 {
        lines.push(line(sensor(channel, 1.0)[at].0, &|amperes| sensor(channel, amperes)[at].1));
    }
    lines.extend([
        line("divider, ±10 K", &|_| {
            if channel.network.gain().0 < 1.0 {
                limit(assumed::DIVIDER_A_KELVIN * assumed::KELVIN)
            } else {
                0.0
            }
        }),
        line("one year", &|_| limit(assumed::YEAR)),
        line("coupling from the voltage, 10⁻⁴", &|amperes| 100.0 * coupling(analog) / amperes),
        line("noise and rounding, one window of 0.2 s", &|amperes| 100.0 * noise / amperes / WINDOW.sqrt()),
        line("noise floor known to 10 % (corrected current)", &|amperes| {
            limit(assumed::FLOOR * (noise / amperes).powi(2))
        }),
    ]);
    lines
}

/// Current that the neighbouring voltage channel pretends, in amperes of standard uncertainty.
fn coupling(analog: &Analog) -> f64 {
    let at_pin = 230.0 * analog.voltage.gain().0;
    limit(assumed::COUPLING / 100.0 * at_pin / analog.current.gain().0)
}

/// Standard uncertainty of a current channel's gain that nobody calibrated, in percent.
pub(crate) fn current_gain(analog: &Analog, with_reference_point: bool) -> f64 {
    let converter = &analog.converter;
    let reference = if with_reference_point {
        converter.measured_uncertainty_pct
    } else {
        converter.typical_uncertainty_pct
    };
    combine(&[analog.current.gain().1, reference])
}

/// Phase between the channels, in degrees: what each part leaves after a calibration at one current.
pub(crate) fn phase(analog: &Analog) -> Vec<Line<4>> {
    let per_channel = |channel: &Channel| {
        // Film capacitor and resistors over +-10 K: 0.3 % of the corner.
        let ratio = 50.0 / channel.network.corner().0.0;
        limit((ratio * 0.003).to_degrees())
    };
    let transformer = |amperes: f64| match amperes {
        _ if analog.current.sensor.dc_coupled => 0.02,
        small if small < 0.5 => 2.0,
        same if same == CALIBRATED_AT => 0.2,
        _ => 1.0,
    };
    let line = |what, percent: &dyn Fn(f64) -> f64| Line { what, percent: CURRENTS.map(percent) };
    vec![
        // At a power factor of 0.5 an error of the angle is tan 60 = 1.73 times as large in the power.
        line("reference meter at a power factor of 0.5", &|_| {
            limit((assumed::METER / 100.0 / 3_f64.sqrt()).to_degrees())
        }),
        line("ZMPT101B module over voltage and temperature, ±0.2°", &|_| limit(assumed::MODULE_PHASE)),
        line("current sensor over current and temperature", &|amperes| limit(transformer(amperes))),
        line("filters, ±10 K", &|_| combine(&[per_channel(&analog.voltage), per_channel(&analog.current)])),
        line("skew, ±1 µs", &|_| limit(360.0 * 50.0 * assumed::SKEW_US * 1e-6)),
    ]
}

/// Active power of a calibrated board in percent of itself, at a power factor.
pub(crate) fn power(board: &Board, analog: &Analog, power_factor: f64) -> Vec<Line<4>> {
    let voltage = voltage(board, analog);
    let current = current(analog);
    let noise = "noise and rounding, one window of 0.2 s";
    let own = |what: &&'static str| {
        !SHARED.contains(what) && !what.starts_with("noise") && !what.starts_with("coupling")
    };
    let volts = combine(&voltage.iter().filter(|l| own(&l.what)).map(|l| l.percent[2]).collect::<Vec<_>>());
    let line = |what, percent: &dyn Fn(usize) -> f64| Line { what, percent: std::array::from_fn(percent) };
    let of =
        |what: &str, at: usize| current.iter().filter(|l| l.what == what).map(|l| l.percent[at]).sum::<f64>();
    let tangent = (1.0 / power_factor.powi(2) - 1.0).sqrt();
    let degrees = total(&phase(analog));
    vec![
        line("voltage: its own lines", &|_| volts),
        line("current: its own lines", &|at| {
            combine(&current.iter().filter(|l| own(&l.what)).map(|l| l.percent[at]).collect::<Vec<_>>())
        }),
        line("converter's reference, ±10 K: both channels at once", &|at| 2.0 * of(SHARED[1], at)),
        line("phase", &|at| 100.0 * tangent * degrees[at].to_radians()),
        line("coupling from the voltage, 10⁻⁴", &|at| {
            of("coupling from the voltage, 10⁻⁴", at) / power_factor
        }),
        line(noise, &|at| {
            let voltage = 100.0 * voltage_noise(analog) / board.nominal_voltage.0 / WINDOW.sqrt();
            combine(&[of(noise, at), voltage]) / power_factor
        }),
    ]
}

/// By how much `current_a` reads high because noise is never subtracted, in percent.
pub(crate) fn noise_bias(analog: &Analog) -> [f64; 4] {
    let noise = analog.expected_noise().0;
    CURRENTS.map(|amperes| 100.0 * ((amperes * amperes + noise * noise).sqrt() / amperes - 1.0))
}

/// What the zero of a channel that sees direct current leaves uncertain, in milliamperes: as built, and after it was taken with
/// the relay open.
pub(crate) fn zero(analog: &Analog) -> Vec<Line<2>> {
    let channel = &analog.current;
    let milliamperes = |volts_at_pin: f64| 1e3 * volts_at_pin / channel.gain().0;
    let half = channel.network.gain().0;
    let rest = channel.sensor.rest.value;
    vec![
        Line {
            what: "ACS712: offset ±40 mV; 0.34 mV/K over ±10 K",
            percent: [
                limit(milliamperes(0.040 * half)),
                limit(milliamperes(0.34e-3 * assumed::KELVIN * half)),
            ],
        },
        Line {
            what: "5 V supply, halved: ±2 %; ±0.5 %",
            percent: [
                limit(milliamperes(rest * 0.02 * half)),
                limit(milliamperes(rest * assumed::SUPPLY / 100.0 * half)),
            ],
        },
        Line {
            what: "divider, 1 %; ±10 K",
            percent: [
                milliamperes(channel.rest().value * channel.network.gain().1 / 100.0),
                limit(milliamperes(
                    channel.rest().value * assumed::DIVIDER_A_KELVIN * assumed::KELVIN / 100.0,
                )),
            ],
        },
        Line {
            what: "converter's offset ±35 mV; a tenth of it over ±10 K",
            percent: [
                milliamperes(analog.converter.offset.uncertainty),
                milliamperes(analog.converter.offset.uncertainty / 10.0),
            ],
        },
        Line { what: "noise, one window", percent: [1e3 * analog.expected_noise().0 / WINDOW.sqrt(); 2] },
    ]
}
