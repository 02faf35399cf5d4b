//! A row as Emoncms takes it: `[time,"node",{"energy":4.56,"power":12.3}]`. What is missing is left out: Emoncms stores 0
//! for null.

use core::fmt::{Result as Written, Write};

use crate::history::Row;
use crate::json::Number;
use crate::settings::emoncms::{EmoncmsSettings, Quantity};

/// Units of the meter in a step of the log, 10 uWh: what is below was never kept.
const STEP: u64 = 10_000;
/// Steps in a watt-hour.
const STEPS_A_WATT_HOUR: f64 = 1e5;

/// The value of a quantity in a row, with as many digits as are true; `None` if it has none.
pub(super) fn value(row: &Row, quantity: Quantity) -> Option<f64> {
    // To the resolution of the log. Divided by a whole number, so that the shortest text of it is the decimal itself.
    let to = |value: f64, steps: f64| libm::round(value * steps) / steps;
    // The whole steps of an integer: no digit of a counter is invented.
    let energy = |units: u64, steps: f64| (units / STEP) as f64 / steps;
    let value = match quantity {
        Quantity::Energy => energy(row.import.0, STEPS_A_WATT_HOUR),
        Quantity::EnergyKwh => energy(row.import.0, STEPS_A_WATT_HOUR * 1e3),
        Quantity::EnergyExport => energy(row.export.0, STEPS_A_WATT_HOUR),
        Quantity::Power => to(row.active_power_w, 1e2),
        Quantity::PowerMin => to(row.power_min_w, 1e2),
        Quantity::PowerMax => to(row.power_max_w, 1e2),
        Quantity::Relay => f64::from(u8::from(row.relay)),
        Quantity::Current => to(row.current_a?, 1e5),
        Quantity::Voltage => to(row.voltage_v?, 1e2),
        Quantity::PowerFactor => to(row.power_factor?, 1e4),
        Quantity::Frequency => to(row.frequency_hz?, 1e3),
    };
    // No zero with a sign: it would be one more way to say the same.
    value.is_finite().then_some(value + 0.0)
}

/// Writes a row; `false` if it has nothing to say, and nothing was written then.
pub(super) fn write_row(
    row: &Row,
    time: u32,
    node: &str,
    settings: &EmoncmsSettings,
    out: &mut dyn Write,
) -> Result<bool, core::fmt::Error> {
    let mut any = false;
    for quantity in Quantity::ALL {
        let name = settings.input(quantity);
        if let Some(value) = value(row, quantity).filter(|_| !name.is_empty()) {
            begin(core::mem::replace(&mut any, true), time, node, out)?;
            // A name has nothing in it that would need escaping.
            write!(out, "\"{name}\":{}", Number(value))?;
        }
    }
    if any {
        out.write_str("}]")?;
    }
    Ok(any)
}

fn begin(begun: bool, time: u32, node: &str, out: &mut dyn Write) -> Written {
    if begun { out.write_char(',') } else { write!(out, "[{time},\"{node}\",{{") }
}

/// The input by which the server's state is told: the first one that every row has.
pub(super) fn reference(settings: &EmoncmsSettings) -> Option<Quantity> {
    Quantity::ALL
        .into_iter()
        .find(|quantity| quantity.is_always_there() && !settings.input(*quantity).is_empty())
}

#[cfg(test)]
pub(in crate::uplink) mod tests {
    use super::*;
    use crate::limits;
    use alloc::string::String;
    use metering::energy::Energy;
    use metering::quality::Quality;

    /// A row of 10 s that ends at `time`.
    pub(in crate::uplink) fn row(time: u32) -> Row {
        Row {
            boot: 1,
            uptime_s: f64::from(time % 1_000_000),
            time: Some(time),
            interval_s: 10,
            measured: 1.0,
            import: Energy(u64::from(time) * 1_000_000),
            export: Energy(0),
            active_power_w: 12.34,
            power_min_w: 10.0,
            power_max_w: 20.5,
            voltage_v: Some(230.1),
            current_a: Some(0.0789),
            power_factor: Some(0.68),
            frequency_hz: Some(49.987),
            relay: true,
            relay_changed: false,
            quality: Quality::NONE,
        }
    }

