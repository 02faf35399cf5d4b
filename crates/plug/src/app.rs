//! How the product runs: `run_core` (samples, metering, relay; awaits nothing else) beside `run_rest` (everything
//! else), joined by bounded channels that are passed in.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::future::pending;

use edge_nal::{TcpAccept, UdpBind};
use embassy_futures::join::join5;
use embassy_futures::select::{Either3, Either4, select3, select4};
use embassy_futures::yield_now;
use embassy_sync::blocking_mutex::raw::RawMutex;
use embassy_sync::channel::Channel;
use embassy_sync::signal::Signal;
use metering::calibration::Calibration;
use metering::front_end::Pair;
use metering::history::View;
use metering::idle::Idle;
use metering::meter::Meter;
use metering::quality::Flag;
use metering::reading::{Harmonics, Reading};
use metering::units::Amperes;
use metering::window::Span;

use crate::apart::apart;
use crate::core::protection::{OverCurrent, Trip};
use crate::core::relay::{RelayChange, RelayCommand, RelayStatus};
use crate::core::{Actions, Core, Event, Moment};
use crate::limits;
use crate::net;
use crate::platform::{Block, Clock, Credentials, Instant, Relay, Samples, UpdateSlots, Wifi};
use crate::starts;
use crate::state::State;
use crate::update::confirm;
use crate::web::{Plug as Web, serve};

/// What the core is asked to do.
pub enum Command {
    /// Switch the relay; answered by [`Answer::Relay`].
    Relay(RelayCommand),
    /// Fill this with samples; answered by [`Answer::Capture`].
    Capture(Box<Capture>),
}

/// What a capture shall hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptureRequest {
    /// The newest samples, this many mains cycles of them.
    Cycles(u32),
    /// The samples of the newest reading: two cycles before its first edge to two pairs after its last.
    LastWindow,
}

/// Raw pairs on their way out. One buffer goes round between the web and the core: nothing is allocated later.
pub struct Capture {
    /// What was asked.
    pub request: CaptureRequest,
    /// The pairs, lost ones as [`Pair::LOST`]; its capacity is what a capture can hold.
    pub pairs: Vec<Pair>,
    /// With which calibration they are to be understood.
    pub calibration: Option<Calibration>,
    /// The reading that belongs to the pairs, for [`CaptureRequest::LastWindow`].
    pub reading: Option<Reading>,
    /// Where the reading's window lies: positions count from the first of `pairs`.
    pub span: Option<Span>,
    /// Why there is nothing in it.
    pub error: Option<CaptureError>,
}

/// Why a capture failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CaptureError {
    /// No window was measured yet.
    NothingYet,
    /// More cycles than the plug holds.
    TooLong,
    /// The samples were lost or are not there any more.
    Gone,
}

/// The core's answers to commands, in the order of the commands.
pub enum Answer {
    /// What the relay is after the command.
    Relay(RelayStatus),
    /// The buffer back.
    Capture(Box<Capture>),
}

/// What goes with a window beside its reading. Only the newest is of interest.
#[derive(Clone, Debug, PartialEq)]
pub struct Details {
    /// Of the reading.
    pub sequence: u64,
    /// Its harmonics.
    pub harmonics: Harmonics,
    /// What the open relay lets be known of the current channel.
    pub idle: Idle,
    /// Pairs lost since start.
    pub lost_pairs: u64,
}

impl Details {
    /// Before the first window.
    pub const NONE: Self = Self { sequence: 0, harmonics: Harmonics::NONE, idle: Idle::NONE, lost_pairs: 0 };
}

/// The channels between `run_core` and `run_rest`. The core never waits on any of them.
pub struct Link<M: RawMutex> {
    /// To the core.
    pub commands: Channel<M, Command, { limits::COMMAND_QUEUE }>,
    /// From the core.
    pub answers: Channel<M, Answer, { limits::COMMAND_QUEUE }>,
    /// Windows, oldest first; the oldest is dropped when `run_rest` stalls too long.
    pub readings: Channel<M, Reading, { limits::READING_QUEUE }>,
    /// What goes with the newest window.
    pub details: Signal<M, Details>,
    /// Relay changes.
    pub changes: Channel<M, RelayChange, { limits::RELAY_QUEUE }>,
    /// What the relay is: after each change and with each window.
    pub relay: Signal<M, RelayStatus>,
}

