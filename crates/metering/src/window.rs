//! One window's numbers from its raw samples: a pure function, the same on a chip, a PC and in a replay.

use core::f64::consts::{PI, SQRT_2};

use crate::calibration::Calibration;
use crate::delay::{Complex, Delay};
use crate::dsp::eight::ONE_SWEEP;
use crate::dsp::extremes::{Extremes, HalfCycleLength, SumOfSquares, extremes, step};
use crate::dsp::moments::{Moments, Zeros};
use crate::dsp::scaling::Scaling;
use crate::dsp::spectrum::{Amplitude, Both, Spectrum, max_order};
use crate::dsp::sweep::{Swept, sweep_both};
use crate::energy::Energy;
use crate::front_end::{ChannelRange, FrontEnd};
use crate::history::View;
use crate::position::{Position, WEIGHT_ONE, in_samples};
use crate::quality::{Flag, Quality};
use crate::reading::{Component, HalfCycleExtremes, Harmonics, MAX_ORDER, Reading, Window};
pub use crate::span::Span;
use crate::units::{Amperes, Degrees, Hertz, Percent, Seconds, Vars, VoltAmperes, Volts, Watts};

/// A turn in units of 2^-64.
const TURN: f64 = 18_446_744_073_709_551_616.0;
/// Below this part of nominal there is no voltage.
const NO_VOLTAGE: f64 = 0.1;
/// Direct current beyond this part of the alternating current is flagged.
const DC_FLAG: f64 = 0.05;

/// Front end and calibration, worked out for use.
#[derive(Clone, Debug)]
pub struct Setup {
    pub(crate) front_end: FrontEnd,
    pub(crate) calibration: Calibration,
    pub(crate) zeros: Zeros,
    delay: Delay,
    id: crate::calibration::CalibrationId,
}

impl Setup {
    /// The front end.
    #[must_use]
    pub fn front_end(&self) -> &FrontEnd {
        &self.front_end
    }

    /// The calibration.
    #[must_use]
    pub fn calibration(&self) -> &Calibration {
        &self.calibration
    }

    /// Takes a front end and its calibration.
    #[must_use]
    pub fn new(front_end: FrontEnd, calibration: Calibration) -> Self {
        let zeros = Zeros {
            voltage: libm::round(calibration.voltage.zero_raw) as i32,
            current: libm::round(calibration.current.zero_raw) as i32,
        };
        let delay = Delay::new(front_end.channel_skew.0 * front_end.sample_rate.0);
        let id = calibration.id();
        Self { front_end, calibration, zeros, delay, id }
    }

    /// By how much a component of the current is to be turned back, in 2^-64 of a turn: the skew is a delay and
    /// grows with the order, the phase error belongs to the fundamental.
    fn late(&self, order: u64, turns_a_row: u64) -> u64 {
        // The skew is a few rows, a row less than half a turn: far within 63 bits.
        let skew = (turns_a_row as f64 * self.delay.rows) as i64;
        let phase = if order == 1 { (self.calibration.phase.0 / 360.0 * TURN) as i64 } else { 0 };
        phase.wrapping_sub(skew.wrapping_mul(order.cast_signed())).cast_unsigned()
    }

    /// Computes the numbers of a window. `view` holds at least its rows; of the rows before the first edge only
    /// those from [`Span::lead_row`] on are looked at. Running totals, sequence, time and relay are left empty.
    #[must_use]
    pub fn analyse(&self, view: View<'_>, span: Span, harmonics: Option<&mut Harmonics>) -> Reading {
        self.analyse_known(view, span, harmonics, false)
    }

