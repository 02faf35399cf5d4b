//! What the claims machine never does, whatever comes in which order.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

mod claims_support;

use std::time::Duration;

use claims_support::{at, cause, hand, reading, seconds, wants, with};
use plug::core::claims::{Actions, ClaimStatus, Claims, Class, Memory, Refusal, RelayStatus, Source, Wish};
use plug::platform::Instant;
use plug::settings::schema::{ManualUntil, PowerOn, RelaySettings};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Event {
    Command { wish: Wish, for_s: Option<u64> },
    Protect(Option<u8>),
    Rearmed,
    Retry,
    Schedule { on: Option<bool>, edge: bool },
    Reading(f64),
    Settings(RelaySettings),
    Nothing,
}

fn settings() -> impl Strategy<Value = RelaySettings> {
    let power_on = prop_oneof![Just(PowerOn::Off), Just(PowerOn::On), Just(PowerOn::Last)];
    let until = prop_oneof![Just(ManualUntil::Schedule), Just(ManualUntil::Released)];
    let often = prop_oneof![Just(0_u8), 1..6_u8, Just(255_u8)];
    let times = (0..30_u64, 0..30_u64, prop_oneof![Just(0_u64), 1..60_u64], 0..30_u64);
    let inching = proptest::option::weighted(0.2, 1..20_u64);
    (power_on, until, often, times, inching, any::<bool>()).prop_map(
        |(power_on, manual_until, switchings_a_minute, times, inching, idle)| RelaySettings {
            power_on,
            manual_until,
            switchings_a_minute,
            minimum_on: seconds(times.0),
            minimum_off: seconds(times.1),
            start_delay: seconds(times.2),
            start_delay_random: seconds(times.3),
            inching: inching.map(seconds),
            idle_off_below_w: idle.then_some(5.0),
            idle_off_after: seconds(10),
            ..RelaySettings::default()
        },
    )
}

fn event() -> impl Strategy<Value = Event> {
    let wish = prop_oneof![
        3 => any::<bool>().prop_map(Wish::Set),
        2 => Just(Wish::Toggle),
        1 => Just(Wish::Release),
        1 => Just(Wish::Rearm),
    ];
    let for_s = proptest::option::weighted(0.3, 0..40_u64);
    let power = prop_oneof![3 => Just(1.0), 1 => Just(50.0)];
    prop_oneof![
        6 => (wish, for_s).prop_map(|(wish, for_s)| Event::Command { wish, for_s }),
        1 => proptest::option::of(0..2_u8).prop_map(Event::Protect),
        1 => Just(Event::Rearmed),
        1 => Just(Event::Retry),
        3 => (proptest::option::weighted(0.8, any::<bool>()), any::<bool>())
            .prop_map(|(on, edge)| Event::Schedule { on, edge }),
        4 => power.prop_map(Event::Reading),
        1 => settings().prop_map(Event::Settings),
        2 => Just(Event::Nothing),
    ]
}

fn memory() -> impl Strategy<Value = Memory> {
    let locked_out = proptest::option::weighted(0.2, Just(cause("over-current")));
    (proptest::option::of(any::<bool>()), locked_out, proptest::bool::weighted(0.2), 0..5_u8).prop_map(
        |(on, locked_out, planned_restart_kept_on, bad_starts_in_a_row)| Memory {
            on,
            locked_out,
            planned_restart_kept_on,
            bad_starts_in_a_row,
        },
    )
}

/// Steps of up to some seconds: often within a delay, sometimes beyond all.
fn step() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), 1..3000_u64, 3000..70_000_u64]
}

/// The machine, and what a strict onlooker remembers of it.
struct Watched {
    claims: Claims,
    settings: RelaySettings,
    now_ms: u64,
    started_ms: Option<u64>,
    start_over_ms: u64,
    last_on_ms: Option<u64>,
    last_off_ms: Option<u64>,
    switched_ms: Vec<u64>,
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap()
}

impl Watched {
    fn new(settings: &RelaySettings) -> Self {
        Self {
            claims: with(settings),
            settings: settings.clone(),
            now_ms: 0,
            started_ms: None,
            start_over_ms: 0,
            last_on_ms: None,
            last_off_ms: None,
            switched_ms: Vec::new(),
        }
    }

    fn status(&self) -> RelayStatus {
        self.claims.status(at(self.now_ms).instant, None)
    }

    fn holder(&self) -> ClaimStatus {
        self.status().claims[0].clone()
    }

