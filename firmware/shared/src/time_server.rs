//! A network driver around another one that also asks DHCP for a time server: embassy-net's client neither asks for one
//! nor tells it.

use core::cell::Cell;
use core::net::Ipv4Addr;
use core::task::Context;

use embassy_net::driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use embassy_sync::blocking_mutex::Mutex;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use plug::timekeeping::option42::{self, Conversation};

/// The time server that the network named with the newest address.
pub struct NamedTimeServer(Mutex<CriticalSectionRawMutex, Cell<Known>>);

#[derive(Clone, Copy)]
struct Known {
    /// The newest message to a DHCP server, until it is answered: its first acknowledgement counts.
    asked: Option<Conversation>,
    server: Option<Ipv4Addr>,
}

impl NamedTimeServer {
    /// No network yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(Cell::new(Known { asked: None, server: None })))
    }

    /// `None` where the network named none.
    #[must_use]
    pub fn get(&self) -> Option<Ipv4Addr> {
        self.0.lock(Cell::get).server
    }

    /// Looks at a frame that is about to be sent.
    #[inline(never)]
    fn send(&self, frame: &mut [u8]) {
        if let Some(asked) = option42::ask(frame) {
            self.0.lock(|known| known.set(Known { asked: Some(asked), ..known.get() }));
        }
    }

    /// Looks at a frame that was received.
    #[inline(never)]
    fn receive(&self, frame: &[u8]) {
        self.0.lock(|known| {
            let before = known.get();
            if let Some(server) = before.asked.and_then(|asked| option42::read(frame, &asked)) {
                known.set(Known { asked: None, server });
            }
        });
    }
}

impl Default for NamedTimeServer {
    fn default() -> Self {
        Self::new()
    }
}

/// The driver. Frames pass through it unchanged, but for the messages of a DHCP client.
pub struct AskingForTime<D> {
    driver: D,
    named: &'static NamedTimeServer,
}

impl<D> AskingForTime<D> {
    /// Around `driver`; `named` gets what the network says.
    pub const fn new(driver: D, named: &'static NamedTimeServer) -> Self {
        Self { driver, named }
    }
}

/// A frame that came, or that is to be sent.
pub struct Looked<T> {
    token: T,
    named: &'static NamedTimeServer,
}

impl<T: RxToken> RxToken for Looked<T> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, take: F) -> R {
        self.token.consume(|frame| {
            self.named.receive(frame);
            take(frame)
        })
    }
}

impl<T: TxToken> TxToken for Looked<T> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, fill: F) -> R {
        self.token.consume(length, |frame| {
            let result = fill(frame);
            self.named.send(frame);
            result
        })
    }
}

impl<D: Driver> Driver for AskingForTime<D> {
    type RxToken<'a>
        = Looked<D::RxToken<'a>>
    where
        Self: 'a;
    type TxToken<'a>
        = Looked<D::TxToken<'a>>
    where
        Self: 'a;

    fn receive(&mut self, context: &mut Context<'_>) -> Option<(Self::RxToken<'_>, Self::TxToken<'_>)> {
        let named = self.named;
        let (received, answer) = self.driver.receive(context)?;
        Some((Looked { token: received, named }, Looked { token: answer, named }))
    }

    fn transmit(&mut self, context: &mut Context<'_>) -> Option<Self::TxToken<'_>> {
        let named = self.named;
        self.driver.transmit(context).map(|token| Looked { token, named })
    }

    fn link_state(&mut self, context: &mut Context<'_>) -> LinkState {
        self.driver.link_state(context)
    }

    fn capabilities(&self) -> Capabilities {
        self.driver.capabilities()
    }

    fn hardware_address(&self) -> HardwareAddress {
        self.driver.hardware_address()
    }
}
