//! Work recorded once and submitted as often as wanted.

use super::Gpu;

/// One kernel over one grid, ready to be encoded.
#[derive(Debug, Clone)]
pub(crate) struct Dispatch {
    pub(super) label: String,
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) bind_group: wgpu::BindGroup,
    pub(super) grid: [u32; 3],
    pub(super) cost: Cost,
}

/// What a dispatch cannot do without, whatever its kernel does besides; for those who time it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    /// Multiplications and additions.
    pub flops: Option<u64>,
    /// Bytes read or written, each counted once.
    pub bytes: Option<u64>,
}

impl Dispatch {
    /// Says how many multiplications and additions it is, where that is well defined.
    pub fn flops(mut self, flops: usize) -> Self {
        self.cost.flops = Some(flops as u64);
        self
    }

    /// Says how many 4-byte values must be read and written at least.
    pub fn values(self, values: usize) -> Self {
        self.bytes(4 * values)
    }

    /// Says how many bytes must be read and written at least.
    pub fn bytes(mut self, bytes: usize) -> Self {
        self.cost.bytes = Some(bytes as u64);
        self
    }

    pub(super) fn encode(&self, pass: &mut wgpu::ComputePass<'_>) {
        let Self { label, pipeline, bind_group, grid, .. } = self;
        pass.push_debug_group(label);
        pass.set_pipeline(pipeline);
        pass.set_bind_group(0, bind_group, &[]);
        pass.dispatch_workgroups(grid[0], grid[1], grid[2]);
        pass.pop_debug_group();
    }
}

/// Dispatches in order. Each sees what those before it wrote.
#[derive(Debug, Clone, Default)]
pub(crate) struct Recording(Vec<Dispatch>);

impl Recording {
    pub fn push(&mut self, dispatch: Dispatch) {
        self.0.push(dispatch);
    }

    pub(super) fn dispatches(&self) -> &[Dispatch] {
        &self.0
    }

    /// Encodes everything into one compute pass.
    pub fn encode(&self, encoder: &mut wgpu::CommandEncoder, label: &str) {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: Some(label),
            timestamp_writes: None,
        });
        self.0.iter().for_each(|dispatch| dispatch.encode(&mut pass));
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
