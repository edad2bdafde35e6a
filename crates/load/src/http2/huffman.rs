//! The Huffman code of header strings (RFC 7541, appendix B).
//!
//! It is canonical: codes of one length follow each other in the order of their symbols, and shorter ones come
//! first. So the lengths say it all.

/// Bits of the code of each byte, and of the symbol that ends a string and never occurs in one.
#[rustfmt::skip]
const LENGTHS: [u8; SYMBOLS] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28,
    28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11,
    10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8,
    15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5,
    6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7,
    7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23,
    23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21,
    23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25,
    26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26,
    28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];

const SYMBOLS: usize = 257;
const END_OF_STRING: u16 = 256;
const SHORTEST: usize = 5;
const LONGEST: usize = 30;

static CODE: HuffmanCode = HuffmanCode::new();

struct HuffmanCode {
    /// By byte.
    codes: [u32; SYMBOLS],
    /// In the order of their codes.
    symbols: [u16; SYMBOLS],
    /// By length: the codes of this length and shorter ones, as the first bits of 32, lie below.
    ends: [u64; LONGEST + 1],
    /// By length: the first code, and its place among the symbols.
    firsts: [(u32, usize); LONGEST + 1],
}

impl HuffmanCode {
    const fn new() -> Self {
        let mut it = Self {
            codes: [0; SYMBOLS],
            symbols: [0; SYMBOLS],
            ends: [0; LONGEST + 1],
            firsts: [(0, 0); LONGEST + 1],
        };
        let (mut code, mut place, mut length) = (0_u32, 0, 1);
        while length <= LONGEST {
            code <<= 1;
            it.firsts[length] = (code, place);
            let mut symbol = 0;
            while symbol < SYMBOLS {
                if LENGTHS[symbol] as usize == length {
                    it.codes[symbol] = code;
                    #[expect(clippy::cast_possible_truncation, reason = "there are 257")]
                    let number = symbol as u16;
                    it.symbols[place] = number;
                    code += 1;
                    place += 1;
                }
                symbol += 1;
            }
            it.ends[length] = (code as u64) << (32 - length);
            length += 1;
        }
        it
    }
}

/// Returns how many bytes a string takes when it is encoded.
pub(super) fn encoded_bytes(text: &[u8]) -> usize {
    let bits: usize = text.iter().map(|byte| usize::from(LENGTHS[usize::from(*byte)])).sum();
    bits.div_ceil(8)
}

/// Appends a string, encoded.
pub(super) fn encode(text: &[u8], out: &mut Vec<u8>) {
    let (mut bits, mut held) = (0_u64, 0_u32);
    for byte in text {
        let length = u32::from(LENGTHS[usize::from(*byte)]);
        bits = bits << length | u64::from(CODE.codes[usize::from(*byte)]);
        held += length;
        while held >= 8 {
            held -= 8;
            out.push((bits >> held).to_le_bytes()[0]);
        }
    }
    if held > 0 {
        // Filled up with the first bits of the code that never occurs, which are all ones.
        out.push((bits << (8 - held) | 0xff >> held).to_le_bytes()[0]);
    }
}

/// Appends a string that was encoded; none if it is no code.
pub(super) fn decode(encoded: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let (mut bits, mut held) = (0_u64, 0_usize);
    let mut rest = encoded.iter();
    loop {
        while held <= 32
            && let Some(byte) = rest.next()
        {
            bits = bits << 8 | u64::from(*byte);
            held += 8;
        }
        if held < SHORTEST {
            break;
        }
        // The next 32 bits, with ones behind the last.
        let ahead = if held >= 32 {
            bits >> (held - 32) & 0xffff_ffff
        } else {
            (bits << (32 - held) | 0xffff_ffff >> held) & 0xffff_ffff
        };
        let length = (SHORTEST..=LONGEST).find(|length| ahead < CODE.ends[*length])?;
        if length > held {
            break;
        }
        let (first, place) = CODE.firsts[length];
        let code = u32::try_from(ahead >> (32 - length)).ok()?;
        let symbol = CODE.symbols[place + (code - first) as usize];
        out.push(u8::try_from(symbol).ok().filter(|_| symbol != END_OF_STRING)?);
        held -= length;
    }
    let is_filling = held < 8 && bits & ((1 << held) - 1) == (1 << held) - 1;
    is_filling.then_some(())
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn encoded(text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(text, &mut out);
        out
    }

    fn decoded(encoded: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        decode(encoded, &mut out)?;
        Some(out)
    }

    /// RFC 7541, C.4 and C.6.
    #[test]
    fn strings_of_the_standard_are_encoded_as_it_says() {
        for (text, bytes) in [
            ("www.example.com", "f1e3c2e5f23a6ba0ab90f4ff"),
            ("no-cache", "a8eb10649cbf"),
            ("custom-value", "25a849e95bb8e8b4bf"),
            ("302", "6402"),
            ("Mon, 21 Oct 2013 20:13:21 GMT", "d07abe941054d444a8200595040b8166e082a62d1bff"),
            ("https://www.example.com", "9d29ad171863c78f0b97c8e9ae82ae43d3"),
        ] {
            let mut hex = String::new();
            for byte in encoded(text.as_bytes()) {
                write!(hex, "{byte:02x}").unwrap();
            }
            assert_eq!(hex, bytes, "{text}");
        }
    }

    #[test]
    fn what_is_no_code_is_refused() {
        // Filled up with a zero; with a byte of ones; the symbol that ends a string.
        for wrong in [&[0b0000_0110][..], &[0xff], &[0x07, 0xff, 0xff], &[0xff; 4]] {
            assert_eq!(decoded(wrong), None, "{wrong:?}");
        }
        assert_eq!(decoded(&[]), Some(Vec::new()));
        assert_eq!(decoded(&[0b0000_0111]), Some(b"0".to_vec()));
    }

    proptest::proptest! {
        #[test]
        fn every_string_comes_back(text: Vec<u8>) {
            let encoded = encoded(&text);
            proptest::prop_assert_eq!(encoded.len(), encoded_bytes(&text));
            proptest::prop_assert_eq!(decoded(&encoded), Some(text));
        }

        #[test]
        fn no_bytes_are_too_much(bytes: Vec<u8>) {
            let _ = decoded(&bytes);
        }
    }
}
