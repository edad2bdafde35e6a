//! Checks on the machine that it runs on that xmlperf keeps its word, from payloads to verdicts.
//!
//! Everything is measured against the reference API inside this program, so a check that does not hold is
//! a fault of this program, of its build or of the machine, and never of a user's API.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use baseline::BaselineStore;
use compare::decision::{ALPHA, DecisionRule, Hypothesis, LAUNCH_PAIRS, Verdict, measured};
use compare::{Comparison, ComparisonOutcome};
use payload::{PayloadPreset, PayloadSpec};
use record::histogram::RecordedTimes;
use record::metric::Metric;
use record::metric::gate::MetricPolicy;
use record::{Revision, Run, histogram};
use runner::{BuildSource, LiveMetrics, StageClock, SutBuild};
use suite::{LaneMode, LoadTime, Suite, WarmUpPlan};
use sut::{CpuPlacement, Target};
use units::cancel::Cancel;

use crate::app::builds::{BuildFinder, BuildPair};
use crate::app::event::{Event, EventSink, SelfCheck};
use crate::app::measure::{self, AttemptContext, ComparisonEnding};
use crate::app::selection::{CheckoutBuild, SuiteSelection, TargetChoice, TargetUse};
use crate::app::telemetry::Telemetry;
use crate::app::workplace::Workplace;

/// Hash of the digests of every shipped kind of payload, 100 pairs of seed 42: one on every machine.
const PAYLOADS: &str = "da0e5c66d991";

/// Of how many requests one is not counted in the check that finds a change: it is larger by a fifth.
const UNCOUNTED_EVERY: u64 = 6;

/// Launch pairs at most, which is more than either comparison needs.
const LAUNCH_PAIRS_MAX: usize = 14;

/// Load on each side of a launch, before and while it is measured.
const WARM_UP: Duration = Duration::from_millis(100);
const LOAD: Duration = Duration::from_millis(300);

/// What the checks run in.
#[derive(Debug, Clone)]
pub struct SelftestOptions {
    /// The process's surroundings.
    pub workplace: Workplace,
    /// An empty folder, for what the checks write.
    pub folder: PathBuf,
}

/// A check, how long it took, and what came of it.
#[derive(Debug)]
pub struct CheckResult {
    /// The check.
    pub check: SelfCheck,
    /// How long it took.
    pub took: Duration,
    /// What was found, or why nothing could be.
    pub finding: Result<CheckFinding>,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq)]
pub enum CheckFinding {
    /// Payloads were made, and have the digest that they have everywhere, or not.
    Payloads {
        /// Kinds of documents.
        presets: usize,
        /// Whether the digest is right.
        is_pinned: bool,
    },
    /// The reference API answered so long after it was started.
    Ready(Duration),
    /// Requests were sent and answered.
    Answered {
        /// Those that were answered rightly.
        requests: u64,
        /// The others.
        failed: u64,
    },
    /// The rule judged known numbers: none of so many, if all is right.
    Components {
        /// What did not do what it must.
        wrong: Vec<Component>,
    },
    /// One build was compared with itself.
    SameBuild {
        /// How many launch pairs it took.
        launch_pairs: usize,
        /// Whether anything was called slower.
        is_regressed: bool,
    },
    /// A change of a known size was sent. All are ln(head / base).
    Dose {
        /// What was sent.
        sent_ln: f64,
        /// The estimate.
        estimate_ln: f64,
        /// Its limits.
        limits_ln: [f64; 2],
        /// Whether it was called slower.
        is_regressed: bool,
    },
    /// A head that fails where base does not was held against it.
    HeadFails {
        /// Whether the failure made the comparison red.
        is_regressed: bool,
        /// The reason that is shown.
        reason: String,
    },
    /// A run was kept and read again.
    Kept {
        /// Whether it came back as it was, and the store is sound.
        is_same: bool,
    },
}

/// A part that is tried by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Component {
    /// The rule that decides.
    Decision,
    /// Histograms, written and read.
    Histogram,
    /// Records, written and read.
    Record,
}

