//! A template fills in a request, the same one each time, or is refused.
#![no_main]

use libfuzzer_sys::fuzz_target;
use payload::{PayloadKind, PayloadSpec, Template, TemplateExpectation, message};

fuzz_target!(|input: (&str, &str)| {
    let (body, equals) = input;
    let (body, content_type) = (body.to_owned(), "application/xml".to_owned());
    let expectations = TemplateExpectation::json("/results/*/matched", equals);
    let expectations = vec![expectations.expect("a pointer")];
    let template = Template { content_type, body, expectations };
    let Ok(spec) = PayloadSpec::depth_mix(1, 3).with_template(template) else { return };
    let bytes = |index| message(&spec, PayloadKind::Template, index).body;
    assert_eq!(bytes(0), bytes(0));
});
