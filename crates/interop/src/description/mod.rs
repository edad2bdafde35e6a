//! Reads descriptions of APIs and recordings of their traffic, as operations that can be sent.
//!
//! Nothing is sent and nothing is fetched. What of a description has no place among operations is a
//! [`CarryGap`]; what proves who sends a request is never kept: a variable of the environment stands for it.
//!
//! ```
//! use xmlperf_interop::description::{self, RequestTables};
//!
//! let text = r#"{"openapi": "3.1.0", "paths": {"/up": {"get": {"responses": {"204": {}}}}}}"#;
//! let description = description::read(text.as_bytes(), &|_| None)?;
//! let tables = RequestTables::new(&description, "api.json");
//! assert!(tables.text.contains("path = \"/up\""));
//! # Ok::<(), description::DescriptionError>(())
//! ```

mod access_log;
mod address;
mod api;
mod credentials;
mod document;
mod failure;
mod format;
mod gap;
mod har;
mod javascript;
mod json_sample;
mod k6;
mod openapi;
mod postman;
mod recording;
mod script_token;
mod tables;
mod template_text;
mod wsdl;

use crate::description::document::DocumentValue;

pub use crate::description::api::{
    ApiDescription, DescribedOperation, HeaderText, OperationBody, ShareOrigin,
};
pub use crate::description::credentials::NeededVariable;
pub use crate::description::failure::DescriptionError;
pub use crate::description::format::DescriptionFormat;
pub use crate::description::gap::{CarryGap, GapReason};
pub use crate::description::tables::{BodyFile, RequestTables};

/// Reads a description. `beside` returns the text of a file that it names, by the path from its folder.
///
/// The content says which form it is of. Fails if it is of none, cannot be read, or has nothing that could be
/// sent.
pub fn read(
    bytes: &[u8],
    beside: &dyn Fn(&str) -> Option<String>,
) -> Result<ApiDescription, DescriptionError> {
    let mut description = of_form(bytes, beside)?;
    description.settle();
    if description.operations.is_empty() {
        let gaps: Vec<String> = description.gaps.iter().map(ToString::to_string).collect();
        let reason =
            if gaps.is_empty() { "it has no operation".to_owned() } else { gaps.join("; ") };
        return Err(DescriptionError::NoOperation { reason });
    }
    Ok(description)
}

fn of_form(
    bytes: &[u8],
    beside: &dyn Fn(&str) -> Option<String>,
) -> Result<ApiDescription, DescriptionError> {
    if k6::is_archive(bytes) {
        return k6::read_archive(bytes);
    }
    let unknown = |found: &str| DescriptionError::UnknownFormat { found: found.to_owned() };
    let Ok(text) = std::str::from_utf8(bytes) else { return Err(unknown("not text in UTF-8")) };
    let text = text.trim_start_matches('\u{feff}');
    match text.trim_start().chars().next() {
        None => Err(unknown("empty")),
        Some('<') => wsdl::read(text, beside),
        Some('{' | '[') => of_fields(&json(text)?),
        Some(_) if access_log::fits(text) => access_log::read(text),
        Some(_) if text.lines().any(is_root) => of_fields(&yaml(text)?),
        Some(_) => {
            let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
            let first: String = first.chars().take(60).collect();
            Err(unknown(&format!("text that begins with `{first}`")))
        }
    }
}

/// Whether a line of YAML is the key of a description.
fn is_root(line: &str) -> bool {
    ["openapi:", "swagger:", "\"openapi\":", "log:"].iter().any(|start| line.starts_with(start))
}

fn of_fields(value: &DocumentValue) -> Result<ApiDescription, DescriptionError> {
    let has = |pointer: &str| value.at(pointer).is_some();
    if has("/openapi") {
        openapi::read(value)
    } else if has("/log/entries") {
        har::read(value)
    } else if has("/info/schema") && has("/item") {
        postman::read(value)
    } else if has("/metrics") {
        k6::read_summary(value)
    } else if has("/swagger") {
        let found = value.at("/swagger").and_then(DocumentValue::plain).unwrap_or_default();
        Err(DescriptionError::Version {
            pointer: "/swagger".to_owned(),
            found,
            wanted: "a version of OpenAPI from 3.0 on",
            help: "a description of Swagger 2 is converted by `swagger2openapi`",
        })
    } else {
        let fields = match value {
            DocumentValue::Fields(fields) => fields.as_slice(),
            _ => &[],
        };
        let keys: Vec<&str> = fields.iter().take(6).map(|(key, _)| key.as_str()).collect();
        let keys = keys.join("`, `");
        Err(DescriptionError::UnknownFormat { found: format!("JSON or YAML with `{keys}`") })
    }
}

fn json(text: &str) -> Result<DocumentValue, DescriptionError> {
    serde_json::from_str(text).map_err(|source| DescriptionError::Json { source })
}

fn yaml(text: &str) -> Result<DocumentValue, DescriptionError> {
    serde_saphyr::from_str(text).map_err(|error: serde_saphyr::Error| {
        // What follows shows the lines of the text, which a person has.
        let reason = error.to_string();
        let first = reason.lines().next().unwrap_or_default();
        DescriptionError::Yaml { reason: first.trim_start_matches("error: ").to_owned() }
    })
}

#[cfg(test)]
mod tests;
