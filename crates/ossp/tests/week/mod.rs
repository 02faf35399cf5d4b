//! A plug without samples: the core, its settings and the stores, driven by readings of five seconds each.

use std::collections::BTreeMap;
use std::time::Duration;

use embassy_sync::mutex::Mutex;
use futures_lite::future::block_on;
use metering::calibration::Calibration;
use metering::energy::{Energy, Resumed};
use metering::quality::Flag;
use metering::reading::{Reading, Window};
use metering::units::{Amperes, Hertz, Seconds, VoltAmperes, Volts, Watts};
use ossp::sim::flash::SimFlash;
use plug::core::civil::{Date, Zone, date_text, local_day};
use plug::core::claims::{Memory, RelayChange, RelayCommand, Source, Wish};
use plug::core::protection::Trip;
use plug::core::{Actions, Begin, Core, Event, Moment};
use plug::platform::Instant;
use plug::settings::schema::{At, PowerOn, ScheduleEntry};
use plug::settings::{Hardware, Settings};
use plug::storage::journal::{Journal, JournalPolicy};
use plug::storage::keeper;
use plug::storage::layout;
use plug::storage::region::{Region, Shared};
use plug::storage::relay_log::{RelayLog, StoredChange};
use plug::storage::totals::{DayMarks, Totals};

/// As `ossp::run` has it.
const HARDWARE: Hardware = Hardware { confirms_setup: false, ..Hardware::ANY };
const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
/// Tags the meter in journal and marks.
const METER: u32 = 0x0552_2026;
/// How long after a start the time of day is known.
const TIME_KNOWN_AFTER: Duration = Duration::from_secs(20);
/// Length of a window: what is held for 10 s lasts for two of them.
const WINDOW_S: f64 = 5.0;
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const WORKDAYS: u8 = 0b001_1111;
const ALL_DAYS: u8 = 0b111_1111;
const SUNDAY: u8 = 0b100_0000;

/// What happens to the plug.
pub(crate) enum Action {
    Command { wish: Wish, for_s: Option<u64>, source: Source },
    PowerCut { for_s: u32 },
    OverCurrent(f64),
}

fn berlin() -> Zone {
    Zone::parse(BERLIN).unwrap()
}

/// Unix seconds of a local time in October 2026 (the first of two on the 25th).
pub(crate) fn local(day: u8, hour: u32, minute: u32, second: u32) -> f64 {
    let day = Date { year: 2026, month: 10, day }.day_number();
    berlin().resolve(day, hour * 3600 + minute * 60 + second) as f64
}

fn settings() -> Settings {
    let entry = |days, at, on, random_s| ScheduleEntry { enabled: true, days, at, on, random_s };
    let clock = |hour: u32, minute: u32| At::Clock(hour * 3600 + minute * 60);
    let mut settings = Settings::default();
    settings.schedule.enabled = true;
    settings.schedule.entries = [
        entry(WORKDAYS, clock(6, 30), true, 900),
        entry(WORKDAYS, clock(8, 30), false, 900),
        entry(ALL_DAYS, At::Sunset(900), true, 0),
        entry(ALL_DAYS, clock(23, 0), false, 0),
        // On the 25th this time comes twice.
        entry(SUNDAY, clock(2, 30), true, 0),
        entry(SUNDAY, clock(2, 45), false, 0),
    ]
    .into_iter()
    .collect();
    settings.relay.power_on = PowerOn::Last;
    settings.relay.start_delay = Duration::from_secs(5);
    settings.relay.start_delay_random = Duration::from_secs(10);
    settings.relay.minimum_off = Duration::from_secs(15);
    settings.relay.idle_off_below_w = Some(5.0);
    settings.relay.idle_off_after = Duration::from_secs(1800);
    settings.protection.power_limit_w = Some(2000.0);
    settings.protection.power_hold = Duration::from_secs(10);
    settings.protection.energy_budget_wh = Some(4000.0);
    settings.protection.retries = 2;
    settings.protection.retry_pause = Duration::from_secs(60);
    settings.protection.retry_back_off = 2.0;
    settings.time.zone = "Europe/Berlin".try_into().unwrap();
    settings.time.posix = BERLIN.try_into().unwrap();
    (settings.time.latitude_deg, settings.time.longitude_deg) = (Some(52.52), Some(13.41));
    settings
}

