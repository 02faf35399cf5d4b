//! Time zones as POSIX `TZ` strings: `CET-1CEST,M3.5.0,M10.5.0/3`.
//!
//! `name offset [name [offset] , rule [/time] , rule [/time]]` as POSIX.1-2017, Base Definitions, section 8.3 has it,
//! with the times from -167 to 167 h of RFC 8536, section 3.3.1. An offset is positive *west* of Greenwich. The names
//! are read over: nothing is said by them.

use super::{Civil, DAY_S, Date, FIRST_DAY, LAST_DAY, in_range, weekday};

/// How far a zone's clocks are ahead of UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offset {
    /// Positive east of Greenwich.
    pub seconds: i32,
    /// Whether it is the second one of the zone: summer time nearly everywhere.
    pub dst: bool,
}

/// The rules of a zone, the same for every year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone {
    standard_s: i32,
    saving: Option<Saving>,
}

/// UTC.
impl Default for Zone {
    fn default() -> Self {
        Self::UTC
    }
}

/// The other half of the year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Saving {
    offset_s: i32,
    start: Rule,
    end: Rule,
}

/// When clocks are shifted, by the clock before the shift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rule {
    day: RuleDay,
    time_s: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RuleDay {
    /// `Mmonth.week.weekday`: week 5 is the last one, weekday 0 Sunday.
    Month { month: u8, week: u8, weekday: u8 },
    /// `Jn`: 1 to 365, 29 February is not counted.
    WithoutLeapDay(u16),
    /// `n`: 0 to 365, 29 February is counted.
    WithLeapDay(u16),
}

/// One of the two shifts of a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Shift {
    /// Unix seconds.
    at: i64,
    /// What begins then. Of two at the same second summer time wins: so RFC 8536 writes a summer without an end.
    to_saving: bool,
}

/// What is wrong with a `TZ` string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZoneError {
    /// It does not begin with a name, or the second name is none.
    Name,
    /// The difference to UTC.
    Offset,
    /// There is a second name but no rules: which ones apply then no standard says.
    MissingRules,
    /// The day of a shift.
    Rule,
    /// The time of a shift.
    Time,
    /// More text after the end.
    Trailing,
}

impl core::fmt::Display for ZoneError {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str(match self {
            Self::Name => {
                "must begin with a name of at least three letters (CET) or one in brackets (<+0330>)"
            }
            Self::Offset => {
                "must have after a name how far it is from UTC, at most 24 h (CET-1, <+0330>-3:30)"
            }
            Self::MissingRules => "must say when summer time begins and ends (CET-1CEST,M3.5.0,M10.5.0/3)",
            Self::Rule => {
                "must give the day of a shift as month.week.day (M3.5.0), or as J1 to J365, or 0 to 365"
            }
            Self::Time => "must give the time of a shift in hours from -167 to 167 (/3, /2:45, /-1)",
            Self::Trailing => "must end after the rules of summer time",
        })
    }
}

impl Zone {
    /// The same clock as UTC.
    pub const UTC: Self = Self { standard_s: 0, saving: None };

    /// Reads a `TZ` string.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence that begins with "must".
    pub fn parse(text: &str) -> Result<Self, ZoneError> {
        let mut input = Input { rest: text.as_bytes() };
        input.name()?;
        let standard_s = -input.hours(24).ok_or(ZoneError::Offset)?;
        if input.rest.is_empty() {
            return Ok(Self { standard_s, saving: None });
        }
        input.name()?;
        let offset_s = match input.rest.first() {
            None | Some(b',') => standard_s.saturating_add(3_600),
            Some(_) => -input.hours(24).ok_or(ZoneError::Offset)?,
        };
        if input.rest.is_empty() {
            return Err(ZoneError::MissingRules);
        }
        let start = input.rule()?;
        let end = input.rule()?;
        if !input.rest.is_empty() {
            return Err(ZoneError::Trailing);
        }
        Ok(Self { standard_s, saving: Some(Saving { offset_s, start, end }) })
    }

    /// How far the clocks are ahead of UTC at a moment in Unix seconds.
    #[must_use]
    pub fn offset_at(&self, unix: i64) -> Offset {
        match &self.saving {
            None => Offset { seconds: self.standard_s, dst: false },
            Some(saving) => self.offset_after(&self.shifts_around(unix, saving), unix, saving),
        }
    }

