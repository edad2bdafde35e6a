//! Who sends the requests of a plan: virtual users, each with how far it has come, what it has captured, and
//! its cookies.
//!
//! A connection is a virtual user; over HTTP/2 a place for a stream is. Where nothing is captured or
//! kept, handing out a request costs no more than its index.

use std::sync::Arc;

use super::cookies::CookieJar;
use super::request::LoadRequest;
use super::request_plan::{
    AnswerCapture, CapturedValues, CookiePolicy, RequestCycle, RequestForm, RequestOrder,
    RequestPlan, UnsendableRequest,
};

/// All virtual users of a client.
#[derive(Debug)]
pub(super) struct VirtualUsers {
    plan: Arc<RequestPlan>,
    stage: UserStage,
    /// How far all have come together, in an order that they share.
    turn: usize,
    users: Vec<VirtualUser>,
}

/// What the users are there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum UserStage {
    /// Each sends the requests of the setup, once.
    Setup,
    Load,
}

#[derive(Debug, Clone, Default)]
struct VirtualUser {
    /// Requests of the setup that it has sent.
    set_up: usize,
    /// How far it has come in its own cycle.
    turn: usize,
    /// Response times of the flow that it is in.
    flow_ns: u64,
    captured: Arc<CapturedValues>,
    cookies: CookieJar,
}

/// What a right answer leaves with a virtual user.
#[derive(Debug, Default)]
pub(super) struct TakenValues {
    pub(super) captured: CapturedValues,
    /// Values of `Set-Cookie`.
    pub(super) cookies: Vec<String>,
}

impl VirtualUsers {
    /// Makes the users of a plan of which [`RequestPlan::check`] holds.
    pub(super) fn new(plan: Arc<RequestPlan>) -> Self {
        Self { plan, stage: UserStage::Load, turn: 0, users: Vec::new() }
    }

    /// From here on, each user sends the requests of the setup.
    pub(super) fn begin_setup(&mut self) {
        self.stage = UserStage::Setup;
        for user in &mut self.users {
            user.set_up = 0;
        }
    }

    /// From here on, the users send the load.
    pub(super) fn begin_load(&mut self) {
        self.stage = UserStage::Load;
    }

    /// Returns whether a user has no request left in this stage.
    pub(super) fn is_done(&mut self, user: usize) -> bool {
        self.stage == UserStage::Setup && self.user(user).set_up >= self.plan.setup.len()
    }

    /// Returns the place of the request that a user sends next.
    pub(super) fn next(&mut self, user: usize) -> usize {
        if self.stage == UserStage::Setup {
            let at = self.user(user).set_up;
            self.user(user).set_up += 1;
            return self.plan.setup[at];
        }
        match &self.plan.order {
            RequestOrder::InTurn => advance(&mut self.turn, self.plan.requests.len()),
            RequestOrder::Shared(places) => places[advance(&mut self.turn, places.len())],
            RequestOrder::PerUser(RequestCycle { places, .. }) => {
                let places = Arc::clone(places);
                places[advance(&mut self.user(user).turn, places.len())]
            }
        }
    }

    /// Returns the request at a place as a user sends it; none where that is the prepared one.
    pub(super) fn render(
        &mut self,
        user: usize,
        place: usize,
    ) -> Result<Option<LoadRequest>, UnsendableRequest> {
        let plan = Arc::clone(&self.plan);
        let rendered = match &plan.requests[place].form {
            RequestForm::Prepared(_) if plan.cookies == CookiePolicy::Ignored => return Ok(None),
            RequestForm::Prepared(request) => request.clone(),
            RequestForm::Live(live) => live.render(&self.user(user).captured)?,
        };
        match self.user(user).cookies.header() {
            Some(cookies) => {
                let request = rendered.with_header("Cookie", &cookies);
                request.map(Some).map_err(|error| UnsendableRequest(error.into()))
            }
            None => Ok(Some(rendered)),
        }
    }

    /// Notes how an exchange of a user has ended, after `response_ns`. Returns the time of the flow whose
    /// last request it was.
    pub(super) fn ended(
        &mut self,
        user: usize,
        response_ns: u64,
        taken: Option<&TakenValues>,
    ) -> Option<u64> {
        if let Some(taken) = taken {
            self.take(user, taken);
        }
        let plan = Arc::clone(&self.plan);
        let RequestOrder::PerUser(RequestCycle { places, flow }) = &plan.order else { return None };
        if self.stage == UserStage::Setup {
            return None;
        }
        let it = self.user(user);
        it.flow_ns = it.flow_ns.saturating_add(response_ns);
        let is_last = it.turn.is_multiple_of(*flow);
        if taken.is_none() {
            // What follows rests on what failed: the user begins anew.
            it.turn = it.turn.next_multiple_of(*flow) % places.len();
            it.flow_ns = 0;
            return None;
        }
        is_last.then(|| std::mem::take(&mut it.flow_ns))
    }

