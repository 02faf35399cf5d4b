//! The virtual plug's physics: mains, loads, relay and front end, seeded and in simulated time.
//!
//! ```text
//! Mains -- source impedance -- socket -- Contact -- Loads       (Model: steps of about 30 us)
//!                                 |          |
//!                              voltage    current
//!                                 +- Sensors + filter -> samples (Decimator)
//!                                            |
//!                       Converter: gains, noise, rounding, rails, lost pairs -> Pair
//! ```
//! or, instead of the model, a recording that is looped (`wave`). There is no clock in here: whoever asks for pairs
//! makes the time go on. The same scenario and seed give the same pairs on every machine, whatever the size of the
//! blocks that are asked for.

mod around;
mod filter;
pub mod flash;
mod front_end;
mod load;
mod mains;
mod model;
pub(crate) mod radio;
mod random;
mod relay;
pub(crate) mod scenario;
pub(crate) mod wave;

use metering::calibration::Calibration;
use metering::front_end::{FrontEnd, Pair};
use metering::units::Seconds;

use around::Around;
use front_end::Converter;
use model::Model;
use scenario::Origin;
use wave::Player;

pub use scenario::{Scenario, ScenarioError};

/// What [`Simulation::fill`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filled {
    /// Pairs that were lost just before the first one.
    pub lost_before: u32,
    /// Pairs that are there, from the front of the slice; less than asked for if some were lost behind them.
    pub pairs: usize,
}

/// A plug's surroundings and its converter, in simulated time.
pub struct Simulation {
    source: Source,
    converter: Converter,
    around: Around,
    sample_s: f64,
    /// Samples so far, lost ones included.
    samples: u64,
    /// Lost since the last pair that was handed out.
    lost: u32,
}

enum Source {
    Model(Box<Model>),
    Wave(Box<Player>),
}

impl Simulation {
    /// Begins a scenario. Time is 0, the contact as the scenario says (open, unless it says otherwise).
    #[must_use]
    pub fn new(scenario: &Scenario, seed: u64) -> Self {
        let (source, converter, around) = match &scenario.origin {
            Origin::Model(settings) => {
                let model = Model::new(settings, seed);
                let converter = Converter::new(settings, model.filter_gain(), model.lag_deg(), seed);
                (Source::Model(Box::new(model)), converter, Around::new(&settings.event))
            }
            Origin::Wave(wave, settings) => {
                let settings = wave.settings(settings);
                let player = Player::new(wave.clone(), &settings, seed);
                let converter = Converter::new(&settings, 1.0, 0.0, seed);
                (Source::Wave(Box::new(player)), converter, Around::new(&settings.event))
            }
        };
        let sample_s = converter.front_end().sample_rate.0.recip();
        Self { source, converter, around, sample_s, samples: 0, lost: 0 }
    }

    /// The hardware that the plug sees. Constant.
    #[must_use]
    pub fn front_end(&self) -> FrontEnd {
        match &self.source {
            Source::Model(_) => self.converter.front_end(),
            Source::Wave(player) => player.front_end().unwrap_or_else(|| self.converter.front_end()),
        }
    }

    /// What the plug knows of its hardware: the truth, or the board's nominal values (version 0) if the scenario
    /// says that nobody calibrated it. Constant.
    #[must_use]
    pub fn calibration(&self) -> Calibration {
        match &self.source {
            Source::Model(_) => self.converter.calibration(),
            Source::Wave(player) => player.calibration().unwrap_or_else(|| self.converter.calibration()),
        }
    }

    /// The truth about the hardware, whether the plug knows it or not.
    #[must_use]
    pub fn true_calibration(&self) -> Calibration {
        match &self.source {
            Source::Model(_) => self.converter.true_calibration(),
            Source::Wave(player) => player.calibration().unwrap_or_else(|| self.converter.true_calibration()),
        }
    }

    /// Goes on in time and fills the slice with consecutive pairs, oldest first. After a gap there may be no pair
    /// yet (a gap is reported at least once a second).
    pub fn fill(&mut self, pairs: &mut [Pair]) -> Filled {
        let mut filled = Filled { lost_before: core::mem::take(&mut self.lost), pairs: 0 };
        let longest_gap = (self.sample_s.recip() as u32).max(1);
        let mut slots = pairs.iter_mut();
        let mut slot = slots.next();
        while let Some(place) = slot.as_deref_mut() {
            match self.sample() {
                Some(pair) => {
                    *place = pair;
                    filled.pairs += 1;
                    slot = slots.next();
                }
                None if filled.pairs > 0 => {
                    self.lost = 1;
                    break;
                }
                None => {
                    filled.lost_before += 1;
                    if filled.lost_before >= longest_gap {
                        break;
                    }
                }
            }
        }
        filled
    }

    /// Commands the relay; its contact follows after [`Simulation::relay_delay`].
    pub fn set_relay(&mut self, closed: bool) {
        match &mut self.source {
            Source::Model(model) => model.contact().command(closed),
            Source::Wave(player) => player.contact().command(closed),
        }
    }

    /// Whether the contact is closed now.
    #[must_use]
    pub fn relay_is_closed(&self) -> bool {
        match &self.source {
            Source::Model(model) => model.is_closed(),
            Source::Wave(player) => player.is_closed(),
        }
    }

    /// How long the contact takes.
    #[must_use]
    pub fn relay_delay(&self) -> Seconds {
        match &self.source {
            Source::Model(model) => model.relay_delay(),
            Source::Wave(player) => player.relay_delay(),
        }
    }

    /// Whether somebody presses the plug's button now.
    #[must_use]
    pub fn button_is_pressed(&self) -> bool {
        self.around.button_is_pressed(self.elapsed().0)
    }

    /// How warm the plug's chip is now, in degrees Celsius.
    #[must_use]
    pub fn chip_temperature_c(&self) -> f64 {
        self.around.chip_temperature_c(self.elapsed().0)
    }

    /// How old a pair is when it is handed out: the delay of the filter before the converter.
    #[must_use]
    pub fn filter_delay(&self) -> Seconds {
        match &self.source {
            Source::Model(model) => Seconds(model.delay_s()),
            Source::Wave(_) => Seconds(0.0),
        }
    }

    /// Samples so far, lost ones included.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// Simulated time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Seconds {
        Seconds(self.samples as f64 * self.sample_s)
    }

    fn sample(&mut self) -> Option<Pair> {
        let time_s = self.samples as f64 * self.sample_s;
        self.samples += 1;
        match &mut self.source {
            Source::Model(model) => {
                let (voltage, current) = model.sample();
                self.converter.convert(voltage, current, time_s)
            }
            Source::Wave(player) => player.sample(&mut self.converter, time_s),
        }
    }
}
