//! The simulated plug's button and light.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use plug::platform::{Button, Clock, Led};

use crate::host::{Simulated, SimulatedClock};

/// How often the button is looked at, in simulated time. At a high `--speed` the plug as a whole gets its turns less
/// often than that, and a press between two of them is not seen.
const LOOK: Duration = Duration::from_millis(5);

/// The button, pressed by the scenario.
pub struct SimButton {
    simulated: Simulated,
    clock: SimulatedClock,
    last: bool,
}

impl SimButton {
    /// The button of this plug.
    #[must_use]
    pub fn new(simulated: Simulated, clock: SimulatedClock) -> Self {
        Self { simulated, clock, last: false }
    }
}

impl Button for SimButton {
    fn is_pressed(&mut self) -> bool {
        self.last = self.simulated.button_is_pressed();
        self.last
    }

    async fn changed(&mut self) {
        while self.simulated.button_is_pressed() == self.last {
            self.clock.sleep_until(self.clock.now().after(LOOK)).await;
        }
    }
}

/// The light. Nobody sees it but whoever asks; clones are the same light.
#[derive(Clone, Debug, Default)]
pub struct SimLed(Rc<Cell<bool>>);

impl SimLed {
    /// Whether it is lit.
    #[must_use]
    pub fn is_lit(&self) -> bool {
        self.0.get()
    }
}

impl Led for SimLed {
    fn set(&mut self, lit: bool) {
        self.0.set(lit);
    }
}
