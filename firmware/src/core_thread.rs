//! The core on a thread of its own, above all others: whatever the rest of the plug does, a block of samples is taken
//! when it comes. Only interrupts are more urgent, so that the radio is not held up by a window's arithmetic.
//!
//! Not on an interrupt executor: there the core would run on the stack of whatever thread it interrupts, and a
//! window's arithmetic takes more than the radio's threads have (docs/decisions/0006).

use alloc::boxed::Box;
use core::ffi::c_void;

use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use esp_radio_rtos_driver::{max_task_priority, task_create};
use esp_rtos::embassy::Executor;
use metering::calibration::Calibration;
use metering::front_end::{ChannelRange, FrontEnd};
use metering::history::Storage;
use metering::meter::Meter;
use metering::units::{Hertz, Seconds};
use ossp_embassy::EmbassyClock;
use plug::app::{Link, run_core};
use plug::core::civil::Zone;
use plug::core::claims::RelayStatus;
use plug::core::protection::DEFAULT_LIMIT;
use plug::core::{Core, Moment};
use plug::platform::Clock;
use plug::settings::{Basis, Hardware};
use plug::state::State;
use plug::timekeeping::WallClock;
use static_cell::{ConstStaticCell, StaticCell};

use crate::boards::BOARD;
use crate::relay::EspRelay;
use crate::samples::EspSamples;
use crate::{analog, hold, memory};

/// Rows that a meter needs at 4 kHz; `Meter::new` refuses fewer.
const ROWS: usize = 2664;
/// A window's arithmetic goes down 13.5 KB, as measured, interrupts included.
pub const STACK: usize = 16 * 1024;

/// What the core and the rest share.
#[derive(Clone, Copy)]
pub struct Shared {
    pub link: &'static Link<CriticalSectionRawMutex>,
    pub front_end: &'static FrontEnd,
    pub basis: &'static Basis,
    pub state: &'static State,
}

/// What the thread begins with.
struct Parts {
    front_end: FrontEnd,
    calibration: Calibration,
    link: &'static Link<CriticalSectionRawMutex>,
}

/// A board without a front end has none of these numbers; nothing is ever measured with them.
fn no_front_end() -> (FrontEnd, Calibration) {
    let range = ChannelRange { lowest: 0, highest: 4095, dc_coupled: false };
    let front_end = FrontEnd {
        sample_rate: Hertz(4000.0),
        voltage: range,
        current: range,
        channel_skew: Seconds(0.0),
        nominal_voltage: BOARD.nominal_voltage,
    };
    (front_end, Calibration { version: 0, ..Calibration::ideal(1.0, 0.0, 1.0, 0.0) })
}

/// What this board has and can.
pub const HARDWARE: Hardware = Hardware {
    maximum_current_a: DEFAULT_LIMIT.value().min(BOARD.maximum_current.value()),
    has_button: BOARD.button.is_some(),
    confirms_setup: BOARD.button.is_some(),
    has_led: BOARD.led.is_some(),
    can_hold: hold::CAN_HOLD,
};

/// The core before it begins: with the relay open, or held closed over a planned restart.
fn core() -> Core {
    if hold::is_on() { Core::kept_on(HARDWARE, EmbassyClock.now()) } else { Core::new(HARDWARE) }
}

/// Begins to measure and to protect, unless the plug is in safe mode: the relay stays open then. Once; the scheduler runs.
#[inline(never)]
pub fn start(runs: bool) -> Shared {
    // Made here: as a constant its 8 KB would stand in the image, for a few bytes that are not zero.
    static LINK: StaticCell<Link<CriticalSectionRawMutex>> = StaticCell::new();
    static FRONT_END: StaticCell<FrontEnd> = StaticCell::new();
    static BASIS: StaticCell<Basis> = StaticCell::new();
    let reference = analog::reference();
    let (front_end, calibration) =
        BOARD.front_end(reference).zip(BOARD.calibration(reference)).unwrap_or_else(no_front_end);
    let state = make_state(first_status(), calibration.clone());
    let basis =
        Basis { hardware: HARDWARE, board: calibration.clone(), zone: |text| Zone::parse(text).is_ok() };
    let link: &'static Link<_> = LINK.init_with(Link::new);
    if runs {
        let parts = Box::into_raw(Box::new(Parts { front_end, calibration, link }));
        // SAFETY: `run` takes a pointer to `Parts` and makes the box of it again.
        unsafe { task_create("core", run, parts.cast(), max_task_priority(), None, STACK) };
    }
    Shared { link, front_end: FRONT_END.init(front_end), basis: BASIS.init(basis), state }
}

// These are made one after the other, each in a frame of its own: together they would be the deepest that the main
// stack ever goes.

#[inline(never)]
fn first_status() -> RelayStatus {
    core().relay_status(Moment { instant: EmbassyClock.now(), time: None }, None)
}

#[inline(never)]
fn make_state(status: RelayStatus, calibration: Calibration) -> &'static State {
    static STATE: StaticCell<State> = StaticCell::new();
    STATE.init_with(|| State::new(status, calibration))
}

extern "C" fn run(parts: *mut c_void) {
    static EXECUTOR: StaticCell<Executor> = StaticCell::new();
    memory::paint_core(STACK);
    // SAFETY: `start` made it of a box of this type, and this runs once.
    let parts = unsafe { Box::from_raw(parts.cast::<Parts>()) };
    let link = parts.link;
    let meter = make_meter(*parts);
    EXECUTOR.init(Executor::new()).run(|spawner| {
        if let Ok(task) = measure(meter, link) {
            spawner.spawn(task);
        }
    })
}

/// Not inlined: what stands on the stack while a meter is made is gone when it begins to measure.
#[inline(never)]
fn make_meter(parts: Parts) -> &'static mut Meter<'static> {
    static VOLTAGE: ConstStaticCell<[i32; ROWS]> = ConstStaticCell::new([0; ROWS]);
    static CURRENT: ConstStaticCell<[i32; ROWS]> = ConstStaticCell::new([0; ROWS]);
    static METER: StaticCell<Meter<'static>> = StaticCell::new();
    let storage = Storage { voltage: VOLTAGE.take(), current: CURRENT.take() };
    METER.init_with(|| match Meter::new(parts.front_end, parts.calibration, storage) {
        Ok(meter) => meter,
        Err(error) => panic!("the board's front end cannot be measured: {error}"),
    })
}

#[inline(never)]
fn make_core() -> &'static mut Core {
    static CORE: StaticCell<Core> = StaticCell::new();
    CORE.init_with(core)
}

#[embassy_executor::task]
async fn measure(meter: &'static mut Meter<'static>, link: &'static Link<CriticalSectionRawMutex>) -> ! {
    let mut samples = EspSamples::new(*meter.front_end());
    let clock = WallClock::new(&EmbassyClock, &link.time);
    run_core(&mut samples, &mut EspRelay, &clock, meter, make_core(), link).await;
    unreachable!("the samples of a converter have no end")
}
