//! Single components of a window at exact multiples of its own frequency: a DFT in 16-bit blocks, exact sums.
//!
//! Sixteen rows are folded about their middle: even part times cosines, odd part times sines, one multiplication a
//! row and component in 16 bits. The block's result is then turned by a phasor in 2^-30 to its place in the window.
//! The rows are scaled by a power of two so that the largest fits [`ROW_LIMIT`]; what rounding that takes away is
//! at most half a unit of 3600 in the peak, and white. Harmonics are taken from what is left when the fundamental, which would
//! leak over the window's broken edge samples, has been subtracted.

use crate::dsp::eight::{COUNT as HALF, Eight};
use crate::dsp::moments::weight_of;
use crate::dsp::rotation::{BITS, Phasor};
use crate::dsp::scaling::{ROW_LIMIT, Scaling};
use crate::history::View;
use crate::position::{FRACTION_BITS, Position, WEIGHT_BITS, WEIGHT_ONE};
use crate::reading::MAX_ORDER;

/// Rows a block: two of the kernels' blocks, folded onto each other.
const BLOCK: usize = 2 * HALF;
/// Bits of the twiddle factors: eight products of folded residual and twiddle must fit 32 bits.
const TWIDDLE_BITS: u32 = 13;
const _: () = {
    assert!(ROW_LIMIT * 4548 / 1000 <= i16::MAX as i32);
    assert!((i16::MAX as i64) * (1 << TWIDDLE_BITS) * (HALF as i64) < 1 << 31);
};
/// What is dropped of block results before they are summed, so that 2^10 blocks fit 64 bits.
const DROP: u32 = 14;

/// A complex amplitude: RMS counts, and as cosine and sine parts against the window's first edge.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Amplitude {
    /// In-phase part (cosine), counts, peak.
    pub(crate) re: f64,
    /// Quadrature part, counts, peak: the component is `re cos(wt) - im sin(wt)`.
    pub(crate) im: f64,
}

/// Twiddles and step of one order.
struct Bin {
    cosines: Eight,
    sines: Eight,
    cosines_sum: i32,
    /// From one block to the next.
    step: Phasor,
    /// Where the block stands.
    at: Phasor,
    /// Response of the rounded twiddles to a unit component, 1 but for their rounding.
    gain: f64,
}

impl Bin {
    /// `half` is half a row's phase at the fundamental in turns of 2^-64, `start` the phase of the first block's
    /// middle at the fundamental.
    fn new(order: u64, half: u64, start: u64) -> Self {
        let exact = phases(order, half);
        let (cosines, sines) = twiddles(&exact, TWIDDLE_BITS);
        let mut response = 0_i64;
        for ((&cosine, &sine), exact) in cosines.iter().zip(&sines).zip(&exact) {
            response += i64::from(exact.re) * i64::from(cosine) + i64::from(exact.im) * i64::from(sine);
        }
        Self {
            cosines: Eight::new(cosines),
            sines: Eight::new(sines),
            cosines_sum: cosines.iter().copied().map(i32::from).sum(),
            step: Phasor::at((2 * BLOCK as u64 * order).wrapping_mul(half).wrapping_neg()),
            at: Phasor::at(order.wrapping_mul(start).wrapping_neg()),
            gain: response as f64
                / (HALF as f64 * f64::from(1_u32 << TWIDDLE_BITS) * f64::from(1_u32 << BITS)),
        }
    }

    #[inline(always)]
    fn dots(&self, folded: &Folded) -> Dots {
        Dots { even: folded.even.dot(self.cosines), odd: folded.odd.dot(self.sines) }
    }

    /// The block's share of the sum, turned to its place.
    #[inline(always)]
    fn turn(&self, dots: Dots) -> (i64, i64) {
        let re = i64::from(dots.even);
        let im = -i64::from(dots.odd);
        let (at_re, at_im) = (i64::from(self.at.re), i64::from(self.at.im));
        ((re * at_re - im * at_im) >> DROP, (re * at_im + im * at_re) >> DROP)
    }

