//! Requests to Emoncms through the gate: rows, the question where it stands, the time. One connection each.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;
use core::time::Duration;

use embassy_futures::yield_now;
use embedded_io_async::{Read, Write};
use sha2::{Digest, Sha256};

use super::answer::{Answer, Said, classify, quote, without};
use super::batch::{Batch, Form, NoText, Text};
use super::body::{BEFORE, BEHIND, Coding, Measure, Measured, encode};
use super::crypt::{BLOCK, Encryption, answer_of, key_bytes};
use super::http::Reader;
use super::machine::Sent;
use super::resume::{self, Node, Standing};
use super::status::TestReport;
use super::task::trusted;
use super::text::{reference, value};
use crate::history::{Row, Rows};
use crate::ledger::{Connection, Outcome, Outside, Purpose};
use crate::limits;
use crate::platform::{Clock, Instant, Outbound};
use crate::settings::emoncms::{EmoncmsSettings, Server, Transport};
use crate::state::State;
use crate::timekeeping;

/// Bytes of text that are encoded at once.
const PART: usize = 64;
/// Rows between which others get their turn.
const TURN: u32 = 16;

/// The way to the server.
pub(super) struct Client<'w, 'a, N, C, T, R> {
    pub(super) outside: &'w Outside<'a, N, C, T>,
    /// The plug's time.
    pub(super) clock: &'w C,
    /// The network's time.
    pub(super) timer: &'w T,
    pub(super) rows: &'w R,
    pub(super) state: &'w State,
}

/// What came of a post.
pub(super) enum Posted {
    /// There was nothing to be sent up to here.
    Nothing(u32),
    /// It was sent, and what the server said to it.
    Sent(Sent, String),
}

/// A body before it is sent.
struct Plan {
    measured: Measured,
    rows: u32,
    /// Everything up to here is in it.
    end: u32,
    /// Bytes of the key, where it is encrypted.
    key: Option<[u8; BLOCK]>,
}

impl From<NoText> for Answer {
    fn from(error: NoText) -> Self {
        match error {
            NoText::Log => Self::LogFailed,
            NoText::Memory => Self::NoMemory,
        }
    }
}

impl<'w, 'a, N: Outbound, C: Clock, T: Clock, R: Rows> Client<'w, 'a, N, C, T, R> {
    /// Sends a batch; `start` is a random start value that was never used before. A test gets a report of it. Dropping
    /// the future breaks the request off.
    pub(super) async fn post(
        &self,
        form: Form<'_>,
        batch: Batch,
        start: &[u8; BLOCK],
        mut report: Option<&mut TestReport>,
    ) -> Posted {
        let began = self.timer.now();
        let mut sent = Sent {
            batch,
            answer: Answer::Accepted,
            whole: false,
            rows: 0,
            end: batch.after,
            took: Duration::ZERO,
        };
        let mut said = String::new();
        match self.measure(form, batch, report.as_deref_mut()).await {
            Ok(plan) if plan.rows == 0 => return Posted::Nothing(plan.end),
            Ok(plan) => {
                (sent.rows, sent.end) = (plan.rows, plan.end);
                sent.answer = match self
                    .exchange(form, &plan, &mut sent, start, &mut said, report.as_deref_mut())
                    .await
                {
                    Ok(answer) | Err(answer) => answer,
                };
            }
            Err(error) => sent.answer = error.into(),
        }
        sent.took = self.timer.now().since(began);
        if let Some(report) = report {
            report.took = sent.took;
            (report.ok, report.code, report.message) =
                (sent.answer == Answer::Accepted, sent.answer.code(), sent.answer.message());
        }
        Posted::Sent(sent, said)
    }

    /// Reads the rows once, for their length and hashes.
    async fn measure(
        &self,
        form: Form<'_>,
        batch: Batch,
        mut report: Option<&mut TestReport>,
    ) -> Result<Plan, NoText> {
        let key = match form.settings.transport {
            // The settings let no other key in.
            Transport::Encrypted => {
                Some(form.settings.write_key.as_deref().and_then(key_bytes).unwrap_or_default())
            }
            Transport::Plain => None,
        };
        let mut measure = Measure::new(key.as_ref());
        let mut text = Text::new(batch, form.settings.interval_s);
        let mut piece = String::new();
        measure.literal(BEFORE);
        show(&mut report, BEFORE);
        while text.next(self.rows, form, &mut piece).await? {
            measure.value(piece.as_bytes());
            show(&mut report, piece.as_bytes());
            if text.reading.count.is_multiple_of(TURN) {
                yield_now().await;
            }
        }
        measure.value(b"]");
        measure.literal(BEHIND);
        show(&mut report, b"]&time=0");
        let last = text.reading.last.and_then(|row| row.time).unwrap_or(batch.after);
        let exhausted = text.reading.count < batch.most;
        let rows = if text.is_empty() { 0 } else { text.reading.count };
        // Behind the last row there is nothing; but the cursor stays at a row that there is.
        let end = if rows == 0 && exhausted { batch.until } else { last };
        Ok(Plan { measured: measure.finish(), rows, end, key })
    }

