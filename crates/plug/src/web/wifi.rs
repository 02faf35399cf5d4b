//! `/api/v1/wifi`: which network, how well, and if not, why not; what is in range; a test of a network.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt::{Display, Result as Written, Write};
use core::net::Ipv4Addr;

use embassy_sync::blocking_mutex::raw::RawMutex;
use picoserve::io::Read;
use picoserve::request::{RequestBodyConnection, RequestParts};
use picoserve::response::StatusCode;
use serde::Serializer;

use super::problem::Problem;
use super::reply::Reply;
use super::settings::{not_saved, read_body, refusal, wait, wait_for};
use super::site::Site;
use super::uplink::{Maybe, made};
use crate::json::{Number, Quoted, write_quoted};
use crate::limits;
use crate::net::trial_join::{Report, TrialState};
use crate::net::{WifiStatus, error_word, host_name, security_word, sentence};
use crate::platform::{Clock, Instant, LinkError, Network, Security};
use crate::settings::{Refusal, network};

/// `192.168.4.1`. An answer has room for it without allocating.
pub(super) fn dotted<S: Serializer>(address: &Option<Ipv4Addr>, serializer: S) -> Result<S::Ok, S::Error> {
    match address {
        Some(address) => serializer.collect_str(address),
        None => serializer.serialize_none(),
    }
}

/// A text of ours or of somebody else's, or null.
struct Text<T>(Option<T>);

impl<T: Display> Text<T> {
    fn write(&self, name: &str, out: &mut dyn Write) -> Written {
        write!(out, ",\"{name}\":")?;
        match &self.0 {
            Some(text) => write_quoted(text, out),
            None => out.write_str("null"),
        }
    }
}

fn write_error(error: Option<LinkError>, ssid: &str, names: [&str; 2], out: &mut dyn Write) -> Written {
    Text(error.map(error_word)).write(names[0], out)?;
    Text(error.map(|error| sentence(error, ssid))).write(names[1], out)
}

fn write_test(report: Option<&Report>, now: Instant, out: &mut dyn Write) -> Written {
    let Some(report) = report else { return out.write_str("null") };
    let left = report.confirm_by.map(|by| Number(by.since(now).as_secs_f64()));
    write!(out, "{{\"state\":\"{}\",\"step\":\"{}\"", report.state.word(), report.step.word())?;
    Text(Some(&report.ssid)).write("ssid", out)?;
    write_error(report.error, &report.ssid, ["error", "message"], out)?;
    Text(report.address).write("address", out)?;
    Text(report.before).write("address_before", out)?;
    write!(out, ",\"confirm_within_s\":{}}}", Maybe(left))
}

/// What does not exist is null; without a radio that is nearly all.
fn write_page(
    status: Option<&WifiStatus>,
    (host, mdns): (&str, Option<&str>),
    now: Instant,
    out: &mut dyn Write,
) -> Written {
    let ssid = status.and_then(|status| status.ssid.as_ref());
    let address = status.and_then(|status| status.address);
    write!(out, "{{\"available\":{}", status.is_some())?;
    Text(status.map(|status| status.link.word())).write("state", out)?;
    Text(ssid).write("ssid", out)?;
    write!(out, ",\"signal_dbm\":{}", Maybe(status.and_then(|status| status.signal_dbm)))?;
    Text(address.map(|address| address.ip)).write("address", out)?;
    Text(address.and_then(|address| address.gateway)).write("gateway", out)?;
    let (error, name) = (status.and_then(|status| status.last_error), ssid.map_or("", |ssid| ssid.as_str()));
    write_error(error, name, ["last_error", "last_error_message"], out)?;
    let retry = status.and_then(|status| status.retry_at).map(|due| Number(due.since(now).as_secs_f64()));
    write!(out, ",\"retry_in_s\":{}", Maybe(retry))?;
    Text(Some(host)).write("host", out)?;
    Text(mdns).write("mdns", out)?;
    out.write_str(",\"access_point\":")?;
    match status {
        None => out.write_str("null")?,
        Some(status) => {
            write!(out, "{{\"open\":{}", status.access_point_open)?;
            Text(Some(&status.access_point_ssid)).write("ssid", out)?;
            let address = status.access_point_open.then_some(limits::ACCESS_POINT_ADDRESS);
            Text(address).write("address", out)?;
            write!(out, ",\"clients\":{}}}", status.access_point_clients)?;
        }
    }
    let networks = status.map_or(&[][..], |status| &status.networks);
    out.write_str(",\"networks\":[")?;
    for (index, (ssid, _)) in networks.iter().enumerate() {
        write!(out, "{}{}", if index > 0 { "," } else { "" }, Quoted(ssid))?;
    }
    out.write_str("],\"errors\":[")?;
    let errors = networks.iter().filter_map(|(ssid, error)| Some((ssid, (*error)?)));
    for (index, (ssid, error)) in errors.enumerate() {
        write!(out, "{}{{\"ssid\":{}", if index > 0 { "," } else { "" }, Quoted(ssid))?;
        write_error(Some(error), ssid, ["error", "message"], out)?;
        out.write_char('}')?;
    }
    out.write_str("],\"test\":")?;
    write_test(status.and_then(|status| status.test.as_ref()), now, out)?;
    out.write_char('}')
}

