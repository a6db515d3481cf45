//! The ConvNet over a chunk of images: its buffers, its forward and its backward pass.

use super::{
    ConvNet, Target, Weights,
    texel_blocks::{TexelBlocks, TexelPlan},
};
use crate::{
    Result,
    gpu::{Buffer, Gpu, Memory, Recording, Values},
    kernels::{
        Backward, Batch, BlockPlan, Direction, Forward, Kept, Norm, Planes, augments_in_texels,
        conv, norm_relu_pool_backward, norm_relu_pool_forward,
    },
};

/// Room for a chunk of images on their way through the network.
///
/// All intermediate planes have zero halos, which nothing ever writes: kernels touch the inside.
#[derive(Debug)]
pub(crate) struct Embedder<M: Memory = Gpu> {
    /// Empty if a texture takes the images.
    input: M::Buffer<f32>,
    border: usize,
    blocks: Vec<Block<M>>,
    /// The blocks of a CPU adapter, whose planes lie in textures.
    texels: Option<TexelBlocks<M>>,
    d_input: M::Buffer<f32>,
}

#[derive(Debug)]
struct Block<M: Memory> {
    /// What the convolution makes; normalised in place, then its gradient, on the synthetic path.
    planes: M::Buffer<f32>,
    inv_std: M::Buffer<f32>,
    d_affine: M::Buffer<f32>,
    pooled: M::Buffer<f32>,
    d_pooled: M::Buffer<f32>,
    plan: BlockPlan,
}

impl<M: Memory> Embedder<M> {
    /// Buffers for at most `images` forward and `backward_images` backward at a time, which are in the input of `beside`,
    /// if there is one: of the same network.
    pub fn new(
        memory: &M,
        net: &ConvNet,
        images: usize,
        backward_images: usize,
        beside: Option<&Self>,
    ) -> Self {
        let zeros = |label: &str, len| memory.buffer(label, len);
        let plans = net.plan(memory.caps());
        let (input, d_input) = (plans[0].input.image_len(), plans[0].d_input.image_len());
        let in_texels = augments_in_texels(memory.caps(), (net.channels(), net.size()));
        let texels = TexelPlan::of(&plans, in_texels);
        let takes_images = texels.as_ref().is_some_and(|plan| plan.takes_images);
        let block = |(b, plan): (usize, BlockPlan)| {
            // A block that is one kernel leaves no planes behind; only those kept for backward remain.
            let planes_images = match plan.kept {
                Kept::Always => images,
                Kept::ForBackward => backward_images,
                Kept::Never => 0,
            };
            // The gradient at the embedding is the caller's.
            let (last, in_texels) = (b + 1 == net.depth(), texels.is_some());
            let d_images = if last || in_texels { 0 } else { backward_images };
            let pooled_images = if in_texels && !last { 0 } else { images };
            let planes = |label: &str, images: usize, layout: Planes| {
                zeros(&format!("{label} {b}"), images * layout.image_len())
            };
            Block {
                planes: planes("planes", planes_images, plan.planes),
                inv_std: zeros(&format!("1/std {b}"), planes_images * net.width()),
                d_affine: zeros(&format!("d affine {b}"), 2 * backward_images * net.width()),
                pooled: planes("pooled", pooled_images, plan.pooled),
                d_pooled: planes("d pooled", d_images, plan.d_pooled),
                plan,
            }
        };
        let own_input = || zeros("network input", if takes_images { 0 } else { images * input });
        let texels_beside =
            beside.and_then(|other| other.texels.as_ref()).map(|texels| texels.images.clone());
        Self {
            input: beside.map_or_else(own_input, |other| other.input.clone()),
            border: net.border(),
            blocks: plans.into_iter().enumerate().map(block).collect(),
            texels: texels
                .map(|plan| TexelBlocks::new(memory, plan, images, backward_images, texels_beside)),
            d_input: zeros("d network input", backward_images * d_input),
        }
    }
}

impl Embedder {
    /// Where images are to be written, and in which layout: the network's padding surrounds them. In a texture it belongs to
    /// what is written.
    pub fn input(&self) -> (Values<'_>, Planes) {
        match self.texels.as_ref().filter(|texels| texels.plan.takes_images) {
            Some(texels) => {
                let (input, layout) = texels.input();
                (input.into(), layout)
            }
            None => ((&self.input).into(), self.blocks[0].plan.input.inset(self.border)),
        }
    }

    /// Each block's output, the last of which is the embedding (N, features), after a forward pass; for the tests.
    pub fn pooled(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        images: usize,
    ) -> Vec<(Buffer<f32>, Planes)> {
        match &self.texels {
            Some(texels) => texels.pooled(gpu, recording, images),
            None => self.blocks.iter().map(|b| (b.pooled.clone(), b.plan.pooled)).collect(),
        }
    }

    /// The embeddings, (N, features).
    pub fn embedding(&self) -> &Buffer<f32> {
        &self.blocks[self.blocks.len() - 1].pooled
    }

    /// The gradient at the images, after [`backward`](Self::backward).
    pub fn d_input(&self) -> (&Buffer<f32>, Planes) {
        (&self.d_input, self.blocks[0].plan.d_input.inset(self.border))
    }

