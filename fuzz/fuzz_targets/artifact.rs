//! Another run's artifact: one file comes out of it, of bounded size, or none.
#![no_main]

use github::artifact::{BYTES_MAX, unpack};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|archive: &[u8]| {
    if let Ok(content) = unpack(archive, "xmlperf", "run.json") {
        assert!(content.len() as u64 <= BYTES_MAX);
    }
});
