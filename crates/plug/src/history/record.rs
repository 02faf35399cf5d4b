//! Rows as bytes: 32 each, told against a base, which is a sector's head or a record of its own.
//!
//! ```text
//!   head  clean mark 4 | sequence 3 | boot 3 (top bit: the clock was put back) | import 5 | export 5 | uptime 4 | time 4 | interval and CRC-20
//!   base  boot 3 | import 5 | export 5 | uptime 4 | time 4 | interval 2 | zeros 5                                         | kind 1 and CRC-24
//!   row   quality 2 | k 2 | measured 1 | import 4 | export 4 | power 3 | min 2 | max 2 | voltage 2 | current 2
//!         | power factor 2 | frequency 2                                                                                  | kind 1 and CRC-24
//! ```
//! The last word is written last. A base's check goes over its sector's head, a row's check over its base: a row whose
//! base is gone is gone too, instead of being told against another one.

use metering::energy::Energy;
use metering::quality::{Flag, Quality};

use super::row::Row;
use crate::storage::code::{Put, Take};
use crate::storage::sector::{CLEAN, Crc, Words};

/// Bytes of a record, and of a head.
pub(super) const RECORD: u32 = 32;
/// Bytes before the last word.
pub(super) const BODY: usize = 28;
/// A record as it lies in the flash.
pub(super) type Record = Words<{ RECORD as usize }>;
/// The highest sequence: one sector a minute is 32 years.
pub(super) const LAST_SEQUENCE: u32 = 0x00ff_fff0;

/// The highest number of a start that can be told; later ones count as this one.
pub(super) const LAST_BOOT: u32 = 0x007f_ffff;
const PUT_BACK: u32 = 0x0080_0000;
const NO_TIME: u32 = u32::MAX;
/// Nano-watt-hours in the units of a base and of a row.
const BASE_ENERGY: u64 = 1_000_000;
const ROW_ENERGY: u64 = 10_000;
/// How far a row's uptime may be from what its place says, where its time is known: the clock drifts.
const UPTIME_DRIFT_DS: u64 = 20;

const KIND_BASE: u8 = 0x20;
const KIND_ROW: u8 = 0x10;
const RELAY: u8 = 1;
const RELAY_CHANGED: u8 = 2;

/// Units in a watt, a volt, an ampere, a hertz and a power factor of 1.
const WATT: f64 = 100.0;
const VOLT: f64 = 100.0;
const AMPERE: f64 = 100_000.0;
const HERTZ: f64 = 1000.0;
const FACTOR: f64 = 20_000.0;
const MEASURED: f64 = 255.0;
const NO_NUMBER: u16 = u16::MAX;
const NO_FACTOR: i16 = i16::MIN;

/// What rows are told against: the first row behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Base {
    pub(super) boot: u32,
    /// The window's end, tenths of a second after that start.
    pub(super) uptime_ds: u32,
    /// The window's end, Unix seconds, if the time was known then.
    pub(super) time: Option<u32>,
    pub(super) interval_s: u16,
    import_mwh: u64,
    export_mwh: u64,
}

/// A base, and what the checks of its rows begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Based {
    pub(super) base: Base,
    pub(super) check: u32,
}

/// A sector's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) sequence: u32,
    /// Its first row is earlier than rows before it.
    pub(super) put_back: bool,
    pub(super) based: Based,
}

/// What lies in a slot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Item {
    Row(Row),
    Base(Based),
}

/// Tenths of a second; what is beyond 13 years counts as that.
pub(super) fn tenths(seconds: f64) -> u32 {
    libm::round(seconds * 10.0) as u32
}

impl Base {
    pub(super) fn of(row: &Row) -> Self {
        Self {
            boot: row.boot.min(LAST_BOOT),
            uptime_ds: tenths(row.uptime_s),
            time: row.time.filter(|time| *time != NO_TIME),
            interval_s: row.interval_s.min(MAX_INTERVAL_S) as u16,
            import_mwh: (row.import.0 / BASE_ENERGY).min(MAX_BASE_ENERGY),
            export_mwh: (row.export.0 / BASE_ENERGY).min(MAX_BASE_ENERGY),
        }
    }

