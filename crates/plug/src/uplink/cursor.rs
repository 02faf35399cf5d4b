//! How far the uplink has come, in the flash: one item, which a power cut leaves as it was or as it becomes.

use embedded_storage_async::nor_flash::NorFlash;
use sha2::{Digest, Sha256};

use super::machine::{Fingerprint, Kept, OutOfTurn};
use crate::json;
use crate::settings::emoncms::EmoncmsSettings;
use crate::storage::careful::Careful;
use crate::storage::item::{Found, SaveError, fetch, put};

/// Longest text that is stored.
const STORED: usize = 160;

/// Reads and writes the cursor; one task has it.
pub struct CursorStore<F>(Careful<F>);

impl<F: NorFlash> CursorStore<F> {
    /// In a flash of its own ([`crate::storage::layout::UPLINK`]).
    pub const fn new(flash: F) -> Self {
        Self(Careful::new(flash))
    }

    /// What is kept; `None` if nothing is.
    ///
    /// # Errors
    /// It cannot be read or understood.
    pub async fn load(&mut self) -> Result<Option<Kept>, Found> {
        let mut kept = None;
        fetch(&mut self.0, STORED, &mut |bytes| kept = Some(read(bytes))).await?;
        kept.map_or(Ok(None), |kept| kept.map(Some).ok_or(Found::Corrupt))
    }

    /// Keeps it. Dropping the future is a power cut: the old or the new is there.
    ///
    /// # Errors
    /// The flash does not take it.
    pub async fn save(&mut self, kept: &Kept) -> Result<(), SaveError> {
        put(&mut self.0, STORED, &|out| {
            write!(out, "{{\"server\":\"{}\",\"cursor\":{}", Hex(kept.fingerprint), kept.cursor)?;
            if let Some(OutOfTurn { fingerprint, time }) = kept.out_of_turn {
                write!(out, ",\"tested\":\"{}\",\"at\":{time}", Hex(fingerprint))?;
            }
            out.write_char('}')
        })
        .await
    }
}

fn read(bytes: &[u8]) -> Option<Kept> {
    let (mut fingerprint, mut cursor, mut tested, mut at) = (None, None, None, None);
    json::members(core::str::from_utf8(bytes).ok()?, |name, value| match name {
        "server" => fingerprint = read_fingerprint(value),
        "cursor" => cursor = value.parse().ok(),
        "tested" => tested = read_fingerprint(value),
        "at" => at = value.parse().ok(),
        _ => {}
    })
    .ok()?;
    let out_of_turn = tested.zip(at).map(|(fingerprint, time)| OutOfTurn { fingerprint, time });
    Some(Kept { fingerprint: fingerprint?, cursor: cursor?, out_of_turn })
}

fn read_fingerprint(text: &str) -> Option<Fingerprint> {
    let digits = text.strip_prefix('"')?.strip_suffix('"')?;
    let plain = digits.len() == 16 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    plain.then(|| u64::from_str_radix(digits, 16).ok()).flatten().map(u64::to_be_bytes)
}

struct Hex(Fingerprint);

impl core::fmt::Display for Hex {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(formatter, "{:016x}", u64::from_be_bytes(self.0))
    }
}

/// Which server, node and key: the beginning of a hash, so that the key does not stand in the flash once more.
pub(super) fn fingerprint(settings: &EmoncmsSettings, node: &str) -> Fingerprint {
    let mut hash = Sha256::new();
    for part in [&settings.url, node, settings.write_key.as_deref().unwrap_or("")] {
        hash.update(part);
        // So that no end of one is the beginning of the next.
        hash.update([0]);
    }
    hash.finalize().first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let kept = |text: &str| read(text.as_bytes());
        let wanted =
            Kept { fingerprint: [0, 1, 2, 3, 4, 5, 6, 0xff], cursor: 1_795_378_130, out_of_turn: None };
        assert_eq!(kept("{\"server\":\"00010203040506ff\",\"cursor\":1795378130}"), Some(wanted));
        let tested = OutOfTurn { fingerprint: [0x11; 8], time: 7 };
        assert_eq!(
            kept(
                "{\"server\":\"00010203040506ff\",\"cursor\":1795378130,\"tested\":\"1111111111111111\",\"at\":7}"
            ),
            Some(Kept { out_of_turn: Some(tested), ..wanted })
        );
        for text in [
            "",
            "{}",
            "{\"cursor\":1}",
            "{\"server\":\"00010203040506ff\"}",
            "{\"server\":\"00010203040506f\",\"cursor\":1}",
            "{\"server\":\"+0010203040506ff\",\"cursor\":1}",
            "{\"server\":\"00010203040506ff\",\"cursor\":-1}",
        ] {
            assert_eq!(kept(text), None, "{text}");
        }
    }

    #[test]
    fn another_server_node_or_key_is_another_fingerprint() {
        let mut one = EmoncmsSettings::default();
        one.url = "http://a".into();
        one.write_key = Some("0".repeat(32).into());
        let mut other = one.clone();
        let mark = fingerprint(&one, "n");
        assert_eq!(fingerprint(&other, "n"), mark);
        assert_ne!(fingerprint(&other, "m"), mark);
        other.url = "http://b".into();
        assert_ne!(fingerprint(&other, "n"), mark);
        other = one.clone();
        other.write_key = Some("1".repeat(32).into());
        assert_ne!(fingerprint(&other, "n"), mark);
        other = one;
        (other.interval_s, other.enabled) = (60, true);
        assert_eq!(fingerprint(&other, "n"), mark);
    }
}
