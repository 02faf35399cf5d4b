//! The light: what is going on with the plug becomes a pattern of flashes. docs/lights.md has the same table for people.

use core::time::Duration;

use super::button::ButtonHeld;

/// How it stands with the network, as far as the light is concerned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NetworkLight {
    /// Joined, or a plug without a radio.
    #[default]
    Fine,
    /// On the way to a known network.
    Joining,
    /// No network: the access point is open and waits for somebody.
    AccessPoint,
}

/// All that the light depends on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inputs {
    /// The relay is commanded on.
    pub relay_on: bool,
    /// Protection has locked the relay out.
    pub locked_out: bool,
    /// Current flows although the relay is commanded off.
    pub welded: bool,
    /// How it stands with the network.
    pub network: NetworkLight,
    /// Somebody wants to know which plug this is.
    pub identify: bool,
    /// How far a press of the button has come.
    pub held: ButtonHeld,
    /// Somebody claims the plug, and that waits for the button.
    pub claim: bool,
    /// The plug crashed again and again, and runs only to be mended.
    pub safe_mode: bool,
    /// New firmware is being written.
    pub updating: bool,
    /// What the flash keeps is still being read.
    pub starting: bool,
    /// The owner wants no light (`device.led_off`): only alarms, `identify` and the button's answers are shown.
    pub dark: bool,
}

/// What the light does. In order of urgency: of all that holds, the first is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Held for 10 s.
    ResetDone,
    /// Held for 5 s.
    ResetCountdown,
    /// Held for 3 s.
    AccessPointAsked,
    /// `identify`.
    Identify,
    /// A claim waits for the button.
    ClaimWaits,
    /// Weld alarm.
    Welded,
    /// Locked out after a trip.
    LockedOut,
    /// Safe mode.
    SafeMode,
    /// New firmware is written.
    Updating,
    /// The first moments.
    Starting,
    /// No network; the relay is on.
    AccessPointOn,
    /// No network; the relay is off.
    AccessPointOff,
    /// Joining; the relay is on.
    JoiningOn,
    /// Joining; the relay is off.
    JoiningOff,
    /// The relay is on.
    On,
    /// The relay is off, or the light is not wanted.
    Off,
}

/// A pattern in time: so many flashes, then a pause, and again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Flashes in a group; 0: dark for ever.
    pub flashes: u16,
    /// Each is lit for so many milliseconds ...
    pub lit_ms: u16,
    /// ... and followed by so many dark ones; 0: lit for ever.
    pub dark_ms: u16,
    /// Dark milliseconds more after a group.
    pub pause_ms: u16,
}

impl Timing {
    const DARK: Self = Self { flashes: 0, lit_ms: 0, dark_ms: 0, pause_ms: 0 };
    const LIT: Self = Self { flashes: 1, lit_ms: 1000, dark_ms: 0, pause_ms: 0 };

    const fn blink(lit_ms: u16, dark_ms: u16) -> Self {
        Self { flashes: 1, lit_ms, dark_ms, pause_ms: 0 }
    }

    const fn group(flashes: u16, lit_ms: u16, dark_ms: u16, pause_ms: u16) -> Self {
        Self { flashes, lit_ms, dark_ms, pause_ms }
    }
}

impl Pattern {
    /// All of them, the most urgent first.
    pub const ALL: [Self; 16] = [
        Self::ResetDone,
        Self::ResetCountdown,
        Self::AccessPointAsked,
        Self::Identify,
        Self::ClaimWaits,
        Self::Welded,
        Self::LockedOut,
        Self::SafeMode,
        Self::Updating,
        Self::Starting,
        Self::AccessPointOn,
        Self::AccessPointOff,
        Self::JoiningOn,
        Self::JoiningOff,
        Self::On,
        Self::Off,
    ];

    /// What is to be shown: the most urgent of what holds.
    #[must_use]
    pub fn of(inputs: &Inputs) -> Self {
        match inputs.held {
            ButtonHeld::Reset => return Self::ResetDone,
            ButtonHeld::Countdown => return Self::ResetCountdown,
            ButtonHeld::AccessPoint => return Self::AccessPointAsked,
            ButtonHeld::No => {}
        }
        match inputs {
            Inputs { identify: true, .. } => Self::Identify,
            Inputs { claim: true, .. } => Self::ClaimWaits,
            Inputs { welded: true, .. } => Self::Welded,
            Inputs { locked_out: true, .. } => Self::LockedOut,
            Inputs { safe_mode: true, .. } => Self::SafeMode,
            Inputs { dark: true, .. } => Self::Off,
            Inputs { updating: true, .. } => Self::Updating,
            Inputs { starting: true, .. } => Self::Starting,
            Inputs { network: NetworkLight::AccessPoint, relay_on: true, .. } => Self::AccessPointOn,
            Inputs { network: NetworkLight::AccessPoint, .. } => Self::AccessPointOff,
            Inputs { network: NetworkLight::Joining, relay_on: true, .. } => Self::JoiningOn,
            Inputs { network: NetworkLight::Joining, .. } => Self::JoiningOff,
            Inputs { relay_on: true, .. } => Self::On,
            _ => Self::Off,
        }
    }

