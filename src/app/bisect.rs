//! Finds the commit that changed a metric, by measuring as few commits as possible.
//!
//! Every question is a comparison with the first commit: is this one nearer to it, or to the last? The
//! line between is half of the whole change, on the logarithmic scale. The chance of a wrong answer is
//! shared among all questions, so the commit that is named is the wrong one with at most that chance.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use checkout::{BaseError, CommitSummary, HeadState};
use compare::decision::Verdict;
use compare::{Comparison, ComparisonOutcome, MetricResult};
use history::bisect::{BisectionStep, CommitSearch, CommitState};
use record::causes::HunkPlace;
use record::metric::Metric;
use record::metric::gate::{MetricPolicy, MetricRule};
use record::{EarlyEnd, IdenticalProgram, Run, Side};
use serde::{Deserialize, Serialize};
use suite::{EvidenceLanes, LaneMode, Suite};
use units::Ratio;
use units::cancel::Cancel;

use crate::app::builds::{BuildFinder, BuildPair, CommitRange};
use crate::app::causes;
use crate::app::event::{
    CommitChange, CommitStanding, Event, EventSink, ScenarioMetric, ScenarioPurpose,
};
use crate::app::failure::UseCaseError;
use crate::app::identity::{self, IdenticalPrograms};
use crate::app::measure::{self, ComparisonEnding};
use crate::app::selection::{self, SuiteSelection, TargetUse};
use crate::app::source_change::SourceChange;

/// What is searched for, and where.
#[derive(Debug, Clone)]
pub struct BisectOptions {
    /// The choice of what is measured.
    pub selection: SuiteSelection,
    /// A commit before the change.
    pub good: String,
    /// A commit after the change.
    pub bad: String,
    /// The metric that changed.
    pub metric: Metric,
    /// Chance that the wrong commit is named.
    pub alpha: Ratio,
    /// Whether what an earlier invocation measured is used.
    pub earlier: EarlierSearch,
    /// What follows if a commit is the program of another one.
    pub identical: IdenticalPrograms,
}

/// What becomes of an earlier search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EarlierSearch {
    /// It is gone on with, if it was the same one.
    Resume,
    /// It is forgotten.
    Forget,
}

/// What a bisection found.
#[derive(Debug)]
pub enum BisectOutcome {
    /// There is no change between good and bad, or none that can be seen.
    NoChange,
    /// The change is in one of these commits.
    Found {
        /// The commits that cannot be distinguished, the oldest first; mostly one.
        suspects: Vec<CommitSummary>,
        /// The newest commit before the change.
        before: CommitSummary,
        /// The change from there to the last suspect.
        change: CommitChange,
        /// What it is in.
        evidence: Box<ChangeEvidence>,
    },
}

/// What the comparison of the commit that was found shows beside the size of its change.
#[derive(Debug)]
pub struct ChangeEvidence {
    /// The comparison. Of a change in time it has the work too, where that can be counted, as only counts prove
    /// which hunk it is.
    pub comparison: Comparison,
    /// All hunks of the change, in the order of the diff.
    pub hunks: Vec<HunkPlace>,
}

/// The smallest change between good and bad that is worth a search.
const CHANGE: MetricRule = MetricRule {
    policy: MetricPolicy::Gate,
    tolerance: Ratio(0.01),
    floor: Ratio(0.005),
    minimum: None,
};

/// What is kept between invocations.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BisectionState {
    config: String,
    scenario: String,
    metric: String,
    commits: Vec<String>,
    /// The chance of a wrong answer that it was begun with; searches of old did not keep it.
    #[serde(default)]
    alpha: Option<Ratio>,
    /// The change from the first to the last, as ln(head / base), above 0 worse.
    effect_ln: Option<f64>,
    search: CommitSearch,
    /// Digests of the programs that commits were built to, as far as they were, by the commit's place.
    #[serde(default)]
    programs: BTreeMap<usize, String>,
    /// Comparisons that were measured.
    #[serde(default)]
    comparisons: u32,
}

