//! Simulated time and the one executor: when nobody can go on, it is the time of whoever waits for the earliest moment.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use plug::platform::{Clock, Instant};

/// Unix time at the world's beginning: a whole hour, and so the edge of a slot of any length.
pub const EPOCH: u32 = 1_795_377_600;
/// What sleeps of a plug end on.
const GRID: Duration = Duration::from_millis(250);
/// Longer than any test.
const FOR_EVER: Duration = Duration::from_secs(u32::MAX as u64);
/// So many turns in a row without time going by: somebody goes round in a circle.
const TURNS_MOST: u32 = 100_000;

/// The world's time.
#[derive(Clone, Default)]
pub struct World(Rc<Inner>);

#[derive(Default)]
struct Inner {
    now: Cell<Duration>,
    /// Who waits for which moment, and their number.
    waiting: RefCell<BTreeMap<(Duration, u64), Waker>>,
    next: Cell<u64>,
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl World {
    pub fn new() -> Self {
        Self::default()
    }

    /// Since the world began.
    pub fn now(&self) -> Duration {
        self.0.now.get()
    }

    /// What a right clock says.
    pub fn unix(&self) -> f64 {
        f64::from(EPOCH) + self.now().as_secs_f64()
    }

    pub async fn sleep_until(&self, moment: Duration) {
        let mut number = None;
        let key = Forget { world: self, key: Cell::new(None) };
        poll_fn(|context| {
            if self.now() >= moment {
                return Poll::Ready(());
            }
            let number = *number.get_or_insert_with(|| self.number());
            key.key.set(Some((moment, number)));
            self.0.waiting.borrow_mut().insert((moment, number), context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    pub async fn sleep(&self, time: Duration) {
        self.sleep_until(self.now() + time).await;
    }

    pub async fn sleep_s(&self, seconds: f64) {
        self.sleep(Duration::from_secs_f64(seconds)).await;
    }

    /// Sleeps until so many seconds after the world's beginning.
    pub async fn until_s(&self, seconds: f64) {
        self.sleep_until(Duration::from_secs_f64(seconds)).await;
    }

    fn number(&self) -> u64 {
        let number = self.0.next.get();
        self.0.next.set(number + 1);
        number
    }

    /// Runs `future` to its end.
    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        let waker = Waker::from(flag.clone());
        let mut context = Context::from_waker(&waker);
        let mut turns = 0;
        loop {
            while flag.0.swap(false, Ordering::Relaxed) {
                if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                    return output;
                }
                turns += 1;
                assert!(turns < TURNS_MOST, "somebody goes round in a circle at {:?}", self.now());
            }
            let first = self.0.waiting.borrow_mut().pop_first();
            let Some(((moment, _), waker)) = first else { panic!("nobody waits for anything any more") };
            if moment > self.now() {
                self.0.now.set(moment);
                turns = 0;
            }
            waker.wake();
        }
    }
}

/// Nobody waits any more whose future is gone.
struct Forget<'a> {
    world: &'a World,
    key: Cell<Option<(Duration, u64)>>,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key.get() {
            self.world.0.waiting.borrow_mut().remove(&key);
        }
    }
}

/// A plug's clock: it begins with the plug, and knows no time of day by itself.
#[derive(Clone)]
pub struct PlugClock {
    world: World,
    started: Duration,
}

impl PlugClock {
    /// Begins now.
    pub fn start(world: &World) -> Self {
        Self { world: world.clone(), started: world.now() }
    }
}

impl Clock for PlugClock {
    fn now(&self) -> Instant {
        Instant::from_start(self.world.now() - self.started)
    }

    /// On a grid: somebody who looks every 50 ms would make up most of a simulated week.
    async fn sleep_until(&self, moment: Instant) {
        if moment > self.now() {
            let moment = self.started.saturating_add(moment.since_start()).min(FOR_EVER);
            let late = Duration::from_nanos((moment.as_nanos() % GRID.as_nanos()) as u64);
            let wait = if late.is_zero() { Duration::ZERO } else { GRID - late };
            self.world.sleep_until(moment + wait).await;
        }
    }

    fn time_of_day(&self) -> Option<f64> {
        None
    }
}
