//! An environment as GitHub's runner sets it, and a publication to publish in it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use github::api::ApiClient;
use github::check::CheckPolicy;
use github::comment::{CommentId, CommentPolicy};
use github::context::{ContextError, GithubContext};
use github::publish::{self, PublicationResult, PublishSettings};
use github::retry::RetryPolicy;
use github::transport::HttpTransport;
use github::{Annotation, AnnotationLevel, Conclusion, FailOn, Publication};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const TOKEN: &str = "ghs_0123456789abcdefSECRET";
pub(crate) const HEAD: &str = "9f3c2ab19f3c2ab19f3c2ab19f3c2ab19f3c2ab1";
pub(crate) const BASE: &str = "1d20e7711d20e7711d20e7711d20e7711d20e771";

/// The variables and files of one job.
pub(crate) struct JobEnvironment {
    folder: TempDir,
    variables: HashMap<&'static str, String>,
    /// How long each pause would have been.
    pub(crate) pauses: RefCell<Vec<Duration>>,
}

impl JobEnvironment {
    /// A job of run 100 on `event`, with everything that a runner sets.
    pub(crate) fn new(event: &str, payload: &Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        fs::write(file("event.json"), payload.to_string()).unwrap();
        let variables = HashMap::from([
            ("GITHUB_EVENT_NAME", event.to_owned()),
            ("GITHUB_EVENT_PATH", file("event.json")),
            ("GITHUB_REPOSITORY", "octo-org/octo-repo".to_owned()),
            ("GITHUB_SHA", "2ffea6db2ffea6db2ffea6db2ffea6db2ffea6db".to_owned()),
            ("GITHUB_RUN_ID", "100".to_owned()),
            ("GITHUB_RUN_ATTEMPT", "1".to_owned()),
            ("GITHUB_ACTOR", "mona".to_owned()),
            ("GITHUB_TOKEN", TOKEN.to_owned()),
            ("GITHUB_STEP_SUMMARY", file("summary.md")),
            ("GITHUB_OUTPUT", file("output.txt")),
        ]);
        Self { folder, variables, pauses: RefCell::new(Vec::new()) }
    }

    /// A job on pull request 7 from a branch of the repository itself.
    pub(crate) fn pull_request() -> Self {
        Self::new("pull_request", &pull_request("octo-org/octo-repo"))
    }

    pub(crate) fn with(mut self, variable: &'static str, value: &str) -> Self {
        self.variables.insert(variable, value.to_owned());
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    pub(crate) fn context(&self) -> Result<GithubContext, ContextError> {
        GithubContext::read(&|name| self.variables.get(name).cloned())
    }

    /// The program, in this environment and no other.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xmlperf"));
        command.env_clear().envs(&self.variables).current_dir(self.folder.path());
        command
    }

    /// The outputs of the step so far.
    pub(crate) fn outputs(&self) -> HashMap<String, String> {
        let text = self.read("output.txt");
        let mut lines = text.lines();
        let mut outputs = HashMap::new();
        while let Some((name, delimiter)) = lines.next().and_then(|line| line.split_once("<<")) {
            let value: Vec<&str> = lines.by_ref().take_while(|line| *line != delimiter).collect();
            outputs.insert(name.to_owned(), value.join("\n"));
        }
        outputs
    }

    /// Publishes through the API at `url`, without really pausing.
    pub(crate) fn publish(
        &self,
        url: &str,
        publication: &Publication,
        settings: &PublishSettings,
    ) -> PublicationResult {
        let mut context = self.context().unwrap();
        url.clone_into(&mut context.api_url);
        let network = HttpTransport::new(url, context.token.as_ref()).unwrap();
        let pause = |pause| self.pauses.borrow_mut().push(pause);
        let patience = RetryPolicy::new(Duration::from_mins(3));
        let client =
            ApiClient::new(&network, &context.repository, context.token.as_ref(), patience, &pause);
        publish::publish(publication, settings, &context, Some(&client))
    }

    /// Seconds of each pause.
    pub(crate) fn pauses_s(&self) -> Vec<u64> {
        self.pauses.borrow().iter().map(Duration::as_secs).collect()
    }
}

/// The event of pull request 7 whose head is in `head_repository`.
pub(crate) fn pull_request(head_repository: &str) -> Value {
    json!({
        "action": "synchronize",
        "number": 7,
        "pull_request": {
            "number": 7,
            "head": { "sha": HEAD, "ref": "topic", "repo": { "full_name": head_repository } },
            "base": {
                "sha": BASE,
                "ref": "main",
                "repo": { "full_name": "octo-org/octo-repo", "default_branch": "main" },
            },
        },
        "repository": { "full_name": "octo-org/octo-repo", "default_branch": "main" },
    })
}

/// Comment and check, gate shut by a regression.
pub(crate) fn settings() -> PublishSettings {
    PublishSettings {
        fail_on: FailOn::Regression,
        comment: CommentPolicy::Always,
        comment_id: CommentId::parse("default").unwrap(),
        check: CheckPolicy::Auto,
    }
}

/// A regression, or whatever `conclusion` is.
pub(crate) fn publication(conclusion: Conclusion) -> Publication {
    Publication {
        title: format!("{}: nominal CPU per pair +14.2 %", conclusion.key()),
        body: format!("### xmlperf: {}\n\nnominal +14.2 %\n", conclusion.key()),
        summary: "nominal CPU per pair +14.2 %".to_owned(),
        conclusion,
        annotations: Vec::new(),
        outputs: vec![("regressions".to_owned(), "1".to_owned())],
    }
}

/// So many annotations.
pub(crate) fn annotations(count: u32) -> Vec<Annotation> {
    let annotation = |line| Annotation {
        path: "xmlperf.toml".to_owned(),
        line,
        level: AnnotationLevel::Failure,
        title: format!("cell {line}"),
        message: "regressed".to_owned(),
    };
    (1..=count).map(annotation).collect()
}
