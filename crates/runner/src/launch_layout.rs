//! Where functions of both sides lie, launch pair by launch pair.

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};
use record::LayoutObstacle;
use relink::{FunctionOrder, IndependentDraws, LayoutMatch, ProgramPair, RelinkError};

/// The stream of the coins' seed that orders are drawn from: the coins themselves are the first one.
const ORDER_STREAM: u64 = 1;

/// Where functions of both builds lie.
#[derive(Debug, Clone)]
pub enum LayoutPlan {
    /// Where each build has them.
    AsBuilt,
    /// Where each build has them, although they were to be matched.
    Obstructed(LayoutObstacle),
    /// At the same addresses, in the order of base.
    Matched(Arc<LayoutMatch>),
    /// At the same addresses, in an order that is drawn for each launch pair.
    Drawn(Arc<LayoutMatch>),
    /// In an order that is drawn for each launch pair and each side.
    DrawnIndependently(Arc<IndependentDraws>),
}

/// What draws the orders of a launch pair.
#[derive(Debug, Clone)]
enum OrderSource {
    /// One order for both sides.
    Matched(Arc<LayoutMatch>),
    /// One for each.
    Independent(Arc<IndependentDraws>),
}

/// The programs of launch pairs, in their order.
pub(super) enum LaunchLayouts {
    /// Those that were built.
    AsBuilt,
    /// The same for all, once they are linked.
    Matched { matched: Arc<LayoutMatch>, programs: Option<ProgramPair> },
    /// Others for each.
    Drawn(Box<DrawnLayouts>),
}

/// Programs whose functions are in an order of their own for each launch pair.
pub(super) struct DrawnLayouts {
    source: OrderSource,
    seeds: ChaCha8Rng,
    launch_pair: usize,
    /// What is being linked for the next launch pair.
    next: Option<JoinHandle<Result<ProgramPair, RelinkError>>>,
}

impl LaunchLayouts {
    pub(super) fn new(plan: &LayoutPlan, coins: u64) -> Self {
        match plan {
            LayoutPlan::AsBuilt | LayoutPlan::Obstructed(_) => Self::AsBuilt,
            LayoutPlan::Matched(matched) => {
                Self::Matched { matched: Arc::clone(matched), programs: None }
            }
            LayoutPlan::Drawn(matched) => {
                Self::drawn(OrderSource::Matched(Arc::clone(matched)), coins)
            }
            LayoutPlan::DrawnIndependently(draws) => {
                Self::drawn(OrderSource::Independent(Arc::clone(draws)), coins)
            }
        }
    }

    fn drawn(source: OrderSource, coins: u64) -> Self {
        let mut seeds = ChaCha8Rng::seed_from_u64(coins);
        seeds.set_stream(ORDER_STREAM);
        let mut drawn = Box::new(DrawnLayouts { source, seeds, launch_pair: 0, next: None });
        drawn.begin();
        Self::Drawn(drawn)
    }

    pub(super) fn as_built() -> Self {
        Self::AsBuilt
    }

    pub(super) fn are_relinked(&self) -> bool {
        !matches!(self, Self::AsBuilt)
    }

    /// Returns the programs of the next launch pair, if they are others than those that were built.
    pub(super) fn next(&mut self) -> Result<Option<ProgramPair>, LayoutObstacle> {
        let linked = match self {
            Self::AsBuilt => return Ok(None),
            Self::Matched { programs: Some(programs), .. } => return Ok(Some(programs.clone())),
            Self::Matched { matched, programs } => {
                let linked = matched.link(FunctionOrder::OfBase, "matched");
                *programs = linked.as_ref().ok().cloned();
                linked
            }
            Self::Drawn(drawn) => drawn.next(),
        };
        linked.map(Some).map_err(|error| error.obstacle())
    }
}

impl DrawnLayouts {
    /// Begins to link for the launch pair after this one, which runs meanwhile: on the processors of the
    /// load, where this thread is pinned.
    fn begin(&mut self) {
        let link = self.draw();
        // Where the system refuses a thread, it is linked when it is needed.
        self.next = thread::Builder::new().spawn(link).ok();
    }

    /// Draws the next order, and returns what links by it.
    fn draw(
        &mut self,
    ) -> impl FnOnce() -> Result<ProgramPair, RelinkError> + Send + use<> + 'static {
        let (source, seed) = (self.source.clone(), self.seeds.next_u64());
        // Neither the programs of the launch pair that runs are overwritten, nor those that the next one copies.
        let name = format!("drawn-{}", self.launch_pair % 3);
        self.launch_pair += 1;
        move || match source {
            OrderSource::Matched(matched) => matched.link(FunctionOrder::Drawn(seed), &name),
            OrderSource::Independent(draws) => draws.link(seed, &name),
        }
    }

    fn next(&mut self) -> Result<ProgramPair, RelinkError> {
        let linked = match self.next.take() {
            Some(linking) => linking.join().expect("linking does not panic"),
            None => self.draw()(),
        };
        if linked.is_ok() {
            self.begin();
        }
        linked
    }
}

impl Drop for DrawnLayouts {
    /// Waits for what is being linked, as its folder is about to be removed.
    fn drop(&mut self) {
        if let Some(linking) = self.next.take() {
            // Nothing waits for these programs any more.
            let _ = linking.join();
        }
    }
}
