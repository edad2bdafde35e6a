//! Finds the calls of k6's `http` in a script, as far as their arguments are written as texts.
//!
//! This is no parser of the language: comments and texts are separated from code, and what an argument computes
//! stays open. A call that is not understood is reported, never guessed.

use std::collections::BTreeMap;

/// Calls of a script that are looked at.
const CALLS_MAX: usize = 2_000;

/// A call such as `http.post(url, body, params)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HttpCall {
    /// The method, in capitals.
    pub(super) method: String,
    pub(super) url: CallArgument,
    pub(super) body: CallArgument,
    /// Headers whose values are texts.
    pub(super) headers: Vec<(String, String)>,
    /// From 1.
    pub(super) line: usize,
}

/// An argument of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CallArgument {
    /// Its text is known.
    Text(String),
    /// It is computed as the script runs.
    Computed,
    /// It is `null`, or there is none.
    Nothing,
}

/// A piece of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
enum ScriptToken {
    Word(String),
    /// A text; none where a part of it is computed.
    Text(Option<String>),
    /// A template whose first part alone is computed, such as `${BASE}/orders`: that part, and the rest.
    Rest(String, String),
    Sign(char),
}

/// A script in pieces.
pub(super) struct ScriptText {
    tokens: Vec<(ScriptToken, usize)>,
    /// Texts that have a name.
    constants: BTreeMap<String, String>,
}

impl ScriptText {
    /// Reads a script. `open` returns the text of a file that it opens.
    pub(super) fn new(text: &str, open: &dyn Fn(&str) -> Option<String>) -> Self {
        let mut script = Self { tokens: tokens(text), constants: BTreeMap::new() };
        let words = |at: usize| match script.tokens.get(at) {
            Some((ScriptToken::Word(word), _)) => word.as_str(),
            _ => "",
        };
        let mut constants = BTreeMap::new();
        for at in 0..script.tokens.len() {
            if !["const", "let", "var"].contains(&words(at)) || script.sign(at + 2) != Some('=') {
                continue;
            }
            let name = words(at + 1).to_owned();
            let value = match (script.text_at(at + 3), words(at + 3)) {
                // What is computed further would not be this text.
                (Some(text), _) if !script.goes_on(at + 4) => Some(text.clone()),
                (None, "open") if script.sign(at + 4) == Some('(') => {
                    script.text_at(at + 5).and_then(|path| open(path))
                }
                _ => None,
            };
            constants.extend(value.map(|value| (name, value)));
        }
        script.constants = constants;
        script
    }

    fn sign(&self, at: usize) -> Option<char> {
        match self.tokens.get(at) {
            Some((ScriptToken::Sign(sign), _)) => Some(*sign),
            _ => None,
        }
    }

    fn text_at(&self, at: usize) -> Option<&String> {
        match self.tokens.get(at) {
            Some((ScriptToken::Text(text), _)) => text.as_ref(),
            _ => None,
        }
    }

    /// Whether an expression goes on at a piece.
    fn goes_on(&self, at: usize) -> bool {
        self.sign(at).is_some_and(|sign| "+.?[(&|".contains(sign))
    }

    /// Returns the calls, in the order of the script.
    pub(super) fn calls(&self) -> Vec<HttpCall> {
        let mut calls = Vec::new();
        for at in 0..self.tokens.len() {
            let (ScriptToken::Word(word), line) = &self.tokens[at] else { continue };
            let is_call =
                word == "http" && self.sign(at + 1) == Some('.') && self.sign(at + 3) == Some('(');
            let Some((ScriptToken::Word(name), _)) = self.tokens.get(at + 2).filter(|_| is_call)
            else {
                continue;
            };
            let arguments = self.arguments(at + 4);
            calls.extend(self.call(name, &arguments, *line));
            if calls.len() >= CALLS_MAX {
                break;
            }
        }
        calls
    }

