//! The task that owns the slots: tells the world what runs, has a new image prove itself, takes new ones.

use alloc::vec;
use core::future::pending;

use embassy_futures::join::join;
use embassy_sync::blocking_mutex::raw::RawMutex;

use super::beside;
use super::desk::{Last, Outcome};
use super::image::{AppImage, IMAGE_HEAD, Walk};
use super::probation::{Look, Network, Probation, Verdict, Windows};
use super::record::{self, Reached, Record, Standing, Why};
use super::turns::Turns;
use super::version::VERSION_MOST;
use super::writer::{self, Standard};
use super::{Fault, Image, Other, OtherState, trial};
use crate::apart::apart;
use crate::limits;
use crate::platform::{Clock, UpdateSlots};
use crate::state::{Restarting, State};
use crate::web::Plug;

/// What a version is kept in.
type Version = heapless::String<VERSION_MOST>;

/// What the plug's start says of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Found {
    /// Windows are to be expected.
    pub measures: bool,
    /// A factory reset has just made it forget its networks.
    pub was_reset: bool,
}

/// Runs for ever. Dropping the future leaves a new image on trial; an upload that is under way is broken off.
pub async fn run<S: UpdateSlots, C: Clock, N, M: RawMutex>(
    slots: &mut S,
    web: &Plug<'_, C, N, M>,
    found: Found,
) -> ! {
    let Plug { clock, state, identity, .. } = *web;
    let standard = Standard::of(identity, web.defaults.update_key);
    let plug = Around { clock, state, slot: slots.running(), version: &identity.version };
    let Ok(record) = Record::read(slots).await else {
        plug.say("the record of the firmware slots cannot be read");
        pending().await
    };
    let standing = record.standing(plug.slot);
    apart(|| plug.tell(slots, standing)).await;
    let slots_hold = slots.capacity();
    let turns = Turns::new(slots);
    let (mut hashed, mut written) = (&turns, &turns);
    let hashing = apart(|| plug.hash(&mut hashed));
    let taking = async {
        if let Standing::OnTrial { before, asked_back, .. } = standing {
            // The other image is the way back.
            state.update.close(Fault::OnProbation, slots_hold);
            apart(|| plug.prove(&mut written, before, found)).await;
            plug.confirmed(asked_back);
        }
        writer::serve(&mut written, clock, state, standard).await
    };
    join(hashing, taking).await.1
}

/// What the task looks at.
struct Around<'a, C> {
    clock: &'a C,
    state: &'a State,
    /// The slot that runs, and its image's version.
    slot: u8,
    version: &'a str,
}

