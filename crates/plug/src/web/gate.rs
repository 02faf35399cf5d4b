//! Looks at every request's bytes before picoserve does, and refuses what could make the two ends disagree on
//! where a request ends (RFC 9112 §6.3, §11.2): strange lengths, chunked bodies, control characters.
//!
//! picoserve 0.20 reads a length it does not understand as 0 and adds a huge one to an index; neither gets through.

use super::problem::Problem;
use crate::limits;

/// Enough of a header line to know the two names that matter and the value of `content-length`.
const LINE_START: usize = 40;
/// Digits of a `content-length`: just under a gigabyte, which no plug takes.
const LENGTH_DIGITS: usize = 9;

/// Headers that say who asks whom: two readers could take different ones for the true one.
const ONCE: [(&[u8], Problem); 3] =
    [(b"host", Problem::BadHost), (b"origin", Problem::BadHead), (b"authorization", Problem::BadHead)];

/// Where in the stream of requests the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Head,
    Body { remaining: u32 },
}

/// Follows the requests on one connection, byte by byte.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    place: Place,
    head_length: usize,
    /// The start of the current line.
    line: heapless::Vec<u8, LINE_START>,
    line_length: usize,
    body_length: Option<u32>,
    /// Which of [`ONCE`] this head has.
    seen: [bool; ONCE.len()],
}

impl Gate {
    pub(super) const fn new() -> Self {
        Self {
            place: Place::Head,
            head_length: 0,
            line: heapless::Vec::new(),
            line_length: 0,
            body_length: None,
            seen: [false; ONCE.len()],
        }
    }

