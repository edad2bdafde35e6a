//! Requests as they were recorded, put together into operations.
//!
//! Requests that differ only in numbers of their paths and in values of their queries are of one operation: a
//! service has one handler for them. Each keeps some of the different requests that were seen, which are sent
//! in turn.

use std::collections::BTreeMap;

use load::RequestMethod;
use payload::Corpus;

use crate::description::address::RequestAddress;
use crate::description::api::{
    ApiDescription, DescribedOperation, HeaderText, OperationBody, ShareOrigin,
};
use crate::description::credentials::{CredentialNames, is_credential};
use crate::description::failure::DescriptionError;
use crate::description::format::DescriptionFormat;
use crate::description::gap::{CarryGap, GapReason};
use crate::description::template_text::{in_turn, literal, templates_in_turn, whole};

/// Different requests of one operation that are kept.
const VARIANTS_MAX: usize = 16;
/// Operations that are kept, the most frequent ones.
const OPERATIONS_MAX: usize = 50;

/// Headers that a client writes by itself, or that speak of its cache and its place.
const CLIENT_HEADERS: [&str; 28] = [
    "accept-encoding",
    "accept-language",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "dnt",
    "expect",
    "forwarded",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "keep-alive",
    "origin",
    "postman-token",
    "pragma",
    "priority",
    "proxy-connection",
    "range",
    "referer",
    "te",
    "traceparent",
    "tracestate",
    "transfer-encoding",
    "upgrade-insecure-requests",
    "user-agent",
];

/// A request that was recorded.
#[derive(Debug, Clone)]
pub(super) struct RecordedRequest {
    pub(super) method: RequestMethod,
    pub(super) address: RequestAddress,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Option<RecordedBody>,
    pub(super) status: Option<u16>,
    /// Where it stands in the recording.
    pub(super) place: String,
}

/// The body of a recorded request.
#[derive(Debug, Clone)]
pub(super) struct RecordedBody {
    pub(super) media_type: String,
    pub(super) text: String,
}

/// What requests of one operation have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct OperationKey {
    method: &'static str,
    /// The path with `*` for what differs.
    path: String,
    /// The names in the query, sorted.
    query: Vec<String>,
    /// The action of a SOAP request, which all have one path.
    action: String,
}

/// Collects requests.
#[derive(Debug)]
pub(super) struct TrafficRecorder {
    description: ApiDescription,
    operations: BTreeMap<OperationKey, RecordedOperation>,
    credentials: CredentialNames,
}

#[derive(Debug)]
struct RecordedOperation {
    /// Its place among those that were seen.
    number: usize,
    count: u64,
    requests: Vec<RecordedRequest>,
    /// All different requests, those beyond the kept ones too.
    different: usize,
}

impl TrafficRecorder {
    pub(super) fn new(format: DescriptionFormat) -> Self {
        Self {
            description: ApiDescription::new(format),
            operations: BTreeMap::new(),
            credentials: CredentialNames::default(),
        }
    }

    pub(super) fn gap(&mut self, place: impl Into<String>, reason: GapReason) {
        self.description.gaps.push(CarryGap::new(place, reason));
    }

    /// Takes note of a request.
    pub(super) fn add(&mut self, request: RecordedRequest) {
        let number = self.operations.len();
        let known = self.operations.entry(key(&request)).or_insert_with(|| RecordedOperation {
            number,
            count: 0,
            requests: Vec::new(),
            different: 0,
        });
        known.count += 1;
        let is_known = known.requests.iter().any(|other| is_same(other, &request));
        if is_known {
            return;
        }
        known.different += 1;
        if known.requests.len() < VARIANTS_MAX {
            known.requests.push(request);
        }
    }

    /// Returns the operations, the most frequent ones first.
    pub(super) fn finish(mut self) -> Result<ApiDescription, DescriptionError> {
        let mut operations: Vec<(OperationKey, RecordedOperation)> =
            std::mem::take(&mut self.operations).into_iter().collect();
        operations.sort_by_key(|(_, it)| (std::cmp::Reverse(it.count), it.number));
        let rare = operations.len().saturating_sub(OPERATIONS_MAX);
        operations.truncate(OPERATIONS_MAX);
        if rare > 0 {
            self.gap("rare requests", GapReason::RareOperations(rare));
        }
        for (key, recorded) in operations {
            let operation = self.operation(&key, &recorded);
            self.description.operations.push(operation);
        }
        if self.description.operations.is_empty() {
            let reasons: Vec<String> =
                self.description.gaps.iter().map(ToString::to_string).collect();
            let reason = if reasons.is_empty() {
                "it has no request".to_owned()
            } else {
                reasons.join("; ")
            };
            return Err(DescriptionError::NoOperation { reason });
        }
        self.description.shares = ShareOrigin::Counted;
        self.description.variables = self.credentials.into_variables();
        Ok(self.description)
    }

