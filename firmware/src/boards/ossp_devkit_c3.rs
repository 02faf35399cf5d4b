//! `ossp-devkit-c3`: an ESP32-C3 devkit, a ZMPT101B module for the voltage, an ACS712-20A for the current, a relay.
//!
//! docs/boards.md has the wiring, the reasons and the error budget. Values from data sheets and circuits as drawn; nothing
//! here was measured on a board.

use plug::board::{
    Amperes, Analog, Board, Channel, Converter, Estimate, Network, Part, Pin, ReferencePoint, RelayPin,
    Seconds, Sensor, Volts,
};

pub(super) const BOARD: Board = Board {
    name: "ossp-devkit-c3",
    chip: "esp32c3",
    source: "ZMPT101B module and ACS712-20A",
    analog: Some(Analog {
        pairs_per_second: 4000,
        // The converter takes voltage and current in turn at 8 kHz: half of a pair's 250 us lies between them.
        skew: Seconds(125e-6),
        converter: CONVERTER,
        voltage: VOLTAGE,
        current: CURRENT,
    }),
    relay: RELAY,
    button: BUTTON,
    led: LED,
    nominal_voltage: Volts(230.0),
    // The fuse. The relay of the parts list carries 16 A, the sensor's optimised range is 20 A of peak.
    maximum_current: Amperes(10.0),
};

/// Not a strapping pin, not JTAG, no pull-up and only a low glitch of 5 ns at power-up (ESP32-C3 data sheet, "IO MUX and GPIO
/// Pin Functions" and "Power-Up Glitches on Pins"). 10 kohm to ground hold it low while nobody drives it.
pub(super) const RELAY: RelayPin = RelayPin { gpio: 10, active_high: true, delay: Seconds(0.015) };

/// The devkit's BOOT button, with the chip's own pull-up. Held during a reset it starts the ROM's loader instead of the plug
/// (relay open), so nothing may ever ask a user to hold it while plugging in.
pub(super) const BUTTON: Option<Pin> = Some(Pin { gpio: 9, active_low: true });

/// A plain LED with 1 kohm. The devkit's own on GPIO8 is addressable and sits on a strapping pin.
pub(super) const LED: Option<Pin> = Some(Pin { gpio: 7, active_low: false });

/// The ESP32-C3's ADC1 at 12 dB ("11 dB" in older texts), its offset code set from eFuse.
pub(super) const CONVERTER: Converter = Converter {
    bits: 12,
    // eFuse block version 1: the factory notes the code at 1370 mV as 2000 plus a signed offset (ESP-IDF,
    // esp_efuse_rtc_calib.c for esp32c3).
    typical: ReferencePoint { volts: Volts(1.370), counts: 2000.0 },
    // The reference voltage lies anywhere between 1.0 and 1.2 V (ESP-IDF, "ADC conversion"): 9.1 % over root 3.
    typical_uncertainty_pct: 5.25,
    // +-35 mV of 2.5 V (ESP32-C3 data sheet, "ADC Calibration Results", ATTEN3): 1.4 % over root 3.
    measured_uncertainty_pct: 0.81,
    // Espressif's error curve for 12 dB (ESP-IDF, esp_adc/esp32c3/curve_fitting_coefficients.c), from millivolts to volts.
    curve: [-1.491_226_277e-3, -0.022_854_997_6, 0.035_639_193_6, -0.017_996_458_2, 0.004_204_6],
    usable: (Volts(0.15), Volts(2.4)),
    offset: Estimate::within(0.0, 0.035),
    // Nobody states it; single conversions with the radio on are commonly seen to scatter by 3 to 5. To be measured.
    noise_counts: 4.0,
    // ESP32-C3 data sheet, "ADC Characteristics".
    inl_counts: 12.0,
    dnl_counts: 7.0,
};

/// Two equal resistors halve what comes from 5 V parts, which rests at 2.5 V, to 1.25 V. Their 2.35 kohm and 47 nF make the
/// filter of 1.44 kHz. 9.4 kohm are above the 4.7 kohm that an ACS712 wants to see.
pub(super) const HALF: Network = Network::Divider {
    top: Part::new(4700.0, 1.0),
    bottom: Part::new(4700.0, 1.0),
    capacitor: Part::new(47e-9, 5.0),
};

/// The common module: transformer, LM358, trimmer. Its trimmer is to be set to 0.575 V RMS at the output for 230 V.
pub(super) const VOLTAGE: Channel = Channel {
    gpio: 0,
    adc_channel: 0,
    sensor: Sensor {
        name: "ZMPT101B module, 2.5 mV a volt",
        // Until it is set the trimmer stands anywhere: +-50 %.
        gain: Estimate::within(2.5e-3, 1.25e-3),
        // Half of 5 V +-2 %, by two resistors of 1 %.
        rest: Estimate { value: 2.5, uncertainty: 0.031 },
        // The transformer leads by up to 20' (ZMPT101B data sheet), the module's coupling capacitor by more: a guess.
        late: Estimate::within(-1.0, 2.0),
        noise: Volts(0.5e-3),
        dc_coupled: false,
        // The LM358 reaches 1.5 V below its 5 V: 1.0 V above the rest.
        largest_peak: 400.0,
    },
    network: HALF,
};

/// Allegro ACS712ELCTR-20A, 5 V, data sheet "x20A Performance Characteristics".
const CURRENT: Channel = Channel {
    gpio: 1,
    adc_channel: 1,
    sensor: Sensor {
        name: "ACS712-20A",
        // 96 to 104 mV/A at 5 V, and in proportion to the supply, which is 5 V +-2 %: 4 % and 2 % over root 3, in squares.
        gain: Estimate { value: 0.100, uncertainty: 0.002_58 },
        // Half the supply (+-2 %) and an offset of +-40 mV.
        rest: Estimate { value: 2.5, uncertainty: 0.037 },
        // 80 kHz and 5 us of rise time: 2 to 3 us.
        late: Estimate::within(0.04, 0.04),
        // 11 mV peak to peak in 2 kHz: 1.8 mV RMS, times root of 1.44/2.
        noise: Volts(1.6e-3),
        dc_coupled: true,
        // Larger ones are followed up to the supply's rails, but out of the optimised range of 20 A: the relay is open by then.
        largest_peak: 24.0,
    },
    network: HALF,
};
