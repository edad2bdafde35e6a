//! Whatever frames a peer sends, a request ends: with an answer, or with what is wrong with it.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|frames: &[u8]| {
    load::fuzz::http2(frames);
});
