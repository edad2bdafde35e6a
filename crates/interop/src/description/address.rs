//! Addresses of requests: what of them is sent, and how it is written.

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use url::{Position, Url};

/// What a part of a path or a query may not have as it is (RFC 3986: what is not unreserved).
const RESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b',');

/// What a path with its query cannot have at all.
const ILLEGAL: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The address of a request in parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RequestAddress {
    /// Host and port.
    pub(super) host: String,
    /// The path, which begins with `/`.
    pub(super) path: String,
    /// What follows the `?`.
    pub(super) query: Option<String>,
}

/// Returns a text as a part of a path or a query.
pub(super) fn percent_encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// Returns a path, with its query, without what it cannot have.
pub(super) fn path_encoded(text: &str) -> String {
    utf8_percent_encode(text, ILLEGAL).to_string()
}

impl RequestAddress {
    /// Reads the address of a request over HTTP; none of anything else.
    pub(super) fn of_url(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        let host = url[Position::BeforeHost..Position::AfterPort].to_owned();
        Some(Self { host, ..Self::of_target(&url[Position::BeforePath..Position::AfterQuery])? })
    }

    /// Reads the target of a request line, such as `/orders?state=open`.
    pub(super) fn of_target(text: &str) -> Option<Self> {
        let text = text.split('#').next().unwrap_or_default();
        let text = path_encoded(text);
        let (path, query) = match text.split_once('?') {
            Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
            None => (text, None),
        };
        let query = query.filter(|query| !query.is_empty());
        path.starts_with('/').then(|| Self { host: String::new(), path, query })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_of_an_address_is_path_and_query() {
        let address =
            RequestAddress::of_url("https://u:p@api.example:8443/a b?x=1&y={z}#top").unwrap();
        assert_eq!((address.host.as_str(), address.path.as_str()), ("api.example:8443", "/a%20b"));
        assert_eq!(address.query.as_deref(), Some("x=1&y=%7Bz%7D"));
        assert_eq!(RequestAddress::of_url("http://a").unwrap().path, "/");
        for other in ["ws://a/b", "data:text/plain,a", "a", ""] {
            assert_eq!(RequestAddress::of_url(other), None, "{other}");
        }
        assert_eq!(percent_encoded("a b/ü,"), "a%20b%2F%C3%BC,");
    }
}
