//! Describes every preset by numbers and by a sample: the generated half of `docs/payloads.md`.

use std::io::{self, Write};

use payload::{PayloadPreset, PayloadSpec, PayloadStatistics};
use units::Ratio;

/// Documents behind each number.
const DOCUMENTS: u64 = 100;
/// Lines and letters of a sample.
const LINES_MAX: usize = 24;
const LETTERS_MAX: usize = 160;

/// Writes a table of all presets, and one sample of each.
pub(super) fn write(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "| preset | size | elements | depth | attributes | text | gzip |")?;
    writeln!(out, "|:--|--:|--:|--:|--:|--:|--:|")?;
    for preset in PayloadPreset::ALL {
        let of = PayloadStatistics::of(&PayloadSpec::preset(preset, 42, 1), DOCUMENTS);
        writeln!(
            out,
            "| [{0}](#{0}) | {1} | {2:.1} | {3} | {4:.1} | {5} | {6:.1} : 1 |",
            preset.name(),
            units::bytes(of.bytes),
            of.elements,
            of.depth_max,
            of.attributes,
            Ratio((of.text_share * 100.0).round() / 100.0),
            of.gzip_ratio
        )?;
    }
    for preset in PayloadPreset::ALL {
        writeln!(out, "\n### {}\n\n```xml", preset.name())?;
        write_sample(out, preset)?;
        writeln!(out, "```")?;
    }
    Ok(())
}

fn write_sample(out: &mut impl Write, preset: PayloadPreset) -> io::Result<()> {
    PayloadSpec::preset(preset, 42, 1).for_each(0, 1, |document, _, _| {
        let text = String::from_utf8_lossy(document);
        let count = text.lines().count();
        for line in text.lines().take(LINES_MAX) {
            let shown: String = line.chars().take(LETTERS_MAX).collect();
            let rest = if shown.len() < line.len() { " …" } else { "" };
            writeln!(out, "{shown}{rest}")?;
        }
        if count > LINES_MAX {
            writeln!(out, "… and {} more lines", count - LINES_MAX)?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documentation_shows_what_is_generated() {
        let page = include_str!("../../../docs/payloads.md");
        let (_, rest) = page.split_once("<!-- xmlperf payload --describe -->\n").unwrap();
        let (shown, _) = rest.split_once("<!-- end -->").unwrap();
        let mut made = Vec::new();
        write(&mut made).unwrap();
        let made = String::from_utf8(made).unwrap();
        for (number, (shown, made)) in shown.lines().zip(made.lines()).enumerate() {
            assert_eq!(shown, made, "line {number}: see `docs/payloads.md` on how to renew it");
        }
        assert_eq!(shown.lines().count(), made.lines().count());
    }
}