    /// The same, where all rows of the view from [`Span::lead_row`] on may be known to be there and narrow. That
    /// saves time, and is never seen in a result.
    pub(crate) fn analyse_known(
        &self,
        view: View<'_>,
        span: Span,
        harmonics: Option<&mut Harmonics>,
        narrow: bool,
    ) -> Reading {
        let rate = self.front_end.sample_rate.0;
        let view = view.rows(span.lead_row(rate), span.end_row());
        let (zeros, lags, step) = (self.zeros, self.delay.lags, step(rate));
        let length = HalfCycleLength::from_rows(span.half_cycle_rows(rate));
        let rows = (span.first.row(), span.last.row());
        let swept = if narrow && ONE_SWEEP { sweep_both(view, rows, zeros, length, step) } else { None };
        let (moments, extremes) = match swept {
            Some(Swept { voltage, current, extremes }) => {
                let spreads = (voltage, current);
                let moments = Moments::of_narrow(view, (span.first, span.last), zeros, lags, spreads);
                (moments, Some(extremes))
            }
            None => (
                Moments::of(view, span.first, span.last, zeros, lags),
                extremes(view, rows, zeros, length, step),
            ),
        };
        let lost = if narrow { 0 } else { view.rows(rows.0 + 1, rows.1 + 1).losses() };
        let means = [&moments.voltage, &moments.current].map(|channel| channel.mean(moments.weight));
        Analysis { setup: self, view, span, moments, means, extremes, lost, narrow }.reading(harmonics)
    }
}

/// The fundamental of a window as it was, with the skew and the phase error of the current taken out.
struct Fundamental {
    /// As measured, in counts.
    raw: Both,
    /// U1 conj(I1) in square counts, RMS.
    power: Complex,
    /// What must be added to the interpolated products' active power.
    correction: f64,
    /// Of the fundamental, in 2^-64 of a turn.
    turns_a_row: u64,
}

struct Analysis<'a> {
    setup: &'a Setup,
    view: View<'a>,
    span: Span,
    moments: Moments,
    /// Of voltage and current in counts about their integer zeros: worked out once, as a division without floating
    /// point is dear.
    means: [f64; 2],
    /// Of the half-cycle sums.
    extremes: Option<Extremes>,
    lost: u32,
    /// All rows are known to be there.
    narrow: bool,
}

/// RMS values and what the noise floor says of them.
struct Levels {
    samples: u32,
    voltage: f64,
    current: f64,
    current_counts: f64,
    apparent: f64,
    /// RMS of the channel with nothing flowing, if known.
    noise: Option<f64>,
    below_noise: bool,
}

/// What needs whole cycles.
struct Cyclic {
    /// U1 conj(I1) in volt-amperes: active and reactive power of the fundamental.
    power: Complex,
    frequency: Option<Hertz>,
    distortion: Option<Distortion>,
}

struct Distortion {
    voltage: Option<Percent>,
    current: Option<Percent>,
    max_order: u32,
}

/// Means against the calibrated zeros; `None` where the sensor does not see them.
struct Direct {
    voltage: Option<f64>,
    current: Option<f64>,
}

