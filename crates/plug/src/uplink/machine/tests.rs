//! The machine against a server in a few lines, in simulated time.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::*;
use crate::uplink::resume::Standing;

mod refusals;

const T: u32 = 1_795_000_000;
/// Where the log begins.
const OLDEST: u32 = T - 2000;
const JOB: Job = Job {
    fingerprint: [1; 8],
    interval_s: 10,
    send_every_s: 10,
    asks: true,
    begin: Begin::Now,
    server_time: false,
};

/// A plug with a row each 10 s, and what its server has.
struct World {
    machine: Machine,
    now: Instant,
    /// Time of the newest row.
    newest: u32,
    has: BTreeSet<u32>,
    /// Rows that the server refuses.
    bad: BTreeSet<u32>,
    /// Rows of the log that have nothing of what is to be sent.
    empty: BTreeSet<u32>,
    /// What it says to everything.
    says: Option<Answer>,
    /// It takes no more rows at once, and says this to more.
    most: u32,
    above: Answer,
    asked: u32,
    posts: Vec<(u32, u32)>,
}

impl World {
    fn new(kept: Option<Kept>, job: Job) -> Self {
        let mut machine = Machine::new(kept, [3; SEED]);
        machine.set_job(Some(job));
        let mut world = Self {
            machine,
            now: Instant::from_start(Duration::from_secs(100)),
            newest: T,
            has: BTreeSet::new(),
            bad: BTreeSet::new(),
            empty: BTreeSet::new(),
            says: None,
            most: u32::MAX,
            above: Answer::Empty,
            asked: 0,
            posts: Vec::new(),
        };
        if kept.is_none() && job.begin == Begin::Now {
            // It is there already, and what comes now is the first.
            world.settle();
        }
        world
    }

    fn sight(&self) -> Sight {
        Sight { unix: Some(f64::from(self.newest) + 1.5), newest: Some(self.newest), online: true }
    }

    /// What the server says to these rows, and how many of them it keeps.
    fn judge(&self, rows: &[u32]) -> (Answer, usize) {
        if let Some(answer) = self.says {
            return (answer, 0);
        }
        if rows.len() > self.most as usize {
            return (self.above, 0);
        }
        match rows.iter().position(|row| self.bad.contains(row)) {
            Some(at) => (Answer::Refused, at),
            None => (Answer::Accepted, rows.len()),
        }
    }

    fn post(&mut self, batch: Batch) {
        let first = ((batch.after / 10 + 1) * 10).max(OLDEST);
        let mut rows: Vec<u32> = (first..=batch.until).step_by(10).take(batch.most as usize).collect();
        let last = rows.last().copied().unwrap_or(batch.until);
        rows.retain(|row| !self.empty.contains(row));
        if rows.is_empty() {
            return self.machine.nothing_to_send(last);
        }
        let (answer, kept) = self.judge(&rows);
        self.has.extend(&rows[..kept]);
        self.posts.push((rows[0], rows.len() as u32));
        let took = Duration::from_secs(1);
        self.now = self.now.after(took);
        let sent = Sent { batch, answer, whole: true, rows: rows.len() as u32, end: last, took };
        self.machine.sent(self.now, &sent);
    }

    fn ask(&mut self) {
        self.asked += 1;
        let standing = match self.has.last() {
            None => Standing::Unknown,
            Some(last) if *last < self.machine.cursor() => Standing::Back(*last),
            Some(last) => Standing::From(*last),
        };
        self.machine.asked(self.now, Ok(standing));
    }

    /// Does what the machine wants until it waits.
    fn settle(&mut self) {
        for _ in 0..10_000 {
            match self.machine.act(self.now, &self.sight()) {
                Action::Send(batch) => self.post(batch),
                Action::Ask { .. } => self.ask(),
                Action::AskTime => panic!("the time is known"),
                // Between two rows that are refused.
                Action::Rest(until) if until.since(self.now) <= limits::UPLINK_REFUSED_PAUSE => {
                    self.now = until
                }
                Action::Wait(_) | Action::Rest(_) | Action::Sleep => return,
            }
        }
        panic!("it does not come to rest");
    }

