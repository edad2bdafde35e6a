//! A duration as a whole number of nanoseconds, for `#[serde(with = "units::duration_ns")]`: what
//! people and other programs read, and exact.

use std::time::Duration;

use serde::{Deserialize, Deserializer, Serializer};

/// Writes a duration, at most `u64::MAX` nanoseconds (584 years).
pub fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(crate::nanos(*duration))
}

/// Reads a duration.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u64::deserialize(deserializer).map(Duration::from_nanos)
}

/// The same of a duration that may not be there, for `#[serde(with = "units::duration_ns::option", default)]`.
pub mod option {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// Writes a duration, if there is one.
    pub fn serialize<S: Serializer>(
        duration: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        duration.map(crate::nanos).serialize(serializer)
    }

    /// Reads a duration, if there is one.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(Duration::from_nanos))
    }
}
