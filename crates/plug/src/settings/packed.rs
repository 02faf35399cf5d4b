//! The settings' text in few bytes, so that everything at its longest fits into one item of the flash.
//!
//! What is packed is the JSON of `write.rs`, and what comes out is the same text, byte for byte: names, numbers, keys,
//! addresses and the quotes of strings get short forms, and everything else stays as it is. So what a newer version left
//! is kept word for word here too.
//!
//! ```text
//!   0x00           first of all: this form (a plain text begins with `{`, and is read too)
//!   0x01 n ...     n bytes as they are
//!   0x02 n ...     a string of n bytes, without its quotes and backslashes
//!   0x03 n ...     a string of 2n hexadecimal digits in small letters
//!   0x04 ....      a string that is an IPv4 address
//!   0x05 ........  a number: the bits of an f64, the lowest first
//!   0x06 n ...     a string of "sunrise" and n bytes
//!   0x07 n ...     a string of "sunset" and n bytes
//!   0x08 to 0x0a   one of WORDS
//!   0x10 to 0x16   one of DAYS as a string, and a comma before it where one belongs
//!   0x20 to 0x7e   that character
//!   0x80 to 0xff   one of NAMES with its quotes and its colon, and a comma before it where one belongs
//! ```
//!
//! A comma belongs everywhere but behind `{` and `[`. **No list here may change:** an older version could not read what
//! a newer one wrote. The name of a new field is a string, which costs its length.

use alloc::string::String;
use core::fmt::Write;
use core::net::Ipv4Addr;

use crate::json::{Number, Quoted};
use crate::storage::item::{Found, Length, Out, Slice, memory};

/// First byte of what is packed.
pub(super) const FORM: u8 = 0;
pub(super) const RAW: u8 = 1;
pub(super) const STRING: u8 = 2;
pub(super) const HEX: u8 = 3;
pub(super) const ADDRESS: u8 = 4;
pub(super) const NUMBER: u8 = 5;
pub(super) const SUNRISE: u8 = 6;
pub(super) const SUNSET: u8 = 7;
pub(super) const FIRST_WORD: u8 = 0x08;
pub(super) const FIRST_DAY: u8 = 0x10;
pub(super) const FIRST_NAME: u8 = 0x80;

pub(super) const WORDS: [&str; 3] = ["true", "false", "null"];
pub(super) const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
pub(super) const NAMES: [&str; 109] = [
    "schema",
    "revision",
    "device",
    "wifi",
    "access",
    "relay",
    "schedule",
    "protection",
    "calibration",
    "time",
    "history",
    "emoncms",
    "update",
    "name",
    "button_locked",
    "led_off",
    "host",
    "mdns",
    "ssid",
    "password",
    "hidden",
    "address",
    "more",
    "ip",
    "prefix",
    "gateway",
    "dns",
    "access_point",
    "access_point_ssid",
    "access_point_password",
    "access_point_after_loss_s",
    "access_point_linger_s",
    "reading",
    "hosts",
    "power_on",
    "start_delay_s",
    "start_delay_random_s",
    "minimum_on_s",
    "minimum_off_s",
    "switchings_a_minute",
    "manual_until",
    "inching_s",
    "idle_off_below_w",
    "idle_off_after_s",
    "hold_on_restart",
    "enabled",
    "entries",
    "at",
    "on",
    "days",
    "random_s",
    "current_limit_a",
    "rated_current_a",
    "inverse_time",
    "power_limit_w",
    "power_hold_s",
    "voltage_max_v",
    "voltage_min_v",
    "voltage_hysteresis_v",
    "voltage_hold_s",
    "energy_budget_wh",
    "chip_temperature_max_c",
    "sensor_fault",
    "clipped",
    "retries",
    "retry_pause_s",
    "retry_back_off",
    "voltage",
    "current",
    "gain",
    "gain_uncertainty_pct",
    "zero_raw",
    "zero_uncertainty_raw",
    "phase_deg",
    "phase_uncertainty_deg",
    "current_noise_floor_a",
    "date",
    "reference",
    "version",
    "source",
    "zone",
    "posix",
    "latitude_deg",
    "longitude_deg",
    "ntp_servers",
    "interval_s",
    "url",
    "node",
    "write_key",
    "read_key",
    "user_id",
    "transport",
    "send_every_s",
    "begin",
    "input_power",
    "input_energy",
    "input_energy_kwh",
    "input_energy_export",
    "input_voltage",
    "input_current",
    "input_power_factor",
    "input_frequency",
    "input_power_min",
    "input_power_max",
    "input_relay",
    "accept",
    "keys",
    "retired",
    "warn_above_a",
];

