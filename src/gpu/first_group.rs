//! Where a slice of a grid begins: the one value that all kernels share, in group 1, for `shared/grid.wgsl`.

use std::{
    collections::HashMap,
    sync::{Mutex, OnceLock},
};

use super::unpoisoned;

/// Bind groups, one for each workgroup that a slice has begun with so far.
#[derive(Debug, Default)]
pub(super) struct FirstGroups {
    /// Made when it is needed: a device that allows no uniform is refused before.
    layout: OnceLock<wgpu::BindGroupLayout>,
    made: Mutex<HashMap<u32, wgpu::BindGroup>>,
}

/// A vec4u: some adapters want uniforms in multiples of 16 bytes.
const BYTES: u64 = 16;
const LABEL: Option<&str> = Some("first workgroup");

impl FirstGroups {
    pub fn layout(&self, device: &wgpu::Device) -> &wgpu::BindGroupLayout {
        // It is a uniform, because kernels may need all eight storage buffers that WebGPU guarantees. No loop is
        // bounded by it: for such loops, Mesa's software driver would compile a kernel anew for each value.
        let entry = wgpu::BindGroupLayoutEntry {
            binding: 0,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty: wgpu::BufferBindingType::Uniform,
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        };
        let descriptor = wgpu::BindGroupLayoutDescriptor { label: LABEL, entries: &[entry] };
        self.layout.get_or_init(|| device.create_bind_group_layout(&descriptor))
    }

    /// For a slice that begins with this workgroup.
    pub fn bind_group(&self, device: &wgpu::Device, first: u32) -> wgpu::BindGroup {
        let make = || {
            let buffer = device.create_buffer(&wgpu::BufferDescriptor {
                label: LABEL,
                size: BYTES,
                usage: wgpu::BufferUsages::UNIFORM,
                mapped_at_creation: true,
            });
            // This fails only on a lost device, on which nothing will run.
            if let Ok(mut mapped) = buffer.get_mapped_range_mut(..) {
                mapped.slice(..).copy_from_slice(bytemuck::bytes_of(&[first, 0, 0, 0]));
            }
            buffer.unmap();
            device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: LABEL,
                layout: self.layout(device),
                entries: &[wgpu::BindGroupEntry {
                    binding: 0,
                    resource: buffer.as_entire_binding(),
                }],
            })
        };
        unpoisoned(&self.made).entry(first).or_insert_with(make).clone()
    }
}
