//! Makes of a text what [`super::packed`] reads.

use core::fmt::{Result as Written, Write};
use core::net::Ipv4Addr;

use heapless::{String, Vec};

use super::packed::{
    ADDRESS, DAYS, FIRST_DAY, FIRST_NAME, FIRST_WORD, FORM, HEX, NAMES, NUMBER, RAW, STRING, SUNRISE, SUNSET,
    WORDS, begins, opens,
};
use crate::json::{self, Number};
use crate::storage::item::Out;

/// Bytes of text that are looked at together: the longest string of the settings with each of its characters escaped, and
/// what stands around it.
const WINDOW: usize = 256;
/// Shortest number that is worth its bits: they take nine bytes.
const LONG_NUMBER: usize = 10;
/// Bytes that stay as they are, at once: few enough that a string behind them is found.
const RAW_MOST: usize = 128;

/// Writes what `text` writes, packed.
pub(super) fn pack(text: &dyn Fn(&mut dyn Write) -> Written, out: &mut dyn Out) -> Written {
    out.bytes(&[FORM])?;
    let mut packer = Packer { out, window: Vec::new(), last: 0, inside: false };
    text(&mut packer)?;
    while !packer.window.is_empty() {
        packer.step(true)?;
    }
    Ok(())
}

/// Packs what is written to it: always into the same pieces, however the text comes.
struct Packer<'o> {
    out: &'o mut dyn Out,
    window: Vec<u8, WINDOW>,
    /// The byte that was last, where that decides whether a comma belongs behind it.
    last: u8,
    /// A string that has no short form goes on.
    inside: bool,
}

impl Write for Packer<'_> {
    fn write_str(&mut self, text: &str) -> Written {
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            let room = WINDOW - self.window.len();
            let (now, later) = rest.split_at_checked(room).unwrap_or((rest, &[]));
            // There is room for it.
            let _ = self.window.extend_from_slice(now);
            rest = later;
            if self.window.is_full() {
                self.step(false)?;
            }
        }
        Ok(())
    }
}

impl Packer<'_> {
    /// Packs what stands first; `end`: nothing follows the window.
    fn step(&mut self, end: bool) -> Written {
        let (piece, used) =
            if self.inside { raw(&self.window, true) } else { first(&self.window, self.last, end) };
        self.inside = matches!(piece, Piece::Raw(_, true));
        self.last = piece.last();
        piece.write(self.out)?;
        self.window.copy_within(used.., 0);
        self.window.truncate(self.window.len() - used);
        Ok(())
    }
}