impl<M: RawMutex> Link<M> {
    /// Empty channels.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            commands: Channel::new(),
            answers: Channel::new(),
            readings: Channel::new(),
            details: Signal::new(),
            changes: Channel::new(),
            relay: Signal::new(),
        }
    }
}

impl<M: RawMutex> Default for Link<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl Capture {
    /// A buffer for the longest window with its lead, at a sample rate; the only allocation it ever makes.
    #[must_use]
    pub fn for_rate(sample_rate: f64) -> Self {
        Self {
            request: CaptureRequest::LastWindow,
            pairs: Vec::with_capacity((sample_rate * limits::CAPTURE_S) as usize),
            calibration: None,
            reading: None,
            span: None,
            error: None,
        }
    }

    fn fill(&mut self, meter: &Meter<'_>, newest: Option<&Reading>) {
        self.pairs.clear();
        self.reading = None;
        self.span = None;
        self.calibration = Some(meter.setup().calibration().clone());
        self.error = match self.request {
            CaptureRequest::Cycles(cycles) => self.fill_cycles(meter, cycles),
            CaptureRequest::LastWindow => self.fill_window(meter, newest),
        }
        .err();
    }

    fn fill_cycles(&mut self, meter: &Meter<'_>, cycles: u32) -> Result<(), CaptureError> {
        let view = meter.newest_cycles(cycles).ok_or(CaptureError::TooLong)?;
        self.copy(view)
    }

    fn fill_window(&mut self, meter: &Meter<'_>, newest: Option<&Reading>) -> Result<(), CaptureError> {
        let (measured, span, view) = meter.newest().ok_or(CaptureError::NothingYet)?;
        let told = newest.filter(|reading| reading.sequence == measured.sequence);
        // A new calibration holds from the next window on: this one's samples need the old one.
        let same_calibration = measured.calibration == meter.setup().calibration().id();
        if view.end() < span.end_row() || view.base > span.first.row() || !same_calibration {
            return Err(CaptureError::Gone);
        }
        self.copy(view)?;
        self.reading = Some(told.unwrap_or(measured).clone());
        self.span = Some(span.counted_from(view.base));
        Ok(())
    }

    fn copy(&mut self, view: View<'_>) -> Result<(), CaptureError> {
        if view.voltage.len() > self.pairs.capacity() {
            return Err(CaptureError::TooLong);
        }
        let pairs = view.voltage.iter().zip(view.current);
        self.pairs.extend(pairs.map(|(&voltage, &current)| Pair { voltage, current }));
        Ok(())
    }
}

/// The core task: takes every block of samples, measures, protects, and switches. It waits for samples and
/// commands and for nothing else; whatever becomes of the rest of the plug, this goes on.
///
/// `limit` is the current at which it opens the relay (see [`crate::core::protection`]).
///
/// Returns when the samples end (never on a plug). Dropping the future leaves the relay as it is.
pub async fn run_core<S: Samples, R: Relay, C: Clock, M: RawMutex>(
    samples: &mut S,
    relay: &mut R,
    clock: &C,
    meter: &mut Meter<'_>,
    core: Core,
    limit: Amperes,
    link: &Link<M>,
) {
    let protection = OverCurrent::new(limit, meter.setup().calibration().current.gain);
    let mut instant_limit = protection.instant_limit(meter);
    samples.set_instant_limit(instant_limit);
    let mut task = CoreTask { relay, clock, meter, core, protection, link, newest: None };
    task.act(|core, now| core.handle(now, Event::Start));
    let mut newest_block = clock.now();
    loop {
        let missing = samples.measures().then(|| newest_block.after(limits::SAMPLES_MISSING));
        let due = earliest(task.core.poll_at(), missing);
        match select3(samples.next(), link.commands.receive(), sleep(clock, due)).await {
            Either3::First(Some(block)) => {
                task.block(block);
                newest_block = clock.now();
                let limit = task.protection.instant_limit(task.meter);
                if limit != instant_limit {
                    instant_limit = limit;
                    samples.set_instant_limit(limit);
                }
            }
            Either3::First(None) => return,
            Either3::Second(command) => task.command(command),
            Either3::Third(()) => {
                let silent = missing.is_some_and(|due| due <= clock.now());
                if silent {
                    newest_block = clock.now();
                }
                task.idle(silent);
            }
        }
    }
}

