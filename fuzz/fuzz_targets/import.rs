//! Results of other load and benchmark tools.
#![no_main]

use interop::import;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(run) = import::read(text, None) else { return };
    assert!(!run.series.is_empty());
    for series in &run.series {
        let numbers = [series.times.mean, series.times.min, series.times.max, series.rate];
        assert!(numbers.iter().flatten().all(|number| !number.is_nan()), "{series:?}");
        assert!(series.times.percentiles.iter().all(|(rank, time)| !rank.is_nan() && !time.is_nan()));
    }
});
