//! Compares one build with stored runs of earlier ones, and measures side by side what they make
//! suspicious.

use record::work_unit::WorkUnit;
use std::path::Path;

use anyhow::Result;
use baseline::BaselineStore;
use baseline::choice::{
    self, BaselineChoice, BaselineQuery, CommitRelation, StoredRun, WorkIdentity,
};
use baseline::work;
use compare::Comparison;
use record::Run;
use record::history::RunHistory;
use runner::machine;
use suite::{LaneMode, Scenario, Suite};
use units::text::error_chain;

use crate::app::builds::{BuildChoice, BuildFinder};
use crate::app::confirm;
use crate::app::event::{Event, EventSink, MetricChange, ScenarioMetric, WarningKind};
use crate::app::failure::UseCaseError;
use crate::app::measure::{self, ComparisonEnding};

/// Stored runs, and where they are from.
pub(super) struct BaselineHistory {
    /// The store, or the file.
    store: String,
    /// The name.
    name: String,
    /// The runs, oldest first, at least one.
    runs: Vec<StoredRun>,
}

impl BaselineHistory {
    /// Returns the run of a file as a history of one.
    pub(super) fn of_file(path: &Path) -> Result<Self> {
        let run = Run::load(path)?;
        let name = match &run.head.commit {
            Some(commit) => commit.clone(),
            None => run.head.label.clone(),
        };
        let runs = vec![StoredRun { digest: run.digest(), run }];
        Ok(Self { store: path.display().to_string(), name, runs })
    }

    /// Returns the history of a name.
    pub(super) fn of(store: &BaselineStore, name: &str) -> Result<Self> {
        let entries = store.history(name)?;
        let runs = store.load_all(&entries)?.into_iter().zip(entries);
        let runs = runs.map(|(run, entry)| StoredRun { digest: entry.digest, run }).collect();
        Ok(Self { store: store.location().to_owned(), name: name.to_owned(), runs })
    }
}

/// Measures head alone, and adds to its run what it is compared with.
pub(super) fn measure(
    finder: &BuildFinder<'_>,
    head_start: Option<&str>,
    history: BaselineHistory,
    events: &mut dyn EventSink,
) -> Result<Run> {
    let query = query(finder.suite);
    let (mut history, stored) = choose(history, finder.suite, &query, events)?;
    announce(finder.suite, &history, &query, events);
    let head = finder.head(head_start, events)?;
    let mut run = measure::alone(finder, head, events)?;
    history.notes.extend(work::remember(&mut run, &stored));
    run.history = Some(history);
    Ok(run)
}

/// Returns what the suite is going to measure.
fn query(suite: &Suite) -> BaselineQuery {
    let work = |scenario: &Scenario| WorkIdentity {
        scenario: scenario.name.clone(),
        workload: scenario.workload(&suite.sampling),
    };
    let work = suite.scenarios.iter().map(work).collect();
    BaselineQuery { work, generator: payload::GENERATOR_VERSION }
}

/// Chooses the runs that head may be compared with, and says which they are.
fn choose(
    history: BaselineHistory,
    suite: &Suite,
    query: &BaselineQuery,
    events: &mut dyn EventSink,
) -> Result<(RunHistory, Vec<StoredRun>)> {
    let BaselineHistory { store, name, runs } = history;
    let dir = &suite.target.dir;
    // A name that is no branch says nothing about where the change began; its own past does.
    let began =
        checkout::merge_base(dir, "HEAD", &name).or_else(|_| checkout::commit(dir, "HEAD")).ok();
    let relation = |commit: &str| match &began {
        Some(began) => match checkout::is_behind(dir, commit, began) {
            Ok(Some(true)) => CommitRelation::Before,
            Ok(Some(false)) => CommitRelation::Elsewhere,
            Ok(None) | Err(_) => CommitRelation::Unknown,
        },
        None => CommitRelation::Unknown,
    };
    let BaselineChoice { runs, notes } = choice::choose(runs, query, relation);
    if runs.is_empty() {
        return Err(UseCaseError::NoComparableRun { name, store, notes }.into());
    }
    for note in &notes {
        events.emit(Event::Warning(WarningKind::HistoryNote { note }));
    }
    let past = runs.iter().map(|stored| compare::past(&stored.digest, &stored.run)).collect();
    Ok((RunHistory { name, store, notes, runs: past }, runs))
}

