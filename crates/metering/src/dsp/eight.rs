//! Eight small integers at a time: vector registers where there are some, plain ones where there are not.
//!
//! Both kinds hold what fits 16 bits and compute the same integers. Which one is used is never seen in a result.

/// Integers in an [`Eight`].
pub(crate) const COUNT: usize = 8;

/// Largest magnitude that [`Eight::about`] lets pass: eight products of such numbers fit 32 bits.
pub(crate) const NARROW: i32 = 8191;

/// Whether a window's rows are better looked at once, one by one (see [`sweep`](crate::dsp::sweep)).
pub(crate) const ONE_SWEEP: bool = cfg!(target_arch = "riscv32");

#[cfg(not(target_arch = "riscv32"))]
pub(crate) use vector::{
    Eight, any_at_least, any_below, any_outside, copy_squares, copy_voltage, narrow_squares,
};

#[cfg(target_arch = "riscv32")]
pub(crate) use plain::{
    Eight, any_at_least, any_below, any_outside, copy_squares, copy_voltage, narrow_squares,
};

#[cfg(not(target_arch = "riscv32"))]
mod vector {
    use super::{COUNT, NARROW};
    use crate::front_end::Pair;
    use wide::{i16x8, i32x4, i32x8};

    /// Eight integers of 16 bits in a vector register.
    #[derive(Clone, Copy)]
    pub(crate) struct Eight(i16x8);

    /// The lanes of a sum of products: room for several blocks before they are added up.
    pub(crate) type Lanes = i32x4;

    impl Eight {
        /// How many blocks' products fit [`Lanes`].
        pub(crate) const GROUP: usize = 8;
        pub(crate) const ZERO: Self = Self(i16x8::ZERO);
        pub(crate) const ONE: Self = Self(i16x8::ONE);
        pub(crate) const LEAST: Self = Self(i16x8::MIN);
        pub(crate) const GREATEST: Self = Self(i16x8::MAX);

        #[inline(always)]
        pub(crate) fn new(values: [i16; COUNT]) -> Self {
            Self(i16x8::new(values))
        }

        /// `raw - zero`, and bits that have one above the 14th where that is outside -8192..8192.
        #[inline(always)]
        pub(crate) fn about(raw: &[i32; COUNT], zero: i32) -> (Self, i32) {
            let values = i32x8::new(*raw) - i32x8::splat(zero);
            let beyond = values + i32x8::splat(NARROW + 1);
            let beyond = beyond.to_array().iter().fold(0, |all, lane| all | lane);
            (Self(i16x8::from_i32x8_saturate(values)), beyond)
        }

        /// `(raw - offset) * 2^shift`, rounded; the caller knows that it fits.
        #[inline(always)]
        pub(crate) fn scaled(raw: [i32; COUNT], offset: i32, shift: i32) -> Self {
            let values = i32x8::new(raw) - i32x8::splat(offset);
            let scaled = if shift >= 0 {
                values << shift
            } else {
                (values + i32x8::splat(1 << (-shift - 1))) >> -shift
            };
            Self(i16x8::from_i32x8_saturate(scaled))
        }

        #[inline(always)]
        pub(crate) fn plus(self, other: Self) -> Self {
            Self(self.0 + other.0)
        }

        #[inline(always)]
        pub(crate) fn minus(self, other: Self) -> Self {
            Self(self.0 - other.0)
        }

        /// Sixteen rows about `offset`, folded about their middle: the even part's product with `cosines` (whose sum is
        /// `cosines_sum`) and the odd part's with `sines`. As with [`Self::dot`] the caller knows that everything fits.
        #[inline(always)]
        pub(crate) fn fold_dots(
            raw: &[i32; 2 * COUNT],
            offset: i32,
            (cosines, sines): (&Self, &Self),
            _cosines_sum: i32,
        ) -> (i32, i32) {
            let [r7, r6, r5, r4, r3, r2, r1, r0, after @ ..] = *raw;
            let before = Self::scaled([r0, r1, r2, r3, r4, r5, r6, r7], offset, 0);
            let after = Self::scaled(after, offset, 0);
            (after.plus(before).dot(*cosines), after.minus(before).dot(*sines))
        }

