//! Work recorded once and submitted as often as wanted, whole or slice by slice.

use std::sync::Arc;

use super::{Gpu, Share, Submissions, Submitted, kernel::Pipeline};

/// One kernel over one grid, ready to be encoded.
#[derive(Debug, Clone)]
pub(crate) struct Dispatch {
    pub(super) label: String,
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) bind_group: wgpu::BindGroup,
    /// What a slice is bound to that begins with the first workgroup.
    pub(super) whole: wgpu::BindGroup,
    pub(super) grid: [u32; 3],
    /// Whether its workgroups have flat numbers, so that any number of them can be a slice.
    pub(super) flat: bool,
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

/// A dispatch has no more slices than these: enough for any watchdog, few enough to keep what each is
/// bound to.
const SLICES: usize = 256;

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
        self.encode_grid(pass, &self.whole, self.grid);
    }

    fn encode_grid(
        &self,
        pass: &mut wgpu::ComputePass<'_>,
        first: &wgpu::BindGroup,
        grid: [u32; 3],
    ) {
        pass.push_debug_group(&self.label);
        pass.set_pipeline(&self.pipeline.raw);
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

    /// Encodes as many workgroups from `first` on as there is room for, and says how many these are.
    pub(super) fn encode_some(
        &self,
        gpu: &Gpu,
        first: usize,
        share: &mut Share,
        pass: &mut wgpu::ComputePass<'_>,
    ) -> usize {
        let (left, room) = (self.groups() - first, share.room());
        let expected = self.expected(gpu, first);
        // A slice must not run on into the next one, as rows that are not full would.
        let slice = if self.flat { self.groups().div_ceil(SLICES).min(ROW) } else { left };
        let fitting = (room / expected * left as f64).min(ROW as f64) as usize;
        let count = match fitting / slice * slice {
            _ if expected <= room => left,
            // Whatever happens, it goes on.
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

/// How far a recording was encoded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Place {
    dispatch: usize,
    group: usize,
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

    /// Encodes what there is room for from `place` on, which moves there; whether that was all.
    pub fn encode_some(
        &self,
        gpu: &Gpu,
        place: &mut Place,
        share: &mut Share,
        encoder: &mut wgpu::CommandEncoder,
        label: &str,
    ) -> bool {
        if place.dispatch == self.0.len() {
            return true;
        }
        let mut pass = share.begin_pass(gpu, encoder, label);
        while let Some(dispatch) = self.0.get(place.dispatch) {
            let count = dispatch.encode_some(gpu, place.group, share, &mut pass);
            place.group += count;
            if place.group < dispatch.groups() {
                return false;
            }
            *place = Place { dispatch: place.dispatch + 1, group: 0 };
        }
        true
    }

    /// Encodes everything whether there is room or not: what nobody may see half done.
    pub fn encode_at_once(
        &self,
        gpu: &Gpu,
        share: &mut Share,
        encoder: &mut wgpu::CommandEncoder,
        label: &str,
    ) {
        let mut pass = share.begin_pass(gpu, encoder, label);
        for dispatch in &self.0 {
            dispatch.encode(&mut pass);
            share.take(&dispatch.pipeline, dispatch.expected(gpu, 0));
        }
    }

    /// Seconds that what is behind `place` is expected to take.
    pub fn expected(&self, gpu: &Gpu, place: Place) -> f64 {
        let left = self.0.iter().enumerate().skip(place.dispatch);
        left.map(|(at, dispatch)| match at == place.dispatch {
            true => dispatch.expected(gpu, place.group),
            false => dispatch.expected(gpu, 0),
        })
        .sum()
    }

    /// Submits everything.
    pub fn submit(&self, gpu: &Gpu, label: &str) -> Submitted {
        let mut submissions = Submissions::new(gpu);
        submissions.run(self, label);
        submissions.finish()
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
