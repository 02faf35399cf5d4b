//! Every address the plug answers, with what may be done there and who may do it, in one table: the router, `Allow`, the
//! doors, docs/security.md and the tests read it.

use super::assets::Asset;
use super::control::Order;
use crate::access::SESSION_PATH;

/// The page of updates.
pub(super) const UPDATE_PATH: &str = "/update";

/// What is done at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Looked at; `HEAD` goes with it.
    Get,
    /// Something is done by a `GET`, as others have laid it down: nobody who only wants to look gets there.
    GetOnly,
    /// Set as a whole.
    Put,
    /// Changed in parts.
    Patch,
    /// Something is done.
    Post,
    /// Something is taken away.
    Delete,
}

impl Method {
    /// Its names in a request.
    #[must_use]
    pub const fn names(self) -> &'static [&'static str] {
        match self {
            Self::Get => &["GET", "HEAD"],
            Self::GetOnly => &["GET"],
            Self::Put => &["PUT"],
            Self::Patch => &["PATCH"],
            Self::Post => &["POST"],
            Self::Delete => &["DELETE"],
        }
    }
}

/// Who may do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Everybody. The handler may say less to somebody without credentials.
    Anyone,
    /// Everybody where reading is open; else whoever may read.
    Open,
    /// Whoever may read, in any case.
    Read,
    /// Whoever may switch.
    Control,
    /// The owner, and tokens that may do all that the owner may.
    Admin,
    /// Whoever knows the password: a right Digest.
    SignIn,
    /// Whoever is signed in: the session itself or the password.
    SignOut,
    /// Everybody while the plug has no owner.
    Claim,
}

impl Who {
    /// In words, for tables.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Anyone => "anyone",
            Self::Open => "open",
            Self::Read => "read",
            Self::Control => "control",
            Self::Admin => "admin",
            Self::SignIn => "Digest",
            Self::SignOut => "its cookie, or Digest",
            Self::Claim => "anyone while there is no owner, then admin",
        }
    }
}

/// What may be done at an address, and by whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Methods(pub &'static [(Method, Who)]);

impl Methods {
    /// Who may send a request with this method; `None` where the address does not take it.
    #[must_use]
    pub fn who(self, method: &str) -> Option<Who> {
        self.0.iter().find(|(takes, _)| takes.names().contains(&method)).map(|(_, who)| *who)
    }

    /// Whether a request with this method gets to the handler; `HEAD` works wherever `GET` does.
    #[must_use]
    pub fn allow(self, method: &str) -> bool {
        self.who(method).is_some()
    }

    /// The methods.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        self.0.iter().flat_map(|(method, _)| method.names().iter().copied())
    }
}

impl core::fmt::Display for Methods {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for (index, name) in self.names().enumerate() {
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
    Session,
    Password,
    Tokens,
    Token,
    Setup,
    Time,
    Wifi,
    WifiScan,
    WifiTest,
    WifiConfirm,
    Ledger,
    Uplink,
    UplinkTest,
    History,
    Update,
    Elegant(Wire),
    OpenApi,
    Metrics,
    Page(Asset),
}

impl Handler {
    /// Whether it is served in safe mode: what it takes to get in, onto the network, and to another firmware.
    pub(super) const fn works_in_safe_mode(self) -> bool {
        match self {
            Self::Info
            | Self::Control(_)
            | Self::Settings
            | Self::Session
            | Self::Password
            | Self::Tokens
            | Self::Token
            | Self::Setup
            | Self::Wifi
            | Self::WifiScan
            | Self::WifiTest
            | Self::WifiConfirm
            | Self::Update
            | Self::Elegant(_)
            | Self::OpenApi
            | Self::Page(_) => true,
            Self::Reading
            | Self::Harmonics
            | Self::Calibration
            | Self::Events
            | Self::Waveform
            | Self::Relay
            | Self::RelayLog
            | Self::Trips
            | Self::TripWaveform
            | Self::Energy
            | Self::Protection
            | Self::Time
            | Self::Ledger
            | Self::Uplink
            | Self::UplinkTest
            | Self::History
            | Self::Metrics => false,
        }
    }
}

impl Handler {
    /// Whether a mere `GET` has an effect: other pages must not bring it about.
    pub(super) const fn acts_on_get(self) -> bool {
        matches!(self, Self::WifiScan | Self::Elegant(Wire::Start))
    }

