//! The platform's machine: heap, converter and flash in numbers, and the watchdog.

use embassy_time::{Duration, Timer};
use esp_hal::rtc_cntl::{Rtc, RwdtStage, RwdtStageAction};
use plug::platform::{Machine, Vitals};

use crate::boards::BOARD;
use crate::{analog, flash, memory, reset};

/// A task that has not shown life for so long is hung: longer than the longest erase and the longest window's work
/// together, short enough that nobody waits for a dead plug.
const WATCHDOG: esp_hal::time::Duration = esp_hal::time::Duration::from_secs(8);
/// How often the watchdog is fed.
const FEED: Duration = Duration::from_millis(500);

/// The chip.
pub struct EspMachine;

impl Machine for EspMachine {
    fn vitals(&self) -> Vitals {
        let sampling = BOARD.analog.is_some().then(analog::sampling);
        Vitals { memory: Some(memory::memory()), sampling, flash: Some(flash::flash_use()) }
    }
}

/// Starts the watchdog of the RTC, which a hung processor cannot stop.
pub fn start_watchdog(rtc: &mut Rtc<'static>) {
    rtc.rwdt.set_timeout(RwdtStage::Stage0, WATCHDOG);
    rtc.rwdt.set_stage_action(RwdtStage::Stage0, RwdtStageAction::ResetCore);
    rtc.rwdt.enable();
}

/// Feeds the watchdog while both the core and the rest, to which this task belongs, show life.
#[embassy_executor::task]
pub async fn feed_watchdog(mut rtc: Rtc<'static>) -> ! {
    loop {
        if reset::rest_is_alive() {
            rtc.rwdt.feed();
        }
        memory::note();
        Timer::after(FEED).await;
    }
}
