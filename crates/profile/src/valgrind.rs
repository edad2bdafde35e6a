//! Starts a target under one of valgrind's tools, and tells what valgrind cannot do from what the
//! target did wrong.

use std::borrow::Cow;
use std::time::Duration;

use sut::{LogTail, ResourceLimits, TargetCommand};

use super::failure::ProfileError;
use super::program;

/// A target runs up to fifty times slower, and starting takes longest.
const READY_TIMEOUT_MIN: Duration = Duration::from_mins(1);

/// Returns the version of valgrind.
pub fn version() -> Result<String, ProfileError> {
    let missing = ProfileError::NotInstalled {
        tool: "valgrind",
        install: "apt-get install valgrind` or `dnf install valgrind",
    };
    let output = std::process::Command::new("valgrind").arg("--version").output();
    let output = output.map_err(|_| missing)?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Fails if the command cannot run under the tool, as far as that can be known beforehand.
pub(super) fn check(tool: &'static str, command: &TargetCommand) -> Result<(), ProfileError> {
    version()?;
    match program::obstacle(command) {
        Some(reason) => Err(ProfileError::Unsuited { tool, reason }),
        None => Ok(()),
    }
}

/// Returns the command under a tool. Children are followed, as the command may be a script.
pub(super) fn under(
    tool: &'static str,
    options: &[String],
    command: &TargetCommand,
) -> TargetCommand {
    let quoted =
        |option: &String| shlex::try_quote(option).map_or_else(|_| option.clone(), Cow::into_owned);
    let options = options.iter().map(quoted).collect::<Vec<_>>().join(" ");
    let start =
        format!("valgrind --quiet --tool={tool} --trace-children=yes {options} {}", command.start);
    let ready_timeout = command.ready_timeout.max(READY_TIMEOUT_MIN);
    // Valgrind needs memory and time of its own, a multiple of the target's.
    TargetCommand { start, ready_timeout, limits: ResourceLimits::default(), ..command.clone() }
}

/// Returns a failure as one of the lane, if the target's output says that valgrind gave up.
pub(super) fn explained(error: ProfileError) -> ProfileError {
    const SIGNS: [(&str, &str); 4] = [
        (
            "unhandled instruction",
            "it uses instructions that this valgrind does not know, as programs built for one \
             processor do (`target-cpu=native`)",
        ),
        ("executable with setuid", "it is a set-user-id program"),
        ("wrong ELF executable class", "it is for another processor"),
        ("cannot execute binary file", "it is for another processor"),
    ];
    let ProfileError::Target { tool, source } = error else { return error };
    let lines = source.log_tail().map(LogTail::lines).unwrap_or_default();
    let is_said = |sign: &str| lines.iter().any(|line| line.contains(sign));
    match SIGNS.iter().find(|(sign, _)| is_said(sign)) {
        Some((_, reason)) => ProfileError::Unsuited { tool, reason: (*reason).to_owned() },
        None => ProfileError::Target { tool, source },
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use sut::{ProcessEnd, TargetError};

    use super::*;

    #[test]
    fn options_with_spaces_stay_one_word() {
        let command = TargetCommand {
            start: "./api --port {port}".to_owned(),
            dir: PathBuf::from("."),
            environment: <_>::default(),
            env: Vec::new(),
            port_env: None,
            ready: "/".into(),
            ask: <_>::default(),
            ready_timeout: Duration::from_secs(1),
            stop_timeout: Duration::from_secs(1),
            limits: ResourceLimits { memory_bytes_max: Some(1 << 30), ..<_>::default() },
            container: None,
            copies: None,
            services: <_>::default(),
            hooks: <_>::default(),
            relinked: None,
        };
        let under = under("dhat", &["--out=/a b/c".to_owned(), "--depth=60".to_owned()], &command);
        insta::assert_snapshot!(under.start, @"valgrind --quiet --tool=dhat --trace-children=yes '--out=/a b/c' '--depth=60' ./api --port {port}");
        assert_eq!(under.ready_timeout, Duration::from_mins(1));
        assert_eq!(under.limits, ResourceLimits::default());
    }

    #[track_caller]
    fn check(said: &str, unsuited: bool) {
        let log = tempfile::NamedTempFile::new().unwrap();
        fs::write(log.path(), said).unwrap();
        let (ending, after) = (ProcessEnd::Status(1), Duration::from_secs(1));
        let source = TargetError::ExitedAtOnce {
            ending,
            after,
            tail: LogTail::of(log.path()),
            withheld: <_>::default(),
        };
        let error = explained(ProfileError::Target { tool: "callgrind", source: Box::new(source) });
        assert_eq!(error.is_unavailable(), unsuited, "{error}");
    }

    #[test]
    fn what_valgrind_cannot_do_is_distinguished_from_what_the_target_did_wrong() {
        check("vex amd64->IR: unhandled instruction bytes: 0x62 0xF1", true);
        check("valgrind: ./api: cannot execute binary file", true);
        check("error: no configuration", false);
    }
}
