//! Daily and monthly totals in local time, from marks: what the meter showed when a day or a month began.
//!
//! A day's energy is the mark of the next day less its own; today's is the meter's total less today's mark. So each
//! day costs one write, and no power cut takes anything from it: the meter's total is kept by the journal.
//!
//! Where the plug did not see midnight (it was off, or did not know the time), the first moment of the day that it
//! knows counts for the whole day; what came before belongs to the day before. Both days' rows then say that they are
//! not exact.

use embedded_storage_async::nor_flash::NorFlash;
use heapless::Vec;
use metering::energy::Energy;
use metering::reading::Reading;
use sequential_storage::Error;

use super::careful::Careful;
use super::item::{self, Map};
use super::layout::{SECTOR, TOTALS};
use block::{BLOCK, Block, MARKS, Mark};

mod block;

/// Days and months of which a row is kept, at least (rows of today and of this month among them).
pub const DAYS: usize = DAY_BLOCKS as usize * MARKS - MARKS + 1;
/// See [`DAYS`].
pub const MONTHS: usize = MONTH_BLOCKS as usize * MARKS - MARKS + 1;

const DAY_BLOCKS: u8 = 17;
const MONTH_BLOCKS: u8 = 11;
/// Keys of the map: the days' blocks from 0 on, the months' from here on.
const MONTH_KEYS: u8 = 64;
/// Key and block, in whole words of any flash.
const BUFFER: usize = (1 + BLOCK).next_multiple_of(32);
/// A clock that goes back by no more days than this was set, or moved to another zone: the mark of the later day
/// waits for its day. If it goes back by more, it was wrong before.
const PATIENCE_DAYS: i32 = 2;
const MICROSECONDS: f64 = 1e6;

/// What a meter counted, for ever: none of it ever goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Consumed.
    pub import: Energy,
    /// Delivered.
    pub export: Energy,
    /// The part of both that could not be told from noise.
    pub below_noise: Energy,
    /// Time that was not measured, in microseconds.
    pub unmeasured_us: u64,
}

impl Totals {
    /// What a reading tells.
    #[must_use]
    pub fn of(reading: &Reading) -> Self {
        Self {
            import: reading.energy_import,
            export: reading.energy_export,
            below_noise: reading.energy_below_noise,
            unmeasured_us: libm::round(reading.unmeasured.0 * MICROSECONDS) as u64,
        }
    }

    /// Both together: what was kept before the start, and what came since.
    #[must_use]
    pub const fn plus(self, more: Self) -> Self {
        Self {
            import: Energy(self.import.0.saturating_add(more.import.0)),
            export: Energy(self.export.0.saturating_add(more.export.0)),
            below_noise: Energy(self.below_noise.0.saturating_add(more.below_noise.0)),
            unmeasured_us: self.unmeasured_us.saturating_add(more.unmeasured_us),
        }
    }

    /// In seconds.
    #[must_use]
    pub fn unmeasured_s(&self) -> f64 {
        self.unmeasured_us as f64 / MICROSECONDS
    }

    /// Whether nothing of `earlier` is more than this.
    #[must_use]
    pub fn covers(&self, earlier: &Self) -> bool {
        self.import >= earlier.import
            && self.export >= earlier.export
            && self.below_noise >= earlier.below_noise
            && self.unmeasured_us >= earlier.unmeasured_us
    }

    /// Import and export since `earlier`, in nano-watt-hours.
    #[must_use]
    pub const fn moved_since(&self, earlier: &Self) -> u64 {
        let import = self.import.0.saturating_sub(earlier.import.0);
        import.saturating_add(self.export.0.saturating_sub(earlier.export.0))
    }
}

/// A day or a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Days since 1970-01-01 in local time; of a month the first day that is known of it.
    pub day: i32,
    /// Consumed.
    pub import: Energy,
    /// Delivered.
    pub export: Energy,
    /// Time that was not measured, in microseconds.
    pub unmeasured_us: u64,
    /// Whether its midnights were seen: nothing of it is in another row, and nothing of another in it.
    pub exact: bool,
}

impl Row {
    /// In seconds.
    #[must_use]
    pub fn unmeasured_s(&self) -> f64 {
        self.unmeasured_us as f64 / MICROSECONDS
    }
}

