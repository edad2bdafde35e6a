//! Carries the records of attempts between a store and a job that has no keys to it.
//!
//! A job that runs the code of a change gets a copy of the records before, and its run is added by a job
//! that runs none of it. A run says what it found in its copy, attempts or a gap, and that must be what the store
//! holds when it is added: so nothing that a change does to its copy reaches the store, and no attempt that another
//! run added meanwhile is lost.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use baseline::BaselineStore;
use compare::attempts;
use github::context::{CodeOrigin, GithubContext, WorkflowEvent};
use record::evidence_lines;
use record::{Run, evidence_file};
use suite::config;

use crate::app::event::EventSink;
use crate::app::evidence_store;
use crate::app::failure::UseCaseError;
use crate::app::store;

/// Which store has the records.
#[derive(Debug, Clone)]
pub struct EvidenceStoreChoice {
    /// Its URL; the configuration's if it is not given.
    pub location: Option<String>,
    /// The current folder.
    pub folder: PathBuf,
}

/// What became of the attempt that a run was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeepOutcome {
    /// The store has it now.
    Kept,
    /// The store had it before.
    AlreadyThere,
    /// It kept no record.
    NoAttempt,
}

impl EvidenceStoreChoice {
    /// Opens the store.
    pub fn open(&self, events: &dyn EventSink) -> Result<BaselineStore> {
        let (given, config) = (self.location.as_deref(), config::find(&self.folder));
        let found = evidence_store::location(given, config, &self.folder)?;
        let (location, root) = found.ok_or(UseCaseError::NoAttemptStore)?;
        ensure!(
            evidence_store::is_store(&location),
            "attempts are kept in the folder `{location}`, which needs no copy: a store has a URL"
        );
        store::open(&location, &root, events)
    }
}

/// Returns whether a job may add to the records of the repository: a fork's pull request has its own only,
/// whichever job publishes it.
pub fn is_own(context: &GithubContext) -> bool {
    match &context.event {
        WorkflowEvent::WorkflowRun(measured) => {
            measured.head_repository.as_ref() == Some(&context.repository)
        }
        WorkflowEvent::PullRequest { .. }
        | WorkflowEvent::Push { .. }
        | WorkflowEvent::MergeGroup { .. }
        | WorkflowEvent::Other => context.origin == CodeOrigin::Repository,
    }
}

/// Copies all records into a folder, and returns how many there are.
pub fn fetch(store: &BaselineStore, folder: &Path) -> Result<usize> {
    let records = store.all_evidence()?;
    for (key, lines) in &records {
        evidence_store::write_copy(lines, &evidence_file::path(folder, key))?;
    }
    Ok(records.len())
}

