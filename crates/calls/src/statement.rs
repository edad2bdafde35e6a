//! Takes the values out of statements, so that all executions of one statement have one text.
//!
//! The tokens are those of sqlparser, and what remains is decided by what is known to be no value: words and
//! punctuation. Everything else, also what a dialect adds, becomes `?`.

use sqlparser::dialect::{Dialect, MySqlDialect, PostgreSqlDialect};
use sqlparser::tokenizer::{Token, Tokenizer, Whitespace, Word};

/// Whose SQL it is: what stands in double quotes is a name for one and a value for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SqlDialect {
    PostgreSql,
    MySql,
}

/// Bytes of a text that are read, and of a statement that are kept.
const TEXT_BYTES_MAX: usize = 16 << 10;
const STATEMENT_BYTES_MAX: usize = 400;

/// What stands for a value, and for several in a list.
const VALUE: &str = "?";
const VALUES: &str = "…";

/// Statements that begin so name savepoints, cursors and prepared statements, which programs number.
const NUMBERED: [&str; 10] = [
    "SAVEPOINT",
    "RELEASE",
    "ROLLBACK",
    "DECLARE",
    "FETCH",
    "MOVE",
    "CLOSE",
    "PREPARE",
    "EXECUTE",
    "DEALLOCATE",
];

/// Returns the statements of a text without values; none of an empty one.
pub(crate) fn without_values(text: &str, dialect: SqlDialect) -> Vec<String> {
    let kept = text.floor_char_boundary(TEXT_BYTES_MAX);
    let (tokens, is_whole) = tokens(&text[..kept], dialect);
    let mut statements: Vec<Vec<StatementPiece>> = vec![Vec::new()];
    for token in tokens {
        match token {
            Token::SemiColon => statements.push(Vec::new()),
            token => {
                let last = statements.last_mut().expect("begun with one");
                last.extend(StatementPiece::of(&token));
            }
        }
    }
    let is_cut = !is_whole || kept < text.len();
    if is_cut && let Some(last) = statements.last_mut() {
        last.push(StatementPiece::Other(VALUES.to_owned()));
    }
    let is_blank = |pieces: &Vec<StatementPiece>| {
        pieces.iter().all(|piece| matches!(piece, StatementPiece::Space))
    };
    statements
        .into_iter()
        .filter(|pieces| !is_blank(pieces))
        .map(|pieces| joined(&pieces))
        .collect()
}

/// Returns the tokens up to the first place that is none, and whether that is the end.
fn tokens(text: &str, dialect: SqlDialect) -> (Vec<Token>, bool) {
    let dialect: &dyn Dialect = match dialect {
        SqlDialect::PostgreSql => &PostgreSqlDialect {},
        SqlDialect::MySql => &MySqlDialect {},
    };
    let mut tokens = Vec::new();
    let read = Tokenizer::new(dialect, text)
        .with_unescape(false)
        .tokenize_with_location_into_buf(&mut tokens);
    (tokens.into_iter().map(|it| it.token).collect(), read.is_ok())
}

/// What a token leaves of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
enum StatementPiece {
    Space,
    /// A word without quotes.
    Word(String),
    /// A value, whatever it was.
    Value,
    /// A quoted name, or punctuation.
    Other(String),
}

impl StatementPiece {
    fn of(token: &Token) -> Option<Self> {
        match token {
            Token::EOF => None,
            // Comments may hold anything: the trace of a request, the name of a user.
            Token::Whitespace(
                Whitespace::Space
                | Whitespace::Newline
                | Whitespace::Tab
                | Whitespace::SingleLineComment { .. }
                | Whitespace::MultiLineComment(_),
            ) => Some(Self::Space),
            Token::Word(Word { value, quote_style: None, .. }) => Some(Self::Word(value.clone())),
            Token::Word(_) => Some(Self::Other(token.to_string())),
            other => {
                let text = other.to_string();
                let is_sign = |c: char| c.is_ascii_punctuation() && !matches!(c, '\'' | '"' | '`');
                Some(match text.as_str() {
                    VALUE => Self::Value,
                    text if text.chars().all(is_sign) => Self::Other(text.to_owned()),
                    _ => Self::Value,
                })
            }
        }
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self, Self::Word(text) if text.eq_ignore_ascii_case(word))
    }

    fn is_sign(&self, sign: &str) -> bool {
        matches!(self, Self::Other(text) if text == sign)
    }
}