/// Why the marks do not do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarksError {
    /// The flash does not read or write.
    Flash,
    /// What stands there cannot be understood.
    Unreadable,
}

impl<E> From<Error<E>> for MarksError {
    fn from(error: Error<E>) -> Self {
        if matches!(error, Error::Storage { .. }) { Self::Flash } else { Self::Unreadable }
    }
}

impl core::fmt::Display for MarksError {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str(match self {
            Self::Flash => "the flash does not answer: daily totals are not kept",
            Self::Unreadable => "the daily totals could not be read from the flash",
        })
    }
}

impl core::error::Error for MarksError {}

/// Of what there is a row each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Period {
    Day,
    Month,
}

impl Period {
    const fn blocks(self) -> u8 {
        match self {
            Self::Day => DAY_BLOCKS,
            Self::Month => MONTH_BLOCKS,
        }
    }

    /// The number of the period that a day lies in.
    fn number(self, day: i32) -> i32 {
        match self {
            Self::Day => day,
            Self::Month => month_of(day),
        }
    }

    fn block_of(self, day: i32) -> i32 {
        self.number(day).div_euclid(MARKS as i32)
    }

    fn key(self, block: i32) -> u8 {
        let turn = block.rem_euclid(self.blocks().into()) as u8;
        if self == Self::Day { turn } else { MONTH_KEYS + turn }
    }
}

/// Months since January of year 0 (proleptic Gregorian), of a day since 1970-01-01: Howard Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
fn month_of(day: i32) -> i32 {
    let from_march_0 = i64::from(day) + 719_468;
    let era = from_march_0.div_euclid(146_097);
    let day_of_era = from_march_0.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // 0 is March: the leap day comes last.
    let month = (5 * day_of_year + 2) / 153;
    ((era * 400 + year_of_era) * 12 + month + 2) as i32
}

/// The marks of one meter.
pub struct DayMarks<F: NorFlash> {
    /// The library for maps does not expect an erase that was cut.
    flash: Careful<F>,
    meter: u32,
    /// The newest marks; `None` before they were read.
    newest: Option<Newest>,
    /// The day that was noted last by this start.
    seen: Option<i32>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Newest {
    day: Option<Mark>,
    month: Option<Mark>,
}

/// Where a list of rows goes on: newest first. Made by [`DayMarks::days`] and [`DayMarks::months`].
#[derive(Clone, Debug)]
pub struct Rows {
    period: Period,
    /// The block that comes next.
    block: i32,
    left: u8,
    /// What followed the row that comes next: a later mark, or the totals of now.
    next: Mark,
    open: bool,
}

impl<F: NorFlash> DayMarks<F> {
    /// The marks in the TOTALS place (`flash` begins there) of the meter with this tag. What cannot be understood is
    /// erased, and told; where the flash fails each later call tries again.
    ///
    /// Dropping the future costs nothing, or is a power cut in that erase.
    pub async fn open(flash: F, meter: u32) -> (Self, Result<(), MarksError>) {
        let mut marks = Self { flash: Careful::new(flash), meter, newest: None, seen: None };
        let mut result = marks.load().await.map(|_| ());
        if result == Err(MarksError::Unreadable) {
            result = marks.begin_anew().await.and(result);
        }
        (marks, result)
    }

    /// Whether [`Self::note`] would write: the day is new. The journal has to hold `totals` before that, or a power
    /// cut could leave a mark above the meter's total.
    #[must_use]
    pub fn wants(&self, local_day: i64) -> bool {
        let newest = self.newest.and_then(|newest| newest.day);
        newest.is_none_or(|mark| !waits(mark.day, day_number(local_day)))
    }

    /// Whether [`Self::note`] would take marks of later days away: nothing to be done while the clock is doubted.
    #[must_use]
    pub fn would_forget(&self, local_day: i64) -> bool {
        let (newest, day) = (self.newest.and_then(|newest| newest.day), day_number(local_day));
        newest.is_some_and(|mark| mark.day > day && !waits(mark.day, day))
    }

