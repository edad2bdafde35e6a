//! Finds the calls of k6's `http` in a script, as far as their arguments are written in it.
//!
//! A call that is not understood is reported, never guessed: names stand for what they are declared as only if
//! nothing else is assigned to them. What an argument computes stays open.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::description::address::percent_encoded;
use crate::description::script_token::{ScriptPiece, ScriptToken, tokens};

/// Calls of a script that are looked at.
const CALLS_MAX: usize = 2_000;
/// Values within a value that is written as JSON.
const VALUES_MAX: usize = 10_000;
/// Values within values.
const DEPTH_MAX: usize = 64;
/// Pieces of an expression that is looked at.
const PIECES_MAX: usize = 1_000;

/// A call such as `http.post(url, body, params)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HttpCall {
    /// The method, in capitals.
    pub(super) method: String,
    pub(super) url: CallArgument,
    pub(super) body: CallArgument,
    /// Headers; the value of one that is computed is empty.
    pub(super) headers: Vec<(String, String)>,
    /// From 1.
    pub(super) line: usize,
}

/// An argument of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CallArgument {
    /// Its text is known.
    Text(String),
    /// It is an object, which is sent as the fields of a form.
    Form(String),
    /// It is computed as the script runs.
    Computed,
    /// It is `null`, or there is none.
    Nothing,
}

/// A script in pieces.
pub(super) struct ScriptText {
    tokens: Vec<ScriptPiece>,
    /// Where each bracket is closed.
    closings: BTreeMap<usize, usize>,
    /// Texts that have a name.
    texts: BTreeMap<String, String>,
    /// Where objects and lists that have a name stand.
    objects: BTreeMap<String, Range<usize>>,
}

impl ScriptText {
    /// Reads a script. `open` returns the text of a file that it opens.
    pub(super) fn new(text: &str, open: &dyn Fn(&str) -> Option<String>) -> Self {
        let tokens = tokens(text);
        let closings = closings(&tokens);
        let mut script =
            Self { tokens, closings, texts: BTreeMap::new(), objects: BTreeMap::new() };
        let changes = script.changes();
        for at in 0..script.tokens.len() {
            let is_declared = ["const", "let", "var"].contains(&script.word(at));
            if !is_declared || script.sign(at + 2) != Some('=') {
                continue;
            }
            let (name, start) = (script.word(at + 1).to_owned(), at + 3);
            let is_object = matches!(script.sign(start), Some('{' | '['));
            if changes.assigned.get(&name).is_some_and(|count| *count > 1) {
                continue;
            }
            if is_object && !changes.called.contains(&name) {
                // What is made of the object further would not be it.
                let is_whole = |end: &&usize| {
                    !script.sign(**end + 1).is_some_and(|sign| ".[(?+|&".contains(sign))
                };
                let end = script.closings.get(&start).filter(is_whole);
                script.objects.extend(end.map(|end| (name, start..end + 1)));
            } else if let Some(value) = script.declared_text(start, open) {
                script.texts.insert(name, value);
            }
        }
        script
    }

    fn word(&self, at: usize) -> &str {
        match self.tokens.get(at) {
            Some((ScriptToken::Word(word), _)) => word,
            _ => "",
        }
    }

    fn sign(&self, at: usize) -> Option<char> {
        sign(&self.tokens, at)
    }

    /// Whether an `=` at a piece assigns, and does not compare.
    fn assigns(&self, at: usize) -> bool {
        let is_assigned = |at: usize| self.sign(at) == Some('=') && self.sign(at + 1) != Some('=');
        // `a += 1` and `a ||= b`, beside `a = b`.
        let operator = |at: usize| self.sign(at).is_some_and(|sign| "+-*/%&|?".contains(sign));
        let is_step = |sign| self.sign(at) == Some(sign) && self.sign(at + 1) == Some(sign);
        is_assigned(at)
            || (operator(at) && (is_assigned(at + 1) || (operator(at + 1) && is_assigned(at + 2))))
            || is_step('+')
            || is_step('-')
    }

