//! What the programs for QEMU's virt machine share.
#![no_std]

pub mod clock;
pub mod console;
pub mod network;
pub mod samples;

use core::fmt::Write;
use core::panic::PanicInfo;

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let _ = writeln!(console::Console, "panic: {info}");
    console::exit(false)
}
