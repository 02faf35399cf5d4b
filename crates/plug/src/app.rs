//! How the product runs: [`run_core`] (samples, metering, protection, relay; awaits nothing else) beside [`run_rest`]
//! (everything else), joined by the bounded channels of [`Link`], which are passed in.
//!
//! ```text
//!   Samples --> run_core: meter, core::Core --> Relay
//!                  |  ^
//!    readings,     |  |  Begin, relay commands,
//!    changes, ...  v  |  settings, captures            Link
//!               run_rest: follow_core --> State --> web, panel, net, update
//!                         storage::keeper <--> Flash
//! ```

mod capture;
mod core_task;
mod link;
mod reach;
mod safe;

use alloc::boxed::Box;
use core::future::pending;

use edge_nal::{TcpAccept, UdpBind};
use embassy_futures::join::{join, join3, join4, join5};
use embassy_futures::select::{Either, select};
use embassy_futures::yield_now;
use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_sync::mutex::Mutex;
use embedded_storage_async::nor_flash::NorFlash;

pub use self::capture::{Capture, CaptureError, CaptureRequest, Piece};
pub use self::core_task::run_core;
pub use self::link::{Answer, Command, Details, Link, Tripped};
use self::reach::Reach;
use crate::access::{self, AccessStore, setup};
use crate::apart::apart;
use crate::core::Begin;
use crate::core::button::ButtonEvent;
use crate::core::claims::{RelayCommand, Source, Wish};
use crate::core::led;
use crate::history::{History, Rows};
use crate::ledger::Outside;
use crate::limits;
use crate::panel;
use crate::platform::{
    Acceptor, Button, Clock, Credentials, Instant, Led, Machine, Multicast, Outbound, Random, Restart,
    UpdateSlots, Wifi,
};
use crate::settings::{self, Basis, Settings};
use crate::starts;
use crate::state::{Restarting, State};
use crate::storage::before::Before;
use crate::storage::keeper::{Keeper, Settling, open_settings};
use crate::storage::layout;
use crate::storage::region::{Region, Shared};
use crate::storage::reset;
use crate::timekeeping;
use crate::update;
use crate::uplink::{self, CursorStore};
use crate::web::{Plug as Web, serve};

/// What [`run_rest`] lives on. What a shell does not have is `None`, with [`NoWifi`](crate::net::NoWifi),
/// [`NoopNet`](edge_nal::NoopNet) and [`NoSlots`](crate::update::NoSlots) as its type, or
/// [`NoButton`](crate::platform::NoButton) and [`NoLed`](crate::platform::NoLed).
pub struct Rest<'a, P: Parts, C, N, M: RawMutex> {
    /// Lets web clients in.
    pub acceptor: &'a P::Acceptor,
    /// What the web shows and steers.
    pub web: &'a Web<'a, C, N, M>,
    /// The data partition; `None` where it cannot be used: nothing is kept then.
    pub flash: Option<P::Flash>,
    /// The history's partition; `None`: there is no history.
    pub log: Option<P::Flash>,
    /// Chance.
    pub random: P::Random,
    /// The radio.
    pub wifi: Option<&'a mut P::Wifi>,
    /// The network to join if the settings know none.
    pub known: Option<&'a Credentials>,
    /// Name and password of the access point until the plug has an owner:
    /// [`factory_access_point`](crate::net::factory_access_point).
    pub own: &'a Credentials,
    /// UDP sockets on the access point's side, for its addresses and its names: two at a time.
    pub access_point_udp: Option<&'a P::Udp>,
    /// The way out, on the network that was joined. Nothing leaves by it before the settings ask for it.
    pub net: Option<&'a P::Net>,
    /// Whether windows are to be expected at all: a new image has to show some then.
    pub measures: bool,
    /// The group in which the plug's name is asked for, on the network that was joined.
    pub multicast: Option<&'a P::Multicast>,
    /// Where images lie.
    pub slots: Option<&'a mut P::Slots>,
    /// The button.
    pub button: P::Button,
    /// The light.
    pub led: P::Led,
}

