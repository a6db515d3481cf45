//! The known answers. For each result, sixteen sums are kept, in each of which every value has a sign of its own. A
//! difference anywhere in the result shows with the same size in every sum, and the sums are few enough to be part of
//! the program.

use std::collections::BTreeMap;

use crate::{
    Error, Result,
    rng::{Purpose, Stream},
};

/// How many sums of a result are kept.
pub const PROJECTIONS: usize = 16;

/// The sums by the result's name. `tests/kernels/doctor.rs` computes them in f64 and compares this file with them, or
/// writes it.
pub const GOLDEN: &str = include_str!("golden.json");

/// The sums of a result.
pub fn projections(values: &[f64]) -> [f64; PROJECTIONS] {
    let mut signs = Stream::new(0, Purpose::MadeUp, u32::MAX, 0);
    let mut sums = [0.0; PROJECTIONS];
    for value in values {
        let word = signs.next_u32();
        for (bit, sum) in sums.iter_mut().enumerate() {
            *sum += if word >> bit & 1 == 0 { *value } else { -value };
        }
    }
    sums
}

/// How far a result is from the known one, relative to that.
pub(super) fn error(what: &str, values: &[f32]) -> Result<f64> {
    let missing = || Error::gpu("check its kernels", format!("nothing is known of {what}"));
    let golden: BTreeMap<String, [f64; PROJECTIONS]> =
        serde_json::from_str(GOLDEN).map_err(|_| missing())?;
    let known = golden.get(what).ok_or_else(missing)?;
    let values: Vec<_> = values.iter().map(|&value| f64::from(value)).collect();
    let length =
        |sums: &mut dyn Iterator<Item = f64>| sums.map(|sum| sum * sum).sum::<f64>().sqrt();
    let apart = length(&mut projections(&values).iter().zip(known).map(|(a, b)| a - b));
    Ok(apart / length(&mut known.iter().copied()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_anywhere_shows_in_its_size() {
        let length = |sums: &[f64]| sums.iter().map(|sum| sum * sum).sum::<f64>().sqrt();
        let values: Vec<f64> = (0..1000).map(|i| f64::from(i % 7) - 3.0).collect();
        let right = projections(&values);
        for at in [0, 500, 999] {
            let mut wrong = values.clone();
            wrong[at] += 0.5;
            let apart: Vec<_> = projections(&wrong).iter().zip(right).map(|(a, b)| a - b).collect();
            assert!((length(&apart) - 0.5 * 4.0).abs() < 1e-9, "{at}");
        }
        // Exchanging two values is noticed as well.
        let mut wrong = values.clone();
        wrong.swap(1, 2);
        assert!(projections(&wrong) != right);
        let mut wrong = values;
        wrong[3] = f64::NAN;
        assert!(projections(&wrong).iter().all(|sum| sum.is_nan()));
    }

    #[test]
    fn results_without_a_known_answer_are_an_error() {
        assert!(error("no such case", &[1.0]).is_err());
    }
}
