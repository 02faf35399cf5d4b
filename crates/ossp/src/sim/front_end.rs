//! The converter: sensors with their errors, noise, rounding, rails, and what goes wrong with them.

use core::f64::consts::TAU;

use metering::calibration::{Calibration, ChannelCalibration};
use metering::front_end::{ChannelRange, FrontEnd, Pair};
use metering::units::{Amperes, Degrees, Hertz, Seconds, Volts};

use super::random::{Random, stream};
use super::scenario::schema;

/// Corner of a channel that does not see direct current.
const BLOCKING_HZ: f64 = 0.05;
/// What the board's data sheet allows, for a plug that nobody calibrated.
const BOARD_GAIN_UNCERTAINTY_PCT: f64 = 3.0;
const BOARD_ZERO_UNCERTAINTY_RAW: f64 = 8.0;
const BOARD_PHASE_UNCERTAINTY_DEG: f64 = 1.0;

/// Lowest and highest code.
pub(super) fn rails(settings: &schema::FrontEnd) -> (i32, i32) {
    // 8 to 24 bits.
    let codes = 1_i32 << settings.bits;
    if settings.signed { (-codes / 2, codes / 2 - 1) } else { (0, codes - 1) }
}

/// A sensor's response as one pole: what is slower than it, or what is faster.
#[derive(Clone, Debug)]
struct Pole {
    share: f64,
    passes_fast: bool,
    state: f64,
    /// Makes the amplitude at the nominal frequency 1 again.
    scale: f64,
    /// By how much it is late there.
    lag_deg: f64,
}

impl Pole {
    /// `angle` is that of the nominal frequency over one step.
    fn new(share: f64, passes_fast: bool, angle: f64) -> Self {
        // H = share / (1 - k/z), or 1 - that = k (1 - 1/z) / (1 - k/z), with k = 1 - share.
        let kept = 1.0 - share;
        let (below_re, below_im) = (1.0 - kept * libm::cos(angle), kept * libm::sin(angle));
        let below = libm::sqrt(below_re * below_re + below_im * below_im);
        let lag = libm::atan2(below_im, below_re);
        let (gain, lag) = if passes_fast {
            let difference = 2.0 * libm::sin(angle / 2.0);
            (kept * difference / below, lag - (core::f64::consts::FRAC_PI_2 - angle / 2.0))
        } else {
            (share / below, lag)
        };
        Self { share, passes_fast, state: 0.0, scale: gain.recip(), lag_deg: lag.to_degrees() }
    }

    /// One that is late by `degrees` at the nominal frequency: slow if positive, a transformer if negative.
    fn with_lag(degrees: f64, angle: f64) -> Self {
        let passes_fast = degrees < 0.0;
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            // More share means less lag of what is slow, more lead of what is fast.
            if Self::new(middle, passes_fast, angle).lag_deg > degrees { low = middle } else { high = middle }
        }
        Self::new(0.5 * (low + high), passes_fast, angle)
    }

    #[inline]
    fn pass(&mut self, value: f64) -> f64 {
        self.state += self.share * (value - self.state);
        self.scale * if self.passes_fast { value - self.state } else { self.state }
    }
}

/// The sensors, before anything is sampled.
#[derive(Clone, Debug)]
pub(super) struct Sensors {
    voltage: Option<Pole>,
    current: Option<Pole>,
}

impl Sensors {
    pub(super) fn new(settings: &schema::FrontEnd, hertz: f64, step_s: f64) -> Self {
        let angle = TAU * hertz * step_s;
        let blocking = || Pole::new(1.0 - libm::exp(-TAU * BLOCKING_HZ * step_s), true, angle);
        let current = if settings.current_phase_deg != 0.0 {
            Some(Pole::with_lag(settings.current_phase_deg, angle))
        } else {
            (!settings.current_dc_coupled).then(blocking)
        };
        Self { voltage: (!settings.voltage_dc_coupled).then(blocking), current }
    }

    #[inline]
    pub(super) fn pass(&mut self, voltage: f64, current: f64) -> (f64, f64) {
        let through = |pole: &mut Option<Pole>, value| match pole {
            None => value,
            Some(pole) => pole.pass(value),
        };
        (through(&mut self.voltage, voltage), through(&mut self.current, current))
    }

