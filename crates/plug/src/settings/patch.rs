//! A JSON merge patch (RFC 7396) onto the settings: all of it is taken, or nothing and each wrong field is named.

use alloc::boxed::Box;

use super::calibration::{self, Writer};
use super::field::keeps;
use super::fields::{CALIBRATION, FIELDS, SECTIONS, find};
use super::networks::keep_passwords;
use super::rules::{Given, check, check_keys};
use super::schema::{Basis, Settings, VERSION};
use super::wrong::{Part, Wanted, Why, Wrong, WrongField};
use crate::json::{self, NotJson};

/// Why a patch is refused.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// It is not one JSON object.
    NotJson,
    /// These fields are wrong.
    Wrong(Wrong),
}

const SECTION: Wanted = Wanted::Phrase("an object with fields, or null");
const SCHEMA: Wanted = Wanted::Phrase("1, the version that this plug knows");

/// The settings after `text` was taken. A field that is null is off or unknown where it can be that, and else as it
/// was when the plug was new; a section that is null is so in all its fields. `time` is the date of a calibration that
/// brings none, in Unix seconds.
///
/// # Errors
/// What is wrong; nothing is taken then.
pub fn patch(
    settings: &Settings,
    text: &str,
    basis: &Basis,
    time: Option<f64>,
) -> Result<Box<Settings>, Refusal> {
    let mut patch = Patch::new(settings, basis, time);
    json::members(text, |name, value| patch.section(name, value)).map_err(|NotJson| Refusal::NotJson)?;
    patch.finish().map_err(Refusal::Wrong)
}

// Settings are made on the stack before they come onto the heap: each in a function of its own, so that they never stand
// there together.

#[inline(never)]
fn copied(settings: &Settings) -> Box<Settings> {
    Box::new(settings.clone())
}

#[inline(never)]
fn new() -> Box<Settings> {
    Box::default()
}

/// A patch that is being read.
pub(super) struct Patch<'a> {
    pub(super) settings: Box<Settings>,
    default: Box<Settings>,
    basis: &'a Basis,
    time: Option<u64>,
    /// A bit for each section that was given.
    sections: u16,
    pub(super) given: Given,
    /// Of these, what is more than the word that a secret is to stay.
    anew: Given,
    before: &'a Settings,
    pub(super) wrong: Wrong,
}

impl<'a> Patch<'a> {
    pub(super) fn new(settings: &'a Settings, basis: &'a Basis, time: Option<f64>) -> Self {
        Self {
            settings: copied(settings),
            default: new(),
            basis,
            time: time.map(|time| time as u64),
            sections: 0,
            given: Given::NONE,
            anew: Given::NONE,
            before: settings,
            wrong: Wrong::new(),
        }
    }

    /// The settings after it, if nothing in it is wrong.
    pub(super) fn finish(mut self) -> Result<Box<Settings>, Wrong> {
        let stays = self.given.has("wifi", "password") && !self.anew.has("wifi", "password");
        keep_passwords(&self.before.wifi, &mut self.settings.wifi, stays, &mut self.wrong);
        check(&self.settings, self.given, &mut self.wrong);
        check_keys(self.before, &self.settings, self.anew, &mut self.wrong);
        if self.wrong.is_empty() { Ok(self.settings) } else { Err(self.wrong) }
    }

    pub(super) fn section(&mut self, name: &str, value: &str) {
        if name == "schema" {
            if value.parse() != Ok(VERSION) {
                self.wrong.push(WrongField::section("schema", Why::MustBe(SCHEMA)));
            }
            return;
        }
        let Some((index, section)) = SECTIONS.into_iter().enumerate().find(|(_, section)| *section == name)
        else {
            return self.wrong.push(WrongField::unknown_section(name));
        };
        if self.sections & 1 << index != 0 {
            return self.wrong.push(WrongField::section(section, Why::Repeated));
        }
        self.sections |= 1 << index;
        if section == CALIBRATION {
            self.calibration(value);
        } else if value == "null" {
            for (index, field) in FIELDS.iter().enumerate().filter(|(_, field)| field.section == section) {
                self.given.add(index);
                self.anew.add(index);
                field.copy(&self.default, &mut self.settings);
            }
        } else if json::members(value, |name, value| self.member(section, name, value)).is_err() {
            self.wrong.push(WrongField::section(section, Why::MustBe(SECTION)));
        }
    }

    pub(super) fn member(&mut self, section: &'static str, name: &str, value: &str) {
        let Some((index, field)) = find(section, name) else {
            return self.wrong.push(WrongField::unknown(section, Part::Top, name));
        };
        if !self.given.add(index) {
            self.wrong.push(field.wrong(Why::Repeated));
        } else if value == "null" {
            self.anew.add(index);
            field.clear(&mut self.settings, &self.default);
        } else {
            if !keeps(value) {
                self.anew.add(index);
            }
            let wrong = &mut self.wrong;
            field.read(value, &mut self.settings, self.basis, &mut |field| wrong.push(field));
        }
    }

    fn calibration(&mut self, value: &str) {
        let Self { settings, basis, wrong, .. } = self;
        let board = &basis.board;
        let current = settings.calibration.in_use.as_ref().unwrap_or(board);
        let writer = Writer::Client { time: self.time };
        let said = calibration::read(value, current, board, writer, &mut |field| wrong.push(field));
        if let Some(said) = said {
            settings.calibration.take(said, board);
        }
    }
}
