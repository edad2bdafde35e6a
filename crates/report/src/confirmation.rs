//! Renders what two machines say about one change, in one piece of markdown.

use std::fmt::Write as _;
use units::text::plural;

use crate::markdown::{self, inert};
use crate::markup::code;
use crate::wording;
use compare::confirmation::{Confirmation, FlagStanding};
use compare::{Comparison, ComparisonMode, ComparisonOutcome, MetricResult};
use units::Ratio;

/// Returns the headline, without markup.
pub fn title(confirmation: &Confirmation) -> String {
    let count = |standing| confirmation.count(standing);
    match &confirmation.outcome {
        ComparisonOutcome::NotMeasured(reason) => format!("could not measure — {}", reason.summary),
        ComparisonOutcome::Regressed => {
            let confirmed = plural(count(FlagStanding::Confirmed), "regression");
            let not = match count(FlagStanding::Unconfirmed) {
                0 => String::new(),
                n => format!(", {n} not"),
            };
            format!("{confirmed} confirmed on a second machine{not}{}", largest(confirmation))
        }
        ComparisonOutcome::Inconclusive | ComparisonOutcome::Improved | ComparisonOutcome::Pass
            if count(FlagStanding::Unconfirmed) > 0 =>
        {
            let flags = plural(count(FlagStanding::Unconfirmed), "flag");
            format!("{flags} of one machine, not confirmed on a second")
        }
        ComparisonOutcome::Inconclusive | ComparisonOutcome::Improved | ComparisonOutcome::Pass => {
            wording::headline(&confirmation.first).text
        }
    }
}

/// What was confirmed and weighs most, as the second machine has it: the first one's number was the
/// reason to look again, and such numbers are too large on average.
fn largest(confirmation: &Confirmation) -> String {
    let confirmed = confirmation.cells.iter().filter(|it| it.standing == FlagStanding::Confirmed);
    let mut rows: Vec<&MetricResult> = confirmed.filter_map(|cell| cell.second.as_ref()).collect();
    let size = |row: &MetricResult| row.change().map_or(0.0, |change| change.estimate_ln.abs());
    rows.sort_by(|a, b| size(b).total_cmp(&size(a)));
    if let Some(row) = rows.first() {
        let name = wording::quoted(&row.scenario);
        return format!(" — {name} {} {}", row.label(), wording::change(row));
    }
    let mut broken = confirmation.promises.iter().filter(|it| it.1 == FlagStanding::Confirmed);
    broken.next().map_or_else(String::new, |(promise, _)| {
        format!(" — {} {}", wording::quoted(&promise.scenario), wording::promise_words(promise))
    })
}

/// How both runs are judged together.
fn method(first: &Comparison, second: &Comparison) -> String {
    if second.method.mode == ComparisonMode::Stored {
        let method = wording::method(second);
        return format!("two jobs, each a run against the same history, judged together: {method}");
    }
    if let Some(attempts) = wording::attempts(second) {
        let alpha = Ratio(second.method.alpha);
        return format!("{attempts} · chance of a false alarm over all attempts ≤ {alpha}");
    }
    let (one, other) = (first.method.alpha, second.method.alpha);
    let (alpha, both) = (Ratio(one), Ratio(one * other));
    format!(
        "the second machine repeats what the first flagged, with fresh coins · chance of a false \
         alarm: of one machine ≤ {alpha}, of both ≤ {both} if they err independently"
    )
}

/// Returns both runs as markdown, the verdict on both first.
pub fn render(confirmation: &Confirmation) -> String {
    let sign = match confirmation.outcome {
        ComparisonOutcome::NotMeasured(_) => "❌",
        ComparisonOutcome::Regressed => "🔴",
        ComparisonOutcome::Inconclusive => "⚪",
        ComparisonOutcome::Improved => "🟢",
        ComparisonOutcome::Pass => "✅",
    };
    let headline = markdown::inert_but_code(&title(confirmation));
    let mut text = format!("### {sign} xmlperf: {headline}\n");
    let Confirmation { first, second, .. } = confirmation;
    let revisions = inert(&wording::revisions(first));
    writeln!(text, "<sub>{revisions} · {}</sub>\n", method(first, second)).expect(STRING);
    cells(&mut text, confirmation);
    markdown::reproduce(&mut text, first);
    for (name, comparison) in [("First machine", first), ("Second machine", second)] {
        let report = markdown::render(comparison);
        let report = report.replacen("### ", "#### ", 1);
        write!(text, "<details><summary>{name}</summary>\n\n{report}\n</details>\n").expect(STRING);
    }
    text
}

const STRING: &str = "writing to a string does not fail";

fn cells(text: &mut String, confirmation: &Confirmation) {
    text.push_str("|  | Scenario | Metric | First machine | Second machine | Verdict |\n");
    text.push_str("|:-:|:--|:--|--:|--:|:--|\n");
    for cell in &confirmation.cells {
        let change = |row| format!("{} {}", wording::change(row), wording::interval(row));
        let second = cell.second.as_ref().map_or_else(|| "–".to_owned(), change);
        let (sign, verdict) = standing(cell.standing);
        let (name, metric) = (code(&cell.first.scenario), cell.first.label());
        let first = change(&cell.first);
        writeln!(text, "| {sign} | {name} | {metric} | {first} | {second} | {verdict} |")
            .expect(STRING);
    }
    for (promise, held) in &confirmation.promises {
        let (sign, verdict) = standing(*held);
        let (name, words) = (code(&promise.scenario), inert(&wording::promise_words(promise)));
        writeln!(text, "| {sign} | {name} | limit | {words} |  | {verdict} |").expect(STRING);
    }
    text.push('\n');
}

fn standing(standing: FlagStanding) -> (&'static str, &'static str) {
    match standing {
        FlagStanding::Confirmed => ("🔴", "confirmed"),
        FlagStanding::Unconfirmed => ("⚪", "not confirmed"),
        FlagStanding::Unrepeated => ("❌", "not measured again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::fixtures::{LEVEL, SampleLaunch, paired};

    #[test]
    fn the_verdict_on_both_comes_before_what_each_says() {
        let slow = SampleLaunch { cpu_us: 600, ..LEVEL };
        let first = paired(14, LEVEL, slow);
        let confirmation = Confirmation::of(&first, &paired(14, LEVEL, LEVEL)).unwrap();
        let text = render(&confirmation);
        let (head, _) = text.split_once("<details>").unwrap();
        insta::assert_snapshot!(head, @"
        ### ⚪ xmlperf: 1 flag of one machine, not confirmed on a second
        <sub>head (9f3c2ab) vs main (1d20e77) · the second machine repeats what the first flagged, with fresh coins · chance of a false alarm: of one machine ≤ 1 %, of both ≤ 0.01 % if they err independently</sub>

        |  | Scenario | Metric | First machine | Second machine | Verdict |
        |:-:|:--|:--|--:|--:|:--|
        | ⚪ | `smoke` | CPU per XML pair | +15.4 % [+15.1, +15.6] | −0.01 % [−0.26, +0.22] | not confirmed |

        > [!TIP]
        > Reproduce: `xmlperf compare --baseline 1d20e770aa --scenario smoke`
        ");
        assert!(text.contains("#### 🔴 xmlperf: 1 regression"), "{text}");
        assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
    }
}
