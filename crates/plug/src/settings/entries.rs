//! The schedule's list in JSON.

use core::fmt::{Result as Written, Write};

use heapless::{String, Vec};

use super::field::{Field, flag, number};
use super::schema::{At, RANDOM_S, SCHEDULE_ENTRIES, ScheduleEntry};
use super::wrong::{Part, Wanted, Why, WrongField};
use crate::core::schedule::{ALL_DAYS, day_bit, day_names};
use crate::json;

const LIST: Wanted = Wanted::Phrase("a list of at most 16 entries");
const ENTRY: Wanted = Wanted::Phrase("an object with at and on");
const DAY_LIST: Wanted = Wanted::Phrase(
    "a list of at least one of \"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\" and \"sun\"",
);
const TIME: Wanted = Wanted::Phrase(
    "a time such as \"06:30\", or \"sunrise\", \"sunset\", \"sunrise+00:30\" or \"sunset-01:00\" (at most 6 hours)",
);
const RANDOM: Wanted =
    Wanted::Number { what: "a whole number of seconds", from: 0.0, to: RANDOM_S as f64, or_null: false };

/// The list that `value` is; `None`, and each fault told to `wrong`, if it is none.
pub(super) fn read(
    value: &str,
    field: &Field,
    wrong: &mut dyn FnMut(WrongField),
) -> Option<Vec<ScheduleEntry, SCHEDULE_ENTRIES>> {
    let mut entries = Vec::new();
    let (mut index, mut good) = (0_u8, true);
    let whole = json::items(value, |item| {
        let entry = if usize::from(index) < SCHEDULE_ENTRIES {
            entry(item, field.section, Part::Entry(index), wrong)
        } else {
            None
        };
        match entry {
            Some(entry) => good &= entries.push(entry).is_ok(),
            None => good = false,
        }
        index = index.saturating_add(1);
    });
    if whole.is_err() || usize::from(index) > SCHEDULE_ENTRIES {
        wrong(field.wrong(Why::MustBe(LIST)));
        return None;
    }
    good.then_some(entries)
}

/// What an entry is before its fields are read; `None` has to be given.
struct Draft {
    enabled: bool,
    days: u8,
    at: Option<At>,
    on: Option<bool>,
    random_s: u16,
}

fn entry(
    item: &str,
    section: &'static str,
    part: Part,
    wrong: &mut dyn FnMut(WrongField),
) -> Option<ScheduleEntry> {
    let mut draft = Draft { enabled: true, days: ALL_DAYS, at: None, on: None, random_s: 0 };
    let (mut given, mut good) = (0_u8, true);
    let whole = json::members(item, |name, value| {
        let fault = match FIELDS.iter().position(|field| *field == name) {
            None => Some(WrongField::unknown(section, part, name)),
            Some(index) => {
                let repeated = given & 1 << index != 0;
                given |= 1 << index;
                let name = FIELDS.get(index).copied().unwrap_or("");
                let why = if repeated {
                    Some(Why::Repeated)
                } else {
                    draft.take(name, value).err().map(Why::MustBe)
                };
                why.map(|why| WrongField::new(section, part, name, why))
            }
        };
        if let Some(fault) = fault {
            good = false;
            wrong(fault);
        }
    });
    if whole.is_err() {
        wrong(WrongField::part(section, part, Why::MustBe(ENTRY)));
        return None;
    }
    // Both must be given; one that was given and is wrong has been told.
    for (name, wanted, there) in
        [("at", TIME, given & 1 << AT != 0), ("on", Wanted::Phrase("true or false"), given & 1 << ON != 0)]
    {
        if !there {
            good = false;
            wrong(WrongField::new(section, part, name, Why::MustBe(wanted)));
        }
    }
    let Draft { enabled, days, at, on, random_s } = draft;
    Some(ScheduleEntry { enabled, days, at: at?, on: on?, random_s }).filter(|_| good)
}

/// The fields of an entry.
const FIELDS: [&str; 5] = ["enabled", "days", "at", "on", "random_s"];
const AT: usize = 2;
const ON: usize = 3;

impl Draft {
    fn take(&mut self, name: &str, value: &str) -> Result<(), Wanted> {
        match name {
            "enabled" if value == "null" => self.enabled = true,
            "enabled" => self.enabled = flag(value)?,
            "days" if value == "null" => self.days = ALL_DAYS,
            "days" => self.days = days(value)?,
            "at" => self.at = Some(at(value).ok_or(TIME)?),
            "on" => self.on = Some(flag(value)?),
            "random_s" if value == "null" => self.random_s = 0,
            _ => {
                let number = number(value, RANDOM)?;
                if number != libm::trunc(number) {
                    return Err(RANDOM);
                }
                self.random_s = number as u16;
            }
        }
        Ok(())
    }
}

fn days(value: &str) -> Result<u8, Wanted> {
    let (mut days, mut good) = (0_u8, true);
    let whole = json::items(value, |item| {
        let name = item.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        match name.and_then(day_bit) {
            Some(bit) => days |= bit,
            None => good = false,
        }
    });
    if whole.is_ok() && good && days != 0 { Ok(days) } else { Err(DAY_LIST) }
}

/// A time as a JSON string.
fn at(value: &str) -> Option<At> {
    // The longest is `sunrise+00:00:00`.
    let mut text: String<16> = String::new();
    json::unescape(value, &mut |character| text.push(character).is_ok()).then_some(())?;
    text.parse().ok()
}

/// Writes the list: every field, or only those that are not as if left out.
pub(super) fn write(entries: &[ScheduleEntry], every_field: bool, out: &mut dyn Write) -> Written {
    out.write_char('[')?;
    for (index, entry) in entries.iter().enumerate() {
        if index > 0 {
            out.write_char(',')?;
        }
        write!(out, "{{\"at\":\"{}\",\"on\":{}", entry.at, entry.on)?;
        if every_field || entry.days != ALL_DAYS {
            out.write_str(",\"days\":[")?;
            let mut separator = "";
            for day in day_names(entry.days) {
                write!(out, "{separator}\"{day}\"")?;
                separator = ",";
            }
            out.write_char(']')?;
        }
        if every_field || !entry.enabled {
            write!(out, ",\"enabled\":{}", entry.enabled)?;
        }
        if every_field || entry.random_s != 0 {
            write!(out, ",\"random_s\":{}", entry.random_s)?;
        }
        out.write_char('}')?;
    }
    out.write_char(']')
}
