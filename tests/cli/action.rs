//! The scripts of the action, each in an environment as GitHub's runner sets it, and what is written
//! about its inputs.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare must fail")]

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::git::{commit_all, git};

const SECRETS: [(&str, &str); 9] = [
    ("GITHUB_TOKEN", "ghs_secret1"),
    ("ACTIONS_RUNTIME_TOKEN", "secret2"),
    ("ACTIONS_ID_TOKEN_REQUEST_URL", "https://secret3"),
    ("DEPLOY_SECRET", "secret4"),
    ("NPM_AUTH_TOKEN", "secret5"),
    ("DATABASE_URL", "secret6"),
    ("GH_PAT", "secret7"),
    ("GITHUB_APP_PEM", "secret8"),
    ("STRIPE_KEY", "multiple\nlines of secret9"),
];

/// A checkout of the action on a runner, with a release that holds a program of ours.
struct ActionRunner {
    folder: TempDir,
    environment: HashMap<String, String>,
}

/// What became of a step.
struct ActionStep {
    code: Option<i32>,
    printed: String,
    outputs: HashMap<String, String>,
}

impl ActionRunner {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["action", "bin", "release", "temp", "work", "crates/units/src"] {
            fs::create_dir_all(path(name)).unwrap();
        }
        let list = "crates/units/src/environment.txt";
        fs::copy(root().join(list), path(list)).unwrap();
        let scripts = [
            "attempts.sh",
            "compare.sh",
            "fetch.sh",
            "install.sh",
            "report.sh",
            "save.sh",
            "scenarios.sh",
            "valgrind.sh",
        ];
        for script in scripts {
            fs::copy(root().join("action").join(script), path("action").join(script)).unwrap();
        }
        fs::write(path("action/RELEASE"), "").unwrap();
        fs::write(path("action/SHA256SUMS"), "").unwrap();
        let at = |name: &str| path(name).to_str().unwrap().to_owned();
        let programs = std::env::split_paths(&std::env::var_os("PATH").unwrap())
            .filter(|folder| !folder.join("cargo").exists())
            .fold(at("bin"), |all, folder| format!("{all}:{}", folder.display()));
        let environment = HashMap::from([
            ("PATH".to_owned(), programs),
            ("HOME".to_owned(), at("temp")),
            ("RUNNER_TEMP".to_owned(), at("temp")),
            ("GITHUB_OUTPUT".to_owned(), at("output")),
            ("GITHUB_ENV".to_owned(), at("env")),
            ("GITHUB_PATH".to_owned(), at("path")),
            ("GITHUB_STEP_SUMMARY".to_owned(), at("summary")),
            ("GITHUB_EVENT_NAME".to_owned(), "pull_request".to_owned()),
            ("XMLPERF_BIN".to_owned(), at("bin/xmlperf")),
            ("XMLPERF_COMMAND".to_owned(), "compare".to_owned()),
            ("XMLPERF_BASELINE".to_owned(), "main".to_owned()),
            ("XMLPERF_FAIL_ON".to_owned(), "regression".to_owned()),
            ("XMLPERF_COMMENT".to_owned(), "always".to_owned()),
            ("XMLPERF_COMMENT_ID".to_owned(), "default".to_owned()),
            ("XMLPERF_CHECK".to_owned(), "auto".to_owned()),
            ("XMLPERF_ARTIFACT".to_owned(), "xmlperf-report".to_owned()),
            ("XMLPERF_ARTIFACT_RUN_ID".to_owned(), String::new()),
            ("XMLPERF_CONFIG".to_owned(), String::new()),
            ("XMLPERF_SCENARIOS".to_owned(), String::new()),
            ("XMLPERF_WORKING_DIRECTORY".to_owned(), ".".to_owned()),
        ]);
        Self { folder, environment }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Puts a program on the search path.
    fn program(self, name: &str, script: &str) -> Self {
        let path = self.path("bin").join(name);
        fs::write(&path, format!("#!/bin/bash\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        self
    }

    /// Publishes `program` for both platforms of Linux, and returns the checksum of its archive.
    fn release(&self, version: &str, program: &str) -> String {
        let folder = self.path("release").join(version);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("xmlperf"), program).unwrap();
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(folder.join("xmlperf"), mode).unwrap();
        let sums = ["x86_64", "aarch64"].map(|machine| {
            let archive = format!("xmlperf-{version}-{machine}-unknown-linux-musl.tar.gz");
            let tar = ["-czf", &archive, "xmlperf"];
            assert!(Command::new("tar").args(tar).current_dir(&folder).status().unwrap().success());
            let digest = Sha256::digest(fs::read(folder.join(&archive)).unwrap());
            (units::hex(&digest), archive)
        });
        let list = sums.iter().map(|(sum, archive)| format!("{sum}  {archive}\n"));
        fs::write(self.path("action/SHA256SUMS"), list.collect::<String>()).unwrap();
        let address = format!("file://{}\n", folder.display());
        fs::write(self.path("action/RELEASE"), address).unwrap();
        sums[0].0.clone()
    }

    /// Runs a script; words behind its name are its arguments.
    fn step(&self, script: &str) -> ActionStep {
        let mut words = script.split(' ');
        let output = Command::new("/bin/bash")
            .arg(self.path("action").join(words.next().unwrap()))
            .args(words)
            .env_clear()
            .envs(&self.environment)
            .current_dir(self.path("work"))
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let outputs = fs::read_to_string(self.path("output")).unwrap_or_default();
        let pairs = outputs.lines().filter_map(|line| line.split_once('='));
        ActionStep {
            code: output.status.code(),
            printed: text(output.stdout) + &text(output.stderr),
            outputs: pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Says its version, as every installed program does.
const PROGRAM: &str = "#!/bin/sh\necho \"xmlperf 1.2.3 $*\"\n";

/// Writes down how it was called and with which environment.
const WITNESS: &str = "printf '[%s]' \"$@\" > \"$HOME/arguments\"
env > \"$HOME/environment\"
tr '\\0' '\\n' < /proc/$PPID/environ > \"$HOME/environment-of-parent\"";

#[test]
fn a_release_is_installed_if_its_checksum_is_the_one_that_was_committed() {
    let runner = ActionRunner::new();
    runner.release("v1.2.3", PROGRAM);
    let step = runner.step("install.sh");
    assert_eq!(step.code, Some(0), "{}", step.printed);
    assert!(step.printed.contains("xmlperf 1.2.3 --version"), "{}", step.printed);
    assert_eq!(step.outputs["bin"], runner.path("temp/xmlperf/xmlperf").to_str().unwrap());
}

#[test]
fn nothing_runs_of_an_archive_with_another_checksum() {
    let runner = ActionRunner::new();
    runner.release("v1.2.3", PROGRAM);
    let sums = fs::read_to_string(runner.path("action/SHA256SUMS")).unwrap();
    let forged = sums.lines().map(|line| format!("{}{}\n", "0".repeat(64), &line[64..]));
    fs::write(runner.path("action/SHA256SUMS"), forged.collect::<String>()).unwrap();
    let step = runner.step("install.sh");
    assert_eq!(step.code, Some(1));
    assert!(step.printed.contains("::error title=xmlperf::the checksum of"), "{}", step.printed);
    assert!(step.outputs.is_empty() && !runner.path("temp/xmlperf/xmlperf").exists());
}

#[test]
fn a_machine_that_cannot_measure_is_shown_which_one_can() {
    let check = |system: &str, machine: &str, code, expected: &str| {
        let uname = format!("case $1 in -s) echo {system} ;; -m) echo {machine} ;; esac");
        let runner = ActionRunner::new().program("uname", &uname);
        runner.release("v1.2.3", PROGRAM);
        // The archive of the other architecture is not there to be taken by mistake.
        let other = if machine == "aarch64" { "x86_64" } else { "aarch64" };
        let other = format!("release/v1.2.3/xmlperf-v1.2.3-{other}-unknown-linux-musl.tar.gz");
        fs::remove_file(runner.path(&other)).unwrap();
        let step = runner.step("install.sh");
        assert_eq!(step.code, Some(code), "{}", step.printed);
        assert!(step.printed.contains(expected), "{}", step.printed);
    };
    check("Linux", "x86_64", 0, "xmlperf 1.2.3");
    check("Linux", "aarch64", 0, "xmlperf 1.2.3");
    check("Darwin", "arm64", 1, "this runner is Darwin arm64: use `runs-on: ubuntu-latest`");
    check("MINGW64_NT-10.0", "x86_64", 1, "xmlperf measures on Linux (x86-64 and arm64)");
    check("Linux", "riscv64", 1, "this runner is Linux riscv64");
}

#[test]
fn a_checkout_without_a_release_is_built_or_says_what_it_needs() {
    let step = ActionRunner::new().step("install.sh");
    assert_eq!(step.code, Some(1));
    assert!(step.printed.contains("pin a release, or install Rust first"), "{}", step.printed);
    let cargo = "echo \"cargo $*\"\nmkdir -p \"$HOME/xmlperf/cargo/bin\"
printf '#!/bin/sh\\necho built\\n' > \"$HOME/xmlperf/cargo/bin/xmlperf\"
chmod +x \"$HOME/xmlperf/cargo/bin/xmlperf\"";
    let runner = ActionRunner::new().program("cargo", cargo);
    let step = runner.step("install.sh");
    assert_eq!(step.code, Some(0), "{}", step.printed);
    assert!(step.printed.contains("cargo install --locked --quiet --path"), "{}", step.printed);
    assert!(step.printed.ends_with("built\n"), "{}", step.printed);
}

/// A runner that has these programs only, and what it says when it lacks valgrind.
fn valgrind_on(programs: &[(&str, &str)]) -> (ActionStep, String) {
    let bin =
        programs.iter().fold(ActionRunner::new(), |it, (name, script)| it.program(name, script));
    let path = bin.path("bin").to_str().unwrap().to_owned();
    let runner = bin.with("PATH", &path).with("XMLPERF_VALGRIND", "install");
    let step = runner.step("valgrind.sh");
    let log = fs::read_to_string(runner.path("temp/apt")).unwrap_or_default();
    (step, log)
}

#[test]
fn valgrind_is_installed_where_it_is_missing_and_never_fails_a_job() {
    const APT: &str = "echo \"$1\" >> \"$HOME/apt\"";
    const SUDO: &str = "shift\n\"$@\"";
    let check = |programs: &[(&str, &str)], calls: &str, said: &str| {
        let (step, log) = valgrind_on(programs);
        assert_eq!((step.code, log.as_str()), (Some(0), calls), "{}", step.printed);
        assert!(step.printed.contains(said), "{}", step.printed);
    };
    check(&[("valgrind", ""), ("apt-get", APT), ("sudo", SUDO)], "", "");
    check(&[("apt-get", APT), ("sudo", SUDO)], "install\n", "");
    let stale = format!("{APT}\n[ $1 = update ] || [ \"$(<$HOME/apt)\" != install ]");
    check(&[("apt-get", &stale), ("sudo", SUDO)], "install\nupdate\ninstall\n", "");
    let broken = format!("{APT}\nexit 100");
    check(&[("apt-get", &broken), ("sudo", SUDO)], "install\nupdate\n", "could not be installed");
    check(&[], "", "neither valgrind nor apt-get");

    let step =
        |input: &str| ActionRunner::new().with("XMLPERF_VALGRIND", input).step("valgrind.sh");
    assert_eq!(step("as-is").code, Some(0));
    assert!(step("yes").printed.contains("install or as-is"));
}

#[test]
fn another_version_needs_its_own_checksum() {
    let check = |version: &str, checksum: &str, expected: &str| {
        let runner = ActionRunner::new();
        let sum = runner.release("v1.2.3", PROGRAM);
        runner.release("v1.3.0", PROGRAM);
        let checksum = if checksum == "right" { &sum } else { checksum };
        let runner = runner
            .with("XMLPERF_VERSION", version)
            .with("XMLPERF_CHECKSUM", checksum)
            .program("uname", "case $1 in -s) echo Linux ;; -m) echo x86_64 ;; esac");
        let step = runner.step("install.sh");
        assert!(step.printed.contains(expected), "{}", step.printed);
        assert_eq!(step.code == Some(0), checksum == sum && version.ends_with("1.2.3"));
    };
    check("v1.2.3", "right", "xmlperf 1.2.3");
    check("1.2.3", "right", "xmlperf 1.2.3");
    check("1.2.3", "", "needs checksum");
    check("1.2.3", "0000", "in 64 lower-case digits");
    check("1.2.3", &"0".repeat(64), "nothing of it was run");
    check("latest", "right", "not of the form 1.2.3");
    check("../../evil", "right", "not of the form 1.2.3");
    check("1.2.3$(id)", "right", "not of the form 1.2.3");
}

#[test]
fn what_is_measured_sees_no_secret_and_no_way_to_later_steps() {
    let runner =
        SECRETS.iter().fold(ActionRunner::new(), |runner, (name, value)| runner.with(name, value));
    let runner = runner.program("xmlperf", WITNESS).with("RUST_LOG", "info");
    let step = runner.step("compare.sh");
    assert_eq!(step.code, Some(0), "{}", step.printed);
    assert_eq!(step.outputs["exit"], "0");
    let read = |name: &str| fs::read_to_string(runner.path("temp").join(name)).unwrap();
    let (own, parent) = (read("environment"), read("environment-of-parent"));
    for (name, value) in SECRETS {
        for seen in [&own, &parent] {
            assert!(!seen.contains(value) && !seen.contains(&format!("{name}=")), "{seen}");
        }
    }
    assert!(own.contains("RUST_LOG=info") && parent.contains("RUST_LOG=info"), "{own}{parent}");
    let forbidden = ["GITHUB_ENV=", "GITHUB_OUTPUT=", "GITHUB_PATH=", "GITHUB_STEP_SUMMARY="];
    assert!(forbidden.iter().all(|name| !own.contains(name)), "{own}");
    assert!(!own.contains("XMLPERF_"), "{own}");
    assert!(own.contains("DATABASE_URL") && own.contains("STRIPE_KEY"), "names are listed: {own}");
}

#[test]
fn variables_pass_that_the_input_names() {
    let runner =
        ActionRunner::new().program("xmlperf", WITNESS).with("XMLPERF_PASS_ENV", "DB_*, X");
    let runner = runner.with("DB_HOST", "here").with("X", "too").with("XY", "not");
    let step = runner.step("compare.sh");
    assert_eq!(step.outputs["exit"], "0", "{}", step.printed);
    let own = fs::read_to_string(runner.path("temp/environment")).unwrap();
    assert!(own.contains("DB_HOST=here\n") && own.contains("\nX=too\n"), "{own}");
    assert!(!own.contains("XY="), "{own}");
}

#[test]
fn a_shard_keeps_no_attempts_and_all_of_them_are_merged() {
    let arguments = |changes: &[(&str, &str)]| {
        let runner = ActionRunner::new().program("xmlperf", WITNESS);
        for shard in ["work/all/shard-1", "work/all/shard-2"] {
            fs::create_dir_all(runner.path(shard)).unwrap();
        }
        let runner = changes.iter().fold(runner, |it, (name, value)| it.with(name, value));
        let step = runner.step("compare.sh");
        assert_eq!(step.outputs["exit"], "0", "{}", step.printed);
        fs::read_to_string(runner.path("temp/arguments")).unwrap()
    };
    let shard = arguments(&[("XMLPERF_SHARD", "1/2"), ("XMLPERF_SHARD_TIMES", "old.json")]);
    assert!(shard.contains("[--shard=1/2][--shard-times=old.json]"), "{shard}");
    assert!(!shard.contains("--attempts"), "{shard}");
    let merge = arguments(&[("XMLPERF_COMMAND", "merge"), ("XMLPERF_SHARDS", "all")]);
    assert_eq!(merge.trim(), "[merge][--out=.xmlperf][--][all/shard-1/][all/shard-2/]");
}

#[test]
fn the_exit_code_of_the_measurement_is_an_output_and_not_the_end_of_the_job() {
    let check = |code: &str| {
        let runner = ActionRunner::new().program("xmlperf", &format!("exit {code}"));
        let step = runner.step("compare.sh");
        assert_eq!(step.code, Some(0), "{}", step.printed);
        assert_eq!(step.outputs["exit"], code);
        assert_eq!(step.outputs["report-dir"], "./.xmlperf/report");
    };
    for code in ["0", "1", "2", "3", "4", "137"] {
        check(code);
    }
}

#[test]
fn what_the_measured_code_prints_is_no_command_to_the_runner() {
    let script = "echo '::set-env name=X::y'; echo '::add-mask::z' >&2; echo '::error::q'";
    let runner = ActionRunner::new().program("xmlperf", script);
    let printed = runner.step("compare.sh").printed;
    let (before, rest) = printed.split_once("::stop-commands::").unwrap();
    let (word, rest) = rest.split_once('\n').unwrap();
    let (inside, after) = rest.split_once(&format!("::{word}::\n")).unwrap();
    assert_eq!(word.len(), 32);
    assert!(!before.contains("::") && !after.contains("::"), "{printed}");
    assert_eq!(inside.matches("::set-env").count(), 1, "{printed}");
    let log = fs::read_to_string(runner.path("work/.xmlperf/report/compare.log")).unwrap();
    assert!(log.contains("::add-mask::z"), "{log}");
}

#[test]
fn inputs_are_arguments_and_never_commands() {
    let attack = "$(touch hacked) `touch hacked`; touch hacked & | > hacked \" ' --flag";
    let scenarios = format!("smoke, {attack}\n  nominal\n\n--out=/etc\n");
    let runner = ActionRunner::new()
        .program("xmlperf", WITNESS)
        .with("XMLPERF_BASELINE", attack)
        .with("XMLPERF_CONFIG", attack)
        .with("XMLPERF_CONFIRM", attack)
        .with("XMLPERF_BUDGET", attack)
        .with("XMLPERF_MODE", attack)
        .with("XMLPERF_STORE", attack)
        .with("XMLPERF_SCENARIOS", &scenarios);
    let step = runner.step("compare.sh");
    assert_eq!(step.outputs["exit"], "0", "{}", step.printed);
    let arguments = fs::read_to_string(runner.path("temp/arguments")).unwrap();
    assert_eq!(
        arguments,
        format!(
            "[compare][--plain][--out][.xmlperf][--config][{attack}][--scenario=smoke]\
             [--scenario={attack}][--scenario=nominal][--scenario=--out=/etc]\
             [--budget={attack}][--confirm={attack}][--mode={attack}][--store={attack}]\
             [--attempts=.xmlperf/report/attempts][--baseline={attack}]"
        )
    );
    let report = ActionRunner::new().program("xmlperf", WITNESS).with("XMLPERF_COMMENT_ID", attack);
    let report = report.with("XMLPERF_CHECK", attack).with("XMLPERF_SCENARIOS", &scenarios);
    assert_eq!(report.step("report.sh").code, Some(0));
    let arguments = fs::read_to_string(report.path("temp/arguments")).unwrap();
    let start = format!(
        "[report][github][--fail-on][regression][--comment][always][--comment-id][{attack}]\
         [--check][{attack}][--scenario=smoke][--scenario={attack}]"
    );
    assert!(arguments.starts_with(&start), "{arguments}");
    let save = ActionRunner::new().program("xmlperf", WITNESS).with("XMLPERF_BASELINE", attack);
    let save = save.with("XMLPERF_STORE", attack);
    assert_eq!(save.step("save.sh").code, Some(0));
    let arguments = fs::read_to_string(save.path("temp/arguments")).unwrap();
    assert_eq!(arguments, format!("[baseline][save][--store={attack}][--][{attack}]"));
    for runner in [runner, report, save] {
        assert!(!runner.path("work/hacked").exists());
    }
}

#[test]
fn stored_runs_are_called_after_the_branch_that_they_are_of() {
    let check = |base: &str, expected: &str| {
        let runner =
            ActionRunner::new().program("xmlperf", WITNESS).with("XMLPERF_BASELINE", "auto");
        let runner = runner.with("XMLPERF_MODE", "stored").with("GITHUB_BASE_REF", base);
        let runner = runner.with("GITHUB_REF_NAME", "trunk").with("XMLPERF_STORE", "");
        assert_eq!(runner.step("compare.sh").outputs["exit"], "0");
        let arguments = fs::read_to_string(runner.path("temp/arguments")).unwrap();
        assert!(arguments.ends_with(expected), "{arguments}");
        assert_eq!(runner.step("save.sh").code, Some(0));
        let arguments = fs::read_to_string(runner.path("temp/arguments")).unwrap();
        assert_eq!(arguments, "[baseline][save][--][trunk]");
    };
    check("release/2", "[--mode=stored][--baseline=release/2]");
    check("", "[--mode=stored][--baseline=trunk]");
}

/// The step that reads has the keys of the store; the one that runs the change has the copy.
#[test]
fn stored_runs_are_fetched_before_the_change_runs() {
    let runner = ActionRunner::new().program("xmlperf", WITNESS);
    let runner = runner.with("XMLPERF_BASELINE", "auto").with("GITHUB_BASE_REF", "trunk");
    let runner = runner.with("XMLPERF_STORE", "s3://kept").with("AWS_SECRET_ACCESS_KEY", "secret0");
    let forged = runner.path("work/.xmlperf/fetched/trunk");
    fs::create_dir_all(&forged).unwrap();
    let step = runner.step("fetch.sh");
    assert_eq!((step.code, step.outputs["store"].as_str()), (Some(0), ".xmlperf/fetched"));
    assert!(!forged.exists(), "what is checked in is not what was fetched");
    let read = |name: &str| fs::read_to_string(runner.path("temp").join(name)).unwrap();
    assert_eq!(
        read("arguments"),
        "[baseline][fetch][--store=s3://kept][--into=.xmlperf/fetched][--][trunk]"
    );
    assert!(read("environment").contains("secret0"));

    let runner = runner.with("XMLPERF_MODE", "stored").with("XMLPERF_STORE", ".xmlperf/fetched");
    runner.step("compare.sh");
    let read = |name: &str| fs::read_to_string(runner.path("temp").join(name)).unwrap();
    assert!(read("arguments").ends_with("[--store=.xmlperf/fetched][--baseline=trunk]"));
    assert!(!read("environment").contains("secret0"));

    let refused = ActionRunner::new().program("xmlperf", "exit 2").step("fetch.sh");
    assert_eq!(
        (refused.code, refused.outputs.get("store")),
        (Some(0), None),
        "it is for the next step to say"
    );
}

/// The step that measures has no keys of the store: it gets a copy, and its run is added when it has ended.
#[test]
fn attempts_are_fetched_before_the_change_runs_and_kept_after_it() {
    let runner = ActionRunner::new().program("xmlperf", WITNESS);
    let runner =
        runner.with("XMLPERF_ATTEMPTS", "s3://kept").with("RUNNER_ENVIRONMENT", "github-hosted");
    let runner = runner.with("AWS_SECRET_ACCESS_KEY", "secret0");
    let read = |name: &str| fs::read_to_string(runner.path("temp").join(name)).unwrap();
    let store = "[--store=s3://kept]";
    assert_eq!(runner.step("attempts.sh fetch").code, Some(0));
    let fetched = format!("[baseline][fetch-attempts]{store}[--into=.xmlperf/attempts]");
    assert_eq!(read("arguments"), fetched);
    assert!(read("environment").contains("secret0"));

    runner.step("compare.sh");
    assert!(read("arguments").contains("[--attempts=.xmlperf/attempts]"));
    let environment = read("environment");
    assert!(environment.contains("RUNNER_ENVIRONMENT=github-hosted"), "{environment}");
    assert!(!environment.contains("secret0") && !environment.contains("s3://kept"));

    fs::remove_file(runner.path("temp/arguments")).unwrap();
    assert_eq!(runner.step("attempts.sh keep").code, Some(0));
    assert!(!runner.path("temp/arguments").exists(), "nothing was measured");
    for name in ["run.json", "confirmation/run.json"] {
        let path = runner.path("work/.xmlperf/report").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "{}").unwrap();
    }
    assert_eq!(runner.step("attempts.sh keep").code, Some(0));
    let runs = "[--from=.xmlperf/report/run.json][--from=.xmlperf/report/confirmation/run.json]";
    assert_eq!(read("arguments"), format!("[baseline][keep-attempts]{store}{runs}"));
}

/// Where another job publishes, that one has the keys to write, and the verdicts that it drew itself.
#[test]
fn a_job_that_only_measures_keeps_no_attempt() {
    let runner = ActionRunner::new().program("xmlperf", WITNESS);
    let runner = runner.with("XMLPERF_ATTEMPTS", "s3://kept").with("XMLPERF_FAIL_ON", "never");
    let runner = runner.with("XMLPERF_COMMENT", "never").with("XMLPERF_CHECK", "none");
    let report = runner.path("work/.xmlperf/report");
    fs::create_dir_all(&report).unwrap();
    fs::write(report.join("run.json"), "{}").unwrap();
    let arguments = runner.path("temp/arguments");
    assert_eq!(runner.step("attempts.sh keep").code, Some(0));
    assert!(!arguments.exists(), "it is for the job that publishes");
    let publishing = runner.with("XMLPERF_COMMAND", "report");
    assert_eq!(publishing.step("attempts.sh keep").code, Some(0));
    assert!(arguments.exists());
}

#[test]
fn code_of_a_change_does_not_run_with_the_rights_of_the_repository() {
    for event in ["pull_request_target", "workflow_run"] {
        let runner =
            ActionRunner::new().program("xmlperf", WITNESS).with("GITHUB_EVENT_NAME", event);
        let step = runner.step("compare.sh");
        assert_eq!(step.outputs["exit"], "2");
        assert!(step.printed.contains("publish here with `command: report`"), "{}", step.printed);
        assert!(!runner.path("temp/arguments").exists());
    }
}

#[test]
fn a_base_is_looked_for_and_its_absence_is_said() {
    let check = |script: &str, expected: &str, exit: &str| {
        let script = format!("if [ \"$1\" = baseline ]; then {script}; exit; fi\n{WITNESS}");
        let runner =
            ActionRunner::new().program("xmlperf", &script).with("XMLPERF_BASELINE", "auto");
        let step = runner.step("compare.sh");
        assert_eq!(step.outputs["exit"], exit, "{}", step.printed);
        let arguments = fs::read_to_string(runner.path("temp/arguments")).unwrap_or_default();
        assert!((arguments + &step.printed).contains(expected), "{}", step.printed);
    };
    check("echo 1234abcd", "[--baseline=1234abcd]", "0");
    check("true", "[run][--plain]", "0");
    check("echo 'error: set `fetch-depth: 2`' >&2; false", "error: set `fetch-depth: 2`", "2");
}

#[test]
fn the_report_knows_what_was_requested_and_what_became_of_it() {
    let check = |change: fn(ActionRunner) -> ActionRunner, expected: &str| {
        let runner = change(ActionRunner::new().program("xmlperf", &format!("{WITNESS}\nexit 1")));
        assert_eq!(runner.step("report.sh").code, Some(1));
        let arguments = fs::read_to_string(runner.path("temp/arguments")).unwrap();
        assert!(arguments.contains(expected), "{arguments}");
    };
    check(|it| it.with("XMLPERF_COMPARE_EXIT", "3"), "[--compare-exit][3]");
    check(|it| it.with("XMLPERF_COMMAND", "run"), "[--alone]");
    let artifact = |it: ActionRunner| {
        it.with("XMLPERF_COMMAND", "report").with("XMLPERF_ARTIFACT_RUN_ID", "77")
    };
    check(artifact, "[--artifact][xmlperf-report][--artifact-run-id][77]");
    check(|it| it.with("XMLPERF_PAGE_URL", "https://x/1"), "[--page-url][https://x/1]");
}

#[test]
fn a_page_that_cannot_be_written_keeps_nothing_from_being_published() {
    let of = |code: i32| {
        let program = format!("{WITNESS}\nexit {code}");
        let runner = ActionRunner::new().program("xmlperf", &program);
        let runner = runner.with("XMLPERF_COMMAND", "page").with("XMLPERF_ARTIFACT_RUN_ID", "77");
        let step = runner.step("report.sh");
        assert_eq!(step.code, Some(0));
        let arguments = fs::read_to_string(runner.path("temp/arguments")).unwrap();
        assert!(arguments.contains("[--artifact-run-id][77][--page-dir]["), "{arguments}");
        // What publishes has no meaning here.
        assert!(!arguments.contains("--comment]") && !arguments.contains("--fail-on"));
        step.printed.contains("::notice title=xmlperf::there is no page")
    };
    assert!(!of(0));
    assert!(of(3));
}

/// An address of the Action, as a user gives it.
const ADDRESS: &str = "acme/xmlperf-action@0123456789abcdef0123456789abcdef01234567";

fn init(folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xmlperf"));
    command.arg("init").args(words).current_dir(folder).output().unwrap()
}

#[test]
fn one_command_writes_all_that_a_gate_needs() {
    let folder = tempfile::tempdir().unwrap();
    let words = ["--github", "--action", ADDRESS];
    let (workflow, configuration) =
        (folder.path().join(".github/workflows/xmlperf.yml"), folder.path().join("xmlperf.toml"));
    assert!(init(folder.path(), &words).status.success());
    assert!(workflow.exists() && configuration.exists());
    // What a user has written is not written over, and is enough.
    let again = init(folder.path(), &words);
    assert_eq!(again.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&again.stderr).contains("`--force` overwrites it"));
    fs::remove_file(&workflow).unwrap();
    let half = init(folder.path(), &words);
    assert!(half.status.code() == Some(2) && !workflow.exists(), "one of several files is there");
    fs::remove_dir_all(folder.path().join(".github")).unwrap();
    fs::write(&configuration, "# mine\n").unwrap();
    assert!(init(folder.path(), &words).status.success() && workflow.exists());
    assert_eq!(fs::read_to_string(&configuration).unwrap(), "# mine\n");
}

#[test]
fn no_workflow_is_written_with_an_address_that_is_none() {
    for words in [&["--github"][..], &["--github", "--action", "org/xmlperf-action@v1"]] {
        let folder = tempfile::tempdir().unwrap();
        let output = init(folder.path(), words);
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("owner/repository@commit"), "{said}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{words:?}");
    }
}

/// `.ci/run workflows` validates what is written by what GitHub takes; here it is held to be what is written.
#[test]
fn the_workflows_that_are_validated_are_those_that_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let words = ["--github", "--action", ADDRESS, "--budget", "5m", "--only-paths", "api/**"];
    let output = init(folder.path(), &[&words[..], &["--only-paths", "lib's/**"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let held = root().join("tests/github/written");
    let files =
        ["workflows/xmlperf.yml", "workflows/xmlperf-forks.yml", "workflows/xmlperf-twin.yml"];
    for name in files.into_iter().chain(["xmlperf-setup/action.yml"]) {
        let written = fs::read_to_string(folder.path().join(".github").join(name)).unwrap();
        let path = held.join(name);
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, &written).unwrap();
        }
        let shown = fs::read_to_string(&path).unwrap();
        let message = "run: UPDATE_DOCS=1 cargo test --locked --test cli -- action";
        assert!(written == shown, "tests/github/written/{name} is not what is written; {message}");
    }
}

#[test]
fn a_release_is_a_draft_until_it_is_whole_and_its_tag_knows_the_checksums() {
    let runner = ActionRunner::new().program("gh", "echo \"$*\" >> \"$HOME/gh\"");
    let (origin, work) = (runner.path("origin"), runner.path("work"));
    git(runner.folder.path(), &["init", "--quiet", "--bare", origin.to_str().unwrap()]);
    git(&work, &["init", "--quiet", "--initial-branch", "main"]);
    git(&work, &["remote", "add", "origin", origin.to_str().unwrap()]);
    for folder in [".github/release", "action", "dist"] {
        fs::create_dir_all(work.join(folder)).unwrap();
    }
    let script = ".github/release/publish.sh";
    fs::copy(root().join(script), work.join(script)).unwrap();
    fs::write(work.join("Cargo.toml"), "[workspace.package]\nversion = \"1.4.0\"\n\n[package]\n")
        .unwrap();
    commit_all(&work, "first");
    fs::write(work.join("dist/xmlperf-v1.4.0-x86_64-unknown-linux-musl.tar.gz"), "x").unwrap();
    fs::write(work.join("dist/xmlperf-v1.4.0-x86_64-unknown-linux-musl.cdx.json"), "{}").unwrap();
    let publish = || {
        let mut command = Command::new(work.join(script));
        command.env_clear().envs(&runner.environment);
        command.env("GITHUB_SERVER_URL", "https://github.com").env("GITHUB_REPOSITORY", "o/r");
        let output = command.output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    assert!(publish().0);
    let at = |path: &str| git(&origin, &["show", &format!("v1.4.0:{path}")]);
    assert_eq!(at("action/RELEASE"), "https://github.com/o/r/releases/download/v1.4.0");
    let sum = units::hex(&Sha256::digest("x"));
    let archive = "xmlperf-v1.4.0-x86_64-unknown-linux-musl.tar.gz";
    assert_eq!(at("action/SHA256SUMS"), format!("{sum}  {archive}"));
    assert_eq!(git(&origin, &["rev-parse", "v1"]), git(&origin, &["rev-parse", "v1.4.0"]));
    let said = fs::read_to_string(runner.path("temp/gh")).unwrap();
    let lines: Vec<&str> = said.lines().skip(1).collect();
    assert!(lines[0].starts_with("release create v1.4.0 --draft --verify-tag"), "{said}");
    assert_eq!(lines[1], "release edit v1.4.0 --draft=false");
    // What is released stays as it is.
    let (published, printed) = publish();
    assert!(!published && printed.contains("v1.4.0 is released already"), "{printed}");
    fs::write(work.join("dist/xmlperf-v1.5.0-x.tar.gz"), "y").unwrap();
    fs::write(work.join("Cargo.toml"), "[workspace.package]\nversion = \"1.6.0\"\n\n[package]\n")
        .unwrap();
    let (published, printed) = publish();
    assert!(!published && printed.contains("is not of version v1.6.0"), "{printed}");
}

/// A name of an input or an output, what is said of it, and its default.
struct InterfaceEntry {
    name: String,
    description: String,
    default: Option<String>,
}

/// The inputs that a text gives the Action, as `with` has them below a step that uses it.
fn inputs_given(text: &str) -> Vec<String> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut given = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if !line.contains("uses: ") || !line.contains("/xmlperf-action@") {
            continue;
        }
        let of_step = line.find("uses: ").unwrap();
        let is_of_step = |line: &&str| line.is_empty() || indent(line) >= of_step;
        let mut is_input = false;
        while let Some(line) = lines.next_if(is_of_step) {
            match line.trim_start().split_once(':') {
                Some((key, _)) if indent(line) == of_step => is_input = key == "with",
                Some((key, _)) if is_input && !key.starts_with('#') => given.push(key.to_owned()),
                _ => {}
            }
        }
    }
    given
}

