//! Writes document pairs, and what is true of each.

mod describe;

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::ValueEnum;
use payload::{DocumentChange, DocumentMix, PairFormat, PayloadPreset};

use crate::app;
use crate::app::payload::{DocumentChoice, PayloadForm, PayloadOptions};
use crate::cli::Exit;
use crate::cli::process;

/// Write a seeded request body
///
/// The same seed gives the same bytes on every machine.
#[derive(Debug, clap::Args)]
#[command(after_long_help = after_help())]
pub(super) struct PayloadArgs {
    /// XML pairs in the request
    #[arg(long, value_name = "N", default_value = "100", value_parser = count)]
    pairs: u64,
    /// What every random choice starts from
    #[arg(long, value_name = "S", default_value_t = 42)]
    seed: u64,
    /// What the documents are like [default: depth-mix]
    #[arg(long, value_parser = preset)]
    preset: Option<PayloadPreset>,
    /// Documents of your own: the folder's files that end in `.xml`
    #[arg(long, value_name = "DIR", conflicts_with = "preset")]
    corpus: Option<PathBuf>,
    /// Documents that a schema (XSD) allows
    #[arg(long, value_name = "FILE", conflicts_with_all = ["preset", "corpus"])]
    schema: Option<PathBuf>,
    /// The root element of a schema's documents: `name` or `{namespace}name` [default: the only one that can be]
    #[arg(long, value_name = "NAME", requires = "schema")]
    root: Option<String>,
    /// A setting of a mix of your own; `classes` and `differences` also fit a preset, a corpus or a schema
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
    mix: Vec<(String, String)>,
    /// Documents that do harm: entity bombs, huge names, 20 000 levels
    #[arg(long, conflicts_with_all = ["preset", "corpus", "schema", "mix"])]
    hostile: bool,
    /// How the pairs are written
    #[arg(long, value_enum, default_value_t = PairOutput::Json)]
    format: PairOutput,
    /// A request after a template of your own, in place of a format
    #[arg(long, value_name = "FILE", conflicts_with = "format")]
    template: Option<PathBuf>,
    /// Which request of the scenario, from 0
    #[arg(long, value_name = "INDEX", default_value_t = 0)]
    request: u64,
    /// Where to write; a folder for `xml-dir`, `-` for standard output [default: standard output]
    #[arg(long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// Where to write what is true of each XML pair, as one JSON object a line
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Describe every preset by numbers and a sample instead, in markdown
    #[arg(long, exclusive = true)]
    describe: bool,
}

/// How the pairs are written.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum PairOutput {
    /// A batch request of the XML-Compare-API
    Json,
    /// One pair a line
    Ndjson,
    /// A folder with two XML files a pair
    XmlDir,
    /// A SOAP envelope that holds the documents as texts
    Soap,
}

fn after_help() -> String {
    let names = |class| {
        let changes = DocumentChange::ALL.into_iter().filter(|change| change.class() == class);
        changes.map(DocumentChange::name).collect::<Vec<_>>().join(", ")
    };
    format!(
        "Presets: {}\n\nSettings of a mix: {}\n\nDifferences that leave the content equal: {}\n\n\
         Differences that do not: {}",
        PayloadPreset::ALL.map(PayloadPreset::name).join(", "),
        DocumentMix::KEYS.join(", "),
        names(payload::PairClass::Equal),
        names(payload::PairClass::Different),
    )
}

/// Writes the pairs to `out` or a file, and the manifest beside it.
pub(super) fn run(args: &PayloadArgs, out: &mut impl Write) -> anyhow::Result<Exit> {
    if args.describe {
        describe::write(out)?;
        return Ok(Exit::Success);
    }
    let cancel = process::cancel_on_signals()?;
    app::payload::payload(&args.options(), out, &cancel)?;
    Ok(Exit::Success)
}

