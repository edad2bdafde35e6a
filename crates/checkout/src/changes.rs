//! Finds what changed between two sides of a comparison that the target may read.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::BaseError;
use crate::git::{self, GitOutput};
use crate::repository::{root, run};

/// What files that no program reads end in.
const DOCUMENT_EXTENSIONS: [&str; 7] = ["adoc", "asciidoc", "markdown", "md", "org", "rst", "tex"];

/// What files that no program reads are called, whatever their extension.
const DOCUMENT_NAMES: [&str; 8] = [
    "AUTHORS",
    "CHANGELOG",
    "CODEOWNERS",
    "CONTRIBUTING",
    "COPYING",
    "LICENSE",
    "NOTICE",
    "README",
];

/// Files of a repository that describe it to editors and git. `.gitattributes` is none of them: it
/// decides what a checkout holds.
const TOOL_FILES: [&str; 3] = [".editorconfig", ".gitignore", ".mailmap"];

/// Folders at the root that forges read.
const FORGE_FOLDERS: [&str; 2] = [".github", ".gitlab"];

/// Folders of documents at the root, in which pictures are documentation too.
const DOCUMENT_FOLDERS: [&str; 2] = ["doc", "docs"];

const PICTURE_EXTENSIONS: [&str; 6] = ["gif", "jpeg", "jpg", "pdf", "png", "svg"];

/// What of a repository a target may read.
#[derive(Debug, Clone, Copy)]
pub struct InputScope<'a> {
    /// The target's folder in the checkout: what is in it counts, but for documentation.
    pub dir: &'a Path,
    /// Patterns of files that count whatever they are called, from that folder, as git's `:(glob)` has them.
    pub inputs: &'a [String],
    /// Folders that do not count, such as the one for results; their paths are absolute.
    pub excluded: &'a [PathBuf],
}

/// What head is, against the commit of base.
#[derive(Debug, Clone, Copy)]
pub enum HeadState<'a> {
    /// A commit.
    Commit(&'a str),
    /// The checkout with all that was changed and added in it.
    Checkout {
        /// The root of base's files: what both sides have in equal form is no change. Builds that leave
        /// files where git sees them do so on both sides.
        base_root: &'a Path,
    },
}

