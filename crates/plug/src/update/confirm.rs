//! Confirms an image on probation once it has measured and served for a while; until then the next start goes back.

use core::future::pending;

use crate::platform::{Clock, UpdateSlots};
use crate::state::State;

/// Tells the world which image runs, and confirms it when it has proved itself. Runs for ever.
pub async fn run<S: UpdateSlots, C: Clock>(_slots: &mut S, _clock: &C, _state: &State) -> ! {
    pending().await
}
