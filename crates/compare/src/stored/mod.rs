//! Takes out of records what a stored comparison rests on: one level a run and metric, on one scale.

use crate::decision::history::{self, MetricHistory, RUNS_MIN};
use crate::{ComparisonNote, values};
use baseline::choice::WorkIdentity;
use record::history::{PastRun, PastScenario, RunHistory, Yardstick, YardstickReading};
use record::metric::gate::{GateRules, MetricPolicy};
use record::metric::{BetterDirection, Metric};
use record::{ContentError, Machine, Revision, Run, ScenarioRun};
use stats::means;

/// Runs with a yardstick, from which on levels are measured by it.
const YARDSTICKS_MIN: usize = 4;

/// Where a stored comparison took its base from.
#[derive(Debug, Clone, PartialEq)]
pub struct BaselineOrigin {
    /// The name of the history.
    pub name: String,
    /// The store.
    pub store: String,
    /// Digest of the run that stands for the base.
    pub digest: String,
    /// When that was measured, RFC 3339.
    pub started: String,
    /// How long before head that was, in seconds, if both say when.
    pub age_s: Option<i64>,
    /// Where that was measured.
    pub machine: Machine,
    /// Runs of the history.
    pub runs: usize,
}

impl BaselineOrigin {
    /// Returns where a run's base is from, if it is from a history.
    pub(super) fn of(run: &Run) -> Result<Option<Self>, ContentError> {
        let Some(history) = &run.history else { return Ok(None) };
        let chosen = history.chosen()?;
        let time = |text: &str| text.parse::<jiff::Timestamp>().ok();
        let times = time(&run.started).zip(time(&chosen.started));
        Ok(Some(Self {
            name: history.name.clone(),
            store: history.store.clone(),
            digest: chosen.digest.clone(),
            started: chosen.started.clone(),
            age_s: times.map(|(now, then)| now.as_second() - then.as_second()),
            machine: chosen.machine.clone(),
            runs: history.runs.len(),
        }))
    }
}

/// The base of a run: what was measured beside it, or what was kept.
pub(super) fn base(run: &Run) -> Result<Option<Revision>, ContentError> {
    let Some(history) = &run.history else { return Ok(run.base.clone()) };
    let chosen = history.chosen()?.revision.clone();
    Ok(Some(Revision { label: history.name.clone(), ..chosen }))
}

/// Why a metric cannot be judged by a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HistoryGap {
    /// The history has no such number.
    Missing(String),
    /// No run of the history kept such a number: each is of a version that did not measure it.
    NotKept,
    /// It has, and they do not tell.
    Undecidable(String),
}

/// The levels that a metric's judgement rests on, and what the kept ones would be here and now.
#[derive(Debug)]
pub(super) struct MetricLevels {
    pub(super) kept: MetricHistory,
    pub(super) base: f64,
}

/// Returns what the history of a run says about a metric of a scenario. `earlier` is a job that
/// measured the same change before.
pub(super) fn levels<'a>(
    run: &Run,
    earlier: Option<&Run>,
    history: &'a RunHistory,
    scenario: &ScenarioRun,
    metric: Metric,
) -> Result<MetricLevels, HistoryGap> {
    let past = alike(&run.machine, history, &scenario.into())?;
    if metric == Metric::Leak {
        let reason = "growth is compared side by side only; a limit on it holds here as well";
        return Err(HistoryGap::Missing(reason.to_owned()));
    }
    let of = |(past, scenario): (&'a PastRun, &PastScenario)| {
        let level = scenario.levels.get(&metric).copied().filter(|level| *level > 0.0);
        level.map(|level| (level, past.yardstick.as_ref()))
    };
    let past: Vec<(f64, Option<&Yardstick>)> = past.into_iter().filter_map(of).collect();
    if past.is_empty() && is_recent(metric) {
        return Err(HistoryGap::NotKept);
    }
    if past.is_empty() {
        let reason =
            format!("no stored run has {} of this scenario", metric.label(&scenario.unit()));
        return Err(HistoryGap::Missing(reason));
    }
    let jobs = earlier.into_iter().chain([run]).map(|job| {
        let same = job.scenario_or_operation(&scenario.name);
        let level = same.and_then(|same| values::level(&same, metric)).filter(|level| *level > 0.0);
        let level =
            level.ok_or_else(|| HistoryGap::Missing("this run does not have it".to_owned()))?;
        Ok((level, job.yardstick.as_ref()))
    });
    let jobs: Vec<_> = jobs.collect::<Result<_, HistoryGap>>()?;
    let levels = joined(metric, &past, &jobs);
    let runs = levels.kept.history.len();
    if runs < RUNS_MIN {
        return Err(HistoryGap::Undecidable(format!(
            "{runs} stored {} of this kind of machine, at least {RUNS_MIN} are needed",
            if runs == 1 { "run" } else { "runs" }
        )));
    }
    Ok(levels)
}

