//! What holds whatever happens: an owner, phones, routers and a radio that do anything at any time.

use proptest::prelude::*;

use super::*;

/// What happens.
#[derive(Clone, Copy, Debug)]
enum Happening {
    /// These networks are there from now on (a bit for each of four), with the right password or without.
    Air(u8, u8),
    /// The joined network goes away.
    Lost,
    /// Somebody on the access point uses the page.
    Used,
    /// Everybody leaves the access point.
    NobodyThere,
    Asked,
    /// These networks are known from now on; the policy, the password of the access point.
    Plan(u8, u8, bool),
    Try(u8),
    TakenBack,
    Confirmed,
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        (0..16_u8, 0..16_u8).prop_map(|(there, right)| Happening::Air(there, right)),
        Just(Happening::Lost),
        Just(Happening::Used),
        Just(Happening::Used),
        Just(Happening::NobodyThere),
        Just(Happening::Asked),
        (0..16_u8, 0..4_u8, any::<bool>())
            .prop_map(|(known, policy, anew)| Happening::Plan(known, policy, anew)),
        (0..4_u8).prop_map(Happening::Try),
        Just(Happening::TakenBack),
        Just(Happening::Confirmed),
    ]
}

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

fn named(index: usize) -> Known {
    let hidden = index == 3;
    let credentials = Credentials {
        ssid: NAMES[index].try_into().unwrap(),
        password: Some("eight888".try_into().unwrap()),
    };
    Known { credentials, hidden, address: None }
}

fn plan_of(known: u8, policy: u8, anew: bool) -> Box<Plan> {
    let policies = [Policy::Fallback, Policy::Button, Policy::Never, Policy::Setup];
    let mut plan = super::plan(None, policies[usize::from(policy)]);
    plan.known = (0..4).filter(|index| known & 1 << index != 0).map(named).collect();
    if anew {
        plan.own.password = Some("another password".try_into().unwrap());
    }
    plan
}

struct World {
    station: Station,
    now: u64,
    actions: Actions,
    chance: u8,
    there: u8,
    right: u8,
    in_use_until: Option<u64>,
    plan: Box<Plan>,
    /// What the next rounds do somebody asked for.
    excused: bool,
    /// Since when no network is joined, while no test is active and the policy and the networks are as they are.
    alone_since: Option<u64>,
    /// The access point closes because of its new name, whoever uses it.
    anew: bool,
    steps: u32,
}

impl World {
    fn handle(&mut self, event: Event<'_>) {
        self.steps += 1;
        self.chance = self.chance.wrapping_mul(37).wrapping_add(11);
        self.station.set_in_use(self.in_use_until.map(at));
        let was_testing = self.station.is_testing();
        self.actions = self.station.handle(at(self.now), self.chance, event);
        if was_testing && !self.station.is_testing() {
            self.excused = true;
        }
        match self.station.link() {
            LinkState::Joined | LinkState::Waiting | LinkState::NoNetworkKnown => self.excused = false,
            LinkState::Joining => {}
        }
        let alone = self.station.link() != LinkState::Joined && !self.station.is_testing();
        self.alone_since = alone.then(|| self.alone_since.unwrap_or(self.now));
        self.check();
    }

    fn is_in_use(&self) -> bool {
        self.station.access_point_open() && self.in_use_until.is_some_and(|until| self.now < until)
    }

    fn check(&self) {
        // Nothing changes what the owner said.
        assert_eq!(*self.station.plan(), *self.plan);
        // A test does not outlive its time.
        if let Some(report) = self.station.report().filter(|report| report.state == TrialState::Succeeded) {
            assert!(self.station.is_testing() && at(self.now) <= report.confirm_by.unwrap());
        }
        // Nobody is left alone: five minutes after a loss, a round before it and one after it, the access point is open.
        if self.plan.policy == Policy::Fallback
            && let Some(since) = self.alone_since
        {
            let late = self.now.saturating_sub(since) > 300 + 2 * 60;
            assert!(!late || self.station.access_point_open(), "alone since {since} at {}", self.now);
        }
        match self.actions.access_point {
            Some(false) if !self.anew && matches!(self.plan.policy, Policy::Fallback | Policy::Button) => {
                assert!(!self.is_in_use(), "closed on somebody");
                assert!(!self.station.is_testing(), "closed during a test");
            }
            Some(true) => assert!(self.plan.policy != Policy::Never, "opened without a password"),
            _ => {}
        }
    }

    /// Does what the machine wants until it waits.
    fn settle(&mut self) {
        loop {
            match (self.actions.access_point, self.actions.errand) {
                (Some(open), _) => {
                    self.anew &= open;
                    self.handle(Event::AccessPoint(open, Ok(())));
                }
                (None, Some(Errand::Leave)) => self.handle(Event::Left),
                (None, Some(errand)) => self.errand(errand),
                (None, None) => return,
            }
        }
    }

