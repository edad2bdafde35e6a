//! What follows from reverting hunks of a change and counting again.
//!
//! A ranking by the costs of lines names the right hunk first in three of four changes, and is wrong about its
//! share in half of them. What went away when the hunk was reverted is no guess: only that is called proven.

use record::ScenarioRun;
use record::causes::{HunkPlace, RevertCounts, RevertOutcome, WorkCauses};
use record::instruction_counts::CountOutcome;

/// The share of the growth that has to go away.
pub const SHARE_MIN: f64 = 0.5;

/// The share of one of several.
const PART_MIN: f64 = 0.1;

/// What has to go away, as a share of the work of base.
const WORK_MIN: f64 = 0.005;

/// How many times the scatter of a launch has to go away.
const SCATTERS: f64 = 3.0;

/// What went away when hunks were reverted.
#[derive(Debug, Clone, PartialEq)]
pub struct RevertFinding {
    /// The hunks: the first was to be reverted, the others had to be for it to build.
    pub hunks: Vec<HunkPlace>,
    /// What went away, as a share of the growth from base to head.
    pub share: f64,
    /// What went away, as a share of the work of base.
    pub removed: f64,
    /// The growth from base to head, as a share of the work of base.
    pub growth: f64,
    /// Standard deviation of a launch, as a share of the work of base.
    pub scatter: f64,
    /// Launches of each build.
    pub launches: usize,
}

impl RevertFinding {
    /// Returns what three builds showed; none if they were not counted, or if head does not take more.
    pub fn of(revert: &RevertCounts) -> Option<Self> {
        let hunks = revert.hunks.clone();
        let (base, head, variant) = match &revert.outcome {
            RevertOutcome::Broken => return None,
            // The same code takes the same, without counting.
            RevertOutcome::SameCode => {
                let (share, removed, growth, scatter) = (0.0, 0.0, 0.0, 0.0);
                return Some(Self { hunks, share, removed, growth, scatter, launches: 0 });
            }
            RevertOutcome::Counted { base, head, variant } => (base, head, variant),
        };
        let [of_base, of_head, of_variant] = [base, head, variant].map(|values| mean(values));
        let (growth, removed) = (of_head - of_base, of_head - of_variant);
        let scatter = pooled_deviation([base, head, variant]);
        (growth > 0.0 && of_base > 0.0).then(|| Self {
            hunks,
            share: removed / growth,
            removed: removed / of_base,
            growth: growth / of_base,
            scatter: scatter / of_base,
            launches: base.len().min(head.len()).min(variant.len()),
        })
    }

    /// Whether what went away is more than chance and more than nothing.
    fn is_clear(&self) -> bool {
        self.removed >= WORK_MIN && self.removed > SCATTERS * self.scatter
    }
}

/// Returns the reverts that together explain at least half of the growth, each at least a tenth and more than
/// chance; none if they don't.
pub fn proven(causes: &WorkCauses) -> Vec<RevertFinding> {
    let findings = causes.reverts.iter().filter_map(RevertFinding::of);
    let mut clear: Vec<_> =
        findings.filter(|finding| finding.is_clear() && finding.share >= PART_MIN).collect();
    clear.sort_by(|a, b| b.share.total_cmp(&a.share));
    match clear.first() {
        Some(first) if first.share >= SHARE_MIN => clear.truncate(1),
        // Shares of hunks that were reverted together with others are not added up.
        Some(_)
            if clear.iter().map(|it| it.share).sum::<f64>() >= SHARE_MIN && is_apart(&clear) => {}
        Some(_) | None => clear.clear(),
    }
    clear
}

/// Whether no hunk is in two of them.
fn is_apart(findings: &[RevertFinding]) -> bool {
    let mut hunks: Vec<&HunkPlace> = findings.iter().flat_map(|it| &it.hunks).collect();
    hunks.sort();
    hunks.windows(2).all(|pair| pair[0] != pair[1])
}

