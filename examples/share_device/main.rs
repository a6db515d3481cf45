//! A program that draws with wgpu and condenses on the same device, in the same command buffers: each
//! frame advances the run by one iteration and draws the images, which never leave the device. Without
//! a window, so that it runs anywhere: frames are drawn into a texture, and the last one is saved.
//!
//!     cargo run --release --example share_device

use std::{error::Error, sync::Arc};

use dm_wgpu::{Condensation, Gpu, Settings, data, preferred_features, preferred_limits, wgpu};

const FRAMES: u32 = 30;
const SIDE: u32 = 640;

fn main() -> Result<(), Box<dyn Error>> {
    // The program's own device. WebGPU's default limits and no feature would do as well.
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapter = pollster::block_on(instance.request_adapter(&Default::default()))?;
    let descriptor = wgpu::DeviceDescriptor {
        required_features: preferred_features(&adapter),
        required_limits: preferred_limits(&adapter),
        ..Default::default()
    };
    let (device, queue) = pollster::block_on(adapter.request_device(&descriptor))?;
    let gpu = Gpu::from_parts(device.clone(), queue.clone(), adapter.get_info());

    let dataset = Arc::new(data::glyphs(0)?);
    let settings = Settings::for_dataset(&dataset).ipc(8).width(16).batch_real(16);
    let mut run = Condensation::new(&gpu, dataset, settings)?;
    let picture = run.picture()?;

    let screen = Screen::new(&device, picture.texture());
    for frame in 0..FRAMES {
        let mut encoder = device.create_command_encoder(&Default::default());
        run.encode_step(&mut encoder)?;
        picture.encode(&mut encoder);
        screen.draw(&mut encoder);
        queue.submit([encoder.finish()]);
        // Of earlier frames; nothing here waits.
        for loss in run.take_losses()? {
            println!("frame {frame}: iteration {}, loss {:.3}", loss.iteration, loss.loss);
        }
    }
    screen.save(&device, &queue, "share-device.png")?;
    println!("the last frame: share-device.png");
    Ok(())
}

/// What stands for the program's window.
struct Screen {
    target: wgpu::Texture,
    pipeline: wgpu::RenderPipeline,
    bindings: wgpu::BindGroup,
}

impl Screen {
    fn new(device: &wgpu::Device, shown: &wgpu::Texture) -> Self {
        let target = device.create_texture(&wgpu::TextureDescriptor {
            label: Some("screen"),
            size: wgpu::Extent3d { width: SIDE, height: SIDE, depth_or_array_layers: 1 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: wgpu::TextureFormat::Rgba8UnormSrgb,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        });
        let module = device.create_shader_module(wgpu::include_wgsl!("screen.wgsl"));
        let pipeline = device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
            label: Some("screen"),
            layout: None,
            vertex: wgpu::VertexState {
                module: &module,
                entry_point: Some("corner"),
                compilation_options: Default::default(),
                buffers: &[],
            },
            fragment: Some(wgpu::FragmentState {
                module: &module,
                entry_point: Some("shade"),
                compilation_options: Default::default(),
                targets: &[Some(target.format().into())],
            }),
            primitive: Default::default(),
            depth_stencil: None,
            multisample: Default::default(),
            multiview_mask: None,
            cache: None,
        });
        // Texels are sRGB, as pictures are: with this view the shader gets linear colours.
        let view = shown.create_view(&wgpu::TextureViewDescriptor {
            format: Some(wgpu::TextureFormat::Rgba8UnormSrgb),
            usage: Some(wgpu::TextureUsages::TEXTURE_BINDING),
            ..Default::default()
        });
        let bindings = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("screen"),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &[wgpu::BindGroupEntry {
                binding: 0,
                resource: wgpu::BindingResource::TextureView(&view),
            }],
        });
        Self { target, pipeline, bindings }
    }

    fn draw(&self, encoder: &mut wgpu::CommandEncoder) {
        let view = self.target.create_view(&Default::default());
        let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
            label: Some("screen"),
            color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                view: &view,
                depth_slice: None,
                resolve_target: None,
                ops: wgpu::Operations::default(),
            })],
            ..Default::default()
        });
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bindings, &[]);
        pass.draw(0..3, 0..1);
    }

    fn save(
        &self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        path: &str,
    ) -> Result<(), Box<dyn Error>> {
        let buffer = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("last frame"),
            size: u64::from(4 * SIDE * SIDE),
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = device.create_command_encoder(&Default::default());
        let layout =
            wgpu::TexelCopyBufferLayout { bytes_per_row: Some(4 * SIDE), ..Default::default() };
        encoder.copy_texture_to_buffer(
            self.target.as_image_copy(),
            wgpu::TexelCopyBufferInfo { buffer: &buffer, layout },
            self.target.size(),
        );
        encoder.map_buffer_on_submit(&buffer, wgpu::MapMode::Read, .., |_| {});
        queue.submit([encoder.finish()]);
        device.poll(wgpu::PollType::Wait { submission_index: None, timeout: None })?;
        let pixels = buffer.get_mapped_range(..)?;
        image::save_buffer(path, &pixels, SIDE, SIDE, image::ColorType::Rgba8)?;
        Ok(())
    }
}
