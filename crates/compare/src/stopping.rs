//! When measuring ends.
//!
//! The evidence is valid whenever a comparison stops, so this rule is free to save time: it is applied
//! after every launch pair, and nothing else ends the measuring but a failure and the user.

use std::time::Duration;

use record::metric::Metric;
use record::metric::gate::{MetricPolicy, MetricRule};
use record::{LaunchResult, LaunchResults, Run, ScenarioRun};
use stats::evidence;
use units::exact;

use crate::Comparison;
use crate::decision::{LAUNCH_PAIRS_MAX, Verdict};
use crate::rows::OPERATION_METRICS;

/// What ends a comparison before its last launch pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EarlyStopping {
    /// That every metric that decides is decided.
    Decided,
    /// That, or the first regression.
    FirstRegression,
}

/// When a comparison ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoppingRule {
    /// What ends it early.
    pub early: EarlyStopping,
}

/// Whether there is another launch pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Continuation {
    /// There is.
    Continue,
    /// There is none; why.
    Stop(StopReason),
}

/// Why a comparison ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// Every metric that decides is decided.
    Decided,
    /// A metric regressed, and the first one is enough, or the others have had their share.
    Regressed,
    /// Another launch pair would overrun the budget, hard or soft.
    Budget,
    /// There are as many launch pairs as may be.
    LaunchPairs,
}

impl StoppingRule {
    /// Returns whether a run goes on, given what it says so far.
    pub fn next(&self, run: &Run, comparison: &Comparison) -> Continuation {
        let is_red = comparison.count(Verdict::Regressed) > 0;
        let is_enough = || match self.early {
            EarlyStopping::FirstRegression => true,
            EarlyStopping::Decided => has_had_its_share(run) && is_red_alone(run),
        };
        if comparison.is_decided() {
            Continuation::Stop(StopReason::Decided)
        } else if is_red && is_enough() {
            Continuation::Stop(StopReason::Regressed)
        } else if launches(run) >= run.launches_planned {
            Continuation::Stop(StopReason::LaunchPairs)
        } else if launches(run) >= launch_pairs_max(run) {
            Continuation::Stop(StopReason::Budget)
        } else {
            Continuation::Continue
        }
    }
}

/// Returns the numbers of the scenarios that later launch pairs do without: the last ones, if everything that decides
/// about them is *unchanged*. In a launch one scenario is driven after the other, so what is still driven has had
/// before it what it always had. The first one is driven until the end, and each has as many launch pairs as a
/// regression takes, on which its limits rest.
pub fn settled(run: &Run, comparison: &Comparison) -> Vec<usize> {
    let needed = launch_pairs_needed(run);
    let is_settled = |scenario: &ScenarioRun| {
        scenario.is_settled
            || scenario.launches() >= needed && comparison.is_unchanged(&scenario.name)
    };
    let later = run.scenarios.iter().enumerate().skip(1).rev();
    later.take_while(|(_, scenario)| is_settled(scenario)).map(|(number, _)| number).collect()
}

/// Returns how long a launch pair of some of the scenarios takes, by what of the load so far was theirs; none without
/// load.
pub fn launch_pair(run: &Run, has: impl Fn(&ScenarioRun) -> bool) -> Option<Duration> {
    launch_pair_ns(run, has).and_then(|ns| units::whole(ns.round())).map(Duration::from_nanos)
}

fn launch_pair_ns(run: &Run, has: impl Fn(&ScenarioRun) -> bool) -> Option<f64> {
    let load_ns = |scenario: &ScenarioRun| -> u64 {
        let sides = match &scenario.trials {
            LaunchResults::Paired(pairs) => {
                pairs.iter().flat_map(|pair| [&pair.base, &pair.head]).collect()
            }
            LaunchResults::Single(launches) => launches.iter().collect::<Vec<_>>(),
        };
        units::total(sides.into_iter().map(|launch| launch.wall_ns))
    };
    let of_launch = |it: &ScenarioRun| exact(load_ns(it)) / it.launches().max(1) as f64;
    let load_so_far = exact(units::total(run.scenarios.iter().map(load_ns)));
    let of_pair: f64 = run.scenarios.iter().filter(|it| has(it)).map(of_launch).sum();
    let launching_ns = exact(run.wall_ns.saturating_sub(run.counting_ns));
    (load_so_far > 0.0).then(|| launching_ns * of_pair / load_so_far)
}

