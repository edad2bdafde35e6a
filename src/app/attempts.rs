//! Keeps the record of the attempts at a comparison.
//!
//! The key of a record is what is compared: the trees of base and head, what is sent, what decides, and
//! the version of the rule. How long a comparison may take is not in it, so an attempt with another
//! budget adds to the same evidence.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use compare::attempts;
use record::Run;
use record::canonical;
use record::evidence::{EvidenceAttempt, EvidenceState};
use record::evidence_file::{AttemptStart, EvidenceError, EvidenceFile, EvidencePlace};
use record::metric::gate::GateRules;
use runner::{BuildSource, SutBuild, machine};
use serde::Serialize;
use suite::{LayoutMode, TargetSource, TargetSpec};

use crate::app::builds::{BuildChoice, BuildPair};
use crate::app::evidence_store::{AttemptPlace, EvidenceCopy};

/// The version of the rule that turns differences into verdicts: evidence of another one is none.
const RULE: u32 = 1;

/// Hexadecimal digits of each half of a key.
const DIGITS: usize = 16;

/// Where the attempts at a comparison are kept, and what is known of this one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptOptions {
    /// A folder or the URL of a store; where the configuration says, if it is not given.
    pub location: Option<String>,
    /// The run that this attempt is part of.
    pub run: String,
    /// Its number, as far as a continuous integration counts attempts.
    pub number: Option<u32>,
    /// Now, RFC 3339 in UTC.
    pub now: String,
}

/// What is compared by which rules.
pub(super) struct AttemptSubject<'a> {
    /// Both builds.
    pub(super) builds: &'a BuildPair,
    /// How they were given.
    pub(super) choice: &'a BuildChoice,
    /// The target, as the configuration has it.
    pub(super) target: &'a TargetSpec,
    /// Hash of what the checkout held before it was built; none outside of a repository.
    pub(super) checkout: Option<&'a str>,
    /// Digest of the configuration.
    pub(super) config: &'a str,
    /// What decides.
    pub(super) gate: &'a GateRules,
    /// The run of another machine that is confirmed, if one is.
    pub(super) confirmed: Option<&'a Run>,
}

/// The record of this attempt, and what the attempts before showed.
pub(super) struct AttemptRecord {
    pub(super) state: EvidenceState,
    file: EvidenceFile,
    /// Where the file is a copy, what sends it to the store.
    copy: Option<EvidenceCopy>,
    /// Why a launch pair could not be kept.
    failure: Option<EvidenceError>,
}

impl AttemptSubject<'_> {
    /// The hash of the tree that a build was made from; none where nothing says that it was.
    fn tree(&self, build: &SutBuild) -> Result<Option<String>> {
        let Some(commit) = &build.revision.commit else { return Ok(None) };
        Ok(match self.checkout {
            Some(hash) if build.revision.dirty => Some(hash.to_owned()),
            Some(_) | None => Some(checkout::tree_hash(&self.target.dir, commit)?),
        })
    }

    fn builds_digest(&self) -> Result<String> {
        let is_embedded = matches!(self.target.origin, TargetSource::Embedded(_));
        let identity = |build: &SutBuild, is_given: bool| {
            BuildIdentity::of(build, self.tree(build)?, is_given || is_embedded)
        };
        Ok(short(&canonical::digest(&ComparedBuilds {
            rule: RULE,
            base: identity(&self.builds.base, self.choice.base.is_some())?,
            head: identity(&self.builds.head, self.choice.head_start.is_some())?,
            gate: self.gate,
            layout: self.target.layout,
        })))
    }
}

impl AttemptRecord {
    /// Begins an attempt on a machine, whose record stays in `place`.
    pub(super) fn begin(
        options: &AttemptOptions,
        place: AttemptPlace,
        subject: &AttemptSubject<'_>,
        machine_id: Option<String>,
    ) -> Result<Self> {
        let builds = subject.builds_digest()?;
        let own = format!("{builds}-{}", short(subject.config));
        let (key, known) = match known(&builds, subject.confirmed)? {
            Some((key, known)) => (key, known),
            None => (own, Vec::new()),
        };
        let (folder, copy, place) = match place {
            AttemptPlace::Folder(folder) => (folder, None, EvidencePlace::Folder),
            AttemptPlace::Store { store, copies } => {
                let (copy, place) = EvidenceCopy::fetch(store, &key, &copies)?;
                (copies, Some(copy), place)
            }
        };
        let start = AttemptStart {
            key,
            run: options.run.clone(),
            number: options.number,
            machine: machine::read(),
            machine_id,
            place,
            now: options.now.clone(),
            known,
        };
        let (file, state) = EvidenceFile::begin(&folder, &start)?;
        let mut record = Self { state, file, copy, failure: None };
        // Before anything is measured: an attempt that does not come to its end is known of.
        record.send()?;
        Ok(record)
    }