#[test]
fn the_inputs_that_the_book_and_its_workflows_give_are_those_of_the_action() {
    let known: Vec<_> = entries("inputs").into_iter().map(|entry| entry.name).collect();
    let folders = ["", "docs", "docs/how-to", "docs/workflows"].map(|folder| root().join(folder));
    let entries = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut seen = 0;
    for path in paths.filter(|it| it.extension().is_some_and(|it| it == "md" || it == "yml")) {
        for input in inputs_given(&fs::read_to_string(&path).unwrap()) {
            assert!(known.contains(&input), "{}: no input `{input}`", path.display());
            seen += 1;
        }
    }
    assert!(seen >= 20, "only {seen} inputs found");
}

/// The entries of `section`, in the one form that `action.yml` uses.
fn entries(section: &str) -> Vec<InterfaceEntry> {
    let text = fs::read_to_string(root().join("action.yml")).unwrap();
    let (_, rest) = text.split_once(&format!("\n{section}:\n")).unwrap();
    let mut entries: Vec<InterfaceEntry> = Vec::new();
    for line in rest.lines().take_while(|line| line.is_empty() || line.starts_with(' ')) {
        let Some((key, value)) = line.trim().split_once(':') else { continue };
        let value = value.trim().trim_matches('\'').replace("''", "'");
        match (line.len() - line.trim_start().len(), key) {
            (2, name) => entries.push(InterfaceEntry {
                name: name.to_owned(),
                description: String::new(),
                default: None,
            }),
            (4, "description") => entries.last_mut().unwrap().description = value,
            (4, "default") => entries.last_mut().unwrap().default = Some(value),
            _ => {}
        }
    }
    entries
}

