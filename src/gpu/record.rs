//! Work recorded once and submitted as often as wanted.

use super::Gpu;

/// One kernel over one grid, ready to be encoded.
#[derive(Debug, Clone)]
pub(crate) struct Dispatch {
    pub(super) label: String,
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) bind_group: wgpu::BindGroup,
    pub(super) grid: [u32; 3],
}

/// Dispatches in order. Each sees what those before it wrote.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recording(Vec<Dispatch>);

impl Recording {
    pub fn push(&mut self, dispatch: Dispatch) {
        self.0.push(dispatch);
    }

    /// Encodes everything into one compute pass.
    pub fn encode(&self, encoder: &mut wgpu::CommandEncoder, label: &str) {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: Some(label),
            timestamp_writes: None,
        });
        for Dispatch { label, pipeline, bind_group, grid } in &self.0 {
            pass.push_debug_group(label);
            pass.set_pipeline(pipeline);
            pass.set_bind_group(0, bind_group, &[]);
            pass.dispatch_workgroups(grid[0], grid[1], grid[2]);
            pass.pop_debug_group();
        }
    }

    /// Encodes everything and submits it.
    pub fn submit(&self, gpu: &Gpu, label: &str) -> wgpu::SubmissionIndex {
        let mut encoder = gpu
            .device()
            .create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some(label) });
        self.encode(&mut encoder, label);
        gpu.queue().submit([encoder.finish()])
    }
}

/// The most workgroups along a side of a grid that WebGPU allows.
const ROW: usize = 65_535;

/// A grid of at least `workgroups`, folded into rows.
///
/// The shader counts them through `shared/grid.wgsl` and ignores the surplus.
pub(crate) fn fold(workgroups: usize) -> [u32; 3] {
    [workgroups.clamp(1, ROW) as u32, workgroups.div_ceil(ROW).max(1) as u32, 1]
}
