//! One field of the settings: how it is read strictly, written, compared and copied.

use alloc::vec::Vec;
use core::fmt::{Result as Written, Write};
use core::time::Duration;

use heapless::String;

use super::entries;
use super::hosts;
use super::keys;
use super::networks;
use super::schema::{Basis, Hardware, Settings};
use super::wrong::{Part, Wanted, Why, WrongField};
use crate::json::{self, Number, Quoted};
use crate::update::keys::Key;

/// Longest text that most fields take, in bytes.
pub(super) const TEXT: usize = 64;
/// Longest text that any field takes.
pub(super) const LONG_TEXT: usize = 96;

/// A field.
pub(super) struct Field {
    pub(super) section: &'static str,
    pub(super) name: &'static str,
    pub(super) kind: Kind,
}

/// Where in the settings a value is.
pub(super) struct Place<T> {
    pub(super) of: fn(&Settings) -> &T,
    pub(super) of_mut: fn(&mut Settings) -> &mut T,
}

impl<T: Copy + PartialEq> Place<T> {
    fn get(&self, settings: &Settings) -> T {
        *(self.of)(settings)
    }

    fn put(&self, settings: &mut Settings, value: T) {
        *(self.of_mut)(settings) = value;
    }

    fn same(&self, one: &Settings, other: &Settings) -> bool {
        self.get(one) == self.get(other)
    }

    fn copy(&self, from: &Settings, to: &mut Settings) {
        self.put(to, self.get(from));
    }
}

/// The largest value of a number.
#[derive(Clone, Copy)]
pub(super) enum Most {
    Fixed(f64),
    /// So many times what the board can carry for ever.
    TimesMaximumCurrent(f64),
}

/// Where a number may lie.
#[derive(Clone, Copy)]
pub(super) struct Range {
    pub(super) from: f64,
    pub(super) to: Most,
}

impl Range {
    fn wanted(self, what: &'static str, or_null: bool, hardware: &Hardware) -> Wanted {
        let to = match self.to {
            Most::Fixed(to) => to,
            Most::TimesMaximumCurrent(factor) => factor * hardware.maximum_current_a,
        };
        Wanted::Number { what, from: self.from, to, or_null }
    }
}

/// How a field is kept.
pub(super) enum Kind {
    Flag(Place<bool>),
    /// True only where the hardware can; the phrase says what it must be otherwise.
    FlagIf(Place<bool>, fn(&Hardware) -> bool, &'static str),
    Whole(Place<u8>, Range),
    WholeSeconds(Place<u16>, Range),
    MaybeWhole(Place<Option<u32>>, Range),
    Number(Place<f64>, Range),
    MaybeNumber(Place<Option<f64>>, Range),
    Seconds(Place<Duration>, Range),
    MaybeSeconds(Place<Option<Duration>>, Range),
    Choice {
        get: fn(&Settings) -> usize,
        set: fn(&mut Settings, usize),
        words: &'static [&'static str],
    },
    Text {
        get: fn(&Settings) -> &str,
        /// `false` if it does not fit.
        set: fn(&mut Settings, &str) -> bool,
        check: fn(&str, &Basis) -> bool,
        wanted: &'static str,
    },
    /// Never told; `None`: not set.
    Secret {
        get: fn(&Settings) -> Option<&str>,
        /// `false` if it does not fit.
        set: fn(&mut Settings, Option<&str>) -> bool,
        check: fn(&str) -> bool,
        wanted: &'static str,
    },
    /// The schedule's list.
    Entries,
    /// The list of host names.
    Hosts,
    /// A list of public keys.
    Keys(Place<Vec<Key>>),
    /// An address that is set.
    Address,
    /// The list of further networks.
    Networks,
}

/// Whether secrets are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrets {
    /// As they are: for the plug's own flash.
    Show,
    /// As `"set"` or null: for everybody else.
    Hide,
}

/// What a secret that is set reads as; given back, it stays.
pub(super) const SET: &str = "set";

/// Whether a value says that a secret is to stay what it is.
pub(super) fn keeps(value: &str) -> bool {
    text(value).is_some_and(|text| text == SET)
}

