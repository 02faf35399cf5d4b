//! Settings as JSON: complete for everybody, and in the short form that the flash keeps.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::{Result as Written, Write};

use metering::calibration::Calibration;

use super::calibration;
use super::field::Secrets;
use super::fields::{CALIBRATION, FIELDS, SECTIONS};
use super::schema::{Settings, VERSION};
use crate::storage::item::Length;

/// Writes all settings with every field. `board` is the calibration where nobody ever calibrated.
///
/// # Errors
/// There is no room in `out`.
pub fn write_json(
    settings: &Settings,
    board: &Calibration,
    secrets: Secrets,
    out: &mut impl Write,
) -> Written {
    write!(out, "{{\"schema\":{VERSION}")?;
    for section in SECTIONS {
        write!(out, ",\"{section}\":")?;
        if section == CALIBRATION {
            calibration::write(settings.calibration.in_use.as_ref().unwrap_or(board), false, out)?;
            continue;
        }
        let mut separator = '{';
        for field in FIELDS.iter().filter(|field| field.section == section) {
            write!(out, "{separator}\"{}\":", field.name)?;
            field.write(settings, secrets, out)?;
            separator = ',';
        }
        out.write_char('}')?;
    }
    out.write_char('}')
}

/// How long that is.
#[must_use]
pub fn json_length(settings: &Settings, board: &Calibration, secrets: Secrets) -> usize {
    let mut length = Length(0);
    // A counter has room for everything.
    let _ = write_json(settings, board, secrets, &mut length);
    length.0
}

/// Tells versions of the settings apart (an entity tag): FNV-1a over what everybody may see and how often they were
/// stored. Secrets are not in it: whoever sees the tag could try them out against it.
#[must_use]
pub fn etag(settings: &Settings, board: &Calibration, revision: u32) -> u64 {
    let mut hash = Hash(0xcbf2_9ce4_8422_2325);
    // A hash has room for everything.
    let _ = write_json(settings, board, Secrets::Hide, &mut hash);
    let _ = write!(hash, "{revision}");
    hash.0
}

/// FNV-1a, 64 bits.
struct Hash(u64);

impl Write for Hash {
    fn write_str(&mut self, text: &str) -> Written {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        Ok(())
    }
}

/// Something of a newer version that this one does not know, word for word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    /// The section it stands in; `None`: it is a section.
    pub(super) section: Option<&'static str>,
    /// `"name":value`.
    pub(super) text: String,
}

/// What is stored with the settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Beside {
    /// How often they were stored.
    pub(super) revision: u32,
    /// What a newer version left.
    pub(super) kept: Vec<Kept>,
}

/// Writes what the flash keeps: what differs from `default`, what a newer version left, and, while the calibration's
/// own place does not have it yet, the calibration.
pub(super) fn write_stored(
    settings: &Settings,
    default: &Settings,
    beside: &Beside,
    with_calibration: bool,
    out: &mut dyn Write,
) -> Written {
    write!(out, "{{\"schema\":{VERSION},\"revision\":{}", beside.revision)?;
    for section in SECTIONS {
        if section == CALIBRATION {
            if with_calibration {
                write!(out, ",\"{CALIBRATION}\":")?;
                write_in_use(settings.calibration.in_use.as_ref(), out)?;
            }
            continue;
        }
        write_section(section, settings, default, &beside.kept, out)?;
    }
    for kept in beside.kept.iter().filter(|kept| kept.section.is_none()) {
        write!(out, ",{}", kept.text)?;
    }
    out.write_char('}')
}

fn write_section(
    section: &'static str,
    settings: &Settings,
    default: &Settings,
    kept: &[Kept],
    out: &mut dyn Write,
) -> Written {
    let mut any = false;
    let mut begin = |out: &mut dyn Write| {
        if core::mem::replace(&mut any, true) {
            out.write_char(',')
        } else {
            write!(out, ",\"{section}\":{{")
        }
    };
    for field in FIELDS.iter().filter(|field| field.section == section && !field.same(settings, default)) {
        begin(out)?;
        write!(out, "\"{}\":", field.name)?;
        field.write(settings, Secrets::Show, out)?;
    }
    for kept in kept.iter().filter(|kept| kept.section == Some(section)) {
        begin(out)?;
        out.write_str(&kept.text)?;
    }
    if any { out.write_char('}') } else { Ok(()) }
}

/// A calibration, or null for the board's own.
pub(super) fn write_in_use(in_use: Option<&Calibration>, out: &mut dyn Write) -> Written {
    match in_use {
        Some(calibration) => calibration::write(calibration, true, out),
        None => out.write_str("null"),
    }
}
