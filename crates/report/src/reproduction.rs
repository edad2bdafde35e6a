//! The command that measures the same again.

use std::iter;

use compare::{Comparison, ComparisonMode};
use record::Revision;

/// Longest command that is shown.
const COMMAND_CHARS_MAX: usize = 500;

/// Digits of a commit.
const COMMIT_DIGITS: usize = 12;

/// Returns the command that measures the same again, to be pasted into a shell at the head's commit; none where no
/// command would, such as beside a base that no name leads to.
pub fn command(comparison: &Comparison) -> Option<String> {
    let words = words(comparison)?;
    let program = iter::once("xmlperf").chain(words.iter().map(String::as_str));
    let text: Vec<String> = program.map(quoted).collect::<Option<_>>()?;
    let text = text.join(" ");
    (text.chars().count() <= COMMAND_CHARS_MAX).then_some(text)
}

/// Returns the words of that command after the name of the program, as no shell has seen them.
pub fn words(comparison: &Comparison) -> Option<Vec<String>> {
    let method = &comparison.method;
    let base = comparison.base.as_ref()?;
    let mut words = vec!["compare".to_owned()];
    let given = method.invocation.as_deref();
    let gives_base =
        given.is_some_and(|words| words.iter().any(|word| word.starts_with("--base-")));
    if !gives_base && !base.is_reference {
        let name = name(comparison, base);
        // A published record has its labels made harmless: what was changed for that names something else.
        if !is_plain(&name) {
            return None;
        }
        words.extend(["--baseline".to_owned(), name]);
    }
    match given {
        Some(options) => {
            let is_stored = method.mode == ComparisonMode::Stored;
            let names_mode = options.iter().any(|word| word == "--mode");
            words.extend(options.iter().cloned());
            if is_stored && !names_mode {
                words.extend(["--mode".to_owned(), "stored".to_owned()]);
            }
        }
        // Records of old do not say how they were made; scenarios are what is chosen most.
        None => words.extend(guess(comparison)),
    }
    Some(words)
}

/// Returns what the command leaves out: changes that no commit holds.
pub fn caveat(comparison: &Comparison) -> Option<&'static str> {
    comparison.head.dirty.then_some("with the changes of the checkout that are not committed")
}

/// The commit that base was, where one was built; else what it is called.
fn name(comparison: &Comparison, base: &Revision) -> String {
    match (&comparison.baseline, &base.commit) {
        (None, Some(commit)) => commit.chars().take(COMMIT_DIGITS).collect(),
        (Some(_), _) | (None, None) => base.label.clone(),
    }
}

fn guess(comparison: &Comparison) -> Vec<String> {
    let method = &comparison.method;
    let pair = |option: &str, value: &str| [option.to_owned(), value.to_owned()];
    let mode = (method.mode == ComparisonMode::Stored).then(|| pair("--mode", "stored"));
    let scenarios = method.scenarios.iter().map(|name| pair("--scenario", name));
    let lane = (method.launches_planned == 0).then(|| pair("--lane", "work"));
    mode.into_iter().chain(scenarios).chain(lane).flatten().collect()
}

/// Whether a shell and an argument parser take the text for one ordinary word.
fn is_plain(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
    text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(plain)
}

/// A word as a shell takes it for one; none if it cannot be shown as it is.
fn quoted(word: &str) -> Option<String> {
    if word.chars().any(|c| c.is_control() || matches!(c, '`' | '|') || is_invisible(c)) {
        return None;
    }
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/' | '=' | ':' | ',');
    if !word.is_empty() && word.chars().all(plain) {
        return Some(word.to_owned());
    }
    Some(format!("'{}'", word.replace('\'', r"'\''")))
}

/// Returns whether a character has no width or turns the direction of text, so that a command would not be what it
/// seems.
pub fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_a_shell_or_not_shown() {
        let quoted = |word| quoted(word).unwrap_or_default();
        assert_eq!(quoted("--config=a/b.toml"), "--config=a/b.toml");
        assert_eq!(quoted("./old --port {port}"), "'./old --port {port}'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
        for hidden in ["a\u{202e}b", "a`b", "a\nb", "a|b"] {
            assert_eq!(quoted(hidden), "", "{hidden:?}");
        }
    }
}
