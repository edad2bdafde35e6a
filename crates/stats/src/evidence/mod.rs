//! Evidence that adds up: it may be looked at after every value, and stopped at any of them.
//!
//! [`Wealth`] is a test martingale. It starts at 1 and is multiplied, at every value, by a factor
//! whose mean is at most 1 if the values are symmetric about 0 or about any point below it. Such a
//! product ever reaches 1 / level with probability `level` at most, by any rule of stopping, also
//! one that looks at the values (Ville 1939). So 1 / wealth is a p-value that is valid at any time.
//!
//! The factor is 1 + tanh(rate · z): twice the probability of the sign of z if it followed the
//! logistic law of that rate. z is the value over the scale of the values so far, this one
//! included, and winsorized at 1: a wild value costs no more than a large one. Four rates with fixed
//! stakes stand for changes that are small or large beside the noise; a mean of martingales is one.
//!
//! Several hypotheses are a family by [`closed_by_means`]: the mean of e-values is an e-value
//! whatever their dependence, and closed testing needs nothing else (Vovk and Wang 2021).

use crate::hodges_lehmann::{self, Estimate};

/// How boldly each part of the wealth is bet: twice the rate, in steps of [`STEP`]. The rates are 0.2, 0.6, 1.5
/// and 5, in units of one over the scale.
const DOUBLE_RATES: [i32; 4] = [2, 6, 15, 50];
/// What all of them are multiples of, so that one exponential serves all four.
const STEP: f64 = 0.2;
/// The wealth that each rate begins with; 1 in all.
const STAKES: [f64; 4] = [0.10, 0.25, 0.20, 0.45];
/// By how much a step of the search for a limit is longer than the one before, and how many of them there are
/// before it grows faster.
const STRIDE: f64 = 1.25;
const STRIDES: u32 = 64;
/// From a median of sizes to a standard deviation, of a normal law.
const DEVIATION_OF_MEDIAN: f64 = 1.4826;

/// The evidence that values lie above 0.
///
/// ```
/// use xmlperf_stats::evidence::Wealth;
///
/// let mut wealth = Wealth::default();
/// for value in [0.02, 0.021, 0.019, 0.0205, 0.02, 0.0195, 0.0202, 0.0199] {
///     wealth.see(value);
/// }
/// // Eight values on one side are as much as an error of 1 % asks for.
/// assert!(wealth.p() <= 0.01);
/// ```
#[derive(Debug, Clone)]
pub struct Wealth {
    /// Sizes of the values of this attempt, rising.
    sizes: Vec<f64>,
    /// The natural logarithm of the wealth.
    ln: f64,
    /// Which part of the wealth each rate has; 1 in all. What falls 700 behind the others in ln is lost, and could
    /// catch up with them within thousands of values at best.
    shares: [f64; STAKES.len()],
}

impl Default for Wealth {
    fn default() -> Self {
        Self { sizes: Vec::new(), ln: 0.0, shares: STAKES }
    }
}

impl Wealth {
    /// Begins a further attempt: the wealth stays, the scale of the values is learnt anew.
    ///
    /// Another machine, or the same one an hour later, has noise of another size.
    pub fn begin_attempt(&mut self) {
        self.sizes.clear();
    }

    /// Takes in a finite value, and returns the natural logarithm of the wealth after it.
    pub fn see(&mut self, value: f64) -> f64 {
        let scale = DEVIATION_OF_MEDIAN * self.median_with(value.abs());
        // All values were 0: such a value is evidence for neither side.
        if scale > 0.0 {
            self.multiply((value / scale).clamp(-1.0, 1.0));
        }
        self.ln
    }

    /// Multiplies the part of each rate by its factor.
    fn multiply(&mut self, z: f64) {
        let step = (-STEP * z).exp();
        for (share, double_rate) in self.shares.iter_mut().zip(DOUBLE_RATES) {
            // 1 + tanh(x) is 2 / (1 + exp(-2 x)).
            *share *= 2.0 / (1.0 + step.powi(double_rate));
        }
        let factor: f64 = self.shares.iter().sum();
        self.ln += factor.ln();
        self.shares = self.shares.map(|share| share / factor);
    }

    /// Returns the natural logarithm of the wealth, which is 0 before the first value.
    pub const fn ln(&self) -> f64 {
        self.ln
    }

    /// Returns the probability of as much evidence, at any time, if no value tends to lie above 0.
    pub fn p(&self) -> f64 {
        p_of_ln(self.ln)
    }

    /// Adds a size, and returns the median of all.
    fn median_with(&mut self, size: f64) -> f64 {
        let place = self.sizes.partition_point(|other| *other < size);
        self.sizes.insert(place, size);
        let last = self.sizes.len() - 1;
        f64::midpoint(self.sizes[last / 2], self.sizes[last - last / 2])
    }
}

/// Returns the probability that belongs to the logarithm of a wealth, valid at any time.
pub fn p_of_ln(ln_wealth: f64) -> f64 {
    (-ln_wealth).exp().min(1.0)
}

