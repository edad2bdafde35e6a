//! Reads access logs in the common and the combined format, as nginx, Apache and others write them.
//!
//! A log has no bodies: requests with one are counted and not carried over. Addresses of clients are not
//! kept.

use std::collections::BTreeMap;

use load::RequestMethod;

use crate::description::address::RequestAddress;
use crate::description::api::ApiDescription;
use crate::description::failure::DescriptionError;
use crate::description::format::DescriptionFormat;
use crate::description::gap::GapReason;
use crate::description::recording::{RecordedRequest, TrafficRecorder, is_success};

/// Paths with bodies that are listed.
const BODIES_MAX: usize = 100;

/// What a line has.
struct LogLine<'a> {
    method: &'a str,
    target: &'a str,
    status: u16,
}

/// Whether a text begins like a log.
pub(super) fn fits(text: &str) -> bool {
    let mut lines = text.lines().filter(|line| !line.trim().is_empty()).take(5).peekable();
    lines.peek().is_some() && lines.any(|line| parse(line).is_some())
}

/// Reads a log.
pub(super) fn read(text: &str) -> Result<ApiDescription, DescriptionError> {
    let mut recorder = TrafficRecorder::new(DescriptionFormat::AccessLog);
    let mut bodies: BTreeMap<String, u64> = BTreeMap::new();
    let (mut failed, mut odd, mut seen) = (0, 0, 0_usize);
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let Some(LogLine { method, target, status }) = parse(line) else {
            odd += 1;
            continue;
        };
        seen += 1;
        let place = format!("line {number}");
        let (Some(method), Some(address)) =
            (RequestMethod::from_name(method), RequestAddress::of_target(target))
        else {
            odd += 1;
            continue;
        };
        if !is_success(status) {
            failed += 1;
        } else if method.has_body() {
            let name = format!("{} {}", method.name(), address.path);
            if bodies.contains_key(&name) || bodies.len() < BODIES_MAX {
                *bodies.entry(name).or_default() += 1;
            }
        } else {
            let (headers, body, status) = (Vec::new(), None, Some(status));
            recorder.add(RecordedRequest { method, address, headers, body, status, place });
        }
    }
    if seen == 0 {
        let first = text.lines().next().unwrap_or_default();
        let found = first.chars().take(60).collect();
        return Err(DescriptionError::LogLine { line: 1, found });
    }
    for (name, requests) in bodies {
        recorder.gap(name, GapReason::UnrecordedBody { requests });
    }
    for (count, reason) in
        [(failed, GapReason::FailedRequests(failed)), (odd, GapReason::OddLines(odd))]
    {
        if count > 0 {
            recorder.gap("the log", reason);
        }
    }
    recorder.finish()
}

/// `HOST - USER [TIME] "GET /PATH HTTP/1.1" 200 SIZE …`
fn parse(line: &str) -> Option<LogLine<'_>> {
    let (_, after_time) = line.split_once('[')?.1.split_once("] \"")?;
    // A quote within the request is escaped by all who write such logs.
    let (request, rest) = after_time.split_once("\" ")?;
    let mut words = request.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let is_request = version.starts_with("HTTP/") && words.next().is_none();
    let status = rest.split(' ').next()?.parse().ok().filter(|it| (100..600).contains(it))?;
    is_request.then_some(LogLine { method, target, status })
}
