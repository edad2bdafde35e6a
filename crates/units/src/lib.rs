//! Durations, sizes and ratios, and the only place that formats or parses them.
//!
//! A number that two reports print is formatted here, so that 5.26 µs is never 5.260 us elsewhere.

pub mod cancel;
pub mod duration_ns;
pub mod environment;
pub mod text;

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Why a text is not a quantity; the message has an example of one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UnitError {
    /// It is not a time.
    #[error("`{0}` is not a duration such as `500 ms`, `30 s`, `3 m` or `1 h`")]
    Duration(String),
    /// It is not a number of bytes.
    #[error("`{0}` is not a size such as `512 MiB` or `8 GiB`")]
    Size(String),
    /// It is not a number of bits per second.
    #[error("`{0}` is not a bandwidth such as `10 Mbit/s` or `1 Gbit/s`")]
    BitRate(String),
    /// It is not a part of a whole.
    #[error("`{0}` is not a share such as `5%` or `0.05`")]
    Share(String),
}

/// A relative change or share: 0.03 is 3 %.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Ratio(pub f64);

impl Ratio {
    /// Returns the ratio of a logarithmic change: `ln(head / base)` to `head / base - 1`.
    pub fn from_ln(ln: f64) -> Self {
        Self(ln.exp_m1())
    }

    /// Returns the logarithm of the factor: 0.03 to `ln(1.03)`.
    pub fn ln(self) -> f64 {
        self.0.ln_1p()
    }

    /// Reads `5%`, `5 %` or `0.05`. Returns what would be right, if it is neither.
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        let text = text.trim();
        let (number, scale) = match text.strip_suffix('%') {
            Some(number) => (number.trim_end(), 100.0),
            None => (text, 1.0),
        };
        match number.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Self(value / scale)),
            Ok(_) | Err(_) => Err(UnitError::Share(text.to_owned())),
        }
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = self.0 * 100.0;
        if (percent - percent.round()).abs() < 1e-9 {
            write!(f, "{percent:.0} %")
        } else {
            write!(f, "{} %", trimmed(percent, 3))
        }
    }
}

/// Returns `p = 0.021`, or that it is below what three digits show.
pub fn probability(p: f64) -> String {
    if p < 0.0005 { "p < 0.001".to_owned() } else { format!("p = {p:.3}") }
}

/// Returns a logarithmic change as a signed percentage, `+14.2 %`, with a true minus sign.
pub fn change(ln: f64) -> String {
    if ln == f64::INFINITY {
        return "+∞".to_owned();
    }
    format!("{} %", change_number(ln))
}

/// Returns the interval of two logarithmic changes in percent, `[+11.8, +16.9]`.
pub fn interval(low_ln: f64, high_ln: f64) -> String {
    if low_ln == f64::NEG_INFINITY && high_ln == f64::INFINITY {
        return "unbounded".to_owned();
    }
    format!("[{}, {}]", change_number(low_ln), change_number(high_ln))
}

/// A percentage without its sign `%`. The decimals follow the size: 0.21, 14.2, 240.
fn change_number(ln: f64) -> String {
    let percent = ln.exp_m1() * 100.0;
    if percent == f64::INFINITY {
        return "+∞".to_owned();
    }
    let size = percent.abs();
    let decimals = if size < 0.995 { 2 } else { usize::from(size < 99.95) };
    let digits = format!("{size:.decimals$}");
    if digits.chars().all(|c| c == '0' || c == '.') {
        "0.0".to_owned()
    } else if percent < 0.0 {
        format!("\u{2212}{digits}")
    } else {
        format!("+{digits}")
    }
}

/// Returns nanoseconds with three significant digits and the unit that fits: `5.26 µs`, `1.92 ms`.
pub fn time_ns(ns: f64) -> String {
    let (value, unit) = match ns.abs() {
        size if size < 999.5 => (ns, "ns"),
        size if size < 999.5e3 => (ns / 1e3, "µs"),
        size if size < 999.5e6 => (ns / 1e6, "ms"),
        size if size < 600e9 => (ns / 1e9, "s"),
        _ => return format!("{} min", significant(ns / 60e9)),
    };
    format!("{} {unit}", significant(value))
}

