//! What the programs for QEMU's virt machine share.
#![no_std]

pub mod clock;
pub mod console;
pub mod flash;
pub mod memory;
pub mod network;
pub mod samples;

use core::fmt::Write;
use core::panic::PanicInfo;

use memory::CountedHeap;

/// Empty until a program gives it memory; the benchmark never does.
#[global_allocator]
pub static HEAP: CountedHeap = CountedHeap::empty();

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let _ = writeln!(console::Console, "panic: {info}");
    console::exit(false)
}
