//! Results of other load and benchmark tools, read as what they are; descriptions of APIs and recordings of
//! traffic, read as operations; scenarios, written for those tools; and metrics of ours, as monitoring takes
//! them.
//!
//! Two tools that print "p95" rarely mean the same: the clock may start at another moment, a failure's
//! time may be in it or not, and the number may be rounded to a millisecond. So whatever is read comes with a
//! [`MeasureContract`](import::MeasureContract), which a report prints beside the numbers.
//!
//! ```
//! use xmlperf_interop::import;
//!
//! let text = r#"{"results": [{"command": "true", "mean": 0.002, "times": [0.001, 0.003]}]}"#;
//! let run = import::read(text, None)?;
//! assert_eq!(run.format, import::ImportFormat::Hyperfine);
//! assert_eq!(run.series[0].requests, Some(2));
//! # Ok::<(), import::ImportError>(())
//! ```

pub mod description;
pub mod export;
pub mod import;
pub mod otlp;
pub mod remote_write;
