//! The small traits that a shell implements: the chip in `firmware/`, a PC in `crates/ossp`. Read this first.
//!
//! Sockets and flash are not here: the traits of `edge-nal` (`TcpAccept`, `UdpBind`, `TcpConnect`, `Dns`) and of
//! `embedded-storage-async` (`NorFlash`) are used as they are.

use alloc::vec::Vec;
use core::net::Ipv4Addr;
use core::time::Duration;

use edge_nal::{Dns, NoopNet, TcpAccept, TcpConnect, UdpBind, UdpReceive, UdpSend};
use heapless::String;
use metering::front_end::{FrontEnd, Pair};
use serde::Serialize;

use crate::limits;

/// A moment of a [`Clock`]: time since the plug started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(Duration);

impl Instant {
    /// The moment `since_start` after the start.
    #[must_use]
    pub const fn from_start(since_start: Duration) -> Self {
        Self(since_start)
    }

    /// How long after the start this is.
    #[must_use]
    pub const fn since_start(self) -> Duration {
        self.0
    }

    /// The moment `by` later.
    #[must_use]
    pub fn after(self, by: Duration) -> Self {
        Self(self.0.saturating_add(by))
    }

    /// How much later this is than `earlier`; zero if it is not.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// The only way to know or to wait for time. Real on a plug, simulated in tests and at `--speed`.
pub trait Clock {
    /// Now. Never goes back.
    fn now(&self) -> Instant;
    /// Returns at or soon after `moment`. Dropping the future cancels the wait.
    async fn sleep_until(&self, moment: Instant);
    /// Unix seconds, if this platform knows the time of day by itself (a PC does, the chip does not).
    fn time_of_day(&self) -> Option<f64>;
}

/// A run of consecutive pairs.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    /// How many pairs were lost just before this block.
    pub lost_before: u32,
    /// The pairs, oldest first; at most 2 ms of them, since protection is evaluated once a block.
    pub pairs: &'a [Pair],
}

/// Where samples come from.
pub trait Samples {
    /// What the hardware in front of the samples is.
    fn front_end(&self) -> FrontEnd;
    /// Waits for the next block; `None` when there will be no more (never on a plug).
    /// Dropping the future loses no samples.
    async fn next(&mut self) -> Option<Block<'_>>;
    /// Gives whatever takes the samples in below the core the limit at which it opens the relay by itself (see
    /// [`crate::core::instant`]). Called at the start and with each change. Where nothing stands below the core, as
    /// on a PC, there is nothing to do: the core looks at every block anyway.
    fn set_instant_limit(&mut self, _limit: InstantLimit) {}
    /// Whether samples can be expected at all. If so, and none come, the core opens the relay.
    fn measures(&self) -> bool {
        true
    }
}

/// The instant trip's limit in raw counts: what an interrupt can compare with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InstantLimit {
    /// The count that stands for no current.
    pub zero: i32,
    /// RMS over a half cycle at which it trips, in counts.
    pub threshold: u32,
    /// Pairs in a half cycle.
    pub half_cycle: u16,
    /// Counts at or below this one, and at or above `highest`, are clipped: larger than any number.
    pub lowest: i32,
    /// See `lowest`.
    pub highest: i32,
}

/// Why something below the core opened the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstantTrip {
    /// The RMS current of a half cycle, in counts.
    OverCurrent(u32),
    /// The newest sample was clipped: the current was larger than any number.
    Clipped,
    /// The converter gave no current for some 10 ms: nobody would see an over-current.
    NoSamples,
}

/// The switch.
pub trait Relay {
    /// Commands the contact; takes effect after the relay's own delay. Any command forgets an instant trip.
    fn set(&mut self, closed: bool);
    /// Whether the contact was seen closed, where the hardware can tell.
    fn measured(&self) -> Option<bool> {
        None
    }
    /// Why something below the core opened the relay since the last command; `None` if nothing did.
    fn tripped(&self) -> Option<InstantTrip> {
        None
    }
}

/// Lets web clients in, and knows by which network they came.
pub trait Acceptor: TcpAccept {
    /// Whether this client came by the plug's own access point. Only there every name leads to the plug, so that a phone
    /// that looks for the way into the internet is sent to its page.
    fn by_access_point(&self, _socket: &Self::Socket<'_>) -> bool {
        false
    }
}

impl Acceptor for NoopNet {}

/// The way out of the plug, on the network that it joined: names, TCP and UDP. Held by [`crate::ledger::Outside`] alone.
pub trait Outbound: TcpConnect + UdpBind + Dns {}

