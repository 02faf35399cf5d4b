//! What is believed of the time: sanity, rank, steps, and how good it is. Pure: `handle(answer) -> verdict`.
//!
//! ```text
//!              first plausible answer                  within an hour: taken at once
//!   Unknown ---------------------------> Known <-------------------------------------+
//!     | ^                                 | ^                                        |
//!     | |            over an hour off     | |  three that agree: the step is taken   |
//!     v |                                 v |                                        |
//!   Doubting: before the flash's        Doubting ------ an answer that confirms -----+
//!   newest time, or over a year                         what is held takes one doubt back
//!   after it; three that agree win
//! ```
//! Answers of a lesser source are passed over while a better one was heard not long ago. Those that agree count only if
//! they are a minute apart: one wrong clock that is read twice at once is one answer.

use core::time::Duration;

use heapless::Vec;

use super::{Answer, Source};
use crate::limits;
use crate::platform::Instant;

/// 2025-01-01, the year of this firmware's release: no answer before it is true.
const EARLIEST_S: f64 = 1_735_689_600.0;
/// 2100-01-01: no plug lasts so long.
const LATEST_S: f64 = 4_102_444_800.0;
/// Whoever knows it no better does not know the time.
const MOST_UNCERTAIN_S: f64 = 60.0;
/// An answer that would move the clock by more is doubted: an hour, which a wrong time zone amounts to.
const STEP_S: f64 = 3600.0;
/// So many answers must agree then.
pub(crate) const AGREEING: usize = 3;
/// How far answers that agree may be apart, besides what each knows of itself: where hours are at stake, a minute.
const AGREE_S: f64 = 60.0;
/// A doubt counts no longer than that: where it is not renewed, nobody else says so.
const DOUBT_LASTS: Duration = Duration::from_secs(4 * 3600);
/// So far before the flash's newest time the first answer may be: the log, too, takes that for two clocks that differ.
const BEFORE_S: f64 = 60.0;
/// So far after it: a plug that was put away for longer needs three answers.
const AFTER_S: f64 = 366.0 * 86_400.0;
/// A step back by more than this is not small: the log begins a new sector for it.
const BACK_S: f64 = 60.0;
/// How long after such a step no other one is taken: a name with two clocks behind it would put the clock back and
/// forth for ever.
const STEADY: Duration = Duration::from_secs(600);
/// Answers in doubt that are kept before the time is known: one server of three may be wrong, and is asked first.
const DOUBTS: usize = 6;
/// How many times better an answer must be known than the clock that it goes with, to be worth a step.
const BETTER: f64 = 2.0;
/// How fast a plug's crystal may run away, with tolerance, temperature and age: 50 ppm.
const DRIFT: f64 = 50e-6;
/// How long a source that was heard keeps lesser ones out: three polls that failed, and the next is due.
const FRESH: Duration = Duration::from_secs(4 * 3600);

/// What became of an answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// The first one: the time is known.
    First,
    /// Taken; the clock moved by so many seconds.
    Moved(f64),
    /// It says the same as what is held, and knows it less well.
    Confirmed,
    /// It would move the clock by more than an hour, or is the first one and does not go with what the flash knows:
    /// taken only when others agree.
    Doubted {
        /// How far it would move it, in seconds; the first one: how far the start is from
        /// the flash's newest time by it.
        by_s: f64,
        /// How many more must agree.
        missing: usize,
    },
    /// It would put the clock back, which was done only minutes ago.
    Unsteady,
    /// A better source was heard not long ago.
    Lesser,
    /// No clock says that.
    Implausible,
    /// Nobody wanted it: the platform knows the time by itself, or the settings name another source.
    Unwanted,
}

impl Verdict {
    /// Whether the clock is now as the answer says.
    #[must_use]
    pub const fn agrees(self) -> bool {
        matches!(self, Self::First | Self::Moved(_) | Self::Confirmed)
    }

    /// For programs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Moved(_) => "moved",
            Self::Confirmed => "confirmed",
            Self::Doubted { .. } => "doubted",
            Self::Unsteady => "unsteady",
            Self::Lesser => "lesser",
            Self::Implausible => "implausible",
            Self::Unwanted => "unwanted",
        }
    }
}

