//! Reads what `k6 archive` writes, and summaries of k6.
//!
//! A script is a program, which is not run: calls of `http` are carried over as far as their arguments are
//! written as texts. Values that the archive's metadata has of the environment are not looked at.

use std::collections::BTreeMap;
use std::io::Read as _;

use load::RequestMethod;

use crate::description::address::RequestAddress;
use crate::description::api::{ApiDescription, ShareOrigin};
use crate::description::credentials::is_credential;
use crate::description::document::{DocumentNode, DocumentValue};
use crate::description::failure::DescriptionError;
use crate::description::format::DescriptionFormat;
use crate::description::gap::{CarryGap, GapReason};
use crate::description::javascript::{CallArgument, HttpCall, ScriptText};
use crate::description::recording::{
    RecordedBody, RecordedRequest, TrafficRecorder, keep_one_host,
};

/// The largest file of an archive that is read.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// Files of an archive that are looked at.
const FILES_MAX: usize = 10_000;
/// The media type of a form.
const FORM: &str = "application/x-www-form-urlencoded";
/// All texts of an archive together.
const BYTES_MAX: u64 = 64 << 20;

/// Whether bytes are an archive of tar.
pub(super) fn is_archive(bytes: &[u8]) -> bool {
    bytes.get(257..262) == Some(b"ustar")
}

/// Reads an archive.
pub(super) fn read_archive(bytes: &[u8]) -> Result<ApiDescription, DescriptionError> {
    let files = unpack(bytes)?;
    let missing = |name| DescriptionError::ArchiveFile { name, most: FILE_BYTES_MAX };
    let metadata = files.get("metadata.json").ok_or_else(|| missing("metadata.json"))?;
    let script = files.get("data").ok_or_else(|| missing("data"))?;
    let metadata: DocumentValue =
        serde_json::from_str(metadata).map_err(|source| DescriptionError::Json { source })?;
    let mut recorder = TrafficRecorder::new(DescriptionFormat::K6Archive);
    let open = |path: &str| {
        let end = path.trim_start_matches(['.', '/']);
        let found = files.iter().find(|(name, _)| name.starts_with("file/") && name.ends_with(end));
        found.map(|(_, text)| text.clone())
    };
    let calls = ScriptText::new(script, &open).calls();
    let mut requests = Vec::new();
    for call in calls {
        requests.extend(request(&call, &mut recorder));
    }
    keep_one_host(requests, &mut recorder);
    let mut description = recorder.finish()?;
    // How often a call is made is for the program to decide.
    description.shares = ShareOrigin::Equal;
    description.operations.iter_mut().for_each(|operation| operation.share = 1);
    let root = DocumentNode::root(&metadata);
    if let Some(thresholds) = root.get("options").and_then(|it| it.get("thresholds")) {
        limits(&thresholds, &mut description);
    }
    Ok(description)
}

/// The texts of an archive by their names.
fn unpack(bytes: &[u8]) -> Result<BTreeMap<String, String>, DescriptionError> {
    let wrong = |source| DescriptionError::Archive { source };
    let mut archive = tar::Archive::new(bytes);
    let mut files = BTreeMap::new();
    let mut left = BYTES_MAX;
    for entry in archive.entries().map_err(wrong)?.take(FILES_MAX) {
        let entry = entry.map_err(wrong)?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let mut text = Vec::new();
        entry.take(FILE_BYTES_MAX.min(left)).read_to_end(&mut text).map_err(wrong)?;
        left = left.saturating_sub(text.len() as u64);
        if let Ok(text) = String::from_utf8(text) {
            files.insert(name, text);
        }
    }
    Ok(files)
}

fn request(call: &HttpCall, recorder: &mut TrafficRecorder) -> Option<RecordedRequest> {
    let place = format!("line {} of the script", call.line);
    let Some(method) = RequestMethod::from_name(&call.method) else {
        recorder.gap(place, GapReason::Method(call.method.clone()));
        return None;
    };
    let CallArgument::Text(url) = &call.url else {
        recorder.gap(place, GapReason::ComputedAddress);
        return None;
    };
    let address = RequestAddress::of_url(url).or_else(|| RequestAddress::of_target(url));
    let Some(address) = address else {
        recorder.gap(place, GapReason::ComputedAddress);
        return None;
    };
    let header = |name: &str| {
        let found = call.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.clone())
    };
    let body = match &call.body {
        CallArgument::Text(text) if method.has_body() => {
            let media_type = header("content-type");
            let media_type = media_type.unwrap_or_else(|| media_type_of(text).to_owned());
            Some(RecordedBody { media_type, text: text.clone() })
        }
        CallArgument::Form(text) if method.has_body() => {
            let media_type = header("content-type");
            let media_type = media_type.unwrap_or_else(|| FORM.to_owned());
            Some(RecordedBody { media_type, text: text.clone() })
        }
        CallArgument::Computed if method.has_body() => {
            recorder.gap(place, GapReason::Script("the body"));
            return None;
        }
        CallArgument::Text(_)
        | CallArgument::Form(_)
        | CallArgument::Computed
        | CallArgument::Nothing => None,
    };
    // A value that is computed is not known; a proof of identity is not written anyway.
    let is_known = |(name, value): &(String, String)| !value.is_empty() || is_credential(name);
    let headers = call.headers.iter().filter(|it| is_known(it)).cloned().collect();
    Some(RecordedRequest { method, address, headers, body, status: None, place })
}