fn tables() -> String {
    let cell = |text: &str| text.replace('|', "\\|");
    let mut text = String::from("| input | is | default |\n|:--|:--|:--|\n");
    for InterfaceEntry { name, description, default } in entries("inputs") {
        let default = match default.as_deref() {
            None | Some("") => String::new(),
            Some("${{ github.token }}") => "the job's".to_owned(),
            Some(default) => format!("`{default}`"),
        };
        writeln!(text, "| `{name}` | {} | {default} |", cell(&description)).unwrap();
    }
    text += "\n| output | is |\n|:--|:--|\n";
    for InterfaceEntry { name, description, .. } in entries("outputs") {
        writeln!(text, "| `{name}` | {} |", cell(&description)).unwrap();
    }
    text
}

/// `UPDATE_DOCS=1 cargo test --test cli action` writes the tables anew.
#[test]
fn the_tables_of_inputs_and_outputs_are_those_of_the_action() {
    let (begin, end) = ("<!-- inputs and outputs of action.yml -->\n", "<!-- end -->");
    let path = root().join("docs/action.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(begin).unwrap();
    let (shown, after) = rest.split_once(end).unwrap();
    let tables = format!("\n{}\n", tables());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{before}{begin}{tables}{end}{after}")).unwrap();
    } else {
        assert_eq!(shown, tables, "run: UPDATE_DOCS=1 cargo test --test cli action");
    }
}

