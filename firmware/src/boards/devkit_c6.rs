//! `devkit-c6`: an ESP32-C6 devkit that switches and talks but does not measure.
//!
//! The C6's one-shot conversion must be started twice, 40 us apart (ESP-IDF's and esp-hal's drivers wait that long): the
//! interrupt that takes the samples would have to wait for it, 8000 times a second. So `analog` is `None`, and the plug says
//! that it has no front end. A metering chip over SPI or UART would give it one.

use plug::board::{Amperes, Board, Pin, RelayPin, Seconds, Volts};

pub(super) const BOARD: Board = Board {
    name: "devkit-c6",
    chip: "esp32c6",
    source: "nothing: no analogue front end",
    analog: None,
    // GPIO4, 5, 8, 9 and 15 are strapping pins, 12 and 13 USB, 16 and 17 the console (ESP32-C6 data sheet, "Strapping Pins").
    relay: RelayPin { gpio: 10, active_high: true, delay: Seconds(0.015) },
    // The devkit's BOOT button: see ossp_devkit_c3.rs.
    button: Some(Pin { gpio: 9, active_low: true }),
    led: Some(Pin { gpio: 11, active_low: false }),
    nominal_voltage: Volts(230.0),
    maximum_current: Amperes(10.0),
};
