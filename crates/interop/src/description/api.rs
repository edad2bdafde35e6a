//! What is read of a description: operations as they are sent, and how often.

use std::collections::BTreeSet;

use load::RequestMethod;
use suite::config::OWN_HEADERS;

use crate::description::credentials::NeededVariable;
use crate::description::format::DescriptionFormat;
use crate::description::gap::{CarryGap, GapReason};

/// Longest name of an operation, as configurations take it.
const NAME_CHARS_MAX: usize = 60;

/// An API as a description or a recording has it.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiDescription {
    /// The form it was read from.
    pub format: DescriptionFormat,
    /// What can be sent, in its order.
    pub operations: Vec<DescribedOperation>,
    /// Whether the shares of the operations were seen.
    pub shares: ShareOrigin,
    /// Limits of all requests, as key and text.
    pub limits: Vec<(String, String)>,
    /// What cannot be carried over.
    pub gaps: Vec<CarryGap>,
    /// Variables of the environment that the requests need.
    pub variables: Vec<NeededVariable>,
}

/// Where the shares of operations are from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShareOrigin {
    /// Requests were counted.
    Counted,
    /// The description says nothing of them, so that they are equal.
    Equal,
}

/// One kind of request.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribedOperation {
    /// Its name, once in a description.
    pub name: String,
    /// What it does.
    pub method: RequestMethod,
    /// Where it is sent; a template.
    pub path: String,
    /// Headers beside the media type, as name and value.
    pub headers: Vec<(String, HeaderText)>,
    /// The media type of the body, if there is one.
    pub content_type: Option<String>,
    /// What is sent.
    pub body: OperationBody,
    /// The status of a right answer, where that is one.
    pub status: Option<u16>,
    /// How often it was seen; 1 where that is not known.
    pub share: u64,
    /// Whether it is sent under load, or only written.
    pub is_sent: bool,
    /// Where it stands in the description.
    pub origin: String,
}

/// The value of a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderText {
    /// A template.
    Template(String),
    /// The value of a variable of the environment.
    Variable(String),
}

/// The body of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperationBody {
    /// There is none.
    Nothing,
    /// A template.
    Template(String),
    /// Documents, of which each is a body.
    Documents(Vec<String>),
}

impl DescribedOperation {
    /// Returns an operation without headers and body, seen once.
    pub(super) fn new(name: &str, method: RequestMethod, path: String, origin: String) -> Self {
        Self {
            name: name.to_owned(),
            method,
            path,
            headers: Vec::new(),
            content_type: None,
            body: OperationBody::Nothing,
            status: None,
            share: 1,
            is_sent: true,
            origin,
        }
    }
}

impl ApiDescription {
    /// Returns a description without limits and shares.
    pub(super) fn new(format: DescriptionFormat) -> Self {
        Self {
            format,
            operations: Vec::new(),
            shares: ShareOrigin::Equal,
            limits: Vec::new(),
            gaps: Vec::new(),
            variables: Vec::new(),
        }
    }

    /// Leaves out what a configuration would refuse, and notes it.
    pub(super) fn settle(&mut self) {
        for operation in &mut self.operations {
            let mut kept: Vec<(String, HeaderText)> = Vec::new();
            for (name, text) in std::mem::take(&mut operation.headers) {
                let is_there = kept.iter().any(|(other, _)| other.eq_ignore_ascii_case(&name));
                if is_header(&name, &text) && !is_there {
                    kept.push((name, text));
                } else {
                    let gap = CarryGap::new(operation.name.as_str(), GapReason::Header(name));
                    self.gaps.push(gap);
                }
            }
            operation.headers = kept;
            let is_line = |text: &String| !text.chars().any(char::is_control) && !text.is_empty();
            operation.content_type = operation.content_type.take().filter(is_line);
        }
        self.name_apart();
        let mut listed = BTreeSet::new();
        self.gaps.retain(|gap| listed.insert(gap.clone()));
    }

    /// Makes every name one that a configuration takes, once.
    fn name_apart(&mut self) {
        let mut taken: Vec<String> = Vec::new();
        for operation in &mut self.operations {
            let plain = plain_name(&operation.name, NAME_CHARS_MAX);
            let numbered = (2..).map(|number| {
                let end = format!("-{number}");
                format!("{}{end}", plain_name(&plain, NAME_CHARS_MAX - end.len()))
            });
            let is_free = |name: &String| !taken.contains(name);
            let name = std::iter::once(plain.clone()).chain(numbered).find(is_free);
            operation.name = name.expect("there is always a next number");
            taken.push(operation.name.clone());
        }
    }
}

/// Whether a configuration may have a header: one that says how a body is sent is written as it is sent.
fn is_header(name: &str, text: &HeaderText) -> bool {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let is_own = OWN_HEADERS.iter().any(|own| own.eq_ignore_ascii_case(name));
    let is_line = match text {
        HeaderText::Template(text) => !text.chars().any(char::is_control),
        HeaderText::Variable(_) => true,
    };
    !name.is_empty() && name.chars().all(is_token) && !is_own && is_line
}

/// The text as letters, digits, `.`, `_` and single `-`.
fn plain_name(text: &str, chars_max: usize) -> String {
    let mut name = String::new();
    for c in text.chars().take(chars_max) {
        match c {
            _ if c.is_alphanumeric() || c == '_' || c == '.' => name.push(c),
            _ if name.ends_with('-') || name.is_empty() => {}
            _ => name.push('-'),
        }
    }
    let name = name.trim_end_matches(['-', '.']);
    if name.is_empty() { "request".to_owned() } else { name.to_owned() }
}
