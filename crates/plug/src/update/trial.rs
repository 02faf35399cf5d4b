//! A new image on trial: the first thing that a plug does after a start.
//!
//! ```text
//!                 activate                    20 windows, stores, network
//!   old image  -------------->  new, on trial --------------------------> confirmed
//!      ^                         |  |  ^
//!      |   third crash           |  |  | a crash: one mark more
//!      +-------------------------+  +--+
//!      |   10 minutes in vain,   |
//!      |   or somebody asks      |
//!      +-------------------------+
//! ```
//!
//! A crash is a panic or the watchdog's reset. Power that goes, a brownout and a planned restart say nothing about the
//! image and do not count; nor does what led to the image's first start, since the one before it ran then. But a planned
//! restart uses up a stretch of the ten minutes, which are counted over restarts: else an image that restarts itself again
//! and again would stay for ever.

use super::beside;
use super::record::{self, CRASHES, Record, Standing, Why};
use crate::limits;
use crate::platform::{ImageState, UpdateSlots};

/// Reset reasons that count against a new image.
const CRASH: [&str; 2] = ["panic", "watchdog"];
/// The one of a planned restart.
const PLANNED: &str = "software";

/// What the plug does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// It runs, with an image of which that is known.
    Runs(ImageState),
    /// It starts anew at once: the other image is chosen now.
    WentBack,
}

/// Counts a crash of a new image, and goes back from it after the third. To be called before anything else that could
/// crash. A flash that fails ends nothing: the plug runs. Dropping the future is a power cut.
pub async fn begin<S: UpdateSlots>(slots: &mut S, reset_reason: &str) -> Begin {
    let running = slots.running();
    let Ok(record) = Record::read(slots).await else { return Begin::Runs(ImageState::Unrecorded) };
    let standing = record.standing(running);
    match standing {
        Standing::OnTrial { crashes, .. } => {
            let used = beside::stretches(slots).await;
            let is_first = matches!(used, Ok(0)) && beside::mark_stretch(slots, 0).await.is_ok();
            if crashes >= CRASHES || CRASH.contains(&reset_reason) && !is_first {
                // A crash that cannot be marked could happen for ever; after one too many the power may have gone.
                let counted = crashes < CRASHES && record::mark_crash(slots, crashes).await.is_ok();
                if (crashes + 1 >= CRASHES || !counted) && go_back(slots, Why::Crashed, None).await {
                    return Begin::WentBack;
                }
            } else if reset_reason == PLANNED && !is_first {
                let used = used.unwrap_or(0);
                // If it is not marked the image has some more time.
                let _ = beside::mark_stretch(slots, used).await;
                if used >= limits::PROBATION_STRETCHES && go_back(slots, Why::NotConfirmed, None).await {
                    return Begin::WentBack;
                }
            }
        }
        _ if record.chosen().unwrap_or(0) != running => {
            // The boot loader found the chosen image damaged. It would start that one as soon as somebody writes a
            // whole one into its slot: from now on the one that runs is chosen.
            let why = record.chosen().map_or(Standing::Unrecorded, |_| Standing::Returned(Why::Damaged));
            // If the flash does not take it, the next start tries again.
            let _ = record::choose(slots, running, why, None).await;
            return Begin::Runs(why.state());
        }
        _ => {}
    }
    Begin::Runs(standing.state())
}

/// Has the other image started from the next start on, for this reason; whether the flash took it. `time` is now, where that
/// is known.
pub async fn go_back<S: UpdateSlots>(slots: &mut S, why: Why, time: Option<f64>) -> bool {
    let other = 1 - slots.running().min(1);
    record::choose(slots, other, Standing::Returned(why), time).await.is_ok()
}