/// The types that a shell brings for [`Rest`].
pub trait Parts {
    /// Lets web clients in.
    type Acceptor: Acceptor;
    /// A partition of the flash.
    type Flash: NorFlash;
    /// Chance.
    type Random: Random;
    /// The radio.
    type Wifi: Wifi;
    /// UDP sockets.
    type Udp: UdpBind;
    /// The way out.
    type Net: Outbound;
    /// The group in which names are asked for.
    type Multicast: Multicast;
    /// Where images lie.
    type Slots: UpdateSlots;
    /// The button.
    type Button: Button;
    /// The light.
    type Led: Led;
}

/// Everything that is not the core: reads what the flash keeps and lets the core begin with it, takes what the core
/// says into the state, keeps what must not be lost, serves the web, keeps the plug on its network, confirms a new
/// image. Runs for ever; dropping the future is a power cut, but for the core.
pub async fn run_rest<P, C, N, M>(rest: Rest<'_, P, C, N, M>) -> !
where
    P: Parts,
    <P::Acceptor as TcpAccept>::Error: 'static,
    C: Clock,
    N: Clock,
    M: RawMutex,
{
    if rest.web.starts.call_for_safe_mode() {
        apart(|| safe::run(rest)).await
    }
    let Rest { acceptor, web, mut random, wifi, known, own, access_point_udp, net, .. } = rest;
    let (multicast, measures, slots) = (rest.multicast, rest.measures, rest.slots);
    let (mut button, mut led) = (rest.button, rest.led);
    let (clock, state, link, basis) = (web.clock, web.state, web.link, web.basis);
    let say = |text: &str| state.put_log(clock.time_of_day(), clock.now().since_start().as_secs_f64(), text);
    starts::tell(web.starts, clock, state);
    let (flash, log): (Shared<P::Flash>, Shared<P::Flash>) = (Mutex::new(rest.flash), Mutex::new(rest.log));
    let (mut settling, was_reset) =
        apart(|| open_settings(&flash, &log, state, basis, web.defaults, &web.identity.id, say)).await;
    let history = History::new(&log).await;
    let time = clock.time_of_day();
    let (keeper, mut before) =
        apart(|| Keeper::open(&flash, state, web.starts, &mut random, time, say)).await;
    let newest_day = before.newest_day;
    if was_reset {
        // Whoever resets a plug does not ask it to switch on.
        before.memory.on = Some(false);
    }
    link.commands
        .send(Command::Begin(Box::new(begin(state, before, &mut random, web.identity.id.as_bytes()))))
        .await;
    let floor = apart(|| newest_known(&history, newest_day)).await;
    state.timekeeping.keeper.borrow_mut().set_floor(floor);
    let mut owning = apart(|| open_access(&flash, state, &mut random, &web.identity.id, say)).await;

    let seeds = reach::seeds(&mut random);
    let reachable = Reach::<P> { wifi, known, own, access_point_udp, multicast, seeds };
    let network = apart(|| reach::reach(reachable, web));
    let probation = apart(|| async {
        match slots {
            Some(slots) => update::task::run(slots, web, update::task::Found { measures, was_reset }).await,
            None => pending().await,
        }
    });
    // One each: from what one of them sends nobody shall guess the other's.
    let mut seeds = [[0; timekeeping::SEED]; 2];
    seeds.iter_mut().for_each(|seed| random.fill(seed));
    let outward = apart(|| async {
        match net {
            Some(net) => outward(net, web, &flash, &history, seeds, say).await,
            None => pending().await,
        }
    });
    let stores = join5(
        apart(|| keeper.keep_log(link, say)),
        apart(|| keeper.keep_energy(clock, link, say)),
        apart(|| keeper.keep_trips(clock, link, web.front_end, say)),
        apart(|| keeper.answer(&state.archive, &history)),
        apart(|| settle(&mut settling, state, basis, link)),
    );
    let front = join3(
        apart(|| {
            // A claim waits in the time of whoever makes it.
            let pressed = |event| pressed(event, state, web.network_clock.now(), link);
            panel::button(&mut button, clock, &state.panel, pressed)
        }),
        apart(|| panel::led(&mut led, clock, &state.panel, || inputs(state, web.network_clock.now()))),
        apart(|| setup::run(state, say)),
    );
    let small = join5(
        timekeeping::publish(clock, state, &link.time),
        apart(|| access::run(&mut owning, state, say)),
        apart(|| watch_chip(clock, web.machine, link)),
        apart(|| restart(clock, web.machine, state, link, basis, &keeper, &flash)),
        apart(|| async {
            clock.sleep_until(clock.now().after(limits::SETTLED)).await;
            // An error shows at the next start at the latest.
            let _ = starts::settled(Region::new(&flash, layout::STARTS), web.starts).await;
            // Not an end: what is taken at the start stays taken, so that memory that is lost can be told from this.
            pending::<()>().await;
        }),
    );
    let core = apart(|| follow_core(state, link));
    let recorder = apart(|| history.keep(&state.history, web.starts.number, say));
    let web = apart(|| serve(acceptor, web));
    // The web last: whoever is first to ask already finds what the others had to say.
    let ((never, ..), ..) =
        join(join4(core, network, probation, web), join5(stores, front, small, outward, recorder)).await;
    never
}

/// The newest time that the flash knows: no clock that is right says an earlier one.
async fn newest_known<F: NorFlash>(history: &History<'_, F>, newest_day: Option<i64>) -> Option<f64> {
    let row = history.newest().await.ok().flatten().map(f64::from);
    // A day of local time may begin 14 hours before that of UTC, and the marks themselves put up with two days.
    let mark = newest_day.map(|day| (day as f64 - 3.0) * 86_400.0);
    row.into_iter().chain(mark).reduce(f64::max)
}

/// Everything that leaves the plug by itself. Runs for ever.
async fn outward<O: Outbound, C: Clock, N: Clock, M: RawMutex, F: NorFlash>(
    net: &O,
    web: &Web<'_, C, N, M>,
    flash: &Shared<F>,
    history: &History<'_, F>,
    [for_time, for_uplink]: [[u8; timekeeping::SEED]; 2],
    say: impl Fn(&str),
) -> ! {
    let (clock, timer, state) = (web.clock, web.network_clock, web.state);
    let outside = &Outside::new(net, clock, timer, &state.ledger);
    let way = uplink::Way { outside, clock, timer, rows: history, state, id: &web.identity.id };
    let store = CursorStore::new(Region::new(flash, layout::UPLINK));
    let (never, _) = join(
        apart(|| timekeeping::ask(outside, clock, state, for_time)),
        apart(|| uplink::run(way, store, for_uplink, say)),
    )
    .await;
    never
}

/// Reads who may do what. The web comes afterwards: until then nobody can be let in.
async fn open_access<'a, F: NorFlash>(
    flash: &'a Shared<F>,
    state: &State,
    random: &mut impl Random,
    identity: &str,
    say: impl FnMut(&str),
) -> AccessStore<Region<'a, F>> {
    let mut seed = [0; 32];
    random.fill(&mut seed);
    let there = flash.lock().await.is_some();
    let mut store = AccessStore::new(Region::new(flash, layout::ACCESS));
    access::begin(&mut store, there, state, identity, seed, say).await;
    store
}

