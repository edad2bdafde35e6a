//! What the tools do: each takes its arguments and returns its answer.

use std::io;
use std::path::{Path, PathBuf};

use compare::Comparison;
use report::{agent, reproduction};
use thiserror::Error;
use units::cancel::Cancel;

use crate::app;
use crate::app::concepts::{self, CONCEPTS, ConceptPage};
use crate::app::mcp::answer::{MESSAGE_BYTES_MAX, ToolAnswer};
use crate::app::mcp::argument::{self, ArgumentError};
use crate::app::mcp::calls::{self, CompareCall, ExplainCall, RunCall};
use crate::app::mcp::measurement::{self, ProgramOutput};
use crate::app::mcp::options::{McpOptions, RunPermission};
use crate::app::runs;

/// Where results are, from the folder.
const OUT: &str = ".xmlperf";

/// Sections that a page which is too long names.
const SECTIONS_MAX: usize = 60;

/// Runs that are named where there is none of a name.
const RUNS_MAX: usize = 10;

/// Options of a record that a client may have measured again: none starts a program, writes, or leaves the machine.
const OPTIONS: [&str; 13] = [
    "--baseline",
    "--config",
    "--scenario",
    "--lane",
    "--seed",
    "--network",
    "--layout",
    "--mode",
    "--budget",
    "--reference",
    "--no-build",
    "--always-measure",
    "--fail-fast",
];

/// Why a tool does not do what it is for.
#[derive(Debug, Error)]
enum ToolError {
    /// An argument is refused.
    #[error("refused: {0}")]
    Argument(#[from] ArgumentError),
    /// The server may only read.
    #[error(
        "refused: this server only reads. `{tool}` builds and starts programs of this folder; to allow it, start \
         the server as `xmlperf mcp --allow-run`"
    )]
    ReadOnly {
        /// The tool.
        tool: &'static str,
    },
    /// There is no such page.
    #[error("there is no page `{name}`; there are {}", concept_names())]
    NoConcept {
        /// Its name.
        name: String,
    },
    /// A page has no such section.
    #[error("`{page}` has no section `{section}`; it has:\n{headings}")]
    NoSection {
        /// The name of the page.
        page: &'static str,
        /// The heading.
        section: String,
        /// The headings that there are.
        headings: String,
    },
    /// A record does not say how it is measured again.
    #[error("no command measures this run again: {reason}")]
    NotRepeatable {
        /// Why.
        reason: &'static str,
    },
    /// A record names programs, folders or addresses.
    #[error(
        "refused: this run was made with `{option}`, which a client may not give. By hand: {command}"
    )]
    OptionOfRecord {
        /// The option.
        option: String,
        /// The command line.
        command: String,
    },
    /// The checkout is not what was measured.
    #[error(
        "the run measured commit {recorded}, and the checkout is at {found}: check it out first, or use `compare`"
    )]
    OtherCommit {
        /// The commit that was measured.
        recorded: String,
        /// The commit that is checked out.
        found: String,
    },
    /// The program could not be started, or its output not be read.
    #[error("failed to run xmlperf")]
    Program(#[source] io::Error),
    /// What a use case says.
    #[error("{0}")]
    UseCase(String),
}

/// The tools of a server.
pub(super) struct ToolBox {
    options: McpOptions,
}

impl ToolBox {
    pub(super) fn new(options: McpOptions) -> Self {
        Self { options }
    }

    /// Compares the checkout with a base.
    pub(super) fn compare(
        &self,
        call: &CompareCall,
        flags: &[Cancel],
        progress: &mut dyn FnMut(&str),
    ) -> ToolAnswer {
        let output = self.permitted("compare").and_then(|()| {
            let words = call.words(&self.options.folder)?;
            self.measure(&words, flags, progress)
        });
        output.map_or_else(|error| failed(&error), |output| answer_of("", &output))
    }

