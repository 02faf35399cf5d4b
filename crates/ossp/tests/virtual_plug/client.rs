//! Somebody who knows the owner's password, or a token, or nothing, and asks a plug.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;

use super::digest;
use super::{Answer, PATIENCE};

/// What somebody knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Knows {
    Nothing,
    Password(String),
    Token(String),
}

/// Asks a plug; each time on a connection of its own.
pub struct Client {
    pub address: String,
    pub knows: Knows,
    signer: Mutex<Option<digest::Client>>,
}

impl Client {
    pub fn new(address: &str, knows: Knows) -> Self {
        Self { address: address.to_owned(), knows, signer: Mutex::new(None) }
    }

    /// The same person at another address: knows no challenge yet.
    pub fn at(&self, address: &str) -> Self {
        Self::new(address, self.knows.clone())
    }

    /// Asks with what is known; with a challenge got before, or anew where that one is stale.
    ///
    /// # Errors
    /// If the plug is gone.
    pub fn ask(&self, head: &str, headers: &str, body: impl AsRef<[u8]>) -> io::Result<Answer> {
        let body = body.as_ref();
        let once = |proof: &str| ask(&self.address, head, &format!("{proof}{headers}"), body);
        match &self.knows {
            Knows::Nothing => once(""),
            Knows::Token(token) => once(&format!("Authorization: Bearer {token}\r\n")),
            Knows::Password(password) => {
                if self.signer.lock().unwrap().is_none() {
                    // Signing in wants a proof whatever else is open; a plug without an owner has no challenge.
                    let challenge = ask(&self.address, "POST /api/v1/session", "", "{}")?;
                    *self.signer.lock().unwrap() = signer(&challenge, password);
                }
                let answer = once(&self.proof(head).unwrap_or_default())?;
                if !stale(&answer) {
                    return Ok(answer);
                }
                *self.signer.lock().unwrap() = signer(&answer, password);
                once(&self.proof(head).unwrap_or_default())
            }
        }
    }

    fn proof(&self, head: &str) -> Option<String> {
        self.signer.lock().unwrap().as_mut().map(|signer| proof(signer, head))
    }
}

fn stale(answer: &Answer) -> bool {
    answer.header("www-authenticate").is_some_and(|value| value.contains("stale=true"))
}

/// Who can meet an answer's challenge, if there is one.
pub fn signer(answer: &Answer, password: &str) -> Option<digest::Client> {
    Some(digest::Client::new(&answer.header("www-authenticate")?, password))
}

/// The line that proves the password for one request.
pub fn proof(signer: &mut digest::Client, head: &str) -> String {
    let (method, target) = head.split_once(' ').unwrap();
    format!("{}\r\n", signer.header(method, target))
}

/// Asks whoever listens at `address`, which is also what the plug is called, unless `headers` have a `Host`.
///
/// # Errors
/// If there is no whole answer.
pub fn ask(address: &str, head: &str, headers: &str, body: impl AsRef<[u8]>) -> io::Result<Answer> {
    let body = body.as_ref();
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let length = body.len();
    let host = if headers.contains("Host:") { String::new() } else { format!("Host: {address}\r\n") };
    let request = format!(
        "{head} HTTP/1.1\r\n{host}Connection: close\r\nContent-Type: application/json\r\n{headers}\
         Content-Length: {length}\r\n\r\n"
    );
    stream.write_all(&[request.as_bytes(), body].concat())?;
    let mut answer = String::new();
    let read = stream.read_to_string(&mut answer);
    let parted = answer.split_once("\r\n\r\n").and_then(|(head, body)| {
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let length: Option<usize> = head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
        });
        let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
        let body = if chunked { dechunked(body)? } else { body.to_owned() };
        // Half an answer is none.
        let whole = length.map_or(read.is_ok(), |length| body.len() == length);
        whole.then(|| Answer { status, head: head.to_owned(), body })
    });
    parted.ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "no whole answer"))
}

/// A body that came in chunks (RFC 9112 §7.1); `None` if the last one is missing.
fn dechunked(mut rest: &str) -> Option<String> {
    let mut body = String::new();
    loop {
        let (length, behind) = rest.split_once("\r\n")?;
        let length = usize::from_str_radix(length, 16).ok()?;
        body.push_str(behind.get(..length)?);
        rest = behind.get(length..)?.strip_prefix("\r\n")?;
        if length == 0 {
            return Some(body);
        }
    }
}
