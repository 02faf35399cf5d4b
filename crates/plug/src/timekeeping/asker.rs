//! When which time server is asked. Pure: `handle(now, outcome)`, `poll_at()`.
//!
//! ```text
//!              set(servers)           asked, and it agrees: an hour, then the next server
//!   Nobody ----------------> Due <-------------------------------------------------------+
//!                             |       one more should be heard: a minute, then the next   |
//!                             +----------------------------------------------------------+
//!                             |       no use: a pause that doubles up to an hour, then the next server
//!                             +----------------------------------------------------------+
//! ```
//! Each pause is longer or shorter by a quarter by chance, so that a street of plugs does not ask at once; a minute is
//! never shorter. A server that
//! says that it is asked too often is left alone for two hours, then four, up to a day; one that refuses, for good.

use core::time::Duration;

use super::servers::SERVERS;
use crate::limits;
use crate::platform::Instant;

/// What became of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The clock is as the server says.
    Agrees,
    /// One more should be heard: it was the first answer at all, or the server wants a step that nobody believes yet.
    Unsure,
    /// No answer, or none that is believed.
    Failed,
    /// The server does not want to be asked so often.
    Slower,
    /// The server does not want to be asked at all.
    Denied,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Manners {
    /// How often it said that it is asked too often.
    slower: u32,
    not_before: Option<Instant>,
    denied: bool,
}

impl Manners {
    fn may_be_asked(&self, now: Instant) -> bool {
        !self.denied && self.not_before.is_none_or(|not_before| not_before <= now)
    }

    fn slow_down(&mut self, now: Instant) {
        self.slower += 1;
        let pause = limits::TIME_POLL.saturating_mul(1 << self.slower.min(5)).min(limits::TIME_SLOWEST);
        self.not_before = Some(now.after(pause));
    }
}

/// The machine drawn above.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    count: usize,
    /// Who is asked next, unless it is to be left alone.
    next: usize,
    due: Option<Instant>,
    /// Questions in a row that were of no use.
    failures: u32,
    manners: [Manners; SERVERS],
}

impl Asker {
    /// Nobody is to be asked.
    #[must_use]
    pub const fn new() -> Self {
        let manners = Manners { slower: 0, not_before: None, denied: false };
        Self { count: 0, next: 0, due: None, failures: 0, manners: [manners; SERVERS] }
    }

    /// From now on these `count` servers are asked; 0: nobody. What was known of others is forgotten. `chance` is from 0
    /// to 1, here and below.
    pub fn set(&mut self, now: Instant, count: usize, chance: f64) {
        let due = (count > 0).then(|| now.after(limits::TIME_FIRST.mul_f64(chance)));
        *self = Self { count: count.min(SERVERS), due, ..Self::new() };
    }

    /// The network is back: what failed without it is tried again soon.
    pub fn hurry(&mut self, now: Instant, chance: f64) {
        if self.failures > 0 {
            self.failures = 0;
            let soon = now.after(limits::TIME_FIRST.mul_f64(chance));
            self.due = self.due.map(|due| due.min(soon));
        }
    }

    /// When somebody is to be asked; `None`: never.
    #[must_use]
    pub fn poll_at(&self) -> Option<Instant> {
        let free = |manners: &Manners| (!manners.denied).then(|| manners.not_before.unwrap_or_default());
        let earliest = self.manners.iter().take(self.count).filter_map(free).min()?;
        self.due.map(|due| due.max(earliest))
    }

    /// Which server is to be asked now, counted from 0.
    #[must_use]
    pub fn whom(&self, now: Instant) -> Option<usize> {
        let mut turns = (0..self.count).map(|turn| (self.next + turn) % self.count);
        turns.find(|index| self.manners.get(*index).is_some_and(|manners| manners.may_be_asked(now)))
    }

    /// Server `index` was asked; the next one is due after a pause.
    pub fn handle(&mut self, now: Instant, index: usize, outcome: Outcome, chance: f64) {
        let pause = match outcome {
            Outcome::Agrees => limits::TIME_POLL,
            Outcome::Unsure => limits::TIME_DOUBT,
            Outcome::Failed | Outcome::Slower | Outcome::Denied => {
                limits::TIME_RETRY.saturating_mul(1 << self.failures.min(16)).min(limits::TIME_POLL)
            }
        };
        if let Some(manners) = self.manners.get_mut(index) {
            match outcome {
                Outcome::Agrees | Outcome::Unsure => *manners = Manners::default(),
                Outcome::Slower => manners.slow_down(now),
                Outcome::Denied => manners.denied = true,
                Outcome::Failed => {}
            }
        }
        self.failures = match outcome {
            Outcome::Agrees | Outcome::Unsure => 0,
            _ => self.failures.saturating_add(1),
        };
        self.next = index + 1;
        let pause = with_jitter(pause, chance);
        // Sooner, the keeper would take it for the same answer.
        let least = if outcome == Outcome::Unsure { limits::TIME_DOUBT } else { Duration::ZERO };
        self.due = Some(now.after(pause.max(least)));
    }
}

impl Default for Asker {
    fn default() -> Self {
        Self::new()
    }
}

