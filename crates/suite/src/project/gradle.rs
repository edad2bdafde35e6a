//! Programs that Gradle builds.

use std::sync::LazyLock;

use regex::Regex;

use crate::project::guess::{EvidentText, ProgramGuess};
use crate::project::tree::ProjectTree;

static PROJECT_NAME: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"rootProject\.name\s*=\s*['"]([\w.-]+)['"]"#).expect("a fixed expression")
});
static VERSION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?m)^version\s*=?\s*['"]([\w.-]+)['"]"#).expect("a fixed expression")
});
static APPLICATION: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?m)^\s*(application)\s*$|(id[ (]['"]application['"])|(apply plugin: ['"]application['"])"#)
        .expect("a fixed expression")
});

/// Finds the program of the project at the root.
pub(super) fn program(tree: &ProjectTree) -> Option<ProgramGuess> {
    let file = ["build.gradle", "build.gradle.kts"].iter().find_map(|name| tree.file(name))?;
    let settings = ["settings.gradle", "settings.gradle.kts"];
    let settings = settings.iter().find_map(|name| tree.file(name));
    let name = settings.and_then(|settings| settings.find(&PROJECT_NAME)).map(|(name, _)| name);
    let command = if tree.has("gradlew") { "./gradlew" } else { "gradle" };
    let boot = "org.springframework.boot";
    if file.text.contains(boot) {
        let evidence = file.evidence_of(boot);
        let version = file.find(&VERSION).map(|(version, _)| format!("-{version}"));
        let start = name.map(|name| {
            let jar = format!("build/libs/{name}{}.jar", version.unwrap_or_default());
            let command = format!("java -jar {jar} --server.port={{port}}");
            EvidentText::new(command, evidence.clone())
        });
        let build = EvidentText::new(format!("{command} --quiet bootJar"), evidence);
        return Some(ProgramGuess { build, start });
    }
    let application = file.find(&APPLICATION);
    let (task, evidence) = match application {
        Some((_, evidence)) => ("installDist", evidence),
        None => {
            return Some(ProgramGuess {
                build: EvidentText::new(format!("{command} --quiet assemble"), file.evidence(0)),
                start: None,
            });
        }
    };
    let start = name.map(|name| {
        EvidentText::new(format!("./build/install/{name}/bin/{name}"), evidence.clone())
    });
    Some(ProgramGuess {
        build: EvidentText::new(format!("{command} --quiet {task}"), evidence),
        start,
    })
}
