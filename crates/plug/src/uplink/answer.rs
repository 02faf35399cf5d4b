//! What a server's answer means, and what follows from it. Each kind was seen at a real server (HTTP's status proves
//! nothing there), or comes from what stands between.

use alloc::string::String;

use crate::json;
use crate::ledger::{Outcome, OutsideError, mask};
use crate::limits;

/// A node too many for the account begins so.
const NODE_LIMIT: &str = "Error: Reached the maximal allowed number of different NodeIds";
/// The parameters went missing on the way: PHP drops those of a body that is too large.
const NO_PARAMETERS: &str = "Request contains no data";

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It was taken, all of it.
    Accepted,
    /// The key is wrong.
    BadKey,
    /// Encrypted: nobody has this user id.
    UnknownUser,
    /// Encrypted: it could not be decrypted, or is another user's.
    InvalidData,
    /// Encrypted: the header or the body did not arrive.
    Stripped,
    /// The account has no room for another node.
    NodeLimit,
    /// The server sends on to somewhere else.
    Redirect,
    /// There is no Emoncms at this path.
    WrongPath,
    /// Something in front of Emoncms does not let the plug in.
    Forbidden,
    /// `success: false`: something in this batch is at fault.
    Refused,
    /// 200 and nothing: a key that may only read, no key, or a body that is too large.
    Empty,
    /// The body is too large.
    TooLarge,
    /// Emoncms, PHP or what it stands on is broken just now.
    ServerFault,
    /// Too many requests.
    Busy,
    /// Nothing that Emoncms would say.
    Unexpected,
    /// The host's name has no address.
    NoAddress,
    /// Likewise, and it is one of those that end in `.local`, which the plug cannot look up.
    NoLocalName,
    /// Nobody is there.
    Unreachable,
    /// The server took too long.
    NoAnswer,
    /// The connection broke off.
    Broken,
    /// The log changed or did not answer while it was read.
    LogFailed,
    /// There was no memory for it.
    NoMemory,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consequence {
    /// The rows are there.
    Done,
    /// A person has to change something: say so, keep the data, try again now and then.
    Stop,
    /// Look for the row that is at fault.
    Bisect,
    /// Try with fewer rows; if it is one row already: a person has to look.
    Smaller,
    /// Try again later, with growing pauses.
    Later,
}

impl Answer {
    /// What follows from it.
    #[must_use]
    pub const fn consequence(self) -> Consequence {
        match self {
            Self::Accepted => Consequence::Done,
            Self::BadKey
            | Self::UnknownUser
            | Self::InvalidData
            | Self::Stripped
            | Self::NodeLimit
            | Self::Redirect
            | Self::WrongPath
            | Self::Forbidden => Consequence::Stop,
            Self::Refused => Consequence::Bisect,
            Self::Empty | Self::TooLarge => Consequence::Smaller,
            Self::ServerFault
            | Self::Busy
            | Self::Unexpected
            | Self::NoAddress
            | Self::NoLocalName
            | Self::Unreachable
            | Self::NoAnswer
            | Self::Broken
            | Self::LogFailed
            | Self::NoMemory => Consequence::Later,
        }
    }