/// A piece of text.
enum Piece<'t> {
    /// A word or a character.
    Code(u8),
    /// The code of a string, what follows its beginning with backslashes, and how long that is without them.
    Quoted(u8, &'t [u8], u8),
    Hex(&'t [u8]),
    Address(Ipv4Addr),
    Number(f64),
    /// What stays as it is, and whether its string goes on behind it.
    Raw(&'t [u8], bool),
}

impl Piece<'_> {
    fn last(&self) -> u8 {
        match self {
            Self::Code(code) if code.is_ascii_graphic() => *code,
            Self::Raw(bytes, _) => bytes.last().copied().unwrap_or(0),
            _ => 0,
        }
    }

    fn write(&self, out: &mut dyn Out) -> Written {
        match self {
            Self::Code(code) => out.bytes(&[*code]),
            Self::Quoted(code, inner, length) => {
                out.bytes(&[*code, *length])?;
                unescaped(inner).try_for_each(|byte| out.bytes(&[byte]))
            }
            Self::Hex(digits) => {
                out.bytes(&[HEX, (digits.len() / 2) as u8])?;
                digits.chunks_exact(2).try_for_each(|pair| {
                    let byte = pair.iter().fold(0, |byte, digit| byte << 4 | value(*digit));
                    out.bytes(&[byte])
                })
            }
            Self::Address(address) => {
                out.bytes(&[ADDRESS])?;
                out.bytes(&address.octets())
            }
            Self::Number(number) => {
                out.bytes(&[NUMBER])?;
                out.bytes(&number.to_le_bytes())
            }
            Self::Raw(bytes, _) => {
                out.bytes(&[RAW, bytes.len() as u8])?;
                out.bytes(bytes)
            }
        }
    }
}

/// What stands first in a text, and how many bytes of it that is.
fn first(text: &[u8], last: u8, end: bool) -> (Piece<'_>, usize) {
    let found = listed(text, last).or_else(|| string(text)).or_else(|| number(text, end));
    found.unwrap_or_else(|| match text.first() {
        Some(&character @ b' '..=b'~') if character != b'"' => (Piece::Code(character), 1),
        _ => raw(text, false),
    })
}

/// What stays as it is: to the end of the string that begins here or goes on (`inside`), else what is no printable
/// character. Nothing behind it and no half of an escape: a quote there would be taken for another.
fn raw(text: &[u8], inside: bool) -> (Piece<'_>, usize) {
    let string = inside || text.first() == Some(&b'"');
    let most = text.len().min(RAW_MOST);
    let (mut length, mut goes_on) = (usize::from(!inside), string);
    while let Some(byte) = text.get(length).filter(|_| length < most) {
        match byte {
            b'"' if string => {
                (length, goes_on) = (length + 1, false);
                break;
            }
            b'\\' if string && length + 2 > most => break,
            b'\\' if string => length += 2,
            b' '..=b'~' if !string => break,
            _ => length += 1,
        }
    }
    let raw = text.get(..length.max(1)).unwrap_or(text);
    (Piece::Raw(raw, goes_on), raw.len())
}

/// One of the lists.
fn listed(text: &[u8], last: u8) -> Option<(Piece<'_>, usize)> {
    let code = |first: u8, place: usize| Piece::Code(first + place as u8);
    if let Some(place) = WORDS.iter().position(|word| text.starts_with(word.as_bytes())) {
        return Some((code(FIRST_WORD, place), WORDS.get(place)?.len()));
    }
    let comma = usize::from(!opens(last));
    let quoted = if opens(last) { text } else { text.strip_prefix(b",")? };
    let inner = inner(quoted)?;
    let used = comma + inner.len() + 2;
    let is = |name: &&str| name.as_bytes() == inner;
    if text.get(used) == Some(&b':') {
        return NAMES.iter().position(is).map(|place| (code(FIRST_NAME, place), used + 1));
    }
    DAYS.iter().position(is).map(|place| (code(FIRST_DAY, place), used))
}

/// What stands between the quotes of a string that begins here.
fn inner(text: &[u8]) -> Option<&[u8]> {
    let inner = text.strip_prefix(b"\"")?;
    let mut escaped = false;
    let length = inner.iter().position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    })?;
    inner.get(..length)
}

fn string(text: &[u8]) -> Option<(Piece<'_>, usize)> {
    let inner = inner(text)?;
    let used = inner.len() + 2;
    let hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if !inner.is_empty() && inner.len().is_multiple_of(2) && inner.iter().all(hex) {
        return Some((Piece::Hex(inner), used));
    }
    let shown = core::str::from_utf8(inner).ok()?;
    if let Ok(address) = shown.parse() {
        return Some((Piece::Address(address), used));
    }
    let of_the_sun = |sun: u8| inner.strip_prefix(begins(sun).as_bytes()).map(|rest| (sun, rest));
    let (code, inner) = [SUNRISE, SUNSET].into_iter().find_map(of_the_sun).unwrap_or((STRING, inner));
    let (mut plain, mut length) = (true, 0_usize);
    let mut rest = inner.iter();
    while let Some(byte) = rest.next() {
        // Only what is escaped again as it was.
        plain &= match byte {
            b'\\' => matches!(rest.next(), Some(b'"' | b'\\')),
            byte => *byte >= b' ',
        };
        length += 1;
    }
    let length = u8::try_from(length).ok().filter(|_| plain)?;
    Some((Piece::Quoted(code, inner, length), used))
}

/// The bytes of a string whose backslashes stand before quotes and backslashes.
fn unescaped(inner: &[u8]) -> impl Iterator<Item = u8> {
    let mut rest = inner.iter().copied();
    core::iter::from_fn(move || {
        rest.next().and_then(|byte| if byte == b'\\' { rest.next() } else { Some(byte) })
    })
}

/// Four bits of a hexadecimal digit.
const fn value(digit: u8) -> u8 {
    if digit.is_ascii_digit() { digit - b'0' } else { digit - b'a' + 10 }
}

/// A long number that is written again as it was.
fn number(text: &[u8], end: bool) -> Option<(Piece<'_>, usize)> {
    let of_a_number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'-' | b'+');
    let used = text.iter().position(|byte| !of_a_number(byte)).or(end.then_some(text.len()))?;
    if used < LONG_NUMBER {
        return None;
    }
    let shown = core::str::from_utf8(text.get(..used)?).ok()?;
    let number = json::number(shown)?;
    let mut again: String<32> = String::new();
    write!(again, "{}", Number(number)).ok()?;
    (again == shown).then_some((Piece::Number(number), used))
}