    /// It is this day (days since 1970-01-01 in local time, from a trusted clock), and the meter shows `totals`. To
    /// be called often, best with each reading; `true` if that began a day, which is written once. After an error
    /// the next call is to wait a while.
    ///
    /// Dropping the future is a power cut: the day is marked or not, and the next call sees to it.
    ///
    /// # Errors
    /// If the flash fails.
    pub async fn note(&mut self, local_day: i64, totals: &Totals) -> Result<bool, MarksError> {
        let day = day_number(local_day);
        let mut newest = self.load().await?;
        if self.would_forget(local_day) {
            newest = self.forget_after(day).await?;
        }
        if newest.day.is_some_and(|mark| waits(mark.day, day)) {
            self.seen = Some(day);
            return Ok(false);
        }
        let from_midnight = self.seen == Some(day.saturating_sub(1));
        let mark = Mark::new(day, from_midnight, totals);
        // The month goes first: were it last, a power cut between the two would leave the month without a mark.
        if newest.month.is_none_or(|month| month_of(month.day) != month_of(day)) {
            self.add(Period::Month, mark).await?;
            newest.month = Some(mark);
            self.newest = Some(newest);
        }
        self.add(Period::Day, mark).await?;
        self.newest = Some(Newest { day: Some(mark), ..newest });
        self.seen = Some(day);
        Ok(true)
    }

    /// The row of this day so far; `None` if it has no mark yet.
    #[must_use]
    pub fn today(&self, local_day: i64, totals: &Totals) -> Option<Row> {
        let mark = self.newest?.day.filter(|mark| waits(mark.day, day_number(local_day)))?;
        Some(mark.row(&Mark::new(mark.day, true, totals), mark.from_midnight))
    }

    /// What was consumed this day, in watt-hours, for the energy budget; `None` if the day has no mark yet.
    #[must_use]
    pub fn used_today_wh(&self, local_day: i64, totals: &Totals) -> Option<f64> {
        Some(self.today(local_day, totals)?.import.watt_hours())
    }

    /// The newest day that has a mark: the best guess where nobody knows the time yet.
    #[must_use]
    pub fn newest_day(&self) -> Option<i64> {
        Some(self.newest?.day?.day.into())
    }

    /// A list of the days, for [`Self::next_rows`]; `totals` is what the meter shows now.
    #[must_use]
    pub fn days(&self, totals: &Totals) -> Rows {
        self.rows(Period::Day, self.newest.and_then(|newest| newest.day), totals)
    }

    /// A list of the months, for [`Self::next_rows`]; `totals` is what the meter shows now.
    #[must_use]
    pub fn months(&self, totals: &Totals) -> Rows {
        self.rows(Period::Month, self.newest.and_then(|newest| newest.month), totals)
    }

    fn rows(&self, period: Period, newest: Option<Mark>, totals: &Totals) -> Rows {
        let block = period.block_of(newest.map_or(0, |mark| mark.day));
        let left = if newest.is_some() { period.blocks() } else { 0 };
        let next = Mark::new(i32::MAX, true, totals);
        Rows { period, block, left, next, open: true }
    }

    /// The next rows, newest first, up to four at once so that nobody holds all of them; none: that was all. Days on
    /// which the plug was off have no row.
    ///
    /// Dropping the future costs nothing.
    ///
    /// # Errors
    /// If the flash fails.
    pub async fn next_rows(&mut self, rows: &mut Rows) -> Result<Vec<Row, MARKS>, MarksError> {
        let mut list = Vec::new();
        while rows.left > 0 && list.is_empty() {
            let mut block = self.fetch(rows.period, rows.block).await?;
            block.keep(|mark| mark.day < rows.next.day);
            rows.left -= 1;
            rows.block -= 1;
            for mark in block.marks().rev() {
                let follows = rows.period.number(rows.next.day) == rows.period.number(mark.day) + 1;
                let ends_exactly = rows.open || (follows && rows.next.from_midnight);
                // A block has no more marks than the list takes.
                let _ = list.push(mark.row(&rows.next, mark.from_midnight && ends_exactly));
                rows.next = mark;
                rows.open = false;
            }
        }
        Ok(list)
    }

    /// The newest marks: from memory, or read from all blocks.
    async fn load(&mut self) -> Result<Newest, MarksError> {
        if let Some(newest) = self.newest {
            return Ok(newest);
        }
        let mut newest = Newest::default();
        for (period, place) in [(Period::Day, &mut newest.day), (Period::Month, &mut newest.month)] {
            for turn in 0..period.blocks() {
                let block = self.fetch_any(period.key(turn.into())).await?;
                for mark in block.marks() {
                    if place.is_none_or(|newest| mark.day > newest.day) {
                        *place = Some(mark);
                    }
                }
            }
        }
        self.newest = Some(newest);
        Ok(newest)
    }

