//! Texts that a command reads whole: a file, or standard input.

use std::io::{self, Read as _};
use std::path::Path;

use anyhow::{Context as _, ensure};
use record::bounds::TABLE_BYTES_MAX;
use record::file;

/// Reads a text of at most 16 MiB; `-` is standard input.
pub(super) fn read(path: &Path) -> anyhow::Result<String> {
    if path == Path::new("-") {
        let mut text = String::new();
        let mut bounded = io::stdin().take(TABLE_BYTES_MAX + 1);
        bounded.read_to_string(&mut text).context("failed to read standard input")?;
        let most = TABLE_BYTES_MAX;
        ensure!(text.len() as u64 <= most, "standard input has more than {most} bytes");
        return Ok(text);
    }
    let text = file::read_text_bounded(path, TABLE_BYTES_MAX);
    text.with_context(|| format!("failed to read `{}`", path.display()))
}

/// Returns the name of a text in messages.
pub(super) fn name_of(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
}