    /// By how much the current is later than the voltage at the nominal frequency.
    pub(super) fn lag_deg(&self) -> f64 {
        let lag = |pole: &Option<Pole>| pole.as_ref().map_or(0.0, |pole| pole.lag_deg);
        lag(&self.current) - lag(&self.voltage)
    }
}

/// One channel of the converter.
#[derive(Clone, Debug)]
struct Channel {
    counts_per_unit: f64,
    zero: f64,
    noise: f64,
    lowest: f64,
    highest: f64,
    last: i32,
    stuck: Vec<schema::Recurring>,
    disconnected: Vec<schema::Recurring>,
}

impl Channel {
    #[inline]
    fn convert(&mut self, value: f64, normal: f64, time_s: f64) -> i32 {
        let is_on = |when: &[schema::Recurring]| when.iter().any(|event| event.is_on(time_s));
        if is_on(&self.stuck) {
            return self.last;
        }
        let value = if is_on(&self.disconnected) { 0.0 } else { value };
        let code = value * self.counts_per_unit + self.zero + self.noise * normal;
        // The rails are within 24 bits.
        self.last = (code + 0.5).floor().clamp(self.lowest, self.highest) as i32;
        self.last
    }
}

/// The converter.
#[derive(Clone, Debug)]
pub(super) struct Converter {
    settings: schema::FrontEnd,
    nominal: Volts,
    /// What of the amplitude the filter leaves at the nominal frequency.
    filter_gain: f64,
    lag_deg: f64,
    voltage: Channel,
    current: Channel,
    noise: Random,
    losses: Losses,
}

impl Converter {
    /// `filter_gain` and `lag_deg` are what is in front of it, at the nominal frequency.
    pub(super) fn new(settings: &schema::Settings, filter_gain: f64, lag_deg: f64, seed: u64) -> Self {
        let front_end = &settings.front_end;
        let (lowest, highest) = rails(front_end);
        let channel = |channel, lsb: f64, error_pct: f64, zero: Option<f64>, offset, noise| Channel {
            counts_per_unit: (1.0 + error_pct / 100.0) / lsb,
            zero: zero.unwrap_or(middle(front_end)) + offset,
            noise,
            lowest: f64::from(lowest),
            highest: f64::from(highest),
            last: 0,
            stuck: of_channel(
                settings.event.stuck.iter().map(|event| (event.channel, event.when())),
                channel,
            ),
            disconnected: of_channel(
                settings.event.disconnected.iter().map(|event| (event.channel, event.when())),
                channel,
            ),
        };
        Self {
            nominal: Volts(settings.mains.volts),
            filter_gain,
            lag_deg,
            voltage: channel(
                schema::Channel::Voltage,
                front_end.voltage_lsb_v,
                front_end.voltage_gain_error_pct,
                front_end.voltage_zero,
                front_end.voltage_offset,
                front_end.voltage_noise,
            ),
            current: channel(
                schema::Channel::Current,
                front_end.current_lsb_a,
                front_end.current_gain_error_pct,
                front_end.current_zero,
                front_end.current_offset,
                front_end.current_noise,
            ),
            noise: Random::new(seed, stream::NOISE),
            losses: Losses::new(front_end, &settings.event, seed),
            settings: front_end.clone(),
        }
    }

    /// One sample; `None` if it is lost on its way.
    #[inline]
    pub(super) fn convert(&mut self, voltage: f64, current: f64, time_s: f64) -> Option<Pair> {
        let (one, other) = if self.voltage.noise > 0.0 || self.current.noise > 0.0 {
            self.noise.normal_pair()
        } else {
            (0.0, 0.0)
        };
        let pair = Pair {
            voltage: self.voltage.convert(voltage, one, time_s),
            current: self.current.convert(current, other, time_s),
        };
        (!self.losses.is_lost(time_s)).then_some(pair)
    }

