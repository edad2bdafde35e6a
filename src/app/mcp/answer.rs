//! What a tool answers: text that a client can take in one message.

/// Bytes of a message with an answer, as it is sent.
pub(super) const MESSAGE_BYTES_MAX: usize = 8 * 1024;

/// Bytes of a message beside the text: the protocol's words, and a number of the request.
const ENVELOPE_BYTES: usize = 256;

/// What stands last in a report for programs, and is worth more than the rows before it.
const COMMANDS: &str = "\n# next commands\n";

/// Bytes of the line that says how many lines are left out.
const REST_BYTES: usize = "… 1000000 more lines\\n".len();

/// Whether a tool did what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AnswerKind {
    /// It did; a regression is an answer like any other.
    Result,
    /// It was refused, or could not.
    Failure,
}

/// What a tool answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ToolAnswer {
    /// Whether the tool did what it is for.
    pub(super) kind: AnswerKind,
    /// The text, which fits into a message.
    pub(super) text: String,
}

impl ToolAnswer {
    /// Returns a result, shortened where it does not fit.
    pub(super) fn result(text: &str) -> Self {
        Self { kind: AnswerKind::Result, text: shortened(text) }
    }

    /// Likewise of a failure.
    pub(super) fn failure(text: &str) -> Self {
        Self { kind: AnswerKind::Failure, text: shortened(text) }
    }
}

/// Returns the text without control characters, and without as many lines as do not fit. What a report ends
/// with, the next commands, stays.
fn shortened(text: &str) -> String {
    let clean: String = text.replace('\t', " ").chars().filter(|it| is_shown(*it)).collect();
    let room = MESSAGE_BYTES_MAX - ENVELOPE_BYTES;
    if sent_bytes(&clean) <= room {
        return clean;
    }
    let commands = clean.rfind(COMMANDS).map_or(clean.len(), |at| at + 1);
    let (lines, commands) = clean.split_at(commands);
    let commands = if sent_bytes(commands) > room / 2 { "" } else { commands };
    let mut left = room - REST_BYTES - sent_bytes(commands);
    let (mut kept, count) = (String::new(), lines.lines().count());
    for (number, line) in lines.lines().enumerate() {
        let bytes = sent_bytes(line) + "\\n".len();
        if bytes > left {
            kept = format!("{kept}… {} more lines\n", count - number);
            break;
        }
        left -= bytes;
        kept = kept + line + "\n";
    }
    kept + commands
}

fn is_shown(letter: char) -> bool {
    letter == '\n' || !letter.is_control()
}

/// The bytes of a text in JSON, without its quotes.
fn sent_bytes(text: &str) -> usize {
    serde_json::Value::from(text).to_string().len() - "\"\"".len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_fits_stays_as_it_is_and_loses_what_commands_a_terminal() {
        assert_eq!(ToolAnswer::result("# verdict\npass\n").text, "# verdict\npass\n");
        assert_eq!(ToolAnswer::failure("\u{1b}[31mred\tfox\r\n").text, "[31mred fox\n");
    }

    #[test]
    fn rows_go_before_the_commands_do() {
        let rows = "smoke \"latency\": slower\n".repeat(1_000);
        let text = format!("# rows\n{rows}# next commands\nxmlperf report\n");
        let answer = ToolAnswer::result(&text).text;
        assert!(answer.starts_with("# rows\nsmoke"), "{answer}");
        assert!(answer.ends_with(" more lines\n# next commands\nxmlperf report\n"), "{answer}");
    }

    proptest! {
        #[test]
        fn whatever_is_said_a_message_with_it_is_small(
            lines in prop::collection::vec("[\\PC\"\\\\\u{1}\u{7f}]{0,400}", 0..200),
            commands in "[a-z\" ]{0,9000}",
        ) {
            let text = format!("{}{COMMANDS}{commands}\n", lines.join("\n"));
            let answer = ToolAnswer::result(&text).text;
            prop_assert!(sent_bytes(&answer) <= MESSAGE_BYTES_MAX - ENVELOPE_BYTES);
        }
    }
}
