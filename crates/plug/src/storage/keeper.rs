//! Opens all that the flash keeps, and has the tasks that write it: one for each store, so that none waits for another.

use alloc::boxed::Box;
use alloc::vec::Vec;

use embassy_futures::select::{Either3, select3};
use embassy_sync::blocking_mutex::raw::{NoopRawMutex, RawMutex};
use embassy_sync::mutex::Mutex;
use embassy_sync::signal::Signal;
use embedded_storage_async::nor_flash::NorFlash;
use metering::energy::Resumed;
use metering::front_end::FrontEnd;
use metering::units::Seconds;

use super::archive::{Archive, CHANGES, Found, Query};
use super::before::Before;
use super::import;
use super::journal::{Journal, JournalPolicy};
use super::layout;
use super::meter_id::{self, MeterId, MeterKept};
use super::region::{Region, Shared};
use super::relay_log::{RelayLog, StoredChange};
use super::reset::{self, Reset};
use super::totals::{DayMarks, Row, Totals};
use super::trips::{CHUNK, TripHead, TripStore, TripTail, pairs_around};

use crate::apart::apart;
use crate::app::{Command, Link, Piece, Tripped};
use crate::core::civil::local_day;
use crate::core::claims::{Cause, Class, Memory, RelayChange, Source};
use crate::core::protection::Trip;
use crate::defaults::Defaults;
use crate::history::History;
use crate::limits;
use crate::platform::{Clock, Instant, Random};
use crate::settings::{self, Basis, SettingsStore};
use crate::starts::Starts;
use crate::state::{State, Stores};

/// Changes that are looked through for the cause of a lock-out: a few wishes in vain, and many starts.
const LOCK_OUT_LOOK: usize = 64;

type Part<'a, F> = Region<'a, F>;
type Own<T> = Mutex<NoopRawMutex, T>;

/// All stores of one plug.
pub struct Keeper<'a, F: NorFlash> {
    state: &'a State,
    start: u32,
    log: Own<Option<RelayLog<Part<'a, F>>>>,
    trips: Own<Option<TripStore<Part<'a, F>>>>,
    journal: Own<Journal<Part<'a, F>>>,
    marks: Own<DayMarks<Part<'a, F>>>,
    /// Who the meter is; its energy is kept only if this is.
    meter: MeterId,
    meter_kept: bool,
    /// Asks for the newest totals to be written now; answered by `flushed`.
    flush: Signal<NoopRawMutex, ()>,
    flushed: Signal<NoopRawMutex, ()>,
}

/// The settings' place and the calibration's.
pub type Settling<'a, F> = SettingsStore<Part<'a, F>, Part<'a, F>>;

/// Finishes a factory reset that was begun, takes what came by cable for a plug that nobody owns ([`import`]), then reads
/// the settings into the state. Whether there was a reset.
pub async fn open_settings<'a, F: NorFlash>(
    flash: &'a Shared<F>,
    log: &Shared<F>,
    state: &State,
    basis: &Basis,
    defaults: &Defaults,
    id: &str,
    mut say: impl FnMut(&str),
) -> (Settling<'a, F>, bool) {
    let finished = finish_reset(flash, log).await;
    if let Some(words) = finished.map_or(Some("the flash cannot be used: nothing is kept"), Reset::words) {
        say(words);
    }
    let part = |place| Region::new(flash, place);
    let mut store = SettingsStore::new(part(layout::SETTINGS), part(layout::CALIBRATION));
    apart(|| import::take(flash, &mut store, basis, defaults, id, &mut say)).await;
    let trouble = settings::begin(&mut store, state, basis, defaults).await;
    let understood = trouble.as_ref().is_none_or(|trouble| trouble.settings == settings::Found::Whole);
    state.stores.set(Stores { settings: understood, ..state.stores.get() });
    if let Some(trouble) = trouble {
        trouble.tell(say);
    }
    (store, matches!(finished, Some(Reset::Done | Reset::ButLog)))
}

