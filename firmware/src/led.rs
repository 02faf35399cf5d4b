//! The platform's light: a pin.

use esp_hal::gpio::{AnyPin, Level, Output, OutputConfig};
use plug::platform::Led;

use crate::boards::BOARD;

/// The board's light.
pub struct EspLed {
    pin: Output<'static>,
    active_low: bool,
}

impl EspLed {
    /// That of the board, dark, if it has one. Once.
    pub fn of_board() -> Option<Self> {
        let led = BOARD.led?;
        // SAFETY: the board's table names each pin once (a host test sees to it), and nothing else takes this one.
        let pin = unsafe { AnyPin::steal(led.gpio) };
        let dark = Level::from(led.active_low);
        Some(Self { pin: Output::new(pin, dark, OutputConfig::default()), active_low: led.active_low })
    }
}

impl Led for EspLed {
    fn set(&mut self, lit: bool) {
        self.pin.set_level(Level::from(lit != self.active_low));
    }
}