    /// Keeps the last launch pair of a run. Returns whether that worked: else no other pair may begin,
    /// as later attempts would not know of this one's evidence.
    pub(super) fn keep(&mut self, run: &Run) -> bool {
        // A run that cannot be judged is reported as that when it ends.
        let Ok(Some(launch_pair)) = attempts::last_pair(run) else { return true };
        self.failure = self.file.append(launch_pair).err();
        self.failure.is_none()
    }

    /// Notes that the attempt has ended. Fails if anything could not be kept.
    pub(super) fn finish(mut self) -> Result<()> {
        if let Some(failure) = self.failure {
            return Err(failure.into());
        }
        self.file.end()?;
        self.send()
    }

    fn send(&mut self) -> Result<()> {
        self.copy.as_mut().map_or(Ok(()), EvidenceCopy::send)
    }
}

/// The key and the attempts that a run of another machine carries, if it is of the same builds. It may
/// have measured more scenarios than are measured again.
fn known(builds: &str, first: Option<&Run>) -> Result<Option<(String, Vec<EvidenceAttempt>)>> {
    let Some(first) = first else { return Ok(None) };
    let Some(state) = &first.evidence else { return Ok(None) };
    if state.key.split('-').next() != Some(builds) {
        return Ok(None);
    }
    let own = attempts::attempt(first)?;
    let known = state.earlier.iter().cloned().chain(own).collect();
    Ok(Some((state.key.clone(), known)))
}

fn short(digest: &str) -> String {
    digest.chars().filter(char::is_ascii_alphanumeric).take(DIGITS).collect()
}

#[derive(Serialize)]
struct ComparedBuilds<'a> {
    rule: u32,
    base: BuildIdentity,
    head: BuildIdentity,
    gate: &'a GateRules,
    /// Where functions lie decides the floors, and whether the order is redrawn.
    layout: LayoutMode,
}

/// What tells a build from another one, on whatever machine it was made.
#[derive(Serialize)]
struct BuildIdentity {
    /// Hash of the tree that it was built from.
    tree: Option<String>,
    /// The words that start it: of a file, its name.
    start: Vec<String>,
    /// Digests of those files, where the tree does not tell what they are.
    files: Vec<String>,
    /// Digests of its lock files, as its build left them: the same tree may resolve to other versions.
    locks: BTreeMap<String, String>,
}

impl BuildIdentity {
    fn of(build: &SutBuild, tree: Option<String>, is_given: bool) -> Result<Self> {
        let BuildSource::Start(command) = &build.source else {
            let start = vec![build.revision.start.clone()];
            return Ok(Self { tree: None, start, files: Vec::new(), locks: BTreeMap::new() });
        };
        let (mut start, mut files) = (Vec::new(), Vec::new());
        for word in shlex::split(&command.start).unwrap_or_default() {
            let path = command.dir.join(&word);
            let name = path.file_name().filter(|_| path.is_file()).and_then(|name| name.to_str());
            let is_file = name.is_some();
            start.push(name.map_or(word, str::to_owned));
            if is_file && (is_given || tree.is_none()) {
                let content = fs::read(&path);
                let content =
                    content.with_context(|| format!("failed to read `{}`", path.display()))?;
                files.push(record::digest(&content));
            }
        }
        let locks = match &tree {
            Some(_) => checkout::lock_digests(&command.dir)
                .with_context(|| format!("failed to read `{}`", command.dir.display()))?,
            None => BTreeMap::new(),
        };
        Ok(Self { tree, start, files, locks })
    }
}

/// Returns the hash of what the checkout holds, to be taken before it is built: what a build leaves behind
/// differs each time. Folders of our own are no part of it. None outside of a repository.
pub(super) fn checkout_hash(dir: &Path, own: &[PathBuf]) -> Result<Option<String>> {
    let Ok(commit) = checkout::commit(dir, "HEAD") else { return Ok(None) };
    Ok(Some(checkout::checkout_hash(dir, &commit, own)?))
}
