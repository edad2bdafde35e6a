//! What the page says, to a reader with a style sheet and to one without.

use std::collections::BTreeMap;

use crate::html::{self, AssetPlacement};
use crate::page::rule;
use crate::unbroken::breakable;
use crate::wording;
use compare::Comparison;
use compare::decision::Verdict;
use record::fixtures::{LEVEL, SampleLaunch, alone, counted, explained, paired, remembered};
use record::metric::Metric;
use record::metric::gate::MetricPolicy;
use record::{
    EarlyEnd, FailureReport, IdenticalProgram, LaunchResults, ResourcePoint, ResourceProbes, Run,
    ScenarioRun, Side,
};

/// Most bytes and elements of a page of twelve scenarios, and most bytes of one of a single scenario.
const BYTES_MAX: usize = 600_000;
const ELEMENTS_MAX: usize = 6_000;
const BYTES_OF_ONE_MAX: usize = 150_000;

fn page(run: &Run) -> String {
    html::render(&Comparison::of(run).unwrap())
}

/// What is left of a page where it has neither style nor script nor tags, with single spaces.
fn text(page: &str) -> String {
    let mut text = String::new();
    // What holds the lines of a file together begins inside a word.
    let page = page.replace("<span class=\"nb\">", "");
    let mut rest = page.as_str();
    while let Some(open) = rest.find('<') {
        text.push_str(&rest[..open]);
        let end = match rest.get(open..open + 7) {
            Some("<style>") => rest[open..].find("</style>").unwrap() + 8,
            Some("<script") => rest[open..].find("</script>").unwrap() + 9,
            Some(_) | None => rest[open..].find('>').unwrap() + 1,
        };
        text.push(' ');
        rest = &rest[open + end..];
    }
    text.push_str(rest);
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    let text = breakable(&text.replace("&#39;", "'").replace("&#x27;", "'").replace("&amp;", "&"));
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn slower() -> Run {
    paired(10, LEVEL, SampleLaunch { cpu_us: 572, ..LEVEL })
}

/// Names that break what is careless: pipes, markup, other scripts, one without an end.
const UGLY_NAMES: [&str; 6] = [
    "a|b `c` <script>alert(1)</script> &amp;",
    "比較・大きな文書",
    "مقارنة المستندات",
    "\u{202e}desrever",
    "a-name-without-a-space-that-is-much-longer-than-any-column-of-any-table-of-any-page-would-be",
    "x",
];

/// So many scenarios, some slower; watched, counted, with failures.
fn many(scenarios: usize) -> Run {
    let mut run = slower();
    let calm = paired(10, LEVEL, LEVEL).scenarios.remove(0);
    let slow = run.scenarios.remove(0);
    let scenario = |number: usize| {
        let of = if number.is_multiple_of(3) { &slow } else { &calm };
        let ugly = UGLY_NAMES[number % UGLY_NAMES.len()];
        let mut scenario = ScenarioRun { name: format!("{ugly} {number}"), ..of.clone() };
        scenario.work =
            Some(counted(64_800.0, if number.is_multiple_of(3) { 66_420.0 } else { 64_800.0 }));
        watch(&mut scenario);
        scenario
    };
    run.scenarios = (0..scenarios).map(scenario).collect();
    run
}

fn watch(scenario: &mut ScenarioRun) {
    let LaunchResults::Paired(pairs) = &mut scenario.trials else { return };
    for (place, pair) in pairs.iter_mut().enumerate() {
        for launch in [&mut pair.base, &mut pair.head] {
            let point = |i: u64| ResourcePoint {
                at_ns: i * 100_000_000,
                rss_bytes: (24 << 20) + i * 4_096,
                cpu_ns: i * 50_000_000,
            };
            launch.probes = Some(ResourceProbes {
                user_ns: 300_000_000,
                system_ns: 100_000_000,
                queued_ns: Some(20_000_000),
                counters: record::ProcessCounters::default(),
                threads: 4,
                files: 9,
                series: (0..20).map(point).collect(),
                cost_ns: 1_000,
                steal_ns: if place == 3 { 90_000_000 } else { 0 },
                throttled_ns: 0,
            });
        }
    }
}

/// A run whose work grew by lines that are known, and proven.
fn with_causes() -> Run {
    let mut run = paired(10, LEVEL, LEVEL);
    run.scenarios[0].work = Some(explained(64_800.0, 69_206.0, 64_800.0));
    run
}

/// A run that is held against stored ones whose level rose by a quarter.
fn level_changed() -> Run {
    let noise = [0, 14, -22, 31, -9, 18, -27, 5, -16, 8];
    let days: Vec<i32> = noise.iter().map(|day| day - 200).chain(noise).collect();
    remembered(&days, LEVEL)
}

/// Every state that a page can be in, by name.
pub(crate) fn states() -> BTreeMap<&'static str, Run> {
    let failed = EarlyEnd::Failed {
        side: Side::Head,
        scenario: Some("smoke".to_owned()),
        reason: FailureReport::from("exited with status 7 <b>"),
    };
    let program = IdenticalProgram { sha256: "0123456789abcdef".repeat(4), executable: None };
    // On the heap: a record takes more than a kilobyte of the stack.
    let states = vec![
        ("slower", slower()),
        ("unchanged", paired(10, LEVEL, LEVEL)),
        ("undecided", paired(4, LEVEL, LEVEL)),
        ("one launch pair", paired(1, LEVEL, LEVEL)),
        ("nothing yet", Run { ended: Some(EarlyEnd::Interrupted), ..paired(0, LEVEL, LEVEL) }),
        ("failed", Run { ended: Some(failed), ..paired(3, LEVEL, LEVEL) }),
        ("identical", Run { identical: Some(program), ..paired(0, LEVEL, LEVEL) }),
        ("alone", alone(LEVEL)),
        ("with causes", with_causes()),
        ("level changed", level_changed()),
        ("stored", remembered(&[0, 14, -22, 31, -9, 18, -27, 5, -16, 8], LEVEL)),
        ("twelve", many(12)),
        ("a row a line", many(25)),
    ];
    states.into_iter().collect()
}