/// Joins the pieces of one statement into its text.
fn joined(pieces: &[StatementPiece]) -> String {
    let without_spaces = || pieces.iter().filter(|piece| **piece != StatementPiece::Space);
    let first = without_spaces().next();
    let starts = |word: &str| first.is_some_and(|piece| piece.is_word(word));
    let is_numbered = NUMBERED.iter().any(|word| starts(word));
    let is_setting = starts("SET");
    let mut writer = StatementWriter::default();
    let mut rest = pieces;
    while let Some((piece, after)) = rest.split_first() {
        rest = after;
        match piece {
            StatementPiece::Space => writer.space(),
            StatementPiece::Word(word) if is_numbered => writer.push(&without_digits(word)),
            StatementPiece::Word(word) => writer.push(word),
            StatementPiece::Value => writer.push(VALUE),
            StatementPiece::Other(text) => writer.push(text),
        }
        // Values of settings may stand without quotes.
        if is_setting && (piece.is_sign("=") || piece.is_word("TO")) {
            writer.space();
            writer.push(VALUES);
            break;
        }
        if piece.is_word("IN")
            && let Some(after) = after_list(rest)
        {
            writer.space();
            writer.push("(…)");
            rest = after;
        } else if piece.is_word("VALUES") {
            rest = without_repeated_rows(rest, &mut writer);
        }
    }
    writer.finish()
}

/// Writes a statement with single spaces.
#[derive(Default)]
struct StatementWriter {
    text: String,
    is_apart: bool,
}

impl StatementWriter {
    fn space(&mut self) {
        self.is_apart = true;
    }

    fn push(&mut self, piece: &str) {
        if self.is_apart && !self.text.is_empty() {
            self.text.push(' ');
        }
        self.is_apart = false;
        self.text.push_str(piece);
    }

    fn finish(mut self) -> String {
        if self.text.len() > STATEMENT_BYTES_MAX {
            self.text.truncate(self.text.floor_char_boundary(STATEMENT_BYTES_MAX));
            self.text.push_str(VALUES);
        }
        self.text
    }
}

/// Returns what follows a list of values in parentheses; none if there is something else in it. A list of one and a
/// list of a hundred are one statement.
fn after_list(pieces: &[StatementPiece]) -> Option<&[StatementPiece]> {
    let mut has_begun = false;
    for (place, piece) in pieces.iter().enumerate() {
        match piece {
            StatementPiece::Space => {}
            piece if !has_begun && piece.is_sign("(") => has_begun = true,
            StatementPiece::Value if has_begun => {}
            piece if has_begun && (piece.is_sign(",") || piece.is_sign("-")) => {}
            piece if has_begun && piece.is_sign(")") => return Some(&pieces[place + 1..]),
            _ => return None,
        }
    }
    None
}

/// Writes the first row behind `VALUES`, leaves out those that are equal to it without values, and returns what
/// follows.
fn without_repeated_rows<'a>(
    pieces: &'a [StatementPiece],
    writer: &mut StatementWriter,
) -> &'a [StatementPiece] {
    let Some((first, mut rest)) = row(pieces) else { return pieces };
    writer.space();
    for piece in &first {
        match piece {
            StatementPiece::Space => writer.space(),
            StatementPiece::Value => writer.push(VALUE),
            StatementPiece::Word(text) | StatementPiece::Other(text) => writer.push(text),
        }
    }
    loop {
        let after = trimmed(rest);
        let Some((comma, after)) = after.split_first() else { return rest };
        match row(after).filter(|(next, _)| comma.is_sign(",") && same(next, &first)) {
            Some((_, after)) => rest = after,
            None => return rest,
        }
    }
}

fn same(one: &[StatementPiece], other: &[StatementPiece]) -> bool {
    let words = |row: &[StatementPiece]| {
        row.iter().filter(|piece| **piece != StatementPiece::Space).cloned().collect::<Vec<_>>()
    };
    words(one) == words(other)
}

