//! `GET /api/v1/wifi`: which network, how well, and if not, why not.

use core::net::Ipv4Addr;

use embassy_sync::blocking_mutex::raw::RawMutex;
use serde::{Serialize, Serializer};

use super::problem::Problem;
use super::reply::Reply;
use super::site::Site;
use crate::limits;
use crate::net::{LinkState, WifiStatus, sentence};
use crate::platform::{Clock, Instant, LinkError};

/// With two names of control characters only, each written with six characters; a test builds it.
const WIFI_JSON: usize = 1280;

/// What does not exist is null; without a radio that is all but `available`.
#[derive(Default, Serialize)]
struct Page<'a> {
    available: bool,
    state: Option<LinkState>,
    ssid: Option<&'a str>,
    signal_dbm: Option<i8>,
    #[serde(serialize_with = "dotted")]
    address: Option<Ipv4Addr>,
    #[serde(serialize_with = "dotted")]
    gateway: Option<Ipv4Addr>,
    last_error: Option<LinkError>,
    last_error_message: Option<heapless::String<{ limits::LINK_SENTENCE }>>,
    retry_in_s: Option<f64>,
    access_point: Option<AccessPoint<'a>>,
}

#[derive(Serialize)]
struct AccessPoint<'a> {
    open: bool,
    ssid: &'a str,
    #[serde(serialize_with = "dotted")]
    address: Option<Ipv4Addr>,
}

/// `192.168.4.1`. An answer has room for it without allocating.
pub(super) fn dotted<S: Serializer>(address: &Option<Ipv4Addr>, serializer: S) -> Result<S::Ok, S::Error> {
    match address {
        Some(address) => serializer.collect_str(address),
        None => serializer.serialize_none(),
    }
}

impl<'a> Page<'a> {
    fn new(status: &'a WifiStatus, now: Instant) -> Self {
        let ssid = status.ssid.as_deref();
        Self {
            available: true,
            state: Some(status.link),
            ssid,
            signal_dbm: status.signal_dbm,
            address: status.address.map(|address| address.ip),
            gateway: status.address.and_then(|address| address.gateway),
            last_error: status.last_error,
            last_error_message: status.last_error.map(|error| sentence(error, ssid.unwrap_or(""))),
            retry_in_s: status.retry_at.map(|due| due.since(now).as_secs_f64()),
            access_point: Some(AccessPoint {
                open: status.access_point_open,
                ssid: &status.access_point_ssid,
                address: status.access_point_open.then_some(limits::ACCESS_POINT_ADDRESS),
            }),
        }
    }
}

pub(super) fn wifi<'a, C: Clock, N: Clock, M: RawMutex>(
    site: &Site<'a, C, N, M>,
) -> Result<Reply<'a>, Problem> {
    let status = site.plug.state.wifi.borrow();
    let page = status.as_ref().map(|status| Page::new(status, site.plug.clock.now()));
    Reply::json(site.budget, WIFI_JSON, &page.unwrap_or_default())
}
