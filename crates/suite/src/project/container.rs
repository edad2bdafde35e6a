//! What a `Dockerfile` and a compose file show of a program and of what stands beside it.

use std::sync::LazyLock;

use regex::Regex;

use crate::project::guess::{EvidentText, ServiceImage};
use crate::project::tree::ProjectTree;

static EXPOSE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?mi)^EXPOSE\s+([0-9]{1,5})\b").expect("a fixed expression"));

/// A service of a compose file: its name, and the image that it runs.
static SERVICE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"(?m)^  ([A-Za-z0-9_-]+):\s*\n(?:(?:    .*|\s*)\n)*?    image:\s*['"]?([\w./:@-]+)"#,
    )
    .expect("a fixed expression")
});

/// Images of services whose port is known.
const IMAGES: [(&str, u16); 9] = [
    ("postgres", 5432),
    ("mysql", 3306),
    ("mariadb", 3306),
    ("redis", 6379),
    ("valkey", 6379),
    ("memcached", 11211),
    ("mongo", 27017),
    ("rabbitmq", 5672),
    ("nats", 4222),
];

/// What the files of containers show.
pub(super) struct ContainerFiles {
    /// The port that a `Dockerfile` exposes.
    pub(super) exposed: Option<EvidentText>,
    pub(super) services: Vec<ServiceImage>,
}

impl ContainerFiles {
    pub(super) fn read(tree: &ProjectTree) -> Self {
        let exposed = tree.file("Dockerfile").and_then(|file| file.find(&EXPOSE));
        let names = ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];
        let compose = names.iter().find_map(|name| tree.file(name));
        let services = compose.into_iter().flat_map(|file| {
            SERVICE.captures_iter(&file.text).filter_map(|found| {
                let (name, image) = (found.get(1)?, found.get(2)?);
                let base = image.as_str().rsplit('/').next()?.split([':', '@']).next()?;
                let (_, port) = IMAGES.iter().find(|(known, _)| *known == base)?;
                Some(ServiceImage {
                    name: name.as_str().to_owned(),
                    image: image.as_str().to_owned(),
                    port: *port,
                    evidence: file.evidence(image.start()),
                })
            })
        });
        let exposed = exposed.map(|(port, evidence)| EvidentText::new(port, evidence));
        Self { exposed, services: services.collect() }
    }
}
