//! What a branch of baselines asks of git.
//!
//! Only objects and private refs (`refs/xmlperf/…`) are written to the user's clone: trees are made by
//! `mktree`, one folder at a time, so there is no index, not even one of our own that a killed process
//! could leave behind. A fetch goes into a ref that no other process has, because two that lock one ref
//! fail. Hooks, filters, tags, maintenance and the user's refspecs stay out of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process;

use crate::BaselineError;
use checkout::git::{self, GitOutput};

/// Settings of the user that would make a command do more than its arguments say. The last two end a
/// connection that has been silent for a minute.
const SETTINGS: [&str; 6] = [
    "core.hooksPath=/dev/null",
    "gc.auto=0",
    "maintenance.auto=false",
    "push.gpgSign=false",
    "http.lowSpeedLimit=1",
    "http.lowSpeedTime=60",
];
const FETCHING: &str = "refs/xmlperf/fetching/";
/// Who commits where git knows no one.
const DEFAULT_IDENTITY: (&str, &str) = ("xmlperf", "xmlperf@localhost");

/// A branch, at a remote or in the clone itself.
#[derive(Debug)]
pub(super) struct BranchClone {
    /// Any folder of the clone.
    pub(super) dir: PathBuf,
    /// As given, for messages.
    pub(super) location: String,
    /// Name of the remote; none for a branch of the clone itself.
    pub(super) remote: Option<String>,
    /// Name of the branch.
    pub(super) branch: String,
}

/// One entry of a tree, at any depth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TreeEntry {
    /// Path from the root of the tree.
    pub(super) path: String,
    /// Mode, as git writes it: `100644` for a plain file.
    pub(super) mode: String,
    /// Object.
    pub(super) oid: String,
    /// Size, of what has one.
    pub(super) bytes: u64,
}

/// What came of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PushOutcome {
    /// The branch is at the new commit.
    Done,
    /// It is not, and this is what git said.
    Refused(String),
}

impl BranchClone {
    /// Fails if this is no clone, or there is no such remote, or the branch's name is none.
    pub(super) fn check(&self) -> Result<(), BaselineError> {
        let unusable = |reason: String, hint: &str| BaselineError::BadLocation {
            location: self.location.clone(),
            reason,
            hint: hint.to_owned(),
        };
        if let GitOutput::No { reason, .. } = self.ask(&["rev-parse", "--git-dir"])? {
            let reason = format!("`{}` is not in a git repository: {reason}", self.dir.display());
            return Err(unusable(reason, "run it inside a clone, or keep baselines in a folder"));
        }
        if let GitOutput::No { .. } = self.ask(&["check-ref-format", &self.head()])? {
            return Err(unusable(
                format!("`{}` is not a name for a branch", self.branch),
                "`git+branch://origin/xmlperf-baselines`",
            ));
        }
        match &self.remote {
            Some(remote) => match self.ask(&["remote", "get-url", "--", remote])? {
                GitOutput::Yes(_) => Ok(()),
                GitOutput::No { reason, .. } => {
                    Err(unusable(reason, "`git remote -v` shows what there is"))
                }
            },
            None => self.check_not_checked_out(&unusable),
        }
    }

    fn check_not_checked_out(
        &self,
        unusable: &dyn Fn(String, &str) -> BaselineError,
    ) -> Result<(), BaselineError> {
        let worktrees = self.text(&["worktree", "list", "--porcelain"])?;
        let checked_out = format!("branch {}", self.head());
        if worktrees.lines().any(|line| line == checked_out) {
            let reason =
                format!("`{}` is checked out, and would change under its files", self.branch);
            return Err(unusable(reason, "keep baselines on a branch of their own"));
        }
        Ok(())
    }

