//! Changes, heads and waveforms that differ with their number, for the tests of the logs.

use metering::calibration::Calibration;
use metering::front_end::{ChannelRange, FrontEnd, Pair};
use metering::units::{Hertz, Seconds, Volts};
use plug::storage::relay_log::StoredChange;
use plug::storage::trips::TripHead;

fn text<const N: usize>(number: u32) -> heapless::String<N> {
    let words = format!("change {number}: {}", "x".repeat(number as usize * 7 % 80));
    words.as_str().try_into().unwrap()
}

/// The change with this number.
pub(crate) fn change(number: u32) -> StoredChange {
    let some = |every: u32| (!number.is_multiple_of(every)).then_some(f64::from(number) / 7.0);
    StoredChange {
        number,
        start: number / 10,
        time: some(3),
        uptime_s: f64::from(number) * 1.5,
        on: number.is_multiple_of(2),
        source: number as u8,
        class: (number % 5) as u8,
        locked_out: number.is_multiple_of(4),
        cause: text(number),
        reading_sequence: some(5).map(|sequence| sequence as u64),
        active_power_w: some(7),
        current_a: some(11),
        voltage_v: some(13),
    }
}

/// The head of the trip with this number.
pub(crate) fn head(number: u32) -> TripHead {
    let range = ChannelRange { lowest: 0, highest: 4095, dc_coupled: true };
    TripHead {
        start: number / 3,
        time: (!number.is_multiple_of(3)).then_some(1.8e9 + f64::from(number)),
        uptime_s: f64::from(number) * 2.5,
        kind: "over_current".try_into().unwrap(),
        cause: text(number),
        current_a: Some(16.0 + f64::from(number)),
        pairs_before: (number % 800) as u16,
        relay_command_index: (!number.is_multiple_of(4)).then_some((number % 801) as u16),
        front_end: FrontEnd {
            sample_rate: Hertz(4000.0),
            voltage: range,
            current: range,
            channel_skew: Seconds(-12e-6),
            nominal_voltage: Volts(230.0),
        },
        calibration: Calibration::ideal(0.2, 2048.0, 0.0125, f64::from(number)),
    }
}

/// That many pairs of the trip with this number, some of them lost.
pub(crate) fn pairs(number: u32, count: usize) -> Vec<Pair> {
    let pair = |index: i32| match index % 97 {
        96 => Pair::LOST,
        _ => Pair { voltage: index * 3 - 1, current: number as i32 * 65_537 - index },
    };
    (0..count as i32).map(pair).collect()
}
