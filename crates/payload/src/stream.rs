//! Writes a request in pieces, so that a million XML pairs take no more memory than a thousand.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::PayloadKind;
use super::escape;
use super::expectation::{ResponseExpectation, VerdictBits};
use super::pairs::PairStream;
use super::spec::{PayloadSpec, RequestEncoding};
use super::template::{ExpectedValue, RenderedRequest, TemplateError};
use super::truth::Semantics;
use super::xml::root;

/// About how many bytes one piece has: large enough that handing it on costs nothing beside writing
/// it, small enough to stay in a core's own cache.
pub const CHUNK_BYTES: usize = 64 * 1024;

/// How XML pairs are written to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairFormat {
    /// As a batch request: `{"comparisons": [ … ]}`.
    Json,
    /// One `{"xml1": …, "xml2": …}` a line.
    Ndjson,
    /// As a SOAP 1.1 envelope that holds the documents as texts.
    Soap,
}

/// How one pair is written.
#[derive(Debug, Clone, Copy)]
enum PairNotation {
    /// Both documents as a JSON object.
    Json,
    /// Both documents as texts of XML elements.
    Texts,
    /// The first document.
    First,
    /// The root element of the first document.
    Root,
}

/// What stands around and between the pairs.
#[derive(Debug, Clone, Copy)]
struct StreamFrame {
    head: &'static str,
    item: PairNotation,
    between: &'static str,
    tail: &'static str,
}

impl StreamFrame {
    fn bare(item: PairNotation) -> Self {
        Self { head: "", item, between: "", tail: "" }
    }

    fn of(kind: PayloadKind) -> Self {
        match kind {
            PayloadKind::XmlCompare => Self::bare(PairNotation::Json),
            PayloadKind::XmlCompareBatch => Self::written(PairFormat::Json),
            // A template is written as a whole: see `BodyStream::new`.
            PayloadKind::RawXml | PayloadKind::Template => Self::bare(PairNotation::First),
            PayloadKind::Soap11 => Self {
                head: r#"<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>"#,
                tail: "</soap:Body></soap:Envelope>",
                ..Self::bare(PairNotation::Root)
            },
            PayloadKind::Soap12 => Self {
                head: r#"<env:Envelope xmlns:env="http://www.w3.org/2003/05/soap-envelope"><env:Body>"#,
                tail: "</env:Body></env:Envelope>",
                ..Self::bare(PairNotation::Root)
            },
        }
    }

    fn written(format: PairFormat) -> Self {
        match format {
            PairFormat::Json => Self {
                head: r#"{"comparisons":["#,
                item: PairNotation::Json,
                between: ",",
                tail: "]}",
            },
            PairFormat::Ndjson => {
                Self { item: PairNotation::Json, between: "\n", head: "", tail: "\n" }
            }
            PairFormat::Soap => Self {
                head: "<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\">\
                    <soap:Body><comparisons xmlns=\"urn:xmlperf:batch\">",
                item: PairNotation::Texts,
                between: "",
                tail: "</comparisons></soap:Body></soap:Envelope>",
            },
        }
    }
}

/// The body of one request, piece by piece.
///
/// The pieces one after the other are the body of [`message`](super::message).
#[derive(Debug)]
pub struct BodyStream {
    kind: PayloadKind,
    frame: StreamFrame,
    pairs: PairStream,
    total: u64,
    verdicts: VerdictBits,
    semantics: Semantics,
    is_hostile: bool,
    /// What the answer must hold, where that is not left to the kind.
    expected: Option<Result<Vec<ExpectedValue>, TemplateError>>,
    /// A request that is made as a whole, or why it cannot be.
    whole: Option<Result<RenderedRequest, TemplateError>>,
    ended: bool,
    gzip: Option<GzipStream>,
}

impl BodyStream {
    /// Starts request number `index` (from 0).
    pub fn new(spec: &PayloadSpec, kind: PayloadKind, index: u64) -> Self {
        let gzip = match spec.encoding {
            RequestEncoding::Plain => None,
            RequestEncoding::Gzip => Some(GzipStream::new()),
        };
        Self { gzip, ..Self::request(spec, kind, index) }
    }

    fn request(spec: &PayloadSpec, kind: PayloadKind, index: u64) -> Self {
        if kind == PayloadKind::Template {
            let whole = spec.render(index);
            return Self { whole, ..Self::start(spec, kind, StreamFrame::of(kind), index) };
        }
        match spec.requests(kind) {
            Some(requests) => {
                Self::start(&requests, kind, StreamFrame::bare(PairNotation::First), index)
            }
            None => Self::start(spec, kind, StreamFrame::of(kind), index),
        }
    }

    /// Starts a file with the XML pairs of request number `index` (from 0), which is never compressed.
    pub fn file(spec: &PayloadSpec, format: PairFormat, index: u64) -> Self {
        Self::start(spec, PayloadKind::XmlCompareBatch, StreamFrame::written(format), index)
    }

