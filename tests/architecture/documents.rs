//! Documents lead to what is there, are found from their index, and quote messages that exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::ratchet::listed;
use crate::source_tree::SourceTree;

/// Where readers of the book find the files of the repository.
const REPOSITORY: &str = "https://github.com/org/xmlperf-action/";
const FOLDERS: [&str; 5] = ["", "docs", "docs/decisions", "docs/how-to", "baselines"];
const INDEX: &str = "docs/SUMMARY.md";

/// The documents of the root and of the folders that have some, as paths from the root.
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in FOLDERS {
        let Ok(entries) = fs::read_dir(root().join(folder)) else { continue };
        let names = entries.map(|entry| entry.expect("a folder lists its entries").file_name());
        let paths = names.map(|name| Path::new(folder).join(name));
        found.extend(
            paths.filter(|path| path.extension().is_some_and(|extension| extension == "md")),
        );
    }
    found.sort();
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &Path) -> String {
    fs::read_to_string(root().join(path)).expect("a document that is listed can be read")
}

/// The targets of the links of a document, each with the heading that it names, if any.
fn links(text: &str) -> Vec<(String, Option<String>)> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let split = |target: &str| match target.split_once('#') {
        Some((path, heading)) => (path.to_owned(), Some(heading.to_owned())),
        None => (target.to_owned(), None),
    };
    targets.map(split).collect()
}

/// The names by which links reach the headings of a document.
fn headings(text: &str) -> Vec<String> {
    let mut is_code = false;
    let mut found = Vec::new();
    for line in text.lines() {
        is_code ^= line.trim_start().starts_with("```");
        if !is_code && line.starts_with('#') {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            found.push(kept.map(|c| if c == ' ' { '-' } else { c }).collect());
        }
    }
    found
}

/// What is wrong with a link of a document, if something is.
fn fault(document: &Path, (target, heading): &(String, Option<String>)) -> Option<String> {
    let folder = document.parent().expect("a file lies in a folder");
    let says = |what: &str| Some(format!("{}: {target} {what}", document.display()));
    let path = if let Some(rest) = target.strip_prefix(REPOSITORY) {
        let path = rest.strip_prefix("blob/main/").or(rest.strip_prefix("tree/main/"));
        PathBuf::from(path?)
    } else if target.contains("://") {
        return None;
    } else if target.is_empty() {
        document.to_owned()
    } else {
        folder.join(target)
    };
    if !root().join(&path).exists() {
        return says("is not there");
    }
    let is_book = document.starts_with("docs") && !target.contains("://");
    let absolute = root().join(&path).canonicalize().expect("it is there");
    if is_book && !absolute.starts_with(root().join("docs").canonicalize().expect("it is there")) {
        return says("leads out of the book: write its address in the repository");
    }
    let heading = heading.as_ref().filter(|_| path.extension().is_some_and(|it| it == "md"))?;
    let is_there = headings(&text(&path)).iter().any(|known| known == heading);
    if is_there { None } else { says(&format!("has no heading `{heading}`")) }
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut broken = Vec::new();
    for document in documents() {
        broken.extend(links(&text(&document)).iter().filter_map(|link| fault(&document, link)));
    }
    assert!(broken.is_empty(), "links to nothing:{}", listed(broken));
}

#[test]
fn every_page_of_the_book_is_in_its_index_once() {
    let index = links(&text(Path::new(INDEX)));
    let mut wrong = Vec::new();
    for document in documents().iter().filter(|path| path.starts_with("docs")) {
        let name = document.strip_prefix("docs").expect("it begins so").display().to_string();
        let count = index.iter().filter(|(target, _)| *target == name).count();
        if count != usize::from(document != Path::new(INDEX)) {
            wrong.push(format!("{name}: {count} times"));
        }
    }
    assert!(wrong.is_empty(), "in the index:{}", listed(wrong));
}

/// The string literals of the program, each on one line as it is printed, and in one text.
fn literals(tokens: proc_macro2::TokenStream, found: &mut String) {
    for token in tokens {
        match token {
            proc_macro2::TokenTree::Group(group) => literals(group.stream(), found),
            proc_macro2::TokenTree::Literal(literal) => {
                if let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string()) {
                    found.push_str(&text.value());
                    found.push('\n');
                }
            }
            proc_macro2::TokenTree::Ident(_) | proc_macro2::TokenTree::Punct(_) => {}
        }
    }
}

/// A message that troubleshooting quotes has `…` where the program puts what differs.
#[test]
fn every_message_of_troubleshooting_is_in_the_program() {
    let mut said = String::new();
    for file in &SourceTree::here().files {
        literals(quote::ToTokens::to_token_stream(&file.syntax), &mut said);
    }
    let page = text(Path::new("docs/troubleshooting.md"));
    let messages: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    assert!(messages.len() >= 40, "only {} messages found", messages.len());
    let is_unknown = |message: &&str| {
        let parts = message.split(['…', '`']).map(str::trim).filter(|part| part.len() > 3);
        let mut parts = parts.peekable();
        parts.peek().is_none() || parts.any(|part| !said.contains(part))
    };
    let unknown = messages.into_iter().filter(is_unknown);
    let unknown: Vec<_> = unknown.collect();
    assert!(unknown.is_empty(), "no message of the program has:{}", listed(unknown));
}

/// The names of functions in the files below a folder.
fn function_names(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder of sources lists its entries") {
        let path = entry.expect("an entry is read").path();
        if path.is_dir() {
            function_names(&path, found);
        } else if path.extension().is_some_and(|it| it == "rs") {
            let text = fs::read_to_string(&path).expect("a source is text");
            let names = text.split("fn ").skip(1).filter_map(|rest| rest.split(['(', '<']).next());
            found.extend(names.map(str::to_owned));
        }
    }
}

/// The rows of the tables of a section, as their cells.
fn table_rows<'a>(text: &'a str, section: &str) -> Vec<Vec<&'a str>> {
    let (_, rest) = text.split_once(section).expect("the document has the section");
    let rows = rest.lines().skip(1).take_while(|line| !line.starts_with("## "));
    let rows = rows.filter(|line| line.starts_with("| ") && !line.starts_with("| kind"));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// Each kind of fault has tests, which are there, and as many faults as are tried add up to what is said.
#[test]
fn every_kind_of_fault_is_held_by_tests_that_exist() {
    let mut known = BTreeSet::new();
    for folder in ["src", "crates", "tests"] {
        function_names(&root().join(folder), &mut known);
    }
    let page = text(Path::new("docs/reliability.md"));
    let rows = table_rows(&page, "## What breaks\n");
    assert!(rows.len() >= 30, "only {} kinds found", rows.len());
    let (mut wrong, mut total) = (Vec::new(), 0);
    for row in &rows {
        let [kind, _, _, _, tried, held_by] = row[..] else { panic!("{row:?}") };
        total += tried.parse::<u32>().unwrap_or_else(|_| panic!("{kind}: {tried}"));
        let names: Vec<&str> = held_by.split('`').skip(1).step_by(2).collect();
        let gone = names.iter().filter(|name| {
            !known.contains(name.rsplit("::").next().expect("a name has a last part"))
        });
        wrong.extend(gone.map(|name| format!("{kind}: no `{name}`")));
        if names.is_empty() {
            wrong.push(format!("{kind}: no test"));
        }
    }
    assert!(wrong.is_empty(), "held by nothing:{}", listed(wrong));
    assert!(page.contains(&format!("Tried here: {total} faults")), "{total} are tried");
}