    /// The same, and lets its pauses pass.
    fn settle_in_the_end(&mut self) {
        for _ in 0..1000 {
            self.settle();
            match self.machine.next_attempt() {
                Some(until) => self.now = until,
                None => return,
            }
        }
        panic!("it does not come to an end");
    }

    /// Lets so many slots pass.
    fn live(&mut self, slots: u32) {
        for _ in 0..slots {
            self.newest += 10;
            self.now = self.now.after(Duration::from_secs(10));
            self.settle();
        }
    }

    fn has_all_but(&self, from: u32, missing: &[u32]) {
        let wanted: BTreeSet<u32> =
            (from..=self.newest).step_by(10).filter(|row| !missing.contains(row)).collect();
        assert_eq!(self.has, wanted);
        assert_eq!(self.machine.cursor(), self.newest);
    }
}

#[test]
fn from_now_on_each_row_goes_out_by_itself() {
    let mut world = World::new(None, JOB);
    world.settle();
    assert_eq!((world.machine.cursor(), world.machine.state()), (T, State::UpToDate));
    assert_eq!(world.machine.to_store(world.now, false).map(|kept| kept.cursor), Some(T));
    world.live(5);
    world.has_all_but(T + 10, &[]);
    assert_eq!(world.posts, [1, 2, 3, 4, 5].map(|slot| (T + 10 * slot, 1)));
    assert_eq!(world.asked, 0);
}

#[test]
fn the_next_look_is_soon_after_the_slots_end() {
    let at =
        |after: f64, newest| Sight { unix: Some(f64::from(T) + after), newest: Some(newest), online: true };
    let now = Instant::from_start(Duration::from_secs(5));
    let machine = || {
        let mut machine = Machine::new(None, [3; SEED]);
        machine.set_job(Some(JOB));
        machine
    };
    let lag = limits::UPLINK_SLOT_LAG + machine().spread;
    assert!(lag <= Duration::from_secs(1));
    let waits = |after: f64, newest| match machine().act(now, &at(after, newest)) {
        Action::Wait(wait) => wait.as_secs_f64(),
        other => panic!("{other:?}"),
    };
    let near = |wait: f64, wanted: f64| assert!((wait - wanted).abs() < 1e-6, "{wait} {wanted}");
    near(waits(0.1, T - 10), lag.as_secs_f64() - 0.1);
    near(waits(1.5, T - 10), limits::UPLINK_LOOK.as_secs_f64());
    near(waits(2.0, T), 8.0 + lag.as_secs_f64());
}

#[test]
fn posts_come_as_often_as_they_are_wanted_and_have_all_rows_between() {
    let mut world = World::new(None, Job { send_every_s: 60, ..JOB });
    world.live(32);
    world.has_all_but(T + 10, &[]);
    let minute = T.next_multiple_of(60);
    assert_eq!((world.posts[1], world.posts.len()), ((minute + 10, 6), 6));
}

