//! Takes comments and the shape of the text out of source code, to tell a change of code from one of its
//! looks.
//!
//! A scanner that knows strings and comments of two families of languages is enough for that: where it is
//! wrong about a language, a hunk is kept that could have been left out, and reverting it shows that it is
//! innocent.

/// Stands for a blank inside a string, which is code.
const STRING_BLANK: char = '\u{1}';

/// How a language writes comments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CommentStyle {
    /// `//` and `/* */`, as in C.
    Slashes,
    /// The same, with raw strings and lifetimes.
    Rust,
    /// `#`, and indentation means something.
    Hash,
}

fn style(path: &str) -> Option<CommentStyle> {
    Some(match path.rsplit_once('.')?.1 {
        "rs" => CommentStyle::Rust,
        "c" | "h" | "cc" | "cpp" | "cxx" | "hh" | "hpp" | "go" | "java" | "js" | "kt" | "swift"
        | "ts" | "zig" => CommentStyle::Slashes,
        "py" | "rb" | "sh" | "toml" | "yaml" | "yml" => CommentStyle::Hash,
        _ => return None,
    })
}

/// Returns each line of a file without comments; of a language that is not known, the lines as they are.
pub(super) fn code_lines(path: &str, text: &str) -> Vec<String> {
    let Some(style) = style(path) else { return text.lines().map(str::to_owned).collect() };
    let mut scanner = Scanner { style, state: ScanState::Code, before: ' ' };
    text.lines().map(|line| scanner.line(line)).collect()
}

/// Returns whether two stretches of code differ in nothing but their shape.
pub(super) fn is_same_code(path: &str, base: &[String], head: &[String]) -> bool {
    match style(path) {
        Some(CommentStyle::Hash) => {
            let kept = |lines: &[String]| {
                let lines = lines.iter().map(|line| line.trim_end().to_owned());
                lines.filter(|line| !line.is_empty()).collect::<Vec<_>>()
            };
            kept(base) == kept(head)
        }
        Some(CommentStyle::Slashes | CommentStyle::Rust) => squeezed(base) == squeezed(head),
        None => base == head,
    }
}

/// Joins lines, with a blank only between two words and no comma before a closing bracket.
fn squeezed(lines: &[String]) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut text = String::new();
    let mut blank = false;
    for c in lines.join("\n").chars() {
        if c.is_whitespace() {
            blank = true;
            continue;
        }
        if matches!(c, ')' | ']' | '}') && text.ends_with(',') {
            text.pop();
        }
        if blank && is_word(c) && text.ends_with(is_word) {
            text.push(' ');
        }
        blank = false;
        text.push(c);
    }
    text
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ScanState {
    Code,
    /// In so many nested block comments.
    Comment(u32),
    /// In a string that ends with this character.
    Quoted(char),
    /// In a raw string that ends with a quote and so many hashes.
    Raw(usize),
}

struct Scanner {
    style: CommentStyle,
    state: ScanState,
    /// The last character of code.
    before: char,
}

impl Scanner {
    fn line(&mut self, line: &str) -> String {
        let chars: Vec<char> = line.chars().collect();
        let mut code = String::new();
        let mut at = 0;
        while at < chars.len() {
            at += match self.state {
                ScanState::Code => match self.code(&chars[at..], &mut code) {
                    Some(step) => step,
                    None => break,
                },
                ScanState::Comment(depth) => self.comment(&chars[at..], depth),
                ScanState::Quoted(end) => self.quoted(&chars[at..], end, &mut code),
                ScanState::Raw(hashes) => self.raw(&chars[at..], hashes, &mut code),
            };
        }
        // A string in quotes goes on in the next line in some languages only; where it does not, the
        // compiler complains.
        self.before = '\n';
        code
    }