    /// Measures again what a record holds.
    pub(super) fn reproduce(
        &self,
        call: &RunCall,
        flags: &[Cancel],
        progress: &mut dyn FnMut(&str),
    ) -> ToolAnswer {
        let output = self.permitted("reproduce").and_then(|()| {
            let comparison = self.recorded(call)?;
            let words = self.words_of(&comparison)?;
            let output = self.measure(&calls::for_programs(words), flags, progress)?;
            Ok((
                format!("# the run that was measured again\n{}\n", report::title(&comparison)),
                output,
            ))
        });
        output.map_or_else(|error| failed(&error), |(heading, output)| answer_of(&heading, &output))
    }

    /// Judges a record again.
    pub(super) fn report(&self, call: &RunCall) -> ToolAnswer {
        match self.recorded(call) {
            Ok(comparison) => ToolAnswer::result(&agent::render(&comparison)),
            Err(error) => failed(&error),
        }
    }

    /// Shows a page of the documentation, or a section of it.
    pub(super) fn explain(call: &ExplainCall) -> ToolAnswer {
        match page_text(call) {
            Ok(text) => ToolAnswer::result(&text),
            Err(error) => failed(&error),
        }
    }

    fn permitted(&self, tool: &'static str) -> Result<(), ToolError> {
        match self.options.permission {
            RunPermission::Granted => Ok(()),
            RunPermission::Withheld => Err(ToolError::ReadOnly { tool }),
        }
    }

    fn measure(
        &self,
        words: &[String],
        flags: &[Cancel],
        progress: &mut dyn FnMut(&str),
    ) -> Result<ProgramOutput, ToolError> {
        let McpOptions { program, folder, .. } = &self.options;
        measurement::run(program, folder, words, flags, progress).map_err(ToolError::Program)
    }

    fn recorded(&self, call: &RunCall) -> Result<Comparison, ToolError> {
        let file = self.file(call.run.as_deref())?;
        app::report::report(&file).map_err(|error| {
            let text = (self.options.describe)(&error);
            ToolError::UseCase(text + &self.other_runs())
        })
    }

    /// The record of a run: a file goes before a run of that name, as on the command line.
    fn file(&self, run: Option<&str>) -> Result<PathBuf, ArgumentError> {
        let folder = &self.options.folder;
        let out = folder.join(OUT);
        let Some(run) = run else {
            let last = runs::find(&out, None);
            let below = last.strip_prefix(folder).unwrap_or(&last);
            argument::path("run", &below.to_string_lossy(), folder)?;
            return Ok(last);
        };
        let path = argument::path("run", run, folder)?;
        if folder.join(&path).is_file() {
            return Ok(folder.join(path));
        }
        let archived = runs::find(&out, Some(run));
        let below = Path::new(OUT).join("runs").join(&path).join("run.json");
        argument::path("run", &below.to_string_lossy(), folder)?;
        Ok(archived)
    }

    /// The newest runs, for a client that named none of them.
    fn other_runs(&self) -> String {
        let runs = runs::list(&self.options.folder.join(OUT)).unwrap_or_default();
        let line = |run: &runs::ArchivedRun| {
            let summary = run.summary.as_ref().map_or("unreadable", |it| it.headline.as_str());
            format!("\n{}: {summary}", run.name)
        };
        let lines: String = runs.iter().rev().take(RUNS_MAX).map(line).collect();
        if lines.is_empty() { lines } else { format!("\n\nthe newest runs:{lines}") }
    }

    /// The command line that measures a comparison again, if a client may start it and it would measure the same.
    fn words_of(&self, comparison: &Comparison) -> Result<Vec<String>, ToolError> {
        if comparison.base.is_none() {
            return Err(ToolError::NotRepeatable { reason: "nothing was compared" });
        }
        let no_name = ToolError::NotRepeatable { reason: "no name leads to its base" };
        let Some(words) = reproduction::words(comparison) else { return Err(no_name) };
        // What cannot be shown is not run.
        let Some(command) = reproduction::command(comparison) else { return Err(no_name) };
        self.ensure_harmless(&words, &command)?;
        let recorded = comparison.head.commit.as_ref();
        let found = checkout::commit(&self.options.folder, "HEAD").ok();
        match (recorded, found) {
            (Some(recorded), Some(found)) if *recorded != found => {
                Err(ToolError::OtherCommit { recorded: recorded.clone(), found })
            }
            _ => Ok(words),
        }
    }

