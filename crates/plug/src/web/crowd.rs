//! How many of the workers serve a client: when all do, connections that only wait for another request make room.

use core::cell::Cell;

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;

use crate::limits;

/// All workers.
pub(super) struct Crowd {
    taken: Cell<usize>,
    /// Those of the taken ones whose client only keeps its connection: they are free as soon as somebody comes.
    idle: Cell<usize>,
    /// Wakes each worker when the last one is taken.
    full: [Signal<NoopRawMutex, ()>; limits::WEB_WORKERS],
}

/// One worker's part in it while it serves a client.
pub(super) struct Stay<'a> {
    crowd: &'a Crowd,
    number: usize,
    there: Cell<bool>,
    idle: Cell<bool>,
    came_last: bool,
}

impl Crowd {
    pub(super) const fn new() -> Self {
        Self { taken: Cell::new(0), idle: Cell::new(0), full: [const { Signal::new() }; limits::WEB_WORKERS] }
    }

    /// Worker `number` has a client.
    pub(super) fn enter(&self, number: usize) -> Stay<'_> {
        self.taken.set(self.taken.get() + 1);
        let came_last = self.is_full();
        if came_last {
            self.full.iter().for_each(|signal| signal.signal(()));
        }
        Stay { crowd: self, number, there: Cell::new(true), idle: Cell::new(false), came_last }
    }

    fn is_full(&self) -> bool {
        self.taken.get() >= limits::WEB_WORKERS
    }
}

impl Stay<'_> {
    /// Whether all workers are taken, and none can be made free.
    pub(super) fn is_crowded(&self) -> bool {
        self.crowd.taken.get().saturating_sub(self.crowd.idle.get()) >= limits::WEB_WORKERS
    }

    /// The client only keeps its connection from now on, or asks again.
    pub(super) fn set_idle(&self, idle: bool) {
        if self.idle.replace(idle) != idle {
            let count = self.crowd.idle.get();
            self.crowd.idle.set(if idle { count + 1 } else { count.saturating_sub(1) });
        }
    }

    /// Whether this is the one that is kept for sign-in: it was the last that was free, and still no other one is.
    pub(super) fn is_the_last(&self) -> bool {
        self.came_last && self.is_crowded()
    }

    /// Returns when all workers are taken, at once where they are. Dropping the future changes nothing.
    pub(super) async fn crowded(&self) {
        if self.crowd.is_full() {
            return;
        }
        match self.crowd.full.get(self.number) {
            Some(signal) => {
                signal.reset();
                // All that wait make room, not only as many as are needed: each takes a moment to close.
                signal.wait().await;
            }
            None => core::future::pending().await,
        }
    }

    /// The client's connection ends: this worker will be free in a moment.
    pub(super) fn leave(&self) {
        self.set_idle(false);
        if self.there.replace(false) {
            self.crowd.taken.set(self.crowd.taken.get().saturating_sub(1));
        }
    }
}

impl Drop for Stay<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use embassy_futures::poll_once;

    #[test]
    fn who_comes_last_finds_it_crowded_until_one_leaves() {
        let crowd = Crowd::new();
        let mut stays: alloc::vec::Vec<_> =
            (1..limits::WEB_WORKERS).map(|number| crowd.enter(number)).collect();
        assert!(!stays[0].is_crowded());
        assert!(poll_once(stays[0].crowded()).is_pending());
        let last = crowd.enter(0);
        assert!(last.is_the_last() && stays[0].is_crowded() && !stays[0].is_the_last());
        assert!(poll_once(stays[0].crowded()).is_ready());
        stays[0].set_idle(true);
        assert!(!last.is_the_last(), "one of them can go");
        stays[0].set_idle(false);
        assert!(last.is_the_last());
        stays[0].set_idle(true);
        stays[0].leave();
        stays[0].leave();
        assert_eq!(crowd.idle.get(), 0);
        assert!(!last.is_the_last());
        stays.remove(0);
        assert_eq!(crowd.taken.get(), limits::WEB_WORKERS - 1);
        let next = crowd.enter(1);
        assert!(next.is_the_last() && last.is_the_last());
        drop((next, last, stays));
        assert_eq!(crowd.taken.get(), 0);
    }
}