    /// Takes what begins in code; nothing if the rest of the line is a comment.
    fn code(&mut self, rest: &[char], code: &mut String) -> Option<usize> {
        let next = rest.get(1).copied().unwrap_or(' ');
        let slashes = self.style != CommentStyle::Hash;
        match rest[0] {
            '#' if !slashes => return None,
            '/' if slashes && next == '/' => return None,
            '/' if slashes && next == '*' => {
                self.state = ScanState::Comment(1);
                return Some(2);
            }
            '\'' if self.style == CommentStyle::Rust => {
                let length = character_literal(rest);
                push_all(code, &rest[..length]);
                return Some(length);
            }
            'r' if self.style == CommentStyle::Rust && !is_word(self.before) => {
                let hashes = rest[1..].iter().take_while(|c| **c == '#').count();
                if rest.get(1 + hashes) == Some(&'"') {
                    self.state = ScanState::Raw(hashes);
                    push_all(code, &rest[..2 + hashes]);
                    return Some(2 + hashes);
                }
            }
            quote @ ('"' | '\'' | '`') => self.state = ScanState::Quoted(quote),
            _ => {}
        }
        self.before = rest[0];
        code.push(rest[0]);
        Some(1)
    }

    fn comment(&mut self, rest: &[char], depth: u32) -> usize {
        let nests = self.style == CommentStyle::Rust;
        match rest {
            ['*', '/', ..] => {
                self.state =
                    if depth > 1 { ScanState::Comment(depth - 1) } else { ScanState::Code };
                2
            }
            ['/', '*', ..] if nests => {
                self.state = ScanState::Comment(depth + 1);
                2
            }
            _ => 1,
        }
    }

    fn quoted(&mut self, rest: &[char], end: char, code: &mut String) -> usize {
        let length = if rest[0] == '\\' && rest.len() > 1 { 2 } else { 1 };
        if rest[0] == end {
            self.state = ScanState::Code;
        }
        push_all(code, &rest[..length]);
        length
    }

    fn raw(&mut self, rest: &[char], hashes: usize, code: &mut String) -> usize {
        let is_end = rest[0] == '"'
            && rest.len() > hashes
            && rest[1..=hashes].iter().all(|hash| *hash == '#');
        let length = if is_end { 1 + hashes } else { 1 };
        if is_end {
            self.state = ScanState::Code;
        }
        push_all(code, &rest[..length]);
        length
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The length of a literal such as `'a'` or `'\n'`; of the quote alone if it begins a lifetime.
fn character_literal(rest: &[char]) -> usize {
    match rest {
        [_, '\\', _, more @ ..] => more.iter().position(|c| *c == '\'').map_or(1, |end| end + 4),
        [_, _, '\'', ..] => 3,
        _ => 1,
    }
}

/// Adds what is inside of a string, where blanks count.
fn push_all(code: &mut String, chars: &[char]) {
    code.extend(chars.iter().map(|c| if c.is_whitespace() { STRING_BLANK } else { *c }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, base: &str, head: &str, same: bool) {
        let (of_base, of_head) = (code_lines(path, base), code_lines(path, head));
        assert_eq!(is_same_code(path, &of_base, &of_head), same, "{base}\n{head}");
    }

    #[test]
    fn comments_and_shape_are_no_code() {
        check("a.rs", "let a = 1; // one", "let a = 1; // two", true);
        check("a.rs", "f(a, b);", "f(\n    a,\n    b,\n);", true);
        check("a.rs", "/* a /* b */ c */ let x = 1;", "let x = 1;", true);
        check("a.rs", "/// Says.\nfn f() {}", "fn f() {}", true);
        check("a.c", "int a; /* one */", "int a;", true);
        check("a.py", "a = 1  # one", "a = 1", true);
    }

    #[test]
    fn words_strings_and_indentation_are_code() {
        check("a.rs", "let a = 1;", "let a = 2;", false);
        check("a.rs", "let a = \"x // y\";", "let a = \"x // z\";", false);
        check("a.rs", "let a = \"x  y\";", "let a = \"x y\";", false);
        check("a.rs", "let a = r#\"/* \" */\"#;", "let a = r#\"/* ' */\"#;", false);
        check("a.rs", "let a = '\"'; f(); // \"", "let a = '\"'; g(); // \"", false);
        check("a.rs", "fn f<'a>(x: &'a str) {} // '", "fn f<'b>(x: &'b str) {}", false);
        check("a.rs", "return a", "returna", false);
        check("a.py", "if a:\n    b()\n    c()", "if a:\n    b()\nc()", false);
        check("a.txt", "a b", "a  b", false);
    }
}
