//! Finds where a series of one number per run changed its level, whatever the law of the noise.
//!
//! The values are replaced by their ranks, so a wild run weighs no more than the largest of the others,
//! and what is to be expected of a series without a change is the same for every noise: it is found by
//! shuffling ranks, once for each length. Splits are looked for not only in the whole series but in
//! parts of all lengths (seeded binary segmentation, Kovács et al. 2023), and the split of the shortest
//! part that shows one is taken (narrowest over threshold, Baranowski et al. 2019): a level that rises
//! and falls again is invisible in the whole series and plain in a part of it. Both sides are searched
//! in turn.
//!
//! [`crate::segment`] is the plainer rule that stored baselines decide by.

use std::collections::BTreeMap;

use rand::Rng;
use rand::seq::SliceRandom as _;

use crate::quantile;

/// Shuffled series that a critical value is found from.
const SHUFFLES: usize = 5_000;
/// By how much the parts shrink from one length to the next: the inverse of the root of two.
const SHRINK: f64 = std::f64::consts::FRAC_1_SQRT_2;

/// A search for changes, with the critical values it has found so far.
#[derive(Debug)]
pub struct LevelSearch<R> {
    shortest: usize,
    level: f64,
    rng: R,
    critical: BTreeMap<usize, f64>,
}

/// A part of a series and the best split in it.
struct SeriesSplit {
    length: usize,
    place: usize,
    z: f64,
}

impl<R: Rng + Clone> LevelSearch<R> {
    /// Returns a search for levels that hold for at least `shortest` values, two or more, which splits
    /// a series of one level with probability `level`. What chance does is drawn from copies of `rng`.
    pub fn new(shortest: usize, level: f64, rng: R) -> Self {
        assert!(shortest >= 2, "a level holds for two values or more");
        Self { shortest, level, rng, critical: BTreeMap::new() }
    }

    /// Returns where new levels begin, rising; the first one, at 0, is not listed.
    ///
    /// The values are exchangeable within a level: drift and correlation between neighbours are taken
    /// for changes.
    pub fn change_points(&mut self, values: &[f64]) -> Vec<usize> {
        let mut points = Vec::new();
        self.search(values, 0, &mut points);
        points.sort_unstable();
        points
    }

    fn search(&mut self, values: &[f64], offset: usize, points: &mut Vec<usize>) {
        if values.len() < 2 * self.shortest {
            return;
        }
        let critical = self.critical(values.len());
        let splits = splits(&ranks(values), self.shortest);
        let visible = splits.into_iter().filter(|split| split.z > critical);
        let narrowest = visible.min_by(|a, b| a.length.cmp(&b.length).then(b.z.total_cmp(&a.z)));
        let Some(SeriesSplit { place, .. }) = narrowest else { return };
        points.push(offset + place);
        self.search(&values[..place], offset, points);
        self.search(&values[place..], offset + place, points);
    }

    /// The largest split that chance shows in a series of this length with probability `level`.
    fn critical(&mut self, n: usize) -> f64 {
        if let Some(known) = self.critical.get(&n) {
            return *known;
        }
        let mut rng = self.rng.clone();
        let mut shuffled: Vec<f64> = (1..=n).map(|rank| rank as f64).collect();
        let largest: Vec<f64> = (0..SHUFFLES)
            .map(|_| {
                shuffled.shuffle(&mut rng);
                let splits = splits(&centred(&shuffled), self.shortest);
                splits.into_iter().map(|split| split.z).fold(0.0, f64::max)
            })
            .collect();
        let critical = quantile::type7(&largest, 1.0 - self.level);
        self.critical.insert(n, critical);
        critical
    }
}

/// Midranks, centred and of variance 1.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut rank = 0;
    for tied in order.chunk_by(|&a, &b| values[a].total_cmp(&values[b]).is_eq()) {
        let middle = (2 * rank + tied.len() + 1) as f64 / 2.0;
        for &place in tied {
            ranks[place] = middle;
        }
        rank += tied.len();
    }
    centred(&ranks)
}

