//! A shell's clock together with the time of day that the plug learned: what core and web read.

use core::cell::Cell;

use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::RawMutex;

use crate::platform::{Clock, Instant};

/// Unix time less the time since the start, once it is known; shared between the core's thread and the rest.
pub struct Offset<M: RawMutex>(Mutex<M, Cell<Option<f64>>>);

impl<M: RawMutex> Offset<M> {
    /// Not known yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(Cell::new(None)))
    }

    /// In seconds; `None` before it is known.
    #[must_use]
    pub fn get(&self) -> Option<f64> {
        self.0.lock(Cell::get)
    }

    /// From now on it is so many seconds.
    pub fn set(&self, seconds: Option<f64>) {
        self.0.lock(|offset| offset.set(seconds));
    }
}

impl<M: RawMutex> Default for Offset<M> {
    fn default() -> Self {
        Self::new()
    }
}

/// A clock that knows the time of day as soon as somebody told it: the platform where it knows it by itself, else what
/// was learned.
pub struct WallClock<'a, C, M: RawMutex> {
    clock: &'a C,
    offset: &'a Offset<M>,
}

impl<'a, C, M: RawMutex> WallClock<'a, C, M> {
    /// `clock` with what `offset` says: [`Link::time`](crate::app::Link::time).
    #[must_use]
    pub const fn new(clock: &'a C, offset: &'a Offset<M>) -> Self {
        Self { clock, offset }
    }
}

impl<C, M: RawMutex> Clone for WallClock<'_, C, M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C, M: RawMutex> Copy for WallClock<'_, C, M> {}

impl<C: Clock, M: RawMutex> Clock for WallClock<'_, C, M> {
    fn now(&self) -> Instant {
        self.clock.now()
    }

    async fn sleep_until(&self, moment: Instant) {
        self.clock.sleep_until(moment).await;
    }

    fn time_of_day(&self) -> Option<f64> {
        let learned = || self.offset.get().map(|offset| offset + self.now().since_start().as_secs_f64());
        self.clock.time_of_day().or_else(learned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;
    use embassy_sync::blocking_mutex::raw::NoopRawMutex;

    struct Fixed(Option<f64>);

    impl Clock for Fixed {
        fn now(&self) -> Instant {
            Instant::from_start(Duration::from_secs(10))
        }
        async fn sleep_until(&self, _: Instant) {}
        fn time_of_day(&self) -> Option<f64> {
            self.0
        }
    }

    #[test]
    fn what_was_learned_counts_where_the_platform_knows_nothing() {
        let offset = Offset::<NoopRawMutex>::new();
        assert_eq!(WallClock::new(&Fixed(None), &offset).time_of_day(), None);
        offset.set(Some(1_795_000_000.5));
        assert_eq!(WallClock::new(&Fixed(None), &offset).time_of_day(), Some(1_795_000_010.5));
        assert_eq!(WallClock::new(&Fixed(Some(7.0)), &offset).time_of_day(), Some(7.0));
    }
}
