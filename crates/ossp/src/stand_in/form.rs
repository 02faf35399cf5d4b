//! Form fields as PHP reads them: from a query, from a urlencoded body, from a multipart one.

/// Names and values, in the order in which they came; the last of several of one name counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fields(Vec<(String, Vec<u8>)>);

impl Fields {
    /// A field's bytes.
    #[must_use]
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().rev().find(|(other, _)| other == name).map(|(_, value)| value.as_slice())
    }

    /// A field as text; what is no UTF-8 is replaced.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        self.bytes(name).map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// Whether there is such a field.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.bytes(name).is_some()
    }

    /// One more field.
    pub fn add(&mut self, name: &str, value: &[u8]) {
        self.0.push((name.to_owned(), value.to_vec()));
    }

    /// These fields, and over them those of `others`.
    #[must_use]
    pub fn with(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// Each backslash dropped, what stood behind it kept: Emoncms does so with all that comes in the clear.
    #[must_use]
    pub fn without_backslashes(mut self) -> Self {
        for (_, value) in &mut self.0 {
            let mut escaped = false;
            value.retain(|byte| {
                escaped = *byte == b'\\' && !escaped;
                !escaped
            });
        }
        self
    }

    /// All of them, as a person reads them.
    #[must_use]
    pub fn readable(&self) -> String {
        let pairs = self.0.iter().map(|(name, value)| format!("{name}={}", String::from_utf8_lossy(value)));
        pairs.collect::<Vec<_>>().join("&")
    }
}

/// `application/x-www-form-urlencoded`: `+` is a space, `%` and two hex digits a byte, any other `%` itself.
#[must_use]
pub fn urlencoded(bytes: &[u8]) -> Fields {
    let mut fields = Fields::default();
    for pair in bytes.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let name = decode(halves.next().unwrap_or_default());
        let value = decode(halves.next().unwrap_or_default());
        fields.0.push((String::from_utf8_lossy(&name).into_owned(), value));
    }
    fields
}

/// Percent-decoding of one name or value.
#[must_use]
pub fn decode(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text;
    loop {
        rest = match rest {
            [] => return decoded,
            [b'+', after @ ..] => {
                decoded.push(b' ');
                after
            }
            [b'%', high, low, after @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                decoded.push(nibble(*high) << 4 | nibble(*low));
                after
            }
            [byte, after @ ..] => {
                decoded.push(*byte);
                after
            }
        };
    }
}

fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        b'A'..=b'F' => digit - b'A' + 10,
        _ => 0,
    }
}

/// `multipart/form-data`; `content_type` names the boundary.
#[must_use]
pub fn multipart(content_type: &str, body: &[u8]) -> Fields {
    let mut fields = Fields::default();
    let Some((_, boundary)) = content_type.split_once("boundary=") else { return fields };
    let boundary = boundary.split(';').next().unwrap_or_default().trim().trim_matches('"');
    let (between, mut rest) = (format!("\r\n--{boundary}"), body);
    // The first boundary stands at the start, without a line's end before it.
    let Some(at) = memchr::memmem::find(rest, format!("--{boundary}").as_bytes()) else { return fields };
    rest = rest.get(at + boundary.len() + 2..).unwrap_or_default();
    while let Some(after) = rest.strip_prefix(b"\r\n") {
        let Some(end) = memchr::memmem::find(after, between.as_bytes()) else { return fields };
        let (part, left) = after.split_at(end);
        if let Some((name, value)) = part_of(part) {
            fields.add(&name, value);
        }
        rest = left.get(between.len()..).unwrap_or_default();
    }
    fields
}

fn part_of(part: &[u8]) -> Option<(String, &[u8])> {
    let head = memchr::memmem::find(part, b"\r\n\r\n")?;
    let words = String::from_utf8_lossy(part.get(..head)?).into_owned();
    let (_, after) = words.split_once("name=\"")?;
    let (name, _) = after.split_once('"')?;
    Some((name.to_owned(), part.get(head + 4..)?))
}
