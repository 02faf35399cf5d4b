//! The log: a ring of rows as they are measured, and behind it one of their 5-minute means.
//!
//! ```text
//!   readings --> Intake --> keep --> fine ring          206 of 247 sectors, 3 days at 10 s
//!                             |
//!                             +--> Merge --> coarse ring    50 of 256 sectors, 3 weeks at 5 minutes
//! ```
//! A 5-minute window that was under way when the power went is made up for at the next start, from the fine ring.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::Cell;

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::Mutex;
use embedded_storage_async::nor_flash::NorFlash;

use super::intake::Intake;
use super::merge::Merge;
use super::record::{LAST_BOOT, RECORD};
use super::ring::{LAST_SLOT, Ring, key_of};
use super::row::{CHUNK, Chunk, Row, Unplaced};
use super::walk::{After, note};
use super::{Dropped, HistoryError, Rows};
use crate::storage::archive::{Found, Query};
use crate::storage::layout::{Place, SECTOR};
use crate::storage::region::{Region, Shared};

/// How long a row of the coarse ring is at least.
pub const COARSE_S: u32 = 300;
/// Sectors of the fine ring, of [`SECTORS`]; the others are the coarse ring's.
pub const FINE_SECTORS: u32 = 206;
/// Sectors of both rings.
pub const SECTORS: u32 = 256;
/// Rows that a sector holds, if no base is needed in between.
pub const ROWS_A_SECTOR: u32 = LAST_SLOT as u32;
/// Bytes of a row, and of a sector's head.
pub const ROW_BYTES: u32 = RECORD;
/// Sectors that both rings need at least.
const FEWEST_SECTORS: u32 = 16;

/// The log. Reading and writing take turns.
pub struct History<'a, F: NorFlash> {
    /// `None`: there is no flash for it, or it is too small.
    rings: Mutex<NoopRawMutex, Option<Rings<Region<'a, F>>>>,
    wanted_after: Cell<Option<u32>>,
    dropped: Cell<Dropped>,
}

struct Rings<F> {
    fine: Ring<F>,
    coarse: Ring<F>,
    merge: Merge,
    boot: u32,
}

impl<'a, F: NorFlash> History<'a, F> {
    /// The log in all of `flash`. Reads nothing yet.
    pub async fn new(flash: &'a Shared<F>) -> Self {
        let sectors = flash.lock().await.as_ref().map_or(0, |flash| flash.capacity() as u32 / SECTOR);
        let rings = (sectors >= FEWEST_SECTORS).then(|| {
            let fine = sectors.min(SECTORS) * FINE_SECTORS / SECTORS;
            let ring = |first: u32, count: u32| {
                Ring::new(Region::new(flash, Place { from: first * SECTOR, length: count * SECTOR }))
            };
            let (fine, coarse) = (ring(0, fine), ring(fine, sectors.min(SECTORS) - fine));
            Rings { fine, coarse, merge: Merge::new(COARSE_S), boot: 0 }
        });
        Self { rings: Mutex::new(rings), wanted_after: Cell::new(None), dropped: Cell::default() }
    }

    /// Keeps the rows that come in. `start` is this start's number. Runs for ever; dropping the future is a power cut.
    pub async fn keep(&self, intake: &Intake, start: u32, say: impl Fn(&str)) -> ! {
        let mut told = match self.begin(start).await {
            Ok(()) => false,
            Err(error) => {
                say(&alloc::format!("history: {error}"));
                true
            }
        };
        loop {
            let row = intake.next().await;
            if let Err(error) = self.append(row).await
                && !told
            {
                say(&alloc::format!("history: {error}"));
                told = true;
            }
            intake.done();
        }
    }

    /// Looks for the ends of the rings, and makes up for the 5-minute window that the last power cut left undone.
    ///
    /// # Errors
    /// If the flash does not answer, or there is no memory; rows can be kept all the same.
    pub async fn begin(&self, start: u32) -> Result<(), HistoryError> {
        {
            let mut rings = self.rings.lock().await;
            let rings = rings.as_mut().ok_or(HistoryError::Missing)?;
            rings.boot = start.min(LAST_BOOT);
            let newest = rings.fine.end().await?.boot.max(rings.coarse.end().await?.boot);
            rings.boot = rings.boot.max(newest.saturating_add(1)).min(LAST_BOOT);
        }
        // Others may read in between.
        while self.rings.lock().await.as_mut().ok_or(HistoryError::Missing)?.make_up().await? {}
        let mut rings = self.rings.lock().await;
        rings.as_mut().ok_or(HistoryError::Missing)?.finish().await
    }

