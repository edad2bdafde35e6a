//! Sets head against base and says what follows.
//!
//! A [`Comparison`] is everything a report may show, computed once: no format derives a number of its
//! own. What decides, and how the error rate is shared among all that decides, is in [`decision`].

pub mod confirmation;
pub mod decision;
pub mod details;
pub mod growth;
mod promises;
mod values;
mod work;

use thiserror::Error;

use crate::compare::decision::counts::{self, Counts};
use crate::compare::decision::{Design, Hypothesis, Judgement, Protocol, Verdict};
use crate::compare::details::Details;
use crate::compare::values::{Launch, Missing, Pair};
use crate::metric::gate::{Gate, Policy, Rule, Stopping};
use crate::metric::limit::Quantity;
use crate::metric::{Better, Metric};
use crate::record::{Ended, Machine, Revision, Run, ScenarioRun, Trials};
use crate::units::Ratio;

pub use crate::compare::promises::Promise;
pub use crate::compare::values::level;
pub use crate::compare::work::Breakdown;

/// What a run says: about each metric, each promise, and as a whole.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// What was compared against, if anything.
    pub base: Option<Revision>,
    /// What was judged.
    pub head: Revision,
    /// Where.
    pub machine: Machine,
    /// Every metric of every scenario that is not switched off.
    pub rows: Vec<Row>,
    /// Every limit of every scenario.
    pub promises: Vec<Promise>,
    /// What could not be measured and is not held against the change; in words.
    pub notes: Vec<String>,
    /// What else there is to say of each scenario.
    pub details: Vec<Details>,
    /// Which functions the instructions of each scenario are in, where they were counted.
    pub breakdowns: Vec<Breakdown>,
    /// How the numbers came about.
    pub method: Method,
    /// What follows.
    pub outcome: Outcome,
}

/// How the numbers came about.
#[derive(Debug, Clone)]
pub struct Method {
    /// Launches, or launch pairs, that were measured.
    pub launches: usize,
    /// How many there would have been at most.
    pub launches_asked: usize,
    /// Whether base and head ran side by side.
    pub paired: bool,
    /// Chance that a comparison in which nothing changed calls any metric slower.
    pub alpha: f64,
    /// When the comparison could end.
    pub stopping: Stopping,
    /// Metrics and scenarios that share it.
    pub family: usize,
    /// How long it took, in nanoseconds.
    pub wall_ns: u64,
    /// Seed of the coins.
    pub seed: u64,
    /// Names of the scenarios, in order.
    pub scenarios: Vec<String>,
    /// Version of the program that measured.
    pub tool: String,
    /// Launches of each side in which instructions were counted, and what counted them.
    pub counted: Option<(usize, String)>,
}

/// One metric of one scenario.
#[derive(Debug, Clone)]
pub struct Row {
    /// The scenario's name.
    pub scenario: String,
    /// The metric.
    pub metric: Metric,
    /// What is asked of it.
    pub rule: Rule,
    /// Base, over all launches, in the metric's unit.
    pub base: Option<f64>,
    /// Head, over all launches, in the metric's unit.
    pub head: Option<f64>,
    /// What follows.
    pub finding: Finding,
}

/// A change with its interval, as logarithms of head over base.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// The Hodges-Lehmann estimate.
    pub estimate_ln: f64,
    /// Lower limit.
    pub low_ln: f64,
    /// Upper limit.
    pub high_ln: f64,
}

/// What is known of a metric's change. Logarithms are of head over base, above 0 where head is worse.
#[derive(Debug, Clone)]
pub enum Finding {
    /// There is nothing to compare with.
    Alone,
    /// It decides.
    Judged(Judgement),
    /// It is shown and does not decide.
    Reported(Judgement),
    /// There is no number; the reason.
    Missing(String),
}

/// What follows from a comparison as a whole, the gravest first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// There are no numbers to judge; the reason.
    NotMeasured(String),
    /// A metric regressed, or a limit is broken.
    Regressed,
    /// A metric that decides was not decided.
    Inconclusive,
    /// A metric improved, and none regressed.
    Improved,
    /// Nothing got worse.
    Pass,
}

