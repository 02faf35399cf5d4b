//! Recordings of mains voltage and current, read as a stream: `ossp replay` and `--source wave:` see the same.
//!
//! A recording is CSV text with a header of `# key: value` lines, one line of column names and one row a pair.
//! The header's keys, and what is made of them:
//!
//! | key | meaning | without it |
//! |---|---|---|
//! | `sample_rate_hz` | pairs a second, 1000 to 50000 | an error |
//! | `voltage_lsb_v`, `current_lsb_a` | volts, amperes a count (raw columns) | an error |
//! | `voltage_zero_raw`, `current_zero_raw` | the count of zero (raw columns) | an error |
//! | `voltage_raw_min`, `voltage_raw_max`, `current_raw_min`, `current_raw_max` | rails of the converter | 2^23 counts on either side of zero |
//! | `channel_skew_s` | how much later the current was sampled, at most 10 ms either way | 0 |
//! | `phase_deg` | by how much the current channel is late at the fundamental | 0 |
//! | `current_noise_a`, `voltage_noise_v` | RMS of a channel with nothing on it | unknown |
//! | `dc_coupled` | `voltage`, `current`, `both`, `none`, or true/false for voltage and current | `both` |
//! | `mains_nominal` | the first number in it is the nominal voltage | 230 |
//! | `lost` | `INDEX COUNT`: so many pairs are missing before row INDEX (from 0); repeatable | none |
//!
//! All other keys are kept for [`Header::get`]. A header line without a colon is a comment.
//!
//! Decided where the contract leaves it open: a byte order mark, `\r\n`, spaces around values, quotes around
//! column names and blank lines at the end are fine; columns may stand in either order, and one channel may be in
//! physical units while the other is raw; other named columns are read over, but every row needs as many values as
//! there are names; a blank line or a header line between rows is an error, since it means that something was
//! cut or appended. A physical value beyond 838 V or 83 A is set to the rail, which the metering flags as `clipped`.

mod channel;
mod error;
mod header;
mod lines;
mod writer;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use metering::calibration::Calibration;
use metering::front_end::{FrontEnd, Pair};
use metering::units::{Amperes, Degrees, Hertz, Seconds, Volts};

use channel::Channel;
use lines::Lines;

pub use error::{Problem, RecordingError};
pub use header::Header;
pub use writer::{Scale, Writer};

/// A recording that is being read.
pub struct Recording<R = File> {
    name: String,
    /// Bytes of the file, if it is one.
    length: Option<u64>,
    header: Header,
    columns: usize,
    voltage: Channel,
    current: Channel,
    front_end: FrontEnd,
    calibration: Calibration,
    voltage_noise: Option<Volts>,
    /// Gaps that are still to come.
    gaps: std::iter::Peekable<std::vec::IntoIter<(u64, u32)>>,
    lines: Lines<R>,
    rows: u64,
    finished: bool,
}

impl Recording<File> {
    /// Opens a file and reads its header.
    ///
    /// # Errors
    /// If there is no such file, or it does not begin as a recording does.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, RecordingError> {
        let path = path.as_ref();
        let fail = |problem| RecordingError { file: path.display().to_string(), problem };
        let failed = |error: std::io::Error| {
            fail(match error.kind() {
                std::io::ErrorKind::NotFound => Problem::Missing,
                std::io::ErrorKind::IsADirectory => Problem::Directory,
                _ => Problem::Open { reason: error.to_string() },
            })
        };
        let about = std::fs::metadata(path).map_err(failed)?;
        if about.is_dir() {
            return Err(fail(Problem::Directory));
        }
        let file = File::open(path).map_err(failed)?;
        let mut recording = Self::from_reader(path.display().to_string(), file)?;
        // A pipe has no length that means anything.
        recording.length = about.is_file().then_some(about.len());
        Ok(recording)
    }
}

impl<R: Read> Recording<R> {
    /// Most pairs of one [`Recording::next_block`].
    pub const BLOCK_PAIRS: usize = 4096;

