//! The core task: one turn for each block of samples, each command and each moment that something is due.

use core::future::pending;

use alloc::boxed::Box;

use embassy_futures::select::{Either3, select3};
use embassy_sync::blocking_mutex::raw::RawMutex;
use heapless::Vec;
use metering::calibration::Calibration;
use metering::front_end::Pair;
use metering::meter::Meter;
use metering::quality::Flag;
use metering::reading::Reading;

use super::link::{Answer, Command, Details, Link, Tripped, send_newest};
use crate::core::claims::{Cause, Refusal};
use crate::core::protection::OverCurrent;
use crate::core::{Actions, Begin, Core, Event, Moment};
use crate::limits;
use crate::platform::{Block, Clock, Instant, Relay, Samples};
use crate::settings::Settings;
use crate::storage::trips::pairs_around;

/// Below this part of nominal voltage's peak a sample says nothing of mains.
const MAINS_PART: f64 = 0.1;
/// Mains that stay below that for so long are gone: a zero crossing takes 0.6 ms.
const MAINS_GONE_S: f64 = 0.005;
/// Windows that can end in one block of samples.
const FRESH: usize = 3;

/// The core task: takes every block of samples, measures, protects, and switches. It waits for samples and
/// commands and for nothing else; whatever becomes of the rest of the plug, this goes on.
///
/// `core` is as new. Until [`Command::Begin`] comes it measures and protects with the relay open, and tells no reading.
///
/// Returns when the samples end (never on a plug). Dropping the future leaves the relay as it is.
pub async fn run_core<S: Samples, R: Relay, C: Clock, M: RawMutex>(
    samples: &mut S,
    relay: &mut R,
    clock: &C,
    meter: &mut Meter<'_>,
    core: &mut Core,
    link: &Link<M>,
) {
    let gain = meter.setup().calibration().current.gain;
    let protection = core.over_current(gain);
    let mut instant_limit = protection.instant_limit(meter);
    samples.set_instant_limit(instant_limit);
    let mains = Mains::new(meter);
    let board = meter.setup().calibration().clone();
    let told = Told::new();
    let parked = false;
    let mut task = CoreTask { relay, clock, meter, core, protection, gain, link, board, told, mains, parked };
    let kept = task.core.is_on();
    if !kept {
        // Nobody knows how the pin was left.
        task.relay.set(false);
    }
    task.meter.set_relay(kept);
    // The newest one that had a pair in it.
    let mut newest_block = clock.now();
    loop {
        let missing = samples.measures().then(|| newest_block.after(limits::SAMPLES_MISSING));
        let due = earliest(task.core.poll_at(task.now()), missing);
        match select3(samples.next(), link.commands.receive(), sleep(clock, due)).await {
            Either3::First(Some(block)) => {
                // A gap is not a measurement: blocks that only say what was lost leave the plug as blind as none.
                let measured = !block.pairs.is_empty();
                task.block(block);
                let silent = !measured && missing.is_some_and(|due| due <= clock.now());
                if silent {
                    task.idle(true);
                }
                if measured || silent {
                    newest_block = clock.now();
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
        let limit = task.protection.instant_limit(task.meter);
        if limit != instant_limit {
            instant_limit = limit;
            samples.set_instant_limit(limit);
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
    core: &'t mut Core,
    protection: OverCurrent,
    /// That it was made for.
    gain: f64,
    link: &'t Link<M>,
    /// What the board's own values say, where nobody calibrated it.
    board: Calibration,
    told: Box<Told>,
    mains: Mains,
    /// The relay was opened for a restart that is due, and nobody closes it any more.
    parked: bool,
}

/// Readings, apart: a window's arithmetic goes deep, and what is beside it on the stack counts twice.
struct Told {
    /// As it was told to the world: with its time.
    newest: Option<Reading>,
    /// Windows that ended in this block, which the core has not heard of yet.
    fresh: Vec<Reading, FRESH>,
}

impl Told {
    #[inline(never)]
    fn new() -> Box<Self> {
        Box::new(Self { newest: None, fresh: Vec::new() })
    }
}

impl<R: Relay, C: Clock, M: RawMutex> CoreTask<'_, '_, R, C, M> {
    fn now(&self) -> Moment {
        Moment { instant: self.clock.now(), time: self.clock.time_of_day() }
    }

    fn block(&mut self, block: Block<'_>) {
        if self.mains.vanish(block.pairs) {
            self.link.mains_lost.signal(());
        }
        let measured = self.measure(block);
        if self.meter.setup().calibration().current.gain != self.gain {
            // A new calibration says anew what a count means.
            self.follow_limits();
        }
        self.obey_instant_trip();
        if self.core.is_on()
            && let Some(trip) = self.protection.check(&self.meter.half_cycle())
        {
            self.act(Event::Trip(trip));
        }
        self.tell_core();
        if measured {
            self.tell_protection();
            self.tell_relay();
        }
        self.tick();
    }

    #[inline(never)]
    fn tell_core(&mut self) {
        while let Some(reading) = self.told.fresh.first().cloned() {
            self.told.fresh.remove(0);
            self.act(Event::Reading(&reading));
        }
    }

    /// Takes a block in; whether a window ended.
    #[inline(never)]
    fn measure(&mut self, block: Block<'_>) -> bool {
        let time = self.clock.time_of_day();
        let rate = self.meter.front_end().sample_rate.0;
        let begun = self.core.has_begun();
        let Told { newest, fresh } = &mut *self.told;
        let link = self.link;
        let mut details = None;
        let taken_in = self.meter.rows() + u64::from(block.lost_before) + block.pairs.len() as u64;
        self.meter.push(block.lost_before, block.pairs, |reading, harmonics| {
            if !begun {
                return;
            }
            let mut reading = reading.clone();
            let age = taken_in as f64 / rate - reading.uptime.0;
            reading.time = time.map(|time| time - age);
            reading.quality.set_if(Flag::ClockUntrusted, time.is_none());
            details = Some((reading.sequence, harmonics.clone()));
            *newest = Some(reading.clone());
            // Of more windows in a block the core hears of the first ones.
            let _ = fresh.push(reading.clone());
            send_newest(&link.readings, reading);
        });
        let Some((sequence, harmonics)) = details else { return false };
        let (idle, lost_pairs) = (*self.meter.idle(), self.meter.lost_pairs());
        self.link.details.signal(Details { sequence, harmonics, idle, lost_pairs });
        true
    }

    /// No block came: time goes on all the same, and what is not measured is not protected.
    fn idle(&mut self, silent: bool) {
        self.obey_instant_trip();
        if silent {
            self.act(Event::Silence);
        }
        self.tick();
    }

    fn tick(&mut self) {
        if self.core.poll_at(self.now()).is_some_and(|due| due <= self.clock.now()) {
            self.act(Event::Tick);
        }
    }

    /// Something below the core has opened the relay: the core locks out and says why, before anything else is heard.
    #[inline(never)]
    fn obey_instant_trip(&mut self) {
        if let Some(trip) = self.relay.tripped() {
            let trip = self.protection.instant_trip(trip);
            self.act(Event::Trip(trip));
        }
    }

    #[inline(never)]
    fn tell_protection(&self) {
        self.link.protection.signal(self.core.protection_status(self.now()));
    }

    /// The contact follows its command late, and the seconds of a `for_s` run down: so it is told again and again.
    #[inline(never)]
    fn tell_relay(&self) {
        let mut status = self.core.relay_status(self.now(), self.relay.measured());
        if self.parked {
            // The core still knows what it was told, for after the restart.
            status.on = false;
            status.reason = Cause::try_from("open for a restart that is due").unwrap_or_default();
        }
        self.link.relay.signal(status);
    }

    #[inline(never)]
    fn command(&mut self, command: Command) {
        self.obey_instant_trip();
        // What is due comes before what is asked.
        self.tick();
        match command {
            Command::Begin(begin) => self.begin(&begin),
            Command::Settings(settings) => self.set(&settings),
            Command::ChipTemperature(celsius) => self.act(Event::Temperature(celsius)),
            Command::Press(command) => self.act(Event::Command(command)),
            Command::Relay(command) => {
                let result = self.try_act(Event::Command(command));
                self.tell_relay();
                self.answer(Answer::Relay(result));
            }
            Command::Capture(mut capture) => {
                capture.fill(self.meter, self.told.newest.as_ref());
                self.answer(Answer::Capture(capture));
            }
            Command::Piece(mut piece) => {
                piece.fill(self.meter);
                self.link.pieces.signal(piece);
            }
            Command::Park { can_hold } => {
                let hold = can_hold && self.core.is_on();
                if !hold {
                    self.parked = true;
                    self.set_relay(false);
                    self.tell_relay();
                }
                self.link.parked.signal(hold);
            }
        }
    }

    #[inline(never)]
    fn begin(&mut self, begin: &Begin) {
        self.calibrate(&begin.settings);
        self.meter.resume(&begin.energy);
        self.act(Event::Begin(begin));
        self.follow_limits();
    }

    #[inline(never)]
    fn set(&mut self, settings: &Settings) {
        self.calibrate(settings);
        self.act(Event::Settings(settings));
        self.follow_limits();
    }

    fn calibrate(&mut self, settings: &Settings) {
        let wanted = settings.calibration.in_use.as_ref().unwrap_or(&self.board);
        if wanted.id() != self.meter.setup().calibration().id() {
            self.meter.calibrate(wanted.clone());
        }
    }

    #[inline(never)]
    fn follow_limits(&mut self) {
        self.gain = self.meter.setup().calibration().current.gain;
        self.protection = self.core.over_current(self.gain);
    }

    fn set_relay(&mut self, on: bool) {
        self.relay.set(on);
        self.meter.set_relay(on);
    }

    fn answer(&self, answer: Answer) {
        // As many answers as commands can be under way: there is room unless nobody ever fetched them.
        let _ = self.link.answers.try_send(answer);
    }

    /// Lets the core decide on what nobody waits for.
    fn act(&mut self, event: Event<'_>) {
        let _ = self.try_act(event);
    }

    /// Lets the core decide, and carries it out: the relay first, the world afterwards.
    #[inline(never)]
    fn try_act(&mut self, event: Event<'_>) -> Result<(), Refusal> {
        let now = self.now();
        let Actions { relay, trip, changes } = self.core.handle(now, event)?;
        if let Some(on) = relay {
            self.set_relay(on && !self.parked);
        }
        if let Some(trip) = trip {
            let row = self.meter.rows();
            let (before, _) = pairs_around(self.meter.front_end().sample_rate);
            let from = row.saturating_sub(before.into());
            self.meter.keep_rows_from(Some(from));
            let uptime_s = now.instant.since_start().as_secs_f64();
            let number = self.core.newest_trip();
            send_newest(&self.link.tripped, Tripped { number, trip, time: now.time, uptime_s, row, from });
        }
        if relay.is_some() || !changes.is_empty() {
            for change in changes {
                send_newest(&self.link.changes, change);
            }
            self.tell_relay();
        }
        Ok(())
    }
}

/// Sees mains vanish, sooner than any window says it.
#[derive(Clone, Copy, Debug)]
struct Mains {
    zero: i32,
    threshold: u32,
    patience: usize,
    quiet: usize,
    there: bool,
}

impl Mains {
    fn new(meter: &Meter<'_>) -> Self {
        let (setup, front_end) = (meter.setup(), meter.front_end());
        let voltage = &setup.calibration().voltage;
        let peak = front_end.nominal_voltage.0 * core::f64::consts::SQRT_2;
        Self {
            zero: libm::round(voltage.zero_raw) as i32,
            threshold: libm::fabs(peak * MAINS_PART / voltage.gain) as u32,
            patience: (MAINS_GONE_S * front_end.sample_rate.0) as usize,
            quiet: 0,
            there: false,
        }
    }

    /// Whether they vanished with these pairs, after they had been there.
    fn vanish(&mut self, pairs: &[Pair]) -> bool {
        if pairs.iter().any(|pair| pair.voltage.abs_diff(self.zero) > self.threshold) {
            self.quiet = 0;
            self.there = true;
            return false;
        }
        self.quiet += pairs.len();
        self.there && self.quiet >= self.patience && {
            self.there = false;
            true
        }
    }
}
