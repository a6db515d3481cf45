//! Drawing one augmentation and its parameters.

use super::{Augmentation, Row, Strategy};
use crate::rng::Stream;

/// Scale factors lie between 1/1.2 and 1.2, rotations between ±15°, shifts within an eighth of the
/// size; cutout takes a square of half the size.
const SCALE: f32 = 1.2;
const ROTATE: f32 = 15.0 * std::f32::consts::PI / 180.0;
const CROP: f32 = 0.125;
const CUTOUT: f32 = 0.5;

impl Strategy {
    /// Draws one member, uniformly, and its parameters for images of this size.
    pub(crate) fn draw(&self, stream: &mut Stream, size: usize) -> Row {
        self.pick(stream).map_or(Row::NONE, |member| member.draw(stream, size))
    }

    /// Draws one member, uniformly; `None` if the strategy is empty.
    pub(crate) fn pick(&self, stream: &mut Stream) -> Option<Augmentation> {
        let members = self.members();
        (!members.is_empty()).then(|| members[stream.below(members.len() as u32) as usize])
    }
}

impl Augmentation {
    /// Draws parameters for an image of this size.
    pub(crate) fn draw(self, stream: &mut Stream, size: usize) -> Row {
        let part = |of: f32| (size as f32 * of + 0.5) as i32;
        match self {
            Self::Color => {
                let brightness = stream.uniform() - 0.5;
                let saturation = stream.uniform() * 2.0;
                Row::color(brightness, saturation, stream.uniform() + 0.5)
            }
            Self::Crop => {
                let most = part(CROP);
                let mut shift = || stream.below(2 * most as u32 + 1) as i32 - most;
                let y = shift();
                Row::crop(y, shift())
            }
            Self::Cutout => {
                let positions = size as u32 + 1 - part(CUTOUT) as u32 % 2;
                let y = stream.below(positions) as i32;
                Row::cutout(y, stream.below(positions) as i32)
            }
            Self::Flip => Row::flip(stream.uniform() < 0.5),
            Self::Scale => {
                let mut factor = || stream.uniform() * (SCALE - 1.0 / SCALE) + 1.0 / SCALE;
                let x = factor();
                Row::scale(x, factor())
            }
            Self::Rotate => Row::rotate((stream.uniform() - 0.5) * 2.0 * ROTATE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Purpose;

    #[test]
    fn members_are_drawn_equally_often() {
        let strategy = Strategy::digits();
        let mut seen = std::collections::HashMap::new();
        for class in 0..5000 {
            let row = strategy.draw(&mut Stream::new(3, Purpose::Augment, 0, class), 28);
            *seen.entry(row.kind).or_insert(0) += 1;
        }
        // Scale and rotate share a kind; there is no flip.
        assert_eq!(seen.len(), 4, "{seen:?}");
        for (kind, count) in seen {
            let expected = if kind == Row::AFFINE { 2000 } else { 1000 };
            assert!(i32::abs(count - expected) < 150, "kind {kind}: {count}");
        }
    }

    #[test]
    fn parameters_stay_in_the_published_ranges() {
        let all = Strategy::all();
        for class in 0..2000 {
            let row = all.draw(&mut Stream::new(0, Purpose::Augment, 1, class), 28);
            assert!(row.brightness.abs() <= 0.5);
            assert!((0.0..=2.0).contains(&row.saturation));
            assert!((0.5..=1.5).contains(&row.contrast));
            assert!(row.crop.iter().all(|s| (-4..=4).contains(s)));
            assert!(row.cutout.iter().all(|s| (0..=28).contains(s)));
            let [xx, xy, yx, yy] = row.affine;
            assert!((0.833..1.2001).contains(&xx) && (0.833..1.2001).contains(&yy));
            assert!(xy == -yx && xy.abs() < 0.26);
        }
    }
}