    /// What a script does with its names.
    fn changes(&self) -> NameChanges {
        let mut changes = NameChanges::default();
        for at in 0..self.tokens.len() {
            let name = self.word(at);
            if name.is_empty() || (at > 0 && self.sign(at - 1) == Some('.')) {
                continue;
            }
            let mut end = at + 1;
            loop {
                if self.sign(end) == Some('.') && !self.word(end + 1).is_empty() {
                    end += 2;
                } else if let (Some('['), Some(close)) = (self.sign(end), self.closings.get(&end)) {
                    end = close + 1;
                } else {
                    break;
                }
            }
            if self.assigns(end) {
                *changes.assigned.entry(name.to_owned()).or_default() += 1;
            } else if end > at + 1 && self.sign(end) == Some('(') {
                changes.called.insert(name.to_owned());
            }
        }
        changes
    }

    /// The text that a declaration gives its name, if it is known.
    fn declared_text(&self, at: usize, open: &dyn Fn(&str) -> Option<String>) -> Option<String> {
        if self.word(at) == "open" && self.sign(at + 1) == Some('(') {
            let Some((ScriptToken::Text(path), _)) = self.tokens.get(at + 2) else { return None };
            return open(path);
        }
        // `__ENV.HOST || 'http://localhost'` is the text unless the environment says otherwise.
        let is_environment = self.word(at) == "__ENV" && self.sign(at + 1) == Some('.');
        let otherwise = (self.sign(at + 3), self.sign(at + 4));
        let has_default = is_environment && [('|', '|'), ('?', '?')].map(pair).contains(&otherwise);
        let start = if has_default { at + 5 } else { at };
        let first = self.tokens.get(start)?.1;
        let mut end = start;
        // An expression ends at a `;`, or where a line ends that nothing goes on from.
        while let Some((token, line)) = self.tokens.get(end).filter(|_| end < start + PIECES_MAX) {
            let goes_on = end > start
                && (matches!(token, ScriptToken::Sign('+' | '.' | '('))
                    || matches!(self.sign(end - 1), Some('+' | '.' | '(')));
            if *token == ScriptToken::Sign(';') || (*line > first && !goes_on) {
                break;
            }
            end = match token {
                ScriptToken::Sign('(' | '[' | '{') => self.closings.get(&end)? + 1,
                _ => end + 1,
            };
        }
        self.exact(&self.tokens[start..end])
    }

    /// Returns the calls, in the order of the script.
    pub(super) fn calls(&self) -> Vec<HttpCall> {
        let mut calls = Vec::new();
        for at in 0..self.tokens.len() {
            let is_call = self.word(at) == "http"
                && self.sign(at + 1) == Some('.')
                && self.sign(at + 3) == Some('(');
            if let Some(end) = self.closings.get(&(at + 3)).filter(|_| is_call) {
                let arguments = split(&self.tokens[at + 4..*end], ',');
                calls.extend(self.calls_of(self.word(at + 2), &arguments, self.tokens[at].1));
            }
            if calls.len() >= CALLS_MAX {
                break;
            }
        }
        calls.truncate(CALLS_MAX);
        calls
    }

    fn calls_of(&self, name: &str, arguments: &[&[ScriptPiece]], line: usize) -> Vec<HttpCall> {
        let argument = |number: usize| arguments.get(number).copied().unwrap_or_default();
        let call = |method: &str, url, body: Option<usize>, params| {
            let (url, body) = (self.address(argument(url)), body.map(argument));
            let headers = self.headers(argument(params));
            let body = body.map_or(CallArgument::Nothing, |pieces| self.value(pieces));
            vec![HttpCall { method: method.to_uppercase(), url, body, headers, line }]
        };
        match name {
            "get" | "head" => call(name, 0, None, 1),
            "post" | "put" | "patch" | "options" => call(name, 0, Some(1), 2),
            "del" => call("DELETE", 0, Some(1), 2),
            "request" | "asyncRequest" => match self.exact(argument(0)) {
                Some(method) => call(&method, 1, Some(2), 3),
                None => Vec::new(),
            },
            "batch" => self.batch(argument(0), line),
            _ => Vec::new(),
        }
    }

