//! A new image: as the body of `POST /api/v1/update`, or by ElegantOTA's wire: `GET /ota/start?mode=fr&hash=MD5`, then
//! `POST /ota/upload` with a form, answered with exactly `OK`; of its second version `POST /update` alone. What an image
//! is put through stands in [`crate::update::writer`].

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt::Display;
use core::fmt::Write as _;
use core::time::Duration;

use embassy_sync::blocking_mutex::raw::RawMutex;
use md5::{Digest, Md5};
use picoserve::io::Read;
use picoserve::request::{RequestBodyConnection, RequestParts};
use picoserve::response::StatusCode;

use super::doors::Caller;
use super::multipart::Form;
use super::problem::Problem;
use super::query;
use super::reply::{Body, Draft, Reply};
use super::site::Site;
use super::socket::within;
use super::update;
use super::uplink::made;
use crate::access::{By, Hex, Pass, read_hex};
use crate::json::{Number, Quoted};
use crate::limits;
use crate::platform::{Clock, ImageState, Instant};
use crate::update::desk::{Activated, Last, Order, Outcome, Upload};
use crate::update::fault::Fault;

const TEXT: &str = "text/plain; charset=utf-8";
/// Longest sentence in such an answer.
const SENTENCE: usize = 192;
/// What of a form is read at once.
const FORM_PIECE: usize = 512;

/// `POST /api/v1/update`.
pub(super) async fn upload<'a, C: Clock, N: Clock, M: RawMutex, R: Read>(
    site: &Site<'a, C, N, M>,
    caller: &Caller,
    parts: &RequestParts<'_>,
    body: &mut RequestBodyConnection<'_, R>,
) -> Result<Reply<'a>, Problem> {
    let allow_downgrade = allows_downgrade(caller, parts)?;
    if body.content_length() == 0 {
        return Err(Problem::LengthRequired);
    }
    let intake = Intake { allow_downgrade, ..Intake::new(site, caller)? };
    let activated = intake.run(parts, body).await.map_err(Problem::Update)?;
    let restart_in = limits::FLUSH_PATIENCE + limits::RESTART_DELAY;
    made(site, &|out| {
        write!(
            out,
            "{{\"version\":{},\"image_sha256\":\"{}\",\"restart_in_s\":{}}}",
            Quoted(&activated.version),
            Hex(&activated.image_sha256),
            Number(restart_in.as_secs_f64())
        )
    })
}

/// Whether an older version is meant. A token that was overheard once must not bring a known hole back.
fn allows_downgrade(caller: &Caller, parts: &RequestParts<'_>) -> Result<bool, Problem> {
    match query::text(parts.query().map_or("", |query| query.0), "allow_downgrade") {
        None | Some("false") => Ok(false),
        Some("true") if knows_password(caller) => Ok(true),
        Some("true") => Err(Problem::PasswordOnly),
        Some(_) => Err(Problem::BadParameter { name: "allow_downgrade", wanted: "true or false" }),
    }
}

fn knows_password(caller: &Caller) -> bool {
    caller.known.is_some_and(|known| known.by == By::Digest)
}

/// `DELETE /api/v1/update`: back to the firmware before, at once from one on probation.
pub(super) async fn go_back<'a, C: Clock, N: Clock, M: RawMutex>(
    site: &Site<'a, C, N, M>,
    caller: &Caller,
    parts: &RequestParts<'_>,
) -> Result<Reply<'a>, Problem> {
    let allow_downgrade = allows_downgrade(caller, parts)?;
    let (state, clock, exchange) = (site.plug.state, site.plug.network_clock, site.exchange);
    let mut reply = if state.image.get().is_some_and(|image| image.state == ImageState::OnProbation) {
        // Without room for an answer nothing happens: whoever asked will ask again.
        let reply = update::show(site)?;
        state.update.ask_back();
        reply
    } else {
        let memory = memory(limits::UPDATE_PIECE).map_err(Problem::Update)?;
        if knows_password(caller) {
            state.update.release();
        }
        // All of an image is read first.
        exchange.set_patient(true);
        let started = state.update.go_back(allow_downgrade, memory, site.peer.address, clock.now()).await;
        exchange.set_patient(false);
        exchange.extend(clock.now().after(limits::ANSWER_TIMEOUT));
        started.map_err(Problem::Update)?;
        update::show(site)?
    };
    reply.status = StatusCode::new(202);
    Ok(reply)
}

