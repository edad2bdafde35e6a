//! What will be detectable in the time that a comparison may take.

use std::time::Duration;

use compare::Comparison;
use compare::stopping;
use record::Run;
use units::Ratio;

/// What a comparison may cost.
#[derive(Debug, Clone, Copy)]
pub struct ComparisonBudget {
    /// Launch pairs at most.
    pub launch_pairs_max: usize,
    /// Time from the first count or launch to the verdict, if it is limited.
    pub budget: Option<Duration>,
}

impl ComparisonBudget {
    /// Returns what a comparison like an earlier one will be able to see, in a sentence; nothing if
    /// the earlier one says too little.
    pub fn foresee(&self, earlier: &Run) -> Option<String> {
        let comparison = Comparison::of(earlier).ok()?;
        let counting = Duration::from_nanos(earlier.counting_ns);
        let launch_pair = stopping::launch_pair(earlier, |_| true)?;
        let launch_pairs_max = self.launch_pairs_max(launch_pair, counting);
        let took = units::duration(launch_pair);
        let plan =
            format!("at most {launch_pairs_max} launch pairs; one took {took} the last time");
        let visible = comparison.foreseeable(launch_pairs_max);
        let visible: Vec<String> = visible
            .into_iter()
            .map(|(row, mde_ln)| {
                let name = format!("{} {}", row.scenario, row.label());
                format!("{name} {:.1} %", 100.0 * Ratio::from_ln(mde_ln).0)
            })
            .collect();
        Some(if visible.is_empty() {
            plan
        } else {
            format!("{plan}. Visible four times in five, from: {}", visible.join(", "))
        })
    }

    fn launch_pairs_max(&self, launch_pair: Duration, counting: Duration) -> usize {
        let Some(budget) = self.budget else { return self.launch_pairs_max };
        stopping::launch_pairs_within(budget, launch_pair, counting).min(self.launch_pairs_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::fixtures::{LEVEL, paired};

    #[test]
    fn the_last_run_says_what_will_be_visible() {
        let mut run = paired(14, LEVEL, LEVEL);
        run.wall_ns = 14 * 3_000_000_000;
        let foresee = |budget_s| {
            let budget = Some(Duration::from_secs(budget_s));
            ComparisonBudget { launch_pairs_max: 50, budget }.foresee(&run).unwrap()
        };
        insta::assert_snapshot!(
            foresee(180),
            @"at most 50 launch pairs; one took 3.00 s the last time. Visible four times in five, from: smoke CPU per XML pair 1.2 %, smoke latency 1.2 %, smoke peak RSS 1.0 %"
        );
        assert_eq!(foresee(10), "at most 3 launch pairs; one took 3.00 s the last time");
    }
}
