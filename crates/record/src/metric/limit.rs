//! Absolute promises, such as `throughput >= 333 pairs/s`: they hold on any machine or they do not.

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;
use units::{Ratio, UnitError};

use crate::metric::Metric;
use crate::work_unit::WorkUnit;

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LimitBound {
    /// The measured value may not be above.
    AtMost,
    /// The measured value may not be below.
    AtLeast,
}

/// One promise.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// On what.
    #[schemars(with = "String")]
    pub quantity: LimitQuantity,
    /// On which side.
    pub bound: LimitBound,
    /// In the quantity's own unit: nanoseconds, bytes, units of work per second, share.
    pub value: f64,
}

impl LimitQuantity {
    /// Every quantity that a limit can be set on.
    pub const ALL: [Self; 13] = [
        Self::Metric(Metric::Throughput),
        Self::Metric(Metric::Latency),
        Self::Metric(Metric::P50),
        Self::Metric(Metric::P95),
        Self::Metric(Metric::P99),
        Self::Metric(Metric::Cpu),
        Self::Metric(Metric::Work),
        Self::Metric(Metric::Allocations),
        Self::Metric(Metric::Rss),
        Self::Metric(Metric::Queries),
        Self::Metric(Metric::RoundTrips),
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

    /// Returns the quantity of a key.
    pub fn from_key(key: &str) -> Result<Self, LimitError> {
        let known = Self::ALL.into_iter().find(|quantity| quantity.key() == key);
        known.ok_or_else(|| LimitError::Quantity { key: key.to_owned() })
    }

    /// Returns `value`, in the quantity's own unit, as a person would write it.
    pub fn format(self, value: f64, unit: &WorkUnit) -> String {
        match self {
            Self::Metric(metric) => metric.format(value, unit),
            Self::Errors | Self::Growth => Ratio(value).to_string(),
        }
    }

    /// Returns `value` with all its digits: as [`LimitQuantity::format`] does where that loses none.
    fn write(self, value: f64, unit: &WorkUnit) -> String {
        const TIMES: [(f64, &str); 4] = [(1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns")];
        const SIZES: [(f64, &str); 4] =
            [(1_073_741_824.0, "GiB"), (1_048_576.0, "MiB"), (1024.0, "KiB"), (1.0, "B")];
        /// No configuration has a use for more.
        const DECIMALS_MAX: usize = 15;
        const SHARES: [(f64, &str); 2] = [(0.01, "%"), (1.0, "")];
        let units: &[(f64, &str)] = match self {
            Self::Metric(Metric::Throughput) => return format!("{value} {}/s", unit.plural()),
            Self::Metric(Metric::Work) => return format!("{value} instructions/{}", unit.short()),
            Self::Metric(Metric::Allocations) => {
                return format!("{value} allocations/{}", unit.short());
            }
            Self::Metric(Metric::Queries | Metric::RoundTrips) => return value.to_string(),
            Self::Metric(Metric::Rss) => &SIZES,
            Self::Metric(_) => &TIMES,
            Self::Errors | Self::Growth => &SHARES,
        };
        let fits = units.iter().filter(|(scale, _)| value.abs() >= *scale || *scale <= 1.0);
        let in_units = fits.flat_map(|&(scale, unit)| {
            let number = value / scale;
            (0..=DECIMALS_MAX).map(move |decimals| format!("{number:.decimals$} {unit}"))
        });
        let mut texts = std::iter::once(self.format(value, unit)).chain(in_units);
        let is_read_back = |text: &String| {
            self.parse_value(text.trim()).is_ok_and(|read| (read.value, read.unit) == (value, None))
        };
        texts.find(is_read_back).unwrap_or_else(|| self.format(value, unit))
    }

    fn parse_value(self, text: &str) -> Result<LimitValue, LimitError> {
        let wrong = |error: fn(String) -> LimitError| error(text.to_owned());
        Ok(match self {
            Self::Errors | Self::Growth => Ratio::parse(text)?.0.into(),
            Self::Metric(Metric::Rss) => units::exact(units::parse_bytes(text)?).into(),
            Self::Metric(Metric::Throughput) => {
                rate(text).ok_or_else(|| wrong(LimitError::Rate))?
            }
            Self::Metric(Metric::Work) => {
                cost(text, "instructions/").ok_or_else(|| wrong(LimitError::Instructions))?
            }
            Self::Metric(Metric::Allocations) => {
                cost(text, "allocations/").ok_or_else(|| wrong(LimitError::Allocations))?
            }
            Self::Metric(Metric::Queries | Metric::RoundTrips) => {
                calls(text).ok_or_else(|| wrong(LimitError::Calls))?.into()
            }
            Self::Metric(_) => units::exact(units::nanos(units::parse_duration(text)?)).into(),
        })
    }
}

impl Serialize for LimitQuantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.key())
    }
}

