//! Files that no measurement wrote: each is refused by the name of the bound that it exceeds, in no time.

#![expect(clippy::unwrap_used, reason = "a program that does not run must fail the test")]

use std::fs;
use std::io::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use record::fixtures::{LEVEL, paired};
use record::{LaunchResults, Run};
use tempfile::TempDir;

use crate::largest_records::{MeasuredCommand, each_launch, measured, saved};

/// Runs a command on what is refused, and asserts that it says so, in seconds and little memory.
fn refused(folder: &Path, arguments: &[&str], expected: &str) {
    let MeasuredCommand { code, cpu_s, memory_kib, error } = measured(folder, arguments);
    assert!(error.contains(expected), "{arguments:?}: {error:.300}");
    assert!((2.0..=3.0).contains(&code), "{arguments:?}: {code}, {error:.300}");
    // Five seconds of an optimised program; this one may not be.
    assert!(cpu_s < 30.0, "{arguments:?}: {cpu_s} s");
    assert!(memory_kib < 512.0 * 1024.0, "{arguments:?}: {memory_kib} KiB");
}

/// A record is refused by every command that judges it.
fn judging_refused(folder: &TempDir, expected: &str) {
    for arguments in [&["report"][..], &["report", "--format", "html"]] {
        refused(folder.path(), arguments, expected);
    }
    // What is wrong stands in the report itself.
    refused(folder.path(), &["report", "github", "--dry-run"], "");
}

/// And by what would keep it.
fn record_refused(folder: &TempDir, expected: &str) {
    judging_refused(folder, expected);
    refused(folder.path(), &["baseline", "save", "main"], expected);
}

/// A histogram of one count whose header claims so many digits, and times up to the largest number.
fn claiming(digits: u32, counts: &[u8]) -> String {
    let mut raw = Vec::new();
    // The second version of the encoding, as `record::histogram` writes it.
    for field in [0x1c84_9313_u32, u32::try_from(counts.len()).unwrap(), 0, digits] {
        raw.extend(field.to_be_bytes());
    }
    for field in [1_u64, i64::MAX.cast_unsigned(), 1.0_f64.to_bits()] {
        raw.extend(field.to_be_bytes());
    }
    raw.extend(counts);
    let mut deflated = ZlibEncoder::new(Vec::new(), Compression::best());
    deflated.write_all(&raw).unwrap();
    let deflated = deflated.finish().unwrap();
    let mut text = 0x1c84_9314_u32.to_be_bytes().to_vec();
    text.extend(u32::try_from(deflated.len()).unwrap().to_be_bytes());
    text.extend(deflated);
    STANDARD.encode(text)
}

fn record_with(change: impl FnOnce(&mut Run)) -> TempDir {
    let mut run = paired(150, LEVEL, LEVEL);
    change(&mut run);
    saved(&run)
}

#[test]
fn histograms_that_claim_or_inflate_to_more_than_a_measurement_are_refused() {
    let claim = claiming(5, &[10]);
    let folder = record_with(|run| {
        each_launch(run, |launch| launch.histogram.clone_from(&claim));
    });
    let size = fs::metadata(folder.path().join(".xmlperf/report/run.json")).unwrap().len();
    assert!(size < 1 << 20, "the bomb has {size} bytes");
    judging_refused(&folder, "histogram");

    let inflating = claiming(3, &vec![0; 300_000_000]);
    let folder = record_with(|run| {
        let LaunchResults::Paired(pairs) = &mut run.scenarios[0].trials else { panic!() };
        pairs[0].head.histogram = inflating;
    });
    judging_refused(&folder, "histogram");
}

#[test]
fn records_of_too_many_launches_or_too_long_names_are_refused() {
    let many = saved(&paired(10_001, LEVEL, LEVEL));
    record_refused(&many, "20002 launches are more than a run may have, at most 20000");
    let named = record_with(|run| run.scenarios[0].name = "n".repeat(5_000_000));
    record_refused(&named, "5000000 bytes in a name are more than a run may have, at most 4096");
    let named = record_with(|run| run.scenarios[0].name = "n".repeat(50_000_000));
    record_refused(&named, "32");
}

#[test]
fn tables_of_too_many_rows_or_too_long_names_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let write = |content: &str| fs::write(folder.path().join("t.csv"), content).unwrap();
    let rows: Vec<_> = (0..100_001).map(|row| format!("{},m{},1,1", row / 50, row % 50)).collect();
    write(&format!("pair,metric,base,head\n{}\n", rows.join("\n")));
    refused(folder.path(), &["decide", "t.csv"], "100000");
    write(&format!("pair,metric,base,head\n{}", "1,m,1,1\n".repeat(10_000_000)));
    refused(folder.path(), &["decide", "t.csv"], "16");
    write(&format!("pair,metric,base,head\n1,{},1,2\n", "l".repeat(50_000_000)));
    refused(folder.path(), &["decide", "t.csv"], "16");
    write(&format!("pair,metric,base,head\n1,{},1,2\n", "l".repeat(5_000_000)));
    refused(folder.path(), &["decide", "t.csv"], "the name of a metric has 5000000 bytes");
    let rows: Vec<_> = (0..5_001).map(|row| format!("c{row},1")).collect();
    write(&format!("commit,m\n{}\n", rows.join("\n")));
    refused(folder.path(), &["trend", "--csv", "t.csv"], "5000");
}
