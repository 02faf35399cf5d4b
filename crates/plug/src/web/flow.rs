//! Answers that come in pieces, since nobody can say beforehand how long they are, and they may be longer than the memory:
//! chunked (RFC 9112 §7.1), so that a client sees whether it has all of it.

use alloc::boxed::Box;

use embassy_sync::blocking_mutex::raw::RawMutex;
use picoserve::ResponseSent;
use picoserve::io::{Read, Write};
use picoserve::request::RequestBodyConnection;
use picoserve::response::chunked::{ChunkWriter, ChunkedResponse, Chunks, ChunksWritten};
use picoserve::response::{IntoResponse, Response, ResponseWriter, StatusCode};

use super::history::HistoryPage;
use super::ledger::LedgerPage;
use super::reply::{Draft, JSON, Lines};
use super::site::Site;
use crate::limits;
use crate::platform::Clock;

/// What a page adds at once at the most; a test builds the longest.
pub(super) const FRAGMENT: usize = 640;

/// What is asked for.
pub(super) enum Flow {
    Ledger(LedgerPage),
    History(Box<HistoryPage>),
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

impl Flow {
    fn content_type(&self) -> &'static str {
        match self {
            Self::Ledger(_) => JSON,
            Self::History(page) => page.content_type(),
        }
    }

    /// Fills the draft.
    async fn fill<C: Clock, N: Clock, M: RawMutex>(
        &mut self,
        site: &Site<'_, C, N, M>,
        draft: &mut Draft<'_>,
    ) -> Step {
        draft.clear();
        while draft.room() >= FRAGMENT {
            let step = match self {
                Self::Ledger(page) => page.step(site.plug, draft),
                Self::History(page) => page.step(site, draft).await,
            };
            if step != Step::More {
                return step;
            }
        }
        Step::More
    }
}

/// Answers with it.
///
/// # Errors
/// The client is gone or too slow.
pub(super) async fn send<C: Clock, N: Clock, M: RawMutex, R: Read, W: ResponseWriter<Error = R::Error>>(
    site: &Site<'_, C, N, M>,
    (flow, draft): (Flow, Draft<'_>),
    head_only: bool,
    connection: RequestBodyConnection<'_, R>,
    writer: W,
) -> Result<ResponseSent, W::Error> {
    let connection = connection.finalize().await?;
    site.exchange.extend(site.plug.network_clock.now().after(limits::DOWNLOAD_TIMEOUT));
    let lines = Lines { close: site.exchange.has_ended(), ..Lines::new() };
    if head_only {
        return Response::empty(StatusCode::new(200))
            .with_headers([("Content-Type", flow.content_type()), ("Transfer-Encoding", "chunked")])
            .with_header(lines.first(), lines)
            .write_to(connection, writer)
            .await;
    }
    site.exchange.join_head_and_body();
    ChunkedResponse::new(Sheet { site, flow, draft })
        .into_response()
        .with_header(lines.first(), lines)
        .write_to(connection, writer)
        .await
}

struct Sheet<'s, 'a, C, N, M: RawMutex> {
    site: &'s Site<'a, C, N, M>,
    flow: Flow,
    draft: Draft<'s>,
}

impl<C: Clock, N: Clock, M: RawMutex> Chunks for Sheet<'_, '_, C, N, M> {
    fn content_type(&self) -> &'static str {
        self.flow.content_type()
    }

    async fn write_chunks<W: Write>(self, mut writer: ChunkWriter<W>) -> Result<ChunksWritten, W::Error> {
        let Self { site, mut flow, mut draft } = self;
        loop {
            let step = flow.fill(site, &mut draft).await;
            if step == Step::Broken {
                // Not the last chunk: without it the client knows.
                site.exchange.give_up();
                break;
            }
            writer.write_chunk(draft.bytes()).await?;
            if step == Step::End {
                break;
            }
        }
        writer.finalize().await
    }
}