/// Three to five quarters of it.
fn with_jitter(pause: Duration, chance: f64) -> Duration {
    pause.mul_f64(0.75 + 0.5 * chance.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    const HOUR: Duration = Duration::from_secs(3600);

    fn start(count: usize) -> (Asker, Instant) {
        let mut asker = Asker::new();
        assert_eq!(asker.poll_at(), None);
        let now = Instant::from_start(Duration::from_secs(5));
        asker.set(now, count, 0.5);
        (asker, now)
    }

    /// Asks whoever is due, again and again, and gives the servers and the pauses before them.
    fn run(asker: &mut Asker, now: &mut Instant, outcomes: &[Outcome]) -> Vec<(usize, Duration)> {
        outcomes
            .iter()
            .map(|outcome| {
                let due = asker.poll_at().unwrap().max(*now);
                let pause = due.since(*now);
                *now = due;
                let index = asker.whom(due).unwrap();
                asker.handle(due, index, *outcome, 0.5);
                (index, pause)
            })
            .collect()
    }

    #[test]
    fn nobody_is_asked_where_there_is_nobody() {
        let (asker, now) = start(0);
        assert_eq!((asker.poll_at(), asker.whom(now)), (None, None));
    }

    #[test]
    fn once_an_hour_in_turn() {
        let (mut asker, mut now) = start(3);
        let asked = run(&mut asker, &mut now, &[Outcome::Agrees; 5]);
        let servers: Vec<usize> = asked.iter().map(|(server, _)| *server).collect();
        assert_eq!(servers, [0, 1, 2, 0, 1]);
        assert!(asked[0].1 <= limits::TIME_FIRST);
        assert!(asked[1..].iter().all(|(_, pause)| *pause == HOUR), "{asked:?}");
    }

    #[test]
    fn chance_moves_each_pause_by_a_quarter() {
        let pauses: Vec<Duration> = [0.0, 0.5, 1.0, 7.0].map(|chance| with_jitter(HOUR, chance)).to_vec();
        assert_eq!(pauses, [2700, 3600, 4500, 4500].map(Duration::from_secs));
    }

    #[test]
    fn where_one_more_should_be_heard_it_is_asked_after_a_minute() {
        let (mut asker, mut now) = start(1);
        let asked =
            run(&mut asker, &mut now, &[Outcome::Unsure, Outcome::Unsure, Outcome::Agrees, Outcome::Agrees]);
        let minute = limits::TIME_DOUBT;
        assert_eq!(asked[1..], [(0, minute), (0, minute), (0, HOUR)]);
        // The keeper takes what is said sooner for the same answer.
        asker.handle(now, 0, Outcome::Unsure, 0.0);
        assert_eq!(asker.poll_at(), Some(now.after(minute)));
    }

    #[test]
    fn failures_are_followed_by_pauses_that_double_up_to_an_hour() {
        let (mut asker, mut now) = start(2);
        let asked = run(&mut asker, &mut now, &[Outcome::Failed; 12]);
        let seconds: Vec<u64> = asked[1..].iter().map(|(_, pause)| pause.as_secs()).collect();
        assert_eq!(seconds, [15, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
        assert_eq!(asked.iter().map(|(server, _)| *server).sum::<usize>(), 6, "both in turn");
        // One that agrees, and it begins again.
        let asked = run(&mut asker, &mut now, &[Outcome::Agrees, Outcome::Failed, Outcome::Failed]);
        assert_eq!(asked[2].1, Duration::from_secs(15));
        // For ever.
        let asked = run(&mut asker, &mut now, &[Outcome::Failed; 200]);
        assert!(asked.iter().all(|(_, pause)| *pause <= HOUR));
    }

    #[test]
    fn a_network_that_is_back_ends_a_long_pause_and_no_other() {
        let (mut asker, mut now) = start(1);
        run(&mut asker, &mut now, &[Outcome::Failed; 12]);
        asker.hurry(now, 1.0);
        assert_eq!(asker.poll_at(), Some(now.after(limits::TIME_FIRST)));
        run(&mut asker, &mut now, &[Outcome::Agrees]);
        let due = asker.poll_at();
        asker.hurry(now, 0.0);
        assert_eq!(asker.poll_at(), due);
    }

    #[test]
    fn a_server_that_wants_fewer_questions_gets_fewer() {
        let (mut asker, mut now) = start(1);
        let asked = run(&mut asker, &mut now, &[Outcome::Slower; 7]);
        let hours: Vec<u64> = asked[1..].iter().map(|(_, pause)| pause.as_secs() / 3600).collect();
        assert_eq!(hours, [2, 4, 8, 16, 24, 24]);
        // The others are asked meanwhile.
        let (mut asker, mut now) = start(2);
        let asked =
            run(&mut asker, &mut now, &[Outcome::Slower, Outcome::Agrees, Outcome::Agrees, Outcome::Agrees]);
        assert_eq!(asked.iter().map(|(server, _)| *server).collect::<Vec<_>>(), [0, 1, 1, 0]);
    }

    #[test]
    fn a_server_that_refuses_is_never_asked_again() {
        let (mut asker, mut now) = start(2);
        let asked =
            run(&mut asker, &mut now, &[Outcome::Denied, Outcome::Agrees, Outcome::Agrees, Outcome::Denied]);
        assert_eq!(asked.iter().map(|(server, _)| *server).collect::<Vec<_>>(), [0, 1, 1, 1]);
        assert_eq!((asker.poll_at(), asker.whom(now.after(HOUR * 1000))), (None, None));
        // Until somebody names servers again.
        asker.set(now, 2, 0.0);
        assert_eq!((asker.poll_at(), asker.whom(now)), (Some(now), Some(0)));
    }
}
