//! How small a change so many launch pairs would show, and how many a change takes.

use crate::decision::{DecisionRule, LAUNCH_PAIRS_MAX};
use crate::evidence_path::EvidenceRow;
use crate::{Comparison, MetricResult};

/// Numbers of launch pairs that a reader would think of.
const LAUNCH_PAIRS: [usize; 9] = [8, 10, 14, 20, 30, 50, 80, 120, 200];

/// The change that a number of launch pairs shows four times in five.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SensitivityPoint {
    /// Launch pairs.
    pub launch_pairs: usize,
    /// How long they take at the pace of this run, in nanoseconds.
    pub time_ns: f64,
    /// ln(head / base) of the change.
    pub detectable_ln: f64,
}

impl Comparison {
    /// Returns what more or fewer launch pairs would show of a row, from the scatter of this run's; nothing
    /// of one that launch pairs do not decide. Numbers that can't decide anything are left out.
    pub fn sensitivity(&self, row: &MetricResult) -> Vec<SensitivityPoint> {
        let Some((known, spread_ln)) = self.scatter(row) else { return Vec::new() };
        let point = |launch_pairs| SensitivityPoint {
            launch_pairs,
            time_ns: launch_pairs as f64 * self.evidence.pair_ns,
            detectable_ln: self.detectable_ln(known, spread_ln, launch_pairs),
        };
        let points = LAUNCH_PAIRS.map(point).into_iter();
        points.filter(|point| point.detectable_ln.is_finite()).collect()
    }

    /// Returns how many launch pairs show a change of this size four times in five, as a logarithm; none
    /// if no number does.
    pub fn launch_pairs_to_see(
        &self,
        row: &MetricResult,
        change_ln: f64,
    ) -> Option<SensitivityPoint> {
        let (known, spread_ln) = self.scatter(row)?;
        let shows = |n: usize| self.detectable_ln(known, spread_ln, n) <= change_ln;
        if !shows(LAUNCH_PAIRS_MAX) {
            return None;
        }
        let (mut too_few, mut enough) = (0, LAUNCH_PAIRS_MAX);
        while enough - too_few > 1 {
            let middle = usize::midpoint(too_few, enough);
            if shows(middle) { enough = middle } else { too_few = middle }
        }
        Some(SensitivityPoint {
            launch_pairs: enough,
            time_ns: enough as f64 * self.evidence.pair_ns,
            detectable_ln: self.detectable_ln(known, spread_ln, enough),
        })
    }

    fn scatter(&self, row: &MetricResult) -> Option<(&EvidenceRow, f64)> {
        let known = self.evidence.row(row)?;
        let spread_ln = row.side_by_side()?.spread_ln;
        spread_ln.is_finite().then_some((known, spread_ln))
    }

    fn detectable_ln(&self, row: &EvidenceRow, spread_ln: f64, launch_pairs_max: usize) -> f64 {
        let rule = DecisionRule { alpha: self.evidence.alpha, launch_pairs_max };
        rule.detectable_ln(spread_ln, row.hypothesis, self.evidence.family())
    }
}

#[cfg(test)]
mod tests {
    use record::fixtures::{LEVEL, paired};

    use super::*;

    #[test]
    fn more_launch_pairs_show_smaller_changes_and_their_own_number_what_the_row_says() {
        let comparison = Comparison::of(&paired(10, LEVEL, LEVEL)).unwrap();
        let row = comparison.rows.iter().find(|row| row.verdict().is_some()).unwrap();
        let points = comparison.sensitivity(row);
        assert!(points.len() > 4, "{points:?}");
        assert!(points.windows(2).all(|it| it[0].detectable_ln >= it[1].detectable_ln));
        let (known, spread_ln) = comparison.scatter(row).unwrap();
        let planned = comparison.detectable_ln(known, spread_ln, 40);
        assert!((planned - row.judgement().unwrap().mde_ln).abs() < 1e-12);
        let needed = comparison.launch_pairs_to_see(row, planned).unwrap();
        assert!(needed.launch_pairs <= 40 && needed.detectable_ln <= planned, "{needed:?}");
        assert_eq!(comparison.launch_pairs_to_see(row, 1e-9), None, "the floor is never crossed");
    }
}