    /// In one word, for programs.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::BadKey => "bad_key",
            Self::UnknownUser => "unknown_user",
            Self::InvalidData => "invalid_data",
            Self::Stripped => "stripped",
            Self::NodeLimit => "node_limit",
            Self::Redirect => "redirect",
            Self::WrongPath => "wrong_path",
            Self::Forbidden => "forbidden",
            Self::Refused => "refused",
            Self::Empty => "empty_answer",
            Self::TooLarge => "too_large",
            Self::ServerFault => "server_fault",
            Self::Busy => "busy",
            Self::Unexpected => "unexpected_answer",
            Self::NoAddress | Self::NoLocalName => "no_address",
            Self::Unreachable => "unreachable",
            Self::NoAnswer => "no_answer",
            Self::Broken => "broken_off",
            Self::LogFailed => "log_failed",
            Self::NoMemory => "no_memory",
        }
    }

    /// In a sentence that a person can act on.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::Accepted => "The server took it.",
            Self::BadKey => "The server does not know this write key: copy it from Emoncms' account page.",
            Self::UnknownUser => {
                "The server has no user with this id: copy the user id from Emoncms' account page."
            }
            Self::InvalidData => {
                "The server could not decrypt it: write key and user id do not belong together, or one is wrong."
            }
            Self::Stripped => {
                "The server did not get the encrypted request as it was sent: something in front of Emoncms takes \
                 headers or the body away."
            }
            Self::NodeLimit => {
                "The account has no room for another node: delete one in Emoncms, or choose one that is there."
            }
            Self::Redirect => {
                "The server sends the plug on to another address: enter that one, if it is http."
            }
            Self::WrongPath => "There is no Emoncms at this address: check the path, such as /emoncms.",
            Self::Forbidden => "Something in front of Emoncms does not let the plug in.",
            Self::Refused => "The server refuses a row.",
            Self::Empty => {
                "The server answers nothing, as it does when the key may only read: enter the write key, not the \
                 read key."
            }
            Self::TooLarge => "The server finds the request too large.",
            Self::ServerFault => "The server has a fault just now.",
            Self::Busy => "The server has too much to do.",
            Self::Unexpected => "The answer is not one of Emoncms.",
            Self::NoAddress => "No address was found for the server's name.",
            Self::NoLocalName => {
                "The plug cannot look up names that end in .local: enter the server's address in numbers, such as \
                 192.168.1.2."
            }
            Self::Unreachable => "Nobody answers at the server's address.",
            Self::NoAnswer => "The server took too long to answer.",
            Self::Broken => "The connection broke off.",
            Self::LogFailed => "The plug could not read its own log.",
            Self::NoMemory => "The plug has no memory for it just now.",
        }
    }

    /// What stands in the ledger.
    #[must_use]
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Accepted => Outcome::Ok,
            Self::Unexpected => Outcome::BadAnswer,
            Self::NoAddress | Self::NoLocalName => Outcome::NoAddress,
            Self::Unreachable => Outcome::Unreachable,
            Self::NoAnswer => Outcome::TimedOut,
            Self::Broken => Outcome::Broken,
            Self::LogFailed | Self::NoMemory => Outcome::Abandoned,
            _ => Outcome::Refused,
        }
    }

    /// Whether a smaller request may fare better: one that is too much for a server ends in any of these ways.
    #[must_use]
    pub const fn may_be_the_size(self) -> bool {
        matches!(self, Self::NoAnswer | Self::Broken | Self::ServerFault | Self::Unexpected)
    }

    /// Whether the server may have stored some of a request that was sent whole.
    #[must_use]
    pub const fn may_have_stored(self) -> bool {
        matches!(
            self,
            Self::NoAnswer | Self::Broken | Self::ServerFault | Self::Unexpected | Self::Refused | Self::Busy
        )
    }
}

impl From<OutsideError> for Answer {
    fn from(error: OutsideError) -> Self {
        match error {
            OutsideError::BadHost | OutsideError::NoAddress => Self::NoAddress,
            OutsideError::Unreachable => Self::Unreachable,
            OutsideError::TimedOut => Self::NoAnswer,
            OutsideError::Broken => Self::Broken,
        }
    }
}

/// What a server answered, as much of it as counts.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// The status.
    pub status: u16,
    /// Where it sends on to; empty: nowhere.
    pub location: &'a str,
    /// The body, as far as it is kept.
    pub body: &'a [u8],
}

/// What an answer means to whom a success is exactly `success`.
#[must_use]
pub fn classify(said: &Said<'_>, success: &[u8]) -> Answer {
    match said.status {
        200 if said.body == success => Answer::Accepted,
        200 => words(said.body),
        300..=399 => Answer::Redirect,
        401 => Answer::BadKey,
        403 | 407 => Answer::Forbidden,
        404..=406 | 410 => Answer::WrongPath,
        413 => Answer::TooLarge,
        408 | 425 | 429 => Answer::Busy,
        500..=599 => Answer::ServerFault,
        _ => Answer::Unexpected,
    }
}

/// A 200 that is no success.
fn words(body: &[u8]) -> Answer {
    if body.is_empty() {
        return Answer::Empty;
    }
    let Ok(text) = core::str::from_utf8(body) else { return Answer::Unexpected };
    match text.trim() {
        "invalid data" => Answer::InvalidData,
        "User not found" => Answer::UnknownUser,
        "missing authorization header"
        | "authorization header format should be userid:hmac"
        | "no content in post body" => Answer::Stripped,
        "Invalid API key" => Answer::BadKey,
        text if text.contains("Fatal error") => Answer::ServerFault,
        text => match refusal(text) {
            Some(message) if message.starts_with(NODE_LIMIT) => Answer::NodeLimit,
            Some(message) if message.starts_with(NO_PARAMETERS) => Answer::TooLarge,
            Some(_) => Answer::Refused,
            None => Answer::Unexpected,
        },
    }
}

