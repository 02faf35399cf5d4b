//! The platform's random numbers: the chip's generator, which is fed by noise while the radio runs.

use esp_hal::rng::Rng;
use plug::platform::Random;

/// The hardware generator. Fit for secrets only once Wi-Fi has started (ESP32-C3 technical reference manual,
/// "Random number generator").
pub struct EspRandom(Rng);

impl EspRandom {
    /// To be made once the radio was started.
    pub fn new() -> Self {
        Self(Rng::new())
    }
}

impl Random for EspRandom {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0.read(bytes);
    }
}
