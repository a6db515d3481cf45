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

/// Draws parameters for all that a pass makes of an image of this size.
pub(crate) fn draw_all(pass: &[Augmentation], stream: &mut Stream, size: usize) -> Row {
    pass.iter().map(|member| member.draw(stream, size)).reduce(Row::then).unwrap_or(Row::NONE)
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
            *seen.entry(row.kinds).or_insert(0) += 1;
        }
        // Scale and rotate share a kind, a crop has none; there is no flip.
        assert_eq!(seen.len(), 4, "{seen:?}");
        for (kind, count) in seen {
            let expected = if kind == Row::AFFINE { 2000 } else { 1000 };
            assert!(i32::abs(count - expected) < 150, "kind {kind}: {count}");
        }
    }

    #[test]
    fn only_what_samples_has_a_pass_of_its_own() {
        let passes = |text: &str| -> Vec<String> {
            let strategy: Strategy = text.parse().unwrap();
            let name = |pass: &&[Augmentation]| Strategy(pass.to_vec()).to_string();
            strategy.passes().iter().map(name).collect()
        };
        assert_eq!(passes("none"), ["none"]);
        assert_eq!(passes("color,crop,cutout"), ["color_crop_cutout"]);
        assert_eq!(
            passes("color,crop,cutout,flip,scale,rotate"),
            ["color_crop_cutout_flip", "scale", "rotate"]
        );
        // A pass draws what its members draw, one after the other.
        let stream = || Stream::new(7, Purpose::Augment, 0, 0);
        let (all, mut one) = (Strategy::all(), stream());
        let [color, crop, cutout, flip] =
            [0, 1, 2, 3].map(|member| all.members()[member].draw(&mut one, 28));
        let row = draw_all(all.passes()[0], &mut stream(), 28);
        assert_eq!(row, color.then(crop).then(cutout).then(flip));
        assert_eq!(
            (row.brightness, row.crop, row.cutout),
            (color.brightness, crop.crop, cutout.cutout)
        );
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
