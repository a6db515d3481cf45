//! The siamese augmentations, with parameters for each image of a batch or one set for all.

use std::f64::consts::PI;

use burn::tensor::{Device, Distribution, Int, Tensor, ops::GridSampleOptions};

#[derive(Debug, Clone, Copy)]
pub enum Name {
    Color,
    Crop,
    Cutout,
    Flip,
    Scale,
    Rotate,
}

/// All augmentations, without flip for digits.
pub fn strategy(channels: usize) -> Vec<Name> {
    use Name::{Color, Crop, Cutout, Flip, Rotate, Scale};
    let every = [Color, Crop, Cutout, Flip, Scale, Rotate];
    every.into_iter().filter(|name| channels == 3 || !matches!(name, Flip)).collect()
}

/// The parameters of one augmentation, for each image or one set for all.
#[derive(Clone)]
#[expect(clippy::large_enum_variant, reason = "there are only two at a time, on the stack")]
pub enum Parameters {
    /// Brightness, saturation, contrast.
    Color([Tensor<4>; 3]),
    /// Rows down, columns to the right.
    Crop([Tensor<4, Int>; 2]),
    /// Row and column of the middle.
    Cutout([Tensor<4, Int>; 2]),
    /// Images are mirrored where this is below a half.
    Flip(Tensor<4>),
    /// The first two columns of the affine matrix, row by row; the third is zero.
    Affine([Tensor<4>; 4]),
}

impl Parameters {
    pub fn draw(name: Name, count: usize, size: usize, device: &Device) -> Self {
        let shape = [count, 1, 1, 1];
        let uniform = |low: f64, high: f64| {
            Tensor::<4>::random(shape, Distribution::Uniform(low, high), device)
        };
        // From `low` to `past - 1`.
        let whole = |low: i64, past: i64| uniform(low as f64, past as f64).floor().int();
        let rounded = |part: f64| (size as f64 * part + 0.5) as i64;
        match name {
            Name::Color => Self::Color([uniform(-0.5, 0.5), uniform(0.0, 2.0), uniform(0.5, 1.5)]),
            Name::Crop => {
                let most = rounded(0.125);
                Self::Crop([whole(-most, most + 1), whole(-most, most + 1)])
            }
            Name::Cutout => {
                let past = size as i64 + 1 - rounded(0.5) % 2;
                Self::Cutout([whole(0, past), whole(0, past)])
            }
            Name::Flip => Self::Flip(uniform(0.0, 1.0)),
            Name::Scale => {
                let (low, high) = (1.0 / 1.2, 1.2);
                let zero = || Tensor::zeros(shape, device);
                Self::Affine([uniform(low, high), zero(), zero(), uniform(low, high)])
            }
            Name::Rotate => {
                let angle = uniform(-15.0, 15.0) * (PI / 180.0);
                let (sin, cos) = (angle.clone().sin(), angle.cos());
                Self::Affine([cos.clone(), -sin.clone(), sin, cos])
            }
        }
    }

