//! The simulated radio: the air of a scenario, in the plug's time.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use plug::limits;
use plug::platform::{Address, Clock, Credentials, Instant, Known, LinkError, Network, Wifi};

use super::AccessPoint;
use crate::sim::Scenario;
use crate::sim::radio::{self, Link, Radio};
use crate::sim::scenario::schema;

/// Where the access point is until a network is joined: it has to follow that one's channel then.
const FIRST_CHANNEL: u32 = 1;
/// How long phones are gone after the access point went elsewhere.
const PHONES_RETURN: Duration = Duration::from_secs(8);
/// How long it takes to open or close an access point.
const ACCESS_POINT: Duration = Duration::from_millis(300);

/// The radio of a virtual plug. Dropping it closes the access point and leaves the network.
pub struct SimWifi<C> {
    air: Radio,
    clock: C,
    /// How old the world was when the clock began.
    began_s: f64,
    access_point: Rc<AccessPoint>,
    link: Option<Link>,
    way_out: WayOut,
    channel: u32,
    phones_from: Instant,
    /// An image that never joins runs.
    fails: bool,
}

/// Whether a network is joined: what the plug's way out depends on. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct WayOut(Rc<Cell<bool>>);

impl WayOut {
    /// Whether there is one.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.0.get()
    }
}

impl<C: Clock> SimWifi<C> {
    /// The radio that a scenario has, in a world that is `began_s` old when `clock` begins. A scenario without one has
    /// nothing to hear where there is an access point to be met at, and else no radio.
    #[must_use]
    pub fn new(
        scenario: &Scenario,
        seed: u64,
        began_s: f64,
        clock: C,
        access_point: Rc<AccessPoint>,
    ) -> Option<Self> {
        let silence = schema::Radio::default();
        let air = scenario.radio().or(access_point.is_real().then_some(&silence))?;
        Some(Self {
            air: Radio::new(air, seed),
            clock,
            began_s,
            access_point,
            link: None,
            way_out: WayOut::default(),
            channel: FIRST_CHANNEL,
            phones_from: Instant::default(),
            fails: false,
        })
    }

    /// Hears all networks and joins none, if that is how the running image `fails`.
    #[must_use]
    pub fn failing(mut self, fails: bool) -> Self {
        self.fails = fails;
        self
    }

    /// What the plug's way out goes by.
    #[must_use]
    pub fn way_out(&self) -> WayOut {
        self.way_out.clone()
    }

    fn time_s(&self) -> f64 {
        self.began_s + self.clock.now().since_start().as_secs_f64()
    }

    async fn takes(&self, time: Duration) {
        self.clock.sleep_until(self.clock.now().after(time)).await;
    }

    fn forget(&mut self) {
        self.link = None;
        self.way_out.0.set(false);
    }
}

impl<C> Drop for SimWifi<C> {
    fn drop(&mut self) {
        self.way_out.0.set(false);
        self.access_point.close();
    }
}

impl<C: Clock> Wifi for SimWifi<C> {
    async fn scan(&mut self) -> Result<Vec<Network>, LinkError> {
        let (time, found) = self.air.scan(self.time_s());
        self.takes(time).await;
        Ok(found.into_iter().take(limits::NETWORKS).collect())
    }

    async fn join(&mut self, network: &Known, _host: &str) -> Result<Address, LinkError> {
        self.forget();
        let Credentials { ssid, password } = &network.credentials;
        let (time, link) = self.air.join(self.time_s(), ssid, password.as_deref());
        self.takes(time).await;
        let link = link?;
        if self.fails {
            return Err(LinkError::Lost);
        }
        if let Some(channel) = self.air.channel(link).filter(|channel| *channel != self.channel) {
            self.channel = channel;
            self.phones_from = self.clock.now().after(PHONES_RETURN);
        }
        let (time, address) = self.air.address(link, network.address.as_ref());
        self.takes(time).await;
        let address = address?;
        self.link = Some(link);
        self.way_out.0.set(true);
        Ok(address)
    }

    async fn leave(&mut self) {
        self.forget();
    }

    async fn lost(&mut self) -> LinkError {
        while let Some(link) = self.link {
            self.takes(radio::LOOK).await;
            if self.air.is_lost(self.time_s(), link) {
                self.forget();
            }
        }
        LinkError::Lost
    }

    fn signal_dbm(&self) -> Option<i8> {
        self.link.and_then(|link| self.air.signal_dbm(self.time_s(), link))
    }

    /// The access point's name and password are nobody's to check: real clients come by a wire.
    async fn open_access_point(&mut self, _own: &Credentials) -> Result<(), LinkError> {
        self.takes(ACCESS_POINT).await;
        self.access_point.open().map_err(|_| LinkError::Radio)
    }

    async fn close_access_point(&mut self) -> Result<(), LinkError> {
        self.takes(ACCESS_POINT).await;
        self.access_point.close();
        Ok(())
    }

    fn associated(&self) -> u8 {
        if !self.access_point.is_open() {
            return 0;
        }
        let back = self.phones_from <= self.clock.now();
        let phones = if back { self.air.phones(self.time_s()) } else { 0 };
        phones.saturating_add(self.access_point.has_visitor().into())
    }
}
