//! A recording played for ever: looped over whole mains cycles, so that the voltage goes on without a jump.
//!
//! The loop begins behind the first rising zero crossing of the voltage, at a sample, and ends at the same phase
//! of a later cycle, which as a rule lies between two samples. The whole loop is therefore stretched by less than
//! half a sample, evenly (band-limited interpolation between the samples): from nothing at its beginning to that
//! part of a sample at its end. Among the last quarter of the cycles the one is chosen that needs the least; the
//! frequency changes by that part of a sample in the loop's length, some parts per million. What the load does may
//! jump where the loop closes, from the end of the recording to its beginning: that is then what the load did.

use std::path::Path;
use std::sync::Arc;

use metering::calibration::Calibration;
use metering::front_end::{FrontEnd, Pair};
use metering::units::Seconds;

use super::front_end::Converter;
use super::random::{Random, stream};
use super::relay::Contact;
use super::scenario::ScenarioError;
use super::scenario::schema::{self, Settings};
use crate::recording::Recording;

/// Most that is kept in memory: at 50,000 pairs a second 48 MB.
const LONGEST_S: f64 = 60.0;
/// Samples on either side that the interpolation looks at.
const REACH: i64 = 16;

/// A loop.
#[derive(Debug)]
pub(crate) struct Wave {
    description: String,
    /// Volts and amperes.
    samples: Vec<[f64; 2]>,
    front_end: FrontEnd,
    calibration: Calibration,
    is_raw: bool,
    notice: Option<String>,
}

impl Wave {
    pub(super) fn open(path: &Path) -> Result<Self, ScenarioError> {
        Self::from_recording(Recording::open(path)?)
    }

    pub(super) fn from_recording<R: std::io::Read>(
        mut recording: Recording<R>,
    ) -> Result<Self, ScenarioError> {
        let (front_end, calibration) = (recording.front_end(), recording.calibration().clone());
        let (pairs, left_out) = longest_stretch(&mut recording)?;
        let (voltage, current) = (calibration.voltage, calibration.current);
        let samples: Vec<[f64; 2]> = pairs
            .iter()
            .map(|pair| {
                [
                    voltage.gain * (f64::from(pair.voltage) - voltage.zero_raw),
                    current.gain * (f64::from(pair.current) - current.zero_raw),
                ]
            })
            .collect();
        let crossings = rising_crossings(&samples);
        let Some((start, length)) = choose(&crossings, front_end.sample_rate.0) else {
            let file = recording.name().to_owned();
            return Err(ScenarioError::NoCycle { file, samples: samples.len() });
        };
        Ok(Self {
            description: recording.header().get("appliance").unwrap_or_default().to_owned(),
            samples: stretch(&samples, start, length),
            front_end,
            calibration,
            is_raw: recording.is_raw(),
            notice: left_out.map(|what| format!("{}: {what}", recording.name())),
        })
    }

    pub(super) fn description(&self) -> &str {
        &self.description
    }

    pub(super) fn notice(&self) -> Option<String> {
        self.notice.clone()
    }

    /// The front end with the recording's rate and skew.
    pub(super) fn settings(&self, board: &Settings) -> Settings {
        let mut settings = board.clone();
        settings.front_end.sample_rate_hz = self.front_end.sample_rate.0;
        settings.front_end.skew_us = self.front_end.channel_skew.0 * 1e6;
        settings.front_end.voltage_dc_coupled = self.front_end.voltage.dc_coupled;
        settings.front_end.current_dc_coupled = self.front_end.current.dc_coupled;
        settings.mains.volts = self.front_end.nominal_voltage.0;
        settings
    }
}

/// The longest part without lost pairs of the first minute, and what was left out, in words.
fn longest_stretch<R: std::io::Read>(
    recording: &mut Recording<R>,
) -> Result<(Vec<Pair>, Option<&'static str>), ScenarioError> {
    let most = (LONGEST_S * recording.front_end().sample_rate.0) as usize;
    let (mut longest, mut stretch, mut block) = (Vec::new(), Vec::new(), Vec::new());
    let mut left_out = None;
    while let Some(lost) = recording.next_block(&mut block)? {
        if lost > 0 {
            left_out = Some("only the longest part without a gap is played");
            if stretch.len() > longest.len() {
                core::mem::swap(&mut longest, &mut stretch);
            }
            stretch.clear();
        }
        stretch.extend_from_slice(&block);
        if stretch.len() > most {
            stretch.truncate(most);
            left_out = Some("only 60 s of the recording are played");
            break;
        }
    }
    Ok((if stretch.len() > longest.len() { stretch } else { longest }, left_out))
}

/// Where the voltage, without its mean, rises through zero, in samples and parts of them.
fn rising_crossings(samples: &[[f64; 2]]) -> Vec<f64> {
    let count = samples.len().max(1) as f64;
    let mean = samples.iter().map(|[voltage, _]| voltage).sum::<f64>() / count;
    let square = samples.iter().map(|[voltage, _]| (voltage - mean) * (voltage - mean)).sum::<f64>() / count;
    // Below this, noise may cross as often as it likes.
    let far_below = -0.3 * square.sqrt();
    let (mut crossings, mut armed, mut before) = (Vec::new(), false, 0.0);
    for (index, [voltage, _]) in samples.iter().enumerate() {
        let now = voltage - mean;
        armed |= now < far_below;
        if armed && now >= 0.0 && before < 0.0 {
            crossings.push(index as f64 - now / (now - before));
            armed = false;
        }
        before = now;
    }
    crossings
}