    /// One request and its answer.
    async fn exchange(
        &self,
        form: Form<'_>,
        plan: &Plan,
        sent: &mut Sent,
        start: &[u8; BLOCK],
        said: &mut String,
        mut report: Option<&mut TestReport>,
    ) -> Result<Answer, Answer> {
        let purpose = if report.is_some() { Purpose::EmoncmsTest } else { Purpose::Emoncms };
        let server = Server::parse(&form.settings.url).ok_or(Answer::NoAddress)?;
        let mut head = String::new();
        head.try_reserve(512).map_err(|_| Answer::NoMemory)?;
        post_head(&server, form.settings, &plan.measured, &mut head);
        if let Some(report) = report.as_deref_mut() {
            tell_head(report, &server, &head);
            if plan.key.is_some() {
                report.plaintext = Some(core::mem::take(&mut report.body));
            }
            report.body.clear();
        }
        let began = self.timer.now();
        let mut connection = self.connect(purpose, &server).await?;
        for key in keys(form.settings) {
            connection.hide(key);
        }
        let mut reader = Reader::new(limits::UPLINK_ANSWER, report.is_some());
        let written = match connection.write_all(head.as_bytes()).await {
            Ok(()) => {
                drop(head);
                self.write_body(&mut connection, form, sent.batch, plan, start, report.as_deref_mut()).await
            }
            Err(error) => Err(error.into()),
        };
        sent.whole = written.is_ok();
        let answer = match written {
            // A server that does not want to read on may have said why.
            Ok(()) | Err(Answer::Broken) => match receive(&mut connection, &mut reader).await {
                Ok(()) => {
                    self.hand_on_date(&reader, began);
                    let what =
                        Said { status: reader.status(), location: reader.location(), body: reader.body() };
                    classify(&what, &success(plan))
                }
                Err(answer) => answer,
            },
            Err(answer) => answer,
        };
        // What is kept and shown from here on has no key in it.
        for key in keys(form.settings) {
            reader.hide(key);
        }
        if reader.has_head() {
            let what = Said { status: reader.status(), location: reader.location(), body: reader.body() };
            *said = keys(form.settings).fold(quote(&what), without);
        }
        // Without its last byte nothing was stored, whatever is said.
        let answer = if answer == Answer::Accepted && !sent.whole { Answer::Unexpected } else { answer };
        if let Some(report) = report
            && reader.has_head()
        {
            report.received = Some(reader.received());
        }
        connection.finish(answer.outcome()).await;
        Ok(answer)
    }

    /// Reads the rows a second time, onto the wire. The end goes out only if they are what they were.
    async fn write_body(
        &self,
        connection: &mut Connection<'w, 'a, N, C, T>,
        form: Form<'_>,
        batch: Batch,
        plan: &Plan,
        start: &[u8; BLOCK],
        mut report: Option<&mut TestReport>,
    ) -> Result<(), Answer> {
        let mut out = Vec::new();
        out.try_reserve_exact(limits::UPLINK_OUTPUT).map_err(|_| Answer::NoMemory)?;
        let mut coding = match &plan.key {
            Some(key) => Coding::Encrypted(Box::new(Encryption::begin(key, start, &mut out))),
            None => Coding::Form,
        };
        let mut text = Text::new(batch, form.settings.interval_s);
        let mut piece = String::new();
        let mut hash = Sha256::new();
        hash.update(BEFORE);
        coding.literal(BEFORE, &mut out);
        // What is being said, for the ledger: encoded or encrypted nobody could read it.
        connection.body(BEFORE);
        while text.next(self.rows, form, &mut piece).await? {
            hash.update(piece.as_bytes());
            connection.body(piece.as_bytes());
            for part in piece.as_bytes().chunks(PART) {
                coding.value(part, &mut out);
                // The next part may become three times as long.
                if out.len() + 3 * PART > limits::UPLINK_OUTPUT {
                    flush(connection, &mut out, &mut report).await?;
                }
            }
            if text.reading.count.is_multiple_of(TURN) {
                yield_now().await;
            }
        }
        hash.update(b"]");
        hash.update(BEHIND);
        if plan.measured.hash != <[u8; 32]>::from(hash.finalize()) {
            // The log went on in between, and its oldest rows with it. What is out has no end: no server takes that.
            return Err(Answer::LogFailed);
        }
        coding.value(b"]", &mut out);
        coding.literal(BEHIND, &mut out);
        connection.body(b"]");
        connection.body(BEHIND);
        coding.finish(&mut out);
        flush(connection, &mut out, &mut report).await?;
        Ok(connection.flush().await?)
    }

