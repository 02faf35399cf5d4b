//! Reads JSON strictly, piece by piece (RFC 8259): `serde-json-core` does not say which field was wrong and lets some
//! texts pass that are not JSON. Writes the texts and numbers that go with it.

use core::fmt::{Display, Formatter, Result as Written, Write};
use core::str::Chars;

/// Deepest nesting that is followed.
const DEPTH: usize = 8;

/// This is not one JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotJson;

/// Calls `visit` with each member of the object that `text` is: the name as written and the value's own text.
///
/// # Errors
/// The text is not exactly one JSON object; members before the fault have been visited.
pub(crate) fn members<'a>(text: &'a str, mut visit: impl FnMut(&'a str, &'a str)) -> Result<(), NotJson> {
    let mut reader = Reader { text, at: 0 };
    reader.space();
    reader.object(0, &mut |name, value| visit(name, value))?;
    reader.space();
    if reader.at == text.len() { Ok(()) } else { Err(NotJson) }
}

/// Calls `visit` with the text of each item of the list that `text` is.
///
/// # Errors
/// The text is not exactly one JSON list; items before the fault have been visited.
pub(crate) fn items<'a>(text: &'a str, mut visit: impl FnMut(&'a str)) -> Result<(), NotJson> {
    let mut reader = Reader { text, at: 0 };
    reader.space();
    reader.list(0, &mut visit)?;
    reader.space();
    if reader.at == text.len() { Ok(()) } else { Err(NotJson) }
}

/// Gives each character of the JSON string that `value` is (with its quotes) to `push`. `false` if it is no string,
/// has a control character in it or half of a surrogate pair, or if `push` did not want a character.
pub(crate) fn unescape(value: &str, push: &mut dyn FnMut(char) -> bool) -> bool {
    let inner = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let Some(inner) = inner else { return false };
    let mut rest = inner.chars();
    while let Some(first) = rest.next() {
        let character = if first == '\\' { escaped(&mut rest) } else { Some(first) };
        match character {
            Some(character) if !character.is_control() && push(character) => {}
            _ => return false,
        }
    }
    true
}

/// What follows a backslash.
fn escaped(rest: &mut Chars<'_>) -> Option<char> {
    match rest.next()? {
        same @ ('"' | '\\' | '/') => Some(same),
        'u' => {
            let first = hex(rest)?;
            if !(0xd800..0xdc00).contains(&first) {
                // The second half of a pair, alone, is no character.
                return char::from_u32(first);
            }
            let second = (rest.next()? == '\\' && rest.next()? == 'u').then(|| hex(rest)).flatten()?;
            let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
            char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + low)
        }
        // Line ends and other control characters have no place in a name.
        _ => None,
    }
}

/// Four hexadecimal digits.
fn hex(rest: &mut Chars<'_>) -> Option<u32> {
    (0..4).try_fold(0, |number, _| Some(number << 4 | rest.next()?.to_digit(16)?))
}

/// A number's own text as a number; `None` for what is none, also for words such as `inf`.
pub(crate) fn number(value: &str) -> Option<f64> {
    let begins = value.starts_with(|first: char| first == '-' || first.is_ascii_digit());
    begins.then(|| crate::number::parse(value)).flatten()
}

/// A text as a JSON string.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl Quoted<'_> {
    /// What stands between the quotes.
    pub(crate) fn inner(&self, out: &mut dyn Write) -> Written {
        Escaping(out).write_str(self.0)
    }
}

impl Display for Quoted<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Written {
        write_quoted(&self.0, formatter)
    }
}

/// Writes what `text` shows as a JSON string.
pub(crate) fn write_quoted(text: &dyn Display, out: &mut dyn Write) -> Written {
    out.write_char('"')?;
    write!(Escaping(out), "{text}")?;
    out.write_char('"')
}

/// Escapes what may not stand in a JSON string.
struct Escaping<'a>(&'a mut dyn Write);

impl Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> Written {
        let special = |character: char| matches!(character, '"' | '\\' | '\0'..='\x1f');
        for piece in text.split_inclusive(special) {
            match piece.chars().next_back().filter(|last| special(*last)) {
                None => self.0.write_str(piece)?,
                Some(last) => {
                    // Each of them is one byte long.
                    self.0.write_str(piece.get(..piece.len() - 1).unwrap_or(""))?;
                    match last {
                        '"' | '\\' => write!(self.0, "\\{last}")?,
                        control => write!(self.0, "\\u{:04x}", u32::from(control))?,
                    }
                }
            }
        }
        Ok(())
    }
}

