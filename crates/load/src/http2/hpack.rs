//! Headers as HTTP/2 has them (HPACK, RFC 7541): each side keeps a table of those that were sent, and names them by
//! number after that.

use std::collections::VecDeque;

use thiserror::Error;

use super::huffman;

/// Size of a table that neither side has said another one of: bytes of names and values, and 32 for each header.
const TABLE_BYTES: usize = 4096;
/// What a header takes of a table beside its name and value.
pub(super) const ENTRY_BYTES: usize = 32;

/// The headers that every table begins with (RFC 7541, appendix A); they count from 1.
#[rustfmt::skip]
const STATIC: [(&str, &str); 61] = [
    (":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"), (":path", "/index.html"),
    (":scheme", "http"), (":scheme", "https"), (":status", "200"), (":status", "204"), (":status", "206"),
    (":status", "304"), (":status", "400"), (":status", "404"), (":status", "500"), ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"), ("accept-language", ""), ("accept-ranges", ""), ("accept", ""),
    ("access-control-allow-origin", ""), ("age", ""), ("allow", ""), ("authorization", ""), ("cache-control", ""),
    ("content-disposition", ""), ("content-encoding", ""), ("content-language", ""), ("content-length", ""),
    ("content-location", ""), ("content-range", ""), ("content-type", ""), ("cookie", ""), ("date", ""), ("etag", ""),
    ("expect", ""), ("expires", ""), ("from", ""), ("host", ""), ("if-match", ""), ("if-modified-since", ""),
    ("if-none-match", ""), ("if-range", ""), ("if-unmodified-since", ""), ("last-modified", ""), ("link", ""),
    ("location", ""), ("max-forwards", ""), ("proxy-authenticate", ""), ("proxy-authorization", ""), ("range", ""),
    ("referer", ""), ("refresh", ""), ("retry-after", ""), ("server", ""), ("set-cookie", ""),
    ("strict-transport-security", ""), ("transfer-encoding", ""), ("user-agent", ""), ("vary", ""), ("via", ""),
    ("www-authenticate", ""),
];

/// Headers that rarely come with the same value twice: to keep them would displace others.
const UNKEPT: [&str; 10] = [
    ":path",
    "age",
    "authorization",
    "content-length",
    "cookie",
    "etag",
    "if-modified-since",
    "if-none-match",
    "location",
    "set-cookie",
];

/// Why a block of headers cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum HpackError {
    #[error("it ends within a header")]
    Cut,
    #[error("a number is too large")]
    Number,
    #[error("there is no header {0} in the table")]
    Index(usize),
    #[error("a string is no Huffman code")]
    Huffman,
    #[error("the table is made larger than allowed")]
    Size,
}

/// Reads the blocks of one direction of a connection, in their order.
#[derive(Debug)]
pub(super) struct HeaderDecoder {
    /// The latest first.
    table: VecDeque<(Vec<u8>, Vec<u8>)>,
    bytes: usize,
    bytes_max: usize,
    name: Vec<u8>,
    value: Vec<u8>,
}

/// A block, as far as it is not read.
struct HeaderBlock<'a>(&'a [u8]);

impl HeaderBlock<'_> {
    fn byte(&mut self) -> Result<u8, HpackError> {
        let (first, rest) = self.0.split_first().ok_or(HpackError::Cut)?;
        self.0 = rest;
        Ok(*first)
    }

    /// Reads a number that begins in the last `bits` of the byte `first` (5.1).
    fn number(&mut self, first: u8, bits: u32) -> Result<usize, HpackError> {
        let most = (1_usize << bits) - 1;
        let mut number = usize::from(first) & most;
        if number < most {
            return Ok(number);
        }
        for shift in (0..=21).step_by(7) {
            let byte = self.byte()?;
            number += usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(HpackError::Number)
    }

    /// Reads a string (5.2) into `out`.
    fn string(&mut self, out: &mut Vec<u8>) -> Result<(), HpackError> {
        out.clear();
        let first = self.byte()?;
        let length = self.number(first, 7)?;
        let (text, rest) = self.0.split_at_checked(length).ok_or(HpackError::Cut)?;
        self.0 = rest;
        if first & 0x80 == 0 {
            out.extend_from_slice(text);
            return Ok(());
        }
        huffman::decode(text, out).ok_or(HpackError::Huffman)
    }
}

