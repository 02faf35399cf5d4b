//! A form with one file in it (RFC 7578, RFC 2046 §5.1), byte by byte: what belongs to the file comes out, everything else
//! is looked at in passing. As ElegantOTA's clients send it: a text part `MD5` may stand before or behind the file.
//!
//! ```text
//! Before --delimiter--> Behind --CRLF--> Head --empty line--> Part --delimiter--> Behind --"--"--> End
//! ```

use heapless::Vec;

/// Longest boundary (RFC 2046 §5.1.1).
const BOUNDARY: usize = 70;
/// What is kept of a line of a part's head: its name and that it is a file stand at the beginning.
const LINE: usize = 128;
/// Digits of an MD5, and one more to see that there are too many.
const MD5_TEXT: usize = 33;

/// Where in the form the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before the first delimiter.
    Before,
    /// Right behind one: a line end, or two hyphens.
    Behind(Behind),
    Head,
    Part(Kind),
    /// Behind the last one.
    End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behind {
    Start,
    Hyphen,
    Return,
}

/// What a part is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    File,
    Md5,
    #[default]
    Other,
}

/// It is no such form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotAForm;

/// A form that comes in.
#[derive(Clone, Debug)]
pub(super) struct Form {
    /// Line end, two hyphens, boundary.
    delimiter: Vec<u8, { BOUNDARY + 4 }>,
    /// How much of it has just come.
    matched: usize,
    place: Place,
    line: Vec<u8, LINE>,
    line_length: usize,
    /// What the head says so far.
    kind: Kind,
    files: u8,
    md5: Vec<u8, MD5_TEXT>,
}

