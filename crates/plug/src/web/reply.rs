//! Answers: what they carry, and the one place where they and the headers common to all are written.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt::Write as _;

use picoserve::ResponseSent;
use picoserve::io::{Read, Write};
use picoserve::mem::BorrowedCursor;
use picoserve::request::RequestBodyConnection;
use picoserve::response::{Content, IntoResponse, Response, ResponseWriter, StatusCode};
use serde::Serialize;

use super::packed::Packed;
use super::problem::{PROBLEM_JSON, Problem};
use super::routes::Methods;
use super::waveform::Recording;
use crate::access::{Challenge, SessionCookie};
use crate::limits;

pub(super) const JSON: &str = "application/json";
pub(super) const HTML: &str = "text/html; charset=utf-8";

/// The first of the headers on every answer; its value carries the others (see [`Lines`]).
pub(super) const FIRST_HEADER: &str = "Referrer-Policy";
/// On every answer. The policy lets a page load scripts, styles and data from the plug only, and send forms nowhere;
/// nobody frames it, and no other page loads anything of it.
const SECURITY: &str = "no-referrer\r\nX-Content-Type-Options: nosniff\r\nX-Frame-Options: DENY\r\n\
    Cross-Origin-Resource-Policy: same-origin\r\nContent-Security-Policy: default-src 'none'; script-src 'self'; \
    style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

const NOT_FOUND_PAGE: &str = "<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\"><title>Not here</title>\
    <h1>There is nothing at this address</h1><p><a href=\"/\">To the plug's page</a></p></html>\n";

/// How long an answer may be kept by whoever fetched it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cache {
    /// Numbers: not at all.
    NoStore,
    /// Pages: kept, but asked about each time.
    Revalidate,
    /// An address with the content's hash in it: for good.
    Forever,
}

impl Cache {
    const fn value(self) -> &'static str {
        match self {
            Self::NoStore => "no-store",
            Self::Revalidate => "no-cache",
            Self::Forever => "public, max-age=31536000, immutable",
        }
    }
}

/// Heap that answers under construction take, together at most [`limits::ANSWER_HEAP`].
pub(super) struct Budget(Cell<usize>);

impl Budget {
    pub(super) const fn new() -> Self {
        Self(Cell::new(limits::ANSWER_HEAP))
    }
}

/// A body under construction: bounded, on the heap, given back when it is dropped.
pub(super) struct Draft<'a> {
    bytes: Vec<u8>,
    most: usize,
    budget: &'a Budget,
}

impl<'a> Draft<'a> {
    /// Room for `most` bytes.
    ///
    /// # Errors
    /// The budget or the memory does not have them now.
    pub(super) fn new(budget: &'a Budget, most: usize) -> Result<Self, Problem> {
        let left = budget.0.get().checked_sub(most).ok_or(Problem::Busy)?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(most).map_err(|_| Problem::Busy)?;
        budget.0.set(left);
        Ok(Self { bytes, most, budget })
    }

    /// Adds `value` as JSON.
    ///
    /// # Errors
    /// It does not fit: the size was chosen too small, which a test would have to find.
    pub(super) fn json<T: Serialize>(&mut self, value: &T) -> Result<(), Problem> {
        let start = self.bytes.len();
        self.bytes.resize(self.most, 0);
        let room = self.bytes.get_mut(start..).unwrap_or(&mut []);
        let written = serde_json_core::to_slice(value, room);
        self.bytes.truncate(start + written.as_ref().copied().unwrap_or(0));
        written.map(|_| ()).map_err(|_| Problem::Busy)
    }

    /// Adds `bytes`, as many as fit.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let room = self.most.saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or(&[]));
    }

    /// How many more bytes fit.
    pub(super) fn room(&self) -> usize {
        self.most.saturating_sub(self.bytes.len())
    }

    /// Takes back what was added since it had `length` bytes.
    pub(super) fn truncate(&mut self, length: usize) {
        self.bytes.truncate(length);
    }

    /// Begins again.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl core::fmt::Write for Draft<'_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        if self.bytes.len() + text.len() > self.most {
            return Err(core::fmt::Error);
        }
        self.bytes.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        self.budget.0.set(self.budget.0.get() + self.most);
    }
}