/// The message of `{"success": false, "message": "..."}`.
fn refusal(text: &str) -> Option<String> {
    let (mut refused, mut message) = (false, String::new());
    let whole = json::members(text, |name, value| match name {
        "success" => refused = value == "false",
        "message" => message = plain(value),
        _ => {}
    });
    (whole.is_ok() && refused).then_some(message)
}

/// A JSON string as text, cut where it cannot go on.
fn plain(value: &str) -> String {
    let mut text = words_of_a_server();
    let _ = json::unescape(value, &mut |character| {
        let fits = text.len() + character.len_utf8() <= limits::UPLINK_WORDS;
        // Room for all of it was made before, or there is no room.
        let fits = fits && text.capacity() - text.len() >= character.len_utf8();
        if fits {
            text.push(character);
        }
        fits
    });
    text
}

/// The server's own words, for people: the message of a refusal, where it sends on to, or the beginning of the body.
#[must_use]
pub fn quote(said: &Said<'_>) -> String {
    if (300..=399).contains(&said.status) {
        return printable(said.location.as_bytes());
    }
    match core::str::from_utf8(said.body).ok().and_then(|text| refusal(text.trim())) {
        Some(message) if !message.is_empty() => message,
        _ => printable(said.body),
    }
}

/// Room for words; none where there is no memory for them.
fn words_of_a_server() -> String {
    let mut text = String::new();
    let _ = text.try_reserve_exact(limits::UPLINK_WORDS);
    text
}

/// The same with a secret overwritten. Where the words were cut, so may have been the secret.
pub(super) fn without(words: String, secret: &str) -> String {
    let cut = words.len() + 4 > limits::UPLINK_WORDS;
    let mut bytes = words.into_bytes();
    mask(&mut bytes, cut, secret.as_bytes());
    String::from_utf8(bytes).unwrap_or_default()
}