    /// How it goes.
    #[must_use]
    pub const fn timing(self) -> Timing {
        match self {
            Self::ResetDone | Self::On => Timing::LIT,
            Self::ResetCountdown => Timing::blink(50, 50),
            Self::AccessPointAsked => Timing::blink(250, 250),
            Self::Identify => Timing::blink(500, 500),
            Self::ClaimWaits => Timing::group(4, 100, 100, 700),
            Self::Welded => Timing::group(3, 150, 150, 1000),
            Self::LockedOut => Timing::group(2, 150, 150, 1000),
            Self::SafeMode => Timing::group(5, 100, 200, 1000),
            Self::Updating => Timing::blink(1500, 1500),
            Self::Starting => Timing::blink(100, 100),
            Self::AccessPointOn => Timing::blink(1900, 100),
            Self::AccessPointOff => Timing::blink(100, 1900),
            Self::JoiningOn => Timing::blink(450, 50),
            Self::JoiningOff => Timing::blink(50, 450),
            Self::Off => Timing::DARK,
        }
    }

    /// What it means, in words for people.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::ResetDone => "button held for 10 s: reset to factory; let go",
            Self::ResetCountdown => "button held for 5 s: the reset comes at 10 s, let go to avoid it",
            Self::AccessPointAsked => "button held for 3 s: let go and the access point opens",
            Self::Identify => "somebody asks which plug this is",
            Self::ClaimWaits => "somebody sets this plug up: a short press says yes",
            Self::Welded => "alarm: current flows although the relay is commanded off",
            Self::LockedOut => "protection has opened the relay and locked it out",
            Self::SafeMode => "safe mode: it crashed too often; relay off, nothing is measured",
            Self::Updating => "new firmware is being written",
            Self::Starting => "starting",
            Self::AccessPointOn => "no network, the access point is open; relay on",
            Self::AccessPointOff => "no network, the access point is open; relay off",
            Self::JoiningOn => "joining a network; relay on",
            Self::JoiningOff => "joining a network; relay off",
            Self::On => "relay on",
            Self::Off => "relay off",
        }
    }

    /// Whether it is shown although `device.led_off` is set.
    #[must_use]
    pub const fn is_shown_when_dark(self) -> bool {
        matches!(
            self,
            Self::ResetDone
                | Self::ResetCountdown
                | Self::AccessPointAsked
                | Self::Identify
                | Self::ClaimWaits
                | Self::Welded
                | Self::LockedOut
                | Self::SafeMode
        )
    }
}

/// Whether the light is lit `since` after the pattern began.
#[must_use]
pub fn lit(pattern: Pattern, since: Duration) -> bool {
    place(pattern.timing(), since).0
}

/// How long after `since` that changes; `None`: not by itself.
#[must_use]
pub fn next_change(pattern: Pattern, since: Duration) -> Option<Duration> {
    place(pattern.timing(), since).1
}

