//! A kernel on the Rust side: its WGSL, its bindings, and the pipelines made from it.

use std::{
    borrow::Cow,
    sync::{Arc, Mutex, OnceLock},
};

use super::{Field, Fields, Gpu, pace::Pace, unpoisoned};
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
    /// A texture of texels, which is only read.
    Texels,
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

/// A pipeline that is compiled when it is first needed, or with others before.
#[derive(Debug)]
pub(super) struct Pipeline {
    raw: OnceLock<wgpu::ComputePipeline>,
    pub(super) source: Source,
    /// What its first dispatch binds in group 0, until the preparation ends.
    pub(super) first: Mutex<Option<wgpu::BindGroup>>,
    pub pace: Pace,
}

/// What a pipeline is compiled from.
#[derive(Debug)]
pub(super) struct Source {
    device: wgpu::Device,
    #[cfg(not(target_arch = "wasm32"))]
    entries: Vec<wgpu::BindGroupLayoutEntry>,
    groups: [wgpu::BindGroupLayout; 2],
    cache: Option<wgpu::PipelineCache>,
    name: String,
    /// Empty once the preparation has ended.
    wgsl: Mutex<String>,
    constants: Vec<(String, f64)>,
}

impl Pipeline {
    pub fn raw(&self) -> &wgpu::ComputePipeline {
        self.raw.get_or_init(|| {
            let Source { device, groups, cache, name, constants, .. } = &self.source;
            let begun = Instant::now();
            let raw = self.source.compile(device, groups.each_ref(), cache.as_ref());
            log::debug!(
                "compiled {name} {constants:?} in {:.1} ms",
                1e3 * begun.elapsed().as_secs_f64()
            );
            raw
        })
    }

    pub fn is_compiled(&self) -> bool {
        self.raw.get().is_some()
    }

    /// Bytes of its WGSL, until the preparation ends.
    pub fn text_len(&self) -> usize {
        unpoisoned(&self.source.wgsl).len()
    }

    /// The preparation has ended: drops what only compiling needs.
    pub fn settle(&self) {
        *unpoisoned(&self.source.wgsl) = String::new();
        self.unbind();
    }

    /// Holds on to no buffers any more.
    pub fn unbind(&self) {
        *unpoisoned(&self.first) = None;
    }

    /// Keeps what a dispatch binds, if it is the first.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn binds(&self, group: &wgpu::BindGroup) {
        if !self.is_compiled() {
            unpoisoned(&self.first).get_or_insert_with(|| group.clone());
        }
    }

    /// The layout of group 0.
    pub fn layout(&self) -> &wgpu::BindGroupLayout {
        &self.source.groups[0]
    }
}

impl Source {
    /// Compiles it for a device, which may be another than its own.
    pub fn compile(
        &self,
        device: &wgpu::Device,
        groups: [&wgpu::BindGroupLayout; 2],
        cache: Option<&wgpu::PipelineCache>,
    ) -> wgpu::ComputePipeline {
        let label = Some(&*self.name);
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label,
            source: wgpu::ShaderSource::Wgsl(unpoisoned(&self.wgsl).clone().into()),
        });
        let constants: Vec<_> = self.constants.iter().map(|(name, v)| (&**name, *v)).collect();
        device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label,
            layout: Some(&device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label,
                bind_group_layouts: &groups.map(Some),
                immediate_size: 0,
            })),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &constants,
                // Every kernel writes workgroup memory before it reads it. Zeroing it takes time if the
                // driver can't do it, because one invocation does it for all.
                zero_initialize_workgroup_memory: false,
            },
            cache,
        })
    }

    /// What is bound in group 0.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn entries(&self) -> &[wgpu::BindGroupLayoutEntry] {
        &self.entries
    }

    /// The layout of group 0, on a device that may be another.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn layout(&self, device: &wgpu::Device) -> wgpu::BindGroupLayout {
        layout(device, &self.name, &self.entries)
    }
}

fn layout(
    device: &wgpu::Device,
    name: &str,
    entries: &[wgpu::BindGroupLayoutEntry],
) -> wgpu::BindGroupLayout {
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: Some(name), entries })
}

/// The pipeline of this source, which this device may have already.
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
            },
            count: None,
        })
        .collect();
    let source = Source {
        device: gpu.device().clone(),
        groups: [
            layout(gpu.device(), name, &entries),
            gpu.shared.first_groups.layout(gpu.device()).clone(),
        ],
        #[cfg(not(target_arch = "wasm32"))]
        entries,
        cache: gpu.cache.clone(),
        name: name.to_owned(),
        wgsl: Mutex::new(source().into_owned()),
        constants: constants.iter().map(|&(name, value)| (name.to_owned(), value)).collect(),
    };
    let (raw, first, pace) = Default::default();
    let made = Arc::new(Pipeline { raw, source, first, pace });
    gpu.pipelines().insert(key, made.clone());
    made
}