/// What comes of a week.
pub(crate) struct Week {
    pub(crate) lines: Vec<String>,
    pub(crate) days: Vec<String>,
    pub(crate) flash: String,
    pub(crate) trips: Vec<&'static str>,
    pub(crate) import_wh: Vec<f64>,
    pub(crate) total_wh: f64,
    pub(crate) consumed_wh: f64,
    pub(crate) lost_wh: f64,
}

type Part = Region<'static, SimFlash>;

/// What a start opens.
struct Stores {
    journal: Journal<Part>,
    policy: JournalPolicy,
    marks: DayMarks<Part>,
    log: RelayLog<Part>,
}

/// The plug and its world.
pub(crate) struct Plug {
    flash: &'static Shared<SimFlash>,
    stores: Stores,
    core: Core,
    pin: bool,
    /// Unix seconds of the newest start, and now.
    started: f64,
    now: f64,
    start: u32,
    sequence: u64,
    next_trip: u32,
    totals: Totals,
    consumed: Energy,
    lost: Energy,
    writes: BTreeMap<i64, u32>,
    switchings: BTreeMap<i64, u32>,
    lines: Vec<String>,
    trips: Vec<&'static str>,
    /// The relay was switched since the newest reading.
    switched: bool,
    zone: Zone,
}

impl Plug {
    /// A new one, at this Unix time.
    pub(crate) fn start(now: f64) -> Self {
        let sectors = layout::IMPORT.from + layout::IMPORT.length;
        let flash = SimFlash::new((sectors / layout::SECTOR) as usize, 1);
        let flash: &'static Shared<SimFlash> = Box::leak(Box::new(Mutex::new(Some(flash))));
        let mut plug = Self {
            flash,
            stores: Stores::open(flash).0,
            core: Core::new(HARDWARE),
            pin: false,
            started: now,
            now,
            start: 0,
            sequence: 0,
            next_trip: 1,
            totals: Totals::default(),
            consumed: Energy(0),
            lost: Energy(0),
            writes: BTreeMap::new(),
            switchings: BTreeMap::new(),
            lines: Vec::new(),
            trips: Vec::new(),
            switched: false,
            zone: berlin(),
        };
        plug.begin();
        plug
    }

    /// As `run_rest` begins: all that the core knows comes from the flash.
    fn begin(&mut self) {
        let (stores, totals, newest) = Stores::open(self.flash);
        self.stores = stores;
        self.core = Core::new(HARDWARE);
        self.pin = false;
        self.started = self.now;
        self.start += 1;
        self.lost = Energy(self.lost.0 + self.totals.import.0 - totals.import.0);
        self.totals = totals;
        let memory = Memory {
            on: newest.as_ref().map(|change| change.on),
            locked_out: newest.and_then(|change| change.locked_out.then_some(change.cause)),
            ..Memory::default()
        };
        let marks = &self.stores.marks;
        let used_today_wh =
            marks.newest_day().and_then(|day| Some((day, marks.used_today_wh(day, &totals)?)));
        let begin = Begin {
            settings: Box::new(settings()),
            memory,
            energy: Resumed {
                import: totals.import,
                export: totals.export,
                below_noise: totals.below_noise,
                unmeasured: Seconds(totals.unmeasured_s()),
            },
            used_today_wh,
            next_trip: self.next_trip,
            random: 0.5,
            seed: 20_261_020,
        };
        self.lines.push(format!("{}  -- start {}", shown(self.now), self.start));
        self.tell(Event::Begin(&begin));
    }

    fn moment(&self) -> Moment {
        let since = Duration::from_secs_f64(self.now - self.started);
        let time = (since >= TIME_KNOWN_AFTER).then_some(self.now);
        Moment { instant: Instant::from_start(since), time }
    }