/// How good the time is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quality {
    /// Who said it.
    pub source: Source,
    /// How far off it may be by now: what was known when it was said, and what the crystal may have added since.
    pub uncertainty_s: f64,
    /// How long ago it was said.
    pub age_s: f64,
}

/// A step, or a first answer, that is doubted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Doubt {
    /// How many answers agree on it.
    pub answers: usize,
    /// How far it would move the clock, in seconds; a first answer: how far the start is from the
    /// flash's newest time by it.
    pub by_s: f64,
    /// There is no clock yet that it could move.
    pub first: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Held {
    answer: Answer,
    /// When its source, or a better one, was last heard; `None`: the settings name another one since.
    heard: Option<Instant>,
}

impl Held {
    fn uncertainty_s(&self, now: Instant) -> f64 {
        self.answer.uncertainty_s + DRIFT * now.since(self.answer.at).as_secs_f64()
    }

    fn keeps_out(&self, answer: &Answer) -> bool {
        let fresh = self.heard.is_some_and(|heard| answer.at.since(heard) < FRESH);
        fresh && answer.source.rank() < self.answer.source.rank()
    }
}

/// What is believed.
#[derive(Clone, Debug, PartialEq)]
pub struct Timekeeper {
    held: Option<Held>,
    /// Answers that do not go with what is held, oldest first; while something is held they agree with each other.
    doubted: Vec<Answer, DOUBTS>,
    /// The newest time that the flash knew at the start, in Unix seconds.
    floor_s: Option<f64>,
    /// When the clock was put back last by more than a little.
    put_back: Option<Instant>,
    /// The last answer was passed over for that.
    unsteady: bool,
    of_platform: bool,
}

