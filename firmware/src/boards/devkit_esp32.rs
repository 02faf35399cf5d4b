//! `devkit-esp32`: a devkit with the first ESP32, which switches and talks but does not measure yet. Not built in CI.

use plug::board::{Amperes, Board, Pin, RelayPin, Seconds, Volts};

pub(super) const BOARD: Board = Board {
    name: "devkit-esp32",
    chip: "esp32",
    source: "nothing: no analogue front end",
    analog: None,
    // GPIO0, 2, 5, 12 and 15 are strapping pins, 6 to 11 the flash, 1 and 3 the console (ESP32 data sheet, "Strapping Pins").
    relay: RelayPin { gpio: 26, active_high: true, delay: Seconds(0.015) },
    // The devkit's BOOT button: see ossp_devkit_c3.rs.
    button: Some(Pin { gpio: 0, active_low: true }),
    led: Some(Pin { gpio: 27, active_low: false }),
    nominal_voltage: Volts(230.0),
    maximum_current: Amperes(10.0),
};
