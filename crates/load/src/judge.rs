//! Judges an answer that is whole, after the clock was stopped.

use std::io::Read;

use flate2::read::MultiGzDecoder;

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
        let body = match self.encoding {
            ContentEncoding::Plain => self.body,
            ContentEncoding::Gzip if self.body.is_empty() => &[],
            ContentEncoding::Gzip => {
                inflate(self.body, inflated, bytes_max).map_err(|detail| {
                    ExchangeFailure::new(FailureKind::Malformed, detail, self.bytes)
                })?;
                inflated
            }
        };
        check.check(self.status, body).map_err(|detail| {
            let right = (200..300).contains(&self.status);
            let kind =
                if right { FailureKind::WrongAnswer } else { FailureKind::Status(self.status) };
            ExchangeFailure::new(kind, detail, self.bytes)
        })
    }
}

fn inflate(body: &[u8], into: &mut Vec<u8>, bytes_max: usize) -> Result<(), String> {
    into.clear();
    let most = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    let read = MultiGzDecoder::new(body).take(most.saturating_add(1)).read_to_end(into);
    let bytes = read.map_err(|error| format!("its gzip body cannot be read: {error}"))?;
    if bytes > bytes_max {
        return Err(format!("its gzip body is larger than the {bytes_max} bytes allowed"));
    }
    Ok(())
}
