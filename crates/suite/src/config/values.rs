//! The values that a configuration file may hold, each checked while it is read, so that a mistake has
//! a line.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error as _};

use crate::{CpuSelection, LaneMode, UrlScheme};
use record::metric::Metric;
use record::metric::gate::{self, MetricPolicy};
use record::metric::limit::Limit;
use units::Ratio;

/// What is wrong, and where in the text.
pub(super) type SpannedMessage = (Range<usize>, String);

/// Headers that say how a body is sent, which a user's would contradict.
const OWN_HEADERS: [&str; 7] = [
    "Connection",
    "Content-Encoding",
    "Content-Length",
    "Content-Type",
    "Expect",
    "Host",
    "Transfer-Encoding",
];

/// A value that is checked while it is parsed, so that an error has a line.
macro_rules! checked {
    ($(#[$doc:meta])* $name:ident($inner:ty) from $raw:ty, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub(super) struct $name(pub(super) $inner);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let raw = <$raw>::deserialize(deserializer)?;
                let check: fn($raw) -> Result<$inner, String> = $check;
                check(raw).map($name).map_err(D::Error::custom)
            }
        }
    };
}

checked!(
    /// A duration such as `30 s`.
    Time(Duration) from String, |text| units::parse_duration(&text).map_err(|error| error.to_string())
);
checked!(
    /// A bandwidth such as `10 Mbit/s`, in bits per second.
    BitRate(f64) from String, |text| units::parse_bit_rate(&text).map_err(|error| error.to_string())
);
checked!(
    /// Processors' worth of time.
    Cores(f64) from f64, |cores| if (0.01..=1024.0).contains(&cores) {
        Ok(cores)
    } else {
        Err(format!("{cores} is not a number of processors such as 1.5"))
    }
);
checked!(
    /// A port of TCP.
    Port(u16) from i64, |number| match u16::try_from(number) {
        Ok(port) if port > 0 => Ok(port),
        Ok(_) | Err(_) => Err(format!("{number} is not a port from 1 to 65535")),
    }
);
checked!(
    /// A share such as `0.1 %`.
    Percentage(Ratio) from String, |text| Ratio::parse(&text).map_err(|error| error.to_string())
);
checked!(
    /// A whole number from 1 on.
    Positive(u64) from i64, |number| match u64::try_from(number) {
        Ok(number) if number > 0 => Ok(number),
        Ok(_) | Err(_) => Err(format!("{number} is not a whole number from 1 on")),
    }
);
checked!(
    /// A share between 0 and 1, both excluded.
    Share(f64) from f64, |share| if share > 0.0 && share < 1.0 {
        Ok(share)
    } else {
        Err(format!("{share} is not a share between 0 and 1, such as 0.03 for 3 %"))
    }
);
checked!(
    /// The chance of a false alarm.
    ErrorRate(f64) from f64, |share| if gate::ERROR_RATES.contains(&share) {
        Ok(share)
    } else {
        Err(format!("{share} is not an error rate from 0.000001 to 0.2, such as 0.01 for 1 %"))
    }
);
checked!(
    /// A variable of the environment.
    Variable(String) from String, |name| if name.is_empty() || name.contains(['=', '\0']) {
        Err(format!("`{name}` is not the name of a variable, such as `APP_PORT`"))
    } else {
        Ok(name)
    }
);
checked!(
    /// A size that something fits into, such as `2 GiB`.
    Room(u64) from String, |text| match units::parse_bytes(&text).map_err(|error| error.to_string())? {
        0 => Err(format!("nothing fits into `{text}`; write a size such as `2 GiB`")),
        bytes => Ok(bytes),
    }
);
checked!(
    /// The path of a URL.
    HttpPath(String) from String, |path| {
        let legal = path.bytes().all(|byte| byte.is_ascii_graphic());
        if path.starts_with('/') && legal {
            Ok(path)
        } else {
            Err(format!("`{path}` is not a path of a URL: it begins with `/` and has no spaces"))
        }
    }
);
checked!(
    /// The name of a header, other than those which say how the body is sent.
    #[derive(PartialEq, Eq, PartialOrd, Ord)]
    HeaderName(String) from String, |name| {
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if name.is_empty() || !name.chars().all(token) {
            return Err(format!("`{name}` is not the name of a header, such as `X-Tenant`"));
        }
        if OWN_HEADERS.iter().any(|own| own.eq_ignore_ascii_case(&name)) {
            return Err(format!("the header `{name}` is written by xmlperf itself"));
        }
        Ok(name)
    }
);
checked!(
    /// The value of a header.
    HeaderValue(String) from String, |value| if value.chars().any(char::is_control) {
        Err("the value of a header is one line of visible text".to_owned())
    } else {
        Ok(value)
    }
);
checked!(
    /// A request kind.
    KindWord(payload::PayloadKind) from String, |word| payload::PayloadKind::from_name(&word).ok_or_else(|| {
        let known: Vec<_> = payload::PayloadKind::ALL.iter().map(|kind| kind.name()).collect();
        format!("unknown request kind `{word}`; there are {}", known.join(", "))
    })
);
checked!(
    /// A payload preset.
    PresetWord(payload::PayloadPreset) from String, |word| payload::PayloadPreset::from_name(&word).ok_or_else(|| {
        let known: Vec<_> = payload::PayloadPreset::ALL.iter().map(|preset| preset.name()).collect();
        format!("unknown payload preset `{word}`; there are {}", known.join(", "))
    })
);
checked!(
    /// What a target means by "equal".
    SemanticsWord(payload::Semantics) from String, |word| {
        payload::Semantics::from_name(&word).ok_or_else(|| {
            let known = payload::Semantics::ALL.map(payload::Semantics::name).join(", ");
            format!("unknown semantics `{word}`; there are {known}")
        })
    }
);
checked!(
    /// A policy.
    PolicyWord(MetricPolicy) from String, |word| MetricPolicy::from_key(&word)
        .ok_or_else(|| format!("unknown policy `{word}`; there are gate, report, off"))
);
checked!(
    /// What is spoken below HTTP.
    SchemeWord(UrlScheme) from String, |word| match word.as_str() {
        "http" => Ok(UrlScheme::Http),
        "https" => Ok(UrlScheme::Https),
        _ => Err(format!("unknown scheme `{word}`; there are http, https")),
    }
);
checked!(
    /// A choice of processors.
    CpusWord(CpuSelection) from String, |word| match word.as_str() {
        "auto" => Ok(CpuSelection::Auto),
        "shared" => Ok(CpuSelection::Shared),
        _ => Err(format!("unknown choice `{word}`; there are auto, shared")),
    }
);
checked!(
    /// Whether instructions are counted.
    LaneWord(LaneMode) from String, |word| match word.as_str() {
        "off" => Ok(LaneMode::Off),
        "auto" => Ok(LaneMode::IfPossible),
        "on" => Ok(LaneMode::Asked),
        _ => Err(format!("unknown choice `{word}`; there are auto, on, off")),
    }
);
checked!(
    /// Launches that are counted. One value says nothing about its scatter.
    Launches(usize) from i64, |number| match usize::try_from(number) {
        Ok(number) if (2..=100).contains(&number) => Ok(number),
        Ok(_) | Err(_) => Err(format!("{number} is not a number of launches from 2 to 100")),
    }
);
checked!(
    /// A metric's key.
    MetricWord(Metric) from String, |word| Metric::from_key(&word).ok_or_else(|| {
        let known: Vec<_> = Metric::ALL.into_iter().map(Metric::key).collect();
        format!("unknown metric `{word}`; there are {}", known.join(", "))
    })
);

