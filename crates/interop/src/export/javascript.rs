//! Texts as JavaScript.

use payload::{LivePart, LiveText};
use serde_json::json;

/// Returns a string literal.
pub(super) fn literal(text: &str) -> String {
    json!(text).to_string()
}

/// Returns an expression for a text, in which `v` has the values that are known only when it is sent.
pub(super) fn expression(text: &LiveText) -> String {
    let parts: Vec<String> = text.0.iter().map(part).collect();
    if parts.is_empty() { literal("") } else { parts.join(" + ") }
}

/// Returns a literal, or where something stays open a function of the values.
pub(super) fn text_or_function(text: &LiveText) -> String {
    match text.fixed() {
        Some(text) => literal(&text),
        None => format!("(v) => {}", expression(text)),
    }
}

fn part(part: &LivePart) -> String {
    match part {
        LivePart::Text(text) => literal(text),
        LivePart::Value(name) => format!("v.{name}"),
        LivePart::Sha1(inner) => format!("sha1({}, 'hex')", bytes(inner)),
        LivePart::Base64(inner) => format!("base64({})", bytes(inner)),
        LivePart::Json(inner) => format!("json({})", expression(inner)),
        LivePart::Xml(inner) => format!("xml({})", expression(inner)),
    }
}

/// A text, or the bytes of a digest where it is nothing else.
fn bytes(text: &LiveText) -> String {
    match text.0.as_slice() {
        [LivePart::Sha1(inner)] => format!("sha1({}, 'binary')", bytes(inner)),
        _ => expression(text),
    }
}
