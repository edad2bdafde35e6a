//! Writes seeded request bodies, and what is true of each document pair in them.

use std::fs::{self, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use payload::{
    BodyStream, DocumentChange, DocumentMix, GENERATOR_VERSION, PairFormat, PairRecipe,
    PayloadKind, PayloadPreset, PayloadSpec, Semantics, Template,
};
use serde_json::json;
use suite::config;
use tempfile::{NamedTempFile, TempDir};
use units::cancel::Cancel;

use crate::app::failure::UseCaseError;

/// What is written, and where.
#[derive(Debug, Clone)]
pub struct PayloadOptions {
    /// Document pairs in the request.
    pub pairs: u64,
    /// What every random choice starts from.
    pub seed: u64,
    /// What the documents are like.
    pub documents: DocumentChoice,
    /// Settings of a mix, or of how pairs of other documents differ.
    pub mix: Vec<(String, String)>,
    /// How the pairs are written.
    pub form: PayloadForm,
    /// Which request of the scenario, from 0.
    pub request: u64,
    /// Where the request goes; to the writer that is passed if it is not given.
    pub output: Option<PathBuf>,
    /// Where the truth about each pair goes, if anywhere.
    pub manifest: Option<PathBuf>,
}

/// Where documents come from.
#[derive(Debug, Clone)]
pub enum DocumentChoice {
    /// A preset, or a mix of one's own if there are settings.
    Mixed,
    /// A preset.
    Preset(PayloadPreset),
    /// The files of a folder.
    Corpus(PathBuf),
    /// Documents that a schema allows.
    Schema {
        /// The schema's file.
        file: PathBuf,
        /// The root element; the only one that can be, if it is not given.
        root: Option<String>,
    },
}

/// How pairs are written.
#[derive(Debug, Clone)]
pub enum PayloadForm {
    /// As one text.
    Body(PairFormat),
    /// As one text after a template.
    Template(PathBuf),
    /// As a folder with two files a pair.
    Folder,
}

/// Writes the request, in constant memory, and the manifest beside it. What is not whole is not left
/// behind, whatever ends it.
pub fn payload(
    options: &PayloadOptions,
    out: &mut dyn Write,
    cancel: &Cancel,
) -> anyhow::Result<()> {
    let spec = spec(options)?;
    if let Some(path) = &options.manifest {
        write_file(path, |file| write_manifest(&spec, options.request, file, cancel))?;
    }
    let stream = match &options.form {
        PayloadForm::Body(format) => BodyStream::file(&spec, *format, options.request),
        PayloadForm::Template(path) => template_stream(spec, path, options.request)?,
        PayloadForm::Folder => {
            let folder = options.output.as_deref().ok_or(UseCaseError::NoPayloadFolder)?;
            return write_folder(&spec, options.request, folder, cancel);
        }
    };
    match &options.output {
        Some(path) => write_file(path, |file| write_body(stream, file, cancel)),
        None => write_body(stream, out, cancel),
    }
}

fn spec(options: &PayloadOptions) -> anyhow::Result<PayloadSpec> {
    let (seed, pairs) = (options.seed, options.pairs);
    let spec = match &options.documents {
        DocumentChoice::Mixed if options.mix.is_empty() => {
            PayloadSpec::preset(PayloadPreset::DepthMix, seed, pairs)
        }
        DocumentChoice::Mixed => {
            let mut mix = DocumentMix::default();
            for (key, value) in &options.mix {
                mix.set(key, value).context("`--mix`")?;
            }
            return Ok(PayloadSpec::mix(mix, seed, pairs));
        }
        DocumentChoice::Preset(preset) => PayloadSpec::preset(*preset, seed, pairs),
        DocumentChoice::Corpus(folder) => {
            PayloadSpec::corpus(config::read_corpus(folder)?, seed, pairs)
        }
        DocumentChoice::Schema { file, root } => {
            PayloadSpec::schema(config::read_schema(file, root.as_deref())?, seed, pairs)
        }
    };
    if options.mix.is_empty() {
        return Ok(spec);
    }
    let mut recipe = PairRecipe::default();
    for (key, value) in &options.mix {
        recipe.set(key, value).context("`--mix`")?;
    }
    spec.with_recipe(recipe).context("`--mix`")
}

fn template_stream(spec: PayloadSpec, path: &Path, request: u64) -> anyhow::Result<BodyStream> {
    let body = fs::read_to_string(path)
        .with_context(|| format!("failed to read the template `{}`", path.display()))?;
    let template = Template { content_type: String::new(), body, expectations: Vec::new() };
    let spec = spec
        .with_template(template)
        .with_context(|| format!("unusable template `{}`", path.display()))?;
    Ok(BodyStream::new(&spec, PayloadKind::Template, request))
}

fn write_body(mut stream: BodyStream, out: &mut dyn Write, cancel: &Cancel) -> anyhow::Result<()> {
    let mut chunk = Vec::with_capacity(2 * payload::CHUNK_BYTES);
    while stream.next_into(&mut chunk) {
        ensure_not_cancelled(cancel)?;
        out.write_all(&chunk)?;
        chunk.clear();
    }
    Ok(())
}

fn write_manifest(
    spec: &PayloadSpec,
    request: u64,
    out: &mut dyn Write,
    cancel: &Cancel,
) -> anyhow::Result<()> {
    let head = json!({
        "schema": 1, "generator": GENERATOR_VERSION, "payload": spec.name(), "seed": spec.seed,
        "pairs": spec.pairs, "request": request, "digest": spec.digest(),
    });
    writeln!(out, "{head}")?;
    for (index, truth) in (0..spec.pairs).zip(spec.truths(request.wrapping_mul(spec.pairs))) {
        ensure_not_cancelled(cancel)?;
        let expected: serde_json::Map<_, _> = Semantics::ALL
            .into_iter()
            .map(|semantics| (semantics.name().to_owned(), truth.matched(semantics).into()))
            .collect();
        let line = json!({
            "pair": index + 1, "class": truth.class().name(),
            "difference": truth.change.map(DocumentChange::name), "matched": expected,
        });
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// Writes two files a pair: `000001-1.xml` and `000001-2.xml`.
fn write_folder(
    spec: &PayloadSpec,
    request: u64,
    folder: &Path,
    cancel: &Cancel,
) -> anyhow::Result<()> {
    let is_empty = fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none());
    if !is_empty {
        return Err(UseCaseError::PayloadFolderInUse { path: folder.to_path_buf() }.into());
    }
    let mut number = 0;
    let part = part_beside(folder, 0o777).and_then(|(parent, part)| part.tempdir_in(parent));
    let written = part.and_then(|part: TempDir| {
        spec.for_each(request.wrapping_mul(spec.pairs), spec.pairs, |first, second, _| {
            if cancel.is_raised() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            number += 1;
            fs::write(part.path().join(format!("{number:06}-1.xml")), first)?;
            fs::write(part.path().join(format!("{number:06}-2.xml")), second)
        })?;
        fs::rename(part.keep(), folder)
    });
    ensure_not_cancelled(cancel)?;
    written.with_context(|| format!("failed to write `{}`", folder.display()))
}

/// Begins the names of what is not whole yet.
const PART_PREFIX: &str = ".xmlperf-part-";

/// Writes a file beside its place and then puts it there, so that half of it is never seen.
fn write_file(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let failed = || format!("failed to write `{}`", path.display());
    let part = part_beside(path, 0o666).and_then(|(parent, part)| part.tempfile_in(parent));
    let mut file = BufWriter::new(part.with_context(failed)?);
    write(&mut file).map_err(|error| match error.downcast::<UseCaseError>() {
        Ok(interrupted) => interrupted.into(),
        Err(error) => error.context(failed()),
    })?;
    let part: NamedTempFile = file.into_inner().context("the disk is full").with_context(failed)?;
    part.persist(path).map_err(|error| error.error).with_context(failed)?;
    Ok(())
}

/// Returns the folder of a path, which must be there, and what makes temporary things in it. Their
/// permissions are those of any new file, as the user's mask leaves them.
fn part_beside(path: &Path, mode: u32) -> io::Result<(&Path, tempfile::Builder<'static, 'static>)> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    parent.metadata()?;
    let mut part = tempfile::Builder::new();
    part.prefix(PART_PREFIX).permissions(Permissions::from_mode(mode));
    Ok((parent, part))
}

fn ensure_not_cancelled(cancel: &Cancel) -> Result<(), UseCaseError> {
    if cancel.is_raised() { Err(UseCaseError::PayloadInterrupted) } else { Ok(()) }
}