#[test]
fn every_state_has_a_page_that_loads_nothing_and_runs_nothing() {
    for (state, run) in states() {
        let own = format!("<script>{}</script>", html::SCRIPT);
        let page = page(&run).replacen(&own, "", 1);
        for place in
            ["<script", "src=", "href=\"h", "url(", "@import", "style=", "NaN", "onload", "\"inf"]
        {
            assert!(!page.contains(place), "{state}: {place} is in the page");
        }
        assert_eq!(page.matches("<h1>").count(), 1, "{state}");
        let balanced = |tag: &str| {
            page.matches(&format!("<{tag}>")).count() + page.matches(&format!("<{tag} ")).count()
                == page.matches(&format!("</{tag}>")).count()
        };
        for tag in [
            "svg", "table", "tbody", "tr", "figure", "details", "section", "p", "pre", "div",
            "span", "b",
        ] {
            assert!(balanced(tag), "{state}: {tag} is not closed");
        }
    }
}

#[test]
fn the_page_without_its_style_says_every_number_in_the_order_of_its_columns() {
    for (state, run) in states() {
        let comparison = Comparison::of(&run).unwrap();
        let text = text(&html::render(&comparison));
        let mut expected: Vec<Vec<String>> = Vec::new();
        for row in &comparison.rows {
            let (base, head) = (wording::value(row, row.base), wording::value(row, row.head));
            let mut cells = vec![row.label()];
            cells.extend(Some(base).filter(|base| base != "–"));
            cells.extend([
                head,
                wording::change(row),
                wording::interval(row),
                wording::verdict(row),
            ]);
            expected.push(cells);
        }
        for check in &comparison.limits {
            let measured = check.measured_text().unwrap_or_else(|| "not measured".to_owned());
            let holds = if check.holds() { "holds" } else { "broken" };
            let label = format!("{} {}", check.scenario, check.label());
            expected.push(vec![label, check.bound(), measured, holds.to_owned()]);
        }
        for cells in expected {
            assert!(in_order(&text, &cells), "{state}: {cells:?} is not in {text}");
        }
        let headline = wording::headline(&comparison).text.replace('`', "");
        assert!(in_order(&text, &[headline]), "{state}");
    }
}