/// `GET /ota/start`: somebody uploads soon. Nothing is erased.
pub(super) fn start<'a, C: Clock, N: Clock, M: RawMutex>(
    site: &Site<'a, C, N, M>,
    caller: &Caller,
    parts: &RequestParts<'_>,
) -> Result<Reply<'a>, Problem> {
    let state = site.plug.state;
    // Looking is allowed to everybody before there is an owner; this is more than a look.
    if !state.access.has_owner() {
        return Err(Problem::SetupRequired);
    }
    let given = |name| query::text(parts.query().map_or("", |query| query.0), name);
    if given("mode") == Some("fs") {
        return text(site, 400, &"This plug has no file system to upload; send the firmware (mode=fr).");
    }
    let Some(md5) = given("hash").and_then(read_md5) else {
        return text(site, 400, &"MD5 parameter invalid");
    };
    if knows_password(caller) {
        state.update.release();
    }
    match state.update.hold(site.peer.address, md5, site.plug.network_clock.now()) {
        Ok(()) => text(site, 200, &"OK"),
        Err(why) => text(site, 400, &why),
    }
}

/// `POST /ota/upload`, which must have been announced, and `POST /update`, where the form may bring the MD5.
pub(super) async fn elegant<'a, C: Clock, N: Clock, M: RawMutex, R: Read>(
    site: &Site<'a, C, N, M>,
    caller: &Caller,
    must_be_announced: bool,
    parts: &RequestParts<'_>,
    body: &mut RequestBodyConnection<'_, R>,
) -> Result<Reply<'a>, Problem> {
    let content_type = parts.headers().get("content-type");
    let Some(form) = content_type.and_then(|value| Form::of(value.as_raw())) else {
        site.exchange.end();
        return text(site, 400, &"Send a form: multipart/form-data with the firmware as its file.");
    };
    let md5 = site.plug.state.update.held_md5(site.peer.address, site.plug.network_clock.now());
    if must_be_announced && md5.is_none() {
        site.exchange.end();
        return text(site, 400, &Fault::NotAnnounced);
    }
    let intake = Intake { form: Some(Box::new(form)), md5: [md5, None], ..Intake::new(site, caller)? };
    match intake.run(parts, body).await {
        Ok(_) => text(site, 200, &"OK"),
        Err(why) => text(site, 400, &why),
    }
}

fn text<'a, C, N, M: RawMutex>(
    site: &Site<'a, C, N, M>,
    status: u16,
    words: &dyn Display,
) -> Result<Reply<'a>, Problem> {
    let mut draft = Draft::new(site.budget, SENTENCE)?;
    write!(draft, "{words}").map_err(|_| Problem::Busy)?;
    let mut reply = Reply::new(TEXT, Body::Made(draft));
    reply.status = StatusCode::new(status);
    Ok(reply)
}

/// An MD5 as clients write it.
fn read_md5(digits: &str) -> Option<[u8; 16]> {
    let mut small = [0; 32];
    if digits.len() != small.len() {
        return None;
    }
    for (to, from) in small.iter_mut().zip(digits.bytes()) {
        *to = from.to_ascii_lowercase();
    }
    read_hex(&small)
}

