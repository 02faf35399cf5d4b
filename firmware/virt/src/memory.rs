//! What heap and stack took at the most: the allocator keeps count, and the stack is painted at the start.

use core::alloc::{GlobalAlloc, Layout};
use core::fmt;
use core::ptr::addr_of;

use embedded_alloc::LlffHeap;
use portable_atomic::{AtomicUsize, Ordering};

/// What an untouched word of the stack holds.
const PAINT: u32 = 0x5afe_57ac;
/// Room for whoever paints, below its stack pointer.
const PAINTER_BYTES: usize = 512;

unsafe extern "C" {
    /// Where code begins, which is where the image begins.
    safe static __stext: u32;
    /// Where constants end, which is where it ends.
    safe static __erodata: u32;
    /// Start of the RAM.
    safe static __sdata: u32;
    /// The lowest word that the stack may use, which ends where statics do (named after the linker script's view of
    /// a stack that grows down).
    safe static __estack: u32;
    /// One beyond the highest.
    safe static __sstack: u32;
}

/// An allocator that remembers how little of it was free.
pub struct CountedHeap {
    heap: LlffHeap,
    size: AtomicUsize,
    least_free: AtomicUsize,
}

impl CountedHeap {
    /// Without memory: every request fails.
    #[must_use]
    pub const fn empty() -> Self {
        Self { heap: LlffHeap::empty(), size: AtomicUsize::new(0), least_free: AtomicUsize::new(0) }
    }

    /// Gives it its memory. A second call is a panic.
    pub fn init(&self, memory: &'static mut [u8]) {
        // SAFETY: the memory is static, and whoever had it has given it up.
        unsafe { self.heap.init(memory.as_mut_ptr() as usize, memory.len()) };
        self.size.store(memory.len(), Ordering::Relaxed);
        self.least_free.store(self.heap.free(), Ordering::Relaxed);
    }
}

// SAFETY: all of it is the inner allocator's; this only looks at what is free afterwards.
unsafe impl GlobalAlloc for CountedHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise, handed on.
        let memory = unsafe { self.heap.alloc(layout) };
        self.least_free.fetch_min(self.heap.free(), Ordering::Relaxed);
        memory
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, handed on.
        unsafe { self.heap.dealloc(memory, layout) }
    }
}

/// Paints what the stack has not reached. Call it at the start, from as high up as possible.
pub fn paint_stack() {
    let pointer: usize;
    // SAFETY: reads the stack pointer.
    unsafe { core::arch::asm!("mv {}, sp", out(reg) pointer, options(nomem, nostack, preserves_flags)) };
    let mut word = addr_of!(__estack).cast_mut();
    while (word as usize) < pointer - PAINTER_BYTES {
        // SAFETY: between the statics and the stack pointer nobody has anything; the compiler does not see the
        // stack as an object, hence volatile.
        unsafe {
            word.write_volatile(PAINT);
            word = word.add(1);
        }
    }
}

/// What would lie in a chip's flash.
#[must_use]
pub fn image_bytes() -> usize {
    addr_of!(__erodata) as usize - addr_of!(__stext) as usize
}

/// RAM in use, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// Statics without the heap.
    pub statics: usize,
    /// The heap, in use now, at the most, and in all.
    pub heap_used: usize,
    /// At the most since the start.
    pub heap_most: usize,
    /// What there is.
    pub heap_size: usize,
    /// The stack, at the most since it was painted.
    pub stack_most: usize,
    /// What there is.
    pub stack_size: usize,
}

impl Usage {
    /// Now. Reads the stack's unused part, a few thousand words.
    #[must_use]
    pub fn now(heap: &CountedHeap) -> Self {
        let (low, high) = (addr_of!(__estack), addr_of!(__sstack));
        let heap_size = heap.size.load(Ordering::Relaxed);
        let (mut word, mut untouched) = (low, 0);
        // SAFETY: the words lie in the stack's memory; reading them is harmless whatever they hold.
        while word < high && unsafe { word.read_volatile() } == PAINT {
            untouched += size_of::<u32>();
            // SAFETY: at most one beyond the end.
            word = unsafe { word.add(1) };
        }
        let stack_size = high as usize - low as usize;
        Self {
            statics: low as usize - addr_of!(__sdata) as usize - heap_size,
            heap_used: heap.heap.used(),
            heap_most: heap_size - heap.least_free.load(Ordering::Relaxed),
            heap_size,
            stack_most: stack_size - untouched,
            stack_size,
        }
    }
}

impl fmt::Display for Usage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { statics, heap_used, heap_most, heap_size, stack_most, stack_size } = self;
        write!(
            formatter,
            "statics {statics}; heap {heap_used} of {heap_size}, at most {heap_most}; stack at most {stack_most} of {stack_size}"
        )
    }
}
