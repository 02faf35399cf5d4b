//! Answers, and how their end is told: by a length, in chunks, or by the end of the connection.

use super::php;

/// How a client learns where an answer ends. Real servers do all three.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Framing {
    /// `Content-Length`, the connection stays open: Apache with a short answer
    #[default]
    Length,
    /// `Transfer-Encoding: chunked`: Apache with a long one, many proxies
    Chunked,
    /// The connection is closed: PHP's own server
    Close,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Version, number and words.
    pub status: &'static str,
    /// `None` where there is none.
    pub content_type: Option<&'static str>,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: String,
}

/// What Emoncms calls its answers to `input/post` and `input/bulk`.
pub const PLAIN: &str = "text/plain;charset=UTF-8";
/// Pages, and PHP's own words.
pub const HTML: &str = "text/html; charset=UTF-8";

impl Answer {
    /// 200 with a body.
    #[must_use]
    pub fn ok(content_type: &'static str, body: String) -> Self {
        Self::new("HTTP/1.1 200 OK", content_type, body)
    }

    /// 200 with JSON.
    #[must_use]
    pub fn json(body: String) -> Self {
        Self::ok("application/json", body)
    }

    /// Any status.
    #[must_use]
    pub fn new(status: &'static str, content_type: &'static str, body: String) -> Self {
        Self { status, content_type: Some(content_type), headers: Vec::new(), body }
    }

    /// The bytes on the wire, and whether the connection stays open.
    #[must_use]
    pub fn bytes(&self, framing: Framing, keep_alive: bool, now: f64) -> (Vec<u8>, bool) {
        let stays = keep_alive && framing != Framing::Close && self.status.starts_with("HTTP/1.1");
        let mut text = format!("{}\r\nDate: {}\r\n", self.status, php::http_date(php::cut(now)));
        for (name, value) in &self.headers {
            text += &format!("{name}: {value}\r\n");
        }
        if let Some(content_type) = self.content_type {
            text += &format!("Content-Type: {content_type}\r\n");
        }
        text += if stays { "Connection: Keep-Alive\r\n" } else { "Connection: close\r\n" };
        match framing {
            Framing::Length => text += &format!("Content-Length: {}\r\n\r\n{}", self.body.len(), self.body),
            Framing::Close => text += &format!("\r\n{}", self.body),
            Framing::Chunked => text += &format!("Transfer-Encoding: chunked\r\n\r\n{}", chunked(&self.body)),
        }
        (text.into_bytes(), stays)
    }
}

/// In two chunks where there is more than one byte, so that a client that reads only the first is found out.
fn chunked(body: &str) -> String {
    let middle = (0..=body.len() / 2).rev().find(|at| body.is_char_boundary(*at)).unwrap_or(0);
    let (first, second) = body.split_at_checked(middle).unwrap_or(("", body));
    let chunk = |part: &str| {
        if part.is_empty() { String::new() } else { format!("{:x}\r\n{part}\r\n", part.len()) }
    };
    format!("{}{}0\r\n\r\n", chunk(first), chunk(second))
}
