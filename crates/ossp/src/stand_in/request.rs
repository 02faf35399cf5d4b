//! HTTP requests as the stand-in reads them: strict enough to catch a client's mistakes, and no further than one request.

use super::form::{self, Fields};

/// Longer heads are refused; Apache's own limit for one line is about as much.
const HEAD_MOST: usize = 16 * 1024;

/// What is missing for a request to be whole, or that it never will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Incomplete {
    /// More bytes have to come.
    More,
    /// This is no HTTP request.
    Broken,
}

/// One request.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// `GET` or `POST`.
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// The query, decoded.
    pub query: Fields,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as it came, its chunks joined.
    pub body: Vec<u8>,
    /// How many bytes it took on the wire.
    pub length: usize,
    /// The client wants to go on using the connection.
    pub keep_alive: bool,
}

impl Request {
    /// The first request in `bytes`.
    ///
    /// # Errors
    /// If it is not whole yet, or none at all.
    pub fn parse(bytes: &[u8]) -> Result<Self, Incomplete> {
        let Some(head_length) = memchr::memmem::find(bytes, b"\r\n\r\n") else {
            return Err(if bytes.len() > HEAD_MOST { Incomplete::Broken } else { Incomplete::More });
        };
        let (head, rest) = bytes.split_at_checked(head_length).ok_or(Incomplete::Broken)?;
        let rest = rest.get(4..).ok_or(Incomplete::Broken)?;
        let mut request = Self::head(head).ok_or(Incomplete::Broken)?;
        let taken = request.take_body(rest)?;
        request.length = head_length + 4 + taken;
        Ok(request)
    }

    fn head(head: &[u8]) -> Option<Self> {
        let head = core::str::from_utf8(head).ok()?;
        let mut lines = head.split("\r\n");
        let mut first = lines.next()?.split(' ');
        let (method, target, version) = (first.next()?, first.next()?, first.next()?);
        if first.next().is_some() || !version.starts_with("HTTP/1.") || method.is_empty() {
            return None;
        }
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let headers = lines.map(header).collect::<Option<Vec<_>>>()?;
        let mut request = Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: form::urlencoded(query.as_bytes()),
            headers,
            ..Self::default()
        };
        let wish = request.header("connection").unwrap_or("").to_ascii_lowercase();
        request.keep_alive = if version == "HTTP/1.1" { wish != "close" } else { wish == "keep-alive" };
        Some(request)
    }

    /// How many bytes of `rest` were the body's.
    fn take_body(&mut self, rest: &[u8]) -> Result<usize, Incomplete> {
        if self.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            return self.take_chunks(rest);
        }
        let length = match self.header("content-length") {
            None => 0,
            Some(length) => length.parse::<usize>().map_err(|_| Incomplete::Broken)?,
        };
        self.body = rest.get(..length).ok_or(Incomplete::More)?.to_vec();
        Ok(length)
    }

    fn take_chunks(&mut self, rest: &[u8]) -> Result<usize, Incomplete> {
        let (mut at, mut body) = (0, Vec::new());
        loop {
            let left = rest.get(at..).unwrap_or_default();
            let line = memchr::memmem::find(left, b"\r\n").ok_or(Incomplete::More)?;
            let size = left.get(..line).unwrap_or_default();
            let size = core::str::from_utf8(size).map_err(|_| Incomplete::Broken)?;
            let size = size.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16).map_err(|_| Incomplete::Broken)?;
            let from = line + 2;
            let chunk = left.get(from..from.saturating_add(size)).ok_or(Incomplete::More)?;
            let end = left.get(from + size..from + size + 2).ok_or(Incomplete::More)?;
            if end != b"\r\n" {
                return Err(Incomplete::Broken);
            }
            body.extend_from_slice(chunk);
            at += from + size + 2;
            if size == 0 {
                self.body = body;
                return Ok(at);
            }
        }
    }

    /// A header's value; `name` in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The fields of a form body; none where the body is something else, as PHP sees it.
    #[must_use]
    pub fn form(&self) -> Fields {
        if self.method != "POST" || self.header("content-encoding").is_some() {
            return Fields::default();
        }
        let full = self.header("content-type").unwrap_or_default();
        let kind = full.split(';').next().unwrap_or_default().trim();
        if kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            form::urlencoded(&self.body)
        } else if kind.eq_ignore_ascii_case("multipart/form-data") {
            form::multipart(full, &self.body)
        } else {
            Fields::default()
        }
    }
}

fn header(line: &str) -> Option<(String, String)> {
    let (name, value) = line.split_once(':')?;
    if name.is_empty() || name.contains(' ') {
        return None;
    }
    Some((name.to_ascii_lowercase(), value.trim().to_owned()))
}
