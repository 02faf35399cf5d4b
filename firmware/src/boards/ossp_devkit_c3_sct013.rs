//! `ossp-devkit-c3-sct013`: as `ossp-devkit-c3`, with a split-core current transformer around one conductor. It sees no direct
//! current, and nothing of it touches mains.

use plug::board::{Analog, Board, Channel, Estimate, Network, Part, Seconds, Sensor, Volts};

use super::ossp_devkit_c3::{self, CONVERTER, VOLTAGE};

pub(super) const BOARD: Board = Board {
    name: "ossp-devkit-c3-sct013",
    source: "ZMPT101B module and SCT-013-030",
    analog: Some(Analog {
        pairs_per_second: 4000,
        skew: Seconds(125e-6),
        converter: CONVERTER,
        voltage: VOLTAGE,
        current: CURRENT,
    }),
    ..ossp_devkit_c3::BOARD
};

/// YHDC SCT-013-030: 30 A make 1 V at the burden inside.
const CURRENT: Channel = Channel {
    gpio: 1,
    adc_channel: 1,
    sensor: Sensor {
        name: "SCT-013-030",
        // 1 V a 30 A, +-3 % with its burden: the data sheet states +-1 % of linearity between 10 and 120 % of 30 A only.
        gain: Estimate::within(1.0 / 30.0, 0.001),
        rest: Estimate { value: 0.0, uncertainty: 0.0 },
        // Leads by some 3 degrees, more at small currents (OpenEnergyMonitor's reports on this family).
        late: Estimate::within(-3.0, 2.0),
        noise: Volts(0.05e-3),
        dc_coupled: false,
        largest_peak: 42.0,
    },
    // 3.3 V over 15 kohm and 10 kohm rest at 1.32 V; two 4.7 kohm in parallel make the same filter as the voltage has.
    network: Network::Bias {
        supply: Estimate::within(3.3, 0.066),
        top: Part::new(15e3, 1.0),
        bottom: Part::new(10e3, 1.0),
        series: Part::new(2350.0, 1.0),
        capacitor: Part::new(47e-9, 5.0),
    },
};
