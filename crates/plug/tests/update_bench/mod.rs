//! A plug that takes uploads into slots that fail when they are told to.

#![allow(dead_code, reason = "shared by several test programs")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may fail loudly")]

use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use futures_lite::future::{block_on, or, poll_once, yield_now};
use plug::limits;
use plug::platform::{Clock, Instant};
use plug::state::State;
use plug::update::Fault;
use plug::update::desk::{Activated, Desk, Order, Progress};
use plug::update::judge::{PROJECT, Running};
use plug::update::writer::{Standard, serve};

use crate::idle_clock::IdleClock;
use crate::upload_support::{FakeSlots, Flash, image};
use crate::web_support::{calibration, status};

pub(crate) const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));
pub(crate) const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 3));
/// Bytes of most images here: four sectors and a bit.
pub(crate) const PAYLOAD: usize = 17_003;

/// A plug that runs 0.1.0.
pub(crate) struct Bench {
    pub(crate) flash: Rc<Flash>,
    pub(crate) state: State,
    pub(crate) clock: IdleClock,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let state = State::new(status(false, 0), calibration());
        Self { flash: Flash::new(), state, clock: IdleClock::default() }
    }

    /// Runs `client` beside the task that owns the slots until `client` is through or nothing moves any more, as after a
    /// power cut; time goes on as needed.
    pub(crate) fn run<T>(&self, client: impl Future<Output = T>) -> Option<T> {
        let running =
            Running { version: "0.1.0", project: PROJECT, chip: "pc", board: "virtual", capacity: 0 };
        let standard = Standard { running, key: None };
        let mut slots = FakeSlots(self.flash.clone());
        let serve = async {
            serve(&mut slots, &self.clock, &self.state, standard).await;
        };
        let client = async {
            // The desk opens, and afterwards the task hears that the client is gone.
            yield_now().await;
            let result = client.await;
            for _ in 0..8 {
                yield_now().await;
            }
            Some(result)
        };
        let never = async {
            serve.await;
            None
        };
        let mut both = Box::pin(or(client, never));
        block_on(async {
            let mut still = 0;
            loop {
                if let Some(result) = poll_once(&mut both).await {
                    return result;
                }
                // Many turns pass between two operations; a power cut is when none does anything.
                still += 1;
                if still % 8 == 0
                    && let Some(next) = self.clock.next.take()
                {
                    self.clock.now.set(next.max(self.clock.now.get()));
                }
                if still > 4000 {
                    return None;
                }
            }
        })
    }

    pub(crate) fn now(&self) -> Instant {
        self.clock.now()
    }

    pub(crate) fn desk(&self) -> &Desk {
        &self.state.update
    }

    /// Uploads a file; all pieces but the last have `piece` bytes.
    pub(crate) async fn upload(&self, file: &[u8], piece: usize, order: Order) -> Result<Activated, Fault> {
        let upload = self.desk().begin(order, PEER, self.now()).await?;
        let mut memory = Vec::with_capacity(limits::UPDATE_PIECE);
        for bytes in file.chunks(piece) {
            memory.extend_from_slice(bytes);
            memory = upload.put(memory).await?;
        }
        upload.finish(memory).await
    }

    pub(crate) fn send(&self, file: &[u8]) -> Option<Result<Activated, Fault>> {
        self.run(self.upload(file, limits::UPDATE_PIECE, exactly(file)))
    }

    /// Nothing changed that the next start could see, and the next upload goes through.
    pub(crate) fn is_unharmed(&self, context: &str) {
        assert_eq!(self.flash.next_start(), 0, "{context}");
        assert!(!self.state.restart.signaled(), "{context}");
        assert_eq!(self.desk().progress().0, Progress::Idle, "{context}");
        let file = image("0.2.0", PAYLOAD);
        self.flash.trouble.set(None);
        let activated =
            self.send(&file).expect("no power cut").unwrap_or_else(|why| panic!("{context}: {why:?}"));
        assert_eq!(activated.version, "0.2.0");
        assert_eq!(self.flash.next_start(), 1, "{context}");
        assert!(self.flash.other.borrow().starts_with(&file), "{context}");
    }
}

pub(crate) fn exactly(file: &[u8]) -> Order {
    Order { length: file.len() as u32, exact: true, allow_downgrade: false }
}