    fn operation(
        &mut self,
        key: &OperationKey,
        recorded: &RecordedOperation,
    ) -> DescribedOperation {
        let first = &recorded.requests[0];
        let name = name(key);
        let origin = first.place.clone();
        let mut operation = DescribedOperation::new(&name, first.method, String::new(), origin);
        operation.share = recorded.count;
        operation.path = self.path(&recorded.requests);
        operation.headers = self.headers(&name, &recorded.requests);
        // A part of a document is answered in full where no `Range` is sent.
        let is_whole = |status: &u16| (200..300).contains(status) && *status != 206;
        operation.status = first.status.filter(is_whole);
        let same = recorded.requests.iter().all(|it| it.status == first.status);
        operation.status = operation.status.filter(|_| same);
        operation.content_type = first.body.as_ref().map(|body| body.media_type.clone());
        operation.body = self.body(&recorded.requests);
        if recorded.different > recorded.requests.len() {
            let (found, kept) = (recorded.different, recorded.requests.len());
            self.gap(name.as_str(), GapReason::MoreVariants { found, kept });
        }
        if first.method == RequestMethod::Delete {
            operation.is_sent = false;
            self.gap(name.as_str(), GapReason::Deletion);
        }
        operation
    }

    /// The path and the query, of each request in turn.
    fn path(&mut self, requests: &[RecordedRequest]) -> String {
        let mut paths: Vec<String> = requests.iter().map(|it| it.address.path.clone()).collect();
        let mut queries: Vec<Option<String>> = Vec::new();
        for request in requests {
            let query = request.address.query.as_deref();
            queries.push(query.map(|query| self.credentials.query(query)));
        }
        let is_one = |all: &[String]| all.windows(2).all(|pair| pair[0] == pair[1]);
        let queries: Vec<String> = queries
            .into_iter()
            .map(|it| it.map_or_else(String::new, |it| format!("?{it}")))
            .collect();
        if is_one(&paths) {
            paths.truncate(1);
        }
        let path = match paths.as_slice() {
            [only] => self.credentials.text(only),
            several => {
                let start = common_start(several);
                let ends: Vec<String> = several.iter().map(|it| it[start..].to_owned()).collect();
                let templates: Vec<String> =
                    ends.iter().map(|end| self.credentials.text(end)).collect();
                let is_plain = templates.iter().zip(&ends).all(|(it, end)| *it == literal(end));
                let ends = if is_plain { in_turn(&ends) } else { templates_in_turn(&templates) };
                format!("{}{ends}", literal(&several[0][..start]))
            }
        };
        let query = if is_one(&queries) { queries[0].clone() } else { templates_in_turn(&queries) };
        path + &query
    }

    /// Headers of the requests that are a client's own choice.
    fn headers(&mut self, name: &str, requests: &[RecordedRequest]) -> Vec<(String, HeaderText)> {
        let mut headers: Vec<(String, HeaderText)> = Vec::new();
        for (header, value) in &requests[0].headers {
            let lower = header.to_lowercase();
            let is_client = lower.starts_with(':')
                || lower.starts_with("sec-")
                || lower.starts_with("x-forwarded-")
                || CLIENT_HEADERS.contains(&lower.as_str());
            let is_there = headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(header));
            if is_client || is_there || value.chars().any(char::is_control) {
                continue;
            }
            if is_credential(header) {
                let place = format!("the header {header}");
                let variable = self.credentials.variable(header, &place);
                headers.push((header.clone(), HeaderText::Variable(variable)));
                continue;
            }
            let is_same = |other: &RecordedRequest| {
                other
                    .headers
                    .iter()
                    .any(|(it, text)| it.eq_ignore_ascii_case(header) && text == value)
            };
            if requests.iter().all(is_same) {
                let text = self.credentials.text(value);
                headers.push((header.clone(), HeaderText::Template(text)));
            } else {
                self.gap(name, GapReason::VaryingHeader(header.clone()));
            }
        }
        headers
    }

    /// The different bodies: documents of XML as they are, all others as one template.
    fn body(&mut self, requests: &[RecordedRequest]) -> OperationBody {
        let bodies: Vec<&RecordedBody> =
            requests.iter().filter_map(|it| it.body.as_ref()).collect();
        if bodies.is_empty() {
            return OperationBody::Nothing;
        }
        let mut templates: Vec<String> = Vec::new();
        let mut is_plain = true;
        for body in &bodies {
            let template = self.credentials.body(&body.media_type, &body.text);
            is_plain &= template == literal(&body.text);
            if !templates.contains(&template) {
                templates.push(template);
            }
        }
        let mut documents: Vec<String> = bodies.iter().map(|body| body.text.clone()).collect();
        documents.dedup();
        let files = documents.iter().map(|text| ("body".to_owned(), text.clone().into_bytes()));
        let is_corpus = is_plain && documents.len() > 1 && Corpus::new(files.collect()).is_ok();
        if is_corpus {
            OperationBody::Documents(documents)
        } else {
            OperationBody::Template(whole(templates_in_turn(&templates)))
        }
    }
}