    /// Reads the header from anything; `name` is what errors call it. The reader buffers by itself.
    ///
    /// # Errors
    /// If it does not begin as a recording does.
    pub fn from_reader(name: impl Into<String>, source: R) -> Result<Self, RecordingError> {
        let name = name.into();
        let mut lines = Lines::new(source);
        match Beginning::read(&mut lines).and_then(Beginning::understand) {
            Ok(facts) => Ok(Self {
                name,
                length: None,
                header: facts.header,
                columns: facts.columns,
                voltage: facts.voltage,
                current: facts.current,
                front_end: facts.front_end,
                calibration: facts.calibration,
                voltage_noise: facts.voltage_noise,
                gaps: facts.gaps.into_iter().peekable(),
                lines,
                rows: 0,
                finished: false,
            }),
            Err(problem) => Err(RecordingError { file: name, problem }),
        }
    }

    /// What errors call the recording.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All header lines.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The hardware that the file describes. A physical column is a converter with 0.1 mV or 10 uA a count.
    #[must_use]
    pub fn front_end(&self) -> FrontEnd {
        self.front_end
    }

    /// The calibration that the file states: version 1, reference "as stated by the file", no uncertainties.
    #[must_use]
    pub fn calibration(&self) -> &Calibration {
        &self.calibration
    }

    /// Whether both columns are converter counts.
    #[must_use]
    pub fn is_raw(&self) -> bool {
        self.voltage.is_raw() && self.current.is_raw()
    }

    /// RMS of the voltage channel with nothing on it, if the file states it.
    #[must_use]
    pub fn voltage_noise(&self) -> Option<Volts> {
        self.voltage_noise
    }

    /// Bytes read so far, for a progress bar.
    #[must_use]
    pub fn bytes_read(&self) -> u64 {
        self.lines.bytes()
    }

    /// Bytes in the file; `None` for what is no plain file.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// Rows read so far.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Clears `pairs` and fills it with the next pairs, at most [`Recording::BLOCK_PAIRS`]; the answer is how many
    /// were lost just before the first of them. `None` at the end. `pairs` is empty only if pairs were lost after
    /// the last row.
    ///
    /// # Errors
    /// If a row is wrong; `pairs` then has the rows before it, and the recording is over.
    pub fn next_block(&mut self, pairs: &mut Vec<Pair>) -> Result<Option<u32>, RecordingError> {
        pairs.clear();
        if self.finished {
            return Ok(None);
        }
        let lost = self.gaps.next_if(|(index, _)| *index == self.rows).map_or(0, |(_, count)| count);
        match self.fill(pairs) {
            Ok(()) if pairs.is_empty() && lost == 0 => Ok(None),
            Ok(()) => Ok(Some(lost)),
            Err(problem) => {
                self.finished = true;
                Err(RecordingError { file: self.name.clone(), problem })
            }
        }
    }

    /// Rows up to a full block, the next gap or the end.
    fn fill(&mut self, pairs: &mut Vec<Pair>) -> Result<(), Problem> {
        let until_gap = self.gaps.peek().map_or(u64::MAX, |(index, _)| *index - self.rows);
        let most = usize::try_from(until_gap).unwrap_or(usize::MAX).min(Self::BLOCK_PAIRS);
        while pairs.len() < most {
            match self.row()? {
                Some(pair) => pairs.push(pair),
                None => return self.end(),
            }
            self.rows += 1;
        }
        Ok(())
    }

    /// The next row; `None` at the end.
    #[inline]
    fn row(&mut self) -> Result<Option<Pair>, Problem> {
        let Some(line) = self.lines.advance()? else { return Ok(None) };
        let number = self.lines.number();
        let text = self.lines.text(line)?;
        let (mut voltage, mut current, mut count) = ("", "", 0);
        for value in Commas(Some(text)) {
            if count == self.voltage.column {
                voltage = value;
            } else if count == self.current.column {
                current = value;
            }
            count += 1;
        }
        if count != self.columns {
            return self.odd_line(text.trim().to_owned(), number, count);
        }
        Ok(Some(Pair {
            voltage: self.voltage.counts(voltage, number)?,
            current: self.current.counts(current, number)?,
        }))
    }

    /// A line without the right number of values: blank lines may end a file, all else is an error.
    fn odd_line(&mut self, text: String, line: u64, count: usize) -> Result<Option<Pair>, Problem> {
        if text.starts_with('#') {
            return Err(Problem::LateHeader { line, found: error::shown(&text) });
        }
        if !text.is_empty() {
            return Err(Problem::ValueCount { line, found: count, expected: self.columns });
        }
        while let Some(next) = self.lines.advance()? {
            if !self.lines.text(next)?.trim().is_empty() {
                return Err(Problem::BlankLine { line });
            }
        }
        Ok(None)
    }

