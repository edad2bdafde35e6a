//! Looks for what on this machine makes measurements worse, and says what can be found here in how long.
//!
//! The noise is not guessed from settings: the build of the checkout is compared with itself for some
//! launch pairs, and what comparisons of one, three and ten minutes will find follows from how much
//! those scatter.

use std::time::Duration;

use anyhow::Result;
use compare::{Comparison, ComparisonNote, ComparisonOutcome, stopping};

use record::{FailureReport, Run};
use rustix::fs::statvfs;
use suite::LaneMode;
use sut::HostInterference;
use sut::host::HostSettings;
use units::Ratio;
use units::cancel::Cancel;

use crate::app::builds::{BuildFinder, BuildPair};
use crate::app::event::{EventSink, MetricChange, ScenarioMetric};
use crate::app::measure::{self, ComparisonEnding};
use crate::app::selection::{SuiteSelection, TargetUse};
use crate::app::twins;

/// How long the comparisons may take of which it is said what they find.
const BUDGETS: [Duration; 3] =
    [Duration::from_mins(1), Duration::from_mins(3), Duration::from_mins(10)];

/// Launch pairs by which the noise is known well enough.
const LAUNCH_PAIRS: usize = 12;

/// Memory and disk below which a run of the shipped scenarios is at risk.
const MEMORY_BYTES_MIN: u64 = 1 << 30;
const DISK_BYTES_MIN: u64 = 1 << 30;

/// Share of the processors' time that others may take before it shows in the noise.
const TAKEN_MAX: f64 = 0.01;

/// What is looked at.
#[derive(Debug, Clone)]
pub struct DoctorOptions {
    /// The choice of what is measured.
    pub selection: SuiteSelection,
}

/// What was found.
#[derive(Debug)]
pub struct DoctorOutcome {
    /// The machine, one finding after the other.
    pub findings: Vec<MachineFinding>,
    /// What the build of the checkout looked like against itself.
    pub noise: NoiseFinding,
    /// How many comparisons of a build with itself are kept of this machine.
    pub twins: usize,
    /// What they say of its own offset, if they are enough.
    pub offsets: Option<ComparisonNote>,
}

/// One thing about the machine.
#[derive(Debug, Clone, PartialEq)]
pub enum MachineFinding {
    /// Logical processors, and those of the load at the moment.
    Cores {
        /// How many this process may use.
        cpus: usize,
        /// Processes that wanted to run, averaged over a minute.
        load_mean: Option<f64>,
    },
    /// Whether target and load get processors of their own.
    Pinning {
        /// Whether there are enough.
        is_split: bool,
    },
    /// How frequencies are chosen.
    Governor(Option<String>),
    /// CPU time that the host gave to others while it was measured, as a share of all.
    Steal(Ratio),
    /// Time for which the control group had used up its quota while it was measured, as a share.
    Throttling(Ratio),
    /// What the control group may use.
    Cgroup {
        /// Processors' worth of time.
        cpu_quota: Option<f64>,
        /// Bytes.
        memory_bytes_max: Option<u64>,
    },
    /// The version of valgrind, which the work lane needs.
    Valgrind(Option<String>),
    /// The version of perf, which `profile` can use, and who may use it.
    Perf {
        /// The version.
        version: Option<String>,
        /// The kernel's setting.
        paranoid: Option<i32>,
    },
    /// Memory, in bytes.
    Memory {
        /// What programs can get.
        available_bytes: Option<u64>,
        /// What was swapped out.
        swap_used_bytes: Option<u64>,
    },
    /// Room for results, in bytes.
    Disk {
        /// What is left.
        left_bytes: u64,
    },
    /// What the kernel reads the time from.
    Clock(Option<String>),
}