impl Copy for Time {}
impl Copy for BitRate {}
impl Copy for Percentage {}
impl Copy for Positive {}
impl Copy for Share {}
impl Copy for ErrorRate {}
impl Copy for KindWord {}
impl Copy for PresetWord {}
impl Copy for SemanticsWord {}
impl Copy for CpusWord {}
impl Copy for LaneWord {}
impl Copy for Launches {}

impl Positive {
    pub(super) fn size(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// A metric's key as the key of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MetricKey(pub(super) Metric);

impl<'de> Deserialize<'de> for MetricKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        MetricWord::deserialize(deserializer).map(|word| Self(word.0))
    }
}

/// The limits of a scenario.
#[derive(Debug, Default)]
pub(super) struct LimitTable(pub(super) Vec<Limit>);

impl<'de> Deserialize<'de> for LimitTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LimitVisitor;
        impl<'de> serde::de::Visitor<'de> for LimitVisitor {
            type Value = LimitTable;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table such as { p95 = \"<= 300 s\" }")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<LimitTable, A::Error> {
                let mut limits = Vec::new();
                while let Some((key, text)) = map.next_entry::<String, String>()? {
                    limits.push(Limit::parse(&key, &text).map_err(A::Error::custom)?);
                }
                Ok(LimitTable(limits))
            }
        }
        deserializer.deserialize_map(LimitVisitor)
    }
}
