//! Mesa's software device compiles a kernel when it first runs, on one core, and keeps the result on disk. Here all cores
//! compile beforehand what a preparation has made.

use std::{
    num::NonZero,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{Gpu, first_group::FirstGroups, kernel::Pipeline, texels, unpoisoned};

/// What takes longer than this to do nothing is being compiled, not read from disk.
const COMPILING: Duration = Duration::from_millis(100);

/// Cores beyond these would wait for the longest kernels.
const MOST_CORES: usize = 8;

/// All that it takes to run a kernel on a device.
struct Kernel {
    pipeline: wgpu::ComputePipeline,
    groups: [wgpu::BindGroup; 2],
}

/// Runs the first of these kernels without any workgroup. If that took long, because it was compiled, the others follow on all
/// cores. Only one thread does what is submitted to a device, so every other core opens the adapter again; what is compiled
/// there, `gpu` finds on disk.
pub(super) fn run_early(gpu: &Gpu, adapter: &wgpu::Adapter, made: &[Arc<Pipeline>]) {
    let Some(first) = made.first() else { return };
    let run_here = |made: &Pipeline| run(gpu.device(), gpu.queue(), here(gpu, made)?);
    let Some(took) = run_here(first).filter(|&took| took > COMPILING) else { return };
    let (next, helped) = (AtomicUsize::new(1), AtomicUsize::new(0));
    let others = || made.get(next.fetch_add(1, Ordering::Relaxed));
    let help = || {
        let (device, queue) = open(gpu, adapter)?;
        let run_there = |made: &Pipeline| run(&device, &queue, there(&device, made));
        // Where nothing is kept on disk, helping is of no use.
        let found = run_there(first)? < took / 2;
        while found && let Some(made) = others() {
            run_there(made)?;
            helped.fetch_add(1, Ordering::Relaxed);
        }
        Some(())
    };
    thread::scope(|scope| {
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        for _ in 1..cores.min(made.len()).min(MOST_CORES) {
            if thread::Builder::new().name("compiling".into()).spawn_scoped(scope, help).is_err() {
                break;
            }
        }
        while others().is_some_and(|made| run_here(made).is_some()) {}
    });
    let helped = helped.into_inner();
    log::info!("the driver compiled {} kernels early, {helped} of them on other cores", made.len());
}

/// A device of the same adapter. What goes wrong on it matters to nobody.
fn open(gpu: &Gpu, adapter: &wgpu::Adapter) -> Option<(wgpu::Device, wgpu::Queue)> {
    let descriptor = wgpu::DeviceDescriptor {
        label: Some("compiling"),
        required_features: gpu.device().features(),
        required_limits: gpu.device().limits(),
        ..Default::default()
    };
    let (device, queue) = pollster::block_on(adapter.request_device(&descriptor)).ok()?;
    device.on_uncaptured_error(Arc::new(|error| log::debug!("while compiling early: {error}")));
    Some((device, queue))
}

/// As its first dispatch runs it.
fn here(gpu: &Gpu, made: &Pipeline) -> Option<Kernel> {
    let group = unpoisoned(&made.first).clone()?;
    Some(Kernel { pipeline: made.raw().clone(), groups: [group, gpu.first_group(0)] })
}

/// On another device, with buffers and textures of its own.
fn there(device: &wgpu::Device, made: &Pipeline) -> Kernel {
    enum Resource {
        Buffer(wgpu::Buffer),
        View(wgpu::TextureView),
    }
    let resource = |entry: &wgpu::BindGroupLayoutEntry| match entry.ty {
        wgpu::BindingType::StorageTexture { format, .. } => Resource::View(
            texels::texture(device, None, 1, format).create_view(&Default::default()),
        ),
        _ => Resource::Buffer(device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: 256,
            usage: wgpu::BufferUsages::STORAGE,
            mapped_at_creation: false,
        })),
    };
    let resources: Vec<_> = made.source.entries().iter().map(resource).collect();
    let bindings: Vec<_> = (0..)
        .zip(&resources)
        .map(|(binding, resource)| wgpu::BindGroupEntry {
            binding,
            resource: match resource {
                Resource::Buffer(buffer) => buffer.as_entire_binding(),
                Resource::View(view) => wgpu::BindingResource::TextureView(view),
            },
        })
        .collect();
    let (layout, first_groups) = (made.source.layout(device), FirstGroups::default());
    let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &layout,
        entries: &bindings,
    });
    let pipeline = made.source.compile(device, [&layout, first_groups.layout(device)], None);
    Kernel { pipeline, groups: [group, first_groups.bind_group(device, 0)] }
}

/// The time that it takes to run none of a kernel's workgroups.
fn run(device: &wgpu::Device, queue: &wgpu::Queue, kernel: Kernel) -> Option<Duration> {
    let begun = Instant::now();
    let mut encoder = device.create_command_encoder(&Default::default());
    let mut pass = encoder.begin_compute_pass(&Default::default());
    pass.set_pipeline(&kernel.pipeline);
    for (at, group) in (0..).zip(&kernel.groups) {
        pass.set_bind_group(at, group, &[]);
    }
    pass.dispatch_workgroups(0, 0, 0);
    drop(pass);
    let submission_index = Some(queue.submit([encoder.finish()]));
    device.poll(wgpu::PollType::Wait { submission_index, timeout: None }).ok()?;
    Some(begun.elapsed())
}