/// What stands below the headers.
pub(super) enum Body<'a> {
    /// Something that lies in flash.
    Fixed(&'static [u8]),
    /// The same, packed.
    Packed(Packed),
    /// Something made for this request.
    Made(Draft<'a>),
    /// An error's JSON, which must not need memory that is not there.
    Problem(Problem),
    /// Samples, written row by row.
    Recording(Recording<'a>),
}

/// One answer.
pub(super) struct Reply<'a> {
    pub(super) status: StatusCode,
    pub(super) content_type: &'static str,
    pub(super) body: Body<'a>,
    pub(super) lines: Lines,
    /// Only the headers are wanted (`HEAD`, 304).
    pub(super) head_only: bool,
}

impl<'a> Reply<'a> {
    pub(super) const fn new(content_type: &'static str, body: Body<'a>) -> Self {
        Self { status: StatusCode::new(200), content_type, body, lines: Lines::new(), head_only: false }
    }

    /// `value` as JSON of at most `most` bytes.
    ///
    /// # Errors
    /// There is no memory for it now.
    pub(super) fn json<T: Serialize>(budget: &'a Budget, most: usize, value: &T) -> Result<Self, Problem> {
        let mut draft = Draft::new(budget, most)?;
        draft.json(value)?;
        Ok(Self::new(JSON, Body::Made(draft)))
    }

    /// A small page for people who mistyped an address.
    pub(super) const fn not_found_page() -> Self {
        let mut reply = Self::new(HTML, Body::Fixed(NOT_FOUND_PAGE.as_bytes()));
        reply.status = StatusCode::new(404);
        reply
    }

    /// Writes the answer. What is left of the request's body is read (bounded by the request's time) and dropped.
    ///
    /// # Errors
    /// The client is gone or too slow.
    pub(super) async fn send<R: Read, W: ResponseWriter<Error = R::Error>>(
        self,
        connection: RequestBodyConnection<'_, R>,
        writer: W,
    ) -> Result<ResponseSent, W::Error> {
        // What is left of the request goes first: nothing of the answer has to be kept meanwhile.
        let connection = connection.finalize().await?;
        let Self { status, content_type, body, head_only, lines } = self;
        let sheet = Sheet { content_type, length: body.length(), body, head_only };
        Response::new(status, sheet).with_header(lines.first(), lines).write_to(connection, writer).await
    }
}

/// All headers that do not depend on the body, as one value: picoserve keeps a future for each header it is given,
/// which together took 2 KB a worker. Nothing in here comes from a client.
pub(super) struct Lines {
    /// The connection ends after this answer.
    pub(super) close: bool,
    pub(super) cache: Cache,
    /// The body is compressed.
    pub(super) gzip: bool,
    pub(super) etag: Option<u64>,
    pub(super) retry_after: Option<u32>,
    pub(super) allow: Option<Methods>,
    /// On the heap: all others are small, and each worker has room for one.
    pub(super) extra: Option<Box<Extra>>,
}

/// A line that few answers have.
pub(super) enum Extra {
    /// How to sign in. Hidden, the browser does not see that it could ask for a password itself.
    Challenge { hidden: bool, challenge: Challenge },
    /// A session begins or ends.
    Cookie(SessionCookie),
    /// The plug's page, as it is found on the access point.
    Home,
}

impl core::fmt::Display for Extra {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Challenge { hidden: true, challenge } => write!(formatter, "OSSP-Challenge: {challenge}"),
            Self::Challenge { hidden: false, challenge } => {
                write!(formatter, "WWW-Authenticate: Digest {challenge}")
            }
            Self::Cookie(cookie) => write!(formatter, "Set-Cookie: {cookie}"),
            Self::Home => write!(formatter, "Location: http://{}/", limits::ACCESS_POINT_ADDRESS),
        }
    }
}

impl Lines {
    pub(super) const fn new() -> Self {
        Self {
            close: false,
            cache: Cache::NoStore,
            gzip: false,
            etag: None,
            retry_after: None,
            allow: None,
            extra: None,
        }
    }

    /// The name of the header that these are the value of. picoserve says itself what becomes of a connection, unless
    /// a header says so.
    pub(super) const fn first(&self) -> &'static str {
        if self.close { "Connection" } else { FIRST_HEADER }
    }
}

