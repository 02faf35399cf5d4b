//! Settings and an owner's password that came by cable beside the firmware: many plugs are set up without a page each.
//!
//! `ossp provision` makes the record, a cable writes it, and the first start takes it: a plug that has an owner does not.
//! Whatever becomes of it, it is erased: there is a password in it.
//!
//! ```text
//!   record, in the first sectors of IMPORT:
//!     "OSSPimp1" | length 4 | CRC-32 4 of all but itself | text, JSON as settings::import takes it
//!
//!   blank ----------------------------------------------------------------------------> nothing
//!   a record, nobody owns the plug -> settings stored -> owner stored --+
//!   a record, somebody does         --> told ---------------------------+--> erased, the last sector first
//!   anything else                   --> told ---------------------------+
//! ```
//!
//! The owner's record is the moment: after a power cut before it the next start begins anew, which makes the same of the same
//! text; after a cut behind it, what is left is erased. A half-erased record is no blank one, so it is erased too.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use embedded_storage_async::nor_flash::{NorFlash, ReadNorFlash};

use super::item::{SaveError, memory};
use super::keeper::Settling;
use super::layout::{ACCESS, IMPORT, Place, SECTOR};
use super::region::{Region, Shared};
use super::reset::MARK;
use super::sector::{Crc, Words};
use crate::access::{AccessStore, Ha1, Kept};
use crate::defaults::Defaults;
use crate::json;
use crate::limits;
use crate::settings::{self, Basis, Refusal, Wrong};
use crate::update::keys::AcceptedKeys;

/// Where the record lies: what [`MARK`] leaves of [`IMPORT`].
pub const RECORD: Place = Place { from: IMPORT.from, length: IMPORT.length - SECTOR };
const _: () = assert!(RECORD.from + RECORD.length == MARK.from);

const MAGIC: [u8; 8] = *b"OSSPimp1";
const HEAD: usize = 16;
/// Longest text.
pub const IMPORT_MOST: usize = RECORD.length as usize - HEAD;
/// What stands in a name for the last four characters of the plug's identity.
pub const OWN: &str = "{id}";
/// The fields in which it stands for them: what a plug is called. Everywhere else it is what it is: a password may have it.
pub const NAMES: [(&str, &str); 4] =
    [("device", "name"), ("device", "host"), ("wifi", "access_point_ssid"), ("emoncms", "node")];

/// Bytes of a line of the log, and lines that a reason gets of it at most: others want to be read, too.
const LINE: usize = 96;
const LINES: usize = limits::LOG_LINES - 3;

/// The record with this text, in whole words; `None` if it is too long.
#[must_use]
pub fn record(text: &str) -> Option<Vec<u8>> {
    if text.len() > IMPORT_MOST {
        return None;
    }
    let mut record = Vec::new();
    record.extend_from_slice(&MAGIC);
    record.extend_from_slice(&(text.len() as u32).to_le_bytes());
    let sum = Crc::new().with(&record).with(text.as_bytes()).sum();
    record.extend_from_slice(&sum);
    record.extend_from_slice(text.as_bytes());
    record.resize(record.len().next_multiple_of(4), 0xff);
    Some(record)
}

/// The text of a record; `None` if it is none, or damaged.
#[must_use]
pub fn text_of(record: &[u8]) -> Option<&str> {
    let (head, rest) = record.split_at_checked(HEAD)?;
    let (length, sum) = (length_of(head)?, head.get(12..)?);
    let text = rest.get(..length)?;
    let whole = Crc::new().with(head.get(..12)?).with(text).sum() == *sum;
    core::str::from_utf8(text).ok().filter(|_| whole)
}

/// The length that a head names, if it is one of a record.
fn length_of(head: &[u8]) -> Option<usize> {
    let length = u32::from_le_bytes(*head.strip_prefix(&MAGIC)?.first_chunk()?) as usize;
    (length <= IMPORT_MOST).then_some(length)
}

/// The text as a plug with this identity takes it: with its own end in [`NAMES`].
#[must_use]
pub fn with_own(text: &str, id: &str) -> String {
    let own = id.get(id.len().saturating_sub(4)..).unwrap_or(id);
    let (mut whole, mut done) = (String::new(), 0);
    // What is no JSON stays as it is, and is refused as that.
    let _ = json::members(text, |section, fields| {
        let _ = json::members(fields, |name, value| {
            if !(NAMES.contains(&(section, name)) && value.contains(OWN)) {
                return;
            }
            // The value is a part of the text.
            let at = value.as_ptr().addr().wrapping_sub(text.as_ptr().addr());
            if let Some(before) = text.get(done..at) {
                whole.push_str(before);
                whole.push_str(&value.replace(OWN, own));
                done = at + value.len();
            }
        });
    });
    whole.push_str(text.get(done..).unwrap_or(""));
    whole
}

