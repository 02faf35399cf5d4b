//! The rows of one post, read from the log as often as they are wanted: once for their length and hash, once for the wire.

use alloc::string::String;

use crate::history::{Chunk, HistoryError, Merge, Row, Rows};
use crate::limits;

use super::text::write_row;
use crate::settings::emoncms::EmoncmsSettings;

/// Which rows go into one post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Rows that end after this.
    pub after: u32,
    /// And not after this.
    pub until: u32,
    /// At most so many.
    pub most: u32,
}

/// What is the same for all rows of a job.
#[derive(Clone, Copy)]
pub(super) struct Form<'a> {
    pub(super) settings: &'a EmoncmsSettings,
    pub(super) node: &'a str,
}

/// Why there is no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoText {
    /// The log does not answer.
    Log,
    /// There is no memory.
    Memory,
}

impl From<HistoryError> for NoText {
    fn from(error: HistoryError) -> Self {
        match error {
            HistoryError::NoMemory => Self::Memory,
            HistoryError::Missing | HistoryError::Flash => Self::Log,
        }
    }
}

/// The rows of a batch, one after the other.
pub(super) struct Reading {
    batch: Batch,
    chunk: Chunk,
    at: usize,
    /// Where the log is read next; `None`: behind its end.
    next: Option<u32>,
    merge: Merge,
    /// So many were given.
    pub(super) count: u32,
    /// The newest one that was given.
    pub(super) last: Option<Row>,
}

impl Reading {
    pub(super) fn new(batch: Batch, interval_s: u16) -> Self {
        Self {
            batch,
            chunk: Chunk::new(),
            at: 0,
            next: Some(batch.after),
            merge: Merge::new(interval_s.into()),
            count: 0,
            last: None,
        }
    }

    /// The next row with its time; `None` at the end. Dropping the future leaves the reading where it cannot go on.
    pub(super) async fn next(&mut self, rows: &impl Rows) -> Result<Option<(u32, Row)>, HistoryError> {
        if self.count >= self.batch.most {
            return Ok(None);
        }
        loop {
            let ended = match self.chunk.get(self.at) {
                Some(row) => {
                    self.at += 1;
                    self.merge.push(row)
                }
                None => match self.next {
                    Some(after) => {
                        self.fetch(rows, after).await?;
                        None
                    }
                    None => match self.merge.finish() {
                        Some(last) => Some(last),
                        None => return Ok(None),
                    },
                },
            };
            // Rows without a time are never given by the log.
            if let Some(row) = ended
                && let Some(time) = row.time
            {
                self.count += 1;
                self.last = Some(row);
                return Ok(Some((time, row)));
            }
        }
    }

    async fn fetch(&mut self, rows: &impl Rows, after: u32) -> Result<(), HistoryError> {
        rows.read(after, self.batch.until, &mut self.chunk).await?;
        self.at = 0;
        let last = self.chunk.last().and_then(|row| row.time);
        // A log that would not go on must not keep us here for ever.
        self.next = last.filter(|last| *last > after);
        Ok(())
    }
}

/// The text of a batch, piece by piece: `data=`, then `[`, a row, `,` and a row, ..., `]`, then `&time=0`.
pub(super) struct Text {
    pub(super) reading: Reading,
    any: bool,
}

impl Text {
    pub(super) fn new(batch: Batch, interval_s: u16) -> Self {
        Self { reading: Reading::new(batch, interval_s), any: false }
    }

    /// The next piece of what stands between `data=` and `&time=0`, in place of what is in `text`; `false` at the end,
    /// where the closing bracket is still to come.
    pub(super) async fn next(
        &mut self,
        rows: &impl Rows,
        form: Form<'_>,
        text: &mut String,
    ) -> Result<bool, NoText> {
        text.clear();
        text.try_reserve(limits::UPLINK_ROW).map_err(|_| NoText::Memory)?;
        loop {
            let Some((time, row)) = self.reading.next(rows).await? else { return Ok(false) };
            text.push(if self.any { ',' } else { '[' });
            // A text has room for everything.
            if write_row(&row, time, form.node, form.settings, text).unwrap_or(false) {
                self.any = true;
                return Ok(true);
            }
            // Such a row has nothing to say: Emoncms would refuse it.
            text.clear();
        }
    }

    /// Whether there is anything to be sent.
    pub(super) const fn is_empty(&self) -> bool {
        !self.any
    }
}

#[cfg(test)]
pub(in crate::uplink) mod tests {
    use super::super::text::tests::row;
    use super::*;
    use alloc::vec::Vec;
    use core::cell::{Cell, RefCell};
    use futures_lite::future::block_on;

