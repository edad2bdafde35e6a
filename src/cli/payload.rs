//! Writes a request's body, and what is true of each XML pair in it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process;

use anyhow::Context;
use serde_json::json;

use crate::cli::Exit;
use crate::payload::{self, GENERATOR_VERSION, Kind, Preset, Semantics, Spec, Stream};

/// Write a seeded request body
///
/// The same seed gives the same bytes on every machine.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// XML pairs in the request
    #[arg(long, value_name = "N", default_value = "100", value_parser = count)]
    pairs: u64,
    /// What every random choice starts from
    #[arg(long, value_name = "S", default_value_t = 42)]
    seed: u64,
    /// What the documents are like
    #[arg(long, default_value = "depth-mix", value_parser = preset)]
    preset: Preset,
    /// Which request of the scenario, from 0
    #[arg(long, value_name = "INDEX", default_value_t = 0)]
    request: u64,
    /// Where to write the body [default: standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Where to write what is true of each XML pair, as one JSON object a line
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
}

/// Writes the body to `out` or a file, in constant memory, and the manifest beside it.
pub(super) fn run(args: &Args, out: &mut impl Write) -> anyhow::Result<Exit> {
    let spec = match args.preset {
        Preset::DepthMix => Spec::depth_mix(args.seed, args.pairs),
    };
    if let Some(path) = &args.manifest {
        write_file(path, |file| write_manifest(&spec, args.request, file))?;
    }
    match &args.output {
        Some(path) => write_file(path, |file| write_body(&spec, args.request, file))?,
        None => write_body(&spec, args.request, out)?,
    }
    Ok(Exit::Fine)
}

fn write_body(spec: &Spec, request: u64, out: &mut dyn Write) -> io::Result<()> {
    let mut stream = Stream::new(spec, Kind::XmlCompareBatch, request);
    let mut chunk = Vec::with_capacity(2 * payload::CHUNK_BYTES);
    while stream.next_into(&mut chunk) {
        out.write_all(&chunk)?;
        chunk.clear();
    }
    Ok(())
}

fn write_manifest(spec: &Spec, request: u64, out: &mut dyn Write) -> io::Result<()> {
    let head = json!({
        "schema": 1, "generator": GENERATOR_VERSION, "preset": spec.preset.name(),
        "seed": spec.seed, "pairs": spec.pairs, "request": request, "digest": spec.digest(),
    });
    writeln!(out, "{head}")?;
    for (index, truth) in (0..spec.pairs).zip(spec.truths(request.wrapping_mul(spec.pairs))) {
        let expected: serde_json::Map<_, _> = Semantics::ALL
            .into_iter()
            .map(|semantics| (semantics.name().to_owned(), truth.matched(semantics).into()))
            .collect();
        let line = json!({
            "pair": index + 1, "depth": truth.depth, "class": truth.class().name(),
            "difference": truth.difference.map(payload::Difference::name), "matched": expected,
        });
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// Writes a file beside its place and then puts it there, so that nobody sees half of it.
fn write_file(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> anyhow::Result<()> {
    let mut name = path.file_name().map_or_else(OsString::new, OsString::from);
    name.push(format!(".{}.part", process::id()));
    let part = path.with_file_name(name);
    let written = File::create(&part).and_then(|file| {
        let mut file = BufWriter::new(file);
        write(&mut file)?;
        file.into_inner()?;
        fs::rename(&part, path)
    });
    written
        .inspect_err(|_| drop(fs::remove_file(&part)))
        .with_context(|| format!("failed to write `{}`", path.display()))
}

/// Reads a count from 1 on; `_` may group its digits.
fn count(text: &str) -> Result<u64, String> {
    match text.replace('_', "").parse() {
        Ok(0) | Err(_) => Err("expected a whole number from 1 on, such as 100_000".to_owned()),
        Ok(count) => Ok(count),
    }
}

fn preset(name: &str) -> Result<Preset, String> {
    Preset::from_name(name).ok_or_else(|| {
        let names: Vec<_> = Preset::ALL.into_iter().map(Preset::name).collect();
        format!("expected one of {}", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn payload(line: &[&str]) -> anyhow::Result<String> {
        let line = Line::try_parse_from([&["payload"], line].concat())?;
        let mut out = Vec::new();
        run(&line.args, &mut out)?;
        Ok(String::from_utf8(out)?)
    }

    #[test]
    fn the_manifest_says_what_is_true_of_each_pair() {
        let folder = tempfile::tempdir().unwrap();
        let (manifest, output) = (folder.path().join("truth"), folder.path().join("body"));
        let (manifest, output) = (manifest.to_str().unwrap(), output.to_str().unwrap());
        let files = ["--manifest", manifest, "--output", output];
        assert_eq!(payload(&[&["--pairs", "4", "--seed", "7"], &files[..]].concat()).unwrap(), "");
        let body = fs::read_to_string(output).unwrap();
        assert_eq!(body, payload(&["--pairs=4", "--seed=7"]).unwrap());
        let manifest = fs::read_to_string(manifest).unwrap();
        let manifest = manifest.split_once('\n').unwrap().1;
        insta::assert_snapshot!(manifest, @r#"
        {"class":"identical","depth":2,"difference":null,"matched":{"c14n":true,"xml-compare-api":true,"xmlunit-similar":true},"pair":1}
        {"class":"identical","depth":2,"difference":null,"matched":{"c14n":true,"xml-compare-api":true,"xmlunit-similar":true},"pair":2}
        {"class":"different","depth":3,"difference":"ATTR_VALUE","matched":{"c14n":false,"xml-compare-api":false,"xmlunit-similar":false},"pair":3}
        {"class":"identical","depth":2,"difference":null,"matched":{"c14n":true,"xml-compare-api":true,"xmlunit-similar":true},"pair":4}
        "#);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        let said = [
            payload(&["--pairs", "0"]).unwrap_err().to_string(),
            payload(&["--preset", "tiny"]).unwrap_err().to_string(),
        ];
        insta::assert_snapshot!(said.join("\n"), @r"
        error: invalid value '0' for '--pairs <N>': expected a whole number from 1 on, such as 100_000

        For more information, try '--help'.

        error: invalid value 'tiny' for '--preset <PRESET>': expected one of depth-mix

        For more information, try '--help'.
        ");
        let missing = payload(&["--output", "/nowhere/at/all"]).unwrap_err();
        insta::assert_snapshot!(format!("{missing:#}"), @"failed to write `/nowhere/at/all`: No such file or directory (os error 2)");
    }
}
