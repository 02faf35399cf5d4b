//! The sampling interrupt: a timer at 8 kHz, above everything else, takes voltage and current in turn and opens the
//! relay by itself when it must. It goes on while the flash is erased, so all of it lies in RAM (`check-ram.mjs` sees
//! to that on the finished program).
//!
//! ```text
//! tick      | 0            | 1            | 2            | 3
//! collects  | (nothing)    | voltage 0    | current 0    | voltage 1
//! starts    | voltage 0    | current 0    | voltage 1    | current 1
//!           |              |              | pair 0 done  |
//! ```
//! Inside a tick:
//! ```text
//! timer ----> entry ---> fetch, choose channel, ring, guard ---> until 3 us are over ---> start
//!            1..2 us                1..2 us                       (bounded)
//! ```
//! A conversion starts 3 us after the earliest entry there ever was, and not when the work happens to be done: what the interrupt's entry and
//! its branches cost does not become jitter. That is the only wait in here, it is bounded, and it costs about 1 % of
//! the processor. A conversion that is not finished at the next tick is a lost pair.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use embassy_sync::waitqueue::AtomicWaker;
use esp_hal::interrupt::software::SoftwareInterrupt;
use esp_hal::interrupt::{DirectBindableCpuInterrupt, InterruptHandler, Priority, enable_direct};
use esp_hal::peripherals::{FROM_CPU_INTR3, Interrupt, SYSTIMER};
use esp_hal::time::Duration;
use esp_hal::timer::PeriodicTimer;
use esp_hal::timer::systimer::Alarm;
use plug::core::instant::{InstantGuard, Seen};
use plug::platform::{InstantLimit, InstantTrip, Sampling};

use super::adc;
use super::ring::Ring;
use crate::{relay, reset};

/// The processor's interrupt that is the sampler's alone; `esp-rtos` takes number 0 for its own.
const LINE: DirectBindableCpuInterrupt = DirectBindableCpuInterrupt::Interrupt1;
/// Time between two ticks.
const TICK_MICROSECONDS: u64 = 125;
/// The system timer counts 16 MHz.
const COUNTS_A_MICROSECOND: u32 = 16;
const TICK: u32 = TICK_MICROSECONDS as u32 * COUNTS_A_MICROSECOND;
/// How long after the timer a conversion starts.
const START: u32 = 3 * COUNTS_A_MICROSECOND;
/// The converter's start bit has to be low for at least 0.6 us; a conversion that starts late keeps to that.
const LOW: u32 = COUNTS_A_MICROSECOND;
/// Looks at the timer at the most while waiting for the start; one takes about 0.2 us.
const MOST_LOOKS: u32 = 64;
/// The core is woken when this many pairs have come: a block of 2 ms.
pub const BLOCK: u32 = 8;
/// Pairs between two statements of the skew: about a second.
const SKEW_PAIRS: u32 = 4096;
/// Without a current for so many ticks (10 ms, half a cycle) nobody would see an over-current: the relay opens.
const SILENT: u32 = 80;

/// What only the interrupt touches, and the set-up before it runs.
struct Sampler {
    /// Voltage and current, as the converter numbers them.
    channels: [u8; 2],
    guard: InstantGuard,
    /// When this tick is due, in counts of the system timer's lower half.
    due: u32,
    running: bool,
    /// Number of the pair whose half is due.
    pair: u32,
    /// Its current is due, not its voltage.
    second: bool,
    /// The pair and the half that is being converted.
    converting: Option<(u32, bool)>,
    /// Voltage of the pair whose current is to come.
    voltage: Option<(u32, u16)>,
    /// Number of the pair that the ring expects next.
    next: u32,
    /// When the last conversions of voltage and current began; 0 before the first.
    began: [u32; 2],
    skew_sum: u32,
    skew_pairs: u32,
    since_wake: u32,
    /// Ticks since the last current came.
    silent: u32,
}

/// Why the interrupt opened the relay.
#[derive(Clone, Copy)]
pub enum Tripped {
    /// By what the guard saw.
    Guard(Seen),
    /// The converter gave no current.
    Silent,
}

impl Tripped {
    /// As the core wants it.
    pub fn trip(self) -> InstantTrip {
        match self {
            Self::Guard(seen) => seen.trip(),
            Self::Silent => InstantTrip::NoSamples,
        }
    }
}

/// For what the interrupt alone may touch.
struct Only<T>(UnsafeCell<T>);

// SAFETY: one processor; the interrupt cannot be interrupted by itself, and tasks touch it in critical sections,
// which mask the interrupt.
unsafe impl<T: Send> Sync for Only<T> {}

