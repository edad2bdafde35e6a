//! Finds the call that a request makes, and answers it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::{Method, Request, Response, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::time;

use crate::answer::{self, JSON, ServiceBody, TEXT};
use crate::batch::{BatchReader, BatchVerdicts};
use crate::budget::{Budget, Lease};
use crate::contract::RequestRefusal;
use crate::ignore::IgnoreRules;
use crate::json::{JsonReader, JsonStop};
use crate::metrics::ServiceMetrics;
use crate::pool::EnginePool;
use crate::remote::{self, Credentials, FetchUrl, LoginSession, RemoteHosts};
use crate::request::{self, BodyLimits, IncomingBody};
use crate::verdict::VerdictLog;
use crate::xml::{DocumentError, PairMember};

const BASE: &str = "/xml-compare-api";
const OPENAPI: &str = include_str!("openapi.json");
/// The largest body of a call that has no documents in it.
const SMALL_BYTES_MAX: u64 = 1 << 20;
/// A batch may have this many pairs of URLs: they are fetched one after the other.
const URL_PAIRS_MAX: usize = 1_000;

/// What all requests use.
#[derive(Debug)]
pub(super) struct ServiceState {
    pub(super) pool: Arc<EnginePool>,
    pub(super) budget: Arc<Budget>,
    pub(super) metrics: ServiceMetrics,
    pub(super) remote: RemoteHosts,
    pub(super) limits: BodyLimits,
    pub(super) pair_bytes_max: u64,
    /// Lost for good with each batch.
    pub(super) leak_bytes: usize,
    /// Waited before each comparison call is answered.
    pub(super) delay: Duration,
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Endpoint {
    Health,
    Metrics,
    OpenApi,
    One,
    Batch,
    OneUrl,
    UrlBatch,
    Login,
    Logout,
}

impl Endpoint {
    /// Returns the call at a path, and the rest of the path.
    fn at(path: &str) -> Option<(Self, &str)> {
        if path == "/metrics" {
            return Some((Self::Metrics, ""));
        }
        let path = path.strip_prefix(BASE)?;
        let call = match path {
            "/health" => Self::Health,
            "/metrics" => Self::Metrics,
            "/api-docs/openapi.json" => Self::OpenApi,
            "/api/compare/xml" => Self::One,
            "/api/compare/xml/batch" => Self::Batch,
            "/api/compare/url" => Self::OneUrl,
            "/api/compare/url/batch" => Self::UrlBatch,
            "/api/auth/login" => Self::Login,
            _ => {
                let id = path.strip_prefix("/api/auth/logout/")?;
                return (!id.is_empty() && !id.contains('/')).then_some((Self::Logout, id));
            }
        };
        Some((call, ""))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::Metrics => "metrics",
            Self::OpenApi => "openapi",
            Self::One => "compare-xml",
            Self::Batch => "compare-xml-batch",
            Self::OneUrl => "compare-url",
            Self::UrlBatch => "compare-url-batch",
            Self::Login => "login",
            Self::Logout => "logout",
        }
    }

    fn check_method(self, method: &Method) -> Result<(), RequestRefusal> {
        let allowed = match self {
            Self::Health | Self::Metrics | Self::OpenApi => "GET, HEAD",
            Self::One
            | Self::Batch
            | Self::OneUrl
            | Self::UrlBatch
            | Self::Login
            | Self::Logout => "POST",
        };
        let fits = allowed.split(", ").any(|allowed| method.as_str() == allowed);
        if fits { Ok(()) } else { Err(RequestRefusal::Method { allowed }) }
    }
}

/// Answers a request. A refusal is an answer too.
pub(super) async fn answer(
    request: Request<Incoming>,
    shared: &ServiceState,
) -> Response<ServiceBody> {
    let start = request::now();
    let (head, body) = request.into_parts();
    let call = Endpoint::at(head.uri.path());
    let mut body = IncomingBody::new(body, shared.limits);
    let result = match call {
        Some((call, rest)) => run(call, rest, &head, &mut body, shared).await,
        None => Err(RequestRefusal::NotFound),
    };
    let response = match result {
        Ok(response) => response,
        Err(refusal) => {
            // A client that waits for permission to send the body had better not get it.
            if !head.headers.contains_key(hyper::header::EXPECT) {
                body.drain().await;
            }
            answer::refused(&refusal)
        }
    };
    let name = call.map_or("none", |(call, _)| call.name());
    shared.metrics.answered(name, response.status(), start.elapsed());
    response
}