/// How many comparisons a search over so many commits takes at most: the whole range, each question, half as
/// many again for commits that are like neither end, and the commit that is found.
fn comparisons_max(commits: usize) -> u32 {
    let questions = CommitSearch::questions_max(commits);
    questions + questions.div_ceil(2) + 2
}

/// One search.
struct BisectionSession<'a> {
    options: &'a BisectOptions,
    suite: Suite,
    /// What is gathered of the commit that is found.
    conclusion_lanes: EvidenceLanes,
    commits: Vec<CommitSummary>,
    path: PathBuf,
    state: BisectionState,
    events: &'a mut dyn EventSink,
    cancel: &'a Cancel,
}

/// What a comparison of two commits says.
enum CommitVerdict {
    Judged(Box<JudgedCommit>),
    Broken(String),
    /// The later one is the program of a commit that is known, at this place.
    Identical {
        place: usize,
        program: IdenticalProgram,
    },
}

/// A change between two commits.
struct JudgedCommit {
    row: MetricResult,
    evidence: ChangeEvidence,
}

/// What a comparison is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ComparisonPurpose {
    /// To find out where a commit stands.
    Question,
    /// To show the change of the commit that was found, and what it is in.
    Conclusion,
}

/// Searches for the commit. What was measured is kept, so that a search that was interrupted goes on
/// where it ended.
pub fn bisect(
    options: &BisectOptions,
    events: &mut dyn EventSink,
    cancel: &Cancel,
) -> Result<BisectOutcome> {
    let mut session = BisectionSession::new(options, events, cancel)?;
    let Some(effect_ln) = session.effect_ln()? else { return Ok(BisectOutcome::NoChange) };
    loop {
        match session.state.search.next() {
            // The last comparison is for what is found.
            BisectionStep::Ask(commit) if session.may_ask() => {
                session.classify(commit, effect_ln)?;
            }
            BisectionStep::Ask(_) | BisectionStep::Found(_) => {
                let suspects = session.state.search.suspects();
                return session.conclude(*suspects.start(), *suspects.end());
            }
        }
    }
}

impl<'a> BisectionSession<'a> {
    fn new(
        options: &'a BisectOptions,
        events: &'a mut dyn EventSink,
        cancel: &'a Cancel,
    ) -> Result<Self> {
        let mut suite = options.selection.suite(TargetUse::Needed)?;
        let purpose = ScenarioPurpose::Bisection;
        let scenario = selection::keep_first_scenario(&mut suite, purpose, events)?.name;
        suite.sampling.measure_one();
        let (question_lanes, conclusion_lanes) = lanes(options.metric, suite.lanes.work);
        suite.lanes = question_lanes;
        let commits = checkout::between(&suite.target.dir, &options.good, &options.bad)?;
        if commits.len() < 2 {
            return Err(UseCaseError::EmptyRange.into());
        }
        options.selection.prepare(events)?;
        let path = options.selection.out.join("bisect/state.json");
        let state = BisectionState {
            config: suite.digest.clone(),
            scenario,
            metric: options.metric.key().to_owned(),
            commits: commits.iter().map(|named| named.commit.clone()).collect(),
            alpha: Some(options.alpha),
            effect_ln: None,
            search: CommitSearch::new(commits.len()),
            programs: BTreeMap::new(),
            comparisons: 0,
        };
        let comparisons_max = comparisons_max(commits.len());
        let alpha = options.alpha;
        suite.gate.alpha = alpha.0 / f64::from(comparisons_max);
        selection::ensure_decidable(&suite).with_context(|| {
            format!("`--alpha {alpha}` is shared by {comparisons_max} comparisons")
        })?;
        for rule in suite.gate.rules.values_mut() {
            rule.policy = MetricPolicy::Off;
        }
        // The size of the change that is searched for follows from the change itself.
        suite.gate.scenarios.clear();
        let commits_max = commits.len();
        events.emit(Event::BisectionStarted { commits: commits_max, comparisons_max, alpha });
        let mut session =
            Self { options, suite, conclusion_lanes, commits, path, state, events, cancel };
        session.resume()?;
        Ok(session)
    }

