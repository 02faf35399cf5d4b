//! The plug's name on the network that it joined, and what it offers there: multicast DNS (RFC 6762) and service
//! discovery (RFC 6763).
//!
//! `ossp-a1b2.local` has the plug's address; `_http._tcp` and `_ossp._tcp` lead to it, with identity, version, board and
//! path as words. [`Responder`] is the machine, [`serve`] its task, [`wire`] reads what others send (also for a PC that
//! looks for plugs). What is sent stands in the ledger. [Decision 20](../../../../docs/decisions/0020-mdns.md) says why
//! this is our own code.

mod machine;
mod records;
pub mod wire;

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec;
use core::cell::{Cell, RefCell};
use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;

use edge_nal::{UdpReceive, UdpSend};
use embassy_futures::select::{Either, Either3, select, select3};
use embassy_sync::blocking_mutex::raw::{NoopRawMutex, RawMutex};
use embassy_sync::signal::Signal;
use heapless::String;

pub use machine::{Event, Label, Place, Responder, Sending};
pub use records::Facts;

use crate::ledger::{self, Outcome, Purpose, Record};
use crate::limits;
use crate::net::host_name;
use crate::platform::{Clock, Multicast};
use crate::state::State;
use crate::web;

/// A name with `.local` behind it.
pub type LocalName = String<{ limits::MDNS_NAME }>;

/// What others know of the plug's name.
pub struct Mdns {
    name: RefCell<Option<LocalName>>,
    parting: Signal<NoopRawMutex, ()>,
    parted: Signal<NoopRawMutex, ()>,
    serving: Cell<bool>,
}

impl Default for Mdns {
    fn default() -> Self {
        Self::new()
    }
}

impl Mdns {
    /// No name.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            name: RefCell::new(None),
            parting: Signal::new(),
            parted: Signal::new(),
            serving: Cell::new(false),
        }
    }

    /// The name in use, as `ossp-a1b2.local`; `None` while there is none.
    #[must_use]
    pub fn name(&self) -> Option<LocalName> {
        self.name.borrow().clone()
    }

    /// Whether `host` is the name in use.
    #[must_use]
    pub fn is(&self, host: &str) -> bool {
        self.name.borrow().as_ref().is_some_and(|name| name.eq_ignore_ascii_case(host))
    }

    /// Has the name taken back before the plug leaves; returns when that is done. Afterwards the plug is not to be found.
    pub async fn part(&self) {
        if self.serving.get() {
            self.parted.reset();
            self.parting.signal(());
            self.parted.wait().await;
        }
    }

    fn tell(&self, label: Option<&str>) {
        let known = self.name.borrow().as_ref().and_then(|name| name.strip_suffix(".local")) == label;
        if !known {
            self.name.replace(label.map(|label| {
                let mut name = LocalName::new();
                // There is room for both.
                let _ = name.push_str(label).and_then(|()| name.push_str(".local"));
                name
            }));
        }
    }
}

/// Where the plug is and how it is to be called, if it is to be found at all.
#[derive(Clone, PartialEq, Eq)]
struct Wanted {
    host: String<32>,
    ip: Ipv4Addr,
    prefix: u8,
}

impl Wanted {
    fn place(&self) -> Place<'_> {
        Place { host: &self.host, ip: self.ip, prefix: self.prefix }
    }
}

fn wanted(sockets: &impl Multicast, state: &State, id: &str) -> Option<Wanted> {
    let settings = state.settings.borrow();
    // Until the settings are read nobody knows whether they allow it.
    if !state.settings_desk.is_open() || !settings.device.mdns {
        return None;
    }
    let radio = state.wifi.borrow();
    let joined = radio.as_ref().map(|radio| radio.address);
    let (ip, prefix) = match (joined, sockets.place()) {
        (Some(None), _) | (None, None) => return None,
        (_, Some(place)) => place,
        (Some(Some(address)), None) => (address.ip, address.prefix),
    };
    Some(Wanted { host: host_name(&settings, id), ip, prefix })
}

/// Keeps the plug's name on the network of `sockets` for as long as it is there and the settings allow it. Runs for ever.
/// Dropping the future leaves the name to others without a word.
pub async fn serve<S: Multicast, C: Clock, N: Clock, M: RawMutex>(
    sockets: &S,
    web: &web::Plug<'_, C, N, M>,
    chance: u32,
) -> ! {
    let (state, clock, id) = (web.state, web.network_clock, &*web.identity.id);
    let facts =
        Facts { id, version: &web.identity.version, board: web.identity.board, web_port: sockets.web_port() };
    let place = ledger::Place {
        host: Box::from("224.0.0.251"),
        port: wire::PORT,
        purpose: Purpose::Mdns,
        lookup: false,
    };
    let mut talk = Talk { responder: Responder::new(facts, chance), place: Rc::new(place), web };
    state.mdns.serving.set(true);
    loop {
        if let Some(wanted) = wanted(sockets, state, id)
            && let Either::First(Ok(mut socket)) =
                select(sockets.join(wanted.ip), clock.sleep_until(clock.now().after(limits::MDNS_LOOK))).await
        {
            talk.hold(&mut socket, sockets, &wanted).await;
        }
        state.mdns.tell(None);
        let look = clock.sleep_until(clock.now().after(limits::MDNS_LOOK));
        if let Either::First(()) = select(state.mdns.parting.wait(), look).await {
            state.mdns.parted.signal(());
        }
    }
}