impl<'de> Deserialize<'de> for LimitQuantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let key = String::deserialize(deserializer)?;
        Self::from_key(&key).map_err(D::Error::custom)
    }
}

/// Why a text is not a limit.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LimitError {
    /// There is no such quantity, or it is not one that a limit can be set on.
    #[error(
        "no limit can be set on `{key}`; there are {}",
        LimitQuantity::ALL.map(LimitQuantity::key).join(", ")
    )]
    Quantity {
        /// Its key.
        key: String,
    },
    /// It does not say on which side of the value the limit lies.
    #[error("`{0}` does not begin with `<=` or `>=`")]
    Bound(String),
    /// The value is not one of the quantity.
    #[error(transparent)]
    Value(#[from] UnitError),
    /// The value is not a throughput.
    #[error("`{0}` is not a rate such as `333 pairs/s`")]
    Rate(String),
    /// The scenario is counted in another unit of work.
    #[error("the scenario is counted in another unit: write `{right}`")]
    Unit {
        /// The limit in that unit.
        right: String,
    },
    /// The value is not an instruction count.
    #[error("`{0}` is not a count such as `70_000 instructions/pair`")]
    Instructions(String),
    /// The value is not a number of calls.
    #[error("`{0}` is not a number of calls per request such as `3`")]
    Calls(String),
    /// The value is not an allocation count.
    #[error("`{0}` is not a count such as `3.5 allocations/pair`")]
    Allocations(String),
}

/// The value of a limit, and the unit of work that it is written in.
struct LimitValue {
    value: f64,
    unit: Option<UnitWord>,
}

/// A unit of work as a limit has it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum UnitWord {
    /// In a rate, for several.
    Plural(String),
    /// In a cost, for one.
    Singular(String),
}

impl From<f64> for LimitValue {
    fn from(value: f64) -> Self {
        Self { value, unit: None }
    }
}

impl UnitWord {
    /// Whether the word is that of a unit.
    fn is_of(&self, unit: &WorkUnit) -> bool {
        match self {
            Self::Plural(word) => *word == unit.plural(),
            Self::Singular(word) => word == unit.short(),
        }
    }
}

/// A number of units in a second: `333 pairs/s`.
fn rate(text: &str) -> Option<LimitValue> {
    let (number, unit) = split_number(text.strip_suffix("/s")?)?;
    Some(LimitValue { value: number, unit: Some(UnitWord::Plural(unit.to_owned())) })
}

/// A number for each unit: `70_000 instructions/pair`.
fn cost(text: &str, counted: &str) -> Option<LimitValue> {
    let (number, rest) = split_number(text)?;
    let unit = rest.strip_prefix(counted).filter(|unit| !unit.is_empty())?;
    Some(LimitValue { value: number, unit: Some(UnitWord::Singular(unit.to_owned())) })
}

/// A number without a unit, 0 or more.
fn calls(text: &str) -> Option<f64> {
    let number: f64 = text.replace('_', "").parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some(number)
}

