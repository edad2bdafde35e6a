//! Which tool wrote a text.

use serde_json::Value;

use crate::import::failure::ImportError;
use crate::import::format::ImportFormat;
use crate::import::series::ImportedRun;
use crate::import::{
    ab, autocannon, bombardier, criterion, gatling, h2load, hey, hyperfine, jmeter, k6,
    k6_operator, k6_points, locust, oha, vegeta, wrk,
};

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

    /// Reads the content as of a form.
    pub(super) fn parse(&self, format: ImportFormat) -> Result<ImportedRun, ImportError> {
        match (format, self) {
            (ImportFormat::Autocannon, Self::Json(value)) => autocannon::parse(value),
            (ImportFormat::Bombardier, Self::Json(value)) => bombardier::parse(value),
            (ImportFormat::Criterion, Self::Json(value)) => criterion::parse(value),
            (ImportFormat::GatlingStats, Self::Json(value)) => gatling::parse_stats(value),
            (ImportFormat::Hyperfine, Self::Json(value)) => hyperfine::parse(value),
            (ImportFormat::K6, Self::Json(value)) => k6::parse(value),
            (ImportFormat::K6Machine, Self::Json(value)) => k6::parse_machine(value),
            (ImportFormat::Oha, Self::Json(value)) => oha::parse(value),
            (ImportFormat::Vegeta, Self::Json(value)) => vegeta::parse(value),
            (ImportFormat::K6Json, Self::Lines(_, text)) => k6_points::parse_json(text),
            (ImportFormat::VegetaJson, Self::Lines(_, text)) => vegeta::parse_records(text),
            (ImportFormat::VegetaJson, Self::Json(value)) => {
                vegeta::parse_records(&value.to_string())
            }
            (ImportFormat::Ab, Self::Text(text)) => ab::parse(text),
            (ImportFormat::GatlingLog, Self::Text(text)) => gatling::parse_log(text),
            (ImportFormat::H2load, Self::Text(text)) => h2load::parse(text),
            (ImportFormat::Hey, Self::Text(text)) => hey::parse(text),
            (ImportFormat::HeyCsv, Self::Text(text)) => hey::parse_csv(text),
            (ImportFormat::JmeterCsv, Self::Text(text)) => jmeter::parse_csv(text),
            (ImportFormat::JmeterXml, Self::Text(text)) => jmeter::parse_xml(text),
            (ImportFormat::K6Csv, Self::Text(text)) => k6_points::parse_csv(text),
            (ImportFormat::K6Operator, Self::Text(text)) => k6_operator::parse(text),
            (ImportFormat::Locust, Self::Text(text)) => locust::parse(text),
            (ImportFormat::Wrk, Self::Text(text)) => wrk::parse(text),
            (ImportFormat::Wrk2, Self::Text(text)) => wrk::parse_corrected(text),
            (_, _) => Err(ImportError::NotOfFormat { named: format }),
        }
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
        ImportFormat::K6Operator => text.contains(k6_operator::MARK),
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
