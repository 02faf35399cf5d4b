//! The ledger itself: pure, in RAM, bounded.

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::time::Duration;

use super::purpose::{Outcome, Place};
use crate::limits;
use crate::platform::Instant;

/// One connection that ended.
#[derive(Clone, Debug)]
pub struct Record {
    /// Where it went.
    pub place: Rc<Place>,
    /// When it began, in the plug's time.
    pub began: Instant,
    /// How long it took, in the network's time.
    pub took: Duration,
    /// What was sent, without the network's own overhead.
    pub bytes_out: u32,
    /// What came back.
    pub bytes_in: u32,
    /// What became of it.
    pub outcome: Outcome,
    /// The beginning of what was sent, if it was shown to the gate; secrets are masked.
    pub body: Option<Vec<u8>>,
}

/// All that left the plug since its start.
#[derive(Debug, Default)]
pub struct Ledger {
    connections: VecDeque<Record>,
}

impl Ledger {
    /// Nothing left.
    #[must_use]
    pub const fn new() -> Self {
        Self { connections: VecDeque::new() }
    }

    /// Takes down what ended; the oldest makes room.
    pub fn note(&mut self, record: Record) {
        while self.connections.len() >= limits::LEDGER_CONNECTIONS {
            self.connections.pop_front();
        }
        // Without memory it is lost; what leaves does not wait for it.
        if self.connections.try_reserve(1).is_ok() {
            self.connections.push_back(record);
        }
    }

    /// The last connections, oldest first.
    pub fn connections(&self) -> impl Iterator<Item = &Record> {
        self.connections.iter()
    }
}
