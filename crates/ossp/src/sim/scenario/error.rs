//! What can be wrong with a scenario, each as one sentence that a person can act on.

use thiserror::Error;

use crate::recording::RecordingError;

/// Why there is nothing to simulate.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum ScenarioError {
    /// No built-in scenario has this name.
    #[error("there is no built-in load `{name}`; take one of {}, or a file that ends in .toml", names.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        names: Vec<&'static str>,
    },
    /// The file could not be read.
    #[error("{file}: {reason}")]
    Unreadable {
        /// As the user named it.
        file: String,
        /// Why.
        reason: String,
    },
    /// Something in the file is wrong.
    #[error("{file}, line {line}: {message}")]
    Wrong {
        /// As the user named it.
        file: String,
        /// Counts from 1.
        line: usize,
        /// What is wrong and what would be right.
        message: String,
    },
    /// A recording that is to be played is wrong.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// A recording that is to be played has no whole cycle.
    #[error(
        "{file}: there is no whole mains cycle to loop over ({samples} samples without two rising zero crossings of the voltage, 45 to 65 Hz)"
    )]
    NoCycle {
        /// As the user named it.
        file: String,
        /// Samples that were looked at.
        samples: usize,
    },
    /// A source that is neither `sim:` nor `wave:`.
    #[error("`{found}` is no source; write `sim:NAME`, `sim:FILE.toml` or `wave:FILE.csv`")]
    Source {
        /// What was asked for.
        found: String,
    },
}