    /// What calendar and clock show at a moment in Unix seconds.
    #[must_use]
    pub fn local(&self, unix: i64) -> Civil {
        let local = in_range(unix).saturating_add(i64::from(self.offset_at(unix).seconds));
        let local = in_range(local);
        let day_number = local.div_euclid(DAY_S);
        Civil {
            date: Date::from_day_number(day_number),
            seconds_of_day: local.rem_euclid(DAY_S) as u32,
            weekday: weekday(day_number),
            day_number,
        }
    }

    /// When the clock shows `seconds_of_day` on a day: the first moment at which it shows that *or more*. So a
    /// repeated time is the first of the two, and a skipped one the moment of the shift.
    #[must_use]
    pub fn resolve(&self, day_number: i64, seconds_of_day: u32) -> i64 {
        let local = day_number.clamp(FIRST_DAY, LAST_DAY) * DAY_S + i64::from(seconds_of_day);
        let Some(saving) = &self.saving else { return local - i64::from(self.standard_s) };
        let earliest = local - i64::from(self.standard_s.max(saving.offset_s));
        let latest = local - i64::from(self.standard_s.min(saving.offset_s));
        let shifts = self.shifts_around(latest, saving);
        let shown = |moment: i64| moment + i64::from(self.offset_after(&shifts, moment, saving).seconds);
        // Between two shifts the clock runs evenly: it reaches the time at one of these.
        let candidates = shifts.iter().map(|shift| shift.at).chain([earliest]);
        candidates
            .filter(|moment| (earliest..latest).contains(moment) && shown(*moment) >= local)
            .min()
            .unwrap_or(latest)
    }

    /// The shifts of the years around a moment: a rule may lead a week out of its year. They cost more than all that is
    /// done with them.
    fn shifts_around(&self, unix: i64, saving: &Saving) -> [Shift; 8] {
        let year = Date::from_day_number(in_range(unix).div_euclid(DAY_S)).year;
        let start = |year| Shift { at: saving.start.unix(year, self.standard_s), to_saving: true };
        let end = |year| Shift { at: saving.end.unix(year, saving.offset_s), to_saving: false };
        let [oldest, old, this, next] = [year - 2, year - 1, year, year + 1];
        [start(oldest), end(oldest), start(old), end(old), start(this), end(this), start(next), end(next)]
    }

    /// What the newest of these shifts made of the clock.
    fn offset_after(&self, shifts: &[Shift], unix: i64, saving: &Saving) -> Offset {
        match shifts.iter().filter(|shift| shift.at <= unix).max() {
            Some(Shift { to_saving: true, .. }) => Offset { seconds: saving.offset_s, dst: true },
            _ => Offset { seconds: self.standard_s, dst: false },
        }
    }
}

impl Rule {
    /// When it applies in a year, by clocks that are `offset_s` ahead of UTC.
    fn unix(&self, year: i32, offset_s: i32) -> i64 {
        self.day.day_number(year) * DAY_S + i64::from(self.time_s) - i64::from(offset_s)
    }
}

impl RuleDay {
    fn day_number(self, year: i32) -> i64 {
        let first = |month| Date { year, month, day: 1 }.day_number();
        match self {
            Self::Month { month, week, weekday: sunday_based } => {
                let start = first(month);
                let end = if month < 12 { first(month + 1) } else { first(12) + 31 };
                let days_until = (i64::from(sunday_based) + 6 - i64::from(weekday(start))).rem_euclid(7);
                let day = start + days_until + 7 * (i64::from(week) - 1);
                // A fifth one is the last one, which may be the fourth.
                if day < end { day } else { day - 7 }
            }
            Self::WithoutLeapDay(day) => {
                let leap_day = i64::from(first(3) - first(1) == 60 && day >= 60);
                first(1) + i64::from(day) - 1 + leap_day
            }
            Self::WithLeapDay(day) => first(1) + i64::from(day),
        }
    }
}

/// What is left to read.
struct Input<'a> {
    rest: &'a [u8],
}

