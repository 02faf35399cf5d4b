//! `ossp run`: the virtual plug.

use std::cell::Cell;
use std::future::pending;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use async_io::Timer;
use async_signal::{Signal, Signals};
use clap::Args;
use embassy_futures::select::{Either, Either3, select, select3};
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use futures_lite::StreamExt;
use metering::history::Storage;
use metering::meter::Meter;
use plug::app::{Link, Parts, Rest, run_core, run_rest};
use plug::core::civil::Zone;
use plug::core::protection::DEFAULT_LIMIT;
use plug::core::{Core, Moment};
use plug::defaults::Defaults;
use plug::limits::{self, ACCESS_POINT_ADDRESS};
use plug::net::factory_access_point;
use plug::platform::{Clock, Identity, Relay, Restart, Samples};
use plug::settings::{Basis, Hardware};
use plug::starts::{self, Starts, Trouble};
use plug::state::{Restarting, State};
use plug::storage::region::Shared;
use plug::timekeeping::WallClock;

use crate::failure::Failure;
use crate::host::{
    AccessPoint, AccessPointUdp, DATA_PARTITION, Erasing, FileFlash, FileSlots, LOG_PARTITION, Listener, Pc,
    PcMulticast, PcNetwork, PcRandom, RealClock, RunningImage, SimButton, SimLed, SimWifi, Simulated,
    SimulatedClock, SlowFlash, StateFolder, Taken, boot_image, last_words,
};
use crate::owner::{self, Owner};
use crate::provision;
use crate::sim::Scenario;

/// What the virtual plug has and can; a scenario may press its button.
const HARDWARE: Hardware = Hardware {
    maximum_current_a: DEFAULT_LIMIT.value(),
    has_button: true,
    confirms_setup: false,
    has_led: true,
    can_hold: true,
};
/// The plug's data partition in the state folder.
const FLASH_FILE: &str = "flash.bin";
/// The history's partition there.
const LOG_FILE: &str = "log.bin";
/// How long the plug may take to keep what it knows when it is stopped.
const STOP_PATIENCE: Duration = Duration::from_secs(1);
/// How often the log is looked at for new lines.
const LOOK: Duration = Duration::from_millis(50);

/// Options of `ossp run`.
#[derive(Args, Clone, Debug)]
pub struct RunOptions {
    /// Where the web page is served; port 0 picks a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Folder for all that survives a restart [default: ossp in the user's state folder]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// What is plugged in: sim:NAME (a built-in load), sim:FILE.toml (a scenario) or wave:FILE.csv (a recording)
    #[arg(long, value_name = "SOURCE", conflicts_with = "scenario")]
    source: Option<String>,
    /// A built-in scenario or a scenario file
    #[arg(long, value_name = "NAME|FILE")]
    scenario: Option<String>,
    /// An address of this machine at which real clients meet the simulated access point while it is open: web page,
    /// names and addresses at ports 80, 53 and 67. Phones are told 192.168.4.1. Gives the plug a radio if the scenario
    /// has none
    #[arg(long, value_name = "ADDR")]
    access_point: Option<Ipv4Addr>,
    /// Simulated seconds in a real one
    #[arg(long, value_name = "N", default_value_t = 1.0, value_parser = speed)]
    speed: f64,
    /// Seed of everything that is random in the simulation
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// The owner's password, 10 characters or more: sets a plug up that has no owner yet (its access point's password
    /// too); for another plug it must be the right one. Others on this machine may see it: the variable is safer
    #[arg(long, value_name = "TEXT", env = "OSSP_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// Forgets the owner's password, the access point's, the sign-ins and the tokens that the state folder keeps, then
    /// runs: the plug has no owner then, or that of --password
    #[arg(long)]
    reset_password: bool,
    /// What `ossp provision` made: a plug that nobody owns takes settings and owner from it, as a real one does on its
    /// first start. It brings its own password: --password (or OSSP_PASSWORD) is not given with it
    #[arg(long, value_name = "FILE")]
    import: Option<PathBuf>,
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if (0.01..=10_000.0).contains(&speed) => Ok(speed),
        _ => Err("a number from 0.01 to 10000 is wanted".to_owned()),
    }
}

