//! Judges an answer that is whole, after the clock was stopped.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;
use thiserror::Error;

use super::exchange::{ExchangeFailure, FailureKind};
use super::request::ResponseCheck;
use super::response::ContentEncoding;

/// An answer, whichever version of HTTP has brought it.
pub(super) struct CompleteResponse<'a> {
    pub(super) status: u16,
    pub(super) encoding: ContentEncoding,
    pub(super) body: &'a [u8],
    /// What a failure shows of it.
    pub(super) bytes: &'a [u8],
}

impl CompleteResponse<'_> {
    /// Returns what is wrong with it. A compressed body is decoded into `inflated` first.
    pub(super) fn judge(
        &self,
        check: &dyn ResponseCheck,
        inflated: &mut Vec<u8>,
        bytes_max: usize,
    ) -> Result<(), ExchangeFailure> {
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
        check.check(self.status, body).map_err(|fault| {
            let right = (200..300).contains(&self.status);
            let kind =
                if right { FailureKind::WrongAnswer } else { FailureKind::Status(self.status) };
            ExchangeFailure::new(kind, fault.to_string(), self.bytes)
        })
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
