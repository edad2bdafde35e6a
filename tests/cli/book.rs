//! The book in `docs/` says what the program does: commands, metrics, concepts, and the snippets in it.
#![expect(clippy::unwrap_used, reason = "a page that cannot be read must fail")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use clap::error::ErrorKind;
use clap::{Arg, CommandFactory as _, Parser as _};
use compare::decision::Verdict;
use record::metric::gate::GateRules;
use record::metric::{BetterDirection, Metric};
use record::work_unit::WorkUnit;
use suite::config::{self, ConfigOverrides};
use units::Ratio;
use xmlperf::cli::{Cli, Exit};

const END: &str = "<!-- end -->";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn xmlperf(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xmlperf")).args(args).output().unwrap()
}

fn printed(args: &[&str]) -> String {
    let output = xmlperf(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Holds the generated part of a page, which begins with `begin`, against what was made; with `UPDATE_DOCS`
/// in the environment, writes it anew.
fn check_page(page: &str, begin: &str, made: &str) {
    let path = root().join("docs").join(page);
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(begin).unwrap();
    let (shown, after) = rest.split_once(END).unwrap();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{before}{begin}{made}{END}{after}")).unwrap();
    } else {
        let message = "run: UPDATE_DOCS=1 cargo test --locked --test cli book";
        assert!(shown == made, "docs/{page} is not what the program says; {message}");
    }
}

/// The pages of the book.
fn pages() -> Vec<(PathBuf, String)> {
    let folders = ["docs", "docs/how-to", "docs/decisions"].map(|folder| root().join(folder));
    let entries = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let paths = entries.map(|entry| entry.unwrap().path());
    let pages = paths.filter(|path| path.extension().is_some_and(|it| it == "md"));
    pages.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// The text of every block of a page that is fenced with this word.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let fence = format!("```{language}\n");
    // A fence within a list is indented, and its block is left to the eye.
    let begins = page.match_indices(&fence).filter(|(at, _)| page[..*at].ends_with('\n'));
    begins.map(|(at, _)| page[at + fence.len()..].split("```").next().unwrap()).collect()
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// How an argument is written on the command line.
fn written(argument: &Arg) -> String {
    let values = argument.get_value_names().unwrap_or_default();
    let values = values.iter().map(clap::builder::Str::as_str).collect::<Vec<_>>().join(" ");
    match argument.get_long() {
        Some(long) if argument.get_action().takes_values() => format!("--{long} {values}"),
        Some(long) => format!("--{long}"),
        None => values,
    }
}

fn arguments(command: &clap::Command, made: &mut String) {
    let is_own = |argument: &&Arg| !argument.is_hide_set() && argument.get_id() != "help";
    let shown: Vec<_> = command.get_arguments().filter(is_own).collect();
    if shown.is_empty() {
        return;
    }
    *made += "| | | default |\n|:--|:--|:--|\n";
    for argument in shown {
        let help = argument.get_long_help().or(argument.get_help());
        let mut help = cell(&help.map(ToString::to_string).unwrap_or_default());
        let words = argument.get_possible_values();
        let words: Vec<_> = words.iter().filter(|word| !word.is_hide_set()).collect();
        if argument.get_action().takes_values() && !words.is_empty() {
            let names = words.iter().map(|word| format!("`{}`", word.get_name()));
            write!(help, ": {}", names.collect::<Vec<_>>().join(", ")).unwrap();
        }
        let defaults = argument.get_default_values().iter();
        let defaults = defaults.map(|value| format!("`{}`", value.to_string_lossy()));
        let is_flag = !argument.get_action().takes_values();
        let default = if is_flag { String::new() } else { defaults.collect::<Vec<_>>().join(", ") };
        writeln!(made, "| `{}` | {help} | {default} |", cell(&written(argument))).unwrap();
    }
    made.push('\n');
}

fn describe(command: &clap::Command, name: &str, made: &mut String) {
    let level = name.split(' ').count();
    writeln!(made, "{} `{name}`\n", "#".repeat(level)).unwrap();
    let about = command.get_long_about().or(command.get_about());
    writeln!(made, "{}\n", about.map(ToString::to_string).unwrap_or_default().trim()).unwrap();
    arguments(command, made);
    for command in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        describe(command, &format!("{name} {}", command.get_name()), made);
    }
}

#[test]
fn the_page_of_the_commands_is_what_the_command_line_takes() {
    let mut made = String::from("\n");
    let program = Cli::command();
    for command in program.get_subcommands().filter(|command| !command.is_hide_set()) {
        describe(command, &format!("xmlperf {}", command.get_name()), &mut made);
    }
    check_page("commands.md", "<!-- generated from the command line -->\n", &made);
}

#[test]
fn the_page_of_the_metrics_has_their_rules() {
    let (rules, unit) = (GateRules::default(), WorkUnit::request());
    let mut made = String::from(
        "\n| key | in reports | better | policy | floor | tolerance | minimum |\n|:--|:--|:--|:--|--:|--:|--:|\n",
    );
    for metric in Metric::ALL {
        let rule = rules.rule(metric);
        let better = match metric.better() {
            BetterDirection::Lower => "less",
            BetterDirection::Higher => "more",
        };
        let minimum =
            rule.minimum.map(|value| metric.format_minimum(value, &unit)).unwrap_or_default();
        let (floor, tolerance): (Ratio, Ratio) = (rule.floor, rule.tolerance);
        writeln!(
            made,
            "| `{metric}` | {} | {better} | {} | {floor} | {tolerance} | {minimum} |",
            metric.label(&unit),
            rule.policy.key()
        )
        .unwrap();
    }
    made.push('\n');
    check_page("metrics.md", "<!-- generated from crates/record/src/metric -->\n", &made);
    let page = printed(&["help", "metrics"]);
    for metric in Metric::ALL {
        assert!(
            page.contains(&format!("**`{metric}`")) || page.contains(&format!(", `{metric}`")),
            "{metric}"
        );
    }
}

#[test]
fn the_pages_of_exit_codes_and_verdicts_have_all_of_them() {
    let page = fs::read_to_string(root().join("docs/exit-codes.md")).unwrap();
    for exit in [
        Exit::Success,
        Exit::Regressed,
        Exit::Usage,
        Exit::NotMeasured,
        Exit::Inconclusive,
        Exit::ClosedPipe,
    ] {
        assert!(page.contains(&format!("\n| {} | ", exit as u8)), "{exit:?}");
    }
    let page = fs::read_to_string(root().join("docs/verdicts.md")).unwrap();
    for verdict in
        [Verdict::Regressed, Verdict::Improved, Verdict::Unchanged, Verdict::Inconclusive]
    {
        assert!(page.contains(&format!("\n| {}", verdict.key())), "{verdict:?}");
    }
}

#[test]
fn help_shows_a_concept_a_command_and_a_subcommand() {
    for concept in ["configuration", "exit-codes", "metrics", "troubleshooting", "verdicts"] {
        let page = fs::read_to_string(root().join(format!("docs/{concept}.md"))).unwrap();
        assert!(printed(&["help", concept]) == page, "{concept}");
    }
    assert_eq!(printed(&["help"]), printed(&["--help"]));
    assert_eq!(printed(&["help", "check"]), printed(&["check", "--help"]));
    let help = printed(&["help", "baseline", "save"]);
    assert!(help.contains("xmlperf baseline save"), "{help}");
    let output = xmlperf(&["help", "verdict"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("there is no help on `verdict`") && said.contains("verdicts"), "{said}");
}

#[test]
fn shells_get_completions_and_the_manual_has_a_page_for_each_command() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = printed(&["completions", shell]);
        assert!(script.contains("baseline") && script.contains("fail-on"), "{shell}");
    }
    let folder = tempfile::tempdir().unwrap();
    printed(&["man", folder.path().to_str().unwrap()]);
    for page in ["xmlperf.1", "xmlperf-compare.1", "xmlperf-baseline-save.1"] {
        let text = fs::read_to_string(folder.path().join(page)).unwrap();
        assert!(text.contains(".TH") && text.contains("SYNOPSIS"), "{page}");
    }
    assert!(!folder.path().join("xmlperf-link-shim.1").exists());
}

