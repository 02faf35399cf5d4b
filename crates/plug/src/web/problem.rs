//! Everything that can go wrong for a client, and the one place where it is put into words.

use core::fmt::Write;
use core::time::Duration;

use heapless::String;
use picoserve::response::StatusCode;
use serde::Serialize;

use crate::core::claims::DelayReason;
use crate::number::tenths;
use crate::update::Fault;
use crate::uplink::NoTest;

/// Longest message: the longest sentence below with a name in it.
const MESSAGE: usize = 192;
/// Longest `{"error":{...}}` with every character of the message escaped.
pub(super) const PROBLEM_JSON: usize = 512;

/// Why a request is refused. Names given by a client are short and printable (see [`Name`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// The head cannot be read.
    BadHead,
    /// `Content-Length` is not one plain number.
    BadLength,
    /// The body has no length.
    LengthRequired,
    /// The head is longer than the plug takes.
    HeadTooLong,
    /// The body is longer than this address takes.
    BodyTooLong { most: usize },
    /// The body did not arrive.
    BodyMissing,
    /// No host, or none that can be one.
    BadHost,
    /// The plug does not answer under this name.
    WrongHost,
    /// The page that asks is not the plug's.
    WrongOrigin,
    /// Nobody signed in, or not rightly. `stale`: only the number that was used once is too old.
    Unauthorized { stale: bool },
    /// Signed in, but not as somebody who may do this.
    Forbidden,
    /// Known, and not enough: no token is.
    PasswordOnly,
    /// Nothing is changed before the plug has an owner.
    SetupRequired,
    /// Somebody else's claim waits for the button.
    SetupPending,
    /// The plug has an owner.
    AlreadySetUp,
    /// Too many wrong passwords.
    TooManyAttempts { wait: Duration },
    /// Nothing at this address.
    NotFound,
    /// Not with this method.
    WrongMethod,
    /// The body is not declared as JSON.
    NotJsonType,
    /// The body is not JSON.
    BadJson,
    /// A field that nobody knows.
    UnknownField { name: Name },
    /// A field with a value it cannot have; `wanted` says which it can.
    BadField { name: &'static str, wanted: &'static str },
    /// A parameter of the address with a value it cannot have.
    BadParameter { name: &'static str, wanted: &'static str },
    /// A field that stands there twice.
    RepeatedField { name: &'static str },
    /// Not exactly one of the wishes.
    OneWish,
    /// Settings that cannot be; the answer names each (see `settings.rs`).
    BadSettings,
    /// The settings are not those that the client saw.
    ChangedMeanwhile,
    /// All settings together are more than the plug keeps.
    SettingsTooLarge,
    /// The flash did not take the change.
    NotStored,
    /// Another change is under way, or what is stored is not read yet.
    SettingsBusy,
    /// Protection holds the relay open.
    LockedOut,
    /// Switching on has to wait.
    TooSoon { wait: Duration, why: DelayReason },
    /// More cycles than the plug keeps.
    TooManyCycles,
    /// No window yet.
    NothingMeasuredYet,
    /// The samples of the window are not there any more.
    SamplesGone,
    /// No trip has this number, or a newer one took its place.
    NoSuchTrip,
    /// No token has this number.
    NoSuchToken,
    /// There is no place for another token.
    TooManyTokens,
    /// The flash does not answer, or not in time.
    FlashSilent,
    /// The core did not answer in time.
    CoreBusy,
    /// The one capture buffer is in use.
    CaptureBusy,
    /// The plug has no radio.
    WifiUnavailable,
    /// The radio does something else.
    WifiBusy,
    /// No network is being tested, or it is not joined yet.
    NoWifiTest,
    /// There is no request to Emoncms to be shown.
    NoTest(NoTest),
    /// The plug crashed again and again, and does only what it takes to mend that.
    SafeMode,
    /// A new image is not taken.
    Update(Fault),
    /// All live streams are taken.
    TooManyStreams,
    /// No memory for this answer now.
    Busy,
}

/// A name that came from a client, fit to be repeated: printable ASCII, cut at 32 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name(String<32>);

impl Name {
    pub(super) fn new(text: &str) -> Self {
        let printable = |character: char| if character.is_ascii_graphic() { character } else { '?' };
        Self(text.chars().map(printable).take(32).collect())
    }
}

#[derive(Serialize)]
struct Outer<'a> {
    error: Inner<'a>,
}

#[derive(Serialize)]
struct Inner<'a> {
    code: &'static str,
    message: &'a str,
    /// How long to wait, where time is all that it takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    wait_s: Option<f64>,
}

/// What stands against switching on, in words.
const fn too_soon(why: DelayReason) -> &'static str {
    match why {
        DelayReason::MinimumOff => "it has to stay off for its minimum time first",
        DelayReason::MinimumOn => "it was switched on too short a time ago",
        DelayReason::Switchings => "it was switched too often in the last minute",
        DelayReason::StartDelay => "the plug has just started",
    }
}

