//! What `run_rest` knows of the plug: the newest numbers and the relay's story, for the web and later the uplink.

use alloc::boxed::Box;
use core::cell::{Cell, RefCell};

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::signal::Signal;
use embassy_sync::watch::Watch;
use heapless::{Deque, String};
use metering::calibration::Calibration;
use metering::quality::Flag;
use metering::reading::Reading;
use serde::Serialize;

use crate::access::Access;
use crate::access::setup::Setup;
use crate::app::Details;
use crate::core::civil::Zone;
use crate::core::claims::{RelayChange, RelayStatus};
use crate::core::guard::ProtectionStatus;
use crate::desk::Desk;
use crate::history::Intake;
use crate::ledger::Ledger;
use crate::limits;
use crate::net::desk::RadioDesk;
use crate::net::{WifiStatus, mdns::Mdns};
use crate::panel::Panel;
use crate::platform::Instant;
use crate::settings::{self, Basis, Settings};
use crate::storage::archive::Archive;
use crate::storage::meter_id::MeterId;
use crate::storage::totals::Totals;
use crate::timekeeping::Timekeeping;
use crate::update::{self, Firmware, Image};
use crate::uplink::Uplink;

/// Lives in `run_rest`, on one executor: no locks, borrows never cross an `await`.
pub struct State {
    /// The newest window.
    pub reading: RefCell<Option<Reading>>,
    /// What goes with the newest window.
    pub details: RefCell<Details>,
    /// The relay as the core last said.
    pub relay: RefCell<RelayStatus>,
    /// The last changes, newest at the back.
    pub relay_log: RefCell<Deque<RelayChange, { limits::RELAY_LOG }>>,
    /// The calibration in force: what a waveform's header says.
    pub calibration: RefCell<Calibration>,
    /// The last lines of the plug's log, newest at the back.
    pub log: RefCell<Deque<LogLine, { limits::LOG_LINES }>>,
    /// Rises with each change of anything above: wakes the live streams.
    pub changed: Watch<NoopRawMutex, u32, { limits::LISTENERS }>,
    /// Live streams open now.
    pub streams: Cell<usize>,
    /// Long answers under way.
    pub downloads: Cell<usize>,
    /// Pairs lost since start.
    pub lost_samples: Cell<u64>,
    /// The radio; `None` where there is none.
    pub wifi: RefCell<Option<WifiStatus>>,
    /// The name by which the plug is found on its network.
    pub mdns: Mdns,
    /// The image that runs; `None` where there are no slots, or nobody has looked yet.
    pub image: Cell<Option<Image>>,
    /// Where uploads of an image wait.
    pub update: update::Desk,
    /// What is known of both images.
    pub firmware: RefCell<Firmware>,
    /// The plug crashed again and again: only network, sign-in and update run.
    pub safe_mode: Cell<bool>,
    /// Which of the stores were opened and understood: what a new image has to show.
    pub stores: Cell<Stores>,
    /// The settings as they are stored; defaults until [`State::settings_desk`] is open.
    pub settings: RefCell<Settings>,
    /// Where they say that the plug is: read once, asked for with each window.
    pub zone: Cell<Zone>,
    /// Their entity tag.
    pub settings_tag: Cell<u64>,
    /// Where changes of them wait to be stored.
    pub settings_desk: Desk<Box<Settings>>,
    /// Who may do what; closed until the flash was read.
    pub access: Access,
    /// How often in a row no client could be let in.
    pub accept_errors: Cell<u32>,
    /// How protection stands; `None` before the first window.
    pub protection: RefCell<Option<ProtectionStatus>>,
    /// What the meter counted, for whoever keeps it.
    pub metered: Signal<NoopRawMutex, Metered>,
    /// Who the meter is; `None` before the flash was read.
    pub meter_id: Cell<Option<MeterId>>,
    /// Records that the energy journal took since the start.
    pub journal_writes: Cell<u32>,
    /// Where questions wait that only the flash can answer.
    pub archive: Archive,
    /// Button and light.
    pub panel: Panel,
    /// Somebody wants the plug to restart.
    pub restart: Signal<NoopRawMutex, Restarting>,
    /// Where a claim of the plug waits.
    pub setup: Setup,
    /// Somebody wants the access point.
    pub access_point_wanted: Signal<NoopRawMutex, ()>,
    /// What the web wants of the radio.
    pub radio: RadioDesk,
    /// When a person last used the page by the access point.
    pub last_use_by_access_point: Cell<Option<Instant>>,
    /// Where readings become rows of the history.
    pub history: Intake,
    /// What is believed of the time of day.
    pub timekeeping: Timekeeping,
    /// What left the plug.
    pub ledger: RefCell<Ledger>,
    /// The way to Emoncms.
    pub uplink: Uplink,
}

/// Stores that were opened and understood.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stores {
    /// The settings.
    pub settings: bool,
    /// The energy's journal.
    pub journal: bool,
}

/// What a window leaves on the meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metered {
    /// What the meter shows.
    pub totals: Totals,
    /// Whether there was a voltage to measure.
    pub mains_are_there: bool,
}