    async fn connect(
        &self,
        purpose: Purpose,
        server: &Server<'_>,
    ) -> Result<Connection<'w, 'a, N, C, T>, Answer> {
        self.outside.connect(purpose, server.host, server.port).await.map_err(|error| match error.into() {
            Answer::NoAddress if is_local(server.host) => Answer::NoLocalName,
            answer => answer,
        })
    }

    /// Asks the server for its newest row.
    ///
    /// # Errors
    /// What it says instead.
    pub(super) async fn ask(
        &self,
        form: Form<'_>,
        cursor: u32,
        limit: Option<u32>,
        out_of_turn: Option<u32>,
    ) -> Result<Standing, Answer> {
        let quantity = reference(form.settings).ok_or(Answer::TooLarge)?;
        let mut path = Vec::from(&b"/input/get/"[..]);
        form.node.bytes().for_each(|byte| encode(byte, &mut path));
        let path = String::from_utf8(path).unwrap_or_default();
        let key = form.settings.read_key.as_deref().or(form.settings.write_key.as_deref());
        let reader = self.get(Purpose::Emoncms, form, &path, key, limits::UPLINK_NODE).await?;
        if reader.is_cut() {
            return Err(Answer::TooLarge);
        }
        let said = Said { status: reader.status(), location: reader.location(), body: reader.body() };
        let node = match core::str::from_utf8(said.body) {
            Ok(body) if said.status == 200 => resume::read(body, form.settings.input(quantity)),
            _ => Err(resume::NoAnswer),
        };
        // No success is expected in these words.
        let node = node.map_err(|_| classify(&said, b"\0"))?;
        let own = match node {
            Node::Has(input) => self.own_row(form, input.time).await?.and_then(|row| value(&row, quantity)),
            Node::HasNot => None,
        };
        let newest = self.rows.newest().await.map_err(|_| Answer::LogFailed)?.unwrap_or(cursor);
        Ok(resume::judge(node, cursor, limit.unwrap_or(newest), out_of_turn, own))
    }

    /// The plug's own row of this time, as it would be sent.
    async fn own_row(&self, form: Form<'_>, time: u32) -> Result<Option<Row>, Answer> {
        let interval_s = form.settings.interval_s;
        let batch =
            Batch { after: time.saturating_sub(interval_s.into()), until: time, most: u32::from(interval_s) };
        let merged = self.row_at(batch, interval_s, time).await?;
        // The interval may have been a shorter one when it was sent.
        if merged.is_some() { Ok(merged) } else { self.row_at(batch, 1, time).await }
    }

    async fn row_at(&self, batch: Batch, interval_s: u16, time: u32) -> Result<Option<Row>, Answer> {
        let mut reading = super::batch::Reading::new(batch, interval_s);
        while reading.next(self.rows).await.map_err(|_| Answer::LogFailed)?.is_some() {}
        Ok(reading.last.filter(|row| row.time == Some(time)))
    }

