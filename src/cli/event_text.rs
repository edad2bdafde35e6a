//! The words for events: one line each, in the order of [`Event`].

use std::time::Duration;

use record::IdenticalProgram;
use record::causes::{HunkPlace, RevertCounts, RevertOutcome};
use units::Ratio;
use units::text::plural;

use crate::app::event::{
    CauseEvent, CommitChange, CommitStanding, Event, LaunchCost, LaunchUnit, MetricChange,
    ScenarioMetric, ScenarioPurpose, SelfCheck, TelemetryProtocol, WarningKind,
};

/// Returns what a person reads of an event; nothing for those that only move a bar.
pub(super) fn line(event: &Event<'_>) -> Option<String> {
    Some(match event {
        Event::Warning(warning) => self::warning(warning),
        Event::MetricsServed { address } => format!("metrics at http://{address}/metrics"),
        Event::CheckoutStarted { reference, commit } => {
            format!("checking out base {reference} ({})", short(commit, 12))
        }
        Event::BuildOutdated { path } => {
            format!("an earlier run changed `{}` of the base, which is built again", path.display())
        }
        Event::BuildAwaited => "waiting for another xmlperf that builds the same base".to_owned(),
        Event::BuildAdvanced { build, line } => format!("building {build}: {line}"),
        Event::ProgramsIdentical { program } => format!(
            "{}: nothing is measured; `--always-measure` measures all the same",
            identical(program)
        ),
        Event::StoreAdvanced { text } | Event::Noted { text } => (*text).to_owned(),
        Event::StepStarted { base, head, number, of } => {
            format!("{base}..{head} ({number} of {of})")
        }
        Event::HistoryChosen { name, runs, newest_started, newest } => format!(
            "{runs} stored runs of `{name}`, the newest of {newest_started} ({})",
            report::revision(newest)
        ),
        Event::PowerEstimated { cost, detectable } => power(*cost, detectable),
        Event::PayloadStarted { scenario } => format!("preparing `{scenario}`"),
        Event::CountingStarted { scenario } => {
            format!("counting the instructions of `{scenario}`")
        }
        Event::NetworkStarted => "measuring what the network costs by itself".to_owned(),
        Event::EstimateUpdated { launch_pairs, elapsed, changes } => format!(
            "{launch_pairs} launch pairs, {} {}",
            units::duration(*elapsed),
            estimate(changes)
        ),
        Event::ConfirmationStarted { suspected } => suspicion(suspected),
        Event::ProfileStarted { side, tool, requests, pairs } => {
            format!("{side} under {tool}: {requests} requests of {pairs} XML pairs")
        }
        Event::BisectionStarted { commits, comparisons_max, alpha } => format!(
            "{}, at most {}; chance of naming the wrong one ≤ {alpha}",
            plural(*commits, "commit"),
            plural(*comparisons_max, "comparison")
        ),
        Event::Cause(step) => cause(step),
        Event::BisectionResumed => {
            "going on where the last search was interrupted; `--restart` forgets it".to_owned()
        }
        Event::RangeCompared { change } => format!("good and bad: {}", commit_change(change)),
        Event::CommitClassified { commit, subject, standing } => {
            format!("{}: {}", commit_title(commit, subject), self::standing(standing))
        }
        Event::CheckStarted { check } => format!("checking: {}", check_title(*check)),
        Event::MeasuringStarted { .. }
        | Event::LaunchStarted { .. }
        | Event::ScenarioStarted { .. }
        | Event::LaunchEnded { .. }
        | Event::MeasuringEnded
        | Event::SimulationStarted { .. }
        | Event::CellSimulated
        | Event::SimulationEnded => return None,
    })
}

/// A step in finding out which hunks more work is in.
fn cause(step: &CauseEvent<'_>) -> String {
    match step {
        CauseEvent::Sought { scenario, hunks } => format!(
            "`{scenario}` takes more work: looking for the hunk among {}",
            plural(*hunks, "hunk")
        ),
        CauseEvent::RevertStarted { hunks, time_max } => format!(
            "building head without {}, to count again (nothing more is begun after {})",
            hunk_names(hunks),
            units::duration(*time_max)
        ),
        CauseEvent::RevertCounting { done, of } => {
            format!("counting base, head and head without it: {done} of {of} turns done")
        }
        CauseEvent::RevertEnded { revert, share } => reverted(revert, *share),
    }
}

/// `src/xml.rs:118`, with how many more.
fn hunk_names(hunks: &[HunkPlace]) -> String {
    let Some(first) = hunks.first() else { return String::new() };
    let name = format!("`{}:{}`", first.path, first.head.start.max(1));
    match hunks.len() - 1 {
        0 => name,
        more => format!("{name} and {}", plural(more, "other hunk")),
    }
}