/// The first sample of the loop and the loop's length, for crossings that are mains cycles apart.
fn choose(crossings: &[f64], rate: f64) -> Option<(usize, f64)> {
    let first = *crossings.first()?;
    let last = *crossings.last()?;
    let misfit = |length: f64| (length - length.round()).abs();
    let enough = first + 0.75 * (last - first);
    let end = crossings
        .iter()
        .skip(1)
        .enumerate()
        .map(|(index, end)| (index + 1, *end))
        .filter(|(cycles, end)| {
            let hertz = *cycles as f64 * rate / (end - first);
            *end >= enough && (40.0..70.0).contains(&hertz)
        })
        .min_by(|(_, one), (_, other)| misfit(one - first).total_cmp(&misfit(other - first)))?;
    Some((first.ceil() as usize, end.1 - first))
}

/// A whole number of samples evenly spread over the loop.
fn stretch(samples: &[[f64; 2]], start: usize, length: f64) -> Vec<[f64; 2]> {
    let count = length.round();
    let excess = (length - count) / count;
    // Both are far below 2^52.
    (0..count as usize).map(|k| interpolate(samples, start + k, excess * k as f64, count as i64)).collect()
}

/// The value `shift` samples (at most half of one) behind a sample: a sinc under a raised cosine. Beyond the ends
/// of the recording the samples one loop away are taken.
fn interpolate(samples: &[[f64; 2]], at: usize, shift: f64, period: i64) -> [f64; 2] {
    use core::f64::consts::PI;
    let get = |offset: i64| {
        // Indices of a minute's samples.
        let index = at as i64 + offset;
        let inside = |index: i64| usize::try_from(index).ok().and_then(|index| samples.get(index));
        inside(index).or_else(|| inside(index + period)).or_else(|| inside(index - period)).copied()
    };
    let here = get(0).unwrap_or_default();
    if shift.abs() < 1e-9 {
        return here;
    }
    let (mut sum, mut weights) = ([0.0; 2], 0.0);
    for offset in -REACH + 1..=REACH {
        let distance = offset as f64 - shift;
        let weight = libm::sin(PI * distance) / (PI * distance)
            * 0.5
            * (1.0 + libm::cos(PI * distance / (REACH as f64 + 0.5)));
        let [voltage, current] = get(offset).unwrap_or(here);
        sum = [sum[0] + weight * voltage, sum[1] + weight * current];
        weights += weight;
    }
    [sum[0] / weights, sum[1] / weights]
}

/// Plays a [`Wave`].
pub(super) struct Player {
    wave: Arc<Wave>,
    next: usize,
    contact: Contact,
    noise: Random,
}

impl Player {
    pub(super) fn new(wave: Arc<Wave>, settings: &Settings, seed: u64) -> Self {
        let contact = Contact::new(&settings.relay, &settings.event, settings.front_end.sample_rate_hz, seed);
        Self { wave, next: 0, contact, noise: Random::new(seed, stream::NOISE) }
    }

    /// That of a recording in counts; one in volts and amperes is seen by the board's converter.
    pub(super) fn front_end(&self) -> Option<FrontEnd> {
        self.wave.is_raw.then_some(self.wave.front_end)
    }

    /// As [`Player::front_end`].
    pub(super) fn calibration(&self) -> Option<Calibration> {
        self.wave.is_raw.then(|| self.wave.calibration.clone())
    }

    pub(super) fn contact(&mut self) -> &mut Contact {
        &mut self.contact
    }

    pub(super) fn is_closed(&self) -> bool {
        self.contact.is_closed()
    }

    pub(super) fn sample(&mut self, converter: &mut Converter, time_s: f64) -> Option<Pair> {
        let [voltage, current] = self.wave.samples.get(self.next).copied().unwrap_or_default();
        self.next = if self.next + 1 < self.wave.samples.len() { self.next + 1 } else { 0 };
        let is_closed = self.contact.step();
        if !self.wave.is_raw {
            return converter.convert(voltage, if is_closed { current } else { 0.0 }, time_s);
        }
        let calibration = &self.wave.calibration;
        // With the contact open nothing but the recording's own noise, if it is known, is left of the current.
        let current = match calibration.current_noise_floor {
            _ if is_closed => current,
            Some(floor) => floor.0 * self.noise.normal(),
            None => 0.0,
        };
        let counts = |value: f64, channel: metering::calibration::ChannelCalibration, range: (i32, i32)| {
            let code = (value / channel.gain + channel.zero_raw).round();
            // Within the rails.
            code.clamp(f64::from(range.0), f64::from(range.1)) as i32
        };
        let FrontEnd { voltage: first, current: second, .. } = self.wave.front_end;
        Some(Pair {
            voltage: counts(voltage, calibration.voltage, (first.lowest, first.highest)),
            current: counts(current, calibration.current, (second.lowest, second.highest)),
        })
    }

    pub(super) fn relay_delay(&self) -> Seconds {
        Seconds(schema::Relay::default().delay_ms * 1e-3)
    }
}
