//! Factory reset: what is a person's goes, to the last byte. Calibration and the count of starts stay; identity and
//! firmware are not in the data partition.
//!
//! Nothing is erased while the plug runs on what is there: [`begin_reset`] leaves a mark and the plug restarts, and
//! the next start erases with [`finish_if_begun`] before it reads anything. The mark goes last, so a power cut
//! anywhere in between only makes the start after it begin anew. The history lies in a partition of its own and goes after
//! the settings and keys: where it cannot be erased, that is noted behind the mark, and each start tries it again.
//!
//! ```text
//!          begin_reset           settings, keys, ..., import               the history         the mark's sector
//!   used --------------> marked ----------------------------> but history -----------> ... ------------------> erased
//!                          ^  |                                 ^  |
//!                          +--+ power cut                       +--+ power cut, or the flash refuses
//! ```

use embedded_storage_async::nor_flash::NorFlash;

use super::layout::{
    ACCESS, ENERGY, IMPORT, METER, Place, RELAY_LOG, SECTOR, SETTINGS, TOTALS, TRIPS, UPLINK,
};
use super::sector::Words;

/// Where the mark lies: the last sector of [`IMPORT`], which nothing else may use.
pub const MARK: Place = Place { from: IMPORT.from + IMPORT.length - SECTOR, length: SECTOR };
/// The rest of [`IMPORT`].
const BEFORE_MARK: Place = Place { from: IMPORT.from, length: IMPORT.length - SECTOR };
/// What goes before the history, in this order: settings and keys first. The mark goes last.
const GOES: [Place; 9] = [SETTINGS, ACCESS, RELAY_LOG, TRIPS, ENERGY, TOTALS, METER, UPLINK, BEFORE_MARK];
/// The mark; it is there twice, and one that is whole counts.
const WORDS: [u8; 8] = 0x5eb1_c3a7_4d96_7a2c_u64.to_le_bytes();
const TWICE: usize = 2 * WORDS.len();
/// Stands behind the mark once only the history is left.
const BUT_LOG: [u8; 8] = 0x1fd0_96b3_e84a_275c_u64.to_le_bytes();
const ALL: usize = TWICE + BUT_LOG.len();

/// What a start found of a reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// None was begun.
    None,
    /// All is gone.
    Done,
    /// All is gone but the history, which the flash does not erase. The next start tries again.
    ButLog,
    /// The same at a later start: the plug may have been used since.
    StillLog,
    /// The history is gone at last, at a later start.
    LogGone,
}

impl Reset {
    /// What there is to tell of it.
    #[must_use]
    pub const fn words(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::LogGone => Some("factory reset: the history is gone now, too"),
            Self::Done => Some("factory reset: settings, logs and energy are gone"),
            Self::ButLog | Self::StillLog => {
                Some("factory reset: the history could not be erased; the next start tries again")
            }
        }
    }
}

/// Notes that everything is to be erased. `flash` begins where the data partition does. The plug must restart then; a
/// power cut in here leaves it either to be reset or as it was.
///
/// # Errors
/// What the flash says; nothing was erased.
pub async fn begin_reset<F: NorFlash>(flash: &mut F) -> Result<(), F::Error> {
    let mut mark = read_mark(flash).await?;
    if mark.0.iter().any(|byte| *byte != 0xff) {
        flash.erase(MARK.from, MARK.from + MARK.length).await?;
    }
    for (to, from) in mark.0.iter_mut().zip(WORDS.iter().cycle()) {
        *to = *from;
    }
    flash.write(MARK.from, mark.0.get(..TWICE).unwrap_or(&[])).await
}

/// Erases all that a reset erases if one was begun. To be called at each start before anything of the data partition but
/// the starts, or of the history, is read; `flash` begins where the partition does, `log` is the history's, if there is one.
/// Takes some 5 s if there is something to do, and 50 ms for each sector of the history that was used.
///
/// # Errors
/// What the flash says; the next start tries again. What `log` says is no error but [`Reset::ButLog`].
pub async fn finish_if_begun<F: NorFlash>(flash: &mut F, log: Option<&mut F>) -> Result<Reset, F::Error> {
    let mark = read_mark(flash).await?;
    let (words, but_log) = mark.0.split_at(TWICE);
    if !words.as_chunks().0.contains(&WORDS) {
        // What a cut at its first word, or in its last erase, left of a mark.
        if mark.0.iter().any(|byte| *byte != 0xff) {
            flash.erase(MARK.from, MARK.from + MARK.length).await?;
        }
        return Ok(Reset::None);
    }
    let goes_on = but_log == BUT_LOG;
    if !goes_on {
        for place in GOES {
            erase(flash, place).await?;
        }
    }
    let log_is_gone = match log {
        Some(log) => erase_log(log).await.is_ok(),
        None => true,
    };
    if log_is_gone {
        erase(flash, MARK).await?;
        return Ok(if goes_on { Reset::LogGone } else { Reset::Done });
    }
    if goes_on {
        return Ok(Reset::StillLog);
    }
    // Only here: a mark that stands while the plug is used must not take again what it keeps from now on.
    if !but_log.iter().all(|byte| *byte == 0xff) {
        begin_reset(flash).await?;
    }
    flash.write(MARK.from + TWICE as u32, &BUT_LOG).await?;
    Ok(Reset::ButLog)
}

/// The mark and what stands behind it.
async fn read_mark<F: NorFlash>(flash: &mut F) -> Result<Words<ALL>, F::Error> {
    let mut mark = Words([0; ALL]);
    flash.read(MARK.from, &mut mark.0).await?;
    Ok(mark)
}

/// Erases the history. Sectors that read erased are passed over; one that cannot be erased does not keep the others.
async fn erase_log<F: NorFlash>(log: &mut F) -> Result<(), F::Error> {
    let mut result = Ok(());
    for sector in (0..log.capacity() as u32).step_by(SECTOR as usize) {
        let erased = erase_used(log, sector).await;
        result = result.and(erased);
    }
    result
}

async fn erase_used<F: NorFlash>(log: &mut F, sector: u32) -> Result<(), F::Error> {
    let mut bytes = Words([0; 64]);
    for at in (sector..sector + SECTOR).step_by(bytes.0.len()) {
        // What cannot be read must go all the more.
        let read = log.read(at, &mut bytes.0).await;
        if read.is_err() || bytes.0.iter().any(|byte| *byte != 0xff) {
            return log.erase(sector, sector + SECTOR).await;
        }
    }
    Ok(())
}

/// Forgets who the owner is, and all keys and tokens, and nothing else: for somebody who has the machine in hand.
/// `flash` begins where the data partition does.
///
/// # Errors
/// What the flash says; some of it may be erased then.
pub async fn forget_access<F: NorFlash>(flash: &mut F) -> Result<(), F::Error> {
    erase(flash, ACCESS).await
}

/// Sector by sector, so that others have their turn.
async fn erase<F: NorFlash>(flash: &mut F, place: Place) -> Result<(), F::Error> {
    for sector in (place.from..place.from + place.length).step_by(SECTOR as usize) {
        flash.erase(sector, sector + SECTOR).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::layout::{CALIBRATION, SECTOR, SECTORS, STARTS};

    #[test]
    fn all_goes_but_the_starts_and_the_calibration() {
        let gone: u32 = GOES.iter().map(|place| place.length).sum();
        assert_eq!(gone + MARK.length + STARTS.length + CALIBRATION.length, SECTORS * SECTOR);
        for place in GOES {
            assert!(place != CALIBRATION && place != STARTS);
        }
    }
}
