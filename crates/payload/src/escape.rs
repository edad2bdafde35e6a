//! Puts a document inside another format.

/// Appends a text as the inside of a JSON string.
pub(super) fn json(out: &mut Vec<u8>, text: &[u8]) {
    runs(out, text, |byte| match byte {
        b'"' => Some(br#"\""#),
        b'\\' => Some(br"\\"),
        b'\n' => Some(br"\n"),
        b'\r' => Some(br"\r"),
        b'\t' => Some(br"\t"),
        // XML has no other control characters.
        _ => None,
    });
}

/// Appends a text as the content of an XML element.
pub(super) fn xml(out: &mut Vec<u8>, text: &[u8]) {
    runs(out, text, |byte| match byte {
        b'&' => Some(b"&amp;"),
        b'<' => Some(b"&lt;"),
        b'>' => Some(b"&gt;"),
        // A parser would turn a bare one into a line feed.
        b'\r' => Some(b"&#13;"),
        _ => None,
    });
}

/// Appends a text, with `instead` for some of its bytes.
fn runs(out: &mut Vec<u8>, text: &[u8], instead: impl Fn(u8) -> Option<&'static [u8]>) {
    let mut start = 0;
    for (at, byte) in text.iter().enumerate() {
        if let Some(escaped) = instead(*byte) {
            out.extend_from_slice(&text[start..at]);
            out.extend_from_slice(escaped);
            start = at + 1;
        }
    }
    out.extend_from_slice(&text[start..]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_parser_gets_back_what_was_put_in(text in "([ -~]|[\t\r\n]|\\PC){0,40}") {
            let mut json_text = vec![b'"'];
            json(&mut json_text, text.as_bytes());
            json_text.push(b'"');
            prop_assert_eq!(&serde_json::from_slice::<String>(&json_text).unwrap(), &text);

            let mut xml_text = b"<a>".to_vec();
            xml(&mut xml_text, text.as_bytes());
            xml_text.extend_from_slice(b"</a>");
            let xml_text = String::from_utf8(xml_text).unwrap();
            let document = roxmltree::Document::parse(&xml_text).unwrap();
            prop_assert_eq!(document.root_element().text().unwrap_or(""), &text);
        }
    }
}
