//! Textures that are used as arrays of four values each. Twin of `shaders/shared/texels.wgsl`.
//!
//! On CPU adapters a load from a storage texture costs a fraction of one from a buffer, but a store costs several times as
//! much. So kernels read textures and write buffers, which are copied to the textures afterwards.

use super::{Buffer, Gpu};
use crate::{Error, Result};

/// Texels of a row: as many as every device allows.
const ROW: usize = 8192;

/// Bytes of a texel.
pub(super) const TEXEL_BYTES: usize = 16;

/// `len` texels of four f32 each, in device memory, zero at first.
#[derive(Debug, Clone)]
pub(crate) struct Texels {
    texture: wgpu::Texture,
    view: wgpu::TextureView,
    staging: Staging,
    len: usize,
}

/// Where kernels write texels. Textures share it, of which no kernel writes two.
#[derive(Debug, Clone)]
pub(crate) struct Staging(wgpu::Buffer);

/// Takes what a kernel wrote to where it is read.
#[derive(Debug, Clone)]
pub(super) struct StagedCopy {
    texels: Texels,
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

    /// As the binding of a shader that reads them.
    pub fn binding(self) -> wgpu::BindingResource<'a> {
        match self {
            Self::Buffer(buffer) => buffer.binding(),
            Self::Texels(texels) => texels.binding(),
        }
    }

    /// As the binding of a shader that writes them; its dispatch [`fills`](super::Dispatch::fills) them.
    pub fn target(self) -> wgpu::BindingResource<'a> {
        match self {
            Self::Buffer(buffer) => buffer.binding(),
            Self::Texels(texels) => texels.target(),
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

    pub fn zeros(gpu: &Gpu, label: &str, len: usize, staging: &Staging) -> Self {
        gpu.note(|so_far| so_far.bytes += Self::bytes(len));
        let texture = texture(gpu.device(), Some(label), len, wgpu::TextureFormat::Rgba32Float);
        let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
        Self { texture, view, staging: staging.clone(), len }
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

    /// As the binding of a shader that reads them.
    pub fn binding(&self) -> wgpu::BindingResource<'_> {
        wgpu::BindingResource::TextureView(&self.view)
    }

    /// As the binding of a shader that writes them; its dispatch [`fills`](super::Dispatch::fills) them.
    pub fn target(&self) -> wgpu::BindingResource<'_> {
        self.staging.0.as_entire_binding()
    }

    /// The copy after which the first `len` texels can be read.
    pub(super) fn copy(&self, len: usize) -> StagedCopy {
        debug_assert!(len <= self.len, "{len} of {} texels", self.len);
        StagedCopy { texels: self.clone(), len }
    }
}

impl Staging {
    /// Room for one at a time of textures of at most `len` texels.
    pub fn new(gpu: &Gpu, label: &str, len: usize) -> Self {
        let size = Self::bytes(len);
        gpu.note(|so_far| so_far.bytes += size);
        Self(gpu.device().create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size,
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC,
            mapped_at_creation: false,
        }))
    }

    pub fn bytes(len: usize) -> u64 {
        (len.max(1) * TEXEL_BYTES) as u64
    }
}

impl StagedCopy {
    pub fn encode(&self, encoder: &mut wgpu::CommandEncoder) {
        // Whole rows, and the beginning of one.
        let [rows, rest] = [self.len / ROW, self.len % ROW];
        for (y, width, height) in [(0, ROW, rows), (rows, rest, 1)] {
            if width * height == 0 {
                continue;
            }
            let bytes_per_row = (ROW * TEXEL_BYTES) as u32;
            let from = wgpu::TexelCopyBufferInfo {
                buffer: &self.texels.staging.0,
                layout: wgpu::TexelCopyBufferLayout {
                    offset: y as u64 * u64::from(bytes_per_row),
                    bytes_per_row: Some(bytes_per_row),
                    rows_per_image: None,
                },
            };
            let to = wgpu::TexelCopyTextureInfo {
                origin: wgpu::Origin3d { x: 0, y: y as u32, z: 0 },
                ..self.texels.texture.as_image_copy()
            };
            let size = wgpu::Extent3d {
                width: width as u32,
                height: height as u32,
                depth_or_array_layers: 1,
            };
            encoder.copy_buffer_to_texture(from, to, size);
        }
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
        usage: wgpu::TextureUsages::STORAGE_BINDING | wgpu::TextureUsages::COPY_DST,
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
