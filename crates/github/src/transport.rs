//! Carries one request to GitHub and one answer back.
//!
//! Blocking, with one connection: a publication is a handful of requests in a row. The token is
//! sent over TLS or to this machine only, never follows a redirect to another host, and is in no
//! `Debug`, error or log.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::io::Write;
use std::time::Duration;

use miette::Diagnostic;
use serde_json::{Value, json};
use thiserror::Error;
use ureq::config::RedirectAuthHeaders;
use ureq::http::HeaderMap;
use ureq::tls::{RootCerts, TlsConfig};

use super::retry;

/// A secret that authenticates requests.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Takes `text`, or nothing if it is empty.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    /// Returns `text` with every occurrence of the token replaced: for what a server said.
    pub fn redact(&self, text: &str) -> String {
        text.replace(&self.0, "***")
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

/// What a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HttpMethod {
    /// Reads.
    Get,
    /// Creates.
    Post,
    /// Changes.
    Patch,
    /// Removes.
    Delete,
}

impl fmt::Display for HttpMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        })
    }
}

/// A request, without address and credentials.
#[derive(Debug, Clone)]
pub struct ApiRequest {
    /// What it does.
    pub method: HttpMethod,
    /// From the root of the API, with a slash in front; consists of validated parts.
    pub path: String,
    /// Names and values of the query, not yet encoded.
    pub query: Vec<(&'static str, String)>,
    /// What is sent.
    pub body: Option<Value>,
    /// Whether it may arrive twice.
    pub repeat: retry::RepeatSafety,
    /// Largest answer that is accepted, in bytes.
    pub answer_bytes_max: u64,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct ApiResponse {
    /// The HTTP status.
    pub status: u16,
    /// `Retry-After`, `X-RateLimit-*`, `Date` and `Link`, by their lower-case names.
    pub headers: Vec<(&'static str, String)>,
    /// The content.
    pub body: Vec<u8>,
}

impl ApiResponse {
    /// Returns the value of the header `name`, lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
    }
}

/// Why no answer came back.
#[derive(Debug, Error, Diagnostic)]
pub enum TransportError {
    /// The connection could not be made, or broke.
    #[error("no answer")]
    Lost(#[source] Box<ureq::Error>),
    /// The answer is longer than the request allows.
    #[error("the answer exceeds {limit_bytes} bytes")]
    TooLong {
        /// The limit.
        limit_bytes: u64,
    },
    /// The token would travel in the open.
    #[error("`{url}` is neither HTTPS nor this machine: the token is not sent there")]
    #[diagnostic(help("check `GITHUB_API_URL`"))]
    Insecure {
        /// The address.
        url: String,
    },
    /// A dry run could not show a request.
    #[error("failed to write what would be sent")]
    Unshown(#[source] io::Error),
}

/// The seam between what is said and how it travels.
pub trait Transport {
    /// Sends `request` once.
    fn send(&self, request: &ApiRequest) -> Result<ApiResponse, TransportError>;
}

const HEADERS: [&str; 6] =
    ["retry-after", "x-ratelimit-remaining", "x-ratelimit-reset", "date", "link", "content-type"];

/// Sends over the network.
pub struct HttpTransport {
    agent: ureq::Agent,
    api_url: String,
    token: Option<Token>,
}

impl HttpTransport {
    /// Prepares requests to the API at `api_url`.
    pub fn new(api_url: &str, token: Option<&Token>) -> Result<Self, TransportError> {
        if token.is_some() && !is_private(api_url) {
            return Err(TransportError::Insecure { url: api_url.to_owned() });
        }
        // An enterprise server usually has a certificate of the company's own authority, which only
        // the machine knows. For github.com the built-in roots do, on a machine without any too.
        let api_url = api_url.trim_end_matches('/').to_owned();
        let roots = match api_url.as_str() {
            "https://api.github.com" => RootCerts::WebPki,
            _ => RootCerts::PlatformVerifier,
        };
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .redirect_auth_headers(RedirectAuthHeaders::SameHost)
            .max_redirects(3)
            .timeout_global(Some(retry::REQUEST_MAX))
            .timeout_connect(Some(Duration::from_secs(5)))
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .user_agent(concat!("xmlperf/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self { agent: config.new_agent(), api_url, token: token.cloned() })
    }

    fn call(&self, request: &ApiRequest) -> Result<ureq::http::Response<ureq::Body>, ureq::Error> {
        // An enterprise server has `…/api/v3/…` and `…/api/graphql`.
        let root = match request.path.as_str() {
            "/graphql" => self.api_url.strip_suffix("/v3").unwrap_or(&self.api_url),
            _ => &self.api_url,
        };
        let url = format!("{root}{}", request.path);
        let query = || request.query.iter().map(|(name, value)| (*name, value.as_str()));
        let body = request.body.as_ref().map(Value::to_string).unwrap_or_default();
        match request.method {
            HttpMethod::Get => self.signed(self.agent.get(url)).query_pairs(query()).call(),
            HttpMethod::Delete => self.signed(self.agent.delete(url)).query_pairs(query()).call(),
            HttpMethod::Post => self.signed(self.agent.post(url)).query_pairs(query()).send(body),
            HttpMethod::Patch => self.signed(self.agent.patch(url)).query_pairs(query()).send(body),
        }
    }

    fn signed<B>(&self, builder: ureq::RequestBuilder<B>) -> ureq::RequestBuilder<B> {
        let builder = builder
            .header("accept", "application/json")
            .header("content-type", "application/json")
            .header("x-github-api-version", "2022-11-28");
        match &self.token {
            Some(Token(token)) => builder.header("authorization", format!("Bearer {token}")),
            None => builder,
        }
    }
}

/// Returns whether nobody between here and `url` can read what is sent.
fn is_private(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else { return url.starts_with("https://") };
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    matches!(host, "127.0.0.1" | "localhost" | "[::1]")
}

impl Transport for HttpTransport {
    fn send(&self, request: &ApiRequest) -> Result<ApiResponse, TransportError> {
        let lost = |error| TransportError::Lost(Box::new(error));
        let mut response = self.call(request).map_err(lost)?;
        let limit_bytes = request.answer_bytes_max;
        let body = response.body_mut().with_config().limit(limit_bytes).read_to_vec();
        let body = body.map_err(|error| match error {
            ureq::Error::BodyExceedsLimit(_) => TransportError::TooLong { limit_bytes },
            error => lost(error),
        })?;
        let headers = known_headers(response.headers());
        Ok(ApiResponse { status: response.status().as_u16(), headers, body })
    }
}

fn known_headers(headers: &HeaderMap) -> Vec<(&'static str, String)> {
    let value = |name: &'static str| Some((name, headers.get(name)?.to_str().ok()?.to_owned()));
    HEADERS.into_iter().filter_map(value).collect()
}

/// Shows what would be sent, and sends nothing but questions: these too only where there is
/// somebody to ask.
pub struct DryRun<W: Write> {
    questions: Option<HttpTransport>,
    out: RefCell<W>,
}

impl<W: Write> DryRun<W> {
    /// Writes requests to `out`, and passes on those that only read to `questions`, if any.
    pub fn new(questions: Option<HttpTransport>, out: W) -> Self {
        Self { questions, out: RefCell::new(out) }
    }
}

impl<W: Write> Transport for DryRun<W> {
    fn send(&self, request: &ApiRequest) -> Result<ApiResponse, TransportError> {
        let asks = request.method == HttpMethod::Get || request.path == "/graphql";
        match &self.questions {
            Some(network) if asks => return network.send(request),
            Some(_) | None => {}
        }
        if !asks {
            self.show(request).map_err(TransportError::Unshown)?;
        }
        let answer = empty_answer(request);
        Ok(ApiResponse { status: 200, headers: Vec::new(), body: answer.to_string().into_bytes() })
    }
}

impl<W: Write> DryRun<W> {
    fn show(&self, request: &ApiRequest) -> io::Result<()> {
        let mut out = self.out.borrow_mut();
        writeln!(out, "{} {}", request.method, request.path)?;
        match &request.body {
            Some(body) => writeln!(out, "{body:#}\n"),
            None => writeln!(out),
        }
    }
}

/// What a repository answers in which nothing has been published yet.
fn empty_answer(request: &ApiRequest) -> Value {
    match request.method {
        HttpMethod::Get if request.path == "/user" => json!({ "login": "github-actions[bot]" }),
        HttpMethod::Get if request.path.ends_with("/permission") => json!({ "permission": "none" }),
        HttpMethod::Get if request.path.ends_with("/check-runs") => json!({ "check_runs": [] }),
        HttpMethod::Get => json!([]),
        HttpMethod::Post if request.path == "/graphql" => {
            json!({ "data": { "viewer": { "login": "github-actions[bot]" } } })
        }
        HttpMethod::Post | HttpMethod::Patch => json!({ "id": 0, "html_url": "" }),
        HttpMethod::Delete => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_travels_over_tls_or_stays_on_this_machine() {
        let token = Token::new("ghs_secret");
        let check = |url: &str| HttpTransport::new(url, token.as_ref()).is_ok();
        assert!(check("https://api.github.com"));
        assert!(check("https://github.example.com/api/v3"));
        assert!(check("http://127.0.0.1:4101"));
        assert!(check("http://localhost:4101/api"));
        assert!(!check("http://github.example.com/api/v3"));
        assert!(!check("http://127.0.0.1.example.com"));
        assert!(!check("http://localhost@example.com:80"));
        assert!(!check("ftp://127.0.0.1"));
    }

    #[test]
    fn the_token_shows_in_no_debug_output() {
        let token = Token::new(" ghs_secret\n").unwrap();
        assert_eq!(format!("{token:?}"), "Token(***)");
        assert_eq!(token.redact("bad credentials `ghs_secret`"), "bad credentials `***`");
        assert!(Token::new(" \n").is_none());
    }
}