impl Field {
    /// Reads the JSON value `value` (a valid one) into the settings; tells each fault to `wrong`. What is wrong stays
    /// as it was.
    pub(super) fn read(
        &self,
        value: &str,
        settings: &mut Settings,
        basis: &Basis,
        wrong: &mut dyn FnMut(WrongField),
    ) {
        let result = match &self.kind {
            Kind::Entries => {
                let entries = entries::read(value, self, wrong);
                if let Some(entries) = entries {
                    settings.schedule.entries = entries;
                }
                return;
            }
            Kind::Hosts => hosts::read(value)
                .map(|hosts| settings.access.hosts = hosts)
                .ok_or(Wanted::Phrase(hosts::WANTED)),
            Kind::Keys(place) => keys::read(value)
                .map(|keys| *(place.of_mut)(settings) = keys)
                .ok_or(Wanted::Phrase(keys::WANTED)),
            Kind::Address => networks::address(value)
                .map(|address| settings.wifi.address = Some(address))
                .ok_or(Wanted::Phrase(networks::ADDRESS)),
            Kind::Networks => {
                if let Some(more) = networks::read(value, wrong) {
                    settings.wifi.more = more;
                }
                return;
            }
            Kind::Text { set, check, wanted, .. } => {
                let text: Option<String<LONG_TEXT>> = text_of(value);
                let taken = text.is_some_and(|text| check(&text, basis) && set(settings, &text));
                taken.then_some(()).ok_or(Wanted::Phrase(wanted))
            }
            Kind::Secret { set, check, wanted, .. } => {
                // `"set"` is what a secret reads as. It is shorter than any secret, so it cannot be meant as one.
                let taken =
                    text(value).is_some_and(|text| text == SET || check(&text) && set(settings, Some(&text)));
                taken.then_some(()).ok_or(Wanted::Phrase(wanted))
            }
            Kind::Choice { set, words, .. } => {
                let text = text(value).unwrap_or_default();
                let found = words.iter().position(|word| *word == text);
                found.map(|index| set(settings, index)).ok_or(Wanted::OneOf(words))
            }
            _ => self.read_plain(value, settings, &basis.hardware),
        };
        if let Err(wanted) = result {
            wrong(self.wrong(Why::MustBe(wanted)));
        }
    }

    /// Flags and numbers.
    fn read_plain(&self, value: &str, settings: &mut Settings, hardware: &Hardware) -> Result<(), Wanted> {
        match &self.kind {
            Kind::Flag(place) => place.put(settings, flag(value)?),
            Kind::FlagIf(place, possible, otherwise) => {
                let wanted = flag(value)?;
                if wanted && !possible(hardware) {
                    return Err(Wanted::Phrase(otherwise));
                }
                place.put(settings, wanted);
            }
            Kind::Whole(place, range) => {
                let wanted = range.wanted("a whole number", false, hardware);
                place.put(settings, whole(value, wanted)? as u8);
            }
            Kind::WholeSeconds(place, range) => {
                let wanted = range.wanted("a whole number of seconds", false, hardware);
                place.put(settings, whole(value, wanted)? as u16);
            }
            Kind::MaybeWhole(place, range) => {
                let wanted = range.wanted("a whole number", true, hardware);
                place.put(settings, Some(whole(value, wanted)?));
            }
            Kind::Number(place, range) => {
                place.put(settings, number(value, range.wanted("a number", false, hardware))?);
            }
            Kind::MaybeNumber(place, range) => {
                let wanted = range.wanted("a number", true, hardware);
                place.put(settings, Some(number(value, wanted)?));
            }
            Kind::Seconds(place, range) => {
                let wanted = range.wanted("a number of seconds", false, hardware);
                place.put(settings, seconds(value, wanted)?);
            }
            Kind::MaybeSeconds(place, range) => {
                let wanted = range.wanted("a number of seconds", true, hardware);
                place.put(settings, Some(seconds(value, wanted)?));
            }
            Kind::Choice { .. } | Kind::Text { .. } | Kind::Secret { .. } => {}
            Kind::Entries | Kind::Hosts | Kind::Keys(_) | Kind::Address | Kind::Networks => {}
        }
        Ok(())
    }

    /// Makes it null where it can be, and its default where not (RFC 7396: null removes).
    pub(super) fn clear(&self, settings: &mut Settings, default: &Settings) {
        match &self.kind {
            Kind::MaybeNumber(place, _) => place.put(settings, None),
            Kind::MaybeWhole(place, _) => place.put(settings, None),
            Kind::MaybeSeconds(place, _) => place.put(settings, None),
            _ => self.copy(default, settings),
        }
    }

    /// Writes its value as JSON.
    pub(super) fn write(&self, settings: &Settings, secrets: Secrets, out: &mut dyn Write) -> Written {
        match &self.kind {
            Kind::Flag(place) | Kind::FlagIf(place, ..) => write!(out, "{}", place.get(settings)),
            Kind::Whole(place, _) => write!(out, "{}", place.get(settings)),
            Kind::WholeSeconds(place, _) => write!(out, "{}", place.get(settings)),
            Kind::MaybeWhole(place, _) => write_number(place.get(settings).map(f64::from), out),
            Kind::Number(place, _) => write!(out, "{}", Number(place.get(settings))),
            Kind::MaybeNumber(place, _) => write_number(place.get(settings), out),
            Kind::Seconds(place, _) => write!(out, "{}", Number(place.get(settings).as_secs_f64())),
            Kind::MaybeSeconds(place, _) => {
                write_number(place.get(settings).map(|duration| duration.as_secs_f64()), out)
            }
            Kind::Choice { get, words, .. } => {
                write!(out, "{}", Quoted(words.get(get(settings)).copied().unwrap_or("")))
            }
            Kind::Text { get, .. } => write!(out, "{}", Quoted(get(settings))),
            Kind::Secret { get, .. } => match (get(settings), secrets) {
                (None, _) => out.write_str("null"),
                (Some(_), Secrets::Hide) => write!(out, "{}", Quoted(SET)),
                (Some(secret), Secrets::Show) => write!(out, "{}", Quoted(secret)),
            },
            Kind::Entries => entries::write(&settings.schedule.entries, secrets == Secrets::Hide, out),
            Kind::Hosts => hosts::write(&settings.access.hosts, out),
            Kind::Keys(place) => keys::write((place.of)(settings), out),
            Kind::Address => networks::write_address(settings.wifi.address.as_ref(), out),
            Kind::Networks => networks::write(&settings.wifi.more, secrets, out),
        }
    }

