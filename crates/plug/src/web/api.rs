//! `/api/v1/...`: what is only looked at.

use metering::calibration::{Calibration, CalibrationId};
use metering::idle::Idle;
use metering::reading::{Component, Harmonics};
use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

use super::Plug;
use super::doors::Caller;
use super::packed::Packed;
use super::problem::Problem;
use super::reply::{Body, JSON, Reply};
use super::site::Site;
use crate::access::Hex;
use crate::defaults::Defaults;
use crate::limits;
use crate::platform::{Clock, Vitals};
use crate::settings::schema::Reading;
use crate::starts::Fault;
use crate::storage::budget::WriteBudget;
use crate::storage::meter_id::MeterId;
use crate::update::Image;
use embassy_sync::blocking_mutex::raw::RawMutex;

/// This interface for machines. Written by hand; a test compares it with the table of routes and with real answers.
const OPENAPI: Packed = Packed::new(include_bytes!("assets/openapi.packed"));

// The longest JSON of each kind; tests build it.
/// A reading with every number at its longest and every flag.
pub(super) const READING_JSON: usize = 2304;
/// With a name whose characters are all escaped.
const BASICS_JSON: usize = 1024;
/// With last words of control characters only, each written with six.
const INFO_JSON: usize = 4608;
/// All claims at once with the longest causes that each can have.
pub(super) const RELAY_JSON: usize = 2560;
const HARMONIC_JSON: usize = 208;
const HARMONICS_JSON: usize = 64 + metering::reading::MAX_ORDER * HARMONIC_JSON;
const PROTECTION_JSON: usize = 1792;
const CALIBRATION_JSON: usize = 1280;

/// `GET /api/v1/info` for everybody: no more than that a plug is here, which one, and of which build.
#[derive(Serialize)]
struct Basics<'a> {
    id: &'a str,
    name: heapless::String<32>,
    version: &'a str,
    git: &'a str,
    build: &'a str,
    board: &'a str,
    chip: &'a str,
    reset_reason: &'a str,
    setup_complete: bool,
    reading: &'static str,
    uptime_s: f64,
    #[serde(serialize_with = "digest")]
    image_sha256: Option<[u8; 32]>,
    rustc: &'a str,
    espflash: Option<&'a str>,
}

/// `GET /api/v1/info` for whoever may read.
#[derive(Serialize)]
struct Info<'a> {
    id: &'a str,
    name: heapless::String<32>,
    version: &'a str,
    git: &'a str,
    build: &'a str,
    board: &'a str,
    chip: &'a str,
    source: &'a str,
    reset_reason: &'a str,
    reset_detail: &'a str,
    setup_complete: bool,
    reading: &'static str,
    uptime_s: f64,
    time: Option<f64>,
    sample_rate_hz: f64,
    nominal_voltage_v: f64,
    lost_samples: u64,
    event_streams: usize,
    web_workers: usize,
    vitals: Vitals,
    starts: Option<u32>,
    bad_starts_in_a_row: u8,
    last_fault: Option<&'a Fault>,
    image: Option<Image>,
    #[serde(serialize_with = "digest")]
    image_sha256: Option<[u8; 32]>,
    rustc: &'a str,
    espflash: Option<&'a str>,
    safe_mode: bool,
    #[serde(serialize_with = "names")]
    build_defaults: &'a Defaults,
    meter_id: Option<MeterId>,
    storage: StoragePage,
    led: Option<LedPage>,
    button: Option<ButtonPage>,
}

/// What is written to the flash, and for how long it bears that.
#[derive(Serialize)]
struct StoragePage {
    journal: JournalPage,
}

#[derive(Serialize)]
struct JournalPage {
    rated: WriteBudget,
    idle: WriteBudget,
    writes_since_start: u32,
}

#[derive(Serialize)]
struct LedPage {
    lit: bool,
    identifying: bool,
}

#[derive(Serialize)]
struct ButtonPage {
    locked: bool,
}

