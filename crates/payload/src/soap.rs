//! Tells a SOAP answer from a SOAP fault, which may come with any status.

use super::xml::{Document, Element};

/// What an answer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SoapResponse {
    /// An envelope whose body holds no fault.
    Envelope,
    /// An envelope whose body holds a fault.
    Fault { code: String, reason: String },
    /// Something else.
    Other,
}

/// Reads an answer of SOAP 1.1 or 1.2.
pub(super) fn read(body: &[u8]) -> SoapResponse {
    let text = std::str::from_utf8(body).unwrap_or_default();
    let Ok(document) = Document::parse(text.trim_start_matches('\u{feff}')) else {
        return SoapResponse::Other;
    };
    let envelope = ElementView { document: &document, root: 0 };
    if envelope.name(&document.elements[0]) != "Envelope" {
        return SoapResponse::Other;
    }
    let Some(body) = envelope.child("Body") else { return SoapResponse::Other };
    let Some(fault) = body.child("Fault") else { return SoapResponse::Envelope };
    let text = |paths: [&[&str]; 2]| {
        paths.into_iter().find_map(|path| fault.text(path)).unwrap_or_default().to_owned()
    };
    SoapResponse::Fault {
        code: text([&["faultcode"], &["Code", "Value"]]),
        reason: text([&["faultstring"], &["Reason", "Text"]]),
    }
}

/// An element and what it holds.
#[derive(Clone, Copy)]
struct ElementView<'a> {
    document: &'a Document<'a>,
    root: usize,
}

impl<'a> ElementView<'a> {
    /// The name without its prefix: the prefix is the sender's to choose.
    fn name(&self, element: &Element) -> &'a str {
        let name = self.document.at(&element.name);
        name.split_once(':').map_or(name, |(_, local)| local)
    }

    fn child(&self, name: &str) -> Option<Self> {
        let mut elements = self.document.elements.iter();
        let is = |e: &Element| e.parent == Some(self.root) && self.name(e) == name;
        elements.position(is).map(|root| Self { root, ..*self })
    }

    fn text(&self, path: &[&str]) -> Option<&'a str> {
        let found = path.iter().try_fold(*self, |parts, name| parts.child(name))?;
        Some(self.document.at(&self.document.elements[found.root].inside()).trim())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &SoapResponse) {
        assert_eq!(&read(text.as_bytes()), expected, "{text}");
    }

    #[test]
    fn a_fault_is_told_from_an_answer() {
        let fault = |code: &str, reason: &str| SoapResponse::Fault {
            code: code.to_owned(),
            reason: reason.to_owned(),
        };
        check("<s:Envelope xmlns:s='urn:s'><s:Body><Fault/></s:Body></s:Envelope>", &fault("", ""));
        check(
            "<s:Envelope xmlns:s='urn:s'><s:Body><s:Fault><faultcode>s:Server</faultcode>\
             <faultstring> out of order </faultstring></s:Fault></s:Body></s:Envelope>",
            &fault("s:Server", "out of order"),
        );
        check(
            "<?xml version='1.0'?>\n<e:Envelope xmlns:e='urn:e'><e:Header/><e:Body><e:Fault><e:Code>\
             <e:Value>e:Sender</e:Value></e:Code><e:Reason><e:Text xml:lang='en'>no</e:Text>\
             </e:Reason></e:Fault></e:Body></e:Envelope>",
            &fault("e:Sender", "no"),
        );
        let answer = "<Envelope><Body><Answer><Fault>of nobody</Fault></Answer></Body></Envelope>";
        check(answer, &SoapResponse::Envelope);
        check("<Envelope><Header/></Envelope>", &SoapResponse::Other);
        check("<html/>", &SoapResponse::Other);
        check("\u{1}", &SoapResponse::Other);
    }
}
