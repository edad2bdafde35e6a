//! Walks along two sorted lists at once.

use std::cmp::Ordering;
use std::iter;

/// Returns each key of either list, in order, with what both lists have for it. Both are sorted by
/// key and have no key twice.
pub(super) fn merge<K: Ord, V>(
    left: impl Iterator<Item = (K, V)>,
    right: impl Iterator<Item = (K, V)>,
) -> impl Iterator<Item = (K, [Option<V>; 2])> {
    let (mut left, mut right) = (left.peekable(), right.peekable());
    iter::from_fn(move || {
        let order = match (left.peek(), right.peek()) {
            (Some((left, _)), Some((right, _))) => left.cmp(right),
            (Some(_), None) => Ordering::Less,
            (None, _) => Ordering::Greater,
        };
        match order {
            Ordering::Less => left.next().map(|(key, value)| (key, [Some(value), None])),
            Ordering::Greater => right.next().map(|(key, value)| (key, [None, Some(value)])),
            Ordering::Equal => {
                let (key, value) = left.next()?;
                Some((key, [Some(value), right.next().map(|(_, value)| value)]))
            }
        }
    })
}
