//! Why the plug started, and its last words before: kept in memory that survives a reset.
//!
//! A panic opens the relay, writes its words down and resets. A hung task is found by the watchdog of the RTC, which
//! is fed only while both the core and the rest show life; how long each has not stands beside the words, written by
//! the sampling interrupt, which hangs last.

use core::fmt::Write;
use core::ptr::{addr_of, addr_of_mut};
use core::sync::atomic::{AtomicBool, Ordering};

use esp_hal::ram;
use heapless::String;
use plug::limits;

use crate::{hold, relay};

/// Says that there are last words.
const WORDS: u32 = 0x4f53_5350;
/// Ticks of the sampling interrupt a second, to tell ages in seconds.
const RATE: u32 = 8000;
/// So long without life and a task counts as hung, in ticks.
const HUNG: u32 = 2 * RATE;

/// Mark, length, check sum, text.
const TEXT: usize = limits::RESET_DETAIL / 4;

#[ram(unstable(rtc_fast, persistent))]
static mut LAST: [u32; 3 + TEXT] = [0; 3 + TEXT];
/// Ticks since the core and since the rest showed life.
#[ram(unstable(rtc_fast, persistent))]
static mut AGES: [u32; 2] = [0; 2];

/// Why the plug started.
pub struct Start {
    /// A word for `/api/v1/info`.
    pub reason: &'static str,
    /// The last words before.
    pub detail: String<{ limits::RESET_DETAIL }>,
}

/// Finds out, and forgets it for the next time. Once, at the start.
#[inline(never)]
pub fn take() -> Start {
    // SAFETY: nothing else runs yet.
    let (last, ages) = unsafe { (&mut *addr_of_mut!(LAST), &mut *addr_of_mut!(AGES)) };
    let words = read(last);
    let [core_age, rest_age] = *ages;
    *last = [0; 3 + TEXT];
    *ages = [0; 2];
    let cause = esp_hal::system::reset_reason().map(|reason| say(format_args!("{reason:?}")));
    // Each chip has causes of its own; how they are called is the same on all.
    let (reason, detail) = match (cause.as_deref(), words) {
        (Some(cause), Some(words)) if cause.ends_with("Sw") => ("panic", words),
        (Some(cause), None) if cause.ends_with("Sw") => ("software", String::new()),
        (Some(cause), words) if cause.contains("Wdt") => {
            ("watchdog", words.unwrap_or_else(|| hung(core_age, rest_age)))
        }
        (Some("SysBrownOut"), _) => ("brownout", String::new()),
        (Some("ChipPowerOn"), _) => ("power_on", String::new()),
        (Some(cause), _) => ("other", say(format_args!("{cause}"))),
        (None, _) => ("unknown", String::new()),
    };
    Start { reason, detail }
}

fn hung(core_age: u32, rest_age: u32) -> String<{ limits::RESET_DETAIL }> {
    let seconds = |age: u32| age / RATE;
    match (core_age >= HUNG, rest_age >= HUNG) {
        (true, _) => say(format_args!("the core task showed no life for {} s", seconds(core_age))),
        (false, true) => {
            say(format_args!("the tasks for web and network showed no life for {} s", seconds(rest_age)))
        }
        (false, false) => say(format_args!("the processor stood still, or hung while it started")),
    }
}

fn say(arguments: core::fmt::Arguments<'_>) -> String<{ limits::RESET_DETAIL }> {
    let mut text = String::new();
    // What does not fit is cut.
    let _ = text.write_fmt(arguments);
    text
}

/// The words, if a panic wrote all of them.
fn read(last: &[u32; 3 + TEXT]) -> Option<String<{ limits::RESET_DETAIL }>> {
    let [mark, length, check, text @ ..] = last;
    if *mark != WORDS || *check != sum(text) {
        return None;
    }
    let bytes = text.iter().flat_map(|word| word.to_le_bytes()).take(*length as usize);
    Some(bytes.map(char::from).collect())
}

fn sum(words: &[u32]) -> u32 {
    words.iter().fold(WORDS, |sum, word| sum.rotate_left(5) ^ word)
}

fn write(detail: &str) {
    let mut text = [0; TEXT];
    let mut length = 0;
    for (byte, character) in detail.chars().take(limits::RESET_DETAIL).enumerate() {
        let plain = if character.is_ascii_graphic() { character as u32 } else { u32::from(b' ') };
        if let Some(word) = text.get_mut(byte / 4) {
            *word |= plain << (byte % 4 * 8);
            length += 1;
        }
    }
    // SAFETY: interrupts are off and nothing runs after this; the memory is read at the next start.
    let last = unsafe { &mut *addr_of_mut!(LAST) };
    let [mark, length_word, check, words @ ..] = last;
    (*mark, *length_word, *check) = (WORDS, length, sum(&text));
    *words = text;
}

/// The core took a block.
pub fn core_is_alive() {
    // SAFETY: a whole word; losing one of the interrupt's counts does not matter.
    unsafe { addr_of_mut!(AGES).cast::<u32>().write_volatile(0) };
}

/// The rest had its turn; says whether the core shows life, too.
pub fn rest_is_alive() -> bool {
    // SAFETY: whole words of the same array.
    unsafe {
        addr_of_mut!(AGES).cast::<u32>().add(1).write_volatile(0);
        addr_of!(AGES).cast::<u32>().read_volatile() < HUNG
    }
}

/// The sampling interrupt counts how long both have not shown life.
#[cfg(feature = "esp32c3")]
#[inline(always)]
pub fn tell_age() {
    let ages = addr_of_mut!(AGES).cast::<u32>();
    // SAFETY: whole words of the same array.
    unsafe {
        ages.write_volatile(ages.read_volatile().wrapping_add(1));
        ages.add(1).write_volatile(ages.add(1).read_volatile().wrapping_add(1));
    }
}

static PANICKING: AtomicBool = AtomicBool::new(false);

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    // Nobody closes the relay again from here on.
    critical_section::with(|_| {
        relay::open_at_once();
        hold::let_go();
        if PANICKING.load(Ordering::Relaxed) {
            // A panic about the panic: the first words stay.
            esp_hal::system::software_reset()
        }
        PANICKING.store(true, Ordering::Relaxed);
        let place = info.location();
        let (file, line) = place.map_or(("?", 0), |place| (place.file(), place.line()));
        // The end of the path tells most.
        let file = file.rsplit_once("/src/").map_or(file, |(_, file)| file);
        write(&say(format_args!("{}:{line} {}", file, info.message())));
        esp_println::println!("\npanic: {info}");
        esp_hal::system::software_reset()
    })
}