        #[inline(always)]
        pub(crate) fn lesser(self, other: Self) -> Self {
            Self(self.0.min(other.0))
        }

        #[inline(always)]
        pub(crate) fn greater(self, other: Self) -> Self {
            Self(self.0.max(other.0))
        }

        pub(crate) fn least(self) -> i32 {
            self.0.reduce_min().into()
        }

        pub(crate) fn greatest(self) -> i32 {
            self.0.reduce_max().into()
        }

        /// Sum of products; the caller knows that it fits 32 bits.
        #[inline(always)]
        pub(crate) fn dot(self, other: Self) -> i32 {
            let [w, x, y, z] = self.0.dot(other.0).to_array();
            (w + y) + (x + z)
        }

        /// Sum of products of up to [`Self::GROUP`] narrow blocks.
        #[inline(always)]
        pub(crate) fn dot_group(a: &[Self; Self::GROUP], b: &[Self; Self::GROUP]) -> i64 {
            let lanes = a.iter().zip(b).fold(Lanes::ZERO, |sum, (a, b)| sum + a.0.dot(b.0));
            // A lane has room for a group, all four together have not.
            let [w, x, y, z] = lanes.to_array().map(i64::from);
            (w + y) + (x + z)
        }
    }

    /// Copies the currents of a block; the sum of the squares of `raw - zero`, and whether all of these are narrow
    /// (otherwise the sum means nothing).
    #[inline(always)]
    pub(crate) fn copy_squares(pairs: &[Pair; COUNT], to: &mut [i32; COUNT], zero: i32) -> (i32, bool) {
        to.iter_mut().zip(pairs).for_each(|(to, pair)| *to = pair.current);
        let (values, beyond) = Eight::about(to, zero);
        if beyond & !0x3fff == 0 { (values.dot(values), true) } else { (0, false) }
    }

    /// Copies the voltages of a block, and says whether all of `raw - zero` are narrow.
    #[inline(always)]
    pub(crate) fn copy_voltage(pairs: &[Pair; COUNT], to: &mut [i32; COUNT], zero: i32) -> bool {
        to.iter_mut().zip(pairs).for_each(|(to, pair)| *to = pair.voltage);
        Eight::about(to, zero).1 & !0x3fff == 0
    }

    /// Sum of the squares of `raw - zero`, which are known to be narrow.
    #[inline(always)]
    pub(crate) fn narrow_squares(raw: &[i32; COUNT], zero: i32) -> i32 {
        let (values, _) = Eight::about(raw, zero);
        values.dot(values)
    }

    /// Whether a current is at or beyond one of its rails.
    #[inline(always)]
    pub(crate) fn any_outside(pairs: &[Pair; COUNT], (lowest, highest): (i32, i32)) -> bool {
        // Not `any`: without an early end eight rows are looked at at once.
        let outside = |pair: &Pair| (pair.current <= lowest) | (pair.current >= highest);
        pairs.iter().fold(false, |seen, pair| seen | outside(pair))
    }

    #[inline(always)]
    pub(crate) fn any_at_least(raw: &[i32; COUNT], limit: i32) -> bool {
        raw.iter().fold(i32::MIN, |most, &count| most.max(count)) >= limit
    }

    #[inline(always)]
    pub(crate) fn any_below(raw: &[i32; COUNT], limit: i32) -> bool {
        raw.iter().fold(i32::MAX, |least, &count| least.min(count)) < limit
    }

    // Each of four lanes takes two products of each block of a group.
    const _: () = assert!(2 * (Eight::GROUP as i64) * ((NARROW + 1) as i64).pow(2) < 1 << 31);
}