impl<N: TcpConnect + UdpBind + Dns> Outbound for N {}

/// The group in which hosts without a name server ask each other (RFC 6762), on the network that was joined and on no
/// other: not on the access point. Held by [`crate::net::mdns::serve`] alone.
pub trait Multicast {
    /// What can go wrong.
    type Error: core::fmt::Debug;
    /// Hears the group, and sends.
    type Socket<'a>: UdpReceive + UdpSend
    where
        Self: 'a;
    /// A socket at UDP port 5353, that others on the machine may share, in the group 224.0.0.251 on the interface with the address
    /// `own` (on a chip `Stack::join_multicast_group`, with room for [`crate::net::mdns::wire::LONGEST`] bytes that come). It sends with a time to live of 255 (RFC 6762 §11) and hears datagrams that are sent to `own`, too. Leaves the group
    /// when it is dropped, at the latest when it is asked for anew.
    ///
    /// # Errors
    /// If the network does not let it: it is tried again.
    async fn join(&self, own: Ipv4Addr) -> Result<Self::Socket<'_>, Self::Error>;
    /// Where this machine is reached, with the bits of the network part, if that is not where the radio says.
    fn place(&self) -> Option<(Ipv4Addr, u8)> {
        None
    }
    /// Where its web is served.
    fn web_port(&self) -> u16 {
        80
    }
}

impl Multicast for NoopNet {
    type Error = core::convert::Infallible;
    type Socket<'a>
        = NoopNet
    where
        Self: 'a;

    async fn join(&self, _own: Ipv4Addr) -> Result<NoopNet, core::convert::Infallible> {
        core::future::pending().await
    }
}

/// Random numbers fit for secrets.
pub trait Random {
    /// Fills `bytes`.
    fn fill(&mut self, bytes: &mut [u8]);
}

/// What this plug is; constant while it runs.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Unique, stable: `ossp-XXXX` is made of its last four characters.
    pub id: String<16>,
    /// Board name, `virtual` on a PC.
    pub board: &'static str,
    /// Chip name, `pc` on a PC.
    pub chip: &'static str,
    /// Version of the image that runs.
    pub version: String<{ crate::update::version::VERSION_MOST }>,
    /// Commit this was built from, or `unknown`.
    pub git: &'static str,
    /// Build profile and target.
    pub build: &'static str,
    /// The compiler that built it.
    pub rustc: &'static str,
    /// The program that made an image of it; `None` on a PC.
    pub espflash: Option<&'static str>,
    /// Why the plug started: `power_on`, `software`, `panic`, `watchdog`, `brownout`, ...
    pub reset_reason: &'static str,
    /// The last words before it: of a panic its message and place, of a watchdog which task hung; empty if there
    /// were none.
    pub reset_detail: String<{ limits::RESET_DETAIL }>,
    /// What it measures, in words ("simulated kettle", "recording fridge.csv", "ZMPT101B and ACS712-20A").
    pub source: String<64>,
}

/// Memory that is used at run time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Heap in use.
    pub heap_used_bytes: u32,
    /// Heap that is free.
    pub heap_free_bytes: u32,
    /// The least of it that was ever free since the start.
    pub heap_least_free_bytes: u32,
    /// The least of the stack that was ever free since the start; `None` where nobody looks.
    pub stack_least_free_bytes: Option<u32>,
}

/// How evenly samples are taken, measured by the hardware that takes them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Sampling {
    /// How much later the current of a pair is sampled than its voltage: mean of the newest second.
    pub skew_s: f64,
    /// Longest less shortest distance between two samples of a channel since the start.
    pub jitter_s: f64,
    /// Conversions that were not finished in time: each is a lost pair.
    pub late_conversions: u32,
    /// Times that the interrupt came a whole sample late or more.
    pub missed_ticks: u32,
}

/// What the flash cost the samples: an erase stops everything that is not in RAM.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct FlashUse {
    /// Sectors erased since the start.
    pub erases: u32,
    /// The longest of them.
    pub longest_erase_s: f64,
    /// Pairs lost while erasing, of all pairs lost.
    pub lost_pairs: u32,
}

/// What the machine knows of itself; `None` where there is nothing to know (a PC).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Vitals {
    /// The heap.
    pub memory: Option<Memory>,
    /// The converter.
    pub sampling: Option<Sampling>,
    /// The flash.
    pub flash: Option<FlashUse>,
    /// How warm the chip is, in degrees Celsius.
    pub chip_temperature_c: Option<f64>,
}