/// The commands of ours in a block: lines that begin with one, of `console` behind a prompt.
fn commands(block: &str, prompt: &str) -> Vec<String> {
    let whole = block.replace("\\\n", " ");
    let lines = whole.lines().filter_map(|line| line.strip_prefix(prompt));
    lines.filter(|line| line.starts_with("xmlperf ")).map(str::to_owned).collect()
}

/// A line up to where the shell does something else.
fn first_command(line: &str) -> &str {
    let mut quote = None;
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (Some(open), c) if open == c => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, ';' | '|' | '&' | '<' | '>' | '#') => return &line[..at],
            _ => {}
        }
    }
    line
}

/// Whether what stands there is for a reader to fill in.
fn is_placeholder(words: &[String]) -> bool {
    let is_name = |word: &String| word.contains('…') || word.contains('[');
    words.iter().any(is_name)
}

#[test]
fn every_command_in_the_book_is_one_that_the_program_takes() {
    let mut seen = 0;
    for (path, page) in pages() {
        let kinds = [("sh", ""), ("console", "$ ")];
        let of = |(language, prompt)| {
            blocks(&page, language).into_iter().flat_map(move |block| commands(block, prompt))
        };
        for line in kinds.into_iter().flat_map(of) {
            let words = shlex::split(first_command(&line));
            let words = words.unwrap_or_else(|| panic!("{}: {line}", path.display()));
            if is_placeholder(&words) {
                continue;
            }
            seen += 1;
            match Cli::try_parse_from(&words) {
                Ok(_) => {}
                Err(error) if !error.use_stderr() => {}
                Err(error) => panic!("{}: `{line}`\n{error}", path.display()),
            }
        }
    }
    assert!(seen >= 40, "only {seen} commands found");
}

