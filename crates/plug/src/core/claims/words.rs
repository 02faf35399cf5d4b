//! The sentences: what a claim is there for, and why the relay changed.

use core::fmt::{self, Display, Formatter, Write};
use core::time::Duration;

use super::types::{Cause, DelayReason};
use crate::number::tenths;

/// What a claim is there for. The words are made when somebody asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// Before [`super::Claims::start`].
    NotStarted,
    /// `power_on` is `off` or `on`.
    AsSet,
    /// `power_on` is `last`.
    AsBefore,
    /// `power_on` is `last`, and there is none.
    NeverSwitched,
    /// The pin was held over a planned restart.
    Kept,
    /// `power_on` is `last`, and it was locked out.
    WasLockedOut,
    /// The starts before this one ended badly.
    BadStarts(u8),
    /// It was on and idle.
    Idle,
    /// Somebody wished it, for so long.
    Hand(Option<Duration>),
    /// Somebody wished it on, and inching is set.
    Inching(Duration),
    /// Somebody re-armed.
    Rearmed,
    /// Somebody wished it before a `for_s`.
    BeforeTheTime,
}

/// Words of a claim: its own, or those that came with it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Words<'a> {
    Own(Why, bool),
    Given(&'a Cause),
}

impl Display for Words<'_> {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        let (why, on) = match self {
            Self::Given(cause) => return to.write_str(cause),
            Self::Own(why, on) => (*why, if *on { "on" } else { "off" }),
        };
        match why {
            Why::NotStarted => to.write_str("open until the plug has started"),
            Why::AsSet => write!(to, "{on} after power-up, as set"),
            Why::AsBefore => write!(to, "{on} after power-up, as before it"),
            Why::NeverSwitched => write!(to, "{on} after power-up, nobody has switched it yet"),
            Why::Kept => write!(to, "{on} as before, held over a planned restart"),
            Why::WasLockedOut => write!(to, "{on} after power-up, it was locked out before"),
            Why::BadStarts(count) => write!(to, "{on} after power-up: {count} starts in a row ended badly"),
            Why::Idle => write!(to, "{on} when idle"),
            Why::Hand(None) => write!(to, "switched {on} by hand"),
            Why::Hand(Some(duration)) => {
                write!(to, "switched {on} by hand for {} s", tenths(duration.as_secs_f64()))
            }
            Why::Inching(duration) => {
                write!(to, "switched {on} by hand for {} s (inching)", tenths(duration.as_secs_f64()))
            }
            Why::Rearmed => write!(to, "re-armed by hand; still {on}"),
            Why::BeforeTheTime => write!(to, "{on} by hand, as before that"),
        }
    }
}

/// What happened, where the words of the claim that now decides do not say it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Prompt {
    /// The claim says it.
    None,
    /// It was locked out before the start.
    StillLockedOut,
    /// A `for_s` has ended.
    TimeOver,
    /// Somebody released it.
    Released,
    /// The load was idle.
    Idle { below_w: f64, after: Duration },
    /// Protection has nothing against it any more.
    Lifted,
    /// Protection tries again.
    Retry,
    /// The schedule has nothing to say any more.
    NoSchedule,
    /// It may go on now.
    Waited(DelayReason),
}

impl Display for Prompt {
    fn fmt(&self, to: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::StillLockedOut => to.write_str("still locked out after the start; "),
            Self::TimeOver => to.write_str("the time asked for is over; "),
            Self::Released => to.write_str("released by hand; "),
            Self::Idle { below_w, after } => {
                write!(to, "under {} W for {} s; ", tenths(*below_w), tenths(after.as_secs_f64()))
            }
            Self::Lifted => to.write_str("no longer locked out; "),
            Self::Retry => to.write_str("tries again after a trip; "),
            Self::NoSchedule => to.write_str("no schedule any more; "),
            Self::Waited(reason) => write!(to, "waited ({}); ", delay(*reason)),
        }
    }
}

/// A delay, for people.
pub(super) const fn delay(reason: DelayReason) -> &'static str {
    match reason {
        DelayReason::MinimumOff => "minimum off time",
        DelayReason::MinimumOn => "minimum on time",
        DelayReason::Switchings => "too many switchings a minute",
        DelayReason::StartDelay => "start delay",
    }
}

/// A sentence; what does not fit is cut, never lost as a whole.
pub(super) fn text(arguments: fmt::Arguments<'_>) -> Cause {
    let mut cut = Cut(Cause::new());
    let _ = cut.write_fmt(arguments);
    cut.0
}

/// Takes as many characters as fit.
struct Cut(Cause);

impl Write for Cut {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|character| self.0.push(character).map_err(|_| fmt::Error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_cut_at_a_character() {
        let long = "ä".repeat(100);
        assert_eq!(text(format_args!("a {long}")).as_str(), alloc::format!("a {}", "ä".repeat(47)));
    }
}