pub(super) fn wifi<'a, C: Clock, N: Clock, M: RawMutex>(
    site: &Site<'a, C, N, M>,
) -> Result<Reply<'a>, Problem> {
    let (state, now) = (site.plug.state, site.plug.clock.now());
    let (status, mdns) = (state.wifi.borrow(), state.mdns.name());
    let host = host_name(&state.settings.borrow(), &site.plug.identity.id);
    made(site, &|out| write_page(status.as_ref(), (&host, mdns.as_deref()), now, out))
}

/// What a scan found, for people: of each name and protection the strongest, the strongest first.
fn write_scan(found: &[Network], out: &mut dyn Write) -> Written {
    let mut named: Vec<&Network> = found.iter().filter(|network| !network.ssid.is_empty()).collect();
    let hidden = found.len() - named.len();
    // Unstable: the other sort keeps 4 KB of the stack for itself.
    named.sort_unstable_by_key(|network| core::cmp::Reverse(network.signal_dbm));
    out.write_str("{\"networks\":[")?;
    let mut separator = "";
    for (index, network) in named.iter().enumerate() {
        let Network { ssid, signal_dbm, security, channel } = *network;
        if named.iter().take(index).any(|other| other.ssid == *ssid && other.security == *security) {
            continue;
        }
        let (word, joinable) =
            (security_word(*security), matches!(security, Security::Open | Security::Wpa2));
        write!(
            out,
            "{separator}{{\"ssid\":{},\"signal_dbm\":{signal_dbm},\"security\":\"{word}\",\"channel\":{channel},\
             \"joinable\":{joinable}}}",
            Quoted(ssid)
        )?;
        separator = ",";
    }
    write!(out, "],\"hidden\":{hidden}}}")
}

/// `GET .../scan`: has the radio look around, unless it has just done so.
pub(super) async fn scan<'a, C: Clock, N: Clock, M: RawMutex>(
    site: &Site<'a, C, N, M>,
) -> Result<Reply<'a>, Problem> {
    let state = site.plug.state;
    if test_state(site)? == Some(TrialState::Running) {
        return Err(Problem::WifiBusy);
    }
    let waiting = state.radio.scan(site.plug.clock.now());
    let found = wait_for(site.plug.network_clock, state, limits::SCAN_WAIT, || waiting.found()).await;
    match found.as_deref() {
        Some(Ok(found)) => made(site, &|out| write_scan(found, out)),
        Some(Err(_)) | None => Err(Problem::WifiBusy),
    }
}

/// How far a test is, if there was one.
fn test_state<C: Clock, N: Clock, M: RawMutex>(
    site: &Site<'_, C, N, M>,
) -> Result<Option<TrialState>, Problem> {
    let status = site.plug.state.wifi.borrow();
    let test = &status.as_ref().ok_or(Problem::WifiUnavailable)?.test;
    Ok(test.as_ref().map(|test| test.state))
}

