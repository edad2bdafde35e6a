//! What the attempts at a comparison have in common: their evidence, which adds up.
//!
//! The differences of earlier attempts come with the run. They are judged by the very rules of the
//! metrics today, so that a record is judged again to the same bit wherever it is read.

use std::collections::{BTreeMap, BTreeSet};

use record::evidence::{EvidenceAttempt, EvidenceGap, EvidencePair, EvidenceState};
use record::metric::Metric;
use record::metric::gate::{GateRules, MetricPolicy};
use record::{ContentError, LaunchPair, LaunchResults, Machine, Run, ScenarioRun};

use crate::MetricResult;
use crate::decision::{Judgement, RowDifferences, Verdict};
use crate::values::PairValues;

/// All attempts at a comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptSummary {
    /// The number of the last one.
    pub number: u32,
    /// The number of the attempt with which the evidence begins.
    pub since: u32,
    /// Why it does not begin with the first, if it begins with the last.
    pub gap: Option<EvidenceGap>,
    /// The share of the error rate that it may use.
    pub error_share: f64,
    /// Launch pairs of all attempts since.
    pub launch_pairs: usize,
    /// Machines that they were measured on.
    pub machines: usize,
    /// The evidence that is the strongest, if there is any.
    pub strongest: Option<StrongestEvidence>,
}

/// The evidence for a change of one metric, in the family.
#[derive(Debug, Clone, PartialEq)]
pub struct StrongestEvidence {
    /// What it is for: slower or faster.
    pub verdict: Verdict,
    /// How many times likelier the launch pairs are made by a change than the floor allows; 2 or more.
    pub odds: f64,
}

impl AttemptSummary {
    pub(super) fn of(run: &Run, launch_pairs: usize, rows: &[MetricResult]) -> Option<Self> {
        let state = run.evidence.as_ref()?;
        let earlier = state.earlier.iter().map(|it| it.launch_pairs.len()).sum::<usize>();
        let used = state.earlier.iter().map(|it| it.launch_pairs.len()).chain([launch_pairs]);
        let used =
            machines(run).into_iter().zip(used).filter(|(_, launch_pairs)| *launch_pairs > 0);
        let distinct: BTreeSet<usize> = used.map(|(machine, _)| machine).collect();
        Some(Self {
            number: state.number,
            since: state.since,
            gap: state.gap.clone(),
            error_share: state.error_share(),
            launch_pairs: earlier + launch_pairs,
            machines: distinct.len(),
            strongest: strongest(rows),
        })
    }
}

fn strongest(rows: &[MetricResult]) -> Option<StrongestEvidence> {
    let timed = rows.iter().filter(|row| row.metric.is_timed());
    let judged: Vec<_> = timed.filter_map(MetricResult::side_by_side).collect();
    let least = |of: fn(&Judgement) -> f64| judged.iter().map(|it| of(it)).fold(1.0, f64::min);
    let (slower, faster) = (least(|it| it.p_slower), least(|it| it.p_faster));
    // What turned red is what a reader asks about, however much else became faster.
    let is_red = judged.iter().any(|it| it.verdict == Verdict::Regressed);
    let (verdict, p) = if is_red || slower <= faster {
        (Verdict::Regressed, slower)
    } else {
        (Verdict::Improved, faster)
    };
    (p <= 0.5).then(|| StrongestEvidence { verdict, odds: 1.0 / p })
}

/// Returns what the last launch pair of a run says, to be kept for later attempts; none without one.
pub fn last_pair(run: &Run) -> Result<Option<EvidencePair>, ContentError> {
    let pairs = |place| pair_at(run, place);
    match launch_pairs(run) {
        0 => Ok(None),
        count => pairs(count - 1).map(Some),
    }
}

/// Returns a run as an attempt that later ones build upon; none if it kept no evidence.
pub fn attempt(run: &Run) -> Result<Option<EvidenceAttempt>, ContentError> {
    let Some(state) = &run.evidence else { return Ok(None) };
    let launch_pairs = (0..launch_pairs(run)).map(|place| pair_at(run, place));
    Ok(Some(EvidenceAttempt {
        number: state.number,
        run: state.run.clone(),
        machine: run.machine.clone(),
        machine_id: run.machine_id.clone(),
        started: run.started.clone(),
        launch_pairs: launch_pairs.collect::<Result<_, _>>()?,
    }))
}

