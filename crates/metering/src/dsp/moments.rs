//! Weighted first and second moments of a window: everything that RMS, DC and active power need, exactly.

use crate::dsp::kernels::{Spread, narrow_product, narrow_products, sum_products};
use crate::front_end::Pair;
use crate::history::View;
use crate::position::{Position, WEIGHT_BITS};

/// Rows of a window at most: the sums below are sized for it.
pub(crate) const MAX_WINDOW_ROWS: u64 = 1 << 14;
/// Bits of a sample about its zero.
const SAMPLE_BITS: u32 = 24;
/// `weight * sum(x^2) - sum(x)^2` must fit 127 bits and a sum of products 63.
const _: () = {
    assert!(2 * SAMPLE_BITS + 14 <= 62);
    assert!(2 * (SAMPLE_BITS + 14 + WEIGHT_BITS) <= 126);
};

/// How the delayed channel is interpolated between rows: four taps, oldest last.
pub(crate) const TAPS: usize = 4;

/// The integer zeros that raw counts are taken about; fractions of a count are dealt with in the end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Zeros {
    pub(crate) voltage: i32,
    pub(crate) current: i32,
}

/// Which products of voltage and current are summed: the channel that was sampled earlier in a row is taken as it
/// is, the other one `lag` rows before, for each lag from `first_lag` on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lags {
    /// True if the current was sampled later than the voltage, so that earlier rows of the current are used.
    pub(crate) current_is_late: bool,
    pub(crate) first_lag: i64,
    pub(crate) count: usize,
}

/// A sum of products with the weight that went into it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct WeightedSum {
    pub(crate) weight: i64,
    pub(crate) sum: i128,
}

/// Weighted sums of one channel about its integer zero, in units of `1 / WEIGHT_ONE`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ChannelMoments {
    pub(crate) sum: i128,
    pub(crate) squares: i128,
    /// Least value that has any weight, about the integer zero.
    pub(crate) least: i32,
    pub(crate) greatest: i32,
}

/// All sums of a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Moments {
    /// Sum of the weights: the window's length in samples, lost ones left out, in `1 / WEIGHT_ONE`.
    pub(crate) weight: i64,
    pub(crate) voltage: ChannelMoments,
    pub(crate) current: ChannelMoments,
    pub(crate) products: [WeightedSum; TAPS],
}

impl ChannelMoments {
    /// `weight^2` times the variance: never negative, exact.
    pub(crate) fn variance_numerator(&self, weight: i64) -> i128 {
        i128::from(weight) * self.squares - self.sum * self.sum
    }

    /// Variance in counts squared.
    pub(crate) fn variance(&self, weight: i64) -> f64 {
        let weight_f = weight as f64;
        if weight == 0 { 0.0 } else { self.variance_numerator(weight) as f64 / (weight_f * weight_f) }
    }

    /// Mean in counts about the integer zero.
    pub(crate) fn mean(&self, weight: i64) -> f64 {
        if weight == 0 { 0.0 } else { self.sum as f64 / weight as f64 }
    }

    fn from_spread(spread: &Spread) -> Self {
        Self {
            sum: i128::from(spread.sum) << WEIGHT_BITS,
            squares: i128::from(spread.squares) << WEIGHT_BITS,
            least: spread.least,
            greatest: spread.greatest,
        }
    }

    fn add(&mut self, value: i32, weight: i64) {
        let value_wide = i64::from(value);
        self.sum += i128::from(value_wide * weight);
        self.squares += weighted(value_wide * value_wide, weight);
        self.least = self.least.min(value);
        self.greatest = self.greatest.max(value);
    }
}

/// A product of two samples by its weight.
#[inline(always)]
fn weighted(product: i64, weight: i64) -> i128 {
    // Of small samples it fits 64 bits, which a chip without them multiplies several times as fast.
    if product.unsigned_abs() < 1 << (62 - WEIGHT_BITS) {
        i128::from(product * weight)
    } else {
        weighted_wide(product, weight)
    }
}

/// Apart, or it would be computed every time.
#[cold]
#[inline(never)]
fn weighted_wide(product: i64, weight: i64) -> i128 {
    i128::from(product) * i128::from(weight)
}

/// The weight of a row in the window between two edges.
pub(crate) fn weight_of(row: u64, first: Position, last: Position) -> i64 {
    first.share_after(row) - last.share_after(row)
}

impl Moments {
    /// Sums the rows between two edges. Rows outside the window are looked at only as the delayed partner.
    pub(crate) fn of(view: View<'_>, first: Position, last: Position, zeros: Zeros, lags: Lags) -> Self {
        let inside = (first.row() + 2, last.row().max(first.row() + 2));
        let mut voltage = Spread::EMPTY;
        let mut current = Spread::EMPTY;
        let mut rows = 0_u64;
        let mut products = [WeightedSum::default(); TAPS];
        for run in view.runs() {
            let full = run.rows(inside.0, inside.1);
            voltage.add(full.voltage, zeros.voltage);
            current.add(full.current, zeros.current);
            rows += full.voltage.len() as u64;
            add_run(&mut products, run, inside, zeros, lags, sum_of_products);
        }
        Self::with_edges(view, (first, last), zeros, lags, (voltage, current, rows, products))
    }