#[test]
fn a_backlog_goes_out_a_thousand_rows_at_a_time_and_the_cursor_is_kept_each_time() {
    let kept = Kept { fingerprint: JOB.fingerprint, cursor: T, out_of_turn: None };
    let mut world = World::new(Some(kept), JOB);
    world.has.insert(T);
    world.newest = T + 25_000;
    let Action::Ask { limit: None } = world.machine.act(world.now, &world.sight()) else { panic!() };
    world.ask();
    for batch in [(T + 10, 1000), (T + 10_010, 1000), (T + 20_010, 500)] {
        let Action::Send(next) = world.machine.act(world.now, &world.sight()) else { panic!() };
        assert_eq!(world.machine.state(), State::CatchingUp);
        world.post(next);
        assert_eq!(world.posts.last(), Some(&batch));
        // Often, and still not at each post of a fast server.
        assert!(world.machine.is_unsaved());
        match world.machine.to_store(world.now, false) {
            Some(kept) => world.machine.stored(world.now, kept, true),
            None => assert!(batch.0 > T + 10),
        }
    }
    assert_eq!(world.machine.to_store(world.now, false), None);
    assert!(world.machine.to_store(world.now, true).is_some(), "before a restart");
    world.now = world.now.after(limits::UPLINK_CURSOR_HURRY);
    assert!(world.machine.to_store(world.now, false).is_some());
    world.has_all_but(T, &[]);
    assert!(world.machine.rate().unwrap() > 400.0);
}

#[test]
fn the_oldest_can_be_wanted_too_and_what_the_server_has_is_not_sent_again() {
    let mut world = World::new(None, Job { begin: Begin::Oldest, ..JOB });
    world.has.extend((T - 1000..=T - 500).step_by(10));
    world.settle();
    assert_eq!((world.asked, world.posts[0]), (1, (T - 490, 50)));
}

#[test]
fn a_body_that_is_too_large_is_made_smaller_and_a_read_key_is_told() {
    let kept = Kept { fingerprint: JOB.fingerprint, cursor: T, out_of_turn: None };
    let mut world = World::new(Some(kept), JOB);
    (world.newest, world.most) = (T + 10_000, 100);
    world.settle();
    world.has_all_but(T + 10, &[]);
    assert_eq!(world.machine.state(), State::UpToDate);
    assert!(world.posts.len() < 60, "{} posts", world.posts.len());
    world.says = Some(Answer::Empty);
    world.live(1);
    assert_eq!(world.machine.state(), State::Stopped);
}

#[test]
fn what_is_too_much_for_a_server_is_halved_whatever_it_says() {
    for answer in [Answer::ServerFault, Answer::Unexpected, Answer::NoAnswer, Answer::Broken] {
        for asks in [true, false] {
            let kept = Kept { fingerprint: JOB.fingerprint, cursor: T, out_of_turn: None };
            let mut world = World::new(Some(kept), Job { asks, ..JOB });
            world.has.insert(T);
            (world.newest, world.most, world.above) = (T + 10_000, 100, answer);
            world.settle_in_the_end();
            world.has_all_but(T, &[]);
            // Each of the twenty successes may be followed by one that is too much again.
            assert!(world.posts.len() < 60, "{answer:?}: {} posts", world.posts.len());
        }
    }
    // What says nothing of the size changes nothing of it.
    let mut world = World::new(None, JOB);
    world.newest += 5000;
    world.says = Some(Answer::Busy);
    world.settle();
    world.says = None;
    world.settle_in_the_end();
    assert_eq!(world.posts, [(T + 10, 500), (T + 10, 500)]);
}

#[test]
fn what_a_person_must_mend_is_tried_every_ten_minutes_and_at_once_with_new_settings() {
    for answer in [
        Answer::BadKey,
        Answer::UnknownUser,
        Answer::InvalidData,
        Answer::Stripped,
        Answer::NodeLimit,
        Answer::Redirect,
        Answer::WrongPath,
        Answer::Forbidden,
    ] {
        let mut world = World::new(None, JOB);
        world.live(1);
        world.says = Some(answer);
        world.live(360);
        assert_eq!(world.machine.state(), State::Stopped, "{answer:?}");
        let tries = world.posts.len() - 1;
        assert!((6..=7).contains(&tries), "{answer:?}: {tries}");
        world.says = None;
        world.machine.set_job(Some(JOB));
        world.settle();
        world.has_all_but(T + 10, &[]);
    }
}