/// The finite number at the beginning of a text, and the words behind it.
fn split_number(text: &str) -> Option<(f64, &str)> {
    let end =
        text.find(|c: char| c.is_whitespace() || c.is_alphabetic() && c != 'e' && c != 'E')?;
    let (number, unit) = text.split_at(end);
    let number: f64 = number.replace('_', "").parse().ok()?;
    let unit = unit.trim();
    (number.is_finite() && !unit.is_empty()).then_some((number, unit))
}

/// A limit as it is written, before it is known what its scenario is counted in.
#[derive(Debug, Clone, PartialEq)]
pub struct WrittenLimit {
    limit: Limit,
    unit: Option<UnitWord>,
}

impl WrittenLimit {
    /// Reads what stands right of a quantity's key: `>= 333 pairs/s`, `<= 300 s`, `0 %`.
    ///
    /// Without a sign, `errors` means at most. Returns what would be right, if it is not.
    pub fn parse(key: &str, text: &str) -> Result<Self, LimitError> {
        let quantity = LimitQuantity::from_key(key)?;
        let text = text.trim();
        let (bound, value) = match (text.strip_prefix("<="), text.strip_prefix(">=")) {
            (Some(rest), _) => (LimitBound::AtMost, rest),
            (_, Some(rest)) => (LimitBound::AtLeast, rest),
            (None, None) if quantity == LimitQuantity::Errors => (LimitBound::AtMost, text),
            (None, None) => return Err(LimitError::Bound(text.to_owned())),
        };
        let LimitValue { value, unit } = quantity.parse_value(value.trim())?;
        Ok(Self { limit: Limit { quantity, bound, value }, unit })
    }

    /// Returns the limit of a scenario that is counted in one of `units`, or what would be right.
    pub fn of(&self, units: &[WorkUnit]) -> Result<Limit, LimitError> {
        let is_known = |word: &UnitWord| units.iter().any(|unit| word.is_of(unit));
        match &self.unit {
            Some(word) if !is_known(word) => {
                let first = units.first().map(|unit| self.limit.text(unit)).unwrap_or_default();
                Err(LimitError::Unit { right: first })
            }
            Some(_) | None => Ok(self.limit),
        }
    }
}

impl Limit {
    /// Reads a limit of a scenario that is counted in XML pairs, as [`WrittenLimit::parse`] does.
    pub fn parse(key: &str, text: &str) -> Result<Self, LimitError> {
        WrittenLimit::parse(key, text)?.of(&[WorkUnit::pair()])
    }

    /// Returns the limit as it is written, of a scenario that is counted in `unit`.
    pub fn text(&self, unit: &WorkUnit) -> String {
        let sign = match self.bound {
            LimitBound::AtMost => "<=",
            LimitBound::AtLeast => ">=",
        };
        format!("{sign} {}", self.quantity.write(self.value, unit))
    }