/// Why a record cannot be judged.
#[derive(Debug, Error)]
pub enum CompareError {
    /// A rule, a limit or a histogram in it makes no sense.
    #[error("the run cannot be judged: {0}")]
    Nonsense(String),
    /// Alpha or looks are impossible.
    #[error("the run cannot be judged")]
    Design(#[from] decision::DesignError),
}

impl Comparison {
    /// Judges a run from its numbers.
    pub fn of(run: &Run) -> Result<Self, CompareError> {
        let gate = run.gate.gate().map_err(CompareError::Nonsense)?;
        let mut rows = Vec::new();
        let mut evidence = Vec::new();
        let mut promises = Vec::new();
        let mut details = Vec::new();
        for scenario in &run.scenarios {
            rows_of(scenario, &gate, &mut rows, &mut evidence).map_err(CompareError::Nonsense)?;
            promises.extend(promises::of(scenario).map_err(CompareError::Nonsense)?);
            details.push(Details::of(run, scenario).map_err(CompareError::Nonsense)?);
        }
        let launches = run.scenarios.iter().map(ScenarioRun::launches).min().unwrap_or(0);
        let family = if run.base.is_some() { judge(run, &gate, &mut rows, evidence)? } else { 0 };
        let outcome = outcome(run, launches, &rows, &promises);
        Ok(Self {
            base: run.base.clone(),
            head: run.head.clone(),
            machine: run.machine.clone(),
            rows,
            promises,
            notes: work::notes(run),
            details,
            breakdowns: work::breakdowns(run),
            method: Method {
                launches,
                launches_asked: run.launches_asked,
                paired: run.base.is_some(),
                alpha: gate.alpha,
                stopping: gate.stopping,
                family,
                wall_ns: run.wall_ns,
                seed: run.seed,
                scenarios: run.scenarios.iter().map(|scenario| scenario.name.clone()).collect(),
                tool: run.tool.clone(),
                counted: work::counted(run),
            },
            outcome,
        })
    }

    /// Returns whether every metric that a further launch could decide has been decided.
    pub fn is_decided(&self) -> bool {
        let mut timed = self.rows.iter().filter(|row| !row.metric.is_counted());
        timed.all(|row| row.verdict() != Some(Verdict::Inconclusive))
    }

    /// Returns, for each metric that decides, the change that a comparison like this one would show
    /// four times in five by the last look of a design; none where too little is known.
    pub fn foreseeable(&self, design: &Design) -> Vec<(&Row, f64)> {
        let of = |row: &Row| match &row.finding {
            Finding::Judged(judgement) if judgement.spread_ln.is_finite() => {
                let (spread, rule) = (judgement.spread_ln, hypothesis(row.rule));
                Some(design.predicted_mde_ln(spread, rule, self.method.family))
            }
            Finding::Judged(_) | Finding::Alone | Finding::Reported(_) | Finding::Missing(_) => {
                None
            }
        };
        self.rows.iter().filter_map(|row| Some((row, of(row)?))).collect()
    }

    /// Returns how many metrics that decide got this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.rows.iter().filter(|row| row.verdict() == Some(verdict)).count()
    }

    /// Returns the largest tolerance of a metric that decides: what *unchanged* is certain up to.
    pub fn tolerance(&self) -> Option<Ratio> {
        let judged = self.rows.iter().filter(|row| row.verdict().is_some());
        judged.map(|row| row.rule.tolerance).max_by(|a, b| a.0.total_cmp(&b.0))
    }

    /// Returns the breakdowns of scenarios whose work was compared and not shown equal.
    pub fn changed_breakdowns(&self) -> impl Iterator<Item = &Breakdown> {
        let equal = |breakdown: &Breakdown| {
            let mut rows = self.rows.iter().filter(|row| row.scenario == breakdown.scenario);
            let work = rows.find(|row| row.metric == Metric::Work);
            work.and_then(Row::judgement).is_none_or(|it| it.verdict == Verdict::Unchanged)
        };
        let compared = self.breakdowns.iter().filter(|breakdown| breakdown.base.is_some());
        compared.filter(move |it| !it.functions.is_empty() && !equal(it))
    }

    /// Returns the limits that do not hold.
    pub fn broken(&self) -> impl Iterator<Item = &Promise> {
        self.promises.iter().filter(|promise| !promise.holds())
    }
}

impl Row {
    /// Returns the verdict of a metric that decides.
    pub fn verdict(&self) -> Option<Verdict> {
        match &self.finding {
            Finding::Judged(judgement) => Some(judgement.verdict),
            Finding::Alone | Finding::Reported(_) | Finding::Missing(_) => None,
        }
    }

