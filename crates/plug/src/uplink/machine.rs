//! When what is sent: pure, with time and the log's ends as arguments.
//!
//! ```text
//!              job                 a step's rows are there           accepted
//!   Off ---------------> Ready --------------------------> Send ----------------> Ready, cursor moves
//!    ^                    | ^ ^                              | |
//!    |      first, after  | | |  pause over, settings        | +-- a person must act --> Resting (stopped)
//!    +--- no job          v | |  changed, network is back    |
//!                        Ask| +------------------------------+---- something failed ---> Resting (backing off)
//!                         +-+                                |
//!                                                            +-- a row is at fault: half as many; one alone: doubt
//! ```
//!
//! *Doubt*: a row that is refused alone may be at fault, or the server may refuse every row. So it is passed over, and only
//! a later row that is taken proves that it was the row; then it is tried once more, and set aside. Several of them
//! without any success between stop the uplink, with the cursor where it was: nothing is set aside by a server's fault.

use core::time::Duration;

use super::answer::Answer;
use super::batch::Batch;
use super::crypt::BLOCK;
use super::status::{Conflict, State};
use crate::limits;
use crate::platform::Instant;
use crate::settings::emoncms::Begin;
use crate::timekeeping::chance::{Chance, SEED};

/// Which server, node and key a cursor is true for.
pub type Fingerprint = [u8; 8];

/// What is to be done, as far as the machine must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Job {
    /// Of URL, node and key.
    pub fingerprint: Fingerprint,
    /// From one row to the next.
    pub interval_s: u16,
    /// From one post to the next.
    pub send_every_s: u16,
    /// Questions can be asked: the transport is plain.
    pub asks: bool,
    /// Where to begin where the cursor is another's.
    pub begin: Begin,
    /// The server tells the time.
    pub server_time: bool,
}

/// What the flash keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// What the cursor is true for.
    pub fingerprint: Fingerprint,
    /// Time of the newest row that the server is known to have, and everything before it; 0: none.
    pub cursor: u32,
    /// A newer row that a test brought there.
    pub out_of_turn: Option<OutOfTurn>,
}

/// A row that the server has although it may not have those before it: that it is the server's newest says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfTurn {
    /// Which server, node and key.
    pub fingerprint: Fingerprint,
    /// Its time.
    pub time: u32,
}

/// What can be seen now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sight {
    /// Unix seconds; `None`: the clock is not known.
    pub unix: Option<f64>,
    /// Time of the log's newest row.
    pub newest: Option<u32>,
    /// There is a network.
    pub online: bool,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action {
    /// Nothing, for so long in the plug's own time.
    Wait(Duration),
    /// Nothing until then, in the network's time.
    Rest(Instant),
    /// Nothing until something changes.
    Sleep,
    /// Ask the server for the time.
    AskTime,
    /// Ask the server for its newest row; none is newer than `limit`, if that is known.
    Ask {
        /// The newest row that it can have from this plug; `None`: the log's newest.
        limit: Option<u32>,
    },
    /// Send these rows.
    Send(Batch),
}

/// What came of sending.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sent {
    /// What was to be sent.
    pub batch: Batch,
    /// What the server said.
    pub answer: Answer,
    /// The last byte left the plug.
    pub whole: bool,
    /// Rows in it.
    pub rows: u32,
    /// Everything up to here was in it.
    pub end: u32,
    /// How long it took.
    pub took: Duration,
}

/// Rows that were refused alone, and what is known of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Doubt {
    count: u32,
    /// The newest of them.
    last: u32,
    /// A later row was taken, and all behind it up to here: it was the rows.
    proof: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Ready,
    Resting { until: Instant, stopped: bool },
}

/// The machine.
pub struct Machine {
    job: Option<Job>,
    kept: Kept,
    phase: Phase,
    state: State,
    online: bool,
    /// Begin at the newest row there is.
    begins_now: bool,
    /// The server is to be asked for its newest row before anything is sent.
    ask: bool,
    /// How often it was asked in vain.
    asked: u32,
    /// The newest row that the server can have; `None`: any of the log.
    limit: Option<u32>,
    most: u32,
    ceiling: u32,
    doubt: Option<Doubt>,
    /// So many single rows are passed over before it is not the rows.
    allowance: u32,
    failures: u32,
    set_aside: u32,
    last_set_aside: Option<u32>,
    conflict: Option<Conflict>,
    rate: Option<f64>,
    sent_rows: u32,
    /// The log has nothing between the cursor and here.
    empty_until: u32,
    /// What the flash has; what is to go there differs from it.
    stored: Option<Kept>,
    stored_at: Option<Instant>,
    hurry: bool,
    chance: Chance,
    /// The part of the spread after a slot's end that is this plug's.
    spread: Duration,
}

