//! Reads one flat JSON object of a client strictly (RFC 8259): `serde-json-core` does not say which field was wrong
//! and lets some texts pass that are not JSON.

/// Deepest nesting that is followed.
const DEPTH: usize = 8;

/// This is not one JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotJson;

/// Calls `visit` with each member of the object that `text` is: the name as written and the value's own text.
///
/// # Errors
/// The text is not exactly one JSON object; members before the fault have been visited.
pub(super) fn members<'a>(text: &'a str, mut visit: impl FnMut(&'a str, &'a str)) -> Result<(), NotJson> {
    let mut reader = Reader { text, at: 0 };
    reader.space();
    reader.object(0, &mut |name, value| visit(name, value))?;
    reader.space();
    if reader.at == text.len() { Ok(()) } else { Err(NotJson) }
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

    fn list(&mut self, depth: usize) -> Result<(), NotJson> {
        self.take(b'[')?;
        self.space();
        if self.take(b']').is_ok() {
            return Ok(());
        }
        loop {
            self.space();
            self.value(depth)?;
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
            b'[' => self.list(depth + 1),
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
}