impl Analysis<'_> {
    fn reading(&self, harmonics: Option<&mut Harmonics>) -> Reading {
        let calibration = &self.setup.calibration;
        let power_gain = calibration.voltage.gain * calibration.current.gain;
        let levels = self.levels();
        let (cyclic, correction) = self.cyclic(&levels, power_gain, harmonics);
        let power = power_gain * (self.covariance() + correction);
        let direct = self.direct();
        let distortion = cyclic.as_ref().and_then(|cyclic| cyclic.distortion.as_ref());
        // What is in the noise has a value, but no shape.
        let shape = |value: Option<f64>| value.filter(|_| !levels.below_noise);
        let rate = self.setup.front_end.sample_rate;
        Reading {
            sequence: 0,
            time: None,
            uptime: Seconds(self.span.last.samples() / rate.0),
            window: Window {
                cycles: self.span.cycles,
                samples: levels.samples,
                lost: self.lost,
                duration: Seconds(self.duration_rows() / rate.0),
                sample_rate: rate,
            },
            voltage: Volts(levels.voltage),
            current: Amperes(levels.current),
            active_power: Watts(power),
            apparent_power: VoltAmperes(levels.apparent),
            reactive_power: cyclic.as_ref().map(|cyclic| Vars(cyclic.power.im)),
            power_factor: shape((levels.apparent > 0.0).then(|| power / levels.apparent)),
            displacement_power_factor: shape(cyclic.as_ref().and_then(|cyclic| cyclic.power.cosine())),
            frequency: cyclic.as_ref().and_then(|cyclic| cyclic.frequency),
            thd_voltage: distortion.and_then(|distortion| distortion.voltage),
            thd_current: distortion.and_then(|distortion| distortion.current).filter(|_| !levels.below_noise),
            harmonics_max_order: distortion.map(|distortion| distortion.max_order),
            crest_factor_current: shape(
                (levels.current_counts > 0.0).then(|| self.peak() / levels.current_counts),
            ),
            voltage_dc: direct.voltage.map(Volts),
            current_dc: direct.current.map(Amperes),
            current_total: direct
                .current
                .map(|dc| Amperes(libm::sqrt(levels.current * levels.current + dc * dc))),
            current_noise_floor: calibration.current_noise_floor,
            current_noise_corrected: levels.noise_corrected(),
            half_cycle: self
                .half_cycle(libm::fabs(calibration.voltage.gain), libm::fabs(calibration.current.gain)),
            energy_import: Energy(0),
            energy_export: Energy(0),
            energy_below_noise: Energy(0),
            unmeasured: Seconds(0.0),
            calibration: self.setup.id,
            relay: false,
            quality: self.quality(&levels, power, &direct),
        }
    }

    fn levels(&self) -> Levels {
        let calibration = &self.setup.calibration;
        let moments = &self.moments;
        let samples = ((moments.weight + WEIGHT_ONE / 2) / WEIGHT_ONE) as u32;
        let voltage =
            libm::fabs(calibration.voltage.gain) * libm::sqrt(moments.voltage.variance(moments.weight));
        let current_counts = libm::sqrt(moments.current.variance(moments.weight));
        let current = libm::fabs(calibration.current.gain) * current_counts;
        let noise = calibration.current_noise_floor.map(Amperes::value);
        let below_noise = noise.is_some_and(|n| {
            current * current < n * n * (1.0 + 3.0 * libm::sqrt(2.0 / f64::from(samples.max(1))))
        });
        Levels { samples, voltage, current, current_counts, apparent: voltage * current, noise, below_noise }
    }

    /// What needs whole cycles, and what the fundamental adds to the products' mean in square counts.
    fn cyclic(
        &self,
        levels: &Levels,
        power_gain: f64,
        mut harmonics: Option<&mut Harmonics>,
    ) -> (Option<Cyclic>, f64) {
        if let Some(none) = harmonics.as_deref_mut() {
            *none = Harmonics::NONE;
        }
        let Some(spectrum) = self.spectrum() else { return (None, 0.0) };
        let fundamental = self.fundamental(&spectrum);
        // Over one percent lost: what rests on the samples' regular spacing is not said.
        let many_lost = u64::from(self.lost) * 100 > u64::from(levels.samples) + u64::from(self.lost);
        let distortion = harmonics
            .filter(|_| !many_lost)
            .map(|harmonics| self.harmonics(&spectrum, &fundamental, harmonics));
        let power = Complex { re: power_gain * fundamental.power.re, im: power_gain * fundamental.power.im };
        let frequency = (!many_lost).then(|| self.frequency());
        (Some(Cyclic { power, frequency, distortion }), fundamental.correction)
    }

    fn direct(&self) -> Direct {
        let Setup { front_end, calibration, zeros, .. } = self.setup;
        let [voltage, current] = self.means;
        let voltage = self.dc(&calibration.voltage, voltage, zeros.voltage);
        let current = self.dc(&calibration.current, current, zeros.current);
        Direct {
            voltage: voltage.filter(|_| front_end.voltage.dc_coupled),
            current: current.filter(|_| front_end.current.dc_coupled),
        }
    }

    /// Largest distance of the current from its mean, in counts.
    fn peak(&self) -> f64 {
        let (current, [_, mean]) = (&self.moments.current, self.means);
        (f64::from(current.greatest) - mean).max(mean - f64::from(current.least))
    }

    fn quality(&self, levels: &Levels, power: f64, direct: &Direct) -> Quality {
        let Setup { front_end, calibration, .. } = self.setup;
        let mut quality = Quality::NONE;
        quality.set_if(Flag::BelowNoise, levels.below_noise);
        quality.set_if(Flag::NoVoltage, levels.voltage < NO_VOLTAGE * front_end.nominal_voltage.0);
        quality.set_if(Flag::NoSync, self.span.cycles.is_none());
        quality.set_if(Flag::LostSamples, self.lost > 0);
        quality.set_if(Flag::Uncalibrated, calibration.version == 0);
        quality.set_if(Flag::Export, power < 0.0 && !levels.below_noise);
        // What is not known of the zero, and what three standard deviations of the noise make of the mean.
        let uncertainty = libm::fabs(calibration.current.zero_uncertainty_raw * calibration.current.gain)
            + 3.0 * levels.noise.unwrap_or(0.0) / libm::sqrt(f64::from(levels.samples.max(1)));
        let flows = |dc: f64| dc > DC_FLAG * levels.current && dc > uncertainty;
        quality.set_if(Flag::DcCurrent, direct.current.is_some_and(|dc| flows(libm::fabs(dc))));
        self.channel_flags(&mut quality, levels.samples);
        quality
    }

    /// Length of the window without what was lost, in rows.
    fn duration_rows(&self) -> f64 {
        in_samples(
            self.span
                .last
                .since(self.span.first)
                .saturating_sub(Position::at(self.lost.into()).since(Position::default())),
        )
    }

    fn frequency(&self) -> Hertz {
        let rows = in_samples(self.span.last.since(self.span.first));
        Hertz(f64::from(self.span.cycles.unwrap_or(0)) * self.setup.front_end.sample_rate.0 / rows)
    }

    fn channel_flags(&self, quality: &mut Quality, samples: u32) {
        let mut check = |least: i32, greatest: i32, zero: i32, range: ChannelRange, stuck: Flag| {
            let (least, greatest) =
                (i64::from(least) + i64::from(zero), i64::from(greatest) + i64::from(zero));
            quality.set_if(
                Flag::Clipped,
                least <= i64::from(range.lowest) || greatest >= i64::from(range.highest),
            );
            quality.set_if(stuck, least == greatest);
        };
        if samples < 2 {
            return;
        }
        let (front_end, zeros) = (&self.setup.front_end, self.setup.zeros);
        let (voltage, current) = (&self.moments.voltage, &self.moments.current);
        check(voltage.least, voltage.greatest, zeros.voltage, front_end.voltage, Flag::VoltageStuck);
        check(current.least, current.greatest, zeros.current, front_end.current, Flag::CurrentStuck);
    }

    /// Mean of a channel against its calibrated zero, which may lie between two counts.
    fn dc(&self, calibration: &crate::calibration::ChannelCalibration, mean: f64, zero: i32) -> Option<f64> {
        let mean = mean + (f64::from(zero) - calibration.zero_raw);
        (self.moments.weight > 0).then_some(calibration.gain * mean)
    }

    /// Mean product of the alternating parts in square counts, the delayed channel interpolated.
    fn covariance(&self) -> f64 {
        let moments = &self.moments;
        let weight = i128::from(moments.weight);
        let means = moments.voltage.sum * moments.current.sum;
        let [voltage_mean, current_mean] = self.means;
        let weight_f = moments.weight as f64;
        let square = weight_f * weight_f;
        moments
            .products
            .iter()
            .zip(self.setup.delay.taps())
            .map(|(product, (tap, _))| {
                if moments.weight == 0 {
                    0.0
                } else if product.weight == moments.weight {
                    tap * ((weight * product.sum - means) as f64 / square)
                } else {
                    // Products across a gap are missing: their own weight, no exact cancellation.
                    tap * (product.mean() - voltage_mean * current_mean)
                }
            })
            .sum()
    }

    fn spectrum(&self) -> Option<Spectrum<'_>> {
        let cycles = self.span.cycles.filter(|&cycles| cycles > 0)?;
        let weight = self.moments.weight;
        let scaling = |moments: &crate::dsp::moments::ChannelMoments, mean, zero| {
            Scaling::new(zero, mean, moments.least, moments.greatest)
        };
        let [voltage_mean, current_mean] = self.means;
        Some(Spectrum::new(
            self.view,
            (self.span.first, self.span.last),
            cycles,
            weight,
            scaling(&self.moments.voltage, voltage_mean, self.setup.zeros.voltage),
            scaling(&self.moments.current, current_mean, self.setup.zeros.current),
            self.narrow,
        ))
    }

    fn fundamental(&self, spectrum: &Spectrum<'_>) -> Fundamental {
        let raw = spectrum.fundamental();
        let turns_a_row = spectrum.turns_a_row();
        let delay = &self.setup.delay;
        let voltage = Complex::from(raw.voltage);
        let current = Complex::from(raw.current);
        // Sampled later: what was seen is ahead. A late channel: what was seen is behind.
        let late = self.setup.late(1, turns_a_row);
        let power = voltage.times(current.times(Complex::turn(late)).conjugate());
        let response = delay.response(turns_a_row);
        let interpolated = if delay.lags.current_is_late {
            voltage.times(current.times(response).conjugate())
        } else {
            voltage.times(response).times(current.conjugate())
        };
        let power = Complex { re: power.re / 2.0, im: power.im / 2.0 };
        let correction = power.re - interpolated.re / 2.0;
        Fundamental { raw, power, correction, turns_a_row }
    }

    /// Fills in the harmonics; returns what is made of them.
    fn harmonics(
        &self,
        spectrum: &Spectrum<'_>,
        fundamental: &Fundamental,
        into: &mut Harmonics,
    ) -> Distortion {
        let highest = max_order(fundamental.turns_a_row);
        let mut found = [Both::default(); MAX_ORDER];
        if let Some((first, rest)) = found.split_first_mut() {
            *first = fundamental.raw;
            spectrum.harmonics(fundamental.raw, rest.get_mut(..highest.saturating_sub(1)).unwrap_or(&mut []));
        }
        *into = Harmonics { max_order: highest, ..Harmonics::NONE };
        let calibration = &self.setup.calibration;
        // The instant of the voltage's positive-going zero crossing, as a phase at the fundamental.
        let turned = if calibration.voltage.gain < 0.0 { PI } else { 0.0 };
        let reference = fundamental.raw.voltage.phase() + turned + PI / 2.0;
        let voltages = into.voltage.iter_mut().zip(into.current.iter_mut());
        for ((order, found), (voltage, current)) in (1..=highest).zip(&found).zip(voltages) {
            let turn = PI / 2.0 - order as f64 * reference;
            *voltage = component(found.voltage, calibration.voltage.gain, turn);
            let late = self.setup.late(order as u64, fundamental.turns_a_row).cast_signed() as f64;
            let late = late * (2.0 * PI / TURN);
            *current = component(found.current, calibration.current.gain, turn + late);
        }
        Distortion { voltage: thd(&into.voltage), current: thd(&into.current), max_order: highest as u32 }
    }

    fn half_cycle(&self, voltage_gain: f64, current_gain: f64) -> HalfCycleExtremes {
        let found = self.extremes;
        let rms = |square: SumOfSquares, gain: f64| gain * libm::sqrt(square.mean());
        HalfCycleExtremes {
            voltage_min: found.map(|e| Volts(rms(e.voltage.least, voltage_gain))),
            voltage_max: found.map(|e| Volts(rms(e.voltage.greatest, voltage_gain))),
            current_min: found.map(|e| Amperes(rms(e.current.least, current_gain))),
            current_max: found.map(|e| Amperes(rms(e.current.greatest, current_gain))),
        }
    }
}