impl Default for HeaderDecoder {
    fn default() -> Self {
        let (table, name, value) = (VecDeque::new(), Vec::new(), Vec::new());
        Self { table, bytes: 0, bytes_max: TABLE_BYTES, name, value }
    }
}

impl HeaderDecoder {
    /// Reads a block and gives away its headers, name and value.
    pub(super) fn decode(
        &mut self,
        block: &[u8],
        header: &mut impl FnMut(&[u8], &[u8]),
    ) -> Result<(), HpackError> {
        let mut block = HeaderBlock(block);
        while !block.0.is_empty() {
            let first = block.byte()?;
            if first & 0x80 != 0 {
                let index = block.number(first, 7)?;
                let (name, value) = self.entry(index)?;
                header(name, value);
            } else if first & 0xe0 == 0x20 {
                let bytes = block.number(first, 5)?;
                if bytes > TABLE_BYTES {
                    return Err(HpackError::Size);
                }
                self.bytes_max = bytes;
                self.evict(0);
            } else {
                let is_kept = first & 0x40 != 0;
                let index = block.number(first, if is_kept { 6 } else { 4 })?;
                self.literal(&mut block, index)?;
                header(&self.name, &self.value);
                if is_kept {
                    self.keep();
                }
            }
        }
        Ok(())
    }

    /// Reads a header whose name is that of `index`, or stands before its value.
    fn literal(&mut self, block: &mut HeaderBlock<'_>, index: usize) -> Result<(), HpackError> {
        let mut name = std::mem::take(&mut self.name);
        if index == 0 {
            block.string(&mut name)?;
        } else {
            name.clear();
            name.extend_from_slice(self.entry(index)?.0);
        }
        self.name = name;
        block.string(&mut self.value)
    }

    fn entry(&self, index: usize) -> Result<(&[u8], &[u8]), HpackError> {
        let place = index.checked_sub(1).ok_or(HpackError::Index(0))?;
        if let Some((name, value)) = STATIC.get(place) {
            return Ok((name.as_bytes(), value.as_bytes()));
        }
        let entry = self.table.get(place - STATIC.len()).ok_or(HpackError::Index(index))?;
        Ok((&entry.0, &entry.1))
    }

    fn keep(&mut self) {
        let bytes = self.name.len() + self.value.len() + ENTRY_BYTES;
        self.evict(bytes);
        if bytes <= self.bytes_max {
            self.bytes += bytes;
            self.table.push_front((self.name.clone(), self.value.clone()));
        }
    }

    /// Makes room for so many bytes, as far as there can be.
    fn evict(&mut self, room: usize) {
        while self.bytes + room > self.bytes_max
            && let Some((name, value)) = self.table.pop_back()
        {
            self.bytes -= name.len() + value.len() + ENTRY_BYTES;
        }
    }
}

/// A header to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RequestHeader {
    /// In small letters.
    pub(super) name: Vec<u8>,
    pub(super) value: Vec<u8>,
}

/// Writes the blocks of one direction of a connection, in their order.
///
/// What is once in the table stays: it is filled with what comes first, as a target is sent the same headers again
/// and again.
#[derive(Debug)]
pub(super) struct HeaderEncoder {
    /// The latest last.
    table: Vec<RequestHeader>,
    bytes: usize,
    bytes_max: usize,
    /// Whether the next block has to say that the table was emptied, and how large it is.
    is_resized: bool,
}

impl Default for HeaderEncoder {
    fn default() -> Self {
        Self { table: Vec::new(), bytes: 0, bytes_max: TABLE_BYTES, is_resized: false }
    }
}

impl HeaderEncoder {
    /// The peer keeps a table of at most so many bytes. Returns whether that changes anything.
    pub(super) fn resize(&mut self, bytes_max: usize) -> bool {
        let bytes_max = bytes_max.min(TABLE_BYTES);
        let is_changed = bytes_max != self.bytes_max;
        if is_changed {
            self.table.clear();
            (self.bytes, self.bytes_max, self.is_resized) = (0, bytes_max, true);
        }
        is_changed
    }

