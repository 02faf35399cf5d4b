//! Lines out of a byte stream in constant memory.

use std::io::{ErrorKind, Read};
use std::ops::Range;

use super::error::Problem;

/// Longest line that is read: a capture's header carries a whole reading in one line, a few kilobytes.
pub(super) const LONGEST_LINE: usize = 64 * 1024;
/// Bytes asked for at once; large enough that the calls into the system do not count.
const BUFFER: usize = 4 * LONGEST_LINE;

/// Hands out a stream's lines one by one, without their ends (`\n`, `\r\n`).
pub(super) struct Lines<R> {
    source: R,
    buffer: Box<[u8]>,
    /// What is read but not handed out yet: `start..end` of the buffer.
    start: usize,
    end: usize,
    source_is_empty: bool,
    number: u64,
    bytes: u64,
}

impl<R: Read> Lines<R> {
    pub(super) fn new(source: R) -> Self {
        Self {
            source,
            buffer: vec![0; BUFFER].into_boxed_slice(),
            start: 0,
            end: 0,
            source_is_empty: false,
            number: 0,
            bytes: 0,
        }
    }

    /// Number of the line handed out last, from 1; 0 before the first.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Bytes of the lines handed out so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Goes to the next line; `None` at the end. [`Lines::text`] turns the answer into text.
    pub(super) fn advance(&mut self) -> Result<Option<Range<usize>>, Problem> {
        let mut searched = 0;
        loop {
            let waiting = self.buffer.get(self.start..self.end).unwrap_or_default();
            let found = memchr::memchr(b'\n', waiting.get(searched..).unwrap_or_default());
            let (length, taken) = match found {
                Some(at) => (searched + at, searched + at + 1),
                None if self.source_is_empty && waiting.is_empty() => return Ok(None),
                None if self.source_is_empty => (waiting.len(), waiting.len()),
                None if waiting.len() > LONGEST_LINE => (waiting.len(), waiting.len()),
                None => {
                    searched = waiting.len();
                    self.refill()?;
                    continue;
                }
            };
            if length > LONGEST_LINE {
                return Err(Problem::LineTooLong { line: self.number + 1, limit: LONGEST_LINE });
            }
            let line = waiting.get(..length).unwrap_or_default();
            let line = self.start..self.start + line.strip_suffix(b"\r").unwrap_or(line).len();
            self.start += taken;
            self.number += 1;
            // A line is far shorter than 2^64 bytes.
            self.bytes += taken as u64;
            return Ok(Some(line));
        }
    }

    /// The line that [`Lines::advance`] went to.
    pub(super) fn text(&self, line: Range<usize>) -> Result<&str, Problem> {
        let bytes = self.buffer.get(line).unwrap_or_default();
        let text = std::str::from_utf8(bytes).map_err(|_| Problem::NotUtf8 { line: self.number })?;
        // Some programs open a UTF-8 file with a byte order mark.
        Ok(if self.number == 1 { text.strip_prefix('\u{feff}').unwrap_or(text) } else { text })
    }

    /// Moves what is waiting to the front of the buffer and reads once behind it.
    fn refill(&mut self) -> Result<(), Problem> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let room = self.buffer.get_mut(self.end..).unwrap_or_default();
        loop {
            match self.source.read(room) {
                Ok(0) => {
                    self.source_is_empty = true;
                    return Ok(());
                }
                Ok(count) => {
                    self.end += count;
                    return Ok(());
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Problem::Read { line: self.number, reason: error.to_string() }),
            }
        }
    }
}
