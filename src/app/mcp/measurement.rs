//! Measures by the program itself, as a user would start it.
//!
//! A process of its own has the limits, the guards and the lock of the command line, and takes them with it when
//! it ends: a server lives as long as the editor that started it.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use units::cancel::Cancel;

/// How often a wish to stop is looked for.
const TICK: Duration = Duration::from_millis(100);

/// Bytes of a report; a renderer bounds it to less.
const REPORT_BYTES_MAX: u64 = 64 << 10;

/// Bytes of a line of standard error that are looked at.
const LINE_BYTES_MAX: u64 = 64 << 10;

/// Bytes of what is kept of standard error, beside events.
const SAID_BYTES_MAX: usize = 4 << 10;

/// What a program said and how it ended.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ProgramOutput {
    /// The exit code; none if a signal ended it.
    pub(super) code: Option<i32>,
    /// The report on standard output.
    pub(super) report: String,
    /// What stood on standard error and is no event.
    pub(super) said: String,
}

/// An event of a measurement that a client is shown.
#[derive(Debug, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum ProgressEvent {
    CheckoutStarted {
        reference: String,
    },
    BuildAwaited,
    BuildAdvanced {
        build: String,
    },
    PayloadStarted {
        scenario: String,
    },
    CountingStarted {
        scenario: String,
    },
    LaunchEnded {
        done: usize,
        of: usize,
    },
    Cause,
    #[serde(other)]
    Other,
}

impl ProgressEvent {
    /// What is being done; nothing for what goes by at once.
    fn message(&self) -> Option<String> {
        Some(match self {
            Self::CheckoutStarted { reference } => format!("checking out {reference}"),
            Self::BuildAwaited => "waiting for another build of base".to_owned(),
            Self::BuildAdvanced { build } => format!("building {build}"),
            Self::PayloadStarted { scenario } => format!("preparing {scenario}"),
            Self::CountingStarted { scenario } => {
                format!("counting the instructions of {scenario}")
            }
            Self::LaunchEnded { done, of } => format!("launch {done} of at most {of}"),
            Self::Cause => "looking for the lines that more work is in".to_owned(),
            Self::Other => return None,
        })
    }
}

/// Runs the program in a folder with these words, and passes on each new thing that it does. Interrupts it when
/// one of the flags is raised: it then keeps what it has measured, and stops what it has started.
pub(super) fn run(
    program: &Path,
    folder: &Path,
    words: &[String],
    flags: &[Cancel],
    progress: &mut dyn FnMut(&str),
) -> io::Result<ProgramOutput> {
    let mut child = Command::new(program)
        .args(words)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let (lines, received) = mpsc::channel();
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let mut output = ProgramOutput::default();
    thread::scope(|scope| {
        let send = move || err.map_or(Ok(()), |err| send_lines(err, &lines));
        let read = move || out.map_or(Ok(Vec::new()), read_report);
        let sending = thread::Builder::new().spawn_scoped(scope, send).map(drop);
        let reading = thread::Builder::new().spawn_scoped(scope, read);
        let report = match sending.and(reading) {
            Ok(report) => report,
            Err(error) => {
                // Its output has no reader.
                let _ = child.kill();
                return Err(error);
            }
        };
        output.said = follow(&child, &received, flags, progress);
        output.report = match report.join() {
            Ok(bytes) => String::from_utf8_lossy(&bytes?).into_owned(),
            Err(_) => return Err(io::Error::other("the report was not read")),
        };
        Ok(())
    })?;
    output.code = child.wait()?.code();
    Ok(output)
}

/// Passes on events until standard error ends, and returns what else stood there.
fn follow(
    child: &Child,
    received: &mpsc::Receiver<String>,
    flags: &[Cancel],
    progress: &mut dyn FnMut(&str),
) -> String {
    let (mut said, mut last, mut is_interrupted) = (String::new(), String::new(), false);
    loop {
        if !is_interrupted && flags.iter().any(Cancel::is_raised) {
            is_interrupted = true;
            interrupt(child);
        }
        let line = match received.recv_timeout(TICK) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return said,
        };
        match serde_json::from_str::<ProgressEvent>(&line) {
            Ok(event) => {
                if let Some(message) = event.message().filter(|message| *message != last) {
                    progress(&message);
                    last = message;
                }
            }
            Err(_) if said.len() + line.len() < SAID_BYTES_MAX => {
                said = said + line.trim_end() + "\n";
            }
            Err(_) => {}
        }
    }
}

/// As Ctrl-C does. A process that has ended meanwhile is not waited for yet, so its number is still its own.
fn interrupt(child: &Child) {
    let number = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(number) = number {
        // One that has ended needs no signal.
        let _ = kill_process(number, Signal::INT);
    }
}

/// Sends each line; of one that is too long, its begin.
fn send_lines(err: ChildStderr, lines: &Sender<String>) -> io::Result<()> {
    let mut err = BufReader::new(err);
    loop {
        let mut line = Vec::new();
        if err.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if lines.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
            return Ok(());
        }
    }
}

fn read_report(mut out: impl Read) -> io::Result<Vec<u8>> {
    let mut report = Vec::new();
    out.by_ref().take(REPORT_BYTES_MAX).read_to_end(&mut report)?;
    // What is written beyond that must not block the program.
    io::copy(&mut out, &mut io::sink())?;
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a script in place of the program; the first thing that it does raises the flag, if there is one.
    fn script(text: &str, flag: Option<&Cancel>) -> (ProgramOutput, Vec<String>) {
        let mut messages = Vec::new();
        let words = ["-c".to_owned(), text.to_owned()];
        let shell = Path::new("/bin/sh");
        let progress = &mut |message: &str| {
            messages.push(message.to_owned());
            if let Some(flag) = flag {
                flag.raise();
            }
        };
        let flags: Vec<Cancel> = flag.into_iter().cloned().collect();
        let output = run(shell, Path::new("/"), &words, &flags, progress).unwrap();
        (output, messages)
    }

    #[test]
    fn events_become_progress_and_other_lines_are_kept() {
        let text = r#"
            echo '{"event":"build_advanced","build":"head","line":"a"}' >&2
            echo '{"event":"build_advanced","build":"head","line":"b"}' >&2
            echo '{"event":"launch_ended","done":1,"of":9,"elapsed_ns":5}' >&2
            echo '{"event":"something_new","x":[1]}' >&2
            echo 'error: no such thing' >&2
            echo '# verdict'; exit 3"#;
        let (output, messages) = script(text, None);
        assert_eq!(messages, ["building head", "launch 1 of at most 9"]);
        assert_eq!(output.said, "error: no such thing\n");
        assert_eq!((output.code, output.report.as_str()), (Some(3), "# verdict\n"));
    }

    #[test]
    fn a_raised_flag_interrupts_and_what_is_said_then_counts() {
        let flag = Cancel::default();
        // Not a trap of the shell: it has none for a signal that was ignored when it began, as in the background.
        let text = r#"exec python3 -c '
import signal, sys, time
signal.signal(signal.SIGINT, lambda *_: (print("kept"), sys.exit(3)))
print("{\"event\":\"build_awaited\"}", file=sys.stderr, flush=True)
while True: time.sleep(0.05)'"#;
        let (output, _) = script(text, Some(&flag));
        assert_eq!((output.code, output.report.as_str()), (Some(3), "kept\n"));
    }

    #[test]
    fn a_long_report_is_cut_and_does_not_block() {
        let (output, _) = script("head -c 300000 /dev/zero | tr '\\0' x; exit 0", None);
        assert_eq!((output.code, output.report.len()), (Some(0), 65_536));
    }
}
