//! The weekly schedule: which edge holds, whether it is a new one, and when the next one comes.
//!
//! ```text
//!          set(enabled)              first trusted time                   +--- an edge, a jump of the clock:
//!   Off <----------------> Waiting ----------------------> Running <------+    looks again
//!    ^                        ^                               |
//!    |                        +-------------------------------+  set(): another plan
//!    +--------------------------------------------------------+  set(disabled)
//! ```
//! An *edge* is a moment at which an entry switches on or off. A schedule is a claim that holds a level, not a list of
//! commands: the newest edge at or before now says what it claims, also when it came before the start. Everything up
//! to `done_until` has run. When the clock goes back by up to [`CORRECTION_S`], what has run stays and does not run
//! again; by more, the clock was wrong, and all begins anew (as cron does, which draws the line at three hours). While
//! the time is not trusted nothing is claimed; what has run is remembered.

mod plan;
mod text;

pub use text::{ALL_DAYS, AtError, DAY_NAMES, day_bit, day_names, round_trips};

use core::fmt::Write;
use core::time::Duration;

use heapless::String;
use serde::Serialize;

use crate::core::Moment;
use crate::core::civil::{DAY_S, whole_seconds};
use crate::platform::Instant;
use crate::settings::schema::{ScheduleSettings, TimeSettings};
use plan::{Found, Plan, Trouble};

/// How far back the newest edge is looked for, and how far ahead the next one: more than a week.
pub const LOOK_DAYS: i64 = 8;
/// A clock that goes back by more was wrong before.
pub const CORRECTION_S: i64 = DAY_S;
/// A clock that moves against the time since the start by more has jumped.
const JUMP_S: f64 = 2.0;
/// Longest time without a look, in case something was missed.
const LOOK_AGAIN: Duration = Duration::from_secs(3_600);
/// The same while nobody knows the time.
const LOOK_FOR_TIME: Duration = Duration::from_secs(10);
/// So much after an edge it is certainly past, whatever the roundings on the way.
const AFTER_EDGE_S: f64 = 0.001;

/// An edge that is past.
#[derive(Clone, Debug, PartialEq)]
pub struct Edge {
    /// What it switches to.
    pub on: bool,
    /// Which entry, counted from 0.
    pub entry: u8,
    /// Unix seconds.
    pub time: f64,
    /// Why, in words; the entry is counted from 1 there.
    pub cause: String<96>,
}

/// What [`Schedule::poll`] finds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Poll {
    /// The newest edge of the last [`LOOK_DAYS`]: what the schedule wants. `None`: it wants nothing.
    pub claim: Option<Edge>,
    /// Whether that one is new: it was still to come at the poll before.
    pub edge: bool,
}

/// Whether a schedule runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleState {
    /// It is switched off.
    Off,
    /// Nobody knows the time for sure.
    ClockUntrusted,
    /// There is nothing to do in the days around now.
    NoEdges,
    /// It runs.
    Running,
}

/// An edge that is to come.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct NextEdge {
    /// Unix seconds.
    pub time: f64,
    /// What it switches to.
    pub on: bool,
    /// Which entry, counted from 0.
    pub entry: u8,
}

/// `schedule` in `GET /api/v1/relay`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScheduleStatus {
    /// Whether it runs.
    pub state: ScheduleState,
    /// Why it does or does not, in words.
    pub reason: String<96>,
    /// What comes next; null if nothing does within [`LOOK_DAYS`].
    pub next: Option<NextEdge>,
}

impl ScheduleStatus {
    /// Before anybody looked.
    pub const OFF: Self = Self { state: ScheduleState::Off, reason: String::new(), next: None };
}

/// What was found at the last look.
#[derive(Clone, Debug, PartialEq)]
struct Running {
    /// Edges at or before this Unix second have run.
    done_until: i64,
    claim: Option<Edge>,
    next: Option<Found>,
    /// Unix seconds less seconds since the start, at the last look.
    clock_less_uptime_s: f64,
    looked: Instant,
}

/// Where in the diagram it stands.
#[derive(Clone, Debug, PartialEq)]
enum State {
    Off,
    Waiting,
    Running(Running),
}

/// The machine drawn above. No clock: [`Self::poll`] is called with each event, and at [`Self::poll_at`] at the latest.
#[derive(Clone, Debug)]
pub struct Schedule {
    plan: Plan,
    state: State,
}

impl Default for Schedule {
    fn default() -> Self {
        Self::new()
    }
}

impl Schedule {
    /// Switched off until [`Self::set`].
    #[must_use]
    pub fn new() -> Self {
        Self { plan: Plan::default(), state: State::Off }
    }

    /// Takes the settings. `seed` makes the chance of `random_s` this plug's own; it must stay the same over restarts,
    /// or an edge may move while it is waited for. The same settings again change nothing; others begin anew: what
    /// they want holds from the next poll on, and only what comes after it is a new edge.
    pub fn set(&mut self, schedule: &ScheduleSettings, time: &TimeSettings, seed: u64) {
        let plan = Plan::new(schedule, time, seed);
        if plan == self.plan {
            return;
        }
        self.state = if schedule.enabled { State::Waiting } else { State::Off };
        self.plan = plan;
    }

