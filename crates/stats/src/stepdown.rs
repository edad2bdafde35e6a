//! Tests many hypotheses at once by flipping signs, and keeps the family-wise error.
//!
//! Step-down maxT (Westfall and Young 1993) on the signed-rank z. One flip turns the same launch of
//! *all* hypotheses, and it multiplies their observed signed ranks, so that hypotheses that move
//! together are flipped together: the correction is as large as their correlation asks for and no
//! larger. Fresh signs on unsigned ranks would lose the correlation, and with it the level.

use rand_chacha::rand_core::Rng;

use crate::signed_rank;

/// How far a sum may fall short of another and still be called equal: rounding, not evidence.
const SLACK: f64 = 1e-9;

/// Sign flips for `n` values: one bit per value, eight to a byte; a set bit keeps the sign.
#[derive(Debug, Clone)]
pub struct SignFlips {
    bytes_per_flip: usize,
    bits: Vec<u8>,
    coverage: FlipCoverage,
}

/// Whether the flips are all there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FlipCoverage {
    Complete,
    Sampled,
}

impl SignFlips {
    /// Draws `count` flips of `n` signs from `rng`, or lists all of them if there are no more.
    pub fn new(n: usize, count: usize, rng: &mut impl Rng) -> Self {
        let bytes_per_flip = n.div_ceil(8);
        let all = u32::try_from(n).ok().and_then(|n| 1_usize.checked_shl(n));
        if let Some(all) = all.filter(|all| *all <= count) {
            let bits =
                (0..all).flat_map(|flip| flip.to_le_bytes().into_iter().take(bytes_per_flip));
            return Self { bytes_per_flip, bits: bits.collect(), coverage: FlipCoverage::Complete };
        }
        let mut bits = vec![0; bytes_per_flip * count];
        rng.fill_bytes(&mut bits);
        Self { bytes_per_flip, bits, coverage: FlipCoverage::Sampled }
    }
}

/// Returns, for each hypothesis, the probability that any true one would look as extreme as it does.
///
/// `values[m][i]` is value `i` of hypothesis `m`; all have as many values as `flips` has signs. Small
/// where values lie above 0. Rejecting every hypothesis whose result is at most `alpha` rejects a true
/// one with probability `alpha` at most. Sampled flips are counted so that chance cannot make a
/// result too small (the observed signs count as one of the flips).
pub fn adjusted_p_greater(values: &[Vec<f64>], flips: &SignFlips) -> Vec<f64> {
    let standardised: Vec<Vec<f64>> = values.iter().map(|values| standardise(values)).collect();
    let z: Vec<f64> = standardised.iter().map(|x| x.iter().sum()).collect();
    let mut rising: Vec<usize> = (0..z.len()).collect();
    rising.sort_by(|&a, &b| z[a].total_cmp(&z[b]));

    let thresholds: Vec<f64> = rising.iter().map(|&m| z[m] - SLACK).collect();
    let columns: Vec<&[f64]> = rising.iter().map(|&m| standardised[m].as_slice()).collect();
    let counts = count_exceeding(&columns, &thresholds, flips);

    let mut adjusted = vec![0.0; z.len()];
    let mut largest: f64 = 0.0;
    for (&m, count) in rising.iter().zip(&counts).rev() {
        largest = largest.max(flips.share(*count));
        adjusted[m] = largest;
    }
    adjusted
}

impl SignFlips {
    fn len(&self) -> usize {
        self.bits.len() / self.bytes_per_flip.max(1)
    }

    fn share(&self, count: u32) -> f64 {
        match self.coverage {
            FlipCoverage::Complete => f64::from(count) / self.len() as f64,
            FlipCoverage::Sampled => (f64::from(count) + 1.0) / (self.len() as f64 + 1.0),
        }
    }
}

/// Signed midranks of unit length: their sum is z, and a flip of it is one draw from the null.
fn standardise(values: &[f64]) -> Vec<f64> {
    let mut ranks = signed_rank::signed_midranks(values);
    let norm = signed_rank::norm(&ranks);
    if norm > 0.0 {
        for rank in &mut ranks {
            *rank /= norm;
        }
    }
    ranks
}

/// Counts, for each column, the flips whose largest sum over it and the columns before it reaches its
/// threshold.
fn count_exceeding(columns: &[&[f64]], thresholds: &[f64], flips: &SignFlips) -> Vec<u32> {
    let width = columns.len();
    let tables = byte_tables(columns, flips.bytes_per_flip);
    let mut counts = vec![0; width];
    let mut sums = vec![0.0; width];
    for flip in flips.bits.chunks_exact(flips.bytes_per_flip.max(1)) {
        sums.fill(0.0);
        for (table, byte) in tables.chunks_exact(256 * width).zip(flip) {
            let row = usize::from(*byte) * width;
            for (sum, part) in sums.iter_mut().zip(&table[row..row + width]) {
                *sum += part;
            }
        }
        let mut largest = f64::NEG_INFINITY;
        for ((sum, threshold), count) in sums.iter().zip(thresholds).zip(&mut counts) {
            largest = largest.max(*sum);
            *count += u32::from(largest >= *threshold);
        }
    }
    counts
}

/// For every eight values and every byte of flips, the sums of all columns: a flip of `n` signs then
/// costs `n / 8` additions a column in place of `n`.
fn byte_tables(columns: &[&[f64]], bytes_per_flip: usize) -> Vec<f64> {
    let mut tables = Vec::with_capacity(bytes_per_flip * 256 * columns.len());
    for chunk in 0..bytes_per_flip {
        for byte in 0..256_u32 {
            tables.extend(columns.iter().map(|column| {
                let values = column.iter().skip(chunk * 8).take(8).enumerate();
                values.map(|(i, x)| if byte >> i & 1 == 1 { *x } else { -x }).sum::<f64>()
            }));
        }
    }
    tables
}
