//! How long something has been so, counted in the time of the samples.

use metering::reading::Reading;

/// Windows end at zero crossings, so that five of them are a second only nearly.
const TOLERANCE_S: f64 = 0.001;

/// The time of a window, in seconds since the first sample.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) start: f64,
    pub(super) end: f64,
}

impl Window {
    pub(super) fn of(reading: &Reading) -> Self {
        let end = reading.uptime.0;
        Self { start: end - reading.window.duration.0, end }
    }
}

/// An unbroken run of windows in which something was so. Time between two of them that nobody measured counts: nothing
/// says that it was different there.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stretch {
    start: Option<f64>,
    end: f64,
}

impl Stretch {
    /// Goes on, begins or ends with this window.
    pub(super) fn follow(&mut self, is_so: bool, window: Window) {
        if !is_so {
            self.stop();
            return;
        }
        // Samples that are counted anew begin anew.
        let start = self.start.filter(|start| *start <= window.end).unwrap_or(window.start);
        *self = Self { start: Some(start), end: window.end };
    }

    pub(super) fn stop(&mut self) {
        self.start = None;
    }

    /// How long it has been so; `None` when it is not.
    pub(super) fn seconds(&self) -> Option<f64> {
        self.start.map(|start| self.end - start)
    }

    /// Whether it has been so for this long.
    pub(super) fn lasts(&self, seconds: f64) -> bool {
        self.seconds().is_some_and(|lasted| lasted + TOLERANCE_S >= seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_from_the_first_window_to_the_last_with_what_lies_between() {
        let mut stretch = Stretch::default();
        let window = |start: f64, end: f64| Window { start, end };
        assert!(!stretch.lasts(0.0));
        stretch.follow(true, window(5.0, 5.2));
        assert!(stretch.lasts(0.2) && !stretch.lasts(0.3));
        stretch.follow(true, window(5.9, 6.0));
        assert!(stretch.lasts(1.0));
        stretch.follow(false, window(6.0, 6.2));
        assert!(stretch.seconds().is_none());
        stretch.follow(true, window(6.2, 6.4));
        assert!(!stretch.lasts(1.0));
        // The samples begin anew.
        stretch.follow(true, window(0.0, 0.2));
        assert_eq!(stretch.seconds(), Some(0.2));
    }
}
