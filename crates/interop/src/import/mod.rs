//! Reads the results of other tools.
//!
//! Times are in nanoseconds, rates in requests per second, whatever the file has them in. What a file does not
//! have stays `None`: nothing is reckoned from what only looks alike.

mod ab;
mod autocannon;
mod bombardier;
mod content;
mod contract;
mod criterion;
mod failure;
mod fields;
mod format;
mod gatling;
mod h2load;
mod hey;
mod hyperfine;
mod jmeter;
mod k6;
mod k6_operator;
mod k6_points;
mod locust;
mod oha;
mod printed;
mod series;
mod vegeta;
mod wrk;

pub use crate::import::contract::{
    DelayCorrection, FailureTimes, MeasureContract, MeasureOrder, MeasureUnit,
};
pub use crate::import::failure::ImportError;
pub use crate::import::format::ImportFormat;
pub use crate::import::series::{
    ImportedRun, ImportedSeries, ImportedThreshold, MissingFact, TimeSummary,
};

use crate::import::content::Content;

/// Reads a result. Without a format, the content says which it is: exactly one must fit.
///
/// Fails if no format or several fit, if the content is not of the named one, or if a number is not one.
pub fn read(text: &str, format: Option<ImportFormat>) -> Result<ImportedRun, ImportError> {
    let content = Content::of(text);
    let found = content.formats();
    let format = match (format, found.as_slice()) {
        (Some(named), found) if found.contains(&named) => named,
        (Some(named), [other, ..]) => {
            return Err(ImportError::AnotherFormat { named, found: *other });
        }
        (Some(named), []) => return Err(ImportError::NotOfFormat { named }),
        (None, [only]) => *only,
        (None, []) => return Err(content.unknown()),
        (None, several) => return Err(ImportError::SeveralFit { formats: several.to_vec() }),
    };
    let run = content.parse(format)?;
    if run.series.is_empty() {
        return Err(ImportError::NoRequests { format });
    }
    Ok(run)
}

#[cfg(test)]
mod tests;
