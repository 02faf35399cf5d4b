//! Everything that is not the core: network, web, console. It runs on the main thread, below the core's.

use edge_nal_embassy::{Udp, UdpBuffers};
use embassy_futures::join::join;
use embassy_time::{Duration, Instant, Timer};
use esp_println::println;
use ossp_embassy::{EmbassyClock, Group, GroupBuffers, Listener, WayOut, WayOutBuffers};
use plug::app::{self, Parts, run_rest};
use plug::limits;
use plug::net::factory_access_point;
use plug::number::Places;
use plug::platform::Identity;
use plug::starts::Starts;
use plug::state::State;
use plug::timekeeping::WallClock;
use static_cell::{ConstStaticCell, StaticCell};

use crate::analog;
use crate::boards::BOARD;
use crate::button::EspButton;
use crate::core_thread::Shared;
use crate::defaults;
use crate::flash::EspFlash;
use crate::led::EspLed;
use crate::machine::EspMachine;
use crate::memory;
use crate::network::Networks;
use crate::random::EspRandom;
use crate::slots::EspSlots;
use crate::wifi::EspWifi;

/// Between two lines on the console that say how the plug is.
const STATUS: Duration = Duration::from_secs(10);
/// How often the log is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// Addresses and names on the access point: a packet that goes out and two that came, of at most
/// [`limits::DHCP_PACKET`] bytes, for each of the two servers.
type AccessPointBuffers = UdpBuffers<2, { limits::DHCP_PACKET }, { 2 * limits::DHCP_PACKET }, 2>;

/// What the rest lives on.
pub struct Rest {
    pub shared: Shared,
    pub identity: Identity,
    pub starts: Starts,
    pub networks: Networks,
    pub listener: &'static Listener<2>,
    /// `None` if the radio does not start.
    pub wifi: Option<EspWifi>,
    pub slots: Option<EspSlots<'static>>,
    /// `None` without a data partition.
    pub flash: Option<EspFlash<'static>>,
    /// `None` without a partition for the history.
    pub log: Option<EspFlash<'static>>,
}

/// What the chip brings for the plug's rest.
struct EspParts;

impl Parts for EspParts {
    type Acceptor = Listener<2>;
    type Flash = EspFlash<'static>;
    type Random = EspRandom;
    type Wifi = EspWifi;
    type Udp = Udp<'static>;
    type Net = WayOut;
    type Multicast = Group;
    type Slots = EspSlots<'static>;
    type Button = Option<EspButton>;
    type Led = Option<EspLed>;
}

/// Runs for ever.
#[embassy_executor::task]
pub async fn rest(rest: Rest) -> ! {
    static UDP: ConstStaticCell<AccessPointBuffers> = ConstStaticCell::new(UdpBuffers::new());
    // Made here: as a constant its 2 KB would stand in the image.
    static GROUP: StaticCell<GroupBuffers> = StaticCell::new();
    static OUT: ConstStaticCell<WayOutBuffers> = ConstStaticCell::new(WayOutBuffers::new());
    let Rest { shared, identity, starts, networks, listener, mut wifi, mut slots, flash, log } = rest;
    let Shared { link, front_end, basis, state } = shared;
    let (defaults, own) = (defaults::of_this_build(), factory_access_point());
    let udp = Udp::new(networks.access_point, UDP.take());
    let out = WayOut::new(networks.station, OUT.take());
    let group = Group::new(networks.station, GROUP.init_with(GroupBuffers::new));
    let web = plug::web::Plug {
        clock: &WallClock::new(&EmbassyClock, &link.time),
        network_clock: &EmbassyClock,
        state,
        link,
        identity: &identity,
        front_end,
        machine: &EspMachine,
        starts: &starts,
        defaults: &defaults,
        basis,
    };
    let running = run_rest(app::Rest::<EspParts, _, _, _> {
        acceptor: listener,
        web: &web,
        flash,
        log,
        random: EspRandom::new(),
        wifi: wifi.as_mut(),
        known: defaults.wifi.as_ref(),
        own: &own,
        access_point_udp: Some(&udp),
        net: Some(&out),
        measures: BOARD.analog.is_some(),
        multicast: Some(&group),
        slots: slots.as_mut(),
        button: EspButton::of_board(),
        led: EspLed::of_board(),
    });
    join(running, tell(state)).await.0
}

/// The log's lines on the console as they come, and now and then how the plug is.
async fn tell(state: &State) -> ! {
    let (mut next, mut due) = (0, Instant::now());
    loop {
        for line in state.log.borrow().iter() {
            if line.sequence >= next {
                println!("{} {}", Places(line.uptime_s, 3), line.message);
                next = line.sequence + 1;
            }
        }
        if Instant::now() >= due {
            due += STATUS;
            let (heap, stack) = (memory::memory(), memory::stack_most_used());
            println!(
                "heap: {} used, {} free, {} at the least; stack: {stack} at the most, core's: {} left; pairs lost: {}",
                heap.heap_used_bytes,
                heap.heap_free_bytes,
                heap.heap_least_free_bytes,
                memory::core_stack_least_free(),
                analog::lost_pairs()
            );
        }
        Timer::after(LOOK).await;
    }
}
