//! Which storage backend an address means.

use std::path::Path;

use crate::BaselineError;
use crate::backend::StorageBackend;
use crate::branch::BranchBackend;
use crate::bucket::{self, BucketBackend};
use crate::directory::DirectoryBackend;

/// Returns the place that an address means; a relative folder is taken from `root`.
pub(super) fn open(location: &str, root: &Path) -> Result<Box<dyn StorageBackend>, BaselineError> {
    let wrong = |reason: &str, hint: &str| BaselineError::BadLocation {
        location: location.to_owned(),
        reason: reason.to_owned(),
        hint: hint.to_owned(),
    };
    if location.is_empty() {
        return Err(wrong("it is empty", bucket::FORMS));
    }
    match location.split_once("://") {
        None => Ok(Box::new(DirectoryBackend::new(location, &root.join(location)))),
        Some(("file", path)) if path.starts_with('/') => {
            Ok(Box::new(DirectoryBackend::new(path, Path::new(path))))
        }
        Some(("file", _)) => Err(wrong("a `file` URL has three slashes", "`file:///path`")),
        Some(("git+branch", rest)) => Ok(Box::new(BranchBackend::open(location, rest, root)?)),
        Some(_) => Ok(Box::new(BucketBackend::open(location)?)),
    }
}
