//! Who may do what: the owner's password, sessions, tokens, and what a request shows of them.
//!
//! `digest` reads what an `Authorization` says, `nonces` has the numbers that a Digest is made with, `limiter` counts
//! wrong passwords, `sessions` are what a cookie opens. `kept` is what is stored (`store`).
//!
//! ```text
//!            open                  put: the first owner
//!   Closed --------> set-up mode ------------------------> owned
//!     ^  \                                                  ^
//!     |   +-------------------------------------------------+
//!     +-- what is stored cannot be understood: nobody can sign in; a factory reset helps
//! ```

mod digest;
mod hex;
mod kept;
mod limiter;
mod nonces;
mod sessions;
pub mod setup;
mod store;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use core::cell::{Cell, Ref, RefCell};
use core::fmt::{self, Display, Formatter, Write as _};
use core::net::IpAddr;
use core::time::Duration;

use ctutils::CtEq;
use heapless::String;
use serde::{Deserialize, Serialize};

use self::digest::{Authorization, Given};
use self::limiter::Limiter;
use self::nonces::{Nonce, Nonces, Seed, mac};
use self::sessions::Sessions;
use crate::desk::Desk;
use crate::platform::Instant;

pub use self::hex::{Hex, read as read_hex};
pub use self::kept::{Ha1, Kept, TOKEN_LETTERS, TOKENS, Token, Unreadable, token_name};
pub use self::sessions::SESSION_LIFE;
pub use self::store::{AccessStore, begin, run};

/// How much somebody may do; the larger includes the smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// Look at everything but secrets.
    Read,
    /// Switch the relay as well.
    Control,
    /// Everything.
    Admin,
}

impl Right {
    /// Its name: `read`, `control`, `admin`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Control => "control",
            Self::Admin => "admin",
        }
    }

    /// The right that is called so.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        [Self::Read, Self::Control, Self::Admin].into_iter().find(|right| right.word() == word)
    }
}

/// What a request shows of who sends it.
#[derive(Clone, Copy, Debug)]
pub struct Presented<'a> {
    /// The one `Authorization` header.
    pub authorization: Option<&'a [u8]>,
    /// The `Cookie` header.
    pub cookie: Option<&'a [u8]>,
    /// The method, as sent.
    pub method: &'a str,
    /// Path and query, as sent.
    pub target: &'a str,
    /// Who is at the other end.
    pub peer: IpAddr,
}

/// How somebody showed who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// By the cookie of a session.
    Session,
    /// By the password, as HTTP Digest.
    Digest,
    /// By the token of this number.
    Token(u16),
}

/// What somebody was let in with, at that time.
#[derive(Clone, Copy)]
pub struct Pass {
    credential: Credential,
    ha1: Option<Ha1>,
    epoch: u32,
}

/// Who sends a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credential {
    /// What they may do.
    pub right: Right,
    /// How they showed it.
    pub by: By,
}

/// What a request's credentials are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It shows none. A cookie that is wrong, or not enough for the method, is none.
    Nobody,
    /// They are right.
    Known(Credential),
    /// They are not.
    Wrong {
        /// The password is right, and the nonce was not: try again with the new one, without asking the person.
        stale: bool,
    },
    /// Nobody looks at them: too many were wrong before.
    TooMany {
        /// How long that stays so.
        wait: Duration,
    },
}

/// The only user.
const USER: &[u8] = b"admin";
/// The path of the session: a cookie may end it.
pub(crate) const SESSION_PATH: &str = "/api/v1/session";

/// Everything about it. Lives in [`crate::state::State`]; borrows never cross an `await`.
pub struct Access {
    /// Where a change waits to be stored.
    pub desk: Desk<Box<Kept>>,
    kept: RefCell<Kept>,
    /// Nobody can sign in, and nobody can become the owner.
    closed: Cell<bool>,
    epoch: Cell<u32>,
    realm: RefCell<String<REALM>>,
    seed: RefCell<Seed>,
    nonces: RefCell<Nonces>,
    limiter: RefCell<Limiter>,
    sessions: RefCell<Sessions>,
}

/// Longest realm: `ossp-` and an identity.
const REALM: usize = 5 + 16;

