//! `/api/v1/settings`: all that a person can set, and changing it.

use alloc::boxed::Box;
use core::fmt::{Result as Written, Write};

use embassy_sync::blocking_mutex::raw::RawMutex;
use picoserve::io::Read;
use picoserve::request::{RequestBodyConnection, RequestParts};
use picoserve::response::StatusCode;

use super::doors::Caller;
use super::problem::Problem;
use super::reply::{Body, Draft, JSON, Reply, Tag};
use super::site::{Site, is_json};
use super::socket::within;
use crate::access::By;
use crate::json::write_quoted;
use crate::limits;
use crate::platform::Clock;
use crate::settings::{
    Refusal, SaveError, Secrets, Settings, Wrong, json_length, patch as apply, write_json,
};
use crate::state::State;
use crate::update::keys::{AcceptedKeys, UpdateSettings};

/// `GET`: everything but secrets, with the entity tag that `If-Match` wants. Just after the start it waits until they
/// are read.
pub(super) async fn show<'a, C: Clock, N: Clock, M: RawMutex>(
    site: &Site<'a, C, N, M>,
) -> Result<Reply<'a>, Problem> {
    let (clock, state) = (site.plug.network_clock, site.plug.state);
    let open = || state.settings_desk.is_open().then_some(());
    wait(clock, state, open).await.ok_or(Problem::SettingsBusy)?;
    settings(site)
}

fn settings<'a, C: Clock, N: Clock, M: RawMutex>(site: &Site<'a, C, N, M>) -> Result<Reply<'a>, Problem> {
    let (state, board) = (site.plug.state, &site.plug.basis.board);
    let settings = state.settings.borrow();
    let mut draft = Draft::new(site.budget, json_length(&settings, board, Secrets::Hide))?;
    // It has just been measured.
    write_json(&settings, board, Secrets::Hide, &mut draft).map_err(|_| Problem::Busy)?;
    let mut reply = Reply::new(JSON, Body::Made(draft));
    reply.lines.etag = Some(state.settings_tag.get());
    Ok(reply)
}

/// `PATCH`: takes all of a merge patch or nothing, and answers when it is stored, with the settings as they are then.
pub(super) async fn patch<'a, C: Clock, N: Clock, M: RawMutex, R: Read>(
    site: &Site<'a, C, N, M>,
    caller: &Caller,
    parts: &RequestParts<'_>,
    body: &mut RequestBodyConnection<'_, R>,
) -> Result<Reply<'a>, Problem> {
    let text = read_body(site, limits::SETTINGS_BODY, parts, body).await?;
    let (clock, state) = (site.plug.network_clock, site.plug.state);
    let desk = &state.settings_desk;
    // One change at a time: the next one is laid on what the one before made.
    wait(clock, state, || desk.is_free().then_some(())).await.ok_or(Problem::SettingsBusy)?;
    if !matches(parts, state.settings_tag.get()) {
        return Err(Problem::ChangedMeanwhile);
    }
    let next = match changed(site, text.bytes()) {
        Ok(next) => next,
        Err(Refusal::NotJson) => return Err(Problem::BadJson),
        Err(Refusal::Wrong(wrong)) => return refusal(site, &wrong),
    };
    drop(text);
    if let Some(next) = next {
        if let Err(wrong) = may_update_be(site, caller, &next.update)? {
            return refusal(site, &wrong);
        }
        let ticket = desk.put(next).ok_or(Problem::SettingsBusy)?;
        let outcome = wait(clock, state, || desk.outcome(ticket)).await;
        outcome.ok_or(Problem::SettingsBusy)?.map_err(not_saved)?;
    }
    settings(site)
}

/// Why it was not stored, for whoever asked.
pub(super) const fn not_saved(error: SaveError) -> Problem {
    match error {
        SaveError::TooLarge => Problem::SettingsTooLarge,
        SaveError::Memory => Problem::Busy,
        SaveError::Flash => Problem::NotStored,
    }
}

/// The settings after `text`; `None` if it changes nothing.
fn changed<C: Clock, N: Clock, M: RawMutex>(
    site: &Site<'_, C, N, M>,
    text: &[u8],
) -> Result<Option<Box<Settings>>, Refusal> {
    let plug = site.plug;
    let text = core::str::from_utf8(text).map_err(|_| Refusal::NotJson)?;
    let current = plug.state.settings.borrow();
    let next = apply(&current, text, plug.basis, plug.clock.time_of_day())?;
    Ok((*next != *current).then_some(next))
}

/// Whose packages are taken: a token that was overheard once must not decide that, and nobody that there are none.
fn may_update_be<C: Clock, N: Clock, M: RawMutex>(
    site: &Site<'_, C, N, M>,
    caller: &Caller,
    next: &UpdateSettings,
) -> Result<Result<(), Wrong>, Problem> {
    let before = &site.plug.state.settings.borrow().update;
    if (next.accept, &next.keys, &next.retired) == (before.accept, &before.keys, &before.retired) {
        return Ok(Ok(()));
    }
    if caller.known.is_none_or(|known| known.by != By::Digest) {
        return Err(Problem::PasswordOnly);
    }
    let keys = AcceptedKeys::of(site.plug.defaults.update_key, next);
    Ok(keys.check().map_err(|_| Wrong::keys_do_not_fit()))
}