impl Input<'_> {
    fn take(&mut self, byte: u8) -> bool {
        match self.rest.split_first() {
            Some((&first, rest)) if first == byte => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// How many bytes of a kind come now; they are read over.
    fn skip(&mut self, wanted: impl Fn(u8) -> bool) -> usize {
        let length = self.rest.iter().take_while(|&&byte| wanted(byte)).count();
        self.rest = self.rest.get(length..).unwrap_or_default();
        length
    }

    fn name(&mut self) -> Result<(), ZoneError> {
        let long_enough = if self.take(b'<') {
            let length = self.skip(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'-');
            self.take(b'>') && length >= 3
        } else {
            self.skip(|byte| byte.is_ascii_alphabetic()) >= 3
        };
        long_enough.then_some(()).ok_or(ZoneError::Name)
    }

    /// A number of `digits.0` to `digits.1` digits, at most 4.
    fn number(&mut self, digits: (usize, usize)) -> Option<u16> {
        let before = self.rest;
        let length = self.skip(|byte| byte.is_ascii_digit());
        let number = before.get(..length)?;
        (digits.0..=digits.1).contains(&length).then(|| {
            number.iter().fold(0_u16, |sum, digit| {
                sum.saturating_mul(10).saturating_add(u16::from(digit.saturating_sub(b'0')))
            })
        })
    }

    /// `[+-]h[:mm[:ss]]` in seconds; all of it at most `most` hours.
    fn hours(&mut self, most: u16) -> Option<i32> {
        let negative = self.take(b'-');
        if !negative {
            self.take(b'+');
        }
        let mut seconds = i32::from(self.number((1, 3))?).saturating_mul(3_600);
        for unit in [60, 1] {
            if !self.take(b':') {
                break;
            }
            let part = self.number((2, 2)).filter(|&part| part < 60)?;
            seconds = seconds.saturating_add(i32::from(part) * unit);
        }
        let fits = seconds <= i32::from(most) * 3_600;
        fits.then_some(if negative { -seconds } else { seconds })
    }

    /// `,day[/time]`.
    fn rule(&mut self) -> Result<Rule, ZoneError> {
        let day = self.take(b',').then(|| self.rule_day()).flatten().ok_or(ZoneError::Rule)?;
        let time_s = if self.take(b'/') { self.hours(167).ok_or(ZoneError::Time)? } else { 2 * 3_600 };
        Ok(Rule { day, time_s })
    }

    fn rule_day(&mut self) -> Option<RuleDay> {
        if self.take(b'M') {
            let mut part = |last: bool, range: core::ops::RangeInclusive<u16>| {
                let number = self.number((1, 2)).filter(|number| range.contains(number))?;
                (last || self.take(b'.')).then_some(number as u8)
            };
            let (month, week) = (part(false, 1..=12)?, part(false, 1..=5)?);
            return Some(RuleDay::Month { month, week, weekday: part(true, 0..=6)? });
        }
        if self.take(b'J') {
            let day = self.number((1, 3)).filter(|day| (1..=365).contains(day))?;
            return Some(RuleDay::WithoutLeapDay(day));
        }
        self.number((1, 3)).filter(|&day| day <= 365).map(RuleDay::WithLeapDay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(text: &str) -> Zone {
        Zone::parse(text).unwrap()
    }

    fn day(year: i32, month: u8, day: u8) -> i64 {
        Date { year, month, day }.day_number()
    }

    #[test]
    fn names_and_offsets() {
        for (text, seconds) in [
            ("UTC0", 0),
            ("CET-1", 3_600),
            ("EST+5", -18_000),
            ("<+0330>-3:30", 12_600),
            ("<-00>0", 0),
            ("XYZ-1:02:03", 3_723),
            ("LONGNAME24", -86_400),
        ] {
            assert_eq!(zone(text).offset_at(0), Offset { seconds, dst: false }, "{text}");
        }
    }

    #[test]
    fn wrong_texts_are_told_why() {
        for (text, error) in [
            ("", ZoneError::Name),
            ("C", ZoneError::Name),
            (":Europe/Berlin", ZoneError::Name),
            ("<+3>-3", ZoneError::Name),
            ("<+03-3", ZoneError::Name),
            ("Europe/Berlin", ZoneError::Offset),
            ("CET", ZoneError::Offset),
            ("CET-25", ZoneError::Offset),
            ("CET-24:00:01", ZoneError::Offset),
            ("CET-1:60", ZoneError::Offset),
            ("CET-1:5", ZoneError::Offset),
            ("CET-1CE", ZoneError::Name),
            ("CET-1CEST", ZoneError::MissingRules),
            ("CET-1CEST-2", ZoneError::MissingRules),
            ("CET-1CEST-x", ZoneError::Offset),
            ("CET-1CEST,M3.5.0", ZoneError::Rule),
            ("CET-1CEST,M13.5.0,M10.5.0", ZoneError::Rule),
            ("CET-1CEST,M3.6.0,M10.5.0", ZoneError::Rule),
            ("CET-1CEST,M3.5.7,M10.5.0", ZoneError::Rule),
            ("CET-1CEST,J0,J365", ZoneError::Rule),
            ("CET-1CEST,0,366", ZoneError::Rule),
            ("CET-1CEST,M3.5.0/168,M10.5.0", ZoneError::Time),
            ("CET-1CEST,M3.5.0/,M10.5.0", ZoneError::Time),
            ("CET-1CEST,M3.5.0,M10.5.0/3 ", ZoneError::Trailing),
            ("CET-1CEST,M3.5.0,M10.5.0,", ZoneError::Trailing),
        ] {
            assert_eq!(Zone::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_skipped_time_is_the_shift_and_a_repeated_one_the_first() {
        let berlin = zone("CET-1CEST,M3.5.0,M10.5.0/3");
        let spring = day(2026, 3, 29);
        let shift = spring * DAY_S + 3_600;
        for seconds_of_day in [7_200, 7_201, 9_000, 10_799, 10_800] {
            assert_eq!(berlin.resolve(spring, seconds_of_day), shift);
        }
        assert_eq!(berlin.resolve(spring, 7_199), shift - 1);
        assert_eq!(berlin.resolve(spring, 10_801), shift + 1);
        let autumn = day(2026, 10, 25);
        assert_eq!(berlin.resolve(autumn, 7_200), autumn * DAY_S);
        assert_eq!(berlin.resolve(autumn, 10_799), autumn * DAY_S + 3_599);
        assert_eq!(berlin.resolve(autumn, 10_800), autumn * DAY_S + 7_200);
    }

    #[test]
    fn local_time_on_both_sides_of_a_shift() {
        let greenland = zone("<-02>2<-01>,M3.5.0/-1,M10.5.0/0");
        // The last Sunday of March less an hour: Saturday 28, 23:00 local.
        let shift = day(2026, 3, 29) * DAY_S + 3_600;
        let before = greenland.local(shift - 1);
        assert_eq!((before.day_number, before.seconds_of_day), (day(2026, 3, 28), 82_799));
        assert_eq!(before.weekday, 5);
        let after = greenland.local(shift);
        assert_eq!((after.day_number, after.seconds_of_day, after.weekday), (day(2026, 3, 29), 0, 6));
        assert_eq!(after.date, Date { year: 2026, month: 3, day: 29 });
    }

    #[test]
    fn days_of_the_year_with_and_without_the_leap_day() {
        for (text, year, expected) in [
            ("AAA0BBB,J60/0,J300", 2027, day(2027, 3, 1)),
            ("AAA0BBB,J60/0,J300", 2028, day(2028, 3, 1)),
            ("AAA0BBB,59/0,J300", 2027, day(2027, 3, 1)),
            ("AAA0BBB,59/0,J300", 2028, day(2028, 2, 29)),
            ("AAA0BBB,J365/0,J300", 2028, day(2028, 12, 31)),
        ] {
            let shift = expected * DAY_S;
            assert!(zone(text).offset_at(shift).dst, "{text} {year}");
            assert!(!zone(text).offset_at(shift - 1).dst, "{text} {year}");
        }
    }

    #[test]
    fn a_summer_across_the_new_year_and_one_without_end() {
        let chile = zone("<-04>4<-03>,M9.1.6/24,M4.1.6/24");
        assert!(chile.offset_at(day(2026, 12, 31) * DAY_S).dst);
        assert!(chile.offset_at(day(2027, 1, 1) * DAY_S).dst);
        assert!(!chile.offset_at(day(2027, 6, 1) * DAY_S).dst);
        // RFC 8536, section 3.3.1, has this one.
        let endless = zone("EST5EDT,0/0,J365/25");
        for hour in -48..48 {
            assert!(endless.offset_at(day(2028, 1, 1) * DAY_S + hour * 3_600).dst);
        }
        // Both shifts lead into the next year; its predecessor's still hold on 2 January.
        let late = zone("AAA0BBB,M6.1.0,J365/160");
        assert!(late.offset_at(day(2027, 1, 2) * DAY_S).dst);
        assert!(!late.offset_at(day(2027, 1, 8) * DAY_S).dst);
    }
}
