//! Two network cards in memory with a wire between them that can lose what it is told to lose.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::{Context, Waker};

use embassy_net::{Config, Ipv4Address, Ipv4Cidr, Runner, Stack, StackResources, StaticConfigV4};
use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};

/// Sockets of each stack, beside its resolver's.
pub(crate) const SOCKETS: usize = 16;

#[derive(Default)]
struct Queue {
    frames: RefCell<VecDeque<Vec<u8>>>,
    waiting: RefCell<Option<Waker>>,
    /// How many TCP segments still come through; `None`: all.
    segments_left: Cell<Option<usize>>,
}

impl Queue {
    fn send(&self, frame: Vec<u8>) {
        let is_tcp = frame.get(12..14) == Some(&[8, 0]) && frame.get(23) == Some(&6);
        if is_tcp && let Some(left) = self.segments_left.get() {
            let Some(fewer) = left.checked_sub(1) else { return };
            self.segments_left.set(Some(fewer));
        }
        self.frames.borrow_mut().push_back(frame);
        if let Some(waker) = self.waiting.take() {
            waker.wake();
        }
    }
}

/// One end of the wire.
pub(crate) struct Card {
    address: [u8; 6],
    incoming: Rc<Queue>,
    outgoing: Rc<Queue>,
}

/// Two cards with a wire between them.
pub(crate) fn cards(number: u8) -> (Card, Card) {
    let (one, other) = (Rc::new(Queue::default()), Rc::new(Queue::default()));
    let card = |host: u8, incoming: &Rc<Queue>, outgoing: &Rc<Queue>| Card {
        address: [2, 0, 0, 0, number, host],
        incoming: incoming.clone(),
        outgoing: outgoing.clone(),
    };
    (card(1, &one, &other), card(2, &other, &one))
}

/// A frame under way.
pub(crate) struct Frame(Vec<u8>);
/// Where one is put on the wire.
pub(crate) struct Sender(Rc<Queue>);

impl Driver for Card {
    type RxToken<'a> = Frame;
    type TxToken<'a> = Sender;

    fn receive(&mut self, context: &mut Context<'_>) -> Option<(Frame, Sender)> {
        let frame = self.incoming.frames.borrow_mut().pop_front();
        if frame.is_none() {
            self.incoming.waiting.replace(Some(context.waker().clone()));
        }
        Some((Frame(frame?), Sender(self.outgoing.clone())))
    }

    fn transmit(&mut self, _: &mut Context<'_>) -> Option<Sender> {
        Some(Sender(self.outgoing.clone()))
    }

    fn link_state(&mut self, _: &mut Context<'_>) -> LinkState {
        LinkState::Up
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = 1514;
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(self.address)
    }
}

impl RxToken for Frame {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(mut self, take: F) -> R {
        take(&mut self.0)
    }
}

impl TxToken for Sender {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, fill: F) -> R {
        let mut frame = vec![0; length];
        let result = fill(&mut frame);
        self.0.send(frame);
        result
    }
}

/// A network of two: a plug at .1 and a client at .2.
pub(crate) struct Network {
    pub(crate) plug: Stack<'static>,
    pub(crate) client: Stack<'static>,
    pub(crate) address: Ipv4Address,
    from_client: Rc<Queue>,
    runners: RefCell<Option<(Runner<'static, Card>, Runner<'static, Card>)>>,
}

impl Network {
    /// Number `number` of several.
    pub(crate) fn new(number: u8) -> Self {
        let (plug_card, client_card) = cards(number);
        let from_client = plug_card.incoming.clone();
        let start = |host: u8, card: Card| {
            let config = Config::ipv4_static(StaticConfigV4 {
                address: Ipv4Cidr::new(Ipv4Address::new(10, 0, number, host), 24),
                gateway: None,
                dns_servers: [Ipv4Address::new(10, 0, number, 2)].into_iter().collect(),
            });
            let resources = Box::leak(Box::new(StackResources::<{ SOCKETS + 1 }>::new()));
            embassy_net::new(card, config, resources, u64::from(number) << 8 | u64::from(host))
        };
        let (plug, plug_runner) = start(1, plug_card);
        let (client, client_runner) = start(2, client_card);
        Self {
            plug,
            client,
            address: Ipv4Address::new(10, 0, number, 1),
            from_client,
            runners: RefCell::new(Some((plug_runner, client_runner))),
        }
    }

    /// From now on only `segments` more TCP segments of the client arrive; `None`: all.
    pub(crate) fn cut_after(&self, segments: Option<usize>) {
        self.from_client.segments_left.set(segments);
    }

    /// Lets the network work. Call it once.
    pub(crate) async fn run(&self) {
        let runners = self.runners.take();
        let (mut plug, mut client) = runners.unwrap_or_else(|| unreachable!("run is called once"));
        futures_lite::future::zip(plug.run(), client.run()).await;
    }
}
