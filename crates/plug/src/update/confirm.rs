//! Confirms an image on probation once it has measured and served for a while; until then the next start goes back.

use core::future::pending;

use crate::limits;
use crate::platform::{Clock, ImageState, Instant, UpdateSlots};
use crate::state::State;
use crate::update::Image;

/// Tells the world which image runs, and confirms it when it has proved itself. Runs for ever; dropping the future
/// leaves an image on probation as it is.
pub async fn run<S: UpdateSlots, C: Clock>(slots: &mut S, clock: &C, state: &State) -> ! {
    let slot = slots.running();
    let log = |text| state.put_log(clock.time_of_day(), clock.now().since_start().as_secs_f64(), text);
    let Ok(found) = slots.state().await else {
        log("the record of the firmware slots cannot be read");
        pending().await
    };
    state.image.set(Some(Image { slot, state: found }));
    if found == ImageState::OnProbation {
        let mut probation = Probation::default();
        loop {
            let newest = state.reading.borrow().as_ref().map(|reading| reading.sequence);
            if probation.look(clock.now(), newest, state.accept_errors.get()) {
                break;
            }
            clock.sleep_until(clock.now().after(limits::PROBATION_INTERVAL)).await;
        }
        let mut told = false;
        while slots.confirm().await.is_err() {
            if !told {
                log("the new firmware works but cannot be confirmed: the flash does not take the record");
                told = true;
            }
            clock.sleep_until(clock.now().after(limits::PROBATION)).await;
        }
        state.image.set(Some(Image { slot, state: ImageState::Confirmed }));
        log("the new firmware has proved itself and is confirmed");
    }
    pending().await
}

/// What a new image has shown so far.
#[derive(Clone, Copy, Debug, Default)]
struct Probation {
    /// The newest reading's sequence, and when it came.
    newest: Option<(u64, Instant)>,
    /// Since when readings come and clients can come without a break.
    good_since: Option<Instant>,
}

impl Probation {
    /// Looks at the plug, about once a [`limits::PROBATION_INTERVAL`]; whether it has been good for long enough.
    fn look(&mut self, now: Instant, sequence: Option<u64>, accept_errors: u32) -> bool {
        let Some(sequence) = sequence else { return false };
        let last = self.newest.filter(|(last, _)| *last == sequence);
        let (_, came) = *self.newest.insert(last.unwrap_or((sequence, now)));
        if now.since(came) > limits::PROBATION_STALL || accept_errors >= limits::ACCEPT_ERRORS {
            self.good_since = None;
            return false;
        }
        let since = *self.good_since.get_or_insert(now);
        now.since(since) >= limits::PROBATION
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    /// The second at which it is confirmed, if a window comes each second while `measuring`.
    fn confirmed(measuring: impl Fn(u64) -> bool, errors: impl Fn(u64) -> u32) -> Option<u64> {
        let mut probation = Probation::default();
        let mut sequence = None;
        (0..1000).find(|second| {
            if measuring(*second) {
                sequence = Some(sequence.map_or(0, |last: u64| last + 1));
            }
            probation.look(Instant::from_start(Duration::from_secs(*second)), sequence, errors(*second))
        })
    }

    #[test]
    fn a_minute_of_readings_and_open_doors_is_enough() {
        assert_eq!(confirmed(|_| true, |_| 0), Some(60));
        assert_eq!(confirmed(|second| second >= 7, |_| 0), Some(67));
        // A client that breaks off now and then is no fault of the image.
        assert_eq!(confirmed(|_| true, |second| (second % 3) as u32), Some(60));
    }

    #[test]
    fn a_break_begins_anew_and_nothing_at_all_is_never_enough() {
        assert_eq!(confirmed(|_| false, |_| 0), None);
        assert_eq!(confirmed(|second| second == 5, |_| 0), None);
        assert_eq!(confirmed(|second| !(30..40).contains(&second), |_| 0), Some(100));
        assert_eq!(confirmed(|_| true, |second| if second < 20 { 80 } else { 0 }), Some(80));
        assert_eq!(confirmed(|_| true, |_| u32::MAX), None);
    }
}