impl RunOptions {
    fn scenario(&self) -> Result<Scenario, Failure> {
        let scenario = match (&self.source, &self.scenario) {
            (Some(source), _) => Scenario::from_source(source),
            (None, Some(name)) => Scenario::from_name_or_file(name),
            (None, None) => Scenario::builtin(Scenario::default_name()),
        };
        scenario.map_err(|error| Failure::wrong_use(error.to_string()))
    }

    /// Where the access point is met, if anywhere.
    fn access_point(&self) -> Result<AccessPoint, Failure> {
        let Some(address) = self.access_point else { return Ok(AccessPoint::default()) };
        if address != ACCESS_POINT_ADDRESS {
            note(&format!("clients of the access point are told {ACCESS_POINT_ADDRESS}, not {address}"));
        }
        AccessPoint::at(address).map_err(|error| Failure::wrong_use(error.to_string()))
    }
}

/// Runs the virtual plug until somebody stops it.
///
/// # Errors
/// If the source, the state folder or the address cannot be used.
pub fn run(options: &RunOptions) -> Result<(), Failure> {
    let scenario = options.scenario()?;
    if let Some(notice) = scenario.notice() {
        note(&notice);
    }
    if let Some(password) = &options.password {
        owner::check(password, options.import.is_some())?;
    }
    let folder =
        StateFolder::open(options.state.as_deref()).map_err(|error| Failure::wrong_use(error.to_string()))?;
    let simulated = Simulated::new(&scenario, options.seed);
    let access_point = Rc::new(options.access_point()?);
    let world = World {
        options,
        scenario: &scenario,
        folder: &folder,
        simulated: &simulated,
        access_point: &access_point,
    };
    let (flashes, owner) = async_io::block_on(world.owner())?;
    let listener = Listener::bind(options.listen, access_point.clone()).map_err(|error| {
        Failure::wrong_use(format!(
            "{} cannot be listened on ({error}); name another with --listen",
            options.listen
        ))
    })?;
    let address = listener.address().map_err(|error| Failure::failed(error.to_string()))?;
    // The first line on standard output: programs read it.
    let mut out = std::io::stdout().lock();
    let told = writeln!(out, "http://{address}/").and_then(|()| out.flush());
    drop(out);
    told.map_err(|error| Failure::failed(format!("standard output cannot be written ({error})")))?;
    note(&format!("virtual plug with a {}; open the page above, stop with Ctrl-C", scenario.source()));
    if scenario.radio().is_some() {
        note(scenario.description());
    }
    note(&format!("state in {}", folder.path().display()));
    // Who is to own it is in the import, which the plug has not taken yet.
    if let Some(owner) = owner.filter(|owner| options.import.is_none() || *owner != Owner::Nobody) {
        note(owner.advice());
    }
    async_io::block_on(world.serve_until_stopped(&listener, flashes))
}

/// What goes on while the plug restarts: its mains, its load and its contact, and the folder with its flash.
struct World<'a> {
    options: &'a RunOptions,
    scenario: &'a Scenario,
    folder: &'a StateFolder,
    simulated: &'a Simulated,
    access_point: &'a Rc<AccessPoint>,
}

/// How a run of the plug ended.
enum End {
    /// Somebody stopped the program.
    Stopped,
    /// The plug is to start anew.
    Restart(Restart),
    /// Its image crashed.
    Crashed,
}