    /// Returns the commit at which the branch is now, with all its objects in the clone. None if there is
    /// no such branch.
    pub(super) fn tip(&self) -> Result<Option<String>, BaselineError> {
        let head = self.head();
        let Some(remote) = &self.remote else {
            return match self.ask(&["rev-parse", "--verify", "--quiet", &head])? {
                GitOutput::Yes(commit) => Ok(Some(text(&commit))),
                GitOutput::No { .. } => Ok(None),
            };
        };
        let there = match self.ask(&["ls-remote", "--exit-code", remote, &head])? {
            GitOutput::Yes(lines) => text(&lines).split('\t').next().unwrap_or_default().to_owned(),
            GitOutput::No { code: Some(2), .. } => return Ok(None),
            GitOutput::No { reason, .. } => return Err(self.unreachable(reason)),
        };
        let here = self.ask(&["rev-parse", "--verify", "--quiet", &self.last_seen(remote)])?;
        if here == GitOutput::Yes(format!("{there}\n").into_bytes()) {
            return Ok(Some(there));
        }
        self.fetch(remote).map(Some)
    }

    /// Fetches the branch, and returns where it is.
    fn fetch(&self, remote: &str) -> Result<String, BaselineError> {
        self.sweep()?;
        let own = format!("{FETCHING}{}-{}", process::id(), units::hex(&random()));
        let refspec = format!("+{}:{own}", self.head());
        let mut words = vec![
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-prune",
            "--no-write-fetch-head",
            "--no-recurse-submodules",
            "--no-filter",
            "--refmap=",
        ];
        // A clone that is shallow already does not become more so; any other would.
        if self.text(&["rev-parse", "--is-shallow-repository"])? == "true" {
            words.push("--depth=1");
        }
        words.extend([remote, &refspec]);
        if let GitOutput::No { reason, .. } = self.ask(&words)? {
            return Err(self.unreachable(reason));
        }
        let commit = self.text(&["rev-parse", "--verify", &own])?;
        self.saw(remote, &commit)?;
        self.ask(&["update-ref", "-d", &own])?;
        Ok(commit)
    }

    /// Remembers where the branch was: the next fetch asks only for what is new. Nothing else depends on
    /// it, so another process that does the same is no failure.
    fn saw(&self, remote: &str, commit: &str) -> Result<(), BaselineError> {
        self.ask(&["update-ref", &self.last_seen(remote), commit]).map(drop)
    }

    /// Takes away the refs of processes that were killed while they fetched.
    fn sweep(&self) -> Result<(), BaselineError> {
        for name in self.text(&["for-each-ref", "--format=%(refname)", FETCHING])?.lines() {
            let process = name.strip_prefix(FETCHING).and_then(|rest| rest.split('-').next());
            if process.is_none_or(|process| !Path::new("/proc").join(process).exists()) {
                self.ask(&["update-ref", "-d", name])?;
            }
        }
        Ok(())
    }

    /// Returns all that a commit holds.
    pub(super) fn leaves(&self, commit: &str) -> Result<Vec<TreeEntry>, BaselineError> {
        let listing = self.must(&["ls-tree", "-r", "-z", "-l", "--full-tree", commit])?;
        let leaf = |entry: &[u8]| {
            let entry = String::from_utf8_lossy(entry).into_owned();
            let (words, path) = entry.split_once('\t')?;
            let mut words = words.split_ascii_whitespace();
            let (mode, _kind, oid) = (words.next()?, words.next()?, words.next()?);
            let bytes = words.next()?.parse().unwrap_or(0);
            let (mode, oid) = (mode.to_owned(), oid.to_owned());
            Some(TreeEntry { path: path.to_owned(), mode, oid, bytes })
        };
        Ok(listing.split(|byte| *byte == 0).filter_map(leaf).collect())
    }