/// Whether nothing but the default's soft budget, or the wish to settle every metric of another machine's, asks for
/// more launch pairs than those with which every metric could have been called regressed. No further one changes
/// what a comparison that is red by itself ends with.
fn has_had_its_share(run: &Run) -> bool {
    (run.soft_budget_ns.is_some() || run.confirms.is_some())
        && launches(run) >= launch_pairs_needed(run)
}

/// Whether a red run is red without the attempts before it, which it is there to refute otherwise.
fn is_red_alone(run: &Run) -> bool {
    if run.evidence.as_ref().is_none_or(|state| state.earlier.is_empty()) {
        return true;
    }
    let alone = Run { evidence: None, ..run.clone() };
    Comparison::of(&alone).is_ok_and(|alone| alone.count(Verdict::Regressed) > 0)
}

/// Returns the most launch pairs that a run comes to: as many as were requested, or fit into its budget at
/// the pace so far, and at least one. A soft budget leaves those that a verdict needs.
pub fn launch_pairs_max(run: &Run) -> usize {
    let done = launches(run);
    let most = run.launches_planned.clamp(1, LAUNCH_PAIRS_MAX).max(done);
    if done == 0 {
        return most;
    }
    let within = |budget_ns| launch_pairs_until(run, done, budget_ns);
    let hard = run.budget_ns.map(within);
    let soft = run.soft_budget_ns.map(|budget_ns| within(budget_ns).max(launch_pairs_needed(run)));
    [hard, soft].into_iter().flatten().fold(most, usize::min)
}

/// Returns how many launch pairs there will be when a budget is used up, at the pace so far.
fn launch_pairs_until(run: &Run, done: usize, budget_ns: u64) -> usize {
    let left_ns = exact(budget_ns.saturating_sub(run.wall_ns));
    let pair_ns = launch_pair_ns(run, |scenario| !scenario.is_settled).unwrap_or(0.0);
    done.saturating_add(whole(left_ns / pair_ns.max(1.0)))
}

/// Returns the fewest launch pairs with which every metric that may decide can be called regressed: as many as
/// the evidence takes, and those so far that say nothing about an operation.
fn launch_pairs_needed(run: &Run) -> usize {
    let decides = |metric: Metric, rule: Option<MetricRule>| {
        !metric.is_of_calls() && rule.is_some_and(|it| it.policy == MetricPolicy::Gate)
    };
    let deciding = Metric::ALL.into_iter().filter(|it| decides(*it, Some(run.gate.rule(*it))));
    let scenarios = run.scenarios.len() + run.scenarios_elsewhere().count();
    let mut family = deciding.count() * scenarios;
    let mut silent = 0;
    for scenario in &run.scenarios {
        for (number, operation) in scenario.operations_sent() {
            let rule = |metric| run.gate.rule_of_operation(&scenario.name, &operation.name, metric);
            let of_operation = OPERATION_METRICS.into_iter().filter(|it| decides(*it, rule(*it)));
            let of_operation = of_operation.count();
            family += of_operation;
            if of_operation > 0 {
                silent = silent.max(launch_pairs_without(scenario, number));
            }
        }
    }
    let needed = evidence::values_needed(run.gate.alpha, family);
    // An operation that hardly ever comes must not keep a comparison for long.
    needed + silent.min(needed)
}

/// Returns in how many launch pairs a side sent no request of an operation; none if that was so in all of them,
/// as there will be no evidence about it.
fn launch_pairs_without(scenario: &ScenarioRun, operation: usize) -> usize {
    let LaunchResults::Paired(pairs) = &scenario.trials else { return 0 };
    let is_sent =
        |launch: &LaunchResult| launch.operations.get(operation).is_some_and(|it| it.requests > 0);
    let sent = pairs.iter().filter(|pair| is_sent(&pair.base) && is_sent(&pair.head)).count();
    if sent == 0 { 0 } else { pairs.len() - sent }
}

