//! Puts the requests of several operations in order: exact shares of a mix, drawn from the seed of the
//! payloads and so the same for both sides; the steps of a flow.

use load::{RequestCycle, RequestOrder};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use suite::OperationOrder;

/// Places of a cycle, at most: several megabytes.
const PLACES_MAX: usize = 1 << 19;

/// Returns the order in which the requests of operations are sent, of which there are so many different
/// ones each, at least one. Requests are in one list, operation after operation.
///
/// A cycle has as many rounds as the operation with the most different requests has of them: in it each
/// operation sends each of its requests as often as the others of its own, if all have as many.
pub(super) fn of(order: &OperationOrder, different: &[usize], seed: u64) -> RequestOrder {
    let most = different.iter().copied().max().unwrap_or(1);
    let mut bodies = BodyTurns::new(different);
    match order {
        OperationOrder::Mix(shares) => {
            let round: Vec<usize> = shares
                .iter()
                .enumerate()
                .flat_map(|(operation, share)| (0..*share).map(move |_| operation))
                .collect();
            let rounds = most.min(PLACES_MAX / round.len().max(1)).max(1);
            let mut draws = ChaCha8Rng::seed_from_u64(seed);
            let drawn = (0..rounds).flat_map(|_| shuffled(&round, &mut draws));
            RequestOrder::Shared(drawn.map(|operation| bodies.next(operation)).collect())
        }
        OperationOrder::Flow(flow) => {
            let rounds = most.min(PLACES_MAX / flow.len().max(1)).max(1);
            let steps = (0..rounds).flat_map(|_| flow.iter().copied());
            let places = steps.map(|operation| bodies.next(operation)).collect();
            RequestOrder::PerUser(RequestCycle { places, flow: flow.len() })
        }
    }
}

/// Which request of each operation is next.
struct BodyTurns {
    /// Where the requests of each operation begin, and how many there are.
    operations: Vec<(usize, usize)>,
    sent: Vec<usize>,
}

impl BodyTurns {
    fn new(different: &[usize]) -> Self {
        let mut begin = 0;
        let of = |count: &usize| {
            let operation = (begin, (*count).max(1));
            begin += count;
            operation
        };
        Self { operations: different.iter().map(of).collect(), sent: vec![0; different.len()] }
    }

    fn next(&mut self, operation: usize) -> usize {
        let (begin, count) = self.operations[operation];
        let body = self.sent[operation] % count;
        self.sent[operation] += 1;
        begin + body
    }
}

/// Fisher and Yates. A draw below n from 64 bits is even but for n in 2^64.
fn shuffled(round: &[usize], draws: &mut ChaCha8Rng) -> Vec<usize> {
    let mut round = round.to_vec();
    for last in (1..round.len()).rev() {
        let below = u64::try_from(last + 1).unwrap_or(u64::MAX);
        let drawn = usize::try_from(draws.next_u64() % below).unwrap_or(last);
        round.swap(last, drawn);
    }
    round
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mix(shares: &[u64], different: &[usize], seed: u64) -> Vec<usize> {
        match of(&OperationOrder::Mix(shares.to_vec()), different, seed) {
            RequestOrder::Shared(places) => places.to_vec(),
            order => panic!("{order:?}"),
        }
    }

    proptest! {
        #[test]
        fn every_round_of_a_mix_has_exactly_its_shares(
            operations in proptest::collection::vec((1_u64..40, 1_usize..20), 1..6),
            seed: u64,
        ) {
            let (shares, different): (Vec<_>, Vec<_>) = operations.into_iter().unzip();
            let places = mix(&shares, &different, seed);
            let begins: Vec<usize> =
                different.iter().scan(0, |begin, count| { *begin += count; Some(*begin) }).collect();
            let round = usize::try_from(shares.iter().sum::<u64>()).unwrap();
            prop_assert_eq!(places.len() % round, 0);
            for places in places.chunks(round) {
                let mut counts = vec![0; shares.len()];
                for place in places {
                    counts[begins.partition_point(|begin| begin <= place)] += 1;
                }
                prop_assert_eq!(&counts, &shares);
            }
            prop_assert_eq!(places, mix(&shares, &different, seed));
        }
    }

    #[test]
    fn a_mix_is_in_no_order_and_sends_every_request_as_often_as_the_others_of_its_operation() {
        let places = mix(&[70, 20, 10], &[16, 16, 1], 42);
        assert_eq!(places.len(), 1_600);
        let count = |place: usize| places.iter().filter(|it| **it == place).count();
        assert!(
            (0..16).all(|place| count(place) == 70) && (16..32).all(|place| count(place) == 20)
        );
        assert_eq!(count(32), 160);
        assert!(places[..70].iter().any(|place| *place >= 16), "the first operation comes first");
        assert_ne!(places, mix(&[70, 20, 10], &[16, 16, 1], 43));
    }

    #[test]
    fn a_flow_is_its_steps_with_the_next_request_of_each() {
        let order = of(&OperationOrder::Flow(vec![1, 0, 1]), &[1, 4], 42);
        let RequestOrder::PerUser(RequestCycle { places, flow }) = order else { panic!() };
        assert_eq!((&places[..], flow), (&[1, 0, 2, 3, 0, 4, 1, 0, 2, 3, 0, 4][..], 3));
    }
}