async fn run(
    call: Endpoint,
    rest: &str,
    head: &Parts,
    body: &mut IncomingBody,
    shared: &ServiceState,
) -> Result<Response<ServiceBody>, RequestRefusal> {
    call.check_method(&head.method)?;
    match call {
        Endpoint::Health => Ok(answer::whole(StatusCode::OK, TEXT, Bytes::from_static(b"OK"))),
        Endpoint::Metrics => Ok(answer::whole(StatusCode::OK, TEXT, shared.metrics.text().into())),
        Endpoint::OpenApi => {
            Ok(answer::whole(StatusCode::OK, JSON, Bytes::from_static(OPENAPI.as_bytes())))
        }
        Endpoint::One => {
            body.expect_json(&head.headers, shared.pair_bytes_max)?;
            compare_one(body, shared).await
        }
        Endpoint::Batch => {
            body.expect_json(&head.headers, u64::MAX)?;
            compare_batch(body, shared).await
        }
        Endpoint::OneUrl => {
            let pair = small_body(head, body, shared).await?;
            compare_url(pair, shared).await
        }
        Endpoint::UrlBatch => {
            let batch = small_body(head, body, shared).await?;
            compare_urls(batch, shared).await
        }
        Endpoint::Login => {
            let credentials = small_body(head, body, shared).await?;
            Ok(json(&shared.remote.login(&credentials).await?))
        }
        Endpoint::Logout => {
            shared.remote.logout(rest)?;
            Ok(json(&LogoutResponse { session_id: rest }))
        }
    }
}

/// Waits as long as `--delay` says.
async fn delay(shared: &ServiceState) {
    if !shared.delay.is_zero() {
        time::sleep(shared.delay).await;
    }
}

async fn compare_one(
    body: &mut IncomingBody,
    shared: &ServiceState,
) -> Result<Response<ServiceBody>, RequestRefusal> {
    let mut lease = Lease::new(Arc::clone(&shared.budget));
    let bytes = body.all(&mut lease).await?;
    delay(shared).await;
    let (valid, invalid) = match str::from_utf8(&bytes) {
        Ok(_) => (&bytes[..], None),
        Err(error) => {
            (&bytes[..error.valid_up_to()], Some(RequestRefusal::not_json_at(error.valid_up_to())))
        }
    };
    let mut log = VerdictLog::default();
    let compared = shared.pool.with_engine(|engine| {
        let mut reader = JsonReader::new(valid, 0);
        let malformed = engine.compare_next(&mut reader, 0, &mut log)?;
        reader.end()?;
        Ok(malformed)
    });
    let malformed = match (compared, invalid) {
        (Err(JsonStop::Incomplete) | Ok(_), Some(invalid)) => return Err(invalid),
        (compared, _) => compared.map_err(|stop| RequestRefusal::from_stop(stop, 0))?,
    };
    one_answer(&log, malformed, shared)
}

fn one_answer(
    log: &VerdictLog,
    malformed: Option<(PairMember, DocumentError)>,
    shared: &ServiceState,
) -> Result<Response<ServiceBody>, RequestRefusal> {
    shared.metrics.compared(log.counts);
    if let Some((which, malformed)) = malformed {
        return Err(RequestRefusal::from_xml(which, malformed));
    }
    let mut json = Vec::with_capacity(256);
    log.cursor().write_next(&mut json);
    Ok(answer::whole(StatusCode::OK, JSON, Bytes::from(json)))
}

async fn compare_batch(
    body: &mut IncomingBody,
    shared: &ServiceState,
) -> Result<Response<ServiceBody>, RequestRefusal> {
    let lease = Lease::new(Arc::clone(&shared.budget));
    let mut batch = BatchReader::new(Arc::clone(&shared.pool), lease, shared.pair_bytes_max);
    while let Some(part) = body.next().await? {
        batch.push(&part).await?;
    }
    let verdicts = batch.finish().await?;
    shared.metrics.compared(verdicts.counts);
    Box::leak(vec![1_u8; shared.leak_bytes].into_boxed_slice());
    delay(shared).await;
    Ok(answer::batch(verdicts))
}

