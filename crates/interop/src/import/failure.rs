//! Why a result cannot be read.

use miette::Diagnostic;
use thiserror::Error;

use crate::import::format::ImportFormat;

/// Why a result cannot be read.
#[derive(Debug, Error, Diagnostic)]
pub enum ImportError {
    /// No known tool writes this.
    #[error("no known tool writes this: it is {found}")]
    #[diagnostic(help("known are {}", ImportFormat::names()))]
    UnknownFormat {
        /// What it looks like.
        found: String,
    },
    /// It is of another format than the named one.
    #[error("this is not the form of `{named}`: it looks like that of `{found}`")]
    #[diagnostic(help("leave `--from` out, or take `--from {found}`"))]
    AnotherFormat {
        /// The named one.
        named: ImportFormat,
        /// What fits.
        found: ImportFormat,
    },
    /// It is not of the named format, nor of another one.
    #[error("this is not the form of `{named}`")]
    #[diagnostic(help("`{named}` writes it by {}", named.command()))]
    NotOfFormat {
        /// The named one.
        named: ImportFormat,
    },
    /// Several formats fit.
    #[error("this may be of {}", list(formats))]
    #[diagnostic(help("say which with `--from`"))]
    SeveralFit {
        /// Those that fit.
        formats: Vec<ImportFormat>,
    },
    /// A binary log.
    #[error("this is Gatling's binary log, which it writes since 3.12.1 and describes nowhere")]
    #[diagnostic(help("import `js/global_stats.json` or `js/stats.json` of the same report"))]
    BinaryLog,
    /// Something in it is not what it must be.
    #[error("{place}: `{found}` is not {wanted}")]
    Field {
        /// Where: a line, or a path in the JSON.
        place: String,
        /// What stands there.
        found: String,
        /// What would be right.
        wanted: &'static str,
    },
    /// Something that the format always has is not there.
    #[error("{place} is missing")]
    Missing {
        /// What.
        place: String,
    },
    /// Not the CSV that it looked like.
    #[error("line {line}: {found} fields in place of {wanted}")]
    Fields {
        /// Where, from 1.
        line: u64,
        /// How many.
        found: usize,
        /// How many the header has.
        wanted: usize,
    },
    /// Not the XML that it looked like.
    #[error("not XML at byte {byte}: {reason}")]
    Xml {
        /// Where.
        byte: u64,
        /// Why.
        reason: String,
    },
    /// Two lines of instances are of different scripts.
    #[error(
        "instances of two scripts: `{first}` and `{other}`, or other requests of the same name"
    )]
    #[diagnostic(help("import the logs of one run at a time"))]
    OtherScript {
        /// The scenario of the first.
        first: String,
        /// That of another one.
        other: String,
    },
    /// Instances are missing, or are there twice.
    #[error(
        "expected {expected} instances, got {found}, of which {different} have a number of their own"
    )]
    #[diagnostic(help(
        "`kubectl logs -l k6_cr=NAME,runner=true --tail=-1` has all; outside of a cluster each needs `--tag instance_id=N`"
    ))]
    Instances {
        /// How many there are to be.
        expected: u64,
        /// How many lines there are.
        found: u64,
        /// Different numbers among them.
        different: u64,
    },
    /// Nothing was measured.
    #[error("the result of `{format}` has no request in it")]
    #[diagnostic(help("look at what the tool printed: nothing may have answered"))]
    NoRequests {
        /// Of which format.
        format: ImportFormat,
    },
}

fn list(formats: &[ImportFormat]) -> String {
    formats.iter().map(|format| format!("`{format}`")).collect::<Vec<_>>().join(" or ")
}
