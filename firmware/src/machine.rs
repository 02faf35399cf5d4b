//! The platform's machine: heap, converter and flash in numbers, restarts, and the watchdog.

use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::{Duration, Timer};
use esp_hal::rtc_cntl::{Rtc, RwdtStage, RwdtStageAction};
use plug::limits;
use plug::platform::{Machine, Restart, Vitals};

use crate::boards::BOARD;
use crate::{analog, flash, hold, memory, reset, temperature};

/// A task that has not shown life for so long is hung: longer than the longest erase and the longest window's work
/// together, short enough that nobody waits for a dead plug.
const WATCHDOG: esp_hal::time::Duration = esp_hal::time::Duration::from_secs(8);
/// How often the watchdog is fed.
const FEED: Duration = Duration::from_millis(500);

static RESTART: Signal<CriticalSectionRawMutex, Restart> = Signal::new();

/// The chip.
pub struct EspMachine;

impl Machine for EspMachine {
    fn vitals(&self) -> Vitals {
        let sampling = BOARD.analog.is_some().then(analog::sampling);
        Vitals {
            memory: Some(memory::memory()),
            sampling,
            flash: Some(flash::flash_use()),
            chip_temperature_c: temperature::chip_temperature_c(),
        }
    }

    fn request_restart(&self, restart: Restart) {
        if !RESTART.signaled() {
            RESTART.signal(restart);
        }
    }
}

/// Carries out the restart that was asked for.
#[embassy_executor::task]
pub async fn restart_when_asked() -> ! {
    let restart = RESTART.wait().await;
    Timer::after(Duration::from_millis(limits::RESTART_DELAY.as_millis() as u64)).await;
    hold::restart(restart.hold_relay)
}

/// Starts the watchdog of the RTC, which a hung processor cannot stop. While the relay is closed only because it was
/// before the restart, it bites sooner.
pub fn start_watchdog(rtc: &mut Rtc<'static>) {
    rtc.rwdt.set_timeout(RwdtStage::Stage0, if hold::is_on() { hold::HOLD_LEFT } else { WATCHDOG });
    rtc.rwdt.enable();
    // After it: `enable` sets an action of its own, which would clear the last words too.
    rtc.rwdt.set_stage_action(RwdtStage::Stage0, RwdtStageAction::ResetCore);
}

/// Feeds the watchdog while both the core and the rest, to which this task belongs, show life; not before the core has
/// taken over a relay that was held.
#[embassy_executor::task]
pub async fn feed_watchdog(mut rtc: Rtc<'static>) -> ! {
    while hold::is_on() {
        // The rest is alive all the same.
        let _ = reset::rest_is_alive();
        Timer::after(FEED).await;
    }
    rtc.rwdt.set_timeout(RwdtStage::Stage0, WATCHDOG);
    loop {
        if reset::rest_is_alive() {
            rtc.rwdt.feed();
        }
        memory::note();
        Timer::after(FEED).await;
    }
}
