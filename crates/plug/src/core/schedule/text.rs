//! Times and days of a schedule as people and JSON write them: `06:30`, `sunset-00:30`, `mon`.

use core::fmt;
use core::str::FromStr;

use crate::core::civil::{FIRST_DAY, LAST_DAY, Zone};
use crate::settings::schema::{At, SUN_OFFSET_S};

/// The days of the week as JSON names them; the place in the list is the bit in [`crate::settings::schema::ScheduleEntry::days`].
pub const DAY_NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
/// All bits of [`DAY_NAMES`].
pub const ALL_DAYS: u8 = 0x7f;
/// The bit of a day's name; `None` if it is none.
#[must_use]
pub fn day_bit(name: &str) -> Option<u8> {
    DAY_NAMES.iter().position(|day| *day == name).map(|place| 1 << place)
}

/// The names of the days in a bit mask, Monday first.
pub fn day_names(days: u8) -> impl Iterator<Item = &'static str> {
    DAY_NAMES.into_iter().enumerate().filter(move |(place, _)| days & (1 << place) != 0).map(|(_, name)| name)
}

/// What is wrong with the time of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtError {
    /// It is none of the forms.
    Form,
    /// The clock never shows it.
    NoSuchTime,
    /// It is too far from the sun.
    TooFar,
}

impl fmt::Display for AtError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Form => {
                "must be HH:MM, HH:MM:SS, sunrise, sunset, or one of these two with +HH:MM or -HH:MM"
            }
            Self::NoSuchTime => "must be a time from 00:00 to 23:59:59",
            Self::TooFar => "must be at most 06:00 from sunrise or sunset",
        })
    }
}

/// The forms that `at` has in the settings. A sentence that begins with "must" says what is wrong.
impl FromStr for At {
    type Err = AtError;

    fn from_str(text: &str) -> Result<Self, AtError> {
        if let Some(rest) = text.strip_prefix("sunrise") {
            return later(rest).map(Self::Sunrise);
        }
        if let Some(rest) = text.strip_prefix("sunset") {
            return later(rest).map(Self::Sunset);
        }
        let (hours, minutes, seconds) = parts(text).ok_or(AtError::Form)?;
        if hours > 23 || minutes > 59 || seconds > 59 {
            return Err(AtError::NoSuchTime);
        }
        Ok(Self::Clock(hours * 3_600 + minutes * 60 + seconds))
    }
}

/// What [`FromStr`] reads: seconds only where there are some.
impl fmt::Display for At {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, later) = match *self {
            Self::Clock(seconds) => return clock(formatter, seconds),
            Self::Sunrise(later) => ("sunrise", later),
            Self::Sunset(later) => ("sunset", later),
        };
        formatter.write_str(name)?;
        match later {
            0 => Ok(()),
            _ => {
                formatter.write_str(if later < 0 { "-" } else { "+" })?;
                clock(formatter, later.unsigned_abs())
            }
        }
    }
}

fn clock(formatter: &mut fmt::Formatter<'_>, seconds_of_day: u32) -> fmt::Result {
    let (hours, minutes, seconds) = (seconds_of_day / 3_600, seconds_of_day / 60 % 60, seconds_of_day % 60);
    write!(formatter, "{hours:02}:{minutes:02}")?;
    if seconds == 0 { Ok(()) } else { write!(formatter, ":{seconds:02}") }
}

/// `+HH:MM`, `-HH:MM` or nothing, in seconds.
fn later(text: &str) -> Result<i32, AtError> {
    let (sign, time) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
        _ if text.is_empty() => return Ok(0),
        (Some(time), _) => (1, time),
        (_, Some(time)) => (-1, time),
        _ => return Err(AtError::Form),
    };
    let (hours, minutes, seconds) = parts(time).ok_or(AtError::Form)?;
    if minutes > 59 || seconds > 59 {
        return Err(AtError::Form);
    }
    let total = i32::try_from(hours * 3_600 + minutes * 60 + seconds).map_err(|_| AtError::TooFar)?;
    if total > SUN_OFFSET_S { Err(AtError::TooFar) } else { Ok(sign * total) }
}

/// `HH:MM` or `HH:MM:SS`, each two digits.
fn parts(text: &str) -> Option<(u32, u32, u32)> {
    let mut numbers = text.split(':').map(two_digits);
    let (hours, minutes) = (numbers.next()??, numbers.next()??);
    let seconds = numbers.next().unwrap_or(Some(0))?;
    numbers.next().is_none().then_some((hours, minutes, seconds))
}

