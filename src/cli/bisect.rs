//! Finds the commit that changed a metric, by measuring as few commits as possible.
//!
//! Every question is a comparison with the first commit: is this one nearer to it, or to the last? The
//! line between is half of the whole change, on the logarithmic scale. The chance of a wrong answer is
//! shared among all questions, so the commit that is named is the wrong one with at most that chance.

use std::fs;
use std::io;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

use crate::cli::progress::{EarlyStopping, ProgressWatch};
use crate::cli::selection::{self, SelectionFlags, note};
use crate::cli::sides::{CommitRange, SideFlags};
use crate::cli::{Exit, MeasurementFailure, interrupt};
use checkout::{self, BaseError, CommitSummary};
use compare::decision::Verdict;
use compare::{Comparison, ComparisonOutcome, MetricResult};
use history::bisect::{BisectionStep, CommitSearch, CommitState};
use record::metric::Metric;
use record::metric::gate::{MetricPolicy, MetricRule};
use record::{EarlyEnd, Side};
use suite::{EvidenceLanes, LaneMode, Suite};
use units::Ratio;
use units::cancel::Cancel;

/// Find the commit that made a metric better or worse
///
/// `--metric work` counts instructions, which decides in seconds; other metrics are timed. Builds
/// commits away from the checkout and compares each with the good one, until one is left.
/// Commits that do not build are stepped around. What was measured is kept: the same command goes on
/// where it was interrupted.
///
/// Exit codes: 0 found, 2 wrong usage or configuration, 3 could not measure, 4 no change between good
/// and bad.
#[derive(Debug, clap::Args)]
pub(super) struct BisectArgs {
    /// A commit before the change
    #[arg(long, value_name = "REF")]
    good: String,
    /// A commit after the change
    #[arg(long, value_name = "REF", default_value = "HEAD")]
    bad: String,
    /// The metric that changed
    #[arg(long, value_name = "KEY", default_value = "cpu", value_parser = metric)]
    metric: Metric,
    /// Chance that the wrong commit is named
    #[arg(long, value_name = "SHARE", default_value = "5%", value_parser = Ratio::parse)]
    alpha: Ratio,
    /// Forget what an earlier search has measured
    #[arg(long)]
    restart: bool,
    #[command(flatten)]
    selection: SelectionFlags,
}

fn metric(key: &str) -> Result<Metric, String> {
    let known = || Metric::ALL.map(Metric::key).join(", ");
    Metric::from_key(key).ok_or_else(|| format!("known are {}", known()))
}

/// The smallest change between good and bad that is worth a search.
const CHANGE: MetricRule =
    MetricRule { policy: MetricPolicy::Gate, tolerance: Ratio(0.01), floor: Ratio(0.005) };

/// What is kept between invocations.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BisectionState {
    config: String,
    scenario: String,
    metric: String,
    commits: Vec<String>,
    /// The change from the first to the last, as ln(head / base), above 0 worse.
    effect_ln: Option<f64>,
    search: CommitSearch,
}

/// One search.
struct BisectionSession<'a> {
    args: &'a BisectArgs,
    suite: Suite,
    commits: Vec<CommitSummary>,
    cancel: Cancel,
    path: PathBuf,
    state: BisectionState,
}

/// What a comparison of two commits says.
enum CommitVerdict {
    Judged(Box<MetricResult>),
    Broken(String),
}

/// Searches, and prints the commit.
pub(super) fn run(args: &BisectArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    let mut hunt = BisectionSession::new(args)?;
    let Some(effect_ln) = hunt.effect_ln()? else { return Ok(Exit::Inconclusive) };
    loop {
        match hunt.state.search.next() {
            BisectionStep::Ask(commit) => hunt.ask(commit, effect_ln)?,
            BisectionStep::Found(suspects) => {
                hunt.show(out, *suspects.start(), *suspects.end())?;
                return Ok(Exit::Fine);
            }
        }
    }
}