/// The body, of at most `most` bytes, piece by piece out of picoserve's buffer, which is too small for it.
pub(super) async fn read_body<'a, C: Clock, N: Clock, M: RawMutex, R: Read>(
    site: &Site<'a, C, N, M>,
    most: usize,
    parts: &RequestParts<'_>,
    body: &mut RequestBodyConnection<'_, R>,
) -> Result<Draft<'a>, Problem> {
    if !is_json(parts) {
        return Err(Problem::NotJsonType);
    }
    let length = body.content_length();
    if length > most {
        // Nobody waits for it; the answer goes out and the connection ends.
        site.exchange.end();
        return Err(Problem::BodyTooLong { most });
    }
    let mut text = Draft::new(site.budget, length)?;
    let mut reader = body.body().reader();
    let mut piece = [0; 256];
    while text.bytes().len() < length {
        let read = match reader.read(&mut piece).await {
            Ok(read @ 1..) => read,
            _ => {
                site.exchange.end();
                return Err(Problem::BodyMissing);
            }
        };
        // The reader gives no more than the length.
        text.push(piece.get(..read).unwrap_or(&[]));
    }
    Ok(text)
}

/// Whether `If-Match` (RFC 9110 §13.1.1), if it is there, names the tag; weak tags never match.
fn matches(parts: &RequestParts<'_>, tag: u64) -> bool {
    let Some(header) = parts.headers().get("if-match") else { return true };
    let mut text: heapless::String<24> = heapless::String::new();
    // Eighteen characters.
    let _ = write!(text, "{}", Tag(tag));
    header.as_raw().split(|byte| *byte == b',').any(|item| {
        let item = item.trim_ascii();
        item == b"*" || item == text.as_bytes()
    })
}

/// Tries now and after each change of the state, for at most [`limits::SETTINGS_TIMEOUT`].
pub(super) async fn wait<C: Clock, T>(
    clock: &C,
    state: &State,
    attempt: impl FnMut() -> Option<T>,
) -> Option<T> {
    wait_for(clock, state, limits::SETTINGS_TIMEOUT, attempt).await
}

/// The same, for at most `limit`.
pub(super) async fn wait_for<C: Clock, T>(
    clock: &C,
    state: &State,
    limit: core::time::Duration,
    mut attempt: impl FnMut() -> Option<T>,
) -> Option<T> {
    if let Some(result) = attempt() {
        return Some(result);
    }
    // One receiver for each worker exists, so this never comes back empty.
    let mut changed = state.changed.receiver()?;
    within(clock, limit, async {
        loop {
            if let Some(result) = attempt() {
                return result;
            }
            changed.changed().await;
        }
    })
    .await
}

/// Names every wrong field.
pub(super) fn refusal<'a, C: Clock, N: Clock, M: RawMutex>(
    site: &Site<'a, C, N, M>,
    wrong: &Wrong,
) -> Result<Reply<'a>, Problem> {
    let mut length = Counter(0);
    // A counter has room for everything.
    let _ = write_refusal(wrong, &mut length);
    let (status, _) = Problem::BadSettings.kind();
    let mut draft = Draft::new(site.budget, length.0)?;
    write_refusal(wrong, &mut draft).map_err(|_| Problem::BadSettings)?;
    let mut reply = Reply::new(JSON, Body::Made(draft));
    reply.status = StatusCode::new(status.as_u16());
    Ok(reply)
}

fn write_refusal(wrong: &Wrong, out: &mut dyn Write) -> Written {
    let (_, code) = Problem::BadSettings.kind();
    write!(out, "{{\"error\":{{\"code\":\"{code}\",\"message\":")?;
    match wrong.fields() {
        [one] => write_quoted(&format_args!("The field {} {}.", one.field(), one.message()), out)?,
        several => {
            let number = several.len();
            write_quoted(
                &format_args!("{number} fields are wrong; each is named in fields with its reason."),
                out,
            )?;
        }
    }
    out.write_str(",\"fields\":[")?;
    for (index, field) in wrong.fields().iter().enumerate() {
        out.write_str(if index > 0 { ",{\"field\":" } else { "{\"field\":" })?;
        write_quoted(&field.field(), out)?;
        out.write_str(",\"message\":")?;
        write_quoted(&field.message(), out)?;
        out.write_char('}')?;
    }
    out.write_str("]}}")
}

struct Counter(usize);

impl Write for Counter {
    fn write_str(&mut self, text: &str) -> Written {
        self.0 += text.len();
        Ok(())
    }
}
