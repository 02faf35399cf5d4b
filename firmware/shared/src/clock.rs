//! embassy's timer as the plug's clock.

use core::time::Duration;

use embassy_time::Timer;
use plug::platform::{Clock, Instant};

/// Time since the timer driver started. There is no time of day in here.
#[derive(Clone, Copy, Debug, Default)]
pub struct EmbassyClock;

impl Clock for EmbassyClock {
    fn now(&self) -> Instant {
        Instant::from_start(Duration::from_micros(embassy_time::Instant::now().as_micros()))
    }

    async fn sleep_until(&self, moment: Instant) {
        let microseconds = u64::try_from(moment.since_start().as_micros()).unwrap_or(u64::MAX);
        // A moment beyond what the timer's ticks can count never comes.
        match embassy_time::Instant::try_from_micros(microseconds) {
            Some(at) => Timer::at(at).await,
            None => core::future::pending().await,
        }
    }

    fn time_of_day(&self) -> Option<f64> {
        None
    }
}