/// Returns the most launch pairs that fit into a budget, at so much time each and after so much counting.
pub fn launch_pairs_within(budget: Duration, launch_pair: Duration, counting: Duration) -> usize {
    let left = budget.saturating_sub(counting).as_secs_f64();
    whole(left / launch_pair.as_secs_f64().max(1e-3)).clamp(1, LAUNCH_PAIRS_MAX)
}

/// How many whole launch pairs a number of them is, however large.
fn whole(launch_pairs: f64) -> usize {
    let whole = units::whole(launch_pairs.floor());
    whole.and_then(|whole| usize::try_from(whole).ok()).unwrap_or(usize::MAX)
}

/// The launches, or launch pairs, that every scenario has had that was not settled before.
pub(super) fn launches(run: &Run) -> usize {
    record::whole_launches(&run.scenarios)
}

/// The launches, or launch pairs, of the scenario that was settled after the fewest.
pub(super) fn launches_least(run: &Run) -> usize {
    let settled = run.scenarios.iter().filter(|it| it.is_settled).map(ScenarioRun::launches);
    settled.fold(launches(run), usize::min)
}

#[cfg(test)]
mod tests {
    use record::ConfirmedRun;
    use record::evidence::EvidenceState;
    use record::fixtures::{LEVEL, SampleLaunch, evidence_state, paired};
    use record::metric::Metric;
    use serde_json::json;

    use super::*;
    use crate::attempts;

    const SLOWER: SampleLaunch = SampleLaunch { cpu_us: 572, ..LEVEL };

    fn next(early: EarlyStopping, run: &Run) -> Continuation {
        StoppingRule { early }.next(run, &Comparison::of(run).unwrap())
    }

    #[test]
    fn a_comparison_ends_as_soon_as_all_is_decided() {
        let first = (1..40).find(|n| {
            next(EarlyStopping::Decided, &paired(*n, LEVEL, LEVEL)) != Continuation::Continue
        });
        assert_eq!(first, Some(8));
        let ended = next(EarlyStopping::Decided, &paired(8, LEVEL, LEVEL));
        assert_eq!(ended, Continuation::Stop(StopReason::Decided));
    }

    /// `slower`; `short`, which is not driven in the last launch pair; and `level`, in which nothing changed, without the
    /// launch pairs after the sixteenth.
    fn three(launch_pairs: usize) -> Run {
        let mut run = paired(launch_pairs, LEVEL, SLOWER);
        let named =
            |name: &str, it: &ScenarioRun| ScenarioRun { name: name.to_owned(), ..it.clone() };
        let [slower, mut short] = ["slower", "short"].map(|name| named(name, &run.scenarios[0]));
        let LaunchResults::Paired(pairs) = &mut short.trials else { panic!("paired") };
        pairs.pop();
        let mut level = named("level", &paired(launch_pairs.min(16), LEVEL, LEVEL).scenarios[0]);
        level.is_settled = launch_pairs > 16;
        run.scenarios = vec![slower, short, level];
        run
    }

    #[test]
    fn the_last_scenarios_are_settled_where_all_that_decides_is_unchanged() {
        let numbers = |run: &Run| settled(run, &Comparison::of(run).unwrap());
        assert_eq!(numbers(&three(16)), [2]);
        assert_eq!(numbers(&three(18)), [2], "and stay so");
        assert_eq!(numbers(&three(8)), [0; 0], "a regression takes more launch pairs");
        let mut first = three(16);
        first.scenarios.rotate_right(1);
        assert_eq!(numbers(&first), [0; 0], "others are driven after it");
        let mut all = three(16);
        let level = all.scenarios[2].clone();
        all.scenarios =
            ["a", "b", "c"].map(|it| ScenarioRun { name: it.to_owned(), ..level.clone() }).to_vec();
        assert_eq!(numbers(&all), [2, 1], "the first one is driven until the end");
    }