/// Whether an answer is one that a load may count on. One that was in a cache is answered in full without it.
pub(super) fn is_success(status: u16) -> bool {
    (200..300).contains(&status) || status == 304
}

/// Adds the requests to the host that most are sent to.
pub(super) fn keep_one_host(requests: Vec<RecordedRequest>, recorder: &mut TrafficRecorder) {
    let mut hosts: Vec<(String, u64)> = Vec::new();
    // A request without a host is one to whatever is measured.
    for request in requests.iter().filter(|request| !request.address.host.is_empty()) {
        match hosts.iter_mut().find(|(host, _)| *host == request.address.host) {
            Some((_, count)) => *count += 1,
            None => hosts.push((request.address.host.clone(), 1)),
        }
    }
    // The first of those that are equal: it is the page that was opened.
    hosts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    for (host, requests) in hosts.iter().skip(1) {
        let (host, requests) = (host.clone(), *requests);
        recorder.gap("other hosts", GapReason::OtherHost { host, requests });
    }
    let main = hosts.first().map_or("", |(host, _)| host.as_str());
    for request in requests {
        if request.address.host.is_empty() || request.address.host == main {
            recorder.add(request);
        }
    }
}

/// Whether two requests are the same in what is kept.
fn is_same(a: &RecordedRequest, b: &RecordedRequest) -> bool {
    let text = |it: &RecordedRequest| it.body.as_ref().map(|body| body.text.clone());
    a.address.path == b.address.path && a.address.query == b.address.query && text(a) == text(b)
}

/// Length of what all paths begin with, up to a `/`.
fn common_start(paths: &[String]) -> usize {
    let first = paths.first().map_or("", String::as_str);
    let same =
        |other: &String| first.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    let length = paths.iter().map(same).min().unwrap_or(0);
    first[..length].rfind('/').map_or(0, |at| at + 1)
}

fn key(request: &RecordedRequest) -> OperationKey {
    let header = |name: &str| {
        let found = request.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim_matches('"').to_owned())
    };
    let media_type = request.body.as_ref().map_or("", |body| body.media_type.as_str());
    let of_media =
        media_type.split("action=").nth(1).map(|it| it.trim_matches(['"', ';']).to_owned());
    let query = request.address.query.as_deref().unwrap_or_default();
    let names = query.split('&').map(|pair| pair.split('=').next().unwrap_or_default().to_owned());
    let mut names: Vec<String> = names.filter(|name| !name.is_empty()).collect();
    names.sort();
    names.dedup();
    OperationKey {
        method: request.method.name(),
        path: request.address.path.split('/').map(kind_of_part).collect::<Vec<_>>().join("/"),
        query: names,
        action: header("SOAPAction").or(of_media).unwrap_or_default(),
    }
}

/// A part of a path, or `*` where it looks like a number of something.
fn kind_of_part(part: &str) -> &str {
    let digits = part.bytes().filter(u8::is_ascii_digit).count();
    let is_hex = part.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let is_number = digits > 0 && digits == part.len();
    let is_long_hex = is_hex && part.len() >= 12 && digits > 0;
    // `ORD-20260131`, but not `v1`.
    let is_mixed = digits >= 4 && digits * 2 >= part.len();
    if is_number || is_long_hex || is_mixed { "*" } else { part }
}

/// `get-orders`, or the last word of the action of SOAP.
fn name(key: &OperationKey) -> String {
    if let Some(word) = key.action.rsplit(['/', ':', '#']).next().filter(|word| !word.is_empty()) {
        return word.to_owned();
    }
    let path = key.path.replace('*', "id").replace('/', "-");
    format!("{}{}", key.method.to_lowercase(), path.trim_end_matches('-'))
}
