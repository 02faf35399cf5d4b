//! What ends the program before its work is done, with its exit status.

/// A failure: one sentence for a person and a status for a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Ready to be printed.
    pub message: String,
    /// Exit status.
    pub status: u8,
}

impl Failure {
    /// Status 1: the work could not be done.
    #[must_use]
    pub fn failed(message: String) -> Self {
        Self { message, status: 1 }
    }

    /// Status 2: it was asked for in a way that cannot be.
    #[must_use]
    pub fn wrong_use(message: String) -> Self {
        Self { message, status: 2 }
    }
}