impl Form {
    /// For the value of a header `Content-Type`; `None` if that is none of a form.
    pub(super) fn of(content_type: &[u8]) -> Option<Self> {
        let text = core::str::from_utf8(content_type).ok()?;
        let (kind, parameters) = text.split_once(';')?;
        if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
            return None;
        }
        let boundary = parameters.split(';').find_map(|parameter| {
            let (name, value) = parameter.split_once('=')?;
            name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim())
        })?;
        let boundary = boundary.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(boundary);
        if boundary.is_empty() || !boundary.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return None;
        }
        let mut delimiter = Vec::from_slice(b"\r\n--").ok()?;
        delimiter.extend_from_slice(boundary.as_bytes()).ok()?;
        Some(Self {
            delimiter,
            // The first delimiter needs no line end before it.
            matched: 2,
            place: Place::Before,
            line: Vec::new(),
            line_length: 0,
            kind: Kind::Other,
            files: 0,
            md5: Vec::new(),
        })
    }

    /// Takes as many bytes as there is room for in `file`, which does not grow over `most`, and adds to it what belongs to
    /// the file; how many it took. It always takes some if there is room for [`Form::at_once`], and stops where the file
    /// begins.
    ///
    /// # Errors
    /// It is no form with one file.
    pub(super) fn take(
        &mut self,
        bytes: &[u8],
        file: &mut alloc::vec::Vec<u8>,
        most: usize,
    ) -> Result<usize, NotAForm> {
        for (taken, byte) in bytes.iter().enumerate() {
            if file.len() + self.at_once() > most {
                return Ok(taken);
            }
            let had_begun = self.file_has_begun();
            self.byte(*byte, file)?;
            if self.file_has_begun() != had_begun {
                return Ok(taken + 1);
            }
        }
        Ok(bytes.len())
    }

    /// How many bytes of the file one byte can bring to light: a delimiter that was none, and itself.
    pub(super) fn at_once(&self) -> usize {
        self.delimiter.len() + 1
    }

    /// Bytes that close the form behind a file, at the least.
    pub(super) fn closing(&self) -> usize {
        self.delimiter.len() + 2
    }

    /// Whether the next byte may be one of the file, or that has ended.
    pub(super) const fn file_has_begun(&self) -> bool {
        self.files > 0
    }

    /// Whether its end came.
    pub(super) fn has_ended(&self) -> bool {
        self.place == Place::End && self.files == 1
    }

    /// What the part `MD5` holds.
    pub(super) fn md5(&self) -> Option<&str> {
        (!self.md5.is_empty()).then(|| core::str::from_utf8(&self.md5).unwrap_or(""))
    }

    fn byte(&mut self, byte: u8, file: &mut alloc::vec::Vec<u8>) -> Result<(), NotAForm> {
        match self.place {
            Place::Before => self.part(byte, Kind::Other, file),
            Place::Part(kind) => self.part(byte, kind, file),
            Place::Behind(behind) => {
                self.place = match (behind, byte) {
                    // White space behind a boundary is allowed (RFC 2046 §5.1.1).
                    (Behind::Start, b' ' | b'\t') => Place::Behind(Behind::Start),
                    (Behind::Start, b'\r') => Place::Behind(Behind::Return),
                    (Behind::Start, b'-') => Place::Behind(Behind::Hyphen),
                    (Behind::Hyphen, b'-') => Place::End,
                    (Behind::Return, b'\n') => Place::Head,
                    _ => return Err(NotAForm),
                };
                (self.kind, self.line_length) = (Kind::Other, 0);
                self.line.clear();
            }
            Place::Head => return self.head(byte),
            Place::End => {}
        }
        Ok(())
    }

    /// A byte of a part, or of what ends it. A boundary has no carriage return in it, so what began like a delimiter and
    /// is none can only begin again at this byte.
    fn part(&mut self, byte: u8, kind: Kind, file: &mut alloc::vec::Vec<u8>) {
        if self.delimiter.get(self.matched) == Some(&byte) {
            self.matched += 1;
            if self.matched == self.delimiter.len() {
                self.matched = 0;
                self.place = Place::Behind(Behind::Start);
            }
            return;
        }
        let began = self.delimiter.get(..core::mem::take(&mut self.matched)).unwrap_or(&[]);
        let again = byte == b'\r';
        let own: &[u8] = if again { &[] } else { &[byte] };
        match kind {
            Kind::File => {
                file.extend_from_slice(began);
                file.extend_from_slice(own);
            }
            Kind::Md5 => {
                // What is too long is wrong, and that can be seen.
                for byte in began.iter().chain(own) {
                    let _ = self.md5.push(*byte);
                }
            }
            Kind::Other => {}
        }
        self.matched = usize::from(again);
    }

    fn head(&mut self, byte: u8) -> Result<(), NotAForm> {
        if byte != b'\n' {
            self.line_length += 1;
            let _ = self.line.push(byte);
            return Ok(());
        }
        let line = core::mem::take(&mut self.line);
        let length = core::mem::take(&mut self.line_length);
        let text = line.trim_ascii();
        if !text.is_empty() || length > LINE {
            if let Some(kind) = kind_of(text) {
                self.kind = kind;
            }
            return Ok(());
        }
        self.files = self.files.saturating_add(u8::from(self.kind == Kind::File));
        if self.files > 1 {
            return Err(NotAForm);
        }
        self.place = Place::Part(self.kind);
        Ok(())
    }
}

