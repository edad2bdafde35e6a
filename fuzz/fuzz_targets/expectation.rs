//! The body of an answer is checked against what is expected of it, whatever it is.
#![no_main]

use libfuzzer_sys::fuzz_target;
use payload::{PayloadKind, PayloadSpec, message};

fuzz_target!(|input: (u8, &[u8])| {
    let (kind, body) = input;
    let kinds = [PayloadKind::XmlCompareBatch, PayloadKind::XmlCompare, PayloadKind::Soap11];
    let expected =
        message(&PayloadSpec::depth_mix(1, 2), kinds[usize::from(kind) % kinds.len()], 0).expected;
    let _ = expected.check(200, body);
});