    /// Appends a block of these headers. Returns whether the same headers are the same block next time.
    pub(super) fn encode(&mut self, headers: &[RequestHeader], out: &mut Vec<u8>) -> bool {
        let before = self.table.len();
        let is_stable = !self.is_resized;
        if std::mem::take(&mut self.is_resized) {
            // Emptied first, so that both sides agree on what is left (4.2).
            number(out, 0x20, 5, 0);
            number(out, 0x20, 5, self.bytes_max);
        }
        for header in headers {
            self.header(header, out);
        }
        is_stable && self.table.len() == before
    }

    fn header(&mut self, header: &RequestHeader, out: &mut Vec<u8>) {
        let RequestHeader { name, value } = header;
        let fixed = || STATIC.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let is_same = |(own, other): (&[u8], &[u8])| own == name && other == value;
        let latest = STATIC.len() + self.table.len();
        if let Some(place) = fixed().position(is_same) {
            return number(out, 0x80, 7, place + 1);
        }
        if let Some(place) = self.table.iter().position(|it| it == header) {
            return number(out, 0x80, 7, latest - place);
        }
        let fixed_name = fixed().position(|(own, _)| own == name).map(|place| place + 1);
        let kept_name = || self.table.iter().position(|it| it.name == *name);
        let index = fixed_name.or_else(|| kept_name().map(|place| latest - place)).unwrap_or(0);
        let bytes = name.len() + value.len() + ENTRY_BYTES;
        let is_kept = self.bytes + bytes <= self.bytes_max
            && !UNKEPT.iter().any(|unkept| unkept.as_bytes() == name);
        if is_kept {
            number(out, 0x40, 6, index);
        } else {
            number(out, 0, 4, index);
        }
        if index == 0 {
            string(out, name);
        }
        string(out, value);
        if is_kept {
            self.bytes += bytes;
            self.table.push(header.clone());
        }
    }
}

/// Appends a number that begins in the last `bits` of a byte (5.1).
fn number(out: &mut Vec<u8>, first: u8, bits: u32, number: usize) {
    let most = (1_usize << bits) - 1;
    let low = |number: usize| number.to_le_bytes()[0];
    if number < most {
        return out.push(first | low(number));
    }
    out.push(first | low(most));
    let mut rest = number - most;
    while rest >= 0x80 {
        out.push(low(rest) | 0x80);
        rest >>= 7;
    }
    out.push(low(rest));
}