    /// What can only be known after the last row.
    fn end(&mut self) -> Result<(), Problem> {
        self.finished = self.gaps.peek().is_none_or(|(index, _)| *index != self.rows);
        if self.rows == 0 {
            return Err(Problem::NoRows { line: self.lines.number() });
        }
        match self.gaps.peek() {
            Some((index, _)) if *index > self.rows => {
                Err(Problem::LostBeyondEnd { index: *index, rows: self.rows })
            }
            _ => Ok(()),
        }
    }
}

/// What stands between the commas; faster than `str::split` on rows of two short values.
struct Commas<'a>(Option<&'a str>);

impl<'a> Iterator for Commas<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let text = self.0.take()?;
        match text.bytes().position(|byte| byte == b',') {
            None => Some(text),
            Some(at) => {
                self.0 = text.get(at + 1..);
                text.get(..at)
            }
        }
    }
}

/// The lines before the first row.
struct Beginning {
    header: Header,
    columns: Vec<String>,
    columns_text: String,
    columns_line: u64,
}

/// What the beginning says.
struct Facts {
    header: Header,
    columns: usize,
    voltage: Channel,
    current: Channel,
    front_end: FrontEnd,
    calibration: Calibration,
    voltage_noise: Option<Volts>,
    gaps: Vec<(u64, u32)>,
}

impl Beginning {
    /// Header lines and the line that names the columns.
    fn read<R: Read>(lines: &mut Lines<R>) -> Result<Self, Problem> {
        let mut header = Header::default();
        let mut is_blank = true;
        while let Some(line) = lines.advance()? {
            let columns_line = lines.number();
            let text = lines.text(line)?.trim();
            if let Some(text) = text.strip_prefix('#') {
                header.push(text, columns_line)?;
            } else if !text.is_empty() {
                let columns =
                    text.split(',').map(|name| name.trim().trim_matches('"').to_ascii_lowercase()).collect();
                return Ok(Self { header, columns, columns_text: error::shown(text), columns_line });
            }
            is_blank &= text.is_empty();
        }
        Err(if is_blank { Problem::Empty } else { Problem::NoRows { line: lines.number() } })
    }

    fn understand(self) -> Result<Facts, Problem> {
        let Self { header, columns, columns_text, columns_line } = self;
        let sample_rate = Hertz(header.sample_rate()?);
        let (voltage_dc, current_dc) = header.dc_coupled()?;
        let voltage = Channel::find(&channel::VOLTAGE, &columns, &header, voltage_dc)?;
        let current = Channel::find(&channel::CURRENT, &columns, &header, current_dc)?;
        let (Some(voltage), Some(current)) = (voltage, current) else {
            return Err(Problem::Columns { line: columns_line, found: columns_text });
        };
        let within_10_ms = |skew: f64| skew.abs() <= 0.01;
        let skew = header.number_that("channel_skew_s", within_10_ms, "from -0.01 to 0.01 seconds")?;
        let phase = header.number_that("phase_deg", |phase| phase.abs() <= 90.0, "from -90 to 90 degrees")?;
        let noise = |key| header.number_that(key, |noise| noise >= 0.0, "0 or more");
        let front_end = FrontEnd {
            sample_rate,
            voltage: voltage.range,
            current: current.range,
            channel_skew: Seconds(skew.unwrap_or(0.0)),
            nominal_voltage: Volts(header.nominal_voltage()?),
        };
        let calibration = Calibration {
            version: 1,
            date: None,
            reference: heapless::String::try_from("as stated by the file").unwrap_or_default(),
            voltage: voltage.calibration,
            current: current.calibration,
            phase: Degrees(phase.unwrap_or(0.0)),
            phase_uncertainty: Degrees(0.0),
            current_noise_floor: noise("current_noise_a")?.map(Amperes),
        };
        Ok(Facts {
            columns: columns.len(),
            voltage,
            current,
            front_end,
            calibration,
            voltage_noise: noise("voltage_noise_v")?.map(Volts),
            gaps: header.lost()?,
            header,
        })
    }
}
