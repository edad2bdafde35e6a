//! Renders a comparison as one page that answers a reviewer's questions in their order: is it slower, why, and
//! can that be trusted.
//!
//! It needs nothing beside itself: no network and no script, light or dark as the reader's system is. Without
//! its style sheet, which a content security policy may forbid, it is a readable document in the same order.

use std::fmt::Write as _;
use std::iter;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use minijinja::value::Value;
use minijinja::{Environment, context};
use sha2::{Digest as _, Sha256};

use crate::markup::escaped;
use crate::page::view::{self, joined, paragraph, prose};
use crate::page::{
    document, environment, evidence, focus, forest, glossary, icicle, levels, load, outcome_mark,
    percentiles, sensitivity, timeline, work,
};
use crate::{
    anatomy, calls, causes, confirmation, cost, details, functions, reasons, reproduction, wording,
};
use compare::confirmation::{Confirmation, FlagStanding};
use compare::decision::Verdict;
use compare::{Comparison, ComparisonMode, ComparisonOutcome};
use units::text::plural;

/// Where the style sheet of a page is, and the script of those that have one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AssetPlacement<'a> {
    /// In the page.
    Inside,
    /// Beside it: for servers whose policy forbids them inside pages.
    Beside {
        /// How the page refers to its style sheet.
        stylesheet: &'a str,
        /// How it refers to its script.
        script: &'a str,
    },
}

/// Returns the page, with all that it needs inside.
pub fn render(comparison: &Comparison) -> String {
    render_with(comparison, AssetPlacement::Inside)
}

/// Returns the page, with style sheet and script where they are said to be.
pub fn render_with(comparison: &Comparison, placement: AssetPlacement<'_>) -> String {
    page(PageSubject { comparison, second: None }, placement)
}

/// Returns the page of what two machines say: the first one's, below what became of its flags on the second.
pub fn render_confirmation(both: &Confirmation) -> String {
    let subject = PageSubject { comparison: &both.first, second: Some(both) };
    page(subject, AssetPlacement::Inside)
}

/// What a page is about.
#[derive(Clone, Copy)]
struct PageSubject<'a> {
    comparison: &'a Comparison,
    /// What a second machine says of the same change.
    second: Option<&'a Confirmation>,
}

impl PageSubject<'_> {
    fn headline(&self) -> String {
        let alone = || wording::headline(self.comparison).text;
        self.second.map_or_else(alone, confirmation::title)
    }

    fn outcome(&self) -> &ComparisonOutcome {
        self.second.map_or(&self.comparison.outcome, |both| &both.outcome)
    }

    fn sign(&self) -> String {
        let alone = || outcome_mark::of(self.comparison);
        self.second.map_or_else(alone, |both| outcome_mark::of_outcome(&both.outcome))
    }

    /// The first question, and its answer in a sentence.
    fn answer(&self) -> (&'static str, String) {
        match self.second {
            Some(both) => ("Is it slower?", answer_of_both(both).to_owned()),
            None => answer(self.comparison),
        }
    }

    /// What became of the flags on the second machine.
    fn second_machine(&self) -> String {
        let Some(both) = self.second else { return String::new() };
        let mut html = confirmation::table(both).to_string();
        html += &paragraph("how", &confirmation::method(both).replace('*', ""));
        let unrefuted = confirmation::unrefuted(both).map(|it| it.replace('*', ""));
        html += &joined(unrefuted.map(|it| paragraph("how", &it)));
        html + "<h3>On the first machine</h3>\n"
    }
}