async fn finish_reset<F: NorFlash>(flash: &Shared<F>, log: &Shared<F>) -> Option<Reset> {
    let mut flash = flash.lock().await;
    reset::finish_if_begun(flash.as_mut()?, log.lock().await.as_mut()).await.ok()
}

impl<'a, F: NorFlash> Keeper<'a, F> {
    /// Opens the stores. What does not open is told, and the plug goes on without it. Reads some 100 KB at most.
    pub async fn open(
        flash: &'a Shared<F>,
        state: &'a State,
        starts: &Starts,
        random: &mut impl Random,
        time: Option<f64>,
        mut say: impl FnMut(&str),
    ) -> (Self, Before) {
        let part = |place| Region::new(flash, place);
        let (meter, kept) = meter_id::open(part(layout::METER), random).await;
        if kept == MeterKept::BeganAnew {
            say("the meter's identity could not be read: energy begins at 0 under a new one");
        }
        let (journal, totals) = Journal::open(part(layout::ENERGY), meter.tag()).await;
        state.stores.set(Stores { journal: totals.is_ok(), ..state.stores.get() });
        let totals = totals.unwrap_or_else(|error| {
            say(&alloc::format!("energy: {error}"));
            None
        });
        if totals.is_none() && kept == MeterKept::Found {
            say("no energy was found that was kept under this meter: it begins at 0");
        }
        let totals = totals.unwrap_or_default();
        let (marks, opened) = DayMarks::open(part(layout::TOTALS), meter.tag()).await;
        if opened.is_err() {
            say("the daily totals could not be read and begin anew");
        }
        let mut log = RelayLog::open(part(layout::RELAY_LOG)).await.ok();
        let newest = match &mut log {
            Some(log) => log.newest().await.map_err(|_| ()),
            None => Err(()),
        };
        let flash_is_there = flash.lock().await.is_some();
        let cause = match (&mut log, &newest) {
            (Some(log), Ok(Some(newest))) if newest.locked_out => Some(lock_out_cause(log, newest).await),
            // A lock-out that cannot be read may be one.
            (_, Err(())) if flash_is_there => Cause::try_from("the relay's log cannot be read").ok(),
            _ => None,
        };
        let newest = newest.ok().flatten();
        let trips = TripStore::open(part(layout::TRIPS)).await.ok();
        if log.is_none() || trips.is_none() {
            say("the relay's log and trips cannot be used: nothing is kept of them");
        }
        let memory = Memory {
            on: newest.as_ref().map(|change| change.on),
            locked_out: cause,
            planned_restart_kept_on: false,
            bad_starts_in_a_row: starts.bad_in_a_row,
        };
        let day = time.map(|time| local_day(time, &state.zone.get()));
        let newest_day = marks.newest_day();
        // Without the time of day it may still be the day of the newest mark; the budget sees later.
        let day = day.or(newest_day);
        let used_today_wh = day.and_then(|day| Some((day, marks.used_today_wh(day, &totals)?)));
        let next_trip = trips.as_ref().map_or(1, |trips| trips.newest_number().saturating_add(1));
        let before = Before { memory, energy: resumed(&totals), used_today_wh, next_trip, newest_day };
        state.meter_id.set(Some(meter));
        let keeper = Self {
            state,
            start: starts.number,
            log: Mutex::new(log),
            trips: Mutex::new(trips),
            journal: Mutex::new(journal),
            marks: Mutex::new(marks),
            meter,
            meter_kept: kept != MeterKept::NotKept,
            flush: Signal::new(),
            flushed: Signal::new(),
        };
        (keeper, before)
    }

    /// Who the meter is.
    pub fn meter(&self) -> MeterId {
        self.meter
    }

