//! Greedy choices among points: herding and k-center, each in O(points × features) per choice.
//!
//! Sums are `f64` and ties go to the first point, so that a choice follows from the points alone.

/// `count` of the points (all, if there are fewer) whose mean is as near to the mean of all as
/// greedy steps achieve, in the order of their choice.
pub(super) fn herding(points: &[f32], features: usize, count: usize) -> Vec<usize> {
    let rows: Vec<_> = points.chunks_exact(features).collect();
    let mean = mean(&rows, features);
    let squares: Vec<_> =
        rows.iter().map(|row| row.iter().map(|&x| square(x.into())).sum::<f64>()).collect();
    let mut free = vec![true; rows.len()];
    let mut sum = vec![0.0; features];
    let mut chosen = Vec::new();
    for k in 1..=count.min(rows.len()) {
        // |mean − (sum + x) / k|² is least where |k·mean − sum − x|² is: |x|² − 2 x·wanted.
        let wanted: Vec<f64> =
            mean.iter().zip(&sum).map(|(mean, sum)| k as f64 * mean - sum).collect();
        let cost = |i: usize| squares[i] - 2.0 * dot(rows[i], &wanted);
        let Some(best) = least((0..rows.len()).filter(|&i| free[i]).map(|i| (i, cost(i)))) else {
            break;
        };
        free[best] = false;
        sum.iter_mut().zip(rows[best]).for_each(|(sum, &x)| *sum += f64::from(x));
        chosen.push(best);
    }
    chosen
}

/// The point nearest the mean, then always the one farthest from all chosen; `count` of them, or
/// all.
pub(super) fn k_center(points: &[f32], features: usize, count: usize) -> Vec<usize> {
    let rows: Vec<_> = points.chunks_exact(features).collect();
    let mean = mean(&rows, features);
    let mut nearest = vec![f64::INFINITY; rows.len()];
    let first = least(rows.iter().map(|row| distance(row, &mean)).enumerate());
    let mut next = first.filter(|_| count > 0);
    let mut chosen = Vec::new();
    while let Some(center) = next {
        chosen.push(center);
        let at: Vec<f64> = rows[center].iter().map(|&x| x.into()).collect();
        for (row, nearest) in rows.iter().zip(&mut nearest) {
            *nearest = nearest.min(distance(row, &at));
        }
        // Below every distance: a chosen point is not chosen again, even if another point is equal to it.
        nearest[center] = f64::NEG_INFINITY;
        let more = chosen.len() < count.min(rows.len());
        next = least(nearest.iter().map(|distance| -distance).enumerate()).filter(|_| more);
    }
    chosen
}

fn mean(rows: &[&[f32]], features: usize) -> Vec<f64> {
    let mut mean = vec![0.0; features];
    for row in rows {
        mean.iter_mut().zip(*row).for_each(|(mean, &x)| *mean += f64::from(x));
    }
    mean.iter_mut().for_each(|mean| *mean /= rows.len().max(1) as f64);
    mean
}

/// The first of those with the least cost.
fn least(costs: impl Iterator<Item = (usize, f64)>) -> Option<usize> {
    costs.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(index, _)| index)
}

fn square(x: f64) -> f64 {
    x * x
}

fn dot(row: &[f32], other: &[f64]) -> f64 {
    lanes(row, other, |x, y| x * y)
}

/// Squared.
fn distance(row: &[f32], other: &[f64]) -> f64 {
    lanes(row, other, |x, y| square(x - y))
}

/// A sum in eight parts: the processor adds them side by side.
fn lanes(row: &[f32], other: &[f64], term: impl Fn(f64, f64) -> f64) -> f64 {
    let mut sums = [0.0; 8];
    let (rows, others) = (row.chunks_exact(8), other.chunks_exact(8));
    let rest = rows.remainder().iter().zip(others.remainder());
    let rest: f64 = rest.map(|(&x, &y)| term(x.into(), y)).sum();
    for (row, other) in rows.zip(others) {
        for lane in 0..8 {
            sums[lane] += term(row[lane].into(), other[lane]);
        }
    }
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Stream};

    const FEATURES: usize = 11;

    fn cloud(points: usize, seed: u64) -> Vec<f32> {
        let mut stream = Stream::new(seed, Purpose::Selection, 0, 0);
        (0..points * FEATURES).map(|_| stream.normal()).collect()
    }

    fn row(points: &[f32], i: usize) -> Vec<f64> {
        points[i * FEATURES..][..FEATURES].iter().map(|&x| x.into()).collect()
    }

    fn gap(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
    }

    fn mean_of(points: &[f32], of: &[usize]) -> Vec<f64> {
        (0..FEATURES)
            .map(|f| of.iter().map(|&i| row(points, i)[f]).sum::<f64>() / of.len() as f64)
            .collect()
    }

    /// The candidate for which `cost` is least.
    fn best(n: usize, chosen: &[usize], cost: impl Fn(usize) -> f64) -> usize {
        let free = (0..n).filter(|i| !chosen.contains(i));
        free.min_by(|&a, &b| cost(a).total_cmp(&cost(b))).unwrap()
    }

    #[test]
    fn herding_follows_its_definition() {
        for seed in 0..5 {
            let points = cloud(40, seed);
            let mean = mean_of(&points, &(0..40).collect::<Vec<_>>());
            let mut expected = Vec::new();
            for _ in 0..12 {
                expected.push(best(40, &expected, |i| {
                    gap(&mean, &mean_of(&points, &[&expected[..], &[i]].concat()))
                }));
            }
            let chosen = herding(&points, FEATURES, 12);
            assert_eq!(chosen, expected);
            assert_eq!(herding(&points, FEATURES, 5), expected[..5]);
            let random: Vec<_> = (0..12).collect();
            assert!(
                gap(&mean, &mean_of(&points, &chosen))
                    < gap(&mean, &mean_of(&points, &random)) / 4.0
            );
        }
    }

    #[test]
    fn k_center_follows_its_definition() {
        for seed in 0..5 {
            let points = cloud(40, seed);
            let mean = mean_of(&points, &(0..40).collect::<Vec<_>>());
            let mut expected = vec![best(40, &[], |i| gap(&mean, &row(&points, i)))];
            for _ in 1..12 {
                expected.push(best(40, &expected, |i| {
                    let to = |&c: &usize| gap(&row(&points, c), &row(&points, i));
                    -expected.iter().map(to).fold(f64::INFINITY, f64::min)
                }));
            }
            assert_eq!(k_center(&points, FEATURES, 12), expected);
        }
    }

    #[test]
    fn few_points_are_all_taken_once() {
        for choose in [herding, k_center] {
            let mut chosen = choose(&cloud(3, 0), FEATURES, 9);
            chosen.sort();
            assert_eq!(chosen, [0, 1, 2]);
            // All the same point: still each once.
            let mut chosen = choose(&[1.0; 4 * FEATURES], FEATURES, 4);
            chosen.sort();
            assert_eq!(chosen, [0, 1, 2, 3]);
            assert!(choose(&[], FEATURES, 2).is_empty());
        }
    }
}