#[test]
fn what_passes_is_tried_again_with_growing_pauses() {
    let mut world = World::new(None, JOB);
    world.live(1);
    let mut pauses = Vec::new();
    for _ in 0..12 {
        world.newest += 10;
        let Action::Send(batch) = world.machine.act(world.now, &world.sight()) else { panic!() };
        let (rows, end) = ((batch.until - batch.after) / 10, batch.until);
        let sent = Sent { batch, answer: Answer::Unreachable, whole: false, rows, end, took: Duration::ZERO };
        world.machine.sent(world.now, &sent);
        let until = world.machine.next_attempt().unwrap();
        assert_eq!(
            world.machine.act(world.now, &world.sight()),
            Action::Rest(until.min(world.now.after(limits::UPLINK_LOOK_LONGEST)))
        );
        assert_eq!(world.machine.state(), State::BackingOff);
        pauses.push(until.since(world.now).as_secs_f64());
        world.now = until;
    }
    assert!(pauses.iter().all(|pause| (10.0..=600.0).contains(pause)), "{pauses:?}");
    assert!(
        pauses[0] <= 15.0 && pauses[1] <= 30.0 && pauses[8..].iter().all(|pause| *pause > 300.0),
        "{pauses:?}"
    );
    // With jitter: no two plugs keep in step.
    let mut other = Machine::new(None, [4; SEED]);
    other.set_job(Some(JOB));
    other.back_off(world.now);
    assert_ne!(other.next_attempt().unwrap().since(world.now).as_secs_f64(), pauses[0]);
    // The server is there again: the backlog first, and then as always.
    world.settle();
    world.has_all_but(T + 10, &[]);
}

#[test]
fn pauses_grow_although_questions_are_answered() {
    let mut world = World::new(None, JOB);
    world.live(1);
    let mut pauses = Vec::new();
    while pauses.len() < 9 {
        world.newest += 10;
        match world.machine.act(world.now, &world.sight()) {
            Action::Ask { .. } => world.ask(),
            Action::Send(batch) => {
                let (end, took) = (batch.until, Duration::ZERO);
                let sent = Sent { batch, answer: Answer::NoAnswer, whole: true, rows: 1, end, took };
                world.machine.sent(world.now, &sent);
                let until = world.machine.next_attempt().unwrap();
                pauses.push(until.since(world.now).as_secs_f64());
                world.now = until;
            }
            action => panic!("{action:?}"),
        }
    }
    assert!(pauses[8] > 300.0, "{pauses:?}");
}

#[test]
fn a_network_that_comes_back_ends_a_pause() {
    let mut world = World::new(None, JOB);
    world.live(1);
    world.says = Some(Answer::NoAddress);
    world.live(100);
    assert_eq!(world.machine.state(), State::BackingOff);
    let offline = Sight { online: false, ..world.sight() };
    assert_eq!(world.machine.act(world.now, &offline), Action::Wait(limits::UPLINK_LOOK));
    assert_eq!(world.machine.state(), State::WaitingForNetwork);
    world.says = None;
    world.settle();
    world.has_all_but(T + 10, &[]);
}

#[test]
fn from_now_on_is_settled_without_a_network_and_kept() {
    let mut machine = Machine::new(None, [3; SEED]);
    machine.set_job(Some(JOB));
    let now = Instant::from_start(Duration::from_secs(5));
    let offline = Sight { unix: None, newest: Some(T), online: false };
    assert_eq!(machine.act(now, &offline), Action::Wait(limits::UPLINK_LOOK));
    assert_eq!((machine.to_store(now, false), machine.wanted_after()), (None, None));
    let known = Sight { unix: Some(f64::from(T) + 1.5), ..offline };
    assert_eq!(machine.act(now, &known), Action::Wait(limits::UPLINK_LOOK));
    let kept = machine.to_store(now, false).unwrap();
    assert_eq!((kept.cursor, machine.wanted_after()), (T, Some(T)));
    // The plug restarts, and what was measured since then is wanted.
    let mut machine = Machine::new(Some(kept), [3; SEED]);
    machine.set_job(Some(JOB));
    assert_eq!(machine.wanted_after(), Some(T));
    machine.act(now, &Sight { newest: Some(T + 1000), ..known });
    assert_eq!(machine.cursor(), T);
    machine.set_job(None);
    assert_eq!(machine.wanted_after(), None);
}

