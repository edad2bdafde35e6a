//! Renders what two machines say about one change, in one piece of markdown.

use std::fmt::Write as _;
use units::text::plural;

use crate::markdown::{self, ReportLink, escape};
use crate::markup::code;
use crate::page::view::{TableColumn, TableView};
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
            format!("{}{}", standing_flags(confirmation), largest(confirmation))
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

/// How many flags are regressions, and how many are none.
fn standing_flags(confirmation: &Confirmation) -> String {
    let count = |standing| confirmation.count(standing);
    let refuted = match count(FlagStanding::Unconfirmed) {
        0 => String::new(),
        n => format!(", {n} not"),
    };
    match (count(FlagStanding::Confirmed), count(FlagStanding::Unrefuted)) {
        (0, flags) => {
            let not = if refuted.is_empty() { "" } else { ", and others refuted" };
            format!("{} of one machine, not refuted by a second{not}", plural(flags, "regression"))
        }
        (confirmed, 0) => {
            format!("{} confirmed on a second machine{refuted}", plural(confirmed, "regression"))
        }
        (confirmed, flags) => {
            let confirmed = plural(confirmed, "regression");
            format!("{confirmed} confirmed on a second machine, {flags} not refuted{refuted}")
        }
    }
}

/// What stands and weighs most, as the second machine has it: the first one's number was the reason to look again,
/// and such numbers are too large on average. Of what the second machine does not show, both numbers.
fn largest(confirmation: &Confirmation) -> String {
    let of = |standing| {
        let cells = confirmation.cells.iter().filter(move |cell| cell.standing == standing);
        let size = |row: &MetricResult| row.change().map_or(0.0, |it| it.estimate_ln.abs());
        let pairs = cells.filter_map(|cell| Some((&cell.first, cell.second.as_ref()?)));
        // By the machine that shows it.
        let shown = move |pair: &(&MetricResult, &MetricResult)| match standing {
            FlagStanding::Unrefuted => size(pair.0),
            FlagStanding::Confirmed | FlagStanding::Unconfirmed | FlagStanding::Unrepeated => {
                size(pair.1)
            }
        };
        pairs.max_by(|a, b| shown(a).total_cmp(&shown(b)))
    };
    let name = |row: &MetricResult| format!("{} {}", wording::quoted(&row.scenario), row.label());
    if let Some((_, row)) = of(FlagStanding::Confirmed) {
        return format!(" — {} {}", name(row), wording::change(row));
    }
    if let Some((first, row)) = of(FlagStanding::Unrefuted) {
        let (there, here) = (wording::change(first), wording::change(row));
        return format!(" — {} {there}, on the second {here}", name(row));
    }
    let mut broken = confirmation.limits.iter().filter(|it| it.1 == FlagStanding::Confirmed);
    broken.next().map_or_else(String::new, |(check, _)| {
        format!(" — {} {}", wording::quoted(&check.scenario), wording::limit_words(check))
    })
}

/// How both runs are judged together.
pub(crate) fn method(confirmation: &Confirmation) -> String {
    let Confirmation { first, second, .. } = confirmation;
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

/// What the report of the second run is about: with the evidence of the first, or without.
pub(crate) fn folded_name(second: &Comparison) -> &'static str {
    let is_both = second.attempts.as_ref().is_some_and(|it| it.machines > 1);
    if is_both { "Both machines together" } else { "Second machine" }
}

/// Returns both runs as markdown, the verdict on both first.
pub fn render(confirmation: &Confirmation) -> String {
    render_linked(confirmation, None)
}

/// Returns both runs as markdown, with where more of them is to be seen.
pub fn render_linked(confirmation: &Confirmation, link: Option<&ReportLink>) -> String {
    let sign = match confirmation.outcome {
        ComparisonOutcome::NotMeasured(_) => "❌",
        ComparisonOutcome::Regressed => "🔴",
        ComparisonOutcome::Inconclusive => "⚪",
        ComparisonOutcome::Improved => "🟢",
        ComparisonOutcome::Pass => "✅",
    };
    let headline = markdown::escape_but_code(&title(confirmation));
    let mut text = format!("### {sign} xmlperf: {headline}\n");
    let Confirmation { first, second, .. } = confirmation;
    let revisions = escape(&wording::revisions(first));
    let link = markdown::link(link);
    writeln!(text, "<sub>{link}{revisions} · {}</sub>\n", method(confirmation)).expect(STRING);
    cells(&mut text, confirmation);
    if let Some(sentence) = unrefuted(confirmation) {
        write!(text, "{sentence}.\n\n").expect(STRING);
    }
    markdown::reproduce(&mut text, first);
    let with_first = folded_name(second);
    for (name, comparison) in [("First machine", first), (with_first, second)] {
        let report = markdown::render(comparison);
        let report = report.replacen("### ", "#### ", 1);
        write!(text, "<details><summary>{name}</summary>\n\n{report}\n</details>\n").expect(STRING);
    }
    text
}

