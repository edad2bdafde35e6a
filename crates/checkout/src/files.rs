//! Writes the files of a commit beside the user's checkout, all of them or none.
//!
//! The result is a repository of its own that borrows the objects of the user's. A linked worktree
//! would leave an entry in the user's repository, also after the cache is gone; an archive would
//! lack what builds ask git for (`git describe`) and every file marked `export-ignore`; a clone
//! copies branches only, so not a commit that just a pull request has.
//!
//! Two kinds of repository do not hold all files of their commits. A *partial clone* gets objects
//! when it needs them; a repository that borrows from it does not, and git's checkout then leaves
//! files out, says so on standard error and ends with 0. What is missing is therefore fetched
//! first, and what is there is counted afterwards. The files of a *submodule* are in a repository
//! inside the user's, from which they are taken in the same way.

use std::fs;
use std::path::{Component, Path, PathBuf};

use super::BaseError;
use crate::git::{self, GitOutput};
use crate::repository::{must, run};

/// Objects are requested in rounds, as a folder that is missing hides what is below it.
const FETCH_ROUNDS_MAX: usize = 64;

/// A repository to take objects from: the user's own, or that of a submodule inside it.
#[derive(Debug)]
struct ObjectSource {
    /// The part that all linked worktrees have in common.
    git_dir: PathBuf,
}

impl ObjectSource {
    fn of(dir: &Path) -> Result<Self, BaseError> {
        let words = ["rev-parse", "--path-format=absolute", "--git-common-dir"];
        Ok(Self { git_dir: must(dir, &words)?.into() })
    }

    fn objects(&self) -> PathBuf {
        self.git_dir.join("objects")
    }

    /// Runs git on this repository. A new object goes to `tree`, not to the user's repository.
    fn run(&self, tree: &Path, words: &[&str], input: &[u8]) -> Result<GitOutput, BaseError> {
        let mut command = git::command(&self.git_dir);
        // A submodule's repository names its working tree, which need not be there any more.
        command
            .env("GIT_DIR", &self.git_dir)
            .env("GIT_WORK_TREE", &self.git_dir)
            .env("GIT_OBJECT_DIRECTORY", tree.join(".git/objects"))
            .env("GIT_ALTERNATE_OBJECT_DIRECTORIES", self.objects())
            .env("GIT_TERMINAL_PROMPT", "0")
            .args(words);
        run(&mut command, input)
    }

    fn text(&self, tree: &Path, words: &[&str]) -> Result<Option<String>, BaseError> {
        Ok(match self.run(tree, words, &[])? {
            GitOutput::Yes(output) => Some(String::from_utf8_lossy(&output).trim_end().to_owned()),
            GitOutput::No { .. } => None,
        })
    }

    /// Returns the remote that promised the objects which a partial clone left out.
    fn promisor(&self, tree: &Path) -> Result<Option<String>, BaseError> {
        let words = ["config", "--get-regexp", r"^remote\..*\.(promisor|partialclonefilter)$"];
        let found = self.text(tree, &words)?.unwrap_or_default();
        let name = |line: &str| {
            let key = line.split(' ').next()?.strip_prefix("remote.")?;
            Some(key.rsplit_once('.')?.0.to_owned())
        };
        Ok(found.lines().find_map(name))
    }

    /// Returns the objects of the commit, without its history, that are neither here nor in `tree`.
    fn missing(&self, tree: &Path, commit: &str) -> Result<Vec<String>, BaseError> {
        let words = ["rev-list", "--objects", "--no-walk", "--missing=print", commit];
        let listed = match self.run(tree, &words, &[])? {
            GitOutput::Yes(output) => output,
            GitOutput::No { reason, .. } => {
                return Err(BaseError::Refused { command: words.join(" "), reason });
            }
        };
        let listed = String::from_utf8_lossy(&listed).into_owned();
        Ok(listed.lines().filter_map(|line| line.strip_prefix('?')).map(str::to_owned).collect())
    }