fn media_type_of(text: &str) -> &'static str {
    match text.trim_start().chars().next() {
        Some('<') => "application/xml",
        Some('{' | '[') => "application/json",
        _ => FORM,
    }
}

/// Reads a summary, whose requests are those that its thresholds name by a tag.
pub(super) fn read_summary(value: &DocumentValue) -> Result<ApiDescription, DescriptionError> {
    let root = DocumentNode::root(value);
    let mut recorder = TrafficRecorder::new(DescriptionFormat::K6Summary);
    let mut requests = Vec::new();
    for (name, metric) in root.need("metrics")?.need_fields()? {
        let Some(tags) = name.strip_prefix("http_reqs{") else { continue };
        let tags: BTreeMap<&str, &str> = tags
            .trim_end_matches('}')
            .split(',')
            .filter_map(|tag| tag.trim().split_once(':'))
            .collect();
        let url = tags.get("url").or(tags.get("name")).copied().unwrap_or_default();
        let address = RequestAddress::of_url(url).or_else(|| RequestAddress::of_target(url));
        let method = RequestMethod::from_name(tags.get("method").copied().unwrap_or("GET"));
        match (address, method) {
            (Some(address), Some(method)) if !method.has_body() => requests.push(RecordedRequest {
                method,
                address,
                headers: Vec::new(),
                body: None,
                status: None,
                place: metric.pointer.clone(),
            }),
            (Some(_), Some(_)) => {
                recorder.gap(metric.shown(), GapReason::UnrecordedBody { requests: 1 });
            }
            _ => recorder.gap(metric.shown(), GapReason::ComputedAddress),
        }
    }
    if requests.is_empty() {
        let reason = "a summary of k6 names no request; `k6 archive SCRIPT` makes a file that does";
        return Err(DescriptionError::NoOperation { reason: reason.to_owned() });
    }
    keep_one_host(requests, &mut recorder);
    let mut description = recorder.finish()?;
    let thresholds = root.need("metrics")?;
    for (name, metric) in thresholds.fields() {
        let Some(conditions) = metric.get("thresholds") else { continue };
        for (condition, _) in conditions.fields() {
            limit(name, condition, &mut description);
        }
    }
    Ok(description)
}

/// Adds the thresholds of a script.
fn limits(thresholds: &DocumentNode<'_>, description: &mut ApiDescription) {
    for (metric, conditions) in thresholds.fields() {
        for condition in conditions.items() {
            let text = condition.text().or(condition.text_of("threshold"));
            if let Some(text) = text {
                limit(metric, text, description);
            }
        }
    }
}

/// Adds a threshold as a limit, or as what has no place.
fn limit(metric: &str, condition: &str, description: &mut ApiDescription) {
    let plain: String = condition.chars().filter(|c| !c.is_whitespace()).collect();
    let at = plain.find(['<', '>', '=', '!']).unwrap_or(plain.len());
    let (statistic, bound) = plain.split_at(at);
    let sign = bound.chars().take_while(|c| "<>=!".contains(*c)).collect::<String>();
    let number = bound[sign.len()..].parse::<f64>().ok().filter(|it| (0.0..=1e9).contains(it));
    let written = match (metric, statistic, sign.as_str(), number) {
        ("http_req_duration", "p(95)" | "p(99)" | "med" | "p(50)", "<" | "<=", Some(ms))
            if ms > 0.0 =>
        {
            let key = match statistic {
                "p(95)" => "p95",
                "p(99)" => "p99",
                _ => "p50",
            };
            Some((key, format!("<= {ms} ms")))
        }
        ("http_req_failed", "rate", "<" | "<=" | "==", Some(rate)) if rate <= 1.0 => {
            Some(("errors", format!("{} %", rate * 100.0)))
        }
        _ => None,
    };
    match written {
        Some((key, text)) if description.limits.iter().all(|(other, _)| other != key) => {
            description.limits.push((key.to_owned(), text));
        }
        Some(_) | None => {
            let reason = GapReason::Threshold(format!("{metric} {condition}"));
            description.gaps.push(CarryGap::new("thresholds", reason));
        }
    }
}
