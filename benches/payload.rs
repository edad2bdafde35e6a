//! How fast payloads are made and answers are checked, against the least that could be done.
//!
//! Every figure is CPU time, the best of several rounds taken in turn, so that a busy machine slows
//! all of them alike; the ratios are what to look at. `cargo bench --bench payload`.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run must stop")]

use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;

use payload::{self, BodyStream, CHUNK_BYTES, PayloadKind, PayloadPreset, PayloadSpec};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;

const PAIRS: u64 = 1_000_000;
const ROUNDS: usize = 7;

/// CPU time of this thread in seconds.
fn cpu_s() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn peak_rss_mib() -> f64 {
    let text = fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

fn stream(chunk: &mut Vec<u8>, preset: PayloadPreset, pairs: u64) -> usize {
    let spec = PayloadSpec::preset(preset, 42, pairs);
    let mut stream = BodyStream::new(&spec, PayloadKind::XmlCompareBatch, 0);
    let mut bytes = 0;
    chunk.clear();
    while stream.next_into(chunk) {
        bytes += black_box(&chunk).len();
        chunk.clear();
    }
    bytes
}

/// What a person would write first: documents of the same shapes and sizes, by `write!` into a
/// reused buffer.
fn plain(chunk: &mut String) -> usize {
    let mut bytes = 0;
    chunk.clear();
    for doc in 0..PAIRS {
        let depth = [2, 2, 2, 2, 2, 2, 3, 3, 3, 5][usize::try_from(doc % 10).unwrap()];
        let value = 100 + doc % 890;
        for side in 1..=2 {
            write!(chunk, "{}\"xml{side}\":\"", if side == 1 { ",{" } else { "," }).unwrap();
            for (step, level) in (1..=depth).rev().enumerate() {
                let value = value + u64::try_from(step).unwrap();
                write!(chunk, "<level{level} id=\\\"doc{doc}_{level}\\\" value=\\\"{value}\\\">")
                    .unwrap();
            }
            write!(chunk, "doc{doc}_{}", value + depth).unwrap();
            for level in 1..=depth {
                write!(chunk, "</level{level}>").unwrap();
            }
            write!(chunk, "{}", if side == 1 { "\"" } else { "\"}" }).unwrap();
        }
        if chunk.len() > CHUNK_BYTES {
            bytes += black_box(&chunk).len();
            chunk.clear();
        }
    }
    bytes + chunk.len()
}

/// Copies a body too large for the cache, chunk by chunk, into a reused buffer.
fn copy(chunk: &mut Vec<u8>, source: &[u8], bytes: usize) -> usize {
    let mut copied = 0;
    for piece in source.chunks(CHUNK_BYTES).cycle() {
        if copied >= bytes {
            break;
        }
        chunk.clear();
        chunk.extend_from_slice(black_box(piece));
        copied += black_box(&chunk).len();
    }
    copied
}

/// An answer of the XML-Compare-API: six pairs in ten short, the others with a difference spelt out.
fn answer(spec: &PayloadSpec) -> Vec<u8> {
    let pairs = usize::try_from(spec.pairs).unwrap();
    let result = |truth: payload::PairTruth| {
        let matched = truth.matched(spec.semantics);
        let diffs = (!matched).then(|| {
            json!({
                "path": "/level2/level1", "diff_type": "ContentDifferent", "expected": "doc7_125",
                "actual": "doc7_126", "message": "Content differs at /level2/level1",
            })
        });
        let ratio = if matched { 1.0 } else { 0.5 };
        json!({
            "matched": matched, "match_ratio": ratio, "diffs": diffs.as_slice(),
            "total_elements": 2, "matched_elements": 2,
        })
    };
    let results: Vec<_> = spec.truths(0).take(pairs).map(result).collect();
    let answer = json!({
        "results": results, "total_comparisons": pairs, "successful_comparisons": pairs,
        "failed_comparisons": 0,
    });
    answer.to_string().into_bytes()
}

/// Returns the least CPU seconds of several rounds of each, taken in turn, and the bytes of each.
fn best<const N: usize>(mut runs: [&mut dyn FnMut() -> usize; N]) -> [(f64, usize); N] {
    let mut best = [(f64::INFINITY, 0); N];
    for _ in 0..ROUNDS {
        for (run, best) in runs.iter_mut().zip(&mut best) {
            let start = cpu_s();
            let bytes = run();
            *best = (best.0.min(cpu_s() - start), bytes);
        }
    }
    best
}

fn main() {
    let mut chunk = Vec::with_capacity(2 * CHUNK_BYTES);
    stream(&mut chunk, PayloadPreset::DepthMix, PAIRS);
    println!("peak RSS after a stream of {PAIRS} XML pairs: {:.1} MiB\n", peak_rss_mib());

    let spec = PayloadSpec::depth_mix(42, 10_000);
    let message = payload::message(&spec, PayloadKind::XmlCompareBatch, 0);
    let answer = answer(&spec);
    let source =
        payload::message(&PayloadSpec::depth_mix(42, 200_000), PayloadKind::XmlCompareBatch, 0)
            .body;
    let (mut text, mut copied) = (String::with_capacity(2 * CHUNK_BYTES), Vec::new());
    let total = stream(&mut chunk, PayloadPreset::DepthMix, PAIRS);
    let mut check = || {
        for _ in 0..20 {
            message.expected.check(200, black_box(&answer)).unwrap();
        }
        20 * answer.len()
    };
    let [generated, plain, copied, checked] = best([
        &mut || stream(&mut chunk, PayloadPreset::DepthMix, PAIRS),
        &mut || plain(&mut text),
        &mut || copy(&mut copied, &source, total),
        &mut check,
    ]);
    let rate = |(seconds, bytes): (f64, usize)| bytes as f64 / seconds / 1e9;
    println!("| | GB/s | M pairs/s | of generated |\n|:--|--:|--:|--:|");
    for (name, run, pairs) in [
        ("generated", generated, PAIRS),
        ("plain `write!` loop", plain, PAIRS),
        ("memcpy", copied, PAIRS),
        ("answers checked", checked, 20 * spec.pairs),
    ] {
        let (gigabytes, pairs) = (rate(run), pairs as f64 / run.0 / 1e6);
        println!("| {name} | {gigabytes:.2} | {pairs:.1} | {:.2} |", gigabytes / rate(generated));
    }
    for preset in PayloadPreset::ALL.into_iter().filter(|preset| *preset != PayloadPreset::DepthMix)
    {
        let mut chunk = Vec::with_capacity(2 * CHUNK_BYTES);
        let [run] = best([&mut || stream(&mut chunk, preset, 2_000)]);
        let pairs = 2_000.0 / run.0 / 1e6;
        println!("| {} | {:.2} | {pairs:.3} | |", preset.name(), rate(run));
    }
}