impl Access {
    /// Closed.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            desk: Desk::new(),
            kept: RefCell::new(Kept::new()),
            closed: Cell::new(true),
            epoch: Cell::new(0),
            realm: RefCell::new(String::new()),
            seed: RefCell::new(Seed::new([0; 32])),
            nonces: RefCell::new(Nonces::new()),
            limiter: RefCell::new(Limiter::new()),
            sessions: RefCell::new(Sessions::new()),
        }
    }

    /// Begins with what is stored; stays closed if that cannot be understood. `seed` is chance that nobody else knows,
    /// another one with each start.
    pub fn open(&self, kept: Result<Kept, Unreadable>, identity: &str, seed: [u8; 32]) {
        let mut realm = String::new();
        // An identity has 16 characters at most.
        let _ = write!(realm, "ossp-{identity}");
        self.realm.replace(realm);
        self.seed.replace(Seed::new(seed));
        if let Ok(kept) = kept {
            self.kept.replace(kept);
            self.closed.set(false);
            self.desk.open();
        }
    }

    /// Whether the plug belongs to somebody, or must be treated so; if not, it is in set-up mode.
    pub fn has_owner(&self) -> bool {
        self.closed.get() || self.kept.borrow().ha1.is_some()
    }

    /// What is stored: to make the next one from.
    pub fn kept(&self) -> Ref<'_, Kept> {
        self.kept.borrow()
    }

    /// Takes what was stored. Another password ends all sessions.
    pub fn put(&self, kept: Kept) {
        let before = self.kept.replace(kept);
        let kept = self.kept.borrow();
        if kept.ha1 != before.ha1 {
            self.end_sessions();
        } else if kept.tokens != before.tokens {
            self.judge_anew();
        }
    }

    /// Another number whenever somebody may have lost a right. What goes on for long after it was let in (a live
    /// stream) ends then; whoever may have another is let in again.
    pub fn epoch(&self) -> u32 {
        self.epoch.get()
    }

    /// Somebody may have lost a right. Wake those whom it concerns with [`State::touch`](crate::state::State::touch).
    pub fn judge_anew(&self) {
        self.epoch.set(self.epoch.get().wrapping_add(1));
    }

    /// What somebody was let in with, to be looked at again later: see [`Access::still_lets_in`].
    pub fn pass(&self, credential: Credential) -> Pass {
        Pass { credential, ha1: self.kept.borrow().ha1, epoch: self.epoch() }
    }

    /// Whether what somebody was let in with counts as it did then: the token was not revoked, the password is the same.
    pub fn still_lets_in(&self, pass: &Pass) -> bool {
        if pass.epoch == self.epoch() {
            return true;
        }
        let (kept, Credential { right, by }) = (self.kept.borrow(), pass.credential);
        match by {
            By::Digest => kept.ha1 == pass.ha1,
            By::Token(id) => kept.tokens.iter().any(|token| token.id == id && token.scope >= right),
            By::Session => false,
        }
    }

    /// What a request's credentials are worth. In set-up mode there are none. `say` takes a line for the plug's log.
    pub fn judge(&self, presented: &Presented<'_>, now: Instant, mut say: impl FnMut(&str)) -> Verdict {
        if !self.has_owner() {
            return Verdict::Nobody;
        }
        let Some(header) = presented.authorization else { return self.judge_cookie(presented, now) };
        match digest::read(header) {
            Authorization::Digest(given) => self.judge_digest(presented, &given, now, &mut say),
            Authorization::Bearer(token) => self.judge_token(presented, token, now, &mut say),
            Authorization::Other => Verdict::Wrong { stale: false },
        }
    }

    /// A cookie lets its bearer look, and sign out: other pages can make a browser send it.
    fn judge_cookie(&self, presented: &Presented<'_>, now: Instant) -> Verdict {
        let path = presented.target.split('?').next();
        let enough = match presented.method {
            "GET" | "HEAD" => true,
            "DELETE" => path == Some(SESSION_PATH),
            _ => false,
        };
        match self.session_left(presented.cookie, now) {
            Some(_) if enough => Verdict::Known(Credential { right: Right::Read, by: By::Session }),
            _ => Verdict::Nobody,
        }
    }

    /// A token of 128 bits cannot be guessed: a right one always passes, and says nothing about the password.
    fn judge_token(
        &self,
        presented: &Presented<'_>,
        token: &[u8],
        now: Instant,
        say: &mut dyn FnMut(&str),
    ) -> Verdict {
        if let Some(token) = self.kept.borrow().token(token) {
            return Verdict::Known(Credential { right: token.scope, by: By::Token(token.id) });
        }
        let (peer, mut limiter) = (presented.peer.to_canonical(), self.limiter.borrow_mut());
        if let Some(wait) = limiter.refused(peer, now).or_else(|| limiter.crowded(now)) {
            return Verdict::TooMany { wait };
        }
        limiter.wrong(peer, now, say);
        Verdict::Wrong { stale: false }
    }

    fn judge_digest(
        &self,
        presented: &Presented<'_>,
        given: &Given<'_>,
        now: Instant,
        say: &mut dyn FnMut(&str),
    ) -> Verdict {
        let (peer, mut limiter) = (presented.peer.to_canonical(), self.limiter.borrow_mut());
        let (seed, mut nonces) = (self.seed.borrow(), self.nonces.borrow_mut());
        let crowded = || limiter.crowded(now).filter(|_| !nonces.proven(&seed, given.nonce, now));
        if let Some(wait) = limiter.refused(peer, now).or_else(crowded) {
            return Verdict::TooMany { wait };
        }
        let Some(Ha1(ha1)) = self.kept.borrow().ha1 else { return Verdict::Wrong { stale: false } };
        // Meant for another plug, or another request: it says nothing about our password.
        let ours = given.realm == self.realm.borrow().as_bytes() && given.uri == presented.target.as_bytes();
        if !ours {
            return Verdict::Wrong { stale: false };
        }
        let right = given.right(&ha1, presented.method).ct_eq(&given.response).to_bool();
        if !right || given.username != USER {
            limiter.wrong(peer, now, say);
            return Verdict::Wrong { stale: false };
        }
        // Whoever sends an old answer again need not know the password: that forgets nothing.
        if !nonces.take(&seed, given.nonce, given.count, now) {
            return Verdict::Wrong { stale: true };
        }
        limiter.right(peer);
        Verdict::Known(Credential { right: Right::Admin, by: By::Digest })
    }

    /// What a client needs to sign in, for a 401.
    pub fn challenge(&self, now: Instant, stale: bool) -> Challenge {
        let nonce = self.nonces.borrow_mut().issue(&self.seed.borrow(), now);
        Challenge { realm: self.realm.borrow().clone(), nonce, stale }
    }

    /// Opens a session; the oldest makes room.
    pub fn sign_in(&self, now: Instant) -> SessionCookie {
        let secret = self.draw();
        if self.sessions.borrow_mut().open(secret, now) {
            self.judge_anew();
        }
        SessionCookie { realm: self.realm.borrow().clone(), secret: Some(secret) }
    }

    /// Ends the session of `cookie`, if there is one; the answer's cookie makes the browser forget it.
    pub fn sign_out(&self, cookie: Option<&[u8]>) -> SessionCookie {
        if self.sessions.borrow_mut().close(&self.realm.borrow(), cookie.unwrap_or_default()) {
            self.judge_anew();
        }
        SessionCookie { realm: self.realm.borrow().clone(), secret: None }
    }

    /// Ends all sessions.
    pub fn end_sessions(&self) {
        self.sessions.replace(Sessions::new());
        self.judge_anew();
    }

    /// How long the session of `cookie` lasts yet; `None` if there is none.
    pub fn session_left(&self, cookie: Option<&[u8]>, now: Instant) -> Option<Duration> {
        self.sessions.borrow().left(&self.realm.borrow(), cookie.unwrap_or_default(), now)
    }

    /// The new password that came under the mask of this request's Digest, which [`Access::judge`] must have found
    /// right: `masked` XOR HMAC-SHA-256(the 32 bytes of the old HA1, `ossp-password:NONCE:NC:CNONCE`).
    pub fn unmask(&self, authorization: &[u8], masked: [u8; 32]) -> Option<Ha1> {
        let Authorization::Digest(given) = digest::read(authorization) else { return None };
        let Ha1(old) = self.kept.borrow().ha1?;
        let mut new = mac(&old, &[b"ossp-password:", given.nonce, b":", given.nc, b":", given.cnonce]);
        for (byte, masked) in new.iter_mut().zip(masked) {
            *byte ^= masked;
        }
        Some(Ha1(new))
    }

    /// Chance that nobody else knows, never the same twice.
    pub fn draw(&self) -> [u8; 16] {
        self.seed.borrow_mut().draw()
    }
}

impl Default for Access {
    fn default() -> Self {
        Self::new()
    }
}

/// What a client needs to sign in: as text the parameters of a Digest challenge, without the word `Digest`.
#[derive(Clone, Debug)]
pub struct Challenge {
    realm: String<REALM>,
    nonce: Nonce,
    stale: bool,
}

impl Display for Challenge {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let (realm, nonce) = (&self.realm, &self.nonce);
        write!(
            formatter,
            "realm=\"{realm}\", qop=\"auth\", algorithm=SHA-256, nonce=\"{nonce}\", charset=UTF-8"
        )?;
        formatter.write_str(if self.stale { ", stale=true" } else { "" })
    }
}

/// A session's cookie, or the end of one: as text the value of `Set-Cookie`.
#[derive(Clone)]
pub struct SessionCookie {
    realm: String<REALM>,
    secret: Option<[u8; 16]>,
}

impl Display for SessionCookie {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}=", self.realm)?;
        if let Some(secret) = &self.secret {
            write!(formatter, "{}", Hex(secret))?;
        }
        let age = if self.secret.is_some() { SESSION_LIFE.as_secs() } else { 0 };
        write!(formatter, "; HttpOnly; SameSite=Strict; Path=/; Max-Age={age}")
    }
}
