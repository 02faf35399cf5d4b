//! The log on the plug: a row every few seconds, kept over power cuts for days, and their 5-minute means for weeks.

mod intake;
mod log;
mod merge;
mod record;
mod ring;
mod row;
mod walk;

pub use self::intake::Intake;
pub use self::log::{COARSE_S, FINE_SECTORS, History, ROW_BYTES, ROWS_A_SECTOR, SECTORS};
pub use self::merge::Merge;
pub use self::row::{CHUNK, Chunk, Row, Unplaced};
use crate::storage::StoreError;

/// Why the log does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryError {
    /// There is no flash for it.
    Missing,
    /// The flash does not answer, or does not keep what is written to it.
    Flash,
    /// The heap has no room for a buffer of 512 bytes.
    NoMemory,
}

impl core::fmt::Display for HistoryError {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str(match self {
            Self::Missing => "there is no flash for the history",
            Self::Flash => "the history's flash does not answer",
            Self::NoMemory => "there is not enough memory left",
        })
    }
}

impl core::error::Error for HistoryError {}

impl<E> From<StoreError<E>> for HistoryError {
    fn from(error: StoreError<E>) -> Self {
        match error {
            StoreError::NoMemory => Self::NoMemory,
            _ => Self::Flash,
        }
    }
}

/// Rows that made room while the uplink still wanted them, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Of the first ring: of these only the 5-minute means are left.
    pub thinned: u32,
    /// Of the second ring: of these nothing is left. Each stands for 5 minutes.
    pub lost: u32,
}

/// Rows whose time is known, by their time. The log is one; tests have others.
pub trait Rows {
    /// Puts the first rows with a time in (`after`, `until`] into `rows`, oldest first; what was in it is gone. None are
    /// left if there are none. Goes on with `after` as the last row's time. Times only rise: where the clock was put
    /// back, what was written later counts. From the ring of short rows where it reaches back so far, before that from that
    /// of 5-minute means. Dropping the future does no harm.
    ///
    /// # Errors
    /// If the log does not answer.
    async fn read(&self, after: u32, until: u32, rows: &mut Chunk) -> Result<(), HistoryError>;

    /// The time of the newest row; `None` if there is no row with a time.
    ///
    /// # Errors
    /// If the log does not answer.
    async fn newest(&self) -> Result<Option<u32>, HistoryError>;

    /// The time of the oldest row; `None` if there is no row with a time.
    ///
    /// # Errors
    /// If the log does not answer.
    async fn oldest(&self) -> Result<Option<u32>, HistoryError>;

    /// About how many rows have a time in (`after`, `until`].
    ///
    /// # Errors
    /// If the log does not answer.
    async fn count(&self, after: u32, until: u32) -> Result<u32, HistoryError>;

    /// Says which rows the uplink still wants: those after `cursor`; `None`: none. Only for counting what was dropped.
    fn wanted_after(&self, _cursor: Option<u32>) {}

    /// What made room while it was still wanted.
    fn dropped(&self) -> Dropped {
        Dropped::default()
    }
}
