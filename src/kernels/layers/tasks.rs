//! Kernels with one plane or segment per workgroup, which its invocations share. On CPUs, where barriers are expensive,
//! each invocation has one.
//!
//! CPUs load from textures for a fraction of what a load from a buffer costs. So most layers have a kernel more, for dense
//! tensors in textures, four values to a texel, on planes of a multiple of four values.

use super::Count;
use crate::{
    gpu::{Dispatch, Gpu, Kernel, Values, fold},
    kernels::{Constants, WORKGROUP},
};

/// A kernel's two versions: by workgroup, and by invocation.
pub(in crate::kernels) struct Tasks(pub [Kernel; 2]);

impl Tasks {
    /// The version for this device, for so many planes or segments.
    pub fn dispatch(
        &'static self,
        gpu: &Gpu,
        constants: Constants,
        bindings: &[wgpu::BindingResource<'_>],
        tasks: usize,
    ) -> Dispatch {
        let [together, alone] = &self.0;
        match gpu.caps().cpu {
            true => alone.dispatch(gpu, constants, bindings, fold(tasks.div_ceil(WORKGROUP))),
            false => together.dispatch(gpu, constants, bindings, fold(tasks)),
        }
    }
}

/// Invocations of a workgroup, where tensors are in textures: few, since a layer may have no more segments or channels than
/// that.
const INVOCATIONS: usize = 16;

/// Texels of a workgroup that works value by value.
const TEXELS: usize = 256;

/// The grid for so many planes or segments in textures.
pub(super) fn texel_tasks(tasks: usize) -> [u32; 3] {
    fold(tasks.div_ceil(INVOCATIONS))
}

/// The kernel for where the tensors lie, in buffers or textures, for so many planes or segments.
pub(super) fn tasks_where_they_lie(
    gpu: &Gpu,
    tensors: Values<'_>,
    (buffers, texels): (&'static Tasks, &'static Kernel),
    constants: Constants,
    bindings: &[wgpu::BindingResource<'_>],
    tasks: usize,
) -> Dispatch {
    match tensors {
        Values::Buffer(_) => buffers.dispatch(gpu, constants, bindings, tasks),
        Values::Texels(_) => texels.dispatch(gpu, constants, bindings, texel_tasks(tasks)),
    }
}

/// The parameters and the grid of a kernel that works value by value.
pub(super) fn counted(tensors: Values<'_>, values: usize) -> (Count, [u32; 3]) {
    let (count, workgroup) = match tensors {
        Values::Buffer(_) => (values, WORKGROUP),
        Values::Texels(_) => (values / 4, TEXELS),
    };
    (Count { count: count as u32 }, fold(count.div_ceil(workgroup)))
}

/// Both versions, from the pieces of source that follow the shared ones.
macro_rules! tasks {
    ($name:literal, $slots:expr, ($($piece:literal),+)) => {
        Tasks([
            Kernel {
                name: $name,
                source: wgsl!(
                    "shared/grid", "shared/quotient", "shared/team", "shared/reduce", "shared/together", $($piece),+
                ),
                slots: $slots,
            },
            Kernel {
                name: concat!($name, " alone"),
                source: wgsl!("shared/grid", "shared/quotient", "shared/alone", $($piece),+),
                slots: $slots,
            },
        ])
    };
}
pub(super) use tasks;
