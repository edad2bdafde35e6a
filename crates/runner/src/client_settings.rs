//! How a client sends a scenario's requests: under load, and one at a time where nothing is timed.

use std::num::NonZeroUsize;

use load::{ClientSettings, ConnectionReuse, HttpVersion};
use suite::{ReusePolicy, Scenario};

/// As the scenario's load says.
pub(super) fn of_load(scenario: &Scenario) -> ClientSettings {
    let load = &scenario.load;
    let reuse = match load.reuse {
        ReusePolicy::Kept | ReusePolicy::Slice => ConnectionReuse::Kept,
        ReusePolicy::Request => ConnectionReuse::PerRequest,
    };
    let (connections, http, timeouts) = (number(load.connections), load.http, load.timeouts);
    let mut settings =
        ClientSettings { connections, http, reuse, timeouts, ..ClientSettings::default() };
    if let Some(bytes) = load.answer_bytes_max {
        settings.answer_bytes_max = usize::try_from(bytes).unwrap_or(usize::MAX);
    }
    settings
}

/// The same over one connection and one stream: what holds for an answer under load holds for each alone.
pub(super) fn one_at_a_time(scenario: &Scenario) -> ClientSettings {
    let settings = of_load(scenario);
    let http = match settings.http {
        HttpVersion::One => HttpVersion::One,
        HttpVersion::Two { .. } => HttpVersion::Two { streams: NonZeroUsize::MIN },
    };
    ClientSettings { connections: NonZeroUsize::MIN, http, ..settings }
}

/// Returns a configured number of connections, of which there is one at least.
pub(super) fn number(connections: u32) -> NonZeroUsize {
    let connections = usize::try_from(connections).unwrap_or(usize::MAX);
    NonZeroUsize::new(connections).unwrap_or(NonZeroUsize::MIN)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use load::Timeouts;
    use suite::config::{self, ConfigOverrides};
    use suite::{LoadAmount, LoadSettings};

    use super::*;

    #[test]
    fn a_request_alone_has_the_time_and_the_memory_that_it_has_under_load() {
        let timeouts = Timeouts { total: Duration::from_secs(7), ..Timeouts::default() };
        let load = LoadSettings {
            http: HttpVersion::Two { streams: NonZeroUsize::new(9).unwrap() },
            timeouts,
            answer_bytes_max: Some(1 << 30),
            reuse: ReusePolicy::Request,
            ..LoadSettings::closed(5, LoadAmount::Time)
        };
        let suite = config::embedded(Path::new("."), &ConfigOverrides::default()).unwrap();
        let scenario = Scenario { load, ..suite.scenarios[0].clone() };
        let alone = one_at_a_time(&scenario);
        assert_eq!((alone.connections.get(), alone.in_flight_max()), (1, 1));
        assert_eq!(of_load(&scenario).in_flight_max(), 45);
        let under_load = of_load(&scenario);
        assert_eq!(
            alone,
            ClientSettings { connections: alone.connections, http: alone.http, ..under_load }
        );
        assert_eq!((alone.timeouts, alone.answer_bytes_max), (timeouts, 1 << 30));
    }
}