impl<C: Clock> Around<'_, C> {
    fn say(&self, text: &str) {
        let uptime = self.clock.now().since_start().as_secs_f64();
        self.state.put_log(self.clock.time_of_day(), uptime, text);
    }

    fn set_state(&self, standing: Standing) {
        self.state.image.set(Some(Image { slot: self.slot, state: standing.state() }));
        self.state.touch();
    }

    /// Says which images there are, and what became of the last update.
    async fn tell<S: UpdateSlots>(&self, slots: &mut S, standing: Standing) {
        let other = other(slots).await;
        let (outcome, version, state) = match standing {
            Standing::Unrecorded => (None, None, OtherState::Former),
            Standing::OnTrial { asked_back: true, .. } => {
                (Some(Outcome::WentBack(Why::Asked)), other.clone(), OtherState::WentBack)
            }
            Standing::OnTrial { .. } => (Some(Outcome::Activated), None, OtherState::Former),
            Standing::Confirmed => (Some(Outcome::Confirmed), None, OtherState::Former),
            Standing::Returned(why) => (Some(Outcome::WentBack(why)), other.clone(), OtherState::WentBack),
        };
        let own = Version::try_from(self.version).unwrap_or_default();
        if let Some(outcome) = outcome {
            let version = version.unwrap_or_else(|| own.clone());
            let time = beside::when(slots).await.ok().flatten();
            self.state.update.set_last(Last { outcome, version, time, uptime_s: None });
        }
        {
            let mut firmware = self.state.firmware.borrow_mut();
            firmware.version = own;
            firmware.other = other.map(|version| Other { version, state });
        }
        self.set_state(standing);
        match standing {
            Standing::OnTrial { crashes: 0, asked_back: true, .. } => {
                self.say("somebody asked to go back to this firmware, which has to prove itself again");
            }
            Standing::OnTrial { crashes: 0, .. } => self.say("this firmware is new and has to prove itself"),
            Standing::OnTrial { .. } => {
                self.say(
                    "this firmware is on trial and has crashed: after the third time the other one runs",
                );
            }
            Standing::Returned(why) => self.say(why.sentence()),
            Standing::Unrecorded | Standing::Confirmed => {}
        }
    }

    /// Computes the running image's SHA-256 in small pieces.
    async fn hash<S: UpdateSlots>(&self, slots: &mut S) {
        let mut piece = vec![0; limits::IMAGE_PIECE];
        let mut walk = Walk::new(slots.capacity());
        for at in (0..slots.capacity()).step_by(limits::IMAGE_PIECE) {
            // No image, or one that cannot be read, has no hash.
            if slots.read_running(at, &mut piece).await.is_err() || walk.feed(&piece).is_err() {
                return;
            }
            if let Some(whole) = walk.whole() {
                self.state.firmware.borrow_mut().image_sha256 = Some(whole.sha256);
                self.state.touch();
                return;
            }
            self.clock.sleep_until(self.clock.now().after(limits::IMAGE_PAUSE)).await;
        }
    }

    /// Returns when the image is confirmed; has the plug restart into the other one if it will not be.
    async fn prove<S: UpdateSlots>(&self, slots: &mut S, mut before: Reached, found: Found) {
        let mut marked = beside::stretches(slots).await.unwrap_or(0);
        // The first one is that of the restart that it began with.
        let used = limits::PROBATION_STRETCH * marked.saturating_sub(1);
        let mut probation = Probation::new(found.measures, used);
        let mut windows = Windows::default();
        let mut networks = Networks { known: false, forgotten: found.was_reset };
        loop {
            networks.look(self.state);
            if networks.forgotten && before == Reached::Network {
                before = Reached::AccessPoint;
                // If the flash does not take it, that holds until the next start at least.
                let _ = record::mark_forgotten(slots).await;
            }
            let verdict = probation.look(self.clock.now(), &self.look(before, &mut windows));
            let gone = probation.used().as_secs() / limits::PROBATION_STRETCH.as_secs();
            // One that the flash does not take is not counted after a restart, and that is all.
            while u64::from(marked) < (1 + gone).min(limits::PROBATION_STRETCHES.into()) {
                let _ = beside::mark_stretch(slots, marked).await;
                marked += 1;
            }
            self.state.firmware.borrow_mut().probation = Some(probation.status());
            match verdict {
                _ if self.state.update.take_back() => self.go_back(slots, Why::Asked).await,
                Verdict::Wait => {}
                Verdict::Confirm => break,
                Verdict::GoBack => self.go_back(slots, Why::NotConfirmed).await,
            }
            self.clock.sleep_until(self.clock.now().after(limits::PROBATION_INTERVAL)).await;
        }
        let mut told = false;
        while record::mark_confirmed(slots, self.clock.time_of_day()).await.is_err() {
            if !told {
                self.say(
                    "the new firmware works but cannot be confirmed: the flash does not take the record",
                );
                told = true;
            }
            self.rest().await;
            if self.state.update.take_back() {
                self.go_back(slots, Why::Asked).await;
            }
        }
        // Somebody may have asked while that was written, and was told that it will be done.
        while self.state.update.take_back() {
            self.go_back(slots, Why::Asked).await;
        }
    }

    /// It is confirmed. That somebody went back to it stays what is told of the last update.
    fn confirmed(&self, asked_back: bool) {
        self.state.firmware.borrow_mut().probation = None;
        self.set_state(Standing::Confirmed);
        if asked_back {
            return self.say("the firmware before has proved itself again");
        }
        let version = Version::try_from(self.version).unwrap_or_default();
        let (time, uptime_s) = (self.clock.time_of_day(), Some(self.clock.now().since_start().as_secs_f64()));
        self.state.update.set_last(Last { outcome: Outcome::Confirmed, version, time, uptime_s });
        self.say("the new firmware has proved itself and is confirmed");
    }

    /// How the plug is now.
    fn look(&self, before: Reached, windows: &mut Windows) -> Look {
        let windows = windows.count(self.state.reading.borrow().as_ref());
        let stores = self.state.stores.get();
        Look {
            windows,
            stores_open: stores.settings && stores.journal,
            network: Network::of(before, self.state.wifi.borrow().as_ref()),
        }
    }

    /// Restarts into the other image; returns if the flash does not take that.
    async fn go_back<S: UpdateSlots>(&self, slots: &mut S, why: Why) {
        if trial::go_back(slots, why, self.clock.time_of_day()).await {
            self.say(match why {
                Why::Asked => "somebody asked to go back from the firmware on trial to the one before",
                _ => "the firmware on trial has not proved itself: back to the one before",
            });
            self.state.restart.signal(Restarting::OtherImage);
            pending::<()>().await;
        }
        self.say("the flash does not take that the firmware before is to run again");
        self.rest().await;
    }

    /// Lets the flash be for a while, or until somebody asks to go back.
    async fn rest(&self) {
        let until = self.clock.now().after(limits::PROBATION);
        while self.clock.now() < until && !self.state.update.is_asked_back() {
            self.clock.sleep_until(self.clock.now().after(limits::PROBATION_INTERVAL)).await;
        }
    }
}

