//! Tells a SOAP response from a SOAP fault, which may come with any status.

use super::element_path::{self, ElementPath};

/// What a response is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SoapResponse {
    /// An envelope whose body holds no fault.
    Envelope,
    /// An envelope whose body holds a fault.
    Fault { code: String, reason: String },
    /// Something else.
    Other,
}

/// Body and fault, then code and reason as SOAP 1.1 and as SOAP 1.2 have them.
const PATHS: [&str; 6] = [
    "/Envelope/Body",
    "/Envelope/Body/Fault",
    "/Envelope/Body/Fault/faultcode",
    "/Envelope/Body/Fault/Code/Value",
    "/Envelope/Body/Fault/faultstring",
    "/Envelope/Body/Fault/Reason/Text",
];

/// Reads a response of SOAP 1.1 or 1.2.
pub(super) fn read(body: &[u8]) -> SoapResponse {
    let paths = PATHS.map(|path| ElementPath::parse(path).expect("a path of names"));
    let Some([body, fault, code, code_12, reason, reason_12]) = element_path::find(body, paths)
    else {
        return SoapResponse::Other;
    };
    if body.is_empty() {
        return SoapResponse::Other;
    }
    if fault.is_empty() {
        return SoapResponse::Envelope;
    }
    let first = |texts: [Vec<String>; 2]| texts.into_iter().flatten().next().unwrap_or_default();
    SoapResponse::Fault { code: first([code, code_12]), reason: first([reason, reason_12]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &SoapResponse) {
        assert_eq!(&read(text.as_bytes()), expected, "{text}");
    }

    #[test]
    fn a_fault_is_distinguished_from_an_answer() {
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
        let answer = "<Envelope><Body><Answer><Fault>of none</Fault></Answer></Body></Envelope>";
        check(answer, &SoapResponse::Envelope);
        check("<Envelope><Header/></Envelope>", &SoapResponse::Other);
        check("<html/>", &SoapResponse::Other);
        check("\u{1}", &SoapResponse::Other);
    }
}