    /// Whether a comparison is left beside that of what is found.
    fn may_ask(&self) -> bool {
        self.state.comparisons + 1 < comparisons_max(self.commits.len())
    }

    /// Takes up an earlier search, if it was the same one.
    fn resume(&mut self) -> Result<()> {
        if self.options.earlier == EarlierSearch::Forget {
            return Ok(());
        }
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                return Err(error).with_context(|| format!("unusable `{}`", self.path.display()));
            }
        };
        let earlier: BisectionState = serde_json::from_slice(&text)
            .map_err(|source| UseCaseError::StateUnreadable { path: self.path.clone(), source })?;
        let key = |state: &BisectionState| {
            (
                state.config.clone(),
                state.scenario.clone(),
                state.metric.clone(),
                state.commits.clone(),
            )
        };
        // What was decided at a larger chance is not known at a smaller one.
        let is_as_sure = earlier.alpha.is_some_and(|alpha| alpha <= self.options.alpha);
        if key(&earlier) == key(&self.state) && is_as_sure {
            self.events.emit(Event::BisectionResumed);
            self.state = earlier;
        }
        Ok(())
    }

    fn save(&self) -> Result<()> {
        let text = serde_json::to_vec_pretty(&self.state).context("failed to keep the search")?;
        Ok(record::write_atomically(&self.path, &text)?)
    }

    /// Returns the whole change; nothing if there is none.
    fn effect_ln(&mut self) -> Result<Option<f64>> {
        if self.state.effect_ln.is_some() {
            return Ok(self.state.effect_ln);
        }
        let last = self.commits.len() - 1;
        let row = match self.compare(0, last, CHANGE, self.options.identical)? {
            CommitVerdict::Judged(judged) => judged.row,
            CommitVerdict::Broken(reason) => return Err(unmeasured(&self.options.bad, &reason)),
            CommitVerdict::Identical { program, .. } => {
                self.events.emit(Event::ProgramsIdentical { program: &program });
                return Ok(None);
            }
        };
        self.events.emit(Event::RangeCompared { change: &change(&row) });
        match row.verdict() {
            Some(Verdict::Regressed | Verdict::Improved) => {}
            Some(Verdict::Unchanged | Verdict::Inconclusive) | None => return Ok(None),
        }
        self.state.effect_ln = row.judgement().map(|judgement| judgement.estimate_ln);
        self.save()?;
        Ok(self.state.effect_ln)
    }

    /// Finds out whether a commit is before or after the change, and keeps the answer.
    fn classify(&mut self, commit: usize, effect_ln: f64) -> Result<()> {
        let half = Ratio::from_ln(effect_ln.abs() / 2.0);
        let rule =
            MetricRule { policy: MetricPolicy::Gate, tolerance: half, floor: half, minimum: None };
        let (state, standing) = match self.compare(0, commit, rule, self.options.identical)? {
            CommitVerdict::Broken(reason) => {
                (CommitState::Broken, CommitStanding::Skipped { reason })
            }
            CommitVerdict::Judged(judged) => standing(&judged.row, effect_ln),
            CommitVerdict::Identical { place, program } => {
                let commit = self.commits[place].commit.clone();
                let state = self.state.search.standings()[place];
                (state, CommitStanding::Identical { commit, program })
            }
        };
        let CommitSummary { commit: name, subject } = &self.commits[commit];
        self.events.emit(Event::CommitClassified { commit: name, subject, standing });
        self.state.search.note(commit, state);
        self.save()
    }

    /// Compares two commits in the metric alone.
    fn compare(
        &mut self,
        base: usize,
        head: usize,
        rule: MetricRule,
        identical: IdenticalPrograms,
    ) -> Result<CommitVerdict> {
        let mut suite = self.suite.clone();
        suite.gate.rules.insert(self.options.metric, rule);
        self.compare_by(&suite, [base, head], identical, ComparisonPurpose::Question)
    }

    fn compare_by(
        &mut self,
        suite: &Suite,
        [base, head]: [usize; 2],
        identical: IdenticalPrograms,
        purpose: ComparisonPurpose,
    ) -> Result<CommitVerdict> {
        let commit = |at: usize| self.commits[at].commit.clone();
        let range = CommitRange { base: commit(base), head: commit(head) };
        let selection = &self.options.selection;
        let finder = BuildFinder { selection, suite, cancel: self.cancel };
        let builds = match finder.range(&range, self.events) {
            Ok(builds) => builds,
            Err(error) => return broken(error),
        };
        if identical == IdenticalPrograms::Skip
            && let Some((place, program)) =
                known_program(&mut self.state, &finder, &builds, [base, head])
        {
            return Ok(CommitVerdict::Identical { place, program });
        }
        let logs = selection.out.join("bisect/logs");
        self.state.comparisons += 1;
        let ending = ComparisonEnding::default();
        let mut run = measure::paired(&finder, &builds, logs.clone(), &ending, self.events)?;
        match &run.ended {
            Some(EarlyEnd::Failed { side: Side::Head, reason, .. }) => {
                return Ok(CommitVerdict::Broken(reason.summary.clone()));
            }
            Some(EarlyEnd::Failed { side: Side::Base, reason, .. }) => {
                return Err(unmeasured(&self.options.good, &reason.to_string()));
            }
            Some(EarlyEnd::HeadFailed(contrast)) => {
                let reason = format!("{}: {}", contrast.kind, contrast.head.detail);
                return Ok(CommitVerdict::Broken(reason));
            }
            Some(EarlyEnd::Interrupted) => return Err(UseCaseError::BisectionInterrupted.into()),
            None => {}
        }
        let hunks = match purpose {
            ComparisonPurpose::Question => Vec::new(),
            ComparisonPurpose::Conclusion => self.explain(&finder, &builds, &mut run, &logs),
        };
        let (metric, comparison) = (self.options.metric, Comparison::of(&run)?);
        let row = comparison.rows.iter().find(|row| row.metric == metric);
        let Some(row) = row.cloned() else {
            // Of the first commit it could be measured, as the whole change was.
            return Ok(CommitVerdict::Broken(not_measured(metric, &comparison.outcome)));
        };
        ensure!(row.judgement().is_some(), "`{metric}` has no number here");
        let evidence = ChangeEvidence { comparison, hunks };
        Ok(CommitVerdict::Judged(Box::new(JudgedCommit { row, evidence })))
    }

    /// Adds to a run which hunks its work is in, and returns all hunks between both builds.
    fn explain(
        &mut self,
        finder: &BuildFinder<'_>,
        builds: &BuildPair,
        run: &mut Run,
        logs: &Path,
    ) -> Vec<HunkPlace> {
        let own = self.options.selection.own_folders(&[]);
        causes::explain(finder, builds, run, logs, &own, self.events);
        // The commit is found with or without git's word on its lines.
        let sources = SourceChange::read(finder, builds, &own).ok().flatten();
        let hunks = sources.map(|sources| sources.hunks).unwrap_or_default();
        hunks.into_iter().map(|hunk| hunk.place).collect()
    }

    /// Measures the commit that was found against the last good one.
    fn conclude(&mut self, first: usize, last: usize) -> Result<BisectOutcome> {
        let before = self.state.search.last_before();
        let mut suite = Suite { lanes: self.conclusion_lanes, ..self.suite.clone() };
        // Work that grew is what hunks are looked for in, whatever the metric.
        for metric in [Metric::Work, self.options.metric] {
            suite.gate.rules.insert(metric, CHANGE);
        }
        let (sides, purpose) = ([before, last], ComparisonPurpose::Conclusion);
        let measured = self.compare_by(&suite, sides, IdenticalPrograms::Measure, purpose)?;
        let CommitVerdict::Judged(judged) = measured else {
            let CommitSummary { commit, subject } = &self.commits[last];
            let commit = format!("{commit} {subject}");
            return Err(UseCaseError::FoundNotMeasured { commit }.into());
        };
        Ok(BisectOutcome::Found {
            suspects: self.commits[first..=last].to_vec(),
            before: self.commits[before].clone(),
            change: change(&judged.row),
            evidence: Box::new(judged.evidence),
        })
    }
}

