//! A text that `web/packed.mjs` has packed by byte pair encoding: a chip has no room for 80 KB of plain JSON, and clients
//! such as `curl` understand nothing but that.

use embedded_io_async::Write;

/// The first byte that stands for a pair.
const FIRST_CODE: u8 = 0x80;
/// Pairs behind the length.
const PAIRS: core::ops::Range<usize> = 4..4 + 2 * 128;
/// How deep pairs of pairs go, at most: 128 codes, each made of earlier ones, and in practice a dozen.
const DEPTH: usize = 32;
/// Bytes that are written at once.
const CHUNK: usize = 128;

/// Length, pairs, text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packed(&'static [u8]);

impl Packed {
    pub(super) const fn new(bytes: &'static [u8]) -> Self {
        Self(bytes)
    }

    /// Of the plain text.
    pub(super) fn length(self) -> usize {
        self.0.first_chunk().map_or(0, |length| u32::from_le_bytes(*length) as usize)
    }

    /// Writes the plain text.
    pub(super) async fn write<W: Write>(self, writer: &mut W) -> Result<(), W::Error> {
        let mut chunk: heapless::Vec<u8, CHUNK> = heapless::Vec::new();
        let mut waiting: heapless::Vec<u8, DEPTH> = heapless::Vec::new();
        for code in self.0.get(PAIRS.end..).unwrap_or(&[]) {
            // There is room: it is empty.
            let _ = waiting.push(*code);
            while let Some(code) = waiting.pop() {
                match self.pair(code) {
                    // The first of a pair comes out first.
                    Some([first, second]) => {
                        let _ = waiting.push(second);
                        let _ = waiting.push(first);
                    }
                    None if chunk.is_full() => {
                        writer.write_all(&chunk).await?;
                        chunk.clear();
                        let _ = chunk.push(code);
                    }
                    None => {
                        let _ = chunk.push(code);
                    }
                }
            }
        }
        writer.write_all(&chunk).await
    }

    /// What a byte stands for; `None`: for itself.
    fn pair(self, code: u8) -> Option<[u8; 2]> {
        let index = usize::from(code.checked_sub(FIRST_CODE)?);
        let (pairs, _) = self.0.get(PAIRS)?.as_chunks();
        pairs.get(index).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn the_description_comes_out_as_it_was() {
        let packed = Packed::new(include_bytes!("assets/openapi.packed"));
        let mut plain = Vec::new();
        futures_lite::future::block_on(packed.write(&mut Sink(&mut plain))).unwrap();
        assert_eq!(plain.len(), packed.length());
        let value = |text: &[u8]| serde_json::from_slice::<serde_json::Value>(text).unwrap();
        assert_eq!(value(&plain), value(include_bytes!("openapi.json")), "run npm run build in web/");
        assert!(packed.0.len() < plain.len() / 2);
    }

    struct Sink<'a>(&'a mut Vec<u8>);

    impl embedded_io_async::ErrorType for Sink<'_> {
        type Error = core::convert::Infallible;
    }

    impl Write for Sink<'_> {
        async fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
            self.0.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        async fn flush(&mut self) -> Result<(), Self::Error> {
            Ok(())
        }
    }
}
