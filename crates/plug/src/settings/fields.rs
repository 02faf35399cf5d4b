//! The table of all fields: section, name, range. What the page, the flash and the tests know of a field is here.
//!
//! The calibration's fields have a table of their own (`calibration.rs`), since its default is the board's.

use alloc::boxed::Box;

use heapless::String;

use super::emoncms::{Begin, INPUT, NODE, Quantity, Transport, is_key, is_name, is_url};
use super::field::{Field, Kind, Most, Place, Range};
use super::schema::{AccessPointWhen, ManualUntil, PowerOn, Reading, Settings, TimeSource};
use crate::timekeeping::servers::are_servers;
use crate::update::keys::AcceptWhat;

/// Names of the sections, in the order in which they are written.
pub(super) const SECTIONS: [&str; 11] = [
    "device",
    "wifi",
    "access",
    "relay",
    "schedule",
    "protection",
    CALIBRATION,
    "time",
    "history",
    "emoncms",
    "update",
];
/// The section with a table of its own.
pub(super) const CALIBRATION: &str = "calibration";

/// A week.
const WEEK_S: f64 = 604_800.0;
const DAY_S: f64 = 86_400.0;
const HOUR_S: f64 = 3600.0;

/// Where a field of the settings is, for reading and for writing.
macro_rules! at {
    ($section:ident . $name:ident) => {
        Place {
            of: |settings: &Settings| &settings.$section.$name,
            of_mut: |settings: &mut Settings| &mut settings.$section.$name,
        }
    };
}

/// Under which name a quantity is sent to Emoncms.
macro_rules! input {
    ($name:literal, $quantity:ident) => {
        field(
            "emoncms",
            $name,
            Kind::Text {
                get: |settings| settings.emoncms.input(Quantity::$quantity),
                set: |settings, text| {
                    settings.emoncms.set_input(Quantity::$quantity, text);
                    true
                },
                check: |text, _| text.len() <= INPUT && is_name(text),
                wanted: "at most 16 letters, digits, spaces and characters of \"_-.\", or empty where it is not to be \
                         sent",
            },
        )
    };
}

const fn field(section: &'static str, name: &'static str, kind: Kind) -> Field {
    Field { section, name, kind }
}

const fn range(from: f64, to: f64) -> Range {
    Range { from, to: Most::Fixed(to) }
}

const fn up_to_maximum_times(factor: f64) -> Range {
    Range { from: 0.1, to: Most::TimesMaximumCurrent(factor) }
}

/// The field of this name.
pub(super) fn find(section: &str, name: &str) -> Option<(usize, &'static Field)> {
    FIELDS.iter().enumerate().find(|(_, field)| field.section == section && field.name == name)
}