    /// Keeps one row of this start. A power cut in it leaves the log with or without it.
    ///
    /// # Errors
    /// If the flash does not take it, or there is no memory.
    pub async fn append(&self, row: Row) -> Result<(), HistoryError> {
        let mut rings = self.rings.lock().await;
        let rings = rings.as_mut().ok_or(HistoryError::Missing)?;
        let wanted_after = self.wanted_after.get();
        (rings.fine.wanted_after, rings.coarse.wanted_after) = (wanted_after, wanted_after);
        let result = rings.append(&Row { boot: rings.boot, ..row }).await;
        self.dropped.set(Dropped { thinned: rings.fine.dropped, lost: rings.coarse.dropped });
        result
    }

    /// Answers what the web asks; `None` if the log does not say.
    pub async fn find(&self, query: Query) -> Option<Found> {
        let found = match query {
            Query::History { after, until, coarse } => {
                let mut page = Page::new().ok()?;
                if coarse {
                    self.read_coarse(after, until, page.rows()).await.ok()?;
                }
                if page.rows().is_empty() {
                    self.read(after, until, page.rows()).await.ok()?;
                }
                Found::History(page.into_rows()?)
            }
            Query::HistorySpan => Found::HistorySpan(self.span().await.ok()?),
            Query::Unplaced => Found::Unplaced(self.unplaced().await.ok()?),
            Query::UnplacedRows { boot, after_ds } => {
                Found::History(self.unplaced_rows(boot, after_ds).await.ok()?.into_rows()?)
            }
            _ => return None,
        };
        Some(found)
    }

    async fn read_coarse(&self, after: u32, until: u32, rows: &mut Chunk) -> Result<(), HistoryError> {
        let mut rings = self.rings.lock().await;
        let Rings { coarse, .. } = rings.as_mut().ok_or(HistoryError::Missing)?;
        coarse.read(After::Time(after), until, rows).await
    }

    async fn span(&self) -> Result<Option<(u32, u32)>, HistoryError> {
        let Some((row, time)) = self.first().await? else { return Ok(None) };
        let newest = self.newest().await?.unwrap_or(time);
        Ok(Some((time.saturating_sub(row.interval_s), newest)))
    }

    /// The oldest row with a time.
    async fn first(&self) -> Result<Option<(Row, u32)>, HistoryError> {
        let mut page = Page::new()?;
        self.read(0, u32::MAX, page.rows()).await?;
        Ok(page.rows().first().and_then(|row| Some((*row, row.time?))))
    }

    async fn unplaced(&self) -> Result<Vec<Unplaced>, HistoryError> {
        let mut page = Page::new()?;
        let mut rings = self.rings.lock().await;
        let Rings { fine, coarse, .. } = rings.as_mut().ok_or(HistoryError::Missing)?;
        let mut after = coarse.end().await?.newest;
        let mut starts = coarse.unplaced().await?;
        // The coarse ring does not have the window that is under way: a start of some minutes may lie all in it.
        loop {
            fine.read(After::Key(after), u32::MAX, page.rows()).await?;
            let Some(last) = page.rows().last() else { return Ok(starts) };
            after = key_of(last);
            for row in page.rows().iter().filter(|row| row.time.is_none()) {
                note(&mut starts, row);
            }
        }
    }

    async fn unplaced_rows(&self, boot: u32, after_ds: u32) -> Result<Page, HistoryError> {
        let mut page = Page::new()?;
        let mut rings = self.rings.lock().await;
        let Rings { fine, coarse, .. } = rings.as_mut().ok_or(HistoryError::Missing)?;
        let after = (boot, after_ds);
        let first = fine.oldest_key().await?;
        let lost = fine.has_lost().await?;
        let rows = page.rows();
        if first.is_none_or(|first| after < first) {
            coarse.read(After::Key(after), u32::MAX, rows).await?;
            // As with times: what the fine ring has lost, and the window of which it has lost a part.
            let before = |row: &Row| {
                let (boot, end_ds) = key_of(row);
                let begins = (boot, end_ds.saturating_sub(row.interval_s.saturating_mul(10)));
                first.is_none_or(|first| if lost { begins < first } else { (boot, end_ds) < first })
            };
            rows.retain(|row| row.boot == boot && row.time.is_none() && before(row));
        }
        if rows.is_empty() {
            fine.read(After::Key(after), u32::MAX, rows).await?;
            rows.retain(|row| row.boot == boot && row.time.is_none());
        }
        Ok(page)
    }
}

