//! How a program learns its port: by its start command, an option, or a variable.

use std::sync::LazyLock;

use regex::Regex;

use crate::project::guess::{EvidentText, PortGuess};
use crate::project::tree::{ProjectTree, TreeEvidence};

/// A variable whose name says that it carries a port, as sources of many languages read it.
static VARIABLE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"(?:process\.env\.|process\.env\[['"]|env::var(?:_os)?\(\s*"|(?i:getenv|lookupenv|environ(?:\.get)?|getenvironmentvariable)[(\[]\s*['"]|\$\{)((?:[A-Z][A-Z0-9]*_)*PORT)\b"#,
    )
    .expect("a fixed expression")
});

/// An option that takes a port, as a source declares or reads it.
static OPTION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"['"](--port)\b|flag\.(?:Int|String|IntVar|StringVar)\([^"\n]*"(port)""#)
        .expect("a fixed expression")
});

/// A field of a struct that clap makes an option of.
static DERIVED_OPTION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"#\[(?:arg|clap|structopt)\([^\]]*\blong\b[^\]]*\)\]\s*(?:pub(?:\([a-z]+\))? )?(port)\s*:",
    )
    .expect("a fixed expression")
});

/// Beginnings of variables that carry the port of something else.
const OTHERS: [&str; 16] = [
    "DB_",
    "DATABASE_",
    "REDIS_",
    "PG",
    "POSTGRES",
    "MYSQL_",
    "MARIADB_",
    "SMTP_",
    "MAIL_",
    "MONGO",
    "KAFKA_",
    "RABBITMQ_",
    "AMQP_",
    "METRICS_",
    "MANAGEMENT_",
    "DEBUG_",
];

/// Returns the start command with a place for the port, and how the program learns it. A command whose
/// program does not show that is returned all the same, for a person to complete.
pub(super) fn learn(tree: &ProjectTree, start: EvidentText) -> (Option<EvidentText>, PortGuess) {
    if start.text.contains("{port}") {
        return (Some(start), PortGuess::InStart);
    }
    if let Some((name, evidence)) = variable(tree) {
        return (Some(start), PortGuess::Variable(EvidentText::new(name, evidence)));
    }
    let Some((option, evidence)) = option(tree) else { return (Some(start), PortGuess::Unknown) };
    let text = format!("{} {option} {{port}}", start.text);
    (Some(EvidentText::new(text, evidence)), PortGuess::InStart)
}

fn variable(tree: &ProjectTree) -> Option<(String, TreeEvidence)> {
    let mut found = tree.sources().flat_map(|file| {
        let names = VARIABLE.captures_iter(&file.text).filter_map(|found| found.get(1));
        names.map(|name| (name.as_str().to_owned(), file.evidence(name.start())))
    });
    found.find(|(name, _)| !OTHERS.iter().any(|other| name.starts_with(other)))
}

fn option(tree: &ProjectTree) -> Option<(&'static str, TreeEvidence)> {
    tree.sources().find_map(|file| {
        let (word, evidence) = file.find(&OPTION).or_else(|| file.find(&DERIVED_OPTION))?;
        // Go's flags have one dash; two do as well.
        Some((
            if word == "port" && file.extension() == "go" { "-port" } else { "--port" },
            evidence,
        ))
    })
}