/// The earlier of two moments that may not be.
fn earliest(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

/// Until `due`, for ever without one.
async fn sleep<C: Clock>(clock: &C, due: Option<Instant>) {
    match due {
        Some(due) => clock.sleep_until(due).await,
        None => pending().await,
    }
}

struct CoreTask<'t, 'm, R, C, M: RawMutex> {
    relay: &'t mut R,
    clock: &'t C,
    meter: &'t mut Meter<'m>,
    core: Core,
    protection: OverCurrent,
    link: &'t Link<M>,
    /// As it was told to the world: with its time.
    newest: Option<Reading>,
}

impl<R: Relay, C: Clock, M: RawMutex> CoreTask<'_, '_, R, C, M> {
    fn now(&self) -> Moment {
        Moment { instant: self.clock.now(), time: self.clock.time_of_day() }
    }

    fn block(&mut self, block: Block<'_>) {
        let time = self.clock.time_of_day();
        let rate = self.meter.front_end().sample_rate.0;
        let (core, link, newest) = (&mut self.core, self.link, &mut self.newest);
        let mut details = None;
        let taken_in = self.meter.rows() + u64::from(block.lost_before) + block.pairs.len() as u64;
        let now = Moment { instant: self.clock.now(), time };
        self.meter.push(block.lost_before, block.pairs, |reading, harmonics| {
            let mut reading = reading.clone();
            let age = taken_in as f64 / rate - reading.uptime.0;
            reading.time = time.map(|time| time - age);
            reading.quality.set_if(Flag::ClockUntrusted, time.is_none());
            // A reading asks nothing of the relay yet; later steps' protections will.
            let _ = core.handle(now, Event::Reading(&reading));
            details = Some((reading.sequence, harmonics.clone()));
            *newest = Some(reading.clone());
            send_newest(&link.readings, reading);
        });
        if let Some((sequence, harmonics)) = details {
            let (idle, lost_pairs) = (*self.meter.idle(), self.meter.lost_pairs());
            self.link.details.signal(Details { sequence, harmonics, idle, lost_pairs });
            self.tell_relay();
        }
        // A new calibration says anew what a count means.
        self.protection = self.protection.with_gain(self.meter.setup().calibration().current.gain);
        self.obey_instant_trip();
        if self.core.is_on()
            && let Some(trip) = self.protection.check(&self.meter.half_cycle())
        {
            self.act(|core, now| core.handle(now, Event::Trip(trip)));
        }
        self.tick();
    }

    /// No block came: time goes on all the same, and what is not measured is not protected.
    fn idle(&mut self, silent: bool) {
        self.obey_instant_trip();
        if silent && self.core.is_on() {
            self.act(|core, now| core.handle(now, Event::Trip(Trip::NoSamples)));
        }
        self.tick();
    }

    fn tick(&mut self) {
        if self.core.poll_at().is_some_and(|due| due <= self.clock.now()) {
            self.act(|core, now| core.handle(now, Event::Tick));
        }
    }

    /// Something below the core has opened the relay: the core locks out and says why, before anything else is heard.
    fn obey_instant_trip(&mut self) {
        if let Some(trip) = self.relay.tripped() {
            let trip = self.protection.instant_trip(trip);
            self.act(|core, now| core.handle(now, Event::Trip(trip)));
        }
    }

    /// The contact follows its command late, and the seconds of a `for_s` run down: so it is told again and again.
    fn tell_relay(&self) {
        self.link.relay.signal(self.core.relay_status(self.clock.now(), self.relay.measured()));
    }

    fn command(&mut self, command: Command) {
        self.obey_instant_trip();
        let answer = match command {
            Command::Relay(command) => {
                self.act(|core, now| core.handle(now, Event::Command(command)));
                Answer::Relay(self.core.relay_status(self.clock.now(), self.relay.measured()))
            }
            Command::Capture(mut capture) => {
                capture.fill(self.meter, self.newest.as_ref());
                Answer::Capture(capture)
            }
        };
        // As many answers as commands can be under way: there is room unless nobody ever fetched them.
        let _ = self.link.answers.try_send(answer);
    }

    /// Lets the core decide, and carries it out: the relay first, the world afterwards.
    fn act(&mut self, decide: impl FnOnce(&mut Core, Moment) -> Actions) {
        let now = self.now();
        let actions = decide(&mut self.core, now);
        if let Some(on) = actions.relay {
            self.relay.set(on);
            self.meter.set_relay(on);
        }
        for change in actions.changes {
            send_newest(&self.link.changes, change);
        }
        self.tell_relay();
    }
}

/// Sends without waiting; when nobody fetches, the oldest makes room.
fn send_newest<M: RawMutex, T, const N: usize>(channel: &Channel<M, T, N>, item: T) {
    if let Err(embassy_sync::channel::TrySendError::Full(item)) = channel.try_send(item) {
        let _ = channel.try_receive();
        // There is room by now: this task is the only sender.
        let _ = channel.try_send(item);
    }
}

/// What [`run_rest`] lives on. What a shell does not have is `None`, with [`NoWifi`](crate::net::NoWifi),
/// [`NoopNet`](edge_nal::NoopNet) and [`NoSlots`](crate::update::NoSlots) as its type.
pub struct Rest<'a, A, W, U, S, C, N, M: RawMutex> {
    /// Lets web clients in.
    pub acceptor: &'a A,
    /// What the web shows and steers.
    pub web: &'a Web<'a, C, N, M>,
    /// The radio.
    pub wifi: Option<&'a mut W>,
    /// The network to join, if one is known.
    pub known: Option<&'a Credentials>,
    /// Name and password of the access point: [`factory_access_point`](crate::net::factory_access_point) until the
    /// plug has an owner.
    pub own: &'a Credentials,
    /// UDP sockets on the access point's side, for its addresses.
    pub access_point_udp: Option<&'a U>,
    /// Where images lie.
    pub slots: Option<&'a mut S>,
}