    /// Takes the relay's changes into state and log. Runs for ever; dropping the future loses the change under way.
    pub async fn keep_log<M: RawMutex>(&self, link: &Link<M>, say: impl Fn(&str)) -> ! {
        let mut told = false;
        loop {
            let mut change = link.changes.receive().await;
            change.start = self.start;
            let mut log = self.log.lock().await;
            if let Some(log) = &mut *log {
                match log.append(&stored(&change)).await {
                    Ok(number) => change.number = number,
                    Err(error) if !told => {
                        say(&alloc::format!("the relay's log: {error}"));
                        told = true;
                    }
                    Err(_) => {}
                }
            }
            self.state.put_change(change);
            if let Some(log) = &mut *log
                && link.changes.is_empty()
            {
                // An error shows with the next change.
                let _ = log.maintain().await;
            }
        }
    }

    /// Keeps the energy, and marks the days. Runs for ever; dropping the future is a power cut.
    pub async fn keep_energy<C: Clock, M: RawMutex>(
        &self,
        clock: &C,
        link: &Link<M>,
        say: impl Fn(&str),
    ) -> ! {
        let mut newest = self.journal.lock().await.newest().unwrap_or_default();
        let mut policy = JournalPolicy::new(clock.now(), newest);
        let (mut outage, mut told) = (false, false);
        // One sector is always ahead.
        let _ = self.journal.lock().await.maintain().await;
        loop {
            let mut due = false;
            match select3(self.state.metered.wait(), link.mains_lost.wait(), self.flush.wait()).await {
                Either3::First(metered) => {
                    newest = metered.totals;
                    outage &= !metered.mains_are_there;
                }
                Either3::Second(()) => outage = true,
                Either3::Third(()) => due = true,
            }
            due |= policy.handle(clock.now(), &newest, outage);
            let day = clock.time_of_day().map(|time| local_day(time, &self.state.zone.get()));
            let day = self.unless_it_forgets(day, clock.now()).await;
            let begins = match day {
                Some(day) => self.marks.lock().await.wants(day),
                None => false,
            };
            let mut kept = self.meter_kept;
            if (due || begins) && kept {
                let result = self.journal.lock().await.append(&newest).await;
                kept = result.is_ok();
                if kept {
                    policy.written(&newest);
                    self.state.journal_writes.set(self.state.journal_writes.get().saturating_add(1));
                }
                if let Some(error) = result.err().filter(|_| !told) {
                    say(&alloc::format!("energy: {error}"));
                    told = true;
                }
            }
            self.flushed.signal(());
            // A mark must not stand above what the journal holds.
            if let Some(day) = day.filter(|_| kept) {
                // With each reading, so that a midnight counts as seen. An error shows with the next one.
                let _ = self.marks.lock().await.note(day, &newest).await;
            }
            if due && !outage {
                let _ = self.journal.lock().await.maintain().await;
            }
        }
    }

    /// The day, unless it would cost the later ones their marks while nobody knows whether the clock is right.
    async fn unless_it_forgets(&self, day: Option<i64>, now: Instant) -> Option<i64> {
        let forgets = self.marks.lock().await.would_forget(day?);
        day.filter(|_| !(forgets && self.state.time_is_doubted(now)))
    }

    /// Writes the newest totals now, whatever the policy says.
    pub async fn flush(&self) {
        self.flushed.reset();
        self.flush.signal(());
        self.flushed.wait().await;
    }

    /// Keeps the waveform of each trip: fetches it from the core in pieces, as it comes. Runs for ever; dropping the
    /// future leaves the trip under way incomplete.
    pub async fn keep_trips<C: Clock, M: RawMutex>(
        &self,
        clock: &C,
        link: &Link<M>,
        front_end: &FrontEnd,
        say: impl Fn(&str),
    ) -> ! {
        let mut piece = Some(Box::new(Piece::new()));
        self.make_room_for_a_trip().await;
        loop {
            let tripped = link.tripped.receive().await;
            let head = self.head(&tripped, front_end);
            if let Err(error) = self.keep_trip(clock, link, &tripped, &head, &mut piece).await {
                say(&alloc::format!("the waveform of the trip is not kept: {error}"));
            }
            self.state.touch();
            self.make_room_for_a_trip().await;
        }
    }