    /// Fetches what a partial clone lacks of the commit.
    fn complete(&self, tree: &Path, commit: &str) -> Result<(), BaseError> {
        let Some(remote) = self.promisor(tree)? else { return Ok(()) };
        for _ in 0..FETCH_ROUNDS_MAX {
            let missing = self.missing(tree, commit)?;
            if missing.is_empty() {
                return Ok(());
            }
            let fetch = ["-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", "--no-tags"];
            let what = ["--no-write-fetch-head", "--recurse-submodules=no", "--filter=blob:none"];
            let words = [&fetch[..], &what, &["--stdin", &remote]].concat();
            let mut input = missing.join("\n");
            input.push('\n');
            if let GitOutput::No { reason, .. } = self.run(tree, &words, input.as_bytes())? {
                return Err(BaseError::PartialClone {
                    commit: commit.to_owned(),
                    missing: missing.len(),
                    reason,
                });
            }
        }
        let missing = self.missing(tree, commit)?.len();
        let reason = format!("`{remote}` did not send them");
        Err(BaseError::PartialClone { commit: commit.to_owned(), missing, reason })
    }

    /// Returns whether the commit is here or, if the repository can get it, in `tree`.
    fn has(&self, tree: &Path, commit: &str) -> Result<bool, BaseError> {
        let object = format!("{commit}^{{commit}}");
        let known = || self.text(tree, &["cat-file", "-e", &object]).map(|found| found.is_some());
        if known()? {
            return Ok(true);
        }
        let fetch = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "origin", commit];
        self.text(tree, &fetch)?;
        known()
    }
}

/// Writes the files of a commit of the repository around `dir` to `tree`, which must not exist.
pub(super) fn write(dir: &Path, commit: &str, tree: &Path) -> Result<(), BaseError> {
    let source = ObjectSource::of(dir)?;
    write_from(&source, commit, tree)?;
    for submodule in submodules(tree, commit)? {
        let found = submodule_source(dir, &source, &submodule);
        write_submodule(found, commit, tree, &submodule)?;
    }
    Ok(())
}

fn write_from(source: &ObjectSource, commit: &str, tree: &Path) -> Result<(), BaseError> {
    let unwritable = |error| BaseError::Files { path: tree.to_owned(), source: error };
    fs::create_dir_all(tree).map_err(unwritable)?;
    must(tree, &["init", "--quiet", "--template="])?;
    let own = tree.join(".git");
    fs::create_dir_all(own.join("objects/info")).map_err(unwritable)?;
    let borrowed = [source.objects().as_os_str().as_encoded_bytes(), b"\n"].concat();
    fs::write(own.join("objects/info/alternates"), borrowed).map_err(unwritable)?;
    let shallow = source.git_dir.join("shallow");
    if shallow.exists() {
        fs::copy(shallow, own.join("shallow")).map_err(unwritable)?;
    }
    copy_settings(source, tree)?;
    source.complete(tree, commit)?;
    copy_tags(source, tree)?;
    must(tree, &["checkout", "--quiet", "--detach", commit])?;
    let absent = must(tree, &["ls-files", "--deleted", "-z"])?;
    let absent: Vec<String> =
        absent.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect();
    if absent.is_empty() {
        return Ok(());
    }
    Err(BaseError::Incomplete { commit: commit.to_owned(), paths: absent })
}

/// Takes over what decides how git writes a file: line ends, and filters that are known to the user's
/// repository only, such as those of `git lfs install --local`.
fn copy_settings(source: &ObjectSource, tree: &Path) -> Result<(), BaseError> {
    let which =
        r"^(filter\..*|lfs\..*|core\.(autocrlf|eol|safecrlf|symlinks|filemode|ignorecase))$";
    let words = ["config", "--local", "-z", "--get-regexp", which];
    let found = source.text(tree, &words)?.unwrap_or_default();
    for entry in found.split('\0') {
        if let Some((key, value)) = entry.split_once('\n') {
            must(tree, &["config", "--add", key, value])?;
        }
    }
    let objects = source.git_dir.join("lfs");
    if let (true, Some(objects)) = (objects.is_dir(), objects.to_str()) {
        must(tree, &["config", "lfs.storage", objects])?;
    }
    Ok(())
}

