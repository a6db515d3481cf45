//! Textures that are used as arrays of four values each. Twin of `shaders/shared/texels.wgsl`.
//!
//! On CPU adapters a load from a storage texture costs a fraction of one from a buffer.

use super::{Buffer, Gpu};
use crate::{Error, Result};

/// Texels of a row: as many as every device allows.
const ROW: usize = 8192;

/// Bytes of a texel.
pub(super) const TEXEL_BYTES: usize = 16;

/// `len` texels of four f32 each, in device memory, zero at first.
#[derive(Debug, Clone)]
pub(crate) struct Texels {
    view: wgpu::TextureView,
    len: usize,
}

/// Values in a buffer, or in a texture, four to a texel.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Values<'a> {
    Buffer(&'a Buffer<f32>),
    Texels(&'a Texels),
}

impl<'a> Values<'a> {
    /// The buffer, if they are in one.
    pub fn buffer(self) -> Option<&'a Buffer<f32>> {
        match self {
            Self::Buffer(buffer) => Some(buffer),
            Self::Texels(_) => None,
        }
    }

    /// The buffer, where only one will do.
    pub fn in_buffer(self) -> Result<&'a Buffer<f32>> {
        let reason = "a tensor lies in a texture, where its kernel does not read it";
        self.buffer().ok_or_else(|| Error::gpu("record a network", reason))
    }

    /// The texture, if they are in one.
    pub fn texels(self) -> Option<&'a Texels> {
        match self {
            Self::Buffer(_) => None,
            Self::Texels(texels) => Some(texels),
        }
    }

    /// As a shader's binding.
    pub fn binding(self) -> wgpu::BindingResource<'a> {
        match self {
            Self::Buffer(buffer) => buffer.binding(),
            Self::Texels(texels) => texels.binding(),
        }
    }
}

impl<'a> From<&'a Buffer<f32>> for Values<'a> {
    fn from(buffer: &'a Buffer<f32>) -> Self {
        Self::Buffer(buffer)
    }
}

impl<'a> From<&'a Texels> for Values<'a> {
    fn from(texels: &'a Texels) -> Self {
        Self::Texels(texels)
    }
}

impl Texels {
    /// Bytes of the largest texture: of its rows, one is left unused.
    pub const MOST_BYTES: u64 = (ROW * (ROW - 1) * TEXEL_BYTES) as u64;

    /// Whether a device allows such textures, and four of them in a kernel: WebGPU's default limits do.
    pub fn suffices(limits: &wgpu::Limits) -> bool {
        let side = limits.max_texture_dimension_2d as usize;
        side >= ROW && limits.max_storage_textures_per_shader_stage >= 4
    }

    pub fn zeros(gpu: &Gpu, label: &str, len: usize) -> Self {
        gpu.note(|so_far| so_far.bytes += Self::bytes(len));
        let raw = texture(gpu.device(), Some(label), len, wgpu::TextureFormat::Rgba32Float);
        Self { view: raw.create_view(&wgpu::TextureViewDescriptor::default()), len }
    }

    /// Bytes that so many texels take: whole rows, four rows at a time, as Mesa's software device allocates them.
    pub fn bytes(len: usize) -> u64 {
        let [width, height] = sides(len);
        (width * height.next_multiple_of(4) * TEXEL_BYTES) as u64
    }

    /// Number of texels.
    pub fn len(&self) -> usize {
        self.len
    }

    /// As a shader's binding.
    pub fn binding(&self) -> wgpu::BindingResource<'_> {
        wgpu::BindingResource::TextureView(&self.view)
    }
}

/// A texture for so many texels.
pub(super) fn texture(
    device: &wgpu::Device,
    label: Option<&str>,
    len: usize,
    format: wgpu::TextureFormat,
) -> wgpu::Texture {
    let [width, height] = sides(len).map(|side| side as u32);
    device.create_texture(&wgpu::TextureDescriptor {
        label,
        size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format,
        usage: wgpu::TextureUsages::STORAGE_BINDING,
        view_formats: &[],
    })
}

/// Width and height. Mesa's software device compiles a kernel for each way in which the sides of its textures are powers of
/// two or not. So all are alike: every width is one, no height is.
fn sides(len: usize) -> [usize; 2] {
    let (width, height) = (len.next_power_of_two().min(ROW), len.div_ceil(ROW).max(1));
    [width, if height == 1 { 3 } else { height + usize::from(height.is_power_of_two()) }]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_driver_cannot_tell_one_texture_from_another() {
        let most = Texels::MOST_BYTES as usize / TEXEL_BYTES;
        let rows = [1, 2, 3, 4, 5, 7, 8, 4096, ROW - 1].map(|rows| rows * ROW);
        for len in [0, 1, 2, 3, 100, 4096, ROW - 1, ROW + 1, most].into_iter().chain(rows) {
            let [width, height] = sides(len);
            assert!(width * height >= len && width.max(height) <= ROW, "{len}: {width}×{height}");
            assert!(
                width.is_power_of_two() && !height.is_power_of_two(),
                "{len}: {width}×{height}"
            );
        }
    }
}