    fn written(row: &Row, settings: &EmoncmsSettings) -> String {
        let mut text = String::new();
        write_row(row, row.time.unwrap(), "ossp-1234", settings, &mut text).unwrap();
        text
    }

    #[test]
    fn a_row_is_what_emoncms_takes() {
        let mut row = row(1_795_378_130);
        row.import = Energy(1_234_567_891_234);
        let mut settings = EmoncmsSettings::default();
        assert_eq!(
            written(&row, &settings),
            "[1795378130,\"ossp-1234\",{\"energy\":1234.56789,\"power\":12.34,\"current\":0.0789,\"voltage\":230.1,\
             \"power_factor\":0.68,\"frequency\":49.987}]"
        );
        for (quantity, name) in [
            (Quantity::EnergyKwh, "kWh"),
            (Quantity::EnergyExport, "out"),
            (Quantity::PowerMin, "lo"),
            (Quantity::PowerMax, "hi"),
            (Quantity::Relay, "on"),
            (Quantity::Frequency, ""),
            (Quantity::PowerFactor, ""),
            (Quantity::Current, ""),
        ] {
            settings.set_input(quantity, name);
        }
        (row.active_power_w, row.voltage_v) = (-0.001, None);
        assert_eq!(
            written(&row, &settings),
            "[1795378130,\"ossp-1234\",{\"energy\":1234.56789,\"kWh\":1.23456789,\"out\":0,\"power\":0,\"lo\":10,\
             \"hi\":20.5,\"on\":1}]"
        );
    }

    #[test]
    fn what_is_missing_is_left_out() {
        let mut bare = row(1_795_378_130);
        (bare.voltage_v, bare.current_a, bare.power_factor, bare.frequency_hz) =
            (None, None, None, Some(f64::NAN));
        let mut settings = EmoncmsSettings::default();
        assert_eq!(
            written(&bare, &settings),
            "[1795378130,\"ossp-1234\",{\"energy\":1795378.13,\"power\":12.34}]"
        );
        settings.set_input(Quantity::Energy, "");
        settings.set_input(Quantity::Power, "");
        assert_eq!((written(&bare, &settings).as_str(), reference(&settings)), ("", None));
    }

    #[test]
    fn energy_keeps_its_digits_over_twenty_years() {
        let mut row = row(0);
        for units in [0, 9_999, 10_000, 1_000_000_000, 16_777_217_000_000_000, 999_999_999_999_999_999] {
            row.import = Energy(units);
            let wanted = (units / STEP) as u128;
            let text = alloc::format!("{}", Number(value(&row, Quantity::Energy).unwrap()));
            let (whole, places) = text.split_once('.').unwrap_or((&text, ""));
            let read: u128 = alloc::format!("{whole}{places:0<5}").parse().unwrap();
            assert_eq!((read, places.len() <= 5), (wanted, true), "{text}");
            // A feed of Emoncms keeps 24 bits; what is sent is the nearest of them.
            assert_eq!(text.parse::<f32>().unwrap(), (wanted as f64 / 1e5) as f32, "{text}");
        }
    }

    #[test]
    fn the_reference_is_in_every_row() {
        let mut settings = EmoncmsSettings::default();
        assert_eq!(reference(&settings), Some(Quantity::Energy));
        settings.set_input(Quantity::Energy, "");
        assert_eq!(reference(&settings), Some(Quantity::Power));
    }

    #[test]
    fn the_longest_row_fits() {
        let mut settings = EmoncmsSettings::default();
        for (index, quantity) in Quantity::ALL.into_iter().enumerate() {
            settings.set_input(quantity, &alloc::format!("{}{index:02}", "n".repeat(14)));
        }
        let mut row = row(u32::MAX);
        (row.import, row.export) = (Energy(u64::MAX), Energy(u64::MAX));
        let most = Some(-123_456_789.123_456);
        (row.active_power_w, row.power_min_w, row.power_max_w) = (-1e300, -1e300, -1e300);
        (row.voltage_v, row.current_a, row.power_factor, row.frequency_hz) = (most, most, most, most);
        let mut text = String::new();
        assert_eq!(write_row(&row, u32::MAX, &"n".repeat(16), &settings, &mut text), Ok(true));
        assert!(text.len() < limits::UPLINK_ROW, "{} bytes", text.len());
    }
}
