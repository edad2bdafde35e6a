//! Recognises in a start command what only a shell understands.
//!
//! A start command is words, so that the process that is measured is the target itself. Written as for
//! a shell, its first word would be looked for as a program, after everything has been built.

/// Commands of the shell itself, and words of its language, with which a start command may begin.
const BUILTINS: [&str; 14] = [
    ".", "cd", "eval", "exec", "export", "for", "if", "set", "source", "trap", "ulimit", "umask",
    "unset", "while",
];

/// Operators that stand as a word of their own.
const OPERATORS: [&str; 6] = ["&&", "||", "|", ";", "&", "2>&1"];

/// Returns the word of a command that only a shell understands, if there is one. What is quoted is
/// an argument, as is an operator inside a word, such as the `&` of a URL.
pub fn shell_syntax(start: &str) -> Option<String> {
    let bare = unquoted(start);
    let mut words = bare.split_whitespace();
    let first = words.next()?;
    if BUILTINS.contains(&first) || is_assignment(first) || is_operator(first) {
        return Some(first.to_owned());
    }
    words.find(|word| is_operator(word)).map(str::to_owned)
}

fn is_operator(word: &str) -> bool {
    OPERATORS.contains(&word)
        || word.starts_with(['>', '<', '`'])
        || word.starts_with("2>")
        || word.starts_with("$(")
        || word.ends_with(';')
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        let mut letters = name.chars();
        letters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
            && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    })
}

/// The text with a letter in place of each character that is quoted or escaped.
fn unquoted(text: &str) -> String {
    let (mut quote, mut escaped) = (None, false);
    let letter = |c: char| match (quote, c) {
        _ if escaped => {
            escaped = false;
            'x'
        }
        (None | Some('"'), '\\') => {
            escaped = true;
            'x'
        }
        (None, '"' | '\'') => {
            quote = Some(c);
            'x'
        }
        (Some(open), c) => {
            if open == c {
                quote = None;
            }
            'x'
        }
        (None, c) => c,
    };
    text.chars().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_a_shell_understands_is_found_and_arguments_are_not() {
        for (start, word) in [
            ("cd app && ./server", Some("cd")),
            ("PORT={port} ./server", Some("PORT={port}")),
            ("exec ./server", Some("exec")),
            ("./setup; ./server", Some("./setup;")),
            ("./setup && ./server", Some("&&")),
            ("./server > log", Some(">")),
            ("./server 2>&1 | tee log", Some("2>&1")),
            ("./server >log", Some(">log")),
            ("./server --id $(hostname)", Some("$(hostname)")),
            ("./server &", Some("&")),
            ("sh -c 'cd app && exec ./server {port}'", None),
            ("./server --url http://h/?a=1&b=2 --filter 'a|b'", None),
            ("./server --text \"a && b\" a\\;", None),
            ("java -Dx=y -jar app.jar --list=a;b", None),
            ("./server --level=2", None),
            ("", None),
        ] {
            assert_eq!(shell_syntax(start).as_deref(), word, "{start}");
        }
    }
}
