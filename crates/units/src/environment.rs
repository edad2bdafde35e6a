//! Which variables of the environment reach builds and targets: a list of those that may, not of
//! those that may not.
//!
//! What is measured is the code of a change. A list of forbidden words lets through every secret
//! that has another name; a list of what toolchains need lets through none. Reading the environment
//! is for the program: here it is a list of names.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;

/// The names that pass without a setting. `action/compare.sh` reads the same file.
const ALLOWED: &str = include_str!("environment.txt");

/// Those of the names above by which compilers and package managers make something else of the same files.
const BUILD_OPTIONS: [&str; 31] = [
    "CC",
    "CXX",
    "AR",
    "LD",
    "CFLAGS",
    "CXXFLAGS",
    "CPPFLAGS",
    "LDFLAGS",
    "CPATH",
    "C_INCLUDE_PATH",
    "LIBRARY_PATH",
    "MAKEFLAGS",
    "CARGO_BUILD_*",
    "CARGO_PROFILE_*",
    "CARGO_ENCODED_RUSTFLAGS",
    "RUSTUP_TOOLCHAIN",
    "RUSTC",
    "RUSTC_WRAPPER",
    "RUSTFLAGS",
    "JAVA_HOME",
    "NODE_ENV",
    "NODE_OPTIONS",
    "GOFLAGS",
    "GOTOOLCHAIN",
    "GOOS",
    "GOARCH",
    "CGO_ENABLED",
    "CGO_CFLAGS",
    "CGO_LDFLAGS",
    "VIRTUAL_ENV",
    "DOTNET_ROOT",
];

/// The name of a variable, or with `*` at its end or beginning all names that begin or end so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariablePattern(String);

/// A text is no name of variables.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "`{0}` names no variables: write a name, or `*` before or after a part of one, such as `DB_*`"
)]
pub struct VariablePatternError(String);

impl FromStr for VariablePattern {
    type Err = VariablePatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let part = text.strip_suffix('*').or(text.strip_prefix('*')).unwrap_or(text);
        // `*` alone would make the list of what may pass a list of everything.
        if part.is_empty() || part.contains(['*', '=', '\0']) {
            return Err(VariablePatternError(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    match (pattern.strip_suffix('*'), pattern.strip_prefix('*')) {
        (Some(start), _) => name.starts_with(start),
        (None, Some(end)) => name.ends_with(end),
        (None, None) => name == pattern,
    }
}

/// A value that is handed on and never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretValue(OsString);

impl SecretValue {
    /// Returns the value, for the environment of a process.
    pub fn expose(&self) -> &OsStr {
        &self.0
    }
}

impl SecretValue {
    /// Returns the value with its text changed; as it is where it is no text.
    #[must_use]
    pub fn map_text(&self, change: impl FnOnce(&str) -> String) -> Self {
        Self(self.0.to_str().map_or_else(|| self.0.clone(), |text| change(text).into()))
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(…)")
    }
}

/// What a variable of a child is set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EnvValue {
    /// A text.
    Text(String),
    /// What this program's own variable of that name has.
    Inherited(String),
}

impl EnvValue {
    /// Returns the text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Inherited(_) => None,
        }
    }

    /// Returns the name of the variable whose value it is, if it is one's.
    pub fn variable(&self) -> Option<&str> {
        match self {
            Self::Text(_) => None,
            Self::Inherited(name) => Some(name),
        }
    }
}

impl From<String> for EnvValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// The variables of this program, of which children get a part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProcessEnvironment {
    variables: Vec<ProcessVariable>,
    /// Names that were withheld from this program already.
    withheld: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct ProcessVariable {
    name: OsString,
    value: SecretValue,
    has_credentials: bool,
}

/// What of the environment builds and targets do not get; by default they get all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChildEnvironment(Arc<ChildVariables>);

/// Shared, as every error of a target carries it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct ChildVariables {
    removed: Vec<OsString>,
    withheld: Vec<String>,
    /// What may be handed on under another name.
    lent: Vec<(String, SecretValue)>,
    /// What of that which is not taken away decides what a build yields.
    build_options: Vec<(String, SecretValue)>,
}

impl ProcessEnvironment {
    /// Takes the variables of this program, and the names of those that its starter took away for
    /// the same reason, separated by spaces.
    pub fn new(variables: impl IntoIterator<Item = (OsString, OsString)>, withheld: &str) -> Self {
        let variables = variables.into_iter().map(|(name, value)| ProcessVariable {
            name,
            has_credentials: has_credentials(&value.to_string_lossy()),
            value: SecretValue(value),
        });
        let withheld = withheld.split_ascii_whitespace().map(str::to_owned).collect();
        Self { variables: variables.collect(), withheld }
    }

