//! Fetches documents and logs in elsewhere, on hosts that were named when the service was started.
//!
//! The list is empty by default: a service that fetches what any client names can be pointed at
//! the inside of a network. Plain HTTP only, no redirect is followed, and a session's cookies go to
//! the host that set them and nowhere else.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time;

use crate::contract::RequestRefusal;

/// A fetch may take this long.
const FETCH_MAX: Duration = Duration::from_secs(10);
/// A fetched document may have this many bytes.
const FETCH_BYTES_MAX: usize = 16 << 20;
/// A session lasts an hour, as its client may never log out.
const SESSION_MAX: SignedDuration = SignedDuration::from_hours(1);
const SESSIONS_MAX: usize = 1_000;

/// A host that may be fetched from, and its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedHost {
    name: String,
    port: u16,
}

/// What was given names no host.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a host such as `example.org` or `localhost:8080`")]
pub struct AllowedHostError(String);

impl FromStr for AllowedHost {
    type Err = AllowedHostError;

    /// Reads `host` or `host:port`.
    fn from_str(text: &str) -> Result<Self, AllowedHostError> {
        let wrong = || AllowedHostError(text.to_owned());
        let uri = Uri::try_from(format!("http://{text}/")).map_err(|_| wrong())?;
        if uri.path() != "/" || uri.query().is_some() {
            return Err(wrong());
        }
        Self::of(&uri).ok_or_else(wrong)
    }
}

impl AllowedHost {
    fn of(uri: &Uri) -> Option<Self> {
        let authority = uri.authority()?;
        if authority.as_str().contains('@') || authority.host().is_empty() {
            return None;
        }
        let port = if authority.port().is_some() { authority.port_u16()? } else { 80 };
        Some(Self { name: authority.host().to_ascii_lowercase(), port })
    }
}

/// Who logs in, and where.
#[derive(Deserialize)]
pub(super) struct Credentials {
    url: String,
    username: String,
    password: String,
}

/// What a login gives.
#[derive(Debug, Clone, Serialize)]
pub(super) struct LoginSession {
    #[serde(rename = "session_id")]
    id: String,
    cookies: BTreeMap<String, String>,
    expires_at: String,
    #[serde(skip)]
    end: Timestamp,
    #[serde(skip)]
    host: AllowedHost,
}

/// The hosts that may be fetched from, and the sessions on them.
#[derive(Debug)]
pub(super) struct RemoteHosts {
    allowed: Vec<AllowedHost>,
    sessions: Mutex<BTreeMap<String, LoginSession>>,
}

/// A URL that may be fetched.
#[derive(Debug, Clone)]
pub(super) struct FetchUrl {
    uri: Uri,
    host: AllowedHost,
}

impl RemoteHosts {
    pub(super) fn new(allowed: Vec<AllowedHost>) -> Self {
        Self { allowed, sessions: Mutex::default() }
    }

    /// Checks a URL against the list.
    pub(super) fn target(&self, url: &str) -> Result<FetchUrl, RequestRefusal> {
        let forbidden = || RequestRefusal::Forbidden(url.to_owned());
        let uri = Uri::try_from(url).map_err(|_| forbidden())?;
        let host = AllowedHost::of(&uri).filter(|host| self.allowed.contains(host));
        let host = host.filter(|_| uri.scheme_str() == Some("http")).ok_or_else(forbidden)?;
        Ok(FetchUrl { uri, host })
    }

    /// Returns the session of that id, unless it has ended.
    pub(super) fn session(&self, id: &str) -> Result<LoginSession, RequestRefusal> {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let session = sessions.get(id).filter(|session| session.end > Timestamp::now());
        session.cloned().ok_or(RequestRefusal::NoSession)
    }

