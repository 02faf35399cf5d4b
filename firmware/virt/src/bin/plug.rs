//! The plug: the application of `crates/plug`, unchanged, on a riscv32 processor with a network.
#![no_std]
#![no_main]

extern crate alloc;

use core::cell::Cell;
use core::fmt::Write;

use edge_nal::NoopNet;
use embassy_executor::Spawner;
use embassy_futures::join::join4;
use embassy_net::{Config, Runner, Stack, StackResources};
use embassy_sync::blocking_mutex::raw::{CriticalSectionRawMutex, NoopRawMutex};
use embassy_sync::signal::Signal;
use embassy_time::{Duration, Timer};
use metering::checksum::Checksum;
use metering::front_end::Pair;
use metering::history::Storage;
use metering::meter::Meter;
use ossp_embassy::{
    EmbassyClock, Group, GroupBuffers, Listener, Pool, WAY_OUT_SOCKETS, WayOut, WayOutBuffers,
};
use ossp_virt::HEAP;
use ossp_virt::clock;
use ossp_virt::console::{Console, exit, reset};
use ossp_virt::flash::RamFlash;
use ossp_virt::memory::{Usage, image_bytes, paint_stack};
use ossp_virt::network::Network;
use ossp_virt::samples::{self, Recording, VirtRelay};
use plug::app::{Link, Parts, Rest, run_core, run_rest};
use plug::core::civil::Zone;
use plug::core::protection::DEFAULT_LIMIT;
use plug::core::{Core, Moment};
use plug::defaults::Defaults;
use plug::limits;
use plug::net::{NoWifi, factory_access_point};
use plug::platform::{Clock, Identity, Machine, Memory, NoButton, NoLed, Random, Restart, Vitals};
use plug::settings::{Basis, Hardware};
use plug::starts;
use plug::state::State;
use plug::timekeeping::WallClock;
use plug::update::NoSlots;
use static_cell::{ConstStaticCell, StaticCell};

/// Web workers' buffers and futures and the capture buffer take 60 KB for good; on top come answers under construction,
/// [`limits::ANSWER_HEAP`] at the most.
const HEAP_BYTES: usize = 104 * 1024;
/// Rows that a meter needs at 2 kHz.
const ROWS: usize = 1364;
/// A socket for each worker, DHCP's, that of the plug's name, and the way out.
const SOCKETS: usize = limits::WEB_WORKERS + 2 + WAY_OUT_SOCKETS;
const SEND: usize = 2048;
const RECEIVE: usize = 1024;
const PORT: u16 = 80;
const REPORT_INTERVAL: Duration = Duration::from_secs(5);

#[embassy_executor::task]
async fn network(mut runner: Runner<'static, &'static mut Network>) -> ! {
    runner.run().await
}

/// Says the address as soon as there is one; measuring does not wait for it.
#[embassy_executor::task]
async fn say_address(stack: Stack<'static>) {
    stack.wait_config_up().await;
    if let Some(config) = stack.config_v4() {
        let _ = writeln!(Console, "http://{}/", config.address.address());
    }
}

/// Says every few seconds what was measured and what the memory holds: a test compares.
async fn report(state: &State) -> ! {
    loop {
        let windows = state.reading.borrow().as_ref().map_or(0, |reading| reading.sequence + 1);
        let lost = state.lost_samples.get();
        let _ = writeln!(Console, "measured: {windows} windows, {lost} pairs lost");
        let waiting = samples::most_waiting();
        let _ = writeln!(Console, "memory: {}; samples at most {waiting} waited", Usage::now(&HEAP));
        Timer::after(REPORT_INTERVAL).await;
    }
}

fn identity() -> Identity {
    Identity {
        id: heapless::String::try_from("525400123456").unwrap_or_default(),
        board: "qemu-virt",
        chip: "riscv32",
        version: env!("CARGO_PKG_VERSION").try_into().unwrap_or_default(),
        git: "unknown",
        build: "release riscv32imc-unknown-none-elf",
        rustc: "unknown",
        espflash: None,
        reset_reason: "power_on",
        reset_detail: heapless::String::new(),
        source: heapless::String::try_from("recording kettle_start_2k.csv").unwrap_or_default(),
    }
}

/// The recording's readings, and the fingerprint that must be the PC's.
fn checksum(storage: Storage<'_>) -> Checksum {
    let mut checksum = Checksum::default();
    let Ok(mut meter) = Meter::new(samples::front_end(), samples::calibration(), storage) else {
        exit(false)
    };
    for at in (0..samples::length()).step_by(8) {
        let pairs: [Pair; 8] = core::array::from_fn(|row| samples::pair(at + row));
        let count = (samples::length() - at).min(8);
        meter.push(0, &pairs[..count], |reading, harmonics| checksum.add(reading, harmonics));
    }
    checksum
}

/// QEMU as the plug's machine.
struct VirtMachine;

impl Machine for VirtMachine {
    fn vitals(&self) -> Vitals {
        let usage = Usage::now(&HEAP);
        let memory = Memory {
            heap_used_bytes: usage.heap_used as u32,
            heap_free_bytes: (usage.heap_size - usage.heap_used) as u32,
            heap_least_free_bytes: (usage.heap_size - usage.heap_most) as u32,
            stack_least_free_bytes: Some((usage.stack_size - usage.stack_most) as u32),
        };
        Vitals { memory: Some(memory), ..Vitals::default() }
    }

    /// There is no pin to hold.
    fn request_restart(&self, _: Restart) {
        RESTART.signal(());
    }
}

