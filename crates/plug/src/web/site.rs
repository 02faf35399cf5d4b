//! One request from its first check to its answer. The order is the same for all: the doors (see `doors`), route, method,
//! type, length, body.

use alloc::boxed::Box;

use embassy_sync::blocking_mutex::raw::RawMutex;
use picoserve::ResponseSent;
use picoserve::io::Read;
use picoserve::request::{Path, Request, RequestBodyConnection, RequestParts};
use picoserve::response::ResponseWriter;
use picoserve::routing::PathRouterService;

use super::assets::{Asset, Tags};
use super::core_desk::CoreDesk;
use super::crowd::Stay;
use super::doors::{self, Caller, Entry, Peer};
use super::events::Seat;
use super::flow::{self, Download, Flow, Page};
use super::host::split_target;
use super::ledger::LedgerPage;
use super::problem::Problem;
use super::reply::{Budget, Draft, Reply};
use super::routes::{Handler, Route, Wire, find};
use super::socket::Exchange;
use super::trips::{self, TripRecording};
use super::{
    Plug, api, assets, captive, control, energy, history, metrics, password, relay_log, relay_request,
    session, settings, setup, time, tokens, update, uplink, upload, waveform, wifi,
};
use crate::apart::apart;
use crate::core::claims::Wish;
use crate::limits;
use crate::platform::Clock;

/// What a request can reach, for one worker.
pub(super) struct Site<'a, C, N, M: RawMutex> {
    pub(super) plug: &'a Plug<'a, C, N, M>,
    pub(super) core: &'a CoreDesk<'a, M>,
    pub(super) budget: &'a Budget,
    pub(super) tags: &'a Tags,
    pub(super) exchange: &'a Exchange,
    pub(super) stay: &'a Stay<'a>,
    pub(super) peer: Peer,
}