    fn errand(&mut self, errand: Errand) {
        assert!(
            !self.is_in_use() || self.excused || self.station.is_testing(),
            "{errand:?} at {} while somebody uses the page",
            self.now
        );
        if errand == Errand::Scan {
            self.now += 3;
            if self.chance.is_multiple_of(16) && self.station.access_point_open() {
                // Somebody begins just now.
                self.in_use_until = Some(self.now + limits::PAGE_IN_USE.as_secs());
            }
            let there = (0..3).filter(|index| self.there & 1 << index != 0);
            let found: Vec<_> = there
                .map(|index| Network { ssid: named(index).credentials.ssid, ..network(Security::Wpa2) })
                .collect();
            return self.handle(Event::Scanned(Ok(&found)));
        }
        let known = self.station.network().unwrap().clone();
        // What is joined is what the owner knows or tests.
        assert!(self.station.is_testing() || self.plan.known.contains(&known));
        let index = NAMES.iter().position(|name| known.credentials.ssid == *name).unwrap();
        self.now += 2;
        let result = match (self.there >> index & 1, self.right >> index & 1) {
            (0, _) => Err(LinkError::NotFound),
            (_, 0) => Err(LinkError::WrongPassword),
            _ => Ok(ADDRESS),
        };
        self.handle(Event::Joined(result));
    }

    /// Lets time pass, with everything that falls due.
    fn pass(&mut self, end: u64) {
        let budget = self.steps + 2000;
        while let Some(due) = self.station.poll_at().map(|due| due.since_start().as_secs_f64().ceil() as u64)
        {
            assert!(self.steps < budget, "it does not come to rest at {}", self.now);
            if due > end {
                break;
            }
            self.now = due.max(self.now);
            self.handle(Event::Tick);
            self.settle();
        }
        self.now = self.now.max(end);
        self.handle(Event::Tick);
        self.settle();
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Air(there, right) => (self.there, self.right) = (there, right),
            Happening::Lost if self.station.address().is_some() => self.handle(Event::Lost(LinkError::Lost)),
            Happening::Lost => {}
            Happening::Used => self.in_use_until = Some(self.now + limits::PAGE_IN_USE.as_secs()),
            Happening::NobodyThere => self.in_use_until = None,
            Happening::Asked => self.handle(Event::Asked),
            Happening::Plan(known, policy, anew) => self.planned(plan_of(known, policy, anew), None),
            Happening::Try(index) => {
                self.excused = true;
                self.handle(Event::Try(Box::new(named(index.into()))));
            }
            Happening::TakenBack => self.handle(Event::TakenBack),
            Happening::Confirmed => {
                let report = self.station.report().filter(|report| report.state == TrialState::Succeeded);
                let Some(ssid) = report.map(|report| report.ssid.clone()) else { return };
                let mut plan = self.plan.clone();
                plan.known.retain(|known| known.credentials.ssid != ssid);
                plan.known.insert(0, named(NAMES.iter().position(|name| ssid == *name).unwrap()));
                let network = plan.known[0].clone();
                self.planned(plan, Some(Box::new(network)));
                assert_eq!((self.station.link(), self.station.ssid()), (LinkState::Joined, ssid.as_str()));
            }
        }
        self.settle();
    }

    fn planned(&mut self, plan: Box<Plan>, confirmed: Option<Box<Known>>) {
        self.anew = plan.own != self.plan.own;
        self.excused |= plan.known != self.plan.known;
        // Whoever changes what the access point is for begins anew.
        self.alone_since = None;
        self.plan.clone_from(&plan);
        self.handle(match confirmed {
            Some(network) => Event::Confirmed(network, plan),
            None => Event::Planned(plan),
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens(
        known in 0..16_u8,
        policy in 0..4_u8,
        there in 0..16_u8,
        happenings in proptest::collection::vec((0..400_u64, happening()), 1..60),
    ) {
        let plan = plan_of(known, policy, false);
        let mut world = World {
            station: Station::new(plan.clone()),
            now: 0,
            actions: Actions::default(),
            chance: known,
            there,
            right: 15,
            in_use_until: None,
            plan,
            excused: false,
            alone_since: None,
            anew: false,
            steps: 0,
        };
        world.handle(Event::Start);
        world.settle();
        for (pause, happening) in happenings {
            world.pass(world.now + pause);
            world.happen(happening);
        }
        // In the end everybody has left and all is well: what is known is joined, and there is peace.
        world.in_use_until = None;
        (world.there, world.right) = (15, 15);
        world.pass(world.now + 5000);
        if !world.plan.known.is_empty() {
            prop_assert_eq!(world.station.link(), LinkState::Joined);
            prop_assert!(!world.station.access_point_open());
        }
        prop_assert!(!world.station.is_testing());
    }
}