/// The machine with what it needs to be heard.
struct Talk<'a, 'b, C, N, M: RawMutex> {
    responder: Responder<'a>,
    place: Rc<ledger::Place>,
    web: &'b web::Plug<'a, C, N, M>,
}

impl<C: Clock, N: Clock, M: RawMutex> Talk<'_, '_, C, N, M> {
    /// Until the plug is elsewhere, is to be called something else, is not to be found any more, or the socket fails.
    async fn hold<T: UdpReceive + UdpSend>(
        &mut self,
        socket: &mut T,
        sockets: &impl Multicast,
        wanted: &Wanted,
    ) {
        let (state, clock, id) = (self.web.state, self.web.network_clock, &*self.web.identity.id);
        // Only while there is a network.
        let (mut heard, mut says) = (vec![0; wire::LONGEST], vec![0; limits::MDNS_SAYS]);
        let mut going = self.handle(socket, Event::Be(Some(wanted.place())), &mut says).await;
        while going {
            state.mdns.tell(self.responder.label());
            let look = clock.now().after(limits::MDNS_LOOK);
            let due = self.responder.poll_at().map_or(look, |due| due.min(look));
            let event =
                select3(socket.receive(&mut heard), clock.sleep_until(due), state.mdns.parting.wait());
            going = match event.await {
                Either3::First(Ok((length, SocketAddr::V4(from)))) => {
                    // What is longer than there is room is not whole.
                    let bytes = heard.get(..length).unwrap_or(&[]);
                    self.handle(socket, Event::Heard(from, bytes), &mut says).await
                }
                Either3::First(Ok(_)) => true,
                // Somebody's packet that was too long is one on the chip; a socket that is gone shows when it is to send.
                Either3::First(Err(_)) => {
                    clock.sleep_until(clock.now().after(Duration::from_millis(10))).await;
                    true
                }
                Either3::Second(()) => self.handle(socket, Event::Tick, &mut says).await,
                Either3::Third(()) => {
                    self.handle(socket, Event::Part, &mut says).await;
                    state.mdns.parted.signal(());
                    core::future::pending().await
                }
            };
            let now = self::wanted(sockets, state, id);
            if now.as_ref() != Some(wanted) {
                // Whoever is still there takes the old name back.
                if now.is_none_or(|now| now.ip == wanted.ip) && self.is_there(sockets) {
                    self.handle(socket, Event::Part, &mut says).await;
                    // On the chip what waits to be sent goes with the socket.
                    clock.sleep_until(clock.now().after(limits::MDNS_SEND)).await;
                }
                break;
            }
        }
        self.responder.handle(clock.now(), Event::Be(None), &mut says);
    }

    /// Whether the network that was joined is still joined.
    fn is_there(&self, sockets: &impl Multicast) -> bool {
        match &*self.web.state.wifi.borrow() {
            Some(radio) => radio.address.is_some(),
            None => sockets.place().is_some(),
        }
    }

    /// Has the machine take what happened, and sends what it says; `false` where that cannot be sent.
    async fn handle(&mut self, socket: &mut impl UdpSend, event: Event<'_>, says: &mut [u8]) -> bool {
        let clock = self.web.network_clock;
        let mut event = Some(event);
        loop {
            let now = clock.now();
            let next = event.take().unwrap_or(Event::Tick);
            let Some(sending) = self.responder.handle(now, next, says) else { return true };
            let bytes = says.get(..sending.length).unwrap_or(&[]);
            let late = clock.sleep_until(now.after(limits::MDNS_SEND));
            let sent = match select(socket.send(SocketAddr::V4(sending.to), bytes), late).await {
                Either::First(Ok(())) => Outcome::Ok,
                Either::First(Err(_)) => Outcome::Unreachable,
                Either::Second(()) => Outcome::TimedOut,
            };
            self.note(sending.length, clock.now().since(now), sent);
            if sent != Outcome::Ok {
                return false;
            }
        }
    }

    /// Direct answers are counted where those to everybody are: they are of one kind.
    fn note(&self, length: usize, took: Duration, outcome: Outcome) {
        self.web.state.ledger.borrow_mut().note_often(&Record {
            place: self.place.clone(),
            began: self.web.clock.now(),
            took,
            bytes_out: u32::try_from(length).unwrap_or(u32::MAX),
            bytes_in: 0,
            outcome,
            body: None,
        });
    }
}