    fn advance(&mut self) {
        self.at = self.at.times(self.step);
    }
}

/// The rows' phases against the middle of their block, outwards.
fn phases(order: u64, half: u64) -> [Phasor; HALF] {
    core::array::from_fn(|row| Phasor::at(((2 * row as u64 + 1) * order).wrapping_mul(half)))
}

/// Their cosines and sines, rounded.
fn twiddles(exact: &[Phasor; HALF], bits: u32) -> ([i16; HALF], [i16; HALF]) {
    let round = |part: i32| (((part >> (BITS - bits - 1)) + 1) >> 1) as i16;
    (exact.map(|phasor| round(phasor.re)), exact.map(|phasor| round(phasor.im)))
}

/// A block's scaled rows, outwards from its middle.
#[derive(Clone, Copy)]
struct Rows {
    before: Eight,
    after: Eight,
}

impl Rows {
    /// From rows in their order.
    #[inline(always)]
    fn new(rows: &[i16; BLOCK]) -> Self {
        let [r7, r6, r5, r4, r3, r2, r1, r0, after @ ..] = *rows;
        Self { before: Eight::new([r0, r1, r2, r3, r4, r5, r6, r7]), after: Eight::new(after) }
    }

    /// From raw counts. Turned round while they are 32 bits wide, which is the cheaper place.
    #[inline(always)]
    fn scaled(raw: &[i32; BLOCK], scaling: Scaling) -> Self {
        let [r7, r6, r5, r4, r3, r2, r1, r0, after @ ..] = *raw;
        // Nothing is cut: the scale was chosen so that all rows fit.
        let half = |counts: [i32; HALF]| Eight::scaled(counts, scaling.offset, scaling.shift);
        Self { before: half([r0, r1, r2, r3, r4, r5, r6, r7]), after: half(after) }
    }

    #[inline(always)]
    fn fold(self) -> Folded {
        Folded { even: self.after.plus(self.before), odd: self.after.minus(self.before) }
    }
}

/// A block folded about its middle.
#[derive(Clone, Copy)]
struct Folded {
    even: Eight,
    odd: Eight,
}

/// What a block's even part makes with cosines, and its odd part with sines.
#[derive(Clone, Copy)]
struct Dots {
    even: i32,
    odd: i32,
}

/// A block of a window.
enum Block<'a> {
    /// All rows are there and have full weight.
    Whole(&'a [i32; BLOCK], &'a [i32; BLOCK]),
    /// Scaled, edge rows by their share, missing rows as 0.
    Edge(Rows, Rows),
}

impl Scaling {
    /// A whole block, scaled, folded and multiplied.
    #[inline(always)]
    fn dots(self, raw: &[i32; BLOCK], bin: &Bin) -> Dots {
        if self.shift >= 0 {
            // Scaled afterwards: that is two numbers and not sixteen.
            let (even, odd) = Eight::fold_dots(raw, self.offset, (&bin.cosines, &bin.sines), bin.cosines_sum);
            return Dots { even: even << self.shift, odd: odd << self.shift };
        }
        bin.dots(&Rows::scaled(raw, self).fold())
    }
}

/// A window prepared for single components.
pub(crate) struct Spectrum<'a> {
    view: View<'a>,
    first: Position,
    last: Position,
    voltage: Scaling,
    current: Scaling,
    /// Half a row's phase at the fundamental, turns in 2^-64.
    half: u64,
    /// Phase of the first block's middle at the fundamental.
    start: u64,
    /// Rows with their weights.
    rows: f64,
    has_losses: bool,
}

/// Both channels' amplitudes at one order.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Both {
    pub(crate) voltage: Amplitude,
    pub(crate) current: Amplitude,
}

/// Running sums of one order.
#[derive(Clone, Copy, Default)]
struct Sums {
    voltage: (i64, i64),
    current: (i64, i64),
}

impl Sums {
    #[inline(always)]
    fn add(&mut self, bin: &Bin, voltage: Dots, current: Dots) {
        let (re, im) = bin.turn(voltage);
        self.voltage.0 += re;
        self.voltage.1 += im;
        let (re, im) = bin.turn(current);
        self.current.0 += re;
        self.current.1 += im;
    }
}