impl<'a> BisectionSession<'a> {
    fn new(args: &'a BisectArgs) -> anyhow::Result<Self> {
        args.selection.refuse(&["--lane", "--no-build"])?;
        let mut suite = args.selection.suite()?;
        let scenario = selection::one_scenario(&mut suite, "searching by")?.name;
        suite.lanes = if args.metric.is_counted() {
            EvidenceLanes { work: LaneMode::Asked, time: LaneMode::Off }
        } else {
            EvidenceLanes { work: LaneMode::Off, time: LaneMode::Asked }
        };
        let commits = checkout::between(&suite.target.dir, &args.good, &args.bad)?;
        ensure!(commits.len() >= 2, "`--good` and `--bad` are the same commit");
        args.selection.prepare_out()?;
        let path = args.selection.out.join("bisect/state.json");
        let state = BisectionState {
            config: suite.digest.clone(),
            scenario,
            metric: args.metric.key().to_owned(),
            commits: commits.iter().map(|named| named.commit.clone()).collect(),
            effect_ln: None,
            search: CommitSearch::new(commits.len()),
        };
        let questions = CommitSearch::questions_max(commits.len()) + 1;
        suite.gate.alpha = args.alpha.0 / f64::from(questions);
        selection::judgeable(&suite).with_context(|| {
            format!("`--alpha {}` is shared by {questions} comparisons", args.alpha)
        })?;
        for rule in suite.gate.rules.values_mut() {
            rule.policy = MetricPolicy::Off;
        }
        note(&format!(
            "{}, at most {}; chance of naming the wrong one ≤ {}",
            report::plural(commits.len(), "commit"),
            report::plural(questions, "comparison"),
            args.alpha
        ))?;
        let mut hunt = Self { args, suite, commits, cancel: interrupt()?, path, state };
        hunt.resume()?;
        Ok(hunt)
    }

    /// Takes up an earlier search, if it was the same one.
    fn resume(&mut self) -> anyhow::Result<()> {
        if self.args.restart {
            return Ok(());
        }
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => {
                return Err(error).with_context(|| format!("unusable `{}`", self.path.display()));
            }
        };
        let unusable =
            || format!("unusable `{}`\n\nhint: `--restart` forgets it", self.path.display());
        let earlier: BisectionState = serde_json::from_slice(&text).with_context(unusable)?;
        let key = |state: &BisectionState| {
            (
                state.config.clone(),
                state.scenario.clone(),
                state.metric.clone(),
                state.commits.clone(),
            )
        };
        if key(&earlier) == key(&self.state) {
            note("going on where the last search was interrupted; `--restart` forgets it")?;
            self.state = earlier;
        }
        Ok(())
    }

    fn save(&self) -> anyhow::Result<()> {
        let text = serde_json::to_vec_pretty(&self.state).context("failed to keep the search")?;
        Ok(record::write_atomically(&self.path, &text)?)
    }

    /// Returns the whole change; nothing if there is none.
    fn effect_ln(&mut self) -> anyhow::Result<Option<f64>> {
        if self.state.effect_ln.is_some() {
            return Ok(self.state.effect_ln);
        }
        let last = self.commits.len() - 1;
        let row = match self.compare(0, last, CHANGE)? {
            CommitVerdict::Judged(row) => row,
            CommitVerdict::Broken(reason) => return Err(unmeasured(&self.args.bad, &reason)),
        };
        note(&format!("good and bad: {}", words(&row)))?;
        match row.verdict() {
            Some(Verdict::Regressed | Verdict::Improved) => {}
            Some(Verdict::Unchanged | Verdict::Inconclusive) | None => {
                note("there is no change to search for, or none that can be seen")?;
                return Ok(None);
            }
        }
        self.state.effect_ln = row.judgement().map(|judgement| judgement.estimate_ln);
        self.save()?;
        Ok(self.state.effect_ln)
    }

    /// Asks whether a commit is before or after the change, and keeps the answer.
    fn ask(&mut self, commit: usize, effect_ln: f64) -> anyhow::Result<()> {
        let half = Ratio::from_ln(effect_ln.abs() / 2.0);
        let rule = MetricRule { policy: MetricPolicy::Gate, tolerance: half, floor: half };
        let (standing, why) = match self.compare(0, commit, rule)? {
            CommitVerdict::Broken(reason) => (CommitState::Broken, reason),
            CommitVerdict::Judged(row) => (standing(&row, effect_ln), words(&row)),
        };
        let word = match standing {
            CommitState::Before => "good",
            CommitState::After => "bad",
            CommitState::Broken => "skipped",
            CommitState::Unclear | CommitState::Unknown => "unclear",
        };
        note(&format!("{}: {word} — {why}", title(&self.commits[commit])))?;
        self.state.search.note(commit, standing);
        self.save()
    }

    /// Compares two commits in the metric alone.
    fn compare(&self, base: usize, head: usize, rule: MetricRule) -> anyhow::Result<CommitVerdict> {
        let mut suite = self.suite.clone();
        suite.gate.rules.insert(self.args.metric, rule);
        let commit = |i: usize| self.commits[i].commit.clone();
        let range = CommitRange { base: commit(base), head: commit(head) };
        let builds = match SideFlags::between(&range, &suite, &self.cancel) {
            Ok(builds) => builds,
            Err(error) => return broken(error),
        };
        let live = self.args.selection.live()?;
        let plain = self.args.selection.plain;
        let watch = ProgressWatch::new(plain, EarlyStopping::Decided, "launch pair", &live);
        let logs = self.args.selection.out.join("bisect/logs");
        let coins = self.args.selection.coins()?;
        let run = builds.measure(&suite, coins, logs, watch, live, &self.cancel)?;
        match &run.ended {
            Some(EarlyEnd::Failed { side: Side::Head, reason, .. }) => {
                return Ok(CommitVerdict::Broken(
                    reason.lines().next().unwrap_or_default().to_owned(),
                ));
            }
            Some(EarlyEnd::Failed { side: Side::Base, reason, .. }) => {
                return Err(unmeasured(&self.args.good, reason));
            }
            Some(EarlyEnd::Interrupted) => {
                let words = "interrupted\n\nhint: the same command goes on where this one ended";
                return Err(MeasurementFailure(words.to_owned()).into());
            }
            None => {}
        }
        let comparison = Comparison::of(&run)?;
        let row = comparison.rows.into_iter().find(|row| row.metric == self.args.metric);
        let row = row.with_context(|| not_measured(self.args.metric, &comparison.outcome))?;
        ensure!(row.judgement().is_some(), "`{}` has no number here", self.args.metric);
        Ok(CommitVerdict::Judged(Box::new(row)))
    }

    /// Measures the commit that was found against the last good one, and prints it.
    fn show(&self, out: &mut impl Write, first: usize, last: usize) -> anyhow::Result<()> {
        let before = self.state.search.last_before();
        let CommitVerdict::Judged(row) = self.compare(before, last, CHANGE)? else {
            let name = title(&self.commits[last]);
            return Err(MeasurementFailure(format!(
                "{name} was measured before, and cannot be any more"
            ))
            .into());
        };
        if first == last {
            writeln!(out, "{}", title(&self.commits[last]))?;
        } else {
            writeln!(out, "one of these, which cannot be told apart:")?;
            for commit in &self.commits[first..=last] {
                writeln!(out, "  {}", title(commit))?;
            }
        }
        writeln!(out, "{}, against {}", words(&row), title(&self.commits[before]))?;
        writeln!(out, "chance that this is wrong ≤ {}", self.args.alpha)?;
        Ok(())
    }
}

