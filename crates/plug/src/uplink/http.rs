//! An HTTP answer, read strictly and byte by byte, whatever pieces it comes in (RFC 9112). Pure: bytes in, an answer out.
//!
//! Small, since nothing else of HTTP is needed here: one request a connection, which the server closes. The client of
//! `edge-http` makes connections by itself, and all of ours go through the gate.
//!
//! ```text
//!   head --+--> counted body -----------+
//!    ^     +--> chunks, trailers -------+--> done
//!    | 1xx +--> body until the end -----+   (also once more came than is kept)
//!    +-----+--> none (204, 304) --------+
//! ```

use alloc::string::String;
use alloc::vec::Vec;

use heapless::Vec as Line;

use super::status::Received;
use crate::ledger::mask;
use crate::limits;

/// This is no answer of HTTP, or one that is longer than any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotHttp;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Status and header lines.
    Head,
    /// So many bytes are missing.
    Counted(u64),
    /// A chunk's size.
    Size,
    /// So many bytes of a chunk are missing.
    Chunk(u64),
    /// The line end behind a chunk.
    ChunkEnd,
    /// Lines behind the last chunk.
    Trailer,
    /// Until the server closes.
    UntilEnd,
    Done,
}

/// How an answer's body ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Framing {
    #[default]
    End,
    Length(u64),
    Chunked,
}

/// An answer that is being read.
#[derive(Debug)]
pub struct Reader {
    part: Part,
    line: Line<u8, { limits::UPLINK_HEAD_LINE }>,
    head_length: usize,
    status: u16,
    framing: Framing,
    date: String,
    location: String,
    body: Vec<u8>,
    /// Bytes of the body that are kept.
    most: usize,
    /// More of it came.
    cut: bool,
    /// The head as it came, where somebody wants to see it.
    head: Option<String>,
}

impl Reader {
    /// Before the first byte; keeps `most` bytes of the body, and of the head, if it is to be shown.
    #[must_use]
    pub fn new(most: usize, with_head: bool) -> Self {
        Self {
            part: Part::Head,
            line: Line::new(),
            head_length: 0,
            status: 0,
            framing: Framing::End,
            date: String::new(),
            location: String::new(),
            body: Vec::new(),
            most,
            cut: false,
            head: with_head.then(String::new),
        }
    }

    /// Takes what came; whether that was all of the answer.
    ///
    /// # Errors
    /// It is no answer of HTTP.
    pub fn push(&mut self, bytes: &[u8]) -> Result<bool, NotHttp> {
        let mut rest = bytes;
        while self.part != Part::Done
            && let Some((first, behind)) = rest.split_first()
        {
            match self.part {
                Part::Counted(left) | Part::Chunk(left) => {
                    let count = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                    let (these, behind) = rest.split_at(count);
                    rest = behind;
                    self.keep(these);
                    self.advance(left - count as u64);
                }
                Part::UntilEnd => {
                    self.keep(rest);
                    rest = &[];
                }
                _ => {
                    rest = behind;
                    self.byte(*first)?;
                }
            }
            if self.cut {
                self.part = Part::Done;
            }
        }
        Ok(self.part == Part::Done)
    }

    /// The server closed; whether the answer is whole.
    pub fn end(&mut self) -> bool {
        if self.part == Part::UntilEnd {
            self.part = Part::Done;
        }
        self.part == Part::Done
    }

    /// Whether nothing came yet.
    #[must_use]
    pub const fn is_untouched(&self) -> bool {
        self.head_length == 0
    }

    /// The head has been read.
    #[must_use]
    pub fn has_head(&self) -> bool {
        self.part != Part::Head
    }

    /// The status.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// `Date`, as it came; empty if it did not.
    #[must_use]
    pub fn date(&self) -> &str {
        &self.date
    }

    /// `Location`, as it came; empty if it did not.
    #[must_use]
    pub fn location(&self) -> &str {
        &self.location
    }

    /// The body, as far as it is kept.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// Whether there is more of the body than is kept.
    #[must_use]
    pub const fn is_cut(&self) -> bool {
        self.cut
    }