/// A number so that reading it gives the same bits, whole ones without a fraction; null if it is none.
pub(crate) struct Number(pub(crate) f64);

impl Display for Number {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Written {
        if !self.0.is_finite() {
            return formatter.write_str("null");
        }
        let mut buffer = ryu::Buffer::new();
        let text = buffer.format_finite(self.0);
        formatter.write_str(text.strip_suffix(".0").unwrap_or(text))
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, wanted: u8) -> Result<(), NotJson> {
        if self.peek() == Some(wanted) {
            self.at += 1;
            Ok(())
        } else {
            Err(NotJson)
        }
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn since(&self, start: usize) -> &'a str {
        self.text.get(start..self.at).unwrap_or("")
    }

    fn object(&mut self, depth: usize, visit: &mut dyn FnMut(&'a str, &'a str)) -> Result<(), NotJson> {
        self.take(b'{')?;
        self.space();
        if self.take(b'}').is_ok() {
            return Ok(());
        }
        loop {
            self.space();
            let start = self.at;
            self.string()?;
            let name = self.since(start);
            self.space();
            self.take(b':')?;
            self.space();
            let start = self.at;
            self.value(depth)?;
            visit(name.get(1..name.len().saturating_sub(1)).unwrap_or(""), self.since(start));
            self.space();
            if self.take(b'}').is_ok() {
                return Ok(());
            }
            self.take(b',')?;
        }
    }

