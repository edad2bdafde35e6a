//! The options of a command line that change what is measured or judged, as words that do so again.

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};

use crate::app::selection::SuiteSelection;

/// Options with values that shape a measurement, by the name of the argument and as they are written.
const VALUES: [(&str, &str); 17] = [
    ("config", "--config"),
    ("scenarios", "--scenario"),
    ("lanes", "--lane"),
    ("shard", "--shard"),
    ("shard_times", "--shard-times"),
    ("seed", "--seed"),
    ("network", "--network"),
    ("layout", "--layout"),
    ("mode", "--mode"),
    ("store", "--store"),
    ("base_bin", "--base-bin"),
    ("base_start", "--base-start"),
    ("base_url", "--base-url"),
    ("head_start", "--head-start"),
    ("budget", "--budget"),
    ("start", "--start"),
    ("launches", "--launches"),
];

/// Options without a value that shape a measurement.
const FLAGS: [(&str, &str); 4] = [
    ("reference", "--reference"),
    ("no_build", "--no-build"),
    ("always_measure", "--always-measure"),
    ("fail_fast", "--fail-fast"),
];

/// Options that change where results go, how they are shown, or which evidence they add to, but not what is measured.
#[cfg(test)]
const OTHERS: [&str; 16] = [
    "baseline",
    "out",
    "plain",
    "progress",
    "metrics_listen",
    "metrics_push",
    "metrics_remote_write",
    "otlp",
    "format",
    "fail_on",
    "timings",
    "coins",
    "attempts",
    "confirm",
    "range",
    "matrix",
];

/// The words of a command line that shape a measurement, as they were given, without the name of the base: a report
/// knows its commit. Flattened before the options that it reads, as parsing takes their values away.
#[derive(Debug, Clone, Default)]
pub(super) struct InvocationWords(Vec<String>);

impl InvocationWords {
    /// Returns the selection with the words that made it.
    pub(super) fn of(&self, selection: SuiteSelection) -> SuiteSelection {
        SuiteSelection { invocation: Some(self.0.clone()), ..selection }
    }
}

impl FromArgMatches for InvocationWords {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let is_given = |id: &str| {
            let known = matches.try_contains_id(id).is_ok();
            known && matches.value_source(id) == Some(ValueSource::CommandLine)
        };
        let valued = VALUES.iter().filter(|(id, _)| is_given(id)).flat_map(|(id, option)| {
            let values = matches.get_raw(id).into_iter().flatten();
            values.flat_map(move |value| words(option, &value.to_string_lossy()))
        });
        let flags = FLAGS.iter().filter(|(id, _)| is_given(id));
        Ok(Self(valued.chain(flags.map(|(_, option)| (*option).to_owned())).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// An option and its value, in one word where the value looks like an option.
fn words(option: &str, value: &str) -> Vec<String> {
    if value.starts_with('-') {
        return vec![format!("{option}={value}")];
    }
    vec![option.to_owned(), value.to_owned()]
}

impl Args for InvocationWords {
    fn augment_args(command: Command) -> Command {
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        command
    }
}

#[cfg(test)]
mod tests {
    use clap::{Arg, CommandFactory as _, Parser as _};
    use proptest::prelude::*;

    use super::*;
    use crate::cli::{Cli, CliCommand};

    fn options(command: &str) -> Vec<String> {
        let cli = Cli::command();
        let command = cli.find_subcommand(command).unwrap();
        command.get_arguments().map(|it: &Arg| it.get_id().to_string()).collect()
    }

    #[test]
    fn every_option_of_a_measurement_either_shapes_it_or_does_not() {
        let shapes = VALUES.iter().chain(&FLAGS).map(|(id, _)| *id);
        let known: Vec<&str> = shapes.chain(OTHERS).collect();
        for command in ["compare", "run"] {
            for option in options(command) {
                assert!(known.contains(&option.as_str()), "{command}: {option}");
            }
        }
    }

    /// Options of a comparison, each with a value.
    fn given() -> impl Strategy<Value = Vec<Vec<String>>> {
        let one = |words: &[&str]| words.iter().map(|it| (*it).to_owned()).collect::<Vec<String>>();
        let name = "[a-z][a-z ']{0,8}";
        let scenario = "-?[a-z][a-z ']{0,8}".prop_map(|it| vec![format!("--scenario={it}")]);
        let start = name.prop_map(|it| vec!["--head-start".to_owned(), it]);
        let fixed = prop::sample::subsequence(
            vec![
                one(&["--config", "other folder/xmlperf.toml"]),
                one(&["--lane=time,work"]),
                one(&["--seed", "7"]),
                one(&["--network", "latency=20ms"]),
                one(&["--layout", "drawn"]),
                one(&["--mode", "paired"]),
                one(&["--base-start", "./old --port {port}"]),
                one(&["--budget", "3m"]),
                one(&["--no-build"]),
                one(&["--always-measure"]),
                one(&["--fail-fast"]),
                one(&["--out", "elsewhere"]),
                one(&["--format", "json"]),
                one(&["--coins", "5"]),
            ],
            0..=14,
        );
        (prop::collection::vec(scenario, 0..3), prop::option::of(start), fixed)
            .prop_map(|(scenarios, start, fixed)| {
                scenarios.into_iter().chain(start).chain(fixed).collect()
            })
            .prop_shuffle()
    }

    /// What a command line measures, and the words that measure it again.
    fn measured(words: &[String]) -> (String, Vec<String>) {
        let all = ["xmlperf", "compare"].into_iter().map(str::to_owned).chain(words.to_vec());
        let cli = Cli::try_parse_from(all).unwrap();
        let CliCommand::Compare(args) = &cli.command else { panic!("{cli:?}") };
        args.measured()
    }

    proptest! {
        #[test]
        fn the_words_of_a_command_line_measure_the_same(given in given()) {
            let (measured_first, words) = measured(&given.concat());
            let (measured_again, same_words) = measured(&words);
            // The options are long: the words say enough.
            prop_assert!(measured_first == measured_again, "{words:?} and {same_words:?}");
            prop_assert_eq!(words, same_words);
        }
    }
}