    /// The head, as it came; empty if nobody wanted to see it.
    #[must_use]
    pub fn head(&self) -> &str {
        self.head.as_deref().unwrap_or("")
    }

    /// All of it for people, and nothing is left here.
    pub(super) fn received(&mut self) -> Received {
        let body = core::mem::take(&mut self.body);
        let body = String::from_utf8(body).or_else(|error| {
            // What stands before it can be read.
            let valid = error.utf8_error().valid_up_to();
            let mut bytes = error.into_bytes();
            bytes.truncate(valid);
            String::from_utf8(bytes)
        });
        Received {
            status: self.status,
            head: self.head.take().unwrap_or_default(),
            body: body.unwrap_or_default(),
        }
    }

    /// Overwrites a secret wherever the server said it, so that it can be kept and shown.
    pub fn hide(&mut self, secret: &str) {
        let secret = secret.as_bytes();
        // More was to come: a secret may have begun.
        let cut = self.cut || self.part != Part::Done;
        mask(&mut self.body, cut, secret);
        for text in [Some(&mut self.location), self.head.as_mut()].into_iter().flatten() {
            let mut bytes = core::mem::take(text).into_bytes();
            for line in bytes.split_mut(|byte| *byte == b'\n') {
                // A line that is as long as is kept was cut; a name went from the location, and that is not much.
                let cut = line.len() + "location:".len() >= limits::UPLINK_HEAD_LINE;
                mask(line, cut, secret);
            }
            // Stars for hexadecimal digits: it is a text as before.
            *text = String::from_utf8(bytes).unwrap_or_default();
        }
    }

    /// So many bytes of the body or the chunk are still to come.
    fn advance(&mut self, left: u64) {
        self.part = match (self.part, left) {
            (Part::Chunk(_), 0) => Part::ChunkEnd,
            (Part::Chunk(_), left) => Part::Chunk(left),
            (_, 0) => Part::Done,
            (_, left) => Part::Counted(left),
        };
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = self.most.saturating_sub(self.body.len()).min(bytes.len());
        self.cut |= room < bytes.len();
        match self.body.try_reserve(room) {
            Ok(()) => self.body.extend_from_slice(bytes.get(..room).unwrap_or(&[])),
            Err(_) => self.cut = true,
        }
    }