fn two_digits(text: &str) -> Option<u32> {
    match text.as_bytes() {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => {
            Some(u32::from(tens - b'0') * 10 + u32::from(ones - b'0'))
        }
        _ => None,
    }
}

/// For fuzzing: reads any bytes as a zone, as a time of an entry and as a day. True if what was understood is printed
/// and read back as the same, and if the zone's clock agrees with itself over a year; nothing here may panic.
#[must_use]
pub fn round_trips(bytes: &[u8]) -> bool {
    let Ok(text) = core::str::from_utf8(bytes) else { return true };
    let at = text.parse::<At>().is_ok_and(|at| !prints_back(at));
    let day = day_bit(text).is_some_and(|bit| !day_names(bit).eq([text]));
    let zone = Zone::parse(text).is_ok_and(|zone| !agrees_with_itself(&zone));
    !(at || day || zone)
}

fn prints_back(at: At) -> bool {
    let mut text = heapless::String::<16>::new();
    fmt::Write::write_fmt(&mut text, format_args!("{at}")).is_ok() && text.parse() == Ok(at)
}

/// What the clock shows at a moment it shows first at that moment or before, and never something later before it.
fn agrees_with_itself(zone: &Zone) -> bool {
    let extremes = [i64::MIN, FIRST_DAY, LAST_DAY, i64::MAX];
    let _ = extremes.map(|moment| (zone.local(moment), zone.resolve(moment, u32::MAX)));
    (0..400).all(|step| {
        let unix = 1_767_225_600 + step * 79_200;
        let local = zone.local(unix);
        let first = zone.resolve(local.day_number, local.seconds_of_day);
        let shown = zone.local(first);
        let not_before = (shown.day_number, shown.seconds_of_day) >= (local.day_number, local.seconds_of_day);
        first <= unix && not_before
    })
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;

    #[test]
    fn times_are_read_and_printed() {
        for (text, at) in [
            ("00:00", At::Clock(0)),
            ("06:30", At::Clock(23_400)),
            ("23:59:59", At::Clock(86_399)),
            ("sunrise", At::Sunrise(0)),
            ("sunset", At::Sunset(0)),
            ("sunrise+06:00", At::Sunrise(21_600)),
            ("sunset-00:30", At::Sunset(-1_800)),
            ("sunset-00:30:15", At::Sunset(-1_815)),
        ] {
            assert_eq!(text.parse(), Ok(at), "{text}");
            assert_eq!(std::format!("{at}"), text);
        }
        assert_eq!("06:30:00".parse(), Ok(At::Clock(23_400)));
        assert_eq!("sunrise-00:00".parse(), Ok(At::Sunrise(0)));
    }

    #[test]
    fn wrong_times_are_told_why() {
        for text in
            ["", "6:30", "06.30", "06:3", "06:30:", "06:30:00:00", "+6:30", "0６:30", "noon", "Sunset"]
        {
            assert_eq!(text.parse::<At>(), Err(AtError::Form), "{text}");
        }
        for text in
            ["sunset ", "sunset00:30", "sunset+", "sunset+0:30", "sunset+00:60", "sunset--00:30", "sun"]
        {
            assert_eq!(text.parse::<At>(), Err(AtError::Form), "{text}");
        }
        for text in ["24:00", "23:60", "23:59:60", "99:99"] {
            assert_eq!(text.parse::<At>(), Err(AtError::NoSuchTime), "{text}");
        }
        for text in ["sunrise+06:01", "sunset-99:59", "sunset+06:00:01"] {
            assert_eq!(text.parse::<At>(), Err(AtError::TooFar), "{text}");
        }
    }

    #[test]
    fn days_are_bits() {
        let bits = DAY_NAMES.map(|name| day_bit(name).unwrap());
        assert_eq!(bits, [1, 2, 4, 8, 16, 32, 64]);
        assert_eq!(bits.iter().sum::<u8>(), ALL_DAYS);
        assert_eq!(day_bit("Mon"), None);
        assert!(day_names(0b100_0001).eq(["mon", "sun"]));
        assert!(day_names(0xff).eq(DAY_NAMES));
    }
}