    fn list(&mut self, depth: usize, visit: &mut dyn FnMut(&'a str)) -> Result<(), NotJson> {
        self.take(b'[')?;
        self.space();
        if self.take(b']').is_ok() {
            return Ok(());
        }
        loop {
            self.space();
            let start = self.at;
            self.value(depth)?;
            visit(self.since(start));
            self.space();
            if self.take(b']').is_ok() {
                return Ok(());
            }
            self.take(b',')?;
        }
    }

    fn value(&mut self, depth: usize) -> Result<(), NotJson> {
        if depth >= DEPTH {
            return Err(NotJson);
        }
        match self.peek().ok_or(NotJson)? {
            b'{' => self.object(depth + 1, &mut |_, _| {}),
            b'[' => self.list(depth + 1, &mut |_| {}),
            b'"' => self.string(),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            _ => self.number(),
        }
    }

    fn word(&mut self, word: &str) -> Result<(), NotJson> {
        word.bytes().try_for_each(|byte| self.take(byte))
    }

    fn string(&mut self) -> Result<(), NotJson> {
        self.take(b'"')?;
        loop {
            match self.peek().ok_or(NotJson)? {
                b'"' => {
                    self.at += 1;
                    return Ok(());
                }
                b'\\' => {
                    self.at += 1;
                    self.escape()?;
                }
                0..=0x1f => return Err(NotJson),
                _ => self.at += 1,
            }
        }
    }

    fn escape(&mut self) -> Result<(), NotJson> {
        let kind = self.peek().ok_or(NotJson)?;
        self.at += 1;
        match kind {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(()),
            b'u' => {
                for _ in 0..4 {
                    if !self.peek().is_some_and(|byte| byte.is_ascii_hexdigit()) {
                        return Err(NotJson);
                    }
                    self.at += 1;
                }
                Ok(())
            }
            _ => Err(NotJson),
        }
    }

    fn number(&mut self) -> Result<(), NotJson> {
        let _ = self.take(b'-');
        if self.take(b'0').is_err() {
            self.digits()?;
        }
        if self.take(b'.').is_ok() {
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), NotJson> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { Err(NotJson) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use alloc::vec::Vec;

    fn read(text: &str) -> Result<Vec<(String, String)>, NotJson> {
        let mut found = Vec::new();
        members(text, |name, value| found.push((name.into(), value.into())))?;
        Ok(found)
    }

    #[test]
    fn members_are_found_with_their_texts() {
        let found =
            read(" {\"on\" : true,\"for_s\":-1.5e+3 ,\"a\":[1,{\"on\":2}], \"\\u00e4\":\"x\\\"}\" } \n")
                .unwrap();
        let found: Vec<_> = found.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(
            found,
            [("on", "true"), ("for_s", "-1.5e+3"), ("a", "[1,{\"on\":2}]"), ("\\u00e4", "\"x\\\"}\"")]
        );
        assert_eq!(read("{}").unwrap(), []);
    }

    #[test]
    fn what_is_not_one_object_is_refused() {
        for text in [
            "",
            " ",
            "{",
            "}",
            "{}{}",
            "{} x",
            "[]",
            "true",
            "\"on\"",
            "{on:true}",
            "{\"on\"}",
            "{\"on\":}",
            "{\"on\":tru}",
            "{\"on\":true,}",
            "{,}",
            "{\"on\":true \"a\":1}",
            "{\"a\":01}",
            "{\"a\":1.}",
            "{\"a\":.5}",
            "{\"a\":+1}",
            "{\"a\":1e}",
            "{\"a\":-}",
            "{\"a\":NaN}",
            "{\"a\":\"\n\"}",
            "{\"a\":\"\\x\"}",
            "{\"a\":\"\\u12g4\"}",
            "{\"a\":\"",
            "{'a':1}",
            "{\"a\":[1,]}",
            "{\"a\":[[[[[[[[[[]]]]]]]]]]}",
        ] {
            assert_eq!(read(text), Err(NotJson), "{text}");
        }
    }

    fn plain(value: &str) -> Option<String> {
        let mut text = String::new();
        let mut push = |character| {
            text.push(character);
            true
        };
        unescape(value, &mut push).then_some(text)
    }

    #[test]
    fn items_are_found_with_their_texts() {
        let list = |text: &'static str| {
            let mut found = Vec::new();
            items(text, |item| found.push(item)).map(|()| found)
        };
        assert_eq!(
            list(" [ 1 , \"a,b\",[2,3], {\"x\":[4]} ] "),
            Ok(["1", "\"a,b\"", "[2,3]", "{\"x\":[4]}"].into())
        );
        assert_eq!(list("[]"), Ok(Vec::new()));
        for text in ["", "[", "]", "[1,]", "[,1]", "[1 2]", "{}", "1", "[1]x", "[[[[[[[[[[]]]]]]]]]]"] {
            assert_eq!(list(text), Err(NotJson), "{text}");
        }
    }

    #[test]
    fn strings_are_read_as_they_are_meant() {
        assert_eq!(plain("\"a\\\"\\\\\\/\\u00e4\\uD83d\\uDe00€\"").as_deref(), Some("a\"\\/ä😀€"));
        assert_eq!(plain("\"\"").as_deref(), Some(""));
        for text in [
            "",
            "\"",
            "a",
            "1",
            "null",
            "\"\\n\"",
            "\"\\b\"",
            "\"\\u0000\"",
            "\"\\u009f\"",
            "\"\\ud83d\"",
            "\"\\ude00\"",
            "\"\\ud83d\\u0041\"",
            "\"\\ud83dx\"",
            "\"\\u+123\"",
            "\"\\u12\"",
            "\"\\\"",
        ] {
            assert_eq!(plain(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_as_the_same() {
        for text in ["", "plain", "\"quoted\" \\ /", "ä€😀", "\u{7f}"] {
            let quoted = alloc::format!("{}", Quoted(text));
            assert_eq!(serde_json::from_str::<String>(&quoted).unwrap(), text);
            assert_eq!(plain(&quoted).as_deref(), (text != "\u{7f}").then_some(text));
        }
        assert_eq!(serde_json::from_str::<String>(&alloc::format!("{}", Quoted("\n\0"))).unwrap(), "\n\0");
        for value in [0.0, -0.0, 1.0, 0.1, 1e16, 5e-324, f64::MAX, -1.0 / 3.0, 604_800.0] {
            assert_eq!(number(&alloc::format!("{}", Number(value))).map(f64::to_bits), Some(value.to_bits()));
        }
        assert_eq!(alloc::format!("{} {} {}", Number(16.0), Number(0.5), Number(f64::NAN)), "16 0.5 null");
        for word in ["inf", "nan", "+1", ".5", "", "-inf", "1e999", "true", "\"1\""] {
            assert_eq!(number(word), None, "{word}");
        }
    }
}
