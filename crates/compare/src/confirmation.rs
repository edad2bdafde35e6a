//! Sets a second run, on another machine, against what the first one flagged.
//!
//! A runner can be biased in itself: the same two binaries once gave +27 % on one virtual machine and
//! nothing on the next. Coins and launches cannot see that, as every launch shares the machine. So a
//! flag is repeated on a fresh one, with the same seeds of the payload and fresh coins, and only what
//! is flagged again is a regression. Only the flagged metrics decide there: a second chance for all
//! the others to alarm is not the question.
//!
//! Where a record of attempts is kept, the second run is one more of them: the evidence adds up, so all
//! metrics stay in the family, and a flag stands until it is refuted. That is not always a confirmation: few launch
//! pairs without a change do not outweigh many with one. So what the second machine shows by itself is kept apart,
//! and *confirmed* is said of what it shows as well.

use crate::attempts;
use crate::decision::Verdict;
use crate::{CompareError, Comparison, ComparisonOutcome, LimitCheck, MetricResult, Suspicion};
use record::metric::Metric;
use record::metric::gate::{GateRules, MetricPolicy};
use record::{ConfirmedRun, Run, ScenarioRun};

/// Two runs of the same change, the second on the flags of the first.
#[derive(Debug, Clone)]
pub struct Confirmation {
    /// What the first machine says.
    pub first: Comparison,
    /// What the second says, about the flagged metrics.
    pub second: Comparison,
    /// Every metric that the first run calls slower.
    pub cells: Vec<ConfirmationCell>,
    /// Every limit that the first run finds broken, and whether the second does too.
    pub limits: Vec<(LimitCheck, FlagStanding)>,
    /// What follows from both.
    pub outcome: ComparisonOutcome,
}

/// A flagged metric of a scenario.
#[derive(Debug, Clone)]
pub struct ConfirmationCell {
    /// As the first run has it.
    pub first: MetricResult,
    /// As the second has it by itself, if it measured it.
    pub second: Option<MetricResult>,
    /// What follows.
    pub standing: FlagStanding,
}

/// What a second run makes of a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlagStanding {
    /// It is flagged again.
    Confirmed,
    /// The second machine by itself shows no change beyond the floor, which does not outweigh what the first showed:
    /// the evidence of both still says slower.
    Unrefuted,
    /// It was measured, and is not.
    Unconfirmed,
    /// It was not measured again.
    Unrepeated,
}

impl FlagStanding {
    /// Returns whether the flag makes a regression.
    pub fn stands(self) -> bool {
        match self {
            Self::Confirmed | Self::Unrefuted => true,
            Self::Unconfirmed | Self::Unrepeated => false,
        }
    }
}

impl Confirmation {
    /// Judges both runs, the second by the flags of the first.
    pub fn of(first: &Run, second: &Run) -> Result<Self, CompareError> {
        let mismatch = mismatch(first, second);
        // Against a history, two jobs are two values of one series.
        let job = (first.history.is_some() && second.history.is_some()).then_some(first);
        let is_attempt = attempts::continues(second, first);
        let first = Comparison::of(first)?;
        let (second, alone) = if is_attempt {
            let alone = Run { evidence: None, ..second.clone() };
            (Comparison::of(second)?, Some(Comparison::of(&alone)?))
        } else {
            (Comparison::of_jobs(&narrowed(second, &first), job)?, None)
        };
        let flagged = first.rows.iter().filter(|row| row.is_flagged());
        let cells: Vec<ConfirmationCell> =
            flagged.map(|row| cell(row, &second, alone.as_ref())).collect();
        let limits: Vec<(LimitCheck, FlagStanding)> =
            first.broken().map(|check| (check.clone(), kept(check, &second))).collect();
        let outcome = match mismatch {
            Some(reason) => ComparisonOutcome::NotMeasured(reason.into()),
            None => outcome(&first, &second, &cells, &limits),
        };
        Ok(Self { first, second, cells, limits, outcome })
    }

    /// Returns how many flags and broken limits have this standing.
    pub fn count(&self, standing: FlagStanding) -> usize {
        self.standings().filter(|other| *other == standing).count()
    }

    /// Returns how many flags and broken limits are regressions.
    pub fn standing(&self) -> usize {
        self.standings().filter(|standing| standing.stands()).count()
    }

    fn standings(&self) -> impl Iterator<Item = FlagStanding> {
        let cells = self.cells.iter().map(|cell| cell.standing);
        cells.chain(self.limits.iter().map(|(_, standing)| *standing))
    }
}

