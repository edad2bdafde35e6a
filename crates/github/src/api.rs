//! The few calls of GitHub's REST API that publishing needs, each insisting within one patience.
//!
//! octocrab only carries them: its retry repeats a `POST` whose answer was lost, its errors leave out
//! what GitHub said, and its check runs demand fields that not every server sends. Own structs have the
//! few fields that are read, so a field that GitHub leaves out or adds breaks nothing.

use std::time::Duration;

use jiff::fmt::rfc2822;
use miette::Diagnostic;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use thiserror::Error;

use super::context::Repository;
use super::retry::{AttemptOutcome, FailedAttempt, RetryPolicy};
use super::transport::{ApiRequest, ApiResponse, HttpMethod, Token, Transport, TransportError};

/// Why a call came to nothing.
#[derive(Debug, Error, Diagnostic)]
pub enum ApiError {
    /// The token is not known to the server.
    #[error("GitHub does not accept the token ({call})")]
    #[diagnostic(help(
        "pass `github-token: ${{{{ github.token }}}}`, and check that it has not expired"
    ))]
    Unauthorized {
        /// Method and path of the request.
        call: String,
    },
    /// The token may not do this.
    #[error("the token may not do this ({call}): {message}")]
    #[diagnostic(help(
        "the job needs `permissions:` with `pull-requests: write` for the comment, `checks: write` for the check run, or `statuses: write` for the commit status"
    ))]
    Forbidden {
        /// Method and path of the request.
        call: String,
        /// GitHub's words.
        message: String,
    },
    /// GitHub wants a pause that is longer than the patience left.
    #[error("GitHub limits the rate of requests ({call}), longer than it is worth waiting")]
    RateLimited {
        /// Method and path of the request.
        call: String,
    },
    /// The server failed or was out of reach, again and again.
    #[error("GitHub gave no usable answer to {attempts} attempts ({call})")]
    Unavailable {
        /// Method and path of the request.
        call: String,
        /// How often it was sent.
        attempts: u32,
        /// What happened the last time, if nothing came back at all.
        source: Option<TransportError>,
    },
    /// GitHub refused the request for another reason.
    #[error("GitHub refused ({call}): {status} {message}")]
    Refused {
        /// Method and path of the request.
        call: String,
        /// The HTTP status.
        status: u16,
        /// GitHub's words.
        message: String,
    },
    /// The answer is not what the API promises.
    #[error("GitHub's answer makes no sense ({call})")]
    Garbled {
        /// Method and path of the request.
        call: String,
        /// The parser's reason.
        source: serde_json::Error,
    },
    /// The request could not be sent at all, and repeating it would not help.
    #[error("failed to send ({call})")]
    Unsendable {
        /// Method and path of the request.
        call: String,
        /// Why.
        source: TransportError,
    },
    /// A list is longer than anybody would read.
    #[error("more than {pages} pages ({call})")]
    Endless {
        /// Method and path of the request.
        call: String,
        /// The limit.
        pages: u32,
    },
}

/// Sends requests, and insists where that is right.
pub struct ApiClient<'a> {
    transport: &'a dyn Transport,
    repository: Repository,
    token: Option<Token>,
    patience: RetryPolicy,
    pause: &'a dyn Fn(Duration),
}

/// Pages of a hundred: more than GitHub lists of anything here.
const PAGES_MAX: u32 = 200;
const ANSWER_BYTES_MAX: u64 = 16 << 20;

impl<'a> ApiClient<'a> {
    /// Speaks about `repository` through `transport`, waiting by `pause` for as long as `patience`
    /// lasts. `token` is only needed to keep it out of what the server says.
    pub fn new(
        transport: &'a dyn Transport,
        repository: &Repository,
        token: Option<&Token>,
        patience: RetryPolicy,
        pause: &'a dyn Fn(Duration),
    ) -> Self {
        Self { transport, repository: repository.clone(), token: token.cloned(), patience, pause }
    }