/// One upload on its way from the body to the desk.
struct Intake<'s, 'a, C, N, M: RawMutex> {
    site: &'s Site<'a, C, N, M>,
    /// The form that the file stands in; `None`: it is the whole body.
    form: Option<Box<Form>>,
    /// What the client says of the file: when it announced it, and in the form.
    md5: [Option<[u8; 16]>; 2],
    /// Over the file.
    hash: Md5,
    allow_downgrade: bool,
    /// The owner sends it, by the password.
    by_password: bool,
    /// What it was let in with: that may be taken away in the minutes that it lasts.
    pass: Pass,
}

impl<'s, 'a, C: Clock, N: Clock, M: RawMutex> Intake<'s, 'a, C, N, M> {
    /// Of a file that is the whole body, and no older version.
    fn new(site: &'s Site<'a, C, N, M>, caller: &Caller) -> Result<Self, Problem> {
        // Nobody comes here unknown.
        let pass = site.plug.state.access.pass(caller.known.ok_or(Problem::Forbidden)?);
        let by_password = knows_password(caller);
        Ok(Self {
            site,
            form: None,
            md5: [None; 2],
            hash: Md5::new(),
            allow_downgrade: false,
            by_password,
            pass,
        })
    }

    /// Takes the whole body, whatever becomes of it: clients that are answered in the middle of what they send do not
    /// see the answer.
    async fn run<R: Read>(
        mut self,
        parts: &RequestParts<'_>,
        body: &mut RequestBodyConnection<'_, R>,
    ) -> Result<Activated, Fault> {
        let (exchange, clock) = (self.site.exchange, self.site.plug.network_clock);
        let mut source = Source { left: body.content_length(), reader: body.body().reader() };
        exchange.set_patient(true);
        let end = clock.now().after(limits::UPDATE_TIMEOUT);
        let result = self.take(&mut source, end).await;
        if let Err(why) = &result {
            self.note(why);
            // Somebody who waits to be told whether to send anything at all is told now.
            let waits = parts.headers().get("expect").is_some();
            if source.left > 0 && !waits && *why != Fault::Stalled {
                let _ = within(clock, limits::UPDATE_DRAIN, source.drain(clock)).await;
            }
        }
        exchange.set_patient(false);
        exchange.extend(clock.now().after(limits::ANSWER_TIMEOUT));
        if source.left > 0 {
            exchange.end();
        }
        result
    }

    /// Remembers what the desk's other side does not see.
    fn note(&self, why: &Fault) {
        let (clock, state) = (self.site.plug.clock, self.site.plug.state);
        if matches!(
            why,
            Fault::Stalled | Fault::WrongMd5 | Fault::NotAForm | Fault::Incomplete | Fault::RightLost
        ) {
            state.update.set_last(Last {
                outcome: Outcome::Refused(why.clone()),
                version: heapless::String::new(),
                time: clock.time_of_day(),
                uptime_s: Some(clock.now().since_start().as_secs_f64()),
            });
        }
    }

    async fn take<R: Read>(&mut self, source: &mut Source<R>, end: Instant) -> Result<Activated, Fault> {
        let (upload, mut piece) = match self.form.take() {
            None => self.pass(source, end).await?,
            Some(form) => self.pass_form(source, form, end).await?,
        };
        if !piece.is_empty() {
            piece = self.put(&upload, piece).await?;
        }
        let sent: [u8; 16] = self.hash.finalize_reset().into();
        if self.md5.iter().flatten().any(|md5| sent != *md5) {
            return Err(Fault::WrongMd5);
        }
        self.still_may()?;
        upload.finish(piece).await
    }

