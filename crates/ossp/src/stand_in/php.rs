//! What PHP makes of values, names and times: the part of Emoncms' behaviour that is its language's.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// JSON with its members in the order in which they came: inputs are created in that order.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// Any number.
    Number(f64),
    /// Text.
    Text(String),
    /// `[...]`
    List(Vec<Json>),
    /// `{...}`
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads JSON as strictly as PHP does; `None` if it is none.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// PHP's `(float)`.
    #[must_use]
    pub fn float(&self) -> f64 {
        match self {
            Self::Null => 0.0,
            Self::Bool(yes) => f64::from(u8::from(*yes)),
            Self::Number(number) => *number,
            Self::Text(text) => leading_number(text),
            Self::List(items) => f64::from(u8::from(!items.is_empty())),
            Self::Object(_) => 1.0,
        }
    }

    /// PHP's `(int)`: a fraction is cut off.
    #[must_use]
    pub fn int(&self) -> i64 {
        cut(self.float())
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyJson)
    }
}

struct AnyJson;

impl<'de> Visitor<'de> for AnyJson {
    type Value = Json;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, yes: bool) -> Result<Json, E> {
        Ok(Json::Bool(yes))
    }

    #[expect(clippy::cast_precision_loss, reason = "PHP's floats are the same")]
    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Number(number as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "PHP's floats are the same")]
    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(Json::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json, E> {
        Ok(Json::Number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let mut object: Vec<(String, Json)> = Vec::new();
        while let Some((name, value)) = members.next_entry::<String, Json>()? {
            // The last of several of one name counts, at the place of the first.
            match object.iter_mut().find(|(other, _)| *other == name) {
                Some((_, before)) => *before = value,
                None => object.push((name, value)),
            }
        }
        Ok(Json::Object(object))
    }
}

/// The number that a text begins with, 0 if with none.
#[must_use]
pub fn leading_number(text: &str) -> f64 {
    let text = text.trim_start();
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
    let mut numbers = ends.filter_map(|end| text.get(..end).filter(|part| plain_number(part)));
    numbers.next_back().and_then(|part| part.parse().ok()).unwrap_or(0.0)
}

/// Digits, a point, an exponent: what `parse` takes besides (`inf`, `nan`) is none to PHP.
fn plain_number(text: &str) -> bool {
    !text.ends_with(char::is_whitespace)
        && text.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E'))
        && text.parse::<f64>().is_ok()
}

/// PHP's `is_numeric` of a text: spaces around it are allowed.
#[must_use]
pub fn is_numeric(text: &str) -> bool {
    plain_number(text.trim())
}

/// A fraction is cut off.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "the cast saturates; so far away no clock stands")]
pub fn cut(number: f64) -> i64 {
    number.trunc() as i64
}

/// A name as it is kept: every character but letters, digits, `_`, `-`, `.` and spaces is dropped silently.
#[must_use]
pub fn kept_name(name: &str) -> String {
    name.chars()
        .filter(|c| c.is_alphanumeric() || c.is_whitespace() || matches!(c, '_' | '-' | '.'))
        .collect()
}

/// A number as PHP prints it: whole ones without a point.
#[must_use]
pub fn printed(number: f64) -> String {
    if number == number.trunc() && number.abs() < 1e15 {
        format!("{}", cut(number))
    } else {
        serde_json::Number::from_f64(number).map_or_else(|| "null".to_owned(), |number| number.to_string())
    }
}

/// What time a text means, in Unix seconds; `now` if nobody can read it.
#[must_use]
pub fn time_of(text: &str, now: i64) -> i64 {
    if is_numeric(text) { cut(leading_number(text)) } else { iso_time(text.trim()).unwrap_or(now) }
}

/// ISO 8601, `T` or a space in the middle, a fraction, `Z` or an offset at the end. Without one it is UTC, the time zone
/// of a server that nobody told another.
fn iso_time(text: &str) -> Option<i64> {
    let (date, clock) = match text.split_once(['T', ' ']) {
        Some((date, clock)) => (date, clock),
        None => (text, "00:00:00"),
    };
    let mut parts = date.split('-');
    let (year, month, day) =
        (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    if parts.next().is_some() || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let zone_at = clock.find(['Z', '+', '-']).unwrap_or(clock.len());
    let (clock, zone) = clock.split_at_checked(zone_at)?;
    let whole = clock.split_once('.').map_or(Some(clock), |(whole, fraction)| {
        fraction.bytes().all(|byte| byte.is_ascii_digit()).then_some(whole)
    })?;
    let mut parts = whole.split(':');
    let (hour, minute) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let second = parts.next().map_or(Some(0), |part| digits(part, 2))?;
    if parts.next().is_some() || hour > 24 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = hour * 3600 + minute * 60 + second;
    Some(days_since_1970(year, month, day) * 86_400 + seconds - zone_offset(zone)?)
}

fn zone_offset(zone: &str) -> Option<i64> {
    if zone.is_empty() {
        return Some(0);
    }
    let (sign, rest) = match zone.split_at_checked(1)? {
        ("Z", "") => return Some(0),
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let packed = rest.replace(':', "");
    let packed = if packed.len() == 2 { packed + "00" } else { packed };
    let (hours, minutes) = packed.split_at_checked(2)?;
    Some(sign * (digits(hours, 2)? * 3600 + digits(minutes, 2)? * 60))
}

fn digits(text: &str, length: usize) -> Option<i64> {
    let all = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    all.then(|| text.parse().ok()).flatten()
}

/// Days from 1970-01-01 in the Gregorian calendar: years are counted from March, so that the leap day is a year's last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

/// `now` as the `Date` header has it.
#[must_use]
pub fn http_date(now: i64) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (days, seconds) = (now.div_euclid(86_400), now.rem_euclid(86_400));
    let mut year = 1970 + days.div_euclid(366);
    while days_since_1970(year + 1, 1, 1) <= days {
        year += 1;
    }
    let month = (1..=12).rev().find(|month| days_since_1970(year, *month, 1) <= days).unwrap_or(1);
    let day = days - days_since_1970(year, month, 1) + 1;
    let name = |names: &[&'static str], at: i64| {
        usize::try_from(at).ok().and_then(|at| names.get(at).copied()).unwrap_or_default()
    };
    let (week, named) = (name(&DAYS, days.rem_euclid(7)), name(&MONTHS, month - 1));
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{week}, {day:02} {named} {year} {hour:02}:{minute:02}:{second:02} GMT")
}