/// Names the same tags as the user's repository: `git describe` is part of many builds. Not by a
/// fetch, which would want every object of their history.
fn copy_tags(source: &ObjectSource, tree: &Path) -> Result<(), BaseError> {
    let format = "--format=create %(refname) %(objectname)";
    let tags = source.text(tree, &["for-each-ref", format, "refs/tags"])?.unwrap_or_default();
    if tags.is_empty() {
        return Ok(());
    }
    let words = ["update-ref", "--stdin"];
    match run(git::command(tree).args(words), format!("{tags}\n").as_bytes())? {
        GitOutput::Yes(_) => Ok(()),
        GitOutput::No { reason, .. } => {
            Err(BaseError::Refused { command: words.join(" "), reason })
        }
    }
}

/// A commit of another repository at a path of this one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct SubmoduleLink {
    /// The name in `.gitmodules`, which its repository is called after.
    name: String,
    path: PathBuf,
    commit: String,
}

/// Returns the submodules of a commit. A link that `.gitmodules` does not explain stays an empty
/// folder, as in any clone.
fn submodules(tree: &Path, commit: &str) -> Result<Vec<SubmoduleLink>, BaseError> {
    let entries = must(tree, &["ls-tree", "-r", "-z", commit])?;
    let mut links = Vec::new();
    for entry in entries.split('\0') {
        let Some((link, path)) =
            entry.strip_prefix("160000 commit ").and_then(|entry| entry.split_once('\t'))
        else {
            continue;
        };
        if let Some(name) = submodule_name(tree, path)? {
            links.push(SubmoduleLink { name, path: path.into(), commit: link.to_owned() });
        }
    }
    Ok(links)
}

fn submodule_name(tree: &Path, path: &str) -> Result<Option<String>, BaseError> {
    if !tree.join(".gitmodules").is_file() {
        return Ok(None);
    }
    let words = ["config", "--file", ".gitmodules", "-z", "--get-regexp", r"^submodule\..*\.path$"];
    let mut command = git::command(tree);
    let GitOutput::Yes(output) = run(command.args(words), &[])? else { return Ok(None) };
    let text = String::from_utf8_lossy(&output).into_owned();
    let name = text.split('\0').find_map(|entry| {
        let (key, value) = entry.split_once('\n')?;
        (value == path).then(|| key.strip_prefix("submodule.")?.strip_suffix(".path")).flatten()
    });
    // A name becomes part of a path.
    let within =
        |name: &&str| Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    Ok(name.filter(within).map(str::to_owned))
}

/// Returns where the user's checkout keeps the objects of a submodule.
fn submodule_source(
    dir: &Path,
    around: &ObjectSource,
    submodule: &SubmoduleLink,
) -> Option<ObjectSource> {
    let inside = format!("modules/{}", submodule.name);
    // A linked worktree has submodules of its own.
    let of_worktree = ["rev-parse", "--path-format=absolute", "--git-path", &inside];
    let of_worktree = must(dir, &of_worktree).map(PathBuf::from);
    // As `git submodule add` of an existing folder leaves it.
    let in_place = must(dir, &["rev-parse", "--show-toplevel"])
        .map(|root| Path::new(&root).join(&submodule.path).join(".git"));
    [of_worktree.ok(), Some(around.git_dir.join(inside)), in_place.ok()]
        .into_iter()
        .flatten()
        .find(|git_dir| git_dir.join("objects").is_dir())
        .map(|git_dir| ObjectSource { git_dir })
}

fn write_submodule(
    source: Option<ObjectSource>,
    commit: &str,
    tree: &Path,
    submodule: &SubmoduleLink,
) -> Result<(), BaseError> {
    let inside = tree.join(&submodule.path);
    let absent = || BaseError::Submodule {
        commit: commit.to_owned(),
        path: submodule.path.clone(),
        wanted: submodule.commit.clone(),
    };
    let source = source.ok_or_else(absent)?;
    must(&inside, &["init", "--quiet", "--template="])?;
    if !source.has(&inside, &submodule.commit)? {
        return Err(absent());
    }
    write_from(&source, &submodule.commit, &inside)?;
    for nested in submodules(&inside, &submodule.commit)? {
        let git_dir = source.git_dir.join("modules").join(&nested.name);
        let found = git_dir.join("objects").is_dir().then_some(ObjectSource { git_dir });
        write_submodule(found, &submodule.commit, &inside, &nested)?;
    }
    Ok(())
}