/// Returns whether reverting hunks proved where the work of a scenario grew.
pub(super) fn is_proven(scenario: &ScenarioRun) -> bool {
    causes(scenario).is_some_and(|causes| !proven(causes).is_empty())
}

/// Returns what is known of the causes of a scenario's change.
pub(super) fn causes(scenario: &ScenarioRun) -> Option<&WorkCauses> {
    match scenario.work.as_ref()? {
        CountOutcome::Counted(counted) => counted.causes.as_deref(),
        CountOutcome::Unavailable { .. } => None,
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The standard deviation of a value within its sample.
fn pooled_deviation(samples: [&Vec<f64>; 3]) -> f64 {
    let squares = |values: &Vec<f64>| {
        let mean = mean(values);
        values.iter().map(|value| (value - mean).powi(2)).sum::<f64>()
    };
    let freedom: usize = samples.iter().map(|values| values.len().saturating_sub(1)).sum();
    (samples.map(squares).iter().sum::<f64>() / freedom.max(1) as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use record::causes::LineSpan;

    use super::*;

    fn hunk(line: u32) -> HunkPlace {
        let span = LineSpan { start: line, count: 1 };
        HunkPlace { path: "src/a.rs".to_owned(), base: span, head: span }
    }

    /// A revert of hunks by which head came to `variant`, where base takes 10 000 and head 10 600.
    fn revert(lines: &[u32], variant: f64) -> RevertCounts {
        let values = |value: f64| (0..5).map(|i| value + f64::from(i % 2) * 4.0).collect();
        RevertCounts {
            hunks: lines.iter().copied().map(hunk).collect(),
            outcome: RevertOutcome::Counted {
                base: values(10_000.0),
                head: values(10_600.0),
                variant: values(variant),
            },
        }
    }

    fn shares(reverts: Vec<RevertCounts>) -> Vec<String> {
        let causes = WorkCauses { reverts, ..WorkCauses::default() };
        proven(&causes).iter().map(|it| format!("{:.2}", it.share)).collect()
    }

    #[test]
    fn half_of_the_growth_is_a_proof_and_less_is_none() {
        assert_eq!(shares(vec![revert(&[1], 10_020.0)]), ["0.97"]);
        assert_eq!(shares(vec![revert(&[1], 10_400.0)]), Vec::<String>::new());
        assert_eq!(shares(vec![revert(&[1], 10_400.0), revert(&[9], 10_030.0)]), ["0.95"]);
    }

    #[test]
    fn several_add_up_unless_they_share_a_hunk() {
        let two = vec![revert(&[1], 10_420.0), revert(&[9], 10_400.0), revert(&[20], 10_590.0)];
        assert_eq!(shares(two), ["0.33", "0.30"]);
        let both = vec![revert(&[1, 9], 10_420.0), revert(&[9], 10_400.0)];
        assert_eq!(shares(both), Vec::<String>::new());
    }

    #[test]
    fn what_is_small_or_within_the_scatter_is_no_proof() {
        let mut small = revert(&[1], 10_000.0);
        small.outcome = RevertOutcome::Counted {
            base: vec![10_000.0; 5],
            head: vec![10_045.0; 5],
            variant: vec![10_000.0; 5],
        };
        assert_eq!(shares(vec![small]), Vec::<String>::new());
        let mut wild = revert(&[1], 10_000.0);
        wild.outcome = RevertOutcome::Counted {
            base: vec![10_000.0, 10_400.0, 9_600.0],
            head: vec![10_600.0, 10_900.0, 10_300.0],
            variant: vec![10_000.0, 10_300.0, 9_700.0],
        };
        assert_eq!(shares(vec![wild]), Vec::<String>::new());
        let same = RevertCounts { outcome: RevertOutcome::SameCode, ..revert(&[1], 0.0) };
        assert!(RevertFinding::of(&same).unwrap().share.abs() < 1e-9);
        assert_eq!(shares(vec![same]), Vec::<String>::new());
    }
}
