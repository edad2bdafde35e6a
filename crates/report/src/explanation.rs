//! What has to be said of a row beside its numbers, so that it does not look like a contradiction: what would decide
//! one that is not decided, and why numbers that differ do so rightly.

use compare::decision::{Judgement, Verdict};
use compare::{Comparison, MetricFinding, MetricResult};
use record::metric::gate::MetricPolicy;
use units::text::plural;

use crate::page::{focus, rule};
use crate::wording::{self, DecisionNeed, quoted};

/// Rows that are explained, at most: the page explains all.
const ROWS_MAX: usize = 6;

/// Returns a sentence for each row that decides and is not decided, or looks like a contradiction; the gravest first.
pub(super) fn lines(comparison: &Comparison) -> Vec<String> {
    let mut rows: Vec<(&MetricResult, String)> = comparison
        .rows
        .iter()
        .filter(|row| row.rule.policy == MetricPolicy::Gate)
        .filter_map(|row| Some((row, explanation(comparison, row)?)))
        .collect();
    rows.sort_by_key(|(row, _)| focus::gravity(row));
    let left_out = rows.len().saturating_sub(ROWS_MAX);
    let shown = rows.iter().take(ROWS_MAX);
    let mut lines: Vec<String> =
        shown.map(|(row, said)| format!("{}: {said}", name(row))).collect();
    if left_out > 0 {
        lines.push(format!("{} more are explained on the page", plural(left_out, "row")));
    }
    lines
}

fn name(row: &MetricResult) -> String {
    format!("{} {}", quoted(&row.subject()), row.label())
}

fn explanation(comparison: &Comparison, row: &MetricResult) -> Option<String> {
    let undecided = row.verdict() == Some(Verdict::Inconclusive);
    let distance = undecided.then(|| rule::distance(comparison, row)).flatten();
    let parts: Vec<String> = distance.into_iter().chain(rule::remark(row)).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// Returns what it means that a row needs so large a change, and what to do; nothing where no row does.
pub(super) fn noise(comparison: &Comparison) -> Option<String> {
    let noisy = comparison.rows.iter().filter_map(|row| Some((row, too_noisy(row)?)));
    let (row, judgement) = noisy.max_by(|(_, a), (_, b)| a.mde_ln.total_cmp(&b.mde_ln))?;
    let needs = wording::needs(row, judgement);
    let lacks = match DecisionNeed::of(judgement) {
        DecisionNeed::Change(_) => format!("{needs}: this machine was too noisy to show less"),
        DecisionNeed::FirstLook | DecisionNeed::Interval | DecisionNeed::Evidence => needs,
    };
    let enough = comparison.launch_pairs_to_see(row, row.rule.tolerance.ln());
    let enough = match enough.filter(|it| it.launch_pairs > judgement.sample) {
        Some(enough) => format!(
            "about {} in all ({}) would show {}",
            plural(enough.launch_pairs, "launch pair"),
            units::time_ns(enough.time_ns),
            row.rule.tolerance
        ),
        None => "more launch pairs would show more".to_owned(),
    };
    let remedy = if comparison.attempts.is_some() {
        "run the job again, which adds to the evidence, or give it more time by `--budget`"
    } else {
        "give it more time by `--budget`, or a quieter machine"
    };
    Some(format!("⚪ {lacks} in {}; {enough}: {remedy}", name(row)))
}

/// The judgement of a row that scatter alone kept from being decided.
fn too_noisy(row: &MetricResult) -> Option<&Judgement> {
    match &row.finding {
        MetricFinding::Judged(judgement)
            if judgement.verdict == Verdict::Inconclusive
                && row.suspicion.is_none()
                && judgement.mde_ln.is_finite()
                && !wording::is_outvoted(row, judgement) =>
        {
            Some(judgement)
        }
        MetricFinding::Judged(_)
        | MetricFinding::Alone
        | MetricFinding::Recalled(_)
        | MetricFinding::Reported(_)
        | MetricFinding::Undecidable(_)
        | MetricFinding::Missing(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use record::Run;
    use record::fixtures::{LEVEL, SampleLaunch, counted, paired};

    use super::*;

    fn comparison(run: &Run) -> Comparison {
        Comparison::of(run).unwrap()
    }

    #[test]
    fn a_decided_run_needs_no_explanation_and_an_undecided_one_says_what_would_decide_it() {
        let decided = comparison(&paired(14, LEVEL, LEVEL));
        assert_eq!(lines(&decided), [""; 0]);
        assert_eq!(noise(&decided), None);
        let said = lines(&comparison(&paired(5, LEVEL, LEVEL)));
        assert!(said.iter().all(|line| line.starts_with("`smoke` ")), "{said:?}");
        assert!(said[0].contains("launch pairs"), "{said:?}");
    }

    #[test]
    fn work_beside_time_says_what_it_does_not_count() {
        let mut run = paired(14, LEVEL, SampleLaunch { cpu_us: 567, ..LEVEL });
        run.scenarios[0].work = Some(counted(64_800.0, 84_240.0));
        let said = lines(&comparison(&run));
        let work = said.iter().find(|line| line.contains("the kernel's instructions"));
        assert!(work.is_some_and(|line| line.starts_with("`smoke` work")), "{said:?}");
    }
}
