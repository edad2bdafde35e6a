//! Finds where a series changed its level.
//!
//! Binary segmentation (Scott and Knott 1974): the split with the largest |t| is taken if it is larger
//! than splits of a level series are, and both parts are searched in turn. How large those are is
//! found by simulation for each length, since the largest of many t does not follow Student's.

use std::collections::BTreeMap;

use rand_chacha::rand_core::Rng;

use crate::draw;
use crate::means::{self, VariancePrior};
use crate::quantile;

/// Series that a critical value is found from: at a level of 1 %, a hundred of them exceed it.
const SIMULATIONS: usize = 10_000;

/// Returns where new levels begin, rising; the first one, at 0, is not listed.
///
/// A level holds for at least `shortest` values, two or more. `critical` returns the |t| that a split
/// of so many values must exceed.
pub fn change_points(
    values: &[f64],
    shortest: usize,
    critical: &mut impl FnMut(usize) -> f64,
) -> Vec<usize> {
    let Some((place, t)) = largest_split(values, shortest) else { return Vec::new() };
    if t <= critical(values.len()) {
        return Vec::new();
    }
    let mut points = change_points(&values[..place], shortest, critical);
    points.push(place);
    let right = change_points(&values[place..], shortest, critical);
    points.extend(right.into_iter().map(|point| place + point));
    points
}

/// Critical values for [`change_points`], found by simulation when first needed.
#[derive(Debug)]
pub struct CriticalValues<R> {
    shortest: usize,
    level: f64,
    rng: R,
    found: BTreeMap<usize, f64>,
}

impl<R: Rng + Clone> CriticalValues<R> {
    /// Returns critical values for levels of at least `shortest` values, two or more, which let a
    /// series of one level be split with probability `level`. They are drawn from copies of `rng`, so
    /// that none depends on which was needed before.
    pub fn new(shortest: usize, level: f64, rng: R) -> Self {
        Self { shortest, level, rng, found: BTreeMap::new() }
    }

    /// Returns the |t| that the largest split of `n` values of one level exceeds with probability
    /// `level`.
    pub fn of(&mut self, n: usize) -> f64 {
        if let Some(found) = self.found.get(&n) {
            return *found;
        }
        let mut rng = self.rng.clone();
        let mut largest: Vec<f64> = (0..SIMULATIONS)
            .map(|_| {
                let values: Vec<f64> = (0..n).map(|_| draw::normal(&mut rng)).collect();
                largest_split(&values, self.shortest).map_or(0.0, |(_, t)| t)
            })
            .collect();
        largest.sort_by(f64::total_cmp);
        let critical = quantile::type7(&largest, 1.0 - self.level);
        self.found.insert(n, critical);
        critical
    }
}

/// The split with the largest |t|, and that |t|, if there is room for one.
fn largest_split(values: &[f64], shortest: usize) -> Option<(usize, f64)> {
    let last = values.len().checked_sub(shortest)?;
    let t = |place: usize| {
        let (before, after) = values.split_at(place);
        let t = means::pooled(before, after, VariancePrior::NONE).t(0.0).abs();
        // Two flat stretches at one height have no scatter and no distance.
        (place, if t.is_nan() { 0.0 } else { t })
    };
    (shortest..=last).map(t).max_by(|a, b| a.1.total_cmp(&b.1))
}
