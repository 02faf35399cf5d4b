//! virtio-net as an `embassy-net` driver, polled with the clock's tick.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::Context;

use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use virtio_drivers::device::net::VirtIONetRaw;
use virtio_drivers::transport::mmio::{MmioTransport, VirtIOHeader};
use virtio_drivers::transport::{DeviceType, Transport};
use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE, PhysAddr};

/// Where QEMU puts its eight virtio devices.
const MMIO: usize = 0x1000_1000;
const MMIO_STEP: usize = 0x1000;
const MMIO_DEVICES: usize = 8;
/// What the card shares with the program, rings (which want whole pages) and frames, lies beyond the 200 KB: the chip has
/// no such rings, and its frames are in Wi-Fi's share.
const SHARED: usize = 0x8090_0000;
const SHARED_END: usize = SHARED + 0x2_0000;
const QUEUE: usize = 8;
/// Ethernet frame with virtio's header.
const FRAME: usize = 1514 + 12;
/// How long nothing is looked at while nothing comes.
const POLL_MICROSECONDS: u64 = 1000;

struct RingMemory;

static SHARED_USED: AtomicUsize = AtomicUsize::new(0);

/// Pages of the shared memory, zeroed; each is handed out once.
fn pages(count: usize) -> NonNull<u8> {
    let at = SHARED + SHARED_USED.load(Ordering::Relaxed);
    let end = at + count * PAGE_SIZE;
    assert!(end <= SHARED_END, "the card outgrows its memory");
    SHARED_USED.store(end - SHARED, Ordering::Relaxed);
    let start = at as *mut u8;
    // SAFETY: the pages lie in the region and were not handed out before.
    unsafe { start.write_bytes(0, count * PAGE_SIZE) };
    NonNull::new(start).expect("the region does not begin at 0")
}

type Frames = &'static mut [[u8; FRAME]; QUEUE];

fn frames() -> Frames {
    let start = pages((QUEUE * FRAME).div_ceil(PAGE_SIZE)).cast();
    // SAFETY: zeroed memory of that size that nobody else has; bytes need no alignment.
    unsafe { &mut *start.as_ptr() }
}

// SAFETY: memory is handed out once, in pages, from a region that nothing else uses; addresses are the same for the
// device and for the processor.
unsafe impl Hal for RingMemory {
    fn dma_alloc(pages_wanted: usize, _: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        let start = pages(pages_wanted);
        (start.as_ptr() as usize as PhysAddr, start)
    }

    unsafe fn dma_dealloc(_: PhysAddr, _: NonNull<u8>, _: usize) -> i32 {
        // The device lives as long as the program.
        0
    }

    unsafe fn mmio_phys_to_virt(address: PhysAddr, _: usize) -> NonNull<u8> {
        NonNull::new(address as *mut u8).expect("no device at 0")
    }

    unsafe fn share(buffer: NonNull<[u8]>, _: BufferDirection) -> PhysAddr {
        buffer.as_ptr().cast::<u8>() as usize as PhysAddr
    }

    unsafe fn unshare(_: PhysAddr, _: NonNull<[u8]>, _: BufferDirection) {}
}

type Device = VirtIONetRaw<RingMemory, MmioTransport<'static>, QUEUE>;

/// The network card.
pub struct Network {
    device: Device,
    received: Frames,
    /// Which frame each of the device's tokens for receiving stands for.
    lent: [Option<usize>; QUEUE],
    sent: Frames,
    /// Of each frame to be sent its token and length, as long as the device has it.
    under_way: [Option<(u16, usize)>; QUEUE],
}

impl Network {
    /// Finds the card; `None` if the machine has none. Call it once.
    #[must_use]
    pub fn find() -> Option<Self> {
        let device = (0..MMIO_DEVICES).find_map(|slot| {
            let header = NonNull::new((MMIO + slot * MMIO_STEP) as *mut VirtIOHeader)?;
            // SAFETY: these are the virtio slots of QEMU's virt machine, each of one page.
            let transport = unsafe { MmioTransport::new(header, MMIO_STEP) }.ok()?;
            (transport.device_type() == DeviceType::Network).then_some(transport)
        })?;
        let device = Device::new(device).ok()?;
        Some(Self {
            device,
            received: frames(),
            lent: [None; QUEUE],
            sent: frames(),
            under_way: [None; QUEUE],
        })
    }