    /// Returns what children get: what toolchains need, and what `passed` names.
    ///
    /// An address with a user's name or password in it passes only if `passed` names its variable.
    ///
    /// ```
    /// # use xmlperf_units::environment::{ProcessEnvironment, VariablePattern};
    /// let variables = [("PATH", "/bin"), ("DB_HOST", "db"), ("NPM_KEY", "?")];
    /// let variables = variables.map(|(name, value)| (name.into(), value.into()));
    /// let own = ProcessEnvironment::new(variables, "");
    /// let pattern: VariablePattern = "DB_*".parse().expect("a pattern");
    /// assert_eq!(own.child(&[pattern]).withheld(), ["NPM_KEY"]);
    /// ```
    pub fn child(&self, passed: &[VariablePattern]) -> ChildEnvironment {
        let withheld = self.withheld.clone();
        let mut child = ChildVariables { withheld, ..ChildVariables::default() };
        for ProcessVariable { name, has_credentials, value } in &self.variables {
            let shown = name.to_string_lossy();
            let is_passed = passed.iter().any(|pattern| matches(&pattern.0, &shown));
            if !is_passed && (*has_credentials || !is_allowed(&shown)) {
                child.removed.push(name.clone());
                child.withheld.push(shown.into_owned());
            } else if BUILD_OPTIONS.iter().any(|pattern| matches(pattern, &shown)) {
                child.build_options.push((shown.into_owned(), value.clone()));
            }
        }
        child.build_options.sort_unstable_by(|one, other| one.0.cmp(&other.0));
        child.withheld.sort_unstable();
        child.withheld.dedup();
        ChildEnvironment(Arc::new(child))
    }

    /// Returns whether there is a variable of that name.
    pub fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// Returns the values of variables, by name; those that there are not are left out.
    pub fn lend<'a>(&self, names: impl Iterator<Item = &'a str>) -> BTreeMap<String, SecretValue> {
        names.filter_map(|name| Some((name.to_owned(), self.value(name)?.clone()))).collect()
    }

    fn value(&self, name: &str) -> Option<&SecretValue> {
        let variable = self.variables.iter().find(|variable| variable.name == *name);
        variable.map(|variable| &variable.value)
    }
}

impl ChildEnvironment {
    /// Adds values that may be handed on under another name: those of `names` that `process` has.
    #[must_use]
    pub fn lending<'a>(
        self,
        process: &ProcessEnvironment,
        names: impl Iterator<Item = &'a str>,
    ) -> Self {
        let mut child = Arc::unwrap_or_clone(self.0);
        let value = |name: &str| Some((name.to_owned(), process.value(name)?.clone()));
        child.lent.extend(names.filter_map(value));
        Self(Arc::new(child))
    }

    /// Returns a value that may be handed on.
    pub fn lent(&self, name: &str) -> Option<&SecretValue> {
        self.0.lent.iter().find(|(lent, _)| lent == name).map(|(_, value)| value)
    }

    /// Returns the variables by which compilers and package managers make something else of the same files, by name.
    pub fn build_options(&self) -> &[(String, SecretValue)] {
        &self.0.build_options
    }

    /// Returns the names to take out of the environment that a child would inherit. One by one, as
    /// an environment that is made anew costs `posix_spawn`, and `fork` copies the page tables of a
    /// process that may hold a large payload.
    pub fn removed(&self) -> &[OsString] {
        &self.0.removed
    }

    /// Returns the names of what is kept back, here or before, sorted.
    pub fn withheld(&self) -> &[String] {
        &self.0.withheld
    }

    /// Returns what is kept back, as a hint for what failed without it; none if nothing is.
    pub fn missing(&self) -> Option<WithheldNames> {
        (!self.withheld().is_empty()).then(|| WithheldNames(self.clone()))
    }
}

/// The names of variables that are kept back, at least one: never values, nor control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithheldNames(ChildEnvironment);

impl fmt::Display for WithheldNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 100;
        let withheld = self.0.withheld();
        // A runner sets dozens, and what is missed stands among the others.
        let is_runners = |name: &&String| {
            ["GITHUB_", "RUNNER_", "ACTIONS_"].iter().any(|start| name.starts_with(start))
        };
        let (runners, others): (Vec<_>, Vec<_>) = withheld.iter().partition(is_runners);
        let names = others.iter().chain(&runners).take(SHOWN);
        let names = names.map(|name| name.chars().filter(|c| !c.is_control()).take(80).collect());
        let names = names.collect::<Vec<String>>().join(", ");
        write!(f, "these variables are withheld from builds and targets: {names}")?;
        if let Some(more @ 1..) = withheld.len().checked_sub(SHOWN) {
            write!(f, " and {more} more")?;
        }
        f.write_str("; `[target] pass-env` passes those that it names")
    }
}

fn is_allowed(name: &str) -> bool {
    let patterns = ALLOWED.lines().map(str::trim);
    let mut patterns = patterns.filter(|line| !line.is_empty() && !line.starts_with('#'));
    patterns.any(|pattern| matches(pattern, name))
}

