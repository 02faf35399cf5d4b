//! A recording as the plug's samples, and a relay that really cuts its current.

use core::cell::Cell;

use embassy_time::{Duration, Instant, Timer};
use metering::calibration::Calibration;
use metering::front_end::{ChannelRange, FrontEnd, Pair};
use metering::units::{Hertz, Seconds, Volts};
use plug::platform::{Block, Relay, Samples};

/// Pairs of the recording: voltage and current as 32-bit little-endian counts of 0.1 mV and 10 uA (see build.rs).
static RECORDING: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/recording.bin"));
/// After its end the recording goes on here, a whole number of cycles before.
pub const LOOP_FROM: usize = include!(concat!(env!("OUT_DIR"), "/loop_from.rs"));
const RATE: f64 = 2000.0;
/// Pairs in a block: 2 ms.
const BLOCK: usize = 4;

/// How many pairs the recording has.
#[must_use]
pub fn length() -> usize {
    RECORDING.len() / 8
}

/// A pair of the recording.
#[must_use]
pub fn pair(at: usize) -> Pair {
    let number = |from: usize| {
        RECORDING.get(from..from + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, i32::from_le_bytes)
    };
    Pair { voltage: number(8 * at), current: number(8 * at + 4) }
}

/// The recording's hardware, as `ossp replay` takes it.
#[must_use]
pub fn front_end() -> FrontEnd {
    let range = ChannelRange { lowest: -(1 << 23), highest: 1 << 23, dc_coupled: true };
    FrontEnd {
        sample_rate: Hertz(RATE),
        voltage: range,
        current: range,
        channel_skew: Seconds(0.0),
        nominal_voltage: Volts(230.0),
    }
}

/// 0.1 mV and 10 uA a count.
#[must_use]
pub fn calibration() -> Calibration {
    Calibration::ideal(1e-4, 0.0, 1e-5, 0.0)
}

/// Plays the recording in step with the clock, for ever.
pub struct Recording<'a> {
    closed: &'a Cell<bool>,
    at: usize,
    due: Instant,
    noise: u32,
    block: [Pair; BLOCK],
}

impl<'a> Recording<'a> {
    /// From its beginning; `closed` is the relay's contact.
    #[must_use]
    pub fn new(closed: &'a Cell<bool>) -> Self {
        Self { closed, at: 0, due: Instant::now(), noise: 1, block: [Pair::default(); BLOCK] }
    }
}

impl Samples for Recording<'_> {
    fn front_end(&self) -> FrontEnd {
        front_end()
    }

    async fn next(&mut self) -> Option<Block<'_>> {
        self.due += Duration::from_micros((BLOCK as f64 / RATE * 1e6) as u64);
        Timer::at(self.due).await;
        for place in &mut self.block {
            *place = pair(self.at);
            if !self.closed.get() {
                // An open contact leaves the converter's noise: some 0.3 mA.
                self.noise = self.noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                place.current = (self.noise >> 26) as i32 - 32;
            }
            self.at += 1;
            if self.at == length() {
                self.at = LOOP_FROM;
            }
        }
        Some(Block { lost_before: 0, pairs: &self.block })
    }
}

/// The relay in the recording's way.
pub struct VirtRelay<'a>(pub &'a Cell<bool>);

impl Relay for VirtRelay<'_> {
    fn set(&mut self, closed: bool) {
        self.0.set(closed);
    }

    fn measured(&self) -> Option<bool> {
        Some(self.0.get())
    }
}