    fn take(&mut self, user: usize, taken: &TakenValues) {
        if taken.captured.is_empty() && taken.cookies.is_empty() {
            return;
        }
        let it = self.user(user);
        let captured = taken.captured.iter().map(|(name, value)| (name.clone(), value.clone()));
        Arc::make_mut(&mut it.captured).extend(captured);
        for cookie in &taken.cookies {
            it.cookies.hear(cookie);
        }
    }

    fn user(&mut self, user: usize) -> &mut VirtualUser {
        for new in self.users.len()..=user {
            let turn = match &self.plan.order {
                RequestOrder::PerUser(RequestCycle { places, flow }) => new * flow % places.len(),
                RequestOrder::InTurn | RequestOrder::Shared(_) => 0,
            };
            self.users.push(VirtualUser { turn, ..VirtualUser::default() });
        }
        &mut self.users[user]
    }
}

/// Returns where a turn is, and moves it on.
fn advance(turn: &mut usize, length: usize) -> usize {
    let at = *turn;
    *turn = (at + 1) % length;
    at
}

/// What is taken from the answer to a request.
#[derive(Clone, Copy)]
pub(super) struct AnswerTaker<'a> {
    pub(super) capture: Option<&'a dyn AnswerCapture>,
    pub(super) cookies: CookiePolicy,
}

impl<'a> AnswerTaker<'a> {
    pub(super) fn of(plan: &'a RequestPlan, place: usize) -> Self {
        Self { capture: plan.requests[place].capture.as_deref(), cookies: plan.cookies }
    }

    /// Returns whether it looks at answers at all.
    pub(super) fn is_needed(self) -> bool {
        self.capture.is_some() || self.cookies == CookiePolicy::Kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::SuccessCheck;

    fn users(order: RequestOrder, setup: Vec<usize>) -> VirtualUsers {
        let request = |_| LoadRequest::get("/", "h", &[], Arc::new(SuccessCheck)).unwrap();
        let plan = RequestPlan::from((0..3).map(request).collect::<Vec<_>>());
        VirtualUsers::new(Arc::new(RequestPlan { order, setup, ..plan }))
    }

    fn sent(order: RequestOrder, by: &[usize]) -> Vec<usize> {
        let mut users = users(order, Vec::new());
        by.iter().map(|user| users.next(*user)).collect()
    }

    fn cycle(places: &[usize], flow: usize) -> RequestOrder {
        RequestOrder::PerUser(RequestCycle { places: places.into(), flow })
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
        let sent = sent(cycle(&[0, 10, 1, 11, 2, 12], 2), &[0, 1, 0, 1, 1, 0, 3, 1, 1]);
        // User 1 begins with the second flow and ends with the first; user 3 begins as user 0 does.
        assert_eq!(sent, [0, 1, 10, 11, 2, 1, 0, 12, 0]);
    }

    #[test]
    fn a_flow_takes_the_time_of_its_requests_and_one_that_failed_begins_anew() {
        let mut users = users(cycle(&[0, 1, 2, 0, 1, 2], 3), Vec::new());
        let mut exchange = |ns, taken: Option<&TakenValues>| {
            let place = users.next(0);
            (place, users.ended(0, ns, taken))
        };
        let right = TakenValues::default();
        assert_eq!(exchange(5, Some(&right)), (0, None));
        assert_eq!(exchange(7, Some(&right)), (1, None));
        assert_eq!(exchange(1, Some(&right)), (2, Some(13)));
        assert_eq!(exchange(5, Some(&right)), (0, None));
        assert_eq!(exchange(9, None), (1, None));
        assert_eq!(exchange(2, Some(&right)), (0, None));
    }

    #[test]
    fn each_user_sends_the_setup_once_and_keeps_what_it_captured() {
        let mut users = users(RequestOrder::InTurn, vec![2, 0]);
        users.begin_setup();
        assert_eq!([users.next(0), users.next(3), users.next(0)], [2, 2, 0]);
        assert!(users.is_done(0) && !users.is_done(3));
        let captured = CapturedValues::from([("id".to_owned(), "7".to_owned())]);
        let taken = TakenValues { captured: captured.clone(), cookies: Vec::new() };
        assert_eq!(users.ended(3, 1, Some(&taken)), None);
        users.begin_load();
        assert!(!users.is_done(0));
        assert_eq!((users.next(0), users.next(3)), (0, 1));
        assert_eq!(*users.user(3).captured, captured);
        assert!(users.user(0).captured.is_empty());
    }
}
