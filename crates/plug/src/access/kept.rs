//! What is stored of who may do what, and as what text.
//!
//! ```text
//! ossp-access 1
//! owner HA1                                  (if there is one)
//! next NUMBER
//! token NUMBER SCOPE CREATED|- HASH NAME     (for each)
//! ```

use core::fmt::{self, Debug, Formatter, Write};

use ctutils::CtEq;
use heapless::{String, Vec};
use sha2::{Digest, Sha256};

use super::Right;
use super::hex::{self, Hex};

/// How many tokens there can be.
pub const TOKENS: usize = 8;
/// What a token begins with; 32 hexadecimal digits follow.
const PREFIX: &[u8] = b"ossp_";
/// How long a token is.
pub const TOKEN_LETTERS: usize = PREFIX.len() + 32;
/// First line: tells what this is, and which version of it.
const HEAD: &str = "ossp-access 1";

/// What the password is kept as: SHA-256 of `admin:ossp-ID:PASSWORD` (RFC 7616 §3.4.2). Whoever has it can sign in, so
/// it is as secret as the password, but it is good for this plug only.
#[derive(Clone, Copy)]
pub struct Ha1(pub(super) [u8; 32]);

impl Ha1 {
    /// That of a password of the plug with the identity `id`.
    #[must_use]
    pub fn of(id: &str, password: &str) -> Self {
        let mut hash = Sha256::new();
        for part in ["admin:ossp-", id, ":", password] {
            hash.update(part);
        }
        Self(hash.finalize().into())
    }
}

impl From<[u8; 32]> for Ha1 {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

/// In constant time.
impl PartialEq for Ha1 {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).to_bool()
    }
}

impl Eq for Ha1 {}

impl Debug for Ha1 {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str("Ha1")
    }
}

/// A token: what a program shows instead of the password.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// Its number: never used again.
    pub id: u16,
    /// What the owner calls it: see [`token_name`].
    pub name: String<32>,
    /// What it is good for.
    pub scope: Right,
    /// When it was made, Unix seconds; `None` if nobody knew the time.
    pub created: Option<u64>,
    /// SHA-256 of its text.
    pub hash: [u8; 32],
}

impl Token {
    /// The text of a token with this chance in it, which is shown once, and its hash, which is kept.
    #[must_use]
    pub fn text(chance: [u8; 16]) -> (String<TOKEN_LETTERS>, [u8; 32]) {
        let mut text = String::new();
        // It has room for exactly this.
        let _ = write!(text, "ossp_{}", Hex(&chance));
        let hash = Sha256::digest(text.as_bytes()).into();
        (text, hash)
    }
}

impl Debug for Token {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Token").field("id", &self.id).field("scope", &self.scope).finish()
    }
}

/// `name` as a token's: 1 to 32 bytes, no control characters, no space at an end.
#[must_use]
pub fn token_name(name: &str) -> Option<String<32>> {
    let good = !name.is_empty() && name.trim() == name && !name.chars().any(char::is_control);
    String::try_from(name).ok().filter(|_| good)
}

/// What is stored cannot be read or understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

/// What is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The owner's password; `None`: the plug belongs to nobody yet.
    pub ha1: Option<Ha1>,
    /// Tokens, in the order in which they were made.
    pub tokens: Vec<Token, TOKENS>,
    /// Number of the next one.
    pub next_token: u16,
}

impl Kept {
    /// Nobody's.
    #[must_use]
    pub const fn new() -> Self {
        Self { ha1: None, tokens: Vec::new(), next_token: 1 }
    }

    /// The token whose text this is.
    pub(super) fn token(&self, text: &[u8]) -> Option<&Token> {
        let chance = text.strip_prefix(PREFIX).and_then(hex::read::<16>)?;
        let (_, hash) = Token::text(chance);
        self.tokens.iter().find(|token| token.hash.ct_eq(&hash).to_bool())
    }

    /// As it is stored.
    pub(super) fn write(&self, out: &mut dyn Write) -> fmt::Result {
        writeln!(out, "{HEAD}")?;
        if let Some(Ha1(ha1)) = &self.ha1 {
            writeln!(out, "owner {}", Hex(ha1))?;
        }
        writeln!(out, "next {}", self.next_token)?;
        for Token { id, name, scope, created, hash } in &self.tokens {
            write!(out, "token {id} {} ", scope.word())?;
            match created {
                Some(created) => write!(out, "{created}")?,
                None => out.write_char('-')?,
            }
            writeln!(out, " {} {name}", Hex(hash))?;
        }
        Ok(())
    }

    /// What was stored. Anything that [`Kept::write`] does not write is refused as a whole: a plug that forgot its
    /// owner would belong to whoever comes first.
    ///
    /// # Errors
    /// It is not understood.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        Self::understood(bytes).ok_or(Unreadable)
    }

    fn understood(bytes: &[u8]) -> Option<Self> {
        let text = core::str::from_utf8(bytes).ok()?.strip_suffix('\n')?;
        let mut lines = text.split('\n').peekable();
        if lines.next()? != HEAD {
            return None;
        }
        let mut kept = Self::new();
        if let Some(line) = lines.next_if(|line| line.starts_with("owner ")) {
            kept.ha1 = Some(Ha1(hex::read(line.strip_prefix("owner ")?.as_bytes())?));
        }
        kept.next_token = number(lines.next()?.strip_prefix("next ")?)?;
        for line in lines {
            let token = token(line.strip_prefix("token ")?)?;
            let known = kept.tokens.iter().any(|other| other.id == token.id);
            if known || token.id >= kept.next_token {
                return None;
            }
            kept.tokens.push(token).ok()?;
        }
        Some(kept)
    }
}

impl Default for Kept {
    fn default() -> Self {
        Self::new()
    }
}

fn token(line: &str) -> Option<Token> {
    let mut words = line.splitn(5, ' ');
    let id = number(words.next()?)?;
    let scope = Right::named(words.next()?)?;
    let created = match words.next()? {
        "-" => None,
        word => Some(number(word)?),
    };
    let hash = hex::read(words.next()?.as_bytes())?;
    let name = token_name(words.next()?)?;
    Some(Token { id, name, scope, created, hash })
}

/// Digits only, and as they are written: no sign, no zero in front.
fn number<T: core::str::FromStr>(word: &str) -> Option<T> {
    let plain = word.bytes().all(|byte| byte.is_ascii_digit()) && (word.len() == 1 || !word.starts_with('0'));
    word.parse().ok().filter(|_| plain)
}
