//! A new image proves itself by what it does, never by time alone.
//!
//! It is confirmed once it has measured [`limits::PROBATION_WINDOWS`] windows, has opened what the flash keeps, and has
//! reached the network as the one before it had. What it does not reach within [`limits::PROBATION`] sends the plug
//! back; that time is counted over restarts, in stretches that the record keeps. A network that is off the air is no fault
//! of the image, and its time does not run then; but a radio that hears nobody at all may be deaf, which would be one.

use core::time::Duration;

use metering::reading::Reading;
use serde::Serialize;

use super::record::Reached;
use crate::limits;
use crate::net::{LinkState, WifiStatus};
use crate::platform::{Instant, LinkError};
use crate::state::State;

/// How it stands with the network that the image before had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// Joined.
    Joined,
    /// There was none to join: the access point is open, or is not to be before somebody asks, or there is no radio.
    AccessPoint,
    /// Not there yet.
    Waiting,
    /// It was looked for, others were heard, and nobody answers by its name.
    OffTheAir,
}

impl Network {
    /// Whether that is what was wanted.
    const fn is_reached(self) -> bool {
        matches!(self, Self::Joined | Self::AccessPoint)
    }

    /// How it stands, if it is to be as `before`.
    #[must_use]
    pub fn of(before: Reached, wifi: Option<&WifiStatus>) -> Self {
        match (before, wifi) {
            (_, Some(wifi)) if wifi.link == LinkState::Joined => Self::Joined,
            (Reached::Nothing, _) => Self::AccessPoint,
            (Reached::AccessPoint, Some(wifi)) if wifi.access_point_open || is_still(wifi) => {
                Self::AccessPoint
            }
            (Reached::Network, Some(wifi)) if wifi.last_error == Some(LinkError::NotFound) && wifi.hears => {
                Self::OffTheAir
            }
            _ => Self::Waiting,
        }
    }
}

/// Whether the radio does all that it has to without somebody who asks for the access point: it works, and there is no
/// network to join, or none was joined.
fn is_still(wifi: &WifiStatus) -> bool {
    let has_tried = matches!(wifi.link, LinkState::Waiting | LinkState::NoNetworkKnown);
    wifi.access_point_when_asked && has_tried && wifi.last_error != Some(LinkError::Radio)
}

impl Reached {
    /// What there is now. A restart forgets a network under test, and goes back to what was before it.
    #[must_use]
    pub fn of(state: &State) -> Self {
        let wifi = state.wifi.borrow();
        let Some(wifi) = &*wifi else { return Self::Nothing };
        let joined = match wifi.test.as_ref().filter(|test| test.state.is_active()) {
            Some(test) => test.before.is_some(),
            None => wifi.link == LinkState::Joined,
        };
        if joined { Self::Network } else { Self::AccessPoint }
    }
}

/// Counts the windows that were measured without much that was lost.
#[derive(Clone, Copy, Debug, Default)]
pub struct Windows(Option<First>);

/// The first window that counts.
#[derive(Clone, Copy, Debug)]
struct First {
    sequence: u64,
    end_s: f64,
    /// What was not measured until then.
    unmeasured_s: f64,
}

impl Windows {
    /// How many there are, the newest among them: since the first, or since too much of their time was lost.
    pub fn count(&mut self, newest: Option<&Reading>) -> u64 {
        let Some(reading) = newest else { return 0 };
        let newest =
            First { sequence: reading.sequence, end_s: reading.uptime.0, unmeasured_s: reading.unmeasured.0 };
        let first = self.0.get_or_insert(newest);
        if newest.unmeasured_s - first.unmeasured_s > (newest.end_s - first.end_s) * limits::PROBATION_LOST {
            *first = newest;
        }
        newest.sequence.saturating_sub(first.sequence).saturating_add(1)
    }
}

/// What the plug shows of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Windows measured since the start.
    pub windows: u64,
    /// Settings and journal were opened, and understood.
    pub stores_open: bool,
    /// How it stands with the network.
    pub network: Network,
}

/// How far it is, for the world.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Status {
    /// Windows measured so far, at most as many as are wanted.
    pub windows: u32,
    /// Windows that are wanted.
    pub windows_wanted: u32,
    /// Settings and journal were opened.
    pub stores_open: bool,
    /// How it stands with the network.
    pub network: Network,
    /// Seconds after which the plug goes back; null while that waits for a network that is off the air.
    pub gives_up_in_s: Option<f64>,
}

impl Eq for Status {}

/// What follows from a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not known yet.
    Wait,
    /// The image has proved itself.
    Confirm,
    /// It has not, and its time is over.
    GoBack,
}

/// The machine.
#[derive(Clone, Copy, Debug)]
pub struct Probation {
    wanted: u32,
    /// Time without what is wanted, but for a network that was off the air.
    used: Duration,
    looked: Instant,
    status: Status,
}

