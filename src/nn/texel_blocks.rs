//! The blocks of a network that have kernels for CPU adapters, whose planes lie in textures.

use std::ops::Range;

use super::Weights;
use crate::{
    gpu::{Buffer, Dispatch, Gpu, Memory, Recording},
    kernels::{
        Batch, BlockPlan, Direction, Norm, Planes, TexelKernel,
        cpu::{Finish, Kept, Layer, convolve, first_block, from_texels, norm_backward, to_texels},
    },
};

/// Which blocks these are, if there are any. They follow each other.
#[derive(Debug, Clone)]
pub(super) struct TexelPlan {
    blocks: Range<usize>,
    kernels: Vec<TexelKernel>,
    /// Of the first of these blocks.
    input: Layer,
    /// Of each block's convolution, and what it pools to.
    planes: Vec<Layer>,
    pooled: Vec<Layer>,
}

impl TexelPlan {
    /// Of a network whose blocks are planned like this.
    pub fn of(plans: &[BlockPlan]) -> Option<Self> {
        let start = plans.iter().position(|plan| plan.texels.is_some())?;
        // Planes get smaller from block to block, so that none of another kind is between these.
        let kernels: Vec<_> = plans[start..].iter().map_while(|plan| plan.texels).collect();
        let blocks = start..start + kernels.len();
        let layer = |planes: Planes| Layer {
            channels: planes.channels as usize,
            size: planes.size as usize,
        };
        let planes: Vec<_> = plans[blocks.clone()].iter().map(|plan| layer(plan.planes)).collect();
        let pooled = planes.iter().map(|planes| planes.pooled()).collect();
        Some(Self { blocks, kernels, input: layer(plans[start].input), planes, pooled })
    }

    /// The blocks; with `keep`, those that serve images that go backward.
    pub fn blocks(&self, keep: bool) -> Range<usize> {
        if keep { self.kept() } else { self.blocks.clone() }
    }

    /// Those of the blocks that also serve images that go backward.
    fn kept(&self) -> Range<usize> {
        let first = matches!(self.kernels[0], TexelKernel::First(_));
        self.blocks.start + usize::from(first)..self.blocks.end
    }

    /// How many blocks are before those of [`kept`](Self::kept).
    fn left_out(&self) -> usize {
        self.kept().start - self.blocks.start
    }

    /// What a block reads.
    fn input(&self, i: usize) -> Layer {
        i.checked_sub(1).map_or(self.input, |before| self.pooled[before])
    }

    /// The kernel of a block, if it is one of [`blocks`](Self::blocks).
    pub fn kernel(&self, block: usize, keep: bool) -> Option<TexelKernel> {
        self.blocks(keep).contains(&block).then(|| self.kernels[block - self.blocks.start])
    }
}

/// Room for a chunk of images on their way through these blocks.
#[derive(Debug)]
pub(super) struct TexelBlocks<M: Memory = Gpu> {
    pub plan: TexelPlan,
    input: M::Texels,
    /// What each block pools to.
    pooled: Vec<M::Texels>,
    /// For images that go backward: each block's normalised values, the gradient at what it reads, behind
    /// which is that at the last one's pooled planes, and, one block after the other, the gradient at its
    /// convolution.
    kept: Vec<M::Texels>,
    d_inputs: Vec<M::Texels>,
    d_planes: M::Texels,
}

impl<M: Memory> TexelBlocks<M> {
    pub fn new(memory: &M, plan: TexelPlan, images: usize, backward_images: usize) -> Self {
        let texels =
            |label, images: usize, layer: Layer| memory.texels(label, images * layer.image_len());
        let depth = plan.planes.len();
        let left_out = plan.left_out();
        // Of those blocks that serve images that go backward.
        let backward =
            |i: usize| if i < left_out || left_out == depth { 0 } else { backward_images };
        let kept = |i: usize| texels("kept texels", backward(i), plan.planes[i]);
        let d_input = |i: usize| texels("d input texels", backward(i), plan.input(i));
        let d_planes = plan.planes[left_out.min(depth - 1)];
        Self {
            input: texels("input texels", images, plan.input),
            pooled: plan.pooled.iter().map(|&l| texels("pooled texels", images, l)).collect(),
            kept: (0..depth).map(kept).collect(),
            d_inputs: (0..=depth).map(d_input).collect(),
            d_planes: texels("d planes texels", backward(left_out), d_planes),
            plan,
        }
    }
}

