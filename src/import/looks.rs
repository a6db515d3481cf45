//! Checks whether floats can be normalised pixels.

use std::path::Path;

use crate::Dataset;

/// The range of normalised pixels if their data set is not known: white and black at three deviations.
const USUAL: (f32, f32) = (-3.0, 3.0);
/// No real image is so many times beyond that range.
const FAR: f32 = 30.0;

/// Warns about images that can hardly be normalised, because their accuracy would mean nothing.
pub(super) fn warn(values: &[f32], dataset: Option<&Dataset>, path: &Path) {
    let range = dataset.map_or(USUAL, range);
    let Some((look, to_bytes, to_unit)) = look(values, range) else { return };
    let (of, mean, std) = match dataset {
        Some(d) => {
            (format!(" of {}", d.name()), format!("{:?}", d.mean()), format!("{:?}", d.std()))
        }
        None => (String::new(), "mean".into(), "std".into()),
    };
    log::warn!(
        "{}: its floats are taken as normalised pixels, but {look}, while those{of} lie in {:.2}…{:.2}; \
         convert them to uint8{to_bytes}, or normalise them: ({to_unit} - {mean}) / {std}",
        path.display(),
        range.0,
        range.1
    );
}

/// The smallest and the largest value that a pixel in 0…1 becomes.
fn range(dataset: &Dataset) -> (f32, f32) {
    let channels = || dataset.mean().iter().zip(dataset.std());
    let least = channels().map(|(mean, std)| -mean / std).fold(f32::INFINITY, f32::min);
    let most = channels().map(|(mean, std)| (1.0 - mean) / std).fold(f32::NEG_INFINITY, f32::max);
    (least, most)
}

/// How the values look, and how they become bytes or values in 0…1, if they do not fit this range.
fn look(values: &[f32], (least, most): (f32, f32)) -> Option<(String, &'static str, &'static str)> {
    let (low, high) = values
        .iter()
        .fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &x| (low.min(x), high.max(x)));
    let far = FAR * least.abs().max(most.abs());
    if high <= low {
        return None;
    }
    // Black is well below 0 unless the mean is nearly 0.
    if low >= 0.0 && high <= 1.0 && least < -0.1 {
        Some(("all lie in 0…1".into(), " (times 255)", "images"))
    } else if low >= 0.0 && high <= 255.0 && high > 2.0 * most.max(1.0) {
        Some(("all lie in 0…255".into(), "", "images / 255"))
    } else if low == -1.0 && high == 1.0 && (least > -0.9 || most > 1.1) {
        Some(("lie in -1…1 to both ends".into(), " ((images + 1) times 127.5)", "(images + 1) / 2"))
    } else if low.abs().max(high.abs()) > far {
        Some((format!("reach from {low:e} to {high:e}"), "", "images in 0…1"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_are_not_normalised_are_recognised() {
        let digits = (-0.42, 2.82);
        for (values, expected) in [
            (&[0.0, 0.3, 1.0][..], Some("0…1")),
            (&[0.2, 0.7], Some("0…1")),
            (&[0.0, 17.0, 255.0], Some("0…255")),
            (&[0.0, 6.0], Some("0…255")),
            (&[-1.0, 0.2, 1.0], Some("-1…1")),
            (&[-0.3, 1e10], Some("1e10")),
            (&[-900.0, 3.0], Some("-9e2")),
            (&[-0.42, 0.3, 2.82], None),
            (&[-0.1, 0.9], None),
            (&[-7.0, 9.0], None),
            (&[0.0, 2.5], None),
            // An even grey.
            (&[0.0, 0.0], None),
        ] {
            let found = look(values, digits).map(|(look, ..)| look);
            let as_expected = match (&found, expected) {
                (Some(found), Some(expected)) => found.contains(expected),
                (found, expected) => found.is_none() && expected.is_none(),
            };
            assert!(as_expected, "{values:?}: {found:?}");
        }
        // If no mean is subtracted, normalised pixels are in 0…1 themselves.
        assert!(look(&[0.0, 1.0], (0.0, 1.0)).is_none());
    }

    #[test]
    fn the_range_of_values_is_from_black_to_white() {
        let glyphs = crate::data::glyphs(0).unwrap();
        let (least, most) = range(&glyphs);
        let (mean, std) = (glyphs.mean()[0], glyphs.std()[0]);
        assert_eq!((least, most), (-mean / std, (1.0 - mean) / std));
    }
}
