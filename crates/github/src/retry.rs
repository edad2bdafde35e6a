//! Decides whether a failed request is sent again, and when.
//!
//! Pure: an answer comes in, a decision goes out, and whoever asked does the waiting. A request
//! that creates something is never repeated after an answer that leaves open whether it arrived:
//! one 502 in front of a working server would otherwise make a comment for every attempt. Its
//! sender has to look first ([`RetryStep::Look`]).
//!
//! Time is a budget that is spent, not a clock that is read: every wait and every lost request is
//! charged at its most, so a publication ends in bounded time whatever the server does.

use std::time::Duration;

/// Whether a request may arrive twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepeatSafety {
    /// Twice is the same as once.
    Harmless,
    /// Every arrival creates or appends something.
    Creates,
}

/// What came back, as far as repeating is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The request was processed or refused for good.
    Settled,
    /// The server did not process the request because there were too many, and may have said how
    /// long to wait.
    TooMany(Option<Duration>),
    /// Nobody knows whether the request was processed: a lost connection, or a server in trouble.
    Lost,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetryStep {
    /// Use the answer.
    Take,
    /// Wait that long, and send the same again.
    Again(Duration),
    /// Wait that long, look whether the request had its effect, and only then send it again.
    Look(Duration),
    /// Give up: the server wants a longer pause than there is patience left, or has failed too
    /// often.
    GiveUp,
}

/// How often and how long a publication insists, over all its requests.
#[derive(Debug, Clone, Copy)]
pub struct RetryPolicy {
    left: Duration,
}

/// Sent at most this often, the first time included.
pub const ATTEMPTS_MAX: u32 = 4;

/// What one request may take, and what a lost one is charged.
pub const REQUEST_MAX: Duration = Duration::from_secs(15);

/// GitHub asks for at least a minute after a secondary limit that names no time.
const PAUSE_UNNAMED: Duration = Duration::from_mins(1);

impl RetryPolicy {
    /// Returns the patience of one publication.
    pub fn new(total: Duration) -> Self {
        Self { left: total }
    }

    /// Returns what is left.
    pub fn left(&self) -> Duration {
        self.left
    }

    /// Decides what follows attempt number `attempt` (from 1), and spends what that takes.
    pub fn next(
        &mut self,
        repeat: RepeatSafety,
        attempt: u32,
        answer: AttemptOutcome,
    ) -> RetryStep {
        let (pause, charge) = match answer {
            AttemptOutcome::Settled => return RetryStep::Take,
            AttemptOutcome::TooMany(wait) => {
                let pause = wait.unwrap_or(PAUSE_UNNAMED * attempt);
                (pause, pause)
            }
            AttemptOutcome::Lost => {
                let pause = Duration::from_secs(1 << attempt.min(10).saturating_sub(1));
                (pause, pause + REQUEST_MAX)
            }
        };
        if attempt >= ATTEMPTS_MAX || charge > self.left {
            return RetryStep::GiveUp;
        }
        self.left -= charge;
        match (answer, repeat) {
            (AttemptOutcome::Lost, RepeatSafety::Creates) => RetryStep::Look(pause),
            (AttemptOutcome::Lost, RepeatSafety::Harmless)
            | (AttemptOutcome::TooMany(_) | AttemptOutcome::Settled, _) => RetryStep::Again(pause),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer() -> impl Strategy<Value = AttemptOutcome> {
        prop_oneof![
            Just(AttemptOutcome::Lost),
            Just(AttemptOutcome::TooMany(None)),
            (0_u64..400).prop_map(|s| AttemptOutcome::TooMany(Some(Duration::from_secs(s)))),
        ]
    }

    proptest! {
        #[test]
        fn waiting_never_exceeds_the_patience(
            total in 0_u64..600,
            answers in prop::collection::vec((answer(), 1_u32..6), 0..60),
        ) {
            let total = Duration::from_secs(total);
            let mut patience = RetryPolicy::new(total);
            let mut waited = Duration::ZERO;
            for (answer, attempt) in answers {
                match patience.next(RepeatSafety::Harmless, attempt, answer) {
                    RetryStep::Again(pause) => waited += pause,
                    RetryStep::GiveUp => {}
                    RetryStep::Take | RetryStep::Look(_) => prop_assert!(false),
                }
            }
            prop_assert!(waited + patience.left() <= total);
        }

        #[test]
        fn what_creates_is_never_blindly_repeated(attempt in 1_u32..9, left in 0_u64..600) {
            let mut patience = RetryPolicy::new(Duration::from_secs(left));
            let next = patience.next(RepeatSafety::Creates, attempt, AttemptOutcome::Lost);
            prop_assert!(matches!(next, RetryStep::Look(_) | RetryStep::GiveUp));
        }
    }

    #[test]
    fn a_lost_request_is_repeated_after_one_two_and_four_seconds() {
        let mut patience = RetryPolicy::new(Duration::from_mins(5));
        let pauses =
            [1, 2, 3, 4].map(|n| patience.next(RepeatSafety::Harmless, n, AttemptOutcome::Lost));
        let seconds = |s| RetryStep::Again(Duration::from_secs(s));
        assert_eq!(pauses, [seconds(1), seconds(2), seconds(4), RetryStep::GiveUp]);
    }

    #[test]
    fn a_named_pause_is_kept_exactly_and_an_impossible_one_is_not_begun() {
        let mut patience = RetryPolicy::new(Duration::from_secs(90));
        let after = |s| AttemptOutcome::TooMany(Some(Duration::from_secs(s)));
        assert_eq!(
            patience.next(RepeatSafety::Creates, 1, after(7)),
            RetryStep::Again(Duration::from_secs(7))
        );
        assert_eq!(patience.next(RepeatSafety::Creates, 1, after(2_700)), RetryStep::GiveUp);
        assert_eq!(patience.left(), Duration::from_secs(83));
    }
}