static SAMPLER: Only<Sampler> = Only(UnsafeCell::new(Sampler {
    channels: [0; 2],
    guard: InstantGuard::new(),
    due: 0,
    running: false,
    pair: 0,
    second: false,
    converting: None,
    voltage: None,
    next: 0,
    began: [0; 2],
    skew_sum: 0,
    skew_pairs: 0,
    since_wake: 0,
    silent: 0,
}));
static TRIP: Only<Option<Tripped>> = Only(UnsafeCell::new(None));
/// The newest erase may have cost pairs that are not told yet.
static AFTER_ERASE: AtomicBool = AtomicBool::new(false);
static LOST_IN_ERASES: AtomicU32 = AtomicU32::new(0);
/// Pairs for the core.
pub static RING: Ring = Ring::new();
static CORE: AtomicWaker = AtomicWaker::new();
/// Pairs lost in all, and conversions that were late.
static LOST: AtomicU32 = AtomicU32::new(0);
static LATE: AtomicU32 = AtomicU32::new(0);
static MISSED: AtomicU32 = AtomicU32::new(0);
static SKEW: AtomicU32 = AtomicU32::new(0);
static SHORTEST: AtomicU32 = AtomicU32::new(u32::MAX);
static LONGEST: AtomicU32 = AtomicU32::new(0);
/// Whether the guard has to watch: the relay is closed.
static CLOSED: AtomicBool = AtomicBool::new(false);

/// The timer's lower half: it goes round in 268 s.
#[inline(always)]
fn counts() -> u32 {
    let unit = SYSTIMER::regs();
    unit.unit_op(0).write(|w| w.update().set_bit());
    // The value is there after a few clocks; the number of looks is bounded all the same.
    for _ in 0..MOST_LOOKS {
        if unit.unit_op(0).read().value_valid().bit_is_set() {
            break;
        }
    }
    unit.unit_value(0).lo().read().bits()
}

/// What the processor jumps to. `esp-hal`'s own dispatcher calls functions that lie in flash; this one saves the
/// registers that a function may change (RISC-V calling convention), calls [`tick`] and returns. Interrupts stay off
/// in here, and whatever stack was in use lends 64 bytes and the frame of `tick`.
#[unsafe(naked)]
#[unsafe(export_name = "ossp_sampling_entry")]
#[unsafe(link_section = ".rwtext.sampling")]
unsafe extern "C" fn entry() {
    core::arch::naked_asm!(
        "addi sp, sp, -64",
        "sw ra, 0(sp)",
        "sw t0, 4(sp)",
        "sw t1, 8(sp)",
        "sw t2, 12(sp)",
        "sw t3, 16(sp)",
        "sw t4, 20(sp)",
        "sw t5, 24(sp)",
        "sw t6, 28(sp)",
        "sw a0, 32(sp)",
        "sw a1, 36(sp)",
        "sw a2, 40(sp)",
        "sw a3, 44(sp)",
        "sw a4, 48(sp)",
        "sw a5, 52(sp)",
        "sw a6, 56(sp)",
        "sw a7, 60(sp)",
        "jal {tick}",
        "lw ra, 0(sp)",
        "lw t0, 4(sp)",
        "lw t1, 8(sp)",
        "lw t2, 12(sp)",
        "lw t3, 16(sp)",
        "lw t4, 20(sp)",
        "lw t5, 24(sp)",
        "lw t6, 28(sp)",
        "lw a0, 32(sp)",
        "lw a1, 36(sp)",
        "lw a2, 40(sp)",
        "lw a3, 44(sp)",
        "lw a4, 48(sp)",
        "lw a5, 52(sp)",
        "lw a6, 56(sp)",
        "lw a7, 60(sp)",
        "addi sp, sp, 64",
        "mret",
        tick = sym tick,
    )
}

#[unsafe(export_name = "ossp_sampling_tick")]
#[unsafe(link_section = ".rwtext.sampling")]
extern "C" fn tick() {
    SYSTIMER::regs().int_clr().write(|w| w.target(1).clear_bit_by_one());
    // SAFETY: only the interrupt is here, see `Only`.
    let sampler = unsafe { &mut *SAMPLER.0.get() };
    sampler.tick();
    end();
}

/// A jump instead of a return: a function that ends so saves its registers by itself, the others call what does
/// (`+save-restore`), and that lies in flash. `check-ram.mjs` finds out if a compiler sees it differently.
#[inline(never)]
#[unsafe(link_section = ".rwtext.sampling")]
extern "C" fn end() {
    // SAFETY: nothing. The compiler must not know that.
    unsafe { core::arch::asm!("", options(nomem, nostack, preserves_flags)) };
}