    /// Sends a form with the credentials, and keeps the cookies that come back.
    pub(super) async fn login(
        &self,
        credentials: &Credentials,
    ) -> Result<LoginSession, RequestRefusal> {
        let target = self.target(&credentials.url)?;
        let form = format!(
            "username={}&password={}",
            form_encoded(&credentials.username),
            form_encoded(&credentials.password)
        );
        let mut request = Request::new(Full::from(form));
        *request.method_mut() = Method::POST;
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers_mut().insert(header::CONTENT_TYPE, kind);
        let response = exchange(&target, request).await?;
        if response.status().is_client_error() || response.status().is_server_error() {
            return Err(RequestRefusal::Login(response.status().as_u16()));
        }
        let end = Timestamp::now() + SESSION_MAX;
        let session = LoginSession {
            id: random_id()?,
            cookies: cookies(&response),
            expires_at: end.to_string(),
            end,
            host: target.host,
        };
        self.keep(session.clone())?;
        Ok(session)
    }

    fn keep(&self, session: LoginSession) -> Result<(), RequestRefusal> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if sessions.len() == SESSIONS_MAX {
            let now = Timestamp::now();
            sessions.retain(|_, session| session.end > now);
        }
        if sessions.len() == SESSIONS_MAX {
            return Err(RequestRefusal::Busy);
        }
        sessions.insert(session.id.clone(), session);
        Ok(())
    }

    /// Forgets a session.
    pub(super) fn logout(&self, id: &str) -> Result<(), RequestRefusal> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.remove(id).map(|_| ()).ok_or(RequestRefusal::NoSession)
    }
}

/// Returns the document at `target`.
pub(super) async fn fetch(
    target: &FetchUrl,
    session: Option<&LoginSession>,
) -> Result<String, RequestRefusal> {
    let mut request = Request::new(Full::default());
    if let Some(session) = session.filter(|session| session.host == target.host) {
        let pairs: Vec<_> =
            session.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if let Ok(cookies) = HeaderValue::from_str(&pairs.join("; ")) {
            request.headers_mut().insert(header::COOKIE, cookies);
        }
    }
    let response = exchange(target, request).await?;
    let failed = |why: String| RequestRefusal::Fetch { url: target.uri.to_string(), why };
    if !response.status().is_success() {
        return Err(failed(format!("it answered {}", response.status().as_u16())));
    }
    String::from_utf8(response.into_body().to_vec())
        .map_err(|_| failed("it is not UTF-8".to_owned()))
}

async fn exchange(
    target: &FetchUrl,
    request: Request<Full<Bytes>>,
) -> Result<Response<Bytes>, RequestRefusal> {
    let failed = |why: String| RequestRefusal::Fetch { url: target.uri.to_string(), why };
    let answered = time::timeout(FETCH_MAX, send(target, request)).await;
    let answered = answered.map_err(|_| failed("it took too long".to_owned()))?;
    answered.map_err(|error| failed(error.to_string()))
}

async fn send(
    target: &FetchUrl,
    mut request: Request<Full<Bytes>>,
) -> Result<Response<Bytes>, Box<dyn std::error::Error + Send + Sync>> {
    let path = target.uri.path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = Uri::try_from(path)?;
    let AllowedHost { name, port } = &target.host;
    let host = HeaderValue::from_str(&format!("{name}:{port}"))?;
    request.headers_mut().insert(header::HOST, host);
    let addresses = threads::look_up(name.trim_matches(['[', ']']), *port).await?;
    let stream = TcpStream::connect(&addresses[..]).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let exchange = async {
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, FETCH_BYTES_MAX).collect().await?;
        Ok(Response::from_parts(head, body.to_bytes()))
    };
    tokio::pin!(exchange);
    tokio::select! {
        result = &mut exchange => result,
        ended = connection => {
            ended?;
            exchange.await
        }
    }
}

fn cookies(response: &Response<Bytes>) -> BTreeMap<String, String> {
    let values = response.headers().get_all(header::SET_COOKIE).into_iter();
    let pairs = values.filter_map(|value| value.to_str().ok()?.split(';').next()?.split_once('='));
    pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect()
}

fn form_encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'*' => {
                out.push(char::from(byte));
            }
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

/// Returns 128 bits that cannot be guessed.
fn random_id() -> Result<String, RequestRefusal> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|_| RequestRefusal::Busy)?;
    Ok(bytes.iter().fold(String::new(), |id, byte| format!("{id}{byte:02x}")))
}
