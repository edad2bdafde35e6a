//! Simulates the launch pairs of one session on one machine, on which nothing or a known amount
//! changed.
//!
//! Requests take 2 ms, so a slice of the default length holds ten of them, and a launch pair with 1 s
//! of load a side has fifty pairs of slices. Requests are not drawn one by one: the mean of a slice
//! is, with the scatter, the correlation with the slice before, and the wild requests that the mean of
//! ten has; a test holds it against single requests.

use rand_chacha::ChaCha8Rng;

use crate::draw;
use crate::regime::{NoisyNeighbour, Regime, RegimeFeature};
use stats::quantile;

/// How long the two launches take until they are loaded, warming up included.
const START_S: f64 = 1.2;
/// A slice of ten requests of 2 ms.
const SLICE_S: f64 = 0.02;
/// Pairs of slices in a launch pair, 1 s a side.
const SLICES: usize = 50;
/// How long a launch pair loads one scenario.
const LOAD_S: f64 = 2.0;
/// How long a launch pair of one scenario takes.
pub const LAUNCH_PAIR_S: f64 = START_S + LOAD_S;
/// The period of the square wave: the two trials of a launch pair.
const WAVE_S: f64 = LAUNCH_PAIR_S;
/// The launch pairs of a session, somewhere in which the one step is.
const LAUNCH_PAIRS: f64 = 40.0;
/// How much of a change of speed CPU time sees.
const CPU_SHARE: f64 = 0.4;

/// The mean of ten requests that are lognormal (σ 0.15), each with a correlation of 0.6 with the one
/// before, 2 % of them wild: longer by the exponential of an exponential of mean 0.5.
mod slice {
    /// Requests in a slice.
    pub(super) const REQUESTS: f64 = 10.0;
    /// Standard deviation of ln of the mean of ten requests, without the wild ones.
    pub(super) const DEVIATION: f64 = 0.085_862;
    /// Correlation of that mean with the one before it.
    pub(super) const CARRIED: f64 = 0.113_37;
    /// How probable none, one, two and three wild ones of ten are; four are left out.
    pub(super) const WILD_COUNTS: [f64; 4] = [0.817_073, 0.166_750, 0.015_314, 0.000_834];
    /// Mean of the exponential.
    pub(super) const WILD_MEAN: f64 = 0.5;
}

/// What one launch pair yields for one scenario: ln(head / base), above 0 slower.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LaunchDifferences {
    /// The median over neighbouring slices.
    pub latency: f64,
    /// The ratio of the CPU time of the two launches.
    pub cpu: f64,
}

/// A machine, and the time that passes on it.
#[derive(Debug)]
pub struct SimulatedSession {
    regime: Regime,
    change_ln: f64,
    scenarios: usize,
    rng: ChaCha8Rng,
    elapsed_s: f64,
    wandered: f64,
    neighbour: Option<NeighbourEpisodes>,
    step_s: f64,
}

impl SimulatedSession {
    /// Starts a session in which head takes `change` longer than base, as a ratio, in each of so many
    /// scenarios.
    pub fn new(regime: Regime, change: f64, scenarios: usize, mut rng: ChaCha8Rng) -> Self {
        let length_s = LAUNCH_PAIRS * (START_S + LOAD_S * scenarios as f64);
        let step_s = length_s * draw::uniform(&mut rng);
        let neighbour = regime.neighbour.map(|law| NeighbourEpisodes::new(law, &mut rng));
        let (change_ln, elapsed_s, wandered) = (change.ln_1p(), 0.0, 0.0);
        Self { regime, change_ln, scenarios, rng, elapsed_s, wandered, neighbour, step_s }
    }

    /// Returns whether nothing changed.
    pub fn is_null(&self) -> bool {
        self.change_ln == 0.0
    }

    /// Runs a launch pair, in which the scenarios have their turns on the same two processes: what
    /// belongs to the launch is common to all of them.
    pub fn launch_pair(&mut self) -> Vec<LaunchDifferences> {
        let launches = [self.launch(), self.launch()];
        self.advance(START_S);
        (0..self.scenarios).map(|_| self.load(launches)).collect()
    }

