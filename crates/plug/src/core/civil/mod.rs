//! The calendar and the wall clock: days, zones and the sun, as pure functions of their arguments.
//!
//! A *day number* counts days since 1970-01-01. *Unix seconds* count seconds since then in UTC, without leap seconds.
//! A *civil* moment is what the calendar and the clock on the wall show.

pub mod posix;
pub mod sun;

pub use posix::{Offset, Zone, ZoneError};

use core::fmt::Write;

use heapless::String;

/// Seconds of a day without a shift.
pub const DAY_S: i64 = 86_400;
/// Day number of 0000-01-01: earlier days are taken as this one.
pub const FIRST_DAY: i64 = -719_528;
/// Day number of 9999-12-31: later days are taken as this one.
pub const LAST_DAY: i64 = 2_932_896;

/// A day of the Gregorian calendar, also before there was one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    /// 0 to 9999.
    pub year: i32,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
}

impl Date {
    /// The date of a day number.
    ///
    /// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`: the year begins in March, so
    /// that the leap day is its last one, and 400 years are 146 097 days.
    #[must_use]
    pub fn from_day_number(day_number: i64) -> Self {
        // 0000-03-01 is 719 468 days before 1970-01-01. All of this fits 32 bits, which the chip divides by itself.
        let days = day_number.clamp(FIRST_DAY, LAST_DAY) as i32 + 719_468;
        let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = era * 400 + year_of_era + i32::from(month <= 2);
        Self { year, month: month as u8, day: day as u8 }
    }

    /// The day number of the date (`days_from_civil` of the same source).
    #[must_use]
    pub fn day_number(self) -> i64 {
        let month = i32::from(self.month.clamp(1, 12));
        let year = self.year.clamp(-1, 10_000) - i32::from(month <= 2);
        let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let month_from_march = (month + 9) % 12;
        let day_of_year = (153 * month_from_march + 2) / 5 + i32::from(self.day) - 1;
        let day_of_era = 365 * year_of_era + year_of_era / 4 - year_of_era / 100 + day_of_year;
        i64::from(era * 146_097 + day_of_era - 719_468)
    }
}

/// `2026-11-24`.
impl core::fmt::Display for Date {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(formatter, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// What calendar and clock on the wall show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// The date.
    pub date: Date,
    /// What the clock shows, in seconds after 00:00:00.
    pub seconds_of_day: u32,
    /// 0 is Monday, 6 Sunday (ISO 8601 counts from 1).
    pub weekday: u8,
    /// The date as a day number.
    pub day_number: i64,
}

/// 0 is Monday, 6 Sunday; 1970-01-01 was a Thursday.
#[must_use]
pub fn weekday(day_number: i64) -> u8 {
    (day_number.clamp(FIRST_DAY, LAST_DAY) as i32 + 3).rem_euclid(7) as u8
}

/// Whole Unix seconds of a time of day; outside the years 0 to 9999 the nearest second inside.
#[must_use]
pub fn whole_seconds(time: f64) -> i64 {
    // What is no number becomes 0.
    in_range(libm::floor(time) as i64)
}

/// The nearest second of the years 0 to 9999: sums of it overflow nowhere.
fn in_range(unix: i64) -> i64 {
    unix.clamp(FIRST_DAY * DAY_S, (LAST_DAY + 1) * DAY_S - 1)
}

/// The day number of the local day that `time` (Unix seconds) lies in.
#[must_use]
pub fn local_day(time: f64, zone: &Zone) -> i64 {
    zone.local(whole_seconds(time)).day_number
}

/// `2026-11-24`, as days are named in JSON; its first seven characters name the month.
#[must_use]
pub fn date_text(day_number: i64) -> String<10> {
    let mut text = String::new();
    // Ten characters fit for every year there is.
    let _ = write!(text, "{}", Date::from_day_number(day_number));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_are_each_others_inverse_without_a_gap() {
        let mut expected = Date { year: 0, month: 1, day: 1 };
        for day_number in FIRST_DAY..=LAST_DAY {
            let date = Date::from_day_number(day_number);
            assert_eq!(date, expected);
            assert_eq!(date.day_number(), day_number);
            let leap = date.year % 4 == 0 && (date.year % 100 != 0 || date.year % 400 == 0);
            let length = match date.month {
                2 => 28 + u8::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            expected = match (date.month, date.day) {
                (12, 31) => Date { year: date.year + 1, month: 1, day: 1 },
                (month, day) if day == length => Date { month: month + 1, day: 1, ..date },
                (_, day) => Date { day: day + 1, ..date },
            };
        }
        assert_eq!(expected.year, 10_000);
    }

    #[test]
    fn known_days() {
        assert_eq!(date_text(0), "1970-01-01");
        assert_eq!(weekday(0), 3);
        let day = Date { year: 2026, month: 11, day: 24 }.day_number();
        assert_eq!((day, weekday(day), date_text(day).as_str()), (20_781, 1, "2026-11-24"));
        assert_eq!(date_text(i64::MIN), "0000-01-01");
        assert_eq!(date_text(i64::MAX), "9999-12-31");
        assert_eq!(weekday(-4), 6);
    }

    #[test]
    fn the_local_day_follows_the_zone() {
        let kathmandu = Zone::parse("<+0545>-5:45").unwrap();
        assert_eq!(local_day(1_700_000_000.9, &Zone::UTC), 19_675);
        // 18:15 UTC is midnight in Nepal.
        assert_eq!(local_day(19_675.0 * 86_400.0 + 65_699.9, &kathmandu), 19_675);
        assert_eq!(local_day(19_675.0 * 86_400.0 + 65_700.0, &kathmandu), 19_676);
        for time in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, -1e300] {
            assert!((FIRST_DAY..=LAST_DAY).contains(&local_day(time, &kathmandu)));
        }
    }
}