impl Problem {
    /// Status and code; both are public names.
    pub(super) const fn kind(&self) -> (StatusCode, &'static str) {
        let (status, code) = match self {
            Self::BadHead => (400, "bad_request"),
            Self::BadLength => (400, "bad_content_length"),
            Self::BodyMissing => (400, "body_missing"),
            Self::BadJson => (400, "bad_json"),
            Self::BadHost => (400, "bad_host"),
            Self::Unauthorized { .. } => (401, "unauthorized"),
            Self::WrongOrigin => (403, "wrong_origin"),
            Self::Forbidden | Self::PasswordOnly => (403, "forbidden"),
            Self::SetupRequired => (403, "setup_required"),
            Self::NotFound => (404, "not_found"),
            Self::NoSuchTrip => (404, "no_such_trip"),
            Self::NoSuchToken => (404, "no_such_token"),
            Self::WrongMethod => (405, "method_not_allowed"),
            Self::SetupPending => (409, "setup_pending"),
            Self::AlreadySetUp => (409, "already_set_up"),
            Self::LockedOut => (409, "locked_out"),
            Self::TooSoon { .. } => (409, "too_soon"),
            Self::TooManyTokens => (409, "too_many_tokens"),
            Self::SafeMode => (503, "safe_mode"),
            Self::Update(why) => why.kind(),
            Self::WifiBusy => (409, "wifi_busy"),
            Self::NoWifiTest => (409, "no_wifi_test"),
            Self::WifiUnavailable => (503, "wifi_unavailable"),
            Self::NoTest(NoTest::NotConfigured) => (409, "emoncms_not_configured"),
            Self::NoTest(NoTest::NoClock) => (409, "clock_unknown"),
            Self::NoTest(NoTest::NoNetwork) => (409, "no_network"),
            Self::NoTest(NoTest::NoRow) => (409, "no_row"),
            Self::NoTest(NoTest::Busy | NoTest::NoMemory) => (503, "test_busy"),
            Self::LengthRequired => (411, "length_required"),
            Self::ChangedMeanwhile => (412, "changed_meanwhile"),
            Self::BodyTooLong { .. } => (413, "body_too_long"),
            Self::NotJsonType => (415, "not_json"),
            Self::UnknownField { .. } => (422, "unknown_field"),
            Self::BadField { .. } | Self::RepeatedField { .. } => (422, "bad_field"),
            Self::OneWish => (422, "one_wish"),
            Self::BadSettings => (422, "bad_settings"),
            Self::BadParameter { .. } => (422, "bad_parameter"),
            Self::TooManyCycles => (422, "too_many_cycles"),
            Self::WrongHost => (421, "wrong_host"),
            Self::TooManyAttempts { .. } => (429, "too_many_attempts"),
            Self::HeadTooLong => (431, "head_too_long"),
            Self::NotStored => (500, "not_stored"),
            Self::NothingMeasuredYet => (503, "nothing_measured_yet"),
            Self::SettingsBusy => (503, "settings_busy"),
            Self::SettingsTooLarge => (507, "settings_too_large"),
            Self::SamplesGone => (503, "samples_gone"),
            Self::FlashSilent => (503, "flash_silent"),
            Self::CoreBusy => (503, "core_busy"),
            Self::CaptureBusy => (503, "capture_busy"),
            Self::TooManyStreams => (503, "too_many_streams"),
            Self::Busy => (503, "busy"),
        };
        (StatusCode::new(status), code)
    }

    /// When it is worth trying again, in seconds.
    pub(super) fn retry_after(&self) -> Option<u32> {
        match self {
            Self::TooManyStreams => Some(5),
            Self::TooSoon { wait, .. } | Self::TooManyAttempts { wait } => {
                u32::try_from(wait.as_millis().div_ceil(1000)).ok()
            }
            Self::NothingMeasuredYet
            | Self::SamplesGone
            | Self::FlashSilent
            | Self::CoreBusy
            | Self::CaptureBusy
            | Self::SettingsBusy
            | Self::NoTest(NoTest::Busy)
            | Self::Busy => Some(1),
            _ => None,
        }
    }