    /// Which window the row is, counted from this one; `None` if it cannot be told against this base.
    fn place(&self, row: &Row) -> Option<u16> {
        let own = Self::of(row);
        if (own.boot, own.interval_s) != (self.boot, self.interval_s)
            || own.time.is_some() != self.time.is_some()
        {
            return None;
        }
        let interval = u32::from(self.interval_s).max(1);
        let (since_ds, whole) = match (own.time, self.time) {
            (Some(time), Some(base)) => {
                let since = time.checked_sub(base)?;
                (u64::from(since) * 10, since.is_multiple_of(interval).then_some(since / interval)?)
            }
            _ => {
                let since = own.uptime_ds.checked_sub(self.uptime_ds)?;
                (since.into(), since.is_multiple_of(interval * 10).then_some(since / (interval * 10))?)
            }
        };
        let drift = (u64::from(self.uptime_ds) + since_ds).abs_diff(own.uptime_ds.into());
        (drift <= UPTIME_DRIFT_DS).then_some(())?;
        u16::try_from(whole).ok()
    }

    fn put(&self, put: &mut Put<'_>, put_back: bool) {
        let boot = self.boot | if put_back { PUT_BACK } else { 0 };
        put.low::<3>(boot.into()).low::<5>(self.import_mwh).low::<5>(self.export_mwh);
        put.u32(self.uptime_ds).u32(self.time.unwrap_or(NO_TIME));
    }

    /// Without the interval; and whether the clock was put back.
    fn take(take: &mut Take<'_>) -> Option<(Self, bool)> {
        let boot = take.low::<3>()? as u32;
        let (import_mwh, export_mwh) = (take.low::<5>()?, take.low::<5>()?);
        let (uptime_ds, time) = (take.u32()?, Some(take.u32()?).filter(|time| *time != NO_TIME));
        let base = Self { boot: boot & LAST_BOOT, uptime_ds, time, interval_s: 0, import_mwh, export_mwh };
        Some((base, boot & PUT_BACK != 0))
    }
}

const MAX_INTERVAL_S: u32 = 0xfff;
const MAX_BASE_ENERGY: u64 = (1 << 40) - 1;
const CRC_20: u32 = 0xf_ffff;
const CRC_24: u32 = 0xff_ffff;

fn crc(parts: &[&[u8]]) -> u32 {
    let all = parts.iter().fold(Crc::new(), |crc, part| crc.with(part));
    u32::from_le_bytes(all.sum())
}

impl Head {
    pub(super) fn new(sequence: u32, row: &Row, put_back: bool) -> Self {
        let mut head = Self { sequence, put_back, based: Based { base: Base::of(row), check: 0 } };
        let mut record = Words([0; RECORD as usize]);
        head.encode(&mut record);
        head.based.check = last_word(&record);
        head
    }

    pub(super) fn encode(&self, record: &mut Record) {
        let mut put = Put::new(&mut record.0);
        put.bytes(&CLEAN).low::<3>(self.sequence.into());
        self.based.base.put(&mut put, self.put_back);
        let interval = u32::from(self.based.base.interval_s);
        let check = crc(&[body(record), &interval.to_le_bytes()]);
        set_last_word(record, interval << 20 | check & CRC_20);
    }

    /// `None` for what is no head.
    pub(super) fn decode(record: &Record) -> Option<Self> {
        let mut take = Take(record.0.strip_prefix(&CLEAN)?);
        let sequence = take.low::<3>()? as u32;
        let (mut base, put_back) = Base::take(&mut take)?;
        let word = last_word(record);
        let interval = word >> 20;
        let check = crc(&[body(record), &interval.to_le_bytes()]) & CRC_20;
        base.interval_s = interval as u16;
        let good = check == word & CRC_20 && (1..=LAST_SEQUENCE).contains(&sequence) && interval > 0;
        good.then_some(Self { sequence, put_back, based: Based { base, check: word } })
    }
}

