//! Judges an answer that is whole, after the clock was stopped.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use thiserror::Error;

use super::exchange::{ExchangeFailure, FailureKind};
use super::request::{ResponseCheck, WrongResponse};
use super::request_plan::{AnswerParts, CapturedValues};
use super::response::ContentEncoding;
use super::virtual_user::{AnswerTaker, TakenValues};

/// An answer, whichever version of HTTP has brought it.
pub(super) struct CompleteResponse<'a> {
    pub(super) status: u16,
    pub(super) encoding: ContentEncoding,
    pub(super) body: &'a [u8],
    /// What a failure shows of it.
    pub(super) bytes: &'a [u8],
    pub(super) headers: ResponseHeaders<'a>,
}

/// Where the headers of an answer are.
#[derive(Clone, Copy)]
pub(super) enum ResponseHeaders<'a> {
    /// In the bytes, as HTTP/1.1 has them: behind the status line.
    InBytes,
    /// Apart, as far as they are wanted.
    Apart(&'a [(String, String)]),
}

/// The headers of an answer whose head is known to be well-formed.
fn head_lines(bytes: &[u8]) -> Vec<(&str, &str)> {
    let lines = bytes.split(|byte| *byte == b'\n').skip(1);
    let lines = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let lines = lines.take_while(|line| !line.is_empty());
    let texts = lines.filter_map(|line| str::from_utf8(line).ok()?.split_once(':'));
    texts.map(|(name, value)| (name.trim(), value.trim())).collect()
}

impl CompleteResponse<'_> {
    /// Returns what it leaves with its virtual user, or what is wrong with it. A compressed body is decoded
    /// into `inflated` first.
    pub(super) fn judge(
        &self,
        check: &dyn ResponseCheck,
        taker: AnswerTaker<'_>,
        inflated: &mut Vec<u8>,
        bytes_max: usize,
    ) -> Result<TakenValues, ExchangeFailure> {
        check.observe(self.bytes);
        let body = match self.encoding {
            ContentEncoding::Plain => self.body,
            ContentEncoding::Gzip if self.body.is_empty() => &[],
            ContentEncoding::Gzip => {
                inflate(self.body, inflated, bytes_max).map_err(|error| {
                    ExchangeFailure::new(FailureKind::Malformed, error.to_string(), self.bytes)
                })?;
                inflated
            }
        };
        check.check(self.status, body).and_then(|()| self.take(taker, body)).map_err(|fault| {
            let right = (200..300).contains(&self.status);
            let kind =
                if right { FailureKind::WrongAnswer } else { FailureKind::Status(self.status) };
            ExchangeFailure::new(kind, fault.to_string(), self.bytes)
        })
    }

    fn take(&self, taker: AnswerTaker<'_>, body: &[u8]) -> Result<TakenValues, WrongResponse> {
        if !taker.is_needed() {
            return Ok(TakenValues::default());
        }
        let headers = self.headers();
        let captured = match taker.capture {
            Some(capture) => capture.capture(&AnswerParts { headers: &headers, body })?,
            None => CapturedValues::new(),
        };
        let is_cookie = |name: &str| name.eq_ignore_ascii_case("set-cookie");
        let cookies = headers.iter().filter(|(name, _)| is_cookie(name));
        let cookies = cookies.map(|(_, value)| (*value).to_owned()).collect();
        Ok(TakenValues { captured, cookies })
    }

    /// Returns the headers that are text.
    fn headers(&self) -> Vec<(&str, &str)> {
        match self.headers {
            ResponseHeaders::InBytes => head_lines(self.bytes),
            ResponseHeaders::Apart(headers) => {
                headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
            }
        }
    }
}

/// Why a compressed body cannot be judged.
#[derive(Debug, Error)]
enum InflateError {
    #[error("its gzip body cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    #[error("its gzip body is larger than the {bytes_max} bytes allowed")]
    TooLarge { bytes_max: usize },
}

fn inflate(body: &[u8], into: &mut Vec<u8>, bytes_max: usize) -> Result<(), InflateError> {
    into.clear();
    let most = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    let bytes = MultiGzDecoder::new(body).take(most.saturating_add(1)).read_to_end(into)?;
    if bytes > bytes_max {
        return Err(InflateError::TooLarge { bytes_max });
    }
    Ok(())
}