    /// One sentence a person can act on.
    fn message(&self) -> String<MESSAGE> {
        let mut text = String::new();
        let result = match self {
            Self::BodyTooLong { most } => write!(text, "Send at most {most} bytes to this address."),
            Self::UnknownField { name } => {
                write!(text, "There is no field {}; the fields stand in /api/v1/openapi.json.", name.0)
            }
            Self::BadField { name, wanted } => write!(text, "The field {name} must be {wanted}."),
            Self::BadParameter { name, wanted } => write!(text, "The parameter {name} must be {wanted}."),
            Self::RepeatedField { name } => write!(text, "Give the field {name} only once."),
            Self::TooSoon { wait, why } => {
                let (seconds, why) = (tenths(wait.as_secs_f64()), too_soon(*why));
                write!(text, "It can be switched on in {seconds} s: {why}.")
            }
            Self::TooManyAttempts { wait } => {
                let seconds = wait.as_millis().div_ceil(1000);
                write!(text, "There were too many wrong passwords; try again in {seconds} s.")
            }
            Self::Update(why) => write!(text, "{why}"),
            _ => text.write_str(self.fixed_message()),
        };
        // Every sentence fits; a cut one would still be a hint.
        let _ = result;
        text
    }

    const fn fixed_message(&self) -> &'static str {
        match self {
            Self::BadHead => "This is not an HTTP/1.1 request that the plug can read; check the client.",
            Self::BadLength => "Give Content-Length once, as a plain number of bytes.",
            Self::LengthRequired => "Send the body with a Content-Length; chunked bodies are not understood.",
            Self::HeadTooLong => "Send shorter headers: the request line and headers may have 2048 bytes.",
            Self::BodyMissing => {
                "The body did not arrive in time; send as many bytes as Content-Length says."
            }
            Self::BadHost => "Send one header Host with the plug's name or address.",
            Self::WrongHost => {
                "The plug does not answer under this name; use its own or its address, or add the name to access.hosts."
            }
            Self::WrongOrigin => "A page from another address may not ask here; open the plug's own page.",
            Self::Unauthorized { .. } => {
                "Sign in: HTTP Digest with the user name admin and the plug's password, or a token as Bearer."
            }
            Self::Forbidden => {
                "What you signed in with may not do this; use the password, or a token with a larger scope."
            }
            Self::PasswordOnly => {
                "No token may do this; use the password: HTTP Digest with the user name admin."
            }
            Self::SetupRequired => {
                "The plug has no owner yet; choose a password on its page or with POST /api/v1/setup."
            }
            Self::SetupPending => {
                "Somebody else's set-up waits for the plug's button; do not press it, and try again in two minutes."
            }
            Self::AlreadySetUp => {
                "The plug has an owner; change its settings instead, or hold its button for 10 s to begin anew."
            }
            Self::NotFound => {
                "There is nothing at this address; the addresses stand in /api/v1/openapi.json."
            }
            Self::WrongMethod => {
                "This address does not take this method; the header Allow names those it does."
            }
            Self::NotJsonType => "Send JSON with the header Content-Type: application/json.",
            Self::BadJson => "The body must be one JSON object; check its quotes, commas and braces.",
            Self::OneWish => {
                "Give exactly one of on (true or false), toggle, release, rearm and cancel_retries (each true)."
            }
            Self::BadSettings => "Some of these fields cannot be so; see /api/v1/openapi.json.",
            Self::ChangedMeanwhile => {
                "The settings were changed meanwhile; fetch them again and repeat the change on the new ones."
            }
            Self::SettingsTooLarge => {
                "All settings together are too long to be kept; shorten names or remove entries of the schedule."
            }
            Self::NotStored => "The plug's flash did not take the change; what was before still holds.",
            Self::SettingsBusy => {
                "Something is being read or stored just now; look at what holds and try again in a second."
            }
            Self::LockedOut => {
                "Protection holds the relay open; see why in /api/v1/relay/log, then re-arm it with {\"rearm\":true}."
            }
            Self::TooManyCycles => "The plug does not keep that many cycles; ask for fewer.",
            Self::NothingMeasuredYet => "The plug has not finished its first window; ask again in a second.",
            Self::SamplesGone => {
                "The samples of this window are not there any more; ask again for the next one."
            }
            Self::NoSuchTrip => {
                "No trip with this number is kept, only the newest few are; they stand in /api/v1/trips."
            }
            Self::NoSuchToken => "There is no token with this number; they stand in /api/v1/tokens.",
            Self::TooManyTokens => "All eight tokens are in use; revoke one first.",
            Self::FlashSilent => {
                "The plug's flash does not answer, or writes something else just now; ask again in a second."
            }
            Self::CoreBusy => {
                "The plug did not confirm in time, the command may still take effect; look at /api/v1/relay."
            }
            Self::CaptureBusy => "Somebody else is fetching a waveform; ask again in a second.",
            Self::WifiUnavailable => "This plug has no radio that works; it cannot join a network.",
            Self::WifiBusy => {
                "The radio is joining, scanning or testing a network; look at /api/v1/wifi and try again in some seconds."
            }
            Self::NoWifiTest => {
                "No tested network waits for this; see test in /api/v1/wifi, and begin with POST /api/v1/wifi/test."
            }
            Self::NoTest(why) => why.message(),
            Self::SafeMode => {
                "The plug crashed again and again: it only takes another firmware on /update, settings and a restart."
            }
            Self::TooManyStreams => {
                "All live streams are in use; close another page of this plug or ask /api/v1/reading."
            }
            Self::Busy => "The plug is busy with other answers; ask again in a second.",
            Self::Update(_)
            | Self::BodyTooLong { .. }
            | Self::UnknownField { .. }
            | Self::BadField { .. }
            | Self::BadParameter { .. }
            | Self::TooSoon { .. }
            | Self::TooManyAttempts { .. }
            | Self::RepeatedField { .. } => "",
        }
    }

    /// The JSON body.
    pub(super) fn json(&self, buffer: &mut [u8; PROBLEM_JSON]) -> usize {
        let message = self.message();
        let wait_s = match self {
            Self::TooSoon { wait, .. } | Self::TooManyAttempts { wait } => Some(wait.as_secs_f64()),
            _ => None,
        };
        let body = Outer { error: Inner { code: self.kind().1, message: &message, wait_s } };
        serde_json_core::to_slice(&body, buffer).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> alloc::vec::Vec<Problem> {
        let name = "for_s";
        let wanted = "a number of seconds from 0.1 to 604800";
        alloc::vec![
            Problem::BadHead,
            Problem::BadLength,
            Problem::LengthRequired,
            Problem::HeadTooLong,
            Problem::BodyTooLong { most: usize::MAX },
            Problem::BodyMissing,
            Problem::BadHost,
            Problem::WrongHost,
            Problem::WrongOrigin,
            Problem::Unauthorized { stale: true },
            Problem::Forbidden,
            Problem::PasswordOnly,
            Problem::SetupRequired,
            Problem::SetupPending,
            Problem::AlreadySetUp,
            Problem::TooManyAttempts { wait: Duration::from_secs(900) },
            Problem::NotFound,
            Problem::WrongMethod,
            Problem::NotJsonType,
            Problem::BadJson,
            Problem::UnknownField { name: Name::new(&"\\\"".repeat(40)) },
            Problem::BadField { name, wanted },
            Problem::BadParameter { name, wanted },
            Problem::RepeatedField { name },
            Problem::OneWish,
            Problem::BadSettings,
            Problem::ChangedMeanwhile,
            Problem::SettingsTooLarge,
            Problem::NotStored,
            Problem::SettingsBusy,
            Problem::LockedOut,
            Problem::TooSoon { wait: Duration::from_secs(86_400), why: DelayReason::MinimumOff },
            Problem::TooManyCycles,
            Problem::NothingMeasuredYet,
            Problem::SamplesGone,
            Problem::NoSuchTrip,
            Problem::NoSuchToken,
            Problem::TooManyTokens,
            Problem::FlashSilent,
            Problem::CoreBusy,
            Problem::CaptureBusy,
            Problem::WifiUnavailable,
            Problem::WifiBusy,
            Problem::NoWifiTest,
            Problem::NoTest(NoTest::NotConfigured),
            Problem::NoTest(NoTest::NoClock),
            Problem::NoTest(NoTest::NoNetwork),
            Problem::NoTest(NoTest::NoRow),
            Problem::SafeMode,
            Problem::NoTest(NoTest::Busy),
            Problem::TooManyStreams,
            Problem::Busy,
            Problem::UnknownField { name: Name::new("ä\n") },
        ]
        .into_iter()
        .chain(Fault::all().map(Problem::Update))
        .collect()
    }

    #[test]
    fn every_problem_is_one_whole_sentence_and_described() {
        let document: serde_json::Value = serde_json::from_str(include_str!("openapi.json")).unwrap();
        let described = document["components"]["schemas"]["ErrorCode"]["enum"].as_array().unwrap();
        for problem in all() {
            let mut buffer = [0; PROBLEM_JSON];
            let length = problem.json(&mut buffer);
            let json: serde_json::Value = serde_json::from_slice(&buffer[..length]).unwrap();
            let message = json["error"]["message"].as_str().unwrap();
            assert!(message.ends_with('.'), "{problem:?} is cut: {message}");
            assert!(described.contains(&json["error"]["code"]), "{problem:?} is not described");
            assert!((400..600).contains(&problem.kind().0.as_u16()));
        }
        let known: alloc::collections::BTreeSet<_> = all().iter().map(|problem| problem.kind().1).collect();
        assert_eq!(known.len(), described.len(), "a described code that nobody sends");
    }

    #[test]
    fn the_limits_are_told_as_they_are() {
        let limit = alloc::format!("{} bytes", crate::limits::REQUEST_HEAD);
        assert!(Problem::HeadTooLong.message().contains(limit.as_str()));
    }
}
