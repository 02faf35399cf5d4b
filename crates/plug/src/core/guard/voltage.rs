//! Over- and under-voltage, with a hold before the trip and a hysteresis before the voltage counts as good again.
//!
//! The voltage is that of whole windows: the extremes of half cycles would make any hold meaningless. It is watched
//! while the relay is open too, since it stands before the contact; so a relay that is closed on a bad voltage opens
//! with the first window. A window with `no_voltage` (under a tenth of nominal) is no under-voltage: there is no
//! mains, nothing runs that could suffer, and a trip would make every power cut one. Nor is it a good voltage: a retry
//! waits for the mains.

use metering::quality::Flag;
use metering::reading::Reading;
use metering::units::{Seconds, Volts};

use super::Limits;
use super::stretch::{Stretch, Window};
use crate::core::protection::Trip;

/// What is known of the voltage.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Voltage {
    /// Of the newest window, in volts; `None` without mains.
    volts: Option<f64>,
    over: Stretch,
    under: Stretch,
}

impl Voltage {
    /// A window was measured.
    pub(super) fn take(&mut self, reading: &Reading, limits: &Limits) {
        let window = Window::of(reading);
        self.volts = (!reading.quality.has(Flag::NoVoltage)).then_some(reading.voltage.0);
        let is_so = |limit: Option<Volts>, outside: fn(f64, f64) -> bool| {
            self.volts.zip(limit).is_some_and(|(volts, limit)| outside(volts, limit.0))
        };
        let over = is_so(limits.voltage_max, |volts, limit| volts > limit);
        let under = is_so(limits.voltage_min, |volts, limit| volts < limit);
        self.over.follow(over, window);
        self.under.follow(under, window);
    }

    /// Whether it was outside for long enough.
    pub(super) fn verdict(&self, limits: &Limits) -> Option<Trip> {
        let voltage = Volts(self.volts?);
        if let (Some(limit), Some(lasted)) = (limits.voltage_max, self.over.seconds())
            && self.over.lasts(limits.voltage_hold.0)
        {
            return Some(Trip::OverVoltage { voltage, limit, lasted: Seconds(lasted) });
        }
        let (limit, lasted) = (limits.voltage_min?, Seconds(self.under.seconds()?));
        self.under.lasts(limits.voltage_hold.0).then_some(Trip::UnderVoltage { voltage, limit, lasted })
    }

    /// Whether the voltage is back inside by the hysteresis, after an over-voltage.
    pub(super) fn is_low_enough(&self, limits: &Limits) -> bool {
        limits.voltage_max.is_none_or(|limit| {
            self.volts.is_some_and(|volts| volts <= limit.0 - limits.voltage_hysteresis.0)
        })
    }

    /// Whether the voltage is back inside by the hysteresis, after an under-voltage.
    pub(super) fn is_high_enough(&self, limits: &Limits) -> bool {
        limits.voltage_min.is_none_or(|limit| {
            self.volts.is_some_and(|volts| volts >= limit.0 + limits.voltage_hysteresis.0)
        })
    }

    /// Of the newest window, in volts; `None` without mains.
    pub(super) fn volts(&self) -> Option<f64> {
        self.volts
    }

    /// How long it has been over and under its limits.
    pub(super) fn lasted(&self) -> [Option<f64>; 2] {
        [self.over.seconds(), self.under.seconds()]
    }
}