    fn start(spec: &PayloadSpec, kind: PayloadKind, frame: StreamFrame, index: u64) -> Self {
        let total = kind.pairs(spec.pairs);
        Self {
            kind,
            frame,
            pairs: PairStream::new(spec.source(), spec.seed, index.wrapping_mul(total)),
            total,
            verdicts: VerdictBits::default(),
            semantics: spec.semantics,
            is_hostile: spec.is_hostile(),
            expected: spec.expected(kind, index),
            whole: None,
            ended: false,
            gzip: None,
        }
    }

    /// Appends the next piece to `out`: about [`CHUNK_BYTES`], the rest at the end. Returns false,
    /// and appends nothing, after the last one.
    pub fn next_into(&mut self, out: &mut Vec<u8>) -> bool {
        let Some(mut gzip) = self.gzip.take() else { return self.plain_into(out) };
        let more = gzip.next_into(self, out);
        self.gzip = Some(gzip);
        more
    }

    fn plain_into(&mut self, out: &mut Vec<u8>) -> bool {
        if self.ended {
            return false;
        }
        if self.kind == PayloadKind::Template {
            if let Some(Ok(rendered)) = &self.whole {
                out.extend_from_slice(rendered.body.as_bytes());
            }
            self.ended = true;
            return true;
        }
        if self.verdicts.len() == 0 {
            out.extend_from_slice(self.frame.head.as_bytes());
        }
        let full = out.len() + CHUNK_BYTES;
        while self.verdicts.len() < self.total && out.len() < full {
            if self.verdicts.len() > 0 {
                out.extend_from_slice(self.frame.between.as_bytes());
            }
            self.write_item(out);
        }
        if self.verdicts.len() == self.total {
            out.extend_from_slice(self.frame.tail.as_bytes());
            self.ended = true;
        }
        true
    }

    fn write_item(&mut self, out: &mut Vec<u8>) {
        let truth = match self.frame.item {
            PairNotation::Json => self.pairs.write_json(out),
            PairNotation::Texts | PairNotation::First | PairNotation::Root => self.pairs.next(),
        };
        let (first, second) = self.pairs.documents();
        match self.frame.item {
            PairNotation::Json => {}
            PairNotation::Texts => {
                out.extend_from_slice(b"<pair><xml1>");
                escape::xml(out, first);
                out.extend_from_slice(b"</xml1><xml2>");
                escape::xml(out, second);
                out.extend_from_slice(b"</xml2></pair>");
            }
            PairNotation::First => out.extend_from_slice(first),
            PairNotation::Root => out.extend_from_slice(root(first)),
        }
        self.verdicts.push(truth.matched(self.semantics));
    }

    /// Returns what the request must be answered with, whether or not all of it has been written.
    pub fn into_expected(mut self) -> ResponseExpectation {
        while self.verdicts.len() < self.total {
            self.verdicts.push(self.pairs.truth().matched(self.semantics));
        }
        if let Some(whole) = self.whole {
            ResponseExpectation::wanted(whole.map(|rendered| rendered.expected), self.verdicts)
        } else if let Some(expected) = self.expected {
            ResponseExpectation::wanted(expected, self.verdicts)
        } else if self.is_hostile {
            ResponseExpectation::survival(self.verdicts)
        } else {
            ResponseExpectation::of(self.kind, self.verdicts)
        }
    }
}

/// A compressed body on its way.
#[derive(Debug)]
struct GzipStream {
    /// The last piece as it was before.
    piece: Vec<u8>,
    /// None after the last piece.
    encoder: Option<GzEncoder<Vec<u8>>>,
}

impl GzipStream {
    fn new() -> Self {
        let encoder = GzEncoder::new(Vec::new(), Compression::default());
        Self { piece: Vec::new(), encoder: Some(encoder) }
    }

    /// Appends the next compressed piece of `stream` to `out`, about as large as others.
    fn next_into(&mut self, stream: &mut BodyStream, out: &mut Vec<u8>) -> bool {
        let Some(mut encoder) = self.encoder.take() else { return false };
        loop {
            self.piece.clear();
            if !stream.plain_into(&mut self.piece) {
                out.extend_from_slice(&encoder.finish().expect("writing to memory cannot fail"));
                return true;
            }
            encoder.write_all(&self.piece).expect("writing to memory cannot fail");
            if encoder.get_ref().len() >= CHUNK_BYTES {
                out.append(encoder.get_mut());
                self.encoder = Some(encoder);
                return true;
            }
        }
    }
}

impl Iterator for BodyStream {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let mut chunk = Vec::with_capacity(CHUNK_BYTES + CHUNK_BYTES / 8);
        self.next_into(&mut chunk).then(|| chunk.into())
    }
}
