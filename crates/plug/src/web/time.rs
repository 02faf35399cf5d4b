//! `GET /api/v1/time`: what time it is, who said so and how sure that is. `POST`: somebody says what time it is.

use embassy_sync::blocking_mutex::raw::RawMutex;
use heapless::String;
use picoserve::io::Read;
use picoserve::request::{RequestBodyConnection, RequestParts};
use serde::Serialize;

use super::problem::{Name, Problem};
use super::reply::Reply;
use super::site::Site;
use super::wifi::dotted;
use crate::json;
use crate::platform::{Clock, Instant};
use crate::timekeeping::{AGREEING, Answer, Source, Verdict};

/// With the longest of everything; a test builds it.
const TIME_JSON: usize = 1024;
/// What a browser's clock is worth: most are set by NTP, and the way here takes its time.
const BROWSER_S: f64 = 1.0;
const WANTED: &str = "a number of Unix seconds from 2025 to 2099";

/// What does not exist is null.
#[derive(Serialize)]
struct Page<'a> {
    time: Option<f64>,
    uptime_s: f64,
    source: &'static str,
    from: Option<&'static str>,
    uncertainty_s: Option<f64>,
    age_s: Option<f64>,
    doubt: Option<DoubtPage>,
    #[serde(serialize_with = "dotted")]
    network_server: Option<core::net::Ipv4Addr>,
    asked: Option<AskedPage<'a>>,
    next_question_s: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    taken: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<&'static str>,
}

/// A step, or a first answer, that is not believed yet.
#[derive(Serialize)]
struct DoubtPage {
    by_s: f64,
    answers: usize,
    needed: usize,
    first: bool,
}

/// The last question to a time server.
#[derive(Serialize)]
struct AskedPage<'a> {
    server: &'a str,
    ago_s: f64,
    error: Option<ErrorPage>,
}

#[derive(Serialize)]
struct ErrorPage {
    code: &'static str,
    message: String<64>,
}

pub(super) fn show<'a, C: Clock, N: Clock, M: RawMutex>(
    site: &Site<'a, C, N, M>,
    verdict: Option<Verdict>,
) -> Result<Reply<'a>, Problem> {
    let (clock, state) = (site.plug.clock, site.plug.state);
    let now = clock.now();
    let timekeeping = &state.timekeeping;
    let (keeper, asked) = (timekeeping.keeper.borrow(), timekeeping.asked.borrow());
    let quality = keeper.quality(now);
    let uptime_s = now.since_start().as_secs_f64();
    let from =
        if keeper.is_of_platform() { Some("platform") } else { quality.map(|quality| quality.source.word()) };
    let page = Page {
        // What was just said holds for everybody a moment later, and here already.
        time: keeper.offset_s().map(|offset_s| offset_s + uptime_s).or_else(|| clock.time_of_day()),
        uptime_s,
        source: state.settings.borrow().time.source.word(),
        from,
        uncertainty_s: quality.map(|quality| quality.uncertainty_s),
        age_s: quality.map(|quality| quality.age_s),
        doubt: keeper.doubt_now(now).map(|doubt| DoubtPage {
            by_s: doubt.by_s,
            answers: doubt.answers,
            needed: AGREEING,
            first: doubt.first,
        }),
        network_server: state.time_server(),
        asked: asked.as_ref().map(|asked| AskedPage {
            server: &asked.server,
            ago_s: now.since(asked.at).as_secs_f64(),
            error: asked.error.map(|error| ErrorPage { code: error.code(), message: words(&error) }),
        }),
        next_question_s: timekeeping.next_question.get().map(|due| due.since(now).as_secs_f64()),
        taken: verdict.map(Verdict::agrees),
        verdict: verdict.map(Verdict::word),
    };
    Reply::json(site.budget, TIME_JSON, &page)
}

/// The sentences all fit.
fn words(text: &dyn core::fmt::Display) -> String<64> {
    let mut words = String::new();
    let _ = core::fmt::write(&mut words, format_args!("{text}"));
    words
}

pub(super) async fn tell<'a, C: Clock, N: Clock, M: RawMutex, R: Read>(
    site: &Site<'a, C, N, M>,
    parts: &RequestParts<'_>,
    body: &mut RequestBodyConnection<'_, R>,
) -> Result<Reply<'a>, Problem> {
    let unix_s = parse(site.json_body(parts, body).await?)?;
    let answer = browser(unix_s, site.plug.clock.now());
    match site.plug.state.offer_time(answer) {
        Verdict::Implausible => Err(Problem::BadField { name: "time", wanted: WANTED }),
        verdict => show(site, Some(verdict)),
    }
}

const fn browser(unix_s: f64, at: Instant) -> Answer {
    Answer { source: Source::Browser, unix_s, uncertainty_s: BROWSER_S, at }
}

/// The time in `{"time":1795996800.5}`.
fn parse(body: &[u8]) -> Result<f64, Problem> {
    let text = core::str::from_utf8(body).map_err(|_| Problem::BadJson)?;
    let wrong = Problem::BadField { name: "time", wanted: WANTED };
    let (mut time, mut problem) = (None, None);
    let whole = json::members(text, |name, value| {
        let found = match name {
            "time" if time.is_some() => Some(Problem::RepeatedField { name: "time" }),
            "time" => {
                time = json::number(value);
                time.is_none().then(|| wrong.clone())
            }
            other => Some(Problem::UnknownField { name: Name::new(other) }),
        };
        problem = problem.take().or(found);
    });
    whole.map_err(|json::NotJson| Problem::BadJson)?;
    match problem {
        Some(problem) => Err(problem),
        None => time.ok_or(wrong),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_and_nothing_else() {
        let code = |body: &str| parse(body.as_bytes()).map_err(|problem| problem.kind().1);
        assert_eq!(code("{\"time\":1795996800.5}"), Ok(1_795_996_800.5));
        assert_eq!(code(" { \"time\" : 1795996800 } "), Ok(1_795_996_800.0));
        for body in
            ["{}", "{\"time\":null}", "{\"time\":\"1795996800\"}", "{\"time\":true}", "{\"time\":[1]}"]
        {
            assert_eq!(code(body), Err("bad_field"), "{body}");
        }
        assert_eq!(code("{\"time\":1795996800,\"time\":1795996800}"), Err("bad_field"));
        assert_eq!(code("{\"time\":1795996800,\"zone\":1}"), Err("unknown_field"));
        for body in ["", "1795996800", "{\"time\":1795996800", "{\"time\":.5}", "{\"time\":NaN}"] {
            assert_eq!(code(body), Err("bad_json"), "{body}");
        }
    }
}
