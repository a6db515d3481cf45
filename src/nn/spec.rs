//! The ConvNet's shapes.

use crate::{
    Error, Result, Text,
    gpu::Caps,
    kernels::{self, BlockPlan, BlockShape},
};

/// Shapes of the field's ConvNet: `depth` blocks of conv 3×3 → instance norm → ReLU → average pool
/// 2×2, each of `width` channels (Gidaris & Komodakis, CVPR 2018; the default network of DM).
///
/// The first convolution of one-channel images pads by 3 (28×28 becomes 32×32), every other by 1.
/// Pooling drops an odd last row and column, as PyTorch's does.
///
/// ```
/// let net = dm_wgpu::ConvNet::new(1, 28, 128, 3)?; // channels, size, width, depth
/// assert_eq!(net.features(), 128 * 4 * 4);
/// # Ok::<(), dm_wgpu::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConvNet {
    channels: usize,
    size: usize,
    width: usize,
    planes: Vec<usize>,
}

impl ConvNet {
    /// The network for (C, S, S) images.
    ///
    /// # Errors
    /// [`Error::Setting`] for a width of 0 or a depth outside 1…5, [`Error::Shape`] when the images
    /// are used up before the last block.
    pub fn new(channels: usize, size: usize, width: usize, depth: usize) -> Result<Self> {
        Self::check(width, depth)?;
        let what = || format!("ConvNet of depth {depth} on {channels}×{size}×{size} images");
        if !matches!(channels, 1 | 3) {
            return Err(Error::shape(what(), "images have 1 or 3 channels"));
        }
        let mut plane = size + 2 * Self::border_of(channels);
        let mut planes = Vec::with_capacity(depth);
        for block in 1..=depth {
            if plane < 2 {
                // Each halves them.
                let possible = match block - 1 {
                    0 => Text::from("give larger ones"),
                    possible => Text::from("use ")
                        .setting("depth")
                        .then(format!(" {possible} or less, or larger ones")),
                };
                let small = format!("images of {size}×{size} are too small for {depth} blocks: ");
                return Err(Error::shape(what(), Text::from(small).then(possible)));
            }
            planes.push(plane);
            plane /= 2;
        }
        Ok(Self { channels, size, width, planes })
    }

    /// Checks the width and depth of a ConvNet, for images that are large enough.
    pub(super) fn check(width: usize, depth: usize) -> Result<()> {
        if width == 0 || width > 4096 {
            return Err(Error::setting("width", width, "1 to 4096 is possible (128 as published)"));
        }
        if !(1..=5).contains(&depth) {
            return Err(Error::setting("depth", depth, "1 to 5 blocks are possible"));
        }
        Ok(())
    }

    fn border_of(channels: usize) -> usize {
        if channels == 1 { 2 } else { 0 }
    }

    /// Zeros around the image that the first convolution's wider padding amounts to.
    pub fn border(&self) -> usize {
        Self::border_of(self.channels)
    }
    /// Channels of the images.
    pub fn channels(&self) -> usize {
        self.channels
    }
    /// Height and width of the images.
    pub fn size(&self) -> usize {
        self.size
    }
    /// Channels of every block.
    pub fn width(&self) -> usize {
        self.width
    }
    /// Number of blocks.
    pub fn depth(&self) -> usize {
        self.planes.len()
    }
    /// Height and width of each block's convolution.
    pub fn planes(&self) -> &[usize] {
        &self.planes
    }
    /// Input channels of a block.
    pub fn inputs(&self, block: usize) -> usize {
        if block == 0 { self.channels } else { self.width }
    }
    /// The kernels of each block on such a device.
    pub(crate) fn plan(&self, caps: &Caps) -> Vec<BlockPlan> {
        let shape = |block| BlockShape {
            inputs: self.inputs(block),
            outputs: self.width,
            size: self.planes[block],
            first: block == 0,
            last: block + 1 == self.depth(),
        };
        (0..self.depth()).map(|block| kernels::plan(caps, shape(block))).collect()
    }
    /// Values in one embedding.
    pub fn features(&self) -> usize {
        let last = self.planes[self.depth() - 1] / 2;
        self.width * last * last
    }
}
