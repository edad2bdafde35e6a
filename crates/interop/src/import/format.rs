//! Which tool wrote a text.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::import::failure::ImportError;
use crate::import::series::ImportedRun;
use crate::import::{
    ab, autocannon, bombardier, criterion, gatling, h2load, hey, hyperfine, jmeter, k6, k6_points,
    locust, oha, vegeta, wrk,
};

/// A form in which a tool writes its results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImportFormat {
    /// `ApacheBench`'s text.
    Ab,
    /// autocannon's JSON.
    Autocannon,
    /// bombardier's JSON.
    Bombardier,
    /// Criterion's `estimates.json`.
    Criterion,
    /// Gatling's `simulation.log` as text, up to 3.12.0.
    GatlingLog,
    /// Gatling's `global_stats.json`.
    GatlingStats,
    /// h2load's text.
    H2load,
    /// hey's text.
    Hey,
    /// hey's CSV.
    HeyCsv,
    /// hyperfine's JSON.
    Hyperfine,
    /// `JMeter`'s JTL as CSV.
    JmeterCsv,
    /// `JMeter`'s JTL as XML.
    JmeterXml,
    /// k6's `--summary-export`, and what `handleSummary` gets.
    K6,
    /// k6's machine-readable summary.
    K6Machine,
    /// k6's points as JSON lines.
    K6Json,
    /// k6's points as CSV.
    K6Csv,
    /// Locust's `_stats.csv`.
    Locust,
    /// oha's JSON.
    Oha,
    /// vegeta's JSON report.
    Vegeta,
    /// vegeta's results as JSON lines.
    VegetaJson,
    /// wrk's text.
    Wrk,
    /// wrk2's text.
    Wrk2,
}

