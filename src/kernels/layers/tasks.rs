//! Kernels with one plane or segment per workgroup, which its invocations share. On CPUs, where barriers are expensive,
//! each invocation has one.

use crate::{
    gpu::{Dispatch, Gpu, Kernel, fold},
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
