//! The synthetic images as a texture of the device they are on.

use crate::{
    Error, Gpu, Result,
    gpu::{Buffer, Recording},
    kernels::{Cells, picture},
};

/// All synthetic images of a run in one texture, ready to be drawn, which never leaves the device.
///
/// One row per class. If the rows would exceed the largest texture, they continue to the right.
/// Images have their own size, with one transparent pixel between them: sample without a filter to
/// enlarge them.
///
/// Texels are what a PNG would hold: sRGB, as usual for pictures. The texture's format is
/// `Rgba8Unorm`; to draw in linear colours, make a view of `Rgba8UnormSrgb`, which it allows.
///
/// ```no_run
/// # fn frame(
/// #     device: &wgpu::Device, queue: &wgpu::Queue, run: &mut dm_wgpu::Condensation,
/// # ) -> dm_wgpu::Result<()> {
/// # use dm_wgpu::wgpu;
/// let picture = run.picture()?; // once
/// let view = picture.texture().create_view(&Default::default());
/// let mut encoder = device.create_command_encoder(&Default::default()); // each frame
/// run.encode_step(&mut encoder)?;
/// picture.encode(&mut encoder);
/// // … draw `view` …
/// queue.submit([encoder.finish()]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Picture {
    texture: wgpu::Texture,
    cells: Cells,
    recording: Recording,
}

impl Picture {
    pub(super) async fn new(gpu: &Gpu, cells: Option<Cells>, images: &Buffer<f32>) -> Result<Self> {
        let longest = gpu.device().limits().max_texture_dimension_2d;
        let cells = cells.ok_or_else(|| {
            Error::shape("picture", format!("no texture is so large: {longest} texels a side"))
        })?;
        let (width, height) = cells.extent();
        gpu.checked("make the picture", || {
            let texture = gpu.device().create_texture(&wgpu::TextureDescriptor {
                label: Some("picture of the synthetic images"),
                size: wgpu::Extent3d {
                    width: width as u32,
                    height: height as u32,
                    depth_or_array_layers: 1,
                },
                mip_level_count: 1,
                sample_count: 1,
                dimension: wgpu::TextureDimension::D2,
                format: wgpu::TextureFormat::Rgba8Unorm,
                usage: wgpu::TextureUsages::STORAGE_BINDING
                    | wgpu::TextureUsages::TEXTURE_BINDING
                    | wgpu::TextureUsages::COPY_SRC,
                view_formats: &[wgpu::TextureFormat::Rgba8UnormSrgb],
            });
            let view = texture.create_view(&Default::default());
            let mut recording = Recording::default();
            recording.push(picture(gpu, &cells, images, &view));
            Ok(Self { texture, cells, recording })
        })
        .await
    }

    /// The texture, with the usages `TEXTURE_BINDING` and `COPY_SRC`.
    pub fn texture(&self) -> &wgpu::Texture {
        &self.texture
    }

    /// The left upper texel of an image, counted class after class.
    pub fn corner(&self, image: usize) -> (u32, u32) {
        self.cells.corner(image as u32)
    }

    /// Encodes painting the images as they are at this point of the queue.
    pub fn encode(&self, encoder: &mut wgpu::CommandEncoder) {
        self.recording.encode(encoder, "picture");
    }
}
