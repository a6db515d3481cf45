//! Where a batch of square planes lies in a buffer. Twin of `shaders/shared/planes.wgsl`.

use crate::gpu::params;

params! {
    /// Layout of images of `channels` planes each, one after another.
    #[derive(PartialEq, Eq)]
    pub(crate) struct Planes {
        pub channels: u32,
        pub size: u32,
        /// Values from one row to the next.
        pub pitch: u32,
        /// Values from a plane's start to its element (0, 0).
        pub origin: u32,
        /// Values from one plane to the next.
        pub stride: u32,
        pad: [u32; 3],
    }
}

impl Planes {
    /// Rows and planes without gaps: plain NCHW.
    pub fn dense(channels: usize, size: usize) -> Self {
        Self::new(channels, size, size, 0, size * size)
    }

    /// A halo of at least one value on all sides, which convolution reads as its zero padding.
    /// Rows are a multiple of four values long.
    pub fn haloed(channels: usize, size: usize) -> Self {
        let pitch = (size + 2).next_multiple_of(4);
        Self::new(channels, size, pitch, pitch + 1, (size + 2) * pitch)
    }

    /// The same planes without their outermost `border` rows and columns.
    pub fn inset(self, border: usize) -> Self {
        let border = border as u32;
        Self {
            size: self.size - 2 * border,
            origin: self.origin + border * (self.pitch + 1),
            ..self
        }
    }

    /// The same planes from the image of this number on.
    pub fn starting_at(self, image: usize) -> Self {
        Self { origin: self.origin + (image * self.image_len()) as u32, ..self }
    }

    /// Values that one image takes, gaps included.
    pub fn image_len(&self) -> usize {
        self.channels as usize * self.stride as usize
    }

    /// Whether each row of each plane begins at a multiple of four values.
    pub fn is_aligned(&self) -> bool {
        [self.pitch, self.origin, self.stride].iter().all(|values| values.is_multiple_of(4))
    }

    /// Values of one image, without gaps.
    pub fn values(&self) -> usize {
        (self.channels * self.size * self.size) as usize
    }

    fn new(channels: usize, size: usize, pitch: usize, origin: usize, stride: usize) -> Self {
        Self {
            channels: channels as u32,
            size: size as u32,
            pitch: pitch as u32,
            origin: origin as u32,
            stride: stride as u32,
            pad: [0; 3],
        }
    }
}
