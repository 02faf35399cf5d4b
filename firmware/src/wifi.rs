//! The platform's radio: `esp-radio` as `plug::net` wants it. Power save is off: it would delay every answer by up to
//! a beacon, and the converter shares the supply.

use alloc::vec::Vec;
use core::ffi::c_int;

use embassy_net::{ConfigV4, DhcpConfig, Ipv4Cidr, Stack, StaticConfigV4};
use embassy_time::{Duration, with_timeout};
use esp_hal::peripherals::WIFI;
use esp_radio::wifi::ap::{AccessPointConfig, AccessPointInfo};
use esp_radio::wifi::scan::ScanConfig;
use esp_radio::wifi::sta::StationConfig;
use esp_radio::wifi::{
    AuthenticationMethod, AuthenticationMethodConfig, Config, ConnectionError, ControllerConfig,
    DisconnectReason, PowerSaveMode, WifiController, WifiError,
};
#[cfg(feature = "esp32")]
use esp_wifi_sys_esp32::include as driver;
#[cfg(feature = "esp32c3")]
use esp_wifi_sys_esp32c3::include as driver;
#[cfg(feature = "esp32c6")]
use esp_wifi_sys_esp32c6::include as driver;
#[cfg(feature = "esp32s3")]
use esp_wifi_sys_esp32s3::include as driver;
use ossp_embassy::{Listener, NamedTimeServer};
use plug::limits;
use plug::platform::{Address, Credentials, Known, LinkError, Network, Security, Ssid, Wifi};

use crate::network::{ACCESS_POINT, Networks};

/// Frames that wait for the network stacks, and buffers of the driver: half of the library's defaults, since a plug
/// sends a page of 50 KB now and then and a reading five times a second.
const RECEIVE_QUEUE: usize = 4;
const STATIC_RECEIVE_BUFFERS: u8 = 4;
const DYNAMIC_RECEIVE_BUFFERS: u16 = 10;
const DYNAMIC_TRANSMIT_BUFFERS: u16 = 8;
/// Frames that the other side may send before it waits: at most the static buffers.
const BLOCK_ACKNOWLEDGE_WINDOW: u8 = 4;
/// Stations that may use the access point: a phone, a laptop, two more.
const STATIONS: u16 = 4;
/// A country whose rules hold nearly everywhere: channels 1 to 11, and more where other access points announce them.
const COUNTRY: [u8; 2] = *b"01";

/// The radio. A network that offers less than what is asked of it (an open one beside a password) is refused by the
/// driver itself, whatever the scan said before: `StationConfig` sets its least protection.
pub struct EspWifi {
    controller: WifiController<'static>,
    station: Stack<'static>,
    listener: &'static Listener<2>,
    time_server: &'static NamedTimeServer,
    known: Option<StationConfig>,
    /// The address is set, not handed out.
    is_set: bool,
    own: Option<AccessPointConfig>,
}

