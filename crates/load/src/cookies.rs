//! The cookies of one virtual user: by name, as long as the target does not take them back.
//!
//! There is one target, so that domain and path decide nothing; a time is not kept, as a launch is over sooner.

use std::collections::BTreeMap;

/// Cookies by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct CookieJar(BTreeMap<String, String>);

impl CookieJar {
    /// Takes in the value of a header `Set-Cookie`. One without a name is ignored.
    pub(super) fn hear(&mut self, set_cookie: &str) {
        let mut parts = set_cookie.split(';').map(str::trim);
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
            return;
        };
        let (name, value) = (name.trim(), value.trim());
        let is_over = |attribute: &str| {
            let Some((key, value)) = attribute.split_once('=') else { return false };
            key.eq_ignore_ascii_case("max-age")
                && value.trim().parse::<i64>().is_ok_and(|seconds| seconds <= 0)
        };
        if name.is_empty() {
            return;
        }
        if parts.any(is_over) {
            self.0.remove(name);
        } else {
            self.0.insert(name.to_owned(), value.to_owned());
        }
    }

    /// Returns the value of the header `Cookie`, if there are any.
    pub(super) fn header(&self) -> Option<String> {
        let pairs: Vec<_> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_kept_until_it_is_taken_back() {
        let mut jar = CookieJar::default();
        assert_eq!(jar.header(), None);
        jar.hear("session=a1; Path=/; HttpOnly");
        jar.hear("lang=de");
        jar.hear("session=b=2; Max-Age=60");
        jar.hear("=nameless");
        jar.hear("flag");
        assert_eq!(jar.header().unwrap(), "lang=de; session=b=2");
        jar.hear("lang=; max-age=0");
        assert_eq!(jar.header().unwrap(), "session=b=2");
    }
}