/// Whether the cells stand somewhere one after the other with little between them.
fn in_order(text: &str, cells: &[String]) -> bool {
    const BETWEEN_MAX: usize = 120;
    let cells: Vec<String> = cells
        .iter()
        .map(|cell| cell.replace('\u{202e}', "").split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|cell| !cell.is_empty())
        .collect();
    let begins = text.match_indices(&cells[0]).map(|(place, found)| place + found.len());
    let mut begins = begins.filter(|&begin| {
        let mut place = begin;
        cells[1..].iter().all(|cell| {
            let found = text[place..].find(cell.as_str()).filter(|skipped| *skipped <= BETWEEN_MAX);
            found.inspect(|skipped| place += skipped + cell.len()).is_some()
        })
    });
    begins.next().is_some()
}

#[test]
fn questions_stand_in_the_order_in_which_they_are_asked_of_a_page() {
    let mut run = many(1);
    run.scenarios[0].name = "smoke".to_owned();
    let page = page(&run);
    let places: Vec<usize> = [
        "<h1>",
        ">Is it slower?<",
        ">Why?</h2>",
        "what the time of a request went into</figcaption>",
        "Where the work grew",
        "shift by percentile</figcaption>",
        "over time</figcaption>",
        ">Can I trust it?</h2>",
        "evidence over launch pairs</figcaption>",
        ": what so many launch pairs show</figcaption>",
        "Was the load made as it should be?",
        "What this does not show",
        ">Reproduce<",
        ">Glossary<",
    ]
    .into_iter()
    .map(|part| page.rfind(part).unwrap_or_else(|| panic!("{part} is not in {page}")))
    .collect();
    assert!(places.is_sorted(), "{places:?}");
    assert!(text(&page).contains("xmlperf compare --baseline 1d20e770aa --scenario smoke"));
}

#[test]
fn every_figure_has_a_name_a_caption_and_its_numbers() {
    let mut run = many(2);
    run.history = None;
    for page in [page(&run), page(&remembered(&[0, 14, -22, 31, -9, 18], LEVEL))] {
        let figures: Vec<&str> = page.split("<figure>").skip(1).collect();
        assert!(figures.len() >= 3, "{}", figures.len());
        for figure in figures {
            let figure = figure.split("</figure>").next().unwrap();
            for part in [
                "<figcaption>",
                "role=\"img\"",
                "<title>",
                "<desc>",
                "<caption>",
                "<th scope=\"row\"",
            ] {
                assert!(figure.contains(part), "{part} is not in {figure}");
            }
        }
    }
}

#[test]
fn what_changed_stands_above_what_did_not() {
    let page = page(&many(12));
    let (first, last) =
        (page.find("tr class=\"bad\"").unwrap(), page.find("tr class=\"calm\"").unwrap());
    assert!(first < last);
    let groups: Vec<usize> =
        page.match_indices("scope=\"rowgroup\"").map(|(place, _)| place).collect();
    assert_eq!(groups.len(), 12);
    assert!(page[groups[3]..groups[4]].contains("slower"), "the four slower ones stand first");
    assert!(!page[groups[4]..].split("</table>").next().unwrap().contains("class=\"bad\""));
}

/// Runs of many lengths and changes, so that intervals lie everywhere about floor and tolerance.
fn swept() -> Vec<Run> {
    let mut runs: Vec<Run> = states().into_values().collect();
    for launch_pairs in 4..=16 {
        for cpu_us in [470, 500, 511, 520, 526, 531, 545, 572] {
            let mut run = paired(launch_pairs, LEVEL, SampleLaunch { cpu_us, ..LEVEL });
            run.scenarios[0].work = Some(counted(64_800.0, 124.6 * cpu_us as f64));
            run.gate.rules.get_mut(&Metric::Work).unwrap().tolerance.0 = 0.03;
            runs.push(run);
        }
    }
    runs
}