/// Returns the family's evidence for each hypothesis, from the logarithms of their wealths: the least
/// mean over all sets of hypotheses that hold it.
///
/// Whatever the dependence between them, the chance that any true null hypothesis ever gets to
/// 1 / level is `level` at most (closed testing by means, Vovk and Wang 2021). The least mean is
/// taken with the smallest of the others, so the cost is that of sorting.
///
/// ```
/// use xmlperf_stats::evidence::closed_by_means;
///
/// // Alone it counts in full; beside a hypothesis without evidence for it, half.
/// assert_eq!(closed_by_means(&[5.0]), [5.0]);
/// let family = closed_by_means(&[5.0, -40.0]);
/// assert!((family[0] - (5.0 - 2.0_f64.ln())).abs() < 1e-12);
/// ```
pub fn closed_by_means(ln_wealths: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..ln_wealths.len()).collect();
    order.sort_by(|&a, &b| ln_wealths[a].total_cmp(&ln_wealths[b]));
    let largest = order.last().map_or(0.0, |&last| ln_wealths[last]);
    let rising: Vec<f64> = order.iter().map(|&m| (ln_wealths[m] - largest).exp()).collect();
    let mut family = vec![0.0; ln_wealths.len()];
    for (place, &m) in order.iter().enumerate() {
        family[m] = largest + least_mean(rising[place], &rising[..place]).ln();
    }
    family
}

/// The least mean of a value with any number of the others, all rising and none above it.
fn least_mean(value: f64, others: &[f64]) -> f64 {
    let (mut sum, mut count) = (value, 1.0);
    for other in others {
        // From here on the others lie above the mean and would raise it.
        if *other * count >= sum {
            break;
        }
        sum += other;
        count += 1.0;
    }
    sum / count
}

/// Returns the centre of the values of all attempts, and limits that hold at all numbers of values
/// at once, each with probability `1 - level` or more.
///
/// A limit is the nearest centre whose wealth reached 1 / level at some value: refuting a centre
/// refutes all that lie beyond it. The limits only narrow as values are added, with one exception:
/// where the values contradict themselves, as two machines may, every centre has been refuted
/// at some time; then the limits are those that are not refuted now.
///
/// `attempts` holds at least one value, and finite ones only.
pub fn limits(attempts: &[&[f64]], level: f64) -> Estimate {
    let values = attempts.concat();
    let centre = hodges_lehmann::centre(&values);
    let mirrored: Vec<Vec<f64>> =
        attempts.iter().map(|attempt| attempt.iter().map(|value| -value).collect()).collect();
    let mirrored: Vec<&[f64]> = mirrored.iter().map(Vec::as_slice).collect();
    let deviations: Vec<f64> = values.iter().map(|value| (value - centre).abs()).collect();
    let step = crate::quantile::median(&deviations) / 16.0;
    let low = lower_limit(attempts, centre, level, step);
    let high = -lower_limit(&mirrored, -centre, level, step);
    Estimate { value: centre, low, high }
}

/// When a centre counts as refuted.
#[derive(Clone, Copy)]
enum When {
    Ever,
    Now,
}

/// The largest centre not above `start` that is refuted; minus infinity if none is.
fn lower_limit(attempts: &[&[f64]], start: f64, level: f64, step: f64) -> f64 {
    let when = if is_refuted(attempts, start, level, When::Ever) { When::Now } else { When::Ever };
    let is_refuted = |centre: f64| is_refuted(attempts, centre, level, when);
    // Below all values nothing changes any more but the scale.
    let smallest = attempts.iter().flat_map(|it| it.iter()).copied().fold(start, f64::min);
    let mut distance = step.max(f64::EPSILON * start.abs()).max(f64::MIN_POSITIVE);
    let farthest = 64.0 * (start - smallest).max(distance);
    let (mut kept, mut stride) = (start, STRIDE);
    for step in 1.. {
        if is_refuted(start - distance) {
            break;
        }
        kept = start - distance;
        // Values that differ by hundreds of orders of magnitude have no scale that a step could be of.
        if step > STRIDES {
            stride *= 2.0;
        }
        distance *= stride;
        if distance > farthest {
            return f64::NEG_INFINITY;
        }
    }
    let mut refuted = start - distance;
    for _ in 0..24 {
        let middle = f64::midpoint(kept, refuted);
        if is_refuted(middle) { refuted = middle } else { kept = middle }
    }
    refuted
}

fn is_refuted(attempts: &[&[f64]], centre: f64, level: f64, when: When) -> bool {
    let needed = -level.ln();
    let mut wealth = Wealth::default();
    for attempt in attempts {
        wealth.begin_attempt();
        for value in *attempt {
            if wealth.see(value - centre) >= needed && matches!(when, When::Ever) {
                return true;
            }
        }
    }
    wealth.ln() >= needed
}

/// Returns the fewest values that can reach 1 / level for one of a family of hypotheses, all of them
/// on one side.
///
/// ```
/// use xmlperf_stats::evidence::values_needed;
///
/// assert_eq!(values_needed(0.01, 1), 8);
/// assert_eq!(values_needed(0.01, 24), 13);
/// ```
pub fn values_needed(level: f64, hypotheses: usize) -> usize {
    assert!(level > 0.0, "no wealth reaches the inverse of a level of 0");
    let needed = (hypotheses.max(1) as f64).ln() - level.ln();
    let mut wealth = Wealth::default();
    let mut seen = 0;
    while wealth.ln() < needed {
        wealth.see(1.0);
        seen += 1;
    }
    seen
}

#[cfg(test)]
mod tests;