fn body(record: &Record) -> &[u8] {
    record.0.first_chunk::<BODY>().map_or(&[], |body| body)
}

fn last_word(record: &Record) -> u32 {
    record.0.last_chunk().map_or(0, |word| u32::from_le_bytes(*word))
}

fn set_last_word(record: &mut Record, word: u32) {
    if let Some(place) = record.0.last_chunk_mut() {
        *place = word.to_le_bytes();
    }
}

/// Ends a record: `before` is what the check goes over beside the record itself.
fn seal(record: &mut Record, before: u32, slot: u8, kind: u8) -> u32 {
    let check = crc(&[&before.to_le_bytes(), &[slot, kind], body(record)]);
    let word = u32::from(kind) | (check & CRC_24) << 8;
    set_last_word(record, word);
    word
}

/// The base for `row` as a record in `slot` of the sector with this head.
pub(super) fn encode_base(row: &Row, head: &Head, slot: u8, record: &mut Record) -> Based {
    let base = Base::of(row);
    record.0.fill(0);
    let mut put = Put::new(&mut record.0);
    base.put(&mut put, false);
    put.u16(base.interval_s);
    Based { base, check: seal(record, head.based.check, slot, KIND_BASE) }
}

/// The row as a record; `false` if it cannot be told against this base.
pub(super) fn encode_row(row: &Row, based: &Based, slot: u8, record: &mut Record) -> bool {
    let Based { base, check } = based;
    let energy = |now: Energy, base_mwh: u64| {
        let since = now.0.checked_sub(base_mwh * BASE_ENERGY)? / ROW_ENERGY;
        // Beyond a gigawatt-hour the meter is said to stand still.
        u32::try_from(since).ok().or((base_mwh == MAX_BASE_ENERGY).then_some(u32::MAX))
    };
    let (Some(k), Some(import), Some(export)) =
        (base.place(row), energy(row.import, base.import_mwh), energy(row.export, base.export_mwh))
    else {
        return false;
    };
    let power = within(row.active_power_w * WATT, -8_388_608.0, 8_388_607.0) as i32;
    // From the mean as it will be read.
    let mean = f64::from(power);
    let mut put = Put::new(&mut record.0);
    put.u16(row.quality.bits() as u16).u16(k);
    put.u8(within(row.measured * MEASURED, if row.measured > 0.0 { 1.0 } else { 0.0 }, MEASURED) as u8);
    put.u32(import).u32(export).low::<3>(power as u64);
    put.u16(small(mean - row.power_min_w * WATT)).u16(small(row.power_max_w * WATT - mean));
    put.u16(row.voltage_v.map_or(NO_NUMBER, |volts| within(volts * VOLT, 0.0, 65_534.0) as u16));
    put.u16(row.current_a.map_or(NO_NUMBER, |amperes| small(amperes * AMPERE)));
    let factor = |factor: f64| within(factor * FACTOR, -32_767.0, 32_767.0) as i16;
    put.u16(row.power_factor.map_or(NO_FACTOR, factor) as u16);
    put.u16(row.frequency_hz.map_or(0, |hertz| within(hertz * HERTZ, 0.0, 65_535.0) as u16));
    let relay = if row.relay { RELAY } else { 0 };
    let changed = if row.relay_changed { RELAY_CHANGED } else { 0 };
    seal(record, *check, slot, KIND_ROW | relay | changed);
    true
}

