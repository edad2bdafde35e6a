//! The noise that continuous integration runs in, as eight kinds of it.
//!
//! Each is a mild or a malicious machine: together they are what the error rate is stated for.

/// One kind of noise. Sizes are on the ln scale, or as ratios where the field says so.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Regime {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it stands for.
    pub meaning: &'static str,
    /// Standard deviation of a launch: memory layout, hash seeds, where the threads ended up.
    pub launch: f64,
    /// Standard deviation by which the machine's speed has wandered after one second.
    pub drift: f64,
    /// Neighbours who come and go.
    pub neighbour: Option<NoisyNeighbour>,
    /// Launches that went wrong for no reason.
    pub outlier: LaunchOutlier,
    /// What makes it special.
    pub extra: RegimeFeature,
}

/// A neighbour on the machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NoisyNeighbour {
    /// Mean seconds of quiet; exponential.
    pub off_s: f64,
    /// Mean seconds of noise; exponential.
    pub on_s: f64,
    /// Smallest slowdown, as a ratio; uniform for each episode.
    pub slowdown_min: f64,
    /// Largest slowdown.
    pub slowdown_max: f64,
}

/// Launches that went wrong.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LaunchOutlier {
    /// Their share of all launches.
    pub share: f64,
    /// By how much they are slower, as a ratio.
    pub slowdown: f64,
}

/// What makes a regime special.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RegimeFeature {
    /// Nothing.
    None,
    /// The machine gets slower by this ratio every 300 s: it heats up.
    Trend(f64),
    /// A launch falls into one of two modes, this ratio apart.
    Modes(f64),
    /// A square wave of this ratio, whose period is exactly the two trials of a launch pair.
    Wave(f64),
    /// The machine gets slower by this ratio once, at some time of the session.
    Step(f64),
}

const CI: Regime = Regime {
    name: "ci",
    meaning: "a shared runner on an ordinary day",
    launch: 0.01,
    drift: 0.0007,
    neighbour: Some(NoisyNeighbour {
        off_s: 180.0,
        on_s: 20.0,
        slowdown_min: 0.05,
        slowdown_max: 0.10,
    }),
    outlier: LaunchOutlier { share: 0.01, slowdown: 0.10 },
    extra: RegimeFeature::None,
};

impl Regime {
    /// Every regime, from the mildest on.
    pub const ALL: [Self; 8] = [
        Self {
            name: "quiet",
            meaning: "a machine of one's own",
            launch: 0.005,
            drift: 0.0003,
            neighbour: None,
            outlier: LaunchOutlier { share: 0.005, slowdown: 0.03 },
            extra: RegimeFeature::None,
        },
        CI,
        Self {
            name: "ci-noisy",
            meaning: "a shared runner on a bad day",
            launch: 0.02,
            drift: 0.0013,
            neighbour: Some(NoisyNeighbour {
                off_s: 70.0,
                on_s: 30.0,
                slowdown_min: 0.05,
                slowdown_max: 0.15,
            }),
            outlier: LaunchOutlier { share: 0.03, slowdown: 0.15 },
            extra: RegimeFeature::None,
        },
        Self {
            name: "hostile",
            meaning: "neighbours that take up to a third of the machine, half of the time",
            launch: 0.03,
            drift: 0.004,
            neighbour: Some(NoisyNeighbour {
                off_s: 20.0,
                on_s: 20.0,
                slowdown_min: 0.10,
                slowdown_max: 0.30,
            }),
            outlier: LaunchOutlier { share: 0.05, slowdown: 0.25 },
            extra: RegimeFeature::None,
        },
        Self {
            name: "trend",
            meaning: "ci, and 15 % slower every five minutes",
            extra: RegimeFeature::Trend(0.15),
            ..CI
        },
        Self {
            name: "bimodal",
            meaning: "ci, but a launch falls into one of two modes 2.5 % apart",
            launch: 0.005,
            extra: RegimeFeature::Modes(0.025),
            ..CI
        },
        Self {
            name: "periodic",
            meaning: "ci, and a 6 % square wave in step with the trials",
            extra: RegimeFeature::Wave(0.06),
            ..CI
        },
        Self {
            name: "one-step",
            meaning: "one step of 20 % at some time",
            neighbour: None,
            outlier: LaunchOutlier { share: 0.0, slowdown: 0.0 },
            extra: RegimeFeature::Step(0.20),
            ..CI
        },
    ];

    /// Returns the regime of a name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|regime| regime.name == name)
    }
}
