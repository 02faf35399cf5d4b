//! Settings out of the text that the flash keeps: what is known is read, what a newer version left is kept word for
//! word, what cannot be is told and left at its default. Nothing in such a text keeps the plug from starting.

use alloc::boxed::Box;
use alloc::vec::Vec;

use metering::calibration::Calibration;

use super::calibration::{self, Said, Writer};
use super::fields::{CALIBRATION, SECTIONS, find};
use super::migrate::{Member, Step, migrated};
use super::rules::repair;
use super::schema::{Basis, CalibrationSettings, EARLIER_CALIBRATIONS, Settings, VERSION};
use super::write::{Beside, Kept};
use super::wrong::{Wrong, WrongField};
use crate::json::{self, NotJson};

/// Bytes that are kept of what a newer version left; what is over is dropped, and told.
pub(super) const KEPT_MOST: usize = 1024;

/// What a stored text says.
pub(super) struct Stored {
    /// Without the calibration.
    pub(super) settings: Box<Settings>,
    pub(super) beside: Beside,
    /// A calibration that was to go to its own place; the inner `None` is the board's own.
    pub(super) calibration: Option<Option<Calibration>>,
    pub(super) wrong: Wrong,
    /// Something of a newer version was dropped: there is no room for it.
    pub(super) dropped: bool,
}

/// Reads a stored text; `steps` bring older versions to ours.
///
/// # Errors
/// It is not one JSON object.
pub(super) fn read(text: &str, basis: &Basis, steps: &[Step]) -> Result<Stored, NotJson> {
    let mut schema = VERSION;
    let mut revision = 0;
    json::members(text, |name, value| match name {
        "schema" => schema = value.parse().unwrap_or(VERSION),
        "revision" => revision = value.parse().unwrap_or(0),
        _ => {}
    })?;
    let mut reader = Reader {
        stored: Stored {
            settings: Box::default(),
            beside: Beside { revision, kept: Vec::new() },
            calibration: None,
            wrong: Wrong::new(),
            dropped: false,
        },
        basis,
        steps: steps.get(schema as usize..).unwrap_or(&[]),
        kept: 0,
    };
    json::members(text, |name, value| reader.section(name, value))?;
    let mut stored = reader.stored;
    repair(&mut stored.settings, &Settings::default(), &mut stored.wrong);
    Ok(stored)
}

struct Reader<'a> {
    stored: Stored,
    basis: &'a Basis,
    /// From the text's version to ours.
    steps: &'a [Step],
    /// Bytes of what is kept.
    kept: usize,
}

impl Reader<'_> {
    fn section(&mut self, name: &str, value: &str) {
        if matches!(name, "schema" | "revision") {
            return;
        }
        let Some(section) = SECTIONS.into_iter().find(|section| *section == name) else {
            return self.keep(None, name, value);
        };
        if section == CALIBRATION {
            self.stored.calibration = read_in_use(value, &self.basis.board, &mut self.stored.wrong);
        } else if json::members(value, |name, value| self.member(section, name, value)).is_err() {
            // A newer version may have made something else of it.
            self.keep(None, name, value);
        }
    }

    fn member(&mut self, section: &'static str, name: &str, value: &str) {
        let Member { name, value, .. } = migrated(Member { section, name, value }, self.steps);
        let Some((_, field)) = find(section, name) else {
            return self.keep(Some(section), name, value);
        };
        let Stored { settings, wrong, .. } = &mut self.stored;
        if value == "null" {
            field.clear(settings, &Settings::default());
        } else {
            field.read(value, settings, self.basis, &mut |field| wrong.push(field));
        }
    }

    fn keep(&mut self, section: Option<&'static str>, name: &str, value: &str) {
        // With its quotes, its colon and a comma.
        let length = name.len() + value.len() + 4;
        if self.kept + length > KEPT_MOST {
            self.stored.dropped = true;
            return;
        }
        self.kept += length;
        let text = alloc::format!("\"{name}\":{value}");
        self.stored.beside.kept.push(Kept { section, text });
    }
}

/// A calibration as [`super::write::write_in_use`] wrote it; `None` and a wrong field if it cannot be.
fn read_in_use(value: &str, board: &Calibration, wrong: &mut Wrong) -> Option<Option<Calibration>> {
    match calibration::read(value, board, board, Writer::Plug, &mut |field: WrongField| wrong.push(field))? {
        Said::Reset => Some(None),
        Said::Use(calibration) => Some(Some(calibration)),
    }
}

/// Reads what the calibration's own place holds: `{"schema":1,"in_use":{...},"earlier":[{...}]}`. A calibration with a
/// number that cannot be is left out as a whole, and told.
///
/// # Errors
/// It is not one JSON object.
pub(super) fn read_calibrations(
    text: &str,
    board: &Calibration,
    wrong: &mut Wrong,
) -> Result<CalibrationSettings, NotJson> {
    let mut found = CalibrationSettings::default();
    json::members(text, |name, value| match name {
        "in_use" => found.in_use = read_in_use(value, board, wrong).flatten(),
        "earlier" => {
            // What is no list is an empty one.
            let _ = json::items(value, |item| {
                if let Some(Some(calibration)) = read_in_use(item, board, wrong)
                    && found.earlier.len() < EARLIER_CALIBRATIONS
                {
                    found.earlier.push(calibration);
                }
            });
        }
        _ => {}
    })?;
    Ok(found)
}

/// The text that `bytes` are.
pub(super) fn text(bytes: &[u8]) -> Result<&str, NotJson> {
    core::str::from_utf8(bytes).map_err(|_| NotJson)
}