fn test<'a, C: Clock, N: Clock, M: RawMutex>(site: &Site<'a, C, N, M>) -> Result<Reply<'a>, Problem> {
    let (status, now) = (site.plug.state.wifi.borrow(), site.plug.clock.now());
    let report = status.as_ref().and_then(|status| status.test.as_ref());
    made(site, &|out| write_test(report, now, out))
}

/// `POST .../test`: tries a network; nothing is stored.
pub(super) async fn try_network<'a, C: Clock, N: Clock, M: RawMutex, R: Read>(
    site: &Site<'a, C, N, M>,
    parts: &RequestParts<'_>,
    body: &mut RequestBodyConnection<'_, R>,
) -> Result<Reply<'a>, Problem> {
    let state = site.plug.state;
    test_state(site)?;
    let text = read_body(site, limits::WIFI_TEST_BODY, parts, body).await?;
    let text = core::str::from_utf8(text.bytes()).map_err(|_| Problem::BadJson)?;
    let network = network(&state.settings.borrow().wifi, text);
    let network = match network {
        Ok(network) => network,
        Err(Refusal::NotJson) => return Err(Problem::BadJson),
        Err(Refusal::Wrong(wrong)) => return refusal(site, &wrong),
    };
    if test_state(site)?.is_some_and(TrialState::is_active) {
        return Err(Problem::WifiBusy);
    }
    let before = state.wifi.borrow().as_ref().and_then(|status| status.test.clone());
    let put = |test| {
        if let Some(status) = &mut *state.wifi.borrow_mut() {
            status.test = test;
        }
    };
    let address = state.wifi.borrow().as_ref().and_then(|status| status.address);
    // From now on it is active for everybody who asks, whenever the radio comes to it.
    put(Some(Report::new(network.credentials.ssid.clone(), address.map(|address| address.ip))));
    // Without room for the answer nothing happens: whoever asked will ask again.
    let mut reply = test(site).inspect_err(|_| put(before))?;
    reply.status = StatusCode::new(202);
    state.radio.try_network(network);
    Ok(reply)
}

/// `DELETE .../test`: goes back at once.
pub(super) async fn take_back<'a, C: Clock, N: Clock, M: RawMutex>(
    site: &Site<'a, C, N, M>,
) -> Result<Reply<'a>, Problem> {
    if !test_state(site)?.is_some_and(TrialState::is_active) {
        return Err(Problem::NoWifiTest);
    }
    let state = site.plug.state;
    state.radio.take_back();
    let over = || (!test_state(site).ok()?.is_some_and(TrialState::is_active)).then_some(());
    // What becomes of it can be seen later too.
    let _ = wait(site.plug.network_clock, state, over).await;
    test(site)
}

/// `POST .../confirm`: the tested network is stored as the first one.
pub(super) async fn confirm<'a, C: Clock, N: Clock, M: RawMutex>(
    site: &Site<'a, C, N, M>,
) -> Result<Reply<'a>, Problem> {
    let (clock, state) = (site.plug.network_clock, site.plug.state);
    let tested = test_state(site)?.filter(|state| *state == TrialState::Succeeded);
    let network = tested.and_then(|_| state.radio.tested()).ok_or(Problem::NoWifiTest)?;
    let desk = &state.settings_desk;
    wait(clock, state, || desk.is_free().then_some(())).await.ok_or(Problem::SettingsBusy)?;
    let mut next = Box::new(state.settings.borrow().clone());
    next.wifi.put_first(&network);
    let ticket = desk.put(next).ok_or(Problem::SettingsBusy)?;
    let outcome = wait(clock, state, || desk.outcome(ticket)).await;
    outcome.ok_or(Problem::SettingsBusy)?.map_err(not_saved)?;
    state.radio.confirmed(network);
    let taken = || (test_state(site).ok()? == Some(TrialState::Confirmed)).then_some(());
    // It is stored whatever comes.
    let _ = wait(clock, state, taken).await;
    wifi(site)
}
