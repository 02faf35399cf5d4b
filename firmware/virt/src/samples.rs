//! A recording as the plug's samples, and a relay that really cuts its current.
//!
//! Samples come as they do on the chip: an interrupt puts them into a ring, whatever the program does, and what the
//! core does not fetch in time is lost and counted.

use core::cell::Cell;
use core::future::poll_fn;
use core::sync::atomic::{AtomicU32, Ordering};
use core::task::Poll;

use metering::calibration::Calibration;
use metering::front_end::{ChannelRange, FrontEnd, Pair};
use metering::units::{Hertz, Seconds, Volts};
use plug::platform::{Block, Relay, Samples};

use crate::clock;

/// Pairs of the recording: voltage and current as 32-bit little-endian counts of 0.1 mV and 10 uA (see build.rs).
static RECORDING: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/recording.bin"));
/// After its end the recording goes on here, a whole number of cycles before.
pub const LOOP_FROM: usize = include!(concat!(env!("OUT_DIR"), "/loop_from.rs"));
const RATE: f64 = 2000.0;
/// Pairs that come with each tick of a millisecond.
const PAIRS_A_TICK: u32 = 2;
/// Pairs that wait for the core at the most: half a second, as on the chip.
const RING: u32 = 1000;
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

static MOST_WAITING: AtomicU32 = AtomicU32::new(0);

/// The most pairs that ever waited for the core; beyond [`RING`] they were lost.
pub fn most_waiting() -> u32 {
    MOST_WAITING.load(Ordering::Relaxed)
}

/// Plays the recording in step with the ticks, for ever.
pub struct Recording<'a> {
    closed: &'a Cell<bool>,
    at: usize,
    /// Pairs that were fetched or lost, of those that the ticks made; wraps round with them.
    fetched: Option<u32>,
    noise: u32,
    block: [Pair; BLOCK],
}

impl<'a> Recording<'a> {
    /// From its beginning; `closed` is the relay's contact.
    #[must_use]
    pub fn new(closed: &'a Cell<bool>) -> Self {
        Self { closed, at: 0, fetched: None, noise: 1, block: [Pair::default(); BLOCK] }
    }

    fn step(&mut self) -> usize {
        let at = self.at;
        self.at = if at + 1 == length() { LOOP_FROM } else { at + 1 };
        at
    }
}

impl Samples for Recording<'_> {
    fn front_end(&self) -> FrontEnd {
        front_end()
    }

    async fn next(&mut self) -> Option<Block<'_>> {
        let made = || clock::ticks().wrapping_mul(PAIRS_A_TICK);
        let fetched = *self.fetched.get_or_insert_with(made);
        let waiting = poll_fn(|context| {
            clock::wake_with_next_tick(context.waker());
            let waiting = made().wrapping_sub(fetched);
            if waiting < BLOCK as u32 { Poll::Pending } else { Poll::Ready(waiting) }
        })
        .await;
        MOST_WAITING.store(most_waiting().max(waiting), Ordering::Relaxed);
        let lost_before = waiting.saturating_sub(RING);
        for _ in 0..lost_before {
            self.step();
        }
        for index in 0..BLOCK {
            let mut pair = pair(self.step());
            if !self.closed.get() {
                // An open contact leaves the converter's noise: some 0.3 mA.
                self.noise = self.noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                pair.current = (self.noise >> 26) as i32 - 32;
            }
            self.block[index] = pair;
        }
        self.fetched = Some(fetched.wrapping_add(lost_before).wrapping_add(BLOCK as u32));
        Some(Block { lost_before, pairs: &self.block })
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
