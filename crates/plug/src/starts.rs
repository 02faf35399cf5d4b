//! Each start is counted, and how the last bad end came about is kept over power cuts.

use embedded_storage_async::nor_flash::NorFlash;
use heapless::{String, Vec};
use serde::Serialize;

use crate::limits;
use crate::platform::Clock;
use crate::state::State;
use crate::storage::careful::Careful;
use crate::storage::item::{self, Map};

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
    /// Bad ends in a row, each within [`limits::SETTLED`] of its start; the relay stays open after a few.
    pub bad_in_a_row: u8,
    /// How many of these were crashes, and not the mains' doing.
    pub crashes_in_a_row: u8,
    /// What went wrong with the counting; told in the plug's log.
    pub trouble: Option<Trouble>,
}

impl Starts {
    /// Whether the plug has crashed so often in a row that only what is needed to mend it is to be started. Brownouts are
    /// not counted, and a start after one is never such: they are the mains' doing, and a plug that measures is wanted back.
    #[must_use]
    pub fn call_for_safe_mode(&self) -> bool {
        let crashed = self.last_fault.as_ref().is_some_and(|fault| fault.reason != BROWNOUT);
        crashed && self.crashes_in_a_row >= limits::SAFE_MODE_STARTS
    }
}

/// The bad end that is no crash.
const BROWNOUT: &str = "brownout";
/// Reset reasons that are bad ends.
const FAULTS: [&str; 3] = ["panic", "watchdog", BROWNOUT];
/// Keys of the map; never used for anything else.
const COUNT: u8 = 1;
const FAULT: u8 = 2;
const BAD_IN_A_ROW: u8 = 3;
/// Not there where an older version counted. Where a row began anew it is stale until the next bad end.
const CRASHES_IN_A_ROW: u8 = 4;
/// Bytes of a [`Fault`]: number, length of the reason, both texts.
const RECORD: usize = 4 + 1 + limits::RESET_REASON + limits::RESET_DETAIL;
/// Key and value, in whole words of any flash.
const BUFFER: usize = (1 + RECORD).next_multiple_of(32);

type Error<E> = sequential_storage::Error<E>;

/// Counts this start in the first [`limits::STARTS_REGION`] bytes of the plug's data partition (`flash` begins
/// there), and keeps why the one before ended if it ended badly. A power cut in here leaves the old or the new count.
/// Dropping the future is a power cut. Takes a few milliseconds, and an erase once in some hundred starts.
pub async fn count<F: NorFlash>(flash: F, reset_reason: &str, reset_detail: &str) -> Starts {
    let failed = Starts { trouble: Some(Trouble::Flash), ..Starts::default() };
    let mut flash = Careful::plain(flash);
    let Some(mut map) = item::map(&mut flash, limits::STARTS_REGION) else { return failed };
    let (before, trouble) = match read(&mut map).await {
        Ok(before) => (before, None),
        Err(Error::Storage { .. }) => return failed,
        // Not what this program wrote, or worn out: what a power cut leaves is repaired by the map itself.
        Err(_) => (Kept::default(), Some(Trouble::BeganAnew)),
    };
    let new_fault = FAULTS.contains(&reset_reason).then(|| Fault {
        start: before.number,
        reason: cut(reset_reason),
        detail: cut(reset_detail),
    });
    let after = before.and_then(new_fault);
    let written = trouble.is_none() && write(&mut map, &after, &before).await.is_ok();
    if !written && write_afresh(&mut map, &after).await.is_err() {
        return failed;
    }
    Starts {
        number: after.number,
        last_fault: after.fault,
        bad_in_a_row: after.bad_in_a_row,
        crashes_in_a_row: after.crashes_in_a_row,
        trouble,
    }
}

/// This run has lasted: whatever ended the ones before is over. Dropping the future is a power cut.
///
/// # Errors
/// The flash does not take it: the next bad end counts with those before.
pub async fn settled<F: NorFlash>(flash: F, starts: &Starts) -> Result<(), Trouble> {
    if starts.bad_in_a_row == 0 {
        return Ok(());
    }
    let mut flash = Careful::plain(flash);
    let mut map = item::map(&mut flash, limits::STARTS_REGION).ok_or(Trouble::Flash)?;
    map.store_item(&mut [0; BUFFER], &BAD_IN_A_ROW, &0_u8).await.map_err(|_| Trouble::Flash)
}

