//! Takes a script apart: comments and texts are separated from code.
//!
//! This is no parser of the language: of regular expressions and the like it knows nothing.

/// A piece of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ScriptToken {
    /// A name, a keyword, or the digits of a number.
    Word(String),
    /// A text whose characters are all written.
    Text(String),
    /// A text with code in it, such as `${BASE}/orders`: what stands before the first code, then each code and
    /// the text behind it.
    Template(String, Vec<(String, String)>),
    /// Any other character.
    Sign(char),
}

/// A token, and its line, from 1.
pub(super) type ScriptPiece = (ScriptToken, usize);

/// Takes a script apart.
pub(super) fn tokens(text: &str) -> Vec<ScriptPiece> {
    let chars: Vec<char> = text.chars().collect();
    let (mut tokens, mut at, mut line) = (Vec::new(), 0, 1);
    while at < chars.len() {
        let start = at;
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('/')) => {
                while at < chars.len() && chars[at] != '\n' {
                    at += 1;
                }
            }
            ('/', Some('*')) => {
                at += 2;
                while at < chars.len() && !(chars[at] == '*' && chars.get(at + 1) == Some(&'/')) {
                    at += 1;
                }
                at += 2;
            }
            ('\'' | '"', _) => {
                let (text, next) = quoted_text(&chars, at);
                tokens.push((ScriptToken::Text(text), line));
                at = next;
            }
            ('`', _) => {
                let (token, next) = template(&chars, at + 1);
                tokens.push((token, line));
                at = next;
            }
            (c, _) if c.is_alphanumeric() || c == '_' || c == '$' => {
                while chars.get(at).is_some_and(|c| c.is_alphanumeric() || *c == '_' || *c == '$') {
                    at += 1;
                }
                tokens.push((ScriptToken::Word(chars[start..at].iter().collect()), line));
            }
            (c, _) => {
                if !c.is_whitespace() {
                    tokens.push((ScriptToken::Sign(c), line));
                }
                at += 1;
            }
        }
        let end = at.min(chars.len());
        line += chars[start..end].iter().filter(|c| **c == '\n').count();
    }
    tokens
}

/// A text in quotes, and where it ends.
fn quoted_text(chars: &[char], start: usize) -> (String, usize) {
    let (quote, mut text, mut at) = (chars[start], String::new(), start + 1);
    while let Some(c) = chars.get(at).copied().filter(|c| *c != quote && *c != '\n') {
        at += 1;
        if c == '\\' {
            at = escaped(chars, at, &mut text);
        } else {
            text.push(c);
        }
    }
    (text, at + 1)
}

/// Adds what stands behind a backslash, and returns where it ends.
fn escaped(chars: &[char], at: usize, text: &mut String) -> usize {
    let code = |start: usize, end: usize| {
        let digits: String = chars.get(start..end)?.iter().collect();
        char::from_u32(u32::from_str_radix(&digits, 16).ok()?)
    };
    let coded = match chars.get(at) {
        Some('u') => code(at + 1, at + 5).map(|c| (c, at + 5)),
        Some('x') => code(at + 1, at + 3).map(|c| (c, at + 3)),
        _ => None,
    };
    if let Some((c, end)) = coded {
        text.push(c);
        return end;
    }
    match chars.get(at).copied() {
        Some('n') => text.push('\n'),
        Some('t') => text.push('\t'),
        Some('r') => text.push('\r'),
        // The line goes on.
        Some('\n') | None => {}
        Some(c) => text.push(c),
    }
    at + 1
}

/// A text in backquotes, and where it ends.
fn template(chars: &[char], start: usize) -> (ScriptToken, usize) {
    let (mut first, mut rest, mut at) = (String::new(), Vec::<(String, String)>::new(), start);
    while let Some(c) = chars.get(at).copied().filter(|c| *c != '`') {
        at += 1;
        if c == '$' && chars.get(at) == Some(&'{') {
            let start = at + 1;
            while chars.get(at).is_some_and(|c| *c != '}') {
                at += 1;
            }
            let code = chars.get(start..at).unwrap_or_default();
            rest.push((code.iter().collect::<String>().trim().to_owned(), String::new()));
            at += 1;
            continue;
        }
        let text = rest.last_mut().map_or(&mut first, |(_, text)| text);
        if c == '\\' {
            at = escaped(chars, at, text);
        } else {
            text.push(c);
        }
    }
    let token =
        if rest.is_empty() { ScriptToken::Text(first) } else { ScriptToken::Template(first, rest) };
    (token, at + 1)
}
