//! The workflows that make a gate of a configuration, for GitHub.
//!
//! The files of `docs/workflows` are the templates: they are validated as they are, and only what a repository
//! has of its own is put into them. The address of the Action in them stands for one, so that a file with it
//! is never written.

use std::time::Duration;

use thiserror::Error;

use crate::app::failure::UseCaseError;

/// Measures, confirms and publishes.
const GATE: (&str, &str) =
    (".github/workflows/xmlperf.yml", include_str!("../../docs/workflows/xmlperf.yml"));
/// Publishes for forks.
const FORKS: (&str, &str) =
    (".github/workflows/xmlperf-forks.yml", include_str!("../../docs/workflows/xmlperf-forks.yml"));
/// Reports where a path filter skips the first.
const TWIN: (&str, &str) =
    (".github/workflows/xmlperf-twin.yml", include_str!("../../docs/workflows/xmlperf-twin.yml"));
/// What both jobs that measure begin with.
const SETUP: (&str, &str) = (
    ".github/xmlperf-setup/action.yml",
    include_str!("../../docs/examples/xmlperf-setup/action.yml"),
);

/// What stands for the address of the Action in the templates.
const ACTION: &str = "org/xmlperf-action@v1";
/// The event that a path filter is put below.
const EVENT: &str = "  pull_request:\n";
/// The filter of the twin.
const TWIN_FILTER: &str = "    paths-ignore: [api/**]\n";
/// The time for measuring.
const BUDGET: &str = "          budget: 10m ";

/// Bytes of an address or of a path filter.
const WORD_BYTES_MAX: usize = 200;

/// Digits of a commit.
const COMMIT_DIGITS: usize = 40;

/// What the workflows have of the repository's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowOptions {
    /// Where the Action is; without it, what this build knows of its own release.
    pub action: Option<ActionAddress>,
    /// Time for measuring in each job, instead of the template's.
    pub budget: Option<Duration>,
    /// Path filters: only pull requests that touch one of them are measured. None measure all.
    pub paths: Vec<PathFilter>,
}

/// Where the Action is, such as `owner/repository@v1.2.3`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionAddress(String);

/// A pattern of paths, as GitHub has them in `paths`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathFilter(String);

/// A file of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowText {
    /// Where GitHub reads it, from the root.
    pub path: &'static str,
    /// The whole of it.
    pub text: String,
}

/// Why a word cannot stand in a workflow.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WorkflowWordError {
    /// It is no address of an action.
    #[error("an action is named by `owner/repository@commit`, and `{0}` is no such name")]
    Action(String),
    /// It is no pattern of paths.
    #[error("`{0}` is no pattern of paths, such as `api/**`")]
    Path(String),
}

impl ActionAddress {
    /// Reads `owner/repository@version`, where the version is a commit or a tag; behind the repository may be a folder.
    pub fn parse(text: &str) -> Result<Self, WorkflowWordError> {
        let plain = |part: &str| {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            !part.is_empty() && part.chars().all(is_plain) && !part.starts_with(['.', '-'])
        };
        let is_address = text.len() <= WORD_BYTES_MAX
            && text.split_once('@').is_some_and(|(repository, version)| {
                let parts: Vec<&str> = repository.split('/').collect();
                parts.len() >= 2 && parts.into_iter().all(plain) && plain(version)
            });
        // What stands for an address would look like one.
        if is_address && text != ACTION {
            Ok(Self(text.to_owned()))
        } else {
            Err(WorkflowWordError::Action(text.to_owned()))
        }
    }

    /// Returns where the release of this build is, if the build was given it.
    fn of_release() -> Option<Self> {
        option_env!("XMLPERF_ACTION").and_then(|address| Self::parse(address).ok())
    }

    /// Returns whether the address names one commit, which cannot become another.
    pub fn is_pinned(&self) -> bool {
        self.0.split_once('@').is_some_and(|(_, version)| {
            version.len() == COMMIT_DIGITS && version.bytes().all(|c| c.is_ascii_hexdigit())
        })
    }
}