    /// The calls of `http.batch([['GET', url], { method: 'POST', url, body, params }, url])`.
    fn batch(&self, pieces: &[ScriptPiece], line: usize) -> Vec<HttpCall> {
        let open = || HttpCall {
            method: "GET".to_owned(),
            url: CallArgument::Computed,
            body: CallArgument::Nothing,
            headers: Vec::new(),
            line,
        };
        let Some(list) = self.object(pieces) else { return vec![open()] };
        let is_named = sign(list, 0) == Some('{');
        let request = |item: &[ScriptPiece]| {
            let item = if is_named { item.get(2..).unwrap_or_default() } else { item };
            let line = item.first().map_or(line, |piece| piece.1);
            let Some(object) = self.object(item) else {
                return HttpCall { url: self.address(item), line, ..open() };
            };
            let parts = split(&object[1..], ',');
            let part = |number: usize, name: &str| match sign(object, 0) {
                Some('[') => parts.get(number).copied().unwrap_or_default(),
                _ => field(object, name).unwrap_or_default(),
            };
            let Some(method) = self.exact(part(0, "method")) else {
                return HttpCall { line, ..open() };
            };
            HttpCall {
                method: method.to_uppercase(),
                url: self.address(part(1, "url")),
                body: self.value(part(2, "body")),
                headers: self.headers(part(3, "params")),
                line,
            }
        };
        let items = split(&list[1..], ',').into_iter().filter(|item| !item.is_empty());
        items.take(CALLS_MAX).map(request).collect()
    }

    /// The headers of `{ headers: { 'Content-Type': 'text/xml' } }`.
    fn headers(&self, params: &[ScriptPiece]) -> Vec<(String, String)> {
        let headers = self.object(params).and_then(|params| field(params, "headers"));
        let Some(headers) = headers.and_then(|headers| self.object(headers)) else {
            return Vec::new();
        };
        let pair = |item: &[ScriptPiece]| match item {
            [(name, _), (ScriptToken::Sign(':'), _), value @ ..] => {
                // A value that is computed is kept as its name: whether it proves identity shows in that.
                Some((field_name(name)?, self.exact(value).unwrap_or_default()))
            }
            _ => None,
        };
        split(&headers[1..], ',').into_iter().filter_map(pair).collect()
    }

    /// The pieces of an object or a list, which may stand elsewhere under a name.
    fn object<'a>(&'a self, pieces: &'a [ScriptPiece]) -> Option<&'a [ScriptPiece]> {
        match pieces {
            [(ScriptToken::Word(name), _)] => {
                self.objects.get(name).map(|range| &self.tokens[range.clone()])
            }
            [(ScriptToken::Sign('{' | '['), _), rest @ ..] => {
                let inner: usize = split(rest, ',').iter().map(|part| part.len() + 1).sum();
                (inner == rest.len()).then_some(pieces)
            }
            _ => None,
        }
    }

    fn value(&self, pieces: &[ScriptPiece]) -> CallArgument {
        let is_nothing = match pieces {
            [] => true,
            [(ScriptToken::Word(word), _)] => word == "null" || word == "undefined",
            _ => false,
        };
        if is_nothing {
            return CallArgument::Nothing;
        }
        let form = || self.form(pieces).map(CallArgument::Form);
        self.exact(pieces).map(CallArgument::Text).or_else(form).unwrap_or(CallArgument::Computed)
    }

    /// An object as the fields of a form.
    fn form(&self, pieces: &[ScriptPiece]) -> Option<String> {
        let object = self.object(pieces).filter(|object| sign(object, 0) == Some('{'))?;
        let mut pairs = Vec::new();
        for item in split(&object[1..], ',').into_iter().filter(|item| !item.is_empty()) {
            let [(name, _), (ScriptToken::Sign(':'), _), value @ ..] = item else { return None };
            let value = number(value).or_else(|| self.exact(value))?;
            pairs.push((field_name(name)?, value));
        }
        pairs.sort();
        let pair = |(name, value): &(String, String)| {
            format!("{}={}", percent_encoded(name), percent_encoded(value))
        };
        Some(pairs.iter().map(pair).collect::<Vec<_>>().join("&"))
    }

