//! The console (a 16550 UART) and the way out (SiFive's test device) of QEMU's virt machine.

use core::fmt::Write;

const UART: *mut u8 = 0x1000_0000 as *mut u8;
const TEST_DEVICE: *mut u32 = 0x10_0000 as *mut u32;
const PASS: u32 = 0x5555;
const FAIL: u32 = 0x3333;
const RESET: u32 = 0x7777;

/// Writes to the console.
pub struct Console;

impl Write for Console {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        for byte in text.bytes() {
            // SAFETY: the UART's transmit register; QEMU takes every byte at once.
            unsafe { UART.write_volatile(byte) };
        }
        Ok(())
    }
}

/// Ends QEMU.
pub fn exit(good: bool) -> ! {
    tell_test_device(if good { PASS } else { 1 << 16 | FAIL })
}

/// Begins anew (or ends QEMU, where it was started with `-no-reboot`).
pub fn reset() -> ! {
    tell_test_device(RESET)
}

fn tell_test_device(code: u32) -> ! {
    // SAFETY: the test device takes one word and ends or resets the machine.
    unsafe { TEST_DEVICE.write_volatile(code) };
    loop {
        riscv::asm::wfi();
    }
}