/// Returns the names of the scenarios that a second run has to repeat, each once.
pub fn flagged(comparison: &Comparison) -> Vec<String> {
    let slower = comparison.rows.iter().filter(|row| row.is_flagged());
    let named = |name: &String| {
        slower.clone().any(|row| row.scenario == *name)
            || comparison.broken().any(|check| check.scenario == *name)
    };
    comparison.method.scenarios.iter().filter(|name| named(name)).cloned().collect()
}

/// Lets only those metrics decide that are flagged somewhere in `first`.
pub fn narrow(gate: &mut GateRules, first: &Comparison) {
    for (metric, rule) in &mut gate.rules {
        if rule.policy == MetricPolicy::Gate && !is_flagged(first, *metric) {
            rule.policy = MetricPolicy::Report;
        }
    }
}

fn is_flagged(first: &Comparison, metric: Metric) -> bool {
    let mut rows = first.rows.iter().filter(|row| row.metric == metric);
    rows.any(MetricResult::is_flagged)
}

/// The run, judged by the rules that a second machine is held to: it may have been run by others.
fn narrowed(run: &Run, first: &Comparison) -> Run {
    let mut run = run.clone();
    narrow(&mut run.gate, first);
    run
}

/// Why the second run does not confirm the first, if it does not: it belongs to another one, to another
/// change, or to the same machine. Records of old do not say, and are taken as they come.
fn mismatch(first: &Run, second: &Run) -> Option<String> {
    if second.confirms.as_ref().is_some_and(|confirmed| *confirmed != ConfirmedRun::of(first)) {
        return Some("the second machine confirms another run than this one".to_owned());
    }
    if second.confirms.is_some() && second.started < first.started {
        return Some("the second run began before the first".to_owned());
    }
    if first.machine_ids().any(|it| Some(it) == second.machine_id.as_deref()) {
        return Some("the second run was measured on the machine of the first".to_owned());
    }
    other_payload(first, second).map(|scenario| {
        format!("the second machine measured scenario {scenario} with another payload")
    })
}

/// The name of a scenario that is not the same work in both runs, if there is one.
fn other_payload(first: &Run, second: &Run) -> Option<String> {
    let differs = |other: &&ScenarioRun| {
        let mut same = first.scenarios.iter().filter(|scenario| scenario.name == other.name);
        same.any(|scenario| scenario.workload.payload != other.workload.payload)
    };
    second.scenarios.iter().find(differs).map(|scenario| scenario.name.clone())
}

/// `second` is judged with all evidence there is; `alone` is the same run without that of the first machine, where
/// the two differ.
fn cell(first: &MetricResult, second: &Comparison, alone: Option<&Comparison>) -> ConfirmationCell {
    let of =
        |comparison: &Comparison| comparison.rows.iter().find(|row| row.is_same(first)).cloned();
    let judged = of(second);
    let own = alone.map_or_else(|| judged.clone(), of);
    let standing = match &judged {
        Some(row) if row.verdict() == Some(Verdict::Regressed) && is_below_floor(own.as_ref()) => {
            FlagStanding::Unrefuted
        }
        Some(row) if row.verdict() == Some(Verdict::Regressed) => FlagStanding::Confirmed,
        // Suspected on one machine, and then on another one: that is two.
        Some(row) if row.suspicion == Some(Suspicion::OneMachine) => FlagStanding::Confirmed,
        Some(row) if row.judgement().is_some() && row.rule.policy == MetricPolicy::Gate => {
            FlagStanding::Unconfirmed
        }
        Some(_) | None => FlagStanding::Unrepeated,
    };
    ConfirmationCell { first: first.clone(), second: own, standing }
}

/// Whether the second machine by itself shows no change that would count.
fn is_below_floor(own: Option<&MetricResult>) -> bool {
    own.is_some_and(|row| {
        row.change().is_some_and(|change| change.estimate_ln <= row.rule.floor.ln())
    })
}

fn kept(broken: &LimitCheck, second: &Comparison) -> FlagStanding {
    let same = |check: &&LimitCheck| {
        check.scenario == broken.scenario
            && check.operation == broken.operation
            && check.limit.quantity == broken.limit.quantity
    };
    match second.limits.iter().find(same) {
        Some(check) if check.measured.is_none() => FlagStanding::Unrepeated,
        Some(check) if check.holds() => FlagStanding::Unconfirmed,
        Some(_) => FlagStanding::Confirmed,
        None => FlagStanding::Unrepeated,
    }
}