    /// Whether a request shows that a person uses the page: a change, a page, a scan. What an open page asks for and says
    /// again and again by itself does not. `again`: whether the client has it already and asks whether it has changed.
    pub(super) const fn is_use(self, looks: bool, again: bool) -> bool {
        match self {
            // A phone's test for the internet follows the redirect to the document and fetches nothing else, whereas a
            // browser that keeps the scripts from last time asks for the document only, but again.
            Self::Page(Asset::Index) => again,
            Self::Page(Asset::Script | Asset::Pages) | Self::WifiScan | Self::Elegant(_) => true,
            // The page tells the time by itself.
            Self::Time | Self::Page(_) => false,
            _ => !looks,
        }
    }
}

/// An address of ElegantOTA's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wire {
    /// Announces an upload.
    Start,
    /// An upload that was announced.
    Upload,
    /// The page; an upload of the second version.
    Page,
}

/// One address.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The path, without a query; `{number}` stands for one part of it.
    pub path: &'static str,
    /// What may be done there, and by whom.
    pub methods: Methods,
    /// What it is for.
    pub purpose: &'static str,
    pub(super) handler: Handler,
}

/// Looked at by everybody: pages, and what tells no more than that a plug is here.
const LOOK: &[(Method, Who)] = &[(Method::Get, Who::Anyone)];
/// Measurements.
const READ_OPEN: &[(Method, Who)] = &[(Method::Get, Who::Open)];
/// What tells more of the house than its load.
const READ: &[(Method, Who)] = &[(Method::Get, Who::Read)];
/// Where the plug goes and what it says there is for the owner alone.
const READ_ADMIN: &[(Method, Who)] = &[(Method::Get, Who::Admin)];
const POST_CONTROL: &[(Method, Who)] = &[(Method::Post, Who::Control)];
const POST_ADMIN: &[(Method, Who)] = &[(Method::Post, Who::Admin)];
const RELAY: &[(Method, Who)] = &[(Method::Get, Who::Open), (Method::Put, Who::Control)];
const TIME: &[(Method, Who)] = &[(Method::Get, Who::Read), (Method::Post, Who::Admin)];
const SETTINGS: &[(Method, Who)] = &[(Method::Get, Who::Read), (Method::Patch, Who::Admin)];

const SESSION: &[(Method, Who)] =
    &[(Method::Get, Who::Open), (Method::Post, Who::SignIn), (Method::Delete, Who::SignOut)];
/// A token that was overheard once must not become the owner.
const PASSWORD: &[(Method, Who)] = &[(Method::Post, Who::SignIn)];
/// Who else can get in is for the owner alone, to see and to change.
const TOKENS: &[(Method, Who)] =
    &[(Method::Get, Who::Admin), (Method::Post, Who::Admin), (Method::Delete, Who::Admin)];
const DELETE_ADMIN: &[(Method, Who)] = &[(Method::Delete, Who::Admin)];
const TEST: &[(Method, Who)] = &[(Method::Post, Who::Admin), (Method::Delete, Who::Admin)];
const SETUP: &[(Method, Who)] = &[(Method::Get, Who::Anyone), (Method::Post, Who::Claim)];

const UPDATE: &[(Method, Who)] =
    &[(Method::Get, Who::Read), (Method::Post, Who::Admin), (Method::Delete, Who::Admin)];
/// It promises an upload.
const ANNOUNCE: &[(Method, Who)] = &[(Method::GetOnly, Who::Admin)];
const UPDATE_PAGE: &[(Method, Who)] = &[(Method::Get, Who::Anyone), (Method::Post, Who::Admin)];

