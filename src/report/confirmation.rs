//! Renders what two machines say about one change, in one piece of markdown.

use std::fmt::Write as _;

use crate::compare::Outcome;
use crate::compare::confirmation::{Confirmation, Standing};
use crate::report::markdown::{self, code, inert};
use crate::report::words;
use crate::units::Ratio;

/// Returns the headline, without markup.
pub fn title(confirmation: &Confirmation) -> String {
    let count = |standing| confirmation.count(standing);
    match &confirmation.outcome {
        Outcome::NotMeasured(reason) => format!("could not measure — {reason}"),
        Outcome::Regressed => {
            let confirmed = words::plural(count(Standing::Confirmed), "regression");
            match count(Standing::Unconfirmed) {
                0 => format!("{confirmed}, confirmed on a second machine"),
                n => format!("{confirmed}, confirmed on a second machine, and {n} not"),
            }
        }
        Outcome::Inconclusive | Outcome::Improved | Outcome::Pass
            if count(Standing::Unconfirmed) > 0 =>
        {
            let flags = words::plural(count(Standing::Unconfirmed), "flag");
            format!("{flags} of one machine, not confirmed on a second")
        }
        Outcome::Inconclusive | Outcome::Improved | Outcome::Pass => {
            words::headline(&confirmation.first).text
        }
    }
}

/// Returns both runs as markdown, the verdict on both first.
pub fn render(confirmation: &Confirmation) -> String {
    let sign = match confirmation.outcome {
        Outcome::NotMeasured(_) => "❌",
        Outcome::Regressed => "🔴",
        Outcome::Inconclusive => "⚪",
        Outcome::Improved => "🟢",
        Outcome::Pass => "✅",
    };
    let mut text = format!("### {sign} xmlperf: {}\n", inert(&title(confirmation)));
    let (one, other) = (confirmation.first.method.alpha, confirmation.second.method.alpha);
    let (alpha, both) = (Ratio(one), Ratio(one * other));
    writeln!(
        text,
        "<sub>chance of a false alarm: of one machine ≤ {alpha}, of both ≤ {both} if they err \
         independently · the second repeats what the first flagged, with fresh coins</sub>\n"
    )
    .expect(STRING);
    cells(&mut text, confirmation);
    for (name, comparison) in
        [("First machine", &confirmation.first), ("Second machine", &confirmation.second)]
    {
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
        let change = |row| format!("{} {}", words::change(row), words::interval(row));
        let second = cell.second.as_ref().map_or_else(|| "–".to_owned(), change);
        let (sign, verdict) = standing(cell.standing);
        let (name, metric) = (code(&cell.first.scenario), cell.first.metric.label());
        let first = change(&cell.first);
        writeln!(text, "| {sign} | {name} | {metric} | {first} | {second} | {verdict} |")
            .expect(STRING);
    }
    for (promise, held) in &confirmation.promises {
        let (sign, verdict) = standing(*held);
        let (name, words) = (code(&promise.scenario), inert(&words::promise_words(promise)));
        writeln!(text, "| {sign} | {name} | limit | {words} |  | {verdict} |").expect(STRING);
    }
    text.push('\n');
}

fn standing(standing: Standing) -> (&'static str, &'static str) {
    match standing {
        Standing::Confirmed => ("🔴", "confirmed"),
        Standing::Unconfirmed => ("⚪", "not confirmed"),
        Standing::Unrepeated => ("❌", "not measured again"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::sample::{LEVEL, Level, paired};

    #[test]
    fn the_verdict_on_both_comes_before_what_each_says() {
        let slow = Level { cpu_us: 600, ..LEVEL };
        let first = paired(14, LEVEL, slow);
        let confirmation = Confirmation::of(&first, &paired(14, LEVEL, LEVEL)).unwrap();
        let text = render(&confirmation);
        let (head, _) = text.split_once("<details>").unwrap();
        insta::assert_snapshot!(head, @"
        ### ⚪ xmlperf: 1 flag of one machine, not confirmed on a second
        <sub>chance of a false alarm: of one machine ≤ 1 %, of both ≤ 0.01 % if they err independently · the second repeats what the first flagged, with fresh coins</sub>

        |  | Scenario | Metric | First machine | Second machine | Verdict |
        |:-:|:--|:--|--:|--:|:--|
        | ⚪ | `smoke` | CPU per XML pair | +15.3 % [+15.0, +15.6] | −0.04 % [−0.32, +0.19] | not confirmed |
        ");
        assert!(text.contains("#### 🔴 xmlperf: 1 regression"), "{text}");
        assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
    }
}