    #[test]
    fn a_scenario_of_which_a_deciding_metric_is_missing_is_not_settled() {
        let mut run = three(16);
        let LaunchResults::Paired(pairs) = &mut run.scenarios[2].trials else { panic!("paired") };
        pairs[3].head.cpu_ns = None;
        assert!(!Comparison::of(&run).unwrap().is_unchanged("level"));
    }

    #[test]
    fn what_is_settled_keeps_its_verdicts_and_cuts_nothing() {
        let judged = Comparison::of(&three(21)).unwrap();
        assert_eq!((judged.method.launches, judged.method.launches_least), (20, 16));
        let cpu = |scenario: &str| {
            let mut rows = judged.rows.iter().filter(|it| it.scenario == scenario);
            let judgement = rows.find(|it| it.metric == Metric::Cpu)?.judgement()?;
            Some((judgement.verdict, judgement.sample))
        };
        assert_eq!(cpu("level"), Some((Verdict::Unchanged, 16)));
        // Without the launch pair that some have had and others have not.
        assert_eq!(cpu("slower"), Some((Verdict::Regressed, 20)));
        assert_eq!(cpu("short"), Some((Verdict::Regressed, 20)));
        let coins = judged.evidence.coins();
        assert_eq!(coins.base + coins.head, 20);
    }

    #[test]
    fn later_attempts_build_on_what_was_settled() {
        let state = evidence_state();
        let first = Run { evidence: Some(state.clone()), ..three(21) };
        let attempt = attempts::attempt(&first).unwrap().unwrap();
        assert_eq!(attempt.launch_pairs.len(), 20);
        assert_eq!(attempts::last_pair(&first).unwrap().as_ref(), attempt.launch_pairs.last());
        let earlier = vec![attempt];
        let second = EvidenceState { number: 2, earlier, ..state };
        let judged = Comparison::of(&Run { evidence: Some(second), ..three(3) }).unwrap();
        let cpu = judged.rows.iter().filter(|it| it.metric == Metric::Cpu);
        let samples: Vec<_> = cpu.map(|it| it.judgement().unwrap().sample).collect();
        assert_eq!(samples, [20 + 2, 20 + 2, 16 + 2]);
    }

    #[test]
    fn a_launch_pair_takes_as_long_as_the_scenarios_that_are_in_it() {
        let mut run = three(16);
        let whole = launch_pair_ns(&run, |_| true).unwrap();
        // As much load in each, of which one has had 15 launch pairs and the others 16.
        let expected = exact(run.wall_ns) * 3.0 / 47.0;
        assert!((whole / expected - 1.0).abs() < 1e-4, "{whole} {expected}");
        let of_level = launch_pair_ns(&run, |it| it.name == "level").unwrap();
        assert!((3.0 * of_level / whole - 1.0).abs() < 1e-4, "{of_level}");
        run.scenarios.clear();
        assert_eq!(launch_pair_ns(&run, |_| true), None);
    }

    #[test]
    fn the_first_regression_may_be_enough() {
        let noisy = |n| {
            let mut run = paired(n, LEVEL, SLOWER);
            run.gate.rules.get_mut(&Metric::Latency).unwrap().tolerance.0 = 1e-9;
            run
        };
        assert_eq!(next(EarlyStopping::Decided, &noisy(12)), Continuation::Continue);
        let failed = next(EarlyStopping::FirstRegression, &noisy(12));
        assert_eq!(failed, Continuation::Stop(StopReason::Regressed));
    }

    #[test]
    fn a_red_comparison_leaves_its_soft_budget_once_every_metric_could_be_red() {
        let noisy = |n, soft_budget_ns| {
            let mut run = paired(n, LEVEL, SLOWER);
            run.gate.rules.get_mut(&Metric::Latency).unwrap().tolerance.0 = 1e-9;
            Run { soft_budget_ns, ..run }
        };
        let soft = Some(1_000_000_000_000);
        let ended = Continuation::Stop(StopReason::Regressed);
        let needed = launch_pairs_needed(&noisy(1, soft));
        assert_eq!(next(EarlyStopping::Decided, &noisy(needed, soft)), ended);
        assert_eq!(next(EarlyStopping::Decided, &noisy(needed - 1, soft)), Continuation::Continue);
        assert_eq!(next(EarlyStopping::Decided, &noisy(needed, None)), Continuation::Continue);
    }