    /// Asks the server for the time, without any key; whether it is known then.
    ///
    /// # Errors
    /// What came instead of an answer.
    pub(super) async fn ask_time(&self, form: Form<'_>) -> Result<bool, Answer> {
        self.get(Purpose::EmoncmsTime, form, "/", None, 0).await?;
        for _ in 0..TURN {
            // Whoever keeps the time makes it everybody's.
            yield_now().await;
            if trusted(self.clock, self.state).is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// One question; of a body of which nothing is wanted, nothing is waited for.
    async fn get(
        &self,
        purpose: Purpose,
        form: Form<'_>,
        path: &str,
        key: Option<&str>,
        most: usize,
    ) -> Result<Reader, Answer> {
        let server = Server::parse(&form.settings.url).ok_or(Answer::NoAddress)?;
        let mut head = String::new();
        begin_head("GET", &server, path, &mut head);
        if let Some(key) = key {
            let _ = write!(head, "Authorization: Bearer {key}\r\n");
        }
        head.push_str("\r\n");
        let began = self.timer.now();
        let mut connection = self.connect(purpose, &server).await?;
        let mut reader = Reader::new(most, false);
        let mut received = match connection.write_all(head.as_bytes()).await {
            Ok(()) => connection.flush().await,
            Err(error) => Err(error),
        }
        .map_err(Answer::from);
        if received.is_ok() {
            received = receive(&mut connection, &mut reader).await;
        }
        if most == 0 && reader.has_head() {
            received = Ok(());
        }
        connection
            .finish(match received {
                Err(answer) => answer.outcome(),
                Ok(()) if reader.status() >= 400 => Outcome::Refused,
                Ok(()) => Outcome::Ok,
            })
            .await;
        received?;
        self.hand_on_date(&reader, began);
        Ok(reader)
    }

    /// Gives the server's time to whoever keeps the time; whether that one takes it.
    fn hand_on_date(&self, reader: &Reader, began: Instant) -> bool {
        let took = self.timer.now().since(began);
        let answer = timekeeping::Answer::of_date(reader.date(), took, self.clock.now());
        answer.is_some_and(|answer| self.state.offer_time(answer).agrees())
    }
}

/// What must be in nothing that is kept.
fn keys(settings: &EmoncmsSettings) -> impl Iterator<Item = &str> {
    [&settings.write_key, &settings.read_key].into_iter().flatten().map(|key| &**key)
}

/// A name that only the network's own machines know, by asking each other: the plug asks name servers.
fn is_local(host: &str) -> bool {
    host.trim_end_matches('.').rsplit('.').next().is_some_and(|last| last.eq_ignore_ascii_case("local"))
}

/// What a success looks like.
fn success(plan: &Plan) -> Vec<u8> {
    match plan.key {
        Some(_) => answer_of(&plan.measured.hash),
        None => Vec::from(&b"ok"[..]),
    }
}

/// Adds to what a test shows of the body.
fn show(report: &mut Option<&mut TestReport>, bytes: &[u8]) {
    if let Some(report) = report {
        let room = limits::UPLINK_ANSWER.saturating_sub(report.body.len()).min(bytes.len());
        report.body.push_str(&String::from_utf8_lossy(bytes.get(..room).unwrap_or(&[])));
    }
}

async fn flush<'w, 'a, N: Outbound + 'w, C: Clock, T: Clock>(
    connection: &mut Connection<'w, 'a, N, C, T>,
    out: &mut Vec<u8>,
    report: &mut Option<&mut TestReport>,
) -> Result<(), Answer> {
    show(report, out);
    connection.write_all(out).await?;
    out.clear();
    Ok(())
}

/// Reads until the answer is whole.
async fn receive<'w, 'a, N: Outbound + 'w, C: Clock, T: Clock>(
    connection: &mut Connection<'w, 'a, N, C, T>,
    reader: &mut Reader,
) -> Result<(), Answer> {
    let mut bytes = [0; 256];
    loop {
        match connection.read(&mut bytes).await {
            Ok(0) if reader.end() => return Ok(()),
            Ok(0) => return Err(Answer::Broken),
            Ok(count) => match reader.push(bytes.get(..count).unwrap_or(&[])) {
                Ok(true) => return Ok(()),
                Ok(false) => {}
                Err(super::http::NotHttp) => return Err(Answer::Unexpected),
            },
            Err(error) => return Err(error.into()),
        }
    }
}

fn begin_head(method: &str, server: &Server<'_>, path: &str, out: &mut String) {
    // A text has room for everything.
    let _ = write!(out, "{method} {}{path} HTTP/1.1\r\nHost: {}", server.path, server.host);
    if server.port != 80 {
        let _ = write!(out, ":{}", server.port);
    }
    out.push_str("\r\nUser-Agent: OSSP\r\nConnection: close\r\n");
}

fn post_head(server: &Server<'_>, settings: &EmoncmsSettings, measured: &Measured, out: &mut String) {
    begin_head("POST", server, "/input/bulk", out);
    let key = settings.write_key.as_deref().unwrap_or("");
    match &measured.mac {
        Some(mac) => {
            let _ =
                write!(out, "Content-Type: aes128cbc\r\nAuthorization: {}:", settings.user_id.unwrap_or(0));
            for byte in mac {
                let _ = write!(out, "{byte:02x}");
            }
        }
        None => {
            let _ =
                write!(out, "Content-Type: application/x-www-form-urlencoded\r\nAuthorization: Bearer {key}");
        }
    }
    let _ = write!(out, "\r\nContent-Length: {}\r\n\r\n", measured.length);
}

/// What a test shows of the head: everything but the key.
fn tell_head(report: &mut TestReport, server: &Server<'_>, head: &str) {
    let _ = write!(report.url, "http://{}", server.host);
    if server.port != 80 {
        let _ = write!(report.url, ":{}", server.port);
    }
    let _ = write!(report.url, "{}/input/bulk", server.path);
    for line in head.lines().skip(1).filter(|line| !line.is_empty()) {
        let Some((name, value)) = line.split_once(": ") else { continue };
        let masked = if value.starts_with("Bearer ") { "Bearer (the write key)" } else { value };
        report.headers.push((name.into(), masked.into()));
    }
}