/// The code within the sentences of a page.
fn code_spans(page: &str) -> Vec<String> {
    let prose: String = page.split("```").step_by(2).collect();
    let spans = prose.split('`').skip(1).step_by(2);
    spans.map(|span| span.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// What a sentence calls may leave out what a command needs, and has no option that there is not.
#[test]
fn every_command_in_a_sentence_of_the_book_is_one_that_there_is() {
    let mut seen = 0;
    for (path, page) in pages() {
        for span in code_spans(&page).iter().filter(|span| span.starts_with("xmlperf ")) {
            let words = shlex::split(first_command(span)).unwrap();
            let is_value = |word: &String| word.chars().all(|c| c.is_uppercase() || c == '.');
            if is_placeholder(&words) || words.iter().any(is_value) {
                continue;
            }
            seen += 1;
            let Err(error) = Cli::try_parse_from(&words) else { continue };
            let is_name = matches!(
                error.kind(),
                ErrorKind::MissingRequiredArgument
                    | ErrorKind::MissingSubcommand
                    | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
                    | ErrorKind::DisplayHelp
            );
            assert!(is_name, "{}: `{span}`\n{error}", path.display());
        }
    }
    assert!(seen >= 100, "only {seen} commands found");
}

/// Names that a page of a task gives a value to, which are another program's: of an environment, and cargo's.
fn is_foreign(key: &str) -> bool {
    key == "debug"
        || key.chars().all(|c| c.is_uppercase() || c == '_')
        || key.starts_with("DOTNET_")
}

#[test]
fn every_setting_in_a_sentence_of_a_task_is_one_of_the_configuration() {
    let reference = fs::read_to_string(root().join("docs/configuration.md")).unwrap();
    let mut seen = 0;
    for (path, page) in
        pages().iter().filter(|(path, _)| path.parent().unwrap().ends_with("how-to"))
    {
        for span in code_spans(page) {
            let setting = match span.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
                Some((_, setting)) => setting,
                None => &span,
            };
            let Some((key, _)) = setting.split_once(" = ") else { continue };
            if !key.chars().all(|c| c.is_alphanumeric() || "-_".contains(c)) {
                continue;
            }
            let place = format!("{}: `{span}`", path.display());
            assert!(setting.parse::<toml::Table>().is_ok(), "{place} is no TOML");
            let is_known = reference.contains(&format!("| `{key}` |"));
            assert!(is_known || is_foreign(key), "{place} is in no table of the reference");
            seen += 1;
        }
    }
    assert!(seen >= 20, "only {seen} settings found");
}

/// A page for each language says how its service is built and started.
#[test]
fn every_language_has_a_page_with_a_build_and_a_start() {
    for language in ["dotnet", "go", "jvm", "node", "python", "rust"] {
        let page = fs::read_to_string(root().join(format!("docs/how-to/{language}.md"))).unwrap();
        let block = blocks(&page, "toml")[0].parse::<toml::Table>().unwrap();
        let target = block["target"].as_table().unwrap();
        let has = |key: &str| target.get(key).is_some_and(toml::Value::is_str);
        assert!(has("build") && has("start") && target.contains_key("ready"), "{language}");
    }
}

#[test]
fn the_configuration_of_every_task_is_understood() {
    let mut seen = 0;
    for (path, page) in
        pages().iter().filter(|(path, _)| path.parent().unwrap().ends_with("how-to"))
    {
        for block in blocks(page, "toml") {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("xmlperf.toml");
            fs::write(&file, block).unwrap();
            let suite = config::load(&file, &ConfigOverrides::default());
            let suite = suite.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert!(!suite.scenarios.is_empty());
            seen += 1;
        }
    }
    assert!(seen >= 9, "only {seen} configurations found");
}