    async fn keep_trip<C: Clock, M: RawMutex>(
        &self,
        clock: &C,
        link: &Link<M>,
        tripped: &Tripped,
        head: &TripHead,
        piece: &mut Option<Box<Piece>>,
    ) -> Result<(), &'static str> {
        const NOT_KEPT: &str = "the flash does not take it";
        // Never held while samples are waited for: whoever asks the archive waits behind it.
        let mut writer = match &mut *self.trips.lock().await {
            Some(trips) => trips.begin_as(tripped.number, head).await.map_err(|_| NOT_KEPT)?,
            None => return Err(NOT_KEPT),
        };
        let (_, after) = pairs_around(head.front_end.sample_rate);
        let end = tripped.row + u64::from(after);
        let (mut at, began) = (tripped.from, clock.now());
        while at < end && clock.now().since(began) < limits::TRIP_PATIENCE {
            let piece = fetch(link, piece, (at, end), Some(at)).await;
            if piece.pairs.is_empty() && piece.from == at {
                clock.sleep_until(clock.now().after(limits::TRIP_LOOK)).await;
                continue;
            }
            let pairs = piece.pairs.as_slice();
            let index = u16::try_from(piece.from.saturating_sub(tripped.from)).unwrap_or(u16::MAX);
            match &mut *self.trips.lock().await {
                Some(trips) => trips.write(&mut writer, index, pairs).await.map_err(|_| NOT_KEPT)?,
                None => return Err(NOT_KEPT),
            }
            at = piece.from + pairs.len() as u64;
        }
        // The next one needs older rows than this.
        let keep = (!link.tripped.is_empty()).then_some(tripped.from);
        fetch(link, piece, (end, end), keep).await;
        match &mut *self.trips.lock().await {
            Some(trips) => trips.finish(writer, &TripTail::default()).await.map_err(|_| NOT_KEPT),
            None => Err(NOT_KEPT),
        }
    }

    /// Erases for the next trip what the oldest takes, a sector at a time.
    async fn make_room_for_a_trip(&self) {
        loop {
            let mut trips = self.trips.lock().await;
            let more = match &mut *trips {
                Some(trips) => trips.maintain().await,
                None => return,
            };
            if !matches!(more, Ok(true)) {
                return;
            }
        }
    }

    fn head(&self, tripped: &Tripped, front_end: &FrontEnd) -> TripHead {
        let before = u16::try_from(tripped.row.saturating_sub(tripped.from)).unwrap_or(u16::MAX);
        let current_a = match tripped.trip {
            Trip::OverCurrent { current, .. } | Trip::InverseTime { current, .. } => Some(current.0),
            _ => None,
        };
        TripHead {
            start: self.start,
            time: tripped.time,
            uptime_s: tripped.uptime_s,
            kind: tripped.trip.kind().try_into().unwrap_or_default(),
            cause: tripped.trip.cause(),
            current_a,
            pairs_before: before,
            relay_command_index: Some(before),
            front_end: *front_end,
            calibration: self.state.calibration.borrow().clone(),
        }
    }

    /// Answers what the web asks of the flash. Runs for ever.
    pub async fn answer(&self, archive: &Archive, history: &History<'_, F>) -> ! {
        loop {
            let query = archive.next().await;
            let found = match query {
                Query::Changes { skip } => self.changes(skip).await,
                Query::NewestTrip(position) => match &mut *self.trips.lock().await {
                    Some(trips) => {
                        trips.newest_first(position).await.ok().map(|trip| Found::Trip(trip.map(Box::new)))
                    }
                    None => None,
                },
                Query::Trip(number) => match &mut *self.trips.lock().await {
                    Some(trips) => Some(Found::Trip(trips.trip(number).await.ok().map(Box::new))),
                    None => None,
                },
                Query::Pairs { trip, first } => self.pairs(trip, first).await,
                Query::Days => self.rows(false).await,
                Query::Months => self.rows(true).await,
                Query::History { .. } | Query::HistorySpan | Query::Unplaced | Query::UnplacedRows { .. } => {
                    history.find(query).await
                }
            };
            archive.answer(query, found.unwrap_or(Found::Nothing));
        }
    }

    async fn changes(&self, skip: usize) -> Option<Found> {
        let mut log = self.log.lock().await;
        let mut found = Vec::new();
        found.try_reserve_exact(CHANGES).ok()?;
        let give = |change: &StoredChange| found.push(change.clone());
        log.as_mut()?.read_newest_first(skip, CHANGES, give).await.ok()?;
        Some(Found::Changes(found))
    }

    async fn pairs(&self, trip: u32, first: u16) -> Option<Found> {
        let mut trips = self.trips.lock().await;
        let mut pairs = Vec::new();
        pairs.try_reserve_exact(CHUNK.into()).ok()?;
        pairs.resize(CHUNK.into(), metering::front_end::Pair::LOST);
        let count = trips.as_mut()?.read(trip, first, &mut pairs).await.ok()?;
        pairs.truncate(count);
        Some(Found::Pairs(pairs))
    }

    async fn rows(&self, months: bool) -> Option<Found> {
        let totals = self.state.totals()?;
        let mut marks = self.marks.lock().await;
        let mut rows = if months { marks.months(&totals) } else { marks.days(&totals) };
        let mut found: Vec<Row> = Vec::new();
        loop {
            let next = marks.next_rows(&mut rows).await.ok()?;
            if next.is_empty() || found.len() >= limits::ENERGY_ROWS {
                return Some(Found::Rows(found));
            }
            found.try_reserve(next.len()).ok()?;
            found.extend(next);
        }
    }
}

