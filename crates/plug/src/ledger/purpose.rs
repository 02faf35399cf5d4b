//! The words of the ledger: what a connection is for, where it goes, what became of it.

use alloc::boxed::Box;

use embedded_io_async::ErrorKind;

/// What a connection is for. Each has a setting without which there would be none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Rows on their way to the owner's Emoncms.
    Emoncms,
    /// One request that somebody asked for, to see whether Emoncms takes it.
    EmoncmsTest,
    /// The time of day, from the owner's Emoncms.
    EmoncmsTime,
    /// The time of day, from a time server.
    TimeServer,
    /// The plug's name and what it offers, for whoever looks for it on its network.
    Mdns,
}

impl Purpose {
    /// The setting that caused it.
    #[must_use]
    pub const fn setting(self) -> &'static str {
        match self {
            Self::Emoncms => "emoncms.enabled",
            Self::EmoncmsTest => "emoncms.url",
            Self::EmoncmsTime | Self::TimeServer => "time.source",
            Self::Mdns => "device.mdns",
        }
    }
}

/// Where a connection goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Name or address, as the settings have it. Of a lookup, the name that is asked for.
    pub host: Box<str>,
    /// TCP or UDP port.
    pub port: u16,
    /// What for.
    pub purpose: Purpose,
    /// Not the host itself: the network's name server is asked where it is.
    pub lookup: bool,
}

impl Place {
    /// What for, in a word.
    #[must_use]
    pub const fn purpose(&self) -> &'static str {
        match self.purpose {
            _ if self.lookup => "dns",
            Purpose::Emoncms => "emoncms",
            Purpose::EmoncmsTest => "emoncms_test",
            Purpose::EmoncmsTime => "emoncms_time",
            Purpose::TimeServer => "time_server",
            Purpose::Mdns => "mdns",
        }
    }

    /// Why there are such connections, for people.
    #[must_use]
    pub const fn why(&self) -> &'static str {
        match self.purpose {
            _ if self.lookup => "asks the network's name server for the address of this host",
            Purpose::Emoncms => "sends what was measured to Emoncms",
            Purpose::EmoncmsTest => "tries whether Emoncms takes what is sent",
            Purpose::EmoncmsTime => "asks Emoncms what time it is",
            Purpose::TimeServer => "asks what time it is",
            Purpose::Mdns => "tells its network under which name it is found",
        }
    }
}

/// What became of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did what it was for.
    Ok,
    /// The other side answered, and did not do what was asked of it.
    Refused,
    /// The other side answered something else than it should.
    BadAnswer,
    /// The host has no address.
    NoAddress,
    /// Nobody is there: no way, or the connection was refused.
    Unreachable,
    /// The other side took too long.
    TimedOut,
    /// The connection broke off.
    Broken,
    /// The plug itself gave up: it was switched off, or the settings changed.
    Abandoned,
}

impl Outcome {
    /// In a word, as programs read it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
            Self::BadAnswer => "bad_answer",
            Self::NoAddress => "no_address",
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed_out",
            Self::Broken => "broken",
            Self::Abandoned => "abandoned",
        }
    }
}

/// Why the gate does not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutsideError {
    /// This is no host that can be asked for.
    BadHost,
    /// The host has no address.
    NoAddress,
    /// Nobody is there: no way, or the connection was refused.
    Unreachable,
    /// The other side took too long.
    TimedOut,
    /// The connection broke off.
    Broken,
}

impl OutsideError {
    /// What stands in the ledger.
    #[must_use]
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::BadHost | Self::NoAddress => Outcome::NoAddress,
            Self::Unreachable => Outcome::Unreachable,
            Self::TimedOut => Outcome::TimedOut,
            Self::Broken => Outcome::Broken,
        }
    }
}

impl core::fmt::Display for OutsideError {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str(match self {
            Self::BadHost => "this is neither a host's name nor its address",
            Self::NoAddress => "no address was found for this name",
            Self::Unreachable => "nobody answers there",
            Self::TimedOut => "the other side took too long",
            Self::Broken => "the connection broke off",
        })
    }
}

impl core::error::Error for OutsideError {}

impl embedded_io_async::Error for OutsideError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::BadHost => ErrorKind::InvalidInput,
            Self::NoAddress => ErrorKind::NotFound,
            Self::Unreachable => ErrorKind::ConnectionRefused,
            Self::TimedOut => ErrorKind::TimedOut,
            Self::Broken => ErrorKind::BrokenPipe,
        }
    }
}
