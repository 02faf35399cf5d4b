//! The doors: who gets in. The order is the same for each request, and nothing of a body is looked at before its end:
//!
//! ```text
//!   by the access point, foreign name --> 302 to the plug's page
//!   host       400 none   421 not ours
//!   origin     403 not the host, or another page's picture that would do something
//!   room       503 the last free worker is kept for sign-in, set-up and pages
//!   set-up     403 nothing but the claim changes anything
//!   credentials   401 none or wrong   403 too small   429 too many wrong ones
//! ```
//!
//! Behind them come the route (404, 405), the type (415) and the body, in `site`.

use alloc::boxed::Box;
use alloc::string::String;
use core::net::IpAddr;

use embassy_sync::blocking_mutex::raw::RawMutex;
use picoserve::request::RequestParts;

use super::host::{self, Host};
use super::problem::Problem;
use super::reply::{Extra, Reply};
use super::routes::{Route, UPDATE_PATH, Who};
use super::site::Site;
use crate::access::{By, Credential, Presented, Right, SESSION_PATH, Verdict};
use crate::platform::Clock;
use crate::settings::schema::Reading;
use crate::state::State;

/// Who sends a request: what handlers need of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caller {
    /// What it showed of itself; `None`: nothing.
    pub(super) known: Option<Credential>,
    /// Whether it may see measurements.
    pub(super) sees_measurements: bool,
    /// Whether it may see all that a reader may: the plug's log, the network.
    pub(super) sees_all: bool,
}

/// At whose door a client stands: constant for a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer {
    /// Where it comes from.
    pub(super) address: IpAddr,
    /// Whether it came by the plug's own access point.
    pub(super) by_access_point: bool,
}

/// What the first doors found.
pub(super) enum Entry {
    /// Go on.
    Open,
    /// A phone that looks for the internet: it is sent to the plug's page.
    Captive,
}

/// Host and origin, for any method and any path.
///
/// # Errors
/// Which of them is wrong.
pub(super) fn entry(parts: &RequestParts<'_>, peer: Peer, state: &State, id: &str) -> Result<Entry, Problem> {
    let headers = parts.headers();
    let host = headers.get("host").ok_or(Problem::BadHost)?.as_raw();
    // The authority of an absolute target counts, not the header (RFC 9112 §3.2.2), which must be there all the same.
    let (authority, _) = host::split_target(parts.path().encoded());
    let asked = authority.map_or(host, str::as_bytes);
    let bad = |_| Problem::BadHost;
    Host::parse(host).map_err(bad)?;
    let ours = {
        let settings = state.settings.borrow();
        let others = settings.access.hosts.iter().map(heapless::String::as_str);
        let asked = Host::parse(asked).map_err(bad)?;
        asked.is_ours(id, &settings.device.host, others)
            || matches!(asked, Host::Name(name) if state.mdns.is(name))
    };
    if !ours {
        let looks = matches!(parts.method(), "GET" | "HEAD");
        return if peer.by_access_point && looks { Ok(Entry::Captive) } else { Err(Problem::WrongHost) };
    }
    match headers.get("origin") {
        Some(origin) if !host::is_same_origin(origin.as_raw(), asked) => Err(Problem::WrongOrigin),
        _ => Ok(Entry::Open),
    }
}

/// Whether another page sends this request. Browsers say it where they trust the address (`https`, this computer itself); an
/// `Origin` they leave out when they fetch a picture.
pub(super) fn is_from_another_page(parts: &RequestParts<'_>) -> bool {
    let site = parts.headers().get("sec-fetch-site");
    site.is_some_and(|site| !matches!(site.as_raw(), b"same-origin" | b"none"))
}