    /// Holds the words of a record, which may be another person's, to what a client may say.
    fn ensure_harmless(&self, words: &[String], command: &str) -> Result<(), ToolError> {
        for (index, word) in words.iter().enumerate().filter(|(_, word)| word.starts_with('-')) {
            let (option, value) = match word.split_once('=') {
                Some((option, value)) => (option, Some(value)),
                None => (word.as_str(), words.get(index + 1).map(String::as_str)),
            };
            if !OPTIONS.contains(&option) {
                let (option, command) = (option.to_owned(), command.to_owned());
                return Err(ToolError::OptionOfRecord { option, command });
            }
            if let ("--config" | "--baseline", Some(value)) = (option, value) {
                argument::path("run", value, &self.options.folder)?;
            }
        }
        Ok(())
    }
}

/// The answer that a measurement gives: its report, or what it said instead.
fn answer_of(heading: &str, output: &ProgramOutput) -> ToolAnswer {
    let said = output.said.trim_end();
    let text = match (output.report.is_empty(), said.is_empty()) {
        (false, true) => format!("{heading}{}", output.report),
        (false, false) => format!("{heading}# said meanwhile\n{said}\n{}", output.report),
        (true, false) => said.to_owned(),
        (true, true) => "xmlperf said nothing".to_owned(),
    };
    match output.code {
        // Fine, regressed, inconclusive: verdicts.
        Some(0 | 1 | 4) => ToolAnswer::result(&text),
        Some(code) => ToolAnswer::failure(&format!("exit code {code}\n{text}")),
        None => ToolAnswer::failure(&format!("ended by a signal\n{text}")),
    }
}

fn failed(error: &ToolError) -> ToolAnswer {
    ToolAnswer::failure(&units::text::error_chain(error))
}

fn concept_names() -> String {
    CONCEPTS.map(|page| page.name).join(", ")
}

fn page_text(call: &ExplainCall) -> Result<String, ToolError> {
    let name = argument::word("concept", &call.concept)?;
    let page = concepts::find(name);
    let page = page.ok_or_else(|| ToolError::NoConcept { name: name.to_owned() })?;
    let Some(section) = &call.section else { return Ok(overview(page)) };
    let section = argument::word("section", section)?;
    match page.section(section) {
        Some(found) => Ok(found.text.to_owned()),
        None => Err(ToolError::NoSection {
            page: page.name,
            section: section.to_owned(),
            headings: headings(page),
        }),
    }
}

/// A page, or how it begins and what else is in it.
fn overview(page: ConceptPage) -> String {
    if page.text.len() < MESSAGE_BYTES_MAX / 2 {
        return page.text.to_owned();
    }
    let begin = page.text.split("\n## ").next().unwrap_or_default();
    format!("{begin}\n\nSections, each to be had by `section`:\n{}", headings(page))
}

fn headings(page: ConceptPage) -> String {
    let sections = page.sections();
    let lines =
        sections.iter().take(SECTIONS_MAX).map(|section| format!("- {}\n", section.heading));
    lines.collect()
}

#[cfg(test)]
mod tests {
    use record::Run;
    use record::fixtures::{LEVEL, SampleLaunch, paired};

    use super::*;
    use crate::app::mcp::answer::AnswerKind;

    /// Tools in a folder that has a regression on record.
    fn tools(
        permission: RunPermission,
        change: impl FnOnce(&mut Run),
    ) -> (tempfile::TempDir, ToolBox) {
        let folder = tempfile::tempdir().unwrap();
        let mut run = paired(10, LEVEL, SampleLaunch { cpu_us: 572, ..LEVEL });
        change(&mut run);
        let report = folder.path().join(OUT).join("report");
        std::fs::create_dir_all(&report).unwrap();
        run.save(&report.join("run.json")).unwrap();
        let options = McpOptions {
            folder: folder.path().to_path_buf(),
            program: PathBuf::from("/bin/echo"),
            permission,
            describe: |error| format!("{error:#}"),
        };
        (folder, ToolBox::new(options))
    }

