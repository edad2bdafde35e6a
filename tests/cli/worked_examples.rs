//! The services of `tests/services` as worked examples: that the page has their configurations as they are, and
//! that each is understood.

use std::fs;
use std::path::{Path, PathBuf};

use suite::config::{self, ConfigOverrides};

const NAMES: [&str; 5] = ["flask", "express", "jdk", "tiny_http", "aspnet"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

#[test]
fn the_page_has_the_configuration_of_each_service_as_it_is() {
    let page = fs::read_to_string(root().join("docs/scenarios.md")).unwrap();
    for name in NAMES {
        let path = root().join("tests/services").join(name).join("xmlperf.toml");
        let text = fs::read_to_string(path).unwrap();
        assert!(page.contains(&format!("```toml\n{text}```")), "docs/scenarios.md: {name}");
    }
}

#[test]
fn each_configuration_is_a_login_and_a_mix_of_three_operations() {
    for name in NAMES {
        let path = root().join("tests/services").join(name).join("xmlperf.toml");
        let suite = config::load(&path, &ConfigOverrides::default()).unwrap();
        let [scenario] = &suite.scenarios[..] else { panic!("{name}") };
        let names = scenario.operations.iter().map(|it| it.name.as_ref().unwrap().as_str());
        let names: Vec<_> = names.collect();
        assert_eq!(names, ["login", "create", "read", "search"], "{name}");
        assert_eq!(scenario.setup.len(), 2, "{name}");
        assert!(scenario.operations.iter().any(|it| it.is_live), "{name}");
    }
}