/// Returns whether a run builds upon the evidence of an earlier one.
pub(super) fn continues(run: &Run, earlier: &Run) -> bool {
    let (Some(state), Some(first)) = (&run.evidence, &earlier.evidence) else { return false };
    state.key == first.key && state.earlier.iter().any(|it| it.number == first.number)
}

/// The number of the machine of each attempt, this one's last: those with one number are one machine.
pub(super) fn machines(run: &Run) -> Vec<usize> {
    let earlier = run.evidence.iter().flat_map(|state| &state.earlier);
    let earlier = earlier.map(|it| (&it.machine, it.machine_id.as_ref()));
    let mut distinct = Vec::new();
    let number = |machine| {
        distinct.iter().position(|known| is_same(*known, machine)).unwrap_or_else(|| {
            distinct.push(machine);
            distinct.len() - 1
        })
    };
    earlier.chain([(&run.machine, run.machine_id.as_ref())]).map(number).collect()
}

/// Whether two attempts ran on one machine. One that has got another kernel or more memory is the same.
fn is_same(one: (&Machine, Option<&String>), other: (&Machine, Option<&String>)) -> bool {
    match (one.1, other.1) {
        (Some(one), Some(other)) => one == other,
        (None, None) => one.0 == other.0,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// Launch pairs in which every scenario was driven that was not settled before.
fn launch_pairs(run: &Run) -> usize {
    // What base does not have is measured without it, in as many launches.
    let is_paired = |it: &ScenarioRun| matches!(it.trials, LaunchResults::Paired(_));
    if run.scenarios.iter().any(is_paired) { record::whole_launches(&run.scenarios) } else { 0 }
}

fn paired(trials: &LaunchResults) -> &[LaunchPair] {
    match trials {
        LaunchResults::Paired(pairs) => pairs,
        LaunchResults::Single(_) => &[],
    }
}

fn pair_at(run: &Run, place: usize) -> Result<EvidencePair, ContentError> {
    let mut first = None;
    let mut differences = BTreeMap::new();
    for scenario in run.scenarios_and_operations() {
        let Some(pair) = paired(&scenario.trials).get(place) else { continue };
        first = Some(pair.first);
        let values = PairValues::new(pair, scenario.times)?;
        let of = |metric: Metric| Some((metric, values.difference(metric).ok()?));
        let timed = Metric::ALL.into_iter().filter(|metric| metric.is_timed());
        differences.insert(scenario.name.clone(), timed.filter_map(of).collect());
    }
    let first = first.expect("a run with launch pairs has a scenario");
    Ok(EvidencePair { first, differences })
}

/// The differences of a metric in each earlier attempt; empty where it was missing in that attempt. Of latency, that
/// is where no launch pair sent a request; of anything else, where one launch pair did not measure it.
pub(super) fn earlier(
    state: &EvidenceState,
    scenario: &str,
    metric: Metric,
) -> Vec<RowDifferences> {
    let of_attempt = |attempt: &EvidenceAttempt| {
        // Once settled, it was driven no more.
        let driven = attempt.launch_pairs.iter().map_while(|pair| pair.differences.get(scenario));
        let found: RowDifferences = driven.map(|metrics| metrics.get(&metric).copied()).collect();
        let is_missing = match metric {
            Metric::Latency => found.iter().all(Option::is_none),
            _ => found.iter().any(Option::is_none),
        };
        if is_missing { Vec::new() } else { found }
    };
    state.earlier.iter().map(of_attempt).collect()
}

/// The metrics that decided in an earlier attempt, of scenarios that this run leaves out: they stay in
/// the family, as their evidence had its chance to alarm.
pub(super) fn absent(run: &Run, gate: &GateRules) -> Vec<(String, Metric)> {
    let Some(state) = &run.evidence else { return Vec::new() };
    let here: BTreeSet<String> = run.scenarios_and_operations().map(|it| it.name.clone()).collect();
    let is_here = |name: &String| here.contains(name);
    let decides =
        |metric: &Metric| gate.rules.get(metric).is_some_and(|it| it.policy == MetricPolicy::Gate);
    let pairs = state.earlier.iter().flat_map(|it| &it.launch_pairs);
    let cells = pairs.flat_map(|pair| &pair.differences).filter(|(name, _)| !is_here(name));
    let cells = cells.flat_map(|(name, metrics)| metrics.keys().map(|it| (name.clone(), *it)));
    let cells: BTreeSet<_> = cells.filter(|(_, metric)| decides(metric)).collect();
    cells.into_iter().collect()
}