    /// Runs one launch by itself, as those do who measure all of one version and then all of the
    /// other. Returns the times of its slices in units of a request of base.
    pub fn launch_alone(&mut self) -> Vec<f64> {
        let launch = self.launch();
        self.advance(START_S / 2.0);
        let mut carried = self.first_noise();
        let slice = |_| {
            let level = self.level() + launch + self.noise(&mut carried) + self.wild();
            self.advance(SLICE_S);
            level.exp()
        };
        (0..SLICES).map(slice).collect()
    }

    /// Loads both sides of a launch pair in turns, the first of each two slices drawn by coin.
    fn load(&mut self, launches: [f64; 2]) -> LaunchDifferences {
        let mut ratios = Vec::with_capacity(SLICES);
        let mut speeds = [0.0; 2];
        let mut carried = [self.first_noise(), self.first_noise()];
        for _ in 0..SLICES {
            let first = usize::from(draw::uniform(&mut self.rng) < 0.5);
            let mut times = [0.0; 2];
            for side in [first, 1 - first] {
                let speed = self.level() + launches[side] + self.noise(&mut carried[side]);
                speeds[side] += speed;
                times[side] = speed + self.wild();
                self.advance(SLICE_S);
            }
            ratios.push(times[1] - times[0]);
        }
        // A wild request waits, which costs no CPU time.
        let cpu = CPU_SHARE * (speeds[1] - speeds[0]) / SLICES as f64;
        LaunchDifferences {
            latency: self.change_ln + quantile::median(&ratios),
            cpu: self.change_ln + cpu,
        }
    }

    /// What a fresh process has of its own.
    fn launch(&mut self) -> f64 {
        let mut level = self.regime.launch * draw::normal(&mut self.rng);
        if draw::uniform(&mut self.rng) < self.regime.outlier.share {
            level += self.regime.outlier.slowdown.ln_1p();
        }
        match self.regime.extra {
            RegimeFeature::Modes(apart) if draw::uniform(&mut self.rng) < 0.5 => {
                level + apart.ln_1p()
            }
            RegimeFeature::Modes(_)
            | RegimeFeature::None
            | RegimeFeature::Trend(_)
            | RegimeFeature::Wave(_)
            | RegimeFeature::Step(_) => level,
        }
    }

    /// How slow the machine is now.
    fn level(&mut self) -> f64 {
        let now_s = self.elapsed_s;
        let neighbour =
            self.neighbour.as_mut().map_or(0.0, |neighbour| neighbour.at(now_s, &mut self.rng));
        let extra = match self.regime.extra {
            RegimeFeature::Trend(ratio) => ratio.ln_1p() * now_s / 300.0,
            RegimeFeature::Wave(ratio) if now_s % WAVE_S < WAVE_S / 2.0 => ratio.ln_1p(),
            RegimeFeature::Step(ratio) if now_s >= self.step_s => ratio.ln_1p(),
            RegimeFeature::None
            | RegimeFeature::Modes(_)
            | RegimeFeature::Wave(_)
            | RegimeFeature::Step(_) => 0.0,
        };
        self.wandered + neighbour + extra
    }

    fn advance(&mut self, seconds: f64) {
        self.elapsed_s += seconds;
        self.wandered += self.regime.drift * seconds.sqrt() * draw::normal(&mut self.rng);
    }

    fn first_noise(&mut self) -> f64 {
        slice::DEVIATION * draw::normal(&mut self.rng)
    }

    fn noise(&mut self, carried: &mut f64) -> f64 {
        let fresh = (1.0 - slice::CARRIED * slice::CARRIED).sqrt() * slice::DEVIATION;
        *carried = slice::CARRIED * *carried + fresh * draw::normal(&mut self.rng);
        *carried
    }

    /// By how much wild requests lengthen the mean of a slice.
    fn wild(&mut self) -> f64 {
        let mut u = draw::uniform(&mut self.rng);
        let mut longer = 0.0;
        for share in slice::WILD_COUNTS {
            if u < share {
                break;
            }
            u -= share;
            let size = slice::WILD_MEAN * draw::exponential(&mut self.rng);
            longer += size.exp_m1() / slice::REQUESTS;
        }
        longer.ln_1p()
    }
}

