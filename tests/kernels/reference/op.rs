//! One image's augmentation with its parameters, in the specification's own terms.

use dm_wgpu::testing::Row;

/// An operation of `tests/golden/README.md`'s table, with the parameters it needs. They are f32, as
/// the GPU gets them, so that both sides start from the same numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    None,
    /// Brightness, saturation, contrast, each on the result of the one before; 0, 1, 1 is nothing.
    Color {
        brightness: f32,
        saturation: f32,
        contrast: f32,
    },
    Crop {
        y: i32,
        x: i32,
    },
    Cutout {
        y: i32,
        x: i32,
    },
    Flip,
    Scale {
        x: f32,
        y: f32,
    },
    /// In radians.
    Rotate(f32),
}

impl Op {
    /// The largest shift of a crop, ⌊0.125·size + 0.5⌋.
    pub fn crop_limit(size: usize) -> i32 {
        (0.125 * size as f64 + 0.5).floor() as i32
    }
    /// The side of a cut-out square, ⌊0.5·size + 0.5⌋.
    pub fn cutout_side(size: usize) -> usize {
        (0.5 * size as f64 + 0.5).floor() as usize
    }
    /// The last position a cut-out square can be at.
    pub fn cutout_limit(size: usize) -> i32 {
        (size - Self::cutout_side(size) % 2) as i32
    }
    /// The rows (or columns) that a cutout at `position` sets to zero; some may be named twice.
    pub fn cut_lines(position: i32, size: usize) -> impl Iterator<Item = usize> + Clone {
        let side = Self::cutout_side(size) as i32;
        (0..side).map(move |i| (position - side / 2 + i).clamp(0, size as i32 - 1) as usize)
    }
    /// The 2×2 part of the affine grid, output to input coordinates, of an operation that has one.
    pub fn matrix(self) -> Option<[[f64; 2]; 2]> {
        match self {
            Self::Scale { x, y } => Some([[x.into(), 0.0], [0.0, y.into()]]),
            Self::Rotate(angle) => {
                let (sin, cos) = f64::from(angle).sin_cos();
                Some([[cos, -sin], [sin, cos]])
            }
            _ => None,
        }
    }
}

impl From<Op> for Row {
    fn from(op: Op) -> Self {
        match op {
            Op::None => Self::NONE,
            Op::Color { brightness, saturation, contrast } => {
                Self::color(brightness, saturation, contrast)
            }
            Op::Crop { y, x } => Self::crop(y, x),
            Op::Cutout { y, x } => Self::cutout(y, x),
            Op::Flip => Self::flip(true),
            Op::Scale { x, y } => Self::scale(x, y),
            Op::Rotate(angle) => Self::rotate(angle),
        }
    }
}

/// The rows of a batch.
pub fn rows(ops: &[Op]) -> Vec<Row> {
    ops.iter().copied().map(Row::from).collect()
}
