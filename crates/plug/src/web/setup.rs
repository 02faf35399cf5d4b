//! `/api/v1/setup`: how far the first minutes are, and claiming the plug.

use alloc::boxed::Box;
use core::fmt::Write;
use core::net::IpAddr;

use embassy_sync::blocking_mutex::raw::RawMutex;
use heapless::String;
use picoserve::io::Read;
use picoserve::request::{RequestBodyConnection, RequestParts};
use picoserve::response::StatusCode;
use serde::Serialize;

use super::api;
use super::problem::Problem;
use super::reply::Reply;
use super::settings::{not_saved, read_body, refusal, wait};
use super::site::Site;
use crate::access::Ha1;
use crate::access::setup::{Claim, ClaimError};
use crate::limits;
use crate::net::proposed_ssid;
use crate::platform::{Clock, Ssid};
use crate::settings::{Claimed, PASSWORD_LEAST, Refusal, claim};

const STATUS_JSON: usize = 320;
const ANSWER_JSON: usize = 96;

#[derive(Serialize)]
struct StatusPage {
    setup_complete: bool,
    button: bool,
    waiting: Option<WaitingPage>,
    proposed: ProposedPage,
    password_characters: usize,
}

#[derive(Serialize)]
struct WaitingPage {
    expires_in_s: f64,
}

#[derive(Serialize)]
struct ProposedPage {
    name: String<32>,
    access_point_ssid: Ssid,
}

#[derive(Serialize)]
struct DonePage {
    setup_complete: bool,
}

#[derive(Serialize)]
struct WaitsPage {
    setup_complete: bool,
    waiting_for: &'static str,
    expires_in_s: f64,
}

/// `GET`: whether the plug has an owner, whether a claim waits for the button, and what a form can begin with.
pub(super) fn status<'a, C: Clock, N: Clock, M: RawMutex>(
    site: &Site<'a, C, N, M>,
) -> Result<Reply<'a>, Problem> {
    let plug = site.plug;
    let waiting = plug.state.setup.waiting(plug.network_clock.now());
    let page = StatusPage {
        setup_complete: plug.state.access.has_owner(),
        button: plug.basis.hardware.confirms_setup,
        waiting: waiting.map(|left| WaitingPage { expires_in_s: left.as_secs_f64() }),
        proposed: ProposedPage {
            // What somebody called it may be for the owner alone; info tells it to whom it may.
            name: api::name(&String::new(), &plug.identity.id),
            access_point_ssid: proposed_ssid(&plug.identity.id),
        },
        password_characters: PASSWORD_LEAST,
    };
    Reply::json(site.budget, STATUS_JSON, &page)
}

/// `POST`: a claim. It is granted once it is stored, or waits for the button.
pub(super) async fn offer<'a, C: Clock, N: Clock, M: RawMutex, R: Read>(
    site: &Site<'a, C, N, M>,
    parts: &RequestParts<'_>,
    body: &mut RequestBodyConnection<'_, R>,
) -> Result<Reply<'a>, Problem> {
    let plug = site.plug;
    let state = plug.state;
    if state.access.has_owner() {
        return Err(Problem::AlreadySetUp);
    }
    let text = read_body(site, limits::SETUP_BODY, parts, body).await?;
    wait(plug.network_clock, state, || state.settings_desk.is_free().then_some(()))
        .await
        .ok_or(Problem::SettingsBusy)?;
    let claim = match claimed(site, text.bytes()) {
        Ok(claim) => claim,
        Err(Refusal::NotJson) => return Err(Problem::BadJson),
        Err(Refusal::Wrong(wrong)) => return refusal(site, &wrong),
    };
    // The password is in it.
    drop(text);
    let confirms = plug.basis.hardware.confirms_setup;
    // Without room for the answer nothing happens: whoever claims will ask again.
    let mut reply = if confirms {
        let expires_in_s = limits::CLAIM.as_secs_f64();
        let page = WaitsPage { setup_complete: false, waiting_for: "button", expires_in_s };
        Reply::json(site.budget, ANSWER_JSON, &page)?
    } else {
        Reply::json(site.budget, ANSWER_JSON, &DonePage { setup_complete: true })?
    };
    let offered = state.setup.offer(site.peer.address, claim, plug.network_clock.now(), confirms);
    let ticket = offered.map_err(|_| Problem::SetupPending)?;
    if confirms {
        tell(site, site.peer.address);
        state.touch();
        reply.status = StatusCode::new(202);
        return Ok(reply);
    }
    let outcome = wait(plug.network_clock, state, || state.setup.outcome(ticket)).await;
    match outcome.ok_or(Problem::SettingsBusy)? {
        Ok(()) => Ok(reply),
        Err(ClaimError::Owned) => Err(Problem::AlreadySetUp),
        Err(ClaimError::Save(error)) => Err(not_saved(error)),
    }
}

fn claimed<C: Clock, N: Clock, M: RawMutex>(
    site: &Site<'_, C, N, M>,
    text: &[u8],
) -> Result<Box<Claim>, Refusal> {
    let text = core::str::from_utf8(text).map_err(|_| Refusal::NotJson)?;
    let Claimed { password, settings } = claim(&site.plug.state.settings.borrow(), text, site.plug.basis)?;
    Ok(Box::new(Claim { settings, ha1: Ha1::of(&site.plug.identity.id, &password) }))
}

/// Whoever stands at the button should know whom they say yes to.
fn tell<C: Clock, N: Clock, M: RawMutex>(site: &Site<'_, C, N, M>, peer: IpAddr) {
    let (clock, state) = (site.plug.clock, site.plug.state);
    let mut line: String<96> = String::new();
    // An address of 39 characters fits.
    let _ = write!(line, "set-up from {}: a short press of the button says yes", peer.to_canonical());
    state.put_log(clock.time_of_day(), clock.now().since_start().as_secs_f64(), &line);
}
