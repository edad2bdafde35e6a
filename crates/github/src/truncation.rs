//! Shortens a report until a limit lets it through.
//!
//! What is folded can be done without: the largest folded part goes first, until the rest fits.
//! Cutting is the last resort, and then at the end of a line, so that no table row, link or tag is
//! torn apart.

use std::ops::Range;

/// Returns `body` if it takes at most `limit_bytes`, or as much of it as does. What is not the whole
/// ends in `remark`, which says where the rest is.
pub fn fit(body: &str, limit_bytes: usize, remark: &str) -> String {
    if body.len() <= limit_bytes {
        return body.to_owned();
    }
    let tail = format!("\n\n{remark}\n");
    let room = limit_bytes.saturating_sub(tail.len());
    let mut short = body.to_owned();
    while short.len() > room {
        let Some(largest) = folded(&short).into_iter().max_by_key(Range::len) else {
            return format!("{}{tail}", cut(&short, room));
        };
        short.replace_range(largest, "");
    }
    format!("{short}{tail}")
}

/// The folded parts of `body` that are not part of another, from the line that opens to the line
/// that closes.
fn folded(body: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let (mut open, mut start, mut end) = (OpenBlock::default(), 0, 0);
    for line in body.split_inclusive('\n') {
        let next = open.after(line);
        match (open.details, next.details) {
            (0, 1..) => start = end,
            (1.., 0) => found.push(start..end + line.len()),
            (0, 0) | (1.., 1..) => {}
        }
        end += line.len();
        open = next;
    }
    found
}

/// Returns whole lines of `body`, at most `room` bytes with what it takes to close an open block.
fn cut(body: &str, room: usize) -> String {
    let mut kept = String::new();
    let mut open = OpenBlock::default();
    for line in body.split_inclusive('\n') {
        let next = open.after(line);
        if kept.len() + line.len() + next.closing().len() > room {
            break;
        }
        kept.push_str(line);
        open = next;
    }
    kept + &open.closing()
}

/// What would swallow the rest of the document if it stayed open.
#[derive(Debug, Clone, Default)]
struct OpenBlock {
    fence: bool,
    details: usize,
}

impl OpenBlock {
    fn after(&self, line: &str) -> Self {
        let fence = self.fence != line.trim_start().starts_with("```");
        if self.fence || fence {
            return Self { fence, details: self.details };
        }
        let opened = self.details + line.matches("<details").count();
        Self { fence, details: opened.saturating_sub(line.matches("</details>").count()) }
    }

    fn closing(&self) -> String {
        let fence = if self.fence { "\n```\n" } else { "" };
        format!("{fence}{}", "\n</details>\n".repeat(self.details))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A headline, and folded parts of so many lines each.
    fn report(parts: &[usize]) -> String {
        let part = |lines: &usize| {
            let content = format!("{lines:04}\n").repeat(*lines);
            format!("<details><summary>{lines}</summary>\n\n{content}</details>\n")
        };
        format!("### red\n{}", parts.iter().map(part).collect::<String>())
    }

    #[test]
    fn the_largest_folded_part_goes_first() {
        let body = report(&[10, 90, 20]);
        assert_eq!(fit(&body, body.len(), "rest"), body);
        assert_eq!(fit(&body, body.len() - 1, "rest"), report(&[10, 20]) + "\n\nrest\n");
        assert_eq!(fit(&body, 200, "rest"), report(&[10]) + "\n\nrest\n");
        assert_eq!(fit(&body, 20, "rest"), report(&[]) + "\n\nrest\n");
    }

    #[test]
    fn a_part_within_code_is_not_one() {
        let body = "### red\n```text\n<details>\n```\n<details>\nfolded\n</details>\nend\n";
        let short = fit(body, body.len() - 1, "r");
        assert_eq!(short, "### red\n```text\n<details>\n```\nend\n\n\nr\n");
    }

    #[test]
    fn a_cut_ends_a_line_and_closes_what_is_open() {
        let body = "### red\n```text\none\ntwo\nthree\n```\nand a longer line\n";
        insta::assert_snapshot!(fit(body, 36, "rest"), @r"
        ### red
        ```text
        one
        two

        ```


        rest
        ");
    }

    proptest! {
        #[test]
        fn the_limit_is_kept_and_characters_stay_whole(
            body in "(\\PC{0,9}\n|```\n|<details>\n|</details>\n){0,60}",
            limit in 40_usize..400,
        ) {
            prop_assert!(fit(&body, limit, "the rest is elsewhere").len() <= limit);
        }
    }
}