/// All fields but the calibration's, section by section.
pub(super) static FIELDS: [Field; 78] = [
    field(
        "device",
        "name",
        Kind::Text {
            get: |settings| &settings.device.name,
            set: |settings, text| put(&mut settings.device.name, text),
            check: |_, _| true,
            wanted: "a text of at most 32 bytes without control characters",
        },
    ),
    field("device", "button_locked", Kind::Flag(at!(device.button_locked))),
    field("device", "led_off", Kind::Flag(at!(device.led_off))),
    field(
        "device",
        "host",
        Kind::Text {
            get: |settings| &settings.device.host,
            set: |settings, text| put_boxed(&mut settings.device.host, text),
            check: |text, _| text.len() <= 32 && is_label(text),
            wanted: "at most 32 letters, digits and hyphens, none of these at its ends, or empty",
        },
    ),
    field("device", "mdns", Kind::Flag(at!(device.mdns))),
    field(
        "wifi",
        "ssid",
        Kind::Text {
            get: |settings| &settings.wifi.ssid,
            set: |settings, text| put(&mut settings.wifi.ssid, text),
            check: |_, _| true,
            wanted: "the name of a network, a text of at most 32 bytes without control characters",
        },
    ),
    field(
        "wifi",
        "password",
        Kind::Secret {
            get: |settings| settings.wifi.password.as_deref(),
            set: |settings, text| put_secret(&mut settings.wifi.password, text),
            check: is_wpa2_password,
            wanted: WPA2_PASSWORD,
        },
    ),
    field("wifi", "hidden", Kind::Flag(at!(wifi.hidden))),
    field("wifi", "address", Kind::Address),
    field("wifi", "more", Kind::Networks),
    field(
        "wifi",
        "access_point",
        Kind::Choice {
            get: |settings| settings.wifi.access_point as usize,
            set: |settings, index| {
                settings.wifi.access_point =
                    if index == 0 { AccessPointWhen::Fallback } else { AccessPointWhen::Button }
            },
            words: &["fallback", "button"],
        },
    ),
    field(
        "wifi",
        "access_point_ssid",
        Kind::Text {
            get: |settings| &settings.wifi.access_point_ssid,
            set: |settings, text| put(&mut settings.wifi.access_point_ssid, text),
            check: |_, _| true,
            wanted: "the name of a network, a text of at most 32 bytes without control characters",
        },
    ),
    field(
        "wifi",
        "access_point_password",
        Kind::Secret {
            get: |settings| settings.wifi.access_point_password.as_deref(),
            set: |settings, text| put_secret(&mut settings.wifi.access_point_password, text),
            check: is_wpa2_password,
            wanted: WPA2_PASSWORD,
        },
    ),
    field(
        "wifi",
        "access_point_after_loss_s",
        Kind::WholeSeconds(at!(wifi.access_point_after_loss_s), range(0.0, 12.0 * HOUR_S)),
    ),
    field(
        "wifi",
        "access_point_linger_s",
        Kind::WholeSeconds(at!(wifi.access_point_linger_s), range(0.0, HOUR_S)),
    ),
    field(
        "access",
        "reading",
        Kind::Choice {
            get: |settings| settings.access.reading as usize,
            set: |settings, index| {
                settings.access.reading = if index == 0 { Reading::Closed } else { Reading::Open }
            },
            words: &["closed", "open"],
        },
    ),
    field("access", "hosts", Kind::Hosts),
    field(
        "relay",
        "power_on",
        Kind::Choice {
            get: |settings| settings.relay.power_on as usize,
            set: |settings, index| {
                settings.relay.power_on = match index {
                    0 => PowerOn::Off,
                    1 => PowerOn::On,
                    _ => PowerOn::Last,
                }
            },
            words: &["off", "on", "last"],
        },
    ),
    field("relay", "start_delay_s", Kind::Seconds(at!(relay.start_delay), range(0.0, HOUR_S))),
    field("relay", "start_delay_random_s", Kind::Seconds(at!(relay.start_delay_random), range(0.0, HOUR_S))),
    field("relay", "minimum_on_s", Kind::Seconds(at!(relay.minimum_on), range(0.0, DAY_S))),
    field("relay", "minimum_off_s", Kind::Seconds(at!(relay.minimum_off), range(0.0, DAY_S))),
    field("relay", "switchings_a_minute", Kind::Whole(at!(relay.switchings_a_minute), range(0.0, 120.0))),
    field(
        "relay",
        "manual_until",
        Kind::Choice {
            get: |settings| settings.relay.manual_until as usize,
            set: |settings, index| {
                settings.relay.manual_until =
                    if index == 0 { ManualUntil::Schedule } else { ManualUntil::Released }
            },
            words: &["schedule", "released"],
        },
    ),
    field("relay", "inching_s", Kind::MaybeSeconds(at!(relay.inching), range(0.1, WEEK_S))),
    field("relay", "idle_off_below_w", Kind::MaybeNumber(at!(relay.idle_off_below_w), range(0.1, 5000.0))),
    field("relay", "idle_off_after_s", Kind::Seconds(at!(relay.idle_off_after), range(1.0, DAY_S))),
    field(
        "relay",
        "hold_on_restart",
        Kind::FlagIf(
            at!(relay.hold_on_restart),
            |hardware| hardware.can_hold,
            "false: this plug cannot hold its relay over a restart",
        ),
    ),
    field("schedule", "enabled", Kind::Flag(at!(schedule.enabled))),
    field("schedule", "entries", Kind::Entries),
    field(
        "protection",
        "current_limit_a",
        Kind::MaybeNumber(at!(protection.current_limit_a), up_to_maximum_times(5.0)),
    ),
    field(
        "protection",
        "rated_current_a",
        Kind::MaybeNumber(at!(protection.rated_current_a), up_to_maximum_times(1.0)),
    ),
    field("protection", "inverse_time", Kind::Flag(at!(protection.inverse_time))),
    field(
        "protection",
        "power_limit_w",
        Kind::MaybeNumber(at!(protection.power_limit_w), range(1.0, 20_000.0)),
    ),
    field("protection", "power_hold_s", Kind::Seconds(at!(protection.power_hold), range(0.0, HOUR_S))),
    field(
        "protection",
        "voltage_max_v",
        Kind::MaybeNumber(at!(protection.voltage_max_v), range(50.0, 500.0)),
    ),
    field(
        "protection",
        "voltage_min_v",
        Kind::MaybeNumber(at!(protection.voltage_min_v), range(50.0, 500.0)),
    ),
    field(
        "protection",
        "voltage_hysteresis_v",
        Kind::Number(at!(protection.voltage_hysteresis_v), range(0.0, 50.0)),
    ),
    field("protection", "voltage_hold_s", Kind::Seconds(at!(protection.voltage_hold), range(0.0, HOUR_S))),
    field(
        "protection",
        "energy_budget_wh",
        Kind::MaybeNumber(at!(protection.energy_budget_wh), range(1.0, 1e6)),
    ),
    field(
        "protection",
        "chip_temperature_max_c",
        Kind::MaybeNumber(at!(protection.chip_temperature_max_c), range(40.0, 125.0)),
    ),
    field("protection", "sensor_fault", Kind::Flag(at!(protection.sensor_fault))),
    field("protection", "clipped", Kind::Flag(at!(protection.clipped))),
    field("protection", "retries", Kind::Whole(at!(protection.retries), range(0.0, 20.0))),
    field("protection", "retry_pause_s", Kind::Seconds(at!(protection.retry_pause), range(1.0, DAY_S))),
    field("protection", "retry_back_off", Kind::Number(at!(protection.retry_back_off), range(1.0, 10.0))),
    field(
        "time",
        "source",
        Kind::Choice {
            get: |settings| settings.time.source as usize,
            set: |settings, index| {
                settings.time.source = match index {
                    0 => TimeSource::None,
                    1 => TimeSource::Dhcp,
                    2 => TimeSource::Ntp,
                    3 => TimeSource::Browser,
                    _ => TimeSource::Server,
                }
            },
            words: &TimeSource::WORDS,
        },
    ),
    field(
        "time",
        "zone",
        Kind::Text {
            get: |settings| &settings.time.zone,
            set: |settings, text| put(&mut settings.time.zone, text),
            check: |text, _| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()),
            wanted: "the IANA name of a zone such as \"Europe/Berlin\", at most 40 characters",
        },
    ),
    field(
        "time",
        "posix",
        Kind::Text {
            get: |settings| &settings.time.posix,
            set: |settings, text| put(&mut settings.time.posix, text),
            check: |text, basis| (basis.zone)(text),
            wanted: "a POSIX TZ string such as \"CET-1CEST,M3.5.0,M10.5.0/3\", at most 64 characters",
        },
    ),
    field("time", "latitude_deg", Kind::MaybeNumber(at!(time.latitude_deg), range(-90.0, 90.0))),
    field("time", "longitude_deg", Kind::MaybeNumber(at!(time.longitude_deg), range(-180.0, 180.0))),
    field(
        "time",
        "ntp_servers",
        Kind::Text {
            get: |settings| &settings.time.ntp_servers,
            set: |settings, text| put_boxed(&mut settings.time.ntp_servers, text),
            check: |text, _| are_servers(text),
            wanted: "one to three names or addresses of time servers such as \"pool.ntp.org\" with spaces between them, at \
                     most 96 characters",
        },
    ),
    field("history", "interval_s", Kind::WholeSeconds(at!(history.interval_s), range(1.0, HOUR_S))),
    field("emoncms", "enabled", Kind::Flag(at!(emoncms.enabled))),
    field(
        "emoncms",
        "url",
        Kind::Text {
            get: |settings| &settings.emoncms.url,
            set: |settings, text| put_boxed(&mut settings.emoncms.url, text),
            check: |text, _| is_url(text),
            wanted: "the address of Emoncms with its path such as \"http://192.168.1.2/emoncms\", at most 64 \
                     characters, or empty",
        },
    ),
    field(
        "emoncms",
        "node",
        Kind::Text {
            get: |settings| &settings.emoncms.node,
            set: |settings, text| put_boxed(&mut settings.emoncms.node, text),
            check: |text, _| text.len() <= NODE && is_name(text),
            wanted: "at most 16 letters, digits, spaces and characters of \"_-.\", or empty",
        },
    ),
    field(
        "emoncms",
        "write_key",
        Kind::Secret {
            get: |settings| settings.emoncms.write_key.as_deref(),
            set: |settings, text| put_key(&mut settings.emoncms.write_key, text),
            check: is_key,
            wanted: KEY,
        },
    ),
    field(
        "emoncms",
        "read_key",
        Kind::Secret {
            get: |settings| settings.emoncms.read_key.as_deref(),
            set: |settings, text| put_key(&mut settings.emoncms.read_key, text),
            check: is_key,
            wanted: KEY,
        },
    ),
    field("emoncms", "user_id", Kind::MaybeWhole(at!(emoncms.user_id), range(1.0, 4_294_967_295.0))),
    field(
        "emoncms",
        "transport",
        Kind::Choice {
            get: |settings| settings.emoncms.transport as usize,
            set: |settings, index| {
                settings.emoncms.transport = if index == 0 { Transport::Encrypted } else { Transport::Plain }
            },
            words: &["encrypted", "plain"],
        },
    ),
    field("emoncms", "interval_s", Kind::WholeSeconds(at!(emoncms.interval_s), range(1.0, HOUR_S))),
    field("emoncms", "send_every_s", Kind::WholeSeconds(at!(emoncms.send_every_s), range(1.0, HOUR_S))),
    field(
        "emoncms",
        "begin",
        Kind::Choice {
            get: |settings| settings.emoncms.begin as usize,
            set: |settings, index| {
                settings.emoncms.begin = if index == 0 { Begin::Now } else { Begin::Oldest }
            },
            words: &["now", "oldest"],
        },
    ),
    input!("input_power", Power),
    input!("input_energy", Energy),
    input!("input_energy_kwh", EnergyKwh),
    input!("input_energy_export", EnergyExport),
    input!("input_voltage", Voltage),
    input!("input_current", Current),
    input!("input_power_factor", PowerFactor),
    input!("input_frequency", Frequency),
    input!("input_power_min", PowerMin),
    input!("input_power_max", PowerMax),
    input!("input_relay", Relay),
    field(
        "update",
        "accept",
        Kind::Choice {
            get: |settings| settings.update.accept as usize,
            set: |settings, index| {
                settings.update.accept = match index {
                    0 => AcceptWhat::Default,
                    1 => AcceptWhat::Signed,
                    _ => AcceptWhat::Any,
                }
            },
            words: &["default", "signed", "any"],
        },
    ),
    field("update", "keys", Kind::Keys(at!(update.keys))),
    field("update", "retired", Kind::Keys(at!(update.retired))),
    field("update", "warn_above_a", Kind::Number(at!(update.warn_above_a), range(0.0, 100.0))),
];