/// A flag that could not be repeated keeps the gate shut, whatever became of the others: the second
/// machine was needed and gave no answer.
fn outcome(
    first: &Comparison,
    second: &Comparison,
    cells: &[ConfirmationCell],
    limits: &[(LimitCheck, FlagStanding)],
) -> ComparisonOutcome {
    let flags = cells.len() + limits.len();
    if flags == 0 {
        return first.outcome.clone();
    }
    if let ComparisonOutcome::NotMeasured(reason) = &second.outcome {
        return ComparisonOutcome::NotMeasured(reason.clone().within("on the second machine"));
    }
    let standings = cells.iter().map(|cell| cell.standing);
    let standings: Vec<_> = standings.chain(limits.iter().map(|(_, it)| *it)).collect();
    if standings.iter().any(|standing| standing.stands()) {
        ComparisonOutcome::Regressed
    } else if standings.contains(&FlagStanding::Unrepeated) {
        let reason = "a flag of the first machine was not measured again on the second";
        ComparisonOutcome::NotMeasured(reason.into())
    } else {
        // Slower on one machine and not on another is not shown to be equal either.
        ComparisonOutcome::Inconclusive
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stopping::{Continuation, EarlyStopping, StopReason, StoppingRule};
    use record::evidence::EvidenceState;
    use record::fixtures::{LEVEL, SampleLaunch, evidence_state, limits, paired};
    use record::{EarlyEnd, Side};

    const SLOW: SampleLaunch = SampleLaunch { latency_us: 2_200, cpu_us: 600, ..LEVEL };

    fn confirmation(second: &Run) -> Confirmation {
        Confirmation::of(&paired(14, LEVEL, SLOW), second).unwrap()
    }

    fn standings(confirmation: &Confirmation) -> Vec<FlagStanding> {
        confirmation.cells.iter().map(|cell| cell.standing).collect()
    }

    #[test]
    fn what_is_slower_on_both_machines_is_a_regression() {
        let both = confirmation(&paired(14, LEVEL, SLOW));
        assert!(standings(&both).iter().all(|it| *it == FlagStanding::Confirmed), "{both:?}");
        assert_eq!(both.outcome, ComparisonOutcome::Regressed);
        assert_eq!(flagged(&both.first), ["smoke"]);
    }

    /// A run of the attempt after `first`, on another machine.
    fn next_attempt(first: &Run, launch_pairs: usize, head: SampleLaunch) -> Run {
        let mut second = paired(launch_pairs, LEVEL, head);
        second.machine_id = Some("machine-2".to_owned());
        second.confirms = Some(ConfirmedRun::of(first));
        let state = first.evidence.clone().unwrap();
        let earlier = vec![attempts::attempt(first).unwrap().unwrap()];
        second.evidence = Some(EvidenceState { number: 2, earlier, ..state });
        second
    }

    fn first_attempt() -> Run {
        let state = evidence_state();
        let machine_id = Some("machine-1".to_owned());
        Run { machine_id, evidence: Some(state), ..paired(14, LEVEL, SLOW) }
    }

    #[test]
    fn a_second_machine_adds_its_evidence_to_that_of_the_first() {
        let first = first_attempt();
        let again = Confirmation::of(&first, &next_attempt(&first, 3, SLOW)).unwrap();
        assert!(standings(&again).iter().all(|it| *it == FlagStanding::Confirmed), "{again:?}");
        let attempts = again.second.attempts.unwrap();
        assert_eq!((attempts.number, attempts.launch_pairs, attempts.machines), (2, 17, 2));
        assert_eq!(attempts.strongest.map(|it| it.verdict), Some(Verdict::Regressed));
        // Three launch pairs do not refute what fourteen show, and fifty do.
        let few = Confirmation::of(&first, &next_attempt(&first, 3, LEVEL)).unwrap();
        assert_eq!(few.outcome, ComparisonOutcome::Regressed);
        // Which is no confirmation, and what the second machine has by itself is shown.
        assert!(standings(&few).iter().all(|it| *it == FlagStanding::Unrefuted), "{few:?}");
        assert_eq!(few.standing(), few.cells.len());
        let own = few.cells.iter().filter_map(|cell| cell.second.as_ref()?.change());
        let own: Vec<f64> = own.map(|change| change.estimate_ln).collect();
        assert!(own.len() == few.cells.len() && own.iter().all(|ln| ln.abs() < 0.01), "{own:?}");
        let many = Confirmation::of(&first, &next_attempt(&first, 50, LEVEL)).unwrap();
        assert_eq!(many.outcome, ComparisonOutcome::Inconclusive);
    }

    #[test]
    fn a_second_machine_goes_on_where_only_the_first_one_is_red() {
        let first = first_attempt();
        let rule = StoppingRule { early: EarlyStopping::Decided };
        let next = |head| {
            let mut second = next_attempt(&first, 20, head);
            second.gate.rules.get_mut(&Metric::Latency).unwrap().tolerance.0 = 1e-9;
            let comparison = Comparison::of(&second).unwrap();
            assert!(comparison.count(Verdict::Regressed) > 0, "{comparison:?}");
            rule.next(&second, &comparison)
        };
        assert_eq!(next(LEVEL), Continuation::Continue);
        assert_eq!(next(SLOW), Continuation::Stop(StopReason::Regressed));
    }

    #[test]
    fn a_second_run_belongs_to_one_first_run_and_another_machine() {
        let first = first_attempt();
        let second = next_attempt(&first, 14, SLOW);
        let refused = |first: &Run, second: &Run| {
            let outcome = Confirmation::of(first, second).unwrap().outcome;
            assert!(matches!(outcome, ComparisonOutcome::NotMeasured(_)), "{outcome:?}");
        };
        refused(&Run { seed: 8, ..first.clone() }, &second);
        refused(&first, &Run { machine_id: first.machine_id.clone(), ..second.clone() });
        let before = "2026-11-23T09:59:59Z".to_owned();
        refused(&first, &Run { started: before, ..second });
    }

    #[test]
    fn what_is_slower_on_one_machine_only_is_not() {
        let one = confirmation(&paired(14, LEVEL, LEVEL));
        assert!(standings(&one).iter().all(|it| *it == FlagStanding::Unconfirmed), "{one:?}");
        assert_eq!(one.outcome, ComparisonOutcome::Inconclusive);
        assert_eq!(one.count(FlagStanding::Unconfirmed), one.cells.len());
    }

    #[test]
    fn only_what_was_flagged_decides_again() {
        let only_cpu = SampleLaunch { cpu_us: 600, ..LEVEL };
        let first = paired(14, LEVEL, only_cpu);
        let other = SampleLaunch { latency_us: 2_200, ..LEVEL };
        let confirmation = Confirmation::of(&first, &paired(14, LEVEL, other)).unwrap();
        let decided: Vec<_> =
            confirmation.second.rows.iter().filter(|row| row.verdict().is_some()).collect();
        assert!(decided.iter().all(|row| row.metric == Metric::Cpu), "{decided:?}");
        assert_eq!(confirmation.outcome, ComparisonOutcome::Inconclusive);
    }

    #[test]
    fn what_an_interrupted_second_machine_had_shown_already_stands() {
        let mut second = paired(14, LEVEL, SLOW);
        second.ended = Some(EarlyEnd::Interrupted);
        assert_eq!(confirmation(&second).outcome, ComparisonOutcome::Regressed);
    }

    #[test]
    fn a_flag_that_was_not_repeated_is_not_forgotten() {
        let check = |change: fn(&mut Run), expected: &str| {
            let mut second = paired(14, LEVEL, SLOW);
            change(&mut second);
            let ComparisonOutcome::NotMeasured(reason) = confirmation(&second).outcome else {
                panic!("measured")
            };
            assert!(reason.summary.contains(expected), "{reason}");
        };
        check(|run| run.scenarios.clear(), "nothing was measured");
        let interrupted = |run: &mut Run| {
            *run = paired(2, LEVEL, SLOW);
            run.ended = Some(EarlyEnd::Interrupted);
        };
        check(interrupted, "interrupted");
        check(|run| run.scenarios[0].name = "other".to_owned(), "not measured again");
        check(
            |run| run.scenarios[0].workload.payload = "0000".to_owned(),
            "smoke with another payload",
        );
        let failed = |run: &mut Run| {
            let reason = "connection refused".into();
            run.ended = Some(EarlyEnd::Failed { side: Side::Head, scenario: None, reason });
        };
        check(failed, "connection refused");
    }

    #[test]
    fn a_limit_that_breaks_on_both_machines_is_broken() {
        let promising = |limit: &str| {
            let mut run = paired(14, LEVEL, LEVEL);
            run.scenarios[0].limits = limits(&[("errors", "0 %"), ("throughput", limit)]);
            run
        };
        let first = promising(">= 9000000 pairs/s");
        let twice = Confirmation::of(&first, &first).unwrap();
        assert_eq!(twice.outcome, ComparisonOutcome::Regressed);
        let once = Confirmation::of(&first, &promising(">= 1 pairs/s")).unwrap();
        assert_eq!(once.outcome, ComparisonOutcome::Inconclusive);
    }
}
