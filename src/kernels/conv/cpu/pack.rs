//! Rearranging weights: transformed for Winograd's F(4, 3), or as they are.

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

params! {
    struct TapParams {
        outputs: u32,
        inputs: u32,
        taps: u32,
        padded: u32,
        len: u32,
        pad: [u32; 3],
    }
}

pub(in crate::kernels) const TAPS: Kernel = Kernel {
    name: "pack_taps",
    source: wgsl!("shared/grid", "shared/quotient", "shared/texels", "conv/cpu/pack_taps"),
    slots: &[Slot::params::<TapParams>(), Slot::Read, Slot::Write],
};

pub(in crate::kernels) const KERNEL: Kernel = Kernel {
    name: "pack_winograd",
    source: wgsl!("shared/grid", "shared/quotient", "shared/texels", "conv/cpu/pack_winograd"),
    slots: &[Slot::params::<Params>(), Slot::Read, Slot::Write],
};

/// How a kernel reads its weights: an output channel per lane, so many input channels per turn.
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

/// How [`Product`](super::Product) reads its weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taps {
    pub taps: usize,
    pub lanes: usize,
}

impl Taps {
    /// Outputs that a lane has, of so many: four are faster, unless many would be surplus.
    pub fn outputs_of_lane(&self, outputs: usize) -> usize {
        let [few, more] = [2, 4].map(|of_lane| outputs.next_multiple_of(of_lane * self.lanes));
        if 4 * more <= 5 * few { 4 } else { 2 }
    }

    /// Outputs with the surplus ones, which are zero.
    fn padded(&self, outputs: usize) -> usize {
        outputs.next_multiple_of(self.outputs_of_lane(outputs) * self.lanes)
    }

    fn len(&self, outputs: usize, inputs: usize) -> usize {
        self.taps * inputs.div_ceil(4) * self.padded(outputs)
    }
}

/// How weights lie in a texture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TexelPacking {
    Winograd(Winograd),
    Taps(Taps),
}

impl TexelPacking {
    /// Texels of one network's weights.
    pub fn len(&self, outputs: usize, inputs: usize) -> usize {
        match self {
            Self::Winograd(winograd) => winograd.len(outputs, inputs),
            Self::Taps(taps) => taps.len(outputs, inputs),
        }
    }
}

/// Packs weights (nets, outputs, inputs, kernel, kernel), or the transposed ones, whose `outputs` and `inputs` are
/// then the other way round.
pub(crate) fn pack_texels(
    gpu: &Gpu,
    direction: Direction,
    packing: TexelPacking,
    shape: (usize, usize),
    weights: &Buffer<f32>,
    packed: &Texels,
) -> Dispatch {
    match packing {
        TexelPacking::Winograd(own) => pack_winograd(gpu, direction, own, shape, weights, packed),
        TexelPacking::Taps(own) => pack_taps(gpu, direction, own, shape, weights, packed),
    }
}

fn pack_taps(
    gpu: &Gpu,
    direction: Direction,
    own: Taps,
    (outputs, inputs): (usize, usize),
    weights: &Buffer<f32>,
    packed: &Texels,
) -> Dispatch {
    let params = TapParams {
        outputs: outputs as u32,
        inputs: inputs as u32,
        taps: own.taps as u32,
        padded: own.padded(outputs) as u32,
        len: packed.len() as u32,
        pad: [0; 3],
    };
    let params = Buffer::params(gpu, "pack_taps params", &params);
    TAPS.dispatch(
        gpu,
        direction.constants(),
        &[params.binding(), weights.binding(), packed.target()],
        fold(packed.len().div_ceil(WORKGROUP)),
    )
    .values(weights.len() + 4 * packed.len())
    .fills(packed, 4 * packed.len())
}

/// Packs weights (nets, outputs, inputs, 3, 3), or the transposed ones, whose `outputs` and `inputs` are then
/// the other way round.
fn pack_winograd(
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
            &[params.binding(), weights.binding(), packed.target()],
            fold((packed.len() / packing.texels()).div_ceil(WORKGROUP)),
        )
        .values(weights.len() + 4 * packed.len())
        .fills(packed, 4 * packed.len())
}