    async fn begin(&self, length: usize, exact: bool) -> Result<Upload<'a>, Fault> {
        let site = self.site;
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        let order = Order { length, exact, allow_downgrade: self.allow_downgrade };
        if self.by_password {
            site.plug.state.update.release();
        }
        site.plug.state.update.begin(order, site.peer.address, site.plug.network_clock.now()).await
    }

    async fn put(&mut self, upload: &Upload<'_>, piece: Vec<u8>) -> Result<Vec<u8>, Fault> {
        self.still_may()?;
        self.hash.update(&piece);
        upload.put(piece).await
    }

    fn still_may(&self) -> Result<(), Fault> {
        if self.site.plug.state.access.still_lets_in(&self.pass) { Ok(()) } else { Err(Fault::RightLost) }
    }

    /// The body as it is; its last piece comes back.
    async fn pass<R: Read>(
        &mut self,
        source: &mut Source<R>,
        end: Instant,
    ) -> Result<(Upload<'a>, Vec<u8>), Fault> {
        let upload = self.begin(source.left, true).await?;
        let mut piece = memory(limits::UPDATE_PIECE)?;
        while source.left > 0 {
            if piece.len() == limits::UPDATE_PIECE {
                piece = self.put(&upload, piece).await?;
            }
            let used = piece.len();
            piece.resize(limits::UPDATE_PIECE, 0);
            let room = piece.get_mut(used..).unwrap_or(&mut []);
            let read = source.read(self.site.plug.network_clock, end, room).await?;
            piece.truncate(used + read);
        }
        Ok((upload, piece))
    }

    /// What of a form is the file; its last piece comes back.
    async fn pass_form<R: Read>(
        &mut self,
        source: &mut Source<R>,
        mut form: Box<Form>,
        end: Instant,
    ) -> Result<(Upload<'a>, Vec<u8>), Fault> {
        let (mut upload, mut piece) = (None, memory(limits::UPDATE_PIECE)?);
        let mut input = memory(FORM_PIECE)?;
        while source.left > 0 {
            input.resize(FORM_PIECE, 0);
            let read = source.read(self.site.plug.network_clock, end, &mut input).await?;
            let mut rest = input.get(..read).unwrap_or(&[]);
            while !rest.is_empty() {
                let taken = form.take(rest, &mut piece, limits::UPDATE_PIECE).map_err(|_| Fault::NotAForm)?;
                rest = rest.get(taken..).unwrap_or(&[]);
                match &upload {
                    None if form.file_has_begun() => {
                        let length = (source.left + rest.len()).saturating_sub(form.closing());
                        upload = Some(self.begin(length, false).await?);
                    }
                    Some(upload) if !rest.is_empty() => piece = self.put(upload, piece).await?,
                    _ => {}
                }
            }
        }
        let upload = upload.filter(|_| form.has_ended()).ok_or(Fault::NotAForm)?;
        if let Some(text) = form.md5() {
            self.md5[1] = Some(read_md5(text).ok_or(Fault::WrongMd5)?);
        }
        Ok((upload, piece))
    }
}

/// What comes of a body, in its time.
struct Source<R> {
    reader: R,
    /// Bytes that have not come yet.
    left: usize,
}

impl<R: Read> Source<R> {
    async fn read<C: Clock>(&mut self, clock: &C, end: Instant, room: &mut [u8]) -> Result<usize, Fault> {
        let patience = end.since(clock.now()).min(limits::UPDATE_STALL);
        self.read_within(clock, patience, room).await
    }

    async fn read_within<C: Clock>(
        &mut self,
        clock: &C,
        patience: Duration,
        room: &mut [u8],
    ) -> Result<usize, Fault> {
        match within(clock, patience, self.reader.read(room)).await {
            Some(Ok(read @ 1..)) => {
                self.left = self.left.saturating_sub(read);
                Ok(read)
            }
            Some(_) => Err(Fault::Incomplete),
            None => Err(Fault::Stalled),
        }
    }

    /// Reads what is left, for nobody, as long as it comes.
    async fn drain<C: Clock>(&mut self, clock: &C) {
        let mut nobody = [0; FORM_PIECE];
        let patience = limits::UPDATE_DRAIN_SILENCE;
        while self.left > 0 && self.read_within(clock, patience, &mut nobody).await.is_ok() {}
    }
}

/// Memory for `most` bytes, if there is any.
fn memory(most: usize) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(most).map_err(|_| Fault::NoMemory)?;
    Ok(bytes)
}
