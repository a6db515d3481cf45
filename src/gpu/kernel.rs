//! A kernel on the Rust side: its WGSL, its bindings, and the pipelines made from it.

use std::{borrow::Cow, sync::Arc};

use super::{Field, Fields, Gpu, pace::Pace};
use crate::clock::Instant;

/// One WGSL file with its bindings, all in group 0, numbered from 0. Group 1 is where a slice of the grid
/// begins, which `shared/grid.wgsl` reads.
///
/// A test reads the WGSL with naga and compares it with `slots`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kernel {
    /// The file's name without `.wgsl`; also the label in a GPU debugger.
    pub name: &'static str,
    /// The WGSL, shared pieces first.
    pub source: &'static str,
    /// What is bound where.
    pub slots: &'static [Slot],
}

/// The kind of a shader's binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// A structure that is only read.
    ///
    /// It is bound as storage, not as a uniform: if a uniform value bounds a loop, Mesa's software
    /// driver compiles the kernel anew for that value at every dispatch, and keeps the result.
    Params {
        /// Its bytes.
        size: usize,
        /// What is in it.
        fields: &'static [Field],
    },
    /// A storage buffer that is only read.
    Read,
    /// A storage buffer that is written.
    Write,
    /// A texture of four 8-bit channels that is written.
    Picture,
    /// A texture of texels that is only read.
    Texels,
    /// Such a texture that is only written.
    TexelsWrite,
}

impl Slot {
    /// A `T` that is only read.
    pub(crate) const fn params<T: Fields>() -> Self {
        Self::Params { size: size_of::<T>(), fields: T::FIELDS }
    }
}

/// Stores a source where a device that has not used this kernel yet will look for it.
#[cfg(feature = "testing")]
pub(crate) fn compile_as(
    gpu: &Gpu,
    name: &str,
    source: &str,
    slots: &[Slot],
    constants: &[(&str, f64)],
) {
    pipeline(gpu, name, || source.into(), slots, constants);
}

#[derive(Debug)]
pub(super) struct Pipeline {
    pub raw: wgpu::ComputePipeline,
    pub layout: wgpu::BindGroupLayout,
    pub pace: Pace,
}

/// The pipeline of this source, compiled unless this device has it already.
pub(super) fn pipeline<'a>(
    gpu: &Gpu,
    name: &str,
    source: impl FnOnce() -> Cow<'a, str>,
    slots: &[Slot],
    constants: &[(&str, f64)],
) -> Arc<Pipeline> {
    let key = format!("{name} {constants:?}");
    if let Some(known) = gpu.pipelines().get(&key) {
        return known.clone();
    }
    let begun = Instant::now();
    let device = gpu.device();
    let buffer = |read_only| wgpu::BindingType::Buffer {
        ty: wgpu::BufferBindingType::Storage { read_only },
        has_dynamic_offset: false,
        min_binding_size: None,
    };
    let texture = |read_only, format| wgpu::BindingType::StorageTexture {
        access: match read_only {
            true => wgpu::StorageTextureAccess::ReadOnly,
            false => wgpu::StorageTextureAccess::WriteOnly,
        },
        format,
        view_dimension: wgpu::TextureViewDimension::D2,
    };
    let entries: Vec<_> = (0..)
        .zip(slots)
        .map(|(binding, slot)| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: match slot {
                Slot::Params { .. } | Slot::Read => buffer(true),
                Slot::Write => buffer(false),
                Slot::Picture => texture(false, wgpu::TextureFormat::Rgba8Unorm),
                Slot::Texels => texture(true, wgpu::TextureFormat::Rgba32Float),
                Slot::TexelsWrite => texture(false, wgpu::TextureFormat::Rgba32Float),
            },
            count: None,
        })
        .collect();
    let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some(name),
        entries: &entries,
    });
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some(name),
        source: wgpu::ShaderSource::Wgsl(source()),
    });
    let raw = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(name),
        layout: Some(&device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(name),
            bind_group_layouts: &[Some(&layout), Some(gpu.shared.first_groups.layout())],
            immediate_size: 0,
        })),
        module: &module,
        entry_point: Some("main"),
        compilation_options: wgpu::PipelineCompilationOptions {
            constants,
            // Every kernel writes workgroup memory before it reads it. Zeroing it takes time if the
            // driver can't do it, because one invocation does it for all.
            zero_initialize_workgroup_memory: false,
        },
        cache: gpu.cache.as_ref(),
    });
    let made = Arc::new(Pipeline { raw, layout, pace: Pace::default() });
    let took = begun.elapsed();
    log::debug!("compiled {key} in {:.1} ms", 1e3 * took.as_secs_f64());
    gpu.pipelines().insert(key, made.clone());
    gpu.note(|so_far| {
        so_far.pipelines += 1;
        so_far.compiling += took;
    });
    made
}