const KEY: &str =
    "the 32 hexadecimal digits of a key of Emoncms, \"set\" to keep the one that is set, or null";

fn put_boxed(place: &mut Box<str>, text: &str) -> bool {
    *place = text.into();
    true
}

fn put_key(place: &mut Option<Box<str>>, text: Option<&str>) -> bool {
    *place = text.map(Into::into);
    true
}

/// One label of a host's name (RFC 1123 §2.1).
fn is_label(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    text.bytes().all(plain) && !text.starts_with('-') && !text.ends_with('-')
}

pub(super) const WPA2_PASSWORD: &str =
    "8 to 63 printable ASCII characters, \"set\" to keep the one that is set, or null";

/// As WPA2 has it (IEEE 802.11, annex J.4).
pub(super) fn is_wpa2_password(text: &str) -> bool {
    (8..=63).contains(&text.len()) && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// As [`put`]; `None` empties the place.
fn put_secret<const N: usize>(place: &mut Option<String<N>>, text: Option<&str>) -> bool {
    match text {
        Some(text) => put(place.get_or_insert_default(), text),
        None => {
            *place = None;
            true
        }
    }
}

/// `false` if it does not fit; then nothing changes.
fn put<const N: usize>(place: &mut String<N>, text: &str) -> bool {
    String::try_from(text).map(|text| *place = text).is_ok()
}