/// Returns what stands in the parentheses at the beginning, these included, and what follows.
fn row(pieces: &[StatementPiece]) -> Option<(Vec<StatementPiece>, &[StatementPiece])> {
    let pieces = trimmed(pieces);
    pieces.first().filter(|piece| piece.is_sign("("))?;
    let mut depth = 0_usize;
    for (place, piece) in pieces.iter().enumerate() {
        if piece.is_sign("(") {
            depth += 1;
        } else if piece.is_sign(")") {
            depth -= 1;
        }
        if depth == 0 {
            return Some((pieces[..=place].to_vec(), &pieces[place + 1..]));
        }
    }
    None
}

fn trimmed(pieces: &[StatementPiece]) -> &[StatementPiece] {
    let spaces = pieces.iter().take_while(|piece| **piece == StatementPiece::Space).count();
    &pieces[spaces..]
}

/// Puts one sign in the place of each number in a word.
fn without_digits(word: &str) -> String {
    let mut text = String::with_capacity(word.len());
    for c in word.chars() {
        match c {
            '0'..='9' if text.ends_with('#') => {}
            '0'..='9' => text.push('#'),
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> String {
        without_values(text, SqlDialect::PostgreSql).join(" | ")
    }

    #[test]
    fn values_are_taken_out_and_words_stay() {
        let check = |text: &str, expected: &str| assert_eq!(one(text), expected, "{text}");
        check("SELECT name\n FROM item WHERE id = 42", "SELECT name FROM item WHERE id = ?");
        check("select 'it''s', E'a\\'b', $1, $tag$x;y$tag$, 1.5e3", "select ?, ?, ?, ?, ?");
        check(
            "SELECT \"Name\" FROM s.t WHERE a->>'k' = $2",
            "SELECT \"Name\" FROM s.t WHERE a->>? = ?",
        );
        check("/* trace=77 */ SELECT 1 -- user ann", "SELECT ?");
        check("BEGIN; UPDATE t SET a = 1; COMMIT", "BEGIN | UPDATE t SET a = ? | COMMIT");
        check("", "");
        check(" ;; ", "");
    }

    #[test]
    fn what_differs_in_number_only_is_one_statement() {
        let same = |a: &str, b: &str| assert_eq!(one(a), one(b));
        same("SELECT a FROM t WHERE id IN (1)", "SELECT a FROM t WHERE id IN ($1, $2, -3)");
        same(
            "INSERT INTO t (a) VALUES (1, now())",
            "INSERT INTO t (a) VALUES (2, now()), (3, now())",
        );
        same("SAVEPOINT sp_1", "SAVEPOINT sp_42");
        same("FETCH 100 FROM cursor_7", "FETCH 50 FROM cursor_8");
        assert_ne!(one("INSERT INTO t VALUES (1)"), one("INSERT INTO t VALUES (1, 2)"));
        assert_eq!(
            one("SELECT a FROM t WHERE id IN (SELECT 1)"),
            "SELECT a FROM t WHERE id IN (SELECT ?)"
        );
        let ends = "INSERT INTO t VALUES (1), (2) ON CONFLICT DO NOTHING";
        assert_eq!(one(ends), "INSERT INTO t VALUES (?) ON CONFLICT DO NOTHING");
    }

    #[test]
    fn a_setting_and_a_quoted_value_of_mysql_are_not_kept() {
        assert_eq!(one("SET app.user = ann"), "SET app.user = …");
        assert_eq!(one("SET search_path TO private"), "SET search_path TO …");
        let mysql = without_values("SELECT \"ann\", `a` FROM t # ann", SqlDialect::MySql);
        assert_eq!(mysql, ["SELECT ?, `a` FROM t"]);
    }

    #[test]
    fn what_cannot_be_read_or_is_long_ends_early_and_without_values() {
        assert_eq!(one("SELECT a, 'secret"), "SELECT a, …");
        let long = one(&format!("SELECT {}", "column, ".repeat(10_000)));
        assert!(long.len() < 410 && long.ends_with('…'), "{long}");
    }
}
