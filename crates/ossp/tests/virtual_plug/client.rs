//! Somebody who knows the owner's password, or a token, or nothing, and asks a plug.
//!
//! The Digest is computed here anew, with another SHA-256 than the plug's own, after RFC 7616 §3.4.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;

use sha2::{Digest, Sha256};

use super::{Answer, PATIENCE};

/// What somebody knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Knows {
    Nothing,
    Password(String),
    Token(String),
}

/// What a plug wants to see a proof for; used until the plug refuses it.
#[derive(Clone, Debug)]
pub struct Challenge {
    pub realm: String,
    pub nonce: String,
    pub used: u32,
}

/// Asks a plug; each time on a connection of its own.
#[derive(Debug)]
pub struct Client {
    pub address: String,
    pub knows: Knows,
    challenge: Mutex<Option<Challenge>>,
}

impl Client {
    pub fn new(address: &str, knows: Knows) -> Self {
        Self { address: address.to_owned(), knows, challenge: Mutex::new(None) }
    }

    /// The same person at another address: knows no challenge yet.
    pub fn at(&self, address: &str) -> Self {
        Self::new(address, self.knows.clone())
    }

    /// Asks, and asks again if the answer is a challenge that can be met.
    ///
    /// # Errors
    /// If the plug is gone.
    pub fn ask(&self, head: &str, headers: &str, body: &str) -> io::Result<Answer> {
        let once = |proof: &str| ask(&self.address, head, &format!("{proof}{headers}"), body);
        match &self.knows {
            Knows::Nothing => once(""),
            Knows::Token(token) => once(&format!("Authorization: Bearer {token}\r\n")),
            Knows::Password(password) => {
                let known = self.next_proof(head, password);
                let answer = once(known.as_deref().unwrap_or_default())?;
                let Some(challenge) = (answer.status == 401).then(|| challenge_of(&answer)).flatten() else {
                    return Ok(answer);
                };
                // A second refusal is the answer: the password is wrong.
                let meets = known.is_none() || stale(&answer);
                self.challenge.lock().unwrap().replace(challenge);
                if !meets {
                    return Ok(answer);
                }
                let proof = self.next_proof(head, password);
                once(proof.as_deref().unwrap_or_default())
            }
        }
    }

    fn next_proof(&self, head: &str, password: &str) -> Option<String> {
        let mut challenge = self.challenge.lock().unwrap();
        let challenge = challenge.as_mut()?;
        challenge.used += 1;
        Some(proof(challenge, head, "admin", password))
    }
}

fn stale(answer: &Answer) -> bool {
    answer.header("www-authenticate").is_some_and(|value| value.contains("stale=true"))
}

/// The plug's challenge, if there is one that asks for SHA-256.
pub fn challenge_of(answer: &Answer) -> Option<Challenge> {
    let value = answer.header("www-authenticate")?;
    let parameters = value.strip_prefix("Digest ")?;
    let quoted = |name: &str| {
        let (_, rest) = parameters.split_once(&format!("{name}=\""))?;
        rest.split_once('"').map(|(text, _)| text.to_owned())
    };
    parameters.contains("algorithm=SHA-256").then_some(())?;
    Some(Challenge { realm: quoted("realm")?, nonce: quoted("nonce")?, used: 0 })
}

/// The line of the head that proves the password for one request.
pub fn proof(challenge: &Challenge, head: &str, user: &str, password: &str) -> String {
    let Challenge { realm, nonce, used } = challenge;
    let (method, target) = head.split_once(' ').unwrap();
    let (count, client) = (format!("{used:08x}"), "5c0ffee5");
    let owner = hash(&format!("{user}:{realm}:{password}"));
    let request = hash(&format!("{method}:{target}"));
    let response = hash(&format!("{owner}:{nonce}:{count}:{client}:auth:{request}"));
    format!(
        "Authorization: Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{target}\", \
         algorithm=SHA-256, qop=auth, nc={count}, cnonce=\"{client}\", response=\"{response}\"\r\n"
    )
}

/// SHA-256 in hexadecimal digits.
pub fn hash(text: &str) -> String {
    Sha256::digest(text).iter().fold(String::new(), |mut digits, byte| {
        write!(digits, "{byte:02x}").unwrap();
        digits
    })
}

/// Asks whoever listens at `address`, which is also what the plug is called, unless `headers` have a `Host`.
///
/// # Errors
/// If there is no whole answer.
pub fn ask(address: &str, head: &str, headers: &str, body: &str) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let length = body.len();
    let host = if headers.contains("Host:") { String::new() } else { format!("Host: {address}\r\n") };
    let request = format!(
        "{head} HTTP/1.1\r\n{host}Connection: close\r\nContent-Type: application/json\r\n{headers}\
         Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    let parted = answer.split_once("\r\n\r\n").and_then(|(head, body)| {
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let length: Option<usize> = head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
        });
        // Half an answer is none.
        let whole = length.map_or(read.is_ok(), |length| body.len() == length);
        whole.then(|| Answer { status, head: head.to_owned(), body: body.to_owned() })
    });
    parted.ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "no whole answer"))
}
