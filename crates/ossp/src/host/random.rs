//! The operating system's random numbers.

use plug::platform::Random;

/// They are fit for secrets.
#[derive(Clone, Copy, Debug)]
pub struct PcRandom;

impl Random for PcRandom {
    fn fill(&mut self, bytes: &mut [u8]) {
        // It fails on no system that runs this program; zeros would still let the plug measure.
        let _ = getrandom::fill(bytes);
    }
}