/// What lies in `slot` of a sector with this head, behind this base; `None` for what is neither base nor row.
pub(super) fn decode(record: &Record, head: &Head, based: &Based, slot: u8) -> Option<Item> {
    let word = last_word(record);
    let kind = word as u8;
    let before = if kind == KIND_BASE { head.based.check } else { based.check };
    let check = crc(&[&before.to_le_bytes(), &[slot, kind], body(record)]);
    if check & CRC_24 != word >> 8 {
        return None;
    }
    let mut take = Take(&record.0);
    if kind == KIND_BASE {
        let (base, _) = Base::take(&mut take)?;
        let interval_s = take.u16().filter(|interval| *interval > 0)?;
        return Some(Item::Base(Based { base: Base { interval_s, ..base }, check: word }));
    }
    (kind & !(RELAY | RELAY_CHANGED) == KIND_ROW).then_some(())?;
    take_row(&mut take, &based.base, kind).map(Item::Row)
}

fn take_row(take: &mut Take<'_>, base: &Base, kind: u8) -> Option<Row> {
    let flags = take.u16()?;
    let mut quality = Quality::NONE;
    for flag in Flag::ALL {
        quality.set_if(*flag, flags & 1u16.checked_shl(*flag as u32).unwrap_or(0) != 0);
    }
    let since_s = u64::from(take.u16()?) * u64::from(base.interval_s);
    let measured = f64::from(take.u8()?) / MEASURED;
    let mut energy =
        |base_mwh: u64| Some(Energy(base_mwh * BASE_ENERGY + u64::from(take.u32()?) * ROW_ENERGY));
    let (import, export) = (energy(base.import_mwh)?, energy(base.export_mwh)?);
    // The sign is in the top of three bytes.
    let power = ((take.low::<3>()? as i32) << 8) >> 8;
    let (below, above) = (large(take.u16()?), large(take.u16()?));
    let number = |code: u16| (code != NO_NUMBER).then_some(code);
    let voltage_v = number(take.u16()?).map(|code| f64::from(code) / VOLT);
    let current_a = number(take.u16()?).map(|code| large(code) / AMPERE);
    let factor = take.u16()? as i16;
    let frequency = take.u16()?;
    Some(Row {
        boot: base.boot,
        uptime_s: f64::from(base.uptime_ds) / 10.0 + since_s as f64,
        time: base.time.map(|time| time.saturating_add(since_s as u32)),
        interval_s: base.interval_s.into(),
        measured,
        import,
        export,
        active_power_w: f64::from(power) / WATT,
        power_min_w: (f64::from(power) - below) / WATT,
        power_max_w: (f64::from(power) + above) / WATT,
        voltage_v,
        current_a,
        power_factor: (factor != NO_FACTOR).then(|| f64::from(factor) / FACTOR),
        frequency_hz: (frequency != 0).then(|| f64::from(frequency) / HERTZ),
        relay: kind & RELAY != 0,
        relay_changed: kind & RELAY_CHANGED != 0,
        quality,
    })
}

/// Rounded, between both; what is no number becomes the lower one.
fn within(number: f64, from: f64, to: f64) -> f64 {
    libm::round(number).max(from).min(to)
}

/// A number from 0 to 134 million as 16 bits: exact up to 8,192, above that within 1/8,192 of itself.
fn small(number: f64) -> u16 {
    const MOST: u32 = 8190 << 14;
    let whole = within(number, 0.0, f64::from(MOST)) as u32;
    if whole < 0x1000 {
        return whole as u16;
    }
    let mut shift = whole.ilog2() - 12;
    let mut mantissa = (whole + (1 << shift >> 1)) >> shift;
    if mantissa == 0x2000 {
        (mantissa, shift) = (0x1000, shift + 1);
    }
    ((shift + 1) << 12 | mantissa & 0xfff) as u16
}

/// What [`small`] made small.
fn large(code: u16) -> f64 {
    let (shift, mantissa) = (u32::from(code >> 12), u32::from(code & 0xfff));
    let whole = if shift == 0 { mantissa } else { (0x1000 | mantissa) << (shift - 1) };
    f64::from(whole)
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
