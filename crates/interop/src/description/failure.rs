//! Why a description of an API, or a recording of its traffic, cannot be read.

use miette::Diagnostic;
use thiserror::Error;

use crate::description::format::DescriptionFormat;

/// Why a description cannot be read.
#[derive(Debug, Error, Diagnostic)]
pub enum DescriptionError {
    /// It is none of the known forms.
    #[error("this is no known description of an API: it is {found}")]
    #[diagnostic(help("known are {}", DescriptionFormat::names()))]
    UnknownFormat {
        /// What it looks like.
        found: String,
    },
    /// It is of another version of its form.
    #[error("{pointer}: `{found}` is not {wanted}")]
    #[diagnostic(help("{help}"))]
    Version {
        /// Where the version stands.
        pointer: String,
        /// The version.
        found: String,
        /// What is read.
        wanted: &'static str,
        /// How to come from one to the other.
        help: &'static str,
    },
    /// It is not the JSON that it looked like.
    #[error("this is not JSON")]
    Json {
        /// Where and why.
        source: serde_json::Error,
    },
    /// It is not the YAML that it looked like.
    #[error("this is not YAML: {reason}")]
    Yaml {
        /// Where and why, from the parser.
        reason: String,
    },
    /// It is not the XML that it looked like.
    #[error("this is not XML")]
    Xml {
        /// Where and why.
        source: roxmltree::Error,
    },
    /// It is not the archive that it looked like.
    #[error("this is not an archive of k6")]
    #[diagnostic(help("`k6 archive SCRIPT` makes one"))]
    Archive {
        /// Why.
        source: std::io::Error,
    },
    /// An archive lacks a file, or has one that is too large.
    #[error("the archive's `{name}` is missing, or larger than {most} bytes")]
    ArchiveFile {
        /// The file.
        name: &'static str,
        /// What it may have.
        most: u64,
    },
    /// A value is not what it must be.
    #[error("{pointer}: `{found}` is not {wanted}")]
    Field {
        /// Where it stands.
        pointer: String,
        /// What stands there.
        found: String,
        /// What would be right.
        wanted: &'static str,
    },
    /// Something that is always there is not.
    #[error("{pointer} is missing")]
    Missing {
        /// Where it would be.
        pointer: String,
    },
    /// A reference leads nowhere.
    #[error("{pointer}: there is no `{target}` in the document")]
    Dangling {
        /// Where the reference stands.
        pointer: String,
        /// Where it leads.
        target: String,
    },
    /// A reference leads back to itself.
    #[error("{pointer}: the `$ref` leads around in a circle")]
    #[diagnostic(help("a `$ref` must lead to a value that is none itself"))]
    ReferenceLoop {
        /// Where it stands.
        pointer: String,
    },
    /// A line of a log is none.
    #[error("line {line}: `{found}` is not a line of an access log")]
    #[diagnostic(help(
        "the common and the combined format are read: `HOST - - [TIME] \"GET /PATH HTTP/1.1\" 200 SIZE`"
    ))]
    LogLine {
        /// From 1.
        line: usize,
        /// Its beginning.
        found: String,
    },
    /// There is nothing that could be sent.
    #[error("nothing in it can be sent: {reason}")]
    NoOperation {
        /// Why.
        reason: String,
    },
    /// It has more than is read.
    #[error("{found} {what}, at most {most}")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        found: usize,
        /// How much there may be.
        most: usize,
    },
}