impl PayloadArgs {
    fn options(&self) -> PayloadOptions {
        let documents = match (self.preset, &self.corpus, &self.schema) {
            _ if self.hostile => DocumentChoice::Preset(PayloadPreset::Hostile),
            (Some(preset), ..) => DocumentChoice::Preset(preset),
            (None, Some(folder), _) => DocumentChoice::Corpus(folder.clone()),
            (None, None, Some(file)) => {
                DocumentChoice::Schema { file: file.clone(), root: self.root.clone() }
            }
            (None, None, None) => DocumentChoice::Mixed,
        };
        let form = match (&self.template, self.format) {
            (Some(path), _) => PayloadForm::Template(path.clone()),
            (None, PairOutput::Json) => PayloadForm::Body(PairFormat::Json),
            (None, PairOutput::Ndjson) => PayloadForm::Body(PairFormat::Ndjson),
            (None, PairOutput::Soap) => PayloadForm::Body(PairFormat::Soap),
            (None, PairOutput::XmlDir) => PayloadForm::Folder,
        };
        PayloadOptions {
            pairs: self.pairs,
            seed: self.seed,
            documents,
            mix: self.mix.clone(),
            form,
            request: self.request,
            output: self.output.clone().filter(|path| path != Path::new("-")),
            manifest: self.manifest.clone(),
        }
    }
}

/// Reads a count from 1 on; `_` may group its digits.
fn count(text: &str) -> anyhow::Result<u64> {
    match text.replace('_', "").parse() {
        Ok(0) | Err(_) => bail!("expected a whole number from 1 on, such as 100_000"),
        Ok(count) => Ok(count),
    }
}

fn preset(name: &str) -> anyhow::Result<PayloadPreset> {
    PayloadPreset::from_name(name).with_context(|| {
        format!("expected one of {}", PayloadPreset::ALL.map(PayloadPreset::name).join(", "))
    })
}

