//! Shows verdicts on numbers that have no unit and no machine.

use std::io::{self, Write};

use comfy_table::{Cell, Color};
use serde_json::{Value, json};

use crate::cli::decide::{DecisionMethod, MetricVerdict};
use compare::ComparisonOutcome;
use compare::decision::Verdict;
use record::metric::BetterDirection;
use report::json;
use report::markdown;
use report::terminal::{self, ColorMode, TerminalScreen};
use units::Ratio;

/// Writes a table as wide as the screen.
pub(super) fn terminal(
    out: &mut impl Write,
    decided: &[MetricVerdict],
    method: &DecisionMethod,
    screen: TerminalScreen,
) -> io::Result<()> {
    let mut table = terminal::table(screen);
    let numbers = ["pairs", "change", "interval, %"].map(terminal::right);
    let header = [Cell::new("metric")].into_iter().chain(numbers);
    table.set_header(header.chain([Cell::new("verdict")]));
    for metric in decided {
        let verdict = Cell::new(metric.verdict());
        let verdict = match (screen.paint, colour(metric.judgement.verdict)) {
            (ColorMode::Colours, Some(colour)) => verdict.fg(colour),
            (ColorMode::Colours, None) | (ColorMode::Plain, _) => verdict,
        };
        let [change, interval] = metric.change();
        table.add_row([
            Cell::new(&metric.metric),
            terminal::right(&metric.judgement.sample.to_string()),
            terminal::right(&change),
            terminal::right(&interval),
            verdict,
        ]);
    }
    writeln!(out, "{}\n\n{}", table.trim_fmt(), method.words(decided.len()))?;
    unused(decided, method).map_or(Ok(()), |hint| writeln!(out, "{hint}"))
}

/// Writes a GitHub-flavoured table.
pub(super) fn markdown(
    out: &mut impl Write,
    decided: &[MetricVerdict],
    method: &DecisionMethod,
) -> io::Result<()> {
    writeln!(out, "| Metric | Pairs | Change | Interval | Verdict |\n|:--|--:|--:|:-:|:--|")?;
    for metric in decided {
        let [change, interval] = metric.change();
        let verdict = match metric.judgement.verdict {
            Verdict::Regressed => format!("**{}**", metric.verdict()),
            Verdict::Improved | Verdict::Unchanged | Verdict::Inconclusive => metric.verdict(),
        };
        let name = markdown::inert(&metric.metric);
        let pairs = metric.judgement.sample;
        writeln!(out, "| {name} | {pairs} | {change} | {interval} | {verdict} |")?;
    }
    writeln!(out, "\n{}", method.words(decided.len()))?;
    unused(decided, method).map_or(Ok(()), |hint| writeln!(out, "\n{hint}"))
}

/// Writes everything. Shares are ratios; what is unbounded is null.
pub(super) fn json(
    out: &mut impl Write,
    decided: &[MetricVerdict],
    method: &DecisionMethod,
    outcome: &ComparisonOutcome,
) -> io::Result<()> {
    let metrics: Vec<Value> = decided.iter().map(as_json).collect();
    let report = json!({
        "schema": 1,
        "outcome": json::outcome(outcome),
        "alpha": method.alpha,
        "comparisons": decided.len(),
        "pairs": method.pairs,
        "looks": method.looks,
        "coins": method.seed,
        "metrics": metrics,
    });
    serde_json::to_writer_pretty(&mut *out, &report)?;
    writeln!(out)
}

fn as_json(metric: &MetricVerdict) -> Value {
    let judgement = &metric.judgement;
    let ratio = |ln: f64| ln.is_finite().then(|| Ratio::from_ln(ln).0);
    let [estimate, low, high] = metric.change_ln();
    json!({
        "metric": metric.metric,
        "better": match metric.better {
            BetterDirection::Lower => "lower",
            BetterDirection::Higher => "higher",
        },
        "tolerance": metric.hypothesis.tolerance,
        "floor": metric.hypothesis.floor,
        "verdict": judgement.verdict.key(),
        "change": ratio(estimate),
        "low": ratio(low),
        "high": ratio(high),
        "p_slower": judgement.p_slower,
        "p_faster": judgement.p_faster,
        "p_unchanged": judgement.p_unchanged,
        "detectable": ratio(judgement.mde_ln),
        "pairs": judgement.sample,
    })
}

impl MetricVerdict {
    /// Estimate, lower and upper limit of ln(head / base), in the metric's own direction.
    fn change_ln(&self) -> [f64; 3] {
        let judgement = &self.judgement;
        match self.better {
            BetterDirection::Lower => [judgement.estimate_ln, judgement.low_ln, judgement.high_ln],
            BetterDirection::Higher => {
                [-judgement.estimate_ln, -judgement.high_ln, -judgement.low_ln]
            }
        }
    }

    fn verdict(&self) -> String {
        report::judged(&self.judgement, Ratio(self.hypothesis.tolerance))
    }

    /// The change and its interval in words.
    fn change(&self) -> [String; 2] {
        let [estimate, low, high] = self.change_ln();
        [units::change(estimate), units::interval(low, high)]
    }
}

impl DecisionMethod {
    fn words(&self, family: usize) -> String {
        let over = if family == 1 { "1 metric".to_owned() } else { format!("{family} metrics") };
        let looks = self.looks.as_ref().map_or_else(
            || "a look after every pair".to_owned(),
            |looks| {
                let looks: Vec<String> = looks.iter().map(ToString::to_string).collect();
                format!("looks at {}", looks.join(", "))
            },
        );
        let alpha = Ratio(self.alpha);
        format!("{} pairs, {looks} · chance of a false alarm ≤ {alpha} over {over}", self.pairs)
    }
}

/// What to do about pairs that lie after the last look reached.
fn unused(decided: &[MetricVerdict], method: &DecisionMethod) -> Option<String> {
    let is_open = |metric: &&MetricVerdict| metric.judgement.verdict == Verdict::Inconclusive;
    let used = decided.iter().find(is_open)?.judgement.sample;
    let unused = method.pairs.checked_sub(used).filter(|unused| *unused > 0)?;
    Some(format!(
        "The last {unused} pairs wait for the next look. If the number of pairs was fixed before the \
         first, use `--looks all`."
    ))
}

fn colour(verdict: Verdict) -> Option<Color> {
    match verdict {
        Verdict::Regressed => Some(Color::Red),
        Verdict::Improved => Some(Color::Green),
        Verdict::Inconclusive => Some(Color::Yellow),
        Verdict::Unchanged => None,
    }
}