    /// Embeds the first images of the input. With `keep`, [`backward`](Self::backward) can follow.
    pub fn forward(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        weights: &Weights,
        batch: Batch,
        keep: bool,
    ) -> Result<()> {
        let mut input = (&self.input, self.blocks[0].plan.input);
        if let Some(texels) = &self.texels {
            let last = &self.blocks[self.blocks.len() - 1];
            let embedding = (&last.pooled, last.plan.pooled);
            return texels.forward(gpu, recording, weights, input, embedding, batch, keep);
        }
        for (b, block) in self.blocks.iter().enumerate() {
            let plan = &block.plan;
            let (planes, pooled) = ((&block.planes, plan.planes), (&block.pooled, plan.pooled));
            let forward = if keep { plan.forward_keep } else { plan.forward };
            let own = weights.packed(b, Direction::Forward, forward.packing())?;
            let norm = Norm { affine: weights.affine(b), inv_std: &block.inv_std };
            let direction = Direction::Forward;
            match forward {
                Forward::Fused(kernel) => {
                    let affine = Some(norm.affine);
                    let own = conv(gpu, kernel, direction, affine, input, own, pooled, batch);
                    recording.push(own);
                }
                // Theirs are above.
                Forward::Texels(_) => {}
                Forward::Apart(kernel) => {
                    let own = conv(gpu, kernel, direction, None, input, own, planes, batch);
                    recording.push(own);
                    recording.push(norm_relu_pool_forward(gpu, planes, norm, pooled, batch, keep));
                }
            }
            input = pooled;
        }
        Ok(())
    }

    /// From the gradient at the embeddings down to the `target`.
    ///
    /// Image i takes row (`first` + i) / `sharing` of `d_embedding`: images of one class share one.
    #[allow(clippy::too_many_arguments)]
    pub fn backward(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        weights: &Weights,
        d_embedding: &Buffer<f32>,
        (first, sharing): (usize, usize),
        batch: Batch,
        target: Target<'_>,
    ) -> Result<()> {
        if let Some(texels) = &self.texels {
            let given = (d_embedding, (first, sharing));
            return self.backward_in(texels, gpu, recording, weights, given, batch, target);
        }
        for (b, block) in self.blocks.iter().enumerate().rev() {
            let plan = &block.plan;
            let planes = (&block.planes, plan.planes);
            let last = b + 1 == self.blocks.len();
            let d_pooled = (if last { d_embedding } else { &block.d_pooled }, plan.d_pooled);
            let sharing = if last { (first, sharing) } else { (0, 1) };
            let before = b.checked_sub(1).map(|before| &self.blocks[before]);
            let input = match before {
                Some(before) => (&before.pooled, plan.input),
                None => (&self.input, plan.input),
            };
            let result = match before {
                Some(before) => (&before.d_pooled, plan.d_input),
                None => (&self.d_input, plan.d_input),
            };
            // The gradient at the images is computed only where the target asks for it.
            let goes_on = before.is_some() || target.input;
            let (affine, d_affine) = (weights.affine(b), &block.d_affine);
            let (data, weight) = match plan.backward {
                Backward::Apart { data, weight } => (data, weight),
                // Theirs are above.
                Backward::Texels(_) => continue,
            };
            let norm = Norm { affine, inv_std: &block.inv_std };
            recording.push(norm_relu_pool_backward(
                gpu, planes, norm, d_pooled, d_affine, batch, sharing,
            ));
            if let Some(gradients) = target.weights {
                gradients.record(gpu, recording, b, weight, input, planes, d_affine, batch);
            }
            if !goes_on {
                continue;
            }
            let back = Direction::BackwardData;
            let own = weights.packed(b, back, data.packing())?;
            recording.push(conv(gpu, data, back, None, planes, own, result, batch));
        }
        Ok(())
    }

    /// The same with planes in textures.
    #[allow(clippy::too_many_arguments)]
    fn backward_in(
        &self,
        texels: &TexelBlocks,
        gpu: &Gpu,
        recording: &mut Recording,
        weights: &Weights,
        (d_embedding, sharing): (&Buffer<f32>, (usize, usize)),
        batch: Batch,
        target: Target<'_>,
    ) -> Result<()> {
        for (b, block) in self.blocks.iter().enumerate().rev() {
            let d_pooled = (d_embedding, block.plan.d_pooled);
            let affines = (weights.affine(b), &block.d_affine);
            let given = texels.norm_backward(gpu, recording, b, d_pooled, affines, batch, sharing);
            if let Some(gradients) = target.weights {
                let (conv, more) = (&gradients.convs[b], gradients.accumulate);
                recording.push(texels.weight_gradient(gpu, (b, given), conv, batch, more));
                let affines = (&gradients.affines[b], 2 * block.plan.planes.channels as usize);
                gradients.add_up(gpu, recording, &block.d_affine, affines, batch);
            }
            if b > 0 || target.input {
                texels.conv_backward(gpu, recording, weights, (b, given), batch)?;
            }
        }
        if target.input {
            let d_input = (&self.d_input, self.blocks[0].plan.d_input);
            recording.push(texels.take_d_input(gpu, d_input, batch.images));
        }
        Ok(())
    }
}
