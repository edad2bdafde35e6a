//! Bases from real repositories: what is built, what is not built again, and that the user's files
//! stay as they are.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up must fail")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::thread;

use checkout::{self, BaseBuild, BaseError, BuildCommand, BuildProgress, LineTables, WorkingTree};
use miette::Diagnostic as _;
use tempfile::TempDir;
use units::cancel::Cancel;
use units::environment::ChildEnvironment;

/// Copies the only source, and leaves a line at each run outside of all that is cleaned.
const BUILD: &str = "cp src.txt out.txt && echo built >>../../builds";

/// A build that gets the whole environment.
fn plain(command: &str) -> BuildCommand<'_> {
    static WHOLE: LazyLock<ChildEnvironment> = LazyLock::new(ChildEnvironment::default);
    BuildCommand { command, environment: &WHOLE, keeper: None, lines: LineTables::AsBuilt }
}

/// Builds a commit, and waits for it.
fn checkout(
    repo: &Path,
    git_ref: &str,
    build: BuildCommand<'_>,
    cache: &Path,
    cancel: &Cancel,
    progress: &mut dyn FnMut(BuildProgress<'_>),
) -> Result<BaseBuild, BaseError> {
    checkout::start(repo, git_ref, build, cache, cancel, progress)?.finish(cancel, progress)
}

/// A repository with two commits, the first tagged `v1`, and a cache beside it.
struct BaseFixture {
    dir: TempDir,
}

impl BaseFixture {
    fn new() -> Self {
        let stage = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir(stage.repo()).unwrap();
        stage.git(&["init", "--quiet", "--initial-branch=main"]);
        stage.commit("one");
        stage.git(&["tag", "v1"]);
        stage.commit("two");
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn repo(&self) -> PathBuf {
        self.path("repo")
    }

    fn git(&self, words: &[&str]) {
        git(&self.repo(), words);
    }

    fn commit(&self, content: &str) {
        fs::write(self.repo().join("src.txt"), content).unwrap();
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", content]);
    }

    fn checkout_from(
        &self,
        repo: &Path,
        git_ref: &str,
        build: &str,
    ) -> Result<BaseBuild, BaseError> {
        let cache = self.path("cache");
        checkout(repo, git_ref, plain(build), &cache, &Cancel::default(), &mut |_| {})
    }

    fn checkout(&self, git_ref: &str) -> Result<BaseBuild, BaseError> {
        self.checkout_from(&self.repo(), git_ref, BUILD)
    }

    fn builds(&self) -> usize {
        fs::read_to_string(self.path("builds")).unwrap_or_default().lines().count()
    }

    /// The message with its hint, without the name of the temporary folder.
    fn message(&self, error: &BaseError) -> String {
        let hint = error.help().map(|help| format!("\n\nhint: {help}")).unwrap_or_default();
        format!("{error}{hint}").replace(self.dir.path().to_str().unwrap(), "DIR")
    }
}

fn git(dir: &Path, words: &[&str]) {
    let identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"];
    let status = Command::new("git")
        .current_dir(dir)
        .args(identity)
        .args(["-c", "protocol.file.allow=always"])
        .args(words)
        .env("GIT_AUTHOR_DATE", "2026-01-01T00:00:00Z")
        .env("GIT_COMMITTER_DATE", "2026-01-01T00:00:00Z")
        .status()
        .unwrap();
    assert!(status.success(), "git {words:?}");
}

fn output(built: &BaseBuild) -> String {
    fs::read_to_string(built.dir.join("out.txt")).unwrap()
}

/// Every file below a folder with its content.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.insert(path.clone(), fs::read(path).unwrap());
        }
    }
    files
}

#[test]
fn a_tag_a_branch_a_hash_and_an_expression_give_their_commit() {
    let stage = BaseFixture::new();
    let first = checkout::commit(&stage.repo(), "v1").unwrap();
    for (git_ref, content) in
        [("v1", "one"), ("main", "two"), ("HEAD~1", "one"), (&first[..10], "one")]
    {
        let built = stage.checkout(git_ref).unwrap();
        assert_eq!(output(&built), content, "{git_ref}");
        assert!(built.dir.starts_with(stage.path("cache").canonicalize().unwrap()));
    }
    assert_eq!(stage.builds(), 2);
}

#[test]
fn a_second_time_nothing_is_built_unless_the_command_differs() {
    let stage = BaseFixture::new();
    assert!(!stage.checkout("v1").unwrap().cached);
    assert!(stage.checkout("v1").unwrap().cached);
    let other = format!("{BUILD} && true");
    assert!(!stage.checkout_from(&stage.repo(), "v1", &other).unwrap().cached);
    assert_eq!(stage.builds(), 2);
}

