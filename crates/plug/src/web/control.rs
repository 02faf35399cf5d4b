//! `POST /api/v1/restart`, `/reset` and `/identify`: what a person has the plug do as a whole.

use embassy_sync::blocking_mutex::raw::RawMutex;
use picoserve::io::Read;
use picoserve::request::{RequestBodyConnection, RequestParts};
use picoserve::response::StatusCode;
use serde::Serialize;

use super::problem::{Name, Problem};
use super::reply::Reply;
use super::site::Site;
use crate::json;
use crate::limits;
use crate::platform::Clock;
use crate::state::Restarting;

/// What must be said for a factory reset, so that nobody does it by mistake.
const CONFIRMATION: &str = "\"factory reset\"";
const ANSWER: usize = 64;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Restart,
    Reset,
    Identify,
}

#[derive(Serialize)]
struct RestartPage {
    restarting: bool,
}

#[derive(Serialize)]
struct IdentifyPage {
    identifying_s: f64,
}

pub(super) async fn control<'a, C: Clock, N: Clock, M: RawMutex, R: Read>(
    site: &Site<'a, C, N, M>,
    order: Order,
    parts: &RequestParts<'_>,
    body: &mut RequestBodyConnection<'_, R>,
) -> Result<Reply<'a>, Problem> {
    check(order, site.json_body(parts, body).await?)?;
    let state = site.plug.state;
    if order == Order::Identify {
        state.panel.identify(site.plug.clock.now());
        let page = IdentifyPage { identifying_s: limits::IDENTIFY.as_secs_f64() };
        return Reply::json(site.budget, ANSWER, &page);
    }
    // Without room for an answer nothing happens: whoever asked will ask again.
    let mut reply = Reply::json(site.budget, ANSWER, &RestartPage { restarting: true })?;
    reply.status = StatusCode::new(202);
    state.restart.signal(match order {
        Order::Reset => Restarting::FactoryReset,
        Order::Restart | Order::Identify => Restarting::Plain,
    });
    Ok(reply)
}

/// Whether the body is what the order wants: `{}`, for a factory reset with `confirm`.
fn check(order: Order, body: &[u8]) -> Result<(), Problem> {
    let text = core::str::from_utf8(body).map_err(|_| Problem::BadJson)?;
    let wrong = Problem::BadField { name: "confirm", wanted: CONFIRMATION };
    let (mut confirmed, mut problem) = (false, None);
    let whole = json::members(text, |name, value| {
        let found = match name {
            "confirm" if order == Order::Reset && confirmed => {
                Some(Problem::RepeatedField { name: "confirm" })
            }
            "confirm" if order == Order::Reset && value == CONFIRMATION => None,
            "confirm" if order == Order::Reset => Some(wrong.clone()),
            other => Some(Problem::UnknownField { name: Name::new(other) }),
        };
        confirmed |= found.is_none();
        problem = problem.take().or(found);
    });
    whole.map_err(|json::NotJson| Problem::BadJson)?;
    match problem {
        Some(problem) => Err(problem),
        None if order == Order::Reset && !confirmed => Err(wrong),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_wants_its_words() {
        let code = |order, body: &str| check(order, body.as_bytes()).map_err(|problem| problem.kind().1);
        assert_eq!(code(Order::Reset, "{\"confirm\":\"factory reset\"}"), Ok(()));
        for body in ["{}", "{\"confirm\":true}", "{\"confirm\":\"Factory reset\"}", "{\"confirm\":null}"] {
            assert_eq!(code(Order::Reset, body), Err("bad_field"), "{body}");
        }
        let twice = "{\"confirm\":\"factory reset\",\"confirm\":\"factory reset\"}";
        assert_eq!(code(Order::Reset, twice), Err("bad_field"));
        assert_eq!(code(Order::Reset, "{\"confirm\":\"factory reset\",\"now\":1}"), Err("unknown_field"));
        for order in [Order::Restart, Order::Identify] {
            assert_eq!(code(order, " { } "), Ok(()));
            assert_eq!(code(order, "{\"confirm\":\"factory reset\"}"), Err("unknown_field"));
            assert_eq!(code(order, ""), Err("bad_json"));
        }
    }
}