impl CheckFinding {
    /// Returns whether that is what must be found.
    pub fn holds(&self) -> bool {
        match self {
            Self::Payloads { is_pinned, .. } => *is_pinned,
            Self::Ready(_) => true,
            Self::Answered { requests, failed } => *requests > 0 && *failed == 0,
            Self::Components { wrong } => wrong.is_empty(),
            Self::SameBuild { is_regressed, .. } => !is_regressed,
            Self::Dose { sent_ln, limits_ln: [low, high], is_regressed, .. } => {
                *is_regressed && (low..=high).contains(&sent_ln)
            }
            Self::HeadFails { is_regressed, .. } => *is_regressed,
            Self::Kept { is_same } => *is_same,
        }
    }
}

impl CheckResult {
    /// Returns whether the check found what it must.
    pub fn holds(&self) -> bool {
        self.finding.as_ref().is_ok_and(CheckFinding::holds)
    }
}

/// Runs every check, whatever came of those before.
pub fn selftest(
    options: &SelftestOptions,
    events: &mut dyn EventSink,
    cancel: &Cancel,
) -> Result<Vec<CheckResult>> {
    let bench = SelftestBench::new(options, cancel)?;
    let mut results = Vec::new();
    for check in SelfCheck::ALL {
        ensure!(!cancel.is_raised(), "interrupted after {} checks", results.len());
        events.emit(Event::CheckStarted { check });
        #[expect(clippy::disallowed_methods, reason = "how long each check takes is shown")]
        let began = Instant::now();
        let finding = bench.find(check, events);
        results.push(CheckResult { check, took: began.elapsed(), finding });
    }
    Ok(results)
}

/// What the checks have in common.
struct SelftestBench<'a> {
    selection: SuiteSelection,
    suite: Suite,
    cancel: &'a Cancel,
}

impl<'a> SelftestBench<'a> {
    fn new(options: &SelftestOptions, cancel: &'a Cancel) -> Result<Self> {
        let folder = &options.folder;
        let selection = SuiteSelection {
            workplace: Workplace { folder: folder.clone(), ..options.workplace.clone() },
            config: None,
            target: TargetChoice::Reference,
            scenarios: vec!["smoke".to_owned()],
            lanes: Vec::new(),
            shard: None,
            payload_seed: None,
            network: None,
            layout: None,
            assignment_seed: None,
            out: folder.join("out"),
            checkout_build: CheckoutBuild::Skip,
            metrics_address: None,
            telemetry: Telemetry::default(),
            live: LiveMetrics::default(),
            clock: StageClock::default(),
            invocation: None,
        };
        let mut suite = selection.suite(TargetUse::Replaced)?;
        suite.lanes.work = LaneMode::Off;
        suite.sampling.warm_up = WarmUpPlan::For(WARM_UP);
        suite.sampling.load = LoadTime::Given(LOAD);
        suite.sampling.launches = 2;
        suite.sampling.launch_pairs_max = LAUNCH_PAIRS_MAX;
        Ok(Self { selection, suite, cancel })
    }

    fn find(&self, check: SelfCheck, events: &mut dyn EventSink) -> Result<CheckFinding> {
        match check {
            SelfCheck::Payloads => Ok(payloads()),
            SelfCheck::ReferenceStart => self.reference_start(events),
            SelfCheck::EndToEnd => self.end_to_end(events),
            SelfCheck::Components => Ok(self.components(events)?),
            SelfCheck::SameBuild => self.same_build(events),
            SelfCheck::KnownDose => self.known_dose(events),
            SelfCheck::Crash => {
                // Ended in the midst of its load.
                let start = format!("timeout -s KILL 0.25 {} serve --workers 1", self.program()?);
                self.head_fails(&self.suite, &start, events)
            }
            SelfCheck::WrongAnswer => {
                let mut suite = self.suite.clone();
                // Documents that another notion of equality finds equal, or does not.
                for scenario in &mut suite.scenarios {
                    for operation in &mut scenario.operations {
                        operation.payload = PayloadSpec::preset(PayloadPreset::UblInvoice, 42, 100);
                    }
                }
                let start = format!("{} serve --workers 1 --semantics c14n", self.program()?);
                self.head_fails(&suite, &start, events)
            }
            SelfCheck::Store => self.store(events),
        }
    }

    fn finder<'b>(&'b self, suite: &'b Suite) -> BuildFinder<'b> {
        BuildFinder { selection: &self.selection, suite, cancel: self.cancel }
    }

