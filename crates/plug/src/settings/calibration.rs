//! The calibration in JSON: its fields, a patch on top of the one in use, and going back to the board's own.

use core::fmt::{Result as Written, Write};

use heapless::String;
use metering::calibration::{Calibration, ChannelCalibration};
use metering::units::Amperes;

use super::field::{number, write_number};
use super::fields::CALIBRATION;
use super::schema::{CalibrationSettings, EARLIER_CALIBRATIONS};
use super::wrong::{Part, Wanted, Why, WrongField};
use crate::json::{self, Number, Quoted};

/// The last second of the year 9999.
const LAST_DATE: f64 = 253_402_300_799.0;
/// A code of any converter (DESIGN, "Numbers": at most 2^24).
const CODE: f64 = 16_777_216.0;
/// By what factor a gain may differ from the board's own. A voltage divider may be trimmed by hand; a current gain far
/// from it would make the protection blind.
const VOLTAGE: (f64, Wanted) =
    (100.0, Wanted::Phrase("from a hundredth of the board's own gain to a hundred times it"));
const CURRENT: (f64, Wanted) = (10.0, Wanted::Phrase("from a tenth of the board's own gain to ten times it"));

const REFERENCE: Wanted = Wanted::Phrase("a text of at most 48 bytes without control characters");
const OBJECT: Wanted = Wanted::Phrase("an object with the fields of the calibration, or null");
const RESET: Wanted = Wanted::Phrase("true, and stand alone");

/// Fields of a channel.
const CHANNEL_FIELDS: [&str; 4] = ["gain", "gain_uncertainty_pct", "zero_raw", "zero_uncertainty_raw"];
/// Fields beside the channels.
const FIELDS: [&str; 7] =
    ["phase_deg", "phase_uncertainty_deg", "current_noise_floor_a", "date", "reference", "version", "reset"];
const DATE: usize = 3;

/// What a text says of the calibration.
pub(super) enum Said {
    /// This is to be in use; its version is that of the one it began with, if the text names none.
    Use(Calibration),
    /// Back to the board's own.
    Reset,
}

/// Whose text is read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Writer {
    /// A client, who cannot give the version.
    Client {
        /// Unix seconds, where the clock is trusted.
        time: Option<u64>,
    },
    /// The plug itself: the version is given.
    Plug,
}

/// Reads the object `value` on top of `current`; null means reset. Each fault is told to `wrong`.
pub(super) fn read(
    value: &str,
    current: &Calibration,
    board: &Calibration,
    writer: Writer,
    wrong: &mut dyn FnMut(WrongField),
) -> Option<Said> {
    if value == "null" {
        return Some(Said::Reset);
    }
    let mut reader =
        Reader { calibration: current.clone(), board, writer, given: 0, reset: false, good: true, wrong };
    let whole = json::members(value, |name, value| reader.member(name, value));
    if whole.is_err() {
        (reader.wrong)(WrongField::section(CALIBRATION, Why::MustBe(OBJECT)));
        return None;
    }
    if reader.reset && reader.given.count_ones() > 1 {
        reader.fault(Part::Top, "reset", Why::MustBe(RESET));
    }
    let Reader { mut calibration, given, reset, good, .. } = reader;
    if !good {
        return None;
    }
    if reset {
        return Some(Said::Reset);
    }
    if let Writer::Client { time } = writer
        && given & 1 << DATE == 0
        && calibration != *current
    {
        // Numbers of today are not of the day of the old ones.
        calibration.date = time;
    }
    Some(Said::Use(calibration))
}

struct Reader<'a> {
    calibration: Calibration,
    board: &'a Calibration,
    writer: Writer,
    /// A bit for each of [`FIELDS`], and two for the channels.
    given: u16,
    reset: bool,
    good: bool,
    wrong: &'a mut dyn FnMut(WrongField),
}