impl Machine {
    /// Off, with what the flash keeps and a seed that nobody knows.
    #[must_use]
    pub fn new(kept: Option<Kept>, seed: [u8; SEED]) -> Self {
        let mut chance = Chance::new(seed);
        Self {
            spread: limits::UPLINK_SLOT_SPREAD.mul_f64(chance.part()),
            chance,
            job: None,
            kept: kept.unwrap_or_default(),
            phase: Phase::Ready,
            state: State::Off,
            online: false,
            begins_now: false,
            ask: true,
            asked: 0,
            limit: None,
            most: limits::UPLINK_ROWS,
            ceiling: limits::UPLINK_ROWS,
            doubt: None,
            allowance: limits::UPLINK_REFUSED_ROWS,
            failures: 0,
            set_aside: 0,
            last_set_aside: None,
            conflict: None,
            rate: None,
            sent_rows: 0,
            empty_until: 0,
            stored: kept,
            stored_at: None,
            hurry: false,
        }
    }

    /// A start value for the encryption, which was never used before.
    pub(super) fn start_value(&mut self) -> [u8; BLOCK] {
        let (one, other) = (self.chance.number(), self.chance.number());
        (u128::from(one) << 64 | u128::from(other)).to_be_bytes()
    }

    /// Takes a new job, or none: what waits is tried at once.
    pub fn set_job(&mut self, job: Option<Job>) {
        self.job = job;
        self.phase = Phase::Ready;
        self.failures = 0;
        self.doubt = None;
        self.allowance = limits::UPLINK_REFUSED_ROWS;
        (self.most, self.ceiling) = (limits::UPLINK_ROWS, limits::UPLINK_ROWS);
        let Some(job) = job else { return };
        self.ask &= job.asks;
        if self.kept.fingerprint != job.fingerprint {
            self.kept = Kept { fingerprint: job.fingerprint, cursor: 0, ..self.kept };
            self.empty_until = 0;
            self.begins_now = job.begin == Begin::Now;
            // Where all is to be sent, the server may have some of it: its key may be all that changed.
            self.ask = job.asks && !self.begins_now;
            (self.limit, self.conflict, self.rate) = (None, None, None);
            self.hurry = true;
        }
    }

    /// What to do now. Call it again when that is done, and when something changed.
    pub fn act(&mut self, now: Instant, sight: &Sight) -> Action {
        let Some(job) = self.job else {
            self.state = State::Off;
            return Action::Sleep;
        };
        if let Some(newest) = sight.newest {
            self.follow_clock(&job, newest);
        }
        if let Some(unix) = sight.unix
            && self.begins_now
            && !self.begin_now(&job, unix, sight.newest)
        {
            self.state = State::UpToDate;
            return Action::Wait(limits::UPLINK_LOOK);
        }
        let was_online = core::mem::replace(&mut self.online, sight.online);
        if !sight.online {
            self.state = State::WaitingForNetwork;
            return Action::Wait(limits::UPLINK_LOOK);
        }
        if !was_online && matches!(self.phase, Phase::Resting { stopped: false, .. }) {
            // What failed may have failed for want of a network.
            self.phase = Phase::Ready;
        }
        if let Phase::Resting { until, stopped } = self.phase {
            if now < until {
                self.state = if stopped { State::Stopped } else { State::BackingOff };
                return Action::Rest(until.min(now.after(limits::UPLINK_LOOK_LONGEST)));
            }
            self.phase = Phase::Ready;
        }
        let Some(unix) = sight.unix else {
            self.state = State::WaitingForClock;
            return if job.server_time { Action::AskTime } else { Action::Wait(limits::UPLINK_LOOK) };
        };
        // A row from the future was written by a clock that was put back since.
        let newest = sight.newest.map(|newest| no_later(newest, unix, job.interval_s.into()));
        self.next(&job, unix, newest)
    }

    /// What was measured before is not wanted: that is settled, whether anybody can be reached or not, as soon as the log has
    /// a row of these minutes. An older one is of before a start whose rows may only just get their times. `false`: not yet.
    fn begin_now(&mut self, job: &Job, unix: f64, newest: Option<u32>) -> bool {
        let interval = u32::from(job.interval_s);
        let recent = f64::from(limits::UPLINK_RECENT_S.max(2 * interval));
        let newest = newest.unwrap_or(unix as u32);
        self.begins_now = f64::from(newest) + recent < unix;
        if !self.begins_now {
            self.put_cursor(no_later(newest, unix, interval));
            self.hurry = true;
        }
        !self.begins_now
    }

    /// A clock that was put back: what was sent before is newer than everything that comes now. What the log shows counts,
    /// from its newest row on, which is seen as soon as there is one.
    fn follow_clock(&mut self, job: &Job, newest: u32) {
        if newest < self.kept.cursor && !self.begins_now {
            self.doubt = None;
            self.empty_until = 0;
            self.put_cursor(newest.saturating_sub(job.interval_s.into()));
            self.hurry = true;
        }
    }