    fn call(
        &self,
        name: &str,
        arguments: &[&[(ScriptToken, usize)]],
        line: usize,
    ) -> Option<HttpCall> {
        let argument = |number: usize| {
            arguments.get(number).map_or(CallArgument::Nothing, |pieces| self.value(pieces))
        };
        let (method, first, has_body) = match name {
            "get" | "head" => (name.to_uppercase(), 0, false),
            "post" | "put" | "patch" | "options" => (name.to_uppercase(), 0, true),
            "del" => ("DELETE".to_owned(), 0, true),
            "request" => match argument(0) {
                CallArgument::Text(method) => (method.to_uppercase(), 1, true),
                CallArgument::Computed | CallArgument::Nothing => return None,
            },
            // A list of requests, which are not looked at one by one.
            "batch" | "asyncRequest" => {
                let (url, body) = (CallArgument::Computed, CallArgument::Nothing);
                return Some(HttpCall {
                    method: "GET".to_owned(),
                    url,
                    body,
                    headers: Vec::new(),
                    line,
                });
            }
            _ => return None,
        };
        let body = if has_body { argument(first + 1) } else { CallArgument::Nothing };
        let params = arguments.get(first + if has_body { 2 } else { 1 });
        let headers = params.map_or_else(Vec::new, |pieces| headers(pieces));
        Some(HttpCall { method, url: argument(first), body, headers, line })
    }

    /// The pieces of each argument, from after the opening bracket on.
    fn arguments(&self, start: usize) -> Vec<&[(ScriptToken, usize)]> {
        let (mut arguments, mut begin, mut depth) = (Vec::new(), start, 0_usize);
        for at in start..self.tokens.len() {
            match self.sign(at) {
                Some('(' | '[' | '{') => depth += 1,
                Some(')' | ']' | '}') if depth > 0 => depth -= 1,
                Some(')' | ']' | '}') => {
                    arguments.push(&self.tokens[begin..at]);
                    return arguments;
                }
                Some(',') if depth == 0 => {
                    arguments.push(&self.tokens[begin..at]);
                    begin = at + 1;
                }
                _ => {}
            }
        }
        arguments
    }

    fn value(&self, pieces: &[(ScriptToken, usize)]) -> CallArgument {
        let token = |at: usize| pieces.get(at).map(|(token, _)| token);
        let known = |name: &str| self.constants.get(name).cloned();
        match (token(0), token(1), token(2), pieces.len()) {
            (None, _, _, _) => CallArgument::Nothing,
            (Some(ScriptToken::Text(Some(text))), _, _, 1) => CallArgument::Text(text.clone()),
            // What stands before the path is the target's own address here.
            (Some(ScriptToken::Rest(start, rest)), _, _, 1) => match known(start) {
                Some(start) => CallArgument::Text(start + rest),
                None if rest.starts_with('/') => CallArgument::Text(rest.clone()),
                None => CallArgument::Computed,
            },
            (Some(ScriptToken::Word(word)), _, _, 1) if word == "null" || word == "undefined" => {
                CallArgument::Nothing
            }
            (Some(ScriptToken::Word(word)), _, _, 1) => {
                known(word).map_or(CallArgument::Computed, CallArgument::Text)
            }
            (
                Some(ScriptToken::Word(word)),
                Some(ScriptToken::Sign('+')),
                Some(ScriptToken::Text(Some(text))),
                3,
            ) => match known(word) {
                Some(start) => CallArgument::Text(start + text),
                None if text.starts_with('/') => CallArgument::Text(text.clone()),
                None => CallArgument::Computed,
            },
            _ => CallArgument::Computed,
        }
    }
}

/// The headers of `{ headers: { 'Content-Type': 'text/xml' } }`.
fn headers(pieces: &[(ScriptToken, usize)]) -> Vec<(String, String)> {
    let name_of = |token: &ScriptToken| match token {
        ScriptToken::Word(word) => Some(word.clone()),
        ScriptToken::Text(text) => text.clone(),
        ScriptToken::Rest(..) | ScriptToken::Sign(_) => None,
    };
    let start = pieces.iter().position(|(token, _)| name_of(token).as_deref() == Some("headers"));
    let Some(start) = start else { return Vec::new() };
    let rest = pieces.get(start + 2..).unwrap_or_default();
    let end = rest.iter().position(|(token, _)| *token == ScriptToken::Sign('}'));
    let rest = &rest[..end.unwrap_or(rest.len())];
    let pair = |window: &[(ScriptToken, usize)]| match window {
        [(name, _), (ScriptToken::Sign(':'), _), (ScriptToken::Text(value), _), ..] => {
            // A value that is computed is kept as its name: whether it proves identity shows in that.
            Some((name_of(name)?, value.clone().unwrap_or_default()))
        }
        _ => None,
    };
    rest.windows(3).filter_map(pair).collect()
}

