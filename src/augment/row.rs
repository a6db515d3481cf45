//! What drawn augmentations tell the shaders.

/// Parameters of one image's augmentations that one pass over it makes, as `shaders/augment_*.wgsl` read them.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Row {
    pub(super) kinds: u32,
    pub(super) brightness: f32,
    pub(super) saturation: f32,
    pub(super) contrast: f32,
    pub(super) crop: [i32; 2],
    pub(super) cutout: [i32; 2],
    /// Output to input coordinates, both in −1…1: `[[xx, xy], [yx, yy]]`.
    pub(super) affine: [f32; 4],
}

#[allow(missing_docs)]
impl Row {
    const COLOR: u32 = 1;
    const CUTOUT: u32 = 2;
    const FLIP: u32 = 4;
    pub(super) const AFFINE: u32 = 8;

    /// Leaves an image as it is.
    pub const NONE: Self = Self {
        kinds: 0,
        brightness: 0.0,
        saturation: 1.0,
        contrast: 1.0,
        crop: [0; 2],
        cutout: [0; 2],
        affine: [1.0, 0.0, 0.0, 1.0],
    };

    /// Brightness, then saturation, then contrast. `0, 1, 1` changes nothing.
    pub fn color(brightness: f32, saturation: f32, contrast: f32) -> Self {
        Self { kinds: Self::COLOR, brightness, saturation, contrast, ..Self::NONE }
    }
    /// `out[y, x] = in[y + dy, x + dx]`.
    pub fn crop(dy: i32, dx: i32) -> Self {
        Self { crop: [dy, dx], ..Self::NONE }
    }
    /// A square about (y, x) becomes zero.
    pub fn cutout(y: i32, x: i32) -> Self {
        Self { kinds: Self::CUTOUT, cutout: [y, x], ..Self::NONE }
    }
    /// Mirrored left to right, or not.
    pub fn flip(mirrored: bool) -> Self {
        Self { kinds: if mirrored { Self::FLIP } else { 0 }, ..Self::NONE }
    }
    /// Sampling grid scaled along x and y.
    pub fn scale(x: f32, y: f32) -> Self {
        Self { kinds: Self::AFFINE, affine: [x, 0.0, 0.0, y], ..Self::NONE }
    }
    /// Sampling grid turned by so many radians.
    pub fn rotate(angle: f32) -> Self {
        let (sin, cos) = angle.sin_cos();
        Self { kinds: Self::AFFINE, affine: [cos, -sin, sin, cos], ..Self::NONE }
    }
    /// This and then `next`, which come in the order color, crop, cutout, flip: neither is a scale or a rotation.
    pub fn then(self, next: Self) -> Self {
        debug_assert!((self.kinds | next.kinds) & Self::AFFINE == 0, "a grid is sampled alone");
        let color = if next.kinds & Self::COLOR != 0 { next } else { self };
        Self {
            kinds: self.kinds | next.kinds,
            crop: if next.crop == [0; 2] { self.crop } else { next.crop },
            cutout: if next.kinds & Self::CUTOUT != 0 { next.cutout } else { self.cutout },
            ..color
        }
    }
}