/// What is answered: a body of known length, one of unknown length, or what comes in pieces out of the flash.
enum Outcome<'a> {
    Reply(Reply<'a>),
    Flow(Flow<'a>),
    Trip(TripRecording<'a>),
}

impl<C: Clock, N: Clock, M: RawMutex> PathRouterService for Site<'_, C, N, M> {
    async fn call_path_router_service<R: Read, W: ResponseWriter<Error = R::Error>>(
        &self,
        (): &(),
        (): (),
        _path: Path<'_>,
        request: Request<'_, R>,
        writer: W,
    ) -> Result<ResponseSent, W::Error> {
        let Request { parts, mut body_connection } = request;
        self.exchange.begin(self.plug.network_clock.now().after(limits::ANSWER_TIMEOUT));
        let head_only = parts.method() == "HEAD";
        let outcome = self.answer(&parts, &mut body_connection).await;
        // Nobody waits for a body that nobody read, nor keeps a connection while others have none.
        let unread = body_connection.content_length() > 0 && self.exchange.body_is_under_way();
        if unread || self.stay.is_crowded() {
            self.exchange.end();
        }
        let sent = match outcome {
            Outcome::Reply(mut reply) => {
                reply.head_only |= head_only;
                reply.lines.close = self.exchange.has_ended();
                self.exchange.join_head_and_body();
                // Also apart, since a worker whose client is silent needs nothing of it.
                apart(|| reply.send(body_connection, writer)).await
            }
            // Most workers never have one: its future (2 KB) is not part of theirs.
            Outcome::Flow(flow) => apart(|| flow::send(self, flow, head_only, body_connection, writer)).await,
            Outcome::Trip(recording) => {
                apart(|| trips::send(self, recording, head_only, body_connection, writer)).await
            }
        };
        self.exchange.finish();
        sent
    }
}

impl<'a, C: Clock, N: Clock, M: RawMutex> Site<'a, C, N, M> {
    async fn answer<R: Read>(
        &self,
        parts: &RequestParts<'_>,
        body: &mut RequestBodyConnection<'_, R>,
    ) -> Outcome<'a> {
        match self.outcome(parts, body).await {
            Ok(outcome) => outcome,
            Err(problem) => Outcome::Reply(self.turn_away(problem, parts)),
        }
    }

    async fn outcome<R: Read>(
        &self,
        parts: &RequestParts<'_>,
        body: &mut RequestBodyConnection<'_, R>,
    ) -> Result<Outcome<'a>, Problem> {
        if let Entry::Captive = doors::entry(parts, self.peer, self.plug.state, &self.plug.identity.id)? {
            // It goes on elsewhere; a phone keeps such connections, and there are few.
            self.exchange.end();
            return captive::answer(path(parts)).map(Outcome::Reply);
        }
        let (path, method) = (path(parts), parts.method());
        let route = find(path);
        if route.is_some_and(|route| route.handler.acts_on_get()) && doors::is_from_another_page(parts) {
            return Err(Problem::WrongOrigin);
        }
        let who = doors::who(route, path, method, doors::wants_update_page(parts, path));
        if self.stay.is_the_last() && !doors::is_served_by_the_last(who, path) {
            return Err(Problem::Busy);
        }
        let caller = self.admit(who, path, parts)?;
        let Some(route) = route else {
            return if doors::is_for_machines(path) {
                Err(Problem::NotFound)
            } else if self.peer.by_access_point && captive::is_probe(path) {
                Ok(Outcome::Reply(captive::to_the_page()))
            } else {
                Ok(Outcome::Reply(Reply::not_found_page()))
            };
        };
        if self.plug.state.safe_mode.get() && !route.handler.works_in_safe_mode() {
            return Err(Problem::SafeMode);
        }
        if !route.methods.allow(method) {
            let mut reply = Reply::from(Problem::WrongMethod);
            reply.lines.allow = Some(route.methods);
            return Ok(Outcome::Reply(reply));
        }
        let (looks, again) =
            (matches!(method, "GET" | "HEAD"), parts.headers().get("if-none-match").is_some());
        if self.peer.by_access_point && route.handler.is_use(looks, again) {
            // The radio stays where it is meanwhile.
            self.plug.state.last_use_by_access_point.set(Some(self.plug.clock.now()));
        }
        self.handle(route, &caller, parts, body).await
    }

    async fn handle<R: Read>(
        &self,
        route: &Route,
        caller: &Caller,
        parts: &RequestParts<'_>,
        body: &mut RequestBodyConnection<'_, R>,
    ) -> Result<Outcome<'a>, Problem> {
        let reply = match route.handler {
            Handler::Info => api::info(self, caller),
            Handler::Reading => api::reading(self),
            Handler::Harmonics => api::harmonics(self),
            Handler::Calibration => api::calibration(self),
            Handler::Events => return self.events(caller, parts),
            Handler::Waveform => waveform::waveform(self, parts).await,
            Handler::Relay if parts.method() == "PUT" => self.switch(parts, body).await,
            Handler::Relay => api::relay(self),
            Handler::Protection => api::protection(self),
            // Most workers never have to do with the rest: these futures are not part of theirs.
            Handler::RelayLog => Box::pin(relay_log::relay_log(self, parts)).await,
            Handler::Trips => Box::pin(trips::trips(self)).await,
            Handler::TripWaveform => {
                return Box::pin(trips::recording(self, path(parts))).await.map(Outcome::Trip);
            }
            Handler::Energy => Box::pin(energy::energy(self, parts)).await,
            Handler::Control(order) => Box::pin(control::control(self, order, parts, body)).await,
            Handler::Settings if parts.method() == "PATCH" => {
                Box::pin(settings::patch(self, caller, parts, body)).await
            }
            Handler::Settings => Box::pin(settings::show(self)).await,
            Handler::Setup | Handler::Session | Handler::Password | Handler::Tokens | Handler::Token => {
                Box::pin(self.keys(route.handler, caller, parts, body)).await
            }
            Handler::Wifi => wifi::wifi(self),
            Handler::WifiScan => Box::pin(wifi::scan(self)).await,
            Handler::WifiTest if parts.method() == "DELETE" => Box::pin(wifi::take_back(self)).await,
            Handler::WifiTest => Box::pin(wifi::try_network(self, parts, body)).await,
            Handler::WifiConfirm => Box::pin(wifi::confirm(self)).await,
            Handler::Ledger => {
                let rows = self.plug.state.ledger.borrow().row_count();
                return self.pieces(Page::Ledger(LedgerPage::new()), rows);
            }
            Handler::History => {
                let page = Box::pin(history::history(self, parts)).await?;
                let rows = page.row_count();
                return self.pieces(Page::History(page), rows);
            }
            Handler::Time if parts.method() == "POST" => Box::pin(time::tell(self, parts, body)).await,
            Handler::Time => time::show(self, None),
            Handler::Uplink => uplink::show(self),
            Handler::UplinkTest => Box::pin(uplink::test(self)).await,
            Handler::Update | Handler::Elegant(_) => {
                Box::pin(self.firmware(route.handler, caller, parts, body)).await
            }
            Handler::OpenApi => Ok(api::openapi()),
            Handler::Metrics => metrics::metrics(self),
            Handler::Page(asset) => Ok(assets::page(self.tags, asset, parts)),
        };
        reply.map(Outcome::Reply)
    }

    fn events(&self, caller: &Caller, parts: &RequestParts<'_>) -> Result<Outcome<'a>, Problem> {
        let until = session::end(self, caller, parts);
        let seat = Seat::take(self.plug.state, self.budget, caller, until)?;
        Ok(Outcome::Flow(Flow::Events(seat)))
    }

    /// An answer in pieces, of so many rows.
    fn pieces(&self, page: Page, rows: u32) -> Result<Outcome<'a>, Problem> {
        let download = Download::begin(self.plug.state, rows)?;
        Ok(Outcome::Flow(Flow::Pieces(page, download, Draft::new(self.budget, limits::DOWNLOAD_PIECE)?)))
    }

    /// What has to do with who gets in.
    async fn keys<R: Read>(
        &self,
        handler: Handler,
        caller: &Caller,
        parts: &RequestParts<'_>,
        body: &mut RequestBodyConnection<'_, R>,
    ) -> Result<Reply<'a>, Problem> {
        match (handler, parts.method()) {
            (Handler::Setup, "POST") => setup::offer(self, parts, body).await,
            (Handler::Setup, _) => setup::status(self),
            (Handler::Session, "POST") => session::sign_in(self, parts, body).await,
            (Handler::Session, "DELETE") => session::sign_out(self, parts),
            (Handler::Session, _) => session::show(self, caller, parts),
            (Handler::Password, _) => password::password(self, parts, body).await,
            (Handler::Token, _) => tokens::revoke(self, Some(path(parts)), parts, body).await,
            (_, "POST") => tokens::make(self, parts, body).await,
            (_, "DELETE") => tokens::revoke(self, None, parts, body).await,
            _ => tokens::list(self),
        }
    }

    /// What has to do with which firmware runs.
    async fn firmware<R: Read>(
        &self,
        handler: Handler,
        caller: &Caller,
        parts: &RequestParts<'_>,
        body: &mut RequestBodyConnection<'_, R>,
    ) -> Result<Reply<'a>, Problem> {
        match (handler, parts.method()) {
            (Handler::Elegant(Wire::Start), _) => upload::start(self, caller, parts),
            (Handler::Elegant(Wire::Page), "POST") => upload::elegant(self, caller, false, parts, body).await,
            (Handler::Elegant(Wire::Page), _) => Ok(assets::page(self.tags, Asset::Index, parts)),
            (Handler::Elegant(Wire::Upload), _) => upload::elegant(self, caller, true, parts, body).await,
            (_, "POST") => upload::upload(self, caller, parts, body).await,
            (_, "DELETE") => upload::go_back(self, caller, parts).await,
            _ => update::show(self),
        }
    }

    async fn switch<R: Read>(
        &self,
        parts: &RequestParts<'_>,
        body: &mut RequestBodyConnection<'_, R>,
    ) -> Result<Reply<'a>, Problem> {
        let text = self.json_body(parts, body).await?;
        let command = relay_request::parse(text)?;
        let wants_on = match command.wish {
            Wish::Set(on) => on,
            Wish::Toggle => !self.plug.state.relay.borrow().on,
            Wish::Release | Wish::Rearm | Wish::CancelRetries => false,
        };
        self.core.switch(self.plug.network_clock, command).await?;
        // Protection may have been faster.
        let locked_out = self.plug.state.relay.borrow().locked_out;
        if wants_on && locked_out { Err(Problem::LockedOut) } else { api::relay(self) }
    }

    /// The body of a request that must be JSON.
    pub(super) async fn json_body<'b, R: Read>(
        &self,
        parts: &RequestParts<'_>,
        body: &'b mut RequestBodyConnection<'_, R>,
    ) -> Result<&'b [u8], Problem> {
        if !is_json(parts) {
            return Err(Problem::NotJsonType);
        }
        if body.content_length() > limits::JSON_BODY {
            // Nobody waits for it; the answer goes out and the connection ends.
            self.exchange.end();
            return Err(Problem::BodyTooLong { most: limits::JSON_BODY });
        }
        match body.body().read_all().await {
            Ok(text) => Ok(text),
            Err(_) => {
                self.exchange.end();
                Err(Problem::BodyMissing)
            }
        }
    }
}

/// The path, also of a request in absolute form.
fn path<'r>(parts: &RequestParts<'r>) -> &'r str {
    split_target(parts.path().encoded()).1
}

pub(super) fn is_json(parts: &RequestParts<'_>) -> bool {
    let Some(value) = parts.headers().get("content-type") else { return false };
    let kind = value.as_raw().split(|byte| *byte == b';').next().unwrap_or(&[]);
    kind.trim_ascii().eq_ignore_ascii_case(b"application/json")
}
