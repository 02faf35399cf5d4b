//! The `Date` header of an HTTP answer as a time (RFC 9110 §5.6.7, IMF-fixdate).

use core::time::Duration;

use super::{Answer, Source};
use crate::core::civil::{DAY_S, Date, weekday};
use crate::platform::Instant;

/// From Monday on, as `civil` counts them.
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Unix seconds of a text such as `Sun, 06 Nov 1994 08:49:37 GMT`; `None` for anything else, also for the two forms
/// that servers no longer write, for days that do not exist, and where the day of the week is another one.
#[must_use]
pub fn parse(text: &str) -> Option<i64> {
    let (day_name, rest) = text.split_once(", ")?;
    let mut parts = rest.split(' ');
    let day = digits::<2>(parts.next()?)?;
    let month_name = parts.next()?;
    let month = MONTHS.iter().position(|name| *name == month_name)?;
    let year = digits::<4>(parts.next()?)?;
    let time = parts.next()?;
    if parts.next()? != "GMT" || parts.next().is_some() {
        return None;
    }
    let date = Date { year: year.into(), month: u8::try_from(month + 1).ok()?, day: u8::try_from(day).ok()? };
    let number = date.day_number();
    // A 30th of February is another day.
    let same = Date::from_day_number(number) == date;
    let named = DAYS.get(usize::from(weekday(number))).is_some_and(|name| *name == day_name);
    (same && named).then_some(number * DAY_S + seconds_of_day(time)?)
}

/// Of `08:49:37`. A leap second (60) is the one after it.
fn seconds_of_day(text: &str) -> Option<i64> {
    let mut parts = text.split(':');
    let (hour, minute, second) =
        (digits::<2>(parts.next()?)?, digits::<2>(parts.next()?)?, digits::<2>(parts.next()?)?);
    let there = parts.next().is_none() && hour < 24 && minute < 60 && second <= 60;
    there.then(|| i64::from(hour) * 3600 + i64::from(minute) * 60 + i64::from(second))
}

/// A number of exactly `N` digits.
fn digits<const N: usize>(text: &str) -> Option<u16> {
    (text.len() == N && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

impl Answer {
    /// What a server's `Date` header says that came with an answer at `at`, `took` after it was asked for: the server
    /// wrote it somewhere in between, and cut it to whole seconds. `None` if it is no date.
    #[must_use]
    pub fn of_date(text: &str, took: Duration, at: Instant) -> Option<Self> {
        let half_s = 0.5 + took.as_secs_f64() / 2.0;
        Some(Self { source: Source::Server, unix_s: parse(text)? as f64 + half_s, uncertainty_s: half_s, at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;
    use jiff::Timestamp;

    #[test]
    fn the_example_of_the_rfc() {
        assert_eq!(parse("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
    }

    /// Against jiff, on days all over the range.
    #[test]
    fn as_the_oracle_says() {
        for step in 0..40_000 {
            let unix = 1_000_000_007 + step * 86_399 * 2;
            let text =
                Timestamp::from_second(unix).unwrap().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
            assert_eq!(parse(&text), Some(unix), "{text}");
        }
    }

    #[test]
    fn nothing_else_is_a_date() {
        for text in [
            "",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 08:49:37 GMT ",
            "Sun, 06 Nov 1994  08:49:37 GMT",
            "Mon, 06 Nov 1994 08:49:37 GMT",
            "sun, 06 Nov 1994 08:49:37 GMT",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 06 nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 94 08:49:37 GMT",
            "Sun, 06 Nov 1994 8:49:37 GMT",
            "Sun, 06 Nov 1994 24:00:00 GMT",
            "Sun, 06 Nov 1994 08:60:00 GMT",
            "Sun, 06 Nov 1994 08:49:61 GMT",
            "Sun, 06 Nov 1994 08:49:37:00 GMT",
            "Sun, 06 Nov 1994 +8:49:37 GMT",
            "Tue, 30 Feb 2026 08:49:37 GMT",
            "Sat, 00 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
            "1994-11-06T08:49:37Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        // A leap second is the first of the next minute.
        assert_eq!(parse("Sat, 31 Dec 2016 23:59:60 GMT"), parse("Sun, 01 Jan 2017 00:00:00 GMT"));
        assert!(parse("Sun, 01 Jan 2017 00:00:00 GMT").is_some());
        // Not in the middle of a character either.
        for at in 0..30 {
            let _ = parse(&format!("{:<at$}ä", "Sun, 06 Nov 1994 08:49:37 GMT"));
        }
    }

    /// The true time lies within what is claimed, whenever the server looked at its clock.
    #[test]
    fn the_way_and_the_cut_second_are_in_the_uncertainty() {
        let at = Instant::from_start(Duration::from_secs(5));
        let took = Duration::from_millis(800);
        let answer = Answer::of_date("Sun, 06 Nov 1994 08:49:37 GMT", took, at).unwrap();
        for (cut, since_it_wrote) in [(0.0, 0.0), (0.999, 0.0), (0.0, 0.8), (0.999, 0.8)] {
            let now = 784_111_777.0 + cut + since_it_wrote;
            assert!((now - answer.unix_s).abs() <= answer.uncertainty_s, "{cut} {since_it_wrote}");
        }
        assert!(answer.uncertainty_s <= 0.9 + 1e-9);
        assert_eq!(Answer::of_date("now", took, at), None);
    }
}
