//! What happens to the plug beside its mains and its load: a finger on its button, the warmth of its chip.

use super::scenario::schema;

/// A chip at work in a closed case, in degrees Celsius.
const USUAL_CHIP_C: f64 = 45.0;

/// What a scenario says of it.
#[derive(Clone, Debug)]
pub(super) struct Around {
    presses: Vec<schema::Recurring>,
    temperatures: Vec<(schema::Recurring, f64)>,
}

impl Around {
    pub(super) fn new(events: &schema::Events) -> Self {
        Self {
            presses: events.button.iter().map(schema::Button::when).collect(),
            temperatures: events.chip_temperature.iter().map(|event| (event.when(), event.celsius)).collect(),
        }
    }

    pub(super) fn button_is_pressed(&self, time_s: f64) -> bool {
        self.presses.iter().any(|press| press.is_on(time_s))
    }

    /// Of several events at once the last counts.
    pub(super) fn chip_temperature_c(&self, time_s: f64) -> f64 {
        let stated = self.temperatures.iter().rfind(|(when, _)| when.is_on(time_s));
        stated.map_or(USUAL_CHIP_C, |(_, celsius)| *celsius)
    }
}