    pub fn apply(self, images: Tensor<4>) -> Tensor<4> {
        let [count, channels, size, _] = images.dims();
        let device = images.device().without_autodiff();
        let along = || Tensor::<1, Int>::arange(0..size as i64, &device);
        let (down, across) = ([1, 1, size, 1], [1, 1, 1, size]);
        match self {
            Self::Color([brightness, saturation, contrast]) => {
                let images = images + brightness;
                let grey = images.clone().mean_dim(1);
                let images = (images - grey.clone()) * saturation + grey;
                let level = images.clone().mean_dims(&[1, 2, 3]);
                (images - level.clone()) * contrast + level
            }
            Self::Crop([moved_down, moved_right]) => {
                let rows = along().reshape(down) + moved_down;
                let columns = along().reshape(across) + moved_right;
                let last = size as i64 - 1;
                let inside =
                    |at: &Tensor<4, Int>| at.clone().equal(at.clone().clamp(0, last)).float();
                let inside = inside(&rows) * inside(&columns);
                let index = rows.clamp(0, last) * size as i64 + columns.clamp(0, last);
                let [drawn, ..] = index.dims();
                let index =
                    index.reshape([drawn, 1, size * size]).expand([count, channels, size * size]);
                let seen = images.reshape([count, channels, size * size]).gather(2, index);
                seen.reshape([count, channels, size, size]) * inside
            }
            Self::Cutout([row, column]) => {
                let edge = (size as f64 * 0.5 + 0.5) as i64;
                let hidden = |middle: Tensor<4, Int>, at: Tensor<4, Int>| {
                    let from_first = at - middle + edge / 2;
                    from_first.clone().equal(from_first.clamp(0, edge - 1)).float()
                };
                let rows = hidden(row, along().reshape(down));
                let columns = hidden(column, along().reshape(across));
                images * (rows * columns).neg().add_scalar(1.0)
            }
            Self::Flip(drawn) => {
                let mirrored = images.clone().flip([3]);
                let mask = drawn.lower_scalar(0.5).expand([count, channels, size, size]);
                images.mask_where(mask, mirrored)
            }
            Self::Affine([xx, xy, yx, yy]) => {
                // The middles of pixels, where -1 and 1 are the edges of the image. In burn's
                // `affine_grid_2d`, -1 and 1 are the middles of the outermost pixels.
                let middle = || {
                    along()
                        .float()
                        .mul_scalar(2.0 / size as f64)
                        .add_scalar(1.0 / size as f64 - 1.0)
                };
                let (x, y) = (middle().reshape(across), middle().reshape(down));
                let at_x = x.clone() * xx + y.clone() * xy;
                let at_y = x * yx + y * yy;
                let [drawn, ..] = at_x.dims();
                let grid = [at_x, at_y].map(|at| at.reshape([drawn, size, size]));
                let grid = Tensor::stack::<4>(grid.into(), 3).expand([count, size, size, 2]);
                images.grid_sample_2d(grid, GridSampleOptions::default())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Augments two images of 4×4: the first counts up from 0, the second from 16.
    fn seen(drawn: impl FnOnce(&Device) -> Parameters) -> Vec<f32> {
        let device = Device::default();
        let images = Tensor::<1, Int>::arange(0..32, &device).float().reshape([2, 1, 4, 4]);
        drawn(&device).apply(images).into_data().try_to_vec().unwrap()
    }

    fn all<const N: usize>(values: [f32; N], device: &Device) -> [Tensor<4>; N] {
        values.map(|value| Tensor::full([1, 1, 1, 1], value, device))
    }

    fn whole<const N: usize>(values: [i32; N], device: &Device) -> [Tensor<4, Int>; N] {
        values.map(|value| Tensor::full([1, 1, 1, 1], value, device))
    }

    #[track_caller]
    fn assert_near(seen: &[f32], expected: &[f32]) {
        let near = |(a, b): (&f32, &f32)| (a - b).abs() < 1e-4;
        assert!(seen.iter().zip(expected).all(near), "{seen:?} is not {expected:?}");
    }

    #[test]
    fn colours() {
        let brighter = seen(|device| Parameters::Color(all([0.5, 2.0, 1.0], device)));
        assert_near(&brighter[..3], &[0.5, 1.5, 2.5]);
        let flat = seen(|device| Parameters::Color(all([0.0, 1.0, 0.0], device)));
        assert_near(&flat[15..17], &[7.5, 23.5]);
    }

    #[test]
    fn crops() {
        let moved = seen(|device| Parameters::Crop(whole([1, -1], device)));
        assert_near(&moved[..8], &[0.0, 4.0, 5.0, 6.0, 0.0, 8.0, 9.0, 10.0]);
        assert_near(&moved[12..20], &[0.0, 0.0, 0.0, 0.0, 0.0, 20.0, 21.0, 22.0]);
    }

    #[test]
    fn cuts_out() {
        let cut = seen(|device| Parameters::Cutout(whole([0, 2], device)));
        assert_near(&cut[..8], &[0.0, 0.0, 0.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
    }

    #[test]
    fn mirrors() {
        let one =
            |device: &Device| Tensor::<1>::from_floats([0.7, 0.2], device).reshape([2, 1, 1, 1]);
        let mirrored = seen(|device| Parameters::Flip(one(device)));
        assert_near(&mirrored[..2], &[0.0, 1.0]);
        assert_near(&mirrored[16..20], &[19.0, 18.0, 17.0, 16.0]);
    }

    #[test]
    fn scales_and_turns() {
        let same = seen(|device| Parameters::Affine(all([1.0, 0.0, 0.0, 1.0], device)));
        assert_near(&same[14..18], &[14.0, 15.0, 16.0, 17.0]);
        let turned = seen(|device| Parameters::Affine(all([0.0, -1.0, 1.0, 0.0], device)));
        assert_near(&turned[..5], &[3.0, 7.0, 11.0, 15.0, 2.0]);
        // Pixels are read at twice their distance from the middle.
        let smaller = seen(|device| Parameters::Affine(all([2.0, 0.0, 0.0, 2.0], device)));
        assert_near(&smaller[5..7], &[2.5, 4.5]);
    }
}
