//! Renders verdicts on paired numbers of any origin as a page: one table with the plot in it.

use std::fmt::Write as _;

use compare::ComparisonOutcome;
use compare::decision::{Hypothesis, Judgement, Verdict};
use record::metric::BetterDirection;
use units::Ratio;

use crate::markup::escaped;
use crate::page::document::document;
use crate::page::forest_axis::{self, AxisRow, ForestAxis};
use crate::page::outcome_mark;
use crate::page::view::{paragraph, prose};
use crate::wording;

/// One metric of any origin with its verdict.
#[derive(Debug, Clone)]
pub struct PairedVerdict<'a> {
    /// What it is called.
    pub name: &'a str,
    /// Which direction is better.
    pub better: BetterDirection,
    /// What was tested.
    pub hypothesis: Hypothesis,
    /// What came of it.
    pub judgement: &'a Judgement,
    /// ln(head / base) of each pair, above 0 where head is worse.
    pub differences_ln: &'a [f64],
}

/// Returns the page; `method` says in a line how the verdicts came about.
pub fn render(verdicts: &[PairedVerdict<'_>], method: &str, outcome: &ComparisonOutcome) -> String {
    let count = |verdict| verdicts.iter().filter(|it| it.judgement.verdict == verdict).count();
    let title = format!(
        "{} slower, {} faster, {} can't tell, {} unchanged",
        count(Verdict::Regressed),
        count(Verdict::Improved),
        count(Verdict::Inconclusive),
        count(Verdict::Unchanged)
    );
    let tone = match outcome {
        ComparisonOutcome::Regressed | ComparisonOutcome::NotMeasured(_) => "bad",
        ComparisonOutcome::Inconclusive => "open",
        ComparisonOutcome::Improved | ComparisonOutcome::Pass => "good",
    };
    let sign = outcome_mark::of_outcome(outcome);
    let mut body = format!("<header class=\"{tone}\">\n<h1>{sign} {title}</h1>\n");
    body += &paragraph("", method);
    body += "</header>\n<section>\n<h2>Is it slower?</h2>\n";
    table(&mut body, verdicts);
    body += &forest_axis::key();
    body += "</section>\n";
    document(&title, &body)
}

fn table(html: &mut String, verdicts: &[PairedVerdict<'_>]) {
    const STRING: &str = "writing to a string does not fail";
    let rows: Vec<AxisRow> = verdicts.iter().map(on_axis).collect();
    let axis = ForestAxis::of(&rows);
    write!(
        html,
        "<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"All metrics\"><table class=\"forest\">\n\
         <thead><tr><th scope=\"col\">Metric</th><th scope=\"col\" class=\"n\">Pairs</th>\
         <th scope=\"col\" class=\"n\">Change, %</th><th scope=\"col\" class=\"plot\">\
         <span class=\"sr\">Interval on one axis</span>{}</th><th scope=\"col\">Verdict</th></tr></thead>\n<tbody>",
        axis.head()
    )
    .expect(STRING);
    for (verdict, row) in verdicts.iter().zip(&rows) {
        let [estimate, low, high] = own_direction(verdict);
        let class = match verdict.judgement.verdict {
            Verdict::Regressed => "bad",
            Verdict::Improved => "good",
            Verdict::Inconclusive => "open",
            Verdict::Unchanged => "calm",
        };
        let Hypothesis { floor, tolerance } = verdict.hypothesis;
        let (floor, tolerance) = (Ratio(floor), Ratio(tolerance));
        let rule = format!("slower above {floor}, unchanged within ±{tolerance}");
        writeln!(
            html,
            "<tr class=\"{class}\"><th scope=\"row\">{}</th><td class=\"n\">{}<span class=\"narrow\"> pairs</span></td>\
             <td class=\"n\">{} <small>{}</small></td><td class=\"plot\">{}</td>\
             <td><b>{}</b> <small>{}</small></td></tr>",
            escaped(verdict.name),
            verdict.judgement.sample,
            prose(&units::change(estimate)),
            escaped(&units::interval(low, high)),
            axis.row(row),
            prose(&wording::judged(verdict.judgement, verdict.hypothesis)),
            prose(&rule),
        )
        .expect(STRING);
    }
    html.push_str("</tbody></table></div>\n");
}

/// Estimate and limits, above 0 where the number rose.
fn own_direction(verdict: &PairedVerdict<'_>) -> [f64; 3] {
    let Judgement { estimate_ln, low_ln, high_ln, .. } = *verdict.judgement;
    match verdict.better {
        BetterDirection::Lower => [estimate_ln, low_ln, high_ln],
        BetterDirection::Higher => [-estimate_ln, -high_ln, -low_ln],
    }
}

fn on_axis(verdict: &PairedVerdict<'_>) -> AxisRow {
    AxisRow {
        tolerance_ln: verdict.hypothesis.tolerance.ln_1p(),
        floor_ln: verdict.hypothesis.floor.ln_1p(),
        is_deciding: true,
        verdict: Some(verdict.judgement.verdict),
        judgement: Some(*verdict.judgement),
        differences_ln: verdict.differences_ln.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use compare::decision::{DecisionRule, measured};

    #[test]
    fn names_are_text_and_every_verdict_is_there() {
        let hypothesis = Hypothesis { floor: 0.01, tolerance: 0.03 };
        let slower = vec![0.1; 10];
        let judgements = DecisionRule::default()
            .judge(&[hypothesis], &[measured(std::slice::from_ref(&slower))]);
        let verdict = PairedVerdict {
            name: "<b>latency",
            better: BetterDirection::Lower,
            hypothesis,
            judgement: &judgements[0],
            differences_ln: &slower,
        };
        let page = render(&[verdict], "10 pairs", &ComparisonOutcome::Regressed);
        for expected in
            ["&lt;b&gt;latency", "+10.5\u{a0}%", "regressed (tolerance 3\u{a0}%)", "10 pairs."]
        {
            assert!(page.contains(expected), "{expected} is not in {page}");
        }
    }
}