impl Sampler {
    #[inline(always)]
    fn tick(&mut self) {
        let entered = counts();
        reset::tell_age();
        self.silent = self.silent.wrapping_add(1);
        if self.silent >= SILENT && CLOSED.load(Ordering::Relaxed) {
            open(Tripped::Silent);
        }
        let count = adc::take();
        let fetched = self.converting.take().map(|half| (half, count));
        self.keep_time(entered);
        let [voltage, current] = self.channels;
        let channel = if self.second { current } else { voltage };
        adc::choose(channel);
        let low_since = counts();
        match fetched {
            Some((half, Some(count))) => self.collect(half, count),
            Some((_, None)) => {
                // A conversion that is still under way would be taken for the next one: this tick starts none.
                LATE.store(LATE.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
                self.began = [0; 2];
                return self.advance(1);
            }
            None => {}
        }
        let mut now = counts();
        for _ in 0..MOST_LOOKS {
            if now.wrapping_sub(self.due.wrapping_add(START)) as i32 >= 0
                && now.wrapping_sub(low_since) >= LOW
            {
                break;
            }
            now = counts();
        }
        adc::start(channel);
        self.measure(now);
        self.converting = Some((self.pair, self.second));
        self.advance(1);
    }

    /// Finds out whether ticks were missed; the time that passed is passed.
    #[inline(always)]
    fn keep_time(&mut self, now: u32) {
        let late = now.wrapping_sub(self.due);
        if !self.running || (late as i32) < 0 {
            // The first, or one that came sooner after the timer than any before it.
            self.due = now;
            self.running = true;
        } else if late >= TICK {
            let missed = late / TICK;
            MISSED.store(MISSED.load(Ordering::Relaxed).wrapping_add(missed), Ordering::Relaxed);
            self.began = [0; 2];
            self.advance(missed);
        }
    }

    #[inline(always)]
    fn advance(&mut self, ticks: u32) {
        self.due = self.due.wrapping_add(ticks.wrapping_mul(TICK));
        let halves = ticks.wrapping_add(self.second.into());
        self.pair = self.pair.wrapping_add(halves / 2);
        self.second = halves % 2 == 1;
    }

    /// A conversion that began a tick ago.
    #[inline(always)]
    fn collect(&mut self, (pair, second): (u32, bool), count: u16) {
        if !second {
            self.voltage = Some((pair, count));
            return;
        }
        self.silent = 0;
        if CLOSED.load(Ordering::Relaxed) {
            self.watch(count);
        } else {
            // The sum moves on while the relay is open, so that it is right when it closes.
            let _ = self.guard.take(count.into());
        }
        if let Some((of, voltage)) = self.voltage.take()
            && of == pair
        {
            self.deliver(pair, voltage, count);
        }
    }

    /// Opens the relay if it must be: nothing comes before that.
    #[inline(always)]
    fn watch(&mut self, current: u16) {
        if self.guard.take(current.into()) {
            open(Tripped::Guard(self.guard.seen()));
        }
    }

    /// Into the ring, after what is missing before it.
    #[inline(always)]
    fn deliver(&mut self, pair: u32, voltage: u16, current: u16) {
        let missing = pair.wrapping_sub(self.next);
        if missing > 0 {
            let told = RING.push_lost(missing);
            self.next = self.next.wrapping_add(told);
            LOST.store(LOST.load(Ordering::Relaxed).wrapping_add(told), Ordering::Relaxed);
            if AFTER_ERASE.load(Ordering::Relaxed) {
                LOST_IN_ERASES
                    .store(LOST_IN_ERASES.load(Ordering::Relaxed).wrapping_add(told), Ordering::Relaxed);
            }
        }
        if self.next == pair {
            AFTER_ERASE.store(false, Ordering::Relaxed);
        }
        if self.next == pair && RING.push_pair(voltage, current) {
            self.next = pair.wrapping_add(1);
        }
        self.since_wake += 1;
        if self.since_wake >= BLOCK {
            self.since_wake = 0;
            // Waking a task runs code in flash: that is done by an interrupt that an erase masks.
            wake_later();
        }
    }

    /// What the skew and the jitter really are.
    #[inline(always)]
    fn measure(&mut self, now: u32) {
        let [voltage, current] = &mut self.began;
        if self.second && *voltage != 0 {
            self.skew_sum = self.skew_sum.wrapping_add(now.wrapping_sub(*voltage));
            self.skew_pairs += 1;
            if self.skew_pairs == SKEW_PAIRS {
                SKEW.store(self.skew_sum, Ordering::Relaxed);
                (self.skew_sum, self.skew_pairs) = (0, 0);
            }
        }
        let last = if self.second { current } else { voltage };
        if *last != 0 {
            let distance = now.wrapping_sub(*last);
            SHORTEST.store(SHORTEST.load(Ordering::Relaxed).min(distance), Ordering::Relaxed);
            LONGEST.store(LONGEST.load(Ordering::Relaxed).max(distance), Ordering::Relaxed);
        }
        *last = now;
    }
}

/// Opens the relay and keeps why; from the interrupt.
#[inline(always)]
fn open(why: Tripped) {
    relay::open_at_once();
    CLOSED.store(false, Ordering::Relaxed);
    // SAFETY: only the interrupt is here, see `Only`.
    unsafe { *TRIP.0.get() = Some(why) };
}

/// Asks for the interrupt that wakes the core.
#[inline(always)]
fn wake_later() {
    esp_hal::peripherals::SYSTEM::regs().cpu_intr_from_cpu(3).write(|w| w.cpu_intr().set_bit());
}

extern "C" fn wake() {
    // SAFETY: the interrupt belongs to this module; only its flag is reset.
    SoftwareInterrupt::new(unsafe { FROM_CPU_INTR3::steal() }).reset();
    CORE.wake();
}

/// Begins to sample. Once, before Wi-Fi starts; the converter is set up.
pub fn start(alarm: Alarm<'static>, waking: FROM_CPU_INTR3<'static>, channels: [u8; 2]) {
    critical_section::with(|_| {
        // SAFETY: in a critical section, see `Only`.
        unsafe { (*SAMPLER.0.get()).channels = channels };
    });
    SoftwareInterrupt::new(waking).set_interrupt_handler(InterruptHandler::new(wake, Priority::Priority3));
    let mut timer = PeriodicTimer::new(alarm);
    enable_direct(Interrupt::SYSTIMER_TARGET1, Priority::max(), LINE, entry);
    timer.listen();
    // 125 us are a period that the timer has.
    let _ = timer.start(Duration::from_micros(TICK_MICROSECONDS));
}

/// Waits until the ring holds a block.
pub async fn block() {
    core::future::poll_fn(|context| {
        CORE.register(context.waker());
        if RING.waiting() >= BLOCK as usize { core::task::Poll::Ready(()) } else { core::task::Poll::Pending }
    })
    .await;
}

/// See [`InstantGuard::set_limit`].
pub fn set_limit(limit: InstantLimit) {
    // SAFETY: in a critical section, see `Only`.
    critical_section::with(|_| unsafe { (*SAMPLER.0.get()).guard.set_limit(limit) });
}

/// Drives the relay's pin and tells the guard whether to watch. Forgets a trip.
pub fn command(closed: bool) {
    critical_section::with(|_| {
        // SAFETY: in a critical section, see `Only`.
        unsafe { *TRIP.0.get() = None };
        if closed {
            relay::close_now();
        } else {
            relay::open_at_once();
        }
        CLOSED.store(closed, Ordering::Relaxed);
    });
}

/// Why the interrupt opened the relay since the last command.
pub fn tripped() -> Option<Tripped> {
    // SAFETY: in a critical section, see `Only`.
    critical_section::with(|_| unsafe { *TRIP.0.get() })
}

/// Pairs lost since the start.
pub fn lost_pairs() -> u32 {
    LOST.load(Ordering::Relaxed)
}

/// The flash is to be erased: what is lost until the next whole pair is put down to it.
pub fn erasing() {
    AFTER_ERASE.store(true, Ordering::Relaxed);
}

/// Pairs lost in erases since the start.
pub fn lost_in_erases() -> u32 {
    LOST_IN_ERASES.load(Ordering::Relaxed)
}

/// How evenly it goes.
pub fn sampling() -> Sampling {
    let seconds = |counts: f64| counts / (f64::from(COUNTS_A_MICROSECOND) * 1e6);
    let spread = LONGEST.load(Ordering::Relaxed).saturating_sub(SHORTEST.load(Ordering::Relaxed));
    Sampling {
        skew_s: seconds(f64::from(SKEW.load(Ordering::Relaxed)) / f64::from(SKEW_PAIRS)),
        jitter_s: seconds(spread.into()),
        late_conversions: LATE.load(Ordering::Relaxed),
        missed_ticks: MISSED.load(Ordering::Relaxed),
    }
}
