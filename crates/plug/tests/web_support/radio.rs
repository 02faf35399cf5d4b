//! A radio in a house: networks with their passwords, one that gives no address, one that hides. Everything takes a moment.

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::time::Duration;

use plug::platform::{Address, Credentials, Known, LinkError, Network, Security, Wifi};

/// What the test sees and steers of the radio.
#[derive(Default)]
pub(crate) struct House {
    /// What it was told to do.
    pub(crate) calls: RefCell<Vec<String>>,
    pub(crate) phones: Cell<u8>,
    /// Nothing answers.
    pub(crate) dead: Cell<bool>,
}

/// Name, password, protection, last number of the address; none is handed out where that is 0.
const NETWORKS: [(&str, Option<&str>, Security, u8); 6] = [
    ("home", Some("correct horse"), Security::Wpa2, 7),
    ("garden", Some("battery staple"), Security::Wpa2, 8),
    ("guests", None, Security::Open, 9),
    ("fort", Some("correct horse"), Security::Wpa3, 10),
    ("silent", Some("correct horse"), Security::Wpa2, 0),
    ("cellar", Some("under the house"), Security::Wpa2, 11),
];
const HIDDEN: &str = "cellar";

pub(crate) struct Air<'a>(pub(crate) &'a House);

async fn moment() {
    async_io::Timer::after(Duration::from_millis(20)).await;
}

impl Air<'_> {
    fn call(&self, text: String) {
        self.0.calls.borrow_mut().push(text);
    }

    async fn lives(&self) {
        moment().await;
        if self.0.dead.get() {
            pending::<()>().await;
        }
    }
}

impl Wifi for Air<'_> {
    async fn scan(&mut self) -> Result<Vec<Network>, LinkError> {
        self.call("scan".into());
        self.lives().await;
        let network =
            |(index, (ssid, _, security, _)): (usize, &(&str, Option<&str>, Security, u8))| Network {
                ssid: if *ssid == HIDDEN { "" } else { ssid }.try_into().unwrap(),
                signal_dbm: -50 - index as i8,
                security: *security,
                channel: 6,
            };
        let mut found: Vec<_> = NETWORKS.iter().enumerate().map(network).collect();
        // A second access point of the same network, and an open one of the same name.
        let twin = |signal_dbm, security| Network { signal_dbm, security, ..found[0].clone() };
        let twins = [twin(-80, Security::Wpa2), twin(-45, Security::Open)];
        found.extend(twins);
        Ok(found)
    }

    async fn join(&mut self, known: &Known, host: &str) -> Result<Address, LinkError> {
        self.call(format!("join {} as {host}", known.credentials.ssid));
        self.lives().await;
        let found = NETWORKS.iter().find(|(ssid, ..)| known.credentials.ssid == *ssid);
        let (_, password, _, last) = found.ok_or(LinkError::NotFound)?;
        if known.credentials.password.as_deref() != *password {
            return Err(LinkError::WrongPassword);
        }
        if let Some(set) = known.address {
            return Ok(Address { ip: set.ip, prefix: set.prefix, gateway: set.gateway, time_server: None });
        }
        if *last == 0 {
            return Err(LinkError::NoAddress);
        }
        let gateway = Some([10, 0, 0, 1].into());
        Ok(Address { ip: [10, 0, 0, *last].into(), prefix: 24, gateway, time_server: None })
    }

    async fn leave(&mut self) {
        self.call("leave".into());
    }

    async fn lost(&mut self) -> LinkError {
        pending().await
    }

    fn signal_dbm(&self) -> Option<i8> {
        Some(-50)
    }

    async fn open_access_point(&mut self, _: &Credentials) -> Result<(), LinkError> {
        self.call("open".into());
        Ok(())
    }

    async fn close_access_point(&mut self) -> Result<(), LinkError> {
        self.call("close".into());
        Ok(())
    }

    fn associated(&self) -> u8 {
        self.0.phones.get()
    }
}