/// Takes a record if there is one, before the settings are read for good. Takes a few milliseconds where there is none.
/// Dropping the future is a power cut. `say` takes what became of it.
pub async fn take<F: NorFlash>(
    flash: &Shared<F>,
    store: &mut Settling<'_, F>,
    basis: &Basis,
    defaults: &Defaults,
    id: &str,
    say: &mut dyn FnMut(&str),
) {
    let mut area = Region::new(flash, RECORD);
    let record = match read(&mut area).await {
        // The flash itself is told of elsewhere.
        Ok(None) | Err(_) => return,
        Ok(Some(record)) => record,
    };
    let Some(text) = text_of(&record) else {
        say("what was to provision this plug is damaged; it is erased");
        return erase(&mut area, say).await;
    };
    let done = provision(flash, store, basis, defaults, id, &with_own(text, id)).await;
    drop(record);
    match done {
        Ok(()) => say("this plug was provisioned: it has settings and an owner"),
        Err(Not::Owned) => say("this plug has an owner: what was to provision it is erased"),
        Err(Not::Wrong(words)) => {
            say("this plug was not provisioned and has no owner; what came for it is erased, since");
            in_lines(&words, say);
        }
        Err(Not::Kept) => return say("the flash does not take what is to provision this plug"),
    }
    erase(&mut area, say).await;
}

/// Says a reason to its end: a line of the log has room for less than many a field's.
fn in_lines(words: &str, say: &mut dyn FnMut(&str)) {
    let mut rest = words;
    for _ in 0..LINES {
        let whole = rest.len() <= LINE;
        let end = rest.get(..rest.floor_char_boundary(LINE)).and_then(|head| head.rfind(' '));
        let (line, behind) = match end {
            Some(end) if !whole => rest.split_at(end),
            _ => (rest, ""),
        };
        say(line);
        rest = behind.trim_start();
        if rest.is_empty() {
            return;
        }
    }
}

/// Why a plug was not provisioned.
enum Not {
    /// It belongs to somebody.
    Owned,
    /// It cannot be set so.
    Wrong(String),
    /// The flash does not keep it: the next start tries again.
    Kept,
}

async fn provision<F: NorFlash>(
    flash: &Shared<F>,
    store: &mut Settling<'_, F>,
    basis: &Basis,
    defaults: &Defaults,
    id: &str,
    text: &str,
) -> Result<(), Not> {
    let mut access = AccessStore::new(Region::new(flash, ACCESS));
    let kept = match access.load().await {
        Ok(kept @ Kept { ha1: None, .. }) => kept,
        _ => return Err(Not::Owned),
    };
    let (mut before, trouble) = store.load(basis).await;
    if store.revision() == 0 && trouble.is_none() {
        defaults.apply(&mut before);
    }
    let claimed = settings::import(&before, text, basis).map_err(|refusal| {
        Not::Wrong(match refusal {
            Refusal::NotJson => String::from("it is no JSON"),
            Refusal::Wrong(wrong) => format!("{wrong}"),
        })
    })?;
    // As in a change of the settings: nobody shuts out all firmware.
    let keys = AcceptedKeys::of(defaults.update_key, &claimed.settings.update);
    keys.check().map_err(|_| Not::Wrong(format!("{}", Wrong::keys_do_not_fit())))?;
    let not = |error| match error {
        SaveError::TooLarge => Not::Wrong(String::from("it is too long")),
        SaveError::Flash | SaveError::Memory => Not::Kept,
    };
    store.save(&claimed.settings).await.map_err(not)?;
    let ha1 = Some(Ha1::of(id, &claimed.password));
    access.save(&Kept { ha1, ..kept }).await.map_err(not)
}