impl<'a> Spectrum<'a> {
    /// `cycles` whole cycles between the edges; `weight` is the sum of the rows' weights; `is_complete`: no row is
    /// known to be missing.
    pub(crate) fn new(
        view: View<'a>,
        (first, last): (Position, Position),
        cycles: u32,
        weight: i64,
        voltage: Scaling,
        current: Scaling,
        is_complete: bool,
    ) -> Self {
        let length = u128::from(last.since(first).max(1));
        // Turns a row: cycles / (length / 2^20), in 2^-64; half of it is exact in 2^-64 again.
        let half = ((u128::from(cycles) << (63 + FRACTION_BITS)) / length) as u64;
        let edge = ((u128::from(half) * u128::from(first.fraction()) * 2) >> FRACTION_BITS) as u64;
        let start = half.wrapping_mul(BLOCK as u64 - 1).wrapping_sub(edge);
        let rows = weight as f64 / WEIGHT_ONE as f64;
        let view = view.rows(first.row(), last.row() + 2);
        let has_losses = !is_complete && view.has_losses();
        Self { view, first, last, voltage, current, half, start, rows, has_losses }
    }

    /// Phase of one row at the fundamental, in turns of 2^-64.
    pub(crate) fn turns_a_row(&self) -> u64 {
        self.half.wrapping_mul(2)
    }

    /// The fundamental of both channels.
    ///
    /// With pairs missing, what is left after subtracting it is asked once more, which makes the error of the
    /// missing share quadratic.
    pub(crate) fn fundamental(&self) -> Both {
        let mut bin = Bin::new(1, self.half, self.start);
        let mut sums = Sums::default();
        self.blocks(|block| {
            let (voltage, current) = match block {
                Block::Whole(voltage, current) => {
                    (self.voltage.dots(voltage, &bin), self.current.dots(current, &bin))
                }
                Block::Edge(voltage, current) => (bin.dots(&voltage.fold()), bin.dots(&current.fold())),
            };
            sums.add(&bin, voltage, current);
            bin.advance();
        });
        let found = self.amplitudes(&sums, bin.gain);
        if self.has_losses {
            let mut rest = [Both::default(); 1];
            self.residual(found, &mut rest);
            let [rest] = rest;
            return found.plus(rest);
        }
        found
    }

    /// Orders 2.. of both channels into `orders` (element 0 is order 2), the fundamental being known.
    pub(crate) fn harmonics(&self, fundamental: Both, orders: &mut [Both]) {
        // A few orders at a time keep the working set small.
        const GROUP: usize = 8;
        for (group, first) in orders.chunks_mut(GROUP).zip((2_u64..).step_by(GROUP)) {
            let mut work: heapless::Vec<(Bin, Sums), GROUP> = heapless::Vec::new();
            for order in (first..).take(group.len()) {
                // The group has at most GROUP members.
                let _ = work.push((Bin::new(order, self.half, self.start), Sums::default()));
            }
            self.residual_blocks(fundamental, |voltage, current| {
                for (bin, sums) in &mut work {
                    sums.add(bin, bin.dots(voltage), bin.dots(current));
                    bin.advance();
                }
            });
            for (found, (bin, sums)) in group.iter_mut().zip(&work) {
                *found = self.amplitudes(sums, bin.gain);
            }
        }
    }

    /// What the residual still holds at order 1.
    fn residual(&self, fundamental: Both, rest: &mut [Both; 1]) {
        let mut bin = Bin::new(1, self.half, self.start);
        let mut sums = Sums::default();
        self.residual_blocks(fundamental, |voltage, current| {
            sums.add(&bin, bin.dots(voltage), bin.dots(current));
            bin.advance();
        });
        *rest = [self.amplitudes(&sums, bin.gain)];
    }

