//! Loads that are a resistor: heaters, the kettle, a heater behind a diode, a short circuit.

use super::{Load, Moment, Norton, Rating, Tick};
use crate::sim::random::Random;
use crate::sim::scenario::schema;

/// A resistor, perhaps behind a diode.
pub(super) struct Resistor {
    siemens: f64,
    /// Forward voltage of a diode in series.
    diode_v: Option<f64>,
    now: Norton,
}

impl Resistor {
    pub(super) fn heater(settings: &schema::Heater, rating: Rating) -> Self {
        let siemens = settings.power_w / (rating.volts * rating.volts);
        Self { siemens, diode_v: None, now: Norton::default() }
    }

    /// Half of the full wave's power is left.
    pub(super) fn half_wave(settings: &schema::HalfWave, rating: Rating) -> Self {
        let siemens = 2.0 * settings.power_w / (rating.volts * rating.volts);
        Self { siemens, diode_v: Some(0.8), now: Norton::default() }
    }

    pub(super) fn short(settings: &schema::Short) -> Self {
        Self { siemens: settings.ohm.recip(), diode_v: None, now: Norton::default() }
    }
}

impl Load for Resistor {
    fn tick(&mut self, _: &Tick, _: &mut Random) {}

    fn norton(&mut self, moment: &Moment) -> Norton {
        self.now = match self.diode_v {
            None => Norton { siemens: self.siemens, amperes: 0.0 },
            Some(drop) if moment.volts > drop => {
                Norton { siemens: self.siemens, amperes: -self.siemens * drop }
            }
            Some(_) => Norton::default(),
        };
        self.now
    }

    fn step(&mut self, volts: f64) -> f64 {
        let amperes = self.now.siemens * volts + self.now.amperes;
        if self.diode_v.is_some() { amperes.max(0.0) } else { amperes }
    }

    fn interrupt(&mut self) {}
}

/// Joules that warm a litre of water by one kelvin.
const WATER: f64 = 4186.0;
/// Watts that leave a kettle for each kelvin above the room.
const LOSS: f64 = 1.2;
const ROOM_C: f64 = 20.0;
/// How much more a cold element conducts, and how soon it is hot (nichrome).
const COLD_SHARE: f64 = 0.02;
const ELEMENT_S: f64 = 3.0;

/// A kettle: heats its water until the steam switch clicks off, is emptied and filled again after a while.
pub(super) struct Kettle {
    settings: schema::Kettle,
    step_s: f64,
    siemens: f64,
    water_c: f64,
    /// 0 cold, 1 hot.
    element: f64,
    state: Brewing,
    /// Joules since the last tick.
    heat: f64,
}

/// What a kettle is doing.
///
/// ```text
/// Heating -- water boils --> Boiling -- steam switch --> Off -- somebody fills it --> Heating
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
enum Brewing {
    Heating,
    /// Seconds until the steam has moved the switch.
    Boiling(f64),
    /// Seconds until it is filled again.
    Off(f64),
}

impl Kettle {
    pub(super) fn new(settings: &schema::Kettle, rating: Rating) -> Self {
        Self {
            step_s: rating.step_s,
            siemens: settings.power_w / (rating.volts * rating.volts),
            water_c: settings.start_c,
            element: 0.0,
            state: Brewing::Heating,
            heat: 0.0,
            settings: settings.clone(),
        }
    }

    fn conductance(&self) -> f64 {
        match self.state {
            Brewing::Off(_) => 0.0,
            Brewing::Heating | Brewing::Boiling(_) => {
                self.siemens * (1.0 + COLD_SHARE * (1.0 - self.element))
            }
        }
    }
}

impl Load for Kettle {
    fn tick(&mut self, tick: &Tick, _: &mut Random) {
        let lost = LOSS * (self.water_c - ROOM_C) * tick.duration_s;
        let change = (self.heat - lost) / (WATER * self.settings.litres);
        let is_heating = self.heat > 0.0;
        self.water_c = (self.water_c + change).min(100.0);
        self.heat = 0.0;
        let target = if is_heating { 1.0 } else { 0.0 };
        self.element += (target - self.element) * (tick.duration_s / ELEMENT_S).min(1.0);
        self.state = match self.state {
            Brewing::Heating if self.water_c >= 100.0 => Brewing::Boiling(self.settings.boil_s),
            // Without steam the switch stays.
            Brewing::Boiling(left) if is_heating && left > 0.0 => Brewing::Boiling(left - tick.duration_s),
            Brewing::Boiling(left) if left <= 0.0 => Brewing::Off(self.settings.pause_s),
            Brewing::Off(left) if left > 0.0 => Brewing::Off(left - tick.duration_s),
            Brewing::Off(_) => {
                self.water_c = self.settings.fill_c;
                Brewing::Heating
            }
            same => same,
        };
    }

    fn norton(&mut self, _: &Moment) -> Norton {
        Norton { siemens: self.conductance(), amperes: 0.0 }
    }

    fn step(&mut self, volts: f64) -> f64 {
        let amperes = self.conductance() * volts;
        self.heat += amperes * volts * self.step_s;
        amperes
    }

    fn interrupt(&mut self) {}
}
