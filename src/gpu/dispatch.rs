//! One kernel over one grid: its bindings, its cost, and how any range of its workgroups is encoded.

use std::{borrow::Cow, sync::Arc};

use super::{
    Cost, Gpu, Kernel, Share, Slot, Values,
    kernel::{Pipeline, pipeline},
    texels,
};

/// One kernel over one grid, ready to be encoded.
#[derive(Debug, Clone)]
pub(crate) struct Dispatch {
    pub(super) label: String,
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) bind_group: wgpu::BindGroup,
    /// The bind group of group 1 for a slice that begins with the first workgroup.
    pub(super) whole: wgpu::BindGroup,
    pub(super) grid: [u32; 3],
    /// Whether its workgroups have flat numbers, so that any number of them can be a slice.
    pub(super) flat: bool,
    pub(super) cost: Cost,
    /// Encoded behind it, outside of a pass.
    pub(super) copies: Vec<texels::StagedCopy>,
}

impl Kernel {
    /// A dispatch of `grid` workgroups with these override constants and bindings, in slot order.
    ///
    /// The pipeline is compiled when the preparation that asks for it ends, unless this device has it already.
    pub fn dispatch(
        &self,
        gpu: &Gpu,
        constants: &[(&str, f64)],
        bindings: &[wgpu::BindingResource<'_>],
        grid: [u32; 3],
    ) -> Dispatch {
        dispatch(gpu, self.name, || self.source.into(), self.slots, constants, bindings, grid)
    }
}

/// As [`Kernel::dispatch`], for a source that is made when a device first needs it; `name` must tell sources
/// apart.
pub(crate) fn dispatch<'a>(
    gpu: &Gpu,
    name: &str,
    source: impl FnOnce() -> Cow<'a, str>,
    slots: &[Slot],
    constants: &[(&str, f64)],
    bindings: &[wgpu::BindingResource<'_>],
    grid: [u32; 3],
) -> Dispatch {
    debug_assert_eq!(slots.len(), bindings.len(), "{name}");
    let pipeline = pipeline(gpu, name, source, slots, constants);
    let entries: Vec<_> = (0..)
        .zip(bindings)
        .map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource: resource.clone() })
        .collect();
    let bind_group = gpu.device().create_bind_group(&wgpu::BindGroupDescriptor {
        label: Some(name),
        layout: pipeline.layout(),
        entries: &entries,
    });
    #[cfg(not(target_arch = "wasm32"))]
    if gpu.compiles_late.is_some() {
        pipeline.binds(&bind_group);
    }
    // The kernel that paints a picture has a grid of two dimensions.
    let flat = !slots.contains(&Slot::Picture);
    let (label, whole) = (name.to_owned(), gpu.first_group(0));
    let (cost, copies) = Default::default();
    Dispatch { label, pipeline, bind_group, whole, grid, flat, cost, copies }
}

/// The most slices of a dispatch: enough for any watchdog, few enough to keep a bind group for
/// each.
const SLICES: usize = 256;

impl Dispatch {
    /// Sets the number of multiplications and additions, if it is well defined.
    pub fn flops(mut self, flops: usize) -> Self {
        self.cost.flops = Some(flops as u64);
        self
    }

    /// Sets the least number of 4-byte values that must be read and written.
    pub fn values(self, values: usize) -> Self {
        self.bytes(4 * values)
    }

    /// Sets the least number of bytes that must be read and written.
    pub fn bytes(mut self, bytes: usize) -> Self {
        self.cost.bytes = Some(bytes as u64);
        self
    }

    /// It writes the first `values` of these. If they lie in a texture, they are copied there.
    pub fn fills<'a>(mut self, written: impl Into<Values<'a>>, values: usize) -> Self {
        self.copies.extend(written.into().texels().map(|texels| texels.copy(values.div_ceil(4))));
        self
    }

    pub(super) fn encode(&self, pass: &mut wgpu::ComputePass<'_>) {
        self.encode_grid(pass, &self.whole, self.grid);
    }

    pub(super) fn encode_copies(&self, encoder: &mut wgpu::CommandEncoder) {
        self.copies.iter().for_each(|copy| copy.encode(encoder));
    }

    fn encode_grid(
        &self,
        pass: &mut wgpu::ComputePass<'_>,
        first: &wgpu::BindGroup,
        grid: [u32; 3],
    ) {
        pass.push_debug_group(&self.label);
        pass.set_pipeline(self.pipeline.raw());
        pass.set_bind_group(0, &self.bind_group, &[]);
        pass.set_bind_group(1, first, &[]);
        pass.dispatch_workgroups(grid[0], grid[1], grid[2]);
        pass.pop_debug_group();
    }

    pub(super) fn groups(&self) -> usize {
        self.grid.iter().map(|&side| side as usize).product()
    }

    /// Seconds that its workgroups from `first` on are expected to take.
    pub(super) fn expected(&self, gpu: &Gpu, first: usize) -> f64 {
        let left = (self.groups() - first) as f64 / self.groups() as f64;
        left * self.pipeline.pace.seconds(gpu, self.cost, self.groups())
    }

    /// Encodes as many workgroups from `first` on as there is room for. Returns their number.
    pub(super) fn encode_some(
        &self,
        gpu: &Gpu,
        first: usize,
        share: &mut Share,
        pass: &mut wgpu::ComputePass<'_>,
    ) -> usize {
        let (left, room) = (self.groups() - first, share.room());
        let expected = self.expected(gpu, first);
        // A slice must not reach into the next one, as a row that is not full would.
        let slice = if self.flat { self.groups().div_ceil(SLICES).min(ROW) } else { left };
        let fitting = (room / expected * left as f64).min(ROW as f64) as usize;
        let count = match fitting / slice * slice {
            _ if expected <= room => left,
            // At least some progress is made.
            0 if share.is_untouched() => slice.min(left),
            some => some,
        };
        if count > 0 {
            let grid = if count == self.groups() { self.grid } else { fold(count) };
            match first {
                0 => self.encode_grid(pass, &self.whole, grid),
                _ => self.encode_grid(pass, &gpu.first_group(first as u32), grid),
            }
            share.take(&self.pipeline, expected * count as f64 / left as f64);
        }
        count
    }
}

/// The most workgroups along a side of a grid that WebGPU allows.
pub(super) const ROW: usize = 65_535;

/// A grid of at least `workgroups`, folded into rows.
///
/// The shader counts them through `shared/grid.wgsl` and ignores the surplus.
pub(crate) fn fold(workgroups: usize) -> [u32; 3] {
    [workgroups.clamp(1, ROW) as u32, workgroups.div_ceil(ROW).max(1) as u32, 1]
}
