//! The header of a recording: `# key: value` lines, kept in their order, and how their values are understood.

use super::error::{Problem, shown};

/// Most header lines that are kept; real ones have about fifteen.
const MOST_LINES: usize = 1000;
/// Most bytes of header that are kept.
const MOST_BYTES: usize = 1 << 20;

/// One `# key: value` line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    key: String,
    value: String,
    line: u64,
}

/// All `# key: value` lines of a recording, in their order. Lines without a colon are comments and are not kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    entries: Vec<Entry>,
    bytes: usize,
}

impl Header {
    /// The value of `key` (lower case); the first one if it is there several times.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str())
    }

    /// All keys (in lower case) and values in the order of the file, those that this program does not know
    /// included.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.iter().map(|entry| (entry.key.as_str(), entry.value.as_str()))
    }

    /// Takes a line without its `#`.
    pub(super) fn push(&mut self, text: &str, line: u64) -> Result<(), Problem> {
        self.bytes += text.len();
        if self.entries.len() >= MOST_LINES || self.bytes > MOST_BYTES {
            return Err(Problem::HeaderTooLong { line });
        }
        if let Some((key, value)) = text.split_once(':') {
            self.entries.push(Entry {
                key: key.trim().to_ascii_lowercase(),
                value: value.trim().to_owned(),
                line,
            });
        }
        Ok(())
    }

    /// Every value of `key` with its line.
    pub(super) fn all(&self, key: &str) -> impl Iterator<Item = (&str, u64)> {
        self.entries
            .iter()
            .filter(move |entry| entry.key == key)
            .map(|entry| (entry.value.as_str(), entry.line))
    }

    /// The value of a key that may be there once; twice with the same value does no harm.
    pub(super) fn single(&self, key: &'static str) -> Result<Option<(&str, u64)>, Problem> {
        let mut all = self.all(key);
        let Some((value, first)) = all.next() else { return Ok(None) };
        match all.find(|(other, _)| *other != value) {
            None => Ok(Some((value, first))),
            Some((other, line)) => Err(Problem::Repeated { line, first, key, found: shown(other) }),
        }
    }

    /// A finite number and its line.
    pub(super) fn number(&self, key: &'static str) -> Result<Option<(f64, u64)>, Problem> {
        let Some((value, line)) = self.single(key)? else { return Ok(None) };
        match value.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Some((number, line))),
            _ => Err(Problem::HeaderNumber { line, key, found: shown(value) }),
        }
    }

    /// A number for which `is_right` holds; `expected` says in words what that is.
    pub(super) fn number_that(
        &self,
        key: &'static str,
        is_right: impl Fn(f64) -> bool,
        expected: &'static str,
    ) -> Result<Option<f64>, Problem> {
        match self.number(key)? {
            Some((number, line)) if !is_right(number) => {
                Err(Problem::HeaderRange { line, key, found: number.to_string(), expected })
            }
            other => Ok(other.map(|(number, _)| number)),
        }
    }

    /// A number for which `is_right` holds, and without which the file cannot be read.
    pub(super) fn required(
        &self,
        key: &'static str,
        because: &'static str,
        is_right: impl Fn(f64) -> bool,
        expected: &'static str,
    ) -> Result<f64, Problem> {
        self.number_that(key, is_right, expected)?.ok_or(Problem::MissingKey { key, because })
    }

    /// `sample_rate_hz`, from 1 kHz to 50 kHz.
    pub(super) fn sample_rate(&self) -> Result<f64, Problem> {
        match self.number("sample_rate_hz")? {
            None => Err(Problem::MissingKey { key: "sample_rate_hz", because: "" }),
            Some((rate, _)) if (1000.0..=50_000.0).contains(&rate) => Ok(rate),
            Some((rate, line)) => Err(Problem::AbsurdRate { line, found: rate.to_string() }),
        }
    }

    /// `dc_coupled` of voltage and current; both where nothing is said. Two truth values are voltage, current.
    pub(super) fn dc_coupled(&self) -> Result<(bool, bool), Problem> {
        let Some((value, line)) = self.single("dc_coupled")? else { return Ok((true, true)) };
        let lower = value.to_ascii_lowercase();
        let words: Vec<&str> = lower
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty() && *word != "and")
            .collect();
        let truth = |word: &str| match word {
            "true" | "yes" | "1" | "both" => Some(true),
            "false" | "no" | "0" | "none" => Some(false),
            _ => None,
        };
        match words.as_slice() {
            ["voltage"] => Some((true, false)),
            ["current"] => Some((false, true)),
            ["voltage", "current"] | ["current", "voltage"] => Some((true, true)),
            [word] => truth(word).map(|both| (both, both)),
            [first, second] => truth(first).zip(truth(second)),
            _ => None,
        }
        .ok_or_else(|| Problem::HeaderRange {
            line,
            key: "dc_coupled",
            found: format!("`{}`", shown(value)),
            expected: "`voltage`, `current`, `both`, `none`, or true or false for voltage and for current",
        })
    }

    /// The volts of `mains_nominal` ("230 V 50 Hz (Germany)"), the first number in it; 230 where none is stated.
    /// Text without a number is taken as none: the key is meant for people.
    pub(super) fn nominal_voltage(&self) -> Result<f64, Problem> {
        const KEY: &str = "mains_nominal";
        let Some((value, line)) = self.single(KEY)? else { return Ok(230.0) };
        let Some(start) = value.find(|c: char| c.is_ascii_digit()) else { return Ok(230.0) };
        let digits = value.get(start..).unwrap_or_default();
        let end = digits.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(digits.len());
        match digits.get(..end).unwrap_or_default().parse::<f64>() {
            Ok(volts) if (10.0..=1000.0).contains(&volts) => Ok(volts),
            _ => Err(Problem::HeaderRange {
                line,
                key: KEY,
                found: format!("`{}`", shown(value)),
                expected: "the nominal voltage first, from 10 to 1000 V, as in `230 V 50 Hz`",
            }),
        }
    }

    /// Refuses `units` that contradict columns in volts and amperes.
    pub(super) fn check_units(&self) -> Result<(), Problem> {
        const OTHER: [&str; 8] = ["mv", "kv", "uv", "µv", "ma", "ka", "ua", "µa"];
        let Some((value, line)) = self.single("units")? else { return Ok(()) };
        let lower = value.to_lowercase();
        let contradicts = lower.split(|c: char| !c.is_alphanumeric()).any(|word| OTHER.contains(&word));
        if !contradicts {
            return Ok(());
        }
        Err(Problem::HeaderRange {
            line,
            key: "units",
            found: format!("`{}`", shown(value)),
            expected: "`V, A`, as the names of the columns say",
        })
    }

    /// The gaps: row before which pairs are missing (from 0, rows that are there counted), and how many are.
    /// One `lost` line may have several gaps, and there may be several lines.
    pub(super) fn lost(&self) -> Result<Vec<(u64, u32)>, Problem> {
        let mut gaps: Vec<(u64, u32)> = Vec::new();
        for (value, line) in self.all("lost") {
            let wrong = || Problem::HeaderRange {
                line,
                key: "lost",
                found: format!("`{}`", shown(value)),
                expected: "the index of a sample and how many pairs are missing before it, as in `1200 5`",
            };
            let mut numbers = value
                .split(|c: char| c.is_ascii_whitespace() || matches!(c, ',' | ';' | ':'))
                .filter(|word| !word.is_empty());
            while let Some(index) = numbers.next() {
                let index = index.parse().map_err(|_| wrong())?;
                let count = numbers.next().and_then(|count| count.parse().ok()).ok_or_else(wrong)?;
                gaps.push((index, count));
            }
        }
        gaps.sort_unstable();
        // Two gaps at the same place are one.
        gaps.dedup_by(|next, first| {
            let same = next.0 == first.0;
            if same {
                first.1 = first.1.saturating_add(next.1);
            }
            same
        });
        gaps.retain(|(_, count)| *count > 0);
        Ok(gaps)
    }
}