/// What came of reverting hunks.
fn reverted(revert: &RevertCounts, share: Option<f64>) -> String {
    let name = hunk_names(&revert.hunks);
    match (&revert.outcome, share) {
        (RevertOutcome::Broken, _) => format!("without {name} head does not run"),
        (RevertOutcome::SameCode, _) => format!("without {name} head is the same machine code"),
        (RevertOutcome::Counted { .. }, Some(share)) => {
            format!("without {name} {:.0} % of the growth goes away", share * 100.0)
        }
        (RevertOutcome::Counted { .. }, None) => {
            format!("beside head without {name}, head does not take more than base")
        }
    }
}

/// What a check of this program on itself is about.
pub(super) fn check_title(check: SelfCheck) -> &'static str {
    match check {
        SelfCheck::Payloads => "payload digests",
        SelfCheck::ReferenceStart => "start of the reference API",
        SelfCheck::EndToEnd => "end to end",
        SelfCheck::Components => "components",
        SelfCheck::SameBuild => "one build against itself",
        SelfCheck::KnownDose => "a change of a known size",
        SelfCheck::Crash => "a head that crashes",
        SelfCheck::WrongAnswer => "a head that answers wrongly",
        SelfCheck::Store => "store",
    }
}

/// What a comparison costs at most, and what it will detect.
fn power(cost: Option<LaunchCost>, detectable: &[MetricChange]) -> String {
    let cost = cost.map(|cost| {
        let took = units::duration(cost.launch_pair);
        format!("at most {} launch pairs; one took {took} the last time", cost.launch_pairs_max)
    });
    let words = [cost, detectable_from(detectable)];
    words.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn suspicion(suspected: &[ScenarioMetric]) -> String {
    let suspected = suspected.iter().map(|it| format!("{} {}", it.scenario, it.label()));
    let suspected = suspected.collect::<Vec<_>>().join(", ");
    format!("suspected: {suspected}; measuring it side by side with the base")
}

fn warning(warning: &WarningKind<'_>) -> String {
    match warning {
        WarningKind::LockCarried { path } => format!(
            "base has no lock file, so that it is built with the checkout's `{}`: both sides get the same versions",
            path.display()
        ),
        WarningKind::LeftBehind { path } => format!(
            "`{0}`, left behind by an earlier run, was removed from the base, which starts as it was \
             built; head starts with its own `{0}`",
            path.display()
        ),
        WarningKind::FirstScenarioOnly { scenario, purpose } => {
            let purpose = match purpose {
                ScenarioPurpose::Bisection => "searching by",
                ScenarioPurpose::Profile => "profiling",
            };
            format!("{purpose} `{scenario}`; choose another by `--scenario`")
        }
        WarningKind::EmbeddedBase => {
            "the base is the reference API inside this program, and no commit".to_owned()
        }
        WarningKind::SameCommit => {
            "base and head are the same commit: nothing is built twice".to_owned()
        }
        WarningKind::CommitOfStoredRun { name, commit } => {
            format!("git does not know `{name}`; its newest kept run is of {commit}")
        }
        WarningKind::StoredRunsInstead { obstacle } => {
            format!("kept runs stand in for the base: {obstacle}")
        }
        WarningKind::HistoryNote { note } => format!("note: {note}"),
        WarningKind::LayoutAsBuilt { error } => {
            format!("functions of both builds are left where they lie: {error}")
        }
        WarningKind::LinkedAgain { program } => format!(
            "`{}` was linked before its links were kept, and is linked once more",
            program.display()
        ),
        WarningKind::TimesNotJudged => {
            "too few of them are of this kind of machine to judge times; work and limits decide"
                .to_owned()
        }
        WarningKind::LooksAreCap { launch_pairs } => format!(
            "`[sampling] looks` is outdated: launch pairs are judged one by one, {launch_pairs} at most; \
             write `launch-pairs = {launch_pairs}`"
        ),
        WarningKind::NoShardTimes { path } => format!(
            "there is no `{}`: the shards are divided by the configured durations",
            path.display()
        ),
        WarningKind::TelemetryLost { protocol, error } => {
            let name = match protocol {
                TelemetryProtocol::Pushgateway => "the Pushgateway",
                TelemetryProtocol::RemoteWrite => "the receiver of remote write",
                TelemetryProtocol::Otlp => "the collector of OTLP",
            };
            format!("the metrics of this run did not reach {name}: {error}")
        }
        WarningKind::TextColumn { column } => {
            format!("column `{column}` has text and no number, and is left out")
        }
        WarningKind::NotArchived { error } => {
            format!("the run is not kept for `xmlperf runs`: {error}")
        }
        WarningKind::NotConfirmed { error, run } => format!(
            "it cannot be confirmed here: {error}\n\
             a second job may: `xmlperf compare --confirm {run}`"
        ),
    }
}

/// `launches`, `launch pairs`.
pub(super) fn unit_noun(unit: LaunchUnit, count: UnitCount) -> &'static str {
    match (unit, count) {
        (LaunchUnit::Launch, UnitCount::One) => "launch",
        (LaunchUnit::Launch, UnitCount::Several) => "launches",
        (LaunchUnit::LaunchPair, UnitCount::One) => "launch pair",
        (LaunchUnit::LaunchPair, UnitCount::Several) => "launch pairs",
    }
}