/// Takes a script apart.
fn tokens(text: &str) -> Vec<(ScriptToken, usize)> {
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
                tokens.push((ScriptToken::Text(Some(text)), line));
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
        if c != '\\' {
            text.push(c);
            continue;
        }
        let escaped = chars.get(at).copied();
        at += 1;
        match escaped {
            Some('n') => text.push('\n'),
            Some('t') => text.push('\t'),
            Some('r') => text.push('\r'),
            Some(c) => text.push(c),
            None => {}
        }
    }
    (text, at + 1)
}

/// A text in backquotes, and where it ends.
fn template(chars: &[char], start: usize) -> (ScriptToken, usize) {
    let (mut text, mut at, mut computed) = (String::new(), start, 0);
    let mut first = None;
    while let Some(c) = chars.get(at).copied().filter(|c| *c != '`') {
        if c == '$' && chars.get(at + 1) == Some(&'{') {
            let start = at + 2;
            while chars.get(at).is_some_and(|c| *c != '}') {
                at += 1;
            }
            if text.is_empty() && computed == 0 {
                first = chars.get(start..at).map(|it| it.iter().collect::<String>());
            }
            computed += 1;
        } else if c == '\\' {
            at += 1;
            text.extend(chars.get(at));
        } else {
            text.push(c);
        }
        at += 1;
    }
    let token = match (computed, first) {
        (0, _) => ScriptToken::Text(Some(text)),
        (1, Some(first)) => ScriptToken::Rest(first, text),
        _ => ScriptToken::Text(None),
    };
    (token, at + 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn calls(text: &str) -> Vec<HttpCall> {
        ScriptText::new(text, &|path| (path == "order.xml").then(|| "<Order/>".to_owned())).calls()
    }

    #[test]
    fn calls_with_texts_are_found_and_what_is_computed_stays_open() {
        let script = r#"
            import http from 'k6/http';
            const BASE = 'http://api.test';
            const order = open('order.xml'); // http.get('/comment')
            const later = 'a' + Math.random();
            export default function () {
                /* http.get("/no") */
                http.get(BASE + '/orders?state=open');
                http.get(`${__ENV.HOST}/orders/1`, { headers: { Accept: 'text/xml' } });
                http.post('http://api.test/orders', order, { headers: { 'Content-Type': "text/xml" } });
                http.post(`/a/${id}`, later);
                http.request('PUT', '/b', null);
                http.batch([['GET', '/c']]);
            }"#;
        let found = calls(script);
        let text = |text: &str| CallArgument::Text(text.to_owned());
        let urls: Vec<_> =
            found.iter().map(|call| (call.method.as_str(), call.url.clone(), call.line)).collect();
        assert_eq!(
            urls,
            [
                ("GET", text("http://api.test/orders?state=open"), 8),
                ("GET", text("/orders/1"), 9),
                ("POST", text("http://api.test/orders"), 10),
                ("POST", CallArgument::Computed, 11),
                ("PUT", text("/b"), 12),
                ("GET", CallArgument::Computed, 13),
            ]
        );
        assert_eq!(found[1].headers, [("Accept".to_owned(), "text/xml".to_owned())]);
        assert_eq!(found[2].body, text("<Order/>"));
        assert_eq!(found[2].headers, [("Content-Type".to_owned(), "text/xml".to_owned())]);
        assert_eq!(
            (&found[3].body, &found[4].body),
            (&CallArgument::Computed, &CallArgument::Nothing)
        );
    }

    proptest! {
        #[test]
        fn no_script_is_too_odd(text in "[a-c'\"`$\\{}()\\[\\]/*\\\\.,:\n ]{0,60}|http\\.get\\(.{0,20}") {
            calls(&text);
        }
    }
}
