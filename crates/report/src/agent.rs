//! Renders a comparison for a program that reads text and acts on it: what was found, why, what would change the
//! verdict, and the exact next commands. Bounded in size, worst first.

use compare::decision::Verdict;
use compare::{Comparison, InstructionBreakdown, MetricResult};

use crate::causes;
use crate::cost;
use crate::json;
use crate::page::rule;
use crate::reasons;
use crate::reproduction;
use crate::wording;

/// Bytes of the whole.
pub const BYTES_MAX: usize = 8 * 1024;
/// Bytes kept for what stands last: the commands.
const COMMANDS_BYTES: usize = 1_200;
/// Functions of a scenario.
const FUNCTIONS_MAX: usize = 5;

/// Returns the comparison as text of [`BYTES_MAX`] bytes at most, in sections that begin with `# `. A section that does not
/// fit ends with a line that says how many lines are left out.
pub fn render(comparison: &Comparison) -> String {
    let mut text = BoundedText::new(BYTES_MAX - COMMANDS_BYTES);
    text.section("verdict", verdict(comparison));
    text.section("why", why(comparison));
    text.section("rows", rows(comparison));
    text.section("limits", limits(comparison));
    text.section("what would change the verdict", remedy(comparison));
    text.section("what could have been seen", wording::visible(comparison).into_iter().collect());
    text.section("notes", comparison.notes.iter().map(ToString::to_string).collect());
    text.most = BYTES_MAX;
    text.section("next commands", commands(comparison));
    text.written
}

fn verdict(comparison: &Comparison) -> Vec<String> {
    let outcome = json::outcome(&comparison.outcome);
    let mut lines = vec![format!("{outcome}: {}", wording::title(comparison))];
    lines.push(format!("{}; {}", wording::revisions(comparison), wording::method(comparison)));
    lines.extend(wording::attempts(comparison));
    lines.extend(wording::failure_lines(comparison));
    lines
}

fn why(comparison: &Comparison) -> Vec<String> {
    let mut lines = reasons::sentences(comparison);
    lines.extend(cost::sentences(comparison));
    for breakdown in comparison.changed_breakdowns() {
        lines.extend(hunks(breakdown));
        lines.extend(functions(breakdown));
    }
    lines
}

/// The hunks that a scenario's change is in: what a repair begins with.
fn hunks(breakdown: &InstructionBreakdown) -> Vec<String> {
    let hunks = breakdown.causes.as_ref().map(causes::hunks).unwrap_or_default();
    hunks.iter().map(|hunk| format!("{}: {hunk}", breakdown.scenario)).collect()
}

/// The functions of a scenario that took more or less, by their own instructions.
fn functions(breakdown: &InstructionBreakdown) -> Vec<String> {
    let unit = &breakdown.unit;
    let line = |change: &compare::function_changes::FunctionChange| {
        let own = units::count(change.own().abs());
        let sign = if change.own() < 0.0 { '−' } else { '+' };
        format!(
            "{}: {sign}{own} instructions a {unit} in {} ({})",
            breakdown.scenario, change.name, change.file
        )
    };
    breakdown.functions.iter().take(FUNCTIONS_MAX).map(line).collect()
}

/// Rows that decide and are not unchanged, worst first, then how many are.
fn rows(comparison: &Comparison) -> Vec<String> {
    let rank = |row: &MetricResult| match row.verdict() {
        Some(Verdict::Regressed) => 0,
        Some(Verdict::Inconclusive) => 1,
        Some(Verdict::Improved) => 2,
        Some(Verdict::Unchanged) => 3,
        None => 4,
    };
    let size = |row: &MetricResult| row.judgement().map_or(0.0, |it| it.estimate_ln.abs());
    let mut rows: Vec<&MetricResult> = comparison.rows.iter().collect();
    rows.sort_by(|a, b| rank(a).cmp(&rank(b)).then(size(b).total_cmp(&size(a))));
    let line = |row: &&MetricResult| {
        let name = match &row.operation {
            Some(operation) => format!("{} {operation}", row.scenario),
            None => row.scenario.clone(),
        };
        format!("{name} {}: {}", row.label(), wording::sentence(row))
    };
    let shown = rows.iter().filter(|row| rank(row) < 3).map(line);
    let unchanged = comparison.count(Verdict::Unchanged);
    let unchanged =
        (unchanged > 0).then(|| format!("{} unchanged", units::text::plural(unchanged, "row")));
    shown.chain(unchanged).collect()
}

fn limits(comparison: &Comparison) -> Vec<String> {
    comparison
        .broken()
        .map(|limit| format!("broken: {} {}", limit.scenario, wording::limit_words(limit)))
        .collect()
}

/// What a change or another run would have to show.
fn remedy(comparison: &Comparison) -> Vec<String> {
    let line = |row: &MetricResult| {
        let name = format!("{} {}", row.scenario, row.label());
        match row.verdict()? {
            Verdict::Regressed => Some(format!(
                "{name}: green needs a build within {} of base; another attempt adds to the same evidence and does \
                 not erase it",
                green_within(row)
            )),
            Verdict::Inconclusive => {
                let decides = rule::distance(comparison, row);
                Some(format!("{name}: {}", decides.unwrap_or_else(|| wording::verdict(row))))
            }
            Verdict::Improved | Verdict::Unchanged => None,
        }
    };
    comparison.rows.iter().filter_map(line).collect()
}

