//! The values that a configuration is made of, each checked while it is parsed: the parser then knows
//! the line of a wrong one.

use std::fmt;
use std::time::Duration;

use calls::{CallCounting, CallProtocol};
use load::RequestMethod;
use payload::{PayloadKind, PayloadPreset, Semantics};
use record::metric::Metric;
use record::metric::gate::{self, MetricPolicy};
use record::metric::limit::{Limit, WrittenLimit};
use record::work_unit::{WorkUnit, WorkUnitError};
use record::{OperationName, OperationNameError};
use regex::Regex;
use serde::de::{Deserialize, Deserializer, Error as _};
use sut::ServiceScope;
use thiserror::Error;
use toml::Spanned;
use units::environment::{VariablePattern, VariablePatternError};
use units::{Ratio, UnitError};

use crate::config::fault::{ConfigFault, SpannedFault};
use crate::{CpuSelection, LaneMode, LayoutMode, UrlScheme, WarmUpPlan};

/// Headers that say how a body is sent, which a user's would contradict.
pub const OWN_HEADERS: [&str; 7] = [
    "Connection",
    "Content-Encoding",
    "Content-Length",
    "Content-Type",
    "Expect",
    "Host",
    "Transfer-Encoding",
];

/// Why a value is none of its key; the message says what would be right.
#[derive(Debug, Clone, PartialEq, Error)]
pub(super) enum ValueError {
    /// A word is none of those that there are.
    #[error("unknown {what} `{word}`; there are {}", known.join(", "))]
    Word { what: &'static str, word: String, known: Vec<&'static str> },
    /// A quantity is not understood.
    #[error(transparent)]
    Unit(#[from] UnitError),
    /// A unit of work is none.
    #[error(transparent)]
    WorkUnit(#[from] WorkUnitError),
    /// The name of an operation is none.
    #[error(transparent)]
    OperationName(#[from] OperationNameError),
    #[error("{0} is not a number of processors such as 1.5")]
    Cores(f64),
    #[error("{0} is not a number above 0")]
    NotAbove0(f64),
    #[error("answers may take from 1 MiB to 64 GiB, not {0}")]
    AnswerSize(String),
    #[error("{0} is not a port from 1 to 65535")]
    Port(i64),
    #[error("`{0}` is not host and port such as `db.internal:5432`")]
    Address(String),
    #[error("{0} is not a whole number from 1 on")]
    Positive(i64),
    #[error("{found} {what} are not from 1 to {most}")]
    Bound { what: &'static str, found: i64, most: u64 },
    #[error("{0} is not a share between 0 and 1, such as 0.03 for 3 %")]
    Share(f64),
    #[error("{0} is not an error rate from 0.000001 to 0.2, such as 0.01 for 1 %")]
    ErrorRate(f64),
    #[error("`{0}` is not the name of a variable, such as `APP_PORT`")]
    Variable(String),
    #[error("`{0}` is no time such as `2 s`, and neither is it \"steady\"")]
    WarmUp(String),
    #[error(transparent)]
    Passed(#[from] VariablePatternError),
    #[error("nothing fits into `{0}`; write a size such as `2 GiB`")]
    NoRoom(String),
    #[error("`{0}` is not a path of a URL: it begins with `/` and has no spaces")]
    Path(String),
    #[error("`{0}` is not the name of a header, such as `X-Tenant`")]
    HeaderName(String),
    #[error("the header `{0}` is written by xmlperf itself")]
    OwnHeader(String),
    #[error("the header `{first}` is there already as `{second}`; a header has one value")]
    HeaderTwice { first: String, second: String },
    #[error("the value of a header is one line of visible text")]
    HeaderValue,
    #[error(
        "`{0}` is not a pattern of files such as `shared/**/*.xsd`, from the folder of this file"
    )]
    InputPattern(String),
    #[error("{0} is not a number of launches from 2 to 100")]
    Launches(i64),
    #[error("{0} is not a status of HTTP from 100 to 599")]
    Status(i64),
    #[error("not a regular expression: {0}")]
    Regex(#[from] regex::Error),
}

impl ValueError {
    pub(super) fn word(what: &'static str, word: &str, known: Vec<&'static str>) -> Self {
        Self::Word { what, word: word.to_owned(), known }
    }
}

/// What a run may have at most. Each costs memory before anything is measured, so that a slip of a few
/// zeros is refused at its line and not by the system; `docs/reliability.md` has the table.
pub(super) const CONNECTIONS_MAX: u64 = 65_535;
const PAIRS_MAX: u64 = 10_000_000;
const BODIES_MAX: u64 = 100_000;
pub(super) const LAUNCHES_MAX: u64 = 2_000;

/// What answers may take: less would refuse ordinary ones, and more has no machine that is measured on.
const ANSWER_BYTES_LEAST: u64 = 1 << 20;
const ANSWER_BYTES_MOST: u64 = 64 << 30;

fn within(what: &'static str, number: i64, most: u64) -> Result<u64, ValueError> {
    match u64::try_from(number) {
        Ok(0) | Err(_) => Err(ValueError::Positive(number)),
        Ok(count) if count > most => Err(ValueError::Bound { what, found: number, most }),
        Ok(count) => Ok(count),
    }
}

/// A value that is checked while it is parsed, so that an error has a line.
macro_rules! checked {
    ($(#[$doc:meta])* $name:ident($inner:ty) from $raw:ty, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub(super) struct $name(pub(super) $inner);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let raw = <$raw>::deserialize(deserializer)?;
                let check: fn($raw) -> Result<$inner, ValueError> = $check;
                check(raw).map($name).map_err(D::Error::custom)
            }
        }
    };
}

checked!(
    /// A duration such as `30 s`.
    Time(Duration) from String, |text| Ok(units::parse_duration(&text)?)
);
checked!(
    /// A time, or that it goes on until the target is steady.
    WarmUpWord(WarmUpPlan) from String, |text| match text.as_str() {
        "steady" => Ok(WarmUpPlan::Steady),
        time => match units::parse_duration(time) {
            Ok(time) => Ok(WarmUpPlan::For(time)),
            Err(_) => Err(ValueError::WarmUp(text)),
        },
    }
);
checked!(
    /// A bandwidth such as `10 Mbit/s`, in bits per second.
    BitRate(f64) from String, |text| Ok(units::parse_bit_rate(&text)?)
);
checked!(
    /// Processors' worth of time.
    Cores(f64) from f64, |cores| if (0.01..=1024.0).contains(&cores) {
        Ok(cores)
    } else {
        Err(ValueError::Cores(cores))
    }
);
checked!(
    /// A number above 0.
    PositiveNumber(f64) from f64, |number| if number > 0.0 && number.is_finite() {
        Ok(number)
    } else {
        Err(ValueError::NotAbove0(number))
    }
);
checked!(
    /// Memory for answers, in bytes.
    AnswerSize(u64) from String, |text| match units::parse_bytes(&text)? {
        bytes @ ANSWER_BYTES_LEAST..=ANSWER_BYTES_MOST => Ok(bytes),
        _ => Err(ValueError::AnswerSize(text)),
    }
);
checked!(
    /// A port of TCP.
    Port(u16) from i64, |number| match u16::try_from(number) {
        Ok(port) if port > 0 => Ok(port),
        Ok(_) | Err(_) => Err(ValueError::Port(number)),
    }
);
checked!(
    /// A share such as `0.1 %`.
    Percentage(Ratio) from String, |text| Ok(Ratio::parse(&text)?)
);
checked!(
    /// A whole number from 1 on.
    Positive(u64) from i64, |number| match u64::try_from(number) {
        Ok(number) if number > 0 => Ok(number),
        Ok(_) | Err(_) => Err(ValueError::Positive(number)),
    }
);
checked!(
    /// Streams at once on a connection.
    Connections(u64) from i64, |number| within("streams", number, CONNECTIONS_MAX)
);
checked!(
    /// XML pairs in a request.
    PairCount(u64) from i64, |number| within("XML pairs in a request", number, PAIRS_MAX)
);
checked!(
    /// Different requests that are prepared.
    BodyCount(u64) from i64, |number| within("different bodies", number, BODIES_MAX)
);
checked!(
    /// Launches, or launch pairs, of a run.
    LaunchCount(usize) from i64, |number| {
        within("launches", number, LAUNCHES_MAX).map(|count| usize::try_from(count).unwrap_or(1))
    }
);
checked!(
    /// A share between 0 and 1, both excluded.
    Share(f64) from f64, |share| if share > 0.0 && share < 1.0 {
        Ok(share)
    } else {
        Err(ValueError::Share(share))
    }
);
checked!(
    /// The chance of a false alarm.
    ErrorRate(f64) from f64, |share| if gate::ERROR_RATES.contains(&share) {
        Ok(share)
    } else {
        Err(ValueError::ErrorRate(share))
    }
);
checked!(
    /// A variable of the environment.
    Variable(String) from String, |name| if name.is_empty() || name.contains(['=', '\0']) {
        Err(ValueError::Variable(name))
    } else {
        Ok(name)
    }
);
checked!(
    /// Names of variables that are passed on.
    PassedVariables(VariablePattern) from String, |text| Ok(text.parse()?)
);
checked!(
    /// Files that the target reads, with `*` and `**`.
    InputPattern(String) from String, |text| {
        let is_plain = !text.chars().any(char::is_control);
        if is_plain && !text.is_empty() && !text.starts_with(['/', ':']) {
            Ok(text)
        } else {
            Err(ValueError::InputPattern(text))
        }
    }
);
checked!(
    /// A size that something fits into, such as `2 GiB`.
    Room(u64) from String, |text| match units::parse_bytes(&text)? {
        0 => Err(ValueError::NoRoom(text)),
        bytes => Ok(bytes),
    }
);
checked!(
    /// The path of a URL.
    HttpPath(String) from String, |path| HttpPath::try_from(path).map(|path| path.0)
);
checked!(
    /// The path of a URL, as a template.
    PathText(String) from String, |path| {
        let is_template = path.contains("{{") || path.contains("{%");
        if is_template && path.starts_with(['/', '{']) && !path.chars().any(char::is_control) {
            return Ok(path);
        }
        HttpPath::try_from(path).map(|path| path.0)
    }
);
checked!(
    /// The name of a header, other than those which say how the body is sent.
    #[derive(PartialEq, Eq, PartialOrd, Ord)]
    HeaderName(String) from String, |name| {
        let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if name.is_empty() || !name.chars().all(token) {
            return Err(ValueError::HeaderName(name));
        }
        if OWN_HEADERS.iter().any(|own| own.eq_ignore_ascii_case(&name)) {
            return Err(ValueError::OwnHeader(name));
        }
        Ok(name)
    }
);
checked!(
    /// The value of a header.
    HeaderValue(String) from String, |value| if value.chars().any(char::is_control) {
        Err(ValueError::HeaderValue)
    } else {
        Ok(value)
    }
);
checked!(
    /// A request kind.
    KindWord(PayloadKind) from String, |word| {
        let known = || PayloadKind::ALL.map(PayloadKind::name).to_vec();
        PayloadKind::from_name(&word).ok_or_else(|| ValueError::word("request kind", &word, known()))
    }
);
checked!(
    /// The name of an operation.
    OperationWord(OperationName) from String, |name| Ok(OperationName::try_from(name)?)
);
checked!(
    /// A method of HTTP.
    MethodWord(RequestMethod) from String, |word| {
        let known = || RequestMethod::ALL.map(RequestMethod::name).to_vec();
        RequestMethod::from_name(&word).ok_or_else(|| ValueError::word("method", &word, known()))
    }
);
checked!(
    /// A payload preset.
    PresetWord(PayloadPreset) from String, |word| {
        let known = || PayloadPreset::ALL.map(PayloadPreset::name).to_vec();
        PayloadPreset::from_name(&word)
            .ok_or_else(|| ValueError::word("payload preset", &word, known()))
    }
);
checked!(
    /// What a target means by "equal".
    SemanticsWord(Semantics) from String, |word| {
        let known = || Semantics::ALL.map(Semantics::name).to_vec();
        Semantics::from_name(&word).ok_or_else(|| ValueError::word("semantics", &word, known()))
    }
);
checked!(
    /// What a scenario is counted in.
    UnitName(WorkUnit) from String, |name| Ok(WorkUnit::try_from(name)?)
);
checked!(
    /// A policy.
    PolicyWord(MetricPolicy) from String, |word| {
        let known = || MetricPolicy::ALL.map(MetricPolicy::key).to_vec();
        MetricPolicy::from_key(&word).ok_or_else(|| ValueError::word("policy", &word, known()))
    }
);
checked!(
    /// What is spoken below HTTP.
    SchemeWord(UrlScheme) from String, |word| match word.as_str() {
        "http" => Ok(UrlScheme::Http),
        "https" => Ok(UrlScheme::Https),
        _ => Err(ValueError::word("scheme", &word, vec!["http", "https"])),
    }
);
checked!(
    /// A choice of processors.
    CpusWord(CpuSelection) from String, |word| match word.as_str() {
        "auto" => Ok(CpuSelection::Auto),
        "shared" => Ok(CpuSelection::Shared),
        _ => Err(ValueError::word("choice", &word, vec!["auto", "shared"])),
    }
);
checked!(
    /// Where functions lie.
    LayoutWord(LayoutMode) from String, |word| match word.as_str() {
        "auto" => Ok(LayoutMode::Auto),
        "as-built" => Ok(LayoutMode::AsBuilt),
        "matched" => Ok(LayoutMode::Matched),
        "drawn" => Ok(LayoutMode::Drawn),
        _ => Err(ValueError::word("layout", &word, vec!["auto", "as-built", "matched", "drawn"])),
    }
);
checked!(
    /// Whether instructions are counted.
    LaneWord(LaneMode) from String, |word| match word.as_str() {
        "off" => Ok(LaneMode::Off),
        "auto" => Ok(LaneMode::IfPossible),
        "on" => Ok(LaneMode::On),
        _ => Err(ValueError::word("choice", &word, vec!["auto", "on", "off"])),
    }
);
checked!(
    /// Launches that are counted. One value says nothing about its scatter.
    Launches(usize) from i64, |number| match usize::try_from(number) {
        Ok(number) if (2..=100).contains(&number) => Ok(number),
        Ok(_) | Err(_) => Err(ValueError::Launches(number)),
    }
);
checked!(
    /// How long a service lives.
    ScopeWord(ServiceScope) from String, |word| match word.as_str() {
        "launch" => Ok(ServiceScope::Launch),
        "side" => Ok(ServiceScope::Side),
        "run" => Ok(ServiceScope::Run),
        _ => Err(ValueError::word("scope", &word, vec!["side", "launch", "run"])),
    }
);
checked!(
    /// Whether calls are counted, and as what.
    CallsWord(CallCounting) from String, |word| match word.as_str() {
        "auto" => Ok(CallCounting::Detected),
        "off" => Ok(CallCounting::Off),
        word => CallProtocol::from_key(word).map(CallCounting::As).ok_or_else(|| {
            let protocols = CallProtocol::ALL.map(CallProtocol::key);
            let known = ["auto"].into_iter().chain(protocols).chain(["off"]);
            ValueError::word("calls", word, known.collect())
        }),
    }
);
checked!(
    /// Host and port of something that runs already.
    DependencyAddress(String) from String, |address| match address.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0) => {
            Ok(address)
        }
        Some(_) | None => Err(ValueError::Address(address)),
    }
);
checked!(
    /// A status of HTTP.
    StatusCode(u16) from i64, |number| match u16::try_from(number) {
        Ok(status) if (100..600).contains(&status) => Ok(status),
        Ok(_) | Err(_) => Err(ValueError::Status(number)),
    }
);
checked!(
    /// An expression that a line matches.
    LogRegex(Regex) from String, |text| Ok(Regex::new(&text)?)
);
checked!(
    /// A metric's key.
    MetricWord(Metric) from String, |word| {
        let known = || Metric::ALL.map(Metric::key).to_vec();
        Metric::from_key(&word).ok_or_else(|| ValueError::word("metric", &word, known()))
    }
);

impl Copy for Time {}
impl Copy for BitRate {}
impl Copy for Percentage {}
impl Copy for Positive {}
impl Copy for Connections {}
impl Copy for PairCount {}
impl Copy for BodyCount {}
impl Copy for LaunchCount {}
impl Copy for Share {}
impl Copy for ErrorRate {}
impl Copy for KindWord {}
impl Copy for MethodWord {}
impl Copy for PresetWord {}
impl Copy for SemanticsWord {}
impl Copy for CpusWord {}
impl Copy for LaneWord {}
impl Copy for LayoutWord {}
impl Copy for Launches {}
impl Copy for StatusCode {}
impl Copy for ScopeWord {}
impl Copy for CallsWord {}

/// A metric's key as the key of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct MetricKey(pub(super) Metric);

impl<'de> Deserialize<'de> for MetricKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        MetricWord::deserialize(deserializer).map(|word| Self(word.0))
    }
}