#[test]
fn the_users_files_and_index_are_not_touched() {
    let stage = BaseFixture::new();
    fs::write(stage.repo().join("src.txt"), "staged").unwrap();
    stage.git(&["add", "src.txt"]);
    fs::write(stage.repo().join("src.txt"), "not staged").unwrap();
    fs::write(stage.repo().join("new.txt"), "untracked").unwrap();
    let before = files(&stage.repo());
    assert_eq!(output(&stage.checkout("main").unwrap()), "two");
    assert_eq!(checkout::tree(&stage.repo()).unwrap(), WorkingTree::Changed);
    assert!(files(&stage.repo()) == before);
}

/// What tells one state of a checkout from another: everything in it but what is ignored and what is ours.
#[test]
fn the_hash_of_a_checkout_is_that_of_what_can_be_built() {
    let stage = BaseFixture::new();
    let repo = stage.repo().canonicalize().unwrap();
    let own = [repo.join("re[p]ort"), stage.path("elsewhere")];
    let hash = || {
        let commit = checkout::commit(&repo, "HEAD").unwrap();
        checkout::checkout_hash(&repo, &commit, &own).unwrap()
    };
    let clean = checkout::tree_hash(&repo, "HEAD").unwrap();
    assert_eq!(hash(), clean);
    fs::create_dir(&own[0]).unwrap();
    fs::write(own[0].join("run.json"), "{}").unwrap();
    assert_eq!(hash(), clean);
    let objects = files(&repo.join(".git"));
    fs::write(repo.join("new.txt"), "an untracked source").unwrap();
    let added = hash();
    assert_ne!(added, clean);
    assert_eq!(files(&repo.join(".git")), objects, "neither index nor objects are the user's");
    fs::remove_file(repo.join("new.txt")).unwrap();
    fs::write(repo.join("src.txt"), "changed").unwrap();
    assert!(![&clean, &added].contains(&&hash()));
}

/// Many repositories ignore the folder of results, and some have a file in it all the same.
#[test]
fn folders_of_ours_that_git_ignores_are_no_part_of_the_hash_either() {
    let stage = BaseFixture::new();
    let repo = stage.repo().canonicalize().unwrap();
    let out = repo.join(".xmlperf");
    fs::create_dir_all(out.join("report/attempts")).unwrap();
    fs::write(out.join("kept.txt"), "tracked").unwrap();
    fs::write(repo.join(".gitignore"), "/.xmlperf\n").unwrap();
    stage.git(&["add", "--force", ".gitignore", ".xmlperf/kept.txt"]);
    stage.git(&["commit", "--quiet", "--message", "ignored"]);
    let commit = checkout::commit(&repo, "HEAD").unwrap();
    let own = [out.join("report/attempts"), out.clone()];
    let hash = || checkout::checkout_hash(&repo, &commit, &own).unwrap();
    let clean = checkout::tree_hash(&repo, "HEAD").unwrap();
    fs::write(out.join("report/run.json"), "{}").unwrap();
    fs::write(out.join("kept.txt"), "changed").unwrap();
    assert_eq!(hash(), clean);
    fs::write(repo.join("src.txt"), "changed").unwrap();
    assert_ne!(hash(), clean);
}

#[test]
fn a_build_sees_a_repository_with_tags_and_its_own_folder() {
    let stage = BaseFixture::new();
    fs::create_dir(stage.repo().join("service")).unwrap();
    fs::write(stage.repo().join("service/here"), "").unwrap();
    stage.git(&["add", "--all"]);
    stage.git(&["commit", "--quiet", "--message", "service"]);
    let build = "test -f here && git describe --tags >out.txt";
    let built = stage.checkout_from(&stage.repo().join("service"), "main", build).unwrap();
    assert!(output(&built).starts_with("v1-2-g"), "{}", output(&built));
    assert!(built.dir.ends_with("service"));
}

#[test]
fn a_failed_build_is_reported_with_its_end_and_tried_again() {
    let stage = BaseFixture::new();
    let build = "seq 100; echo 'error: no such crate' >&2; exit 3";
    let error = stage.checkout_from(&stage.repo(), "v1", build).unwrap_err();
    let message = stage.message(&error);
    assert!(
        message.starts_with("`seq 100; echo 'error: no such crate' >&2; exit 3` failed for base")
    );
    assert!(message.ends_with("  | 99\n  | 100\n  | error: no such crate"), "{message}");
    assert!(stage.checkout_from(&stage.repo(), "v1", build).is_err());
    assert_eq!(output(&stage.checkout("v1").unwrap()), "one");
}

