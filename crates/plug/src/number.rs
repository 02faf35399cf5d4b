//! Numbers as texts: reads them exactly, and writes them with a few places. What `core` has for that reads with tables of
//! 10 KB and writes with 13 KB of code, which is too much for a chip.

use core::fmt::{Display, Formatter, Result as Written};

use crate::json::Number;

/// So many digits fit into the 64 bits that are read; what follows them is cut (a number's shortest text has 17).
const DIGITS: u32 = 19;
/// Powers of ten beyond which every number is infinite or zero.
const POWERS: core::ops::RangeInclusive<i32> = -345..=310;
/// 10⁹ is the largest power of ten in 32 bits.
const STEP: u32 = 9;
/// How far a number that is divided by a power of ten moves up before, in words: 345 digits and 64 bits are left then.
const UP: usize = 38;
const WORDS: usize = UP + 2;
/// Bits of a number behind the first one, and its least exponent.
const FRACTION: i32 = 52;
const LEAST: i32 = -1022;

/// Reads a number as JSON writes it (RFC 8259 §6), rounded correctly; `None` for anything else and for what is too large.
pub(crate) fn parse(text: &str) -> Option<f64> {
    let (negative, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (text.get(..at)?, power(text.get(at + 1..)?)?),
        None => (text, 0),
    };
    let mut scan = Scan::default();
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
        Some(_) => return None,
        None => (mantissa, ""),
    };
    scan.digits(whole, false)?;
    scan.digits(fraction, true)?;
    let size = if whole.is_empty() { None } else { size(scan.value, exponent.saturating_add(scan.power)) }?;
    Some(if negative { -size } else { size })
}

/// An exponent: too many digits of it are as good as very many.
fn power(text: &str) -> Option<i32> {
    let negative = text.starts_with('-');
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let value = digits.bytes().try_fold(0_i32, |value, digit| {
        digit.is_ascii_digit().then(|| value.saturating_mul(10).saturating_add(i32::from(digit - b'0')))
    })?;
    // Far from the largest integer, so that what the digits add cannot overflow.
    let value = value.min(100_000);
    (!digits.is_empty()).then_some(if negative { -value } else { value })
}

/// Digits that were read: their value times a power of ten.
#[derive(Default)]
struct Scan {
    value: u64,
    taken: u32,
    power: i32,
}

impl Scan {
    fn digits(&mut self, text: &str, fraction: bool) -> Option<()> {
        for digit in text.bytes() {
            if !digit.is_ascii_digit() {
                return None;
            }
            let fits = self.taken < DIGITS;
            if fits {
                self.value = self.value * 10 + u64::from(digit - b'0');
                self.taken += u32::from(self.value > 0);
            }
            // A digit behind the point divides, one before it that was cut multiplies.
            self.power = self.power.saturating_add(i32::from(!fits) - i32::from(fraction));
        }
        Some(())
    }
}

/// `value` times this power of ten.
fn size(value: u64, power: i32) -> Option<f64> {
    if value == 0 || power < *POWERS.start() {
        return Some(0.0);
    }
    if power > *POWERS.end() {
        return None;
    }
    let up = if power < 0 { UP } else { 0 };
    let mut wide = Wide { words: [0; WORDS], inexact: false };
    if let Some([low, high]) = wide.words.get_mut(up..).and_then(|words| words.first_chunk_mut()) {
        (*low, *high) = (value as u32, (value >> 32) as u32);
    }
    let mut left = power.unsigned_abs();
    while left > 0 {
        let step = left.min(STEP);
        wide.scale(10_u32.pow(step), power < 0);
        left -= step;
    }
    wide.rounded(-(32 * up as i32))
}

/// An integer, its lowest word first.
struct Wide {
    words: [u32; WORDS],
    /// A division left something.
    inexact: bool,
}

impl Wide {
    fn scale(&mut self, factor: u32, divide: bool) {
        let mut carry = 0;
        if divide {
            for word in self.words.iter_mut().rev() {
                let both = carry << 32 | u64::from(*word);
                *word = (both / u64::from(factor)) as u32;
                carry = both % u64::from(factor);
            }
            self.inexact |= carry != 0;
        } else {
            for word in &mut self.words {
                let both = u64::from(*word) * u64::from(factor) + carry;
                *word = both as u32;
                carry = both >> 32;
            }
        }
    }

