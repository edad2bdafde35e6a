//! The rule of a row, and how far the row is from it: what a reader needs to see that a verdict follows.

use compare::decision::history::HistoryClaim;
use compare::decision::{Judgement, Verdict};
use compare::sensitivity::SensitivityPoint;
use compare::{Comparison, ComparisonOutcome, MetricFinding, MetricResult, Suspicion};
use record::metric::Metric;
use record::metric::gate::MetricPolicy;
use units::Ratio;
use units::text::plural;

use crate::unbroken::NO_BREAK;
use crate::wording::{self, SampleUnit};

/// Returns what makes the row red, and what makes it unchanged; nothing of a row that does not decide, whose
/// verdict says that.
pub(crate) fn rule(row: &MetricResult) -> Option<String> {
    if row.rule.policy != MetricPolicy::Gate {
        return None;
    }
    if wording::counts_any_increase(row) {
        return Some("any increase counts".to_owned());
    }
    let (floor, tolerance) = (row.rule.floor, wording::tolerance(row));
    if floor.0 >= row.rule.tolerance.0 {
        return Some(format!("nothing below {tolerance} counts"));
    }
    let floor = wording::floor(floor);
    Some(format!("floor{NO_BREAK}{floor}, tolerance{NO_BREAK}±{tolerance}"))
}

/// Returns how the row lies to its rule, and where it is undecided what would decide it; nothing where
/// there is no more to say than the verdict does.
pub(crate) fn distance(comparison: &Comparison, row: &MetricResult) -> Option<String> {
    if let Some(suspicion) = row.suspicion {
        return Some(remedy(suspicion).to_owned());
    }
    match &row.finding {
        // More launch pairs mend no run that could not be measured.
        MetricFinding::Judged(Judgement { verdict: Verdict::Inconclusive, .. })
            if matches!(comparison.outcome, ComparisonOutcome::NotMeasured(_)) =>
        {
            Some("the run ended before it was decided".to_owned())
        }
        MetricFinding::Judged(judgement) => Some(judged(comparison, row, judgement)),
        MetricFinding::Recalled(recalled) => Some(match recalled.claim {
            HistoryClaim::NotFound => {
                "nothing was found, which does not show that nothing is there".to_owned()
            }
            HistoryClaim::Suspected => {
                "measuring side by side, or a second job, decides it".to_owned()
            }
            HistoryClaim::Shown => shown(row, &recalled.judgement)?,
        }),
        MetricFinding::Reported(_)
        | MetricFinding::Alone
        | MetricFinding::Undecidable(_)
        | MetricFinding::Missing(_) => None,
    }
}

/// What decides a row that something beside the program explains as well.
fn remedy(suspicion: Suspicion) -> &'static str {
    match suspicion {
        Suspicion::OneMachine => {
            "the builds lie where one machine put them: a second machine decides it (`compare --confirm`)"
        }
        Suspicion::Layout => {
            "functions lie elsewhere, and neither instructions nor waiting explain it: `[target] layout` decides it"
        }
        Suspicion::CodeGeneration => {
            "a compiler makes so many more of the same source: slower CPU time, or a hunk without which they go, \
             decides it"
        }
    }
}

fn judged(comparison: &Comparison, row: &MetricResult, judgement: &Judgement) -> String {
    if let Some(said) = shown(row, judgement) {
        return said;
    }
    let (floor, tolerance) = (row.rule.floor.ln(), row.rule.tolerance.ln());
    let Judgement { low_ln, high_ln, p_slower, p_faster, sample, .. } = *judgement;
    if sample == 0 {
        return "no launch pair has been looked at yet".to_owned();
    }
    let family = comparison.method.family;
    let alpha = Ratio(comparison.evidence.alpha);
    if !low_ln.is_finite() && !high_ln.is_finite() {
        let needed =
            comparison.launch_pairs_to_see(row, tolerance).filter(|it| it.launch_pairs > sample);
        return needed.map_or_else(
            || "too few launch pairs for an interval".to_owned(),
            |needed| format!("too few launch pairs for an interval: {}", would_show(&needed, row)),
        );
    }
    if wording::is_outvoted(row, judgement) {
        let (side, p) = if low_ln > floor {
            ("above the floor", p_slower)
        } else {
            ("beyond the floor, for the better", p_faster)
        };
        return format!(
            "by itself {side}; as one of {} it needs p ≤ {alpha}, and has {}",
            plural(family, "comparison"),
            units::probability(p)
        );
    }
    if -tolerance < low_ln && high_ln < tolerance {
        let p = units::probability(judgement.p_unchanged);
        return format!(
            "by itself within the tolerance; the evidence for that needs p ≤ {alpha}, and has {p}"
        );
    }
    match SampleUnit::of(row) {
        SampleUnit::Launch => {
            return "more counted launches narrow the interval (`[work] launches`)".to_owned();
        }
        SampleUnit::LaunchPair | SampleUnit::Run | SampleUnit::Pair => {}
    }
    let needed = comparison.launch_pairs_to_see(row, tolerance);
    match needed.filter(|it| it.launch_pairs > sample) {
        Some(needed) => format!("too noisy here: {}", would_show(&needed, row)),
        None if needed.is_some() => "further launch pairs would decide it".to_owned(),
        None => "too noisy here: no number of launch pairs would decide it".to_owned(),
    }
}

