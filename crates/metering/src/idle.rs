//! What can be learnt of the current channel while the relay is open and nothing can flow: its zero and its noise.

use serde::Serialize;

use crate::reading::Reading;
use crate::window::Setup;

/// Means over the windows since the relay opened. Offered for calibration, never applied by itself.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Idle {
    /// Windows that went into it.
    pub windows: u32,
    /// The count that stands for no current.
    pub current_zero_raw: Option<f64>,
    /// By how much that lies beside the calibrated zero, in amperes.
    pub current_drift_a: Option<f64>,
    /// RMS of the channel, in amperes.
    pub current_noise_floor_a: Option<f64>,
}

impl Idle {
    /// Nothing learnt yet.
    pub const NONE: Self =
        Self { windows: 0, current_zero_raw: None, current_drift_a: None, current_noise_floor_a: None };

    pub(crate) fn add(&mut self, setup: &Setup, reading: &Reading) {
        let before = f64::from(self.windows);
        self.windows = self.windows.saturating_add(1);
        let mean = |old: Option<f64>, new: f64| {
            let old = old.unwrap_or(0.0);
            Some(old + (new - old) / (before + 1.0))
        };
        if let Some(dc) = reading.current_dc {
            let calibration = &setup.calibration.current;
            self.current_drift_a = mean(self.current_drift_a, dc.0);
            self.current_zero_raw =
                self.current_drift_a.map(|drift| calibration.zero_raw + drift / calibration.gain);
        }
        let square = self.current_noise_floor_a.map(|noise| noise * noise);
        let square = mean(square, reading.current.0 * reading.current.0);
        self.current_noise_floor_a = square.map(libm::sqrt);
    }
}