/// Reads a body without documents.
async fn small_body<T: for<'a> Deserialize<'a>>(
    head: &Parts,
    body: &mut IncomingBody,
    shared: &ServiceState,
) -> Result<T, RequestRefusal> {
    body.expect_json(&head.headers, SMALL_BYTES_MAX)?;
    let bytes = body.all(&mut Lease::new(Arc::clone(&shared.budget))).await?;
    serde_json::from_slice(&bytes).map_err(|error| RequestRefusal::from_json(&error))
}

fn json(value: &impl Serialize) -> Response<ServiceBody> {
    let json = serde_json::to_vec(value).expect("text goes into memory without failing");
    answer::whole(StatusCode::OK, JSON, Bytes::from(json))
}

#[derive(Serialize)]
struct LogoutResponse<'a> {
    session_id: &'a str,
}

#[derive(Deserialize)]
struct UrlPair {
    url1: String,
    url2: String,
    ignore_paths: Option<Vec<String>>,
    ignore_properties: Option<Vec<String>>,
    session_id: Option<String>,
    auth_credentials: Option<Credentials>,
}

#[derive(Deserialize)]
struct UrlBatch {
    comparisons: Vec<UrlPair>,
}

/// A pair that may be fetched.
struct AllowedPair {
    targets: [FetchUrl; 2],
    ignore: IgnoreRules,
    session: Option<String>,
    credentials: Option<Credentials>,
}

impl UrlPair {
    fn check(self, remote: &RemoteHosts) -> Result<AllowedPair, RequestRefusal> {
        let targets = [remote.target(&self.url1)?, remote.target(&self.url2)?];
        let paths = self.ignore_paths.unwrap_or_default();
        let ignore = IgnoreRules::new(&paths, self.ignore_properties.unwrap_or_default());
        let (session, credentials) = (self.session_id, self.auth_credentials);
        Ok(AllowedPair { targets, ignore, session, credentials })
    }
}

impl AllowedPair {
    /// Fetches both documents.
    async fn fetch(&self, remote: &RemoteHosts) -> Result<[String; 2], RequestRefusal> {
        let session: Option<LoginSession> = match (&self.session, &self.credentials) {
            (Some(id), _) => Some(remote.session(id)?),
            (None, Some(credentials)) => Some(remote.login(credentials).await?),
            (None, None) => None,
        };
        let [first, second] = &self.targets;
        let session = session.as_ref();
        let (first, second) =
            tokio::join!(remote::fetch(first, session), remote::fetch(second, session));
        Ok([first?, second?])
    }
}

async fn compare_url(
    pair: UrlPair,
    shared: &ServiceState,
) -> Result<Response<ServiceBody>, RequestRefusal> {
    let pair = pair.check(&shared.remote)?;
    let documents = pair.fetch(&shared.remote).await?;
    let mut log = VerdictLog::default();
    let malformed =
        shared.pool.with_engine(|engine| engine.compare_texts(documents, pair.ignore, &mut log));
    one_answer(&log, malformed, shared)
}

async fn compare_urls(
    batch: UrlBatch,
    shared: &ServiceState,
) -> Result<Response<ServiceBody>, RequestRefusal> {
    if batch.comparisons.len() > URL_PAIRS_MAX {
        return Err(RequestRefusal::JsonShape(format!("more than {URL_PAIRS_MAX} pairs of URLs")));
    }
    let pairs: Result<Vec<_>, _> =
        batch.comparisons.into_iter().map(|pair| pair.check(&shared.remote)).collect();
    let mut lease = Lease::new(Arc::clone(&shared.budget));
    let mut log = VerdictLog::default();
    for pair in pairs? {
        match pair.fetch(&shared.remote).await {
            Ok(documents) => {
                shared.pool.with_engine(|engine| {
                    engine.compare_texts(documents, pair.ignore, &mut log);
                });
            }
            Err(_) => log.push_malformed(),
        }
        lease.cover(log.len())?;
    }
    shared.metrics.compared(log.counts);
    Ok(answer::batch(BatchVerdicts::of(log, lease)))
}