    /// The address of a request. What stands before the path may be unknown: it is the target's own here.
    fn address(&self, pieces: &[ScriptPiece]) -> CallArgument {
        let is_name =
            |(it, _): &ScriptPiece| matches!(it, ScriptToken::Word(_) | ScriptToken::Sign('.'));
        let path = |pieces| {
            let parts = split(pieces, '+');
            let (first, rest) = parts.split_first()?;
            let start = match first {
                [(ScriptToken::Template(start, parts), _)] if start.is_empty() => {
                    let ((_, text), parts) = parts.split_first()?;
                    self.filled(text, parts)?
                }
                [_, ..] if first.iter().all(is_name) => String::new(),
                _ => return None,
            };
            let rest = rest.iter().map(|part| self.exact(part)).collect::<Option<String>>()?;
            Some(start + &rest).filter(|path| path.starts_with('/'))
        };
        let pieces = untagged(pieces);
        match self.exact(pieces).or_else(|| path(pieces)) {
            Some(text) => CallArgument::Text(text),
            None => CallArgument::Computed,
        }
    }

    /// What a template makes of its first text and the rest.
    fn filled(&self, start: &str, parts: &[(String, String)]) -> Option<String> {
        parts.iter().try_fold(start.to_owned(), |filled, (code, text)| {
            Some(filled + self.texts.get(code)? + text)
        })
    }

    /// The text that pieces are, if all of it is known.
    fn exact(&self, pieces: &[ScriptPiece]) -> Option<String> {
        let part = |part: &[ScriptPiece]| match untagged(part) {
            [(ScriptToken::Text(text), _)] => Some(text.clone()),
            [(ScriptToken::Template(start, parts), _)] => self.filled(start, parts),
            [(ScriptToken::Word(word), _)] => self.texts.get(word).cloned(),
            part => {
                let mut left = VALUES_MAX;
                stringified(part).and_then(|value| self.json(value, 0, &mut left))
            }
        };
        if pieces.is_empty() {
            return None;
        }
        split(pieces, '+').into_iter().map(part).collect()
    }

    /// What `JSON.stringify` makes of a value that is written in the script.
    fn json(&self, pieces: &[ScriptPiece], depth: usize, left: &mut usize) -> Option<String> {
        *left = left.checked_sub(1)?;
        if depth > DEPTH_MAX {
            return None;
        }
        if let Some(object) = self.object(pieces) {
            let is_list = sign(object, 0) == Some('[');
            let mut items = Vec::new();
            for item in split(&object[1..], ',').into_iter().filter(|item| !item.is_empty()) {
                let (name, value) = match item {
                    _ if is_list => (String::new(), item),
                    [(ScriptToken::Word(name), _)] => (json_text(name) + ":", item),
                    [(name, _), (ScriptToken::Sign(':'), _), value @ ..] => {
                        (json_text(&field_name(name)?) + ":", value)
                    }
                    _ => return None,
                };
                items.push(name + &self.json(value, depth + 1, left)?);
            }
            let (open, close) = if is_list { ('[', ']') } else { ('{', '}') };
            return Some(format!("{open}{}{close}", items.join(",")));
        }
        match pieces {
            [(ScriptToken::Word(word), _)]
                if ["true", "false", "null"].contains(&word.as_str()) =>
            {
                Some(word.clone())
            }
            _ => number(pieces).or_else(|| Some(json_text(&self.exact(pieces)?))),
        }
    }
}

/// What a script does with names after it declared them.
#[derive(Default)]
struct NameChanges {
    /// How often something is assigned to a name or to what it holds, the declaration included.
    assigned: BTreeMap<String, usize>,
    /// Names of which a function is called, such as `list.push(1)`.
    called: BTreeSet<String>,
}

fn pair(signs: (char, char)) -> (Option<char>, Option<char>) {
    (Some(signs.0), Some(signs.1))
}

