//! Writes operations as tables of a configuration, and their bodies as files beside it.

use suite::config::quoted;

use crate::description::api::{
    ApiDescription, DescribedOperation, HeaderText, OperationBody, ShareOrigin,
};
use crate::description::credentials::NeededVariable;

/// The folder of bodies, beside the configuration.
const FOLDER: &str = "xmlperf";
/// Longest body that stands in the configuration itself, in bytes.
const TEXT_BYTES_MAX: usize = 160;
/// Largest sum of the shares of a mix that is written as it was counted.
const SHARES_MAX: u64 = 1_000;
/// Gaps that are listed in the configuration.
const GAPS_MAX: usize = 40;

/// The part of a configuration that says what is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestTables {
    /// `[[operation]]` and `[[scenario]]`.
    pub text: String,
    /// Files that they name.
    pub files: Vec<BodyFile>,
}

/// A file with a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyFile {
    /// Its path from the folder of the configuration.
    pub path: String,
    /// All of it.
    pub text: String,
}

impl RequestTables {
    /// Writes what a description has. `name` is that of the description, for a comment.
    pub fn new(description: &ApiDescription, name: &str) -> Self {
        let mut tables = Self { text: opening(description, name), files: Vec::new() };
        for operation in &description.operations {
            tables.operation(operation);
        }
        tables.scenario(description);
        tables
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn operation(&mut self, operation: &DescribedOperation) {
        self.line("[[operation]]");
        let origin = comment(&operation.origin);
        self.line(&format!("name = {} # {origin}", quoted(&operation.name)));
        self.line(&format!("method = {}", quoted(operation.method.name())));
        self.line(&format!("path = {}", quoted(&operation.path)));
        if operation.method.has_body() {
            self.body(operation);
        }
        if !operation.headers.is_empty() {
            let header = |(name, text): &(String, HeaderText)| match text {
                HeaderText::Template(text) => format!("{} = {}", key(name), quoted(text)),
                HeaderText::Variable(variable) => {
                    format!("{} = {{ from = {} }}", key(name), quoted(variable))
                }
            };
            let headers: Vec<String> = operation.headers.iter().map(header).collect();
            self.line(&format!("headers = {{ {} }}", headers.join(", ")));
        }
        if let Some(status) = operation.status {
            self.line(&format!("expect = [{{ status = {status} }}]"));
        }
        self.line("");
    }

    fn body(&mut self, operation: &DescribedOperation) {
        if let Some(media_type) = &operation.content_type {
            self.line(&format!("content-type = {}", quoted(media_type)));
        }
        match &operation.body {
            OperationBody::Nothing => self.line("text = \"\""),
            OperationBody::Template(text)
                if text.len() <= TEXT_BYTES_MAX && !text.trim_end().contains('\n') =>
            {
                self.line(&format!("text = {}", quoted(text)));
            }
            OperationBody::Template(text) => {
                let end = file_end(operation.content_type.as_deref().unwrap_or_default());
                let path = format!("{FOLDER}/{}.{end}", operation.name);
                self.line(&format!("template = {}", quoted(&path)));
                self.files.push(BodyFile { path, text: text.clone() });
            }
            OperationBody::Documents(documents) => {
                let folder = format!("{FOLDER}/{}", operation.name);
                self.line("kind = \"raw-xml\"");
                self.line(&format!("corpus = {}", quoted(&folder)));
                for (number, text) in (1..).zip(documents) {
                    let path = format!("{folder}/{number:04}.xml");
                    self.files.push(BodyFile { path, text: text.clone() });
                }
            }
        }
    }

    fn scenario(&mut self, description: &ApiDescription) {
        let sent = || description.operations.iter().filter(|operation| operation.is_sent);
        // A description of deletions alone is still one.
        let sent: Vec<_> = if sent().next().is_some() {
            sent().collect()
        } else {
            description.operations.iter().collect()
        };
        let shares: Vec<u64> = sent.iter().map(|operation| operation.share).collect();
        let shares = scaled(&shares).into_iter().zip(&sent);
        let share = |(share, operation): (u64, &&DescribedOperation)| {
            format!("{} = {share}", key(&operation.name))
        };
        let mix: Vec<String> = shares.map(share).collect();
        self.line("[[scenario]]");
        self.line("name = \"traffic\"");
        match description.shares {
            ShareOrigin::Counted => self.line("# The shares are those of the recording."),
            ShareOrigin::Equal => {
                self.line("# Equal shares, as the description says nothing of them.");
            }
        }
        self.line(&format!("mix = {{ {} }}", mix.join(", ")));
        let has_errors = description.limits.iter().any(|(key, _)| key == "errors");
        let errors = ("errors".to_owned(), "0 %".to_owned());
        let limits = description.limits.iter().chain((!has_errors).then_some(&errors));
        let limits = limits.map(|(key, text)| format!("{key} = {}", quoted(text)));
        self.line(&format!("limits = {{ {} }}", limits.collect::<Vec<_>>().join(", ")));
    }
}

fn opening(description: &ApiDescription, name: &str) -> String {
    let count = units::text::plural(description.operations.len(), "operation");
    let mut text =
        format!("# What is sent is from {} ({}): {count}.\n", comment(name), description.format);
    for NeededVariable { name, place } in &description.variables {
        text.extend([format!(
            "# The variable {name} must hold {}; it is written nowhere.\n",
            comment(place)
        )]);
    }
    if !description.gaps.is_empty() {
        text.push_str("# Not carried over, or only in part:\n");
    }
    for gap in description.gaps.iter().take(GAPS_MAX) {
        text.extend([format!("# - {}\n", comment(&gap.to_string()))]);
    }
    if let Some(more @ 1..) = description.gaps.len().checked_sub(GAPS_MAX) {
        text.extend([format!("# - and {more} more\n")]);
    }
    text + "\n"
}

/// A text as a part of a comment.
fn comment(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
}

/// A key of a table, in quotes where it needs them.
fn key(name: &str) -> String {
    let is_bare = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if is_bare { name.to_owned() } else { quoted(name) }
}

/// Shares whose sum a mix can have, each at least 1.
fn scaled(shares: &[u64]) -> Vec<u64> {
    let sum = shares.iter().fold(0_u64, |sum, share| sum.saturating_add(*share)).max(1);
    if sum <= SHARES_MAX {
        let common = shares.iter().fold(0, |a, b| divisor(a, *b)).max(1);
        return shares.iter().map(|share| (share / common).max(1)).collect();
    }
    let part = |share: &u64| {
        let part = u128::from(*share) * u128::from(SHARES_MAX) / u128::from(sum);
        u64::try_from(part).unwrap_or(SHARES_MAX).max(1)
    };
    shares.iter().map(part).collect()
}

fn divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { divisor(b, a % b) }
}

fn file_end(media_type: &str) -> &'static str {
    if media_type.contains("xml") {
        "xml.j2"
    } else if media_type.contains("json") {
        "json.j2"
    } else {
        "txt.j2"
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn shares_keep_their_order_and_fit_a_mix(
            shares in proptest::collection::vec(1_u64..=1 << 40, 1..50)
        ) {
            let scaled = scaled(&shares);
            prop_assert!((1..=2 * SHARES_MAX).contains(&scaled.iter().sum()));
            for (a, b) in shares.iter().zip(&scaled) {
                for (c, d) in shares.iter().zip(&scaled) {
                    prop_assert!(a > c || b <= d);
                }
            }
        }
    }
}