#[cfg(any(target_arch = "riscv32", test))]
mod plain {
    use super::{COUNT, NARROW};
    use crate::front_end::Pair;

    /// Eight integers in plain registers: 32 bits cost no more than 16.
    #[derive(Clone, Copy)]
    pub(crate) struct Eight([i32; COUNT]);

    impl Eight {
        /// Nothing is gained by taking more than one block at a time.
        pub(crate) const GROUP: usize = 1;
        pub(crate) const ZERO: Self = Self([0; COUNT]);
        pub(crate) const ONE: Self = Self([1; COUNT]);
        pub(crate) const LEAST: Self = Self([i16::MIN as i32; COUNT]);
        pub(crate) const GREATEST: Self = Self([i16::MAX as i32; COUNT]);

        #[inline(always)]
        pub(crate) fn new(values: [i16; COUNT]) -> Self {
            Self(values.map(i32::from))
        }

        #[inline(always)]
        pub(crate) fn about(raw: &[i32; COUNT], zero: i32) -> (Self, i32) {
            let values = raw.map(|raw| raw.wrapping_sub(zero));
            let beyond = values.iter().fold(0, |all, value| all | value.wrapping_add(NARROW + 1));
            (Self(values), beyond)
        }

        #[inline(always)]
        pub(crate) fn scaled(raw: [i32; COUNT], offset: i32, shift: i32) -> Self {
            if shift >= 0 {
                Self(raw.map(|raw| raw.wrapping_sub(offset) << shift))
            } else {
                Self(raw.map(|raw| (raw.wrapping_sub(offset) + (1 << (-shift - 1))) >> -shift))
            }
        }

        #[inline(always)]
        pub(crate) fn fold_dots(
            raw: &[i32; 2 * COUNT],
            offset: i32,
            (cosines, sines): (&Self, &Self),
            cosines_sum: i32,
        ) -> (i32, i32) {
            let [before @ .., _, _, _, _, _, _, _, _] = raw;
            let [_, _, _, _, _, _, _, _, after @ ..] = raw;
            let rows = before.iter().rev().zip(after).zip(cosines.0.iter().zip(&sines.0));
            // The offset is taken off once: what is too much on the way comes round again, as the result fits.
            let offset = offset.wrapping_mul(2).wrapping_mul(cosines_sum);
            rows.fold(
                (0_i32.wrapping_sub(offset), 0_i32),
                |(even, odd), ((&before, &after), (&cosine, &sine))| {
                    let (sum, difference) = (after.wrapping_add(before), after.wrapping_sub(before));
                    (
                        even.wrapping_add(sum.wrapping_mul(cosine)),
                        odd.wrapping_add(difference.wrapping_mul(sine)),
                    )
                },
            )
        }

        #[inline(always)]
        fn each(self, other: Self, with: impl Fn(i32, i32) -> i32) -> Self {
            let mut out = self;
            out.0.iter_mut().zip(&other.0).for_each(|(a, &b)| *a = with(*a, b));
            out
        }

        #[inline(always)]
        pub(crate) fn plus(self, other: Self) -> Self {
            self.each(other, |a, b| a + b)
        }

        #[inline(always)]
        pub(crate) fn minus(self, other: Self) -> Self {
            self.each(other, |a, b| a - b)
        }

        #[inline(always)]
        pub(crate) fn lesser(self, other: Self) -> Self {
            // Eight extremes in step would need sixteen registers: one for all is enough.
            let least = other.0.iter().fold(self.least(), |least, &value| least.min(value));
            Self([least; COUNT])
        }

        #[inline(always)]
        pub(crate) fn greater(self, other: Self) -> Self {
            let greatest = other.0.iter().fold(self.greatest(), |greatest, &value| greatest.max(value));
            Self([greatest; COUNT])
        }

        /// Of all eight; after [`Self::lesser`] they are the same.
        #[inline(always)]
        pub(crate) fn least(self) -> i32 {
            let [first, ..] = self.0;
            first
        }

