//! The stand-in's own pages: what is stored, and what is to go wrong from now on.

use std::net::IpAddr;

use super::StandIn;
use super::answer::Answer;
use super::fault::Planned;
use super::php::{self, Json};
use super::request::Request;
use super::routes::text;

/// `GET /stand-in/state`, `POST /stand-in/fault`, `POST /stand-in/clear`.
pub(super) fn answer(stand_in: &mut StandIn, request: &Request) -> Answer {
    if !is_asked_directly(request) {
        let words = r#"{"error":"ask by the address that the program tells, not from another page"}"#;
        return Answer::new("HTTP/1.1 403 Forbidden", "application/json", words.to_owned());
    }
    match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/stand-in/state") => Answer::json(state(stand_in)),
        ("POST", "/stand-in/fault") => match planned(&request.body) {
            Ok(faults) => {
                stand_in.faults = faults;
                Answer::json(state(stand_in))
            }
            Err(words) => Answer::new(
                "HTTP/1.1 400 Bad Request",
                "application/json",
                format!(r#"{{"error":{}}}"#, text(&words)),
            ),
        },
        ("POST", "/stand-in/clear") => {
            let account = &mut stand_in.account;
            (account.inputs, account.feeds, account.stored) = (Vec::new(), Vec::new(), Vec::new());
            (stand_in.requests, stand_in.bytes, stand_in.received) = (0, 0, Vec::new());
            Answer::json(state(stand_in))
        }
        _ => {
            let words =
                r#"{"error":"here are GET /stand-in/state, POST /stand-in/fault and POST /stand-in/clear"}"#;
            Answer::new("HTTP/1.1 404 Not Found", "application/json", words.to_owned())
        }
    }
}

/// Whether it was not a page of somebody else's in a browser on this machine that asked: such a page has its own name in
/// `Host`, whatever address it gave that name, or in `Origin`.
fn is_asked_directly(request: &Request) -> bool {
    let Some(host) = request.header("host") else { return true };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.trim_start_matches('[').trim_end_matches(']');
    let is_ours = name.eq_ignore_ascii_case("localhost") || address.parse::<IpAddr>().is_ok();
    let same =
        |origin: &str| origin.strip_prefix("http://").is_some_and(|origin| origin.eq_ignore_ascii_case(host));
    is_ours && request.header("origin").is_none_or(same)
}

/// `{"fault": "freeze"}`, with `"times": 2`; `{"fault": null}` ends all; `{"faults": ["freeze*2", "fatal"]}`.
fn planned(body: &[u8]) -> Result<Vec<Planned>, String> {
    let wanted = r#"{"fault": "NAME"} is wanted, {"fault": null}, or {"faults": ["NAME*2", "NAME"]}"#;
    let Some(Json::Object(members)) = Json::parse(body) else { return Err(wanted.to_owned()) };
    let member = |name: &str| members.iter().find(|(other, _)| other == name).map(|(_, value)| value);
    match (member("fault"), member("faults")) {
        (Some(Json::Null), None) => Ok(Vec::new()),
        (Some(Json::Text(fault)), None) => {
            let mut planned: Planned = fault.parse()?;
            if let Some(times) = member("times") {
                planned.times = u32::try_from(times.int()).ok();
            }
            Ok(vec![planned])
        }
        (None, Some(Json::List(faults))) => faults
            .iter()
            .map(|fault| match fault {
                Json::Text(fault) => fault.parse(),
                _ => Err(wanted.to_owned()),
            })
            .collect(),
        _ => Err(wanted.to_owned()),
    }
}

fn joined(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(",")
}

fn state(stand_in: &StandIn) -> String {
    let account = &stand_in.account;
    let faults = joined(stand_in.faults.iter().map(|fault| text(&fault.to_string())));
    let inputs = joined(account.inputs.iter().map(|input| {
        format!(
            r#"{{"id":{},"node":{},"name":{},"time":{},"value":{},"process_list":{}}}"#,
            input.id,
            text(&input.node),
            text(&input.name),
            input.time,
            php::printed(input.value),
            text(&input.process_list())
        )
    }));
    let feeds = joined(account.feeds.iter().map(|feed| {
        let points =
            joined(feed.points().map(|(time, value)| format!("[{time},{}]", php::printed(f64::from(value)))));
        format!(
            r#"{{"id":{},"tag":{},"name":{},"interval_s":{},"slots":{},"dropped":{},"points":[{points}]}}"#,
            feed.id,
            text(&feed.tag),
            text(&feed.name),
            feed.interval_s,
            feed.length(),
            feed.dropped
        )
    }));
    let received = joined(stand_in.received.iter().map(|request| {
        format!(
            r#"{{"time":{},"what":{},"bytes":{},"how":{},"fields":{},"answered":{}}}"#,
            php::printed(request.at),
            text(&request.what),
            request.length,
            text(&request.how),
            text(&request.fields),
            text(&request.answered)
        )
    }));
    format!(
        r#"{{"user_id":{},"faults":[{faults}],"requests":{},"bytes":{},"rows":{},"inputs":[{inputs}],"feeds":[{feeds}],"received":[{received}]}}"#,
        account.user_id,
        stand_in.requests,
        stand_in.bytes,
        account.stored.len()
    )
}