    /// As a floating point number, times this power of two. `None`: too large.
    fn rounded(&self, power: i32) -> Option<f64> {
        let top = self.words.iter().rposition(|word| *word != 0)?;
        let word =
            |below: usize| top.checked_sub(below).and_then(|at| self.words.get(at)).copied().unwrap_or(0);
        // The highest 64 bits, the first of them set; and whether anything is below them.
        let shift = word(0).leading_zeros();
        let high =
            (u64::from(word(0)) << 32 | u64::from(word(1))) << shift | u64::from(word(2)) >> (32 - shift);
        let rest = self.words.iter().take(top.saturating_sub(2)).any(|word| *word != 0);
        let inexact = self.inexact || rest || word(2) << shift != 0;
        let exponent = power + 32 * (top as i32 + 1) - shift as i32 - 1;
        if exponent > 1023 {
            return None;
        }
        // Below the least exponent there are fewer bits.
        let cut = (63 - FRACTION + (LEAST - exponent).max(0)) as u32;
        if cut > 64 {
            return Some(0.0);
        }
        let kept = high.checked_shr(cut).unwrap_or(0);
        let (lost, half) = (high << (64 - cut), 1 << 63);
        let up = lost > half || lost == half && (inexact || kept & 1 != 0);
        // A carry goes into the exponent, where it belongs.
        let biased = (exponent.max(LEAST) - LEAST) as u64;
        let number = f64::from_bits((biased << FRACTION) + kept + u64::from(up));
        number.is_finite().then_some(number)
    }
}

/// A number with so many places behind the point, for sentences.
#[derive(Clone, Copy, Debug)]
pub struct Places(pub f64, pub u8);

/// With one place.
pub(crate) fn tenths(number: f64) -> Places {
    Places(number, 1)
}

impl Display for Places {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Written {
        let Self(number, places) = *self;
        let unit = 10_u64.pow(u32::from(places.min(9)));
        let scaled = libm::rint(number.abs() * unit as f64);
        // Beyond this (and for what is no number) the places would be invented.
        if scaled.is_nan() || scaled >= 1e15 {
            return Number(number).fmt(formatter);
        }
        let scaled = scaled as u64;
        let sign = if number < 0.0 && scaled > 0 { "-" } else { "" };
        write!(formatter, "{sign}{}", scaled / unit)?;
        if places > 0 {
            write!(formatter, ".{:0width$}", scaled % unit, width = usize::from(places))
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use proptest::prelude::*;

    fn bits(text: &str) -> Option<u64> {
        parse(text).map(f64::to_bits)
    }

    fn expected(text: &str) -> Option<u64> {
        text.parse().ok().filter(|number: &f64| number.is_finite()).map(f64::to_bits)
    }

    #[test]
    fn known_hard_numbers_are_read_exactly() {
        for text in [
            "0",
            "-0",
            "0.0",
            "1",
            "-1",
            "0.1",
            "9007199254740993",
            "9007199254740992.5",
            "1e23",
            "8.5e22",
            "2.2250738585072011e-308",
            "2.2250738585072014e-308",
            "4.9e-324",
            "2.4e-324",
            "2.5e-324",
            "1e-400",
            "1.7976931348623157e308",
            "1.7976931348623159e308",
            "1e309",
            "123456789012345678e-30",
            "1E+2",
            "5e-1",
            "0.000000000000000000000000000000000123",
            "100000000000000000000000000000000000000",
            "9223372036854775807",
            "9999999999999999999",
            "0e999999999999",
            "1e99999999999",
            "1e-99999999999",
        ] {
            assert_eq!(bits(text), expected(text), "{text}");
        }
    }

    #[test]
    fn no_number_is_none() {
        for text in
            ["", "-", "+1", ".5", "1.", "1e", "1e+", "e5", "inf", "NaN", "1 ", "0x1", "1.2.3", "--1", "1e5.0"]
        {
            assert_eq!(bits(text), None, "{text}");
        }
    }

    #[test]
    fn places_are_rounded() {
        let shown = |number, places| format!("{}", Places(number, places));
        assert_eq!(shown(0.05, 1), "0.0");
        assert_eq!(shown(12.34, 1), "12.3");
        assert_eq!(shown(-0.04, 1), "0.0");
        assert_eq!(shown(-1.96, 1), "-2.0");
        assert_eq!(shown(2300.6, 0), "2301");
        assert_eq!(shown(7.005, 3), "7.005");
        assert_eq!(shown(f64::NAN, 1), "null");
        assert_eq!(shown(1e300, 1), "1e300");
    }

    proptest! {
        #[test]
        fn the_shortest_text_gives_the_same_bits(bits in any::<u64>()) {
            let number = f64::from_bits(bits);
            prop_assume!(number.is_finite());
            for text in [format!("{number:e}"), format!("{}", Number(number)), format!("{number}")] {
                // A whole number's plain text may have 309 digits, of which those beyond the 19th are cut.
                if text.len() < 30 || text.contains('e') {
                    prop_assert_eq!(parse(&text).map(f64::to_bits), Some(bits), "{}", text);
                }
            }
        }

        #[test]
        fn any_nineteen_digits_are_rounded_as_by_core(value in any::<u64>(), digits in 1_u32..20, power in -370_i32..330) {
            let text = format!("{}e{power}", value % 10_u64.pow(digits));
            prop_assert_eq!(bits(&text), expected(&text), "{}", text);
        }

        #[test]
        fn nothing_panics(text in "[-+0-9.eE]{0,40}") {
            let _ = parse(&text);
        }
    }
}
