//! The task around the machine: looks at settings, clock, network and log, does what the machine says, and tells how it
//! stands.

use alloc::boxed::Box;
use alloc::string::String;
use core::time::Duration;

use embassy_futures::select::{Either, select};
use embedded_storage_async::nor_flash::NorFlash;

use super::answer::Answer;
use super::batch::{Batch, Form};
use super::client::{Client, Posted};
use super::cursor::{CursorStore, fingerprint};
use super::machine::{Action, Job, Machine, Sent, Sight, no_later};
use super::resume::Standing;
use super::status::{NoTest, State as Uplinked, TestReport, Tested, Trouble};
use super::text::reference;
use crate::apart::apart;
use crate::history::Rows;
use crate::ledger::Outside;
use crate::limits;
use crate::net::LinkState;
use crate::platform::{Clock, Instant, Outbound};
use crate::settings::emoncms::{EmoncmsSettings, Transport};
use crate::settings::schema::TimeSource;
use crate::state::State;
use crate::timekeeping::SEED;

/// How often the queue is counted while nothing else happens: that reads the flash.
const COUNT: Duration = Duration::from_secs(5);

/// What the task lives on.
pub struct Way<'w, 'a, N, C, T, R> {
    /// The gate.
    pub outside: &'w Outside<'a, N, C, T>,
    /// The plug's time.
    pub clock: &'w C,
    /// The network's time.
    pub timer: &'w T,
    /// The log.
    pub rows: &'w R,
    /// What everybody knows.
    pub state: &'w State,
    /// The plug's identity: its end is the end of the node's name where the settings have none.
    pub id: &'w str,
}

/// Brings the log's rows to Emoncms. `say` is for the plug's log, `seed` is chance that nobody knows. Runs for ever;
/// dropping the future is a power cut.
pub async fn run<N, C, T, R, F>(
    way: Way<'_, '_, N, C, T, R>,
    mut store: CursorStore<F>,
    seed: [u8; SEED],
    say: impl Fn(&str),
) -> !
where
    N: Outbound,
    C: Clock,
    T: Clock,
    R: Rows,
    F: NorFlash,
{
    let kept = match apart(|| store.load()).await {
        Ok(kept) => kept,
        Err(_) => {
            say("how far Emoncms has everything was forgotten: the flash does not say");
            None
        }
    };
    let mut task = Task {
        client: Client {
            outside: way.outside,
            clock: way.clock,
            timer: way.timer,
            rows: way.rows,
            state: way.state,
        },
        id: way.id,
        machine: Machine::new(kept, seed),
        now: Now::of(way.state, way.id),
        counted: None,
        failing: false,
        parted: false,
        say,
    };
    task.machine.set_job(task.now.job());
    way.state.uplink.running.set(true);
    loop {
        task.turn(&mut store).await;
    }
}

/// The settings that count, as they are now.
#[derive(PartialEq)]
struct Now {
    emoncms: EmoncmsSettings,
    node: String,
    server_time: bool,
}

impl Now {
    fn of(state: &State, id: &str) -> Self {
        let settings = state.settings.borrow();
        let node = node_of(&settings.emoncms, id);
        let server_time = settings.time.source == TimeSource::Server;
        Self { emoncms: settings.emoncms.clone(), node, server_time }
    }

    /// Whether `state` says the same.
    fn holds(&self, state: &State) -> bool {
        let settings = state.settings.borrow();
        let server_time = settings.time.source == TimeSource::Server;
        settings.emoncms == self.emoncms && server_time == self.server_time
    }

    fn job(&self) -> Option<Job> {
        let emoncms = &self.emoncms;
        emoncms.enabled.then(|| Job {
            fingerprint: fingerprint(emoncms, &self.node),
            interval_s: emoncms.interval_s,
            send_every_s: emoncms.send_every_s,
            asks: emoncms.transport == Transport::Plain && reference(emoncms).is_some(),
            begin: emoncms.begin,
            server_time: self.server_time,
        })
    }