impl PathFilter {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Self, WorkflowWordError> {
        let is_seen = |c: char| !c.is_control();
        if text.trim().is_empty() || text.len() > WORD_BYTES_MAX || !text.chars().all(is_seen) {
            return Err(WorkflowWordError::Path(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    /// The pattern as a word of YAML.
    fn quoted(&self) -> String {
        format!("'{}'", self.0.replace('\'', "''"))
    }
}

impl WorkflowOptions {
    /// Returns the address that the files are to have.
    pub fn address(&self) -> Result<ActionAddress, UseCaseError> {
        self.action.clone().or_else(ActionAddress::of_release).ok_or(UseCaseError::NoAction)
    }

    /// Returns the files, in the order in which a reader opens them.
    pub fn files(&self) -> Result<Vec<WorkflowText>, UseCaseError> {
        let address = self.address()?;
        let filters: Vec<String> = self.paths.iter().map(PathFilter::quoted).collect();
        let filters = format!("[{}]", filters.join(", "));
        let has_paths = !self.paths.is_empty();
        let templates = [Some(GATE), Some(SETUP), Some(FORKS), has_paths.then_some(TWIN)];
        let file = |(path, template): (&'static str, &str)| {
            let mut text = template.replace(ACTION, &address.0);
            if let Some(budget) = self.budget {
                let budget = format!("          budget: {}s ", budget.as_secs().max(1));
                text = text.replace(BUDGET, &budget);
            }
            if path == GATE.0 && has_paths {
                text = text.replacen(EVENT, &format!("{EVENT}    paths: {filters}\n"), 1);
            }
            text = text.replace(TWIN_FILTER, &format!("    paths-ignore: {filters}\n"));
            WorkflowText { path, text }
        };
        Ok(templates.into_iter().flatten().map(file).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn options() -> WorkflowOptions {
        let action = ActionAddress::parse(&format!("acme/xmlperf@{COMMIT}")).unwrap();
        WorkflowOptions { action: Some(action), budget: None, paths: Vec::new() }
    }

    #[test]
    fn an_address_has_an_owner_a_repository_and_a_version() {
        let check = |text: &str, is_address| {
            assert_eq!(ActionAddress::parse(text).is_ok(), is_address, "{text}");
        };
        check("acme/xmlperf@v1.2.3", true);
        check("acme/tools/xmlperf@main", true);
        check(&format!("acme/xmlperf@{COMMIT}"), true);
        for wrong in [
            "",
            "acme/xmlperf",
            "xmlperf@v1",
            "acme/xmlperf@",
            "a/b@v1 # x",
            "a/b@v1\n",
            "a/../b@v1",
        ] {
            check(wrong, false);
        }
        // What the templates have.
        check(ACTION, false);
        assert!(options().action.unwrap().is_pinned());
        assert!(!ActionAddress::parse("acme/xmlperf@v1").unwrap().is_pinned());
    }

    #[test]
    fn no_file_names_what_stands_for_an_address() {
        let files = options().files().unwrap();
        let paths: Vec<_> = files.iter().map(|file| file.path).collect();
        assert_eq!(paths, [GATE.0, SETUP.0, FORKS.0]);
        for WorkflowText { path, text } in files {
            assert!(!text.contains("org/"), "{path}: {text}");
            let uses = text.matches(&format!("uses: acme/xmlperf@{COMMIT}\n")).count();
            assert_eq!(uses, [4, 0, 2][paths.iter().position(|it| *it == path).unwrap()], "{path}");
        }
        // This build is none of a release.
        let unknown = WorkflowOptions { action: None, ..options() };
        assert!(matches!(unknown.files(), Err(UseCaseError::NoAction)));
    }

    #[test]
    fn what_a_repository_has_of_its_own_is_put_into_the_templates() {
        let paths = ["api/**", "it's/*"].map(|text| PathFilter::parse(text).unwrap()).to_vec();
        let budget = Some(Duration::from_mins(3));
        let files = WorkflowOptions { budget, paths, ..options() }.files().unwrap();
        assert_eq!(files.len(), 4);
        let gate = &files[0].text;
        let filters = "['api/**', 'it''s/*']";
        assert!(gate.contains(&format!("  pull_request:\n    paths: {filters}\n  merge_group:")));
        assert_eq!(gate.matches("          budget: 180s # ").count(), 2);
        assert!(files[3].text.contains(&format!("  pull_request:\n    paths-ignore: {filters}\n")));
        let job = "    name: Verdict\n";
        assert!(gate.contains(job) && files[3].text.contains(job));
        for wrong in ["", " ", "a\nb"] {
            assert!(PathFilter::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
