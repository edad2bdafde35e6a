//! The files of an export.

use std::fmt;
use std::sync::Arc;

use load::BodySource;
use runner::{ListedBody, ListedRequest};
use sha2::{Digest as _, Sha256};

use crate::export::javascript::expression;
use crate::export::plan::ExportPlan;

/// The file with the digests of all others.
pub const SUMS_FILE: &str = "SHA256SUMS";

/// Begins the file with the digests.
pub const SUMS_TITLE: &str = "# written by xmlperf export";

/// One file.
#[derive(Debug, Clone)]
pub struct ExportFile {
    /// Its name; all lie in one folder.
    pub name: String,
    /// What is in it.
    pub content: ExportContent,
    /// Whether it is there to be started.
    pub is_program: bool,
}

/// What is in a file.
#[derive(Clone)]
pub enum ExportContent {
    /// A text.
    Text(String),
    /// A body as it is sent, before it is cut into chunks.
    Body(Arc<dyn BodySource>),
}

impl fmt::Debug for ExportContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.debug_tuple("Text").field(text).finish(),
            Self::Body(_) => f.debug_tuple("Body").finish_non_exhaustive(),
        }
    }
}

impl ExportFile {
    pub(super) fn text(name: &str, text: String) -> Self {
        Self { name: name.to_owned(), content: ExportContent::Text(text), is_program: false }
    }

    pub(super) fn program(name: &str, text: String) -> Self {
        Self { is_program: true, ..Self::text(name, text) }
    }

    /// Calls `each` with the pieces of the content, until it returns an error.
    pub fn for_each_piece<E>(&self, mut each: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        match &self.content {
            ExportContent::Text(text) => each(text.as_bytes()),
            ExportContent::Body(source) => {
                let (mut pieces, mut piece) = (source.begin(), Vec::new());
                while pieces.next_into(&mut piece) {
                    each(&piece)?;
                    piece.clear();
                }
                Ok(())
            }
        }
    }

    /// Returns all of it.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let Ok(()) = self.for_each_piece(|piece| {
            bytes.extend_from_slice(piece);
            Ok::<(), std::convert::Infallible>(())
        });
        bytes
    }

    /// Returns its SHA-256 digest, in hexadecimal digits, and its size in bytes.
    pub(super) fn measure(&self) -> (String, u64) {
        let (mut digest, mut size) = (Sha256::new(), 0);
        let Ok(()) = self.for_each_piece(|piece| {
            digest.update(piece);
            size += piece.len() as u64;
            Ok::<(), std::convert::Infallible>(())
        });
        (units::hex(&digest.finalize()), size)
    }
}

/// Returns the name of the file with a body.
pub(super) fn body_name(plan: &ExportPlan<'_>, request: &ListedRequest) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let name: String = plan
        .operation_name(request.operation)
        .chars()
        .map(|c| if is_plain(c) { c } else { '-' })
        .collect();
    let media_type = request.media_type.as_deref().unwrap_or_default();
    let ending = match media_type {
        _ if is_compressed(request) => "gz",
        it if it.contains("json") => "json",
        it if it.contains("xml") => "xml",
        _ => "body",
    };
    // Names of operations may be alike once they are plain, and their numbers are not.
    format!("{name}-{}-{}.{ending}", request.operation, request.number)
}

fn is_compressed(request: &ListedRequest) -> bool {
    request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-encoding"))
}

/// Returns the bodies that are known.
pub(super) fn bodies(plan: &ExportPlan<'_>) -> Vec<ExportFile> {
    let file = |request: &ListedRequest| match &request.body {
        ListedBody::Known(source, _) => Some(ExportFile {
            name: body_name(plan, request),
            content: ExportContent::Body(Arc::clone(source)),
            is_program: false,
        }),
        ListedBody::Nothing | ListedBody::Live(_) => None,
    };
    plan.listing.requests.iter().filter_map(file).collect()
}

/// Returns the digests of all files, for `sha256sum -c`.
pub(super) fn sums(files: &[ExportFile]) -> ExportFile {
    let line = |file: &ExportFile| format!("{}  {}\n", file.measure().0, file.name);
    let lines: String = files.iter().map(line).collect();
    ExportFile::text(SUMS_FILE, format!("{SUMS_TITLE}\n{lines}"))
}

/// Returns one digest of all that is sent.
pub(super) fn payload_digest(plan: &ExportPlan<'_>) -> String {
    let mut digest = Sha256::new();
    for request in &plan.listing.requests {
        digest.update(format!("{} {}\n", request.method.name(), expression(&request.path)));
        for (name, value) in &request.headers {
            digest.update(format!("{name}: {}\n", expression(value)));
        }
        if let ListedBody::Live(body) = &request.body {
            digest.update(format!("{}\n", expression(body)));
        }
    }
    for file in bodies(plan) {
        digest.update(file.measure().0);
    }
    units::hex(&digest.finalize())
}