impl MachineFinding {
    /// Returns whether measurements are as good as they can be in this respect.
    pub fn is_sound(&self) -> bool {
        match self {
            Self::Cores { cpus, load_mean } => {
                *cpus >= 2 && load_mean.is_none_or(|mean| mean < 0.5 * *cpus as f64)
            }
            Self::Pinning { is_split } => *is_split,
            Self::Governor(governor) => {
                governor.as_deref().is_none_or(|name| name == "performance")
            }
            Self::Steal(share) | Self::Throttling(share) => share.0 < TAKEN_MAX,
            Self::Cgroup { cpu_quota, memory_bytes_max } => {
                cpu_quota.is_none_or(|cpus| cpus >= 2.0)
                    && memory_bytes_max.is_none_or(|bytes| bytes >= MEMORY_BYTES_MIN)
            }
            Self::Valgrind(version) => version.is_some(),
            // Nothing that decides needs it.
            Self::Perf { .. } => true,
            Self::Memory { available_bytes, swap_used_bytes } => {
                available_bytes.is_none_or(|bytes| bytes >= MEMORY_BYTES_MIN)
                    && swap_used_bytes.is_none_or(|bytes| bytes == 0)
            }
            Self::Disk { left_bytes } => *left_bytes >= DISK_BYTES_MIN,
            Self::Clock(source) => {
                // A clock that needs a call into the kernel, or to the host, for each reading.
                source
                    .as_deref()
                    .is_none_or(|name| matches!(name, "tsc" | "kvm-clock" | "arch_sys_counter"))
            }
        }
    }
}

/// What a short comparison of one build with itself says.
#[derive(Debug)]
pub enum NoiseFinding {
    /// It could not be measured.
    NotMeasured(FailureReport),
    /// How much launch pairs scatter, and what follows.
    Measured {
        /// How many there were.
        launch_pairs: usize,
        /// How long one took.
        launch_pair: Duration,
        /// Standard deviation of one launch pair, ln(head / base), of each metric that decides.
        spreads: Vec<MetricChange>,
        /// What comparisons of different lengths find.
        forecasts: Vec<SensitivityForecast>,
    },
}

/// What a comparison of a length will find.
#[derive(Debug, Clone, PartialEq)]
pub struct SensitivityForecast {
    /// The time for measuring.
    pub budget: Duration,
    /// Launch pairs that fit into it, or that the configuration allows.
    pub launch_pairs: usize,
    /// The smallest change that is found four times in five, ln(head / base), of each metric that
    /// decides; empty where so few launch pairs cannot decide.
    pub smallest: Vec<MetricChange>,
}

/// Reads the machine's settings, and measures its noise.
pub fn doctor(
    options: &DoctorOptions,
    events: &mut dyn EventSink,
    cancel: &Cancel,
) -> Result<DoctorOutcome> {
    let selection = &options.selection;
    let mut suite = selection.suite(TargetUse::Needed)?;
    let launch_pairs_max = suite.sampling.launch_pairs_max;
    suite.sampling.launch_pairs_max = launch_pairs_max.min(LAUNCH_PAIRS);
    // Counts do not scatter with the machine.
    suite.lanes.work = LaneMode::Off;
    selection.prepare(events)?;
    let settings = HostSettings::read();
    let finder = BuildFinder { selection, suite: &suite, cancel };
    let head = finder.head(None, events)?;
    let builds = BuildPair::given(head.clone(), head);
    let (before, logs) = (HostInterference::now(), selection.out.join("logs"));
    let ending = ComparisonEnding::default();
    let mut run = measure::paired(&finder, &builds, logs, &ending, events)?;
    let twins = twins::keep(&finder, &mut run)?;
    let taken = HostInterference::now().since(before);
    let mut findings = settings_findings(&settings);
    findings.extend(taken_findings(taken, &run, settings.cpus));
    let room = statvfs(&selection.out)?;
    findings.push(MachineFinding::Disk { left_bytes: room.f_bavail.saturating_mul(room.f_frsize) });
    let noise = noise(&run, launch_pairs_max)?;
    let offsets = Comparison::of(&run)?.machine_offsets().cloned();
    Ok(DoctorOutcome { findings, noise, twins, offsets })
}

fn settings_findings(settings: &HostSettings) -> Vec<MachineFinding> {
    let HostSettings { cpus, load_mean, memory_bytes_max, cpu_quota, .. } = *settings;
    vec![
        MachineFinding::Cores { cpus, load_mean },
        MachineFinding::Pinning { is_split: settings.is_split },
        MachineFinding::Governor(settings.governor.clone()),
        MachineFinding::Clock(settings.clock_source.clone()),
        MachineFinding::Cgroup { cpu_quota, memory_bytes_max },
        MachineFinding::Memory {
            available_bytes: settings.memory_available_bytes,
            swap_used_bytes: settings.swap_used_bytes,
        },
        MachineFinding::Valgrind(profile::valgrind_version().ok()),
        MachineFinding::Perf {
            version: profile::perf_version().ok(),
            paranoid: settings.perf_paranoid,
        },
    ]
}

