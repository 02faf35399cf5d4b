//! Time: the CLINT's counter, with an interrupt every millisecond that wakes whoever waited.
//!
//! A ticker instead of single shots: with `-icount` an idle guest would starve QEMU's user network, and the network
//! device is polled with the same tick.

use core::cell::{Cell, RefCell};
use core::sync::atomic::{AtomicU32, Ordering};
use core::task::Waker;

use critical_section::Mutex;
use embassy_sync::waitqueue::AtomicWaker;
use embassy_time_driver::Driver;
use heapless::Vec;
use riscv::interrupt::Interrupt;
use riscv_rt::core_interrupt;

/// Ticks of the counter in a microsecond (10 MHz).
const COUNTS_A_MICROSECOND: u64 = 10;
const TICK_COUNTS: u64 = 10_000;
/// Ticks that are made up for when the machine stood still for longer than a tick (a busy PC); the rest is left out.
const TICKS_TO_CATCH_UP: u64 = 10;
const MTIME_LOW: *const u32 = 0x0200_bff8 as *const u32;
const MTIME_HIGH: *const u32 = 0x0200_bffc as *const u32;
const MTIMECMP_LOW: *mut u32 = 0x0200_4000 as *mut u32;
const MTIMECMP_HIGH: *mut u32 = 0x0200_4004 as *mut u32;
/// Tasks and time-outs that may wait at once.
const WAITING: usize = 64;

struct Ticker(Mutex<RefCell<Vec<(u64, Waker), WAITING>>>);

embassy_time_driver::time_driver_impl!(static TICKER: Ticker = Ticker(Mutex::new(RefCell::new(Vec::new()))));

/// Ticks since the start.
static TICKS: AtomicU32 = AtomicU32::new(0);
/// When the next one is due, in counts.
static NEXT_TICK: Mutex<Cell<u64>> = Mutex::new(Cell::new(0));
/// Who wants to be woken by each.
static TICKED: AtomicWaker = AtomicWaker::new();

/// Milliseconds that this machine lived through: interrupts that came. If QEMU stands still, so does this.
pub fn ticks() -> u32 {
    TICKS.load(Ordering::Relaxed)
}

/// Wakes `waker` with the next tick. There is room for one.
pub fn wake_with_next_tick(waker: &Waker) {
    TICKED.register(waker);
}

fn counts() -> u64 {
    loop {
        // SAFETY: the CLINT's counter may be read at any time; the high word is read twice against a carry between.
        let (high, low, again) =
            unsafe { (MTIME_HIGH.read_volatile(), MTIME_LOW.read_volatile(), MTIME_HIGH.read_volatile()) };
        if high == again {
            return u64::from(high) << 32 | u64::from(low);
        }
    }
}

fn next_tick_at(counts: u64) {
    critical_section::with(|token| NEXT_TICK.borrow(token).set(counts));
    // SAFETY: the compare register belongs to this module; the order keeps it from matching in between.
    unsafe {
        MTIMECMP_HIGH.write_volatile(u32::MAX);
        MTIMECMP_LOW.write_volatile(counts as u32);
        MTIMECMP_HIGH.write_volatile((counts >> 32) as u32);
    }
}

/// Starts the ticker. Call it once, before the executor runs.
pub fn start() {
    next_tick_at(counts() + TICK_COUNTS);
    // SAFETY: the handler below is in place; it touches only what is behind critical sections.
    unsafe {
        riscv::register::mie::set_mtimer();
        riscv::interrupt::enable();
    }
}

#[core_interrupt(Interrupt::MachineTimer)]
fn tick() {
    let due = critical_section::with(|token| NEXT_TICK.borrow(token).get()) + TICK_COUNTS;
    next_tick_at(due.max(counts().saturating_sub(TICKS_TO_CATCH_UP * TICK_COUNTS)));
    TICKS.store(ticks().wrapping_add(1), Ordering::Relaxed);
    TICKED.wake();
    let now = TICKER.now();
    critical_section::with(|token| {
        let mut waiting = TICKER.0.borrow(token).borrow_mut();
        let mut at = 0;
        while let Some((due, _)) = waiting.get(at) {
            if *due <= now {
                waiting.swap_remove(at).1.wake();
            } else {
                at += 1;
            }
        }
    });
}

impl Driver for Ticker {
    fn now(&self) -> u64 {
        counts() / COUNTS_A_MICROSECOND
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        critical_section::with(|token| {
            let mut waiting = self.0.borrow(token).borrow_mut();
            if let Some(known) = waiting.iter_mut().find(|(_, known)| known.will_wake(waker)) {
                known.0 = known.0.min(at);
            } else if let Err((_, waker)) = waiting.push((at, waker.clone())) {
                // No room: wake it at once, it will ask again.
                waker.wake();
            }
        });
    }
}