    pub(super) fn front_end(&self) -> FrontEnd {
        let (lowest, highest) = rails(&self.settings);
        let range = |dc_coupled| ChannelRange { lowest, highest, dc_coupled };
        FrontEnd {
            sample_rate: Hertz(self.settings.sample_rate_hz),
            voltage: range(self.settings.voltage_dc_coupled),
            current: range(self.settings.current_dc_coupled),
            channel_skew: Seconds(self.settings.skew_us * 1e-6),
            nominal_voltage: self.nominal,
        }
    }

    pub(super) fn calibration(&self) -> Calibration {
        if self.settings.calibrated { self.true_calibration() } else { self.board_calibration() }
    }

    /// What only a simulation can know.
    pub(super) fn true_calibration(&self) -> Calibration {
        let channel = |channel: &Channel| ChannelCalibration {
            gain: (channel.counts_per_unit * self.filter_gain).recip(),
            gain_uncertainty_pct: 0.0,
            zero_raw: channel.zero,
            zero_uncertainty_raw: 0.0,
        };
        let current = channel(&self.current);
        // Noise, and what rounding to whole counts adds.
        let noise = libm::sqrt(self.current.noise * self.current.noise + 1.0 / 12.0) * current.gain;
        Calibration {
            version: 1,
            date: None,
            reference: heapless::String::try_from("true values of the simulation").unwrap_or_default(),
            voltage: channel(&self.voltage),
            current,
            phase: Degrees(self.lag_deg),
            phase_uncertainty: Degrees(0.0),
            current_noise_floor: (self.current.noise > 0.0).then_some(Amperes(noise)),
        }
    }

    /// What the board's design says.
    fn board_calibration(&self) -> Calibration {
        let channel = |gain, zero: Option<f64>| ChannelCalibration {
            gain,
            gain_uncertainty_pct: BOARD_GAIN_UNCERTAINTY_PCT,
            zero_raw: zero.unwrap_or(middle(&self.settings)),
            zero_uncertainty_raw: BOARD_ZERO_UNCERTAINTY_RAW,
        };
        Calibration {
            version: 0,
            date: None,
            reference: heapless::String::new(),
            voltage: channel(self.settings.voltage_lsb_v, self.settings.voltage_zero),
            current: channel(self.settings.current_lsb_a, self.settings.current_zero),
            phase: Degrees(0.0),
            phase_uncertainty: Degrees(BOARD_PHASE_UNCERTAINTY_DEG),
            current_noise_floor: None,
        }
    }
}

/// The code in the middle.
fn middle(settings: &schema::FrontEnd) -> f64 {
    if settings.signed { 0.0 } else { f64::from(1_i32 << (settings.bits - 1)) }
}

fn of_channel(
    events: impl Iterator<Item = (schema::Channel, schema::Recurring)>,
    channel: schema::Channel,
) -> Vec<schema::Recurring> {
    events.filter(|(which, _)| *which == channel).map(|(_, when)| when).collect()
}

/// Which pairs do not arrive.
#[derive(Clone, Debug)]
struct Losses {
    planned: Vec<schema::Recurring>,
    random: Random,
    /// Mean time between two gaps at random; infinite if there are none.
    mean_s: f64,
    mean_pairs: f64,
    next_s: f64,
    left: u64,
}

impl Losses {
    fn new(settings: &schema::FrontEnd, events: &schema::Events, seed: u64) -> Self {
        let mut random = Random::new(seed, stream::LOSSES);
        let mean_s = 3600.0 / settings.lost_per_hour;
        Self {
            planned: events.lost.iter().map(schema::Lost::when).collect(),
            next_s: random.waiting_time(mean_s),
            random,
            mean_s,
            mean_pairs: settings.lost_pairs,
            left: 0,
        }
    }

    #[inline]
    fn is_lost(&mut self, time_s: f64) -> bool {
        if time_s >= self.next_s {
            self.next_s = time_s + self.random.waiting_time(self.mean_s);
            self.left = self.random.waiting_time(self.mean_pairs).ceil().max(1.0) as u64;
        }
        if self.left > 0 {
            self.left -= 1;
            return true;
        }
        !self.planned.is_empty() && self.planned.iter().any(|event| event.is_on(time_s))
    }
}
