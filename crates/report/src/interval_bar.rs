//! An interval as a line of characters, on one axis with all others of a table.

use compare::decision::Verdict;

use crate::page::forest_axis::AxisRow;
use crate::unbroken::NO_BREAK;

/// Returns what stands above the bars, with `┊` where theirs is.
pub(crate) fn title(columns: usize) -> String {
    let side = columns / 2;
    let (better, worse) = ("better", "worse");
    format!("{better:>side$}┊{worse:<side$}").replace(' ', &NO_BREAK.to_string())
}

/// Draws a row on the axis that ends at `limit_ln` on both sides, in an odd number of columns: `┊` is no change,
/// worse is to the right, and the mark's shape is the verdict. Nothing of a row without a change.
pub(crate) fn bar(row: &AxisRow, limit_ln: f64, columns: usize) -> String {
    let Some(judgement) = &row.judgement else { return String::new() };
    let last = columns.saturating_sub(1) as f64;
    let place = |ln: f64| {
        let share = (ln / limit_ln).clamp(-1.0, 1.0) / 2.0 + 0.5;
        units::whole((share * last).round()).and_then(|it| usize::try_from(it).ok()).unwrap_or(0)
    };
    let is_inside = |ln: f64| ln.abs() <= limit_ln;
    // Spaces at which a table breaks no line.
    let mut cells = vec![NO_BREAK; columns];
    cells[columns / 2] = '┊';
    let (low, high) = (place(judgement.low_ln), place(judgement.high_ln));
    cells[low..=high].fill('─');
    cells[high] = if judgement.high_ln <= limit_ln { '┤' } else { '→' };
    cells[low] = if judgement.low_ln >= -limit_ln { '├' } else { '←' };
    if judgement.low_ln > limit_ln {
        cells[low] = '→';
    }
    if is_inside(judgement.estimate_ln) {
        cells[place(judgement.estimate_ln)] = match row.verdict {
            Some(Verdict::Regressed) => '▲',
            Some(Verdict::Improved) => '▼',
            Some(Verdict::Unchanged) => '●',
            Some(Verdict::Inconclusive) => '◌',
            None => '◇',
        };
    }
    cells.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::forest;
    use compare::Comparison;
    use record::fixtures::{LEVEL, SampleLaunch, paired};
    use record::metric::Metric;

    #[test]
    fn the_title_and_the_bars_have_one_axis() {
        for columns in [13, 15, 27] {
            let title: Vec<char> = title(columns).chars().collect();
            assert_eq!((title.len(), title[columns / 2]), (columns, '┊'));
        }
    }

    #[test]
    fn a_bar_lies_where_its_interval_does() {
        let slower = SampleLaunch { cpu_us: 572, rss_mib: 16, ..LEVEL };
        let comparison = Comparison::of(&paired(10, LEVEL, slower)).unwrap();
        let bar = |metric| {
            let row = comparison.rows.iter().find(|row| row.metric == metric).unwrap();
            super::bar(&forest::on_axis(&comparison, row), 0.12, 21).replace(NO_BREAK, " ")
        };
        assert_eq!(bar(Metric::Cpu), "          ┊       ▲  ");
        assert_eq!(bar(Metric::Latency), "          ●          ");
        assert_eq!(bar(Metric::Rss), "←         ┊          ");
        let narrow = super::bar(&forest::on_axis(&comparison, &comparison.rows[0]), 0.01, 21);
        assert!(narrow.ends_with('→'), "{narrow}");
    }
}
