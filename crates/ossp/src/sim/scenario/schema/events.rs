//! The events of a scenario: everything under `[event]`.

use serde::Deserialize;

use super::super::number::{above_zero, within};
use super::Recurring;

settings! {
    /// What happens to the mains, in the front end, and to the plug.
    Events {
        sag: Vec<Sag> = Vec::new(),
        swell: Vec<Swell> = Vec::new(),
        interruption: Vec<Interruption> = Vec::new(),
        frequency: Vec<Frequency> = Vec::new(),
        lost: Vec<Lost> = Vec::new(),
        stuck: Vec<Stuck> = Vec::new(),
        disconnected: Vec<Disconnected> = Vec::new(),
        weld: Vec<Weld> = Vec::new(),
        button: Vec<Button> = Vec::new(),
        chip_temperature: Vec<ChipTemperature> = Vec::new(),
    }
}

settings! {
    /// The voltage falls.
    Sag + Recurring {
        #[serde(deserialize_with = "within::<0, 100, _>")]
        to_percent: f64 = 60.0,
    }
}

settings! {
    /// The voltage rises.
    Swell + Recurring {
        #[serde(deserialize_with = "within::<100, 200, _>")]
        to_percent: f64 = 115.0,
    }
}

settings! {
    /// The voltage is gone.
    Interruption + Recurring {}
}

settings! {
    /// The frequency is another one.
    Frequency + Recurring {
        #[serde(deserialize_with = "within::<40, 70, _>")]
        hertz: f64 = 49.0,
    }
}

settings! {
    /// Pairs do not arrive for a while; `for_s` says how long.
    Lost + Recurring {}
}

/// One of the two channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Channel {
    /// Voltage.
    Voltage,
    /// Current.
    Current,
}

settings! {
    /// A channel stays at its last code.
    Stuck + Recurring {
        channel: Channel = Channel::Current,
    }
}

settings! {
    /// A channel's sensor is off: its zero and noise are left.
    Disconnected + Recurring {
        channel: Channel = Channel::Voltage,
    }
}

settings! {
    /// The relay's contact welds: closed, it stays so whatever the coil does. One that is open welds when it closes.
    Weld {
        /// From when on.
        #[serde(deserialize_with = "within::<0, 1_000_000_000, _>")]
        at_s: f64 = 0.0,
    }
}

settings! {
    /// Somebody presses the plug's button.
    Button {
        /// When it is pressed.
        #[serde(deserialize_with = "within::<0, 1_000_000_000, _>")]
        at_s: f64 = 0.0,
        /// How long; under a second is a short press.
        #[serde(deserialize_with = "above_zero::<1_000_000_000, _>")]
        for_s: f64 = 0.2,
        /// After which time it is pressed again.
        #[serde(deserialize_with = "above_zero::<1_000_000_000, _>")]
        every_s: f64 = f64::INFINITY,
    }
}

impl Button {
    /// When it is pressed.
    pub(crate) fn when(&self) -> Recurring {
        Recurring { at_s: self.at_s, for_s: self.for_s, every_s: self.every_s }
    }
}

settings! {
    /// The plug's chip is as warm as this.
    ChipTemperature + Recurring {
        #[serde(deserialize_with = "within::<-40, 150, _>")]
        celsius: f64 = 95.0,
    }
}