    /// Returns the change of the metric, whether or not it decides.
    pub fn judgement(&self) -> Option<&Judgement> {
        match &self.finding {
            Finding::Judged(judgement) | Finding::Reported(judgement) => Some(judgement),
            Finding::Alone | Finding::Missing(_) => None,
        }
    }

    /// Returns the change as head over base in the metric's own direction, on the logarithmic scale:
    /// below 0 where the number fell, even if that is worse.
    pub fn change(&self) -> Option<Change> {
        let Judgement { estimate_ln, low_ln, high_ln, .. } = *self.judgement()?;
        Some(match self.metric.better() {
            Better::Lower => Change { estimate_ln, low_ln, high_ln },
            Better::Higher => {
                Change { estimate_ln: -estimate_ln, low_ln: -high_ln, high_ln: -low_ln }
            }
        })
    }

    /// Returns whether a metric that should decide has no number.
    pub fn is_lost(&self) -> bool {
        self.rule.policy == Policy::Gate && matches!(self.finding, Finding::Missing(_))
    }
}

/// Whether a scenario has a row for the metric. Some need a lane of their own; growth needs a load
/// that is long enough to say something, which a limit on it shows.
fn is_measured(metric: Metric, scenario: &ScenarioRun) -> bool {
    let has_growth = || scenario.limits.contains_key(Quantity::Growth.key());
    !metric.is_counted() && (metric != Metric::Leak || has_growth())
}

/// What a row's judgement rests on.
#[derive(Debug, Clone)]
enum Evidence {
    /// Nothing, or nothing to compare with.
    None,
    /// The differences of its launch pairs.
    LaunchPairs(Vec<f64>),
    /// What was counted on both sides.
    Counts(Counts),
}

/// Adds the scenario's rows, and beside each what it rests on.
fn rows_of(
    scenario: &ScenarioRun,
    gate: &Gate,
    rows: &mut Vec<Row>,
    evidence: &mut Vec<Evidence>,
) -> Result<(), String> {
    work::rows(scenario, gate, rows, evidence)?;
    let pairs: Vec<Pair<'_>> = match &scenario.trials {
        Trials::Paired(pairs) => {
            pairs.iter().map(|pair| Pair::new(pair, scenario.times)).collect::<Result<_, _>>()?
        }
        Trials::Single(_) => Vec::new(),
    };
    let singles: Vec<Launch<'_>> = match &scenario.trials {
        Trials::Paired(_) => Vec::new(),
        Trials::Single(trials) => trials
            .iter()
            .map(|trial| Launch::new(trial, scenario.times))
            .collect::<Result<_, _>>()?,
    };
    let base: Vec<&Launch<'_>> = pairs.iter().map(|pair| &pair.base).collect();
    let head: Vec<&Launch<'_>> = pairs.iter().map(|pair| &pair.head).chain(&singles).collect();
    for metric in Metric::ALL {
        let rule = gate.rule(metric);
        let measured = is_measured(metric, scenario);
        if rule.policy == Policy::Off || !measured || scenario.launches() == 0 {
            continue;
        }
        let found: Result<Vec<f64>, Missing> =
            pairs.iter().map(|pair| pair.difference(metric)).collect();
        let (finding, rests_on) = match found {
            _ if !singles.is_empty() => (Finding::Alone, Evidence::None),
            Ok(numbers) if numbers.is_empty() => (Finding::Alone, Evidence::None),
            Ok(numbers) => (Finding::Alone, Evidence::LaunchPairs(numbers)),
            Err(missing) => (Finding::Missing(missing.reason()), Evidence::None),
        };
        rows.push(Row {
            scenario: scenario.name.clone(),
            metric,
            rule,
            base: values::overall(&base, metric),
            head: values::overall(&head, metric),
            finding,
        });
        evidence.push(rests_on);
    }
    Ok(())
}

fn hypothesis(rule: Rule) -> Hypothesis {
    Hypothesis { floor: rule.floor.0, tolerance: rule.tolerance.0 }
}