    #[test]
    fn what_another_machine_flagged_is_confirmed_once_it_is_red_here() {
        let flagged = paired(14, LEVEL, SLOWER);
        let noisy = |n| {
            let mut run = paired(n, LEVEL, SLOWER);
            run.gate.rules.get_mut(&Metric::Latency).unwrap().tolerance.0 = 1e-9;
            Run { confirms: Some(ConfirmedRun::of(&flagged)), ..run }
        };
        let needed = launch_pairs_needed(&noisy(1));
        let ended = Continuation::Stop(StopReason::Regressed);
        assert_eq!(next(EarlyStopping::Decided, &noisy(needed)), ended);
        assert_eq!(next(EarlyStopping::Decided, &noisy(needed - 1)), Continuation::Continue);
    }

    #[test]
    fn a_budget_ends_it_before_the_launch_pair_that_would_overrun_it() {
        let mut run = paired(5, LEVEL, LEVEL);
        run.wall_ns = 5 * 3_000_000_000;
        let mut after = |budget_s: u64| {
            run.budget_ns = Some(budget_s * 1_000_000_000);
            (launch_pairs_max(&run), next(EarlyStopping::Decided, &run))
        };
        assert_eq!(after(60), (20, Continuation::Continue));
        assert_eq!(after(18), (6, Continuation::Continue));
        assert_eq!(after(17), (5, Continuation::Stop(StopReason::Budget)));
        assert_eq!(after(1_000_000), (40, Continuation::Continue), "never more than requested");
        let within = |budget_s| {
            let counting = Duration::from_secs(9);
            launch_pairs_within(Duration::from_secs(budget_s), Duration::from_secs(3), counting)
        };
        assert_eq!((within(60), within(10), within(1 << 40)), (17, 1, LAUNCH_PAIRS_MAX));
    }

    #[test]
    fn a_soft_budget_ends_it_once_a_verdict_can_be_had() {
        let after = |launch_pairs: usize, soft_s: u64| {
            let mut run = paired(launch_pairs, LEVEL, LEVEL);
            run.wall_ns = launch_pairs as u64 * 3_000_000_000;
            run.soft_budget_ns = Some(soft_s * 1_000_000_000);
            launch_pairs_max(&run)
        };
        let needed = after(5, 1);
        assert!((9..14).contains(&needed), "{needed}");
        assert_eq!(after(5, 60), 20);
        assert_eq!(after(20, 60), 20);
        assert_eq!(after(5, 1_000_000), 40, "never more than requested");
    }

    #[test]
    fn the_latency_of_each_operation_is_one_more_that_may_be_red() {
        let needed = |operations: usize| {
            let mut run = paired(1, LEVEL, LEVEL);
            let all = (0..operations).map(|number| {
                json!({ "name": format!("o{number}"), "method": "GET", "path": "/", "kind": "raw-xml", "payload": "" })
            });
            let plan = json!({
                "operations": all.collect::<Vec<_>>(),
                "order": { "flow": (0..operations).collect::<Vec<_>>() },
            });
            run.scenarios[0].workload.operations = serde_json::from_value(plan).unwrap();
            launch_pairs_needed(&run)
        };
        let (alone, many) = (needed(0), needed(40));
        assert!(evidence::values_needed(0.01, 40) <= many && alone < many, "{alone}, {many}");
    }

    #[test]
    fn the_last_launch_pair_is_the_last() {
        let run = Run { launches_planned: 5, ..paired(5, LEVEL, LEVEL) };
        let ended = next(EarlyStopping::Decided, &run);
        assert_eq!(ended, Continuation::Stop(StopReason::LaunchPairs));
    }
}