/// Returns the lanes that questions are decided by, and those of the commit that is found. `configured` is whether
/// work is counted otherwise.
fn lanes(metric: Metric, configured: LaneMode) -> (EvidenceLanes, EvidenceLanes) {
    if metric.is_counted() {
        let counted = EvidenceLanes { work: LaneMode::On, time: LaneMode::Off };
        return (counted, counted);
    }
    let timed = EvidenceLanes { work: LaneMode::Off, time: LaneMode::On };
    let work = match configured {
        LaneMode::Off => LaneMode::Off,
        // What cannot be counted leaves the commit found all the same.
        LaneMode::IfPossible | LaneMode::On => LaneMode::IfPossible,
    };
    (timed, EvidenceLanes { work, ..timed })
}

/// Notes the programs of two commits, and returns the place of the commit nearest to head of which something
/// is known and whose program head is.
fn known_program(
    state: &mut BisectionState,
    finder: &BuildFinder<'_>,
    builds: &BuildPair,
    [base, head]: [usize; 2],
) -> Option<(usize, IdenticalProgram)> {
    let (base_root, head_root) = builds.roots();
    let of_base = identity::program_files(&builds.base, base_root, &[])?;
    let of_head = identity::program_files(&builds.head, head_root, &[])?;
    state.programs.insert(base, of_base.digest());
    state.programs.insert(head, of_head.digest());
    let is_known = |place: usize| state.search.standings()[place] != CommitState::Unknown;
    let same = state.programs.iter().filter(|(_, digest)| **digest == of_head.digest());
    let mut places: Vec<usize> = same.map(|(place, _)| *place).collect();
    places.retain(|place| *place != head && is_known(*place));
    places.sort_by_key(|place| place.abs_diff(head));
    let commit = |place: usize| state.commits[place].as_str();
    let is_same = |place: &usize| {
        let head = HeadState::Commit(commit(head));
        identity::is_input_changed(finder, commit(*place), head, &[]) == Some(false)
    };
    places.into_iter().find(is_same).map(|place| (place, identity::record(&of_head)))
}