/// What the core begins with.
fn begin(state: &State, before: Before, random: &mut impl Random, identity: &[u8]) -> Begin {
    let mut chance = [0; 4];
    random.fill(&mut chance);
    Begin {
        settings: Box::new(state.settings.borrow().clone()),
        memory: before.memory,
        energy: before.energy,
        used_today_wh: before.used_today_wh,
        next_trip: before.next_trip,
        random: f64::from(u32::from_le_bytes(chance)) / f64::from(u32::MAX),
        // FNV-1a (<http://www.isthe.com/chongo/tech/comp/fnv/>).
        seed: identity.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        }),
    }
}

/// Takes what the core says into the state that everybody else looks at; each kind apart, since they are large. Runs
/// for ever.
async fn follow_core<M: RawMutex>(state: &State, link: &Link<M>) -> ! {
    let readings = apart(|| async {
        loop {
            state.put_reading(link.readings.receive().await);
            // After a stall several wait: each gets its turn in the live streams.
            yield_now().await;
        }
    });
    let details = apart(|| async {
        loop {
            state.put_details(link.details.wait().await);
        }
    });
    let protection = apart(|| async {
        loop {
            state.put_protection(link.protection.wait().await);
        }
    });
    let relay = apart(|| async {
        loop {
            state.put_relay(link.relay.wait().await);
        }
    });
    let (never, ..) = join4(readings, details, protection, relay).await;
    never
}

/// Stores settings that are asked for, and tells the core. Runs for ever.
async fn settle<F: NorFlash, M: RawMutex>(
    store: &mut Settling<'_, F>,
    state: &State,
    basis: &Basis,
    link: &Link<M>,
) -> ! {
    // Waits for room: limits that are stored must be those that hold.
    let notify = async |settings: &Settings| {
        link.commands.send(Command::Settings(Box::new(settings.clone()))).await;
    };
    settings::run(store, state, basis, notify).await
}