#[test]
fn a_branch_that_is_only_at_origin_is_found() {
    let stage = BaseFixture::new();
    stage.git(&["branch", "--quiet", "feature", "v1"]);
    git(stage.dir.path(), &["clone", "--quiet", "repo", "clone"]);
    assert_eq!(
        output(&stage.checkout_from(&stage.path("clone"), "feature", BUILD).unwrap()),
        "one"
    );
}

#[test]
fn a_ref_that_is_nowhere_says_so_and_a_shallow_clone_says_why() {
    let stage = BaseFixture::new();
    let error = stage.checkout("v9").unwrap_err();
    insta::assert_snapshot!(stage.message(&error), @"`v9` is no commit, branch or tag, neither here nor at `origin`");
    let url = format!("file://{}", stage.repo().display());
    git(stage.dir.path(), &["clone", "--quiet", "--depth=1", "--no-tags", &url, "clone"]);
    let clone = stage.path("clone");
    let error = stage.checkout_from(&clone, "v1", BUILD).unwrap_err();
    insta::assert_snapshot!(stage.message(&error), @"
    `v1` is no commit, branch or tag, neither here nor at `origin`

    hint: this clone is shallow; in GitHub Actions, give `actions/checkout` `fetch-depth: 0`, elsewhere run `git fetch --unshallow`
    ");
    assert_eq!(output(&stage.checkout_from(&clone, "main", BUILD).unwrap()), "two");
    git(&clone, &["fetch", "--quiet", "--depth=1", "origin", "tag", "v1"]);
    assert_eq!(output(&stage.checkout_from(&clone, "v1", BUILD).unwrap()), "one");
    let error = checkout::merge_base(&clone, "main", "v1").unwrap_err();
    assert!(error.help().unwrap().to_string().contains("fetch-depth: 0"), "{error}");
    assert_eq!(
        checkout::merge_base(&stage.repo(), "main", "v1").unwrap(),
        checkout::commit(&stage.repo(), "v1").unwrap()
    );
}

/// Adds `library` to the repository at `lib`, itself with a submodule in it.
fn with_submodule(stage: &BaseFixture) {
    for name in ["library", "inner"] {
        git(stage.dir.path(), &["init", "--quiet", "--initial-branch=main", name]);
        fs::write(stage.path(name).join("rules.txt"), format!("{name} one")).unwrap();
        git(&stage.path(name), &["add", "--all"]);
        git(&stage.path(name), &["commit", "--quiet", "--message", "one"]);
    }
    git(&stage.path("library"), &["submodule", "--quiet", "add", "../inner", "deep"]);
    git(&stage.path("library"), &["commit", "--quiet", "--message", "inner"]);
    stage.git(&["submodule", "--quiet", "add", "../library", "lib"]);
    stage.git(&["submodule", "--quiet", "update", "--init", "--recursive"]);
    stage.git(&["commit", "--quiet", "--message", "submodule"]);
}

#[test]
fn a_base_has_the_submodules_of_its_commit_and_theirs() {
    let stage = BaseFixture::new();
    with_submodule(&stage);
    let build =
        "cat lib/rules.txt lib/deep/rules.txt > out.txt && git status --porcelain >> out.txt";
    stage.git(&["tag", "with"]);
    fs::write(stage.repo().join("lib/rules.txt"), "changed").unwrap();
    git(&stage.repo().join("lib"), &["commit", "--quiet", "--all", "--message", "two"]);
    stage.commit("three");
    let built = stage.checkout_from(&stage.repo(), "with", build).unwrap();
    assert_eq!(output(&built), "library oneinner one?? out.txt\n");
    let built = stage.checkout_from(&stage.repo(), "main", build).unwrap();
    assert_eq!(output(&built), "changedinner one?? out.txt\n");
    // Before there was one, and in a worktree that has none checked out.
    assert!(stage.checkout("v1").is_ok());
    stage.git(&["worktree", "add", "--quiet", "--detach", "../other", "main"]);
    let build = "cp lib/rules.txt out.txt";
    let built = stage.checkout_from(&stage.path("other"), "with", build).unwrap();
    assert_eq!(output(&built), "library one");
}

#[test]
fn a_submodule_that_the_clone_does_not_have_is_named() {
    let stage = BaseFixture::new();
    with_submodule(&stage);
    git(stage.dir.path(), &["clone", "--quiet", "repo", "clone"]);
    let error = stage.checkout_from(&stage.path("clone"), "main", BUILD).unwrap_err();
    let BaseError::Submodule { path, .. } = &error else { panic!("{error}") };
    assert_eq!(path, Path::new("lib"));
    let help = error.help().unwrap().to_string();
    assert!(help.contains("git submodule update --init"), "{help}");
}

#[test]
fn a_partial_clone_gives_every_file_or_says_what_it_is() {
    let stage = BaseFixture::new();
    stage.git(&["config", "uploadpack.allowFilter", "true"]);
    stage.git(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
    let url = format!("file://{}", stage.repo().display());
    for filter in ["blob:none", "tree:0", "blob:limit=1"] {
        let name = filter.replace(':', "-");
        let filter = format!("--filter={filter}");
        git(stage.dir.path(), &["clone", "--quiet", &filter, &url, &name]);
        let clone = stage.path(&name);
        let objects = files(&clone.join(".git/objects"));
        let build = format!("{BUILD} && : {name} && git describe --tags");
        assert_eq!(output(&stage.checkout_from(&clone, "v1", &build).unwrap()), "one", "{filter}");
        if filter == "--filter=blob:none" {
            assert!(files(&clone.join(".git/objects")) == objects, "the clone grew");
        }
    }
    git(stage.dir.path(), &["clone", "--quiet", "--filter=blob:none", &url, "alone"]);
    git(&stage.path("alone"), &["remote", "set-url", "origin", "file:///nowhere"]);
    let error = stage.checkout_from(&stage.path("alone"), "v1", "cat src.txt").unwrap_err();
    assert!(matches!(&error, BaseError::PartialClone { missing: 1, .. }), "{error}");
}

#[test]
fn a_clone_that_lost_an_object_is_refused_with_the_file() {
    let stage = BaseFixture::new();
    let blob = Command::new("git")
        .current_dir(stage.repo())
        .args(["rev-parse", "v1:src.txt"])
        .output()
        .unwrap();
    let blob = String::from_utf8(blob.stdout).unwrap();
    let (folder, file) = blob.trim().split_at(2);
    fs::remove_file(stage.repo().join(".git/objects").join(folder).join(file)).unwrap();
    let error = stage.checkout("v1").unwrap_err();
    assert!(
        matches!(&error, BaseError::Incomplete { paths, .. } if paths == &["src.txt"]),
        "{error}"
    );
    assert_eq!(output(&stage.checkout("main").unwrap()), "two");
}

#[test]
fn a_filter_of_the_users_repository_holds_for_the_base() {
    let stage = BaseFixture::new();
    stage.git(&["config", "filter.upper.smudge", "tr a-z A-Z"]);
    fs::write(stage.repo().join(".gitattributes"), "src.txt filter=upper\n").unwrap();
    stage.commit("three");
    assert_eq!(output(&stage.checkout("main").unwrap()), "THREE");
}

#[test]
fn what_a_run_leaves_in_the_base_does_not_reach_the_next() {
    let stage = BaseFixture::new();
    let first = stage.checkout("v1").unwrap();
    fs::create_dir(first.dir.join("data")).unwrap();
    fs::write(first.dir.join("data/rows"), "state").unwrap();
    // In use: nothing is taken from under a running service.
    let beside = stage.checkout("v1").unwrap();
    assert_eq!((beside.cached, beside.removed.len()), (true, 0));
    drop((first, beside));
    let second = stage.checkout("v1").unwrap();
    assert!(second.cached && !second.dir.join("data").exists());
    assert_eq!(second.removed, [Path::new("data/rows")]);
    fs::write(second.dir.join("out.txt"), "more").unwrap();
    drop(second);
    let third = stage.checkout("v1").unwrap();
    assert_eq!((output(&third).as_str(), third.cached), ("one", false));
    assert_eq!(stage.builds(), 2);
}

#[test]
fn a_folder_outside_of_any_repository_is_refused() {
    let stage = BaseFixture::new();
    let error = stage.checkout_from(stage.dir.path(), "main", BUILD).unwrap_err();
    assert!(matches!(error, BaseError::NotRepository { .. }), "{error}");
}

#[test]
fn two_at_once_build_once() {
    let stage = BaseFixture::new();
    let checkout = || stage.checkout("v1").unwrap().cached;
    let cached = thread::scope(|scope| {
        let threads = [scope.spawn(checkout), scope.spawn(checkout)];
        threads.map(|thread| thread.join().unwrap())
    });
    assert_ne!(cached[0], cached[1]);
    assert_eq!(stage.builds(), 1);
}

#[test]
fn a_cancelled_build_leaves_no_process_and_is_not_taken_for_a_build() {
    let stage = BaseFixture::new();
    let cancel = Cancel::default();
    let build = "test ! -e half && touch half && echo $$ && test -e ../../go || sleep 600
        cp src.txt out.txt";
    let mut shell = String::new();
    let mut progress = |progress: BuildProgress<'_>| {
        if let BuildProgress::Printed { line: pid, .. } = progress
            && !pid.is_empty()
        {
            pid.clone_into(&mut shell);
            cancel.raise();
        }
    };
    let cache = stage.path("cache");
    let error = checkout(&stage.repo(), "v1", plain(build), &cache, &cancel, &mut progress);
    assert!(matches!(error.unwrap_err(), BaseError::Cancelled));
    assert!(!Path::new("/proc").join(shell).exists());
    fs::write(stage.path("go"), "").unwrap();
    let built = stage.checkout_from(&stage.repo(), "v1", build).unwrap();
    assert!(!built.cached);
    assert_eq!(output(&built), "one");
}

#[test]
fn old_builds_go_unless_they_are_in_use() {
    let stage = BaseFixture::new();
    let build = |number: u32| {
        let build = format!("{BUILD} && : {number}");
        stage.checkout_from(&stage.repo(), "v1", &build).unwrap()
    };
    let used = build(0);
    assert!((1..8).all(|number| !build(number).cached));
    assert_eq!(output(&used), "one");
    assert!(build(7).cached);
    assert!(!build(1).cached);
    let left = fs::read_dir(stage.path("cache")).unwrap();
    assert!(left.filter(|entry| entry.as_ref().unwrap().path().is_dir()).count() <= 5);
}

/// A lock file that git ignores decides which versions a build gets, and is in no commit.
#[test]
fn a_lock_file_that_no_commit_has_is_carried_over_and_names_the_build() {
    let stage = BaseFixture::new();
    let lock = stage.repo().join("Cargo.lock");
    let build = |git_ref: &str| {
        let (cache, mut carried) = (stage.path("cache"), Vec::new());
        let mut progress = |progress: BuildProgress<'_>| {
            if let BuildProgress::LockCarried { path } = progress {
                carried.push(path.to_owned());
            }
        };
        let build = plain("cat Cargo.lock >out.txt || echo none >out.txt");
        let (repo, cancel) = (stage.repo(), Cancel::default());
        let built = checkout(&repo, git_ref, build, &cache, &cancel, &mut progress);
        let built = built.unwrap();
        (output(&built), built.cached, carried.len())
    };
    assert_eq!(build("v1"), ("none\n".to_owned(), false, 0));
    fs::write(&lock, "first").unwrap();
    assert_eq!(build("v1"), ("first".to_owned(), false, 1));
    assert_eq!(build("v1"), ("first".to_owned(), true, 0));
    fs::write(&lock, "second").unwrap();
    assert_eq!(build("v1"), ("second".to_owned(), false, 1));
    // A commit with a lock file of its own, of whatever tool, resolves by that.
    fs::write(stage.repo().join("yarn.lock"), "").unwrap();
    stage.git(&["add", "yarn.lock"]);
    stage.git(&["commit", "--quiet", "--message", "locked"]);
    assert_eq!(build("main"), ("none\n".to_owned(), false, 0));
}

/// Git tells its hooks where the repository and the index are, by variables.
#[test]
fn run_from_a_hook_the_users_index_is_safe() {
    if std::env::var_os("HOOK_STAGE").is_none() {
        let stage = BaseFixture::new();
        let before = files(&stage.repo());
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "base::run_from_a_hook_the_users_index_is_safe"])
            .env("HOOK_STAGE", stage.dir.path())
            .env("GIT_DIR", stage.repo().join(".git"))
            .env("GIT_INDEX_FILE", stage.repo().join(".git/index"))
            .status();
        assert!(status.unwrap().success());
        assert!(stage.path("cache").is_dir());
        assert!(files(&stage.repo()) == before);
        return;
    }
    let dir = PathBuf::from(std::env::var_os("HOOK_STAGE").unwrap());
    let (repo, cache) = (dir.join("repo"), dir.join("cache"));
    let build = "git rm --quiet src.txt";
    checkout(&repo, "v1", plain(build), &cache, &Cancel::default(), &mut |_| {}).unwrap();
}
