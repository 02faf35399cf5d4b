//! What journal and history cost the flash: computed from their constants, shown to everybody.

use serde::Serialize;

use super::journal;
use super::layout::{ENERGY, SECTOR};
use crate::history;

/// Seconds of a day.
const DAY: f64 = 86_400.0;
/// Days of a year.
const YEAR: f64 = 365.25;

/// How often something writes, and how long the flash bears it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct WriteBudget {
    /// Records a day.
    pub writes_a_day: f64,
    /// Bytes a day, headers too.
    pub bytes_a_day: f64,
    /// Erases a day, of all sectors together.
    pub erases_a_day: f64,
    /// Erases a day of each sector: they take turns.
    pub erases_a_sector_a_day: f64,
    /// Years until each sector was erased 10,000 times.
    pub life_years_10k: f64,
    /// Years until each sector was erased 100,000 times, which flash chips of this kind are sold for.
    pub life_years_100k: f64,
}

impl WriteBudget {
    /// The journal under a rated load that never stops: the most often that energy alone makes it write.
    #[must_use]
    pub fn journal_rated() -> Self {
        let interval = journal::WRITE_INTERVAL.as_secs_f64();
        Self::journal(interval, journal::STEP_BYTES, journal::STEPS_A_SECTOR)
    }

    /// The journal with next to no load, where everything changes with each write: consumption and delivery within
    /// the noise.
    #[must_use]
    pub fn journal_idle() -> Self {
        let interval = journal::IDLE_INTERVAL.as_secs_f64();
        Self::journal(interval, journal::FULL_BYTES, journal::FULLS_A_SECTOR)
    }

    /// The journal at its worst: a rated load that never stops, and samples lost within each 10 s of it.
    #[must_use]
    pub fn journal_worst() -> Self {
        let interval = journal::WRITE_INTERVAL.as_secs_f64();
        Self::journal(interval, journal::FULL_BYTES, journal::FULLS_A_SECTOR)
    }

    /// A record of `bytes` each `interval` seconds; of `a_sector` records one stands in the header.
    fn journal(interval: f64, bytes: u32, a_sector: u32) -> Self {
        let writes_a_day = DAY / interval;
        let erases_a_day = writes_a_day / f64::from(a_sector);
        let others = writes_a_day - erases_a_day;
        let bytes_a_day = others * f64::from(bytes) + erases_a_day * f64::from(journal::SECTOR_BYTES);
        Self::new(writes_a_day, bytes_a_day, erases_a_day, ENERGY.length / SECTOR)
    }

    /// The history's rows of so many seconds, without a break.
    #[must_use]
    pub fn history(interval_s: u32) -> Self {
        Self::ring(interval_s, history::FINE_SECTORS)
    }

    /// Its means.
    #[must_use]
    pub fn history_means() -> Self {
        Self::ring(history::COARSE_S, history::SECTORS - history::FINE_SECTORS)
    }

    fn ring(interval_s: u32, sectors: u32) -> Self {
        let writes_a_day = DAY / f64::from(interval_s);
        let erases_a_day = writes_a_day / f64::from(history::ROWS_A_SECTOR);
        let bytes_a_day = (writes_a_day + erases_a_day) * f64::from(history::ROW_BYTES);
        Self::new(writes_a_day, bytes_a_day, erases_a_day, sectors)
    }

    fn new(writes_a_day: f64, bytes_a_day: f64, erases_a_day: f64, sectors: u32) -> Self {
        let erases_a_sector_a_day = erases_a_day / f64::from(sectors);
        let years = |cycles: f64| cycles / erases_a_sector_a_day / YEAR;
        Self {
            writes_a_day,
            bytes_a_day,
            erases_a_day,
            erases_a_sector_a_day,
            life_years_10k: years(10_000.0),
            life_years_100k: years(100_000.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rated_load_for_20_years_is_borne_even_by_10_000_erases() {
        let rated = WriteBudget::journal_rated();
        assert!((rated.writes_a_day - 8861.5).abs() < 0.1, "{rated:?}");
        assert!((rated.erases_a_day - 17.5).abs() < 0.1, "{rated:?}");
        assert!((25.0..25.1).contains(&rated.life_years_10k), "{rated:?}");
        assert!((250.0..251.0).contains(&rated.life_years_100k), "{rated:?}");
        let idle = WriteBudget::journal_idle();
        assert!((31.0..31.1).contains(&idle.life_years_10k), "{idle:?}");
        assert!(idle.bytes_a_day < rated.bytes_a_day);
        let worst = WriteBudget::journal_worst();
        assert!(worst.life_years_10k > 5.0 && worst.life_years_100k > 50.0, "{worst:?}");
    }

    #[test]
    fn the_history_outlives_the_plug_at_10_s_and_even_at_1_s() {
        let usual = WriteBudget::history(10);
        assert!((usual.erases_a_day - 68.0).abs() < 0.1 && usual.life_years_10k > 80.0, "{usual:?}");
        assert!(WriteBudget::history(1).life_years_100k > 80.0);
        assert!(WriteBudget::history_means().life_years_10k > 500.0);
    }
}
