//! The host: the program's own device, its window's surface, and the one encoder that a frame is.

use std::{error::Error, path::PathBuf, sync::Arc};

use dm_wgpu::{Gpu, preferred_features, preferred_limits, wgpu};
use egui_wgpu::{Renderer, RendererOptions, ScreenDescriptor};
use winit::{dpi::PhysicalSize, event::WindowEvent, window::Window};

pub struct Screen {
    surface: wgpu::Surface<'static>,
    config: wgpu::SurfaceConfiguration,
    device: wgpu::Device,
    queue: wgpu::Queue,
    adapter: wgpu::AdapterInfo,
    renderer: Renderer,
    context: egui::Context,
    input: egui_winit::State,
    /// The texture that is shown, and what the controls call it.
    shown: Option<(wgpu::Texture, egui::TextureId)>,
}

impl Screen {
    pub fn new(window: Arc<Window>) -> Result<Self, Box<dyn Error>> {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        let surface = instance.create_surface(window.clone())?;
        let adapter = pollster::block_on(instance.request_adapter(&wgpu::RequestAdapterOptions {
            power_preference: wgpu::PowerPreference::HighPerformance,
            compatible_surface: Some(&surface),
            ..Default::default()
        }))?;
        let (device, queue) =
            pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor {
                label: Some("live viewer"),
                required_features: preferred_features(&adapter),
                required_limits: preferred_limits(&adapter),
                ..Default::default()
            }))?;
        let size = window.inner_size();
        let mut config = surface
            .get_default_config(&adapter, size.width.max(1), size.height.max(1))
            .ok_or("this adapter can't draw to the window")?;
        // Controls and pictures are in sRGB already.
        let formats = surface.get_capabilities(&adapter).formats;
        config.format = egui_wgpu::preferred_framebuffer_format(&formats)?;
        config.present_mode = wgpu::PresentMode::AutoVsync;
        surface.configure(&device, &config);

        let renderer = Renderer::new(&device, config.format, RendererOptions::default());
        let context = egui::Context::default();
        let input = egui_winit::State::new(
            context.clone(),
            egui::ViewportId::ROOT,
            &window,
            Some(window.scale_factor() as f32),
            window.theme(),
            Some(device.limits().max_texture_dimension_2d as usize),
        );
        let (adapter, shown) = (adapter.get_info(), None);
        Ok(Self { surface, config, device, queue, adapter, renderer, context, input, shown })
    }

    /// This program's device, for the guest.
    pub fn gpu(&self) -> Gpu {
        Gpu::from_parts(self.device.clone(), self.queue.clone(), self.adapter.clone())
    }

    /// Passes an event to the controls; whether they look otherwise afterwards.
    pub fn takes(&mut self, window: &Window, event: &WindowEvent) -> bool {
        self.input.on_window_event(window, event).repaint
    }

    pub fn resize(&mut self, size: PhysicalSize<u32>) {
        // A window that is minimised may have no size.
        if size.width > 0 && size.height > 0 {
            (self.config.width, self.config.height) = (size.width, size.height);
            self.surface.configure(&self.device, &self.config);
        }
    }

    /// Makes a texture known to the controls, without a filter.
    pub fn show(&mut self, texture: &wgpu::Texture) -> egui::TextureId {
        if let Some((shown, id)) = &self.shown {
            if shown == texture {
                return *id;
            }
            self.renderer.free_texture(id);
        }
        let sampler = wgpu::SamplerDescriptor { label: Some("pixels"), ..Default::default() };
        let view = texture.create_view(&wgpu::TextureViewDescriptor {
            usage: Some(wgpu::TextureUsages::TEXTURE_BINDING),
            ..Default::default()
        });
        let id = self.renderer.register_native_texture_with_sampler_options(
            &self.device,
            &view,
            sampler,
        );
        self.shown = Some((texture.clone(), id));
        id
    }

    /// Lets the controls take in what was pressed and say what they look like.
    pub fn run(&mut self, window: &Window, show: impl FnMut(&mut egui::Ui)) -> egui::FullOutput {
        let input = self.input.take_egui_input(window);
        let mut ui = self.context.run_ui(input, show);
        self.input.handle_platform_output(window, std::mem::take(&mut ui.platform_output));
        ui
    }

    /// A frame: the guest's work, then the controls and its picture, in one encoder and one submission.
    pub fn draw(
        &mut self,
        mut ui: egui::FullOutput,
        guest: impl FnOnce(&mut wgpu::CommandEncoder),
        screenshot: Option<&PathBuf>,
    ) -> Result<(), Box<dyn Error>> {
        use wgpu::CurrentSurfaceTexture::{Lost, Outdated, Suboptimal, Success};
        for (id, deltas) in std::mem::take(&mut ui.textures_delta.set) {
            for delta in deltas {
                self.renderer.update_texture(&self.device, &self.queue, id, &delta);
            }
        }
        let frame = match self.surface.get_current_texture() {
            Success(frame) | Suboptimal(frame) => Some(frame),
            Outdated | Lost => {
                self.surface.configure(&self.device, &self.config);
                None
            }
            // Hidden, or late: work goes on unseen.
            _ => None,
        };
        let mut encoder = self
            .device
            .create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("frame") });
        guest(&mut encoder);
        let area = ScreenDescriptor {
            size_in_pixels: [self.config.width, self.config.height],
            pixels_per_point: ui.pixels_per_point,
        };
        let shapes = self.context.tessellate(ui.shapes, ui.pixels_per_point);
        let own =
            self.renderer.update_buffers(&self.device, &self.queue, &mut encoder, &shapes, &area);
        if let Some(frame) = &frame {
            self.paint(&mut encoder, &frame.texture, &shapes, &area);
        }
        let copy = screenshot.map(|path| (path, self.copy(&mut encoder, &shapes, &area)));
        self.queue.submit(own.into_iter().chain([encoder.finish()]));
        if let Some(frame) = frame {
            self.queue.present(frame);
        }
        for id in std::mem::take(&mut ui.textures_delta.free) {
            self.renderer.free_texture(&id);
        }
        copy.map_or(Ok(()), |(path, buffer)| self.save(path, &buffer))
    }

    fn paint(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        target: &wgpu::Texture,
        shapes: &[egui::ClippedPrimitive],
        area: &ScreenDescriptor,
    ) {
        let view = target.create_view(&Default::default());
        let pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
            label: Some("frame"),
            color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                view: &view,
                depth_slice: None,
                resolve_target: None,
                ops: wgpu::Operations::default(),
            })],
            ..Default::default()
        });
        self.renderer.render(&mut pass.forget_lifetime(), shapes, area);
    }

    /// The frame once more, into a buffer that the host can read.
    fn copy(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        shapes: &[egui::ClippedPrimitive],
        area: &ScreenDescriptor,
    ) -> wgpu::Buffer {
        let [width, height] = area.size_in_pixels;
        let texture = self.device.create_texture(&wgpu::TextureDescriptor {
            label: Some("screenshot"),
            size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format: self.config.format,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        });
        self.paint(encoder, &texture, shapes, area);
        let pitch = pitch(width);
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("screenshot"),
            size: u64::from(pitch * height),
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let layout =
            wgpu::TexelCopyBufferLayout { bytes_per_row: Some(pitch), ..Default::default() };
        encoder.copy_texture_to_buffer(
            texture.as_image_copy(),
            wgpu::TexelCopyBufferInfo { buffer: &buffer, layout },
            texture.size(),
        );
        encoder.map_buffer_on_submit(&buffer, wgpu::MapMode::Read, .., |_| {});
        buffer
    }

    fn save(&self, path: &PathBuf, buffer: &wgpu::Buffer) -> Result<(), Box<dyn Error>> {
        self.device.poll(wgpu::PollType::Wait { submission_index: None, timeout: None })?;
        let bytes = buffer.get_mapped_range(..)?;
        let (width, height) = (self.config.width, self.config.height);
        let swap = matches!(
            self.config.format,
            wgpu::TextureFormat::Bgra8Unorm | wgpu::TextureFormat::Bgra8UnormSrgb
        );
        let pitch = pitch(width) as usize;
        let shot = image::RgbImage::from_fn(width, height, |x, y| {
            let at = y as usize * pitch + 4 * x as usize;
            let [r, g, b] = [bytes[at], bytes[at + 1], bytes[at + 2]];
            image::Rgb(if swap { [b, g, r] } else { [r, g, b] })
        });
        shot.save(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(())
    }
}

/// Bytes of a row in a copy.
fn pitch(width: u32) -> u32 {
    (4 * width).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT)
}
