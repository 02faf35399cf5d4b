//! Planned restarts, and the relay's pin over them.
//!
//! The chip can latch a pad: it then keeps its level over a reset of the digital part, whatever the pin's own registers
//! become. That is done for planned restarts alone, and only from just before the reset until the firmware's first
//! instructions, which drive the pin as it is and let go of the pad:
//!
//! ```text
//! restart()                             set_up()                      over()
//!    | mark, latch the pad, reset          | drive, let go of the pad    | the core has commanded the relay
//!    v                                     v                             v
//! ---+---------- ROM, boot loader ---------+------------ start ----------+---------->
//!    the pad is latched (0.5 s or so)      the pin is driven, and the watchdog of
//!                                          the RTC opens it after HOLD_LEFT
//! ```
//!
//! The mark lies in memory of the RTC and counts only after a reset by software: after any other one the pin is driven
//! to "open" first, as ever, which lets go of the pad too. So a panic, a watchdog or a brown-out at any moment after the
//! first instructions opens the relay.
//!
//! What is *not* bounded by us is the boot loader: it has its own watchdog of 9 s, which resets the RTC and with it the
//! latch. A boot loader that finds no image would restart for ever with the pad latched; so the pad is latched only where
//! the next image is the one that runs now, which it has just started ([`forbid`]).

use core::ptr::addr_of_mut;
use core::sync::atomic::{AtomicBool, Ordering};

use esp_hal::gpio::OutputSignal;
use esp_hal::peripherals::{GPIO, IO_MUX};
use esp_hal::ram;
use esp_hal::system::{reset_reason, software_reset};
use esp_hal::time::Duration;
use plug::limits;

use crate::boards::BOARD;
use crate::relay;

/// Says that the pad was latched closed.
const MARK: u32 = 0x484f_4c44;
/// ROM and boot loader may take so much of [`limits::RELAY_HOLD`]; as a rule it is half of it.
const BOOT: u64 = 1000;
/// How long after [`set_up`] the core must have taken over.
pub const HOLD_LEFT: Duration = Duration::from_millis(limits::RELAY_HOLD.as_millis() as u64 - BOOT);

#[ram(unstable(rtc_fast, persistent))]
static mut MARKED: u32 = 0;

/// The pin is closed because it was before the restart; nobody of this run has decided yet.
static HOLDING: AtomicBool = AtomicBool::new(false);
static FORBIDDEN: AtomicBool = AtomicBool::new(false);

/// Whether this board's pin can be held: one that a register of the RTC latches.
pub const CAN_HOLD: bool = pad::can_hold(BOARD.relay.gpio);

/// The pad's latch, chip by chip.
#[cfg(feature = "esp32c3")]
mod pad {
    use esp_hal::peripherals::LPWR;

    /// GPIO0 to GPIO5 have another register (ESP32-C3 TRM, RTC_CNTL_DIG_PAD_HOLD_REG).
    pub const fn can_hold(gpio: u8) -> bool {
        gpio >= 6 && gpio <= 21
    }

    pub fn latch(gpio: u8, held: bool) {
        let mask = 1 << gpio;
        LPWR::regs().dig_pad_hold().modify(|before, w| {
            let bits = before.dig_pad_hold().bits();
            // SAFETY: every bit is a pad, and only this pin's changes.
            unsafe { w.dig_pad_hold().bits(if held { bits | mask } else { bits & !mask }) }
        });
    }
}

#[cfg(feature = "esp32c6")]
mod pad {
    use esp_hal::peripherals::LP_AON;

    /// ESP32-C6 TRM, LP_AON_GPIO_HOLD0_REG.
    pub const fn can_hold(gpio: u8) -> bool {
        gpio <= 30
    }

    pub fn latch(gpio: u8, held: bool) {
        let mask = 1 << gpio;
        LP_AON::regs().gpio_hold0().modify(|before, w| {
            let bits = before.gpio_hold0().bits();
            // SAFETY: every bit is a pad, and only this pin's changes.
            unsafe { w.gpio_hold0().bits(if held { bits | mask } else { bits & !mask }) }
        });
    }
}

#[cfg(not(any(feature = "esp32c3", feature = "esp32c6")))]
mod pad {
    /// Not tried.
    pub const fn can_hold(_gpio: u8) -> bool {
        false
    }

    pub fn latch(_gpio: u8, _held: bool) {}
}

/// Brings the relay's pin into a known state: the first thing after a start. Closed if it was held over a planned
/// restart, else open.
pub fn set_up() {
    // SAFETY: nothing else runs yet, and nothing but this module knows it.
    let marked = unsafe { addr_of_mut!(MARKED).replace(0) };
    let by_software = reset_reason().is_some_and(|reason| {
        // How the causes are called is the same on all chips (see `reset.rs`).
        matches!(reason, esp_hal::rtc_cntl::SocResetReason::CoreSw)
    });
    if CAN_HOLD && marked == MARK && by_software {
        take_over();
        HOLDING.store(true, Ordering::Relaxed);
    } else {
        // This lets go of a pad that is latched.
        relay::set_up();
    }
}

/// Drives the pin to "closed" behind the latch, then lets go of the pad: its level never changes. (`Output::new` would
/// first let go, and then drive.)
fn take_over() {
    let gpio = BOARD.relay.gpio;
    relay::close_now();
    GPIO::regs().func_out_sel_cfg(gpio.into()).write(|w| {
        // SAFETY: the number that makes a pin follow its bit of the output register.
        unsafe { w.out_sel().bits(OutputSignal::GPIO as _) }
    });
    // SAFETY: every bit of this register is a pin, and only the relay's is set.
    GPIO::regs().enable_w1ts().write(|w| unsafe { w.bits(1 << gpio) });
    /// The pin belongs to the GPIO matrix (function 1 on all pins of these chips).
    const MATRIX: u8 = 1;
    IO_MUX::regs().gpio(gpio.into()).modify(|_, w| {
        // SAFETY: a function that every pin has.
        unsafe { w.mcu_sel().bits(MATRIX) };
        w.fun_ie().clear_bit()
    });
    pad::latch(gpio, false);
}

/// Whether the pin is closed for no better reason than that it was before the restart. The meter has to know that
/// current may flow, and the watchdog must not be fed.
pub fn is_on() -> bool {
    HOLDING.load(Ordering::Relaxed)
}

/// The core has commanded the relay: from here on it is as ever.
pub fn over() {
    HOLDING.store(false, Ordering::Relaxed);
}

/// From here on a restart opens the relay: the next start tries another image.
pub fn forbid() {
    FORBIDDEN.store(true, Ordering::Relaxed);
}

/// Lets go of the pad: for a panic, after it has opened the relay.
pub fn let_go() {
    pad::latch(BOARD.relay.gpio, false);
}

/// Restarts the chip. A relay that is closed at this very moment stays so if `hold_relay` and all else allow it; an open
/// one stays open.
pub fn restart(hold_relay: bool) -> ! {
    // Nothing trips from here on: what is decided stands until the reset, a few microseconds later.
    critical_section::with(|_| {
        if CAN_HOLD && hold_relay && !FORBIDDEN.load(Ordering::Relaxed) && is_closed() {
            // SAFETY: in a critical section, and read at the next start only.
            unsafe { addr_of_mut!(MARKED).write(MARK) };
            pad::latch(BOARD.relay.gpio, true);
        } else {
            relay::open_at_once();
        }
        software_reset()
    })
}

/// Whether the pin is driven to "closed".
fn is_closed() -> bool {
    let high = GPIO::regs().out().read().bits() & (1 << BOARD.relay.gpio) != 0;
    high == BOARD.relay.active_high
}