/// What lies there: a record as long as it says it is, or as much as it takes to see that it is none. `None` if all is
/// blank.
async fn read<F: NorFlash>(area: &mut Region<'_, F>) -> Result<Option<Vec<u8>>, ()> {
    let mut piece = Words([0; 64]);
    let mut used = false;
    let mut length = piece.0.len();
    for at in (0..RECORD.length).step_by(piece.0.len()) {
        area.read(at, &mut piece.0).await.map_err(drop)?;
        if at == 0 {
            length = length_of(&piece.0).map_or(length, |length| HEAD + length);
        }
        if piece.0.iter().any(|byte| *byte != 0xff) {
            used = true;
            break;
        }
    }
    if !used {
        return Ok(None);
    }
    let mut record = memory(length.next_multiple_of(4)).ok_or(())?;
    area.read(0, &mut record).await.map_err(drop)?;
    Ok(Some(record))
}

/// The head last: what is left of a cut is not taken for a record.
async fn erase<F: NorFlash>(area: &mut Region<'_, F>, say: &mut dyn FnMut(&str)) {
    for at in (0..RECORD.length).step_by(SECTOR as usize).rev() {
        if area.erase(at, at + SECTOR).await.is_err() {
            return say("what was to provision this plug cannot be erased");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_gives_its_text_back_and_nothing_else_does() {
        for text in ["", "{}", "{\"password\":\"ü\"}", &"x".repeat(IMPORT_MOST)] {
            let whole = record(text).unwrap();
            assert_eq!(text_of(&whole), Some(text));
            assert!(whole.len().is_multiple_of(4) && whole.len() <= RECORD.length as usize);
            // As it lies in the flash.
            assert_eq!(text_of(&[&*whole, &[0xff; 100]].concat()), Some(text));
            for at in (0..HEAD + text.len()).step_by(1 + text.len() / 50) {
                let mut other = whole.clone();
                other[at] ^= 0x10;
                assert_eq!(text_of(&other), None, "{at}");
            }
            assert_eq!(text_of(&whole[..whole.len().saturating_sub(4)]), None);
        }
        assert_eq!(record(&"x".repeat(IMPORT_MOST + 1)), None);
        assert_eq!(text_of(&[0xff; 64]), None);
    }

    #[test]
    fn a_reason_is_said_to_its_end_in_whole_words() {
        let said = |words: &str| {
            let mut lines: Vec<String> = Vec::new();
            in_lines(words, &mut |line| lines.push(String::from(line)));
            lines
        };
        assert_eq!(said("it is no JSON"), ["it is no JSON"]);
        let exact = "x".repeat(LINE);
        assert_eq!(said(&exact), [exact.as_str()]);
        let long = "eins zwei drei fünf ".repeat(12);
        let long = long.trim_end();
        let lines = said(long);
        assert!(lines.len() > 2 && lines.iter().all(|line| line.len() <= LINE));
        assert_eq!(lines.join(" "), long);
        assert_eq!(said(&"word ".repeat(1000)).len(), LINES);
        // The log cuts what has no place to be cut at.
        assert_eq!(said(&"x".repeat(200)).len(), 1);
    }

    #[test]
    fn a_plug_puts_its_own_end_into_its_names() {
        for (text, expected) in [
            ("{\"device\":{\"name\":\"plug {id}, {id}\"}}", "{\"device\":{\"name\":\"plug 2c3d, 2c3d\"}}"),
            (
                "{\"emoncms\":{\"write_key\":\"{id}\", \"node\": \"n-{id}\"},\"device\":{\"host\":\"{id}\"}} ",
                "{\"emoncms\":{\"write_key\":\"{id}\", \"node\": \"n-2c3d\"},\"device\":{\"host\":\"2c3d\"}} ",
            ),
            (
                "{\"wifi\":{\"access_point_ssid\":\"{id}\",\"access_point_password\":\"12345{id}\"}}",
                "{\"wifi\":{\"access_point_ssid\":\"2c3d\",\"access_point_password\":\"12345{id}\"}}",
            ),
        ] {
            assert_eq!(with_own(text, "0a1b2c3d"), expected);
        }
        for text in [
            "{}",
            "",
            "{id}",
            "{\"device\":\"{id}\"}",
            "{\"name\":\"{id}\"}",
            "{\"password\":\"words {id}\"}",
            "{\"device\":{\"{id}\":\"{id}\"}}",
            "{\"wifi\":{\"ssid\":\"{id}\",\"password\":\"{id}\",\"more\":[{\"ssid\":\"{id}\"}]}}",
        ] {
            assert_eq!(with_own(text, "0a1b2c3d"), text);
        }
        assert_eq!(with_own("{\"device\":{\"name\":\"{id}\"}}", "3d"), "{\"device\":{\"name\":\"3d\"}}");
    }
}
