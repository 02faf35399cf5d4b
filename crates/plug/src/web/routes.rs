//! Every address the plug answers, in one table: the router, `Allow` and the tests of the API description read it.

use super::assets::Asset;
use super::control::Order;

/// What may be done at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Methods {
    /// Only looked at.
    Get,
    /// Looked at and set.
    GetPut,
    /// Looked at and changed in parts.
    GetPatch,
    /// Something is done.
    Post,
}

impl Methods {
    /// Whether a request with this method gets to the handler; `HEAD` works wherever `GET` does.
    #[must_use]
    pub fn allow(self, method: &str) -> bool {
        self.names().contains(&method)
    }

    /// The methods.
    #[must_use]
    pub const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Get => &["GET", "HEAD"],
            Self::GetPut => &["GET", "HEAD", "PUT"],
            Self::GetPatch => &["GET", "HEAD", "PATCH"],
            Self::Post => &["POST"],
        }
    }
}

impl core::fmt::Display for Methods {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for (index, name) in self.names().iter().enumerate() {
            if index > 0 {
                formatter.write_str(", ")?;
            }
            formatter.write_str(name)?;
        }
        Ok(())
    }
}

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handler {
    Info,
    Reading,
    Harmonics,
    Calibration,
    Events,
    Waveform,
    Relay,
    RelayLog,
    Trips,
    TripWaveform,
    Energy,
    Protection,
    Control(Order),
    Settings,
    Wifi,
    OpenApi,
    Metrics,
    Page(Asset),
}

/// One address.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The path, without a query; `{number}` stands for one part of it.
    pub path: &'static str,
    /// What may be done there.
    pub methods: Methods,
    /// What it is for.
    pub purpose: &'static str,
    pub(super) handler: Handler,
}

/// Every route there is. What is not in here is a 404.
pub const ROUTES: &[Route] = &[
    route("/api/v1/info", Methods::Get, Handler::Info, "who this plug is"),
    route("/api/v1/reading", Methods::Get, Handler::Reading, "the newest window's numbers"),
    route("/api/v1/harmonics", Methods::Get, Handler::Harmonics, "the newest window's harmonics"),
    route(
        "/api/v1/calibration",
        Methods::Get,
        Handler::Calibration,
        "how counts become volts and amperes, and what the open relay offers",
    ),
    route(
        "/api/v1/events",
        Methods::Get,
        Handler::Events,
        "readings, relay changes and log lines as they come",
    ),
    route("/api/v1/waveform", Methods::Get, Handler::Waveform, "raw samples, as a recording"),
    route("/api/v1/relay", Methods::GetPut, Handler::Relay, "the relay, and switching it"),
    route("/api/v1/relay/log", Methods::Get, Handler::RelayLog, "why the relay is as it is"),
    route("/api/v1/trips", Methods::Get, Handler::Trips, "what made protection open the relay"),
    route(
        "/api/v1/trips/{number}/waveform",
        Methods::Get,
        Handler::TripWaveform,
        "raw samples around a trip, as a recording",
    ),
    route("/api/v1/protection", Methods::Get, Handler::Protection, "the limits, and how near they are"),
    route("/api/v1/energy", Methods::Get, Handler::Energy, "the meter's totals, days and months"),
    route("/api/v1/restart", Methods::Post, Handler::Control(Order::Restart), "starts the plug anew"),
    route(
        "/api/v1/reset",
        Methods::Post,
        Handler::Control(Order::Reset),
        "erases all that the plug was told and has counted",
    ),
    route("/api/v1/identify", Methods::Post, Handler::Control(Order::Identify), "lets the light blink"),
    route("/api/v1/settings", Methods::GetPatch, Handler::Settings, "all that a person can set"),
    route("/api/v1/wifi", Methods::Get, Handler::Wifi, "the radio: which network, how well, why not"),
    route("/api/v1/openapi.json", Methods::Get, Handler::OpenApi, "this interface, for machines"),
    route("/metrics", Methods::Get, Handler::Metrics, "the numbers, for Prometheus"),
    route("/", Methods::Get, Handler::Page(Asset::Index), "the plug's page"),
    route("/app.js", Methods::Get, Handler::Page(Asset::Script), "the page's script"),
    route("/pages.js", Methods::Get, Handler::Page(Asset::Pages), "the other pages' script"),
    route("/zones.json", Methods::Get, Handler::Page(Asset::Zones), "time zones and their rules"),
    route("/app.css", Methods::Get, Handler::Page(Asset::Style), "the page's style"),
    route("/favicon.svg", Methods::Get, Handler::Page(Asset::Icon), "the page's icon"),
];

const fn route(path: &'static str, methods: Methods, handler: Handler, purpose: &'static str) -> Route {
    Route { path, methods, purpose, handler }
}

/// The route of `path`.
pub(super) fn find(path: &str) -> Option<&'static Route> {
    ROUTES.iter().find(|route| fits(route.path, path))
}

/// Whether a path is what a route's path says, with one part in the place of `{number}`.
fn fits(pattern: &str, path: &str) -> bool {
    match pattern.split_once("{number}") {
        None => pattern == path,
        Some((before, behind)) => path
            .strip_prefix(before)
            .and_then(|rest| rest.strip_suffix(behind))
            .is_some_and(|part| !part.is_empty() && !part.contains('/')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_address_stands_twice() {
        for (index, route) in ROUTES.iter().enumerate() {
            assert!(ROUTES.iter().skip(index + 1).all(|other| other.path != route.path), "{}", route.path);
        }
    }

    #[test]
    fn a_number_is_one_part_of_a_path() {
        let found = |path| find(path).map(|route| route.path);
        assert_eq!(found("/api/v1/trips/17/waveform"), Some("/api/v1/trips/{number}/waveform"));
        assert_eq!(found("/api/v1/trips"), Some("/api/v1/trips"));
        for path in [
            "/api/v1/trips/",
            "/api/v1/trips//waveform",
            "/api/v1/trips/1/2/waveform",
            "/api/v1/trips/waveform",
        ] {
            assert_eq!(found(path), None, "{path}");
        }
    }
}