fn page(subject: PageSubject<'_>, placement: AssetPlacement<'_>) -> String {
    let comparison = subject.comparison;
    let headline = subject.headline();
    let safe = |html: String| Value::from_safe_string(html);
    let none = || Value::from(());
    let why = why(comparison);
    // Call stacks alone have something to zoom into.
    let script = why.contains(icicle::FRAME_MARK);
    let (style, assets, policy) = match placement {
        AssetPlacement::Inside => (safe(stylesheet()), none(), safe(policy(script))),
        AssetPlacement::Beside { stylesheet, script } => {
            let assets = context! {
                stylesheet => safe(escaped(stylesheet)),
                script => safe(escaped(script)),
            };
            (none(), assets, none())
        }
    };
    let (question, answer) = subject.answer();
    let outcome = subject.outcome();
    let page = context! {
        title => headline.replace('`', ""),
        headline => safe(prose(&view::capitalised(&headline))),
        beside => safe(prose(&beside(comparison, outcome, &headline))),
        detail => detail(outcome),
        sign => safe(subject.sign()),
        style,
        assets,
        policy,
        script => if script { safe(SCRIPT.to_owned()) } else { none() },
        tone => tone(outcome),
        word => word(comparison, outcome),
        revisions => safe(prose(&wording::revisions(comparison))),
        method => safe(prose(&wording::method(comparison))),
        cause => cause(comparison, outcome).map_or_else(none, |it| safe(prose(&it))),
        command => safe(first_command(comparison)),
        notes => safe(notes(comparison)),
        question,
        answer => safe(paragraph("answer", &answer)),
        rule => safe(joined(forest::rule_in_words(comparison).map(|it| paragraph("how key", it)))),
        alone => comparison.base.is_none(),
        second => safe(subject.second_machine()),
        forest => safe(forest::section(comparison)),
        limits => safe(forest::limits(comparison)),
        why => safe(why),
        trust => safe(trust(comparison)),
        evidence => safe(joined(evidence::figures(comparison))),
        sensitivity => safe(seen(comparison)),
        load => safe(load::lines(comparison)),
        environment => safe(surroundings(comparison)),
        compared => comparison.base.is_some() && comparison.method.family > 0,
        history => safe(history(comparison)),
        reproduce => safe(commands(comparison)),
        glossary => safe(glossary::list()),
        provenance => safe(prose(&wording::provenance(comparison, str::to_owned))),
    };
    let mut templates = Environment::new();
    templates.add_template("page.html", PAGE).expect("the page's template is part of the program");
    let template = templates.get_template("page.html").expect("it was added");
    template.render(page).expect("every name in the template is in its context")
}

/// Memory takes all that is written.
const STRING: &str = "writing to a string does not fail";

const PAGE: &str = include_str!("page.html");

/// The script of pages with call stacks, to be put beside pages that name it.
pub const SCRIPT: &str = include_str!("report.js");

/// Returns the style sheet of every page, to be put beside pages that name it.
pub fn stylesheet() -> String {
    document::stylesheet()
}

/// What a browser lets the page do: use its own style sheet, and run its own script by digest. Whatever a name
/// might become, it cannot run or load anything.
fn policy(script: bool) -> String {
    let script = if script {
        let digest = BASE64_STANDARD.encode(Sha256::digest(SCRIPT));
        format!("script-src 'sha256-{digest}'; ")
    } else {
        String::new()
    };
    format!(
        "default-src 'none'; {script}style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
    )
}

fn tone(outcome: &ComparisonOutcome) -> &'static str {
    match outcome {
        ComparisonOutcome::NotMeasured(_) | ComparisonOutcome::Regressed => "bad",
        ComparisonOutcome::Inconclusive => "open",
        ComparisonOutcome::Improved | ComparisonOutcome::Pass => "good",
    }
}

/// The verdict in a word or two.
fn word(comparison: &Comparison, outcome: &ComparisonOutcome) -> &'static str {
    match outcome {
        ComparisonOutcome::NotMeasured(_) => "Not measured",
        ComparisonOutcome::Regressed if comparison.failure.is_some() => "Fails",
        ComparisonOutcome::Regressed if comparison.broken().next().is_some() => "Limit broken",
        ComparisonOutcome::Regressed => "Slower",
        ComparisonOutcome::Inconclusive => "Can't tell",
        ComparisonOutcome::Improved => "Faster",
        ComparisonOutcome::Pass if comparison.identical.is_some() => "Identical",
        ComparisonOutcome::Pass if comparison.base.is_none() => "Measured",
        ComparisonOutcome::Pass => "Not slower",
    }
}

