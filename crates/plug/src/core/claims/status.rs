//! `GET /api/v1/relay`: the claims and who decides, as a snapshot.

use heapless::Vec;
use serde::Serialize;

use super::types::{Cause, Class, DelayReason, Source};
use super::{Claims, View};
use crate::core::guard::Alarm;
use crate::core::schedule::ScheduleStatus;
use crate::platform::Instant;
use crate::settings::schema::ManualUntil;

/// What ends a claim by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// The next edge of the schedule.
    Schedule,
    /// Its time (`for_s`, inching).
    Time,
    /// Nothing but a release or a newer one.
    Released,
}

/// One claim that stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClaimStatus {
    /// How much it has to say.
    pub class: Class,
    /// Who filed it.
    pub source: Source,
    /// What it wants.
    pub on: bool,
    /// Why, in words.
    pub cause: Cause,
    /// Filed when, Unix seconds; null before the clock is trusted.
    pub since: Option<f64>,
    /// Filed when, seconds after start.
    pub since_uptime_s: f64,
    /// Seconds until its time is over; null without one.
    pub ends_in_s: Option<f64>,
    /// What ends it; null for a claim that is not by hand.
    pub until: Option<Until>,
    /// Whether it decides; the others wait.
    pub holds: bool,
}

/// The newest trip, from the guard.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TripSeen {
    /// Counts trips over the plug's life.
    pub number: u32,
    /// Which protection tripped.
    pub kind: &'static str,
    /// Why, in words.
    pub cause: Cause,
    /// When, Unix seconds; null before the clock is trusted.
    pub time: Option<f64>,
    /// When, seconds after start.
    pub uptime_s: f64,
}

/// `GET /api/v1/relay`. The fields from `trip` on are the core's to fill in.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RelayStatus {
    /// Whether the relay is commanded closed.
    pub on: bool,
    /// Whether the contact was seen closed; null where the hardware cannot tell.
    pub measured: Option<bool>,
    /// Who caused the newest change.
    pub commanded_by: Source,
    /// Why it is as it is, in words: the cause of that change.
    pub reason: Cause,
    /// Since when, Unix seconds; null before the clock is trusted.
    pub since: Option<f64>,
    /// Since when, seconds after start.
    pub since_uptime_s: f64,
    /// Seconds until the time of the claim that decides is over; null without one.
    pub remaining_s: Option<f64>,
    /// Whether protection holds it open until somebody re-arms, or until it tries again.
    pub locked_out: bool,
    /// Changes of the state since start.
    pub switch_count: u32,
    /// Everything that anybody wants, highest class first: the first one decides.
    pub claims: Vec<ClaimStatus, 5>,
    /// Seconds until it goes on: the claim that decides wants so and must wait. Null if it need not, and before the
    /// start, when nobody can say.
    pub delayed_s: Option<f64>,
    /// What it waits for.
    pub delay_reason: Option<DelayReason>,
    /// The newest trip.
    pub trip: Option<TripSeen>,
    /// Seconds until protection tries again; null if it does not.
    pub retry_in_s: Option<f64>,
    /// How often it may still try.
    pub retries_left: u8,
    /// What a person should look at.
    pub alarm: Option<Alarm>,
    /// What the schedule does.
    pub schedule: ScheduleStatus,
}

impl Claims {
    /// How it is told to the world; `measured` is what the hardware says of the contact.
    #[must_use]
    pub fn status(&self, now: Instant, measured: Option<bool>) -> RelayStatus {
        let holder = self.holder();
        let delay = self.waits();
        let claims = self.standing().map(|view| self.claim_status(now, &view, view.number == holder.number));
        RelayStatus {
            on: self.on,
            measured,
            commanded_by: self.decision.source,
            reason: self.decision.cause.clone(),
            since: self.decision.since.time,
            since_uptime_s: self.decision.since.instant.since_start().as_secs_f64(),
            remaining_s: holder.ends_at.map(|end| end.since(now).as_secs_f64()),
            locked_out: self.protection.is_some(),
            switch_count: self.switch_count,
            claims: claims.collect(),
            delayed_s: delay.and_then(|delay| delay.until).map(|until| until.since(now).as_secs_f64()),
            delay_reason: delay.map(|delay| delay.reason),
            trip: None,
            retry_in_s: None,
            retries_left: 0,
            alarm: None,
            schedule: ScheduleStatus::OFF,
        }
    }

    fn claim_status(&self, now: Instant, view: &View<'_>, holds: bool) -> ClaimStatus {
        let until = match (view.class, view.ends_at, self.settings.manual_until) {
            (Class::Manual | Class::Timer, None, ManualUntil::Schedule) => Some(Until::Schedule),
            (Class::Manual | Class::Timer, None, ManualUntil::Released) => Some(Until::Released),
            (Class::Manual | Class::Timer, Some(_), _) => Some(Until::Time),
            (Class::PowerOn | Class::Schedule | Class::Protection, ..) => None,
        };
        ClaimStatus {
            class: view.class,
            source: view.source,
            on: view.on,
            cause: super::words::text(format_args!("{}", view.words)),
            since: view.since.time,
            since_uptime_s: view.since.instant.since_start().as_secs_f64(),
            ends_in_s: view.ends_at.map(|end| end.since(now).as_secs_f64()),
            until,
            holds,
        }
    }
}