fn unmeasured(commit: &str, reason: &str) -> anyhow::Error {
    MeasurementFailure(format!("`{commit}` cannot be measured: {reason}")).into()
}

/// Whether a failure to build is the commit's own.
fn broken(error: anyhow::Error) -> anyhow::Result<CommitVerdict> {
    match error.downcast_ref::<BaseError>() {
        Some(BaseError::BuildFailed { .. }) => {
            Ok(CommitVerdict::Broken("it does not build".to_owned()))
        }
        Some(_) | None => Err(error),
    }
}

fn standing(row: &MetricResult, effect_ln: f64) -> CommitState {
    let is_worse = effect_ln > 0.0;
    match row.verdict() {
        Some(Verdict::Regressed) if is_worse => CommitState::After,
        Some(Verdict::Improved) if !is_worse => CommitState::After,
        Some(Verdict::Regressed | Verdict::Improved | Verdict::Unchanged) => CommitState::Before,
        Some(Verdict::Inconclusive) | None => CommitState::Unclear,
    }
}

/// `smoke CPU per XML pair +5.6 % [+4.8, +6.2]`.
fn words(row: &MetricResult) -> String {
    let change = row.change().map_or_else(String::new, |change| {
        let interval = units::interval(change.low_ln, change.high_ln);
        format!("{} {interval}", units::change(change.estimate_ln))
    });
    format!("{} {} {change}", row.scenario, row.metric.label())
}

fn title(named: &CommitSummary) -> String {
    let short: String = named.commit.chars().take(10).collect();
    format!("{short} {}", named.subject)
}

/// Why a run has no number for the metric.
fn not_measured(metric: Metric, outcome: &ComparisonOutcome) -> String {
    match outcome {
        ComparisonOutcome::NotMeasured(reason) => format!("`{metric}` is not measured: {reason}"),
        ComparisonOutcome::Regressed
        | ComparisonOutcome::Inconclusive
        | ComparisonOutcome::Improved
        | ComparisonOutcome::Pass => {
            format!("`{metric}` is not measured")
        }
    }
}