impl Timekeeper {
    /// Nobody has said anything.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            held: None,
            doubted: Vec::new(),
            floor_s: None,
            put_back: None,
            unsteady: false,
            of_platform: false,
        }
    }

    /// What the flash knows at the start to have been, in Unix seconds: a first answer that does not go with it is
    /// doubted. To be said before anybody answers.
    pub fn set_floor(&mut self, unix_s: Option<f64>) {
        self.floor_s = unix_s;
    }

    /// Takes an answer.
    pub fn handle(&mut self, answer: Answer) -> Verdict {
        if self.of_platform {
            return Verdict::Unwanted;
        }
        if !answer.is_plausible() {
            return Verdict::Implausible;
        }
        let Some(held) = self.held else { return self.first(answer) };
        if held.keeps_out(&answer) {
            return Verdict::Lesser;
        }
        let by_s = answer.offset_s() - held.answer.offset_s();
        if by_s.abs() > STEP_S { self.doubt(answer, by_s) } else { self.follow(held, answer, by_s) }
    }

    fn first(&mut self, answer: Answer) -> Verdict {
        match self.floor_s.map(|floor_s| answer.offset_s() - floor_s) {
            Some(by_s) if !(-BEFORE_S..=AFTER_S).contains(&by_s) => self.doubt(answer, by_s),
            _ => {
                self.doubted.clear();
                self.take(answer);
                Verdict::First
            }
        }
    }

    /// Unix time less the time since the start; `None` before anybody said it.
    #[must_use]
    pub fn offset_s(&self) -> Option<f64> {
        self.held.map(|held| held.answer.offset_s())
    }

    /// How good the time is; `None` before anybody said it.
    #[must_use]
    pub fn quality(&self, now: Instant) -> Option<Quality> {
        let held = self.held?;
        Some(Quality {
            source: held.answer.source,
            uncertainty_s: held.uncertainty_s(now),
            age_s: now.since(held.answer.at).as_secs_f64(),
        })
    }

    /// What the newest answers want, if nobody believes them yet.
    #[must_use]
    pub fn doubt_now(&self, now: Instant) -> Option<Doubt> {
        let last = self.doubted.last().filter(|last| now.since(last.at) < DOUBT_LASTS)?;
        let by_s = match self.offset_s() {
            Some(offset_s) => last.offset_s() - offset_s,
            None => last.offset_s() - self.floor_s?,
        };
        Some(Doubt { answers: self.agreeing(last), by_s, first: self.held.is_none() })
    }

    /// The last answer was passed over, since it would have put the clock back again and again.
    #[must_use]
    pub const fn is_unsteady(&self) -> bool {
        self.unsteady
    }

    /// The settings name another source: what the one before said holds until the new one, whichever that is, says more.
    pub fn source_changed(&mut self) {
        self.doubted.clear();
        if let Some(held) = &mut self.held {
            held.heard = None;
        }
    }

    /// The platform knows the time by itself, as a PC does: nobody has to be asked.
    pub fn platform_knows(&mut self) {
        self.of_platform = true;
    }

    /// Whether it does.
    #[must_use]
    pub const fn is_of_platform(&self) -> bool {
        self.of_platform
    }

    fn take(&mut self, answer: Answer) {
        self.held = Some(Held { answer, heard: Some(answer.at) });
    }

    /// How many of the doubted answers agree with this one.
    fn agreeing(&self, answer: &Answer) -> usize {
        self.doubted.iter().filter(|other| answer.agrees(other)).count()
    }

    /// Keeps an answer that nobody believes yet, or believes it.
    fn doubt(&mut self, answer: Answer, by_s: f64) -> Verdict {
        self.unsteady = false;
        // What disagrees with the newest one is worth something only where nothing is held that could be confirmed.
        let first = self.held.is_none();
        self.doubted
            .retain(|other| answer.at.since(other.at) < DOUBT_LASTS && (first || answer.agrees(other)));
        let just_said =
            |other: &Answer| answer.agrees(other) && answer.at.since(other.at) < limits::TIME_DOUBT;
        if !self.doubted.iter().any(just_said) {
            if self.doubted.is_full() {
                self.doubted.remove(0);
            }
            // There is room by now.
            let _ = self.doubted.push(answer);
        }
        match AGREEING.saturating_sub(self.agreeing(&answer)) {
            0 => {
                self.doubted.clear();
                self.take(answer);
                if first { Verdict::First } else { Verdict::Moved(by_s) }
            }
            missing => Verdict::Doubted { by_s, missing },
        }
    }

    /// Takes a small step at once, unless the two may well mean the same and the answer does not know it far better: a
    /// server's `Date`, half a second vague, would else move the clock to and fro with every post.
    fn follow(&mut self, mut held: Held, answer: Answer, by_s: f64) -> Verdict {
        if !self.doubted.is_empty() {
            self.doubted.remove(0);
        }
        self.unsteady = false;
        let held_uncertainty_s = held.uncertainty_s(answer.at);
        let far_better = BETTER * answer.uncertainty_s < held_uncertainty_s;
        if !far_better && by_s.abs() <= answer.uncertainty_s + held_uncertainty_s {
            if answer.source.rank() >= held.answer.source.rank() {
                held.heard = Some(answer.at);
            }
            self.held = Some(held);
            return Verdict::Confirmed;
        }
        if by_s < -BACK_S {
            if self.put_back.is_some_and(|at| answer.at.since(at) < STEADY) {
                self.unsteady = true;
                return Verdict::Unsteady;
            }
            self.put_back = Some(answer.at);
        }
        self.take(answer);
        Verdict::Moved(by_s)
    }
}

impl Default for Timekeeper {
    fn default() -> Self {
        Self::new()
    }
}

impl Answer {
    /// Unix time less the time since the start.
    #[must_use]
    pub fn offset_s(&self) -> f64 {
        self.unix_s - self.at.since_start().as_secs_f64()
    }

    fn is_plausible(&self) -> bool {
        (EARLIEST_S..LATEST_S).contains(&self.unix_s)
            && (0.0..=MOST_UNCERTAIN_S).contains(&self.uncertainty_s)
    }

    fn agrees(&self, other: &Self) -> bool {
        let apart_s = (self.offset_s() - other.offset_s()).abs();
        apart_s <= AGREE_S + self.uncertainty_s + other.uncertainty_s
    }
}

#[cfg(test)]
mod tests;
