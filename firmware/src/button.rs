//! The platform's button: a pin with the chip's own pull.

use esp_hal::gpio::{AnyPin, Input, InputConfig, Pull};
use plug::platform::Button;

use crate::boards::BOARD;

/// The board's button.
pub struct EspButton {
    pin: Input<'static>,
    active_low: bool,
    /// As it was last seen.
    last: bool,
}

impl EspButton {
    /// That of the board, if it has one. Once.
    pub fn of_board() -> Option<Self> {
        let button = BOARD.button?;
        // SAFETY: the board's table names each pin once (a host test sees to it), and nothing else takes this one.
        let pin = unsafe { AnyPin::steal(button.gpio) };
        let pull = if button.active_low { Pull::Up } else { Pull::Down };
        let pin = Input::new(pin, InputConfig::default().with_pull(pull));
        Some(Self { pin, active_low: button.active_low, last: false })
    }
}

impl Button for EspButton {
    fn is_pressed(&mut self) -> bool {
        self.last = self.pin.is_low() == self.active_low;
        self.last
    }

    /// Waits for a level and not for an edge: an edge that comes while an erase masks the interrupt would be lost.
    async fn changed(&mut self) {
        if self.last == self.active_low {
            self.pin.wait_for_high().await;
        } else {
            self.pin.wait_for_low().await;
        }
    }
}
