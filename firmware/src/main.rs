//! The plug on an ESP32: sets the chip up, builds the platform of its parts, and runs `plug::app`.
#![no_std]
#![no_main]
#![recursion_limit = "256"]

extern crate alloc;

#[cfg_attr(not(feature = "esp32c3"), path = "no_analog.rs")]
mod analog;
mod boards;
mod button;
mod core_thread;
mod defaults;
mod flash;
mod hold;
mod identity;
mod led;
mod machine;
mod memory;
mod network;
mod random;
mod relay;
mod reset;
mod rest;
mod samples;
mod slots;
mod temperature;
mod wifi;

use embassy_executor::Spawner;
use embassy_futures::block_on;
use embassy_sync::mutex::Mutex;
use esp_hal::clock::CpuClock;
use esp_hal::rtc_cntl::Rtc;
use esp_hal::timer::timg::TimerGroup;
use esp_println::println;
use plug::starts::{self, Starts};
use plug::storage::layout;
use plug::storage::region::Region;

use boards::BOARD;
use flash::{EspFlash, Part, Shared};
use random::EspRandom;
use rest::Rest;
use wifi::EspWifi;

esp_bootloader_esp_idf::esp_app_desc!();

#[esp_rtos::main]
async fn main(spawner: Spawner) {
    let chip = esp_hal::init(esp_hal::Config::default().with_cpu_clock(CpuClock::max()));
    hold::set_up();
    let start = reset::take();
    // From here on nothing can hang for good, and a crash counts against a new image.
    let mut rtc = Rtc::new(chip.RTC_TIMER);
    machine::start_watchdog(&mut rtc);
    memory::set_up();
    let flash = flash::take(chip.FLASH);
    let slots = slots::begin(flash, start.reason, || {
        count(flash, flash::find(flash, "data"), &start);
    });
    println!(
        "\nOSSP {} on {}; started: {} {}",
        env!("CARGO_PKG_VERSION"),
        BOARD.name,
        start.reason,
        start.detail
    );
    let data = flash::find(flash, "data");
    let log = flash::find(flash, "log");
    let starts = count(flash, data, &start);
    // A plug that crashes again and again measures and switches nothing until somebody has mended it.
    let is_safe = starts.call_for_safe_mode();
    esp_rtos::start(TimerGroup::new(chip.TIMG0).timer0, chip.FROM_CPU_INTR0);

    // Only the C3's converter can be read without waiting for it.
    #[cfg(feature = "esp32c3")]
    if let Some(board) = BOARD.analog.as_ref().filter(|_| !is_safe) {
        analog::start(board, chip.ADC1, chip.SYSTIMER, chip.FROM_CPU_INTR3);
    }

    #[cfg(any(feature = "esp32c3", feature = "esp32c6"))]
    temperature::start(chip.TSENS);

    // The radio calibrates itself with all interrupts off: nothing is switched on before that is over.
    let radio = wifi::start(chip.WIFI);
    if let Err(error) = &radio {
        // A restart would change nothing: go on without a network.
        println!("the radio does not start: {error:?}");
    }
    // Measuring and protecting need nothing of what comes now.
    let shared = core_thread::start(!is_safe);

    let networks = network::start(spawner, &mut EspRandom::new());
    let listener = network::listen(networks);
    let parts = Rest {
        shared,
        identity: identity::identity(&start),
        starts,
        networks,
        listener,
        wifi: radio.ok().map(|radio| EspWifi::new(radio, networks, listener)),
        slots,
        flash: data.map(|part| EspFlash { flash, part }),
        log: log.map(|part| EspFlash { flash, part }),
    };
    // Each is spawned once: there is room for it.
    let machine = (machine::feed_watchdog(rtc), machine::restart_when_asked());
    if let ((Ok(watchdog), Ok(restart)), Ok(rest)) = (machine, rest::rest(parts)) {
        spawner.spawn(watchdog);
        spawner.spawn(restart);
        spawner.spawn(rest);
    }
}

/// Counts this start. Not inlined: what it takes of the stack is free again when it is done. Nobody else runs yet, and
/// the scheduler does not either.
#[inline(never)]
fn count(flash: &'static Shared, data: Option<Part>, start: &reset::Start) -> Starts {
    let Some(part) = data else {
        return Starts { trouble: Some(starts::Trouble::Flash), ..Starts::default() };
    };
    let flash = Mutex::new(Some(EspFlash { flash, part }));
    block_on(starts::count(Region::new(&flash, layout::STARTS), start.reason, &start.detail))
}
