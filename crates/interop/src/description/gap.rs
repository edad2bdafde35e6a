//! What of a description cannot be carried over.

use std::fmt;

use units::text::plural;

/// Something that cannot be carried over, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CarryGap {
    /// A JSON pointer, a line, the name of an operation.
    pub place: String,
    /// What it is.
    pub reason: GapReason,
}

/// Why something cannot be carried over.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum GapReason {
    /// A method that no load is sent by.
    Method(String),
    /// A body of a media type that is not made here.
    MediaType(String),
    /// A body that is not text.
    BinaryBody,
    /// Bodies that were not recorded.
    UnrecordedBody {
        /// Requests of the operation.
        requests: u64,
    },
    /// A reference to another document.
    ExternalReference(String),
    /// A deletion, which succeeds once.
    Deletion,
    /// A header that is written otherwise, or cannot be sent.
    Header(String),
    /// A header whose value differs from request to request.
    VaryingHeader(String),
    /// Requests that were not answered by a status of success.
    FailedRequests(u64),
    /// Requests for pages, images, styles, scripts and fonts.
    StaticFiles(u64),
    /// Requests to another host.
    OtherHost {
        /// The host.
        host: String,
        /// How many.
        requests: u64,
    },
    /// Operations that are rarer than those carried over.
    RareOperations(usize),
    /// Different requests of one operation beyond those carried over.
    MoreVariants {
        /// All there are.
        found: usize,
        /// Those that are carried over.
        kept: usize,
    },
    /// Code that decides at run time.
    Script(&'static str),
    /// A call whose address is computed.
    ComputedAddress,
    /// A variable without a value; it is taken from the environment.
    OpenVariable(String),
    /// A proof of identity that is not sent by a header.
    Security(String),
    /// A part of a schema of which no document is made.
    SchemaPart(String),
    /// SOAP's encoding of graphs, which WS-I forbids.
    SoapEncoding,
    /// A header of SOAP.
    SoapHeader(String),
    /// A binding that is none of SOAP.
    Binding(String),
    /// A limit on what has no name here.
    Threshold(String),
    /// Lines that are no requests.
    OddLines(u64),
}

impl CarryGap {
    pub(super) fn new(place: impl Into<String>, reason: GapReason) -> Self {
        Self { place: place.into(), reason }
    }
}

impl fmt::Display for CarryGap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.reason)
    }
}

impl fmt::Display for GapReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method(method) => write!(f, "no load is sent by {method}"),
            Self::MediaType(media) => write!(f, "no body of `{media}` is made"),
            Self::BinaryBody => f.write_str("its body is not text"),
            Self::UnrecordedBody { requests } => {
                write!(f, "{} with a body, which is not recorded", plural(*requests, "request"))
            }
            Self::ExternalReference(target) => {
                write!(f, "`{target}` is another document; a bundler joins them into one")
            }
            Self::Deletion => {
                f.write_str("it is written and in no mix, as what it deletes is there once")
            }
            Self::Header(name) => write!(f, "the header `{name}` is not one to set"),
            Self::VaryingHeader(name) => {
                write!(f, "the header `{name}` differs from request to request")
            }
            Self::FailedRequests(count) => {
                write!(f, "{}, not answered by 2xx", plural(*count, "request"))
            }
            Self::StaticFiles(count) => {
                write!(f, "{} for images, styles, scripts and fonts", plural(*count, "request"))
            }
            Self::OtherHost { host, requests } => {
                write!(f, "{} to `{host}`", plural(*requests, "request"))
            }
            Self::RareOperations(count) => {
                let operations = plural(*count, "operation");
                write!(f, "{operations} more, each rarer than those carried over")
            }
            Self::MoreVariants { found, kept } => {
                write!(f, "{kept} of {found} different requests are carried over")
            }
            Self::Script(what) => write!(f, "{what} is code, which is not run"),
            Self::ComputedAddress => f.write_str("a request whose address is computed"),
            Self::OpenVariable(name) => {
                write!(f, "`{name}` has no value in it and is taken from the environment")
            }
            Self::Security(scheme) => write!(f, "proof of identity by {scheme} is not sent"),
            Self::SchemaPart(part) => write!(f, "no document is made of {part}"),
            Self::SoapEncoding => f.write_str("`use=\"encoded\"` is not made"),
            Self::SoapHeader(name) => write!(f, "the SOAP header `{name}` is not sent"),
            Self::Binding(kind) => write!(f, "{kind} is no binding of SOAP"),
            Self::Threshold(text) => write!(f, "no limit here says `{text}`"),
            Self::OddLines(count) => write!(f, "{}, not of a request", plural(*count, "line")),
        }
    }
}
