//! Tells how a series goes from its beginning to its end: on one level, falling, rising, or neither.

use rand::Rng;

use crate::levels::{LevelSearch, NeighbourModel};
use crate::quantile;

/// How a series goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CourseKind {
    /// On one level, as far as can be seen.
    Flat,
    /// From level to lower level.
    Falling,
    /// From level to higher level.
    Rising,
    /// Up and down.
    Neither,
}

/// The course of a series, and how far it goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SeriesCourse {
    /// How it goes.
    pub kind: CourseKind,
    /// The last level less the first; of one that is neither, the highest less the lowest. 0 if it is flat.
    pub change: f64,
}

/// Finds courses, with the critical values that it has found so far: once for each length of series.
#[derive(Debug)]
pub struct CourseSearch<R> {
    levels: LevelSearch<R>,
    smallest: f64,
}

impl<R: Rng + Clone> CourseSearch<R> {
    /// Returns a search for levels that hold for at least `shortest` values, two or more. One level is
    /// taken for several with probability `level`; levels less than `smallest` apart are one.
    pub fn new(shortest: usize, level: f64, smallest: f64, rng: R) -> Self {
        assert!(smallest >= 0.0, "a distance of levels is not negative");
        // What is alike from value to value is what a course is: a slope that is taken for likeness is missed.
        let levels = LevelSearch::new(shortest, level, NeighbourModel::Independent, rng);
        Self { levels, smallest }
    }

    /// Returns the course of the series.
    pub fn course(&mut self, values: &[f64]) -> SeriesCourse {
        const FLAT: SeriesCourse = SeriesCourse { kind: CourseKind::Flat, change: 0.0 };
        let points = self.levels.change_points(values);
        let begins = points.iter().copied();
        let bounds: Vec<usize> = [0].into_iter().chain(begins).chain([values.len()]).collect();
        if points.is_empty() {
            return FLAT;
        }
        let levels: Vec<f64> =
            bounds.windows(2).map(|part| quantile::median(&values[part[0]..part[1]])).collect();
        let (low, high) =
            levels.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), it| {
                (low.min(*it), high.max(*it))
            });
        if high - low < self.smallest {
            return FLAT;
        }
        let change = levels[levels.len() - 1] - levels[0];
        let mut steps = levels.windows(2).map(|pair| pair[1] - pair[0]);
        if change <= -self.smallest && steps.clone().all(|step| step < self.smallest) {
            SeriesCourse { kind: CourseKind::Falling, change }
        } else if change >= self.smallest && steps.all(|step| step > -self.smallest) {
            SeriesCourse { kind: CourseKind::Rising, change }
        } else {
            SeriesCourse { kind: CourseKind::Neither, change: high - low }
        }
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::draw;

    fn search() -> CourseSearch<ChaCha8Rng> {
        CourseSearch::new(3, 0.01, 0.02, ChaCha8Rng::seed_from_u64(1))
    }

    /// Thirty values along a curve, with noise of one in a hundred.
    fn series(curve: impl Fn(f64) -> f64, seed: u64) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        (0..30).map(|it| curve(f64::from(it) / 30.0) + 0.01 * draw::normal(&mut rng)).collect()
    }

    /// How many of a hundred series have each course: flat, falling, rising, neither.
    fn courses(curve: impl Fn(f64) -> f64) -> [usize; 4] {
        let mut search = search();
        let mut counts = [0; 4];
        for seed in 0..100 {
            counts[match search.course(&series(&curve, seed)).kind {
                CourseKind::Flat => 0,
                CourseKind::Falling => 1,
                CourseKind::Rising => 2,
                CourseKind::Neither => 3,
            }] += 1;
        }
        counts
    }

    #[test]
    fn each_course_is_found_and_noise_is_none() {
        assert!(courses(|_| 1.0)[0] >= 98);
        // A step, a curve as of a compiler that is done after a third, a slope all the way.
        assert!(courses(|at| if at < 0.3 { 0.2 } else { 0.0 })[1] >= 95);
        assert!(courses(|at| 0.3 * (-8.0 * at).exp())[1] >= 90);
        assert!(courses(|at| 0.2 * at)[2] >= 90);
        assert!(courses(|at| if (0.3..0.7).contains(&at) { 0.2 } else { 0.0 })[3] >= 95);
    }

    #[test]
    fn the_change_is_that_of_the_levels() {
        let course = search().course(&series(|at| if at < 0.5 { 0.3 } else { 0.1 }, 5));
        assert_eq!(course.kind, CourseKind::Falling);
        assert!((course.change + 0.2).abs() < 0.02, "{course:?}");
    }

    #[test]
    fn what_is_smaller_than_what_counts_is_flat_however_clear() {
        let values: Vec<f64> = (0..20).map(|it| if it < 10 { 0.01 } else { 0.0 }).collect();
        assert_eq!(search().course(&values).kind, CourseKind::Flat);
        assert_eq!(search().course(&[]).kind, CourseKind::Flat);
    }
}
