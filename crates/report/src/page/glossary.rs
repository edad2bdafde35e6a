//! The words of the page, for a reader who sees them first.

/// A word and what it means.
const WORDS: [(&str, &str); 15] = [
    ("base, head", "what is compared against, and what is judged; always in this order, ○ and ●"),
    ("launch", "one fresh start of the system under test"),
    (
        "launch pair",
        "one launch of base and one of head, alive together on one machine; it makes one number a metric",
    ),
    ("slice", "a stretch in which one side is driven; the sides take turns"),
    ("change", "the Hodges-Lehmann estimate of head over base, less 1, within launch pairs"),
    (
        "interval",
        "the changes that the launch pairs do not refute, at whatever launch pair one looks",
    ),
    ("floor", "the smallest change that may be called one"),
    ("tolerance", "the largest change that counts as none"),
    (
        "evidence",
        "the wealth of a bet against chance: at 100 : 1 chance explains it in 1 of 100 comparisons at most",
    ),
    ("unchanged", "shown to be within the tolerance, not merely not shown to differ"),
    ("can't tell", "none of slower, faster and unchanged could be shown"),
    ("suspected", "worse, and something beside the program explains it as well"),
    (
        "attempt",
        "one run at a comparison; the evidence of attempts adds up where a record of them is kept",
    ),
    (
        "queries, round trips",
        "statements, commands and requests to the services behind the target, and how often it waited for one of \
         them, for each request",
    ),
    (
        "stolen, throttled",
        "time that the machine's host gave to others, and time for which a quota was used up",
    ),
];

/// Returns the words as a list.
pub(crate) fn list() -> String {
    let line = |(word, meaning): &(&str, &str)| format!("<dt>{word}</dt><dd>{meaning}</dd>\n");
    format!("<dl>\n{}</dl>\n", WORDS.iter().map(line).collect::<String>())
}
