//! Counts the instructions of every scenario before anything is timed.
//!
//! Where a scenario's requests are large, the ones that are counted hold fewer XML pairs: a program
//! runs fifty times slower under callgrind, and an instruction per pair is what it is after some
//! thousand of them.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::launch_failure;
use crate::{BuildSource, RequestSender, RunObserver, RunPlan, RunProgress, RunnerError, SutBuild};
use profile::{CallGraph, CallgrindCounts, ProfileError, ProfilePlan, ProfileSession};
use record::FailureReport;
use record::instruction_counts::{CountOutcome, CountedMetric, InstructionCounts};
use record::metric::Metric;
use suite::{
    CountSettings, LaneMode, LoadAmount, LoadSettings, Operation, Scenario, Suite, UrlScheme,
};
use sut::{SharedServices, TargetCommand};
use units::cancel::Cancel;

/// XML pairs in a counted request, at most.
const PAIRS_PER_REQUEST_MAX: u64 = 1_000;

/// Bytes of the requests that are counted in a launch, at most.
const BYTES_MAX: u64 = 1 << 20;

/// Counts every scenario, in order; nothing for each if the lane is off. `programs` are what serves head.
pub(super) fn count(
    plan: &RunPlan<'_>,
    programs: &[PathBuf],
    watcher: &mut dyn RunObserver,
    cancel: &Cancel,
) -> Result<Vec<Option<CountOutcome>>, RunnerError> {
    let required = match plan.suite.lanes.work {
        LaneMode::Off => return Ok(vec![None; plan.suite.scenarios.len()]),
        LaneMode::IfPossible => false,
        LaneMode::On => true,
    };
    let mut works = Vec::new();
    let mut obstacle = None;
    for (index, scenario) in plan.suite.scenarios.iter().enumerate() {
        // The same requests over other connections are the same instructions.
        if plan.suite.scenarios[..index].iter().any(|earlier| is_same_work(earlier, scenario)) {
            works.push(None);
            continue;
        }
        if obstacle.is_none() {
            watcher.progress(RunProgress::Counting { scenario: &scenario.name });
        }
        let counted = match &obstacle {
            Some(reason) => Err(FailureReport::clone(reason)),
            None => match counted(plan, scenario, programs, watcher, cancel) {
                Ok(counted) => Ok(counted),
                Err(ProfileError::Cancelled) => return Err(RunnerError::Interrupted),
                Err(error) => {
                    let reason = launch_failure::report(&error);
                    // The same stands in the way of every scenario.
                    obstacle = error.is_unavailable().then(|| reason.clone());
                    Err(reason)
                }
            },
        };
        works.push(Some(match counted {
            Ok(counted) => CountOutcome::Counted(Box::new(counted)),
            Err(reason) => CountOutcome::Unavailable { reason, required },
        }));
    }
    plan.live.does(None);
    Ok(works)
}

/// Whether two scenarios send the same requests.
fn is_same_work(one: &Scenario, other: &Scenario) -> bool {
    let requests = |it: &Scenario| {
        let of = |it: &Operation| (it.payload.digest(), it.kind, it.method, it.path.clone());
        (it.operations.iter().map(of).collect::<Vec<_>>(), it.order.clone())
    };
    requests(one) == requests(other)
}

fn counted(
    plan: &RunPlan<'_>,
    scenario: &Scenario,
    programs: &[PathBuf],
    watcher: &mut dyn RunObserver,
    cancel: &Cancel,
) -> Result<InstructionCounts, ProfileError> {
    let counting = &plan.suite.counting;
    let counter = profile::valgrind_version()?;
    // Behind `npm start` or `gradle run`, the program that serves is another than the command names.
    if let Some(reason) = programs.iter().find_map(|program| profile::program_obstacle(program)) {
        return Err(ProfileError::Unsuited { tool: "callgrind", reason });
    }
    if plan.suite.target.scheme == UrlScheme::Https {
        return Err(ProfileError::Unsuited {
            tool: "callgrind",
            reason: "it speaks TLS, whose work would be counted with its own".to_owned(),
        });
    }
    let shared = SharedServices::default();
    let head = command(&plan.head, counting, &shared)?;
    let base = plan.base.as_ref().map(|base| command(base, counting, &shared)).transpose()?;
    let sender = RequestSender::new(&small(scenario, counting), &plan.suite.sampling, cancel);
    let counted = profile_plan(&sender, counting);
    let (pairs, requests) = (counted.pairs_per_request, counted.requests);
    let sides = if base.is_some() { 2 } else { 1 };
    let (done, of) = (AtomicUsize::new(0), sides * counting.launches);
    let session = ProfileSession {
        plan: counted,
        drive: &|address| sender.drive(address),
        progress: &|| {
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            plan.live.does(Some(counting_words(scenario, done, of)));
        },
        cancel,
    };
    plan.live.does(Some(counting_words(scenario, 0, of)));
    let [base_dir, head_dir] = side_folders(&plan.logs, scenario);
    let (base, head) = match &base {
        None => (None, session.count(&head, &head_dir)?),
        Some(base) => {
            let mut is_enough = |base: &CallgrindCounts, head: &CallgrindCounts| {
                let counted = counted_metrics(base, head);
                watcher.is_counted_enough(&scenario.name, &counted)
            };
            let (base, head) = ((base, &*base_dir), (&head, &*head_dir));
            let (base, head) = session.count_both_until(base, head, &mut is_enough)?;
            (Some(base), head)
        }
    };
    let (base, head) = (base.map(|base| base.count()), head.count());
    Ok(InstructionCounts { counter, pairs_per_request: pairs, requests, base, head, causes: None })
}

