//! What a request wants left out of the comparison.

/// The parts of two documents that do not count.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct IgnoreRules {
    paths: Vec<PathRule>,
    properties: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum PathRule {
    /// `/a/b`: this path only.
    Exact(String),
    /// `/a/`: everything below.
    Below(String),
    /// `/a/*`: a star stands for one name.
    Steps(Vec<String>),
}

impl IgnoreRules {
    /// Reads the paths as the contract writes them; a property is the name of an element or of an
    /// attribute.
    pub(super) fn new(paths: &[String], properties: Vec<String>) -> Self {
        Self { paths: paths.iter().map(|path| PathRule::new(path)).collect(), properties }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.paths.is_empty() && self.properties.is_empty()
    }

    pub(super) fn has_property(&self, name: &[u8]) -> bool {
        self.properties.iter().any(|property| property.as_bytes() == name)
    }

    pub(super) fn has_path(&self, path: &[u8]) -> bool {
        self.paths.iter().any(|rule| rule.covers(path))
    }
}

impl PathRule {
    fn new(path: &str) -> Self {
        if path.ends_with('/') {
            Self::Below(path.to_owned())
        } else if path.split('/').any(|step| step == "*") {
            Self::Steps(path.split('/').map(str::to_owned).collect())
        } else {
            Self::Exact(path.to_owned())
        }
    }

    fn covers(&self, path: &[u8]) -> bool {
        match self {
            Self::Exact(exact) => exact.as_bytes() == path,
            Self::Below(prefix) => path.starts_with(prefix.as_bytes()),
            Self::Steps(steps) => {
                let mut names = path.split(|byte| *byte == b'/');
                steps.iter().all(|step| {
                    names.next().is_some_and(|name| step == "*" || step.as_bytes() == name)
                }) && names.next().is_none()
            }
        }
    }
}