/// Returns a duration as [`time_ns`] does.
pub fn duration(duration: Duration) -> String {
    time_ns(duration.as_secs_f64() * 1e9)
}

/// Returns bytes with three significant digits in binary units: `1.21 MiB`.
pub fn bytes(bytes: f64) -> String {
    let mut value = bytes;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value.abs() < 1023.5 {
            return format!("{} {unit}", significant(value));
        }
        value /= 1024.0;
    }
    format!("{} TiB", significant(value))
}

/// Returns a count, grouped by thousands with thin spaces from 10 000 on: `64 746`.
pub fn count(value: f64) -> String {
    if value.abs() < 9_999.5 {
        return significant(value);
    }
    let digits = format!("{:.0}", value.abs());
    let mut text = String::with_capacity(digits.len() * 2);
    if value < 0.0 {
        text.push('\u{2212}');
    }
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// Three significant digits, never an exponent, no digit lost before the point.
fn significant(value: f64) -> String {
    let decimals = match value.abs() {
        size if size == 0.0 || size >= 99.95 => 0,
        size if size >= 9.995 => 1,
        _ => 2,
    };
    format!("{value:.decimals$}")
}

/// A number with at most `decimals` decimals and no trailing zeros.
fn trimmed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Reads a duration such as `500 ms`, `30s`, `3m` or `1.5 h`, at most 584 years. The error says what
/// would be right.
pub fn parse_duration(text: &str) -> Result<Duration, UnitError> {
    const DURATION_MAX: Duration = Duration::from_nanos(u64::MAX);
    let wrong = || UnitError::Duration(text.to_owned());
    let (number, unit) = number_and_unit(text).ok_or_else(wrong)?;
    let seconds = match unit {
        "ns" => 1e-9,
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return Err(wrong()),
    };
    let duration = Duration::try_from_secs_f64(number * seconds).map_err(|_| wrong())?;
    // More does not fit into the nanoseconds that records and histograms count in.
    if duration <= DURATION_MAX { Ok(duration) } else { Err(wrong()) }
}

/// Reads a size such as `2 GiB`, `512MiB` or `100 kB`. Returns what would be right, if it is none.
pub fn parse_bytes(text: &str) -> Result<u64, UnitError> {
    let wrong = || UnitError::Size(text.to_owned());
    let (number, unit) = number_and_unit(text).ok_or_else(wrong)?;
    let scale = match unit {
        "B" | "" => 1.0,
        "kB" | "KB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "KiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        "GiB" => 1024.0 * 1024.0 * 1024.0,
        "TiB" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return Err(wrong()),
    };
    whole(number * scale).ok_or_else(wrong)
}

/// Returns bits per second with three significant digits: `10.0 Mbit/s`.
pub fn bit_rate(bits_per_s: f64) -> String {
    let (value, unit) = match bits_per_s.abs() {
        size if size < 999.5 => (bits_per_s, "bit/s"),
        size if size < 999.5e3 => (bits_per_s / 1e3, "kbit/s"),
        size if size < 999.5e6 => (bits_per_s / 1e6, "Mbit/s"),
        _ => (bits_per_s / 1e9, "Gbit/s"),
    };
    format!("{} {unit}", significant(value))
}

/// Reads a bandwidth such as `10 Mbit/s`, in bits per second. Returns what would be right, if it is
/// none.
pub fn parse_bit_rate(text: &str) -> Result<f64, UnitError> {
    let wrong = || UnitError::BitRate(text.to_owned());
    let (number, unit) = number_and_unit(text).ok_or_else(wrong)?;
    let scale = match unit {
        "bit/s" => 1.0,
        "kbit/s" => 1e3,
        "Mbit/s" => 1e6,
        "Gbit/s" => 1e9,
        _ => return Err(wrong()),
    };
    Ok(number * scale)
}

fn number_and_unit(text: &str) -> Option<(f64, &str)> {
    let text = text.trim();
    let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.' || c == '_'))?;
    let number = text[..split].replace('_', "").parse::<f64>().ok()?;
    Some((number, text[split..].trim()))
}

/// Returns a non-negative number rounded to a whole one, if it fits without loss.
pub fn whole(value: f64) -> Option<u64> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0; // 2^53
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
    (0.0..=EXACT_MAX).contains(&value).then(|| value.round() as u64)
}