/// Where what was counted of base and of head lies.
fn side_folders(logs: &Path, scenario: &Scenario) -> [PathBuf; 2] {
    let folder = logs.join("work").join(scenario.folder());
    [folder.join("base"), folder.join("head")]
}

/// Returns what base and head of a scenario cost by address, over all launches of a run whose logs are in
/// `logs`.
pub fn counted_graphs(
    logs: &Path,
    scenario: &Scenario,
    launches: usize,
) -> Result<[CallGraph; 2], ProfileError> {
    let [base, head] = side_folders(logs, scenario);
    Ok([profile::read_counts(&base, launches)?, profile::read_counts(&head, launches)?])
}

/// Builds that are counted in turns, as often as the suite counts.
#[derive(Debug, Clone, Copy)]
pub struct CountingTurns<'a> {
    /// How it is counted.
    pub suite: &'a Suite,
    /// What is sent.
    pub scenario: &'a Scenario,
    /// The builds.
    pub builds: &'a [&'a SutBuild],
    /// Where their output and counts go.
    pub dir: &'a Path,
}

/// Counts one launch of each build, then the next of each. Returns instructions per unit of work, one value a
/// launch, for each build. `turn_ended` gets how many turns are done, and of how many.
pub fn count_in_turns(
    turns: CountingTurns<'_>,
    cancel: &Cancel,
    turn_ended: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Vec<f64>>, ProfileError> {
    let counting = &turns.suite.counting;
    let shared = SharedServices::default();
    let command = |(number, build): (usize, &&SutBuild)| {
        let dir = turns.dir.join(format!("build-{number}"));
        Ok((command(build, counting, &shared)?, dir))
    };
    let targets = turns.builds.iter().enumerate().map(command);
    let targets = targets.collect::<Result<Vec<_>, ProfileError>>()?;
    let small = small(turns.scenario, counting);
    let sender = RequestSender::new(&small, &turns.suite.sampling, cancel);
    let session = ProfileSession {
        plan: profile_plan(&sender, counting),
        drive: &|address| sender.drive(address),
        progress: &|| {},
        cancel,
    };
    let mut counts = vec![Vec::new(); targets.len()];
    for turn in 1..=counting.launches {
        for (values, value) in counts.iter_mut().zip(session.count_each(&targets)?) {
            values.push(value);
        }
        turn_ended(turn, counting.launches);
    }
    Ok(counts)
}

/// How many requests are counted: about as many XML pairs as the suite says, in not too many bytes.
fn profile_plan(sender: &RequestSender, counting: &CountSettings) -> ProfilePlan {
    let (pairs, bytes) = (sender.pairs().max(1), sender.request_bytes().max(1));
    let flow = sender.requests_per_unit();
    let requests = counting.pairs.div_ceil(pairs).min(BYTES_MAX / bytes).max(2);
    let requests = requests.next_multiple_of(flow);
    ProfilePlan {
        warmup_requests: requests.div_ceil(4).next_multiple_of(flow),
        requests,
        pairs_per_request: pairs,
        requests_per_unit: flow,
        launches: counting.launches,
    }
}

fn counting_words(scenario: &Scenario, done: usize, of: usize) -> String {
    format!("counting the instructions of `{}`, {done} of {of} launches done", scenario.name)
}

fn counted_metrics<'a>(
    base: &'a CallgrindCounts,
    head: &'a CallgrindCounts,
) -> [CountedMetric<'a>; 2] {
    let (work, allocations) = (Metric::Work, Metric::Allocations);
    [
        CountedMetric { metric: work, base: &base.instructions, head: &head.instructions },
        CountedMetric { metric: allocations, base: &base.allocations, head: &head.allocations },
    ]
}

/// The scenario as it is counted.
fn small(scenario: &Scenario, counting: &CountSettings) -> Scenario {
    let pairs_max = PAIRS_PER_REQUEST_MAX.min(counting.pairs);
    let mut small = scenario.clone().with_pairs_max(pairs_max);
    // As many different bodies as there are to be sent in turn.
    let answer_bytes_max = small.load.answer_bytes_max;
    small.load = LoadSettings { answer_bytes_max, ..LoadSettings::closed(1, LoadAmount::Time) };
    small
}

fn command(
    build: &SutBuild,
    counting: &CountSettings,
    shared: &SharedServices,
) -> Result<TargetCommand, ProfileError> {
    match &build.source {
        BuildSource::Start(command) => {
            let mut command = TargetCommand::clone(command);
            command.services = build.services(shared);
            let variables = counting.env.iter();
            command.env.extend(variables.map(|(name, text)| (name.clone(), text.clone().into())));
            Ok(command)
        }
        BuildSource::Attach(_) => Err(ProfileError::Unsuited {
            tool: "callgrind",
            reason: "it runs already, and callgrind has to start it".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use suite::config::{self, ConfigOverrides};

    use super::*;

    #[test]
    fn what_is_counted_is_sent_alone_and_may_be_answered_as_largely_as_under_load() {
        let suite = config::embedded(Path::new("."), &ConfigOverrides::default()).unwrap();
        let answer_bytes_max = Some(1 << 30);
        let load = LoadSettings { answer_bytes_max, ..LoadSettings::closed(9, LoadAmount::Time) };
        let scenario = Scenario { load, ..suite.scenarios[0].clone() };
        let small = small(&scenario, &suite.counting);
        assert_eq!((small.load.connections, small.load.answer_bytes_max), (1, answer_bytes_max));
    }
}