    /// Goes on until this Unix time: a reading each window, ticks when they are due.
    pub(crate) fn live_until(&mut self, end: f64, load: &dyn Fn(u8, u32) -> f64) {
        while self.now < end {
            let next = (self.now.floor() + WINDOW_S).min(end);
            let civil = self.zone.local(self.now.floor() as i64);
            let watts = if self.pin { load(civil.date.day, civil.seconds_of_day) } else { 0.0 };
            let began = self.now;
            let due = |plug: &Self| {
                let due = plug.core.poll_at(plug.moment())?.since_start().as_secs_f64() + plug.started;
                (due <= next).then_some(due)
            };
            while let Some(due) = due(self) {
                self.now = self.now.max(due);
                self.tell(Event::Tick);
            }
            self.now = next;
            self.measure(watts, next - began);
        }
    }

    fn measure(&mut self, watts: f64, seconds: f64) {
        let units = (watts * seconds / 3600.0 * 1e9).round() as u64;
        self.consumed = Energy(self.consumed.0 + units);
        self.totals.import = Energy(self.totals.import.0 + units);
        self.sequence += 1;
        let mut reading = self.reading(watts, seconds);
        reading.quality.set_if(Flag::RelayChanged, core::mem::take(&mut self.switched));
        self.tell(Event::Reading(&reading));
        self.keep_energy();
    }

    /// As the task of this name does.
    fn keep_energy(&mut self) {
        let now = self.moment();
        let Stores { journal, policy, marks, .. } = &mut self.stores;
        let due = policy.handle(now.instant, &self.totals, false);
        let day = now.time.map(|time| local_day(time, &self.zone));
        let begins = day.is_some_and(|day| marks.wants(day));
        if due || begins {
            block_on(journal.append(&self.totals)).unwrap();
            policy.written(&self.totals);
            *self.writes.entry(local_day(self.now, &self.zone)).or_default() += 1;
        }
        if let Some(day) = day {
            assert_eq!(block_on(marks.note(day, &self.totals)), Ok(begins));
        }
        if due {
            block_on(journal.maintain()).unwrap();
        }
    }

    pub(crate) fn act(&mut self, action: &Action) {
        match action {
            Action::Command { wish, for_s, source } => {
                let duration = for_s.map(Duration::from_secs);
                let command = RelayCommand { wish: *wish, duration, source: *source };
                match self.core.handle(self.moment(), Event::Command(command)) {
                    Ok(actions) => self.obey(actions),
                    Err(refusal) => {
                        self.lines.push(format!("{}  -- refused: {wish:?}, {refusal:?}", shown(self.now)));
                    }
                }
            }
            Action::PowerCut { for_s } => {
                self.lines.push(format!("{}  -- the power is cut", shown(self.now)));
                self.now += f64::from(*for_s);
                self.begin();
            }
            Action::OverCurrent(amperes) => {
                let limit = Amperes(HARDWARE.maximum_current_a);
                self.tell(Event::Trip(Trip::OverCurrent { current: Amperes(*amperes), limit }));
            }
        }
    }

    fn tell(&mut self, event: Event<'_>) {
        let actions = self.core.handle(self.moment(), event).expect("only commands are refused");
        self.obey(actions);
    }

    fn obey(&mut self, actions: Actions) {
        let told = actions.relay.is_some() || !actions.changes.is_empty();
        if let Some(on) = actions.relay {
            if on != self.pin {
                self.switched = true;
                *self.switchings.entry(local_day(self.now, &self.zone)).or_default() += 1;
            }
            self.pin = on;
        }
        if let Some(trip) = actions.trip {
            self.next_trip += 1;
            self.trips.push(trip.kind());
        }
        for change in actions.changes {
            self.lines.push(line(self.now, &change));
            block_on(self.stores.log.append(&stored(&change, self.start))).unwrap();
            if self.stores.log.wants_maintenance() {
                block_on(self.stores.log.maintain()).unwrap();
            }
        }
        assert_eq!(self.pin, self.core.is_on());
        if told {
            assert!(!(self.pin && self.core.relay_status(self.moment(), None).locked_out));
        }
    }