    fn form(&self) -> Form<'_> {
        Form { settings: &self.emoncms, node: &self.node }
    }
}

/// The node's name: that of the settings, or `ossp-` and the end of the plug's identity.
#[must_use]
pub fn node_of(settings: &EmoncmsSettings, id: &str) -> String {
    if !settings.node.is_empty() {
        return (*settings.node).into();
    }
    let skipped = id.chars().count().saturating_sub(4);
    "ossp-".chars().chain(id.chars().skip(skipped)).collect()
}

struct Task<'w, 'a, N, C, T, R, S> {
    client: Client<'w, 'a, N, C, T, R>,
    id: &'w str,
    machine: Machine,
    now: Now,
    /// When the queue was last counted, and for which cursor.
    counted: Option<(Instant, u32)>,
    /// What went wrong last is not over yet.
    failing: bool,
    /// A restart is near: nothing is begun any more.
    parted: bool,
    say: S,
}

impl<N, C, T, R, S> Task<'_, '_, N, C, T, R, S>
where
    N: Outbound,
    C: Clock,
    T: Clock,
    R: Rows,
    S: Fn(&str),
{
    /// Looks, acts and tells, once.
    async fn turn<F: NorFlash>(&mut self, store: &mut CursorStore<F>) {
        let state = self.client.state;
        if !self.now.holds(state) {
            self.now = Now::of(state, self.id);
            self.machine.set_job(self.now.job());
            state.uplink.status.borrow_mut().last_error = None;
            self.counted = None;
        }
        if state.uplink.parting.replace(false) {
            self.parted = true;
            self.keep(store, true).await;
            state.uplink.parted.signal(());
        }
        if state.uplink.test_wanted.replace(false) {
            let tested = apart(|| self.test()).await;
            state.uplink.tested.signal(tested);
        }
        let sight = self.look().await;
        let action = match self.machine.act(self.client.timer.now(), &sight) {
            _ if self.parted => Action::Sleep,
            action => action,
        };
        // Also where nothing is sent for a week: what makes room in the meantime is to be counted.
        self.client.rows.wanted_after(self.machine.wanted_after());
        self.tell(&sight).await;
        self.keep(store, false).await;
        self.act(action).await;
    }

    async fn look(&self) -> Sight {
        let Client { clock, rows, state, .. } = &self.client;
        let online = state.wifi.borrow().as_ref().is_none_or(|wifi| wifi.link == LinkState::Joined);
        // A log that does not answer has nothing to send; whoever reads it next says so.
        let newest = if self.now.emoncms.enabled { rows.newest().await.ok().flatten() } else { None };
        Sight { unix: trusted(*clock, state), newest, online }
    }

    async fn act(&mut self, action: Action) {
        let (state, clock, timer) = (self.client.state, self.client.clock, self.client.timer);
        let wake = &state.uplink.wake;
        match action {
            // What is still to be kept is kept, even where nothing is sent any more.
            Action::Sleep if self.machine.is_unsaved() && !self.parted => {
                let soon = timer.now().after(limits::UPLINK_CURSOR_HURRY);
                select(timer.sleep_until(soon), wake.wait()).await;
            }
            Action::Sleep => wake.wait().await,
            Action::Wait(pause) => {
                select(clock.sleep_until(clock.now().after(pause)), wake.wait()).await;
            }
            Action::Rest(until) => {
                select(timer.sleep_until(until), wake.wait()).await;
            }
            Action::AskTime => self.ask_time().await,
            Action::Ask { limit } => self.ask(limit).await,
            Action::Send(batch) => self.send(batch).await,
        }
    }

    async fn ask_time(&mut self) {
        let told = {
            let request = apart(|| self.client.ask_time(self.now.form()));
            unless_interrupted(request, self.client.state, &self.now).await
        };
        let Some(told) = told else { return };
        let now = self.client.timer.now();
        match told {
            Ok(true) => self.machine.time_asked(now, true),
            Ok(false) => {
                self.machine.time_asked(now, false);
                // Whom nobody believes yet is not at fault.
                if !self.client.state.time_is_doubted(self.client.clock.now()) {
                    self.note(Answer::Unexpected, String::new());
                }
            }
            Err(answer) => {
                self.machine.time_asked(now, false);
                self.note(answer, String::new());
            }
        }
    }

    async fn ask(&mut self, limit: Option<u32>) {
        let outcome = {
            let (cursor, out_of_turn) = (self.machine.cursor(), self.machine.out_of_turn());
            let request = apart(|| self.client.ask(self.now.form(), cursor, limit, out_of_turn));
            unless_interrupted(request, self.client.state, &self.now).await
        };
        let Some(outcome) = outcome else { return };
        self.machine.asked(self.client.timer.now(), outcome);
        match outcome {
            Ok(Standing::Back(_)) => (self.say)("Emoncms lost rows that it had: they are sent again"),
            Ok(Standing::Conflict(_)) => (self.say)("Emoncms has rows on this node that are not this plug's"),
            Ok(Standing::From(_) | Standing::Unknown) => {}
            Err(answer) if self.machine.next_attempt().is_some() => self.note(answer, String::new()),
            Err(_) => {}
        }
    }

    async fn send(&mut self, batch: Batch) {
        let posted = {
            let start = self.machine.start_value();
            let request = apart(|| self.client.post(self.now.form(), batch, &start, None));
            unless_interrupted(request, self.client.state, &self.now).await
        };
        match posted {
            Some(Posted::Nothing(end)) => self.machine.nothing_to_send(end),
            Some(Posted::Sent(sent, said)) => self.sent(&sent, said),
            None => self.machine.interrupted(&batch),
        }
    }

    fn sent(&mut self, sent: &Sent, said: String) {
        let before = self.machine.set_aside().0;
        self.machine.sent(self.client.timer.now(), sent);
        let state = self.client.state;
        if sent.answer == Answer::Accepted {
            let mut status = state.uplink.status.borrow_mut();
            let now = self.client.clock.time_of_day();
            status.last_success = now;
            // What has no time, or one that the clock was put back from, could not be told from something that goes on.
            if status.last_error.as_ref().is_some_and(|error| error.time.is_none() || error.time > now) {
                status.last_error = None;
            }
            self.failing = false;
        } else if self.machine.set_aside().0 > before {
            (self.say)("Emoncms refused a row: it was set aside");
            state.uplink.status.borrow_mut().set_aside_because = said;
        } else {
            self.note(sent.answer, said);
        }
    }

    /// Remembers what went wrong; what is new is worth a line in the log.
    fn note(&mut self, answer: Answer, server_said: String) {
        let mut status = self.client.state.uplink.status.borrow_mut();
        let last = status.last_error.as_ref().is_some_and(|error| error.answer == answer);
        let failed = core::mem::replace(&mut self.failing, true);
        let known = last && failed;
        let time = self.client.clock.time_of_day();
        status.last_error = Some(Trouble { time, answer, server_said });
        drop(status);
        if !known && self.machine.next_attempt().is_some() {
            let mut line = String::from("Emoncms: ");
            line.push_str(answer.message());
            (self.say)(&line);
        }
    }

    /// Keeps the cursor, if it is time.
    async fn keep<F: NorFlash>(&mut self, store: &mut CursorStore<F>, hurry: bool) {
        let now = self.client.timer.now();
        let Some(kept) = self.machine.to_store(now, hurry) else { return };
        let taken = apart(|| store.save(&kept)).await.is_ok();
        self.machine.stored(now, kept, taken);
    }

    /// Tells how it stands.
    async fn tell(&mut self, sight: &Sight) {
        let cursor = self.machine.cursor();
        let now = self.client.timer.now();
        let doing = self.machine.state();
        let newest = sight.newest.filter(|newest| *newest > cursor && doing != Uplinked::UpToDate);
        let fresh = |(at, of): (Instant, u32)| of == cursor && now.since(at) < COUNT;
        if newest.is_none() || !self.counted.is_some_and(fresh) {
            let (queued, oldest) = match newest {
                Some(newest) => self.queue(cursor, newest).await,
                None => (0, None),
            };
            self.counted = Some((now, cursor));
            let mut status = self.client.state.uplink.status.borrow_mut();
            (status.queued, status.oldest_queued, status.newest_queued) = (queued, oldest, newest);
        }
        let (set_aside, last_set_aside) = self.machine.set_aside();
        let mut status = self.client.state.uplink.status.borrow_mut();
        status.state = doing;
        status.dropped = self.client.rows.dropped();
        (status.set_aside, status.last_set_aside) = (set_aside, last_set_aside);
        status.rate_rows_per_s = self.machine.rate();
        status.next_attempt = self.machine.next_attempt();
        status.cursor = (cursor > 0).then_some(cursor);
        status.conflict = self.machine.conflict();
        status.sent_rows = self.machine.sent_rows();
    }

    /// About how many rows are to be sent, and the oldest of them.
    async fn queue(&self, cursor: u32, newest: u32) -> (u32, Option<u32>) {
        let rows = self.client.rows;
        let count = rows.count(cursor, newest).await.unwrap_or(0);
        let slots = (newest - cursor) / u32::from(self.now.emoncms.interval_s.max(1));
        let oldest = rows.oldest().await.ok().flatten();
        let next = cursor.saturating_add(self.now.emoncms.interval_s.into()).min(newest);
        (count.min(slots.max(1)), Some(oldest.map_or(next, |oldest| oldest.max(next))))
    }

    /// One real request with the newest row.
    async fn test(&mut self) -> Tested {
        let Client { clock, rows, state, .. } = &self.client;
        if !self.now.emoncms.is_complete() {
            return Err(NoTest::NotConfigured);
        }
        if state.wifi.borrow().as_ref().is_some_and(|wifi| wifi.link != LinkState::Joined) {
            return Err(NoTest::NoNetwork);
        }
        if trusted(*clock, state).is_none() && self.now.server_time {
            // What it says shows in the answer to the test.
            let _ = self.client.ask_time(self.now.form()).await;
        }
        let unix = trusted(*clock, state).ok_or(NoTest::NoClock)?;
        let newest = rows.newest().await.ok().flatten().ok_or(NoTest::NoRow)?;
        let interval = u32::from(self.now.emoncms.interval_s.max(1));
        let until = no_later(newest, unix, interval) / interval * interval;
        let batch = Batch { after: until.saturating_sub(interval), until, most: 1 };
        let mut report: Box<TestReport> = Box::default();
        let start = self.machine.start_value();
        match self.client.post(self.now.form(), batch, &start, Some(&mut report)).await {
            Posted::Nothing(_) => return Err(NoTest::NoRow),
            Posted::Sent(Sent { answer: Answer::NoMemory, .. }, _) => return Err(NoTest::NoMemory),
            Posted::Sent(sent, _) if sent.answer == Answer::Accepted => {
                self.machine.tested(fingerprint(&self.now.emoncms, &self.now.node), sent.end);
            }
            Posted::Sent(..) => {}
        }
        Ok(report)
    }
}

/// The time of day, unless two clocks differ: what was sent with a wrong time cannot be taken back.
pub(super) fn trusted<C: Clock>(clock: &C, state: &State) -> Option<f64> {
    clock.time_of_day().filter(|_| !state.time_is_doubted(clock.now()))
}

/// Waits for `work`; `None` if it was broken off, since there is something that cannot wait.
async fn unless_interrupted<O>(work: impl Future<Output = O>, state: &State, now: &Now) -> Option<O> {
    let uplink = &state.uplink;
    let interrupted = async {
        while !uplink.test_wanted.get() && !uplink.parting.get() && now.holds(state) {
            uplink.wake.wait().await;
        }
    };
    match select(work, interrupted).await {
        Either::First(done) => Some(done),
        Either::Second(()) => None,
    }
}
