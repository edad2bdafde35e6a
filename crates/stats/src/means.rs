//! Means, their differences, and what Student's t says about them.
//!
//! For the places where there are too few values for ranks: five slopes of a count, one run against
//! a handful. There the scatter is what is least known, so it may be shrunk towards a value known
//! beforehand that counts as so many values (a conjugate prior, as Smyth 2004 does for genes).

use crate::student;

/// An estimate with its standard error, whose ratio follows Student's t.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TEstimate {
    /// The estimate.
    pub value: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// Degrees of freedom, not necessarily whole.
    pub freedom: f64,
}

/// What was known about the scatter beforehand.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VariancePrior {
    /// The standard deviation expected of one value.
    pub deviation: f64,
    /// How many degrees of freedom that expectation is worth; 0 for nothing known.
    pub freedom: f64,
}

impl VariancePrior {
    /// Nothing is known beforehand: the ordinary t.
    pub const NONE: Self = Self { deviation: 0.0, freedom: 0.0 };
}

impl TEstimate {
    /// Returns the distance from `null` in standard errors; infinite or NaN without any scatter.
    pub fn t(&self, null: f64) -> f64 {
        (self.value - null) / self.standard_error
    }

    /// Returns the probability of an estimate at least as large if `null` were true.
    pub fn p_greater(&self, null: f64) -> f64 {
        student::t_upper_tail(self.t(null), self.freedom)
    }

    /// Returns the probability of an estimate at most as large if `null` were true.
    pub fn p_less(&self, null: f64) -> f64 {
        student::t_upper_tail(-self.t(null), self.freedom)
    }

    /// Returns the probability of an estimate so far inside `low` to `high` if the truth were outside
    /// (two one-sided tests, Schuirmann 1987).
    pub fn p_equivalent(&self, low: f64, high: f64) -> f64 {
        self.p_greater(low).max(self.p_less(high))
    }

    /// Returns how far from a null the truth must be for a one-sided test at `level` to see it four times
    /// in five.
    pub fn detectable(&self, level: f64) -> f64 {
        let reach = |share: f64| student::t_quantile(share, self.freedom) * self.standard_error;
        reach(1.0 - level) + reach(0.8)
    }

    /// Returns the limits that are each wrong with probability `level`.
    pub fn limits(&self, level: f64) -> (f64, f64) {
        let reach = student::t_quantile(1.0 - level, self.freedom) * self.standard_error;
        (self.value - reach, self.value + reach)
    }
}

/// Returns the mean; NaN of nothing.
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Returns the standard deviation of `values`, of which there are at least two.
pub fn deviation(values: &[f64]) -> f64 {
    (squares(values) / (values.len() as f64 - 1.0)).sqrt()
}

/// Returns the mean of `values`, of which there are at least two.
pub fn one_sample(values: &[f64]) -> TEstimate {
    let (n, freedom) = (values.len() as f64, values.len() as f64 - 1.0);
    let standard_error = (squares(values) / freedom / n).sqrt();
    TEstimate { value: mean(values), standard_error, freedom }
}

/// Returns mean of `head` less mean of `base` where each side has a scatter of its own (Welch 1947).
///
/// At least two values a side.
pub fn welch(base: &[f64], head: &[f64]) -> TEstimate {
    let (a, b) = (one_sample(base), one_sample(head));
    let (a_variance, b_variance) = (a.standard_error.powi(2), b.standard_error.powi(2));
    let total = a_variance + b_variance;
    let spread = a_variance.powi(2) / a.freedom + b_variance.powi(2) / b.freedom;
    TEstimate {
        value: b.value - a.value,
        standard_error: total.sqrt(),
        freedom: total.powi(2) / spread,
    }
}

/// Returns mean of `head` less mean of `base` where both sides, and `prior`, have one scatter.
///
/// At least one value a side; with [`VariancePrior::NONE`], at least three in all.
pub fn pooled(base: &[f64], head: &[f64], prior: VariancePrior) -> TEstimate {
    let (j, k) = (head.len() as f64, base.len() as f64);
    let freedom = prior.freedom + j + k - 2.0;
    let sum = prior.freedom * prior.deviation.powi(2) + squares(base) + squares(head);
    TEstimate {
        value: mean(head) - mean(base),
        standard_error: (sum / freedom * (1.0 / j + 1.0 / k)).sqrt(),
        freedom,
    }
}

/// Returns mean of `new` less mean of `history`, the scatter being that of `history` and `prior`: what
/// to expect of a run before it is believed to be of the same kind.
///
/// At least one value a side; with [`VariancePrior::NONE`], at least two in `history`.
pub fn prediction(history: &[f64], new: &[f64], prior: VariancePrior) -> TEstimate {
    let (j, k) = (new.len() as f64, history.len() as f64);
    let freedom = prior.freedom + k - 1.0;
    let sum = prior.freedom * prior.deviation.powi(2) + squares(history);
    TEstimate {
        value: mean(new) - mean(history),
        standard_error: (sum / freedom * (1.0 / j + 1.0 / k)).sqrt(),
        freedom,
    }
}

/// The sum of squared distances from the mean.
fn squares(values: &[f64]) -> f64 {
    let mean = mean(values);
    values.iter().map(|value| (value - mean).powi(2)).sum()
}