/// Returns the sum of counts, or the largest number there is: what is read may hold any.
pub fn total(counts: impl IntoIterator<Item = u64>) -> u64 {
    counts.into_iter().fold(0, u64::saturating_add)
}

/// Returns a count as a float. Exact below 2^53: 104 days in nanoseconds, 8 PiB in bytes.
pub fn exact(count: u64) -> f64 {
    count as f64
}

/// Returns bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
    }
    text
}

/// Returns a duration in whole nanoseconds, at most `u64::MAX` (584 years).
pub fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_as_a_person_would_write_them() {
        let times = [0.0, 12.34, 999.4, 999.6, 5_261.0, 1.92e6, 8.305e6, 2.5e9, 66e9, 4.2e12];
        let times: Vec<_> = times.into_iter().map(time_ns).collect();
        insta::assert_snapshot!(times.join(" · "),
            @"0 ns · 12.3 ns · 999 ns · 1.00 µs · 5.26 µs · 1.92 ms · 8.30 ms · 2.50 s · 66.0 s · 70.0 min");
        let sizes = [0.0, 1_000.0, 1_024.0, 1.5e6, 8.0 * 1024.0 * 1024.0 * 1024.0];
        let sizes: Vec<_> = sizes.into_iter().map(bytes).collect();
        insta::assert_snapshot!(sizes.join(" · "), @"0 B · 1000 B · 1.00 KiB · 1.43 MiB · 8.00 GiB");
        let counts = [0.0, 3.25, 333.0, 9_999.0, 64_746.2, 1_234_567.0];
        let counts: Vec<_> = counts.into_iter().map(count).collect();
        insta::assert_snapshot!(counts.join(" · "), @"0 · 3.25 · 333 · 9999 · 64\u{202f}746 · 1\u{202f}234\u{202f}567");
    }

    #[test]
    fn bytes_become_two_digits_each() {
        assert_eq!(hex(&[0x00, 0x0f, 0xa5, 0xff]), "000fa5ff");
    }

    #[test]
    fn changes_carry_their_sign_and_no_false_precision() {
        let changes = [0.0, 1e-9, 0.1328, -0.116, 0.0021, -0.000_01, 1.3, f64::INFINITY];
        let changes: Vec<_> = changes.into_iter().map(change).collect();
        insta::assert_snapshot!(changes.join(" · "),
            @"0.0 % · 0.0 % · +14.2 % · −11.0 % · +0.21 % · 0.0 % · +267 % · +∞");
        insta::assert_snapshot!(interval(-0.01, 0.03), @"[−1.0, +3.0]");
        insta::assert_snapshot!(interval(f64::NEG_INFINITY, f64::INFINITY), @"unbounded");
    }

    #[test]
    fn what_a_person_writes_is_understood_or_refused_with_an_example() {
        assert_eq!(parse_duration("500 ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("3m"), Ok(Duration::from_mins(3)));
        assert_eq!(parse_bytes("8 GiB"), Ok(8 << 30));
        assert_eq!(parse_bytes("100 kB"), Ok(100_000));
        assert_eq!(parse_bit_rate("10 Mbit/s"), Ok(10e6));
        assert_eq!(bit_rate(2.5e9), "2.50 Gbit/s");
        assert!(parse_bit_rate("10 Mbps").unwrap_err().to_string().contains("10 Mbit/s"));
        assert_eq!(Ratio::parse("5%"), Ok(Ratio(0.05)));
        assert_eq!(Ratio::parse(" 0.05 "), Ok(Ratio(0.05)));
        for wrong in ["", "5", "five s", "-3 s", "3 parsecs", "1e400 s", "9999999 h"] {
            assert!(parse_duration(wrong).unwrap_err().to_string().contains("30 s"), "{wrong}");
        }
        for wrong in ["", "8 gigs", "-1 GiB"] {
            assert!(parse_bytes(wrong).unwrap_err().to_string().contains("8 GiB"), "{wrong}");
        }
        for wrong in ["", "much", "nan", "5 %%"] {
            assert!(Ratio::parse(wrong).unwrap_err().to_string().contains("5%"), "{wrong}");
        }
    }
}