impl Probation {
    /// Begins at the start of the plug; `measures`: whether there will be windows at all; `used`: what of its time went by in
    /// starts before.
    #[must_use]
    pub fn new(measures: bool, used: Duration) -> Self {
        let wanted = if measures { limits::PROBATION_WINDOWS } else { 0 };
        let status = Status {
            windows: 0,
            windows_wanted: wanted,
            stores_open: false,
            network: Network::Waiting,
            gives_up_in_s: Some(limits::PROBATION.saturating_sub(used).as_secs_f64()),
        };
        Self { wanted, used, looked: Instant::default(), status }
    }

    /// Looks at the plug, about once a [`limits::PROBATION_INTERVAL`].
    pub fn look(&mut self, now: Instant, look: &Look) -> Verdict {
        let windows = u32::try_from(look.windows).unwrap_or(u32::MAX).min(self.wanted);
        let works = windows >= self.wanted && look.stores_open;
        // Only what the image can do something about counts.
        let waits = works && look.network == Network::OffTheAir;
        if !waits {
            self.used = self.used.saturating_add(now.since(self.looked));
        }
        self.looked = now;
        let left = limits::PROBATION.saturating_sub(self.used);
        self.status = Status {
            windows,
            windows_wanted: self.wanted,
            stores_open: look.stores_open,
            network: look.network,
            gives_up_in_s: (!waits).then_some(left.as_secs_f64()),
        };
        match (works && look.network.is_reached(), left.is_zero()) {
            (true, _) => Verdict::Confirm,
            (false, true) => Verdict::GoBack,
            (false, false) => Verdict::Wait,
        }
    }

    /// How much of its time went by, in all starts.
    #[must_use]
    pub const fn used(&self) -> Duration {
        self.used
    }

