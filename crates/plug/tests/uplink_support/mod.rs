//! A plug with a log, its flash, and Emoncms behind a network, in simulated time.

#![allow(dead_code, reason = "each test uses a part of it")]

pub(crate) mod emoncms;
#[path = "../idle_clock/mod.rs"]
mod idle_clock;
pub(crate) mod net;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use embedded_storage_async::nor_flash::{ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash};
use metering::calibration::Calibration;
use metering::energy::Energy;
use metering::quality::Quality;
use plug::core::{Core, Moment};
use plug::history::{CHUNK, Chunk, HistoryError, Row, Rows};
use plug::ledger::Outside;
use plug::platform::Clock;
use plug::settings::{Basis, Hardware, patch};
use plug::state::State;
use plug::timekeeping::{Offset, WallClock, publish};
use plug::uplink::status::Trouble;
use plug::uplink::{CursorStore, Way, run};

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use emoncms::Emoncms;
pub(crate) use idle_clock::IdleClock;
use net::Net;

/// A slot's end, at which the log begins.
pub(crate) const T: u32 = 1_795_996_800;
/// The write key.
pub(crate) const KEY: &str = "fa8e3b689295332c560bbea31afb61d0";
/// The node where the settings name none.
pub(crate) const NODE: &str = "ossp-e5f6";
const ID: &str = "a1b2c3d4e5f6";

const HARDWARE: Hardware = Hardware::BARE;

/// Settings that send, by this transport.
pub(crate) fn settings(transport: &str) -> String {
    format!(
        "{{\"time\":{{\"source\":\"ntp\"}},\"emoncms\":{{\"enabled\":true,\"url\":\"http://emonpi/emoncms\",\
         \"write_key\":\"{KEY}\",\"user_id\":4,\"transport\":\"{transport}\"}}}}"
    )
}

/// Unix time as it really is.
pub(crate) fn unix(clock: &IdleClock) -> f64 {
    f64::from(T) + 0.5 + clock.seconds()
}

/// A flash in memory, which a restart leaves as it is.
#[derive(Clone)]
pub(crate) struct RamFlash(Rc<RefCell<Vec<u8>>>);

impl RamFlash {
    fn new() -> Self {
        Self(Rc::new(RefCell::new(vec![0xff; 8 * 4096])))
    }
}

impl ErrorType for RamFlash {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for RamFlash {
    const READ_SIZE: usize = 4;

    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NorFlashErrorKind> {
        let from = offset as usize;
        bytes.copy_from_slice(&self.0.borrow()[from..from + bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.borrow().len()
    }
}

impl NorFlash for RamFlash {
    const WRITE_SIZE: usize = 4;
    const ERASE_SIZE: usize = 4096;

    async fn erase(&mut self, from: u32, to: u32) -> Result<(), NorFlashErrorKind> {
        self.0.borrow_mut()[from as usize..to as usize].fill(0xff);
        Ok(())
    }

    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NorFlashErrorKind> {
        for (cell, byte) in self.0.borrow_mut()[offset as usize..].iter_mut().zip(bytes) {
            *cell &= byte;
        }
        Ok(())
    }
}

/// The row that ends at `time`, as it was measured.
pub(crate) fn row(time: u32) -> Row {
    let steps = f64::from((time / 10) % 1000);
    Row {
        boot: 1,
        uptime_s: f64::from(time - T.min(time)),
        time: Some(time),
        interval_s: 10,
        measured: 1.0,
        import: Energy(u64::from(time - 1_795_000_000) * 1_230_000),
        export: Energy(0),
        active_power_w: steps / 10.0,
        power_min_w: 0.0,
        power_max_w: 500.0,
        voltage_v: (!time.is_multiple_of(70)).then_some(230.0 + steps / 100.0),
        current_a: Some(steps / 1000.0),
        power_factor: Some(0.5),
        frequency_hz: Some(50.0),
        relay: true,
        relay_changed: false,
        quality: Quality::NONE,
    }
}

/// A log with a row each 10 s, from [`T`] on.
pub(crate) struct Log<'a> {
    clock: &'a IdleClock,
    /// What is older has made room.
    pub(crate) oldest: Cell<u32>,
    /// After so many reads the oldest row goes with each.
    pub(crate) forgets_after: Cell<Option<u32>>,
}

impl Log<'_> {
    fn newest_time(&self) -> u32 {
        unix(self.clock) as u32 / 10 * 10
    }
}

impl Rows for Log<'_> {
    async fn read(&self, after: u32, until: u32, rows: &mut Chunk) -> Result<(), HistoryError> {
        match self.forgets_after.get() {
            Some(0) => self.oldest.set(self.oldest.get().max(after + 11)),
            Some(left) => self.forgets_after.set(Some(left - 1)),
            None => {}
        }
        rows.clear();
        let first = ((after / 10 + 1) * 10).max(self.oldest.get());
        let last = until.min(self.newest_time());
        rows.extend((first..=last).step_by(10).take(CHUNK).map(row));
        Ok(())
    }

    async fn newest(&self) -> Result<Option<u32>, HistoryError> {
        Ok(Some(self.newest_time()))
    }

    async fn oldest(&self) -> Result<Option<u32>, HistoryError> {
        Ok(Some(self.oldest.get()))
    }

    async fn count(&self, after: u32, until: u32) -> Result<u32, HistoryError> {
        Ok(until.saturating_sub(after.max(self.oldest.get() - 10)) / 10)
    }
}

