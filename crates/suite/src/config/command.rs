//! Reads a start command as words: those of a shell, if it is for one.

use toml::Spanned;

use crate::config::fault::{SpannedFault, TargetFault};

/// Returns the words of a command, as a text that splits into them.
pub(super) fn words(
    start: &Spanned<String>,
    shell: Option<&Spanned<bool>>,
) -> Result<String, SpannedFault> {
    let text = start.get_ref();
    let wrong = |fault: TargetFault| SpannedFault::new(start.span(), fault);
    if shlex::split(text).unwrap_or_default().is_empty() {
        return Err(wrong(TargetFault::NotCommand));
    }
    if shell.is_some_and(|shell| *shell.get_ref()) {
        let words = shlex::try_join(["sh", "-c", text.as_str()]);
        return words.map_err(|_| wrong(TargetFault::NotCommand));
    }
    match sut::shell_syntax(text) {
        Some(word) => Err(wrong(TargetFault::ShellSyntax { word })),
        None => Ok(text.clone()),
    }
}
