//! The forms in which APIs are described and traffic is recorded.

use std::fmt;

/// A form of a description or a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DescriptionFormat {
    /// OpenAPI 3.0 and 3.1, in JSON or YAML.
    OpenApi,
    /// WSDL 1.1 with bindings of SOAP 1.1 and 1.2.
    Wsdl,
    /// A HAR file, as browsers and proxies save it.
    Har,
    /// What `k6 archive` writes.
    K6Archive,
    /// The summary of a run of k6.
    K6Summary,
    /// A Postman collection, 2.1 or 2.0.
    Postman,
    /// An access log in the common or the combined format.
    AccessLog,
}

impl DescriptionFormat {
    /// Every form, in the order in which they are listed.
    pub const ALL: [Self; 7] = [
        Self::OpenApi,
        Self::Wsdl,
        Self::Har,
        Self::K6Archive,
        Self::K6Summary,
        Self::Postman,
        Self::AccessLog,
    ];

    /// Returns what a person calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenApi => "OpenAPI 3",
            Self::Wsdl => "WSDL 1.1",
            Self::Har => "HAR",
            Self::K6Archive => "an archive of k6",
            Self::K6Summary => "a summary of k6",
            Self::Postman => "a Postman collection",
            Self::AccessLog => "an access log",
        }
    }

    /// Returns the names of all forms, as a sentence lists them.
    pub fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }
}

impl fmt::Display for DescriptionFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
