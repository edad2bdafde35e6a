//! Draws call stacks, of one version or of two.
//!
//! The width of a frame is what it cost in head. In a picture of two, its colour says by how much
//! that is more (red) or less (blue) than in base; what only base did has no width.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use inferno::flamegraph::{self, Options};

use super::stacks::Stacks;

/// Stacks, and the factor that turns their costs into the numbers to show.
#[derive(Debug, Clone, Copy)]
pub struct Scaled<'a> {
    /// What to draw.
    pub stacks: &'a Stacks,
    /// Multiplies every cost; what is below one half then is not drawn.
    pub factor: f64,
}

/// What stands above and beside the picture.
#[derive(Debug, Clone, Copy)]
pub struct Caption<'a> {
    /// First line.
    pub title: &'a str,
    /// What the numbers count, such as `instructions`.
    pub count: &'a str,
}

/// Draws `head`, coloured by its difference from `base` if there is one, as SVG. Returns nothing
/// if there is nothing to draw.
pub fn svg(base: Option<Scaled<'_>>, head: Scaled<'_>, caption: Caption<'_>) -> Option<String> {
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

fn one(head: Scaled<'_>) -> Vec<String> {
    let line = |(stack, cost)| {
        let cost = scaled(cost, head.factor);
        (cost > 0.0).then(|| format!("{} {cost}", folded(stack)))
    };
    head.stacks.iter().filter_map(line).collect()
}

fn two(base: Scaled<'_>, head: Scaled<'_>) -> Vec<String> {
    let costs = |side: Scaled<'_>| {
        let cost = move |(stack, cost)| (folded(stack), scaled(cost, side.factor));
        side.stacks.iter().map(cost).collect::<BTreeMap<_, _>>()
    };
    let (base, head) = (costs(base), costs(head));
    let stacks = base.keys().chain(head.keys()).collect::<BTreeSet<_>>();
    let line = |stack: &String| {
        let cost = |side: &BTreeMap<String, f64>| side.get(stack).copied().unwrap_or(0.0);
        let (base, head) = (cost(&base), cost(&head));
        (base + head > 0.0).then(|| format!("{stack} {base} {head}"))
    };
    stacks.into_iter().filter_map(line).collect()
}

/// Rounded, as the picture's numbers are whole.
fn scaled(cost: u64, factor: f64) -> f64 {
    (cost as f64 * factor).round()
}

/// A semicolon ends a frame, and may be in a name: `[u8; 4]`.
fn folded(stack: &[Arc<str>]) -> String {
    stack.iter().map(|name| name.replace(';', ",")).collect::<Vec<_>>().join(";")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stacks(lines: &[(&str, u64)]) -> Stacks {
        let mut stacks = Stacks::default();
        for (line, cost) in lines {
            stacks.add(line.split('|').map(Arc::from).collect(), *cost);
        }
        stacks
    }

    const CAPTION: Caption<'_> = Caption { title: "a <title>", count: "instructions" };

    #[test]
    fn two_versions_are_lines_of_two_numbers_in_one_unit() {
        let base = stacks(&[("main|a", 100), ("main|gone", 50)]);
        let head = stacks(&[("main|a", 30), ("main|<[u8; 4]>::new", 20)]);
        let lines =
            two(Scaled { stacks: &base, factor: 0.1 }, Scaled { stacks: &head, factor: 0.5 });
        assert_eq!(lines, ["main;<[u8, 4]>::new 0 10", "main;a 10 15", "main;gone 5 0"]);
    }

    #[test]
    fn a_picture_is_the_same_each_time_and_has_all_frames_as_text() {
        let head = stacks(&[("main|a", 30), ("main|<[u8; 4]>::new", 20)]);
        let head = Scaled { stacks: &head, factor: 1.0 };
        let picture = svg(Some(head), head, CAPTION).unwrap();
        assert_eq!(svg(Some(head), head, CAPTION).unwrap(), picture);
        for text in ["&lt;[u8, 4]&gt;::new (20 instructions", "a &lt;title&gt;"] {
            assert!(picture.contains(text), "{text}");
        }
        let nothing = Scaled { stacks: &Stacks::default(), factor: 1.0 };
        assert_eq!(svg(None, nothing, CAPTION), None);
    }
}
