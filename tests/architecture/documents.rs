//! Documents lead to what is there, and are found from their index.

use std::fs;
use std::path::{Path, PathBuf};

use crate::ratchet::listed;

/// The documents of the root and of the folders that have some, as paths from the root.
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in ["", "docs", "docs/decisions", "baselines"] {
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

/// The targets of the links of a document, without those into the web and to its own headings.
fn links(text: &str) -> Vec<String> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let files = targets.filter(|target| !target.contains("://") && !target.starts_with('#'));
    files.filter_map(|target| target.split('#').next()).map(str::to_owned).collect()
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut broken = Vec::new();
    for document in documents() {
        let folder = root().join(document.parent().expect("a file lies in a folder"));
        let targets = links(&text(&document));
        let gone = targets.into_iter().filter(|target| !folder.join(target).exists());
        broken.extend(gone.map(|target| format!("{}: {target}", document.display())));
    }
    assert!(broken.is_empty(), "links to nothing:{}", listed(broken));
}

#[test]
fn every_document_is_in_the_index_of_its_folder() {
    let mut missing = Vec::new();
    for folder in ["docs", "docs/decisions"] {
        let index = links(&text(&Path::new(folder).join("README.md")));
        for document in documents().iter().filter(|path| path.parent() == Some(Path::new(folder))) {
            let name = document.file_name().expect("a document has a name").to_string_lossy();
            if name != "README.md" && !index.iter().any(|target| *target == name) {
                missing.push(document.display().to_string());
            }
        }
    }
    assert!(missing.is_empty(), "in no index:{}", listed(missing));
}