#[test]
fn no_row_looks_like_a_contradiction() {
    let (mut outvoted, mut floors, mut intervals) = (0, 0, 0);
    for run in swept() {
        let comparison = Comparison::of(&run).unwrap();
        for row in &comparison.rows {
            let said = wording::verdict(row);
            let (Some(judgement), Some(verdict)) = (row.judgement(), row.verdict()) else {
                continue;
            };
            let (floor, tolerance) = (row.rule.floor.ln(), row.rule.tolerance.ln());
            let compare::decision::Judgement { estimate_ln, low_ln, high_ln, mde_ln, .. } =
                *judgement;
            let is_open = verdict == Verdict::Inconclusive;
            let is_seen = estimate_ln.abs() >= mde_ln || !low_ln.is_finite();
            assert!(!(said.contains("needs ≥") && is_seen), "{said} beside {judgement:?}");
            if is_open && row.suspicion.is_none() && (low_ln > floor || high_ln < -floor) {
                assert!(said.contains("by itself"), "{said} beside {judgement:?}");
                outvoted += 1;
            }
            if verdict == Verdict::Regressed && floor < tolerance && estimate_ln < tolerance {
                assert!(!said.contains("tolerance"), "{said} beside {judgement:?}");
                floors += 1;
            }
            intervals += usize::from(is_open && said.contains("too few"));
            let decides = rule::distance(&comparison, row);
            let is_gate = row.rule.policy == MetricPolicy::Gate;
            assert!(!is_gate || decides.is_some(), "nothing decides {}: {said}", row.label());
        }
    }
    assert!(outvoted > 0 && floors > 0 && intervals > 0, "{outvoted} {floors} {intervals}");
}

#[test]
fn pages_stay_small() {
    let twelve = page(&many(12));
    let elements = twelve.matches('<').count() - twelve.matches("</").count();
    assert!(twelve.len() <= BYTES_MAX, "{} bytes", twelve.len());
    assert!(elements <= ELEMENTS_MAX, "{elements} elements");
    let one = page(&many(1));
    assert!(one.len() <= BYTES_OF_ONE_MAX, "{} bytes", one.len());
}

#[test]
fn a_style_sheet_beside_the_page_leaves_the_same_words() {
    let comparison = Comparison::of(&slower()).unwrap();
    let placement =
        AssetPlacement::Beside { stylesheet: "assets/xmlperf.css", script: "assets/xmlperf.js" };
    let beside = html::render_with(&comparison, placement);
    assert!(!beside.contains("<style"));
    assert!(beside.contains("<link rel=\"stylesheet\" href=\"assets/xmlperf.css\">"));
    assert_eq!(text(&beside), text(&html::render(&comparison)));
}

#[test]
fn quantities_are_held_together() {
    let page = page(&slower());
    assert!(page.contains("5.20\u{a0}µs</data> → <data"), "{page}");
    assert!(page.contains("(tolerance 3\u{a0}%)"));
}

#[test]
fn rows_that_do_not_decide_are_there_and_can_be_hidden() {
    let run = slower();
    let comparison = Comparison::of(&run).unwrap();
    let is_reported = |row: &&compare::MetricResult| row.rule.policy == MetricPolicy::Report;
    let reported = comparison.rows.iter().filter(is_reported).count();
    let page = html::render(&comparison);
    assert_eq!(page.matches("<tr class=\"quiet\">").count(), reported);
    assert!(page.contains("id=\"f-all\""));
}

/// Writes the record of every state into the folder that `PAGES` names, for `tests/page.sh` and `tests/junit.sh`, and
/// into one that is deleted again without it.
#[test]
#[ignore = "writes what programs beside the tests read"]
fn write_records() {
    let named = std::env::var_os("PAGES").map(std::path::PathBuf::from);
    let own = std::env::temp_dir().join(format!("xmlperf-states-{}", std::process::id()));
    let folder = named.clone().unwrap_or_else(|| own.clone());
    std::fs::create_dir_all(&folder).unwrap();
    for (state, run) in states() {
        let file = folder.join(format!("{}.json", state.replace(' ', "-")));
        run.save(&file).unwrap();
        assert_eq!(
            page(&Run::load(&file).unwrap()),
            page(&run),
            "{state} is another page once stored"
        );
    }
    if named.is_none() {
        std::fs::remove_dir_all(own).unwrap();
    }
}