/// Whether an address is for machines: known or not, it takes credentials.
pub(super) fn is_for_machines(path: &str) -> bool {
    ["/api", "/ota", "/metrics", UPDATE_PATH]
        .iter()
        .any(|start| path.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// Whether a browser wants the page of updates. Whatever else looks there is about to upload, and asks how to sign in:
/// ElegantOTA's clients do.
pub(super) fn wants_update_page(parts: &RequestParts<'_>, path: &str) -> bool {
    path == UPDATE_PATH
        && matches!(parts.method(), "GET" | "HEAD")
        && parts.headers().get("accept").is_some_and(|value| contains(value.as_raw(), b"text/html"))
}

/// Who may send a request with this method here. What is not known asks for what the worst of its kind would.
/// `wants_page`: see [`wants_update_page`].
pub(super) fn who(route: Option<&Route>, path: &str, method: &str, wants_page: bool) -> Who {
    if path == UPDATE_PATH && matches!(method, "GET" | "HEAD") {
        return if wants_page { Who::Anyone } else { Who::Admin };
    }
    match route.and_then(|route| route.methods.who(method)) {
        Some(who) => who,
        None if !is_for_machines(path) => Who::Anyone,
        None if matches!(method, "GET" | "HEAD") => Who::Open,
        None => Who::Admin,
    }
}

/// Whether the last free worker serves this: what somebody needs to get in, and the page to ask who is.
pub(super) fn is_served_by_the_last(who: Who, path: &str) -> bool {
    matches!(who, Who::Anyone | Who::SignIn | Who::SignOut | Who::Claim) || path == SESSION_PATH
}

impl<C: Clock, N: Clock, M: RawMutex> Site<'_, C, N, M> {
    /// Set-up mode and credentials.
    ///
    /// # Errors
    /// Why the caller stays outside.
    pub(super) fn admit(&self, who: Who, path: &str, parts: &RequestParts<'_>) -> Result<Caller, Problem> {
        let state = self.plug.state;
        let looks = matches!(parts.method(), "GET" | "HEAD");
        if !state.access.has_owner() {
            let claims = who == Who::Claim;
            // A page that does not take a method says so itself.
            let harmless = who == Who::Anyone;
            return if looks || claims || harmless {
                Ok(Caller { known: None, sees_measurements: true, sees_all: true })
            } else {
                Err(Problem::SetupRequired)
            };
        }
        // A browser shows its credentials everywhere; pages do not care.
        let looked_at = is_for_machines(path) && !wants_update_page(parts, path);
        let known = if looked_at { self.credential(parts)? } else { None };
        let may = |right| known.is_some_and(|known| known.right >= right);
        let open = state.settings.borrow().access.reading == Reading::Open;
        let sees_all = may(Right::Read);
        let caller = Caller { known, sees_measurements: open || sees_all, sees_all };
        let welcome = match who {
            Who::Anyone => true,
            Who::Open => caller.sees_measurements,
            Who::Read => sees_all,
            Who::Control => may(Right::Control),
            Who::Admin | Who::Claim => may(Right::Admin),
            Who::SignIn => known.is_some_and(|known| known.by == By::Digest),
            Who::SignOut => known.is_some_and(|known| matches!(known.by, By::Digest | By::Session)),
        };
        match known {
            _ if welcome => Ok(caller),
            // A session opens reading only; whoever has one knows the password and can show it.
            None | Some(Credential { by: By::Session, .. }) => Err(Problem::Unauthorized { stale: false }),
            // All others are tokens.
            Some(_) if matches!(who, Who::SignIn | Who::SignOut) => Err(Problem::PasswordOnly),
            Some(_) => Err(Problem::Forbidden),
        }
    }

    /// What the request shows; `None`: nothing.
    ///
    /// # Errors
    /// It is wrong, or nobody looks at it any more.
    fn credential(&self, parts: &RequestParts<'_>) -> Result<Option<Credential>, Problem> {
        let headers = parts.headers();
        let (authorization, cookie) = (headers.get("authorization"), headers.get("cookie"));
        if authorization.is_none() && cookie.is_none() {
            return Ok(None);
        }
        let path = parts.path().encoded();
        let whole = match parts.query() {
            Some(query) if authorization.is_some() => Some(joined(path, query.0)?),
            _ => None,
        };
        let presented = Presented {
            authorization: authorization.as_ref().map(|value| value.as_raw()),
            cookie: cookie.as_ref().map(|value| value.as_raw()),
            method: parts.method(),
            target: whole.as_deref().unwrap_or(path),
            peer: self.peer.address,
        };
        let (clock, state) = (self.plug.clock, self.plug.state);
        // Nonces, sessions and waits are in the client's time.
        let now = self.plug.network_clock.now();
        let say =
            |text: &str| state.put_log(clock.time_of_day(), clock.now().since_start().as_secs_f64(), text);
        match state.access.judge(&presented, now, say) {
            Verdict::Nobody => Ok(None),
            Verdict::Known(credential) => Ok(Some(credential)),
            Verdict::Wrong { stale } => Err(Problem::Unauthorized { stale }),
            Verdict::TooMany { wait } => Err(Problem::TooManyAttempts { wait }),
        }
    }

    /// The answer to somebody who stays outside; a 401 says how to get in.
    pub(super) fn turn_away<'r>(&self, problem: Problem, parts: &RequestParts<'_>) -> Reply<'r> {
        let stale = match problem {
            Problem::Unauthorized { stale } => Some(stale),
            _ => None,
        };
        let mut reply = Reply::from(problem);
        if let Some(stale) = stale {
            let headers = parts.headers();
            let accepts = |kind| headers.get("accept").is_some_and(|value| contains(value.as_raw(), kind));
            // A browser's own stream of events cannot say that it is the page's.
            let hidden = headers.get("x-requested-with").is_some_and(|value| value.as_raw() == b"ossp")
                || accepts(b"text/event-stream");
            // A browser that wants a page would open a dialog of its own, with the password in its keeping.
            let page = accepts(b"text/html");
            if hidden || !page {
                let challenge = self.plug.state.access.challenge(self.plug.network_clock.now(), stale);
                reply.lines.extra = Some(Box::new(Extra::Challenge { hidden, challenge }));
            }
        }
        reply
    }
}

