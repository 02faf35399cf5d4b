//! All that goes wrong with a real Emoncms, on purpose.

use std::fmt;
use std::str::FromStr;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// Every key is a wrong one: 401.
    WrongKey,
    /// Every key may only read: 200 with nothing.
    ReadKey,
    /// PHP gives up before anything is stored: 200 with a page that says so.
    Fatal,
    /// Likewise, with production settings: 500 with nothing.
    ServerError,
    /// Nothing is stored and nothing answered, the connection stays open.
    Freeze,
    /// All is stored, and nothing answered.
    StoreThenFreeze,
    /// The connection is reset after so many bytes of the request.
    Reset(usize),
    /// All is stored, then the connection is reset after so many bytes of the answer.
    ResetAnswer(usize),
    /// The answer takes so many seconds, a byte at a time.
    Slow(u32),
    /// Sent elsewhere: 302.
    Redirect,
    /// A page of somebody else, as a hotel's network has it: 200.
    Html,
    /// The first half of a bulk body is stored, then PHP gives up.
    HalfBulk,
    /// The account has all its nodes already, and the plug's is none of them.
    NodeLimit,
    /// An encrypted request is stored, and the answer's hash is another's.
    WrongHash,
    /// Rows of this time are refused; what stands before them is stored.
    RefuseTime(i64),
    /// PHP gives up before anything is stored where a bulk body has more rows than this.
    FatalAbove(usize),
    /// Every row is refused.
    RefuseAll,
    /// A path that is not there: 404.
    NotFound,
}

/// A fault's name, what its number means if it has one, the number without being told, and what it does.
pub const NAMES: [(&str, Option<&str>, &str); 18] = [
    ("wrong-key", None, "every key is a wrong one: 401"),
    ("read-key", None, "every key may only read: 200 and an empty body"),
    ("fatal", None, "200 and a page that says `Fatal error`"),
    ("500", None, "status 500 and an empty body"),
    ("freeze", None, "takes the request and never answers"),
    ("store-then-freeze", None, "stores all and never answers"),
    ("reset", Some("BYTES"), "resets the connection after so many bytes of the request"),
    ("reset-answer", Some("BYTES"), "stores all, resets after so many bytes of the answer"),
    ("slow", Some("SECONDS"), "the answer comes a byte at a time"),
    ("redirect", None, "302 to elsewhere"),
    ("html", None, "200 and the page of a network that wants a sign-in"),
    ("half-bulk", None, "stores the first half of a bulk body, then `Fatal error`"),
    ("node-limit", None, "the account has its 32 nodes already"),
    ("wrong-hash", None, "the answer to an encrypted request carries another's hash"),
    ("refuse-time", Some("UNIX"), "rows of this time are refused"),
    ("fatal-above", Some("ROWS"), "`Fatal error` where a bulk body has more rows than that"),
    ("refuse-all", None, "every row is refused"),
    ("404", None, "the path is not there"),
];

impl Fault {
    fn parts(self) -> (&'static str, Option<i64>) {
        let count = |number: usize| i64::try_from(number).ok();
        match self {
            Self::WrongKey => ("wrong-key", None),
            Self::ReadKey => ("read-key", None),
            Self::Fatal => ("fatal", None),
            Self::ServerError => ("500", None),
            Self::Freeze => ("freeze", None),
            Self::StoreThenFreeze => ("store-then-freeze", None),
            Self::Reset(bytes) => ("reset", count(bytes)),
            Self::ResetAnswer(bytes) => ("reset-answer", count(bytes)),
            Self::Slow(seconds) => ("slow", Some(i64::from(seconds))),
            Self::Redirect => ("redirect", None),
            Self::Html => ("html", None),
            Self::HalfBulk => ("half-bulk", None),
            Self::NodeLimit => ("node-limit", None),
            Self::WrongHash => ("wrong-hash", None),
            Self::RefuseTime(time) => ("refuse-time", Some(time)),
            Self::FatalAbove(rows) => ("fatal-above", count(rows)),
            Self::RefuseAll => ("refuse-all", None),
            Self::NotFound => ("404", None),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.parts() {
            (name, None) => formatter.write_str(name),
            (name, Some(number)) => write!(formatter, "{name}={number}"),
        }
    }
}

impl FromStr for Fault {
    type Err = String;

    /// `name` or `name=number`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, number) = match text.split_once('=') {
            Some((name, number)) => (
                name,
                Some(
                    number
                        .parse::<i64>()
                        .map_err(|_| format!("`{number}` in `{text}` is no whole number"))?,
                ),
            ),
            None => (text, None),
        };
        let size = |otherwise| usize::try_from(number.unwrap_or(otherwise)).unwrap_or(0);
        Ok(match name {
            "wrong-key" => Self::WrongKey,
            "read-key" => Self::ReadKey,
            "fatal" => Self::Fatal,
            "500" => Self::ServerError,
            "freeze" => Self::Freeze,
            "store-then-freeze" => Self::StoreThenFreeze,
            "reset" => Self::Reset(size(200)),
            "reset-answer" => Self::ResetAnswer(size(20)),
            "slow" => Self::Slow(u32::try_from(number.unwrap_or(5)).unwrap_or(5)),
            "redirect" => Self::Redirect,
            "html" => Self::Html,
            "half-bulk" => Self::HalfBulk,
            "node-limit" => Self::NodeLimit,
            "wrong-hash" => Self::WrongHash,
            "refuse-time" => Self::RefuseTime(number.ok_or("refuse-time needs the time: refuse-time=UNIX")?),
            "fatal-above" => Self::FatalAbove(size(100)),
            "refuse-all" => Self::RefuseAll,
            "404" => Self::NotFound,
            _ => return Err(format!("`{name}` is no fault; there are {}", names())),
        })
    }
}

fn names() -> String {
    NAMES.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(", ")
}

/// A fault and how many requests it still meets; for ever where there is no number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Planned {
    /// What goes wrong.
    pub fault: Fault,
    /// How many requests are left to it.
    pub times: Option<u32>,
}

impl Planned {
    /// For ever.
    #[must_use]
    pub fn always(fault: Fault) -> Self {
        Self { fault, times: None }
    }

    /// For the next requests.
    #[must_use]
    pub fn times(fault: Fault, times: u32) -> Self {
        Self { fault, times: Some(times) }
    }
}

impl FromStr for Planned {
    type Err = String;

    /// `fault` or `fault*times`.
    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('*') {
            None => Ok(Self::always(text.parse()?)),
            Some((fault, times)) => {
                let times =
                    times.parse().map_err(|_| format!("`{times}` in `{text}` is no number of times"))?;
                Ok(Self::times(fault.parse()?, times))
            }
        }
    }
}

impl fmt::Display for Planned {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.times {
            None => write!(formatter, "{}", self.fault),
            Some(times) => write!(formatter, "{}*{times}", self.fault),
        }
    }
}
