//! What the station is told, what it goes by, and what it wants done.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use crate::platform::{Address, Credentials, Known, LinkError, Network};

/// When the access point is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Nobody owns the plug: after the start and after each asking, whatever becomes of the network.
    Setup,
    /// Where there is no network, and for whoever asks.
    Fallback,
    /// Only for whoever asks.
    Button,
    /// Not even then: it has no password.
    Never,
}

/// What there is to be done in all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The networks to join, the most wanted first; what is more than
    /// [`NETWORKS`](crate::settings::schema::NETWORKS) is not looked at.
    pub known: Vec<Known>,
    /// Name and password of the access point.
    pub own: Credentials,
    /// When that is open.
    pub policy: Policy,
    /// How long a lost network is only retried before a fallback opens.
    pub after_loss: Duration,
    /// How long a fallback stays open after joining.
    pub linger: Duration,
}

/// What the station is told.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// The plug starts.
    Start,
    /// The network, if there was one, is left.
    Left,
    /// A scan ended.
    Scanned(Result<&'a [Network], LinkError>),
    /// An attempt to join ended.
    Joined(Result<Address, LinkError>),
    /// The joined network is gone.
    Lost(LinkError),
    /// The access point was told to open (`true`) or to close, and did or did not.
    AccessPoint(bool, Result<(), LinkError>),
    /// Somebody asks for the access point.
    Asked,
    /// Somebody changed the plan.
    Planned(Box<Plan>),
    /// Somebody wants this network to be tested. Nothing happens while another test is active.
    Try(Box<Known>),
    /// Somebody does not want the tested network.
    TakenBack,
    /// Somebody wants this network, which was tested, and it is stored: the plan with it.
    Confirmed(Box<Known>, Box<Plan>),
    /// Nothing but time went by (see [`Station::poll_at`](super::Station::poll_at)).
    Tick,
}

/// What the radio shall do next as a station.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Errand {
    /// Leave the network; the answer is [`Event::Left`].
    Leave,
    /// Look for networks; the answer is [`Event::Scanned`].
    Scan,
    /// Join [`Station::network`](super::Station::network); the answer is [`Event::Joined`].
    Join,
}

/// What is to be done, the access point first. It is said again until the answer is there; an event in between can make
/// something else of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Actions {
    /// Open or close the access point; the answer is [`Event::AccessPoint`].
    pub access_point: Option<bool>,
    /// Something that takes seconds.
    pub errand: Option<Errand>,
}