/// What the flash keeps.
#[derive(Debug, Default, PartialEq, Eq)]
struct Kept {
    number: u32,
    fault: Option<Fault>,
    bad_in_a_row: u8,
    crashes_in_a_row: u8,
}

impl Kept {
    /// What is kept after one more start, and the bad end before it, if it was one.
    fn and_then(&self, new_fault: Option<Fault>) -> Self {
        // Of a row that has ended, or that an older version began anew, no more can have been crashes than its length.
        let crashes = self.crashes_in_a_row.min(self.bad_in_a_row);
        let (bad_in_a_row, crashes_in_a_row) = match &new_fault {
            None => (0, 0),
            Some(fault) if fault.reason == BROWNOUT => (self.bad_in_a_row.saturating_add(1), crashes),
            Some(_) => (self.bad_in_a_row.saturating_add(1), crashes.saturating_add(1)),
        };
        let fault = new_fault.or_else(|| self.fault.clone());
        Self { number: self.number.saturating_add(1), fault, bad_in_a_row, crashes_in_a_row }
    }
}

async fn read<F: NorFlash>(map: &mut Map<'_, Careful<F>>) -> Result<Kept, Error<F::Error>> {
    let mut buffer = [0; BUFFER];
    let number = map.fetch_item(&mut buffer, &COUNT).await?.unwrap_or(0);
    let fault = map.fetch_item::<&[u8]>(&mut buffer, &FAULT).await?.and_then(Fault::from_record);
    let bad_in_a_row = map.fetch_item(&mut buffer, &BAD_IN_A_ROW).await?.unwrap_or(0);
    let crashes_in_a_row = map.fetch_item(&mut buffer, &CRASHES_IN_A_ROW).await?.unwrap_or(0);
    Ok(Kept { number, fault, bad_in_a_row, crashes_in_a_row })
}

/// Stores what changed, and looks whether it is there. The fault comes first: a cut after it leaves it with the number
/// it belongs to. The crashes come before the row: a longer row would make stale ones count.
async fn write<F: NorFlash>(
    map: &mut Map<'_, Careful<F>>,
    kept: &Kept,
    before: &Kept,
) -> Result<(), Error<F::Error>> {
    let mut buffer = [0; BUFFER];
    if let Some(fault) = kept.fault.as_ref().filter(|_| kept.fault != before.fault) {
        map.store_item(&mut buffer, &FAULT, &fault.record().as_slice()).await?;
    }
    if kept.crashes_in_a_row != before.crashes_in_a_row {
        map.store_item(&mut buffer, &CRASHES_IN_A_ROW, &kept.crashes_in_a_row).await?;
    }
    if kept.bad_in_a_row != before.bad_in_a_row {
        map.store_item(&mut buffer, &BAD_IN_A_ROW, &kept.bad_in_a_row).await?;
    }
    map.store_item(&mut buffer, &COUNT, &kept.number).await?;
    if read(map).await? == *kept { Ok(()) } else { Err(Error::Corrupted {}) }
}

/// Stores all of it where nothing else is any more.
async fn write_afresh<F: NorFlash>(
    map: &mut Map<'_, Careful<F>>,
    kept: &Kept,
) -> Result<(), Error<F::Error>> {
    map.erase_all().await?;
    write(map, kept, &Kept::default()).await
}

impl Fault {
    /// As it lies in the flash: number (little-endian), length of the reason, reason, detail.
    fn record(&self) -> Vec<u8, RECORD> {
        let mut bytes = Vec::new();
        let length = [self.reason.len() as u8];
        for part in [&self.start.to_le_bytes()[..], &length, self.reason.as_bytes(), self.detail.as_bytes()] {
            // All of it fits: the sum of the longest is the capacity.
            let _ = bytes.extend_from_slice(part);
        }
        bytes
    }

    /// `None` for what is no record.
    fn from_record(bytes: &[u8]) -> Option<Self> {
        let (start, rest) = bytes.split_first_chunk()?;
        let (length, texts) = rest.split_first()?;
        let (reason, detail) = texts.split_at_checked(usize::from(*length))?;
        let text = |bytes| core::str::from_utf8(bytes).ok();
        Some(Self {
            start: u32::from_le_bytes(*start),
            reason: text(reason)?.try_into().ok()?,
            detail: text(detail)?.try_into().ok()?,
        })
    }
}