/// Why the plug is to restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restarting {
    /// Somebody asked for it.
    Plain,
    /// Settings, logs, keys and energy are to be erased.
    FactoryReset,
    /// The other image runs from then on. The relay opens: what starts it has not shown that it can.
    OtherImage,
}

/// One line of the plug's log: what a person should know that no number says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LogLine {
    /// Counts lines since start, from 0.
    pub sequence: u32,
    /// When, Unix seconds; null before the clock is trusted.
    pub time: Option<f64>,
    /// When, seconds after start.
    pub uptime_s: f64,
    /// One sentence.
    pub message: String<96>,
}

impl State {
    /// Nothing measured yet.
    #[must_use]
    pub fn new(relay: RelayStatus, calibration: Calibration) -> Self {
        Self {
            reading: RefCell::new(None),
            details: RefCell::new(Details::NONE),
            relay: RefCell::new(relay),
            relay_log: RefCell::new(Deque::new()),
            calibration: RefCell::new(calibration),
            log: RefCell::new(Deque::new()),
            changed: Watch::new_with(0),
            streams: Cell::new(0),
            downloads: Cell::new(0),
            lost_samples: Cell::new(0),
            wifi: RefCell::new(None),
            mdns: Mdns::new(),
            image: Cell::new(None),
            update: update::Desk::new(),
            firmware: RefCell::default(),
            safe_mode: Cell::new(false),
            stores: Cell::default(),
            settings: RefCell::default(),
            zone: Cell::new(Zone::UTC),
            settings_tag: Cell::new(0),
            settings_desk: Desk::new(),
            access: Access::new(),
            accept_errors: Cell::new(0),
            protection: RefCell::new(None),
            metered: Signal::new(),
            meter_id: Cell::new(None),
            journal_writes: Cell::new(0),
            archive: Archive::new(),
            panel: Panel::new(),
            restart: Signal::new(),
            setup: Setup::new(),
            access_point_wanted: Signal::new(),
            radio: RadioDesk::default(),
            last_use_by_access_point: Cell::new(None),
            history: Intake::new(),
            timekeeping: Timekeeping::new(),
            ledger: RefCell::new(Ledger::new()),
            uplink: Uplink::new(),
        }
    }

    /// Says that something in here changed: wakes everybody who waits on [`State::changed`].
    pub fn touch(&self) {
        self.changed.sender().send_modify(|count| {
            *count = Some(count.unwrap_or(0).wrapping_add(1));
        });
    }

    /// Takes settings that are stored.
    pub fn put_settings(&self, settings: Settings, basis: &Basis, revision: u32) {
        let calibration = settings.calibration.in_use.as_ref().unwrap_or(&basis.board);
        self.calibration.replace(calibration.clone());
        self.zone.set(Zone::parse(&settings.time.posix).unwrap_or(Zone::UTC));
        self.settings_tag.set(settings::etag(&settings, &basis.board, revision));
        let before = self.settings.replace(settings);
        if before.access.reading != self.settings.borrow().access.reading {
            self.access.judge_anew();
        }
        self.uplink.wake.signal(());
        self.touch();
    }

    /// Takes a new window.
    pub fn put_reading(&self, reading: Reading) {
        let mains_are_there = !reading.quality.has(Flag::NoVoltage);
        self.metered.signal(Metered { totals: Totals::of(&reading), mains_are_there });
        self.history.take(&reading, self.settings.borrow().history.interval_s);
        self.reading.replace(Some(reading));
        self.touch();
    }

    /// What the meter shows; `None` before the first window.
    #[must_use]
    pub fn totals(&self) -> Option<Totals> {
        self.reading.borrow().as_ref().map(Totals::of)
    }

    /// Takes how protection stands.
    pub fn put_protection(&self, status: ProtectionStatus) {
        self.protection.replace(Some(status));
    }

    /// Takes what goes with the newest window.
    pub fn put_details(&self, details: Details) {
        self.lost_samples.set(details.lost_pairs);
        self.details.replace(details);
    }

    /// Takes the relay as the core said it is. The core says so on two ways, and one may be late: what is older
    /// than what is known is dropped.
    pub fn put_relay(&self, status: RelayStatus) {
        if status.since_uptime_s >= self.relay.borrow().since_uptime_s {
            self.relay.replace(status);
            self.touch();
        }
    }

    /// Takes a change of the relay into its log; the oldest one makes room.
    pub fn put_change(&self, change: RelayChange) {
        keep(&mut self.relay_log.borrow_mut(), change);
        self.touch();
    }

    /// Adds a line to the log; the oldest one makes room. A text over 96 bytes is cut at a character.
    pub fn put_log(&self, time: Option<f64>, uptime_s: f64, text: &str) {
        let mut message = String::new();
        for character in text.chars() {
            if message.push(character).is_err() {
                break;
            }
        }
        {
            let mut log = self.log.borrow_mut();
            let sequence = log.back().map_or(0, |line| line.sequence.wrapping_add(1));
            keep(&mut log, LogLine { sequence, time, uptime_s, message });
        }
        self.touch();
    }
}

/// Adds at the back; drops the front when it is full.
pub(crate) fn keep<T, const N: usize>(list: &mut Deque<T, N>, item: T) {
    if list.is_full() {
        list.pop_front();
    }
    // There is room by now.
    let _ = list.push_back(item);
}
