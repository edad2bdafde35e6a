//! What a command cannot do with the flags that it was given, where the parser cannot know.

use miette::Diagnostic;
use thiserror::Error;

/// Flags that do not fit together or with what they lead to.
#[derive(Debug, Error, Diagnostic)]
pub(super) enum UsageError {
    /// A flag changes nothing.
    #[error("`{flag}` has no effect here")]
    #[diagnostic(help("leave it out"))]
    NoEffect {
        /// The flag.
        flag: &'static str,
    },
    /// An image shows one metric, and there are several.
    #[error("a chart shows one metric")]
    #[diagnostic(help("choose it by `--metric` and `--scenario`"))]
    SeveralCharts,
    /// A protocol for programs is spoken to a person.
    #[error(
        "standard input is a terminal, and a client of the Model Context Protocol has to be there"
    )]
    #[diagnostic(help(
        "`docs/how-to/agents.md` shows how an editor or agent starts `xmlperf mcp`"
    ))]
    NoClient,
    /// There is neither a command nor a concept of that name.
    #[error("there is no help on `{word}`")]
    #[diagnostic(help(
        "`xmlperf help` lists the commands; concepts are configuration, exit-codes, metrics, \
         troubleshooting and verdicts"
    ))]
    NoHelp {
        /// The name.
        word: String,
    },
}