    /// Returns whether `measured`, in the quantity's own unit, keeps the promise.
    pub fn holds(&self, measured: f64) -> bool {
        match self.bound {
            LimitBound::AtMost => measured <= self.value,
            LimitBound::AtLeast => measured >= self.value,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_promises_of_the_seeds_are_understood() {
        let check = |key, text, expected: &str, holds: f64, breaks: f64| {
            let limit = Limit::parse(key, text).unwrap();
            assert_eq!(limit.text(&WorkUnit::pair()), expected);
            assert!(limit.holds(holds) && !limit.holds(breaks), "{limit:?}");
        };
        check("throughput", ">= 333 pairs/s", ">= 333 pairs/s", 333.0, 332.9);
        check("p95", "<= 300 s", "<= 300 s", 3e11, 3.001e11);
        check("rss", "<= 8 GiB", "<= 8.00 GiB", 1e9, 9e9);
        check("throughput", ">= 20_000 pairs/s", ">= 20000 pairs/s", 20_000.0, 19_999.0);
        check("work", "<= 70_123 instructions/pair", "<= 70123 instructions/pair", 7e4, 70_124.0);
        check("allocations", "<= 0.9312 allocations/pair", "<= 0.9312 allocations/pair", 0.9, 1.0);
        check("errors", "0 %", "<= 0 %", 0.0, 1e-6);
        check("queries", "<= 3", "<= 3", 3.0, 3.1);
        check("round-trips", "<= 2.5", "<= 2.5", 2.0, 2.6);
    }

    #[test]
    fn a_limit_is_shown_with_all_its_digits() {
        for (key, text) in [
            ("throughput", ">= 12345.5 pairs/s"),
            ("work", "<= 64746.25 instructions/pair"),
            ("allocations", "<= 0.93125 allocations/pair"),
            ("p95", "<= 1.2345 s"),
            ("cpu", "<= 5.261 µs"),
            ("rss", "<= 1.625 GiB"),
            ("rss", "<= 8.00 GiB"),
            ("errors", "<= 0.12345 %"),
        ] {
            let limit = Limit::parse(key, text).unwrap();
            assert_eq!(limit.text(&WorkUnit::pair()), text);
            assert_eq!(Limit::parse(key, &limit.text(&WorkUnit::pair())), Ok(limit));
        }
    }

    #[test]
    fn a_time_that_differs_in_the_fifth_digit_is_another_limit() {
        let limit = Limit::parse("p95", "<= 1.2345 s").unwrap();
        assert!(limit.holds(1_234_400_000.0) && !limit.holds(1_234_600_000.0));
    }

    proptest! {
        #[test]
        fn every_limit_that_can_be_configured_is_read_back_from_the_record(limit in limit()) {
            let text = serde_json::to_string(&limit).unwrap();
            prop_assert_eq!(serde_json::from_str::<Limit>(&text).unwrap(), limit);
            let shown = limit.text(&WorkUnit::pair());
            prop_assert_eq!(Limit::parse(limit.quantity.key(), &shown), Ok(limit), "{}", shown);
        }
    }

    /// A limit with a value as a configuration writes it, of up to nine digits and any unit.
    fn limit() -> impl Strategy<Value = Limit> {
        let quantity = prop::sample::select(&LimitQuantity::ALL[..]);
        let texts =
            (quantity, any::<bool>(), 0_u64..1_000_000_000, 0_u32..8, any::<prop::sample::Index>());
        texts.prop_filter_map(
            "not a value of the quantity",
            |(quantity, most, digits, point, unit)| {
                const UNITS: [&str; 15] = [
                    "ns",
                    "us",
                    "ms",
                    "s",
                    "m",
                    "h",
                    "B",
                    "kB",
                    "KiB",
                    "MiB",
                    "GiB",
                    "%",
                    "",
                    "pairs/s",
                    "allocations/pair",
                ];
                let sign = if most { "<=" } else { ">=" };
                let number = units::exact(digits) / 10_f64.powi(i32::try_from(point).ok()?);
                let text = format!("{sign} {number} {}", UNITS[unit.index(UNITS.len())]);
                Limit::parse(quantity.key(), text.trim_end()).ok()
            },
        )
    }

    #[test]
    fn a_wrong_promise_is_refused_with_what_would_be_right() {
        let check = |key, text, hint: &str| {
            let error = Limit::parse(key, text).unwrap_err().to_string();
            assert!(error.contains(hint), "{error}");
        };
        check("speed", ">= 3 s", "throughput, latency");
        check("p95", "300 s", "`<=`");
        check("p95", "<= 300", "30 s");
        check("throughput", ">= 333", "333 pairs/s");
        check("rss", "<= lots", "8 GiB");
        check("work", "<= 70000", "instructions/pair");
        check("allocations", "<= nan allocations/pair", "3.5");
        check("queries", "<= 3 queries", "such as `3`");
        check("queries", "<= -1", "such as `3`");
    }
}
