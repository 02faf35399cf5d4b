//! Every address the plug answers, in one table: the router, `Allow` and the tests of the API description read it.

use super::assets::Asset;

/// What may be done at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Methods {
    /// Only looked at.
    Get,
    /// Looked at and set.
    GetPut,
    /// Looked at and changed in parts.
    GetPatch,
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
    Settings,
    Wifi,
    OpenApi,
    Metrics,
    Page(Asset),
}

/// One address.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The path, without a query.
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
    ROUTES.iter().find(|route| route.path == path)
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
}
