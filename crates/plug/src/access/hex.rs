//! Bytes as hexadecimal digits.

use core::fmt::{self, Display, Formatter};

/// As text two small digits a byte.
#[derive(Clone, Copy)]
pub struct Hex<'a>(pub &'a [u8]);

impl Display for Hex<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// The bytes of exactly `2 * N` small digits.
#[must_use]
pub fn read<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let (pairs, rest) = text.as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

const fn digit(letter: u8) -> Option<u8> {
    match letter {
        b'0'..=b'9' => Some(letter - b'0'),
        b'a'..=b'f' => Some(letter - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn there_and_back_and_nothing_else() {
        assert_eq!(Hex(&[0x01, 0xaf]).to_string(), "01af");
        assert_eq!(read(b"01af"), Some([0x01, 0xaf]));
        for wrong in [&b""[..], b"01a", b"01af0", b"01aF", b"01ag", b"01 f", b"+1af"] {
            assert_eq!(read::<2>(wrong), None);
        }
    }
}