/// Why protection holds the relay open: what it said itself, not what was wished or started in vain since.
async fn lock_out_cause<F: NorFlash>(log: &mut RelayLog<F>, newest: &StoredChange) -> Cause {
    let (mut cause, mut over) = (None, false);
    let look = |change: &StoredChange| {
        over |= !change.locked_out;
        let by_protection = change.source == Source::Protection.number();
        if !over && cause.is_none() && by_protection {
            cause = Some(change.cause.clone());
        }
    };
    // Without it the newest words must do.
    let _ = log.read_newest_first(0, LOCK_OUT_LOOK, look).await;
    cause.unwrap_or_else(|| newest.cause.clone())
}

/// Has the core fill a piece with rows.
async fn fetch<'p, M: RawMutex>(
    link: &Link<M>,
    piece: &'p mut Option<Box<Piece>>,
    (from, to): (u64, u64),
    keep: Option<u64>,
) -> &'p Piece {
    let mut request = piece.take().unwrap_or_default();
    (request.from, request.to, request.keep) = (from, to, keep);
    link.pieces.reset();
    link.commands.send(Command::Piece(request)).await;
    piece.insert(link.pieces.wait().await)
}

fn resumed(totals: &Totals) -> Resumed {
    Resumed {
        import: totals.import,
        export: totals.export,
        below_noise: totals.below_noise,
        unmeasured: Seconds(totals.unmeasured_s()),
    }
}

/// A change as the log keeps it.
#[must_use]
pub fn stored(change: &RelayChange) -> StoredChange {
    StoredChange {
        number: change.number,
        start: change.start,
        time: change.time,
        uptime_s: change.uptime_s,
        on: change.on,
        source: change.source.number(),
        class: change.class.number(),
        locked_out: change.locked_out,
        cause: change.cause.clone(),
        reading_sequence: change.reading_sequence,
        active_power_w: change.active_power_w,
        current_a: change.current_a,
        voltage_v: change.voltage_v,
    }
}

/// A change as it is told to the world.
pub(crate) fn told(stored: &StoredChange) -> RelayChange {
    RelayChange {
        number: stored.number,
        time: stored.time,
        uptime_s: stored.uptime_s,
        start: stored.start,
        on: stored.on,
        source: Source::from_number(stored.source),
        class: Class::from_number(stored.class),
        cause: stored.cause.clone(),
        locked_out: stored.locked_out,
        reading_sequence: stored.reading_sequence,
        active_power_w: stored.active_power_w,
        current_a: stored.current_a,
        voltage_v: stored.voltage_v,
    }
}