/// A neighbour's coming and going.
#[derive(Debug)]
struct NeighbourEpisodes {
    law: NoisyNeighbour,
    until_s: f64,
    /// How much slower the machine is until then; 0 while the neighbour is away.
    slowdown_ln: f64,
}

impl NeighbourEpisodes {
    fn new(law: NoisyNeighbour, rng: &mut ChaCha8Rng) -> Self {
        let mut episodes = Self { law, until_s: 0.0, slowdown_ln: 0.0 };
        if draw::uniform(rng) < law.on_s / (law.on_s + law.off_s) {
            episodes.come(rng);
        } else {
            episodes.leave(rng);
        }
        episodes
    }

    fn at(&mut self, now_s: f64, rng: &mut ChaCha8Rng) -> f64 {
        while now_s >= self.until_s {
            if self.slowdown_ln > 0.0 {
                self.leave(rng);
            } else {
                self.come(rng);
            }
        }
        self.slowdown_ln
    }

    fn come(&mut self, rng: &mut ChaCha8Rng) {
        let (min, max) = (self.law.slowdown_min, self.law.slowdown_max);
        self.slowdown_ln = (min + (max - min) * draw::uniform(rng)).ln_1p();
        self.until_s += self.law.on_s * draw::exponential(rng);
    }

    fn leave(&mut self, rng: &mut ChaCha8Rng) {
        self.slowdown_ln = 0.0;
        self.until_s += self.law.off_s * draw::exponential(rng);
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng;

    use super::*;

    /// The regime does not matter: only the scatter inside a launch is looked at.
    fn session(seed: u64) -> SimulatedSession {
        SimulatedSession::new(Regime::ALL[0], 0.0, 1, ChaCha8Rng::seed_from_u64(seed))
    }

    /// ln of the means of slices whose requests are drawn one by one.
    fn drawn_one_by_one(slices: usize, rng: &mut ChaCha8Rng) -> Vec<f64> {
        let mut remembered = 0.15 * draw::normal(rng);
        let mut request = || {
            remembered = 0.6 * remembered + 0.15 * (1.0_f64 - 0.36).sqrt() * draw::normal(rng);
            let wild = if draw::uniform(rng) < 0.02 { 0.5 * draw::exponential(rng) } else { 0.0 };
            (remembered + wild).exp()
        };
        (0..slices).map(|_| ((0..10).map(|_| request()).sum::<f64>() / 10.0).ln()).collect()
    }

    /// Both have the same quantiles around their medians, which a change of base and head cancels.
    #[test]
    fn a_slice_has_the_law_of_the_mean_of_its_requests() {
        const SLICES: usize = 40_000;
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let requests = drawn_one_by_one(SLICES, &mut rng);
        let mut session = session(2);
        let mut carried = session.first_noise();
        let slices: Vec<f64> =
            (0..SLICES).map(|_| session.noise(&mut carried) + session.wild()).collect();
        let (centre, ours) = (quantile::median(&requests), quantile::median(&slices));
        for p in [0.01, 0.1, 0.25, 0.75, 0.9, 0.99] {
            let expected = quantile::type7(&requests, p) - centre;
            let found = quantile::type7(&slices, p) - ours;
            assert!((found - expected).abs() < 0.006, "{p}: {found} is not {expected}");
        }
        let carried_over = |values: &[f64]| {
            let signs = values.windows(2).map(|pair| f64::from(pair[0] * pair[1] > 0.0));
            signs.sum::<f64>() / values.len() as f64
        };
        let centred = |values: &[f64], centre: f64| -> Vec<f64> {
            values.iter().map(|value| value - centre).collect()
        };
        let expected = carried_over(&centred(&requests, centre));
        let found = carried_over(&centred(&slices, ours));
        assert!((found - expected).abs() < 0.01, "{found} is not {expected}");
    }

    #[test]
    fn a_neighbour_is_there_as_often_as_its_times_say() {
        let law = Regime::from_name("ci-noisy").unwrap().neighbour.unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mut episodes = NeighbourEpisodes::new(law, &mut rng);
        let there = (0..200_000).filter(|i| episodes.at(f64::from(*i), &mut rng) > 0.0).count();
        assert!((54_000..66_000).contains(&there), "{there} of 200 000 seconds, expected 60 000");
    }
}