    /// Gives the device its receive buffers.
    pub fn listen(&'static mut self) -> &'static mut Self {
        for buffer in 0..QUEUE {
            self.lend(buffer);
        }
        self
    }

    fn lend(&mut self, buffer: usize) {
        // SAFETY: the buffers are static and are not touched until the device gives them back.
        if let Ok(token) = unsafe { self.device.receive_begin(&mut self.received[buffer]) } {
            self.lent[usize::from(token)] = Some(buffer);
        }
    }

    /// A frame for sending. Never waits for the device: one with its cable cut sends nothing for ever.
    fn free_frame(&mut self) -> Option<usize> {
        while let Some(done) = self.device.poll_transmit() {
            let index =
                self.under_way.iter().position(|frame| frame.is_some_and(|(token, _)| token == done))?;
            let (token, length) = self.under_way[index].take()?;
            // SAFETY: the same token and buffer as when it was sent.
            unsafe { self.device.transmit_complete(token, &self.sent[index][..length]) }.ok()?;
        }
        self.under_way.iter().position(Option::is_none)
    }

    fn look_again_soon(context: &Context<'_>) {
        let clock = embassy_time::Instant::now().as_micros();
        embassy_time_driver::schedule_wake(clock + POLL_MICROSECONDS, context.waker());
    }
}

/// A frame that came.
pub struct Received<'a>(&'a mut Network, usize, core::ops::Range<usize>);

/// A frame to be sent.
pub struct Sending<'a>(&'a mut Network, usize);

impl Driver for &'static mut Network {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = Sending<'a>;

    fn receive(&mut self, context: &mut Context<'_>) -> Option<(Received<'_>, Sending<'_>)> {
        // Without a frame for an answer nothing is taken in.
        let (Some(answer), Some(token)) = (self.free_frame(), self.device.poll_receive()) else {
            Network::look_again_soon(context);
            return None;
        };
        let buffer = self.lent[usize::from(token)].take()?;
        // SAFETY: this is the buffer that was lent under this token.
        let (header, length) =
            unsafe { self.device.receive_complete(token, &mut self.received[buffer]) }.ok()?;
        let network: *mut Network = &raw mut **self;
        // SAFETY: embassy-net uses one token at a time: the one for sending after that for receiving is consumed.
        let (first, second) = unsafe { (&mut *network, &mut *network) };
        Some((Received(first, buffer, header..header + length), Sending(second, answer)))
    }

    fn transmit(&mut self, context: &mut Context<'_>) -> Option<Sending<'_>> {
        let Some(frame) = self.free_frame() else {
            Network::look_again_soon(context);
            return None;
        };
        Some(Sending(self, frame))
    }

    fn link_state(&mut self, _: &mut Context<'_>) -> LinkState {
        LinkState::Up
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = 1514;
        capabilities.max_burst_size = Some(1);
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet(self.device.mac_address())
    }
}

impl RxToken for Received<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, take: F) -> R {
        let result = take(&mut self.0.received[self.1][self.2.clone()]);
        self.0.lend(self.1);
        result
    }
}

impl TxToken for Sending<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, fill: F) -> R {
        let Network { device, sent, under_way, .. } = self.0;
        let frame = &mut sent[self.1];
        let header = device.fill_buffer_header(&mut frame[..]).unwrap_or(0);
        let length = header + length;
        let result = fill(&mut frame[header..length]);
        // A frame that the device does not take is lost, as on any wire.
        // SAFETY: the buffer is static and is not touched until the device is done with it (`free_frame`).
        under_way[self.1] =
            unsafe { device.transmit_begin(&frame[..length]) }.ok().map(|token| (token, length));
        result
    }
}