/// Says before anything is measured what it will be able to show.
fn announce(
    suite: &Suite,
    history: &RunHistory,
    query: &BaselineQuery,
    events: &mut dyn EventSink,
) {
    let newest = history.runs.last().expect("a history has a run");
    events.emit(Event::HistoryChosen {
        name: &history.name,
        runs: history.runs.len(),
        newest_started: &newest.started,
        newest: &newest.revision,
    });
    let detectable = compare::foreseeable(history, &machine::read(), &query.work, &suite.gate);
    if detectable.is_empty() {
        if suite.lanes.time != LaneMode::Off {
            events.emit(Event::Warning(WarningKind::TimesNotJudged));
        }
        return;
    }
    let change = |(scenario, metric, change_ln): (&str, _, _)| MetricChange {
        of: ScenarioMetric {
            scenario: scenario.to_owned(),
            operation: None,
            metric,
            unit: unit(suite, scenario),
        },
        change_ln,
    };
    let detectable = detectable.into_iter().map(change).collect();
    events.emit(Event::PowerEstimated { cost: None, detectable });
}

/// What a scenario's rates and costs are counted in.
fn unit(suite: &Suite, name: &str) -> WorkUnit {
    let scenario = suite.scenarios.iter().find(|scenario| scenario.name == name);
    scenario.map_or_else(WorkUnit::request, |scenario| scenario.unit.clone())
}

/// How a side by side measurement is made.
#[derive(Clone, Copy)]
pub(super) struct SideBySide<'a> {
    /// How base and head are given, if not by name.
    pub(super) builds: &'a BuildChoice,
    /// When it ends.
    pub(super) ending: &'a ComparisonEnding,
}

/// Measures side by side what the history makes suspicious, if the base can be had.
pub(super) fn follow_up(
    finder: &BuildFinder<'_>,
    side_by_side: SideBySide<'_>,
    run: &mut Run,
    events: &mut dyn EventSink,
) -> Result<()> {
    let comparison = Comparison::of(run)?;
    let timed = comparison.rows.iter().filter(|row| row.is_flagged() && row.metric.is_timed());
    let suspected: Vec<ScenarioMetric> = timed.map(ScenarioMetric::of).collect();
    if suspected.is_empty() || run.ended.is_some() || finder.cancel.is_raised() {
        return Ok(());
    }
    // Whatever becomes of the second measurement, the first is not lost.
    let file = finder.selection.out.join("report/run.json");
    if let Err(error) = run.save(&file) {
        let (error, run) = (error_chain(&error), file.display().to_string());
        events.emit(Event::Warning(WarningKind::NotConfirmed { error: &error, run: &run }));
        return Ok(());
    }
    events.emit(Event::ConfirmationStarted { suspected });
    match confirmation(finder, side_by_side, run, &comparison, events) {
        Ok(paired) => run.confirming = Some(Box::new(paired)),
        Err(error) => {
            let (error, run) = (format!("{error:#}"), file.display().to_string());
            let warning = WarningKind::NotConfirmed { error: &error, run: &run };
            events.emit(Event::Warning(warning));
        }
    }
    Ok(())
}

/// Measures what is flagged side by side with the newest stored run's commit.
fn confirmation(
    finder: &BuildFinder<'_>,
    side_by_side: SideBySide<'_>,
    run: &Run,
    comparison: &Comparison,
    events: &mut dyn EventSink,
) -> Result<Run> {
    let history = run.history.as_ref().expect("it is set where stored runs are compared with");
    let newest = history.runs.last().expect("a history has a run");
    let name = newest.revision.commit.clone().unwrap_or_else(|| history.name.clone());
    let mut suite = finder.suite.clone();
    confirm::narrow(&mut suite, comparison);
    suite.lanes.work = LaneMode::Off;
    suite.lanes.time = LaneMode::On;
    let builds = finder.pair(side_by_side.builds, &name, events)?;
    let finder = BuildFinder { suite: &suite, ..*finder };
    let logs = finder.selection.out.join("logs");
    measure::paired(&finder, &builds, logs, side_by_side.ending, events)
}