/// A text, parsed as far as its kind is known.
#[derive(Debug)]
pub(super) enum Content<'a> {
    /// One JSON value.
    Json(Value),
    /// A JSON value a line, of which this is the first.
    Lines(Value, &'a str),
    /// Anything else.
    Text(&'a str),
}

impl ImportFormat {
    /// Every form, in the order in which they are offered.
    pub const ALL: [Self; 22] = [
        Self::Ab,
        Self::Autocannon,
        Self::Bombardier,
        Self::Criterion,
        Self::GatlingLog,
        Self::GatlingStats,
        Self::H2load,
        Self::Hey,
        Self::HeyCsv,
        Self::Hyperfine,
        Self::JmeterCsv,
        Self::JmeterXml,
        Self::K6,
        Self::K6Machine,
        Self::K6Json,
        Self::K6Csv,
        Self::Locust,
        Self::Oha,
        Self::Vegeta,
        Self::VegetaJson,
        Self::Wrk,
        Self::Wrk2,
    ];

    /// Returns the name that the command line uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ab => "ab",
            Self::Autocannon => "autocannon",
            Self::Bombardier => "bombardier",
            Self::Criterion => "criterion",
            Self::GatlingLog => "gatling-log",
            Self::GatlingStats => "gatling-stats",
            Self::H2load => "h2load",
            Self::Hey => "hey",
            Self::HeyCsv => "hey-csv",
            Self::Hyperfine => "hyperfine",
            Self::JmeterCsv => "jmeter-csv",
            Self::JmeterXml => "jmeter-xml",
            Self::K6 => "k6",
            Self::K6Machine => "k6-machine",
            Self::K6Json => "k6-json",
            Self::K6Csv => "k6-csv",
            Self::Locust => "locust",
            Self::Oha => "oha",
            Self::Vegeta => "vegeta",
            Self::VegetaJson => "vegeta-json",
            Self::Wrk => "wrk",
            Self::Wrk2 => "wrk2",
        }
    }

    /// Returns the form of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }

    /// Returns the command that makes a file of this form, or the place where the tool leaves it.
    pub fn command(self) -> &'static str {
        match self {
            Self::Ab => "`ab -n 100 URL`",
            Self::Autocannon => "`autocannon --json URL`",
            Self::Bombardier => "`bombardier -p result -o json URL`",
            Self::Criterion => "a benchmark, in `target/criterion/NAME/new/estimates.json`",
            Self::GatlingLog => "a simulation, in `simulation.log`, up to 3.12.0",
            Self::GatlingStats => "a simulation, in `js/global_stats.json`",
            Self::H2load => "`h2load -n 100 URL`",
            Self::Hey => "`hey URL`",
            Self::HeyCsv => "`hey -o csv URL`",
            Self::Hyperfine => "`hyperfine --export-json FILE`",
            Self::JmeterCsv => "`jmeter -n -t PLAN -l FILE.jtl`",
            Self::JmeterXml => "`jmeter -Jjmeter.save.saveservice.output_format=xml -l FILE.jtl`",
            Self::K6 => "`k6 run --summary-export FILE`",
            Self::K6Machine => "`k6 run --new-machine-readable-summary --summary-export FILE`",
            Self::K6Json => "`k6 run --out json=FILE`",
            Self::K6Csv => "`k6 run --out csv=FILE`",
            Self::Locust => "`locust --headless --csv PREFIX`, in `PREFIX_stats.csv`",
            Self::Oha => "`oha --output-format json URL`",
            Self::Vegeta => "`vegeta report -type json`",
            Self::VegetaJson => "`vegeta encode`",
            Self::Wrk => "`wrk --latency URL`",
            Self::Wrk2 => "`wrk2 -R RATE --latency URL`",
        }
    }

    /// Returns the names of all forms, as a sentence lists them.
    pub fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    pub(super) fn parse(self, content: &Content<'_>) -> Result<ImportedRun, ImportError> {
        match (self, content) {
            (Self::Autocannon, Content::Json(value)) => autocannon::parse(value),
            (Self::Bombardier, Content::Json(value)) => bombardier::parse(value),
            (Self::Criterion, Content::Json(value)) => criterion::parse(value),
            (Self::GatlingStats, Content::Json(value)) => gatling::parse_stats(value),
            (Self::Hyperfine, Content::Json(value)) => hyperfine::parse(value),
            (Self::K6, Content::Json(value)) => k6::parse(value),
            (Self::K6Machine, Content::Json(value)) => k6::parse_machine(value),
            (Self::Oha, Content::Json(value)) => oha::parse(value),
            (Self::Vegeta, Content::Json(value)) => vegeta::parse(value),
            (Self::K6Json, Content::Lines(_, text)) => k6_points::parse_json(text),
            (Self::VegetaJson, Content::Lines(_, text)) => vegeta::parse_records(text),
            (Self::VegetaJson, Content::Json(value)) => vegeta::parse_records(&value.to_string()),
            (Self::Ab, Content::Text(text)) => ab::parse(text),
            (Self::GatlingLog, Content::Text(text)) => gatling::parse_log(text),
            (Self::H2load, Content::Text(text)) => h2load::parse(text),
            (Self::Hey, Content::Text(text)) => hey::parse(text),
            (Self::HeyCsv, Content::Text(text)) => hey::parse_csv(text),
            (Self::JmeterCsv, Content::Text(text)) => jmeter::parse_csv(text),
            (Self::JmeterXml, Content::Text(text)) => jmeter::parse_xml(text),
            (Self::K6Csv, Content::Text(text)) => k6_points::parse_csv(text),
            (Self::Locust, Content::Text(text)) => locust::parse(text),
            (Self::Wrk, Content::Text(text)) => wrk::parse(text),
            (Self::Wrk2, Content::Text(text)) => wrk::parse_corrected(text),
            (_, _) => Err(ImportError::NotOfFormat { named: self }),
        }
    }
}

impl fmt::Display for ImportFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl<'a> Content<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let text = text.trim_start_matches('\u{feff}');
        if let Ok(value) = serde_json::from_str(text) {
            return Self::Json(value);
        }
        let first = text.lines().next().and_then(|line| serde_json::from_str(line).ok());
        match first {
            Some(value @ Value::Object(_)) => Self::Lines(value, text),
            Some(_) | None => Self::Text(text),
        }
    }

    /// The forms that the content may be of.
    pub(super) fn formats(&self) -> Vec<ImportFormat> {
        let fits = |format: &ImportFormat| match self {
            Self::Json(value) => fits_json(*format, value),
            Self::Lines(first, _) => fits_lines(*format, first),
            Self::Text(text) => fits_text(*format, text),
        };
        ImportFormat::ALL.into_iter().filter(fits).collect()
    }

    /// Why no form fits.
    pub(super) fn unknown(&self) -> ImportError {
        let found = match self {
            Self::Text(text) if text.starts_with('\0') => return ImportError::BinaryLog,
            Self::Text(text) => match text.lines().find(|line| !line.trim().is_empty()) {
                Some(line) => {
                    format!("text that begins with `{}`", line.chars().take(60).collect::<String>())
                }
                None => "empty".to_owned(),
            },
            Self::Json(value) | Self::Lines(value, _) => match value.as_object() {
                Some(fields) => {
                    let names = fields.keys().take(6).map(|name| format!("`{name}`"));
                    format!("JSON with {}", names.collect::<Vec<_>>().join(", "))
                }
                None => "JSON that is no object".to_owned(),
            },
        };
        ImportError::UnknownFormat { found }
    }
}