/// The kept runs whose times may stand beside this machine's: of the same work, on the same kind of
/// machine.
fn alike<'a>(
    machine: &Machine,
    history: &'a RunHistory,
    work: &WorkIdentity,
) -> Result<Vec<(&'a PastRun, &'a PastScenario)>, HistoryGap> {
    let of = |past: &'a PastRun| {
        let named = past.scenarios.iter().find(|other| other.name == work.scenario)?;
        Some((past, named))
    };
    let named: Vec<_> = history.runs.iter().filter_map(of).collect();
    let same_work =
        |(_, other): &(&PastRun, &PastScenario)| other.workload.measures_as(&work.workload);
    let same: Vec<_> = named.iter().copied().filter(same_work).collect();
    if same.is_empty() {
        let reason = if named.is_empty() {
            "no stored run has this scenario"
        } else {
            "every stored run had another payload or load"
        };
        return Err(HistoryGap::Missing(reason.to_owned()));
    }
    let here: Vec<_> = same.into_iter().filter(|(past, _)| past.machine.is_like(machine)).collect();
    if here.is_empty() {
        let reason = "no stored run is of this kind of machine";
        return Err(HistoryGap::Undecidable(reason.to_owned()));
    }
    Ok(here)
}

/// Brings levels to one scale. Times are measured in yardsticks where enough runs have one of the same
/// version and it makes the runs that were kept more alike: a busy machine disturbs the yardstick as
/// well, and then it only adds to the scatter. The candidate has no say in that.
fn joined(
    metric: Metric,
    past: &[(f64, Option<&Yardstick>)],
    jobs: &[(f64, Option<&Yardstick>)],
) -> MetricLevels {
    let plain = kept(metric, past, jobs, |_| 0.0);
    let version = |(_, yardstick): &(f64, Option<&Yardstick>)| yardstick.map(|it| it.version);
    let version_here = jobs.first().and_then(version);
    let has_one =
        |run: &(f64, Option<&Yardstick>)| version_here.is_some() && version(run) == version_here;
    let measured: Vec<_> = past.iter().copied().filter(has_one).collect();
    let length = |yardstick: Option<&Yardstick>| yardstick.map_or(0.0, yardstick_ln);
    let (scaled, now) = match jobs.last() {
        Some((_, now)) if metric.is_of_time() && measured.len() >= YARDSTICKS_MIN => {
            (kept(metric, &measured, jobs, length), length(*now))
        }
        Some(_) | None => (plain.clone(), 0.0),
    };
    let scatter = |kept: &MetricHistory| means::deviation(history::last_level(&kept.history));
    let scales = jobs.iter().all(has_one) && scatter(&scaled) < scatter(&plain);
    let (kept, now) = if scales { (scaled, now) } else { (plain, 0.0) };
    let worse = means::mean(history::last_level(&kept.history)) + now;
    let base = match metric.better() {
        BetterDirection::Lower => worse.exp(),
        BetterDirection::Higher => (-worse).exp(),
    };
    MetricLevels { kept, base }
}

/// Levels as logarithms, above where they are worse, less the length of each run's yardstick.
fn kept(
    metric: Metric,
    past: &[(f64, Option<&Yardstick>)],
    jobs: &[(f64, Option<&Yardstick>)],
    length: impl Fn(Option<&Yardstick>) -> f64,
) -> MetricHistory {
    let ln = |&(level, yardstick): &(f64, Option<&Yardstick>)| {
        let worse = match metric.better() {
            BetterDirection::Lower => level.ln(),
            BetterDirection::Higher => -level.ln(),
        };
        worse - length(yardstick)
    };
    MetricHistory { history: past.iter().map(ln).collect(), jobs: jobs.iter().map(ln).collect() }
}

