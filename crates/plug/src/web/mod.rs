//! The web interface: picoserve over `edge-nal` sockets, a fixed number of workers, one table of routes.
//!
//! A request goes `socket` (time-outs, bytes) → `gate` (where requests end) → picoserve (head) → `site` (checks, in
//! one order for all) → a handler → `reply` (headers, body). What goes wrong is a `problem`, put into words there.

mod api;
mod assets;
mod captive;
mod control;
mod core_desk;
mod crowd;
mod doors;
mod energy;
mod events;
mod flow;
mod gate;
mod history;
mod host;
mod keys;
mod ledger;
mod metrics;
mod multipart;
mod packed;
mod password;
mod problem;
mod query;
mod relay_log;
mod relay_request;
mod reply;
mod routes;
mod session;
mod settings;
mod setup;
mod site;
mod socket;
mod time;
mod tokens;
mod trips;
mod update;
mod uplink;
mod upload;
mod waveform;
mod wifi;

use alloc::vec;
use core::time::Duration;

use embassy_futures::join::{join, join_array};
use embassy_sync::blocking_mutex::raw::RawMutex;
use metering::front_end::FrontEnd;
use picoserve::{Config, Router, Server, Timeouts};

pub use routes::{Method, Methods, ROUTES, Route, Who};

use crate::apart::apart;
use crate::app::Link;
use crate::defaults::Defaults;
use crate::json;
use crate::limits;
use crate::platform::{Acceptor, Clock, Identity, Machine};
use crate::settings::Basis;
use crate::starts::Starts;
use crate::state::State;
use assets::Tags;
use core_desk::CoreDesk;
use crowd::Crowd;
use doors::Peer;
use reply::Budget;
use site::Site;
use socket::{Exchange, Runtime, Socket, Timer};

/// What the web interface shows and steers.
pub struct Plug<'a, C, N, M: RawMutex> {
    /// The plug's time, simulated or not: what answers say.
    pub clock: &'a C,
    /// The time that clients live in: what time-outs are measured with, and how long claims, nonces, sessions and
    /// waits last. The same as `clock` on a plug; another one where the plug's time runs faster than the network's.
    pub network_clock: &'a N,
    /// The newest numbers.
    pub state: &'a State,
    /// The way to the core. The web interface takes all answers off it.
    pub link: &'a Link<M>,
    /// Who this plug is.
    pub identity: &'a Identity,
    /// What it measures with.
    pub front_end: &'a FrontEnd,
    /// What it runs on.
    pub machine: &'a dyn Machine,
    /// How often it started (see [`crate::starts::count`]); `Starts::default()` where nothing counts.
    pub starts: &'a Starts,
    /// What its build brought.
    pub defaults: &'a Defaults,
    /// What settings are read against.
    pub basis: &'a Basis,
}

/// picoserve's buffer: a head and a JSON body.
const INPUT: usize = limits::REQUEST_HEAD + limits::JSON_BODY;

const CONFIG: Config = Config::new(Timeouts {
    start_read_request: milliseconds(limits::IDLE_TIMEOUT),
    persistent_start_read_request: milliseconds(limits::IDLE_TIMEOUT),
    read_request: milliseconds(limits::REQUEST_TIMEOUT),
    write: milliseconds(limits::WRITE_TIMEOUT),
})
.keep_connection_alive();

#[expect(clippy::cast_possible_truncation, reason = "time-outs are seconds")]
const fn milliseconds(duration: Duration) -> picoserve::time::Duration {
    picoserve::time::Duration::from_millis(duration.as_millis() as u64)
}

/// Serves clients that `acceptor` lets in, [`limits::WEB_WORKERS`] at a time, for as long as the plug runs.
///
/// Allocates its buffers at the start (about 5 KB and the future of a connection for each worker, and the capture
/// buffer). Dropping the future ends all connections.
pub async fn serve<A, C, N, M>(acceptor: &A, plug: &Plug<'_, C, N, M>) -> !
where
    A: Acceptor,
    A::Error: 'static,
    C: Clock,
    N: Clock,
    M: RawMutex,
{
    let core = CoreDesk::new(plug.link, plug.state, plug.front_end);
    let budget = Budget::new();
    let tags = Tags::new();
    let crowd = Crowd::new();
    let workers: [_; limits::WEB_WORKERS] = core::array::from_fn(|number| {
        let house = House { core: &core, budget: &budget, tags: &tags, crowd: &crowd, number };
        apart(|| worker(acceptor, plug, house))
    });
    let (never, _) = join(core.run(), join_array(workers)).await;
    never
}

/// What all workers share, and which one this is.
struct House<'a, M: RawMutex> {
    core: &'a CoreDesk<'a, M>,
    budget: &'a Budget,
    tags: &'a Tags,
    crowd: &'a Crowd,
    number: usize,
}

