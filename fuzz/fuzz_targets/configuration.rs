//! A configuration is a suite, or an error that shows the place.
#![no_main]

use std::fs;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use suite::config::{self, ConfigOverrides};
use tempfile::TempDir;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a folder"));

fuzz_target!(|text: &str| {
    let path = FOLDER.path().join("xmlperf.toml");
    fs::write(&path, text).expect("room for a configuration");
    if let Err(error) = config::load(&path, &ConfigOverrides::default()) {
        assert!(!error.to_string().is_empty());
    }
    let _ = config::store(&path);
});
