//! Slopes and trends of one series.

use crate::index;
use crate::quantile;
use crate::student;

/// A straight line that wild values do not bend.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TheilSen {
    /// Change of y per unit of x.
    pub slope: f64,
    /// y at x = 0.
    pub intercept: f64,
    /// Lower limit of the slope; minus infinity if all x are equal.
    pub slope_low: f64,
    /// Upper limit of the slope; infinity if all x are equal.
    pub slope_high: f64,
}

/// Returns the median of the slopes between all points (Theil 1950, Sen 1968), with limits that are
/// each wrong with probability `level`.
///
/// The limits take the points as independent around the line, which the values of one running process
/// are not: as evidence, use the slope as *one* number of that process. Takes O(n²) memory. Both hold
/// the same number of values, at least one.
pub fn theil_sen(x: &[f64], y: &[f64], level: f64) -> TheilSen {
    assert_eq!(x.len(), y.len(), "every x has its y");
    let mut slopes = Vec::with_capacity(x.len() * x.len() / 2);
    for (i, (x_i, y_i)) in x.iter().zip(y).enumerate() {
        let later = x[i + 1..].iter().zip(&y[i + 1..]);
        let steps = later.map(|(x_j, y_j)| (x_j - x_i, y_j - y_i));
        slopes.extend(steps.filter(|(run, _)| *run != 0.0).map(|(run, rise)| rise / run));
    }
    let slope = if slopes.is_empty() { 0.0 } else { quantile::median(&slopes) };
    let intercept = quantile::median(y) - slope * quantile::median(x);
    let reach = student::normal_quantile(1.0 - level) * s_variance(y).sqrt();
    let count = slopes.len();
    let place = |offset: f64| f64::midpoint(count as f64, offset).round();
    let mut at = |place: f64| {
        let last = count.checked_sub(1)?;
        Some(*slopes.select_nth_unstable_by(index(place).min(last), f64::total_cmp).1)
    };
    TheilSen {
        slope,
        intercept,
        slope_low: at(place(-reach) - 1.0).unwrap_or(f64::NEG_INFINITY),
        slope_high: at(place(reach)).unwrap_or(f64::INFINITY),
    }
}

/// Whether a series rises.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MannKendall {
    /// Rising pairs less falling pairs.
    pub s: f64,
    /// Variance of `s` without a trend, ties taken into account.
    pub s_variance: f64,
    /// `s` in standard deviations, with continuity correction.
    pub z: f64,
    /// Kendall's tau-b, in -1 to 1.
    pub tau: f64,
}

impl MannKendall {
    /// Returns the probability of a series at least as rising if there were no trend.
    pub fn p_rising(&self) -> f64 {
        student::normal_upper_tail(self.z)
    }
}

/// Returns how clearly a series of at least two values rises (Mann 1945, Kendall 1975).
///
/// Only for values that are independent without a trend. On the memory of one running process it
/// calls three trends in ten where there is none.
pub fn mann_kendall(y: &[f64]) -> MannKendall {
    let sign = |difference: f64| f64::from(i8::from(difference > 0.0) - i8::from(difference < 0.0));
    let later =
        |(i, y_i): (usize, &f64)| -> f64 { y[i + 1..].iter().map(|y_j| sign(y_j - y_i)).sum() };
    let s: f64 = y.iter().enumerate().map(later).sum();
    let s_variance = s_variance(y);
    let z = if s_variance > 0.0 { (s - sign(s)) / s_variance.sqrt() } else { 0.0 };
    let n = y.len() as f64;
    let all = n * (n - 1.0) / 2.0;
    let tied: f64 = tie_groups(y).iter().map(|t| t * (t - 1.0) / 2.0).sum();
    let untied = ((all - tied) * all).sqrt();
    MannKendall { s, s_variance, z, tau: if untied > 0.0 { s / untied } else { 0.0 } }
}

fn s_variance(y: &[f64]) -> f64 {
    let term = |n: f64| n * (n - 1.0) * (2.0 * n + 5.0);
    (term(y.len() as f64) - tie_groups(y).into_iter().map(term).sum::<f64>()) / 18.0
}

fn tie_groups(y: &[f64]) -> Vec<f64> {
    let mut sorted = y.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.chunk_by(|a, b| a.total_cmp(b).is_eq()).map(|group| group.len() as f64).collect()
}