fn would_show(needed: &SensitivityPoint, row: &MetricResult) -> String {
    format!(
        "about {} in all ({}) would show a change of {}",
        needed.launch_pairs,
        units::time_ns(needed.time_ns),
        row.rule.tolerance,
    )
}

/// Returns what else of a row may look like a contradiction, and is none.
pub(crate) fn remark(row: &MetricResult) -> Option<String> {
    let changed = matches!(row.verdict(), Some(Verdict::Regressed | Verdict::Improved));
    match row.quotient_outside_ln() {
        Some(quotient_ln) => Some(format!(
            "the typical launches differ by {}: launches scatter more than the two of a pair do",
            units::change(quotient_ln)
        )),
        None if row.metric == Metric::Work && changed => Some(
            "the kernel's instructions and waiting are not counted here; CPU time and latency show them"
                .to_owned(),
        ),
        None => None,
    }
}

/// What a verdict other than *can't tell* rests on.
fn shown(row: &MetricResult, judgement: &Judgement) -> Option<String> {
    let floor = row.rule.floor.ln();
    match judgement.verdict {
        Verdict::Regressed if judgement.low_ln >= floor => {
            Some("the whole interval is worse than the floor".to_owned())
        }
        Verdict::Improved if judgement.high_ln <= -floor => {
            Some("the whole interval is better than the floor".to_owned())
        }
        Verdict::Regressed | Verdict::Improved => {
            Some("the evidence of all launch pairs is beyond the floor".to_owned())
        }
        Verdict::Unchanged => Some("the whole interval is within the tolerance".to_owned()),
        Verdict::Inconclusive => None,
    }
}

#[cfg(test)]
mod tests {
    use record::Run;
    use record::fixtures::{LEVEL, SampleLaunch, paired};

    use super::*;
    use crate::unbroken::breakable;

    fn cpu(run: &Run) -> (String, String) {
        let comparison = Comparison::of(run).unwrap();
        let row = comparison.rows.iter().find(|row| row.metric == Metric::Cpu).unwrap();
        (rule(row).unwrap(), distance(&comparison, row).unwrap())
    }

    #[test]
    fn a_row_says_its_rule_and_why_it_is_what_it_is() {
        let slower = SampleLaunch { cpu_us: 572, ..LEVEL };
        let check = |run: &Run, expected: &str| {
            let (rule, distance) = cpu(run);
            assert_eq!(breakable(&rule), "floor 1 %, tolerance ±3 %");
            assert!(distance.starts_with(expected), "{distance}");
        };
        check(&paired(14, LEVEL, slower), "the whole interval is worse than the floor");
        check(&paired(14, LEVEL, LEVEL), "the whole interval is within the tolerance");
        check(&paired(5, LEVEL, slower), "too few launch pairs for an interval: about 10 in all (");
    }

    #[test]
    fn a_row_that_is_suspected_says_what_decides_it() {
        let remedies = [Suspicion::OneMachine, Suspicion::Layout, Suspicion::CodeGeneration];
        assert!(remedies.into_iter().all(|it| remedy(it).contains("decides it")));
        let mut run = paired(14, LEVEL, LEVEL);
        run.scenarios[0].work = Some(record::fixtures::counted(64_800.0, 65_500.0));
        let comparison = Comparison::of(&run).unwrap();
        let row = comparison.rows.iter().find(|row| row.suspicion.is_some()).unwrap();
        assert_eq!(distance(&comparison, row), Some(remedy(Suspicion::CodeGeneration).to_owned()));
    }

    #[test]
    fn a_row_that_is_above_the_floor_by_itself_says_what_the_family_asks_for() {
        let slower = SampleLaunch { cpu_us: 572, ..LEVEL };
        let undecided = (6..14).map(|n| cpu(&paired(n, LEVEL, slower)).1);
        let said = undecided.filter(|it| it.starts_with("by itself above the floor")).count();
        assert!(said > 0, "between the interval and the verdict lies what the family costs");
    }
}
