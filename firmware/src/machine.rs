//! The platform's machine: heap, converter and flash in numbers, and the watchdog.

use core::sync::atomic::{AtomicU32, Ordering};

use embassy_time::{Duration, Timer};
use esp_hal::rtc_cntl::{Rtc, RwdtStage, RwdtStageAction};
use plug::platform::{Machine, Memory, Vitals};

use crate::boards::BOARD;
use crate::{analog, flash, reset};

/// A task that has not shown life for so long is hung: longer than the longest erase and the longest window's work
/// together, short enough that nobody waits for a dead plug.
const WATCHDOG: esp_hal::time::Duration = esp_hal::time::Duration::from_secs(8);
/// How often the watchdog is fed.
const FEED: Duration = Duration::from_millis(500);

static LEAST_FREE: AtomicU32 = AtomicU32::new(u32::MAX);

/// Reads the heap, and remembers the least that was free.
fn memory() -> Memory {
    let (used, free) = (esp_alloc::HEAP.used() as u32, esp_alloc::HEAP.free() as u32);
    let least = LEAST_FREE.load(Ordering::Relaxed).min(free);
    LEAST_FREE.store(least, Ordering::Relaxed);
    Memory { heap_used_bytes: used, heap_free_bytes: free, heap_least_free_bytes: least, stack_least_free_bytes: None }
}

/// The chip.
pub struct EspMachine;

impl Machine for EspMachine {
    fn vitals(&self) -> Vitals {
        let sampling = BOARD.analog.is_some().then(analog::sampling);
        Vitals { memory: Some(memory()), sampling, flash: Some(flash::flash_use()) }
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
        memory();
        Timer::after(FEED).await;
    }
}