/// Everything that outlives a start of the plug.
pub(crate) struct World {
    pub(crate) clock: IdleClock,
    pub(crate) emoncms: Emoncms,
    flash: RamFlash,
    /// What the settings are at a start.
    pub(crate) settings: RefCell<String>,
    /// Lines of the plug's log.
    pub(crate) said: RefCell<Vec<String>>,
    pub(crate) oldest: Cell<u32>,
    pub(crate) forgets_after: Cell<Option<u32>>,
}

/// Somebody is not done yet, without waiting for the time.
struct Again(AtomicBool);

impl Wake for Again {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What can be looked at and changed from outside while the plug runs.
pub(crate) struct Inside<'a> {
    pub(crate) world: &'a World,
    pub(crate) state: &'a State,
    offset: &'a Offset<NoopRawMutex>,
}

impl Inside<'_> {
    /// Changes the settings.
    pub(crate) fn change(&self, text: &str) {
        change(self.state, text);
    }

    /// What the plug takes the time to be.
    pub(crate) fn time_of_day(&self) -> Option<f64> {
        WallClock::new(&self.world.clock, self.offset).time_of_day()
    }

    /// Waits so many seconds.
    pub(crate) async fn seconds(&self, seconds: f64) {
        let clock = &self.world.clock;
        clock.sleep_until(clock.now().after(Duration::from_secs_f64(seconds))).await;
    }

    /// State and trouble in words.
    pub(crate) fn stands(&self) -> (&'static str, Option<&'static str>) {
        let status = self.state.uplink.status.borrow();
        let open = |error: &&Trouble| error.time.is_none() || error.time > status.last_success;
        (status.state.word(), status.last_error.as_ref().filter(open).map(|error| error.answer.code()))
    }
}

fn change(state: &State, text: &str) {
    let basis = Basis { hardware: HARDWARE, board: Calibration::ideal(1.0, 0.0, 1.0, 0.0), zone: |_| true };
    let settings = patch(&state.settings.borrow(), text, &basis, None).expect(text);
    state.put_settings(*settings, &basis, 1);
}

impl World {
    pub(crate) fn new(settings: &str) -> Self {
        let clock = IdleClock::default();
        clock.unix_at_start.set(Some(f64::from(T) + 0.5));
        Self {
            clock,
            emoncms: Emoncms::new(),
            flash: RamFlash::new(),
            settings: RefCell::new(settings.into()),
            said: RefCell::default(),
            oldest: Cell::new(T),
            forgets_after: Cell::new(None),
        }
    }

    /// Starts the plug, and pulls it when `happens` is over.
    pub(crate) fn start(&self, happens: impl AsyncFnOnce(&Inside<'_>)) {
        let relay = Core::new(HARDWARE).relay_status(Moment::default(), None);
        let state = State::new(relay, Calibration::ideal(1.0, 0.0, 1.0, 0.0));
        change(&state, &self.settings.borrow());
        let offset = Offset::new();
        let clock = WallClock::new(&self.clock, &offset);
        let net = Net { clock: &self.clock, emoncms: &self.emoncms };
        let outside = Outside::new(&net, &clock, &self.clock, &state.ledger);
        let log = Log {
            clock: &self.clock,
            oldest: Cell::new(self.oldest.get()),
            forgets_after: Cell::new(self.forgets_after.get()),
        };
        let way =
            Way { outside: &outside, clock: &clock, timer: &self.clock, rows: &log, state: &state, id: ID };
        let say = |text: &str| self.said.borrow_mut().push(text.into());
        let uplink = run(way, CursorStore::new(self.flash.clone()), [7; 16], say);
        // What it needs for a request lies on the heap, for as long as it needs it.
        assert!(size_of_val(&uplink) < 1536, "{} bytes", size_of_val(&uplink));
        let inside = Inside { world: self, state: &state, offset: &offset };
        self.play(uplink, publish(&clock, &state, &offset), happens(&inside));
    }

    fn play(&self, uplink: impl Future, publish: impl Future, happens: impl Future) {
        let (mut uplink, mut publish, mut happens) = (pin!(uplink), pin!(publish), pin!(happens));
        let again = Arc::new(Again(AtomicBool::new(true)));
        let waker = Waker::from(again.clone());
        let mut context = Context::from_waker(&waker);
        loop {
            // What one says the others may want to hear.
            again.0.store(true, Ordering::Relaxed);
            while again.0.swap(false, Ordering::Relaxed) {
                assert!(uplink.as_mut().poll(&mut context).is_pending());
                assert!(publish.as_mut().poll(&mut context).is_pending());
                if happens.as_mut().poll(&mut context).is_ready() {
                    return;
                }
            }
            let next = self.clock.next.take().expect("somebody waits");
            self.clock.now.set(next.max(self.clock.now.get()));
        }
    }
}

/// Every row from `from` until now is there, with the values that were measured; and how often one was stored at the most.
pub(crate) fn has_all(world: &World, from: u32) -> u32 {
    let until = unix(&world.clock) as u32 / 10 * 10;
    let rows = world.emoncms.rows.borrow();
    let missing: Vec<u32> =
        (from..until).step_by(10).filter(|time| !rows.contains_key(time)).map(|time| time - T).collect();
    assert!(missing.is_empty(), "missing: {missing:?}");
    for (time, values) in rows.iter() {
        let own = row(*time);
        let near = |name: &str, wanted: f64, step: f64| {
            let value = values[name].as_f64().unwrap();
            assert!((value - wanted).abs() <= step / 2.0, "{time} {name}: {value} {wanted}");
        };
        near("energy", own.import.0 as f64 / 1e9, 3e-5);
        near("power", own.active_power_w, 0.01);
        near("current", own.current_a.unwrap(), 1e-5);
        assert_eq!(values.get("voltage").is_some(), own.voltage_v.is_some());
    }
    *world.emoncms.stored.borrow().values().max().unwrap()
}