/// Whether a value is an address with a user's name or password, as those of proxies may be.
fn has_credentials(value: &str) -> bool {
    value.split("://").skip(1).any(|rest| {
        let authority = rest.split(['/', '?', '#', ' ', ',']).next().unwrap_or_default();
        authority.contains('@')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child(variables: &[(&str, &str)], passed: &[&str]) -> ChildEnvironment {
        let variables =
            variables.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let passed: Vec<_> = passed.iter().map(|pattern| pattern.parse().unwrap()).collect();
        ProcessEnvironment::new(variables, "EARLIER").child(&passed)
    }

    #[test]
    fn what_variables_say_to_compilers_is_known_by_name() {
        let variables = [("RUSTFLAGS", "-C target-cpu=native"), ("PATH", "/bin"), ("CC", "clang")];
        let options = child(&variables, &[]);
        let names: Vec<_> = options.build_options().iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["CC", "RUSTFLAGS"]);
        // Each of them passes, or it would decide nothing.
        assert!(BUILD_OPTIONS.iter().all(|name| is_allowed(name.trim_end_matches('*'))));
    }

    #[test]
    fn secrets_of_any_name_are_withheld_and_toolchains_keep_what_is_theirs() {
        let secrets = [
            "CARGO_REGISTRY_TOKEN",
            "NODE_AUTH_TOKEN",
            "AWS_SECRET_ACCESS_KEY",
            "DB_PASSWORD",
            "DATABASE_URL",
            "STRIPE_KEY",
            "API_KEY",
            "NPM_CONFIG__AUTH",
            "SSH_AUTH_SOCK",
            "KUBECONFIG",
            "SENTRY_DSN",
            "GOOGLE_APPLICATION_CREDENTIALS",
            "PGPASSFILE",
            "JWT",
            "SLACK_WEBHOOK",
            "GH_PAT",
            "TWINE_PASSPHRASE",
            "CARGO_REGISTRIES_MINE_TOKEN",
            "GITHUB_TOKEN",
            "ACTIONS_RUNTIME_URL",
            "MAVEN_OPTS",
        ];
        let kept =
            ["PATH", "HOME", "LC_ALL", "CARGO_HOME", "CARGO_NET_OFFLINE", "JAVA_HOME_17_X64"];
        let all: Vec<_> = secrets.iter().chain(&kept).map(|name| (*name, "x")).collect();
        let child = child(&all, &[]);
        assert_eq!(child.removed(), secrets);
        let mut withheld = secrets.to_vec();
        withheld.push("EARLIER");
        withheld.sort_unstable();
        assert_eq!(child.withheld(), withheld);
    }

    #[test]
    fn no_line_of_the_list_lets_through_a_name_that_says_it_is_a_secret() {
        for line in ALLOWED.lines().filter(|line| !line.starts_with('#')) {
            let is_secret = ["TOKEN", "SECRET", "PASS", "AUTH", "KEY", "CRED"];
            assert!(!is_secret.iter().any(|word| line.contains(word)), "{line}");
            assert!(line.is_empty() || line.parse::<VariablePattern>().is_ok(), "{line}");
        }
        assert!(!is_allowed("*") && !is_allowed(""));
    }

    #[test]
    fn an_address_with_a_password_passes_only_by_name() {
        let proxy = [("HTTPS_PROXY", "http://me:pw@proxy:8080"), ("HTTP_PROXY", "http://proxy:1")];
        assert_eq!(child(&proxy, &[]).withheld(), ["EARLIER", "HTTPS_PROXY"]);
        assert!(child(&proxy, &["HTTPS_PROXY"]).removed().is_empty());
        assert!(!has_credentials("https://host/path@2") && has_credentials("x,https://a@b|direct"));
    }

    #[test]
    fn patterns_have_one_star_at_an_end() {
        let db = [("DB_HOST", "1"), ("MY_URL", "2"), ("DB", "3")];
        assert_eq!(child(&db, &["DB_*", "*_URL"]).withheld(), ["DB", "EARLIER"]);
        for wrong in ["", "*", "**", "A*B", "*A*", "A=B"] {
            assert!(wrong.parse::<VariablePattern>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn neither_a_message_nor_a_debug_text_has_a_value() {
        let child = child(&[("API_KEY", "hunter2"), ("PATH", "hunter2"), ("A\u{1b}[0m", "x")], &[]);
        let hint = child.missing().unwrap().to_string();
        assert!(hint.contains("A[0m, API_KEY, EARLIER;"), "{hint}");
        assert!(!hint.contains("hunter2") && !format!("{child:?}").contains("hunter2"));
        assert_eq!(ChildEnvironment::default().missing(), None);
    }

    #[test]
    fn a_value_is_lent_by_name_and_never_shown() {
        let variables = [("ORDERS_TOKEN", "hunter2"), ("OTHER", "hunter3")];
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        let process = ProcessEnvironment::new(variables, "");
        let child = process.child(&[]).lending(&process, ["ORDERS_TOKEN", "MISSING"].into_iter());
        assert_eq!(child.lent("ORDERS_TOKEN").unwrap().expose(), "hunter2");
        assert_eq!((child.lent("OTHER"), child.lent("MISSING")), (None, None));
        assert!(process.has("OTHER") && !process.has("MISSING"));
        assert!(!format!("{process:?} {child:?}").contains("hunter"));
    }
}