/// Starts the radio as a station without a network.
///
/// # Errors
/// If the driver does not start: out of memory, as a rule.
#[inline(never)]
pub fn start(device: WIFI<'static>) -> Result<WifiController<'static>, WifiError> {
    let config = ControllerConfig::default()
        .with_country_info(COUNTRY)
        .with_rx_queue_size(RECEIVE_QUEUE)
        .with_static_rx_buf_num(STATIC_RECEIVE_BUFFERS)
        .with_dynamic_rx_buf_num(DYNAMIC_RECEIVE_BUFFERS)
        .with_dynamic_tx_buf_num(DYNAMIC_TRANSMIT_BUFFERS)
        .with_rx_ba_win(BLOCK_ACKNOWLEDGE_WINDOW);
    let mut controller = WifiController::new(device, config)?;
    controller.set_power_saving(PowerSaveMode::None)?;
    Ok(controller)
}

impl EspWifi {
    /// The radio, the networks whose station gets an address when a network is joined, and who listens on the access point.
    pub fn new(
        controller: WifiController<'static>,
        networks: Networks,
        listener: &'static Listener<2>,
    ) -> Self {
        let Networks { station, time_server, .. } = networks;
        Self { controller, station, listener, time_server, known: None, is_set: false, own: None }
    }

    /// Tells the driver what there is to be: station, access point, or both.
    ///
    /// Not inlined: the driver's settings are large, and copied.
    #[inline(never)]
    fn configure(&mut self) -> Result<(), LinkError> {
        let station = self.known.clone().unwrap_or_default();
        let config = match self.own.clone() {
            Some(own) => Config::AccessPointStation(station, own),
            None => Config::Station(station),
        };
        self.controller.set_config(&config).map_err(|_| LinkError::Radio)?;
        // A change of mode starts the driver anew, with its own idea of saving power.
        self.controller.set_power_saving(PowerSaveMode::None).map_err(|_| LinkError::Radio)
    }

    /// With or without an access point the driver starts anew, and has to be told to join again what was joined. Where
    /// that fails, `lost` tells it.
    async fn join_again(&mut self, joined: bool) {
        if joined {
            let _ = self.connect().await;
        }
    }

    async fn connect(&mut self) -> Result<Address, LinkError> {
        self.controller.connect_async().await.map_err(|error| match error {
            ConnectionError::Failed(info) => reason(info.reason),
            _ => LinkError::Radio,
        })?;
        let limit = Duration::from_millis(limits::ADDRESS_TIMEOUT.as_millis() as u64);
        with_timeout(limit, self.station.wait_config_up()).await.map_err(|_| LinkError::NoAddress)?;
        let config = self.station.config_v4().ok_or(LinkError::NoAddress)?;
        let (ip, prefix) = (config.address.address(), config.address.prefix_len());
        // What an earlier network named is not this one's.
        let time_server = if self.is_set { None } else { self.time_server.get() };
        Ok(Address { ip, prefix, gateway: config.gateway, time_server })
    }

    /// Where the station's address is to come from.
    #[inline(never)]
    fn address(&mut self, network: &Known, host: &str) {
        self.is_set = network.address.is_some();
        self.station.set_config_v4(match &network.address {
            Some(set) => ConfigV4::Static(StaticConfigV4 {
                address: Ipv4Cidr::new(set.ip, set.prefix),
                gateway: set.gateway,
                dns_servers: set.dns.into_iter().collect(),
            }),
            None => {
                let mut config = DhcpConfig::default();
                config.hostname = host.try_into().ok();
                ConfigV4::Dhcp(config)
            }
        });
    }
}

impl Wifi for EspWifi {
    async fn scan(&mut self) -> Result<Vec<Network>, LinkError> {
        let config = ScanConfig::default().with_max(limits::NETWORKS).with_show_hidden(true);
        let found = self.controller.scan_async(&config).await.map_err(|_| LinkError::Radio)?;
        let mut networks: Vec<Network> = found.iter().map(network).collect();
        networks.sort_unstable_by_key(|network| core::cmp::Reverse(network.signal_dbm));
        Ok(networks)
    }

    async fn join(&mut self, network: &Known, host: &str) -> Result<Address, LinkError> {
        self.leave().await;
        // The driver calls a network by its name: one that hides it answers.
        self.known = Some(station(&network.credentials)?);
        self.address(network, host);
        self.configure()?;
        match self.connect().await {
            // Nobody refuses a password where there is none: there was no answer.
            Err(LinkError::WrongPassword) if network.credentials.password.is_none() => Err(LinkError::Lost),
            joined => joined,
        }
    }

    async fn leave(&mut self) {
        // An error says that nothing was joined.
        let _ = self.controller.disconnect_async().await;
        self.known = None;
    }

    async fn lost(&mut self) -> LinkError {
        self.controller.wait_for_disconnect_async().await.map_or(LinkError::Lost, |info| reason(info.reason))
    }

    fn signal_dbm(&self) -> Option<i8> {
        if !self.controller.is_connected() {
            return None;
        }
        self.controller.rssi().ok().and_then(|signal| i8::try_from(signal).ok())
    }

    async fn open_access_point(&mut self, network: &Credentials) -> Result<(), LinkError> {
        let own = AccessPointConfig::default()
            .with_ssid(network.ssid.as_str().try_into().map_err(|_| LinkError::Radio)?)
            .with_max_connections(STATIONS)
            .with_authentication(authentication(network)?);
        self.own = Some(own);
        let joined = self.controller.is_connected();
        let opened = self.configure();
        if opened.is_err() {
            self.own = None;
        }
        self.listener.set_active(ACCESS_POINT, opened.is_ok());
        self.join_again(joined).await;
        opened
    }

    async fn close_access_point(&mut self) -> Result<(), LinkError> {
        let joined = self.controller.is_connected();
        self.listener.set_active(ACCESS_POINT, false);
        self.own = None;
        self.configure()?;
        self.join_again(joined).await;
        Ok(())
    }

    fn associated(&self) -> u8 {
        if self.own.is_some() { guests() } else { 0 }
    }
}

/// Stations in the list that the driver fills.
const LISTED: usize = 15;

/// The list as the driver's library has it: for fifteen on every chip. The bindings (0.3.0) have ten on the C3 and the C6, and
/// the driver clears all of its own: 60 bytes too many, whatever stands there on the stack.
#[repr(C)]
struct Guests {
    stations: [driver::wifi_sta_info_t; LISTED],
    number: c_int,
}

// What the library of each chip clears: `wifi_get_sta_list_process` in libnet80211.a.
const _: () = assert!(size_of::<Guests>() == 184 && size_of::<driver::wifi_sta_list_t>() <= 184);

/// How many stations the driver serves: `esp-radio` does not say.
#[inline(never)]
fn guests() -> u8 {
    // SAFETY: numbers and bytes, of which all zeros are some.
    let mut list: Guests = unsafe { core::mem::zeroed() };
    // SAFETY: it fills the list that it is given, which has the size of its own, and keeps no pointer to it. It may be called
    // while the driver runs, and says so if it does not.
    let error = unsafe { driver::esp_wifi_ap_get_sta_list((&raw mut list).cast()) };
    if error == 0 { u8::try_from(list.number).unwrap_or(0) } else { 0 }
}

fn station(network: &Credentials) -> Result<StationConfig, LinkError> {
    Ok(StationConfig::default()
        .with_ssid(network.ssid.as_str().try_into().map_err(|_| LinkError::Radio)?)
        .with_authentication(authentication(network)?))
}

fn authentication(network: &Credentials) -> Result<AuthenticationMethodConfig, LinkError> {
    let Some(password) = &network.password else { return Ok(AuthenticationMethodConfig::Open) };
    let password = password.as_str().try_into().map_err(|_| LinkError::Radio)?;
    Ok(AuthenticationMethodConfig::Wpa2Personal(password))
}

fn network(info: &AccessPointInfo) -> Network {
    use AuthenticationMethod as Method;
    let security = match info.auth_method {
        Some(Method::None | Method::Owe) => Security::Open,
        Some(Method::Wpa2Personal | Method::WpaWpa2Personal | Method::Wpa2Wpa3Personal) => Security::Wpa2,
        Some(Method::Wpa3Personal | Method::Wpa3ExtPsk | Method::Wpa3ExtPskMixed) => Security::Wpa3,
        Some(Method::Wep | Method::Wpa) => Security::Outdated,
        _ => Security::Enterprise,
    };
    Network {
        // The library cuts names at what is not UTF-8; 32 bytes always fit.
        ssid: Ssid::try_from(info.ssid.as_str()).unwrap_or_default(),
        signal_dbm: info.signal_strength,
        security,
        channel: info.channel,
    }
}

/// What the driver's reasons mean for a person.
fn reason(reason: DisconnectReason) -> LinkError {
    use DisconnectReason as Reason;
    match reason {
        Reason::NoAccessPointFound | Reason::NoAccessPointFoundInRssiThreshold => LinkError::NotFound,
        Reason::NoAccessPointFoundWithCompatibleSecurity | Reason::NoAccessPointFoundInAuthmodeThreshold => {
            LinkError::Unsupported
        }
        // A wrong password shows as a handshake that does not come to an end.
        Reason::FourWayHandshakeTimeout
        | Reason::HandshakeTimeout
        | Reason::AuthenticationFailed
        | Reason::AuthenticationExpired
        | Reason::MicFailure => LinkError::WrongPassword,
        _ => LinkError::Lost,
    }
}