#[test]
fn from_now_on_waits_for_a_row_of_now() {
    let mut machine = Machine::new(None, [3; SEED]);
    machine.set_job(Some(JOB));
    let (now, unix) = (Instant::from_start(Duration::from_secs(100)), f64::from(T) + 86_400.0);
    // The log's newest row with a time is of before the start; the rows since then have none yet.
    let sight = Sight { unix: Some(unix), newest: Some(T), online: true };
    assert_eq!(machine.act(now, &sight), Action::Wait(limits::UPLINK_LOOK));
    assert_eq!(machine.cursor(), 0);
    let sight = Sight { newest: Some(T + 86_400), ..sight };
    assert!(matches!(machine.act(now, &sight), Action::Wait(_)));
    assert_eq!(machine.cursor(), T + 86_400);
}

#[test]
fn another_server_is_another_beginning() {
    let mut world = World::new(None, JOB);
    world.live(3);
    let other = Job { fingerprint: [2; 8], ..JOB };
    world.machine.set_job(Some(other));
    world.settle();
    assert_eq!((world.machine.cursor(), world.posts.len(), world.asked), (T + 30, 3, 0));
    world.machine.set_job(Some(Job { begin: Begin::Oldest, fingerprint: [3; 8], asks: false, ..JOB }));
    let Action::Send(batch) = world.machine.act(world.now, &world.sight()) else { panic!() };
    assert_eq!(batch, Batch { after: 0, until: T + 30, most: 1000 });
    // The same server again, or one switched off for a while: from the cursor.
    world.settle();
    world.machine.set_job(None);
    world.live(2);
    assert_eq!(world.machine.state(), State::Off);
    let before = world.posts.len();
    world.machine.set_job(Some(Job { fingerprint: [3; 8], asks: false, ..JOB }));
    world.settle();
    assert_eq!(world.posts[before..], [(T + 40, 2)]);
}

#[test]
fn without_the_time_nothing_is_sent() {
    let mut machine = Machine::new(None, [3; SEED]);
    let now = Instant::from_start(Duration::from_secs(5));
    let sight = Sight { unix: None, newest: Some(T), online: true };
    machine.set_job(Some(JOB));
    assert_eq!(machine.act(now, &sight), Action::Wait(limits::UPLINK_LOOK));
    assert_eq!(machine.state(), State::WaitingForClock);
    machine.set_job(Some(Job { server_time: true, ..JOB }));
    assert_eq!(machine.act(now, &sight), Action::AskTime);
    machine.time_asked(now, false);
    let later = machine.next_attempt().unwrap();
    assert!(later > now && matches!(machine.act(now, &sight), Action::Rest(_)));
    assert_eq!(machine.act(later, &sight), Action::AskTime);
    machine.time_asked(later, true);
    assert!(matches!(
        machine.act(later, &Sight { unix: Some(f64::from(T) + 1.0), ..sight }),
        Action::Wait(_)
    ));
    assert_eq!(machine.cursor(), T);
}

#[test]
fn a_clock_that_was_put_back_does_not_silence_the_plug() {
    let mut world = World::new(None, JOB);
    world.live(3);
    world.newest = T - 1000;
    world.settle();
    world.live(2);
    let sent: Vec<u32> = world.posts[3..].iter().map(|(first, _)| *first).collect();
    assert_eq!(sent, [0, 10, 20].map(|after| T - 1000 + after));
}