    fn reading(&self, watts: f64, seconds: f64) -> Reading {
        Reading {
            sequence: self.sequence,
            time: self.moment().time,
            uptime: Seconds(self.now - self.started),
            window: Window {
                cycles: Some(50),
                samples: 4000,
                lost: 0,
                duration: Seconds(seconds),
                sample_rate: Hertz(4000.0),
            },
            voltage: Volts(230.0),
            current: Amperes(watts / 230.0),
            active_power: Watts(watts),
            apparent_power: VoltAmperes(watts),
            frequency: Some(Hertz(50.0)),
            energy_import: self.totals.import,
            calibration: Calibration::ideal(0.2, 0.0, 0.0147, 0.0).id(),
            relay: self.pin,
            ..Reading::NONE
        }
    }

    /// The table of the days, and all else that is to be looked at.
    pub(crate) fn end(mut self) -> Week {
        let mut rows = Vec::new();
        let mut list = self.stores.marks.days(&self.totals);
        loop {
            let next = block_on(self.stores.marks.next_rows(&mut list)).unwrap();
            if next.is_empty() {
                break;
            }
            rows.extend(next);
        }
        rows.reverse();
        let count = |of: &BTreeMap<i64, u32>, day: i32| of.get(&day.into()).copied().unwrap_or(0);
        let days = rows.iter().map(|row| {
            format!(
                "{}  {:9.3} Wh  {}  {:2} switchings  {:4} journal writes",
                date_text(row.day.into()),
                row.import.watt_hours(),
                if row.exact { "exact" } else { "about" },
                count(&self.switchings, row.day),
                count(&self.writes, row.day),
            )
        });
        let flash = block_on(self.flash.lock());
        let worn = flash.as_ref().unwrap();
        Week {
            days: days.collect(),
            flash: format!(
                "Flash: {} words written, {} erases, {} of the sector with the most; {:.3} Wh lost by the power cut",
                worn.words_written(),
                worn.erases(),
                worn.most_erases(),
                self.lost.watt_hours(),
            ),
            import_wh: rows.iter().map(|row| row.import.watt_hours()).collect(),
            total_wh: self.totals.import.watt_hours(),
            consumed_wh: self.consumed.watt_hours(),
            lost_wh: self.lost.watt_hours(),
            lines: self.lines,
            trips: self.trips,
        }
    }
}

impl Stores {
    /// What is kept, and the newest totals and the newest change in it.
    fn open(flash: &'static Shared<SimFlash>) -> (Self, Totals, Option<StoredChange>) {
        let part = |place| Region::new(flash, place);
        let (mut journal, totals) = block_on(Journal::open(part(layout::ENERGY), METER));
        let totals = totals.unwrap().unwrap_or_default();
        block_on(journal.maintain()).unwrap();
        let (marks, opened) = block_on(DayMarks::open(part(layout::TOTALS), METER));
        opened.unwrap();
        let mut log = block_on(RelayLog::open(part(layout::RELAY_LOG))).unwrap();
        let newest = block_on(log.newest()).unwrap();
        let policy = JournalPolicy::new(Instant::from_start(Duration::ZERO), totals);
        (Self { journal, policy, marks, log }, totals, newest)
    }
}

fn shown(unix: f64) -> String {
    let zone = berlin();
    let civil = zone.local(unix.floor() as i64);
    let (hour, minute) = (civil.seconds_of_day / 3600, civil.seconds_of_day / 60 % 60);
    let second = f64::from(civil.seconds_of_day % 60) + unix.fract();
    let name = if zone.offset_at(unix.floor() as i64).dst { "CEST" } else { "CET " };
    let weekday = WEEKDAYS[usize::from(civil.weekday)];
    format!("{weekday} {} {hour:02}:{minute:02}:{second:04.1} {name}", civil.date)
}

fn line(now: f64, change: &RelayChange) -> String {
    let state = match (change.on, change.locked_out) {
        (true, _) => "on",
        (false, false) => "off",
        (false, true) => "LOCKED",
    };
    let name = |value: String| value.trim_matches('"').to_owned();
    let source = name(serde_json::to_string(&change.source).unwrap());
    let class = name(serde_json::to_string(&change.class).unwrap());
    let power = change.active_power_w.map_or("-".to_owned(), |watts| format!("{watts:.0} W"));
    format!("{}  {state:6} {source:10} {class:10} {power:>6}  {}", shown(now), change.cause)
}

fn stored(change: &RelayChange, start: u32) -> StoredChange {
    StoredChange { start, ..keeper::stored(change) }
}