    /// A log in memory.
    #[derive(Default)]
    pub(in crate::uplink) struct Log {
        pub(in crate::uplink) rows: RefCell<Vec<Row>>,
        /// After so many reads the oldest row goes before each one.
        pub(in crate::uplink) forgets_after: Cell<Option<u32>>,
        pub(in crate::uplink) fails: Cell<bool>,
        pub(in crate::uplink) wanted_after: Cell<Option<u32>>,
    }

    impl Log {
        pub(in crate::uplink) fn every_10_s(from: u32, count: u32) -> Self {
            let log = Self::default();
            log.rows.borrow_mut().extend((0..count).map(|index| row(from + 10 * index)));
            log
        }
    }

    impl Rows for Log {
        async fn read(&self, after: u32, until: u32, rows: &mut Chunk) -> Result<(), HistoryError> {
            if self.fails.get() {
                return Err(HistoryError::Flash);
            }
            if let Some(left) = self.forgets_after.get() {
                self.forgets_after.set(Some(left.saturating_sub(1)));
                if left == 0 {
                    self.rows.borrow_mut().remove(0);
                }
            }
            rows.clear();
            let wanted = |row: &&Row| row.time.is_some_and(|time| time > after && time <= until);
            rows.extend(self.rows.borrow().iter().filter(wanted).take(crate::history::CHUNK).copied());
            Ok(())
        }
        async fn newest(&self) -> Result<Option<u32>, HistoryError> {
            Ok(self.rows.borrow().last().and_then(|row| row.time))
        }
        async fn oldest(&self) -> Result<Option<u32>, HistoryError> {
            Ok(self.rows.borrow().first().and_then(|row| row.time))
        }
        async fn count(&self, after: u32, until: u32) -> Result<u32, HistoryError> {
            let wanted = |row: &&Row| row.time.is_some_and(|time| time > after && time <= until);
            Ok(self.rows.borrow().iter().filter(wanted).count() as u32)
        }
        fn wanted_after(&self, cursor: Option<u32>) {
            self.wanted_after.set(cursor);
        }
    }

    pub(in crate::uplink) const T: u32 = 1_795_000_000;

    fn times(log: &Log, batch: Batch, interval_s: u16) -> Vec<u32> {
        let mut reading = Reading::new(batch, interval_s);
        let mut times = Vec::new();
        while let Some((time, row)) = block_on(reading.next(log)).unwrap() {
            assert_eq!(reading.last, Some(row));
            times.push(time);
        }
        assert_eq!(reading.count as usize, times.len());
        assert_eq!(block_on(reading.next(log)), Ok(None));
        times
    }

    #[test]
    fn a_batch_has_its_rows_and_no_other() {
        let log = Log::every_10_s(T, 100);
        let wanted = |from: u32, to: u32| (from..=to).map(|index| T + 10 * index).collect::<Vec<_>>();
        let batch = Batch { after: T, until: T + 400, most: 1000 };
        assert_eq!(times(&log, batch, 10), wanted(1, 40));
        assert_eq!(times(&log, Batch { most: 17, ..batch }, 10), wanted(1, 17));
        assert!(times(&log, Batch { until: T, ..batch }, 10).is_empty());
        assert_eq!(times(&log, Batch { until: u32::MAX, ..batch }, 1), wanted(1, 99));
    }

    #[test]
    fn rows_are_merged_to_the_spacing_that_is_wanted() {
        let log = Log::every_10_s(T, 100);
        let batch = Batch { after: T, until: T + 620, most: 1000 };
        assert_eq!(
            times(&log, batch, 60),
            (1..=11).map(|minute| (T + 20).next_multiple_of(60) + 60 * (minute - 1)).collect::<Vec<_>>()
        );
        assert_eq!(times(&log, Batch { most: 2, ..batch }, 60).len(), 2);
    }

    #[test]
    fn the_text_is_a_list_of_rows() {
        let log = Log::every_10_s(T, 3);
        let settings = EmoncmsSettings::default();
        let form = Form { settings: &settings, node: "n" };
        let mut text = Text::new(Batch { after: 0, until: u32::MAX, most: 10 }, 10);
        let (mut all, mut piece) = (String::new(), String::new());
        while block_on(text.next(&log, form, &mut piece)).unwrap() {
            all.push_str(&piece);
        }
        all.push(']');
        let list: serde_json::Value = serde_json::from_str(&all).unwrap();
        assert_eq!(list.as_array().unwrap().len(), 3);
        assert_eq!(
            (&list[2][0], &list[2][1], &list[2][2]["power"]),
            (&(T + 20).into(), &"n".into(), &12.34.into())
        );
        assert!(!text.is_empty());
        log.fails.set(true);
        let mut text = Text::new(Batch { after: 0, until: u32::MAX, most: 10 }, 10);
        assert_eq!(block_on(text.next(&log, form, &mut piece)), Err(NoText::Log));
    }
}