/// What others took while it was measured.
fn taken_findings(taken: HostInterference, run: &Run, cpus: usize) -> [MachineFinding; 2] {
    let wall = Duration::from_nanos(run.wall_ns.max(1)).as_secs_f64();
    let all = wall * cpus.max(1) as f64;
    [
        MachineFinding::Steal(Ratio(taken.steal.as_secs_f64() / all)),
        MachineFinding::Throttling(Ratio(taken.throttled.as_secs_f64() / all)),
    ]
}

fn noise(run: &Run, launch_pairs_max: usize) -> Result<NoiseFinding> {
    let comparison = Comparison::of(run)?;
    if let ComparisonOutcome::NotMeasured(reason) = comparison.outcome {
        return Ok(NoiseFinding::NotMeasured(reason));
    }
    let launch_pairs = comparison.method.launches;
    let launch_pair = stopping::launch_pair(run, |_| true).unwrap_or_default();
    let spread = |row: &compare::MetricResult| {
        let of = ScenarioMetric::of(row);
        let spread_ln = row.side_by_side()?.spread_ln;
        spread_ln.is_finite().then_some(MetricChange { of, change_ln: spread_ln })
    };
    let forecasts = BUDGETS.map(|budget| {
        let fit = stopping::launch_pairs_within(budget, launch_pair, Duration::ZERO);
        let launch_pairs = fit.min(launch_pairs_max);
        SensitivityForecast { budget, launch_pairs, smallest: smallest(&comparison, launch_pairs) }
    });
    Ok(NoiseFinding::Measured {
        launch_pairs,
        launch_pair,
        spreads: comparison.rows.iter().filter_map(spread).collect(),
        forecasts: forecasts.to_vec(),
    })
}

fn smallest(comparison: &Comparison, launch_pairs: usize) -> Vec<MetricChange> {
    let found = comparison.foreseeable(launch_pairs).into_iter();
    found
        .map(|(row, change_ln)| {
            let of = ScenarioMetric::of(row);
            MetricChange { of, change_ln }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use record::fixtures::{LEVEL, paired};

    use super::*;

    #[test]
    fn more_time_finds_smaller_changes_until_the_cap() {
        let mut run = paired(12, LEVEL, LEVEL);
        run.wall_ns = 12 * 4_000_000_000;
        let NoiseFinding::Measured { launch_pair, forecasts, spreads, .. } =
            noise(&run, 50).unwrap()
        else {
            panic!("it was measured")
        };
        assert_eq!(launch_pair, Duration::from_secs(4));
        assert_eq!(forecasts.iter().map(|it| it.launch_pairs).collect::<Vec<_>>(), [15, 45, 50]);
        let first = |forecast: &SensitivityForecast| forecast.smallest[0].change_ln;
        assert!(first(&forecasts[0]) > first(&forecasts[1]));
        assert!(first(&forecasts[1]) > first(&forecasts[2]));
        assert_eq!(spreads.len(), forecasts[2].smallest.len());
    }

    #[test]
    fn what_takes_from_a_measurement_is_not_sound() {
        let sound = [
            MachineFinding::Cores { cpus: 2, load_mean: Some(0.3) },
            MachineFinding::Governor(None),
            MachineFinding::Steal(Ratio(0.001)),
            MachineFinding::Clock(Some("tsc".to_owned())),
        ];
        let faulty = [
            MachineFinding::Cores { cpus: 1, load_mean: None },
            MachineFinding::Cores { cpus: 2, load_mean: Some(6.0) },
            MachineFinding::Governor(Some("powersave".to_owned())),
            MachineFinding::Throttling(Ratio(0.2)),
            MachineFinding::Valgrind(None),
            MachineFinding::Clock(Some("hpet".to_owned())),
            MachineFinding::Disk { left_bytes: 1 << 20 },
        ];
        assert!(sound.iter().all(MachineFinding::is_sound));
        assert!(!faulty.iter().any(MachineFinding::is_sound));
    }
}
