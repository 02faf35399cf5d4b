//! Answers of which nobody can say beforehand how long they are: the live stream, and what may be longer than the memory.
//!
//! The latter come in pieces, chunked (RFC 9112 §7.1), so that a client sees whether it has all of it. One way for all:
//! each way to write an answer costs 2 KB of code. The connection ends with the answer.

use alloc::boxed::Box;
use core::fmt::Write as _;

use embassy_sync::blocking_mutex::raw::RawMutex;
use picoserve::ResponseSent;
use picoserve::io::{Read, Write};
use picoserve::request::RequestBodyConnection;
use picoserve::response::custom::{CustomBody, CustomResponse};
use picoserve::response::{IntoResponse, ResponseWriter, StatusCode};

use super::events::{Seat, Stream};
use super::history::HistoryPage;
use super::ledger::LedgerPage;
use super::problem::Problem;
use super::reply::{Draft, JSON, Lines};
use super::site::Site;
use crate::apart::apart;
use crate::limits;
use crate::platform::Clock;
use crate::state::State;

/// What a page adds at once at the most; a test builds the longest.
const FRAGMENT: usize = 640;
/// The length of a chunk, and its line ends.
const AROUND: usize = 8;

/// What is asked for. On the heap: most workers never have to do with it.
pub(super) enum Flow<'a> {
    Events(Seat<'a>),
    Pieces(Page, Download<'a>, Draft<'a>),
}

/// What may be longer than the memory.
pub(super) enum Page {
    Ledger(LedgerPage),
    History(Box<HistoryPage>),
}

/// One of the few places for long answers, if it is one; free again when it is dropped.
pub(super) struct Download<'a>(Option<&'a State>);

impl<'a> Download<'a> {
    /// For an answer of so many rows.
    ///
    /// # Errors
    /// All places are taken.
    pub(super) fn begin(state: &'a State, rows: u32) -> Result<Self, Problem> {
        if rows < limits::DOWNLOAD_ROWS {
            return Ok(Self(None));
        }
        let others = state.downloads.get();
        if others >= limits::DOWNLOADS {
            return Err(Problem::Busy);
        }
        state.downloads.set(others + 1);
        Ok(Self(Some(state)))
    }
}

impl Drop for Download<'_> {
    fn drop(&mut self) {
        if let Some(state) = self.0 {
            state.downloads.set(state.downloads.get().saturating_sub(1));
        }
    }
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// There is more.
    More,
    /// That was all.
    End,
    /// It cannot go on: the client must not take what it has for the whole.
    Broken,
}

/// Answers with it; the live stream until the client goes away or its right ends.
///
/// # Errors
/// The client is gone or too slow.
pub(super) async fn send<C: Clock, N: Clock, M: RawMutex, R: Read, W: ResponseWriter<Error = R::Error>>(
    site: &Site<'_, C, N, M>,
    flow: Flow<'_>,
    head_only: bool,
    connection: RequestBodyConnection<'_, R>,
    writer: W,
) -> Result<ResponseSent, W::Error> {
    let connection = connection.finalize().await?;
    let (kind, body) = match flow {
        Flow::Events(seat) => ("text/event-stream", Body::Events(Box::new(Stream::new(site, seat)))),
        Flow::Pieces(page, download, draft) => {
            let kind = match &page {
                Page::Ledger(_) => JSON,
                Page::History(page) => page.content_type(),
            };
            if download.0.is_some() {
                site.exchange.extend(site.plug.network_clock.now().after(limits::DOWNLOAD_TIMEOUT));
            }
            (kind, Body::Pieces(Box::new(Pieces { site, page, draft, _download: download })))
        }
    };
    let chunked = match &body {
        Body::Events(_) | Body::Nothing => "",
        Body::Pieces(_) => {
            // Whoever does not read any more is noticed by what is written: each piece is made in a few seconds.
            site.exchange.be_deaf();
            "\r\nTransfer-Encoding: chunked"
        }
    };
    // picoserve says itself that the connection ends.
    let lines = Lines::new();
    let first = lines.first();
    let sent = CustomResponse::build(StatusCode::new(200))
        .with_header("Content-Type", format_args!("{kind}{chunked}\r\n{first}: {lines}"))
        .with_body(if head_only { Body::Nothing } else { body })
        .write_to(connection, writer)
        .await;
    // Its end is all that tells the client that it is over. (Earlier, picoserve would take it for the client's.)
    site.exchange.end();
    sent
}

/// On the heap, and its future apart: what answers hands it on by value, several times, and each copy takes its memory.
enum Body<'s, 'a, C, N, M: RawMutex> {
    Nothing,
    Events(Box<Stream<'s, 'a, C, N, M>>),
    Pieces(Box<Pieces<'s, 'a, C, N, M>>),
}

impl<C: Clock, N: Clock, M: RawMutex> CustomBody for Body<'_, '_, C, N, M> {
    async fn write_response_body<W: Write>(self, writer: W) -> Result<(), W::Error> {
        match self {
            Self::Nothing => Ok(()),
            Self::Events(mut stream) => apart(|| stream.flow(writer)).await,
            Self::Pieces(mut pieces) => apart(|| pieces.flow(writer)).await,
        }
    }
}

/// An answer in pieces; each has the same memory.
struct Pieces<'s, 'a, C, N, M: RawMutex> {
    site: &'s Site<'a, C, N, M>,
    page: Page,
    draft: Draft<'s>,
    _download: Download<'s>,
}

impl<C: Clock, N: Clock, M: RawMutex> Pieces<'_, '_, C, N, M> {
    async fn flow<W: Write>(&mut self, mut writer: W) -> Result<(), W::Error> {
        loop {
            let step = self.fill().await;
            if step == Step::Broken {
                // Without the last chunk the client knows.
                return Ok(());
            }
            let length = self.draft.bytes().len();
            let _ = self.draft.write_str("\r\n");
            writer.write_fmt(format_args!("{length:x}\r\n")).await?;
            writer.write_all(self.draft.bytes()).await?;
            if step == Step::End {
                return writer.write_all(b"0\r\n\r\n").await;
            }
        }
    }

    /// Fills the draft.
    async fn fill(&mut self) -> Step {
        self.draft.clear();
        while self.draft.room() >= FRAGMENT + AROUND {
            let step = match &mut self.page {
                Page::Ledger(page) => page.step(self.site.plug, &mut self.draft),
                Page::History(page) => page.step(self.site, &mut self.draft).await,
            };
            if step != Step::More {
                return step;
            }
        }
        Step::More
    }
}
