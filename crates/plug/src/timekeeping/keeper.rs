//! What is believed of the time: sanity, rank, steps, and how good it is. Pure: `handle(answer) -> verdict`.
//!
//! ```text
//!              first plausible answer                   within an hour: taken at once
//!   Unknown ---------------------------> Known <--------------------------------------+
//!                                         | ^                                         |
//!                    over an hour off     | |  three agreeing ones: the step is taken |
//!                                         v |                                         |
//!                                       Doubting ------- an answer that confirms -----+
//!                                                        takes one doubt back
//! ```
//! Answers of a lesser source are passed over while what a better one said is fresh.

use core::time::Duration;

use heapless::Vec;

use super::{Answer, Source};
use crate::platform::Instant;

/// 2025-01-01: the year of this firmware's release; no answer before it is true.
pub(super) const EARLIEST_S: f64 = 1_735_689_600.0;
/// 2100-01-01.
pub(super) const LATEST_S: f64 = 4_102_444_800.0;
/// An answer that differs by more is doubted.
pub(super) const STEP_S: f64 = 3600.0;
/// So many must agree then.
pub(super) const AGREEING: usize = 3;
/// How fast a chip's crystal may run away, with temperature and age: 50 ppm.
pub(super) const DRIFT: f64 = 50e-6;
/// How long what a source said keeps lesser ones out: three polls that failed, and the fourth is due.
pub(super) const FRESH: Duration = Duration::from_secs(4 * 3600);

/// What became of an answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// The first one: the time is known.
    First,
    /// Taken; the clock moved by so many seconds.
    Moved(f64),
    /// It says the same as what is held, and knows it less well.
    Confirmed,
    /// It differs by more than [`STEP_S`]: taken only when so many more agree.
    Doubted {
        /// How far it would move the clock.
        by_s: f64,
        /// How many more must agree.
        missing: usize,
    },
    /// A better source was heard not long ago.
    Lesser,
    /// No clock says that.
    Implausible,
    /// Nobody wanted it: the settings name another source.
    Unwanted,
}

impl Verdict {
    /// Whether the clock is as the answer says.
    #[must_use]
    pub const fn agrees(self) -> bool {
        matches!(self, Self::First | Self::Moved(_) | Self::Confirmed)
    }
}

/// How good the time is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quality {
    /// Who said it.
    pub source: Source,
    /// How far off it may be by now.
    pub uncertainty_s: f64,
    /// How long ago it was said.
    pub age_s: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Held {
    answer: Answer,
    offset_s: f64,
    /// When its source, or a better one, last said the same.
    heard: Option<Instant>,
}

/// What is believed.
#[derive(Clone, Debug, PartialEq)]
pub struct Timekeeper {
    held: Option<Held>,
    doubted: Vec<Answer, AGREEING>,
    platform: bool,
}

impl Timekeeper {
    /// Nobody has said anything.
    #[must_use]
    pub const fn new() -> Self {
        Self { held: None, doubted: Vec::new(), platform: false }
    }

    /// Unix time less the time since the start; `None` before anybody said it.
    #[must_use]
    pub fn offset_s(&self) -> Option<f64> {
        self.held.as_ref().map(|held| held.offset_s)
    }

    /// How good the time is; `None` before anybody said it.
    #[must_use]
    pub fn quality(&self, now: Instant) -> Option<Quality> {
        let answer = self.held.as_ref()?.answer;
        let age_s = now.since(answer.at).as_secs_f64();
        Some(Quality { source: answer.source, uncertainty_s: answer.uncertainty_s + DRIFT * age_s, age_s })
    }

    /// The platform knows the time by itself: nobody has to be asked.
    pub fn platform_knows(&mut self, knows: bool) {
        self.platform = knows;
    }

    /// Whether it does.
    #[must_use]
    pub const fn is_of_the_platform(&self) -> bool {
        self.platform
    }
}

impl Default for Timekeeper {
    fn default() -> Self {
        Self::new()
    }
}

impl Timekeeper {
    /// Takes an answer.
    pub fn handle(&mut self, answer: Answer) -> Verdict {
        let offset_s = answer.unix_s - answer.at.since_start().as_secs_f64();
        self.held = Some(Held { answer, offset_s, heard: Some(answer.at) });
        Verdict::First
    }
}