impl<F: NorFlash> Rings<F> {
    async fn append(&mut self, row: &Row) -> Result<(), HistoryError> {
        let kept = self.fine.append(row).await;
        let learned = row.time.is_some() && self.merge.last().is_some_and(|last| last.time.is_none());
        let merged = match kept {
            Ok(()) if learned => {
                // Now that the time is known, so is in which windows the rows before belong.
                self.merge = Merge::new(COARSE_S);
                self.make_up_all().await
            }
            _ => self.merge(row).await,
        };
        kept.and(merged)
    }

    async fn merge(&mut self, row: &Row) -> Result<(), HistoryError> {
        match self.merge.push(row) {
            Some(row) => self.coarse.append(&row).await,
            None => Ok(()),
        }
    }

    async fn make_up_all(&mut self) -> Result<(), HistoryError> {
        while self.make_up().await? {}
        Ok(())
    }

    /// Brings the next rows of the fine ring, behind those that the coarse one has, into that; whether there may be more.
    async fn make_up(&mut self) -> Result<bool, HistoryError> {
        let mut page = Page::new()?;
        let rows = page.rows();
        let kept = self.coarse.end().await?.newest;
        // Rows that are gathered already are behind those in the ring.
        let from = self.merge.last().map_or(kept, |row| key_of(row).max(kept));
        self.fine.read(After::Key(from), u32::MAX, rows).await?;
        for row in rows.iter() {
            self.merge(row).await?;
        }
        Ok(!rows.is_empty())
    }

    /// Ends the window that a start before this one left undone, where its rows end: those of this start that lie in the
    /// same window must come behind it.
    async fn finish(&mut self) -> Result<(), HistoryError> {
        match self.merge.cut() {
            Some(row) => self.coarse.append(&row).await,
            None => Ok(()),
        }
    }

    /// Up to which end the coarse ring is read: it has what the fine one has lost, and the window of which that has lost
    /// a part.
    async fn coarse_until(&mut self) -> Result<u32, HistoryError> {
        let Some(row) = self.fine.first().await? else { return Ok(u32::MAX) };
        let begins = row.time.unwrap_or(0).saturating_sub(row.interval_s);
        let coarse_s = COARSE_S.max(row.interval_s);
        Ok(if self.fine.has_lost().await? { begins.saturating_add(coarse_s - 1) } else { begins })
    }
}

/// Rows on the heap: a future should not have to hold them.
struct Page(Box<[Chunk; 1]>);

impl Page {
    fn new() -> Result<Self, HistoryError> {
        let mut page = Vec::new();
        page.try_reserve_exact(1).map_err(|_| HistoryError::NoMemory)?;
        page.push(Chunk::new());
        page.into_boxed_slice().try_into().map(Self).map_err(|_| HistoryError::NoMemory)
    }

    fn rows(&mut self) -> &mut Chunk {
        let [rows] = &mut *self.0;
        rows
    }

    fn into_rows(mut self) -> Option<Vec<Row>> {
        let mut rows = Vec::new();
        rows.try_reserve_exact(CHUNK).ok()?;
        rows.extend_from_slice(self.rows());
        Some(rows)
    }
}

impl<F: NorFlash> Rows for History<'_, F> {
    async fn read(&self, after: u32, until: u32, rows: &mut Chunk) -> Result<(), HistoryError> {
        rows.clear();
        let mut rings = self.rings.lock().await;
        let rings = rings.as_mut().ok_or(HistoryError::Missing)?;
        let coarse_until = rings.coarse_until().await?.min(until);
        if after < coarse_until {
            rings.coarse.read(After::Time(after), coarse_until, rows).await?;
        }
        if rows.is_empty() {
            rings.fine.read(After::Time(after), until, rows).await?;
        }
        Ok(())
    }

    async fn newest(&self) -> Result<Option<u32>, HistoryError> {
        let mut rings = self.rings.lock().await;
        let Rings { fine, coarse, .. } = rings.as_mut().ok_or(HistoryError::Missing)?;
        let newest = fine.end().await?.newest_time;
        Ok(newest.or(coarse.end().await?.newest_time))
    }

    async fn oldest(&self) -> Result<Option<u32>, HistoryError> {
        Ok(self.first().await?.map(|(_, time)| time))
    }

    async fn count(&self, after: u32, until: u32) -> Result<u32, HistoryError> {
        let mut rings = self.rings.lock().await;
        let rings = rings.as_mut().ok_or(HistoryError::Missing)?;
        let border = rings.coarse_until().await?.min(until);
        let coarse = if after < border { rings.coarse.count(after, border).await? } else { 0 };
        Ok(coarse.saturating_add(rings.fine.count(after.max(border), until).await?))
    }

    fn wanted_after(&self, cursor: Option<u32>) {
        self.wanted_after.set(cursor);
    }

    fn dropped(&self) -> Dropped {
        self.dropped.get()
    }
}
