//! Fields with values that they cannot have, and the one place where that is put into words.

use core::fmt::{Display, Formatter, Result, Write};

use alloc::vec::Vec;
use heapless::String;

use crate::json::Number;

/// Wrong fields that are told at once: a person corrects them one by one.
pub const WRONG_MOST: usize = 16;

/// What a field must be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wanted {
    /// "a number from 0.1 to 16", perhaps "or null".
    Number {
        /// What is counted: "a number", "a number of seconds", "a whole number".
        what: &'static str,
        /// Smallest.
        from: f64,
        /// Largest.
        to: f64,
        /// Null stands for "off" or "unknown".
        or_null: bool,
    },
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// In words.
    Phrase(&'static str),
}

impl Display for Wanted {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        match self {
            Self::Number { what, from, to, or_null } => {
                write!(formatter, "{what} from {} to {}", Number(*from), Number(*to))?;
                formatter.write_str(if *or_null { ", or null" } else { "" })
            }
            Self::OneOf(words) => {
                for (index, word) in words.iter().enumerate() {
                    let before = match index {
                        0 => "",
                        last if last + 1 == words.len() => " or ",
                        _ => ", ",
                    };
                    write!(formatter, "{before}\"{word}\"")?;
                }
                Ok(())
            }
            Self::Phrase(phrase) => formatter.write_str(phrase),
        }
    }
}

/// Why a field was not taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Why {
    /// Nobody knows it.
    Unknown,
    /// It stands there twice.
    Repeated,
    /// It cannot be that.
    MustBe(Wanted),
    /// It does not go with another field; the words follow "must".
    Rule(&'static str),
}

/// Where inside a section a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// At its top.
    Top,
    /// In this entry of the schedule.
    Entry(u8),
    /// In this channel of the calibration.
    Channel(&'static str),
    /// In this one of the further networks.
    Network(u8),
}

/// A name of ours, or one that came from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Name {
    Ours(&'static str),
    /// Fit to be repeated: printable ASCII, cut at 32 characters.
    Given(String<32>),
}

impl Name {
    fn given(text: &str) -> Self {
        let printable = |character: char| if character.is_ascii_graphic() { character } else { '?' };
        Self::Given(text.chars().map(printable).take(32).collect())
    }
}

impl Display for Name {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        match self {
            Self::Ours(name) => formatter.write_str(name),
            Self::Given(name) => formatter.write_str(name),
        }
    }
}

/// A field that cannot be as it was given, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct WrongField {
    section: Name,
    part: Part,
    /// `None`: the section or part itself.
    name: Option<Name>,
    why: Why,
}

impl WrongField {
    pub(super) const fn section(section: &'static str, why: Why) -> Self {
        Self { section: Name::Ours(section), part: Part::Top, name: None, why }
    }

    pub(super) const fn new(section: &'static str, part: Part, name: &'static str, why: Why) -> Self {
        Self { section: Name::Ours(section), part, name: Some(Name::Ours(name)), why }
    }

    pub(super) const fn part(section: &'static str, part: Part, why: Why) -> Self {
        Self { section: Name::Ours(section), part, name: None, why }
    }

    pub(super) fn unknown(section: &'static str, part: Part, name: &str) -> Self {
        Self { section: Name::Ours(section), part, name: Some(Name::given(name)), why: Why::Unknown }
    }

    pub(super) fn unknown_section(name: &str) -> Self {
        Self { section: Name::given(name), part: Part::Top, name: None, why: Why::Unknown }
    }

    /// Whether this is about that field of ours.
    pub(super) fn is(&self, section: &str, name: &str) -> bool {
        matches!((&self.section, &self.name), (Name::Ours(ours), Some(Name::Ours(field)))
            if *ours == section && *field == name)
    }

    /// Which field: `protection.current_limit_a`, `schedule.entries[2].at`.
    #[must_use]
    pub fn field(&self) -> impl Display {
        Path(self)
    }

    /// What it must be, without the field's name: "must be a number from 0.1 to 16".
    #[must_use]
    pub fn message(&self) -> impl Display {
        Message(self.why)
    }
}

struct Path<'a>(&'a WrongField);

impl Display for Path<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        let WrongField { section, part, name, .. } = self.0;
        write!(formatter, "{section}")?;
        match part {
            Part::Top => {}
            Part::Entry(index) => write!(formatter, ".entries[{index}]")?,
            Part::Channel(channel) => write!(formatter, ".{channel}")?,
            Part::Network(index) => write!(formatter, ".more[{index}]")?,
        }
        match name {
            Some(name) => write!(formatter, ".{name}"),
            None => Ok(()),
        }
    }
}

struct Message(Why);

impl Display for Message {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        match self.0 {
            Why::Unknown => formatter.write_str("is not a field that this plug knows"),
            Why::Repeated => formatter.write_str("must be given only once"),
            Why::MustBe(wanted) => write!(formatter, "must be {wanted}"),
            Why::Rule(words) => write!(formatter, "must {words}"),
        }
    }
}

/// All wrong fields of one text, the first [`WRONG_MOST`] of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wrong(Vec<WrongField>);

impl Wrong {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    /// The keys would shut out all firmware (`AcceptedKeys::check`).
    pub(crate) fn keys_do_not_fit() -> Self {
        let why = Why::Rule("leave a key that is accepted while only signed packages are taken");
        Self(alloc::vec![WrongField::new("update", Part::Top, "keys", why)])
    }

    pub(super) fn push(&mut self, field: WrongField) {
        if self.0.len() < WRONG_MOST {
            self.0.push(field);
        }
    }

    /// Calls a field of ours by the name under which it was given.
    pub(super) fn rename(&mut self, section: &str, name: &str, given: &'static str) {
        for field in self.0.iter_mut().filter(|field| field.is(section, name)) {
            *field = WrongField::section(given, field.why);
        }
    }

    /// The fields, in the order of the text.
    #[must_use]
    pub fn fields(&self) -> &[WrongField] {
        &self.0
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Display for Wrong {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        for (index, field) in self.0.iter().enumerate() {
            if index > 0 {
                formatter.write_str("; ")?;
            }
            write!(formatter, "{} {}", field.field(), field.message())?;
        }
        formatter.write_char(if self.0.is_empty() { ' ' } else { '.' })
    }
}