/// Everything that is not the core: takes what the core says into the state, serves the web, keeps the plug on its
/// network, confirms a new image. Runs for ever; dropping the future ends all connections and nothing else.
pub async fn run_rest<A, W, U, S, C, N, M>(rest: Rest<'_, A, W, U, S, C, N, M>) -> !
where
    A: TcpAccept,
    A::Error: 'static,
    W: Wifi,
    U: UdpBind,
    S: UpdateSlots,
    C: Clock,
    N: Clock,
    M: RawMutex,
{
    let Rest { acceptor, web, wifi, known, own, access_point_udp, slots } = rest;
    let (clock, state) = (web.clock, web.state);
    starts::tell(web.starts, clock, state);
    let network = apart(|| async {
        match wifi {
            Some(wifi) => net::run(wifi, clock, state, known, own).await,
            None => pending().await,
        }
    });
    let addresses = apart(|| async {
        match access_point_udp {
            Some(sockets) => net::addresses::serve(sockets, clock, net::addresses::PORT).await,
            None => pending().await,
        }
    });
    let probation = apart(|| async {
        match slots {
            Some(slots) => confirm::run(slots, clock, state).await,
            None => pending().await,
        }
    });
    let core = apart(|| follow_core(state, web.link));
    let web = apart(|| serve(acceptor, web));
    // The web last: whoever is first to ask already finds what the others had to say.
    let (never, ..) = join5(core, network, addresses, probation, web).await;
    never
}

/// Takes what the core says into the state that everybody else looks at. Runs for ever.
async fn follow_core<M: RawMutex>(state: &State, link: &Link<M>) -> ! {
    loop {
        let numbers = (link.readings.receive(), link.details.wait());
        match select4(numbers.0, numbers.1, link.changes.receive(), link.relay.wait()).await {
            Either4::First(reading) => {
                state.put_reading(reading);
                // After a stall several wait: each gets its turn in the live streams.
                yield_now().await;
            }
            Either4::Second(details) => state.put_details(details),
            Either4::Third(change) => state.put_change(change),
            Either4::Fourth(status) => state.put_relay(status),
        }
    }
}
