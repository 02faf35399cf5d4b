//! The settings: one typed schema. Every field with its unit, its default and what it does; the ranges stand in
//! `fields.rs`.

use alloc::boxed::Box;
use core::time::Duration;

use heapless::{String, Vec};
use metering::calibration::Calibration;

use super::emoncms::EmoncmsSettings;
use crate::platform::{Credentials, Known, Ssid, StaticAddress};
use crate::update::keys::UpdateSettings;

/// Version of the schema; a migration brings older ones here.
pub const VERSION: u32 = 1;
/// Entries of the weekly schedule.
pub const SCHEDULE_ENTRIES: usize = 16;

/// Networks that are known besides the first.
pub const MORE_NETWORKS: usize = 3;
/// All of them.
pub const NETWORKS: usize = 1 + MORE_NETWORKS;

/// Names under which a plug can be reached besides its own.
pub const HOSTS: usize = 4;
/// One of them.
pub type HostName = String<64>;

/// Calibrations that are kept beside the one in use.
pub const EARLIER_CALIBRATIONS: usize = 4;
/// Furthest from sunrise or sunset that an entry can be, in seconds: six hours.
pub const SUN_OFFSET_S: i32 = 6 * 3600;
/// Longest random part of an entry, in seconds.
pub const RANDOM_S: u16 = 3600;

/// Everything that a person can set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// What the plug is called, and its button and light.
    pub device: DeviceSettings,
    /// The network to join.
    pub wifi: WifiSettings,
    /// Who may look, and under which names.
    pub access: AccessSettings,
    /// How the relay behaves.
    pub relay: RelaySettings,
    /// When it switches by itself.
    pub schedule: ScheduleSettings,
    /// When it opens whatever anybody wishes.
    pub protection: ProtectionSettings,
    /// How counts become volts and amperes.
    pub calibration: CalibrationSettings,
    /// Local time and place.
    pub time: TimeSettings,
    /// The log of what was measured.
    pub history: HistorySettings,
    /// Where readings go.
    pub emoncms: EmoncmsSettings,
    /// Which firmware is taken in.
    pub update: UpdateSettings,
}

/// `device`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceSettings {
    /// `name`: what people call this plug; empty: `ossp-` and the end of its identity.
    pub name: String<32>,
    /// `button_locked`: a short press does nothing (long ones still do).
    pub button_locked: bool,
    /// `led_off`: the light stays dark but for alarms and `identify`.
    pub led_off: bool,
    /// `host`: its name in the network, one label of at most 32 characters; empty: `ossp-` and the end of its identity.
    pub host: Box<str>,
    /// `mdns`: whether it says that name where it is asked for.
    pub mdns: bool,
}

impl Default for DeviceSettings {
    fn default() -> Self {
        Self { name: String::new(), button_locked: false, led_off: false, host: Box::default(), mdns: true }
    }
}

/// When the plug opens its access point by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessPointWhen {
    /// `fallback`: where no network is known or the known one is not joined, and at the button.
    #[default]
    Fallback,
    /// `button`: only at the button.
    Button,
}

/// `wifi`.
#[derive(Clone, PartialEq, Eq)]
pub struct WifiSettings {
    /// `ssid`: the network to join; empty: none.
    pub ssid: Ssid,
    /// `password`: a secret; `None` for an open network.
    pub password: Option<String<64>>,
    /// `hidden`: that network does not say its name.
    pub hidden: bool,
    /// `address`: the plug's there; `None`: the network hands one out.
    pub address: Option<StaticAddress>,
    /// `more`: further networks, the most wanted first, at most [`MORE_NETWORKS`]. On the heap, where most plugs have none.
    pub more: alloc::vec::Vec<Known>,
    /// `access_point`: `fallback` or `button`.
    pub access_point: AccessPointWhen,
    /// `access_point_ssid`: the access point's own name; empty: `OSSP-` and the end of the plug's identity.
    pub access_point_ssid: Ssid,
    /// `access_point_password`: a secret; `None`: a plug with an owner opens no access point.
    pub access_point_password: Option<String<64>>,
    /// `access_point_after_loss_s`: how long a lost network is only retried before a fallback opens.
    pub access_point_after_loss_s: u16,
    /// `access_point_linger_s`: how long it stays open after joining.
    pub access_point_linger_s: u16,
}