    /// A byte of a line.
    fn byte(&mut self, byte: u8) -> Result<(), NotHttp> {
        self.head_length += 1;
        // Lines of chunks are few and short, but a server may send as many as it likes; each chunk has a byte at least.
        if self.head_length > limits::UPLINK_HEAD {
            return Err(NotHttp);
        }
        if byte != b'\n' {
            // What does not fit is not looked at.
            let _ = self.line.push(byte);
            return Ok(());
        }
        let line = core::mem::take(&mut self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        match self.part {
            Part::Head => self.head_line(line),
            Part::Size => self.size(line),
            Part::ChunkEnd if line.is_empty() => {
                self.part = Part::Size;
                Ok(())
            }
            Part::ChunkEnd => Err(NotHttp),
            Part::Trailer => {
                if line.is_empty() {
                    self.part = Part::Done;
                }
                Ok(())
            }
            Part::Counted(_) | Part::Chunk(_) | Part::UntilEnd | Part::Done => Ok(()),
        }
    }

    fn head_line(&mut self, line: &[u8]) -> Result<(), NotHttp> {
        if self.status == 0 {
            self.status = status(line).ok_or(NotHttp)?;
        } else if line.is_empty() {
            self.begin_body();
            return Ok(());
        } else {
            self.field(line)?;
        }
        if let Some(head) = &mut self.head {
            let text = core::str::from_utf8(line).unwrap_or("(not readable)");
            let fits = head.len() + text.len() < limits::UPLINK_ANSWER;
            if fits && head.try_reserve(text.len() + 1).is_ok() {
                head.push_str(text);
                head.push('\n');
            }
        }
        Ok(())
    }

    fn field(&mut self, line: &[u8]) -> Result<(), NotHttp> {
        // What cannot be read is none of those that count, or makes the answer one that cannot be read.
        let Ok(line) = core::str::from_utf8(line) else { return Ok(()) };
        let Some((name, value)) = line.split_once(':') else { return Err(NotHttp) };
        let value = value.trim();
        if name.eq_ignore_ascii_case("content-length") {
            let length = value.parse().map_err(|_| NotHttp)?;
            match self.framing {
                Framing::Length(before) if before != length => return Err(NotHttp),
                // Chunks count for more (RFC 9112 section 6.3).
                Framing::Chunked => {}
                _ => self.framing = Framing::Length(length),
            }
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            if !value.eq_ignore_ascii_case("chunked") {
                return Err(NotHttp);
            }
            self.framing = Framing::Chunked;
        } else if name.eq_ignore_ascii_case("date") {
            self.date = kept(value);
        } else if name.eq_ignore_ascii_case("location") {
            self.location = kept(value);
        }
        Ok(())
    }

    fn begin_body(&mut self) {
        self.part = match (self.status, self.framing) {
            // What comes before the answer itself.
            (100..=199, _) => {
                (self.status, self.framing) = (0, Framing::End);
                Part::Head
            }
            (204 | 304, _) | (_, Framing::Length(0)) => Part::Done,
            (_, Framing::Length(length)) => Part::Counted(length),
            (_, Framing::Chunked) => Part::Size,
            (_, Framing::End) => Part::UntilEnd,
        };
    }

    fn size(&mut self, line: &[u8]) -> Result<(), NotHttp> {
        let text = core::str::from_utf8(line).map_err(|_| NotHttp)?;
        // Extensions mean nothing to anybody.
        let digits = text.split(';').next().unwrap_or("").trim();
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(NotHttp);
        }
        let size = u64::from_str_radix(digits, 16).map_err(|_| NotHttp)?;
        self.part = if size == 0 { Part::Trailer } else { Part::Chunk(size) };
        Ok(())
    }
}

/// A copy; empty where there is no memory for it.
fn kept(text: &str) -> String {
    let mut copy = String::new();
    if copy.try_reserve_exact(text.len()).is_ok() {
        copy.push_str(text);
    }
    copy
}