    /// Adds a mark to its block, in place of what the block's key held a turn ago.
    async fn add(&mut self, period: Period, mark: Mark) -> Result<(), MarksError> {
        let number = period.block_of(mark.day);
        let mut block = self.fetch(period, number).await?;
        block.keep(|earlier| period.number(earlier.day) < period.number(mark.day));
        block.push(&mark);
        self.store(period.key(number), &block).await
    }

    /// Takes away the marks of days after `day`: the clock was wrong.
    async fn forget_after(&mut self, day: i32) -> Result<Newest, MarksError> {
        self.newest = None;
        for period in [Period::Month, Period::Day] {
            for turn in 0..period.blocks() {
                let key = period.key(turn.into());
                let mut block = self.fetch_any(key).await?;
                if block.keep(|mark| mark.day <= day) {
                    self.store(key, &block).await?;
                }
            }
        }
        self.load().await
    }

    /// A block of this meter, with those of its marks that belong to it now.
    async fn fetch(&mut self, period: Period, number: i32) -> Result<Block, MarksError> {
        let mut block = self.fetch_any(period.key(number)).await?;
        block.keep(|mark| period.block_of(mark.day) == number);
        Ok(block)
    }

    fn map(&mut self) -> Result<Map<'_, Careful<F>>, MarksError> {
        item::map(&mut self.flash, TOTALS.length - SECTOR).ok_or(MarksError::Flash)
    }

    /// What stands under a key; empty if it is another meter's.
    async fn fetch_any(&mut self, key: u8) -> Result<Block, MarksError> {
        let meter = self.meter;
        let mut map = self.map()?;
        let mut buffer = [0; BUFFER];
        let bytes = map.fetch_item::<&[u8]>(&mut buffer, &key).await?;
        let bytes = bytes.unwrap_or_default();
        Ok(Block::from_bytes(meter, bytes))
    }

    async fn store(&mut self, key: u8, block: &Block) -> Result<(), MarksError> {
        let mut map = self.map()?;
        let mut buffer = [0; BUFFER];
        Ok(map.store_item(&mut buffer, &key, &block.bytes().as_slice()).await?)
    }

    async fn begin_anew(&mut self) -> Result<(), MarksError> {
        self.newest = None;
        self.map()?.erase_all().await?;
        self.load().await.map(|_| ())
    }
}

/// Whether a mark does for `day`: it is that day's, or of a day that comes soon.
const fn waits(mark: i32, day: i32) -> bool {
    mark >= day && mark.saturating_sub(day) <= PATIENCE_DAYS
}

fn day_number(local_day: i64) -> i32 {
    // Far from the ends of the type, so that neighbours exist.
    local_day.clamp(-1_000_000, 100_000_000) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_lies_in_its_month() {
        let month = |year: i32, month: i32| year * 12 + month - 1;
        let days = [
            (0, 1970, 1),
            (30, 1970, 1),
            (31, 1970, 2),
            (-1, 1969, 12),
            (11_016, 2000, 2),
            (11_017, 2000, 3),
            (20_514, 2026, 3),
            (20_512, 2026, 2),
            (20_789, 2026, 12),
            (20_818, 2026, 12),
            (20_819, 2027, 1),
            (47_540, 2100, 2),
            (47_541, 2100, 3),
        ];
        for (day, year, of_year) in days {
            assert_eq!(month_of(day), month(year, of_year), "{day}");
        }
        let begins = (0..36_525).filter(|day| month_of(*day) != month_of(day - 1)).count();
        assert_eq!(begins, 1200, "months of a hundred years");
    }

    #[test]
    fn enough_is_kept() {
        const { assert!(DAYS >= 62 && MONTHS >= 36) };
    }

    #[test]
    fn totals_add_up() {
        let one = Totals { import: Energy(5), export: Energy(6), below_noise: Energy(1), unmeasured_us: 9 };
        let both = one.plus(Totals { import: Energy(1), export: Energy(u64::MAX), ..Totals::default() });
        assert_eq!((both.import, both.export), (Energy(6), Energy(u64::MAX)));
        assert!(both.covers(&one) && !one.covers(&both));
        assert_eq!(one.plus(one).moved_since(&one), 11);
    }
}
