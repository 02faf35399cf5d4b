//! How warm the chip is inside: its own sensor, as it comes from the factory. Some 10 to 30 K above the air around it;
//! within a few kelvins of the truth (no board was at hand to compare).

#[cfg(any(feature = "esp32c3", feature = "esp32c6"))]
mod sensor {
    use core::cell::RefCell;

    use critical_section::Mutex;
    use esp_hal::peripherals::TSENS;
    use esp_hal::tsens::{Config, TemperatureSensor};

    static SENSOR: Mutex<RefCell<Option<TemperatureSensor<'static>>>> = Mutex::new(RefCell::new(None));

    /// Switches it on; it needs 0.2 ms until it is right. Once, after the converter was set up: both share a clock,
    /// which is reset when the first of them asks for it.
    pub fn start(sensor: TSENS<'static>) {
        // The driver knows no error.
        let started = TemperatureSensor::new(sensor, Config::default()).ok();
        critical_section::with(|token| SENSOR.borrow(token).replace(started));
    }

    /// In degrees Celsius; `None` before `start`, or if the sensor is at an end of its range.
    pub fn chip_temperature_c() -> Option<f64> {
        critical_section::with(|token| {
            let sensor = SENSOR.borrow(token).borrow();
            let sensor = sensor.as_ref()?;
            let temperature = sensor.get_temperature();
            // The radio's calibration may have switched it off: then the next look is right again.
            sensor.power_up();
            let (raw, offset) = (temperature.raw_value, f64::from(temperature.offset));
            // The formula of `Temperature::to_celsius`, without its f32.
            (raw != 0 && raw != u8::MAX).then(|| f64::from(raw) * 0.4386 - offset * 27.88 - 20.52)
        })
    }
}

#[cfg(any(feature = "esp32c3", feature = "esp32c6"))]
pub use sensor::{chip_temperature_c, start};

/// Nobody knows on these chips.
#[cfg(not(any(feature = "esp32c3", feature = "esp32c6")))]
pub fn chip_temperature_c() -> Option<f64> {
    None
}
