//! The heap's memory, and how much of heap and main stack was ever used.
//!
//! The second-stage bootloader leaves 64 KB behind that the linker does not know; they are the smaller part of the heap. What is
//! neither static nor heap is the main stack. The driver of the radio allocates its tasks' stacks from the heap.

use core::cell::UnsafeCell;
use core::mem::MaybeUninit;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

use esp_alloc::{HEAP, HeapRegion, MemoryCapability};
use esp_hal::ram;
use plug::platform::Memory;

/// Memory that the second-stage bootloader leaves behind.
const RECLAIMED: usize = 64 * 1024;
/// The rest of the heap.
const ARENA: usize = 130 * 1024;
/// What the stack is painted with, to see how far down it was ever used.
const PAINT: u32 = 0xc0de_57ac;
/// Words at the stack's end that belong to the guard of `esp-hal`.
const GUARD: usize = 32;
/// Words below the stack pointer that painting leaves alone: its own frame and an interrupt's.
const IN_USE: usize = 256;

struct Arena<const BYTES: usize>(UnsafeCell<MaybeUninit<[u8; BYTES]>>);

// SAFETY: only its address is taken, once, to hand it to the allocator.
unsafe impl<const BYTES: usize> Sync for Arena<BYTES> {}

// Exported so that `size.mjs` finds it in the program.
#[unsafe(export_name = "OSSP_HEAP")]
static STATIC_ARENA: Arena<ARENA> = Arena(UnsafeCell::new(MaybeUninit::uninit()));
#[ram(reclaimed)]
static mut RECLAIMED_ARENA: MaybeUninit<[u8; RECLAIMED]> = MaybeUninit::uninit();

static CORE_STACK_END: AtomicPtr<u32> = AtomicPtr::new(core::ptr::null_mut());
static LEAST_FREE: AtomicU32 = AtomicU32::new(u32::MAX);

unsafe extern "C" {
    static _stack_end_cpu0: u32;
    static _stack_start_cpu0: u32;
}

/// Gives the allocator its memory and paints the stack. Once, before anything allocates.
pub fn set_up() {
    let regions =
        [(STATIC_ARENA.0.get().cast::<u8>(), ARENA), (&raw mut RECLAIMED_ARENA as *mut u8, RECLAIMED)];
    for (start, size) in regions {
        // SAFETY: both are static, nothing else knows them, and this runs once.
        unsafe { HEAP.add_region(HeapRegion::new(start, size, MemoryCapability::Internal.into())) };
    }
    paint(main_stack_end());
}

/// An address a little below what is in use of the stack. Never inlined, so that the caller's frame lies above.
#[inline(never)]
fn here() -> *mut u32 {
    let mark = 0;
    core::hint::black_box(&raw const mark).cast_mut().wrapping_sub(IN_USE)
}

#[inline(never)]
fn paint(end: *mut u32) {
    let (mut at, here) = (end, here());
    while at < here {
        // SAFETY: between the stack's end and what is in use; nothing lives there yet.
        unsafe { at.write_volatile(PAINT) };
        at = at.wrapping_add(1);
    }
}

/// Bytes from `end` up that still have their paint.
fn untouched(end: *const u32) -> u32 {
    let mut at = end;
    // SAFETY: whole words of a painted stack, which ends the run by what is in use.
    while unsafe { at.read_volatile() } == PAINT {
        at = at.wrapping_add(1);
    }
    (at.addr() - end.addr()) as u32
}

fn main_stack_end() -> *mut u32 {
    (&raw const _stack_end_cpu0).cast_mut().wrapping_add(GUARD)
}

/// Paints the rest of the core's stack; from its thread, at its beginning.
#[inline(never)]
pub fn paint_core(size: usize) {
    // The thread has only begun: its stack's end lies a stack below, less what it has used already.
    let end = here().wrapping_byte_sub(size).wrapping_add(IN_USE + 2 * GUARD + 256);
    CORE_STACK_END.store(end, Ordering::Relaxed);
    paint(end);
}

/// Bytes of the core's stack that were never used.
pub fn core_stack_least_free() -> u32 {
    let end = CORE_STACK_END.load(Ordering::Relaxed);
    if end.is_null() { 0 } else { untouched(end) }
}

/// How it is now.
pub fn memory() -> Memory {
    let free = HEAP.free() as u32;
    Memory {
        heap_used_bytes: HEAP.used() as u32,
        heap_free_bytes: free,
        heap_least_free_bytes: LEAST_FREE.load(Ordering::Relaxed).min(free),
        stack_least_free_bytes: Some(untouched(main_stack_end())),
    }
}

/// Remembers the least that was free; to be called now and then.
pub fn note() {
    LEAST_FREE.store(LEAST_FREE.load(Ordering::Relaxed).min(HEAP.free() as u32), Ordering::Relaxed);
}

/// Bytes of the main stack that were ever used.
pub fn stack_most_used() -> u32 {
    let size = (&raw const _stack_start_cpu0).addr() - (&raw const _stack_end_cpu0).addr();
    size as u32 - untouched(main_stack_end())
}