    fn reproduce(tools: &ToolBox) -> ToolAnswer {
        tools.reproduce(&RunCall::default(), &[], &mut |_| {})
    }

    fn run(name: &str) -> RunCall {
        RunCall { run: Some(name.to_owned()) }
    }

    #[test]
    fn a_record_is_judged_by_its_file_or_as_the_last_run() {
        let (_folder, tools) = tools(RunPermission::Withheld, |_| {});
        let last = tools.report(&RunCall::default());
        assert_eq!(last.kind, AnswerKind::Result);
        assert!(last.text.starts_with("# verdict\nregressed: "), "{}", last.text);
        assert_eq!(tools.report(&run(".xmlperf/report/run.json")), last);
    }

    #[test]
    fn runs_elsewhere_and_runs_that_are_not_are_failures() {
        let (_folder, tools) = tools(RunPermission::Granted, |_| {});
        for wrong in ["/etc/passwd", "../run.json", "--help", "a\u{202e}b", "nothing", ""] {
            let answer = tools.report(&run(wrong));
            assert_eq!(answer.kind, AnswerKind::Failure, "{wrong}: {}", answer.text);
        }
    }

    #[test]
    fn a_server_that_only_reads_starts_nothing_and_says_how_it_would() {
        let (_folder, tools) = tools(RunPermission::Withheld, |_| {});
        for answer in [reproduce(&tools), tools.compare(&CompareCall::default(), &[], &mut |_| {})]
        {
            assert_eq!(answer.kind, AnswerKind::Failure);
            assert!(answer.text.contains("`xmlperf mcp --allow-run`"), "{}", answer.text);
        }
    }

    #[test]
    fn a_record_is_measured_again_as_it_was() {
        let words = ["--lane", "work", "--budget", "3m"].map(str::to_owned).to_vec();
        let (_folder, tools) = tools(RunPermission::Granted, |run| run.invocation = Some(words));
        let answer = reproduce(&tools);
        assert_eq!(answer.kind, AnswerKind::Result, "{}", answer.text);
        // `echo` stands in for the program, and says what it was given.
        let said =
            "compare --baseline 1d20e770aa --lane work --budget 3m --progress json --format agent";
        assert!(answer.text.ends_with(&format!("\n{said}\n")), "{}", answer.text);
    }

    #[test]
    fn a_record_starts_no_program_and_reads_no_file_elsewhere() {
        for words in [
            ["--head-start", "sh -c id"],
            ["--base-start=sh", "--fail-fast"],
            ["--store", "/tmp/x"],
            ["--config", "../xmlperf.toml"],
            ["--config=/etc/xmlperf.toml", "--fail-fast"],
            ["--out", "/etc"],
        ] {
            let given = words.map(str::to_owned).to_vec();
            let (_folder, tools) =
                tools(RunPermission::Granted, |run| run.invocation = Some(given));
            let answer = reproduce(&tools);
            assert_eq!(answer.kind, AnswerKind::Failure, "{words:?}: {}", answer.text);
            assert!(answer.text.starts_with("refused: "), "{words:?}: {}", answer.text);
        }
    }

    #[test]
    fn every_page_is_explained_in_parts_that_fit() {
        let explain = |concept: &str, section: Option<&str>| {
            let section = section.map(str::to_owned);
            ToolBox::explain(&ExplainCall { concept: concept.to_owned(), section })
        };
        for page in CONCEPTS {
            let whole = explain(page.name, None);
            assert_eq!(whole.kind, AnswerKind::Result);
            assert!(!whole.text.contains(" more lines"), "{}", page.name);
            for section in page.sections() {
                let part = explain(page.name, Some(section.heading));
                assert_eq!(part.kind, AnswerKind::Result, "{}", section.heading);
            }
        }
        for (concept, section) in [("money", None), ("verdicts", Some("no such")), ("-h", None)] {
            assert_eq!(explain(concept, section).kind, AnswerKind::Failure, "{concept}");
        }
    }
}