/// Fills in the findings, and returns how many hypotheses share the error rate.
fn judge(
    run: &Run,
    gate: &Gate,
    rows: &mut [Row],
    evidence: Vec<Evidence>,
) -> Result<usize, CompareError> {
    let (mut timed, mut counted) = (Vec::new(), Vec::new());
    for (row, evidence) in rows.iter_mut().zip(evidence) {
        match evidence {
            Evidence::LaunchPairs(differences) => timed.push((row, differences)),
            Evidence::Counts(counts) => counted.push((row, counts)),
            Evidence::None => {}
        }
    }
    // A lane that decides nothing leaves its share to the other.
    let lanes = (decides(&timed), decides(&counted));
    let counted_alpha = if lanes.0 { gate.alpha * counts::SHARE } else { gate.alpha };
    let timed_alpha = if lanes.1 { gate.alpha * (1.0 - counts::SHARE) } else { gate.alpha };
    let mut family = judge_each(counted, |hypotheses, counted| {
        counts::judge(counted_alpha, hypotheses, counted)
    });
    if !timed.is_empty() {
        let protocol = Protocol::new(gate.stopping, timed_alpha, &run.looks)?;
        family += judge_each(timed, |hypotheses, differences| {
            protocol.judge(hypotheses, differences, run.seed)
        });
    }
    Ok(family)
}

fn decides<T>(rows: &[(&mut Row, T)]) -> bool {
    rows.iter().any(|(row, _)| row.rule.policy == Policy::Gate)
}

/// Judges the rows of a lane, and returns how many decide.
fn judge_each<T>(
    rows: Vec<(&mut Row, T)>,
    judge: impl Fn(&[Hypothesis], &[T]) -> Vec<Judgement>,
) -> usize {
    let (gating, reported): (Vec<_>, Vec<_>) =
        rows.into_iter().partition(|(row, _)| row.rule.policy == Policy::Gate);
    let family = gating.len();
    if family > 0 {
        let (gating, evidence): (Vec<_>, Vec<_>) = gating.into_iter().unzip();
        let hypotheses: Vec<_> = gating.iter().map(|row| hypothesis(row.rule)).collect();
        for (row, judgement) in gating.into_iter().zip(judge(&hypotheses, &evidence)) {
            row.finding = Finding::Judged(judgement);
        }
    }
    // Outside the family: what never decides needs no share of the error rate.
    for (row, evidence) in reported {
        let judgements = judge(&[hypothesis(row.rule)], &[evidence]);
        row.finding = Finding::Reported(
            judgements.into_iter().next().expect("one hypothesis, one judgement"),
        );
    }
    family
}

/// Whether a launch was measured that did nothing: no rate of errors, no limit would notice.
fn is_silent(scenario: &ScenarioRun) -> bool {
    match &scenario.trials {
        Trials::Paired(pairs) => {
            pairs.iter().any(|pair| pair.base.requests == 0 || pair.head.requests == 0)
        }
        Trials::Single(trials) => trials.iter().any(|trial| trial.requests == 0),
    }
}

fn outcome(run: &Run, launches: usize, rows: &[Row], promises: &[Promise]) -> Outcome {
    match &run.ended {
        Some(Ended::Failed { side, scenario, reason }) => {
            let during = scenario.as_ref().map(|name| format!(" in `{name}`")).unwrap_or_default();
            return Outcome::NotMeasured(format!("{}{during}: {reason}", side.name()));
        }
        Some(Ended::Interrupted) => {
            let asked = run.launches_asked;
            return Outcome::NotMeasured(format!(
                "interrupted after {launches} of {asked} launches"
            ));
        }
        None => {}
    }
    if let Some(reason) = work::missing(run) {
        return Outcome::NotMeasured(reason);
    }
    if rows.is_empty() || (launches == 0 && run.launches_asked > 0) {
        return Outcome::NotMeasured("nothing was measured".to_owned());
    }
    if let Some(scenario) = run.scenarios.iter().find(|scenario| is_silent(scenario)) {
        let name = &scenario.name;
        return Outcome::NotMeasured(format!("in scenario {name} a launch answered no requests"));
    }
    let any = |verdict| rows.iter().any(|row| row.verdict() == Some(verdict));
    if any(Verdict::Regressed) || promises.iter().any(|promise| !promise.holds()) {
        Outcome::Regressed
    } else if any(Verdict::Inconclusive) || rows.iter().any(Row::is_lost) {
        Outcome::Inconclusive
    } else if any(Verdict::Improved) {
        Outcome::Improved
    } else {
        Outcome::Pass
    }
}

#[cfg(test)]
mod tests;
