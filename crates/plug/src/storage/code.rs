//! Numbers and texts as bytes and back, little-endian, for records in the flash.

use heapless::String;

/// Puts one after the other into a buffer.
pub(crate) struct Put<'a> {
    bytes: &'a mut [u8],
    length: usize,
}

impl<'a> Put<'a> {
    pub(crate) const fn new(bytes: &'a mut [u8]) -> Self {
        Self { bytes, length: 0 }
    }

    /// Bytes so far. More than the buffer has if it was too short.
    pub(crate) const fn length(&self) -> usize {
        self.length
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        if let Some(place) = self.bytes.get_mut(self.length..self.length + bytes.len()) {
            place.copy_from_slice(bytes);
        }
        self.length += bytes.len();
        self
    }

    pub(crate) fn u8(&mut self, number: u8) -> &mut Self {
        self.bytes(&[number])
    }

    pub(crate) fn flag(&mut self, flag: bool) -> &mut Self {
        self.u8(u8::from(flag))
    }

    pub(crate) fn u16(&mut self, number: u16) -> &mut Self {
        self.bytes(&number.to_le_bytes())
    }

    pub(crate) fn u32(&mut self, number: u32) -> &mut Self {
        self.bytes(&number.to_le_bytes())
    }

    pub(crate) fn i32(&mut self, number: i32) -> &mut Self {
        self.bytes(&number.to_le_bytes())
    }

    pub(crate) fn u64(&mut self, number: u64) -> &mut Self {
        self.bytes(&number.to_le_bytes())
    }

    /// Its low `N` bytes.
    pub(crate) fn low<const N: usize>(&mut self, number: u64) -> &mut Self {
        self.bytes(number.to_le_bytes().first_chunk::<N>().map_or(&[], |low| low))
    }

    pub(crate) fn f64(&mut self, number: f64) -> &mut Self {
        self.u64(number.to_bits())
    }

    /// Whether it is there, and what it is.
    pub(crate) fn maybe(&mut self, bits: Option<u64>) -> &mut Self {
        match bits {
            Some(bits) => self.u8(1).u64(bits),
            None => self.u8(0),
        }
    }

    pub(crate) fn maybe_f64(&mut self, number: Option<f64>) -> &mut Self {
        self.maybe(number.map(f64::to_bits))
    }

    /// Its length, and itself: at most 255 bytes.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
        self.u8(length).bytes(text.as_bytes().get(..usize::from(length)).unwrap_or_default())
    }

    /// Zeros up to a whole word.
    pub(crate) fn pad(&mut self) -> &mut Self {
        while !self.length.is_multiple_of(4) {
            self.u8(0);
        }
        self
    }
}

/// Takes one after the other out of bytes; `None` where there are not enough, or they make no sense.
pub(crate) struct Take<'a>(pub(crate) &'a [u8]);

impl Take<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(crate) fn flag(&mut self) -> Option<bool> {
        self.u8().map(|flag| flag != 0)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn i32(&mut self) -> Option<i32> {
        self.array().map(i32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// `N` bytes, at most eight.
    pub(crate) fn low<const N: usize>(&mut self) -> Option<u64> {
        let mut number = [0; 8];
        *number.first_chunk_mut()? = self.array::<N>()?;
        Some(u64::from_le_bytes(number))
    }

    pub(crate) fn f64(&mut self) -> Option<f64> {
        self.u64().map(f64::from_bits)
    }

    pub(crate) fn maybe(&mut self) -> Option<Option<u64>> {
        if self.flag()? { self.u64().map(Some) } else { Some(None) }
    }

    pub(crate) fn maybe_f64(&mut self) -> Option<Option<f64>> {
        Some(self.maybe()?.map(f64::from_bits))
    }

    pub(crate) fn text<const N: usize>(&mut self) -> Option<String<N>> {
        let length = usize::from(self.u8()?);
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        core::str::from_utf8(text).ok()?.try_into().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_taken_and_half_of_it_is_nothing() {
        let mut bytes = [0; 64];
        let mut put = Put::new(&mut bytes);
        put.u8(7).flag(true).u16(65_000).u32(u32::MAX).i32(-5).f64(-0.1);
        put.maybe(Some(9)).maybe_f64(None).text("dé").pad();
        assert_eq!(put.length(), 36);
        let mut take = Take(&bytes);
        assert_eq!((take.u8(), take.flag(), take.u16()), (Some(7), Some(true), Some(65_000)));
        assert_eq!((take.u32(), take.i32(), take.f64()), (Some(u32::MAX), Some(-5), Some(-0.1)));
        assert_eq!((take.maybe(), take.maybe_f64()), (Some(Some(9)), Some(None)));
        assert_eq!(take.text::<3>().as_deref(), Some("dé"));
        assert_eq!(Take(&[3, b'x', b'y']).text::<8>(), None);
        assert_eq!(Take(&[2, b'x', b'y']).text::<1>(), None);
        assert_eq!(Take(&[1, 0xff]).text::<8>(), None);
        assert_eq!((Take(&[1, 2]).u32(), Take(&[1, 0]).maybe(), Take(&[]).u8()), (None, None, None));
    }

    #[test]
    fn a_buffer_that_is_too_short_is_seen_by_the_length() {
        let mut bytes = [0; 4];
        let mut put = Put::new(&mut bytes);
        assert_eq!(put.u32(1).u16(2).length(), 6);
    }
}
