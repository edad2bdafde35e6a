//! A path that shows that a program is up, where its sources name one of those that are common.

use std::sync::LazyLock;

use regex::Regex;

use crate::project::guess::EvidentText;
use crate::project::tree::ProjectTree;

/// Ends of paths that show it, those first that say it best.
const ENDS: [&str; 10] = [
    "readyz",
    "ready",
    "healthz",
    "health",
    "healthcheck",
    "livez",
    "live",
    "status",
    "ping",
    "up",
];

static PATH: LazyLock<Regex> = LazyLock::new(|| {
    let ends = ENDS.join("|");
    Regex::new(&format!(r#"['"`](/(?:[A-Za-z0-9_.-]+/){{0,4}}(?:{ends}))['"`]"#))
        .expect("a fixed expression")
});

/// Returns the path that shows best that the program is up.
pub(super) fn path(tree: &ProjectTree) -> Option<EvidentText> {
    let found = tree.sources().flat_map(|file| {
        let paths = PATH.captures_iter(&file.text).filter_map(|found| found.get(1));
        paths.map(|path| EvidentText::new(path.as_str(), file.evidence(path.start())))
    });
    let rank = |path: &EvidentText| {
        let end = path.text.rsplit('/').next().unwrap_or_default();
        ENDS.iter().position(|other| *other == end)
    };
    found.min_by_key(rank).or_else(|| of_framework(tree))
}

/// The path of a framework's own health page, which no source names.
fn of_framework(tree: &ProjectTree) -> Option<EvidentText> {
    const PAGES: [(&str, &str); 3] = [
        ("spring-boot-starter-actuator", "/actuator/health"),
        ("quarkus-smallrye-health", "/q/health/ready"),
        ("micronaut-management", "/health"),
    ];
    let manifests = || tree.named(&["pom.xml", "build.gradle", "build.gradle.kts"]);
    PAGES.iter().find_map(|(library, path)| {
        let file = manifests().find(|file| file.text.contains(library))?;
        Some(EvidentText::new(*path, file.evidence_of(library)))
    })
}
