//! Which scenarios of a suite this machine measures, where several share them.

use std::time::Duration;

use miette::Diagnostic;
use record::shard::{ShardNumber, ShardRecord, balance};
use record::{LaunchResult, Run};
use thiserror::Error;

use crate::{LoadAmount, SamplingPlan, Scenario, Suite, WorkloadModel};

/// Rates that a search for the highest one tries, about.
const CAPACITY_TRIALS: u32 = 10;

/// Why a suite has no such part.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
pub enum ShardError {
    /// A part would have nothing to measure.
    #[error("shard {part} is one too many: the suite has {scenarios} scenarios")]
    #[diagnostic(help("make at most as many shards as there are scenarios"))]
    TooMany {
        /// The part.
        part: ShardNumber,
        /// Scenarios of the suite.
        scenarios: usize,
    },
}

impl Suite {
    /// Leaves the scenarios of one part, so that all parts take about the same time. That is what each
    /// scenario took in an `earlier` run that sent the same, and else what the configuration says.
    ///
    /// Every machine has to divide by the same run, or by none.
    pub fn keep_part(
        &mut self,
        part: ShardNumber,
        earlier: Option<&Run>,
    ) -> Result<(), ShardError> {
        let scenarios = self.scenarios.len();
        if part.of() > scenarios {
            return Err(ShardError::TooMany { part, scenarios });
        }
        let time = |scenario: &Scenario| {
            let recorded = earlier.and_then(|run| recorded_time(run, scenario, &self.sampling));
            let load = recorded.unwrap_or_else(|| scenario.planned_time(&self.sampling));
            units::nanos(load + scenario.warm_up(&self.sampling).least())
        };
        let times: Vec<u64> = self.scenarios.iter().map(time).collect();
        let chosen = balance(&times, part.of());
        let suite = self.scenarios.iter().map(|it| it.name.clone()).collect();
        let all = std::mem::take(&mut self.scenarios).into_iter().zip(chosen);
        let own = all.filter(|(_, chosen)| chosen + 1 == part.number());
        self.scenarios = own.map(|(scenario, _)| scenario).collect();
        self.shard = Some(ShardRecord { part, suite });
        Ok(())
    }
}

impl Scenario {
    /// Returns how long a launch is driven by the configuration, without warm-up; of a number of requests, as
    /// long as of any other scenario.
    fn planned_time(&self, sampling: &SamplingPlan) -> Duration {
        match &self.load.model {
            WorkloadModel::Closed { amount: LoadAmount::For(time), .. } => *time,
            WorkloadModel::Closed {
                amount: LoadAmount::Time | LoadAmount::Requests(_), ..
            } => sampling.load.usual(),
            WorkloadModel::Steps { connections, .. } => {
                sampling.load.usual() * u32::try_from(connections.len()).unwrap_or(u32::MAX)
            }
            WorkloadModel::Open { schedule, .. } => schedule.lasts(),
            WorkloadModel::Capacity { trial, .. } => *trial * CAPACITY_TRIALS,
        }
    }
}

/// How long a launch of a scenario was driven on average, if the run had it.
fn recorded_time(run: &Run, scenario: &Scenario, sampling: &SamplingPlan) -> Option<Duration> {
    let workload = scenario.workload(sampling);
    let is_same =
        |it: &&record::ScenarioRun| it.name == scenario.name && it.workload.measures_as(&workload);
    let launches: Vec<&LaunchResult> = run.scenarios.iter().find(is_same)?.head();
    let count = u64::try_from(launches.len()).ok().filter(|count| *count > 0)?;
    let total: u64 = launches.iter().map(|launch| launch.wall_ns).sum();
    Some(Duration::from_nanos(total / count))
}

#[cfg(test)]
mod tests {
    use record::ScenarioRun;
    use record::fixtures::{LEVEL, alone};

    use super::*;
    use crate::config::{self, ConfigOverrides};

    fn suite() -> Suite {
        let scenario = |name: &str, load: &str| {
            format!("[[scenario]]\nname = \"{name}\"\nload = {{ duration = \"{load}\" }}\n")
        };
        let text = [("a", "4 s"), ("b", "2 s"), ("c", "1 s"), ("d", "1 s")];
        let text: String = text.map(|(name, load)| scenario(name, load)).concat();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("xmlperf.toml");
        std::fs::write(&path, format!("[target]\nstart = \"api {{port}}\"\n{text}")).unwrap();
        config::load(&path, &ConfigOverrides::default()).unwrap()
    }

    /// Names of the scenarios of each of so many parts.
    fn parts(of: usize, earlier: Option<&Run>) -> Vec<String> {
        let part = |number: usize| {
            let mut suite = suite();
            let part = ShardNumber::parse(&format!("{number}/{of}")).unwrap();
            suite.keep_part(part, earlier).unwrap();
            let names: Vec<_> = suite.scenarios.into_iter().map(|it| it.name).collect();
            names.join(" ")
        };
        (1..=of).map(part).collect()
    }

    #[test]
    fn parts_take_the_same_time_by_the_configuration() {
        assert_eq!(parts(1, None), ["a b c d"]);
        assert_eq!(parts(2, None), ["a", "b c d"]);
        assert_eq!(parts(3, None), ["a", "b", "c d"]);
    }

    #[test]
    fn what_was_recorded_of_the_same_load_goes_before_the_configuration() {
        let mut run = alone(LEVEL);
        let suite = suite();
        let smoke = run.scenarios[0].clone();
        let recorded = |scenario: &Scenario, seconds: u64| {
            let mut it = ScenarioRun {
                name: scenario.name.clone(),
                workload: scenario.workload(&suite.sampling),
                ..smoke.clone()
            };
            let record::LaunchResults::Single(launches) = &mut it.trials else { panic!() };
            for launch in launches {
                launch.wall_ns = seconds * 1_000_000_000;
            }
            it
        };
        run.scenarios = vec![recorded(&suite.scenarios[0], 1), recorded(&suite.scenarios[3], 9)];
        assert_eq!(parts(2, Some(&run)), ["d", "a b c"]);
        run.scenarios[1].workload.payload = "other".to_owned();
        assert_eq!(parts(2, Some(&run)), ["b d", "a c"]);
    }

    #[test]
    fn there_are_at_most_as_many_parts_as_scenarios() {
        let part = ShardNumber::parse("2/5").unwrap();
        let error = suite().keep_part(part, None).unwrap_err();
        assert_eq!(error.to_string(), "shard 2/5 is one too many: the suite has 4 scenarios");
    }
}
