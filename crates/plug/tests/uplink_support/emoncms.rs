//! Emoncms as it was seen to behave, as far as the plug meets it. `ossp stand-in` is the whole of it; this one is in memory.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use aes::Aes128;
use cbc::Decryptor;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{KEY, NODE};

/// What the server does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Mood {
    Good,
    /// The name has no address.
    NoName,
    /// The connection is refused.
    Away,
    /// Nobody says anything to whoever connects.
    Vanished,
    /// It takes the request and never answers.
    Silent,
    /// The same, but it stored so many rows.
    StoresAndIsSilent(usize),
    /// The connection breaks off after so many bytes.
    ResetsAfter(usize),
    /// It answers this, whatever is asked.
    Says(&'static str),
    /// More rows than this are answered by nothing: the body was too large.
    TakesAtMost(usize),
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// When it came, Unix seconds.
    pub(crate) at: f64,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }
}

pub(crate) struct Emoncms {
    mood: Cell<Mood>,
    pub(crate) requests: RefCell<Vec<Request>>,
    /// Rows by their time; a later one takes an earlier one's place.
    pub(crate) rows: RefCell<BTreeMap<u32, Map<String, Value>>>,
    /// How often each row was stored.
    pub(crate) stored: RefCell<BTreeMap<u32, u32>>,
    /// Rows that it does not take.
    pub(crate) bad: RefCell<BTreeSet<u32>>,
    /// The newest that came.
    pub(crate) last: Cell<Option<u32>>,
}

/// `HH:MM:SS` of the day on which the log begins.
fn time_of(now: f64) -> String {
    let seconds = now as u64 % 86_400;
    format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

fn http(status: &str, body: &str, now: f64) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\nDate: Mon, 30 Nov 2026 {} GMT\r\nServer: Apache\r\nContent-Type: \
         text/plain;charset=UTF-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        time_of(now),
        body.len()
    )
    .into_bytes()
}

impl Emoncms {
    pub(crate) fn new() -> Self {
        Self {
            mood: Cell::new(Mood::Good),
            requests: RefCell::default(),
            rows: RefCell::default(),
            stored: RefCell::default(),
            bad: RefCell::default(),
            last: Cell::new(None),
        }
    }

    pub(crate) fn mood(&self) -> Mood {
        self.mood.get()
    }

    pub(crate) fn set(&self, mood: Mood) {
        self.mood.set(mood);
    }

    pub(crate) fn posts(&self) -> usize {
        self.requests.borrow().iter().filter(|request| request.head.starts_with("POST")).count()
    }

    /// What it answers to what came; `None`: nothing, ever.
    pub(crate) fn answer(&self, bytes: &[u8], now: f64) -> Option<Vec<u8>> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let request = Request { head, body: bytes[end + 4..].to_vec(), at: now };
        let length = request.header("Content-Length").map_or(0, |length| length.parse().unwrap());
        if request.body.len() < length {
            return None;
        }
        assert_eq!(request.body.len(), length);
        self.requests.borrow_mut().push(request.clone());
        match self.mood.get() {
            Mood::Says(answer) => return Some(answer.as_bytes().to_vec()),
            Mood::Silent => return None,
            _ => {}
        }
        if request.head.starts_with("GET") {
            return Some(self.get(&request, now));
        }
        assert_eq!(request.target(), "/emoncms/input/bulk");
        let answer = if request.header("Content-Type") == Some("aes128cbc") {
            match decrypt(&request) {
                Err(words) => words.to_owned(),
                Ok(plain) => match self.bulk(&plain).as_str() {
                    "ok" => base64url(&Sha256::digest(&plain)),
                    refusal => refusal.to_owned(),
                },
            }
        } else {
            match request.header("Authorization") {
                None => String::new(),
                Some(key) if key == format!("Bearer {KEY}") => self.bulk(form(&request.body).as_bytes()),
                Some(_) => return Some(http("401 Unauthorized", "Invalid API key", now)),
            }
        };
        if let Mood::StoresAndIsSilent(_) = self.mood.get() {
            return None;
        }
        Some(http("200 OK", &answer, now))
    }

    fn get(&self, request: &Request, now: f64) -> Vec<u8> {
        if request.target() == "/emoncms/" {
            return format!(
                "HTTP/1.1 302 Found\r\nDate: Mon, 30 Nov 2026 {} GMT\r\nLocation: user/login\r\nContent-Length: 0\r\n\r\n",
                time_of(now)
            )
            .into_bytes();
        }
        assert_eq!(request.target(), format!("/emoncms/input/get/{NODE}"));
        let key = request.header("Authorization");
        if key != Some(&format!("Bearer {KEY}")) {
            return http("401 Unauthorized", "Invalid API key", now);
        }
        let rows = self.rows.borrow();
        let Some(last) = self.last.get().or_else(|| rows.keys().last().copied()) else {
            return http("200 OK", "\"Node does not exist\"", now);
        };
        let inputs: Map<String, Value> = rows[&last]
            .iter()
            .map(|(name, value)| {
                (
                    name.clone(),
                    json!({"time": last, "value": value.as_f64().unwrap() as f32, "processList": ""}),
                )
            })
            .collect();
        http("200 OK", &Value::from(inputs).to_string(), now)
    }

    /// What the server says to a form, and what it stores of it.
    fn bulk(&self, form: &[u8]) -> String {
        let form = core::str::from_utf8(form).unwrap();
        let fields: BTreeMap<&str, &str> =
            form.split('&').filter_map(|field| field.split_once('=')).collect();
        assert_eq!(fields["time"], "0");
        let refuse = |words: &str| format!("{{\"success\": false, \"message\": \"{words}\"}}");
        let Ok(Value::Array(rows)) = serde_json::from_str(fields["data"]) else {
            return refuse("Format error, json string supplied is not valid");
        };
        let most = match self.mood.get() {
            Mood::StoresAndIsSilent(most) => most,
            Mood::TakesAtMost(most) if rows.len() > most => return String::new(),
            _ => usize::MAX,
        };
        for row in rows.iter().take(most) {
            let (time, node) = (row[0].as_u64().unwrap() as u32, row[1].as_str().unwrap());
            assert_eq!(node, NODE);
            if self.bad.borrow().contains(&time) {
                return refuse("Format error, last item in bulk data does not contain any data");
            }
            let values = row[2].as_object().unwrap();
            assert!(!values.is_empty() && values.values().all(Value::is_number), "{row}");
            self.rows.borrow_mut().insert(time, values.clone());
            *self.stored.borrow_mut().entry(time).or_default() += 1;
            self.last.set(Some(time));
        }
        "ok".into()
    }
}