/// Adds the attempt that a run was to the record of its comparison.
pub fn keep(store: &BaselineStore, file: &Path) -> Result<KeepOutcome> {
    let run = Run::load(file)?;
    let Some(state) = &run.evidence else { return Ok(KeepOutcome::NoAttempt) };
    let own = attempts::attempt(&run)?.context("a run with evidence is an attempt")?;
    let all: Vec<_> = state.earlier.iter().cloned().chain([own.clone()]).collect();
    let lines = evidence_lines::of_attempts(&state.key, &all);
    let stored = store.evidence(&state.key)?;
    let before = stored.as_deref().unwrap_or_default();
    if before.starts_with(&lines) {
        return Ok(KeepOutcome::AlreadyThere);
    }
    let is_what_it_found = || match &state.gap {
        None => Ok(false),
        gap => evidence_file::gap(before, &state.key, &own).map(|found| found == *gap),
    };
    if !lines.starts_with(before) && !is_what_it_found()? {
        let (key, location) = (state.key.clone(), store.location().to_owned());
        return Err(UseCaseError::OtherAttempts { key, location }.into());
    }
    store.keep_evidence(&state.key, stored.as_deref(), &lines)?;
    Ok(KeepOutcome::Kept)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use record::evidence::{EvidenceGap, EvidenceState};
    use record::fixtures::{LEVEL, paired};

    use super::*;

    fn attempt(earlier: &[&Run], gap: Option<EvidenceGap>) -> Run {
        let number = u32::try_from(earlier.len()).unwrap() + 1;
        let since = if gap.is_some() { number } else { 1 };
        let known = earlier.iter().filter(|_| gap.is_none());
        let earlier = known.map(|run| attempts::attempt(run).unwrap().unwrap()).collect();
        let (key, run) = ("k1-c1".to_owned(), "77".to_owned());
        let mut paired = paired(3, LEVEL, LEVEL);
        paired.started = format!("2026-11-2{number}T10:00:00Z");
        Run { evidence: Some(EvidenceState { key, number, run, since, gap, earlier }), ..paired }
    }

    fn keep_run(store: &BaselineStore, folder: &Path, run: &Run) -> Result<KeepOutcome> {
        let path = folder.join("run.json");
        fs::write(&path, run.to_json()).unwrap();
        keep(store, &path)
    }

    #[test]
    fn a_run_adds_to_what_the_store_holds_and_changes_nothing_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = BaselineStore::open("store", folder.path()).unwrap();
        let keep = |run: &Run| keep_run(&store, folder.path(), run);
        let stored = || store.evidence("k1-c1").unwrap().unwrap();
        assert_eq!(keep(&paired(3, LEVEL, LEVEL)).unwrap(), KeepOutcome::NoAttempt);
        let first = attempt(&[], None);
        assert_eq!(keep(&first).unwrap(), KeepOutcome::Kept);
        assert_eq!(keep(&first).unwrap(), KeepOutcome::AlreadyThere);
        let before = stored();
        let second = attempt(&[&first], None);
        assert_eq!(keep(&second).unwrap(), KeepOutcome::Kept);
        assert!(stored().starts_with(&before));
        assert_eq!(keep(&first).unwrap(), KeepOutcome::AlreadyThere);

        let mut forged = attempt(&[&first, &second], None);
        forged.evidence.as_mut().unwrap().earlier[0].launch_pairs.pop();
        let (before, refused) = (stored(), keep(&forged).unwrap_err());
        assert!(refused.to_string().contains("other attempts"), "{refused}");
        assert_eq!(stored(), before);
        for gap in [EvidenceGap::Altered { line: 2 }, EvidenceGap::Missing] {
            let anew = attempt(&[&first, &second], Some(gap));
            let refused = keep(&anew).unwrap_err();
            assert!(refused.to_string().contains("other attempts"), "{refused}");
            assert_eq!(stored(), before, "its copy was changed, or another run was faster");
        }

        let copies = folder.path().join("copies");
        assert_eq!(fetch(&store, &copies).unwrap(), 1);
        assert_eq!(fs::read(copies.join("k1-c1.jsonl")).unwrap(), stored());
    }

    /// What the store itself cannot be believed in is not built upon, by the store neither.
    #[test]
    fn a_run_that_found_a_gap_in_the_store_begins_its_record_anew() {
        let folder = tempfile::tempdir().unwrap();
        let store = BaselineStore::open("store", folder.path()).unwrap();
        let keep = |run: &Run| keep_run(&store, folder.path(), run);
        let lost = attempt(&[&paired(3, LEVEL, LEVEL)], Some(EvidenceGap::Missing));
        assert_eq!(keep(&lost).unwrap(), KeepOutcome::Kept);

        let intact = store.evidence("k1-c1").unwrap().unwrap();
        let altered =
            String::from_utf8(intact.clone()).unwrap().replacen("\"first\":", "\"first\": ", 1);
        store.keep_evidence("k1-c1", Some(&intact), altered.as_bytes()).unwrap();
        let mut third = attempt(&[&lost, &lost], Some(EvidenceGap::Missing));
        let own = attempts::attempt(&third).unwrap().unwrap();
        let gap = evidence_file::gap(altered.as_bytes(), "k1-c1", &own).unwrap();
        assert!(matches!(gap, Some(EvidenceGap::Altered { .. })), "{gap:?}");
        assert!(keep(&third).is_err(), "this is not what it found");
        third.evidence.as_mut().unwrap().gap = gap;
        assert_eq!(keep(&third).unwrap(), KeepOutcome::Kept);
    }
}
