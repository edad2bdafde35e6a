//! Evidence that may be looked at after every value: the wealth of a gambler who bets on signs.
//!
//! If a value was as likely to have the other sign, nobody can make money by betting on its sign,
//! whatever bets were made before and whenever one stops: wealth above 1 / level happens with
//! probability `level` at most, ever (Ville 1939). The bets are those of a mixture of shifts, each
//! played as the likelihood ratio of the two signs under a heavy-tailed law; so the price of looking
//! always is paid once, in power, and not at each look.

use crate::hodges_lehmann::{self, Estimate};

/// The shifts that are bet on, on the ln scale, with equal stakes.
const SHIFTS: [f64; 8] = [0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2];
/// Degrees of freedom of the law behind the bets: a wild value must not ruin the gambler.
const FREEDOM: f64 = 3.0;
/// From a median of sizes to a standard deviation, of a normal law.
const DEVIATION_OF_MEDIAN: f64 = 1.4826;

/// A gambler who bets that values lie above 0.
#[derive(Debug, Clone, Default)]
pub struct WealthProcess {
    sizes: Vec<f64>,
    ln_wealth_by_shift: [f64; SHIFTS.len()],
}

impl WealthProcess {
    /// Bets on the sign of `value`, of which only the size was known, and returns the ln of the wealth
    /// after it.
    pub fn see(&mut self, value: f64) -> f64 {
        let size = value.abs();
        let place = self.sizes.partition_point(|other| *other < size);
        self.sizes.insert(place, size);
        let last = self.sizes.len() - 1;
        let median = f64::midpoint(self.sizes[last / 2], self.sizes[last - last / 2]);
        let scale = DEVIATION_OF_MEDIAN * median;
        if scale > 0.0 {
            for (ln_wealth, shift) in self.ln_wealth_by_shift.iter_mut().zip(SHIFTS) {
                *ln_wealth += ln_payout(value / scale, shift / scale);
            }
        }
        self.ln_wealth()
    }

    /// Returns the ln of the wealth, which was 1 before the first value.
    pub fn ln_wealth(&self) -> f64 {
        let largest = self.ln_wealth_by_shift.iter().fold(f64::NEG_INFINITY, |a, b| a.max(*b));
        let relative = self.ln_wealth_by_shift.iter().map(|ln_wealth| (ln_wealth - largest).exp());
        largest + (relative.sum::<f64>() / SHIFTS.len() as f64).ln()
    }
}

/// The ln of twice the probability of the seen sign, given the size, if the law is shifted.
fn ln_payout(value: f64, shift: f64) -> f64 {
    let ln_density = |x: f64| -(FREEDOM + 1.0) / 2.0 * (x * x / FREEDOM).ln_1p();
    let other_sign = ln_density(value + shift) - ln_density(value - shift);
    std::f64::consts::LN_2 - other_sign.exp().ln_1p()
}

/// Returns the centre of `values` and limits that hold at every number of values at once, each side
/// with probability `1 - level` or more.
///
/// A limit is where a gambler who bets that the truth lies beyond it would have earned 1 / level.
/// `values` must hold at least one number, and finite ones only.
pub fn limits(values: &[f64], level: f64) -> Estimate {
    let Estimate { value, .. } = hodges_lehmann::one_sample(values, 0.5);
    let mirrored: Vec<f64> = values.iter().map(|value| -value).collect();
    let (low, high) = (lower_limit(values, value, level), -lower_limit(&mirrored, -value, level));
    Estimate { value, low, high }
}

/// The largest centre below `start` that is refuted at `level`; minus infinity if none is.
///
/// Refuting a centre refutes all below it, although the wealth against a very low one is small again:
/// the bets are on shifts of a few per cent. Hence a search outwards from the estimate.
fn lower_limit(values: &[f64], start: f64, level: f64) -> f64 {
    let is_refuted = |centre: f64| {
        let mut gambler = WealthProcess::default();
        for value in values {
            gambler.see(value - centre);
        }
        gambler.ln_wealth() >= -level.ln()
    };
    let mut kept = start;
    let mut distance = SHIFTS[0] / 64.0;
    while !is_refuted(start - distance) {
        kept = start - distance;
        distance *= 1.125;
        if distance > SHIFTS[SHIFTS.len() - 1] * 64.0 {
            return f64::NEG_INFINITY;
        }
    }
    let mut refuted = start - distance;
    while kept - refuted > SHIFTS[0] * 1e-6 {
        let middle = f64::midpoint(kept, refuted);
        if is_refuted(middle) { refuted = middle } else { kept = middle }
    }
    refuted
}
