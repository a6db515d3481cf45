//! The classifier's last layer, in its three directions.

use super::{Batch, WORKGROUP, wgsl};
use crate::gpu::{Buffer, Dispatch, Gpu, Kernel, Slot, fold, params};

params! {
    struct Params {
        features: u32,
        classes: u32,
        images: u32,
        images_per_net: u32,
    }
}

params! {
    struct WeightParams {
        features: u32,
        classes: u32,
        images_per_net: u32,
        nets: u32,
        accumulate: u32,
        pad: [u32; 3],
    }
}

pub(super) const FORWARD: Kernel = Kernel {
    name: "linear_forward",
    source: wgsl!("shared/grid", "linear_forward"),
    slots: &[Slot::params::<Params>(), Slot::Read, Slot::Read, Slot::Read, Slot::Write],
};

pub(super) const BACKWARD_DATA: Kernel = Kernel {
    name: "linear_backward_data",
    source: wgsl!("shared/grid", "linear_backward_data"),
    slots: &[Slot::params::<Params>(), Slot::Read, Slot::Read, Slot::Write],
};

pub(super) const BACKWARD_WEIGHT: Kernel = Kernel {
    name: "linear_backward_weight",
    source: wgsl!("shared/grid", "linear_backward_weight"),
    slots: &[Slot::params::<WeightParams>(), Slot::Read, Slot::Read, Slot::Write],
};

/// Sizes of the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Linear {
    pub features: usize,
    pub classes: usize,
}

impl Linear {
    /// `logits` (images, classes) from embeddings (images, features), weights (nets, classes,
    /// features) and bias (nets, classes).
    pub fn forward(
        self,
        gpu: &Gpu,
        embeddings: &Buffer<f32>,
        (weights, bias): (&Buffer<f32>, &Buffer<f32>),
        logits: &Buffer<f32>,
        batch: Batch,
    ) -> Dispatch {
        let params = Buffer::params(gpu, "linear params", &self.params(batch));
        FORWARD
            .dispatch(
                gpu,
                &[],
                &[
                    params.binding(),
                    embeddings.binding(),
                    weights.binding(),
                    bias.binding(),
                    logits.binding(),
                ],
                fold((batch.images * self.classes).div_ceil(WORKGROUP)),
            )
            .flops(self.flops(batch))
            .values(batch.images * (self.features + self.classes) + weights.len() + bias.len())
    }

    /// The gradient at the embeddings from the one at the logits.
    pub fn backward_data(
        self,
        gpu: &Gpu,
        d_logits: &Buffer<f32>,
        weights: &Buffer<f32>,
        d_embeddings: &Buffer<f32>,
        batch: Batch,
    ) -> Dispatch {
        let params = Buffer::params(gpu, "linear params", &self.params(batch));
        BACKWARD_DATA
            .dispatch(
                gpu,
                &[],
                &[params.binding(), d_logits.binding(), weights.binding(), d_embeddings.binding()],
                fold((batch.images * self.features).div_ceil(WORKGROUP)),
            )
            .flops(self.flops(batch))
            .values(batch.images * (self.features + self.classes) + weights.len())
    }

    /// The gradient at the weights, added to what is there if told to `accumulate`. (The bias's is
    /// the sum over images of the one at the logits: see `class_sum`.)
    pub fn backward_weight(
        self,
        gpu: &Gpu,
        d_logits: &Buffer<f32>,
        embeddings: &Buffer<f32>,
        d_weights: &Buffer<f32>,
        batch: Batch,
        accumulate: bool,
    ) -> Dispatch {
        let Params { features, classes, images_per_net, .. } = self.params(batch);
        let params = WeightParams {
            features,
            classes,
            images_per_net,
            nets: batch.nets as u32,
            accumulate: u32::from(accumulate),
            pad: [0; 3],
        };
        let params = Buffer::params(gpu, "linear_backward_weight params", &params);
        BACKWARD_WEIGHT
            .dispatch(
                gpu,
                &[],
                &[params.binding(), d_logits.binding(), embeddings.binding(), d_weights.binding()],
                fold((batch.nets * self.classes * self.features).div_ceil(WORKGROUP)),
            )
            .flops(self.flops(batch))
            .values(batch.images * (self.features + self.classes) + d_weights.len())
    }

    /// The same in each direction.
    fn flops(self, batch: Batch) -> usize {
        2 * batch.images * self.features * self.classes
    }

    fn params(self, batch: Batch) -> Params {
        Params {
            features: self.features as u32,
            classes: self.classes as u32,
            images: batch.images as u32,
            images_per_net: (batch.images / batch.nets) as u32,
        }
    }
}
