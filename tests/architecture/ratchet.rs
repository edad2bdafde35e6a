//! The ratchet: what was gained in names, words and arrows is not lost again.
//!
//! The anchors of the field (ripgrep, nextest, vegeta, benchstat) share 5 to 18 % of their type names,
//! name 27 to 29 % of their types by one word, and no type by a participle. The limits lie between
//! those and what this tree has reached; a limit is lowered when the tree gets better, never raised.

use std::fmt::Display;
use std::sync::LazyLock;

use crate::source_tree::SourceTree;
use crate::tree_figures::TreeFigures;

/// Words in 10 000 lines: what HTTP and the messages of other programs have.
const HIDING_WORDS_MAX: f64 = 3.0;

static FIGURES: LazyLock<TreeFigures> = LazyLock::new(|| TreeFigures::count(&SourceTree::here()));

/// A list with one entry a line, for the message of a failed test.
pub(crate) fn listed<T: Display>(entries: impl IntoIterator<Item = T>) -> String {
    let lines: Vec<String> = entries.into_iter().map(|entry| format!("\n  {entry}")).collect();
    lines.concat()
}

#[test]
fn no_circle_of_imports_is_closed() {
    let circles = FIGURES.circles.iter().map(|circle| {
        let files = circle.iter().map(|path| path.display().to_string());
        files.collect::<Vec<_>>().join(" · ")
    });
    assert!(FIGURES.circles.is_empty(), "circles of imports:{}", listed(circles));
}

#[test]
fn at_most_one_type_name_in_ten_is_shared() {
    let shared = FIGURES.shared_types();
    assert!(
        FIGURES.shared_share() <= 0.10,
        "{:.1} % of the types share their name:{}",
        FIGURES.shared_share() * 100.0,
        listed(shared.iter().map(|shared| format!("{} {}", shared.name, shared.path.display())))
    );
}

#[test]
fn most_type_names_have_two_words() {
    let share = FIGURES.one_word_share();
    assert!(share <= 0.45, "{:.1} % of the type names are one word", share * 100.0);
}

#[test]
fn no_type_is_named_by_a_participle() {
    let participles = FIGURES.participles();
    let places = participles.iter().map(|named| format!("{} {}", named.name, named.path.display()));
    assert!(participles.is_empty(), "name the thing, not what was done to it:{}", listed(places));
}

#[test]
fn sentences_are_impersonal() {
    let places = FIGURES.hiding_words.iter();
    let places =
        places.map(|place| format!("{}:{} {}", place.path.display(), place.line, place.word));
    let share = FIGURES.words_in_10_000_lines();
    assert!(
        share <= HIDING_WORDS_MAX,
        "{share:.1} in 10 000 lines hide who acts:{}",
        listed(places)
    );
}

#[test]
fn functions_are_read_on_one_screen() {
    let long = FIGURES.function_lines.iter().filter(|function| function.lines > 70);
    let long: Vec<_> = long.map(|long| format!("{} {}", long.name, long.path.display())).collect();
    assert!(long.is_empty(), "longer than 70 lines:{}", listed(long));
    assert!(FIGURES.function_p95() <= 40, "p95 is {} lines", FIGURES.function_p95());
}

/// Prints the figures; `tests/figures.sh` puts them into a table. With `FIGURES_PLACES` it says where
/// they come from.
#[test]
#[ignore = "prints, and asserts nothing"]
#[expect(clippy::print_stdout, reason = "the figures are read by a person or a script")]
fn print_figures() {
    let figures = &FIGURES;
    print!("{}", **figures);
    if std::env::var_os("FIGURES_PLACES").is_some() {
        print!("{}", places(figures));
    }
}

fn places(figures: &TreeFigures) -> String {
    let circles = figures.circles.iter().map(|circle| format!("{circle:?}"));
    let longest = figures.function_lines.iter().rev().take(20);
    let longest = longest.map(|function| {
        format!("{} {} {}", function.lines, function.name, function.path.display())
    });
    let blocks = figures.repeated_blocks.iter();
    let blocks =
        blocks.map(|block| format!("{}:{} {}", block.path.display(), block.line, block.length));
    format!(
        "circles:{}\nlongest functions:{}\nrepeated blocks:{}\n",
        listed(circles),
        listed(longest),
        listed(blocks)
    )
}