/// What a press of the button means; `now` is in the clients' time.
fn pressed<M: RawMutex>(event: ButtonEvent, state: &State, now: Instant, link: &Link<M>) {
    match event {
        // The answer to somebody who claims the plug, and nothing else.
        ButtonEvent::Short if state.setup.confirm(now) => {}
        ButtonEvent::Short if state.settings.borrow().device.button_locked => {}
        ButtonEvent::Short => {
            let wish = if state.relay.borrow().locked_out { Wish::Rearm } else { Wish::Toggle };
            let command = RelayCommand { wish, duration: None, source: Source::Button };
            // A core that has ten commands waiting has more urgent things to do.
            let _ = link.commands.try_send(Command::Press(command));
        }
        ButtonEvent::Long => state.access_point_wanted.signal(()),
        ButtonEvent::VeryLong => state.restart.signal(Restarting::FactoryReset),
    }
}

/// What the light shows, apart from what the panel itself knows; `now` is in the clients' time.
fn inputs(state: &State, now: Instant) -> led::Inputs {
    let relay = state.relay.borrow();
    led::Inputs {
        relay_on: relay.on,
        locked_out: relay.locked_out,
        welded: relay.alarm.is_some(),
        network: panel::network_light(state.wifi.borrow().as_ref()),
        claim: state.setup.waiting(now).is_some(),
        safe_mode: state.safe_mode.get(),
        starting: !state.settings_desk.is_open(),
        dark: state.settings.borrow().device.led_off,
        ..led::Inputs::default()
    }
}

/// Tells the core how warm the chip is. Runs for ever.
async fn watch_chip<C: Clock, M: RawMutex>(clock: &C, machine: &dyn Machine, link: &Link<M>) -> ! {
    loop {
        if let Some(celsius) = machine.vitals().chip_temperature_c {
            link.commands.send(Command::ChipTemperature(celsius)).await;
        }
        clock.sleep_until(clock.now().after(limits::CHIP_TEMPERATURE_INTERVAL)).await;
    }
}

/// Waits until the history has taken its last row.
async fn kept<C: Clock>(state: &State, clock: &C) {
    while !state.history.is_empty() {
        clock.sleep_until(clock.now().after(limits::HISTORY_LOOK)).await;
    }
}

/// Leaves the mark of a factory reset where one is wanted; whether the plug is to restart: not if the flash does not take
/// the mark.
async fn is_due<F: NorFlash>(why: Restarting, flash: &Shared<F>, say: impl Fn(&str)) -> bool {
    if why != Restarting::FactoryReset {
        return true;
    }
    let begun = match &mut *flash.lock().await {
        Some(flash) => reset::begin_reset(flash).await.is_ok(),
        None => false,
    };
    if !begun {
        say("the flash does not take the factory reset");
    }
    begun
}

/// Restarts the plug when somebody asks for it: the mark of a factory reset, the relay, what must be kept, the machine.
async fn restart<F: NorFlash, C: Clock, M: RawMutex>(
    clock: &C,
    machine: &dyn Machine,
    state: &State,
    link: &Link<M>,
    basis: &Basis,
    keeper: &Keeper<'_, F>,
    flash: &Shared<F>,
) -> ! {
    loop {
        let why = state.restart.wait().await;
        let say = |text: &str| {
            state.put_log(clock.time_of_day(), clock.now().since_start().as_secs_f64(), text);
        };
        if !is_due(why, flash, say).await {
            continue;
        }
        let may_hold = basis.hardware.can_hold && state.settings.borrow().relay.hold_on_restart;
        link.parked.reset();
        link.commands.send(Command::Park { can_hold: may_hold && why == Restarting::Plain }).await;
        let late = || clock.sleep_until(clock.now().after(limits::FLUSH_PATIENCE));
        let hold_relay = match select(link.parked.wait(), late()).await {
            Either::First(held) => held,
            Either::Second(()) => false,
        };
        state.history.close();
        select(join4(keeper.flush(), kept(state, clock), state.uplink.part(), state.mdns.part()), late())
            .await;
        machine.request_restart(Restart { hold_relay });
    }
}
