//! `devkit-s3`: an ESP32-S3 devkit, which switches and talks but does not measure yet. Not built in CI.

use plug::board::{Amperes, Board, Pin, RelayPin, Seconds, Volts};

pub(super) const BOARD: Board = Board {
    name: "devkit-s3",
    chip: "esp32s3",
    source: "nothing: no analogue front end",
    analog: None,
    // GPIO0, 3, 45 and 46 are strapping pins, 19 and 20 USB, 43 and 44 the console, 26 to 37 flash and PSRAM (ESP32-S3 data
    // sheet, "Strapping Pins").
    relay: RelayPin { gpio: 4, active_high: true, delay: Seconds(0.015) },
    // The devkit's BOOT button: see ossp_devkit_c3.rs.
    button: Some(Pin { gpio: 0, active_low: true }),
    led: Some(Pin { gpio: 5, active_low: false }),
    nominal_voltage: Volts(230.0),
    maximum_current: Amperes(10.0),
};
