//! Writes a request in pieces, so that a million XML pairs take no more memory than a thousand.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::Kind;
use super::escape;
use super::expected::{Expected, Verdicts};
use super::pairs::Pairs;
use super::spec::{Encoding, Spec};
use super::template::Wanted;
use super::truth::Semantics;
use super::xml::Document;

/// About how many bytes one piece has: large enough that handing it on costs nothing beside writing
/// it, small enough to stay in a core's own cache.
pub const CHUNK_BYTES: usize = 64 * 1024;

/// How XML pairs are written to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// As a batch request: `{"comparisons": [ … ]}`.
    Json,
    /// One `{"xml1": …, "xml2": …}` a line.
    Ndjson,
    /// As a SOAP 1.1 envelope that holds the documents as texts.
    Soap,
}

/// How one pair is written.
#[derive(Debug, Clone, Copy)]
enum Item {
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
struct Frame {
    head: &'static str,
    item: Item,
    between: &'static str,
    tail: &'static str,
}

impl Frame {
    fn bare(item: Item) -> Self {
        Self { head: "", item, between: "", tail: "" }
    }

    fn of(kind: Kind) -> Self {
        match kind {
            Kind::XmlCompare => Self::bare(Item::Json),
            Kind::XmlCompareBatch => Self::written(Format::Json),
            // A template is written as a whole: see `Stream::new`.
            Kind::RawXml | Kind::Template => Self::bare(Item::First),
            Kind::Soap11 => Self {
                head: r#"<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>"#,
                tail: "</soap:Body></soap:Envelope>",
                ..Self::bare(Item::Root)
            },
            Kind::Soap12 => Self {
                head: r#"<env:Envelope xmlns:env="http://www.w3.org/2003/05/soap-envelope"><env:Body>"#,
                tail: "</env:Body></env:Envelope>",
                ..Self::bare(Item::Root)
            },
        }
    }

    fn written(format: Format) -> Self {
        match format {
            Format::Json => {
                Self { head: r#"{"comparisons":["#, item: Item::Json, between: ",", tail: "]}" }
            }
            Format::Ndjson => Self { item: Item::Json, between: "\n", head: "", tail: "\n" },
            Format::Soap => Self {
                head: "<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\">\
                    <soap:Body><comparisons xmlns=\"urn:xmlperf:batch\">",
                item: Item::Texts,
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
pub struct Stream {
    kind: Kind,
    frame: Frame,
    pairs: Pairs,
    total: u64,
    verdicts: Verdicts,
    semantics: Semantics,
    is_hostile: bool,
    /// A request that is made as a whole, or why it cannot be.
    whole: Option<Result<(String, Vec<Wanted>), String>>,
    ended: bool,
    gzip: Option<Gzip>,
}

impl Stream {
    /// Starts request number `index` (from 0).
    pub fn new(spec: &Spec, kind: Kind, index: u64) -> Self {
        let gzip = match spec.encoding {
            Encoding::Plain => None,
            Encoding::Gzip => Some(Gzip::new()),
        };
        Self { gzip, ..Self::request(spec, kind, index) }
    }

    fn request(spec: &Spec, kind: Kind, index: u64) -> Self {
        if kind == Kind::Template {
            let whole = spec.render(index).map(|made| made.map_err(|error| error.to_string()));
            return Self { whole, ..Self::start(spec, kind, Frame::of(kind), index) };
        }
        match spec.requests(kind) {
            Some(requests) => Self::start(&requests, kind, Frame::bare(Item::First), index),
            None => Self::start(spec, kind, Frame::of(kind), index),
        }
    }

    /// Starts a file with the XML pairs of request number `index` (from 0), which is never compressed.
    pub fn file(spec: &Spec, format: Format, index: u64) -> Self {
        Self::start(spec, Kind::XmlCompareBatch, Frame::written(format), index)
    }

    fn start(spec: &Spec, kind: Kind, frame: Frame, index: u64) -> Self {
        let total = kind.pairs(spec.pairs);
        Self {
            kind,
            frame,
            pairs: Pairs::new(spec, index.wrapping_mul(total)),
            total,
            verdicts: Verdicts::default(),
            semantics: spec.semantics,
            is_hostile: spec.is_hostile(),
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
        if self.kind == Kind::Template {
            if let Some(Ok((body, _))) = &self.whole {
                out.extend_from_slice(body.as_bytes());
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
            Item::Json => self.pairs.write_json(out),
            Item::Texts | Item::First | Item::Root => self.pairs.next(),
        };
        let (first, second) = self.pairs.documents();
        match self.frame.item {
            Item::Json => {}
            Item::Texts => {
                out.extend_from_slice(b"<pair><xml1>");
                escape::xml(out, first);
                out.extend_from_slice(b"</xml1><xml2>");
                escape::xml(out, second);
                out.extend_from_slice(b"</xml2></pair>");
            }
            Item::First => out.extend_from_slice(first),
            Item::Root => out.extend_from_slice(root(first)),
        }
        self.verdicts.push(truth.matched(self.semantics));
    }

    /// Returns what the request must be answered with, whether or not all of it has been written.
    pub fn into_expected(mut self) -> Expected {
        while self.verdicts.len() < self.total {
            self.verdicts.push(self.pairs.truth().matched(self.semantics));
        }
        if let Some(whole) = self.whole {
            Expected::wanted(whole.map(|(_, wanted)| wanted), self.verdicts)
        } else if self.is_hostile {
            Expected::survival(self.verdicts)
        } else {
            Expected::of(self.kind, self.verdicts)
        }
    }
}

/// A compressed body on its way.
#[derive(Debug)]
struct Gzip {
    /// The last piece as it was before.
    piece: Vec<u8>,
    /// None after the last piece.
    encoder: Option<GzEncoder<Vec<u8>>>,
}

impl Gzip {
    fn new() -> Self {
        let encoder = GzEncoder::new(Vec::new(), Compression::default());
        Self { piece: Vec::new(), encoder: Some(encoder) }
    }

    /// Appends the next compressed piece of `stream` to `out`, about as large as others.
    fn next_into(&mut self, stream: &mut Stream, out: &mut Vec<u8>) -> bool {
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

impl Iterator for Stream {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let mut chunk = Vec::with_capacity(CHUNK_BYTES + CHUNK_BYTES / 8);
        self.next_into(&mut chunk).then(|| chunk.into())
    }
}

/// Returns the root element of a document, without what an envelope cannot hold; a document that
/// cannot be read is left as it is.
fn root(document: &[u8]) -> &[u8] {
    let parsed = std::str::from_utf8(document).ok().and_then(|text| Document::parse(text).ok());
    parsed.map_or(document, |parsed| &document[parsed.elements[0].whole()])
}
