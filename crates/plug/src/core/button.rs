//! The button: what a press means is how long it lasts, and the light says so before it is too late.
//!
//! ```text
//!           held at the start                 released
//! Unseen ----------------------> Ignored ------------------> Up <---------------------------+
//!    |                              ^                         |  ^                          |
//!    |  not held                    | 10 s: VeryLong, at once  |  | released:                |
//!    +---------------> Up           +------------------------ Down   under 1 s  Short        |
//!                                                   (pressed)  |     3 s and on Long --------+
//!                                                              +---- between    nothing
//! ```
//!
//! Only how it is held while the plug runs counts: power that comes and goes, however often, is never a press. A level
//! holds for [`DEBOUNCE`] before it is believed, and counts from when it came.

use core::time::Duration;

use crate::platform::Instant;

/// How long a contact may bounce, with a margin: switches of this kind settle within 10 ms.
pub const DEBOUNCE: Duration = Duration::from_millis(30);
/// Let go before this, it was a short press.
pub const SHORT: Duration = Duration::from_secs(1);
/// Let go after this, it was a long one. What lies between is neither: a hand that hesitates shall do nothing.
pub const LONG: Duration = Duration::from_secs(3);
/// From here on the light warns that the reset comes nearer.
pub const WARNING: Duration = Duration::from_secs(5);
/// Held for so long, the plug is reset to factory without waiting for the release.
pub const VERY_LONG: Duration = Duration::from_secs(10);

/// What a person meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ButtonEvent {
    /// Toggle the relay; after a trip, re-arm it.
    Short,
    /// Open the access point.
    Long,
    /// Reset to factory.
    VeryLong,
}

/// How far a press has come: what the light shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ButtonHeld {
    /// Not pressed, or not long enough to mean more than a short press.
    #[default]
    No,
    /// [`LONG`] is over: letting go now opens the access point.
    AccessPoint,
    /// [`WARNING`] is over: the reset comes; letting go now opens the access point and resets nothing.
    Countdown,
    /// [`VERY_LONG`] is over: it is done, the button may be let go.
    Reset,
}

/// One struct a state would hold no more than these do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nobody looked yet.
    Unseen,
    /// Not pressed.
    Up,
    /// Pressed; `held` is what was last told of it.
    Down { since: Instant, held: ButtonHeld },
    /// Pressed, and means nothing any more until it is let go.
    Ignored { held: ButtonHeld },
}

/// The button's machine.
#[derive(Clone, Copy, Debug)]
pub struct ButtonMachine {
    state: State,
    /// The level as it was last seen, and since when.
    level: bool,
    level_since: Instant,
}

impl ButtonMachine {
    /// Before anybody looked at the button.
    #[must_use]
    pub const fn new() -> Self {
        let never = Instant::from_start(Duration::ZERO);
        Self { state: State::Unseen, level: false, level_since: never }
    }

    /// Takes how the button is *now*. To be called when it changes and at [`ButtonMachine::poll_at`]; later is no
    /// harm: a reset is never told of a button that is not held at that very moment.
    #[must_use]
    pub fn handle(&mut self, now: Instant, pressed: bool) -> Option<ButtonEvent> {
        if self.state == State::Unseen {
            self.begin(now, pressed);
            return None;
        }
        if pressed != self.level {
            (self.level, self.level_since) = (pressed, now);
        }
        let settled = now.since(self.level_since) >= DEBOUNCE;
        match self.state {
            State::Up if self.level && settled => {
                self.press();
                None
            }
            State::Down { since, .. } if !self.level => settled.then(|| self.release(since)).flatten(),
            State::Down { since, .. } => self.hold(since, now),
            State::Ignored { .. } if !self.level && settled => {
                self.state = State::Up;
                None
            }
            State::Unseen | State::Up | State::Ignored { .. } => None,
        }
    }

