//! In place of `analog` on chips whose converter is not read yet: no samples ever come, and the relay's pin is driven
//! without a guard. `/api/v1/info` says so in `source`.

use plug::board::ReferencePoint;
use plug::platform::{InstantLimit, InstantTrip, Sampling};

use crate::relay;

/// Pairs in a block, if there were any.
pub const BLOCK: u32 = 8;

/// What a ring would hold.
#[expect(dead_code, reason = "no pair is ever made here")]
pub enum Entry {
    Pair { voltage: u16, current: u16 },
    Lost(u32),
}

/// A ring that stays empty.
pub struct Ring;

pub static RING: Ring = Ring;

impl Ring {
    pub fn peek(&self) -> Option<Entry> {
        None
    }

    pub fn drop_oldest(&self) {}
}

pub fn reference() -> Option<ReferencePoint> {
    None
}

pub async fn block() {
    core::future::pending().await
}

pub fn set_limit(_: InstantLimit) {}

pub fn command(closed: bool) {
    if closed { relay::close_now() } else { relay::open_at_once() }
}

/// Nothing trips here.
pub enum Tripped {}

impl Tripped {
    pub fn trip(self) -> InstantTrip {
        match self {}
    }
}

pub fn tripped() -> Option<Tripped> {
    None
}

pub fn erasing() {}

pub fn lost_in_erases() -> u32 {
    0
}

pub fn lost_pairs() -> u32 {
    0
}

pub fn sampling() -> Sampling {
    Sampling::default()
}