    fn amplitudes(&self, sums: &Sums, gain: f64) -> Both {
        let unit = f64::from(1_u32 << DROP) * 2.0
            / (self.rows * gain * f64::from(1_u32 << BITS) * f64::from(1_u32 << TWIDDLE_BITS));
        let amplitude = |sums: (i64, i64), scaling: Scaling| Amplitude {
            re: scaling.counts(sums.0 as f64 * unit),
            im: scaling.counts(sums.1 as f64 * unit),
        };
        Both {
            voltage: amplitude(sums.voltage, self.voltage),
            current: amplitude(sums.current, self.current),
        }
    }

    /// Calls `take` with each block.
    #[inline(always)]
    fn blocks(&self, mut take: impl FnMut(Block<'_>)) {
        let mut base = self.view.base;
        // One place that calls: the loop's body is large.
        for (voltage, current) in self.view.voltage.chunks(BLOCK).zip(self.view.current.chunks(BLOCK)) {
            let block = match (voltage.first_chunk(), current.first_chunk()) {
                (Some(voltage), Some(current)) if self.is_whole(base) => Block::Whole(voltage, current),
                _ => {
                    let (voltage, current) = self.weigh(base, voltage, current);
                    Block::Edge(voltage, current)
                }
            };
            take(block);
            base += BLOCK as u64;
        }
    }

    /// The slow way for blocks with edges or losses.
    #[inline(never)]
    fn weigh(&self, base: u64, voltage: &[i32], current: &[i32]) -> (Rows, Rows) {
        let (mut v, mut i) = ([0; BLOCK], [0; BLOCK]);
        let rows = voltage.iter().zip(current).zip(v.iter_mut().zip(&mut i)).zip(base..);
        for (((&voltage, &current), (v, i)), row) in rows {
            if voltage == crate::history::LOST {
                continue;
            }
            let weight = weight_of(row, self.first, self.last);
            let share = |value: i32| ((i64::from(value) * weight) >> WEIGHT_BITS) as i16;
            *v = share(self.voltage.row(voltage));
            *i = share(self.current.row(current));
        }
        (Rows::new(&v), Rows::new(&i))
    }

    /// As [`Self::blocks`], folded, with the fundamental subtracted.
    fn residual_blocks(&self, fundamental: Both, mut take: impl FnMut(&Folded, &Folded)) {
        let Bin { step, mut at, .. } = Bin::new(1, self.half, self.start);
        let voltage = Removal::new(fundamental.voltage, self.voltage, self.half);
        let current = Removal::new(fundamental.current, self.current, self.half);
        let mut base = self.view.base;
        self.blocks(|block| {
            match block {
                Block::Whole(v, i) => {
                    let (v, i) = (Rows::scaled(v, self.voltage), Rows::scaled(i, self.current));
                    take(&voltage.fold(v, at), &current.fold(i, at));
                }
                Block::Edge(v, i) => {
                    let weights = self.weights(base);
                    take(&voltage.fold_weighted(v, at, &weights), &current.fold_weighted(i, at, &weights));
                }
            }
            at = at.times(step);
            base += BLOCK as u64;
        });
    }

    /// Whether every row of a block is there and has full weight.
    fn is_whole(&self, base: u64) -> bool {
        !self.has_losses && base > self.first.row() + 1 && base + BLOCK as u64 <= self.last.row()
    }

    /// Weights of a block's rows in 2^-14, 0 for missing ones: before its middle, after it; outwards.
    fn weights(&self, base: u64) -> [[i32; HALF]; 2] {
        let middle = base + HALF as u64;
        let weight = |row: u64| match self.view.pair(row) {
            Some(_) => (weight_of(row, self.first, self.last) >> (WEIGHT_BITS - 14)) as i32,
            None => 0,
        };
        let outwards = |row: usize| row as u64;
        [
            core::array::from_fn(|row| weight(middle - 1 - outwards(row))),
            core::array::from_fn(|row| weight(middle + outwards(row))),
        ]
    }
}

/// The fundamental in scaled units, to be subtracted.
#[derive(Clone, Copy)]
struct Removal {
    /// Peak, in 2^-3 of a scaled unit.
    re: i64,
    im: i64,
    cosines: [i16; HALF],
    sines: [i16; HALF],
}

/// Fractional bits of the amplitude in a [`Removal`].
const REMOVAL_BITS: u32 = 3;
/// Its own twiddles are finer: their rounding is multiplied by the whole fundamental.
const REMOVAL_TWIDDLE_BITS: u32 = 14;
const _: () = assert!(((ROW_LIMIT as i64 * 128 / 100) << (REMOVAL_BITS + REMOVAL_TWIDDLE_BITS)) < 1 << 31);

impl Removal {
    fn new(amplitude: Amplitude, scaling: Scaling, half: u64) -> Self {
        let unit = scaling.counts(1.0) / f64::from(1_u32 << REMOVAL_BITS);
        let fixed = |part: f64| libm::round(part / unit) as i64;
        let (cosines, sines) = twiddles(&phases(1, half), REMOVAL_TWIDDLE_BITS);
        Self { re: fixed(amplitude.re), im: fixed(amplitude.im), cosines, sines }
    }