        /// Of all eight; after [`Self::greater`] they are the same.
        #[inline(always)]
        pub(crate) fn greatest(self) -> i32 {
            let [first, ..] = self.0;
            first
        }

        #[inline(always)]
        pub(crate) fn dot(self, other: Self) -> i32 {
            self.0.iter().zip(&other.0).map(|(a, b)| a * b).sum()
        }

        #[inline(always)]
        pub(crate) fn dot_group(a: &[Self; Self::GROUP], b: &[Self; Self::GROUP]) -> i64 {
            let ([a], [b]) = (a, b);
            i64::from(a.dot(*b))
        }
    }

    #[inline(always)]
    pub(crate) fn copy_squares(pairs: &[Pair; COUNT], to: &mut [i32; COUNT], zero: i32) -> (i32, bool) {
        let (mut bits, mut sum) = (0, 0_i32);
        for (to, pair) in to.iter_mut().zip(pairs) {
            let raw = pair.current;
            *to = raw;
            bits |= raw;
            let value = raw.wrapping_sub(zero);
            sum = sum.wrapping_add(value.wrapping_mul(value));
        }
        (sum, all_narrow(bits, to, zero))
    }

    #[inline(always)]
    pub(crate) fn copy_voltage(pairs: &[Pair; COUNT], to: &mut [i32; COUNT], zero: i32) -> bool {
        let mut bits = 0;
        for (to, pair) in to.iter_mut().zip(pairs) {
            *to = pair.voltage;
            bits |= pair.voltage;
        }
        all_narrow(bits, to, zero)
    }

    /// Of a converter without a sign and with its zero between, as nearly all are, all bits together tell at once.
    #[inline(always)]
    fn all_narrow(bits: i32, raw: &[i32; COUNT], zero: i32) -> bool {
        (bits | zero) & !NARROW == 0 || Eight::about(raw, zero).1 & !0x3fff == 0
    }

    #[inline(always)]
    pub(crate) fn narrow_squares(raw: &[i32; COUNT], zero: i32) -> i32 {
        // Eight differences at a time would not fit the registers.
        raw.iter().map(|raw| raw.wrapping_sub(zero)).map(|value| value.wrapping_mul(value)).sum()
    }

    #[inline(always)]
    pub(crate) fn any_outside(pairs: &[Pair; COUNT], (lowest, highest): (i32, i32)) -> bool {
        // One comparison a count: what is below wraps to the top.
        let first = lowest.wrapping_add(1);
        let inside = highest.wrapping_sub(first).cast_unsigned();
        if highest <= first {
            return true;
        }
        let mut seen = false;
        for pair in pairs {
            if pair.current.wrapping_sub(first).cast_unsigned() >= inside {
                seen = rarely();
            }
        }
        seen
    }

    /// True. A call that is seldom made keeps a loop a chain of branches, each of one instruction.
    #[cold]
    #[inline(never)]
    fn rarely() -> bool {
        true
    }

    #[inline(always)]
    pub(crate) fn any_at_least(raw: &[i32; COUNT], limit: i32) -> bool {
        raw.iter().any(|&count| count >= limit)
    }

    #[inline(always)]
    pub(crate) fn any_below(raw: &[i32; COUNT], limit: i32) -> bool {
        raw.iter().any(|&count| count < limit)
    }
}

