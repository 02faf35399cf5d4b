//! A clock for simulated time: it goes on when everybody waits.

use std::cell::Cell;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use plug::platform::{Clock, Instant};

/// Whoever runs the tasks polls them until nothing moves, then sets `now` to `next`.
#[derive(Default)]
pub(crate) struct IdleClock {
    pub(crate) now: Cell<Duration>,
    /// The earliest moment that somebody waits for.
    pub(crate) next: Cell<Option<Duration>>,
    /// Unix time at the start, for whoever knows it.
    pub(crate) unix_at_start: Cell<Option<f64>>,
}

impl IdleClock {
    /// Seconds since the start.
    pub(crate) fn seconds(&self) -> f64 {
        self.now.get().as_secs_f64()
    }
}

impl Clock for IdleClock {
    fn now(&self) -> Instant {
        Instant::from_start(self.now.get())
    }

    async fn sleep_until(&self, moment: Instant) {
        let due = moment.since_start();
        poll_fn(|_| {
            if due <= self.now.get() {
                return Poll::Ready(());
            }
            self.next.set(Some(self.next.get().map_or(due, |next| next.min(due))));
            Poll::Pending
        })
        .await;
    }

    fn time_of_day(&self) -> Option<f64> {
        Some(self.unix_at_start.get()? + self.seconds())
    }
}
