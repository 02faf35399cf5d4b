//! What `run_rest` knows of the plug: the newest numbers and the relay's story, for the web and later the uplink.

use core::cell::{Cell, RefCell};

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::watch::Watch;
use heapless::Deque;
use metering::reading::{Harmonics, Reading};

use crate::core::relay::{RelayChange, RelayStatus};
use crate::limits;

/// Lives in `run_rest`, on one executor: no locks, borrows never cross an `await`.
pub struct State {
    /// The newest window.
    pub reading: RefCell<Option<Reading>>,
    /// The harmonics of the newest window.
    pub harmonics: RefCell<Harmonics>,
    /// The relay as the core last said.
    pub relay: RefCell<RelayStatus>,
    /// The last changes, newest at the back.
    pub relay_log: RefCell<Deque<RelayChange, { limits::RELAY_LOG }>>,
    /// Rises with each change of anything above: wakes the live streams.
    pub changed: Watch<NoopRawMutex, u32, { limits::EVENT_STREAMS + limits::WEB_WORKERS }>,
    /// Live streams open now.
    pub streams: Cell<usize>,
    /// Pairs lost since start.
    pub lost_samples: Cell<u64>,
}
