//! Decides whether a failed request is sent again, and when.
//!
//! `backon` does the repeating; which failures pass and how long the pauses are is decided here. Time
//! is a budget that is spent, not a clock that is read: every pause and every lost request is charged
//! at its most, so a publication ends in bounded time whatever the server does.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder, BlockingRetryable, ExponentialBackoff, ExponentialBuilder};

/// What came back, as far as repeating is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The request was processed or refused for good.
    Settled,
    /// The server did not process the request because there were too many, and may have said how
    /// long to wait.
    TooMany(Option<Duration>),
    /// It is unknown whether the request was processed: a lost connection, or a server in trouble.
    Lost,
}

/// An attempt that failed.
#[derive(Debug)]
pub(super) struct FailedAttempt<E> {
    pub(super) outcome: AttemptOutcome,
    pub(super) error: E,
}

impl<E> FailedAttempt<E> {
    /// A failure that another attempt would not mend.
    pub(super) fn settled(error: E) -> Self {
        Self { outcome: AttemptOutcome::Settled, error }
    }
}

/// How long a publication insists, over all its requests.
#[derive(Debug)]
pub struct RetryPolicy {
    left: Mutex<Duration>,
}

/// A request is sent at most this often, the first time included.
pub const ATTEMPTS_MAX: u32 = 4;

/// What one request may take, and what a lost one is charged.
pub const REQUEST_MAX: Duration = Duration::from_secs(15);

/// GitHub's documentation wants at least a minute after a secondary limit that names no time.
const PAUSE_UNNAMED: Duration = Duration::from_mins(1);

impl RetryPolicy {
    /// Returns the patience of one publication.
    pub fn new(total: Duration) -> Self {
        Self { left: Mutex::new(total) }
    }

    /// Returns what is left.
    pub fn left(&self) -> Duration {
        *lock(&self.left)
    }

    /// Repeats `attempt`, which gets its number from 1, while its failures pass and the patience
    /// lasts, pausing by `pause`. The result is that of the last attempt.
    pub(super) fn insist<T, E>(
        &self,
        pause: &dyn Fn(Duration),
        mut attempt: impl FnMut(u32) -> Result<T, FailedAttempt<E>>,
    ) -> Result<T, FailedAttempt<E>> {
        let last = Mutex::new(AttemptOutcome::Settled);
        let mut attempts = 0;
        let attempt = || {
            attempts += 1;
            attempt(attempts)
        };
        let usual = ExponentialBuilder::new()
            .with_min_delay(Duration::from_secs(1))
            .with_factor(2.0)
            .with_max_times(ATTEMPTS_MAX as usize - 1)
            .build();
        attempt
            .retry(RetryPauses { usual, attempts: 0, last: &last, patience: self })
            // A pause is requested without the failure, so that the failure is noted first.
            .when(|failure| {
                *lock(&last) = failure.outcome;
                failure.outcome != AttemptOutcome::Settled
            })
            // A sleeper would have to be `'static`, and this one is the caller's.
            .sleep(|_| ())
            .notify(|_, length| pause(length))
            .call()
    }

    /// Takes `charge` from what is left, if it lasts.
    fn spend(&self, charge: Duration) -> Option<()> {
        let mut left = lock(&self.left);
        *left = left.checked_sub(charge)?;
        Some(())
    }
}

/// The pauses of one request; there is none where the server wants a longer one than there is
/// patience left.
struct RetryPauses<'a> {
    usual: ExponentialBackoff,
    attempts: u32,
    last: &'a Mutex<AttemptOutcome>,
    patience: &'a RetryPolicy,
}

impl Iterator for RetryPauses<'_> {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let usual = self.usual.next()?;
        self.attempts += 1;
        let (pause, charge) = match *lock(self.last) {
            AttemptOutcome::TooMany(named) => {
                let pause = named.unwrap_or(PAUSE_UNNAMED * self.attempts);
                (pause, pause)
            }
            AttemptOutcome::Lost | AttemptOutcome::Settled => (usual, usual + REQUEST_MAX),
        };
        self.patience.spend(charge).map(|()| pause)
    }
}

fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use proptest::prelude::*;

    use super::*;

    fn answer() -> impl Strategy<Value = AttemptOutcome> {
        prop_oneof![
            Just(AttemptOutcome::Lost),
            Just(AttemptOutcome::TooMany(None)),
            (0_u64..400).prop_map(|s| AttemptOutcome::TooMany(Some(Duration::from_secs(s)))),
        ]
    }

    /// Sends a request that fails with these answers in turn and then succeeds; returns whether it
    /// did, and the pauses.
    fn pauses(patience: &RetryPolicy, answers: &[AttemptOutcome]) -> (bool, Vec<u64>) {
        let (pauses, mut answers) = (RefCell::new(Vec::new()), answers.iter());
        let pause = |length: Duration| pauses.borrow_mut().push(length.as_secs());
        let result = patience.insist(&pause, |_| match answers.next() {
            Some(answer) => Err(FailedAttempt { outcome: *answer, error: () }),
            None => Ok(()),
        });
        (result.is_ok(), pauses.into_inner())
    }

    proptest! {
        #[test]
        fn waiting_never_exceeds_the_patience(
            total in 0_u64..600,
            requests in prop::collection::vec(prop::collection::vec(answer(), 0..6), 0..20),
        ) {
            let total = Duration::from_secs(total);
            let patience = RetryPolicy::new(total);
            let waited = requests.iter().flat_map(|answers| pauses(&patience, answers).1).sum();
            prop_assert!(Duration::from_secs(waited) + patience.left() <= total);
        }
    }

    #[test]
    fn a_lost_request_is_repeated_after_one_two_and_four_seconds() {
        let patience = RetryPolicy::new(Duration::from_mins(5));
        assert_eq!(pauses(&patience, &[AttemptOutcome::Lost; 4]), (false, vec![1, 2, 4]));
        assert_eq!(pauses(&patience, &[AttemptOutcome::Lost; 3]), (true, vec![1, 2, 4]));
    }

    #[test]
    fn a_named_pause_is_kept_exactly_and_an_impossible_one_is_not_begun() {
        let patience = RetryPolicy::new(Duration::from_secs(90));
        let after = |s| AttemptOutcome::TooMany(Some(Duration::from_secs(s)));
        assert_eq!(pauses(&patience, &[after(7), after(2_700)]), (false, vec![7]));
        assert_eq!(patience.left(), Duration::from_secs(83));
    }
}