/// What stands beside that word: the headline, unless it begins with the same words.
fn beside(comparison: &Comparison, outcome: &ComparisonOutcome, headline: &str) -> String {
    match outcome {
        ComparisonOutcome::NotMeasured(_) | ComparisonOutcome::Inconclusive => {
            wording::revisions(comparison)
        }
        ComparisonOutcome::Regressed | ComparisonOutcome::Improved | ComparisonOutcome::Pass => {
            headline.to_owned()
        }
    }
}

/// What the figures of the change are headed by: of none there is no reason to ask for.
fn detail(outcome: &ComparisonOutcome) -> &'static str {
    match outcome {
        ComparisonOutcome::Regressed | ComparisonOutcome::Improved => "Why?",
        ComparisonOutcome::NotMeasured(_)
        | ComparisonOutcome::Inconclusive
        | ComparisonOutcome::Pass => "In detail",
    }
}

/// The question of a comparison by itself, and its answer.
fn answer(comparison: &Comparison) -> (&'static str, String) {
    let count = |verdict| comparison.count(verdict);
    let counts = [
        (count(Verdict::Regressed), "slower"),
        (count(Verdict::Improved), "faster"),
        (count(Verdict::Inconclusive), "can't tell"),
        (count(Verdict::Unchanged), "unchanged"),
        (wording::without_finding(comparison), "without a finding"),
    ];
    let counts = counts.into_iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts.map(|(count, word)| format!("{count} {word}")).collect();
    let of = plural(comparison.method.family, "metric");
    let counts = format!("{} of {of} that decide", counts.join(", "));
    if comparison.base.is_none() {
        return ("What was measured?", measured(comparison));
    }
    let question = "Is it slower?";
    let said = match &comparison.outcome {
        ComparisonOutcome::NotMeasured(_) => "That was not measured".to_owned(),
        ComparisonOutcome::Regressed => format!("Yes: {counts}"),
        ComparisonOutcome::Inconclusive => format!("That is not decided yet: {counts}"),
        ComparisonOutcome::Improved => format!("No, it is faster: {counts}"),
        ComparisonOutcome::Pass if comparison.identical.is_some() => {
            "No: both sides are one program".to_owned()
        }
        ComparisonOutcome::Pass => match comparison.tolerance() {
            // The headline has a number that need not be one of a row that a reader looks at.
            Some(widest) => {
                format!("No: {counts}, each within its own tolerance, at most {widest}")
            }
            None => format!("No: {counts}"),
        },
    };
    (question, said)
}

/// The answer that two machines give.
fn answer_of_both(both: &Confirmation) -> &'static str {
    match &both.outcome {
        ComparisonOutcome::NotMeasured(_) => "That was not measured on both machines",
        ComparisonOutcome::Regressed if both.count(FlagStanding::Confirmed) > 0 => {
            "Yes: both machines show it"
        }
        ComparisonOutcome::Regressed => {
            "By the evidence of both machines together, yes; the second by itself does not show it"
        }
        ComparisonOutcome::Inconclusive | ComparisonOutcome::Improved | ComparisonOutcome::Pass => {
            "That is not shown: what the first machine flagged, the second does not confirm"
        }
    }
}

/// What came of a build alone: its limits, and the capacity where one was searched for.
fn measured(comparison: &Comparison) -> String {
    let (limits, broken) = (comparison.limits.len(), comparison.broken().count());
    let kept = match (limits, broken) {
        (0, _) => "no limit was promised".to_owned(),
        (1, 0) => "the one limit holds".to_owned(),
        (_, 0) => format!("all {limits} limits hold"),
        (_, _) => format!("{broken} of {} broken", plural(limits, "limit")),
    };
    let capacities = comparison.details.iter().filter_map(details::capacity);
    iter::once(kept).chain(capacities).collect::<Vec<_>>().join("; ")
}

