//! What is known of the offset that the machine gives to one build, and the floor that it asks for.

use record::Run;
use record::metric::gate::MetricPolicy;
use units::Ratio;

use crate::note::{ComparisonNote, OffsetRow};
use crate::{Comparison, MetricResult};

/// A floor of so many standard deviations of the offset hides it.
const FLOOR_DEVIATIONS: f64 = 3.0;

/// Returns the offsets of the metrics that decide; none where none is known.
pub(super) fn note(run: &Run, rows: &[MetricResult]) -> Option<ComparisonNote> {
    let of_row = |row: &MetricResult| {
        let same =
            run.offsets.iter().find(|it| it.scenario == row.scenario && it.metric == row.metric);
        let known = same.filter(|_| row.rule.policy == MetricPolicy::Gate)?;
        let offset = OffsetRow {
            scenario: row.scenario.clone(),
            metric: row.metric,
            label: row.label(),
            offset: Ratio::from_ln(known.deviation_ln),
            floor_needed: Ratio::from_ln(FLOOR_DEVIATIONS * known.deviation_ln),
            floor: row.rule.floor,
        };
        Some((known.comparisons, offset))
    };
    let (comparisons, offsets): (Vec<usize>, Vec<OffsetRow>) =
        rows.iter().filter_map(of_row).unzip();
    let comparisons = comparisons.into_iter().max()?;
    Some(ComparisonNote::MachineOffsets { comparisons, offsets })
}

impl Comparison {
    /// Returns what the record says of the machine's own offset, if enough is known.
    pub fn machine_offsets(&self) -> Option<&ComparisonNote> {
        self.notes.iter().find(|note| matches!(note, ComparisonNote::MachineOffsets { .. }))
    }
}

#[cfg(test)]
mod tests {
    use record::MachineOffset;
    use record::fixtures::{LEVEL, paired};
    use record::metric::Metric;

    use super::*;

    #[test]
    fn an_offset_asks_for_a_floor_of_three_times_its_size() {
        let mut run = paired(10, LEVEL, LEVEL);
        assert_eq!(Comparison::of(&run).unwrap().machine_offsets(), None);
        let scenario = run.scenarios[0].name.clone();
        let offset = |metric, deviation_ln| MachineOffset {
            scenario: scenario.clone(),
            metric,
            deviation_ln,
            comparisons: 6,
        };
        run.offsets = vec![offset(Metric::Cpu, 0.005), offset(Metric::Latency, 0.001)];
        let said = Comparison::of(&run).unwrap().machine_offsets().unwrap().to_string();
        assert_eq!(
            said,
            "the machine's own offset of one build, by 6 comparisons with itself: `smoke` CPU per XML \
             pair 0.5 %, `smoke` latency 0.1 %; `smoke` CPU per XML pair asks for a floor of 1.51 %, and \
             has 1 %"
        );
        run.offsets = vec![offset(Metric::Cpu, 0.0001)];
        let said = Comparison::of(&run).unwrap().machine_offsets().unwrap().to_string();
        assert!(said.ends_with("below 0.05 % in each metric that decides"), "{said}");
    }
}