impl Default for WifiSettings {
    fn default() -> Self {
        Self {
            ssid: Ssid::new(),
            password: None,
            hidden: false,
            address: None,
            more: alloc::vec::Vec::new(),
            access_point: AccessPointWhen::Fallback,
            access_point_ssid: Ssid::new(),
            access_point_password: None,
            access_point_after_loss_s: 300,
            access_point_linger_s: 60,
        }
    }
}

impl WifiSettings {
    /// The first network, if there is one.
    fn first(&self) -> Option<Known> {
        let credentials = || Credentials { ssid: self.ssid.clone(), password: self.password.clone() };
        let (hidden, address) = (self.hidden, self.address);
        (!self.ssid.is_empty()).then(|| Known { credentials: credentials(), hidden, address })
    }

    /// The networks, the most wanted first.
    #[must_use]
    pub fn networks(&self) -> alloc::vec::Vec<Known> {
        self.first().into_iter().chain(self.more.iter().cloned()).collect()
    }

    /// Puts a network first; it takes the place of one by the same name, the others move down, and what has no place any
    /// more is forgotten.
    pub fn put_first(&mut self, network: &Known) {
        let mut networks = self.networks();
        networks.retain(|known| known.credentials.ssid != network.credentials.ssid);
        networks.truncate(MORE_NETWORKS);
        self.more = networks;
        let Known { credentials, hidden, address } = network.clone();
        (self.ssid, self.password) = (credentials.ssid, credentials.password);
        (self.hidden, self.address) = (hidden, address);
    }

    /// The password that is set for a network of this name; `None`: no such network is known.
    #[must_use]
    pub(super) fn password_of(&self, ssid: &str) -> Option<Option<&String<64>>> {
        if !ssid.is_empty() && self.ssid == ssid {
            return Some(self.password.as_ref());
        }
        let known = self.more.iter().find(|known| known.credentials.ssid == ssid)?;
        Some(known.credentials.password.as_ref())
    }

    /// Whether a network stands there twice.
    pub(super) fn has_a_name_twice(&self) -> bool {
        let name = |known: &Known| known.credentials.ssid.clone();
        self.more.iter().enumerate().any(|(index, known)| {
            self.ssid == name(known) || self.more.iter().take(index).any(|other| name(other) == name(known))
        })
    }
}

/// The passwords keep to themselves.
impl core::fmt::Debug for WifiSettings {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let told = |password: &Option<String<64>>| password.as_ref().map(|_| "set");
        formatter
            .debug_struct("WifiSettings")
            .field("ssid", &self.ssid)
            .field("password", &told(&self.password))
            .field("hidden", &self.hidden)
            .field("address", &self.address)
            .field("more", &self.more)
            .field("access_point", &self.access_point)
            .field("access_point_ssid", &self.access_point_ssid)
            .field("access_point_password", &told(&self.access_point_password))
            .field("access_point_after_loss_s", &self.access_point_after_loss_s)
            .field("access_point_linger_s", &self.access_point_linger_s)
            .finish()
    }
}

/// Who may read measurements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reading {
    /// `closed`: whoever signed in or has a token.
    #[default]
    Closed,
    /// `open`: everybody.
    Open,
}

/// `access`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessSettings {
    /// `reading`: `closed` or `open`.
    pub reading: Reading,
    /// `hosts`: names besides its own under which the plug answers, lower case, at most [`HOSTS`]. On the heap, where
    /// most plugs have none.
    pub hosts: alloc::vec::Vec<HostName>,
}

/// The relay's state after a start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PowerOn {
    /// `off`.
    Off,
    /// `on`.
    On,
    /// `last`: as before the start; on if nobody ever switched it. A lock-out stays one in any case.
    #[default]
    Last,
}

/// When a manual claim ends by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ManualUntil {
    /// `schedule`: at the next edge of the schedule.
    #[default]
    Schedule,
    /// `released`: not before somebody releases it.
    Released,
}