fn centred(ranks: &[f64]) -> Vec<f64> {
    let n = ranks.len() as f64;
    let mean = ranks.iter().sum::<f64>() / n;
    let variance = ranks.iter().map(|rank| (rank - mean).powi(2)).sum::<f64>() / n;
    // A flat series has no split, whatever it is divided by.
    let deviation = if variance > 0.0 { variance.sqrt() } else { 1.0 };
    ranks.iter().map(|rank| (rank - mean) / deviation).collect()
}

/// The best split of every part.
fn splits(ranks: &[f64], shortest: usize) -> Vec<SeriesSplit> {
    let n = ranks.len();
    let mut sums = Vec::with_capacity(n + 1);
    sums.push(0.0);
    for rank in ranks {
        sums.push(sums[sums.len() - 1] + rank);
    }
    let mut found = Vec::new();
    let mut length = n;
    loop {
        let step = (length / 2).max(1);
        let mut start = 0;
        loop {
            found.extend(best_split(&sums, start, (start + length).min(n), shortest));
            if start + length >= n {
                break;
            }
            start += step;
        }
        if length <= 2 * shortest {
            return found;
        }
        let shorter = crate::index((length as f64 * SHRINK).floor());
        length = shorter.max(2 * shortest);
    }
}

/// The split of a part whose sides differ most, in standard deviations.
fn best_split(sums: &[f64], start: usize, end: usize, shortest: usize) -> Option<SeriesSplit> {
    let length = end - start;
    let last = length.checked_sub(shortest)?;
    let whole = sums[end] - sums[start];
    let split = |left: usize| {
        let (before, after) = (left as f64, (length - left) as f64);
        let share = whole * before / length as f64;
        let excess = sums[start + left] - sums[start] - share;
        let z = excess.abs() / (before * after / length as f64).sqrt();
        SeriesSplit { length, place: start + left, z }
    };
    (shortest..=last).map(split).max_by(|a, b| a.z.total_cmp(&b.z))
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use super::*;
    use crate::draw;

    fn search() -> LevelSearch<ChaCha8Rng> {
        LevelSearch::new(3, 0.01, ChaCha8Rng::seed_from_u64(1))
    }

    /// Noise of 1 around levels, each given with its length.
    fn series(levels: &[(usize, f64)], seed: u64) -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let level = |&(length, level): &(usize, f64)| vec![level; length];
        let levels: Vec<f64> = levels.iter().flat_map(level).collect();
        levels.into_iter().map(|level| level + draw::normal(&mut rng)).collect()
    }

    #[test]
    fn a_series_of_one_level_is_split_as_rarely_as_promised() {
        let mut search = search();
        let split = |seed: &u64| !search.change_points(&series(&[(40, 0.0)], *seed)).is_empty();
        let splits = (0..2_000).filter(split).count();
        assert!((8..=36).contains(&splits), "{splits} of 2000 at a level of 1 %");
    }

    #[test]
    fn a_level_that_comes_and_goes_is_found_where_it_is() {
        let values = series(&[(30, 0.0), (12, 4.0), (30, 0.0)], 7);
        assert_eq!(search().change_points(&values), [30, 42]);
    }

    #[test]
    fn one_wild_value_is_no_level() {
        let mut values = series(&[(40, 0.0)], 3);
        values[20] = 1e6;
        assert!(search().change_points(&values).is_empty());
    }

    #[test]
    fn flat_and_short_series_have_no_change() {
        assert!(search().change_points(&[2.0; 30]).is_empty());
        assert!(search().change_points(&[1.0, 2.0, 9.0]).is_empty());
        assert!(search().change_points(&[]).is_empty());
    }

    #[test]
    fn neither_unit_nor_direction_of_time_matter() {
        let values = series(&[(20, 0.0), (15, 3.0), (25, -2.0)], 11);
        let points = search().change_points(&values);
        assert_eq!(points, [20, 35]);
        let scaled: Vec<f64> = values.iter().map(|value| (value / 3.0).exp()).collect();
        assert_eq!(search().change_points(&scaled), points);
        let reversed: Vec<f64> = values.iter().rev().copied().collect();
        let mirrored: Vec<usize> = points.iter().rev().map(|point| 60 - point).collect();
        assert_eq!(search().change_points(&reversed), mirrored);
    }
}