/// Every route there is. What is not in here is a 404.
pub const ROUTES: &[Route] = &[
    route("/api/v1/info", LOOK, Handler::Info, "who this plug is"),
    route("/api/v1/reading", READ_OPEN, Handler::Reading, "the newest window's numbers"),
    route("/api/v1/harmonics", READ_OPEN, Handler::Harmonics, "the newest window's harmonics"),
    route(
        "/api/v1/calibration",
        READ_OPEN,
        Handler::Calibration,
        "how counts become volts and amperes, and what the open relay offers",
    ),
    route("/api/v1/events", READ_OPEN, Handler::Events, "readings, relay changes and log lines as they come"),
    route("/api/v1/waveform", READ_OPEN, Handler::Waveform, "raw samples, as a recording"),
    route("/api/v1/relay", RELAY, Handler::Relay, "the relay, and switching it"),
    route("/api/v1/relay/log", READ_OPEN, Handler::RelayLog, "why the relay is as it is"),
    route("/api/v1/trips", READ_OPEN, Handler::Trips, "what made protection open the relay"),
    route(
        "/api/v1/trips/{number}/waveform",
        READ_OPEN,
        Handler::TripWaveform,
        "raw samples around a trip, as a recording",
    ),
    route("/api/v1/protection", READ_OPEN, Handler::Protection, "the limits, and how near they are"),
    route("/api/v1/energy", READ_OPEN, Handler::Energy, "the meter's totals, days and months"),
    route("/api/v1/restart", POST_ADMIN, Handler::Control(Order::Restart), "starts the plug anew"),
    route(
        "/api/v1/reset",
        POST_ADMIN,
        Handler::Control(Order::Reset),
        "erases all that the plug was told and has counted",
    ),
    route("/api/v1/identify", POST_CONTROL, Handler::Control(Order::Identify), "lets the light blink"),
    route("/api/v1/setup", SETUP, Handler::Setup, "the first minutes: claiming the plug"),
    route("/api/v1/settings", SETTINGS, Handler::Settings, "all that a person can set"),
    route(SESSION_PATH, SESSION, Handler::Session, "who the caller is; signs in and out"),
    route("/api/v1/password", PASSWORD, Handler::Password, "sets another password"),
    route("/api/v1/tokens", TOKENS, Handler::Tokens, "what programs show instead of the password"),
    route("/api/v1/tokens/{number}", DELETE_ADMIN, Handler::Token, "one of them"),
    route("/api/v1/time", TIME, Handler::Time, "the time of day, who said it and how sure it is; saying it"),
    route("/api/v1/wifi", READ, Handler::Wifi, "the radio: which network, how well, why not"),
    route("/api/v1/wifi/scan", READ, Handler::WifiScan, "the networks in range"),
    route("/api/v1/wifi/test", TEST, Handler::WifiTest, "tries a network, and goes back"),
    route("/api/v1/wifi/confirm", POST_ADMIN, Handler::WifiConfirm, "keeps the network that was tried"),
    route("/api/v1/ledger", READ_ADMIN, Handler::Ledger, "what left the plug: where to, when, why"),
    route("/api/v1/uplink", READ, Handler::Uplink, "how it stands with Emoncms"),
    route(
        "/api/v1/uplink/test",
        POST_ADMIN,
        Handler::UplinkTest,
        "one real request to Emoncms, and what came back",
    ),
    route("/api/v1/history", READ, Handler::History, "what was measured, over days and weeks"),
    route("/api/v1/update", UPDATE, Handler::Update, "the firmware that runs; a new one as the body"),
    route("/ota/start", ANNOUNCE, Handler::Elegant(Wire::Start), "ElegantOTA: announces an upload"),
    route("/ota/upload", POST_ADMIN, Handler::Elegant(Wire::Upload), "ElegantOTA: the upload, as a form"),
    route(UPDATE_PATH, UPDATE_PAGE, Handler::Elegant(Wire::Page), "the page of updates; an upload as a form"),
    route("/api/v1/openapi.json", READ_OPEN, Handler::OpenApi, "this interface, for machines"),
    route("/metrics", READ_OPEN, Handler::Metrics, "the numbers, for Prometheus"),
    route("/", LOOK, Handler::Page(Asset::Index), "the plug's page"),
    route("/app.js", LOOK, Handler::Page(Asset::Script), "the page's script"),
    route("/pages.js", LOOK, Handler::Page(Asset::Pages), "the other pages' script"),
    route("/zones.json", LOOK, Handler::Page(Asset::Zones), "time zones and their rules"),
    route("/app.css", LOOK, Handler::Page(Asset::Style), "the page's style"),
    route("/favicon.svg", LOOK, Handler::Page(Asset::Icon), "the page's icon"),
];

const fn route(
    path: &'static str,
    methods: &'static [(Method, Who)],
    handler: Handler,
    purpose: &'static str,
) -> Route {
    Route { path, methods: Methods(methods), purpose, handler }
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