    /// Lets `bytes` pass, or says how many of them may still pass and why not the rest.
    ///
    /// # Errors
    /// The request is refused; nothing after it may be read as a request.
    pub(super) fn pass(&mut self, bytes: &[u8]) -> Result<(), (usize, Problem)> {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            if let Place::Body { remaining } = &mut self.place {
                let skipped = (bytes.len() - at).min(usize::try_from(*remaining).unwrap_or(usize::MAX));
                *remaining -= u32::try_from(skipped).unwrap_or(*remaining);
                if *remaining == 0 {
                    self.place = Place::Head;
                }
                at += skipped;
            } else {
                self.head_byte(*byte).map_err(|problem| (at, problem))?;
                at += 1;
            }
        }
        Ok(())
    }

    /// Whether a body is under way.
    pub(super) const fn in_body(&self) -> bool {
        matches!(self.place, Place::Body { .. })
    }

    /// Whether the next byte is the first of a request.
    pub(super) const fn between_requests(&self) -> bool {
        matches!(self.place, Place::Head) && self.head_length == 0
    }

    /// Whether the refused byte was not the first of its request.
    pub(super) const fn head_begun(&self) -> bool {
        self.head_length > 1
    }

    fn head_byte(&mut self, byte: u8) -> Result<(), Problem> {
        self.head_length += 1;
        if self.head_length > limits::REQUEST_HEAD {
            return Err(Problem::HeadTooLong);
        }
        match byte {
            b'\n' => self.line_end(),
            b'\r' | b'\t' | b' '..=b'~' | 0x80.. => {
                self.line_length += 1;
                // Only the start of a long line is of interest.
                let _ = self.line.push(byte);
                Ok(())
            }
            _ => Err(Problem::BadHead),
        }
    }

    fn line_end(&mut self) -> Result<(), Problem> {
        let line = core::mem::take(&mut self.line);
        let length = core::mem::take(&mut self.line_length);
        let first_line = self.head_length == length + 1;
        let text = line.trim_ascii();
        if text.is_empty() && length <= LINE_START {
            if first_line {
                return Err(Problem::BadHead);
            }
            self.place = match self.body_length.take() {
                None | Some(0) => Place::Head,
                Some(remaining) => Place::Body { remaining },
            };
            self.head_length = 0;
            self.seen = [false; ONCE.len()];
            return Ok(());
        }
        if first_line {
            return Ok(());
        }
        if line.first().is_none_or(u8::is_ascii_whitespace) {
            // A folded line (obsolete since RFC 7230) can hide a header from one of the two readers.
            return Err(Problem::BadHead);
        }
        self.header(text, length > LINE_START)
    }

    fn header(&mut self, line: &[u8], cut: bool) -> Result<(), Problem> {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            // A long name may have its colon further on; picoserve refuses a line without one.
            return if cut { Ok(()) } else { Err(Problem::BadHead) };
        };
        let (name, value) = line.split_at_checked(colon).unwrap_or((line, &[]));
        if name.iter().any(u8::is_ascii_whitespace) {
            return Err(Problem::BadHead);
        }
        for ((once, problem), seen) in ONCE.iter().zip(&mut self.seen) {
            if name.eq_ignore_ascii_case(once) && core::mem::replace(seen, true) {
                return Err(problem.clone());
            }
        }
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            return Err(Problem::LengthRequired);
        }
        if name.eq_ignore_ascii_case(b"content-length") {
            let digits = value.get(1..).unwrap_or(&[]).trim_ascii();
            let number = (digits.len() <= LENGTH_DIGITS && !cut && digits.iter().all(u8::is_ascii_digit))
                .then(|| core::str::from_utf8(digits).ok()?.parse::<u32>().ok())
                .flatten();
            if number.is_none() || self.body_length.is_some() {
                return Err(Problem::BadLength);
            }
            self.body_length = number;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(text: &str) -> Result<(), (usize, Problem)> {
        let whole = Gate::new().pass(text.as_bytes());
        let mut gate = Gate::new();
        let mut single = Ok(());
        for (at, byte) in text.bytes().enumerate() {
            single = gate.pass(&[byte]).map_err(|(_, problem)| (at, problem));
            if single.is_err() {
                break;
            }
        }
        assert_eq!(whole, single, "cutting must not matter: {text:?}");
        whole
    }

    #[test]
    fn ordinary_requests_pass_one_after_the_other() {
        let get = "GET / HTTP/1.1\r\nHost: plug\r\n\r\n";
        let put = "PUT /x HTTP/1.1\r\nHost: plug\r\nContent-Length: 5\r\n\r\n\n\n\0\n\n";
        assert_eq!(verdict(&[get, put, get, put, put, get].concat()), Ok(()));
    }

    #[test]
    fn lengths_that_two_readers_could_understand_differently_are_refused() {
        for value in ["x", "", "-1", "+5", "5 5", "0x5", "18446744073709551615", "4294967295", "1e3", "5,5"] {
            let text = alloc::format!("PUT / HTTP/1.1\r\nContent-Length: {value}\r\n\r\n");
            assert_eq!(verdict(&text).map_err(|(_, problem)| problem), Err(Problem::BadLength), "{value}");
        }
        let twice = "PUT / HTTP/1.1\r\ncontent-length: 5\r\nContent-Length: 5\r\n\r\nabcde";
        assert_eq!(verdict(twice).map_err(|(_, problem)| problem), Err(Problem::BadLength));
        let spaces =
            "PUT / HTTP/1.1\r\nContent-Length:                                             5\r\n\r\n";
        assert_eq!(verdict(spaces).map_err(|(_, problem)| problem), Err(Problem::BadLength));
    }

    #[test]
    fn what_hides_a_header_is_refused() {
        for text in [
            "PUT / HTTP/1.1\r\nContent-Length : 5\r\n\r\n",
            "PUT / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
            "PUT / HTTP/1.1\r\nCon\0tent-Length: 5\r\n\r\n",
            "PUT / HTTP/1.1\r\nno colon\r\n\r\n",
            "\r\nGET / HTTP/1.1\r\n\r\n",
            "\x16\x03\x01\x02\0\x01\0\x01",
        ] {
            assert_eq!(verdict(text).map_err(|(_, problem)| problem), Err(Problem::BadHead), "{text:?}");
        }
        let chunked = "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(verdict(chunked).map_err(|(_, problem)| problem), Err(Problem::LengthRequired));
    }

    #[test]
    fn who_asks_whom_stands_there_once() {
        let head = |name: &str| alloc::format!("GET / HTTP/1.1\r\n{name}: a\r\nAccept: b\r\n\r\n");
        let twice = |one: &str, two: &str| alloc::format!("GET / HTTP/1.1\r\n{one}: a\r\n{two}: a\r\n\r\n");
        for (name, problem) in
            [("Host", Problem::BadHost), ("Origin", Problem::BadHead), ("Authorization", Problem::BadHead)]
        {
            assert_eq!(verdict(&[head(name), head(name)].concat()), Ok(()));
            let small = name.to_ascii_lowercase();
            assert_eq!(verdict(&twice(name, &small)).map_err(|(_, problem)| problem), Err(problem));
        }
        assert_eq!(verdict(&twice("Accept", "Accept")), Ok(()));
    }

    #[test]
    fn a_long_head_is_refused_at_the_limit() {
        let text = alloc::format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(limits::REQUEST_HEAD));
        assert_eq!(verdict(&text), Err((limits::REQUEST_HEAD, Problem::HeadTooLong)));
    }
}