#[cfg(test)]
mod tests {
    use super::{plain, vector};
    use crate::front_end::Pair;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn both_kinds_compute_the_same(
            raw in proptest::array::uniform8(-9000_i32..9000),
            other in proptest::array::uniform8(-8191_i16..8192),
            zero in -900_i32..900,
        ) {
            let (v, v_beyond) = vector::Eight::about(&raw, zero);
            let (p, p_beyond) = plain::Eight::about(&raw, zero);
            prop_assert_eq!(v_beyond & !0x3fff == 0, p_beyond & !0x3fff == 0);
            let (v2, p2) = (vector::Eight::new(other), plain::Eight::new(other));
            if v_beyond & !0x3fff == 0 {
                prop_assert_eq!(v.dot(v2), p.dot(p2));
                prop_assert_eq!(v.plus(v2).dot(vector::Eight::ONE), p.plus(p2).dot(plain::Eight::ONE));
                prop_assert_eq!(v.minus(v2).dot(vector::Eight::ONE), p.minus(p2).dot(plain::Eight::ONE));
                let (v_least, p_least) = (vector::Eight::GREATEST.lesser(v), plain::Eight::GREATEST.lesser(p));
                prop_assert_eq!(v_least.least(), p_least.least());
                let (v_most, p_most) = (vector::Eight::LEAST.greater(v), plain::Eight::LEAST.greater(p));
                prop_assert_eq!(v_most.greatest(), p_most.greatest());
                prop_assert_eq!(plain::Eight::dot_group(&[p], &[p2]), i64::from(v.dot(v2)));
            }
            for shift in [-3, -1, 0] {
                let (v, p) = (vector::Eight::scaled(raw, zero, shift), plain::Eight::scaled(raw, zero, shift));
                prop_assert_eq!(v.dot(v2), p.dot(p2));
            }
            let _ = (plain::Eight::ZERO, vector::Eight::ZERO);
        }

        #[test]
        fn both_kinds_look_at_pairs_alike(
            voltage in proptest::array::uniform8(-9000_i32..9000),
            current in proptest::array::uniform8(0_i32..4096),
            zero in 0_i32..4096,
            lowest in -10_i32..300,
            limit in 0_i32..4096,
        ) {
            let pairs: [Pair; 8] =
                core::array::from_fn(|at| Pair { voltage: voltage[at], current: current[at] });
            let (mut v, mut p) = ([0; 8], [0; 8]);
            prop_assert_eq!(vector::copy_squares(&pairs, &mut v, zero), plain::copy_squares(&pairs, &mut p, zero));
            prop_assert_eq!((v, p), (current, current));
            let squares = current.iter().map(|raw| (raw - zero).pow(2)).sum::<i32>();
            prop_assert_eq!(vector::narrow_squares(&v, zero), squares);
            prop_assert_eq!(plain::narrow_squares(&v, zero), squares);
            let narrow = vector::copy_voltage(&pairs, &mut v, zero - 500);
            prop_assert_eq!(narrow, plain::copy_voltage(&pairs, &mut p, zero - 500));
            prop_assert_eq!((v, p), (voltage, voltage));
            let rails = (lowest, 4095 - lowest);
            prop_assert_eq!(vector::any_outside(&pairs, rails), plain::any_outside(&pairs, rails));
            prop_assert_eq!(vector::any_below(&current, limit), plain::any_below(&current, limit));
            prop_assert_eq!(vector::any_at_least(&current, limit), plain::any_at_least(&current, limit));
        }

        #[test]
        fn both_kinds_fold_alike(
            before in proptest::array::uniform8(0_i32..4096),
            after in proptest::array::uniform8(0_i32..4096),
            offset in 1000_i32..3000,
            twiddles in proptest::array::uniform8(-8192_i16..8193),
        ) {
            let mut raw = [0; 16];
            raw.iter_mut().zip(before.iter().chain(&after)).for_each(|(to, from)| *to = *from);
            let sines = twiddles.map(|twiddle| 8192 - twiddle.abs());
            let sum = twiddles.iter().copied().map(i32::from).sum();
            let v = (vector::Eight::new(twiddles), vector::Eight::new(sines));
            let p = (plain::Eight::new(twiddles), plain::Eight::new(sines));
            prop_assert_eq!(
                vector::Eight::fold_dots(&raw, offset, (&v.0, &v.1), sum),
                plain::Eight::fold_dots(&raw, offset, (&p.0, &p.1), sum)
            );
        }
    }
}
