//! Rearranging weights for the kernels that read them in groups of output channels.

use super::{WORKGROUP, wgsl};
use crate::{
    gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, fold, params},
    kernels::Direction,
};

params! {
    struct Params {
        outputs: u32,
        inputs: u32,
        width: u32,
        chunk: u32,
        len: u32,
        nets: u32,
        pad: [u32; 2],
    }
}

/// How a kernel wants its weights: `[output / outputs][input]`, each input's of a group of `outputs`
/// channels padded to `chunk` values. Of matrices, `chunk` is the side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packing {
    pub outputs: usize,
    pub chunk: usize,
    pub order: Order,
}

/// Where the nine taps of a group's channels are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Tap after tap, of all channels each.
    Taps,
    /// As f16 matrices of output × input channels, each of one tap.
    Matrices,
}

impl Packing {
    /// Values of one network's weights, as f32, two f16 in one.
    pub fn len(&self, outputs: usize, inputs: usize) -> usize {
        let groups = outputs.div_ceil(self.outputs);
        match self.order {
            Order::Taps => groups * inputs * self.chunk,
            Order::Matrices => groups * self.outputs * inputs.next_multiple_of(self.chunk) * 9 / 2,
        }
    }
}

pub(super) const KERNEL: Kernel = Kernel {
    name: "pack_weights",
    source: wgsl!("shared/grid", "shared/pack", "pack_weights"),
    slots: &[Slot::params::<Params>(), Slot::Read, Slot::Write],
};

pub(super) const MATRICES: Kernel = Kernel {
    name: "pack_matrices",
    source: wgsl!("shared/f16", "shared/grid", "shared/pack", "pack_matrices"),
    slots: KERNEL.slots,
};

/// Packs weights (nets, outputs, inputs, 3, 3), or the transposed ones, whose `outputs` and `inputs`
/// are then the other way round. `packed` has [`Packing::len`] values per network.
pub(crate) fn pack_weights(
    gpu: &Gpu,
    direction: Direction,
    packing: Packing,
    (outputs, inputs): (usize, usize),
    weights: &Buffer<f32>,
    packed: &Buffer<f32>,
) -> Dispatch {
    let len = packing.len(outputs, inputs);
    let nets = packed.len() / len;
    let (kernel, values) = match packing.order {
        Order::Taps => (&KERNEL, len),
        Order::Matrices => (&MATRICES, 2 * len),
    };
    let params = Params {
        outputs: outputs as u32,
        inputs: inputs as u32,
        width: packing.outputs as u32,
        chunk: packing.chunk as u32,
        len: values as u32,
        nets: nets as u32,
        pad: [0; 2],
    };
    let params = Buffer::params(gpu, "pack_weights params", &params);
    kernel
        .dispatch(
            gpu,
            direction.constants(),
            &[params.binding(), weights.binding(), packed.binding()],
            fold((nets * values).div_ceil(WORKGROUP)),
        )
        .values(weights.len() + packed.len())
}
