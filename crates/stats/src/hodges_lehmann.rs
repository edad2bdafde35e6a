//! Estimates a shift and bounds it by the values the signed-rank test does not reject.
//!
//! Half the means of two values lie below the estimate, and the limits are order statistics of the
//! same means (Hodges and Lehmann 1963): one wild value in ten moves neither far, and limits and
//! test can never disagree about untied values.

use crate::rank_sum;
use crate::signed_rank;

/// Up to so many values all means are written out: that is faster then.
const WRITTEN_OUT_MAX: usize = 200;

/// An estimate and the limits that hold it, each with the same one-sided error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// The lower limit; minus infinity where there are too few values for the level.
    pub low: f64,
    /// The upper limit; infinity where there are too few values for the level.
    pub high: f64,
}

/// Returns the centre of `values` and its limits, each wrong with probability `level` at most.
///
/// `values` must hold at least one number, and finite ones only.
pub fn one_sample(values: &[f64], level: f64) -> Estimate {
    of_means(values, signed_rank::critical(values.len(), level))
}

/// Returns the centre of `values`, which must hold at least one number, and finite ones only.
pub fn centre(values: &[f64]) -> f64 {
    of_means(values, None).value
}

/// Returns the shift from `base` to `head`, unpaired, and its limits, each wrong with probability
/// `level` at most if the two laws differ by a shift only.
///
/// Both must hold at least one number, and finite ones only. Takes the product of the sizes in memory.
pub fn two_sample(base: &[f64], head: &[f64], level: f64) -> Estimate {
    let mut shifts: Vec<f64> =
        head.iter().flat_map(|head| base.iter().map(move |base| head - base)).collect();
    bounded(&mut shifts, rank_sum::critical(base.len(), head.len(), level))
}

/// The median of the means, and those number `k` (from 0) from either end.
fn of_means(values: &[f64], k: Option<usize>) -> Estimate {
    if values.len() <= WRITTEN_OUT_MAX {
        return bounded(&mut walsh_means(values), k);
    }
    let means = SortedMeans::new(values);
    estimate(means.len(), k, |place| means.at(place))
}

/// The means of all pairs of values, each value with itself as well.
fn walsh_means(values: &[f64]) -> Vec<f64> {
    let mut means = Vec::with_capacity(values.len() * (values.len() + 1) / 2);
    for (i, a) in values.iter().enumerate() {
        means.extend(values[i..].iter().map(|b| f64::midpoint(*a, *b)));
    }
    means
}

/// The means of all pairs of values in their order, found without being written out: of thousands of values there
/// are millions.
struct SortedMeans {
    values: Vec<f64>,
}

impl SortedMeans {
    fn new(values: &[f64]) -> Self {
        let mut values = values.to_vec();
        values.sort_by(f64::total_cmp);
        Self { values }
    }

    fn len(&self) -> usize {
        self.values.len() * (self.values.len() + 1) / 2
    }

    /// Returns the mean number `place`, from 0, by halving the floats that it may be.
    fn at(&self, place: usize) -> f64 {
        let ends = [self.values.first(), self.values.last()];
        let [mut low, mut high] = ends.map(|it| ordinal(*it.expect("there is a value")));
        while low < high {
            // The floor of the mean, which does not overflow.
            let middle = (low & high) + ((low ^ high) >> 1);
            if self.count_up_to(of_ordinal(middle)) > place {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        of_ordinal(low)
    }

    /// Returns how many means are not above a limit: the larger the first value of a pair, the fewer fit to it.
    fn count_up_to(&self, limit: f64) -> usize {
        let (mut count, mut fitting) = (0, self.values.len());
        for (i, a) in self.values.iter().enumerate() {
            let is_above = |b: f64| f64::midpoint(*a, b).total_cmp(&limit).is_gt();
            while fitting > i && is_above(self.values[fitting - 1]) {
                fitting -= 1;
            }
            if fitting <= i {
                break;
            }
            count += fitting - i;
        }
        count
    }
}

/// Numbers floats in their total order.
fn ordinal(value: f64) -> i64 {
    let bits = value.to_bits().cast_signed();
    if bits < 0 { bits ^ i64::MAX } else { bits }
}

fn of_ordinal(ordinal: i64) -> f64 {
    let bits = if ordinal < 0 { ordinal ^ i64::MAX } else { ordinal };
    f64::from_bits(bits.cast_unsigned())
}

fn bounded(values: &mut [f64], k: Option<usize>) -> Estimate {
    let length = values.len();
    estimate(length, k, |place| *values.select_nth_unstable_by(place, f64::total_cmp).1)
}

/// The median, and the values number `k` (from 0) from either end, of so many values.
fn estimate(length: usize, k: Option<usize>, mut at: impl FnMut(usize) -> f64) -> Estimate {
    let last = length.checked_sub(1).expect("an estimate needs at least one value");
    let value = f64::midpoint(at(last / 2), at(last - last / 2));
    let (low, high) = match k {
        Some(k) => (at(k), at(last - k)),
        None => (f64::NEG_INFINITY, f64::INFINITY),
    };
    Estimate { value, low, high }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Values of all sizes and signs, with ties and zeros.
    fn values() -> impl Strategy<Value = Vec<f64>> {
        let value = prop_oneof![
            4 => -1.0..1.0_f64,
            1 => (-3_i8..4).prop_map(f64::from),
            1 => Just(-0.0),
            1 => (-300_i32..300).prop_map(|power| 10.0_f64.powi(power)),
            1 => -1e-310..1e-310_f64,
        ];
        prop::collection::vec(value, 1..60)
    }

    proptest! {
        #[test]
        fn a_mean_that_is_found_is_the_one_that_is_written_out(values in values()) {
            let mut written = walsh_means(&values);
            written.sort_by(f64::total_cmp);
            let means = SortedMeans::new(&values);
            prop_assert_eq!(means.len(), written.len());
            for (place, mean) in written.into_iter().enumerate() {
                prop_assert_eq!(means.at(place).to_bits(), mean.to_bits(), "{}", place);
            }
        }
    }

    #[test]
    fn floats_are_numbered_in_their_order() {
        let rising = [f64::MIN, -1.0, -f64::MIN_POSITIVE, -0.0, 0.0, 5e-324, 1.0, f64::MAX];
        assert!(rising.map(ordinal).is_sorted());
        assert_eq!(rising.map(ordinal).map(of_ordinal).map(f64::to_bits), rising.map(f64::to_bits));
    }
}