/// `relay`.
#[derive(Clone, Debug, PartialEq)]
pub struct RelaySettings {
    /// `power_on`: `off`, `on` or `last`.
    pub power_on: PowerOn,
    /// `start_delay_s`: how long after the start the power-on state comes.
    pub start_delay: Duration,
    /// `start_delay_random_s`: up to so much more, by chance: a street after a power cut.
    pub start_delay_random: Duration,
    /// `minimum_on_s`: once on, it is not switched *on again* sooner than this after it went on (a trip, or an off by
    /// the owner, comes at once in any case).
    pub minimum_on: Duration,
    /// `minimum_off_s`: once off, it stays off for so long (compressors).
    pub minimum_off: Duration,
    /// `switchings_a_minute`: more than this are delayed; 0: no limit.
    pub switchings_a_minute: u8,
    /// `manual_until`: `schedule` or `released`.
    pub manual_until: ManualUntil,
    /// `inching_s`: each on by hand lasts so long; `None` (null): for good.
    pub inching: Option<Duration>,
    /// `idle_off_below_w`: a load under this power is idle; `None`: nothing is switched off when idle.
    pub idle_off_below_w: Option<f64>,
    /// `idle_off_after_s`: how long it must be idle.
    pub idle_off_after: Duration,
    /// `hold_on_restart`: the pin is held over a planned restart, where the chip can. The load is unprotected
    /// meanwhile, for at most 5 s.
    pub hold_on_restart: bool,
}

impl Default for RelaySettings {
    fn default() -> Self {
        Self {
            power_on: PowerOn::Last,
            start_delay: Duration::ZERO,
            start_delay_random: Duration::ZERO,
            minimum_on: Duration::ZERO,
            minimum_off: Duration::ZERO,
            switchings_a_minute: 30,
            manual_until: ManualUntil::Schedule,
            inching: None,
            idle_off_below_w: None,
            idle_off_after: Duration::from_secs(600),
            hold_on_restart: false,
        }
    }
}

/// `schedule`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScheduleSettings {
    /// `enabled`.
    pub enabled: bool,
    /// `entries`.
    pub entries: Vec<ScheduleEntry, SCHEDULE_ENTRIES>,
}

/// One edge a week or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScheduleEntry {
    /// `enabled`; true if left out.
    pub enabled: bool,
    /// `days`: bit 0 is Monday (ISO 8601), bit 6 Sunday. In JSON a list of `mon` ... `sun`; all days if left out.
    pub days: u8,
    /// `at`: `HH:MM`, `HH:MM:SS`, `sunrise`, `sunset`, `sunrise+HH:MM`, `sunset-HH:MM`.
    pub at: At,
    /// `on`: what it becomes.
    pub on: bool,
    /// `random_s`: up to so many seconds later, by chance, drawn anew each day; 0 to 3600.
    pub random_s: u16,
}

/// A time of the local day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// Seconds after local midnight as the wall clock shows it, 0 to 86 399.
    Clock(u32),
    /// So many seconds after sunrise (before it if negative), at most 6 h.
    Sunrise(i32),
    /// So many seconds after sunset.
    Sunset(i32),
}

/// `protection`. A field that is `None` (null) is a protection that is off.
#[derive(Clone, Debug, PartialEq)]
pub struct ProtectionSettings {
    /// `current_limit_a`: the instant limit, on the RMS of a sliding half cycle. `None`: what the board can carry.
    pub current_limit_a: Option<f64>,
    /// `rated_current_a`: what may flow for ever; more trips after a time that falls with the square of the current
    /// (inverse time). `None`: what the board can carry.
    pub rated_current_a: Option<f64>,
    /// `inverse_time`: whether that is watched.
    pub inverse_time: bool,
    /// `power_limit_w`: over-power, in active power.
    pub power_limit_w: Option<f64>,
    /// `power_hold_s`: how long it must last.
    pub power_hold: Duration,
    /// `voltage_max_v`: over-voltage.
    pub voltage_max_v: Option<f64>,
    /// `voltage_min_v`: under-voltage.
    pub voltage_min_v: Option<f64>,
    /// `voltage_hysteresis_v`: how far back inside it must be to count as good again.
    pub voltage_hysteresis_v: f64,
    /// `voltage_hold_s`: how long it must be outside.
    pub voltage_hold: Duration,
    /// `energy_budget_wh`: imported in a local day (in 24 h since the start without a trusted clock).
    pub energy_budget_wh: Option<f64>,
    /// `chip_temperature_max_c`: of the chip, where it can tell.
    pub chip_temperature_max_c: Option<f64>,
    /// `sensor_fault`: no samples or a stuck converter open the relay.
    pub sensor_fault: bool,
    /// `clipped`: a current sample at the converter's rail counts as over the limit. Off: it counts as what it shows.
    pub clipped: bool,
    /// `retries`: how often it closes again by itself after a trip.
    pub retries: u8,
    /// `retry_pause_s`: how long after the trip.
    pub retry_pause: Duration,
    /// `retry_back_off`: each pause is so many times the one before.
    pub retry_back_off: f64,
}