/// A form without its percent signs.
fn form(body: &[u8]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._%&=".contains(&byte);
    assert!(body.iter().all(|byte| plain(*byte)), "{}", String::from_utf8_lossy(body));
    let mut text = Vec::new();
    let mut rest = body.iter();
    while let Some(byte) = rest.next() {
        text.push(match byte {
            b'%' => {
                let pair = [*rest.next().unwrap(), *rest.next().unwrap()];
                u8::from_str_radix(core::str::from_utf8(&pair).unwrap(), 16).unwrap()
            }
            byte => *byte,
        });
    }
    String::from_utf8(text).unwrap()
}

fn key() -> [u8; 16] {
    core::array::from_fn(|index| u8::from_str_radix(&KEY[2 * index..2 * index + 2], 16).unwrap())
}

const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn base64url(bytes: &[u8]) -> String {
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let held =
            three.iter().fold(0_u32, |held, byte| held << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for index in 0..4 {
            let digit = DIGITS[(held >> (18 - 6 * index) & 63) as usize] as char;
            text.push(if index > three.len() { '=' } else { digit });
        }
    }
    text
}

fn from_base64url(text: &[u8]) -> Option<Vec<u8>> {
    let (mut held, mut bits, mut bytes) = (0_u32, 0, Vec::new());
    for digit in text {
        held = held << 6 | DIGITS.iter().position(|known| known == digit)? as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
        }
    }
    Some(bytes)
}

/// The plain text of an encrypted request, as the server takes it.
pub(crate) fn decrypt(request: &Request) -> Result<Vec<u8>, &'static str> {
    let authorization = request.header("Authorization").ok_or("missing authorization header")?;
    let (user, mac) =
        authorization.split_once(':').ok_or("authorization header format should be userid:hmac")?;
    if user != "4" {
        return Err("User not found");
    }
    let bytes = from_base64url(&request.body).ok_or("invalid data")?;
    let (start, text) = bytes.split_first_chunk::<16>().ok_or("invalid data")?;
    let mut cbc = Decryptor::<Aes128>::new(&key().into(), &(*start).into());
    let mut plain = Vec::new();
    for block in text.chunks_exact(16) {
        let mut block = <[u8; 16]>::try_from(block).unwrap().into();
        cbc.decrypt_block(&mut block);
        plain.extend_from_slice(block.as_slice());
    }
    let padding = usize::from(*plain.last().ok_or("invalid data")?);
    plain.truncate(plain.len().checked_sub(padding).ok_or("invalid data")?);
    let mut wanted = Hmac::<Sha256>::new_from_slice(&key()).unwrap();
    wanted.update(&plain);
    let wanted: String = wanted.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    if mac == wanted { Ok(plain) } else { Err("invalid data") }
}
