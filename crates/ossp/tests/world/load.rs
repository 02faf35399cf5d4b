//! What is plugged in, and the oracle: what the series on the server must be, from nothing but the load's own numbers.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use metering::calibration::Calibration;
use metering::energy::Energy;
use metering::reading::{Reading, Window};
use metering::units::{Amperes, Hertz, Seconds, VoltAmperes, Volts, Watts};

/// A fridge, a kettle now and then and something that never rests: no two slots have the same power.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Tells two plugs apart.
    pub seed: u32,
}

impl Load {
    /// Watts in the second that ends at Unix time `end`; a whole number of hundredths.
    pub fn watts(self, end: u32) -> f64 {
        let noise = end.wrapping_add(self.seed.wrapping_mul(7919)).wrapping_mul(2_654_435_761) >> 19;
        let fridge = if end % 2700 < 900 { 9_000 } else { 110 };
        let kettle = if end % 21_600 < 150 { 200_000 } else { 0 };
        f64::from(fridge + kettle + (noise & 0x7ff) + (end / 60) % 97) / 100.0
    }

    /// Whether a reading of so many watts has a power factor.
    pub fn has_power_factor(watts: f64) -> bool {
        watts >= 25.0
    }

    /// Volts in that second.
    pub fn volts(end: u32) -> f64 {
        f64::from(23_000 + (end / 7) % 331) / 100.0
    }
}

/// One slot as it must be.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Slot {
    /// Sum over its seconds.
    pub watt_seconds: f64,
    /// How many were measured.
    pub seconds: u32,
    /// The meter at its end, in watt-hours.
    pub energy_wh: f64,
    /// Sum of the squares of the voltage.
    pub volts_squared: f64,
}

impl Slot {
    pub fn power(&self) -> f64 {
        self.watt_seconds / f64::from(self.seconds)
    }

    pub fn voltage(&self) -> f64 {
        (self.volts_squared / f64::from(self.seconds)).sqrt()
    }
}

/// What a plug measured, second by second, by the world's own clock.
#[derive(Clone, Default)]
pub struct Truth(Rc<RefCell<BTreeMap<u32, Second>>>);

/// Watts, volts, and what the meter shows in watt-hours.
type Second = (f64, f64, f64);

impl Truth {
    /// The second that ends at `end`: watts, volts, and what the meter shows in watt-hours.
    pub fn note(&self, end: u32, watts: f64, volts: f64, energy_wh: f64) {
        self.0.borrow_mut().insert(end, (watts, volts, energy_wh));
    }

    /// The window between two moments of Unix time, the first of them not in it.
    pub fn window(&self, after: f64, until: f64) -> Slot {
        let mut slot = Slot::default();
        // A second's number stands half a second behind the moment at which it was read.
        let inside = |end: u32| f64::from(end) - 0.5 > after && f64::from(end) - 0.5 <= until;
        for (end, (watts, volts, energy_wh)) in self.0.borrow().range(after as u32..=until as u32 + 1) {
            if inside(*end) {
                slot.watt_seconds += watts;
                slot.seconds += 1;
                slot.energy_wh = *energy_wh;
                slot.volts_squared += volts * volts;
            }
        }
        slot
    }

    /// The slots of `step` seconds in (`after`, `until`], by the times at which they end; none where nothing was measured.
    pub fn slots(&self, after: u32, until: u32, step: u32) -> BTreeMap<u32, Slot> {
        let mut slots: BTreeMap<u32, Slot> = BTreeMap::new();
        for (end, (watts, volts, energy_wh)) in self.0.borrow().range(after + 1..=until) {
            let slot = slots.entry(end.next_multiple_of(step)).or_default();
            slot.watt_seconds += watts;
            slot.seconds += 1;
            slot.energy_wh = *energy_wh;
            slot.volts_squared += volts * volts;
        }
        slots
    }
}

/// A reading of so many seconds.
pub fn reading(
    sequence: u64,
    uptime_s: f64,
    duration_s: f64,
    watts: f64,
    volts: f64,
    import: Energy,
) -> Reading {
    let current = watts / volts;
    Reading {
        sequence,
        uptime: Seconds(uptime_s),
        window: Window {
            cycles: Some(50),
            samples: 8000,
            lost: 0,
            duration: Seconds(duration_s),
            sample_rate: Hertz(8000.0),
        },
        voltage: Volts(volts),
        current: Amperes(current),
        active_power: Watts(watts),
        apparent_power: VoltAmperes(volts * current),
        power_factor: Load::has_power_factor(watts).then_some(0.9),
        frequency: Some(Hertz(50.0)),
        energy_import: import,
        calibration: Calibration::ideal(0.2 / 3.0, 2047.5, 14.7e-3, 2047.5).id(),
        relay: true,
        ..Reading::NONE
    }
}
