//! Sets what was counted in one run against what was counted in another.
//!
//! A count is of a program, not of a machine, so two runs of different days and machines stand side
//! by side like base and head, as long as the same was counted: the same requests, on one kind of
//! processor, of programs that one toolchain compiled, by the same counter. Where that is not so, the
//! scenario has no count, and the reason instead.

use std::fmt::Display;

use thiserror::Error;

use crate::choice::StoredRun;
use record::history::HistoryNote;
use record::instruction_counts::{BuildCounts, CountOutcome, InstructionCounts};
use record::{FailureReport, LaunchResults, Revision, Run, ScenarioRun};

/// Why a count has none to stand beside.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
enum CountMismatch {
    #[error("the baseline does not have the scenario")]
    NoScenario,
    #[error("{whose} has no count: {}", reason.summary)]
    Unavailable { whose: &'static str, reason: FailureReport },
    #[error("{whose} has no count: no work lane was run")]
    NoLane { whose: &'static str },
    #[error("{what} of the baseline is `{base}`, of this run `{head}`")]
    Differs { what: &'static str, base: String, head: String },
}

/// Returns a run with base and head as if they had been counted side by side: base is the judged
/// build of `baseline`, head that of `run`, under the rules of `run`. Nothing in it is timed.
pub fn against(baseline: &Run, run: &Run) -> Run {
    let mut joined = run.clone();
    joined.base = Some(Revision { label: "baseline".to_owned(), ..baseline.head.clone() });
    joined.launches_planned = 0;
    for scenario in &mut joined.scenarios {
        scenario.trials = LaunchResults::Paired(Vec::new());
        scenario.is_settled = false;
        scenario.limits.clear();
        if is_counted_elsewhere(baseline, scenario) && run.is_counted_elsewhere(scenario) {
            continue;
        }
        scenario.work = Some(match counted(baseline, run, scenario) {
            Ok(counted) => CountOutcome::Counted(Box::new(counted)),
            Err(mismatch) => {
                CountOutcome::Unavailable { reason: mismatch.to_string().into(), required: true }
            }
        });
    }
    joined
}

/// Gives every scenario of `run` whose work was counted the count of the newest of `kept`, oldest first,
/// that was counted alike. Returns what stands without one, and why.
pub fn remember(run: &mut Run, kept: &[StoredRun]) -> Vec<HistoryNote> {
    let mut notes = Vec::new();
    let joined: Vec<_> =
        run.scenarios.iter().map(|scenario| newest_alike(kept, run, scenario)).collect();
    for (scenario, joined) in run.scenarios.iter_mut().zip(joined) {
        match (&mut scenario.work, joined) {
            (Some(CountOutcome::Counted(work)), Some(Ok(counted))) => **work = counted,
            (Some(CountOutcome::Counted(_)), Some(Err(reason))) => {
                notes.push(HistoryNote::WorkNotCompared {
                    scenario: scenario.name.clone(),
                    reason: reason.to_string().into(),
                });
            }
            (Some(CountOutcome::Counted(_)), None)
            | (Some(CountOutcome::Unavailable { .. }) | None, _) => {}
        }
    }
    notes
}

/// The counts beside those of the newest run that was counted alike, or why the newest of all was not;
/// nothing without any runs.
fn newest_alike(
    kept: &[StoredRun],
    run: &Run,
    scenario: &ScenarioRun,
) -> Option<Result<InstructionCounts, CountMismatch>> {
    let mut joined = kept.iter().rev().map(|kept| counted(&kept.run, run, scenario));
    match joined.next()? {
        Ok(newest) => Some(Ok(newest)),
        Err(reason) => Some(joined.find_map(Result::ok).ok_or(reason)),
    }
}

/// Whether a kept run counted a scenario's work with that of another one.
fn is_counted_elsewhere(kept: &Run, scenario: &ScenarioRun) -> bool {
    let kept_scenario = kept.scenarios.iter().find(|other| other.name == scenario.name);
    kept_scenario.is_some_and(|other| kept.is_counted_elsewhere(other))
}

fn counted(
    baseline: &Run,
    run: &Run,
    scenario: &ScenarioRun,
) -> Result<InstructionCounts, CountMismatch> {
    let kept = baseline.scenarios.iter().find(|kept| kept.name == scenario.name);
    let kept = kept.ok_or(CountMismatch::NoScenario)?;
    let (base, head) = (count(kept, "the baseline")?, count(scenario, "this run")?);
    same("architecture", &baseline.machine.arch, &run.machine.arch)?;
    same("counter", &base.0.counter, &head.0.counter)?;
    same("payload", &kept.workload.payload, &scenario.workload.payload)?;
    same("payload generator", &baseline.generator, &run.generator)?;
    same("requests", &shape(base.0), &shape(head.0))?;
    same("toolchain", &base.1.toolchain, &head.1.toolchain)?;
    Ok(InstructionCounts { base: Some(base.1.clone()), ..head.0.clone() })
}

fn count<'a>(
    scenario: &'a ScenarioRun,
    whose: &'static str,
) -> Result<(&'a InstructionCounts, &'a BuildCounts), CountMismatch> {
    match &scenario.work {
        Some(CountOutcome::Counted(counted)) => Ok((counted, &counted.head)),
        Some(CountOutcome::Unavailable { reason, .. }) => {
            Err(CountMismatch::Unavailable { whose, reason: reason.clone() })
        }
        None => Err(CountMismatch::NoLane { whose }),
    }
}

fn shape(counted: &InstructionCounts) -> String {
    format!("{} requests of {} XML pairs", counted.requests, counted.pairs_per_request)
}

fn same<T: PartialEq + Display>(
    what: &'static str,
    base: &T,
    head: &T,
) -> Result<(), CountMismatch> {
    if base == head {
        return Ok(());
    }
    Err(CountMismatch::Differs { what, base: base.to_string(), head: head.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::fixtures::{LEVEL, counted as sample, paired};

    fn run(base: f64, head: f64) -> Run {
        let mut run = paired(2, LEVEL, LEVEL);
        run.scenarios[0].work = Some(sample(base, head));
        run
    }

    #[test]
    fn the_judged_builds_of_both_runs_stand_side_by_side() {
        let joined = against(&run(1e5, 64_800.0), &run(1e5, 65_800.0));
        let Some(CountOutcome::Counted(counted)) = &joined.scenarios[0].work else {
            panic!("counted")
        };
        let first = |count: &BuildCounts| count.instructions[0];
        assert_eq!(counted.base.as_ref().map(first), Some(64_800.0));
        assert_eq!(Some(first(&counted.head)), Some(65_800.0));
        assert_eq!((joined.launches_planned, joined.base.unwrap().label.as_str()), (0, "baseline"));
    }

    #[track_caller]
    fn check(change: impl Fn(&mut Run), expected: &str) {
        let mut other = run(1e5, 64_800.0);
        change(&mut other);
        let joined = against(&run(1e5, 64_800.0), &other);
        let Some(CountOutcome::Unavailable { reason, required }) = &joined.scenarios[0].work else {
            panic!("{joined:?}")
        };
        assert!(*required);
        assert_eq!(reason.summary, expected);
    }

    fn head(run: &mut Run) -> &mut InstructionCounts {
        match &mut run.scenarios[0].work {
            Some(CountOutcome::Counted(counted)) => counted,
            Some(CountOutcome::Unavailable { .. }) | None => unreachable!("the sample is counted"),
        }
    }

    #[test]
    fn what_was_not_counted_alike_is_not_compared() {
        check(
            |run| run.machine.arch = "aarch64".to_owned(),
            "architecture of the baseline is `x86_64`, of this run `aarch64`",
        );
        check(
            |run| head(run).head.toolchain = "rustc version 1.96.0, glibc 2.36".to_owned(),
            "toolchain of the baseline is `rustc version 1.95.0, glibc 2.36`, of this run `rustc \
             version 1.96.0, glibc 2.36`",
        );
        check(
            |run| head(run).requests = 10,
            "requests of the baseline is `20 requests of 100 XML pairs`, of this run `10 requests \
             of 100 XML pairs`",
        );
        check(|run| run.scenarios[0].work = None, "this run has no count: no work lane was run");
    }

    #[test]
    fn what_was_counted_with_another_scenario_is_compared_there() {
        let with_twin = || {
            let mut run = run(1e5, 64_800.0);
            let mut twin = run.scenarios[0].clone();
            (twin.name, twin.work) = ("twin".to_owned(), None);
            run.scenarios.push(twin);
            run
        };
        let joined = against(&with_twin(), &with_twin());
        assert!(matches!(joined.scenarios[0].work, Some(CountOutcome::Counted(_))));
        assert!(joined.scenarios[1].work.is_none(), "{:?}", joined.scenarios[1].work);

        let mut apart = with_twin();
        apart.scenarios[1].workload.payload = "other".to_owned();
        let joined = against(&with_twin(), &apart);
        let work = &joined.scenarios[1].work;
        assert!(matches!(work, Some(CountOutcome::Unavailable { required: true, .. })), "{work:?}");
    }
}
