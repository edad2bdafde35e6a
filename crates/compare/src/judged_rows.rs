//! Judges the rows of a run, lane by lane, under one error rate.

use std::collections::{BTreeMap, BTreeSet};

use record::evidence::EvidenceState;
use record::metric::Metric;
use record::metric::gate::{GateRules, MetricPolicy};
use record::work_unit::WorkUnit;
use record::{PlacementRecord, Run, ScenarioRun};

use crate::decision::calls::{self as call_rule, CallJudgement};
use crate::decision::counts;
use crate::decision::family::PlacementTrust;
use crate::decision::history;
use crate::decision::{
    DecisionRule, Differences, Hypothesis, Judgement, LAUNCH_PAIRS_MAX, MachineEvidence,
    RowDifferences, RuleError,
};
use crate::evidence_path::EvidenceBasis;
use crate::row_context::{RowEvidence, in_force, is_attached};
use crate::{CompareError, MetricFinding, MetricResult, attempts, hypothesis, stopping};

/// What came of judging all rows.
#[derive(Default)]
pub(super) struct FamilyJudgement {
    /// How many hypotheses share the error rate.
    pub(super) family: usize,
    /// What those of the time lane rest on.
    pub(super) basis: EvidenceBasis,
}

/// Fills in the findings.
pub(super) fn judge(
    run: &Run,
    gate: &GateRules,
    rows: &mut [MetricResult],
    evidence: Vec<RowEvidence>,
) -> Result<FamilyJudgement, CompareError> {
    let whole = whole_launch_pairs(run);
    let mut absent = absent_rows(run, gate, rows);
    let (mut timed, mut counted, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    let mut called = Vec::new();
    for (row, evidence) in rows.iter_mut().zip(evidence) {
        match evidence {
            RowEvidence::LaunchPairs(attempts) => {
                let evidence = TimedEvidence::of(run, &whole, row, attempts);
                timed.push((row, evidence));
            }
            RowEvidence::Counts(counts) => counted.push((row, counts)),
            RowEvidence::Calls(calls) => called.push((row, calls)),
            RowEvidence::History(history) => kept.push((row, history)),
            RowEvidence::None => {}
        }
    }
    for (row, attempts) in &mut absent {
        let evidence = TimedEvidence::of(run, &whole, row, std::mem::take(attempts));
        timed.push((row, evidence));
    }
    let exact_lanes = usize::from(decides(&counted)) + usize::from(decides(&called));
    let is_timed = decides(&timed) || decides(&kept);
    let (timed_alpha, counted_alpha) = lane_alphas(run, gate.alpha, is_timed, exact_lanes > 0);
    let counted_alpha = counted_alpha / exact_lanes.max(1) as f64;
    let plain =
        |judgements: Vec<Judgement>| judgements.into_iter().map(MetricFinding::Judged).collect();
    let mut family = judge_each(counted, |hypotheses, counted| {
        plain(counts::judge(counted_alpha, hypotheses, counted))
    });
    family += judge_each(called, |hypotheses, called| {
        let judged = call_rule::judge(counted_alpha, hypotheses, called).into_iter();
        let finding = |CallJudgement { judgement, is_decided }| {
            if is_decided {
                MetricFinding::Judged(judgement)
            } else {
                MetricFinding::Reported(judgement)
            }
        };
        judged.map(finding).collect()
    });
    family += judge_each(kept, |hypotheses, kept| {
        let recalled = history::judge(timed_alpha, hypotheses, kept);
        recalled.into_iter().map(MetricFinding::Recalled).collect()
    });
    let launch_pairs = if timed.is_empty() { None } else { whole.values().copied().max() };
    let basis = basis(run, timed_alpha, launch_pairs.unwrap_or(0), &timed);
    if !timed.is_empty() {
        let rule = decision_rule(run, timed_alpha)?;
        family += judge_each(timed, |hypotheses, rows: &[TimedEvidence]| {
            let trust = rows.iter().map(|row| row.trust).collect();
            let on = MachineEvidence { trust, machines: attempts::machines(run) };
            plain(rule.judge_on_machines(hypotheses, &by_attempt(rows), on))
        });
    }
    Ok(FamilyJudgement { family, basis })
}

/// What a row of the time lane rests on.
struct TimedEvidence {
    /// The differences of its launch pairs, attempt by attempt. What decides rests on whole launch pairs: some scenarios
    /// have had the one that a run was interrupted in, others have not.
    attempts: Vec<RowDifferences>,
    trust: PlacementTrust,
}

impl TimedEvidence {
    fn of(
        run: &Run,
        whole: &BTreeMap<&str, usize>,
        row: &MetricResult,
        mut attempts: Vec<RowDifferences>,
    ) -> Self {
        let decides = row.rule.policy == MetricPolicy::Gate;
        if let Some(last) = attempts.last_mut().filter(|_| decides) {
            last.truncate(whole.get(row.scenario.as_str()).copied().unwrap_or(0));
        }
        Self { attempts, trust: trust(run, row.metric) }
    }
}

/// How many whole launch pairs the scenarios have had, by name; of runs that were joined, each has its own.
fn whole_launch_pairs(run: &Run) -> BTreeMap<&str, usize> {
    let mut shards = BTreeMap::new();
    for (number, shard) in run.shards.iter().enumerate() {
        shards.extend(shard.scenarios.iter().map(|name| (name, number)));
    }
    let mut joined: BTreeMap<usize, Vec<&ScenarioRun>> = BTreeMap::new();
    for scenario in run.scenarios.iter().filter(|it| it.launches() > 0) {
        let shard = shards.get(&scenario.name).copied().unwrap_or(0);
        joined.entry(shard).or_default().push(scenario);
    }
    let mut whole = BTreeMap::new();
    for scenarios in joined.into_values() {
        let launch_pairs = record::whole_launches(scenarios.iter().copied());
        whole.extend(scenarios.into_iter().map(|it| (it.name.as_str(), launch_pairs)));
    }
    whole
}

/// Whether a machine may hold an offset of a metric that its launches do not draw anew: of times, where
/// a build keeps its place in memory, or is not started here at all.
fn trust(run: &Run, metric: Metric) -> PlacementTrust {
    let is_suspect = run.placement.as_ref().is_some_and(PlacementRecord::keeps_place)
        || run.base.iter().chain([&run.head]).any(is_attached);
    if is_suspect && metric.is_of_time() {
        PlacementTrust::Suspect
    } else {
        PlacementTrust::Redrawn
    }
}

/// What the rows of the time lane rest on.
fn basis(
    run: &Run,
    alpha: f64,
    launch_pairs: usize,
    timed: &[(&mut MetricResult, TimedEvidence)],
) -> EvidenceBasis {
    let mut basis = EvidenceBasis::begin(run, alpha, launch_pairs);
    for (row, TimedEvidence { attempts, trust, .. }) in timed {
        basis.add(row, *trust, attempts);
    }
    basis
}

/// Returns the error rates of what was timed and of what was counted. A lane that decides nothing leaves its share to
/// the other.
fn lane_alphas(run: &Run, alpha: f64, timed: bool, counted: bool) -> (f64, f64) {
    let of_counts = if timed { alpha * counts::SHARE } else { alpha };
    let of_times = if counted { alpha * (1.0 - counts::SHARE) } else { alpha };
    (of_times, of_counts * run.evidence.as_ref().map_or(1.0, EvidenceState::count_share))
}

/// Rows of scenarios that this run leaves out, each with what it rests on: those of earlier attempts, and
/// those that other shards measure. They stay in the family.
fn absent_rows(
    run: &Run,
    gate: &GateRules,
    rows: &[MetricResult],
) -> Vec<(MetricResult, Vec<RowDifferences>)> {
    let earlier = |scenario: &str, metric| {
        let attempts = |state| attempts::earlier(state, scenario, metric);
        let mut evidence = run.evidence.as_ref().map_or_else(Vec::new, attempts);
        evidence.push(Vec::new());
        evidence
    };
    let row = |(scenario, metric): (String, Metric)| {
        let rule = in_force(gate.rule_in(&scenario, metric)?, metric, run)?;
        let evidence = earlier(&scenario, metric);
        let (finding, suspicion) = (MetricFinding::Alone, None);
        // Evidence has no unit, and a row without a value shows none.
        let unit = WorkUnit::request();
        let row = MetricResult {
            scenario,
            operation: None,
            metric,
            unit,
            rule,
            base: None,
            head: None,
            finding,
            suspicion,
        };
        Some((row, evidence))
    };
    let mut absent: BTreeSet<_> = attempts::absent(run, gate).into_iter().collect();
    absent.extend(elsewhere(run, rows));
    absent.into_iter().filter_map(row).collect()
}

/// The metrics that decide here, of each scenario that another shard measures: what it will turn out to
/// have is not known here, and this is the best guess. The joined run is judged by what there is.
fn elsewhere(run: &Run, rows: &[MetricResult]) -> Vec<(String, Metric)> {
    let is_common = |row: &&MetricResult| {
        let is_own = matches!(row.metric, Metric::Ready | Metric::Leak | Metric::Flow);
        row.operation.is_none() && row.metric.is_timed() && !is_own
    };
    let deciding = rows.iter().filter(|row| row.rule.policy == MetricPolicy::Gate);
    let metrics: BTreeSet<Metric> = deciding.filter(is_common).map(|row| row.metric).collect();
    let of = |name: &str| metrics.iter().map(|it| (name.to_owned(), *it)).collect::<Vec<_>>();
    run.scenarios_elsewhere().flat_map(of).collect()
}

/// The rule of a run: what it may still take counts, as that is what it could have shown.
fn decision_rule(run: &Run, alpha: f64) -> Result<DecisionRule, RuleError> {
    let launches = run.scenarios.iter().map(ScenarioRun::launches).max().unwrap_or(0);
    let earlier = run.evidence.iter().flat_map(|state| &state.earlier);
    let launches = launches + earlier.map(|it| it.launch_pairs.len()).sum::<usize>();
    if launches > LAUNCH_PAIRS_MAX {
        return Err(RuleError::LaunchPairs { launch_pairs: launches });
    }
    Ok(DecisionRule { alpha, launch_pairs_max: stopping::launch_pairs_max(run) })
}

/// The differences of each attempt from those of each row.
fn by_attempt(rows: &[TimedEvidence]) -> Vec<Differences> {
    let attempts = rows.iter().map(|row| row.attempts.len()).max().unwrap_or(0);
    let of_attempt =
        |attempt: usize| rows.iter().map(|row| row.attempts[attempt].clone()).collect();
    (0..attempts).map(of_attempt).collect()
}

fn decides<T>(rows: &[(&mut MetricResult, T)]) -> bool {
    rows.iter().any(|(row, _)| row.rule.policy == MetricPolicy::Gate)
}

/// Judges the rows of a lane, and returns how many decide.
fn judge_each<T>(
    rows: Vec<(&mut MetricResult, T)>,
    judge: impl Fn(&[Hypothesis], &[T]) -> Vec<MetricFinding>,
) -> usize {
    let (gating, reported): (Vec<_>, Vec<_>) =
        rows.into_iter().partition(|(row, _)| row.rule.policy == MetricPolicy::Gate);
    let family = gating.len();
    if family > 0 {
        let (gating, evidence): (Vec<_>, Vec<_>) = gating.into_iter().unzip();
        let hypotheses: Vec<_> = gating.iter().map(|row| hypothesis(row.rule)).collect();
        for (row, finding) in gating.into_iter().zip(judge(&hypotheses, &evidence)) {
            row.finding = finding;
        }
    }
    // Outside the family: what never decides needs no share of the error rate.
    for (row, evidence) in reported {
        let finding = judge(&[hypothesis(row.rule)], &[evidence]).into_iter().next();
        row.finding = finding.expect("one hypothesis, one finding");
        if let Some(judgement) = row.judgement().copied() {
            row.finding = MetricFinding::Reported(judgement);
        }
    }
    family
}