fn setting(text: &str) -> anyhow::Result<(String, String)> {
    let (key, value) =
        text.split_once('=').context("expected KEY=VALUE, such as `classes=70:10:20`")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct PayloadLine {
        #[command(flatten)]
        args: PayloadArgs,
    }

    fn payload(line: &[&str]) -> anyhow::Result<String> {
        let line = PayloadLine::try_parse_from([&["payload"], line].concat())?;
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
        {"class":"identical","difference":null,"matched":{"c14n":true,"xml-compare-api":true,"xmlunit-similar":true},"pair":1}
        {"class":"identical","difference":null,"matched":{"c14n":true,"xml-compare-api":true,"xmlunit-similar":true},"pair":2}
        {"class":"different","difference":"ATTR_VALUE","matched":{"c14n":false,"xml-compare-api":false,"xmlunit-similar":false},"pair":3}
        {"class":"identical","difference":null,"matched":{"c14n":true,"xml-compare-api":true,"xmlunit-similar":true},"pair":4}
        "#);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn every_format_holds_the_same_documents() {
        let folder = tempfile::tempdir().unwrap();
        let files = folder.path().join("files");
        let pairs = ["--pairs", "3", "--preset", "unicode"];
        let written = |format: &[&str]| payload(&[&pairs, format].concat()).unwrap();
        written(&["--format", "xml-dir", "--output", files.to_str().unwrap()]);
        let file = |name: &str| fs::read_to_string(files.join(name)).unwrap();

        let json: serde_json::Value = serde_json::from_str(&written(&[])).unwrap();
        let lines = written(&["--format", "ndjson"]);
        let soap = written(&["--format", "soap"]);
        let soap = roxmltree::Document::parse(&soap).unwrap();
        let texts = soap.descendants().filter(|node| node.tag_name().name().starts_with("xml"));
        let mut texts = texts.map(|node| node.text().unwrap());
        for (index, line) in lines.lines().enumerate() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(line, json["comparisons"][index]);
            for side in 1..=2 {
                let document = file(&format!("{:06}-{side}.xml", index + 1));
                assert_eq!(line[format!("xml{side}")], document);
                assert_eq!(texts.next().unwrap(), document);
            }
        }
        assert_eq!(fs::read_dir(&files).unwrap().count(), 6);
        assert_eq!(texts.next(), None);
    }

    #[test]
    fn a_corpus_is_read_from_a_folder_and_the_folders_in_it() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("inner")).unwrap();
        fs::write(folder.path().join("b.xml"), "<b>two</b>").unwrap();
        fs::write(folder.path().join("inner/c.xml"), "<c>three</c>").unwrap();
        fs::write(folder.path().join("a.xml"), "<a>one</a>").unwrap();
        fs::write(folder.path().join("notes.txt"), "no document").unwrap();
        let corpus = ["--corpus", folder.path().to_str().unwrap(), "--pairs", "3"];
        let settings = ["--mix", "classes=1:0:0", "--format", "ndjson"];
        insta::assert_snapshot!(payload(&[corpus, settings].concat()).unwrap(), @r#"
        {"xml1":"<a>one</a>","xml2":"<a>one</a>"}
        {"xml1":"<b>two</b>","xml2":"<b>two</b>"}
        {"xml1":"<c>three</c>","xml2":"<c>three</c>"}
        "#);
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let wrong = folder.path().join("wrong.xml");
        fs::write(&wrong, "<a>\n<b></a>").unwrap();
        let template = folder.path().join("request.j2");
        fs::write(&template, "one\n{{ paris }}").unwrap();
        let corpus = folder.path().to_str().unwrap();
        let said = |line: &[&str]| {
            let said = match payload(line).unwrap_err().downcast::<clap::Error>() {
                Ok(usage) => usage.to_string(),
                Err(error) => crate::cli::explain(&error).0.unwrap().replace(corpus, "DIR"),
            };
            said.replace("\n\nFor more information, try '--help'.", "").trim_end().to_owned()
        };
        let said = [
            said(&["--pairs", "0"]),
            said(&["--preset", "tiny"]),
            said(&["--mix", "depth"]),
            said(&["--mix", "depth=0"]),
            said(&["--mix", "width=3"]),
            said(&["--mix", "classes=1:0:0", "--preset", "depth-mix"]),
            said(&["--mix", "depth=3", "--preset", "rss"]),
            said(&["--corpus", corpus]),
            said(&["--corpus", "/nowhere"]),
            said(&["--template", template.to_str().unwrap()]),
            said(&["--format", "xml-dir"]),
            said(&["--format", "xml-dir", "--output", corpus]),
            said(&["--output", "/nowhere/at/all"]),
        ];
        insta::assert_snapshot!(said.join("\n────\n"), @r"
        error: invalid value '0' for '--pairs <N>': expected a whole number from 1 on, such as 100_000
        ────
        error: invalid value 'tiny' for '--preset <PRESET>': expected one of depth-mix, soap11, soap12, ubl-invoice, fpml-trade, rss, hl7-cda, svg, pom, text-heavy, deep-narrow, wide-flat, unicode, namespaces
        ────
        error: invalid value 'depth' for '--mix <KEY=VALUE>': expected KEY=VALUE, such as `classes=70:10:20`
        ────
        `--mix`: `0` is not a value for `depth`

        hint: write depths from 1 to 256 with weights up to 1000, such as `2:60, 3:30, 5:10`
        ────
        `--mix`: no setting here is called `width`

        hint: the settings are depth, fan-out, attributes, text, size, classes, differences
        ────
        `--mix`: `depth-mix` cannot be mixed otherwise

        hint: take another preset, a mix or a corpus
        ────
        `--mix`: no setting here is called `depth`

        hint: the settings are classes, differences
        ────
        unusable corpus `DIR`: `DIR/wrong.xml` line 2: an end tag that does not fit its start tag
        ────
        failed to read the corpus `/nowhere`: No such file or directory (os error 2)
        ────
        unusable template `DIR/request.j2`: line 2 of the template: undefined value: `paris` is undefined
        ────
        `--format xml-dir` needs a folder

        hint: add `--output DIR`
        ────
        the folder `DIR` is not empty

        hint: name one that is, or that does not exist
        ────
        failed to write `/nowhere/at/all`: No such file or directory (os error 2)
        ");
    }
}
