//! What may stand in a scenario file, with every default. `scenarios/example.toml` explains each field to people.

use serde::Deserialize;

use super::number::{above_zero, some_within, whole, within};

/// A struct with defaults that refuses unknown fields; `+ Switched` adds the times at which something is there,
/// `+ Recurring` those at which an event happens.
macro_rules! settings {
    ($(#[$doc:meta])* $name:ident { $($(#[$about:meta])* $field:ident: $type:ty = $default:expr,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub(crate) struct $name {
            $($(#[$about])* pub(crate) $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }
    };
    ($(#[$doc:meta])* $name:ident + Switched { $($fields:tt)* }) => {
        settings! {
            $(#[$doc])*
            $name {
                $($fields)*
                /// When it comes: is plugged in, goes on the air.
                #[serde(deserialize_with = "within::<0, 1_000_000_000, _>")]
                on_at_s: f64 = 0.0,
                /// When it goes.
                #[serde(deserialize_with = "within::<0, 1_000_000_000, _>")]
                off_at_s: f64 = f64::INFINITY,
            }
        }

        impl $name {
            /// When it is there.
            pub(crate) fn when(&self) -> Switched {
                Switched { on_at_s: self.on_at_s, off_at_s: self.off_at_s }
            }
        }
    };
    ($(#[$doc:meta])* $name:ident + Recurring { $($fields:tt)* }) => {
        settings! {
            $(#[$doc])*
            $name {
                $($fields)*
                /// When it begins.
                #[serde(deserialize_with = "within::<0, 1_000_000_000, _>")]
                at_s: f64 = 0.0,
                /// How long it lasts.
                #[serde(deserialize_with = "above_zero::<1_000_000_000, _>")]
                for_s: f64 = 1.0,
                /// After which time it begins again.
                #[serde(deserialize_with = "above_zero::<1_000_000_000, _>")]
                every_s: f64 = f64::INFINITY,
            }
        }

        impl $name {
            /// When it happens.
            pub(crate) fn when(&self) -> Recurring {
                Recurring { at_s: self.at_s, for_s: self.for_s, every_s: self.every_s }
            }
        }
    };
}

mod events;
mod radio;

pub(crate) use events::*;
pub(crate) use radio::*;

/// When a load is plugged in, or a network on the air.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Switched {
    on_at_s: f64,
    off_at_s: f64,
}

impl Switched {
    /// Whether it is there at this time.
    pub(crate) fn is_on(self, time_s: f64) -> bool {
        time_s >= self.on_at_s && time_s < self.off_at_s
    }

    /// How long it has been there.
    pub(crate) fn time_on(self, time_s: f64) -> f64 {
        (time_s - self.on_at_s).max(0.0)
    }
}

/// When something happens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Recurring {
    at_s: f64,
    for_s: f64,
    every_s: f64,
}

impl Recurring {
    /// Whether it happens at this time.
    pub(crate) fn is_on(self, time_s: f64) -> bool {
        time_s >= self.at_s && (time_s - self.at_s) % self.every_s < self.for_s
    }
}

settings! {
    /// A scenario file.
    Settings {
        /// What it shows, in a few words.
        description: String = String::new(),
        /// The socket.
        mains: Mains = Mains::default(),
        /// The converter.
        front_end: FrontEnd = FrontEnd::default(),
        /// The contact.
        relay: Relay = Relay::default(),
        /// What is plugged in.
        load: Loads = Loads::default(),
        /// What happens.
        event: Events = Events::default(),
        /// The plug's own clock.
        clock: Clock = Clock::default(),
        /// What is in the air; without it the plug has no radio.
        radio: Option<Radio> = None,
    }
}

settings! {
    /// The plug's own clock.
    Clock {
        /// Whether it knows the time of day. A chip's does not: it must be told.
        known: bool = true,
    }
}

settings! {
    /// The socket.
    Mains {
        #[serde(deserialize_with = "within::<10, 500, _>")]
        volts: f64 = 230.0,
        #[serde(deserialize_with = "within::<45, 65, _>")]
        hertz: f64 = 50.0,
        /// Random changes: standard deviation and memory.
        #[serde(deserialize_with = "within::<0, 20, _>")]
        volts_wander_pct: f64 = 0.4,
        #[serde(deserialize_with = "above_zero::<1_000_000, _>")]
        volts_wander_s: f64 = 20.0,
        #[serde(deserialize_with = "within::<0, 5, _>")]
        hertz_wander: f64 = 0.01,
        #[serde(deserialize_with = "above_zero::<1_000_000, _>")]
        hertz_wander_s: f64 = 10.0,
        /// A slow sine on top.
        #[serde(deserialize_with = "within::<-50, 50, _>")]
        volts_drift_pct: f64 = 0.6,
        #[serde(deserialize_with = "within::<-10, 10, _>")]
        hertz_drift: f64 = 0.015,
        #[serde(deserialize_with = "above_zero::<1_000_000_000, _>")]
        drift_period_s: f64 = 600.0,
        #[serde(deserialize_with = "within::<-50, 50, _>")]
        dc_v: f64 = 0.0,
        /// Where in the cycle the simulation begins.
        #[serde(deserialize_with = "within::<0, 359, _>")]
        start_deg: f64 = 0.0,
        /// Of wires and transformer.
        #[serde(deserialize_with = "within::<0, 100, _>")]
        source_ohm: f64 = 0.25,
        #[serde(deserialize_with = "within::<0, 100, _>")]
        source_mh: f64 = 0.2,
        harmonic: Vec<Harmonic> = Harmonic::of_a_house(),
    }
}

settings! {
    /// One harmonic of the voltage.
    Harmonic {
        #[serde(deserialize_with = "whole::<2, 50, _>")]
        order: u32 = 5,
        /// Of the fundamental.
        #[serde(deserialize_with = "within::<0, 100, _>")]
        percent: f64 = 1.0,
        #[serde(deserialize_with = "within::<-360, 360, _>")]
        phase_deg: f64 = 0.0,
    }
}

impl Harmonic {
    /// A flat-topped voltage, as rectifiers make it: 2.3 % in all.
    fn of_a_house() -> Vec<Self> {
        [(3, 0.6, 20.0), (5, 1.9, 170.0), (7, 1.0, 10.0), (11, 0.4, 120.0), (13, 0.3, -40.0)]
            .map(|(order, percent, phase_deg)| Self { order, percent, phase_deg })
            .to_vec()
    }
}

/// What stands before the converter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Filter {
    /// A steep low-pass.
    Steep,
    /// A resistor and a capacitor.
    Rc,
    /// Nothing.
    None,
}

settings! {
    /// The converter and what is in front of it; the defaults are the `virtual` board.
    FrontEnd {
        #[serde(deserialize_with = "within::<1000, 50_000, _>")]
        sample_rate_hz: f64 = 4000.0,
        #[serde(deserialize_with = "whole::<8, 24, _>")]
        bits: u32 = 12,
        /// Codes go from -2^(bits-1) rather than from 0.
        signed: bool = false,
        #[serde(deserialize_with = "above_zero::<1000, _>")]
        voltage_lsb_v: f64 = 0.2,
        #[serde(deserialize_with = "above_zero::<1000, _>")]
        current_lsb_a: f64 = 0.0147,
        /// The middle of the codes if not given.
        #[serde(deserialize_with = "some_within::<-8_388_608, 16_777_215, _>")]
        voltage_zero: Option<f64> = None,
        #[serde(deserialize_with = "some_within::<-8_388_608, 16_777_215, _>")]
        current_zero: Option<f64> = None,
        #[serde(deserialize_with = "within::<-50, 50, _>")]
        voltage_gain_error_pct: f64 = 0.0,
        #[serde(deserialize_with = "within::<-50, 50, _>")]
        current_gain_error_pct: f64 = 0.0,
        /// In counts.
        #[serde(deserialize_with = "within::<-1_000_000, 1_000_000, _>")]
        voltage_offset: f64 = 0.0,
        #[serde(deserialize_with = "within::<-1_000_000, 1_000_000, _>")]
        current_offset: f64 = 0.0,
        /// In counts, RMS.
        #[serde(deserialize_with = "within::<0, 100_000, _>")]
        voltage_noise: f64 = 1.0,
        #[serde(deserialize_with = "within::<0, 100_000, _>")]
        current_noise: f64 = 1.0,
        /// How much later the current is sampled.
        #[serde(deserialize_with = "within::<-2000, 2000, _>")]
        skew_us: f64 = 50.0,
        /// How late the current sensor is at the fundamental.
        #[serde(deserialize_with = "within::<-30, 30, _>")]
        current_phase_deg: f64 = 0.0,
        voltage_dc_coupled: bool = true,
        current_dc_coupled: bool = true,
        filter: Filter = Filter::Steep,
        #[serde(deserialize_with = "above_zero::<1_000_000, _>")]
        rc_corner_hz: f64 = 1500.0,
        /// Steps of the physics a sample; 0 chooses.
        #[serde(deserialize_with = "whole::<0, 64, _>")]
        oversampling: u32 = 0,
        /// Gaps at random, and the mean length of one.
        #[serde(deserialize_with = "within::<0, 1_000_000, _>")]
        lost_per_hour: f64 = 0.0,
        #[serde(deserialize_with = "above_zero::<100_000, _>")]
        lost_pairs: f64 = 8.0,
        /// Whether the plug knows the true gains, zeros and phase; otherwise it takes the board's.
        calibrated: bool = true,
    }
}

settings! {
    /// The contact.
    Relay {
        #[serde(deserialize_with = "within::<0, 1000, _>")]
        delay_ms: f64 = 8.0,
        #[serde(deserialize_with = "within::<0, 100, _>")]
        bounce_ms: f64 = 0.0,
        /// Whether it is closed at first; relays that do not latch are open.
        closed: bool = false,
    }
}

settings! {
    /// Everything that is plugged in.
    Loads {
        kettle: Vec<Kettle> = Vec::new(),
        heater: Vec<Heater> = Vec::new(),
        half_wave: Vec<HalfWave> = Vec::new(),
        fridge: Vec<Fridge> = Vec::new(),
        supply: Vec<Supply> = Vec::new(),
        dimmer: Vec<Dimmer> = Vec::new(),
        drill: Vec<Drill> = Vec::new(),
        solar: Vec<Solar> = Vec::new(),
        short: Vec<Short> = Vec::new(),
    }
}

settings! {
    /// A kettle.
    Kettle + Switched {
        #[serde(deserialize_with = "above_zero::<20_000, _>")]
        power_w: f64 = 2000.0,
        #[serde(deserialize_with = "above_zero::<10, _>")]
        litres: f64 = 0.5,
        /// The water at first.
        #[serde(deserialize_with = "within::<0, 99, _>")]
        start_c: f64 = 82.0,
        /// The water that it is filled with later.
        #[serde(deserialize_with = "within::<0, 99, _>")]
        fill_c: f64 = 18.0,
        /// How long it boils before the switch clicks.
        #[serde(deserialize_with = "within::<0, 1000, _>")]
        boil_s: f64 = 4.0,
        /// How long it stands before it is filled again.
        #[serde(deserialize_with = "above_zero::<1_000_000, _>")]
        pause_s: f64 = 15.0,
    }
}

settings! {
    /// A plain resistor.
    Heater + Switched {
        #[serde(deserialize_with = "above_zero::<50_000, _>")]
        power_w: f64 = 1500.0,
    }
}

settings! {
    /// A heater behind a diode.
    HalfWave + Switched {
        #[serde(deserialize_with = "above_zero::<50_000, _>")]
        power_w: f64 = 600.0,
    }
}

settings! {
    /// A refrigerator.
    Fridge + Switched {
        #[serde(deserialize_with = "above_zero::<5000, _>")]
        power_w: f64 = 95.0,
        #[serde(deserialize_with = "super::number::power_factor")]
        power_factor: f64 = 0.65,
        /// Start-up current over running current.
        #[serde(deserialize_with = "within::<1, 30, _>")]
        inrush: f64 = 10.0,
        /// How long it takes to start.
        #[serde(deserialize_with = "above_zero::<10, _>")]
        start_s: f64 = 0.3,
        #[serde(deserialize_with = "above_zero::<1_000_000, _>")]
        run_s: f64 = 900.0,
        #[serde(deserialize_with = "above_zero::<1_000_000, _>")]
        pause_s: f64 = 1500.0,
        /// When it starts for the first time.
        #[serde(deserialize_with = "within::<0, 1_000_000, _>")]
        first_start_s: f64 = 3.0,
    }
}

settings! {
    /// A rectifier with a capacitor; the defaults are a laptop's.
    Supply + Switched {
        #[serde(deserialize_with = "above_zero::<5000, _>")]
        power_w: f64 = 45.0,
        #[serde(deserialize_with = "above_zero::<100_000, _>")]
        capacitor_uf: f64 = 82.0,
        #[serde(deserialize_with = "above_zero::<1000, _>")]
        series_ohm: f64 = 4.0,
        /// What an inrush limiter adds while it is cold.
        #[serde(deserialize_with = "within::<0, 1000, _>")]
        cold_ohm: f64 = 8.0,
        /// The interference capacitor across the mains.
        #[serde(deserialize_with = "within::<0, 100, _>")]
        x_capacitor_uf: f64 = 0.22,
        /// Random changes of the power.
        #[serde(deserialize_with = "within::<0, 50, _>")]
        wander_pct: f64 = 8.0,
        /// How long the converter waits before it starts.
        #[serde(deserialize_with = "within::<0, 100, _>")]
        start_s: f64 = 0.3,
    }
}

settings! {
    /// A lamp behind a dimmer; the knob is turned to and fro.
    Dimmer + Switched {
        #[serde(deserialize_with = "above_zero::<5000, _>")]
        power_w: f64 = 200.0,
        #[serde(deserialize_with = "within::<0, 175, _>")]
        angle_from_deg: f64 = 110.0,
        #[serde(deserialize_with = "within::<0, 175, _>")]
        angle_to_deg: f64 = 50.0,
        #[serde(deserialize_with = "above_zero::<1_000_000, _>")]
        period_s: f64 = 20.0,
    }
}

settings! {
    /// A drill; the trigger is pressed more and less.
    Drill + Switched {
        #[serde(deserialize_with = "above_zero::<5000, _>")]
        power_w: f64 = 500.0,
        #[serde(deserialize_with = "within::<10, 175, _>")]
        angle_from_deg: f64 = 125.0,
        #[serde(deserialize_with = "within::<10, 175, _>")]
        angle_to_deg: f64 = 50.0,
        #[serde(deserialize_with = "above_zero::<1_000_000, _>")]
        period_s: f64 = 12.0,
        /// How unevenly it is pushed.
        #[serde(deserialize_with = "within::<0, 50, _>")]
        wander_pct: f64 = 10.0,
    }
}

settings! {
    /// A plug-in solar inverter.
    Solar + Switched {
        #[serde(deserialize_with = "above_zero::<5000, _>")]
        power_w: f64 = 600.0,
        #[serde(deserialize_with = "within::<0, 50, _>")]
        clouds_pct: f64 = 10.0,
        /// How long the voltage must be right before it starts.
        #[serde(deserialize_with = "within::<0, 1000, _>")]
        start_s: f64 = 2.0,
    }
}

settings! {
    /// Two wires that touch.
    Short + Switched {
        #[serde(deserialize_with = "super::number::short_ohm")]
        ohm: f64 = 0.3,
    }
}