impl core::fmt::Display for Lines {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        if self.close {
            write!(formatter, "close\r\n{FIRST_HEADER}: ")?;
        }
        write!(formatter, "{SECURITY}\r\nCache-Control: {}", self.cache.value())?;
        if self.gzip {
            formatter.write_str("\r\nContent-Encoding: gzip")?;
        }
        if let Some(etag) = self.etag {
            write!(formatter, "\r\nETag: {}", Tag(etag))?;
        }
        if let Some(seconds) = self.retry_after {
            write!(formatter, "\r\nRetry-After: {seconds}")?;
        }
        if let Some(methods) = self.allow {
            write!(formatter, "\r\nAllow: {methods}")?;
        }
        if let Some(extra) = &self.extra {
            write!(formatter, "\r\n{extra}")?;
        }
        Ok(())
    }
}

impl From<Problem> for Reply<'_> {
    fn from(problem: Problem) -> Self {
        let mut reply = Self::new(JSON, Body::Problem(Problem::NotFound));
        reply.status = problem.kind().0;
        reply.lines.retry_after = problem.retry_after();
        reply.body = Body::Problem(problem);
        reply
    }
}

/// An entity tag (RFC 9110 §8.8.3).
pub(super) struct Tag(pub(super) u64);

impl core::fmt::Display for Tag {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(formatter, "\"{:016x}\"", self.0)
    }
}

impl Body<'_> {
    fn length(&self) -> usize {
        match self {
            Self::Fixed(bytes) => bytes.len(),
            Self::Packed(packed) => packed.length(),
            Self::Made(draft) => draft.bytes.len(),
            Self::Problem(problem) => problem.json(&mut [0; PROBLEM_JSON]),
            Self::Recording(recording) => recording.length(),
        }
    }
}

/// A body with its length, as picoserve wants it.
struct Sheet<'a> {
    content_type: &'static str,
    length: usize,
    body: Body<'a>,
    head_only: bool,
}

impl Content for Sheet<'_> {
    fn content_type(&self) -> &'static str {
        self.content_type
    }

    fn content_length(&self) -> usize {
        self.length
    }

    async fn write_content<W: Write>(self, mut writer: W) -> Result<(), W::Error> {
        if self.head_only {
            return Ok(());
        }
        match self.body {
            Body::Fixed(bytes) => writer.write_all(bytes).await,
            Body::Packed(packed) => packed.write(&mut writer).await,
            Body::Made(draft) => writer.write_all(&draft.bytes).await,
            // The head leaves more room than the longest problem needs.
            Body::Problem(problem) => writer.write_with(|cursor| put_problem(&problem, cursor)).await,
            Body::Recording(recording) => recording.write(&mut writer).await,
        }
    }
}

fn put_problem(problem: &Problem, mut cursor: BorrowedCursor<'_>) {
    let mut buffer = [0; PROBLEM_JSON];
    let length = problem.json(&mut buffer);
    let _ = cursor.try_append(buffer.get(..length).unwrap_or(&[]));
}

/// The whole answer to a request that never reached a handler, into `output`; its length.
pub(super) fn refusal(problem: &Problem, output: &mut [u8]) -> usize {
    struct Page<'a>(&'a mut [u8], usize);
    impl core::fmt::Write for Page<'_> {
        fn write_str(&mut self, text: &str) -> core::fmt::Result {
            let room = self.0.get_mut(self.1..self.1 + text.len()).ok_or(core::fmt::Error)?;
            room.copy_from_slice(text.as_bytes());
            self.1 += text.len();
            Ok(())
        }
    }
    let mut body = [0; PROBLEM_JSON];
    let length = problem.json(&mut body);
    let body = core::str::from_utf8(body.get(..length).unwrap_or(&[])).unwrap_or("");
    let mut page = Page(output, 0);
    let mut write = || -> core::fmt::Result {
        write!(
            page,
            "HTTP/1.1 {} \r\nContent-Type: {JSON}\r\nContent-Length: {length}\r\n",
            problem.kind().0
        )?;
        let lines = Lines { close: true, ..Lines::new() };
        write!(page, "{}: {lines}\r\n\r\n{body}", lines.first())
    };
    // It fits by far; a cut answer would still carry the status.
    let _ = write();
    page.1
}
