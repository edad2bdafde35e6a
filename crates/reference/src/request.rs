//! Reads request bodies within their limits: size, pace, and what they inflate to.

use std::io::Write;
use std::mem;
use std::time::Duration;

use bytes::Bytes;
use flate2::write::GzDecoder;
use http_body_util::BodyExt;
use hyper::HeaderMap;
use hyper::body::{Body, Incoming};
use hyper::header::{self, HeaderValue};
use tokio::time::{self, Instant};

use crate::budget::Lease;
use crate::contract::RequestRefusal;

/// A body that was refused is read on for as long as this.
const DRAIN_MAX: Duration = Duration::from_secs(5);
/// So much is inflated at once. A thousandfold expansion stays below a mebibyte.
const INFLATE_BYTES: usize = 1 << 10;

/// How large and how slow a body may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyLimits {
    /// Its size, also once inflated.
    pub(super) bytes: u64,
    /// The wait for its next part.
    pub(super) idle: Duration,
    /// The time for all of it.
    pub(super) total: Duration,
}

/// A body that is arriving.
pub(super) struct IncomingBody {
    body: Incoming,
    limits: BodyLimits,
    left: u64,
    deadline: Instant,
    inflater: Option<GzDecoder<Vec<u8>>>,
    /// What is not inflated yet.
    packed: Bytes,
}

impl IncomingBody {
    pub(super) fn new(body: Incoming, limits: BodyLimits) -> Self {
        let deadline = now() + limits.total;
        let left = limits.bytes;
        Self { body, limits, left, deadline, inflater: None, packed: Bytes::new() }
    }

    /// Checks what the head says about the body, which has to be JSON of at most `bytes_max`.
    pub(super) fn expect_json(
        &mut self,
        head: &HeaderMap,
        bytes_max: u64,
    ) -> Result<(), RequestRefusal> {
        if !head.get(header::CONTENT_TYPE).is_some_and(is_json) {
            return Err(RequestRefusal::MediaType);
        }
        match head.get(header::CONTENT_ENCODING).map(HeaderValue::as_bytes) {
            None | Some(b"identity") => {}
            Some(b"gzip") => self.inflater = Some(GzDecoder::new(Vec::new())),
            Some(other) => {
                return Err(RequestRefusal::Encoding(String::from_utf8_lossy(other).into_owned()));
            }
        }
        self.limits.bytes = bytes_max.min(self.limits.bytes);
        self.left = self.limits.bytes;
        if self.body.size_hint().lower() > self.left {
            return Err(RequestRefusal::TooLarge { limit: self.left });
        }
        Ok(())
    }

    /// Returns the next part, inflated, or nothing at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, RequestRefusal> {
        let part = match self.inflater.take() {
            None => self.receive().await?,
            Some(mut inflater) => {
                let part = self.inflate(&mut inflater).await?;
                self.inflater = Some(inflater);
                part
            }
        };
        if let Some(part) = &part {
            let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
            let too_large = RequestRefusal::TooLarge { limit: self.limits.bytes };
            self.left = self.left.checked_sub(length).ok_or(too_large)?;
        }
        Ok(part)
    }

    async fn inflate(
        &mut self,
        inflater: &mut GzDecoder<Vec<u8>>,
    ) -> Result<Option<Bytes>, RequestRefusal> {
        loop {
            if self.packed.is_empty() {
                let Some(part) = self.receive().await? else {
                    inflater.try_finish().map_err(|_| RequestRefusal::Inflate)?;
                    let rest = mem::take(inflater.get_mut());
                    return Ok((!rest.is_empty()).then(|| Bytes::from(rest)));
                };
                self.packed = part;
            }
            let step = self.packed.split_to(self.packed.len().min(INFLATE_BYTES));
            inflater.write_all(&step).map_err(|_| RequestRefusal::Inflate)?;
            if !inflater.get_ref().is_empty() {
                return Ok(Some(Bytes::from(mem::take(inflater.get_mut()))));
            }
        }
    }

    /// Returns what comes from the network next.
    async fn receive(&mut self) -> Result<Option<Bytes>, RequestRefusal> {
        loop {
            let until = self.deadline.min(now() + self.limits.idle);
            let frame = time::timeout_at(until, self.body.frame()).await;
            let Some(frame) = frame.map_err(|_| RequestRefusal::Slow)? else {
                return Ok(None);
            };
            // Trailers are no data, and mean nothing here.
            if let Ok(part) = frame.map_err(|_| RequestRefusal::Aborted)?.into_data()
                && !part.is_empty()
            {
                return Ok(Some(part));
            }
        }
    }

    /// Reads all of it; `lease` covers it.
    pub(super) async fn all(&mut self, lease: &mut Lease) -> Result<Vec<u8>, RequestRefusal> {
        let mut bytes = Vec::new();
        while let Some(part) = self.next().await? {
            lease.cover(bytes.len() + part.len())?;
            bytes.extend_from_slice(&part);
        }
        Ok(bytes)
    }

    /// Reads on without keeping anything, so that the client sees the answer to a body that it is
    /// still sending instead of a reset connection.
    pub(super) async fn drain(&mut self) {
        self.deadline = now() + DRAIN_MAX;
        while let Ok(Some(_)) = self.receive().await {}
    }
}

/// `application/json`, or any other subtype of it that ends in `+json`.
fn is_json(value: &HeaderValue) -> bool {
    let Ok(value) = value.to_str() else { return false };
    let kind = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind.strip_prefix("application/")
        .is_some_and(|subtype| subtype == "json" || subtype.ends_with("+json"))
}

/// Returns the time of the runtime's clock, for deadlines only.
pub(super) fn now() -> Instant {
    Instant::now()
}