    /// Cosine and sine part at the middle of a block.
    #[inline(always)]
    fn middle(&self, at: Phasor) -> (i32, i32) {
        // `at` is exp(-i phase of the middle): turn the amplitude forward by its conjugate.
        let (re, im) = (i64::from(at.re), -i64::from(at.im));
        (((self.re * re - self.im * im) >> BITS) as i32, ((self.re * im + self.im * re) >> BITS) as i32)
    }

    /// Folds a block and subtracts: even = 2 re cos, odd = -2 im sin.
    #[inline(always)]
    fn fold(&self, rows: Rows, at: Phasor) -> Folded {
        const SHIFT: u32 = REMOVAL_BITS + REMOVAL_TWIDDLE_BITS - 1;
        const ROUND: i32 = 1 << (SHIFT - 1);
        let (re, im) = self.middle(at);
        let Folded { even, odd } = rows.fold();
        let scaled = |by: i32, twiddles: &[i16; HALF]| {
            Eight::new(twiddles.map(|twiddle| ((by * i32::from(twiddle) + ROUND) >> SHIFT) as i16))
        };
        Folded { even: even.minus(scaled(re, &self.cosines)), odd: odd.plus(scaled(im, &self.sines)) }
    }

    /// Subtracts row by row, with weights in 2^-14 (before the middle, after it; outwards), and folds.
    fn fold_weighted(&self, rows: Rows, at: Phasor, weights: &[[i32; HALF]; 2]) -> Folded {
        let (re, im) = self.middle(at);
        let share = |weights: &[i32; HALF], side: i64| {
            let mut shares = [0; HALF];
            let twiddles = self.cosines.iter().zip(&self.sines);
            for ((share, &weight), (&cosine, &sine)) in shares.iter_mut().zip(weights).zip(twiddles) {
                let value = i64::from(re) * i64::from(cosine) - side * i64::from(im) * i64::from(sine);
                *share = ((value * i64::from(weight)) >> (REMOVAL_BITS + REMOVAL_TWIDDLE_BITS + 14)) as i16;
            }
            Eight::new(shares)
        };
        let [before, after] = weights;
        Rows { before: rows.before.minus(share(before, -1)), after: rows.after.minus(share(after, 1)) }.fold()
    }
}

impl Both {
    fn plus(self, other: Self) -> Self {
        let add = |a: Amplitude, b: Amplitude| Amplitude { re: a.re + b.re, im: a.im + b.im };
        Self { voltage: add(self.voltage, other.voltage), current: add(self.current, other.current) }
    }
}

/// The highest order whose frequency is below half the sample rate, at most [`MAX_ORDER`].
pub(crate) fn max_order(turns_a_row: u64) -> usize {
    // order * turns_a_row < 1/2 turn, exactly.
    let half_turn = 1_u64 << 63;
    let below = (half_turn - 1) / turns_a_row.max(1);
    usize::try_from(below).unwrap_or(MAX_ORDER).min(MAX_ORDER)
}
