//! An HTTP/1.1 answer is the same, into whatever pieces the network cuts it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use load::fuzz::http1;

fuzz_target!(|input: (u8, &[u8])| {
    let (piece_bytes, text) = input;
    let (whole, pieces) = (http1(text, usize::MAX), http1(text, usize::from(piece_bytes)));
    // Bytes behind an answer that ends a piece are seen only by the next request.
    if let (Ok(whole), Ok(pieces)) = (&whole, &pieces) {
        assert_eq!(whole, pieces);
    }
});