/// Whether a noun stands for one or for several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UnitCount {
    /// One.
    One,
    /// More, or none.
    Several,
}

/// Returns how much is left at most, at the pace so far.
pub(super) fn time_left(done: usize, of: usize, elapsed: Duration) -> String {
    let left = elapsed.div_f64(done as f64).mul_f64((of - done) as f64);
    format!("at most {} left", units::duration(left))
}

/// `· smoke cpu +1.2 %, smoke latency −0.3 %`.
pub(super) fn estimate(changes: &[MetricChange]) -> String {
    let words = changes.iter().map(|change| {
        let MetricChange { of, change_ln } = change;
        let operation = of.operation.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
        format!("{}{operation} {} {}", of.scenario, of.metric, units::change(*change_ln))
    });
    format!("· {}", words.collect::<Vec<_>>().join(", "))
}

fn detectable_from(changes: &[MetricChange]) -> Option<String> {
    let words = changes.iter().map(|change| {
        let percent = 100.0 * Ratio::from_ln(change.change_ln).0;
        format!("{} {} {percent:.1} %", change.of.scenario, change.of.label())
    });
    let words = words.collect::<Vec<_>>().join(", ");
    (!words.is_empty()).then(|| format!("detectable from (80 % power): {words}"))
}

fn standing(standing: &CommitStanding) -> String {
    match standing {
        CommitStanding::Good(change) => format!("good — {}", commit_change(change)),
        CommitStanding::Bad(change) => format!("bad — {}", commit_change(change)),
        CommitStanding::Unclear(change) => format!("unclear — {}", commit_change(change)),
        CommitStanding::Skipped { reason } => format!("skipped — {reason}"),
        CommitStanding::Identical { commit, program } => {
            format!("as {} — {}", short(commit, 10), identical(program))
        }
    }
}

/// `identical program, sha256 0123456789ab`.
fn identical(program: &IdenticalProgram) -> String {
    format!("identical program, sha256 {}", short(&program.sha256, 12))
}

/// `smoke CPU per XML pair +5.6 % [+4.8, +6.2]`.
pub(super) fn commit_change(change: &CommitChange) -> String {
    let interval = change.interval_ln.map_or_else(String::new, |[estimate, low, high]| {
        format!("{} {}", units::change(estimate), units::interval(low, high))
    });
    format!("{} {} {interval}", change.of.scenario, change.of.label())
}

/// `3f2a91c07d subject`.
pub(super) fn commit_title(commit: &str, subject: &str) -> String {
    format!("{} {subject}", short(commit, 10))
}

fn short(commit: &str, letters: usize) -> &str {
    commit.get(..letters).unwrap_or(commit)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use record::metric::Metric;
    use record::work_unit::WorkUnit;
    use runner::LiveMetrics;

    use super::*;
    #[test]
    fn an_event_is_one_line_or_none() {
        let of = ScenarioMetric {
            operation: None,
            scenario: "smoke".to_owned(),
            metric: Metric::Cpu,
            unit: WorkUnit::pair(),
        };
        let change = MetricChange { of: of.clone(), change_ln: 0.05 };
        let program = IdenticalProgram { sha256: "ab".repeat(32), executable: None };
        let events = [
            Event::CheckoutStarted { reference: "main", commit: "0123456789abcdef" },
            Event::PowerEstimated { cost: None, detectable: vec![change.clone()] },
            Event::EstimateUpdated {
                launch_pairs: 10,
                elapsed: Duration::from_secs(61),
                changes: vec![change],
            },
            Event::CommitClassified {
                commit: "0123456789abcdef",
                subject: "Parse once",
                standing: CommitStanding::Bad(CommitChange {
                    of,
                    interval_ln: Some([0.055, 0.048, 0.062]),
                }),
            },
            Event::CommitClassified {
                commit: "fedcba9876543210",
                subject: "Say more",
                standing: CommitStanding::Identical {
                    commit: "0123456789abcdef".to_owned(),
                    program: program.clone(),
                },
            },
            Event::ProgramsIdentical { program: &program },
            Event::Warning(WarningKind::NotConfirmed { error: "no build", run: "run.json" }),
        ];
        let lines = events.map(|event| line(&event).unwrap());
        insta::assert_snapshot!(lines.join("\n"), @"
        checking out base main (0123456789ab)
        detectable from (80 % power): smoke CPU per XML pair 5.1 %
        10 launch pairs, 61.0 s · smoke cpu +5.1 %
        0123456789 Parse once: bad — smoke CPU per XML pair +5.7 % [+4.9, +6.4]
        fedcba9876 Say more: as 0123456789 — identical program, sha256 abababababab
        identical program, sha256 abababababab: nothing is measured; `--always-measure` measures all the same
        it cannot be confirmed here: no build
        a second job may: `xmlperf compare --confirm run.json`
        ");
        let live = LiveMetrics::default();
        let started = Event::MeasuringStarted { unit: LaunchUnit::Launch, live: &live };
        assert_eq!(line(&started), None);
    }
}
