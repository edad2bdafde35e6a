//! Adjusts probabilities of several tests whose joint law is not known.
//!
//! Verdicts on launch pairs do not need these: evidence is closed over its family by means (see
//! [`crate::evidence`]). Lanes and series that are tested once do.

/// Returns the probabilities adjusted so that the family-wise error is kept under any dependence
/// (Holm 1979), in the given order.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut adjusted = vec![0.0; p.len()];
    let mut largest: f64 = 0.0;
    for (rank, i) in rising(p).into_iter().enumerate() {
        largest = largest.max(p[i] * (p.len() - rank) as f64).min(1.0);
        adjusted[i] = largest;
    }
    adjusted
}

/// Returns the probabilities adjusted so that the share of false discoveries is kept under
/// independence or positive dependence (Benjamini and Hochberg 1995), in the given order.
pub fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    let mut adjusted = vec![0.0; p.len()];
    let mut smallest: f64 = 1.0;
    for (rank, i) in rising(p).into_iter().enumerate().rev() {
        smallest = smallest.min(p[i] * p.len() as f64 / (rank as f64 + 1.0));
        adjusted[i] = smallest;
    }
    adjusted
}

fn rising(p: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    order
}
