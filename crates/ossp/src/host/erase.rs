//! Erases take their time, as on a chip: while one goes on, nothing of `run_rest` runs, and the core does.
//!
//! On the chip the core stands still too, but the interrupt below it goes on taking samples, and the core makes up for
//! them. Here simulated time goes on for the core alone, which comes to the same.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use embedded_storage_async::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use plug::platform::{Clock, FlashUse, Instant};

use crate::sim::flash::EraseTimes;

/// The time that erases take, shared by the flash and by those who have to wait.
pub struct Erasing<C> {
    clock: C,
    times: RefCell<EraseTimes>,
    /// Until when one goes on.
    until: Cell<Option<Instant>>,
    erases: Cell<u32>,
    longest: Cell<Duration>,
}

impl<C: Clock> Erasing<C> {
    /// None goes on; `seed` decides how long each will take.
    #[must_use]
    pub fn new(clock: C, seed: u64) -> Self {
        Self {
            clock,
            times: RefCell::new(EraseTimes::new(seed)),
            until: Cell::new(None),
            erases: Cell::new(0),
            longest: Cell::default(),
        }
    }

    /// What erases cost since the start; no pair is ever lost here.
    #[must_use]
    pub fn flash_use(&self) -> FlashUse {
        FlashUse {
            erases: self.erases.get(),
            longest_erase_s: self.longest.get().as_secs_f64(),
            lost_pairs: 0,
        }
    }

    /// Runs `future`, which stands still while an erase goes on. Dropping it is as dropping `future`.
    pub async fn stall<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        loop {
            if let Some(until) = self.until.take() {
                self.clock.sleep_until(until).await;
            }
            let done = poll_fn(|context| match future.as_mut().poll(context) {
                Poll::Ready(output) => Poll::Ready(Some(output)),
                // It began to erase: from here on it has no turn.
                Poll::Pending if self.until.get().is_some() => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            });
            if let Some(output) = done.await {
                return output;
            }
        }
    }

    /// The time that a sector takes.
    async fn erase(&self) {
        let takes = self.times.borrow_mut().draw();
        self.erases.set(self.erases.get().wrapping_add(1));
        self.longest.set(self.longest.get().max(takes));
        let until = self.clock.now().after(takes);
        self.until.set(Some(until));
        self.clock.sleep_until(until).await;
    }
}

/// A flash whose erases take time. The sectors change first: a future that is dropped has erased, as a chip has whose
/// power goes at the end.
pub struct SlowFlash<'a, F, C> {
    flash: F,
    erasing: &'a Erasing<C>,
}

impl<'a, F, C> SlowFlash<'a, F, C> {
    /// `flash`, with the times of `erasing`.
    #[must_use]
    pub fn new(flash: F, erasing: &'a Erasing<C>) -> Self {
        Self { flash, erasing }
    }

    /// The flash itself.
    pub fn inner(&mut self) -> &mut F {
        &mut self.flash
    }
}

impl<F: ErrorType, C> ErrorType for SlowFlash<'_, F, C> {
    type Error = F::Error;
}

impl<F: ReadNorFlash, C> ReadNorFlash for SlowFlash<'_, F, C> {
    const READ_SIZE: usize = F::READ_SIZE;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), F::Error> {
        self.flash.read(offset, bytes).await
    }

    fn capacity(&self) -> usize {
        self.flash.capacity()
    }
}

impl<F: NorFlash, C: Clock> NorFlash for SlowFlash<'_, F, C> {
    const WRITE_SIZE: usize = F::WRITE_SIZE;
    const ERASE_SIZE: usize = F::ERASE_SIZE;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), F::Error> {
        let sector = F::ERASE_SIZE as u32;
        let whole = from.is_multiple_of(sector) && to.is_multiple_of(sector);
        if !whole || to as usize > self.flash.capacity() {
            // It says what is wrong, and does nothing.
            return self.flash.erase(from, to).await;
        }
        for at in (from..to).step_by(F::ERASE_SIZE) {
            self.flash.erase(at, at + sector).await?;
            self.erasing.erase().await;
        }
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), F::Error> {
        self.flash.write(offset, bytes).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::flash::{SECTOR, SimFlash};
    use embassy_futures::select::{Either, select};
    use futures_lite::future::{block_on, yield_now};
    use std::rc::Rc;

    /// Time that the test makes go on.
    #[derive(Clone, Default)]
    struct TestClock(Rc<Cell<Duration>>);

    impl Clock for TestClock {
        fn now(&self) -> Instant {
            Instant::from_start(self.0.get())
        }

        async fn sleep_until(&self, moment: Instant) {
            while self.now() < moment {
                yield_now().await;
            }
        }

        fn time_of_day(&self) -> Option<f64> {
            None
        }
    }

    const BLOCK: Duration = Duration::from_millis(2);

    /// The core's blocks while `rest` runs to its end.
    async fn blocks<T>(clock: &TestClock, rest: impl Future<Output = T>) -> (u32, T) {
        let blocks = Cell::new(0);
        let core = async {
            loop {
                blocks.set(blocks.get() + 1);
                clock.0.set(clock.0.get() + BLOCK);
                yield_now().await;
            }
        };
        match select(core, rest).await {
            Either::First(never) => never,
            Either::Second(done) => (blocks.get(), done),
        }
    }

    #[test]
    fn the_rest_stands_still_and_the_core_does_not() {
        let clock = TestClock::default();
        let erasing = Erasing::new(clock.clone(), 1);
        let mut flash = SlowFlash::new(SimFlash::new(4, 1), &erasing);
        // Beside the erase another part of the rest counts its turns.
        let turns = Cell::new(0_u32);
        let other = async {
            loop {
                turns.set(turns.get() + 1);
                yield_now().await;
            }
        };
        let storing = async {
            flash.write(0, &[0; 4]).await?;
            flash.erase(0, 3 * SECTOR as u32).await
        };
        let rest = erasing.stall(async {
            match select(storing, other).await {
                Either::First(done) => done,
                Either::Second(never) => never,
            }
        });
        let (core, done) = block_on(blocks(&clock, rest));
        assert_eq!(done, Ok(()));
        let cost = erasing.flash_use();
        assert_eq!((cost.erases, cost.lost_pairs, flash.inner().erases()), (3, 0, 3));
        assert!((0.045..=0.4).contains(&cost.longest_erase_s), "{cost:?}");
        // At least 3 x 45 ms of blocks, and hardly a turn for the rest.
        assert!(core >= 3 * 22, "{core} blocks");
        assert!(turns.get() < 10, "{} turns", turns.get());
    }

    #[test]
    fn a_mistake_takes_no_time() {
        let clock = TestClock::default();
        let erasing = Erasing::new(clock.clone(), 1);
        let mut flash = SlowFlash::new(SimFlash::new(1, 1), &erasing);
        let sector = SECTOR as u32;
        for (from, to) in [(0, sector + 4), (0, 2 * sector), (1 << 20, (1 << 20) + sector), (4, sector)] {
            assert!(block_on(flash.erase(from, to)).is_err(), "{from} {to}");
        }
        assert_eq!((erasing.flash_use().erases, flash.inner().erases()), (0, 0));
    }
}