    fn start(&mut self, memory: &Memory, random: f64) {
        let before = self.status();
        let actions = self.claims.start(at(self.now_ms), memory, random);
        assert_eq!(actions.relay, Some(self.claims.is_on()), "the pin is driven in any case");
        self.started_ms = Some(self.now_ms);
        let kept = before.on != self.claims.is_on() && self.status().switch_count == 0;
        assert!(!kept || memory.planned_restart_kept_on, "only a pin that was held has no switching");
        let delay = self.settings.start_delay + self.settings.start_delay_random.mul_f64(random);
        // A street does not restart as planned. It may be off all the same: by hand, since somebody was quick.
        let well = memory.locked_out.is_none() && memory.bad_starts_in_a_row < 3;
        let planned = memory.planned_restart_kept_on && well && memory.on != Some(false);
        self.start_over_ms = if planned { self.now_ms } else { self.now_ms + ms(delay) };
        self.last_off_ms = (!kept).then_some(self.now_ms);
        if kept {
            assert!(!self.status().locked_out);
        } else {
            self.switched(&before);
        }
        self.consistent();
    }

    fn tick(&mut self) {
        let before = self.status();
        let actions = self.claims.tick(at(self.now_ms));
        self.check(&before, &actions);
        let due = self.claims.poll_at();
        assert!(due.is_none_or(|due| due > at(self.now_ms).instant), "{due:?} at {} ms", self.now_ms);
    }

    fn take(&mut self, event: &Event) {
        let now = at(self.now_ms);
        let before = self.status();
        let claims = &mut self.claims;
        let actions = match event {
            Event::Command { wish, for_s } => {
                let result = hand(claims, now, *wish, *for_s);
                return self.check_command(&before, *wish, result);
            }
            Event::Protect(which) => {
                claims.protect(now, which.map(|which| cause(["trip", "fault"][usize::from(which)])))
            }
            Event::Rearmed => claims.rearmed(now, Source::Button),
            Event::Retry => claims.retry(now),
            Event::Schedule { on, edge } => claims.schedule(now, on.and_then(|on| wants(on, *edge))),
            Event::Reading(power) => claims.note(now, &reading(*power)),
            Event::Settings(settings) => {
                self.settings = settings.clone();
                claims.set_settings(now, settings)
            }
            Event::Nothing => Actions::default(),
        };
        self.check(&before, &actions);
        let after = self.status();
        match event {
            Event::Protect(Some(_)) => assert!(!after.on && after.locked_out, "a trip is never delayed"),
            Event::Protect(None) | Event::Retry => assert!(!after.locked_out),
            Event::Rearmed => assert!(!after.locked_out && (!before.locked_out || !after.on)),
            Event::Schedule { edge: false, .. } if before.claims[0].class > Class::Schedule => {
                assert_eq!(after.claims[0], before.claims[0], "a lower class never beats a higher one");
            }
            Event::Reading(_) if actions.relay.is_some() => {
                let change = actions.change.as_ref().unwrap();
                assert_eq!((change.source, change.on, after.claims[0].on), (Source::Idle, false, false));
            }
            Event::Reading(_) => assert_eq!(after, before),
            _ => {}
        }
    }

    fn check_command(&mut self, before: &RelayStatus, wish: Wish, result: Result<Actions, Refusal>) {
        let wished = match wish {
            Wish::Set(on) => Some(on),
            Wish::Toggle => Some(!before.on),
            _ => None,
        };
        match result {
            Err(refusal) => {
                assert_eq!(wished, Some(true), "nothing but an on is refused");
                assert_eq!(refusal == Refusal::LockedOut, before.locked_out);
                if let Refusal::TooSoon { wait, .. } = refusal {
                    assert!(!before.on && wait > Duration::ZERO);
                }
                assert_eq!(self.status(), *before, "nothing has changed");
                self.consistent();
            }
            Ok(actions) => {
                self.check(before, &actions);
                if let Some(on) = wished {
                    assert_eq!(self.claims.is_on(), on, "at once");
                    assert_eq!(actions.change.as_ref().map(|change| change.source), Some(Source::Web));
                }
            }
        }
    }

    /// What holds for every call: actions, log and status say the same.
    fn check(&mut self, before: &RelayStatus, actions: &Actions) {
        let after = self.status();
        assert_eq!(actions.relay, (after.on != before.on).then_some(after.on));
        match &actions.change {
            None => {
                let story = |status: &RelayStatus| (status.on, status.commanded_by, status.reason.clone());
                assert_eq!(story(&after), story(before), "nothing changes without a reason");
                assert_eq!(after.claims[0].class, before.claims[0].class);
            }
            Some(change) => {
                assert_eq!((change.on, change.class), (after.on, after.claims[0].class));
                assert_eq!(change.locked_out, after.locked_out);
                assert!(!change.cause.is_empty());
            }
        }
        self.switched(before);
        self.consistent();
    }