    /// Returns what files hold, by their objects, in the given order. None for one that is missing.
    pub(super) fn blobs(&self, oids: &[&str]) -> Result<Vec<Option<Vec<u8>>>, BaselineError> {
        if oids.is_empty() {
            return Ok(Vec::new());
        }
        let list = oids.join("\n") + "\n";
        let answer = self.output_of(&["cat-file", "--batch"], list.as_bytes(), &[])?;
        let mut rest = self.yes(&["cat-file", "--batch"], answer)?;
        let mut blobs = Vec::with_capacity(oids.len());
        for _ in oids {
            let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
            let mut contents = rest.split_off(end.saturating_add(1).min(rest.len()));
            let header = String::from_utf8_lossy(&rest).trim_end().to_owned();
            let bytes: Option<usize> = header.rsplit(' ').next().and_then(|size| size.parse().ok());
            rest = match bytes {
                Some(bytes) if contents.len() > bytes => {
                    let after = contents.split_off(bytes + 1);
                    contents.truncate(bytes);
                    blobs.push(Some(contents));
                    after
                }
                Some(_) | None => {
                    blobs.push(None);
                    contents
                }
            };
        }
        Ok(blobs)
    }

    /// Keeps bytes as an object.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<String, BaselineError> {
        self.must_with(&["hash-object", "-w", "--stdin"], bytes)
    }

    /// Returns a tree like `tree` in which some files are others, new, or gone.
    pub(super) fn tree(
        &self,
        tree: Option<&str>,
        edits: &BTreeMap<String, Option<String>>,
    ) -> Result<String, BaselineError> {
        let mut entries: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
        if let Some(tree) = tree {
            let listing = self.must(&["ls-tree", "-z", "--full-tree", tree])?;
            for entry in listing.split(|byte| *byte == 0).filter(|entry| !entry.is_empty()) {
                let tab = entry.iter().position(|byte| *byte == b'\t').unwrap_or(entry.len());
                let name = entry.get(tab + 1..).unwrap_or_default();
                entries.insert(name.to_vec(), entry[..tab].to_vec());
            }
        }
        let mut below: BTreeMap<&str, BTreeMap<String, Option<String>>> = BTreeMap::new();
        for (path, oid) in edits {
            match (path.split_once('/'), oid) {
                (Some((folder, rest)), _) => {
                    below.entry(folder).or_default().insert(rest.to_owned(), oid.clone());
                }
                (None, Some(oid)) => {
                    let entry = format!("100644 blob {oid}").into_bytes();
                    entries.insert(path.clone().into_bytes(), entry);
                }
                (None, None) => drop(entries.remove(path.as_bytes())),
            }
        }
        for (folder, edits) in below {
            let there = entries.get(folder.as_bytes()).map(|entry| String::from_utf8_lossy(entry));
            let there = there.as_deref().map(|entry| {
                entry.strip_prefix("040000 tree ").ok_or_else(|| BaselineError::Missing {
                    place: format!("{}:{folder}", self.location),
                    reason: "it is a file of the branch, not a folder".to_owned(),
                })
            });
            let there = there.transpose()?.map(str::to_owned);
            let tree = self.tree(there.as_deref(), &edits)?;
            if self.must(&["ls-tree", &tree])?.is_empty() {
                entries.remove(folder.as_bytes());
            } else {
                let entry = format!("040000 tree {tree}").into_bytes();
                entries.insert(folder.as_bytes().to_vec(), entry);
            }
        }
        let mut lines = Vec::new();
        for (name, entry) in entries {
            lines.extend_from_slice(&[&entry[..], b"\t", &name, b"\0"].concat());
        }
        self.must_with(&["mktree", "-z", "--missing"], &lines)
    }

    /// Returns a new commit.
    pub(super) fn commit(
        &self,
        tree: &str,
        parent: Option<&str>,
        message: &str,
    ) -> Result<String, BaselineError> {
        let mut words = vec!["commit-tree", "-m", message, tree];
        words.extend(parent.into_iter().flat_map(|parent| ["-p", parent]));
        let known = self.ask(&["-c", "user.useConfigOnly=true", "var", "GIT_COMMITTER_IDENT"])?;
        let default_identity = [
            ("GIT_AUTHOR_NAME", DEFAULT_IDENTITY.0),
            ("GIT_AUTHOR_EMAIL", DEFAULT_IDENTITY.1),
            ("GIT_COMMITTER_NAME", DEFAULT_IDENTITY.0),
            ("GIT_COMMITTER_EMAIL", DEFAULT_IDENTITY.1),
        ];
        let identity: &[_] =
            if matches!(known, GitOutput::Yes(_)) { &[] } else { &default_identity };
        let answer = self.output_of(&words, &[], identity)?;
        Ok(text(&self.yes(&words, answer)?))
    }

    /// Moves the branch from `old` to `new`, and only from there.
    pub(super) fn push(&self, old: Option<&str>, new: &str) -> Result<PushOutcome, BaselineError> {
        let head = self.head();
        let answer = match &self.remote {
            None => {
                let old = old.unwrap_or("");
                self.ask(&["update-ref", "-m", "xmlperf", &head, new, old])?
            }
            Some(remote) => {
                let refspec = format!("{new}:{head}");
                let words = ["push", "--quiet", "--no-verify", "--no-follow-tags"];
                let more = ["--recurse-submodules=no", remote, &refspec];
                self.ask(&[&words[..], &more].concat())?
            }
        };
        match (answer, &self.remote) {
            (GitOutput::Yes(_), Some(remote)) => self.saw(remote, new).map(|()| PushOutcome::Done),
            (GitOutput::Yes(_), None) => Ok(PushOutcome::Done),
            (GitOutput::No { reason, .. }, _) => Ok(PushOutcome::Refused(reason)),
        }
    }

    fn head(&self) -> String {
        format!("refs/heads/{}", self.branch)
    }

    fn last_seen(&self, remote: &str) -> String {
        format!("refs/xmlperf/baselines/{remote}/{}", self.branch)
    }

    fn unreachable(&self, reason: String) -> BaselineError {
        BaselineError::Unreachable { location: self.location.clone(), reason }
    }

    fn must(&self, words: &[&str]) -> Result<Vec<u8>, BaselineError> {
        let answer = self.ask(words)?;
        self.yes(words, answer)
    }

    fn must_with(&self, words: &[&str], input: &[u8]) -> Result<String, BaselineError> {
        let answer = self.output_of(words, input, &[])?;
        Ok(text(&self.yes(words, answer)?))
    }

    fn text(&self, words: &[&str]) -> Result<String, BaselineError> {
        Ok(text(&self.must(words)?))
    }

    fn yes(&self, words: &[&str], answer: GitOutput) -> Result<Vec<u8>, BaselineError> {
        match answer {
            GitOutput::Yes(output) => Ok(output),
            GitOutput::No { reason, .. } => Err(BaselineError::Refused {
                location: self.location.clone(),
                reason: format!("`git {}`: {reason}", words[0]),
            }),
        }
    }

    fn ask(&self, words: &[&str]) -> Result<GitOutput, BaselineError> {
        self.output_of(words, &[], &[])
    }

    fn output_of(
        &self,
        words: &[&str],
        input: &[u8],
        env: &[(&str, &str)],
    ) -> Result<GitOutput, BaselineError> {
        let mut command = git::command(&self.dir);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        command.args(words).envs(env.iter().copied()).env("GIT_TERMINAL_PROMPT", "0");
        let answer = git::ask(&mut command, input).map_err(|source| BaselineError::Files {
            what: "start",
            place: "git".to_owned(),
            source,
        })?;
        Ok(match answer {
            GitOutput::Yes(output) => GitOutput::Yes(output),
            // Ours says that it is one, too.
            GitOutput::No { code, reason } => {
                let reason = reason.trim_start_matches("error: ").trim_start_matches("fatal: ");
                GitOutput::No { code, reason: reason.to_owned() }
            }
        })
    }
}

/// Bytes that no other process draws.
pub(super) fn random() -> [u8; 8] {
    let mut bytes = [0; 8];
    let filled = getrandom::fill(&mut bytes);
    debug_assert_eq!(filled, Ok(()), "no bytes");
    bytes
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end().to_owned()
}