    /// What the schedule wants now. Costs a few comparisons unless an edge passed, the clock jumped or an hour went by
    /// without an edge to come; then the days around now are looked through.
    #[must_use]
    pub fn poll(&mut self, now: Moment) -> Poll {
        let Some(time) = trusted(now) else { return Poll::default() };
        let unix = whole_seconds(time);
        let edge = match &mut self.state {
            State::Off => return Poll::default(),
            State::Waiting => {
                self.state = State::Running(self.plan.look(now.instant, time, unix));
                false
            }
            State::Running(running) if running.is_due(now.instant, time, unix) => {
                let done_until = running.done_until;
                let (until, anew) = continued(done_until, unix);
                *running = self.plan.look(now.instant, time, until);
                !anew && running.claim.as_ref().is_some_and(|claim| claim.time > done_until as f64)
            }
            State::Running(running) => {
                running.done_until = running.done_until.max(unix);
                false
            }
        };
        Poll { claim: self.claim(unix).cloned(), edge }
    }

    /// When to poll at the latest; `None` while it is switched off. A jump of the clock is seen with any poll.
    #[must_use]
    pub fn poll_at(&self, now: Moment) -> Option<Instant> {
        let wait = match (&self.state, trusted(now)) {
            (State::Off, _) => return None,
            (State::Waiting, Some(_)) => Duration::ZERO,
            (_, None) => LOOK_FOR_TIME,
            (State::Running(running), Some(time)) => match &running.next {
                None => LOOK_AGAIN,
                Some(next) => {
                    let seconds = next.time as f64 - time + AFTER_EDGE_S;
                    Duration::try_from_secs_f64(seconds.max(0.0))
                        .map_or(LOOK_AGAIN, |wait| wait.min(LOOK_AGAIN))
                }
            },
        };
        Some(now.instant.after(wait))
    }

    /// How it is told to the world, as of the last poll.
    #[must_use]
    pub fn status(&self, now: Moment) -> ScheduleStatus {
        let running = match (&self.state, trusted(now)) {
            (State::Off, _) => return said(ScheduleState::Off, "the schedule is switched off"),
            (_, None) => {
                let reason = "the clock is not trusted yet: no schedule runs";
                return said(ScheduleState::ClockUntrusted, reason);
            }
            // Not polled yet: as the next poll will find it.
            (State::Waiting, Some(time)) => &self.plan.look(now.instant, time, whole_seconds(time)),
            (State::Running(running), Some(_)) => running,
        };
        let unix = now.time.map_or(0, whole_seconds);
        let claim = running.claim.as_ref().filter(|claim| is_recent(claim, unix));
        let mut status = self.plan.told(claim, running.done_until.saturating_sub(unix));
        status.next =
            running.next.map(|next| NextEdge { time: next.time as f64, on: next.on, entry: next.entry });
        if claim.is_some() || status.next.is_some() {
            status.state = ScheduleState::Running;
        }
        status
    }

    fn claim(&self, unix: i64) -> Option<&Edge> {
        match &self.state {
            State::Running(running) => running.claim.as_ref().filter(|claim| is_recent(claim, unix)),
            State::Off | State::Waiting => None,
        }
    }
}

impl Running {
    /// Whether what was found may have changed.
    fn is_due(&self, now: Instant, time: f64, unix: i64) -> bool {
        let moved_s = time - now.since_start().as_secs_f64() - self.clock_less_uptime_s;
        let passed = match &self.next {
            Some(next) => next.time <= unix,
            None => now.since(self.looked) >= LOOK_AGAIN,
        };
        passed || !(-JUMP_S..=JUMP_S).contains(&moved_s)
    }
}

impl Plan {
    /// Looks at the days around `until`, to which everything has run.
    fn look(&self, instant: Instant, time: f64, until: i64) -> Running {
        let claim = self.newest(until).map(|found| Edge {
            on: found.on,
            entry: found.entry,
            time: found.time as f64,
            cause: self.cause(&found),
        });
        Running {
            done_until: until,
            claim,
            next: self.next(until),
            clock_less_uptime_s: time - instant.since_start().as_secs_f64(),
            looked: instant,
        }
    }

    /// Why it does what it does; `back_s` is how long ago by the clock what has run lies ahead.
    fn told(&self, claim: Option<&Edge>, back_s: i64) -> ScheduleStatus {
        let mut reason = String::new();
        // What does not fit is cut.
        let _ = match (self.trouble(), claim) {
            (Some(Trouble::Zone(error)), _) => write!(reason, "the time zone {error}"),
            (Some(Trouble::NoPosition(entry)), _) => {
                write!(
                    reason,
                    "entry {} needs the plug's position: sunrise and sunset are unknown",
                    entry + 1
                )
            }
            _ if back_s > JUMP_S as i64 => {
                write!(reason, "the clock went back by {back_s} s: nothing runs a second time")
            }
            (_, Some(claim)) => reason.write_str(&claim.cause),
            (Some(Trouble::NoEntries), None) => reason.write_str("no entry is enabled on any day"),
            (Some(Trouble::OnlySun), None) => {
                write!(reason, "the sun neither rises nor sets within {LOOK_DAYS} days")
            }
            (None, None) => write!(reason, "no edge in the last {LOOK_DAYS} days: the first is to come"),
        };
        ScheduleStatus { state: ScheduleState::NoEdges, reason, next: None }
    }
}

/// Up to when everything has run, and whether the clock was set back so far that all begins anew.
fn continued(done_until: i64, unix: i64) -> (i64, bool) {
    let anew = done_until.saturating_sub(unix) > CORRECTION_S;
    (if anew { unix } else { done_until.max(unix) }, anew)
}

fn is_recent(claim: &Edge, unix: i64) -> bool {
    claim.time >= (unix - LOOK_DAYS * DAY_S) as f64
}

fn trusted(now: Moment) -> Option<f64> {
    now.time.filter(|time| time.is_finite())
}

fn said(state: ScheduleState, reason: &str) -> ScheduleStatus {
    // The sentences above all fit.
    ScheduleStatus { state, reason: String::try_from(reason).unwrap_or_default(), next: None }
}

#[cfg(test)]
mod tests;
