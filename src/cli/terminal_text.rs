//! Takes from a text what would command a terminal instead of being read.

use std::borrow::Cow;
use std::io::{self, Write};
use std::str::Chars;

use report::terminal::ColorMode;

/// Returns a text without control characters, beside line ends and tabs, and without the escape
/// sequences that they begin. Names, labels, logs and records may hold any: they come from a target,
/// a build or another person's file.
pub(super) fn sanitize(text: &str) -> Cow<'_, str> {
    filter(text, ColorMode::Plain)
}

/// Writes what is rendered for a terminal, sanitized; where colours are shown, sequences that only
/// colour stay, as ours cannot be distinguished from those of an input.
pub(super) fn write(
    out: &mut impl Write,
    paint: ColorMode,
    render: impl FnOnce(&mut Vec<u8>) -> io::Result<()>,
) -> io::Result<()> {
    let mut rendered = Vec::new();
    render(&mut rendered)?;
    out.write_all(filter(&String::from_utf8_lossy(&rendered), paint).as_bytes())
}

fn filter(text: &str, paint: ColorMode) -> Cow<'_, str> {
    if !text.contains(is_command) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(letter) = rest.next() {
        match letter {
            '\u{1b}' => {
                let colour = (paint == ColorMode::Colours).then(|| colour(rest.as_str())).flatten();
                shown.extend(colour.map(|sequence| format!("\u{1b}{sequence}")));
                skip_sequence(&mut rest);
            }
            _ if is_command(letter) => {}
            _ => shown.push(letter),
        }
    }
    Cow::Owned(shown)
}

/// Returns the sequence that begins a text after its escape character, if all it does is to colour.
fn colour(text: &str) -> Option<&str> {
    let end = text.strip_prefix('[')?.find(|letter| !matches!(letter, '0'..='9' | ';'))?;
    text[1 + end..].starts_with('m').then(|| &text[..end + 2])
}

/// Control characters, and the format characters that turn the direction of what follows.
fn is_command(letter: char) -> bool {
    let turns = matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || letter.is_control() && letter != '\n' && letter != '\t'
}

/// Skips what follows an escape character, as ECMA-48 has it: parameters and a final letter for a
/// control sequence, a text and its terminator for a command string, else one letter. A command
/// string that does not end hides nothing: its text is shown.
fn skip_sequence(rest: &mut Chars<'_>) {
    match rest.next() {
        Some('[') => {
            let after = rest.as_str().trim_start_matches(|letter| matches!(letter, ' '..='?'));
            *rest =
                after.strip_prefix(|letter| matches!(letter, '@'..='~')).unwrap_or(after).chars();
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            let text = rest.as_str();
            let end = text.find(['\n', '\u{7}', '\u{1b}', '\u{9c}']);
            if let Some(end) = end.filter(|end| !text[*end..].starts_with('\n')) {
                let after = &text[end..];
                *rest = after.strip_prefix("\u{1b}\\").unwrap_or(after).chars();
            }
        }
        Some(_) | None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_commands_a_terminal_is_taken_out() {
        assert_eq!(sanitize("plain, with ümlaut and\ttab\n"), "plain, with ümlaut and\ttab\n");
        assert_eq!(sanitize("\u{1b}[31;1mred\u{1b}[0m"), "red");
        assert_eq!(sanitize("a\u{1b}]0;title\u{7}b"), "ab");
        assert_eq!(sanitize("a\u{1b}]0;title\u{1b}\\b"), "ab");
        assert_eq!(sanitize("a\u{1b}]0;without end"), "a0;without end");
        assert_eq!(sanitize("back\u{8}space, bell\u{7}, c1\u{9b}31m"), "backspace, bell, c131m");
        assert_eq!(sanitize("at the end\u{1b}"), "at the end");
        assert_eq!(sanitize("\u{202e}drawkcab"), "drawkcab");
    }

    #[test]
    fn colours_stay_where_they_are_shown() {
        let check = |paint, expected: &str| {
            let mut out = Vec::new();
            let text = "\u{1b}[38;5;9mred\u{1b}[0m\u{1b}[2J\u{1b}[1";
            write(&mut out, paint, |out| out.write_all(text.as_bytes())).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        };
        check(ColorMode::Colours, "\u{1b}[38;5;9mred\u{1b}[0m");
        check(ColorMode::Plain, "red");
    }
}