/// Returns the files, from the root of the repository, that differ between a commit and head and that the
/// target may read.
pub fn changed_inputs(
    scope: InputScope<'_>,
    base: &str,
    head: HeadState<'_>,
) -> Result<Vec<PathBuf>, BaseError> {
    let root = root(scope.dir)?;
    let own = changed(scope, base, head, &[".".to_owned()], ListedFiles::NotIgnored)?;
    let mut found: Vec<PathBuf> =
        own.into_iter().filter(|path| !is_documentation(&root.join(path), &root)).collect();
    if !scope.inputs.is_empty() {
        let patterns: Vec<String> =
            scope.inputs.iter().map(|pattern| format!(":(glob){pattern}")).collect();
        found.extend(changed(scope, base, head, &patterns, ListedFiles::All)?);
    }
    found.retain(|path| {
        let path = root.join(path);
        scope.excluded.iter().all(|folder| !path.starts_with(folder))
    });
    if let HeadState::Checkout { base_root } = head {
        found.retain(|path| !is_equal(&base_root.join(path), &root.join(path)));
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// Which files that git does not track are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ListedFiles {
    NotIgnored,
    All,
}

/// The files below `patterns` that git calls changed, and those in the checkout that it does not know.
fn changed(
    scope: InputScope<'_>,
    base: &str,
    head: HeadState<'_>,
    patterns: &[String],
    listed: ListedFiles,
) -> Result<Vec<PathBuf>, BaseError> {
    let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
    // Settings of the user must not change what is listed, or from where its paths are.
    let diff = ["-c", "diff.relative=false", "diff", "--name-only", "-z", "--no-renames"];
    let whole = ["--no-ext-diff", "--ignore-submodules=none", base];
    let other = match head {
        HeadState::Commit(commit) => Some(commit),
        HeadState::Checkout { .. } => None,
    };
    let other: Vec<&str> = other.into_iter().collect();
    let words = [&diff[..], &whole, &other, &["--"], &patterns].concat();
    let mut found = paths(scope.dir, &words)?;
    if let HeadState::Checkout { .. } = head {
        let ignored: &[&str] = match listed {
            ListedFiles::NotIgnored => &["--exclude-standard"],
            ListedFiles::All => &[],
        };
        let words = ["ls-files", "--others", "--full-name", "-z"];
        found.extend(paths(scope.dir, &[&words[..], ignored, &["--"], &patterns].concat())?);
    }
    Ok(found)
}

/// Reads what git prints as paths that end in a NUL.
fn paths(dir: &Path, words: &[&str]) -> Result<Vec<PathBuf>, BaseError> {
    match run(git::command(dir).args(words), &[])? {
        GitOutput::Yes(output) => {
            let names = output.split(|byte| *byte == 0).filter(|name| !name.is_empty());
            Ok(names.map(|name| PathBuf::from(OsStr::from_bytes(name))).collect())
        }
        GitOutput::No { reason, .. } => {
            Err(BaseError::Refused { command: words.join(" "), reason })
        }
    }
}

/// Whether two files have the same contents. What cannot be read on both sides is not the same.
fn is_equal(base: &Path, head: &Path) -> bool {
    let link = |path: &Path| fs::read_link(path).ok();
    match (link(base), link(head)) {
        (Some(base), Some(head)) => return base == head,
        (None, None) => {}
        (Some(_), None) | (None, Some(_)) => return false,
    }
    let file = |path: &Path| fs::metadata(path).ok().filter(fs::Metadata::is_file);
    let (Some(of_base), Some(of_head)) = (file(base), file(head)) else { return false };
    of_base.len() == of_head.len()
        && of_base.permissions() == of_head.permissions()
        && matches!((fs::read(base), fs::read(head)), (Ok(base), Ok(head)) if base == head)
}

/// Returns whether a file of a repository is read by people and their tools only.
pub(super) fn is_documentation(path: &Path, root: &Path) -> bool {
    let path = path.strip_prefix(root).unwrap_or(path);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let (stem, extension) = name.rsplit_once('.').unwrap_or((&name, ""));
    let extension = extension.to_lowercase();
    let is_of_forge = FORGE_FOLDERS.iter().any(|folder| path.starts_with(folder));
    let is_in_documents = DOCUMENT_FOLDERS.iter().any(|folder| path.starts_with(folder));
    // Without an extension, or with one of prose: `LICENSE-MIT`, `README.txt`, but not `readme.rs`.
    let is_prose = extension.is_empty() || extension == "txt";
    let first = stem.split('-').next().unwrap_or(stem).to_uppercase();
    is_of_forge
        || TOOL_FILES.contains(&name.as_ref())
        || DOCUMENT_EXTENSIONS.contains(&extension.as_str())
        || (is_in_documents && PICTURE_EXTENSIONS.contains(&extension.as_str()))
        || (is_prose && DOCUMENT_NAMES.contains(&first.as_str()))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn documentation_is_what_no_program_reads() {
        for (path, expected) in [
            ("README.md", true),
            ("docs/guide.rst", true),
            ("docs/figures/flow.svg", true),
            ("LICENSE-MIT", true),
            ("api/CHANGELOG", true),
            ("COPYING.txt", true),
            (".github/workflows/ci.yml", true),
            (".gitignore", true),
            (".gitattributes", false),
            ("static/logo.svg", false),
            ("static/docs/logo.svg", false),
            ("src/main.rs", false),
            ("readme.rs", false),
            ("notice_board", false),
            ("notice_board.py", false),
            ("data/words.txt", false),
            ("Cargo.lock", false),
            ("templates/answer.xml", false),
            ("docs/serve.py", false),
            ("api/.github/hook.sh", false),
            ("Makefile", false),
        ] {
            let root = Path::new("/checkout");
            assert_eq!(is_documentation(&root.join(path), root), expected, "{path}");
        }
    }

    proptest! {
        /// Sources are never taken for documentation, wherever they lie and whatever they are called.
        #[test]
        fn sources_are_no_documentation(
            folders in proptest::collection::vec("(docs|README|[a-z]{1,6})", 0..4),
            name in "(README|LICENSE|[a-z]{1,8})",
            extension in "(rs|py|js|go|c|java|toml|lock|json|xml|sql|html)",
        ) {
            let path = format!("{}/{name}.{extension}", folders.join("/"));
            prop_assert!(!is_documentation(Path::new(&path), Path::new("")));
        }
    }

    fn git(dir: &Path, words: &[&str]) {
        let identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"];
        let status = Command::new("git")
            .arg("-C")
            .arg(dir)
            .args(identity)
            .args(words)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .status();
        assert!(status.unwrap().success(), "{words:?}");
    }

    fn write(dir: &Path, path: &str, text: &str) {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A repository whose only commit has these files, and the target in `api`.
    fn repository() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        git(dir, &["init", "--quiet"]);
        for path in ["api/main.py", "api/help.md", "README.md", "web/index.js", "schema/a/b.xsd"] {
            write(dir, path, path);
        }
        write(dir, ".gitignore", "*.model\n");
        git(dir, &["add", "--all"]);
        git(dir, &["commit", "--quiet", "--message", "first"]);
        folder
    }

    #[test]
    fn what_counts_lies_in_the_targets_folder_or_is_named() {
        let repository = repository();
        let (dir, empty) =
            (repository.path().canonicalize().unwrap(), tempfile::tempdir().unwrap());
        let found = |inputs: &[&str]| {
            let inputs: Vec<String> = inputs.iter().map(|it| (*it).to_owned()).collect();
            let excluded = [dir.join("api/out")];
            let scope = InputScope { dir: &dir.join("api"), inputs: &inputs, excluded: &excluded };
            let head = HeadState::Checkout { base_root: empty.path() };
            let found = changed_inputs(scope, "HEAD", head).unwrap();
            found.iter().map(|path| path.display().to_string()).collect::<Vec<_>>()
        };
        assert!(found(&["../schema", "help.md"]).is_empty());
        for path in ["api/help.md", "README.md", "web/index.js", "schema/a/b.xsd", "api/out/log"] {
            write(&dir, path, "changed");
        }
        write(&dir, "api/data/big.model", "ignored by git");
        assert!(found(&[]).is_empty());
        assert_eq!(found(&["*.md"]), ["api/help.md"]);
        assert_eq!(found(&["**/*.model"]), ["api/data/big.model"]);
        assert_eq!(found(&["../schema/**/*.xsd"]), ["schema/a/b.xsd"]);
        assert_eq!(found(&["../schema"]), ["schema/a/b.xsd"]);
        write(&dir, "api/new file.py", "new");
        fs::remove_file(dir.join("api/main.py")).unwrap();
        assert_eq!(found(&[]), ["api/main.py", "api/new file.py"]);
    }

    #[test]
    fn what_both_builds_left_behind_is_no_change() {
        let (repository, base) = (repository(), tempfile::tempdir().unwrap());
        let dir = repository.path();
        let found = || {
            let scope = InputScope { dir, inputs: &[], excluded: &[] };
            let head = HeadState::Checkout { base_root: base.path() };
            changed_inputs(scope, "HEAD", head).unwrap()
        };
        write(dir, "api/program", "built");
        assert_eq!(found(), [PathBuf::from("api/program")]);
        write(base.path(), "api/program", "other");
        assert_eq!(found(), [PathBuf::from("api/program")]);
        write(base.path(), "api/program", "built");
        assert!(found().is_empty());
    }

    #[test]
    fn two_commits_are_compared_without_the_checkout() {
        let repository = repository();
        let dir = repository.path();
        let found = |base: &str, head: &str| {
            let scope = InputScope { dir, inputs: &[], excluded: &[] };
            changed_inputs(scope, base, HeadState::Commit(head)).unwrap()
        };
        write(dir, "README.md", "more");
        git(dir, &["commit", "--quiet", "--all", "--message", "documentation"]);
        git(dir, &["mv", "web/index.js", "web/index.md"]);
        git(dir, &["commit", "--quiet", "--message", "rename"]);
        write(dir, "api/main.py", "not committed");
        assert!(found("HEAD~2", "HEAD~1").is_empty());
        // The old name of a file that is documentation by its new one.
        assert_eq!(found("HEAD~1", "HEAD"), [PathBuf::from("web/index.js")]);
    }
}