/// Lit or not, and how long still.
fn place(timing: Timing, since: Duration) -> (bool, Option<Duration>) {
    let Timing { flashes, lit_ms, dark_ms, pause_ms } = timing;
    if flashes == 0 || (dark_ms == 0 && pause_ms == 0) {
        return (flashes > 0, None);
    }
    let micros = |milliseconds: u16| u64::from(milliseconds) * 1000;
    let (lit, flash) = (micros(lit_ms), micros(lit_ms) + micros(dark_ms));
    let period = u64::from(flashes) * flash + micros(pause_ms);
    // 64 bits of microseconds are more than the plug will ever run.
    let at = since.as_micros() as u64 % period;
    let begun = at / flash;
    let in_flash = at % flash;
    let (is_lit, end) = if begun >= u64::from(flashes) {
        (false, period)
    } else if in_flash < lit {
        (true, begun * flash + lit)
    } else if begun + 1 == u64::from(flashes) {
        (false, period)
    } else {
        (false, (begun + 1) * flash)
    };
    (is_lit, Some(Duration::from_micros(end - at)))
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    const CALM: Inputs = Inputs {
        relay_on: false,
        locked_out: false,
        welded: false,
        network: NetworkLight::Fine,
        identify: false,
        claim: false,
        safe_mode: false,
        held: ButtonHeld::No,
        updating: false,
        starting: false,
        dark: false,
    };

    /// Every combination of inputs.
    fn all() -> impl Iterator<Item = Inputs> {
        let networks = [NetworkLight::Fine, NetworkLight::Joining, NetworkLight::AccessPoint];
        let helds = [ButtonHeld::No, ButtonHeld::AccessPoint, ButtonHeld::Countdown, ButtonHeld::Reset];
        (0..1_u32 << 9).flat_map(move |bits| {
            let bit = move |at: u32| bits >> at & 1 == 1;
            networks.into_iter().flat_map(move |network| {
                helds.into_iter().map(move |held| Inputs {
                    relay_on: bit(0),
                    locked_out: bit(1),
                    welded: bit(2),
                    identify: bit(3),
                    updating: bit(4),
                    starting: bit(5),
                    dark: bit(6),
                    claim: bit(7),
                    safe_mode: bit(8),
                    network,
                    held,
                })
            })
        })
    }

    #[test]
    fn every_pattern_can_be_seen_and_more_urgent_ones_win() {
        let rank = |pattern: Pattern| Pattern::ALL.iter().position(|one| *one == pattern).unwrap();
        let mut seen = [false; Pattern::ALL.len()];
        for inputs in all() {
            let pattern = Pattern::of(&inputs);
            seen[rank(pattern)] = true;
            // Something more urgent beside it never makes the light less urgent.
            for more in [
                Inputs { identify: true, ..inputs },
                Inputs { claim: true, ..inputs },
                Inputs { welded: true, ..inputs },
                Inputs { locked_out: true, ..inputs },
                Inputs { safe_mode: true, ..inputs },
                Inputs { held: ButtonHeld::Reset, ..inputs },
            ] {
                assert!(rank(Pattern::of(&more)) <= rank(pattern), "{inputs:?}");
            }
            if inputs.dark {
                assert!(pattern == Pattern::Off || pattern.is_shown_when_dark(), "{inputs:?}");
                let light = Pattern::of(&Inputs { dark: false, ..inputs });
                assert!(!light.is_shown_when_dark() || light == pattern, "{inputs:?}");
            }
        }
        assert_eq!(seen, [true; Pattern::ALL.len()]);
        assert_eq!(Pattern::of(&CALM), Pattern::Off);
        assert_eq!(Pattern::of(&Inputs { relay_on: true, ..CALM }), Pattern::On);
    }

    /// Changes of the light in the first seconds, in milliseconds.
    fn changes(pattern: Pattern) -> Vec<(u128, bool)> {
        let (mut now, mut found) = (Duration::ZERO, Vec::new());
        while now <= Duration::from_secs(4) {
            found.push((now.as_millis(), lit(pattern, now)));
            match next_change(pattern, now) {
                Some(after) => now += after,
                None => break,
            }
        }
        found
    }

    #[test]
    fn flashes_come_as_the_table_says() {
        assert_eq!(changes(Pattern::Off), [(0, false)]);
        assert_eq!(changes(Pattern::On), [(0, true)]);
        let two = changes(Pattern::LockedOut);
        assert_eq!(
            two[..8],
            [
                (0, true),
                (150, false),
                (300, true),
                (450, false),
                (1600, true),
                (1750, false),
                (1900, true),
                (2050, false)
            ]
        );
        assert_eq!(changes(Pattern::AccessPointOff)[..3], [(0, true), (100, false), (2000, true)]);
        for pattern in Pattern::ALL {
            // The light changes at each change, and not in between.
            let found = changes(pattern);
            assert!(found.windows(2).all(|pair| pair[0].1 != pair[1].1), "{pattern:?}: {found:?}");
            for look in 0..4000_u64 {
                let since = Duration::from_millis(look);
                let last = found.iter().rfind(|(at, _)| *at <= u128::from(look)).unwrap();
                assert_eq!(lit(pattern, since), last.1, "{pattern:?} after {since:?}");
            }
            // After years too.
            assert!(next_change(pattern, Duration::from_secs(1 << 32)).is_none_or(|after| !after.is_zero()));
        }
    }

    #[test]
    fn no_two_patterns_look_the_same_unless_they_mean_it() {
        for (index, one) in Pattern::ALL.iter().enumerate() {
            for other in &Pattern::ALL[index + 1..] {
                let meant = (*one, *other) == (Pattern::ResetDone, Pattern::On);
                assert_eq!(one.timing() == other.timing(), meant, "{one:?} {other:?}");
            }
        }
    }
}
