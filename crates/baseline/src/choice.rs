//! Says which of the kept runs a change may be held against.
//!
//! What landed after the change branched off is not in it, so a run of that is no base: only those at
//! or before the merge base are. Where that cannot be known, the newest runs stand in, and a note
//! says so.

use record::history::{HistoryNote, PassReason};
use record::workload::Workload;
use record::{Run, ScenarioRun};

/// Runs that a comparison remembers at most: more show nothing smaller, and a level that wanders from
/// run to run raises false alarms with every older one.
const RUNS_MAX: usize = 20;

/// Where the commit of a kept run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitRelation {
    /// At or before the commit that the change began from.
    Before,
    /// After it, or on another branch.
    Elsewhere,
    /// The clone does not know.
    Unknown,
}

/// What is done in a scenario: numbers of the same work may stand side by side.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkIdentity {
    /// The scenario's name.
    pub scenario: String,
    /// What is sent.
    pub workload: Workload,
}

impl WorkIdentity {
    /// Returns whether numbers of one may stand beside numbers of the other.
    pub fn measures_as(&self, other: &Self) -> bool {
        self.scenario == other.scenario && self.workload.measures_as(&other.workload)
    }
}

impl From<&ScenarioRun> for WorkIdentity {
    fn from(run: &ScenarioRun) -> Self {
        Self { scenario: run.name.clone(), workload: run.workload.clone() }
    }
}

/// What is going to be measured.
#[derive(Debug, Clone, PartialEq)]
pub struct BaselineQuery {
    /// The scenarios.
    pub work: Vec<WorkIdentity>,
    /// Version of the payload generator.
    pub generator: u32,
}

/// A run of a history.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRun {
    /// The digest that it is kept under.
    pub digest: String,
    /// The run.
    pub run: Run,
}

/// The runs to hold a change against, oldest first, and what was passed over.
#[derive(Debug, Clone, PartialEq)]
pub struct BaselineChoice {
    /// The runs. Empty if none will do.
    pub runs: Vec<StoredRun>,
    /// What a reader has to know about the choice.
    pub notes: Vec<HistoryNote>,
}

/// Chooses among the runs of a history, oldest first. `place` tells where a commit stands.
pub fn choose(
    history: Vec<StoredRun>,
    query: &BaselineQuery,
    mut place: impl FnMut(&str) -> CommitRelation,
) -> BaselineChoice {
    let mut notes = Vec::new();
    let mut passed = |runs: usize, reason: PassReason| {
        if runs > 0 {
            notes.push(HistoryNote::PassedOver { runs, reason });
        }
    };
    let all = history.len();
    let history: Vec<StoredRun> = history.into_iter().filter(|kept| !kept.run.head.dirty).collect();
    passed(all - history.len(), PassReason::DirtyTree);
    let clean = history.len();
    let history: Vec<StoredRun> =
        history.into_iter().filter(|kept| query.is_in(&kept.run)).collect();
    passed(clean - history.len(), PassReason::OtherWork);

    let places: Vec<CommitRelation> = history
        .iter()
        .map(|kept| kept.run.head.commit.as_deref().map_or(CommitRelation::Unknown, &mut place))
        .collect();
    let runs_at = |wanted| places.iter().filter(|place| **place == wanted).count();
    let (before, elsewhere, unknown) = (
        runs_at(CommitRelation::Before),
        runs_at(CommitRelation::Elsewhere),
        runs_at(CommitRelation::Unknown),
    );
    let wanted = if before > 0 {
        passed(elsewhere, PassReason::NotAtMergeBase);
        passed(unknown, PassReason::CommitUnknown);
        Some(CommitRelation::Before)
    } else if unknown > 0 {
        passed(elsewhere, PassReason::NotAtMergeBase);
        notes.push(HistoryNote::CommitsUnknown { runs: unknown });
        Some(CommitRelation::Unknown)
    } else {
        if elsewhere > 0 {
            notes.push(HistoryNote::NoneAtMergeBase);
        }
        None
    };
    let kept = history.into_iter().zip(places);
    let mut runs: Vec<StoredRun> = kept
        .filter(|(_, place)| wanted.is_none_or(|wanted| *place == wanted))
        .map(|(kept, _)| kept)
        .collect();
    runs.drain(..runs.len().saturating_sub(RUNS_MAX));
    BaselineChoice { runs, notes }
}

impl BaselineQuery {
    /// Whether a run measured at least one of the scenarios as it will be measured now.
    fn is_in(&self, run: &Run) -> bool {
        let same = |scenario: &ScenarioRun| {
            let measured = WorkIdentity::from(scenario);
            self.work.iter().any(|query| query.measures_as(&measured))
        };
        run.generator == self.generator && run.scenarios.iter().any(same)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::fixtures::{LEVEL, paired};

    fn query() -> BaselineQuery {
        let run = paired(1, LEVEL, LEVEL);
        let work = run.scenarios.iter().map(WorkIdentity::from).collect();
        BaselineQuery { work, generator: run.generator }
    }

    fn history(commits: &[&str]) -> Vec<StoredRun> {
        let run = |commit: &&str| {
            let mut run = paired(1, LEVEL, LEVEL);
            run.head.commit = Some((*commit).to_owned());
            StoredRun { digest: run.digest(), run }
        };
        commits.iter().map(run).collect()
    }

    fn place(commit: &str) -> CommitRelation {
        match commit.as_bytes()[0] {
            b'm' => CommitRelation::Before,
            b'x' => CommitRelation::Elsewhere,
            _ => CommitRelation::Unknown,
        }
    }

    #[track_caller]
    fn check(commits: &[&str], chosen: &[&str], notes: &[&str]) {
        let found = choose(history(commits), &query(), place);
        let commits: Vec<_> =
            found.runs.iter().filter_map(|kept| kept.run.head.commit.as_deref()).collect();
        assert_eq!(commits, chosen);
        assert_eq!(found.notes.len(), notes.len(), "{:?}", found.notes);
        for (note, expected) in found.notes.iter().zip(notes) {
            assert!(note.to_string().contains(expected), "{note}");
        }
    }

    #[test]
    fn what_landed_after_the_change_branched_off_is_no_base() {
        check(&["m1", "m2", "x3"], &["m1", "m2"], &["1 run passed over: not at or before"]);
        check(&["m1", "?2", "x3"], &["m1"], &["merge base", "this clone does not have"]);
    }

    #[test]
    fn a_fallback_is_announced() {
        check(&["x1", "x2"], &["x1", "x2"], &["no stored run is at or before the merge base"]);
        check(&["x1", "?2"], &["?2"], &["merge base", "does not know the commits"]);
        check(&[], &[], &[]);
    }

    #[test]
    fn a_run_of_other_work_or_of_an_unknown_tree_is_no_base() {
        let mut runs = history(&["m1", "m2", "m3", "m4"]);
        runs[0].run.head.dirty = true;
        runs[1].run.scenarios[0].workload.payload = "other".to_owned();
        runs[2].run.generator += 1;
        let found = choose(runs, &query(), place);
        assert_eq!(found.runs.len(), 1);
        assert_eq!(found.notes.len(), 2, "{:?}", found.notes);
    }

    #[test]
    fn the_newest_runs_are_enough() {
        let found = choose(history(&["m1"; 30]), &query(), place);
        assert_eq!((found.runs.len(), found.notes.len()), (RUNS_MAX, 0));
    }
}
