//! Carries one request to GitHub and one answer back.
//!
//! octocrab sends; what is sent, and what an answer means, are structs of our own with the few fields
//! that are read. Blocking, with one connection: a publication is a handful of requests in a row. The
//! token is sent over TLS or to this machine only, never follows a redirect to another host, and is in
//! no `Debug`, error or log.

use std::cell::RefCell;
use std::error::Error;
use std::fmt;
use std::io;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, LengthLimitError, Limited};
use miette::Diagnostic;
use octocrab::service::middleware::auth_header::AuthHeaderLayer;
use octocrab::service::middleware::base_uri::BaseUriLayer;
use octocrab::service::middleware::extra_headers::ExtraHeadersLayer;
use octocrab::service::middleware::reqwest_connector::ReqwestConnector;
use octocrab::{AuthState, Octocrab, OctocrabBuilder};
use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::redirect;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use serde_json::{Value, json};
use thiserror::Error;
use tokio::runtime::{self, Runtime};
use url::{Position, Url};

use super::retry;

type BoxError = Box<dyn Error + Send + Sync>;

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
    Lost(#[source] BoxError),
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
    /// The address is none, or what secures connections is missing.
    #[error("cannot send to `{url}`")]
    Unusable {
        /// The address.
        url: String,
        /// Why.
        source: BoxError,
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
    runtime: Runtime,
    octocrab: Octocrab,
    origin: Url,
    /// What stands before every path: nothing, or `/api/v3` of an enterprise server.
    api_path: String,
}

impl HttpTransport {
    /// Prepares requests to the API at `api_url`.
    pub fn new(api_url: &str, token: Option<&Token>) -> Result<Self, TransportError> {
        if token.is_some() && !is_private(api_url) {
            return Err(TransportError::Insecure { url: api_url.to_owned() });
        }
        let unusable =
            |source: BoxError| TransportError::Unusable { url: api_url.to_owned(), source };
        let url = Url::parse(api_url).map_err(|error| unusable(error.into()))?;
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| unusable(error.into()))?;
        // octocrab starts a task of its own while it is built.
        let octocrab = {
            let _inside = runtime.enter();
            octocrab(&url, token).map_err(unusable)?
        };
        let api_path = url.path().trim_end_matches('/').to_owned();
        let origin =
            Url::parse(&url[..Position::BeforePath]).map_err(|error| unusable(error.into()))?;
        Ok(Self { runtime, octocrab, origin, api_path })
    }

    async fn call(&self, request: &ApiRequest) -> Result<ApiResponse, TransportError> {
        let lost = |error| TransportError::Lost(cause(error));
        let uri = self.uri(request);
        let response = match request.method {
            HttpMethod::Get => self.octocrab._get(uri).await,
            HttpMethod::Post => self.octocrab._post(uri, request.body.as_ref()).await,
            HttpMethod::Patch => self.octocrab._patch(uri, request.body.as_ref()).await,
            HttpMethod::Delete => self.octocrab._delete(uri, request.body.as_ref()).await,
        };
        let (parts, body) = response.map_err(lost)?.into_parts();
        let limit_bytes = request.answer_bytes_max;
        let limit = usize::try_from(limit_bytes).unwrap_or(usize::MAX);
        let body = Limited::new(body, limit).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                TransportError::TooLong { limit_bytes }
            } else {
                TransportError::Lost(error)
            }
        })?;
        let headers = known_headers(&parts.headers);
        Ok(ApiResponse { status: parts.status.as_u16(), headers, body: body.to_bytes().to_vec() })
    }

    /// The path and the query from the root of the server.
    fn uri(&self, request: &ApiRequest) -> String {
        // An enterprise server has `…/api/v3/…` and `…/api/graphql`.
        let root = match request.path.as_str() {
            "/graphql" => self.api_path.strip_suffix("/v3").unwrap_or(&self.api_path),
            _ => &self.api_path,
        };
        let mut url = self.origin.clone();
        url.set_path(&format!("{root}{}", request.path));
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        url[Position::BeforePath..].to_owned()
    }
}

/// A client whose requests begin at the root of the server of `url`.
fn octocrab(url: &Url, token: Option<&Token>) -> Result<Octocrab, BoxError> {
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls(url)?)
        .dns_resolver(Arc::new(threads::HostResolver))
        .redirect(redirect::Policy::limited(3))
        .timeout(retry::REQUEST_MAX)
        .connect_timeout(Duration::from_secs(5))
        .build()?;
    let bearer = token.map(|Token(token)| HeaderValue::try_from(format!("Bearer {token}")));
    let bearer = bearer.transpose()?.map(|mut value| {
        value.set_sensitive(true);
        value
    });
    let headers = vec![
        (header::ACCEPT, HeaderValue::from_static("application/json")),
        (
            header::USER_AGENT,
            HeaderValue::from_static(concat!("xmlperf/", env!("CARGO_PKG_VERSION"))),
        ),
    ];
    let origin = &url[..Position::BeforePath];
    // The layers of octocrab's own builder, without its user agent.
    let built = OctocrabBuilder::new_empty()
        .with_service(ReqwestConnector::new(client))
        .with_layer(&ExtraHeadersLayer::new(Arc::new(headers)))
        .with_layer(&BaseUriLayer::new(origin.parse()?))
        .with_layer(&AuthHeaderLayer::new(bearer, origin.parse()?, origin.parse()?))
        .with_auth(AuthState::None)
        .build();
    Ok(built?)
}

/// An enterprise server usually has a certificate of the company's own authority, which only the
/// machine knows. For github.com the built-in roots do, on a machine without any too.
fn tls(url: &Url) -> Result<ClientConfig, BoxError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?;
    let builder = if url.host_str() == Some("api.github.com") {
        let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect::<RootCertStore>();
        builder.with_root_certificates(roots)
    } else {
        builder.with_platform_verifier()?
    };
    Ok(builder.with_no_client_auth())
}

/// What stopped a request, without the layers that only pass it on.
fn cause(error: octocrab::Error) -> BoxError {
    match error {
        octocrab::Error::Service { source, .. } => match source.downcast() {
            Ok(inner) => cause(*inner),
            Err(source) => source,
        },
        octocrab::Error::Reqwest { source, .. } => source.into(),
        other => other.into(),
    }
}

/// Returns whether what is sent to `url` cannot be read on its way.
fn is_private(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else { return url.starts_with("https://") };
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    matches!(host, "127.0.0.1" | "localhost" | "[::1]")
}

impl Transport for HttpTransport {
    fn send(&self, request: &ApiRequest) -> Result<ApiResponse, TransportError> {
        self.runtime.block_on(self.call(request))
    }
}

fn known_headers(headers: &HeaderMap) -> Vec<(&'static str, String)> {
    let value = |name: &'static str| Some((name, headers.get(name)?.to_str().ok()?.to_owned()));
    HEADERS.into_iter().filter_map(value).collect()
}

/// Shows what would be sent, and sends nothing but questions: these too only where there is
/// a person to ask.
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
