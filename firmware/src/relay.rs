//! The platform's relay: one pin. The sampling interrupt may open it, nothing but the core closes it.

use esp_hal::gpio::{AnyPin, Level, Output, OutputConfig};
use esp_hal::peripherals::GPIO;
use plug::board::RelayPin;
use plug::platform::{InstantTrip, Relay};

use crate::boards::BOARD;
use crate::{analog, hold};

/// As the board has it.
const PIN: RelayPin = BOARD.relay;
const MASK: u32 = 1 << PIN.gpio;

/// Opens the relay and makes its pin an output: the first thing after a start.
pub fn set_up() {
    // SAFETY: the board's table names each pin once (a host test sees to it), and nothing else takes this one.
    let pin = unsafe { AnyPin::steal(PIN.gpio) };
    let level = if PIN.active_high { Level::Low } else { Level::High };
    Output::new(pin, level, OutputConfig::default());
}

#[inline(always)]
fn drive(high: bool) {
    if high {
        // SAFETY: every bit of this register is a pin, and only the relay's is set.
        GPIO::regs().out_w1ts().write(|w| unsafe { w.bits(MASK) });
    } else {
        // SAFETY: every bit of this register is a pin, and only the relay's is cleared.
        GPIO::regs().out_w1tc().write(|w| unsafe { w.bits(MASK) });
    }
}

/// Opens the contact with one write to a register; for the sampling interrupt and for a panic.
#[inline(always)]
pub fn open_at_once() {
    drive(!PIN.active_high);
}

/// Closes the contact; for [`analog::command`] alone.
#[inline(always)]
pub fn close_now() {
    drive(PIN.active_high);
}

/// The relay as the core knows it.
pub struct EspRelay;

impl Relay for EspRelay {
    fn set(&mut self, closed: bool) {
        analog::command(closed);
        hold::over();
    }

    fn tripped(&self) -> Option<InstantTrip> {
        analog::tripped().map(|tripped| tripped.trip())
    }
}
