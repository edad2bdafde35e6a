//! Text inside HTML and SVG, and inside a code span of markdown.

/// Text that cannot be anything but text, in an element or a quoted attribute. Characters that turn the
/// direction of what follows are left out: they would turn what is not of this text as well.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c if turns_direction(c) => {}
            c => safe.push(c),
        }
    }
    safe
}

/// Whether a character turns the direction of what follows, beyond the text that it is in.
pub(super) fn turns_direction(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Text as code. Inside a code span only the backtick and the cell's bar mean anything.
pub(super) fn code(text: &str) -> String {
    let safe: String = text
        .chars()
        .filter(|c| !turns_direction(*c))
        .map(|c| match c {
            '`' => '\'',
            '|' => '¦',
            c if c.is_control() => ' ',
            c => c,
        })
        .collect();
    format!("`{safe}`")
}