/// What becomes of the networks that the plug knows while its image is on trial.
struct Networks {
    /// This image knew some.
    known: bool,
    /// It does not any more, by somebody's will: no image can join one then.
    forgotten: bool,
}

impl Networks {
    fn look(&mut self, state: &State) {
        let Some(knows) = state.wifi.borrow().as_ref().map(|wifi| !wifi.networks.is_empty()) else { return };
        self.forgotten |= self.known && !knows;
        self.known |= knows;
    }
}

/// The version of the image in the other slot; `None` if there is none.
async fn other<S: UpdateSlots>(slots: &mut S) -> Option<Version> {
    let mut head = [0; IMAGE_HEAD];
    slots.read(0, &mut head).await.ok()?;
    let image = AppImage::parse(&head).ok()??;
    Version::try_from(image.version.as_str()).ok()
}

#[cfg(test)]
mod tests {
    use core::cell::{Cell, RefCell};
    use core::time::Duration;

    use alloc::format;

    use futures_lite::future::{block_on, poll_once};

    use metering::calibration::Calibration;

    use super::*;
    use crate::core::{Core, Moment};
    use crate::net::{LinkState, WifiStatus};
    use crate::platform::Instant;
    use crate::settings::Hardware;
    use crate::state::Stores;

    /// Time goes to whatever is waited for; somebody asks to go back at `asks_at`, and from then on the flash works.
    struct Story<'a> {
        now: Cell<Instant>,
        asks_at: Instant,
        state: &'a State,
        works: &'a Cell<bool>,
        /// What becomes of the radio with the first wait.
        then: RefCell<Option<WifiStatus>>,
    }

    impl<'a> Story<'a> {
        fn new(state: &'a State, works: &'a Cell<bool>, asks_at: Instant) -> Self {
            Self { now: Cell::default(), asks_at, state, works, then: RefCell::new(None) }
        }
    }

    impl Clock for Story<'_> {
        fn now(&self) -> Instant {
            self.now.get()
        }

        async fn sleep_until(&self, moment: Instant) {
            if let Some(radio) = self.then.take() {
                self.state.wifi.replace(Some(radio));
            }
            if moment > self.asks_at.after(Duration::from_secs(60)) {
                pending::<()>().await;
            }
            if self.now.get() < self.asks_at && moment >= self.asks_at {
                self.state.update.ask_back();
                self.works.set(true);
            }
            self.now.set(moment);
        }

        fn time_of_day(&self) -> Option<f64> {
            None
        }
    }

    /// A record that nobody wrote; somebody asks to go back while the confirmation is written, if that is wanted.
    struct Slots<'a> {
        works: &'a Cell<bool>,
        record: [[u8; 256]; 2],
        asks: Option<&'a State>,
    }

    impl UpdateSlots for Slots<'_> {
        type Error = ();

        fn running(&self) -> u8 {
            1
        }

        fn capacity(&self) -> u32 {
            0
        }

        async fn erase(&mut self, _: u32, _: u32) -> Result<(), ()> {
            Err(())
        }

        async fn write(&mut self, _: u32, _: &[u8]) -> Result<(), ()> {
            Err(())
        }

        async fn read(&mut self, _: u32, _: &mut [u8]) -> Result<(), ()> {
            Err(())
        }

        async fn read_running(&mut self, _: u32, _: &mut [u8]) -> Result<(), ()> {
            Err(())
        }

        async fn read_record(&mut self, sector: u8, offset: u32, bytes: &mut [u8]) -> Result<(), ()> {
            let entry = self.record.get(usize::from(sector)).ok_or(())?;
            bytes.iter_mut().zip(entry.iter().skip(offset as usize)).for_each(|(to, from)| *to = *from);
            Ok(())
        }

        async fn erase_record(&mut self, sector: u8) -> Result<(), ()> {
            *self.record.get_mut(usize::from(sector)).ok_or(())? = [0xff; 256];
            Ok(())
        }

        async fn write_record(&mut self, sector: u8, offset: u32, bytes: &[u8]) -> Result<(), ()> {
            let entry = self.record.get_mut(usize::from(sector)).filter(|_| self.works.get()).ok_or(())?;
            entry.iter_mut().skip(offset as usize).zip(bytes).for_each(|(cell, byte)| *cell &= byte);
            if let Some(state) = self.asks.take() {
                state.update.ask_back();
            }
            Ok(())
        }
    }

    fn state() -> State {
        let relay = Core::new(Hardware::BARE).relay_status(Moment::default(), None);
        State::new(relay, Calibration::ideal(1.0, 0.0, 1.0, 0.0))
    }

    /// Slot 1 runs and is on trial.
    fn on_trial<'a>(works: &'a Cell<bool>, before: Reached, asked_back: bool) -> Slots<'a> {
        let mut slots = Slots { works, record: [[0xff; 256]; 2], asks: None };
        let trial = Standing::OnTrial { before, crashes: 0, asked_back };
        block_on(record::choose(&mut slots, 1, trial, None)).unwrap();
        slots
    }

    fn standing(slots: &Slots<'_>, slot: u8) -> Standing {
        Record(slots.record.map(|sector| record::Entry(*sector.first_chunk().unwrap()))).standing(slot)
    }

    /// Nobody asks.
    const NEVER: Instant = Instant::from_start(Duration::from_secs(1_000_000));

    #[test]
    fn whoever_asks_in_the_instant_of_the_confirmation_is_heard() {
        let (state, works) = (state(), Cell::new(true));
        state.stores.set(Stores { settings: true, journal: true });
        let clock = Story::new(&state, &works, NEVER);
        let mut slots = Slots { asks: Some(&state), ..on_trial(&works, Reached::Nothing, false) };
        let plug = Around { clock: &clock, state: &state, slot: 1, version: "0.2.0" };
        let proved = block_on(poll_once(plug.prove(&mut slots, Reached::Nothing, Found::default())));
        assert!(proved.is_none() && state.restart.signaled());
        assert_eq!(standing(&slots, 0), Standing::Returned(Why::Asked));
    }

    /// With a network that cannot be joined, or none.
    fn radio(knows: bool) -> WifiStatus {
        let networks = if knows { vec![(Default::default(), None)] } else { vec![] };
        WifiStatus { link: LinkState::Waiting, access_point_open: true, networks, ..WifiStatus::default() }
    }

    /// An owner who has the networks forgotten, or all, does not want the image thrown away for not joining any.
    #[test]
    fn a_network_that_was_forgotten_need_not_be_reached() {
        for (was_reset, knew, knows, good) in [
            (true, false, false, true),
            (false, true, false, true),
            // It never knew any: that may be the image's fault.
            (false, false, false, false),
            (false, true, true, false),
        ] {
            for asked_back in [false, true] {
                let context = format!("{was_reset} {knew} {knows} {asked_back}");
                let (state, works) = (state(), Cell::new(true));
                state.stores.set(Stores { settings: true, journal: true });
                state.wifi.replace(Some(radio(knew)));
                let clock = Story::new(&state, &works, NEVER);
                clock.then.replace(Some(radio(knows)));
                let mut slots = on_trial(&works, Reached::Network, asked_back);
                let plug = Around { clock: &clock, state: &state, slot: 1, version: "0.2.0" };
                let found = Found { measures: false, was_reset };
                let proved = block_on(poll_once(plug.prove(&mut slots, Reached::Network, found)));
                assert_eq!((proved.is_some(), state.restart.signaled()), (good, !good), "{context}");
                if good {
                    // A restart before the confirmation would have known it, and whether somebody went back to it.
                    slots.record[0][20..24].fill(0xff);
                    let expected = Standing::OnTrial { before: Reached::AccessPoint, crashes: 0, asked_back };
                    assert_eq!(standing(&slots, 1), expected, "{context}");
                } else {
                    assert_eq!(standing(&slots, 0), Standing::Returned(Why::NotConfirmed), "{context}");
                }
            }
        }
    }

    /// Whether it was confirmed in vain, or was to go back in vain: nobody waits until the next attempt.
    #[test]
    fn whoever_asks_to_go_back_is_heard_while_the_flash_does_not_take_the_record() {
        for (works_well, asks_at) in [(true, 30), (false, 630)] {
            let state = state();
            state.stores.set(Stores { settings: works_well, journal: works_well });
            let asks_at = Instant::from_start(Duration::from_secs(asks_at));
            let works = Cell::new(false);
            let clock = Story::new(&state, &works, asks_at);
            let mut slots = Slots { works: &works, record: [[0xff; 256]; 2], asks: None };
            let plug = Around { clock: &clock, state: &state, slot: 1, version: "0.2.0" };
            let proved = block_on(poll_once(plug.prove(&mut slots, Reached::Nothing, Found::default())));
            assert!(proved.is_none() && state.restart.signaled(), "{works_well}");
            assert!(clock.now() <= asks_at.after(limits::PROBATION_INTERVAL), "{works_well}");
            assert_eq!(standing(&slots, 0), Standing::Returned(Why::Asked), "{works_well}");
        }
    }
}