    /// The same of a narrow view whose spreads are known.
    pub(crate) fn of_narrow(
        view: View<'_>,
        (first, last): (Position, Position),
        zeros: Zeros,
        lags: Lags,
        (voltage, current): (Spread, Spread),
    ) -> Self {
        let inside = (first.row() + 2, last.row().max(first.row() + 2));
        let mut products = [WeightedSum::default(); TAPS];
        add_run(&mut products, view, inside, zeros, lags, narrow_sum_of_products);
        let rows = inside.1 - inside.0;
        Self::with_edges(view, (first, last), zeros, lags, (voltage, current, rows, products))
    }

    fn with_edges(
        view: View<'_>,
        (first, last): (Position, Position),
        zeros: Zeros,
        lags: Lags,
        (voltage, current, rows, products): (Spread, Spread, u64, [WeightedSum; TAPS]),
    ) -> Self {
        let mut moments = Self {
            weight: (rows << WEIGHT_BITS) as i64,
            voltage: ChannelMoments::from_spread(&voltage),
            current: ChannelMoments::from_spread(&current),
            products,
        };
        let edges = (first.row()..first.row() + 2).chain(last.row().max(first.row() + 2)..=last.row() + 1);
        for row in edges {
            moments.add_edge_row(view, row, weight_of(row, first, last), zeros, lags);
        }
        moments
    }

    fn add_edge_row(&mut self, view: View<'_>, row: u64, weight: i64, zeros: Zeros, lags: Lags) {
        let Some(pair) = view.pair(row) else { return };
        if weight <= 0 {
            return;
        }
        self.weight += weight;
        self.voltage.add(pair.voltage - zeros.voltage, weight);
        self.current.add(pair.current - zeros.current, weight);
        for (sum, lag) in self.products.iter_mut().take(lags.count).zip(lags.first_lag..) {
            let Some(partner) = row.checked_add_signed(-lag).and_then(|row| view.pair(row)) else { continue };
            let (now, delayed) = if lags.current_is_late { (pair, partner) } else { (partner, pair) };
            sum.weight += weight;
            sum.sum += weighted(product(now, delayed, zeros), weight);
        }
    }
}

fn product(voltage_of: Pair, current_of: Pair, zeros: Zeros) -> i64 {
    i64::from(voltage_of.voltage - zeros.voltage) * i64::from(current_of.current - zeros.current)
}

impl WeightedSum {
    /// Mean product in counts squared, about the integer zeros.
    pub(crate) fn mean(&self) -> f64 {
        if self.weight == 0 { 0.0 } else { self.sum as f64 / self.weight as f64 }
    }
}

/// Adds the products of the rows `inside`, as far as both partners lie in this run.
fn add_run(
    sums: &mut [WeightedSum; TAPS],
    run: View<'_>,
    inside: (u64, u64),
    zeros: Zeros,
    lags: Lags,
    products: impl Fn(Side<'_>, Side<'_>, usize) -> [i64; TAPS],
) {
    let last_lag = lags.first_lag + lags.count as i64 - 1;
    // Rows whose partners are all in the run; the lags are a few rows, at most one of them negative.
    let from = inside.0.max(run.base.saturating_add_signed(last_lag.max(0)));
    let to = inside.1.min(run.end()).min(run.end().saturating_add_signed(lags.first_lag));
    if from >= to {
        return;
    }
    let now = run.rows(from, to);
    // From the oldest partner of the first row to the newest of the last.
    let partners = run.rows(from.saturating_add_signed(-last_lag), to.saturating_add_signed(-lags.first_lag));
    let voltage = |counts| Side { counts, zero: zeros.voltage };
    let current = |counts| Side { counts, zero: zeros.current };
    let found = if lags.current_is_late {
        products(voltage(now.voltage), current(partners.current), lags.count)
    } else {
        products(current(now.current), voltage(partners.voltage), lags.count)
    };
    for (sum, found) in sums.iter_mut().zip(found).take(lags.count) {
        sum.weight += ((to - from) << WEIGHT_BITS) as i64;
        sum.sum += i128::from(found) << WEIGHT_BITS;
    }
}

/// One channel's counts with their zero.
#[derive(Clone, Copy)]
struct Side<'a> {
    counts: &'a [i32],
    zero: i32,
}

/// Of `now` with each of `count` partners, the newest first.
fn sum_of_products(now: Side<'_>, partners: Side<'_>, count: usize) -> [i64; TAPS] {
    let (rows, zero) = (now.counts.len(), partners.zero);
    let partner = |lag: usize| {
        let newest = partners.counts.len() - rows;
        partners.counts.get(newest - lag..).and_then(|counts| counts.get(..rows)).unwrap_or(&[])
    };
    if count == TAPS {
        return sum_products(now.counts, now.zero, [0, 1, 2, 3].map(partner), zero);
    }
    let [only] = sum_products(now.counts, now.zero, [partner(0)], zero);
    [only, 0, 0, 0]
}

/// The same where all are known to be narrow.
fn narrow_sum_of_products(now: Side<'_>, partners: Side<'_>, count: usize) -> [i64; TAPS] {
    if count == TAPS {
        return narrow_products(now.counts, now.zero, partners.counts, partners.zero);
    }
    [narrow_product(now.counts, now.zero, partners.counts, partners.zero), 0, 0, 0]
}
