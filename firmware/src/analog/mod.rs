//! The analogue front end: the chip's converter, read by an interrupt that stands above everything else.

mod adc;
mod ring;
mod sampler;

use esp_hal::peripherals::{ADC1, FROM_CPU_INTR3, SYSTIMER};
use esp_hal::timer::systimer::SystemTimer;
use plug::board::Analog;

pub use adc::reference;
pub use ring::Entry;
pub use sampler::{
    BLOCK, RING, block, command, erasing, lost_in_erases, lost_pairs, sampling, set_limit, tripped,
};

/// Sets the converter up and begins to sample. Once, before the radio starts: both use the same analogue bus, and
/// this is the converter's last time there.
pub fn start(
    analog: &Analog,
    converter: ADC1<'static>,
    timer: SYSTIMER<'static>,
    waking: FROM_CPU_INTR3<'static>,
) {
    let (voltage, current) = (&analog.voltage, &analog.current);
    adc::set_up(converter, [voltage.gpio, current.gpio]);
    sampler::start(SystemTimer::new(timer).alarm1, waking, [voltage.adc_channel, current.adc_channel]);
}