fn digest<S: Serializer>(sha256: &Option<[u8; 32]>, serializer: S) -> Result<S::Ok, S::Error> {
    match sha256 {
        Some(sha256) => serializer.collect_str(&Hex(sha256)),
        None => serializer.serialize_none(),
    }
}

fn names<S: Serializer>(defaults: &&Defaults, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(defaults.names())
}

/// What somebody called it, or `ossp-XXXX`, of the last four characters of the id.
pub(super) fn name(given: &heapless::String<32>, id: &str) -> heapless::String<32> {
    if !given.is_empty() {
        return given.clone();
    }
    let skipped = id.chars().count().saturating_sub(4);
    "ossp-".chars().chain(id.chars().skip(skipped)).collect()
}

pub(super) fn info<'a, C: Clock, N: Clock, M: RawMutex>(
    site: &Site<'a, C, N, M>,
    caller: &Caller,
) -> Result<Reply<'a>, Problem> {
    let basics = basics(site, caller);
    if caller.sees_measurements {
        full_info(site, basics)
    } else {
        Reply::json(site.budget, BASICS_JSON, &basics)
    }
}

fn basics<'a, C: Clock, N: Clock, M: RawMutex>(site: &Site<'a, C, N, M>, caller: &Caller) -> Basics<'a> {
    let Plug { state, identity, clock, defaults, .. } = site.plug;
    let settings = state.settings.borrow();
    // Builds can be repeated: against the hash of one that has a password in it, guesses could be tried.
    let may_know_hash = caller.known.is_some() || defaults.are_public();
    Basics {
        id: &identity.id,
        name: name(&settings.device.name, &identity.id),
        version: &identity.version,
        git: identity.git,
        build: identity.build,
        board: identity.board,
        chip: identity.chip,
        reset_reason: identity.reset_reason,
        setup_complete: state.access.has_owner(),
        reading: match settings.access.reading {
            Reading::Closed => "closed",
            Reading::Open => "open",
        },
        uptime_s: clock.now().since_start().as_secs_f64(),
        image_sha256: state.firmware.borrow().image_sha256.filter(|_| may_know_hash),
        rustc: identity.rustc,
        espflash: identity.espflash,
    }
}

fn full_info<'a, C: Clock, N: Clock, M: RawMutex>(
    site: &Site<'a, C, N, M>,
    basics: Basics<'a>,
) -> Result<Reply<'a>, Problem> {
    let Plug { state, identity, front_end, clock, machine, starts, defaults, basis, .. } = site.plug;
    let device = &state.settings.borrow().device;
    let info = Info {
        id: basics.id,
        name: basics.name,
        version: basics.version,
        git: basics.git,
        build: basics.build,
        board: basics.board,
        chip: basics.chip,
        source: &identity.source,
        reset_reason: basics.reset_reason,
        reset_detail: &identity.reset_detail,
        setup_complete: basics.setup_complete,
        reading: basics.reading,
        uptime_s: basics.uptime_s,
        time: clock.time_of_day(),
        sample_rate_hz: front_end.sample_rate.value(),
        nominal_voltage_v: front_end.nominal_voltage.value(),
        lost_samples: state.lost_samples.get(),
        event_streams: state.streams.get(),
        web_workers: limits::WEB_WORKERS,
        vitals: machine.vitals(),
        starts: (starts.number > 0).then_some(starts.number),
        bad_starts_in_a_row: starts.bad_in_a_row,
        last_fault: starts.last_fault.as_ref(),
        image: state.image.get(),
        image_sha256: basics.image_sha256,
        rustc: basics.rustc,
        espflash: basics.espflash,
        safe_mode: state.safe_mode.get(),
        build_defaults: defaults,
        meter_id: state.meter_id.get(),
        storage: StoragePage {
            journal: JournalPage {
                rated: WriteBudget::journal_rated(),
                idle: WriteBudget::journal_idle(),
                writes_since_start: state.journal_writes.get(),
            },
        },
        led: basis.hardware.has_led.then(|| LedPage {
            lit: state.panel.is_lit(),
            identifying: state.panel.is_identifying(clock.now()),
        }),
        button: basis.hardware.has_button.then_some(ButtonPage { locked: device.button_locked }),
    };
    Reply::json(site.budget, INFO_JSON, &info)
}