/// What this machine has and can.
const HARDWARE: Hardware = Hardware {
    maximum_current_a: DEFAULT_LIMIT.0,
    has_button: false,
    confirms_setup: false,
    has_led: false,
    can_hold: false,
};

/// Always the same: what runs here is compared with what runs elsewhere, and there are no secrets.
struct NoChance;

impl Random for NoChance {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill(0x5a);
    }
}

/// What this machine brings for the plug's rest.
struct VirtParts;

impl Parts for VirtParts {
    type Acceptor = Listener<1>;
    type Flash = RamFlash;
    type Random = NoChance;
    type Wifi = NoWifi;
    type Udp = NoopNet;
    type Net = WayOut;
    type Multicast = Group;
    type Slots = NoSlots;
    type Button = NoButton;
    type Led = NoLed;
}

static RESTART: Signal<CriticalSectionRawMutex, ()> = Signal::new();

async fn restart_when_asked() -> ! {
    RESTART.wait().await;
    Timer::after(Duration::from_millis(limits::RESTART_DELAY.as_millis() as u64)).await;
    reset()
}

#[embassy_executor::task]
async fn application(stack: Stack<'static>) -> ! {
    static VOLTAGE: ConstStaticCell<[i32; ROWS]> = ConstStaticCell::new([0; ROWS]);
    static CURRENT: ConstStaticCell<[i32; ROWS]> = ConstStaticCell::new([0; ROWS]);
    static STATE: StaticCell<State> = StaticCell::new();
    static LINK: StaticCell<Link<NoopRawMutex>> = StaticCell::new();
    static BUFFERS: ConstStaticCell<Pool<{ limits::WEB_WORKERS }, SEND, RECEIVE>> =
        ConstStaticCell::new(Pool::new());
    static OUT: ConstStaticCell<WayOutBuffers> = ConstStaticCell::new(WayOutBuffers::new());
    static GROUP: StaticCell<GroupBuffers> = StaticCell::new();
    let (voltage, current) = (VOLTAGE.take(), CURRENT.take());
    let found = checksum(Storage { voltage: &mut *voltage, current: &mut *current });
    let _ = writeln!(Console, "checksum 0x{:016x}", found.value());
    // What it takes to build the endless recording on a PC.
    let _ = writeln!(Console, "after pair {} comes pair {}", samples::length() - 1, samples::LOOP_FROM);

    let storage = Storage { voltage, current };
    let front_end = samples::front_end();
    let Ok(mut meter) = Meter::new(front_end, samples::calibration(), storage) else { exit(false) };
    let link: &Link<NoopRawMutex> = LINK.init(Link::new());
    let clock = WallClock::new(&EmbassyClock, &link.time);
    // The recording flows from its first sample on, as on the PC that it is compared with.
    let mut core = Core::kept_on(HARDWARE, clock.now());
    let now = Moment { instant: clock.now(), time: None };
    let state = STATE.init(State::new(core.relay_status(now, None), samples::calibration()));
    let basis =
        Basis { hardware: HARDWARE, board: samples::calibration(), zone: |text| Zone::parse(text).is_ok() };
    let identity = identity();
    let closed = Cell::new(true);
    let (mut recording, mut relay) = (Recording::new(&closed), VirtRelay(&closed));
    let acceptor = Listener::new(PORT, BUFFERS.take(), [(stack, limits::WEB_WORKERS)]);
    let Some([mut flash, log]) = RamFlash::take() else { exit(false) };
    let starts = starts::count(&mut flash, identity.reset_reason, &identity.reset_detail).await;
    let web = plug::web::Plug {
        clock: &clock,
        network_clock: &clock,
        state,
        link,
        identity: &identity,
        front_end: &front_end,
        machine: &VirtMachine,
        starts: &starts,
        defaults: &Defaults::default(),
        basis: &basis,
    };
    let own = factory_access_point();
    let rest = Rest::<VirtParts, _, _, _> {
        acceptor: &acceptor,
        web: &web,
        flash: Some(flash),
        log: Some(log),
        random: NoChance,
        wifi: None,
        known: None,
        own: &own,
        access_point_udp: None,
        net: Some(&WayOut::new(stack, OUT.take())),
        measures: true,
        multicast: Some(&Group::of_cable(stack, GROUP.init_with(GroupBuffers::new))),
        slots: None,
        button: NoButton,
        led: NoLed,
    };
    let measuring = run_core(&mut recording, &mut relay, &clock, &mut meter, &mut core, link);
    let _ = join4(measuring, run_rest(rest), report(state), restart_when_asked()).await;
    exit(false)
}

#[embassy_executor::main(entry = "riscv_rt::entry")]
async fn main(spawner: Spawner) {
    static MEMORY: ConstStaticCell<[u8; HEAP_BYTES]> = ConstStaticCell::new([0; HEAP_BYTES]);
    static NETWORK: StaticCell<Network> = StaticCell::new();
    static RESOURCES: StaticCell<StackResources<SOCKETS>> = StaticCell::new();
    paint_stack();
    HEAP.init(MEMORY.take());
    let _ = writeln!(Console, "image: {} bytes of code and constants", image_bytes());
    clock::start();
    let Some(found) = Network::find() else { exit(false) };
    let card = NETWORK.init(found).listen();
    let config = Config::dhcpv4(Default::default());
    let (stack, runner) = embassy_net::new(card, config, RESOURCES.init(StackResources::new()), 1);
    spawner.spawn(network(runner).expect("one of each"));
    spawner.spawn(say_address(stack).expect("one of each"));
    spawner.spawn(application(stack).expect("one of each"));
}
