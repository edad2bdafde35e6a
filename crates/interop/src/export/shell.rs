//! What scripts of a shell have in common.

/// Name of the script to start.
pub(super) const SCRIPT_FILE: &str = "run.sh";

/// Returns a text as one word.
pub(super) fn word(text: &str) -> String {
    shlex::try_quote(text).expect("no header, path or name has a NUL").into_owned()
}
