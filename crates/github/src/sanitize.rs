//! Makes text from outside harmless in markdown, and leaves it readable.
//!
//! A scenario may be called `@everyone`, a branch `<!-- … -->`, and an artifact from a fork may say
//! anything. What has a meaning in GitHub's markdown is replaced by a character that looks alike and
//! has none. Escaping would be less certain: mentions and links are found in the rendered text,
//! after escapes and entities are gone, and a table cell, a code span and a heading each want
//! different ones.

/// Longest name that is kept, in characters.
pub const CHARS_MAX: usize = 80;

/// Returns `raw` on one line, without a meaning in any place of a document, and not too long.
pub fn text(raw: &str) -> String {
    line(raw, CHARS_MAX)
}

/// Like [`text`], with another idea of too long.
pub fn line(raw: &str, chars_max: usize) -> String {
    let shown: String = raw.chars().filter_map(visible).take(chars_max + 1).collect();
    let mut out = String::with_capacity(shown.len());
    for c in shown.chars() {
        out.push(harmless(&out, c));
    }
    match out.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", out[..end].trim_end()),
        None => out,
    }
}

/// Longest piece of code that is kept, in characters.
const CODE_CHARS_MAX: usize = 300;

/// Returns `raw` for a place that shows it as code, where only a backtick and the bar of a table mean
/// anything: names of functions are full of the rest.
pub fn code(raw: &str) -> String {
    let shown = raw.chars().filter_map(visible).take(CODE_CHARS_MAX);
    shown.map(|c| if matches!(c, '`' | '|') { harmless("", c) } else { c }).collect()
}

/// Breaks of every kind become spaces; what is invisible or turns the direction of text is dropped.
fn visible(c: char) -> Option<char> {
    match c {
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' => {
            None
        }
        '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}' => None,
        '\u{2028}' | '\u{2029}' => Some(' '),
        c if c.is_control() => Some(' '),
        c => Some(c),
    }
}

/// Returns what stands for `c` after `before`.
fn harmless(before: &str, c: char) -> char {
    let follows = |word: &str| {
        let start = before.len().saturating_sub(word.len());
        before.get(start..).is_some_and(|end| end.eq_ignore_ascii_case(word))
    };
    match c {
        '@' => '＠',
        '|' => '｜',
        '<' => '＜',
        '>' => '＞',
        '&' => '＆',
        '#' => '＃',
        '$' => '＄',
        '[' => '［',
        ']' => '］',
        '\\' => '＼',
        '`' => 'ˋ',
        '*' => '∗',
        '~' => '∼',
        // `://` makes a link, `:name:` a picture.
        ':' => '：',
        // Makes a link of `www.example.com`.
        '.' if follows("www") => '․',
        // Refers to an issue in `GH-12`.
        '-' if follows("gh") => '‑',
        // Emphasis, except within a word.
        '_' if !before.ends_with(char::is_alphanumeric) => '＿',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_ordinary_name_is_left_alone() {
        for name in ["nominal", "depth-5 (70 % identical)", "p95_ms", "größe, 2 MiB"] {
            assert_eq!(text(name), name);
        }
    }

    #[test]
    fn an_attempt_stays_readable() {
        let check = |raw, expected: &str| assert_eq!(text(raw), expected);
        check("@octocat", "＠octocat");
        check("a | b", "a ｜ b");
        check("<!-- xmlperf:v1 -->", "＜!-- xmlperf：v1 --＞");
        check("[x](https://evil.example)", "［x］(https：//evil.example)");
        check("`` ` ``", "ˋˋ ˋ ˋˋ");
        check("two\r\nlines", "two  lines");
        check("see GH-12, www.evil.example", "see GH‑12, www․evil.example");
        check("\u{202e}drawkcab\u{200b}", "drawkcab");
        check(&"x".repeat(200), &format!("{}…", "x".repeat(CHARS_MAX)));
    }

    #[test]
    fn the_name_of_a_function_is_left_alone() {
        let check = |raw, expected: &str| assert_eq!(code(raw), expected);
        check("<core::str::Chars as Iterator>::next", "<core::str::Chars as Iterator>::next");
        check("a`|\u{202e}\nb", "aˋ｜ b");
    }

    /// Renders `markdown` as GitHub does, as far as a library can: tables and links without markup.
    fn html(markdown: &str) -> String {
        let mut options = comrak::Options::default();
        options.extension.autolink = true;
        options.extension.math_dollars = true;
        options.extension.strikethrough = true;
        options.extension.table = true;
        options.render.r#unsafe = true;
        comrak::markdown_to_html(markdown, &options)
    }

    fn unescaped(html: &str) -> String {
        html.replace("&quot;", "\"").replace("&amp;", "&")
    }

    fn hostile() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            "\\PC{0,6}",
            any::<char>().prop_map(String::from),
            proptest::sample::select(vec![
                "@octocat",
                "|",
                "<",
                ">",
                "<!--",
                "-->",
                "<img src=x>",
                "https://",
                "www.",
                "://",
                "ftp://x.example",
                "![a](b)",
                "[a](b)",
                "`",
                "```",
                "*a*",
                "_a_",
                "__",
                "~~a~~",
                "\n",
                "\r\n\r\n",
                "\n# ",
                "&lt;",
                "&commat;x",
                "\\",
                "$a$",
                "#1",
                "GH-1",
                "a@b.cc",
            ])
            .prop_map(String::from),
        ];
        prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn a_parser_finds_nothing_but_text(raw in hostile()) {
            let inert = text(&raw);
            let paragraph = html(&format!("x {inert}x\n"));
            prop_assert_eq!(unescaped(&paragraph), format!("<p>x {inert}x</p>\n"));
            let cell = html(&format!("|a|b|\n|-|-|\n| x {inert}x | y |\n"));
            let expected = format!("<td>x {inert}x</td>\n<td>y</td>");
            prop_assert!(unescaped(&cell).contains(&expected), "{cell}");
            let code = html(&format!("x `{inert}x` y\n"));
            prop_assert!(unescaped(&code).starts_with("<p>x <code>"), "{code}");
            prop_assert!(unescaped(&code).ends_with("</code> y</p>\n"), "{code}");
        }

        #[test]
        fn nothing_notifies_anybody(raw in hostile()) {
            let inert = text(&raw);
            prop_assert!(!inert.contains(['@', '#', '<', '>', '|', '`', '&', '\n', '\r']));
            prop_assert!(inert.chars().count() <= CHARS_MAX + 1);
        }

        #[test]
        fn twice_is_once(raw in hostile()) {
            let once = text(&raw);
            prop_assert_eq!(text(&once), once);
        }
    }
}