    /// Returns the path of `rest` below the repository.
    pub fn below(&self, rest: &str) -> String {
        format!("/repos/{}/{rest}", self.repository)
    }

    /// Reads one thing.
    pub fn get<T: DeserializeOwned>(
        &self,
        path: String,
        query: Vec<(&'static str, String)>,
    ) -> Result<T, ApiError> {
        let request = ApiRequest { query, ..request(HttpMethod::Get, path, None) };
        parse(&request, &self.insist(&request)?)
    }

    /// Reads the content of a file of at most `bytes_max` bytes.
    pub fn get_bytes(&self, path: String, bytes_max: u64) -> Result<Vec<u8>, ApiError> {
        let request =
            ApiRequest { answer_bytes_max: bytes_max, ..request(HttpMethod::Get, path, None) };
        Ok(self.insist(&request)?.body)
    }

    /// Reads a list to its end.
    pub fn list<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&'static str, String)],
    ) -> Result<Vec<T>, ApiError> {
        let mut items = Vec::new();
        for page in 1..=PAGES_MAX {
            let mut query = query.to_vec();
            query.extend([("per_page", "100".to_owned()), ("page", page.to_string())]);
            let request = ApiRequest { query, ..request(HttpMethod::Get, path.to_owned(), None) };
            let response = self.insist(&request)?;
            items.extend(parse::<Vec<T>>(&request, &response)?);
            if !has_next_page(&response) {
                return Ok(items);
            }
        }
        Err(ApiError::Endless { call: format!("GET {path}"), pages: PAGES_MAX })
    }

    /// Changes one thing; arriving twice does no harm.
    pub fn patch<T: DeserializeOwned>(&self, path: String, body: Value) -> Result<T, ApiError> {
        let request = request(HttpMethod::Patch, path, Some(body));
        parse(&request, &self.insist(&request)?)
    }

    /// Removes one thing.
    pub fn delete(&self, path: String) -> Result<(), ApiError> {
        self.insist(&request(HttpMethod::Delete, path, None)).map(drop)
    }

    /// Sends what may arrive twice although it is a `POST`.
    pub fn post<T: DeserializeOwned>(&self, path: String, body: Value) -> Result<T, ApiError> {
        let request = request(HttpMethod::Post, path, Some(body));
        parse(&request, &self.insist(&request)?)
    }

    /// Sends what must have its effect once. Where it is unknown whether it had, `look` says, and
    /// what it finds is the result; only if it finds nothing is the request sent again.
    pub fn once<T: DeserializeOwned>(
        &self,
        method: HttpMethod,
        path: String,
        body: Value,
        look: &dyn Fn() -> Result<Option<T>, ApiError>,
    ) -> Result<T, ApiError> {
        let request = request(method, path, Some(body));
        let mut may_have_arrived = false;
        let result = self.patience.insist(self.pause, |attempts| {
            if may_have_arrived && let Some(found) = look().map_err(FailedAttempt::settled)? {
                return Ok(found);
            }
            let sent = self.attempt(&request, attempts);
            may_have_arrived =
                sent.as_ref().is_err_and(|failure| failure.outcome == AttemptOutcome::Lost);
            parse(&request, &sent?).map_err(FailedAttempt::settled)
        });
        result.map_err(|failure| failure.error)
    }

    /// Returns the login that what this token writes is signed with.
    ///
    /// The token of a workflow belongs to an app, and an app has no `/user`; the other interface
    /// tells for both kinds. A server that has neither is taken to run the usual workflow token.
    pub fn login(&self) -> Result<String, ApiError> {
        #[derive(Deserialize)]
        struct TokenUser {
            login: String,
        }
        let question = json!({ "query": "query { viewer { login } }" });
        let answer = self.post::<Value>("/graphql".to_owned(), question);
        let login = answer.as_ref().ok().and_then(|it| it.pointer("/data/viewer/login")?.as_str());
        if let Some(login) = login {
            return Ok(login.to_owned());
        }
        match self.get::<TokenUser>("/user".to_owned(), Vec::new()) {
            Ok(user) => Ok(user.login),
            Err(
                ApiError::Forbidden { .. }
                | ApiError::Refused { status: 404, .. }
                | ApiError::Garbled { .. },
            ) => Ok("github-actions[bot]".to_owned()),
            Err(error) => Err(error),
        }
    }