fn sign(pieces: &[ScriptPiece], at: usize) -> Option<char> {
    match pieces.get(at) {
        Some((ScriptToken::Sign(sign), _)) => Some(*sign),
        _ => None,
    }
}

/// Where each bracket is closed.
fn closings(tokens: &[ScriptPiece]) -> BTreeMap<usize, usize> {
    let (mut open, mut closings) = (Vec::new(), BTreeMap::new());
    for at in 0..tokens.len() {
        match sign(tokens, at) {
            Some('(' | '[' | '{') => open.push(at),
            Some(')' | ']' | '}') => closings.extend(open.pop().map(|start| (start, at))),
            _ => {}
        }
    }
    closings
}

/// Pieces apart at a sign, up to the bracket that closes what stands around them.
fn split(pieces: &[ScriptPiece], apart: char) -> Vec<&[ScriptPiece]> {
    let (mut parts, mut begin, mut depth) = (Vec::new(), 0, 0_usize);
    for at in 0..pieces.len() {
        match sign(pieces, at) {
            Some('(' | '[' | '{') => depth += 1,
            Some(')' | ']' | '}') if depth > 0 => depth -= 1,
            Some(')' | ']' | '}') => {
                parts.push(&pieces[begin..at]);
                return parts;
            }
            Some(found) if found == apart && depth == 0 => {
                parts.push(&pieces[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&pieces[begin..]);
    parts
}

/// The value of a field of an object.
fn field<'a>(object: &'a [ScriptPiece], name: &str) -> Option<&'a [ScriptPiece]> {
    let value = |item: &'a [ScriptPiece]| match item {
        [(found, _), (ScriptToken::Sign(':'), _), value @ ..] => {
            (field_name(found)? == name).then_some(value)
        }
        // `{ headers }`
        [(ScriptToken::Word(found), _)] => (found == name).then_some(item),
        _ => None,
    };
    split(object.get(1..)?, ',').into_iter().find_map(value)
}

fn field_name(token: &ScriptToken) -> Option<String> {
    match token {
        ScriptToken::Word(name) | ScriptToken::Text(name) => Some(name.clone()),
        ScriptToken::Template(..) | ScriptToken::Sign(_) => None,
    }
}

/// A text without the tag that k6 groups addresses by: ``http.url`…` ``.
fn untagged(pieces: &[ScriptPiece]) -> &[ScriptPiece] {
    match pieces {
        [
            (ScriptToken::Word(http), _),
            (ScriptToken::Sign('.'), _),
            (ScriptToken::Word(url), _),
            text,
        ] if http == "http" && url == "url" => std::slice::from_ref(text),
        _ => pieces,
    }
}

/// The value of `JSON.stringify(VALUE)`.
fn stringified(pieces: &[ScriptPiece]) -> Option<&[ScriptPiece]> {
    let [
        (ScriptToken::Word(json), _),
        (ScriptToken::Sign('.'), _),
        (ScriptToken::Word(function), _),
        (ScriptToken::Sign('('), _),
        value @ ..,
        (ScriptToken::Sign(')'), _),
    ] = pieces
    else {
        return None;
    };
    (json == "JSON" && function == "stringify" && split(value, ',').len() == 1).then_some(value)
}

/// A number as JSON has it; none where it would be written otherwise than it stands.
fn number(pieces: &[ScriptPiece]) -> Option<String> {
    let mut text = String::new();
    for (token, _) in pieces.iter().take(4) {
        match token {
            ScriptToken::Word(word) => text.push_str(word),
            ScriptToken::Sign(sign) => text.push(*sign),
            ScriptToken::Text(_) | ScriptToken::Template(..) => return None,
        }
    }
    let value: f64 = text.parse().ok().filter(|_| pieces.len() <= 4)?;
    (value.to_string() == text && value.abs() < 1e15).then_some(text)
}

fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
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
                http.batch([['GET', '/c'], { method: 'POST', url: '/d', body: order }, '/e']);
                http.batch(requests());
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
                ("GET", text("/c"), 13),
                ("POST", text("/d"), 13),
                ("GET", text("/e"), 13),
                ("GET", CallArgument::Computed, 14),
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

    #[test]
    fn what_is_written_under_a_name_is_found_and_what_changes_stays_open() {
        let script = r#"
            const BASE = __ENV.BASE_URL || 'https://shop.example';
            const ORDERS = `${BASE}/orders`;
            const order = { item: "pen", 'count': 2, price: -1.5, tags: ['a', `b`, null], gift: true };
            const body = JSON.stringify(order);
            const headers = { 'Content-Type': 'application/json', 'X-Day': day() };
            const params = { headers, tags: { name: 'orders' } };
            let page = '/first';
            page = '/second';
            const many = [1];
            many.push(2);
            const late = { a: 1 };
            late.a = later();
            export default function () {
                http.get(BASE);
                http.post(ORDERS, body, params);
                http.post(BASE + '/orders' + '?again', JSON.stringify({ order, id: 7 }), { headers: headers });
                http.get(http.url`${BASE}/orders/${id}`);
                http.get(http.url`${BASE}/orders/1`);
                http.get(BASE + page);
                http.post(ORDERS, JSON.stringify(many));
                http.post(ORDERS, JSON.stringify(late));
                http.post(ORDERS, JSON.stringify({ id: 1.50 }));
                http.post(ORDERS, prefix + '/no address');
                http.asyncRequest('patch', ORDERS, "\u00e9\x41");
                http.get(__ENV.HOST + '/health');
                http.post(ORDERS, { item: 'a b', count: 2 });
                http.get(path(1 + '/x'));
                http.post(ORDERS, JSON.stringify([1, 2].map(double)));
            }"#;
        let text = |text: &str| CallArgument::Text(text.to_owned());
        let open = CallArgument::Computed;
        let order = r#"{"item":"pen","count":2,"price":-1.5,"tags":["a","b",null],"gift":true}"#;
        let both = format!(r#"{{"order":{order},"id":7}}"#);
        let orders = "https://shop.example/orders";
        let found = calls(script);
        let seen: Vec<_> = found.iter().map(|call| (call.url.clone(), call.body.clone())).collect();
        assert_eq!(
            seen,
            [
                (text("https://shop.example"), CallArgument::Nothing),
                (text(orders), text(order)),
                (text("https://shop.example/orders?again"), text(&both)),
                (open.clone(), CallArgument::Nothing),
                (text("https://shop.example/orders/1"), CallArgument::Nothing),
                (open.clone(), CallArgument::Nothing),
                (text(orders), open.clone()),
                (text(orders), open.clone()),
                (text(orders), open.clone()),
                (text(orders), open.clone()),
                (text(orders), text("\u{e9}A")),
                (text("/health"), CallArgument::Nothing),
                (text(orders), CallArgument::Form("count=2&item=a%20b".to_owned())),
                (open.clone(), CallArgument::Nothing),
                (text(orders), open),
            ]
        );
        let headers = [("Content-Type", "application/json"), ("X-Day", "")]
            .map(|(a, b)| (a.into(), b.into()));
        assert_eq!(found[1].headers, headers);
        assert_eq!(found[2].headers, headers);
    }

    #[test]
    fn objects_within_objects_end() {
        let names: Vec<String> =
            (1..40).map(|n| format!("const a{n} = [a{0}, a{0}];\n", n - 1)).collect();
        let script =
            format!("const a0 = [1];\n{}http.post('/', JSON.stringify(a39));", names.concat());
        assert_eq!(calls(&script)[0].body, CallArgument::Computed);
        let own = "const a = { a }; http.post('/', JSON.stringify(a));";
        assert_eq!(calls(own)[0].body, CallArgument::Computed);
    }

    proptest! {
        #[test]
        fn no_script_is_too_odd(text in "[a-c'\"`$\\{}()\\[\\]/*\\\\.,:\n ]{0,60}|http\\.get\\(.{0,20}") {
            calls(&text);
        }
    }
}