pub(super) fn reading<'a, C: Clock, N: Clock, M: RawMutex>(
    site: &Site<'a, C, N, M>,
) -> Result<Reply<'a>, Problem> {
    let reading = site.plug.state.reading.borrow();
    Reply::json(site.budget, READING_JSON, reading.as_ref().ok_or(Problem::NothingMeasuredYet)?)
}

/// One order of both channels.
#[derive(Serialize)]
struct Harmonic {
    order: usize,
    voltage_v: f64,
    voltage_phase_deg: f64,
    current_a: f64,
    current_phase_deg: f64,
}

/// `GET /api/v1/harmonics`.
#[derive(Serialize)]
struct HarmonicsPage<'a> {
    sequence: u64,
    max_order: usize,
    #[serde(serialize_with = "orders")]
    orders: &'a Harmonics,
}

fn orders<S: Serializer>(harmonics: &&Harmonics, serializer: S) -> Result<S::Ok, S::Error> {
    let mut list = serializer.serialize_seq(None)?;
    let pairs: core::iter::Zip<core::slice::Iter<'_, Component>, _> =
        harmonics.voltage.iter().zip(&harmonics.current);
    for (index, (voltage, current)) in pairs.enumerate().take(harmonics.max_order) {
        list.serialize_element(&Harmonic {
            order: index + 1,
            voltage_v: voltage.rms,
            voltage_phase_deg: voltage.phase.value(),
            current_a: current.rms,
            current_phase_deg: current.phase.value(),
        })?;
    }
    list.end()
}

pub(super) fn harmonics<'a, C: Clock, N: Clock, M: RawMutex>(
    site: &Site<'a, C, N, M>,
) -> Result<Reply<'a>, Problem> {
    let state = site.plug.state;
    if state.reading.borrow().is_none() {
        return Err(Problem::NothingMeasuredYet);
    }
    let details = state.details.borrow();
    let page = HarmonicsPage {
        sequence: details.sequence,
        max_order: details.harmonics.max_order,
        orders: &details.harmonics,
    };
    Reply::json(site.budget, HARMONICS_JSON, &page)
}

/// `GET /api/v1/calibration`.
#[derive(Serialize)]
struct CalibrationPage<'a> {
    id: CalibrationId,
    in_use: &'a Calibration,
    offered: Idle,
}

pub(super) fn calibration<'a, C: Clock, N: Clock, M: RawMutex>(
    site: &Site<'a, C, N, M>,
) -> Result<Reply<'a>, Problem> {
    let state = site.plug.state;
    let in_use = state.calibration.borrow();
    let page = CalibrationPage { id: in_use.id(), in_use: &in_use, offered: state.details.borrow().idle };
    Reply::json(site.budget, CALIBRATION_JSON, &page)
}

pub(super) fn relay<'a, C: Clock, N: Clock, M: RawMutex>(
    site: &Site<'a, C, N, M>,
) -> Result<Reply<'a>, Problem> {
    Reply::json(site.budget, RELAY_JSON, &*site.plug.state.relay.borrow())
}

pub(super) fn protection<'a, C: Clock, N: Clock, M: RawMutex>(
    site: &Site<'a, C, N, M>,
) -> Result<Reply<'a>, Problem> {
    let status = site.plug.state.protection.borrow();
    Reply::json(site.budget, PROTECTION_JSON, status.as_ref().ok_or(Problem::NothingMeasuredYet)?)
}

pub(super) const fn openapi<'a>() -> Reply<'a> {
    Reply::new(JSON, Body::Packed(OPENAPI))
}