/// A planned restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restart {
    /// The relay's pin stays as it is until the new run takes it over, for at most
    /// [`limits::RELAY_HOLD`], where the machine can; where
    /// it cannot, the relay opens. Nobody protects the load meanwhile.
    pub hold_relay: bool,
}

/// The machine that the plug runs on.
pub trait Machine {
    /// How it is now.
    fn vitals(&self) -> Vitals;
    /// Starts anew [`limits::RESTART_DELAY`] later, so that the answer to whoever asked is out by then. Returns at once;
    /// the caller has stored what is to be kept. Of several requests the first counts.
    fn request_restart(&self, restart: Restart);
}

/// The button.
pub trait Button {
    /// Whether it is pressed now. It may bounce.
    fn is_pressed(&mut self) -> bool;
    /// Returns soon after it changed against what [`Button::is_pressed`] last said; at once if it has already. May
    /// return without a change. Dropping the future loses no change.
    async fn changed(&mut self);
}

/// A button that may be missing.
impl<B: Button> Button for Option<B> {
    fn is_pressed(&mut self) -> bool {
        self.as_mut().is_some_and(Button::is_pressed)
    }

    async fn changed(&mut self) {
        match self {
            Some(button) => button.changed().await,
            None => core::future::pending().await,
        }
    }
}

/// A light that may be missing.
impl<L: Led> Led for Option<L> {
    fn set(&mut self, lit: bool) {
        if let Some(led) = self {
            led.set(lit);
        }
    }
}

/// A plug without a button.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoButton;

impl Button for NoButton {
    fn is_pressed(&mut self) -> bool {
        false
    }

    async fn changed(&mut self) {
        core::future::pending().await
    }
}

/// The light.
pub trait Led {
    /// Lit or dark.
    fn set(&mut self, lit: bool);
}

/// A plug without a light.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoLed;

impl Led for NoLed {
    fn set(&mut self, _lit: bool) {}
}

/// A network's name as most are: UTF-8 of at most 32 bytes.
pub type Ssid = String<32>;

/// A network that is known, with its password. Its `Debug` keeps the password to itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Its name.
    pub ssid: Ssid,
    /// WPA2 password of 8 to 63 characters; `None` for an open network.
    pub password: Option<String<64>>,
}

impl core::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let password = self.password.as_ref().map(|_| "set");
        formatter.debug_struct("Credentials").field("ssid", &self.ssid).field("password", &password).finish()
    }
}

/// An address that is set instead of asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaticAddress {
    /// The plug's.
    pub ip: Ipv4Addr,
    /// Bits of the network part.
    pub prefix: u8,
    /// The way out, if there is one.
    pub gateway: Option<Ipv4Addr>,
    /// Who knows names, if anybody does.
    pub dns: Option<Ipv4Addr>,
}

/// A network that is known, and how it is joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Name and password.
    pub credentials: Credentials,
    /// It does not say its name: it is joined without being found.
    pub hidden: bool,
    /// The plug's address there; `None`: the network hands one out.
    pub address: Option<StaticAddress>,
}

impl From<Credentials> for Known {
    fn from(credentials: Credentials) -> Self {
        Self { credentials, hidden: false, address: None }
    }
}

/// How a network is protected, as the radio reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Security {
    /// Not at all, or in a way that this radio does not know: some report WPA3 as open.
    Open,
    /// WPA2 with a password, alone or beside WPA or WPA3.
    Wpa2,
    /// WPA3 only.
    Wpa3,
    /// WEP or the first WPA only: broken.
    Outdated,
    /// With a user name (802.1X), or something else.
    Enterprise,
}

/// A network that a scan found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Network {
    /// Its name; empty if it hides it.
    pub ssid: Ssid,
    /// How strongly it is received.
    pub signal_dbm: i8,
    /// How it is protected.
    pub security: Security,
    /// Where it is.
    pub channel: u8,
}

/// Why a network was not joined, or was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkError {
    /// Nobody by this name is in range.
    NotFound,
    /// The password is wrong, as far as the radio can tell.
    WrongPassword,
    /// It offers only WPA3, which the radio library does not know yet.
    OnlyWpa3,
    /// It scans as open although a password is set: it may be a trap, or offer only WPA3.
    ScansAsOpen,
    /// It is protected, and no password is set.
    PasswordMissing,
    /// It is protected in a way that is broken or not supported.
    Unsupported,
    /// Joined, but no address was handed out in time.
    NoAddress,
    /// It did not answer, or threw the plug out.
    Lost,
    /// The radio itself failed.
    Radio,
}

