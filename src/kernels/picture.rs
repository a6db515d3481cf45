//! Synthetic images into a texture that can be drawn.

use super::wgsl;
use crate::gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, params};

params! {
    /// What is in the picture, and where.
    pub(crate) struct Cells {
        mean: [f32; 4],
        deviation: [f32; 4],
        pub size: u32,
        pub channels: u32,
        pub images: u32,
        /// Images in a row.
        pub columns: u32,
        /// Rows, before it goes on to the right.
        pub rows: u32,
        pad: [u32; 3],
    }
}

pub(super) const KERNEL: Kernel = Kernel {
    name: "picture",
    source: wgsl!("picture"),
    slots: &[Slot::params::<Cells>(), Slot::Read, Slot::Picture],
};

impl Cells {
    /// A row for each class, `ipc` images in it, as many classes above each other as fit into
    /// `longest` pixels. None if the picture would still be too wide.
    pub fn fitting(
        (classes, ipc): (usize, usize),
        (channels, size): (usize, usize),
        (mean, std): (&[f32], &[f32]),
        longest: u32,
    ) -> Option<Self> {
        let four = |values: &[f32]| std::array::from_fn(|c| values.get(c).copied().unwrap_or(0.0));
        let fitting = (longest as usize + 1) / (size + 1);
        let cells = Self {
            mean: four(mean),
            deviation: four(std),
            size: size as u32,
            channels: channels as u32,
            images: u32::try_from(classes.checked_mul(ipc)?).ok()?,
            columns: ipc as u32,
            rows: classes.min(fitting) as u32,
            pad: [0; 3],
        };
        (fitting > 0 && cells.extent().0 <= u64::from(longest)).then_some(cells)
    }

    /// Width and height of the picture, in pixels.
    pub fn extent(&self) -> (u64, u64) {
        let blocks = self.images.div_ceil(self.rows * self.columns);
        let side = |cells: u64| cells * u64::from(self.size + 1) - 1;
        (side(u64::from(blocks) * u64::from(self.columns)), side(self.rows.into()))
    }

    /// The left upper pixel of an image.
    pub fn corner(&self, image: u32) -> (u32, u32) {
        let (row, column) = (image / self.columns, image % self.columns);
        let x = row / self.rows * self.columns + column;
        (x * (self.size + 1), row % self.rows * (self.size + 1))
    }
}

/// Paints `images`, normalised values (N, C, H, W), into an Rgba8Unorm texture of `cells`' extent.
pub(crate) fn picture(
    gpu: &Gpu,
    cells: &Cells,
    images: &Buffer<f32>,
    texture: &wgpu::TextureView,
) -> Dispatch {
    let params = Buffer::params(gpu, "cells of the picture", cells);
    let (width, height) = cells.extent();
    let groups = |side: u64| side.div_ceil(8) as u32;
    let texture = wgpu::BindingResource::TextureView(texture);
    let bindings = [params.binding(), images.binding(), texture];
    KERNEL.dispatch(gpu, &[], &bindings, [groups(width), groups(height), 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(classes: usize, ipc: usize, size: usize, longest: u32) -> Option<Cells> {
        Cells::fitting((classes, ipc), (1, size), (&[0.5], &[0.25]), longest)
    }

    #[test]
    fn classes_go_on_to_the_right_where_they_would_be_too_high() {
        let one = cells(10, 3, 28, 2048).unwrap();
        assert_eq!((one.extent(), one.corner(0), one.corner(4)), ((86, 289), (0, 0), (29, 29)));
        // Seven rows of 29 less one are 202.
        let two = cells(10, 3, 28, 202).unwrap();
        assert_eq!((two.rows, two.extent()), (7, (173, 202)));
        assert_eq!((two.corner(20), two.corner(21)), ((58, 174), (87, 0)));
        assert!(cells(10, 3, 28, 172).is_none(), "wider than that");
        assert!(cells(1, 1, 28, 27).is_none());
    }
}
