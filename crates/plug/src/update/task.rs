//! The task that owns the slots: tells the world what runs, has a new image prove itself, takes new ones.

use core::future::pending;

use super::probation::{Look, Network, Probation, Verdict};
use super::record::{self, Reached, Record, Standing, Why};
use super::writer::{self, Standard};
use super::{Fault, Image, trial};
use crate::apart::apart;
use crate::limits;
use crate::platform::{Clock, ImageState, UpdateSlots};
use crate::state::{Restarting, State};

/// Runs for ever. Dropping the future leaves a new image on trial; an upload that is under way is broken off.
pub async fn run<S: UpdateSlots, C: Clock>(
    slots: &mut S,
    clock: &C,
    state: &State,
    measures: bool,
    standard: Standard<'_>,
) -> ! {
    let plug = Around { clock, state };
    let slot = slots.running();
    let Ok(record) = Record::read(slots).await else {
        plug.say("the record of the firmware slots cannot be read");
        pending().await
    };
    let standing = record.standing(slot);
    plug.tell(slot, standing);
    if let Standing::OnTrial { before, crashes } = standing {
        // The other image is the way back.
        state.update.close(Fault::OnProbation, slots.capacity());
        apart(|| plug.prove(slots, before, crashes, measures)).await;
        state.image.set(Some(Image { slot, state: ImageState::Confirmed }));
    }
    writer::serve(slots, clock, state, standard).await
}

/// What the task looks at.
struct Around<'a, C> {
    clock: &'a C,
    state: &'a State,
}

impl<C: Clock> Around<'_, C> {
    fn say(&self, text: &str) {
        let uptime = self.clock.now().since_start().as_secs_f64();
        self.state.put_log(self.clock.time_of_day(), uptime, text);
    }

    /// Says what runs, and why, if that is news.
    fn tell(&self, slot: u8, standing: Standing) {
        self.state.image.set(Some(Image { slot, state: standing.state() }));
        if let Standing::Returned(why) = standing {
            self.state.firmware.borrow_mut().went_back = Some(why);
        }
        self.say_standing(standing);
    }

    fn say_standing(&self, standing: Standing) {
        match standing {
            Standing::OnTrial { crashes: 0, .. } => self.say("this firmware is new and has to prove itself"),
            Standing::OnTrial { .. } => {
                self.say("this firmware is new and crashed before: after the third time it goes")
            }
            Standing::Returned(why) => self.say(why.words()),
            Standing::Unrecorded | Standing::Confirmed => {}
        }
    }

    /// Returns when the image is confirmed; has the plug restart into the other one if it will not be.
    async fn prove<S: UpdateSlots>(&self, slots: &mut S, before: Reached, _crashes: u8, measures: bool) {
        let mut probation = Probation::new(measures);
        let mut first = None;
        loop {
            let verdict = probation.look(self.clock.now(), &self.look(before, &mut first));
            self.state.firmware.borrow_mut().probation = Some(probation.status());
            match verdict {
                Verdict::Wait => {}
                Verdict::Confirm => break,
                Verdict::GoBack => self.go_back(slots).await,
            }
            self.clock.sleep_until(self.clock.now().after(limits::PROBATION_INTERVAL)).await;
        }
        let mut told = false;
        while record::mark_confirmed(slots).await.is_err() {
            if !told {
                self.say(
                    "the new firmware works but cannot be confirmed: the flash does not take the record",
                );
                told = true;
            }
            self.clock.sleep_until(self.clock.now().after(limits::PROBATION)).await;
        }
        self.state.firmware.borrow_mut().probation = None;
        self.say("the new firmware has proved itself and is confirmed");
    }

    /// How the plug is now; `first` keeps the first window's sequence.
    fn look(&self, before: Reached, first: &mut Option<u64>) -> Look {
        let newest = self.state.reading.borrow().as_ref().map(|reading| reading.sequence);
        let windows = newest.map_or(0, |newest| {
            let first = *first.get_or_insert(newest);
            newest.saturating_sub(first).saturating_add(1)
        });
        let stores = self.state.stores.get();
        Look {
            windows,
            stores_open: stores.settings && stores.journal,
            network: Network::of(before, self.state.wifi.borrow().as_ref()),
        }
    }

    /// Restarts into the other image; returns if the flash does not take that.
    async fn go_back<S: UpdateSlots>(&self, slots: &mut S) {
        if trial::go_back(slots, Why::NotConfirmed).await {
            self.state.firmware.borrow_mut().other_is_next = true;
            self.say("the new firmware has not proved itself: back to the one before");
            self.state.restart.signal(Restarting::OtherImage);
            pending::<()>().await;
        }
        self.say("the flash does not take that the firmware before is to run again");
        self.clock.sleep_until(self.clock.now().after(limits::PROBATION)).await;
    }
}
