//! The platform's samples: the pairs of the sampling interrupt, in blocks of 2 ms.

use metering::front_end::{FrontEnd, Pair};
use plug::platform::{Block, InstantLimit, Samples};

use crate::analog::{self, Entry};
use crate::boards::BOARD;
use crate::reset;

/// What the converter sees.
pub struct EspSamples {
    front_end: FrontEnd,
    block: [Pair; analog::BLOCK as usize],
}

impl EspSamples {
    pub fn new(front_end: FrontEnd) -> Self {
        Self { front_end, block: [Pair::LOST; analog::BLOCK as usize] }
    }
}

impl Samples for EspSamples {
    fn front_end(&self) -> FrontEnd {
        self.front_end
    }

    async fn next(&mut self) -> Option<Block<'_>> {
        // The core comes here after each block, and twice a second without any.
        reset::core_is_alive();
        analog::block().await;
        let (mut lost_before, mut length) = (0, 0);
        // Losses stand before pairs: a block ends where the next loss begins.
        while length < self.block.len() {
            match analog::RING.peek() {
                Some(Entry::Lost(count)) if length == 0 => lost_before += count,
                Some(Entry::Pair { voltage, current }) => {
                    if let Some(place) = self.block.get_mut(length) {
                        *place = Pair { voltage: voltage.into(), current: current.into() };
                    }
                    length += 1;
                }
                _ => break,
            }
            analog::RING.drop_oldest();
        }
        Some(Block { lost_before, pairs: self.block.get(..length).unwrap_or(&[]) })
    }

    fn measures(&self) -> bool {
        BOARD.analog.is_some()
    }

    fn set_instant_limit(&mut self, limit: InstantLimit) {
        analog::set_limit(limit);
    }
}
