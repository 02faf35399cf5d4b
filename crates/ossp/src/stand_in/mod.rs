//! A stand-in for Emoncms: takes, refuses and fails as a real one was seen to do, so that a plug can be tried without.
//!
//! [`StandIn::handle`] is a pure function of what is stored, the request's bytes and the time; `server` puts it behind a
//! socket, tests put it behind a simulated network.

pub mod account;
pub mod answer;
pub mod encrypted;
pub mod fault;
pub mod feed;
pub mod form;
pub mod input;
pub mod php;
pub mod request;
pub mod routes;
pub mod server;
pub mod state;

use std::time::Duration;

use account::Account;
use answer::{Answer, Framing};
use fault::{Fault, Planned};
pub use request::Incomplete;
use request::Request;

/// The newest requests that are kept to be looked at.
const RECEIVED_MOST: usize = 50;

/// The stand-in: one account and the way to it.
#[derive(Clone, Debug)]
pub struct StandIn {
    /// What is stored.
    pub account: Account,
    /// What goes wrong, the first at first.
    pub faults: Vec<Planned>,
    /// How answers end.
    pub framing: Framing,
    /// Where Emoncms lies on its server: empty or `/emoncms`.
    pub base: String,
    /// How many requests were answered, or not.
    pub requests: u64,
    /// How many bytes they had.
    pub bytes: u64,
    /// The newest of them.
    pub received: Vec<Received>,
}

/// A request as a person looks at it.
#[derive(Clone, Debug, PartialEq)]
pub struct Received {
    /// Unix time of the server.
    pub at: f64,
    /// Method and path.
    pub what: String,
    /// Bytes on the wire.
    pub length: usize,
    /// Content type and the kind of authorization, no secrets.
    pub how: String,
    /// The fields, decrypted and decoded.
    pub fields: String,
    /// Status and body of the answer; what went wrong on purpose.
    pub answered: String,
}

/// How an answer goes out.
#[derive(Clone, Debug, PartialEq)]
pub struct Delivery {
    /// What is sent.
    pub bytes: Vec<u8>,
    /// How.
    pub manner: Manner,
    /// How many bytes of the input were the request.
    pub taken: usize,
}

/// See [`Delivery`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// At once, and the connection stays open.
    KeepOpen,
    /// At once, then the connection is closed.
    Close,
    /// Spread over this time, then the connection is closed.
    Slowly(Duration),
    /// At once, then the connection is reset.
    Reset,
    /// Never: the connection stays open.
    Never,
}

impl StandIn {
    /// One with an empty account, at the root of its server.
    #[must_use]
    pub fn new(account: Account) -> Self {
        Self {
            account,
            faults: Vec::new(),
            framing: Framing::default(),
            base: String::new(),
            requests: 0,
            bytes: 0,
            received: Vec::new(),
        }
    }

    /// After how many bytes of a request the connection is to be reset, if at all.
    #[must_use]
    pub fn resets_after(&self) -> Option<usize> {
        match self.faults.first().map(|planned| planned.fault) {
            Some(Fault::Reset(bytes)) => Some(bytes),
            _ => None,
        }
    }

    /// The connection was reset as [`Self::resets_after`] wanted it.
    pub fn was_reset(&mut self, bytes: usize, now: f64) {
        let fault = self.take_fault();
        self.count(bytes);
        self.keep(Received {
            at: now,
            what: "part of a request".to_owned(),
            length: bytes,
            how: String::new(),
            fields: String::new(),
            answered: fault.map_or_else(String::new, |fault| format!("({fault})")),
        });
    }

    /// The answer to the first request in `bytes`.
    ///
    /// # Errors
    /// If it is not whole yet, or no request.
    pub fn handle(&mut self, bytes: &[u8], now: f64) -> Result<Delivery, Incomplete> {
        let request = Request::parse(bytes)?;
        if request.path.starts_with("/stand-in/") {
            let answer = state::answer(self, &request);
            return Ok(self.deliver(&request, &answer, now));
        }
        let fault = self.take_fault();
        self.count(request.length);
        let answer = routes::answer(self, &request, fault, now);
        self.keep(received(&self.account, &request, &answer, fault, now));
        Ok(self.deliver_with(&request, &answer, fault, now))
    }

    fn count(&mut self, bytes: usize) {
        self.requests += 1;
        self.bytes += u64::try_from(bytes).unwrap_or(0);
    }

    fn keep(&mut self, received: Received) {
        if self.received.len() >= RECEIVED_MOST {
            self.received.remove(0);
        }
        self.received.push(received);
    }

    fn take_fault(&mut self) -> Option<Fault> {
        let planned = self.faults.first_mut()?;
        let fault = planned.fault;
        if let Some(times) = &mut planned.times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                self.faults.remove(0);
            }
        }
        Some(fault)
    }

    fn deliver(&self, request: &Request, answer: &Answer, now: f64) -> Delivery {
        let (bytes, stays) = answer.bytes(self.framing, request.keep_alive, now);
        let manner = if stays { Manner::KeepOpen } else { Manner::Close };
        Delivery { bytes, manner, taken: request.length }
    }

    fn deliver_with(&self, request: &Request, answer: &Answer, fault: Option<Fault>, now: f64) -> Delivery {
        let mut delivery = self.deliver(request, answer, now);
        match fault {
            Some(Fault::Freeze | Fault::StoreThenFreeze) => {
                delivery.bytes.clear();
                delivery.manner = Manner::Never;
            }
            Some(Fault::ResetAnswer(bytes)) => {
                delivery.bytes.truncate(bytes);
                delivery.manner = Manner::Reset;
            }
            Some(Fault::Slow(seconds)) => {
                delivery.manner = Manner::Slowly(Duration::from_secs(u64::from(seconds)));
            }
            _ => {}
        }
        delivery
    }
}

fn received(
    account: &Account,
    request: &Request,
    answer: &Answer,
    fault: Option<Fault>,
    now: f64,
) -> Received {
    let content_type = request.header("content-type").unwrap_or("no content type");
    let authorization = match request.header("authorization") {
        None => "no authorization",
        Some(text) if text.starts_with("Bearer ") => "authorization: Bearer (masked)",
        Some(_) => "authorization: (masked)",
    };
    let fields = routes::fields(account, request).readable();
    let masked = fields.replace(&account.write_key, "(key)").replace(&account.read_key, "(key)");
    let fault = fault.map_or_else(String::new, |fault| format!(" ({fault})"));
    let status = answer.status.split_once(' ').map_or("", |(_, status)| status);
    Received {
        at: now,
        what: format!("{} {}", request.method, request.path),
        length: request.length,
        how: format!("{content_type}, {authorization}"),
        fields: masked,
        answered: format!("{status}: {}{fault}", answer.body),
    }
}
