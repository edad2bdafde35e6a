//! The command line and the variables of one launch.

use units::environment::{EnvValue, SecretValue};

use super::failure::TargetError;
use super::placeholder::PlaceholderValues;
use super::shell::shell_syntax;
use super::{TargetCommand, call_relay};

/// A command with the values of one launch in the place of its placeholders.
pub(super) struct FilledCommand {
    pub(super) words: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    /// Variables whose values are not shown.
    pub(super) secrets: Vec<(String, SecretValue)>,
    /// The port on 127.0.0.1.
    pub(super) port: u16,
    /// Further ports, each with the same number in a container and outside.
    pub(super) further_ports: Vec<u16>,
}

impl FilledCommand {
    pub(super) fn new(
        command: &TargetCommand,
        values: &PlaceholderValues,
        port: u16,
    ) -> Result<Self, TargetError> {
        let words = words(&command.start)?.iter().map(|word| values.fill(word)).collect();
        Ok(Self { port, ..Self::of_words(words, command, values) })
    }

    /// Returns other words with the variables of a command.
    pub(super) fn of_words(
        words: Vec<String>,
        command: &TargetCommand,
        values: &PlaceholderValues,
    ) -> Self {
        let (mut env, mut secrets) = (Vec::new(), Vec::new());
        for (name, value) in &command.env {
            match value {
                EnvValue::Text(text) => {
                    let filled = call_relay::with_addresses(&values.fill(text), &values.swaps);
                    env.push((name.clone(), filled));
                }
                EnvValue::Inherited(from) => {
                    let swapped = |text: &str| call_relay::with_addresses(text, &values.swaps);
                    let lent = command.environment.lent(from).map(|value| value.map_text(swapped));
                    secrets.extend(lent.map(|value| (name.clone(), value)));
                }
            }
        }
        env.extend(command.port_env.iter().map(|name| (name.clone(), values.port.to_string())));
        let further_ports = values.ports.values().copied().collect();
        Self { words, env, secrets, port: values.port, further_ports }
    }

    pub(super) fn secret_values(&self) -> Vec<SecretValue> {
        self.secrets.iter().map(|(_, value)| value.clone()).collect()
    }
}

/// Returns the words of a start command.
fn words(start: &str) -> Result<Vec<String>, TargetError> {
    if let Some(word) = shell_syntax(start) {
        return Err(TargetError::ShellSyntax { start: start.to_owned(), word });
    }
    let words = shlex::split(start).filter(|words| !words.is_empty());
    words.ok_or_else(|| TargetError::NotWords { start: start.to_owned() })
}