/// What the change is in, as far as that is known, for the first screen: what was proven goes before what is likely.
fn cause(comparison: &Comparison, outcome: &ComparisonOutcome) -> Option<String> {
    match outcome {
        ComparisonOutcome::Regressed | ComparisonOutcome::Improved => {}
        ComparisonOutcome::NotMeasured(_)
        | ComparisonOutcome::Inconclusive
        | ComparisonOutcome::Pass => return None,
    }
    let breakdowns = || comparison.changed_breakdowns();
    let ranked = || breakdowns().filter_map(|it| it.causes.as_ref()).flat_map(causes::hunks).next();
    let proven = comparison.breakdowns.iter().flat_map(causes::proven).next();
    let known = proven
        .or_else(|| reasons::sentences(comparison).into_iter().next())
        .or_else(ranked)
        .or_else(|| breakdowns().find_map(functions::largest));
    let is_speed = comparison.failure.is_none()
        && comparison.count(Verdict::Regressed) + comparison.count(Verdict::Improved) > 0;
    known.or_else(|| is_speed.then(|| unknown(comparison).to_owned()))
}

/// That nothing says what the change is in, and what would.
fn unknown(comparison: &Comparison) -> &'static str {
    if comparison.breakdowns.is_empty() {
        "not known from times alone; `--lane work` counts in which functions and lines it is"
    } else {
        "not known: no function takes more instructions, and no part of the time stands out"
    }
}

/// What a reader has to know before the numbers.
fn notes(comparison: &Comparison) -> String {
    let mut html = String::new();
    if let Some(identity) = wording::identity(comparison, str::to_owned) {
        html += &paragraph("note", &identity);
    }
    let block = |text: &str| format!("<pre class=\"note\">{}</pre>\n", escaped(text));
    if let ComparisonOutcome::NotMeasured(reason) = &comparison.outcome {
        let whole = reason.to_string();
        // The headline has it all where there is no more than a summary.
        if whole != reason.summary {
            html += &block(&whole);
        }
    }
    let failures = wording::failure_lines(comparison).join("\n");
    if !failures.is_empty() {
        html += &block(&failures);
    }
    for note in &comparison.notes {
        html += &paragraph("note", &note.to_string());
    }
    html
}

/// What the change is in, as far as it was counted or watched; nothing where it was neither.
fn why(comparison: &Comparison) -> String {
    let mut html = String::new();
    for sentence in reasons::sentences(comparison) {
        html += &paragraph("answer", &sentence);
    }
    for sentence in cost::sentences(comparison) {
        html += &paragraph("how", &sentence);
    }
    html += &calls::parts(comparison);
    let scenarios = focus::drawn(comparison);
    html += &joined(scenarios.iter().filter_map(|name| anatomy::figure(comparison, name)));
    html += &work::parts(comparison);
    for name in &scenarios {
        html += &joined(load::figure(comparison, name));
        html += &joined(percentiles::figure(comparison, name));
        html += &joined(timeline::figure(comparison, name));
        html += &joined(timeline::memory(comparison, name));
    }
    let hidden = comparison.timelines.len().saturating_sub(scenarios.len());
    if hidden > 0 && !html.is_empty() {
        let hidden = plural(hidden, "scenario");
        html += &paragraph(
            "how",
            &format!("{hidden} without news have no figures here; their numbers are in the record"),
        );
    }
    html
}

/// The error rate, where this run ended, and what its evidence adds to.
fn trust(comparison: &Comparison) -> String {
    let method = &comparison.method;
    let mut html = String::new();
    if method.mode == ComparisonMode::Paired && method.launches > 0 {
        html += &paragraph("answer", &error_rate(comparison));
        html += &paragraph(
            "",
            "Base and head ran side by side in fresh launches; which came first was drawn by coin for \
            every launch pair and every slice. A launch pair is one number; the evidence may be looked at after \
            each of them, and adds up over attempts",
        );
    }
    if method.mode == ComparisonMode::Stored {
        html += &paragraph(
            "answer",
            "a run is one number a metric, held against the runs since the level last changed; \
            what one run makes suspicious is measured again before it counts",
        );
    }
    html +=
        &joined(wording::attempts(comparison).map(|it| paragraph("note", &it.replace('*', ""))));
    html += &joined(evidence::order(comparison).map(|it| paragraph("", &it)));
    if method.counted.is_some() {
        html += &paragraph(
            "",
            "Work and allocations were counted under callgrind, apart from the launches that were \
            timed; a t on logarithms decides, its scatter shrunk towards 0.1 %",
        );
    }
    html
}