impl World<'_> {
    /// Has the owner forgotten and set as the options say, before anybody can ask the plug anything: its flash, and whose
    /// it is then; neither where there is none.
    async fn owner(&self) -> Result<(Flashes, Option<Owner>), Failure> {
        let RunOptions { password, reset_password, import, .. } = self.options;
        let log = open_if_possible(self.folder, LOG_FILE, LOG_PARTITION);
        let flash = match open_flash(self.folder, FLASH_FILE, DATA_PARTITION) {
            Ok(flash) => flash,
            Err(words) if password.is_some() || *reset_password || import.is_some() => {
                return Err(Failure::failed(format!("{words}; the password is as it was")));
            }
            Err(words) => {
                note(&format!("{words}; nothing is kept in it this time"));
                return Ok((Flashes { data: None, log }, None));
            }
        };
        let (flash, log) = (Shared::new(Some(flash)), Shared::new(log));
        let basis = self.basis();
        if *reset_password {
            owner::forget(&flash, &basis, note).await?;
            note("the owner's password, the access point's, the sign-ins and the tokens are forgotten");
        }
        if let Some(password) = password {
            owner::claim(&flash, &log, self.folder.id(), password, &basis, note).await?;
        }
        if let Some(file) = import {
            owner::import(&flash, &log, &provision::read(file)?).await?;
        }
        let owner = owner::look(&flash).await;
        Ok((Flashes { data: flash.into_inner(), log: log.into_inner() }, Some(owner)))
    }

    /// What settings are checked against.
    fn basis(&self) -> Basis {
        let hardware = Hardware { confirms_setup: self.scenario.presses_the_button(), ..HARDWARE };
        Basis { hardware, board: self.simulated.calibration(), zone: |text| Zone::parse(text).is_ok() }
    }

    /// One run of the plug after the other.
    async fn serve_until_stopped(&self, listener: &Listener, mut flashes: Flashes) -> Result<(), Failure> {
        let mut signals = Signals::new([Signal::Int, Signal::Term])
            .map_err(|error| Failure::failed(format!("signals cannot be caught ({error})")))?;
        let (mut reset_reason, mut held) = ("power_on", false);
        loop {
            let count = async |reason| {
                count_start(flashes.data.as_mut(), reason).await;
            };
            let (slots, image) = boot_image(self.folder.path(), &mut reset_reason, count, note).await;
            let identity = identity(self.folder, self.scenario, &image, reset_reason);
            let run = Run { world: self, identity: &identity, listener, image: &image, held };
            match run.serve(&mut signals, flashes, slots).await? {
                End::Crashed => {
                    note("the firmware crashed: the plug starts anew");
                    self.simulated.relay().set(false);
                    (reset_reason, held) = ("panic", false);
                }
                End::Stopped => {
                    note("stopped");
                    return Ok(());
                }
                End::Restart(restart) => {
                    note("the plug starts anew");
                    if !restart.hold_relay {
                        self.simulated.relay().set(false);
                    }
                    (reset_reason, held) = ("software", restart.hold_relay);
                }
            }
            flashes = Flashes {
                data: open_if_possible(self.folder, FLASH_FILE, DATA_PARTITION),
                log: open_if_possible(self.folder, LOG_FILE, LOG_PARTITION),
            };
        }
    }
}

/// One run of the plug, from start to restart.
struct Run<'a> {
    world: &'a World<'a>,
    identity: &'a Identity,
    listener: &'a Listener,
    image: &'a RunningImage,
    /// The relay was held closed over the restart before it.
    held: bool,
}

/// What a PC brings for the plug's rest.
struct PcParts<'a>(core::marker::PhantomData<&'a ()>);

impl<'a> Parts for PcParts<'a> {
    type Acceptor = Listener;
    type Flash = SlowFlash<'a, FileFlash, SimulatedClock>;
    type Random = PcRandom;
    type Wifi = SimWifi<SimulatedClock>;
    type Udp = AccessPointUdp;
    type Net = PcNetwork;
    type Multicast = PcMulticast;
    type Slots = FileSlots;
    type Button = SimButton;
    type Led = SimLed;
}

