//! Buffers for sockets: a fixed number of sets, lent to one socket each.

use core::cell::{Cell, UnsafeCell};
use core::task::Waker;

use embassy_sync::waitqueue::MultiWakerRegistration;

/// Tasks that wait for a change at once. With more than that nothing is lost: the first are woken to register again.
const WAITING_TASKS: usize = 4;

/// Buffers for `N` sockets that send from `TX` and receive into `RX` bytes each. Put it into a static cell and give it
/// to a [`crate::Listener`].
pub struct Pool<const N: usize, const TX: usize, const RX: usize> {
    sets: [Set<TX, RX>; N],
    changed: Changed,
}

struct Set<const TX: usize, const RX: usize> {
    lent: Cell<bool>,
    send: UnsafeCell<[u8; TX]>,
    receive: UnsafeCell<[u8; RX]>,
}

impl<const N: usize, const TX: usize, const RX: usize> Pool<N, TX, RX> {
    /// All sets are free.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            sets: [const {
                Set {
                    lent: Cell::new(false),
                    send: UnsafeCell::new([0; TX]),
                    receive: UnsafeCell::new([0; RX]),
                }
            }; N],
            changed: Changed::new(),
        }
    }
}

impl<const N: usize, const TX: usize, const RX: usize> Default for Pool<N, TX, RX> {
    fn default() -> Self {
        Self::new()
    }
}

/// A [`Pool`] of whatever size. Nothing else can be one.
pub trait Buffers: private::Lender {}

impl<const N: usize, const TX: usize, const RX: usize> Buffers for Pool<N, TX, RX> {}

pub(crate) mod private {
    /// How a socket gets its buffers.
    pub trait Lender {
        /// A free set, or `None`.
        fn lend(&'static self) -> Option<super::Lease>;
        /// Who waits for one.
        fn changed(&self) -> &super::Changed;
    }
}

impl<const N: usize, const TX: usize, const RX: usize> private::Lender for Pool<N, TX, RX> {
    fn lend(&'static self) -> Option<Lease> {
        let set = self.sets.iter().find(|set| !set.lent.get())?;
        set.lent.set(true);
        Some(Lease {
            lent: &set.lent,
            changed: &self.changed,
            send: set.send.get(),
            receive: set.receive.get(),
        })
    }

    fn changed(&self) -> &Changed {
        &self.changed
    }
}

/// A set that is lent; dropping it gives it back.
pub struct Lease {
    lent: &'static Cell<bool>,
    changed: &'static Changed,
    send: *mut [u8],
    receive: *mut [u8],
}

impl Lease {
    /// The buffers for sending and for receiving.
    ///
    /// # Safety
    /// Call it once for a lease, and let nothing use the buffers after the lease is dropped.
    pub(crate) unsafe fn buffers(&mut self) -> (&'static mut [u8], &'static mut [u8]) {
        // SAFETY: they lie in a static pool, `lent` keeps all others from them until the lease is dropped, and the
        // caller takes them once and lets go of them before that.
        unsafe { (&mut *self.send, &mut *self.receive) }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.lent.set(false);
        self.changed.wake();
    }
}

/// Those who wait until something is different: a set is free, a network comes or goes.
pub struct Changed(Cell<MultiWakerRegistration<WAITING_TASKS>>);

impl Changed {
    const fn new() -> Self {
        Self(Cell::new(MultiWakerRegistration::new()))
    }

    pub(crate) fn register(&self, waker: &Waker) {
        let mut waiting = self.0.replace(MultiWakerRegistration::new());
        waiting.register(waker);
        self.0.set(waiting);
    }

    pub(crate) fn wake(&self) {
        self.0.replace(MultiWakerRegistration::new()).wake();
    }
}
