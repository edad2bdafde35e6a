//! What a client may say: plain words, in their number and length, and paths within the folder.
//!
//! A client speaks for a model, which speaks for whatever it has read. So a word that could be taken for an
//! option, a path that leads out of the folder, and characters that a person would not see are refused, and
//! nothing is made of them.

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use report::reproduction;
use thiserror::Error;

/// Bytes of a word.
const WORD_BYTES_MAX: usize = 256;

/// Words of a list.
const WORDS_MAX: usize = 32;

/// Time for measuring: a client that asks for more has made a mistake.
const BUDGET_MAX: Duration = Duration::from_hours(24);

/// Why an argument is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum ArgumentError {
    /// There is nothing in it.
    #[error("`{argument}` is empty")]
    Empty {
        /// Its name.
        argument: &'static str,
    },
    /// It is longer than any honest one.
    #[error("`{argument}` has {bytes} bytes, at most {WORD_BYTES_MAX}")]
    TooLong {
        /// Its name.
        argument: &'static str,
        /// Its length.
        bytes: usize,
    },
    /// There are more of it than any honest call has.
    #[error("`{argument}` has {count} entries, at most {WORDS_MAX}")]
    TooMany {
        /// Its name.
        argument: &'static str,
        /// Their number.
        count: usize,
    },
    /// It would be taken for an option.
    #[error("`{argument}` begins with `-`, as an option does")]
    OptionLike {
        /// Its name.
        argument: &'static str,
    },
    /// It is not what it seems.
    #[error("`{argument}` has characters that are not seen")]
    Unseen {
        /// Its name.
        argument: &'static str,
    },
    /// It names a file elsewhere.
    #[error("`{argument}` leads out of the folder that the server works in")]
    OutsideFolder {
        /// Its name.
        argument: &'static str,
    },
    /// It is no time, or a senseless one.
    #[error("`{argument}` is no time of at most a day, such as `3m`")]
    NoTime {
        /// Its name.
        argument: &'static str,
    },
}

/// Returns a word that a command line takes for one, and a person for what it is.
pub(super) fn word<'a>(argument: &'static str, text: &'a str) -> Result<&'a str, ArgumentError> {
    if text.trim().is_empty() {
        return Err(ArgumentError::Empty { argument });
    }
    if text.len() > WORD_BYTES_MAX {
        return Err(ArgumentError::TooLong { argument, bytes: text.len() });
    }
    if text.starts_with('-') {
        return Err(ArgumentError::OptionLike { argument });
    }
    if text.chars().any(|letter| letter.is_control() || reproduction::is_invisible(letter)) {
        return Err(ArgumentError::Unseen { argument });
    }
    Ok(text)
}

/// Returns words, of which there are not too many.
pub(super) fn words<'a>(
    argument: &'static str,
    texts: &'a [String],
) -> Result<Vec<&'a str>, ArgumentError> {
    if texts.len() > WORDS_MAX {
        return Err(ArgumentError::TooMany { argument, count: texts.len() });
    }
    texts.iter().map(|text| word(argument, text)).collect()
}

/// Returns a word that, if it is taken for a path, names something in the folder: also through links.
pub(super) fn path(
    argument: &'static str,
    text: &str,
    folder: &Path,
) -> Result<PathBuf, ArgumentError> {
    let text = word(argument, text)?;
    let outside = || ArgumentError::OutsideFolder { argument };
    let is_below = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if !Path::new(text).components().all(is_below) {
        return Err(outside());
    }
    let path = folder.join(text);
    match (path.canonicalize(), folder.canonicalize()) {
        (Ok(full), Ok(root)) if !full.starts_with(&root) => Err(outside()),
        // What is not there is reported by what would read it.
        (Ok(_) | Err(_), _) => Ok(PathBuf::from(text)),
    }
}

/// Returns a time in words, which is one.
pub(super) fn time<'a>(argument: &'static str, text: &'a str) -> Result<&'a str, ArgumentError> {
    let text = word(argument, text)?;
    match units::parse_duration(text) {
        Ok(time) if !time.is_zero() && time <= BUDGET_MAX => Ok(text),
        Ok(_) | Err(_) => Err(ArgumentError::NoTime { argument }),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_that_are_not_what_they_seem_are_refused() {
        let argument = "baseline";
        let check = |text: &str, expected| assert_eq!(word(argument, text), expected, "{text:?}");
        for good in ["main", "v1.2", "HEAD~2", "origin/main", "größe", "a b"] {
            check(good, Ok(good));
        }
        check("", Err(ArgumentError::Empty { argument }));
        check(" \n", Err(ArgumentError::Empty { argument }));
        check("--head-start=rm", Err(ArgumentError::OptionLike { argument }));
        check("-x", Err(ArgumentError::OptionLike { argument }));
        for hidden in ["a\nb", "a\0", "a\u{1b}[2J", "a\u{202e}b", "a\u{200b}"] {
            check(hidden, Err(ArgumentError::Unseen { argument }));
        }
        check(&"x".repeat(257), Err(ArgumentError::TooLong { argument, bytes: 257 }));
        let many = vec!["x".to_owned(); 33];
        assert_eq!(words(argument, &many), Err(ArgumentError::TooMany { argument, count: 33 }));
    }

    #[test]
    fn no_path_leads_out_of_the_folder() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("run.json"), "{}").unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("run.json"), "{}").unwrap();
        symlink(outside.path(), folder.path().join("link")).unwrap();
        let check = |text: &str| path("run", text, folder.path());
        assert_eq!(check("run.json"), Ok(PathBuf::from("run.json")));
        assert_eq!(check("./not/there.json"), Ok(PathBuf::from("./not/there.json")));
        let absolute = outside.path().join("run.json");
        for out in ["../run.json", "a/../../b", "/etc/passwd", "link/run.json", "link"] {
            assert_eq!(check(out), Err(ArgumentError::OutsideFolder { argument: "run" }), "{out}");
        }
        assert!(check(absolute.to_str().unwrap()).is_err());
    }

    #[test]
    fn a_time_is_one_and_not_too_long() {
        assert_eq!(time("budget", "3m"), Ok("3m"));
        for wrong in ["0s", "soon", "40000h", "3 parsecs"] {
            assert_eq!(time("budget", wrong), Err(ArgumentError::NoTime { argument: "budget" }));
        }
    }

    proptest! {
        #[test]
        fn what_passes_is_one_word_of_the_folder(text in "\\PC{0,300}") {
            let folder = Path::new("/nonexistent");
            if let Ok(path) = path("run", &text, folder) {
                prop_assert!(folder.join(&path).starts_with(folder));
                prop_assert!(!text.starts_with('-') && text.len() <= WORD_BYTES_MAX);
                prop_assert!(!path.components().any(|it| it == Component::ParentDir));
            }
        }
    }
}
