//! Whatever frames a peer sends, they say the same, into whatever pieces the network cuts them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use load::fuzz::http2;

fuzz_target!(|input: (u8, &[u8])| {
    let (piece_bytes, frames) = input;
    assert_eq!(http2(frames, usize::MAX), http2(frames, usize::from(piece_bytes)));
});