    /// When [`ButtonMachine::handle`] is due at the latest; `None`: not until the button changes.
    #[must_use]
    pub fn poll_at(&self) -> Option<Instant> {
        let bouncing = (self.level != self.is_down()).then(|| self.level_since.after(DEBOUNCE));
        match self.state {
            State::Down { since, held } if self.level => Some(since.after(match held {
                ButtonHeld::No => LONG,
                ButtonHeld::AccessPoint => WARNING,
                ButtonHeld::Countdown | ButtonHeld::Reset => VERY_LONG,
            })),
            _ => bouncing,
        }
    }

    /// How far the press has come, for the light.
    #[must_use]
    pub fn held(&self) -> ButtonHeld {
        match self.state {
            State::Down { held, .. } | State::Ignored { held } => held,
            State::Unseen | State::Up => ButtonHeld::No,
        }
    }

    /// Whether it counts as pressed.
    fn is_down(&self) -> bool {
        matches!(self.state, State::Down { .. } | State::Ignored { .. })
    }

    /// The first look: what is held already was not pressed while the plug ran.
    fn begin(&mut self, now: Instant, pressed: bool) {
        (self.level, self.level_since) = (pressed, now);
        self.state = if pressed { State::Ignored { held: ButtonHeld::No } } else { State::Up };
    }

    fn press(&mut self) {
        self.state = State::Down { since: self.level_since, held: ButtonHeld::No };
    }

    fn hold(&mut self, since: Instant, now: Instant) -> Option<ButtonEvent> {
        let held = stage(now.since(since));
        if held == ButtonHeld::Reset {
            self.state = State::Ignored { held };
            return Some(ButtonEvent::VeryLong);
        }
        self.state = State::Down { since, held };
        None
    }

    /// It ended when the level came, not when it settled. Let go after [`VERY_LONG`] and nobody had looked in time:
    /// who let go did not see the reset, so there is none.
    fn release(&mut self, since: Instant) -> Option<ButtonEvent> {
        self.state = State::Up;
        match self.level_since.since(since) {
            lasted if lasted < SHORT => Some(ButtonEvent::Short),
            lasted if lasted < LONG => None,
            _ => Some(ButtonEvent::Long),
        }
    }
}

impl Default for ButtonMachine {
    fn default() -> Self {
        Self::new()
    }
}

