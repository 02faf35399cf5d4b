//! What stands beside the entries of the record, in the same sectors and erased with them: times, and how much of its time
//! a trial has used up. No boot loader reads it, and an image that does not know it does without.
//!
//! ```text
//!  0 the entry     32 time of the choice    40 time of the confirmation    64 a word for each stretch that is used up
//! ```

use super::record::{self, Record, RecordError, Standing};
use crate::limits;
use crate::platform::UpdateSlots;

/// Where a time stands that was known when the entry was made, and when the image was confirmed: seconds, and their
/// complement, since a cut may leave half of a word.
pub(super) const CHOSEN_AT: u32 = 32;
pub(super) const CONFIRMED_AT: u32 = 40;
/// Where the trial's stretches are marked, a word for each.
const STRETCHES: u32 = 64;

/// Writes a time beside an entry, where it is known.
pub(super) async fn stamp<S: UpdateSlots>(
    slots: &mut S,
    sector: u8,
    at: u32,
    time: Option<f64>,
) -> Result<(), RecordError<S::Error>> {
    // Up to the year 2106.
    let Some(seconds) = time.map(|time| time as u32).filter(|seconds| (1..u32::MAX).contains(seconds)) else {
        return Ok(());
    };
    let words = u64::from(seconds) | u64::from(!seconds) << 32;
    Ok(slots.write_record(sector, at, &words.to_le_bytes()).await?)
}

/// When what holds came about, Unix seconds: the image was confirmed, or chosen. `None` if the plug did not know the time
/// then.
///
/// # Errors
/// If the flash fails.
pub async fn when<S: UpdateSlots>(slots: &mut S) -> Result<Option<f64>, S::Error> {
    let record = Record::read(slots).await?;
    let Some((sector, entry)) = record.active() else { return Ok(None) };
    let at = if entry.standing() == Standing::Confirmed { CONFIRMED_AT } else { CHOSEN_AT };
    let mut words = [0; 8];
    slots.read_record(sector, at, &mut words).await?;
    let words = u64::from_le_bytes(words);
    let (seconds, check) = (words as u32, (words >> 32) as u32);
    Ok((seconds == !check).then_some(f64::from(seconds)))
}

/// Stretches of its trial that the image used up; 0: it was never started.
///
/// # Errors
/// If the flash fails.
pub async fn stretches<S: UpdateSlots>(slots: &mut S) -> Result<u32, S::Error> {
    let record = Record::read(slots).await?;
    let Some((sector, _)) = record.active() else { return Ok(0) };
    let mut words = [0; 4 * limits::PROBATION_STRETCHES as usize];
    slots.read_record(sector, STRETCHES, &mut words).await?;
    // A mark that a power cut left half written was meant.
    let marked = words.as_chunks::<4>().0.iter().filter(|word| **word != [0xff; 4]);
    Ok(marked.count() as u32)
}

/// Writes down that one more stretch is used up, after `used` of them. One that has no place any more is not written.
///
/// # Errors
/// If the flash does not take it.
pub async fn mark_stretch<S: UpdateSlots>(slots: &mut S, used: u32) -> Result<(), RecordError<S::Error>> {
    if used >= limits::PROBATION_STRETCHES {
        return Ok(());
    }
    record::mark(slots, STRETCHES + 4 * used).await
}
