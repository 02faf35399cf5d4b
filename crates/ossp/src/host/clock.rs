//! Two clocks: the one that clients on the network live by, and the plug's own, which the samples drive.

use std::cell::Cell;
use std::future::pending;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_io::Timer;
use plug::platform::{Clock, Instant};

/// What is waited for at once: some moments are so far that their distance cannot be calculated with.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

fn unix_seconds() -> Option<f64> {
    SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs_f64())
}

/// The operating system's time.
#[derive(Clone, Copy, Debug)]
pub struct RealClock {
    start: std::time::Instant,
}

impl RealClock {
    /// Starts now.
    #[must_use]
    pub fn start() -> Self {
        Self { start: std::time::Instant::now() }
    }
}

impl Clock for RealClock {
    fn now(&self) -> Instant {
        Instant::from_start(self.start.elapsed())
    }

    async fn sleep_until(&self, moment: Instant) {
        match self.start.checked_add(moment.since_start()) {
            Some(moment) => drop(Timer::at(moment).await),
            None => pending().await,
        }
    }

    fn time_of_day(&self) -> Option<f64> {
        unix_seconds()
    }
}

/// The plug's time: as many seconds as samples were made, whatever `--speed` says.
#[derive(Clone, Debug)]
pub struct SimulatedClock {
    elapsed: Rc<Cell<Duration>>,
    speed: f64,
    /// Time of day at the start.
    started_at: Option<f64>,
}

impl SimulatedClock {
    /// Starts now, `speed` simulated seconds to a real one.
    #[must_use]
    pub fn start(speed: f64) -> Self {
        Self { elapsed: Rc::default(), speed, started_at: unix_seconds() }
    }

    /// The same clock, with the time of day or, as a chip's, without it.
    #[must_use]
    pub fn knowing_the_time(mut self, knows: bool) -> Self {
        self.started_at = self.started_at.filter(|_| knows);
        self
    }

    /// How many simulated seconds a real one has.
    #[must_use]
    pub fn speed(&self) -> f64 {
        self.speed
    }

    /// The samples up to here are made.
    pub(super) fn set(&self, elapsed: Duration) {
        self.elapsed.set(elapsed);
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Instant {
        Instant::from_start(self.elapsed.get())
    }

    async fn sleep_until(&self, moment: Instant) {
        loop {
            let left = moment.since(self.now());
            if left.is_zero() {
                return;
            }
            // The samples decide when it is time; this only decides when to look again.
            let real = left.min(LONGEST).div_f64(self.speed.max(1e-3));
            Timer::after(real.clamp(Duration::from_millis(1), Duration::from_secs(1))).await;
        }
    }

    fn time_of_day(&self) -> Option<f64> {
        self.started_at.map(|start| start + self.elapsed.get().as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::{block_on, poll_once};

    /// An image says when it crashes, and may say anything.
    #[test]
    fn a_moment_that_never_comes_can_be_waited_for() {
        let never = Instant::from_start(Duration::MAX);
        for speed in [0.0, 0.5, 1.0, 1e6] {
            let clock = SimulatedClock::start(speed);
            assert!(block_on(poll_once(clock.sleep_until(never))).is_none(), "{speed}");
        }
        assert!(block_on(poll_once(RealClock::start().sleep_until(never))).is_none());
    }
}