    /// Whether it is the same in both.
    pub(super) fn same(&self, one: &Settings, other: &Settings) -> bool {
        match &self.kind {
            Kind::Flag(place) | Kind::FlagIf(place, ..) => place.same(one, other),
            Kind::Whole(place, _) => place.same(one, other),
            Kind::WholeSeconds(place, _) => place.same(one, other),
            Kind::MaybeWhole(place, _) => place.same(one, other),
            Kind::Number(place, _) => place.same(one, other),
            Kind::MaybeNumber(place, _) => place.same(one, other),
            Kind::Seconds(place, _) => place.same(one, other),
            Kind::MaybeSeconds(place, _) => place.same(one, other),
            Kind::Choice { get, .. } => get(one) == get(other),
            Kind::Text { get, .. } => get(one) == get(other),
            Kind::Secret { get, .. } => get(one) == get(other),
            Kind::Entries => one.schedule.entries == other.schedule.entries,
            Kind::Hosts => one.access.hosts == other.access.hosts,
            Kind::Keys(place) => (place.of)(one) == (place.of)(other),
            Kind::Address => one.wifi.address == other.wifi.address,
            Kind::Networks => one.wifi.more == other.wifi.more,
        }
    }

    /// Makes it in `to` what it is in `from`.
    pub(super) fn copy(&self, from: &Settings, to: &mut Settings) {
        match &self.kind {
            Kind::Flag(place) | Kind::FlagIf(place, ..) => place.copy(from, to),
            Kind::Whole(place, _) => place.copy(from, to),
            Kind::WholeSeconds(place, _) => place.copy(from, to),
            Kind::MaybeWhole(place, _) => place.copy(from, to),
            Kind::Number(place, _) => place.copy(from, to),
            Kind::MaybeNumber(place, _) => place.copy(from, to),
            Kind::Seconds(place, _) => place.copy(from, to),
            Kind::MaybeSeconds(place, _) => place.copy(from, to),
            Kind::Choice { get, set, .. } => set(to, get(from)),
            Kind::Text { get, set, .. } => {
                // It fits: it comes from a place of the same size.
                let _ = set(to, get(from));
            }
            Kind::Secret { get, set, .. } => {
                let _ = set(to, get(from));
            }
            Kind::Entries => to.schedule.entries.clone_from(&from.schedule.entries),
            Kind::Hosts => to.access.hosts.clone_from(&from.access.hosts),
            Kind::Keys(place) => (place.of_mut)(to).clone_from((place.of)(from)),
            Kind::Address => to.wifi.address = from.wifi.address,
            Kind::Networks => to.wifi.more.clone_from(&from.wifi.more),
        }
    }

    pub(super) const fn wrong(&self, why: Why) -> WrongField {
        WrongField::new(self.section, Part::Top, self.name, why)
    }
}

/// A string without control characters, of at most [`TEXT`] bytes.
pub(super) fn text(value: &str) -> Option<String<TEXT>> {
    text_of(value)
}

/// A string without control characters, of at most so many bytes.
fn text_of<const MOST: usize>(value: &str) -> Option<String<MOST>> {
    let mut text = String::new();
    json::unescape(value, &mut |character| text.push(character).is_ok()).then_some(text)
}

pub(super) fn flag(value: &str) -> Result<bool, Wanted> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Wanted::Phrase("true or false")),
    }
}

/// A number as `wanted` says.
pub(super) fn number(value: &str, wanted: Wanted) -> Result<f64, Wanted> {
    let Wanted::Number { from, to, .. } = wanted else { return Err(wanted) };
    json::number(value).filter(|number| (from..=to).contains(number)).ok_or(wanted)
}

/// A whole number as `wanted` says: one that its place has room for.
fn whole(value: &str, wanted: Wanted) -> Result<u32, Wanted> {
    let number = number(value, wanted)?;
    if number == libm::trunc(number) { Ok(number as u32) } else { Err(wanted) }
}

fn seconds(value: &str, wanted: Wanted) -> Result<Duration, Wanted> {
    Duration::try_from_secs_f64(number(value, wanted)?).map_err(|_| wanted)
}

pub(super) fn write_number(number: Option<f64>, out: &mut dyn Write) -> Written {
    // What is no number is written as null.
    write!(out, "{}", Number(number.unwrap_or(f64::NAN)))
}
