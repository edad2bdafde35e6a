//! The pages of the documentation that the program has with it, and their sections.

/// A page of the documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConceptPage {
    /// Its name, as a command takes it.
    pub name: &'static str,
    /// The whole of it, in markdown.
    pub text: &'static str,
}

/// A heading with what stands below it, up to the next heading of its level or above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageSection<'a> {
    /// The heading, without its marks.
    pub heading: &'a str,
    /// How deep it stands: 2 for `##`.
    level: usize,
    /// The heading and what stands below it.
    pub text: &'a str,
}

/// The pages.
pub const CONCEPTS: [ConceptPage; 5] = [
    ConceptPage { name: "configuration", text: include_str!("../../docs/configuration.md") },
    ConceptPage { name: "exit-codes", text: include_str!("../../docs/exit-codes.md") },
    ConceptPage { name: "metrics", text: include_str!("../../docs/metrics.md") },
    ConceptPage { name: "troubleshooting", text: include_str!("../../docs/troubleshooting.md") },
    ConceptPage { name: "verdicts", text: include_str!("../../docs/verdicts.md") },
];

/// Returns the page of a name.
pub fn find(name: &str) -> Option<ConceptPage> {
    CONCEPTS.into_iter().find(|page| page.name == name)
}

impl ConceptPage {
    /// Returns its sections below the title, in order; one within another has its text twice.
    pub fn sections(&self) -> Vec<PageSection<'static>> {
        sections(self.text)
    }

    /// Returns the section of a heading: the same words, else the first that has them in it.
    pub fn section(&self, heading: &str) -> Option<PageSection<'static>> {
        let wanted = heading.to_lowercase();
        let sections = self.sections();
        let same = sections.iter().find(|section| section.heading.to_lowercase() == wanted);
        let has = |section: &&PageSection<'_>| section.heading.to_lowercase().contains(&wanted);
        same.or_else(|| sections.iter().find(has)).copied()
    }
}

/// The sections of a text in markdown. What is fenced has no headings: there `#` begins a comment.
fn sections<'a>(text: &'a str) -> Vec<PageSection<'a>> {
    let mut headings = Vec::new();
    let (mut is_fenced, mut at) = (false, 0);
    for line in text.split_inclusive('\n') {
        if line.trim_start().starts_with("```") {
            is_fenced = !is_fenced;
        }
        let level = line.bytes().take_while(|byte| *byte == b'#').count();
        if !is_fenced && level > 1 && line[level..].starts_with(' ') {
            headings.push((level, at, line[level..].trim()));
        }
        at += line.len();
    }
    let section = |(index, &(level, begin, heading)): (usize, &(usize, usize, &'a str))| {
        let next = headings[index + 1..].iter().find(|(other, ..)| *other <= level);
        let end = next.map_or(text.len(), |(_, end, _)| *end);
        PageSection { heading, level, text: &text[begin..end] }
    };
    headings.iter().enumerate().map(section).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_ends_where_the_next_of_its_level_begins() {
        let text = "# T\nintro\n## A\na\n### A1\na1\n```sh\n## no heading\n```\n## B\nb\n";
        let found = sections(text);
        let names: Vec<_> = found.iter().map(|it| (it.heading, it.level)).collect();
        assert_eq!(names, [("A", 2), ("A1", 3), ("B", 2)]);
        assert_eq!(found[0].text, "## A\na\n### A1\na1\n```sh\n## no heading\n```\n");
        assert_eq!(found[2].text, "## B\nb\n");
    }

    #[test]
    fn every_page_is_found_by_its_name_and_a_section_by_a_part_of_its_heading() {
        for page in CONCEPTS {
            assert_eq!(find(page.name), Some(page));
            for section in page.sections() {
                let found = page.section(&section.heading.to_uppercase()).unwrap();
                assert_eq!(found.heading.to_lowercase(), section.heading.to_lowercase());
            }
        }
        assert_eq!(find("nothing"), None);
    }
}
