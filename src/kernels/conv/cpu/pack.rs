//! Transforming weights for Winograd's F(4, 3).

use crate::{
    gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, Texels, fold, params},
    kernels::{Direction, WORKGROUP, wgsl},
};

params! {
    struct Params {
        outputs: u32,
        inputs: u32,
        lanes: u32,
        per_turn: u32,
        texels: u32,
        len: u32,
        pad: [u32; 2],
    }
}

pub(in crate::kernels) const KERNEL: Kernel = Kernel {
    name: "pack_winograd",
    source: wgsl!("shared/grid", "shared/texels", "conv/cpu/pack_winograd"),
    slots: &[Slot::params::<Params>(), Slot::Read, Slot::TexelsWrite],
};

/// How a kernel reads its weights: an output channel a lane, so many input channels a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Winograd {
    pub lanes: usize,
    pub per_turn: usize,
}

impl Winograd {
    /// Texels of one network's weights.
    pub fn len(&self, outputs: usize, inputs: usize) -> usize {
        let turns = inputs.div_ceil(self.per_turn);
        outputs.next_multiple_of(self.lanes) * turns * self.texels()
    }

    /// Of a lane in a turn.
    fn texels(&self) -> usize {
        (18 * self.per_turn).div_ceil(4)
    }
}

/// Packs weights (nets, outputs, inputs, 3, 3), or the transposed ones, whose `outputs` and `inputs` are then
/// the other way round.
pub(crate) fn pack_winograd(
    gpu: &Gpu,
    direction: Direction,
    packing: Winograd,
    (outputs, inputs): (usize, usize),
    weights: &Buffer<f32>,
    packed: &Texels,
) -> Dispatch {
    let params = Params {
        outputs: outputs as u32,
        inputs: inputs as u32,
        lanes: packing.lanes as u32,
        per_turn: packing.per_turn as u32,
        texels: packing.texels() as u32,
        len: packed.len() as u32,
        pad: [0; 2],
    };
    let params = Buffer::params(gpu, "pack_winograd params", &params);
    KERNEL
        .dispatch(
            gpu,
            direction.constants(),
            &[params.binding(), weights.binding(), packed.binding()],
            fold(packed.len().div_ceil(WORKGROUP)),
        )
        .values(weights.len() + 4 * packed.len())
}