fn fits_json(format: ImportFormat, value: &Value) -> bool {
    let has = |paths: &[&str]| paths.iter().all(|path| value.pointer(path).is_some());
    match format {
        ImportFormat::Autocannon => has(&["/latency", "/requests", "/non2xx"]),
        ImportFormat::Bombardier => has(&["/spec/testType", "/result/latency"]),
        ImportFormat::Criterion => has(&["/mean/point_estimate", "/median/confidence_interval"]),
        ImportFormat::GatlingStats => {
            has(&["/numberOfRequests/total", "/percentiles1"])
                || has(&["/stats/numberOfRequests/total"])
        }
        ImportFormat::Hyperfine => has(&["/results/0/command", "/results/0/mean"]),
        ImportFormat::K6 => has(&["/metrics/http_reqs"]) || has(&["/metrics", "/root_group"]),
        ImportFormat::K6Machine => has(&["/results/metrics", "/version", "/metadata"]),
        ImportFormat::Oha => has(&["/summary/successRate", "/latencyPercentiles"]),
        ImportFormat::Vegeta => has(&["/latencies/50th", "/status_codes"]),
        ImportFormat::VegetaJson => is_vegeta_record(value),
        _ => false,
    }
}

fn fits_lines(format: ImportFormat, first: &Value) -> bool {
    match format {
        ImportFormat::K6Json => first.get("metric").is_some() && first.get("type").is_some(),
        ImportFormat::VegetaJson => is_vegeta_record(first),
        _ => false,
    }
}

fn is_vegeta_record(value: &Value) -> bool {
    ["seq", "latency", "timestamp", "bytes_in"].iter().all(|key| value.get(key).is_some())
}

fn fits_text(format: ImportFormat, text: &str) -> bool {
    let header = text.lines().next().unwrap_or_default();
    let names: Vec<&str> = header.split(',').map(|name| name.trim_matches(['"', ' '])).collect();
    let has_columns = |wanted: &[&str]| wanted.iter().all(|name| names.contains(name));
    let has_line = |start: &str| text.lines().any(|line| line.trim_start().starts_with(start));
    match format {
        ImportFormat::Ab => has_line("This is ApacheBench"),
        ImportFormat::GatlingLog => header.starts_with("RUN\t"),
        ImportFormat::H2load => has_line("finished in ") && has_line("time for request:"),
        ImportFormat::Hey => {
            has_line("Latency distribution:") && has_line("Requests/sec:\t")
                || has_line("Error distribution:")
        }
        ImportFormat::HeyCsv => has_columns(&["response-time", "DNS+dialup", "status-code"]),
        ImportFormat::JmeterCsv => has_columns(&["elapsed", "label"]),
        ImportFormat::JmeterXml => text.starts_with('<') && text.contains("<testResults"),
        ImportFormat::K6Csv => has_columns(&["metric_name", "metric_value"]),
        ImportFormat::Locust => has_columns(&["Name", "Request Count", "Failure Count"]),
        ImportFormat::Wrk => is_wrk(text) && !is_corrected(text),
        ImportFormat::Wrk2 => is_wrk(text) && is_corrected(text),
        _ => false,
    }
}

fn is_wrk(text: &str) -> bool {
    text.contains("Thread Stats") && text.contains(" requests in ")
}

/// wrk2 prints which of its two histograms a distribution is of.
fn is_corrected(text: &str) -> bool {
    text.contains("Recorded Latency") || text.contains("Thread calibration")
}
