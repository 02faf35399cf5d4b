//! Sessions: what a cookie opens, until it is half a day old or the plug restarts.

use core::time::Duration;

use ctutils::CtEq;
use heapless::Deque;

use super::hex;
use crate::platform::Instant;

/// How long a session lasts.
pub const SESSION_LIFE: Duration = Duration::from_secs(12 * 3600);
/// Sessions at once: the browsers of a household.
const SESSIONS: usize = 8;

struct Session {
    secret: [u8; 16],
    since: Instant,
}

/// Those that are open, oldest first.
pub(super) struct Sessions(Deque<Session, SESSIONS>);

impl Sessions {
    pub(super) const fn new() -> Self {
        Self(Deque::new())
    }

    /// Opens one; the oldest makes room: whether that was needed.
    pub(super) fn open(&mut self, secret: [u8; 16], now: Instant) -> bool {
        let full = self.0.is_full();
        crate::state::keep(&mut self.0, Session { secret, since: now });
        full
    }

    /// Ends the one of this `Cookie` header: whether there was one.
    pub(super) fn close(&mut self, name: &str, cookie: &[u8]) -> bool {
        let before = self.0.len();
        for secret in secrets(name, cookie) {
            self.0.retain(|session| !session.is(&secret));
        }
        self.0.len() < before
    }

    /// How long the one of this `Cookie` header lasts yet.
    pub(super) fn left(&self, name: &str, cookie: &[u8], now: Instant) -> Option<Duration> {
        secrets(name, cookie)
            .find_map(|secret| self.0.iter().find(|session| session.is(&secret)))
            .and_then(|session| SESSION_LIFE.checked_sub(now.since(session.since)))
            .filter(|left| !left.is_zero())
    }
}

impl Session {
    fn is(&self, secret: &[u8; 16]) -> bool {
        self.secret.ct_eq(secret).to_bool()
    }
}

/// The values of all cookies called `name` that can be a session's (RFC 6265 §4.2.1). A page in a neighbouring path may
/// have set another one of the same name.
fn secrets<'a>(name: &'a str, cookie: &'a [u8]) -> impl Iterator<Item = [u8; 16]> + 'a {
    cookie.split(|byte| *byte == b';').filter_map(move |pair| {
        let value = pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        hex::read(value)
    })
}
