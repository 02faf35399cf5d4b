//! A fingerprint of readings: one number that says whether two machines computed the same bits.

use crate::reading::{Harmonics, Reading};

/// FNV-1a in 64 bits (Fowler, Noll, Vo) over the bits of every number of the readings it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checksum(u64);

impl Default for Checksum {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Checksum {
    /// Takes in a reading with its harmonics; running totals, sequence and time of day are left out.
    pub fn add(&mut self, reading: &Reading, harmonics: &Harmonics) {
        for value in numbers(reading) {
            self.number(value);
        }
        self.integer(u64::from(reading.quality.bits()));
        let orders = harmonics.max_order;
        let current = harmonics.current.iter().take(orders);
        for component in harmonics.voltage.iter().take(orders).chain(current) {
            self.number(Some(component.rms));
            self.number(Some(component.phase.0));
        }
    }

    /// The fingerprint.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }

    fn number(&mut self, value: Option<f64>) {
        self.integer(value.map_or(u64::MAX, f64::to_bits));
    }

    fn integer(&mut self, value: u64) {
        for byte in value.to_le_bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

fn numbers(reading: &Reading) -> [Option<f64>; 29] {
    let half_cycle = &reading.half_cycle;
    [
        Some(reading.uptime.0),
        reading.window.cycles.map(f64::from),
        Some(f64::from(reading.window.samples)),
        Some(f64::from(reading.window.lost)),
        Some(reading.window.duration.0),
        Some(reading.voltage.0),
        Some(reading.current.0),
        Some(reading.active_power.0),
        Some(reading.apparent_power.0),
        reading.reactive_power.map(|value| value.0),
        reading.power_factor,
        reading.displacement_power_factor,
        reading.frequency.map(|value| value.0),
        reading.thd_voltage.map(|value| value.0),
        reading.thd_current.map(|value| value.0),
        reading.harmonics_max_order.map(f64::from),
        reading.crest_factor_current,
        reading.voltage_dc.map(|value| value.0),
        reading.current_dc.map(|value| value.0),
        reading.current_total.map(|value| value.0),
        reading.current_noise_floor.map(|value| value.0),
        reading.current_noise_corrected.map(|value| value.0),
        half_cycle.voltage_min.map(|value| value.0),
        half_cycle.voltage_max.map(|value| value.0),
        half_cycle.current_min.map(|value| value.0),
        half_cycle.current_max.map(|value| value.0),
        Some(f64::from(reading.calibration.version)),
        Some(f64::from(u32::from(reading.relay))),
        Some(reading.window.sample_rate.0),
    ]
}
