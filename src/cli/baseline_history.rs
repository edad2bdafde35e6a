//! Holds one build against the runs that were kept of earlier ones, and measures side by side what
//! they make suspicious.

use std::io::Write;
use std::path::Path;

use anyhow::bail;

use crate::cli::Exit;
use crate::cli::compare::CompareArgs;
use crate::cli::first_run::{self, FirstRun};
use crate::cli::selection::note;
use crate::cli::sides;
use baseline::BaselineStore;
use baseline::choice::{
    self, BaselineChoice, BaselineQuery, CommitRelation, StoredRun, WorkIdentity,
};
use baseline::work;
use compare::Comparison;
use record::Run;
use record::history::RunHistory;
use record::metric::Metric;
use runner::machine;
use suite::{LaneMode, Scenario, Suite};
use units::Ratio;
use units::cancel::Cancel;

/// Kept runs, and where they are from.
pub(super) struct BaselineHistory {
    /// The store, or the file.
    pub(super) store: String,
    /// The name.
    pub(super) name: String,
    /// The runs, oldest first, at least one.
    pub(super) runs: Vec<StoredRun>,
}

impl BaselineHistory {
    /// Returns the run of a file as a history of one.
    pub(super) fn of_file(path: &Path) -> anyhow::Result<Self> {
        let run = Run::load(path)?;
        let name = match &run.head.commit {
            Some(commit) => commit.clone(),
            None => run.head.label.clone(),
        };
        let runs = vec![StoredRun { digest: run.digest(), run }];
        Ok(Self { store: path.display().to_string(), name, runs })
    }

    /// Returns the history of a name.
    pub(super) fn of(store: &BaselineStore, name: &str) -> anyhow::Result<Self> {
        let entries = store.history(name)?;
        let runs = store.load_all(&entries)?.into_iter().zip(entries);
        let runs = runs.map(|(run, entry)| StoredRun { digest: entry.digest, run }).collect();
        let store = store.location().to_owned();
        Ok(Self { store, name: name.to_owned(), runs })
    }
}

/// Measures head alone, judges it by what is remembered, and says so.
pub(super) fn run(
    args: &CompareArgs,
    suite: &Suite,
    memory: BaselineHistory,
    first: Option<&FirstRun>,
    cancel: &Cancel,
    out: &mut impl Write,
) -> anyhow::Result<Exit> {
    let asked = asked(suite);
    let (mut history, kept) = choose(memory, suite, &asked)?;
    foresee(suite, &history, &asked)?;

    let head = args.sides.head(&args.selection, suite, cancel)?;
    let mut run = sides::measure_alone(head, &args.selection, suite, cancel)?;
    history.notes.extend(work::remember(&mut run, &kept));
    run.history = Some(history);

    if first.is_none() {
        confirm(args, suite, &mut run, cancel)?;
    }
    args.conclude(&run, first, out)
}

/// Returns what the suite is going to measure.
fn asked(suite: &Suite) -> BaselineQuery {
    let work = |scenario: &Scenario| WorkIdentity {
        scenario: scenario.name.clone(),
        load: scenario.words(),
        payload: scenario.payload.digest(),
    };
    let work = suite.scenarios.iter().map(work).collect();
    BaselineQuery { work, generator: payload::GENERATOR_VERSION }
}

/// Chooses the runs that head may be held against, and says which they are.
fn choose(
    memory: BaselineHistory,
    suite: &Suite,
    asked: &BaselineQuery,
) -> anyhow::Result<(RunHistory, Vec<StoredRun>)> {
    let BaselineHistory { store, name, runs } = memory;
    let dir = &suite.target.dir;
    // A name that is no branch says nothing about where the change began; its own past does.
    let began =
        checkout::merge_base(dir, "HEAD", &name).or_else(|_| checkout::commit(dir, "HEAD")).ok();
    let place = |commit: &str| match &began {
        Some(began) => match checkout::is_behind(dir, commit, began) {
            Ok(Some(true)) => CommitRelation::Before,
            Ok(Some(false)) => CommitRelation::Elsewhere,
            Ok(None) | Err(_) => CommitRelation::Unknown,
        },
        None => CommitRelation::Unknown,
    };
    let BaselineChoice { runs, notes } = choice::choose(runs, asked, place);
    if runs.is_empty() {
        bail!(
            "no run of `{name}` in `{store}` can be compared with this one\n\n{}",
            notes.join("\n")
        );
    }
    for text in &notes {
        note(&format!("note: {text}"))?;
    }
    let past = runs.iter().map(|kept| compare::past(&kept.digest, &kept.run)).collect();
    Ok((RunHistory { name, store, notes, runs: past }, runs))
}

/// Says before anything is measured what it will be able to show.
fn foresee(suite: &Suite, history: &RunHistory, asked: &BaselineQuery) -> anyhow::Result<()> {
    let visible = compare::foreseeable(history, &machine::read(), &asked.work, &suite.gate);
    let newest = history.runs.last().expect("a history has a run");
    let commit = report::revision(&newest.revision);
    let runs = history.runs.len();
    note(&format!(
        "{runs} stored runs of `{}`, the newest of {} ({commit})",
        history.name, newest.started
    ))?;
    let word = |(scenario, metric, ln): &(&str, Metric, f64)| {
        format!("{scenario} {} {:.1} %", metric.label(), Ratio::from_ln(*ln).0 * 100.0)
    };
    if !visible.is_empty() {
        let visible: Vec<String> = visible.iter().map(word).collect();
        note(&format!("visible four times in five, from: {}", visible.join(", ")))?;
    } else if suite.lanes.time != LaneMode::Off {
        note("too few of them are of this kind of machine to judge times; work and limits decide")?;
    }
    Ok(())
}

/// Measures side by side whatever the history makes suspicious, if the base can be had.
fn confirm(
    args: &CompareArgs,
    suite: &Suite,
    run: &mut Run,
    cancel: &Cancel,
) -> anyhow::Result<()> {
    let comparison = Comparison::of(run)?;
    let timed = comparison.rows.iter().filter(|row| row.is_flagged() && !row.metric.is_counted());
    let suspects: Vec<String> =
        timed.map(|row| format!("{} {}", row.scenario, row.metric.label())).collect();
    if suspects.is_empty() || run.ended.is_some() || cancel.is_raised() {
        return Ok(());
    }
    // Whatever becomes of the second measurement, the first is not lost.
    run.save(&args.out().join("report/run.json"))?;
    note(&format!("suspected: {}; measuring it side by side with the base", suspects.join(", ")))?;
    let history = run.history.as_ref().expect("it was just set");
    let newest = history.runs.last().expect("a history has a run");
    let name = newest.revision.commit.clone().unwrap_or_else(|| history.name.clone());
    let mut narrowed = suite.clone();
    first_run::narrow(&mut narrowed, &comparison);
    narrowed.lanes.work = LaneMode::Off;
    narrowed.lanes.time = LaneMode::Asked;
    let builds = args.sides.find(&name, &args.selection, suite, cancel);
    match builds.and_then(|builds| args.measure(&narrowed, &builds, args.out(), cancel)) {
        Ok(paired) => run.confirming = Some(Box::new(paired)),
        Err(error) => note(&format!(
            "it cannot be confirmed here: {error:#}\n\
             a second job may: `xmlperf compare --confirm {}`",
            args.out().join("report/run.json").display()
        ))?,
    }
    Ok(())
}