/// Three answers put the clock right after it was hours ahead: what was written meanwhile is not the newest.
#[test]
fn rows_from_the_future_stay_here() {
    let kept = Kept { fingerprint: JOB.fingerprint, cursor: T, out_of_turn: None };
    let mut machine = Machine::new(Some(kept), [3; SEED]);
    machine.set_job(Some(Job { asks: false, ..JOB }));
    let now = Instant::from_start(Duration::from_secs(100));
    let sight = |unix: u32| Sight { unix: Some(f64::from(unix) + 1.5), newest: Some(T + 7200), online: true };
    let untils: Vec<Option<u32>> = [T - 100, T - 10, T + 30, T + 7190, T + 9000]
        .into_iter()
        .map(|unix| match machine.act(now, &sight(unix)) {
            Action::Send(batch) => Some(batch.until),
            Action::Wait(_) => None,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(untils, [None, None, Some(T + 40), Some(T + 7200), Some(T + 7200)]);
    assert_eq!(machine.cursor(), T);
}

#[test]
fn the_cursor_goes_to_the_flash_once_a_minute() {
    let mut world = World::new(None, JOB);
    let mut stored = 0;
    for _ in 0..60 {
        world.live(1);
        if let Some(kept) = world.machine.to_store(world.now, false) {
            world.machine.stored(world.now, kept, true);
            stored += 1;
        }
    }
    assert!((10..=11).contains(&stored), "{stored}");
    // Before a restart, what is new goes there at once, and what is not does not.
    world.live(1);
    let kept = world.machine.to_store(world.now, true).unwrap();
    assert_eq!(kept.cursor, world.newest);
    world.machine.stored(world.now, kept, true);
    assert_eq!(world.machine.to_store(world.now, true), None);
    // A flash that does not take it is asked again, not at once.
    world.live(1);
    world.machine.stored(world.now, kept, false);
    assert_eq!(world.machine.to_store(world.now, false), None);
    world.now = world.now.after(limits::UPLINK_CURSOR);
    assert!(world.machine.to_store(world.now, false).is_some());
}

#[test]
fn a_gap_in_the_log_is_passed_over_and_the_cursor_stays_at_a_row() {
    let mut world = World::new(None, JOB);
    world.live(3);
    world.newest += 500;
    let Action::Send(batch) = world.machine.act(world.now, &world.sight()) else { panic!() };
    world.machine.nothing_to_send(batch.until);
    assert!(matches!(world.machine.act(world.now, &world.sight()), Action::Wait(_)));
    assert_eq!(world.machine.cursor(), T + 30);
    world.newest += 10;
    let Action::Send(next) = world.machine.act(world.now, &world.sight()) else { panic!() };
    assert_eq!((next.after, next.until), (batch.until, batch.until + 10));
}

#[test]
fn a_test_brings_a_row_out_of_turn_and_is_remembered() {
    let kept = Kept { fingerprint: JOB.fingerprint, cursor: T - 1000, out_of_turn: None };
    let mut world = World::new(Some(kept), JOB);
    world.machine.tested(JOB.fingerprint, T);
    assert_eq!(world.machine.out_of_turn(), Some(T));
    let tested = OutOfTurn { fingerprint: JOB.fingerprint, time: T };
    assert_eq!(world.machine.to_store(world.now, false), Some(Kept { out_of_turn: Some(tested), ..kept }));
    world.machine.tested([9; 8], T + 10);
    assert_eq!(world.machine.out_of_turn(), None);
    world.machine.tested(JOB.fingerprint, T);
    world.settle();
    // It is there in its turn by now.
    assert_eq!((world.machine.cursor(), world.machine.out_of_turn()), (T, None));
    world.machine.tested(JOB.fingerprint, T);
    assert_eq!(world.machine.out_of_turn(), None);
}

#[test]
fn start_values_are_never_the_same() {
    let mut machine = Machine::new(None, [3; SEED]);
    let values: BTreeSet<[u8; BLOCK]> = (0..1000).map(|_| machine.start_value()).collect();
    assert_eq!(values.len(), 1000);
}
