//! Tries whether a change of a known size would be found here, on the user's own API.
//!
//! One build is set against itself. Of every few requests to the one that stands for head, one is sent and
//! not counted: what a unit costs is then higher by a known share, the same in every launch. By chance
//! instead, the dose itself would scatter by 0.85 %. It moves CPU time and throughput a unit, and no
//! response time.

use anyhow::{Result, ensure};
use compare::Comparison;
use record::Revision;
use runner::SutBuild;
use suite::LaneMode;
use units::Ratio;
use units::cancel::Cancel;

use crate::app::builds::{BuildFinder, BuildPair};
use crate::app::event::EventSink;
use crate::app::measure::{self, AttemptContext, ComparisonEnding};
use crate::app::selection::{SuiteSelection, TargetUse};
use crate::app::twins;

/// The doses that can be sent: one request in two is not counted at most.
const DOSES: std::ops::RangeInclusive<f64> = 0.001..=1.0;

/// What is tried.
#[derive(Debug, Clone)]
pub struct DoseOptions {
    /// The choice of what is measured.
    pub selection: SuiteSelection,
    /// What is sent to head beyond what is counted; none to see what two equal builds look like here.
    pub dose: Option<Ratio>,
    /// When measuring ends.
    pub ending: ComparisonEnding,
}

/// What was sent, and what of it was seen.
#[derive(Debug)]
pub struct DoseOutcome {
    /// The share that was sent beyond what was counted; 0 of a twin.
    pub sent: Ratio,
    /// Of so many requests one was not counted; none of a twin.
    pub uncounted_every: Option<u64>,
    /// The comparison of the build with itself.
    pub comparison: Comparison,
    /// How many comparisons of a build with itself are kept of this machine; 0 where a dose was sent.
    pub twins: usize,
}

/// Sends the dose, and returns what was seen.
pub fn send(
    options: &DoseOptions,
    events: &mut dyn EventSink,
    cancel: &Cancel,
) -> Result<DoseOutcome> {
    let uncounted_every = options.dose.map(uncounted_every).transpose()?;
    let mut suite = options.selection.suite(TargetUse::Needed)?;
    // What is counted under callgrind is another stream of requests.
    suite.lanes.work = LaneMode::Off;
    options.selection.prepare(events)?;
    let finder = BuildFinder { selection: &options.selection, suite: &suite, cancel };
    let head = finder.head(None, events)?;
    let revision = Revision { label: "itself".to_owned(), ..head.revision.clone() };
    let base = SutBuild { revision, source: head.source.clone() };
    let builds = BuildPair::given(base, head);
    let logs = options.selection.out.join("logs");
    let context = AttemptContext { uncounted_every, ..AttemptContext::default() };
    let mut run = measure::attempt(&finder, &builds, logs, &options.ending, context, events)?;
    let twins = if uncounted_every.is_none() { twins::keep(&finder, &mut run)? } else { 0 };
    let sent = uncounted_every.map_or(0.0, |every| 1.0 / (units::exact(every) - 1.0));
    let comparison = Comparison::of(&run)?;
    Ok(DoseOutcome { sent: Ratio(sent), uncounted_every, comparison, twins })
}

/// Of how many requests one is not counted, so that the others cost so much more.
fn uncounted_every(dose: Ratio) -> Result<u64> {
    ensure!(DOSES.contains(&dose.0), "a dose of {dose} is not between 0.1 and 100 %");
    let counted = units::whole((1.0 / dose.0).round());
    Ok(counted.expect("a dose has an inverse of moderate size") + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dose_is_a_whole_number_of_requests() {
        let every = |dose| uncounted_every(Ratio(dose)).ok();
        assert_eq!([every(0.03), every(0.1), every(1.0)], [Some(34), Some(11), Some(2)]);
        assert_eq!([every(0.0), every(-0.1), every(f64::NAN), every(2.0)], [None; 4]);
    }
}