    /// What to do where nothing stands in the way.
    fn next(&mut self, job: &Job, unix: f64, newest: Option<u32>) -> Action {
        let Some(newest) = newest else {
            self.state = State::UpToDate;
            return Action::Wait(self.until_next(job, unix, 0));
        };
        if self.ask {
            self.state = State::Sending;
            return Action::Ask { limit: self.limit };
        }
        let batch = self.batch(job, newest);
        let step = step(job);
        let due = self.doubt.is_some_and(|doubt| doubt.proof.is_some())
            || batch.until > batch.after && newest / step * step > batch.after;
        if !due {
            self.state = State::UpToDate;
            // What made it small is over.
            self.ceiling = limits::UPLINK_ROWS;
            return Action::Wait(self.until_next(job, unix, newest));
        }
        // A post has the rows of one step, and those of the next if it was late.
        let few = 2 * step + u32::from(job.interval_s);
        self.state =
            if batch.until.saturating_sub(batch.after) > few { State::CatchingUp } else { State::Sending };
        Action::Send(batch)
    }

    /// The rows that are next.
    fn batch(&self, job: &Job, newest: u32) -> Batch {
        let interval = u32::from(job.interval_s.max(1));
        let after = self.kept.cursor.max(self.empty_until);
        let whole = Batch { after, until: newest / interval * interval, most: self.most };
        match self.doubt {
            None => whole,
            Some(Doubt { last, proof: None, .. }) => Batch { after: last.max(whole.after), most: 1, ..whole },
            Some(Doubt { last, proof: Some(_), .. }) => Batch { until: last, most: 1, ..whole },
        }
    }

    /// How long until the next row is to be looked for.
    fn until_next(&self, job: &Job, unix: f64, newest: u32) -> Duration {
        let step = f64::from(step(job));
        let slot = libm::floor(unix / step) * step;
        let lag = (limits::UPLINK_SLOT_LAG + self.spread).as_secs_f64();
        let missing = f64::from(newest) < slot;
        let late = unix - slot;
        let wait = if missing && late < lag {
            lag - late
        } else if missing && late < limits::UPLINK_LOOK_LONGEST.as_secs_f64() {
            limits::UPLINK_LOOK.as_secs_f64()
        } else {
            step - late + lag
        };
        // A clock that is put right in between is seen soon.
        Duration::try_from_secs_f64(wait).unwrap_or_default().min(limits::UPLINK_LOOK_LONGEST)
    }

    /// What is to go to the flash now, if anything; before a restart also what else would wait.
    pub fn to_store(&self, now: Instant, restarts: bool) -> Option<Kept> {
        let pause = if self.hurry { limits::UPLINK_CURSOR_HURRY } else { limits::UPLINK_CURSOR };
        let waited = self.stored_at.is_none_or(|at| now.since(at) >= pause);
        (self.is_unsaved() && (waited || restarts)).then_some(self.kept)
    }

    /// Whether the flash has something else than what counts.
    #[must_use]
    pub fn is_unsaved(&self) -> bool {
        self.stored.unwrap_or_default() != self.kept && !self.begins_now
    }

    /// It is there, or the flash does not take it; then it is tried again a while later.
    pub fn stored(&mut self, now: Instant, kept: Kept, taken: bool) {
        self.stored_at = Some(now);
        self.hurry = false;
        if taken {
            self.stored = Some(kept);
        }
    }

    fn put_cursor(&mut self, time: u32) {
        self.kept.cursor = time;
        if self.out_of_turn().is_some_and(|tested| tested <= time) {
            self.kept.out_of_turn = None;
        }
    }

    /// Rows after this are still wanted; `None`: none are, or it is not known yet which.
    #[must_use]
    pub const fn wanted_after(&self) -> Option<u32> {
        if self.job.is_some() && !self.begins_now { Some(self.kept.cursor) } else { None }
    }

    /// Time of the newest row that the server is known to have; 0: none.
    #[must_use]
    pub const fn cursor(&self) -> u32 {
        self.kept.cursor
    }

    /// What it does.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// When it goes on, in the network's time, where it rests.
    #[must_use]
    pub const fn next_attempt(&self) -> Option<Instant> {
        match self.phase {
            Phase::Resting { until, .. } => Some(until),
            Phase::Ready => None,
        }
    }

    /// Rows set aside, and the newest of them.
    #[must_use]
    pub const fn set_aside(&self) -> (u32, Option<u32>) {
        (self.set_aside, self.last_set_aside)
    }

    /// Why the server's own state was not believed.
    #[must_use]
    pub const fn conflict(&self) -> Option<Conflict> {
        self.conflict
    }

    /// Rows a second, of the last few posts.
    #[must_use]
    pub const fn rate(&self) -> Option<f64> {
        self.rate
    }

    /// Rows that the server took.
    #[must_use]
    pub const fn sent_rows(&self) -> u32 {
        self.sent_rows
    }
}

/// A row's time, or that of the row that may be under way.
pub(super) fn no_later(newest: u32, unix: f64, interval_s: u32) -> u32 {
    newest.min((unix as u32).saturating_add(interval_s))
}

/// From one post to the next.
fn step(job: &Job) -> u32 {
    job.send_every_s.max(job.interval_s).max(1).into()
}

mod outcome;
#[cfg(test)]
mod tests;
