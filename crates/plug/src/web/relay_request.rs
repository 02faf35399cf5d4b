//! The body of `PUT /api/v1/relay`.

use core::time::Duration;

use super::json;
use super::problem::{Name, Problem};
use crate::core::claims::{RelayCommand, Source, Wish};
use crate::number;

/// Shortest and longest `for_s`: longer than the relay needs to move, at most a week.
const FOR_S: core::ops::RangeInclusive<f64> = 0.1..=604_800.0;

/// Reads `{"on":true}`, `{"toggle":true}`, either with `"for_s":60`, or `{"release":true}`, and after a lock-out
/// `{"rearm":true}` or `{"cancel_retries":true}`.
///
/// # Errors
/// Which field is wrong, and what it must be.
pub(super) fn parse(body: &[u8]) -> Result<RelayCommand, Problem> {
    let text = core::str::from_utf8(body).map_err(|_| Problem::BadJson)?;
    let (mut on, mut toggle, mut for_s) = (None, None, None);
    let (mut release, mut rearm, mut cancel) = (None, None, None);
    let mut problem = None;
    let whole = json::members(text, |name, value| {
        let result = match name {
            "on" => once("on", &mut on, boolean("on", value)),
            "toggle" => once("toggle", &mut toggle, truth("toggle", value)),
            "release" => once("release", &mut release, truth("release", value)),
            "rearm" => once("rearm", &mut rearm, truth("rearm", value)),
            "cancel_retries" => once("cancel_retries", &mut cancel, truth("cancel_retries", value)),
            "for_s" => once("for_s", &mut for_s, duration("for_s", value)),
            other => Err(Problem::UnknownField { name: Name::new(other) }),
        };
        problem = problem.take().or(result.err());
    });
    whole.map_err(|json::NotJson| Problem::BadJson)?;
    if let Some(problem) = problem {
        return Err(problem);
    }
    let wishes = [
        on.map(Wish::Set),
        toggle.map(|()| Wish::Toggle),
        release.map(|()| Wish::Release),
        rearm.map(|()| Wish::Rearm),
        cancel.map(|()| Wish::CancelRetries),
    ];
    let mut given = wishes.into_iter().flatten();
    let (Some(wish), None) = (given.next(), given.next()) else { return Err(Problem::OneWish) };
    let duration = for_s.flatten();
    if duration.is_some() && !matches!(wish, Wish::Set(_) | Wish::Toggle) {
        return Err(Problem::BadField { name: "for_s", wanted: "given with on or toggle only" });
    }
    Ok(RelayCommand { wish, duration, source: Source::Web })
}

fn once<T>(name: &'static str, field: &mut Option<T>, value: Result<T, Problem>) -> Result<(), Problem> {
    match field.replace(value?) {
        None => Ok(()),
        Some(_) => Err(Problem::RepeatedField { name }),
    }
}

fn boolean(name: &'static str, value: &str) -> Result<bool, Problem> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Problem::BadField { name, wanted: "true or false" }),
    }
}

fn truth(name: &'static str, value: &str) -> Result<(), Problem> {
    if value == "true" { Ok(()) } else { Err(Problem::BadField { name, wanted: "true" }) }
}

/// Seconds; null means for good, as when the field is left out.
fn duration(name: &'static str, value: &str) -> Result<Option<Duration>, Problem> {
    if value == "null" {
        return Ok(None);
    }
    let wrong = Problem::BadField { name, wanted: "a number of seconds from 0.1 to 604800" };
    // The text is JSON, so nothing but a number begins with a digit; words such as `inf` never get here.
    let seconds = value.starts_with(|first: char| first.is_ascii_digit()).then(|| number::parse(value));
    match seconds.flatten().filter(|seconds| FOR_S.contains(seconds)) {
        Some(seconds) => Duration::try_from_secs_f64(seconds).map(Some).map_err(|_| wrong),
        None => Err(wrong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn command(wish: Wish, seconds: Option<f64>) -> Result<RelayCommand, Problem> {
        Ok(RelayCommand { wish, duration: seconds.map(Duration::from_secs_f64), source: Source::Web })
    }

    #[test]
    fn every_allowed_form_is_understood() {
        assert_eq!(parse(b"{\"on\":true}"), command(Wish::Set(true), None));
        assert_eq!(parse(b" { \"on\" : false } "), command(Wish::Set(false), None));
        assert_eq!(parse(b"{\"toggle\":true,\"for_s\":0.1}"), command(Wish::Toggle, Some(0.1)));
        assert_eq!(parse(b"{\"for_s\":6.048e5,\"on\":true}"), command(Wish::Set(true), Some(604_800.0)));
        assert_eq!(parse(b"{\"rearm\":true}"), command(Wish::Rearm, None));
        assert_eq!(parse(b"{\"release\":true}"), command(Wish::Release, None));
        assert_eq!(parse(b"{\"cancel_retries\":true}"), command(Wish::CancelRetries, None));
        assert_eq!(parse(b"{\"on\":true,\"for_s\":null}"), command(Wish::Set(true), None));
    }

    #[test]
    fn each_mistake_is_named() {
        let field = |body: &str| match parse(body.as_bytes()) {
            Err(Problem::BadField { name, .. } | Problem::RepeatedField { name }) => name.to_string(),
            Err(Problem::UnknownField { .. }) => "unknown".to_string(),
            Err(Problem::OneWish) => "one of".to_string(),
            Err(Problem::BadJson) => "json".to_string(),
            other => alloc::format!("{other:?}"),
        };
        for (body, expected) in [
            ("{\"on\":1}", "on"),
            ("{\"on\":\"true\"}", "on"),
            ("{\"on\":null}", "on"),
            ("{\"toggle\":false}", "toggle"),
            ("{\"on\":true,\"for_s\":0.05}", "for_s"),
            ("{\"on\":true,\"for_s\":-1}", "for_s"),
            ("{\"on\":true,\"for_s\":604800.1}", "for_s"),
            ("{\"on\":true,\"for_s\":1e999}", "for_s"),
            ("{\"on\":true,\"for_s\":\"5\"}", "for_s"),
            ("{\"on\":true,\"for_s\":true}", "for_s"),
            ("{\"on\":true,\"on\":true}", "on"),
            ("{\"On\":true}", "unknown"),
            ("{\"on\":true,\"speed\":2}", "unknown"),
            ("{}", "one of"),
            ("{\"for_s\":5}", "one of"),
            ("{\"on\":true,\"toggle\":true}", "one of"),
            ("{\"on\":true,\"rearm\":true}", "one of"),
            ("{\"rearm\":true,\"for_s\":5}", "for_s"),
            ("{\"release\":true,\"for_s\":5}", "for_s"),
            ("{\"release\":true,\"rearm\":true}", "one of"),
            ("{\"cancel_retries\":false}", "cancel_retries"),
            ("on", "json"),
            ("[]", "json"),
            ("{\"on\":true", "json"),
            ("", "json"),
        ] {
            assert_eq!(field(body), expected, "{body}");
        }
        assert_eq!(parse(b"{\"on\":\xff}"), Err(Problem::BadJson));
    }
}