    fn insist(&self, request: &ApiRequest) -> Result<ApiResponse, ApiError> {
        let result = self.patience.insist(self.pause, |attempts| self.attempt(request, attempts));
        result.map_err(|failure| failure.error)
    }

    /// Sends `request` once, for the `attempts`th time.
    fn attempt(
        &self,
        request: &ApiRequest,
        attempts: u32,
    ) -> Result<ApiResponse, FailedAttempt<ApiError>> {
        let call = call(request);
        let response = match self.transport.send(request) {
            Ok(response) => response,
            Err(source @ TransportError::Lost(_)) => {
                let error = ApiError::Unavailable { call, attempts, source: Some(source) };
                return Err(FailedAttempt { outcome: AttemptOutcome::Lost, error });
            }
            Err(source) => {
                return Err(FailedAttempt::settled(ApiError::Unsendable { call, source }));
            }
        };
        let outcome = classify_status(&response);
        let message = || self.words(&response);
        let error = match (outcome, response.status) {
            (AttemptOutcome::TooMany(_), _) => ApiError::RateLimited { call },
            (AttemptOutcome::Lost, _) => ApiError::Unavailable { call, attempts, source: None },
            (AttemptOutcome::Settled, 200..=299) => return Ok(response),
            (AttemptOutcome::Settled, 401) => ApiError::Unauthorized { call },
            (AttemptOutcome::Settled, 403) => ApiError::Forbidden { call, message: message() },
            (AttemptOutcome::Settled, status) => {
                ApiError::Refused { call, status, message: message() }
            }
        };
        Err(FailedAttempt { outcome, error })
    }

    /// What the server said, short, on one line, and without the token.
    fn words(&self, response: &ApiResponse) -> String {
        let message = message(response);
        let message = match &self.token {
            Some(token) => token.redact(&message),
            None => message,
        };
        message.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
    }
}

fn request(method: HttpMethod, path: String, body: Option<Value>) -> ApiRequest {
    ApiRequest { method, path, query: Vec::new(), body, answer_bytes_max: ANSWER_BYTES_MAX }
}

fn call(request: &ApiRequest) -> String {
    format!("{} {}", request.method, request.path)
}

fn parse<T: DeserializeOwned>(request: &ApiRequest, response: &ApiResponse) -> Result<T, ApiError> {
    serde_json::from_slice(&response.body)
        .map_err(|source| ApiError::Garbled { call: call(request), source })
}

fn message(response: &ApiResponse) -> String {
    #[derive(Deserialize)]
    struct ApiRefusal {
        message: String,
    }
    serde_json::from_slice::<ApiRefusal>(&response.body).map_or_else(
        |_| String::from_utf8_lossy(&response.body).into_owned(),
        |refusal| refusal.message,
    )
}

fn classify_status(response: &ApiResponse) -> AttemptOutcome {
    match response.status {
        500 | 502 | 503 | 504 => AttemptOutcome::Lost,
        429 => AttemptOutcome::TooMany(named_pause(response)),
        403 if is_limit(response) => AttemptOutcome::TooMany(named_pause(response)),
        _ => AttemptOutcome::Settled,
    }
}

/// A 403 is also how GitHub reports a rate limit.
fn is_limit(response: &ApiResponse) -> bool {
    response.header("retry-after").is_some()
        || response.header("x-ratelimit-remaining") == Some("0")
        || message(response).to_ascii_lowercase().contains("rate limit")
}