/// What a press of this length has come to.
fn stage(lasted: Duration) -> ButtonHeld {
    match lasted {
        _ if lasted >= VERY_LONG => ButtonHeld::Reset,
        _ if lasted >= WARNING => ButtonHeld::Countdown,
        _ if lasted >= LONG => ButtonHeld::AccessPoint,
        _ => ButtonHeld::No,
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    fn at(milliseconds: u64) -> Instant {
        Instant::from_start(Duration::from_millis(milliseconds))
    }

    /// Runs a button that changes at these milliseconds, from `pressed` on; the machine is looked at with each change
    /// and when it asks for it. Gives what it told, with when.
    fn run(mut pressed: bool, changes: &[u64], until: u64) -> Vec<(u64, ButtonEvent)> {
        let mut machine = ButtonMachine::new();
        let mut told = Vec::new();
        let mut changes = changes.iter().copied().peekable();
        let mut now = 0;
        loop {
            if let Some(event) = machine.handle(at(now), pressed) {
                told.push((now, event));
            }
            let due = machine.poll_at().map(|due| due.since_start().as_millis() as u64);
            assert!(due.is_none_or(|due| due > now), "{due:?} at {now}: {machine:?}");
            match (changes.peek().copied(), due) {
                (Some(change), due) if due.is_none_or(|due| change <= due) => {
                    (now, pressed) = (change, !pressed);
                    changes.next();
                }
                (_, Some(due)) => now = due,
                (_, None) => return told,
            }
            if now > until {
                return told;
            }
        }
    }

    #[test]
    fn the_length_of_a_press_says_what_it_means() {
        use ButtonEvent::{Long, Short, VeryLong};
        let cases = [
            (29, None),
            (31, Some((1061, Short))),
            (999, Some((2029, Short))),
            (1000, None),
            (2999, None),
            (3000, Some((4030, Long))),
            (9999, Some((11_029, Long))),
            (10_000, Some((11_030, Long))),
            (10_001, Some((11_000, VeryLong))),
            (60_000, Some((11_000, VeryLong))),
        ];
        for (lasts, expected) in cases {
            let told = run(false, &[1000, 1000 + lasts], 100_000);
            assert_eq!(told, expected.into_iter().collect::<Vec<_>>(), "{lasts} ms");
        }
        // Each press is one of its own.
        let told = run(false, &[100, 200, 1000, 6000, 7000, 20_000, 30_000, 30_100], 40_000);
        assert_eq!(told, [(230, Short), (6030, Long), (17_000, VeryLong), (30_130, Short)]);
    }

    #[test]
    fn bouncing_is_one_press_and_a_spike_is_none() {
        let bouncing = [1000, 1003, 1009, 1010, 1020, 1300, 1302, 1310, 1311, 1325];
        // It closed for good at 1020 and opened for good at 1325.
        let (press, release) = bouncing.split_at(5);
        let changes: Vec<u64> = press.iter().chain(release).copied().collect();
        assert_eq!(run(false, &changes, 5000), [(1355, ButtonEvent::Short)]);
        assert_eq!(run(false, &[1000, 1010, 1020, 1029], 5000), []);
        // A spike while it is held does not end the press, nor the count of its seconds.
        assert_eq!(run(false, &[1000, 5000, 5020, 7000], 20_000), [(7030, ButtonEvent::Long)]);
        assert_eq!(run(false, &[1000, 10_990, 11_005], 20_000), [(11_005, ButtonEvent::VeryLong)]);
    }

    #[test]
    fn what_is_held_at_the_start_means_nothing_until_it_is_let_go() {
        assert_eq!(run(true, &[], 100_000), []);
        assert_eq!(run(true, &[50_000], 100_000), []);
        assert_eq!(run(true, &[500], 100_000), []);
        assert_eq!(run(true, &[500, 2000, 2100], 100_000), [(2130, ButtonEvent::Short)]);
        // Power that comes and goes is no press, however it meets the button.
        let mut told = 0;
        for cycle in 0..1000 {
            let mut machine = ButtonMachine::new();
            for look in 0..cycle % 40 {
                told += usize::from(machine.handle(at(look * 10), true).is_some());
            }
        }
        assert_eq!(told, 0);
    }

    #[test]
    fn the_light_follows_the_press() {
        let mut machine = ButtonMachine::new();
        let mut shown = Vec::new();
        let mut look = |machine: &mut ButtonMachine, now: u64, pressed: bool| {
            let event = machine.handle(at(now), pressed);
            if shown.last().is_none_or(|(_, held)| *held != machine.held()) {
                shown.push((now, machine.held()));
            }
            event
        };
        for now in (0..20_000).step_by(10) {
            let event = look(&mut machine, now, (1000..15_000).contains(&now));
            assert_eq!(event.is_some(), now == 11_000);
        }
        use ButtonHeld::{AccessPoint, Countdown, No, Reset};
        assert_eq!(shown, [(0, No), (4000, AccessPoint), (6000, Countdown), (11_000, Reset), (15_030, No)]);
    }

    /// The rest of the plug stood still (an erase, a page): nobody looked from 9.5 s to 10.5 s, and meanwhile it was
    /// let go.
    #[test]
    fn a_late_look_never_resets_a_button_that_was_let_go() {
        let mut machine = ButtonMachine::new();
        assert_eq!(machine.handle(at(0), false), None);
        for now in [1000, 1030, 10_500] {
            assert_eq!(machine.handle(at(now), true), None);
        }
        assert_eq!(machine.handle(at(11_500), false), None);
        assert_eq!(machine.handle(at(11_530), false), Some(ButtonEvent::Long));
    }

    #[test]
    fn it_is_small() {
        assert!(size_of::<ButtonMachine>() <= 64);
    }
}
