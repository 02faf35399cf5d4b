//! virtio-net as an `embassy-net` driver, polled with the clock's tick.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::Context;

use embassy_net_driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use static_cell::ConstStaticCell;
use virtio_drivers::device::net::VirtIONetRaw;
use virtio_drivers::transport::mmio::{MmioTransport, VirtIOHeader};
use virtio_drivers::transport::{DeviceType, Transport};
use virtio_drivers::{BufferDirection, Hal, PAGE_SIZE, PhysAddr};

/// Where QEMU puts its eight virtio devices.
const MMIO: usize = 0x1000_1000;
const MMIO_STEP: usize = 0x1000;
const MMIO_DEVICES: usize = 8;
/// The rings want whole pages: memory of their own beyond the 200 KB, since the chip has no such rings.
const RINGS: usize = 0x8090_0000;
const RINGS_END: usize = RINGS + 0x1_0000;
const QUEUE: usize = 8;
/// Ethernet frame with virtio's header.
const FRAME: usize = 1514 + 12;
/// How long nothing is looked at while nothing comes.
const POLL_MICROSECONDS: u64 = 1000;

struct RingMemory;

static RINGS_USED: AtomicUsize = AtomicUsize::new(0);

// SAFETY: memory is handed out once, in pages, from a region that nothing else uses; addresses are the same for the
// device and for the processor.
unsafe impl Hal for RingMemory {
    fn dma_alloc(pages: usize, _: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        let at = RINGS + RINGS_USED.load(Ordering::Relaxed);
        RINGS_USED.store(at - RINGS + pages * PAGE_SIZE, Ordering::Relaxed);
        assert!(at + pages * PAGE_SIZE <= RINGS_END, "the rings outgrow their memory");
        let start = at as *mut u8;
        // SAFETY: the pages lie in the region and were not handed out before.
        unsafe { start.write_bytes(0, pages * PAGE_SIZE) };
        (at as PhysAddr, NonNull::new(start).expect("the region does not begin at 0"))
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
    received: &'static mut [[u8; FRAME]; QUEUE],
    /// Which buffer each of the device's tokens stands for.
    tokens: [Option<usize>; QUEUE],
    sent: &'static mut [u8; FRAME],
}

impl Network {
    /// Finds the card; `None` if the machine has none, or if it was found before.
    #[must_use]
    pub fn find() -> Option<Self> {
        let device = (0..MMIO_DEVICES).find_map(|slot| {
            let header = NonNull::new((MMIO + slot * MMIO_STEP) as *mut VirtIOHeader)?;
            // SAFETY: these are the virtio slots of QEMU's virt machine, each of one page.
            let transport = unsafe { MmioTransport::new(header, MMIO_STEP) }.ok()?;
            (transport.device_type() == DeviceType::Network).then_some(transport)
        })?;
        let device = Device::new(device).ok()?;
        static RECEIVED: ConstStaticCell<[[u8; FRAME]; QUEUE]> = ConstStaticCell::new([[0; FRAME]; QUEUE]);
        static SENT: ConstStaticCell<[u8; FRAME]> = ConstStaticCell::new([0; FRAME]);
        Some(Self { device, received: RECEIVED.try_take()?, tokens: [None; QUEUE], sent: SENT.try_take()? })
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
            self.tokens[usize::from(token)] = Some(buffer);
        }
    }
}

/// A frame that came.
pub struct Received<'a>(&'a mut Network, usize, core::ops::Range<usize>);

/// A frame to be sent.
pub struct Sending<'a>(&'a mut Network);

impl Driver for &'static mut Network {
    type RxToken<'a> = Received<'a>;
    type TxToken<'a> = Sending<'a>;

    fn receive(&mut self, context: &mut Context<'_>) -> Option<(Received<'_>, Sending<'_>)> {
        let Some(token) = self.device.poll_receive() else {
            let clock = embassy_time::Instant::now().as_micros();
            embassy_time_driver::schedule_wake(clock + POLL_MICROSECONDS, context.waker());
            return None;
        };
        let buffer = self.tokens[usize::from(token)].take()?;
        // SAFETY: this is the buffer that was lent under this token.
        let (header, length) =
            unsafe { self.device.receive_complete(token, &mut self.received[buffer]) }.ok()?;
        let network: *mut Network = &raw mut **self;
        // SAFETY: embassy-net uses one token at a time: the one for sending after that for receiving is consumed.
        let (first, second) = unsafe { (&mut *network, &mut *network) };
        Some((Received(first, buffer, header..header + length), Sending(second)))
    }

    fn transmit(&mut self, _: &mut Context<'_>) -> Option<Sending<'_>> {
        Some(Sending(self))
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
        let Network { device, sent, .. } = self.0;
        let header = device.fill_buffer_header(&mut sent[..]).unwrap_or(0);
        let result = fill(&mut sent[header..header + length]);
        // A frame that the device does not take is lost, as on any wire.
        let sent: &[u8] = &sent[..header + length];
        // SAFETY: the buffer stays where it is until the device is done, which is waited for here.
        if let Ok(token) = unsafe { device.transmit_begin(sent) } {
            while device.poll_transmit() != Some(token) {}
            // SAFETY: the same token and buffer.
            let _ = unsafe { device.transmit_complete(token, sent) };
        }
        result
    }
}