/// An address on a network that was joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// Ours.
    pub ip: Ipv4Addr,
    /// Bits of the network part.
    pub prefix: u8,
    /// The way out, if there is one.
    pub gateway: Option<Ipv4Addr>,
    /// Who tells the time on that network, if it says so (DHCP option 42).
    pub time_server: Option<Ipv4Addr>,
}

/// The radio. One task owns it (see [`crate::net`]); each call takes as long as it takes, and the caller bounds it.
/// Dropping a future leaves the radio in a state in which the next call works.
pub trait Wifi {
    /// Looks for networks: at most [`limits::NETWORKS`], the strongest first where there are more. One that hides its
    /// name is found too, without it. On the heap: a kilobyte that is handed on by value stands on the stack once for
    /// each hand.
    ///
    /// # Errors
    /// If the radio does not let it.
    async fn scan(&mut self) -> Result<Vec<Network>, LinkError>;
    /// Joins a network and waits for an address of it, unless one is set; `host` is the name by which the plug asks for
    /// it. The access point, if it is open, stays open. A hidden network is called by its name: it answers, or it is
    /// [`LinkError::NotFound`].
    ///
    /// # Errors
    /// The step that failed.
    async fn join(&mut self, network: &Known, host: &str) -> Result<Address, LinkError>;
    /// Leaves the network. Nothing happens where none was joined.
    async fn leave(&mut self);
    /// Returns when the joined network is lost, with the reason; at once where none is joined.
    async fn lost(&mut self) -> LinkError;
    /// How strongly the joined network is received, where the radio can tell.
    fn signal_dbm(&self) -> Option<i8>;
    /// Opens an access point with this name and password (WPA2), at [`limits::ACCESS_POINT_ADDRESS`].
    ///
    /// # Errors
    /// If the radio does not let it.
    async fn open_access_point(&mut self, network: &Credentials) -> Result<(), LinkError>;
    /// Closes it; whoever used it is thrown out.
    ///
    /// # Errors
    /// If the radio does not let it: it is still open then.
    async fn close_access_point(&mut self) -> Result<(), LinkError>;
    /// How many phones and computers are on the access point.
    fn associated(&self) -> u8;
}

/// What is known of the image that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageState {
    /// It proved itself.
    Confirmed,
    /// It is new and has not proved itself yet (see [`crate::update::probation`]).
    OnProbation,
    /// Nobody keeps a record: the image came by cable.
    Unrecorded,
}

/// The two places for the application, and the two sectors in which the boot loader looks up which one to start
/// (`otadata`). All of it raw: what is written into those sectors, and when, is decided in [`crate::update`], the same
/// for every shell. Dropping a future is a power cut.
pub trait UpdateSlots {
    /// What can go wrong.
    type Error: core::fmt::Debug;
    /// Number of the slot that runs.
    fn running(&self) -> u8;
    /// Bytes that a slot holds.
    fn capacity(&self) -> u32;
    /// Erases sectors of the other slot; `from` and `to` are whole ones.
    ///
    /// # Errors
    /// If they lie outside, or the flash fails.
    async fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error>;
    /// Writes words into what was erased in the other slot.
    ///
    /// # Errors
    /// If they lie outside or across a word, or the flash fails.
    async fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error>;
    /// Reads words from the other slot.
    ///
    /// # Errors
    /// If they lie outside, or the flash fails.
    async fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error>;
    /// Reads words from the slot that runs.
    ///
    /// # Errors
    /// If they lie outside, or the flash fails.
    async fn read_running(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error>;
    /// Reads words from one of the record's sectors (0 or 1).
    ///
    /// # Errors
    /// If they lie outside, or the flash fails.
    async fn read_record(&mut self, sector: u8, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error>;
    /// Erases one of the record's sectors. From here on the next start may be another image's.
    ///
    /// # Errors
    /// If there is no such sector, or the flash fails.
    async fn erase_record(&mut self, sector: u8) -> Result<(), Self::Error>;
    /// Writes whole words into one of the record's sectors, the first word first.
    ///
    /// # Errors
    /// If they lie outside or across a word, or the flash fails.
    async fn write_record(&mut self, sector: u8, offset: u32, bytes: &[u8]) -> Result<(), Self::Error>;
}
