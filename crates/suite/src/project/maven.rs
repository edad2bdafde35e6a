//! Programs that Maven packages.

use roxmltree::{Document, Node};

use crate::project::guess::{EvidentText, ProgramGuess};
use crate::project::tree::{ProjectFile, ProjectTree};

/// Finds the program of the project at the root.
pub(super) fn program(tree: &ProjectTree) -> Option<ProgramGuess> {
    let file = tree.file("pom.xml")?;
    let document = Document::parse(&file.text).ok()?;
    let project = document.root_element();
    let command = if tree.has("mvnw") { "./mvnw" } else { "mvn" };
    let build = EvidentText::new(
        format!("{command} --quiet --batch-mode -DskipTests package"),
        file.evidence_of("<artifactId>"),
    );
    Some(ProgramGuess { build, start: start(file, project) })
}

fn start(file: &ProjectFile, project: Node<'_, '_>) -> Option<EvidentText> {
    let has = |name: &str| file.text.contains(name);
    if has("quarkus-maven-plugin") {
        let command = "java -Dquarkus.http.port={port} -jar target/quarkus-app/quarkus-run.jar";
        return Some(EvidentText::new(command, file.evidence_of("quarkus-maven-plugin")));
    }
    let name = jar_name(project)?;
    if has("spring-boot-maven-plugin") {
        let command = format!("java -jar target/{name}.jar --server.port={{port}}");
        return Some(EvidentText::new(command, file.evidence_of("spring-boot-maven-plugin")));
    }
    // A jar can be started where its manifest names a class, or where all is in one.
    let is_runnable = ["maven-shade-plugin", "<mainClass>", "maven-assembly-plugin"];
    let sign = is_runnable.into_iter().find(|sign| has(sign))?;
    Some(EvidentText::new(format!("java -jar target/{name}.jar"), file.evidence_of(sign)))
}

/// The name of the jar without its ending; none where a property decides it.
fn jar_name(project: Node<'_, '_>) -> Option<String> {
    let child = |parent: Node<'_, '_>, name: &str| {
        let found = parent.children().find(|child| child.tag_name().name() == name)?;
        found.text().map(|text| text.trim().to_owned())
    };
    let within = |name: &str| project.children().find(|it| it.tag_name().name() == name);
    let name = within("build").and_then(|build| child(build, "finalName")).or_else(|| {
        let artifact = child(project, "artifactId")?;
        let version = child(project, "version");
        let version = version.or_else(|| within("parent").and_then(|it| child(it, "version")))?;
        Some(format!("{artifact}-{version}"))
    })?;
    let is_plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    is_plain.then_some(name)
}