/// The pause that the server names: in seconds, or as the moment when the limit is lifted, which
/// is measured by the server's own clock.
fn named_pause(response: &ApiResponse) -> Option<Duration> {
    if let Some(seconds) = response.header("retry-after").and_then(|it| it.trim().parse().ok()) {
        return Some(Duration::from_secs(seconds));
    }
    if response.header("x-ratelimit-remaining") != Some("0") {
        return None;
    }
    let reset: i64 = response.header("x-ratelimit-reset")?.trim().parse().ok()?;
    let now = rfc2822::parse(response.header("date")?).ok()?.timestamp().as_second();
    u64::try_from(reset.saturating_sub(now)).ok().map(Duration::from_secs)
}

fn has_next_page(response: &ApiResponse) -> bool {
    response.header("link").is_some_and(|link| link.contains("rel=\"next\""))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use proptest::prelude::*;

    use super::*;

    /// Answers with these statuses in turn and then with 201.
    struct ScriptedTransport {
        statuses: RefCell<std::vec::IntoIter<u16>>,
        log: RefCell<Vec<String>>,
    }

    impl Transport for ScriptedTransport {
        fn send(&self, _request: &ApiRequest) -> Result<ApiResponse, TransportError> {
            let status = self.statuses.borrow_mut().next().unwrap_or(201);
            self.log.borrow_mut().push(status.to_string());
            Ok(ApiResponse { status, headers: Vec::new(), body: b"{}".to_vec() })
        }
    }

    proptest! {
        #[test]
        fn what_creates_is_never_blindly_repeated(
            statuses in prop::collection::vec(prop_oneof![Just(502_u16), Just(429)], 0..6),
        ) {
            let statuses = RefCell::new(statuses.into_iter());
            let transport = ScriptedTransport { statuses, log: RefCell::default() };
            let repository = Repository::parse("octo-org/octo-repo").unwrap();
            let policy = RetryPolicy::new(Duration::from_mins(10));
            let client = ApiClient::new(&transport, &repository, None, policy, &|_| ());
            let look = || {
                transport.log.borrow_mut().push("look".to_owned());
                Ok(None)
            };
            let _: Result<Value, _> =
                client.once(HttpMethod::Post, "/comments".to_owned(), json!({}), &look);
            let log = transport.log.into_inner();
            for pair in log.windows(2) {
                prop_assert_eq!(pair[0] == "502", pair[1] == "look", "{:?}", log);
            }
        }
    }

    fn response(status: u16, headers: &[(&'static str, &str)], message: &str) -> ApiResponse {
        let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        ApiResponse {
            status,
            headers,
            body: json!({ "message": message }).to_string().into_bytes(),
        }
    }

    #[test]
    fn an_answer_is_settled_lost_or_too_early() {
        let seconds = |s| AttemptOutcome::TooMany(Some(Duration::from_secs(s)));
        let check = |status, headers: &[_], message, expected| {
            assert_eq!(classify_status(&response(status, headers, message)), expected);
        };
        check(201, &[], "", AttemptOutcome::Settled);
        check(401, &[], "Bad credentials", AttemptOutcome::Settled);
        check(403, &[], "Resource not accessible by integration", AttemptOutcome::Settled);
        check(422, &[], "Validation Failed", AttemptOutcome::Settled);
        check(502, &[], "Server Error", AttemptOutcome::Lost);
        check(429, &[], "", AttemptOutcome::TooMany(None));
        check(403, &[("retry-after", "9")], "", seconds(9));
        check(403, &[], "You have exceeded a secondary rate limit.", AttemptOutcome::TooMany(None));
        let reset = [
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1700000030"),
            ("date", "Tue, 14 Nov 2023 22:13:20 GMT"),
        ];
        check(403, &reset, "API rate limit exceeded", seconds(30));
    }
}