impl TryFrom<String> for HttpPath {
    type Error = ValueError;

    fn try_from(path: String) -> Result<Self, ValueError> {
        let legal = path.bytes().all(|byte| byte.is_ascii_graphic());
        if path.starts_with('/') && legal { Ok(Self(path)) } else { Err(ValueError::Path(path)) }
    }
}

/// Limits by name, such as `{ p95 = "<= 300 s" }`, each with where it is written.
#[derive(Debug, Default)]
pub(super) struct LimitTable(pub(super) Vec<Spanned<WrittenLimit>>);

impl LimitTable {
    /// Returns the limits of a scenario that is counted in `unit`. Where the scenario does not name that
    /// unit, a limit may be written in pairs as well: a request without a batch holds one.
    pub(super) fn of(
        &self,
        named: Option<&UnitName>,
        unit: &WorkUnit,
    ) -> Result<Vec<Limit>, SpannedFault> {
        let mut units = vec![unit.clone()];
        if named.is_none() {
            units.push(WorkUnit::pair());
        }
        let limit = |written: &Spanned<WrittenLimit>| {
            let wrong = |error| SpannedFault::new(written.span(), ConfigFault::Limit(error));
            written.get_ref().of(&units).map_err(wrong)
        };
        self.0.iter().map(limit).collect()
    }
}

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
                while let Some((key, text)) = map.next_entry::<String, Spanned<String>>()? {
                    let limit = WrittenLimit::parse(&key, text.get_ref());
                    limits.push(Spanned::new(text.span(), limit.map_err(A::Error::custom)?));
                }
                Ok(LimitTable(limits))
            }
        }
        deserializer.deserialize_map(LimitVisitor)
    }
}
