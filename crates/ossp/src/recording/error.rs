//! What can be wrong with a recording, each as one sentence that a person can act on.

use thiserror::Error;

/// Why a file could not be read as a recording: which file, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("{file}: {problem}")]
pub struct RecordingError {
    /// The file as the user named it.
    pub file: String,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a recording. Lines count from 1; `found` is shortened and printable.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum Problem {
    /// Nothing has this name.
    #[error("there is no such file")]
    Missing,
    /// A folder was named.
    #[error("this is a directory, not a recording; name a CSV file in it")]
    Directory,
    /// The operating system would not open it.
    #[error("the file could not be opened: {reason}")]
    Open {
        /// In the words of the operating system.
        reason: String,
    },
    /// The operating system stopped in the middle.
    #[error("reading stopped after line {line}: {reason}")]
    Read {
        /// Last line that was read.
        line: u64,
        /// In the words of the operating system.
        reason: String,
    },
    /// Not a byte, or nothing but blank lines.
    #[error("the file is empty")]
    Empty,
    /// A header, and nothing after it.
    #[error("the header is there, but no samples follow it (the file ends after line {line})")]
    NoRows {
        /// Last line of the file.
        line: u64,
    },
    /// Bytes that are no text.
    #[error("line {line} is not UTF-8 text; is it compressed or in another encoding?")]
    NotUtf8 {
        /// Where.
        line: u64,
    },
    /// A line that no recording has; memory is bounded.
    #[error("line {line} is longer than {limit} bytes, which no recording has")]
    LineTooLong {
        /// Where.
        line: u64,
        /// The most that is read.
        limit: usize,
    },
    /// More header than is kept; memory is bounded.
    #[error("the header is not over after {line} lines, which is more than a recording may have")]
    HeaderTooLong {
        /// Where it was given up.
        line: u64,
    },
    /// A key that is understood is there twice.
    #[error(
        "line {line} states `{key}` as `{found}`, but line {first} has already stated it; keep one of them"
    )]
    Repeated {
        /// The second time.
        line: u64,
        /// The first time.
        first: u64,
        /// Which key.
        key: &'static str,
        /// Its second value.
        found: String,
    },
    /// A key without which nothing can be computed.
    #[error("the header does not state `{key}`; add a line `# {key}: ...` before the samples{because}")]
    MissingKey {
        /// Which key.
        key: &'static str,
        /// Why it is needed, starting with a comma; may be empty.
        because: &'static str,
    },
    /// A value in the header that should be a number.
    #[error("line {line}: `{key}` must be a finite number, but is `{found}`")]
    HeaderNumber {
        /// Where.
        line: u64,
        /// Which key.
        key: &'static str,
        /// Its value.
        found: String,
    },
    /// A sample rate outside what can be measured with.
    #[error("line {line}: a sample rate of {found} Hz is absurd; it must be from 1000 to 50000 Hz")]
    AbsurdRate {
        /// Where.
        line: u64,
        /// The rate.
        found: String,
    },
    /// A number in the header that cannot be meant.
    #[error("line {line}: `{key}` is {found}, but must be {expected}")]
    HeaderRange {
        /// Where.
        line: u64,
        /// Which key.
        key: &'static str,
        /// Its value.
        found: String,
        /// What would be right.
        expected: &'static str,
    },
    /// The line of column names is missing or names something else.
    #[error(
        "line {line} should name the columns `voltage_v,current_a` or `voltage_raw,current_raw`, but is `{found}`"
    )]
    Columns {
        /// Where.
        line: u64,
        /// What stands there.
        found: String,
    },
    /// A row with too few or too many values.
    #[error("line {line} has {found} value{}, but the line of column names has {expected}", if *found == 1 { "" } else { "s" })]
    ValueCount {
        /// Where.
        line: u64,
        /// Values in the row.
        found: usize,
        /// Columns that were named.
        expected: usize,
    },
    /// A sample that is no number.
    #[error("line {line}: `{column}` must be a finite number, but is {}", quoted(found))]
    Value {
        /// Where.
        line: u64,
        /// Name of the column.
        column: &'static str,
        /// What stands there.
        found: String,
    },
    /// A count that is no whole number.
    #[error("line {line}: `{column}` must be a whole number of counts, but is {}", quoted(found))]
    Count {
        /// Where.
        line: u64,
        /// Name of the column.
        column: &'static str,
        /// What stands there.
        found: String,
    },
    /// A header line among the rows; a second recording was appended, perhaps.
    #[error("line {line} is a header line (`{found}`), but the samples have already begun")]
    LateHeader {
        /// Where.
        line: u64,
        /// What stands there.
        found: String,
    },
    /// A blank line among the rows.
    #[error("line {line} is empty, but samples follow it")]
    BlankLine {
        /// Where.
        line: u64,
    },
    /// Pairs stated as lost after the end.
    #[error("the header says that pairs were lost before sample {index}, but the file ends after {rows}")]
    LostBeyondEnd {
        /// Where pairs are said to be lost.
        index: u64,
        /// Samples that are there.
        rows: u64,
    },
}

/// A value in back-quotes, or the word for none.
fn quoted(found: &str) -> String {
    if found.is_empty() { "missing".to_owned() } else { format!("`{found}`") }
}

/// What was found, made fit to be shown: printable, on one line, at most 40 characters.
pub(super) fn shown(found: &str) -> String {
    const LONGEST: usize = 40;
    let mut text: String = found.trim().chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if found.trim().chars().nth(LONGEST).is_some() {
        text.push('…');
    }
    text
}