    /// This program, as a shell has it.
    fn program(&self) -> Result<String> {
        let program = self.selection.workplace.program.to_str();
        let program = program.context("the path of this program is not text")?;
        Ok(shlex::try_quote(program).context("the path of this program holds a NUL")?.into_owned())
    }

    fn logs(&self, name: &str) -> PathBuf {
        self.selection.out.join(name)
    }

    fn reference_start(&self, events: &mut dyn EventSink) -> Result<CheckFinding> {
        let head = self.finder(&self.suite).head(None, events)?;
        let BuildSource::Start(command) = &head.source else {
            anyhow::bail!("the reference API is not started");
        };
        fs::create_dir_all(&self.selection.out)?;
        let log = self.logs("reference.log");
        let target = Target::start(command, &CpuPlacement::default(), &log, self.cancel)?;
        let after = target.ready_after();
        target.stop()?;
        Ok(CheckFinding::Ready(after))
    }

    /// One build alone, as `xmlperf run` measures it.
    fn alone(&self, events: &mut dyn EventSink) -> Result<Run> {
        let finder = self.finder(&self.suite);
        let head = finder.head(None, events)?;
        measure::alone(&finder, head, events)
    }

    fn end_to_end(&self, events: &mut dyn EventSink) -> Result<CheckFinding> {
        let run = self.alone(events)?;
        let launches = run.scenarios.iter().flat_map(|scenario| scenario.head());
        let (requests, failed) = launches.fold((0, 0), |(requests, failed), launch| {
            (requests + launch.requests, failed + launch.failed())
        });
        Ok(CheckFinding::Answered { requests, failed })
    }

    fn components(&self, events: &mut dyn EventSink) -> Result<CheckFinding> {
        let run = self.alone(events)?;
        let again = Run::parse(&run.to_json(), Path::new("run.json"));
        let checks = [
            (Component::Decision, is_decision_right()?),
            (Component::Histogram, is_histogram_kept()),
            (Component::Record, again.is_ok_and(|again| again.digest() == run.digest())),
        ];
        let wrong = checks.into_iter().filter(|(_, is_right)| !is_right);
        Ok(CheckFinding::Components { wrong: wrong.map(|(component, _)| component).collect() })
    }

    /// One build under two names, and of every few requests to the second one that is not counted.
    fn against_itself(
        &self,
        name: &str,
        suite: &Suite,
        uncounted_every: Option<u64>,
        events: &mut dyn EventSink,
    ) -> Result<Comparison> {
        let finder = self.finder(suite);
        let head = finder.head(None, events)?;
        let builds = BuildPair::given(named(&head, "itself"), head);
        let context = AttemptContext { uncounted_every, ..AttemptContext::default() };
        let ending = ComparisonEnding::default();
        let run = measure::attempt(&finder, &builds, self.logs(name), &ending, context, events)?;
        let comparison = Comparison::of(&run)?;
        if let ComparisonOutcome::NotMeasured(reason) = &comparison.outcome {
            anyhow::bail!("could not measure: {reason}");
        }
        Ok(comparison)
    }

    fn same_build(&self, events: &mut dyn EventSink) -> Result<CheckFinding> {
        let comparison = self.against_itself("same-build", &self.suite, None, events)?;
        Ok(CheckFinding::SameBuild {
            launch_pairs: comparison.method.launches,
            is_regressed: comparison.outcome == ComparisonOutcome::Regressed,
        })
    }

    fn known_dose(&self, events: &mut dyn EventSink) -> Result<CheckFinding> {
        let mut suite = self.suite.clone();
        // A dose moves what a unit costs, and nothing else.
        for (metric, rule) in &mut suite.gate.rules {
            if *metric != Metric::Cpu {
                rule.policy = MetricPolicy::Report;
            }
        }
        let every = UNCOUNTED_EVERY;
        let comparison = self.against_itself("dose", &suite, Some(every), events)?;
        let row = comparison.rows.iter().find(|row| row.metric == Metric::Cpu);
        let row = row.context("no CPU time was measured")?;
        let change = row.change().context("no change of CPU time was measured")?;
        Ok(CheckFinding::Dose {
            sent_ln: -(-1.0 / units::exact(every)).ln_1p(),
            estimate_ln: change.estimate_ln,
            limits_ln: [change.low_ln, change.high_ln],
            is_regressed: row.verdict() == Some(Verdict::Regressed),
        })
    }

