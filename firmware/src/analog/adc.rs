//! The ESP32-C3's converter, register by register: one conversion, started by one write and fetched by one read.
//!
//! `esp-hal`'s `read_oneshot` sets the initial code through the analogue bus at every call and can collide with the
//! radio there; here that happens once, before Wi-Fi starts. Sources: ESP32-C3 technical reference manual, chapter
//! "On-chip sensors and analog signal processing", registers APB_SARADC_ONETIME_SAMPLE, APB_SARADC_1_DATA_STATUS,
//! APB_SARADC_INT_RAW; esp-hal 1.2 for the order of set-up.

use esp_hal::analog::adc::{Adc, AdcCalSource, AdcConfig, Attenuation, RegisterAccess};
use esp_hal::efuse::{AdcCalibUnit, rtc_calib_cal_code, rtc_calib_cal_mv, rtc_calib_init_code};
use esp_hal::gpio::{AnyPin, Flex};
use esp_hal::peripherals::{ADC1, APB_SARADC};
use plug::board::{ReferencePoint, Volts};

/// The widest range, 0 to about 2.5 V, for both channels: another attenuation would need another initial code.
const ATTENUATION: Attenuation = Attenuation::_11dB;
/// Bits of the converter.
const DATA: u32 = 0xfff;

/// The one point of this chip's converter that the factory measured, if it did.
pub fn reference() -> Option<ReferencePoint> {
    let counts = rtc_calib_cal_code(AdcCalibUnit::ADC1, ATTENUATION)?;
    let millivolts = rtc_calib_cal_mv(AdcCalibUnit::ADC1, ATTENUATION);
    Some(ReferencePoint { volts: Volts(f64::from(millivolts) * 1e-3), counts: counts.into() })
}

/// Sets the converter up for `start` and `take`; call it once, before Wi-Fi starts.
pub fn set_up(adc: ADC1<'static>, gpios: [u8; 2]) {
    for gpio in gpios {
        // SAFETY: the board's table names each pin once (a host test sees to it), and nothing else takes this one.
        let pin = unsafe { AnyPin::steal(gpio) };
        // A pin that is neither input nor output and has no pull belongs to the converter.
        Flex::new(pin);
    }
    // The driver powers the converter and keeps its clock while it lives: for ever.
    core::mem::forget(Adc::new(adc, AdcConfig::new()));
    // The code that makes 0 V a count of 0: from the factory, or measured with the input at ground.
    let code = rtc_calib_init_code(AdcCalibUnit::ADC1, ATTENUATION)
        .unwrap_or_else(|| AdcConfig::<ADC1<'static>>::adc_calibrate(ATTENUATION, AdcCalSource::Gnd));
    ADC1::calibration_init();
    ADC1::set_init_code(code);
}

/// Ends the conversion before and chooses the channel of the next one.
#[inline(always)]
pub fn choose(channel: u8) {
    one_time(channel, false);
}

/// Starts the conversion of `channel`: it was chosen at least three clocks of the converter (0.6 us) before, or the
/// step of the start bit goes unseen (a limit of the hardware).
#[inline(always)]
pub fn start(channel: u8) {
    one_time(channel, true);
}

#[inline(always)]
fn one_time(channel: u8, start: bool) {
    APB_SARADC::regs().onetime_sample().write(|w| {
        // SAFETY: a channel of ADC1 has three bits, the attenuation two.
        unsafe {
            w.onetime_channel().bits(channel);
            w.onetime_atten().bits(ATTENUATION as u8);
        }
        w.saradc1_onetime_sample().set_bit();
        w.onetime_start().bit(start)
    });
}

/// The finished conversion; `None` if it is not finished.
#[inline(always)]
pub fn take() -> Option<u16> {
    let registers = APB_SARADC::regs();
    if !registers.int_raw().read().adc1_done().bit() {
        return None;
    }
    let data = registers.sar1data_status().read().saradc1_data().bits() & DATA;
    registers.int_clr().write(|w| w.adc1_done().clear_bit_by_one());
    Some(data as u16)
}
