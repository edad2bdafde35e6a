//! Reads HAR files (1.1 to 1.3), as browsers and proxies save them.
//!
//! Through the JSON as it is rather than the types of a crate: what browsers write lacks fields that the
//! format asks for, and one of them must not cost the whole file.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use load::RequestMethod;

use crate::description::address::RequestAddress;
use crate::description::api::ApiDescription;
use crate::description::document::{DocumentNode, DocumentValue};
use crate::description::failure::DescriptionError;
use crate::description::format::DescriptionFormat;
use crate::description::gap::GapReason;
use crate::description::recording::{
    RecordedBody, RecordedRequest, TrafficRecorder, is_success, keep_one_host,
};

/// Reads a recording.
pub(super) fn read(value: &DocumentValue) -> Result<ApiDescription, DescriptionError> {
    let entries = DocumentNode::root(value).need("log")?.need("entries")?.need_items()?;
    let mut recorder = TrafficRecorder::new(DescriptionFormat::Har);
    let mut requests = Vec::new();
    let (mut files, mut failed) = (0, 0);
    for entry in &entries {
        let status = entry.get("response").and_then(|it| it.number_of("status"));
        let status = status.and_then(units::whole).and_then(|it| u16::try_from(it).ok());
        if is_file(entry) {
            files += 1;
        } else if status.is_some_and(|status| !is_success(status)) {
            failed += 1;
        } else {
            requests.extend(request(entry, status, &mut recorder)?);
        }
    }
    for (count, reason) in
        [(files, GapReason::StaticFiles(files)), (failed, GapReason::FailedRequests(failed))]
    {
        if count > 0 {
            recorder.gap("/log/entries", reason);
        }
    }
    keep_one_host(requests, &mut recorder);
    recorder.finish()
}

/// Whether an answer is a part of a page rather than of an API.
fn is_file(entry: &DocumentNode<'_>) -> bool {
    let content = entry.get("response").and_then(|it| it.get("content"));
    let media = content.as_ref().and_then(|it| it.text_of("mimeType")).unwrap_or_default();
    let is_image = media.starts_with("image/") && !media.contains("svg");
    let starts = ["font/", "text/css", "text/javascript", "video/", "audio/", "application/font"];
    is_image || media.contains("javascript") || starts.iter().any(|start| media.starts_with(start))
}

fn request(
    entry: &DocumentNode<'_>,
    status: Option<u16>,
    recorder: &mut TrafficRecorder,
) -> Result<Option<RecordedRequest>, DescriptionError> {
    let request = entry.need("request")?;
    let word = request.need("method")?.need_text()?.to_uppercase();
    let Some(method) = RequestMethod::from_name(&word) else {
        recorder.gap(request.pointer, GapReason::Method(word));
        return Ok(None);
    };
    let Some(address) = RequestAddress::of_url(request.need("url")?.need_text()?) else {
        return Ok(None);
    };
    let headers = request.items_of("headers");
    let pair = |header: &DocumentNode<'_>| {
        Some((header.text_of("name")?.to_owned(), header.text_of("value")?.to_owned()))
    };
    let headers: Vec<(String, String)> = headers.iter().filter_map(pair).collect();
    let body = match request.get("postData") {
        Some(data) if method.has_body() => {
            let body = body(&data);
            if body.is_none() {
                recorder.gap(request.pointer, GapReason::BinaryBody);
                return Ok(None);
            }
            body
        }
        _ => None,
    };
    let place = entry.pointer.clone();
    Ok(Some(RecordedRequest { method, address, headers, body, status, place }))
}

/// The body of a request; none if it is not text.
fn body(data: &DocumentNode<'_>) -> Option<RecordedBody> {
    let media_type = data.text_of("mimeType").unwrap_or("application/octet-stream").to_owned();
    if media_type.starts_with("multipart/") {
        return None;
    }
    let text = match (data.text_of("text"), data.text_of("encoding")) {
        (Some(text), Some("base64")) => {
            String::from_utf8(BASE64_STANDARD.decode(text).ok()?).ok()?
        }
        (Some(text), _) if !text.is_empty() || data.items_of("params").is_empty() => {
            text.to_owned()
        }
        _ => {
            let pair = |param: &DocumentNode<'_>| {
                Some(format!("{}={}", param.text_of("name")?, param.text_of("value")?))
            };
            let pairs: Vec<String> = data.items_of("params").iter().filter_map(pair).collect();
            pairs.join("&")
        }
    };
    Some(RecordedBody { media_type, text })
}
