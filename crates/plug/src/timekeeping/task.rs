//! The tasks around the machines: one makes what is believed the plug's time and tells of it, one asks time servers.

use alloc::boxed::Box;
use core::fmt::{self, Write};

use embassy_sync::blocking_mutex::raw::RawMutex;
use heapless::String;

use super::asker::{Asker, Outcome};
use super::chance::{Chance, SEED};
use super::ntp::{self, NtpError};
use super::servers::{Server, servers};
use super::{AskError, Asked, Doubt, Offset, Quality, Source, Verdict};
use crate::apart::apart;
use crate::ledger::{Outside, Purpose};
use crate::limits;
use crate::net::LinkState;
use crate::number::Places;
use crate::platform::{Clock, Outbound};
use crate::settings::schema::TimeSource;
use crate::state::State;

/// A clock that moves by less is not worth a line.
const WORTH_A_LINE_S: f64 = 2.0;
/// Longer than any answer that is taken, so that a longer one is seen as such.
const ANSWER: usize = ntp::PACKET + 16;

/// Makes what is believed the plug's time, and tells the log what a person should know of it. Runs for ever.
pub async fn publish<C: Clock, M: RawMutex>(clock: &C, state: &State, offset: &Offset<M>) -> ! {
    let keeper = &state.timekeeping.keeper;
    if clock.time_of_day().is_some() {
        keeper.borrow_mut().platform_knows();
    }
    let (mut doubted, mut unsteady) = (false, false);
    loop {
        state.timekeeping.changed.wait().await;
        let (believed, quality, doubt, was_unsteady) = {
            let (keeper, now) = (keeper.borrow(), clock.now());
            let unsteady = core::mem::replace(&mut unsteady, keeper.is_unsteady());
            (keeper.offset_s(), keeper.quality(now), keeper.doubt_now(now), unsteady)
        };
        let before = offset.get();
        offset.set(believed);
        if let (Some(after), Some(quality)) = (believed, quality) {
            tell_of_change(clock, state, before, after, &quality);
        }
        if let Some(doubt) = doubt.filter(|_| !doubted) {
            tell_of_doubt(clock, state, &doubt);
        }
        if unsteady && !was_unsteady {
            log(
                clock,
                state,
                format_args!("the clock is not put back twice in ten minutes: two clocks differ"),
            );
        }
        doubted = doubt.is_some();
        // Whoever shows the time looks again.
        state.touch();
    }
}

fn tell_of_change<C: Clock>(clock: &C, state: &State, before: Option<f64>, after: f64, quality: &Quality) {
    let source = quality.source.word();
    let Some(before) = before else {
        let uncertainty = Places(quality.uncertainty_s, 2);
        return log(clock, state, format_args!("the time is known, from {source}, to {uncertainty} s"));
    };
    let by_s = after - before;
    if by_s.abs() >= WORTH_A_LINE_S {
        let (way, by_s) = (if by_s > 0.0 { "forward" } else { "back" }, Places(by_s.abs(), 0));
        log(clock, state, format_args!("the clock was set {way} by {by_s} s, as {source} says"));
    }
}

fn tell_of_doubt<C: Clock>(clock: &C, state: &State, doubt: &Doubt) {
    let by_s = Places(doubt.by_s, 0);
    let what = if doubt.first { "the time is so far from the log's" } else { "the clock is off by so much" };
    log(clock, state, format_args!("somebody says that {what}: {by_s} s; two more have to agree"));
}

fn log<C: Clock>(clock: &C, state: &State, arguments: fmt::Arguments<'_>) {
    let mut text: String<96> = String::new();
    // What does not fit is cut: the beginning says what it is about.
    let _ = text.write_fmt(arguments);
    state.put_log(clock.time_of_day(), clock.now().since_start().as_secs_f64(), &text);
}

/// Who is to be asked.
#[derive(PartialEq, Eq)]
struct Plan {
    source: TimeSource,
    /// As the settings have them, or the network's own.
    servers: Box<str>,
}

impl Plan {
    fn of(state: &State) -> Self {
        let settings = state.settings.borrow();
        let source = settings.time.source;
        let servers = match source {
            _ if state.timekeeping.keeper.borrow().is_of_platform() => Box::default(),
            TimeSource::Ntp => settings.time.ntp_servers.clone(),
            TimeSource::Dhcp => named_by_the_network(state),
            TimeSource::None | TimeSource::Browser | TimeSource::Server => Box::default(),
        };
        Self { source, servers }
    }