/// Path and query as they were sent. picoserve cuts them; a Digest is made of the whole.
fn joined(path: &str, query: &str) -> Result<String, Problem> {
    let mut whole = String::new();
    whole.try_reserve_exact(path.len() + 1 + query.len()).map_err(|_| Problem::Busy)?;
    whole.push_str(path);
    whole.push('?');
    whole.push_str(query);
    Ok(whole)
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::routes::{ROUTES, find};

    #[test]
    fn what_nobody_knows_asks_for_the_most() {
        let who = |method, path| who(find(path), path, method, false);
        for path in
            ["/api", "/api/", "/api/v1/x", "/api/v1/info/x", "/ota", "/ota/x", "/metrics/x", "/update/x"]
        {
            assert_eq!(who("GET", path), Who::Open, "{path}");
            assert_eq!(who("HEAD", path), Who::Open, "{path}");
            for method in ["PUT", "POST", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW", "get", ""] {
                assert_eq!(who(method, path), Who::Admin, "{method} {path}");
            }
        }
        for path in ["/x", "/apix", "/otas", "*", ""] {
            assert_eq!(who("GET", path), Who::Anyone, "{path}");
            assert_eq!(who("POST", path), Who::Anyone, "{path}");
        }
        assert_eq!(who("DELETE", "/api/v1/info"), Who::Admin);
        assert_eq!(who("POST", "/metrics"), Who::Admin);
    }

    #[test]
    fn what_takes_credentials_is_where_they_are_looked_at() {
        for route in ROUTES {
            for (method, who) in route.methods.0 {
                assert!(
                    *who == Who::Anyone || is_for_machines(route.path),
                    "{method:?} {} would never see credentials",
                    route.path
                );
            }
        }
    }
}
