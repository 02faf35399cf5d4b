//! The application's two halves on this chip: the core on an interrupt executor, the rest on the thread's.

use edge_nal_embassy::{Udp, UdpBuffers};
use embassy_executor::SendSpawner;
use embassy_futures::join::join;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_time::{Duration, Instant, Timer};
use esp_println::println;
use metering::calibration::Calibration;
use metering::front_end::{ChannelRange, FrontEnd};
use metering::history::Storage;
use metering::meter::Meter;
use metering::units::{Amperes, Hertz, Seconds};
use ossp_embassy::{EmbassyClock, Listener};
use plug::app::{self, Link, run_core, run_rest};
use plug::core::Core;
use plug::core::protection::DEFAULT_LIMIT;
use plug::net::factory_access_point;
use plug::platform::{Clock, Identity};
use plug::starts::Starts;
use plug::state::State;
use static_cell::{ConstStaticCell, StaticCell};

use crate::analog;
use crate::boards::BOARD;
use crate::defaults;
use crate::machine::EspMachine;
use crate::network::Networks;
use crate::relay::EspRelay;
use crate::samples::EspSamples;
use crate::slots::EspSlots;
use crate::wifi::EspWifi;

/// Rows that a meter needs at 4 kHz; `Meter::new` refuses fewer.
const ROWS: usize = 2664;
/// Between two lines on the console that say how the plug is.
const STATUS: Duration = Duration::from_secs(10);
/// How often the log is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// What both halves know.
#[derive(Clone, Copy)]
pub struct Shared {
    link: &'static Link<CriticalSectionRawMutex>,
    front_end: &'static FrontEnd,
    state: &'static State,
}

/// What the rest lives on.
pub struct Rest {
    pub shared: Shared,
    pub identity: Identity,
    pub starts: Starts,
    pub networks: Networks,
    pub listener: &'static Listener<2>,
    pub wifi: EspWifi,
    pub slots: Option<EspSlots<'static>>,
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

/// Begins to measure and to protect; the relay's first state is on.
pub fn start_core(spawner: SendSpawner) -> Shared {
    static LINK: ConstStaticCell<Link<CriticalSectionRawMutex>> = ConstStaticCell::new(Link::new());
    static VOLTAGE: ConstStaticCell<[i32; ROWS]> = ConstStaticCell::new([0; ROWS]);
    static CURRENT: ConstStaticCell<[i32; ROWS]> = ConstStaticCell::new([0; ROWS]);
    static FRONT_END: StaticCell<FrontEnd> = StaticCell::new();
    static STATE: StaticCell<State> = StaticCell::new();
    let reference = analog::reference();
    let (front_end, calibration) =
        BOARD.front_end(reference).zip(BOARD.calibration(reference)).unwrap_or_else(no_front_end);
    let storage = Storage { voltage: VOLTAGE.take(), current: CURRENT.take() };
    let meter = match Meter::new(front_end, calibration.clone(), storage) {
        Ok(meter) => meter,
        Err(error) => panic!("the board's front end cannot be measured: {error}"),
    };
    let core = Core::new(true);
    let state = STATE.init(State::new(core.relay_status(EmbassyClock.now(), None), calibration));
    let link: &'static Link<_> = LINK.take();
    if let Ok(task) = measure(meter, core, link) {
        spawner.spawn(task);
    }
    Shared { link, front_end: FRONT_END.init(front_end), state }
}

#[embassy_executor::task]
async fn measure(mut meter: Meter<'static>, core: Core, link: &'static Link<CriticalSectionRawMutex>) -> ! {
    let mut samples = EspSamples::new(*meter.front_end());
    let limit = Amperes(DEFAULT_LIMIT.value().min(BOARD.maximum_current.value()));
    run_core(&mut samples, &mut EspRelay, &EmbassyClock, &mut meter, core, limit, link).await;
    unreachable!("the samples of a converter have no end")
}

/// Everything else, for ever.
pub async fn rest(rest: Rest) -> ! {
    static UDP: ConstStaticCell<UdpBuffers<1, 1024, 1024, 2>> = ConstStaticCell::new(UdpBuffers::new());
    let Rest { shared, identity, starts, networks, listener, mut wifi, mut slots } = rest;
    let Shared { link, front_end, state } = shared;
    let (defaults, own) = (defaults::of_this_build(), factory_access_point());
    let udp = Udp::new(networks.access_point, UDP.take());
    let web = plug::web::Plug {
        clock: &EmbassyClock,
        network_clock: &EmbassyClock,
        state,
        link,
        identity: &identity,
        front_end,
        machine: &EspMachine,
        starts: &starts,
        defaults: &defaults,
    };
    let running = run_rest(app::Rest {
        acceptor: listener,
        web: &web,
        wifi: Some(&mut wifi),
        known: defaults.wifi.as_ref(),
        own: &own,
        access_point_udp: Some(&udp),
        slots: slots.as_mut(),
    });
    join(running, tell(state)).await.0
}

/// The log's lines on the console as they come, and now and then how the plug is.
async fn tell(state: &State) -> ! {
    let (mut next, mut due) = (0, Instant::now());
    loop {
        for line in state.log.borrow().iter() {
            if line.sequence >= next {
                println!("{:10.3} {}", line.uptime_s, line.message);
                next = line.sequence + 1;
            }
        }
        if Instant::now() >= due {
            due += STATUS;
            let (used, free) = (esp_alloc::HEAP.used(), esp_alloc::HEAP.free());
            println!("heap: {used} used, {free} free; pairs lost: {}", analog::lost_pairs());
        }
        Timer::after(LOOK).await;
    }
}