/// What a line of a part's head says of it.
fn kind_of(line: &[u8]) -> Option<Kind> {
    let line = core::str::from_utf8(line).ok()?;
    let (name, value) = line.split_once(':')?;
    if !name.trim().eq_ignore_ascii_case("content-disposition") {
        return None;
    }
    let mut kind = Kind::Other;
    for parameter in value.split(';') {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match name.trim() {
            name if name.eq_ignore_ascii_case("filename") || name.eq_ignore_ascii_case("filename*") => {
                return Some(Kind::File);
            }
            name if name.eq_ignore_ascii_case("name") && value.trim().trim_matches('"') == "MD5" => {
                kind = Kind::Md5;
            }
            _ => {}
        }
    }
    Some(kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::vec::Vec as List;

    const TYPE: &[u8] = b"multipart/form-data; boundary=xyz";

    /// Feeds it in pieces of `piece` bytes, with `most` bytes of room; the file and the form.
    fn read(bytes: &[u8], piece: usize, most: usize) -> Result<(List<u8>, Form), NotAForm> {
        let mut form = Form::of(TYPE).unwrap();
        let (mut all, mut room) = (List::new(), List::new());
        for mut part in bytes.chunks(piece) {
            while !part.is_empty() {
                let taken = form.take(part, &mut room, most)?;
                part = &part[taken..];
                assert!(room.len() <= most);
                if taken == 0 || !part.is_empty() {
                    all.append(&mut room);
                }
            }
        }
        all.append(&mut room);
        Ok((all, form))
    }

    fn form(parts: &[(&str, &[u8])]) -> List<u8> {
        let mut bytes = List::new();
        for (head, content) in parts {
            bytes.extend_from_slice(format!("--xyz\r\n{head}\r\n\r\n").as_bytes());
            bytes.extend_from_slice(content);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"--xyz--\r\n");
        bytes
    }

    const FILE: &str = "Content-Disposition: form-data; name=\"firmware\"; filename=\"firmware\"\r\nContent-Type: application/octet-stream";
    const MD5: &str = "Content-Disposition: form-data; name=\"MD5\"";

    #[test]
    fn the_file_comes_out_as_it_is_whatever_the_pieces() {
        let nasty: &[u8] = b"\r\n--xy\r\n--x\r\r\n--xzy\r\r\r\n-\n--xyz--\r\n";
        for content in [nasty, b"", b"\r", b"\r\n", b"\xff\0\r\n--xyy"] {
            for piece in [1, 2, 3, 7, 1000] {
                for most in [9, 10, 64, 4096] {
                    let bytes = form(&[(MD5, b"0123456789abcdef0123456789abcdef"), (FILE, content)]);
                    let (file, form) = read(&bytes, piece, most).unwrap();
                    assert_eq!(file, content, "{piece} {most}");
                    assert!(form.has_ended());
                    assert_eq!(form.md5(), Some("0123456789abcdef0123456789abcdef"));
                }
            }
        }
    }

    #[test]
    fn every_cut_shows() {
        let bytes = form(&[(FILE, b"content")]);
        let last = bytes.len() - 2;
        for end in 0..bytes.len() {
            let (_, form) = read(&bytes[..end], 5, 4096).unwrap();
            assert_eq!(form.has_ended(), end >= last, "cut to {end}");
        }
    }

    #[test]
    fn parts_may_stand_in_any_order_and_have_any_names() {
        let other = "Content-Disposition: form-data; name=\"filename\"";
        let (file, form_) = read(
            &form(&[
                (other, b"x"),
                ("content-disposition:form-data;FILENAME=a;name=file", b"abc"),
                (MD5, b"1"),
            ]),
            3,
            4096,
        )
        .unwrap();
        assert_eq!((file.as_slice(), form_.md5()), (&b"abc"[..], Some("1")));
        // A text that came before the first part is nobody's business.
        let (file, form_) =
            read(&[&b"preamble\r\n"[..], &form(&[(FILE, b"abc")])].concat(), 3, 4096).unwrap();
        assert!(form_.has_ended() && file == b"abc");
    }

    #[test]
    fn what_is_no_form_with_one_file_is_refused() {
        assert_eq!(read(&form(&[(FILE, b"a"), (FILE, b"b")]), 3, 4096).err(), Some(NotAForm));
        assert!(!read(&form(&[(MD5, b"a")]), 3, 4096).unwrap().1.has_ended());
        assert_eq!(read(b"--xyz\r\rx", 3, 4096).err(), Some(NotAForm));
        assert_eq!(read(b"--xyz-x", 3, 4096).err(), Some(NotAForm));
        for bad in [
            &b"multipart/form-data"[..],
            b"multipart/form-data; boundary=",
            b"multipart/form-data; boundary=\"\"",
            b"multipart/form-data; boundary=a\rb",
            b"application/json; boundary=a",
            b"multipart/form-data; boundary=\xff",
        ] {
            assert!(Form::of(bad).is_none());
        }
        assert!(Form::of(format!("multipart/form-data; boundary={}", "a".repeat(71)).as_bytes()).is_none());
        assert!(Form::of(b"Multipart/Form-Data; charset=x; Boundary=\"a b\"").is_some());
    }
}