fn unmeasured(commit: &str, reason: &str) -> anyhow::Error {
    let (commit, reason) = (commit.to_owned(), reason.to_owned());
    UseCaseError::EndNotMeasured { commit, reason }.into()
}

/// Whether a failure to build is the commit's own.
fn broken(error: anyhow::Error) -> Result<CommitVerdict> {
    match error.downcast_ref::<BaseError>() {
        Some(BaseError::BuildFailed { .. }) => {
            Ok(CommitVerdict::Broken("it does not build".to_owned()))
        }
        Some(_) | None => Err(error),
    }
}

/// Where a commit stands, for the search and for the reader.
fn standing(row: &MetricResult, effect_ln: f64) -> (CommitState, CommitStanding) {
    let is_worse = effect_ln > 0.0;
    let change = change(row);
    match row.verdict() {
        Some(Verdict::Regressed) if is_worse => (CommitState::After, CommitStanding::Bad(change)),
        Some(Verdict::Improved) if !is_worse => (CommitState::After, CommitStanding::Bad(change)),
        Some(Verdict::Regressed | Verdict::Improved | Verdict::Unchanged) => {
            (CommitState::Before, CommitStanding::Good(change))
        }
        Some(Verdict::Inconclusive) | None => {
            (CommitState::Unclear, CommitStanding::Unclear(change))
        }
    }
}

fn change(row: &MetricResult) -> CommitChange {
    CommitChange {
        of: ScenarioMetric::of(row),
        interval_ln: row.change().map(|it| [it.estimate_ln, it.low_ln, it.high_ln]),
    }
}

/// Why a run has no number for the metric.
fn not_measured(metric: Metric, outcome: &ComparisonOutcome) -> String {
    match outcome {
        ComparisonOutcome::NotMeasured(reason) => format!("`{metric}` is not measured: {reason}"),
        ComparisonOutcome::Regressed
        | ComparisonOutcome::Inconclusive
        | ComparisonOutcome::Improved
        | ComparisonOutcome::Pass => format!("`{metric}` is not measured"),
    }
}