impl Reader<'_> {
    fn fault(&mut self, part: Part, name: &'static str, why: Why) {
        self.good = false;
        (self.wrong)(WrongField::new(CALIBRATION, part, name, why));
    }

    /// Whether that bit was not set; sets it.
    fn first_time(&mut self, bit: usize) -> bool {
        let before = self.given;
        self.given |= 1 << bit;
        before & 1 << bit == 0
    }

    fn member(&mut self, name: &str, value: &str) {
        if let Some((index, channel)) =
            ["voltage", "current"].into_iter().enumerate().find(|(_, channel)| *channel == name)
        {
            if self.first_time(FIELDS.len() + index) {
                self.channel(channel, value);
            } else {
                self.fault(Part::Top, channel, Why::Repeated);
            }
            return;
        }
        let found = FIELDS.iter().enumerate().find(|(_, field)| **field == name);
        match found.filter(|(_, field)| **field != "version" || self.writer == Writer::Plug) {
            None => {
                self.good = false;
                (self.wrong)(WrongField::unknown(CALIBRATION, Part::Top, name));
            }
            Some((index, field)) => {
                if !self.first_time(index) {
                    self.fault(Part::Top, field, Why::Repeated);
                } else if let Err(wanted) = self.take(field, value) {
                    self.fault(Part::Top, field, Why::MustBe(wanted));
                }
            }
        }
    }

    fn take(&mut self, field: &str, value: &str) -> Result<(), Wanted> {
        let (calibration, board, null) = (&mut self.calibration, self.board, value == "null");
        match field {
            "phase_deg" if null => calibration.phase = board.phase,
            "phase_deg" => calibration.phase.0 = number(value, a_number(-90.0, 90.0))?,
            "phase_uncertainty_deg" if null => calibration.phase_uncertainty = board.phase_uncertainty,
            "phase_uncertainty_deg" => {
                calibration.phase_uncertainty.0 = number(value, a_number(0.0, 90.0))?;
            }
            "current_noise_floor_a" if null => calibration.current_noise_floor = None,
            "current_noise_floor_a" => {
                let wanted = Wanted::Number { what: "a number", from: 0.0, to: 100.0, or_null: true };
                calibration.current_noise_floor = Some(Amperes(number(value, wanted)?));
            }
            "date" if null => calibration.date = None,
            "date" => calibration.date = Some(whole(value, LAST_DATE, "a whole number of Unix seconds")?),
            "reference" if null => calibration.reference.clear(),
            "reference" => {
                let mut text = String::new();
                let fits = json::unescape(value, &mut |character| text.push(character).is_ok());
                calibration.reference = fits.then_some(text).ok_or(REFERENCE)?;
            }
            "version" => {
                let version = whole(value, f64::from(u32::MAX), "a whole number")?;
                calibration.version = u32::try_from(version).unwrap_or(u32::MAX);
            }
            _ => self.reset = (value == "true").then_some(true).ok_or(RESET)?,
        }
        Ok(())
    }

    fn channel(&mut self, channel: &'static str, value: &str) {
        let (board, factor) = match channel {
            "voltage" => (self.board.voltage, VOLTAGE),
            _ => (self.board.current, CURRENT),
        };
        let mut numbers = match channel {
            "voltage" => self.calibration.voltage,
            _ => self.calibration.current,
        };
        if value == "null" {
            numbers = board;
        } else {
            let mut given = 0_u8;
            let whole = json::members(value, |name, value| {
                let Some((index, field)) =
                    CHANNEL_FIELDS.into_iter().enumerate().find(|(_, field)| *field == name)
                else {
                    self.good = false;
                    return (self.wrong)(WrongField::unknown(CALIBRATION, Part::Channel(channel), name));
                };
                let repeated = given & 1 << index != 0;
                given |= 1 << index;
                let why = if repeated {
                    Some(Why::Repeated)
                } else {
                    channel_field(&mut numbers, field, value, board, factor).err().map(Why::MustBe)
                };
                if let Some(why) = why {
                    self.fault(Part::Channel(channel), field, why);
                }
            });
            if whole.is_err() {
                self.fault(Part::Top, channel, Why::MustBe(OBJECT));
            }
        }
        match channel {
            "voltage" => self.calibration.voltage = numbers,
            _ => self.calibration.current = numbers,
        }
    }
}

