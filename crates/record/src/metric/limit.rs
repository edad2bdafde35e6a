//! Absolute promises, such as `throughput >= 333 pairs/s`: they hold on any machine or they do not.

use std::fmt;

use crate::metric::Metric;
use units::Ratio;

/// What a limit can be set on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LimitQuantity {
    /// A metric of the head, over all its launches.
    Metric(Metric),
    /// Share of requests that failed or were answered wrongly.
    Errors,
    /// How much resident memory grew over the second half of the load, as a share.
    Growth,
}

/// On which side of the value the promise holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitBound {
    /// The measured value may not be above.
    AtMost,
    /// The measured value may not be below.
    AtLeast,
}

/// One promise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// On what.
    pub quantity: LimitQuantity,
    /// On which side.
    pub bound: LimitBound,
    /// In the quantity's own unit: nanoseconds, bytes, XML pairs per second, share.
    pub value: f64,
}

impl LimitQuantity {
    /// Every quantity that a limit can be set on.
    pub const ALL: [Self; 11] = [
        Self::Metric(Metric::Throughput),
        Self::Metric(Metric::Latency),
        Self::Metric(Metric::P50),
        Self::Metric(Metric::P95),
        Self::Metric(Metric::P99),
        Self::Metric(Metric::Cpu),
        Self::Metric(Metric::Work),
        Self::Metric(Metric::Allocations),
        Self::Metric(Metric::Rss),
        Self::Errors,
        Self::Growth,
    ];

    /// Returns the key used in configuration and records.
    pub fn key(self) -> &'static str {
        match self {
            Self::Metric(metric) => metric.key(),
            Self::Errors => "errors",
            Self::Growth => "growth",
        }
    }

    /// Returns `value`, in the quantity's own unit, as a person would write it.
    pub fn format(self, value: f64) -> String {
        match self {
            Self::Metric(metric) => metric.format(value),
            Self::Errors | Self::Growth => Ratio(value).to_string(),
        }
    }

    /// Returns `value` so that it is read back as it is. Counts and rates keep all their digits, which
    /// they do not where people compare them.
    fn write(self, value: f64) -> String {
        match self {
            Self::Metric(Metric::Throughput) => format!("{value} pairs/s"),
            Self::Metric(Metric::Work) => format!("{value} instructions/pair"),
            Self::Metric(Metric::Allocations) => format!("{value} allocations/pair"),
            Self::Metric(_) | Self::Errors | Self::Growth => self.format(value),
        }
    }

    fn parse_value(self, text: &str) -> Result<f64, String> {
        match self {
            Self::Errors | Self::Growth => Ratio::parse(text).map(|ratio| ratio.0),
            Self::Metric(Metric::Rss) => units::parse_bytes(text).map(units::exact),
            Self::Metric(Metric::Throughput) => number_of(text, "pairs/s")
                .ok_or_else(|| format!("`{text}` is not a rate such as `333 pairs/s`")),
            Self::Metric(Metric::Work) => number_of(text, "instructions/pair").ok_or_else(|| {
                format!("`{text}` is not a count such as `70_000 instructions/pair`")
            }),
            Self::Metric(Metric::Allocations) => number_of(text, "allocations/pair")
                .ok_or_else(|| format!("`{text}` is not a count such as `3.5 allocations/pair`")),
            Self::Metric(_) => units::parse_duration(text).map(|d| units::exact(units::nanos(d))),
        }
    }
}

/// The finite number that stands before a unit.
fn number_of(text: &str, unit: &str) -> Option<f64> {
    let number = text.strip_suffix(unit)?.trim().replace('_', "");
    number.parse().ok().filter(|number: &f64| number.is_finite())
}

impl Limit {
    /// Reads what stands right of a quantity's key: `>= 333 pairs/s`, `<= 300 s`, `0 %`.
    ///
    /// Without a sign, `errors` means at most. Returns what would be right, if it is not.
    pub fn parse(key: &str, text: &str) -> Result<Self, String> {
        let Some(quantity) = LimitQuantity::ALL.into_iter().find(|quantity| quantity.key() == key)
        else {
            let known: Vec<_> = LimitQuantity::ALL.into_iter().map(LimitQuantity::key).collect();
            return Err(format!("no limit can be set on `{key}`; there are {}", known.join(", ")));
        };
        let text = text.trim();
        let (bound, value) = match (text.strip_prefix("<="), text.strip_prefix(">=")) {
            (Some(rest), _) => (LimitBound::AtMost, rest),
            (_, Some(rest)) => (LimitBound::AtLeast, rest),
            (None, None) if quantity == LimitQuantity::Errors => (LimitBound::AtMost, text),
            (None, None) => {
                return Err(format!("`{text}` does not begin with `<=` or `>=`"));
            }
        };
        Ok(Self { quantity, bound, value: quantity.parse_value(value.trim())? })
    }

    /// Returns whether `measured`, in the quantity's own unit, keeps the promise.
    pub fn holds(&self, measured: f64) -> bool {
        match self.bound {
            LimitBound::AtMost => measured <= self.value,
            LimitBound::AtLeast => measured >= self.value,
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.bound {
            LimitBound::AtMost => "<=",
            LimitBound::AtLeast => ">=",
        };
        write!(f, "{sign} {}", self.quantity.write(self.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_promises_of_the_seeds_are_understood() {
        let check = |key, text, expected: &str, holds: f64, breaks: f64| {
            let limit = Limit::parse(key, text).unwrap();
            assert_eq!(limit.to_string(), expected);
            assert!(limit.holds(holds) && !limit.holds(breaks), "{limit}");
        };
        check("throughput", ">= 333 pairs/s", ">= 333 pairs/s", 333.0, 332.9);
        check("p95", "<= 300 s", "<= 300 s", 3e11, 3.001e11);
        check("rss", "<= 8 GiB", "<= 8.00 GiB", 1e9, 9e9);
        check("throughput", ">= 20_000 pairs/s", ">= 20000 pairs/s", 20_000.0, 19_999.0);
        check("work", "<= 70_123 instructions/pair", "<= 70123 instructions/pair", 7e4, 70_124.0);
        check("allocations", "<= 0.9312 allocations/pair", "<= 0.9312 allocations/pair", 0.9, 1.0);
        check("errors", "0 %", "<= 0 %", 0.0, 1e-6);
    }

    #[test]
    fn a_promise_is_written_so_that_it_is_read_back() {
        for (key, text) in [
            ("throughput", ">= 12345.5 pairs/s"),
            ("work", "<= 64746.25 instructions/pair"),
            ("allocations", "<= 0.93125 allocations/pair"),
        ] {
            let limit = Limit::parse(key, text).unwrap();
            assert_eq!(Limit::parse(key, &limit.to_string()), Ok(limit));
        }
    }

    #[test]
    fn a_wrong_promise_is_refused_with_what_would_be_right() {
        let check = |key, text, hint: &str| {
            let error = Limit::parse(key, text).unwrap_err();
            assert!(error.contains(hint), "{error}");
        };
        check("speed", ">= 3 s", "throughput, latency");
        check("p95", "300 s", "`<=`");
        check("p95", "<= 300", "30 s");
        check("throughput", ">= 333", "333 pairs/s");
        check("rss", "<= lots", "8 GiB");
        check("work", "<= 70000", "instructions/pair");
        check("allocations", "<= nan allocations/pair", "3.5");
    }
}