/// Whether the first versions did not keep a metric, or kept another statistic of its name.
fn is_recent(metric: Metric) -> bool {
    matches!(
        metric,
        Metric::Latency
            | Metric::Tail
            | Metric::Memory
            | Metric::Ready
            | Metric::FirstAnswers
            | Metric::AnswerBytes
    )
}

/// How slow the machine was: the mean over the parts of ln of the mean of the faster half of readings.
fn yardstick_ln(yardstick: &Yardstick) -> f64 {
    let part = |of: fn(&YardstickReading) -> u64| {
        let times = yardstick.readings.iter().map(|reading| units::exact(of(reading).max(1)));
        values::better_half(times.collect(), BetterDirection::Lower).map_or(0.0, f64::ln)
    };
    let parts = [part(|it| it.integer_ns), part(|it| it.memory_ns), part(|it| it.loopback_ns)];
    means::mean(&parts)
}

/// Returns what a run that is kept under `digest` is remembered by.
pub fn past(digest: &str, run: &Run) -> PastRun {
    let scenario = |scenario: &ScenarioRun| {
        let level = |metric: Metric| {
            let level = values::level(scenario, metric).filter(|level| level.is_finite())?;
            Some((metric, level))
        };
        PastScenario {
            name: scenario.name.clone(),
            workload: scenario.workload.clone(),
            launches: scenario.launches(),
            levels: Metric::ALL.into_iter().filter_map(level).collect(),
        }
    };
    PastRun {
        digest: digest.to_owned(),
        started: run.started.clone(),
        revision: run.head.clone(),
        machine: run.machine.clone(),
        yardstick: run.yardstick.clone(),
        scenarios: run.scenarios_and_operations().map(|it| scenario(&it)).collect(),
    }
}

/// Returns the change that a run on this machine would make visible four times in five, for every
/// metric that decides by the history and is in it: scenario, metric, logarithm.
pub fn foreseeable<'a>(
    history: &RunHistory,
    machine: &Machine,
    required: &'a [WorkIdentity],
    gate: &GateRules,
) -> Vec<(&'a str, Metric, f64)> {
    let decides = |metric: &Metric| {
        gate.rule(*metric).policy == MetricPolicy::Gate
            && metric.is_timed()
            && *metric != Metric::Leak
    };
    let mut known = Vec::new();
    for work in required {
        let Ok(past) = alike(machine, history, work) else { continue };
        for metric in Metric::ALL.into_iter().filter(decides) {
            let levels = past.iter().filter_map(|(_, it)| it.levels.get(&metric));
            let logs: Vec<f64> = levels.filter(|level| **level > 0.0).map(|it| it.ln()).collect();
            if logs.len() >= RUNS_MIN {
                known.push((work.scenario.as_str(), metric, logs));
            }
        }
    }
    let family = known.len();
    let detectable = |(name, metric, logs): (&'a str, Metric, Vec<f64>)| {
        (name, metric, history::detectable_ln(gate.alpha, family, &logs, 1))
    };
    known.into_iter().map(detectable).collect()
}

/// Returns what stands between this run and its base.
pub(super) fn notes(run: &Run, history: &RunHistory) -> Vec<ComparisonNote> {
    let mut notes = left_out(run, history);
    let is_like = |past: &PastRun| past.machine.is_like(&run.machine);
    if let (false, Some(newest)) = (history.runs.iter().any(is_like), history.runs.last()) {
        let (here, there) = (run.machine.clone(), newest.machine.clone());
        notes.push(ComparisonNote::OtherMachine { here, there });
    }
    notes
}

/// What the base has and this run does not.
fn left_out(run: &Run, history: &RunHistory) -> Vec<ComparisonNote> {
    let is_here = |past: &&PastScenario| run.scenario_or_operation(&past.name).is_some();
    let base = history.runs.last().into_iter().flat_map(|past| &past.scenarios);
    let gone = base.filter(|past| !is_here(past));
    gone.map(|past| ComparisonNote::ScenarioMissing { scenario: past.name.clone() }).collect()
}

#[cfg(test)]
mod tests;