/// As much of it as fits, cut at a character.
fn cut<const N: usize>(text: &str) -> String<N> {
    let mut short = String::new();
    let _ = text.chars().try_for_each(|character| short.push(character));
    short
}

/// Says in the plug's log what is to be said of its starts.
pub(crate) fn tell(starts: &Starts, clock: &impl Clock, state: &State) {
    let text = match starts.trouble {
        None => return,
        Some(Trouble::Flash) => "the flash cannot be used: starts are not counted",
        Some(Trouble::BeganAnew) => "the count of starts could not be read from the flash and began anew",
    };
    state.put_log(clock.time_of_day(), clock.now().since_start().as_secs_f64(), text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_crashes_in_a_row_call_for_safe_mode_and_brownouts_do_not() {
        let starts = |crashes_in_a_row, reason: &str| Starts {
            bad_in_a_row: u8::MAX,
            crashes_in_a_row,
            last_fault: Some(Fault { start: 1, reason: cut(reason), detail: String::new() }),
            ..Starts::default()
        };
        for reason in ["panic", "watchdog"] {
            assert!(!starts(limits::SAFE_MODE_STARTS - 1, reason).call_for_safe_mode());
            assert!(starts(limits::SAFE_MODE_STARTS, reason).call_for_safe_mode());
            assert!(starts(u8::MAX, reason).call_for_safe_mode());
            // A crash of long ago.
            assert!(!starts(0, reason).call_for_safe_mode());
        }
        assert!(!starts(u8::MAX, "brownout").call_for_safe_mode());
        assert!(!Starts::default().call_for_safe_mode());
    }

    #[test]
    fn crashes_are_counted_among_the_bad_ends_and_end_with_their_row() {
        let fault = |reason| Some(Fault { start: 1, reason: cut(reason), detail: String::new() });
        let counts = |kept: &Kept| (kept.bad_in_a_row, kept.crashes_in_a_row);
        let mut kept = Kept::default();
        for (reason, wanted) in [("panic", (1, 1)), ("brownout", (2, 1)), ("watchdog", (3, 2))] {
            kept = kept.and_then(fault(reason));
            assert_eq!(counts(&kept), wanted, "{reason}");
        }
        // What `settled` leaves, and what an older version does to a row whose crashes it does not know.
        for (bad, wanted) in [(0, 0), (1, 1), (2, 2), (9, 2)] {
            let row = Kept { bad_in_a_row: bad, crashes_in_a_row: 2, ..Kept::default() };
            assert_eq!(counts(&row.and_then(fault("brownout"))), (bad + 1, wanted));
            assert_eq!(counts(&row.and_then(fault("panic"))), (bad + 1, wanted + 1));
            assert_eq!(counts(&row.and_then(None)), (0, 0));
        }
        let full = Kept { bad_in_a_row: u8::MAX, crashes_in_a_row: u8::MAX, ..Kept::default() };
        assert_eq!(counts(&full.and_then(fault("panic"))), (u8::MAX, u8::MAX));
    }

    #[test]
    fn a_record_comes_back_and_anything_else_is_none() {
        let longest = Fault {
            start: u32::MAX,
            reason: cut(&"r".repeat(limits::RESET_REASON)),
            detail: cut(&"ä".repeat(limits::RESET_DETAIL)),
        };
        assert_eq!(longest.detail.len(), limits::RESET_DETAIL);
        let empty = Fault { start: 0, reason: String::new(), detail: String::new() };
        for fault in [longest, empty] {
            let record = fault.record();
            assert_eq!(Fault::from_record(&record), Some(fault));
            for end in 0..5 {
                assert_eq!(Fault::from_record(&record[..end]), None);
            }
        }
        assert_eq!(Fault::from_record(&[0, 0, 0, 0, 9, b'x']), None);
        assert_eq!(Fault::from_record(&[0, 0, 0, 0, 1, 0xff]), None);
        assert_eq!(Fault::from_record(&[b'x'; 300]), None);
    }
}