const fn a_number(from: f64, to: f64) -> Wanted {
    Wanted::Number { what: "a number", from, to, or_null: false }
}

/// A whole number from 0.
fn whole(value: &str, to: f64, what: &'static str) -> Result<u64, Wanted> {
    let wanted = Wanted::Number { what, from: 0.0, to, or_null: false };
    let number = number(value, wanted)?;
    if number == libm::trunc(number) { Ok(number as u64) } else { Err(wanted) }
}

fn channel_field(
    channel: &mut ChannelCalibration,
    field: &str,
    value: &str,
    board: ChannelCalibration,
    (factor, gain): (f64, Wanted),
) -> Result<(), Wanted> {
    if field == "gain" && value != "null" {
        let limits = a_number(board.gain / factor, board.gain * factor);
        channel.gain = number(value, limits).map_err(|_| gain)?;
        return Ok(());
    }
    let (place, default, wanted) = match field {
        "gain" => (&mut channel.gain, board.gain, gain),
        "gain_uncertainty_pct" => {
            (&mut channel.gain_uncertainty_pct, board.gain_uncertainty_pct, a_number(0.0, 100.0))
        }
        "zero_raw" => (&mut channel.zero_raw, board.zero_raw, a_number(-CODE, CODE)),
        _ => (&mut channel.zero_uncertainty_raw, board.zero_uncertainty_raw, a_number(0.0, CODE)),
    };
    *place = if value == "null" { default } else { number(value, wanted)? };
    Ok(())
}

impl CalibrationSettings {
    /// Puts `said` into use; what was in use is kept. Nothing changes where nothing differs.
    pub(super) fn take(&mut self, said: Said, board: &Calibration) {
        let current = self.in_use.as_ref().unwrap_or(board);
        let next = match said {
            Said::Reset => None,
            Said::Use(next) if next == *current => return,
            Said::Use(mut next) => {
                // The newest version ever: after a reset it is not in use any more.
                let newest = self.in_use.iter().chain(&self.earlier).map(|known| known.version).max();
                next.version = newest.unwrap_or(0).saturating_add(1);
                Some(next)
            }
        };
        self.put(next);
    }

    /// Has `next` in use as it is.
    pub(super) fn put(&mut self, next: Option<Calibration>) {
        if let Some(old) = core::mem::replace(&mut self.in_use, next) {
            if self.earlier.len() >= EARLIER_CALIBRATIONS {
                self.earlier.remove(0);
            }
            self.earlier.push(old);
        }
    }
}

/// Writes a calibration, with its version for the plug's own flash.
pub(super) fn write(calibration: &Calibration, with_version: bool, out: &mut dyn Write) -> Written {
    out.write_char('{')?;
    if with_version {
        write!(out, "\"version\":{},", calibration.version)?;
    }
    for (name, channel) in [("voltage", &calibration.voltage), ("current", &calibration.current)] {
        let numbers =
            [channel.gain, channel.gain_uncertainty_pct, channel.zero_raw, channel.zero_uncertainty_raw];
        write!(out, "\"{name}\":")?;
        let mut separator = '{';
        for (field, value) in CHANNEL_FIELDS.iter().zip(numbers) {
            write!(out, "{separator}\"{field}\":{}", Number(value))?;
            separator = ',';
        }
        out.write_str("},")?;
    }
    write!(out, "\"phase_deg\":{}", Number(calibration.phase.0))?;
    write!(out, ",\"phase_uncertainty_deg\":{}", Number(calibration.phase_uncertainty.0))?;
    out.write_str(",\"current_noise_floor_a\":")?;
    write_number(calibration.current_noise_floor.map(|noise| noise.0), out)?;
    out.write_str(",\"date\":")?;
    match calibration.date {
        Some(date) => write!(out, "{date}")?,
        None => out.write_str("null")?,
    }
    write!(out, ",\"reference\":{}}}", Quoted(&calibration.reference))
}