/// The text that was stored: packed, or as the first versions stored it.
///
/// # Errors
/// It is none, or there is no memory for it.
pub(super) fn unpack(bytes: &[u8]) -> Result<String, Found> {
    let Some((&FORM, packed)) = bytes.split_first() else {
        return core::str::from_utf8(bytes).map(String::from).map_err(|_| Found::Corrupt);
    };
    let mut length = Length(0);
    expand(packed, &mut length).ok_or(Found::Corrupt)?;
    let mut text = memory(length.0).ok_or(Found::Unreadable)?;
    expand(packed, &mut Slice(&mut text)).ok_or(Found::Corrupt)?;
    String::from_utf8(text).map_err(|_| Found::Corrupt)
}

/// `None` if it is nothing that was packed.
fn expand(mut packed: &[u8], out: &mut dyn Out) -> Option<()> {
    let mut last = 0;
    while let Some((&code, rest)) = packed.split_first() {
        let (used, now) = match code {
            RAW => {
                let bytes = counted(rest)?;
                out.bytes(bytes).ok()?;
                (1 + bytes.len(), *bytes.last()?)
            }
            STRING | SUNRISE | SUNSET => {
                let bytes = counted(rest)?;
                write!(out, "\"{}", begins(code)).ok()?;
                Quoted(core::str::from_utf8(bytes).ok()?).inner(out).ok()?;
                out.write_char('"').ok()?;
                (1 + bytes.len(), 0)
            }
            HEX => {
                let bytes = counted(rest)?;
                out.write_char('"').ok()?;
                bytes.iter().try_for_each(|byte| write!(out, "{byte:02x}")).ok()?;
                out.write_char('"').ok()?;
                (1 + bytes.len(), 0)
            }
            ADDRESS => {
                write!(out, "\"{}\"", Ipv4Addr::from(*rest.first_chunk::<4>()?)).ok()?;
                (4, 0)
            }
            NUMBER => {
                write!(out, "{}", Number(f64::from_le_bytes(*rest.first_chunk()?))).ok()?;
                (8, 0)
            }
            b' '..=b'~' => {
                out.bytes(&[code]).ok()?;
                (0, code)
            }
            _ => {
                word(code, last, out)?;
                (0, 0)
            }
        };
        last = now;
        packed = rest.get(used..)?;
    }
    Some(())
}

/// With what a string of this code begins.
pub(super) const fn begins(code: u8) -> &'static str {
    match code {
        SUNRISE => "sunrise",
        SUNSET => "sunset",
        _ => "",
    }
}

/// As many bytes as the first one says.
fn counted(bytes: &[u8]) -> Option<&[u8]> {
    let (&count, rest) = bytes.split_first()?;
    rest.get(..count.into())
}

/// Writes the word that a code is.
fn word(code: u8, last: u8, out: &mut dyn Write) -> Option<()> {
    let of = |first: u8| usize::from(code.wrapping_sub(first));
    let comma = if opens(last) { "" } else { "," };
    if let Some(name) = NAMES.get(of(FIRST_NAME)) {
        write!(out, "{comma}\"{name}\":").ok()
    } else if let Some(day) = DAYS.get(of(FIRST_DAY)) {
        write!(out, "{comma}\"{day}\"").ok()
    } else {
        out.write_str(WORDS.get(of(FIRST_WORD))?).ok()
    }
}

/// Whether no comma belongs behind it.
pub(super) const fn opens(last: u8) -> bool {
    matches!(last, b'{' | b'[')
}