    /// Nothing goes on sooner or more often than it may.
    fn switched(&mut self, before: &RelayStatus) {
        let (on, now) = (self.claims.is_on(), self.now_ms);
        if on == before.on {
            return;
        }
        self.switched_ms.push(now);
        if !on {
            self.last_off_ms = Some(now);
            return;
        }
        assert!(self.started_ms.is_some(), "on before the start");
        let waited = |since: Option<u64>, time| since.is_none_or(|since| now - since >= ms(time));
        assert!(waited(self.last_on_ms, self.settings.minimum_on), "minimum on time");
        assert!(waited(self.last_off_ms, self.settings.minimum_off), "minimum off time");
        let limit = usize::from(self.settings.switchings_a_minute).min(60);
        let in_a_minute = self.switched_ms.iter().filter(|at_ms| now - **at_ms < 60_000).count();
        assert!(limit == 0 || in_a_minute <= limit, "{in_a_minute} switchings in a minute");
        assert!(self.holder().class == Class::Manual || now >= self.start_over_ms, "start delay");
        self.last_on_ms = Some(now);
    }

    fn consistent(&self) {
        let status = self.status();
        let holder = &status.claims[0];
        assert_eq!(status.on, self.claims.is_on());
        assert!(status.claims.is_sorted_by(|higher, lower| higher.class > lower.class));
        assert_eq!(status.claims.last().unwrap().class, Class::PowerOn);
        assert_eq!(status.claims.iter().filter(|claim| claim.holds).count(), 1, "exactly one owner");
        assert!(holder.holds, "the highest");
        assert_eq!(status.locked_out, holder.class == Class::Protection);
        assert!(!(status.locked_out && status.on), "never on while locked out");
        assert!(holder.on || !status.on, "never on against the one that decides");
        let waits = holder.on && !status.on;
        assert_eq!(status.delay_reason.is_some(), waits);
        assert_eq!(status.delayed_s.is_some(), waits && self.started_ms.is_some());
        if let (Some(delayed_s), Some(due)) = (status.delayed_s, self.claims.poll_at()) {
            let end = Instant::from_start(
                at(self.now_ms).instant.since_start() + Duration::from_secs_f64(delayed_s),
            );
            assert!(due <= end.after(Duration::from_micros(1)), "somebody must wake it");
        }
    }

    /// Left alone, nothing waits for ever.
    fn comes_to_rest(&mut self) {
        for _ in 0..10 {
            let Some(due) = self.claims.poll_at() else { break };
            self.now_ms = self.now_ms.max(ms(due.since_start()));
            self.tick();
        }
        assert_eq!(self.claims.poll_at(), None);
        assert_eq!(self.claims.is_on(), self.holder().on);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn in_any_order(
        set in settings(),
        early in proptest::collection::vec(event(), 0..3),
        memory in memory(),
        random_pct in 0..=100_u32,
        events in proptest::collection::vec((step(), event()), 0..80),
    ) {
        let mut watched = Watched::new(&set);
        for event in &early {
            watched.take(event);
            watched.tick();
        }
        watched.start(&memory, f64::from(random_pct) / 100.0);
        for (step_ms, event) in &events {
            watched.now_ms += step_ms;
            watched.tick();
            watched.take(event);
        }
        watched.comes_to_rest();
    }

    #[test]
    fn whoever_asks_by_hand_without_a_limit_gets_it_at_once(
        wishes in proptest::collection::vec((0..2000_u64, any::<bool>(), proptest::option::of(0..5_u64)), 1..50),
    ) {
        let settings = RelaySettings { switchings_a_minute: 0, ..RelaySettings::default() };
        let mut watched = Watched::new(&settings);
        watched.start(&Memory::default(), 0.0);
        for (step_ms, on, for_s) in wishes {
            watched.now_ms += step_ms;
            watched.tick();
            let before = watched.status();
            let result = hand(&mut watched.claims, at(watched.now_ms), Wish::Set(on), for_s);
            prop_assert!(result.is_ok());
            watched.check_command(&before, Wish::Set(on), result);
        }
        watched.comes_to_rest();
    }
}
