//! The normal law and Student's t: tails and quantiles.
//!
//! Thin, so that the numerical library behind them is named in one file.

use statrs::distribution::{ChiSquared, ContinuousCDF, Normal, StudentsT};

/// Returns `P(Z >= z)` of a standard normal variable.
pub fn normal_upper_tail(z: f64) -> f64 {
    Normal::standard().sf(z)
}

/// Returns the standard normal quantile of `p`, in (0, 1).
pub fn normal_quantile(p: f64) -> f64 {
    Normal::standard().inverse_cdf(p)
}

/// Returns `P(T >= t)` with `freedom` degrees of freedom, not necessarily whole, above 0.
pub fn t_upper_tail(t: f64, freedom: f64) -> f64 {
    law(freedom).sf(t)
}

/// Returns the quantile of `p`, in (0, 1), with `freedom` degrees of freedom, above 0.
pub fn t_quantile(p: f64, freedom: f64) -> f64 {
    law(freedom).inverse_cdf(p)
}

/// Returns the quantile of `p`, in (0, 1), of chi-squared with `freedom` degrees of freedom, above 0.
pub fn chi_squared_quantile(p: f64, freedom: f64) -> f64 {
    ChiSquared::new(freedom).expect("degrees of freedom are above 0").inverse_cdf(p)
}

fn law(freedom: f64) -> StudentsT {
    StudentsT::new(0.0, 1.0, freedom).expect("degrees of freedom are above 0")
}
