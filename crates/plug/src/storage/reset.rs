//! Factory reset: what is a person's goes, to the last byte. Calibration and the count of starts stay; identity and
//! firmware are not in the data partition.
//!
//! Nothing is erased while the plug runs on what is there: [`begin_reset`] leaves a mark and the plug restarts, and
//! the next start erases with [`finish_if_begun`] before it reads anything. The mark goes last, so a power cut
//! anywhere in between only makes the start after it begin anew.
//!
//! ```text
//!          begin_reset            finish_if_begun: settings, keys, ..., import     the mark's sector
//!   used --------------> marked --------------------------------------------> ... ------------------> erased
//!                          ^  |
//!                          +--+ power cut
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
/// What goes, in this order: keys and settings first, the mark last.
const GOES: [Place; 10] =
    [SETTINGS, ACCESS, RELAY_LOG, TRIPS, ENERGY, TOTALS, METER, UPLINK, BEFORE_MARK, MARK];
/// The mark; it is there twice, and one that is whole counts.
const WORDS: [u8; 8] = 0x5eb1_c3a7_4d96_7a2c_u64.to_le_bytes();
const TWICE: usize = 2 * WORDS.len();

/// Notes that everything is to be erased. `flash` begins where the data partition does. The plug must restart then; a
/// power cut in here leaves it either to be reset or as it was.
///
/// # Errors
/// What the flash says; nothing was erased.
pub async fn begin_reset<F: NorFlash>(flash: &mut F) -> Result<(), F::Error> {
    let mut mark = Words([0; TWICE]);
    flash.read(MARK.from, &mut mark.0).await?;
    if mark.0.iter().any(|byte| *byte != 0xff) {
        flash.erase(MARK.from, MARK.from + MARK.length).await?;
    }
    for (to, from) in mark.0.iter_mut().zip(WORDS.iter().cycle()) {
        *to = *from;
    }
    flash.write(MARK.from, &mark.0).await
}

/// Erases the history, a partition of its own, if a reset was begun. To be called before [`finish_if_begun`], which takes
/// the mark away. Sectors that read erased are passed over; the others take some 50 ms each.
///
/// # Errors
/// What the flash says; the next start tries again.
pub async fn erase_log_if_begun<F: NorFlash>(flash: &mut F, log: &mut F) -> Result<(), F::Error> {
    let mut mark = Words([0; TWICE]);
    flash.read(MARK.from, &mut mark.0).await?;
    if !mark.0.as_chunks().0.contains(&WORDS) {
        return Ok(());
    }
    let mut bytes = Words([0; 64]);
    for sector in (0..log.capacity() as u32).step_by(SECTOR as usize) {
        for at in (sector..sector + SECTOR).step_by(bytes.0.len()) {
            log.read(at, &mut bytes.0).await?;
            if bytes.0.iter().any(|byte| *byte != 0xff) {
                log.erase(sector, sector + SECTOR).await?;
                break;
            }
        }
    }
    Ok(())
}

/// Erases all that a reset erases if one was begun; whether one was. To be called at each start before anything of
/// the data partition but the starts is read; `flash` begins where the partition does. Takes some 5 s if there is
/// something to do.
///
/// # Errors
/// What the flash says; the next start tries again.
pub async fn finish_if_begun<F: NorFlash>(flash: &mut F) -> Result<bool, F::Error> {
    let mut mark = Words([0; TWICE]);
    flash.read(MARK.from, &mut mark.0).await?;
    if !mark.0.as_chunks().0.contains(&WORDS) {
        // What a cut at its first word, or in its last erase, left of a mark.
        if mark.0.iter().any(|byte| *byte != 0xff) {
            flash.erase(MARK.from, MARK.from + MARK.length).await?;
        }
        return Ok(false);
    }
    for place in GOES {
        erase(flash, place).await?;
    }
    Ok(true)
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
    use crate::storage::layout::{CALIBRATION, STARTS};

    #[test]
    fn all_goes_but_the_starts_and_the_calibration() {
        let gone: u32 = GOES.iter().map(|place| place.length).sum();
        assert_eq!(gone + STARTS.length + CALIBRATION.length, 448 * 1024);
        for place in GOES {
            assert!(place != CALIBRATION && place != STARTS);
        }
    }
}