/// The largest change for the worse that would not be red: of counts that is the floor, of times the tolerance.
fn green_within(row: &MetricResult) -> units::Ratio {
    let bound = if row.metric.is_counted() { row.rule.floor } else { row.rule.tolerance };
    wording::floor(bound)
}

fn commands(comparison: &Comparison) -> Vec<String> {
    let mut lines = vec!["xmlperf report".to_owned()];
    if let Some(command) = reproduction::command(comparison) {
        let caveat = reproduction::caveat(comparison).map(|it| format!("  # {it}"));
        lines.insert(0, command + &caveat.unwrap_or_default());
    }
    let changed = comparison.rows.iter().find(|row| row.verdict() == Some(Verdict::Regressed));
    if let Some(row) = changed
        && comparison.baseline.is_none()
    {
        lines.push(format!("xmlperf profile --scenario {}", row.scenario));
    }
    lines
}

/// Text that grows by whole lines up to a size.
struct BoundedText {
    written: String,
    most: usize,
}

impl BoundedText {
    /// The longest line that says how many lines are left out.
    const REST: usize = "… 1000000 more lines\n".len();

    fn new(most: usize) -> Self {
        Self { written: String::new(), most }
    }

    /// Adds a section, if there is anything in it and room for its heading.
    fn section(&mut self, heading: &str, lines: Vec<String>) {
        let heading = format!("# {heading}\n");
        if lines.is_empty() || !self.has_room(&heading) {
            return;
        }
        self.written += &heading;
        let count = lines.len();
        for (written, line) in lines.into_iter().enumerate() {
            let line = line.replace(['\n', '\r'], " ") + "\n";
            if !self.has_room(&line) {
                self.written.push_str(&rest(count - written));
                return;
            }
            self.written += &line;
        }
    }

    fn has_room(&self, line: &str) -> bool {
        self.written.len() + line.len() + Self::REST <= self.most
    }
}

fn rest(lines: usize) -> String {
    format!("… {lines} more lines\n")
}

#[cfg(test)]
mod tests {
    use record::Run;
    use record::fixtures::{LEVEL, SampleLaunch, explained, paired};

    use super::*;

    fn slower() -> Run {
        paired(10, LEVEL, SampleLaunch { cpu_us: 572, rss_mib: 16, ..LEVEL })
    }

    #[test]
    fn a_program_reads_what_was_found_and_what_to_do() {
        let text = render(&Comparison::of(&slower()).unwrap());
        insta::assert_snapshot!(text, @"
        # verdict
        regressed: 1 regression — `smoke` CPU per XML pair +10.0 %
        head (9f3c2ab) vs main (1d20e77); 10 launch pairs of at most 40 interleaved on one machine, 52.0 s · chance of a false alarm ≤ 1 % over 3 comparisons
        # rows
        smoke CPU per XML pair: 5.20 µs → 5.72 µs: +10.0 % [+9.6, +10.3], regressed (tolerance 3 %)
        smoke peak RSS: 24.0 MiB → 16.0 MiB: −33.3 % [−33.3, −33.3], improved
        1 row unchanged
        # what would change the verdict
        smoke CPU per XML pair: green needs a build within 3 % of base; another attempt adds to the same evidence and does not erase it
        # what could have been seen
        Visible four times in five, from: `smoke` CPU per XML pair 1.2 %, `smoke` latency 1.2 %, `smoke` peak RSS 1.0 %. Would have been seen here: `smoke` CPU per XML pair +1.4 %, `smoke` latency +1.4 %, `smoke` peak RSS +1.0 %
        # next commands
        xmlperf compare --baseline 1d20e770aa --scenario smoke
        xmlperf report
        xmlperf profile --scenario smoke
        ");
    }

    /// Of a model that repairs: the place comes before the functions.
    #[test]
    fn a_proven_hunk_is_the_first_cause_and_a_ranked_one_is_called_that() {
        let causes = |variant: f64| {
            let mut run = paired(10, LEVEL, LEVEL);
            run.scenarios[0].work = Some(explained(64_800.0, 69_206.0, variant));
            let text = render(&Comparison::of(&run).unwrap());
            let (_, rest) = text.split_once("# why\n").unwrap();
            rest.lines().next().unwrap().to_owned()
        };
        let proven = causes(64_930.0);
        assert!(proven.starts_with("smoke: src/xml.rs:118–131: 6.6 of +6.8 % of"), "{proven}");
        let ranked = causes(69_206.0);
        assert!(ranked.starts_with("smoke: src/xml.rs:118–131: ranked first, 100 %"), "{ranked}");
    }

    #[test]
    fn whatever_there_is_fits_and_the_commands_are_whole() {
        let mut run = slower();
        let scenario = run.scenarios[0].clone();
        run.scenarios = (0..200)
            .map(|number| record::ScenarioRun {
                name: format!("{}-{number}", "long".repeat(20)),
                ..scenario.clone()
            })
            .collect();
        run.invocation = Some(vec!["--budget".to_owned(), "3m".to_owned()]);
        let text = render(&Comparison::of(&run).unwrap());
        assert!(text.len() <= BYTES_MAX, "{}", text.len());
        assert!(text.contains(" more lines\n"), "{text}");
        let commands = text.split("# next commands\n").nth(1).unwrap();
        let first = "xmlperf compare --baseline 1d20e770aa --budget 3m";
        assert_eq!(commands.lines().next(), Some(first), "{commands}");
    }
}
