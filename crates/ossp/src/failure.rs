//! What ends the program before its work is done, with its exit status.

use core::fmt;

use crate::printable::printable_lines;

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

/// For a terminal: a message may have words of a plug or a file in it, which must not steer it.
impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&printable_lines(&self.message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_message_steers_the_terminal() {
        let failure = Failure::failed("the plug said \u{1b}]0;x\u{7}\nand more".to_owned());
        assert_eq!(failure.to_string(), "the plug said \u{fffd}]0;x\u{fffd}\nand more");
    }
}
