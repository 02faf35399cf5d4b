//! `/api/v1/session`: who the caller is, signing in, signing out.

use alloc::boxed::Box;

use embassy_sync::blocking_mutex::raw::RawMutex;
use picoserve::io::Read;
use picoserve::request::{RequestBodyConnection, RequestParts};
use serde::Serialize;

use super::doors::Caller;
use super::json;
use super::problem::{Name, Problem};
use super::reply::{Extra, Reply};
use super::site::Site;
use crate::access::{By, Right, SESSION_LIFE};
use crate::platform::Clock;

const ANSWER: usize = 96;

/// `GET`.
#[derive(Serialize)]
struct SessionPage {
    right: Option<Right>,
    by: &'static str,
    /// Only a session ends by itself.
    expires_in_s: Option<u64>,
}

#[derive(Serialize)]
struct SignedInPage {
    right: Right,
    expires_in_s: u64,
}

#[derive(Serialize)]
struct SignedOutPage {
    signed_out: bool,
}

/// `GET`: who the caller is.
pub(super) fn show<'a, C: Clock, N: Clock, M: RawMutex>(
    site: &Site<'a, C, N, M>,
    caller: &Caller,
    parts: &RequestParts<'_>,
) -> Result<Reply<'a>, Problem> {
    let by = caller.known.map(|known| known.by);
    let expires_in_s = if by == Some(By::Session) { left(site, parts) } else { None };
    let by = match by {
        None => "open",
        Some(By::Session) => "session",
        Some(By::Digest) => "digest",
        Some(By::Token(_)) => "token",
    };
    let page = SessionPage { right: caller.known.map(|known| known.right), by, expires_in_s };
    Reply::json(site.budget, ANSWER, &page)
}

/// `POST`, with a right Digest: opens a session. `{}` is what its body must be.
pub(super) async fn sign_in<'a, C: Clock, N: Clock, M: RawMutex, R: Read>(
    site: &Site<'a, C, N, M>,
    parts: &RequestParts<'_>,
    body: &mut RequestBodyConnection<'_, R>,
) -> Result<Reply<'a>, Problem> {
    let access = &site.plug.state.access;
    let judged_by = access.kept().ha1;
    nothing_in(site.json_body(parts, body).await?)?;
    if access.kept().ha1 != judged_by {
        // The password was changed while the body came: that ended all sessions.
        return Err(Problem::Unauthorized { stale: false });
    }
    let page = SignedInPage { right: Right::Admin, expires_in_s: SESSION_LIFE.as_secs() };
    // Without room for an answer no session is opened: nobody would have its cookie.
    let mut reply = Reply::json(site.budget, ANSWER, &page)?;
    reply.lines.extra = Some(Box::new(Extra::Cookie(access.sign_in(site.plug.network_clock.now()))));
    Ok(reply)
}

/// `DELETE`: ends the session whose cookie comes along, if there is one.
pub(super) fn sign_out<'a, C: Clock, N: Clock, M: RawMutex>(
    site: &Site<'a, C, N, M>,
    parts: &RequestParts<'_>,
) -> Result<Reply<'a>, Problem> {
    let mut reply = Reply::json(site.budget, ANSWER, &SignedOutPage { signed_out: true })?;
    let cookie = parts.headers().get("cookie");
    let ended = site.plug.state.access.sign_out(cookie.as_ref().map(|value| value.as_raw()));
    reply.lines.extra = Some(Box::new(Extra::Cookie(ended)));
    Ok(reply)
}

/// Whole seconds that the session of the request lasts yet.
fn left<C: Clock, N: Clock, M: RawMutex>(site: &Site<'_, C, N, M>, parts: &RequestParts<'_>) -> Option<u64> {
    let cookie = parts.headers().get("cookie")?;
    let left = site.plug.state.access.session_left(Some(cookie.as_raw()), site.plug.network_clock.now());
    left.map(|left| left.as_secs())
}

/// Whether the body is an empty object.
fn nothing_in(body: &[u8]) -> Result<(), Problem> {
    let text = core::str::from_utf8(body).map_err(|_| Problem::BadJson)?;
    let mut unknown = None;
    json::members(text, |name, _| {
        unknown.get_or_insert_with(|| Name::new(name));
    })
    .map_err(|json::NotJson| Problem::BadJson)?;
    unknown.map_or(Ok(()), |name| Err(Problem::UnknownField { name }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signing_in_takes_no_fields() {
        let code = |body: &str| nothing_in(body.as_bytes()).map_err(|problem| problem.kind().1);
        assert_eq!(code(" { } "), Ok(()));
        assert_eq!(code("{\"password\":\"x\",\"y\":1}"), Err("unknown_field"));
        for body in ["", "[]", "{", "null", "{}{}"] {
            assert_eq!(code(body), Err("bad_json"), "{body}");
        }
        assert_eq!(nothing_in(b"{\"\xff\":1}"), Err(Problem::BadJson));
    }

    #[test]
    fn the_longest_answers_fit() {
        let longest =
            SessionPage { right: Some(Right::Control), by: "session", expires_in_s: Some(u64::MAX) };
        assert!(serde_json_core::to_slice(&longest, &mut [0; ANSWER]).is_ok());
        let longest = SignedInPage { right: Right::Admin, expires_in_s: u64::MAX };
        assert!(serde_json_core::to_slice(&longest, &mut [0; ANSWER]).is_ok());
    }
}