    /// Holds a head that does not do what base does against it.
    fn head_fails(
        &self,
        suite: &Suite,
        start: &str,
        events: &mut dyn EventSink,
    ) -> Result<CheckFinding> {
        let finder = self.finder(suite);
        let base = named(&finder.head(None, events)?, "base");
        let head = finder.head(Some(start), events)?;
        let builds = BuildPair::given(base, head);
        let (logs, ending) = (self.logs("failing"), ComparisonEnding::default());
        let run = measure::paired(&finder, &builds, logs, &ending, events)?;
        let comparison = Comparison::of(&run)?;
        let reason = match (&comparison.failure, &comparison.outcome) {
            (Some(failure), _) => failure.reason.summary.clone(),
            (None, ComparisonOutcome::NotMeasured(reason)) => reason.summary.clone(),
            (None, _) => String::new(),
        };
        // Red for another reason, such as its CPU time, is not enough.
        let is_regressed =
            comparison.failure.is_some() && comparison.outcome == ComparisonOutcome::Regressed;
        Ok(CheckFinding::HeadFails { is_regressed, reason })
    }

    fn store(&self, events: &mut dyn EventSink) -> Result<CheckFinding> {
        let run = self.alone(events)?;
        let store = BaselineStore::open("store", &self.selection.workplace.folder)?;
        let entry = store.save("selftest", &run)?.entry().clone();
        let is_same = store.load(&entry)?.digest() == run.digest();
        let is_sound = store.verify(None)?.damaged.is_empty();
        Ok(CheckFinding::Kept { is_same: is_same && is_sound })
    }
}

fn named(build: &SutBuild, label: &str) -> SutBuild {
    let revision = Revision { label: label.to_owned(), ..build.revision.clone() };
    SutBuild { revision, source: build.source.clone() }
}

fn payloads() -> CheckFinding {
    let is_pinned = payload_digest() == PAYLOADS;
    CheckFinding::Payloads { presets: PayloadPreset::ALL.len(), is_pinned }
}

fn payload_digest() -> String {
    let digest = |preset| PayloadSpec::preset(preset, 42, 100).digest();
    let digests: String = PayloadPreset::ALL.into_iter().map(digest).collect();
    record::digest(digests.as_bytes())
}

/// Whether twelve launch pairs of 5 % are called slower, and twelve of nothing the same.
fn is_decision_right() -> Result<bool> {
    let rule = DecisionRule::new(ALPHA, LAUNCH_PAIRS).context("the default rule is none")?;
    let hypothesis = Hypothesis { floor: 0.01, tolerance: 0.03 };
    let verdict = |change_ln: f64| {
        let wobble = |number: i32| change_ln + 0.002 * f64::from(number % 5 - 2);
        let values: Vec<f64> = (0..12).map(wobble).collect();
        rule.judge(&[hypothesis], &[measured(&[values])])[0].verdict
    };
    Ok(verdict(0.05) == Verdict::Regressed && verdict(0.0) == Verdict::Unchanged)
}

fn is_histogram_kept() -> bool {
    let mut times = load::measure::histogram();
    for time in 1..1_000 {
        times.saturating_record(time * 1_000);
    }
    histogram::decode(&histogram::encode(&times))
        .is_ok_and(|again| again == RecordedTimes::of(&times))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_no_target_holds() {
        assert_eq!(payload_digest(), PAYLOADS);
        assert!(is_decision_right().unwrap() && is_histogram_kept());
    }

    #[test]
    fn a_check_that_finds_something_else_does_not_hold() {
        let dose = |limits_ln, is_regressed| {
            CheckFinding::Dose { sent_ln: 0.18, estimate_ln: 0.2, limits_ln, is_regressed }.holds()
        };
        assert_eq!(
            [dose([0.1, 0.3], true), dose([0.1, 0.3], false), dose([0.19, 0.3], true)],
            [true, false, false]
        );
        assert!(!CheckFinding::Answered { requests: 5, failed: 1 }.holds());
        let reason = String::new();
        assert!(!CheckFinding::HeadFails { is_regressed: false, reason }.holds());
    }
}