impl Run<'_> {
    async fn serve(
        &self,
        signals: &mut Signals,
        flashes: Flashes,
        mut slots: Option<FileSlots>,
    ) -> Result<End, Failure> {
        let Flashes { data: mut flash, log } = flashes;
        let World { options, simulated, access_point, .. } = *self.world;
        let clock =
            SimulatedClock::start(options.speed).knowing_the_time(self.world.scenario.knows_the_time());
        let erasing = Erasing::new(clock.clone(), options.seed);
        let machine = Pc::new(simulated.clone(), &erasing);
        // Only a plug that others can reach says where it is.
        let multicast = self.listener.address().ok();
        let multicast = multicast.and_then(|address| PcMulticast::of(address, options.access_point));
        let (front_end, calibration) = (simulated.front_end(), simulated.calibration());
        let rows = Meter::rows_needed(front_end.sample_rate.value());
        let (mut voltage, mut current) = (vec![0; rows], vec![0; rows]);
        let storage = Storage { voltage: &mut voltage, current: &mut current };
        let mut meter = Meter::new(front_end, calibration.clone(), storage)
            .map_err(|error| Failure::wrong_use(format!("this source cannot be measured: {error}")))?;
        let basis = self.world.basis();
        let mut core =
            if self.held { Core::kept_on(basis.hardware, clock.now()) } else { Core::new(basis.hardware) };
        let now = Moment { instant: clock.now(), time: None };
        let state = State::new(core.relay_status(now, None), calibration);
        let link: Link<NoopRawMutex> = Link::new();
        let wall_clock = WallClock::new(&clock, &link.time);
        // Time stands still until there are samples: erases take none yet.
        let starts = count_start(flash.as_mut(), self.identity.reset_reason).await;
        if self.image.flags.panic_at_start {
            // Long enough that somebody can stop the program.
            Timer::after(limits::RESTART_DELAY).await;
            return Ok(End::Crashed);
        }
        let is_safe = starts.call_for_safe_mode();
        let mut wifi = self.radio(&clock);
        let net = wifi.as_ref().map_or_else(PcNetwork::default, |wifi| PcNetwork::by_radio(wifi.way_out()));
        let udp = access_point.is_real().then(|| AccessPointUdp::new(access_point.clone()));
        let web = plug::web::Plug {
            clock: &wall_clock,
            network_clock: &RealClock::start(),
            state: &state,
            link: &link,
            identity: self.identity,
            front_end: &front_end,
            machine: &machine,
            starts: &starts,
            defaults: &Defaults::default(),
            basis: &basis,
        };
        let blind = self.image.flags.measures_nothing;
        let (mut samples, mut relay) =
            (Taken { samples: simulated.samples(clock.clone()), blind }, simulated.relay());
        let measuring = async {
            if is_safe {
                // Nobody looks at them, and the world goes on.
                while samples.next().await.is_some() {}
            } else {
                run_core(&mut samples, &mut relay, &wall_clock, &mut meter, &mut core, &link).await;
            }
        };
        let rest = Rest::<PcParts<'_>, _, _, _> {
            acceptor: self.listener,
            web: &web,
            flash: flash.map(|flash| SlowFlash::new(flash, &erasing)),
            log: log.map(|log| SlowFlash::new(log, &erasing)),
            random: PcRandom,
            wifi: wifi.as_mut(),
            known: None,
            own: &factory_access_point(),
            access_point_udp: udp.as_ref(),
            net: Some(&net),
            measures: true,
            multicast: multicast.as_ref(),
            slots: slots.as_mut(),
            button: SimButton::new(simulated.clone(), clock.clone()),
            led: SimLed::default(),
        };
        let running = select3(measuring, erasing.stall(run_rest(rest)), tell(&state));
        match select(running, self.end(signals, &clock, &state, &machine, is_safe)).await {
            Either::First(_) => Err(Failure::failed("the samples ended".to_owned())),
            Either::Second(end) => Ok(end),
        }
    }

    /// Waits until this run ends, and says how.
    async fn end(
        &self,
        signals: &mut Signals,
        clock: &SimulatedClock,
        state: &State,
        machine: &Pc<'_>,
        is_safe: bool,
    ) -> End {
        let stopping = Cell::new(false);
        let stop = async {
            signals.next().await;
            // As before a restart: the newest energy is kept.
            stopping.set(true);
            state.restart.signal(Restarting::Plain);
            Timer::after(STOP_PATIENCE).await;
        };
        let restart = async {
            let restart = machine.restart_asked().await;
            if !stopping.get() {
                Timer::after(limits::RESTART_DELAY).await;
            }
            restart
        };
        let crash = async {
            // What makes it crash is not started then.
            if is_safe { pending().await } else { self.image.crash(clock).await }
        };
        match select3(stop, restart, crash).await {
            Either3::Second(restart) if !stopping.get() => End::Restart(restart),
            Either3::Third(()) if !stopping.get() => End::Crashed,
            Either3::First(()) | Either3::Second(_) | Either3::Third(()) => End::Stopped,
        }
    }

    /// The radio of the scenario, if it has one.
    fn radio(&self, clock: &SimulatedClock) -> Option<SimWifi<SimulatedClock>> {
        let World { options, scenario, simulated, access_point, .. } = self.world;
        let began_s = simulated.elapsed_s();
        SimWifi::new(scenario, options.seed, began_s, clock.clone(), Rc::clone(access_point))
            .map(|wifi| wifi.failing(self.image.flags.never_joins))
    }
}