#[test]
fn every_input_reaches_a_script_and_every_output_comes_from_one() {
    let text = fs::read_to_string(root().join("action.yml")).unwrap();
    let steps = text.split_once("\nruns:\n").unwrap().1;
    for InterfaceEntry { name, description, .. } in entries("inputs") {
        assert!(!description.is_empty(), "{name}");
        assert!(steps.contains(&format!("${{{{ inputs.{name} }}}}")), "{name} is not used");
    }
    assert!(!steps.contains("uses:"), "a nested action would not be pinned by our pin");
    let commands = steps.lines().filter(|line| line.trim_start().starts_with("run:"));
    assert!(commands.clone().count() == 8 && commands.clone().all(|line| !line.contains("${{")));
    let (measure, _) = steps.split_once("- name: Report").unwrap();
    assert!(!measure.contains("github-token") && !measure.contains("github.token"));
}

#[test]
fn every_action_that_a_workflow_uses_is_pinned() {
    let mut seen = 0;
    let folders = [".github/workflows", "docs/workflows"].map(|folder| root().join(folder));
    let workflows = folders.iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let workflows: Vec<PathBuf> = workflows.map(|entry| entry.unwrap().path()).collect();
    for path in &workflows {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.contains("\npermissions: {}\n"), "{}", path.display());
    }
    for path in workflows.into_iter().chain([root().join("README.md")]) {
        let text = fs::read_to_string(&path).unwrap();
        for line in text.lines().filter(|line| line.contains("- uses:")) {
            let what = line.split_once("uses:").unwrap().1.trim();
            let pinned = what.split_once('@').is_some_and(|(_, version)| {
                let (commit, comment) = version.split_once(" # v").unwrap_or(("", ""));
                commit.len() == 40
                    && commit.bytes().all(|c| c.is_ascii_hexdigit())
                    && comment.starts_with(|c: char| c.is_ascii_digit())
            });
            let ours = what.starts_with("./") || what.starts_with("org/xmlperf-action@v1");
            assert!(pinned || ours, "{}: {line}", path.display());
            seen += 1;
        }
    }
    assert!(seen >= 15, "only {seen} uses found");
}