/// Serves one client after the other.
async fn worker<A, C, N, M>(acceptor: &A, plug: &Plug<'_, C, N, M>, house: House<'_, M>) -> !
where
    A: Acceptor,
    A::Error: 'static,
    C: Clock,
    N: Clock,
    M: RawMutex,
{
    let House { core, budget, tags, crowd, number } = house;
    let clock = plug.network_clock;
    let mut input = vec![0; INPUT];
    let mut output = vec![0; limits::WEB_OUTPUT];
    loop {
        let Ok((client, inner)) = acceptor.accept().await else {
            // No sockets or an early reset: neither is a reason to stop.
            plug.state.accept_errors.set(plug.state.accept_errors.get().saturating_add(1));
            clock.sleep_until(clock.now().after(limits::ACCEPT_PAUSE)).await;
            continue;
        };
        plug.state.accept_errors.set(0);
        let (exchange, stay) = (Exchange::new(), crowd.enter(number));
        let (exchange, stay) = (&exchange, &stay);
        let peer =
            Peer { address: client.ip().to_canonical(), by_access_point: acceptor.by_access_point(&inner) };
        let socket = Socket { inner, exchange, stay, clock, output: &mut output };
        let router = Router::from_service(Site { plug, core, budget, tags, exchange, stay, peer });
        // A client that breaks off is its own affair: there is nobody to tell.
        let _ = Server::<Runtime, _, _, _>::custom(&router, Timer { clock, exchange }, &CONFIG, &mut input)
            .serve(socket)
            .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{Core, Moment};
    use crate::settings::Hardware;
    use edge_nal::NoopNet;
    use embassy_sync::blocking_mutex::raw::NoopRawMutex;
    use metering::calibration::Calibration;
    use metering::front_end::ChannelRange;
    use metering::units::{Hertz, Seconds, Volts};

    struct Still;

    impl Clock for Still {
        fn now(&self) -> crate::platform::Instant {
            crate::platform::Instant::default()
        }
        async fn sleep_until(&self, _: crate::platform::Instant) {
            core::future::pending().await
        }
        fn time_of_day(&self) -> Option<f64> {
            None
        }
    }

    impl Machine for Still {
        fn vitals(&self) -> crate::platform::Vitals {
            crate::platform::Vitals::default()
        }

        fn request_restart(&self, _: crate::platform::Restart) {}
    }

    /// What eight workers take is a good part of a chip's memory. On riscv32 with `-Os` one future has 2.7 KB; with
    /// pointers of 64 bits it is larger.
    #[test]
    fn a_worker_is_small() {
        let hardware = Hardware::BARE;
        let relay = Core::new(hardware).relay_status(Moment::default(), None);
        let range = ChannelRange { lowest: 0, highest: 4095, dc_coupled: true };
        let plug = Plug {
            clock: &Still,
            network_clock: &Still,
            state: &State::new(relay, Calibration::ideal(1.0, 0.0, 1.0, 0.0)),
            link: &Link::<NoopRawMutex>::new(),
            identity: &Identity {
                id: heapless::String::new(),
                board: "",
                chip: "",
                version: heapless::String::new(),
                git: "",
                build: "",
                rustc: "",
                espflash: None,
                reset_reason: "",
                reset_detail: heapless::String::new(),
                source: heapless::String::new(),
            },
            front_end: &FrontEnd {
                sample_rate: Hertz(4000.0),
                voltage: range,
                current: range,
                channel_skew: Seconds(0.0),
                nominal_voltage: Volts(230.0),
            },
            machine: &Still,
            starts: &Starts::default(),
            defaults: &Defaults::default(),
            basis: &Basis {
                hardware: crate::settings::Hardware::BARE,
                board: Calibration::ideal(1.0, 0.0, 1.0, 0.0),
                zone: |_| true,
            },
        };
        let core = CoreDesk::new(plug.link, plug.state, plug.front_end);
        let (budget, tags, crowd) = (Budget::new(), Tags::new(), Crowd::new());
        let house = House { core: &core, budget: &budget, tags: &tags, crowd: &crowd, number: 0 };
        let size = size_of_val(&worker(&NoopNet, &plug, house));
        assert!(size <= 5 * 1024, "a worker's future has {size} bytes");
        const { assert!(INPUT + limits::WEB_OUTPUT <= 4096) };
    }
}
