//! What the README says is true of the program.
#![expect(clippy::unwrap_used, reason = "a README that cannot be read must fail")]

use std::fs;
use std::path::Path;
use std::process::Command;

use suite::config::{self, ConfigOverrides};

fn readme() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

/// The text of every block fenced with this word.
fn blocks(language: &str) -> Vec<String> {
    let text = readme();
    let fence = format!("```{language}\n");
    let inside = text.split(&fence).skip(1);
    inside.map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

fn help(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_xmlperf")).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_configuration_in_it_is_understood() {
    let folder = tempfile::tempdir().unwrap();
    let blocks = blocks("toml");
    assert_eq!(blocks.len(), 1);
    for block in blocks {
        let path = folder.path().join("xmlperf.toml");
        fs::write(&path, block).unwrap();
        let suite = config::load(&path, &ConfigOverrides::default()).unwrap();
        assert_eq!(suite.scenarios[0].name, "smoke");
    }
}

#[test]
fn every_command_and_flag_in_it_exists() {
    let text = readme();
    let mut seen = 0;
    for code in text.split('`').skip(1).step_by(2).filter_map(|code| code.strip_prefix("xmlperf "))
    {
        let words: Vec<&str> = code.split([' ', '\'', ',']).collect();
        let help = help(&[words[0], "--help"]);
        for flag in
            words.iter().filter(|word| word.starts_with("--") && !word.contains("extra-work"))
        {
            // `--workers` belongs to the start command of the example, not to compare.
            assert!(help.contains(flag) || *flag == "--workers", "`{flag}` of `xmlperf {code}`");
        }
        seen += 1;
    }
    assert!(seen >= 8, "only {seen} commands found");
}

#[test]
fn the_exit_codes_in_it_are_those_of_the_help_text() {
    let help = help(&["compare", "--help"]).split_whitespace().collect::<Vec<_>>().join(" ");
    for (code, word) in [
        ("0", "fine"),
        ("1", "regressed"),
        ("2", "wrong"),
        ("3", "could not measure"),
        ("4", "inconclusive"),
    ] {
        assert!(help.contains(&format!("{code} {word}")), "{help}");
        assert!(readme().contains(&format!("| {code} | ")), "exit code {code} is missing");
    }
}

#[test]
fn the_commands_that_set_up_and_test_are_the_ones_that_ci_uses() {
    let ci = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/run")).unwrap();
    let commands = blocks("sh").concat();
    assert_eq!(commands.lines().count(), 4, "two commands set up, one measures, one tests");
    assert!(commands.contains("cargo test --locked\n"));
    assert!(ci.contains("cargo test --locked"));
}

/// A block of a document that shows a command and what it prints, run again.
#[test]
fn the_worked_example_is_what_the_program_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("docs/how-it-decides.md")).unwrap();
    let block = text.split("```console\n$ xmlperf ").nth(1).unwrap().split("```").next().unwrap();
    let (command, expected) = block.split_once('\n').unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_xmlperf"))
        .args(command.split(' '))
        .env("COLUMNS", "100")
        .current_dir(root)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}