/// What may be relied on, in a sentence with its numbers.
fn error_rate(comparison: &Comparison) -> String {
    let method = &comparison.method;
    let alarms = 1.0 / method.alpha;
    format!(
        "At most 1 comparison in {} is called slower anywhere when nothing changed. This one ended after {} of at most \
         {}, with {} sharing that error rate",
        units::count(alarms.round()),
        plural(method.launches, "launch pair"),
        method.launches_planned,
        plural(method.family, "metric"),
    )
}

fn seen(comparison: &Comparison) -> String {
    let mut html = joined(wording::visible(comparison).map(|it| paragraph("", &it)));
    let first = focus::evidence_rows(comparison).into_iter().next();
    let sentence = first.and_then(|row| sensitivity::sentence(comparison, row));
    html += &joined(sentence.map(|it| paragraph("answer", &it)));
    html += &joined(sensitivity::figure(comparison));
    html
}

fn surroundings(comparison: &Comparison) -> String {
    let sentences = environment::sentences(comparison);
    let sentences = sentences.iter().map(|it| paragraph("", it));
    format!("{}{}", environment::tables(comparison), sentences.collect::<String>())
}

fn history(comparison: &Comparison) -> String {
    let figures = levels::figures(comparison);
    if figures.is_empty() {
        return String::new();
    }
    format!("<div class=\"small-multiples\">{}</div>\n", joined(figures))
}

/// What a reader can paste, on the first screen: the command that measures the same again, or the one that shows this
/// record.
fn first_command(comparison: &Comparison) -> String {
    let (what, command) = match reproduction::command(comparison) {
        Some(again) => ("Measure again", again),
        None => ("Show again", SHOW_AGAIN.to_owned()),
    };
    // A line may end between words, and not behind the dashes of an option.
    let word = |word: &str| {
        let safe = escaped(word);
        if word.starts_with('-') { format!("<span class=\"nb\">{safe}</span>") } else { safe }
    };
    let words: Vec<String> = command.split(' ').map(word).collect();
    format!("{what}: <code>{}</code>", words.join(" "))
}

/// The command that renders a record.
const SHOW_AGAIN: &str = "xmlperf report run.json --format html";

fn commands(comparison: &Comparison) -> String {
    let mut html = String::new();
    let mut command = |why: &str, command: &str| {
        html += &paragraph("", why);
        writeln!(html, "<pre>{}</pre>", escaped(command)).expect(STRING);
    };
    if let Some(again) = reproduction::command(comparison) {
        let caveat = reproduction::caveat(comparison).map(|it| format!(", {it}"));
        let why = format!("measure the same again{}:", caveat.unwrap_or_default());
        command(&why, &again);
    }
    command("Show the record of this run again, in any format:", SHOW_AGAIN);
    html += &view::paragraph(
        "how",
        "the record holds every number that a verdict rests on; verdicts are drawn anew whenever \
        it is read",
    );
    html
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unbroken::breakable;
    use record::fixtures::{LEVEL, SampleLaunch, counted, paired};

    fn page() -> String {
        let mut run = paired(10, LEVEL, SampleLaunch { cpu_us: 572, ..LEVEL });
        run.scenarios[0].name = "<script>alert(1)</script>".to_owned();
        run.scenarios[0].work = Some(counted(64_800.0, 66_420.0));
        render(&Comparison::of(&run).unwrap())
    }

    #[test]
    fn the_page_shows_verdicts_functions_and_their_stacks() {
        let page = breakable(&page());
        for expected in [
            "</svg> 2 regressions",
            "<th scope=\"row\" class=\"c\">api::parse</th>",
            "<td class=\"n\">+1620</td>",
            "▲ api::parse: ",
            "regressed (tolerance 3 %)",
        ] {
            assert!(page.contains(expected), "{expected} is not in {page}");
        }
    }

    #[test]
    fn the_page_loads_nothing_and_names_cannot_become_markup() {
        let page = page();
        let page = page.replacen(&format!("<script>{SCRIPT}</script>"), "", 1);
        assert!(!page.contains("<script"), "{page}");
        for place in ["src=", "href=\"h", "url(", "@import"] {
            assert!(!page.contains(place), "{place}");
        }
    }
}
