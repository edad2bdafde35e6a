//! What the documents of a spec are like, in numbers.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::spec::PayloadSpec;
use super::xml::Document;

/// Measures of the first documents of XML pairs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PayloadStatistics {
    /// Mean size.
    pub bytes: f64,
    /// Mean number of elements.
    pub elements: f64,
    /// How deep the elements of the deepest document nest; a root alone is 1.
    pub depth_max: u32,
    /// Mean number of attributes, without declarations of namespaces.
    pub attributes: f64,
    /// Share of all bytes that is text, white space around it left out.
    pub text_share: f64,
    /// How many times smaller each of them becomes by gzip, on the whole.
    pub gzip_ratio: f64,
}

impl PayloadStatistics {
    /// Returns the measures of the first `count` documents. Those that cannot be read, which only
    /// the hostile ones are, count as nothing but bytes.
    pub fn of(spec: &PayloadSpec, count: u64) -> Self {
        let mut sum = StatisticsSum::default();
        let done = spec.for_each(0, count, |document, _, _| sum.add(document));
        done.expect("writing to memory cannot fail");
        let mean = |total: u64| total as f64 / count.max(1) as f64;
        Self {
            bytes: mean(sum.bytes),
            elements: mean(sum.elements),
            depth_max: sum.depth_max,
            attributes: mean(sum.attributes),
            text_share: sum.text_bytes as f64 / sum.bytes.max(1) as f64,
            gzip_ratio: sum.bytes as f64 / sum.gzip_bytes.max(1) as f64,
        }
    }
}

#[derive(Debug, Default)]
struct StatisticsSum {
    bytes: u64,
    elements: u64,
    depth_max: u32,
    attributes: u64,
    text_bytes: u64,
    gzip_bytes: u64,
}

impl StatisticsSum {
    fn add(&mut self, document: &[u8]) -> std::io::Result<()> {
        let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        self.bytes += count(document.len());
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(document)?;
        self.gzip_bytes += count(gzip.finish()?.len());
        let text = std::str::from_utf8(document).unwrap_or_default();
        if let Ok(parsed) = Document::parse(text) {
            self.elements += count(parsed.elements.len());
            let deepest = parsed.elements.iter().map(|element| element.depth).max();
            self.depth_max = self.depth_max.max(deepest.unwrap_or(0));
            let is_plain = |name: &str| name != "xmlns" && !name.starts_with("xmlns:");
            let plain = parsed.attributes.iter().filter(|a| is_plain(parsed.at(&a.name)));
            self.attributes += count(plain.count());
            let runs = text.split('<').filter_map(|part| part.split_once('>'));
            self.text_bytes += runs.map(|(_, text)| count(text.trim().len())).sum::<u64>();
        }
        Ok(())
    }
}