/// What a run of the plug keeps things in.
struct Flashes {
    /// The data partition.
    data: Option<FileFlash>,
    /// The history's.
    log: Option<FileFlash>,
}

/// One of the plug's partitions, or why it cannot be used. A plug runs without one too; it forgets more then.
fn open_flash(folder: &StateFolder, name: &str, size: u32) -> Result<FileFlash, String> {
    let path = folder.path().join(name);
    let not = |error| format!("{} cannot be used ({error})", path.display());
    if let Some(kept) = FileFlash::set_aside(&path, size).map_err(not)? {
        let (path, kept) = (path.display(), kept.display());
        note(&format!("{path} is from an older version: it is kept as {kept}, and the plug begins anew"));
    }
    let flash = FileFlash::open(&path, size).map_err(not)?;
    if let Some(bytes) = flash.cut_at() {
        note(&format!("{} ends after {bytes} bytes; what stood behind them is gone", path.display()));
    }
    Ok(flash)
}

fn open_if_possible(folder: &StateFolder, name: &str, size: u32) -> Option<FileFlash> {
    open_flash(folder, name, size)
        .map_err(|words| note(&format!("{words}; nothing is kept in it this time")))
        .ok()
}

async fn count_start(flash: Option<&mut FileFlash>, reset_reason: &str) -> Starts {
    match flash {
        Some(flash) => starts::count(flash, reset_reason, &last_words(reset_reason)).await,
        None => Starts { trouble: Some(Trouble::Flash), ..Starts::default() },
    }
}

fn identity(
    folder: &StateFolder,
    scenario: &Scenario,
    image: &RunningImage,
    reset_reason: &'static str,
) -> Identity {
    let cut = |text: &str, length: usize| {
        text.chars()
            .scan(0, |used, c| {
                *used += c.len_utf8();
                (*used <= length).then_some(c)
            })
            .collect::<String>()
    };
    Identity {
        id: heapless::String::try_from(cut(folder.id(), 16).as_str()).unwrap_or_default(),
        board: "virtual",
        chip: "pc",
        version: image.version.as_str().try_into().unwrap_or_default(),
        git: env!("OSSP_GIT"),
        build: env!("OSSP_BUILD"),
        rustc: env!("OSSP_RUSTC"),
        espflash: None,
        reset_reason,
        reset_detail: last_words(reset_reason),
        source: heapless::String::try_from(cut(&scenario.source(), 64).as_str()).unwrap_or_default(),
    }
}

/// The log's lines on standard error as they come: who starts the plug is not on its page yet. Runs for ever.
async fn tell(state: &State) -> ! {
    let mut next = 0;
    loop {
        for line in state.log.borrow().iter() {
            if line.sequence >= next {
                note(&line.message);
                next = line.sequence.wrapping_add(1);
            }
        }
        Timer::after(LOOK).await;
    }
}

/// A line for people.
fn note(text: &str) {
    // Nobody may be listening, and that is no reason to stop measuring.
    let _ = writeln!(std::io::stderr(), "ossp: {text}");
}