/// Of `HTTP/1.1 200 OK`.
fn status(line: &[u8]) -> Option<u16> {
    let rest = line.strip_prefix(b"HTTP/1.")?;
    let (minor, rest) = rest.split_first()?;
    let (space, rest) = rest.split_first()?;
    let (code, rest) = rest.split_at_checked(3)?;
    let ends = rest.first().is_none_or(|next| *next == b' ');
    let known = minor.is_ascii_digit() && *space == b' ' && ends;
    let code = core::str::from_utf8(code).ok()?;
    let digits = code.bytes().all(|byte| byte.is_ascii_digit());
    code.parse().ok().filter(|code| known && digits && (100..1000).contains(code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    /// Reads an answer in pieces of so many bytes, until it is whole or the server closes.
    fn read(text: &str, piece: usize, most: usize) -> Option<(u16, String, bool)> {
        let mut reader = Reader::new(most, true);
        let mut whole = false;
        for bytes in text.as_bytes().chunks(piece) {
            if reader.push(bytes).ok()? {
                whole = true;
                break;
            }
        }
        (whole || reader.end())
            .then(|| (reader.status(), String::from_utf8_lossy(reader.body()).into(), reader.is_cut()))
    }

    fn all_pieces(text: &str, wanted: Option<(u16, &str, bool)>) {
        for piece in [1, 2, 3, 7, 1000] {
            let wanted = wanted.map(|(status, body, cut)| (status, String::from(body), cut));
            assert_eq!(read(text, piece, 16), wanted, "{text:?} in pieces of {piece}");
        }
    }

    #[test]
    fn answers_are_read_however_they_end() {
        let ok = Some((200, "ok", false));
        all_pieces("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", ok);
        all_pieces("HTTP/1.1 200 OK\r\ncontent-length:2\r\nX: y\r\n\r\nokHTTP/1.1 500", ok);
        all_pieces("HTTP/1.0 200 OK\r\nDate: x\r\n\r\nok", ok);
        all_pieces("HTTP/1.1 200\n\nok", ok);
        all_pieces(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1;x=y\r\nk\r\n0\r\nT: u\r\n\r\n",
            ok,
        );
        all_pieces(
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            ok,
        );
        all_pieces("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", ok);
        all_pieces("HTTP/1.1 204 No Content\r\n\r\nrest", Some((204, "", false)));
        all_pieces("HTTP/1.0 500 Internal Server Error\r\n\r\n", Some((500, "", false)));
        all_pieces(
            "HTTP/1.1 401 Unauthorized\r\nContent-Length: 15\r\n\r\nInvalid API key",
            Some((401, "Invalid API key", false)),
        );
    }

    #[test]
    fn what_is_cut_off_is_no_answer() {
        for text in [
            "",
            "HTTP/1.1 200 OK",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n",
            "HTTP/1.1 100 Continue\r\n\r\n",
        ] {
            all_pieces(text, None);
        }
    }

    #[test]
    fn what_is_no_http_is_refused() {
        for text in [
            "SSH-2.0-OpenSSH\r\n",
            "HTTP/2 200\r\n\r\n",
            "HTTP/1.1 20 OK\r\n\r\n",
            "HTTP/1.1 2000 OK\r\n\r\n",
            "HTTP/1.1 +20 OK\r\n\r\n",
            "HTTP/1.1 200OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nok",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\nok",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokk\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        ] {
            all_pieces(text, None);
        }
        let endless = format!("HTTP/1.1 200 OK\r\n{}", "X: y\r\n".repeat(limits::UPLINK_HEAD));
        all_pieces(&endless, None);
    }

    #[test]
    fn a_long_body_is_cut_and_not_waited_for() {
        let text = format!("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{}", "x".repeat(17));
        all_pieces(&text, Some((200, "xxxxxxxxxxxxxxxx", true)));
        let exact = format!("HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{}", "x".repeat(16));
        all_pieces(&exact, Some((200, "xxxxxxxxxxxxxxxx", false)));
    }

    #[test]
    fn a_key_that_the_server_repeats_is_not_kept() {
        let key = "fa8e3b689295332c560bbea31afb61d0";
        let other = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
        let long = "z".repeat(limits::UPLINK_HEAD_LINE - "X: ".len() - 20);
        let text = format!(
            "HTTP/1.1 302 Found\r\nLocation: /?apikey={key}\r\nX-Key: {}\r\nX: {long}{key}\r\n\r\n{key} {other} and {key}",
            key.to_uppercase()
        );
        // The last one is cut in the middle.
        let mut reader = Reader::new(32 + 1 + 32 + 5 + 16, true);
        assert_eq!(reader.push(text.as_bytes()), Ok(true));
        reader.hide(key);
        reader.hide(other);
        let stars = "*".repeat(32);
        assert_eq!(reader.location(), format!("/?apikey={stars}"));
        assert_eq!(reader.body(), format!("{stars} {stars} and {}", "*".repeat(16)).as_bytes());
        let head = reader.head().to_lowercase();
        assert!(
            head.contains(&format!("x-key: {stars}\n")) && head.ends_with(&format!("z{}\n", "*".repeat(20)))
        );
        assert!(!head.contains("fa8e") && !head.contains("0f1e"), "{head}");
    }

    #[test]
    fn the_head_is_kept_for_whoever_wants_to_see_it() {
        let mut reader = Reader::new(10, true);
        let long = "z".repeat(1000);
        let text = format!(
            "HTTP/1.1 302 Found\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nSet-Cookie: {long}\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n"
        );
        assert!(reader.is_untouched() && !reader.has_head());
        assert_eq!(reader.push(text.as_bytes()), Ok(true));
        assert!(!reader.is_untouched() && reader.has_head());
        assert_eq!((reader.date(), reader.location()), ("Sun, 06 Nov 1994 08:49:37 GMT", "/login"));
        assert!(reader.head().starts_with("HTTP/1.1 302 Found\nDate: Sun"));
        assert!(reader.head().ends_with("Location: /login\nContent-Length: 0\n"));
    }
}