impl Default for ProtectionSettings {
    fn default() -> Self {
        Self {
            current_limit_a: None,
            rated_current_a: None,
            inverse_time: true,
            power_limit_w: None,
            power_hold: Duration::from_secs(10),
            voltage_max_v: None,
            voltage_min_v: None,
            voltage_hysteresis_v: 5.0,
            voltage_hold: Duration::from_secs(1),
            energy_budget_wh: None,
            chip_temperature_max_c: Some(90.0),
            sensor_fault: true,
            clipped: true,
            retries: 0,
            retry_pause: Duration::from_secs(60),
            retry_back_off: 2.0,
        }
    }
}

/// `calibration`. In JSON the fields of [`Calibration`] as `GET /api/v1/calibration` shows them, without `version`
/// (which the plug raises) and with `reset: true` to go back to the board's own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CalibrationSettings {
    /// What is in use; `None`: the board's own, never calibrated.
    pub in_use: Option<Calibration>,
    /// Those before it, newest last: at most [`EARLIER_CALIBRATIONS`]. On the heap, where most plugs have none.
    pub earlier: alloc::vec::Vec<Calibration>,
}

/// Where the time comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeSource {
    /// `none`.
    #[default]
    None,
    /// `dhcp`: from a server that the network names.
    Dhcp,
    /// `ntp`: from a server on the Internet.
    Ntp,
    /// `browser`: from the clock of whoever opens the page.
    Browser,
    /// `server`: from the server that takes the readings.
    Server,
}

impl TimeSource {
    /// The words, in the order of the values.
    pub(super) const WORDS: [&str; 5] = ["none", "dhcp", "ntp", "browser", "server"];

    /// As JSON has it.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::WORDS.get(self as usize).copied().unwrap_or("")
    }
}

/// `time`.
#[derive(Clone, Debug, PartialEq)]
pub struct TimeSettings {
    /// `source`: `none`, `dhcp`, `ntp`, `browser` or `server`.
    pub source: TimeSource,
    /// `zone`: the zone's IANA name, for people ("Europe/Berlin").
    pub zone: String<40>,
    /// `posix`: its rules as a POSIX `TZ` string ("CET-1CEST,M3.5.0,M10.5.0/3"), for the plug.
    pub posix: String<64>,
    /// `latitude_deg`: north is positive; `None`: no sunrise.
    pub latitude_deg: Option<f64>,
    /// `longitude_deg`: east is positive.
    pub longitude_deg: Option<f64>,
    /// `ntp_servers`: up to three names or addresses, with spaces between them: who is asked where `source` is `ntp`.
    pub ntp_servers: Box<str>,
}

impl Default for TimeSettings {
    fn default() -> Self {
        Self {
            source: TimeSource::None,
            zone: String::try_from("Etc/UTC").unwrap_or_default(),
            posix: String::try_from("UTC0").unwrap_or_default(),
            latitude_deg: None,
            longitude_deg: None,
            ntp_servers: Box::from("pool.ntp.org"),
        }
    }
}

/// `history`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistorySettings {
    /// `interval_s`: how long a row of the log is; 1 to 3600.
    pub interval_s: u16,
}

impl Default for HistorySettings {
    fn default() -> Self {
        Self { interval_s: 10 }
    }
}

/// What the settings are checked against: the plug's hardware.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hardware {
    /// What the board can carry for ever, in amperes.
    pub maximum_current_a: f64,
    /// Whether it has a button.
    pub has_button: bool,
    /// Whether somebody can press it, so that a claim of the plug waits for that.
    pub confirms_setup: bool,
    /// Whether it has a light.
    pub has_led: bool,
    /// Whether the relay's pin can be held over a restart.
    pub can_hold: bool,
}

impl Hardware {
    /// Any board there may be: for settings of a plug that is not at hand.
    pub const ANY: Self = Self {
        maximum_current_a: 16.0,
        has_button: true,
        confirms_setup: true,
        has_led: true,
        can_hold: true,
    };
    /// A board with a relay and nothing beside it.
    pub const BARE: Self =
        Self { has_button: false, confirms_setup: false, has_led: false, can_hold: false, ..Self::ANY };
}

/// What settings are read against; constant while a plug runs.
#[derive(Clone, Debug)]
pub struct Basis {
    /// What it can do and carry.
    pub hardware: Hardware,
    /// The calibration of its board, version 0: what holds where nobody ever calibrated it.
    pub board: Calibration,
    /// Whether a text is a POSIX `TZ` string that the plug's clock understands.
    pub zone: fn(&str) -> bool,
}
