//! Convolutions of any square kernel, stride and zero padding.

use super::tasks::{Tasks, tasks, tasks_where_they_lie};
use crate::{
    gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, Values, fold, params},
    kernels::{Batch, Constants, WORKGROUP, wgsl},
};

params! {
    pub(in crate::kernels) struct Params {
        inputs: u32,
        outputs: u32,
        size: u32,
        out_size: u32,
        kernel: u32,
        stride: u32,
        padding: u32,
        images: u32,
        images_per_net: u32,
        accumulate: u32,
        pad: [u32; 2],
    }
}

const PARAMS: Slot = Slot::params::<Params>();

pub(in crate::kernels) const FORWARD: Kernel = Kernel {
    name: "layers/conv_forward",
    source: wgsl!("shared/grid", "shared/quotient", "shared/layer_conv", "layers/conv_forward"),
    slots: &[PARAMS, Slot::Read, Slot::Read, Slot::Read, Slot::Write],
};

pub(in crate::kernels) const BACKWARD_DATA: Kernel = Kernel {
    name: "layers/conv_backward_data",
    source: wgsl!(
        "shared/grid",
        "shared/quotient",
        "shared/layer_conv",
        "layers/conv_backward_data"
    ),
    slots: &[PARAMS, Slot::Read, Slot::Read, Slot::Write],
};

pub(in crate::kernels) const BACKWARD_WEIGHT: Kernel = Kernel {
    name: "layers/conv_backward_weight",
    source: wgsl!(
        "shared/grid",
        "shared/quotient",
        "shared/layer_conv",
        "layers/conv_backward_weight"
    ),
    slots: &[PARAMS, Slot::Read, Slot::Read, Slot::Write],
};

pub(in crate::kernels) static BACKWARD_BIAS: Tasks = tasks!(
    "layers/conv_backward_bias",
    &[PARAMS, Slot::Read, Slot::Write],
    ("shared/layer_conv", "layers/conv_backward_bias")
);

pub(in crate::kernels) const TEXEL_BACKWARD_BIAS: Kernel = Kernel {
    name: "layers/cpu/conv_backward_bias",
    source: wgsl!(
        "shared/grid",
        "shared/quotient",
        "shared/texels",
        "shared/layer_conv",
        "layers/cpu/conv_backward_bias"
    ),
    slots: &[PARAMS, Slot::Texels, Slot::Write],
};

pub(in crate::kernels) const VARIANTS: &[Constants] = &[&[("BIAS", 0.0)], &[("BIAS", 1.0)]];

/// Channels that an invocation computes at one position.
const CHANNELS: usize = 4;

/// Sizes of the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Conv {
    pub inputs: usize,
    pub outputs: usize,
    pub size: usize,
    pub out_size: usize,
    pub kernel: usize,
    pub stride: usize,
    pub pad: usize,
}

impl Conv {
    /// Weights of one network, (outputs, inputs, kernel, kernel).
    pub fn weights(self) -> usize {
        self.outputs * self.inputs * self.kernel * self.kernel
    }

    /// y (images, outputs, out_size, out_size) from x (images, inputs, size, size), weights (nets, outputs, inputs,
    /// kernel, kernel) and bias (nets, outputs).
    pub fn forward(
        self,
        gpu: &Gpu,
        x: &Buffer<f32>,
        (weights, bias): (&Buffer<f32>, Option<&Buffer<f32>>),
        y: &Buffer<f32>,
        batch: Batch,
    ) -> Dispatch {
        let params = self.params(gpu, batch, false);
        let bindings = [
            params.binding(),
            x.binding(),
            weights.binding(),
            bias.unwrap_or(weights).binding(),
            y.binding(),
        ];
        let variant = VARIANTS[usize::from(bias.is_some())];
        let grid = tiles(batch, self.outputs, self.out_size);
        FORWARD.dispatch(gpu, variant, &bindings, grid).flops(self.flops(batch))
    }

    /// The gradient at x, from `dy` at y.
    pub fn backward_data(
        self,
        gpu: &Gpu,
        dy: &Buffer<f32>,
        weights: &Buffer<f32>,
        dx: &Buffer<f32>,
        batch: Batch,
    ) -> Dispatch {
        let params = self.params(gpu, batch, false);
        let bindings = [params.binding(), dy.binding(), weights.binding(), dx.binding()];
        let grid = tiles(batch, self.inputs, self.size);
        BACKWARD_DATA.dispatch(gpu, &[], &bindings, grid).flops(self.flops(batch))
    }

    /// The gradient at the weights, from x and `dy` at y.
    pub fn backward_weight(
        self,
        gpu: &Gpu,
        x: &Buffer<f32>,
        dy: &Buffer<f32>,
        d_weights: &Buffer<f32>,
        batch: Batch,
        accumulate: bool,
    ) -> Dispatch {
        let params = self.params(gpu, batch, accumulate);
        let bindings = [params.binding(), x.binding(), dy.binding(), d_weights.binding()];
        let row = (self.weights() / self.outputs).div_ceil(WORKGROUP);
        let grid = fold(batch.nets * self.outputs.div_ceil(CHANNELS) * row);
        BACKWARD_WEIGHT.dispatch(gpu, &[], &bindings, grid).flops(self.flops(batch))
    }

    /// The gradient at the bias, from `dy` at y.
    pub fn backward_bias(
        self,
        gpu: &Gpu,
        dy: Values<'_>,
        d_bias: &Buffer<f32>,
        batch: Batch,
        accumulate: bool,
    ) -> Dispatch {
        let params = self.params(gpu, batch, accumulate);
        let bindings = [params.binding(), dy.binding(), d_bias.binding()];
        let values = batch.images * self.outputs * self.out_size * self.out_size;
        let tasks = batch.nets * self.outputs;
        let kernels = (&BACKWARD_BIAS, &TEXEL_BACKWARD_BIAS);
        tasks_where_they_lie(gpu, dy, kernels, &[], &bindings, tasks).values(values)
    }

    pub(in crate::kernels) fn flops(self, batch: Batch) -> usize {
        2 * batch.images * self.weights() * self.out_size * self.out_size
    }

    pub(in crate::kernels) fn params(
        self,
        gpu: &Gpu,
        batch: Batch,
        accumulate: bool,
    ) -> Buffer<Params> {
        let params = Params {
            inputs: self.inputs as u32,
            outputs: self.outputs as u32,
            size: self.size as u32,
            out_size: self.out_size as u32,
            kernel: self.kernel as u32,
            stride: self.stride as u32,
            padding: self.pad as u32,
            images: batch.images as u32,
            images_per_net: (batch.images / batch.nets) as u32,
            accumulate: u32::from(accumulate),
            pad: [0; 2],
        };
        Buffer::params(gpu, "conv params", &params)
    }
}

/// A workgroup for each 64 positions, over all images of a network, of a few channels.
fn tiles(batch: Batch, channels: usize, size: usize) -> [u32; 3] {
    let values = batch.images / batch.nets * size * size;
    fold(batch.nets * channels.div_ceil(CHANNELS) * values.div_ceil(WORKGROUP))
}
