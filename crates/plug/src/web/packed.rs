//! A text that `web/packed.mjs` has packed by putting symbols for pairs: a chip has no room for 80 KB of plain JSON, and
//! clients such as `curl` understand nothing but that.

use embedded_io_async::Write;

/// The first symbol that stands for a pair.
const FIRST_PAIR: u16 = 0x80;
/// Where the pairs begin, behind the length and their number.
const PAIRS: usize = 6;
/// A pair of symbols of 12 bits.
const PAIR: usize = 3;
/// How much waits at most: `packed.mjs` makes no deeper pairs of pairs.
const DEPTH: usize = 48;
/// Bytes that are written at once.
const CHUNK: usize = 128;

/// Length, number of pairs, pairs, text.
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
        let mut unpacking = Unpacking::new(self);
        let mut chunk = [0; CHUNK];
        loop {
            let length = unpacking.fill(&mut chunk);
            if length == 0 {
                return Ok(());
            }
            writer.write_all(chunk.get(..length).unwrap_or(&[])).await?;
        }
    }

    /// Two symbols, at this place.
    fn pair(self, at: usize) -> Option<[u16; 2]> {
        let [low, middle, high] = *self.0.get(at..)?.first_chunk()?;
        let both = u32::from_le_bytes([low, middle, high, 0]);
        Some([(both & 0xfff) as u16, (both >> 12) as u16])
    }
}

/// How far a text is unpacked.
struct Unpacking {
    packed: Packed,
    /// The next two symbols of the text.
    at: usize,
    /// Characters that are still to come.
    left: usize,
    /// Symbols that come before the next of the text, the last one first.
    waiting: heapless::Vec<u16, DEPTH>,
}

impl Unpacking {
    fn new(packed: Packed) -> Self {
        let [.., low, high] = packed.0.first_chunk().copied().unwrap_or([0; PAIRS]);
        let at = PAIRS + PAIR * usize::from(u16::from_le_bytes([low, high]));
        Self { packed, at, left: packed.length(), waiting: heapless::Vec::new() }
    }

    /// Puts the next characters into `chunk`, as many as there are; says how many.
    fn fill(&mut self, chunk: &mut [u8]) -> usize {
        let most = chunk.len().min(self.left);
        let mut length = 0;
        for character in chunk.iter_mut().take(most) {
            let Some(next) = self.next() else { break };
            *character = next;
            length += 1;
        }
        self.left = if length == most { self.left - length } else { 0 };
        length
    }

    fn next(&mut self) -> Option<u8> {
        loop {
            let pair = match self.waiting.pop() {
                None => {
                    self.at += PAIR;
                    self.packed.pair(self.at - PAIR)?
                }
                Some(symbol) => match symbol.checked_sub(FIRST_PAIR) {
                    None => return u8::try_from(symbol).ok(),
                    Some(index) => self.packed.pair(PAIRS + PAIR * usize::from(index))?,
                },
            };
            // The first of a pair comes out first.
            let [first, second] = pair;
            self.waiting.push(second).ok()?;
            self.waiting.push(first).ok()?;
        }
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
        assert!(packed.0.len() < plain.len() / 4);
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