    fn answers_as(&self) -> Source {
        if self.source == TimeSource::Dhcp { Source::Dhcp } else { Source::Ntp }
    }
}

/// The address that DHCP named, as text; empty if there is none.
fn named_by_the_network(state: &State) -> Box<str> {
    let mut text: String<15> = String::new();
    if let Some(server) = state.time_server() {
        // It fits: 255.255.255.255.
        let _ = write!(text, "{server}");
    }
    text.as_str().into()
}

/// Asks time servers where the settings say so. Runs for ever.
pub async fn ask<N: Outbound, C: Clock, T: Clock>(
    outside: &Outside<'_, N, C, T>,
    clock: &C,
    state: &State,
    seed: [u8; SEED],
) -> ! {
    let mut chance = Chance::new(seed);
    let mut asker = Asker::new();
    let mut plan = Plan { source: TimeSource::None, servers: Box::default() };
    let mut joined = false;
    loop {
        let wanted = Plan::of(state);
        if wanted != plan {
            if wanted.source != plan.source {
                state.timekeeping.keeper.borrow_mut().source_changed();
            }
            plan = wanted;
            asker.set(clock.now(), servers(&plan.servers).count(), chance.part());
            state.timekeeping.asked.replace(None);
        }
        let was_joined = core::mem::replace(&mut joined, is_joined(state));
        if joined && !was_joined {
            asker.hurry(clock.now(), chance.part());
        }
        let due = asker.poll_at().filter(|_| joined);
        state.timekeeping.next_question.set(due);
        let now = clock.now();
        let index = due.filter(|due| *due <= now).and_then(|_| asker.whom(now));
        match index.and_then(|index| servers(&plan.servers).nth(index).map(|server| (index, server))) {
            Some((index, server)) => {
                let cookie = chance.number();
                let result = apart(|| question(outside, clock, state, &plan, server, cookie)).await;
                let doubted = state.time_is_doubted(clock.now());
                asker.handle(clock.now(), index, outcome(result, doubted), chance.part());
                tell(clock, state, server, result);
            }
            None => {
                let look = now.after(limits::TIME_LOOK);
                let until = due.filter(|due| *due > now).map_or(look, |due| due.min(look));
                clock.sleep_until(until).await;
            }
        }
    }
}

/// Whether there is a network to ask over: where there is no radio, the shell has it.
fn is_joined(state: &State) -> bool {
    state.wifi.borrow().as_ref().is_none_or(|wifi| wifi.link == LinkState::Joined)
}

/// Asks one server once.
async fn question<N: Outbound, C: Clock, T: Clock>(
    outside: &Outside<'_, N, C, T>,
    clock: &C,
    state: &State,
    plan: &Plan,
    server: Server<'_>,
    cookie: u64,
) -> Result<Verdict, AskError> {
    let mut answer = [0; ANSWER];
    let request = ntp::request(cookie);
    let answered = outside.udp(Purpose::TimeServer, server.host, server.port, &request, &mut answer).await?;
    let at = clock.now();
    let reply = ntp::read(answer.get(..answered.length).unwrap_or(&[]), cookie)?;
    Ok(state.offer_time(reply.answer(plan.answers_as(), answered.took, at)?))
}

/// `doubted`: some answers want a step.
const fn outcome(result: Result<Verdict, AskError>, doubted: bool) -> Outcome {
    match result {
        Ok(Verdict::First | Verdict::Doubted { .. }) => Outcome::Unsure,
        Ok(verdict) if verdict.agrees() && doubted => Outcome::Unsure,
        Ok(verdict) if verdict.agrees() => Outcome::Agrees,
        Err(AskError::Ntp(NtpError::KissRate)) => Outcome::Slower,
        Err(AskError::Ntp(NtpError::KissDenied)) => Outcome::Denied,
        Ok(_) | Err(_) => Outcome::Failed,
    }
}

/// Keeps what became of a question, and tells the log of a trouble that is new.
fn tell<C: Clock>(clock: &C, state: &State, server: Server<'_>, result: Result<Verdict, AskError>) {
    let error = match result {
        Ok(Verdict::Implausible) => Some(AskError::Implausible),
        Ok(_) => None,
        Err(error) => Some(error),
    };
    let before =
        state.timekeeping.asked.replace(Some(Asked { server: server.host.into(), error, at: clock.now() }));
    if let Some(error) = error
        && before.and_then(|before| before.error) != Some(error)
    {
        log(clock, state, format_args!("time server {}: {error}", server.host));
    }
}
