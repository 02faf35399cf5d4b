//! A PC as the machine: it has more memory than a plug ever asks for, and no converter of its own.

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use plug::platform::{Machine, Restart, Vitals};

use crate::host::{Erasing, Simulated, SimulatedClock};

/// A PC around a simulation.
pub struct Pc<'a> {
    simulated: Simulated,
    erasing: &'a Erasing<SimulatedClock>,
    restart: Signal<NoopRawMutex, Restart>,
}

impl<'a> Pc<'a> {
    /// Around this simulation, with a flash whose erases cost what `erasing` says.
    #[must_use]
    pub fn new(simulated: Simulated, erasing: &'a Erasing<SimulatedClock>) -> Self {
        Self { simulated, erasing, restart: Signal::new() }
    }

    /// Returns when a restart is asked for. Dropping the future loses no request.
    pub async fn restart_asked(&self) -> Restart {
        self.restart.wait().await
    }
}

impl Machine for Pc<'_> {
    fn vitals(&self) -> Vitals {
        Vitals {
            flash: Some(self.erasing.flash_use()),
            chip_temperature_c: Some(self.simulated.chip_temperature_c()),
            ..Vitals::default()
        }
    }

    fn request_restart(&self, restart: Restart) {
        if !self.restart.signaled() {
            self.restart.signal(restart);
        }
    }
}