/// What *not refuted* means, where it is said.
pub(crate) fn unrefuted(confirmation: &Confirmation) -> Option<&'static str> {
    (confirmation.count(FlagStanding::Unrefuted) > 0).then_some(
        "*Not refuted*: by itself the second machine shows no change beyond the floor, but its launch pairs do not \
         outweigh those of the first. A flag stands until the evidence of both refutes it; starting the workflow \
         again adds to that evidence",
    )
}

const STRING: &str = "writing to a string does not fail";

fn cells(text: &mut String, confirmation: &Confirmation) {
    text.push_str("|  | Scenario | Metric | First machine | Second machine | Verdict |\n");
    text.push_str("|:-:|:--|:--|--:|--:|:--|\n");
    for cell in &confirmation.cells {
        let second = cell.second.as_ref().map_or_else(|| "–".to_owned(), change);
        let (sign, verdict) = standing(cell.standing);
        let (name, metric) = (code(&cell.first.scenario), cell.first.label());
        let first = change(&cell.first);
        writeln!(text, "| {sign} | {name} | {metric} | {first} | {second} | {verdict} |")
            .expect(STRING);
    }
    for (check, held) in &confirmation.limits {
        let (sign, verdict) = standing(*held);
        let (name, words) = (code(&check.scenario), escape(&wording::limit_words(check)));
        writeln!(text, "| {sign} | {name} | limit | {words} |  | {verdict} |").expect(STRING);
    }
    text.push('\n');
}

/// The same table for the page.
pub(crate) fn table(confirmation: &Confirmation) -> TableView {
    let cells = confirmation.cells.iter().map(|cell| {
        let subject = format!("{} {}", cell.first.scenario, cell.first.label());
        let second = cell.second.as_ref().map_or_else(|| "–".to_owned(), change);
        vec![subject, change(&cell.first), second, standing(cell.standing).1.to_owned()]
    });
    let limits = confirmation.limits.iter().map(|(check, held)| {
        let subject = format!("{} limit", check.scenario);
        let words = wording::limit_words(check);
        vec![subject, words, String::new(), standing(*held).1.to_owned()]
    });
    TableView {
        caption: "What the first machine flagged, and what the second shows by itself".to_owned(),
        columns: vec![
            TableColumn::Words("Metric"),
            TableColumn::Numbers("First machine"),
            TableColumn::Numbers("Second machine"),
            TableColumn::Words("Verdict"),
        ],
        rows: cells.chain(limits).collect(),
    }
}

fn change(row: &MetricResult) -> String {
    format!("{} {}", wording::change(row), wording::interval(row))
}

fn standing(standing: FlagStanding) -> (&'static str, &'static str) {
    match standing {
        FlagStanding::Confirmed => ("🔴", "confirmed"),
        FlagStanding::Unrefuted => ("🔴", "not refuted"),
        FlagStanding::Unconfirmed => ("⚪", "not confirmed"),
        FlagStanding::Unrepeated => ("❌", "not measured again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use compare::attempts;
    use record::Run;
    use record::evidence::EvidenceState;
    use record::fixtures::{LEVEL, SampleLaunch, evidence_state, paired};

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

    /// Few launch pairs without a change do not outweigh many with one, and are no confirmation.
    #[test]
    fn what_a_second_machine_does_not_show_is_not_called_confirmed() {
        let state = evidence_state();
        let slow = SampleLaunch { cpu_us: 600, ..LEVEL };
        let first = Run {
            machine_id: Some("machine-1".to_owned()),
            evidence: Some(state.clone()),
            ..paired(14, LEVEL, slow)
        };
        let earlier = vec![attempts::attempt(&first).unwrap().unwrap()];
        let second = |launch_pairs, head| Run {
            machine_id: Some("machine-2".to_owned()),
            evidence: Some(EvidenceState { number: 2, earlier: earlier.clone(), ..state.clone() }),
            ..paired(launch_pairs, LEVEL, head)
        };
        let few = Confirmation::of(&first, &second(3, LEVEL)).unwrap();
        assert_eq!(few.outcome, ComparisonOutcome::Regressed);
        insta::assert_snapshot!(title(&few), @"1 regression of one machine, not refuted by a second — `smoke` CPU per XML pair +15.4 %, on the second −0.05 %");
        let text = render(&few);
        assert!(
            text.contains("| not refuted |") && text.contains("*Not refuted*: by itself"),
            "{text}"
        );
        assert!(text.contains("<summary>Both machines together</summary>"), "{text}");
        assert!(!text.contains("confirmed"), "{text}");
        let page = crate::html::render_confirmation(&few);
        assert!(page.contains("the second by itself does not show it"), "{page}");
        let again = Confirmation::of(&first, &second(3, slow)).unwrap();
        assert!(title(&again).starts_with("1 regression confirmed on a second machine — "));
    }
}