/// Appends a string (5.2), in the shorter of its two forms.
fn string(out: &mut Vec<u8>, text: &[u8]) {
    let encoded = huffman::encoded_bytes(text);
    if encoded < text.len() {
        number(out, 0x80, 7, encoded);
        huffman::encode(text, out);
    } else {
        number(out, 0, 7, text.len());
        out.extend_from_slice(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(headers: &[(&str, &str)]) -> Vec<RequestHeader> {
        let header = |(name, value): &(&str, &str)| RequestHeader {
            name: name.as_bytes().to_vec(),
            value: value.as_bytes().to_vec(),
        };
        headers.iter().map(header).collect()
    }

    fn decoded(
        decoder: &mut HeaderDecoder,
        block: &[u8],
    ) -> Result<Vec<RequestHeader>, HpackError> {
        let mut found = Vec::new();
        decoder.decode(block, &mut |name, value| {
            found.push(RequestHeader { name: name.to_vec(), value: value.to_vec() });
        })?;
        Ok(found)
    }

    fn bytes(hex: &str) -> Vec<u8> {
        let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        (0..hex.len()).step_by(2).map(digit).collect()
    }

    /// RFC 7541, C.6: three answers, with a table of 256 bytes.
    #[test]
    fn the_answers_of_the_standard_are_read_as_it_says() {
        let mut decoder = HeaderDecoder { bytes_max: 256, ..HeaderDecoder::default() };
        let (date, later) = ("Mon, 21 Oct 2013 20:13:21 GMT", "Mon, 21 Oct 2013 20:13:22 GMT");
        let location = ("location", "https://www.example.com");
        let private = ("cache-control", "private");
        let cookie = "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1";
        for (block, expected, kept) in [
            (
                "488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad17\
                 1863c78f0b97c8e9ae82ae43d3",
                vec![(":status", "302"), private, ("date", date), location],
                222,
            ),
            ("4883640effc1c0bf", vec![(":status", "307"), private, ("date", date), location], 222),
            (
                "88c16196d07abe941054d444a8200595040b8166e084a62d1bffc05a839bd9ab77ad94e7821dd7f2e6\
                 c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
                vec![
                    (":status", "200"),
                    private,
                    ("date", later),
                    location,
                    ("content-encoding", "gzip"),
                    ("set-cookie", cookie),
                ],
                215,
            ),
        ] {
            assert_eq!(decoded(&mut decoder, &bytes(block)), Ok(headers(&expected)));
            assert_eq!(decoder.bytes, kept);
        }
    }

    /// RFC 7541, C.4: but for the path, which is not kept here.
    #[test]
    fn the_requests_of_the_standard_are_written_as_it_says() {
        let mut encoder = HeaderEncoder::default();
        let request = |more: &[(&'static str, &'static str)]| {
            let all = [
                &[(":method", "GET"), (":scheme", "http"), (":path", "/")][..],
                &[(":authority", "www.example.com")],
                more,
            ];
            headers(&all.concat())
        };
        for (more, block, is_stable) in [
            (&[][..], "828684418cf1e3c2e5f23a6ba0ab90f4ff", false),
            (&[("cache-control", "no-cache")], "828684be5886a8eb10649cbf", false),
            (&[("cache-control", "no-cache")], "828684bfbe", true),
        ] {
            let mut out = Vec::new();
            assert_eq!(encoder.encode(&request(more), &mut out), is_stable);
            assert_eq!(out, bytes(block), "{more:?}");
        }
    }

    #[test]
    fn a_table_that_the_peer_makes_smaller_is_emptied_on_both_sides() {
        let (mut encoder, mut decoder) = (HeaderEncoder::default(), HeaderDecoder::default());
        let sent = headers(&[("x-one", "1"), ("x-two", "2")]);
        for (bytes_max, kept) in [(4096, 2), (4096, 2), (40, 1), (0, 0), (8192, 2)] {
            encoder.resize(bytes_max);
            let mut block = Vec::new();
            encoder.encode(&sent, &mut block);
            assert_eq!(decoded(&mut decoder, &block), Ok(sent.clone()));
            assert_eq!((encoder.table.len(), decoder.table.len()), (kept, kept), "{bytes_max}");
        }
    }

    #[test]
    fn blocks_that_are_none_are_named() {
        for (block, error) in [
            ("80", HpackError::Index(0)),
            ("be", HpackError::Index(62)),
            ("7f", HpackError::Cut),
            ("ffffffffff7f", HpackError::Number),
            ("4003", HpackError::Cut),
            ("400141", HpackError::Cut),
            ("40016102", HpackError::Cut),
            ("408106", HpackError::Huffman),
            ("3fe21f", HpackError::Size),
        ] {
            let mut decoder = HeaderDecoder::default();
            assert_eq!(decoded(&mut decoder, &bytes(block)), Err(error), "{block}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read(
            blocks in proptest::collection::vec(
                proptest::collection::vec(("(x-)?[a-d]{1,3}", "[ -~]{0,40}"), 0..9),
                0..30,
            ),
            sizes: Vec<u16>,
        ) {
            let (mut encoder, mut decoder) = (HeaderEncoder::default(), HeaderDecoder::default());
            let mut sizes = sizes.into_iter();
            for block in blocks {
                let sent: Vec<_> = block
                    .into_iter()
                    .map(|(name, value): (String, String)| RequestHeader {
                        name: name.into_bytes(),
                        value: value.into_bytes(),
                    })
                    .collect();
                let mut out = Vec::new();
                if encoder.encode(&sent, &mut out) {
                    let mut again = Vec::new();
                    encoder.encode(&sent, &mut again);
                    proptest::prop_assert_eq!(&again, &out);
                    proptest::prop_assert_eq!(decoded(&mut decoder, &again), Ok(sent.clone()));
                }
                proptest::prop_assert_eq!(decoded(&mut decoder, &out), Ok(sent));
                proptest::prop_assert_eq!(encoder.bytes, decoder.bytes);
                if let Some(bytes) = sizes.next() {
                    encoder.resize(usize::from(bytes));
                }
            }
        }

        #[test]
        fn no_block_is_too_much(block: Vec<u8>) {
            let mut decoder = HeaderDecoder::default();
            let _ = decoded(&mut decoder, &block);
            proptest::prop_assert!(decoder.bytes <= TABLE_BYTES);
        }
    }
}
