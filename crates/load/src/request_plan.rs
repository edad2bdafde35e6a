//! What a client sends, and in which order: requests by their place in a list, so that handing one out
//! costs an index.

use std::sync::Arc;

use super::request::LoadRequest;
use super::settings::LoadError;

/// The requests of a client.
#[derive(Debug, Clone)]
pub struct RequestPlan {
    /// All different ones.
    pub requests: Vec<LoadRequest>,
    /// Which of them is next.
    pub order: RequestOrder,
}

/// The order in which the requests of a list are sent, without end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum RequestOrder {
    /// One after the other, over all connections.
    #[default]
    InTurn,
    /// The requests at these places, over all connections.
    Shared(Arc<[usize]>),
    /// Each virtual user goes through these places by itself.
    PerUser(RequestCycle),
}

/// What each virtual user sends: flows of one length, one behind the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestCycle {
    /// Places of the requests.
    pub places: Arc<[usize]>,
    /// Requests of one flow, from 1. The second user begins with the second flow, so that users do not
    /// send the same at the same time.
    pub flow: usize,
}

impl From<Vec<LoadRequest>> for RequestPlan {
    fn from(requests: Vec<LoadRequest>) -> Self {
        Self { requests, order: RequestOrder::InTurn }
    }
}

impl From<&[LoadRequest]> for RequestPlan {
    fn from(requests: &[LoadRequest]) -> Self {
        requests.to_vec().into()
    }
}

impl From<&Vec<LoadRequest>> for RequestPlan {
    fn from(requests: &Vec<LoadRequest>) -> Self {
        requests.clone().into()
    }
}

impl<const N: usize> From<&[LoadRequest; N]> for RequestPlan {
    fn from(requests: &[LoadRequest; N]) -> Self {
        requests.to_vec().into()
    }
}

impl RequestPlan {
    /// Fails if there is nothing to send.
    pub(super) fn check(&self) -> Result<(), LoadError> {
        let is_empty = match &self.order {
            RequestOrder::InTurn => self.requests.is_empty(),
            RequestOrder::Shared(places) => places.is_empty(),
            RequestOrder::PerUser(cycle) => cycle.places.is_empty(),
        };
        if is_empty { Err(LoadError::NoRequest) } else { Ok(()) }
    }
}

/// How far a client has come in its plan.
#[derive(Debug)]
pub(super) struct PlanCursor {
    order: RequestOrder,
    /// Different requests.
    requests: usize,
    /// How far all connections have come together.
    turn: usize,
    /// How far each virtual user has come, where they go by themselves.
    users: Vec<usize>,
}

impl PlanCursor {
    /// Stands at the beginning of a plan of which [`RequestPlan::check`] holds.
    pub(super) fn new(plan: &RequestPlan) -> Self {
        let (order, requests) = (plan.order.clone(), plan.requests.len());
        Self { order, requests, turn: 0, users: Vec::new() }
    }

    /// Returns the place of the request that a virtual user sends next.
    pub(super) fn next(&mut self, user: usize) -> usize {
        match &self.order {
            RequestOrder::InTurn => advance(&mut self.turn, self.requests),
            RequestOrder::Shared(places) => places[advance(&mut self.turn, places.len())],
            RequestOrder::PerUser(RequestCycle { places, flow }) => {
                for new in self.users.len()..=user {
                    self.users.push(new * flow % places.len());
                }
                places[advance(&mut self.users[user], places.len())]
            }
        }
    }
}

/// Returns where a turn is, and moves it on.
fn advance(turn: &mut usize, length: usize) -> usize {
    let at = *turn;
    *turn = (at + 1) % length;
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(order: RequestOrder, users: &[usize]) -> Vec<usize> {
        let mut cursor = PlanCursor { order, requests: 3, turn: 0, users: Vec::new() };
        users.iter().map(|user| cursor.next(*user)).collect()
    }

    #[test]
    fn requests_in_turn_and_a_shared_order_do_not_depend_on_the_user() {
        assert_eq!(sent(RequestOrder::InTurn, &[0, 7, 0, 3]), [0, 1, 2, 0]);
        let shared = || RequestOrder::Shared([2, 2, 0].into());
        assert_eq!(sent(shared(), &[0, 0, 0, 0, 0]), sent(shared(), &[4, 1, 0, 9, 4]));
        assert_eq!(sent(shared(), &[0, 0, 0, 0]), [2, 2, 0, 2]);
    }

    #[test]
    fn each_virtual_user_goes_through_its_flows_by_itself() {
        let cycle = RequestCycle { places: [0, 10, 1, 11, 2, 12].into(), flow: 2 };
        let sent = sent(RequestOrder::PerUser(cycle), &[0, 1, 0, 1, 1, 0, 3, 1, 1]);
        // User 1 begins with the second flow and ends with the first; user 3 begins as user 0 does.
        assert_eq!(sent, [0, 1, 10, 11, 2, 1, 0, 12, 0]);
    }
}