impl Levels {
    /// sqrt(I^2 - n^2), where that exists.
    fn noise_corrected(&self) -> Option<Amperes> {
        let square = self.current * self.current - self.noise? * self.noise?;
        (square >= 0.0).then(|| Amperes(libm::sqrt(square)))
    }
}

impl From<Amplitude> for Complex {
    fn from(amplitude: Amplitude) -> Self {
        Self { re: amplitude.re, im: amplitude.im }
    }
}

impl Amplitude {
    fn phase(self) -> f64 {
        libm::atan2(self.im, self.re)
    }
}

fn component(amplitude: Amplitude, gain: f64, turn: f64) -> Component {
    let rms = libm::sqrt(amplitude.re * amplitude.re + amplitude.im * amplitude.im) / SQRT_2;
    let turns = (amplitude.phase() + turn + if gain < 0.0 { PI } else { 0.0 }) / (2.0 * PI);
    Component { rms: libm::fabs(gain) * rms, phase: Degrees(360.0 * (turns - libm::round(turns))) }
}

/// 100 sqrt(sum of squares of orders 2..) / order 1 (IEC 61000-4-7, THD).
fn thd(components: &[Component; MAX_ORDER]) -> Option<Percent> {
    let (first, rest) = components.split_first()?;
    let sum: f64 = rest.iter().map(|component| component.rms * component.rms).sum();
    (first.rms > 0.0).then(|| Percent(100.0 * libm::sqrt(sum) / first.rms))
}