/// The beginning of a text, without what a terminal or a page would not show.
fn printable(text: &[u8]) -> String {
    let mut kept = words_of_a_server();
    let shown = |character: char| if character.is_control() { ' ' } else { character };
    for part in text.trim_ascii().utf8_chunks() {
        let unreadable = (!part.invalid().is_empty()).then_some(char::REPLACEMENT_CHARACTER);
        for character in part.valid().chars().map(shown).chain(unreadable) {
            if kept.len() + character.len_utf8() > limits::UPLINK_WORDS.min(kept.capacity()) {
                return kept;
            }
            kept.push(character);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_not_in_the_words_however_the_server_wrote_it() {
        let key = "fa8e3b689295332c560bbea31afb61d0";
        let escaped = "{\"success\": false, \"message\": \"\\u0066a8e3b689295332c560bbea31afb61d0 is bad\"}";
        assert_eq!(without(quote(&said(200, escaped)), key), alloc::format!("{} is bad", "*".repeat(32)));
        let long = alloc::format!("{}{key}", "x".repeat(limits::UPLINK_WORDS - 10));
        let words = without(quote(&said(200, &long)), key);
        assert!(words.ends_with("x**********"), "{words}");
        assert_eq!(without("fa8e".into(), key), "fa8e");
    }

    fn said(status: u16, body: &str) -> Said<'_> {
        Said { status, location: "", body: body.as_bytes() }
    }

    const REFUSALS: [(&str, Answer); 6] = [
        ("Input in not a valid JSON object", Answer::Refused),
        ("Format error, json string supplied is not valid", Answer::Refused),
        ("Format error, last item in bulk data does not contain any data", Answer::Refused),
        ("Request contains no data via csv, json or data tag", Answer::TooLarge),
        (
            "Error: Reached the maximal allowed number of different NodeIds, limit is 32. Node 'x' was ignored.",
            Answer::NodeLimit,
        ),
        ("", Answer::Refused),
    ];

    #[test]
    fn only_the_exact_success_is_one() {
        assert_eq!(classify(&said(200, "ok"), b"ok"), Answer::Accepted);
        let hash = "gzB0pvyidLaVZH46HPDMQnkB7n4fnyIzyye0h7Vi_BM=";
        assert_eq!(classify(&said(200, hash), hash.as_bytes()), Answer::Accepted);
        for body in ["ok\n", " ok", "OK", "\"ok\"", "okay", "o", "true", "{\"success\": true}", hash] {
            assert_eq!(classify(&said(200, body), b"ok"), Answer::Unexpected, "{body}");
        }
        assert_eq!(classify(&said(200, "ok"), hash.as_bytes()), Answer::Unexpected);
        for status in [201, 202, 204, 206, 400, 418] {
            assert_eq!(classify(&said(status, "ok"), b"ok"), Answer::Unexpected, "{status}");
        }
    }

    #[test]
    fn a_refusal_is_a_200_too() {
        for (message, wanted) in REFUSALS {
            for body in [
                alloc::format!("{{\"success\": false, \"message\": \"{message}\"}}"),
                alloc::format!("{{\"success\":false,\"message\":\"{message}\"}}\n"),
            ] {
                assert_eq!(classify(&said(200, &body), b"ok"), wanted, "{body}");
                if !message.is_empty() {
                    assert_eq!(quote(&said(200, &body)), message);
                }
            }
        }
        assert_eq!(classify(&said(200, "{\"success\":false}"), b"ok"), Answer::Refused);
    }

    #[test]
    fn what_the_facts_say_is_told_apart() {
        for (status, body, wanted) in [
            (200, "", Answer::Empty),
            (401, "Invalid API key", Answer::BadKey),
            (200, "invalid data", Answer::InvalidData),
            (200, "User not found", Answer::UnknownUser),
            (200, "missing authorization header", Answer::Stripped),
            (200, "authorization header format should be userid:hmac", Answer::Stripped),
            (200, "no content in post body", Answer::Stripped),
            (
                200,
                "<br />\n<b>Fatal error</b>:  Uncaught RedisException: Connection refused",
                Answer::ServerFault,
            ),
            (200, "<!DOCTYPE html><html><body>Sign in to the hotel</body></html>", Answer::Unexpected),
            (200, "\"Node does not exist\"", Answer::Unexpected),
            (500, "", Answer::ServerFault),
            (502, "Bad gateway", Answer::ServerFault),
            (503, "ok", Answer::ServerFault),
            (404, "Not found", Answer::WrongPath),
            (406, "", Answer::WrongPath),
            (301, "", Answer::Redirect),
            (302, "ok", Answer::Redirect),
            (308, "", Answer::Redirect),
            (403, "", Answer::Forbidden),
            (413, "", Answer::TooLarge),
            (429, "", Answer::Busy),
        ] {
            assert_eq!(classify(&said(status, body), b"ok"), wanted, "{status} {body}");
        }
        assert_eq!(
            classify(&Said { status: 200, location: "", body: b"\xff\xfe" }, b"ok"),
            Answer::Unexpected
        );
    }

    #[test]
    fn what_is_quoted_is_short_and_can_be_shown() {
        let moved = Said { status: 302, location: "https://emoncms.org/\x1b[31m", body: b"" };
        assert_eq!(quote(&moved), "https://emoncms.org/ [31m");
        let long = "\u{e4}".repeat(limits::UPLINK_WORDS);
        let quoted = quote(&said(500, &long));
        assert!(quoted.len() <= limits::UPLINK_WORDS && quoted.len() + 2 > limits::UPLINK_WORDS);
        let long = alloc::format!("{{\"success\":false,\"message\":\"{long}\"}}");
        assert!(quote(&said(200, &long)).len() <= limits::UPLINK_WORDS);
        assert_eq!(quote(&Said { status: 500, location: "", body: b"a\xffb\n" }), "a\u{fffd}b");
    }

    #[test]
    fn every_answer_has_words_of_its_own() {
        let all = [
            Answer::Accepted,
            Answer::BadKey,
            Answer::UnknownUser,
            Answer::InvalidData,
            Answer::Stripped,
            Answer::NodeLimit,
            Answer::Redirect,
            Answer::WrongPath,
            Answer::Forbidden,
            Answer::Refused,
            Answer::Empty,
            Answer::TooLarge,
            Answer::ServerFault,
            Answer::Busy,
            Answer::Unexpected,
            Answer::NoAddress,
            Answer::Unreachable,
            Answer::NoAnswer,
            Answer::Broken,
            Answer::LogFailed,
            Answer::NoMemory,
        ];
        for (index, answer) in all.iter().enumerate() {
            assert!(answer.message().ends_with('.'));
            for other in all.iter().skip(index + 1) {
                assert!(answer.code() != other.code() && answer.message() != other.message());
            }
        }
    }
}