    /// How far it is.
    #[must_use]
    pub const fn status(&self) -> Status {
        self.status
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use metering::calibration::Calibration;

    use super::*;
    use metering::units::Seconds;

    use crate::core::{Core, Moment};
    use crate::net::trial_join::{Report, TrialState};
    use crate::settings::Hardware;
    use Network::{AccessPoint, Joined, OffTheAir, Waiting};

    const GOOD: Look = Look { windows: 20, stores_open: true, network: Joined };

    /// What becomes of an image that looks like that, and the second at which it does.
    fn becomes(look: impl Fn(u64) -> Look) -> Option<(u64, Verdict)> {
        let mut probation = Probation::new(true, Duration::ZERO);
        (0..5000).find_map(|second| {
            let verdict = probation.look(Instant::from_start(Duration::from_secs(second)), &look(second));
            (verdict != Verdict::Wait).then_some((second, verdict))
        })
    }

    #[test]
    fn it_is_confirmed_by_what_it_does_and_not_by_time() {
        assert_eq!(becomes(|_| GOOD), Some((0, Verdict::Confirm)));
        assert_eq!(becomes(|_| Look { network: AccessPoint, ..GOOD }), Some((0, Verdict::Confirm)));
        // Five windows a second.
        assert_eq!(becomes(|second| Look { windows: 5 * second, ..GOOD }), Some((4, Verdict::Confirm)));
        let late = |second| Look { network: if second < 599 { Waiting } else { Joined }, ..GOOD };
        assert_eq!(becomes(late), Some((599, Verdict::Confirm)));
    }

    /// Windows counted after so many seconds, if in each of them so much is lost, and an erase at the third.
    fn counted(seconds: u64, lost_s: f64, erase_s: f64) -> u64 {
        let mut windows = Windows::default();
        assert_eq!(windows.count(None), 0);
        let mut count = 0;
        for second in 1..=seconds {
            let erased_s = if second >= 3 { erase_s } else { 0.0 };
            let reading = Reading {
                sequence: second * 5 + 7,
                uptime: Seconds(second as f64),
                unmeasured: Seconds(second as f64 * lost_s + erased_s + 3.0),
                ..Reading::NONE
            };
            count = windows.count(Some(&reading));
        }
        count
    }

    #[test]
    fn windows_of_which_much_was_lost_do_not_count() {
        assert_eq!(counted(5, 0.0, 0.0), 21);
        assert_eq!(counted(5, 0.05, 0.0), 21);
        assert_eq!(counted(600, 0.5, 0.0), 1);
        // An erase of the flash is forgiven, at the latest with the windows behind it.
        assert!(counted(9, 0.0, 0.4) >= 20);
    }

    #[test]
    fn whatever_it_does_not_do_within_ten_minutes_sends_it_back() {
        for look in [
            Look { windows: 19, ..GOOD },
            Look { windows: 0, ..GOOD },
            Look { stores_open: false, ..GOOD },
            Look { network: Waiting, ..GOOD },
            // No excuse for the rest.
            Look { windows: 19, network: OffTheAir, ..GOOD },
            Look { stores_open: false, network: OffTheAir, ..GOOD },
        ] {
            assert_eq!(becomes(|_| look), Some((600, Verdict::GoBack)), "{look:?}");
        }
    }

    #[test]
    fn a_network_that_is_off_the_air_stops_its_time() {
        assert_eq!(becomes(|_| Look { network: OffTheAir, ..GOOD }), None);
        // Away from second 101 to 3000, then there and not joined: what is left is 500 s.
        let back = |second| Look {
            network: if second <= 100 || second > 3000 { Waiting } else { OffTheAir },
            ..GOOD
        };
        assert_eq!(becomes(back), Some((3500, Verdict::GoBack)));
        let joined = |second| Look { network: if second < 3000 { OffTheAir } else { Joined }, ..GOOD };
        assert_eq!(becomes(joined), Some((3000, Verdict::Confirm)));
        let mut probation = Probation::new(true, Duration::ZERO);
        probation.look(Instant::default(), &Look { network: OffTheAir, ..GOOD });
        assert_eq!(probation.status().gives_up_in_s, None);
        probation.look(Instant::from_start(Duration::from_secs(60)), &Look { network: Waiting, ..GOOD });
        assert_eq!(probation.status().gives_up_in_s, Some(540.0));
    }

    #[test]
    fn what_went_by_before_a_restart_counts() {
        let mut probation = Probation::new(true, Duration::from_secs(580));
        assert_eq!(probation.status().gives_up_in_s, Some(20.0));
        let mut look = |second| {
            let look = Look { network: Waiting, ..GOOD };
            probation.look(Instant::from_start(Duration::from_secs(second)), &look)
        };
        assert_eq!((look(0), look(19), look(20)), (Verdict::Wait, Verdict::Wait, Verdict::GoBack));
        assert_eq!(probation.used(), Duration::from_secs(600));
        // All of it, and it is good now.
        let mut probation = Probation::new(true, Duration::from_secs(600));
        assert_eq!(probation.look(Instant::default(), &GOOD), Verdict::Confirm);
    }

    #[test]
    fn what_is_to_be_reached_is_what_was_there_before() {
        let of = |before, change: &dyn Fn(&mut WifiStatus)| {
            let mut wifi = WifiStatus { link: LinkState::Waiting, ..WifiStatus::default() };
            change(&mut wifi);
            Network::of(before, Some(&wifi))
        };
        let lost =
            |error, hears| move |wifi: &mut WifiStatus| (wifi.last_error, wifi.hears) = (Some(error), hears);
        assert_eq!(of(Reached::Network, &|wifi| wifi.link = LinkState::Joined), Joined);
        assert_eq!(of(Reached::Network, &|wifi| wifi.access_point_open = true), Waiting);
        assert_eq!(of(Reached::Network, &lost(LinkError::NotFound, true)), OffTheAir);
        // A deaf radio finds nobody either.
        assert_eq!(of(Reached::Network, &lost(LinkError::NotFound, false)), Waiting);
        assert_eq!(of(Reached::Network, &lost(LinkError::WrongPassword, true)), Waiting);
        assert_eq!(of(Reached::AccessPoint, &|wifi| wifi.access_point_open = true), AccessPoint);
        assert_eq!(of(Reached::AccessPoint, &|_| {}), Waiting);
        assert_eq!(Network::of(Reached::AccessPoint, None), Waiting);
        assert_eq!(Network::of(Reached::Nothing, None), AccessPoint);
        // One that opens for whoever asks only: the radio works, and that is all that can be seen of it.
        let still = |link, error| {
            of(Reached::AccessPoint, &|wifi| {
                (wifi.access_point_when_asked, wifi.link, wifi.last_error) = (true, link, error);
            })
        };
        assert_eq!(still(LinkState::NoNetworkKnown, None), AccessPoint);
        assert_eq!(still(LinkState::Waiting, Some(LinkError::NotFound)), AccessPoint);
        assert_eq!(still(LinkState::Joining, None), Waiting);
        assert_eq!(still(LinkState::Waiting, Some(LinkError::Radio)), Waiting);
    }

    #[test]
    fn of_a_network_under_test_a_restart_knows_nothing() {
        let relay = Core::new(Hardware::BARE).relay_status(Moment::default(), None);
        let state = State::new(relay, Calibration::ideal(1.0, 0.0, 1.0, 0.0));
        assert_eq!(Reached::of(&state), Reached::Nothing);
        let before = Some(limits::ACCESS_POINT_ADDRESS);
        let test = |state, before| Some(Report { state, ..Report::new("b".try_into().unwrap(), before) });
        for (link, test, expected) in [
            (LinkState::Joined, None, Reached::Network),
            (LinkState::Waiting, None, Reached::AccessPoint),
            (LinkState::Joined, test(TrialState::Succeeded, None), Reached::AccessPoint),
            (LinkState::Joined, test(TrialState::Succeeded, before), Reached::Network),
            (LinkState::Joining, test(TrialState::Running, before), Reached::Network),
            (LinkState::Joined, test(TrialState::Confirmed, None), Reached::Network),
            (LinkState::Waiting, test(TrialState::Failed, before), Reached::AccessPoint),
        ] {
            let what = format!("{link:?} {test:?}");
            state.wifi.replace(Some(WifiStatus { link, test, ..WifiStatus::default() }));
            assert_eq!(Reached::of(&state), expected, "{what}");
        }
    }

    #[test]
    fn a_board_that_cannot_measure_need_not() {
        let look = Look { windows: 0, ..GOOD };
        assert_eq!(Probation::new(false, Duration::ZERO).look(Instant::default(), &look), Verdict::Confirm);
    }
}
