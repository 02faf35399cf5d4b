//! Asks the stand-in Emoncms by bytes, as a client on a socket would.
#![allow(dead_code, missing_docs, unreachable_pub, reason = "each test file uses what it needs")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests may fail loudly")]

use ossp::stand_in::account::Account;
use ossp::stand_in::{Delivery, StandIn};

pub const WRITE_KEY: &str = "fa8e3b689295332c560bbea31afb61d0";
pub const READ_KEY: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
/// The server's time in these tests.
pub const NOW: f64 = 1_795_378_140.4;
pub const NOW_S: i64 = 1_795_378_140;

/// An answer, taken apart.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn of(delivery: &Delivery) -> Self {
        let text = String::from_utf8(delivery.bytes.clone()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.to_owned(), body: body.to_owned() }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }
}

pub fn stand_in() -> StandIn {
    StandIn::new(Account::new(4, WRITE_KEY, READ_KEY))
}

pub fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{method} {target} HTTP/1.1\r\nHost: 127.0.0.1:8090\r\n").into_bytes();
    for (name, value) in headers {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    bytes.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
    bytes.extend_from_slice(body);
    bytes
}

pub fn ask(
    stand_in: &mut StandIn,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let delivery = stand_in.handle(&request(method, target, headers, body.as_bytes()), NOW).unwrap();
    Answer::of(&delivery)
}

pub const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
pub const BEARER: (&str, &str) = ("Authorization", "Bearer fa8e3b689295332c560bbea31afb61d0");
pub const BEARER_READ: (&str, &str) = ("Authorization", "Bearer 0f1e2d3c4b5a69788796a5b4c3d2e1f0");

/// A form with the write key.
pub fn post(stand_in: &mut StandIn, target: &str, form: &str) -> Answer {
    ask(stand_in, "POST", target, &[FORM, BEARER], form)
}

pub fn get(stand_in: &mut StandIn, target: &str) -> Answer {
    ask(stand_in, "GET", target, &[BEARER_READ], "")
}

/// `data=` percent-encoded.
pub fn bulk(stand_in: &mut StandIn, data: &str, more: &str) -> Answer {
    post(stand_in, "/input/bulk", &format!("data={}{more}", encoded(data)))
}

pub fn encoded(text: &str) -> String {
    let letter = |byte: u8| {
        if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(letter).collect()
}

/// Newest time and value of an input.
pub fn newest(stand_in: &StandIn, node: &str, name: &str) -> Option<(i64, f64)> {
    stand_in.account.input(node, name).map(|input| (input.time, input.value))
}

pub fn refusal(sentence: &str) -> String {
    format!(r#"{{"success": false, "message": "{sentence}"}}"#)
}
