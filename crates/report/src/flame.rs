//! Draws call stacks, of one version or of two.
//!
//! The width of a frame is what it cost in head. In a picture of two, its colour says by how much
//! that is more (red) or less (blue) than in base; what only base did has no width.

use std::collections::BTreeSet;

use inferno::flamegraph::{self, Options};

use record::instruction_counts::FoldedStacks;

/// What stands above and beside the picture.
#[derive(Debug, Clone, Copy)]
pub struct FlameCaption<'a> {
    /// First line.
    pub title: &'a str,
    /// What the numbers count, such as `instructions`.
    pub count: &'a str,
}

/// Draws `head`, coloured by its difference from `base` if there is one, as SVG. Returns nothing
/// if there is nothing to draw.
pub fn svg(
    base: Option<&FoldedStacks>,
    head: &FoldedStacks,
    caption: FlameCaption<'_>,
) -> Option<String> {
    let lines = base.map_or_else(|| one(head), |base| two(base, head));
    let mut options = Options::default();
    caption.title.clone_into(&mut options.title);
    caption.count.clone_into(&mut options.count_name);
    options.subtitle = base.map(|_| "width: head · red: more than base · blue: less".to_owned());
    options.deterministic = true;
    "sans-serif".clone_into(&mut options.font_type);
    options.min_width = 0.05;
    let mut svg = Vec::new();
    flamegraph::from_lines(&mut options, lines.iter().map(String::as_str), &mut svg).ok()?;
    String::from_utf8(svg).ok()
}

fn one(head: &FoldedStacks) -> Vec<String> {
    let drawn = head.iter().filter(|(_, cost)| **cost > 0);
    drawn.map(|(stack, cost)| format!("{stack} {cost}")).collect()
}

fn two(base: &FoldedStacks, head: &FoldedStacks) -> Vec<String> {
    let stacks = base.keys().chain(head.keys()).collect::<BTreeSet<_>>();
    let cost = |side: &FoldedStacks, stack: &String| side.get(stack).copied().unwrap_or(0);
    let line = |stack: &String| {
        let (base, head) = (cost(base, stack), cost(head, stack));
        (base + head > 0).then(|| format!("{stack} {base} {head}"))
    };
    stacks.into_iter().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stacks(lines: &[(&str, u64)]) -> FoldedStacks {
        lines.iter().map(|(stack, cost)| ((*stack).to_owned(), *cost)).collect()
    }

    const CAPTION: FlameCaption<'_> = FlameCaption { title: "a <title>", count: "instructions" };

    #[test]
    fn two_versions_are_lines_of_two_numbers() {
        let base = stacks(&[("main;a", 10), ("main;gone", 5), ("main;nothing", 0)]);
        let head = stacks(&[("main;a", 15), ("main;<[u8, 4]>::new", 10)]);
        assert_eq!(
            two(&base, &head),
            ["main;<[u8, 4]>::new 0 10", "main;a 10 15", "main;gone 5 0"]
        );
    }

    #[test]
    fn a_picture_is_the_same_each_time_and_has_all_frames_as_text() {
        let head = stacks(&[("main;a", 30), ("main;<[u8, 4]>::new", 20)]);
        let picture = svg(Some(&head), &head, CAPTION).unwrap();
        assert_eq!(svg(Some(&head), &head, CAPTION).unwrap(), picture);
        for text in ["&lt;[u8, 4]&gt;::new (20 instructions", "a &lt;title&gt;"] {
            assert!(picture.contains(text), "{text}");
        }
        assert_eq!(svg(None, &FoldedStacks::new(), CAPTION), None);
    }
}