impl TexelBlocks {
    /// Records these blocks, from one buffer to another; with room for 1/σ of the planes of each, keeps what
    /// backward needs.
    #[allow(clippy::too_many_arguments)]
    pub fn forward(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        weights: &mut Weights,
        input: (&Buffer<f32>, Planes),
        result: (&Buffer<f32>, Planes),
        batch: Batch,
        inv_std: Option<&[&Buffer<f32>]>,
    ) {
        let left_out = if inv_std.is_some() { self.plan.left_out() } else { 0 };
        let mut planes = left_out.checked_sub(1).map_or(&self.input, |i| &self.pooled[i]);
        recording.push(to_texels(gpu, input, planes, batch.images));
        for (i, kernel) in self.plan.kernels.iter().enumerate().skip(left_out) {
            let block = self.plan.blocks.start + i;
            let channels = self.plan.input(i).channels;
            let forward = Direction::Forward;
            let packed = weights.packed_texels(gpu, block, forward, kernel.packing());
            let (affine, to) =
                (weights.affine(block), (&self.pooled[i], self.plan.pooled[i].channels));
            let kept =
                inv_std.map(|all| Kept { planes: &self.kept[i], inv_std: all[i - left_out] });
            recording.push(match *kernel {
                TexelKernel::First(first) => {
                    first_block(gpu, first, kept, planes, (&packed, affine), to, batch)
                }
                TexelKernel::Small(small) => {
                    let finish =
                        kept.map_or(Finish::Pool(affine), |kept| Finish::Keep(affine, kept));
                    convolve(gpu, small, finish, (planes, channels), &packed, to, batch)
                }
            });
            planes = to.0;
        }
        recording.push(from_texels(gpu, planes, result, batch.images));
    }

    /// Records the way back from the gradient at a block's pooled planes to the one at its convolution. The
    /// former is in a buffer behind the last of these blocks, where image i takes that of image
    /// (`first` + i) / `sharing`.
    #[allow(clippy::too_many_arguments)]
    pub fn norm_backward(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        block: usize,
        (d_pooled, layout): (&Buffer<f32>, Planes),
        Norm { affine, inv_std }: Norm<'_>,
        d_affine: &Buffer<f32>,
        batch: Batch,
        (first, sharing): (usize, usize),
    ) {
        let i = block - self.plan.blocks.start;
        let given = &self.d_inputs[i + 1];
        if block + 1 == self.plan.blocks.end {
            let (from, to) = (first / sharing, (first + batch.images - 1) / sharing + 1);
            recording.push(to_texels(gpu, (d_pooled, layout.starting_at(from)), given, to - from));
        }
        recording.push(norm_backward(
            gpu,
            self.plan.planes[i],
            Kept { planes: &self.kept[i], inv_std },
            affine,
            given,
            (&self.d_planes, d_affine),
            batch,
            (first % sharing, sharing),
        ));
    }

    /// Records the way back from there to the gradient at what the block reads.
    pub fn conv_backward(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        weights: &mut Weights,
        block: usize,
        batch: Batch,
    ) {
        let i = block - self.plan.blocks.start;
        let TexelKernel::Small(small) = self.plan.kernels[i] else { return };
        let packed = weights.packed_texels(gpu, block, Direction::BackwardData, small.packing());
        let given = (&self.d_planes, self.plan.planes[i].channels);
        let to = (&self.d_inputs[i], self.plan.input(i).channels);
        recording.push(convolve(gpu, small, Finish::Store, given, &packed, to, batch));
    }

    /// Takes the gradient at what a block reads to a buffer, for other kernels.
    pub fn take_d_input(
        &self,
        gpu: &Gpu,
        block: usize,
        to: (&Buffer<f32>, Planes),
        images: usize,
    ) -> Dispatch {
        from_texels(gpu, &self.d_inputs[block - self.plan.blocks.start], to, images)
    }

    /// Takes the gradient at a convolution to a buffer, for other kernels.
    pub fn take_d_planes(&self, gpu: &Gpu, to: (&Buffer<f32>, Planes), images: usize) -> Dispatch {
        from_texels(gpu, &self.d_planes, to, images)
    }

    /// Takes what a block has pooled to a buffer, for other kernels.
    pub fn take_pooled(
        &self,
        gpu: &Gpu,
        block: usize,
        to: (&Buffer<f32>, Planes),
        images: usize,
    ) -> Dispatch {
        from_texels(gpu, &self.pooled[block - self.plan.blocks.start], to, images)
    }

    /// What some of the blocks have pooled, in buffers, for the tests.
    pub fn pooled(
        &self,
        gpu: &Gpu,
        recording: &mut Recording,
        blocks: Range<usize>,
        images: usize,
    ) -> Vec<(Buffer<f32>, Planes)> {
        let copy = |block: usize| {
            let layer = self.plan.pooled[block - self.plan.blocks.start];
            let layout = Planes::dense(layer.channels, layer.size);
            let buffer = Buffer::zeros(gpu, "pooled", images * layout.image_len());
            recording.push(self.take_pooled(gpu, block, (&buffer, layout), images));
            (buffer, layout)
        };
        blocks.map(copy).collect()
    }
}
