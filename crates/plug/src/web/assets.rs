//! The page and what belongs to it, compressed in flash. A client that does not say it takes gzip gets gzip all the
//! same, as from other servers on small chips: every browser and `curl --compressed` take it.

use super::reply::{Body, Cache, HTML, JSON, Reply, Tag};
use picoserve::request::RequestParts;
use picoserve::response::StatusCode;

/// One file of the front end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asset {
    Index,
    Script,
    Pages,
    Zones,
    Style,
    Icon,
}

impl Asset {
    const ALL: [Self; 6] = [Self::Index, Self::Script, Self::Pages, Self::Zones, Self::Style, Self::Icon];

    const fn bytes(self) -> &'static [u8] {
        match self {
            Self::Index => include_bytes!("assets/index.html.gz"),
            Self::Script => include_bytes!("assets/app.js.gz"),
            Self::Pages => include_bytes!("assets/pages.js.gz"),
            Self::Zones => include_bytes!("assets/zones.json.gz"),
            Self::Style => include_bytes!("assets/app.css.gz"),
            Self::Icon => include_bytes!("assets/favicon.svg.gz"),
        }
    }

    const fn content_type(self) -> &'static str {
        match self {
            Self::Index => HTML,
            Self::Script | Self::Pages => "text/javascript; charset=utf-8",
            Self::Zones => JSON,
            Self::Style => "text/css; charset=utf-8",
            Self::Icon => "image/svg+xml",
        }
    }
}

/// Entity tags of all assets, computed once: no build script has to keep them in step.
pub(super) struct Tags([u64; Asset::ALL.len()]);

impl Tags {
    pub(super) fn new() -> Self {
        Self(Asset::ALL.map(|asset| fingerprint(asset.bytes())))
    }

    fn of(&self, asset: Asset) -> u64 {
        Asset::ALL.iter().zip(self.0).find(|(other, _)| **other == asset).map_or(0, |(_, tag)| tag)
    }
}

/// FNV-1a, 64 bits: tells versions of a file apart, which is all an entity tag has to do.
fn fingerprint(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Answers with `asset`, or says that the client's copy is still good.
pub(super) fn page<'a>(tags: &Tags, asset: Asset, parts: &RequestParts<'_>) -> Reply<'a> {
    let tag = tags.of(asset);
    let mut reply = Reply::new(asset.content_type(), Body::Fixed(asset.bytes()));
    reply.lines.gzip = true;
    reply.lines.etag = Some(tag);
    // The page names its files with their hash (`app.js?v=...`): such an address never changes its content.
    let hashed = parts.query().is_some_and(|query| query.0.starts_with("v="));
    reply.lines.cache = if hashed { Cache::Forever } else { Cache::Revalidate };
    if parts.headers().get("if-none-match").is_some_and(|known| knows(known.as_raw(), tag)) {
        reply.status = StatusCode::new(304);
        reply.head_only = true;
    }
    reply
}

/// Whether `header` (RFC 9110 §13.1.2) names the tag, weakly or not.
fn knows(header: &[u8], tag: u64) -> bool {
    use core::fmt::Write;
    let mut text: heapless::String<24> = heapless::String::new();
    // Eighteen characters.
    let _ = write!(text, "{}", Tag(tag));
    header.split(|byte| *byte == b',').any(|item| {
        let item = item.trim_ascii();
        item == b"*" || item.strip_prefix(b"W/").unwrap_or(item) == text.as_bytes()
    })
}
